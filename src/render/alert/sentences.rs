//! A check → sentences: how the whole is and why, and what must be known to read it right.

use crate::alert::severity::Severity;
use crate::figures::counted;
use crate::render::alert::page::Page;
use crate::render::sentences;
use crate::render::sentences::title_text;
use crate::report::alert::Check;
use crate::report::alert::alone::Newest;
use crate::report::alert::finding::{Finding, State};
use crate::report::alert::unjudged::Unjudged;

/// So many series are named of each rule that could not judge them.
const UNJUDGED_MAX: usize = 3;

/// `health: warning · 1 warning fires, 1 acknowledged · 3 rules on 7 series · 28 Sep – 20 Nov 2026`.
pub fn health(check: &Check) -> String {
    let mut parts = vec![format!("health: {}", check.health.name()), firing(check)];
    let ahead = check.ahead.map(|it| format!("{} of days to come", counted(it.rows, "row")));
    parts.extend(ahead);
    let rules = counted(check.rules as u64, "rule");
    let mut looked = format!("{rules} on {} series", check.series);
    if let Some(watched) = check.watched {
        looked += &format!(", anomalies in {watched}");
    }
    parts.push(looked);
    parts.push(check.span.map_or_else(|| "no rows".to_owned(), sentences::span));
    parts.join(" · ")
}

fn firing(check: &Check) -> String {
    let count = |is: &dyn Fn(&&Finding) -> bool| check.findings.iter().filter(is).count() as u64;
    let mut parts = Vec::new();
    for severity in Severity::ALL.into_iter().rev() {
        let firing = count(&|it| it.state == State::Firing && it.severity == severity);
        if firing > 0 {
            let noun = if severity == Severity::Critical { "critical" } else { severity.name() };
            let is_plural = firing > 1 && matches!(severity, Severity::Warning | Severity::Error);
            parts.push(format!("{firing} {noun}{}", if is_plural { "s" } else { "" }));
        }
    }
    if parts.is_empty() {
        parts.push("nothing fires".to_owned());
    }
    let acknowledged = count(&|it| it.state == State::Acknowledged);
    if acknowledged > 0 {
        parts.push(format!("{acknowledged} acknowledged"));
    }
    parts.join(", ")
}

/// How long people took.
pub fn times(check: &Check) -> String {
    let told: Vec<&Finding> = check.findings.iter().filter(|it| it.id.is_some()).collect();
    let all = counted(told.len() as u64, "alert");
    let median = |mut days: Vec<i32>, what: &str| {
        days.sort_unstable();
        match days.get(days.len() / 2) {
            None => format!("Of {all} none was {what}."),
            Some(median) => {
                let noun = if *median == 1 { "day" } else { "days" };
                format!("Of {all} {} {what}, the median after {median} {noun}.", are(days.len()))
            }
        }
    };
    let acknowledged = told.iter().filter_map(|it| it.days_to_acknowledge()).collect();
    let resolved = told.iter().filter(|it| it.state == State::Resolved);
    let resolved = resolved.filter_map(|it| it.days_to_resolve()).collect();
    format!("{} {}", median(acknowledged, "acknowledged"), median(resolved, "resolved"))
}

fn are(n: usize) -> String {
    format!("{n} {}", if n == 1 { "was" } else { "were" })
}

/// What must be known to read a check right; only what applies.
pub fn notes(page: &Page<'_>) -> Vec<String> {
    let check = page.check;
    let mut notes = changing(page);
    if let Some((_, newest)) = check.span {
        let events = check.newest_event.map(|day| format!(" (of rules on events, {day})"));
        notes.push(format!(
            "Windows are of whole local days and end with that of the newest row, {newest}{}: no \
             clock, so the same ledger gives the same check.",
            events.unwrap_or_default()
        ));
    }
    if check.findings.iter().any(|it| it.id.is_some()) {
        notes.push(
            "`log-usage alert ack ID --note \"why\"` says that somebody looks after an alert; \
             `resolve` that it is over; `check --history` shows all there were."
                .to_owned(),
        );
    }
    notes
}

/// Each rule with why it could not be judged; of its series, three.
fn unjudged(all: &[Unjudged]) -> String {
    let mut rules = Vec::new();
    for own in all.chunk_by(|one, other| one.name == other.name) {
        let why = |it: &Unjudged| {
            let series = it.series.as_deref().map(|it| format!("{} ", title_text(it)));
            format!("{}({})", series.unwrap_or_default(), title_text(&it.why))
        };
        let mut series: Vec<String> = own.iter().take(UNJUDGED_MAX).map(why).collect();
        if let Some(more @ 1..) = own.len().checked_sub(UNJUDGED_MAX) {
            series.push(format!("and {more} more series"));
        }
        let of = if own[0].series.is_some() { "of " } else { "" };
        rules.push(format!("{} {of}{}", own[0].name, series.join(", ")));
    }
    rules.join("; ")
}

/// `1 row of 2027-01-20`, `2 rows of 2027-01-20 to 2027-01-21`.
fn rows_of(newest: &Newest) -> String {
    let (from, to) = newest.days;
    let days = if from == to { from.to_string() } else { format!("{from} to {to}") };
    format!("{} of {days}", counted(newest.rows, "row"))
}

/// Only what changes what is found.
pub fn changing(page: &Page<'_>) -> Vec<String> {
    let check = page.check;
    let mut notes = Vec::new();
    if let Some(unlooked) = page.unlooked {
        notes.push(unlooked.to_owned());
    }
    if check.rules == 0 && page.unlooked.is_none() {
        notes.push(
            "No rules yet: `log-usage init --alerts budget` writes some into config.toml; limits \
             can be typed, too: `usage-report check --max-cost 50`."
                .to_owned(),
        );
    }
    if let Some(newest) = &check.ahead {
        notes.push(format!(
            "Not come yet: {}: a clock was wrong, and windows end there until that is corrected \
             or removed.",
            rows_of(newest)
        ));
    }
    if let Some(newest) = &check.alone {
        notes.push(format!(
            "Alone: {}, after a pause unlike any before: of a wrong clock, or of work begun anew. \
             Until more rows tell, what fired on {} fires still.",
            rows_of(newest),
            newest.before
        ));
    }
    if !check.unjudged.is_empty() {
        notes.push(format!("Not judged: {}.", unjudged(&check.unjudged)));
    }
    if check.unpriced > 0 {
        let rows = counted(check.unpriced, "row");
        notes.push(format!("No price: {rows}, in no figure of cost."));
    }
    notes.extend(sentences::unseen_note(page.unseen));
    if page.rows.unreadable > 0 {
        let rows = counted(page.rows.unreadable, "unreadable row");
        notes.push(format!("Left out: {rows} ({}).", sentences::places(page.rows)));
    }
    if check.unreadable_events > 0 {
        let lines = counted(check.unreadable_events, "unreadable event");
        notes.push(format!("Left out: {lines}: `usage-report verify` names them."));
    }
    if let Some((line, why)) = check.bad_acts.first() {
        let lines = counted(check.unreadable_acts, "unreadable line");
        notes.push(format!("Left out: {lines} of alerts.csv (the first is {line}: {why})."));
    }
    notes
}
