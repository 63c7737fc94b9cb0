//! Which commit, author, branch or pull request brought each row: the first that added it, parents
//! before children. So a merge, a rebase or a squash counts no row twice.

use std::io::Read;

use hashbrown::{HashMap, HashSet};
use std::path::Path;

use crate::engine::gathered::{Blob, Gathered, blobs, scan};
use crate::engine::inputs::Input;
use crate::error::{Error, Result};
use crate::git::branches::{Branch, Branches};
use crate::git::history::{self, Commit, Piece};
use crate::git::message;
use crate::git::objects::{Objects, Repository};
use crate::ledger::archived::{self, Absent, Segment};
use crate::ledger::border;
use crate::ledger::distinct::fingerprint;
use crate::ledger::fields::{begins_header, begins_row};
use crate::ledger::files::{self, Role};
use crate::ledger::gzip;
use crate::ledger::scan::{Item, Part, Scanner};
use crate::pricing::Prices;
use crate::report::dimension::Dimension;
use crate::report::origins::{Brought, Origin, Origins};
use crate::row::HEADER;
use crate::timestamp::Day;
use crate::workspace::Place;

/// What was added at one place is read in pieces of about this size.
const PIECE_BYTES: usize = 1 << 20;

const SECONDS_OF_A_DAY: i64 = 86_400;

/// What a commit without a branch is called.
const NO_BRANCH: &str = "detached HEAD";

/// Where rows may come from.
pub struct Sources<'a> {
    /// The repository.
    pub repository: &'a Repository,
    /// The ledger.
    pub place: &'a Place,
    /// The commit of the rows that are counted, and what it is called; else the one that is checked
    /// out.
    pub commit: Option<(&'a str, &'a str)>,
    /// Whether the rows of all branches are counted.
    pub has_all_branches: bool,
}

