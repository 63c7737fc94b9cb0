//! Rules, limits and what people said of alerts → what is wrong now, and what was. Plain values.

pub mod figures;
pub mod judge;
pub mod finding;

use std::cmp::Reverse;
use std::collections::BTreeMap;

use crate::alert::act::Acts;
use crate::alert::metric::{By, Metric, Store};
use crate::alert::rule::{Limit, Rule};
use crate::alert::severity::Severity;
use crate::report::aggregate::Cell;
use crate::report::alert::figures::{EventWatch, of_events, of_rows};
use crate::report::alert::finding::{Finding, State};
use crate::report::alert::judge::{Days, Episode, Judged, Read, judge};
use crate::report::anomaly;
use crate::report::anomaly::watch;
use crate::report::measures::Measures;
use crate::report::series::{Level, Series};
use crate::timestamp::Day;

/// How the whole is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// Nothing fires that anybody should look at.
    Ok,
    /// Something does.
    Warning,
    /// Something is to be mended.
    Critical,
}

impl Health {
    /// The word for it.
    pub const fn name(self) -> &'static str {
        match self {
            Health::Ok => "ok",
            Health::Warning => "warning",
            Health::Critical => "critical",
        }
    }
}

/// What is to be judged, and by what.
#[derive(Clone, Debug, Default)]
pub struct Ask {
    /// The rules of the settings.
    pub rules: Vec<Rule>,
    /// Limits that were typed.
    pub limits: Vec<Rule>,
    /// From which day on these are judged.
    pub since: Option<Day>,
    /// As it was on the evening of that day.
    pub until: Option<Day>,
    /// Whether days unlike those before are looked for.
    pub has_anomalies: bool,
    /// Whether what is over is told, too.
    pub has_history: bool,
    /// What people did.
    pub acts: Acts,
}

impl Ask {
    /// Whether the newest days are all that is looked at.
    pub fn is_of_newest(&self) -> bool {
        self.rules.is_empty() && self.limits.is_empty() && self.until.is_none()
    }

    /// The rules that look at events.
    pub fn of_events(&self) -> Vec<&Rule> {
        self.rules.iter().filter(|it| it.store == Store::Events).collect()
    }
}

/// What is known.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// Rows by day, model and task type.
    pub cells: Vec<Cell>,
    /// Days with rows from before those of the cells.
    pub earlier: Vec<Day>,
    /// Events, for each rule that looks at them, in order.
    pub events: EventWatch,
}

impl Facts {
    /// The series that anomalies are looked for in, and from which day on; None where there are none.
    fn series_looked_at(&self) -> Option<(Vec<Series>, Day)> {
        let mut strategies: Vec<Series> = self.events.strategies().collect();
        let of_events = strategies.iter().flat_map(|it| it.days.keys().copied());
        let of_rows = self.cells.iter().map(|cell| cell.day);
        let days = of_rows.chain(self.earlier.iter().copied()).chain(of_events).collect();
        let begin = watch::begin(&days)?;
        let from = watch::needed_from(begin);
        let needed = self.cells.iter().filter(|cell| cell.day >= from);
        let mut series = Series::of_cells(needed, Level::ModelAndTaskType, Measures::merge);
        strategies.iter_mut().for_each(|it| it.days.retain(|day, _| *day >= from));
        series.extend(strategies.into_iter().filter(|it| !it.days.is_empty()));
        Some((series, begin))
    }
}

/// A rule that could judge nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unjudged {
    /// Its name.
    pub name: String,
    /// Why.
    pub why: String,
}

/// Everything that a check says.
#[derive(Clone, Debug)]
pub struct Check {
    /// How the whole is.
    pub health: Health,
    /// What was found, what fires first; what is over only where that was asked for.
    pub findings: Vec<Finding>,
    /// Rules and limits that could judge nothing.
    pub unjudged: Vec<Unjudged>,
    /// How many rules and limits there are.
    pub rules: usize,
    /// How many series of theirs could be judged.
    pub series: usize,
    /// How many series were looked at for anomalies; None where nobody did.
    pub watched: Option<usize>,
    /// The first and last day of rows.
    pub span: Option<Days>,
    /// How many rows have no price, where anything of cost is judged.
    pub unpriced: u64,
    /// Whether what is over is told, too.
    pub has_history: bool,
    /// Lines of acknowledgements that cannot be read.
    pub bad_acts: Vec<(u64, String)>,
    /// How many there are.
    pub unreadable_acts: u64,
    /// How many lines of events cannot be read.
    pub unreadable_events: u64,
}

