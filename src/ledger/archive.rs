//! An archive: segments outside the ledger's folder, each byte for byte as it was, in a folder or in
//! one file that `tar` reads, with a manifest. What is in it is never changed, only added to.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, ErrorKind, IntoInnerError, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use ::tar::Builder;

use crate::error::{Error, Result, excerpt, shell_word, shown};
use crate::figures;
use crate::ledger::archived::{self, Look, Segment};
use crate::ledger::disk;
use crate::ledger::lock::Lock;
use crate::ledger::tar::{self, Member};
use crate::workspace::Durability;

/// What the list of its segments is called.
const MANIFEST: &str = "manifest.csv";

/// What the names of archives that are one file end in.
const FILE_ENDING: &str = ".tar";

/// A manifest of a million segments has fewer bytes.
const MANIFEST_BYTES_MAX: u64 = 256 << 20;

/// An archive, which need not be there yet.
#[derive(Clone, Debug)]
pub struct Archive {
    path: PathBuf,
    is_file: bool,
}

/// What looking through an archive has shown.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Verified {
    /// What is wrong, as `file: what`.
    pub findings: Vec<String>,
    /// The segments of its manifest.
    pub segments: Vec<Segment>,
}

/// An archive that is being read.
enum Opened {
    Folder(PathBuf),
    File { file: File, members: Vec<Member>, fault: Option<String> },
}

impl Opened {
    /// Lets `take` read a file of it; None where it has none of that name.
    fn read<T>(
        &self,
        name: &str,
        take: impl FnOnce(&mut dyn Read) -> io::Result<T>,
    ) -> io::Result<Option<T>> {
        match self {
            Opened::Folder(path) => match File::open(path.join(name)) {
                Ok(mut file) => take(&mut file).map(Some),
                Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
                Err(error) => Err(error),
            },
            Opened::File { file, members, .. } => {
                let Some(member) = members.iter().find(|it| it.name == name) else {
                    return Ok(None);
                };
                take(&mut tar::open(file, member)?).map(Some)
            }
        }
    }

    /// What is wrong with a segment's copy.
    fn check(&self, segment: &Segment) -> Result<(), String> {
        let unreadable = |error: io::Error| format!("cannot be read: {error}");
        let hashed = self.read(&segment.name, |bytes| archived::hashed(bytes));
        let Some((bytes, sha256)) = hashed.map_err(unreadable)? else {
            return Err("is missing".to_owned());
        };
        if bytes != segment.bytes {
            return Err(format!("has {bytes} bytes, and the manifest says {}", segment.bytes));
        }
        if sha256 != segment.sha256 {
            return Err("its SHA-256 is not the manifest's: its bytes were changed".to_owned());
        }
        let look = self.read(&segment.name, |bytes| Segment::look(&segment.name, bytes));
        match look.map_err(unreadable)? {
            Some(Look { segment: Some(found), .. }) if found == *segment => Ok(()),
            Some(Look { segment: Some(found), .. }) => {
                let about = |it: &Segment| {
                    let rows = figures::thousands(it.rows.into());
                    format!("{rows} rows from {} to {}", it.first, it.last)
                };
                Err(format!("holds {}, and the manifest says {}", about(&found), about(segment)))
            }
            _ => Err("no line of it is a row".to_owned()),
        }
    }
}

impl Archive {
    /// The archive of this path: a file if it is one, or where there is nothing if its name ends in
    /// `.tar`; else a folder.
    pub fn at(path: &Path) -> Archive {
        let is_named = path.as_os_str().as_encoded_bytes().ends_with(FILE_ENDING.as_bytes());
        let is_file = path.is_file() || is_named && !path.is_dir();
        Archive { path: path.to_owned(), is_file }
    }

    fn fail(&self, action: &'static str) -> impl Fn(io::Error) -> Error {
        let path = self.path.clone();
        move |error| Error::io(action, &path, &error)
    }

    /// That something is wrong with a file of it.
    fn wrong(&self, name: &str, problem: impl Into<String>) -> Error {
        let path = if self.is_file { self.path.clone() } else { self.path.join(name) };
        let (problem, word) = (problem.into(), shell_word(&shown(&self.path)));
        let fix = match problem == OTHER_BYTES {
            true => "keep it, and begin another archive: name another --to".to_owned(),
            false => format!("usage-report verify --archive {word} names all that is wrong"),
        };
        let problem = match self.is_file && !name.is_empty() {
            true => format!("{}: {problem}", excerpt(name)),
            false => problem,
        };
        Error::Archive { path, problem, fix }
    }

