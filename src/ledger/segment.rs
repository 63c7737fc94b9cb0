//! Bytes into the active segment: lock, look at the tail, repair, one write, one sync. Knows lines
//! and their ends, not CSV. Every step is chosen so that a writer may die before or after it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use crate::error::{Error, Result};
use crate::ledger::around::Around;
use crate::ledger::disk;
use crate::ledger::lock::Lock;
use crate::ledger::rotate::{self, Rotated, Rotation};
use crate::ledger::tail::{self, Format, Tail};
use crate::workspace::{Durability, Place};

/// Most ledgers' last line is found in the first, any line of ours in the second.
const TAIL_WINDOWS: [u64; 2] = [8 << 10, 64 << 10];

/// git needs milliseconds to put a tracked file back in its place; longer, and it is gone.
const GIT_WAIT: Duration = Duration::from_secs(2);

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
    /// A segment that was last changed before then is sealed, however small it is.
    pub seal_unchanged_since: Option<SystemTime>,
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

/// What new lines must be unlike.
#[derive(Clone, Debug, Default)]
pub struct Newest {
    /// The last line of the active segment, without its line end.
    pub line: Option<Vec<u8>>,
    /// When the active segment was last changed; None where it was just made.
    pub changed: Option<SystemTime>,
}

/// Makes the lines to be written.
pub type Compose<'a> = dyn FnMut(&Newest) -> Result<Vec<u8>> + 'a;

