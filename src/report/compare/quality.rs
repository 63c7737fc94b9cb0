//! How far the figures can be trusted: days without rows, clocks that are wrong, rows that lack
//! something.

use crate::report::aggregate::Aggregate;
use crate::report::measures::Measures;
use crate::report::period::Period;
use crate::timestamp::Day;

/// At any moment it is tomorrow already somewhere on earth; no clock that is right shows more.
const AHEAD_DAYS: i32 = 1;

/// What is to be known of some rows.
#[derive(Clone, Debug, Default)]
pub struct Quality {
    /// From the first to the last day, both with rows.
    pub days: u64,
    /// How many of these have none.
    pub empty_days: u64,
    /// The longest time without rows between two days that have some; the first of several.
    pub longest_gap: Option<Period>,
    /// Rows of days that have not come yet.
    pub future_rows: u64,
    /// The sums, for what they tell of rows without a price or without tokens.
    pub all: Measures,
}

/// Whether a day has not come yet.
fn is_ahead(day: Day, today: Day) -> bool {
    day.0 > today.0.saturating_add(AHEAD_DAYS)
}

/// The newest day with rows: of those that have come, where there are any.
pub fn newest(aggregate: &Aggregate, today: Day) -> Option<Day> {
    let days = || aggregate.days.iter().filter(|(_, it)| it.rows > 0).map(|(day, _)| day);
    days().filter(|day| !is_ahead(*day, today)).max().or_else(|| days().max())
}

impl Quality {
    /// Of everything that was summed; `today` is the reader's.
    pub fn of(aggregate: &Aggregate, today: Day) -> Quality {
        let mut quality = Quality { all: aggregate.totals(), ..Quality::default() };
        let mut days: Vec<(Day, u64)> = Vec::new();
        for (day, measures) in aggregate.days.iter().filter(|(_, measures)| measures.rows > 0) {
            match is_ahead(day, today) {
                true => quality.future_rows += measures.rows,
                false => days.push((day, measures.rows)),
            }
        }
        days.sort_unstable();
        if let (Some((first, _)), Some((last, _))) = (days.first(), days.last()) {
            quality.days = u64::from(last.0.abs_diff(first.0)) + 1;
            quality.empty_days = quality.days - days.len() as u64;
        }
        for pair in days.windows(2) {
            let gap = Period::days(Day(pair[0].0.0 + 1), Day(pair[1].0.0 - 1));
            let length = |it: &Period| it.to.0 - it.from.0 + 1;
            let longest = quality.longest_gap.as_ref().map_or(0, length);
            if length(&gap) > longest {
                quality.longest_gap = Some(gap);
            }
        }
        quality
    }
}
