//! What is to be imported, and how.

use std::path::Path;
use std::time::SystemTime;

use crate::intake::import::homes::Homes;
use crate::intake::import::rows::Making;
use crate::intake::import::walk::Group;
use crate::notes::Screen;
use crate::timestamp::{Day, Instant, Timestamp};
use crate::workspace::Place;

/// From when on rows are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Since {
    /// The row's own calendar day.
    Day(Day),
    /// A moment.
    Moment(Instant),
}

/// What is to be imported, and how.
pub struct Import<'a> {
    /// The ledger.
    pub place: &'a Place,
    /// Lines of rows that wait for it.
    pub waiting: &'a [String],
    /// Where transcripts are.
    pub homes: &'a Homes,
    /// How rows are made.
    pub making: Making<'a>,
    /// Nothing older is wanted.
    pub since: Option<Since>,
    /// Rows from before this day were pruned.
    pub border: Option<Day>,
    /// Whether turns that grew get a new revision.
    pub is_refresh: bool,
    /// The clock on the wall.
    pub now: Instant,
    /// The same, as files are stamped.
    pub system_now: SystemTime,
    /// What may not be stored.
    pub screen: &'a Screen<'a>,
    /// How much is read at most; None reads everything.
    pub bound: Option<Bound<'a>>,
    /// Is told of bytes: how many there are to be read, and every one that was.
    pub progress: &'a dyn Fn(Progress),
}

/// How much is read where somebody waits.
#[derive(Clone, Copy)]
pub struct Bound<'a> {
    /// Whose group is read whatever its size.
    pub is_first: &'a dyn Fn(&Path) -> bool,
    /// So much of the other groups is read, the newest first.
    pub bytes_max: u64,
}

/// How far reading is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// So many more bytes are to be read.
    Ahead(u64),
    /// So many were read.
    Read(u64),
}

impl Import<'_> {
    /// Whether a row of this time is wanted.
    pub(super) fn wants(&self, at: Timestamp) -> bool {
        match self.since {
            None => true,
            Some(Since::Day(day)) => at.day() >= day,
            Some(Since::Moment(moment)) => at.instant() >= moment,
        }
    }
}

impl Bound<'_> {
    /// Whether it is read whatever its size.
    pub(super) fn holds_first(&self, group: &Group) -> bool {
        group.files.iter().any(|file| (self.is_first)(&file.path))
    }

    /// Which of these groups are to be read.
    pub(super) fn choose<'g>(&self, groups: impl Iterator<Item = &'g Group>) -> Vec<bool> {
        let newest = |group: &Group| group.files.iter().map(|file| file.modified).max();
        let mut order: Vec<(bool, Option<SystemTime>, usize, u64)> = groups
            .enumerate()
            .map(|(at, group)| (self.holds_first(group), newest(group), at, group.bytes()))
            .collect();
        order.sort_by(|a, b| b.cmp(a));
        let mut left = self.bytes_max;
        let mut chosen = vec![true; order.len()];
        for (is_first, _, at, bytes) in order {
            if !is_first {
                match left.checked_sub(bytes) {
                    Some(rest) => left = rest,
                    None => chosen[at] = false,
                }
            }
        }
        chosen
    }
}