/// Appends lines to the ledger. `compose` is called once, under the lock, and gives whole lines,
/// each with its line end; none at all means that there is nothing to write.
///
/// # Errors
/// Any error but [`Error::SyncFailed`] means that no line was added.
pub fn append(
    place: &Place,
    policy: &Policy,
    format: &Format,
    around: &Around<'_>,
    compose: &mut Compose<'_>,
) -> Result<Outcome> {
    let mut lock = Lock::take(&place.lock(), policy.wait)?;
    let is_cut_short = lock.is_marked() && rotate::clear(place)?;
    // Where the file system knows no links, a rotation has a moment without a ledger.
    let is_tracked = || !is_cut_short && (around.is_tracked)();
    let mut outcome = Outcome::default();
    let mut lines = None;
    let mut has_waited = false;
    for _ in 0..REPLACED_MAX {
        let path = place.active();
        let (file, is_new) = open_or_create(&path, format, &is_tracked)?;
        // Only a file that was there before git began is surely not one that git is just writing.
        // After one wait git has been busy for seconds, with files of its own.
        if !has_waited && around.wait() {
            has_waited = true;
            continue;
        }
        let mut active = Active::look(place, policy, format, path, file, is_new)?;
        outcome.created |= active.is_new;
        outcome.torn_bytes += active.repair()?;
        let lines = match &mut lines {
            Some(lines) => lines,
            None => lines.insert(compose(&active.newest)?),
        };
        if lines.is_empty() {
            if active.is_new {
                active.cut_back(0);
                outcome.created = false;
            }
            return Ok(outcome);
        }
        let written = active.write(lines, &mut lock)?;
        // git may have replaced the file meanwhile; the same lines again do no harm, for readers
        // count distinct rows.
        let is_kept = match around.wait() {
            false => disk::is_at(&active.file, &active.path),
            true => disk::is_at(&active.file, &active.path) && active.holds(lines)?,
        };
        match written {
            Rotated::Sealed(0) if !is_kept => {}
            Rotated::Sealed(segments) => {
                outcome.sealed = segments;
                if lock.is_marked() {
                    // The rows are safe; whoever finds the mark finds nothing to clear away.
                    let _ = lock.mark(false);
                }
                return Ok(outcome);
            }
            Rotated::Replaced => {}
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
    newest: Newest,
    /// Whether a rotation that was cut short has sealed this file already.
    is_sealed: bool,
}

impl<'a> Active<'a> {
    fn look(
        place: &'a Place,
        policy: &'a Policy,
        format: &'a Format,
        path: PathBuf,
        file: File,
        is_new: bool,
    ) -> Result<Active<'a>> {
        let meta = file.metadata().map_err(|error| Error::io("look at", &path, &error))?;
        if !meta.is_file() {
            return Err(Error::NotAFile { path });
        }
        if format.is_private {
            let kept = disk::keep_private(&file, &meta, &path);
            if !kept.map_err(|error| Error::io("close to others", &path, &error))? {
                return Err(Error::NotAFile { path });
            }
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
            newest: Newest { line: None, changed: meta.modified().ok().filter(|_| !is_new) },
            is_sealed: false,
        };
        active.look_at_tail()?;
        if disk::link_count(&meta) > 1 {
            let first_row = active.first_row()?;
            active.is_sealed = rotate::is_sealed(place, format, &active.file, &first_row);
            if active.is_sealed {
                // Segments of the same rotation may hold later rows.
                active.newest.line = None;
            }
        }
        Ok(active)
    }

    fn look_at_tail(&mut self) -> Result<()> {
        if self.size == 0 {
            return Ok(());
        }
        for window_bytes in TAIL_WINDOWS {
            self.window_start = self.size.saturating_sub(window_bytes);
            let window = self.read(self.window_start, window_bytes.min(self.size))?;
            let is_whole_file = self.window_start == 0;
            if is_whole_file {
                // A writer died while it wrote the header: there is nothing to keep.
                if self.format.header.as_bytes().starts_with(&window) {
                    self.tail = Tail::Void(0);
                    return Ok(());
                }
                self.check_header(&window)?;
            }
            let begins_with_row = is_whole_file && self.format.header.is_empty();
            let tail = match tail::judge(&window, self.format, begins_with_row) {
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
            self.newest.line = tail::last_line(&window[..end], is_whole_file).map(<[u8]>::to_vec);
            if self.newest.line.is_some() || is_whole_file {
                break;
            }
        }
        if self.window_start > 0 {
            let head = self.read(0, self.format.header.len() as u64 + 8)?;
            self.check_header(&head)?;
        }
        if self.newest.line.is_none() && self.tail == Tail::Whole && self.window_start > 0 {
            return Err(self.not_a_ledger("its last 64 KiB hold no row"));
        }
        Ok(())
    }

    fn check_header(&self, head: &[u8]) -> Result<()> {
        if self.format.header.is_empty() {
            return Ok(());
        }
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
        if self.is_sealed {
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

    fn keep_torn(&self, cut: u64, torn_bytes: u64) -> Result<()> {
        let mut piece = format!("# {torn_bytes} bytes from offset {cut}\n").into_bytes();
        piece.extend(self.read(cut, torn_bytes)?);
        disk::keep_aside(&self.place.torn(), self.format.is_private, &piece)
    }

    /// Whether the lines still stand at the end of the file: git may have cut it back in place.
    fn holds(&self, lines: &[u8]) -> Result<bool> {
        let end = self.file.metadata().map_err(|error| Error::io("look at", &self.path, &error))?;
        let window_bytes = TAIL_WINDOWS[1] + lines.len() as u64;
        let start = end.len().saturating_sub(window_bytes);
        Ok(memchr::memmem::find(&self.read(start, window_bytes)?, lines).is_some())
    }

    /// Writes the lines, sealing the segment where they do not fit.
    fn write(&mut self, lines: &[u8], lock: &mut Lock) -> Result<Rotated> {
        let is_sealed = self.is_sealed;
        let header_bytes = self.format.head().len() as u64;
        let has_rows = self.size > header_bytes;
        let is_due = match (self.newest.changed, self.policy.seal_unchanged_since) {
            (Some(changed), Some(since)) => changed < since,
            _ => false,
        };
        let room = match is_sealed || is_due && has_rows {
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
            true => Ok(Rotated::Sealed(0)),
            false => self.rotate(&parts, lock),
        });
        if !matches!(written, Ok(Rotated::Sealed(_)) | Err(Error::SyncFailed { .. })) {
            self.cut_back(old_size);
        }
        written
    }

    fn rotate(&mut self, parts: &[&[u8]], lock: &mut Lock) -> Result<Rotated> {
        let first_row = self.first_row()?;
        let path = self.place.lock();
        lock.mark(true).map_err(|error| Error::io("write to", &path, &error))?;
        let rotation = Rotation {
            place: self.place,
            format: self.format,
            durability: self.policy.durability,
            path: &self.path,
            file: &self.file,
            first_row: &first_row,
            is_sealed: self.is_sealed,
        };
        rotation.run(parts)
    }

    /// The lines that go to the active segment itself: one write, one sync.
    fn write_here(&mut self, lines: &[u8]) -> Result<()> {
        let mut bytes = Vec::new();
        let is_first = self.size == 0;
        if is_first {
            bytes = self.format.head();
        } else if self.tail == Tail::Unfinished && !self.is_sealed {
            bytes.push(b'\n');
        }
        bytes.extend_from_slice(lines);
        if bytes.is_empty() {
            return Ok(());
        }
        disk::write(&mut self.file, &bytes)
            .map_err(|error| Error::io("append to", &self.path, &error))?;
        self.size += bytes.len() as u64;
        let durability = self.policy.durability;
        disk::sync(&self.file, &self.path, durability)?;
        // A writer that died may have made the file, and not said so to the disk.
        if is_first { disk::sync_folder(self.place.folder(), durability) } else { Ok(()) }
    }

    fn first_row(&self) -> Result<Vec<u8>> {
        let head = self.read(0, TAIL_WINDOWS[1].min(self.size))?;
        let header_lines = usize::from(!self.format.header.is_empty());
        let lines = head.split(|b| *b == b'\n').skip(header_lines);
        let mut lines = lines.map(<[u8]>::trim_ascii_end);
        Ok(lines.find(|line| !line.is_empty()).unwrap_or_default().to_vec())
    }

    fn read(&self, start: u64, bytes: u64) -> Result<Vec<u8>> {
        disk::read(&self.file, start, bytes).map_err(|error| Error::io("read", &self.path, &error))
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

fn open_or_create(
    path: &Path,
    format: &Format,
    is_tracked: &dyn Fn() -> bool,
) -> Result<(File, bool)> {
    let open = || OpenOptions::new().read(true).append(true).open(path);
    let mut opened = open();
    if matches!(&opened, Err(error) if error.kind() == ErrorKind::NotFound) {
        if !is_tracked() {
            let mut options = disk::options(format.is_private);
            let created = options.read(true).append(true).create_new(true).open(path);
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
