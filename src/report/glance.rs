//! A ledger at a glance: today, this week, the last two weeks day by day, and the newest rows.

use crate::report::aggregate::Aggregate;
use crate::report::alert::finding::Finding;
use crate::report::measures::Measures;
use crate::report::period::Period;
use crate::row::TaskType;
use crate::timestamp::Day;

/// So many days are shown one by one.
pub const DAYS: usize = 14;

/// So many of the newest rows are looked for: more than any screen is high.
pub const NEWEST: usize = 100;

/// One of the newest rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Latest {
    /// When, on the clock where it was logged: `2026-11-21 22:05:09`.
    pub time: String,
    /// The model.
    pub model: String,
    /// The task type.
    pub task_type: TaskType,
    /// Whether it succeeded.
    pub success: bool,
    /// Everything read.
    pub prompt_tokens: u64,
    /// Everything written.
    pub completion_tokens: u64,
    /// How long it took.
    pub duration_ms: u64,
}

/// What is shown.
#[derive(Clone, Debug)]
pub struct Glance {
    /// The viewer's day.
    pub today: Day,
    /// The rows of today, of this week and of the week before.
    pub periods: [(&'static str, Measures); 3],
    /// What each of the last days took, oldest first: cost, else tokens where nothing has a price.
    pub days: [u128; DAYS],
    /// Whether anything has a price.
    pub has_costs: bool,
    /// The newest rows, newest first.
    pub newest: Vec<Latest>,
    /// The alerts that fire, the worst first.
    pub firing: Vec<Finding>,
    /// All rows of the ledger.
    pub rows: u64,
    /// How many lines cannot be read.
    pub unreadable: u64,
    /// Why this is not the newest there is.
    pub problem: Option<String>,
}

/// Looks at the sums of a whole ledger from that day.
pub fn build(
    aggregate: &Aggregate,
    newest: Vec<Latest>,
    firing: Vec<Finding>,
    today: Day,
    unreadable: u64,
) -> Glance {
    let week = Period::week(today);
    let sum = |period: &Period| {
        let mut sum = Measures::default();
        let within = aggregate.days.iter().filter(|(day, _)| period.holds(*day));
        within.for_each(|(_, measures)| sum.merge_sums(measures));
        sum
    };
    let has_costs = aggregate.days.iter().any(|(_, it)| it.unpriced.rows < it.rows);
    let mut days = [0; DAYS];
    for (day, measures) in aggregate.days.iter() {
        let age = usize::try_from(today.0 - day.0).ok().filter(|age| *age < DAYS);
        if let Some(age) = age {
            let size = if has_costs { measures.cost_micros } else { measures.total_tokens() };
            days[DAYS - 1 - age] += size;
        }
    }
    Glance {
        today,
        periods: [
            ("Today", sum(&Period::days(today, today))),
            ("This week", sum(&week)),
            ("Last week", sum(&week.before())),
        ],
        days,
        has_costs,
        newest,
        firing,
        rows: aggregate.rows,
        unreadable,
        problem: None,
    }
}
