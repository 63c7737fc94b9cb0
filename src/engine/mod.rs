//! Files → sums: every part of every file is read once, side by side, and every distinct row is
//! counted once. Where rows are out of time order all is read again, knowing which instants to wait
//! for.

pub mod query;
pub mod inputs;
pub mod parts;
pub mod threads;
pub mod pass;

use crate::engine::inputs::Input;
use crate::engine::pass::Pass;
use crate::engine::query::Query;
use crate::error::Result;
use crate::report::LeftOut;
use crate::report::aggregate::Aggregate;
use crate::report::dimension::Dimension;

/// Sums the inputs; `progress` is told of every byte read.
pub fn sum(
    inputs: &[Input],
    query: &Query,
    progress: &(dyn Fn(u64) + Sync),
) -> Result<(Aggregate, LeftOut)> {
    // Which of two equal rows is counted makes a difference only between files: the first one is.
    let threads = match query.by.contains(&Dimension::File) {
        true => 1,
        false => threads::count(),
    };
    let mut stretches = parts::divided(inputs, threads)?;
    let mut pass = Pass::run(inputs, query, threads, &stretches, None, progress);
    if !pass.is_handed_over() {
        stretches = parts::whole(inputs);
        pass = Pass::run(inputs, query, threads, &stretches, None, &|_| ());
    }
    let late = match query.keep_duplicates {
        true => None,
        false => pass.late(inputs, threads, &stretches),
    };
    if let Some(late) = late {
        pass = Pass::run(inputs, query, threads, &stretches, Some(&late), &|_| ());
    }
    pass.finish(inputs)
}
