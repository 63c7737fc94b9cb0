//! Which files a report reads, opened so that rotation and appends meanwhile change nothing: the
//! active segment first, then the sealed ones, each only as far as it reached then.

use std::fs::{File, Metadata};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, SystemTime};

use crate::error::{Error, Result};
use crate::ledger::archived::{self, Absent};
use crate::ledger::border;
use crate::ledger::disk;
use crate::ledger::files::{self, LedgerFile, Role};
use crate::ledger::gzip;
use crate::pricing::Prices;
use crate::row::HEADER;
use crate::timestamp::Day;
use crate::workspace::Place;

/// How long a row may be seen in halves: one write call of a few hundred bytes.
const ROW_ON_ITS_WAY: Duration = Duration::from_millis(2);

/// After that a row without its line end is not on its way.
const ROW_ON_ITS_WAY_TRIES: u32 = 10;

/// One file to be read, perhaps more than once.
#[derive(Debug)]
pub struct Input {
    /// What reports call it.
    pub label: String,
    /// The part it plays in its ledger.
    pub role: Role,
    /// Rows from before this day are pruned.
    pub border: Option<Day>,
    /// What its rows are priced by.
    pub prices: Arc<Prices>,
    source: Source,
    /// Its text is compressed, and read from its beginning to its end.
    is_compressed: bool,
    bytes: u64,
    modified: Option<SystemTime>,
}

#[derive(Debug)]
enum Source {
    /// Open, for what its path names may change.
    Open(File),
    /// To be opened when it is read: it is not appended to.
    Closed(PathBuf),
    /// Not a file at all.
    Memory(Vec<u8>),
}

impl Input {
    /// Everything that can be read again must be; so standard input is put into a file first.
    pub fn spooled(label: &str, mut reader: impl Read) -> Result<Input> {
        let mut spool = || -> io::Result<(File, u64)> {
            let mut file = tempfile::tempfile()?;
            let bytes = io::copy(&mut reader, &mut file)?;
            Ok((file, bytes))
        };
        let (file, bytes) = spool().map_err(|error| Error::io("read", label.as_ref(), &error))?;
        Ok(Input::alone(label, Source::Open(file), bytes))
    }

    /// What is in memory already; so many at a time as there may be could not all be open files.
    pub fn in_memory(label: &str, text: Vec<u8>) -> Input {
        let bytes = text.len() as u64;
        Input::alone(label, Source::Memory(text), bytes)
    }

    /// Of no ledger's folder.
    fn alone(label: &str, source: Source, bytes: u64) -> Input {
        Input {
            label: label.to_owned(),
            role: Role::Active,
            border: None,
            prices: Arc::default(),
            source,
            is_compressed: false,
            bytes,
            modified: None,
        }
    }

    /// Whether its text may be read in parts.
    pub fn is_divisible(&self) -> bool {
        !self.is_compressed
    }

    /// How many bytes it has.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// When it was last changed, where that is known.
    pub fn modified(&self) -> Option<SystemTime> {
        self.modified
    }

    /// A reader of the text from `start` to `end`; several may read at once. Compressed text is read
    /// as a whole.
    ///
    /// # Errors
    /// [`Error::Gone`] means that all files are to be listed again.
    pub fn open<'a>(
        &'a self,
        (start, end): (u64, u64),
        progress: &'a (dyn Fn(u64) + Sync),
    ) -> Result<Box<dyn Read + 'a>> {
        let file = match (self.handle(), &self.source) {
            (Err(error), Source::Closed(path)) if error.kind() == ErrorKind::NotFound => {
                // It may have been compressed since it was listed.
                let gone = |_| Error::Gone { path: path.clone() };
                let text = open_later(path, start).map_err(gone)?;
                return Ok(Box::new(text.take(end - start)));
            }
            (handle, _) => handle.map_err(|error| self.fail(&error))?,
        };
        let bytes = Reader { file, at: start, end, progress };
        Ok(if self.is_compressed { gzip::decoded(bytes) } else { Box::new(bytes) })
    }

    /// So many bytes of its beginning and of its end.
    pub fn ends(&self, bytes: u64) -> io::Result<Vec<u8>> {
        let file = self.handle()?;
        let bytes = bytes.min(self.bytes);
        let mut ends = file.read(0, bytes)?;
        ends.extend_from_slice(&file.read(self.bytes - bytes, bytes)?);
        Ok(ends)
    }

    fn handle(&self) -> io::Result<Handle<'_>> {
        match &self.source {
            Source::Open(file) => Ok(Handle::Lent(file)),
            Source::Closed(path) => File::open(path).map(Handle::Owned),
            Source::Memory(text) => Ok(Handle::Memory(text)),
        }
    }

    /// That it cannot be read.
    pub fn fail(&self, error: &io::Error) -> Error {
        match self.is_compressed && gzip::is_damage(error) {
            true => Error::Unreadable {
                file: self.label.clone(),
                line: 0,
                reason: format!("it is damaged: {error}"),
            },
            false => Error::io("read", self.label.as_ref(), error),
        }
    }
}

/// What is to be read of a ledger, as it was at one moment.
#[derive(Debug, Default)]
pub struct Ledger {
    /// Its files, oldest first; none where there is no ledger.
    pub inputs: Vec<Input>,
    /// The segments that went to an archive.
    pub unseen: Vec<Absent>,
}

/// The text of a file from some byte on, by the name that it has once it is compressed.
fn open_later(path: &Path, start: u64) -> io::Result<Box<dyn Read>> {
    let mut text = gzip::open(&gzip::compressed(path))?;
    io::copy(&mut (&mut text).take(start), &mut io::sink())?;
    Ok(text)
}

