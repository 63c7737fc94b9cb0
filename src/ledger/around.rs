//! git at work around the ledger. git looks at a file, and replaces it a moment later; a row that
//! comes between the two would be lost. So a writer waits until git is quiet, and looks again after.

use std::fs;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

/// A git that has touched none of its own files for so long is at rest, or has died: `git merge`
/// runs its steps within a few milliseconds of each other.
const QUIET: Duration = Duration::from_millis(100);

/// A lock of git's that is older belongs to an open editor, or to a git that died. Nobody waits
/// longer than this.
const WAIT: Duration = Duration::from_secs(2);

/// The git repository around the ledger.
pub struct Around<'a> {
    /// Whether git tracks the ledger.
    pub is_tracked: &'a dyn Fn() -> bool,
    /// The folder of git's own files; None outside a repository, and in a hook, where git waits
    /// for us.
    pub git_dir: Option<PathBuf>,
}

impl Around<'static> {
    /// No git: it does not come to where the file is.
    pub const NOTHING: Around<'static> = Around { is_tracked: &|| false, git_dir: None };
}

impl Around<'_> {
    /// Waits while git is at work on files that include the ledger; whether it was.
    pub(super) fn wait(&self) -> bool {
        let is_busy = self.is_busy() && (self.is_tracked)();
        if is_busy {
            self.settle();
        }
        is_busy
    }

    /// Waits while git is at work on anything: it may be bringing a ledger from another branch.
    pub fn settle(&self) {
        let began = Instant::now();
        while self.is_busy() && began.elapsed() < WAIT {
            thread::sleep(Duration::from_millis(2));
        }
    }

    fn is_busy(&self) -> bool {
        let Some(git_dir) = &self.git_dir else { return false };
        let changed = |path: PathBuf| fs::metadata(path).and_then(|meta| meta.modified()).ok();
        // git makes and renames files in its folder at every step, which changes the folder itself.
        changed(git_dir.clone()).is_some_and(|at| age(at) < QUIET)
            || changed(git_dir.join("index.lock")).is_some_and(|at| age(at) < WAIT)
    }
}

/// How long ago that was. A time to come says nothing about git.
fn age(since: SystemTime) -> Duration {
    since.elapsed().unwrap_or(Duration::MAX)
}
