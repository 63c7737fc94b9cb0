//! The newest rows in their order, for what sums cannot tell: which task followed which. However
//! large the ledger is, no more than the ends of its newest files is read.

use std::collections::HashMap;
use std::io::Read;

use crate::engine::inputs::Input;
use crate::engine::query::Query;
use crate::error::Result;
use crate::notes::Tags;
use crate::pricing::quote::Quote;
use crate::record::Unquoter;
use crate::report::advice::attempts::{self, Attempt, Attempts};
use crate::row::Row;

/// So much is read in all: some hundred thousand rows.
const BYTES_MAX: u64 = 16 << 20;

/// What the newest of the rows that are asked for tell of attempts; rows of sub-agents are no tasks.
///
/// # Errors
/// A file that cannot be read.
pub fn of(inputs: &[Input], query: &Query) -> Result<Attempts> {
    let Query { selection, is_repriced, .. } = query;
    let mut tasks = Vec::new();
    let mut unquoter = Unquoter::default();
    let mut room = BYTES_MAX;
    // Compressed files are old, and would have to be read from their beginning.
    for input in inputs.iter().rev().filter(|input| input.is_divisible()) {
        if room == 0 {
            break;
        }
        let from = input.bytes().saturating_sub(room);
        room -= input.bytes() - from;
        let mut quotes = HashMap::<String, Quote>::new();
        let mut bytes = Vec::new();
        let mut reader = input.open((from, input.bytes()), &|_| ())?;
        reader.read_to_end(&mut bytes).map_err(|error| input.fail(&error))?;
        let text = String::from_utf8_lossy(&bytes);
        // The first line may be half of one.
        for line in text.lines().skip(usize::from(from > 0)) {
            let Ok(row) = Row::parse_with(line, &mut unquoter) else { continue };
            let tags = Tags::of(&row.notes);
            let is_asked_for = input.border.is_none_or(|border| row.at.day() >= border)
                && selection.takes_time(row.at)
                && selection.takes_model(&row.model)
                && selection.takes_task_type(row.task_type);
            if !is_asked_for || tags.get("role") == Some("sub") {
                continue;
            }
            let day = row.at.day();
            let quote = quotes.entry(row.model.to_string()).or_default();
            if !quote.covers(day) {
                *quote = match is_repriced {
                    true => Quote::of_today(input.prices.listed(&row.model)),
                    false => input.prices.quote(&row.model, day),
                };
            }
            tasks.push(Attempt {
                session: tags.get("session").and_then(|it| u64::from_str_radix(it, 16).ok()),
                task_type: row.task_type,
                at: row.at.instant(),
                is_success: row.success,
                duration_ms: row.duration_ms,
                micros: quote.cost(&row, Some(&tags)).micros,
            });
        }
    }
    Ok(attempts::of(tasks))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::selection::Selection;
    use crate::row::{HEADER, TaskType};

    #[test]
    fn rows_of_all_files_are_put_in_order_and_told_apart_by_session() {
        let row = |minute: u8, is_success: bool, notes: &str| {
            format!("2026-11-21T10:{minute:02}:00Z,m,1,2,{is_success},plan,3,{notes}\n")
        };
        let files = [
            format!(
                "{HEADER}\n{}{}",
                row(0, false, "{session=aaaaaaaaaaaa}"),
                row(30, false, "{session=bbbbbbbbbbbb}")
            ),
            format!("{HEADER}\n{}", row(32, true, "{session=aaaaaaaaaaaa}")),
            format!(
                "{}{}half,of",
                row(5, true, "{session=aaaaaaaaaaaa}"),
                row(31, true, "{session=bbbbbbbbbbbb role=sub}")
            ),
        ];
        let inputs = files.map(|text| Input::spooled("usage.csv", text.as_bytes()).unwrap());
        let found = of(&inputs, &Query::default()).unwrap();
        let plan = found.types[&TaskType::Plan];
        assert_eq!((plan.failures, plan.retries, plan.successes, plan.sequels), (2, 1, 2, 0));
        assert_eq!((found.seconds, plan.micros), (32 * 60, None));
        let selection = Selection { task_types: vec![TaskType::Execute], ..Selection::default() };
        let query = Query { selection, ..Query::default() };
        assert_eq!(of(&inputs, &query).unwrap(), Attempts::default());
    }
}
