//! Of a rollout that grew only its last turn and what follows is read: it is added to, never changed.
//! Not of threads that descend from one another, for what one counts depends on the whole of the other;
//! and what is compressed has no place to begin at but its beginning.

use crate::intake::import::codex::thread::{Counted, Thread};
use crate::intake::import::mark::{Mark, Sums};
use crate::intake::import::open::is_compressed;
use crate::intake::import::reading::hash;
use crate::intake::import::walk::{File, Group};

/// Whether reading of these files may begin anywhere else than at the beginning.
pub(super) fn can_go_on(group: &Group) -> bool {
    matches!(group.files.as_slice(), [file] if !is_compressed(&file.path))
}

/// What is left of a group behind a mark; None where all of it has to be read.
pub fn go_on(group: &Group, mark: &Mark, _: &dyn Fn(&File) -> bool) -> Option<Group> {
    can_go_on(group).then(|| Group { mark: Some(mark.clone()), ..group.clone() })
}

impl Counted {
    /// The usage that stands without a sum, and when.
    pub(super) fn alone(&self) -> Option<((i64, u32), [u64; 6])> {
        Some(((self.at.seconds, self.at.nanos), self.last?.fields()))
    }
}

impl Thread {
    /// Whether it tells of its responses one by one.
    pub(super) fn has_records(&self) -> bool {
        self.sums.has_records || !self.records.is_empty()
    }

    /// Whether a turn is the last one.
    pub(super) fn is_last(&self, turn: usize) -> bool {
        turn + 1 == self.turns.len()
    }

    /// Where reading may begin the next time, if it began at `mark` now.
    pub(super) fn mark(&self, mark: Option<&Mark>) -> Option<Mark> {
        let is_alone = self.has_meta && self.parent.is_none() && !self.is_sub;
        if !is_alone || self.first_ordinal > 0 {
            return None;
        }
        let Some((last, before)) = self.turns.split_last() else { return mark.cloned() };
        let begun = self.begun.as_ref()?;
        if mark.is_none() && before.is_empty() {
            return None;
        }
        let counts = || self.counts.iter().rev().filter(|it| !self.is_last(it.turn));
        let total = counts().find_map(|it| it.total).map(|it| it.fields());
        let alone = counts().find(|it| it.total.is_none()).and_then(Counted::alone);
        let ids = before.iter().filter_map(|turn| turn.id.as_deref());
        Some(Mark {
            offset: begun.line.offset,
            lines: begun.line.lines,
            start: (last.start.seconds, last.start.nanos),
            session: self.session.clone(),
            cwd: begun.cwd.clone(),
            model: begun.model.as_ref().map(|model| model.to_string()),
            is_planning: begun.is_planning,
            earlier: self.earlier.iter().copied().chain(ids.map(|id| hash(&[id]))).collect(),
            sums: Some(Sums {
                thread: self.id.clone(),
                has_records: self.has_records(),
                total: total.or(self.sums.total),
                alone: alone.or(self.sums.alone),
            }),
        })
    }
}
