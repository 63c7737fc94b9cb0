//! `merge-driver`: what git runs where both branches changed a file of the ledger.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use usage_ledger::error::{Error, Result};
use usage_ledger::ledger::merge;

/// Merge three versions of a ledger's file; git runs it
///
/// OURS becomes the merged file: every row that either side added, none that a side removed, in
/// order of time. It is replaced in one step. On doubt it stays as it was, and the exit code is 1.
#[derive(Parser)]
#[command(
    name = "log-usage merge-driver",
    bin_name = "log-usage merge-driver",
    after_help = "In git's configuration:\n  \
        merge.log-usage.driver = log-usage merge-driver %O %A %B -- %P || git merge-file --union %A %O %B"
)]
pub(crate) struct MergeDriver {
    /// The version that both sides come from (%O)
    base: PathBuf,
    /// Our version, and where the merged one goes (%A)
    ours: PathBuf,
    /// Their version (%B)
    theirs: PathBuf,
    /// The file's name in the repository, for messages (%P)
    path: PathBuf,
}

pub(crate) fn run(options: MergeDriver) -> Result<ExitCode> {
    let MergeDriver { base, ours, theirs, path } = options;
    let [base, old, theirs] = [read(&base)?, read(&ours)?, read(&theirs)?];
    let merged = merge::merge(&base, &old, &theirs).map_err(|doubt| Error::Unmergeable {
        path,
        side: doubt.side.name(),
        line: doubt.line,
        reason: doubt.reason,
    })?;
    if merged != old {
        replace(&ours, &merged).map_err(|error| Error::io("replace", &ours, &error))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).map_err(|error| Error::io("read", path, &error))
}

/// In one step, so that a driver that is killed leaves git the version that was there.
fn replace(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let folder = path.parent().filter(|folder| *folder != Path::new("")).unwrap_or(".".as_ref());
    let mut file = tempfile::Builder::new().prefix(".usage-merge.tmp.").tempfile_in(folder)?;
    file.write_all(bytes)?;
    file.as_file().set_permissions(fs::metadata(path)?.permissions())?;
    file.persist(path)?;
    Ok(())
}
