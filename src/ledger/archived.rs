//! The list of segments that were moved out of the ledger's folder: it is committed and merged, so
//! that every clone can say what its reports do not see. An archive's manifest is such a list, too.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Read};
use std::path::Path;

use sha2::{Digest, Sha256};

use crate::error::{Error, Result, excerpt};
use crate::ledger::border;
use crate::ledger::fields::is_marker;
use crate::ledger::files::{self, LedgerFile, Role};
use crate::ledger::gzip;
use crate::ledger::scan::{self, Item};
use crate::timestamp::{Day, Timestamp};
use crate::workspace::Place;

/// The first line of such a list.
pub const HEADER: &str = "segment,rows,first,last,bytes,sha256";

/// A segment's name is no longer: what a file system takes.
const NAME_BYTES_MAX: usize = 255;

/// No segment has as many rows or bytes, and sums of what lists say never overflow.
const COUNT_MAX: u64 = 1 << 40;

/// What is known of a segment without looking at it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// The file's name.
    pub name: String,
    /// How many rows it holds.
    pub rows: u64,
    /// The earliest moment of a row.
    pub first: Timestamp,
    /// The latest.
    pub last: Timestamp,
    /// The file's size.
    pub bytes: u64,
    /// The SHA-256 of its bytes, in hex.
    pub sha256: String,
}

/// What a file shows of itself when it is read.
#[derive(Debug, PartialEq, Eq)]
pub struct Look {
    /// What is known of it; None if no line of it is a row.
    pub segment: Option<Segment>,
    /// The newest calendar day of its rows, each by its own offset.
    pub newest: Option<Day>,
}

impl Segment {
    /// Reads a file of this name to its end.
    ///
    /// # Errors
    /// It cannot be read, or is no ledger.
    pub fn look(name: &str, bytes: impl Read) -> io::Result<Look> {
        let mut hashing = Hashing { inner: bytes, hasher: Sha256::new(), bytes: 0 };
        let (mut rows, mut newest) = (0, None);
        let mut span: Option<(Timestamp, Timestamp)> = None;
        let scanned = scan::scan(gzip::text(name.as_ref(), &mut hashing), &mut |_, item| {
            let Item::Row(found) = item else { return };
            let at = found.row.at;
            rows += 1;
            newest = newest.max(Some(at.day()));
            span = Some(span.map_or((at, at), |(first, last)| {
                let first = if at.instant() < first.instant() { at } else { first };
                (first, if at.instant() > last.instant() { at } else { last })
            }));
        })?;
        if let Err(refusal) = scanned {
            return Err(io::Error::new(ErrorKind::InvalidData, refusal.reason));
        }
        io::copy(&mut hashing, &mut io::sink())?;
        let (bytes, sha256) = (hashing.bytes, hex(&hashing.hasher.finalize()));
        let name = name.to_owned();
        let segment = span.map(|(first, last)| Segment { name, rows, first, last, bytes, sha256 });
        Ok(Look { segment, newest })
    }

    /// Whether both hold the same rows, be one of them compressed: two branches may seal as many, from
    /// the same first one on.
    pub fn is_same(&self, other: &Segment) -> bool {
        let is_packed = |it: &Segment| it.name.ends_with(gzip::ENDING);
        match is_packed(self) == is_packed(other) {
            true => self.sha256 == other.sha256,
            false => self.key() == other.key(),
        }
    }

    fn key(&self) -> (&str, u64, Timestamp, Timestamp) {
        (seal(&self.name), self.rows, self.first, self.last)
    }

    fn parse(fields: &csv::StringRecord) -> Option<Segment> {
        let fields: Vec<&str> = fields.iter().collect();
        let [name, rows, first, last, bytes, sha256] = *fields.as_slice() else { return None };
        let is_hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        let is_count = |text: &str, it: u64| it <= COUNT_MAX && it.to_string() == text;
        let count = |text: &str| text.parse().ok().filter(|number| is_count(text, *number));
        // Whoever restores makes files of these names.
        let is_name = !name.starts_with('.')
            && !name.contains(['/', '\\', '\0'])
            && name.len() <= NAME_BYTES_MAX
            && gzip::plain_name(name).ends_with(".csv");
        let is_whole = is_name && sha256.len() == 64 && sha256.bytes().all(is_hex);
        is_whole.then_some(())?;
        Some(Segment {
            name: name.to_owned(),
            rows: count(rows)?,
            first: Timestamp::parse(first)?,
            last: Timestamp::parse(last)?,
            bytes: count(bytes)?,
            sha256: sha256.to_owned(),
        })
    }
}

