//! Is every line of every file sound? Findings, each with its file and line; nothing is changed.

use std::io::{self, Read};

use hashbrown::HashMap;

use crate::ledger::distinct;
use crate::ledger::files::Role;
use crate::ledger::scan::{self, Item};
use crate::timestamp::Instant;

/// Something that is not as we would have written it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// Which file, by its place in the order of reading.
    pub file: usize,
    /// Its line, the first being 1.
    pub line: u64,
    /// What is wrong.
    pub what: String,
}

/// What is known of all files read so far.
#[derive(Default)]
pub struct Verifier {
    findings: Vec<Finding>,
    labels: Vec<String>,
    /// Where each row was first seen, by what makes it the same row.
    seen: HashMap<(Instant, u128), (usize, u64)>,
    rows: u64,
}

impl Verifier {
    /// Reads one file.
    ///
    /// # Errors
    /// The reader's own.
    pub fn read(&mut self, label: &str, role: Role, input: impl Read) -> io::Result<()> {
        let file = self.labels.len();
        self.labels.push(label.to_owned());
        let mut newest: Option<Instant> = None;
        let mut has_header = false;
        let mut last_bad = None;
        let scanned = scan::scan(input, &mut |line, item| {
            let mut find = |what: String| self.findings.push(Finding { file, line, what });
            match item {
                Item::Row(row) => {
                    self.rows += 1;
                    let at = row.at.instant();
                    if newest.is_some_and(|newest| at < newest) {
                        find("is earlier than a row before it".to_owned());
                    }
                    newest = newest.max(Some(at));
                    let key = (at, distinct::fingerprint(&row));
                    match self.seen.get(&key) {
                        None => {
                            self.seen.insert(key, (file, line));
                        }
                        Some((first, at)) => find(match *first == file {
                            true => format!("repeats line {at}"),
                            false => format!("repeats {}:{at}", self.labels[*first]),
                        }),
                    }
                }
                Item::Bad(refused) => {
                    last_bad = Some(line);
                    find(format!("cannot be read: {refused}"));
                }
                Item::Header if has_header => find("repeats the header".to_owned()),
                Item::Header => has_header = true,
                Item::Marker => find("is a marker of a merge conflict".to_owned()),
                Item::Blank => find("is blank".to_owned()),
            }
        })?;
        let traits = match scanned {
            Ok(traits) => traits,
            Err(refusal) => {
                self.findings.push(Finding { file, line: refusal.line, what: refusal.reason });
                return Ok(());
            }
        };
        if let Some(line) = traits.unfinished {
            let is_torn = last_bad == Some(line) && role == Role::Active;
            match self.findings.last_mut().filter(|_| is_torn) {
                Some(last) => last.what = "is torn: a writer died here".to_owned(),
                None => {
                    let what = "lacks its line end".to_owned();
                    self.findings.push(Finding { file, line, what });
                }
            }
        }
        let mut find = |line, what: &str| {
            self.findings.push(Finding { file, line, what: what.to_owned() });
        };
        if traits.has_bom {
            find(1, "begins with a byte order mark");
        }
        if traits.is_headerless {
            find(1, "is not the header");
        }
        if traits.has_other_columns {
            find(1, "has other columns than the ledger's, or another order");
        }
        if let Some(line) = traits.first_crlf {
            find(line, "ends in CRLF");
        }
        Ok(())
    }

    /// All findings as `file:line: what`, in the order of files and lines; and how many rows and
    /// files were read.
    pub fn finish(mut self) -> (Vec<String>, u64, usize) {
        self.findings.sort();
        let labels = &self.labels;
        let text = |it: &Finding| format!("{}:{}: {}", labels[it.file], it.line, it.what);
        (self.findings.iter().map(text).collect(), self.rows, labels.len())
    }
}
