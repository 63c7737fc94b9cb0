//! What is measured of a group of rows. Sums are exact; rates and means are left to be divided once.

use crate::notes::Tags;
use crate::report::histogram::{Bucket, Histogram};
use crate::row::Row;

/// Who said whether a task succeeded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// An agent's own end of turn: it finished, not: it is right.
    Agent,
    /// A command's exit code.
    ExitCode,
    /// Whoever logged the row.
    People,
}

/// The sums of a group of rows.
#[derive(Clone, Debug, Default)]
pub struct Measures {
    /// All rows.
    pub rows: u64,
    /// Rows that are tasks of their own: all but those of sub-agents.
    pub tasks: u64,
    /// Tasks that succeeded.
    pub successes: u64,
    /// Everything read.
    pub prompt_tokens: u128,
    /// Everything written.
    pub completion_tokens: u128,
    /// What was read from a cache, of the rows that know it.
    pub cached_tokens: u128,
    /// Everything read, of the rows that know how much came from a cache.
    pub cache_known_tokens: u128,
    /// How long the tasks took, in milliseconds.
    pub duration_ms: u128,
    /// The tasks' durations.
    pub durations: Histogram,
    /// Tasks by who said whether they succeeded, in the order of [`Origin`].
    pub origins: [u64; 3],
}

/// What one row adds to every group that it belongs to, worked out once.
#[derive(Clone, Copy, Debug)]
pub struct Share {
    prompt_tokens: u64,
    completion_tokens: u64,
    cached_tokens: Option<u64>,
    /// None for a sub-agent's row, which is no task of its own.
    task: Option<Task>,
}

#[derive(Clone, Copy, Debug)]
struct Task {
    success: bool,
    duration_ms: u64,
    bucket: Bucket,
    origin: Origin,
}

impl Share {
    /// What the row adds.
    pub fn of(row: &Row<'_>, tags: &Tags<'_>) -> Share {
        let origin = match tags.get("source") {
            None => Origin::People,
            Some("run") => Origin::ExitCode,
            Some(_) => Origin::Agent,
        };
        let task = Task {
            success: row.success,
            duration_ms: row.duration_ms,
            bucket: Bucket::of(row.duration_ms),
            origin,
        };
        Share {
            prompt_tokens: row.prompt_tokens,
            completion_tokens: row.completion_tokens,
            // Prompt tokens include what came from the cache; a hand-made tag may say otherwise.
            cached_tokens: tags.count("cache_read").map(|it| it.min(row.prompt_tokens)),
            task: (tags.get("role") != Some("sub")).then_some(task),
        }
    }
}

impl Measures {
    /// Adds one row.
    pub fn add(&mut self, share: &Share) {
        self.rows += 1;
        self.prompt_tokens += u128::from(share.prompt_tokens);
        self.completion_tokens += u128::from(share.completion_tokens);
        if let Some(cached) = share.cached_tokens {
            self.cached_tokens += u128::from(cached);
            self.cache_known_tokens += u128::from(share.prompt_tokens);
        }
        let Some(task) = share.task else { return };
        self.tasks += 1;
        self.successes += u64::from(task.success);
        self.duration_ms += u128::from(task.duration_ms);
        self.durations.add(task.bucket, task.duration_ms);
        self.origins[task.origin as usize] += 1;
    }

    /// Adds another group of rows.
    pub fn merge(&mut self, other: &Measures) {
        self.rows += other.rows;
        self.tasks += other.tasks;
        self.successes += other.successes;
        self.prompt_tokens += other.prompt_tokens;
        self.completion_tokens += other.completion_tokens;
        self.cached_tokens += other.cached_tokens;
        self.cache_known_tokens += other.cache_known_tokens;
        self.duration_ms += other.duration_ms;
        self.durations.merge(&other.durations);
        for (mine, theirs) in self.origins.iter_mut().zip(other.origins) {
            *mine += theirs;
        }
    }

    /// Prompt and completion tokens together.
    pub fn total_tokens(&self) -> u128 {
        self.prompt_tokens + self.completion_tokens
    }

    /// Tasks of that origin.
    pub fn origin(&self, origin: Origin) -> u64 {
        self.origins[origin as usize]
    }
}
