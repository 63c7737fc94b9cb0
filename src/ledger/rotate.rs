//! Rotation: the active segment is sealed into `archive/` and a new one takes its place. There is no
//! moment without a ledger, and one with two names is a rotation that was cut short.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::ledger::disk;
use crate::ledger::gzip;
use crate::ledger::tail::Format;
use crate::privacy::private;
use crate::workspace::{Durability, Place};

/// A rotation about to happen.
pub(super) struct Rotation<'a> {
    pub(super) place: &'a Place,
    pub(super) format: &'a Format,
    pub(super) durability: Durability,
    /// The active segment's path, links resolved.
    pub(super) path: &'a Path,
    /// The same, open.
    pub(super) file: &'a File,
    /// Its first row, by which it is named.
    pub(super) first_row: &'a [u8],
    /// Whether it was sealed already, by a rotation that was cut short.
    pub(super) is_sealed: bool,
}

/// Clears away the temporary files of a rotation that was cut short. Their rows were never
/// acknowledged. Whether there were any.
pub(super) fn clear(place: &Place) -> Result<bool> {
    let fail = |error: io::Error| Error::io("clear away", &place.temp(0), &error);
    let stem = place.temp_stem();
    let mut were_any = false;
    for entry in fs::read_dir(place.folder()).map_err(fail)? {
        let entry = entry.map_err(fail)?;
        if entry.file_name().as_encoded_bytes().starts_with(stem.as_encoded_bytes()) {
            disk::remove(&entry.path()).map_err(fail)?;
            were_any = true;
        }
    }
    Ok(were_any)
}

/// How a rotation ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Rotated {
    /// This many segments were sealed.
    Sealed(usize),
    /// git put another file in the ledger's place; nothing was changed.
    Replaced,
}

impl Rotation<'_> {
    /// Seals the active segment, and puts files with these lines in its place: the last becomes the
    /// active segment, those before it are sealed too.
    ///
    /// # Errors
    /// Any but [`Error::SyncFailed`] means that nothing has changed.
    pub(super) fn run(&self, parts: &[&[u8]]) -> Result<Rotated> {
        let temps: Vec<PathBuf> = (0..parts.len()).map(|at| self.place.temp(at)).collect();
        let prepared =
            temps.iter().zip(parts).try_for_each(|(temp, part)| self.prepare(temp, part));
        let rotated = prepared.and_then(|()| self.seal(&temps, parts));
        if !matches!(rotated, Ok(Rotated::Sealed(_)) | Err(Error::SyncFailed { .. })) {
            // What cannot be removed now is removed by the next append.
            temps.iter().for_each(|temp| drop(disk::remove(temp)));
        }
        rotated
    }

    fn prepare(&self, temp: &Path, part: &[u8]) -> Result<()> {
        let bytes = [&self.format.head(), part].concat();
        let write = || -> io::Result<File> {
            // What stands there may be a second name of a segment, so it is never written to.
            disk::remove(temp)?;
            let mut options = disk::options(self.format.is_private);
            let mut file = options.write(true).create_new(true).open(temp)?;
            file.set_permissions(self.file.metadata()?.permissions())?;
            disk::write(&mut file, &bytes)?;
            Ok(file)
        };
        let file = write().map_err(|error| Error::io("write", temp, &error))?;
        // Nothing points to the file yet, so a failed sync means that nothing has changed.
        disk::sync(&file, temp, self.durability).map_err(|error| match error {
            Error::SyncFailed { path, reason } => Error::Io { action: "sync", path, reason },
            other => other,
        })
    }

    fn seal(&self, temps: &[PathBuf], parts: &[&[u8]]) -> Result<Rotated> {
        let archive = self.place.archive();
        let made = match self.format.is_private {
            true => private::make_folder(&archive).map(|()| false),
            false => fs::create_dir(&archive).map(|()| true),
        };
        let is_made = match made {
            Ok(is_made) => is_made,
            Err(error) if error.kind() == ErrorKind::AlreadyExists => false,
            Err(error) => return Err(Error::io("make the folder", &archive, &error)),
        };
        let mut moves = Moves::default();
        match self.move_all(temps, parts, &mut moves) {
            Ok(true) => {
                disk::sync_folder(&archive, self.durability)?;
                disk::sync_folder(self.place.folder(), self.durability)?;
                return Ok(Rotated::Sealed(parts.len()));
            }
            Ok(false) => moves.undo(),
            Err((path, error)) => {
                moves.undo();
                if is_made {
                    let _ = fs::remove_dir(&archive);
                }
                return Err(Error::io("rotate", &path, &error));
            }
        }
        Ok(Rotated::Replaced)
    }

    /// False where another file stands in the ledger's place.
    fn move_all(
        &self,
        temps: &[PathBuf],
        parts: &[&[u8]],
        moves: &mut Moves,
    ) -> Result<bool, (PathBuf, io::Error)> {
        let fail = |path: &Path| {
            let path = path.to_owned();
            move |error| (path, error)
        };
        let Some((last, middle)) = temps.split_last() else { return Ok(true) };
        if !self.is_sealed {
            let segment = self.free_name(self.first_row);
            moves.link(self.path, &segment).map_err(fail(&segment))?;
            if !disk::is_at(self.file, &segment) {
                return Ok(false);
            }
        }
        for (temp, part) in middle.iter().zip(parts) {
            let first_row = part.split(|b| *b == b'\n').next().unwrap_or_default();
            let segment = self.free_name(first_row);
            moves.link(temp, &segment).map_err(fail(&segment))?;
            disk::remove(temp).map_err(fail(temp))?;
        }
        // git may have switched to another branch's ledger since this one was looked at.
        if !disk::is_at(self.file, self.path) && self.path.exists() {
            return Ok(false);
        }
        fs::rename(last, self.path).map_err(fail(last))?;
        Ok(true)
    }

    /// The first free name for a segment that begins with this row.
    fn free_name(&self, first_row: &[u8]) -> PathBuf {
        let is_free = |path: &PathBuf| !is_taken(path);
        names(self.place, self.format, first_row).find(is_free).unwrap_or_default()
    }
}

