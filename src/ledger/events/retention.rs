//! How long events stay. They are sealed day by day, so that old ones can be deleted file by file.

use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

use crate::ledger::events::reading;
use crate::timestamp::Timestamp;
use crate::workspace::{EVENTS_KEPT, Place};

/// A file holds what was recorded in one day of UTC.
const DAY: Duration = Duration::from_secs(86_400);

/// The beginning of the day: what was recorded before it belongs to another file.
pub(super) fn midnight(now: Timestamp) -> Option<SystemTime> {
    let now = since_1970(now);
    let of_today = Duration::from_secs(now.as_secs() % DAY.as_secs());
    SystemTime::UNIX_EPOCH.checked_add(now - of_today)
}

/// Deletes the files whose newest event is older than that; how many. Whoever records something must
/// not fail over what others left.
pub(super) fn sweep(place: &Place, keep: Option<Duration>, now: Timestamp) -> usize {
    let keep = keep.unwrap_or(EVENTS_KEPT);
    let sealed = reading::sealed(place).unwrap_or_default();
    let paths = sealed.into_iter().map(|file| file.path).chain([place.torn()]);
    let is_old = |path: &Path| {
        let meta = path.symlink_metadata().ok().filter(|meta| meta.is_file());
        let changed = meta.and_then(|meta| meta.modified().ok());
        let changed = changed.and_then(|at| at.duration_since(SystemTime::UNIX_EPOCH).ok());
        changed.is_some_and(|changed| since_1970(now).saturating_sub(changed) > keep)
    };
    paths.filter(|path| is_old(path) && fs::remove_file(path).is_ok()).count()
}

fn since_1970(at: Timestamp) -> Duration {
    Duration::from_secs(u64::try_from(at.instant().seconds).unwrap_or_default())
}
