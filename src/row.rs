//! The contract: what a row is, which values it takes, and its line in the file. Knows no file.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::error::{Error, excerpt};
use crate::record::{self, Unquoter};
use crate::timestamp::{Day, Timestamp};

/// The columns of the ledger, in order. They never change.
pub const COLUMNS: [&str; 8] = [
    "timestamp",
    "model",
    "prompt_tokens",
    "completion_tokens",
    "task_success",
    "task_type",
    "duration_ms",
    "notes",
];

/// The first line of every segment, without its line end.
pub const HEADER: &str = "timestamp,model,prompt_tokens,completion_tokens,task_success,\
                          task_type,duration_ms,notes";

/// 2⁵³ − 1: the largest whole number that every spreadsheet and JSON reader keeps exact.
pub const COUNT_MAX: u64 = 9_007_199_254_740_991;

/// Long enough for a cloud provider's resource name.
pub const MODEL_BYTES_MAX: usize = 128;

/// Notes are a remark, not a transcript; the tag block counts too.
pub const NOTES_BYTES_MAX: usize = 4_096;

/// A line with its line end. Notes of 4,096 quotation marks need 8,194 bytes, the rest under 400.
pub const LINE_BYTES_MAX: usize = 16 * 1_024;

/// What kind of work a task was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum TaskType {
    /// Working out what to do.
    Plan,
    /// Doing it.
    Execute,
    /// Checking what was done.
    Verify,
    /// Talking it over.
    Discuss,
    /// A small thing in passing.
    Quick,
}

impl TaskType {
    /// Every task type, in the contract's order.
    pub const ALL: [TaskType; 5] =
        [TaskType::Plan, TaskType::Execute, TaskType::Verify, TaskType::Discuss, TaskType::Quick];

    /// The word in the file.
    pub const fn name(self) -> &'static str {
        match self {
            TaskType::Plan => "plan",
            TaskType::Execute => "execute",
            TaskType::Verify => "verify",
            TaskType::Discuss => "discuss",
            TaskType::Quick => "quick",
        }
    }

    /// The task type of that name.
    pub fn parse(name: &[u8]) -> Option<TaskType> {
        Some(match name {
            b"plan" => TaskType::Plan,
            b"execute" => TaskType::Execute,
            b"verify" => TaskType::Verify,
            b"discuss" => TaskType::Discuss,
            b"quick" => TaskType::Quick,
            _ => return None,
        })
    }
}

/// One valid row. It borrows what it can from the line or the draft that it was made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row<'a> {
    /// The moment, as a number.
    pub at: Timestamp,
    /// The moment exactly as it is written; never altered once given.
    pub stamp: Cow<'a, str>,
    /// The model's name.
    pub model: Cow<'a, str>,
    /// Everything the model read, cached or not.
    pub prompt_tokens: u64,
    /// Everything the model wrote, reasoning included.
    pub completion_tokens: u64,
    /// Whether the task succeeded.
    pub success: bool,
    /// What kind of task it was.
    pub task_type: TaskType,
    /// How long it took, in milliseconds.
    pub duration_ms: u64,
    /// One line of free text, which may end in a tag block.
    pub notes: Cow<'a, str>,
}

impl<'a> Row<'a> {
    /// Reads the eight fields as they stand in a file, as liberally as readers are: lower case `t`
    /// and `z`, and the capital `TRUE` that spreadsheets make of `true`.
    pub fn read(fields: [&'a str; 8]) -> Result<Row<'a>, Refused> {
        let [stamp, model, prompt, completion, success, task_type, duration, notes] = fields;
        Ok(Row {
            at: Timestamp::parse_liberally(stamp).ok_or_else(|| refuse_timestamp(stamp))?,
            stamp: Cow::Borrowed(stamp),
            model: Cow::Borrowed(check_model(model)?),
            prompt_tokens: check_count("prompt_tokens", prompt)?,
            completion_tokens: check_count("completion_tokens", completion)?,
            success: match success {
                "true" => true,
                "false" => false,
                other if other.eq_ignore_ascii_case("true") => true,
                other if other.eq_ignore_ascii_case("false") => false,
                other => return Err(refuse_success(other)),
            },
            task_type: check_task_type(task_type)?,
            duration_ms: check_count("duration_ms", duration)?,
            notes: Cow::Borrowed(notes),
        })
    }

    /// Reads one line of the file, without its line end, by the header's own order of columns.
    pub fn parse(line: &str) -> Result<Row<'static>, Refused> {
        Row::parse_with(line, &mut Unquoter::default())
    }

    /// As [`Row::parse`], for many lines with quotes: these share what unquotes them.
    pub fn parse_with(line: &str, unquoter: &mut Unquoter) -> Result<Row<'static>, Refused> {
        if record::end(format!("{line}\n").as_bytes()) != Some(Ok(line.len())) {
            return Err(Refused::line("is not one CSV record"));
        }
        let fields: Vec<&str> = match line.contains('"') {
            false => line.split(',').collect(),
            true => {
                let fields = unquoter.fields(line);
                fields.ok_or_else(|| Refused::line("too many fields"))?.collect()
            }
        };
        let fields: [&str; 8] =
            fields.try_into().map_err(|fields: Vec<_>| Refused::field_count(fields.len()))?;
        Row::read(fields).map(Row::into_owned)
    }

