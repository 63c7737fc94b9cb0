//! Rows as the writer writes them, read by their marks: the fast way. It reads what it is sure of,
//! and leaves everything else to the long way, which says what is wrong with it.

use std::borrow::Cow;

use pulp::NullaryFnOnce;

use crate::ledger::marks::Marks;
use crate::ledger::names::Names;
use crate::notes::Tags;
use crate::record::Unquoter;
use crate::row::{Row, TaskType};
use crate::timestamp::{self, Timestamp};

/// A row where it was found.
#[derive(Debug, PartialEq, Eq)]
pub struct Found<'a> {
    /// The row.
    pub row: Row<'a>,
    /// The number of its model's name: a scanner numbers names in the order in which it meets them.
    pub model: u32,
    /// The bytes from its beginning on, as far as they were read.
    pub ahead: &'a [u8],
    /// How many of them are the row's.
    pub length: usize,
    /// Whether they are its eight fields in our own order.
    pub is_plain: bool,
    /// Whether its notes end as a tag block does.
    pub may_have_tags: bool,
}

impl<'a> Found<'a> {
    /// The bytes that it was read from.
    pub fn bytes(&self) -> &'a [u8] {
        &self.ahead[..self.length]
    }

    /// The tag block of its notes, where they may have one.
    #[inline(always)]
    pub fn tags(&self) -> Option<Tags<'_>> {
        self.may_have_tags.then(|| Tags::of(&self.row.notes))
    }
}

/// What is remembered from row to row.
#[derive(Default)]
pub(super) struct Plain {
    marks: Marks,
    timestamps: timestamp::Reader,
    pub(super) names: Names,
}

impl Plain {
    /// Another text begins.
    pub(super) fn begin(&mut self) {
        self.marks.forget();
    }

    /// Reads plain rows as long as they follow each other, and gives the start of the first line
    /// that is anything else. `visit` is given each row and its line.
    pub(super) fn rows(
        &mut self,
        text: &str,
        mut start: usize,
        unquoter: &mut Unquoter,
        line: &mut u64,
        rows: &mut impl Rows,
    ) -> usize {
        let bytes = text.as_bytes();
        if start >= bytes.len() {
            return start;
        }
        if !self.marks.are_known(start) {
            self.marks.find(bytes, start);
        }
        loop {
            let work = Loop { plain: self, text, start, unquoter, line, rows };
            let Stop { at, is_unfinished } = widest(work);
            start = at;
            if !is_unfinished || self.marks.end() == text.len() || self.marks.start() == start {
                return start;
            }
            // The next window begins with the row that this one ends in.
            self.marks.find(bytes, start);
        }
    }
}

/// Runs it compiled for the widest vectors that this processor has: then the loop over rows, too,
/// takes fewer instructions.
fn widest<R: NullaryFnOnce>(work: R) -> R::Output {
    #[cfg(target_arch = "x86_64")]
    if let Some(simd) = pulp::x86::V3::try_new() {
        return simd.vectorize(work);
    }
    work.call()
}

/// Who is given the rows.
pub(super) trait Rows {
    /// Takes the row on a line.
    fn row(&mut self, line: u64, found: &Found<'_>);
}

/// The loop over rows.
struct Loop<'p, 't, V> {
    plain: &'p mut Plain,
    text: &'t str,
    start: usize,
    unquoter: &'p mut Unquoter,
    line: &'p mut u64,
    rows: &'p mut V,
}

impl<V: Rows> NullaryFnOnce for Loop<'_, '_, V> {
    type Output = Stop;

