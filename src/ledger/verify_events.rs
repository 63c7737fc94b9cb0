//! Is every event as the writer would have written it? Findings, each with its file and line; nothing
//! is changed.

use hashbrown::HashMap;

use crate::error::Result;
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
        reading::read(of, &mut |number, bytes, line, is_whole| {
            let mut find = |what: &str| verified.findings.push(format!("{label}:{number}: {what}"));
            match line {
                Line::Event(event) => {
                    verified.events += 1;
                    let first = *seen.entry(event.id).or_insert((file, number));
                    if first != (file, number) {
                        find(&format!("repeats {}:{}", files[first.0].label, first.1));
                    }
                    if let Some(what) = breach(&event, bytes) {
                        find(what);
                    }
                    if !is_whole {
                        find("lacks its line end");
                    }
                }
                Line::Bad(_) if is_whole && bytes.trim_ascii().is_empty() => find("is blank"),
                Line::Bad(_) if !is_whole && is_active => find("is torn: a writer died here"),
                Line::Bad(why) => find(&format!("cannot be read: {why}")),
            }
        })?;
    }
    verified.files = files.len();
    Ok(verified)
}

/// What readers take as it is, and the writer would not have written.
fn breach(event: &Event, bytes: &[u8]) -> Option<&'static str> {
    let texts = [&event.role, &event.agent, &event.command, &event.error];
    let mut texts = texts.into_iter().flatten().chain(event.attrs.values());
    if texts.any(|text| line::clean(text) != text.as_str()) {
        return Some("holds characters that log-usage takes out");
    }
    (event.to_line().as_bytes() != bytes).then_some("is written otherwise than log-usage does")
}
