//! What is usual: the level of a series over the days before, how its weekdays differ, and how far
//! its days scatter.

use std::cmp::Ordering;

use crate::report::anomaly::chance::{MAD_SCALE, VALUES_MAX, median, weighted_median};
use crate::timestamp::Day;

/// Four weeks of days with tasks: every weekday four times, short enough to follow what drifts.
pub(crate) const WINDOW_DAYS: usize = VALUES_MAX;

/// Days with tasks are looked for no further back: what was usual two months ago is no measure.
pub(crate) const WINDOW_AGE_DAYS: i32 = 56;

/// With fewer days nothing is said: Student's distribution would ask for deviations that no fault
/// has.
pub(crate) const DAYS_MIN: usize = 14;

/// Iglewicz & Hoaglin (1993): a modified z-score above 3.5 marks an outlier, which says nothing of
/// what is usual.
const OUTLIER: f64 = 3.5;

/// Days of one series differ by at least so much (as a logarithm: 2 %), however even its past was.
const SCATTER_MIN: f64 = 0.02;

/// A weekday differs from the others only by what exceeds so many of its own standard errors (soft
/// thresholding, Donoho & Johnstone 1994): four Sundays are too few to believe them to the letter.
const RHYTHM_ERRORS: f64 = 2.0;

/// One day of one metric.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Point {
    /// Which.
    pub(crate) day: Day,
    /// Where its tasks lie, on the logarithmic scale.
    pub(crate) at: f64,
    /// How many tasks say so.
    pub(crate) tasks: f64,
}

/// What is usual.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Baseline {
    /// The level, on the logarithmic scale.
    centre: f64,
    /// How sure the level is, as a variance.
    pub(crate) variance: f64,
    /// What each weekday adds.
    weekdays: [f64; 7],
    /// How far one task scatters, as a variance.
    task_variance: f64,
    /// What a day scatters by itself, in parts of that.
    day_share: f64,
    /// How many days say so, less one.
    pub(crate) freedom: f64,
    /// Whether a day's level is the logarithm of a mean.
    is_of_means: bool,
}

impl Point {
    /// What a place for one holds before it is taken.
    pub(crate) const NONE: Point = Point { day: Day(0), at: 0.0, tasks: 0.0 };
}

impl Baseline {
    /// From the days of a window; None where there are too few.
    pub(crate) fn of(points: &[Point], is_of_means: bool) -> Option<Baseline> {
        if points.len() < DAYS_MIN {
            return None;
        }
        // What a day scatters by itself is not known yet: as much as by its tasks, on a usual day.
        let neutral = 1.0 / median(points.iter().map(|point| point.tasks))?;
        let mut weights = [0.0; WINDOW_DAYS];
        for (weight, point) in weights.iter_mut().zip(points) {
            *weight = 1.0 / (1.0 / point.tasks + neutral).sqrt();
        }
        let weighted = || points.iter().zip(weights);
        let levels = weighted().map(|(point, weight)| (point.at, weight));
        let centre = weighted_median(levels)?;
        let far = |weekdays: &[f64; 7], (point, weight): (&Point, f64)| {
            (point.at - centre - weekdays[weekday(point)]).abs() * weight
        };
        let scatter = |weekdays: &[f64; 7]| {
            MAD_SCALE * median(weighted().map(|it| far(weekdays, it))).unwrap_or(0.0)
        };
        let weekdays = rhythm(&weighted, centre, scatter(&[0.0; 7]));
        let limit = OUTLIER * scatter(&weekdays).max(SCATTER_MIN);
        let (mut kept, mut count) = ([Point::NONE; WINDOW_DAYS], 0);
        for (point, _) in weighted().filter(|it| far(&weekdays, *it) <= limit) {
            kept[count] = Point { at: point.at - weekdays[weekday(point)], ..*point };
            count += 1;
        }
        let kept = &mut kept[..count];
        let usual_tasks = median(kept.iter().map(|point| point.tasks))?;
        // From days that are alike but for their tasks to days whose tasks hardly matter.
        let shares = [0.0, 0.0625, 0.25, 1.0, 4.0, 16.0].map(|times| neutral * times);
        let fits = fit(kept, usual_tasks, shares);
        let first = fits.into_iter().max_by(|one, other| {
            // Of those that are as likely, the first.
            one.likelihood.total_cmp(&other.likelihood).then(Ordering::Greater)
        });
        let Fit { centre, variance, task_variance, day_share, .. } = first?;
        let freedom = kept.len() as f64 - 1.0;
        let mut baseline =
            Baseline { centre, variance, weekdays, task_variance, day_share, freedom, is_of_means };
        if is_of_means {
            kept.iter_mut().for_each(|point| point.at += baseline.lack(point));
            let [level] = fit(kept, usual_tasks, [day_share]);
            baseline.centre = level.centre;
        }
        Some(baseline)
    }