/// Whether a rotation that was cut short has already sealed this file.
pub(super) fn is_sealed(place: &Place, format: &Format, file: &File, first_row: &[u8]) -> bool {
    names(place, format, first_row)
        .take_while(|path| is_taken(path))
        .any(|path| disk::is_at(file, &path))
}

/// Whether a segment has this name, or had it until it was compressed.
fn is_taken(path: &Path) -> bool {
    let is_there = |path: &Path| fs::symlink_metadata(path).is_ok();
    is_there(path) || is_there(&gzip::compressed(path))
}

/// The same, whatever the file's first row: whether one of the segments is this very file.
pub(super) fn is_in_archive(place: &Place, file: &File) -> bool {
    let segments = fs::read_dir(place.archive()).into_iter().flatten().flatten();
    segments.map(|entry| entry.path()).any(|path| disk::is_at(file, &path))
}

/// The names that a segment with this first row may have, in the order in which they are tried.
fn names(place: &Place, format: &Format, first_row: &[u8]) -> impl Iterator<Item = PathBuf> {
    let mut base = place.stem().to_owned();
    base.push("-");
    base.push((format.seal)(first_row));
    let archive = place.archive();
    (1u64..).map(move |number| {
        let mut name = base.clone();
        if number > 1 {
            name.push(format!("-{number}"));
        }
        name.push(place.extension());
        archive.join(name)
    })
}

/// The names that a rotation has given, so that a failure in its middle leaves no trace.
#[derive(Default)]
struct Moves {
    made: Vec<(PathBuf, PathBuf, bool)>,
}

impl Moves {
    /// Gives the file a second name; where the file system knows no links, renames it.
    fn link(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        let is_rename = match fs::hard_link(from, to) {
            Ok(()) => false,
            Err(error) if disk::knows_no_links(&error) => {
                fs::rename(from, to)?;
                true
            }
            Err(error) => return Err(error),
        };
        self.made.push((from.to_owned(), to.to_owned(), is_rename));
        Ok(())
    }

    fn undo(&self) {
        for (from, to, is_rename) in self.made.iter().rev() {
            let _ = match is_rename {
                true => fs::rename(to, from),
                false => fs::remove_file(to),
            };
        }
    }
}
