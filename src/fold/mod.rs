//! Rows that wait ride in the next commit of their branch: before it is made they are put into the
//! ledger and staged, and once it holds them they are let go. Called by git's hooks, where nothing
//! of ours may fail a commit, and nothing is staged but the ledger's own files, where git commits
//! something anyway.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::ffi::OsStr;
use std::fs;
use std::io::{self, Seek, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::str;

use crate::error::{Error, Result, excerpt, shell_word, shown};
use crate::git::committed;
use crate::git::{self, WorkTree};
use crate::intake::Gate;
use crate::ledger::around::Around;
use crate::ledger::border;
use crate::ledger::compose::Entry;
use crate::ledger::fragments;
use crate::ledger::journal::Waiting;
use crate::ledger::lost;
use crate::ledger::segment::Policy;
use crate::ledger::waiting::{self, Due};
use crate::row::Row;
use crate::setup;
use crate::timestamp::{Day, Timestamp};
use crate::workspace::{Config, FOLDER, LEDGER, Layout, Place};

/// The index of a commit of named paths only, which git makes beside its own. What is staged there
/// would be reverted by the next commit.
const PARTIAL: &str = "next-index-";

/// The repository, at a commit.
pub struct Commit<'a> {
    /// Its work tree.
    pub tree: &'a WorkTree,
    /// How rows are written to a ledger.
    pub policy: &'a dyn Fn(&Config) -> Policy,
    /// The clock on the wall.
    pub clock: &'a dyn Fn() -> Timestamp,
}

/// What was put into the ledgers.
#[derive(Default)]
struct Put {
    /// The files and folders to be staged.
    files: Vec<PathBuf>,
    /// How many rows the work tree had lost.
    restored: usize,
    /// The first ledger that could not be written; the others were.
    failed: Option<Error>,
}

