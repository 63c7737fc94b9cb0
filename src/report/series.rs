//! Sums day by day: what rules and anomalies look along.

use std::collections::BTreeMap;
use std::fmt;

use hashbrown::HashMap;

use crate::report::aggregate::Cell;
use crate::report::measures::Measures;
use crate::row::TaskType;
use crate::timestamp::Day;

/// Where a series comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Source {
    /// Rows.
    Ledger,
    /// Events.
    Events,
}

/// What a series is of; a part that is None is not told apart.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SeriesKey {
    /// Where it comes from.
    pub source: Source,
    /// One model.
    pub model: Option<Box<str>>,
    /// One task type.
    pub task_type: Option<TaskType>,
    /// One strategy.
    pub strategy: Option<Box<str>>,
}

impl SeriesKey {
    /// Everything that comes from there.
    pub const fn all(source: Source) -> SeriesKey {
        SeriesKey { source, model: None, task_type: None, strategy: None }
    }

    /// How many parts are told apart.
    pub fn parts(&self) -> usize {
        usize::from(self.model.is_some())
            + usize::from(self.task_type.is_some())
            + usize::from(self.strategy.is_some())
    }

    /// The series that hold this one and tell apart at most one part: by one part each, and all.
    pub fn parents(&self) -> Vec<SeriesKey> {
        let all = SeriesKey::all(self.source);
        let mut parents = vec![all.clone()];
        if self.model.is_some() {
            parents.push(SeriesKey { model: self.model.clone(), ..all.clone() });
        }
        if self.task_type.is_some() {
            parents.push(SeriesKey { task_type: self.task_type, ..all.clone() });
        }
        if self.strategy.is_some() {
            parents.push(SeriesKey { strategy: self.strategy.clone(), ..all });
        }
        parents.retain(|parent| parent != self);
        parents
    }
}

/// `claude-opus-4, execute`; `all` where nothing is told apart.
impl fmt::Display for SeriesKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let task_type = self.task_type.map(TaskType::name);
        let parts = [self.model.as_deref(), task_type, self.strategy.as_deref()];
        let parts: Vec<&str> = parts.into_iter().flatten().collect();
        f.write_str(if parts.is_empty() { "all" } else { "" })?;
        f.write_str(&parts.join(", "))
    }
}

/// What the ledger's series tell apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// Nothing: one series.
    All,
    /// Models.
    Model,
    /// Task types.
    TaskType,
    /// Models and task types together.
    ModelAndTaskType,
}

/// Sums by day; days without rows are not there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Series {
    /// What it is of.
    pub key: SeriesKey,
    /// Its days.
    pub days: BTreeMap<Day, Measures>,
}

impl Series {
    /// The series of a ledger's cells, by key; `add` adds a cell to its day.
    pub fn of_cells<'a>(
        cells: impl IntoIterator<Item = &'a Cell>,
        level: Level,
        add: fn(&mut Measures, &Measures),
    ) -> Vec<Series> {
        let by_model = matches!(level, Level::Model | Level::ModelAndTaskType);
        let by_task_type = matches!(level, Level::TaskType | Level::ModelAndTaskType);
        let mut series = HashMap::<_, BTreeMap<Day, Measures>>::new();
        for Cell { day, model, task_type, measures } in cells {
            let key = (by_model.then_some(&**model), by_task_type.then_some(*task_type));
            add(series.entry(key).or_default().entry(*day).or_default(), measures);
        }
        let named = |((model, task_type), days): ((Option<&str>, _), _)| {
            let model = model.map(Box::from);
            Series { key: SeriesKey { model, task_type, ..SeriesKey::all(Source::Ledger) }, days }
        };
        let mut series: Vec<Series> = series.into_iter().map(named).collect();
        series.sort_by(|one, other| one.key.cmp(&other.key));
        series
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cell(day: i32, model: &str, task_type: TaskType, tasks: u64) -> Cell {
        let measures = Measures { rows: tasks, tasks, ..Measures::default() };
        Cell { day: Day(day), model: model.into(), task_type, measures }
    }

    /// Parts of a ledger that were counted apart bring the same cell more than once.
    #[test]
    fn cells_are_summed_at_every_level() {
        let cells = [
            cell(1, "b", TaskType::Plan, 1),
            cell(1, "a", TaskType::Plan, 2),
            cell(2, "a", TaskType::Quick, 4),
            cell(1, "a", TaskType::Plan, 8),
        ];
        let told = |level| -> Vec<(String, Vec<(i32, u64)>)> {
            let of = |series: &Series| {
                let days = series.days.iter().map(|(day, sums)| (day.0, sums.tasks));
                (series.key.to_string(), days.collect())
            };
            Series::of_cells(&cells, level, Measures::merge).iter().map(of).collect()
        };
        let named = |name: &str, days: &[(i32, u64)]| (name.to_owned(), days.to_vec());
        assert_eq!(told(Level::All), [named("all", &[(1, 11), (2, 4)])]);
        assert_eq!(told(Level::Model), [named("a", &[(1, 10), (2, 4)]), named("b", &[(1, 1)])]);
        assert_eq!(told(Level::TaskType), [named("plan", &[(1, 11)]), named("quick", &[(2, 4)])]);
        assert_eq!(
            told(Level::ModelAndTaskType),
            [
                named("a, plan", &[(1, 10)]),
                named("a, quick", &[(2, 4)]),
                named("b, plan", &[(1, 1)])
            ]
        );
        assert_eq!(Series::of_cells([], Level::All, Measures::merge), []);
    }

    #[test]
    fn a_series_is_held_by_those_that_tell_less_apart() {
        let cells = [cell(1, "a", TaskType::Plan, 1)];
        let key = Series::of_cells(&cells, Level::ModelAndTaskType, Measures::merge).remove(0).key;
        let names: Vec<String> = key.parents().iter().map(SeriesKey::to_string).collect();
        assert_eq!(names, ["all", "a", "plan"]);
        assert_eq!(
            Series::of_cells(&cells, Level::Model, Measures::merge)[0].key.parents().len(),
            1
        );
        assert_eq!(SeriesKey::all(Source::Events).parents(), []);
    }
}
