//! Which rows are asked for.

use wildmatch::WildMatch;

use crate::row::TaskType;
use crate::timestamp::{Day, Instant, Timestamp};

/// One end of a selection in time, itself included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bound {
    /// The row's own calendar day.
    Day(Day),
    /// A moment.
    Moment(Instant),
}

/// Which rows are asked for.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    /// From here on.
    pub since: Option<Bound>,
    /// Up to here.
    pub until: Option<Bound>,
    /// Models that match any of these; none means all.
    pub models: Vec<WildMatch>,
    /// Any of these task types; none means all.
    pub task_types: Vec<TaskType>,
}

impl Selection {
    /// Whether it takes rows of this moment.
    pub fn takes_time(&self, at: Timestamp) -> bool {
        let after = |bound: Bound| match bound {
            Bound::Day(day) => at.day() >= day,
            Bound::Moment(moment) => at.instant() >= moment,
        };
        let before = |bound: Bound| match bound {
            Bound::Day(day) => at.day() <= day,
            Bound::Moment(moment) => at.instant() <= moment,
        };
        self.since.is_none_or(after) && self.until.is_none_or(before)
    }

    /// Whether it may take rows between these moments; a row's own day may be another by one than
    /// that of a row of the same moment.
    pub fn may_take_between(&self, first: Timestamp, last: Timestamp) -> bool {
        let after = |bound: Bound| match bound {
            Bound::Day(day) => last.day().0 + 1 >= day.0,
            Bound::Moment(moment) => last.instant() >= moment,
        };
        let before = |bound: Bound| match bound {
            Bound::Day(day) => first.day().0 - 1 <= day.0,
            Bound::Moment(moment) => first.instant() <= moment,
        };
        self.since.is_none_or(after) && self.until.is_none_or(before)
    }

    /// Whether it takes rows of this model.
    pub fn takes_model(&self, name: &str) -> bool {
        self.models.is_empty() || self.models.iter().any(|it| it.matches(name))
    }

    /// Whether it takes rows of this task type.
    pub fn takes_task_type(&self, task_type: TaskType) -> bool {
        self.task_types.is_empty() || self.task_types.contains(&task_type)
    }
}
