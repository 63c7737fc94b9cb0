//! Outcomes and durations of what events tell: of one kind of line, and of whole runs.

use std::collections::BTreeSet;

use crate::event::Event;
use crate::report::activity::weight::{Durations, Lengths, Weight};

/// What lines of one kind sum up to.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    count: Weight,
    known: Weight,
    successes: Weight,
    durations: Durations,
}

/// What is said of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outcomes {
    /// How many there are.
    pub count: u64,
    /// Of how many it is known whether they succeeded.
    pub known: u64,
    /// How many succeeded.
    pub successes: u64,
    /// How long they took, where that is known.
    pub durations: Lengths,
}

impl Tally {
    /// Adds one line.
    pub fn add(&mut self, event: &Event, weight: Weight) {
        self.count.add(weight);
        let by_name = match event.name.step() {
            "completed" => Some(true),
            "failed" => Some(false),
            _ => None,
        };
        if let Some(success) = event.success.or(by_name) {
            self.known.add(weight);
            self.successes.add(if success { weight } else { Weight::default() });
        }
        if let Some(duration_ms) = event.duration_ms {
            self.durations.add(duration_ms, weight);
        }
    }

    /// Adds other lines.
    pub fn merge(&mut self, other: &Tally) {
        self.count.add(other.count);
        self.known.add(other.known);
        self.successes.add(other.successes);
        self.durations.merge(&other.durations);
    }

    /// What is said of them.
    pub fn outcomes(&self) -> Outcomes {
        Outcomes {
            count: self.count.count(),
            known: self.known.count(),
            successes: self.successes.count(),
            durations: self.durations.lengths(),
        }
    }
}

/// Runs of one command that belong together: each may be told of when it begins and when it ends,
/// or only once.
#[derive(Clone, Debug, Default)]
pub struct Runs {
    /// Lines of beginnings, and of runs that are told of once.
    begun: Tally,
    /// Lines of ends.
    ended: Tally,
    /// Who acts in them; of several, the first by name.
    pub role: Option<Box<str>>,
    /// Whose they are.
    pub identities: BTreeSet<u32>,
}

impl Runs {
    /// Adds one line.
    pub fn add(&mut self, event: &Event, weight: Weight, identity: Option<u32>) {
        match event.name.step() {
            "completed" | "failed" => self.ended.add(event, weight),
            _ => self.begun.add(event, weight),
        }
        if let Some(role) = event.role.as_deref()
            && self.role.as_deref().is_none_or(|known| role < known)
        {
            self.role = Some(role.into());
        }
        self.identities.extend(identity);
    }

    /// What they sum up to: a run that is told of twice counts once.
    pub fn tally(self) -> Tally {
        let Runs { begun, ended, .. } = self;
        let count = begun.count.max(ended.count);
        let of = |is_ended: bool| if is_ended { &ended } else { &begun };
        let outcomes = of(ended.known >= begun.known);
        let has_more_ends = ended.durations.lengths().counted >= begun.durations.lengths().counted;
        Tally {
            count,
            known: outcomes.known,
            successes: outcomes.successes,
            durations: of(has_more_ends).durations.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(name: &str, more: &str) -> Event {
        let line = format!(
            "{{\"v\":1,\"id\":\"019c8c52-a34f-7b33-8000-00000000002a\",\"correlation\":\"c\",\
             \"timestamp\":\"2026-02-23T22:19:12Z\",\"name\":\"{name}\"{more}}}"
        );
        Event::parse(&line).unwrap()
    }

    fn told(lines: &[(&str, &str)]) -> (u64, u64, u64, Option<u64>) {
        let mut runs = Runs::default();
        lines.iter().for_each(|(name, more)| runs.add(&line(name, more), Weight::ONE, None));
        let outcomes = runs.tally().outcomes();
        (outcomes.count, outcomes.known, outcomes.successes, outcomes.durations.p50)
    }

    #[test]
    fn a_run_that_is_told_of_twice_counts_once() {
        let begun = ("command.executed", "");
        let took = ("command.completed", ",\"duration_ms\":7");
        assert_eq!(told(&[begun]), (1, 0, 0, None));
        assert_eq!(told(&[begun, took]), (1, 1, 1, Some(7)));
        assert_eq!(told(&[begun, ("command.failed", "")]), (1, 1, 0, None));
        assert_eq!(told(&[("command.executed", ",\"success\":false")]), (1, 1, 0, None));
        assert_eq!(told(&[begun, begun, took]), (2, 1, 1, Some(7)));
        assert_eq!(told(&[took, took, took]), (3, 3, 3, Some(7)));
        assert_eq!(told(&[("command.completed", ",\"success\":false")]), (1, 1, 0, None));
    }
}
