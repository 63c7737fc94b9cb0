//! Many rows from one input: CSV with a header, or one JSON object a line.

use std::str;

use serde_json::{Map, Value};

use crate::error::{Error, Result, excerpt};
use crate::intake::draft::{Draft, check};
use crate::ledger::border;
use crate::ledger::compose::Entry;
use crate::ledger::fields::RECORD_BYTES_MAX;
use crate::notes::Screen;
use crate::record::{self, Unquoter};
use crate::redact::withheld::Withheld;
use crate::row::{COLUMNS, HEADER, Refused};
use crate::timestamp::Day;

/// Columns that a batch may leave out.
const OPTIONAL: [&str; 2] = ["timestamp", "notes"];

/// A line that was refused.
#[derive(Debug, PartialEq, Eq)]
pub struct BadLine {
    /// Its number, the first being 1.
    pub line: u64,
    /// What is wrong with it.
    pub problem: String,
}

/// What an input holds.
#[derive(Debug, Default)]
pub struct Batch<'a> {
    /// The rows, in the input's order.
    pub entries: Vec<Entry<'a>>,
    /// The lines that were refused.
    pub bad: Vec<BadLine>,
    /// What was kept out of the rows.
    pub withheld: Withheld,
    /// Rows from before this day are refused.
    border: Option<Day>,
}

/// Reads a whole input. Bad lines are gathered, not raised: the caller decides what they mean. Rows
/// from before the ledger's `border` are among them.
///
/// # Errors
/// [`Error::BatchHeader`] where no line could be understood.
pub fn read<'a>(input: &'a [u8], border: Option<Day>, screen: &Screen<'_>) -> Result<Batch<'a>> {
    let input = input.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(input);
    match input.trim_ascii_start().first() {
        None => Ok(Batch::default()),
        Some(b'{') => Ok(read_json(input, border, screen)),
        Some(_) => read_csv(input, border, screen),
    }
}

fn read_csv<'a>(input: &'a [u8], border: Option<Day>, screen: &Screen<'_>) -> Result<Batch<'a>> {
    let mut batch = Batch { border, ..Batch::default() };
    // Most lines are rows; where there is no room for so many, it will be found out row by row.
    let _ = batch.entries.try_reserve(memchr::memchr_iter(b'\n', input).count());
    let mut unquoter = Unquoter::default();
    let mut columns: Option<Columns> = None;
    let (mut at, mut line) = (0, 1);
    while at < input.len() {
        let rest = &input[at..];
        let line_end = memchr::memchr(b'\n', rest).unwrap_or(rest.len());
        let closed = match memchr::memchr(b'"', &rest[..line_end]) {
            None => Some(line_end),
            Some(_) => quoted_end(rest),
        };
        let end = closed.unwrap_or(line_end);
        let record = rest[..end].strip_suffix(b"\r").unwrap_or(&rest[..end]);
        let text = match closed {
            // Only this line is lost; what follows is read as if it had been closed.
            None => Err(Refused::line("a quote that is not closed, or closed too early")),
            Some(_) if record.len() > RECORD_BYTES_MAX => Err(Refused::line("longer than 64 KiB")),
            Some(_) => str::from_utf8(record).map_err(|_| Refused::line("is not UTF-8")),
        };
        if !record.trim_ascii().is_empty() {
            match &columns {
                None => columns = Some(Columns::named(line, text, &mut unquoter)?),
                Some(columns) => {
                    let withheld = &mut batch.withheld;
                    let checked = text.and_then(|text| match text.contains('"') {
                        false => entry(&columns.pick(text.split(','))?, screen, withheld),
                        true => {
                            let fields = unquoter.fields(text);
                            let fields = fields.ok_or_else(|| Refused::line("too many fields"))?;
                            entry(&columns.pick(fields)?, screen, withheld).map(Entry::into_owned)
                        }
                    });
                    batch.add(line, checked);
                }
            }
        }
        line += memchr::memchr_iter(b'\n', &rest[..end]).count() as u64 + 1;
        at += end + 1;
    }
    Ok(batch)
}

