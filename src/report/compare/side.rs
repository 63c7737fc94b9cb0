//! What is compared: periods, branches and ranges, models, task types.

use wildmatch::WildMatch;

use crate::error::{Error, Result, excerpt};
use crate::report::aggregate::Cell;
use crate::report::dimension::Dimension;
use crate::report::period::Period;
use crate::row::TaskType;
use crate::timestamp::Day;

/// A period that today decides.
type OfToday = fn(Day) -> Period;

/// Every such period, and what it is called.
const RELATIVE: [(&str, OfToday); 6] = [
    ("today", |today| Period::days(today, today)),
    ("yesterday", |today| Period::days(today, today).before()),
    ("this-week", Period::week),
    ("last-week", |today| Period::week(today).before()),
    ("this-month", Period::month),
    ("last-month", |today| Period::month(today).before()),
];

/// Some rows.
#[derive(Clone, Debug)]
pub struct Side {
    /// What it is called: as typed, but for what today decides.
    pub name: String,
    /// Which rows.
    pub of: Of,
}

/// Which rows a side is of.
#[derive(Clone, Debug)]
pub enum Of {
    /// From one day to another, both included where there is one.
    Days(Option<Day>, Option<Day>),
    /// A named period, which has one before it.
    Period(Period),
    /// Models that match.
    Model(WildMatch),
    /// One task type.
    TaskType(TaskType),
    /// A branch, or any other commit.
    Branch(String),
    /// What one commit has and another has not, as git writes it.
    Range(String),
}

impl Side {
    /// Reads what was typed.
    ///
    /// # Errors
    /// It is none of these.
    pub fn parse(text: &str, today: Day) -> Result<Side> {
        let side = |of| Ok(Side { name: text.to_owned(), of });
        if let Some((_, period)) = RELATIVE.iter().find(|(name, _)| *name == text) {
            return Ok(Side::period(period(today)));
        }
        if let Some(period) = Period::parse(text) {
            return Ok(Side::period(period));
        }
        match text.split_once(':') {
            Some(("before", day)) => {
                if let Some(period) = Period::parse(day) {
                    return side(Of::Days(None, Some(Day(period.from.0 - 1))));
                }
            }
            Some(("after", day)) => {
                if let Some(period) = Period::parse(day) {
                    return side(Of::Days(Some(period.from), None));
                }
            }
            Some(("model", glob)) if !glob.is_empty() => {
                return side(Of::Model(WildMatch::new(glob)));
            }
            Some(("task-type", name)) => {
                if let Some(task_type) = TaskType::parse(name.as_bytes()) {
                    return side(Of::TaskType(task_type));
                }
            }
            Some(("branch", name)) if !name.is_empty() && !name.contains("..") => {
                return side(Of::Branch(name.to_owned()));
            }
            _ => {}
        }
        match text.split_once("..") {
            Some((from, to)) => match (Period::parse(from), Period::parse(to)) {
                (Some(from), Some(to)) if from.from <= to.to => {
                    side(Of::Days(Some(from.from), Some(to.to)))
                }
                (Some(from), None) if to.is_empty() => side(Of::Days(Some(from.from), None)),
                (None, Some(to)) if from.is_empty() => side(Of::Days(None, Some(to.to))),
                (None, None) => side(Of::Range(text.to_owned())),
                _ => Err(unknown(text)),
            },
            None => Err(unknown(text)),
        }
    }

    fn period(period: Period) -> Side {
        Side { name: period.name(), of: Of::Period(period) }
    }

    /// The seven days to the newest row and the seven before: equal lengths, and no clock.
    pub fn of_newest(newest: Day) -> [Side; 2] {
        let last = Period::days(Day(newest.0 - 6), newest);
        let before = last.before();
        [Side::period(last), Side::period(before)]
    }

    /// What it is compared with where nothing else is said: the period before, or the other side of
    /// a day.
    pub fn counterpart(&self) -> Option<Side> {
        let other =
            |from: &str, to: &str, of| Some(Side { name: self.name.replacen(from, to, 1), of });
        match &self.of {
            Of::Period(period) => Some(Side::period(period.before())),
            Of::Days(Some(from), Some(to)) => Some(Side::period(Period::days(*from, *to).before())),
            Of::Days(Some(from), None) if self.name.starts_with("after:") => {
                other("after:", "before:", Of::Days(None, Some(Day(from.0 - 1))))
            }
            Of::Days(None, Some(to)) if self.name.starts_with("before:") => {
                other("before:", "after:", Of::Days(Some(Day(to.0 + 1)), None))
            }
            _ => None,
        }
    }

    /// The first and the last day that it may have.
    pub fn days(&self) -> (Option<Day>, Option<Day>) {
        match &self.of {
            Of::Days(from, to) => (*from, *to),
            Of::Period(period) => (Some(period.from), Some(period.to)),
            _ => (None, None),
        }
    }

