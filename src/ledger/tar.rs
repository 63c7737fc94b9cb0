//! Files behind each other in one, as `tar` has them: made without anything of the machine, and read
//! so that every bit of what we wrote is looked at.

use std::fs::File;
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};

use ::tar::{Builder, EntryType, Header};

use crate::error::excerpt;
use crate::ledger::disk;

/// Everything begins at a multiple of it.
const BLOCK_BYTES: u64 = 512;

/// One file in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its name.
    pub name: String,
    /// Where its bytes begin.
    pub start: u64,
    /// How many they are.
    pub bytes: u64,
}

/// What stands before a file.
fn header(name: &str, bytes: u64) -> io::Result<Header> {
    let mut header = Header::new_ustar();
    header.set_path(name)?;
    header.set_entry_type(EntryType::Regular);
    header.set_size(bytes);
    header.set_mode(0o644);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_cksum();
    Ok(header)
}

/// Adds one file of so many bytes.
///
/// # Errors
/// Its name is too long, it has other bytes than was said, or the file system's.
pub fn put(
    out: &mut Builder<impl Write>,
    name: &str,
    bytes: u64,
    file: &mut dyn Read,
) -> io::Result<()> {
    let mut file = file.take(bytes);
    out.append(&header(name, bytes)?, &mut file)?;
    match file.limit() {
        0 => Ok(()),
        _ => Err(io::Error::new(ErrorKind::UnexpectedEof, "it ends too soon")),
    }
}

/// All files in it, and the first thing that is not as we write it.
///
/// # Errors
/// It cannot be read, or is no such file.
pub fn members(mut file: &File) -> io::Result<(Vec<Member>, Option<String>)> {
    let wrong = |what: String| io::Error::new(ErrorKind::InvalidData, what);
    let whole = file.metadata()?.len();
    let (mut members, mut fault, mut at) = (Vec::new(), None, 0);
    file.seek(SeekFrom::Start(0))?;
    for entry in ::tar::Archive::new(file).entries_with_seek()?.raw(true) {
        let entry = entry.map_err(|error| wrong(format!("{error}, at byte {at}")))?;
        let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let (start, bytes) = (entry.raw_file_position(), entry.size());
        let is_ours = |ours: Header| ours.as_bytes() == entry.header().as_bytes();
        if !header(&name, bytes).is_ok_and(is_ours) {
            fault.get_or_insert(format!("a header is not as log-usage writes it, at byte {at}"));
        }
        at = start + bytes.next_multiple_of(BLOCK_BYTES);
        if at > whole {
            return Err(wrong(format!("{} ends behind the end of the file", excerpt(&name))));
        }
        let padding = disk::read(file, start + bytes, at - start - bytes)?;
        if padding.iter().any(|byte| *byte != 0) {
            fault.get_or_insert(format!("something stands between files, before byte {at}"));
        }
        // Folders, links and the like are nothing of ours.
        if entry.header().entry_type().is_file() {
            members.push(Member { name, start, bytes });
        }
    }
    let end = disk::read(file, at, (whole - at).min(3 * BLOCK_BYTES))?;
    if end.len() < 2 * BLOCK_BYTES as usize {
        return Err(wrong(format!("it ends too soon, at byte {at}")));
    }
    if end.len() as u64 != 2 * BLOCK_BYTES || end.iter().any(|byte| *byte != 0) {
        fault.get_or_insert(format!("something follows its end, at byte {at}"));
    }
    Ok((members, fault))
}

/// The bytes of one file in it.
///
/// # Errors
/// The file system's.
pub fn open<'a>(file: &'a File, member: &Member) -> io::Result<impl Read + use<'a>> {
    let mut file = file;
    file.seek(SeekFrom::Start(member.start))?;
    Ok(file.take(member.bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_put_in_is_found_and_every_bit_counts() {
        let mut tar = Builder::new(Vec::new());
        let (long, files) = ("x".repeat(100), [("a.csv", 0), ("b.csv", 512), ("c", 7)]);
        for (name, size) in files.into_iter().chain([(long.as_str(), 600)]) {
            put(&mut tar, name, size, &mut io::repeat(b'y')).unwrap();
        }
        let bytes = tar.into_inner().unwrap();
        let on_disk = |bytes: &[u8]| {
            let mut file = tempfile::tempfile().unwrap();
            file.write_all(bytes).unwrap();
            file
        };
        let file = on_disk(&bytes);
        let (found, fault) = members(&file).unwrap();
        assert_eq!(fault, None);
        let names: Vec<(&str, u64)> = found.iter().map(|it| (&*it.name, it.bytes)).collect();
        assert_eq!(names, [("a.csv", 0), ("b.csv", 512), ("c", 7), (&*long, 600)]);
        let mut read = String::new();
        open(&file, &found[2]).unwrap().read_to_string(&mut read).unwrap();
        assert_eq!(read, "yyyyyyy");
        let is_content = |at: usize| {
            found.iter().any(|it| (it.start..it.start + it.bytes).contains(&(at as u64)))
        };
        for at in (0..bytes.len()).filter(|at| !is_content(*at)) {
            let mut damaged = bytes.clone();
            damaged[at] ^= 1 << (at % 8);
            let seen = members(&on_disk(&damaged));
            assert!(!matches!(seen, Ok((_, None))), "byte {at}: {seen:?}");
        }
        for cut in [1, 512, 1_024, 1_025, bytes.len() - 1] {
            let seen = members(&on_disk(&bytes[..bytes.len() - cut]));
            assert!(!matches!(seen, Ok((_, None))), "{cut}");
        }
        let mut tar = Builder::new(Vec::new());
        put(&mut tar, &"x".repeat(101), 0, &mut io::empty()).unwrap_err();
        put(&mut tar, "x", 5, &mut io::empty()).unwrap_err();
    }
}
