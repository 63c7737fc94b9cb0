//! What a row costs: its model's list price on its day, from the repository's own table or from the
//! embedded one. An unknown model has no price; none is ever guessed.

pub mod rates;
pub mod table;
pub mod names;
pub mod quote;

use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::sync::LazyLock;

use crate::error::{Error, Result};
use crate::pricing::quote::Quote;
use crate::pricing::table::{Listing, Table};
use crate::row::line_hash;
use crate::timestamp::Day;
use crate::workspace::Place;

/// The list prices of the providers, each with its source.
pub const EMBEDDED: &str = include_str!("prices.csv");

/// It is read once, where a price is asked for. A test sees that it can be.
static TABLE: LazyLock<Table> =
    LazyLock::new(|| Table::parse(EMBEDDED, Path::new("prices.csv")).unwrap_or_default());

/// The embedded table is told from that of another version by so many bits.
const EMBEDDED_MARK: u64 = fnv(EMBEDDED.as_bytes());

/// A repository's own table is told from others by so many bytes of its SHA-256.
const MARK_BYTES: usize = 16;

/// What the rows of a ledger are priced by.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Prices {
    /// The repository's own table, which beats the embedded one.
    own: Table,
    /// The mark of its text; empty where there is none.
    own_mark: String,
}

impl Prices {
    /// With the repository's own table; `path` is what errors name.
    ///
    /// # Errors
    /// A line that cannot be read.
    pub fn parse(own: &str, path: &Path) -> Result<Prices> {
        Ok(Prices {
            own: Table::parse(own, path)?,
            own_mark: line_hash(own.as_bytes(), MARK_BYTES),
        })
    }

    /// The prices of a ledger.
    ///
    /// # Errors
    /// Its own table cannot be read, or a line of it.
    pub fn load(place: &Place) -> Result<Prices> {
        let path = place.prices();
        let bytes = match fs::metadata(&path) {
            // A pipe would have no end.
            Ok(meta) if !meta.is_file() => {
                let problem = "it is not a regular file".to_owned();
                return Err(Error::Prices { path, line: None, problem });
            }
            Ok(_) => fs::read(&path),
            Err(error) => Err(error),
        };
        match bytes {
            Ok(bytes) => match str::from_utf8(&bytes) {
                Ok(text) => Prices::parse(text, &path),
                Err(error) => {
                    let before = &bytes[..error.valid_up_to()];
                    let line = Some(before.iter().filter(|b| **b == b'\n').count() + 1);
                    Err(Error::Prices { path, line, problem: "it is not text in UTF-8".to_owned() })
                }
            },
            // A part of the path may be a file: whoever uses the ledger's path says so better.
            Err(error)
                if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) =>
            {
                Ok(Prices::default())
            }
            Err(error) => Err(Error::io("read", &path, &error)),
        }
    }

    /// What a model costs, oldest prices first; nothing where it has none.
    pub fn listed(&self, model: &str) -> &[Listing] {
        let look = |name: &str| {
            let tables = [&self.own, &*TABLE];
            tables.into_iter().map(|table| table.listed(name)).find(|listed| !listed.is_empty())
        };
        names::find(model, look).unwrap_or_default()
    }

    /// A model's prices around that day.
    pub fn quote(&self, model: &str, day: Day) -> Quote {
        Quote::of_day(self.listed(model), day)
    }

    /// Whether the repository has prices of its own.
    pub fn has_own(&self) -> bool {
        self.own.iter().next().is_some()
    }

    /// What tells these prices from all others.
    pub fn mark(&self) -> String {
        format!("{EMBEDDED_MARK:016x}{}", self.own_mark)
    }
}

/// The day of the embedded table: that of its newest price.
pub fn day() -> Option<Day> {
    TABLE.iter().map(|listing| listing.day).max()
}

