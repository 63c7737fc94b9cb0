//! Many rows from one input: CSV with a header, or one JSON object a line.

use serde_json::{Map, Value};

use crate::error::{Error, Result, excerpt};
use crate::intake::draft::{Draft, check};
use crate::ledger::Entry;
use crate::row::{COLUMNS, HEADER, Refused};

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
pub struct Batch {
    /// The rows, in the input's order.
    pub entries: Vec<Entry<'static>>,
    /// The lines that were refused.
    pub bad: Vec<BadLine>,
}

/// Reads a whole input. Bad lines are gathered, not raised: the caller decides what they mean.
///
/// # Errors
/// [`Error::BatchHeader`] where no line could be understood.
pub fn read(input: &[u8]) -> Result<Batch> {
    let input = input.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(input);
    match input.trim_ascii_start().first() {
        None => Ok(Batch::default()),
        Some(b'{') => Ok(read_json(input)),
        Some(_) => read_csv(input),
    }
}

fn read_csv(input: &[u8]) -> Result<Batch> {
    let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(input);
    let refuse = |problem| Error::BatchHeader { problem, expected: HEADER };
    let header = reader.headers().map_err(|error| refuse(error.to_string()))?;
    let columns = header.iter().map(|name| name.trim().to_owned()).collect::<Vec<_>>();
    let places = places(&columns).map_err(refuse)?;
    let mut batch = Batch::default();
    let mut record = csv::StringRecord::new();
    loop {
        let line = reader.position().line();
        match reader.read_record(&mut record) {
            Ok(false) => return Ok(batch),
            Ok(true) => {
                let line = record.position().map_or(line, csv::Position::line);
                let fields = match record.len() == columns.len() {
                    true => {
                        Ok(places.map(|at| at.and_then(|at| record.get(at)).unwrap_or_default()))
                    }
                    false => Err(Refused::field_count(record.len())),
                };
                batch.add(line, fields);
            }
            Err(error) => {
                let line = error.position().map_or(line, csv::Position::line);
                batch.add(line, Err(Refused::line("is not UTF-8")));
            }
        }
    }
}

/// Where each column of the ledger stands in the input.
fn places(columns: &[String]) -> Result<[Option<usize>; 8], String> {
    if let Some(unknown) = columns.iter().find(|name| !COLUMNS.contains(&name.as_str())) {
        return Err(format!("\"{}\" is not a column of the ledger", excerpt(unknown)));
    }
    let mut places = [None; 8];
    for (place, column) in places.iter_mut().zip(COLUMNS) {
        let mut found = columns.iter().enumerate().filter(|(_, name)| *name == column);
        *place = found.next().map(|(at, _)| at);
        if found.next().is_some() {
            return Err(format!("the column {column} stands there twice"));
        }
        if place.is_none() && !OPTIONAL.contains(&column) {
            return Err(format!("the column {column} is missing"));
        }
    }
    Ok(places)
}

fn read_json(input: &[u8]) -> Batch {
    let mut batch = Batch::default();
    for (line, text) in (1..).zip(input.split(|b| *b == b'\n')) {
        if text.trim_ascii().is_empty() {
            continue;
        }
        let object = serde_json::from_slice::<Map<String, Value>>(text)
            .map_err(|_| Refused::line("is not a JSON object"));
        let values = object.and_then(json_fields);
        let fields = values.as_ref().map(|values| values.each_ref().map(String::as_str));
        batch.add(line, fields.map_err(Clone::clone));
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

impl Batch {
    fn add(&mut self, line: u64, fields: Result<[&str; 8], Refused>) {
        let checked = fields.and_then(|fields| {
            let [timestamp, model, prompt, completion, success, task_type, duration, notes] =
                fields;
            let entry = check(&Draft {
                timestamp: (!timestamp.is_empty()).then_some(timestamp),
                model,
                prompt_tokens: prompt,
                completion_tokens: completion,
                task_success: success,
                task_type,
                duration,
                notes,
                tags: &[],
            })?;
            Ok(Entry { row: entry.row.into_owned(), ..entry })
        });
        match checked {
            Ok(entry) => self.entries.push(entry),
            Err(refused) => self.bad.push(BadLine { line, problem: refused.to_string() }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn csv_and_json_lines_make_the_same_rows() {
        let csv = "model,prompt_tokens,completion_tokens,task_success,task_type,duration_ms,notes\n\
                   m,1,2,true,plan,3,\"a, b\"\n";
        let json = "\n{\"model\":\"m\",\"prompt_tokens\":1,\"completion_tokens\":\"2\",\
                    \"task_success\":true,\"task_type\":\"plan\",\"duration_ms\":3,\"notes\":\"a, b\"}\n";
        let lines = [csv, json].map(|input| {
            let batch = read(input.as_bytes()).unwrap();
            assert_eq!(batch.bad, []);
            batch.entries.iter().map(|entry| entry.row.to_line()).collect::<Vec<_>>()
        });
        assert_eq!(lines[0], [",m,1,2,true,plan,3,\"a, b\""]);
        assert_eq!(lines[0], lines[1]);
    }

    #[test]
    fn bad_lines_are_named() {
        let csv = "model,prompt_tokens,completion_tokens,task_success,task_type,duration_ms\n\
                   m,1,2,true,plan,3\nm,1,2,maybe,plan,3\nm,1\n";
        let batch = read(csv.as_bytes()).unwrap();
        let problems: Vec<String> =
            batch.bad.iter().map(|bad| format!("{}:{}", bad.line, bad.problem)).collect();
        assert_eq!(batch.entries.len(), 1);
        assert_eq!(problems, ["3:task_success: \"maybe\" is not true or false", "4:2 fields"]);
        let json = "{\"model\":\"m\"}\n{\"modle\":1}\n{]\n";
        assert_eq!(read(json.as_bytes()).unwrap().bad.len(), 3);
    }

    #[test]
    fn a_header_must_name_our_columns() {
        for (header, problem) in [
            ("model,tokens\n", "\"tokens\" is not a column"),
            ("model,prompt_tokens\n", "the column completion_tokens is missing"),
            ("model,model\n", "twice"),
        ] {
            let text = read(header.as_bytes()).unwrap_err().to_string();
            assert!(text.contains(problem), "{text}");
        }
    }
}
