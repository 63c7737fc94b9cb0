//! What is compared of two sides: the table of measures. A new one is one row.

use std::collections::BTreeMap;

use crate::report::compare::estimate::{Percentile, Ratio};
use crate::report::interval::newcombe;
use crate::report::measures::Measures;
use crate::timestamp::Day;

/// The sums of some rows, in all and by day.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sums {
    /// All of them.
    pub all: Measures,
    /// Those of each day with rows, without durations.
    pub days: BTreeMap<Day, Measures>,
}

impl Sums {
    /// Adds rows of a day.
    pub fn add(&mut self, day: Day, measures: &Measures) {
        self.all.merge(measures);
        self.days.entry(day).or_default().merge_sums(measures);
    }

    /// Its first and its last day.
    pub fn span(&self) -> Option<(Day, Day)> {
        let days = || self.days.keys().copied();
        days().min().zip(days().max())
    }
}

/// What a value counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Things.
    Count,
    /// Millionths of a dollar.
    Money,
    /// Milliseconds.
    Duration,
    /// Parts of one.
    Share,
}

/// How a value is made, and so how far chance may move it.
#[derive(Clone, Copy, Debug)]
pub enum Figure {
    /// A sum: two sides of different length differ by that alone, and no interval says how much.
    Sum(fn(&Sums) -> u128),
    /// Tasks that succeeded, of all.
    Success,
    /// A sum of a day by another.
    Ratio(fn(&Measures) -> (f64, f64)),
    /// A percentile of durations.
    Percentile(u64),
}

/// Something that both sides have.
#[derive(Debug)]
pub struct Measure {
    /// Its name in machine formats.
    pub key: &'static str,
    /// Its name for people.
    pub name: &'static str,
    /// What it counts.
    pub unit: Unit,
    /// How it is made.
    pub figure: Figure,
    /// Whether the changes of single models and task types are looked at for it.
    pub is_split: bool,
    /// Whether its trend is told.
    pub has_trend: bool,
}

/// Two of the same name are one.
impl PartialEq for Measure {
    fn eq(&self, other: &Measure) -> bool {
        self.key == other.key
    }
}

const fn sum(key: &'static str, name: &'static str, unit: Unit, of: fn(&Sums) -> u128) -> Measure {
    let figure = Figure::Sum(of);
    Measure { key, name, unit, figure, is_split: false, has_trend: false }
}

const fn ratio(
    key: &'static str,
    name: &'static str,
    unit: Unit,
    of: fn(&Measures) -> (f64, f64),
) -> Measure {
    let figure = Figure::Ratio(of);
    Measure { key, name, unit, figure, is_split: false, has_trend: false }
}

impl Measure {
    const fn split(self) -> Measure {
        Measure { is_split: true, ..self }
    }

    const fn trending(self) -> Measure {
        Measure { has_trend: true, ..self }
    }
}

/// Every measure, in the order in which they are shown.
pub const MEASURES: [Measure; 14] = [
    sum("tasks", "Tasks", Unit::Count, |it| it.all.tasks.into()).trending(),
    sum("days", "Days with rows", Unit::Count, |it| it.days.len() as u128),
    ratio("tasks_per_day", "Tasks a day", Unit::Count, |it| (it.tasks as f64, 1.0)),
    Measure {
        key: "success_rate",
        name: "Succeeded",
        unit: Unit::Share,
        figure: Figure::Success,
        is_split: true,
        has_trend: true,
    },
    sum("tokens", "Tokens", Unit::Count, |it| it.all.total_tokens()),
    ratio("tokens_per_task", "Tokens a task", Unit::Count, |it| {
        (it.total_tokens() as f64, it.tasks as f64)
    })
    .split()
    .trending(),
    ratio("cached_share", "Prompt from cache", Unit::Share, |it| {
        (it.cached_tokens as f64, it.cache_known_tokens as f64)
    })
    .trending(),
    sum("cost", "Cost *", Unit::Money, |it| it.all.cost_micros).trending(),
    ratio("cost_per_day", "Cost a day *", Unit::Money, |it| (it.cost_micros as f64, 1.0)),
    ratio("cost_per_task", "Cost a task *", Unit::Money, |it| {
        (it.cost_micros as f64, (it.tasks - it.unpriced.tasks) as f64)
    })
    .split()
    .trending(),
    ratio("cost_per_success", "Cost per success *", Unit::Money, |it| {
        (it.cost_micros as f64, (it.successes - it.unpriced.successes) as f64)
    })
    .split(),
    ratio("duration_mean", "Mean duration", Unit::Duration, |it| {
        (it.duration_ms as f64, it.tasks as f64)
    })
    .split()
    .trending(),
    Measure {
        key: "duration_p50",
        name: "p50 of durations",
        unit: Unit::Duration,
        figure: Figure::Percentile(50),
        is_split: true,
        has_trend: false,
    },
    Measure {
        key: "duration_p95",
        name: "p95 of durations",
        unit: Unit::Duration,
        figure: Figure::Percentile(95),
        is_split: false,
        has_trend: false,
    },
];

