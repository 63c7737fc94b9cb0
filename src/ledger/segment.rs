//! Bytes into the active segment: lock, repair, one write, sync, rotation. Knows lines and their
//! ends, not CSV. Every step is chosen so that a writer may die before or after it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use crate::error::{Error, Result};
use crate::ledger::lock::{self, Lock};
use crate::ledger::tail::{self, Format, Tail};
use crate::workspace::{Durability, Place};

/// Most ledgers' last line is found in the first, any line of ours in the second.
const TAIL_WINDOWS: [u64; 2] = [8 << 10, 64 << 10];

/// git needs milliseconds to put a tracked file back in its place; longer, and it is gone.
const GIT_WAIT: Duration = Duration::from_secs(2);

/// One write call takes at most 2 GiB; a single row never comes near it.
const WRITE_BYTES_MAX: usize = 1 << 30;

/// How often a ledger may be replaced under a writer before it gives up.
const REPLACED_MAX: usize = 100;

/// How rows are to be written.
#[derive(Clone, Copy, Debug)]
pub struct Policy {
    /// The size at which the active segment is sealed, in bytes.
    pub max_size: u64,
    /// What exit code 0 promises.
    pub durability: Durability,
    /// How long to wait for the lock.
    pub wait: Duration,
}

/// What an append did besides appending.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// There was no ledger before.
    pub created: bool,
    /// How many segments were sealed.
    pub sealed: usize,
    /// How many torn bytes were moved aside.
    pub torn_bytes: u64,
}

/// Makes the lines to be written, given the last line of the ledger without its line end.
pub type Compose<'a> = dyn FnMut(Option<&[u8]>) -> Result<Vec<u8>> + 'a;

/// Appends lines to the ledger. `compose` is called once, under the lock, and gives whole lines,
/// each with its line end; none at all means that there is nothing to write. `is_tracked` says
/// whether git tracks the ledger.
///
/// # Errors
/// Any error but [`Error::SyncFailed`] means that no line was added.
pub fn append(
    place: &Place,
    policy: &Policy,
    format: &Format,
    is_tracked: &dyn Fn() -> bool,
    compose: &mut Compose<'_>,
) -> Result<Outcome> {
    let _lock = Lock::take(&place.lock(), policy.wait)?;
    let mut outcome = Outcome::default();
    let mut lines = None;
    for _ in 0..REPLACED_MAX {
        let mut active = Active::open(place, policy, format, is_tracked)?;
        outcome.created |= active.is_new;
        outcome.torn_bytes += active.repair()?;
        let lines = match &mut lines {
            Some(lines) => lines,
            None => lines.insert(compose(active.last_line.as_deref())?),
        };
        if lines.is_empty() {
            return Ok(outcome);
        }
        outcome.sealed += active.write(lines)?;
        // git may have replaced the file meanwhile; the same lines again do no harm, for readers
        // count distinct rows.
        if outcome.sealed > 0 || lock::is_at(&active.file, &active.path) {
            return Ok(outcome);
        }
    }
    let reason = io::Error::other("it is replaced again and again");
    Err(Error::io("append to", &place.active(), &reason))
}

/// The active segment, open and looked at.
struct Active<'a> {
    place: &'a Place,
    policy: &'a Policy,
    format: &'a Format,
    path: PathBuf,
    file: File,
    is_new: bool,
    size: u64,
    tail: Tail,
    /// Where the window that `tail` was judged by begins in the file.
    window_start: u64,
    last_line: Option<Vec<u8>>,
    /// The segment that an unfinished rotation has already sealed this file as.
    sealed_as: Option<PathBuf>,
}

