//! Rows as the writer writes them, read by their marks: the fast way. It reads what it is sure of,
//! and leaves everything else to the long way, which says what is wrong with it.

use std::borrow::Cow;

use crate::ledger::fields::RECORD_BYTES_MAX;
use crate::ledger::marks::{Marks, Positions};
use crate::ledger::names::Names;
use crate::record::Unquoter;
use crate::row::{Row, TaskType};
use crate::timestamp;

/// What is remembered from row to row.
#[derive(Default)]
pub(super) struct Plain {
    marks: Marks,
    timestamps: timestamp::Reader,
    pub(super) names: Names,
    unquoter: Unquoter,
}

impl Plain {
    /// Looks at the bytes of a buffer before its rows are read.
    pub(super) fn look_at(&mut self, bytes: &[u8]) {
        self.marks.find(bytes);
    }

    /// Reads plain rows as long as they follow each other, and gives the start of the first line
    /// that is anything else. `visit` is given each row's line, the row, its bytes and the number of
    /// its model's name.
    pub(super) fn rows(
        &mut self,
        text: &str,
        start: usize,
        line: &mut u64,
        visit: &mut impl FnMut(u64, Row<'_>, &[u8], u32),
    ) -> usize {
        let bytes = text.as_bytes();
        let Plain { marks, timestamps, names, unquoter } = self;
        let mut marks = marks.from(start);
        let mut start = start;
        while let Some(commas) = seven_commas(bytes, &mut marks) {
            let notes_start = commas[6] + 1;
            let Some(mark) = marks.next() else { break };
            let (notes, end, lines) = match bytes[mark] {
                b'\n' => match &text[notes_start..mark] {
                    notes if notes.ends_with('\r') => break,
                    notes => (Cow::Borrowed(notes), mark, 1),
                },
                b'"' if mark == notes_start => {
                    let Some(quoted) = Quoted::find(bytes, &mut marks) else { break };
                    let whole = &text[mark..quoted.end];
                    let notes = match quoted.has_quotes {
                        false => &whole[1..whole.len() - 1],
                        true => match unquoter.fields(whole).and_then(|mut fields| fields.next()) {
                            Some(notes) => notes,
                            None => break,
                        },
                    };
                    (Cow::Borrowed(notes), quoted.end, quoted.lines)
                }
                _ => break,
            };
            if end - start > RECORD_BYTES_MAX {
                break;
            }
            let row = row(text, start, &commas, notes, timestamps);
            let Some((row, model)) = row.and_then(|row| {
                let model = names.number(&row.model)?;
                Some((row, model))
            }) else {
                break;
            };
            visit(*line, row, &bytes[start..end], model);
            *line += lines;
            start = end + 1;
        }
        start
    }
}

#[inline(always)]
fn seven_commas(bytes: &[u8], marks: &mut Positions<'_>) -> Option<[usize; 7]> {
    let mut commas = [0; 7];
    for comma in &mut commas {
        *comma = marks.next().filter(|mark| bytes[*mark] == b',')?;
    }
    Some(commas)
}

/// Notes in quotes, as they stand.
struct Quoted {
    /// Behind the closing quote, where the line ends.
    end: usize,
    /// Whether there are quotes in them, each written twice.
    has_quotes: bool,
    /// How many lines they end.
    lines: u64,
}

impl Quoted {
    /// Finds the end of notes whose opening quote was the last mark.
    fn find(bytes: &[u8], marks: &mut Positions<'_>) -> Option<Quoted> {
        let mut quoted = Quoted { end: 0, has_quotes: false, lines: 1 };
        loop {
            let mark = marks.next()?;
            match bytes[mark] {
                b',' => {}
                b'\n' => quoted.lines += 1,
                _ => match bytes.get(mark + 1)? {
                    b'"' => quoted.has_quotes = true,
                    b'\n' => {
                        quoted.end = mark + 1;
                        // The line end is a mark too.
                        marks.next();
                        return Some(quoted);
                    }
                    _ => return None,
                },
            }
            if bytes[mark] == b'"' {
                // The second of the two.
                marks.next();
            }
        }
    }
}

/// The row whose first seven fields end at these commas, if each is as it should be; its model is
/// not checked yet.
#[inline(always)]
fn row<'a>(
    text: &'a str,
    start: usize,
    commas: &[usize; 7],
    notes: Cow<'a, str>,
    timestamps: &mut timestamp::Reader,
) -> Option<Row<'a>> {
    let stamp = text.get(start..commas[0])?;
    let field = |number: usize| text.get(commas[number - 1] + 1..commas[number]);
    let digits = |number: usize| count(text.as_bytes(), commas[number - 1] + 1, commas[number]);
    Some(Row {
        at: timestamps.read(stamp)?,
        stamp: Cow::Borrowed(stamp),
        model: Cow::Borrowed(field(1)?),
        prompt_tokens: digits(2)?,
        completion_tokens: digits(3)?,
        success: match field(4)? {
            "true" => true,
            "false" => false,
            _ => return None,
        },
        task_type: TaskType::parse(field(5)?)?,
        duration_ms: digits(6)?,
        notes,
    })
}

/// The count of at most eight digits that ends at `end`, all of them looked at as one number;
/// longer ones are read the long way.
#[inline]
fn count(bytes: &[u8], start: usize, end: usize) -> Option<u64> {
    let length = end.wrapping_sub(start);
    let last_eight = bytes.get(..end)?.last_chunk::<8>()?;
    if !(1..=8).contains(&length) || bytes[start] == b'0' && length > 1 {
        return None;
    }
    // What stands before the digits is cut off; a digit becomes its value, and whatever is none
    // sets the highest bit of its byte.
    let before = 64 - 8 * length as u32;
    let digits = (u64::from_le_bytes(*last_eight) ^ 0x3030_3030_3030_3030) >> before << before;
    if (digits.wrapping_add(0x7676_7676_7676_7676) | digits) & 0x8080_8080_8080_8080 != 0 {
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
