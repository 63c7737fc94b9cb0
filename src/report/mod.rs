//! Sums → what is to be said about them: which tables, in which order, with which lines. Plain
//! values; does no I/O and cannot fail.

pub mod left_out;
pub mod histogram;
pub mod interval;
pub mod dimension;
pub mod selection;
pub mod period;
pub mod activity;
pub mod measures;
pub mod groups;
pub mod days;
pub mod origins;
pub mod aggregate;
pub mod cells;
pub mod series;
pub mod anomaly;
pub mod alert;
pub mod counter;
pub mod summary;
pub mod compare;
pub mod advice;
pub mod glance;

use std::cmp::Reverse;
use std::sync::Arc;

use crate::pricing;
use crate::report::advice::Advice;
use crate::report::advice::facts::Means;
use crate::report::aggregate::Aggregate;
use crate::report::days::WEEKS_SHOWN;
use crate::report::dimension::{Dimension, Key};
use crate::report::left_out::LeftOut;
use crate::report::measures::Measures;
use crate::report::origins::{Origin, Origins, State};
use crate::report::period::Period;
use crate::timestamp::Day;

/// Empty periods are shown, so that a gap is seen; but a stray row of another century must not
/// bring a table of a million lines with it.
const PERIODS_FILLED_MAX: i64 = 4_000;

/// Rows of the ledger that are in an archive outside it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Unseen {
    /// How many segments were moved there.
    pub segments: u64,
    /// How many rows these hold.
    pub rows: u64,
    /// Whether some of these may be seen all the same, or are pruned.
    pub is_at_most: bool,
    /// Their first and last day.
    pub span: Option<(Day, Day)>,
}

impl Unseen {
    /// One segment more.
    pub fn add(&mut self, rows: u64, (from, to): (Day, Day), is_at_most: bool) {
        self.segments += 1;
        self.rows = self.rows.saturating_add(rows);
        self.is_at_most |= is_at_most;
        self.span = Some(self.span.map_or((from, to), |(a, b)| (a.min(from), b.max(to))));
    }
}

/// The commits whose rows are reported on, as typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commits {
    /// Which have the rows; None for the branch around us.
    pub of: Option<String>,
    /// Which lacks them: none, one, or the last commit that two have in common.
    pub lacking: Vec<String>,
}

/// What the user asked for, as far as the report must know it.
#[derive(Clone, Debug, Default)]
pub struct Ask {
    /// Groupings asked for, in order.
    pub by: Vec<Dimension>,
    /// The options that select rows, as typed.
    pub selection: Vec<String>,
    /// How many of the rows wait for a commit.
    pub waiting: u64,
    /// Which commits' rows, where not the work tree's.
    pub commits: Option<Commits>,
    /// What git knows of rows, where they are grouped by that.
    pub origins: Option<Arc<Origins>>,
    /// The day before which rows are pruned, where that is one day for all ledgers.
    pub border: Option<Day>,
    /// Whether a repository has prices of its own.
    pub has_own_prices: bool,
    /// What was moved out of the ledger, as far as it may be asked for.
    pub unseen: Unseen,
    /// The period whose report it is, where it is one's.
    pub period: Option<Period>,
    /// What advice may be drawn from, where that is asked for.
    pub advice: Option<Means>,
}

/// One line of a table.
#[derive(Clone, Debug)]
pub struct Group {
    /// What it is about.
    pub key: Key,
    /// Its sums.
    pub measures: Measures,
    /// What git knows of its rows, where they are grouped by that.
    pub origin: Option<Origin>,
}

/// One table.
#[derive(Clone, Debug)]
pub struct Breakdown {
    /// What it groups by.
    pub dimension: Dimension,
    /// Its lines, in the order in which they are shown.
    pub groups: Vec<Group>,
    /// All weeks before those shown.
    pub earlier: Option<Measures>,
    /// Whether empty periods were left out, for there are too many of them.
    pub has_gaps: bool,
    /// Whether it is shown to people, or only to programs.
    pub is_shown: bool,
}

/// The seven days to the newest row beside the seven before: equal lengths, and no clock.
#[derive(Clone, Debug)]
pub struct Windows {
    /// The day of the newest row.
    pub newest: Day,
    /// The seven days that end with it.
    pub last: Measures,
    /// The seven days before.
    pub previous: Measures,
    /// Whether a comparison says something: some rows are older than seven days.
    pub is_shown: bool,
}

