//! Report → sentences: the title, the headline, and the notes that say how to read the figures.

use crate::error::printable;
use crate::figures::{self, counted};
use crate::render::tables::{
    Cell, PERCENTILE_TASKS_MIN, RATE_TASKS_MIN, WEEKDAYS, day_month, has_interval, noun,
    success_change,
};
use crate::report::dimension::Dimension;
use crate::report::left_out::{LeftOut, SkippedLine};
use crate::report::measures::{Measures, Origin};
use crate::report::origins::State;
use crate::report::{Breakdown, Commits, Report, Unseen};
use crate::timestamp::Day;

/// How many skipped lines a note names.
const LINES_NAMED: usize = 3;

/// How many models without a price a note names.
const MODELS_NAMED: usize = 5;

/// `Usage report`, `Usage report by week`, or `Usage report of 2026-W46` for a period's, whose own
/// table goes without saying.
pub fn title(report: &Report) -> String {
    match (&report.period, report.by.as_slice()) {
        (Some(period), _) => format!("Usage report of {}", period.name()),
        (None, []) => "Usage report".to_owned(),
        (None, by) => {
            let names: Vec<String> = by.iter().map(|it| noun(*it)).collect();
            format!("Usage report by {}", names.join(", "))
        }
    }
}

/// The four answers in one sentence.
pub fn headline(report: &Report) -> String {
    let totals = &report.totals;
    let tasks = match totals.tasks {
        1 => "1 task".to_owned(),
        tasks => format!("{} tasks", figures::thousands(tasks.into())),
    };
    let success = match totals.tasks {
        0 => "none succeeded".to_owned(),
        tasks if tasks < RATE_TASKS_MIN => format!("{} of {tasks} succeeded", totals.successes),
        tasks => {
            let rate = figures::percent_tenths(totals.successes.into(), tasks.into());
            format!("{rate} succeeded")
        }
    };
    let tokens = figures::rough(totals.total_tokens());
    let cost = match totals.cost().filter(|_| report.has_costs()) {
        Some(micros) => format!("{} \\* · ", figures::dollars(micros)),
        None => String::new(),
    };
    let span = shown_span(report).map(span).unwrap_or_default();
    format!("{tasks} · {success} · {tokens} tokens · {cost}{span}")
}

/// From when to when the report is: its period, else its rows.
pub fn shown_span(report: &Report) -> Option<(Day, Day)> {
    report.period.as_ref().map(|it| (it.from, it.to)).or(report.span)
}

/// What is said where no row was selected.
pub fn nothing(report: &Report) -> String {
    let rows = match report.ledger_rows {
        0 if report.left_out.unreadable > 0 => return "No row can be read.".to_owned(),
        0 if report.commits.is_some() => return format!("No rows {}.", which(report)),
        0 if report.unseen.segments > 0 => return "All rows are in an archive.".to_owned(),
        0 if report.left_out.pruned > 0 => return "All rows were pruned.".to_owned(),
        0 => return "No rows yet.".to_owned(),
        1 => "1 row".to_owned(),
        rows => format!("{} rows", figures::thousands(rows.into())),
    };
    let when = match report.ledger_span {
        Some((from, to)) if from == to => format!(" of {from}"),
        Some((from, to)) => format!(" from {from} to {to}"),
        None => String::new(),
    };
    let holder = if report.commits.is_some() { "range" } else { "ledger" };
    let holds = format!("No rows match. The {holder} holds {rows}{when}");
    let typed = |it: &&String| report.period.is_none() || !is_of_time(it);
    let selection: Vec<&str> = report.selection.iter().filter(typed).map(String::as_str).collect();
    let selection = title_text(&selection.join(" "));
    match &report.period {
        Some(period) if selection.is_empty() => format!("{holds}, none of {}.", period.name()),
        Some(period) => format!("{holds}; {selection} leaves none of {}.", period.name()),
        None => format!("{holds}; {selection} leaves none."),
    }
}

/// Whether an option is one of those that a period stands for.
fn is_of_time(option: &str) -> bool {
    option.starts_with("--since") || option.starts_with("--until")
}

