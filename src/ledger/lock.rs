//! The writers' lock: a side file that is never renamed, so that git, editors and rotation can
//! replace the ledger without moving the lock. The kernel drops it when its holder dies.

use std::fs::{File, OpenOptions};
use std::hash::{BuildHasher, RandomState};
use std::io::{self, ErrorKind};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use crate::error::{Error, Result};
use crate::git::WorkTree;
use crate::ledger::disk;
use crate::setup;
use crate::workspace::FOLDER;

/// How long a writer waits unless its caller says otherwise.
pub const WAIT: Duration = Duration::from_secs(10);

/// In a hook somebody waits for git, and a hang is worse than a row that is said to be lost.
pub const WAIT_IN_HOOKS: Duration = Duration::from_secs(2);

/// The first nap between two tries; each is twice the last.
const NAP_US_MIN: u64 = 100;

/// The longest nap: a tenth of what a person notices.
const NAP_US_MAX: u64 = 10_000;

/// The lock, held until dropped.
///
/// The file is empty but while a rotation runs: whoever finds it otherwise knows, without another
/// call, that a rotation was cut short and what it left must be cleared away.
#[derive(Debug)]
pub struct Lock {
    file: File,
    is_marked: bool,
}

impl Lock {
    /// Takes the lock, waiting at most `wait`.
    ///
    /// # Errors
    /// [`Error::Locked`] after the wait; [`Error::Io`] where the file cannot be made or the file
    /// system knows no locks.
    pub fn take(path: &Path, wait: Duration) -> Result<Lock> {
        let deadline = Instant::now() + wait;
        let mut nap_us = NAP_US_MIN;
        loop {
            let file = open(path).map_err(|error| Error::io("make the lock", path, &error))?;
            match fs2::FileExt::try_lock_exclusive(&file) {
                Ok(()) => {
                    let meta = file.metadata().map_err(|error| Error::io("lock", path, &error))?;
                    if !meta.is_file() {
                        return Err(Error::NotAFile { path: path.to_owned() });
                    }
                    // A link that somebody committed may lead to any file; a mark would change it.
                    if path.is_symlink() {
                        return Err(Error::NotAFile { path: path.to_owned() });
                    }
                    if disk::is_named(&meta, path) {
                        return Ok(Lock { file, is_marked: meta.len() > 0 });
                    }
                    // `git clean` took the file away between the two calls.
                    continue;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => return Err(Error::io("lock", path, &error)),
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(Error::Locked { path: path.to_owned(), waited_s: wait.as_secs() });
            }
            // Waiters that wake in step would try in step.
            let jitter = RandomState::new().hash_one(nap_us) % nap_us;
            thread::sleep(Duration::from_micros(nap_us / 2 + jitter / 2).min(left));
            nap_us = (nap_us * 2).min(NAP_US_MAX);
        }
    }

    /// Whether a rotation was cut short, or runs now.
    pub fn is_marked(&self) -> bool {
        self.is_marked
    }

    /// Says that a rotation begins, or that it has ended.
    pub(super) fn mark(&mut self, is_marked: bool) -> io::Result<()> {
        self.file.set_len(u64::from(is_marked))?;
        self.is_marked = is_marked;
        Ok(())
    }
}

/// Opens the lock, and makes it where it is missing: in a clone it is the first file that no commit may
/// hold, so git is told before.
fn open(path: &Path) -> io::Result<File> {
    // For reading too, so that not even a pipe in its place makes us wait.
    let mut options = OpenOptions::new();
    match options.read(true).append(true).open(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        opened => return opened,
    }
    let folder = path.parent().filter(|folder| folder.ends_with(FOLDER));
    if let Some(tree) = folder.and_then(WorkTree::around) {
        // `.gitignore` is what counts; whoever has none shall not lose a row for that.
        let _ = setup::hide(&tree);
    }
    options.create(true).open(path)
}
