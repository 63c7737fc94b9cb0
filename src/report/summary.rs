//! The sums of a file that does not change any more, from which most questions can be answered
//! without reading it again.

use serde::{Deserialize, Serialize};

use crate::report::aggregate::{Aggregate, Cell};
use crate::report::cells::Wanted;
use crate::report::dimension::{Dimension, Key};
use crate::report::selection::{Bound, Selection};
use crate::timestamp::{Day, Instant};

/// What a file's rows are by day, model and task type.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Summary {
    /// All its distinct rows.
    pub rows: u64,
    /// Their first and last day.
    pub span: Option<(Day, Day)>,
    /// How many others repeat one of them.
    pub repeated: u64,
    /// How many others are earlier revisions of one of them.
    pub corrected: u64,
    /// Their sums.
    pub cells: Vec<Cell>,
}

/// How much of a file a question is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// As much as its days, models and task types say.
    ByCells,
    /// No row.
    Nothing,
    /// What only reading it tells.
    Unknown,
}

/// How much of a file with rows from `oldest` to `newest` is asked for.
pub fn extent(selection: &Selection, (oldest, newest): (Instant, Instant)) -> Extent {
    let since = match selection.since {
        Some(Bound::Moment(since)) if newest < since => return Extent::Nothing,
        Some(Bound::Moment(since)) => since <= oldest,
        _ => true,
    };
    let until = match selection.until {
        Some(Bound::Moment(until)) if until < oldest => return Extent::Nothing,
        Some(Bound::Moment(until)) => newest <= until,
        _ => true,
    };
    if since && until { Extent::ByCells } else { Extent::Unknown }
}

/// Whether groups by these dimensions can be made of sums by day, model and task type of each file.
pub fn is_made_of_cells(by: &[Dimension]) -> bool {
    by.iter().all(|dimension| dimension.is_of_cells() || *dimension == Dimension::File)
}

impl Summary {
    /// The same without the rows from before a day, and how many these are. Which rows repeat one of
    /// them is not known: so the day must not come between rows of a file that has some.
    pub fn since(mut self, border: Day) -> (Summary, u64) {
        match self.span {
            Some((first, last)) if first < border => {
                let all = self.rows + self.repeated + self.corrected;
                self.cells.retain(|cell| cell.day >= border);
                self.rows = self.cells.iter().map(|cell| cell.measures.rows).sum();
                let first = self.cells.iter().map(|cell| cell.day).min();
                self.span = first.map(|first| (first, last));
                if first.is_none() {
                    (self.repeated, self.corrected) = (0, 0);
                }
                let pruned = all - self.rows - self.repeated - self.corrected;
                (self, pruned)
            }
            _ => (self, 0),
        }
    }

    /// Adds what is selected to the sums, as groups, cells or both; `file` is what the
    /// file is called.
    pub fn add_to(
        &self,
        sums: &mut Aggregate,
        (selection, wanted): (&Selection, Wanted),
        extent: Extent,
        file: &str,
    ) {
        sums.add_rows(self.rows, self.span);
        let takes_day = |day: Day| {
            let after = |bound| !matches!(bound, Bound::Day(since) if day < since);
            let before = |bound| !matches!(bound, Bound::Day(until) if day > until);
            selection.since.is_none_or(after) && selection.until.is_none_or(before)
        };
        for Cell { day, model, task_type, measures } in &self.cells {
            let is_selected = extent != Extent::Nothing
                && takes_day(*day)
                && selection.takes_model(model)
                && selection.takes_task_type(*task_type);
            if !is_selected {
                continue;
            }
            if wanted.has_cells() {
                let (day, model, task_type) = (*day, model.clone(), *task_type);
                sums.cells.push(Cell { day, model, task_type, measures: measures.clone() });
            }
            if !wanted.has_groups() {
                sums.days.of(*day);
                continue;
            }
            sums.days.add(*day, measures);
            for (dimension, groups) in &mut sums.groups {
                let place = match dimension {
                    Dimension::Model => groups.of_name(Some(model)),
                    Dimension::TaskType => groups.of_key(Key::Number(*task_type as i64)),
                    Dimension::File => groups.of_name(Some(file)),
                    _ => continue,
                };
                groups.at(place).merge(measures);
            }
        }
    }
}
