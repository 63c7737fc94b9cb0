//! Report → Markdown, padded so that it reads well raw, at most 120 columns wide, and right-aligned
//! where it is rendered.

use comfy_table::{CellAlignment, ContentArrangement, presets};

use crate::figures;
use crate::render::advice;
use crate::render::sentences;
use crate::render::tables::{self, Cell, RATE_TASKS_MIN, Table};
use crate::report::{Breakdown, Report};

/// Wider lines wrap in reviews and mails.
const WIDTH_MAX: usize = 120;

/// The report as one Markdown document.
pub fn render(report: &Report) -> String {
    let mut out = format!("# {}\n\n", sentences::title(report));
    if report.span.is_none() {
        out += &format!("{}\n", sentences::nothing(report));
        let left_out = &report.left_out;
        let is_lacking = left_out.unreadable > 0 || left_out.pruned > 0;
        let mut notes: Vec<String> =
            sentences::left_out_note(report).filter(|_| is_lacking).into_iter().collect();
        notes.extend(sentences::unseen_note(&report.unseen));
        if !notes.is_empty() {
            out += &format!("\n**Notes**\n- {}\n", notes.join("\n- "));
        }
        return out;
    }
    out += &format!("**{}**\n", sentences::headline(report));
    let (asked, rest) = report.breakdowns.split_at(report.by.len());
    let tables_of = |breakdowns: &[Breakdown]| -> Vec<Table> {
        let shown = breakdowns.iter().filter(|it| it.is_shown && !it.groups.is_empty());
        let note = |it| sentences::origin_note(report, it);
        shown.map(|it| Table { note: note(it), ..tables::table(report, it) }).collect()
    };
    let asked = tables_of(asked);
    for (at, table) in asked.iter().enumerate() {
        // The only table that was asked for is named by the title.
        let heading = if asked.len() > 1 || at > 0 { Some(&table.heading) } else { None };
        section(&mut out, heading, table);
    }
    let summary = tables::summary(report);
    section(&mut out, (!asked.is_empty()).then_some(&summary.heading), &summary);
    for table in tables_of(rest) {
        section(&mut out, Some(&table.heading), &table);
    }
    if let Some(advice) = &report.advice {
        out += "\n## Advice\n\n";
        advice::lines(advice).iter().for_each(|line| out += &format!("{line}\n"));
    }
    out += "\n**Notes**\n";
    for note in sentences::notes(report) {
        out += &format!("- {note}\n");
    }
    out
}

fn section(out: &mut String, heading: Option<&String>, table: &Table) {
    if let Some(heading) = heading {
        *out += &format!("\n## {heading}\n");
    }
    *out += &format!("\n{}\n", draw(table));
    if let Some(note) = &table.note {
        *out += &format!("\n{note}\n");
    }
}

