//! What need not be read again: transcripts that did not change since all their rows came into the
//! ledger, and of those that grew what stands before their last turn. It stands in the user's state, and
//! only saves work: the ledger itself says what is there.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use crate::intake::import::mark::{Mark, look_before};
use crate::intake::import::open::READS_COMPRESSED;
use crate::intake::import::reading::hash;
use crate::intake::import::walk::{File, Group};
use crate::row::line_hash;

/// Raised whenever transcripts would be read otherwise.
const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), "/3");

/// A ledger's cursor is named by so many bytes of its path's SHA-256, in hex.
const NAME_BYTES: usize = 8;

/// File systems tell times by ticks of at most two seconds: what was changed within one is not
/// known to be the same.
const TICK: Duration = Duration::from_secs(2);

/// What was found in a part of a group of files.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// The responses that are counted in it, and how its turns begin.
    pub responses: Vec<u64>,
    /// The rows that were made of it.
    pub rows: Vec<u64>,
    /// The tags of its sessions.
    pub sessions: Vec<String>,
    /// How many turns of ours are in it.
    pub turns: u64,
    /// How many turns of other folders.
    pub elsewhere: u64,
}

/// What is known of one group of files.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Known {
    /// What the files looked like.
    files: Vec<(u64, u64, u64)>,
    /// Whether all turns are finished and the files do not change: then nothing is read again.
    pub is_done: bool,
    /// The turns before the last one.
    pub settled: Part,
    /// The last turn of the first file, or all of them where reading cannot begin with it.
    pub last: Part,
    /// Where reading may begin.
    pub mark: Option<Mark>,
    /// What stands before it, as far as it is looked at.
    before: String,
}

/// What is known, by source.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursor {
    version: String,
    /// What else the rows depend on.
    of: String,
    groups: Vec<(String, Known)>,
}

impl Known {
    /// What is to be known of these files; not that they are done while one may still be changing.
    pub fn of(group: &Group, now: SystemTime) -> Known {
        // What this build cannot read is to be said again, and to be read by another build.
        let is_read = |file: &File| match file.path.extension() {
            Some(it) if it == "zst" => READS_COMPRESSED,
            Some(it) if it == "db" => cfg!(feature = "sqlite"),
            _ => !file.is_closed,
        };
        let settled = now.checked_sub(TICK);
        let is_settled =
            |file: &File| settled.is_some_and(|settled| file.modified < settled) && is_read(file);
        let is_done = group.files.iter().all(is_settled);
        Known { files: looks(group), is_done, ..Known::default() }
    }

    /// Notes where reading may begin the next time.
    pub fn set_mark(&mut self, mark: Mark, file: &Path) {
        if let Ok(before) = look_before(file, mark.offset) {
            (self.mark, self.before) = (Some(mark), before);
        }
    }

    /// A turn in it goes on: it is read again.
    pub fn wait(&mut self, is_last: bool) {
        self.is_done = false;
        if !is_last {
            self.mark = None;
        }
    }

    /// The part that a turn is in.
    pub fn part(&mut self, is_last: bool) -> &mut Part {
        if is_last { &mut self.last } else { &mut self.settled }
    }

    /// Whether nothing of these files changed.
    pub fn is_of(&self, group: &Group) -> bool {
        self.is_done && self.files == looks(group)
    }

    /// Where reading may begin, if the first of these files only grew.
    pub fn mark_in(&self, group: &Group) -> Option<&Mark> {
        let (mark, main) = (self.mark.as_ref()?, group.files.first()?);
        let is_longer = main.bytes >= self.files.first()?.1 && main.bytes >= mark.offset;
        let is_same = || look_before(&main.path, mark.offset).is_ok_and(|it| it == self.before);
        (is_longer && is_same()).then_some(mark)
    }

    /// Whether one of the files is as it was.
    pub fn has_same(&self, file: &File) -> bool {
        self.files.contains(&look(file))
    }
}

fn looks(group: &Group) -> Vec<(u64, u64, u64)> {
    group.files.iter().map(look).collect()
}

fn look(file: &File) -> (u64, u64, u64) {
    let since = file.modified.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let path = hash(&[&file.path.to_string_lossy()]);
    (path, file.bytes, since.as_nanos() as u64)
}

impl Cursor {
    /// Nothing known yet. `of` says what the rows depend on besides the files.
    pub fn empty(of: &str) -> Cursor {
        Cursor { version: VERSION.to_owned(), of: of.to_owned(), groups: Vec::new() }
    }

    /// Where the cursor of a ledger stands in the folder of the user's state.
    pub fn path(state: &Path, ledger: &Path) -> PathBuf {
        let name = line_hash(ledger.as_os_str().as_encoded_bytes(), NAME_BYTES);
        state.join("import").join(name)
    }

    /// Reads it: what is missing, damaged, or of other rows counts as nothing known.
    pub fn load(path: &Path, of: &str) -> Cursor {
        let kept = || {
            // A pipe in its place would block.
            fs::metadata(path).ok().filter(fs::Metadata::is_file)?;
            Cursor::read(&fs::read(path).ok()?)
        };
        kept().filter(|it| it.of == of).unwrap_or_else(|| Cursor::empty(of))
    }

    /// Reads the bytes of one; None if they are damaged, or of another version.
    pub fn read(bytes: &[u8]) -> Option<Cursor> {
        postcard::from_bytes(bytes).ok().filter(|it: &Cursor| it.version == VERSION)
    }

    /// Keeps it; false if that is not possible.
    pub fn keep(&self, path: &Path) -> bool {
        let keep = || -> io::Result<()> {
            let folder = path.parent().unwrap_or(path);
            fs::create_dir_all(folder)?;
            let bytes = postcard::to_stdvec(self).map_err(io::Error::other)?;
            let mut file = tempfile::NamedTempFile::new_in(folder)?;
            file.write_all(&bytes)?;
            file.persist(path)?;
            Ok(())
        };
        keep().is_ok()
    }

    /// What is known of the group of files that begins with the same one.
    pub fn find(&self, source: &str, group: &Group) -> Option<&Known> {
        let (path, ..) = look(group.files.first()?);
        let is_it = |it: &Known| it.files.first().is_some_and(|file| file.0 == path);
        self.groups.iter().find(|(name, it)| name == source && is_it(it)).map(|(_, it)| it)
    }

    /// Notes what is known of these sources, and forgets what was.
    pub fn replace(&mut self, sources: &[&str], known: Vec<(&'static str, Known)>) {
        self.groups.retain(|(name, _)| !sources.contains(&name.as_str()));
        self.groups.extend(known.into_iter().map(|(name, it)| (name.to_owned(), it)));
    }
}
