//! Rows that wait ride in the next commit of their branch: before it is made they are put into the
//! ledger and staged, and once it holds them they are let go. Called by git's hooks, where nothing
//! of ours may fail a commit, and nothing is staged but the ledger's own files, where git commits
//! something anyway.

pub mod allowed;
pub mod held;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::error::{Error, Result, excerpt, shell_word, shown};
use crate::fold::allowed::{Configs, Settings};
use crate::fold::held::Held;
use crate::git::committed;
use crate::git::{self, WorkTree};
use crate::intake::Gate;
use crate::ledger::around::Around;
use crate::ledger::border;
use crate::ledger::compose::Entry;
use crate::ledger::disk;
use crate::ledger::fragments;
use crate::ledger::journal::Waiting;
use crate::ledger::lost;
use crate::ledger::segment::Policy;
use crate::ledger::waiting::{self, Due};
use crate::row::{LINE_BYTES_MAX, Row};
use crate::setup;
use crate::timestamp::{Day, Timestamp};
use crate::workspace::{Config, Durability, FOLDER, LEDGER, Layout, Place};

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

/// What was done before a commit.
#[derive(Debug, Default)]
pub struct Folded {
    /// Rows that were put back: the last commit has them, and the work tree lost them.
    pub restored: usize,
    /// Rows that wait on, for the settings forbid them.
    pub forbidden: usize,
}

/// What was put into the ledgers.
#[derive(Default)]
struct Put {
    /// The files and folders to be staged.
    files: Vec<PathBuf>,
    /// Ledgers whose new rows the disk need not have taken yet.
    unsettled: Vec<PathBuf>,
    /// How many rows the work tree had lost.
    restored: usize,
    /// The first ledger that could not be written; the others were.
    failed: Option<Error>,
}

