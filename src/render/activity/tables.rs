//! Activity → neutral tables. Which columns and lines there are is decided here once.

use crate::figures;
use crate::render::markdown;
use crate::render::tables::{Cell, PERCENTILE_TASKS_MIN, Table, WEEKDAYS, day_month, key_text};
use crate::report::activity::periods::Period;
use crate::report::activity::split::{Choice, Command, Name};
use crate::report::activity::tally::Outcomes;
use crate::report::activity::watch::Label;
use crate::report::activity::{Activity, Agent, Flow, Strategy, mean_active_tenths};
use crate::report::dimension::Dimension;
use crate::timestamp::Day;

/// People see so many days, weeks and months; programs all.
pub const DAYS_SHOWN: usize = 14;
/// A quarter of a year.
pub const WEEKS_SHOWN: usize = 13;
/// A year.
pub const MONTHS_SHOWN: usize = 12;

/// So many commands or agents say what there is to see.
pub const NAMES_SHOWN: usize = 10;

/// So many commands of each role.
const COMMANDS_OF_ROLE_SHOWN: usize = 5;

/// The longest role beside a command.
const BESIDE_CHARS_MAX: usize = 32;

/// Every table that says something; the first, the summary, has no heading.
pub fn tables(activity: &Activity) -> Vec<Table> {
    let periods = &activity.periods;
    let all = [
        Some(summary(activity)),
        (periods.weeks.len() > 1).then(|| of_periods(&periods.weeks, Dimension::Week)),
        (periods.months.len() > 1).then(|| of_periods(&periods.months, Dimension::Month)),
        Some(of_periods(&periods.days, Dimension::Day)),
        (activity.sessions.count > 0).then(|| sessions(activity)),
        (!activity.commands.is_empty()).then(|| commands(&activity.commands)),
        (!activity.commands_by_role.is_empty()).then(|| by_role(activity)),
        (!activity.roles.is_empty()).then(|| roles(activity)),
        (!activity.agents.is_empty()).then(|| agents(&activity.agents)),
        flows(activity),
        (!activity.strategies.is_empty()).then(|| strategies(&activity.strategies)),
        errors(&activity.strategies),
    ];
    all.into_iter().flatten().collect()
}

fn text(text: &str) -> Cell {
    Cell::Text(text.to_owned())
}

fn count(n: u64) -> Cell {
    Cell::Count(n.into())
}

fn duration(ms: Option<u64>) -> Cell {
    ms.map_or(Cell::Unknown, |ms| Cell::Duration(ms.into()))
}

/// A percentile of few is just one of them.
fn percentile(outcomes: &Outcomes, ms: Option<u64>) -> Cell {
    duration(ms.filter(|_| outcomes.durations.counted >= PERCENTILE_TASKS_MIN))
}

fn table(heading: &str, columns: &[&str], rows: Vec<Vec<Cell>>) -> Table {
    let columns = columns.iter().map(|name| (*name).to_owned()).collect();
    Table { heading: heading.to_owned(), columns, rows, ..Table::default() }
}

fn summary(activity: &Activity) -> Table {
    let periods = &activity.periods;
    let line = |name: &str, of: &[Period], newest: fn(i64) -> String| {
        let tenths = mean_active_tenths(of);
        let most = of.iter().map(|it| it.active).max().unwrap_or(0);
        vec![
            text(name),
            of.first().map_or(Cell::Empty, |it| Cell::Text(newest(it.number))),
            of.first().map_or(Cell::Unknown, |it| count(it.active)),
            Cell::Text(format!("{}.{}", figures::thousands((tenths / 10).into()), tenths % 10)),
            count(most),
        ]
    };
    let rows = vec![
        line("Daily (DAU)", &periods.days, |day| day_month(Day(day as i32))),
        line("Weekly (WAU)", &periods.weeks, |week| key_text(Dimension::Week, week)),
        line("Monthly (MAU)", &periods.months, |month| key_text(Dimension::Month, month)),
    ];
    let columns = ["Active identities", "Newest", "Active", "Mean", "Most"];
    Table { words: 1, ..table("Active identities", &columns, rows) }
}

fn of_periods(periods: &[Period], dimension: Dimension) -> Table {
    let (name, gloss, shown) = match dimension {
        Dimension::Week => ("Week", Some("Monday"), WEEKS_SHOWN),
        Dimension::Month => ("Month", None, MONTHS_SHOWN),
        _ => ("Day", Some(""), DAYS_SHOWN),
    };
    let mut columns = vec![name];
    columns.extend(gloss);
    columns.extend(["Active", "New", "Sessions", "Events", "Rows"]);
    let line = |it: &Period| {
        let mut cells = vec![Cell::Text(key_text(dimension, it.number))];
        let day = Day(it.number as i32);
        cells.extend(gloss.map(|_| match dimension {
            Dimension::Week => Cell::Text(day_month(day)),
            _ => text(WEEKDAYS[usize::from(day.weekday())]),
        }));
        cells.extend([it.active, it.new, it.sessions, it.counts.events, it.counts.rows].map(count));
        cells
    };
    let rows = periods.iter().take(shown).map(line).collect();
    table(&format!("By {}", name.to_lowercase()), &columns, rows)
}

