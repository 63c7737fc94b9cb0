//! Segments are added to an archive. What is in it is copied as it is, or nothing is done: an archive
//! that is not whole, or a file that is not ours, is never written over.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, ErrorKind, IntoInnerError, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use ::tar::Builder;

use crate::error::{Error, Result};
use crate::ledger::archive::{Archive, MANIFEST, Opened, damage};
use crate::ledger::archived::{self, Segment};
use crate::ledger::disk;
use crate::ledger::lock::Lock;
use crate::ledger::tar;
use crate::workspace::Durability;

const OTHER_BYTES: &str = "stands there already, with other bytes";

impl Archive {
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
        self.add_to_it(sources, wait, durability).map_err(|error| match error {
            Error::Archive { path, problem, .. } => {
                let fix = "keep it, and begin another archive: name another --to".to_owned();
                Error::Archive { path, problem, fix }
            }
            other => other,
        })
    }

    fn add_to_it(
        &self,
        sources: &[(&Segment, &Path)],
        wait: Duration,
        durability: Durability,
    ) -> Result<()> {
        if self.open().map_err(self.fail("read"))?.is_none() && !self.is_file {
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
        if let Some(opened @ Opened::File { fault, .. }) = &opened {
            // It is written anew from its manifest: what this does not tell of would be gone.
            let Some(old) = &old else {
                return Err(self.wrong("", format!("is no archive: it has no {MANIFEST}")));
            };
            let strangers = opened.strangers(old).map_err(self.fail("read"))?;
            if let Some(what) = fault.iter().chain(&strangers).next() {
                return Err(self.wrong("", what));
            }
        }
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
            match disk::open(&path).and_then(archived::hashed) {
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
        let old = disk::open(&path).ok();
        if fs::read(&path).ok().as_deref() != Some(text.as_bytes()) {
            let write = &mut |new: &mut dyn Write| new.write_all(text.as_bytes());
            disk::replace(&path, &temp, old.as_ref(), write).map_err(|error| {
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
            if opened.is_some() {
                file.set_permissions(self.path.metadata()?.permissions())?;
            }
            for (_, path) in sources {
                disk::narrow(&file, &path.metadata()?.permissions())?;
            }
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
                        .ok_or_else(|| damage(&format!("{name} is missing in it")))?,
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

/// The whole of a file under another name, on the disk.
fn copy(from: &Path, to: &Path) -> io::Result<()> {
    disk::remove(to)?;
    let mut new = OpenOptions::new().write(true).create_new(true).open(to)?;
    let mut old = File::open(from)?;
    disk::narrow(&new, &old.metadata()?.permissions())?;
    io::copy(&mut old, &mut new)?;
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
