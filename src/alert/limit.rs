//! What is a breach: as people write it, and in words.

use std::fmt;

use serde::Deserialize;
use serde::de::{self, Deserializer, Visitor};
use toml::Spanned;

use crate::alert::amount::{Amount, ONE, Unit};
use crate::alert::metric::Metric;

/// A mistake: where in the text, and what.
pub type Mistake = (usize, String);

/// A limit as written: a number, or a number with its unit in quotes.
#[derive(Clone, Debug, PartialEq)]
pub struct Given(String);

impl<'de> Deserialize<'de> for Given {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Given, D::Error> {
        struct Anything;
        impl Visitor<'_> for Anything {
            type Value = Given;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number such as 50, or one with its unit such as \"$50\"")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Given, E> {
                Ok(Given(text.to_owned()))
            }
            fn visit_i64<E: de::Error>(self, number: i64) -> Result<Given, E> {
                Ok(Given(number.to_string()))
            }
            fn visit_f64<E: de::Error>(self, number: f64) -> Result<Given, E> {
                Ok(Given(number.to_string()))
            }
        }
        deserializer.deserialize_any(Anything)
    }
}

/// A field that may be missing.
///
/// # Errors
/// What is neither a number nor a text.
pub(super) fn given<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Spanned<Given>>, D::Error> {
    Spanned::<Given>::deserialize(deserializer).map(Some)
}

/// What is a breach; the limit itself is none. All in millionths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// More than that.
    Above(i128),
    /// Less than that.
    Below(i128),
    /// A change from the window before, beyond that to its side: a part of what it was.
    Change(i128),
    /// The same in points of a share.
    Points(i128),
}

impl Limit {
    /// Reads what a rule says of it.
    ///
    /// # Errors
    /// What is not written in the metric's unit, and what no figure could ever be beyond: then a limit
    /// would be lost by a slip of the fingers.
    pub fn read(field: &str, given: &Spanned<Given>, metric: &Metric) -> Result<Limit, Mistake> {
        let (Given(text), unit) = (given.get_ref(), metric.unit());
        let refuse = |why: String| Err((given.span().start, format!("{field}: \"{text}\" {why}")));
        let limit = match (field, unit.parse(text)) {
            ("change", _) => change(text, unit),
            (_, Err(allowed)) => {
                return refuse(format!("is not {allowed}, as {} needs", metric.name()));
            }
            ("above", Ok(amount)) => Some(Limit::Above(amount)),
            (_, Ok(amount)) => Some(Limit::Below(amount)),
        };
        let Some(limit) = limit else { return refuse(format!("is not {}", changes(unit))) };
        let is_reachable = match limit {
            Limit::Above(limit) => unit != Unit::Share || limit < ONE,
            Limit::Below(limit) => unit == Unit::Plain || limit > 0,
            Limit::Change(by) => by > -ONE || unit == Unit::Plain,
            Limit::Points(by) => by.abs() < ONE,
        };
        match (is_reachable, limit) {
            (true, limit) => Ok(limit),
            (_, Limit::Above(_)) => refuse("can never be exceeded".to_owned()),
            (_, Limit::Below(_)) => refuse("can never be undercut".to_owned()),
            _ => refuse("can never be: no figure changes by more than all of it".to_owned()),
        }
    }

    /// In words, behind a value: `above $50.00`, `+30 %`.
    pub fn words(self, unit: Unit) -> String {
        let text = |millionths| Amount { unit, millionths }.text();
        match self {
            Limit::Above(limit) => format!("above {}", text(limit)),
            Limit::Below(limit) => format!("below {}", text(limit)),
            Limit::Change(_) | Limit::Points(_) => self.change_words(),
        }
    }

    fn change_words(self) -> String {
        let (millionths, unit) = match self {
            Limit::Points(by) => (by, "pt"),
            Limit::Change(by) | Limit::Above(by) | Limit::Below(by) => (by, "%"),
        };
        change_words(millionths, unit)
    }

    /// How far a value is from the one before, in the words of the limit.
    pub fn distance_words(self, millionths: i128) -> String {
        change_words(millionths, if matches!(self, Limit::Points(_)) { "pt" } else { "%" })
    }

    /// The side on which a breach lies: whether beyond a larger value.
    pub fn is_upwards(self) -> bool {
        match self {
            Limit::Above(_) => true,
            Limit::Below(_) => false,
            Limit::Change(by) | Limit::Points(by) => by >= 0,
        }
    }

    /// Whether it is of a change.
    pub fn is_change(self) -> bool {
        matches!(self, Limit::Change(_) | Limit::Points(_))
    }
}

/// Hundredths with a sign: `+30 %`, `-15 pt`, `+2.5 %`.
fn change_words(millionths: i128, unit: &str) -> String {
    let sign = if millionths < 0 { "-" } else { "+" };
    let size =
        Amount { unit: Unit::Plain, millionths: millionths.saturating_abs() / 1_000 * 100_000 };
    format!("{sign}{} {unit}", size.text())
}

fn changes(unit: Unit) -> &'static str {
    match unit {
        Unit::Share => "a change such as \"-15pt\" or \"+30%\", with its sign",
        _ => "a change such as \"+30%\" or \"-20%\", with its sign",
    }
}

fn change(text: &str, unit: Unit) -> Option<Limit> {
    let text = text.trim();
    let (sign, rest) = match text.strip_prefix('+') {
        Some(rest) => (1, rest),
        None => (-1, text.strip_prefix('-')?),
    };
    let number = |text: &str| {
        Unit::Plain.parse(text.trim_end()).ok().filter(|it| (0..=1_000_000 * ONE).contains(it))
    };
    match rest.strip_suffix('%') {
        Some(percent) => Some(Limit::Change(sign * number(percent)? / 100)),
        None => {
            let points = rest.strip_suffix("pt").filter(|_| unit == Unit::Share)?;
            Some(Limit::Points(sign * number(points)? / 100))
        }
    }
}
