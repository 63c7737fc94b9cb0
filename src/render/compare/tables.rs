//! Comparison → neutral tables.

use crate::render::compare::text;
use crate::render::sentences::title_text;
use crate::render::tables::{Cell, Table, key_text, noun};
use crate::report::compare::measure::{Change, Figure, Unit};
use crate::report::compare::{Comparison, Part};
use crate::report::dimension::{Dimension, Key};

/// All measures of both sides.
pub fn main(it: &Comparison) -> Table {
    let shown = it.changes.iter().filter(|it| !is_of_nothing(it));
    let rows = shown.map(|change| {
        let [mut one, mut two] = text::values(change);
        if matches!(change.measure.figure, Figure::Success) {
            [one, two] = [0, 1].map(|at| {
                let all = &it.sides[at].all;
                Cell::SuccessInFull(all.successes, all.tasks)
            });
        }
        let name = Cell::Text(change.measure.name.to_owned());
        vec![name, one, two, text::change(change), text::interval(change)]
    });
    let rows = rows.collect();
    Table { columns: columns(it, &[""]), rows, ..Table::default() }
}

/// Where there are no prices, nothing is said of cost.
fn is_of_nothing(change: &Change) -> bool {
    let is_nothing = |value: &Option<f64>| value.is_none_or(|it| it == 0.0);
    change.measure.unit == Unit::Money && change.values.iter().all(is_nothing)
}

/// The changes of models or task types; None where there are none.
pub fn parts(it: &Comparison, dimension: Dimension, parts: &[Part]) -> Option<Table> {
    let mut rows = Vec::new();
    for part in parts {
        let key = match &part.key {
            Key::Text(name) => Cell::Name(name.to_string()),
            Key::Number(number) => Cell::Text(key_text(dimension, *number)),
            Key::None => Cell::Unknown,
        };
        if part.changes.is_empty() {
            let [one, two] = part.tasks.map(|tasks| Cell::Count(tasks.into()));
            let change = if part.tasks[0] == 0 { "gone" } else { "new" };
            let (name, change) = (Cell::Text("Tasks".to_owned()), Cell::Text(change.to_owned()));
            rows.push(vec![key.clone(), name, one, two, change, Cell::Empty]);
        }
        for (at, change) in part.changes.iter().enumerate() {
            // A name stands once.
            let key = if at == 0 { key.clone() } else { Cell::Empty };
            let name = Cell::Text(change.measure.name.to_owned());
            let [one, two] = text::values(change);
            rows.push(vec![key, name, one, two, text::change(change), text::interval(change)]);
        }
    }
    let columns = columns(it, &[&capitalised(&noun(dimension)), "Measure"]);
    (!rows.is_empty()).then(|| Table { columns, words: 1, rows, ..Table::default() })
}

/// `By model: what chance does not explain`.
pub fn heading(dimension: Dimension) -> String {
    format!("By {}: what chance does not explain", noun(dimension))
}

fn columns(it: &Comparison, first: &[&str]) -> Vec<String> {
    let names = it.names.iter().map(|name| title_text(name));
    let first = first.iter().map(|it| it.to_string());
    first.chain(names).chain(["Change", "95 % interval"].map(str::to_owned)).collect()
}

fn capitalised(word: &str) -> String {
    let (first, rest) = word.split_at(1);
    first.to_uppercase() + rest
}
