//! Days that are unlike those before: found without settings, each with its evidence.
//!
//! # Method
//! What is told apart are the *leaves*, one model's tasks of one type. A leaf's day has a level on the
//! logarithmic scale, for tokens, cost and durations are skewed and faults multiply them: the
//! logarithm of its mean tokens and of its mean cost of a task, and the mean logarithm of the middle
//! 80 % of its durations.
//!
//! - **Usual** is the window of the last 28 days with tasks, without the last week and without days
//!   that were told. Its median, its weekdays where they differ beyond doubt (soft thresholding), and
//!   1.4826 · MAD around these; what lies beyond 3.5 of that (the modified z-score of Iglewicz &
//!   Hoaglin 1993) is left out, and of the rest are the level and the variance. The variance is
//!   φ²·(1/n + 1/n₀) for a day of n tasks, with n₀, what days scatter by themselves, as the days make
//!   it likeliest: so a day with few tasks does not cry wolf. Means of few skewed values lie low; that
//!   is put right as for log-normal ones (Fenton 1960).
//! - **A deviation** is the last day's, the last two days' or the last week's, by its standard error,
//!   the window's own included. It is Student's t, told as the normal score that is as unlikely
//!   (Wallace 1959).
//! - **Success** is a binomial test by arcsines (Anscombe 1948) against the window's rate, to its
//!   lower side; Newcombe's interval of the difference must not contain 0 either, so that reports
//!   never mark with `~` what is told here.
//! - **Models, task types and the whole** are the mean deviation of their leaves, each from its own
//!   past: a new model or other shares of the same ones are no anomaly. Where single days of such a
//!   series have scattered more than its leaves explain (all models on one slow network), scores are
//!   divided by how much.
//! - **Silence** is judged for days that are over. What was expected is the mean of the same weekdays
//!   of four weeks, less if the last week was smaller; how likely none is, the negative binomial
//!   distribution says with the days' own scatter. A day on which all others have less than half of
//!   what was expected of them is a holiday.
//! - **The limit** is Bonferroni's: chance may raise one alarm in sixty days, over all series, metrics
//!   and spans that are looked at on that day. An alarm must be large as well: a quarter more or less,
//!   or five points of success, in at least ten tasks.
//! - **One alarm.** Of series that share tasks the one with the highest score is told; where tokens
//!   and cost moved, tokens. It goes on until three days lie nearer to what was usual, and as long as
//!   it does, nothing that shares tasks with it is told of the same metric and direction. After 14 days
//!   it has become usual.
//!
//! What is found on a day rests on that day and those before it, and on no clock.

pub mod finding;
mod chance;
mod baseline;
mod leaf;
mod reading;
mod silence;
pub mod watch;

use crate::report::anomaly::finding::Anomaly;
use crate::report::anomaly::watch::Watch;
use crate::report::series::Series;
use crate::timestamp::Day;

