//! Rows that wait for the next commit of their branch. They stand outside the work tree, where git
//! can switch, stash, reset and clean without taking them: one journal for each work tree, each row
//! behind the branch that it was logged on and the folder of the ledger that it is for.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::HashSet;
use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::{Component, Path, PathBuf};
use std::str;
use std::time::{Duration, SystemTime};

use crate::error::{Error, Result};
use crate::ledger::around::Around;
use crate::ledger::compose::{self, Appended, Entry};
use crate::ledger::disk;
use crate::ledger::lock::Lock;
use crate::ledger::segment::{self, Newest, Policy};
use crate::ledger::tail::Format;
use crate::row::{LINE_BYTES_MAX, Row};
use crate::timestamp::Timestamp;
use crate::workspace::Place;

/// Where journals are, in the folder that all work trees of a repository share. It is there while
/// rows are to wait.
pub const FOLDER: &str = "log-usage/pending";

/// The journal of the work tree that is not a linked one; git names no linked one so.
const MAIN: &str = "~main";

/// In the work tree, where the shared folder cannot be written: agents are often kept out of
/// git's files.
const IN_FOLDER: &str = ".pending.csv";

const HEADER: &str = concat!(
    "branch,ledger,timestamp,model,prompt_tokens,completion_tokens,",
    "task_success,task_type,duration_ms,notes"
);

/// What the bytes of a journal mean. It is never sealed.
const FORMAT: Format = Format {
    header: HEADER,
    is_private: false,
    is_row: |line| line.len() <= LINE_BYTES_MAX * 2 && Waiting::parse(line).is_some(),
    begins_row: |line| {
        Waiting::parse(line.split(|byte| *byte == b'\n').next().unwrap_or_default()).is_some()
    },
    seal: |_| String::new(),
};

/// Where a row belongs.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Home {
    /// The branch; empty where none was checked out.
    pub branch: String,
    /// The folder of the ledger, from the top of the work tree.
    pub ledger: PathBuf,
}

/// A row that waits.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Waiting {
    /// Where it belongs.
    pub home: Home,
    /// Its line in the ledger, without a line end.
    pub line: String,
}

impl Home {
    /// What stands before each of its rows.
    fn prefix(&self) -> String {
        let ledger = self.ledger.as_os_str().as_encoded_bytes();
        format!("{},{},", escaped(self.branch.as_bytes()), escaped(ledger))
    }
}

impl Waiting {
    fn parse(line: &[u8]) -> Option<Waiting> {
        let mut fields = str::from_utf8(line).ok()?.trim_end().splitn(3, ',');
        let branch = unescaped(fields.next()?)?;
        let ledger = path_of(unescaped(fields.next()?)?);
        // Whoever can write a journal shall not write anywhere else.
        if !ledger.components().all(|part| matches!(part, Component::Normal(_))) {
            return None;
        }
        let line = fields.next().filter(|line| Row::parse(line).is_ok())?.to_owned();
        Some(Waiting { home: Home { branch: String::from_utf8(branch).ok()?, ledger }, line })
    }
}

/// One journal.
#[derive(Clone, Debug)]
pub struct Journal {
    place: Place,
    /// The linked work tree that it belongs to; None for the main one.
    pub worktree: Option<String>,
}

impl Journal {
    /// The journal of a work tree, whose own files git keeps in `own`, and those of all work trees in
    /// `shared`. None unless rows are to wait.
    pub fn of_work_tree(shared: &Path, own: &Path) -> Option<Journal> {
        let folder = shared.join(FOLDER);
        folder.is_dir().then(|| Journal::named(&folder, linked(own)))
    }

