//! Which files a ledger consists of, in the order of its history.

use std::fs;
use std::io::{self, ErrorKind, Read};
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::ledger::gzip;
use crate::workspace::Place;

/// The folder of the sealed segments, below the ledger's.
const ARCHIVE: &str = "archive/";

/// What part a file plays in its ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// `usage_backup_*.csv`, left by the shell script that this program replaces.
    Backup,
    /// A sealed segment in `archive/`.
    Sealed,
    /// A fragment in `usage.d/`.
    Fragment,
    /// The file that rows are appended to.
    Active,
}

/// One file of a ledger; [`gzip::open`] reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LedgerFile {
    /// Where it is.
    pub path: PathBuf,
    /// What it is called in reports: its path below the ledger's folder.
    pub label: String,
    /// The part it plays.
    pub role: Role,
}

impl LedgerFile {
    /// Its name without its folder.
    pub fn name(&self) -> &str {
        self.label.rsplit('/').next().unwrap_or_default()
    }
}

/// All files of the ledger but the active one, oldest first.
///
/// # Errors
/// A folder that exists but cannot be read.
pub fn older(place: &Place) -> Result<Vec<LedgerFile>> {
    let mut files = Vec::new();
    let stem = place.stem().to_string_lossy().into_owned();
    list(place, place.folder(), "", &mut files)?;
    list(place, &place.archive(), ARCHIVE, &mut files)?;
    list(place, &place.fragments(), &format!("{stem}.d/"), &mut files)?;
    files.sort_by(|a, b| (a.role, &a.label).cmp(&(b.role, &b.label)));
    // Names tell the second; segments of one second are told apart by a hash, which is no order.
    let end = ARCHIVE.len() + stem.len() + "-20260223T221928Z".len();
    let second = |file: &LedgerFile| (file.role, file.label.get(..end).map(str::to_owned));
    for together in files.chunk_by_mut(|a, b| second(a) == second(b)) {
        if together.len() > 1 {
            together.sort_by_cached_key(|file| (first_stamp(&file.path), file.label.clone()));
        }
    }
    Ok(files)
}

/// The part that a file plays in the ledger, by its path below the ledger's folder; None if it is
/// not the ledger's.
pub fn role(place: &Place, path: &str) -> Option<Role> {
    let stem = place.stem().to_string_lossy();
    if *place.name() == *path {
        return Some(Role::Active);
    }
    let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
    if name.starts_with('.') || !gzip::plain_name(name).ends_with(".csv") {
        return None;
    }
    let own = name.strip_prefix(&*stem);
    match folder {
        "archive" => {
            let seal = own.and_then(|rest| gzip::plain_name(rest).strip_prefix('-'));
            seal.is_some_and(is_seal).then_some(Role::Sealed)
        }
        // Only sealed segments are compressed.
        _ if gzip::is_compressed(name.as_ref()) => None,
        "" => own.is_some_and(|rest| rest.starts_with("_backup_")).then_some(Role::Backup),
        _ => (folder.strip_suffix(".d") == Some(&*stem)).then_some(Role::Fragment),
    }
}

/// Where the names of the ledger's files begin, below its folder: what git is to look at.
pub fn beginnings(place: &Place) -> [String; 4] {
    let (name, stem) = (place.name().to_string_lossy(), place.stem().to_string_lossy());
    [
        name.into_owned(),
        format!("{ARCHIVE}{stem}-"),
        format!("{stem}.d/"),
        format!("{stem}_backup_"),
    ]
}

/// The timestamp of the first row. Segments of one second were written by one clock, in one offset,
/// so that their text is in order.
fn first_stamp(path: &Path) -> String {
    let mut head = Vec::new();
    // A file that cannot be read is told of where it is.
    let _ = gzip::open(path).and_then(|text| text.take(256).read_to_end(&mut head));
    let text = String::from_utf8_lossy(&head).into_owned();
    let row = text.lines().nth(1).unwrap_or_default();
    // Whole seconds stand before their fractions.
    row.split(',').next().unwrap_or_default().replace(['Z', '+'], " ")
}

/// Whether two paths are names of one file.
#[cfg(unix)]
pub fn is_same(one: &Path, other: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let inode = |path: &Path| path.metadata().map(|meta| (meta.dev(), meta.ino())).ok();
    inode(one).is_some() && inode(one) == inode(other)
}

#[cfg(not(unix))]
pub fn is_same(one: &Path, other: &Path) -> bool {
    one == other
}

