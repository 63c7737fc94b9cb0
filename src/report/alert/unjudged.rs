//! What could not be judged, and why: it is never taken for well.

use crate::alert::metric::{Metric, Store};
use crate::alert::rule::Rule;
use crate::figures::counted;
use crate::report::alert::judge::Unknown;

/// A rule, a series of one, or a limit that could not be judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unjudged {
    /// The rule's name.
    pub name: String,
    /// Which of its series; None where it is of everything.
    pub series: Option<String>,
    /// Why.
    pub why: String,
}

impl Unjudged {
    /// Everything that a rule or limit is of.
    pub fn all(rule: &Rule, why: String) -> Unjudged {
        Unjudged { name: rule.name.clone(), series: None, why }
    }

    /// One of its series.
    pub fn of(rule: &Rule, series: Option<&str>, why: Unknown) -> Unjudged {
        let window = rule.window.name();
        let why = match why {
            Unknown::NotWhole => format!("no whole window of {window} yet"),
            Unknown::NoValue => no_value(rule),
            Unknown::TooFew(samples) => too_few(rule, samples),
            Unknown::NoneBefore => format!("no two windows of {window} in a row to be compared"),
            Unknown::FromNothing => "a change from nothing is none in percent".to_owned(),
        };
        Unjudged { series: series.map(str::to_owned), ..Unjudged::all(rule, why) }
    }
}

/// That a rule has no series.
pub fn no_series(rule: &Rule, has_events: bool) -> String {
    match (rule.store, &rule.only) {
        (Store::Events, _) if !has_events => {
            "no events here: log-usage consent grant events records them, on this machine alone"
                .to_owned()
        }
        (_, Some(only)) => format!("no {} is like {only}", rule.by.name()),
        (Store::Ledger, None) => "no rows".to_owned(),
        (Store::Events, None) => "no such events".to_owned(),
    }
}

/// That nothing was measured.
pub fn no_value(rule: &Rule) -> String {
    let what = match rule.metric {
        Metric::Cost => "no price",
        Metric::CostPerSuccess => "no success that has a price",
        Metric::SuccessRate | Metric::ErrorRate => "nothing of which it is known",
        Metric::DurationMean | Metric::DurationP50 | Metric::DurationP95 => "no durations",
        _ => "nothing measured",
    };
    what.to_owned()
}

/// That so few tasks or events say nothing.
pub fn too_few(rule: &Rule, samples: u64) -> String {
    let noun = if rule.store == Store::Ledger { "task" } else { "event" };
    format!("{} {} too few", counted(samples, noun), if samples == 1 { "is" } else { "are" })
}