    /// The journals of all work trees, those of removed ones too.
    ///
    /// # Errors
    /// A folder that cannot be read.
    pub fn all(shared: &Path) -> Result<Vec<Journal>> {
        let folder = shared.join(FOLDER);
        let fail = |error| Error::io("list", &folder, &error);
        let entries = match fs::read_dir(&folder) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(fail)?,
        };
        let mut journals = Vec::new();
        for entry in entries {
            let name = entry.map_err(fail)?.file_name().to_string_lossy().into_owned();
            let worktree = name.strip_suffix(".csv").filter(|name| !name.starts_with('.'));
            let named = |name: &str| Some(name.to_owned()).filter(|name| name != MAIN);
            journals.extend(worktree.map(|name| Journal::named(&folder, named(name))));
        }
        journals.sort_by(|a, b| a.worktree.cmp(&b.worktree));
        Ok(journals)
    }

    /// The journal that a work tree has in the folder of the ledger at its top.
    pub fn in_work_tree(top: &Path, own: &Path) -> Journal {
        Journal { place: Place::in_repository(top).beside(IN_FOLDER), worktree: linked(own) }
    }

    fn named(folder: &Path, worktree: Option<String>) -> Journal {
        let name = format!("{}.csv", worktree.as_deref().unwrap_or(MAIN));
        Journal { place: Place::named(folder, &name), worktree }
    }

    /// Where it and what belongs to it are.
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// Whether its folder can be written.
    pub fn is_writable(&self) -> bool {
        self.check_writable().is_ok()
    }

    /// The same, with what stands in the way.
    ///
    /// # Errors
    /// It cannot.
    pub fn check_writable(&self) -> Result<()> {
        let path = self.place.lock();
        let opened = OpenOptions::new().create(true).append(true).open(&path);
        opened.map(drop).map_err(|error| Error::io("make the lock", &path, &error))
    }

    /// Appends rows for the ledger at `place`: all of them, or none.
    ///
    /// # Errors
    /// Any error but [`Error::SyncFailed`] means that no row was added.
    pub fn append(
        &self,
        place: &Place,
        home: &Home,
        policy: &Policy,
        entries: &mut [Entry<'_>],
        clock: &dyn Fn() -> Timestamp,
    ) -> Result<Appended> {
        let policy = Policy { max_size: u64::MAX, ..*policy };
        let (prefix, path) = (home.prefix(), self.place.active());
        let mut appended = Appended::default();
        let mut compose = |newest: &Newest| {
            // Rows of other work trees meet ours in a merge.
            let changed = newest.changed.max(self.siblings_changed());
            let newest = Newest { line: newest.line.as_deref().map(row_part), changed };
            let journal = Some((path.as_path(), prefix.as_str()));
            let lines = compose::lines(place, journal, entries, clock(), &newest)?;
            appended.count(&lines, entries);
            let mut bytes = Vec::with_capacity(lines.bytes.len() + prefix.len() * lines.added);
            for line in lines.bytes.split_inclusive(|byte| *byte == b'\n') {
                bytes.extend_from_slice(prefix.as_bytes());
                bytes.extend_from_slice(line);
            }
            Ok(bytes)
        };
        let outcome =
            segment::append(&self.place, &policy, &FORMAT, &Around::NOTHING, &mut compose)?;
        // That there was no journal before is nothing that anybody needs to know.
        appended.outcome = segment::Outcome { created: false, ..outcome };
        Ok(appended)
    }

    /// When a journal of another work tree was last changed.
    fn siblings_changed(&self) -> Option<SystemTime> {
        let entries = fs::read_dir(self.place.folder()).ok()?.flatten();
        let others = entries.filter(|entry| {
            entry.file_name() != *self.place.name()
                && Path::new(&entry.file_name()).extension().is_some_and(|it| it == "csv")
        });
        others.filter_map(|entry| entry.metadata().ok()?.modified().ok()).max()
    }

    /// The rows that wait in it, oldest first.
    ///
    /// # Errors
    /// A journal that is there and cannot be read.
    pub fn rows(&self) -> Result<Vec<Waiting>> {
        let text = self.read()?;
        // A last line without its end may be a row on its way.
        let whole = text.split_inclusive(|byte| *byte == b'\n').filter(|it| it.ends_with(b"\n"));
        Ok(whole.filter_map(Waiting::parse).collect())
    }

    /// Whether it holds a whole line besides the header, be it a row that this version knows or not.
    ///
    /// # Errors
    /// A journal that is there and cannot be read.
    pub fn has_lines(&self) -> Result<bool> {
        let text = self.read()?;
        let mut lines = text.split_inclusive(|byte| *byte == b'\n');
        Ok(lines.any(|line| line.ends_with(b"\n") && !is_header(line)))
    }

    fn read(&self) -> Result<Vec<u8>> {
        let path = self.place.active();
        match fs::read(&path) {
            Err(error) if is_absent(error.kind()) => Ok(Vec::new()),
            text => text.map_err(|error| Error::io("read", &path, &error)),
        }
    }

    /// Whether it is too short to hold a row: one look instead of reading it.
    pub fn is_empty(&self) -> bool {
        fs::metadata(self.place.active()).map_or(true, |meta| meta.len() <= HEADER.len() as u64 + 1)
    }

    /// Takes out these rows, which need not wait any more; how many there were. What is no row that
    /// this version knows stays.
    ///
    /// # Errors
    /// The journal is as it was.
    pub fn release(&self, policy: &Policy, done: &HashSet<&Waiting>) -> Result<usize> {
        self.rewrite(policy, &|row| done.contains(row).then(Vec::new))
    }

    /// Puts other lines in the place of those of rows that wait, where `revised` names one; how many
    /// rows these were. They belong where the rows did, and of equal ones one stays.
    ///
    /// # Errors
    /// The journal is as it was.
    pub fn replace(
        &self,
        policy: &Policy,
        revised: &dyn Fn(&Waiting) -> Option<String>,
    ) -> Result<usize> {
        let written = RefCell::new(HashSet::new());
        self.rewrite(policy, &|row| {
            let line = format!("{}{}\n", row.home.prefix(), revised(row)?).into_bytes();
            let is_new = written.borrow_mut().insert(line.clone());
            Some(if is_new { line } else { Vec::new() })
        })
    }

    /// Puts what `change` names in the place of the lines of rows; of how many.
    fn rewrite(
        &self,
        policy: &Policy,
        change: &dyn Fn(&Waiting) -> Option<Vec<u8>>,
    ) -> Result<usize> {
        let _lock = Lock::take(&self.place.lock(), policy.wait)?;
        let path = self.place.active();
        let fail = |error| Error::io("change", &path, &error);
        let text = fs::read(&path).map_err(fail)?;
        let (mut kept, mut changed, mut has_lines) = (Vec::with_capacity(text.len()), 0, false);
        for line in text.split_inclusive(|byte| *byte == b'\n') {
            let new = Waiting::parse(line).and_then(|row| change(&row));
            changed += usize::from(new.is_some());
            let new = new.map_or(Cow::Borrowed(line), Cow::Owned);
            has_lines |= !is_header(&new);
            kept.extend_from_slice(&new);
        }
        if changed == 0 {
            return Ok(0);
        }
        let file = OpenOptions::new().read(true).write(true).open(&path).map_err(fail)?;
        if has_lines {
            let mut write = |new: &mut dyn Write| new.write_all(&kept);
            disk::replace(&path, &self.place.temp(0), Some(&file), &mut write).map_err(fail)?;
            disk::sync_folder(self.place.folder(), policy.durability)?;
        } else {
            // If a power cut brings them back they are found in the ledger: nothing to wait for.
            file.set_len(HEADER.len() as u64 + 1).map_err(fail)?;
        }
        Ok(changed)
    }

    /// Ends it, unless a row waits in it: what remains are bytes that were never acknowledged.
    ///
    /// # Errors
    /// A row waits; or the system refuses. The journal is as it was.
    pub fn end(&self, wait: Duration) -> Result<bool> {
        let _lock = Lock::take(&self.place.lock(), wait)?;
        if self.has_lines()? {
            return Ok(false);
        }
        for path in [self.place.active(), self.place.torn(), self.place.lock()] {
            disk::remove(&path).map_err(|error| Error::io("delete", &path, &error))?;
        }
        Ok(true)
    }
}

