//! Durations counted by their first three digits: exact enough for percentiles, mergeable, and the
//! same whatever the order.

use std::mem;

use serde::{Deserialize, Serialize};

/// So many values are kept as they come: most days of a ledger have fewer, and a table of counts
/// would be a hundred times as large.
const FEW_MAX: usize = 2048;

/// How often each duration occurred, rounded half up to three significant digits. A bucket counts
/// to 2³² − 1; a ledger with more rows in one bucket would be 300 GB long.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Histogram {
    /// The buckets of the first values, in no order; empty once there are counts.
    few: Vec<u16>,
    /// How often each bucket was met, up to the largest.
    counts: Vec<u32>,
    max: u64,
}

impl Histogram {
    /// Counts one value whose bucket is known: it is looked for once, however many groups count it.
    #[inline(always)]
    pub fn add(&mut self, Bucket(bucket): Bucket, value: u64) {
        self.max = self.max.max(value);
        match self.counts.get_mut(usize::from(bucket)) {
            Some(count) => *count = count.saturating_add(1),
            None => self.add_new(bucket),
        }
    }

    /// As [`Histogram::merge`], of one that is not needed any more.
    pub fn absorb(&mut self, other: Histogram) {
        match self.few.is_empty() && self.counts.is_empty() {
            true => *self = other,
            false => self.merge(&other),
        }
    }

    /// What was counted, leaving nothing; a histogram that is used again keeps its room for a few.
    pub fn split_off(&mut self) -> Histogram {
        if !self.counts.is_empty() {
            return mem::take(self);
        }
        let few = self.few.as_slice().to_vec();
        self.few.clear();
        Histogram { few, counts: Vec::new(), max: mem::take(&mut self.max) }
    }

    /// Counts a bucket that has no count yet.
    #[cold]
    fn add_new(&mut self, bucket: u16) {
        if self.counts.is_empty() && self.few.len() < FEW_MAX {
            self.few.push(bucket);
            return;
        }
        self.make_room(usize::from(bucket));
        self.counts[usize::from(bucket)] += 1;
    }

    /// Goes over from single values to counts that reach to this bucket.
    fn make_room(&mut self, bucket: usize) {
        let largest = self.few.iter().copied().max().map_or(bucket, |it| bucket.max(it.into()));
        if largest >= self.counts.len() {
            self.counts.resize(largest + 1, 0);
        }
        for bucket in self.few.drain(..) {
            self.counts[usize::from(bucket)] += 1;
        }
    }

    /// Counts everything that another histogram counted.
    pub fn merge(&mut self, other: &Histogram) {
        self.max = self.max.max(other.max);
        let is_few = self.counts.is_empty() && other.counts.is_empty();
        if is_few && self.few.len() + other.few.len() <= FEW_MAX {
            self.few.extend_from_slice(&other.few);
            return;
        }
        for bucket in &other.few {
            match self.counts.get_mut(usize::from(*bucket)) {
                Some(count) => *count = count.saturating_add(1),
                None => self.add_new(*bucket),
            }
        }
        if let Some(largest) = other.counts.len().checked_sub(1) {
            self.make_room(largest);
            for (mine, theirs) in self.counts.iter_mut().zip(&other.counts) {
                *mine = mine.saturating_add(*theirs);
            }
        }
    }

    /// The element at 0-based index ⌊n·q/100⌋, at most n−1, of the rounded values in order, capped
    /// by the largest value; None where nothing was counted.
    pub fn percentile(&self, q: u64) -> Option<u64> {
        let counted: u64 = self.counts.iter().map(|times| u64::from(*times)).sum();
        let count = counted + self.few.len() as u64;
        let last = count.checked_sub(1)?;
        let mut before = ((u128::from(count) * u128::from(q) / 100) as u64).min(last);
        for (value, times) in self.in_order() {
            if before < times {
                return Some(value.min(self.max));
            }
            before -= times;
        }
        None
    }

    /// Every rounded value with how often it was met, in order; a value may come more than once.
    pub fn in_order(&self) -> impl Iterator<Item = (u64, u64)> {
        let mut few = self.few.clone();
        few.sort_unstable();
        let few = few.into_iter().map(|bucket| (usize::from(bucket), 1));
        let counts = self.counts.iter().map(|times| u64::from(*times)).enumerate();
        let met = few.chain(counts).filter(|(_, times)| *times > 0);
        met.map(|(bucket, times)| (value(bucket), times))
    }

    /// The largest value; None where nothing was counted.
    pub fn max(&self) -> Option<u64> {
        let is_empty = self.few.is_empty() && self.counts.is_empty();
        (!is_empty).then_some(self.max)
    }
}

