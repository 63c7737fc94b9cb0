//! Report → JSON for programs: integers exact, null where nothing is known.

use serde_json::{Map, Value, json};

use crate::error::is_unprintable;
use crate::figures;
use crate::render::advice;
use crate::render::tables::key_text;
use crate::report::dimension::{Dimension, Key};
use crate::report::left_out::SkippedLine;
use crate::report::measures::Measures;
use crate::report::origins::State;
use crate::report::{Breakdown, Group, Report, Unseen};

/// The report as one JSON object.
pub fn render(report: &Report) -> String {
    let mut out = Map::new();
    out.insert("schema".to_owned(), json!("usage-report/1"));
    out.insert("from".to_owned(), json!(report.span.map(|(from, _)| from.to_string())));
    out.insert("to".to_owned(), json!(report.span.map(|(_, to)| to.to_string())));
    if let Some(period) = &report.period {
        let (from, to) = (period.from.to_string(), period.to.to_string());
        let value = json!({ "name": period.name(), "from": from, "to": to });
        out.insert("period".to_owned(), value);
    }
    out.insert("totals".to_owned(), Value::Object(measures(&report.totals)));
    let window = report.windows.as_ref().map(|windows| {
        json!({
            "to": windows.newest.to_string(),
            "last7": measures(&windows.last),
            "previous7": measures(&windows.previous),
        })
    });
    out.insert("window".to_owned(), json!(window));
    for breakdown in &report.breakdowns {
        // Weeks of the default report are a choice for people; a program says what it wants.
        if breakdown.dimension == Dimension::Week && !report.by.contains(&Dimension::Week) {
            continue;
        }
        out.insert(format!("by_{}", name(breakdown.dimension)), groups(breakdown));
    }
    let day = report.prices_day.map(|day| day.to_string());
    out.insert("prices".to_owned(), json!({ "date": day, "own": report.has_own_prices }));
    let unpriced: Vec<&str> = report.unpriced_models().into_iter().map(|it| it.0).collect();
    out.insert("unpriced_models".to_owned(), json!(unpriced));
    let left_out = &report.left_out;
    out.insert(
        "skipped".to_owned(),
        json!({ "rows": left_out.unreadable, "lines": lines(&left_out.lines) }),
    );
    out.insert("conflict_markers".to_owned(), lines(&left_out.markers));
    out.insert("duplicates".to_owned(), json!(left_out.repeated));
    out.insert("corrected".to_owned(), json!(left_out.corrected));
    out.insert("waiting".to_owned(), json!(report.waiting));
    let before = report.border.map(|border| border.to_string());
    out.insert("pruned".to_owned(), json!({ "before": before, "rows": left_out.pruned }));
    out.insert("archived".to_owned(), archived(&report.unseen));
    if let Some(advice) = &report.advice {
        out.insert("advice".to_owned(), Value::Array(advice.iter().map(advice::json).collect()));
    }
    let text = serde_json::to_string_pretty(&Value::Object(out)).unwrap_or_default();
    escaped(&text) + "\n"
}

/// What was moved out of the ledger.
pub(super) fn archived(unseen: &Unseen) -> Value {
    let (from, to) = unseen.span.map(|(from, to)| (from.to_string(), to.to_string())).unzip();
    json!({
        "segments": unseen.segments,
        "rows": unseen.rows,
        "at_most": unseen.is_at_most,
        "from": from,
        "to": to,
    })
}

/// JSON whose strings hold nothing that moves a cursor, reorders or hides text, or ends a line of
/// JavaScript: such characters are escaped, so that the strings are the same.
pub(super) fn escaped(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for c in json.chars() {
        // Line ends between the strings are JSON's own; those within them are escaped already.
        match is_unprintable(c) && c != '\n' {
            true => c.encode_utf16(&mut [0; 2]).iter().for_each(|unit| {
                out += &format!("\\u{unit:04x}");
            }),
            false => out.push(c),
        }
    }
    out
}

