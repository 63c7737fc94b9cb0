//! The folder whose existence makes rows wait for the next commit: whether rows wait in it, and how
//! it ends without losing one.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use crate::error::{Error, Result, shown};

/// The first file of the folder in which rows wait.
///
/// # Errors
/// A file that cannot be read: it may hold some.
pub fn first(pending: &Path) -> Result<Option<PathBuf>> {
    for path in files(pending)? {
        let text = fs::read(&path).map_err(|error| Error::io("read", &path, &error))?;
        let text = String::from_utf8_lossy(&text);
        let is_row = |line: &str| !line.trim().is_empty() && !line.contains("timestamp,model,");
        if text.lines().any(is_row) {
            return Ok(Some(path));
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

/// Takes the folder away. First it gets another name, so that from that moment on no row is added
/// behind our back; if one has come before it, all stays as it was.
///
/// # Errors
/// Rows wait; or the system refuses.
pub fn end(pending: &Path) -> Result<()> {
    let ended = pending.with_extension("ended");
    fs::rename(pending, &ended).map_err(|error| Error::io("rename", pending, &error))?;
    let outcome = first(&ended).and_then(|journal| match journal {
        Some(_) => Err(still(pending)),
        None => files(&ended)?.iter().try_for_each(|path| {
            fs::remove_file(path).map_err(|error| Error::io("delete", path, &error))
        }),
    });
    if let Err(error) = outcome {
        fs::rename(&ended, pending).map_err(|error| Error::io("rename", &ended, &error))?;
        return Err(error);
    }
    fs::remove_dir(&ended).map_err(|error| Error::io("delete", &ended, &error))?;
    // Others may keep something beside it.
    let _ = pending.parent().map(fs::remove_dir);
    Ok(())
}

fn files(pending: &Path) -> Result<Vec<PathBuf>> {
    let failed = |error: io::Error| Error::io("list", pending, &error);
    let entries = match fs::read_dir(pending) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(failed)?,
    };
    let paths: io::Result<Vec<PathBuf>> = entries.map(|entry| Ok(entry?.path())).collect();
    let mut paths = paths.map_err(failed)?;
    paths.sort();
    Ok(paths)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_row_is_lost_with_the_folder() {
        let folder = tempfile::tempdir().unwrap();
        let pending = folder.path().join("log-usage/pending");
        fs::create_dir_all(&pending).unwrap();
        fs::write(pending.join("main.csv"), "branch,timestamp,model,notes\n").unwrap();
        fs::write(pending.join("topic.csv"), "main,2026-02-23T22:19:28Z,m,1\n").unwrap();
        assert_eq!(first(&pending).unwrap(), Some(pending.join("topic.csv")));
        assert!(end(&pending).is_err());
        assert!(pending.join("main.csv").exists() && pending.join("topic.csv").exists());
        fs::write(pending.join("topic.csv"), "").unwrap();
        end(&pending).unwrap();
        assert!(!folder.path().join("log-usage").exists());
    }
}
