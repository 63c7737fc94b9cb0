//! Files that are the user's alone, outside any repository: their folder is 0700, they are 0600, and
//! no link is followed to or from them.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::path::Path;

/// No such file of ours comes near it; what is larger is not ours.
const BYTES_MAX: u64 = 1 << 20;

/// What a link in their place is refused with.
const LINK: &str = "it is a link, and links are not followed here";

/// The file's bytes; None where there is none. Where there is none, this is a single call.
///
/// # Errors
/// A link, a folder, a pipe or a giant in its place, and whatever the system refuses.
pub fn read(path: &Path) -> io::Result<Option<Vec<u8>>> {
    let meta = match fs::symlink_metadata(path) {
        Ok(meta) => meta,
        Err(error) => {
            let is_none = match error.kind() {
                ErrorKind::NotFound | ErrorKind::NotADirectory => true,
                // A home that we may not even look into is somebody else's.
                ErrorKind::PermissionDenied => !path.parent().is_some_and(Path::is_dir),
                _ => false,
            };
            return if is_none { Ok(None) } else { Err(error) };
        }
    };
    let folder = path.parent().map(fs::symlink_metadata).transpose()?;
    if meta.is_symlink() || folder.is_some_and(|folder| folder.is_symlink()) {
        return Err(io::Error::other(LINK));
    }
    if !meta.is_file() || meta.len() > BYTES_MAX {
        return Err(io::Error::other("it is no file of ours"));
    }
    // To its end: another may have been put in its place since, and half of that could say less.
    let mut bytes = Vec::with_capacity(meta.len() as usize + 1);
    match File::open(path).and_then(|file| file.take(BYTES_MAX + 1).read_to_end(&mut bytes)) {
        Ok(_) if bytes.len() as u64 > BYTES_MAX => Err(io::Error::other("it is no file of ours")),
        Ok(_) => Ok(Some(bytes)),
        // Somebody took it away between the two calls.
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Puts the file in place whole, or leaves what is there; makes the folder where it is missing.
///
/// # Errors
/// A folder that is a link, and whatever the system refuses.
pub fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    make_folder(folder)?;
    let mut name = std::ffi::OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(format!(".tmp.{}", std::process::id()));
    let temp = folder.join(name);
    // One that a dead process of the same number left behind.
    let _ = fs::remove_file(&temp);
    let put = create(&temp).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&temp, path)
    });
    if put.is_err() {
        let _ = fs::remove_file(&temp);
    }
    put
}

