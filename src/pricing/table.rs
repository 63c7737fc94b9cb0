//! A price table: CSV → what each model costs from which day on. The columns are found by their
//! names, so that the embedded table and a repository's own are read alike.

use std::path::Path;

use crate::error::{Error, Result, excerpt};
use crate::pricing::rates::Rates;
use crate::record::Unquoter;
use crate::timestamp::Day;

/// Dollars per million tokens have at most so many decimals: then a token's price is a whole number
/// of 10⁻¹² dollars.
const DECIMALS: usize = 6;

/// A million dollars per million tokens: more is a slip of the fingers, and with it no row's cost can
/// overflow.
const DOLLARS_MAX: u64 = 1_000_000;

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Column {
    Model,
    Provider,
    AboveTokens,
    /// One of [`PRICES`].
    Price(usize),
    /// Input and output of long prompts in the row of the short ones.
    Above200k(usize),
    Day,
    /// What people want to know; nothing is read from it.
    Remark,
}

/// The columns of prices.
const PRICES: [&str; 5] = [
    "input_per_mtok",
    "output_per_mtok",
    "cache_write_5m_per_mtok",
    "cache_write_1h_per_mtok",
    "cache_read_per_mtok",
];

impl Column {
    fn parse(name: &str) -> Option<Column> {
        let price = PRICES.iter().position(|it| *it == name);
        Some(match name {
            "model" => Column::Model,
            "provider" => Column::Provider,
            "above_tokens" => Column::AboveTokens,
            "input_above_200k" => Column::Above200k(0),
            "output_above_200k" => Column::Above200k(1),
            "source_date" => Column::Day,
            "source" | "note" => Column::Remark,
            _ => Column::Price(price?),
        })
    }

    fn name(self) -> &'static str {
        match self {
            Column::Model => "model",
            Column::Provider => "provider",
            Column::AboveTokens => "above_tokens",
            Column::Price(at) => PRICES[at],
            Column::Above200k(0) => "input_above_200k",
            Column::Above200k(_) => "output_above_200k",
            Column::Day => "source_date",
            Column::Remark => "note",
        }
    }
}

/// What a model costs from a day on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listing {
    /// The model's name, in lower case.
    pub model: Box<str>,
    /// The day; the earliest there is where none is given.
    pub day: Day,
    /// The usual prices.
    pub rates: Rates,
    /// Those of long prompts, shortest first.
    pub tiers: Vec<Tier>,
}

/// The prices of prompts that are longer than this.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tier {
    /// The longest prompt that is not.
    pub above_tokens: u64,
    /// All tokens of such a request cost as much.
    pub rates: Rates,
}

/// A price table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Table {
    /// By model, then by day.
    listings: Vec<Listing>,
}

/// One line; prices that are not given are None.
struct Line {
    number: usize,
    model: Box<str>,
    is_anthropic: bool,
    above_tokens: Option<u64>,
    prices: [Option<u64>; PRICES.len()],
    day: Day,
}

impl Table {
    /// Reads a table; `path` is what errors name.
    ///
    /// # Errors
    /// A line that cannot be read, or that says another thing than one before it.
    pub fn parse(text: &str, path: &Path) -> Result<Table> {
        let mut lines = Vec::new();
        read(text, &mut lines).map_err(|(number, problem)| Error::Prices {
            path: path.to_owned(),
            line: Some(number),
            problem,
        })?;
        lines.sort_by(|a, b| order(a).cmp(&order(b)));
        let refuse = |line: &Line, problem: &str| Error::Prices {
            path: path.to_owned(),
            line: Some(line.number),
            problem: format!("{} {problem}", excerpt(&line.model)),
        };
        if let Some(pair) = lines.windows(2).find(|pair| order(&pair[0]) == order(&pair[1])) {
            return Err(refuse(
                &pair[1],
                &format!("has these prices in line {} too", pair[0].number),
            ));
        }
        let mut table = Table::default();
        let same = |a: &Line, b: &Line| (&a.model, a.day) == (&b.model, b.day);
        for lines in lines.chunk_by(same) {
            let (base, tiers) = (&lines[0], &lines[1..]);
            if base.above_tokens.is_some() {
                return Err(refuse(base, "has no line of that date without above_tokens"));
            }
            let tier = |line: &Line| {
                let mut prices = base.prices;
                for (price, given) in prices.iter_mut().zip(line.prices) {
                    *price = given.or(*price);
                }
                let rates = rates(prices, base.is_anthropic)?;
                Some(Tier { above_tokens: line.above_tokens?, rates })
            };
            let rates = rates(base.prices, base.is_anthropic);
            let rates = rates.ok_or_else(|| refuse(base, "lacks its input or its output price"))?;
            let tiers = tiers.iter().filter_map(tier).collect();
            table.listings.push(Listing { model: base.model.clone(), day: base.day, rates, tiers });
        }
        Ok(table)
    }