    /// The line of the file with its line end. Numbers are plain digits and quotes stand only where
    /// CSV needs them, so that equal rows are equal bytes.
    pub fn write_line(&self, out: &mut Vec<u8>) {
        self.write_line_at(&self.stamp, out);
    }

    /// As [`Row::write_line`], with this timestamp instead of its own.
    pub fn write_line_at(&self, stamp: &str, out: &mut Vec<u8>) {
        out.extend_from_slice(stamp.as_bytes());
        out.push(b',');
        out.extend_from_slice(self.model.as_bytes());
        for count in [self.prompt_tokens, self.completion_tokens] {
            out.push(b',');
            write_count(count, out);
        }
        out.extend_from_slice(if self.success { b",true," } else { b",false," });
        out.extend_from_slice(self.task_type.name().as_bytes());
        out.push(b',');
        write_count(self.duration_ms, out);
        out.push(b',');
        write_text(&self.notes, out);
        out.push(b'\n');
    }

    /// The line as text, without its line end.
    pub fn to_line(&self) -> String {
        let mut line = Vec::new();
        self.write_line(&mut line);
        line.pop();
        String::from_utf8_lossy(&line).into_owned()
    }

    /// The same row, independent of what it was read from.
    pub fn into_owned(self) -> Row<'static> {
        Row {
            stamp: Cow::Owned(self.stamp.into_owned()),
            model: Cow::Owned(self.model.into_owned()),
            notes: Cow::Owned(self.notes.into_owned()),
            ..self
        }
    }

    /// Prompt and completion tokens together.
    pub fn total_tokens(&self) -> u64 {
        self.prompt_tokens.saturating_add(self.completion_tokens)
    }
}

/// The first `bytes` bytes of the SHA-256 of a line without its line end, in lower-case hex: what
/// tells a segment from others, and a row without an id.
pub fn line_hash(line: &[u8], bytes: usize) -> String {
    let digit = |half: u8| char::from_digit(u32::from(half), 16).unwrap_or_default();
    let digest = Sha256::digest(line);
    digest.iter().take(bytes).flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

fn write_count(count: u64, out: &mut Vec<u8>) {
    let mut digits = [0u8; 20];
    let mut at = digits.len();
    let mut rest = count;
    loop {
        at -= 1;
        digits[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}

/// The csv crate quotes what needs it; most notes need nothing, and pay nothing.
fn write_text(text: &str, out: &mut Vec<u8>) {
    if !text.bytes().any(|byte| matches!(byte, b'"' | b',' | b'\n' | b'\r')) {
        out.extend_from_slice(text.as_bytes());
        return;
    }
    let mut writer = csv::Writer::from_writer(Vec::new());
    // Writing one field to memory cannot fail.
    if writer.write_record([text]).is_ok()
        && let Ok(quoted) = writer.into_inner()
    {
        out.extend_from_slice(quoted.strip_suffix(b"\n").unwrap_or(&quoted));
    }
}

/// A field that was refused: which one, what was given, what is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The column as the header names it, or `row` where the line as a whole is meant.
    pub field: &'static str,
    /// What was given, cut to be shown.
    pub given: String,
    /// What is wrong, to be read after the value: `is not true or false`.
    pub problem: String,
}

impl Refused {
    /// A refusal of one field.
    pub fn new(field: &'static str, given: &str, problem: impl Into<String>) -> Refused {
        Refused { field, given: excerpt(given), problem: problem.into() }
    }

    /// A refusal of the line as a whole.
    pub fn line(problem: impl Into<String>) -> Refused {
        Refused { field: "row", given: String::new(), problem: problem.into() }
    }

    /// A line with a wrong number of fields.
    pub fn field_count(found: usize) -> Refused {
        let noun = if found == 1 { "field" } else { "fields" };
        Refused::line(format!("{found} {noun}"))
    }

    /// As few words as name it: `task_success "yes"`, `7 fields`.
    pub fn short(&self) -> String {
        match self.field {
            "row" => self.problem.clone(),
            field => format!("{field} \"{}\"", self.given),
        }
    }

    /// The error that a writer reports; `fix` is something to paste.
    pub fn into_error(self, fix: String) -> Error {
        Error::Field { problem: self.to_string(), why: self.why(), fix }
    }

    /// A value that this field would take.
    pub fn example(&self) -> &'static str {
        match self.field {
            "timestamp" => "2026-02-23T22:19:12+01:00",
            "model" => "claude-3-opus",
            "prompt_tokens" => "1500",
            "completion_tokens" => "3200",
            "task_success" => "true",
            "task_type" => "execute",
            "duration_ms" => "45000",
            _ => "\"a short remark\"",
        }
    }

    fn why(&self) -> &'static str {
        match self.field {
            "timestamp" => "a row is placed in time by its own date, time and offset (RFC 3339)",
            "model" => "reports group by the model's name",
            "prompt_tokens" | "completion_tokens" => {
                "tokens are summed exactly, in whole numbers from 0 to 9007199254740991"
            }
            "task_success" => "the ledger stores success as a word that every reader agrees on",
            "task_type" => "the ledger knows five task types",
            "duration_ms" => {
                "a duration is whole milliseconds from 0 to 9007199254740991, or a time such as 45s"
            }
            "tag" => "readers act on tags, so they have fixed keys and plain values",
            _ => "notes are one short line of text",
        }
    }
}

