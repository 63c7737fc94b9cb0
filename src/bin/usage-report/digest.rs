//! `usage-report digest`: the report of the last period that ended before today.

use usage_ledger::error::Result;
use usage_ledger::report::dimension::Dimension;
use usage_ledger::report::period::Period;

use crate::cli::{Cli, DigestOptions, Filters, Groupings, today};

/// The flags of the report that is meant, and its period.
pub(crate) fn asked(cli: Cli, options: DigestOptions) -> Result<(Cli, Period)> {
    let problem = "digest takes its options behind its name";
    cli.refuse_before(problem, "usage-report digest --weekly --format json")?;
    let today = today(options.as_of.as_deref())?;
    let (period, by) = match options.monthly {
        true => (Period::month(today).before(), Dimension::Week),
        false => (Period::week(today).before(), Dimension::Day),
    };
    let mut cli = Cli {
        groupings: Groupings { by: vec![by], ..cli.groupings },
        filters: Filters {
            since: Some(period.from.to_string()),
            until: Some(period.to.to_string()),
            only: options.only,
        },
        output: options.output,
        ..cli
    };
    cli.revisions.all_branches = options.all_branches;
    Ok((cli, period))
}