/// The end of a record with quotes; None where a quote is stray.
fn quoted_end(rest: &[u8]) -> Option<usize> {
    match record::end(rest) {
        Some(end) => end.ok(),
        // The last record may lack its line end, but not a closing quote.
        None => (!record::has_open_quote(rest)).then_some(rest.len()),
    }
}

/// Which of the ledger's columns each of the input's is.
struct Columns {
    columns: Vec<usize>,
}

impl Columns {
    fn named(line: u64, header: Result<&str, Refused>, unquoter: &mut Unquoter) -> Result<Columns> {
        let refuse = |problem| Error::BatchHeader { line, problem, expected: HEADER };
        let header = header.map_err(|refused| refuse(refused.to_string()))?;
        let names = unquoter.fields(header).ok_or_else(|| refuse("too many columns".to_owned()))?;
        let names: Vec<String> = names.map(|name| name.trim().to_owned()).collect();
        Ok(Columns { columns: columns(&names).map_err(refuse)? })
    }

    fn pick<'a>(&self, all: impl Iterator<Item = &'a str>) -> Result<[&'a str; 8], Refused> {
        let mut fields = [""; 8];
        let mut width = 0;
        for field in all {
            if let Some(column) = self.columns.get(width) {
                fields[*column] = field;
            }
            width += 1;
        }
        if width == self.columns.len() { Ok(fields) } else { Err(Refused::field_count(width)) }
    }
}

/// Which of the ledger's columns each of these is.
fn columns(names: &[String]) -> Result<Vec<usize>, String> {
    let column = |name: &String| COLUMNS.iter().position(|it| it == name);
    if let Some(unknown) = names.iter().find(|name| column(name).is_none()) {
        return Err(format!("\"{}\" is not a column of the ledger", excerpt(unknown)));
    }
    let columns: Vec<usize> = names.iter().filter_map(column).collect();
    for (number, name) in COLUMNS.iter().enumerate() {
        match columns.iter().filter(|it| **it == number).count() {
            0 if !OPTIONAL.contains(name) => return Err(format!("the column {name} is missing")),
            0 | 1 => {}
            _ => return Err(format!("the column {name} stands there twice")),
        }
    }
    Ok(columns)
}

