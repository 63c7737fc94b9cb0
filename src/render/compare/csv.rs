//! Comparison → one CSV table, a line for every measure of every group.

use crate::figures;
use crate::render::compare::text::rounded;
use crate::render::csv::guarded;
use crate::render::json::name;
use crate::render::tables::key_text;
use crate::report::compare::Comparison;
use crate::report::compare::measure::{Change, MEASURES, Unit};
use crate::report::dimension::{Dimension, Key};

const COLUMNS: [&str; 9] =
    ["group", "key", "measure", "a", "b", "change", "low", "high", "may_be_chance"];

/// The comparison as CSV for programs: every name just as it is.
pub fn render(it: &Comparison) -> String {
    table(it, "key", csv::WriterBuilder::new(), &|key| key)
}

/// The same for a spreadsheet: text is in quotes, and what would be run as a formula has an
/// apostrophe before it.
pub fn render_for_spreadsheet(it: &Comparison) -> String {
    let mut builder = csv::WriterBuilder::new();
    builder.quote_style(csv::QuoteStyle::NonNumeric);
    table(it, "key_for_spreadsheet", builder, &guarded)
}

fn table(
    it: &Comparison,
    key_column: &str,
    builder: csv::WriterBuilder,
    shown: &dyn Fn(String) -> String,
) -> String {
    let mut writer = builder.from_writer(Vec::new());
    // Writing to memory cannot fail.
    let mut write = |fields: &[String]| drop(writer.write_record(fields));
    write(&COLUMNS.map(|name| if name == "key" { key_column } else { name }.to_owned()));
    it.changes.iter().for_each(|change| write(&line("total", "all".to_owned(), change)));
    for (dimension, parts) in &it.parts {
        for part in parts {
            let key = shown(key(*dimension, &part.key));
            let tasks = Change {
                measure: &MEASURES[0],
                values: [None; 2],
                exact: part.tasks.map(|tasks| Some(tasks.into())),
                change: None,
                interval: None,
            };
            for change in [&tasks].into_iter().chain(&part.changes) {
                write(&line(name(*dimension), key.clone(), change));
            }
        }
    }
    let bytes = writer.into_inner().unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}

fn line(group: &str, key: String, it: &Change) -> [String; 9] {
    let number = |value: Option<f64>| value.map(|it| rounded(it).to_string()).unwrap_or_default();
    let (low, high) = it.interval.unzip();
    let chance = it.may_be_chance().map(|it| it.to_string()).unwrap_or_default();
    let value = |at: usize| match (it.exact[at], it.measure.unit) {
        (Some(micros), Unit::Money) => figures::exact_dollars(micros),
        (Some(whole), _) => whole.to_string(),
        (None, Unit::Money) => number(it.values[at].map(|micros| micros / 1e6)),
        (None, _) => number(it.values[at]),
    };
    [
        group.to_owned(),
        key,
        it.measure.key.to_owned(),
        value(0),
        value(1),
        number(it.change),
        number(low),
        number(high),
        chance,
    ]
}

fn key(dimension: Dimension, key: &Key) -> String {
    match key {
        Key::Number(number) => key_text(dimension, *number),
        Key::Text(name) => name.to_string(),
        Key::None => String::new(),
    }
}