/// Everything that a report says.
#[derive(Clone, Debug)]
pub struct Report {
    /// Groupings that were asked for: they stand first.
    pub by: Vec<Dimension>,
    /// All selected rows.
    pub totals: Measures,
    /// First and last day of the selected rows.
    pub span: Option<(Day, Day)>,
    /// The last seven days and the seven before.
    pub windows: Option<Windows>,
    /// The tables, in order.
    pub breakdowns: Vec<Breakdown>,
    /// What was left out.
    pub left_out: LeftOut,
    /// All rows of the ledger, selected or not.
    pub ledger_rows: u64,
    /// Their first and last day.
    pub ledger_span: Option<(Day, Day)>,
    /// The options that select rows, as typed.
    pub selection: Vec<String>,
    /// How many rows wait for a commit, selected or not.
    pub waiting: u64,
    /// Which commits' rows, where not the work tree's.
    pub commits: Option<Commits>,
    /// The branch that others are merged into, where rows are grouped by what git knows.
    pub default_branch: Option<String>,
    /// The day before which rows are pruned, where that is one day for all ledgers.
    pub border: Option<Day>,
    /// The day of the list prices.
    pub prices_day: Option<Day>,
    /// Whether a repository has prices of its own.
    pub has_own_prices: bool,
    /// What was moved out of the ledger, as far as it may be asked for.
    pub unseen: Unseen,
    /// The period whose report it is, where it is one's.
    pub period: Option<Period>,
    /// What could be done better, where that is asked for.
    pub advice: Option<Vec<Advice>>,
}

impl Report {
    /// Whether any row has a price: else nothing is said of cost.
    pub fn has_costs(&self) -> bool {
        self.totals.unpriced.rows < self.totals.rows
    }

    /// The models with tokens that have no price, those with the most first.
    pub fn unpriced_models(&self) -> Vec<(&str, &Measures)> {
        let models = self.breakdowns.iter().find(|it| it.dimension == Dimension::Model);
        let groups = models.map(|it| it.groups.as_slice()).unwrap_or_default();
        let named = groups.iter().filter_map(|group| match &group.key {
            Key::Text(name) if group.measures.unpriced.tokens > 0 => {
                Some((&**name, &group.measures))
            }
            _ => None,
        });
        let mut named: Vec<(&str, &Measures)> = named.collect();
        named.sort_by_key(|(_, measures)| Reverse(measures.unpriced.tokens));
        named
    }
}

/// Makes the report.
pub fn build(aggregate: &Aggregate, left_out: LeftOut, ask: &Ask) -> Report {
    let days = || aggregate.days.iter().map(|(day, _)| day);
    let span = days().min().zip(days().max());
    let period = ask.period.as_ref().map(|it| (it.from, it.to));
    let shown = span.and(period.or(span));
    let mut breakdowns: Vec<Breakdown> =
        ask.by.iter().map(|dimension| breakdown(aggregate, *dimension, shown)).collect();
    if let Some(origins) = &ask.origins {
        breakdowns.iter_mut().for_each(|it| of_git(it, origins, aggregate.span));
    }
    for dimension in [Dimension::Week, Dimension::Model, Dimension::TaskType] {
        if !ask.by.contains(&dimension) {
            breakdowns.push(match dimension {
                Dimension::Week => newest_weeks(aggregate, span),
                _ => breakdown(aggregate, dimension, span),
            });
        }
    }
    Report {
        by: ask.by.clone(),
        windows: span.map(|span| windows(aggregate, span)),
        totals: aggregate.totals(),
        span,
        breakdowns,
        left_out,
        ledger_rows: aggregate.rows,
        ledger_span: aggregate.span,
        selection: ask.selection.clone(),
        waiting: ask.waiting,
        commits: ask.commits.clone(),
        default_branch: ask.origins.as_ref().and_then(|it| it.default.clone()),
        border: ask.border,
        prices_day: pricing::day(),
        has_own_prices: ask.has_own_prices,
        unseen: ask.unseen,
        period: ask.period.clone(),
        advice: ask.advice.as_ref().map(|means| advice::of(&aggregate.cells, means)),
    }
}

fn windows(aggregate: &Aggregate, (oldest, newest): (Day, Day)) -> Windows {
    let sum = |from: i32, to: i32| {
        let mut sum = Measures::default();
        let within = aggregate.days.iter().filter(|(day, _)| (from..=to).contains(&day.0));
        within.for_each(|(_, measures)| sum.merge(measures));
        sum
    };
    Windows {
        newest,
        last: sum(newest.0 - 6, newest.0),
        previous: sum(newest.0 - 13, newest.0 - 7),
        is_shown: oldest.0 < newest.0 - 6,
    }
}

