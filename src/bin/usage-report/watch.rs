//! `usage-report watch`: the ledger at a glance, as it grows; the clock of who looks decides what is
//! today.

use std::process::ExitCode;

use indicatif::ProgressBar;
use usage_ledger::engine::latest;
use usage_ledger::engine::query::Query;
use usage_ledger::error::{Error, Result};
use usage_ledger::git::WorkTree;
use usage_ledger::ledger::journal;
use usage_ledger::report::cells::Wanted;
use usage_ledger::report::glance;

use crate::again::again;
use crate::check;
use crate::cli::Cli;
use crate::follow::{Followed, follow};
use crate::sums::{gathered, sums_under};
use crate::world::{self, Target};

/// Follows the ledger.
pub(crate) fn run(cli: &Cli) -> Result<ExitCode> {
    let problem = "watch takes only --file and --personal";
    cli.refuse_before(problem, "usage-report watch")?;
    let target = match cli.source.file.as_slice() {
        [] => Target::find(None, cli.source.personal)?,
        [file] => Target::find(Some(file), cli.source.personal)?,
        _ => {
            let problem = "watch follows one ledger".to_owned();
            return Err(Error::Usage { problem, fix: "usage-report watch --file PATH".to_owned() });
        }
    };
    let folder = target.place.folder().to_owned();
    let mut folders = vec![target.place.archive(), target.place.fragments(), folder.clone()];
    let tree = folder.parent().and_then(WorkTree::around);
    folders.extend(tree.map(|tree| tree.shared().join(journal::FOLDER)));
    let look = || {
        let gathered = gathered(cli, &[])?;
        let no_bar = ProgressBar::hidden();
        let query = Query { wanted: Wanted::Both, ..Query::default() };
        let (mut aggregate, left_out) = sums_under(no_bar, cli, &gathered, &query)?;
        let firing = check::firing(&target, std::mem::take(&mut aggregate.cells))?;
        let newest = latest::rows(&gathered.inputs, glance::NEWEST)?;
        let today = world::now().day();
        Ok(glance::build(&aggregate, newest, firing, today, left_out.unreadable))
    };
    follow(&Followed { look: &|| again(look), folders })
}