/// Which rows those of a range are: `that main does not have`; nothing where it is none.
pub fn which(report: &Report) -> String {
    let Some(Commits { of, lacking }) = &report.commits else { return String::new() };
    match (lacking.as_slice(), of) {
        ([], of) => format!("that {} has", revision(of.as_deref().unwrap_or("HEAD"))),
        ([one], _) => format!("that {} does not have", revision(one)),
        (several, _) => {
            let names: Vec<String> = several.iter().map(|it| revision(it)).collect();
            format!("that the last common commit of {} does not have", names.join(" and "))
        }
    }
}

/// A revision as it was typed.
pub fn revision(typed: &str) -> String {
    code(typed)
}

/// What must be known to read a table of what git knows.
pub fn origin_note(report: &Report, breakdown: &Breakdown) -> Option<String> {
    let default = report.default_branch.as_deref()?;
    let mut note = match breakdown.dimension {
        Dimension::Pr => {
            "PR is read from the subject of the commit on the default branch that brought the row \
             (`… (#415)`, `Merge pull request #415`)."
        }
        Dimension::Branch => {
            "Branch is read from the subject of the commit on the default branch that brought the \
             row (`Merge branch 'topic'`, `Merge pull request #415 from owner/topic`)."
        }
        _ => return None,
    }
    .to_owned();
    let has = |state| {
        breakdown.groups.iter().any(|it| it.origin.as_ref().is_some_and(|it| it.state == state))
    };
    let lacks = format!("rows on branches that {} does not have", title_text(default));
    let abandoned = "no commit for 14 days before the newest row";
    match (has(State::Open), has(State::Abandoned)) {
        (false, false) => {}
        (true, false) => note += &format!(" Open: {lacks}."),
        (false, true) => note += &format!(" Abandoned: {lacks} ({abandoned})."),
        (true, true) => note += &format!(" Open and abandoned: {lacks} (abandoned: {abandoned})."),
    }
    Some(note)
}

/// What must be known to read the figures right; only what applies. Names of files and values stand
/// in code spans, for nothing in them may act as markup.
pub fn notes(report: &Report) -> Vec<String> {
    let totals = &report.totals;
    let mut notes = vec![success_note(report)];
    let mut tokens =
        "Prompt is everything the model read, cached or not; completion everything it wrote."
            .to_owned();
    let subs = totals.rows - totals.tasks;
    if subs > 0 {
        tokens += &format!(
            " {} {} {}: {} of sub-agents, in {} but not in tasks, success or durations.",
            counted(totals.tasks, "task"),
            if totals.tasks == 1 { "is" } else { "are" },
            counted(totals.rows, "row"),
            match subs {
                1 => "1 row is".to_owned(),
                subs => format!("{} rows are", figures::thousands(subs.into())),
            },
            if report.has_costs() { "tokens and cost" } else { "tokens" },
        );
    }
    if (1..totals.prompt_tokens).contains(&totals.cache_known_tokens) {
        let share = figures::percent(totals.cache_known_tokens, totals.prompt_tokens);
        tokens += &format!(" Cached is of the rows that tell it ({share} of the prompt tokens).");
    }
    notes.push(tokens);
    notes.extend(cost_note(report));
    if report.commits.is_some() {
        notes.push(format!("Only the rows {}.", which(report)));
    }
    notes.extend(period_note(report));
    notes.extend(left_out_note(report));
    notes.extend(unseen_note(&report.unseen));
    notes.extend(corrected_note(report));
    notes.extend(marker_note(report));
    notes.extend(waiting_note(report));
    notes
}

fn success_note(report: &Report) -> String {
    let totals = &report.totals;
    let origins = [
        (Origin::Agent, "by the agent's own end of turn (*it finished*, not *it is right*)"),
        (Origin::ExitCode, "by an exit code"),
        (Origin::People, "by people"),
    ];
    let mut noun = "task";
    let mut parts = Vec::new();
    for (origin, words) in origins {
        let tasks = totals.origin(origin);
        if tasks > 0 {
            let tasks = if noun.is_empty() {
                figures::thousands(tasks.into())
            } else {
                counted(tasks, noun)
            };
            parts.push(format!("{tasks} {words}"));
            noun = "";
        }
    }
    let mut note = match parts.is_empty() {
        true => "No row is a task of its own.".to_owned(),
        false => format!("Success is what was recorded: {}.", parts.join(", ")),
    };
    let task_types = report.breakdowns.iter().find(|it| it.dimension == Dimension::TaskType);
    if task_types.is_some_and(has_interval) {
        note += " CI is the 95 % Wilson interval;";
        if report.windows.as_ref().is_some_and(|windows| {
            windows.is_shown && success_change(&windows.last, &windows.previous) != Cell::Empty
        }) {
            note += " `~` marks a change that chance alone explains;";
        }
        note += " below 20 tasks the count stands instead of a rate.";
    }
    note
}

