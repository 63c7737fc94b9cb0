//! What rules look at, day by day: sums of rows or of events → the figure of a window.

use std::collections::BTreeMap;

use crate::alert::amount::{ONE, Ratio};
use crate::alert::metric::{By, Metric};
use crate::alert::rule::Rule;
use crate::event::Event;
use crate::report::activity::tally::Tally;
use crate::report::activity::weight::Weight;
use crate::report::histogram::Bucket;
use crate::report::measures::Measures;
use crate::report::series::{Series, SeriesKey, Source};
use crate::timestamp::Day;

/// What a window comes to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figure {
    /// Its value; None where nothing is known.
    pub value: Option<Ratio>,
    /// How many tasks or events say so.
    pub samples: u64,
}

fn whole(n: impl TryInto<i128>) -> Option<Ratio> {
    Some(Ratio { part: n.try_into().unwrap_or(i128::MAX), whole: 1 })
}

fn ratio(part: impl TryInto<i128>, whole: u64) -> Option<Ratio> {
    let part = part.try_into().unwrap_or(i128::MAX);
    (whole > 0).then_some(Ratio { part, whole: whole.into() })
}

/// The figure of rows from one day to the other.
pub fn of_rows(days: &BTreeMap<Day, Measures>, metric: &Metric, from: Day, to: Day) -> Figure {
    let mut sums = Measures::default();
    for (_, day) in days.range(from..=to) {
        match metric.is_percentile() {
            true => sums.merge(day),
            false => sums.merge_sums(day),
        }
    }
    of_sums(&sums, metric)
}

/// The figure of rows that are summed up.
pub fn of_sums(sums: &Measures, metric: &Metric) -> Figure {
    let tasks = sums.tasks;
    // Without a price, what rows cost is not nothing but unknown.
    let cost = || sums.cost().and_then(|micros| ratio(micros, 1_000_000));
    let priced = tasks - sums.unpriced.tasks;
    let successes = sums.successes - sums.unpriced.successes;
    let (value, samples) = match metric {
        Metric::Tasks => (whole(tasks), tasks),
        Metric::Tokens => (whole(sums.total_tokens()), tasks),
        Metric::PromptTokens => (whole(sums.prompt_tokens), tasks),
        Metric::CompletionTokens => (whole(sums.completion_tokens), tasks),
        Metric::Cost => (cost(), priced),
        Metric::CostPerSuccess => {
            (ratio(sums.cost_micros, successes.saturating_mul(1_000_000)), priced)
        }
        Metric::SuccessRate => (ratio(sums.successes, tasks), tasks),
        Metric::ErrorRate => (ratio(tasks - sums.successes, tasks), tasks),
        Metric::DurationMean => (ratio(sums.duration_ms, tasks), tasks),
        Metric::DurationP50 => (sums.durations.percentile(50).and_then(whole), tasks),
        Metric::DurationP95 => (sums.durations.percentile(95).and_then(whole), tasks),
        Metric::Count | Metric::Figure(_) => (None, 0),
    };
    Figure { value, samples }
}

/// Events of one day.
#[derive(Clone, Debug, Default)]
pub struct EventSums {
    tally: Tally,
    /// The sum of a figure, and how many events it is of; only of those of one place, so that the
    /// order of additions is always the same.
    figure: (f64, f64),
}

/// The series of one rule of events: by name, day by day.
pub type EventSeries = BTreeMap<Box<str>, BTreeMap<Day, EventSums>>;

/// Takes the events that rules look at.
#[derive(Clone, Debug, Default)]
pub struct EventWatch {
    /// For each rule its series; empty for those of the ledger.
    pub series: Vec<EventSeries>,
    /// The first and last day of all events.
    pub span: Option<(Day, Day)>,
    /// How many lines cannot be read.
    pub unreadable: u64,
    /// Operations that ended, by strategy.
    strategies: BTreeMap<Box<str>, BTreeMap<Day, Measures>>,
}

