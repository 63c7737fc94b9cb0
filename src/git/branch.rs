//! Which branch is checked out, and whether one is there: read from git's own files, because a row
//! shall not wait for a process; asked of git only where it keeps them in another form.

use std::fs;
use std::path::Path;

use crate::git::process;

const BRANCHES: &str = "refs/heads/";

/// What git writes for old programs where references are kept in tables.
const IN_TABLES: &str = ".invalid";

/// The branch that is checked out, or is being rebased; empty where there is none. `own` is the
/// folder of git's files for the work tree.
pub fn current(own: &Path) -> String {
    let head = fs::read_to_string(own.join("HEAD")).unwrap_or_default();
    let branch = head.trim_end().strip_prefix("ref: ").and_then(|it| it.strip_prefix(BRANCHES));
    match branch {
        Some(IN_TABLES) => ask(own, &["symbolic-ref", "--quiet", "--short", "HEAD"]),
        Some(branch) => branch.to_owned(),
        None => rebased(own),
    }
}

/// While a branch is rebased none is checked out.
fn rebased(own: &Path) -> String {
    let names = ["rebase-merge", "rebase-apply"].map(|it| own.join(it).join("head-name"));
    let name = names.iter().find_map(|path| fs::read_to_string(path).ok()).unwrap_or_default();
    name.trim_end().strip_prefix(BRANCHES).unwrap_or_default().to_owned()
}

/// Whether there is a branch of that name. `shared` is the folder that all work trees share.
pub fn exists(shared: &Path, name: &str) -> bool {
    let reference = format!("{BRANCHES}{name}");
    if shared.join("reftable").is_dir() {
        return !ask(shared, &["rev-parse", "--verify", "--quiet", &reference]).is_empty();
    }
    let packed = || fs::read_to_string(shared.join("packed-refs")).unwrap_or_default();
    let is_it = |line: &str| line.split_once(' ').is_some_and(|(_, name)| name == reference);
    shared.join(&reference).is_file() || packed().lines().any(is_it)
}

/// One word from git; empty where it has none.
fn ask(folder: &Path, arguments: &[&str]) -> String {
    let output = process::command(folder, &[]).arg("--git-dir=.").args(arguments).output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    text.unwrap_or_default().trim_end().to_owned()
}
