//! What a request cost: its own list price, before it is summed up with others. A tier of long prompts
//! or a dearer mode is of one request, and can no longer be told from a sum.

use std::cell::RefCell;
use std::rc::Rc;

use hashbrown::HashMap;

use crate::intake::import::usage::Usage;
use crate::pricing::Prices;
use crate::pricing::rates;
use crate::pricing::table::Listing;
use crate::row::check_model;
use crate::timestamp::{Instant, Timestamp};

/// Where a source does not say which model it was.
pub const UNKNOWN_MODEL: &str = "unknown";

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

/// A price list, and what is known of the models that were looked up in it.
pub struct Book<'a> {
    prices: &'a Prices,
    known: RefCell<HashMap<Rc<str>, Rc<Model<'a>>>>,
}

/// A model.
pub struct Model<'a> {
    /// Its usual name, under which it has a price; else the name by which it was called.
    pub name: Rc<str>,
    listings: &'a [Listing],
}

impl<'a> Book<'a> {
    /// Looks models up in these prices.
    pub fn of(prices: &'a Prices) -> Book<'a> {
        Book { prices, known: RefCell::default() }
    }

    /// What is known of a model.
    pub fn model(&self, called: &Rc<str>) -> Rc<Model<'a>> {
        if let Some(known) = self.known.borrow().get(called) {
            return known.clone();
        }
        let listings = self.prices.listed(called);
        let name = match listings.first() {
            Some(listing) => listing.model.as_ref().into(),
            None if check_model(called).is_ok() => called.clone(),
            None => UNKNOWN_MODEL.into(),
        };
        let model = Rc::new(Model { name, listings });
        self.known.borrow_mut().insert(called.clone(), model.clone());
        model
    }
}

impl Model<'_> {
    /// What so many requests cost together, in 10⁻¹² dollars; None where the model has no price.
    pub fn pico(&self, at: Instant, usage: &Usage, count: u64) -> Option<u128> {
        let day = Timestamp::utc(at).day();
        // The newest price that is not later, else the oldest.
        let newest = self.listings.partition_point(|it| it.day <= day).saturating_sub(1);
        let listing = self.listings.get(newest)?;
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
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_and_long_prompts_are_of_one_request() {
        let prices = Prices::default();
        let at = Instant { seconds: 1_795_000_000, nanos: 0 };
        let book = Book::of(&prices);
        let cost =
            |model: &str, usage: Usage, count| book.model(&model.into()).pico(at, &usage, count);
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
        let name = |called: &str| book.model(&called.into()).name.to_string();
        assert_eq!(name("us.anthropic.claude-opus-5-5"), "claude-opus-5-5");
        assert_eq!((name("acme").as_str(), name("no model").as_str()), ("acme", "unknown"));
    }
}