fn sessions(activity: &Activity) -> Table {
    let lengths = activity.sessions.lengths;
    let percentile =
        |ms: Option<u64>| duration(ms.filter(|_| lengths.counted >= PERCENTILE_TASKS_MIN));
    let row = vec![
        count(activity.sessions.count),
        duration(lengths.mean),
        percentile(lengths.p50),
        percentile(lengths.p95),
        duration(lengths.max),
    ];
    let mut table = table("Sessions", &["Sessions", "Mean", "p50", "p95", "Max"], vec![row]);
    // Nothing here is a word, but the first column is always on the left.
    table.words = 0;
    table
}

fn name(name: &Name) -> Cell {
    match name {
        Name::Known(name) => Cell::Name(name.to_string()),
        Name::None => text("(none)"),
        Name::Others(1) => text("1 other"),
        Name::Others(names) => {
            Cell::Text(format!("{} others", figures::thousands(u128::from(*names))))
        }
    }
}

fn label(label: &Label) -> Cell {
    label.as_deref().map_or_else(|| text("(none)"), |name| Cell::Name(name.to_owned()))
}

/// A name beside another: only the widest column gives way by itself.
fn narrow(cell: Cell) -> Cell {
    let name: Vec<char> = match &cell {
        Cell::Name(name) => name.chars().collect(),
        _ => return cell,
    };
    if name.len() > BESIDE_CHARS_MAX {
        return Cell::Name(markdown::shortened(&name, BESIDE_CHARS_MAX));
    }
    cell
}

fn run_cells(runs: &Outcomes) -> Vec<Cell> {
    vec![
        count(runs.count),
        Cell::Success(runs.successes, runs.known),
        percentile(runs, runs.durations.p50),
    ]
}

/// How many more there are than are shown.
fn more(names: usize, cells: usize) -> Option<Vec<Cell>> {
    (names > 0).then(|| {
        let mut row = vec![name(&Name::Others(names as u64))];
        row.resize(cells, Cell::Unknown);
        row
    })
}

fn commands(commands: &[Command]) -> Table {
    let line = |it: &Command| {
        let mut cells = vec![name(&it.name)];
        cells.extend(run_cells(&it.runs.unwrap_or_default()));
        cells
    };
    let mut rows: Vec<Vec<Cell>> = commands.iter().take(NAMES_SHOWN).map(line).collect();
    rows.extend(more(commands.len().saturating_sub(NAMES_SHOWN), 4));
    table("Commands", &["Command", "Runs", "Success", "p50"], rows)
}

/// What stands where too few are meant.
fn too_few(activity: &Activity) -> Cell {
    Cell::Text(format!("fewer than {}", activity.identities_min))
}

fn by_role(activity: &Activity) -> Table {
    let mut rows = Vec::new();
    for commands in activity.commands_by_role.chunk_by(|a, b| a.role == b.role) {
        let role = |it: &Command| narrow(name(it.role.as_ref().unwrap_or(&Name::None)));
        let (folded, bare): (Vec<&Command>, Vec<&Command>) =
            commands.iter().partition(|it| matches!(it.name, Name::Others(_)));
        let shown = bare.iter().take(COMMANDS_OF_ROLE_SHOWN);
        for it in shown.chain(&folded) {
            let mut cells = vec![role(it), name(&it.name)];
            match &it.runs {
                Some(runs) => cells.extend(run_cells(runs)),
                None if it.is_of_few => {
                    cells.extend([too_few(activity), Cell::Unknown, Cell::Unknown]);
                }
                None => cells.extend([text("not shown"), Cell::Unknown, Cell::Unknown]),
            }
            rows.push(cells);
        }
    }
    let columns = ["Role", "Command", "Runs", "Success", "p50"];
    Table { words: 1, ..table("Commands by role", &columns, rows) }
}

fn roles(activity: &Activity) -> Table {
    let line = |it: &Choice| {
        let mut cells = vec![name(&it.name)];
        match &it.chosen {
            None => {
                cells.push(too_few(activity));
                cells.resize(4, Cell::Unknown);
            }
            Some(chosen) => cells.extend([
                count(chosen.times),
                Cell::Share(chosen.times.into(), chosen.all.into()),
                count(chosen.identities),
            ]),
        }
        cells
    };
    let rows = activity.roles.iter().map(line).collect();
    table("Roles", &["Role", "Chosen", "Share", "Identities"], rows)
}

