//! The newest rows, where they stand alone: of a clock that was wrong, or of work begun anew. The
//! ledger alone does not tell which until more rows come.

use crate::report::aggregate::Cell;
use crate::report::alert::judge::{Days, SILENT_DAYS_MAX};
use crate::timestamp::Day;

/// What is usual is told by a year.
const USUAL_DAYS: i32 = 366;

/// More days with rows are work, and so are as many rows as a usual day has.
const ALONE_DAYS_MAX: usize = 2;

/// A pause is unusual that is so many times as long as the longest.
const PAUSE_TIMES: i32 = 2;

/// At any moment it is tomorrow already somewhere on earth; no clock that is right shows more.
const AHEAD_DAYS: i32 = 1;

/// Rows of the newest days.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Newest {
    /// How many.
    pub rows: u64,
    /// Their first and last day.
    pub days: Days,
    /// The newest day of all others.
    pub before: Day,
}

/// Rows by day.
fn by_day(cells: &[Cell]) -> Vec<(Day, u64)> {
    let mut days: Vec<(Day, u64)> = cells
        .iter()
        .map(|cell| (cell.day, cell.measures.rows))
        .filter(|(_, rows)| *rows > 0)
        .collect();
    days.sort_unstable();
    days.dedup_by(|next, first| {
        let is_same = next.0 == first.0;
        first.1 += if is_same { next.1 } else { 0 };
        is_same
    });
    days
}

/// The newest rows, where they are few and a pause is before them that is unlike those of the year
/// before.
pub fn alone(cells: &[Cell]) -> Option<Newest> {
    let days = by_day(cells);
    let mut found = None;
    for at in (1..days.len()).rev().take(ALONE_DAYS_MAX) {
        let (before, own) = days.split_at(at);
        let (last, first) = (before[at - 1].0, own[0].0);
        let known: Vec<(Day, u64)> =
            before.iter().copied().filter(|(day, _)| last.0 - day.0 < USUAL_DAYS).collect();
        let longest = known.windows(2).map(|it| it[1].0.0 - it[0].0.0 - 1).max().unwrap_or(0);
        let pause = first.0 - last.0 - 1;
        let mut usual: Vec<u64> = known.iter().map(|(_, rows)| *rows).collect();
        usual.sort_unstable();
        let rows = own.iter().map(|(_, rows)| rows).sum();
        let is_few = rows < usual[usual.len() / 2];
        if is_few && pause > SILENT_DAYS_MAX && pause > longest * PAUSE_TIMES {
            found = Some(Newest { rows, days: (first, own[own.len() - 1].0), before: last });
        }
    }
    found
}

/// The rows of days that have not come yet where the reader's clock says `today`. Where most are, it
/// is that clock which is wrong.
pub fn ahead(cells: &[Cell], today: Day) -> Option<Newest> {
    let days = by_day(cells);
    let has_come = days.partition_point(|(day, _)| day.0 <= today.0.saturating_add(AHEAD_DAYS));
    let (before, own) = days.split_at(has_come);
    let sum = |days: &[(Day, u64)]| days.iter().map(|(_, rows)| rows).sum::<u64>();
    let ((last, _), (from, _), (to, _)) = (before.last()?, own.first()?, own.last()?);
    let rows = sum(own);
    (rows <= sum(before)).then_some(Newest { rows, days: (*from, *to), before: *last })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::measures::Measures;
    use crate::row::TaskType;

    fn cells(days: &[(i32, u64)]) -> Vec<Cell> {
        let cell = |(day, rows): &(i32, u64)| Cell {
            day: Day(*day),
            model: "m".into(),
            task_type: TaskType::Plan,
            measures: Measures { rows: *rows, tasks: *rows, ..Measures::default() },
        };
        days.iter().map(cell).collect()
    }

    /// What is no pause, no unusual one, or borne out by what came after it, is work.
    #[test]
    fn few_rows_after_an_unusual_pause_stand_alone() {
        let told = |newest: &[(i32, u64)]| {
            let mut all: Vec<(i32, u64)> = (0..30).map(|day| (day, 10)).collect();
            all.extend(newest);
            alone(&cells(&all)).map(|it| (it.rows, it.days.0.0, it.days.1.0, it.before.0))
        };
        assert_eq!(told(&[]), None);
        assert_eq!(told(&[(37, 1)]), None);
        assert_eq!(told(&[(38, 1)]), Some((1, 38, 38, 29)));
        assert_eq!(told(&[(38, 9)]), Some((9, 38, 38, 29)));
        assert_eq!(told(&[(38, 10)]), None);
        assert_eq!(told(&[(38, 1), (39, 1)]), Some((2, 38, 39, 29)));
        assert_eq!(told(&[(38, 1), (39, 1), (40, 1)]), None);
        assert_eq!(told(&[(90, 1), (30_000, 1)]), Some((2, 90, 30_000, 29)));
        // Who pauses now and then pauses once more.
        assert_eq!(told(&[(38, 10), (39, 10), (40, 10), (50, 1)]), None);
        assert_eq!(alone(&cells(&[(1, 5)])), None);
        assert_eq!(alone(&cells(&[])), None);
    }

    #[test]
    fn a_day_has_come_that_is_tomorrow_here() {
        let told = |today: i32| {
            let days = [(1, 5), (2, 5), (3, 4)];
            ahead(&cells(&days), Day(today)).map(|it| (it.rows, it.days.0.0, it.before.0))
        };
        assert_eq!((told(3), told(2), told(1)), (None, None, Some((4, 3, 2))));
        // It is the reader's clock that is wrong.
        assert_eq!((told(0), told(-9)), (None, None));
    }
}