impl Sources<'_> {
    /// What git knows of rows, for those of these dimensions that are of git.
    ///
    /// # Errors
    /// git fails, or a part of the history is missing.
    pub fn origins(&self, by: &[Dimension]) -> Result<Origins> {
        if self.repository.is_shallow()? {
            return Err(Error::Git {
                problem: "this clone is shallow: who brought a row is not in it".to_owned(),
                fix: "git fetch --unshallow".to_owned(),
            });
        }
        let branches = Branches::of(self.repository)?;
        let mut origins = Origins { by: Vec::new(), default: branches.default.clone() };
        let asks = |one, other| by.iter().any(|it| *it == one || *it == other);
        if asks(Dimension::Commit, Dimension::Author) {
            let (rows, commits) = self.commits(&branches)?;
            for dimension in [Dimension::Commit, Dimension::Author] {
                let made = commits.iter().map(|commit| match dimension {
                    Dimension::Author => Origin::committed(None, commit.author.clone()),
                    _ => Origin::committed(Some(commit.hash.clone()), commit.subject.clone()),
                });
                origins.by.push((dimension, Brought::of(&rows, made)));
            }
        }
        if asks(Dimension::Branch, Dimension::Pr) {
            let (rows, commits) = self.merges(&branches)?;
            let unmerged = self.unmerged(&branches, &rows)?;
            let name = branches.default.as_deref().unwrap_or_default();
            for dimension in [Dimension::Branch, Dimension::Pr] {
                let made = commits.iter().map(|commit| match dimension {
                    Dimension::Branch => of_branch(commit, name),
                    _ => of_pull_request(commit, name),
                });
                let mut brought = Brought::of(&rows, made);
                for branch in &unmerged {
                    let place = brought.place(Origin::open(&branch.name, branch.changed));
                    branch.prints.iter().for_each(|print| brought.add(*print, place));
                }
                origins.by.push((dimension, brought));
            }
        }
        origins.by.retain(|(dimension, _)| by.contains(dimension));
        Ok(origins)
    }

    /// Rows by the first commit that added them. What is checked out comes first: the order of
    /// commits that do not know each other must not depend on which branches are there.
    fn commits(&self, branches: &Branches) -> Result<Added> {
        let mut history = History::default();
        let head = self.head()?;
        if let Some(head) = &head {
            history.read(self, std::slice::from_ref(head), false)?;
        }
        if self.has_all_branches {
            let tips = branches.all.iter().flat_map(|branch| &branch.tips).cloned();
            let others: Vec<String> = tips.chain(head.map(|head| format!("^{head}"))).collect();
            if others.iter().any(|it| !it.starts_with('^')) {
                history.read(self, &others, false)?;
            }
        }
        Ok((history.rows, history.commits))
    }

    /// Rows by the commit that brought them to the default branch.
    fn merges(&self, branches: &Branches) -> Result<Added> {
        let mut history = History::default();
        if let Some(default) = branches.default.as_deref().and_then(|it| branches.get(it)) {
            history.read(self, &default.tips, true)?;
        }
        Ok((history.rows, history.commits))
    }

    /// The branches whose rows may be counted, but the default one.
    fn tips(&self, branches: &Branches) -> Result<Vec<Tip>> {
        let mut tips: Vec<Tip> = Vec::new();
        if self.has_all_branches {
            tips.extend(branches.all.iter().cloned().map(|Branch { name, tips, changed }| {
                let changed = Some(Day(changed.div_euclid(SECONDS_OF_A_DAY) as i32));
                Tip { name, changed, commits: tips }
            }));
        }
        if let Some(head) = self.head()? {
            let name = match self.commit {
                Some((_, name)) if name != "HEAD" => name.to_owned(),
                _ => self.repository.current_branch()?.unwrap_or_else(|| NO_BRANCH.to_owned()),
            };
            // A commit without a branch may be the tip of one all the same.
            if !tips.iter().any(|it| it.name == name || it.commits.contains(&head)) {
                tips.push(Tip { name, changed: None, commits: vec![head] });
            }
        }
        tips.retain(|it| branches.default.as_ref() != Some(&it.name));
        Ok(tips)
    }

    /// Branches with rows that the default branch never had, which are `rows`. A row on several
    /// belongs to the first: those with the fewest come first.
    fn unmerged(&self, branches: &Branches, rows: &HashMap<u128, u32>) -> Result<Vec<Unmerged>> {
        let mut objects = Objects::of(self.repository)?;
        let mut scanner = Scanner::default();
        // Most branches share most files; each is read once.
        let mut lacking: HashMap<String, Vec<u128>> = HashMap::new();
        let default = branches.default.as_deref().and_then(|it| branches.get(it));
        for tip in default.into_iter().flat_map(|branch| &branch.tips) {
            let known = blobs(self.repository, self.place, tip)?;
            lacking.extend(known.into_iter().map(|blob| (blob.id, Vec::new())));
        }
        let mut unmerged = Vec::new();
        for Tip { name, changed, commits } in self.tips(branches)? {
            let mut prints = HashSet::new();
            for commit in commits {
                for blob in blobs(self.repository, self.place, &commit)? {
                    if !lacking.contains_key(&blob.id) {
                        let mut found = Vec::new();
                        scan(&mut objects, &mut scanner, &blob, |_, item| {
                            if let Item::Row(row) = item {
                                found.push(fingerprint(&row.row));
                            }
                        })?;
                        found.retain(|print| !rows.contains_key(print));
                        lacking.insert(blob.id.clone(), found);
                    }
                    prints.extend(lacking.get(&blob.id).into_iter().flatten().copied());
                }
            }
            unmerged.push(Unmerged { name, changed, prints });
        }
        unmerged.retain(|branch| !branch.prints.is_empty());
        unmerged.sort_by(|a, b| (a.prints.len(), &a.name).cmp(&(b.prints.len(), &b.name)));
        Ok(unmerged)
    }

    /// The commit whose rows are counted; None where nothing is committed yet.
    fn head(&self) -> Result<Option<String>> {
        match self.commit {
            Some((commit, _)) => Ok(Some(commit.to_owned())),
            None => self.repository.commit("HEAD"),
        }
    }

    /// The rows of all branches that these inputs lack.
    ///
    /// # Errors
    /// git fails, or a file is no ledger.
    pub fn of_other_branches(&self, inputs: &[Input]) -> Result<Vec<Input>> {
        let unchanged = self.repository.unchanged()?;
        let mut known: HashSet<String> = unchanged
            .into_iter()
            .filter(|file| files::role(self.place, &file.path).is_some())
            .map(|file| file.id)
            .collect();
        let mut objects = Objects::of(self.repository)?;
        let mut scanner = Scanner::default();
        let mut gathered = Gathered::default();
        let branches = Branches::of(self.repository)?;
        for tip in branches.all.iter().flat_map(|branch| &branch.tips).chain(&self.head()?) {
            let files: Vec<Blob> = blobs(self.repository, self.place, tip)?;
            for blob in files.into_iter().filter(|blob| known.insert(blob.id.clone())) {
                gathered.add(&mut objects, &mut scanner, &blob)?;
            }
        }
        for input in inputs {
            gathered.know_input(&mut scanner, input)?;
        }
        Ok(gathered.finish().0)
    }

    /// The day before which rows are pruned: the newest of the work tree's, for what was pruned here
    /// is not brought back by an old commit, and of those of the commits that are read.
    ///
    /// # Errors
    /// git fails, or one of the files holds a line that is no date.
    pub fn border(&self) -> Result<Option<Day>> {
        let mut border = border::load(self.place)?;
        let mut commits: Vec<String> = self.commit.iter().map(|it| it.0.to_owned()).collect();
        if self.has_all_branches {
            let branches = Branches::of(self.repository)?;
            commits.extend(branches.all.into_iter().flat_map(|branch| branch.tips));
            commits.extend(self.head()?);
        }
        let path = self.place.pruned();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let mut known = HashSet::new();
        for commit in commits {
            let Some(id) = self.repository.file(&commit, &name)? else { continue };
            if known.insert(id.clone()) {
                let (text, named) = self.text(&name, &id, &commit)?;
                border = border.max(border::parse(&text, named.as_ref())?);
            }
        }
        Ok(border)
    }

    /// The segments whose rows are not among those that are read: moved to an archive, and in none
    /// of the commits. `of_work_tree` are those that the work tree lacks.
    ///
    /// # Errors
    /// git fails, or a list cannot be read.
    pub fn unseen(&self, of_work_tree: Vec<Absent>, border: Option<Day>) -> Result<Vec<Absent>> {
        let mut commits: Vec<String> = self.commit.iter().map(|it| it.0.to_owned()).collect();
        let listed = match self.commit {
            None if !self.has_all_branches => return Ok(of_work_tree),
            None => of_work_tree.into_iter().map(|it| it.segment).collect(),
            Some((commit, _)) => {
                let path = self.place.archived();
                let name = path.file_name().unwrap_or_default().to_string_lossy();
                match self.repository.file(commit, &name)? {
                    None => Vec::new(),
                    Some(id) => {
                        let (text, named) = self.text(&name, &id, commit)?;
                        archived::parse(&text, named.as_ref())?
                    }
                }
            }
        };
        if listed.is_empty() {
            return Ok(Vec::new());
        }
        if self.has_all_branches {
            let branches = Branches::of(self.repository)?;
            commits.extend(branches.all.into_iter().flat_map(|branch| branch.tips));
            commits.extend(self.head()?);
        }
        let (mut present, mut known) = (Vec::new(), HashSet::new());
        for commit in commits {
            let sealed = blobs(self.repository, self.place, &commit)?.into_iter();
            for blob in sealed.filter(|it| it.role == Role::Sealed) {
                if known.insert((blob.label.clone(), blob.id.clone())) {
                    let name = blob.label.rsplit('/').next().unwrap_or_default();
                    present.push((name.to_owned(), blob.id));
                }
            }
        }
        let mut objects = Objects::of(self.repository)?;
        archived::unseen(listed, &present, border, &mut |name, id| {
            // One that is damaged is told of where it is read.
            let look = |bytes: &mut dyn Read| Ok(Segment::look(name, bytes).ok());
            Ok(objects.read(id, look)?.and_then(|it| it.segment))
        })
    }

    /// What rows are priced by: the table of the commit that is read, else the work tree's.
    ///
    /// # Errors
    /// git fails, or a line of the table cannot be read.
    pub fn prices(&self) -> Result<Prices> {
        if self.commit.is_none() {
            return Prices::load(self.place);
        }
        match self.beside(&self.place.prices())? {
            None => Ok(Prices::default()),
            Some((text, named)) => Prices::parse(&text, named.as_ref()),
        }
    }

    /// The text of a file beside the ledger as the commit has it, and what errors call it.
    ///
    /// # Errors
    /// git fails.
    pub fn beside(&self, path: &Path) -> Result<Option<(String, String)>> {
        let Some((commit, _)) = self.commit else { return Ok(None) };
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let id = self.repository.file(commit, &name)?;
        id.map(|id| self.text(&name, &id, commit)).transpose()
    }

    /// The text of a file at a commit, and what errors call it.
    fn text(&self, name: &str, id: &str, commit: &str) -> Result<(String, String)> {
        let named = format!("{name} at {}", commit.get(..12).unwrap_or(commit));
        let fail = |error| Error::io("read", named.as_ref(), &error);
        let mut text = Vec::new();
        let mut objects = Objects::of(self.repository)?;
        objects.read(id, |bytes| bytes.read_to_end(&mut text).map_err(fail))?;
        Ok((String::from_utf8_lossy(&text).into_owned(), named))
    }

    /// The ledger's files, for git log.
    fn paths(&self) -> Vec<String> {
        let escaped = |text: &str| {
            let special = |c| matches!(c, '*' | '?' | '[' | '\\');
            text.chars().flat_map(|c| special(c).then_some('\\').into_iter().chain([c])).collect()
        };
        let folder: String = escaped(&self.repository.prefix);
        let mut paths: Vec<String> = files::beginnings(self.place)
            .iter()
            .map(|path| format!(":(top,glob){folder}{}*.csv", escaped(path)))
            .collect();
        let sealed = format!("{}{}", paths[1], gzip::ENDING);
        paths.push(sealed);
        paths[0] = format!(":(top,glob){folder}{}", escaped(&files::beginnings(self.place)[0]));
        paths
    }
}

