//! What rows are grouped by, and the keys of the groups.

use serde::{Deserialize, Serialize};

/// What rows can be grouped by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Dimension {
    /// The calendar day of the row's own offset.
    Day,
    /// Its ISO week.
    Week,
    /// Its month.
    Month,
    /// Its hour.
    Hour,
    /// Its day of the week.
    Weekday,
    /// The model's name.
    Model,
    /// The task type.
    TaskType,
    /// Where the row came from.
    Source,
    /// The agent's session.
    Session,
    /// The user's pseudonym.
    User,
    /// The file of the ledger.
    File,
    /// The commit that brought the row.
    Commit,
    /// Who wrote that commit.
    Author,
    /// The branch that brought the row to the default branch.
    Branch,
    /// The pull request that did.
    Pr,
}

impl Dimension {
    /// Every dimension, with the word for it on the command line.
    pub const ALL: [(Dimension, &'static str); 15] = [
        (Dimension::Day, "day"),
        (Dimension::Week, "week"),
        (Dimension::Month, "month"),
        (Dimension::Hour, "hour"),
        (Dimension::Weekday, "weekday"),
        (Dimension::Model, "model"),
        (Dimension::TaskType, "task-type"),
        (Dimension::Source, "source"),
        (Dimension::Session, "session"),
        (Dimension::User, "user"),
        (Dimension::File, "file"),
        (Dimension::Commit, "commit"),
        (Dimension::Author, "author"),
        (Dimension::Branch, "branch"),
        (Dimension::Pr, "pr"),
    ];

    /// The dimension of that name.
    pub fn parse(name: &str) -> Option<Dimension> {
        Dimension::ALL.iter().find(|(_, it)| *it == name).map(|(dimension, _)| *dimension)
    }

    /// Whether its groups are made of whole days.
    pub fn is_of_days(self) -> bool {
        matches!(self, Dimension::Day | Dimension::Week | Dimension::Month | Dimension::Weekday)
    }

    /// Whether its groups are made of sums by day, model and task type.
    pub fn is_of_cells(self) -> bool {
        self.is_of_days() || matches!(self, Dimension::Model | Dimension::TaskType)
    }

    /// Whether only git knows its groups.
    pub fn is_of_git(self) -> bool {
        use Dimension::{Author, Branch, Commit, Pr};
        matches!(self, Commit | Author | Branch | Pr)
    }

    /// The word for it on the command line.
    pub fn name(self) -> &'static str {
        Dimension::ALL[self as usize].1
    }
}

/// One group's place in its dimension.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Key {
    /// A day, a Monday, a month, an hour, a weekday or a task type, by number.
    Number(i64),
    /// A name.
    Text(Box<str>),
    /// Rows that lack it.
    None,
}
