//! Report → neutral tables and sentences, from which Markdown and the terminal view are drawn. What
//! is said, in which order, is decided here once.

use crate::figures;
use crate::report::aggregate::{Dimension, Key};
use crate::report::interval::{may_be_chance, wilson};
use crate::report::measures::{Measures, Origin};
use crate::report::{Breakdown, Group, Report, SkippedLine};
use crate::row::TaskType;
use crate::timestamp::Day;

/// Below this many tasks a rate says more than is known; the count stands instead.
pub const RATE_TASKS_MIN: u64 = 20;

/// Below this many tasks a percentile is just one of them.
const PERCENTILE_TASKS_MIN: u64 = 5;

/// How many skipped lines a note names.
const LINES_NAMED: usize = 3;

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

const WEEKDAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

/// One cell, not yet text: Markdown shows counts exactly, a terminal compactly.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cell {
    /// Words of our own.
    Text(String),
    /// A name from the ledger, to be made harmless.
    Name(String),
    /// A whole number.
    Count(u128),
    /// How many of how many succeeded, as a rate where there are enough.
    Success(u64, u64),
    /// The same with both: `641 (90.9 %)`.
    SuccessInFull(u64, u64),
    /// The 95 % interval of a rate.
    Interval(u64, u64),
    /// A part of a whole, in percent.
    Share(u128, u128),
    /// Milliseconds.
    Duration(u128),
    /// Not known.
    Unknown,
    /// Nothing to say.
    Empty,
}

/// One table.
#[derive(Clone, Debug, Default)]
pub struct Table {
    /// Its heading.
    pub heading: String,
    /// The columns' names; the first is left-aligned, the others right.
    pub columns: Vec<String>,
    /// Its lines.
    pub rows: Vec<Vec<Cell>>,
    /// The sums of all lines, where there are several.
    pub all: Option<Vec<Cell>>,
    /// For each line, how long its bar is, in tokens; empty where bars say nothing.
    pub bars: Vec<u128>,
}

