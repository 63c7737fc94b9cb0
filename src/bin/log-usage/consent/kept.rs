//! What is kept besides the ledger's rows, and where: beside the ledger, and in the user's own folders.

use std::fs;
use std::path::{Path, PathBuf};

use usage_ledger::privacy::key_file::KeyFile;
use usage_ledger::workspace::Place;

use crate::hook_log;
use crate::user;
use crate::world::{self, Choice, Target};

/// This ledger's place, and that of the user's own ledger.
pub(super) fn places(target: &Target) -> Vec<Place> {
    let mut places = vec![target.place.clone()];
    if target.choice != Choice::Personal {
        places.extend(Target::find(None, true).ok().map(|own| own.place));
    }
    places
}

/// Everything that may hold events: what is appended to, the old ones, what a writer that died left
/// torn, and what a rotation that was cut short left behind.
pub(super) fn events(place: &Place) -> Vec<PathBuf> {
    let events = place.events();
    let stem = events.temp_stem();
    let is_temp = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default();
        name.as_encoded_bytes().starts_with(stem.as_encoded_bytes())
    };
    let entries = fs::read_dir(place.folder()).into_iter().flatten().flatten();
    let mut temps: Vec<PathBuf> = entries.map(|entry| entry.path()).filter(is_temp).collect();
    temps.sort();
    [vec![events.active(), events.archive(), events.torn()], temps].concat()
}

/// What waits to be exported.
pub(super) fn spool() -> Option<PathBuf> {
    Some(user::state_home()?.join("spool"))
}

/// The key that the user's pseudonyms are made with.
pub(super) fn identity() -> Option<PathBuf> {
    Some(KeyFile::in_folder(&user::state_home()?).path())
}

/// What is known of sealed segments, of all ledgers.
pub(super) fn cache() -> Option<PathBuf> {
    Some(world::cache_home()?.join("usage-ledger"))
}

/// Every place, by what is kept there.
pub(super) fn paths(target: &Target) -> Vec<(&'static str, PathBuf)> {
    let (place, events) = (&target.place, target.place.events());
    let all = [
        ("ledger", Some(place.without_fragment().active())),
        ("events", Some(events.active())),
        ("old events", Some(events.archive())),
        ("capture", Some(place.capture())),
        ("choice", user::consent_record()),
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
