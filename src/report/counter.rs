//! Rows → sums: a row is added to its cell, the sums of one day, model and task type; and cells are
//! carried over to what is shown.

use std::mem;
use std::sync::Arc;

use crate::ledger::distinct::fingerprint;
use crate::notes::Tags;
use crate::pricing::Prices;
use crate::pricing::quote::Quote;
use crate::report::activity::seen::Seen;
use crate::report::aggregate::{Aggregate, Limited};
use crate::report::cells::{Cells, Wanted};
use crate::report::days::Days;
use crate::report::dimension::{Dimension, Key};
use crate::report::groups::Groups;
use crate::report::histogram::Histogram;
use crate::report::measures::{Measures, Share, Tally};
use crate::report::origins::Origins;
use crate::report::selection::Selection;
use crate::row::{Row, TaskType};
use crate::timestamp::Day;

/// Rows of so many days are summed at a time: with clocks of all offsets, a ledger goes to and fro
/// between three.
const SHEETS: usize = 4;

const TASK_TYPES: usize = TaskType::ALL.len();

/// Counts rows by day, model and task type, and by what else is asked for.
pub struct Counter {
    selection: Selection,
    /// Whether rows of all times are asked for.
    is_any_time: bool,
    rows: u64,
    span: Option<(Day, Day)>,
    /// The day of the last row.
    last: Day,
    days: Days,
    models: Vec<Model>,
    task_types: [Measures; TASK_TYPES],
    others: Vec<(Dimension, Groups)>,
    /// What git knows of rows, where groups are made of that.
    origins: Option<Arc<Origins>>,
    /// What rows are priced by.
    prices: Arc<Prices>,
    /// Whether all rows are, at the newest prices.
    is_repriced: bool,
    wanted: Wanted,
    /// By day, model and task type together, where that is asked for.
    cells: Cells,
    /// Rows of these moments, where that is asked for.
    limited: Option<(Selection, Limited)>,
    /// Who was active, where that is asked for.
    seen: Option<Seen>,
    sheets: [Sheet; SHEETS],
}

/// A model; its name is empty until one of its rows is counted.
#[derive(Default)]
struct Model {
    name: Box<str>,
    is_selected: bool,
    quote: Quote,
    measures: Measures,
}

/// The sums of one day by model and task type, until its rows have passed.
#[derive(Default)]
struct Sheet {
    /// The day, and its place.
    day: Option<(Day, usize)>,
    cells: Vec<Tally>,
    /// The durations of cells, where these are asked for.
    durations: Vec<Histogram>,
    /// Which cells have rows.
    used: Vec<u32>,
}

impl Counter {
    /// Nothing counted yet. Of groups, days, models and task types are always counted, and `by`
    /// besides.
    pub fn new(selection: Selection, by: &[Dimension], wanted: Wanted) -> Counter {
        let mut others = Vec::<(Dimension, Groups)>::new();
        for dimension in by {
            let is_cells = dimension.is_of_cells();
            if !is_cells && others.iter().all(|(it, _)| it != dimension) {
                others.push((*dimension, Groups::default()));
            }
        }
        Counter {
            is_any_time: selection.since.is_none() && selection.until.is_none(),
            selection,
            rows: 0,
            span: None,
            last: Day(i32::MIN),
            days: Days::new(by.iter().any(|dimension| dimension.is_of_days())),
            models: Vec::new(),
            task_types: Default::default(),
            others,
            origins: None,
            prices: Arc::default(),
            is_repriced: false,
            wanted,
            cells: Cells::new(wanted),
            limited: None,
            seen: None,
            sheets: Default::default(),
        }
    }

    /// The same, with what git knows of rows.
    pub fn with(self, origins: Option<Arc<Origins>>) -> Counter {
        Counter { origins, ..self }
    }

    /// The same, and who was active at times of this selection.
    pub fn seeing(self, selection: Option<Selection>) -> Counter {
        Counter { seen: selection.map(Seen::new), ..self }
    }

    /// The same, and rows of these moments together.
    pub fn limited(self, selection: Option<Selection>) -> Counter {
        Counter { limited: selection.map(|it| (it, Limited::default())), ..self }
    }

    /// The same, where all rows are priced at the newest prices, whatever they say themselves.
    pub fn repriced(self, is_repriced: bool) -> Counter {
        Counter { is_repriced, ..self }
    }

    /// From here on rows are priced by these prices.
    pub fn use_prices(&mut self, prices: &Arc<Prices>) {
        if !Arc::ptr_eq(&self.prices, prices) && self.prices != *prices {
            self.prices = prices.clone();
            self.models.iter_mut().for_each(|model| model.quote = Quote::default());
        }
    }

