//! The ledger as a whole: rows into the active segment, each stamped so that it is unique.

pub mod around;
pub mod disk;
pub mod gzip;
pub mod tar;
pub mod lock;
pub mod tail;
pub mod rotate;
pub mod segment;
pub mod files;
pub mod names;
pub mod fields;
pub mod border;
pub mod marks;
pub mod plain;
pub mod scan;
pub mod distinct;
pub mod archived;
pub mod verify;
pub mod lost;
pub mod repair;
pub mod compose;
pub mod fragments;
pub mod journal;
pub mod waiting;
pub mod prune;
pub mod merge;
pub mod lookup;
pub mod compact;
pub mod archive;
pub mod adding;
pub mod moving;
pub mod restoring;
pub mod growth;
pub mod alerts;
pub mod events;
pub mod verify_events;

use std::str;

use crate::error::Result;
use crate::ledger::around::Around;
use crate::ledger::compact::Compacted;
use crate::ledger::compose::{Appended, Entry};
use crate::ledger::segment::Policy;
use crate::ledger::tail::Format;
use crate::row::{HEADER, LINE_BYTES_MAX, Row, line_hash};
use crate::timestamp::Timestamp;
use crate::workspace::Place;

/// What the bytes of our ledger mean.
const FORMAT: Format = Format {
    header: HEADER,
    is_private: false,
    is_row: |line| {
        line.len() <= LINE_BYTES_MAX
            && str::from_utf8(line).is_ok_and(|line| Row::parse(line.trim_end()).is_ok())
    },
    begins_row: fields::begins_row,
    seal,
};

/// Appends rows: all of them, or none. The clock is read under the lock, so that rows are in order.
///
/// # Errors
/// Any error but [`SyncFailed`](crate::error::Error::SyncFailed) means that no row was added.
pub fn append(
    place: &Place,
    policy: &Policy,
    entries: &mut [Entry<'_>],
    clock: &dyn Fn() -> Timestamp,
    around: &Around<'_>,
) -> Result<Appended> {
    let mut appended = Appended::default();
    appended.outcome = segment::append(place, policy, &FORMAT, around, &mut |newest| {
        let lines = compose::lines(place, None, entries, clock(), newest)?;
        appended.count(&lines, entries);
        Ok(lines.bytes)
    })?;
    Ok(appended)
}

/// Folds the fragments into the active segment, and removes those whose rows are all in it or in
/// other files.
///
/// # Errors
/// Whatever was done till then, no row is lost: fragments go last.
pub fn compact(place: &Place, policy: &Policy, around: &Around<'_>) -> Result<Compacted> {
    let mut compacted = Compacted::default();
    let fragments = compact::fragments(place)?;
    if fragments.is_empty() {
        return Ok(compacted);
    }
    compacted.outcome = segment::append(place, policy, &FORMAT, around, &mut |_| {
        let missing = compact::missing(place, &fragments)?;
        (compacted.added, compacted.already_there) = (missing.added, missing.already_there);
        compacted.pruned = missing.pruned;
        Ok(missing.lines)
    })?;
    compact::remove(place, policy, around, &fragments, &mut compacted)?;
    Ok(compacted)
}

fn seal(first_row: &[u8]) -> String {
    let time = str::from_utf8(first_row)
        .ok()
        .and_then(|text| text.split(',').next())
        .and_then(|stamp| Timestamp::parse_liberally(stamp.trim_matches('"')))
        .map_or_else(|| "00000000T000000Z".to_owned(), Timestamp::compact_utc);
    format!("{time}-{}", line_hash(first_row, 4))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_segment_is_named_by_its_first_row() {
        let row = b"2026-02-23T22:19:28+01:00,m,1,2,true,plan,3,";
        assert_eq!(seal(row), format!("20260223T211928Z-{}", line_hash(row, 4)));
        assert!(seal(b"garbage").starts_with("00000000T000000Z-"));
    }
}
