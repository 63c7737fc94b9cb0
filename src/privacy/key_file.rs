//! Where keys are kept: the user's own in a private file of the user's state folder, the team's in a
//! file that the user names.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::error::{Error, Result, shell_word, shown};
use crate::privacy::identity::{KEY_BYTES, Key, TeamKey};
use crate::privacy::private;
use crate::wording;

/// No team's key is longer.
const TEAM_FILE_BYTES_MAX: u64 = 4_096;

/// The file of the user's own key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyFile {
    folder: PathBuf,
}

impl KeyFile {
    /// The file in the user's folder for the state of this program.
    pub fn in_folder(state: &Path) -> KeyFile {
        KeyFile { folder: state.to_owned() }
    }

    /// Its path.
    pub fn path(&self) -> PathBuf {
        self.folder.join("identity.key")
    }

    /// The key; None where there is none.
    ///
    /// # Errors
    /// A link in its place, a file that others may read, or one that holds no key.
    pub fn load(&self) -> Result<Option<Key>> {
        let path = self.path();
        let bytes = private::read(&path).map_err(|error| Error::io("read", &path, &error))?;
        let Some(bytes) = bytes else { return Ok(None) };
        let refuse = |problem, fix| Error::Key { path: path.clone(), problem, fix };
        if fs::symlink_metadata(&path).is_ok_and(|meta| private::is_open(&meta, false)) {
            let file = shell_word(&shown(&path));
            let fix =
                format!("chmod 600 {file}; if others read it, log-usage consent identity rotate");
            return Err(refuse("can be read by others", fix));
        }
        match <[u8; KEY_BYTES]>::try_from(bytes) {
            Ok(bytes) => Ok(Some(Key::of(bytes))),
            Err(_) => {
                let fix = "log-usage consent identity rotate puts a new key there".to_owned();
                Err(refuse("holds no key", fix))
            }
        }
    }

    /// Keeps this key, unless there is one; gives the one that is kept, and whether it is new. Of two
    /// that begin at the same time both get the key of one.
    pub fn begin(&self, key: &Key) -> Result<(Key, bool)> {
        let path = self.path();
        let failed = |error: io::Error| Error::io("write", &path, &error);
        if private::write_new(&path, key.bytes()).map_err(failed)? {
            return Ok((key.clone(), true));
        }
        let there = self.load()?.map(|key| (key, false));
        there.ok_or_else(|| failed(io::Error::other("it was taken away meanwhile: try again")))
    }

    /// Keeps this key in the place of any other.
    pub fn replace(&self, key: &Key) -> Result<()> {
        let path = self.path();
        private::write(&path, key.bytes()).map_err(|error| Error::io("write", &path, &error))
    }

    /// Deletes the key, or a link in its place; whether there was one.
    pub fn forget(&self) -> Result<bool> {
        let path = self.path();
        match fs::remove_file(&path) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            Err(error) => Err(Error::io("delete", &path, &error)),
        }
    }
}

/// The user's settings for all repositories.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    team_key_file: Option<PathBuf>,
}

/// The file of the team's key that the user's settings at `path` name, relative to their folder; None
/// where they name none.
pub fn of_team(path: &Path) -> Result<Option<PathBuf>> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) => {
            return match error.kind() {
                ErrorKind::NotFound | ErrorKind::NotADirectory => Ok(None),
                _ => Err(Error::io("read", path, &error)),
            };
        }
    };
    let settings: Settings = toml::from_str(&text).map_err(|error| Error::Config {
        path: path.to_owned(),
        line: error.span().map(|span| text[..span.start].matches('\n').count() + 1),
        problem: {
            let key = error.span().and_then(|span| wording::key_of_line(&text, span.start));
            wording::plain(error.message(), key)
        },
    })?;
    let folder = path.parent().unwrap_or(Path::new("."));
    Ok(settings.team_key_file.map(|file| folder.join(file)))
}

/// The team's key in the file at `path`, which the user chose: links are followed. Whoever has a key
/// that lies in the repository could tell all pseudonyms in it.
///
/// # Errors
/// A file within `repository`, one that everybody may read, or one that holds no key.
pub fn team_key(path: &Path, repository: &Path) -> Result<TeamKey> {
    let refuse =
        |problem, fix: &str| Error::Key { path: path.to_owned(), problem, fix: fix.to_owned() };
    let failed = |error: io::Error| Error::io("read", path, &error);
    let file = fs::canonicalize(path).map_err(failed)?;
    if fs::canonicalize(repository).is_ok_and(|repository| file.starts_with(repository)) {
        return Err(refuse(
            "is a team's key within the repository",
            "move it out, make a new one, and never commit it",
        ));
    }
    let meta = fs::metadata(&file).map_err(failed)?;
    if !meta.is_file() {
        return Err(refuse("is no regular file", "name the file that holds the team's key"));
    }
    if private::is_open(&meta, true) {
        return Err(refuse(
            "is a team's key that everybody on this machine can read",
            "take the right from others (chmod o=); if others read it, make a new one",
        ));
    }
    if meta.len() > TEAM_FILE_BYTES_MAX {
        return Err(failed(io::Error::other("it is longer than 4096 bytes")));
    }
    let bytes = fs::read(&file).map_err(failed)?;
    TeamKey::read(&bytes).map_err(|problem| {
        refuse(problem, "make one with openssl rand -hex 32, and hand it to the members by hand")
    })
}
