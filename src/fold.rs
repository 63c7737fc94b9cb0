//! Rows that wait ride in the next commit of their branch: before it is made they are put into the
//! ledger and staged, and once it holds them they are let go. Called by git's hooks, where nothing
//! of ours may fail a commit, and nothing is staged that git would not have committed anyway.

use std::collections::hash_map::Entry as Known;
use std::collections::{HashMap, HashSet};
use std::ffi::{OsStr, OsString};
use std::io::{self, Seek, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::str;

use crate::error::{Error, Result};
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
        let put = self.put(&rows, true)?;
        self.stage(&put.files)?;
        Ok(put.restored)
    }

    /// Before a commit where rows do not wait: stages what was added to the ledger at the top of the
    /// work tree.
    ///
    /// # Errors
    /// The rows stay uncommitted.
    pub fn stage_ledger(&self, index: Option<&OsStr>) -> Result<()> {
        let folder = PathBuf::from(FOLDER);
        if is_partial(index) || !self.place(&folder).active().exists() {
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
        let committed = self.committed(&rows)?;
        let mut borders = HashMap::new();
        for row in &rows {
            let folder = row.home.ledger.as_path();
            if let Known::Vacant(unknown) = borders.entry(folder) {
                unknown.insert(border::load(&self.place(folder))?);
            }
        }
        // What was pruned while it waited goes into no commit.
        let is_pruned = |row: &Waiting| {
            let border = borders.get(row.home.ledger.as_path()).copied().flatten();
            Row::parse(&row.line).is_ok_and(|row| is_pruned(&row, border))
        };
        self.release(&due, &|row| committed.contains(row.line.as_str()) || is_pruned(row))
    }

    /// Puts every row of every branch that waits into the ledger of this work tree, for nobody will
    /// do it later; how many.
    ///
    /// # Errors
    /// The rows wait on.
    pub fn everything(&self) -> Result<usize> {
        let due = waiting::all(self.tree)?;
        let rows: Vec<&Waiting> = due.iter().flat_map(|due| &due.rows).collect();
        self.put(&rows, false)?;
        self.release(&due, &|_| true)
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
    fn put(&self, rows: &[&Waiting], restores: bool) -> Result<Put> {
        let mut folders: Vec<&Path> = rows.iter().map(|row| row.home.ledger.as_path()).collect();
        folders.sort_unstable();
        folders.dedup();
        let mut put = Put::default();
        for folder in folders {
            let place = self.place(folder);
            let config = Config::load(&place)?;
            let border = border::load(&place)?;
            let lost = if restores { lost::rows(&place)? } else { Vec::new() };
            let here = rows.iter().filter(|row| row.home.ledger == *folder);
            let lines = lost.iter().chain(here.map(|row| &row.line));
            let parsed = lines.filter_map(|line| Row::parse(line).ok());
            let kept = parsed.filter(|row| !is_pruned(row, border));
            let mut entries: Vec<Entry<'_>> =
                kept.map(|row| Entry { row, is_dated: true }).collect();
            if entries.is_empty() {
                continue;
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
        }
        Ok(put)
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
                let line = text.lines().next().unwrap_or_default();
                Err(failed(&io::Error::other(line)))
            }
        }
    }

    /// Which of these rows the commit that was made holds, by their lines.
    fn committed<'r>(&self, rows: &[&'r Waiting]) -> Result<HashSet<&'r str>> {
        let mut missing: HashSet<&str> = rows.iter().map(|row| row.line.as_str()).collect();
        let mut found = HashSet::new();
        let folders: HashSet<&Path> = rows.iter().map(|row| row.home.ledger.as_path()).collect();
        let active = folders.iter().map(|folder| folder.join(LEDGER).into_os_string());
        self.look_in(active, &mut missing, &mut found)?;
        if !missing.is_empty() {
            let mut list = self.git(&["ls-tree", "-r", "-z", "--name-only", "HEAD", "--"]);
            let output = list.args(folders).output().map_err(|error| failed(&error))?;
            let names = output.stdout.split(|byte| *byte == 0).filter(|it| it.ends_with(b".csv"));
            let name = |name| OsString::from(String::from_utf8_lossy(name).into_owned());
            self.look_in(names.map(name), &mut missing, &mut found)?;
        }
        Ok(found)
    }

    /// Moves the lines that these files of the commit hold from the one to the other.
    fn look_in<'r>(
        &self,
        names: impl Iterator<Item = OsString>,
        missing: &mut HashSet<&'r str>,
        found: &mut HashSet<&'r str>,
    ) -> Result<()> {
        let mut objects = tempfile::tempfile().map_err(|error| failed(&error))?;
        for name in names {
            let name = [b"HEAD:", name.as_encoded_bytes(), b"\n"].concat();
            objects.write_all(&name).map_err(|error| failed(&error))?;
        }
        objects.rewind().map_err(|error| failed(&error))?;
        let output = self.git(&["cat-file", "--batch"]).stdin(objects).output();
        let output = output.map_err(|error| failed(&error))?;
        for line in output.stdout.split(|byte| *byte == b'\n') {
            let line = str::from_utf8(line.trim_ascii_end()).unwrap_or_default();
            found.extend(missing.take(line));
        }
        Ok(())
    }

    fn release(&self, due: &[Due], is_done: &dyn Fn(&Waiting) -> bool) -> Result<usize> {
        let policy = (self.policy)(&Config::default());
        let mut released = 0;
        for Due { journal, rows } in due {
            let done: HashSet<(&Path, &str)> = rows
                .iter()
                .filter(|row| is_done(row))
                .map(|row| (row.home.ledger.as_path(), row.line.as_str()))
                .collect();
            if !done.is_empty() {
                journal.release(&policy, &|row| done.contains(&(&row.home.ledger, &row.line)))?;
                released += done.len();
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
        command
    }
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
