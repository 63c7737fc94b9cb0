//! Report → one CSV table, a line for every key of every grouping: raw for programs, or so that a
//! spreadsheet takes text for text.

use crate::error::printable;
use crate::figures;
use crate::notes::line::is_formula;
use crate::render::json;
use crate::render::tables::key_text;
use crate::report::dimension::{Dimension, Key};
use crate::report::measures::Measures;
use crate::report::{Group, Report};

const COLUMNS: [&str; 20] = [
    "group",
    "key",
    "rows",
    "tasks",
    "successes",
    "success_rate",
    "prompt_tokens",
    "cached_tokens",
    "completion_tokens",
    "total_tokens",
    "duration_ms_sum",
    "duration_ms_mean",
    "duration_ms_p50",
    "duration_ms_p95",
    "duration_ms_max",
    "cost_usd",
    "cost_per_success_usd",
    "priced_tasks",
    "priced_successes",
    "priced_tokens",
];

/// The column of keys where they are made safe for a spreadsheet, so that no program takes them for
/// the keys themselves.
const KEY_FOR_SPREADSHEET: &str = "key_for_spreadsheet";

/// The report as CSV for programs: every key just as it is.
pub fn render(report: &Report) -> String {
    table(report, &COLUMNS, csv::WriterBuilder::new(), &|key| key)
}

/// The report as CSV for a spreadsheet: text is in quotes, and what would be run as a formula has an
/// apostrophe before it. Numbers are never changed.
pub fn render_for_spreadsheet(report: &Report) -> String {
    let columns = COLUMNS.map(|name| if name == "key" { KEY_FOR_SPREADSHEET } else { name });
    let mut builder = csv::WriterBuilder::new();
    builder.quote_style(csv::QuoteStyle::NonNumeric);
    table(report, &columns, builder, &guarded)
}

fn table(
    report: &Report,
    columns: &[&str; 20],
    builder: csv::WriterBuilder,
    shown: &dyn Fn(String) -> String,
) -> String {
    let mut writer = builder.from_writer(Vec::new());
    // Writing to memory cannot fail.
    let mut write = |fields: &[String]| drop(writer.write_record(fields));
    write(&columns.map(str::to_owned));
    write(&line("total", "all".to_owned(), &report.totals));
    for breakdown in report.breakdowns.iter().filter(|it| it.is_shown) {
        let group = json::name(breakdown.dimension);
        for it in &breakdown.groups {
            write(&line(group, shown(key(breakdown.dimension, it)), &it.measures));
        }
        if let Some(earlier) = &breakdown.earlier {
            write(&line(group, "earlier".to_owned(), earlier));
        }
    }
    let bytes = writer.into_inner().unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}

fn line(group: &str, key: String, measures: &Measures) -> [String; 20] {
    let number = |value: Option<u64>| value.map(|value| value.to_string()).unwrap_or_default();
    let ratio = |value: Option<f64>| value.map(|value| value.to_string()).unwrap_or_default();
    let usd = |micros: Option<u128>| micros.map(figures::exact_dollars).unwrap_or_default();
    let cached = (measures.cache_known_tokens > 0).then(|| measures.cached_tokens.to_string());
    [
        group.to_owned(),
        key,
        measures.rows.to_string(),
        measures.tasks.to_string(),
        measures.successes.to_string(),
        ratio(json::success_rate(measures)),
        measures.prompt_tokens.to_string(),
        cached.unwrap_or_default(),
        measures.completion_tokens.to_string(),
        measures.total_tokens().to_string(),
        measures.duration_ms.to_string(),
        ratio(json::mean_ms(measures)),
        number(measures.durations.percentile(50)),
        number(measures.durations.percentile(95)),
        number(measures.durations.max()),
        usd(measures.cost()),
        usd(measures.cost_per_success()),
        (measures.tasks - measures.unpriced.tasks).to_string(),
        (measures.successes - measures.unpriced.successes).to_string(),
        (measures.total_tokens() - measures.unpriced.tokens).to_string(),
    ]
}

fn key(dimension: Dimension, group: &Group) -> String {
    match (&group.key, &group.origin) {
        (_, Some(origin)) => origin.id.clone().unwrap_or_else(|| origin.label()),
        (Key::Number(number), _) => key_text(dimension, *number),
        (Key::Text(name), _) => name.to_string(),
        (Key::None, _) => String::new(),
    }
}

/// The text on one line, and no formula.
pub(super) fn guarded(text: String) -> String {
    match is_formula(&text) {
        true => format!("'{}", printable(&text)),
        false => printable(&text),
    }
}
