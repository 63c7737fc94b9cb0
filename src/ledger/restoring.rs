//! Segments are put back from an archive: all of them, each copy checked before, or none.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind};
use std::iter;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result, excerpt};
use crate::ledger::archive::Archive;
use crate::ledger::archived::{self, Segment};
use crate::ledger::around::Around;
use crate::ledger::disk;
use crate::ledger::files::{self, Role};
use crate::ledger::gzip;
use crate::ledger::lock::Lock;
use crate::ledger::moving::{alone, list};
use crate::ledger::segment::Policy;
use crate::workspace::Place;

/// What an archive could give back.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Restorable {
    /// The segments that are wanted.
    pub wanted: Vec<Segment>,
    /// Those that went from this ledger, and this archive does not have.
    pub elsewhere: Vec<Segment>,
}

/// Which segments an archive could give back.
///
/// # Errors
/// The archive cannot be read, has no such segment, or tells of one otherwise than the ledger does.
pub fn restorable(place: &Place, archive: &Archive, names: &[String]) -> Result<Restorable> {
    let manifest = archive.manifest()?;
    let is_ours =
        |it: &Segment| files::role(place, &format!("archive/{}", it.name)) == Some(Role::Sealed);
    if names.is_empty() {
        let listed = archived::load(place)?;
        let absent = archived::unseen_in(place)?.into_iter();
        let mut elsewhere: Vec<Segment> = absent.map(|it| it.segment).collect();
        elsewhere.retain(|it| {
            !manifest.iter().any(|has| has == it || has.name != it.name && has.is_same(it))
        });
        let alike = |it: &Segment| listed.iter().any(|other| other.name == it.name);
        let (wanted, others): (Vec<_>, Vec<_>) =
            manifest.into_iter().filter(is_ours).partition(|it| listed.contains(it));
        // One of another branch is whole; else the manifest is damaged.
        archive.check(&others.into_iter().filter(alike).collect::<Vec<_>>())?;
        return Ok(Restorable { wanted, elsewhere });
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
    Ok(Restorable { wanted: archived::in_order(wanted), elsewhere: Vec::new() })
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
/// Nothing was put back, unless it was only the list of what was moved that could not be written.
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
    let is_new = match fs::create_dir(place.archive()) {
        Ok(()) => true,
        Err(error) if error.kind() == ErrorKind::AlreadyExists => false,
        Err(error) => return Err(Error::io("make the folder", &place.archive(), &error)),
    };
    let mut made = Vec::new();
    let put = wanted.iter().try_for_each(|segment| -> Result<()> {
        match spot(place, segment)? {
            None => restored.there.push(segment.clone()),
            Some(path) => {
                put_back(place, policy, around, archive, segment, &path)?;
                made.push(path);
                restored.put.push(segment.clone());
            }
        }
        Ok(())
    });
    let put = put.and_then(|()| disk::sync_folder(&place.archive(), policy.durability));
    put.inspect_err(|_| {
        // The archive has them, and the list still says so.
        made.iter().for_each(|path| drop(disk::remove(path)));
        if is_new {
            let _ = fs::remove_dir(place.archive());
        }
    })?;
    let _lock = Lock::take(&place.lock(), policy.wait)?;
    let mut listed = archived::load(place)?;
    let before = listed.len();
    // It may be listed in its other form, too.
    let is_back =
        |it: &Segment, back: &Segment| back == it || back.name != it.name && back.is_same(it);
    listed.retain(|it| !wanted.iter().any(|back| is_back(it, back)));
    if listed.len() != before {
        list(place, policy, listed)?;
    }
    Ok(restored)
}

fn put_back(
    place: &Place,
    policy: &Policy,
    around: &Around<'_>,
    archive: &Archive,
    segment: &Segment,
    path: &Path,
) -> Result<()> {
    let temp = place.archive_temp();
    let fail = |error: io::Error| Error::io("restore", path, &error);
    let permissions = archive.permissions(segment).map_err(fail)?;
    let copied = archive.read(segment, |bytes| {
        disk::remove(&temp)?;
        let mut new = OpenOptions::new().write(true).create_new(true).open(&temp)?;
        disk::narrow(&new, &permissions)?;
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
        disk::put_new(&temp, path).map_err(fail)
    });
    put.inspect_err(|_| drop(disk::remove(&temp)))
}

/// Where the segment can be put; None where it stands already, perhaps in its other form. One of
/// another branch may have its name: then it gets a number, as in a rotation.
fn spot(place: &Place, segment: &Segment) -> Result<Option<PathBuf>> {
    const SEAL: &str = "-20260223T221928Z-0123abcd";
    let plain = gzip::plain_name(&segment.name);
    let base = plain.get(..place.stem().len() + SEAL.len()).unwrap_or(plain);
    for file in files::older(place)? {
        if file.role == Role::Sealed && file.name().starts_with(base) && holds(&file.path, segment)?
        {
            return Ok(None);
        }
    }
    let is_there = |path: &Path| fs::symlink_metadata(path).is_ok();
    let numbered = (2u64..).map(|number| format!("{base}-{number}{}", place.extension()));
    let mut paths = iter::once(plain.to_owned()).chain(numbered).map(|it| place.archive().join(it));
    let free = paths.find(|path| !is_there(path) && !is_there(&gzip::compressed(path)));
    let is_compressed = gzip::is_compressed(segment.name.as_ref());
    Ok(free.map(|path| if is_compressed { gzip::compressed(&path) } else { path }))
}

/// Whether a file holds the rows of a segment, be one of them compressed.
fn holds(path: &Path, segment: &Segment) -> Result<bool> {
    let is_compressed = gzip::is_compressed(path);
    let held = disk::open(path).and_then(|file| {
        if is_compressed == gzip::is_compressed(segment.name.as_ref()) {
            return Ok(archived::hashed(file)? == (segment.bytes, segment.sha256.clone()));
        }
        let mut name = gzip::plain_name(&segment.name).to_owned();
        name += if is_compressed { gzip::ENDING } else { "" };
        Ok(Segment::look(&name, file)?.segment.is_some_and(|it| it.is_same(segment)))
    });
    match held {
        Err(error) => match error.kind() {
            // It is no segment, or a damaged one.
            ErrorKind::InvalidData | ErrorKind::InvalidInput | ErrorKind::UnexpectedEof => {
                Ok(false)
            }
            ErrorKind::NotFound => Ok(false),
            _ => Err(Error::io("read", path, &error)),
        },
        Ok(is_held) => Ok(is_held),
    }
}