/// The active segment as a file of its ledger.
pub fn active(place: &Place) -> LedgerFile {
    let path = place.active();
    let label = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    LedgerFile { path, label, role: Role::Active }
}

/// Every file of the ledger once, oldest first.
///
/// # Errors
/// A folder that cannot be read, or something in the ledger's place that is no file.
pub fn all(place: &Place) -> Result<Vec<LedgerFile>> {
    let active = active(place);
    let mut all = older(place)?;
    match active.path.metadata() {
        Ok(meta) if !meta.is_file() => return Err(Error::NotAFile { path: active.path }),
        Ok(_) if !all.iter().any(|file| is_also(file, &active)) => all.push(active),
        Err(error) if !matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            return Err(Error::io("look at", &active.path, &error));
        }
        _ => {}
    }
    Ok(all)
}

/// Whether a sealed segment is also the active one: a rotation was cut short.
pub fn is_also(segment: &LedgerFile, active: &LedgerFile) -> bool {
    segment.role == Role::Sealed && is_same(&segment.path, &active.path)
}

/// Whether this is what follows the ledger's name in a sealed segment's:
/// `YYYYMMDDTHHMMSSZ-<8 hex>`, perhaps `-2`, then `.csv`. So ledgers named `usage.csv` and
/// `usage-2.csv` can share a folder.
fn is_seal(rest: &str) -> bool {
    let shape = b"ddddddddTddddddZ-hhhhhhhh";
    let Some(rest) = rest.strip_suffix(".csv") else { return false };
    let Some((seal, number)) = rest.split_at_checked(shape.len()) else { return false };
    let fits = shape.iter().zip(seal.bytes()).all(|(shape, byte)| match shape {
        b'd' => byte.is_ascii_digit(),
        b'h' => byte.is_ascii_hexdigit(),
        other => byte == *other,
    });
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    fits && (number.is_empty() || number.strip_prefix('-').is_some_and(is_number))
}

/// Whether a segment of some ledger is called so.
pub fn is_sealed(name: &str) -> bool {
    let plain = gzip::plain_name(name);
    plain.match_indices('-').any(|(at, _)| at > 0 && is_seal(&plain[at + 1..]))
}

/// Lists the older files in this folder, which is called `prefix` below the ledger's.
fn list(place: &Place, folder: &Path, prefix: &str, files: &mut Vec<LedgerFile>) -> Result<()> {
    let fail = |error: &io::Error| Error::io("list", folder, error);
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            return Ok(());
        }
        Err(error) => return Err(fail(&error)),
    };
    for entry in entries {
        let path = entry.map_err(|error| fail(&error))?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let label = format!("{prefix}{name}");
        if let Some(role) = role(place, &label).filter(|role| *role != Role::Active)
            && path.is_file()
        {
            files.push(LedgerFile { path, label, role });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_the_ledgers_by_its_path() {
        let place = Place::of_file(Path::new("/x/usage.csv")).unwrap();
        for (path, expected) in [
            ("usage.csv", Some(Role::Active)),
            ("archive/usage-20260223T221928Z-0123abcd.csv", Some(Role::Sealed)),
            ("archive/usage-2-20260223T221928Z-0123abcd.csv", None),
            ("archive/usage.csv", None),
            ("usage.d/20260223-0123456789abcdef.csv", Some(Role::Fragment)),
            ("usage.d/.tmp.csv", None),
            ("usage.d/deep/er.csv", None),
            ("usage_backup_20260101.csv", Some(Role::Backup)),
            ("deep/usage_backup_20260101.csv", None),
            ("prices.csv", None),
            ("usage.csv.torn", None),
        ] {
            assert_eq!(role(&place, path), expected, "{path}");
            let may_begin = beginnings(&place).iter().any(|it| path.starts_with(it));
            assert!(expected.is_none() || may_begin, "{path}");
        }
    }

    #[test]
    fn a_seal_is_a_time_and_a_hash() {
        for good in ["20260223T221928Z-0123abcd.csv", "20260223T221928Z-0123abcd-12.csv"] {
            assert!(is_seal(good), "{good}");
        }
        for bad in [
            "2-20260223T221928Z-0123abcd.csv",
            "20260223T221928Z-0123abcd",
            "old.csv",
            "20260223T221928Z-0123abcd-.csv",
            "20260223T221928Z-0123abcx.csv",
            "ä.csv",
        ] {
            assert!(!is_seal(bad), "{bad}");
        }
    }
}
