//! How often anomalies are found that are none, and how often those that are one:
//! `cargo bench --bench alarms [-- FIRST_SEED [SEEDS]]` prints the table of `docs/alerts.md`.

#![allow(clippy::print_stdout, clippy::disallowed_methods, reason = "a program of its own")]

mod ledger;
mod measure;

use std::thread;

use ledger::{DAYS, make};
use measure::{FAULTS, false_alarms, is_found};
use usage_ledger::report::interval::wilson;

/// The seeds of what is written in docs/alerts.md; the method was made on others (1 to 200, and
/// 1,000,000 to 1,000,199).
const FIRST_SEED: u64 = 2_000_000;
const SEEDS: u64 = 200;

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
        let found = |seed| u64::from(is_found(&make(seed, Some(fault)), metric, direction));
        let found = count(first, seeds, found);
        let (low, high) = wilson(found, seeds);
        println!(
            "| {name} | {found} of {seeds} | {:.1} % | {:.1} to {:.1} % |",
            found as f64 * 100.0 / seeds as f64,
            low * 100.0,
            high * 100.0
        );
    }
    let told = count(first, seeds, |seed| false_alarms(&make(seed, None)));
    let days = seeds as f64 * f64::from(DAYS);
    let rate = told as f64 * 30.0 / days;
    println!();
    println!("False alarms: {told} in {seeds} ledgers of {DAYS} days, {rate:.2} in 30 days.");
}
