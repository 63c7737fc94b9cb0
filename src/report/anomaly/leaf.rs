//! The finest series, one model's tasks of one type, as the test of each metric reads it.

use crate::report::anomaly::baseline::{Baseline, DAYS_MIN, Point, WINDOW_AGE_DAYS, WINDOW_DAYS};
use crate::report::anomaly::finding::Metric;
use crate::report::histogram::Histogram;
use crate::report::measures::Measures;
use crate::report::series::Series;
use crate::timestamp::Day;

/// A tenth of the durations at either end is left out of a day's level: a task that hung overnight
/// says nothing of the others. Of log-normal values the rest tells the level nearly as well as all
/// would, and half as well again as the median.
const TRIMMED_PERCENT: u64 = 10;

/// So many tasks must be behind a rate of success before a day is held against it.
const RATE_TASKS_MIN: u64 = 50;

/// A product beyond this might overflow with another duration, which is below 10¹⁶.
const PRODUCT_MAX: f64 = 1e290;

/// The last week is no part of the window: what began yesterday must not pass for usual.
pub(crate) const GAP_DAYS: i32 = 7;

/// One day.
#[derive(Clone, Copy, Debug, Default)]
struct Facts {
    tasks: u64,
    failures: u64,
    /// The level and how many tasks say so, in the order of [`Metric::RATIOS`].
    levels: [Option<(f64, f64)>; 3],
}

/// One series as the tests read it.
pub(crate) struct Leaf<'a> {
    /// Where it comes from.
    pub(crate) series: &'a Series,
    /// In order.
    days: Vec<(Day, Facts)>,
    /// Days that are not usual, from one to the other, by metric.
    unusual: Vec<(Metric, Day, Day)>,
    /// Before this day another level was usual, by metric.
    since: Vec<(Metric, Day)>,
}

/// The rate of success of a window.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rate {
    /// The share of tasks that failed; never 0.
    pub(crate) failing: f64,
    /// How many tasks say so.
    pub(crate) tasks: f64,
}

