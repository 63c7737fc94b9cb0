//! What could be done better, drawn from the ledger alone: few rules, each with its evidence and what
//! following it is expected to gain.

pub mod facts;

use std::cmp::Reverse;

use crate::pricing::rates::PICO_PER_MICRO;
use crate::report::advice::facts::{Facts, Means};
use crate::report::aggregate::Cell;
use crate::report::alert::finding::Finding as Alert;
use crate::report::compare::estimate::Ratio;
use crate::report::compare::measure::{MEASURES, Sums};
use crate::report::interval::{newcombe, wilson};
use crate::row::TaskType;
use crate::timestamp::Day;

/// More would not be followed.
const ADVICE_MAX: usize = 6;

/// Of fewer tasks of one type a model has shown too little.
const TASKS_MIN: u64 = 30;

/// A model does as well if it is not shown to succeed, at worst, less often by more than this: a
/// narrower margin takes hundreds of tasks to be shown at all.
const MARGIN: f64 = 0.10;

/// A model reads too little from its cache if it is at least so far below the others.
const CACHE_MARGIN: f64 = 0.10;

/// A prompt of fewer tokens in all is not worth a change.
const CACHE_TOKENS_MIN: u128 = 1_000_000;

/// Where surely more than this part of the tasks fails, something other than chance is the matter.
const FAILURES_MIN: f64 = 0.20;

/// git stores each version of a committed file; beyond this that begins to cost.
const COMMITTED_BYTES_MAX: u64 = 1 << 20;

/// An alert that fires for longer, and that nobody acknowledged, is not looked after.
const UNACKNOWLEDGED_DAYS_MAX: i32 = 14;

/// A gain below this a month, in millionths of a dollar, or in milliseconds, is not worth a line.
const MICROS_MIN: u128 = 1_000_000;
const TIME_MS_MIN: u128 = 10 * 60 * 1_000;

/// What is expected to be gained in a month; the greatest come last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Gain {
    /// Alerts that every check tells of again.
    Alerts(u64),
    /// Bytes that git need not store with each commit.
    Bytes(u64),
    /// Milliseconds.
    Time(u128),
    /// Millionths of a dollar.
    Money(u128),
}

/// One model, and what it did.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// The model.
    pub model: Box<str>,
    /// Its tasks of the type.
    pub tasks: u64,
    /// Those that succeeded.
    pub successes: u64,
    /// Millionths of a dollar per success, or milliseconds a task, as the rule has it.
    pub value: f64,
}

/// What was found, with its evidence.
#[derive(Clone, Debug, PartialEq)]
pub enum Finding {
    /// Another model does as well, and a success costs less, or a task takes less time.
    Better {
        /// Of these tasks.
        task_type: TaskType,
        /// The model that is used.
        from: Record,
        /// The one that does as well.
        to: Record,
        /// The change of the value, at 95 %.
        interval: (f64, f64),
    },
    /// A model reads less of its prompt from a cache than the others do.
    Cache {
        /// Which one.
        model: Box<str>,
        /// The part that it reads from the cache.
        share: f64,
        /// The part that the others do.
        others: f64,
    },
    /// Much fails.
    Failures {
        /// Of these tasks.
        task_type: TaskType,
        /// By this model.
        record: Record,
        /// The part that fails, at least and at most, at 95 %.
        interval: (f64, f64),
    },
    /// The ledger's active segment is large, and each commit stores it anew.
    LargeFile {
        /// Its size.
        bytes: u64,
    },
    /// Alerts fire, and nobody has said that they are looked after.
    Alerts {
        /// How many.
        alerts: u64,
        /// The id of the one that fires longest.
        id: String,
        /// Its rule or metric, and its series.
        name: String,
        /// Since when.
        since: Day,
    },
}

/// One piece of advice.
#[derive(Clone, Debug)]
pub struct Advice {
    /// Which rule it is of.
    pub rule: &'static Rule,
    /// The evidence.
    pub finding: Finding,
    /// What following it gains in a month.
    pub gain: Gain,
}

