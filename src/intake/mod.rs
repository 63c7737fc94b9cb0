//! The one gate into the ledger: what drafts and batches make is appended here and nowhere else.

pub mod draft;
pub mod batch;

use crate::error::{Error, Result};
use crate::git::branch;
use crate::git::{self, WorkTree};
use crate::ledger;
use crate::ledger::around::Around;
use crate::ledger::compose::{Appended, Entry};
use crate::ledger::fragments;
use crate::ledger::journal::{Home, Journal};
use crate::ledger::segment::Policy;
use crate::setup;
use crate::timestamp::Timestamp;
use crate::workspace::{Layout, Place};

/// Where rows go and how.
pub struct Gate<'a> {
    /// The ledger.
    pub place: &'a Place,
    /// Whether a missing folder is made.
    pub may_create_folder: bool,
    /// Which files of the ledger rows go to.
    pub layout: Layout,
    /// How rows are written.
    pub policy: Policy,
    /// The clock on the wall.
    pub clock: &'a dyn Fn() -> Timestamp,
    /// The git repository around the ledger.
    pub around: Around<'a>,
}

/// Rows that are to wait for the next commit.
#[derive(Clone, Debug)]
pub struct Deferral {
    /// Where they wait.
    pub journal: Journal,
    /// Where they wait if that cannot be written.
    pub fallback: Journal,
    /// Where they belong.
    pub home: Home,
}

impl Deferral {
    /// Where rows for a ledger in this work tree wait; None if they need not.
    pub fn of(tree: &WorkTree, place: &Place) -> Option<Deferral> {
        // A ledger behind a link stands where no commit's rows are folded in.
        if *place != Place::in_repository(place.folder().parent()?) {
            return None;
        }
        let journal = Journal::of_work_tree(&tree.shared(), &tree.own)?;
        let ledger = place.folder().strip_prefix(&tree.top).ok()?.to_owned();
        let home = Home { branch: branch::current(&tree.own), ledger };
        Some(Deferral { journal, fallback: Journal::in_work_tree(&tree.top, &tree.own), home })
    }
}

impl Gate<'_> {
    /// Appends checked rows to the ledger: all of them, or none.
    pub fn append(&self, entries: &mut [Entry<'_>]) -> Result<Appended> {
        match self.layout {
            Layout::Single => self.append_to(self.place, &self.policy, entries, &self.around),
            Layout::Fragments => {
                let max_size = self.policy.max_size;
                let now = (self.clock)();
                let place = fragments::current(self.place, max_size, &git::tracks, now)?;
                let policy = Policy { max_size: u64::MAX, ..self.policy };
                // What git knows of the active segment says nothing about a new file.
                let is_tracked = || git::tracks(&place.active());
                let git_dir = self.around.git_dir.clone();
                let around = Around { is_tracked: &is_tracked, git_dir };
                self.append_to(&place, &policy, entries, &around)
            }
        }
    }

    fn append_to(
        &self,
        place: &Place,
        policy: &Policy,
        entries: &mut [Entry<'_>],
        around: &Around<'_>,
    ) -> Result<Appended> {
        let path = place.active();
        if !path.exists() {
            around.settle();
        }
        if !path.exists() {
            // git may have taken the whole folder away; then nothing is made in its place.
            if !place.folder().is_dir() && (around.is_tracked)() {
                return Err(Error::TrackedButMissing { path });
            }
            setup::prepare(place, self.may_create_folder)?;
        }
        ledger::append(place, policy, entries, self.clock, around)
    }

    /// Lets checked rows wait: all of them, or none.
    pub fn defer(&self, deferral: &Deferral, entries: &mut [Entry<'_>]) -> Result<Appended> {
        let Deferral { journal, fallback, home } = deferral;
        let is_over = || !journal.place().folder().is_dir();
        let append = |journal: &Journal, entries: &mut [Entry<'_>]| {
            journal.append(self.place, home, &self.policy, entries, self.clock)
        };
        if journal.is_writable() {
            match append(journal, entries) {
                Err(Error::Io { .. }) if is_over() => {}
                appended => return appended,
            }
        }
        // The hooks were uninstalled a moment ago.
        if is_over() {
            return self.append(entries);
        }
        setup::prepare(fallback.place(), true)?;
        append(fallback, entries)
    }
}
