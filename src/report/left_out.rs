//! What is not in the sums, and why.

use serde::{Deserialize, Serialize};

/// A line of a file that was not counted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SkippedLine {
    /// The file, as reports name it.
    pub file: String,
    /// The line, the first being 1.
    pub line: u64,
    /// Why.
    pub reason: String,
}

/// What was left out of the sums.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOut {
    /// Rows that cannot be read.
    pub unreadable: u64,
    /// The first of them.
    pub lines: Vec<SkippedLine>,
    /// Conflict markers, whose both sides are counted.
    pub markers: Vec<SkippedLine>,
    /// Rows that repeat another, byte for byte.
    pub repeated: u64,
    /// Earlier revisions of rows that were amended or refreshed.
    pub corrected: u64,
    /// Rows from before the border of their ledger.
    pub pruned: u64,
}

impl LeftOut {
    /// The same, of two parts.
    pub fn add(&mut self, more: LeftOut) {
        self.unreadable += more.unreadable;
        self.repeated += more.repeated;
        self.corrected += more.corrected;
        self.pruned += more.pruned;
        self.lines.extend(more.lines);
        self.markers.extend(more.markers);
    }
}