/// One rule.
#[derive(Debug)]
pub struct Rule {
    /// Its name in machine formats.
    pub key: &'static str,
    /// Why there is something to gain.
    pub reason: &'static str,
    /// From where on it speaks.
    pub threshold: &'static str,
    find: fn(&Facts<'_>) -> Vec<(Finding, Gain)>,
}

/// Every rule. A new one is one row.
pub const RULES: [Rule; 6] = [
    Rule {
        key: "cheaper-model",
        reason: "a model that does as well for less money",
        threshold: "30 tasks of the type by both; a success surely costs less; success at worst 10 \
                    points lower",
        find: |facts| better(facts, "cost_per_success"),
    },
    Rule {
        key: "faster-model",
        reason: "a model that does as well in less time, for no more money",
        threshold: "30 tasks of the type by both; a task surely takes less time; success at worst 10 \
                    points lower",
        find: |facts| better(facts, "duration_mean"),
    },
    Rule {
        key: "low-cache-share",
        reason: "what is read from a cache costs a fraction of what is read anew",
        threshold: "a million prompt tokens; surely 10 points below the other models",
        find: cache,
    },
    Rule {
        key: "failures",
        reason: "what fails is paid for too, and is done again",
        threshold: "30 tasks; surely more than a fifth fails; the gain is that of failing as often as \
                    other models do at such tasks",
        find: failures,
    },
    Rule {
        key: "large-ledger",
        reason: "git stores each version of a committed file",
        threshold: "an active segment above 1 MiB in git",
        find: large_file,
    },
    Rule {
        key: "unacknowledged-alerts",
        reason: "an alert that nobody looks after hides the next one",
        threshold: "firing for more than 14 days by the newest row, and never acknowledged",
        find: alerts,
    },
];

/// All advice that is worth it, most valuable first.
pub fn of(cells: &[Cell], means: &Means) -> Vec<Advice> {
    let Some(facts) = Facts::of(cells, means) else {
        return Vec::new();
    };
    let rules: &'static [Rule] = const { &RULES };
    let found = rules.iter().flat_map(|rule| {
        let advice = move |(finding, gain)| Advice { rule, finding, gain };
        (rule.find)(&facts).into_iter().map(advice)
    });
    let is_worth_it = |it: &Advice| match it.gain {
        Gain::Money(micros) => micros >= MICROS_MIN,
        Gain::Time(ms) => ms >= TIME_MS_MIN,
        Gain::Bytes(_) | Gain::Alerts(_) => true,
    };
    let mut all: Vec<Advice> = found.filter(is_worth_it).collect();
    all.sort_by_key(|it| Reverse(it.gain));
    all.truncate(ADVICE_MAX);
    all
}

fn record(model: &str, sums: &Sums, value: f64) -> Record {
    let (tasks, successes) = (sums.all.tasks, sums.all.successes);
    Record { model: model.into(), tasks, successes, value }
}

/// For each type and model the one other model that does as well and gains the most.
fn better(facts: &Facts<'_>, key: &str) -> Vec<(Finding, Gain)> {
    let measure = |key: &str| {
        let measures: &'static [_; 14] = const { &MEASURES };
        measures.iter().find(|it| it.key == key)
    };
    let (Some(measure), Some(cost)) = (measure(key), measure("cost_per_success")) else {
        return Vec::new();
    };
    let is_cost = measure == cost;
    let mut best: Vec<(Finding, Gain)> = Vec::new();
    for (task_type, (from, of_from), (to, of_to)) in facts.pairs() {
        let tasks = |sums: &Sums| (sums.all.successes, sums.all.tasks);
        let is_known = |sums: &Sums| sums.all.tasks >= TASKS_MIN && sums.all.unpriced.tasks == 0;
        if !is_known(of_from) || !is_known(of_to) {
            continue;
        }
        let (worst, _) = newcombe(tasks(of_to), tasks(of_from));
        let change = measure.change([of_to, of_from]);
        let (Some(interval), [Some(then), Some(now)]) = (change.interval, change.values) else {
            continue;
        };
        let costs_more = cost.change([of_to, of_from]).change.is_none_or(|it| it > 0.0);
        if worst < -MARGIN || interval.1 >= 0.0 || !is_cost && costs_more {
            continue;
        }
        let times = if is_cost { of_from.all.successes } else { of_from.all.tasks };
        let sum = facts.monthly((now - then) * times as f64);
        let gain = if is_cost { Gain::Money(sum) } else { Gain::Time(sum) };
        let (from, to) = (record(from, of_from, now), record(to, of_to, then));
        let is_same = |it: &&mut (Finding, Gain)| match &it.0 {
            Finding::Better { task_type: other, from: it, .. } => {
                *other == task_type && it.model == from.model
            }
            _ => false,
        };
        let finding = Finding::Better { task_type, from: from.clone(), to, interval };
        match best.iter_mut().find(is_same) {
            Some(known) if known.1 >= gain => {}
            Some(known) => *known = (finding, gain),
            None => best.push((finding, gain)),
        }
    }
    best
}

fn cache(facts: &Facts<'_>) -> Vec<(Finding, Gain)> {
    let share = |sums: &mut dyn Iterator<Item = &Sums>| {
        let mut days = std::collections::BTreeMap::<_, (f64, f64)>::new();
        for (day, it) in sums.flat_map(|sums| &sums.days) {
            let sum = days.entry(*day).or_default();
            sum.0 += it.cached_tokens as f64;
            sum.1 += it.cache_known_tokens as f64;
        }
        Ratio::of(&days.into_values().collect::<Vec<_>>())
    };
    let mut found = Vec::new();
    for (model, sums) in &facts.models {
        let known = sums.all.cache_known_tokens;
        let mut others = facts.models.iter().filter(|(it, _)| *it != model).map(|(_, it)| it);
        let shares = share(&mut std::iter::once(sums)).zip(share(&mut others));
        let (Some((mine, others)), Some(rates)) = (shares, facts.rates(model)) else { continue };
        let surely = mine.difference(&others).is_some_and(|(_, high)| high < -CACHE_MARGIN);
        if known < CACHE_TOKENS_MIN || !surely {
            continue;
        }
        let saved = rates.input.saturating_sub(rates.cache_read) as f64 / PICO_PER_MICRO as f64;
        let gain = facts.monthly((others.value - mine.value) * known as f64 * saved);
        let (share, others) = (mine.value, others.value);
        found.push((Finding::Cache { model: model.clone(), share, others }, Gain::Money(gain)));
    }
    found
}

fn failures(facts: &Facts<'_>) -> Vec<(Finding, Gain)> {
    let mut found = Vec::new();
    for ((task_type, model), sums) in &facts.sums {
        let all = &sums.all;
        if all.tasks < TASKS_MIN {
            continue;
        }
        let failed = all.tasks - all.successes;
        let interval = wilson(failed, all.tasks);
        let (mut others, mut failed_others) = (0, 0);
        for (_, it) in facts.sums.iter().filter(|((it, to), _)| it == task_type && to != model) {
            others += it.all.tasks;
            failed_others += it.all.tasks - it.all.successes;
        }
        let (Some(cost), true) = (all.cost(), others >= TASKS_MIN) else { continue };
        let excess = failed as f64 / all.tasks as f64 - failed_others as f64 / others as f64;
        if interval.0 <= FAILURES_MIN || excess <= 0.0 {
            continue;
        }
        let gain = Gain::Money(facts.monthly(excess * cost as f64));
        let record = record(model, sums, cost as f64);
        found.push((Finding::Failures { task_type: *task_type, record, interval }, gain));
    }
    found
}

fn large_file(facts: &Facts<'_>) -> Vec<(Finding, Gain)> {
    let bytes = facts.committed_bytes.filter(|bytes| *bytes > COMMITTED_BYTES_MAX);
    let finding = |bytes| (Finding::LargeFile { bytes }, Gain::Bytes(bytes - COMMITTED_BYTES_MAX));
    bytes.map(finding).into_iter().collect()
}

fn alerts(facts: &Facts<'_>) -> Vec<(Finding, Gain)> {
    let is_old = |it: &&Alert| facts.newest.0 - it.since.0 > UNACKNOWLEDGED_DAYS_MAX;
    let old = facts.firing.iter().filter(|it| it.acknowledged.is_none()).filter(is_old);
    let alerts = old.clone().count() as u64;
    let oldest = old.filter_map(|it| it.id.clone().map(|id| (it, id)));
    let finding = oldest.min_by_key(|(it, _)| it.since).map(|(it, id)| {
        let series = it.series.as_ref().map(|it| format!(" of {it}")).unwrap_or_default();
        Finding::Alerts { alerts, id, name: format!("{}{series}", it.name), since: it.since }
    });
    finding.map(|it| (it, Gain::Alerts(alerts))).into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    use crate::alert::amount::Ratio as Amount;
    use crate::alert::metric::Metric;
    use crate::alert::rule::{Limit, Rule as Limits};
    use crate::report::alert::judge::Episode;
    use crate::report::measures::Measures;

    /// Thirty days of so many tasks, as many of them successes, at that cost and length a task.
    fn month(model: &str, (tasks, successes): (u64, u64), cost: u128, ms: u128) -> Vec<Cell> {
        let of_day = |day: i32| {
            let noise = u128::from(day as u64 % 3);
            let measures = Measures {
                rows: tasks,
                tasks,
                successes,
                prompt_tokens: 1_000_000,
                cache_known_tokens: 1_000_000,
                cached_tokens: if model.contains("sonnet") { 100_000 } else { 900_000 },
                cost_micros: u128::from(tasks) * (cost + noise * cost / 50),
                duration_ms: u128::from(tasks) * (ms + noise * ms / 50),
                ..Measures::default()
            };
            let (day, model, task_type) = (Day(day), model.into(), TaskType::Execute);
            Cell { day, model, task_type, measures }
        };
        (0..30).map(of_day).collect()
    }

    fn given(cells: &[Vec<Cell>], committed_bytes: Option<u64>) -> Vec<(&'static str, Gain)> {
        let means = Means { prices: Arc::default(), committed_bytes, firing: Vec::new() };
        let all = of(&cells.concat(), &means);
        all.into_iter().map(|it| (it.rule.key, it.gain)).collect()
    }

    #[test]
    fn a_model_that_does_as_well_for_less_is_named_and_its_gain() {
        let dear = month("dear", (10, 9), 1_000_000, 60_000);
        let cheap = month("cheap", (10, 9), 200_000, 60_000);
        let found = given(&[dear.clone(), cheap], None);
        let [("cheaper-model", Gain::Money(micros))] = found[..] else { panic!("{found:?}") };
        // 270 successes of 30 days cost $0.90 more each, by the month of 30.4 days.
        assert!((240_000_000..280_000_000).contains(&micros), "{micros}");
        // One that fails more often is no substitute, however cheap.
        let bad = month("cheap", (10, 7), 200_000, 60_000);
        let keys: Vec<&str> = given(&[dear.clone(), bad], None).iter().map(|it| it.0).collect();
        assert_eq!(keys, ["failures"]);
        // One day says nothing of a month, and ten tasks nothing of a model.
        assert_eq!(given(&[dear.clone(), month("cheap", (1, 1), 1, 1)[..5].to_vec()], None), []);
        assert_eq!(given(&[dear[..5].to_vec()], Some(9 << 20)), []);
    }

    #[test]
    fn time_caches_failures_and_size_are_looked_at_too() {
        let slow = month("slow", (10, 9), 100_000, 600_000);
        let fast = month("fast", (10, 9), 100_000, 60_000);
        let found = given(&[slow, fast.clone()], None);
        assert!(matches!(found[..], [("faster-model", Gain::Time(_))]), "{found:?}");
        let uncached = month("claude-sonnet-5-5", (10, 9), 100_000, 60_000);
        let found = given(&[uncached, fast.clone()], Some(3 << 20));
        assert!(
            matches!(
                found[..],
                [("low-cache-share", Gain::Money(_)), ("large-ledger", Gain::Bytes(_))]
            ),
            "{found:?}"
        );
        let failing = month("failing", (10, 6), 100_000, 60_000);
        let found = given(&[failing, fast], None);
        assert!(matches!(found[..], [.., ("failures", Gain::Money(_))]), "{found:?}");
    }

    #[test]
    fn alerts_that_fire_for_long_and_were_never_acknowledged_are_counted() {
        let alert = |since: i32| {
            let days = (Day(since), Day(since));
            let episode = Episode {
                first: days,
                since: Day(since),
                last: days,
                value: Amount { part: 2, whole: 1 },
                samples: 4,
                before: None,
                is_open: true,
            };
            let rule = Limits::typed("spent", Metric::Cost, Limit::Above(1), 0);
            Alert::of_rule(&rule, Some("m"), &episode)
        };
        let given = |firing: Vec<Alert>| {
            let means = Means { prices: Arc::default(), committed_bytes: None, firing };
            of(&month("m", (1, 1), 1, 1), &means).into_iter().map(|it| it.finding).collect()
        };
        // The newest row is of day 29.
        let found: Vec<Finding> = given(vec![alert(15), alert(14), alert(3)]);
        let [Finding::Alerts { alerts: 2, id, name, since: Day(3) }] = &found[..] else {
            panic!("{found:?}")
        };
        assert_eq!((Some(id), name.as_str()), (alert(3).id.as_ref(), "spent of m"));
        // One that was reopened has been looked at.
        let reopened = Alert { acknowledged: Some(Day(5)), ..alert(3) };
        assert_eq!(given(vec![alert(15), reopened]), []);
    }
}
