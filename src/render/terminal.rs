//! Report → tables for a terminal: compact units, a bar for the cost of a period, colour by
//! meaning only. Nothing is said here that is not in the Markdown.

use comfy_table::{CellAlignment, ContentArrangement, presets};

use crate::error::printable;
use crate::figures;
use crate::render::advice;
use crate::render::markdown::{common_text, shortened};
use crate::render::sentences;
use crate::render::tables::{self, Cell, Table};
use crate::report::{Breakdown, Report};

/// Columns that give way where a line is too wide, the first to go first.
const EXPENDABLE: [&str; 7] = ["p50", "Cached", "Share", "Mean", "95 % CI", "Max", "$/success"];

/// Shorter names could not be told apart.
const NAME_WIDTH_MIN: usize = 24;

/// How long the longest bar is, in columns.
const BAR_WIDTH: usize = 8;

/// Eighths of a column.
const BLOCKS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];

/// What the terminal can do.
#[derive(Clone, Copy, Debug)]
pub struct Screen {
    /// Its width in columns.
    pub width: usize,
    /// Whether it shows colours, and is wanted to.
    pub has_colour: bool,
}

/// The report for that screen. With a grouping asked for, its table alone; a period's is whole.
pub fn render(report: &Report, screen: Screen) -> String {
    let span = sentences::shown_span(report).map(sentences::span).unwrap_or_default();
    if report.span.is_none() {
        let mut out = format!(" {}\n\n {}\n", sentences::title(report), sentences::nothing(report));
        notes(report).iter().for_each(|note| out += &format!("\n {note}\n"));
        return out;
    }
    let mut out = String::new();
    let is_whole = report.by.is_empty() || report.period.is_some();
    let shown: Vec<&Breakdown> = match is_whole {
        true => {
            report.breakdowns.iter().filter(|it| it.is_shown && !it.groups.is_empty()).collect()
        }
        false => report.breakdowns[..report.by.len()].iter().collect(),
    };
    let mut sections: Vec<Table> = shown.iter().map(|it| tables::compact(report, it)).collect();
    if is_whole {
        sections.insert(0, tables::summary(report));
    }
    for (at, table) in sections.iter().enumerate() {
        let (lines, width) = draw(table, screen);
        let heading = match at {
            0 if report.period.is_some() => sentences::title(report),
            0 if report.by.is_empty() => "Usage".to_owned(),
            _ => format!("Usage {}", table.heading.replacen("By", "by", 1)),
        };
        if at == 0 {
            let gap = width.saturating_sub(heading.chars().count() + span.chars().count()).max(2);
            out += &format!(" {heading}{}{span}\n\n", " ".repeat(gap));
        } else {
            out += &format!("\n {heading}\n\n");
        }
        lines.iter().for_each(|line| out += &format!(" {line}\n"));
    }
    if let Some(advice) = &report.advice {
        out += "\n Advice\n\n";
        let lines = advice::lines(advice);
        lines.iter().for_each(|line| out += &format!(" {}\n", line.replace('`', "")));
    }
    out + &below(&notes(report), screen)
}

/// Notes below the tables, dim where there is colour.
pub(super) fn below(notes: &[String], screen: Screen) -> String {
    let mut out = if notes.is_empty() { String::new() } else { "\n".to_owned() };
    for note in notes {
        out += &match screen.has_colour {
            true => format!(" \x1b[2m{note}\x1b[0m\n"),
            false => format!(" {note}\n"),
        };
    }
    out
}

/// Only what changes a figure; the Markdown explains the rest.
fn notes(report: &Report) -> Vec<String> {
    let left_out = &report.left_out;
    let mut parts = Vec::new();
    if left_out.unreadable > 0 {
        let rows = if left_out.unreadable == 1 { "row" } else { "rows" };
        parts.push(format!("{} {rows} unreadable", figures::thousands(left_out.unreadable.into())));
    }
    if left_out.repeated > 0 {
        parts.push(format!("{} repeated", figures::thousands(left_out.repeated.into())));
    }
    if !left_out.markers.is_empty() {
        parts.push("a merge conflict left in".to_owned());
    }
    let mut notes: Vec<String> = sentences::short_cost_note(report).into_iter().collect();
    if !parts.is_empty() {
        notes.push(format!("{}: usage-report verify", parts.join(", ")));
    }
    notes.extend(sentences::pruned(report));
    notes.extend(sentences::unseen_note(&report.unseen).map(|note| note.replace('`', "")));
    notes.extend(sentences::waiting_note(report));
    notes
}

