//! How a comparison looks: the same formats as a report's.

pub mod text;
pub mod tables;
pub mod sentences;
pub mod json;
pub mod csv;

use crate::render::markdown;
use crate::render::tables::Table;
use crate::render::terminal::{self, Screen};
use crate::report::compare::Comparison;

/// One way to show a comparison.
pub struct Format {
    /// Its name on the command line: that of a format of reports.
    pub name: &'static str,
    /// Draws it; only the terminal's format looks at the screen.
    pub render: fn(&Comparison, Screen) -> String,
}

/// Every format, in the order of those of reports.
pub const FORMATS: [Format; 4] = [
    Format { name: "markdown", render: |comparison, _| markdown(comparison) },
    Format { name: "csv", render: |comparison, _| csv::render(comparison) },
    Format { name: "json", render: |comparison, _| json::render(comparison) },
    Format { name: "table", render: table },
];

const TITLE: &str = "Usage compared";

fn markdown(it: &Comparison) -> String {
    let mut out = format!("# {TITLE}\n\n**{}**\n", sentences::headline(it));
    out += &format!("\n{}\n", markdown::draw(&tables::main(it)));
    for section in sections(it) {
        out += &format!("\n## {}\n\n", section.heading);
        section.table.iter().for_each(|table| out += &format!("{}\n", markdown::draw(table)));
        section.lines.iter().for_each(|line| out += &format!("{line}\n"));
    }
    out += "\n**Notes**\n";
    sentences::notes(it).iter().for_each(|note| out += &format!("- {note}\n"));
    out
}

fn table(it: &Comparison, screen: Screen) -> String {
    let mut out = format!(" {TITLE}\n\n");
    let draw = |out: &mut String, table: &Table| {
        terminal::draw(table, screen).0.iter().for_each(|line| *out += &format!(" {line}\n"));
    };
    draw(&mut out, &tables::main(it));
    for section in sections(it) {
        out += &format!("\n {}\n\n", section.heading);
        section.table.iter().for_each(|table| draw(&mut out, table));
        section.lines.iter().for_each(|line| out += &format!(" {}\n", line.replace('`', "")));
    }
    out + &terminal::below(&sentences::short_notes(it), screen)
}

/// What stands below the main table.
struct Section {
    heading: String,
    table: Option<Table>,
    lines: Vec<String>,
}

fn sections(it: &Comparison) -> Vec<Section> {
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
    let (heading, lines) = ("Data quality".to_owned(), sentences::quality(it));
    sections.push(Section { heading, table: None, lines });
    sections
}
