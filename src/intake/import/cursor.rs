//! What need not be read again: transcripts that did not change since all their rows came into the
//! ledger. It stands in the user's state, and only saves work: the ledger itself says what is there.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use crate::intake::import::open::READS_COMPRESSED;
use crate::intake::import::reading::hash;
use crate::intake::import::walk::{File, Group};
use crate::row::line_hash;

/// Raised whenever transcripts would be read otherwise.
const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), "/1");

/// A ledger's cursor is named by so many bytes of its path's SHA-256, in hex.
const NAME_BYTES: usize = 8;

/// File systems tell times by ticks of at most two seconds: what was changed within one is not
/// known to be the same.
const TICK: Duration = Duration::from_secs(2);

/// What is known of one group of files.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Known {
    /// What the files looked like.
    files: Vec<(u64, u64, u64)>,
    /// The responses that are counted in it.
    pub responses: Vec<u64>,
    /// The rows that were made of it.
    pub rows: Vec<u64>,
    /// How many sessions of ours are in it.
    pub sessions: u64,
    /// How many turns of ours.
    pub turns: u64,
    /// How many turns of other folders.
    pub elsewhere: u64,
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
    /// What is to be known of these files; None while one of them may still be changing.
    pub fn of(group: &Group, now: SystemTime) -> Option<Known> {
        let settled = now.checked_sub(TICK)?;
        // What this build cannot read is to be said again, and to be read by another build.
        let is_read = |file: &File| match file.path.extension() {
            Some(it) if it == "zst" => READS_COMPRESSED,
            Some(it) if it == "db" => cfg!(feature = "sqlite"),
            _ => true,
        };
        let is_settled = group.files.iter().all(|file| file.modified < settled && is_read(file));
        is_settled.then(|| Known { files: looks(group), ..Known::default() })
    }
}

fn looks(group: &Group) -> Vec<(u64, u64, u64)> {
    let look = group.files.iter().map(|file| {
        let since = file.modified.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let path = hash(&[&file.path.to_string_lossy()]);
        (path, file.bytes, since.as_nanos() as u64)
    });
    look.collect()
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
            postcard::from_bytes::<Cursor>(&fs::read(path).ok()?).ok()
        };
        let is_ours = |it: &Cursor| it.version == VERSION && it.of == of;
        kept().filter(is_ours).unwrap_or_else(|| Cursor::empty(of))
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

    /// What is known of these files, if they are as they were.
    pub fn find(&self, source: &str, group: &Group) -> Option<&Known> {
        let looks = looks(group);
        self.groups.iter().find(|(name, it)| name == source && it.files == looks).map(|(_, it)| it)
    }

    /// Notes what is known of these sources, and forgets what was.
    pub fn replace(&mut self, sources: &[&str], known: Vec<(&'static str, Known)>) {
        self.groups.retain(|(name, _)| !sources.contains(&name.as_str()));
        self.groups.extend(known.into_iter().map(|(name, it)| (name.to_owned(), it)));
    }
}
