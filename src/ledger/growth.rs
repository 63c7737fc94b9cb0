//! How large a ledger is, and how fast it grows.

use std::path::Path;

use crate::error::Result;
use crate::ledger::files::{self, Role};
use crate::ledger::gzip;
use crate::ledger::scan::{self, Item};
use crate::timestamp::Instant;
use crate::workspace::Place;

const DAY_S: i64 = 86_400;

/// So many of the last days tell how fast it grows.
pub const RECENT_DAYS: i64 = 90;

/// What fewer days tell says nothing of a month.
const DAYS_MIN: i64 = 7;

/// The rows of larger files are not looked at: nobody waits so long to hear how fast a ledger grows.
const FILE_BYTES_MAX: u64 = 512 << 20;

/// A ledger's size.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Growth {
    /// How many files it has.
    pub files: u64,
    /// All their bytes.
    pub bytes: u64,
    /// Those of the active segment.
    pub active_bytes: u64,
    /// How many sealed segments there are.
    pub sealed: u64,
    /// Their bytes.
    pub sealed_bytes: u64,
    /// How many of them are compressed.
    pub compressed: u64,
    /// All rows, those that stand in two files twice.
    pub rows: u64,
    /// Its age: that of the earliest row, in days.
    pub days: i64,
    recent_rows: u64,
    recent_bytes: u64,
}

impl Growth {
    /// Looks through all files.
    ///
    /// # Errors
    /// A folder that cannot be read; files that cannot, or are too large, are left out.
    pub fn of(place: &Place, now: Instant) -> Result<Growth> {
        let mut growth = Growth::default();
        let mut first = now.seconds;
        for file in files::all(place)? {
            let bytes = file.path.metadata().map_or(0, |meta| meta.len());
            growth.add(&file.path, file.role, bytes);
            if bytes > FILE_BYTES_MAX {
                continue;
            }
            let _ = scan::file(&file, &mut |_, item| {
                let Item::Row(found) = item else { return };
                let at = found.row.at.instant().seconds;
                first = first.min(at);
                growth.rows += 1;
                if at > now.seconds - RECENT_DAYS * DAY_S {
                    growth.recent_rows += 1;
                    growth.recent_bytes += found.bytes().len() as u64 + 1;
                }
            });
        }
        growth.days = (now.seconds - first) / DAY_S;
        Ok(growth)
    }

    fn add(&mut self, path: &Path, role: Role, bytes: u64) {
        self.files += 1;
        self.bytes += bytes;
        match role {
            Role::Active => self.active_bytes += bytes,
            Role::Sealed => {
                self.sealed += 1;
                self.sealed_bytes += bytes;
                self.compressed += u64::from(gzip::is_compressed(path));
            }
            _ => {}
        }
    }

    /// Rows and bytes of thirty days, and of how many days this is the mean; None of a ledger that
    /// is too young to tell, or that rests.
    pub fn of_a_month(&self) -> Option<(u64, u64, i64)> {
        let days = self.days.min(RECENT_DAYS);
        let mean = |of: u64| of.saturating_mul(30) / days as u64;
        (days >= DAYS_MIN && self.recent_rows > 0)
            .then(|| (mean(self.recent_rows), mean(self.recent_bytes), days))
    }

    /// In how many days the active segment has so many bytes.
    pub fn days_until(&self, bytes: u64) -> Option<u64> {
        let (_, a_month, _) = self.of_a_month()?;
        let left = bytes.saturating_sub(self.active_bytes);
        left.saturating_mul(30).checked_div(a_month)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_month_is_told_by_the_last_days() {
        let young = Growth { days: 6, recent_rows: 10, recent_bytes: 700, ..Growth::default() };
        assert_eq!(young.of_a_month(), None);
        let ledger = Growth { days: 10, active_bytes: 700, ..young };
        assert_eq!(ledger.of_a_month(), Some((30, 2_100, 10)));
        assert_eq!(ledger.days_until(2_800), Some(30));
        assert_eq!(ledger.days_until(1), Some(0));
        let old = Growth { days: 5_000, recent_rows: 90, ..ledger };
        assert_eq!(old.of_a_month(), Some((30, 233, 90)));
        assert_eq!(Growth { recent_rows: 0, ..old }.of_a_month(), None);
    }
}