/// A segment that went to an archive, and that is not known to be there all the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Absent {
    /// What it was.
    pub segment: Segment,
    /// Whether some of its rows may be seen: a file that begins as it does is there, or was pruned.
    pub is_at_most: bool,
}

/// What segments that begin with the same row have in common, be they compressed, or sealed by
/// several branches: their name up to its hash.
fn seal(name: &str) -> &str {
    let plain = gzip::plain_name(name);
    let hash = plain.rfind("Z-").map(|at| at + "Z-01234567".len());
    hash.and_then(|end| plain.get(..end)).unwrap_or(plain)
}

/// What goes through is hashed.
struct Hashing<R> {
    inner: R,
    hasher: Sha256,
    bytes: u64,
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.hasher.update(&buffer[..read]);
        self.bytes += read as u64;
        Ok(read)
    }
}

/// How many bytes these are, and their SHA-256 in hex.
///
/// # Errors
/// They cannot be read.
pub fn hashed(bytes: impl Read) -> io::Result<(u64, String)> {
    let mut hashing = Hashing { inner: bytes, hasher: Sha256::new(), bytes: 0 };
    io::copy(&mut hashing, &mut io::sink())?;
    Ok((hashing.bytes, hex(&hashing.hasher.finalize())))
}

/// The SHA-256 of these bytes, in hex.
pub fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The segments of a list, each once, in the order of their names; a merge keeps the lines of both
/// sides, and perhaps its markers. `path` is what the error names.
///
/// # Errors
/// A line that cannot be read.
pub fn parse(text: &str, path: &Path) -> Result<Vec<Segment>> {
    let mut segments = Vec::new();
    for (at, line) in text.trim_start_matches('\u{FEFF}').lines().enumerate() {
        if line.trim().is_empty() || line == HEADER || is_marker(line.as_bytes()) {
            continue;
        }
        let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(line.as_bytes());
        let record = reader.records().next().and_then(|record| record.ok());
        let segment = record.as_ref().and_then(Segment::parse).ok_or_else(|| Error::Config {
            path: path.to_owned(),
            line: Some(at + 1),
            problem: format!("\"{}\" is no segment as log-usage lists it", excerpt(line)),
        })?;
        segments.push(segment);
    }
    Ok(in_order(segments))
}

/// Each once, in the order of their names.
pub fn in_order(mut segments: Vec<Segment>) -> Vec<Segment> {
    segments.sort_by(|a, b| (&a.name, &a.sha256).cmp(&(&b.name, &b.sha256)));
    segments.dedup();
    segments
}

/// The list as a file.
pub fn text(segments: &[Segment]) -> String {
    let mut writer = csv::WriterBuilder::new().from_writer(Vec::new());
    for it in segments {
        let (first, last) = (it.first.to_string(), it.last.to_string());
        let [rows, bytes] = [it.rows, it.bytes].map(|number| number.to_string());
        // A vector takes whatever is written.
        let _ = writer.write_record([&it.name, &rows, &first, &last, &bytes, &it.sha256]);
    }
    let lines = writer.into_inner().unwrap_or_default();
    format!("{HEADER}\n{}", String::from_utf8_lossy(&lines))
}

/// The segments that were moved out of this ledger's folder.
///
/// # Errors
/// A list that cannot be read.
pub fn load(place: &Place) -> Result<Vec<Segment>> {
    let path = place.archived();
    match fs::metadata(&path) {
        // A pipe would have no end.
        Ok(meta) if !meta.is_file() => return Err(Error::NotAFile { path }),
        _ => {}
    }
    match fs::read_to_string(&path) {
        Ok(text) => parse(&text, &path),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            Ok(Vec::new())
        }
        Err(error) => Err(Error::io("read", &path, &error)),
    }
}