/// How one measure differs.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// What is measured.
    pub measure: &'static Measure,
    /// Of either side; None where nothing is known.
    pub values: [Option<f64>; 2],
    /// The same where they are whole: sums and percentiles, however large.
    pub exact: [Option<u128>; 2],
    /// The first less the second: of shares the difference, of others a part of the second.
    pub change: Option<f64>,
    /// Its interval at 95 %.
    pub interval: Option<(f64, f64)>,
}

impl Change {
    /// Whether chance alone explains it; None where that is not known.
    pub fn may_be_chance(&self) -> Option<bool> {
        self.interval.map(|(low, high)| low <= 0.0 && high >= 0.0)
    }
}

impl Measure {
    /// Whether it is a part of one, whose changes are told in points.
    pub fn is_share(&self) -> bool {
        self.unit == Unit::Share
    }

    /// Its value.
    pub fn value(&self, sums: &Sums) -> Option<f64> {
        let all = &sums.all;
        match self.figure {
            // Without any price nothing is known of cost.
            _ if self.unit == Unit::Money && all.cost().is_none() => None,
            Figure::Sum(_) => self.exact(sums).map(|it| it as f64),
            Figure::Success => (all.tasks > 0).then(|| all.successes as f64 / all.tasks as f64),
            Figure::Ratio(_) => self.ratio(sums).map(|it| it.value),
            Figure::Percentile(_) => self.exact(sums).map(|it| it as f64),
        }
    }

    /// Its value where that is whole.
    fn exact(&self, sums: &Sums) -> Option<u128> {
        match self.figure {
            _ if self.unit == Unit::Money && sums.all.cost().is_none() => None,
            Figure::Sum(of) => Some(of(sums)),
            Figure::Percentile(q) => sums.all.durations.percentile(q).map(u128::from),
            Figure::Success | Figure::Ratio(_) => None,
        }
    }

    fn ratio(&self, sums: &Sums) -> Option<Ratio> {
        let Figure::Ratio(of) = self.figure else { return None };
        let days: Vec<(f64, f64)> = sums.days.values().map(of).collect();
        Ratio::of(&days)
    }

    /// How it differs between two sides.
    pub fn change(&'static self, sides: [&Sums; 2]) -> Change {
        let values = sides.map(|it| self.value(it));
        let [one, two] = values;
        let change = one.zip(two).and_then(|(one, two)| match self.is_share() {
            true => Some(one - two),
            false => (two > 0.0).then(|| one / two - 1.0),
        });
        let interval = change.and_then(|_| self.interval(sides));
        let exact = sides.map(|it| self.exact(it));
        Change { measure: self, values, exact, change, interval }
    }

    fn interval(&self, sides: [&Sums; 2]) -> Option<(f64, f64)> {
        let [one, two] = sides;
        match self.figure {
            Figure::Sum(_) => None,
            Figure::Success => {
                let rate = |it: &Sums| (it.all.successes, it.all.tasks);
                Some(newcombe(rate(one), rate(two)))
            }
            Figure::Ratio(_) => {
                let (one, two) = (self.ratio(one)?, self.ratio(two)?);
                if self.is_share() { one.difference(&two) } else { one.growth(&two) }
            }
            Figure::Percentile(q) => {
                let of = |it: &Sums| Percentile::of(&it.all.durations, q);
                Some(of(one)?.growth(&of(two)?))
            }
        }
    }
}
