//! Which tasks are done again: rows in their order, and how soon another task of the same kind
//! follows one that failed, beside how soon one follows a success.

use std::collections::BTreeMap;

use crate::row::TaskType;
use crate::timestamp::Instant;

/// What begins so soon after the end of a task, in seconds, may be another attempt at it. A row has
/// one moment, its beginning or its end; taken for the beginning, none is missed.
const SOON_S: u64 = 10 * 60;

/// One task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// Its session, where it has one.
    pub session: Option<u64>,
    /// Its type.
    pub task_type: TaskType,
    /// When.
    pub at: Instant,
    /// Whether it succeeded.
    pub is_success: bool,
    /// How long it took, in milliseconds.
    pub duration_ms: u64,
    /// What it cost, in millionths of a dollar, where that is known.
    pub micros: Option<u128>,
}

impl Attempt {
    fn kind(&self) -> (Option<u64>, TaskType) {
        (self.session, self.task_type)
    }
}

/// The tasks of one type, and what followed them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Followed {
    /// Those that failed.
    pub failures: u64,
    /// How many of these were soon followed by another task.
    pub retries: u64,
    /// Those that succeeded.
    pub successes: u64,
    /// How many of these were soon followed by another task.
    pub sequels: u64,
    /// The most tasks in a row of which each but the last failed.
    pub longest: u64,
    /// What the tasks that followed a failure cost, in millionths of a dollar; None where one has no
    /// price.
    pub micros: Option<u128>,
    /// How long they took, in milliseconds.
    pub duration_ms: u128,
}

/// What the newest rows tell.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attempts {
    /// By task type.
    pub types: BTreeMap<TaskType, Followed>,
    /// From the first to the last, in seconds.
    pub seconds: u64,
}

/// Of these tasks, in whatever order. Of two of one kind at one moment one counts, for neither is an
/// attempt at the other, and that which succeeded: it may be the amended one.
pub fn of(mut tasks: Vec<Attempt>) -> Attempts {
    let moments = || tasks.iter().map(|it| it.at.seconds);
    let seconds = moments().max().zip(moments().min()).map_or(0, |(last, first)| last - first);
    tasks.sort_by_key(|it| (it.kind(), it.at, !it.is_success, it.duration_ms));
    tasks.dedup_by_key(|it| (it.kind(), it.at));
    let mut types = BTreeMap::<TaskType, Followed>::new();
    // How many of a chain there were before the task that is looked at.
    let mut before = 0;
    for (at, task) in tasks.iter().enumerate() {
        let known = types.entry(task.task_type);
        let of_type = known.or_insert_with(|| Followed { micros: Some(0), ..Followed::default() });
        let ends = task.at.seconds + (task.duration_ms / 1_000) as i64;
        let is_next = |it: &&Attempt| {
            it.kind() == task.kind() && it.at.seconds <= ends.saturating_add(SOON_S as i64)
        };
        let next = tasks.get(at + 1).filter(is_next);
        before = match next {
            Some(next) if !task.is_success => {
                of_type.retries += 1;
                of_type.micros = of_type.micros.zip(next.micros).map(|(sum, it)| sum + it);
                of_type.duration_ms += u128::from(next.duration_ms);
                of_type.longest = of_type.longest.max(before + 2);
                before + 1
            }
            _ => 0,
        };
        match task.is_success {
            true => {
                of_type.successes += 1;
                of_type.sequels += u64::from(next.is_some());
            }
            false => of_type.failures += 1,
        }
    }
    Attempts { types, seconds: seconds.unsigned_abs() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task(session: Option<u64>, seconds: i64, is_success: bool) -> Attempt {
        let at = Instant { seconds, nanos: 0 };
        let (task_type, duration_ms) = (TaskType::Execute, 60_000);
        Attempt { session, task_type, at, is_success, duration_ms, micros: Some(5) }
    }

    #[test]
    fn a_task_that_soon_follows_a_failure_of_its_kind_is_an_attempt_at_it() {
        let of = |tasks: Vec<Attempt>| of(tasks).types[&TaskType::Execute];
        // Fails twice and succeeds; the next is of another session, the last comes too late.
        let tasks = vec![
            task(Some(1), 660 + 660, true),
            task(Some(1), 0, false),
            task(Some(1), 660, false),
            task(Some(2), 1_400, false),
            task(Some(1), 1_320 + 661, false),
        ];
        let expected = Followed {
            failures: 4,
            retries: 2,
            successes: 1,
            sequels: 0,
            longest: 3,
            micros: Some(10),
            duration_ms: 120_000,
        };
        assert_eq!(of(tasks), expected);
        // What stands at one moment is no attempt at the other, and of another type neither.
        let plan = Attempt { task_type: TaskType::Plan, ..task(None, 20, true) };
        let found = of(vec![task(None, 0, false), task(None, 0, true), plan]);
        assert_eq!((found.failures, found.successes, found.retries), (0, 1, 0));
        // What has no price leaves the sum unknown.
        let unpriced = Attempt { micros: None, ..task(None, 9, true) };
        let found = of(vec![task(None, 0, false), unpriced]);
        assert_eq!((found.retries, found.micros), (1, None));
    }

    #[test]
    fn of_nothing_there_is_nothing() {
        assert_eq!(of(Vec::new()), Attempts::default());
    }
}
