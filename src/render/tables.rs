//! Report → neutral tables, from which Markdown and the terminal view are drawn. Which columns and
//! lines there are is decided here once.

use crate::figures;
use crate::report::dimension::{Dimension, Key};
use crate::report::interval::{may_be_chance, wilson};
use crate::report::measures::Measures;
use crate::report::{Breakdown, Group, Report};
use crate::row::TaskType;
use crate::timestamp::Day;

/// Below this many tasks a rate says more than is known; the count stands instead.
pub const RATE_TASKS_MIN: u64 = 20;

/// Below this many tasks a percentile is just one of them.
pub const PERCENTILE_TASKS_MIN: u64 = 5;

/// What rows are called that no commit has.
pub const NOT_COMMITTED: &str = "not committed";

/// What the column of costs is called; a note says what they are.
const COST: &str = "Cost *";

/// So much of a commit's hash is shown: what hosting sites show, and turn into a link.
const HASH_SHOWN: usize = 7;

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// The days of the week, from Monday.
pub const WEEKDAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

/// One cell, not yet text: Markdown shows counts exactly, a terminal compactly.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cell {
    /// Words of our own.
    Text(String),
    /// A name from the ledger, to be made harmless.
    Name(String),
    /// Words from git's history, to be made harmless too.
    Title(String),
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
    /// Millionths of a dollar.
    Money(u128),
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
    /// The columns' names.
    pub columns: Vec<String>,
    /// Which column holds the longest words; up to it, columns are left-aligned.
    pub words: usize,
    /// Its lines.
    pub rows: Vec<Vec<Cell>>,
    /// The sums of all lines, where there are several.
    pub all: Option<Vec<Cell>>,
    /// For each line, how long its bar is; empty where bars say nothing.
    pub bars: Vec<u128>,
    /// What the bars are of, where that is no column.
    pub bars_of: &'static str,
    /// What must be known to read it.
    pub note: Option<String>,
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
    let figures: [(&str, Figure); 8] = [
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
        (COST, (cost, |now, before| change_of_some(now.cost(), before.cost()))),
        (
            "Cost per success",
            (cost_per_success, |now, before| {
                change_of_some(now.cost_per_success(), before.cost_per_success())
            }),
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
        if name.starts_with('…') && totals.cache_known_tokens == 0
            || name.starts_with("Cost") && !report.has_costs()
        {
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
    of_kind(report, breakdown, &Kind::of(report, breakdown, false))
}

/// The same where each column counts.
pub fn compact(report: &Report, breakdown: &Breakdown) -> Table {
    of_kind(report, breakdown, &Kind::of(report, breakdown, true))
}

fn of_kind(report: &Report, breakdown: &Breakdown, kind: &Kind) -> Table {
    let line = |key: Vec<Cell>, measures: &Measures| {
        key.into_iter().chain(kind.cells(measures)).collect::<Vec<Cell>>()
    };
    let mut rows: Vec<Vec<Cell>> =
        breakdown.groups.iter().map(|group| line(kind.key(group), &group.measures)).collect();
    let size = |measures: &Measures| match kind.has_cost {
        true => measures.cost_micros,
        false => measures.total_tokens(),
    };
    let mut bars: Vec<u128> = breakdown.groups.iter().map(|group| size(&group.measures)).collect();
    if let Some(earlier) = &breakdown.earlier {
        rows.push(line(kind.label("earlier"), earlier));
        bars.push(0);
    }
    let all = (rows.len() > 1).then(|| line(kind.label("all"), &report.totals));
    Table {
        heading: format!("By {}", noun(breakdown.dimension)),
        columns: kind.columns(),
        words: usize::from(kind.is_told()),
        rows,
        all,
        bars: if kind.is_period() { bars } else { Vec::new() },
        bars_of: if kind.has_cost { "" } else { "tokens" },
        note: None,
    }
}

/// Whether a line of the table has enough tasks for an interval to say something.
pub fn has_interval(breakdown: &Breakdown) -> bool {
    breakdown.groups.iter().any(|group| group.measures.tasks >= RATE_TASKS_MIN)
}

/// Which columns a table has.
struct Kind {
    dimension: Dimension,
    has_cached: bool,
    has_interval: bool,
    has_cost: bool,
    /// What all rows cost.
    cost_micros: u128,
    is_compact: bool,
}

impl Kind {
    fn of(report: &Report, breakdown: &Breakdown, is_compact: bool) -> Kind {
        Kind {
            dimension: breakdown.dimension,
            has_cached: report.totals.cache_known_tokens > 0,
            has_interval: has_interval(breakdown),
            has_cost: report.has_costs(),
            cost_micros: report.totals.cost_micros,
            is_compact,
        }
    }

    /// Whether a share of the prompt tokens is shown.
    fn shows_cached(&self) -> bool {
        self.has_cached
            && (self.dimension == Dimension::Model || self.is_compact && self.is_period())
    }

    /// The name of the column of completion tokens.
    fn completion(&self) -> String {
        if self.is_compact { "Written" } else { "Completion" }.to_owned()
    }

    /// Whether a share of the cost is shown.
    fn shows_share(&self) -> bool {
        self.has_cost && self.dimension == Dimension::Model
    }

    /// Whether what a success cost is shown.
    fn shows_cost_per_success(&self) -> bool {
        self.has_cost && !(self.is_compact && self.is_period())
    }

    fn is_period(&self) -> bool {
        matches!(self.dimension, Dimension::Day | Dimension::Week | Dimension::Month)
    }

    /// Whether a key is told in words besides.
    fn is_told(&self) -> bool {
        matches!(self.dimension, Dimension::Commit | Dimension::Pr)
    }

    /// The second column that says a key in other words.
    fn gloss(&self) -> Option<&'static str> {
        match self.dimension {
            Dimension::Day => Some(""),
            Dimension::Week if self.is_compact => None,
            Dimension::Week => Some("Monday"),
            Dimension::Commit => Some("Subject"),
            Dimension::Pr => Some("Title"),
            _ => None,
        }
    }

    fn columns(&self) -> Vec<String> {
        let first = match self.dimension {
            Dimension::TaskType => "Task type".to_owned(),
            Dimension::Pr => "PR".to_owned(),
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
            _ if self.is_told() => columns.extend(["Tokens", "Time"].map(str::to_owned)),
            _ => {
                columns.push("Prompt".to_owned());
                columns.extend(self.shows_cached().then(|| "Cached".to_owned()));
                columns.push(self.completion());
                columns.extend((self.dimension != Dimension::Model).then(|| "p50".to_owned()));
            }
        }
        columns.extend(self.has_cost.then(|| COST.to_owned()));
        columns.extend(self.shows_share().then(|| "Share".to_owned()));
        columns.extend(self.shows_cost_per_success().then(|| "$/success".to_owned()));
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
            _ if self.is_told() => {
                cells.push(Cell::Count(measures.total_tokens()));
                cells.push(Cell::Duration(measures.duration_ms));
            }
            _ => {
                cells.push(prompt);
                cells.extend(self.shows_cached().then(|| cached(measures)));
                cells.push(completion);
                let p50 = || percentile(measures, 50);
                cells.extend((self.dimension != Dimension::Model).then(p50));
            }
        }
        cells.extend(self.has_cost.then(|| cost(measures)));
        cells.extend(self.shows_share().then(|| match measures.cost() {
            Some(micros) => Cell::Share(micros, self.cost_micros),
            None => Cell::Unknown,
        }));
        cells.extend(self.shows_cost_per_success().then(|| cost_per_success(measures)));
        cells
    }

    fn key(&self, group: &Group) -> Vec<Cell> {
        let text = |text: &str| vec![Cell::Text(text.to_owned())];
        if self.dimension.is_of_git() {
            let id = group.origin.as_ref().and_then(|origin| origin.id.as_deref());
            let id = match (id, self.dimension) {
                (None, _) => Cell::Unknown,
                (Some(hash), Dimension::Commit) => {
                    Cell::Text(hash.get(..HASH_SHOWN).unwrap_or(hash).to_owned())
                }
                (Some(number), _) => Cell::Text(number.to_owned()),
            };
            let label = match &group.origin {
                Some(origin) => Cell::Title(origin.label()),
                None => Cell::Text(NOT_COMMITTED.to_owned()),
            };
            return if self.is_told() { vec![id, label] } else { vec![label] };
        }
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
            (Key::None, _) => text("(none)"),
        }
    }

    fn label(&self, label: &str) -> Vec<Cell> {
        let mut cells = vec![Cell::Text(label.to_owned())];
        cells.extend(self.gloss().map(|_| Cell::Empty));
        cells
    }
}

