//! Rules, limits and what people said of alerts → what is wrong now, and what was. Plain values.

pub mod figures;
pub mod judge;
pub mod alone;
pub mod finding;
pub mod unjudged;

use std::cmp::Reverse;
use std::collections::BTreeMap;

use hashbrown::HashSet;

use crate::alert::act::{Act, Acts};
use crate::alert::limit::Limit;
use crate::alert::metric::{By, Metric, Store};
use crate::alert::rule::Rule;
use crate::alert::severity::Severity;
use crate::report::aggregate::{Cell, Limited};
use crate::report::alert::alone::Newest;
use crate::report::alert::figures::{EventWatch, of_events, of_rows, of_sums};
use crate::report::alert::finding::{Finding, State};
use crate::report::alert::judge::{Days, Episode, Judged, Read, judge};
use crate::report::alert::unjudged::Unjudged;
use crate::report::anomaly;
use crate::report::anomaly::watch;
use crate::report::measures::Measures;
use crate::report::selection::Bound;
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
    /// From when on these are judged.
    pub since: Option<Bound>,
    /// As it was on the evening of that day.
    pub until: Option<Day>,
    /// Whether days unlike those before are looked for.
    pub has_anomalies: bool,
    /// Whether what is over is told, too.
    pub has_history: bool,
    /// What people did.
    pub acts: Acts,
    /// The reader's day, where rows of later days are to be told; nothing is judged by it.
    pub today: Option<Day>,
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
    /// Rows that typed limits are of, where these begin at a moment within a day.
    pub limited: Option<Limited>,
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

/// Everything that a check says.
#[derive(Clone, Debug)]
pub struct Check {
    /// How the whole is.
    pub health: Health,
    /// What was found, what fires first; what is over only where that was asked for.
    pub findings: Vec<Finding>,
    /// Rules, series of theirs and limits that could not be judged.
    pub unjudged: Vec<Unjudged>,
    /// How many rules and limits there are.
    pub rules: usize,
    /// How many series of theirs could be judged.
    pub series: usize,
    /// How many series were looked at for anomalies; None where nobody did.
    pub watched: Option<usize>,
    /// The first and last day of rows.
    pub span: Option<Days>,
    /// The newest day of events, where rules look at them and it is later.
    pub newest_event: Option<Day>,
    /// The newest rows, where they stand alone: judged is as without them, too.
    pub alone: Option<Newest>,
    /// Rows of days that have not come yet.
    pub ahead: Option<Newest>,
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

    /// Whether anything fires of that severity or a worse one. A clock that was wrong is a warning, and
    /// where the days before were not judged as well, what does not fire may be as bad as anything.
    pub fn fails_on(&self, severity: Severity) -> bool {
        self.firing().any(|it| it.severity >= severity)
            || self.ahead.is_some() && (severity <= Severity::Warning || self.ahead != self.alone)
    }
}

/// Judges everything.
pub fn check(ask: &Ask, mut facts: Facts) -> Check {
    facts.cells.retain(|cell| ask.until.is_none_or(|until| cell.day <= until));
    let days = || facts.cells.iter().map(|cell| cell.day);
    let first = facts.earlier.iter().copied().chain(days()).min();
    let span = first.zip(days().max());
    let ahead = ask.today.and_then(|today| alone::ahead(&facts.cells, today));
    let alone = alone::alone(&facts.cells);
    let is_of_cost = |it: &Rule| matches!(it.metric, Metric::Cost | Metric::CostPerSuccess);
    let unpriced = match ask.rules.iter().chain(&ask.limits).any(is_of_cost) {
        true => facts.cells.iter().map(|cell| cell.measures.unpriced.rows).sum(),
        false => 0,
    };
    let mut judging = Judging { ask, facts: &facts, span, levels: BTreeMap::new() };
    let limits = judging.limits();
    let mut found = judging.all();
    if let (Some(newest), Some((first, _))) = (alone, span) {
        facts.cells.retain(|cell| cell.day <= newest.before);
        let span = Some((first, newest.before));
        let before = Judging { ask, facts: &facts, span, levels: BTreeMap::new() }.all();
        found = before.with_newer(found);
    }
    let Found { mut findings, unjudged: of_rules, mut series, watched } = found;
    let mut unjudged = Vec::new();
    for (limit, judged) in ask.limits.iter().zip(limits) {
        match judged {
            Ok(found) => {
                series += 1;
                findings.extend(found);
            }
            Err(why) => unjudged.push(Unjudged::all(limit, why)),
        }
    }
    unjudged.extend(of_rules);
    let mut findings: Vec<Finding> = findings.into_iter().map(|it| it.told(&ask.acts)).collect();
    findings.retain(|it| ask.has_history || it.state != State::Resolved);
    findings.sort_by_cached_key(|it| {
        let (name, series) = (it.name.clone(), it.series.clone());
        (it.state, Reverse(it.severity), it.kind, name, series, Reverse(it.since))
    });
    let firing = findings.iter().filter(|it| it.state == State::Firing).map(|it| it.severity);
    let worst = firing.chain(ahead.map(|_| Severity::Warning)).max();
    let newest_event = facts.events.span.map(|(_, newest)| newest);
    let is_later = |day: &Day| span.is_none_or(|(_, newest)| *day > newest);
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
        newest_event: newest_event.filter(|_| !ask.of_events().is_empty()).filter(is_later),
        alone,
        ahead,
        unpriced,
        has_history: ask.has_history,
        bad_acts: ask.acts.bad.clone(),
        unreadable_acts: ask.acts.unreadable,
        unreadable_events: facts.events.unreadable,
    }
}

