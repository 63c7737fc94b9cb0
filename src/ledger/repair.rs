//! Damage in the middle of a ledger, mended on request: every row that can be read is written anew,
//! in order and once; the old file is kept beside.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind};
use std::path::PathBuf;

use hashbrown::hash_map::Entry;
use hashbrown::{HashMap, HashSet};

use crate::error::{Error, Result};
use crate::ledger::around::Around;
use crate::ledger::disk;
use crate::ledger::distinct::{self, line_bits};
use crate::ledger::files::{self, Role};
use crate::ledger::lock::Lock;
use crate::ledger::lost;
use crate::ledger::plain::Found;
use crate::ledger::rotate;
use crate::ledger::scan::{self, Item};
use crate::ledger::segment::Policy;
use crate::row::{HEADER, Row};
use crate::timestamp::Instant;
use crate::workspace::Place;

/// What a repair found, and made of it.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Repair {
    /// Rows in the mended ledger.
    pub rows: usize,
    /// Lines that could not be read: they are in the old file alone.
    pub unreadable: Vec<(u64, String)>,
    /// Rows that repeated another, byte for byte. What was corrected stays: only pruning deletes.
    pub repeated: usize,
    /// Rows that a sealed segment holds.
    pub sealed: usize,
    /// Rows put back that the last commit has and no file had any more.
    pub restored: usize,
    /// Markers that a merge conflict had left.
    pub markers: usize,
    /// Whether the old file had more columns than ours, which are in it alone.
    pub has_other_columns: bool,
    /// Where the old file is; None where there was nothing to repair.
    pub kept: Option<PathBuf>,
}

/// Mends the active segment. With `is_rehearsal` nothing is changed, and `kept` is where the old
/// file would go. What makes a row the same row in other clones is left as it is, or merges would
/// count it twice.
///
/// # Errors
/// Any means that the ledger is as it was.
pub fn repair(
    place: &Place,
    policy: &Policy,
    around: &Around<'_>,
    is_rehearsal: bool,
) -> Result<Repair> {
    let path = place.active();
    let fail = |action, error: &io::Error| Error::io(action, &path, error);
    match path.metadata() {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return Err(Error::NoSuchFile { path });
        }
        Err(error) => return Err(fail("look at", &error)),
        Ok(meta) if !meta.is_file() => return Err(Error::NotAFile { path }),
        Ok(_) => {}
    }
    let mut lock = Lock::take(&place.lock(), policy.wait)?;
    around.wait();
    if lock.is_marked() && !is_rehearsal {
        rotate::clear(place)?;
    }
    let file = File::open(&path).map_err(|error| fail("read", &error))?;
    let meta = file.metadata().map_err(|error| fail("look at", &error))?;
    if disk::link_count(&meta) > 1 && rotate::is_in_archive(place, &file) {
        // All its rows stand in a segment; the next row begins a new ledger.
        return Ok(Repair::default());
    }
    let (bytes, mut repair) = mend(&file, place)?;
    let is_same = meta.len() == bytes.len() as u64
        && fs::read(&path).map_err(|error| fail("read", &error))? == bytes;
    if is_same {
        return Ok(repair);
    }
    let kept = free_name(place);
    repair.kept = Some(kept.clone());
    if is_rehearsal {
        return Ok(repair);
    }
    let temp = place.temp(0);
    let mut write = || -> io::Result<()> {
        lock.mark(true)?;
        disk::remove(&temp)?;
        let mut new = OpenOptions::new().write(true).create_new(true).open(&temp)?;
        new.set_permissions(meta.permissions())?;
        disk::write(&mut new, &bytes)?;
        new.sync_data()?;
        // The old file gets its second name first, so that there is no moment without a ledger.
        if fs::hard_link(&path, &kept).is_err() {
            fs::copy(&path, &kept)?;
            File::open(&kept)?.sync_data()?;
        }
        if !disk::is_at(&file, &path) {
            fs::remove_file(&kept)?;
            return Err(io::Error::other("git put another file in its place: try again"));
        }
        fs::rename(&temp, &path)?;
        lock.mark(false)
    };
    write().map_err(|error| fail("repair", &error))?;
    disk::sync_folder(place.folder(), policy.durability)?;
    Ok(repair)
}

