//! Questions to the git repository around us, answered by the `git` on the path.

use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, Stdio};

/// Whether git tracks the file of that name in the folder: it stands in the index. False where there is no git.
pub fn tracks(folder: &Path, name: &OsStr) -> bool {
    let mut command = git(folder, &["ls-files", "--error-unmatch", "--"]);
    command.arg(name).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// The rule that hides the file from git, if one does: `source:line:pattern`.
pub fn ignoring_rule(folder: &Path, name: &OsStr) -> Option<String> {
    let arguments = ["check-ignore", "--verbose", "--no-index", "--"];
    let output = git(folder, &arguments).arg(name).stderr(Stdio::null()).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let rule = text.split('\t').next().unwrap_or_default().to_owned();
    // A rule that begins with ! says that the file is not ignored after all.
    let is_ignored = !rule.is_empty() && !rule.splitn(3, ':').nth(2)?.starts_with('!');
    is_ignored.then_some(rule)
}

/// git in that folder and nowhere else: inside a hook the environment may point to another index
/// or another repository, and these questions are about the folder's own.
fn git(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new("git");
    for name in ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX", "GIT_COMMON_DIR"] {
        command.env_remove(name);
    }
    command.arg("-C").arg(folder).args(arguments).stdin(Stdio::null());
    command
}
