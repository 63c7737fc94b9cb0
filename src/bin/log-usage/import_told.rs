//! What an import says: a line for each source, what was stored, and with --explain where every
//! number comes from.

use usage_ledger::error::{excerpt, shown};
use usage_ledger::figures::{self, counted};
use usage_ledger::hooks::agents::Agent;
use usage_ledger::intake::import::tally::{Imports, Tally};
use usage_ledger::timestamp::Day;

/// Microdollars in a cent.
const CENT: u128 = 10_000;

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// How many models without a price are named.
const MODELS_SHOWN: usize = 3;

/// `$211.08`.
fn dollars(micro: u64) -> String {
    match figures::divided(micro.into(), CENT) {
        0 if micro > 0 => "<$0.01".to_owned(),
        cents => format!("${}.{:02}", figures::thousands(cents / 100), cents % 100),
    }
}

/// A line for each source that has anything, in columns.
pub(crate) fn summary(imports: &Imports) -> Vec<String> {
    let has_any = |it: &&Tally| it.turns + it.unfinished + it.findings.files + it.unchanged > 0;
    let rows: Vec<[String; 6]> = imports
        .tallies
        .iter()
        .filter(has_any)
        .map(|it| {
            let there = match it.there {
                0 => String::new(),
                there => format!("{} already there", figures::thousands(there.into())),
            };
            [
                it.name.to_owned(),
                counted(it.sessions, "session"),
                counted(it.turns, "turn"),
                format!("{} new", figures::thousands(it.new.into())),
                there,
                if it.cost > 0 { dollars(it.cost) } else { String::new() },
            ]
        })
        .collect();
    let width = |column: usize| rows.iter().map(|row| row[column].len()).max().unwrap_or(0);
    let widths: [usize; 6] = std::array::from_fn(width);
    let line = |row: &[String; 6]| {
        let cells = row.iter().zip(widths).enumerate().map(|(at, (cell, width))| match at {
            0 | 4 => format!("{cell:<width$}"),
            _ => format!("{cell:>width$}"),
        });
        let cells = cells.filter(|cell| !cell.is_empty());
        cells.collect::<Vec<_>>().join("   ").trim_end().to_owned()
    };
    rows.iter().map(line).collect()
}

/// What was stored, from when to when, and what could not be.
pub(crate) fn stored(imports: &Imports, added: usize, verb: &str, is_explained: bool) -> String {
    let mut text = match added {
        0 => "nothing new".to_owned(),
        rows => format!("{} {verb}", counted(rows as u64, "row")),
    };
    let days = imports.entries.iter().map(|entry| entry.row.at.day());
    if added > 0
        && let (Some(first), Some(last)) = (days.clone().min(), days.max())
    {
        text += &format!(", {}", period(first, last));
    }
    text.push('.');
    let mut doubts = Vec::new();
    // Whole files that are left out are named.
    let (mut lines, mut files) = (0, 0);
    for found in imports.tallies.iter().map(|it| &it.findings) {
        let of_files = found.left_out.iter().filter(|it| it.line == 0).count() as u64;
        lines += found.unreadable - of_files;
        files += of_files;
    }
    if lines > 0 {
        let which = if is_explained { "" } else { " (--explain)" };
        doubts.push(format!("{} unreadable{which}", counted(lines, "line")));
    }
    if files > 0 {
        doubts.push(format!("{} unreadable", counted(files, "file")));
    }
    let models: Vec<String> = imports.unpriced.keys().map(|it| excerpt(it)).collect();
    if !models.is_empty() {
        let named = models.iter().take(MODELS_SHOWN).cloned().collect::<Vec<_>>().join(", ");
        let more = if models.len() > MODELS_SHOWN { ", …" } else { "" };
        doubts.push(format!(
            "{} without a price ({named}{more})",
            counted(models.len() as u64, "model")
        ));
    }
    let revised: u64 = imports.tallies.iter().map(|it| it.revised).sum();
    if revised > 0 {
        doubts.push(format!("{} brought up to date", counted(revised, "row")));
    }
    if !doubts.is_empty() {
        text += &format!(" {}.", doubts.join(", "));
    }
    text
}

/// `28 Sep – 20 Nov 2026`.
fn period(first: Day, last: Day) -> String {
    let ((year, ..), (last_year, ..)) = (first.ymd(), last.ymd());
    let words = |day: Day, with_year: bool| {
        let (year, month, day) = day.ymd();
        let month = MONTHS[(month as usize - 1).min(11)];
        if with_year { format!("{day} {month} {year}") } else { format!("{day} {month}") }
    };
    match first == last {
        true => words(last, true),
        false => format!("{} – {}", words(first, year != last_year), words(last, true)),
    }
}

