//! Goes through the days of a ledger as a user does who looks every evening: what is found on a day
//! rests on that day and those before, so looking again later finds the same.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::report::anomaly::baseline::WINDOW_AGE_DAYS;
use crate::report::anomaly::chance::score_of;
use crate::report::anomaly::finding::{Anomaly, Direction, Metric};
use crate::report::anomaly::leaf::{GAP_DAYS, Leaf};
use crate::report::anomaly::reading::{Part, Reading, Usual};
use crate::report::anomaly::silence::{Counts, Quiet, after};
use crate::report::series::{Series, SeriesKey};
use crate::timestamp::Day;

/// A quarter of days with tasks is looked through, and what has begun of another: the border moves
/// once in a quarter, so that what was found is found again for as long.
const QUARTER_DAYS: usize = 91;

/// A ledger whose days with tasks these are is looked through from this one on. Counted, and not by
/// the calendar: one row from the far future must not hide the others.
pub fn begin(days: &BTreeSet<Day>) -> Option<Day> {
    let quarters = (days.len() / QUARTER_DAYS).saturating_sub(1);
    days.iter().nth(quarters * QUARTER_DAYS).copied()
}

/// Days before this one say nothing of those that are looked through.
pub fn needed_from(begin: Day) -> Day {
    Day(begin.0.saturating_sub(GAP_DAYS + WINDOW_AGE_DAYS))
}

/// How many false alarms chance may raise in a day, all series and metrics together: one in sixty
/// days, so that with what no model foresees it stays below one in thirty.
const FALSE_ALARMS_PER_DAY: f64 = 1.0 / 60.0;

/// The last day by itself, with the one before, and the last week: what is large is found at once,
/// what is small is not missed for ever. None reaches into the window of the baseline.
const SPANS_DAYS: [i32; 3] = [1, 2, GAP_DAYS];

/// What has lasted so long is usual from its first day on.
pub const LASTING_DAYS: i32 = 14;

/// An anomaly is over when the last days lie nearer to what was usual: three, since on a weekend
/// there may be too few tasks to tell.
const RECOVERY_DAYS: usize = 3;

/// How far days scatter is learned from so many readings.
const READINGS: usize = 28;

/// A reading counts no more than this in that: an anomaly must not hide the next one.
const READING_MAX: f64 = 3.0;

/// The metrics that are read; silence is not.
const READ: [Metric; 4] = [Metric::Tokens, Metric::Cost, Metric::Duration, Metric::Success];

/// What leaves add to readings: by span, by metric, by leaf.
type Parts = [[Vec<Option<Part>>; READ.len()]; SPANS_DAYS.len()];

/// A series and the leaves that it is made of.
struct Group {
    key: SeriesKey,
    leaves: Vec<usize>,
    counts: Counts,
    quiet: Option<Quiet>,
    /// Squares of its readings of single days, the newest last, in the order of [`READ`].
    readings: [VecDeque<f64>; READ.len()],
}

impl Group {
    fn overlaps(&self, other: &Group) -> bool {
        self.leaves.iter().any(|leaf| other.leaves.contains(leaf))
    }

    /// How many times as far as it should a single day has scattered; never less than once.
    fn scatter(&self, metric: usize) -> f64 {
        let readings = &self.readings[metric];
        if readings.len() < READINGS / 2 {
            return 1.0;
        }
        (readings.iter().sum::<f64>() / readings.len() as f64).sqrt().max(1.0)
    }
}

/// What may be told on a day.
struct Candidate {
    group: usize,
    anomaly: Anomaly,
    shift: f64,
}

/// What was told.
struct Told {
    group: usize,
    anomaly: Anomaly,
    /// How far it lay from what was usual when it was found.
    shift: f64,
}

/// Finds the anomalies of a ledger.
pub(crate) struct Watch<'a> {
    /// Days before that one are only what is usual.
    begin: Day,
    leaves: Vec<Leaf<'a>>,
    groups: Vec<Group>,
    all: Counts,
    told: Vec<Told>,
}

