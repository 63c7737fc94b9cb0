//! The folder whose existence makes rows wait for the next commit: whether rows wait in it, and how
//! it ends without losing one.

use std::fs;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result, shown};
use crate::ledger::journal::Journal;
use crate::ledger::lock::WAIT_IN_HOOKS;

/// The first journal in the folder in which a row waits.
///
/// # Errors
/// A journal that cannot be read: it may hold some.
pub fn first(pending: &Path) -> Result<Option<PathBuf>> {
    for journal in journals(pending)? {
        if journal.has_lines()? {
            return Ok(Some(journal.place().active()));
        }
    }
    Ok(None)
}

/// The refusal to lose rows.
pub fn still(journal: &Path) -> Error {
    Error::Hooks {
        problem: format!("rows wait in {}", shown(journal)),
        fix: "commit something, so that they ride in it; then run this again".to_owned(),
    }
}

/// Takes the folder away, journal by journal, each under its lock: whoever comes behind us finds no
/// folder and writes into the ledger. If a row has come before, it stays.
///
/// # Errors
/// Rows wait; or the system refuses.
pub fn end(pending: &Path) -> Result<()> {
    for journal in journals(pending)? {
        if !journal.end(WAIT_IN_HOOKS)? {
            return Err(still(&journal.place().active()));
        }
    }
    let entries = fs::read_dir(pending).map_err(|error| Error::io("list", pending, &error))?;
    for path in entries.flatten().map(|entry| entry.path()) {
        // A lock without a journal, and what a writer that died prepared.
        if path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.')) {
            fs::remove_file(&path).map_err(|error| Error::io("delete", &path, &error))?;
        }
    }
    fs::remove_dir(pending).map_err(|error| Error::io("delete", pending, &error))?;
    // Others may keep something beside it.
    let _ = pending.parent().map(fs::remove_dir);
    Ok(())
}

fn journals(pending: &Path) -> Result<Vec<Journal>> {
    pending.ancestors().nth(2).map_or(Ok(Vec::new()), Journal::all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_row_is_lost_with_the_folder() {
        let folder = tempfile::tempdir().unwrap();
        let pending = folder.path().join("log-usage/pending");
        fs::create_dir_all(&pending).unwrap();
        let row = "2026-02-23T22:19:28Z,m,1,2,true,plan,3,";
        fs::write(pending.join("main.csv"), "branch,ledger,timestamp,model\n").unwrap();
        fs::write(pending.join("main.csv.torn"), "# 3 bytes\nabc\n").unwrap();
        fs::write(pending.join("topic.csv"), format!("main,.telemetry,{row}\n")).unwrap();
        assert_eq!(first(&pending).unwrap(), Some(pending.join("topic.csv")));
        assert!(end(&pending).is_err());
        assert!(pending.join("topic.csv").exists());
        fs::write(pending.join("topic.csv"), "").unwrap();
        end(&pending).unwrap();
        assert!(!folder.path().join("log-usage").exists());
    }
}