/// The alerts on which somebody acted when the days of this span were not over: one that fires from
/// its first day on may be any of these.
fn acted_since(acts: &Acts, span: Option<Days>) -> HashSet<&str> {
    let is_within = |act: &&Act| span.is_some_and(|(first, _)| act.at.day() >= first);
    acts.acts.iter().filter(is_within).map(|act| act.alert.as_str()).collect()
}

/// What was found on one evening.
#[derive(Default)]
struct Found {
    findings: Vec<Finding>,
    unjudged: Vec<Unjudged>,
    series: usize,
    watched: Option<usize>,
}

impl Found {
    /// What fires on this evening or on a later one: the few rows that are newer may be of a clock that
    /// was wrong.
    fn with_newer(mut self, newer: Found) -> Found {
        for it in newer.findings {
            match self.findings.iter_mut().find(|mine| mine.id == it.id) {
                Some(mine) if it.state == State::Firing => *mine = it,
                Some(_) => {}
                None => self.findings.push(it),
            }
        }
        self
    }
}

/// Series by day, each with its name.
type Named = Vec<(Option<String>, BTreeMap<Day, Measures>)>;

/// The ledger as it was on one evening.
struct Judging<'a> {
    ask: &'a Ask,
    facts: &'a Facts,
    /// The first and last day of rows.
    span: Option<Days>,
    /// The ledger's series by what they tell apart, made once.
    levels: BTreeMap<u8, Named>,
}

impl Judging<'_> {
    /// What rules find, and what is unlike the days before.
    fn all(&mut self) -> Found {
        let (ask, mut found, mut number) = (self.ask, Found::default(), 0);
        let acted = [self.span, self.facts.events.span].map(|span| acted_since(&ask.acts, span));
        for rule in &ask.rules {
            let (judged, acted) = match rule.store {
                Store::Ledger => (self.of_ledger(rule), &acted[0]),
                Store::Events => (self.of_events(rule, number), &acted[1]),
            };
            number += usize::from(rule.store == Store::Events);
            if judged.is_empty() {
                let has_events = self.facts.events.span.is_some();
                let why = unjudged::no_series(rule, has_events);
                found.unjudged.push(Unjudged::all(rule, why));
            }
            for (name, judged) in &judged {
                let series = name.as_deref();
                match judged.unknown {
                    Some(why) => found.unjudged.push(Unjudged::of(rule, series, why)),
                    None => found.series += 1,
                }
                let of = |it| Finding::of_rule_acted(rule, series, it, acted);
                found.findings.extend(judged.episodes.iter().map(of));
            }
        }
        if ask.has_anomalies {
            let series = self.facts.series_looked_at();
            found.watched = Some(series.as_ref().map_or(0, |(series, _)| series.len()));
            let anomalies = series.map(|(series, begin)| anomaly::find(&series, begin));
            found.findings.extend(anomalies.iter().flatten().map(Finding::of_anomaly));
        }
        found
    }

    /// What limits find that were typed, each.
    fn limits(&mut self) -> Vec<Result<Option<Finding>, String>> {
        self.ask.limits.iter().map(|limit| self.limit(limit)).collect()
    }

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
        let Some((series, (first, last))) = events.series.get(number).zip(events.span) else {
            return Vec::new();
        };
        // Where work goes on without events, these are over.
        let span = (first, self.span.map_or(last, |(_, newest)| newest.max(last)));
        let judged = series.iter().map(|(name, days)| {
            let read: &Read<'_> = &|from, to| of_events(days, &rule.metric, from, to);
            let name = (rule.by != By::None).then(|| name.to_string());
            (name, judge(rule, span, read, self.ask.has_history))
        });
        judged.collect()
    }

    /// All rows of the days that were typed, together.
    fn limit(&mut self, rule: &Rule) -> Result<Option<Finding>, String> {
        let limited = self.facts.limited.clone();
        let Limited { measures: sums, days } = limited.unwrap_or_else(|| self.limited());
        let Some(days) = days.filter(|_| sums.rows > 0) else {
            return Err(match (self.ask.since, self.span) {
                (Some(Bound::Day(since)), Some(_)) => format!("no rows since {since}"),
                (Some(Bound::Moment(_)), Some(_)) => "no rows since then".to_owned(),
                _ => "no rows".to_owned(),
            });
        };
        let figure = of_sums(&sums, &rule.metric);
        let Some(value) = figure.value else { return Err(unjudged::no_value(rule)) };
        if figure.samples < rule.min_samples {
            return Err(unjudged::too_few(rule, figure.samples));
        }
        let is_breach = match rule.limit {
            Limit::Above(limit) => value.is_above(limit),
            Limit::Below(limit) => value.is_below(limit),
            _ => false,
        };
        let episode = Episode {
            first: days,
            since: days.0,
            last: days,
            value,
            samples: figure.samples,
            before: None,
            is_open: true,
            is_from_start: false,
        };
        Ok(is_breach.then(|| Finding::of_limit(rule, &episode)))
    }

    /// The rows of the days that typed limits are of, and these days.
    fn limited(&mut self) -> Limited {
        let Some((first, last)) = self.span else { return Limited::default() };
        let from = match self.ask.since {
            Some(Bound::Day(day)) => day,
            _ => first,
        };
        let to = self.ask.until.unwrap_or(last).max(from);
        let mut sums = Measures::default();
        let days = self.named(Level::All).iter().flat_map(|(_, days)| days.range(from..=to));
        days.for_each(|(_, day)| sums.merge(day));
        Limited { measures: sums, days: Some((from, to)) }
    }
}
