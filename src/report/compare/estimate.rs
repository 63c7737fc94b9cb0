//! How far chance alone may move a mean, a share or a percentile: intervals at 95 % of the
//! difference of two sides, each worked out from sums that every report has.
//!
//! - A mean or share is a ratio of two sums. Its days are the sample: tasks of one day resemble each
//!   other, so that taking every task for itself would promise too much. The variance of such a
//!   ratio is that of its residuals by day (Cochran 1977, 6.5), and the interval is Welch's, of
//!   Student's t: for means on the logarithmic scale, for shares as they are.
//! - A percentile's own interval is between two elements of the list, whose ranks follow from the
//!   binomial distribution (Conover 1999, 3.2); two of them are joined as Newcombe joins rates.

use crate::report::histogram::Histogram;

/// Student's t at 97.5 % by degrees of freedom: from 1 on, then at some.
const T: [(f64, f64); 36] = [
    (1.0, 12.706),
    (2.0, 4.303),
    (3.0, 3.182),
    (4.0, 2.776),
    (5.0, 2.571),
    (6.0, 2.447),
    (7.0, 2.365),
    (8.0, 2.306),
    (9.0, 2.262),
    (10.0, 2.228),
    (11.0, 2.201),
    (12.0, 2.179),
    (13.0, 2.160),
    (14.0, 2.145),
    (15.0, 2.131),
    (16.0, 2.120),
    (17.0, 2.110),
    (18.0, 2.101),
    (19.0, 2.093),
    (20.0, 2.086),
    (21.0, 2.080),
    (22.0, 2.074),
    (23.0, 2.069),
    (24.0, 2.064),
    (25.0, 2.060),
    (26.0, 2.056),
    (27.0, 2.052),
    (28.0, 2.048),
    (29.0, 2.045),
    (30.0, 2.042),
    (40.0, 2.021),
    (60.0, 2.000),
    (80.0, 1.990),
    (120.0, 1.980),
    (240.0, 1.970),
    (1_000.0, 1.962),
];

/// The 97.5 % quantile of the normal distribution.
const Z: f64 = 1.959_963_984_540_054;

/// Between two lines of the table the larger value is taken: an interval may be too wide, never too
/// narrow.
fn t_quantile(freedom: f64) -> f64 {
    let found = T.iter().rev().find(|(at, _)| *at <= freedom);
    found.map_or(T[0].1, |(_, t)| *t)
}

/// A ratio of two sums, day by day.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ratio {
    /// The ratio itself.
    pub value: f64,
    /// The variance of it; None of a single day.
    variance: Option<f64>,
    /// Degrees of freedom.
    freedom: f64,
}

impl Ratio {
    /// Of the parts and the wholes of days; None where there is no whole.
    pub fn of(days: &[(f64, f64)]) -> Option<Ratio> {
        let (part, whole) = days.iter().fold((0.0, 0.0), |sum, it| (sum.0 + it.0, sum.1 + it.1));
        if whole <= 0.0 {
            return None;
        }
        let value = part / whole;
        let residuals: f64 = days.iter().map(|(y, x)| (y - value * x).powi(2)).sum();
        let n = days.len() as f64;
        let variance = (n > 1.0).then(|| n / (n - 1.0) * residuals / (whole * whole));
        Some(Ratio { value, variance, freedom: n - 1.0 })
    }

    /// The interval of `self - other`.
    pub fn difference(&self, other: &Ratio) -> Option<(f64, f64)> {
        let spread = self.spread(other, |it| it.variance)?;
        let difference = self.value - other.value;
        Some((difference - spread, difference + spread))
    }

    /// The interval of `self / other - 1`.
    pub fn growth(&self, other: &Ratio) -> Option<(f64, f64)> {
        if self.value <= 0.0 || other.value <= 0.0 {
            return None;
        }
        let spread = self.spread(other, |it| Some(it.variance? / (it.value * it.value)))?;
        let growth = self.value / other.value;
        Some((growth * (-spread).exp() - 1.0, growth * spread.exp() - 1.0))
    }

    /// Half of the interval's width, with Welch and Satterthwaite's degrees of freedom.
    fn spread(&self, other: &Ratio, variance: fn(&Ratio) -> Option<f64>) -> Option<f64> {
        let (one, two) = (variance(self)?, variance(other)?);
        let both = one + two;
        if both == 0.0 {
            return Some(0.0);
        }
        let freedom = both * both / (one * one / self.freedom + two * two / other.freedom);
        Some(t_quantile(freedom) * both.sqrt())
    }
}

/// A percentile of durations, and its own interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Percentile {
    /// The percentile itself.
    pub value: f64,
    low: f64,
    high: f64,
}

