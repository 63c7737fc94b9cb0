//! Two sides of a ledger beside each other: what differs, and what of that chance alone explains.

pub mod side;
pub mod estimate;
pub mod measure;
pub mod trend;
pub mod quality;

use std::cmp::Reverse;
use std::collections::BTreeMap;

use crate::pricing;
use crate::report::aggregate::Cell;
use crate::report::compare::measure::{Change, MEASURES, Sums};
use crate::report::compare::quality::Quality;
use crate::report::compare::side::{Ends, Side};
use crate::report::compare::trend::Trends;
use crate::report::dimension::{Dimension, Key};
use crate::timestamp::Day;

/// A model that one side lacks is told of from this part of the other's tasks on.
const ONE_SIDED_PERCENT: u64 = 5;

/// Sides with fewer tasks than this in a group say too little of it.
const GROUP_TASKS_MIN: u64 = 20;

/// One model or task type, with the changes that chance does not explain.
#[derive(Clone, Debug)]
pub struct Part {
    /// Which one.
    pub key: Key,
    /// How many tasks each side has of it.
    pub tasks: [u64; 2],
    /// The changes; none where one side lacks it.
    pub changes: Vec<Change>,
}

/// What is compared with what.
#[derive(Clone, Debug)]
pub struct Comparison {
    /// What the sides are called.
    pub names: [String; 2],
    /// Their sums.
    pub sides: [Sums; 2],
    /// Rows that both sides have: the intervals take them for two.
    pub shared_rows: u64,
    /// Whether two branches are compared by what each of them has alone.
    pub is_of_branches: bool,
    /// Of what a side is one group.
    is_of: Vec<Dimension>,
    /// All measures that both sides know.
    pub changes: Vec<Change>,
    /// By model and by task type; nothing where the sides are of these.
    pub parts: [(Dimension, Vec<Part>); 2],
    /// Where the ledger is going; nothing where git was asked.
    pub trends: Trends,
    /// How far periods go that are not over.
    pub ends: Ends,
    /// How far the figures can be trusted.
    pub quality: Quality,
    /// The day of the list prices.
    pub prices_day: Option<Day>,
}

impl Comparison {
    /// Whether a side is of one group of that dimension: then there is nothing to compare by it.
    pub fn is_of(&self, dimension: Dimension) -> bool {
        self.is_of.contains(&dimension)
    }

    /// Whether any row has a price.
    pub fn has_costs(&self) -> bool {
        self.sides.iter().any(|it| it.all.cost().is_some() && it.all.rows > 0)
    }
}

/// Compares two sides by their cells. Where these come from the same rows, `cells` of both are the
/// same and each takes its own.
pub fn build(
    sides: &[Side; 2],
    cells: [&[Cell]; 2],
    trends: Trends,
    quality: Quality,
) -> Comparison {
    let of = |at: usize| cells[at].iter().filter(move |cell| sides[at].takes(cell));
    let sums = [0, 1].map(|at| {
        let mut sums = Sums::default();
        of(at).for_each(|cell| sums.add(cell.day, &cell.measures));
        sums
    });
    let is_of_git = sides.iter().any(Side::is_of_git);
    let shared = of(0).filter(|cell| !is_of_git && sides[1].takes(cell));
    let shared_rows = shared.map(|cell| cell.measures.rows).sum();
    let mut is_of = vec![Dimension::Model, Dimension::TaskType];
    is_of.retain(|dimension| sides.iter().any(|side| side.is_of(*dimension)));
    let parts = [Dimension::Model, Dimension::TaskType].map(|dimension| {
        if is_of.contains(&dimension) {
            return (dimension, Vec::new());
        }
        let mut keys = BTreeMap::<Key, [Sums; 2]>::new();
        for at in [0, 1] {
            for cell in of(at) {
                let key = match dimension {
                    Dimension::Model => Key::Text(cell.model.clone()),
                    _ => Key::Number(cell.task_type as i64),
                };
                keys.entry(key).or_default()[at].add(cell.day, &cell.measures);
            }
        }
        let all = [0, 1].map(|at| sums[at].all.tasks);
        let mut parts: Vec<Part> =
            keys.into_iter().filter_map(|(key, sums)| part(key, &sums, all)).collect();
        if dimension == Dimension::Model {
            parts.sort_by_key(|part| Reverse(part.tasks[0] + part.tasks[1]));
        }
        (dimension, parts)
    });
    let [one, two] = &sums;
    let changes = MEASURES.iter().map(|measure| measure.change([one, two]));
    let changes = changes.filter(|it| it.values.iter().any(Option::is_some)).collect();
    Comparison {
        names: [0, 1].map(|at| sides[at].name.clone()),
        is_of,
        is_of_branches: sides.iter().all(|it| matches!(it.of, side::Of::Branch(_))),
        changes,
        sides: sums,
        shared_rows,
        parts,
        trends,
        ends: Ends::default(),
        quality,
        prices_day: pricing::day(),
    }
}