/// What git calls a linked work tree, by the folder of its own files; None for the main one.
fn linked(own: &Path) -> Option<String> {
    let is_linked = own.parent().and_then(Path::file_name).is_some_and(|it| it == "worktrees");
    let name = own.file_name().filter(|_| is_linked);
    name.map(|name| name.to_string_lossy().into_owned())
}

/// The row in a line of the journal.
fn row_part(line: &[u8]) -> Vec<u8> {
    Waiting::parse(line).map(|row| row.line.into_bytes()).unwrap_or_default()
}

fn is_header(line: &[u8]) -> bool {
    line.starts_with(b"branch,ledger,") || line.trim_ascii().is_empty()
}

fn is_absent(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::NotFound | ErrorKind::NotADirectory)
}

/// A field of any bytes that needs no quotes: what is not plain stands as in URLs.
fn escaped(bytes: &[u8]) -> String {
    let mut text = String::new();
    for byte in bytes {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'_' | b'/' | b'@' | b'+' | b'-' => {
                text.push(char::from(*byte));
            }
            byte => text += &format!("%{byte:02x}"),
        }
    }
    text
}

fn unescaped(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [byte, after @ ..] = rest {
        rest = after;
        match byte {
            b'%' => {
                let digits = str::from_utf8(after.get(..2)?).ok()?;
                bytes.push(u8::from_str_radix(digits, 16).ok()?);
                rest = &after[2..];
            }
            byte => bytes.push(*byte),
        }
    }
    Some(bytes)
}

#[cfg(unix)]
fn path_of(bytes: Vec<u8>) -> PathBuf {
    use std::os::unix::ffi::OsStringExt;
    std::ffi::OsString::from_vec(bytes).into()
}

#[cfg(not(unix))]
fn path_of(bytes: Vec<u8>) -> PathBuf {
    String::from_utf8_lossy(&bytes).into_owned().into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_row_waits_as_it_was(branch in "\\PC{0,20}", ledger in "[^\0/.]{1,20}(/[^\0/.]{1,9})?") {
            let line = "2026-02-23T22:19:12+01:00,m,1,2,true,plan,3,\"a, b\"";
            let home = Home { branch, ledger: ledger.into() };
            let text = format!("{}{line}", home.prefix());
            prop_assert_eq!(text.matches(['\n', '"']).count(), 2);
            let waiting = Waiting::parse(text.as_bytes());
            prop_assert_eq!(waiting, Some(Waiting { home, line: line.to_owned() }));
        }
    }

    #[test]
    fn what_is_no_row_does_not_wait() {
        for bad in ["", HEADER, "main,.telemetry,2026-02-23T22:19:12+01:00,m,1,2,true", "%zz,x,y"] {
            assert_eq!(Waiting::parse(bad.as_bytes()), None, "{bad}");
        }
        for elsewhere in ["../other/.telemetry", "/etc/.telemetry", "a/../../.telemetry"] {
            let line = format!("main,{elsewhere},2026-02-23T22:19:12+01:00,m,1,2,true,plan,3,");
            assert_eq!(Waiting::parse(line.as_bytes()), None, "{elsewhere}");
        }
    }
}