impl Check {
    /// What fires.
    pub fn firing(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(|it| it.state == State::Firing)
    }

    /// Whether anything fires of that severity or a worse one.
    pub fn fails_on(&self, severity: Severity) -> bool {
        self.firing().any(|it| it.severity >= severity)
    }
}

/// Judges everything.
pub fn check(ask: &Ask, mut facts: Facts) -> Check {
    facts.cells.retain(|cell| ask.until.is_none_or(|until| cell.day <= until));
    let days = || facts.cells.iter().map(|cell| cell.day);
    let first = facts.earlier.iter().copied().chain(days()).min();
    let span = first.zip(days().max());
    let mut judging = Judging { ask, facts: &facts, span, levels: BTreeMap::new() };
    let (mut findings, mut unjudged, mut series) = (Vec::new(), Vec::new(), 0);
    for limit in &ask.limits {
        match judging.limit(limit) {
            Ok(found) => {
                series += 1;
                findings.extend(found);
            }
            Err(why) => unjudged.push(Unjudged { name: limit.name.clone(), why }),
        }
    }
    let mut number = 0;
    for rule in &ask.rules {
        let judged = match rule.store {
            Store::Ledger => judging.of_ledger(rule),
            Store::Events => judging.of_events(rule, number),
        };
        number += usize::from(rule.store == Store::Events);
        let known = judged.iter().filter(|(_, it)| it.is_known).count();
        series += known;
        if known == 0 {
            unjudged.push(Unjudged { name: rule.name.clone(), why: why_not(rule, judged.len()) });
        }
        for (name, judged) in &judged {
            let episodes = judged.episodes.iter();
            findings.extend(episodes.map(|it| Finding::of_rule(rule, name.as_deref(), it)));
        }
    }
    let mut watched = None;
    if ask.has_anomalies {
        let series = facts.series_looked_at();
        watched = Some(series.as_ref().map_or(0, |(series, _)| series.len()));
        let found = series.map(|(series, begin)| anomaly::find(&series, begin));
        findings.extend(found.iter().flatten().map(Finding::of_anomaly));
    }
    let mut findings: Vec<Finding> = findings.into_iter().map(|it| it.told(&ask.acts)).collect();
    findings.retain(|it| ask.has_history || it.state != State::Resolved);
    findings.sort_by_cached_key(|it| {
        let (name, series) = (it.name.clone(), it.series.clone());
        (it.state, Reverse(it.severity), it.kind, name, series, Reverse(it.since))
    });
    let is_of_cost = |it: &Rule| matches!(it.metric, Metric::Cost | Metric::CostPerSuccess);
    let unpriced = match ask.rules.iter().chain(&ask.limits).any(is_of_cost) {
        true => facts.cells.iter().map(|cell| cell.measures.unpriced.rows).sum(),
        false => 0,
    };
    let worst = findings.iter().filter(|it| it.state == State::Firing).map(|it| it.severity).max();
    Check {
        health: match worst {
            None | Some(Severity::Info) => Health::Ok,
            Some(Severity::Warning) => Health::Warning,
            Some(Severity::Error | Severity::Critical) => Health::Critical,
        },
        findings,
        unjudged,
        rules: ask.rules.len() + ask.limits.len(),
        series,
        watched,
        span,
        unpriced,
        has_history: ask.has_history,
        bad_acts: ask.acts.bad.clone(),
        unreadable_acts: ask.acts.unreadable,
        unreadable_events: facts.events.unreadable,
    }
}