    /// What is listed under this name, oldest first; nothing where it is not listed.
    pub fn listed(&self, model: &str) -> &[Listing] {
        let start = self.listings.partition_point(|it| *it.model < *model);
        let count = self.listings[start..].iter().take_while(|it| *it.model == *model).count();
        &self.listings[start..start + count]
    }

    /// Everything that is listed.
    pub fn iter(&self) -> impl Iterator<Item = &Listing> {
        self.listings.iter()
    }
}

fn order(line: &Line) -> (&str, Day, Option<u64>) {
    (&line.model, line.day, line.above_tokens)
}

/// What is not published costs as much as the plain input; an hour in Anthropic's cache costs twice
/// as much. None where input or output lack.
fn rates(
    [input, output, write, write_1h, read]: [Option<u64>; 5],
    is_anthropic: bool,
) -> Option<Rates> {
    let input = input?;
    let cache_write = write.unwrap_or(input);
    let hour = if is_anthropic { 2 * input } else { cache_write };
    Some(Rates {
        input,
        output: output?,
        cache_write,
        cache_write_1h: write_1h.unwrap_or(hour),
        cache_read: read.unwrap_or(input),
    })
}

/// Reads all lines; else gives the number of one that cannot be read, and why.
fn read(text: &str, lines: &mut Vec<Line>) -> Result<(), (usize, String)> {
    let mut unquoter = Unquoter::default();
    let mut columns: Vec<Column> = Vec::new();
    for (at, line) in text.trim_start_matches('\u{FEFF}').lines().enumerate() {
        let fail = |problem: String| (at + 1, problem);
        if line.trim().is_empty() || line.starts_with('#') {
            continue;
        }
        let fields: Vec<&str> = match line.contains('"') {
            false => line.split(',').map(str::trim).collect(),
            true => {
                let fields = unquoter.fields(line);
                let fields = fields.ok_or_else(|| fail("too many fields".to_owned()))?;
                fields.map(str::trim).collect()
            }
        };
        if columns.is_empty() {
            columns = header(&fields).map_err(fail)?;
        } else if fields.len() != columns.len() {
            let (found, expected) = (fields.len(), columns.len());
            let noun = if found == 1 { "field" } else { "fields" };
            return Err(fail(format!("{found} {noun}, and the header has {expected}")));
        } else {
            parse_line(&fields, &columns, at + 1, lines).map_err(fail)?;
        }
    }
    Ok(())
}

fn header(fields: &[&str]) -> Result<Vec<Column>, String> {
    let mut columns = Vec::new();
    for name in fields {
        let column = Column::parse(name);
        let column =
            column.ok_or_else(|| format!("\"{}\" is no column of prices", excerpt(name)))?;
        if columns.contains(&column) && column != Column::Remark {
            return Err(format!("the column {name} stands there twice"));
        }
        columns.push(column);
    }
    let needed =
        [(Column::Model, "model"), (Column::Price(0), PRICES[0]), (Column::Price(1), PRICES[1])];
    match needed.iter().find(|(column, _)| !columns.contains(column)) {
        Some((_, name)) => Err(format!("the header has no column {name}")),
        None => Ok(columns),
    }
}

fn parse_line(
    fields: &[&str],
    columns: &[Column],
    number: usize,
    lines: &mut Vec<Line>,
) -> Result<(), String> {
    let mut line = Line {
        number,
        model: "".into(),
        is_anthropic: false,
        above_tokens: None,
        prices: [None; PRICES.len()],
        day: Day(i32::MIN),
    };
    let mut long = [None; PRICES.len()];
    let mut provider = None;
    for (column, text) in columns.iter().zip(fields).filter(|(_, text)| !text.is_empty()) {
        let not = |what: &str| format!("{}: \"{}\" is not {what}", column.name(), excerpt(text));
        let price = || {
            let problem = "a price in dollars such as 0.25, below 1000000, of at most 6 decimals";
            price(text).ok_or_else(|| not(problem))
        };
        match column {
            Column::Model => line.model = text.to_ascii_lowercase().into(),
            Column::Provider => provider = Some(*text),
            Column::AboveTokens => {
                let tokens = text.parse().map_err(|_| not("a whole number of tokens"))?;
                line.above_tokens = Some(tokens);
            }
            Column::Price(at) => line.prices[*at] = Some(price()?),
            Column::Above200k(at) => long[*at] = Some(price()?),
            Column::Day => {
                line.day = Day::parse(text).ok_or_else(|| not("a date such as 2026-02-23"))?;
            }
            Column::Remark => {}
        }
    }
    if line.model.is_empty() {
        return Err("the model has no name".to_owned());
    }
    line.is_anthropic = match provider {
        Some(provider) => provider.eq_ignore_ascii_case("anthropic"),
        None => line.model.starts_with("claude"),
    };
    if long.iter().any(Option::is_some) {
        let above_tokens = Some(200_000);
        lines.push(Line { prices: long, above_tokens, model: line.model.clone(), ..line });
    }
    lines.push(line);
    Ok(())
}