    fn open(&self) -> io::Result<Option<Opened>> {
        if !self.is_file {
            let is_there = fs::metadata(&self.path).map(|meta| meta.is_dir());
            return match is_there {
                Ok(true) => Ok(Some(Opened::Folder(self.path.clone()))),
                Ok(false) => Err(io::Error::other("it is neither a folder nor a file")),
                Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
                Err(error) => Err(error),
            };
        }
        match File::open(&self.path) {
            Ok(file) => {
                let (members, fault) = tar::members(&file)?;
                Ok(Some(Opened::File { file, members, fault }))
            }
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The text of its manifest; None where nothing is there yet.
    fn manifest_text(opened: &Opened) -> io::Result<Option<String>> {
        opened.read(MANIFEST, |bytes| {
            let mut text = String::new();
            bytes.take(MANIFEST_BYTES_MAX).read_to_string(&mut text)?;
            Ok(text)
        })
    }

    fn manifest_of(&self, opened: &Opened) -> Result<Option<Vec<Segment>>> {
        let text = Archive::manifest_text(opened).map_err(self.fail("read the manifest of"))?;
        let parse = |text: String| match archived::parse(&text, &self.path) {
            Ok(segments) => Ok(segments),
            Err(Error::Config { line, .. }) => {
                let line = line.unwrap_or_default();
                Err(self.wrong(MANIFEST, format!("its line {line} is no segment")))
            }
            Err(error) => Err(error),
        };
        text.map(parse).transpose()
    }

    /// The segments of its manifest.
    ///
    /// # Errors
    /// There is no archive, or its manifest cannot be read.
    pub fn manifest(&self) -> Result<Vec<Segment>> {
        let opened = self.open().map_err(self.fail("read"))?;
        let opened = opened.ok_or_else(|| Error::NoSuchFile { path: self.path.clone() })?;
        let manifest = self.manifest_of(&opened)?;
        manifest.ok_or_else(|| self.wrong(MANIFEST, "is missing"))
    }

    /// Reads the copies of these segments back, and compares them with what is known of them.
    ///
    /// # Errors
    /// The first that is not as it should be.
    pub fn check(&self, segments: &[Segment]) -> Result<()> {
        let opened = self.open().map_err(self.fail("read"))?;
        let opened = opened.ok_or_else(|| Error::NoSuchFile { path: self.path.clone() })?;
        let check = |it: &Segment| opened.check(it).map_err(|what| self.wrong(&it.name, what));
        segments.iter().try_for_each(check)
    }

    /// Lets `take` read a segment's copy.
    ///
    /// # Errors
    /// It is not there or cannot be read; or what `take` says.
    pub(super) fn read<T>(
        &self,
        segment: &Segment,
        take: impl FnOnce(&mut dyn Read) -> io::Result<T>,
    ) -> Result<T> {
        let read = self.open().and_then(|opened| match opened {
            Some(opened) => opened.read(&segment.name, take),
            None => Ok(None),
        });
        read.map_err(self.fail("copy from"))?.ok_or_else(|| self.wrong(&segment.name, "is missing"))
    }

    /// Looks at every bit of it.
    ///
    /// # Errors
    /// There is no archive.
    pub fn verify(&self) -> Result<Verified> {
        let mut verified = Verified::default();
        let name = shown(Path::new(self.path.file_name().unwrap_or(self.path.as_os_str())));
        let opened = match self.open() {
            Ok(Some(opened)) => opened,
            Ok(None) => return Err(Error::NoSuchFile { path: self.path.clone() }),
            Err(error) => {
                verified.findings.push(format!("{name}: {error}"));
                return Ok(verified);
            }
        };
        if let Opened::File { fault: Some(fault), .. } = &opened {
            verified.findings.push(format!("{name}: {fault}"));
        }
        let text = match Archive::manifest_text(&opened) {
            Ok(Some(text)) => text,
            Ok(None) => {
                verified.findings.push(format!("{MANIFEST}: is missing"));
                return Ok(verified);
            }
            Err(error) => {
                verified.findings.push(format!("{MANIFEST}: cannot be read: {error}"));
                return Ok(verified);
            }
        };
        match archived::parse(&text, MANIFEST.as_ref()) {
            Ok(segments) => verified.segments = segments,
            Err(Error::Config { line, problem, .. }) => {
                let line = line.unwrap_or_default();
                verified.findings.push(format!("{MANIFEST}:{line}: {problem}"));
                return Ok(verified);
            }
            Err(error) => return Err(error),
        }
        if archived::text(&verified.segments) != text {
            verified.findings.push(format!("{MANIFEST}: is not as log-usage writes it"));
        }
        for segment in &verified.segments {
            if let Err(what) = opened.check(segment) {
                verified.findings.push(format!("{}: {what}", shown(segment.name.as_ref())));
            }
        }
        Ok(verified)
    }

    /// Adds segments, each with the path of its file. A folder is made where it is missing, but not
    /// those that it is in.
    ///
    /// # Errors
    /// Any means that what was in the archive is as it was.
    pub(super) fn add(
        &self,
        sources: &[(&Segment, &Path)],
        wait: Duration,
        durability: Durability,
    ) -> Result<()> {
        if !self.is_file {
            match fs::create_dir(&self.path) {
                Err(error) if error.kind() != ErrorKind::AlreadyExists => {
                    return Err(self.fail("make the folder")(error));
                }
                _ => {}
            }
        }
        let held = Held::take(self.beside("lock"), wait)?;
        let opened = self.open().map_err(self.fail("read"))?;
        let old = opened.as_ref().map(|opened| self.manifest_of(opened)).transpose()?.flatten();
        let old = old.unwrap_or_default();
        for (segment, _) in sources {
            if old.iter().any(|it| it.name == segment.name && it != *segment) {
                return Err(self.wrong(&segment.name, OTHER_BYTES));
            }
        }
        let new = sources.iter().map(|(segment, _)| (*segment).clone());
        let all = archived::in_order(old.iter().cloned().chain(new).collect());
        match &opened {
            Some(Opened::Folder(_)) => self.add_to_folder(sources, &all, durability)?,
            _ if all == old => {}
            opened => self.rewrite(opened.as_ref(), sources, &all)?,
        }
        if let Some(parent) = self.parent() {
            disk::sync_folder(parent, durability)?;
        }
        drop(held);
        Ok(())
    }

    fn add_to_folder(
        &self,
        sources: &[(&Segment, &Path)],
        all: &[Segment],
        durability: Durability,
    ) -> Result<()> {
        let temp = self.beside("tmp");
        for (segment, source) in sources {
            let path = self.path.join(&segment.name);
            let fail = |error: io::Error| Error::io("write", &path, &error);
            match File::open(&path).and_then(archived::hashed) {
                Ok(found) if found == (segment.bytes, segment.sha256.clone()) => continue,
                Ok(_) => return Err(self.wrong(&segment.name, OTHER_BYTES)),
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => return Err(fail(error)),
            }
            let copied = copy(source, &temp).and_then(|()| disk::put_new(&temp, &path));
            copied.map_err(|error| {
                let _ = disk::remove(&temp);
                fail(error)
            })?;
        }
        let (path, text) = (self.path.join(MANIFEST), archived::text(all));
        if fs::read(&path).ok().as_deref() != Some(text.as_bytes()) {
            let write = &mut |new: &mut dyn Write| new.write_all(text.as_bytes());
            disk::replace(&path, &temp, None, write).map_err(|error| {
                let _ = disk::remove(&temp);
                Error::io("write", &path, &error)
            })?;
        }
        disk::sync_folder(&self.path, durability)
    }

    /// Writes the whole archive anew beside the old one, and reads it back before it takes its place.
    fn rewrite(
        &self,
        opened: Option<&Opened>,
        sources: &[(&Segment, &Path)],
        all: &[Segment],
    ) -> Result<()> {
        let temp = self.beside("tmp");
        let write = || -> io::Result<()> {
            disk::remove(&temp)?;
            let file = OpenOptions::new().write(true).create_new(true).open(&temp)?;
            let mut out = Builder::new(BufWriter::with_capacity(1 << 16, file));
            let text = archived::text(all);
            tar::put(&mut out, MANIFEST, text.len() as u64, &mut text.as_bytes())?;
            for segment in all {
                let (name, bytes) = (&segment.name, segment.bytes);
                match sources.iter().find(|(it, _)| *it == segment) {
                    Some((_, path)) => tar::put(&mut out, name, bytes, &mut File::open(path)?)?,
                    None => opened
                        .map_or(Ok(None), |it| {
                            it.read(name, |old| tar::put(&mut out, name, bytes, old))
                        })?
                        .ok_or_else(|| io::Error::other(format!("{name} is missing in it")))?,
                }
            }
            out.into_inner()?.into_inner().map_err(IntoInnerError::into_error)?.sync_data()
        };
        let written = write().map_err(self.fail("write")).and_then(|()| {
            let copy = Archive { path: temp.clone(), is_file: true };
            match copy.verify()?.findings.first() {
                Some(finding) => Err(self.wrong("", finding.clone())),
                None => fs::rename(&temp, &self.path).map_err(self.fail("write")),
            }
        });
        written.inspect_err(|_| drop(disk::remove(&temp)))
    }

    /// A file of ours in the archive's folder, or beside the archive.
    fn beside(&self, what: &str) -> PathBuf {
        match self.is_file {
            true => {
                let mut name = std::ffi::OsString::from(".");
                name.push(self.path.file_name().unwrap_or_default());
                name.push(format!(".{what}"));
                self.path.with_file_name(name)
            }
            false => self.path.join(format!(".{MANIFEST}.{what}")),
        }
    }

    fn parent(&self) -> Option<&Path> {
        let parent = self.path.parent()?;
        Some(if parent == Path::new("") { Path::new(".") } else { parent })
    }
}

const OTHER_BYTES: &str = "stands there already, with other bytes";

/// The whole of a file under another name, on the disk.
pub(super) fn copy(from: &Path, to: &Path) -> io::Result<()> {
    disk::remove(to)?;
    let mut new = OpenOptions::new().write(true).create_new(true).open(to)?;
    io::copy(&mut File::open(from)?, &mut new)?;
    new.sync_data()
}

/// A lock whose file goes with it: nobody shall find one of ours in an archive.
struct Held {
    _lock: Lock,
    path: PathBuf,
}

impl Held {
    fn take(path: PathBuf, wait: Duration) -> Result<Held> {
        Ok(Held { _lock: Lock::take(&path, wait)?, path })
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        // Whoever waits for it sees that its file is gone, and makes a new one.
        let _ = disk::remove(&self.path);
    }
}
