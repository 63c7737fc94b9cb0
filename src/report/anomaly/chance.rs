//! How likely chance alone is, on one scale: standard deviations of a normal distribution.

/// What makes the median absolute deviation of normal values their standard deviation: 1 / Φ⁻¹(¾).
pub(crate) const MAD_SCALE: f64 = 1.4826;

/// No window has more days.
pub(crate) const VALUES_MAX: usize = 28;

/// The value that a normal variable exceeds with the probability whose natural logarithm is given
/// (Abramowitz & Stegun 1964, 26.2.23: off by less than 0.00045); 0 for one half and more.
pub(crate) fn score_of(ln_probability: f64) -> f64 {
    if ln_probability >= -std::f64::consts::LN_2 {
        return 0.0;
    }
    let t = (-2.0 * ln_probability).sqrt();
    let above = 2.515_517 + t * (0.802_853 + t * 0.010_328);
    let below = 1.0 + t * (1.432_788 + t * (0.189_269 + t * 0.001_308));
    t - above / below
}

/// The normal score that is as unlikely as `t` of Student's distribution with `freedom` degrees of
/// freedom (Wallace 1959): a scale that was estimated from few days must not be trusted as a known
/// one.
pub(crate) fn score_of_t(t: f64, freedom: f64) -> f64 {
    let shrink = (8.0 * freedom + 1.0) / (8.0 * freedom + 3.0);
    (shrink * (freedom * (t * t / freedom).ln_1p()).sqrt()).copysign(t)
}

/// The `t` whose score is this: where [`score_of_t`] came from.
pub(crate) fn t_of_score(score: f64, freedom: f64) -> f64 {
    let shrink = (8.0 * freedom + 1.0) / (8.0 * freedom + 3.0);
    (freedom * ((score / shrink).powi(2) / freedom).exp_m1()).sqrt().copysign(score)
}

/// The first [`VALUES_MAX`] values in order, and how many there are. Sorted as they come: these are
/// days of a window, for which nothing need be allocated.
fn in_order<T: Copy>(
    values: impl Iterator<Item = T>,
    none: T,
    key: impl Fn(&T) -> f64,
) -> ([T; VALUES_MAX], usize) {
    let (mut sorted, mut count) = ([none; VALUES_MAX], 0);
    for value in values.take(VALUES_MAX) {
        let mut at = count;
        while at > 0 && key(&sorted[at - 1]) > key(&value) {
            sorted[at] = sorted[at - 1];
            at -= 1;
        }
        sorted[at] = value;
        count += 1;
    }
    (sorted, count)
}

/// Where half of the weight of these values lies below and half above. None where there is no
/// weight.
pub(crate) fn weighted_median(values: impl Iterator<Item = (f64, f64)>) -> Option<f64> {
    let (values, count) = in_order(values, (0.0, 0.0), |(value, _)| *value);
    let values = &values[..count];
    let half = values.iter().map(|(_, weight)| weight).sum::<f64>() / 2.0;
    let mut below = 0.0;
    for (at, (value, weight)) in values.iter().enumerate() {
        below += weight;
        if below > half {
            return Some(*value);
        }
        // Exactly half: between this value and the next.
        if below == half {
            let next = values.get(at + 1).map_or(*value, |(next, _)| *next);
            return Some((value + next) / 2.0);
        }
    }
    None
}

/// The middle of values that weigh the same, of the first [`VALUES_MAX`].
pub(crate) fn median(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (sorted, count) = in_order(values, 0.0, |value| *value);
    let half = count / 2;
    match count % 2 {
        _ if count == 0 => None,
        0 => Some((sorted[half - 1] + sorted[half]) / 2.0),
        _ => Some(sorted[half]),
    }
}

/// The score of finding `part` of `whole` where the rate is `rate`, known from `known` others: the
/// difference of arcsines of square roots, with the correction for small counts of Anscombe (1948).
/// Also what that difference is.
pub(crate) fn score_of_rate(part: u64, whole: u64, rate: f64, known: f64) -> (f64, f64) {
    let n = whole as f64;
    let angle = ((part as f64 + 0.375) / (n + 0.75)).sqrt().asin();
    let shift = angle - rate.sqrt().asin();
    (2.0 * shift * (n + 0.5).sqrt() / (1.0 + n / known).sqrt(), shift)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_are_those_of_the_tables() {
        for (probability, score) in
            [(0.5, 0.0), (0.158_655, 1.0), (0.022_750, 2.0), (0.001_350, 3.0), (3.167e-5, 4.0)]
        {
            assert!((score_of(f64::ln(probability)) - score).abs() < 5e-4, "{probability}");
        }
        // No probability is too small: this is e⁻⁵⁰⁰⁰.
        assert!((score_of(-5_000.0) - 99.9).abs() < 0.1);
    }

    /// Student's t at the one-sided probabilities 0.025 and 0.0005.
    #[test]
    fn few_days_make_a_deviation_less_surprising() {
        for (freedom, t, score) in
            [(10.0, 2.228, 1.960), (27.0, 3.690, 3.291), (13.0, 4.221, 3.291)]
        {
            assert!((score_of_t(t, freedom) - score).abs() < 0.01, "{freedom}");
            assert!((score_of_t(-t, freedom) + score).abs() < 0.01, "{freedom}");
            assert!((t_of_score(score, freedom) - t).abs() < 0.02, "{freedom}");
        }
    }

    #[test]
    fn the_median_is_where_half_of_the_weight_lies() {
        assert_eq!(median([3.0, 1.0, 2.0].into_iter()), Some(2.0));
        assert_eq!(median([4.0, 1.0, 2.0, 3.0].into_iter()), Some(2.5));
        assert_eq!(weighted_median([(1.0, 1.0), (2.0, 1.0), (9.0, 5.0)].into_iter()), Some(9.0));
        assert_eq!(median(std::iter::empty()), None);
    }

    /// Exact binomial tails: 25 or more of 100 at 0.1 is 1.19 × 10⁻⁵, 3 or more of 5 at 0.02 is
    /// 7.8 × 10⁻⁵. Never more surprised than these.
    #[test]
    fn rates_are_judged_about_as_the_binomial_does() {
        for (part, whole, rate, tail) in [(25, 100, 0.1, 1.19e-5), (3, 5, 0.02, 7.8e-5)] {
            let (score, _) = score_of_rate(part, whole, rate, f64::INFINITY);
            let exact = score_of(f64::ln(tail));
            assert!(score < exact + 0.02 && score > exact - 0.4, "{score} {exact}");
        }
    }
}
