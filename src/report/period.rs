//! Stretches of whole days that have a name: a week, a month, dates.

use crate::timestamp::Day;

/// What a period is one of: the one before it is of the same kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An ISO 8601 week.
    Week,
    /// A calendar month.
    Month,
    /// So many days.
    Days,
}

/// Whole days, from the first to the last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Period {
    /// The first day.
    pub from: Day,
    /// The last day.
    pub to: Day,
    /// What it is one of.
    pub kind: Kind,
}

impl Period {
    /// The ISO week that holds a day.
    pub fn week(day: Day) -> Period {
        let from = day.monday();
        Period { from, to: Day(from.0 + 6), kind: Kind::Week }
    }

    /// The month that holds a day.
    pub fn month(day: Day) -> Period {
        let (_, _, of_month) = day.ymd();
        let from = Day(day.0 + 1 - of_month as i32);
        // No month has more than 31 days, and no two of them fewer than 59.
        let (_, _, over) = Day(from.0 + 31).ymd();
        let to = if over > 28 { Day(from.0 + 30) } else { Day(from.0 + 31 - over as i32) };
        Period { from, to, kind: Kind::Month }
    }

    /// From one day to another.
    pub fn days(from: Day, to: Day) -> Period {
        Period { from, to, kind: Kind::Days }
    }

    /// The one before it: as long, or the month before.
    pub fn before(&self) -> Period {
        match self.kind {
            Kind::Month => Period::month(Day(self.from.0 - 1)),
            kind => {
                let days = self.to.0 - self.from.0 + 1;
                Period { from: Day(self.from.0 - days), to: Day(self.from.0 - 1), kind }
            }
        }
    }

    /// Reads `2026-W47`, `2026-11` or `2026-11-15`.
    pub fn parse(text: &str) -> Option<Period> {
        if let Some(day) = Day::parse(text) {
            return Some(Period::days(day, day));
        }
        let (year, rest) = text.split_once('-').filter(|(year, _)| year.len() == 4)?;
        match rest.strip_prefix(['W', 'w']) {
            Some(week) if week.len() == 2 && week.bytes().all(|b| b.is_ascii_digit()) => {
                // The fourth of January is always in the first week.
                let first = Day::parse(&format!("{year}-01-04"))?.monday();
                let weeks = week.parse::<i32>().ok()?.checked_sub(1)?;
                let period = Period::week(Day(first.0 + 7 * weeks));
                (period.name() == format!("{year}-W{week}")).then_some(period)
            }
            Some(_) => None,
            None => Day::parse(&format!("{text}-01")).map(Period::month),
        }
    }

    /// As [`Period::parse`] reads it; of several days their first and last with dots between.
    pub fn name(&self) -> String {
        match self.kind {
            Kind::Week => self.from.iso_week(),
            Kind::Month => {
                let (year, month, _) = self.from.ymd();
                format!("{year:04}-{month:02}")
            }
            Kind::Days if self.from == self.to => self.from.to_string(),
            Kind::Days => format!("{}..{}", self.from, self.to),
        }
    }

    /// Whether a day is one of its days.
    pub fn holds(&self, day: Day) -> bool {
        (self.from..=self.to).contains(&day)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> Day {
        Day::parse(text).unwrap()
    }

    #[test]
    fn periods_are_read_as_they_are_named() {
        for (name, from, to, before) in [
            ("2026-W47", "2026-11-16", "2026-11-22", "2026-W46"),
            ("2026-W01", "2025-12-29", "2026-01-04", "2025-W52"),
            ("2026-W53", "2026-12-28", "2027-01-03", "2026-W52"),
            ("2026-11", "2026-11-01", "2026-11-30", "2026-10"),
            ("2026-03", "2026-03-01", "2026-03-31", "2026-02"),
            ("2024-02", "2024-02-01", "2024-02-29", "2024-01"),
            ("2026-12", "2026-12-01", "2026-12-31", "2026-11"),
            ("2026-11-15", "2026-11-15", "2026-11-15", "2026-11-14"),
        ] {
            let period = Period::parse(name).unwrap();
            assert_eq!((period.from, period.to), (day(from), day(to)), "{name}");
            assert_eq!((period.name(), period.before().name()), (name.into(), before.into()));
        }
        for wrong in ["2026-W54", "2025-W53", "2026-W00", "2026-13", "2026", "26-W1", "2026-W+1"] {
            assert_eq!(Period::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn every_month_is_whole() {
        let mut month = Period::month(day("2023-01-01"));
        for _ in 0..36 {
            let next = Period::month(Day(month.to.0 + 1));
            assert_eq!(next.from.ymd().2, 1);
            assert_eq!(next.before(), month);
            month = next;
        }
    }
}
