//! How many events a line stands for, and figures of lines that stand for several.

use std::collections::BTreeMap;

use crate::figures;
use crate::report::histogram;

/// Parts of one event: exact for every share of six digits, and sums do not depend on their order.
const PARTS: u128 = 1_000_000;

/// One line does not stand for more events than this, however small its share is said to be.
const EVENTS_MAX: f64 = 1e9;

/// A number of events, or a part of one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Weight(u128);

impl Weight {
    /// No event.
    pub const NONE: Weight = Weight(0);

    /// One event.
    pub const ONE: Weight = Weight(PARTS);

    /// What a line stands for of which this share is kept.
    pub fn of(sample: Option<f64>) -> Weight {
        match sample {
            None => Weight::ONE,
            Some(share) => Weight((PARTS as f64 * (1.0 / share).clamp(1.0, EVENTS_MAX)) as u128),
        }
    }

    /// Adds other events.
    pub fn add(&mut self, other: Weight) {
        self.0 = self.0.saturating_add(other.0);
    }

    /// In whole events, rounded half up.
    pub fn count(self) -> u64 {
        u64::try_from(figures::divided(self.0, PARTS)).unwrap_or(u64::MAX)
    }

    /// Whether it is nothing.
    pub fn is_none(self) -> bool {
        self.0 == 0
    }
}

/// The sum of some figures, each as often as its line says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sum {
    sum: u128,
    weight: Weight,
}

impl Sum {
    /// Adds a figure.
    pub fn add(&mut self, value: u64, weight: Weight) {
        self.sum = self.sum.saturating_add(u128::from(value).saturating_mul(weight.0));
        self.weight.add(weight);
    }

    /// Adds other figures.
    pub fn merge(&mut self, other: Sum) {
        self.sum = self.sum.saturating_add(other.sum);
        self.weight.add(other.weight);
    }

    /// Their mean, rounded half up; None where there are none.
    pub fn mean(self) -> Option<u64> {
        let mean = figures::divided(self.sum, self.weight.0);
        (!self.weight.is_none()).then(|| u64::try_from(mean).unwrap_or(u64::MAX))
    }
}

/// Durations, each as often as its line says: the percentiles are those of a
/// [`histogram::Histogram`], whose counts are whole, wherever every line stands for one event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Durations {
    weights: BTreeMap<u64, Weight>,
    sum: Sum,
    max: u64,
}

impl Durations {
    /// Adds one.
    pub fn add(&mut self, duration_ms: u64, weight: Weight) {
        self.weights.entry(histogram::rounded(duration_ms)).or_default().add(weight);
        self.sum.add(duration_ms, weight);
        self.max = self.max.max(duration_ms);
    }

    /// Adds others.
    pub fn merge(&mut self, other: &Durations) {
        for (value, weight) in &other.weights {
            self.weights.entry(*value).or_default().add(*weight);
        }
        self.sum.merge(other.sum);
        self.max = self.max.max(other.max);
    }

    /// Their figures.
    pub fn lengths(&self) -> Lengths {
        Lengths {
            counted: self.sum.weight.count(),
            mean: self.sum.mean(),
            p50: self.percentile(50),
            p95: self.percentile(95),
            max: (!self.weights.is_empty()).then_some(self.max),
        }
    }

    fn percentile(&self, q: u64) -> Option<u64> {
        let all = self.sum.weight.0;
        // In hundredths first, so that nothing is lost; sums this large are not to be had.
        let mut before = (all.saturating_mul(u128::from(q)) / 100).min(all.checked_sub(1)?);
        for (value, weight) in &self.weights {
            if before < weight.0 {
                return Some((*value).min(self.max));
            }
            before -= weight.0;
        }
        None
    }
}

/// What is said of some durations, in milliseconds; None where there are none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lengths {
    /// How many there are.
    pub counted: u64,
    /// Their mean.
    pub mean: Option<u64>,
    /// The middle one.
    pub p50: Option<u64>,
    /// 95 of 100 are no longer.
    pub p95: Option<u64>,
    /// The longest.
    pub max: Option<u64>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::histogram::{Bucket, Histogram};
    use crate::row::COUNT_MAX;
    use proptest::prelude::*;

    #[test]
    fn a_line_stands_for_what_its_share_says() {
        for (share, events) in [(1.0, 1), (0.1, 10), (0.3, 3), (0.7, 1), (1e-300, 1_000_000_000)] {
            assert_eq!(Weight::of(Some(share)).count(), events, "{share}");
        }
        let mut ten = Weight::default();
        (0..7).for_each(|_| ten.add(Weight::of(Some(0.7))));
        assert_eq!(ten.count(), 10);
    }

    proptest! {
        /// However many events each line stands for, as long as it is the same number.
        #[test]
        fn percentiles_are_those_of_the_histogram(
            values in prop::collection::vec(0..=COUNT_MAX, 0..300),
            share in prop::sample::select(vec![None, Some(1.0), Some(0.1), Some(0.25), Some(0.003)]),
        ) {
            let (mut durations, mut histogram) = (Durations::default(), Histogram::default());
            for value in &values {
                durations.add(*value, Weight::of(share));
                histogram.add(Bucket::of(*value), *value);
            }
            let lengths = durations.lengths();
            prop_assert_eq!(lengths.p50, histogram.percentile(50));
            prop_assert_eq!(lengths.p95, histogram.percentile(95));
            prop_assert_eq!(lengths.max, histogram.max());
        }

        /// A line that stands for several is as good as several lines.
        #[test]
        fn a_weight_is_a_repetition(lines in prop::collection::vec((0u64..5_000, 1u32..6), 1..60)) {
            let (mut weighed, mut repeated) = (Durations::default(), Durations::default());
            for (value, times) in &lines {
                weighed.add(*value, Weight(u128::from(*times) * PARTS));
                (0..*times).for_each(|_| repeated.add(*value, Weight::ONE));
            }
            prop_assert_eq!(weighed.lengths(), repeated.lengths());
        }
    }
}