fn agents(agents: &[Agent]) -> Table {
    let has_rows = agents.iter().any(|it| it.rows > 0);
    let mut columns = vec!["Agent", "Invoked", "Completed", "Failed", "Success", "p50", "p95"];
    columns.extend(has_rows.then_some("Rows"));
    let line = |it: &Agent| {
        let mut cells = vec![label(&it.name)];
        cells.extend(flow_cells(&it.flow));
        cells.extend(has_rows.then(|| count(it.rows)));
        cells
    };
    let mut rows: Vec<Vec<Cell>> = agents.iter().take(NAMES_SHOWN).map(line).collect();
    rows.extend(more(agents.len().saturating_sub(NAMES_SHOWN), columns.len()));
    table("Agents", &columns, rows)
}

fn flow_cells(flow: &Flow) -> Vec<Cell> {
    let ends = &flow.ends;
    vec![
        count(flow.begun),
        count(flow.completed),
        count(flow.failed),
        Cell::Success(ends.successes, ends.known),
        percentile(ends, ends.durations.p50),
        percentile(ends, ends.durations.p95),
    ]
}

fn flows(activity: &Activity) -> Option<Table> {
    let flows = [("Hand-offs", &activity.handoffs), ("Workflows", &activity.workflows)];
    let line = |(name, flow): (&str, &Flow)| {
        let mut cells = vec![text(name)];
        cells.extend(flow_cells(flow));
        cells
    };
    let rows: Vec<Vec<Cell>> =
        flows.into_iter().filter(|(_, flow)| !flow.is_none()).map(line).collect();
    let columns = ["", "Begun", "Completed", "Failed", "Success", "p50", "p95"];
    (!rows.is_empty()).then(|| table("Hand-offs and workflows", &columns, rows))
}

fn strategies(strategies: &[Strategy]) -> Table {
    let has =
        |figure: fn(&Strategy) -> Option<u64>| strategies.iter().any(|it| figure(it).is_some());
    let (has_confidence, has_attempts) = (has(|it| it.confidence), has(|it| it.attempts));
    let has_memory = has(|it| it.memory);
    let mut columns = vec!["Strategy", "Operations", "Success", "p50", "p95"];
    columns.extend(has_confidence.then_some("Confidence"));
    columns.extend(has_attempts.then_some("Attempts"));
    columns.extend(if has_memory { &["Memory", "Most"][..] } else { &[] });
    let line = |it: &Strategy| {
        let outcomes = &it.outcomes;
        let mut cells = vec![label(&it.name), count(outcomes.count)];
        cells.push(Cell::Success(outcomes.successes, outcomes.known));
        cells.push(percentile(outcomes, outcomes.durations.p50));
        cells.push(percentile(outcomes, outcomes.durations.p95));
        let figure = |figure: Option<u64>, words: fn(u64) -> String| {
            figure.map_or(Cell::Unknown, |figure| Cell::Text(words(figure)))
        };
        let hundredths = |n: u128| format!("{}.{:02}", figures::thousands(n / 100), n % 100);
        let confidence = it.confidence.map(|it| hundredths(figures::divided(it.into(), 10_000)));
        let attempts = it.attempts.map(|it| hundredths(figures::divided(it.into(), 10)));
        let words = |words: Option<String>| words.map_or(Cell::Unknown, Cell::Text);
        cells.extend(has_confidence.then(|| words(confidence)));
        cells.extend(has_attempts.then(|| words(attempts)));
        if has_memory {
            cells.push(figure(it.memory, figures::bytes));
            cells.push(figure(it.memory_max, figures::bytes));
        }
        cells
    };
    let mut rows: Vec<Vec<Cell>> = strategies.iter().take(NAMES_SHOWN).map(line).collect();
    rows.extend(more(strategies.len().saturating_sub(NAMES_SHOWN), columns.len()));
    table("Operations by strategy", &columns, rows)
}

fn errors(strategies: &[Strategy]) -> Option<Table> {
    let rows = strategies.iter().take(NAMES_SHOWN).flat_map(|it| {
        let line = |(kind, errors): &(Box<str>, u64)| {
            vec![narrow(label(&it.name)), Cell::Name(kind.to_string()), count(*errors)]
        };
        it.errors.iter().take(NAMES_SHOWN).map(line).collect::<Vec<_>>()
    });
    let rows: Vec<Vec<Cell>> = rows.collect();
    let columns = ["Strategy", "Error", "Times"];
    (!rows.is_empty()).then(|| Table { words: 1, ..table("Errors of operations", &columns, rows) })
}