impl Percentile {
    /// The percentile `q`; None where there are too few durations for an interval.
    pub fn of(durations: &Histogram, q: u64) -> Option<Percentile> {
        let n: u64 = durations.in_order().map(|(_, times)| times).sum();
        let value = durations.percentile(q)? as f64;
        let (n, q) = (n as f64, q as f64 / 100.0);
        let spread = Z * (n * q * (1.0 - q)).sqrt();
        let (low, high) = ((n * q - spread).ceil(), (n * q + spread).ceil());
        if low < 1.0 || high > n {
            return None;
        }
        let low = element(durations, low as u64)? as f64;
        let high = element(durations, high as u64)? as f64;
        (low > 0.0).then_some(Percentile { value, low, high })
    }

    /// The interval of `self / other - 1`.
    pub fn growth(&self, other: &Percentile) -> (f64, f64) {
        let ln = |above: f64, below: f64| (above / below).ln();
        let growth = ln(self.value, other.value);
        let low = (ln(self.value, self.low).powi(2) + ln(other.high, other.value).powi(2)).sqrt();
        let high = (ln(self.high, self.value).powi(2) + ln(other.value, other.low).powi(2)).sqrt();
        ((growth - low).exp() - 1.0, (growth + high).exp() - 1.0)
    }
}

/// The element of the sorted list at that place, the first being 1.
fn element(durations: &Histogram, place: u64) -> Option<u64> {
    let mut before = 0;
    let mut elements = durations.in_order();
    let found = elements.find(|(_, times)| {
        before += times;
        before >= place
    });
    found.map(|(value, _)| value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::histogram::Bucket;

    fn percent((low, high): (f64, f64)) -> (i64, i64) {
        ((low * 100.0).round() as i64, (high * 100.0).round() as i64)
    }

    #[test]
    fn equal_wholes_make_it_welchs_interval_of_two_means() {
        // Means 20 and 15, variances of them 4 and 1, four days each: t(4.41) is that of 4 at most.
        let days = |values: [f64; 4]| values.map(|value| (value, 1.0));
        let one = Ratio::of(&days([14.0, 18.0, 22.0, 26.0])).unwrap();
        let two = Ratio::of(&days([12.0, 14.0, 16.0, 18.0])).unwrap();
        assert_eq!((one.value, two.value), (20.0, 15.0));
        let spread = 2.776 * (80.0 / 3.0 / 4.0 + 20.0 / 3.0 / 4.0_f64).sqrt();
        let (low, high) = one.difference(&two).unwrap();
        assert!((low - (5.0 - spread)).abs() < 1e-9 && (high - (5.0 + spread)).abs() < 1e-9);
        let (low, high) = one.growth(&two).unwrap();
        assert!(low < 0.0 && (0.33..1.5).contains(&high), "{low} {high}");
    }

    #[test]
    fn a_large_day_weighs_more_and_one_day_says_nothing_of_chance() {
        let one = Ratio::of(&[(10.0, 1.0), (100.0, 99.0)]).unwrap();
        assert!((one.value - 1.1).abs() < 1e-9);
        let single = Ratio::of(&[(10.0, 2.0)]).unwrap();
        assert_eq!((single.value, single.difference(&one), single.growth(&one)), (5.0, None, None));
        assert_eq!(Ratio::of(&[(10.0, 0.0)]), None);
        assert_eq!(Ratio::of(&[]), None);
    }

    #[test]
    fn a_median_lies_between_its_neighbours() {
        let mut durations = Histogram::default();
        (1..=20).for_each(|value| durations.add(Bucket::of(value), value));
        // The textbook's interval for twenty: from the 6th to the 15th.
        let median = Percentile::of(&durations, 50).unwrap();
        assert_eq!((median.value, median.low, median.high), (11.0, 6.0, 15.0));
        // The largest of twenty may be far below the 95th percentile's upper end.
        assert_eq!(Percentile::of(&durations, 95), None);
        let mut twice = Histogram::default();
        (1..=20).for_each(|value| twice.add(Bucket::of(2 * value), 2 * value));
        let twice = Percentile::of(&twice, 50).unwrap();
        assert_eq!(percent(twice.growth(&median)), (1, 295));
        let (low, high) = median.growth(&median);
        assert!(low < 0.0 && high > 0.0);
    }

    #[test]
    fn no_table_promises_too_much() {
        for (freedom, t) in
            [(0.5, 12.706), (1.0, 12.706), (4.4, 2.776), (35.0, 2.042), (1e6, 1.962)]
        {
            assert_eq!(t_quantile(freedom), t);
        }
    }
}
