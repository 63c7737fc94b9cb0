//! What the last commit holds.

use std::path::Path;
use std::process::Stdio;

use crate::git::process::command;

/// A file as a commit has it; None where it has none.
pub fn file_at(folder: &Path, commit: &str, path: &str) -> Option<Vec<u8>> {
    // A path that begins so is taken from the folder, not from the top of the work tree.
    let name = match path.starts_with("./") || path.starts_with("../") {
        true => format!("{commit}:{path}"),
        false => format!("{commit}:./{path}"),
    };
    let output =
        command(folder, &["cat-file", "blob", &name]).stderr(Stdio::null()).output().ok()?;
    output.status.success().then_some(output.stdout)
}

/// The files below a folder that differ from the last commit, by their paths from there.
pub fn changed(folder: &Path) -> Vec<String> {
    // Unlike `diff` this writes nothing, not even what it found out.
    let arguments =
        ["diff-index", "--name-only", "--no-renames", "--relative", "-z", "HEAD", "--", "."];
    let output = command(folder, &arguments).stderr(Stdio::null()).output();
    let names = output.map(|output| output.stdout).unwrap_or_default();
    let names = names.split(|byte| *byte == 0).filter(|name| !name.is_empty());
    names.map(|name| String::from_utf8_lossy(name).into_owned()).collect()
}