    /// Counts a row, with the tag block of its notes where there is one. Its model has this number:
    /// names are numbered from 0 on. `file` is what the row's file is called.
    #[inline(always)]
    pub fn add(&mut self, row: &Row<'_>, tags: Option<&Tags<'_>>, model: u32, file: &str) {
        let day = row.at.day();
        self.rows += 1;
        if day != self.last {
            self.last = day;
            self.span = Some(self.span.map_or((day, day), |(a, b)| (a.min(day), b.max(day))));
        }
        let number = model as usize;
        if self.models.get(number).is_none_or(|model| model.name.is_empty()) {
            self.add_model(number, &row.model);
        }
        let is_selected = self.models[number].is_selected
            && self.selection.takes_task_type(row.task_type)
            && (self.is_any_time || self.selection.takes_time(row.at));
        if !is_selected {
            return;
        }
        if !self.models[number].quote.covers(day) {
            self.ask_price(number, day);
        }
        let share = Share::of(row, tags, self.models[number].quote.cost(row, tags));
        let sheet_number = day.0 as usize % SHEETS;
        let place = match self.sheets[sheet_number].day {
            Some((it, place)) if it == day => place,
            _ => self.turn_to(day),
        };
        let sheet = &mut self.sheets[sheet_number];
        let at = number * TASK_TYPES + row.task_type as usize;
        if at >= sheet.cells.len() {
            sheet.cells.resize(self.models.len() * TASK_TYPES, Tally::default());
            if self.wanted.has_cells() {
                sheet.durations.resize(sheet.cells.len(), Histogram::default());
            }
        }
        let cell = &mut sheet.cells[at];
        if cell.is_empty() {
            sheet.used.push(at as u32);
        }
        cell.add(&share);
        let is_full = cell.is_full();
        if let Some((bucket, duration_ms)) = share.duration() {
            if let Some(durations) = sheet.durations.get_mut(at) {
                durations.add(bucket, duration_ms);
            }
            if self.wanted.has_groups() {
                self.days.durations(place).add(bucket, duration_ms);
                self.models[number].measures.durations.add(bucket, duration_ms);
                self.task_types[row.task_type as usize].durations.add(bucket, duration_ms);
            }
        }
        if !self.others.is_empty() {
            self.add_to_others(&share, row, tags, file);
        }
        if is_full {
            self.carry_over(sheet_number);
        }
        if let Some((moments, limited)) = &mut self.limited
            && moments.takes_time(row.at)
        {
            limited.add(day, &share);
        }
        if let Some(seen) = &mut self.seen {
            seen.row(row.at, tags);
        }
    }

    fn add_to_others(&mut self, share: &Share, row: &Row<'_>, tags: Option<&Tags<'_>>, file: &str) {
        let tag = |key| tags.and_then(|tags| tags.get(key));
        let origins = self.origins.as_ref().map(|origins| (origins, fingerprint(row)));
        let origin = |it| origins.as_ref().and_then(|(origins, print)| origins.key(it, *print));
        for (dimension, groups) in &mut self.others {
            let place = match dimension {
                Dimension::Source => groups.of_name(tag("source")),
                Dimension::Session => groups.of_name(tag("session")),
                Dimension::User => groups.of_name(tag("user")),
                Dimension::File => groups.of_name(Some(file)),
                dimension if dimension.is_of_git() => groups.of_name(origin(*dimension)),
                _ => groups.of_key(Key::Number(row.at.hour().into())),
            };
            groups.at(place).add(share);
        }
    }

    #[cold]
    fn add_model(&mut self, number: usize, name: &str) {
        if number >= self.models.len() {
            self.models.resize_with(number + 1, Model::default);
        }
        let model = &mut self.models[number];
        model.name = name.into();
        model.is_selected = self.selection.takes_model(name);
    }

    /// Finds out what a model costs around that day.
    #[cold]
    fn ask_price(&mut self, number: usize, day: Day) {
        let model = &mut self.models[number];
        model.quote = match self.is_repriced {
            true => Quote::of_today(self.prices.listed(&model.name)),
            false => self.prices.quote(&model.name, day),
        };
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
        let Some((day, place)) = sheet.day else { return };
        for at in sheet.used.drain(..) {
            let cell = mem::take(&mut sheet.cells[at as usize]);
            let (model, task_type) = (at / TASK_TYPES as u32, at as usize % TASK_TYPES);
            if self.wanted.has_cells() {
                let durations = sheet.durations[at as usize].split_off();
                self.cells.add((day, model, TaskType::ALL[task_type]), &cell, durations);
            }
            if self.wanted.has_groups() {
                self.days.at(place).add_tally(&cell);
                self.models[model as usize].measures.add_tally(&cell);
                self.task_types[task_type].add_tally(&cell);
            }
        }
    }

    /// All that was counted.
    pub fn finish(mut self) -> Aggregate {
        (0..SHEETS).for_each(|number| self.carry_over(number));
        let names: Vec<Box<str>> = self.models.iter().map(|model| model.name.clone()).collect();
        let (cells, cells_from) = self.cells.finish(&names);
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
        Aggregate {
            days: self.days,
            groups,
            rows: self.rows,
            span: self.span,
            cells,
            cells_from,
            limited: self.limited.map(|(_, limited)| limited),
            seen: self.seen,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::row::COUNT_MAX;

    /// Machine words would overflow after two thousand such rows.
    #[test]
    fn the_largest_counts_are_summed_exactly() {
        let line = format!("2026-02-23T22:19:28Z,m,{COUNT_MAX},{COUNT_MAX},true,plan,{COUNT_MAX},");
        let row = Row::parse(&line).unwrap();
        let mut counter = Counter::new(Selection::default(), &[], Wanted::Groups);
        for _ in 0..5_000 {
            counter.add(&row, None, 0, "");
        }
        let totals = counter.finish().totals();
        assert_eq!(totals.total_tokens(), 10_000 * u128::from(COUNT_MAX));
        assert_eq!(totals.duration_ms, 5_000 * u128::from(COUNT_MAX));
        assert_eq!(totals.tasks, 5_000);
    }
}