/// What the costs are, and what is not in them.
fn cost_note(report: &Report) -> Option<String> {
    let totals = &report.totals;
    let models = report.unpriced_models();
    if !report.has_costs() {
        let names: Vec<String> = models.iter().map(|(name, _)| name_text(name)).collect();
        let names = (!names.is_empty()).then(|| listed(names, ", "))?;
        return Some(format!("No cost: no price is known for {names}."));
    }
    let day = report.prices_day.map(|day| day.to_string()).unwrap_or_default();
    let own = if report.has_own_prices { " and the repository's own" } else { "" };
    let mut note = format!(
        "\\* Cost is the list price in USD (prices of {day}{own}; a subscription bills differently)."
    );
    match totals.told_rows {
        0 => {}
        1 => note += " For 1 row it is what the row itself says.",
        rows => {
            let rows = figures::thousands(rows.into());
            note += &format!(" For {rows} rows it is what they say themselves.");
        }
    }
    let model = |(name, measures): &(&str, &Measures)| {
        let unpriced = &measures.unpriced;
        let tasks = match unpriced.tasks {
            0 => counted(unpriced.rows, "row"),
            tasks => counted(tasks, "task"),
        };
        let tokens = figures::thousands(unpriced.tokens);
        let share = share(unpriced.tokens, totals.total_tokens());
        format!("{}, {tasks}, {tokens} tokens ({share})", name_text(name))
    };
    if !models.is_empty() {
        let models = listed(models.iter().map(model).collect(), "; ");
        note += &format!(" No price: {models}: left out of cost and $/success.");
    }
    let named: u64 = report.unpriced_models().iter().map(|(_, it)| it.unpriced.rows).sum();
    match totals.unpriced.rows.saturating_sub(named) {
        0 => {}
        1 => note += " 1 row without tokens has no cost.",
        rows => {
            note +=
                &format!(" {} rows without tokens have no cost.", figures::thousands(rows.into()))
        }
    }
    Some(note)
}

/// The same for a terminal: `* list price, 2026-11-20; acme-coder-7b has none (3.3 % of tokens)`.
pub fn short_cost_note(report: &Report) -> Option<String> {
    let day = report.prices_day.filter(|_| report.has_costs())?;
    let own = if report.has_own_prices { " and the repository's own" } else { "" };
    let unpriced = short_unpriced(report).map(|it| format!("; none for {it}")).unwrap_or_default();
    Some(format!("* list price, {day}{own}{unpriced}"))
}

/// Which models have no price where others have: `acme-coder-7b (3.3 % of tokens)`.
pub fn short_unpriced(report: &Report) -> Option<String> {
    let models = report.unpriced_models();
    if models.is_empty() || !report.has_costs() {
        return None;
    }
    let share = share(report.totals.unpriced.tokens, report.totals.total_tokens());
    let names = models.iter().map(|(name, _)| name_text(name)).collect();
    Some(format!("{} ({share} of tokens)", listed(names, ", ")))
}

/// A share in tenths of a percent, where it is not nothing.
fn share(part: u128, whole: u128) -> String {
    match figures::divided(part.saturating_mul(1_000), whole) {
        0 if part > 0 => "<0.1 %".to_owned(),
        _ => figures::percent_tenths(part, whole),
    }
}

/// The first few, and how many more there are.
fn listed(mut words: Vec<String>, between: &str) -> String {
    let more = words.len().saturating_sub(MODELS_NAMED);
    words.truncate(MODELS_NAMED);
    match more {
        0 => words.join(between),
        more => format!("{}{between}and {more} more", words.join(between)),
    }
}