/// Makes the folder, for its owner alone, where it is missing.
///
/// # Errors
/// A link in its place, and whatever the system refuses.
pub fn make_folder(folder: &Path) -> io::Result<()> {
    match fs::symlink_metadata(folder) {
        Ok(meta) if meta.is_symlink() => return Err(io::Error::other(LINK)),
        Ok(meta) => return close_to_others(folder, &meta),
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    if let Some(parent) = folder.parent() {
        fs::create_dir_all(parent)?;
    }
    match builder().create(folder) {
        // Somebody was faster.
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        made => made,
    }
}

/// Puts the file in place whole, unless the name is taken, be it by a link; whether it did.
///
/// # Errors
/// A folder that is a link, and whatever the system refuses.
pub fn write_new(path: &Path, bytes: &[u8]) -> io::Result<bool> {
    let folder = path.parent().unwrap_or(Path::new("."));
    make_folder(folder)?;
    // The crate makes its files for their owner alone.
    let mut file = tempfile::Builder::new().prefix(".key").suffix(".tmp.").tempfile_in(folder)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    match file.persist_noclobber(path) {
        Ok(_) => Ok(true),
        Err(error) if error.error.kind() == ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(error.error),
    }
}

/// Whether others than its owner, or with `is_group_trusted` than its group, may read the file.
#[cfg(unix)]
pub fn is_open(meta: &fs::Metadata, is_group_trusted: bool) -> bool {
    use std::os::unix::fs::PermissionsExt;
    meta.permissions().mode() & if is_group_trusted { 0o007 } else { 0o077 } != 0
}

/// Elsewhere a user's folders are the user's alone by the system's rules.
#[cfg(not(unix))]
pub fn is_open(_: &fs::Metadata, _: bool) -> bool {
    false
}

/// A new file, for its owner alone; an error if the name is taken, be it by a link.
pub fn create(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

#[allow(unused_mut, reason = "elsewhere a folder has no mode")]
fn builder() -> DirBuilder {
    let mut builder = DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder
}

#[cfg(unix)]
fn close_to_others(folder: &Path, meta: &fs::Metadata) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    match meta.permissions().mode() & 0o077 {
        0 => Ok(()),
        _ => fs::set_permissions(folder, fs::Permissions::from_mode(0o700)),
    }
}

#[cfg(not(unix))]
fn close_to_others(_: &Path, _: &fs::Metadata) -> io::Result<()> {
    Ok(())
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use super::*;

    use std::os::unix::fs::{PermissionsExt, symlink};

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn files_are_their_owners_alone() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("config/usage-ledger/consent.toml");
        assert_eq!(read(&path).unwrap(), None);
        write(&path, b"one").unwrap();
        let folder = path.parent().unwrap();
        assert_eq!((mode(folder), mode(&path)), (0o700, 0o600));
        fs::set_permissions(folder, fs::Permissions::from_mode(0o755)).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        write(&path, b"two").unwrap();
        assert_eq!((mode(folder), mode(&path)), (0o700, 0o600));
        assert_eq!(read(&path).unwrap().unwrap(), b"two");
        assert_eq!(fs::read_dir(folder).unwrap().count(), 1, "nothing is left beside it");
    }

    /// Whoever reads while it is replaced has the one or the other.
    #[test]
    fn what_is_replaced_meanwhile_is_read_whole() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("usage-ledger/consent.toml");
        let both = [vec![b'a'; 10], vec![b'b'; 9_000]];
        write(&path, &both[0]).unwrap();
        std::thread::scope(|scope| {
            let writer = scope.spawn(|| {
                (0..200).for_each(|round| write(&path, &both[round % 2]).unwrap());
            });
            while !writer.is_finished() {
                assert!(both.contains(&read(&path).unwrap().unwrap()));
            }
        });
    }

    #[test]
    fn a_new_file_takes_no_others_place() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("usage-ledger");
        let (path, link) = (folder.join("key"), folder.join("link"));
        assert!(write_new(&path, b"one").unwrap());
        assert!(!write_new(&path, b"two").unwrap());
        symlink(root.path().join("nothing"), &link).unwrap();
        assert!(!write_new(&link, b"two").unwrap());
        assert!(create(&link).is_err() && create(&path).is_err());
        assert_eq!((read(&path).unwrap().unwrap().as_slice(), mode(&path)), (&b"one"[..], 0o600));
        assert!(!is_open(&fs::metadata(&path).unwrap(), false));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        let meta = fs::metadata(&path).unwrap();
        assert!(is_open(&meta, false) && !is_open(&meta, true));
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 2, "nothing is left beside them");
        assert!(!root.path().join("nothing").exists());
    }

    #[test]
    fn no_link_is_followed() {
        let root = tempfile::tempdir().unwrap();
        let (victim, folder) = (root.path().join("victim"), root.path().join("usage-ledger"));
        fs::write(&victim, "theirs").unwrap();
        fs::create_dir(&folder).unwrap();
        let path = folder.join("consent.toml");
        symlink(&victim, &path).unwrap();
        assert!(read(&path).unwrap_err().to_string().contains("link"));
        write(&path, b"ours").unwrap();
        assert_eq!(fs::read(&victim).unwrap(), b"theirs");
        assert_eq!(read(&path).unwrap().unwrap(), b"ours");
        let linked = root.path().join("linked");
        symlink(&folder, &linked).unwrap();
        assert!(read(&linked.join("consent.toml")).unwrap_err().to_string().contains("link"));
        assert!(write(&linked.join("consent.toml"), b"x").is_err());
        assert_eq!(read(&path).unwrap().unwrap(), b"ours");
    }
}
