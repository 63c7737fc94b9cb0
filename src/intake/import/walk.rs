//! Finds transcripts: files below folders, in one order on every machine.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::intake::import::mark::Mark;

/// Folders are not looked into deeper than this: a link that leads upwards has an end.
const DEPTH_MAX: usize = 12;

/// A file that may be a transcript.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// Where it is.
    pub path: PathBuf,
    /// How long it is.
    pub bytes: u64,
    /// When it was last changed.
    pub modified: SystemTime,
    /// Whether nobody can tell what is in it, not even whether it is a folder: to read it says why.
    pub is_closed: bool,
}

/// Files that are read together, or not at all: what one says changes what another means.
#[derive(Clone, Debug, Default)]
pub struct Group {
    /// Which one it is, of those that are read.
    pub number: usize,
    /// The files, the one that the others depend on first.
    pub files: Vec<File>,
    /// Where reading of the first one begins; None at its beginning.
    pub mark: Option<Mark>,
}

impl Group {
    /// How much there is to be read.
    pub fn bytes(&self) -> u64 {
        let all: u64 = self.files.iter().map(|file| file.bytes).sum();
        all.saturating_sub(self.mark.as_ref().map_or(0, |mark| mark.offset))
    }
}

impl File {
    /// The file at a path; None where there is none.
    pub fn at(path: &Path) -> Option<File> {
        match fs::metadata(path) {
            Ok(meta) if meta.is_file() => {
                let modified = meta.modified().unwrap_or(SystemTime::UNIX_EPOCH);
                let path = path.to_owned();
                Some(File { path, bytes: meta.len(), modified, is_closed: false })
            }
            Ok(_) => None,
            Err(error) => File::closed(path, &error),
        }
    }

    /// What could not be looked at; None where nothing is.
    fn closed(path: &Path, error: &io::Error) -> Option<File> {
        let modified = SystemTime::UNIX_EPOCH;
        let closed = || File { path: path.to_owned(), bytes: 0, modified, is_closed: true };
        (!is_absent(error)).then(closed)
    }

    /// Its name.
    pub fn name(&self) -> &str {
        self.path.file_name().and_then(|name| name.to_str()).unwrap_or_default()
    }

    /// Its name without what follows the first dot.
    pub fn stem(&self) -> &str {
        self.name().split('.').next().unwrap_or_default()
    }
}

fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

/// Whether it is a folder, or something that nobody can look at.
pub fn may_be_folder(path: &Path) -> bool {
    fs::metadata(path).map_or_else(|error| !is_absent(&error), |meta| meta.is_dir())
}

/// Every file below a folder with one of these endings, and what cannot be looked into; or the file
/// itself, whatever its name.
pub fn files(path: &Path, endings: &[&str]) -> Vec<File> {
    let mut found = Vec::new();
    match path.is_dir() {
        true => look_in(path, endings, 0, &mut found),
        false => found.extend(File::at(path)),
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

/// Every file in a folder itself with one of these endings.
pub fn files_in(folder: &Path, endings: &[&str]) -> Vec<File> {
    let mut found = Vec::new();
    look_in(folder, endings, DEPTH_MAX, &mut found);
    found
}

fn look_in(folder: &Path, endings: &[&str], depth: usize, found: &mut Vec<File>) {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) => return found.extend(File::closed(folder, &error)),
    };
    for entry in entries {
        let entry = match entry {
            Ok(entry) => entry,
            Err(error) => return found.extend(File::closed(folder, &error)),
        };
        let path = entry.path();
        match entry.file_type() {
            Ok(kind) if kind.is_dir() || kind.is_symlink() && may_be_folder(&path) => {
                if depth < DEPTH_MAX {
                    look_in(&path, endings, depth + 1, found);
                }
            }
            Ok(_) => {
                let name = entry.file_name();
                let name = name.to_string_lossy();
                if endings.iter().any(|ending| name.ends_with(ending)) {
                    found.extend(File::at(&path));
                }
            }
            Err(error) => found.extend(File::closed(&path, &error)),
        }
    }
}