impl<'a> Active<'a> {
    fn open(
        place: &'a Place,
        policy: &'a Policy,
        format: &'a Format,
        is_tracked: &dyn Fn() -> bool,
    ) -> Result<Active<'a>> {
        let path = resolved(place.active());
        let (file, is_new) = open_or_create(&path, is_tracked)?;
        let meta = file.metadata().map_err(|error| Error::io("look at", &path, &error))?;
        if !meta.is_file() {
            return Err(Error::NotAFile { path });
        }
        let mut active = Active {
            place,
            policy,
            format,
            path,
            file,
            is_new,
            size: meta.len(),
            tail: Tail::Whole,
            window_start: 0,
            last_line: None,
            sealed_as: None,
        };
        active.look_at_tail()?;
        if link_count(&meta) > 1 {
            active.sealed_as = active.find_own_segment()?;
        }
        Ok(active)
    }

    fn look_at_tail(&mut self) -> Result<()> {
        if self.size == 0 {
            return Ok(());
        }
        for window_bytes in TAIL_WINDOWS {
            self.window_start = self.size.saturating_sub(window_bytes);
            let window = self.read(self.window_start, window_bytes)?;
            let is_whole_file = self.window_start == 0;
            if is_whole_file {
                // A writer died while it wrote the header: there is nothing to keep.
                if self.format.header.as_bytes().starts_with(&window) {
                    self.tail = Tail::Void(0);
                    return Ok(());
                }
                self.check_header(&window)?;
            }
            let tail = match tail::judge(&window, self.format) {
                Some(tail) => tail,
                // The header alone, without its line end.
                None if is_whole_file => Tail::Unfinished,
                None => continue,
            };
            self.tail = tail;
            let end = match tail {
                Tail::Void(at) | Tail::Torn(at) => at,
                Tail::Whole | Tail::Unfinished => window.len(),
            };
            self.last_line = tail::last_line(&window[..end], is_whole_file).map(<[u8]>::to_vec);
            if self.last_line.is_some() || is_whole_file {
                break;
            }
        }
        if self.window_start > 0 {
            let head = self.read(0, self.format.header.len() as u64 + 8)?;
            self.check_header(&head)?;
        }
        if self.last_line.is_none() && self.tail == Tail::Whole && self.window_start > 0 {
            return Err(self.not_a_ledger("its last 64 KiB hold no row"));
        }
        Ok(())
    }

    fn check_header(&self, head: &[u8]) -> Result<()> {
        let line = head.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(head);
        let line = line.split(|b| *b == b'\n').next().unwrap_or_default();
        if line.trim_ascii_end() == self.format.header.as_bytes() {
            return Ok(());
        }
        if line.contains(&0) {
            return Err(self.not_a_ledger("it is not text in UTF-8"));
        }
        Err(Error::ForeignHeader {
            path: self.path.clone(),
            found: String::from_utf8_lossy(line).into_owned(),
            expected: self.format.header,
        })
    }

    fn not_a_ledger(&self, found: &str) -> Error {
        Error::NotALedger { path: self.path.clone(), found: found.to_owned() }
    }

    /// Cuts off what was never acknowledged, after keeping a copy of it. Gives the bytes moved.
    fn repair(&mut self) -> Result<u64> {
        let (cut, is_data) = match self.tail {
            Tail::Void(at) => (self.window_start + at as u64, false),
            Tail::Torn(at) => (self.window_start + at as u64, true),
            Tail::Whole | Tail::Unfinished => return Ok(0),
        };
        if self.sealed_as.is_some() {
            return Ok(0);
        }
        let torn_bytes = self.size - cut;
        if is_data {
            self.keep_torn(cut, torn_bytes)?;
        }
        self.set_len(cut)?;
        self.size = cut;
        self.tail = Tail::Whole;
        Ok(if is_data { torn_bytes } else { 0 })
    }

    fn keep_torn(&mut self, cut: u64, torn_bytes: u64) -> Result<()> {
        let path = self.place.torn();
        let mut piece = format!("# {torn_bytes} bytes from offset {cut}\n").into_bytes();
        piece.extend(self.read(cut, torn_bytes)?);
        piece.push(b'\n');
        let keep = || -> io::Result<()> {
            let mut torn = OpenOptions::new().create(true).append(true).open(&path)?;
            torn.write_all(&piece)?;
            torn.sync_data()
        };
        keep().map_err(|error| Error::io("keep torn bytes in", &path, &error))
    }

    /// Writes the lines, sealing the segment where they do not fit. Gives how many were sealed.
    fn write(&mut self, lines: &[u8]) -> Result<usize> {
        let is_sealed = self.sealed_as.is_some();
        let header_bytes = self.format.header.len() as u64 + 1;
        let has_rows = self.size > header_bytes;
        let room = match is_sealed {
            true => 0,
            false => self.policy.max_size.saturating_sub(self.size.max(header_bytes)),
        };
        let (here, mut rest) = fit(lines, room, has_rows || is_sealed);
        let mut parts = Vec::new();
        while !rest.is_empty() {
            let room = self.policy.max_size.saturating_sub(header_bytes);
            let (part, after) = fit(rest, room, false);
            parts.push(part);
            rest = after;
        }
        let old_size = self.size;
        let written = self.write_here(here).and_then(|()| match parts.is_empty() {
            true => Ok(0),
            false => self.rotate(&parts),
        });
        if matches!(written, Err(ref error) if !matches!(error, Error::SyncFailed { .. })) {
            self.cut_back(old_size);
        }
        written
    }

    /// The lines that go to the active segment itself: one write, one sync.
    fn write_here(&mut self, lines: &[u8]) -> Result<()> {
        let mut bytes = Vec::with_capacity(lines.len() + self.format.header.len() + 2);
        if self.size == 0 {
            bytes.extend_from_slice(self.format.header.as_bytes());
            bytes.push(b'\n');
        } else if self.tail == Tail::Unfinished && self.sealed_as.is_none() {
            bytes.push(b'\n');
        }
        bytes.extend_from_slice(lines);
        if bytes.is_empty() {
            return Ok(());
        }
        for piece in bytes.chunks(WRITE_BYTES_MAX) {
            write_once(&mut self.file, piece)
                .map_err(|error| Error::io("append to", &self.path, &error))?;
        }
        self.size += bytes.len() as u64;
        self.sync(&self.file, &self.path)?;
        if self.is_new { self.sync_folder(self.place.folder()) } else { Ok(()) }
    }

    /// Seals the active segment and puts new ones in its place: the last part becomes the active
    /// one. There is no moment without a ledger, and one with two links is a rotation to finish.
    fn rotate(&mut self, parts: &[&[u8]]) -> Result<usize> {
        let temps: Vec<PathBuf> = (0..parts.len()).map(|at| self.place.temp(at)).collect();
        let prepared =
            temps.iter().zip(parts).try_for_each(|(temp, part)| self.prepare(temp, part));
        let sealed = prepared.and_then(|()| self.seal(&temps, parts));
        if sealed.is_err() {
            for temp in &temps {
                // What is not there need not go, and what cannot go is removed by the next rotation.
                let _ = fs::remove_file(temp);
            }
        }
        sealed
    }

    fn prepare(&self, temp: &Path, part: &[u8]) -> Result<()> {
        let mut bytes = Vec::with_capacity(part.len() + self.format.header.len() + 1);
        bytes.extend_from_slice(self.format.header.as_bytes());
        bytes.push(b'\n');
        bytes.extend_from_slice(part);
        let write = || -> io::Result<File> {
            match fs::remove_file(temp) {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            let mut file = OpenOptions::new().write(true).create_new(true).open(temp)?;
            file.set_permissions(self.file.metadata()?.permissions())?;
            for piece in bytes.chunks(WRITE_BYTES_MAX) {
                write_once(&mut file, piece)?;
            }
            Ok(file)
        };
        let file = write().map_err(|error| Error::io("write", temp, &error))?;
        // Nothing points to the file yet, so a failed sync means that nothing has changed.
        self.sync(&file, temp).map_err(|error| match error {
            Error::SyncFailed { path, reason } => Error::Io { action: "sync", path, reason },
            other => other,
        })
    }

    fn seal(&mut self, temps: &[PathBuf], parts: &[&[u8]]) -> Result<usize> {
        let archive = self.place.archive();
        let made = match fs::create_dir(&archive) {
            Ok(()) => true,
            Err(error) if error.kind() == ErrorKind::AlreadyExists => false,
            Err(error) => return Err(Error::io("make the folder", &archive, &error)),
        };
        let mut moves = Moves::default();
        let done = self.move_all(temps, parts, &mut moves);
        if let Err((path, error)) = done {
            moves.undo();
            if made {
                let _ = fs::remove_dir(&archive);
            }
            return Err(Error::io("rotate", &path, &error));
        }
        if self.policy.durability == Durability::Data {
            self.sync_folder(&archive)?;
            self.sync_folder(self.place.folder())?;
        }
        Ok(parts.len())
    }

    fn move_all(
        &mut self,
        temps: &[PathBuf],
        parts: &[&[u8]],
        moves: &mut Moves,
    ) -> Result<(), (PathBuf, io::Error)> {
        let fail = |path: &Path| {
            let path = path.to_owned();
            move |error| (path, error)
        };
        if self.sealed_as.is_none() {
            let first = self.first_row().map_err(fail(&self.path))?;
            let segment = self.segment_path(&first);
            moves.link(&self.path, &segment).map_err(fail(&segment))?;
        }
        let (last, middle) = temps.split_last().expect("a rotation has at least one part");
        for (temp, part) in middle.iter().zip(parts) {
            let first = part.split(|b| *b == b'\n').next().unwrap_or_default();
            let segment = self.segment_path(first);
            moves.link(temp, &segment).map_err(fail(&segment))?;
            fs::remove_file(temp).map_err(fail(temp))?;
        }
        fs::rename(last, &self.path).map_err(fail(last))
    }

    /// The first free name for a segment that begins with this row.
    fn segment_path(&self, first_row: &[u8]) -> PathBuf {
        let free = |path: &PathBuf| fs::symlink_metadata(path).is_err();
        self.segment_names(first_row).find(free).unwrap_or_default()
    }

    /// The segment in the archive that is this very file, after a rotation that was cut short.
    fn find_own_segment(&mut self) -> Result<Option<PathBuf>> {
        let first = self.first_row().map_err(|error| Error::io("read", &self.path, &error))?;
        let taken = |path: &PathBuf| fs::symlink_metadata(path).is_ok();
        let mut names = self.segment_names(&first).take_while(taken);
        Ok(names.find(|path| lock::is_at(&self.file, path)))
    }

    fn segment_names(&self, first_row: &[u8]) -> impl Iterator<Item = PathBuf> {
        let mut base = self.place.stem().to_owned();
        base.push("-");
        base.push((self.format.seal)(first_row));
        let archive = self.place.archive();
        (1u64..).map(move |number| {
            let mut name = base.clone();
            if number > 1 {
                name.push(format!("-{number}"));
            }
            name.push(".csv");
            archive.join(name)
        })
    }

    fn first_row(&mut self) -> io::Result<Vec<u8>> {
        let head = read_at(&mut self.file, 0, TAIL_WINDOWS[1])?;
        let mut lines = head.split(|b| *b == b'\n').skip(1).map(<[u8]>::trim_ascii_end);
        Ok(lines.find(|line| !line.is_empty()).unwrap_or_default().to_vec())
    }

    fn read(&mut self, start: u64, bytes: u64) -> Result<Vec<u8>> {
        read_at(&mut self.file, start, bytes).map_err(|error| Error::io("read", &self.path, &error))
    }

    fn set_len(&self, size: u64) -> Result<()> {
        self.file.set_len(size).map_err(|error| Error::io("cut", &self.path, &error))
    }

    /// Takes back a write that failed. Where even that fails, the next append repairs the tail.
    fn cut_back(&mut self, old_size: u64) {
        if self.is_new && old_size == 0 {
            let _ = fs::remove_file(&self.path);
        } else {
            let _ = self.file.set_len(old_size);
        }
    }

    fn sync(&self, file: &File, path: &Path) -> Result<()> {
        match self.policy.durability {
            Durability::None => Ok(()),
            Durability::Data => file.sync_data().map_err(|error| sync_failed(path, &error)),
        }
    }

    fn sync_folder(&self, folder: &Path) -> Result<()> {
        if self.policy.durability == Durability::None || cfg!(windows) {
            return Ok(());
        }
        let synced = File::open(folder).and_then(|folder| folder.sync_all());
        synced.map_err(|error| sync_failed(folder, &error))
    }
}

