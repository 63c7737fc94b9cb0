//! Which fragment rows go to: one that no commit holds yet. A committed fragment is never changed,
//! so that merges never meet in one.

use std::fs;
use std::hash::{BuildHasher, RandomState};
use std::path::Path;

use crate::error::Result;
use crate::ledger::compose;
use crate::ledger::files::{self, Role};
use crate::timestamp::Timestamp;
use crate::workspace::Place;

/// The ledger, appended to in a fragment of its own.
pub fn fresh(place: &Place, now: Timestamp) -> Place {
    let time = now.compact_utc();
    // Each state has its own keys of 128 random bits.
    let random = RandomState::new().hash_one(&time);
    place.with_fragment(format!("{}-{random:016x}.csv", &time[.."20260223".len()]))
}

/// The ledger, appended to in its newest fragment, if git does not track it and it is not full;
/// else in a new one. A full fragment is not sealed: it is a file of its own already.
///
/// # Errors
/// A folder that cannot be read.
pub fn current(
    place: &Place,
    max_size: u64,
    is_tracked: &dyn Fn(&Path) -> bool,
    now: Timestamp,
) -> Result<Place> {
    let fragments = files::older(place)?.into_iter().filter(|file| file.role == Role::Fragment);
    let has_room = |path: &Path| fs::metadata(path).is_ok_and(|meta| meta.len() < max_size);
    let newest = compose::newest_of(fragments.collect());
    let newest = newest.filter(|file| has_room(&file.path) && !is_tracked(&file.path));
    let name = newest.and_then(|file| Some(file.path.file_name()?.to_string_lossy().into_owned()));
    Ok(name.map_or_else(|| fresh(place, now), |name| place.with_fragment(name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fresh_fragment_has_a_name_of_its_own() {
        let now = Timestamp::parse("2026-02-23T23:19:12-05:00").unwrap();
        let place = Place::in_repository(Path::new("top"));
        let [one, other] = [(); 2].map(|()| fresh(&place, now).active());
        assert_ne!(one, other);
        let name = one.strip_prefix("top/.telemetry/usage.d").unwrap().to_str().unwrap();
        assert_eq!((name.len(), &name[..9]), (29, "20260224-"));
    }
}
