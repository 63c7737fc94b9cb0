//! What could be done better, drawn from the ledger alone: few rules, each with its evidence and what
//! following it is expected to gain.

pub mod attempts;
pub mod finding;
pub mod facts;
pub mod models;
pub mod tasks;
pub mod upkeep;

use std::cmp::Reverse;

use crate::report::advice::facts::{Facts, Means};
use crate::report::advice::finding::{Finding, Gain};
use crate::report::aggregate::Cell;

/// More of one rule would not be followed, and would hide the others.
const LINES_PER_RULE_MAX: usize = 3;

/// More of all rules neither; each that speaks has a line.
const LINES_MAX: usize = RULES.len();

/// A gain below this a month, in millionths of a dollar, or in milliseconds, is not worth a line.
const MICROS_MIN: u128 = 1_000_000;
const TIME_MS_MIN: u128 = 10 * 60 * 1_000;

/// One piece of advice.
#[derive(Clone, Debug)]
pub struct Advice {
    /// Which rule it is of.
    pub rule: &'static Rule,
    /// The evidence.
    pub finding: Finding,
    /// What following it gains in a month.
    pub gain: Gain,
    /// Whether people are told of it: a rule that finds much is not to hide the others.
    pub is_told: bool,
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
pub const RULES: [Rule; 8] = [
    Rule {
        key: "cheaper-model",
        reason: "a model that does as well for less money",
        threshold: "30 tasks of the type by both; a success surely costs less; success at worst 10 \
                    points lower",
        find: |facts| models::better(facts, "cost_per_success"),
    },
    Rule {
        key: "faster-model",
        reason: "a model that does as well in less time, for no more money",
        threshold: "30 tasks of the type by both; a task surely takes less time; success at worst 10 \
                    points lower",
        find: |facts| models::better(facts, "duration_mean"),
    },
    Rule {
        key: "low-cache-share",
        reason: "what is read from a cache costs a fraction of what is read anew",
        threshold: "a million prompt tokens; surely 10 points below the other models",
        find: models::cache,
    },
    Rule {
        key: "failures",
        reason: "what fails is paid for too",
        threshold: "30 tasks of the type by a model; surely more than a fifth fails; the gain is that \
                    of no more than a fifth, or than the other models' part where that is less",
        find: tasks::failures,
    },
    Rule {
        key: "retries",
        reason: "what fails is done again, and paid for again",
        threshold: "30 failures and 30 successes of the type; within ten minutes another task of the \
                    type (of the session, where there are any) follows a failure surely 10 points \
                    more often than a success; the newest 16 MiB of rows",
        find: tasks::retries,
    },
    Rule {
        key: "slow-task-types",
        reason: "what takes longer than it did, or than all else, is worth a look",
        threshold: "30 tasks on both sides; the mean is surely a quarter above that of the older half \
                    of the days; or surely ten times that of all other types but quick, and more than \
                    half of all time; the gain is what is beyond that",
        find: tasks::slow,
    },
    Rule {
        key: "large-ledger",
        reason: "git stores each version of a committed file",
        threshold: "an active segment above 1 MiB in git",
        find: upkeep::large_file,
    },
    Rule {
        key: "unacknowledged-alerts",
        reason: "an alert that nobody looks after hides the next one",
        threshold: "firing for more than 14 days by the newest row, and never acknowledged",
        find: upkeep::alerts,
    },
];

/// All advice that is worth it, most valuable first.
pub fn of(cells: &[Cell], means: &Means) -> Vec<Advice> {
    let Some(facts) = Facts::of(cells, means) else {
        return Vec::new();
    };
    let rules: &'static [Rule] = const { &RULES };
    let found = rules.iter().flat_map(|rule| {
        let advice = move |(finding, gain)| Advice { rule, finding, gain, is_told: false };
        (rule.find)(&facts).into_iter().map(advice)
    });
    let is_worth_it = |it: &Advice| match it.gain {
        Gain::Money(micros) => micros >= MICROS_MIN,
        Gain::Time(ms) => ms >= TIME_MS_MIN,
        Gain::Bytes(_) | Gain::Alerts(_) => true,
    };
    let mut all: Vec<Advice> = found.filter(is_worth_it).collect();
    all.sort_by_key(|it| Reverse(it.gain));
    // The best of each rule, then the second best of each, as long as there is room.
    let mut room = LINES_MAX;
    for place in 0..LINES_PER_RULE_MAX {
        let of_rule = |rule: &Rule| {
            let mut found = (0..all.len()).filter(|at| all[*at].rule.key == rule.key);
            found.nth(place)
        };
        let mut next: Vec<usize> = rules.iter().filter_map(of_rule).collect();
        next.sort_unstable();
        next.truncate(room);
        room -= next.len();
        next.into_iter().for_each(|at| all[at].is_told = true);
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    use crate::alert::amount::Ratio as Amount;
    use crate::alert::limit::Limit;
    use crate::alert::metric::Metric;
    use crate::alert::rule::Rule as Limits;
    use crate::report::advice::attempts::{Attempts, Followed};
    use crate::report::alert::finding::Finding as Alert;
    use crate::report::alert::judge::Episode;
    use crate::report::measures::Measures;
    use crate::row::TaskType;
    use crate::timestamp::Day;

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

    fn means() -> Means {
        Means {
            prices: Arc::default(),
            committed_bytes: None,
            firing: Vec::new(),
            attempts: Attempts::default(),
        }
    }

    fn given(cells: &[Vec<Cell>], committed_bytes: Option<u64>) -> Vec<(&'static str, Gain)> {
        let means = Means { committed_bytes, ..means() };
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
                is_from_start: false,
            };
            let rule = Limits::typed("spent", Metric::Cost, Limit::Above(1), 0);
            Alert::of_rule(&rule, Some("m"), &episode)
        };
        let given = |firing: Vec<Alert>| {
            let means = Means { firing, ..means() };
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

    /// The rule that speaks of one model's month.
    fn of_one(cells: Vec<Cell>, means: &Means) -> Vec<(&'static str, Gain, Finding)> {
        let all = of(&cells, means);
        all.into_iter().map(|it| (it.rule.key, it.gain, it.finding)).collect()
    }

    #[test]
    fn failures_are_told_of_one_model_too() {
        // Two fifths fail of what costs $30 a month: that is $6 above a fifth.
        let found = of_one(month("m", (10, 6), 100_000, 60_000), &means());
        let [("failures", Gain::Money(micros), Finding::Failures { others: None, .. })] = found[..]
        else {
            panic!("{found:?}")
        };
        assert!((5_900_000..6_400_000).contains(&micros), "{micros}");
        assert_eq!(of_one(month("m", (10, 8), 100_000, 60_000), &means()), []);
    }

    #[test]
    fn retries_are_told_where_a_failure_is_followed_more_often_than_a_success() {
        let given = |retries: u64, sequels: u64, micros| {
            let followed = Followed {
                failures: 100,
                retries,
                successes: 400,
                sequels,
                longest: 4,
                micros,
                duration_ms: 7_200_000,
            };
            let types = [(TaskType::Execute, followed)].into();
            let means = Means { attempts: Attempts { types, seconds: 30 * 24 * 3600 }, ..means() };
            of_one(month("m", (10, 9), 1, 1), &means)
        };
        // Forty followed; eight would have after a success; so four fifths of $10 were retries.
        let found = given(40, 32, Some(10_000_000));
        let [("retries", Gain::Money(micros), Finding::Retries { .. })] = found[..] else {
            panic!("{found:?}")
        };
        assert!((8_000_000..8_200_000).contains(&micros), "{micros}");
        assert!(matches!(given(40, 32, None)[..], [("retries", Gain::Time(5_800_000..), _)]));
        // In a busy ledger something always follows.
        assert_eq!(given(95, 380, Some(10_000_000)), []);
        assert_eq!(given(25, 60, Some(10_000_000)), []);
    }

    #[test]
    fn slow_task_types_are_told_and_quick_ones_are_no_measure() {
        let of_type = |task_type, ms: [u128; 2]| {
            let [older, newer] = ms.map(|ms| month("m", (10, 9), 1, ms));
            let cells = [&older[..15], &newer[15..]].concat();
            cells.into_iter().map(|cell| Cell { task_type, ..cell }).collect::<Vec<_>>()
        };
        let minute = |n: u128| n * 60_000;
        let plan = of_type(TaskType::Plan, [minute(1), minute(1)]);
        let given = |cells: Vec<Cell>| of_one([plan.clone(), cells].concat(), &means());
        // Twice as long: five minutes more for 150 tasks in half a month.
        let found = given(of_type(TaskType::Execute, [minute(5), minute(10)]));
        let [("slow-task-types", Gain::Time(ms), Finding::Slower { .. })] = found[..] else {
            panic!("{found:?}")
        };
        assert!((minute(1_500)..minute(1_600)).contains(&ms), "{ms}");
        let found = given(of_type(TaskType::Execute, [minute(15), minute(15)]));
        let [("slow-task-types", Gain::Time(ms), Finding::Slow { share, .. })] = found[..] else {
            panic!("{found:?}")
        };
        assert!((minute(1_500)..minute(1_600)).contains(&ms) && share > 0.9, "{ms} {share}");
        // Ordinary figures; and a quick task beside which a usual one is long.
        assert_eq!(given(of_type(TaskType::Execute, [minute(5), minute(6)])), []);
        let quick = of_type(TaskType::Quick, [1_000, 1_000]);
        assert_eq!(of_one([plan.clone(), quick].concat(), &means()), []);
    }

    #[test]
    fn a_rule_that_finds_much_hides_no_other() {
        let models: Vec<String> = (0..12).map(|n| format!("m{n}")).collect();
        let failing = models.iter().flat_map(|it| month(it, (10, 5), 100_000_000, 60_000));
        let means = Means { committed_bytes: Some(9 << 20), ..means() };
        let all = of(&failing.collect::<Vec<_>>(), &means);
        assert_eq!(all.len(), 13);
        assert!(all.is_sorted_by_key(|it| Reverse(it.gain)));
        let told: Vec<&str> = all.iter().filter(|it| it.is_told).map(|it| it.rule.key).collect();
        assert_eq!(told, ["failures", "failures", "failures", "large-ledger"]);
    }
}