    /// How far a day lies from what is usual, and the variance that chance gives it.
    pub(crate) fn residual(&self, point: &Point) -> (f64, f64) {
        let lack = if self.is_of_means { self.lack(point) } else { 0.0 };
        let residual = point.at + lack - self.centre - self.weekdays[weekday(point)];
        let variance = self.task_variance * (1.0 / point.tasks + self.day_share);
        (residual, variance + SCATTER_MIN * SCATTER_MIN)
    }

    /// How far the logarithm of the mean of a few skewed values lies below that of many: half its
    /// variance, which is that of a log-normal value with the mean's relative variance (Fenton
    /// 1960).
    fn lack(&self, point: &Point) -> f64 {
        (self.task_variance / point.tasks).ln_1p() / 2.0
    }
}

fn weekday(point: &Point) -> usize {
    usize::from(point.day.weekday())
}

/// What each weekday adds, as far as more than one of it says so; the days with their weights.
fn rhythm<'a, I: Iterator<Item = (&'a Point, f64)>>(
    days: &impl Fn() -> I,
    centre: f64,
    scatter: f64,
) -> [f64; 7] {
    let (mut weekdays, mut own) = ([0; WINDOW_DAYS], [(0.0, 0.0); WINDOW_DAYS]);
    for (number, (point, _)) in weekdays.iter_mut().zip(days()) {
        *number = weekday(point);
    }
    std::array::from_fn(|number| {
        let mut count = 0;
        for ((point, weight), _) in days().zip(weekdays).filter(|(_, it)| *it == number) {
            own[count] = (point.at - centre, weight);
            count += 1;
        }
        if count < 2 {
            return 0.0;
        }
        let own = || own[..count].iter().copied();
        let precision: f64 = own().map(|(_, weight)| weight * weight).sum();
        // A median scatters by √(π/2) more than a mean.
        let doubt = RHYTHM_ERRORS * 1.2533 * scatter / precision.sqrt();
        let middle = weighted_median(own()).unwrap_or(0.0);
        (middle.abs() - doubt).max(0.0).copysign(middle)
    })
}

/// What days make of a share that they scatter by themselves.
struct Fit {
    day_share: f64,
    /// How likely it makes the days: the logarithm of the profile likelihood, without constants.
    likelihood: f64,
    centre: f64,
    variance: f64,
    task_variance: f64,
}

/// The level and the scatter for each of these shares; the middle one of the days has so many tasks.
/// All shares in one pass: their sums do not wait for one another.
fn fit<const N: usize>(kept: &[Point], usual_tasks: f64, shares: [f64; N]) -> [Fit; N] {
    let count = kept.len() as f64;
    let (mut weights, mut centres, mut spreads) = ([0.0; N], [0.0; N], [1.0; N]);
    for point in kept {
        let own = 1.0 / point.tasks;
        for at in 0..N {
            let spread = own + shares[at];
            let weight = 1.0 / spread;
            weights[at] += weight;
            centres[at] += point.at * weight;
            // One logarithm for all: beside the middle one they neither vanish nor overflow.
            spreads[at] *= spread * usual_tasks;
        }
    }
    let mut squares = [0.0; N];
    for at in 0..N {
        centres[at] /= weights[at];
    }
    for point in kept {
        let own = 1.0 / point.tasks;
        for at in 0..N {
            squares[at] += (point.at - centres[at]).powi(2) / (own + shares[at]);
        }
    }
    let floor = SCATTER_MIN * SCATTER_MIN / usual_tasks;
    std::array::from_fn(|at| {
        // At least half of the days are kept, so there is more than one.
        let task_variance = squares[at] / (count - 1.0);
        Fit {
            day_share: shares[at],
            likelihood: -(count * task_variance.max(floor).ln() + spreads[at].ln()) / 2.0,
            centre: centres[at],
            variance: task_variance / weights[at] + SCATTER_MIN * SCATTER_MIN / count,
            task_variance,
        }
    })
}