impl Commit<'_> {
    /// Before a commit: puts the rows of its branch into the ledger and stages them. `index` is the
    /// file that git is making the commit from, if it says so.
    ///
    /// # Errors
    /// The rows wait on.
    pub fn before(&self, index: Option<&OsStr>) -> Result<Folded> {
        if is_partial(index) {
            return Ok(Folded::default());
        }
        let mut due = waiting::due(self.tree)?;
        if due.is_empty() {
            return self.stage_new().map(|()| Folded::default());
        }
        let rows: Vec<&Waiting> = due.iter().flat_map(|due| &due.rows).collect();
        // Two questions to git, at once.
        let staged = self.ask_what_is_staged()?;
        let folders = by_folder(&rows).into_keys();
        let lost = folders.map(|it| (it.to_owned(), lost::rows(&self.place(it)))).collect();
        if !is_something(staged)? {
            return Ok(Folded::default());
        }
        let (configs, forbidden) = self.enforce(&mut due, true);
        let rows: Vec<&Waiting> = due.iter().flat_map(|due| &due.rows).collect();
        let put = self.put(&rows, configs, lost);
        // The disk takes the rows while git reads them.
        let adding = self.begin_to_stage(&put.files)?;
        let settled = put.settle();
        adding.map_or(Ok(()), has_staged)?;
        settled?;
        put.failed.map_or(Ok(Folded { restored: put.restored, forbidden }), Err)
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
            let is_ours = line.ends_with(b".csv") || line.ends_with(b".csv.gz");
            line.get(1).is_some_and(|letter| *letter != b' ') && is_ours
        });
        match is_changed {
            true if is_something(self.ask_what_is_staged()?)? => {
                let adding = self.begin_to_stage(&self.files(&self.place(&folder))?)?;
                adding.map_or(Ok(()), has_staged)
            }
            _ => Ok(()),
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
        let held = Held { top: &self.tree.top, git: &|arguments| self.git(arguments) };
        for (folder, rows) in by_folder(&rows) {
            match held.rows(folder, &rows) {
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
    /// do it later, be it forbidden to log any; how many.
    ///
    /// # Errors
    /// The rows wait on.
    pub fn everything(&self) -> Result<usize> {
        let mut due = waiting::all(self.tree)?;
        // What cannot be let go of must not be put into the ledger.
        for Due { journal, .. } in &due {
            journal.check_writable()?;
        }
        let (configs, _) = self.enforce(&mut due, false);
        let rows: Vec<&Waiting> = due.iter().flat_map(|due| &due.rows).collect();
        let put = self.put(&rows, configs, HashMap::new());
        put.settle()?;
        put.failed.map_or(Ok(()), Err)?;
        self.release(&due, &rows.into_iter().collect())
    }

    /// Asks whether git has something to commit without us; it would refuse an empty commit, and shall.
    fn ask_what_is_staged(&self) -> Result<Option<Child>> {
        if self.tree.own.join("MERGE_HEAD").exists() {
            return Ok(None);
        }
        let mut command = self.git(&["diff", "--cached", "--quiet", "--no-ext-diff"]);
        command.spawn().map(Some).map_err(|error| failed(&error))
    }

    /// Appends rows to their ledgers, and with them what those `lost`; a ledger that is not named
    /// there is not looked after.
    fn put(
        &self,
        rows: &[&Waiting],
        mut configs: Configs,
        mut lost: HashMap<PathBuf, Result<Vec<String>>>,
    ) -> Put {
        let mut put = Put::default();
        for (folder, rows) in by_folder(rows) {
            let lost = lost.remove(folder);
            let config = configs.remove(folder).unwrap_or_else(|| Ok(Config::default()));
            let put_into = |config| self.put_into(folder, config, &rows, lost, &mut put);
            if let Err(error) = config.and_then(put_into) {
                put.failed = put.failed.or(Some(error));
            }
        }
        put
    }

    fn put_into(
        &self,
        folder: &Path,
        config: Config,
        rows: &[&Waiting],
        lost: Option<Result<Vec<String>>>,
        put: &mut Put,
    ) -> Result<()> {
        let place = self.place(folder);
        let border = border::load(&place)?;
        let lost = match lost {
            None => Vec::new(),
            Some(_) if config.layout == Layout::Single && self.bring_back(folder, &place)? => {
                lost::rows(&place)?
            }
            Some(lost) => lost?,
        };
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
        let active = place.active();
        let settles_later =
            policy.durability == Durability::Data && has_room(&active, &entries, &policy);
        let durability = if settles_later { Durability::None } else { policy.durability };
        let policy = Policy { durability, ..policy };
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
        put.unsettled.extend(settles_later.then_some(active));
        put.restored += lost.len();
        put.files.extend(self.files(&place)?);
        Ok(())
    }

    /// Brings back a ledger that the last commit has and the work tree lost as a whole; whether there
    /// was such a one.
    fn bring_back(&self, folder: &Path, place: &Place) -> Result<bool> {
        let path = place.active();
        if path.exists() {
            return Ok(false);
        }
        let name = folder.join(LEDGER);
        let Some(bytes) = committed::file_at(&self.tree.top, "HEAD", &name.to_string_lossy())
        else {
            return Ok(false);
        };
        if self.tree.own.join("info/sparse-checkout").exists() {
            return Err(Error::Git {
                problem: format!("{} is left out of a sparse checkout", shown(&name)),
                fix: format!("git sparse-checkout add {}", shell_word(&shown(folder))),
            });
        }
        setup::prepare(place, true)?;
        fs::write(&path, bytes).map_err(|error| Error::io("write", &path, &error))?;
        Ok(true)
    }

    /// What rows are in, with what is said of rows that are not: a commit that takes segments away
    /// must tell where they went. And what stands beside them for git, where git does not know it
    /// yet: a change of somebody's there is left alone.
    fn files(&self, place: &Place) -> Result<Vec<PathBuf>> {
        let all = [place.active(), place.archive(), place.fragments()];
        let mut files: Vec<PathBuf> = all.into_iter().filter(|path| path.exists()).collect();
        let mut doubtful = Vec::new();
        for path in [place.pruned(), place.archived()] {
            match (path.exists(), git::is_in_index(&path)) {
                (true, true) => files.push(path),
                (false, false) => {}
                _ => doubtful.push(path),
            }
        }
        files.extend(self.named("--modified", doubtful)?);
        let beside = [".gitattributes", ".gitignore"].map(|name| place.folder().join(name));
        files.extend(self.new_ones(beside)?);
        Ok(files)
    }

    /// Where no row waits: stages what a prune, an archive or a restore has made, which `git commit
    /// -a` would leave behind, though it takes away what they deleted.
    fn stage_new(&self) -> Result<()> {
        let place = self.place(Path::new(FOLDER));
        let new = self.new_ones([place.pruned(), place.archived(), place.archive()])?;
        match !new.is_empty() && is_something(self.ask_what_is_staged()?)? {
            true => self.begin_to_stage(&new)?.map_or(Ok(()), has_staged),
            false => Ok(()),
        }
    }

    /// Which of these files are there, or in these folders, and git neither knows them nor was told
    /// to ignore them.
    fn new_ones(&self, files: impl IntoIterator<Item = PathBuf>) -> Result<Vec<PathBuf>> {
        let is_new = |path: &PathBuf| path.exists() && !git::is_in_index(path);
        self.named("--others", files.into_iter().filter(is_new).collect())
    }

    /// Those of these files that git does not know, and was not told to ignore, and those that
    /// `which` names besides.
    fn named(&self, which: &str, files: Vec<PathBuf>) -> Result<Vec<PathBuf>> {
        if files.is_empty() {
            return Ok(files);
        }
        let arguments = ["ls-files", "--others", which, "--exclude-standard", "-z", "--"];
        let mut command = self.git(&arguments);
        let output = command.args(files).output().map_err(|error| failed(&error))?;
        let names = output.stdout.split(|byte| *byte == 0).filter(|name| !name.is_empty());
        let path = |name| PathBuf::from(String::from_utf8_lossy(name).into_owned());
        Ok(names.map(path).collect())
    }

    /// Begins to stage files in the index that git is making the commit from; None if there are none.
    fn begin_to_stage(&self, files: &[PathBuf]) -> Result<Option<Child>> {
        if files.is_empty() {
            return Ok(None);
        }
        let mut command = self.git(&["add", "--"]);
        command.args(files).stdout(Stdio::null()).stderr(Stdio::piped());
        command.spawn().map(Some).map_err(|error| failed(&error))
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

    /// Brings rows into line with the settings that hold now; the settings, and how many wait on.
    fn enforce(&self, due: &mut Vec<Due>, holds_back: bool) -> (Configs, usize) {
        let place = |folder: &Path| self.place(folder);
        Settings { place: &place, policy: self.policy, holds_back }.enforce(due)
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

impl Put {
    /// Waits until the disk has what was put into the ledgers.
    fn settle(&self) -> Result<()> {
        self.unsettled.iter().try_for_each(|path| disk::settle(path))
    }
}

/// Whether these rows go into the ledger that is there: a rotation settles itself, step by step.
fn has_room(active: &Path, entries: &[Entry<'_>], policy: &Policy) -> bool {
    let bytes = entries.len() as u64 * (LINE_BYTES_MAX as u64);
    fs::metadata(active).is_ok_and(|meta| meta.len() + bytes < policy.max_size)
}

/// What git answers: a merge is something in any case.
fn is_something(staged: Option<Child>) -> Result<bool> {
    let Some(mut staged) = staged else { return Ok(true) };
    let status = staged.wait().map_err(|error| failed(&error))?;
    Ok(status.code() == Some(1))
}

/// Waits until git has staged.
fn has_staged(adding: Child) -> Result<()> {
    let output = adding.wait_with_output().map_err(|error| failed(&error))?;
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