fn period_note(report: &Report) -> Option<String> {
    let shown =
        |dimension| report.breakdowns.iter().any(|it| it.dimension == dimension && it.is_shown);
    let mut parts = Vec::new();
    if report.totals.tasks >= PERCENTILE_TASKS_MIN {
        parts.push("p50 and p95 are of durations rounded to three digits.".to_owned());
    }
    let newest = report.span.map(|(_, newest)| newest);
    if let Some(newest) = newest.filter(|_| shown(Dimension::Week)) {
        parts.push("Weeks are ISO weeks; a row's day is that of its own offset.".to_owned());
        if report.period.is_some() {
            parts.push("Those at the ends are cut to the period.".to_owned());
        } else if newest.weekday() < 6 {
            let weekday = WEEKDAYS[usize::from(newest.weekday())];
            parts.push(format!(
                "{} ends with the newest row, {weekday} {}.",
                newest.iso_week(),
                day_month(newest)
            ));
        }
    } else if shown(Dimension::Day) || shown(Dimension::Month) {
        parts.push("A row's day is that of its own offset.".to_owned());
    }
    if report.breakdowns.iter().any(|it| it.is_shown && it.has_gaps) {
        parts.push("Empty periods are left out: there are thousands of them.".to_owned());
    }
    (!parts.is_empty()).then(|| parts.join(" "))
}

/// What was not counted, where anything was.
pub fn left_out_note(report: &Report) -> Option<String> {
    let left_out = &report.left_out;
    let mut parts = Vec::new();
    if left_out.unreadable > 0 {
        let rows = counted(left_out.unreadable, "unreadable row");
        parts.push(format!("{rows} ({})", places(left_out)));
    }
    if left_out.repeated > 0 {
        parts.push(counted(left_out.repeated, "repeated row"));
    }
    parts.extend(pruned(report));
    (!parts.is_empty()).then(|| format!("Left out: {}.", parts.join(", ")))
}

/// What is not in the ledger's folder any more, where anything is.
pub fn unseen_note(unseen: &Unseen) -> Option<String> {
    let (from, to) = unseen.span.filter(|_| unseen.segments > 0)?;
    let days = if from == to { format!("of {from}") } else { format!("from {from} to {to}") };
    Some(format!(
        "Not seen: {}{} {days}, in {} that went to an archive; `log-usage restore` puts them back.",
        if unseen.is_at_most { "up to " } else { "" },
        counted(unseen.rows, "row"),
        counted(unseen.segments, "segment"),
    ))
}

/// That rows count as they were corrected, where any were. Nothing to be mended, so no warning.
fn corrected_note(report: &Report) -> Option<String> {
    let earlier = Some(report.left_out.corrected).filter(|earlier| *earlier > 0)?;
    let earlier = counted(earlier, "earlier revision");
    Some(format!("Corrected rows count as they are now; {earlier} left out."))
}

/// The first lines that cannot be read, and how many more there are.
pub(super) fn places(left_out: &LeftOut) -> String {
    let named: Vec<String> = left_out.lines.iter().take(LINES_NAMED).map(place).collect();
    let more = match left_out.unreadable.saturating_sub(named.len() as u64) {
        0 => String::new(),
        more => format!("; and {} more: `usage-report verify`", figures::thousands(more.into())),
    };
    named.join("; ") + &more
}

/// The rows that were pruned and are there all the same, where there are any.
pub fn pruned(report: &Report) -> Option<String> {
    let rows = Some(report.left_out.pruned).filter(|rows| *rows > 0)?;
    let from = report.border.map(|border| format!(" from before {border}")).unwrap_or_default();
    Some(format!("{}{from}, pruned", counted(rows, "row")))
}

/// That a conflict was left in, where one was.
pub fn marker_note(report: &Report) -> Option<String> {
    let first = report.left_out.markers.first()?;
    Some(format!(
        "A merge conflict was left in the ledger ({}): the rows of both sides are counted.",
        code(&format!("{}:{}", first.file, first.line))
    ))
}

