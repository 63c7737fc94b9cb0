//! What advice says: the evidence, and what following it is expected to gain.

use crate::report::advice::attempts::Followed;
use crate::row::TaskType;
use crate::timestamp::Day;

/// What is expected to be gained in a month; the greatest come last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Gain {
    /// Alerts that every check tells of again.
    Alerts(u64),
    /// Bytes that git need not store with each commit.
    Bytes(u64),
    /// Milliseconds.
    Time(u128),
    /// Millionths of a dollar.
    Money(u128),
}

/// One model, and what it did.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// The model.
    pub model: Box<str>,
    /// Its tasks of the type.
    pub tasks: u64,
    /// Those that succeeded.
    pub successes: u64,
    /// Millionths of a dollar per success, or milliseconds a task, as the rule has it.
    pub value: f64,
}

/// What was found, with its evidence.
#[derive(Clone, Debug, PartialEq)]
pub enum Finding {
    /// Another model does as well, and a success costs less, or a task takes less time.
    Better {
        /// Of these tasks.
        task_type: TaskType,
        /// The model that is used.
        from: Record,
        /// The one that does as well.
        to: Record,
        /// The change of the value, at 95 %.
        interval: (f64, f64),
    },
    /// A model reads less of its prompt from a cache than the others do.
    Cache {
        /// Which one.
        model: Box<str>,
        /// The part that it reads from the cache.
        share: f64,
        /// The part that the others do.
        others: f64,
    },
    /// Much fails.
    Failures {
        /// Of these tasks.
        task_type: TaskType,
        /// By this model.
        record: Record,
        /// The part that fails, at least and at most, at 95 %.
        interval: (f64, f64),
        /// The part that fails of such tasks by other models, where these did enough.
        others: Option<f64>,
    },
    /// What failed is done again at once.
    Retries {
        /// Of these tasks.
        task_type: TaskType,
        /// What followed what.
        followed: Followed,
        /// By how much more often another task follows a failure than a success, at 95 %.
        interval: (f64, f64),
    },
    /// Tasks take longer than they did.
    Slower {
        /// Of these tasks.
        task_type: TaskType,
        /// The mean in the newer half of the days and in the older one, in milliseconds.
        means: [f64; 2],
        /// The change, at 95 %.
        interval: (f64, f64),
    },
    /// Tasks take far longer than others, and most of all time.
    Slow {
        /// Of these tasks.
        task_type: TaskType,
        /// Their mean and that of the other types, in milliseconds.
        means: [f64; 2],
        /// How many times as long they take, at 95 %.
        times: (f64, f64),
        /// Their part of all time.
        share: f64,
    },
    /// The ledger's active segment is large, and each commit stores it anew.
    LargeFile {
        /// Its size.
        bytes: u64,
    },
    /// Alerts fire, and nobody has said that they are looked after.
    Alerts {
        /// How many.
        alerts: u64,
        /// The id of the one that fires longest.
        id: String,
        /// Its rule or metric, and its series.
        name: String,
        /// Since when.
        since: Day,
    },
}
