//! Advice → sentences, and JSON: what to do, the evidence, and what it is expected to gain.

use serde_json::{Value, json};

use crate::figures::{self, counted};
use crate::render::sentences::name_text;
use crate::report::advice::{Advice, Finding, Gain, Record};

/// A numbered line for each.
pub fn lines(advice: &[Advice]) -> Vec<String> {
    if advice.is_empty() {
        return vec!["Nothing that these rows would bear out.".to_owned()];
    }
    let line = |(number, it): (usize, &Advice)| {
        format!("{number}. {} (expected gain: {})", sentence(it), gain(it.gain))
    };
    (1..).zip(advice).map(line).collect()
}

fn gain(gain: Gain) -> String {
    match gain {
        Gain::Money(micros) => format!("about {} a month", figures::dollars(micros)),
        Gain::Time(ms) => format!("about {} a month", figures::duration(ms)),
        Gain::Bytes(bytes) => format!("{} less with each commit", figures::bytes(bytes)),
        Gain::Alerts(alerts) => format!("{} less in each check", counted(alerts, "alert")),
    }
}

fn sentence(advice: &Advice) -> String {
    match &advice.finding {
        Finding::Better { task_type, from, to, interval } => {
            let value = |record: &Record| {
                let whole = (record.value + 0.5) as u128;
                match advice.gain {
                    Gain::Time(_) => format!("{} a task", figures::duration(whole)),
                    _ => format!("{} per success", figures::dollars(whole)),
                }
            };
            format!(
                "Let {} do {} tasks that {} does now: {} ({} of {} succeeded) instead of {} ({} of \
                 {}), {} to {} % less.",
                name_text(&to.model),
                task_type.name(),
                name_text(&from.model),
                value(to),
                to.successes,
                to.tasks,
                value(from),
                from.successes,
                from.tasks,
                percent(-interval.1),
                percent(-interval.0),
            )
        }
        Finding::Cache { model, share, others } => format!(
            "Let {} read more from its cache (longer sessions, stable beginnings of prompts): {} % \
             of its prompt tokens come from there, of the other models' {} %.",
            name_text(model),
            percent(*share),
            percent(*others),
        ),
        Finding::Failures { task_type, record, interval } => format!(
            "Find out why {} fails at {} tasks: {} of {} did, and it is {} to {} % in the long run.",
            name_text(&record.model),
            task_type.name(),
            record.tasks - record.successes,
            record.tasks,
            percent(interval.0),
            percent(interval.1),
        ),
        Finding::LargeFile { bytes } => format!(
            "Keep the file that each commit stores anew small: `max_size = \"1M\"` in \
             `.telemetry/config.toml`; it is {}.",
            figures::bytes(*bytes),
        ),
        Finding::Alerts { alerts, id, name, since } => format!(
            "Look after what fires, `log-usage alert ack {id}`, or change the rule: {} for more than \
             14 days without an acknowledgement, {} the longest, since {since}.",
            match alerts {
                1 => "1 alert fires".to_owned(),
                alerts => format!("{alerts} alerts fire"),
            },
            name_text(name),
        ),
    }
}

fn percent(part: f64) -> u128 {
    (part.max(0.0) * 100.0 + 0.5) as u128
}

/// One piece of advice for programs.
pub(super) fn json(advice: &Advice) -> Value {
    let rounded = |value: f64| (value * 1e6).round() / 1e6;
    let interval = |(low, high): (f64, f64)| [rounded(low), rounded(high)];
    let record = |it: &Record| {
        json!({
            "model": it.model,
            "tasks": it.tasks,
            "successes": it.successes,
            "value": rounded(it.value),
        })
    };
    let evidence = match &advice.finding {
        Finding::Better { task_type, from, to, interval: between } => json!({
            "task_type": task_type.name(),
            "from": record(from),
            "to": record(to),
            "change": interval(*between),
        }),
        Finding::Cache { model, share, others } => {
            json!({ "model": model, "share": rounded(*share), "others": rounded(*others) })
        }
        Finding::Failures { task_type, record: of, interval: between } => json!({
            "task_type": task_type.name(),
            "model": record(of),
            "failure_rate": interval(*between),
        }),
        Finding::LargeFile { bytes } => json!({ "bytes": bytes }),
        Finding::Alerts { alerts, id, name, since } => {
            json!({ "alerts": alerts, "oldest": id, "name": name, "since": since.to_string() })
        }
    };
    let (unit, gain) = match advice.gain {
        Gain::Money(micros) => ("usd_per_month", rounded(micros as f64 / 1e6)),
        Gain::Time(ms) => ("ms_per_month", ms as f64),
        Gain::Bytes(bytes) => ("bytes_per_commit", bytes as f64),
        Gain::Alerts(alerts) => ("alerts_per_check", alerts as f64),
    };
    json!({
        "rule": advice.rule.key,
        "reason": advice.rule.reason,
        "threshold": advice.rule.threshold,
        "evidence": evidence,
        "gain": { unit: gain },
    })
}
