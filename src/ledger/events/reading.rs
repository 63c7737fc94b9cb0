//! Events read back: which files there are, line by line, and all in order of time.

use std::fs::{self, File};
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::str;

use hashbrown::HashSet;

use crate::error::{Error, Result};
use crate::event::id::Id;
use crate::event::{Dropped, Event};
use crate::ledger::events::tally;
use crate::workspace::Place;

/// A file with events.
#[derive(Debug)]
pub struct EventsFile {
    /// Where it is.
    pub path: PathBuf,
    /// What it is called in messages: its path below the ledger's folder.
    pub label: String,
    /// The one that is appended to, open since before the others were listed: what is sealed meanwhile
    /// is in it all the same.
    active: Option<File>,
}

impl EventsFile {
    /// Whether it is the one that is appended to.
    pub fn is_active(&self) -> bool {
        self.active.is_some()
    }
}

/// Every file with events once, oldest first.
///
/// # Errors
/// A folder that cannot be read, or a file that cannot be opened.
pub fn files(place: &Place) -> Result<Vec<EventsFile>> {
    let active = open_active(place)?;
    let mut files = sealed(place)?;
    // A rotation that was cut short leaves one file under two names, and one that goes on renames it.
    if let Some(active) = active
        && !files.iter().any(|file| is_same(&active, &file.path))
    {
        let path = place.active();
        let label = place.name().to_string_lossy().into_owned();
        files.push(EventsFile { path, label, active: Some(active) });
    }
    Ok(files)
}

/// The files that are appended to no more, oldest first.
///
/// # Errors
/// A folder that cannot be read.
pub fn sealed(place: &Place) -> Result<Vec<EventsFile>> {
    let folder = place.archive();
    let stem = place.stem().to_string_lossy();
    let mut files = Vec::new();
    let entries = match fs::read_dir(&folder) {
        Ok(entries) => entries,
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            return Ok(files);
        }
        Err(error) => return Err(Error::io("list", &folder, &error)),
    };
    for entry in entries {
        let path = entry.map_err(|error| Error::io("list", &folder, &error))?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let own = name.strip_prefix(&*stem).is_some_and(|rest| rest.starts_with('-'));
        // What a link leads to was not written here.
        if own && name.ends_with(place.extension()) && is_file(&path) {
            files.push(EventsFile { path, label: format!("{stem}/{name}"), active: None });
        }
    }
    // The names begin with the time of the first event.
    files.sort_by(|a, b| a.label.cmp(&b.label));
    Ok(files)
}

fn open_active(place: &Place) -> Result<Option<File>> {
    let path = place.active();
    if !is_file(&path) {
        return Ok(None);
    }
    match File::open(&path) {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::io("read", &path, &error)),
    }
}

fn is_file(path: &Path) -> bool {
    path.symlink_metadata().is_ok_and(|meta| meta.is_file())
}

/// Whether the open file bears this name.
#[cfg(unix)]
fn is_same(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let inode = |meta: fs::Metadata| (meta.dev(), meta.ino());
    let (open, named) = (file.metadata().map(inode), path.symlink_metadata().map(inode));
    matches!((open, named), (Ok(open), Ok(named)) if open == named)
}

/// Where nobody can tell, an event that stands in two files counts once all the same, by its id.
#[cfg(not(unix))]
fn is_same(_: &File, _: &Path) -> bool {
    false
}

/// What stands in a line of a file.
#[allow(
    clippy::large_enum_variant,
    reason = "there is one at a time, and it is nearly always an event"
)]
pub enum Line<'a> {
    /// An event.
    Event(Event),
    /// Something else, and why.
    Bad(&'a str),
}

/// Takes a line: its number, the first being 1; its bytes without the line end; what stands in it; and
/// whether it has a line end, which the last may lack.
pub type Found<'a> = dyn FnMut(u64, &[u8], Line<'_>, bool) + 'a;

/// Reads one file, line by line.
///
/// # Errors
/// A file that cannot be read.
pub fn read(file: &EventsFile, found: &mut Found<'_>) -> Result<()> {
    let mut bytes = Vec::new();
    let read = match file.active.as_ref() {
        Some(mut open) => open.read_to_end(&mut bytes),
        None => File::open(&file.path).and_then(|mut open| open.read_to_end(&mut bytes)),
    };
    match read {
        Ok(_) => {}
        // It was purged since it was listed.
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(Error::io("read", &file.path, &error)),
    }
    for (number, line) in (1..).zip(bytes.split_inclusive(|byte| *byte == b'\n')) {
        let (line, is_whole) = match line.strip_suffix(b"\n") {
            Some(line) => (line, true),
            None => (line, false),
        };
        let parsed = match str::from_utf8(line) {
            Ok(text) => Event::parse(text).map_err(|refused| refused.to_string()),
            Err(_) => Err("is not UTF-8".to_owned()),
        };
        match parsed {
            Ok(event) => found(number, line, Line::Event(event), is_whole),
            Err(why) => found(number, line, Line::Bad(&why), is_whole),
        }
    }
    Ok(())
}

/// All events of a place.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Events {
    /// In order of time, each once.
    pub events: Vec<Event>,
    /// Lines that cannot be read, as `file:line: what`.
    pub unreadable: Vec<String>,
    /// How many events were dropped and by no line are said to be.
    pub dropped: Dropped,
}

/// Reads all events, in order of time.
///
/// # Errors
/// A file or folder that cannot be read.
pub fn all(place: &Place) -> Result<Events> {
    let mut all = Events { dropped: tally::dropped(place)?, ..Events::default() };
    for file in files(place)? {
        let label = &file.label;
        read(&file, &mut |number, bytes, line, _| match line {
            Line::Event(event) => all.events.push(event),
            Line::Bad(_) if bytes.trim_ascii().is_empty() => {}
            Line::Bad(why) => all.unreadable.push(format!("{label}:{number}: {why}")),
        })?;
    }
    // Who writes it down later may have read the clock before.
    all.events.sort_by_key(|event| (event.at.instant(), event.id));
    let mut seen: HashSet<Id> = HashSet::with_capacity(all.events.len());
    all.events.retain(|event| seen.insert(event.id));
    Ok(all)
}
