//! Days, weeks and months: who was active in each, and who for the first time.

use std::collections::{BTreeMap, BTreeSet};

use crate::report::activity::seen::{Records, Seen};
use crate::timestamp::Day;

/// Empty periods are shown, so that a gap is seen; but a stray event of another century must not
/// bring a table of a million lines with it.
const PERIODS_FILLED_MAX: i64 = 4_000;

/// Events and rows, in whole numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Events, estimated where they are sampled.
    pub events: u64,
    /// Rows of the ledger.
    pub rows: u64,
}

impl Counts {
    /// The whole numbers of records.
    pub fn of(records: Records) -> Counts {
        Counts { events: records.events.count(), rows: records.rows }
    }
}

/// One day, week or month.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Period {
    /// The day, the week's Monday, or the month counted from January of year 0.
    pub number: i64,
    /// Distinct identities.
    pub active: u64,
    /// Those of them that were never seen before.
    pub new: u64,
    /// Distinct sessions.
    pub sessions: u64,
    /// What was recorded.
    pub counts: Counts,
}

/// The periods of what is selected, newest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Periods {
    /// Calendar days, each record's that of its own offset.
    pub days: Vec<Period>,
    /// ISO weeks.
    pub weeks: Vec<Period>,
    /// Months.
    pub months: Vec<Period>,
    /// Whether empty periods were left out, for there are too many of them.
    pub has_gaps: bool,
}

/// What was seen in one period.
#[derive(Default)]
struct Sums {
    days: Option<(Day, Day)>,
    identities: BTreeSet<u32>,
    sessions: BTreeSet<u32>,
    records: Records,
}

impl Periods {
    /// The periods of all that was seen.
    pub fn of(seen: &Seen) -> Periods {
        let (days, has_gaps) = of(seen, |day| i64::from(day.0), 1);
        let (weeks, _) = of(seen, |day| i64::from(day.monday().0), 7);
        let (months, _) = of(seen, |day| i64::from(day.month()), 1);
        Periods { days, weeks, months, has_gaps }
    }
}

fn of(seen: &Seen, period: fn(Day) -> i64, step: i64) -> (Vec<Period>, bool) {
    let mut sums = BTreeMap::<i64, Sums>::new();
    for (day, of_day) in &seen.days {
        let sums = sums.entry(period(*day)).or_default();
        sums.days = Some(sums.days.map_or((*day, *day), |(first, _)| (first, *day)));
        sums.identities.extend(&of_day.identities);
        sums.sessions.extend(&of_day.sessions);
        sums.records.add(of_day.records);
    }
    let mut has_gaps = false;
    if let Some((from, to)) = sums.keys().next().copied().zip(sums.keys().next_back().copied()) {
        match (to - from) / step <= PERIODS_FILLED_MAX {
            true => (from..=to).step_by(step as usize).for_each(|it| {
                sums.entry(it).or_default();
            }),
            false => has_gaps = true,
        }
    }
    let shown = |(number, sums): (i64, Sums)| Period {
        number,
        active: sums.identities.len() as u64,
        new: sums.days.map_or(0, |days| seen.new_among(&sums.identities, days)),
        sessions: sums.sessions.len() as u64,
        counts: Counts::of(sums.records),
    };
    (sums.into_iter().rev().map(shown).collect(), has_gaps)
}
