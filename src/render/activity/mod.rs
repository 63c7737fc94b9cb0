//! How activity looks: the same formats as a report's.

pub mod page;
pub mod tables;
pub mod sentences;
pub mod json;
pub mod csv;

use crate::render::activity::page::Page;
use crate::render::markdown;
use crate::render::sentences as words;
use crate::render::terminal::{self, Screen};

/// One way to show activity.
pub struct Format {
    /// Its name on the command line: that of a format of reports.
    pub name: &'static str,
    /// Draws it; only the terminal's format looks at the screen.
    pub render: fn(&Page<'_>, Screen) -> String,
}

/// Every format, in the order of those of reports.
pub const FORMATS: [Format; 4] = [
    Format { name: "markdown", render: |page, _| markdown(page) },
    Format { name: "csv", render: |page, _| csv::render(page.activity) },
    Format { name: "json", render: |page, _| json::render(page) },
    Format { name: "table", render: table },
];

const TITLE: &str = "Activity report";

fn markdown(page: &Page<'_>) -> String {
    let mut out = format!("# {TITLE}\n\n");
    if page.activity.span.is_none() {
        out += &format!("{}\n", sentences::nothing(page));
        let left_out = sentences::left_out(page);
        left_out.iter().for_each(|note| out += &format!("\n**Notes**\n- {note}\n"));
        return out;
    }
    out += &format!("**{}**\n", sentences::headline(page));
    for (at, table) in tables::tables(page.activity).iter().enumerate() {
        if at > 0 {
            out += &format!("\n## {}\n", table.heading);
        }
        out += &format!("\n{}\n", markdown::draw(table));
    }
    out += "\n**Notes**\n";
    sentences::notes(page).iter().for_each(|note| out += &format!("- {note}\n"));
    out
}

fn table(page: &Page<'_>, screen: Screen) -> String {
    let mut out = String::new();
    let mut notes = Vec::new();
    match page.activity.span {
        None => {
            out += &format!(" {TITLE}\n\n {}\n", sentences::nothing(page));
            notes.extend(sentences::left_out(page));
        }
        Some(span) => {
            for (at, table) in tables::tables(page.activity).iter().enumerate() {
                let (lines, width) = terminal::draw(table, screen);
                let span = if at == 0 { words::span(span) } else { String::new() };
                let taken = table.heading.chars().count() + span.chars().count();
                let gap = if at == 0 { width.saturating_sub(taken).max(2) } else { 0 };
                let begin = if at == 0 { "" } else { "\n" };
                out += &format!("{begin} {}{}{span}\n\n", table.heading, " ".repeat(gap));
                lines.iter().for_each(|line| out += &format!(" {line}\n"));
            }
            notes = sentences::changing(page);
        }
    }
    out + &terminal::below(&notes, screen)
}