/// Why a rule with so many series could judge none.
fn why_not(rule: &Rule, series: usize) -> String {
    let of = match (rule.store, &rule.only) {
        (Store::Ledger, None) => "no rows".to_owned(),
        (Store::Events, None) => "no such events".to_owned(),
        (_, Some(only)) => format!("no {} is like {only}", rule.by.name()),
    };
    match (series, rule.limit.is_change()) {
        (0, _) => of,
        (_, true) => format!(
            "no two windows of {} in a row have at least {} samples and a price where one is needed",
            rule.window.name(),
            rule.min_samples
        ),
        (_, false) => format!(
            "no window of {} that is over has a value of at least {} samples",
            rule.window.name(),
            rule.min_samples
        ),
    }
}

/// Series by day, each with its name.
type Named = Vec<(Option<String>, BTreeMap<Day, Measures>)>;

struct Judging<'a> {
    ask: &'a Ask,
    facts: &'a Facts,
    span: Option<Days>,
    /// The ledger's series by what they tell apart, made once.
    levels: BTreeMap<u8, Named>,
}

impl Judging<'_> {
    fn of_ledger(&mut self, rule: &Rule) -> Vec<(Option<String>, Judged)> {
        let Some(span) = self.span else { return Vec::new() };
        let level = match rule.by {
            By::Model => Level::Model,
            By::TaskType => Level::TaskType,
            _ => Level::All,
        };
        let is_whole = self.ask.has_history;
        let is_meant = |name: &Option<String>| match &rule.only {
            None => true,
            Some(only) => name.as_deref().is_some_and(|name| only.matches(name)),
        };
        let meant = self.named(level).iter().filter(|(name, _)| is_meant(name));
        let judged = meant.map(|(name, days)| {
            let read: &Read<'_> = &|from, to| of_rows(days, &rule.metric, from, to);
            (name.clone(), judge(rule, span, read, is_whole))
        });
        judged.collect()
    }

    /// The ledger's series, made once.
    fn named(&mut self, level: Level) -> &Named {
        let cells = &self.facts.cells;
        let mut rules = self.ask.rules.iter().chain(&self.ask.limits);
        // Durations are most of what there is.
        let add = match rules.any(|it| it.metric.is_percentile()) {
            true => Measures::merge,
            false => Measures::merge_sums,
        };
        self.levels.entry(level as u8).or_insert_with(|| {
            let series = Series::of_cells(cells, level, add);
            let name = |it: &Series| match level {
                Level::All => None,
                _ => Some(it.key.to_string()),
            };
            series.into_iter().map(|it| (name(&it), it.days)).collect()
        })
    }

    fn of_events(&self, rule: &Rule, number: usize) -> Vec<(Option<String>, Judged)> {
        let events = &self.facts.events;
        let Some((series, span)) = events.series.get(number).zip(events.span) else {
            return Vec::new();
        };
        let judged = series.iter().map(|(name, days)| {
            let read: &Read<'_> = &|from, to| of_events(days, &rule.metric, from, to);
            let name = (rule.by != By::None).then(|| name.to_string());
            (name, judge(rule, span, read, self.ask.has_history))
        });
        judged.collect()
    }

    /// All rows of the days that were typed, together.
    fn limit(&mut self, rule: &Rule) -> Result<Option<Finding>, String> {
        let Some((first, last)) = self.span else { return Err("no rows".to_owned()) };
        let from = self.ask.since.unwrap_or(first);
        let to = self.ask.until.unwrap_or(last).max(from);
        let days = self.named(Level::All).first().map(|(_, days)| days);
        let figure = days.map(|days| of_rows(days, &rule.metric, from, to)).unwrap_or_default();
        let Some(value) = figure.value.filter(|_| figure.samples >= rule.min_samples) else {
            let tasks = figure.samples;
            return Err(match tasks {
                0 => "no tasks of which it is known".to_owned(),
                1 => "1 task is too few".to_owned(),
                _ => format!("{tasks} tasks are too few"),
            });
        };
        let is_breach = match rule.limit {
            Limit::Above(limit) => value.is_above(limit),
            Limit::Below(limit) => value.is_below(limit),
            _ => false,
        };
        let days = (from, to);
        let episode = Episode {
            first: days,
            since: from,
            last: days,
            value,
            samples: figure.samples,
            before: None,
            is_open: true,
        };
        Ok(is_breach.then(|| Finding::of_limit(rule, &episode)))
    }
}
