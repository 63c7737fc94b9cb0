//! Sums by day. Every day keeps its sums; what its durations were is kept only for the days that a
//! report may show by themselves, for it is a hundred times as much.

use hashbrown::HashMap;
use serde::{Deserialize, Serialize};

use crate::report::histogram::Histogram;
use crate::report::measures::Measures;
use crate::timestamp::Day;

/// The default report shows this many weeks; older ones are one line.
pub const WEEKS_SHOWN: i32 = 8;

/// All days with rows.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Days {
    sums: Vec<(Day, Measures)>,
    places: HashMap<Day, usize>,
    /// Whether the durations of every day are kept.
    are_all_shown: bool,
    newest: Option<Day>,
    /// The first of the days whose durations are kept.
    border: Option<Day>,
    /// The places of the days from the border on.
    recent: Vec<usize>,
    /// The durations of all days before the border.
    earlier: Histogram,
}

impl Days {
    /// No days yet. Unless all days are shown, durations are kept of the weeks that the default
    /// report shows, and of all earlier ones together.
    pub fn new(are_all_shown: bool) -> Days {
        Days { are_all_shown, ..Days::default() }
    }

    /// The place of a day.
    pub fn of(&mut self, day: Day) -> usize {
        let next = self.sums.len();
        let place = *self.places.entry(day).or_insert(next);
        if place == next {
            self.sums.push((day, Measures::default()));
            self.recent.push(place);
            self.newest = self.newest.max(Some(day));
            self.turn();
        }
        place
    }

    /// The sums of the day at a place; its durations are counted by [`Days::durations`].
    pub fn at(&mut self, place: usize) -> &mut Measures {
        &mut self.sums[place].1
    }

    /// Where the durations of the day at a place are counted.
    #[inline]
    pub fn durations(&mut self, place: usize) -> &mut Histogram {
        let (day, measures) = &mut self.sums[place];
        match Some(*day) >= self.border {
            true => &mut measures.durations,
            false => &mut self.earlier,
        }
    }

    /// Moves the border on, where a new week begins: the durations of days before it are put
    /// together.
    fn turn(&mut self) {
        let Some(newest) = self.newest.filter(|_| !self.are_all_shown) else { return };
        let border = Some(Day(newest.monday().0 - 7 * (WEEKS_SHOWN - 1)));
        if self.border == border {
            return;
        }
        self.border = border;
        let Days { sums, recent, earlier, .. } = self;
        recent.retain(|place| {
            let (day, measures) = &mut sums[*place];
            let is_recent = Some(*day) >= border;
            if !is_recent {
                earlier.merge(&std::mem::take(&mut measures.durations));
            }
            is_recent
        });
    }

    /// Adds the days of other rows.
    pub fn merge(&mut self, other: &Days) {
        other.iter().for_each(|(day, measures)| self.add(day, measures));
        self.earlier.merge(&other.earlier);
    }

    /// Adds rows of one day.
    pub fn add(&mut self, day: Day, measures: &Measures) {
        let place = self.of(day);
        self.at(place).merge_sums(measures);
        self.durations(place).merge(&measures.durations);
    }

    /// Every day with rows, in no order; days before those that are shown lack their durations.
    pub fn iter(&self) -> impl Iterator<Item = (Day, &Measures)> {
        self.sums.iter().map(|(day, measures)| (*day, measures))
    }

    /// The durations of the days that lack them.
    pub fn earlier_durations(&self) -> &Histogram {
        &self.earlier
    }
}
