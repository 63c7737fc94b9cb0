//! Report → a few lines of Markdown for a pull request: the figures in one, the rest folded away, so
//! that nobody is annoyed.

use crate::figures::{self, counted};
use crate::render::markdown;
use crate::render::sentences;
use crate::render::tables::{self, Cell, Table, key_text};
use crate::report::dimension::{Dimension, Key};
use crate::report::measures::Measures;
use crate::report::{Breakdown, Report};

/// How many of the dearest models are named.
const MODELS_NAMED: usize = 2;

/// Whether the report is of a range of commits, and nothing more was asked for.
pub fn is_enough(report: &Report) -> bool {
    report.commits.is_some() && report.by.is_empty() && report.advice.is_none()
}

/// The few lines.
pub fn render(report: &Report) -> String {
    let totals = &report.totals;
    let mut rest = vec![which_rows(report)];
    rest.extend(dearest(report));
    rest.extend(sentences::short_unpriced(report).map(|it| format!("No price: {it}.")));
    rest.extend(sentences::left_out_note(report));
    rest.extend(sentences::unseen_note(&report.unseen));
    rest.extend(sentences::marker_note(report));
    if report.span.is_none() {
        rest[0] = sentences::nothing(report);
        return format!("**{}: none.** {}\n", subject(report), rest.join(" "));
    }
    let task_types = report.breakdowns.iter().find(|it| it.dimension == Dimension::TaskType);
    let has_cost = report.has_costs();
    let table = task_types.map(|it| markdown::draw(&table(it, totals, has_cost)));
    let cost = match totals.cost().filter(|_| has_cost) {
        Some(micros) => format!(" · {} list price", figures::dollars(micros)),
        None => String::new(),
    };
    format!(
        "**{}: {}, {} succeeded · {} tokens · {}{cost}**\n\n\
         <details><summary>By task type</summary>\n\n{}\n\n{}\n</details>\n",
        subject(report),
        counted(totals.tasks, "task"),
        figures::thousands(totals.successes.into()),
        figures::rough(totals.total_tokens()),
        figures::duration(totals.duration_ms),
        table.unwrap_or_default(),
        rest.join(" "),
    )
}

/// `AI usage of this branch`.
fn subject(report: &Report) -> String {
    let commits = report.commits.as_ref();
    let lacks_none = commits.is_none_or(|commits| commits.lacking.is_empty());
    match commits.and_then(|commits| commits.of.as_deref()) {
        None => "AI usage of this branch".to_owned(),
        Some(of) if lacks_none => format!("AI usage at {}", sentences::revision(of)),
        Some(of) => format!("AI usage of {}", sentences::revision(of)),
    }
}

/// `22 rows (2 of sub-agents) that main does not have.`
fn which_rows(report: &Report) -> String {
    let totals = &report.totals;
    let subs = match totals.rows - totals.tasks {
        0 => String::new(),
        subs => format!(" ({} of sub-agents)", figures::thousands(subs.into())),
    };
    let selection = match report.selection.as_slice() {
        [] => String::new(),
        words => format!(", only {}", sentences::revision(&words.join(" "))),
    };
    format!("{}{subs} {}{selection}.", counted(totals.rows, "row"), sentences::which(report))
}

/// `Dearest: claude-opus-5-5 (47 %), gpt-5.6-sol (37 %).`
fn dearest(report: &Report) -> Option<String> {
    let models = report.breakdowns.iter().find(|it| it.dimension == Dimension::Model)?;
    let named = models.groups.iter().filter(|it| it.measures.cost_micros > 0).take(MODELS_NAMED);
    let named = named.filter_map(|group| match &group.key {
        Key::Text(name) => {
            let share = (group.measures.cost_micros, report.totals.cost_micros);
            let share = figures::percent(share.0, share.1);
            Some(format!("{} ({share})", sentences::name_text(name)))
        }
        _ => None,
    });
    let named: Vec<String> = named.collect();
    (!named.is_empty()).then(|| format!("Dearest: {}.", named.join(", ")))
}

fn table(breakdown: &Breakdown, totals: &Measures, has_cost: bool) -> Table {
    let line = |label: &str, it: &Measures| {
        let count = |n: u64| figures::thousands(n.into());
        let mut cells = vec![
            Cell::Text(label.to_owned()),
            Cell::Count(it.tasks.into()),
            match it.tasks {
                0 => Cell::Unknown,
                tasks => Cell::Text(format!("{}/{}", count(it.successes), count(tasks))),
            },
            Cell::Count(it.prompt_tokens),
            Cell::Count(it.completion_tokens),
            Cell::Duration(it.duration_ms),
        ];
        cells.extend(has_cost.then(|| tables::cost(it)));
        cells
    };
    let label = |key: &Key| match key {
        Key::Number(number) => key_text(breakdown.dimension, *number),
        _ => String::new(),
    };
    let rows = breakdown.groups.iter().map(|it| line(&label(&it.key), &it.measures));
    let columns = ["Task type", "Tasks", "Success", "Prompt", "Completion", "Time", "Cost"];
    Table {
        columns: columns[..if has_cost { 7 } else { 6 }].iter().map(|it| it.to_string()).collect(),
        rows: rows.collect(),
        all: (breakdown.groups.len() > 1).then(|| line("all", totals)),
        ..Table::default()
    }
}
