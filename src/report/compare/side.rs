//! What is compared: periods, branches and ranges, models, task types.

use wildmatch::WildMatch;

use crate::error::{Error, Result, excerpt};
use crate::report::aggregate::Cell;
use crate::report::dimension::Dimension;
use crate::report::period::{Kind, Period};
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

/// How far periods go that are not over: half a week is not to be compared with a whole one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ends {
    /// Those that end with the newest row, and its day.
    pub unfinished: Vec<(String, Day)>,
    /// Of both sides only so many days are taken.
    pub days: Option<u64>,
    /// What is the reader's own day, which is not over.
    pub today: Option<String>,
}

/// Some rows.
#[derive(Clone, Debug)]
pub struct Side {
    /// What it is called: as typed, but for what today decides.
    pub name: String,
    /// Which rows.
    pub of: Of,
    /// Whether today decides which.
    is_of_today: bool,
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
        let side = |of| Ok(Side { name: text.to_owned(), of, is_of_today: false });
        if let Some((_, period)) = RELATIVE.iter().find(|(name, _)| *name == text) {
            return Ok(Side { is_of_today: true, ..Side::period(period(today)) });
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
                (Some(from), Some(to)) => Err(Error::Usage {
                    problem: format!("compare: \"{}\" ends before it begins", excerpt(text)),
                    fix: format!("usage-report compare {}..{}", to.name(), from.name()),
                }),
                (None, None) => side(Of::Range(text.to_owned())),
                _ => Err(unknown(text)),
            },
            None => Err(unknown(text)),
        }
    }

    fn period(period: Period) -> Side {
        Side { name: period.name(), of: Of::Period(period), is_of_today: false }
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
        let other = |from: &str, to: &str, of| {
            Some(Side { name: self.name.replacen(from, to, 1), of, is_of_today: false })
        };
        match &self.of {
            Of::Period(period) => {
                Some(Side { is_of_today: self.is_of_today, ..Side::period(period.before()) })
            }
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

    /// Cuts two periods of one kind or length, of which one is not over, to the days of it to the
    /// newest row; of others it is only told that they are not over. The clock has a say only where
    /// it has chosen the period: last week is over, though its last days may have no rows.
    pub fn evened(sides: &mut [Side; 2], newest: Day, today: Day) -> Ends {
        let mut ends = Ends::default();
        let [one, two] = sides.each_ref().map(Side::stretch);
        let alike = |one: &Period, two: &Period| {
            let days = |it: &Period| it.to.0 - it.from.0;
            days(one) == days(two) || one.kind == two.kind && one.kind != Kind::Days
        };
        let is_unfinished = |side: &Side| {
            let is_over = |it: &Period| side.is_of_today && it.to < today;
            side.stretch().filter(|it| it.from <= newest && newest < it.to && !is_over(it))
        };
        let open: Vec<Period> = sides.iter().filter_map(is_unfinished).collect();
        for side in &*sides {
            if is_unfinished(side).is_some() {
                ends.unfinished.push((side.name.clone(), newest));
            }
            if side.is_of_today && side.days() == (Some(today), Some(today)) {
                ends.today = Some(side.name.clone());
            }
        }
        let days = open.iter().map(|it| newest.0 - it.from.0).min();
        if let (Some(one), Some(two), Some(days)) = (one, two, days)
            && alike(&one, &two)
        {
            for (side, period) in sides.iter_mut().zip([one, two]) {
                let to = Day((period.from.0 + days).min(period.to.0));
                side.of = Of::Days(Some(period.from), Some(to));
            }
            ends.days = Some(days as u64 + 1);
        }
        ends
    }

    /// Its days, where it has a first and a last one.
    fn stretch(&self) -> Option<Period> {
        match &self.of {
            Of::Period(period) => Some(period.clone()),
            Of::Days(Some(from), Some(to)) => Some(Period::days(*from, *to)),
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
    fn half_a_period_is_compared_with_half_of_the_other() {
        let day = |text| Day::parse(text).unwrap();
        for (one, two, newest, days, told_one, told_two) in [
            ("this-week", "last-week", "2026-11-17", Some(2), "16..2026-11-17", "09..2026-11-10"),
            ("last-week", "this-week", "2026-11-17", Some(2), "09..2026-11-10", "16..2026-11-17"),
            ("2026-11", "2026-10", "2026-11-20", Some(20), "01..2026-11-20", "01..2026-10-20"),
            ("2026-03", "2026-02", "2026-03-30", Some(30), "01..2026-03-30", "01..2026-02-28"),
            ("this-week", "last-week", "2026-11-22", None, "16..2026-11-22", "09..2026-11-15"),
            ("this-week", "2026-10", "2026-11-17", None, "16..2026-11-22", "01..2026-10-31"),
        ] {
            let mut sides = [one, two].map(parsed);
            let ends = Side::evened(&mut sides, day(newest), day(newest));
            assert_eq!(ends.days, days, "{one} {newest}");
            let [one, two] = sides.each_ref().map(told);
            assert!(one.ends_with(told_one) && two.ends_with(told_two), "{one} {two}");
        }
        // The Friday's rows are the newest, and the week is over.
        let mut sides = ["last-week", "2026-W45"].map(parsed);
        let ends = Side::evened(&mut sides, day("2026-11-13"), day("2026-11-16"));
        assert_eq!(ends, Ends::default());
        // Whoever names it has no clock asked.
        let mut sides = ["2026-W46", "2026-W45"].map(parsed);
        let ends = Side::evened(&mut sides, day("2026-11-13"), day("2026-11-16"));
        assert_eq!(ends.days, Some(5));
        let mut sides = ["this-week", "2026-10"].map(parsed);
        let ends = Side::evened(&mut sides, day("2026-11-17"), day("2026-11-17"));
        assert_eq!(ends.unfinished, [("2026-W47".to_owned(), day("2026-11-17"))]);
        let mut sides = ["today", "yesterday"].map(parsed);
        let ends = Side::evened(&mut sides, day("2026-11-21"), day("2026-11-21"));
        assert_eq!((ends.today.as_deref(), ends.days), (Some("2026-11-21"), None));
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
        for wrong in ["", "next-week", "2026", "model:", "task-type:exec", "branch:"] {
            let refused = Side::parse(wrong, Day(0)).unwrap_err().to_string();
            assert!(refused.contains("is no period"), "{refused}");
        }
        let refused = Side::parse("2026-11-15..2026-11-01", Day(0)).unwrap_err().to_string();
        assert!(refused.contains("ends before it begins"), "{refused}");
        assert!(refused.ends_with("compare 2026-11-01..2026-11-15"), "{refused}");
    }
}