    /// Whether it has the rows of a cell; of a commit it is given no others.
    pub fn takes(&self, cell: &Cell) -> bool {
        match &self.of {
            Of::Model(glob) => glob.matches(&cell.model),
            Of::TaskType(task_type) => cell.task_type == *task_type,
            Of::Branch(_) | Of::Range(_) => true,
            Of::Days(..) | Of::Period(_) => {
                let (from, to) = self.days();
                from.is_none_or(|from| from <= cell.day) && to.is_none_or(|to| cell.day <= to)
            }
        }
    }

    /// Whether it is of one group of that dimension.
    pub fn is_of(&self, dimension: Dimension) -> bool {
        match &self.of {
            Of::Model(_) => dimension == Dimension::Model,
            Of::TaskType(_) => dimension == Dimension::TaskType,
            _ => false,
        }
    }

    /// Whether git knows its rows.
    pub fn is_of_git(&self) -> bool {
        matches!(self.of, Of::Branch(_) | Of::Range(_))
    }

    /// The range of commits that holds its rows beside the other side's: two branches are compared
    /// without the rows that both have.
    pub fn range(&self, other: &Side) -> Option<String> {
        match (&self.of, &other.of) {
            (Of::Branch(name), Of::Branch(other)) => Some(format!("{other}..{name}")),
            (Of::Branch(name), _) => Some(name.clone()),
            (Of::Range(range), _) => Some(range.clone()),
            _ => None,
        }
    }
}

fn unknown(text: &str) -> Error {
    Error::Usage {
        problem: format!(
            "compare: \"{}\" is no period (this-week, 2026-W47, 2026-11, 2026-11-01..2026-11-15, \
             before:2026-11-10, after:…), branch:NAME, A..B, model:GLOB or task-type:TYPE",
            excerpt(text)
        ),
        fix: "usage-report compare this-week last-week".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Side {
        Side::parse(text, Day::parse("2026-11-21").unwrap()).unwrap()
    }

    fn told(side: &Side) -> String {
        let day = |day: Option<Day>| day.map(|it| it.to_string()).unwrap_or_default();
        let (from, to) = side.days();
        format!("{} {}..{}", side.name, day(from), day(to))
    }

    #[test]
    fn periods_are_the_days_that_people_mean() {
        for (text, said) in [
            ("this-week", "2026-W47 2026-11-16..2026-11-22"),
            ("last-week", "2026-W46 2026-11-09..2026-11-15"),
            ("this-month", "2026-11 2026-11-01..2026-11-30"),
            ("last-month", "2026-10 2026-10-01..2026-10-31"),
            ("today", "2026-11-21 2026-11-21..2026-11-21"),
            ("yesterday", "2026-11-20 2026-11-20..2026-11-20"),
            ("2026-W01", "2026-W01 2025-12-29..2026-01-04"),
            ("2026-11-01..2026-11-15", "2026-11-01..2026-11-15 2026-11-01..2026-11-15"),
            ("2026-W40..2026-W41", "2026-W40..2026-W41 2026-09-28..2026-10-11"),
            ("2026-11-01..", "2026-11-01.. 2026-11-01.."),
            ("before:2026-11-10", "before:2026-11-10 ..2026-11-09"),
            ("after:2026-11-10", "after:2026-11-10 2026-11-10.."),
        ] {
            assert_eq!(told(&parsed(text)), said);
        }
    }

    #[test]
    fn a_period_is_compared_with_the_one_before() {
        for (text, said) in [
            ("this-week", "2026-W46 2026-11-09..2026-11-15"),
            ("2026-11", "2026-10 2026-10-01..2026-10-31"),
            ("2026-11-01..2026-11-15", "2026-10-17..2026-10-31 2026-10-17..2026-10-31"),
            ("after:2026-11-10", "before:2026-11-10 ..2026-11-09"),
            ("before:2026-11-10", "after:2026-11-10 2026-11-10.."),
        ] {
            assert_eq!(told(&parsed(text).counterpart().unwrap()), said);
        }
        for alone in ["model:gpt-*", "task-type:plan", "branch:main", "main..topic", "2026-11-01.."]
        {
            assert!(parsed(alone).counterpart().is_none(), "{alone}");
        }
    }

    #[test]
    fn two_branches_are_compared_without_what_both_have() {
        let (main, topic, range) = (parsed("branch:main"), parsed("branch:topic"), parsed("a..b"));
        assert_eq!(topic.range(&main).as_deref(), Some("main..topic"));
        assert_eq!(main.range(&topic).as_deref(), Some("topic..main"));
        assert_eq!(main.range(&range).as_deref(), Some("main"));
        assert_eq!(range.range(&main).as_deref(), Some("a..b"));
    }

    #[test]
    fn anything_else_is_refused() {
        for wrong in [
            "",
            "next-week",
            "2026",
            "model:",
            "task-type:exec",
            "branch:",
            "2026-11-15..2026-11-01",
        ] {
            let refused = Side::parse(wrong, Day(0)).unwrap_err().to_string();
            assert!(refused.contains("is no period"), "{refused}");
        }
    }
}
