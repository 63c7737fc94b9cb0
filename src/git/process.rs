//! git as a process.

use std::path::Path;
use std::process::{Command, Stdio};

/// git in that folder and nowhere else: inside a hook the environment may point to another index
/// or another repository, and these questions are about the folder's own.
pub fn command(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new("git");
    for name in ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX", "GIT_COMMON_DIR"] {
        command.env_remove(name);
    }
    command.arg("-C").arg(folder).args(arguments).stdin(Stdio::null());
    command
}
