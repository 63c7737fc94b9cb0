//! Events → sums, one after another, in whatever order they come.

use std::collections::{BTreeMap, BTreeSet};

use hashbrown::HashMap;

use crate::event::{Dropped, Event};
use crate::report::activity::seen::Seen;
use crate::report::activity::tally::{Runs, Tally};
use crate::report::activity::weight::{Sum, Weight};
use crate::report::selection::Selection;

/// A name that may be missing.
pub type Label = Option<Box<str>>;

/// How often one role was chosen.
#[derive(Clone, Debug, Default)]
pub struct Choices {
    /// It was chosen first, or took another's place.
    pub times: Weight,
    /// Who chose it.
    pub identities: BTreeSet<u32>,
}

/// What has a beginning and an end: work of an agent, a hand-over, a sequence of steps.
#[derive(Clone, Debug, Default)]
pub struct FlowSums {
    /// It was asked for.
    pub begun: Weight,
    /// It ended well.
    pub completed: Weight,
    /// It did not.
    pub failed: Weight,
    /// Its ends.
    pub ends: Tally,
}

impl FlowSums {
    fn add(&mut self, event: &Event, weight: Weight, begins: &str) {
        match event.name.step() {
            "completed" => self.completed.add(weight),
            "failed" => self.failed.add(weight),
            step if step == begins => return self.begun.add(weight),
            _ => return,
        }
        self.ends.add(event, weight);
    }
}

/// Operations of one strategy.
#[derive(Clone, Debug, Default)]
pub struct StrategySums {
    /// All of them.
    pub all: Tally,
    /// How sure the agent was, in millionths.
    pub confidence: Sum,
    /// How often each was tried, in thousandths.
    pub attempts: Sum,
    /// The most memory that each held.
    pub memory: Sum,
    /// The most that any held.
    pub memory_max: Option<u64>,
    /// How many failed, by kind of error.
    pub errors: BTreeMap<Box<str>, Weight>,
}

/// All that events tell.
#[derive(Debug, Default)]
pub struct Watch {
    /// Who was seen when.
    pub seen: Seen,
    /// How many lines there are, selected or not.
    pub lines_stored: u64,
    /// How many lines are selected.
    pub lines: u64,
    /// Whether some of them stand for more than one event.
    pub is_estimated: bool,
    /// What was dropped before them.
    pub dropped: Dropped,
    /// How many there are of each name.
    pub names: BTreeMap<Box<str>, Weight>,
    /// Runs by what belongs together, and by command.
    runs: HashMap<(Box<str>, Label), Runs>,
    /// By role.
    pub roles: BTreeMap<Label, Choices>,
    /// By agent.
    pub agents: BTreeMap<Label, FlowSums>,
    /// Hand-overs.
    pub handoffs: FlowSums,
    /// Sequences of steps.
    pub workflows: FlowSums,
    /// Operations by strategy.
    pub strategies: BTreeMap<Label, StrategySums>,
}

/// Runs of one command in one role.
#[derive(Clone, Debug, Default)]
pub struct CommandSums {
    /// The runs.
    pub runs: Tally,
    /// Whose they are.
    pub identities: BTreeSet<u32>,
}

impl Watch {
    /// Nothing seen yet; of this selection the times count.
    pub fn new(selection: Selection) -> Watch {
        Watch { seen: Seen::new(selection), ..Watch::default() }
    }

    /// Takes one event.
    pub fn add(&mut self, event: &Event) {
        let weight = Weight::of(event.sample);
        self.lines_stored += 1;
        let (user, session) = (event.user.as_deref(), event.session.as_deref());
        let identity = self.seen.event(event.at, user, session, weight);
        if !self.seen.takes(event.at) {
            return;
        }
        self.lines += 1;
        self.is_estimated |= weight != Weight::ONE;
        self.dropped = self.dropped.plus(event.dropped);
        add_to(&mut self.names, event.name.as_str(), weight);
        match event.name.area() {
            "command" => {
                let key = (event.correlation.as_str().into(), label(&event.command));
                self.runs.entry(key).or_default().add(event, weight, identity);
            }
            "role" => self.add_role(event, weight, identity),
            "agent" => {
                let agent = self.agents.entry(label(&event.agent)).or_default();
                agent.add(event, weight, "invoked");
            }
            "handoff" => self.handoffs.add(event, weight, "clicked"),
            "workflow" => self.workflows.add(event, weight, "started"),
            "operation" => self.add_operation(event, weight),
            _ => {}
        }
    }

    fn add_role(&mut self, event: &Event, weight: Weight, identity: Option<u32>) {
        if !matches!(event.name.step(), "selected" | "changed") {
            return;
        }
        let role = self.roles.entry(label(&event.role)).or_default();
        role.times.add(weight);
        role.identities.extend(identity);
    }

    fn add_operation(&mut self, event: &Event, weight: Weight) {
        if !matches!(event.name.step(), "completed" | "failed") {
            return;
        }
        let strategy = event.attrs.get("strategy").map(|it| it.as_str().into());
        let strategy = self.strategies.entry(strategy).or_default();
        strategy.all.add(event, weight);
        // Only what has the units that readers know is stored under these names.
        let metric = |key: &str, parts: f64| {
            event.metrics.get(key).map(|value| (value * parts).round() as u64)
        };
        if let Some(millionths) = metric("confidence", 1e6) {
            strategy.confidence.add(millionths, weight);
        }
        if let Some(attempts) = metric("attempts", 1e3) {
            strategy.attempts.add(attempts, weight);
        }
        if let Some(bytes) = metric("memory_bytes", 1.0) {
            strategy.memory.add(bytes, weight);
            strategy.memory_max = strategy.memory_max.max(Some(bytes));
        }
        if let Some(kind) = event.attrs.get("error_kind") {
            add_to(&mut strategy.errors, kind, weight);
        }
    }

    /// Runs by command and role.
    pub fn commands(&mut self) -> BTreeMap<(Label, Label), CommandSums> {
        let mut commands = BTreeMap::<(Label, Label), CommandSums>::new();
        for ((_, command), mut runs) in std::mem::take(&mut self.runs) {
            let identities = std::mem::take(&mut runs.identities);
            let sums = commands.entry((command, runs.role.take())).or_default();
            sums.identities.extend(identities);
            sums.runs.merge(&runs.tally());
        }
        commands
    }
}

fn label(text: &Option<String>) -> Label {
    text.as_deref().filter(|text| !text.is_empty()).map(Into::into)
}

fn add_to(sums: &mut BTreeMap<Box<str>, Weight>, name: &str, weight: Weight) {
    match sums.get_mut(name) {
        Some(sum) => sum.add(weight),
        None => drop(sums.insert(name.into(), weight)),
    }
}
