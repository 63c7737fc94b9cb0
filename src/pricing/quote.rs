//! What a model's rows cost around one day: found once, and good for every row until the price
//! changes.

use crate::notes::Tags;
use crate::pricing::rates::{Rates, Usage};
use crate::pricing::table::{Listing, Tier};
use crate::row::Row;
use crate::timestamp::Day;

/// Prices that are good from one day to another.
#[derive(Clone, Debug, Default)]
pub struct Quote {
    /// The first day, and how many days it is good for.
    from: i32,
    days: u32,
    /// The longest prompt that costs no more than usual; 0 where no price is known.
    usual_tokens_max: u64,
    rates: Option<Rates>,
    tiers: Vec<Tier>,
    /// Whether rows may say what they cost.
    is_told: bool,
}

/// What a row costs, and who says so.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    /// Millionths of a dollar; None where no price is known.
    pub micros: Option<u128>,
    /// Whether the row says it itself.
    pub is_told: bool,
}

impl Quote {
    /// The quote of a day: by the newest of these listings that is not later, else by the oldest.
    pub fn of_day(listings: &[Listing], day: Day) -> Quote {
        let at = listings.partition_point(|it| it.day <= day).saturating_sub(1);
        let from = if at == 0 { i32::MIN } else { listings[at].day.0 };
        let until = listings.get(at + 1).map_or(i32::MAX, |it| it.day.0);
        Quote { is_told: true, ..Quote::by(listings.get(at), from, until) }
    }

    /// The quote of today, whatever day a row is of, and whatever it says itself.
    pub fn of_today(listings: &[Listing]) -> Quote {
        Quote::by(listings.last(), i32::MIN, i32::MAX)
    }

    fn by(listing: Option<&Listing>, from: i32, until: i32) -> Quote {
        let tiers = listing.map(|it| it.tiers.clone()).unwrap_or_default();
        let usual_tokens_max = tiers.first().map_or(u64::MAX, |tier| tier.above_tokens);
        Quote {
            from,
            days: until.wrapping_sub(from) as u32,
            usual_tokens_max: if listing.is_some() { usual_tokens_max } else { 0 },
            rates: listing.map(|it| it.rates),
            tiers,
            is_told: false,
        }
    }

    /// Whether it is good for that day.
    #[inline(always)]
    pub fn covers(&self, day: Day) -> bool {
        (day.0.wrapping_sub(self.from) as u32) < self.days
    }

    /// The cost of a row, with the tag block of its notes where there is one.
    #[inline(always)]
    pub fn cost(&self, row: &Row<'_>, tags: Option<&Tags<'_>>) -> Cost {
        match (&self.rates, tags) {
            (Some(rates), None) if row.prompt_tokens <= self.usual_tokens_max => Cost {
                micros: Some(rates.plain_cost(row.prompt_tokens, row.completion_tokens)),
                is_told: false,
            },
            (None, None) => Cost::default(),
            (_, tags) => self.special_cost(row, tags),
        }
    }