/// The word for what groups are by, in a title.
pub fn noun(dimension: Dimension) -> String {
    match dimension {
        Dimension::Pr => "pull request".to_owned(),
        dimension => dimension.name().replace('-', " "),
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

fn cached(measures: &Measures) -> Cell {
    match measures.cache_known_tokens {
        0 => Cell::Unknown,
        known => Cell::Share(measures.cached_tokens, known),
    }
}

/// What the rows cost, those without a price left out.
pub(super) fn cost(measures: &Measures) -> Cell {
    measures.cost().map_or(Cell::Unknown, Cell::Money)
}

fn cost_per_success(measures: &Measures) -> Cell {
    measures.cost_per_success().map_or(Cell::Unknown, Cell::Money)
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

/// The change of what may not be known.
fn change_of_some(now: Option<u128>, before: Option<u128>) -> Cell {
    now.zip(before).map_or(Cell::Empty, |(now, before)| change(now, before))
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
pub fn success_change(now: &Measures, before: &Measures) -> Cell {
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

/// `20 Nov`.
pub fn day_month(day: Day) -> String {
    let (_, month, day) = day.ymd();
    format!("{day} {}", MONTHS[month as usize - 1])
}

fn capitalised(word: &str) -> String {
    let (first, rest) = word.split_at(1);
    first.to_uppercase() + rest
}
