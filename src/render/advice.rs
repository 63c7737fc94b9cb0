//! Advice → sentences, and JSON: what to do, the evidence, and what it is expected to gain.

use serde_json::{Value, json};

use crate::figures::{self, counted};
use crate::render::sentences::name_text;
use crate::report::advice::Advice;
use crate::report::advice::finding::{Finding, Gain, Record};

/// A numbered line for each of which people are told.
pub fn lines(advice: &[Advice]) -> Vec<String> {
    if advice.is_empty() {
        return vec!["Nothing that these rows would bear out.".to_owned()];
    }
    let line = |(number, it): (usize, &Advice)| {
        format!("{number}. {} (expected gain: {})", sentence(it), gain(it.gain))
    };
    let told = advice.iter().filter(|it| it.is_told);
    let mut lines: Vec<String> = (1..).zip(told).map(line).collect();
    if let Some(more @ 1..) = advice.len().checked_sub(lines.len()) {
        lines.push(format!("{}. And {more} more: `--format json`.", lines.len() + 1));
    }
    lines
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
            let value = |record: &Record| match advice.gain {
                Gain::Time(_) => format!("{} a task", duration(record.value)),
                _ => format!("{} per success", figures::dollars((record.value + 0.5) as u128)),
            };
            format!(
                "Let {} do {} tasks that {} does now: {} ({} of {} succeeded) instead of {} ({} of \
                 {}), {} to {} % less.",
                name_text(&to.model),
                task_type.name(),
                name_text(&from.model),
                value(to),
                thousands(to.successes),
                thousands(to.tasks),
                value(from),
                thousands(from.successes),
                thousands(from.tasks),
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
        Finding::Failures { task_type, record, interval, others } => format!(
            "Find out why {} fails at {} tasks: {} of {} did, and it is {} to {} % in the long \
             run{}.",
            name_text(&record.model),
            task_type.name(),
            thousands(record.tasks - record.successes),
            thousands(record.tasks),
            percent(interval.0),
            percent(interval.1),
            match others {
                Some(part) => format!("; the other models fail at {} %", percent(*part)),
                None => String::new(),
            },
        ),
        Finding::Retries { task_type, followed: it, .. } => format!(
            "Find out what {} tasks lack at first: another followed {} of {} that failed within ten \
             minutes, up to {} in a row, and {} of {} that succeeded.",
            task_type.name(),
            thousands(it.retries),
            thousands(it.failures),
            thousands(it.longest),
            thousands(it.sequels),
            thousands(it.successes),
        ),
        Finding::Slower { task_type, means: [newer, older], interval } => format!(
            "Find out why {} tasks take longer than they did: {} each in the newer half of the days, \
             {} in the older one, {} to {} % more.",
            task_type.name(),
            duration(*newer),
            duration(*older),
            percent(interval.0),
            percent(interval.1),
        ),
        Finding::Slow { task_type, means: [mine, others], times, share } => format!(
            "Split {} tasks, or see what they wait for: {} each, where others take {}, {} to {} times \
             as long, and {} % of all time.",
            task_type.name(),
            duration(*mine),
            duration(*others),
            thousands(times.0 as u64),
            thousands(times.1 as u64),
            percent(*share),
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

fn thousands(n: u64) -> String {
    figures::thousands(n.into())
}

fn duration(ms: f64) -> String {
    figures::duration((ms + 0.5) as u128)
}

fn percent(part: f64) -> u128 {
    (part.max(0.0) * 100.0 + 0.5) as u128
}

/// One piece of advice for programs.
pub(super) fn json(advice: &Advice) -> Value {
    let rounded = |value: f64| (value * 1e6).round() / 1e6;
    let interval = |(low, high): (f64, f64)| [rounded(low), rounded(high)];
    let record = |it: &Record| {
        let (unit, value) = match (&advice.finding, advice.gain) {
            (Finding::Failures { .. }, _) => ("cost_usd", it.value / 1e6),
            (_, Gain::Time(_)) => ("ms_per_task", it.value),
            _ => ("usd_per_success", it.value / 1e6),
        };
        let (tasks, successes) = (it.tasks, it.successes);
        json!({ "model": it.model, "tasks": tasks, "successes": successes, unit: rounded(value) })
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
        Finding::Failures { task_type, record: of, interval: between, others } => json!({
            "task_type": task_type.name(),
            "model": record(of),
            "failure_rate": interval(*between),
            "others_failure_rate": others.map(rounded),
        }),
        Finding::Retries { task_type, followed: it, interval: between } => json!({
            "task_type": task_type.name(),
            "failures": it.failures,
            "failures_followed": it.retries,
            "successes": it.successes,
            "successes_followed": it.sequels,
            "difference": interval(*between),
            "longest": it.longest,
        }),
        Finding::Slower { task_type, means: [newer, older], interval: between } => json!({
            "task_type": task_type.name(),
            "newer_ms_per_task": rounded(*newer),
            "older_ms_per_task": rounded(*older),
            "change": interval(*between),
        }),
        Finding::Slow { task_type, means: [mine, others], times, share } => json!({
            "task_type": task_type.name(),
            "ms_per_task": rounded(*mine),
            "others_ms_per_task": rounded(*others),
            "times": interval(*times),
            "share_of_time": rounded(*share),
        }),
        Finding::LargeFile { bytes } => json!({ "bytes": bytes }),
        Finding::Alerts { alerts, id, name, since } => {
            json!({ "alerts": alerts, "oldest": id, "name": name, "since": since.to_string() })
        }
    };
    let gain = match advice.gain {
        Gain::Money(micros) => json!({ "usd_per_month": rounded(micros as f64 / 1e6) }),
        Gain::Time(ms) => json!({ "ms_per_month": ms }),
        Gain::Bytes(bytes) => json!({ "bytes_per_commit": bytes }),
        Gain::Alerts(alerts) => json!({ "alerts_per_check": alerts }),
    };
    json!({
        "rule": advice.rule.key,
        "reason": advice.rule.reason,
        "threshold": advice.rule.threshold,
        "evidence": evidence,
        "gain": gain,
    })
}