impl<'a> Leaf<'a> {
    /// Reads the days of a series from that one on.
    pub(crate) fn of(series: &'a Series, from: Day) -> Leaf<'a> {
        let days = series.days.range(from..).map(|(day, sums)| (*day, facts(sums))).collect();
        Leaf { series, days, unusual: Vec::new(), since: Vec::new() }
    }

    /// The days with tasks.
    pub(crate) fn days(&self) -> impl Iterator<Item = (Day, u64)> {
        self.days.iter().map(|(day, facts)| (*day, facts.tasks)).filter(|(_, tasks)| *tasks > 0)
    }

    /// The days from one to the other.
    fn between(&self, from: Day, to: Day) -> &[(Day, Facts)] {
        let begin = self.days.partition_point(|(day, _)| *day < from);
        let end = self.days.partition_point(|(day, _)| *day <= to);
        self.days.get(begin..end).unwrap_or_default()
    }

    /// Tasks of days from one to the other, and how many failed.
    pub(crate) fn failures(&self, from: Day, to: Day) -> (u64, u64) {
        let add = |(failures, tasks), (_, facts): &(Day, Facts)| {
            (failures + facts.failures, tasks + facts.tasks)
        };
        self.between(from, to).iter().fold((0, 0), add)
    }

    /// The days from one to the other that have a level of that metric.
    pub(crate) fn points(
        &self,
        metric: Metric,
        from: Day,
        to: Day,
    ) -> impl DoubleEndedIterator<Item = Point> {
        let number = Metric::RATIOS.iter().position(|it| *it == metric);
        self.between(from, to).iter().filter_map(move |(day, facts)| {
            let (at, tasks) = facts.levels[number?]?;
            Some(Point { day: *day, at, tasks })
        })
    }

    /// What is usual on that day.
    pub(crate) fn baseline(&self, metric: Metric, day: Day) -> Option<Baseline> {
        let (from, to) = self.window(metric, day)?;
        let points = self.points(metric, from, to);
        let usual = points.rev().filter(|point| self.is_usual(metric, point.day));
        let (mut window, mut count) = ([Point::NONE; WINDOW_DAYS], 0);
        for (place, point) in window.iter_mut().zip(usual) {
            *place = point;
            count += 1;
        }
        Baseline::of(&window[..count], metric != Metric::Duration)
    }

    /// What rate of failures is usual on that day.
    pub(crate) fn rate(&self, day: Day) -> Option<Rate> {
        let (from, to) = self.window(Metric::Success, day)?;
        let days = self.between(from, to).iter().rev().filter(|(_, facts)| facts.tasks > 0);
        let usual = days.filter(|(day, _)| self.is_usual(Metric::Success, *day));
        let (mut days, mut failures, mut tasks) = (0, 0, 0);
        for (_, facts) in usual.take(WINDOW_DAYS) {
            days += 1;
            failures += facts.failures;
            tasks += facts.tasks;
        }
        if days < DAYS_MIN || tasks < RATE_TASKS_MIN {
            return None;
        }
        // Jeffreys' estimate: that nothing failed does not say that nothing can.
        let failing = (failures as f64 + 0.5) / (tasks as f64 + 1.0);
        Some(Rate { failing, tasks: tasks as f64 })
    }

    /// From that day on days say nothing of what is usual.
    pub(crate) fn begin_unusual(&mut self, metric: Metric, from: Day) {
        self.unusual.push((metric, from, Day(i32::MAX)));
    }

    /// What began on that day ended on the other.
    pub(crate) fn end_unusual(&mut self, metric: Metric, from: Day, last: Day) {
        let open = self.unusual.iter_mut().filter(|it| (it.0, it.1) == (metric, from));
        open.for_each(|it| it.2 = last);
    }

    /// What began on that day is usual from then on.
    pub(crate) fn begin_anew(&mut self, metric: Metric, from: Day) {
        self.unusual.retain(|it| (it.0, it.1) != (metric, from));
        self.since.push((metric, from));
    }

    fn window(&self, metric: Metric, day: Day) -> Option<(Day, Day)> {
        let anew = self.since.iter().filter(|(it, _)| it.is_kin(metric)).map(|(_, day)| *day);
        let oldest = Day(day.0.saturating_sub(GAP_DAYS + WINDOW_AGE_DAYS));
        let from = anew.max().unwrap_or(oldest).max(oldest);
        let to = Day(day.0.saturating_sub(GAP_DAYS));
        (from <= to).then_some((from, to))
    }

    fn is_usual(&self, metric: Metric, day: Day) -> bool {
        let covers =
            |(it, from, to): &(Metric, Day, Day)| it.is_kin(metric) && (*from..=*to).contains(&day);
        !self.unusual.iter().any(covers)
    }
}

fn facts(sums: &Measures) -> Facts {
    let mean = |sum: u128, tasks: u64| {
        (sum > 0 && tasks > 0).then(|| ((sum as f64 / tasks as f64).ln(), tasks as f64))
    };
    let levels = [
        mean(sums.total_tokens(), sums.tasks),
        mean(sums.cost_micros, sums.tasks.saturating_sub(sums.unpriced.tasks)),
        typical(&sums.durations),
    ];
    let failures = sums.tasks.saturating_sub(sums.successes);
    Facts { tasks: sums.tasks, failures, levels }
}

/// The mean logarithm of durations without those at either end, and how many there are.
fn typical(durations: &Histogram) -> Option<(f64, f64)> {
    let known: Vec<_> = durations.in_order().filter(|(value, _)| *value > 0).collect();
    let count: u64 = known.iter().map(|(_, times)| times).sum();
    let trimmed = (u128::from(count) * u128::from(TRIMMED_PERCENT) / 100) as u64;
    let (first, last) = (trimmed, count - trimmed);
    // Most come once: of these one logarithm is taken of as many as fit into one product.
    let (mut before, mut sum, mut product) = (0, 0.0, 1.0);
    for (value, times) in known {
        let value = value as f64;
        match (before + times).min(last).saturating_sub(before.max(first)) {
            0 => {}
            1 => product *= value,
            within => sum += within as f64 * value.ln(),
        }
        if product > PRODUCT_MAX {
            sum += f64::ln(std::mem::replace(&mut product, 1.0));
        }
        before += times;
    }
    (count > 0).then(|| ((sum + product.ln()) / (last - first) as f64, count as f64))
}
