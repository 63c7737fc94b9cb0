//! A check → one CSV table, a line for every alert: raw for programs, or so that a spreadsheet takes
//! text for text.

use crate::render::csv::guarded;
use crate::report::alert::Check;
use crate::report::alert::finding::{Finding, State};

const COLUMNS: [&str; 20] = [
    "id",
    "kind",
    "name",
    "severity",
    "state",
    "source",
    "series",
    "metric",
    "value",
    "limit",
    "limit_text",
    "samples",
    "window_from",
    "window_to",
    "since",
    "acknowledged",
    "resolved",
    "days_to_acknowledge",
    "days_to_resolve",
    "note",
];

/// The columns whose texts are of the ledger, of events or of people.
const TEXTS: [&str; 4] = ["name", "series", "limit_text", "note"];

/// The alerts as CSV for programs: every name just as it is.
pub fn render(check: &Check) -> String {
    table(check, COLUMNS.map(str::to_owned), csv::WriterBuilder::new(), &|_, field| field)
}

/// The alerts as CSV for a spreadsheet: text is in quotes, and what would be run as a formula has an
/// apostrophe before it.
pub fn render_for_spreadsheet(check: &Check) -> String {
    let columns = COLUMNS.map(|name| match TEXTS.contains(&name) {
        true => format!("{name}_for_spreadsheet"),
        false => name.to_owned(),
    });
    let mut builder = csv::WriterBuilder::new();
    builder.quote_style(csv::QuoteStyle::NonNumeric);
    table(check, columns, builder, &|column, field| match TEXTS.contains(&column) {
        true => guarded(field),
        false => field,
    })
}

fn table(
    check: &Check,
    columns: [String; COLUMNS.len()],
    builder: csv::WriterBuilder,
    shown: &dyn Fn(&str, String) -> String,
) -> String {
    let mut writer = builder.from_writer(Vec::new());
    // Writing to memory cannot fail.
    let _ = writer.write_record(columns);
    for it in &check.findings {
        let fields = COLUMNS.iter().zip(line(it)).map(|(column, field)| shown(column, field));
        let _ = writer.write_record(fields.collect::<Vec<_>>());
    }
    let bytes = writer.into_inner().unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}

fn line(it: &Finding) -> [String; COLUMNS.len()] {
    fn text(it: Option<impl ToString>) -> String {
        it.map(|it| it.to_string()).unwrap_or_default()
    }
    let resolved = it.resolved.filter(|_| it.state == State::Resolved);
    [
        text(it.id.as_ref()),
        it.kind.name().to_owned(),
        it.name.clone(),
        it.severity.name().to_owned(),
        it.state.name().to_owned(),
        it.store.name().to_owned(),
        text(it.series.as_ref()),
        it.metric.clone(),
        it.value.number(),
        text(it.limit.map(|it| it.number())),
        it.limit_words.clone(),
        it.samples.to_string(),
        it.window.0.to_string(),
        it.window.1.to_string(),
        it.since.to_string(),
        text(it.acknowledged),
        text(resolved),
        text(it.days_to_acknowledge()),
        text(it.days_to_resolve().filter(|_| resolved.is_some())),
        text(it.note.as_ref()),
    ]
}
