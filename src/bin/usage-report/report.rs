//! `usage-report`: the report, and that of a period.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use usage_ledger::engine::attempts;
use usage_ledger::engine::inputs::Input;
use usage_ledger::engine::query::Query;
use usage_ledger::error::{Error, Result};
use usage_ledger::git;
use usage_ledger::ledger::files::Role;
use usage_ledger::render::{csv, sentences};
use usage_ledger::report::advice::facts::Means;
use usage_ledger::report::advice::upkeep::COMMITTED_BYTES_MAX;
use usage_ledger::report::cells::Wanted;
use usage_ledger::report::period::Period;
use usage_ledger::report::{self, Ask, Report};
use usage_ledger::workspace::Config;

use crate::check;
use crate::cli::{Cli, Output};
use crate::gather::{Gathered, unseen};
use crate::output::{deliver, refuse_ledger, screen};
use crate::sums::{gathered, sums};
use crate::voice;
use crate::world::Target;

/// The report, or that of a period.
pub(crate) fn run(cli: &Cli, period: Option<Period>) -> Result<ExitCode> {
    cli.output.check()?;
    if cli.advice && cli.output.format.is_data {
        return Err(Error::Usage {
            problem: "--advice has no place in a table for programs".to_owned(),
            fix: "usage-report --advice --format json".to_owned(),
        });
    }
    let by = cli.groupings.dimensions();
    let selection = cli.filters.selection()?;
    let gathered = gathered(cli, &by)?;
    let unseen = unseen(&gathered.unseen, |first, last| selection.may_take_between(first, last));
    let query = Query {
        selection,
        by: by.clone(),
        keep_duplicates: cli.output.keep_duplicates,
        is_repriced: cli.output.reprice,
        wanted: if cli.advice { Wanted::Both } else { Wanted::Groups },
        origins: gathered.origins.clone(),
        ..Query::default()
    };
    let output = cli.output.path();
    output.map(refuse_ledger).transpose()?;
    let (aggregate, mut left_out) = sums(cli, &gathered, &query)?;
    let Gathered { inputs, ledger, waiting, left_out: before, commits, origins, .. } = gathered;
    left_out.add(before);
    let unreadable = left_out.unreadable;
    let borders = || inputs.iter().map(|input| input.border);
    let border = borders().next().flatten().filter(|it| borders().all(|other| other == Some(*it)));
    let mut ask = Ask {
        by,
        selection: cli.filters.words(),
        waiting,
        commits,
        origins,
        border,
        has_own_prices: inputs.iter().any(|input| input.prices.has_own()),
        unseen,
        period,
        advice: cli.advice.then(|| means(&inputs, ledger.as_deref(), &query)).transpose()?,
    };
    // Alerts are of a whole ledger, not of the rows that were asked for.
    let is_whole = ask.selection.is_empty()
        && ask.commits.is_none()
        && !(cli.revisions.all_branches || cli.output.committed)
        && !(cli.output.keep_duplicates || cli.output.reprice);
    if let Some(means) = ask.advice.as_mut().filter(|_| ledger.is_some()) {
        let file = cli.source.file.first().map(PathBuf::as_path);
        let target = Target::find(file, cli.source.personal)?;
        // Where it is set already, the next row seals what is too large.
        let max_size = Config::load(&target.place)?.max_size;
        means.committed_bytes.take_if(|_| max_size.is_some_and(|it| it <= COMMITTED_BYTES_MAX));
        if is_whole {
            means.firing = check::firing(&target, aggregate.cells.clone())?;
        }
    }
    let report = report::build(&aggregate, left_out, &ask);
    if cli.output.format.is_data {
        warn(&report);
    }
    let code = deliver(drawn(&cli.output, &report), output, cli.output.is_raw())?;
    if cli.output.strict && unreadable > 0 {
        return Err(Error::Skipped { rows: unreadable });
    }
    Ok(code)
}

/// What advice may be drawn from, besides the rows.
fn means(inputs: &[Input], ledger: Option<&Path>, query: &Query) -> Result<Means> {
    let active = inputs.iter().filter(|input| input.role == Role::Active).map(Input::bytes).max();
    Ok(Means {
        prices: inputs.first().map(|input| input.prices.clone()).unwrap_or_default(),
        committed_bytes: active.filter(|_| ledger.is_some_and(git::tracks)),
        firing: Vec::new(),
        attempts: attempts::of(inputs, query)?,
    })
}

/// The report in the format that was asked for.
fn drawn(output: &Output, report: &Report) -> String {
    match output.for_spreadsheet {
        true => csv::render_for_spreadsheet(report),
        false => (output.format.render)(report, screen()),
    }
}

/// A table for programs has no place for notes; what changes its figures is said beside it.
fn warn(report: &Report) {
    let left_out = sentences::left_out_note(report);
    let notes = [left_out, sentences::unseen_note(&report.unseen), sentences::marker_note(report)];
    notes.into_iter().flatten().for_each(|note| voice::say(&format!("warning: {note}")));
}
