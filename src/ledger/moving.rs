//! Sealed segments are compressed in place, moved to an archive, or put back. A copy is read back
//! before what it was made of goes: whoever dies on the way leaves both, and the same command ends it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, BufWriter, ErrorKind, IntoInnerError};
use std::path::Path;
use std::time::SystemTime;

use crate::error::{Error, Result, excerpt, shell_word, shown};
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
        if aim == Aim::Move && (is_in_git || git::tracks(&due.file.path)) && !is_committed(&due) {
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
fn alone(place: &Place, policy: &Policy) -> Result<Lock> {
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
pub fn move_out(
    place: &Place,
    policy: &Policy,
    around: &Around<'_>,
    due: &[Due],
    archive: &Archive,
) -> Result<Done> {
    let mut done = Done::default();
    if due.is_empty() {
        return Ok(done);
    }
    let _alone = alone(place, policy)?;
    let sources: Vec<(&Segment, &Path)> =
        due.iter().map(|it| (&it.segment, it.file.path.as_path())).collect();
    archive.add(&sources, policy.wait, policy.durability)?;
    let segments: Vec<Segment> = due.iter().map(|it| it.segment.clone()).collect();
    archive.check(&segments)?;
    let _lock = Lock::take(&place.lock(), policy.wait)?;
    around.wait();
    let (going, changed): (Vec<&Due>, Vec<&Due>) = due.iter().partition(|it| it.is_unchanged());
    done.left.extend(changed.iter().map(|it| (it.file.label.clone(), CHANGED.to_owned())));
    done.segments = going.iter().map(|it| it.segment.clone()).collect();
    let listed = archived::load(place)?;
    list(place, policy, listed.into_iter().chain(done.segments.iter().cloned()).collect())?;
    for it in going {
        let fail = |error: io::Error| Error::io("remove", &it.file.path, &error);
        disk::remove(&it.file.path).map_err(fail)?;
    }
    disk::sync_folder(&place.archive(), policy.durability)?;
    Ok(done)
}

/// Puts another list of what was moved in the place of the old one.
fn list(place: &Place, policy: &Policy, segments: Vec<Segment>) -> Result<()> {
    let (path, segments) = (place.archived(), archived::in_order(segments));
    let fail = |error: io::Error| Error::io("write", &path, &error);
    if segments.is_empty() {
        disk::remove(&path).map_err(fail)?;
    } else {
        let old = File::open(&path).ok();
        let text = archived::text(&segments);
        disk::replace(&path, &place.archive_temp(), old.as_ref(), &mut |new| {
            new.write_all(text.as_bytes())
        })
        .map_err(|error| {
            let _ = disk::remove(&place.archive_temp());
            fail(error)
        })?;
    }
    disk::sync_folder(place.folder(), policy.durability)
}

/// Which segments an archive could give back.
///
/// # Errors
/// The archive cannot be read, or has no such segment.
pub fn restorable(place: &Place, archive: &Archive, names: &[String]) -> Result<Vec<Segment>> {
    let manifest = archive.manifest()?;
    let is_ours =
        |it: &Segment| files::role(place, &format!("archive/{}", it.name)) == Some(Role::Sealed);
    if names.is_empty() {
        let listed = archived::load(place)?;
        let is_wanted = |it: &Segment| is_ours(it) && listed.contains(it);
        return Ok(manifest.into_iter().filter(is_wanted).collect());
    }
    let mut wanted = Vec::new();
    for given in names {
        let name = given.rsplit('/').next().unwrap_or_default();
        let is_meant = |it: &&Segment| it.name == name || gzip::plain_name(&it.name) == name;
        match manifest.iter().find(is_meant) {
            Some(segment) if is_ours(segment) => wanted.push(segment.clone()),
            Some(_) => {
                return Err(Error::Usage {
                    problem: format!("{} is no segment of this ledger", excerpt(given)),
                    fix: "name the ledger that it is of with --file".to_owned(),
                });
            }
            None => {
                let listed = manifest.iter().map(|it| it.name.as_str()).take(3);
                let listed = listed.collect::<Vec<_>>().join(", ");
                return Err(Error::Usage {
                    problem: format!("the archive has no segment {}", excerpt(given)),
                    fix: match listed.as_str() {
                        "" => "its manifest names none".to_owned(),
                        some => format!("its manifest names them: {}", excerpt(some)),
                    },
                });
            }
        }
    }
    Ok(archived::in_order(wanted))
}

/// What became of segments that were to be put back.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Restored {
    /// These were.
    pub put: Vec<Segment>,
    /// These were there already.
    pub there: Vec<Segment>,
}

/// Puts segments back. The archive keeps its copies.
///
/// # Errors
/// What was put back stays, the rest is as it was.
pub fn restore(
    place: &Place,
    policy: &Policy,
    around: &Around<'_>,
    archive: &Archive,
    wanted: &[Segment],
) -> Result<Restored> {
    let mut restored = Restored::default();
    if wanted.is_empty() {
        return Ok(restored);
    }
    // Nothing is put back of an archive that is damaged.
    archive.check(wanted)?;
    let _alone = alone(place, policy)?;
    match fs::create_dir(place.archive()) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => {
            return Err(Error::io("make the folder", &place.archive(), &error));
        }
        _ => {}
    }
    let temp = place.archive_temp();
    for segment in wanted {
        if is_there(place, segment)? {
            restored.there.push(segment.clone());
            continue;
        }
        let path = place.archive().join(&segment.name);
        let copied = archive.read(segment, |bytes| {
            disk::remove(&temp)?;
            let mut new = OpenOptions::new().write(true).create_new(true).open(&temp)?;
            io::copy(bytes, &mut new)?;
            new.sync_data()?;
            let read_back = archived::hashed(File::open(&temp)?)?;
            match read_back == (segment.bytes, segment.sha256.clone()) {
                true => Ok(()),
                false => Err(io::Error::other("what was read back is not what was written")),
            }
        });
        let put = copied.and_then(|()| {
            let _lock = Lock::take(&place.lock(), policy.wait)?;
            around.wait();
            disk::put_new(&temp, &path).map_err(|error| Error::io("restore", &path, &error))
        });
        put.inspect_err(|_| drop(disk::remove(&temp)))?;
        disk::sync_folder(&place.archive(), policy.durability)?;
        restored.put.push(segment.clone());
    }
    let _lock = Lock::take(&place.lock(), policy.wait)?;
    let mut listed = archived::load(place)?;
    let before = listed.len();
    listed.retain(|it| !wanted.iter().any(|back| back == it || back.is_same(it)));
    if listed.len() != before {
        list(place, policy, listed)?;
    }
    Ok(restored)
}

/// Whether the segment stands in the ledger's folder, perhaps in its other form.
fn is_there(place: &Place, segment: &Segment) -> Result<bool> {
    let path = place.archive().join(&segment.name);
    match File::open(&path).and_then(archived::hashed) {
        Ok(found) if found == (segment.bytes, segment.sha256.clone()) => return Ok(true),
        Ok(_) => {
            return Err(Error::Archive {
                problem: "stands there already, with other bytes".to_owned(),
                fix: format!(
                    "look at both; mv {} elsewhere, then restore again",
                    shell_word(&shown(&path))
                ),
                path,
            });
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(Error::io("read", &path, &error)),
    }
    let other = match segment.name.strip_suffix(gzip::ENDING) {
        Some(plain) => plain.to_owned(),
        None => format!("{}{}", segment.name, gzip::ENDING),
    };
    let path = place.archive().join(&other);
    match File::open(&path).and_then(|file| Segment::look(&other, file)) {
        Ok(look) => Ok(look.segment.is_some_and(|it| it.is_same(segment))),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(Error::io("read", &path, &error)),
    }
}