/// The links that a rotation has made, so that a failure in its middle leaves no trace.
#[derive(Default)]
struct Moves {
    made: Vec<(PathBuf, PathBuf, bool)>,
}

impl Moves {
    /// Gives the file a second name; where the file system knows no links, renames it.
    fn link(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        let is_rename = match fs::hard_link(from, to) {
            Ok(()) => false,
            Err(error) if knows_no_links(&error) => {
                fs::rename(from, to)?;
                true
            }
            Err(error) => return Err(error),
        };
        self.made.push((from.to_owned(), to.to_owned(), is_rename));
        Ok(())
    }

    fn undo(&self) {
        for (from, to, is_rename) in self.made.iter().rev() {
            let _ = match is_rename {
                true => fs::rename(to, from),
                false => fs::remove_file(to),
            };
        }
    }
}

fn knows_no_links(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::Unsupported | ErrorKind::PermissionDenied)
}

fn sync_failed(path: &Path, error: &io::Error) -> Error {
    Error::SyncFailed { path: path.to_owned(), reason: error.to_string() }
}

/// How many of the lines fit into `room` bytes, and the rest. Where there are no rows yet, at least
/// one fits, however long it is.
fn fit(lines: &[u8], room: u64, has_rows: bool) -> (&[u8], &[u8]) {
    if lines.len() as u64 <= room {
        return (lines, &[]);
    }
    let within = &lines[..usize::try_from(room).unwrap_or(lines.len())];
    let end = match (memchr::memrchr(b'\n', within), has_rows) {
        (Some(at), _) => at + 1,
        (None, true) => 0,
        (None, false) => memchr::memchr(b'\n', lines).map_or(lines.len(), |at| at + 1),
    };
    lines.split_at(end)
}