/// `Usage report`, or `Usage report by week`.
pub fn title(report: &Report) -> String {
    match report.by.as_slice() {
        [] => "Usage report".to_owned(),
        by => {
            let names: Vec<String> = by.iter().map(|it| it.name().replace('-', " ")).collect();
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
    let span = report.span.map(span).unwrap_or_default();
    format!("{tasks} · {success} · {tokens} tokens · {span}")
}

/// What is said where no row was selected.
pub fn nothing(report: &Report) -> String {
    let rows = match report.ledger_rows {
        0 => return "No rows yet.".to_owned(),
        1 => "1 row".to_owned(),
        rows => format!("{} rows", figures::thousands(rows.into())),
    };
    let when = match report.ledger_span {
        Some((from, to)) if from == to => format!(" of {from}"),
        Some((from, to)) => format!(" from {from} to {to}"),
        None => String::new(),
    };
    let selection = report.selection.join(" ");
    format!("No rows match. The ledger holds {rows}{when}; {selection} leaves none.")
}

/// The totals, beside the last seven days and the seven before where that says something.
pub fn summary(report: &Report) -> Table {
    let totals = &report.totals;
    let windows = report.windows.as_ref().filter(|windows| windows.is_shown);
    let mut columns = vec![String::new(), "All".to_owned()];
    if let Some(windows) = windows {
        columns.push(format!("7 days to {}", day_month(windows.newest)));
        columns.push("7 days before".to_owned());
        columns.push("Change".to_owned());
    }
    type Figure = (fn(&Measures) -> Cell, fn(&Measures, &Measures) -> Cell);
    let figures: [(&str, Figure); 6] = [
        (
            "Tasks",
            (
                |it| Cell::Count(it.tasks.into()),
                |now, before| change(now.tasks.into(), before.tasks.into()),
            ),
        ),
        ("Succeeded", (|it| Cell::SuccessInFull(it.successes, it.tasks), success_change)),
        (
            "Prompt tokens",
            (
                |it| Cell::Count(it.prompt_tokens),
                |now, before| change(now.prompt_tokens, before.prompt_tokens),
            ),
        ),
        ("… of it from cache", (cached, |_, _| Cell::Empty)),
        (
            "Completion tokens",
            (
                |it| Cell::Count(it.completion_tokens),
                |now, before| change(now.completion_tokens, before.completion_tokens),
            ),
        ),
        (
            "Time worked",
            (
                |it| Cell::Duration(it.duration_ms),
                |now, before| change(now.duration_ms, before.duration_ms),
            ),
        ),
    ];
    let mut rows = Vec::new();
    for (name, (figure, difference)) in figures {
        if name.starts_with('…') && totals.cache_known_tokens == 0 {
            continue;
        }
        let mut row = vec![Cell::Text(name.to_owned()), figure(totals)];
        if let Some(windows) = windows {
            row.push(figure(&windows.last));
            row.push(figure(&windows.previous));
            row.push(difference(&windows.last, &windows.previous));
        }
        rows.push(row);
    }
    Table { heading: "Summary".to_owned(), columns, rows, ..Table::default() }
}

/// One table of the report.
pub fn table(report: &Report, breakdown: &Breakdown) -> Table {
    let kind = Kind::of(report, breakdown);
    let line = |key: Vec<Cell>, measures: &Measures| {
        key.into_iter().chain(kind.cells(measures)).collect::<Vec<Cell>>()
    };
    let mut rows: Vec<Vec<Cell>> =
        breakdown.groups.iter().map(|group| line(kind.key(group), &group.measures)).collect();
    let mut bars: Vec<u128> =
        breakdown.groups.iter().map(|group| group.measures.total_tokens()).collect();
    if let Some(earlier) = &breakdown.earlier {
        rows.push(line(kind.label("earlier"), earlier));
        bars.push(0);
    }
    let all = (rows.len() > 1).then(|| line(kind.label("all"), &report.totals));
    Table {
        heading: format!("By {}", breakdown.dimension.name().replace('-', " ")),
        columns: kind.columns(),
        rows,
        all,
        bars: if kind.is_period() { bars } else { Vec::new() },
    }
}

/// Which columns a table has.
struct Kind {
    dimension: Dimension,
    has_cached: bool,
    has_interval: bool,
}

impl Kind {
    fn of(report: &Report, breakdown: &Breakdown) -> Kind {
        let tasks = |group: &Group| group.measures.tasks;
        Kind {
            dimension: breakdown.dimension,
            has_cached: report.totals.cache_known_tokens > 0,
            has_interval: breakdown.groups.iter().map(tasks).max() >= Some(RATE_TASKS_MIN),
        }
    }

    fn is_period(&self) -> bool {
        matches!(self.dimension, Dimension::Day | Dimension::Week | Dimension::Month)
    }

    /// The second column that says a key in other words.
    fn gloss(&self) -> Option<&'static str> {
        match self.dimension {
            Dimension::Day => Some(""),
            Dimension::Week => Some("Monday"),
            _ => None,
        }
    }

    fn columns(&self) -> Vec<String> {
        let first = match self.dimension {
            Dimension::TaskType => "Task type".to_owned(),
            dimension => capitalised(dimension.name()),
        };
        let mut columns = vec![first];
        columns.extend(self.gloss().map(str::to_owned));
        columns.extend(["Tasks", "Success"].map(str::to_owned));
        match self.dimension {
            Dimension::TaskType => {
                columns.extend(self.has_interval.then(|| "95 % CI".to_owned()));
                columns.extend(["Mean", "p50", "p95", "Max"].map(str::to_owned));
            }
            Dimension::Model => {
                columns.push("Prompt".to_owned());
                columns.extend(self.has_cached.then(|| "Cached".to_owned()));
                columns.push("Completion".to_owned());
            }
            _ => columns.extend(["Prompt", "Completion", "p50"].map(str::to_owned)),
        }
        columns
    }

    fn cells(&self, measures: &Measures) -> Vec<Cell> {
        let success = Cell::Success(measures.successes, measures.tasks);
        let mut cells = vec![Cell::Count(measures.tasks.into()), success];
        let (prompt, completion) =
            (Cell::Count(measures.prompt_tokens), Cell::Count(measures.completion_tokens));
        match self.dimension {
            Dimension::TaskType => {
                let interval = match measures.tasks < RATE_TASKS_MIN {
                    true => Cell::Unknown,
                    false => Cell::Interval(measures.successes, measures.tasks),
                };
                cells.extend(self.has_interval.then_some(interval));
                cells.push(mean(measures));
                cells.extend([percentile(measures, 50), percentile(measures, 95)]);
                let max = measures.durations.max();
                cells.push(max.map_or(Cell::Unknown, |ms| Cell::Duration(ms.into())));
            }
            Dimension::Model => {
                cells.push(prompt);
                cells.extend(self.has_cached.then(|| cached(measures)));
                cells.push(completion);
            }
            _ => cells.extend([prompt, completion, percentile(measures, 50)]),
        }
        cells
    }

    fn key(&self, group: &Group) -> Vec<Cell> {
        let text = |text: &str| vec![Cell::Text(text.to_owned())];
        match (&group.key, self.dimension) {
            (Key::Number(number), dimension) => {
                let mut cells = text(&key_text(dimension, *number));
                let day = Day(*number as i32);
                cells.extend(self.gloss().map(|_| match dimension {
                    Dimension::Week => Cell::Text(day_month(day)),
                    _ => Cell::Text(WEEKDAYS[usize::from(day.weekday())].to_owned()),
                }));
                cells
            }
            (Key::Text(name), _) => vec![Cell::Name(name.to_string())],
            (Key::None, _) => text("none"),
        }
    }

    fn label(&self, label: &str) -> Vec<Cell> {
        let mut cells = vec![Cell::Text(label.to_owned())];
        cells.extend(self.gloss().map(|_| Cell::Empty));
        cells
    }
}

/// The word for a numbered key: `2026-W09`, `2026-02`, `execute`, `Mon`, `09:00`.
pub fn key_text(dimension: Dimension, number: i64) -> String {
    match dimension {
        Dimension::Day => Day(number as i32).to_string(),
        Dimension::Week => Day(number as i32).iso_week(),
        Dimension::Month => {
            format!("{:04}-{:02}", number.div_euclid(12), number.rem_euclid(12) + 1)
        }
        Dimension::Hour => format!("{number:02}:00"),
        Dimension::Weekday => WEEKDAYS[number.rem_euclid(7) as usize].to_owned(),
        _ => TaskType::ALL[number.rem_euclid(5) as usize].name().to_owned(),
    }
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
            " {} are {}: {} of sub-agents, in tokens but not in tasks, success or durations.",
            counted(totals.tasks, "task"),
            counted(totals.rows, "row"),
            match subs {
                1 => "1 row is".to_owned(),
                subs => format!("{} rows are", figures::thousands(subs.into())),
            },
        );
    }
    notes.push(tokens);
    notes.extend(period_note(report));
    notes.extend(left_out_note(report));
    notes.extend(marker_note(report));
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
    if task_types.is_some_and(|breakdown| Kind::of(report, breakdown).has_interval) {
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
        if newest.weekday() < 6 {
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
    (!parts.is_empty()).then(|| parts.join(" "))
}

/// What was not counted, where anything was.
pub fn left_out_note(report: &Report) -> Option<String> {
    let left_out = &report.left_out;
    let mut parts = Vec::new();
    if left_out.unreadable > 0 {
        let named: Vec<String> = left_out.lines.iter().take(LINES_NAMED).map(place).collect();
        let more = left_out.unreadable - named.len() as u64;
        let more = match more {
            0 => String::new(),
            more => {
                format!("; and {} more: `usage-report verify`", figures::thousands(more.into()))
            }
        };
        let rows = counted(left_out.unreadable, "unreadable row");
        parts.push(format!("{rows} ({}{more})", named.join("; ")));
    }
    if left_out.repeated > 0 {
        parts.push(counted(left_out.repeated, "repeated row"));
    }
    (!parts.is_empty()).then(|| format!("Left out: {}.", parts.join(", ")))
}

fn marker_note(report: &Report) -> Option<String> {
    let first = report.left_out.markers.first()?;
    Some(format!(
        "A merge conflict was left in the ledger ({}): the rows of both sides are counted.",
        code(&format!("{}:{}", first.file, first.line))
    ))
}

fn place(line: &SkippedLine) -> String {
    code(&format!("{}:{} {}", line.file, line.line, line.reason))
}

/// A code span that shows the text as it is: its fence is one backtick longer than any run inside.
pub fn code(text: &str) -> String {
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest + 1);
    let pad = if text.starts_with('`') || text.ends_with('`') { " " } else { "" };
    format!("{fence}{pad}{text}{pad}{fence}")
}

