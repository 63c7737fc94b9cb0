//! `log-usage compact`: folds the fragments into the ledger.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use usage_ledger::error::{Result, excerpt};
use usage_ledger::figures::{self, counted};
use usage_ledger::git;
use usage_ledger::git::branch;
use usage_ledger::git::branches::Branches;
use usage_ledger::ledger;
use usage_ledger::workspace::Config;

use crate::voice;
use crate::world::Target;
use crate::write::{around, policy, work_tree};

/// Fold the fragments in usage.d/ into the ledger, then remove them
///
/// Every row is in the ledger before its fragment goes. Do it on the default
/// branch and rarely, at a release: two branches that fold may conflict on a
/// hosting site.
#[derive(Parser)]
#[command(name = "log-usage compact", bin_name = "log-usage compact")]
pub(crate) struct Compact {
    /// Fold those of another ledger
    #[arg(long, value_name = "PATH")]
    file: Option<PathBuf>,
    /// Fold those of your own ledger, outside any repository
    #[arg(long)]
    personal: bool,
}

pub(crate) fn run(options: Compact) -> Result<ExitCode> {
    let target = Target::find(options.file.as_deref(), options.personal)?;
    let place = &target.place;
    let policy = policy(&Config::load(place)?, None, None);
    let tree = work_tree(&target);
    let current = tree.as_ref().map(|tree| branch::current(&tree.own)).unwrap_or_default();
    let default = Branches::default_around(place.folder()).filter(|it| it.name != current);
    if let Some(default) = default {
        voice::say(&format!(
            "warning: this is not the branch {}: where both fold, they may conflict",
            excerpt(&default.name)
        ));
    }
    let is_tracked = || git::tracks(&place.active());
    let compacted = ledger::compact(place, &policy, &around(tree, &is_tracked))?;
    for (file, reason) in &compacted.left {
        voice::say(&format!("left  {}: {reason}", excerpt(file)));
    }
    if compacted.removed == 0 && compacted.added == 0 {
        let text = match compacted.left.len() {
            0 => "nothing to compact: there are no fragments\n",
            _ => "no fragment was removed\n",
        };
        return Ok(voice::print(text.as_bytes()));
    }
    let pruned = match compacted.pruned {
        0 => String::new(),
        n => format!(", {} pruned", figures::thousands(n as u128)),
    };
    let text = format!(
        "folded {} into {}: {} added, {} already there{pruned}\n",
        counted(compacted.removed as u64, "fragment"),
        place.name().to_string_lossy(),
        counted(compacted.added as u64, "row"),
        figures::thousands(compacted.already_there as u128),
    );
    Ok(voice::print(text.as_bytes()))
}
