//! Activity → JSON for programs: integers exact, null where nothing is known, and where too few are
//! meant.

use serde_json::{Map, Value, json};

use crate::render::activity::page::Page;
use crate::render::json::escaped;
use crate::render::tables::key_text;
use crate::report::activity::periods::{Counts, Period};
use crate::report::activity::split::{Choice, Command, Name};
use crate::report::activity::tally::Outcomes;
use crate::report::activity::weight::Lengths;
use crate::report::activity::{Agent, Flow, Strategy};
use crate::report::dimension::Dimension;
use crate::report::left_out::{LeftOut, SkippedLine};

/// The activity as one JSON object.
pub fn render(page: &Page<'_>) -> String {
    let it = page.activity;
    let periods = |key: &str, periods: &[Period], dimension| {
        Value::Array(periods.iter().map(|it| period(key, it, dimension)).collect())
    };
    let dropped = it.dropped;
    let names = it.names.iter().map(|(name, count)| (name.to_string(), json!(count)));
    let value = json!({
        "schema": "usage-activity/1",
        "from": it.span.map(|(from, _)| from.to_string()),
        "to": it.span.map(|(_, to)| to.to_string()),
        "events": it.selected.events,
        "event_lines": it.lines,
        "rows": it.selected.rows,
        "estimated": it.is_estimated,
        "identities": it.identities,
        "apart": { "ci": counts(it.of_ci), "no_user": counts(it.of_nobody) },
        "by_day": periods("day", &it.periods.days, Dimension::Day),
        "by_week": periods("week", &it.periods.weeks, Dimension::Week),
        "by_month": periods("month", &it.periods.months, Dimension::Month),
        "sessions": {
            "count": it.sessions.count,
            "rows_only": it.sessions.of_rows,
            "ci": it.sessions.of_ci,
            "length_ms": lengths(&it.sessions.lengths),
        },
        "by_event": Value::Object(names.collect()),
        "by_command": it.commands.iter().map(command).collect::<Vec<_>>(),
        "by_role_and_command": it.commands_by_role.iter().map(command).collect::<Vec<_>>(),
        "by_role": it.roles.iter().map(role).collect::<Vec<_>>(),
        "by_agent": it.agents.iter().map(agent).collect::<Vec<_>>(),
        "handoffs": flow(&it.handoffs, "clicked"),
        "workflows": flow(&it.workflows, "started"),
        "by_strategy": it.strategies.iter().map(strategy).collect::<Vec<_>>(),
        "min_identities": it.identities_min,
        "dropped": {
            "sampled": dropped.sampled,
            "limited": dropped.limited,
            "failed": dropped.failed,
        },
        "skipped": { "events": skipped(page.events), "rows": skipped(page.rows) },
        "duplicates": { "events": page.events.repeated, "rows": page.rows.repeated },
        "corrected": page.rows.corrected,
        "pruned": page.rows.pruned,
    });
    let text = serde_json::to_string_pretty(&value).unwrap_or_default();
    escaped(&text) + "\n"
}

fn counts(counts: Counts) -> Value {
    json!({ "events": counts.events, "rows": counts.rows })
}

fn period(key: &str, period: &Period, dimension: Dimension) -> Value {
    json!({
        key: key_text(dimension, period.number),
        "active": period.active,
        "new": period.new,
        "sessions": period.sessions,
        "events": period.counts.events,
        "rows": period.counts.rows,
    })
}

fn lengths(lengths: &Lengths) -> Value {
    json!({
        "count": lengths.counted,
        "mean": lengths.mean,
        "p50": lengths.p50,
        "p95": lengths.p95,
        "max": lengths.max,
    })
}

fn rate(outcomes: &Outcomes) -> Option<f64> {
    (outcomes.known > 0).then(|| outcomes.successes as f64 / outcomes.known as f64)
}

