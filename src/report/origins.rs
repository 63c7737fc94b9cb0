//! What git knows of rows: which commit, author, branch or pull request brought each of them.

use hashbrown::HashMap;

use crate::report::dimension::Dimension;
use crate::timestamp::Day;

/// A branch counts as abandoned if nothing was committed to it for so many days before the newest
/// row: two weeks outlast a holiday and most reviews.
const ABANDONED_DAYS: i32 = 14;

/// What became of what brought a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// It was merged into the default branch.
    Merged,
    /// It was not merged, and somebody works on it.
    Open,
    /// It was not merged, and nobody works on it.
    Abandoned,
    /// It was committed on the default branch.
    Committed,
    /// No commit has it.
    NotCommitted,
}

impl State {
    /// The word for it in machine formats.
    pub fn name(self) -> &'static str {
        match self {
            State::Merged => "merged",
            State::Open => "open",
            State::Abandoned => "abandoned",
            State::Committed => "committed",
            State::NotCommitted => "not_committed",
        }
    }
}

/// What brought some rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// What tells it from others of its dimension.
    pub key: String,
    /// A commit's hash, or a pull request's number, where it has one.
    pub id: Option<String>,
    /// A commit's subject, a pull request's title, the name of an author or of a branch.
    pub title: String,
    /// What became of it.
    pub state: State,
    /// The day of a branch's last commit, where that decides whether it is abandoned.
    pub changed: Option<Day>,
}

impl Origin {
    /// What was committed by somebody, or under that hash.
    pub fn committed(id: Option<String>, title: String) -> Origin {
        let key = id.clone().unwrap_or_else(|| title.clone());
        Origin { key, id, title, state: State::Committed, changed: None }
    }

    /// A branch, or a pull request, that was merged.
    pub fn merged(id: Option<String>, title: String) -> Origin {
        Origin { state: State::Merged, ..Origin::committed(id, title) }
    }

    /// A branch that is not merged.
    pub fn open(name: &str, changed: Option<Day>) -> Origin {
        let (key, title) = (format!("open: {name}"), name.to_owned());
        Origin { key, id: None, title, state: State::Open, changed }
    }

    /// The same, knowing the day of the newest row.
    pub fn as_of(mut self, newest: Option<Day>) -> Origin {
        if let (State::Open, Some(changed), Some(newest)) = (self.state, self.changed, newest)
            && newest.0 - changed.0 > ABANDONED_DAYS
        {
            self.state = State::Abandoned;
        }
        self
    }

    /// The title, with what became of it where that is not plain.
    pub fn label(&self) -> String {
        match self.state {
            State::Open => format!("open: {}", self.title),
            State::Abandoned => format!("abandoned: {}", self.title),
            _ => self.title.clone(),
        }
    }
}

/// What brought each row, for one dimension.
#[derive(Clone, Debug, Default)]
pub struct Brought {
    origins: Vec<Origin>,
    places: HashMap<String, u32>,
    rows: HashMap<u128, u32>,
}

impl Brought {
    /// Rows, each with the number of what brought it among these.
    pub fn of(rows: &HashMap<u128, u32>, origins: impl Iterator<Item = Origin>) -> Brought {
        let mut brought = Brought::default();
        let places: Vec<u32> = origins.map(|origin| brought.place(origin)).collect();
        let rows = rows.iter().map(|(print, number)| (*print, places[*number as usize]));
        brought.rows = rows.collect();
        brought
    }

    /// The place of an origin; one with the same key is the same.
    pub fn place(&mut self, origin: Origin) -> u32 {
        let next = self.origins.len() as u32;
        let place = *self.places.entry_ref(&origin.key).or_insert(next);
        if place == next {
            self.origins.push(origin);
        }
        place
    }

    /// Notes that the origin at that place brought the row, unless another did before.
    pub fn add(&mut self, print: u128, place: u32) {
        self.rows.entry(print).or_insert(place);
    }

    /// The origin of that key, and its place.
    pub fn find(&self, key: &str) -> Option<(&Origin, u32)> {
        let place = *self.places.get(key)?;
        Some((&self.origins[place as usize], place))
    }
}

/// What brought each row, for every dimension that is asked for.
#[derive(Clone, Debug, Default)]
pub struct Origins {
    /// The dimensions.
    pub by: Vec<(Dimension, Brought)>,
    /// The branch that others are merged into, where there is one.
    pub default: Option<String>,
}

impl Origins {
    /// The key of what brought the row.
    pub fn key(&self, dimension: Dimension, print: u128) -> Option<&str> {
        let brought = self.of(dimension)?;
        let place = *brought.rows.get(&print)?;
        Some(&brought.origins[place as usize].key)
    }

    /// What is known for a dimension.
    pub fn of(&self, dimension: Dimension) -> Option<&Brought> {
        self.by.iter().find(|(it, _)| *it == dimension).map(|(_, brought)| brought)
    }
}
