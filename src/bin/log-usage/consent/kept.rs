//! What is kept besides the ledger's rows, and where: beside the ledger, and in the user's own folders.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use usage_ledger::error::{Error, Result};
use usage_ledger::figures;
use usage_ledger::privacy::consent::Level;
use usage_ledger::privacy::key_file::KeyFile;
use usage_ledger::workspace::{LEDGER, Place};

use crate::hook_log;
use crate::user;
use crate::world::{self, Choice, Target};

/// So many hex digits name the folder of a ledger's cache.
const CACHE_NAME_LEN: usize = 16;

/// Where events and captures are: those that go with this ledger, and those of the user's own.
///
/// # Errors
/// A folder around us that cannot be told.
pub(super) fn places(target: &Target) -> Result<Vec<Place>> {
    let mut places = vec![target.of_events()?.place];
    if target.choice != Choice::Personal {
        places.extend(Target::find(None, true).ok().map(|own| own.place));
    }
    Ok(places)
}

/// Everything that may hold events: what is appended to, the old ones, what a writer that died left
/// torn, and what a rotation that was cut short left behind.
pub(super) fn events(place: &Place) -> Vec<PathBuf> {
    let events = place.events();
    let temps = begins(place.folder(), events.temp_stem().as_encoded_bytes());
    [vec![events.active(), events.archive(), events.torn()], temps].concat()
}

/// What is kept at these levels, as far as it goes beyond one: what it is, how much, and how it is
/// deleted.
pub(super) fn beyond(place: &Place, level: Level) -> Result<Vec<String>> {
    let stays = |count: usize, what: &str, option: &str| {
        let (count, s, stay) = match count {
            1 => (count.to_string(), "", "stays"),
            _ => (figures::thousands(count as u128), "s", "stay"),
        };
        format!("{count} {what}{s} {stay}: log-usage consent purge {option}")
    };
    let mut said = Vec::new();
    if level < Level::Events {
        let mut count = 0;
        for path in events(place).iter().flat_map(|path| files(path)) {
            let is_lines = path.extension().is_some_and(|it| it == "jsonl");
            let bytes = if is_lines { fs::read(&path) } else { Ok(Vec::new()) };
            let bytes = bytes.map_err(|error| Error::io("read", &path, &error))?;
            count += bytes.split_inclusive(|byte| *byte == b'\n').count();
        }
        said.extend((count > 0).then(|| stays(count, "event", "--events")));
    }
    if level < Level::Capture {
        let count = captures(place).len();
        said.extend((count > 0).then(|| stays(count, "capture", "--capture")));
    }
    Ok(said)
}

/// What was captured; the rule beside it that hides it from git is no capture.
pub(super) fn captures(place: &Place) -> Vec<PathBuf> {
    let mut files = files(&place.capture());
    files.retain(|path| path.file_name().is_none_or(|name| name != ".gitignore"));
    files
}

/// Everything in a folder whose name begins so, in order of names.
fn begins(folder: &Path, beginning: &[u8]) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let is_meant = |name: &OsStr| name.as_encoded_bytes().starts_with(beginning);
    let entries = entries.filter(|entry| is_meant(&entry.file_name()));
    let mut found: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    found.sort();
    found
}

/// What waits to be exported.
pub(super) fn spool() -> Option<PathBuf> {
    Some(world::state_home()?.join("spool"))
}

/// The key that the user's pseudonyms are made with.
pub(super) fn identity() -> Option<PathBuf> {
    Some(KeyFile::in_folder(&world::state_home()?).path())
}

/// What is known of sealed segments, of all ledgers.
pub(super) fn cache() -> Option<PathBuf> {
    Some(world::cache_home()?.join("usage-ledger"))
}

/// The user's own folders: files of ours are in them, beside what the user puts there.
pub(super) fn own_folders() -> Vec<PathBuf> {
    [user::config_home(), world::state_home(), cache()].into_iter().flatten().collect()
}

