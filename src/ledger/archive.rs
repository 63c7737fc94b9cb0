//! An archive: segments outside the ledger's folder, each byte for byte as it was, in a folder or in
//! one file that `tar` reads, with a manifest. What is in it is never changed, only added to.

use std::collections::BTreeSet;
use std::fs::{self, File, Permissions};
use std::io::{self, ErrorKind, Read};
use std::path::{Path, PathBuf};

use crate::error::{Error, Result, excerpt, shell_word, shown};
use crate::figures;
use crate::ledger::archived::{self, Look, Segment};
use crate::ledger::disk;
use crate::ledger::files;
use crate::ledger::tar::{self, Member};

/// What the list of its segments is called.
pub(super) const MANIFEST: &str = "manifest.csv";

/// What the names of archives that are one file end in.
const FILE_ENDING: &str = ".tar";

/// A manifest of a million segments has fewer bytes.
const MANIFEST_BYTES_MAX: u64 = 256 << 20;

/// An archive, which need not be there yet.
#[derive(Clone, Debug)]
pub struct Archive {
    pub(super) path: PathBuf,
    pub(super) is_file: bool,
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
pub(super) enum Opened {
    Folder(PathBuf),
    File { file: File, members: Vec<Member>, fault: Option<String> },
}

impl Opened {
    /// Lets `take` read a file of it; None where it has none of that name.
    pub(super) fn read<T>(
        &self,
        name: &str,
        take: impl FnOnce(&mut dyn Read) -> io::Result<T>,
    ) -> io::Result<Option<T>> {
        match self {
            Opened::Folder(path) => match disk::open(&path.join(name)) {
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

    /// What the manifest does not tell of: in a file whatever it is, in a folder, where other things
    /// may be, what is called as segments are.
    pub(super) fn strangers(&self, manifest: &[Segment]) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        match self {
            Opened::Folder(path) => {
                for entry in fs::read_dir(path)? {
                    let name = entry?.file_name().to_string_lossy().into_owned();
                    names.extend(Some(name).filter(|name| files::is_sealed(name)));
                }
            }
            Opened::File { members, .. } => names.extend(members.iter().map(|it| it.name.clone())),
        }
        names.sort();
        let known: BTreeSet<&str> = manifest.iter().map(|it| &*it.name).chain([MANIFEST]).collect();
        let mut once = known.clone();
        names.retain(|name| !once.remove(&**name));
        let what = |name: &String| match known.contains(&**name) {
            true => format!("{}: stands there twice", excerpt(name)),
            false => format!("{}: the manifest does not name it", excerpt(name)),
        };
        Ok(names.iter().map(what).collect())
    }
}

impl Archive {
    /// The archive of this path: a file if it is one, or where there is nothing if its name ends in
    /// `.tar`; else a folder.
    pub fn at(path: &Path) -> Archive {
        // What a link leads to is the archive: the link itself is never replaced.
        let followed = path.is_symlink().then(|| path.canonicalize().ok()).flatten();
        let path = followed.as_deref().unwrap_or(path);
        let is_named = path.as_os_str().as_encoded_bytes().ends_with(FILE_ENDING.as_bytes());
        let is_file = path.is_file() || is_named && !path.is_dir();
        Archive { path: path.to_owned(), is_file }
    }

    pub(super) fn fail(&self, action: &'static str) -> impl Fn(io::Error) -> Error {
        move |error| match error.kind() {
            ErrorKind::InvalidData | ErrorKind::UnexpectedEof => self.wrong("", error.to_string()),
            _ => Error::io(action, &self.path, &error),
        }
    }

    /// That something is wrong with a file of it.
    pub(super) fn wrong(&self, name: &str, problem: impl Into<String>) -> Error {
        let (path, problem) = (&self.path, problem.into());
        let (path, problem) = match self.is_file && !name.is_empty() {
            true => (path.clone(), format!("{}: {problem}", excerpt(name))),
            false if name.is_empty() => (path.clone(), problem),
            false => (path.join(name), problem),
        };
        let word = shell_word(&shown(&self.path));
        let fix = format!("usage-report verify --archive {word} names all that is wrong");
        Error::Archive { path, problem, fix }
    }

    /// None where nothing is there yet.
    pub(super) fn open(&self) -> io::Result<Option<Opened>> {
        let is_file = match fs::metadata(&self.path) {
            // A pipe would have no end.
            Ok(meta) if !meta.is_dir() && !meta.is_file() => {
                return Err(damage("it is neither a folder nor a file"));
            }
            Ok(meta) => meta.is_file(),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                return match self.path.is_symlink() {
                    true => Err(damage("it is a link that leads to nothing")),
                    false => Ok(None),
                };
            }
            Err(error) => return Err(error),
        };
        if !is_file {
            return Ok(Some(Opened::Folder(self.path.clone())));
        }
        let file = disk::open(&self.path)?;
        let (members, fault) = tar::members(&file)?;
        Ok(Some(Opened::File { file, members, fault }))
    }

    /// It, which must be there.
    fn opened(&self) -> Result<Opened> {
        let opened = self.open().map_err(self.fail("read"))?;
        opened.ok_or_else(|| Error::Archive {
            path: self.path.clone(),
            problem: "no archive is there".to_owned(),
            fix: "check the path; log-usage archive --to PATH makes one".to_owned(),
        })
    }

    /// The text of its manifest; None where nothing is there yet.
    fn manifest_text(opened: &Opened) -> io::Result<Option<String>> {
        opened.read(MANIFEST, |bytes| {
            let mut text = String::new();
            bytes.take(MANIFEST_BYTES_MAX).read_to_string(&mut text)?;
            Ok(text)
        })
    }

    pub(super) fn manifest_of(&self, opened: &Opened) -> Result<Option<Vec<Segment>>> {
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
        let opened = self.opened()?;
        let manifest = self.manifest_of(&opened)?;
        manifest.ok_or_else(|| self.wrong(MANIFEST, "is missing"))
    }

    /// Reads the copies of these segments back, and compares them with what is known of them.
    ///
    /// # Errors
    /// The first that is not as it should be.
    pub fn check(&self, segments: &[Segment]) -> Result<()> {
        let opened = self.opened()?;
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

    /// Who may read a segment's copy.
    pub(super) fn permissions(&self, segment: &Segment) -> io::Result<Permissions> {
        let path = if self.is_file { &self.path } else { &self.path.join(&segment.name) };
        path.metadata().map(|meta| meta.permissions())
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
            Ok(None) => self.opened()?,
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
        let strangers = opened.strangers(&verified.segments).map_err(self.fail("list"))?;
        verified.findings.extend(strangers);
        Ok(verified)
    }
}

/// That an archive is not as it must be.
pub(super) fn damage(what: &str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, what)
}
