//! Rows → sums by what they are to be shown by. Knows no files and no output.

use std::hash::{Hash, Hasher};

use hashbrown::HashMap;
use wildmatch::WildMatch;

use crate::notes::Tags;
use crate::report::measures::{Measures, Share};
use crate::row::{Row, TaskType};
use crate::timestamp::{Day, Instant};

/// What rows can be grouped by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Dimension {
    /// The calendar day of the row's own offset.
    Day,
    /// Its ISO week.
    Week,
    /// Its month.
    Month,
    /// Its hour.
    Hour,
    /// Its day of the week.
    Weekday,
    /// The model's name.
    Model,
    /// The task type.
    TaskType,
    /// Where the row came from.
    Source,
    /// The agent's session.
    Session,
    /// The user's pseudonym.
    User,
    /// The file of the ledger.
    File,
}

impl Dimension {
    /// Every dimension, with the word for it on the command line.
    pub const ALL: [(Dimension, &'static str); 11] = [
        (Dimension::Day, "day"),
        (Dimension::Week, "week"),
        (Dimension::Month, "month"),
        (Dimension::Hour, "hour"),
        (Dimension::Weekday, "weekday"),
        (Dimension::Model, "model"),
        (Dimension::TaskType, "task-type"),
        (Dimension::Source, "source"),
        (Dimension::Session, "session"),
        (Dimension::User, "user"),
        (Dimension::File, "file"),
    ];

    /// The dimension of that name.
    pub fn parse(name: &str) -> Option<Dimension> {
        Dimension::ALL.iter().find(|(_, it)| *it == name).map(|(dimension, _)| *dimension)
    }

    /// The word for it on the command line.
    pub fn name(self) -> &'static str {
        Dimension::ALL[self as usize].1
    }
}

/// One group's place in its dimension.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key {
    /// A day, a Monday, a month, an hour, a weekday or a task type, by number.
    Number(i64),
    /// A name.
    Text(Box<str>),
    /// Rows that lack it.
    None,
}

/// One end of a selection in time, itself included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bound {
    /// The row's own calendar day.
    Day(Day),
    /// A moment.
    Moment(Instant),
}

/// Which rows are asked for.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    /// From here on.
    pub since: Option<Bound>,
    /// Up to here.
    pub until: Option<Bound>,
    /// Models that match any of these; none means all.
    pub models: Vec<WildMatch>,
    /// Any of these task types; none means all.
    pub task_types: Vec<TaskType>,
}

impl Selection {
    fn takes(&self, row: &Row<'_>) -> bool {
        let after = |bound: Bound| match bound {
            Bound::Day(day) => row.at.day() >= day,
            Bound::Moment(moment) => row.at.instant() >= moment,
        };
        let before = |bound: Bound| match bound {
            Bound::Day(day) => row.at.day() <= day,
            Bound::Moment(moment) => row.at.instant() <= moment,
        };
        self.since.is_none_or(after)
            && self.until.is_none_or(before)
            && (self.models.is_empty() || self.models.iter().any(|it| it.matches(&row.model)))
            && (self.task_types.is_empty() || self.task_types.contains(&row.task_type))
    }
}

/// Everything that is counted of a ledger.
#[derive(Clone, Debug)]
pub struct Aggregate {
    selection: Selection,
    /// Selected rows by day; weeks, months and all totals are sums of days.
    pub days: Days,
    /// Selected rows by dimensions that days do not hold.
    pub groups: Vec<(Dimension, Groups)>,
    /// All rows, selected or not.
    pub rows: u64,
    /// First and last day of all rows.
    pub span: Option<(Day, Day)>,
}

