//! What failed in a hook is seen by nobody: it is kept in a small file of the user's, outside the
//! repository, for `doctor` to show.

use std::fs;
use std::path::{Path, PathBuf};

use usage_ledger::error::{Error, printable};
use usage_ledger::privacy::private;
use usage_ledger::redact;

use crate::voice;
use crate::world;

/// Older failures say nothing about today's set-up.
const LINES_MAX: usize = 50;

/// Whether git runs us, as it does in hooks: it sets one of these for every program that it starts,
/// and waits for it. Then nobody may be reading.
pub(crate) fn is_hook() -> bool {
    ["GIT_EXEC_PATH", "GIT_INDEX_FILE", "GIT_PREFIX"]
        .iter()
        .any(|it| std::env::var_os(it).is_some())
}

/// Adds one failure; a log that cannot be written must not be a second failure.
pub(crate) fn add(error: &Error) {
    write(&voice::unsaid(&error.to_string()), false);
}

/// Adds what need not be said with every commit: only if it is not what was said here last.
pub(crate) fn add_once(what: &str) {
    write(what, true);
}

fn write(what: &str, is_said_once: bool) {
    // Where logging is forbidden nothing at all is written.
    let Some(path) = path().filter(|_| !world::environment().disabled) else { return };
    let here = std::env::current_dir().unwrap_or_default();
    let what = what.lines().next().unwrap_or_default();
    let old = fs::read_to_string(&path).unwrap_or_default();
    let mut lines: Vec<&str> = old.lines().collect();
    let said = format!("  {}  {what}", here.display());
    if is_said_once && lines.last().is_some_and(|line| line.ends_with(&said)) {
        return;
    }
    let line = format!("{}{said}", world::now().at_second());
    lines.push(&line);
    let kept = &lines[lines.len().saturating_sub(LINES_MAX)..];
    let _ = private::write(&path, (kept.join("\n") + "\n").as_bytes());
}

/// The last failures at or below this folder, newest last; fit to be shown, whoever wrote them.
pub(crate) fn last(count: usize, folder: &Path) -> Vec<String> {
    let text = path().and_then(|path| fs::read_to_string(path).ok()).unwrap_or_default();
    let is_here = |line: &&str| {
        let at = line.split("  ").nth(1).map(Path::new);
        at.is_some_and(|at| at.starts_with(folder))
    };
    let lines: Vec<String> = text.lines().filter(is_here).map(safe).collect();
    lines[lines.len().saturating_sub(count)..].to_vec()
}

/// The folder stays, for it is where to look.
fn safe(line: &str) -> String {
    let mut parts: Vec<&str> = line.splitn(3, "  ").collect();
    let what = parts.pop().map(redact::plain).unwrap_or_default();
    parts.push(&what);
    voice::unsaid(&printable(&parts.join("  ")))
}

/// In the user's own folder for what programs remember between two runs.
pub(crate) fn path() -> Option<PathBuf> {
    Some(world::state_home()?.join("hooks.log"))
}