/// The anomalies of series that have no task in common, in the order in which they were to be
/// found. What is from before `begin` has become usual, and is not looked through.
pub fn find(series: &[Series], begin: Day) -> Vec<Anomaly> {
    Watch::new(series, begin).run()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::anomaly::finding::{Direction, Metric};
    use crate::report::anomaly::watch::LASTING_DAYS;
    use crate::report::histogram::Bucket;
    use crate::report::measures::Measures;
    use crate::report::series::{SeriesKey, Source};
    use crate::row::COUNT_MAX;
    use proptest::prelude::*;

    fn find(series: &[Series]) -> Vec<Anomaly> {
        let days = series.iter().flat_map(|it| it.days.keys().copied()).collect();
        watch::begin(&days).map_or_else(Vec::new, |begin| super::find(series, begin))
    }

    /// A Monday.
    const FIRST: i32 = 20_458;

    /// Tasks, tokens and milliseconds of each.
    type Tasks = (u64, u64, u64);

    fn sums((tasks, tokens, ms): Tasks) -> Measures {
        let mut sums = Measures { rows: tasks, tasks, successes: tasks, ..Measures::default() };
        sums.prompt_tokens = u128::from(tasks) * u128::from(tokens);
        sums.cost_micros = sums.prompt_tokens * 3;
        sums.duration_ms = u128::from(tasks) * u128::from(ms);
        (0..tasks.min(1_000)).for_each(|_| sums.durations.add(Bucket::of(ms), ms));
        sums
    }

    /// One series for each model.
    fn series(model: &str, days: impl IntoIterator<Item = (i32, Tasks)>) -> Series {
        let days = days.into_iter().filter(|(_, (tasks, ..))| *tasks > 0);
        let days = days.map(|(day, tasks)| (Day(FIRST + day), sums(tasks))).collect();
        let key = SeriesKey { model: Some(model.into()), ..SeriesKey::all(Source::Ledger) };
        Series { key, days }
    }

    fn told(series: &[Series]) -> Vec<(String, Metric, i32, i32, bool)> {
        let it = |it: Anomaly| {
            (it.series.to_string(), it.metric, it.start.0 - FIRST, it.last.0 - FIRST, it.is_open)
        };
        find(series).into_iter().map(it).collect()
    }

    /// A level that wavers a little.
    fn waver(day: i32, level: u64) -> u64 {
        level * (100 + u64::from(day.unsigned_abs() * 7 % 11)) / 100
    }

    fn steady(day: i32) -> Tasks {
        (100, waver(day, 5_000), waver(day + 3, 20_000))
    }

    #[test]
    fn what_lasts_is_one_alarm_and_then_usual() {
        let slower = |day: i32| {
            let (tasks, tokens, ms) = steady(day);
            (day, (tasks, tokens, if day >= 40 { ms * 2 } else { ms }))
        };
        let duration = |last, is_open| ("a".to_owned(), Metric::Duration, 40, last, is_open);
        let until = |days: i32| told(&[series("a", (0..days).map(slower))]);
        assert_eq!(until(40), []);
        assert_eq!(until(41), [duration(40, true)]);
        assert_eq!(until(50), [duration(49, true)]);
        assert_eq!(until(120), [duration(40 + LASTING_DAYS, false)]);
    }

    #[test]
    fn what_passes_is_over_and_changes_nothing_of_what_is_usual() {
        let twice = |day: i32| {
            let (tasks, tokens, ms) = steady(day);
            (
                day,
                (tasks, if (40..43).contains(&day) || day == 60 { tokens * 4 } else { tokens }, ms),
            )
        };
        // Cost moved as well, for the same reason.
        let tokens = |start, last| ("a".to_owned(), Metric::Tokens, start, last, false);
        assert_eq!(told(&[series("a", (0..90).map(twice))]), [tokens(40, 42), tokens(60, 60)]);
    }

    #[test]
    fn a_weekday_of_its_own_is_usual() {
        let sundays = |day: i32| {
            let (tasks, tokens, ms) = steady(day);
            let times = if day % 7 == 6 { 5 } else { 1 };
            (day, (tasks, tokens * times, ms))
        };
        assert_eq!(told(&[series("a", (0..90).map(sundays))]), []);
    }

    #[test]
    fn few_tasks_are_no_alarm_and_many_are() {
        // Nobody was at work in the week before.
        let few = |tasks| {
            let day = move |day: i32| match day {
                54..60 => (day, (0, 0, 0)),
                60 => (day, (tasks, 5_000, 90_000)),
                _ => (day, steady(day)),
            };
            told(&[series("a", (0..61).map(day))]).len()
        };
        assert_eq!((few(9), few(100)), (0, 1));
    }

    #[test]
    fn what_is_long_past_is_not_looked_through() {
        let slow = |until: i32| {
            let day = move |day: i32| match day {
                80..85 => (day, (100, 5_000, 900_000)),
                _ => (day, steady(day)),
            };
            told(&[series("a", (0..until).map(day))]).len()
        };
        assert_eq!((slow(90), slow(80 + 91), slow(80 + 273)), (1, 1, 0));
    }

    /// What one model costs is no anomaly of the whole.
    #[test]
    fn a_new_model_is_no_anomaly() {
        let other = |day: i32| (day, (300, waver(day, 90_000), waver(day, 400_000)));
        let both =
            [series("a", (0..90).map(|day| (day, steady(day)))), series("b", (45..90).map(other))];
        assert_eq!(told(&both), []);
    }

    #[test]
    fn a_silence_is_told_but_not_a_holiday() {
        let days = |holiday: bool, silence: bool| {
            let at = move |day: i32| {
                let is_there = !(holiday && (40..47).contains(&day) || silence && day >= 60);
                (day, if is_there { steady(day) } else { (0, 0, 0) })
            };
            series(if silence { "b" } else { "a" }, (0..90).map(at))
        };
        assert_eq!(told(&[days(true, false)]), []);
        let told = told(&[days(true, false), days(true, true)]);
        assert_eq!(told.len(), 1, "{told:?}");
        assert_eq!((&*told[0].0, told[0].1, told[0].2), ("b", Metric::Silence, 60));
    }

    #[test]
    fn fewer_successes_are_told_and_more_are_not() {
        let mut it = series("a", (0..80).map(|day| (day, steady(day))));
        for (day, sums) in &mut it.days {
            sums.successes =
                if day.0 - FIRST == 79 { 75 } else { 90 - day.0.unsigned_abs() as u64 % 3 };
        }
        let found = find(std::slice::from_ref(&it));
        let [anomaly] = &found[..] else { panic!("{found:?}") };
        assert_eq!((anomaly.metric, anomaly.direction), (Metric::Success, Direction::Below));
        assert_eq!((anomaly.value, anomaly.samples), (0.75, 100));
        assert!(anomaly.low > 0.75 && anomaly.expected > anomaly.low, "{anomaly:?}");
        if let Some(sums) = it.days.get_mut(&Day(FIRST + 79)) {
            sums.successes = 100;
        }
        assert_eq!(find(&[it]), []);
    }

    /// Two series of any days.
    fn any_series() -> impl Strategy<Value = Vec<Series>> {
        let level = prop_oneof![Just(0), 1_000u64..100_000, Just(COUNT_MAX)];
        let tasks = prop_oneof![0u64..3, 1u64..300];
        let days = prop::collection::vec((tasks, level.clone(), level), 0..70);
        prop::collection::vec(days, 1..3).prop_map(|all| {
            let one = |(days, name): (Vec<Tasks>, &str)| series(name, (0..).zip(days));
            all.into_iter().zip(["a", "b"]).map(one).collect()
        })
    }

    /// Two series with tasks whose levels scatter, and now and then jump.
    fn lively_series() -> impl Strategy<Value = Vec<Series>> {
        let level = || prop_oneof![9 => 4_000u64..5_000, 1 => 20_000u64..40_000];
        let days = prop::collection::vec((20u64..60, level(), level()), 30..60);
        prop::collection::vec(days, 1..3).prop_map(|all| {
            let one = |(days, name): (Vec<Tasks>, &str)| series(name, (0..).zip(days));
            all.into_iter().zip(["a", "b"]).map(one).collect()
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn every_ledger_can_be_judged(series in any_series()) {
            for anomaly in find(&series) {
                prop_assert!(anomaly.score.is_finite() && anomaly.expected.is_finite());
                prop_assert!(anomaly.start <= anomaly.last && anomaly.start <= anomaly.found);
                prop_assert!(!anomaly.evidence().contains("NaN"));
            }
        }

        /// What is found on an evening is what is found later of that evening.
        #[test]
        fn the_future_changes_nothing(series in lively_series(), evening in 20i32..60) {
            let evening = Day(FIRST + evening);
            let then: Vec<Series> = series.iter().cloned().map(|mut it| {
                it.days.retain(|day, _| *day <= evening);
                it
            }).collect();
            let mut later = series.clone();
            later[0].days.insert(Day(FIRST + 400_000), sums((100, 7, 7)));
            let key = |it: &Anomaly| {
                (it.series.clone(), it.metric, it.start, it.found, it.score.to_bits(), it.evidence())
            };
            let then: Vec<_> = find(&then).iter().map(key).collect();
            let later = find(&later);
            let later: Vec<_> = later.iter().filter(|it| it.found <= evening).map(key).collect();
            prop_assert_eq!(then, later);
        }

        /// Milliseconds or seconds: the same days are unlike the others.
        #[test]
        fn the_unit_changes_nothing(series in lively_series(), power in 1u32..4) {
            let times = 10u64.pow(power);
            let scaled: Vec<Series> = series.iter().cloned().map(|mut it| {
                for sums in it.days.values_mut() {
                    let mut durations = crate::report::histogram::Histogram::default();
                    for (value, count) in sums.durations.in_order() {
                        let value = value * times;
                        (0..count).for_each(|_| durations.add(Bucket::of(value), value));
                    }
                    sums.durations = durations;
                    sums.prompt_tokens *= u128::from(times);
                    sums.cost_micros *= u128::from(times);
                }
                it
            }).collect();
            let key = |it: &Anomaly| {
                let score = (it.score * 1e6).round() as i64;
                (it.series.clone(), it.metric, it.direction, it.start, it.found, it.last, score)
            };
            let of = |series: &[Series]| find(series).iter().map(key).collect::<Vec<_>>();
            prop_assert_eq!(of(&scaled), of(&series));
        }
    }
}
