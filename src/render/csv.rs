//! Report → one CSV table that a spreadsheet opens right: a line for every key of every grouping.

use crate::render::json;
use crate::render::tables::key_text;
use crate::report::dimension::{Dimension, Key};
use crate::report::measures::Measures;
use crate::report::{Group, Report};

const COLUMNS: [&str; 15] = [
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
];

/// The report as CSV.
pub fn render(report: &Report) -> String {
    let mut writer = csv::Writer::from_writer(Vec::new());
    // Writing to memory cannot fail.
    let mut write = |fields: &[String]| drop(writer.write_record(fields));
    write(&COLUMNS.map(str::to_owned));
    write(&line("total", "all".to_owned(), &report.totals));
    for breakdown in report.breakdowns.iter().filter(|it| it.is_shown) {
        let group = json::name(breakdown.dimension);
        for it in &breakdown.groups {
            write(&line(group, key(breakdown.dimension, it), &it.measures));
        }
        if let Some(earlier) = &breakdown.earlier {
            write(&line(group, "earlier".to_owned(), earlier));
        }
    }
    let bytes = writer.into_inner().unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}

fn line(group: &str, key: String, measures: &Measures) -> [String; 15] {
    let number = |value: Option<u64>| value.map(|value| value.to_string()).unwrap_or_default();
    let ratio = |value: Option<f64>| value.map(|value| value.to_string()).unwrap_or_default();
    let cached = (measures.cache_known_tokens > 0).then(|| measures.cached_tokens.to_string());
    [
        group.to_owned(),
        guarded(key),
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

/// A spreadsheet takes text that begins so for a formula; an apostrophe makes it text again.
fn guarded(text: String) -> String {
    let first = text.trim_start_matches(' ').chars().next();
    match first {
        Some('=' | '+' | '-' | '@' | '|' | '\t' | '\r' | '＝' | '＋' | '－' | '＠') => {
            format!("'{text}")
        }
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_guarded_against_formulas() {
        for text in ["=1+1", "-5", "@x", " =1", "|x", "＝1"] {
            assert_eq!(guarded(text.to_owned()), format!("'{text}"));
        }
        assert_eq!(guarded("gpt-5".to_owned()), "gpt-5");
    }
}
