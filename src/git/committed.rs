//! Which branch this is, and which is the one that others come from.

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
    // Paths that begin so are taken from the folder, not from the top of the work tree.
    let name = format!("{commit}:./{path}");
    let output =
        command(folder, &["cat-file", "blob", &name]).stderr(Stdio::null()).output().ok()?;
    output.status.success().then_some(output.stdout)
}

/// What git says in one line; None where it fails or says nothing.
fn answer(folder: &Path, arguments: &[&str]) -> Option<String> {
    let output = command(folder, arguments).stderr(Stdio::null()).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    (output.status.success() && !text.is_empty()).then_some(text)
}