/// The table's lines between two rules, and how wide they are.
pub(super) fn draw(table: &Table, screen: Screen) -> (Vec<String>, usize) {
    let mut keep: Vec<usize> = (0..table.columns.len()).collect();
    // One column is left free at either side.
    let room = screen.width.saturating_sub(2);
    let mut bars = bars(table);
    let mut expendable = EXPENDABLE.iter();
    let mut table = table.clone();
    let longest =
        table.rows.iter().map(|row| text(&row[table.words]).chars().count()).max().unwrap_or(0);
    let first_width = lines_width(&grid(&table, &keep));
    if first_width > room && longest > NAME_WIDTH_MIN {
        shorten(&mut table, longest.saturating_sub(first_width - room).max(NAME_WIDTH_MIN));
    }
    let table = &table;
    loop {
        let lines = grid(table, &keep);
        let width = lines_width(&lines);
        let bar_width = if bars.is_empty() { 0 } else { BAR_WIDTH + 2 };
        if width + bar_width > room {
            if !bars.is_empty() {
                bars.clear();
                continue;
            }
            if let Some(name) = expendable.next() {
                keep.retain(|at| table.columns[*at] != *name);
                continue;
            }
        }
        return (ruled(table, lines, &bars, width, screen), width);
    }
}

fn lines_width(lines: &[String]) -> usize {
    lines.first().map_or(0, |line| line.chars().count())
}

/// Long names lose their middle before a column goes.
fn shorten(table: &mut Table, room: usize) {
    let words = table.words;
    for cell in table.rows.iter_mut().filter_map(|row| row.get_mut(words)) {
        let name: Vec<char> = text(cell).chars().collect();
        if name.len() > room {
            *cell = Cell::Text(shortened(&name, room));
        }
    }
}

fn grid(table: &Table, keep: &[usize]) -> Vec<String> {
    let pick = |cells: &[Cell]| keep.iter().map(|at| text(&cells[*at])).collect::<Vec<String>>();
    let mut drawn = comfy_table::Table::new();
    drawn.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    drawn.set_header(keep.iter().map(|at| table.columns[*at].clone()));
    for row in table.rows.iter().chain(&table.all) {
        drawn.add_row(pick(row));
    }
    for (at, column) in drawn.column_iter_mut().enumerate() {
        column.set_padding(if at == 0 { (0, 1) } else { (1, 1) });
        if at > table.words {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    drawn.lines().map(|line| line.strip_suffix(' ').map(str::to_owned).unwrap_or(line)).collect()
}

fn ruled(
    table: &Table,
    lines: Vec<String>,
    bars: &[String],
    width: usize,
    screen: Screen,
) -> Vec<String> {
    let rule = "─".repeat(width);
    let rows = table.rows.len();
    let mut out = Vec::new();
    for (at, line) in lines.into_iter().enumerate() {
        let line = match (at, screen.has_colour) {
            (0, true) => format!("\x1b[1m{line}\x1b[0m"),
            _ => line,
        };
        match at.checked_sub(1).and_then(|row| bars.get(row)) {
            None if at == 0 && !bars.is_empty() && !table.bars_of.is_empty() => {
                out.push(format!("{line}  {}", table.bars_of));
            }
            Some(bar) if !bar.is_empty() => out.push(format!("{line}  {bar}")),
            _ => out.push(line.trim_end().to_owned()),
        }
        if at == 0 || (at == rows && table.all.is_some()) {
            out.push(rule.clone());
        }
    }
    out
}

fn bars(table: &Table) -> Vec<String> {
    let Some(longest) = table.bars.iter().max().filter(|longest| **longest > 0) else {
        return Vec::new();
    };
    let bar = |size: &u128| {
        let eighths = figures::divided(size * (BAR_WIDTH as u128) * 8, *longest) as usize;
        "█".repeat(eighths / 8) + BLOCKS[eighths % 8]
    };
    table.bars.iter().map(bar).collect()
}

fn text(cell: &Cell) -> String {
    match cell {
        Cell::Count(count) => figures::compact(*count),
        Cell::Name(name) | Cell::Title(name) => printable(name),
        other => common_text(other),
    }
}