/// That rows are counted which no commit holds, where there are some.
pub fn waiting_note(report: &Report) -> Option<String> {
    let verb = if report.waiting == 1 { "waits" } else { "wait" };
    let rows = counted(report.waiting, "row");
    (report.waiting > 0).then(|| format!("{rows} {verb} for the next commit."))
}

fn place(line: &SkippedLine) -> String {
    code(&format!("{}:{} {}", line.file, line.line, line.reason))
}

/// A code span that shows the text as it is, on one line: its fence is one backtick longer than any
/// run inside.
pub fn code(text: &str) -> String {
    let text = printable(text);
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest + 1);
    let pad = if text.starts_with('`') || text.ends_with('`') { " " } else { "" };
    format!("{fence}{pad}{text}{pad}{fence}")
}

/// `28 Sep – 20 Nov 2026`.
pub fn span((from, to): (Day, Day)) -> String {
    let ((from_year, ..), (to_year, ..)) = (from.ymd(), to.ymd());
    match (from == to, from_year == to_year) {
        (true, _) => format!("{} {to_year}", day_month(to)),
        (_, true) => format!("{} – {} {to_year}", day_month(from), day_month(to)),
        _ => format!("{} {from_year} – {} {to_year}", day_month(from), day_month(to)),
    }
}

/// A name from the ledger. Most say nothing to Markdown; others stand in a code span, so that no
/// link, mention, emoji or emphasis comes of them.
pub fn name_text(name: &str) -> String {
    harmless(name, &|c| c.is_ascii_alphanumeric() || "._:/+-_…".contains(c))
}

/// Words from git's history, as harmless as a name.
pub fn title_text(title: &str) -> String {
    harmless(title, &|c| c.is_alphanumeric() || "._:/+-_ ,;'\"()!?=%–…".contains(c))
}

fn harmless(name: &str, is_bare: &dyn Fn(char) -> bool) -> String {
    let name = printable(name);
    // An underscore between letters is one; at the edge of a word it would begin emphasis.
    let inner = |(at, _): (usize, &str)| {
        let beside = [name[..at].chars().next_back(), name[at + 1..].chars().next()];
        beside.iter().all(|c| c.is_some_and(|c| c.is_ascii_alphanumeric()))
    };
    let is_plain = name.chars().all(is_bare)
        && !name.contains("//")
        && !name.contains("www.")
        && !has_issue(&name)
        && name.matches(':').count() < 2
        && name.match_indices('_').all(inner);
    match is_plain {
        true => name,
        false => code(&name),
    }
}

/// Whether it holds what hosts link to an issue without any sign: `GH-12`.
fn has_issue(name: &str) -> bool {
    let upper = name.to_ascii_uppercase();
    upper
        .match_indices("GH-")
        .any(|(at, word)| upper[at + word.len()..].starts_with(|c: char| c.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_acts_as_markup() {
        for (name, shown) in [
            ("claude-opus-5-5", "claude-opus-5-5"),
            ("bedrock/us.anthropic.claude-v1:0", "bedrock/us.anthropic.claude-v1:0"),
            ("x/@user", "`x/@user`"),
            ("claude[1m]", "`claude[1m]`"),
            ("x:100:", "`x:100:`"),
            ("https://x.y", "`https://x.y`"),
            ("a|b`c", "``a|b`c``"),
            ("a_b_c", "a_b_c"),
            ("a/_b_/c", "`a/_b_/c`"),
        ] {
            assert_eq!(name_text(name), shown);
        }
    }

    #[test]
    fn no_title_acts_as_markup() {
        for (title, shown) in [
            ("Dark mode for the settings page", "Dark mode for the settings page"),
            ("feat(ui): größer, \"faster\"!", "feat(ui): größer, \"faster\"!"),
            ("open: feature/x", "open: feature/x"),
            ("Fix #12", "`Fix #12`"),
            ("Fix gh-12", "`Fix gh-12`"),
            ("ask @user", "`ask @user`"),
            ("<b>x</b>", "`<b>x</b>`"),
            ("a | b", "`a | b`"),
            ("*x*", "`*x*`"),
            ("x\u{202E}y", "`x\u{FFFD}y`"),
        ] {
            assert_eq!(title_text(title), shown);
        }
    }
}