/// Those of the listed segments that are not there, nor pruned. `present` are the sealed segments
/// that are there, by name; `look` reads one of them, where its name alone does not tell.
///
/// # Errors
/// What `look` says.
pub fn unseen<T>(
    listed: Vec<Segment>,
    present: &[(String, T)],
    border: Option<Day>,
    look: &mut dyn FnMut(&str, &T) -> Result<Option<Segment>>,
) -> Result<Vec<Absent>> {
    // Each is read once, and most need not be.
    let mut looked: Vec<Option<Option<Segment>>> = vec![None; present.len()];
    let mut unseen: Vec<Absent> = Vec::new();
    for segment in listed {
        let is_pruned = border.is_some_and(|border| segment.last.day() < border);
        // One clone may have compressed it before, and another not.
        let is_known = unseen.iter().any(|other| other.segment.is_same(&segment));
        if is_pruned || is_known {
            continue;
        }
        let (mut is_there, mut has_twin) = (false, false);
        for ((name, it), looked) in present.iter().zip(&mut looked) {
            if seal(name) == seal(&segment.name) {
                let found = match looked {
                    Some(found) => found,
                    None => looked.insert(look(name, it)?),
                };
                is_there |= found.as_ref().is_some_and(|it| it.is_same(&segment));
                has_twin = true;
            }
        }
        if !is_there {
            let is_cut = border.is_some_and(|border| segment.first.day() < border);
            unseen.push(Absent { is_at_most: is_cut || has_twin, segment });
        }
    }
    Ok(unseen)
}

/// So often a folder is listed again that is changed meanwhile: each takes less time than to move a
/// segment.
const LOOKS_MAX: usize = 50;

/// A ledger's files but the active one, and the segments that went to an archive, both of one moment:
/// segments come and go while a folder is listed.
///
/// # Errors
/// A list or a folder that cannot be read, or that never rests.
pub fn at_once(place: &Place) -> Result<(Vec<LedgerFile>, Vec<Segment>)> {
    // In this order: what is moved away is listed before it goes, what is put back is there before
    // the list knows.
    let look =
        || -> Result<(Vec<OsString>, Vec<Segment>)> { Ok((names(&place.archive()), load(place)?)) };
    let mut before = look()?;
    for _ in 0..LOOKS_MAX {
        let older = files::older(place)?;
        let after = look()?;
        if before == after {
            return Ok((older, after.1));
        }
        before = after;
    }
    Err(Error::Gone { path: place.archive() })
}

/// The names in a folder; none where it cannot be read, which is told of elsewhere.
fn names(folder: &Path) -> Vec<OsString> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<OsString> = entries.map(|entry| entry.file_name()).collect();
    names.sort_unstable();
    names
}

/// Those of the listed segments whose rows these files of the work tree do not hold.
///
/// # Errors
/// A file that went away meanwhile.
pub fn unseen_beside(
    older: &[LedgerFile],
    listed: Vec<Segment>,
    border: Option<Day>,
) -> Result<Vec<Absent>> {
    let sealed = older.iter().filter(|file| file.role == Role::Sealed);
    let present: Vec<(String, &Path)> =
        sealed.map(|file| (file.name().to_owned(), file.path.as_path())).collect();
    unseen(listed, &present, border, &mut |name, path| match File::open(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            Err(Error::Gone { path: path.to_path_buf() })
        }
        // One that is damaged is told of where it is read.
        file => Ok(file.and_then(|file| Segment::look(name, file)).ok().and_then(|it| it.segment)),
    })
}

