//! The sums of all rows, by what they are to be shown by.

use crate::report::days::Days;
use crate::report::dimension::{Dimension, Key};
use crate::report::groups::Groups;
use crate::report::measures::Measures;
use crate::timestamp::Day;

/// Everything that was counted.
#[derive(Clone, Debug, Default)]
pub struct Aggregate {
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
    /// Adds what was counted of other rows for the same question.
    pub fn merge(&mut self, other: &Aggregate) {
        self.days.merge(&other.days);
        for (dimension, groups) in &other.groups {
            match self.groups.iter_mut().find(|(it, _)| it == dimension) {
                Some((_, mine)) => mine.merge(groups),
                None => self.groups.push((*dimension, groups.clone())),
            }
        }
        self.rows += other.rows;
        self.span = match (self.span, other.span) {
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
