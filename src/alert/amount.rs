//! Quantities with a unit: as people write them in rules, compared exactly, and shown.

use crate::figures;

/// What a quantity is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Things that can be counted.
    Count,
    /// Dollars.
    Money,
    /// A part of a whole.
    Share,
    /// Milliseconds.
    Duration,
    /// A number whose unit only its writer knows.
    Plain,
}

/// A quantity, in millionths of its unit: of one, of a dollar, of the whole, of a millisecond.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Amount {
    /// Its unit.
    pub unit: Unit,
    /// How much.
    pub millionths: i128,
}

/// Millionths of one.
pub const ONE: i128 = 1_000_000;

/// A quantity before it is divided: so many of its unit, by that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ratio {
    /// Above the line.
    pub part: i128,
    /// Below it; never 0.
    pub whole: i128,
}

impl Ratio {
    /// Whether it is more than that many millionths; nothing is rounded.
    pub fn is_above(self, millionths: i128) -> bool {
        self.part.saturating_mul(ONE) > millionths.saturating_mul(self.whole)
    }

    /// Whether it is less.
    pub fn is_below(self, millionths: i128) -> bool {
        self.part.saturating_mul(ONE) < millionths.saturating_mul(self.whole)
    }

    /// In millionths, rounded half up.
    pub fn millionths(self) -> i128 {
        let part = self.part.saturating_mul(ONE);
        let size = figures::divided(part.unsigned_abs(), self.whole.unsigned_abs());
        let size = i128::try_from(size).unwrap_or(i128::MAX);
        if part < 0 { -size } else { size }
    }

    /// How far it lies from another, in millionths of that other; None where that is nothing.
    pub fn change_from(self, before: Ratio) -> Option<Ratio> {
        let now = self.part.saturating_mul(before.whole);
        let before = before.part.saturating_mul(self.whole);
        (before > 0).then(|| Ratio { part: now.saturating_sub(before), whole: before })
    }

    /// How far it lies from another, in the unit of both.
    pub fn distance_from(self, before: Ratio) -> Ratio {
        let now = self.part.saturating_mul(before.whole);
        let then = before.part.saturating_mul(self.whole);
        Ratio { part: now.saturating_sub(then), whole: self.whole.saturating_mul(before.whole) }
    }
}

impl Unit {
    /// Reads a quantity, in millionths; else says what is allowed.
    ///
    /// # Errors
    /// What is not written in this unit.
    pub fn parse(self, text: &str) -> Result<i128, &'static str> {
        let text = text.trim();
        match self {
            Unit::Count => {
                let thousands = |letter: char| match letter {
                    'k' | 'K' => Some(1_000),
                    'M' => Some(1_000_000),
                    'G' => Some(1_000_000_000),
                    _ => None,
                };
                let factor = text.chars().next_back().and_then(thousands);
                let digits = if factor.is_some() { &text[..text.len() - 1] } else { text };
                let amount = decimal(digits).map(|it| it * factor.unwrap_or(1));
                amount.ok_or("a number such as 500, 250k or 10M")
            }
            Unit::Money => {
                let amount = decimal(text.strip_prefix('$').unwrap_or(text));
                amount.ok_or("an amount in dollars such as $50 or 0.25")
            }
            Unit::Share => {
                let percent = text.strip_suffix('%').and_then(|it| decimal(it.trim_end()));
                let share = percent.filter(|it| *it <= 100 * ONE && it % 100 == 0);
                share.map(|it| it / 100).ok_or("a share such as 80%")
            }
            Unit::Duration => {
                let plain = decimal(text);
                let words = || humantime::parse_duration(text).ok();
                let millis = || i128::try_from(words()?.as_millis()).ok()?.checked_mul(ONE);
                plain.or_else(millis).ok_or("a duration such as 45s or 2m 30s")
            }
            Unit::Plain => {
                let (sign, digits) = text.strip_prefix('-').map_or((1, text), |it| (-1, it));
                decimal(digits).map(|it| sign * it).ok_or("a number such as 0.8")
            }
        }
    }
}

/// Digits, perhaps a point and at most six more, in millionths.
fn decimal(text: &str) -> Option<i128> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let is_digits = |it: &str| !it.is_empty() && it.bytes().all(|b| b.is_ascii_digit());
    if !is_digits(whole) || !is_digits(fraction) || whole.len() > 18 || fraction.len() > 6 {
        return None;
    }
    let millionths = format!("{fraction:0<6}").parse::<i128>().ok()?;
    Some(whole.parse::<i128>().ok()? * ONE + millionths)
}