/// A link is followed once, so that lock, rotation and inode check mean the file itself.
fn resolved(path: PathBuf) -> PathBuf {
    match fs::symlink_metadata(&path) {
        Ok(meta) if meta.is_symlink() => fs::canonicalize(&path).unwrap_or(path),
        _ => path,
    }
}

fn open_or_create(path: &Path, is_tracked: &dyn Fn() -> bool) -> Result<(File, bool)> {
    let open = || OpenOptions::new().read(true).append(true).open(path);
    let mut opened = open();
    if matches!(&opened, Err(error) if error.kind() == ErrorKind::NotFound) {
        if !is_tracked() {
            let created = OpenOptions::new().read(true).append(true).create_new(true).open(path);
            match created {
                Ok(file) => return Ok((file, true)),
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(error) => return Err(Error::io("create", path, &error)),
            }
        }
        // git takes a tracked file away and puts it back when it switches branches; a file made
        // meanwhile would cost the ledger its history.
        let deadline = Instant::now() + GIT_WAIT;
        opened = open();
        while opened.is_err() && Instant::now() < deadline {
            thread::sleep(Duration::from_millis(5));
            opened = open();
        }
    }
    match opened {
        Ok(file) => Ok((file, false)),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            Err(Error::TrackedButMissing { path: path.to_owned() })
        }
        Err(error) if error.kind() == ErrorKind::IsADirectory => {
            Err(Error::NotAFile { path: path.to_owned() })
        }
        Err(error) => Err(Error::io("append to", path, &error)),
    }
}

