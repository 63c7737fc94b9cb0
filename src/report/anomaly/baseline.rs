//! What is usual: the level of a series over the days before, how its weekdays differ, and how far
//! its days scatter.

use crate::report::anomaly::chance::{MAD_SCALE, median, weighted_median};
use crate::timestamp::Day;

/// Four weeks of days with tasks: every weekday four times, short enough to follow what drifts.
pub(crate) const WINDOW_DAYS: usize = 28;

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

impl Baseline {
    /// From the days of a window; None where there are too few.
    pub(crate) fn of(points: &[Point], is_of_means: bool) -> Option<Baseline> {
        if points.len() < DAYS_MIN {
            return None;
        }
        // What a day scatters by itself is not known yet: as much as by its tasks, on a usual day.
        let neutral = 1.0 / median(points.iter().map(|point| point.tasks))?;
        let error = |point: &Point| (1.0 / point.tasks + neutral).sqrt();
        let weighted = |point: &Point| (point.at, 1.0 / error(point));
        let centre = weighted_median(&mut points.iter().map(weighted).collect::<Vec<_>>())?;
        let scatter = |weekdays: &[f64; 7]| {
            let offset = |point: &Point| point.at - centre - weekdays[weekday(point)];
            MAD_SCALE * median(points.iter().map(|it| offset(it).abs() / error(it))).unwrap_or(0.0)
        };
        let weekdays = rhythm(points, centre, scatter(&[0.0; 7]), error);
        let limit = OUTLIER * scatter(&weekdays).max(SCATTER_MIN);
        let mut kept: Vec<Point> = points.to_vec();
        kept.iter_mut().for_each(|point| point.at -= weekdays[weekday(point)]);
        kept.retain(|point| (point.at - centre).abs() / error(point) <= limit);
        let mut best: Option<(f64, Baseline)> = None;
        // From days that are alike but for their tasks to days whose tasks hardly matter.
        for times in [0.0, 0.0625, 0.25, 1.0, 4.0, 16.0] {
            let (likelihood, fitted) = fit(&kept, neutral * times)?;
            if best.as_ref().is_none_or(|(most, _)| likelihood > *most) {
                best = Some((likelihood, Baseline { weekdays, ..fitted }));
            }
        }
        let (_, mut baseline) = best?;
        if is_of_means {
            kept.iter_mut().for_each(|point| point.at += baseline.lack(point));
            let (_, level) = fit(&kept, baseline.day_share)?;
            baseline = Baseline { centre: level.centre, is_of_means, ..baseline };
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

/// What each weekday adds, as far as more than one of it says so.
fn rhythm(points: &[Point], centre: f64, scatter: f64, error: impl Fn(&Point) -> f64) -> [f64; 7] {
    let mut weekdays = [0.0; 7];
    for (number, added) in weekdays.iter_mut().enumerate() {
        let own = points.iter().filter(|point| weekday(point) == number);
        let mut own: Vec<(f64, f64)> =
            own.map(|point| (point.at - centre, 1.0 / error(point))).collect();
        if own.len() < 2 {
            continue;
        }
        let precision: f64 = own.iter().map(|(_, weight)| weight * weight).sum();
        // A median scatters by √(π/2) more than a mean.
        let doubt = RHYTHM_ERRORS * 1.2533 * scatter / precision.sqrt();
        let middle = weighted_median(&mut own).unwrap_or(0.0);
        *added = (middle.abs() - doubt).max(0.0).copysign(middle);
    }
    weekdays
}

/// The level and the scatter if days by themselves scatter by this share, and how likely that makes
/// the days (the logarithm of the profile likelihood, without constants).
fn fit(kept: &[Point], day_share: f64) -> Option<(f64, Baseline)> {
    let count = kept.len() as f64;
    let spread = |point: &Point| 1.0 / point.tasks + day_share;
    let weight: f64 = kept.iter().map(|point| 1.0 / spread(point)).sum();
    let centre = kept.iter().map(|point| point.at / spread(point)).sum::<f64>() / weight;
    let square = |point: &Point| (point.at - centre).powi(2) / spread(point);
    let squares: f64 = kept.iter().map(square).sum();
    // At least half of the days are kept, so there is more than one.
    let task_variance = squares / (count - 1.0);
    let spreads: f64 = kept.iter().map(|point| spread(point).ln()).sum();
    let floor = SCATTER_MIN * SCATTER_MIN / median(kept.iter().map(|it| it.tasks))?;
    let likelihood = -(count * task_variance.max(floor).ln() + spreads) / 2.0;
    let variance = task_variance / weight + SCATTER_MIN * SCATTER_MIN / count;
    let freedom = count - 1.0;
    let weekdays = [0.0; 7];
    Some((
        likelihood,
        Baseline {
            centre,
            variance,
            weekdays,
            task_variance,
            day_share,
            freedom,
            is_of_means: false,
        },
    ))
}
