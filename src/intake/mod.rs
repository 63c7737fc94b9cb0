//! The one gate into the ledger: what drafts and batches make is appended here and nowhere else.

pub mod draft;
pub mod batch;
pub mod events;
pub mod called;
pub mod import;

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

/// How often a fragment may be gone before a row is in it, until the writer gives up.
const FRAGMENT_TRIES: usize = 10;

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
            Layout::Fragments => self.append_to_fragment(entries),
        }
    }

    /// A fragment is chosen before the lock is ours: `compact` or git may take it away meanwhile, or
    /// its whole folder, and then another is chosen.
    fn append_to_fragment(&self, entries: &mut [Entry<'_>]) -> Result<Appended> {
        let policy = Policy { max_size: u64::MAX, ..self.policy };
        let mut tries = 0..FRAGMENT_TRIES;
        loop {
            let (max_size, now) = (self.policy.max_size, (self.clock)());
            let place = fragments::current(self.place, max_size, &git::tracks, now)?;
            // Whether git tracks the ledger's other files says nothing about this one.
            let is_tracked = || git::tracks(&place.active());
            let git_dir = self.around.git_dir.clone();
            let around = Around { is_tracked: &is_tracked, git_dir };
            let appended = self.append_to(&place, &policy, entries, &around);
            let is_refused =
                matches!(appended, Err(Error::Io { .. } | Error::TrackedButMissing { .. }));
            if !is_refused || place.active().exists() || tries.next().is_none() {
                return appended;
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
        let is_missing = !path.exists();
        if is_missing {
            around.settle();
        }
        if is_missing && !path.exists() {
            // git may have taken the whole folder away; then nothing is made in its place.
            if !place.folder().is_dir() && (self.around.is_tracked)() {
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
