//! Is every event as the writer would have written it? Findings, each with its file and line; nothing
//! is changed.

use hashbrown::HashMap;
use serde_json::{Map, Value};

use crate::error::{Result, excerpt};
use crate::event::Event;
use crate::event::id::Id;
use crate::ledger::events::reading::{self, Line};
use crate::notes::line;
use crate::workspace::Place;

/// What was looked at, and what is wrong with it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verified {
    /// As `file:line: what`, in the order of files and lines.
    pub findings: Vec<String>,
    /// How many lines cannot be read, but for one that the next event repairs.
    pub unreadable: u64,
    /// How many events there are.
    pub events: u64,
    /// In how many files.
    pub files: usize,
}

/// Looks at every line of every file.
///
/// # Errors
/// A file or folder that cannot be read.
pub fn verify(place: &Place) -> Result<Verified> {
    let mut verified = Verified::default();
    let mut seen: HashMap<Id, (usize, u64)> = HashMap::new();
    let files = reading::files(place)?;
    for (file, of) in files.iter().enumerate() {
        let (label, is_active) = (&of.label, of.is_active());
        let mut found: Vec<(u64, String)> = Vec::new();
        let mut otherwise: HashMap<String, (u64, u64)> = HashMap::new();
        reading::read(of, &mut |number, bytes, line, is_whole| {
            let mut find = |what: String| found.push((number, what));
            match line {
                Line::Event(event) => {
                    verified.events += 1;
                    let first = *seen.entry(event.id).or_insert((file, number));
                    if first != (file, number) {
                        find(format!("repeats {}:{}", files[first.0].label, first.1));
                    }
                    if let Some(what) = breach(&event, bytes) {
                        otherwise.entry(what).or_insert((number, 0)).1 += 1;
                    }
                    if !is_whole {
                        find("lacks its line end".to_owned());
                    }
                }
                Line::Bad(_) if is_whole && bytes.trim_ascii().is_empty() => {
                    find("is blank".to_owned());
                }
                Line::Bad(_) if !is_whole && is_active => {
                    find("is torn: a writer died here".to_owned());
                }
                Line::Bad(why) => {
                    verified.unreadable += 1;
                    find(format!("cannot be read: {why}"));
                }
            }
        })?;
        // What a program does to one line it does to all.
        found.extend(otherwise.into_iter().map(|(what, (line, lines))| match lines {
            1 => (line, what),
            lines => (line, format!("{what} ({lines} such lines)")),
        }));
        found.sort_by_key(|(line, _)| *line);
        let named = |(line, what): (u64, String)| format!("{label}:{line}: {what}");
        verified.findings.extend(found.into_iter().map(named));
    }
    verified.files = files.len();
    Ok(verified)
}

/// What readers take as it is, and the writer would not have written.
fn breach(event: &Event, bytes: &[u8]) -> Option<String> {
    let texts = [&event.role, &event.agent, &event.command, &event.error];
    let mut texts = texts.into_iter().flatten().chain(event.attrs.values());
    if texts.any(|text| line::clean(text) != text.as_str()) {
        return Some("holds characters that log-usage takes out".to_owned());
    }
    let ours = event.to_line();
    (ours.as_bytes() != bytes)
        .then(|| format!("is written otherwise than log-usage does: {}", difference(&ours, bytes)))
}

/// In what two lines of the same event differ.
fn difference(ours: &str, bytes: &[u8]) -> String {
    if bytes.strip_suffix(b"\r") == Some(ours.as_bytes()) {
        return "it ends in CR LF".to_owned();
    }
    let [ours, theirs] = [ours.as_bytes(), bytes]
        .map(|it| serde_json::from_slice::<Map<String, Value>>(it).unwrap_or_default());
    let foreign = theirs.keys().find(|key| !ours.contains_key(*key));
    let other = ours.iter().find(|(key, value)| theirs.get(*key) != Some(value));
    match (foreign, other) {
        (Some(key), _) => format!("it has a field \"{}\"", excerpt(key)),
        (None, Some((key, _))) => format!("the form of \"{key}\""),
        (None, None) => "the order of fields, spaces or escapes".to_owned(),
    }
}
