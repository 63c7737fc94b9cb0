//! What is measured of a group of rows. Sums are exact; rates and means are left to be divided once.

use serde::{Deserialize, Serialize};

use crate::figures;
use crate::notes::Tags;
use crate::pricing::quote::Cost;
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
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
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
    /// What the rows cost, in millionths of a dollar, but for those without a price.
    pub cost_micros: u128,
    /// Rows that say themselves what they cost.
    pub told_rows: u64,
    /// Rows without a price.
    pub unpriced: Unpriced,
    /// Tasks that tell of no tokens at all.
    pub without_tokens: u64,
}

/// Rows without a price: what they are worth is left out of every figure of cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unpriced {
    /// All of them.
    pub rows: u64,
    /// Those that are tasks of their own.
    pub tasks: u64,
    /// Tasks that succeeded.
    pub successes: u64,
    /// What they read and wrote.
    pub tokens: u128,
}

/// What one row adds to every group that it belongs to, worked out once.
#[derive(Clone, Copy, Debug)]
pub struct Share {
    prompt_tokens: u64,
    completion_tokens: u64,
    /// 0 also where it is not known.
    cached_tokens: u64,
    duration_ms: u64,
    bucket: Bucket,
    knows_cache: bool,
    success: bool,
    /// None for a sub-agent's row, which is no task of its own.
    origin: Option<Origin>,
    cost: Cost,
}

impl Share {
    /// What the row adds, with the tag block of its notes where there is one, and what it cost.
    #[inline(always)]
    pub fn of(row: &Row<'_>, tags: Option<&Tags<'_>>, cost: Cost) -> Share {
        let (cached, origin) = tags.map_or((None, Some(Origin::People)), from_tags);
        Share {
            prompt_tokens: row.prompt_tokens,
            completion_tokens: row.completion_tokens,
            // Prompt tokens include what came from the cache; a hand-made tag may say otherwise.
            cached_tokens: cached.unwrap_or_default().min(row.prompt_tokens),
            duration_ms: row.duration_ms,
            bucket: Bucket::of(row.duration_ms),
            knows_cache: cached.is_some(),
            success: row.success,
            origin,
            cost,
        }
    }

    /// The duration of a task, to be counted where percentiles are shown.
    #[inline]
    pub fn duration(&self) -> Option<(Bucket, u64)> {
        self.origin.map(|_| (self.bucket, self.duration_ms))
    }
}

/// What came from a cache, and who said whether the task succeeded.
fn from_tags(tags: &Tags<'_>) -> (Option<u64>, Option<Origin>) {
    let origin = match (tags.get("role"), tags.get("source")) {
        (Some("sub"), _) => None,
        (_, None) => Some(Origin::People),
        (_, Some("run")) => Some(Origin::ExitCode),
        (_, Some(_)) => Some(Origin::Agent),
    };
    (tags.count("cache_read"), origin)
}

/// The sums of a few rows in machine words, to be carried over before they can overflow.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tally {
    rows: u32,
    successes: u32,
    origins: [u32; 3],
    prompt_tokens: u64,
    completion_tokens: u64,
    cached_tokens: u64,
    cache_known_tokens: u64,
    duration_ms: u64,
    cost_micros: u128,
    told_rows: u32,
    unpriced_rows: u32,
    unpriced_tasks: u32,
    unpriced_successes: u32,
    unpriced_tokens: u64,
    without_tokens: u32,
}

impl Tally {
    /// So many sums of two counts below 2⁵³ fit into 64 bits.
    const ROWS_MAX: u32 = 1 << 10;

    /// Whether it must be carried over before another row is added.
    #[inline]
    pub fn is_full(&self) -> bool {
        self.rows == Tally::ROWS_MAX
    }