/// One table. comfy-table pads the cells; the colons that align them on hosting sites are ours.
pub(super) fn draw(table: &Table) -> String {
    let mut lines: Vec<Vec<String>> = vec![table.columns.clone()];
    lines.extend(table.rows.iter().map(|row| row.iter().map(text).collect()));
    if let Some(all) = &table.all {
        lines.push(all.iter().map(text).collect());
        if let Some(label) = lines.last_mut().and_then(|line| line.first_mut()) {
            *label = format!("**{label}**");
        }
    }
    let room = room_for_words(&lines, table.words);
    for (line, row) in lines.iter_mut().skip(1).zip(&table.rows) {
        line[table.words] = fitting(&row[table.words], room);
    }
    lines.iter_mut().flatten().for_each(|cell| *cell = in_table(cell));
    let mut drawn = comfy_table::Table::new();
    drawn.load_style(presets::ASCII_MARKDOWN).set_content_arrangement(ContentArrangement::Disabled);
    let mut lines = lines.into_iter();
    drawn.set_header(lines.next().unwrap_or_default());
    lines.for_each(|line| {
        drawn.add_row(line);
    });
    for column in drawn.column_iter_mut().skip(table.words + 1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    let drawn: Vec<String> = drawn.lines().map(|line| line.trim_end().to_owned()).collect();
    let mut out = String::new();
    for (at, line) in drawn.iter().enumerate() {
        if at > 0 {
            out.push('\n');
        }
        out += &if at == 1 { aligned(line, table.words) } else { line.clone() };
    }
    out
}

/// `|---|---|` → `|:--|--:|`.
fn aligned(rule: &str, words: usize) -> String {
    let cells: Vec<String> = rule
        .trim_matches('|')
        .split('|')
        .enumerate()
        .map(|(at, cell)| {
            let dashes = "-".repeat(cell.chars().count().saturating_sub(1));
            if at <= words { format!(":{dashes}") } else { format!("{dashes}:") }
        })
        .collect();
    format!("|{}|", cells.join("|"))
}

/// What the text of a cell looks like where `|` ends one: also in a code span a backslash keeps it,
/// but not one that stands behind another.
fn in_table(text: &str) -> String {
    text.replace("\\|", "\\ |").replace('|', "\\|")
}

/// How many characters a cell of the column of words may have: it gives way where a line would be
/// too wide.
fn room_for_words(lines: &[Vec<String>], words: usize) -> usize {
    let columns = lines.first().map_or(0, Vec::len);
    let width = |at: usize| {
        let cells = lines.iter().filter_map(|line| line.get(at));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let others: usize = (0..columns).filter(|at| *at != words).map(|at| width(at) + 3).sum();
    WIDTH_MAX.saturating_sub(others + 4).max(16)
}

/// The text of a cell in that room. A name loses its middle before it is made harmless: what makes it
/// so is not to be cut.
fn fitting(cell: &Cell, room: usize) -> String {
    let whole = text(cell);
    let (Cell::Name(name) | Cell::Title(name)) = cell else { return whole };
    if whole.chars().count() <= room {
        return whole;
    }
    let name: Vec<char> = name.chars().collect();
    let cut = |length: usize| {
        let cut = shortened(&name, length);
        text(&if matches!(cell, Cell::Name(_)) { Cell::Name(cut) } else { Cell::Title(cut) })
    };
    let fits = |text: &String| text.chars().count() <= room;
    (1..=room.min(name.len())).rev().map(cut).find(fits).unwrap_or_else(|| "…".to_owned())
}

/// A name of that many characters without its middle: both ends tell models apart.
pub(super) fn shortened(name: &[char], room: usize) -> String {
    let room = room.saturating_sub(1);
    let head: String = name[..room.div_ceil(2)].iter().collect();
    let tail: String = name[name.len() - room / 2..].iter().collect();
    format!("{head}…{tail}")
}

fn text(cell: &Cell) -> String {
    match cell {
        Cell::Text(text) => text.clone(),
        Cell::Name(name) => sentences::name_text(name),
        Cell::Title(title) => sentences::title_text(title),
        Cell::Count(count) => figures::thousands(*count),
        other => common_text(other),
    }
}

/// The cells that look the same in every view.
pub(super) fn common_text(cell: &Cell) -> String {
    match cell {
        Cell::Success(_, 0) | Cell::SuccessInFull(_, 0) | Cell::Unknown => "–".to_owned(),
        Cell::SuccessInFull(part, whole) if *whole < RATE_TASKS_MIN => format!("{part} of {whole}"),
        Cell::SuccessInFull(part, whole) => {
            let rate = figures::percent_tenths((*part).into(), (*whole).into());
            format!("{} ({rate})", figures::thousands((*part).into()))
        }
        Cell::Success(part, whole) if *whole < RATE_TASKS_MIN => format!("{part}/{whole}"),
        Cell::Success(part, whole) => figures::percent_tenths((*part).into(), (*whole).into()),
        Cell::Interval(part, whole) => tables::interval(*part, *whole),
        Cell::Share(part, whole) => figures::percent(*part, *whole),
        Cell::Duration(ms) => figures::duration(*ms),
        Cell::Money(micros) => figures::dollars(*micros),
        Cell::Text(text) | Cell::Name(text) | Cell::Title(text) => text.clone(),
        Cell::Count(count) => figures::thousands(*count),
        Cell::Empty => String::new(),
    }
}
