//! Opens a transcript, also a compressed one where this build can.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

/// Whether a file is compressed.
pub fn is_compressed(path: &Path) -> bool {
    path.extension().is_some_and(|it| it == "zst")
}

/// Whether this build reads compressed files.
pub const READS_COMPRESSED: bool = cfg!(feature = "zstd");

/// The text of a transcript.
///
/// # Errors
/// It cannot be opened, or is compressed and cannot be read.
pub fn open(path: &Path) -> io::Result<Box<dyn Read>> {
    open_at(path, 0)
}

/// The same from a place on; what is compressed has none but its beginning.
///
/// # Errors
/// As [`open`].
pub fn open_at(path: &Path, offset: u64) -> io::Result<Box<dyn Read>> {
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(offset))?;
    if !is_compressed(path) {
        return Ok(Box::new(file));
    }
    decoded(file)
}

#[cfg(feature = "zstd")]
fn decoded(file: File) -> io::Result<Box<dyn Read>> {
    let decoder = ruzstd::decoding::StreamingDecoder::new(io::BufReader::new(file));
    Ok(Box::new(decoder.map_err(io::Error::other)?))
}

#[cfg(not(feature = "zstd"))]
fn decoded(_: File) -> io::Result<Box<dyn Read>> {
    Err(io::Error::from(io::ErrorKind::Unsupported))
}
