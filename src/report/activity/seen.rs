//! Who was seen on which day, and from when to when each session went on: of events and of the tags
//! of rows alike. It does not matter in which order they come, nor how often.

use std::collections::{BTreeMap, BTreeSet};

use hashbrown::{HashMap, HashSet};

use crate::notes::Tags;
use crate::privacy::identity::CI;
use crate::report::activity::weight::Weight;
use crate::report::selection::Selection;
use crate::timestamp::{Day, Instant, Timestamp};

/// What was recorded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Records {
    /// Events, each as many as its line stands for.
    pub events: Weight,
    /// Rows of the ledger.
    pub rows: u64,
}

impl Records {
    /// One row.
    const ROW: Records = Records { events: Weight::NONE, rows: 1 };

    /// Adds others.
    pub fn add(&mut self, other: Records) {
        self.events.add(other.events);
        self.rows += other.rows;
    }

    /// Whether there are none.
    pub fn is_none(self) -> bool {
        self == Records::default()
    }
}

/// Names by number.
#[derive(Clone, Debug, Default)]
struct Names(HashMap<Box<str>, u32>);

impl Names {
    fn number(&mut self, name: &str) -> u32 {
        match self.0.get(name) {
            Some(number) => *number,
            None => {
                let next = self.0.len() as u32;
                self.0.insert(name.into(), next);
                next
            }
        }
    }

    /// The names in the order of their numbers.
    fn in_order(&self) -> Vec<&str> {
        let mut names: Vec<(u32, &str)> = self.0.iter().map(|(name, at)| (*at, &**name)).collect();
        names.sort_unstable();
        names.into_iter().map(|(_, name)| name).collect()
    }
}

/// One calendar day.
#[derive(Clone, Debug, Default)]
pub struct DaySeen {
    /// The identities that were active.
    pub identities: HashSet<u32>,
    /// The sessions that were.
    pub sessions: HashSet<u32>,
    /// What was recorded.
    pub records: Records,
}

/// One session.
#[derive(Clone, Copy, Debug)]
pub struct Session {
    /// Its first event or row.
    pub first: Instant,
    /// Its last one.
    pub last: Instant,
    /// Whether only rows tell of it.
    pub is_of_rows: bool,
    /// Whether all of it ran unattended.
    pub is_of_ci: bool,
}

impl Session {
    fn merge(&mut self, other: Session) {
        self.first = self.first.min(other.first);
        self.last = self.last.max(other.last);
        self.is_of_rows &= other.is_of_rows;
        self.is_of_ci &= other.is_of_ci;
    }

    /// From its first to its last event or row, in milliseconds, rounded half up.
    pub fn length_ms(&self) -> u64 {
        let nanos = |at: Instant| i128::from(at.seconds) * 1_000_000_000 + i128::from(at.nanos);
        let length = (nanos(self.last) - nanos(self.first)).max(0) + 500_000;
        u64::try_from(length / 1_000_000).unwrap_or(u64::MAX)
    }
}

/// Everything that was seen.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    selection: Selection,
    identities: Names,
    /// On which day each identity was first seen, selected or not.
    first_days: Vec<Day>,
    sessions: Names,
    /// The sessions that are selected, by number.
    spans: Vec<Session>,
    /// What was seen of each day that is selected.
    pub days: BTreeMap<Day, DaySeen>,
    /// What is selected.
    pub records: Records,
    /// Of it, what ran unattended.
    pub of_ci: Records,
    /// Of it, what has no user.
    pub of_nobody: Records,
    /// All there is, selected or not.
    pub stored: Records,
    /// Its first and last day.
    pub stored_days: Option<(Day, Day)>,
    /// How many selected rows each agent has.
    pub rows_of_agents: BTreeMap<Box<str>, u64>,
}

/// What one event or row tells.
#[derive(Clone, Copy, Debug)]
struct Sign<'a> {
    at: Timestamp,
    user: Option<&'a str>,
    session: Option<&'a str>,
    records: Records,
}

impl Seen {
    /// Nothing seen yet; of this selection the times count.
    pub fn new(selection: Selection) -> Seen {
        Seen { selection, ..Seen::default() }
    }

    /// Takes an event; its identity, if it is selected and has one.
    pub fn event(
        &mut self,
        at: Timestamp,
        user: Option<&str>,
        session: Option<&str>,
        weight: Weight,
    ) -> Option<u32> {
        self.take(Sign { at, user, session, records: Records { events: weight, rows: 0 } })
    }

