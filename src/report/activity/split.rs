//! Splits: runs by command, and by the roles that people act in, as far as the latter may be shown.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use crate::report::activity::small;
use crate::report::activity::tally::{Outcomes, Tally};
use crate::report::activity::watch::{Choices, CommandSums, Label};
use crate::report::activity::weight::Weight;

/// What a line of a split is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Name {
    /// It bears this name.
    Known(Box<str>),
    /// It bears none.
    None,
    /// Everything that is not shown by itself, and how many names that are.
    Others(u64),
}

impl Name {
    fn of(label: &Label) -> Name {
        label.clone().map_or(Name::None, Name::Known)
    }
}

/// Runs of one command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    /// The role they were run in, or how many roles, each of too few to be named; `None` where all
    /// roles are meant.
    pub role: Option<Name>,
    /// The command.
    pub name: Name,
    /// The runs; None where they may not be shown.
    pub runs: Option<Outcomes>,
    /// Whether each of those that may not be shown is of too few.
    pub is_of_few: bool,
}

/// How often one role was chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// The role.
    pub name: Name,
    /// How often; None where too few chose any.
    pub chosen: Option<Chosen>,
}

/// How often, and by how many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Chosen {
    /// It was chosen first, or took another's place.
    pub times: u64,
    /// How often any role was.
    pub all: u64,
    /// How many identities did.
    pub identities: u64,
}

/// Runs by command and role.
pub type Runs = BTreeMap<(Label, Label), CommandSums>;

/// Runs by command, the most frequent first.
pub fn overall(runs: &Runs) -> Vec<Command> {
    let mut by_command = BTreeMap::<&Label, Tally>::new();
    for ((command, _), sums) in runs {
        by_command.entry(command).or_default().merge(&sums.runs);
    }
    let command = |(name, tally): (&Label, Tally)| shown(None, name, &tally);
    let mut commands: Vec<Command> = by_command.into_iter().map(command).collect();
    commands.sort_by_key(|it| Reverse(it.runs.map(|runs| runs.count)));
    commands
}

fn shown(role: Option<Name>, command: &Label, runs: &Tally) -> Command {
    let (name, runs) = (Name::of(command), Some(runs.outcomes()));
    Command { role, name, runs, is_of_few: false }
}

/// Runs by role and command: roles by name, in each the most frequent command first. The sum of
/// every command is known from [`overall`]; what is folded in a role is not summed up, for with that
/// sum, too, single cells could be worked out. A role of too few is not even named: of a command that
/// no role shows it would be known that it was theirs.
pub fn by_role(runs: &Runs, identities_min: u64) -> Vec<Command> {
    if runs.keys().all(|(_, role)| role.is_none()) {
        return Vec::new();
    }
    let all: Vec<(&Label, &Label, &CommandSums)> =
        runs.iter().map(|((command, role), sums)| (command, role, sums)).collect();
    let cells: Vec<&BTreeSet<u32>> = all.iter().map(|(.., sums)| &sums.identities).collect();
    let mut of_roles = BTreeMap::<&Label, Vec<usize>>::new();
    let mut of_commands = BTreeMap::<&Label, Vec<usize>>::new();
    for (cell, (command, role, _)) in all.iter().enumerate() {
        of_roles.entry(role).or_default().push(cell);
        of_commands.entry(command).or_default().push(cell);
    }
    let lines: Vec<Vec<usize>> = of_commands.into_values().collect();
    let hidden = small::hidden(&cells, &lines, identities_min);
    let mut split = Vec::new();
    let (mut small_roles, mut of_small) = (0, BTreeSet::new());
    for (role, of_role) in of_roles {
        if (small::union(&cells, of_role.iter()).len() as u64) < identities_min {
            small_roles += 1;
            of_small.extend(of_role.iter().map(|cell| all[*cell].0));
            continue;
        }
        let (folded, bare): (Vec<usize>, Vec<usize>) =
            of_role.into_iter().partition(|cell| hidden[*cell]);
        let role = Some(Name::of(role));
        let command = |cell: &usize| shown(role.clone(), all[*cell].0, &all[*cell].2.runs);
        let mut commands: Vec<Command> = bare.iter().map(command).collect();
        commands.sort_by_key(|it| Reverse(it.runs.map(|runs| runs.count)));
        split.extend(commands);
        if !folded.is_empty() {
            let is_of_few = |cell: &usize| (cells[*cell].len() as u64) < identities_min;
            let is_of_few = folded.iter().all(is_of_few);
            let name = Name::Others(folded.len() as u64);
            split.push(Command { role, name, runs: None, is_of_few });
        }
    }
    if small_roles > 0 {
        let (role, name) = (Some(Name::Others(small_roles)), Name::Others(of_small.len() as u64));
        split.push(Command { role, name, runs: None, is_of_few: true });
    }
    split
}

/// Roles by how often they were chosen; those of too few are folded into one line.
pub fn roles(roles: &BTreeMap<Label, Choices>, identities_min: u64) -> Vec<Choice> {
    let all: Vec<(&Label, &Choices)> = roles.iter().collect();
    let cells: Vec<&BTreeSet<u32>> = all.iter().map(|(_, sums)| &sums.identities).collect();
    let line: Vec<usize> = (0..cells.len()).collect();
    let hidden = small::hidden(&cells, std::slice::from_ref(&line), identities_min);
    let times = |of: &[usize]| {
        let mut times = Weight::NONE;
        of.iter().for_each(|cell| times.add(all[*cell].1.times));
        times.count()
    };
    let chosen = |of: &[usize]| {
        let identities = small::union(&cells, of.iter()).len() as u64;
        Chosen { times: times(of), all: times(&line), identities }
    };
    let (folded, bare): (Vec<usize>, Vec<usize>) = line.iter().partition(|cell| hidden[**cell]);
    let choice =
        |cell: &usize| Choice { name: Name::of(all[*cell].0), chosen: Some(chosen(&[*cell])) };
    let mut choices: Vec<Choice> = bare.iter().map(choice).collect();
    choices.sort_by_key(|it| Reverse(it.chosen.map(|it| it.times)));
    if !folded.is_empty() {
        let chosen = Some(chosen(&folded)).filter(|it| it.identities >= identities_min);
        choices.push(Choice { name: Name::Others(folded.len() as u64), chosen });
    }
    choices
}
