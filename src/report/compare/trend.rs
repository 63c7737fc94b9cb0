//! Where a measure has been going, week after week: a robust slope, and whether chance explains it.

use crate::report::aggregate::Aggregate;
use crate::report::compare::measure::{Measure, Sums};
use crate::report::period::Period;
use crate::timestamp::Day;

/// So many whole weeks are looked at: a quarter of a year.
const WEEKS_MAX: usize = 13;

/// Of fewer weeks no order can be told from chance at 95 %.
const WEEKS_MIN: usize = 5;

/// Where a measure is going.
#[derive(Clone, Debug, PartialEq)]
pub struct Trend {
    /// What is measured.
    pub measure: &'static Measure,
    /// The median change from one week to the next; a part of the median value, of shares the
    /// change itself.
    pub per_week: f64,
    /// Whether chance alone explains it.
    pub may_be_chance: bool,
}

/// The trends over the newest whole weeks.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Trends {
    /// The first and the last week.
    pub weeks: Option<(Period, Period)>,
    /// Each measure's.
    pub trends: Vec<Trend>,
}

impl Trends {
    /// Of all rows that were summed up to the newest day. The week of that one counts if that is a Sunday's: half a
    /// week is no week.
    pub fn of(aggregate: &Aggregate, newest: Day, measures: &'static [Measure]) -> Trends {
        let Some(oldest) = aggregate.days.iter().map(|(day, _)| day).min() else {
            return Trends::default();
        };
        let mut last = Period::week(newest);
        if newest != last.to {
            last = last.before();
        }
        let mut weeks = Vec::new();
        let mut week = last.clone();
        // Nor is the one in which the ledger began.
        while weeks.len() < WEEKS_MAX && week.from >= oldest {
            weeks.push(sums_of(aggregate, &week));
            week = week.before();
        }
        weeks.reverse();
        if weeks.len() < WEEKS_MIN {
            return Trends::default();
        }
        let first = Period::week(Day(last.from.0 - 7 * (weeks.len() as i32 - 1)));
        let trend = |measure: &'static Measure| {
            let values: Vec<(f64, f64)> = (0u32..)
                .zip(&weeks)
                .filter_map(|(at, sums)| Some((f64::from(at), measure.value(sums)?)))
                .collect();
            Trend::of(measure, &values)
        };
        let trending = measures.iter().filter(|measure| measure.has_trend);
        let trends: Vec<Trend> = trending.filter_map(trend).collect();
        Trends { weeks: (!trends.is_empty()).then_some((first, last)), trends }
    }
}

fn sums_of(aggregate: &Aggregate, week: &Period) -> Sums {
    let mut sums = Sums::default();
    for (day, measures) in aggregate.days.iter().filter(|(day, _)| week.holds(*day)) {
        sums.add(day, measures);
    }
    sums
}

impl Trend {
    /// Theil and Sen's slope (the median of all slopes between two weeks), and Mann and Kendall's
    /// test of it, ties counted.
    fn of(measure: &'static Measure, values: &[(f64, f64)]) -> Option<Trend> {
        if values.len() < WEEKS_MIN {
            return None;
        }
        let mut slopes = Vec::new();
        let mut order = 0i64;
        for (at, (x, y)) in values.iter().enumerate() {
            for (later, other) in &values[at + 1..] {
                slopes.push((other - y) / (later - x));
                order += i64::from(other > y) - i64::from(other < y);
            }
        }
        let middle = median(&mut values.iter().map(|(_, value)| *value).collect::<Vec<_>>());
        let slope = median(&mut slopes);
        let per_week = match measure.is_share() {
            true => slope,
            false if middle > 0.0 => slope / middle,
            false => return None,
        };
        Some(Trend { measure, per_week, may_be_chance: is_chance(values, order) })
    }
}

/// Kendall's S with its correction for continuity, against 95 % of the normal distribution.
fn is_chance(values: &[(f64, f64)], order: i64) -> bool {
    let n = values.len() as f64;
    let mut sorted: Vec<f64> = values.iter().map(|(_, value)| *value).collect();
    sorted.sort_by(f64::total_cmp);
    let ties: f64 = sorted
        .chunk_by(|a, b| a == b)
        .map(|tied| tied.len() as f64)
        .map(|t| t * (t - 1.0) * (2.0 * t + 5.0))
        .sum();
    let variance = (n * (n - 1.0) * (2.0 * n + 5.0) - ties) / 18.0;
    let surprise = (order.unsigned_abs().saturating_sub(1)) as f64;
    variance <= 0.0 || surprise / variance.sqrt() < 1.959_963_984_540_054
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    match values.len() {
        0 => 0.0,
        n if n % 2 == 1 => values[n / 2],
        n => (values[n / 2 - 1] + values[n / 2]) / 2.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::compare::measure::MEASURES;

    fn trend(values: &[f64]) -> (i64, bool) {
        let tasks = MEASURES.iter().find(|it| it.key == "tasks").unwrap();
        let values: Vec<(f64, f64)> =
            (0u32..).zip(values).map(|(at, value)| (f64::from(at), *value)).collect();
        let trend = Trend::of(tasks, &values).unwrap();
        ((trend.per_week * 1000.0).round() as i64, trend.may_be_chance)
    }

    #[test]
    fn one_odd_week_is_no_trend_and_an_order_is() {
        assert_eq!(trend(&[100.0, 110.0, 120.0, 130.0, 140.0]), (83, false));
        assert_eq!(trend(&[140.0, 130.0, 120.0, 110.0, 100.0]), (-83, false));
        assert_eq!(trend(&[100.0, 100.0, 900.0, 100.0, 100.0]), (0, true));
        assert_eq!(trend(&[100.0; 6]), (0, true));
        assert!(trend(&[100.0, 120.0, 105.0, 118.0, 103.0, 110.0]).1);
        // An odd week does not bend the slope of the others.
        assert!(!trend(&[100.0, 110.0, 120.0, 130.0, 140.0, 150.0, 900.0]).1);
    }
}
