//! Sealed segments that were compressed: read as the text that they hold, wherever that is. The same
//! text is compressed to the same bytes in every clone.

use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;
use flate2::{Compression, GzBuilder, write::GzEncoder};

/// What the names of compressed files end in.
pub const ENDING: &str = ".gz";

/// The name of the text: what it was called before it was compressed.
pub fn plain_name(name: &str) -> &str {
    name.strip_suffix(ENDING).unwrap_or(name)
}

/// What a file of this name is called once it is compressed.
pub fn compressed(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ENDING);
    name.into()
}

/// Whether a file of this name is compressed.
pub fn is_compressed(path: &Path) -> bool {
    path.as_os_str().as_encoded_bytes().ends_with(ENDING.as_bytes())
}

/// The text that a file of this name holds.
pub fn text<'a>(path: &Path, bytes: impl Read + 'a) -> Box<dyn Read + 'a> {
    if is_compressed(path) { decoded(bytes) } else { Box::new(bytes) }
}

/// The text that these bytes were compressed from.
pub fn decoded<'a>(bytes: impl Read + 'a) -> Box<dyn Read + 'a> {
    Box::new(MultiGzDecoder::new(bytes))
}

/// The text of the file at this path.
///
/// # Errors
/// It cannot be opened.
pub fn open(path: &Path) -> io::Result<Box<dyn Read>> {
    Ok(text(path, File::open(path)?))
}

/// Whether the bytes themselves are wrong: a compressed file tells.
pub fn is_damage(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::InvalidInput | ErrorKind::InvalidData | ErrorKind::UnexpectedEof
    )
}

/// So many of the last bytes of the text of the file at this path.
pub(super) fn end(path: &Path, bytes: usize) -> io::Result<Vec<u8>> {
    let mut text = open(path)?;
    let mut end = Vec::with_capacity(bytes * 2);
    while (&mut text).take(bytes as u64).read_to_end(&mut end)? > 0 {
        end.drain(..end.len().saturating_sub(bytes));
    }
    Ok(end)
}

/// Writes what a file of this name is to hold.
///
/// # Errors
/// What `write` says, or the system.
pub(super) fn write(
    path: &Path,
    out: &mut dyn Write,
    write: &mut dyn FnMut(&mut dyn Write) -> io::Result<()>,
) -> io::Result<()> {
    if !is_compressed(path) {
        return write(out);
    }
    let mut encoder = encoder(out);
    write(&mut encoder)?;
    encoder.finish()?.flush()
}

/// No name, no time and no system stand in what it writes.
fn encoder<W: Write>(out: W) -> GzEncoder<W> {
    const UNKNOWN_SYSTEM: u8 = 255;
    GzBuilder::new().mtime(0).operating_system(UNKNOWN_SYSTEM).write(out, Compression::default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_text_is_the_same_bytes_and_is_read_back() {
        let (path, lines) = (Path::new("usage.csv.gz"), "a,b\n".repeat(9_999));
        let packed = || {
            let mut out = Vec::new();
            write(path, &mut out, &mut |out| out.write_all(lines.as_bytes())).unwrap();
            out
        };
        let bytes = packed();
        assert_eq!(bytes, packed());
        assert_eq!(bytes[..10], [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255]);
        let mut read = String::new();
        text(path, &*bytes).read_to_string(&mut read).unwrap();
        assert_eq!(read, lines);
        // Two behind each other are one text, as gzip has it.
        let mut read = String::new();
        text(path, &*[&*bytes, &bytes].concat()).read_to_string(&mut read).unwrap();
        assert_eq!(read.len(), 2 * lines.len());
        text(path, &bytes[..bytes.len() - 1]).read_to_string(&mut read).unwrap_err();
        assert_eq!(plain_name("usage-1.csv.gz"), "usage-1.csv");
    }
}
