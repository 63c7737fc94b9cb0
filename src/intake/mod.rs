//! The one gate into the ledger: what drafts and batches make is appended here and nowhere else.

pub mod draft;
pub mod batch;

use crate::error::{Error, Result};
use crate::ledger::around::Around;
use crate::ledger::segment::Policy;
use crate::ledger::{self, Appended, Entry};
use crate::setup;
use crate::timestamp::Timestamp;
use crate::workspace::Place;

/// Where rows go and how.
pub struct Gate<'a> {
    /// The ledger.
    pub place: &'a Place,
    /// Whether a missing folder is made.
    pub may_create_folder: bool,
    /// How rows are written.
    pub policy: Policy,
    /// The clock on the wall.
    pub clock: &'a dyn Fn() -> Timestamp,
    /// The git repository around the ledger.
    pub around: Around<'a>,
}

impl Gate<'_> {
    /// Appends checked rows: all of them, or none.
    pub fn append(&self, entries: &mut [Entry<'_>]) -> Result<Appended> {
        let path = self.place.active();
        if !path.exists() {
            self.around.settle();
        }
        if !path.exists() {
            // git may have taken the whole folder away; then nothing is made in its place.
            if !self.place.folder().is_dir() && (self.around.is_tracked)() {
                return Err(Error::TrackedButMissing { path });
            }
            setup::prepare(self.place, self.may_create_folder)?;
        }
        ledger::append(self.place, &self.policy, entries, self.clock, &self.around)
    }
}