    /// Takes a row, with the tag block of its notes where there is one.
    pub fn row(&mut self, at: Timestamp, tags: Option<&Tags<'_>>) {
        let tag = |key| tags.and_then(|tags| tags.get(key));
        self.take(Sign { at, user: tag("user"), session: tag("session"), records: Records::ROW });
        if let Some(agent) = tag("agent").filter(|_| self.takes(at)) {
            match self.rows_of_agents.get_mut(agent) {
                Some(rows) => *rows += 1,
                None => drop(self.rows_of_agents.insert(agent.into(), 1)),
            }
        }
    }

    /// How many identities there are, selected or not.
    pub fn identities_stored(&self) -> usize {
        self.first_days.len()
    }

    /// Whether this time is selected.
    pub fn takes(&self, at: Timestamp) -> bool {
        self.selection.takes_time(at)
    }

    fn take(&mut self, sign: Sign<'_>) -> Option<u32> {
        let Sign { at, user, session, records } = sign;
        let day = at.day();
        self.stored.add(records);
        self.stored_days =
            Some(self.stored_days.map_or((day, day), |(a, b)| (a.min(day), b.max(day))));
        let identity = user.filter(|user| *user != CI).map(|user| self.identity(user, day));
        if !self.takes(at) {
            return None;
        }
        self.records.add(records);
        let seen = self.days.entry(day).or_default();
        seen.records.add(records);
        match user {
            None => self.of_nobody.add(records),
            Some(CI) => self.of_ci.add(records),
            Some(_) => seen.identities.extend(identity),
        }
        if let Some(session) = session {
            let number = self.sessions.number(session);
            seen.sessions.insert(number);
            let (first, last) = (at.instant(), at.instant());
            let (is_of_rows, is_of_ci) = (records.rows > 0, user == Some(CI));
            self.see_session(number, Session { first, last, is_of_rows, is_of_ci });
        }
        identity
    }

    fn identity(&mut self, user: &str, day: Day) -> u32 {
        let number = self.identities.number(user);
        match self.first_days.get_mut(number as usize) {
            Some(first) => *first = day.min(*first),
            None => self.first_days.push(day),
        }
        number
    }

    fn see_session(&mut self, number: u32, session: Session) {
        match self.spans.get_mut(number as usize) {
            Some(known) => known.merge(session),
            None => self.spans.push(session),
        }
    }

    /// Adds what was seen elsewhere.
    pub fn merge(&mut self, other: &Seen) {
        let days = other.identities.in_order().into_iter().zip(&other.first_days);
        let identities: Vec<u32> = days.map(|(user, day)| self.identity(user, *day)).collect();
        let mut sessions = Vec::new();
        for (name, session) in other.sessions.in_order().into_iter().zip(&other.spans) {
            let number = self.sessions.number(name);
            sessions.push(number);
            self.see_session(number, *session);
        }
        for (day, theirs) in &other.days {
            let mine = self.days.entry(*day).or_default();
            mine.identities.extend(theirs.identities.iter().map(|it| identities[*it as usize]));
            mine.sessions.extend(theirs.sessions.iter().map(|it| sessions[*it as usize]));
            mine.records.add(theirs.records);
        }
        self.records.add(other.records);
        self.of_ci.add(other.of_ci);
        self.of_nobody.add(other.of_nobody);
        self.stored.add(other.stored);
        self.stored_days = match (self.stored_days, other.stored_days) {
            (Some((a, b)), Some((c, d))) => Some((a.min(c), b.max(d))),
            (mine, theirs) => mine.or(theirs),
        };
        for (agent, rows) in &other.rows_of_agents {
            *self.rows_of_agents.entry(agent.clone()).or_default() += rows;
        }
    }

    /// The sessions that are selected, in no order.
    pub fn sessions(&self) -> impl Iterator<Item = &Session> {
        self.spans.iter()
    }

    /// How many of these identities were first seen on one of these days.
    pub fn new_among(&self, identities: &BTreeSet<u32>, (from, to): (Day, Day)) -> u64 {
        let first = |it: &u32| self.first_days.get(*it as usize).copied();
        let is_new = |it: &&u32| first(it).is_some_and(|day| (from..=to).contains(&day));
        identities.iter().filter(is_new).count() as u64
    }
}
