//! What became of an import: what was found, and what is to be written.

use std::collections::BTreeMap;
use std::time::SystemTime;

use crate::intake::import::cursor::{Known, Part};
use crate::intake::import::reading::Findings;
use crate::ledger::compose::Entry;
use crate::redact::withheld::Withheld;

/// What became of one source.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Its name.
    pub name: &'static str,
    /// Sessions of ours.
    pub sessions: u64,
    /// Finished turns of ours.
    pub turns: u64,
    /// Rows that are new.
    pub new: u64,
    /// Rows that stand in the ledger.
    pub there: u64,
    /// Rows that get a new revision.
    pub revised: u64,
    /// Rows of which there is more now, but that are left as they are.
    pub grown: u64,
    /// Turns that may go on.
    pub unfinished: u64,
    /// Turns of other folders.
    pub elsewhere: u64,
    /// Turns that stand in the ledger as what a tool printed.
    pub as_result: u64,
    /// Rows from before the day that was asked for.
    pub too_old: u64,
    /// Rows from before what was pruned.
    pub pruned: u64,
    /// Rows that may not be stored, and why.
    pub refused: Vec<String>,
    /// What the new rows cost, in microdollars.
    pub cost: u64,
    /// Files that did not change since they were imported.
    pub unchanged: u64,
    /// Groups of files that were not read, for there was too much of them.
    pub unread: u64,
    /// Whether the files that were to be read first are there.
    pub has_first: bool,
    /// When the oldest of the files was changed that hold turns of ours.
    pub oldest: Option<SystemTime>,
    /// What was found in the files.
    pub findings: Findings,
}

impl Tally {
    /// Counts what is known of transcripts, or of a part of them, and need not be read again.
    pub(super) fn count(&mut self, part: &Part) {
        self.sessions += part.sessions.len() as u64;
        self.turns += part.turns;
        self.elsewhere += part.elsewhere;
        self.there += part.rows.len() as u64;
    }
}

/// What is to be appended, and what is to be said.
#[derive(Default)]
pub struct Imports {
    /// The rows, oldest first.
    pub entries: Vec<Entry<'static>>,
    /// What became of each source.
    pub tallies: Vec<Tally>,
    /// Models without a price, with the tokens of their new rows.
    pub unpriced: BTreeMap<String, u64>,
    /// What was kept out of the rows.
    pub withheld: Withheld,
    /// What need not be read again once the rows are in the ledger.
    pub known: Vec<(&'static str, Known)>,
}
