//! Events and the tags of rows → who was active, in which sessions, and what was done there. Plain
//! values; what would say too much about few people is folded here, so that no view can show it.

pub mod weight;
pub mod seen;
pub mod small;
pub mod tally;
pub mod watch;
pub mod periods;
pub mod split;

use std::cmp::Reverse;
use std::collections::BTreeSet;

use crate::event::Dropped;
use crate::figures;
use crate::report::activity::periods::{Counts, Period, Periods};
use crate::report::activity::seen::Seen;
use crate::report::activity::split::{Choice, Command};
use crate::report::activity::tally::Outcomes;
use crate::report::activity::watch::{FlowSums, Label, StrategySums, Watch};
use crate::report::activity::weight::{Durations, Lengths, Weight};
use crate::timestamp::Day;

/// The sessions that are selected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sessions {
    /// How many there are.
    pub count: u64,
    /// How many of them only rows tell of.
    pub of_rows: u64,
    /// How many of them ran wholly unattended.
    pub of_ci: u64,
    /// From the first to the last event or row of each.
    pub lengths: Lengths,
}

/// What has a beginning and an end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flow {
    /// How often it was asked for.
    pub begun: u64,
    /// How often it ended well.
    pub completed: u64,
    /// How often it did not.
    pub failed: u64,
    /// Its ends.
    pub ends: Outcomes,
}

impl Flow {
    fn of(sums: &FlowSums) -> Flow {
        Flow {
            begun: sums.begun.count(),
            completed: sums.completed.count(),
            failed: sums.failed.count(),
            ends: sums.ends.outcomes(),
        }
    }

    /// Whether there is nothing to say.
    pub fn is_none(&self) -> bool {
        *self == Flow::default()
    }
}

/// One agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Agent {
    /// Its name.
    pub name: Label,
    /// What it did.
    pub flow: Flow,
    /// How many rows of the ledger it has.
    pub rows: u64,
}

/// Operations of one strategy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Strategy {
    /// Its name.
    pub name: Label,
    /// How many there are, and what became of them.
    pub outcomes: Outcomes,
    /// How sure the agent was, in millionths: the mean.
    pub confidence: Option<u64>,
    /// How often each was tried, in thousandths: the mean.
    pub attempts: Option<u64>,
    /// The most memory that each held, in bytes: the mean.
    pub memory: Option<u64>,
    /// The most that any held.
    pub memory_max: Option<u64>,
    /// How often each kind of error was met, the most frequent first.
    pub errors: Vec<(Box<str>, u64)>,
}

/// Everything that is said of activity.
#[derive(Clone, Debug, Default)]
pub struct Activity {
    /// The first and last day of what is selected.
    pub span: Option<(Day, Day)>,
    /// What is selected.
    pub selected: Counts,
    /// How many lines its events are.
    pub lines: u64,
    /// Everything, selected or not.
    pub stored: Counts,
    /// How many lines its events are.
    pub lines_stored: u64,
    /// Its first and last day.
    pub stored_span: Option<(Day, Day)>,
    /// Whether lines stand for several events.
    pub is_estimated: bool,
    /// What was counted, but not written.
    pub dropped: Dropped,
    /// Distinct identities.
    pub identities: u64,
    /// What ran unattended.
    pub of_ci: Counts,
    /// What has no user.
    pub of_nobody: Counts,
    /// By calendar day, ISO week and month.
    pub periods: Periods,
    /// The sessions.
    pub sessions: Sessions,
    /// Runs by command, the most frequent first.
    pub commands: Vec<Command>,
    /// Runs by role and command, as far as they may be shown.
    pub commands_by_role: Vec<Command>,
    /// Roles, as far as they may be shown.
    pub roles: Vec<Choice>,
    /// Agents, the busiest first.
    pub agents: Vec<Agent>,
    /// Hand-overs.
    pub handoffs: Flow,
    /// Sequences of steps.
    pub workflows: Flow,
    /// Operations, the most frequent first.
    pub strategies: Vec<Strategy>,
    /// How many events there are of each name, by name.
    pub names: Vec<(Box<str>, u64)>,
    /// So many identities a split by role must have; 0 where there is but one, or none.
    pub identities_min: u64,
}