/// Fowler, Noll and Vo's hash, which a compiler can work out.
const fn fnv(bytes: &[u8]) -> u64 {
    let mut hash = 0xCBF2_9CE4_8422_2325_u64;
    let mut at = 0;
    while at < bytes.len() {
        hash = (hash ^ bytes[at] as u64).wrapping_mul(0x0100_0000_01B3);
        at += 1;
    }
    hash
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notes::Tags;
    use crate::row::Row;

    fn cost(prices: &Prices, fields: &str, notes: &str) -> Option<u128> {
        let line = format!("2026-11-20T10:00:00Z,{fields}");
        let row = Row::parse(&line).unwrap();
        let tags = Tags::of(notes);
        prices.quote(&row.model, row.at.day()).cost(&row, Some(&tags)).micros
    }

    /// Names as providers, clouds, gateways and agents write them, and the model that each means.
    const NAMES: &str = include_str!("../../tests/it/model-names.csv");

    #[test]
    fn every_way_to_write_a_model_finds_it() {
        let prices = Prices::default();
        let mut tried = 0;
        for line in NAMES.lines().skip(1) {
            let (name, expected) = line.split_once(',').unwrap();
            let found = prices.listed(name).first().map_or("", |listing| &listing.model);
            assert_eq!(found, expected, "{name}");
            tried += 1;
        }
        assert_eq!(tried, 56);
    }

    #[test]
    fn the_embedded_table_is_sound() {
        let table = Table::parse(EMBEDDED, Path::new("prices.csv")).unwrap();
        assert_eq!(table.iter().count(), 119);
        assert_eq!(table.iter().map(|it| it.tiers.len()).sum::<usize>(), 30);
        for line in EMBEDDED.lines().skip(1) {
            let fields: Vec<&str> = line.split(',').collect();
            assert!(!fields[1].is_empty() && fields[9].len() > 10, "no source: {line}");
            assert!(fields[0] == fields[0].to_lowercase(), "{line}");
        }
        assert_eq!(day().map(|day| day.to_string()).as_deref(), Some("2026-11-21"));
        // A cache never costs more to be read than the text itself.
        for listing in table.iter() {
            let all = [&listing.rates].into_iter().chain(listing.tiers.iter().map(|it| &it.rates));
            for rates in all {
                assert!(
                    rates.cache_read <= rates.input && rates.input <= rates.output,
                    "{listing:?}"
                );
            }
        }
    }

    /// A session whose repository published what it cost, and worked examples of agents' turns.
    #[test]
    fn published_costs_are_met() {
        let prompt = 390 + 570_051 + 32_880_377;
        for (fields, notes, micros) in [
            (
                format!("claude-sonnet-5,{prompt},288354,true,execute,1,"),
                "{requests=200 cache_read=32880377 cache_write_1h=570051}",
                11_740_599,
            ),
            (
                "claude-opus-5-5,48516,270,true,execute,21000,".to_owned(),
                "{requests=2 tool_errors=1 cache_read=44000 cache_write=1500 cache_write_1h=3000}",
                45_764,
            ),
            ("claude-haiku-5-5,700,50,true,execute,0,".to_owned(), "{requests=1 role=sub}", 95),
            (
                "gpt-5.6-sol,21000,1000,true,execute,30000,".to_owned(),
                "{requests=2 cache_read=15000}",
                50_000,
            ),
            (
                "gemini-3.8-flash,11010,440,true,discuss,11000,".to_owned(),
                "{requests=2 cache_read=7500}",
                4_845,
            ),
            ("claude-3-opus,1500,3200,true,execute,45000,".to_owned(), "", 262_500),
        ] {
            assert_eq!(cost(&Prices::default(), &fields, notes), Some(micros), "{fields}");
        }
    }

    #[test]
    fn the_repositorys_own_prices_beat_the_embedded_ones() {
        let own = "model,input_per_mtok,output_per_mtok\nclaude-opus-5-5,1,1\nAcme-Coder-7B,0.5,0.5\n\
                   us.anthropic.claude-sonnet-5,2.2,11\n";
        let prices = Prices::parse(own, Path::new("prices.csv")).unwrap();
        for (model, ours, theirs) in [
            ("claude-opus-5-5-20260101", Some(1_000_000), Some(4_000_000)),
            ("acme-coder-7b", Some(500_000), None),
            ("us.anthropic.claude-sonnet-5", Some(2_200_000), Some(2_000_000)),
            ("claude-sonnet-5", Some(2_000_000), Some(2_000_000)),
            ("acme-coder-70b", None, None),
        ] {
            let fields = format!("{model},1000000,0,true,plan,1,");
            // A million tokens are one long prompt where they are not said to be several.
            assert_eq!(cost(&prices, &fields, "{requests=9}"), ours, "{model}");
            assert_eq!(cost(&Prices::default(), &fields, "{requests=9}"), theirs, "{model}");
        }
        assert!(prices.has_own() && !Prices::default().has_own());
        let other = Prices::parse(&own.replace("0.5,", "0.6,"), Path::new("prices.csv")).unwrap();
        assert_ne!(prices.mark(), other.mark());
        assert_ne!(prices.mark(), Prices::default().mark());
    }
}