/// What is to be said of a model or task type, if anything is.
fn part(key: Key, sums: &[Sums; 2], all: [u64; 2]) -> Option<Part> {
    let tasks = [0, 1].map(|at| sums[at].all.tasks);
    if tasks.contains(&0) {
        let matters = |at: usize| tasks[at] > 0 && tasks[at] * 100 >= all[at] * ONE_SIDED_PERCENT;
        let is_told = matters(0) && all[1] > 0 || matters(1) && all[0] > 0;
        return is_told.then(|| Part { key, tasks, changes: Vec::new() });
    }
    if tasks.iter().any(|tasks| *tasks < GROUP_TASKS_MIN) {
        return None;
    }
    let [one, two] = sums;
    let changes = MEASURES.iter().filter(|it| it.is_split).map(|it| it.change([one, two]));
    let changes: Vec<Change> = changes.filter(|it| it.may_be_chance() == Some(false)).collect();
    (!changes.is_empty()).then_some(Part { key, tasks, changes })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::measures::Measures;
    use crate::row::TaskType;

    fn cell(day: i32, model: &str, tasks: u64, successes: u64, cost: u128) -> Cell {
        let measures = Measures {
            rows: tasks,
            tasks,
            successes,
            prompt_tokens: u128::from(tasks) * 100,
            cost_micros: cost,
            ..Measures::default()
        };
        Cell { day: Day(day), model: model.into(), task_type: TaskType::Execute, measures }
    }

    fn compared(texts: [&str; 2], cells: &[Cell]) -> Comparison {
        let sides = texts.map(|text| Side::parse(text, Day(0)).unwrap());
        build(&sides, [cells, cells], Trends::default(), Quality::default())
    }

    /// Two weeks: the second costs twice as much a task with one model, and as much with the other.
    #[test]
    fn only_what_chance_does_not_explain_is_told_of_a_model() {
        let mut cells = Vec::new();
        for day in 0..5 {
            let noise = u128::from(day as u64 % 3);
            cells.push(cell(day, "a", 20, 18, 2_000 + noise * 20));
            cells.push(cell(7 + day, "a", 20, 18, 4_000 + noise * 40));
            cells.push(cell(day, "b", 20, 17, 1_000 + noise * 60));
            cells.push(cell(7 + day, "b", 20, 17, 1_000 + noise * 50));
            cells.push(cell(7 + day, "new", 20, 17, 1_000));
        }
        let found = compared(["1970-01-08..1970-01-12", "1970-01-01..1970-01-05"], &cells);
        assert_eq!(found.shared_rows, 0);
        let (_, models) = &found.parts[0];
        let told: Vec<(String, usize)> =
            models.iter().map(|it| (format!("{:?}", it.key), it.changes.len())).collect();
        assert_eq!(told, [("Text(\"a\")".to_owned(), 2), ("Text(\"new\")".to_owned(), 0)]);
        let keys: Vec<&str> = models[0].changes.iter().map(|it| it.measure.key).collect();
        assert_eq!(keys, ["cost_per_task", "cost_per_success"]);
        let change = models[0].changes[0].change.unwrap();
        assert!((change - 1.0).abs() < 1e-9, "{change}");
    }

    #[test]
    fn rows_of_both_sides_are_counted() {
        let cells = [cell(0, "a", 3, 3, 1), cell(1, "a", 4, 4, 1), cell(2, "b", 5, 5, 1)];
        assert_eq!(compared(["1970-01-01..1970-01-02", "1970-01-02.."], &cells).shared_rows, 4);
        assert_eq!(compared(["model:a", "1970-01-03"], &cells).shared_rows, 0);
        assert_eq!(compared(["model:*", "task-type:execute"], &cells).shared_rows, 12);
    }
}
