//! Sealed segments are compressed in place, or moved to an archive. A copy is read back before what it
//! was made of goes: whoever dies on the way leaves both, and the same command ends it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, BufWriter, ErrorKind, IntoInnerError, Write};
use std::path::Path;
use std::time::SystemTime;

use crate::error::{Error, Result, shown};
use crate::git;
use crate::git::committed;
use crate::ledger::archive::Archive;
use crate::ledger::archived::{self, Look, Segment};
use crate::ledger::around::Around;
use crate::ledger::disk;
use crate::ledger::files::{self, LedgerFile, Role};
use crate::ledger::gzip;
use crate::ledger::lock::Lock;
use crate::ledger::segment::Policy;
use crate::timestamp::Day;
use crate::workspace::Place;

/// What is to be done with old segments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Aim {
    /// To compress those that are not.
    Compress,
    /// To move them out of the folder.
    Move,
}

/// A segment that something is to be done with.
#[derive(Debug)]
pub struct Due {
    /// What is known of it.
    pub segment: Segment,
    file: LedgerFile,
    open: File,
    modified: Option<SystemTime>,
}

impl Due {
    /// Whether the file is still the one that was read.
    fn is_unchanged(&self) -> bool {
        let is_same = |meta: fs::Metadata| {
            meta.len() == self.segment.bytes && meta.modified().ok() == self.modified
        };
        disk::is_at(&self.open, &self.file.path) && self.open.metadata().is_ok_and(is_same)
    }
}

/// Which segments are due.
#[derive(Debug, Default)]
pub struct Survey {
    /// These, oldest first.
    pub due: Vec<Due>,
    /// Those that must stay, with the reason.
    pub left: Vec<(String, String)>,
}

/// Looks for the sealed segments all of whose rows are from before a day.
///
/// # Errors
/// A folder that cannot be read.
pub fn survey(place: &Place, border: Option<Day>, aim: Aim) -> Result<Survey> {
    let active = files::active(place);
    let is_in_git = git::tracks(&active.path);
    let is_in_tree = git::git_dir(place.folder()).is_some();
    let mut survey = Survey::default();
    for file in files::older(place)? {
        let is_done = aim == Aim::Compress && gzip::is_compressed(&file.path);
        // What a rotation that was cut short has sealed is still appended to.
        if file.role != Role::Sealed || is_done || files::is_also(&file, &active) {
            continue;
        }
        let label = file.label.clone();
        let opened = File::open(&file.path).and_then(|open| {
            let modified = open.metadata()?.modified().ok();
            let look = Segment::look(file.name(), BufReader::new(&open))?;
            Ok((open, modified, look))
        });
        let (open, modified, look) = match opened {
            Ok(opened) => opened,
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            Err(error) => {
                survey.left.push((label, format!("it cannot be read: {error}")));
                continue;
            }
        };
        let Look { segment: Some(segment), newest } = look else {
            survey.left.push((label, "no line of it is a row".to_owned()));
            continue;
        };
        if border.is_some_and(|border| newest >= Some(border)) {
            continue;
        }
        let due = Due { segment, file, open, modified };
        // What the last commit has and no file, is lost; so it must know first where it went.
        // What git neither tracks nor ignores was not committed yet.
        let is_for_git = |path: &Path| {
            is_in_git || is_in_tree && (git::tracks(path) || git::ignoring_rule(path).is_none())
        };
        if aim == Aim::Move && is_for_git(&due.file.path) && !is_committed(&due) {
            let reason = "the last commit does not hold it as it is: commit it first";
            survey.left.push((label, reason.to_owned()));
            continue;
        }
        survey.due.push(due);
    }
    Ok(survey)
}

fn is_committed(due: &Due) -> bool {
    let folder = due.file.path.parent().unwrap_or(Path::new("."));
    let bytes = committed::file_at(folder, "HEAD", due.file.name());
    bytes.is_some_and(|bytes| archived::sha256(&bytes) == due.segment.sha256)
}

/// What became of segments.
#[derive(Debug, Default)]
pub struct Done {
    /// Those that something was done with.
    pub segments: Vec<Segment>,
    /// How many bytes their files have now in the ledger's folder.
    pub bytes_now: u64,
    /// Those that stayed after all, with the reason.
    pub left: Vec<(String, String)>,
}

/// One at a time compresses, moves or restores segments of a ledger; what one that died was preparing
/// goes.
pub(super) fn alone(place: &Place, policy: &Policy) -> Result<Lock> {
    let lock = Lock::take(&place.archive_lock(), policy.wait)?;
    let temp = place.archive_temp();
    disk::remove(&temp).map_err(|error| Error::io("clear away", &temp, &error))?;
    Ok(lock)
}

