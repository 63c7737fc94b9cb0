//! What all sources share while they read: the scope, what was found, and how far the bar is.

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use hashbrown::{HashMap, HashSet};
use serde::Deserialize;

use crate::error::{Error, Result};
use crate::intake::import::lines::{self, At, Line};
use crate::intake::import::mark::Mark;
use crate::intake::import::open::{READS_COMPRESSED, is_compressed, open_at};
use crate::intake::import::scope::Scope;
use crate::intake::import::walk::File;
use crate::timestamp::{Instant, Timestamp};

/// So many places are named; all are counted.
const NAMED_MAX: usize = 100;

/// A line, or a file as a whole, that was left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftOut {
    /// The file.
    pub path: PathBuf,
    /// The line, or 0 for the whole file.
    pub line: u64,
    /// Why.
    pub why: &'static str,
}

/// What was found in the transcripts of one source.
#[derive(Clone, Debug, Default)]
pub struct Findings {
    /// Files that were read.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Their lines.
    pub lines: u64,
    /// Responses that were counted.
    pub responses: u64,
    /// Lines that repeat a response that is counted elsewhere.
    pub repeated: u64,
    /// Records that repeat what another thread counted.
    pub replayed: u64,
    /// Responses of sub-agents that only a note of their progress tells of: their output is too low.
    pub placeholders: u64,
    /// Prompts that nothing followed.
    pub unanswered: u64,
    /// What cannot be read.
    pub unreadable: u64,
    /// The first of it.
    pub left_out: Vec<LeftOut>,
}

impl Findings {
    /// Notes what cannot be read.
    pub fn leave_out(&mut self, path: &Path, line: u64, why: &'static str) {
        self.unreadable += 1;
        if self.left_out.len() < NAMED_MAX {
            self.left_out.push(LeftOut { path: path.to_owned(), line, why });
        }
    }
}

/// The state of reading one source.
pub struct Reading<'a> {
    /// Which folders are ours.
    pub scope: &'a mut Scope,
    /// What was found.
    pub findings: Findings,
    /// Responses of transcripts that need not be read again, and how their turns begin.
    pub seen: HashSet<u64>,
    /// The same of what was read, with the number of its group and whether it is of the last turn.
    pub owned: Vec<(usize, u64, bool)>,
    /// Where else a turn that may go on stands, by its key: the group, and whether it is the last there.
    pub copies: HashMap<String, Vec<(usize, bool)>>,
    /// Where reading may begin the next time, by the number of the group.
    pub marks: Vec<(usize, Mark)>,
    /// Groups that were read as a whole, for a turn before their mark went on.
    pub again: Vec<usize>,
    /// Where the line stands that is being read.
    pub at: At,
    /// Is told of every byte that was read.
    pub progress: &'a dyn Fn(u64),
    /// Whether the files were named by the user: what cannot be read is an error then.
    pub is_named: bool,
}

impl Reading<'_> {
    /// Gives every line of a file, or those from `self.at` on, which it leaves at the beginning. Those
    /// that cannot be read are noted.
    ///
    /// # Errors
    /// A file that was named cannot be read.
    pub fn lines(
        &mut self,
        file: &File,
        visit: &mut dyn FnMut(&mut Self, u64, &[u8]),
    ) -> Result<()> {
        struct Counted<'a>(&'a mut dyn Read, &'a dyn Fn(u64));
        impl Read for Counted<'_> {
            fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
                let read = self.0.read(buffer)?;
                (self.1)(read as u64);
                Ok(read)
            }
        }
        let path = &file.path;
        if is_compressed(path) && !READS_COMPRESSED {
            self.findings.leave_out(
                path,
                0,
                "is compressed: a build with the feature zstd reads it",
            );
            return Ok(());
        }
        let at = std::mem::take(&mut self.at);
        self.findings.files += 1;
        self.findings.bytes += file.bytes.saturating_sub(at.offset);
        let progress = self.progress;
        let done = open_at(path, at.offset).and_then(|mut open| {
            lines::each(&mut Counted(&mut open, progress), at, &mut |at, line| {
                self.findings.lines += 1;
                self.at = at;
                let number = at.lines + 1;
                match line {
                    Line::Whole(line) if line.ends_with(b"}") => visit(self, number, line),
                    Line::Whole(_) => {
                        self.findings.leave_out(path, number, "is cut off, or no JSON object");
                    }
                    Line::TooLong => self.findings.leave_out(path, number, "is too long"),
                }
            })
        });
        self.at = At::default();
        match done {
            Err(error) if self.is_named => Err(Error::io("read", path, &error)),
            Err(_) => {
                self.findings.leave_out(path, 0, "cannot be read");
                Ok(())
            }
            Ok(()) => Ok(()),
        }
    }

    /// The whole of a file that is one JSON value; None where it cannot be read.
    ///
    /// # Errors
    /// A file that was named cannot be read.
    pub fn whole(&mut self, file: &File) -> Result<Option<Vec<u8>>> {
        self.findings.files += 1;
        self.findings.bytes += file.bytes;
        if file.bytes > lines::LINE_BYTES_MAX as u64 {
            self.findings.leave_out(&file.path, 0, "is too long");
            return Ok(None);
        }
        match fs::read(&file.path) {
            Ok(bytes) => {
                (self.progress)(bytes.len() as u64);
                Ok(Some(bytes))
            }
            Err(error) if self.is_named => Err(Error::io("read", &file.path, &error)),
            Err(_) => {
                self.findings.leave_out(&file.path, 0, "cannot be read");
                Ok(None)
            }
        }
    }

    /// What a line says; None, and noted, where it is not what we read.
    pub fn parse<'l, T: Deserialize<'l>>(
        &mut self,
        file: &File,
        number: u64,
        line: &'l [u8],
    ) -> Option<T> {
        let parsed = serde_json::from_slice(line);
        if parsed.is_err() {
            self.findings.leave_out(&file.path, number, "is no JSON that we know");
        }
        parsed.ok()
    }
}

/// Strings of which there are few, each kept once.
#[derive(Default)]
pub struct Names(HashSet<Rc<str>>);

impl Names {
    /// The one copy of a name.
    pub fn get(&mut self, name: &str) -> Rc<str> {
        if let Some(known) = self.0.get(name) {
            return known.clone();
        }
        let name: Rc<str> = name.into();
        self.0.insert(name.clone());
        name
    }
}

/// 64 bits for an identifier, by the hash of Fowler, Noll and Vo: enough to tell those of one machine
/// apart, and the same tomorrow.
pub fn hash(parts: &[&str]) -> u64 {
    let mut hash = 0xCBF2_9CE4_8422_2325_u64;
    for part in parts {
        // No identifier holds a zero byte.
        for byte in part.bytes().chain([0]) {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3);
        }
    }
    hash
}

/// The moment that a source wrote down.
pub fn instant(text: &str) -> Option<Instant> {
    Timestamp::parse_liberally(text).map(Timestamp::instant)
}

/// The moment so many milliseconds after the epoch.
pub fn instant_of_millis(millis: u64) -> Instant {
    Instant { seconds: (millis / 1_000) as i64, nanos: (millis % 1_000) as u32 * 1_000_000 }
}