/// The word for a dimension in machine formats: `task_type`.
pub(super) fn name(dimension: Dimension) -> &'static str {
    match dimension {
        Dimension::TaskType => "task_type",
        other => other.name(),
    }
}

/// Successes by tasks; None without tasks.
pub(super) fn success_rate(measures: &Measures) -> Option<f64> {
    (measures.tasks > 0).then(|| measures.successes as f64 / measures.tasks as f64)
}

/// The mean duration in milliseconds; None without tasks.
pub(super) fn mean_ms(measures: &Measures) -> Option<f64> {
    (measures.tasks > 0).then(|| measures.duration_ms as f64 / measures.tasks as f64)
}

/// Everything that is measured of some rows.
pub(super) fn measures(measures: &Measures) -> Map<String, Value> {
    let cached = (measures.cache_known_tokens > 0).then_some(measures.cached_tokens);
    let value = json!({
        "rows": measures.rows,
        "tasks": measures.tasks,
        "prompt_tokens": exact(measures.prompt_tokens),
        "cached_tokens": cached.map(exact),
        "cache_known_tokens": exact(measures.cache_known_tokens),
        "completion_tokens": exact(measures.completion_tokens),
        "total_tokens": exact(measures.total_tokens()),
        "successes": measures.successes,
        "success_rate": success_rate(measures),
        "cost_usd": usd(measures.cost()),
        "cost_per_success_usd": usd(measures.cost_per_success()),
        "priced_tasks": measures.tasks - measures.unpriced.tasks,
        "priced_successes": measures.successes - measures.unpriced.successes,
        "priced_tokens": exact(measures.total_tokens() - measures.unpriced.tokens),
        "duration_ms": {
            "sum": exact(measures.duration_ms),
            "mean": mean_ms(measures),
            "p50": measures.durations.percentile(50),
            "p95": measures.durations.percentile(95),
            "max": measures.durations.max(),
        },
    });
    match value {
        Value::Object(object) => object,
        _ => Map::new(),
    }
}

/// A sum of any size, as an integer.
pub(super) fn exact(sum: u128) -> Value {
    serde_json::Number::from_u128(sum).map_or(Value::Null, Value::Number)
}

/// Dollars with all their decimals, as a number.
pub(super) fn usd(micros: Option<u128>) -> Value {
    let number = micros.map(figures::exact_dollars).and_then(|text| text.parse().ok());
    number.map_or(Value::Null, Value::Number)
}

fn groups(breakdown: &Breakdown) -> Value {
    let group = |group: &Group| {
        let key = match &group.key {
            Key::Number(number) => json!(key_text(breakdown.dimension, *number)),
            Key::Text(name) => json!(name),
            Key::None => Value::Null,
        };
        let mut object = Map::new();
        match breakdown.dimension.is_of_git() {
            true => object.extend(origin(breakdown.dimension, group)),
            false => drop(object.insert(name(breakdown.dimension).to_owned(), key)),
        }
        object.extend(measures(&group.measures));
        Value::Object(object)
    };
    Value::Array(breakdown.groups.iter().map(group).collect())
}

/// What git knows of a group: its stable name, and what else is known.
fn origin(dimension: Dimension, group: &Group) -> Map<String, Value> {
    let origin = group.origin.as_ref();
    let (id, title) = (origin.map(|it| &it.id), origin.map(|it| &it.title));
    let state = origin.map_or(State::NotCommitted, |it| it.state).name();
    let value = match dimension {
        Dimension::Commit => json!({ "commit": id, "subject": title }),
        Dimension::Author => json!({ "author": title }),
        Dimension::Branch => json!({ "branch": title, "state": state }),
        _ => json!({ "pr": id, "title": title, "state": state }),
    };
    match value {
        Value::Object(object) => object,
        _ => Map::new(),
    }
}

fn lines(lines: &[SkippedLine]) -> Value {
    let line = |it: &SkippedLine| json!({ "file": it.file, "line": it.line, "reason": it.reason });
    Value::Array(lines.iter().map(line).collect())
}
