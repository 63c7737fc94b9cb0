//! Damage in the middle of a ledger, mended on request: every row that can be read is written anew,
//! in order and once; the old file is kept beside.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::PathBuf;

use hashbrown::HashMap;

use crate::error::{Error, Result};
use crate::ledger::disk;
use crate::ledger::distinct;
use crate::ledger::lock::Lock;
use crate::ledger::rotate;
use crate::ledger::scan::{self, Item};
use crate::ledger::segment::Policy;
use crate::notes;
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
    /// Rows that repeated another.
    pub repeated: usize,
    /// Markers that a merge conflict had left.
    pub markers: usize,
    /// Where the old file is; None where there was nothing to repair.
    pub kept: Option<PathBuf>,
}

/// Mends the active segment. With `is_rehearsal` nothing is changed, and `kept` is where the old
/// file would go.
///
/// # Errors
/// Any means that the ledger is as it was.
pub fn repair(place: &Place, policy: &Policy, is_rehearsal: bool) -> Result<Repair> {
    let path = place.active();
    if !path.exists() {
        return Err(Error::NoSuchFile { path });
    }
    let mut lock = Lock::take(&place.lock(), policy.wait)?;
    if lock.is_marked() && !is_rehearsal {
        rotate::clear(place)?;
    }
    let fail = |action, error: &io::Error| Error::io(action, &path, error);
    if !path.metadata().map_err(|error| fail("look at", &error))?.is_file() {
        return Err(Error::NotAFile { path });
    }
    let (bytes, mut repair) = mend(&place.active(), &place.name().to_string_lossy())?;
    let is_same = fs::read(&path).map_err(|error| fail("read", &error))? == bytes;
    if is_same {
        return Ok(repair);
    }
    let kept = free_name(place);
    repair.kept = Some(kept.clone());
    if is_rehearsal {
        return Ok(repair);
    }
    let temp = place.temp(0);
    let write = || -> io::Result<()> {
        lock.mark(true)?;
        disk::remove(&temp)?;
        let mut file = OpenOptions::new().write(true).create_new(true).open(&temp)?;
        file.set_permissions(path.metadata()?.permissions())?;
        disk::write(&mut file, &bytes)?;
        file.sync_data()?;
        // The old file gets its second name first, so that there is no moment without a ledger.
        if fs::hard_link(&path, &kept).is_err() {
            fs::copy(&path, &kept)?;
            File::open(&kept)?.sync_data()?;
        }
        fs::rename(&temp, &path)?;
        lock.mark(false)
    };
    let mut write = write;
    write().map_err(|error| fail("repair", &error))?;
    disk::sync_folder(place.folder(), policy.durability)?;
    Ok(repair)
}

/// The file as it should be.
fn mend(path: &std::path::Path, label: &str) -> Result<(Vec<u8>, Repair)> {
    let mut repair = Repair::default();
    let mut rows: Vec<(Instant, String)> = Vec::new();
    let mut seen: HashMap<(Instant, u128), usize> = HashMap::new();
    let file = File::open(path).map_err(|error| Error::io("read", path, &error))?;
    let scanned = scan::scan(file, &mut |line, item| match item {
        Item::Row(row, _) => {
            let row = canonical(row);
            let (at, line) = (row.at.instant(), row.to_line());
            match seen.get(&(at, distinct::fingerprint(&row))) {
                Some(index) => {
                    repair.repeated += 1;
                    let other = Row::parse(&rows[*index].1);
                    if other.is_ok_and(|other| distinct::rank(&row) > distinct::rank(&other)) {
                        rows[*index].1 = line;
                    }
                }
                None => {
                    seen.insert((at, distinct::fingerprint(&row)), rows.len());
                    rows.push((at, line));
                }
            }
        }
        Item::Bad(refused) => repair.unreadable.push((line, refused.short())),
        Item::Marker => repair.markers += 1,
        Item::Header | Item::Blank => {}
    });
    match scanned {
        Ok(Ok(_)) => {}
        Ok(Err(refusal)) => {
            let (file, line, reason) = (label.to_owned(), refusal.line, refusal.reason);
            return Err(Error::Unreadable { file, line, reason });
        }
        Err(error) => return Err(Error::io("read", path, &error)),
    }
    repair.rows = rows.len();
    rows.sort();
    let mut bytes = format!("{HEADER}\n").into_bytes();
    for (_, line) in rows {
        bytes.extend_from_slice(line.as_bytes());
        bytes.push(b'\n');
    }
    Ok((bytes, repair))
}

/// The row as we would have written it.
fn canonical(row: Row<'_>) -> Row<'_> {
    Row {
        stamp: row.stamp.to_ascii_uppercase().into(),
        notes: notes::clean(&row.notes).into_owned().into(),
        ..row
    }
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