fn read_at(file: &mut File, start: u64, bytes: u64) -> io::Result<Vec<u8>> {
    let mut window = Vec::with_capacity(usize::try_from(bytes).unwrap_or(0));
    file.seek(SeekFrom::Start(start))?;
    file.take(bytes).read_to_end(&mut window)?;
    Ok(window)
}

/// One write, whole or failed: what a short one left is cut back by the caller, not continued.
fn write_once(file: &mut File, bytes: &[u8]) -> io::Result<()> {
    loop {
        return match file.write(bytes) {
            Ok(written) if written == bytes.len() => Ok(()),
            Ok(_) => Err(io::Error::new(ErrorKind::StorageFull, "it was cut short: no space left")),
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => Err(error),
        };
    }
}

#[cfg(unix)]
fn link_count(meta: &fs::Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::nlink(meta)
}

#[cfg(not(unix))]
fn link_count(_: &fs::Metadata) -> u64 {
    1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_fill_a_segment_to_its_limit() {
        let lines = b"aa\nbb\ncc\n";
        assert_eq!(fit(lines, 9, true), (&lines[..], &b""[..]));
        assert_eq!(fit(lines, 8, true), (&b"aa\nbb\n"[..], &b"cc\n"[..]));
        assert_eq!(fit(lines, 2, true), (&b""[..], &lines[..]));
        assert_eq!(fit(lines, 2, false), (&b"aa\n"[..], &b"bb\ncc\n"[..]));
        assert_eq!(fit(lines, 0, true), (&b""[..], &lines[..]));
    }
}
