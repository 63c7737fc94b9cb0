//! One metric of one series on one or more days against what is usual, whatever the series is of.

use crate::report::anomaly::baseline::Baseline;
use crate::report::anomaly::chance::{score_of_rate, score_of_t, t_of_score};
use crate::report::anomaly::finding::Metric;
use crate::report::anomaly::leaf::{Leaf, Rate};
use crate::report::histogram::Histogram;
use crate::report::interval;
use crate::timestamp::Day;

/// Less than a quarter more or less is not worth a person's time, however sure it is.
const RATIO_MIN: f64 = 1.25;

/// Nor are fewer than five points of the rate of success.
const POINTS_MIN: f64 = 0.05;

/// Fewer tasks are an anecdote.
const TASKS_MIN: u64 = 10;

/// So many degrees of freedom are as good as a normal distribution.
const FREEDOM_MAX: f64 = 1e6;

/// What is usual of one leaf on one day.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Usual {
    /// In the order of [`Metric::RATIOS`].
    pub(crate) baselines: [Option<Baseline>; 3],
    /// Of success.
    pub(crate) rate: Option<Rate>,
}

impl Usual {
    /// What is usual of a leaf on that day.
    pub(crate) fn of(leaf: &Leaf<'_>, day: Day) -> Usual {
        let baselines = Metric::RATIOS.map(|metric| leaf.baseline(metric, day));
        Usual { baselines, rate: leaf.rate(day) }
    }

    fn baseline(&self, metric: Metric) -> Option<&Baseline> {
        self.baselines[Metric::RATIOS.iter().position(|it| *it == metric)?].as_ref()
    }
}

/// How far the days lie from what is usual.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reading {
    /// On the metric's own scale: logarithms, or arcsines of square roots; above 0 is more.
    pub(crate) shift: f64,
    /// The standard error that chance gives it.
    error: f64,
    freedom: f64,
    /// How many tasks say so.
    pub(crate) tasks: u64,
    /// Of how many leaves.
    pub(crate) leaves: usize,
    /// How many of the tasks succeeded, and which share was expected to.
    success: Option<(u64, f64, f64)>,
}

/// A reading in the metric's own unit.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Values {
    pub(crate) value: f64,
    pub(crate) expected: f64,
    pub(crate) low: f64,
    pub(crate) high: f64,
}

/// What one leaf adds to a reading.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Part {
    /// Of a metric that is a ratio.
    Ratio {
        tasks: f64,
        /// How far the days lie from what is usual, times tasks.
        shift: f64,
        /// The variance of that.
        variance: f64,
        freedom: f64,
    },
    /// Of success: how many failed, and of how many that is expected of which share, known from so
    /// many others.
    Success { failures: u64, tasks: u64, failing: f64, known: f64 },
}

impl Part {
    /// Reads a metric of a leaf on the days from one to the other; None where nothing is known.
    pub(crate) fn of(
        leaf: &Leaf<'_>,
        usual: &Usual,
        metric: Metric,
        (from, to): (Day, Day),
    ) -> Option<Part> {
        if metric == Metric::Success {
            let Rate { failing, tasks: known } = usual.rate?;
            let (failures, tasks) = leaf.failures(from, to);
            return (tasks > 0).then_some(Part::Success { failures, tasks, failing, known });
        }
        let baseline = usual.baseline(metric)?;
        let (mut precision, mut sum, mut tasks) = (0.0, 0.0, 0.0);
        for point in leaf.points(metric, from, to) {
            let (residual, variance) = baseline.residual(&point);
            precision += 1.0 / variance;
            sum += residual / variance;
            tasks += point.tasks;
        }
        // A leaf counts by its tasks: by its scatter, one that by chance seemed even would count for
        // too much.
        (precision > 0.0).then(|| Part::Ratio {
            tasks,
            shift: tasks * sum / precision,
            variance: tasks * tasks * (1.0 / precision + baseline.variance),
            freedom: baseline.freedom,
        })
    }
}

