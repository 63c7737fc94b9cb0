//! The end of a file that somebody may have died on: bytes → what to do about them. Pure.

use crate::record::has_open_quote;

/// What the bytes of a ledger mean, as far as the protocol must know it.
#[derive(Clone, Copy)]
pub struct Format {
    /// The first line of every segment, without its line end; empty where the first is a row.
    pub header: &'static str,
    /// Whether its files are the user's alone: mode 0600, and no link is followed to them.
    pub is_private: bool,
    /// Whether these bytes are one whole valid row.
    pub is_row: fn(&[u8]) -> bool,
    /// Whether a line begins as rows do.
    pub begins_row: fn(&[u8]) -> bool,
    /// What tells a sealed segment from all others, by its first row: `<time>-<hash>`.
    pub seal: fn(&[u8]) -> String,
}

impl Format {
    /// What a segment begins with before its first row.
    pub fn head(&self) -> Vec<u8> {
        let end: &[u8] = if self.header.is_empty() { b"" } else { b"\n" };
        [self.header.as_bytes(), end].concat()
    }
}

/// The state of the last line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tail {
    /// It ends in a line end.
    Whole,
    /// It is a whole valid row whose line end is missing: an editor took it, or a writer died just
    /// before it. Its line end is written with the next row.
    Unfinished,
    /// Only NULs stand behind the last line end, as a power cut leaves them, or there is only a
    /// piece of the header: nothing is lost by
    /// cutting at this offset of the window.
    Void(usize),
    /// The bytes from this offset of the window were never acknowledged as a row.
    Torn(usize),
}

/// Judges the end of a file by a window of its last bytes; None where the window has no line end,
/// so that a larger one is needed. A window that is the whole file begins with the header's line, or
/// with a row.
pub fn judge(window: &[u8], format: &Format, begins_with_row: bool) -> Option<Tail> {
    if window.last() == Some(&b'\n') {
        return Some(Tail::Whole);
    }
    let start = line_starts_backwards(window).next();
    let start = start.filter(|start| *start > 0 || begins_with_row)?;
    let rest = &window[start..];
    if rest.iter().all(|b| *b == 0) {
        return Some(Tail::Void(start));
    }
    if (format.is_row)(rest) {
        return Some(Tail::Unfinished);
    }
    // Other programs write notes of several lines in quotes: then the row began earlier.
    let begin = line_starts_backwards(&window[..start])
        .find(|at| (format.begins_row)(&window[*at..]))
        .filter(|_| !(format.begins_row)(rest));
    Some(match begin {
        Some(begin) if (format.is_row)(&window[begin..]) => Tail::Unfinished,
        Some(begin) if has_open_quote(&window[begin..]) => Tail::Torn(begin),
        _ => Tail::Torn(start),
    })
}

/// The last line of a window that is not blank and ends in a line end, without that; None where the
/// window does not hold the whole of it.
pub fn last_line(window: &[u8], is_whole_file: bool) -> Option<&[u8]> {
    let mut starts = line_starts_backwards(window);
    let mut end = window.len();
    loop {
        let start = starts.next()?;
        let line = window[start..end].trim_ascii_end();
        if !line.is_empty() {
            return (start > 0 || is_whole_file).then_some(line);
        }
        if start == 0 {
            return None;
        }
        end = start;
    }
}

/// Where lines begin, from the last to the first; the end of the window begins none. Byte by byte,
/// as only the last lines are looked at: asking the processor for its vectors, which the memchr
/// crate does once in a process, traps in a virtual machine and costs a twentieth of a row.
fn line_starts_backwards(window: &[u8]) -> impl Iterator<Item = usize> {
    let inner = &window[..window.len().saturating_sub(1)];
    let ends = inner.iter().enumerate().rev().filter(|(_, byte)| **byte == b'\n');
    ends.map(|(at, _)| at + 1).chain((!window.is_empty()).then_some(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const FORMAT: Format = Format {
        header: "h",
        is_private: false,
        is_row: |line| line.starts_with(b"@") && line.ends_with(b"."),
        begins_row: |line| line.starts_with(b"@"),
        seal: |_| String::new(),
    };

    #[test]
    fn the_end_of_a_file_is_judged() {
        for (window, tail) in [
            ("h\n", Tail::Whole),
            ("h\n@a.\n", Tail::Whole),
            ("h\n@a.\n@b.", Tail::Unfinished),
            ("h\n@a.\n@b", Tail::Torn(6)),
            ("h\n@a.\nb", Tail::Torn(6)),
            ("h\n@a.\n\0\0\0", Tail::Void(6)),
            ("h\n@a.\n@b\0\0", Tail::Torn(6)),
            ("h\n@a.\n@b\"one\ntwo\".", Tail::Unfinished),
            ("h\n@a.\n@b\"one\ntwo", Tail::Torn(6)),
            ("h\n@a.\n\n@", Tail::Torn(7)),
        ] {
            assert_eq!(judge(window.as_bytes(), &FORMAT, false), Some(tail), "{window:?}");
        }
        assert_eq!(judge(b"no line end", &FORMAT, false), None);
    }

    #[test]
    fn without_a_header_the_first_line_is_judged_too() {
        for (window, tail) in [
            ("@a.\n", Tail::Whole),
            ("@a.", Tail::Unfinished),
            ("@a", Tail::Torn(0)),
            ("\0\0", Tail::Void(0)),
            ("@a.\n@b", Tail::Torn(4)),
        ] {
            assert_eq!(judge(window.as_bytes(), &FORMAT, true), Some(tail), "{window:?}");
        }
    }

    #[test]
    fn the_last_line_is_the_last_that_says_something() {
        assert_eq!(last_line(b"h\n@a.\n", true), Some(&b"@a."[..]));
        assert_eq!(last_line(b"h\n@a.\r\n\n\r\n", true), Some(&b"@a."[..]));
        assert_eq!(last_line(b"a.\n", false), None);
        assert_eq!(last_line(b"h\n", true), Some(&b"h"[..]));
        assert_eq!(last_line(b"\n\n", true), None);
        assert_eq!(last_line(b"", true), None);
    }

    proptest! {
        #[test]
        fn what_is_kept_ends_in_a_line_end(window in "[h@a.\"\n\0]{0,40}") {
            let bytes = window.as_bytes();
            match judge(bytes, &FORMAT, false) {
                Some(Tail::Void(at) | Tail::Torn(at)) => {
                    prop_assert!(at < bytes.len() && (at == 0 || bytes[at - 1] == b'\n'));
                }
                Some(Tail::Whole) => prop_assert!(window.ends_with('\n')),
                Some(Tail::Unfinished) => prop_assert!(window.ends_with('.')),
                None => prop_assert!(!window.contains('\n')),
            }
        }
    }
}