fn breakdown(aggregate: &Aggregate, dimension: Dimension, span: Option<(Day, Day)>) -> Breakdown {
    let groups = match dimension {
        Dimension::Day => of_days(aggregate, span, |day| i64::from(day.0), 1),
        Dimension::Week => of_days(aggregate, span, |day| i64::from(day.monday().0), 7),
        Dimension::Month => of_days(aggregate, span, |day| i64::from(day.month()), 1),
        Dimension::Weekday => {
            let mut groups = of_days(aggregate, None, |day| i64::from(day.weekday()), 1);
            groups.reverse();
            groups
        }
        _ => of_groups(aggregate, dimension),
    };
    let has_gaps = match (groups.first(), groups.last()) {
        (
            Some(Group { key: Key::Number(newest), .. }),
            Some(Group { key: Key::Number(oldest), .. }),
        ) => {
            let step = if dimension == Dimension::Week { 7 } else { 1 };
            newest - oldest >= groups.len() as i64 * step
        }
        _ => false,
    };
    let is_period = matches!(dimension, Dimension::Day | Dimension::Week | Dimension::Month);
    Breakdown { dimension, groups, earlier: None, has_gaps: has_gaps && is_period, is_shown: true }
}

/// Sums of days, newest first, with the empty periods of the span between them.
fn of_days(
    aggregate: &Aggregate,
    span: Option<(Day, Day)>,
    period: fn(Day) -> i64,
    step: i64,
) -> Vec<Group> {
    let mut sums = std::collections::BTreeMap::<i64, Measures>::new();
    if let Some((from, to)) = span.map(|(from, to)| (period(from), period(to)))
        && (to - from) / step <= PERIODS_FILLED_MAX
    {
        for number in (from..=to).step_by(step as usize) {
            sums.insert(number, Measures::default());
        }
    }
    for (day, measures) in aggregate.days.iter() {
        sums.entry(period(day)).or_default().merge(measures);
    }
    let group = |(number, measures)| Group { key: Key::Number(number), measures, origin: None };
    sums.into_iter().rev().map(group).collect()
}

/// Enums and hours in their own order; names by cost, then by tokens, then by name.
fn of_groups(aggregate: &Aggregate, dimension: Dimension) -> Vec<Group> {
    let group = |(key, measures): (&Key, &Measures)| {
        let (key, measures) = (key.clone(), measures.clone());
        Group { key, measures, origin: None }
    };
    let mut groups: Vec<Group> = aggregate.of(dimension).map(group).collect();
    groups.sort_by(|a, b| {
        let size = |group: &Group| match group.key {
            Key::Number(_) => (0, 0),
            _ => (group.measures.cost_micros, group.measures.total_tokens()),
        };
        size(b).cmp(&size(a)).then_with(|| a.key.cmp(&b.key))
    });
    groups
}

/// Says what git knows of each group, and puts them in order: commits as git log does; others by
/// what became of them, then by cost, tokens and name as they stand.
fn of_git(breakdown: &mut Breakdown, origins: &Origins, span: Option<(Day, Day)>) {
    let Some(brought) = origins.of(breakdown.dimension) else { return };
    let newest = span.map(|(_, newest)| newest);
    let mut placed: Vec<(u32, Group)> = Vec::new();
    for mut group in std::mem::take(&mut breakdown.groups) {
        let found = match &group.key {
            Key::Text(key) => brought.find(key),
            _ => None,
        };
        group.origin = found.map(|(origin, _)| origin.clone().as_of(newest));
        placed.push((found.map_or(0, |(_, place)| place), group));
    }
    placed.sort_by_key(|(place, group)| {
        let state = group.origin.as_ref().map_or(State::NotCommitted, |it| it.state);
        let is_commit = breakdown.dimension == Dimension::Commit;
        (state, Reverse(if is_commit { *place } else { 0 }))
    });
    breakdown.groups = placed.into_iter().map(|(_, group)| group).collect();
}

/// The default report's weeks: the newest eight, empty ones too, and the older ones as one line;
/// none where a single week would repeat the summary.
fn newest_weeks(aggregate: &Aggregate, span: Option<(Day, Day)>) -> Breakdown {
    let mut breakdown = Breakdown {
        dimension: Dimension::Week,
        groups: Vec::new(),
        earlier: None,
        has_gaps: false,
        is_shown: false,
    };
    let Some((oldest, newest)) = span.map(|(from, to)| (from.monday().0, to.monday().0)) else {
        return breakdown;
    };
    let border = newest - 7 * (WEEKS_SHOWN - 1);
    let mut earlier = Measures::default();
    let empty = |monday| {
        let (key, measures) = (Key::Number(monday), Measures::default());
        Group { key, measures, origin: None }
    };
    let weeks = (0..=(newest - border.max(oldest)) / 7).map(|age| i64::from(newest - 7 * age));
    breakdown.groups = weeks.map(empty).collect();
    for (day, measures) in aggregate.days.iter() {
        let age = (newest - day.monday().0) / 7;
        match breakdown.groups.get_mut(age as usize) {
            Some(week) => week.measures.merge(measures),
            None => earlier.merge(measures),
        }
    }
    if oldest < border {
        earlier.durations.merge(aggregate.days.earlier_durations());
        breakdown.earlier = Some(earlier);
    }
    breakdown.is_shown = breakdown.groups.len() > 1;
    breakdown
}