/// The file as it should be.
fn mend(file: &File, place: &Place) -> Result<(Vec<u8>, Repair)> {
    let label = files::active(place).label;
    let mut repair = Repair::default();
    let mut rows: Vec<(Spot, String)> = Vec::new();
    let mut seen: HashMap<u128, usize> = HashMap::new();
    let scanned = scan::scan(file, &mut |line, item| match item {
        Item::Row(Found { row, .. }) => {
            let line = row.to_line();
            match seen.entry(line_bits(&line)) {
                Entry::Occupied(_) => repair.repeated += 1,
                Entry::Vacant(place) => {
                    place.insert(rows.len());
                    rows.push((Spot::of(row, &line, rows.last()), line));
                }
            }
        }
        Item::Bad(refused) => repair.unreadable.push((line, refused.short())),
        Item::Marker => repair.markers += 1,
        Item::Header | Item::Blank => {}
    });
    match scanned {
        Ok(Ok(traits)) => repair.has_other_columns = traits.has_other_columns,
        Ok(Err(refusal)) => {
            let (line, reason) = (refusal.line, refusal.reason);
            return Err(Error::Unreadable { file: label, line, reason });
        }
        Err(error) => return Err(Error::io("read", label.as_ref(), &error)),
    }
    let sealed = sealed(place, &seen)?;
    repair.sealed = sealed.len();
    let mut number = 0..;
    rows.retain(|_| !number.next().is_some_and(|number| sealed.contains(&number)));
    let lost = lost::rows(place)?;
    repair.restored = lost.len();
    rows.extend(lost.into_iter().filter_map(|line| {
        let spot = Spot::of(&Row::parse(&line).ok()?, &line, None);
        Some((spot, line))
    }));
    repair.rows = rows.len();
    rows.sort();
    let mut bytes = format!("{HEADER}\n").into_bytes();
    for (_, line) in rows {
        bytes.extend_from_slice(line.as_bytes());
        bytes.push(b'\n');
    }
    Ok((bytes, repair))
}

/// Where a row belongs in the mended file.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Spot {
    at: Instant,
    line: String,
    /// How many corrections stand between it and the row of that moment and line.
    corrections: u64,
}

impl Spot {
    /// By its time; but a correction stays behind the rows that were there when it was made.
    fn of(row: &Row<'_>, line: &str, before: Option<&(Spot, String)>) -> Spot {
        let spot = Spot { at: row.at.instant(), line: line.to_owned(), corrections: 0 };
        match before {
            Some((before, _)) if distinct::is_revision(row) && *before > spot => {
                let Spot { at, ref line, corrections } = *before;
                Spot { at, line: line.clone(), corrections: corrections + 1 }
            }
            _ => spot,
        }
    }
}

/// Which of the rows, by number, a sealed segment holds.
fn sealed(place: &Place, seen: &HashMap<u128, usize>) -> Result<HashSet<usize>> {
    let mut found = HashSet::new();
    for segment in files::older(place)?.iter().filter(|file| file.role == Role::Sealed) {
        let scanned = scan::file(segment, &mut |_, item| {
            let Item::Row(Found { row, .. }) = item else { return };
            found.extend(seen.get(&line_bits(&row.to_line())));
        });
        // One that is no ledger holds no row of ours.
        if !matches!(scanned, Err(Error::Unreadable { .. })) {
            scanned?;
        }
    }
    Ok(found)
}

fn free_name(place: &Place) -> PathBuf {
    let mut numbers = 1u64..;
    loop {
        let path = place.before_repair(numbers.next().unwrap_or_default());
        if fs::symlink_metadata(&path).is_err() {
            return path;
        }
    }
}
