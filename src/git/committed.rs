//! What commits hold: the last one, and that of the branch that others come from.

use std::path::Path;
use std::process::Stdio;

use crate::git::process::command;

/// The current branch and the default one, where these are two.
pub fn besides_default(folder: &Path) -> Option<(String, String)> {
    let current = answer(folder, &["symbolic-ref", "--quiet", "--short", "HEAD"])?;
    let default = default(folder)?;
    let name = default.rsplit_once("origin/").map_or(&*default, |(_, name)| name);
    (current != name).then(|| (current.clone(), name.to_owned()))
}

/// The default branch by a name that git takes: what the remote says, else a local `main` or
/// `master`. None where there is none with a commit.
pub fn default(folder: &Path) -> Option<String> {
    let remote =
        answer(folder, &["symbolic-ref", "--quiet", "--short", "refs/remotes/origin/HEAD"]);
    let exists = |name: &String| {
        let reference = format!("{name}^{{commit}}");
        answer(folder, &["rev-parse", "--verify", "--quiet", &reference]).is_some()
    };
    remote.into_iter().chain(["main", "master"].map(str::to_owned)).find(exists)
}

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

/// What git says in one line; None where it fails or says nothing.
fn answer(folder: &Path, arguments: &[&str]) -> Option<String> {
    let output = command(folder, arguments).stderr(Stdio::null()).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    (output.status.success() && !text.is_empty()).then_some(text)
}