/// `task_success: "yes" is not true or false`.
impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.field {
            "row" => f.write_str(&self.problem),
            field => write!(f, "{field}: \"{}\" {}", self.given, self.problem),
        }
    }
}

/// The refusal of a timestamp, as exact as can be.
pub fn refuse_timestamp(given: &str) -> Refused {
    let date = given.get(..10).filter(|date| {
        let digits = date.bytes().filter(u8::is_ascii_digit).count();
        digits == 8 && date.as_bytes()[4] == b'-' && date.as_bytes()[7] == b'-'
    });
    let problem = match date {
        Some(date) if Day::parse(date).is_none() => "has a date that does not exist",
        Some(_) if given.get(17..19) == Some("60") => "has a second 60, which the ledger has not",
        Some(_) if given.get(11..).is_some_and(|time| !time.contains(['Z', '+', '-'])) => {
            "lacks its offset from UTC: Z or ±hh:mm"
        }
        _ => "is not RFC 3339 with an offset",
    };
    Refused::new("timestamp", given, problem)
}

/// The refusal of a word for success.
pub fn refuse_success(given: &str) -> Refused {
    Refused::new("task_success", given, "is not true or false")
}

/// Which bytes a model's name may hold.
const MODEL_BYTES: [bool; 256] = {
    let mut allowed = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        let b = byte as u8;
        allowed[byte] = b.is_ascii_alphanumeric()
            || matches!(b, b'.' | b'_' | b':' | b'/' | b'@' | b'+' | b'[' | b']' | b'-');
        byte += 1;
    }
    allowed
};

/// A model's name: 1 to 128 of `[A-Za-z0-9._:/@+[]-]`, the first a letter or a digit.
pub fn check_model(model: &str) -> Result<&str, Refused> {
    let refuse = |problem: &str| Refused::new("model", model, problem);
    if model.is_empty() {
        return Err(refuse("is empty"));
    }
    if model.len() > MODEL_BYTES_MAX {
        return Err(refuse("is longer than 128 characters"));
    }
    if !model.as_bytes()[0].is_ascii_alphanumeric() {
        return Err(refuse("does not begin with A-Z, a-z or 0-9"));
    }
    let allowed = |b: &u8| MODEL_BYTES[usize::from(*b)];
    match model.as_bytes().iter().all(allowed) {
        true => Ok(model),
        false => Err(refuse("has other characters than A-Z a-z 0-9 . _ : / @ + [ ] -")),
    }
}

/// A whole number in plain ASCII digits without leading zeros, at most [`COUNT_MAX`].
pub fn check_count(field: &'static str, text: &str) -> Result<u64, Refused> {
    let refuse = |problem: &str| Err(Refused::new(field, text, problem));
    let digits = text.as_bytes();
    if digits.is_empty() {
        return refuse("is empty, not a whole number");
    }
    if !digits.iter().all(u8::is_ascii_digit) {
        return refuse("is not a whole number in plain digits");
    }
    if digits[0] == b'0' && digits.len() > 1 {
        return refuse("has leading zeros");
    }
    // Seventeen digits cannot overflow 64 bits, so the sum is compared only once.
    if digits.len() > 16 {
        return refuse("is more than 9007199254740991");
    }
    let count = digits.iter().fold(0, |sum, digit| sum * 10 + u64::from(digit - b'0'));
    if count > COUNT_MAX { refuse("is more than 9007199254740991") } else { Ok(count) }
}