/// That turns belong to other folders, where any do.
pub(crate) fn elsewhere(imports: &Imports, is_everywhere: bool) -> Option<String> {
    let turns = imports.tallies.iter().map(|it| it.elsewhere).sum::<u64>();
    (turns > 0 && !is_everywhere).then(|| {
        format!(
            "of this repository only; {} of other folders {} left alone \
             (--all-projects --personal)",
            counted(turns, "turn"),
            if turns == 1 { "was" } else { "were" }
        )
    })
}

/// What was left alone and could be had, a line each.
pub(crate) fn hints(imports: &Imports, is_everywhere: bool) -> Vec<String> {
    let sum = |of: fn(&Tally) -> u64| imports.tallies.iter().map(of).sum::<u64>();
    let mut lines = Vec::new();
    lines.extend(elsewhere(imports, is_everywhere).map(|line| format!("  {line}")));
    let unfinished = sum(|it| it.unfinished);
    if unfinished > 0 {
        lines.push(format!(
            "  {} not finished yet: a later import takes them",
            counted(unfinished, "turn")
        ));
    }
    let grown = sum(|it| it.grown);
    if grown > 0 {
        lines.push(format!(
            "  {} grew since: --refresh brings them up to date",
            counted(grown, "row")
        ));
    }
    let too_old = sum(|it| it.too_old);
    if too_old > 0 {
        lines.push(format!("  {} from before --since left out", counted(too_old, "row")));
    }
    let pruned = sum(|it| it.pruned);
    if pruned > 0 {
        lines.push(format!("  {} from before what was pruned left out", counted(pruned, "row")));
    }
    let refused: usize = imports.tallies.iter().map(|it| it.refused.len()).sum();
    if refused > 0 {
        lines.push(format!(
            "  {} may not be stored: --explain says why",
            counted(refused as u64, "row")
        ));
    }
    lines
}

/// How these agents fill the ledger by themselves from now on.
pub(crate) fn to_install(agents: &[&Agent]) -> Option<String> {
    let names: String = agents.iter().map(|agent| format!(" --agent {}", agent.name)).collect();
    (!names.is_empty()).then(|| format!("  keep it filled: log-usage hooks install{names}"))
}

/// Where the numbers come from: for each source what was found, counted and left out, and why.
pub(crate) fn explanation(imports: &Imports) -> Vec<String> {
    let mut lines = Vec::new();
    for it in &imports.tallies {
        let found = &it.findings;
        lines.push(it.name.to_owned());
        if found.files == 0 && found.unreadable == 0 {
            lines.push("  read        nothing: no transcripts found".to_owned());
            continue;
        }
        let mut say = |what: &str, text: String| lines.push(format!("  {what:<12}{text}"));
        say(
            "read",
            format!(
                "{}, {}, {}",
                counted(found.files, "file"),
                counted(found.bytes, "byte"),
                counted(found.lines, "line")
            ),
        );
        say(
            "counted",
            format!(
                "{} in {} of {}: {} new, {} already there",
                counted(found.responses, "response"),
                counted(it.turns, "turn"),
                counted(it.sessions, "session"),
                counted(it.new, "row"),
                it.there
            ),
        );
        for (number, what) in [
            (found.repeated, "a response that is counted elsewhere"),
            (found.replayed, "what another thread counted"),
        ] {
            if number > 0 {
                say("dropped", format!("{}: {what}", counted(number, "line")));
            }
        }
        for (number, noun, what) in [
            (it.elsewhere, "turn", "of other folders"),
            (
                it.unfinished,
                "turn",
                "not finished: no end, no later prompt, and less than 24 h old",
            ),
            (it.as_result, "turn", "that the ledger has from another door (transcript or result)"),
            (it.too_old, "row", "from before --since"),
            (it.pruned, "row", "from before what was pruned"),
            (found.unanswered, "prompt", "that nothing followed"),
        ] {
            if number > 0 {
                say("skipped", format!("{} {what}", counted(number, noun)));
            }
        }
        if it.grown > 0 {
            say("grown", format!("{} with more tokens now: --refresh", counted(it.grown, "row")));
        }
        if found.placeholders > 0 {
            say(
                "doubtful",
                format!(
                    "{} of sub-agents known by their progress alone: too little output",
                    counted(found.placeholders, "response")
                ),
            );
        }
        for place in &found.left_out {
            let path = shown(&place.path);
            say(
                "left out",
                match place.line {
                    0 => format!("{path}: {}", place.why),
                    line => format!("{path}:{line}: {}", place.why),
                },
            );
        }
        let unnamed = found.unreadable - found.left_out.len() as u64;
        if unnamed > 0 {
            say("left out", format!("and {} more", figures::thousands(unnamed.into())));
        }
        it.refused.iter().for_each(|why| say("refused", why.clone()));
    }
    for (model, tokens) in &imports.unpriced {
        lines.push(format!("no price    {}: {}", excerpt(model), counted(*tokens, "token")));
    }
    lines
}