    /// The cost of a row with tags, or with a long prompt.
    #[inline(never)]
    fn special_cost(&self, row: &Row<'_>, tags: Option<&Tags<'_>>) -> Cost {
        let tags = tags.copied().unwrap_or_default();
        if let Some(micros) = tags.cost_micros().filter(|_| self.is_told) {
            return Cost { micros: Some(micros), is_told: true };
        }
        let Some(usual) = &self.rates else { return Cost::default() };
        // Nothing is known of what it used: 0 would be a guess.
        let is_empty = row.prompt_tokens == 0 && row.completion_tokens == 0;
        if is_empty && tags.get("reason") == Some("no-usage") {
            return Cost::default();
        }
        let count = |key| tags.count(key).unwrap_or_default();
        let usage = Usage {
            prompt: row.prompt_tokens,
            completion: row.completion_tokens,
            cache_read: count("cache_read"),
            cache_write: count("cache_write"),
            cache_write_1h: count("cache_write_1h"),
        };
        // What several requests read together says nothing of how long each of them was.
        let is_one = || tags.count("requests").is_none_or(|requests| requests == 1);
        let rates = match usage.prompt > self.usual_tokens_max && is_one() {
            true => self.tiers.iter().rfind(|tier| usage.prompt > tier.above_tokens),
            false => None,
        };
        let rates = rates.map_or(usual, |tier| &tier.rates);
        Cost { micros: Some(rates.cost(&usage)), is_told: false }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pricing::table::Table;
    use std::path::Path;

    fn table(text: &str) -> Table {
        Table::parse(text, Path::new("prices.csv")).unwrap()
    }

    fn cost(quote: &Quote, prompt: u64, notes: &str) -> Option<u128> {
        let line = format!("2026-05-01T10:00:00Z,m,{prompt},0,true,plan,3,{notes}");
        let row = Row::parse(&line).unwrap();
        let tags = notes.ends_with('}').then(|| Tags::of(notes));
        quote.cost(&row, tags.as_ref()).micros
    }

    const DATED: &str = "model,input_per_mtok,output_per_mtok,source_date\n\
                         m,1,1,2026-03-01\nm,2,2,2026-05-01\nm,3,3,2026-07-01\n";

    #[test]
    fn the_newest_price_that_is_not_later_counts() {
        let table = table(DATED);
        let listings = table.listed("m");
        let day = |text| Day::parse(text).unwrap();
        for (at, micros) in [
            ("2020-01-01", 1),
            ("2026-03-01", 1),
            ("2026-04-30", 1),
            ("2026-05-01", 2),
            ("2026-06-30", 2),
            ("2026-07-01", 3),
            ("2099-01-01", 3),
        ] {
            let quote = Quote::of_day(listings, day(at));
            assert_eq!(cost(&quote, 1, ""), Some(micros), "{at}");
            // A quote is good for just the days of its price.
            for other in ["0001-01-01", "2026-04-30", "2026-05-01", "2026-06-30", "9999-12-31"] {
                let same = cost(&Quote::of_day(listings, day(other)), 1, "") == Some(micros);
                assert_eq!(quote.covers(day(other)), same, "{at} {other}");
            }
        }
        assert_eq!(cost(&Quote::of_today(listings), 1, ""), Some(3));
        let unknown = Quote::of_day(&[], day("2026-05-01"));
        assert!(unknown.covers(day("0001-01-01")) && unknown.covers(day("9999-12-31")));
        assert_eq!(cost(&unknown, 1, ""), None);
        assert_eq!(cost(&unknown, 1, "{cache_read=1}"), None);
        assert!(!Quote::default().covers(day("2026-05-01")));
    }

    #[test]
    fn what_a_row_says_of_its_cost_stands() {
        let table = table(DATED);
        let day = Day::parse("2026-05-01").unwrap();
        let notes = "x {requests=2 cost_usd=1.234567}";
        for listings in [table.listed("m"), &[]] {
            assert_eq!(cost(&Quote::of_day(listings, day), 5, notes), Some(1_234_567));
        }
        assert_eq!(cost(&Quote::of_today(table.listed("m")), 5, notes), Some(15));
        assert_eq!(cost(&Quote::of_today(&[]), 5, notes), None);
        assert_eq!(cost(&Quote::of_day(table.listed("m"), day), 0, "{reason=no-usage}"), None);
        let told = "{cost_usd=0.500000 reason=no-usage}";
        assert_eq!(cost(&Quote::of_day(table.listed("m"), day), 0, told), Some(500_000));
    }

    #[test]
    fn long_prompts_cost_more_where_they_are_one_request() {
        let table = table(
            "model,above_tokens,input_per_mtok,output_per_mtok,cache_read_per_mtok\n\
             m,,1,1,0.5\nm,100,2,2,1\nm,1000,4,4,2\n",
        );
        let quote = Quote::of_today(table.listed("m"));
        for (prompt, notes, micros) in [
            (100, "", 100),
            (101, "", 202),
            (1_000, "", 2_000),
            (1_001, "", 4_004),
            (1_001, "{requests=1}", 4_004),
            (1_001, "{requests=2}", 1_001),
            (1_001, "{requests=0}", 1_001),
            (102, "{cache_read=100}", 104),
            (102, "{requests=2 cache_read=100}", 52),
        ] {
            assert_eq!(cost(&quote, prompt, notes), Some(micros), "{prompt} {notes}");
        }
    }
}