    #[inline(always)]
    fn call(self) -> Stop {
        let Loop { plain, text, mut start, unquoter, line, rows } = self;
        let bytes = text.as_bytes();
        let Plain { marks, timestamps, names } = plain;
        let mut marks = marks.from(start);
        let is_unfinished = loop {
            let Some((first, mut rest)) = marks.split_first_chunk::<8>() else { break true };
            let [commas @ .., mark] = first.map(|mark| mark as usize);
            if commas.iter().any(|comma| bytes[*comma] != b',') {
                break false;
            }
            let notes_start = commas[6] + 1;
            let notes;
            let (end, lines) = match bytes[mark] {
                b'\n' if bytes[mark - 1] != b'\r' => {
                    notes = &text[notes_start..mark];
                    (mark, 1)
                }
                b'"' if mark == notes_start => {
                    let Some(quoted) = Quoted::find(bytes, rest) else { break true };
                    rest = quoted.rest;
                    notes = match quoted.has_quotes {
                        false => &text[mark + 1..quoted.end - 1],
                        true => {
                            let mut fields = unquoter.fields(&text[mark..quoted.end]);
                            let Some(notes) = fields.as_mut().and_then(Iterator::next) else {
                                break false;
                            };
                            notes
                        }
                    };
                    (quoted.end, quoted.lines)
                }
                _ => break false,
            };
            let Some(fields) = Fields::read(bytes, start, &commas, timestamps) else { break false };
            let model = (commas[0] + 1, commas[1]);
            let Some(number) = names.number_at(text, model.0, model.1) else { break false };
            let row = Row {
                at: fields.at,
                stamp: Cow::Borrowed(&text[start..commas[0]]),
                model: Cow::Borrowed(&text[model.0..model.1]),
                prompt_tokens: fields.prompt_tokens,
                completion_tokens: fields.completion_tokens,
                success: fields.success,
                task_type: fields.task_type,
                duration_ms: fields.duration_ms,
                notes: Cow::Borrowed(notes),
            };
            let ahead = &bytes[start..];
            let may_have_tags = bytes[end - 1] == b'}' || bytes[end - 2] == b'}';
            rows.row(
                *line,
                &Found {
                    row,
                    model: number,
                    ahead,
                    length: end - start,
                    is_plain: true,
                    may_have_tags,
                },
            );
            *line += lines;
            start = end + 1;
            marks = rest;
        };
        Stop { at: start, is_unfinished }
    }
}

/// Where the loop over rows stopped.
struct Stop {
    /// The start of the first line that was not read.
    at: usize,
    /// Whether the marks came to an end in it.
    is_unfinished: bool,
}

/// Notes in quotes, as they stand.
struct Quoted<'m> {
    /// Behind the closing quote, where the line ends.
    end: usize,
    /// Whether there are quotes in them, each written twice.
    has_quotes: bool,
    /// How many lines they are.
    lines: u64,
    /// The marks behind them.
    rest: &'m [u32],
}

impl Quoted<'_> {
    /// Finds the end of notes whose opening quote was the last mark.
    fn find<'m>(bytes: &[u8], marks: &'m [u32]) -> Option<Quoted<'m>> {
        let mut quoted = Quoted { end: 0, has_quotes: false, lines: 1, rest: marks };
        loop {
            let (mark, rest) = quoted.rest.split_first()?;
            quoted.rest = rest;
            let mark = *mark as usize;
            match bytes[mark] {
                b',' => {}
                b'\n' => quoted.lines += 1,
                // What follows a quote is a mark, too: the second of two, or the line end.
                _ => {
                    quoted.rest = rest.get(1..)?;
                    match bytes[mark + 1] {
                        b'"' => quoted.has_quotes = true,
                        b'\n' => {
                            quoted.end = mark + 1;
                            return Some(quoted);
                        }
                        _ => return None,
                    }
                }
            }
        }
    }
}

/// The first seven fields of a row, but for its model.
struct Fields {
    at: Timestamp,
    prompt_tokens: u64,
    completion_tokens: u64,
    success: bool,
    task_type: TaskType,
    duration_ms: u64,
}

