//! What is kept besides the ledger's rows, and where: beside the ledger, and in the user's own folders.

use std::fs;
use std::path::{Path, PathBuf};

use usage_ledger::workspace::Place;

use crate::hook_log;
use crate::world::{self, Target};

/// The file that events are appended to.
pub(super) fn events(place: &Place) -> Place {
    place.beside("events.jsonl")
}

/// Where events are, those that are appended to first.
pub(super) fn all_events(place: &Place) -> [PathBuf; 2] {
    [events(place).active(), place.folder().join("events")]
}

/// Where captures are.
pub(super) fn capture(place: &Place) -> PathBuf {
    place.folder().join("capture")
}

/// What waits to be exported.
pub(super) fn spool() -> Option<PathBuf> {
    Some(world::state_home()?.join("spool"))
}

/// The key that the user's pseudonyms are made with.
pub(super) fn identity() -> Option<PathBuf> {
    Some(world::state_home()?.join("identity.key"))
}

/// What is known of sealed segments, of all ledgers.
pub(super) fn cache() -> Option<PathBuf> {
    Some(world::cache_home()?.join("usage-ledger"))
}

/// Every place, by what is kept there.
pub(super) fn paths(target: &Target) -> Vec<(&'static str, PathBuf)> {
    let place = &target.place;
    let [events, sealed] = all_events(place);
    let all = [
        ("ledger", Some(place.without_fragment().active())),
        ("events", Some(events)),
        ("old events", Some(sealed)),
        ("capture", Some(capture(place))),
        ("choice", world::consent_record()),
        ("identity", identity()),
        ("spool", spool()),
        ("hooks' log", hook_log::path()),
        ("cache", cache()),
    ];
    all.into_iter().filter_map(|(what, path)| Some((what, path?))).collect()
}

/// Whether anything bears that name; a link is not followed.
pub(super) fn is_there(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok()
}

/// Every file at or below the path, in order of names; no link is followed.
pub(super) fn files(path: &Path) -> Vec<PathBuf> {
    let Ok(meta) = fs::symlink_metadata(path) else { return Vec::new() };
    if !meta.is_dir() {
        return vec![path.to_owned()];
    }
    let entries = fs::read_dir(path).into_iter().flatten().flatten();
    let mut below: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    below.sort();
    below.iter().flat_map(|path| files(path)).collect()
}
