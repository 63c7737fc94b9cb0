//! The sums of all rows, by what they are to be shown by.

use serde::{Deserialize, Serialize};

use crate::report::activity::seen::Seen;
use crate::report::days::Days;
use crate::report::dimension::{Dimension, Key};
use crate::report::groups::Groups;
use crate::report::measures::{Measures, Share};
use crate::row::TaskType;
use crate::timestamp::Day;

/// The sums of one day, model and task type.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cell {
    /// The day.
    pub day: Day,
    /// The model's name.
    pub model: Box<str>,
    /// The task type.
    pub task_type: TaskType,
    /// Its rows.
    pub measures: Measures,
}

/// Rows of certain moments, together.
#[derive(Clone, Debug, Default)]
pub struct Limited {
    /// Their sums.
    pub measures: Measures,
    /// Their first and last day.
    pub days: Option<(Day, Day)>,
}

impl Limited {
    /// Adds a row of a day.
    pub fn add(&mut self, day: Day, share: &Share) {
        self.measures.add(share);
        self.days = Some(self.days.map_or((day, day), |(a, b)| (a.min(day), b.max(day))));
    }

    /// Adds those of another part.
    pub fn merge(&mut self, other: &Limited) {
        self.measures.merge(&other.measures);
        self.days = match (self.days, other.days) {
            (Some((a, b)), Some((c, d))) => Some((a.min(c), b.max(d))),
            (mine, theirs) => mine.or(theirs),
        };
    }
}

/// Everything that was counted.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Aggregate {
    /// Selected rows by day; weeks, months and all totals are sums of days.
    pub days: Days,
    /// Selected rows by dimensions that days do not hold.
    pub groups: Vec<(Dimension, Groups)>,
    /// All rows, selected or not.
    pub rows: u64,
    /// First and last day of all rows.
    pub span: Option<(Day, Day)>,
    /// Selected rows by day, model and task type together, where that is asked for; in no order, and
    /// some more than once.
    pub cells: Vec<Cell>,
    /// From which day on all cells are there; None where all are.
    pub cells_from: Option<Day>,
    /// Rows of the moments that were asked for besides; it is not kept.
    #[serde(skip)]
    pub limited: Option<Limited>,
    /// Who was active, where that is asked for; it is not kept.
    #[serde(skip)]
    pub seen: Option<Seen>,
}

impl Aggregate {
    /// Nothing counted yet, by these dimensions besides days, models and task types.
    pub fn new(by: &[Dimension]) -> Aggregate {
        let mut groups: Vec<(Dimension, Groups)> = Vec::new();
        for dimension in by.iter().chain(&[Dimension::Model, Dimension::TaskType]) {
            if !dimension.is_of_days() && groups.iter().all(|(it, _)| it != dimension) {
                groups.push((*dimension, Groups::default()));
            }
        }
        let days = Days::new(by.iter().any(|dimension| dimension.is_of_days()));
        Aggregate {
            days,
            groups,
            rows: 0,
            span: None,
            cells: Vec::new(),
            cells_from: None,
            limited: None,
            seen: None,
        }
    }

    /// Adds what was counted of other rows for the same question.
    pub fn merge(&mut self, other: Aggregate) {
        self.days.merge(&other.days);
        for (dimension, groups) in other.groups {
            match self.groups.iter_mut().find(|(it, _)| *it == dimension) {
                Some((_, mine)) => mine.merge(&groups),
                None => self.groups.push((dimension, groups)),
            }
        }
        self.cells.extend(other.cells);
        self.cells_from = self.cells_from.max(other.cells_from);
        match (&mut self.limited, other.limited) {
            (Some(mine), Some(theirs)) => mine.merge(&theirs),
            (mine @ None, theirs) => *mine = theirs,
            (_, None) => {}
        }
        match (&mut self.seen, other.seen) {
            (Some(mine), Some(theirs)) => mine.merge(&theirs),
            (mine @ None, theirs) => *mine = theirs,
            (_, None) => {}
        }
        self.add_rows(other.rows, other.span);
    }

    /// Adds rows of these days, selected or not.
    pub fn add_rows(&mut self, rows: u64, span: Option<(Day, Day)>) {
        self.rows += rows;
        self.span = match (self.span, span) {
            (Some((a, b)), Some((c, d))) => Some((a.min(c), b.max(d))),
            (mine, theirs) => mine.or(theirs),
        };
    }

    /// The groups of a dimension that days do not hold, in no order.
    pub fn of(&self, dimension: Dimension) -> impl Iterator<Item = (&Key, &Measures)> {
        let found = self.groups.iter().filter(move |(it, _)| *it == dimension);
        found.flat_map(|(_, groups)| groups.iter())
    }

    /// All selected rows.
    pub fn totals(&self) -> Measures {
        let mut totals = Measures::default();
        self.days.iter().for_each(|(_, measures)| totals.merge(measures));
        totals.durations.merge(self.days.earlier_durations());
        totals
    }
}