impl Reading {
    /// What these leaves come to. A series that is made of several is read as the mean of what these
    /// deviate, each from its own past: so a change of their shares, a new model for instance, is no
    /// deviation. None where nothing is known.
    pub(crate) fn of(parts: impl Iterator<Item = Part>) -> Option<Reading> {
        let (mut shift, mut variance, mut doubt) = (0.0, 0.0, 0.0);
        let (mut failures, mut all_tasks, mut count) = (0, 0, 0);
        let (mut expected, mut ratio_tasks, mut rate_doubt) = (0.0, 0.0, 0.0);
        for part in parts {
            count += 1;
            match part {
                Part::Ratio { tasks, shift: own_shift, variance: own, freedom } => {
                    shift += own_shift;
                    variance += own;
                    doubt += own * own / freedom;
                    ratio_tasks += tasks;
                }
                Part::Success { failures: failed, tasks, failing, known } => {
                    failures += failed;
                    all_tasks += tasks;
                    expected += tasks as f64 * failing;
                    rate_doubt += (tasks as f64).powi(2) / known;
                }
            }
        }
        if count == 0 {
            return None;
        }
        if all_tasks == 0 {
            return Some(Reading {
                shift: shift / ratio_tasks,
                error: variance.sqrt() / ratio_tasks,
                // Welch and Satterthwaite: of what is put together, each knows its own scatter.
                freedom: variance * variance / doubt,
                tasks: ratio_tasks as u64,
                leaves: count,
                success: None,
            });
        }
        // What is expected is the sum of what is expected of each leaf. Such a sum scatters less than
        // a binomial of their mean rate (Hoeffding 1956), so taking it for one errs to the safe side.
        let failing = expected / all_tasks as f64;
        let known = (all_tasks as f64).powi(2) / rate_doubt;
        let (score, shift) = score_of_rate(failures, all_tasks, failing, known);
        Some(Reading {
            shift: -shift,
            error: if shift == 0.0 { 1.0 } else { shift / score },
            freedom: FREEDOM_MAX,
            tasks: all_tasks,
            leaves: count,
            success: Some((all_tasks - failures, 1.0 - failing, known)),
        })
    }

    /// How unlikely it is by chance, where single days have scattered `times` as much as they should
    /// by their parts; below 0 is less than usual.
    pub(crate) fn score(&self, times: f64) -> f64 {
        score_of_t(self.shift / (self.error * times), self.freedom)
    }

    /// Whether it is large enough to be told, however sure it is.
    pub(crate) fn is_large(&self) -> bool {
        let is_large = match self.success {
            // More successes than usual are good news.
            Some((part, expected, known)) => {
                let before = ((expected * known).round() as u64, known.round() as u64);
                let points = expected - part as f64 / self.tasks as f64;
                points >= POINTS_MIN && !interval::may_be_chance((part, self.tasks), before)
            }
            None => self.shift.abs() >= RATIO_MIN.ln(),
        };
        is_large && self.tasks >= TASKS_MIN
    }

    /// The same in the metric's own unit. Nothing would have been said up to `score`.
    pub(crate) fn values(
        &self,
        leaves: &[(&Leaf<'_>, &Usual)],
        metric: Metric,
        (from, to): (Day, Day),
        score: f64,
        times: f64,
    ) -> Values {
        let margin = t_of_score(score, self.freedom) * self.error * times;
        if let Some((part, expected, _)) = self.success {
            let angle = ((1.0 - expected).sqrt().asin() + margin).min(std::f64::consts::FRAC_PI_2);
            let value = part as f64 / self.tasks as f64;
            return Values { value, expected, low: 1.0 - angle.sin().powi(2), high: 1.0 };
        }
        let value = total(leaves, metric, from, to);
        let expected = value / self.shift.exp();
        let (low, high) = (expected / margin.exp(), expected * margin.exp());
        Values { value, expected, low, high }
    }
}

/// What a task of these days took, of the leaves that were judged.
fn total(leaves: &[(&Leaf<'_>, &Usual)], metric: Metric, from: Day, to: Day) -> f64 {
    let (mut sum, mut tasks, mut durations) = (0u128, 0u64, Histogram::default());
    for (leaf, _) in leaves.iter().filter(|(_, usual)| usual.baseline(metric).is_some()) {
        for point in leaf.points(metric, from, to) {
            let Some(sums) = leaf.series.days.get(&point.day) else { continue };
            match metric {
                Metric::Tokens => sum += sums.total_tokens(),
                Metric::Cost => sum += sums.cost_micros,
                _ => durations.merge(&sums.durations),
            }
            tasks += point.tasks as u64;
        }
    }
    match metric {
        Metric::Duration => durations.percentile(50).unwrap_or_default() as f64,
        _ => sum as f64 / tasks as f64,
    }
}
