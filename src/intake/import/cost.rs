//! What a request cost: its own list price, before it is summed up with others. A tier of long prompts
//! or a dearer mode is of one request, and can no longer be told from a sum.

use crate::intake::import::usage::Usage;
use crate::pricing::Prices;
use crate::pricing::rates;
use crate::timestamp::{Instant, Timestamp};

/// How many times the price a model costs in its fast mode.
const FAST: [(&str, u128); 3] =
    [("claude-opus-5-5", 2), ("claude-opus-5", 2), ("claude-opus-4-8", 2)];

/// Models that cost a tenth more where they are to be answered in the United States.
const US: [&str; 13] = [
    "claude-opus-5-5",
    "claude-opus-5",
    "claude-opus-4-8",
    "claude-opus-4-7",
    "claude-opus-4-6",
    "claude-sonnet-5-5",
    "claude-sonnet-5",
    "claude-sonnet-4-6",
    "claude-haiku-5-5",
    "claude-fable-5-1",
    "claude-fable-5",
    "claude-mythos-5-1",
    "claude-mythos-5",
];

/// The usual name of a model: that under which it has a price.
pub fn name(prices: &Prices, model: &str) -> Option<String> {
    prices.listed(model).first().map(|listing| listing.model.to_string())
}

/// What so many requests cost together, in 10⁻¹² dollars; None where the model has no price.
pub fn pico(prices: &Prices, model: &str, at: Instant, usage: &Usage, count: u64) -> Option<u128> {
    let listings = prices.listed(model);
    let day = Timestamp::utc(at).day();
    // The newest price that is not later, else the oldest.
    let newest = listings.partition_point(|it| it.day <= day).saturating_sub(1);
    let listing = listings.get(newest)?;
    let is_long = |above: u64| count == 1 && usage.prompt > above;
    let tier = listing.tiers.iter().rfind(|tier| is_long(tier.above_tokens));
    let rates = tier.map_or(&listing.rates, |tier| &tier.rates);
    let mut cost = rates.pico(&rates::Usage {
        prompt: usage.prompt,
        completion: usage.completion,
        cache_read: usage.cache_read,
        cache_write: usage.cache_write,
        cache_write_1h: usage.cache_write_1h,
    });
    if usage.is_fast {
        cost *= FAST.iter().find(|(name, _)| **name == *listing.model)?.1;
    }
    if usage.is_us && US.contains(&&*listing.model) {
        cost = cost * 11 / 10;
    }
    Some(cost)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_and_long_prompts_are_of_one_request() {
        let prices = Prices::default();
        let at = Instant { seconds: 1_795_000_000, nanos: 0 };
        let cost = |model: &str, usage: Usage, count| pico(&prices, model, at, &usage, count);
        let usage = Usage { prompt: 100, completion: 10, ..Usage::default() };
        let usual = cost("claude-opus-5-5", usage, 1).unwrap();
        assert_eq!(usual, 600_000_000);
        let fast = Usage { is_fast: true, ..usage };
        assert_eq!(cost("claude-opus-5-5", fast, 1), Some(usual * 2));
        assert_eq!(cost("claude-haiku-5-5", fast, 1), None);
        assert_eq!(
            cost("claude-opus-5-5", Usage { is_us: true, ..usage }, 1),
            Some(usual * 11 / 10)
        );
        assert_eq!(cost("acme-coder-7b", usage, 1), None);
        let long = Usage { prompt: 100_001, ..Usage::default() };
        assert_eq!(cost("claude-haiku-5-5", long, 1), Some(100_001 * 500_000));
        assert_eq!(cost("claude-haiku-5-5", long, 2), Some(100_001 * 100_000));
        assert_eq!(
            name(&prices, "us.anthropic.claude-opus-5-5").as_deref(),
            Some("claude-opus-5-5")
        );
        assert_eq!(name(&prices, "acme"), None);
    }
}
