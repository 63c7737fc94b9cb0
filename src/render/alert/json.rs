//! A check → JSON for programs: null where nothing is known; amounts in dollars, milliseconds, shares
//! from 0 to 1, or plain numbers.

use serde_json::{Map, Value, json};

use crate::alert::amount::Amount;
use crate::render::alert::page::Page;
use crate::render::json::escaped;
use crate::report::alert::alone::Newest;
use crate::report::alert::finding::{Finding, State};
use crate::timestamp::Day;

/// The check as one JSON object.
pub fn render(page: &Page<'_>) -> String {
    let it = page.check;
    let day = |day: Option<Day>| json!(day.map(|day| day.to_string()));
    let unjudged =
        it.unjudged.iter().map(|it| json!({ "name": it.name, "series": it.series, "why": it.why }));
    let bad = it.bad_acts.iter().map(|(line, why)| json!({ "line": line, "reason": why }));
    let value = json!({
        "schema": "usage-check/1",
        "health": it.health.name(),
        "from": day(it.span.map(|(from, _)| from)),
        "to": day(it.span.map(|(_, to)| to)),
        "rules": it.rules,
        "series": it.series,
        "series_watched": it.watched,
        "alerts": it.findings.iter().map(|it| Value::Object(finding(it))).collect::<Vec<_>>(),
        "not_judged": unjudged.collect::<Vec<_>>(),
        "not_come_yet": it.ahead.as_ref().map(newest),
        "alone": it.alone.as_ref().map(newest),
        "unpriced_rows": it.unpriced,
        "archived_rows": page.unseen.rows,
        "skipped": {
            "rows": page.rows.unreadable,
            "events": it.unreadable_events,
            "alerts": { "count": it.unreadable_acts, "lines": bad.collect::<Vec<_>>() },
        },
        "note": page.unlooked,
    });
    escaped(&serde_json::to_string_pretty(&value).unwrap_or_default()) + "\n"
}

fn newest(it: &Newest) -> Value {
    let (from, to) = it.days;
    json!({ "rows": it.rows, "from": from.to_string(), "to": to.to_string() })
}

/// One alert as one line of JSON, for a command to which it is handed.
pub fn alert(it: &Finding) -> String {
    let mut object = Map::new();
    object.insert("schema".to_owned(), json!("usage-alert/1"));
    object.extend(finding(it));
    escaped(&Value::Object(object).to_string()) + "\n"
}

fn finding(it: &Finding) -> Map<String, Value> {
    let day = |day: Option<Day>| json!(day.map(|day| day.to_string()));
    let resolved = it.resolved.filter(|_| it.state == State::Resolved);
    let mut object = Map::new();
    let mut put = |key: &str, value: Value| drop(object.insert(key.to_owned(), value));
    put("id", json!(it.id));
    put("kind", json!(it.kind.name()));
    put("name", json!(it.name));
    put("severity", json!(it.severity.name()));
    put("state", json!(it.state.name()));
    put("source", json!(it.store.name()));
    put("series", json!(it.series));
    put("metric", json!(it.metric));
    put("value", number(it.value));
    put("limit", it.limit.map_or(Value::Null, number));
    put("limit_text", json!(it.limit_words));
    put("samples", json!(it.samples));
    put("window_from", json!(it.window.0.to_string()));
    put("window_to", json!(it.window.1.to_string()));
    put("since", json!(it.since.to_string()));
    put("acknowledged", day(it.acknowledged));
    put("resolved", day(resolved));
    put("days_to_acknowledge", json!(it.days_to_acknowledge()));
    put("days_to_resolve", json!(it.days_to_resolve().filter(|_| resolved.is_some())));
    put("note", json!(it.note));
    put("text", json!(it.evidence));
    object
}

/// With all its digits, whatever a float could hold.
fn number(amount: Amount) -> Value {
    amount.number().parse().map_or(Value::Null, Value::Number)
}
