//! git as a process, and what it says.

use std::io::{self, ErrorKind};
use std::path::Path;
use std::process::{Command, Stdio};

use crate::error::{Error, Result, excerpt};

/// Variables that point to another repository, or change what a path means.
const ELSEWHERE: [&str; 9] = [
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_PREFIX",
    "GIT_COMMON_DIR",
    "GIT_LITERAL_PATHSPECS",
    "GIT_GLOB_PATHSPECS",
    "GIT_NOGLOB_PATHSPECS",
    "GIT_ICASE_PATHSPECS",
];

/// git in that folder and nowhere else: inside a hook the environment may point to another index
/// or another repository, and these questions are about the folder's own.
pub fn command(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new("git");
    for name in ELSEWHERE {
        command.env_remove(name);
    }
    command.arg("-C").arg(folder).args(arguments).stdin(Stdio::null());
    command
}

/// What git prints; the inner result is that it failed, in its own words.
///
/// # Errors
/// No git on the path.
pub fn ask(folder: &Path, arguments: &[&str]) -> Result<Result<Vec<u8>, String>> {
    // Paths are meant as they are, whatever characters are in them.
    let mut command = command(folder, arguments);
    command.env("GIT_LITERAL_PATHSPECS", "1");
    let output = command.output().map_err(|error| not_started(&error))?;
    Ok(match output.status.success() {
        true => Ok(output.stdout),
        false => {
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            let first = said.lines().next().unwrap_or_default();
            Err(excerpt(first.strip_prefix("fatal: ").unwrap_or(first)))
        }
    })
}

/// As [`ask`], where git is expected to have an answer.
///
/// # Errors
/// It has none.
pub fn answer(folder: &Path, arguments: &[&str]) -> Result<Vec<u8>> {
    ask(folder, arguments)?.map_err(|said| failed(arguments[0], &said))
}

/// That there is no git.
pub(super) fn not_started(error: &io::Error) -> Error {
    match error.kind() {
        ErrorKind::NotFound => Error::Git {
            problem: "there is no git on the PATH".to_owned(),
            fix: "install git, or ask without the options that need it".to_owned(),
        },
        _ => Error::io("run", "git".as_ref(), error),
    }
}

/// That git failed.
pub(super) fn failed(what: &str, said: &str) -> Error {
    Error::Git {
        problem: format!("git {what} failed: {said}"),
        fix: "mend what git says, then run the command again; git fsck looks for damage".to_owned(),
    }
}
