//! How far chance alone may move a success rate.

/// The 97.5 % quantile of the normal distribution: for intervals of 95 %.
const Z: f64 = 1.959_963_984_540_054;

/// Wilson's score interval of a rate `part / whole` at 95 %, without continuity correction (Wilson
/// 1927); `whole` is not 0.
pub fn wilson(part: u64, whole: u64) -> (f64, f64) {
    let n = whole as f64;
    let p = part as f64 / n;
    let centre = p + Z * Z / (2.0 * n);
    let spread = Z * (p * (1.0 - p) / n + Z * Z / (4.0 * n * n)).sqrt();
    let scale = 1.0 + Z * Z / n;
    (((centre - spread) / scale).max(0.0), ((centre + spread) / scale).min(1.0))
}

/// Whether chance alone explains the difference of two rates: its interval contains 0. Neither whole
/// is 0.
pub fn may_be_chance(now: (u64, u64), before: (u64, u64)) -> bool {
    let (lower, upper) = newcombe(now, before);
    lower <= 0.0 && upper >= 0.0
}

/// Newcombe's hybrid score interval of the difference of two rates at 95 % (Newcombe 1998, method
/// 10). Neither whole is 0.
pub fn newcombe(now: (u64, u64), before: (u64, u64)) -> (f64, f64) {
    let rate = |(part, whole): (u64, u64)| part as f64 / whole as f64;
    let (p1, p2) = (rate(now), rate(before));
    let ((l1, u1), (l2, u2)) = (wilson(now.0, now.1), wilson(before.0, before.1));
    let difference = p1 - p2;
    let lower = difference - ((p1 - l1).powi(2) + (u2 - p2).powi(2)).sqrt();
    let upper = difference + ((u1 - p1).powi(2) + (p2 - l2).powi(2)).sqrt();
    (lower, upper)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decimals((low, high): (f64, f64)) -> (i64, i64) {
        ((low * 1e4).round() as i64, (high * 1e4).round() as i64)
    }

    /// Newcombe's own worked figures (Statistics in Medicine 17, 1998).
    #[test]
    fn intervals_are_the_published_ones() {
        assert_eq!(decimals(wilson(81, 263)), (2553, 3662));
        assert_eq!(decimals(wilson(15, 148)), (624, 1605));
        assert_eq!(decimals(wilson(0, 20)), (0, 1611));
        assert_eq!(decimals(wilson(1, 29)), (61, 1718));
    }

    /// The same author's figures for differences (Statistics in Medicine 17, 1998, table II).
    #[test]
    fn intervals_of_differences_are_the_published_ones() {
        assert_eq!(decimals(newcombe((56, 70), (48, 80))), (524, 3339));
        assert_eq!(decimals(newcombe((9, 10), (3, 10))), (1705, 8090));
    }

    #[test]
    fn a_small_change_may_be_chance_and_a_large_one_not() {
        assert!(may_be_chance((76, 87), (109, 118)));
        assert!(!may_be_chance((56, 70), (48, 80)));
        assert!(may_be_chance((10, 10), (10, 10)));
    }
}