/// Rows by the number of the commit that added them.
type Added = (HashMap<u128, u32>, Vec<Commit>);

/// A branch that is not the default one.
struct Tip {
    name: String,
    /// The day of its last commit, where that matters.
    changed: Option<Day>,
    commits: Vec<String>,
}

/// A branch with rows that the default one never had.
struct Unmerged {
    name: String,
    changed: Option<Day>,
    prints: HashSet<u128>,
}

fn of_pull_request(commit: &Commit, default: &str) -> Origin {
    match message::pull_request(&commit.subject, &commit.body) {
        Some(request) => Origin::merged(Some(request.number), request.title.to_owned()),
        None => Origin::committed(None, format!("committed on {default}")),
    }
}

fn of_branch(commit: &Commit, default: &str) -> Origin {
    match message::branch(&commit.subject).filter(|branch| *branch != default) {
        Some(branch) => Origin::merged(None, branch.to_owned()),
        None => Origin::committed(None, default.to_owned()),
    }
}

/// Rows by the commit that first added them, while the log is read.
#[derive(Default)]
struct History {
    rows: HashMap<u128, u32>,
    /// Those that added rows.
    commits: Vec<Commit>,
    /// The last commit that was met, until it adds a row.
    commit: Option<Commit>,
    scanner: Scanner,
    /// Hands out the bytes of compressed segments, once there are some.
    objects: Option<Objects>,
    file: Vec<u8>,
    /// Headers that are not ours, by file: what is added later stands below them.
    headers: HashMap<Vec<u8>, Vec<u8>>,
    /// Lines that were added at one place, until they are read.
    lines: Vec<u8>,
}