/// One of the five task types.
pub fn check_task_type(text: &str) -> Result<TaskType, Refused> {
    TaskType::parse(text.as_bytes()).ok_or_else(|| {
        Refused::new("task_type", text, "is not one of plan, execute, verify, discuss, quick")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn stamp() -> impl Strategy<Value = String> {
        (-62_167_219_200i64..253_402_300_799, 0u32..1_000_000, -1439i32..1440).prop_map(
            |(seconds, micros, offset_min)| {
                let text = format!(
                    "2026-01-01T00:00:00{}{:02}:{:02}",
                    if offset_min < 0 { '-' } else { '+' },
                    offset_min.abs() / 60,
                    offset_min.abs() % 60
                );
                let local = seconds.clamp(-62_167_132_800, 253_402_214_400);
                Timestamp::parse(&text).unwrap().at_microsecond(local, micros).to_string()
            },
        )
    }

    prop_compose! {
        fn row()(
            stamp in stamp(),
            model in "[A-Za-z0-9][A-Za-z0-9._:/@+\\[\\]-]{0,127}",
            prompt_tokens in 0..=COUNT_MAX,
            completion_tokens in 0..=COUNT_MAX,
            success: bool,
            task_type in prop::sample::select(&TaskType::ALL[..]),
            duration_ms in 0..=COUNT_MAX,
            notes in "[^\r\n]{0,80}",
        ) -> Row<'static> {
            Row {
                at: Timestamp::parse(&stamp).unwrap(),
                stamp: Cow::Owned(stamp),
                model: Cow::Owned(model),
                prompt_tokens,
                completion_tokens,
                success,
                task_type,
                duration_ms,
                notes: Cow::Owned(notes),
            }
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(row in row()) {
            prop_assert_eq!(Row::parse(&row.to_line()), Ok(row));
        }

        #[test]
        fn no_line_makes_the_parser_panic(line in "([0-9é]{3,5}-[0-9é]{2}-.{0,9}|.{0,9},){0,9}") {
            let _ = Row::parse(&line);
        }
    }

    #[test]
    fn the_header_is_the_columns() {
        assert_eq!(HEADER, COLUMNS.join(","));
    }

    #[test]
    fn the_longest_row_fits_the_limit() {
        let row = Row {
            at: Timestamp::parse("2026-01-01T00:00:00.123456789+01:00").unwrap(),
            stamp: "2026-01-01T00:00:00.123456789+01:00".into(),
            model: "m".repeat(MODEL_BYTES_MAX).into(),
            prompt_tokens: COUNT_MAX,
            completion_tokens: COUNT_MAX,
            success: false,
            task_type: TaskType::Execute,
            duration_ms: COUNT_MAX,
            notes: "\"".repeat(NOTES_BYTES_MAX).into(),
        };
        assert!(row.to_line().len() < LINE_BYTES_MAX);
    }

    /// Found by fuzzing: letters of several bytes in the place of a date.
    #[test]
    fn any_text_can_be_refused_as_a_timestamp() {
        for text in
            ["", "é", "１２３４", "202６-01-01T00:00:00Z", "2026-01-0é", "日本語日本語日本語日本語"]
        {
            assert_eq!(refuse_timestamp(text).field, "timestamp");
        }
        let problem = |text| refuse_timestamp(text).problem;
        assert_eq!(problem("2026-02-30T00:00:00Z"), "has a date that does not exist");
        assert_eq!(problem("2026-02-20T00:00:60Z"), "has a second 60, which the ledger has not");
        assert_eq!(problem("2026-02-20T00:00:00"), "lacks its offset from UTC: Z or ±hh:mm");
        assert_eq!(problem("soon"), "is not RFC 3339 with an offset");
    }

    #[test]
    fn counts_are_plain_digits_in_range() {
        for good in ["0", "7", "9007199254740991"] {
            assert_eq!(check_count("prompt_tokens", good).unwrap().to_string(), good);
        }
        for bad in ["", "-1", "+1", "01", "1.5", "1e3", "0x10", " 1", "1_000", "１", "1,000"] {
            assert!(check_count("prompt_tokens", bad).is_err(), "{bad}");
        }
        for bad in ["9007199254740992", "10000000000000000", "99999999999999999999999"] {
            assert!(check_count("prompt_tokens", bad).unwrap_err().problem.contains("more than"));
        }
    }
}
