//! Advice on models: another does as well for less, or faster; one reads too little from its cache.

use std::collections::BTreeMap;

use crate::pricing::rates::PICO_PER_MICRO;
use crate::report::advice::facts::{self, Facts, TASKS_MIN};
use crate::report::advice::finding::{Finding, Gain};
use crate::report::compare::estimate::Ratio;
use crate::report::compare::measure::{MEASURES, Sums};
use crate::report::interval::newcombe;

/// A model does as well if it is not shown to succeed, at worst, less often by more than this: a
/// narrower margin takes hundreds of tasks to be shown at all.
const MARGIN: f64 = 0.10;

/// A model reads too little from its cache if it is at least so far below the others.
const CACHE_MARGIN: f64 = 0.10;

/// A prompt of fewer tokens in all is not worth a change.
const CACHE_TOKENS_MIN: u128 = 1_000_000;

/// For each type and model the one other model that does as well and gains the most.
pub fn better(facts: &Facts<'_>, key: &str) -> Vec<(Finding, Gain)> {
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
        let (from, to) = (facts::record(from, of_from, now), facts::record(to, of_to, then));
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

/// Models that read far less of their prompt from a cache than the others do.
pub fn cache(facts: &Facts<'_>) -> Vec<(Finding, Gain)> {
    let share = |sums: &mut dyn Iterator<Item = &Sums>| {
        let mut days = BTreeMap::<_, (f64, f64)>::new();
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