/// Dollars per million tokens as 10⁻¹² dollars for one.
fn price(text: &str) -> Option<u64> {
    let (whole, decimals) = text.split_once('.').unwrap_or((text, "0"));
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if !is_number(whole) || !is_number(decimals) || decimals.len() > DECIMALS {
        return None;
    }
    let whole = whole.parse::<u64>().ok().filter(|whole| *whole < DOLLARS_MAX)?;
    let scale = 10u64.pow((DECIMALS - decimals.len()) as u32);
    Some(whole * 10u64.pow(DECIMALS as u32) + decimals.parse::<u64>().ok()? * scale)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Table> {
        Table::parse(text, Path::new("prices.csv"))
    }

    #[test]
    fn columns_are_found_by_name() {
        let table = parse(
            "\u{FEFF}# ours\r\noutput_per_mtok, model ,input_per_mtok,source\r\n\r\n2.5,Acme-1,0.125,\"a, b\"\r\n",
        );
        let table = table.unwrap();
        let [listing] = table.listed("acme-1") else { panic!("{table:?}") };
        let rates = Rates {
            input: 125_000,
            output: 2_500_000,
            cache_write: 125_000,
            cache_write_1h: 125_000,
            cache_read: 125_000,
        };
        assert_eq!((listing.rates, listing.day), (rates, Day(i32::MIN)));
        assert_eq!(table.listed("acme-2"), []);
        assert_eq!(parse("").unwrap(), Table::default());
    }

    #[test]
    fn days_and_tiers_are_put_together() {
        let table = parse(
            "model,provider,above_tokens,input_per_mtok,output_per_mtok,cache_read_per_mtok,source_date\n\
             m,,200000,6,,,2026-05-01\n\
             m,,,3,15,0.3,2026-05-01\n\
             m,,,4,16,,2026-01-01\n\
             n,anthropic,,1,5,,2026-01-01\n",
        );
        let table = table.unwrap();
        let [old, new] = table.listed("m") else { panic!("{table:?}") };
        assert_eq!(
            (old.rates.input, old.rates.cache_read, old.tiers.len()),
            (4_000_000, 4_000_000, 0)
        );
        // What a tier does not say is as below it.
        let [tier] = new.tiers[..] else { panic!("{new:?}") };
        assert_eq!((tier.above_tokens, tier.rates.input), (200_000, 6_000_000));
        assert_eq!((tier.rates.output, tier.rates.cache_read), (15_000_000, 300_000));
        assert_eq!(table.listed("n")[0].rates.cache_write_1h, 2_000_000);
    }

    #[test]
    fn a_tier_may_stand_in_the_row_of_its_model() {
        let table = parse(
            "model,input_per_mtok,output_per_mtok,input_above_200k,output_above_200k\nm,2,6,4,12\nn,1,1,,\n",
        );
        let table = table.unwrap();
        let tier = table.listed("m")[0].tiers[0];
        assert_eq!(
            (tier.above_tokens, tier.rates.input, tier.rates.output),
            (200_000, 4_000_000, 12_000_000)
        );
        assert_eq!(table.listed("n")[0].tiers, []);
    }

    #[test]
    fn a_bad_line_is_named() {
        let header = "model,above_tokens,input_per_mtok,output_per_mtok,source_date\n";
        for (text, expected) in [
            ("m,,1,2,2026-01-01\nm,,x,2,\n", "prices.csv:3: input_per_mtok: \"x\" is not a price"),
            ("m,,1,2.1234567,\n", "prices.csv:2: output_per_mtok: \"2.1234567\" is not a price"),
            ("m,,-1,2,\n", "prices.csv:2: input_per_mtok: \"-1\" is not a price"),
            ("m,,1000000,2,\n", "prices.csv:2: input_per_mtok: \"1000000\" is not a price"),
            ("m,,1,2,soon\n", "prices.csv:2: source_date: \"soon\" is not a date"),
            ("m,lots,1,2,\n", "prices.csv:2: above_tokens: \"lots\" is not a whole number"),
            ("m,,1,,\n", "prices.csv:2: m lacks its input or its output price"),
            (",,1,2,\n", "prices.csv:2: the model has no name"),
            ("\nm,1,2\n", "prices.csv:3: 3 fields, and the header has 5"),
            ("m,200000,1,2,\n", "prices.csv:2: m has no line of that date without above_tokens"),
            ("m,,1,2,\nM,,3,4,\n", "prices.csv:3: m has these prices in line 2 too"),
            ("<<<<<<< ours\n", "prices.csv:2: 1 field, and"),
        ] {
            let said = parse(&format!("{header}{text}")).unwrap_err().to_string();
            assert!(said.starts_with(&format!("error: {expected}")), "{said}");
        }
        for (header, expected) in [
            ("model,input_per_mtok\n", "prices.csv:1: the header has no column output_per_mtok"),
            ("model,cost\n", "prices.csv:1: \"cost\" is no column of prices"),
            ("model,model\n", "prices.csv:1: the column model stands there twice"),
        ] {
            let said = parse(header).unwrap_err().to_string();
            assert!(said.starts_with(&format!("error: {expected}")), "{said}");
        }
    }
}
