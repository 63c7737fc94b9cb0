//! Compaction: the rows of the fragments go into the active segment, and then the fragments go. Rows
//! are added first and looked for again, so that whoever dies on the way loses none.

use hashbrown::{HashMap, HashSet};

use crate::error::{Error, Result};
use crate::ledger::around::Around;
use crate::ledger::border;
use crate::ledger::disk;
use crate::ledger::files::{self, LedgerFile, Role};
use crate::ledger::lock::Lock;
use crate::ledger::scan::{self, Item};
use crate::ledger::segment::{Outcome, Policy};
use crate::row::Row;
use crate::timestamp::Instant;
use crate::workspace::Place;

/// What became of the fragments.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Compacted {
    /// Rows that were added to the active segment.
    pub added: usize,
    /// Rows that stood in other files already.
    pub already_there: usize,
    /// Rows of fragments from before the border, which go with them.
    pub pruned: usize,
    /// Fragments that are gone.
    pub removed: usize,
    /// Fragments that stay, each with the reason.
    pub left: Vec<(String, String)>,
    /// What else the append did.
    pub outcome: Outcome,
}

/// The rows of the fragments that stand in no other file.
#[derive(Debug, Default)]
pub(super) struct Missing {
    /// Their lines, in the order of time.
    pub(super) lines: Vec<u8>,
    /// How many they are.
    pub(super) added: usize,
    /// Rows of fragments that stand in another file, or twice in fragments.
    pub(super) already_there: usize,
    /// Rows of fragments from before the border.
    pub(super) pruned: usize,
}

/// All fragments.
pub(super) fn fragments(place: &Place) -> Result<Vec<LedgerFile>> {
    Ok(files::older(place)?.into_iter().filter(|file| file.role == Role::Fragment).collect())
}

/// What must be added to the active segment before the fragments can go.
pub(super) fn missing(place: &Place, fragments: &[LedgerFile]) -> Result<Missing> {
    let border = border::load(place)?;
    let mut missing: HashMap<String, Instant> = HashMap::new();
    let (mut rows, mut pruned) = (0, 0);
    for file in fragments {
        read(file, &mut |row| match Some(row.at.day()) < border {
            true => pruned += 1,
            false => {
                rows += 1;
                missing.insert(row.to_line(), row.at.instant());
            }
        })?;
    }
    for file in others(place)? {
        read(&file, &mut |row| {
            missing.remove(&row.to_line());
        })?;
    }
    let mut lines: Vec<(Instant, String)> =
        missing.into_iter().map(|(line, at)| (at, line)).collect();
    lines.sort();
    let added = lines.len();
    let lines = lines.into_iter().flat_map(|(_, line)| (line + "\n").into_bytes()).collect();
    Ok(Missing { lines, added, already_there: rows - added, pruned })
}

/// Removes the fragments whose every row stands in another file or was pruned, looked at once more under the lock.
pub(super) fn remove(
    place: &Place,
    policy: &Policy,
    around: &Around<'_>,
    fragments: &[LedgerFile],
    compacted: &mut Compacted,
) -> Result<()> {
    let _lock = Lock::take(&place.lock(), policy.wait)?;
    around.wait();
    let border = border::load(place)?;
    let mut rows: Vec<HashSet<String>> = Vec::new();
    let mut reasons: Vec<Option<String>> = Vec::new();
    for file in fragments {
        let mut lines = HashSet::new();
        reasons.push(read(file, &mut |row| {
            if Some(row.at.day()) >= border {
                lines.insert(row.to_line());
            }
        })?);
        rows.push(lines);
    }
    for file in others(place)? {
        read(&file, &mut |row| {
            let line = row.to_line();
            for lines in &mut rows {
                lines.remove(&line);
            }
        })?;
    }
    for ((file, missing), reason) in fragments.iter().zip(rows).zip(reasons) {
        let is_there = missing.is_empty();
        let reason = reason.or((!is_there).then(|| "it was changed meanwhile".to_owned()));
        match reason {
            Some(reason) => compacted.left.push((file.label.clone(), reason)),
            None => {
                disk::remove(&file.path)
                    .map_err(|error| Error::io("remove", &file.path, &error))?;
                compacted.removed += 1;
            }
        }
    }
    if compacted.removed > 0 {
        // The folder stays: a writer may be about to make a file in it.
        disk::sync_folder(&place.fragments(), policy.durability)?;
    }
    Ok(())
}

/// Every file of the ledger but the fragments.
fn others(place: &Place) -> Result<Vec<LedgerFile>> {
    Ok(files::all(place)?.into_iter().filter(|file| file.role != Role::Fragment).collect())
}

/// Gives the rows of a file. What else the file holds that is in no row is the reason why it must
/// stay.
fn read(file: &LedgerFile, take: &mut dyn FnMut(&Row<'_>)) -> Result<Option<String>> {
    let mut reason = None;
    let traits = scan::file(file, &mut |line, item| match item {
        Item::Row(found) => take(&found.row),
        Item::Bad(refused) => {
            reason
                .get_or_insert_with(|| format!("line {line} cannot be read: {}", refused.short()));
        }
        Item::Marker => {
            reason.get_or_insert_with(|| format!("line {line} is a marker of a merge conflict"));
        }
        Item::Header | Item::Blank => {}
    });
    match traits? {
        Some(traits) if traits.has_other_columns => {
            Ok(Some("it has other columns than the ledger's".to_owned()))
        }
        _ => Ok(reason),
    }
}
