//! Single steps on the disk, each whole or failed; and what the file system knows of a file.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, BufWriter, ErrorKind, IntoInnerError, Write};
use std::path::Path;

use crate::error::{Error, Result};
use crate::workspace::Durability;

/// One write call takes at most 2 GiB; a single row never comes near it.
const WRITE_BYTES_MAX: usize = 1 << 30;

/// How a new file is made; a private one is for its owner alone from its first moment on.
#[cfg_attr(not(unix), allow(unused_variables, reason = "elsewhere a file has no mode"))]
pub(super) fn options(is_private: bool) -> OpenOptions {
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    if is_private {
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    }
    options
}

/// Whether the open file is what stands at the path itself, and no link leads to it. One that others
/// may read is closed to them.
pub(super) fn keep_private(file: &File, meta: &Metadata, path: &Path) -> io::Result<bool> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        if meta.permissions().mode() & 0o077 != 0 {
            file.set_permissions(fs::Permissions::from_mode(0o600))?;
        }
    }
    let _ = (file, meta);
    Ok(!path.is_symlink())
}

/// Writes the bytes by one call, whole or failed: what a short one left is cut back by the caller,
/// not continued.
pub(super) fn write(file: &mut File, bytes: &[u8]) -> io::Result<()> {
    for piece in bytes.chunks(WRITE_BYTES_MAX) {
        loop {
            match file.write(piece) {
                Ok(written) if written == piece.len() => break,
                Ok(_) => return Err(io::Error::other("it was cut short: no space left")),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
    Ok(())
}

/// Keeps a piece of a file beside what was kept before, each with a line end behind it.
pub(super) fn keep_aside(path: &Path, is_private: bool, piece: &[u8]) -> Result<()> {
    // A link that somebody committed may lead to any file.
    if path.is_symlink() {
        return Err(Error::NotAFile { path: path.to_owned() });
    }
    let keep = || -> io::Result<()> {
        let mut torn = options(is_private).create(true).append(true).open(path)?;
        torn.write_all(&[piece, b"\n"].concat())?;
        torn.sync_data()
    };
    keep().map_err(|error| Error::io("keep torn bytes in", path, &error))
}

/// Opens a file to read it; a pipe or a device would have no end.
pub(super) fn open(path: &Path) -> io::Result<File> {
    match fs::metadata(path)?.is_file() {
        true => File::open(path),
        false => Err(io::Error::new(ErrorKind::InvalidData, "it is no file")),
    }
}

/// Lets nobody read a new file who may not read what it was made of.
#[cfg_attr(not(unix), allow(unused_variables, reason = "elsewhere a file has no mode"))]
pub(super) fn narrow(new: &File, of: &fs::Permissions) -> io::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = new.metadata()?.permissions().mode() & of.mode();
        new.set_permissions(fs::Permissions::from_mode(mode & 0o7777))?;
    }
    Ok(())
}

/// Reads at most `bytes` bytes from `start` on: one call, where they are there.
pub fn read(file: &File, start: u64, bytes: u64) -> io::Result<Vec<u8>> {
    let mut window = vec![0; usize::try_from(bytes).unwrap_or(0)];
    let mut filled = 0;
    while filled < window.len() {
        match read_at(file, &mut window[filled..], start + filled as u64) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    window.truncate(filled);
    Ok(window)
}

/// One read at a position, whatever others read of the same file meanwhile.
#[cfg(unix)]
pub fn read_at(file: &File, buffer: &mut [u8], start: u64) -> io::Result<usize> {
    std::os::unix::fs::FileExt::read_at(file, buffer, start)
}

#[cfg(windows)]
pub fn read_at(file: &File, buffer: &mut [u8], start: u64) -> io::Result<usize> {
    std::os::windows::fs::FileExt::seek_read(file, buffer, start)
}

/// Waits until the file's bytes are on the disk. A failed sync is never tried again: the system may
/// have dropped the bytes and would call the second try a success.
pub(super) fn sync(file: &File, path: &Path, durability: Durability) -> Result<()> {
    match durability {
        Durability::None => Ok(()),
        Durability::Data => file.sync_data().map_err(|error| sync_failed(path, &error)),
    }
}

/// Waits until what was written to this file is on the disk.
///
/// # Errors
/// It may or may not be.
pub fn settle(path: &Path) -> Result<()> {
    let file = File::open(path).map_err(|error| sync_failed(path, &error))?;
    sync(&file, path, Durability::Data)
}

/// Waits until the folder's names are on the disk.
pub(super) fn sync_folder(folder: &Path, durability: Durability) -> Result<()> {
    if durability == Durability::None || cfg!(windows) {
        return Ok(());
    }
    let synced = File::open(folder).and_then(|folder| folder.sync_all());
    synced.map_err(|error| sync_failed(folder, &error))
}

/// Puts another file in the place of an old one, which is open: written under another name and on
/// the disk before it takes this one, so that there is always one of the two.
pub(super) fn replace(
    path: &Path,
    temp: &Path,
    old: Option<&File>,
    write: &mut dyn FnMut(&mut dyn Write) -> io::Result<()>,
) -> io::Result<()> {
    remove(temp)?;
    let file = OpenOptions::new().write(true).create_new(true).open(temp)?;
    if let Some(old) = old {
        file.set_permissions(old.metadata()?.permissions())?;
    }
    let mut new = BufWriter::with_capacity(1 << 16, file);
    write(&mut new)?;
    new.into_inner().map_err(IntoInnerError::into_error)?.sync_data()?;
    if old.is_some_and(|old| !is_at(old, path)) {
        remove(temp)?;
        return Err(replaced());
    }
    fs::rename(temp, path)
}

/// Gives a finished file its name, which no other file may have.
pub(super) fn put_new(temp: &Path, path: &Path) -> io::Result<()> {
    match fs::hard_link(temp, path) {
        Ok(()) => remove(temp).inspect_err(|_| drop(fs::remove_file(path))),
        Err(error) if knows_no_links(&error) => match fs::symlink_metadata(path) {
            Ok(_) => Err(ErrorKind::AlreadyExists.into()),
            Err(_) => fs::rename(temp, path),
        },
        Err(error) => Err(error),
    }
}

/// Whether the file system has no second names for files.
pub(super) fn knows_no_links(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::Unsupported | ErrorKind::PermissionDenied)
}

/// That a file is not the one that was looked at.
pub(super) fn replaced() -> io::Error {
    io::Error::other("git put another file in its place: try again")
}

/// Removes a file; one that is not there is gone already.
pub(super) fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Whether the open file is what the path names: git replaces files by unlinking them.
pub(super) fn is_at(file: &File, path: &Path) -> bool {
    file.metadata().map_or(true, |open| is_named(&open, path))
}

/// Whether the path still names this file. Where the file system does not answer, nothing says that
/// it was replaced.
#[cfg(unix)]
pub(super) fn is_named(open: &Metadata, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    match fs::metadata(path) {
        Ok(named) => (open.dev(), open.ino()) == (named.dev(), named.ino()),
        Err(error) => error.kind() != ErrorKind::NotFound,
    }
}

#[cfg(not(unix))]
pub(super) fn is_named(_: &Metadata, path: &Path) -> bool {
    fs::exists(path).unwrap_or(true)
}

/// How many names the file has.
#[cfg(unix)]
pub(super) fn link_count(meta: &Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::nlink(meta)
}

#[cfg(not(unix))]
pub(super) fn link_count(_: &Metadata) -> u64 {
    1
}

fn sync_failed(path: &Path, error: &io::Error) -> Error {
    Error::SyncFailed { path: path.to_owned(), reason: error.to_string() }
}
