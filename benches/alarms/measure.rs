//! Whether what was planted is found, and what is found besides.

use super::ledger::{Fault, Ledger};
use usage_ledger::report::anomaly::find;
use usage_ledger::report::anomaly::finding::{Anomaly, Direction, Metric};
use usage_ledger::report::anomaly::watch::begin;
use usage_ledger::report::measures::Measures;
use usage_ledger::report::series::{Level, Series};
use usage_ledger::timestamp::Day;

/// What is planted, how it is called, and what is to be told of it.
pub(crate) const FAULTS: [(Fault, &str, Metric, Direction); 4] = [
    (Fault::Slower, "twice as slow", Metric::Duration, Direction::Above),
    (Fault::Dearer, "three times the cost", Metric::Cost, Direction::Above),
    (Fault::Failing, "success 15 points lower", Metric::Success, Direction::Below),
    (Fault::Silent, "silence", Metric::Silence, Direction::Below),
];

fn anomalies(ledger: &Ledger, until: Day) -> Vec<Anomaly> {
    let series = Series::of_cells(&ledger.until(until), Level::ModelAndTaskType, Measures::merge);
    let days = series.iter().flat_map(|it| it.days.keys().copied()).collect();
    begin(&days).map_or_else(Vec::new, |begin| find(&series, begin))
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
pub(crate) fn is_found(ledger: &Ledger, metric: Metric, direction: Direction) -> bool {
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

/// How many anomalies a ledger without faults has; that a series which ended is silent is true.
pub(crate) fn false_alarms(ledger: &Ledger) -> u64 {
    let told = anomalies(ledger, Day(i32::MAX));
    told.iter().filter(|anomaly| !is_true_silence(ledger, anomaly)).count() as u64
}