/// Compresses these segments, one after the other; writers are kept out only while a file takes its
/// new name.
///
/// # Errors
/// Every row is in a file as before; those already compressed stay so.
pub fn compress(place: &Place, policy: &Policy, around: &Around<'_>, due: &[Due]) -> Result<Done> {
    let mut done = Done::default();
    if due.is_empty() {
        return Ok(done);
    }
    let _alone = alone(place, policy)?;
    let temp = place.archive_temp();
    for it in due {
        let packed = gzip::compressed(&it.file.path);
        let fail = |error: io::Error| Error::io("compress", &it.file.path, &error);
        let undo = |error: io::Error| {
            let _ = disk::remove(&temp);
            fail(error)
        };
        // Another clone's of the same rows, or one that a dead writer left.
        let twin = match gzip::open(&packed).and_then(archived::hashed) {
            Ok((_, sha256)) if sha256 == it.segment.sha256 => true,
            Err(error) if error.kind() == ErrorKind::NotFound => false,
            _ => {
                let reason = format!("{} holds other rows", shown(&packed));
                done.left.push((it.file.label.clone(), reason));
                continue;
            }
        };
        if !twin {
            pack(it, &packed, &temp).map_err(undo)?;
        }
        let _lock = Lock::take(&place.lock(), policy.wait)?;
        around.wait();
        if !it.is_unchanged() {
            disk::remove(&temp).map_err(fail)?;
            done.left.push((it.file.label.clone(), CHANGED.to_owned()));
            continue;
        }
        if !twin {
            disk::put_new(&temp, &packed).map_err(undo)?;
        }
        disk::sync_folder(&place.archive(), policy.durability)?;
        disk::remove(&it.file.path).map_err(fail)?;
        disk::sync_folder(&place.archive(), policy.durability)?;
        done.bytes_now += packed.metadata().map_or(0, |meta| meta.len());
        done.segments.push(it.segment.clone());
    }
    Ok(done)
}

const CHANGED: &str = "it was changed meanwhile";

/// The segment, compressed, on the disk under another name, and read back.
fn pack(due: &Due, packed: &Path, temp: &Path) -> io::Result<()> {
    disk::remove(temp)?;
    let file = OpenOptions::new().write(true).create_new(true).open(temp)?;
    file.set_permissions(due.open.metadata()?.permissions())?;
    let mut out = BufWriter::with_capacity(1 << 16, file);
    gzip::write(packed, &mut out, &mut |out| {
        let mut text = BufReader::with_capacity(1 << 16, File::open(&due.file.path)?);
        io::copy(&mut text, out).map(drop)
    })?;
    out.into_inner().map_err(IntoInnerError::into_error)?.sync_data()?;
    let (bytes, sha256) = archived::hashed(gzip::decoded(File::open(temp)?))?;
    match (bytes, &sha256) == (due.segment.bytes, &due.segment.sha256) {
        true => Ok(()),
        false => Err(io::Error::other("what was read back is not what was written")),
    }
}

/// Moves these segments to an archive.
///
/// # Errors
/// Every row is in the ledger's folder as before, or in the archive, whose copy was read back.
pub fn move_out<'a>(
    place: &Place,
    policy: &Policy,
    around: &Around<'_>,
    due: &'a [Due],
    archive: &Archive,
) -> Result<Done> {
    let mut done = Done::default();
    if due.is_empty() {
        return Ok(done);
    }
    let _alone = alone(place, policy)?;
    let mut part = |due: Vec<&'a Due>| -> Vec<&'a Due> {
        let (same, changed): (Vec<_>, Vec<_>) = due.into_iter().partition(|it| it.is_unchanged());
        done.left.extend(changed.iter().map(|it| (it.file.label.clone(), CHANGED.to_owned())));
        same
    };
    // Another may have been faster.
    let going = part(due.iter().collect());
    if going.is_empty() {
        return Ok(done);
    }
    let sources: Vec<(&Segment, &Path)> =
        going.iter().map(|it| (&it.segment, it.file.path.as_path())).collect();
    archive.add(&sources, policy.wait, policy.durability)?;
    let segments: Vec<Segment> = going.iter().map(|it| it.segment.clone()).collect();
    archive.check(&segments)?;
    let _lock = Lock::take(&place.lock(), policy.wait)?;
    around.wait();
    let going = part(going);
    done.segments = going.iter().map(|it| it.segment.clone()).collect();
    let listed = archived::load(place)?;
    list(place, policy, listed.into_iter().chain(done.segments.iter().cloned()).collect())?;
    for it in going {
        // The list is written, so the ledger is not as it was.
        disk::remove(&it.file.path).map_err(|error| Error::Archive {
            path: it.file.path.clone(),
            problem: format!("is in the archive, but cannot be removed here: {error}"),
            fix: "mend what the system says, then run the same command again".to_owned(),
        })?;
    }
    disk::sync_folder(&place.archive(), policy.durability)?;
    Ok(done)
}

/// Puts another list of what was moved in the place of the old one. Where nothing is left its header
/// stays: git merges two lists, but not a list and none.
pub(super) fn list(place: &Place, policy: &Policy, segments: Vec<Segment>) -> Result<()> {
    let (path, text) = (place.archived(), archived::text(&archived::in_order(segments)));
    let (old, temp) = (File::open(&path).ok(), place.archive_temp());
    let write = &mut |new: &mut dyn Write| new.write_all(text.as_bytes());
    disk::replace(&path, &temp, old.as_ref(), write).map_err(|error| {
        let _ = disk::remove(&temp);
        Error::io("write", &path, &error)
    })?;
    disk::sync_folder(place.folder(), policy.durability)
}