/// Says what events and rows tell; where there is more than one identity, selected or not, a split by role
/// must have so many.
pub fn build(mut events: Watch, rows: &Seen, identities_min: u64) -> Activity {
    let runs = events.commands();
    let mut seen = std::mem::take(&mut events.seen);
    seen.merge(rows);
    // Of one alone nobody can tell whose the figures of a role are.
    let identities_min = if seen.identities_stored() > 1 { identities_min } else { 0 };
    let days = || seen.days.keys().copied();
    let span = days().next().zip(days().next_back());
    let identities: BTreeSet<u32> =
        seen.days.values().flat_map(|day| day.identities.iter().copied()).collect();
    Activity {
        span,
        selected: Counts::of(seen.records),
        lines: events.lines,
        stored: Counts::of(seen.stored),
        lines_stored: events.lines_stored,
        stored_span: seen.stored_days,
        is_estimated: events.is_estimated,
        dropped: events.dropped,
        identities: identities.len() as u64,
        of_ci: Counts::of(seen.of_ci),
        of_nobody: Counts::of(seen.of_nobody),
        periods: Periods::of(&seen),
        sessions: sessions(&seen),
        commands: split::overall(&runs),
        commands_by_role: split::by_role(&runs, identities_min),
        roles: split::roles(&events.roles, identities_min),
        agents: agents(&events, &seen),
        handoffs: Flow::of(&events.handoffs),
        workflows: Flow::of(&events.workflows),
        strategies: strategies(&events),
        names: events.names.iter().map(|(name, weight)| (name.clone(), weight.count())).collect(),
        identities_min,
    }
}

fn sessions(seen: &Seen) -> Sessions {
    let mut lengths = Durations::default();
    let (mut of_rows, mut of_ci) = (0, 0);
    for session in seen.sessions() {
        lengths.add(session.length_ms(), Weight::ONE);
        of_rows += u64::from(session.is_of_rows);
        of_ci += u64::from(session.is_of_ci);
    }
    let lengths = lengths.lengths();
    Sessions { count: lengths.counted, of_rows, of_ci, lengths }
}

fn agents(events: &Watch, seen: &Seen) -> Vec<Agent> {
    let mut flows = events.agents.clone();
    for name in seen.rows_of_agents.keys() {
        flows.entry(Some(name.clone())).or_default();
    }
    let agent = |(name, sums): (&Label, &FlowSums)| {
        let rows = name.as_ref().and_then(|name| seen.rows_of_agents.get(name));
        Agent { name: name.clone(), flow: Flow::of(sums), rows: rows.copied().unwrap_or(0) }
    };
    let mut agents: Vec<Agent> = flows.iter().map(agent).collect();
    agents.sort_by_key(|it| Reverse((it.flow.begun.max(it.flow.ends.count), it.rows)));
    agents
}

fn strategies(events: &Watch) -> Vec<Strategy> {
    let strategy = |(name, sums): (&Label, &StrategySums)| {
        let mut errors: Vec<(Box<str>, u64)> =
            sums.errors.iter().map(|(kind, weight)| (kind.clone(), weight.count())).collect();
        errors.sort_by_key(|(_, count)| Reverse(*count));
        Strategy {
            name: name.clone(),
            outcomes: sums.all.outcomes(),
            confidence: sums.confidence.mean(),
            attempts: sums.attempts.mean(),
            memory: sums.memory.mean(),
            memory_max: sums.memory_max,
            errors,
        }
    };
    let mut strategies: Vec<Strategy> = events.strategies.iter().map(strategy).collect();
    strategies.sort_by_key(|it| Reverse(it.outcomes.count));
    strategies
}

/// The mean of how many identities were active in each period, in tenths, empty ones included.
pub fn mean_active_tenths(periods: &[Period]) -> u64 {
    let sum: u64 = periods.iter().map(|it| it.active).sum();
    figures::divided(u128::from(sum) * 10, periods.len() as u128) as u64
}