impl Aggregate {
    /// Nothing counted yet. Models and task types are always counted, `by` besides.
    pub fn new(selection: Selection, by: &[Dimension]) -> Aggregate {
        let mut dimensions = vec![Dimension::Model, Dimension::TaskType];
        for dimension in by {
            let is_of_days = matches!(
                dimension,
                Dimension::Day | Dimension::Week | Dimension::Month | Dimension::Weekday
            );
            if !is_of_days && !dimensions.contains(dimension) {
                dimensions.push(*dimension);
            }
        }
        let groups = dimensions.into_iter().map(|dimension| (dimension, Groups::default()));
        let groups = groups.collect();
        Aggregate { selection, days: Days::default(), groups, rows: 0, span: None }
    }

    /// Counts one row of the file with that label.
    pub fn add(&mut self, row: &Row<'_>, file: &str) {
        let day = row.at.day();
        self.rows += 1;
        self.span = Some(self.span.map_or((day, day), |(from, to)| (from.min(day), to.max(day))));
        if !self.selection.takes(row) {
            return;
        }
        let tags = Tags::of(&row.notes);
        let share = Share::of(row, &tags);
        self.days.of(day).add(&share);
        for (dimension, groups) in &mut self.groups {
            let sum = match dimension {
                Dimension::Model => groups.named(Some(&row.model)),
                Dimension::Source => groups.named(tags.get("source")),
                Dimension::Session => groups.named(tags.get("session")),
                Dimension::User => groups.named(tags.get("user")),
                Dimension::File => groups.named(Some(file)),
                Dimension::Hour => groups.numbered(row.at.hour().into()),
                _ => groups.numbered(row.task_type as usize),
            };
            sum.add(&share);
        }
    }
}

/// Sums by name, or by a small number.
#[derive(Clone, Debug, Default)]
pub struct Groups {
    sums: Vec<(Key, Measures)>,
    names: HashMap<Key, usize>,
    /// Where each number's sums are, plus one.
    numbers: [usize; 24],
}

impl Groups {
    fn named(&mut self, name: Option<&str>) -> &mut Measures {
        let place = match self.names.get(&Name(name)) {
            Some(place) => *place,
            None => {
                let key = name.map_or(Key::None, |name| Key::Text(name.into()));
                self.names.insert(key.clone(), self.sums.len());
                self.sums.push((key, Measures::default()));
                self.sums.len() - 1
            }
        };
        &mut self.sums[place].1
    }

    fn numbered(&mut self, number: usize) -> &mut Measures {
        let place = &mut self.numbers[number % 24];
        if *place == 0 {
            self.sums.push((Key::Number(number as i64), Measures::default()));
            *place = self.sums.len();
        }
        &mut self.sums[*place - 1].1
    }

    /// Every group, in no order.
    pub fn iter(&self) -> impl Iterator<Item = &(Key, Measures)> {
        self.sums.iter()
    }
}

/// Sums by day. Rows of one day stand together, so the last day is at hand.
#[derive(Clone, Debug, Default)]
pub struct Days {
    sums: Vec<(Day, Measures)>,
    places: HashMap<Day, usize>,
    last: usize,
}

impl Days {
    fn of(&mut self, day: Day) -> &mut Measures {
        if self.sums.get(self.last).is_none_or(|(last, _)| *last != day) {
            self.last = *self.places.entry(day).or_insert(self.sums.len());
            if self.last == self.sums.len() {
                self.sums.push((day, Measures::default()));
            }
        }
        &mut self.sums[self.last].1
    }

    /// Every day with rows, in no order.
    pub fn iter(&self) -> impl Iterator<Item = (Day, &Measures)> {
        self.sums.iter().map(|(day, measures)| (*day, measures))
    }
}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        match self {
            Key::Number(number) => number.hash(state),
            Key::Text(text) => Name(Some(text)).hash(state),
            Key::None => Name(None).hash(state),
        }
    }
}

/// A name that is looked up without being made a key of its own.
#[derive(Hash)]
struct Name<'a>(Option<&'a str>);

impl hashbrown::Equivalent<Key> for Name<'_> {
    fn equivalent(&self, key: &Key) -> bool {
        match (self.0, key) {
            (Some(name), Key::Text(text)) => name == &**text,
            (None, Key::None) => true,
            _ => false,
        }
    }
}