/// A name, or null; and of how many names that are folded.
fn named(key: &str, name: &Name, object: &mut Map<String, Value>) {
    let (value, folded) = match name {
        Name::Known(name) => (json!(name), None),
        Name::None => (Value::Null, None),
        Name::Others(names) => (Value::Null, Some(names)),
    };
    object.insert(key.to_owned(), value);
    if let Some(names) = folded {
        object.insert("folded".to_owned(), json!(names));
    }
}

fn outcomes(outcomes: Option<&Outcomes>, count: &str, object: &mut Map<String, Value>) {
    let mut put = |key: &str, value: Value| drop(object.insert(key.to_owned(), value));
    put(count, json!(outcomes.map(|it| it.count)));
    put("known", json!(outcomes.map(|it| it.known)));
    put("successes", json!(outcomes.map(|it| it.successes)));
    put("success_rate", json!(outcomes.and_then(rate)));
    put("duration_ms", json!(outcomes.map(|it| lengths(&it.durations))));
}

fn command(command: &Command) -> Value {
    let mut object = Map::new();
    if let Some(role) = &command.role {
        named("role", role, &mut object);
        if let Some(roles) = object.remove("folded") {
            object.insert("folded_roles".to_owned(), roles);
        }
    }
    named("command", &command.name, &mut object);
    outcomes(command.runs.as_ref(), "runs", &mut object);
    Value::Object(object)
}

fn role(choice: &Choice) -> Value {
    let mut object = Map::new();
    named("role", &choice.name, &mut object);
    let chosen = choice.chosen.as_ref();
    let mut put = |key: &str, value: Value| drop(object.insert(key.to_owned(), value));
    put("chosen", json!(chosen.map(|it| it.times)));
    let share = chosen.filter(|it| it.all > 0);
    put("share", json!(share.map(|it| it.times as f64 / it.all as f64)));
    put("identities", json!(chosen.map(|it| it.identities)));
    Value::Object(object)
}

fn agent(agent: &Agent) -> Value {
    let mut object = Map::new();
    object.insert("agent".to_owned(), json!(agent.name));
    object.extend(flow_fields(&agent.flow, "invoked"));
    object.insert("rows".to_owned(), json!(agent.rows));
    Value::Object(object)
}

fn flow(flow: &Flow, begun: &str) -> Value {
    Value::Object(flow_fields(flow, begun))
}

fn flow_fields(flow: &Flow, begun: &str) -> Map<String, Value> {
    let mut object = Map::new();
    object.insert(begun.to_owned(), json!(flow.begun));
    object.insert("completed".to_owned(), json!(flow.completed));
    object.insert("failed".to_owned(), json!(flow.failed));
    object.insert("success_rate".to_owned(), json!(rate(&flow.ends)));
    object.insert("duration_ms".to_owned(), lengths(&flow.ends.durations));
    object
}

fn strategy(strategy: &Strategy) -> Value {
    let mut object = Map::new();
    object.insert("strategy".to_owned(), json!(strategy.name));
    outcomes(Some(&strategy.outcomes), "operations", &mut object);
    let parts = |figure: Option<u64>, parts: f64| json!(figure.map(|it| it as f64 / parts));
    object.insert("confidence_mean".to_owned(), parts(strategy.confidence, 1e6));
    object.insert("attempts_mean".to_owned(), parts(strategy.attempts, 1e3));
    object.insert("memory_bytes_mean".to_owned(), json!(strategy.memory));
    object.insert("memory_bytes_max".to_owned(), json!(strategy.memory_max));
    let errors = strategy.errors.iter().map(|(kind, times)| (kind.to_string(), json!(times)));
    object.insert("errors".to_owned(), Value::Object(errors.collect()));
    Value::Object(object)
}

fn skipped(left_out: &LeftOut) -> Value {
    let line = |it: &SkippedLine| json!({ "file": it.file, "line": it.line, "reason": it.reason });
    let lines: Vec<Value> = left_out.lines.iter().map(line).collect();
    json!({ "count": left_out.unreadable, "lines": lines })
}
