//! How a report looks: the table of formats. A new one is one file and one row.

pub mod tables;
pub mod sentences;
pub mod advice;
pub mod json;
pub mod csv;
pub mod markdown;
pub mod folded;
pub mod terminal;
pub mod activity;
pub mod compare;
pub mod fitted;
pub mod glance;
pub mod alert;

use crate::render::terminal::Screen;
use crate::report::Report;

/// One way to show a report.
pub struct Format {
    /// Its name on the command line.
    pub name: &'static str,
    /// What it is for.
    pub about: &'static str,
    /// Whether it is for programs that have no place for notes.
    pub is_data: bool,
    /// Draws the report; only the terminal's format looks at the screen.
    pub render: fn(&Report, Screen) -> String,
}

/// Every format; the first is the default.
pub const FORMATS: [Format; 4] = [
    Format {
        name: "markdown",
        about: "tables for people, in a terminal or rendered",
        is_data: false,
        render: |report, _| match folded::is_enough(report) {
            true => folded::render(report),
            false => markdown::render(report),
        },
    },
    Format {
        name: "csv",
        about: "one table, raw for programs",
        is_data: true,
        render: |report, _| csv::render(report),
    },
    Format {
        name: "json",
        about: "for programs",
        is_data: false,
        render: |report, _| json::render(report),
    },
    Format {
        name: "table",
        about: "compact, for a terminal",
        is_data: false,
        render: terminal::render,
    },
];