impl<'a> Watch<'a> {
    /// Of series that have no task in common, to be looked through from that day on.
    pub(crate) fn new(series: &'a [Series], begin: Day) -> Watch<'a> {
        let from = needed_from(begin);
        let leaves: Vec<Leaf<'_>> = series.iter().map(|series| Leaf::of(series, from)).collect();
        let mut members = BTreeMap::<SeriesKey, Vec<usize>>::new();
        for (number, leaf) in leaves.iter().enumerate() {
            let key = &leaf.series.key;
            for key in key.parents().into_iter().chain([key.clone()]) {
                members.entry(key).or_default().push(number);
            }
        }
        let mut all = Counts::new();
        for (day, tasks) in leaves.iter().flat_map(Leaf::days) {
            *all.entry(day).or_default() += tasks;
        }
        let group = |(key, members): (SeriesKey, Vec<usize>)| {
            let mut counts = Counts::new();
            for (day, tasks) in members.iter().flat_map(|leaf| leaves[*leaf].days()) {
                *counts.entry(day).or_default() += tasks;
            }
            let readings = Default::default();
            Group { key, leaves: members, counts, quiet: None, readings }
        };
        let mut groups: Vec<Group> = members.into_iter().map(group).collect();
        // Those that tell the most apart first; of groups of the same leaves only these.
        groups.sort_by_key(|group| Reverse(group.key.parts()));
        let mut kept: Vec<Group> = Vec::new();
        for group in groups {
            if kept.iter().all(|it| it.leaves != group.leaves) {
                kept.push(group);
            }
        }
        Watch { begin, leaves, groups: kept, all, told: Vec::new() }
    }

    /// Goes through the days.
    pub(crate) fn run(mut self) -> Vec<Anomaly> {
        let days: Vec<Day> = self.all.keys().copied().collect();
        for (at, day) in days.iter().enumerate() {
            if *day >= self.begin {
                let over = at.checked_sub(1).map(|before| days[before]);
                self.take(*day, over);
            }
        }
        self.told.into_iter().map(|told| told.anomaly).collect()
    }

    /// Looks on the evening of a day; of whole days only those before are over.
    fn take(&mut self, day: Day, over: Option<Day>) {
        let recent = Day(day.0.saturating_sub(GAP_DAYS - 1));
        let usual = |leaf: &Leaf<'_>| match leaf.failures(recent, day) {
            (_, 0) => Usual::default(),
            _ => Usual::of(leaf, day),
        };
        let usual: Vec<Usual> = self.leaves.iter().map(usual).collect();
        self.follow(&usual, day);
        let mut tests = 0;
        let mut singles = Vec::new();
        let parts = self.parts(&usual, day);
        for group in 0..self.groups.len() {
            for (number, parts) in parts[0].iter().enumerate() {
                if let Some(reading) = self.read(parts, group) {
                    singles.push((group, number, reading));
                    tests += 1;
                }
            }
        }
        if let Some(over) = over {
            tests += self.listen(over);
        }
        let tests = f64::from(tests.max(1)) * SPANS_DAYS.len() as f64;
        let one_sided = score_of((FALSE_ALARMS_PER_DAY / tests).ln());
        let two_sided = score_of((FALSE_ALARMS_PER_DAY / tests / 2.0).ln());
        let mut candidates = self.silent(day, over, one_sided);
        for (group, number, _) in &singles {
            let is_one_sided = READ[*number] == Metric::Success;
            let limit = if is_one_sided { one_sided } else { two_sided };
            candidates.extend(self.judge((&usual, &parts), *group, *number, day, limit));
        }
        self.tell(candidates);
        for (group, number, reading) in singles {
            if !self.is_told(group, READ[number], None) {
                let readings = &mut self.groups[group].readings[number];
                readings.push_back(reading.score(1.0).abs().min(READING_MAX).powi(2));
                if readings.len() > READINGS {
                    readings.pop_front();
                }
            }
        }
    }

