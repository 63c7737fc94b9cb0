//! A transcript → its lines, in a bounded buffer.

use std::io::{self, Read};

/// The longest line that is read: an image that somebody pasted fits, and memory stays small.
pub const LINE_BYTES_MAX: usize = 24 << 20;

/// How much is read in one go.
const READ_BYTES: usize = 256 << 10;

const BOM: &[u8] = b"\xEF\xBB\xBF";

/// One line, without its line end.
#[derive(Debug, PartialEq, Eq)]
pub enum Line<'a> {
    /// The whole of it.
    Whole(&'a [u8]),
    /// It is longer than [`LINE_BYTES_MAX`] and was not kept.
    TooLong,
}

/// Which line it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct At {
    /// How many lines stand before it.
    pub lines: u64,
    /// How many bytes.
    pub offset: u64,
}

/// Gives every line that is not blank, with its place; `at` is that of the first one. A mark of the
/// byte order and CR before the line end are no part of one.
///
/// # Errors
/// The input cannot be read.
pub fn each(
    input: &mut dyn Read,
    mut at: At,
    visit: &mut dyn FnMut(At, Line<'_>),
) -> io::Result<()> {
    let mut buffer = vec![0; READ_BYTES];
    let (mut start, mut end, mut is_skipping) = (0, 0, false);
    loop {
        let read = match input.read(&mut buffer[end..]) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            read => read?,
        };
        let seen = end;
        end += read;
        let mut from = seen;
        while let Some(length) = memchr::memchr(b'\n', &buffer[from..end]) {
            from += length + 1;
            let line = &buffer[start..from];
            if !std::mem::take(&mut is_skipping) {
                give(at, line, visit);
            }
            at = At { lines: at.lines + 1, offset: at.offset + line.len() as u64 };
            start = from;
        }
        if read == 0 {
            if !is_skipping {
                give(at, &buffer[start..end], visit);
            }
            return Ok(());
        }
        if is_skipping || end - start > LINE_BYTES_MAX {
            if !std::mem::replace(&mut is_skipping, true) {
                visit(at, Line::TooLong);
            }
            at.offset += (end - start) as u64;
            (start, end) = (0, 0);
        } else if end == buffer.len() {
            buffer.copy_within(start..end, 0);
            (start, end) = (0, end - start);
            if end > buffer.len() / 2 {
                buffer.resize(buffer.len() * 2, 0);
            }
        }
    }
}

fn give(at: At, line: &[u8], visit: &mut dyn FnMut(At, Line<'_>)) {
    let line = match at.lines {
        0 => line.strip_prefix(BOM).unwrap_or(line),
        _ => line,
    };
    let line = line.trim_ascii();
    if !line.is_empty() {
        visit(at, Line::Whole(line));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives so many bytes at a time.
    struct Slow<'a>(&'a [u8], usize);

    impl Read for Slow<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let bytes = self.1.min(buffer.len()).min(self.0.len());
            buffer[..bytes].copy_from_slice(&self.0[..bytes]);
            self.0 = &self.0[bytes..];
            Ok(bytes)
        }
    }

    fn lines(bytes: &[u8], step: usize) -> Vec<(u64, usize)> {
        let mut found = Vec::new();
        each(&mut Slow(bytes, step), At::default(), &mut |at, line| {
            let (rest, length) = (&bytes[at.offset as usize..], at.lines + 1);
            if let Line::Whole(line) = line {
                assert!(rest.strip_prefix(BOM).unwrap_or(rest).starts_with(line));
            }
            found.push((
                length,
                match line {
                    Line::Whole(line) => line.len(),
                    Line::TooLong => usize::MAX,
                },
            ));
        })
        .unwrap();
        found
    }

    #[test]
    fn lines_are_whole_however_they_come() {
        for step in [1, 2, 3, 100] {
            assert_eq!(lines(b"\xEF\xBB\xBFab\r\n\n  \nc\n", step), [(1, 2), (4, 1)]);
            assert_eq!(lines(b"ab\ncd", step), [(1, 2), (2, 2)]);
            assert_eq!(lines(b"", step), []);
        }
        let long = [vec![b'a'; 3 * READ_BYTES], b"\nb\n".to_vec()].concat();
        assert_eq!(lines(&long, 1 << 20), [(1, 3 * READ_BYTES), (2, 1)]);
    }

    #[test]
    fn a_line_that_is_too_long_costs_only_itself() {
        let long = [b"a\n".to_vec(), vec![b'x'; LINE_BYTES_MAX * 2], b"\nb\nc".to_vec()].concat();
        assert_eq!(lines(&long, 1 << 20), [(1, 1), (2, usize::MAX), (3, 1), (4, 1)]);
    }
}
