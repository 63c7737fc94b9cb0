//! How a check looks: the formats of a report, and annotations for a build.

pub mod page;
pub mod sentences;
pub mod json;
pub mod csv;
pub mod github;

use crate::alert::severity::Severity;
use crate::error::printable;
use crate::render::alert::page::Page;
use crate::render::markdown;
use crate::render::sentences::title_text;
use crate::render::tables::{Cell, Table};
use crate::render::terminal::{self, Screen};
use crate::report::alert::finding::{Finding, State};

/// One way to show a check.
pub struct Format {
    /// Its name on the command line.
    pub name: &'static str,
    /// Draws it; only the terminal's format looks at the screen.
    pub render: fn(&Page<'_>, Screen) -> String,
}

/// Every format: those of reports in their order, and that of builds.
pub const FORMATS: [Format; 5] = [
    Format { name: "markdown", render: |page, _| markdown(page) },
    Format { name: "csv", render: |page, _| csv::render(page.check) },
    Format { name: "json", render: |page, _| json::render(page) },
    Format { name: "table", render: table },
    Format { name: "github", render: |page, _| github::render(page) },
];

fn markdown(page: &Page<'_>) -> String {
    let check = page.check;
    let mut out = format!("{}\n", sentences::health(check));
    if !check.findings.is_empty() {
        out += &format!("\n{}\n\n", markdown::draw(&findings(&check.findings)));
        for it in &check.findings {
            out += &format!("- {}\n", evidence(it));
        }
    }
    if check.has_history && !check.findings.is_empty() {
        out += &format!("\n## History\n\n{}\n", markdown::draw(&history(&check.findings)));
        out += &format!("\n{}\n", sentences::times(check));
    }
    out += "\n**Notes**\n";
    sentences::notes(page).iter().for_each(|note| out += &format!("- {note}\n"));
    out
}

/// `0123456789ab` firing: what was measured, and the newest note about it.
fn evidence(it: &Finding) -> String {
    let id = it.id.as_ref().map(|id| format!("`{id}` ")).unwrap_or_default();
    let note = it.note.as_ref().map(|note| format!(" — {}", title_text(note)));
    format!("{id}{}: {}{}", it.state.name(), it.evidence, note.unwrap_or_default())
}

fn named(series: Option<&str>) -> Cell {
    series.map_or_else(|| Cell::Text("all".to_owned()), |it| Cell::Name(it.to_owned()))
}

fn table_of(columns: &[&str], rows: Vec<Vec<Cell>>) -> Table {
    let columns = columns.iter().map(|it| (*it).to_owned()).collect();
    Table { columns, words: 1, rows, ..Table::default() }
}

fn findings(findings: &[Finding]) -> Table {
    let row = |it: &Finding| {
        vec![
            Cell::Text(it.name.clone()),
            named(it.series.as_deref()),
            Cell::Text(it.severity.name().to_owned()),
            Cell::Text(it.value.text()),
            Cell::Text(it.limit_words.clone()),
            Cell::Text(it.since.to_string()),
        ]
    };
    let columns = ["Alert", "Where", "Severity", "Value", "Limit", "Since"];
    table_of(&columns, findings.iter().map(row).collect())
}

fn history(findings: &[Finding]) -> Table {
    let days = |days: Option<i32>| match days {
        None => Cell::Unknown,
        Some(0) => Cell::Text("same day".to_owned()),
        Some(1) => Cell::Text("1 day".to_owned()),
        Some(days) => Cell::Text(format!("{days} days")),
    };
    let row = |it: &Finding| {
        let id = it.id.clone().map_or(Cell::Unknown, Cell::Text);
        let to_resolve = it.days_to_resolve().filter(|_| it.state == State::Resolved);
        vec![
            Cell::Text(it.name.clone()),
            named(it.series.as_deref()),
            Cell::Text(it.state.name().to_owned()),
            Cell::Text(it.since.to_string()),
            days(it.days_to_acknowledge()),
            days(to_resolve),
            id,
        ]
    };
    let told = findings.iter().filter(|it| it.id.is_some());
    let columns = ["Alert", "Where", "State", "Since", "To ack", "To resolve", "ID"];
    table_of(&columns, told.map(row).collect())
}

/// Where the words of an alert begin on a screen: behind its severity.
const INDENT: usize = 11;

/// No line of a screen is shorter.
const WIDTH_MIN: usize = 20;

/// The words in lines of at most that width, as far as words are.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line)
                if line.chars().count() + 1 + word.chars().count() <= width.max(WIDTH_MIN) =>
            {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

/// Two lines for each alert: a screen has too few columns for a table of sentences.
fn table(page: &Page<'_>, screen: Screen) -> String {
    let check = page.check;
    let mut out = format!("{}\n", sentences::health(check));
    for it in &check.findings {
        let colour = match it.severity {
            _ if it.state != State::Firing => "\x1b[2m",
            Severity::Info => "",
            Severity::Warning => "\x1b[33m",
            Severity::Error | Severity::Critical => "\x1b[31m",
        };
        let severity = match colour {
            "" => format!("{:<8}", it.severity.name()),
            _ if !screen.has_colour => format!("{:<8}", it.severity.name()),
            colour => format!("{colour}{:<8}\x1b[0m", it.severity.name()),
        };
        let series = it.series.as_deref().map(printable).unwrap_or_default();
        let series = if series.is_empty() { series } else { format!(", {series}") };
        let id = it.id.as_deref().unwrap_or("typed");
        out += &format!("\n {severity}  {}{series}\n", it.name);
        for line in wrapped(&printable(&it.evidence), screen.width.saturating_sub(INDENT)) {
            out += &format!("{:INDENT$}{line}\n", "");
        }
        let note = it.note.as_ref().map(|note| format!(": {}", printable(note)));
        let state = it.state.name();
        out +=
            &format!("           {id}  {state}, since {}{}\n", it.since, note.unwrap_or_default());
    }
    if check.has_history && !check.findings.is_empty() {
        out += &format!("\n {}\n", sentences::times(check));
    }
    out + &terminal::below(&sentences::changing(page), screen)
}