impl EventWatch {
    /// Takes one event, for whichever rules look at it.
    pub fn add(&mut self, rules: &[&Rule], event: &Event) {
        let day = event.at.day();
        self.add_operation(event, day);
        self.span = Some(self.span.map_or((day, day), |(a, b)| (a.min(day), b.max(day))));
        self.series.resize_with(rules.len(), EventSeries::new);
        for (rule, series) in rules.iter().zip(&mut self.series) {
            let attr = |name: &str| event.attrs.get(name).map(String::as_str);
            let key = match rule.by {
                By::None => Some(""),
                By::Name => Some(event.name.as_str()),
                By::Agent => event.agent.as_deref(),
                By::Model => attr("model"),
                By::Source => attr("source"),
                By::Strategy => attr("strategy"),
                By::TaskType => None,
            };
            let Some(key) = key.filter(|key| rule.only.as_ref().is_none_or(|it| it.matches(key)))
            else {
                continue;
            };
            let figure = match &rule.metric {
                Metric::Figure(name) => match event.metrics.get(name) {
                    Some(figure) => *figure,
                    None => continue,
                },
                _ => 0.0,
            };
            let sums = series.entry(key.into()).or_default().entry(day).or_default();
            sums.tally.add(event, Weight::of(event.sample));
            let weight = event.sample.map_or(1.0, |share| (1.0 / share).clamp(1.0, 1e9));
            sums.figure = (sums.figure.0 + figure * weight, sums.figure.1 + weight);
        }
    }
}

impl EventWatch {
    /// An operation that ended is a task of its strategy; it has no tokens and no price.
    fn add_operation(&mut self, event: &Event, day: Day) {
        let is_success = match (event.name.area(), event.name.step()) {
            ("operation", "completed") => event.success.unwrap_or(true),
            ("operation", "failed") => event.success.unwrap_or(false),
            _ => return,
        };
        let Some(strategy) = event.attrs.get("strategy") else { return };
        let days = self.strategies.entry(strategy.as_str().into()).or_default();
        let sums = days.entry(day).or_default();
        sums.rows += 1;
        sums.tasks += 1;
        sums.unpriced.rows += 1;
        sums.unpriced.tasks += 1;
        sums.successes += u64::from(is_success);
        sums.unpriced.successes += u64::from(is_success);
        if let Some(duration_ms) = event.duration_ms {
            sums.duration_ms += u128::from(duration_ms);
            sums.durations.add(Bucket::of(duration_ms), duration_ms);
        }
    }

    /// Series of operations, to be looked at as those of tasks are.
    pub fn strategies(&self) -> impl Iterator<Item = Series> {
        self.strategies.iter().map(|(strategy, days)| {
            let strategy = Some(strategy.clone());
            let key = SeriesKey { strategy, ..SeriesKey::all(Source::Events) };
            Series { key, days: days.clone() }
        })
    }
}

/// The figure of events from one day to the other.
pub fn of_events(days: &BTreeMap<Day, EventSums>, metric: &Metric, from: Day, to: Day) -> Figure {
    let mut sums = EventSums::default();
    for (_, day) in days.range(from..=to) {
        sums.tally.merge(&day.tally);
        sums.figure = (sums.figure.0 + day.figure.0, sums.figure.1 + day.figure.1);
    }
    let all = sums.tally.outcomes();
    let timed = all.durations.counted;
    let (value, samples) = match metric {
        Metric::Count => (whole(all.count), all.count),
        Metric::SuccessRate => (ratio(all.successes, all.known), all.known),
        Metric::ErrorRate => (ratio(all.known - all.successes, all.known), all.known),
        Metric::DurationMean => (all.durations.mean.and_then(whole), timed),
        Metric::DurationP50 => (all.durations.p50.and_then(whole), timed),
        Metric::DurationP95 => (all.durations.p95.and_then(whole), timed),
        Metric::Figure(_) => {
            let (sum, weight) = sums.figure;
            // A cast saturates, and what is no number becomes 0.
            let mean = (sum / weight * ONE as f64).round() as i128;
            ((weight > 0.0).then_some(Ratio { part: mean, whole: ONE }), all.count)
        }
        _ => (None, 0),
    };
    Figure { value, samples }
}
