//! Files behind each other in one, as `tar` has them: made without anything of the machine, and read
//! so that every bit of what we wrote is looked at.

use std::fs::File;
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};

use crate::ledger::disk;

/// Everything begins at a multiple of it.
const BLOCK_BYTES: u64 = 512;

/// So long a name fits into the oldest form, which every program reads.
pub const NAME_BYTES_MAX: usize = 100;

/// So many octal digits tell a size: up to 8 GiB.
const SIZE_DIGITS: usize = 11;

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

/// The block before a file; None for a name or a size that does not fit.
fn header(name: &str, bytes: u64) -> Option<[u8; BLOCK_BYTES as usize]> {
    let mut block = [0; BLOCK_BYTES as usize];
    let size = format!("{bytes:0SIZE_DIGITS$o}");
    if name.is_empty() || name.len() > NAME_BYTES_MAX || size.len() > SIZE_DIGITS {
        return None;
    }
    let mut put = |at: usize, text: &[u8]| block[at..at + text.len()].copy_from_slice(text);
    put(0, name.as_bytes());
    put(100, b"0000644\0");
    put(108, b"0000000\0");
    put(116, b"0000000\0");
    put(124, size.as_bytes());
    put(136, b"00000000000\0");
    put(156, b"0");
    put(257, b"ustar\x0000");
    let sum = checksum(&block);
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    Some(block)
}

/// The sum of the block's bytes, its own field taken as spaces.
fn checksum(block: &[u8]) -> u32 {
    let bytes = block.iter().enumerate();
    bytes.map(|(at, byte)| if (148..156).contains(&at) { 32 } else { u32::from(*byte) }).sum()
}

/// Writes one file of so many bytes.
///
/// # Errors
/// It does not fit, or has other bytes than was said.
pub fn put(out: &mut dyn Write, name: &str, bytes: u64, file: &mut dyn Read) -> io::Result<()> {
    let header = header(name, bytes).ok_or_else(|| {
        io::Error::other("its name or its size is too long for one file; a folder takes it")
    })?;
    out.write_all(&header)?;
    let copied = io::copy(&mut file.take(bytes), out)?;
    if copied < bytes {
        return Err(io::Error::new(ErrorKind::UnexpectedEof, "it ends too soon"));
    }
    let rest = bytes.next_multiple_of(BLOCK_BYTES) - bytes;
    out.write_all(&[0; BLOCK_BYTES as usize][..rest as usize])
}

/// Writes what says that nothing follows.
///
/// # Errors
/// The file system's.
pub fn end(out: &mut dyn Write) -> io::Result<()> {
    out.write_all(&[0; 2 * BLOCK_BYTES as usize])
}

/// All files in it, and the first thing that is not as we write it.
///
/// # Errors
/// It cannot be read, or is no such file.
pub fn members(file: &File) -> io::Result<(Vec<Member>, Option<String>)> {
    let whole = file.metadata()?.len();
    let mut members = Vec::new();
    let mut fault: Option<String> = None;
    let mut at = 0;
    loop {
        let block = disk::read(file, at, BLOCK_BYTES)?;
        let wrong = |what: String| io::Error::new(ErrorKind::InvalidData, what);
        if block.len() < BLOCK_BYTES as usize {
            return Err(wrong(format!("it ends too soon, at byte {at}")));
        }
        if block.iter().all(|byte| *byte == 0) {
            let rest = disk::read(file, at, (whole - at).min(1 << 20))?;
            let is_end = whole == at + 2 * BLOCK_BYTES && rest.iter().all(|byte| *byte == 0);
            if !is_end {
                fault.get_or_insert(format!("something follows its end, at byte {at}"));
            }
            return Ok((members, fault));
        }
        let field = |range: std::ops::Range<usize>| {
            let text = block[range].split(|byte| matches!(byte, 0 | b' ')).next();
            String::from_utf8_lossy(text.unwrap_or_default()).into_owned()
        };
        let number = |range| u64::from_str_radix(&field(range), 8).ok();
        if number(148..156) != Some(u64::from(checksum(&block))) {
            return Err(wrong(format!("a header is damaged, at byte {at}")));
        }
        let bytes = number(124..136);
        let bytes = bytes.ok_or_else(|| wrong(format!("a size is damaged, at byte {at}")))?;
        let name = block[..NAME_BYTES_MAX].split(|byte| *byte == 0).next().unwrap_or_default();
        let name = String::from_utf8_lossy(name).into_owned();
        if header(&name, bytes).is_none_or(|ours| ours[..] != block[..]) {
            fault.get_or_insert(format!("a header is not as log-usage writes it, at byte {at}"));
        }
        let start = at + BLOCK_BYTES;
        let end = start.checked_add(bytes).and_then(|it| it.checked_next_multiple_of(BLOCK_BYTES));
        at = end.filter(|end| *end <= whole).ok_or_else(|| {
            wrong(format!("{} ends behind the end of the file", crate::error::excerpt(&name)))
        })?;
        let padding = disk::read(file, start + bytes, at - start - bytes)?;
        if padding.iter().any(|byte| *byte != 0) {
            fault.get_or_insert(format!("something stands between files, before byte {at}"));
        }
        // Folders, links and the like are nothing of ours.
        if matches!(block[156], b'0' | 0) {
            members.push(Member { name, start, bytes });
        }
    }
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
        let mut bytes = Vec::new();
        let (long, files) = ("x".repeat(NAME_BYTES_MAX), [("a.csv", 0), ("b.csv", 512), ("c", 7)]);
        for (name, size) in files.into_iter().chain([(long.as_str(), 600)]) {
            put(&mut bytes, name, size, &mut io::repeat(b'y')).unwrap();
        }
        end(&mut bytes).unwrap();
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
        put(&mut bytes, &"x".repeat(101), 0, &mut io::empty()).unwrap_err();
        put(&mut bytes, "x", 5, &mut io::empty()).unwrap_err();
    }
}