    /// What is known of a group, to be read.
    fn members<'b>(&'b self, usual: &'b [Usual], group: usize) -> Vec<(&'b Leaf<'a>, &'b Usual)> {
        let leaves = &self.groups[group].leaves;
        leaves.iter().map(|leaf| (&self.leaves[*leaf], &usual[*leaf])).collect()
    }

    /// What every leaf adds to a reading of every span, for each metric.
    fn parts(&self, usual: &[Usual], day: Day) -> Parts {
        SPANS_DAYS.map(|span| {
            let days = (Day(day.0.saturating_sub(span - 1)), day);
            let part = |metric, (leaf, usual)| Part::of(leaf, usual, metric, days);
            READ.map(|metric| self.leaves.iter().zip(usual).map(|it| part(metric, it)).collect())
        })
    }

    /// Reads a group; None also where only one of several leaves is known, which is read by itself.
    fn read(&self, parts: &[Option<Part>], group: usize) -> Option<Reading> {
        let leaves = &self.groups[group].leaves;
        let reading = Reading::of(leaves.iter().filter_map(|leaf| parts[*leaf]))?;
        (reading.leaves > 1 || leaves.len() == 1).then_some(reading)
    }

    /// The first span of days that deviates.
    fn judge(
        &self,
        (usual, parts): (&[Usual], &Parts),
        group: usize,
        number: usize,
        day: Day,
        limit: f64,
    ) -> Option<Candidate> {
        let metric = READ[number];
        let times = self.groups[group].scatter(number);
        for (span, parts) in SPANS_DAYS.into_iter().zip(parts) {
            let from = Day(day.0.saturating_sub(span - 1));
            if self.was_told_since(group, metric, from) {
                return None;
            }
            let Some(reading) = self.read(&parts[number], group) else { continue };
            let score = reading.score(times);
            if score.abs() < limit || !reading.is_large() {
                continue;
            }
            let values =
                reading.values(&self.members(usual, group), metric, (from, day), limit, times);
            // It begins with the first day of the span that has tasks.
            let start = self.groups[group].counts.range(from..=day).next()?.0;
            let anomaly = Anomaly {
                series: self.groups[group].key.clone(),
                metric,
                direction: if score > 0.0 { Direction::Above } else { Direction::Below },
                start: *start,
                last: day,
                found: day,
                is_open: true,
                value: values.value,
                expected: values.expected,
                low: values.low,
                high: values.high,
                samples: reading.tasks,
                score: score.abs(),
            };
            return Some(Candidate { group, anomaly, shift: reading.shift });
        }
        None
    }

    /// Follows every silence through a day that is over; how many groups could be silent.
    fn listen(&mut self, over: Day) -> u32 {
        let mut tests = 0;
        for group in self.groups.iter_mut().filter(|group| group.key.parts() > 0) {
            group.quiet = after(group.quiet, &group.counts, &self.all, over);
            let began = group.counts.first_key_value().is_some_and(|(first, _)| *first <= over);
            tests += u32::from(began);
        }
        tests
    }

    /// The groups whose silence is no chance.
    fn silent(&mut self, day: Day, over: Option<Day>, limit: f64) -> Vec<Candidate> {
        let mut candidates = Vec::new();
        for (number, group) in self.groups.iter_mut().enumerate() {
            let (Some(quiet), Some(over)) = (&mut group.quiet, over) else { continue };
            if quiet.is_told || quiet.score() < limit {
                continue;
            }
            quiet.is_told = true;
            let anomaly = Anomaly {
                series: group.key.clone(),
                metric: Metric::Silence,
                direction: Direction::Below,
                start: quiet.since,
                last: over,
                found: day,
                is_open: true,
                value: 0.0,
                expected: quiet.expected,
                low: 1.0,
                high: f64::INFINITY,
                samples: quiet.expected.round() as u64,
                score: quiet.score(),
            };
            candidates.push(Candidate { group: number, anomaly, shift: -1.0 });
        }
        candidates
    }

    /// Tells the most telling: of those that share tasks, the one that chance explains the least;
    /// of one series' tokens and cost, tokens, which are the reason.
    fn tell(&mut self, mut candidates: Vec<Candidate>) {
        candidates.sort_by(|a, b| {
            let by_score = b.anomaly.score.total_cmp(&a.anomaly.score);
            by_score.then(a.group.cmp(&b.group)).then(a.anomaly.metric.cmp(&b.anomaly.metric))
        });
        while !candidates.is_empty() {
            let first = candidates.remove(0);
            let is_reason = |it: &Candidate| {
                let (a, b) = (&it.anomaly, &first.anomaly);
                it.group == first.group
                    && (a.metric, a.direction) < (b.metric, b.direction)
                    && a.metric.is_kin(b.metric)
                    && a.direction == b.direction
            };
            let first = match candidates.iter().position(is_reason) {
                Some(at) => candidates.remove(at),
                None => first,
            };
            let Candidate { group, anomaly, shift } = first;
            let (metric, direction, start) = (anomaly.metric, anomaly.direction, anomaly.start);
            if self.is_told(group, metric, Some(direction)) {
                continue;
            }
            for leaf in &self.groups[group].leaves {
                self.leaves[*leaf].begin_unusual(metric, start);
            }
            self.told.push(Told { group, anomaly, shift });
        }
    }

    /// Whether something that goes on explains an anomaly of a group.
    fn is_told(&self, group: usize, metric: Metric, direction: Option<Direction>) -> bool {
        self.told.iter().rev().any(|told| {
            let it = &told.anomaly;
            it.is_open
                && it.metric.is_kin(metric)
                && direction.is_none_or(|direction| direction == it.direction)
                && self.groups[told.group].overlaps(&self.groups[group])
        })
    }

    /// Whether days from that one on belong to an anomaly that is over.
    fn was_told_since(&self, group: usize, metric: Metric, from: Day) -> bool {
        self.told.iter().rev().any(|told| {
            let it = &told.anomaly;
            !it.is_open
                && it.metric.is_kin(metric)
                && it.last >= from
                && self.groups[told.group].overlaps(&self.groups[group])
        })
    }

    /// Follows what goes on: it is seen again, or is over, or has become usual.
    fn follow(&mut self, usual: &[Usual], day: Day) {
        for at in 0..self.told.len() {
            let Told { group, anomaly, shift } = &self.told[at];
            let (group, shift, metric, start) = (*group, *shift, anomaly.metric, anomaly.start);
            if !anomaly.is_open {
                continue;
            }
            let nearer = |reading: Reading| reading.shift / shift < 0.5;
            let counts = &self.groups[group].counts;
            let (is_seen, is_over) = if metric == Metric::Silence {
                let is_there = counts.range(start..=day).next().is_some();
                (false, is_there)
            } else {
                let own = self.read_on(usual, group, metric, (day, day));
                let since = counts.range(start..=day).rev().nth(RECOVERY_DAYS - 1);
                let since = since.map_or(start, |(day, _)| *day);
                let last = self.read_on(usual, group, metric, (since, day));
                (own.is_some_and(|it| !nearer(it)), last.is_some_and(nearer))
            };
            let has_lasted = day.0.saturating_sub(start.0) >= LASTING_DAYS;
            let anomaly = &mut self.told[at].anomaly;
            if is_seen || has_lasted && !is_over {
                anomaly.last = day;
            }
            anomaly.is_open = !is_over && !has_lasted;
            let last = anomaly.last;
            for leaf in &self.groups[group].leaves {
                match (is_over, has_lasted) {
                    (true, _) => self.leaves[*leaf].end_unusual(metric, start, last),
                    (_, true) => self.leaves[*leaf].begin_anew(metric, start),
                    _ => {}
                }
            }
        }
    }

    /// Reads what is known of a group on any days.
    fn read_on(
        &self,
        usual: &[Usual],
        group: usize,
        metric: Metric,
        days: (Day, Day),
    ) -> Option<Reading> {
        let members = self.members(usual, group).into_iter();
        Reading::of(members.filter_map(|(leaf, usual)| Part::of(leaf, usual, metric, days)))
    }
}
