//! Comparison → JSON for programs.

use serde_json::{Map, Value, json};

use crate::render::compare::page::Page;
use crate::render::compare::text::rounded;
use crate::render::json::{archived, escaped, exact, measures, name, usd};
use crate::render::tables::key_text;
use crate::report::compare::Part;
use crate::report::compare::measure::{Change, Unit};
use crate::report::dimension::{Dimension, Key};

/// The comparison as one JSON object.
pub fn render(page: &Page<'_>) -> String {
    let Page { comparison: it, left_out, unseen } = page;
    let side = |at: usize| {
        let (side, span) = (&it.sides[at], it.sides[at].span());
        json!({
            "name": it.names[at],
            "from": span.map(|(from, _)| from.to_string()),
            "to": span.map(|(_, to)| to.to_string()),
            "days": side.days.len(),
            "totals": measures(&side.all),
        })
    };
    let quality = &it.quality;
    let gap = quality.longest_gap.as_ref();
    let gap = gap.map(|it| json!({ "from": it.from.to_string(), "to": it.to.to_string() }));
    let trends = it.trends.trends.iter().map(|trend| {
        let value = json!({
            "per_week": rounded(trend.per_week),
            "may_be_chance": trend.may_be_chance,
        });
        (trend.measure.key.to_owned(), value)
    });
    let weeks = it.trends.weeks.as_ref();
    let mut value = json!({
        "schema": "usage-compare/1",
        "a": side(0),
        "b": side(1),
        "days_of_each": it.ends.days,
        "shared_rows": it.shared_rows,
        "archived": archived(unseen),
        "changes": changes(&it.changes),
    });
    if let Value::Object(out) = &mut value {
        for (dimension, parts) in &it.parts {
            let parts = parts.iter().map(|it| part(*dimension, it)).collect();
            out.insert(format!("by_{}", name(*dimension)), Value::Array(parts));
        }
        out.insert(
            "trend".to_owned(),
            json!({
                "from": weeks.map(|(first, _)| first.name()),
                "to": weeks.map(|(_, last)| last.name()),
                "measures": Value::Object(trends.collect()),
            }),
        );
        out.insert(
            "quality".to_owned(),
            json!({
                "days": quality.days,
                "days_without_rows": quality.empty_days,
                "longest_gap": gap,
                "future_rows": quality.future_rows,
                "unpriced_rows": quality.all.unpriced.rows,
                "tasks_without_tokens": quality.all.without_tokens,
                "unreadable_rows": left_out.unreadable,
                "repeated_rows": left_out.repeated,
                "conflict_markers": left_out.markers.len(),
            }),
        );
    }
    let text = serde_json::to_string_pretty(&value).unwrap_or_default();
    escaped(&text) + "\n"
}

fn part(dimension: Dimension, part: &Part) -> Value {
    let key = match &part.key {
        Key::Number(number) => json!(key_text(dimension, *number)),
        Key::Text(name) => json!(name),
        Key::None => Value::Null,
    };
    let [one, two] = part.tasks;
    json!({
        name(dimension): key,
        "tasks": { "a": one, "b": two },
        "changes": changes(&part.changes),
    })
}

/// By measure; money in dollars.
fn changes(changes: &[Change]) -> Value {
    let value = |it: &Change| {
        let [one, two] = [0, 1].map(|at| match (it.exact[at], it.measure.unit) {
            (Some(micros), Unit::Money) => usd(Some(micros)),
            (Some(whole), _) => exact(whole),
            (None, Unit::Money) => json!(it.values[at].map(|micros| rounded(micros / 1e6))),
            (None, _) => json!(it.values[at].map(rounded)),
        });
        json!({
            "a": one,
            "b": two,
            "change": it.change.map(rounded),
            "interval": it.interval.map(|(low, high)| [rounded(low), rounded(high)]),
            "may_be_chance": it.may_be_chance(),
        })
    };
    let fields = changes.iter().map(|it| (it.measure.key.to_owned(), value(it)));
    Value::Object(fields.collect::<Map<String, Value>>())
}
