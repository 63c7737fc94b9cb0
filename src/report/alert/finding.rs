//! What a check finds: one value for each alert, whole enough to be told in a sentence.

use std::time::Duration;

use hashbrown::HashSet;

use crate::alert::act::{Act, Action, Acts, id_of};
use crate::alert::amount::{Amount, Unit};
use crate::alert::limit::Limit;
use crate::alert::metric::Store;
use crate::alert::rule::{COOLDOWN, Rule, Window};
use crate::alert::severity::Severity;
use crate::figures;
use crate::report::alert::judge::{Days, Episode};
use crate::report::anomaly::finding::{self, Anomaly, Direction};
use crate::report::series::{SeriesKey, Source};
use crate::row::TaskType;
use crate::timestamp::Day;

/// Nobody looks for the beginning of an alert further back.
const BEGUN_BEFORE_DAYS_MAX: i32 = 2 * 366;

/// What found it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A limit that was typed.
    Limit,
    /// A rule of the settings.
    Rule,
    /// A day unlike those before.
    Anomaly,
}

impl Kind {
    /// The word for it.
    pub const fn name(self) -> &'static str {
        match self {
            Kind::Limit => "limit",
            Kind::Rule => "rule",
            Kind::Anomaly => "anomaly",
        }
    }
}

/// Whether somebody should look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// Yes.
    Firing,
    /// Somebody does.
    Acknowledged,
    /// It is over, or was said to be.
    Resolved,
}

impl State {
    /// The word for it.
    pub const fn name(self) -> &'static str {
        match self {
            State::Firing => "firing",
            State::Acknowledged => "acknowledged",
            State::Resolved => "resolved",
        }
    }
}

/// One alert.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// What found it.
    pub kind: Kind,
    /// The same in every clone; None for a limit that was typed, which nobody acknowledges.
    pub id: Option<String>,
    /// The rule's name, the limit's option, or the anomaly's metric.
    pub name: String,
    /// How bad it is.
    pub severity: Severity,
    /// Whether somebody should look.
    pub state: State,
    /// Where the figures come from.
    pub store: Store,
    /// Which series; None where it is of everything.
    pub series: Option<String>,
    /// What was measured.
    pub metric: String,
    /// The days that the value is of.
    pub window: Days,
    /// What was measured, the last time that it was a breach.
    pub value: Amount,
    /// What it should not have been beyond; None of a change.
    pub limit: Option<Amount>,
    /// The limit in words.
    pub limit_words: String,
    /// The whole of it in words, without the series.
    pub evidence: String,
    /// How many tasks or events say so.
    pub samples: u64,
    /// The first day on whose evening it was seen.
    pub since: Day,
    /// The last day of its last breach, where that is over.
    pub ended: Option<Day>,
    /// Who was told of it is told again after that.
    pub cooldown: Duration,
    /// The day of the first acknowledgement.
    pub acknowledged: Option<Day>,
    /// The day on which it was over, or was said to be.
    pub resolved: Option<Day>,
    /// The newest note about it.
    pub note: Option<String>,
}

/// What a window of a rule is called: `2026-11-20`, `2026-W47`, `2026-11`, `7 days to 2026-11-20`.
fn called(window: Window, (from, to): Days) -> String {
    match window {
        Window::Day => from.to_string(),
        Window::Week => from.iso_week(),
        Window::Month => from.to_string()[..7].to_owned(),
        Window::Days(1) => to.to_string(),
        Window::Days(days) => format!("{days} days to {to}"),
    }
}

fn samples(n: u64, store: Store) -> String {
    figures::counted(n, if store == Store::Ledger { "task" } else { "event" })
}

/// The same in every clone: of the rule's name, its series and the last day of the first window.
fn id_of_rule(rule: &Rule, series: Option<&str>, start: Day) -> String {
    let (store, by, start) = (rule.store.name(), rule.by.name(), start.to_string());
    id_of(&["rule", &rule.name, store, by, series.unwrap_or_default(), &start])
}

impl Finding {
    /// What a rule found in one of its series.
    pub fn of_rule(rule: &Rule, series: Option<&str>, episode: &Episode) -> Finding {
        let id = id_of_rule(rule, series, episode.first.1);
        let window = called(rule.window, episode.last);
        Finding { id: Some(id), ..Finding::new(Kind::Rule, rule, series, episode, &window) }
    }

    /// The same, where its first days may have been pruned or archived: then it keeps the id by which
    /// somebody acted on it, one of those in `acted`.
    pub fn of_rule_acted(
        rule: &Rule,
        series: Option<&str>,
        episode: &Episode,
        acted: &HashSet<&str>,
    ) -> Finding {
        let finding = Finding::of_rule(rule, series, episode);
        let is_acted = |id: &String| acted.contains(id.as_str());
        if !episode.is_from_start || acted.is_empty() || finding.id.as_ref().is_some_and(is_acted) {
            return finding;
        }
        let last = episode.first.1;
        let earlier = (1..=BEGUN_BEFORE_DAYS_MAX).map(|days| Day(last.0 - days));
        let mut ids = earlier.map(|day| (id_of_rule(rule, series, day), day));
        match ids.find(|(id, _)| is_acted(id)) {
            Some((id, day)) => Finding { id: Some(id), since: finding.since.min(day), ..finding },
            None => finding,
        }
    }