/// Some bytes of a file.
struct Reader<'a> {
    file: Handle<'a>,
    at: u64,
    end: u64,
    progress: &'a (dyn Fn(u64) + Sync),
}

enum Handle<'a> {
    Lent(&'a File),
    Owned(File),
    Memory(&'a [u8]),
}

impl Handle<'_> {
    /// So many bytes from there on, or as many as there are.
    fn read(&self, at: u64, bytes: u64) -> io::Result<Vec<u8>> {
        match self {
            Handle::Lent(file) => disk::read(file, at, bytes),
            Handle::Owned(file) => disk::read(file, at, bytes),
            Handle::Memory(text) => {
                let rest = text.get(at as usize..).unwrap_or_default();
                Ok(rest[..rest.len().min(bytes as usize)].to_vec())
            }
        }
    }

    /// Some of the bytes from there on.
    fn read_at(&self, buffer: &mut [u8], at: u64) -> io::Result<usize> {
        match self {
            Handle::Lent(file) => disk::read_at(file, buffer, at),
            Handle::Owned(file) => disk::read_at(file, buffer, at),
            Handle::Memory(text) => text.get(at as usize..).unwrap_or_default().read(buffer),
        }
    }
}

impl Read for Reader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.end - self.at).unwrap_or(usize::MAX).min(buffer.len());
        let read = self.file.read_at(&mut buffer[..left], self.at)?;
        self.at += read as u64;
        (self.progress)(read as u64);
        Ok(read)
    }
}

/// The lines of rows that wait for a commit into this ledger, as an input of their own.
///
/// # Errors
/// A border or prices that cannot be read.
pub fn of_waiting(place: &Place, rows: &[String], needs_prices: bool) -> Result<Input> {
    let text = format!("{HEADER}\n{}\n", rows.join("\n"));
    let mut waiting = Input::spooled("rows that wait", text.as_bytes())?;
    waiting.border = border::load(place)?;
    if needs_prices {
        waiting.prices = Arc::new(Prices::load(place)?);
    }
    Ok(waiting)
}

/// All files of a ledger, oldest first. `prefix` is put before their labels, where several ledgers
/// are read at once. Only what `needs_prices` fails by them.
///
/// # Errors
/// [`Error::Gone`] means that a file went away meanwhile, and that it is to be tried again.
pub fn of_ledger(place: &Place, prefix: &str, needs_prices: bool) -> Result<Ledger> {
    let active = files::active(place);
    let opened = match open_regular(&active.path) {
        Ok(opened) => Some(opened),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            None
        }
        Err(error) if error.kind() == ErrorKind::InvalidInput => {
            return Err(Error::NotAFile { path: active.path });
        }
        Err(error) => return Err(Error::io("read", &active.path, &error)),
    };
    // Read after the ledger was opened: whoever prunes writes it down before a row goes.
    let border = border::load(place)?;
    let prices = Arc::new(if needs_prices { Prices::load(place)? } else { Prices::default() });
    let label = |file: &LedgerFile| format!("{prefix}{}", file.label);
    let mut inputs = Vec::new();
    let (older, listed) = archived::at_once(place)?;
    let unseen = archived::unseen_beside(&older, listed, border)?;
    for file in older {
        let meta = file.path.metadata().map_err(|error| match error.kind() {
            ErrorKind::NotFound => Error::Gone { path: file.path.clone() },
            _ => Error::io("read", &file.path, &error),
        })?;
        // The active segment was sealed after it was opened, or a rotation is half done.
        if opened.as_ref().is_some_and(|(_, active)| is_same(active, &meta)) {
            continue;
        }
        inputs.push(Input {
            label: label(&file),
            role: file.role,
            border,
            prices: prices.clone(),
            is_compressed: gzip::is_compressed(&file.path),
            source: Source::Closed(file.path),
            bytes: meta.len(),
            modified: meta.modified().ok(),
        });
    }
    if let Some((file, meta)) = opened {
        inputs.push(Input {
            label: label(&active),
            role: Role::Active,
            border,
            prices,
            is_compressed: gzip::is_compressed(&active.path),
            source: Source::Open(file),
            bytes: meta.len(),
            modified: meta.modified().ok(),
        });
    }
    Ok(Ledger { inputs, unseen })
}

/// Opens a file that is one: a pipe would block, a device never end.
fn open_regular(path: &Path) -> io::Result<(File, Metadata)> {
    if !path.metadata()?.is_file() {
        return Err(io::Error::new(ErrorKind::InvalidInput, "not a regular file"));
    }
    let mut file = File::open(path)?;
    let mut meta = file.metadata()?;
    if gzip::is_compressed(path) {
        return Ok((file, meta));
    }
    // A row that crosses a page of memory is seen in halves for a moment; a torn one stays so.
    for _ in 0..ROW_ON_ITS_WAY_TRIES {
        if ends_whole(&mut file, meta.len())? {
            break;
        }
        thread::sleep(ROW_ON_ITS_WAY);
        meta = file.metadata()?;
    }
    Ok((file, meta))
}

fn ends_whole(file: &mut File, bytes: u64) -> io::Result<bool> {
    let Some(last) = bytes.checked_sub(1) else { return Ok(true) };
    let mut byte = [0];
    file.seek(SeekFrom::Start(last))?;
    // Nothing to read: the ledger was cut meanwhile.
    let read = file.read(&mut byte)?;
    Ok(read == 1 && byte[0] == b'\n')
}

#[cfg(unix)]
fn is_same(one: &Metadata, other: &Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    (one.dev(), one.ino()) == (other.dev(), other.ino())
}

#[cfg(not(unix))]
fn is_same(_: &Metadata, _: &Metadata) -> bool {
    false
}
