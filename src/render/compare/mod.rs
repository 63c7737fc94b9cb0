//! How a comparison looks: the same formats as a report's.

pub mod page;
pub mod text;
pub mod tables;
pub mod sentences;
pub mod json;
pub mod csv;

use crate::render::compare::page::Page;
use crate::render::markdown;
use crate::render::tables::Table;
use crate::render::terminal::{self, Screen};

/// One way to show a comparison.
pub struct Format {
    /// Its name on the command line: that of a format of reports.
    pub name: &'static str,
    /// Draws it; only the terminal's format looks at the screen.
    pub render: fn(&Page<'_>, Screen) -> String,
}

/// Every format, in the order of those of reports.
pub const FORMATS: [Format; 4] = [
    Format { name: "markdown", render: |page, _| markdown(page) },
    Format { name: "csv", render: |page, _| csv::render(page.comparison) },
    Format { name: "json", render: |page, _| json::render(page) },
    Format { name: "table", render: table },
];

const TITLE: &str = "Usage compared";

fn markdown(page: &Page<'_>) -> String {
    let it = page.comparison;
    let mut out = format!("# {TITLE}\n\n**{}**\n", sentences::headline(it));
    out += &format!("\n{}\n", markdown::draw(&tables::main(it)));
    for section in sections(page) {
        out += &format!("\n## {}\n\n", section.heading);
        section.table.iter().for_each(|table| out += &format!("{}\n", markdown::draw(table)));
        section.lines.iter().for_each(|line| out += &format!("{line}\n"));
    }
    out += "\n**Notes**\n";
    sentences::notes(page).iter().for_each(|note| out += &format!("- {note}\n"));
    out
}

fn table(page: &Page<'_>, screen: Screen) -> String {
    let it = page.comparison;
    let mut out = format!(" {TITLE}\n\n");
    let draw = |out: &mut String, table: &Table| {
        terminal::draw(table, screen).0.iter().for_each(|line| *out += &format!(" {line}\n"));
    };
    draw(&mut out, &tables::main(it));
    for section in sections(page) {
        out += &format!("\n {}\n\n", section.heading);
        section.table.iter().for_each(|table| draw(&mut out, table));
        section.lines.iter().for_each(|line| out += &format!(" {}\n", line.replace('`', "")));
    }
    out + &terminal::below(&sentences::short_notes(page), screen)
}

/// What stands below the main table.
struct Section {
    heading: String,
    table: Option<Table>,
    lines: Vec<String>,
}

fn sections(page: &Page<'_>) -> Vec<Section> {
    let it = page.comparison;
    let mut sections = Vec::new();
    for (dimension, parts) in &it.parts {
        let table = tables::parts(it, *dimension, parts);
        let lines = match (&table, sentences::unchanged(it, *dimension)) {
            (Some(_), _) => Vec::new(),
            (None, Some(line)) => vec![line],
            (None, None) => continue,
        };
        sections.push(Section { heading: tables::heading(*dimension), table, lines });
    }
    let trends = sentences::trends(it);
    if let Some(heading) = sentences::trend_heading(it) {
        sections.push(Section { heading, table: None, lines: trends });
    }
    let (heading, lines) = ("Data quality".to_owned(), sentences::quality(page));
    sections.push(Section { heading, table: None, lines });
    sections
}
