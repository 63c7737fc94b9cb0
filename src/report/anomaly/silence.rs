//! Days without a task of a series that was regular, while the rest of the ledger was at work.

use std::collections::BTreeMap;

use crate::report::anomaly::chance::{median, score_of};
use crate::timestamp::Day;

/// What is usual is learned from so many days before: four of every weekday.
const WINDOW_DAYS: i32 = 28;

/// A series is regular if it goes back so far: then every weekday was seen twice.
const AGE_DAYS_MIN: i32 = 14;

/// The last week tells whether a series has become smaller since.
const RECENT_DAYS: i32 = 7;

/// Where less than half of what was expected of all others is there, it is a holiday.
const AT_WORK: f64 = 0.5;

/// Counts of days scatter by at least this (as the square of a share: 14 %) beyond chance.
const SPREAD_MIN: f64 = 0.02;

/// Tasks by day; days without tasks are not there.
pub(crate) type Counts = BTreeMap<Day, u64>;

/// A series that has been silent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Quiet {
    /// Since this day.
    pub(crate) since: Day,
    /// How likely that is, as a logarithm.
    ln_chance: f64,
    /// How many tasks were expected since.
    pub(crate) expected: f64,
    /// Whether it was told.
    pub(crate) is_told: bool,
}

impl Quiet {
    /// How unlikely the silence is.
    pub(crate) fn score(&self) -> f64 {
        score_of(self.ln_chance)
    }
}

/// The silence of a series after another day of the ledger that is over.
pub(crate) fn after(
    quiet: Option<Quiet>,
    counts: &Counts,
    all: &Counts,
    day: Day,
) -> Option<Quiet> {
    if counts.contains_key(&day) {
        return None;
    }
    let since = quiet.map_or(day, |it| it.since);
    let expected = |of| Expected::of(of, all, since, day);
    let (Some(own), Some(of_all)) = (expected(counts), expected(all)) else { return quiet };
    let rest = of_all.tasks - own.tasks;
    let is_at_work = all.get(&day).is_some_and(|tasks| *tasks as f64 >= AT_WORK * rest.max(1.0));
    if !is_at_work {
        return quiet;
    }
    let mut quiet = quiet.unwrap_or(Quiet { since, ln_chance: 0.0, expected: 0.0, is_told: false });
    quiet.ln_chance += own.ln_chance_of_none();
    quiet.expected += own.tasks;
    Some(quiet)
}

/// The days of a window that are no holidays: with at least half as many tasks as the middle one of
/// the same weekdays.
fn at_work(all: &Counts, from: Day, until: Day) -> Vec<Day> {
    let days = || all.range(from..=until).map(|(day, tasks)| (*day, *tasks as f64));
    let usual = |weekday: usize| {
        let same = days().filter(|(day, _)| usize::from(day.weekday()) == weekday);
        median(same.map(|(_, tasks)| tasks)).unwrap_or(0.0)
    };
    let usual: [f64; 7] = std::array::from_fn(usual);
    let is_usual =
        |(day, tasks): &(Day, f64)| *tasks >= AT_WORK * usual[usize::from(day.weekday())];
    days().filter(is_usual).map(|(day, _)| day).collect()
}

/// How many tasks were to be expected.
struct Expected {
    tasks: f64,
    /// How far days scatter beyond chance, as the square of a share.
    spread: f64,
}

impl Expected {
    /// What is expected of a day by the same weekdays before the silence began. Holidays
    /// do not count.
    fn of(counts: &Counts, all: &Counts, since: Day, day: Day) -> Option<Expected> {
        let (first, _) = counts.first_key_value()?;
        if since.0.saturating_sub(first.0) < AGE_DAYS_MIN {
            return None;
        }
        let from = Day(since.0.saturating_sub(WINDOW_DAYS)).max(*first);
        let until = Day(since.0 - 1);
        let window = at_work(all, from, until);
        let (mut sums, mut days) = ([0.0; 7], [0.0; 7]);
        let count = |day: &Day| counts.get(day).map_or(0.0, |tasks| *tasks as f64);
        for day in &window {
            sums[usize::from(day.weekday())] += count(day);
            days[usize::from(day.weekday())] += 1.0;
        }
        let mean = |day: &Day| {
            let number = usize::from(day.weekday());
            sums[number] / f64::max(days[number], 1.0)
        };
        if days[usize::from(day.weekday())] < 2.0 {
            return None;
        }
        let (mut beyond, mut squares) = (0.0, 0.0);
        let (mut recent, mut usual) = (0.0, 0.0);
        for day in &window {
            let (count, mean) = (count(day), mean(day));
            // The means were learned from four days each: these scatter around them by a quarter less.
            beyond += (count - mean).powi(2) * 4.0 / 3.0 - mean;
            squares += mean * mean;
            if day.0 >= since.0 - RECENT_DAYS {
                recent += count;
                usual += mean;
            }
        }
        let level = if usual > 0.0 { (recent / usual).min(1.0) } else { 0.0 };
        let spread = if squares > 0.0 { (beyond / squares).max(SPREAD_MIN) } else { SPREAD_MIN };
        Some(Expected { tasks: mean(&day) * level, spread })
    }

    /// The chance of a day without a task, as a logarithm: counts that scatter beyond chance are
    /// those of a negative binomial distribution.
    fn ln_chance_of_none(&self) -> f64 {
        -(self.tasks * self.spread).ln_1p() / self.spread
    }
}