impl Fields {
    /// The fields that end at these commas, if each is as it should be.
    #[inline(always)]
    fn read(
        bytes: &[u8],
        start: usize,
        commas: &[usize; 7],
        timestamps: &mut timestamp::Reader,
    ) -> Option<Fields> {
        let field = |number: usize| bytes.get(commas[number - 1] + 1..commas[number]);
        let digits = |number: usize| count(bytes, commas[number - 1] + 1, commas[number]);
        Some(Fields {
            at: timestamps.read(bytes.get(start..commas[0])?)?,
            prompt_tokens: digits(2)?,
            completion_tokens: digits(3)?,
            success: match field(4)? {
                b"true" => true,
                b"false" => false,
                _ => return None,
            },
            task_type: task_type(bytes, commas[4] + 1, commas[5])?,
            duration_ms: digits(6)?,
        })
    }
}

/// The task type that is written here. Each begins with another letter, and is compared as one word
/// of eight bytes, so that no branch depends on which it is.
#[inline(always)]
fn task_type(bytes: &[u8], start: usize, end: usize) -> Option<TaskType> {
    let eight = bytes.get(start..start + 8)?.first_chunk::<8>()?;
    let (name, length, task_type) = TASK_TYPES[usize::from(eight[0] % 8)];
    let before = 64 - 8 * length as u32;
    let word = u64::from_le_bytes(*eight) << before >> before;
    (end - start == length && word == name).then_some(task_type)
}

/// Task types by the last three bits of their first letter: name as a word, length.
const TASK_TYPES: [(u64, usize, TaskType); 8] = {
    let mut table = [(0, 1, TaskType::Plan); 8];
    let mut number = 0;
    while number < TaskType::ALL.len() {
        let task_type = TaskType::ALL[number];
        let name = task_type.name().as_bytes();
        let (mut word, mut at) = (0, 0);
        while at < name.len() {
            word |= (name[at] as u64) << (8 * at);
            at += 1;
        }
        table[(name[0] % 8) as usize] = (word, name.len(), task_type);
        number += 1;
    }
    table
};

/// The count of at most eight digits that ends at `end`, all of them looked at as one number;
/// longer ones are read the long way.
#[inline(always)]
fn count(bytes: &[u8], start: usize, end: usize) -> Option<u64> {
    let length = end.wrapping_sub(start);
    let last_eight = bytes.get(end.wrapping_sub(8)..end)?.first_chunk::<8>()?;
    if length.wrapping_sub(1) > 7 {
        return None;
    }
    // What stands before the digits is cut off; a digit becomes its value, and whatever is none
    // sets the highest bit of its byte.
    let before = 64 - 8 * length as u32;
    let digits = (u64::from_le_bytes(*last_eight) ^ 0x3030_3030_3030_3030) >> before << before;
    let is_zero_first = (digits >> before) & 0xFF == 0 && length > 1;
    if (digits.wrapping_add(0x7676_7676_7676_7676) | digits) & 0x8080_8080_8080_8080 != 0
        || is_zero_first
    {
        return None;
    }
    // Pairs, then fours, then all eight.
    let pairs = digits.wrapping_mul(10).wrapping_add(digits >> 8) & 0x00FF_00FF_00FF_00FF;
    let fours = pairs.wrapping_mul(100).wrapping_add(pairs >> 16) & 0x0000_FFFF_0000_FFFF;
    Some(fours.wrapping_mul(10_000).wrapping_add(fours >> 32) & 0xFFFF_FFFF)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::row::check_count;
    use proptest::prelude::*;

    proptest! {
        /// Whatever it reads at once, it reads as the long way does.
        #[test]
        fn counts_are_read_as_the_long_way_reads_them(field in "[0-9]{1,9}|[ -~]{0,9}") {
            let text = format!("timestamp,{field},");
            let read = count(text.as_bytes(), 10, 10 + field.len());
            if let Some(count) = read {
                prop_assert_eq!(check_count("count", &field), Ok(count));
            } else {
                prop_assert!(check_count("count", &field).is_err() || field.len() > 8);
            }
        }
    }
}