impl Commit<'_> {
    /// Before a commit: puts the rows of its branch into the ledger and stages them. `index` is the
    /// file that git is making the commit from, if it says so. How many rows were put back that the
    /// last commit has and the work tree lost.
    ///
    /// # Errors
    /// The rows wait on.
    pub fn before(&self, index: Option<&OsStr>) -> Result<usize> {
        if is_partial(index) {
            return Ok(0);
        }
        let due = waiting::due(self.tree)?;
        if due.is_empty() || !self.is_something_staged()? {
            return Ok(0);
        }
        let rows: Vec<&Waiting> = due.iter().flat_map(|due| &due.rows).collect();
        let put = self.put(&rows, true);
        self.stage(&put.files)?;
        put.failed.map_or(Ok(put.restored), Err)
    }

    /// Before a commit where rows do not wait: stages what was added to the ledger at the top of the
    /// work tree.
    ///
    /// # Errors
    /// The rows stay uncommitted.
    pub fn stage_ledger(&self, index: Option<&OsStr>) -> Result<()> {
        let folder = PathBuf::from(FOLDER);
        if is_partial(index) || !self.tree.top.join(&folder).is_dir() {
            return Ok(());
        }
        let mut status = self.git(&["status", "--porcelain", "--untracked-files=all", "--"]);
        let output = status.arg(&folder).output().map_err(|error| failed(&error))?;
        // The second letter is what is not staged yet.
        let is_changed = output.stdout.split(|byte| *byte == b'\n').any(|line| {
            line.get(1).is_some_and(|letter| *letter != b' ') && line.ends_with(b".csv")
        });
        match is_changed && self.is_something_staged()? {
            true => self.stage(&self.files(&self.place(&folder))?),
            false => Ok(()),
        }
    }

    /// After a commit: lets go of the rows that it holds; how many.
    ///
    /// # Errors
    /// The rows wait on, which does no harm: they are found in the ledger next time.
    pub fn after(&self) -> Result<usize> {
        let due = waiting::due(self.tree)?;
        if due.is_empty() {
            return Ok(0);
        }
        let rows: Vec<&Waiting> = due.iter().flat_map(|due| &due.rows).collect();
        let mut done = HashSet::new();
        let mut failed = None;
        for (folder, rows) in by_folder(&rows) {
            match self.committed(folder, &rows) {
                Ok(committed) => done.extend(committed),
                Err(error) => failed = failed.or(Some(error)),
            }
            // What was pruned while it waited goes into no commit.
            match border::load(&self.place(folder)) {
                Ok(border) => {
                    done.extend(rows.iter().filter(|row| {
                        Row::parse(&row.line).is_ok_and(|row| is_pruned(&row, border))
                    }))
                }
                Err(error) => failed = failed.or(Some(error)),
            }
        }
        let released = self.release(&due, &done)?;
        failed.map_or(Ok(released), Err)
    }

    /// Puts every row of every branch that waits into the ledger of this work tree, for nobody will
    /// do it later; how many.
    ///
    /// # Errors
    /// The rows wait on.
    pub fn everything(&self) -> Result<usize> {
        let due = waiting::all(self.tree)?;
        // What cannot be let go of must not be put into the ledger.
        for Due { journal, .. } in &due {
            journal.check_writable()?;
        }
        let rows: Vec<&Waiting> = due.iter().flat_map(|due| &due.rows).collect();
        let put = self.put(&rows, false);
        put.failed.map_or(Ok(()), Err)?;
        self.release(&due, &rows.into_iter().collect())
    }

    /// Whether git has something to commit without us; it would refuse an empty commit, and shall.
    fn is_something_staged(&self) -> Result<bool> {
        if self.tree.own.join("MERGE_HEAD").exists() {
            return Ok(true);
        }
        let mut command = self.git(&["diff", "--cached", "--quiet", "--no-ext-diff"]);
        let status = command.status().map_err(|error| failed(&error))?;
        Ok(status.code() == Some(1))
    }

    /// Appends rows to their ledgers, and, if asked to, rows that the work tree lost.
    fn put(&self, rows: &[&Waiting], restores: bool) -> Put {
        let mut put = Put::default();
        for (folder, rows) in by_folder(rows) {
            if let Err(error) = self.put_into(folder, &rows, restores, &mut put) {
                put.failed = put.failed.or(Some(error));
            }
        }
        put
    }

    fn put_into(
        &self,
        folder: &Path,
        rows: &[&Waiting],
        restores: bool,
        put: &mut Put,
    ) -> Result<()> {
        let place = self.place(folder);
        let config = Config::load(&place)?;
        let border = border::load(&place)?;
        if restores && config.layout == Layout::Single {
            self.bring_back(folder, &place)?;
        }
        let lost = if restores { lost::rows(&place)? } else { Vec::new() };
        let lines = lost.iter().chain(rows.iter().map(|row| &row.line));
        let parsed = lines.filter_map(|line| Row::parse(line).ok());
        let kept = parsed.filter(|row| !is_pruned(row, border));
        let mut entries: Vec<Entry<'_>> = kept.map(|row| Entry { row, is_dated: true }).collect();
        if entries.is_empty() {
            return Ok(());
        }
        let policy = (self.policy)(&config);
        let (place, policy) = match config.layout {
            Layout::Single => (place, policy),
            Layout::Fragments => {
                let policy = Policy { max_size: u64::MAX, ..policy };
                (fragments::fresh(&place, (self.clock)()), policy)
            }
        };
        let is_tracked = || git::tracks(&place.active());
        let gate = Gate {
            place: &place,
            may_create_folder: true,
            layout: Layout::Single,
            policy,
            clock: self.clock,
            // git waits for us.
            around: Around { is_tracked: &is_tracked, git_dir: None },
        };
        gate.append(&mut entries)?;
        put.restored += lost.len();
        put.files.extend(self.files(&place)?);
        Ok(())
    }

    /// Brings back a ledger that the last commit has and the work tree lost as a whole.
    fn bring_back(&self, folder: &Path, place: &Place) -> Result<()> {
        let path = place.active();
        if path.exists() {
            return Ok(());
        }
        let name = folder.join(LEDGER);
        let Some(bytes) = committed::file_at(&self.tree.top, "HEAD", &name.to_string_lossy())
        else {
            return Ok(());
        };
        if self.tree.own.join("info/sparse-checkout").exists() {
            return Err(Error::Git {
                problem: format!("{} is left out of a sparse checkout", shown(&name)),
                fix: format!("git sparse-checkout add {}", shell_word(&shown(folder))),
            });
        }
        setup::prepare(place, true)?;
        fs::write(&path, bytes).map_err(|error| Error::io("write", &path, &error))
    }

    /// What rows are in, and what stands beside them for git, where git does not know it yet: a change
    /// of somebody's there is left alone.
    fn files(&self, place: &Place) -> Result<Vec<PathBuf>> {
        let all = [place.active(), place.archive(), place.fragments()];
        let mut files: Vec<PathBuf> = all.into_iter().filter(|path| path.exists()).collect();
        let mut beside =
            [".gitattributes", ".gitignore"].map(|name| place.folder().join(name)).to_vec();
        beside.retain(|path| path.exists() && !git::is_in_index(path));
        if beside.is_empty() {
            return Ok(files);
        }
        let mut command = self.git(&["ls-files", "--others", "-z", "--"]);
        command.args(beside);
        let output = command.output().map_err(|error| failed(&error))?;
        let new = output.stdout.split(|byte| *byte == 0).filter(|name| !name.is_empty());
        files.extend(new.map(|name| PathBuf::from(String::from_utf8_lossy(name).into_owned())));
        Ok(files)
    }

    /// Stages files in the index that git is making the commit from.
    fn stage(&self, files: &[PathBuf]) -> Result<()> {
        if files.is_empty() {
            return Ok(());
        }
        let mut command = self.git(&["add", "--"]);
        command.args(files);
        let output = command.output().map_err(|error| failed(&error))?;
        match output.status.success() {
            true => Ok(()),
            false => {
                let text = String::from_utf8_lossy(&output.stderr).into_owned();
                let lines: Vec<&str> = text.lines().take(2).map(str::trim).collect();
                Err(Error::Git {
                    problem: format!("git add refused: {}", excerpt(&lines.join(" "))),
                    fix: "log-usage doctor".to_owned(),
                })
            }
        }
    }

    /// Which of these rows, all for the ledger in this folder, the commit that was made holds.
    fn committed<'r>(&self, folder: &Path, rows: &[&'r Waiting]) -> Result<Vec<&'r Waiting>> {
        let mut missing: HashMap<&str, Vec<&Waiting>> = HashMap::new();
        for row in rows {
            missing.entry(&row.line).or_default().push(row);
        }
        let mut found = Vec::new();
        let active = folder.join(LEDGER).into_os_string();
        let object = [b"HEAD:", active.as_encoded_bytes(), b"\n"].concat();
        self.look_in(&object, &[], &mut missing, &mut found)?;
        if !missing.is_empty() {
            let mut list = self.git(&["ls-tree", "-r", "-z", "HEAD", "--"]);
            let output = list.arg(folder).output().map_err(|error| failed(&error))?;
            let entries = output.stdout.split(|byte| *byte == 0).filter(|it| it.ends_with(b".csv"));
            // `mode type hash<TAB>path` becomes `hash path`.
            let object = |entry: &[u8]| {
                let tab = memchr::memchr(b'\t', entry)?;
                let space = memchr::memrchr(b' ', &entry[..tab])?;
                Some([&entry[space + 1..tab], b" ", &entry[tab + 1..], b"\n"].concat())
            };
            let objects: Vec<u8> = entries.filter_map(object).flatten().collect();
            // As the work tree would have them: a filter may keep their bytes elsewhere.
            self.look_in(&objects, &["--filters"], &mut missing, &mut found)?;
        }
        Ok(found)
    }

    /// Moves the rows that these objects hold from the one to the other.
    fn look_in<'r>(
        &self,
        objects: &[u8],
        options: &[&str],
        missing: &mut HashMap<&str, Vec<&'r Waiting>>,
        found: &mut Vec<&'r Waiting>,
    ) -> Result<()> {
        let mut input = tempfile::tempfile().map_err(|error| failed(&error))?;
        input.write_all(objects).map_err(|error| failed(&error))?;
        input.rewind().map_err(|error| failed(&error))?;
        let mut command = self.git(&["cat-file", "--batch"]);
        let output = command.args(options).stdin(input).output().map_err(|error| failed(&error))?;
        for line in output.stdout.split(|byte| *byte == b'\n') {
            let line = str::from_utf8(line.trim_ascii_end()).unwrap_or_default();
            found.extend(missing.remove(line).into_iter().flatten());
        }
        Ok(())
    }

    fn release(&self, due: &[Due], done: &HashSet<&Waiting>) -> Result<usize> {
        let policy = (self.policy)(&Config::default());
        let mut released = 0;
        for Due { journal, rows } in due {
            if rows.iter().any(|row| done.contains(row)) {
                released += journal.release(&policy, done)?;
            }
        }
        Ok(released)
    }

    fn place(&self, folder: &Path) -> Place {
        match self.tree.top.join(folder).parent() {
            Some(root) if folder.ends_with(FOLDER) => Place::in_repository(root),
            _ => Place::in_repository(&self.tree.top),
        }
    }

    /// git in its own environment, which says what index the commit is made from.
    fn git(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("git");
        command.current_dir(&self.tree.top).args(arguments).stdin(Stdio::null());
        // A folder may be named as a pattern would be.
        command.env("GIT_LITERAL_PATHSPECS", "1");
        command
    }
}

/// The rows of each ledger.
fn by_folder<'r, 's>(rows: &'s [&'r Waiting]) -> BTreeMap<&'s Path, Vec<&'r Waiting>> {
    let mut folders: BTreeMap<&Path, Vec<&Waiting>> = BTreeMap::new();
    for row in rows {
        folders.entry(&row.home.ledger).or_default().push(row);
    }
    folders
}

fn is_partial(index: Option<&OsStr>) -> bool {
    let name = index.and_then(|index| Path::new(index).file_name()).unwrap_or_default();
    name.as_encoded_bytes().starts_with(PARTIAL.as_bytes())
}

fn is_pruned(row: &Row<'_>, border: Option<Day>) -> bool {
    border.is_some_and(|border| row.at.day() < border)
}

fn failed(error: &io::Error) -> Error {
    Error::io("run", "git".as_ref(), error)
}
