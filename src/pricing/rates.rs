//! What tokens cost: whole numbers of 10⁻¹² dollars, rounded once, half up, to millionths of a dollar.

use crate::figures;

/// 10⁻¹² dollars in a millionth of a dollar. A dollar per million tokens is as many for each token.
pub const PICO_PER_MICRO: u64 = 1_000_000;

/// Prices of one token, in 10⁻¹² dollars.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rates {
    /// What was read, but for the caches.
    pub input: u64,
    /// What was written.
    pub output: u64,
    /// What was written to a cache for five minutes.
    pub cache_write: u64,
    /// What was written to a cache for an hour.
    pub cache_write_1h: u64,
    /// What was read from a cache.
    pub cache_read: u64,
}

/// The tokens of one row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Everything that was read, the caches included.
    pub prompt: u64,
    /// Everything that was written.
    pub completion: u64,
    /// Of the prompt, what came from a cache.
    pub cache_read: u64,
    /// Of the prompt, what was written to a cache for five minutes.
    pub cache_write: u64,
    /// Of the prompt, what was written to a cache for an hour.
    pub cache_write_1h: u64,
}

impl Rates {
    /// The cost in millionths of a dollar.
    pub fn cost(&self, usage: &Usage) -> u128 {
        rounded(self.pico(usage))
    }

    /// The cost in 10⁻¹² dollars, for a part of what is summed up and then rounded.
    pub fn pico(&self, usage: &Usage) -> u128 {
        // A hand-made tag may say that more came from the caches than was read at all.
        let mut rest = usage.prompt;
        let mut part = |tokens: u64| {
            let part = tokens.min(rest);
            rest -= part;
            u128::from(part)
        };
        let (read, write, write_1h) =
            (part(usage.cache_read), part(usage.cache_write), part(usage.cache_write_1h));
        let priced = [
            (u128::from(rest), self.input),
            (read, self.cache_read),
            (write, self.cache_write),
            (write_1h, self.cache_write_1h),
            (u128::from(usage.completion), self.output),
        ];
        priced.into_iter().map(|(tokens, rate)| tokens * u128::from(rate)).sum()
    }

    /// The cost in millionths of a dollar where no cache is known of.
    #[inline(always)]
    pub fn plain_cost(&self, prompt: u64, completion: u64) -> u128 {
        let input = u128::from(prompt) * u128::from(self.input);
        rounded(input + u128::from(completion) * u128::from(self.output))
    }
}

/// 10⁻¹² dollars as millionths of a dollar. Nearly all rows cost less than 18 million dollars: then
/// the division takes a few instructions.
#[inline(always)]
fn rounded(pico: u128) -> u128 {
    match u64::try_from(pico) {
        Ok(pico) => {
            let (whole, rest) = (pico / PICO_PER_MICRO, pico % PICO_PER_MICRO);
            u128::from(whole + u64::from(rest >= PICO_PER_MICRO / 2))
        }
        Err(_) => rounded_long(pico),
    }
}

#[cold]
#[inline(never)]
fn rounded_long(pico: u128) -> u128 {
    figures::divided(pico, PICO_PER_MICRO.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn without_caches_both_ways_agree(
            prompt in prop_oneof![0u64..1_000_000, 0u64..=1 << 53],
            completion in prop_oneof![0u64..1_000_000, 0u64..=1 << 53],
            input in 0u64..=1 << 40,
            output in 0u64..=1 << 40,
        ) {
            let rates = Rates { input, output, ..Rates::default() };
            let usage = Usage { prompt, completion, ..Usage::default() };
            prop_assert_eq!(rates.cost(&usage), rates.plain_cost(prompt, completion));
        }
    }

    #[test]
    fn a_row_is_rounded_half_up_once() {
        let rates = Rates { input: 1, output: 1, ..Rates::default() };
        for (prompt, completion, micro) in
            [(499_999, 0, 0), (499_999, 1, 1), (999_999, 500_000, 1), (1_000_000, 500_000, 2)]
        {
            assert_eq!(rates.plain_cost(prompt, completion), micro);
        }
    }

    #[test]
    fn no_more_comes_from_caches_than_was_read() {
        let rates = Rates { input: 5, output: 7, cache_write: 3, cache_write_1h: 4, cache_read: 1 };
        let million = 1_000_000;
        let usage = Usage {
            prompt: 10 * million,
            completion: 0,
            cache_read: 8 * million,
            cache_write: 5 * million,
            cache_write_1h: million,
        };
        assert_eq!(rates.cost(&usage), 8 + 2 * 3);
    }
}