impl History {
    fn read(&mut self, of: &Sources<'_>, commits: &[String], is_first_parent: bool) -> Result<()> {
        history::walk(of.repository, commits, is_first_parent, &of.paths(), &mut |piece| {
            self.take(piece, of.repository)
        })?;
        self.read_lines();
        Ok(())
    }

    fn take(&mut self, piece: Piece<'_>, repository: &Repository) -> Result<()> {
        match piece {
            Piece::Bytes { id, name } => {
                if is_compressed(name.as_bytes()) {
                    self.read_compressed(id, name, repository)?;
                }
            }
            Piece::Commit(commit) => {
                self.read_lines();
                self.commit = Some(commit);
            }
            Piece::File(name) => {
                self.read_lines();
                self.file = name.to_vec();
            }
            // Its lines are no text.
            Piece::Added(_) if is_compressed(&self.file) => {}
            Piece::Place => self.read_lines(),
            Piece::Added(line) => {
                if self.lines.len() > PIECE_BYTES && begins_row(line) {
                    self.read_lines();
                }
                if begins_header(line) {
                    let header = line.trim_ascii_end();
                    match header == HEADER.as_bytes() {
                        true => self.headers.remove(&self.file),
                        false => self.headers.insert(self.file.clone(), header.to_vec()),
                    };
                }
                self.lines.extend_from_slice(line);
            }
        }
        Ok(())
    }

