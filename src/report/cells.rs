//! Sums by day, model and task type together, as rows pass.

use std::mem;

use crate::report::aggregate::Cell;
use crate::report::histogram::Histogram;
use crate::report::measures::{Measures, Tally};
use crate::row::TaskType;
use crate::timestamp::Day;

/// Below so many nothing is put together: a year of a few models has no more.
const CELLS_MIN: usize = 4_096;

/// Where only the newest days are wanted, the cells of so many days with rows are kept. Anomalies are
/// looked for in less than two quarters of them and measured by two months more; whether the newest
/// rows stand alone is told by a year.
const DAYS_MAX: usize = 400;

/// What is counted of rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Wanted {
    /// Days, and groups by each dimension: what a report shows.
    #[default]
    Groups,
    /// Cells, the sums by day, model and task type together.
    Cells,
    /// Those of the newest days, of 400 at least: what is looked through for
    /// anomalies.
    NewestCells,
    /// Both.
    Both,
}

impl Wanted {
    /// Whether cells are.
    pub const fn has_cells(self) -> bool {
        !matches!(self, Wanted::Groups)
    }

    /// Whether days and groups are.
    pub const fn has_groups(self) -> bool {
        matches!(self, Wanted::Groups | Wanted::Both)
    }
}

/// A cell whose model is a number.
#[derive(Debug)]
struct Numbered {
    day: Day,
    model: u32,
    task_type: TaskType,
    measures: Measures,
}

impl Numbered {
    fn key(&self) -> (Day, u32, TaskType) {
        (self.day, self.model, self.task_type)
    }
}

/// Cells. In a ledger in time order each comes once, so none is looked for: those that come again
/// are put together when there are twice as many as the last time.
#[derive(Debug, Default)]
pub(crate) struct Cells {
    cells: Vec<Numbered>,
    /// How many there were the last time.
    distinct: usize,
    /// Whether only the newest days are wanted.
    is_of_newest: bool,
    /// Cells of days before this one were forgotten.
    from: Option<Day>,
}

impl Cells {
    /// None yet.
    pub(crate) fn new(wanted: Wanted) -> Cells {
        Cells { is_of_newest: wanted == Wanted::NewestCells, ..Cells::default() }
    }

    /// Adds rows of a cell.
    pub(crate) fn add(
        &mut self,
        (day, model, task_type): (Day, u32, TaskType),
        tally: &Tally,
        durations: Histogram,
    ) {
        let mut measures = Measures { durations, ..Measures::default() };
        measures.add_tally(tally);
        self.cells.push(Numbered { day, model, task_type, measures });
        if self.cells.len() >= 2 * self.distinct.max(CELLS_MIN) {
            self.put_together();
            self.forget();
            self.distinct = self.cells.len();
        }
    }

    /// Forgets the days that are too old, of cells in order.
    fn forget(&mut self) {
        if !self.is_of_newest {
            return;
        }
        let days = self.cells.chunk_by(|one, other| one.day == other.day).rev();
        let Some(oldest) = days.map(|cells| cells[0].day).nth(DAYS_MAX - 1) else { return };
        self.from = self.from.max(Some(oldest));
        let forgotten = self.cells.partition_point(|cell| cell.day < oldest);
        self.cells.drain(..forgotten);
    }

    fn put_together(&mut self) {
        self.cells.sort_by_key(Numbered::key);
        self.cells.dedup_by(|next, first| {
            let is_same = next.key() == first.key();
            if is_same {
                first.measures.merge_sums(&next.measures);
                first.measures.durations.absorb(mem::take(&mut next.measures.durations));
            }
            is_same
        });
    }

    /// All cells, in no order, of models with these names, and from which day on all are there; some
    /// come more than once.
    pub(crate) fn finish(self, names: &[Box<str>]) -> (Vec<Cell>, Option<Day>) {
        let named = |Numbered { day, model, task_type, measures }| {
            let model = names[model as usize].clone();
            Cell { day, model, task_type, measures }
        };
        let from = self.from;
        (self.cells.into_iter().map(named).collect(), from)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;
    use crate::report::histogram::Bucket;

    fn durations(day: Day) -> Histogram {
        let mut durations = Histogram::default();
        durations.add(Bucket::of(day.0 as u64), day.0 as u64);
        durations
    }

    /// Days come again and again, and out of order.
    #[test]
    fn the_newest_days_are_whole_and_others_are_told_to_be_missing() {
        for wanted in [Wanted::Cells, Wanted::NewestCells] {
            let mut cells = Cells::new(wanted);
            let mut all = BTreeMap::<Day, u64>::new();
            for number in 0..150_000u64 {
                let day = Day((number * 7_919 % 3_001) as i32 * 600 / 3_001);
                cells.add(
                    (day, (number % 2) as u32, TaskType::Plan),
                    &Tally::default(),
                    durations(day),
                );
                *all.entry(day).or_default() += 1;
            }
            let (cells, from) = cells.finish(&["a".into(), "b".into()]);
            assert_eq!(from.is_some(), wanted == Wanted::NewestCells);
            let mut found = BTreeMap::<Day, u64>::new();
            for cell in cells.iter().filter(|cell| Some(cell.day) >= from) {
                let count: u64 = cell.measures.durations.in_order().map(|(_, times)| times).sum();
                *found.entry(cell.day).or_default() += count;
            }
            all.retain(|day, _| Some(*day) >= from);
            assert_eq!(found, all);
            assert!(all.len() >= DAYS_MAX, "{}", all.len());
            let models: BTreeSet<&str> = cells.iter().map(|cell| &*cell.model).collect();
            assert_eq!(models, BTreeSet::from(["a", "b"]));
        }
    }
}