/// Those of the ledger's segments whose rows reports of the work tree do not see.
///
/// # Errors
/// A list or a folder that cannot be read.
pub fn unseen_in(place: &Place) -> Result<Vec<Absent>> {
    let (older, listed) = at_once(place)?;
    unseen_beside(&older, listed, border::load(place)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segment(name: &str) -> Segment {
        let at = |text| Timestamp::parse(text).unwrap();
        Segment {
            name: name.to_owned(),
            rows: 12,
            first: at("2026-02-23T22:19:28+01:00"),
            last: at("2026-03-01T00:30:00.000001Z"),
            bytes: 1_234,
            sha256: sha256(b"x"),
        }
    }

    #[test]
    fn a_list_is_read_back_and_merged() {
        let all = [segment("team, one-1.csv"), segment("usage-1.csv.gz"), segment("usage-2.csv")];
        let text = text(&all);
        let path = Path::new("archived.csv");
        assert_eq!(parse(&text, path).unwrap(), all);
        let twice =
            format!("<<<<<<< HEAD\n{text}=======\n{}\n>>>>>>> topic\n", text.replace('\n', "\r\n"));
        assert_eq!(parse(&twice, path).unwrap(), all);
        let bad = text.replace("usage-2", "../usage-2");
        match parse(&bad, path) {
            Err(Error::Config { line, .. }) => assert_eq!(line, Some(4)),
            other => panic!("{other:?}"),
        }
        for (from, to) in [
            ("12,", "012,"),
            ("12,", "18446744073709551615,"),
            ("T22", "t22"),
            ("usage-2.csv", "usage-2.txt"),
        ] {
            assert!(parse(&text.replace(from, to), path).is_err(), "{from}");
        }
    }

    #[test]
    fn what_is_there_in_any_form_is_seen() {
        let name = "usage-20260223T211928Z-0123abcd.csv";
        let packed = format!("{name}.gz");
        let other = Segment { rows: 13, sha256: sha256(b"y"), ..segment(name) };
        let names = |present: &[(&str, &Segment)], border: Option<&str>| {
            let present: Vec<_> =
                present.iter().map(|(name, it)| (name.to_string(), *it)).collect();
            let look = &mut |_: &str, it: &&Segment| Ok(Some((*it).clone()));
            let listed = vec![segment(name), segment(&packed), other.clone()];
            let unseen = unseen(listed, &present, border.and_then(Day::parse), look).unwrap();
            unseen.into_iter().map(|it| (it.segment.rows, it.is_at_most)).collect::<Vec<_>>()
        };
        let own = segment(name);
        assert_eq!(names(&[], None), [(12, false), (13, false)]);
        // Another branch's segment that begins with the same row is not it.
        assert_eq!(names(&[(name, &own)], None), [(13, true)]);
        assert_eq!(names(&[(&packed, &segment(&packed))], None), [(13, true)]);
        let second = "usage-20260223T211928Z-0123abcd-2.csv";
        let renamed = Segment { name: second.to_owned(), ..other.clone() };
        assert_eq!(names(&[(name, &own), (second, &renamed)], None), []);
        assert_eq!(names(&[], Some("2026-03-01")), [(12, true), (13, true)]);
        assert_eq!(names(&[], Some("2026-03-02")), []);
        assert_eq!(seal(second), seal(&packed));
        assert_eq!(seal("usage-1.csv.gz"), "usage-1.csv");
    }

    #[test]
    fn a_look_tells_what_a_file_holds() {
        let text = format!(
            "{}\n2026-03-01T00:30:00+02:00,m,1,2,true,plan,3,\ngarbage\n\
             2026-02-28T23:30:00Z,m,1,2,true,plan,3,\n",
            crate::row::HEADER
        );
        let Look { segment, newest } = Segment::look("usage-1.csv", text.as_bytes()).unwrap();
        let segment = segment.unwrap();
        assert_eq!((segment.rows, segment.bytes), (2, text.len() as u64));
        assert_eq!(segment.sha256, sha256(text.as_bytes()));
        assert_eq!(segment.first.to_string(), "2026-03-01T00:30:00+02:00");
        assert_eq!(segment.last.to_string(), "2026-02-28T23:30:00Z");
        assert_eq!(newest, Day::parse("2026-03-01"));
        assert_eq!(Segment::look("usage-1.csv", &b""[..]).unwrap().segment, None);
    }
}