/// Where a value is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bucket(u16);

impl Bucket {
    /// The bucket of a value.
    pub fn of(value: u64) -> Bucket {
        // There are fewer than 14,000.
        Bucket(bucket(value) as u16)
    }
}

/// A value rounded half up to three significant digits, as it is counted.
pub fn rounded(duration_ms: u64) -> u64 {
    value(bucket(duration_ms))
}

/// The bucket of a value: itself below 1,000, else by its first three digits and their power of ten.
#[inline]
fn bucket(value: u64) -> usize {
    if value < 1_000 {
        return value as usize;
    }
    let power = power(value);
    let unit = POWERS[power];
    // At most 1,000: then the three digits are 100 of the next power, which is the next bucket.
    let rounded = value + unit / 2;
    let digits = match u32::try_from(rounded) {
        Ok(rounded) => ((u128::from(RECIPROCALS[power]) * u128::from(rounded)) >> 64) as u64,
        Err(_) => rounded / unit,
    };
    1_000 + 900 * (power - 1) + (digits as usize - 100)
}

/// Powers of ten.
const POWERS: [u64; 20] = {
    let mut powers = [1; 20];
    let mut at = 1;
    while at < 20 {
        powers[at] = powers[at - 1] * 10;
        at += 1;
    }
    powers
};

/// 2⁶⁴ by the powers of ten, rounded up: to multiply by it and keep the upper half is to divide,
/// exactly for numbers below 2³² and powers up to 10⁷.
const RECIPROCALS: [u64; 8] = {
    let mut reciprocals = [u64::MAX; 8];
    let mut at = 1;
    while at < 8 {
        reciprocals[at] = u64::MAX / POWERS[at] + 1;
        at += 1;
    }
    reciprocals
};

/// The power of ten that leaves three digits of a value of at least 1,000.
#[inline]
fn power(value: u64) -> usize {
    // log₁₀ 2 is 1233/4096 and a little more: this is the number of digits, or one too few.
    let digits = ((64 - value.leading_zeros() as usize) * 1233) >> 12;
    digits + usize::from(value >= POWERS[digits]) - 3
}

fn value(bucket: usize) -> u64 {
    match bucket.checked_sub(1_000) {
        None => bucket as u64,
        Some(above) => (above as u64 % 900 + 100) * 10u64.pow(above as u32 / 900 + 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::row::COUNT_MAX;
    use proptest::prelude::*;

    #[test]
    fn values_are_rounded_half_up_to_three_digits() {
        for (given, rounded) in [
            (0, 0),
            (999, 999),
            (1_000, 1_000),
            (1_004, 1_000),
            (1_005, 1_010),
            (99_949, 99_900),
            (99_950, 100_000),
            (COUNT_MAX, 9_010_000_000_000_000),
        ] {
            assert_eq!(value(bucket(given)), rounded, "{given}");
        }
    }

    proptest! {
        #[test]
        fn rounding_by_reciprocals_is_rounding_by_division(bits in 10u32..54, noise: u64) {
            let value = (noise >> (64 - bits)).clamp(1_000, COUNT_MAX);
            for value in [value, 10u64.pow(value.ilog10()), 10u64.pow(value.ilog10()) - 1] {
                let value = value.max(1_000);
                let power = value.ilog10() - 2;
                let unit = 10u64.pow(power);
                let digits = (value + unit / 2) / unit;
                let expected = 1_000 + 900 * (u64::from(power) - 1) + digits - 100;
                prop_assert_eq!(bucket(value) as u64, expected, "{}", value);
            }
        }

        /// The definition, done the slow way.
        #[test]
        fn percentiles_are_those_of_the_sorted_list(
            values in prop::collection::vec(0..=COUNT_MAX, 1..400),
            split in 0usize..400,
            q in 0u64..=100,
        ) {
            let mut halves = [Histogram::default(), Histogram::default()];
            for (at, value) in values.iter().enumerate() {
                halves[usize::from(at < split)].add(Bucket::of(*value), *value);
            }
            let [mut merged, other] = halves;
            merged.merge(&other);
            let mut sorted: Vec<u64> = values.iter().map(|it| value(bucket(*it))).collect();
            sorted.sort_unstable();
            let max = *values.iter().max().unwrap();
            let index = (values.len() * q as usize / 100).min(values.len() - 1);
            prop_assert_eq!(merged.percentile(q), Some(sorted[index].min(max)));
            prop_assert_eq!(merged.max(), Some(max));
        }
    }
}
