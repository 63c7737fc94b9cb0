//! Files → sums: of every distinct row once, read side by side, or known from before.

pub mod query;
pub mod inputs;
pub mod latest;
pub mod attempts;
pub mod parts;
pub mod threads;
pub mod pass;
pub mod scanned;
pub mod activity;
pub mod cache;
pub mod sealed;
pub mod alerts;
pub mod gathered;
pub mod range;
pub mod origins;

use crate::engine::cache::Cache;
use crate::engine::inputs::Input;
use crate::engine::query::Query;
use crate::error::Result;
use crate::report::aggregate::Aggregate;
use crate::report::left_out::LeftOut;

/// Sums the inputs; `progress` is told of every byte read, or known from before. What is kept of
/// sealed segments is in `cache`.
///
/// # Errors
/// The first file that cannot be read, or is no ledger.
pub fn sum(
    inputs: &[Input],
    query: &Query,
    cache: Option<&Cache>,
    progress: &(dyn Fn(u64) + Sync),
) -> Result<(Aggregate, LeftOut)> {
    let inputs: Vec<&Input> = inputs.iter().collect();
    let sums = match cache {
        Some(cache) => sealed::sum(&inputs, query, cache, progress)?,
        None => scanned::sum(&inputs, query, progress)?,
    };
    Ok((sums.aggregate, sums.left_out))
}