/// All that is ours in the user's own folders, by what it is. The user's settings and a team's key are
/// not.
pub(super) fn own() -> Vec<(&'static str, PathBuf)> {
    let known = [
        ("your choices, for all repositories", user::consent_record()),
        ("the lock of your choices", user::config_home().map(|it| it.join(".consent.lock"))),
        ("the key of your pseudonyms, everywhere", identity()),
        ("the hooks' log", hook_log::path()),
        ("what waits to be exported", spool()),
        ("what was imported already", world::state_home().map(|folder| folder.join("import"))),
        ("which alerts were told", world::state_home().map(|folder| folder.join("alerts"))),
    ];
    let mut own: Vec<_> =
        known.into_iter().filter_map(|(what, path)| Some((what, path?))).collect();
    for folder in [user::config_home(), world::state_home()].into_iter().flatten() {
        let halves = begins(&folder, b".").into_iter().filter(|path| is_half(path));
        own.extend(halves.map(|path| ("half of such a file", path)));
    }
    // Each ledger has a folder there, named by a hash.
    let is_hash = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().as_encoded_bytes();
        path.is_dir() && name.len() == CACHE_NAME_LEN && name.iter().all(u8::is_ascii_hexdigit)
    };
    let caches = cache().into_iter().flat_map(|folder| begins(&folder, b"")).filter(is_hash);
    own.extend(caches.map(|path| ("the cache of a ledger's reports", path)));
    // What is behind a link is not ours: we write to none.
    own.retain(|(_, path)| !path.parent().is_some_and(Path::is_symlink));
    let mut seen = HashSet::new();
    own.retain(|(_, path)| seen.insert(path.clone()));
    own
}

/// Whether it is what a writer that died left of one of our files in the user's own folders.
fn is_half(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let files = [".consent.toml.tmp.", ".identity.key.tmp.", ".hooks.log.tmp."];
    files.iter().any(|it| name.starts_with(it))
        || name.starts_with(".key") && name.ends_with(".tmp.")
}

/// Every place, by what is kept there.
///
/// # Errors
/// A folder around us that cannot be told.
pub(super) fn paths(target: &Target) -> Result<Vec<(&'static str, PathBuf)>> {
    let place = target.of_events()?.place;
    let events = place.events();
    let all = [
        ("ledger", Some(target.place.without_fragment().active())),
        ("events", Some(events.active())),
        ("old events", Some(events.archive())),
        ("capture", Some(place.capture())),
        ("choice", user::consent_record()),
        ("identity", identity()),
        ("spool", spool()),
        ("hooks' log", hook_log::path()),
        ("cache", cache()),
    ];
    Ok(all.into_iter().filter_map(|(what, path)| Some((what, path?))).collect())
}

/// The other work trees of the repository around these events that hold events or captures.
pub(super) fn other_trees(target: &Target) -> Vec<PathBuf> {
    let Some(tree) = target.work_tree().filter(|_| target.choice != Choice::Personal) else {
        return Vec::new();
    };
    let Ok(below) = target.place.folder().strip_prefix(&tree.top) else { return Vec::new() };
    let shared = tree.shared();
    let shared = fs::canonicalize(&shared).unwrap_or(shared);
    let linked = fs::read_dir(shared.join("worktrees")).into_iter().flatten().flatten();
    // Each says where the file is that leads here.
    let linked = linked.filter_map(|entry| fs::read_to_string(entry.path().join("gitdir")).ok());
    let linked = linked.filter_map(|text| Path::new(text.trim()).parent().map(Path::to_owned));
    let main = shared.parent().filter(|_| shared.ends_with(".git")).map(Path::to_owned);
    let here = fs::canonicalize(&tree.top).ok();
    let mut tops: Vec<PathBuf> = main.into_iter().chain(linked).collect();
    tops.retain(|top| {
        let place = Place::named(&top.join(below), LEDGER);
        let has_events = || events(&place).iter().any(|path| !files(path).is_empty());
        fs::canonicalize(top).ok() != here && (has_events() || !captures(&place).is_empty())
    });
    tops.sort();
    tops
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
