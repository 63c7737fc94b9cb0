//! From the flags to sums: what is to be read, read with the sums of sealed segments that are kept,
//! under a progress bar where it takes long.

use std::io::{self, IsTerminal};
use std::path::Path;

use indicatif::{ProgressBar, ProgressStyle};
use usage_ledger::engine;
use usage_ledger::engine::cache::Cache;
use usage_ledger::engine::inputs::Input;
use usage_ledger::engine::query::Query;
use usage_ledger::error::Result;
use usage_ledger::report::aggregate::Aggregate;
use usage_ledger::report::dimension::Dimension;
use usage_ledger::report::left_out::LeftOut;

use crate::cli::Cli;
use crate::gather::Gathered;
use crate::source::{Found, Needs};
use crate::world;

/// Below this a report is there before a progress bar could be read.
const PROGRESS_BYTES_MIN: u64 = 256 << 20;

/// What is to be read for a report by these dimensions.
pub(crate) fn gathered(cli: &Cli, by: &[Dimension]) -> Result<Gathered> {
    Gathered::of(cli, by, || {
        let Found { inputs, ledger, waiting, unseen } =
            cli.source.inputs(Needs { waiting: true, prices: true })?;
        Ok(Gathered { inputs, ledger, waiting, unseen, ..Gathered::default() })
    })
}

/// What it sums up to.
pub(crate) fn sums(cli: &Cli, gathered: &Gathered, query: &Query) -> Result<(Aggregate, LeftOut)> {
    sums_under(progress(&gathered.inputs), cli, gathered, query)
}

/// The same, under this bar.
pub(crate) fn sums_under(
    bar: ProgressBar,
    cli: &Cli,
    gathered: &Gathered,
    query: &Query,
) -> Result<(Aggregate, LeftOut)> {
    let cache = cache(cli, gathered.ledger.as_deref());
    let sums = engine::sum(&gathered.inputs, query, cache.as_ref(), &|bytes| bar.inc(bytes))?;
    bar.finish_and_clear();
    Ok(sums)
}

/// Where the sums of sealed segments are kept.
pub(crate) fn cache(cli: &Cli, ledger: Option<&Path>) -> Option<Cache> {
    let home = world::cache_home().filter(|_| !cli.output.no_cache);
    home.zip(ledger).map(|(home, ledger)| Cache::of(&home, ledger))
}

/// A bar for what takes long, on a terminal.
pub(crate) fn progress(inputs: &[Input]) -> ProgressBar {
    let bytes = inputs.iter().map(Input::bytes).sum();
    if bytes < PROGRESS_BYTES_MIN || !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{bytes} of {total_bytes} {bar:40} {eta}");
    ProgressBar::new(bytes).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}