    /// Most rows of a compressed segment were added by an earlier commit; some may never have stood
    /// in another file.
    fn read_compressed(&mut self, id: &str, name: &str, repository: &Repository) -> Result<()> {
        self.read_lines();
        let objects = match &mut self.objects {
            Some(objects) => objects,
            none => none.insert(Objects::of(repository)?),
        };
        let History { rows, commits, commit, scanner, .. } = self;
        objects.read(id, |bytes| {
            let mut see = |_, item: Item<'_>| note(item, rows, commits, commit);
            let text = gzip::decoded(bytes);
            let scanned = scanner.scan(text, Part::WHOLE, &mut see);
            scanned.map(drop).map_err(|error| Error::io("read", name.as_ref(), &error))
        })
    }

    /// Reads the lines as a file does that begins with its header.
    fn read_lines(&mut self) {
        let History { rows, commits, commit, scanner, file, headers, lines, .. } = self;
        if lines.is_empty() {
            return;
        }
        let mut text = Vec::new();
        let part = Part { is_first: false, is_last: true };
        if let Some(header) = headers.get(file) {
            text.extend_from_slice(header);
            text.push(b'\n');
        }
        text.append(lines);
        let mut see = |_, item: Item<'_>| note(item, rows, commits, commit);
        // What cannot be read brings no row that could be counted.
        let _ = scanner.scan(&*text, part, &mut see);
    }
}

/// Notes a row as that of the commit, unless an earlier one added it.
fn note(
    item: Item<'_>,
    rows: &mut HashMap<u128, u32>,
    commits: &mut Vec<Commit>,
    commit: &mut Option<Commit>,
) {
    let Item::Row(found) = item else { return };
    let next = commits.len() as u32;
    let last = if commit.is_some() { next } else { next.saturating_sub(1) };
    if *rows.entry(fingerprint(&found.row)).or_insert(last) == next {
        commits.extend(commit.take());
    }
}

/// Whether a file is compressed, by its name as git quotes it.
fn is_compressed(name: &[u8]) -> bool {
    name.strip_suffix(b"\"").unwrap_or(name).ends_with(gzip::ENDING.as_bytes())
}
