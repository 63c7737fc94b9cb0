//! How often anomalies are found that are none, and how often those that are one:
//! `cargo bench --bench alarms [-- FIRST_SEED [SEEDS]]` prints the table of `docs/alerts.md`.

#![allow(clippy::print_stdout, clippy::disallowed_methods, reason = "a program of its own")]

mod ledger;

use std::thread;

use ledger::{DAYS, Fault, Ledger, make};
use usage_ledger::report::anomaly::find;
use usage_ledger::report::anomaly::finding::{Anomaly, Direction, Metric};
use usage_ledger::report::interval::wilson;
use usage_ledger::report::series::{Level, Series};
use usage_ledger::timestamp::Day;

/// The seeds of what is written in docs/alerts.md; the method was made on others (1 to 400).
const FIRST_SEED: u64 = 1_000_000;
const SEEDS: u64 = 200;

const FAULTS: [(Fault, &str, Metric, Direction); 4] = [
    (Fault::Slower, "twice as slow", Metric::Duration, Direction::Above),
    (Fault::Dearer, "three times the cost", Metric::Cost, Direction::Above),
    (Fault::Failing, "success 15 points lower", Metric::Success, Direction::Below),
    (Fault::Silent, "silence", Metric::Silence, Direction::Below),
];

fn anomalies(ledger: &Ledger, until: Day) -> Vec<Anomaly> {
    find(&Series::of_cells(&ledger.until(until), Level::ModelAndTaskType))
}

/// Whether it is told that a series that ended has ended.
fn is_true_silence(ledger: &Ledger, anomaly: &Anomaly) -> bool {
    let key = &anomaly.series;
    anomaly.metric == Metric::Silence
        && ledger.ended.iter().any(|(model, task_type, day)| {
            key.model.as_ref().is_none_or(|it| it == model)
                && key.task_type.is_none_or(|it| it == *task_type)
                && anomaly.start >= *day
        })
}

/// Whether the fault is told on the evening of its first day or of the next.
fn is_found(ledger: &Ledger, metric: Metric, direction: Direction) -> bool {
    let (day, model, task_type) = &ledger.planted;
    [*day, Day(day.0 + 1)].iter().any(|evening| {
        anomalies(ledger, *evening).iter().any(|anomaly| {
            let key = &anomaly.series;
            let is_there = key.model.as_ref().is_none_or(|it| it == model)
                && (task_type.is_none() || key.task_type.is_none_or(|it| Some(it) == *task_type));
            (anomaly.metric, anomaly.direction) == (metric, direction)
                && is_there
                && anomaly.found >= *day
        })
    })
}

/// Counts over all seeds, on two threads.
fn count(first: u64, seeds: u64, of: impl Fn(u64) -> u64 + Sync) -> u64 {
    let half = |from: u64, to: u64| (from..to).map(&of).sum::<u64>();
    let middle = first + seeds / 2;
    thread::scope(|scope| {
        let other = scope.spawn(|| half(middle, first + seeds));
        half(first, middle) + other.join().unwrap_or_default()
    })
}

fn main() {
    let given: Vec<u64> = std::env::args().filter_map(|word| word.parse().ok()).collect();
    let first = given.first().copied().unwrap_or(FIRST_SEED);
    let seeds = given.get(1).copied().unwrap_or(SEEDS);
    println!("| fault | found within two days | share | 95 % interval |");
    println!("|---|---:|---:|---:|");
    for (fault, name, metric, direction) in FAULTS {
        let found = |seed| u64::from(is_found(&make(seed, fault), metric, direction));
        let found = count(first, seeds, found);
        let (low, high) = wilson(found, seeds);
        println!(
            "| {name} | {found} of {seeds} | {:.1} % | {:.1} to {:.1} % |",
            found as f64 * 100.0 / seeds as f64,
            low * 100.0,
            high * 100.0
        );
    }
    let last = Day(i32::MAX);
    let told = count(first, seeds, |seed| {
        let ledger = make(seed, Fault::None);
        let is_false = |anomaly: &&Anomaly| !is_true_silence(&ledger, anomaly);
        anomalies(&ledger, last).iter().filter(is_false).count() as u64
    });
    let days = seeds as f64 * f64::from(DAYS);
    println!();
    let rate = told as f64 * 30.0 / days;
    println!("False alarms: {told} in {seeds} ledgers of {DAYS} days, {rate:.2} in 30 days.");
}