fn cached(measures: &Measures) -> Cell {
    match measures.cache_known_tokens {
        0 => Cell::Unknown,
        known => Cell::Share(measures.cached_tokens, known),
    }
}

fn mean(measures: &Measures) -> Cell {
    match measures.tasks {
        0 => Cell::Unknown,
        tasks => Cell::Duration(figures::divided(measures.duration_ms, tasks.into())),
    }
}

fn percentile(measures: &Measures, q: u64) -> Cell {
    let percentile = measures.durations.percentile(q);
    let said = percentile.filter(|_| measures.tasks >= PERCENTILE_TASKS_MIN);
    said.map_or(Cell::Unknown, |ms| Cell::Duration(ms.into()))
}

/// `-26 %`; nothing where there was nothing before.
fn change(now: u128, before: u128) -> Cell {
    if before == 0 {
        return Cell::Empty;
    }
    let percent = figures::divided(now.abs_diff(before).saturating_mul(100), before);
    let sign = match percent {
        0 => "",
        _ if now < before => "-",
        _ => "+",
    };
    Cell::Text(format!("{sign}{} %", figures::thousands(percent)))
}

/// `-5.0 pt`, with `~` where chance alone explains it; nothing where a rate says too much.
fn success_change(now: &Measures, before: &Measures) -> Cell {
    if now.tasks < RATE_TASKS_MIN || before.tasks < RATE_TASKS_MIN {
        return Cell::Empty;
    }
    let rate = |it: &Measures| figures::divided(u128::from(it.successes) * 1_000, it.tasks.into());
    let (rate_now, rate_before) = (rate(now), rate(before));
    let tenths = rate_now.abs_diff(rate_before);
    let sign = match tenths {
        0 => "",
        _ if rate_now < rate_before => "-",
        _ => "+",
    };
    let chance = may_be_chance((now.successes, now.tasks), (before.successes, before.tasks));
    let mark = if chance { " ~" } else { "" };
    Cell::Text(format!("{sign}{}.{} pt{mark}", tenths / 10, tenths % 10))
}

/// The 95 % interval of a rate in whole percent: `85–98 %`.
pub fn interval(part: u64, whole: u64) -> String {
    let (low, high) = wilson(part, whole);
    let percent = |rate: f64| (rate * 100.0 + 0.5).floor() as u64;
    format!("{}–{} %", percent(low), percent(high))
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

fn day_month(day: Day) -> String {
    let (_, month, day) = day.ymd();
    format!("{day} {}", MONTHS[month as usize - 1])
}

fn counted(n: u64, noun: &str) -> String {
    format!("{} {noun}{}", figures::thousands(n.into()), if n == 1 { "" } else { "s" })
}

fn capitalised(word: &str) -> String {
    let (first, rest) = word.split_at(1);
    first.to_uppercase() + rest
}
