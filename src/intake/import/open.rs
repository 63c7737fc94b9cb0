//! Opens a transcript, also a compressed one where this build can.

use std::fs::File;
use std::io::{self, Read};
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
    let file = File::open(path)?;
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