impl Amount {
    /// As people read it.
    pub fn text(self) -> String {
        let Amount { unit, millionths } = self;
        let size = millionths.unsigned_abs();
        let whole = figures::divided(size, 1_000_000);
        match unit {
            Unit::Count => figures::rough(whole),
            // Cents are too coarse for a task.
            Unit::Money if size < 1_000_000 && size % 10_000 > 0 => {
                format!("$0.{:04}", figures::divided(size, 100).min(9_999))
            }
            Unit::Money => figures::dollars(size),
            Unit::Share => figures::percent_tenths(size, 1_000_000),
            Unit::Duration => figures::duration(whole),
            Unit::Plain => {
                let thousandths = figures::divided(size, 1_000);
                let sign = if millionths < 0 { "-" } else { "" };
                let digits = format!(".{:03}", thousandths % 1_000);
                let digits = digits.trim_end_matches('0').trim_end_matches('.');
                format!("{sign}{}{digits}", figures::thousands(thousandths / 1_000))
            }
        }
    }

    /// For programs, exactly: dollars, milliseconds, a share from 0 to 1, or the number itself.
    pub fn number(self) -> String {
        let size = self.millionths.unsigned_abs();
        let sign = if self.millionths < 0 { "-" } else { "" };
        let digits = format!("{sign}{}", figures::exact_dollars(size));
        digits.trim_end_matches('0').trim_end_matches('.').to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_write_is_read_in_the_unit_of_the_metric() {
        for (unit, text, millionths) in [
            (Unit::Count, "500", 500 * ONE),
            (Unit::Count, "2.5M", 2_500_000 * ONE),
            (Unit::Money, "$50", 50 * ONE),
            (Unit::Money, "0.25", 250_000),
            (Unit::Share, "80%", 800_000),
            (Unit::Share, "92.3 %", 923_000),
            (Unit::Duration, "45s", 45_000 * ONE),
            (Unit::Duration, "2m 30s", 150_000 * ONE),
            (Unit::Duration, "1500", 1_500 * ONE),
            (Unit::Plain, "-0.5", -500_000),
        ] {
            assert_eq!(unit.parse(text), Ok(millionths), "{text}");
        }
        for (unit, text) in [
            (Unit::Count, "many"),
            (Unit::Count, "1T"),
            (Unit::Money, "50€"),
            (Unit::Money, "-1"),
            (Unit::Share, "80"),
            (Unit::Share, "101%"),
            (Unit::Duration, "soon"),
            (Unit::Plain, "1e3"),
            (Unit::Plain, ""),
        ] {
            assert!(unit.parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn amounts_are_shown_in_their_unit() {
        for (unit, millionths, text) in [
            (Unit::Count, 1_234 * ONE, "1,234"),
            (Unit::Money, 62_100_000, "$62.10"),
            (Unit::Money, 77_016, "$0.0770"),
            (Unit::Money, 250_000, "$0.25"),
            (Unit::Money, 999_999, "$0.9999"),
            (Unit::Share, 784_000, "78.4 %"),
            (Unit::Duration, 4_100 * ONE, "4.1 s"),
            (Unit::Plain, -1_250_000, "-1.25"),
            (Unit::Plain, 800_000, "0.8"),
            (Unit::Plain, 3 * ONE, "3"),
        ] {
            assert_eq!(Amount { unit, millionths }.text(), text);
        }
        let number = |millionths| Amount { unit: Unit::Count, millionths }.number();
        assert_eq!(number(54_043_195_528_445_946 * ONE), "54043195528445946");
        assert_eq!([number(0), number(300 * ONE), number(-1_250_000)], ["0", "300", "-1.25"]);
    }

    /// The limit itself is no breach, however it divides.
    #[test]
    fn limits_are_compared_without_rounding() {
        let third = Ratio { part: 1, whole: 3 };
        assert!(third.is_above(333_333) && third.is_below(333_334));
        let share = Ratio { part: 923, whole: 1_000 };
        assert!(!share.is_above(923_000) && !share.is_below(923_000));
        let change = Ratio { part: 13, whole: 1 }.change_from(Ratio { part: 10, whole: 1 });
        assert!(change.is_some_and(|it| !it.is_above(300_000) && it.is_above(299_999)));
        assert_eq!(third.change_from(Ratio { part: 0, whole: 1 }), None);
        let distance = Ratio { part: 3, whole: 4 }.distance_from(Ratio { part: 9, whole: 10 });
        assert_eq!(distance.millionths(), -150_000);
        assert!(Ratio { part: i128::MAX, whole: 1 }.is_above(1));
    }
}
