//! Rows → sums, in two steps: what a row adds and where is noted first, and counted once it is
//! known that no other row stands in its place.

use std::mem;

use crate::notes::Tags;
use crate::report::aggregate::Aggregate;
use crate::report::days::Days;
use crate::report::dimension::{Dimension, Key};
use crate::report::groups::Groups;
use crate::report::measures::{Cell, Measures, Share};
use crate::report::selection::Selection;
use crate::row::{Row, TaskType};
use crate::timestamp::Day;

/// How many dimensions there are besides days, models and task types.
const OTHERS_MAX: usize = 5;

/// Rows of so many days are summed at a time: with clocks of all offsets, a ledger goes to and fro
/// between three.
const SHEETS: usize = 4;

const TASK_TYPES: usize = TaskType::ALL.len();

/// What one row adds, and where; made by [`Counter::entry`] and good for that counter alone.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    share: Share,
    day: Day,
    model: u32,
    task_type: TaskType,
    is_selected: bool,
    others: [u32; OTHERS_MAX],
}

/// Counts rows by day, model and task type, and by what else is asked for.
pub struct Counter {
    selection: Selection,
    rows: u64,
    span: Option<(Day, Day)>,
    days: Days,
    models: Vec<Model>,
    task_types: [Measures; TASK_TYPES],
    others: Vec<(Dimension, Groups)>,
    sheets: [Sheet; SHEETS],
}

struct Model {
    name: Box<str>,
    is_selected: bool,
    measures: Measures,
}

/// The sums of one day by model and task type, until its rows have passed.
#[derive(Default)]
struct Sheet {
    /// The day, and its place.
    day: Option<(Day, usize)>,
    cells: Vec<Cell>,
    /// Which cells have rows.
    used: Vec<u32>,
}

impl Counter {
    /// Nothing counted yet. Days, models and task types are always counted, `by` besides.
    pub fn new(selection: Selection, by: &[Dimension]) -> Counter {
        let mut others = Vec::<(Dimension, Groups)>::new();
        for dimension in by {
            let is_cells = dimension.is_of_cells();
            if !is_cells && others.iter().all(|(it, _)| it != dimension) {
                others.push((*dimension, Groups::default()));
            }
        }
        Counter {
            selection,
            rows: 0,
            span: None,
            days: Days::new(by.iter().any(|dimension| dimension.is_of_days())),
            models: Vec::new(),
            task_types: Default::default(),
            others,
            sheets: Default::default(),
        }
    }

    /// Notes what a row adds. Its model has this number: names are numbered as they come. `file` is
    /// what the row's file is called.
    #[inline]
    pub fn entry(
        &mut self,
        row: &Row<'_>,
        tags: Option<&Tags<'_>>,
        model: u32,
        file: &str,
    ) -> Entry {
        if model as usize >= self.models.len() {
            self.add_model(&row.model);
        }
        let is_selected = self.models.get(model as usize).is_some_and(|model| model.is_selected)
            && self.selection.takes_task_type(row.task_type)
            && self.selection.takes_time(row.at);
        let mut entry = Entry {
            share: Share::of(row, tags),
            day: row.at.day(),
            model,
            task_type: row.task_type,
            is_selected,
            others: [0; OTHERS_MAX],
        };
        if is_selected {
            for (place, (dimension, groups)) in entry.others.iter_mut().zip(&mut self.others) {
                let tag = |key| tags.and_then(|tags| tags.get(key));
                *place = match dimension {
                    Dimension::Source => groups.of_name(tag("source")),
                    Dimension::Session => groups.of_name(tag("session")),
                    Dimension::User => groups.of_name(tag("user")),
                    Dimension::File => groups.of_name(Some(file)),
                    _ => groups.of_key(Key::Number(row.at.hour().into())),
                } as u32;
            }
        }
        entry
    }

    #[cold]
    fn add_model(&mut self, name: &str) {
        let is_selected = self.selection.takes_model(name);
        self.models.push(Model { name: name.into(), is_selected, measures: Measures::default() });
    }

    /// Counts a row.
    #[inline]
    pub fn count(&mut self, entry: &Entry) {
        let day = entry.day;
        self.rows += 1;
        self.span = match self.span {
            Some((from, to)) if from <= day && day <= to => self.span,
            Some((from, to)) => Some((from.min(day), to.max(day))),
            None => Some((day, day)),
        };
        if !entry.is_selected {
            return;
        }
        let number = day.0 as usize % SHEETS;
        let place = match self.sheets[number].day {
            Some((it, place)) if it == day => place,
            _ => self.turn_to(day),
        };
        let sheet = &mut self.sheets[number];
        let at = entry.model as usize * TASK_TYPES + entry.task_type as usize;
        if at >= sheet.cells.len() {
            sheet.cells.resize(self.models.len() * TASK_TYPES, Cell::default());
        }
        let cell = &mut sheet.cells[at];
        if cell.is_empty() {
            sheet.used.push(at as u32);
        }
        cell.add(&entry.share);
        if cell.is_full() {
            self.carry_over(number);
        }
        if let Some((bucket, duration_ms)) = entry.share.duration() {
            self.days.durations(place).add(bucket, duration_ms);
            self.models[entry.model as usize].measures.durations.add(bucket, duration_ms);
            self.task_types[entry.task_type as usize].durations.add(bucket, duration_ms);
        }
        for (place, (_, groups)) in entry.others.iter().zip(&mut self.others) {
            groups.at(*place as usize).add(&entry.share);
        }
    }

    /// Makes room for a day's sums, and gives the day's place.
    #[cold]
    fn turn_to(&mut self, day: Day) -> usize {
        let number = day.0 as usize % SHEETS;
        self.carry_over(number);
        let place = self.days.of(day);
        self.sheets[number].day = Some((day, place));
        place
    }

    /// Adds what is on a sheet to the sums, and clears it.
    fn carry_over(&mut self, number: usize) {
        let sheet = &mut self.sheets[number];
        let Some((_, place)) = sheet.day else { return };
        for at in sheet.used.drain(..) {
            let cell = mem::take(&mut sheet.cells[at as usize]);
            self.days.at(place).add_cell(&cell);
            self.models[at as usize / TASK_TYPES].measures.add_cell(&cell);
            self.task_types[at as usize % TASK_TYPES].add_cell(&cell);
        }
    }

    /// All that was counted.
    pub fn finish(mut self) -> Aggregate {
        (0..SHEETS).for_each(|number| self.carry_over(number));
        let mut models = Groups::default();
        for model in self.models {
            let place = models.of_name(Some(&model.name));
            models.at(place).merge(&model.measures);
        }
        let mut task_types = Groups::default();
        for (number, measures) in self.task_types.iter().enumerate() {
            let place = task_types.of_key(Key::Number(number as i64));
            task_types.at(place).merge(measures);
        }
        let mut groups = self.others;
        groups.push((Dimension::Model, models));
        groups.push((Dimension::TaskType, task_types));
        Aggregate { days: self.days, groups, rows: self.rows, span: self.span }
    }
}
