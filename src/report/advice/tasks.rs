//! Advice on tasks: much fails, what failed is done again at once, or tasks take too long. The gain
//! is only of what is beyond the threshold, so that it is not promised that nothing will fail.

use crate::report::advice::facts::{self, Facts, TASKS_MIN};
use crate::report::advice::finding::{Finding, Gain};
use crate::report::compare::measure::{Change, MEASURES, Sums};
use crate::report::interval::{newcombe, wilson};
use crate::row::TaskType;

/// Where surely more than this part of the tasks fails, something other than chance is the matter.
const FAILURES_MIN: f64 = 0.20;

/// Where another task surely follows a failure more often than a success by this part, it is
/// another attempt; by less, that may be the busy hours of a ledger without sessions.
const RETRIES_MIN: f64 = 0.10;

/// Tasks that surely take longer by this part than they did have changed.
const GROWTH_MIN: f64 = 0.25;

/// Tasks that surely take more than so many times as long as others are not of their kind.
const TIMES_MIN: f64 = 10.0;

/// And what they take is worth a look from this part of all time on.
const SHARE_MIN: f64 = 0.5;

/// Models that fail at tasks of a type.
pub fn failures(facts: &Facts<'_>) -> Vec<(Finding, Gain)> {
    let mut found = Vec::new();
    for ((task_type, model), sums) in &facts.sums {
        let all = &sums.all;
        if all.tasks < TASKS_MIN {
            continue;
        }
        let failed = all.tasks - all.successes;
        let interval = wilson(failed, all.tasks);
        let (mut tasks, mut failed_others) = (0, 0);
        for (_, it) in facts.sums.iter().filter(|((it, to), _)| it == task_type && to != model) {
            tasks += it.all.tasks;
            failed_others += it.all.tasks - it.all.successes;
        }
        let others = (tasks >= TASKS_MIN).then(|| failed_others as f64 / tasks as f64);
        if interval.0 <= FAILURES_MIN {
            continue;
        }
        let possible = others.unwrap_or(FAILURES_MIN).min(FAILURES_MIN);
        let excess = failed as f64 / all.tasks as f64 - possible;
        let gain = match all.cost().filter(|cost| *cost > 0) {
            Some(cost) => Gain::Money(facts.monthly(excess * cost as f64)),
            None => Gain::Time(facts.monthly(excess * all.duration_ms as f64)),
        };
        let record = facts::record(model, sums, all.cost_micros as f64);
        found.push((Finding::Failures { task_type: *task_type, record, interval, others }, gain));
    }
    found
}

/// Task types whose tasks are done again at once where they failed.
pub fn retries(facts: &Facts<'_>) -> Vec<(Finding, Gain)> {
    let mut found = Vec::new();
    for (task_type, followed) in &facts.attempts.types {
        let it = *followed;
        if it.failures.min(it.successes) < TASKS_MIN {
            continue;
        }
        let interval = newcombe((it.retries, it.failures), (it.sequels, it.successes));
        if interval.0 <= RETRIES_MIN {
            continue;
        }
        // So many of those that follow a failure would have followed a success, too.
        let by_chance = it.failures as f64 * it.sequels as f64 / it.successes as f64;
        let part = 1.0 - by_chance / it.retries as f64;
        let gain = match it.micros {
            Some(micros) => Gain::Money(facts.monthly_of_attempts(part * micros as f64)),
            None => Gain::Time(facts.monthly_of_attempts(part * it.duration_ms as f64)),
        };
        found.push((Finding::Retries { task_type: *task_type, followed: it, interval }, gain));
    }
    found
}

/// Task types that take longer than they did, and those that take most of the time.
pub fn slow(facts: &Facts<'_>) -> Vec<(Finding, Gain)> {
    let mut found = Vec::new();
    for task_type in TaskType::ALL {
        let mine = |it: TaskType| it == task_type;
        let [newer, older] = [true, false]
            .map(|is_newer| facts.summed(|day, it| mine(it) && (day >= facts.middle) == is_newer));
        if let Some((change, means, interval)) = longer([&newer, &older])
            && interval.0 > GROWTH_MIN
        {
            // The newer half is half of the days.
            let more = change * means[1] * newer.all.tasks as f64 * 2.0;
            let finding = Finding::Slower { task_type, means, interval };
            found.push((finding, Gain::Time(facts.monthly(more))));
        }
        // Quick tasks are short by their nature: beside them all others are long.
        let whole = facts.summed(|_, it| mine(it));
        let others = facts.summed(|_, it| !mine(it) && it != TaskType::Quick);
        let all = facts.summed(|_, _| true).all.duration_ms;
        let share = whole.all.duration_ms as f64 / all.max(1) as f64;
        if let Some((_, means, interval)) = longer([&whole, &others])
            && interval.0 + 1.0 > TIMES_MIN
            && share > SHARE_MIN
        {
            let beyond = (means[0] - TIMES_MIN * means[1]) * whole.all.tasks as f64;
            let times = (interval.0 + 1.0, interval.1 + 1.0);
            let finding = Finding::Slow { task_type, means, times, share };
            found.push((finding, Gain::Time(facts.monthly(beyond))));
        }
    }
    found
}

/// By which part the tasks of one side take longer than those of the other, both means, and the
/// interval; None where one has too few.
fn longer(sides: [&Sums; 2]) -> Option<(f64, [f64; 2], (f64, f64))> {
    let measures: &'static [_; 14] = const { &MEASURES };
    let measure = measures.iter().find(|it| it.key == "duration_mean")?;
    if sides.iter().any(|it| it.all.tasks < TASKS_MIN) {
        return None;
    }
    let Change { change, values: [Some(one), Some(two)], interval, .. } = measure.change(sides)
    else {
        return None;
    };
    Some((change?, [one, two], interval?))
}