    /// Whether it has no rows.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// Adds one row.
    #[inline]
    pub fn add(&mut self, share: &Share) {
        self.rows += 1;
        self.prompt_tokens += share.prompt_tokens;
        self.completion_tokens += share.completion_tokens;
        if share.knows_cache {
            self.cached_tokens += share.cached_tokens;
            self.cache_known_tokens += share.prompt_tokens;
        }
        if let Some(origin) = share.origin {
            self.origins[origin as usize] += 1;
            self.successes += u32::from(share.success);
            self.duration_ms += share.duration_ms;
            let is_without = share.prompt_tokens + share.completion_tokens == 0;
            self.without_tokens += u32::from(is_without);
        }
        match share.cost.micros {
            Some(micros) => {
                self.cost_micros += micros;
                self.told_rows += u32::from(share.cost.is_told);
            }
            None => {
                let is_task = share.origin.is_some();
                self.unpriced_rows += 1;
                self.unpriced_tasks += u32::from(is_task);
                self.unpriced_successes += u32::from(is_task && share.success);
                self.unpriced_tokens += share.prompt_tokens + share.completion_tokens;
            }
        }
    }
}

impl Measures {
    /// Adds one row.
    pub fn add(&mut self, share: &Share) {
        let mut tally = Tally::default();
        tally.add(share);
        self.add_tally(&tally);
        if let Some((bucket, duration_ms)) = share.duration() {
            self.durations.add(bucket, duration_ms);
        }
    }

    /// Adds sums without their durations.
    pub fn add_tally(&mut self, tally: &Tally) {
        self.rows += u64::from(tally.rows);
        self.successes += u64::from(tally.successes);
        self.prompt_tokens += u128::from(tally.prompt_tokens);
        self.completion_tokens += u128::from(tally.completion_tokens);
        self.cached_tokens += u128::from(tally.cached_tokens);
        self.cache_known_tokens += u128::from(tally.cache_known_tokens);
        self.duration_ms += u128::from(tally.duration_ms);
        for (sum, tasks) in self.origins.iter_mut().zip(tally.origins) {
            *sum += u64::from(tasks);
            self.tasks += u64::from(tasks);
        }
        self.cost_micros += tally.cost_micros;
        self.told_rows += u64::from(tally.told_rows);
        self.unpriced.rows += u64::from(tally.unpriced_rows);
        self.unpriced.tasks += u64::from(tally.unpriced_tasks);
        self.unpriced.successes += u64::from(tally.unpriced_successes);
        self.unpriced.tokens += u128::from(tally.unpriced_tokens);
        self.without_tokens += u64::from(tally.without_tokens);
    }

    /// Adds another group of rows.
    pub fn merge(&mut self, other: &Measures) {
        self.merge_sums(other);
        self.durations.merge(&other.durations);
    }

    /// Adds another group of rows without its durations.
    pub fn merge_sums(&mut self, other: &Measures) {
        self.rows += other.rows;
        self.tasks += other.tasks;
        self.successes += other.successes;
        self.prompt_tokens += other.prompt_tokens;
        self.completion_tokens += other.completion_tokens;
        self.cached_tokens += other.cached_tokens;
        self.cache_known_tokens += other.cache_known_tokens;
        self.duration_ms += other.duration_ms;
        for (mine, theirs) in self.origins.iter_mut().zip(other.origins) {
            *mine += theirs;
        }
        self.cost_micros += other.cost_micros;
        self.told_rows += other.told_rows;
        self.unpriced.rows += other.unpriced.rows;
        self.unpriced.tasks += other.unpriced.tasks;
        self.unpriced.successes += other.unpriced.successes;
        self.unpriced.tokens += other.unpriced.tokens;
        self.without_tokens += other.without_tokens;
    }

    /// What the rows cost, in millionths of a dollar; None where none of them has a price.
    pub fn cost(&self) -> Option<u128> {
        (self.rows == 0 || self.unpriced.rows < self.rows).then_some(self.cost_micros)
    }

    /// What a success cost, rounded half up: of the rows that have a price, those that failed
    /// included. None where none of them is a success.
    pub fn cost_per_success(&self) -> Option<u128> {
        let successes = self.successes - self.unpriced.successes;
        (successes > 0).then(|| figures::divided(self.cost_micros, successes.into()))
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
