//! Files → sums: every file of every ledger is read once (twice where rows are out of order), and
//! every distinct row is counted once.

pub mod inputs;

use crate::engine::inputs::Input;
use crate::error::{Error, Result};
use crate::ledger::distinct::Distinct;
use crate::ledger::scan::{self, Item};
use crate::report::aggregate::{Aggregate, Dimension, Selection};
use crate::report::{LeftOut, SkippedLine};
use crate::row::Row;

/// How many skipped lines are named; beyond that they are only counted.
const LINES_NAMED_MAX: usize = 1_000;

/// What is to be summed.
#[derive(Clone, Debug, Default)]
pub struct Query {
    /// Which rows.
    pub selection: Selection,
    /// By what, besides models and task types.
    pub by: Vec<Dimension>,
    /// Whether rows that repeat another are counted too.
    pub keep_duplicates: bool,
}

/// Sums the inputs; `progress` is told of every byte read.
pub fn sum(
    inputs: &mut [Input],
    query: &Query,
    progress: &dyn Fn(u64),
) -> Result<(Aggregate, LeftOut)> {
    let mut left_out = LeftOut::default();
    let mut aggregate = Aggregate::new(query.selection.clone(), &query.by);
    let labels: Vec<String> = inputs.iter().map(|input| input.label.clone()).collect();
    if query.keep_duplicates {
        each_row(inputs, &mut left_out, progress, &mut |row, at| aggregate.add(row, &labels[at]))?;
        return Ok((aggregate, left_out));
    }
    let mut pass = Distinct::default();
    let mut count = |row: &Row<'_>, at: usize| aggregate.add(row, &labels[at]);
    each_row(inputs, &mut left_out, progress, &mut |row, at| pass.take(row, at, &mut count))?;
    let again = match pass.finish(&mut count) {
        Ok(repeated) => {
            left_out.repeated = repeated;
            return Ok((aggregate, left_out));
        }
        Err(again) => again,
    };
    left_out = LeftOut::default();
    aggregate = Aggregate::new(query.selection.clone(), &query.by);
    let mut pass = Distinct::again(again);
    let mut count = |row: &Row<'_>, at: usize| aggregate.add(row, &labels[at]);
    each_row(inputs, &mut left_out, &|_| (), &mut |row, at| pass.take(row, at, &mut count))?;
    // A second pass always finishes.
    left_out.repeated = pass.finish(&mut count).unwrap_or_default();
    Ok((aggregate, left_out))
}

fn each_row(
    inputs: &mut [Input],
    left_out: &mut LeftOut,
    progress: &dyn Fn(u64),
    take: &mut dyn FnMut(&Row<'_>, usize),
) -> Result<()> {
    for (at, input) in inputs.iter_mut().enumerate() {
        let label = input.label.clone();
        let reader = input.open(progress)?;
        let named = |line, reason| SkippedLine { file: label.clone(), line, reason };
        let scanned = scan::scan(reader, &mut |line, item| match item {
            Item::Row(row, _) => take(&row, at),
            Item::Bad(refused) => {
                left_out.unreadable += 1;
                if left_out.lines.len() < LINES_NAMED_MAX {
                    left_out.lines.push(named(line, refused.short()));
                }
            }
            Item::Marker if left_out.markers.len() < LINES_NAMED_MAX => {
                left_out.markers.push(named(line, "conflict marker".to_owned()));
            }
            Item::Marker | Item::Header | Item::Blank => {}
        });
        match scanned {
            Ok(Ok(_)) => {}
            Ok(Err(refusal)) => {
                return Err(Error::Unreadable {
                    file: label,
                    line: refusal.line,
                    reason: refusal.reason,
                });
            }
            Err(error) => return Err(Error::io("read", label.as_ref(), &error)),
        }
    }
    Ok(())
}
