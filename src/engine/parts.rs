//! A ledger's files as parts that can be read side by side. Where a part begins is a guess, for a
//! row may stand inside quoted notes: a part counts only if the one before it ends there.

use std::io::{self, Read};

use crate::engine::inputs::Input;
use crate::error::Result;
use crate::ledger::fields::begins_row;
use crate::ledger::scan::Part;

/// Below this, reading is done sooner than a thread is started.
pub const BYTES_MIN: u64 = 1 << 20;

/// Stretches of this size keep all threads busy to the end.
const BYTES_MAX: u64 = 8 << 20;

/// So far a place is looked for where a part can begin.
const SEARCH_BYTES: u64 = 64 << 10;

/// Some bytes of one input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stretch {
    /// Which input.
    pub input: usize,
    /// The first byte, and the one behind the last.
    pub bytes: (u64, u64),
    /// Which part of its file it is.
    pub part: Part,
}

/// Each input as one stretch.
pub fn whole(inputs: &[&Input]) -> Vec<Stretch> {
    let stretch = |(input, it): (usize, &&Input)| Stretch {
        input,
        bytes: (0, it.bytes()),
        part: Part::WHOLE,
    };
    inputs.iter().enumerate().map(stretch).collect()
}

/// How large stretches are, so that so many threads share the work.
pub fn size(inputs: &[&Input], threads: usize) -> u64 {
    let all: u64 = inputs.iter().map(|input| input.bytes()).sum();
    match threads {
        0 | 1 => u64::MAX,
        threads => (all / (threads as u64 * 4)).clamp(BYTES_MIN, BYTES_MAX),
    }
}

/// The inputs in stretches of about this size.
pub fn divided(inputs: &[&Input], size: u64) -> Result<Vec<Stretch>> {
    let mut stretches = Vec::new();
    for stretch in whole(inputs) {
        let input = inputs[stretch.input];
        let end = input.bytes();
        let mut starts = vec![0];
        let mut next = size;
        while input.is_divisible() && next < end.saturating_sub(size / 2) {
            let window = window(input, next).map_err(|error| input.fail(&error))?;
            let start = beginning(&window).map(|at| next + at as u64);
            starts.extend(start.filter(|start| starts.last().is_some_and(|last| last < start)));
            next += size;
        }
        let ends = starts[1..].iter().copied().chain([end]);
        stretches.extend(starts.iter().copied().zip(ends).map(|bytes| Stretch {
            bytes,
            part: Part { is_first: bytes.0 == 0, is_last: bytes.1 == end },
            ..stretch
        }));
    }
    Ok(stretches)
}

fn window(input: &Input, start: u64) -> io::Result<Vec<u8>> {
    let mut window = Vec::new();
    let end = (start + SEARCH_BYTES).min(input.bytes());
    // A file that cannot be opened is told of where it is read.
    if let Ok(mut range) = input.open((start, end), &|_| ()) {
        range.read_to_end(&mut window)?;
    }
    Ok(window)
}

/// Where a row begins whose timestamp is not that of the row before it, so that rows of one instant
/// stay together.
fn beginning(bytes: &[u8]) -> Option<usize> {
    let mut before = None;
    let starts = memchr::memchr_iter(b'\n', bytes).map(|line_end| line_end + 1);
    starts.filter(|at| begins_row(&bytes[*at..])).find(|at| {
        let stamp = bytes[*at..].split(|b| *b == b',').next();
        before.replace(stamp).is_some_and(|before| before != stamp)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_begins_where_the_timestamp_changes() {
        let text = "tail of a row\n2026-02-23T22:19:28Z,a\n2026-02-23T22:19:28Z,b\n\
                    more of it\n2026-02-23T22:19:29Z,c\n";
        let at = beginning(text.as_bytes()).unwrap();
        assert!(text[at..].starts_with("2026-02-23T22:19:29Z,c"));
        assert_eq!(beginning(&text.as_bytes()[..60]), None);
        assert_eq!(beginning(b""), None);
    }
}