fn read_json(input: &[u8], border: Option<Day>, screen: &Screen<'_>) -> Batch<'static> {
    let mut batch = Batch { border, ..Batch::default() };
    for (line, text) in (1..).zip(input.split(|b| *b == b'\n')) {
        if text.trim_ascii().is_empty() {
            continue;
        }
        let object = serde_json::from_slice::<Map<String, Value>>(text)
            .map_err(|_| Refused::line("is not a JSON object"));
        let values = object.and_then(json_fields);
        let withheld = &mut batch.withheld;
        let checked = values.and_then(|values| {
            let fields = values.each_ref().map(String::as_str);
            entry(&fields, screen, withheld).map(Entry::into_owned)
        });
        batch.add(line, checked);
    }
    batch
}

fn json_fields(mut object: Map<String, Value>) -> Result<[String; 8], Refused> {
    if let Some(unknown) = object.keys().find(|key| !COLUMNS.contains(&key.as_str())) {
        return Err(Refused::line(format!(
            "\"{}\" is not a column of the ledger",
            excerpt(unknown)
        )));
    }
    let mut fields = [const { String::new() }; 8];
    for (slot, column) in fields.iter_mut().zip(COLUMNS) {
        *slot = match object.remove(column) {
            Some(Value::String(text)) => text,
            Some(value @ (Value::Number(_) | Value::Bool(_))) => value.to_string(),
            None | Some(Value::Null) if OPTIONAL.contains(&column) => String::new(),
            None => return Err(Refused::line(format!("{column} is missing"))),
            Some(other) => {
                return Err(Refused::new(column, &other.to_string(), "is not a plain value"));
            }
        };
    }
    Ok(fields)
}

impl<'a> Batch<'a> {
    fn add(&mut self, line: u64, checked: Result<Entry<'a>, Refused>) {
        let kept = checked.and_then(|entry| match self.border {
            Some(border) if entry.is_dated && entry.row.at.day() < border => {
                Err(border::refuse(&entry.row.stamp, border))
            }
            _ => Ok(entry),
        });
        match kept {
            Ok(entry) => self.entries.push(entry),
            Err(refused) => self.bad.push(BadLine { line, problem: refused.to_string() }),
        }
    }
}

/// The row of these fields, in the ledger's order.
fn entry<'a>(
    fields: &[&'a str; 8],
    screen: &Screen<'_>,
    withheld: &mut Withheld,
) -> Result<Entry<'a>, Refused> {
    let [timestamp, model, prompt, completion, success, task_type, duration, notes] = *fields;
    let draft = Draft {
        timestamp: (!timestamp.is_empty()).then_some(timestamp),
        model,
        prompt_tokens: prompt,
        completion_tokens: completion,
        task_success: success,
        task_type,
        duration,
        notes,
        tags: &[],
    };
    check(&draft, screen, withheld)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redact::Redactor;

    fn read(input: &[u8], border: Option<Day>) -> Result<Batch<'_>> {
        let screen =
            Screen { redactor: &Redactor::default(), forbids_notes: false, forbids_tags: false };
        super::read(input, border, &screen)
    }

    #[test]
    fn csv_and_json_lines_make_the_same_rows() {
        let csv = "model,prompt_tokens,completion_tokens,task_success,task_type,duration_ms,notes\n\
                   m,1,2,true,plan,3,\"a, b\"\n";
        let json = "\n{\"model\":\"m\",\"prompt_tokens\":1,\"completion_tokens\":\"2\",\
                    \"task_success\":true,\"task_type\":\"plan\",\"duration_ms\":3,\"notes\":\"a, b\"}\n";
        let lines = [csv, json].map(|input| {
            let batch = read(input.as_bytes(), None).unwrap();
            assert_eq!(batch.bad, []);
            batch.entries.iter().map(|entry| entry.row.to_line()).collect::<Vec<_>>()
        });
        assert_eq!(lines[0], [",m,1,2,true,plan,3,\"a, b\""]);
        assert_eq!(lines[0], lines[1]);
    }

    #[test]
    fn a_stray_quote_costs_one_line() {
        let csv = "model,prompt_tokens,completion_tokens,task_success,task_type,duration_ms,notes\n\
                   m,1,2,true,plan,3,\"two\nlines\"\nm,1,2,true,plan,3,\"open\n\
                   m,1,2,true,plan,3,next\nm,1,2,true,plan,3,\"last\"";
        let batch = read(csv.as_bytes(), None).unwrap();
        let notes: Vec<&str> = batch.entries.iter().map(|entry| &*entry.row.notes).collect();
        assert_eq!(notes, ["two lines", "next", "last"]);
        assert_eq!(batch.bad.iter().map(|bad| bad.line).collect::<Vec<_>>(), [4]);
    }

    #[test]
    fn bad_lines_are_named() {
        let csv = "model,prompt_tokens,completion_tokens,task_success,task_type,duration_ms\n\
                   m,1,2,true,plan,3\nm,1,2,maybe,plan,3\nm,1\n";
        let batch = read(csv.as_bytes(), None).unwrap();
        let problems: Vec<String> =
            batch.bad.iter().map(|bad| format!("{}:{}", bad.line, bad.problem)).collect();
        assert_eq!(batch.entries.len(), 1);
        assert_eq!(problems, ["3:task_success: \"maybe\" is not true or false", "4:2 fields"]);
        let json = "{\"model\":\"m\"}\n{\"modle\":1}\n{]\n";
        assert_eq!(read(json.as_bytes(), None).unwrap().bad.len(), 3);
    }

    #[test]
    fn a_header_must_name_our_columns() {
        for (header, problem) in [
            ("model,tokens\n", "\"tokens\" is not a column"),
            ("model,prompt_tokens\n", "the column completion_tokens is missing"),
            ("model,model\n", "twice"),
        ] {
            let text = read(header.as_bytes(), None).unwrap_err().to_string();
            assert!(text.contains(problem), "{text}");
        }
    }
}