    /// What a limit that was typed found from one day to the other.
    pub fn of_limit(rule: &Rule, episode: &Episode) -> Finding {
        let (from, to) = episode.last;
        let window = if from == to { from.to_string() } else { format!("{from} to {to}") };
        Finding::new(Kind::Limit, rule, None, episode, &window)
    }

    fn new(
        kind: Kind,
        rule: &Rule,
        series: Option<&str>,
        episode: &Episode,
        window: &str,
    ) -> Finding {
        let unit = rule.metric.unit();
        let amount = |millionths| Amount { unit, millionths };
        let value = amount(episode.value.millionths());
        let limit_words = rule.limit.words(unit);
        let samples = samples(episode.samples, rule.store);
        let what = format!("{}: {}", rule.metric.words(), value.text());
        let evidence = match episode.before {
            None => format!("{what}, {limit_words} ({window}; {samples})"),
            Some(before) => {
                let distance = match rule.limit {
                    Limit::Points(_) => Some(episode.value.distance_from(before)),
                    _ => episode.value.change_from(before),
                };
                let distance = distance.map_or(0, |it| it.millionths());
                let (before, distance) =
                    (amount(before.millionths()).text(), rule.limit.distance_words(distance));
                format!(
                    "{what}, {before} in the window before: {distance}, limit {limit_words} \
                     ({window}; {samples})"
                )
            }
        };
        let limit = match rule.limit {
            Limit::Above(it) | Limit::Below(it) => Some(amount(it)),
            _ => None,
        };
        let ended = (!episode.is_open).then_some(episode.last.1);
        Finding {
            kind,
            id: None,
            name: rule.name.clone(),
            severity: rule.severity,
            state: if episode.is_open { State::Firing } else { State::Resolved },
            store: rule.store,
            series: series.map(str::to_owned),
            metric: rule.metric.name(),
            window: episode.last,
            value,
            limit,
            limit_words,
            evidence,
            samples: episode.samples,
            since: episode.since,
            ended,
            cooldown: rule.cooldown,
            acknowledged: None,
            resolved: ended,
            note: None,
        }
    }

    /// What is unlike the days before.
    pub fn of_anomaly(anomaly: &Anomaly) -> Finding {
        let (unit, parts) = match anomaly.metric {
            finding::Metric::Tokens | finding::Metric::Silence => (Unit::Count, 1e6),
            finding::Metric::Cost => (Unit::Money, 1.0),
            finding::Metric::Duration => (Unit::Duration, 1e6),
            finding::Metric::Success => (Unit::Share, 1e6),
        };
        // Casts saturate.
        let amount = |value: f64| Amount { unit, millionths: (value * parts).round() as i128 };
        let (border, side) = match anomaly.direction {
            Direction::Above => (anomaly.high, "above"),
            Direction::Below => (anomaly.low, "below"),
        };
        let store = match anomaly.series.source {
            Source::Ledger => Store::Ledger,
            Source::Events => Store::Events,
        };
        let key = &anomaly.series;
        let task_type = key.task_type.map_or("", TaskType::name);
        let [model, strategy] = [&key.model, &key.strategy].map(|it| it.as_deref().unwrap_or(""));
        let (name, start) = (anomaly.metric.name(), anomaly.start.to_string());
        let id = id_of(&["anomaly", name, store.name(), model, task_type, strategy, side, &start]);
        let ended = (!anomaly.is_open).then_some(anomaly.last);
        Finding {
            kind: Kind::Anomaly,
            id: Some(id),
            name: format!("anomaly-{name}"),
            severity: Severity::Warning,
            state: if anomaly.is_open { State::Firing } else { State::Resolved },
            store,
            series: (*key != SeriesKey::all(key.source)).then(|| key.to_string()),
            metric: name.to_owned(),
            window: (anomaly.start, anomaly.found),
            value: amount(anomaly.value),
            limit: border.is_finite().then(|| amount(border)),
            limit_words: format!("{side} {}", amount(border).text()),
            evidence: anomaly.evidence(),
            samples: anomaly.samples,
            since: anomaly.start,
            ended,
            cooldown: COOLDOWN,
            acknowledged: None,
            resolved: ended,
            note: None,
        }
    }

    /// The same with what people said of it: of several acts the last stands.
    pub fn told(mut self, acts: &Acts) -> Finding {
        let Some(id) = self.id.clone() else { return self };
        let mut last: Option<&Act> = None;
        for act in acts.of(&id) {
            let day = act.at.day().max(self.since);
            if act.action == Action::Ack && self.acknowledged.is_none() {
                self.acknowledged = Some(day);
            }
            if !act.note.is_empty() {
                self.note = Some(act.note.clone());
            }
            last = Some(act);
        }
        match last.map(|act| (act.action, act.at.day().max(self.since))) {
            Some((Action::Ack, _)) if self.state == State::Firing => {
                self.state = State::Acknowledged;
            }
            Some((Action::Resolve, day)) => {
                self.state = State::Resolved;
                self.resolved = Some(self.ended.map_or(day, |ended| ended.min(day)));
            }
            _ => {}
        }
        self
    }

    /// How many days it took until somebody looked.
    pub fn days_to_acknowledge(&self) -> Option<i32> {
        self.acknowledged.map(|day| day.0 - self.since.0)
    }

    /// How many days it took until it was over, or said to be.
    pub fn days_to_resolve(&self) -> Option<i32> {
        self.resolved.map(|day| day.0.max(self.since.0) - self.since.0)
    }
}
