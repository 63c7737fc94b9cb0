//! What advice is drawn from: sums by model and task type, prices, and how large the ledger is.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::pricing::Prices;
use crate::pricing::rates::Rates;
use crate::report::advice::attempts::Attempts;
use crate::report::advice::finding::Record;
use crate::report::aggregate::Cell;
use crate::report::alert::finding::Finding;
use crate::report::compare::measure::Sums;
use crate::row::TaskType;
use crate::timestamp::Day;

/// The mean length of a month, in days.
const MONTH_DAYS: f64 = 365.25 / 12.0;

/// Gains are told by the month; from fewer days than this nothing is foretold.
const DAYS_MIN: i32 = 14;

const DAY_S: u64 = 24 * 3600;

/// Fewer tasks show too little.
pub const TASKS_MIN: u64 = 30;

/// What may be drawn on, besides the rows.
#[derive(Clone, Debug)]
pub struct Means {
    /// What models cost.
    pub prices: Arc<Prices>,
    /// The size of the active segment, where git keeps it.
    pub committed_bytes: Option<u64>,
    /// The alerts that fire; none where the rows are not those of a whole ledger.
    pub firing: Vec<Finding>,
    /// What of the newest rows is done again.
    pub attempts: Attempts,
}

/// What is known.
pub struct Facts<'a> {
    /// The sums of each task type and model.
    pub sums: BTreeMap<(TaskType, Box<str>), Sums>,
    /// The sums of each model.
    pub models: BTreeMap<Box<str>, Sums>,
    /// How many months the rows are of.
    months: f64,
    prices: &'a Prices,
    /// The size of the active segment, where git keeps it.
    pub committed_bytes: Option<u64>,
    /// The alerts that fire.
    pub firing: &'a [Finding],
    /// The day of the newest row.
    pub newest: Day,
    /// The first day of the newer half.
    pub middle: Day,
    /// What of the newest rows is done again.
    pub attempts: &'a Attempts,
}

impl<'a> Facts<'a> {
    /// Of these cells; None where they are of too few days.
    pub fn of(cells: &[Cell], means: &'a Means) -> Option<Facts<'a>> {
        let Means { prices, committed_bytes, firing, attempts } = means;
        let committed_bytes = *committed_bytes;
        let days = || cells.iter().map(|cell| cell.day);
        let (oldest, newest) = (days().min()?, days().max()?);
        let days = newest.0 - oldest.0 + 1;
        if days < DAYS_MIN {
            return None;
        }
        let months = f64::from(days) / MONTH_DAYS;
        let (mut sums, mut models) = (BTreeMap::new(), BTreeMap::new());
        for Cell { day, model, task_type, measures } in cells {
            let of_both: &mut Sums = sums.entry((*task_type, model.clone())).or_default();
            of_both.add(*day, measures);
            let of_model: &mut Sums = models.entry(model.clone()).or_default();
            of_model.add(*day, measures);
        }
        let middle = Day(newest.0 + 1 - days / 2);
        Some(Facts {
            sums,
            models,
            months,
            prices,
            committed_bytes,
            firing,
            newest,
            middle,
            attempts,
        })
    }

    /// So much a month.
    pub fn monthly(&self, sum: f64) -> u128 {
        (sum / self.months).max(0.0) as u128
    }

    /// So much a month, of what the attempts add up to.
    pub fn monthly_of_attempts(&self, sum: f64) -> u128 {
        let months = self.attempts.seconds.max(DAY_S) as f64 / DAY_S as f64 / MONTH_DAYS;
        (sum / months).max(0.0) as u128
    }

    /// The sums of some days and task types, without durations one by one.
    pub fn summed(&self, takes: impl Fn(Day, TaskType) -> bool) -> Sums {
        let mut sums = Sums::default();
        for ((task_type, _), of_both) in &self.sums {
            for (day, measures) in of_both.days.iter().filter(|(day, _)| takes(**day, *task_type)) {
                sums.add(*day, measures);
            }
        }
        sums
    }

    /// The newest list prices of a model.
    pub fn rates(&self, model: &str) -> Option<Rates> {
        self.prices.listed(model).last().map(|listing| listing.rates)
    }

    /// Pairs of models that did tasks of one type, each both ways round.
    pub fn pairs(&self) -> impl Iterator<Item = (TaskType, (&str, &Sums), (&str, &Sums))> {
        self.sums.iter().flat_map(move |((task_type, from), of_from)| {
            let others =
                self.sums.iter().filter(move |((it, to), _)| it == task_type && to != from);
            others.map(move |((_, to), of_to)| (*task_type, (&**from, of_from), (&**to, of_to)))
        })
    }
}

/// What a model did, with the value that a rule looks at.
pub fn record(model: &str, sums: &Sums, value: f64) -> Record {
    let (tasks, successes) = (sums.all.tasks, sums.all.successes);
    Record { model: model.into(), tasks, successes, value }
}
