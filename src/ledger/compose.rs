//! Rows → lines to be appended: each stamped so that it is unlike every other, and none that stands
//! in the ledger already.

use std::fs::{self, File};
use std::hash::BuildHasher;
use std::io::{self, ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::str;
use std::time::{Duration, SystemTime};

use hashbrown::{DefaultHashBuilder, HashTable, hash_table};

use crate::error::{Error, Result, shown};
use crate::ledger::border;
use crate::ledger::disk;
use crate::ledger::files::{self, LedgerFile, Role};
use crate::ledger::gzip;
use crate::ledger::segment::{Newest, Outcome};
use crate::ledger::tail;
use crate::row::{LINE_BYTES_MAX, Row};
use crate::timestamp::{Instant, Timestamp};
use crate::workspace::Place;

/// Files are looked through by so much at a time, more than any line of ours is long.
const LOOK_BYTES: usize = 4 * LINE_BYTES_MAX;

/// A row on its way into the ledger.
#[derive(Clone, Debug)]
pub struct Entry<'a> {
    /// The row; its timestamp is a placeholder where the clock is to stamp it.
    pub row: Row<'a>,
    /// Whether the timestamp was given, so that it must not be altered.
    pub is_dated: bool,
}

impl Entry<'_> {
    /// The same, independent of what it was read from.
    pub fn into_owned(self) -> Entry<'static> {
        Entry { row: self.row.into_owned(), is_dated: self.is_dated }
    }
}

/// What became of the rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Appended {
    /// Rows that are in the ledger now and were not before.
    pub added: usize,
    /// Rows with a given timestamp that stood there already, byte for byte.
    pub already_there: usize,
    /// What else was done.
    pub outcome: Outcome,
}

impl Appended {
    /// What lines were made of these rows.
    pub(super) fn count(&mut self, lines: &Lines, entries: &[Entry<'_>]) {
        self.added = lines.added;
        self.already_there = entries.len() - lines.added;
    }
}

/// Lines to be appended, and how many they are.
pub(super) struct Lines {
    pub(super) bytes: Vec<u8>,
    pub(super) added: usize,
}

/// Makes the lines; `journal` holds rows that wait for this ledger, each behind a prefix.
pub(super) fn lines(
    place: &Place,
    journal: Option<(&Path, &str)>,
    entries: &mut [Entry<'_>],
    now: Timestamp,
    newest: &Newest,
) -> Result<Lines> {
    refuse_pruned(place, entries, now)?;
    let mut dated = Dated::of(entries);
    dated.look_for(place, journal)?;
    let mut past = Past {
        row: newest.line.as_deref().and_then(instant_of),
        changed: newest.changed.and_then(instant_of_change),
        stamped: None,
    };
    // A file without rows may follow others that have some; fragments stand side by side.
    if past.row.is_none() || beside(place).is_some() {
        past.look_around(place, journal.is_some())?;
    }
    if dated.spans.len() == entries.len() && !dated.are_there.contains(&true) {
        return Ok(Lines { bytes: dated.lines, added: entries.len() });
    }
    let mut lines = Lines { bytes: Vec::new(), added: 0 };
    let mut given = dated.spans.iter().zip(&dated.are_there);
    let mut stamp = String::new();
    for entry in entries {
        if !entry.is_dated {
            entry.row.at = past.stamp(now);
            stamp.clear();
            entry.row.at.write_to(&mut stamp);
            entry.row.write_line_at(&stamp, &mut lines.bytes);
        } else if let Some(((start, end), is_there)) = given.next() {
            if *is_there {
                continue;
            }
            lines.bytes.extend_from_slice(&dated.lines[*start..*end]);
        }
        past.row = Some(entry.row.at.instant());
        lines.added += 1;
    }
    Ok(lines)
}

/// The file that bears the ledger's name, where rows go to a fragment instead.
fn beside(place: &Place) -> Option<PathBuf> {
    let path = place.without_fragment().active();
    (path != place.active()).then_some(path)
}

fn changed(path: impl AsRef<Path>) -> Option<SystemTime> {
    fs::metadata(path).and_then(|meta| meta.modified()).ok()
}

/// What is stored is counted: so no row from before the border is taken. Looked at under the lock,
/// for somebody may prune meanwhile.
fn refuse_pruned(place: &Place, entries: &[Entry<'_>], now: Timestamp) -> Result<()> {
    let Some(border) = border::load(place)? else { return Ok(()) };
    for entry in entries {
        let at = if entry.is_dated { entry.row.at } else { now };
        if at.day() < border {
            let stamp = if entry.is_dated { entry.row.stamp.to_string() } else { now.to_string() };
            return Err(Error::Field {
                problem: border::refuse(&stamp, border).to_string(),
                why: "no reader counts a row from before the newest date in the file of what was pruned",
                fix: format!(
                    "to keep such rows again, take the later dates out of {}",
                    shown(&place.pruned())
                ),
            });
        }
    }
    Ok(())
}

/// What a row that the clock stamps must be unlike.
struct Past {
    /// The moment of the ledger's last row.
    row: Option<Instant>,
    /// When the ledger was last changed, a little later than the file system says.
    changed: Option<Instant>,
    /// The moment of the last row that this writer stamped.
    stamped: Option<Instant>,
}

impl Past {
    /// Looks at the last rows of the other files, too; behind all of them stands a journal.
    fn look_around(&mut self, place: &Place, is_journal: bool) -> Result<()> {
        let (fragments, segments): (Vec<_>, Vec<_>) =
            files::older(place)?.into_iter().partition(|file| file.role == Role::Fragment);
        let active = if is_journal { Some(place.active()) } else { beside(place) };
        let last = [segments.into_iter().next_back(), newest_of(fragments)].into_iter().flatten();
        for path in last.map(|file| file.path).chain(active.filter(|path| path.exists())) {
            let last = last_instant(&path).map_err(|error| Error::io("read", &path, &error))?;
            self.row = self.row.max(last);
            // `compact` and other writers may have been here within this second.
            if beside(place).is_some() {
                self.changed = self.changed.max(changed(&path).and_then(instant_of_change));
            }
        }
        Ok(())
    }

    /// Whole seconds, unless the ledger's last row is of the same second or of a later one, or rows
    /// of other times were added within this second; then the clock's real microseconds, at least
    /// one more than a row of the same second. A mere counter would collide between branches.
    fn stamp(&mut self, now: Timestamp) -> Timestamp {
        let Instant { seconds, nanos } = now.instant();
        let is_shared = |it: Option<Instant>| it.is_some_and(|it| it.seconds >= seconds);
        let mut micros =
            match is_shared(self.row) || is_shared(self.changed) || is_shared(self.stamped) {
                true => nanos / 1_000,
                false => 0,
            };
        let same_second = [self.row, self.stamped].into_iter().flatten();
        for other in same_second.filter(|it| it.seconds == seconds) {
            micros = micros.max(other.nanos / 1_000 + 1);
        }
        let at = now.at_microsecond(seconds + i64::from(micros / 1_000_000), micros % 1_000_000);
        self.stamped = Some(at.instant());
        at
    }
}

/// File systems stamp changes by a clock that lags behind the one that stamps rows, by one tick of
/// the kernel at most.
fn instant_of_change(changed: SystemTime) -> Option<Instant> {
    let since =
        (changed + Duration::from_millis(20)).duration_since(SystemTime::UNIX_EPOCH).ok()?;
    Some(Instant { seconds: since.as_secs() as i64, nanos: since.subsec_nanos() })
}

fn instant_of(line: &[u8]) -> Option<Instant> {
    let text = str::from_utf8(line).ok()?;
    let stamp = text.split(',').next()?.trim_matches('"');
    Timestamp::parse_liberally(stamp).map(Timestamp::instant)
}

/// Names tell the day of a fragment; the file system tells which was written last.
pub(super) fn newest_of(fragments: Vec<LedgerFile>) -> Option<LedgerFile> {
    fragments.into_iter().max_by_key(|file| (changed(&file.path), file.label.clone()))
}

fn last_instant(path: &Path) -> io::Result<Option<Instant>> {
    let window = LINE_BYTES_MAX * 2;
    let text = match gzip::is_compressed(path) {
        true => gzip::end(path, window)?,
        false => {
            let file = File::open(path)?;
            let bytes = file.metadata()?.len();
            let start = bytes.saturating_sub(window as u64);
            disk::read(&file, start, bytes - start)?
        }
    };
    Ok(tail::last_line(&text, false).and_then(instant_of))
}

/// The lines of rows with given timestamps, and which of them stand in the ledger already or twice
/// among themselves.
#[derive(Default)]
struct Dated {
    lines: Vec<u8>,
    /// Where each line begins and ends, in the rows' order.
    spans: Vec<(usize, usize)>,
    are_there: Vec<bool>,
    /// Lines by their bytes, as places in `spans`.
    places: HashTable<usize>,
    hasher: DefaultHashBuilder,
    /// How long they are: most lines of a ledger are not.
    lengths: u64,
}

/// A line without its line end.
fn without_end(lines: &[u8], (start, end): (usize, usize)) -> &[u8] {
    &lines[start..end - 1]
}

fn length_bit(line: &[u8]) -> u64 {
    1 << (line.len() % 64)
}

impl Dated {
    fn of(entries: &[Entry<'_>]) -> Dated {
        let mut dated = Dated::default();
        let count = entries.iter().filter(|entry| entry.is_dated).count();
        dated.spans.reserve(count);
        dated.places.reserve(count, |_| 0);
        for entry in entries.iter().filter(|entry| entry.is_dated) {
            let (start, place) = (dated.lines.len(), dated.spans.len());
            entry.row.write_line(&mut dated.lines);
            let Dated { lines, spans, are_there, places, hasher, lengths } = &mut dated;
            spans.push((start, lines.len()));
            let line = |place: usize| without_end(lines, spans[place]);
            *lengths |= length_bit(line(place));
            let hash = |place: &usize| hasher.hash_one(line(*place));
            let equal = |it: &usize| line(*it) == line(place);
            let known = places.entry(hash(&place), equal, hash);
            are_there.push(matches!(known, hash_table::Entry::Occupied(_)));
            known.or_insert(place);
        }
        dated
    }

    /// Marks a line that stands in the ledger.
    fn mark(&mut self, found: &[u8]) {
        if self.lengths & length_bit(found) == 0 {
            return;
        }
        let line = |place: &usize| without_end(&self.lines, self.spans[*place]);
        let hash = self.hasher.hash_one(found);
        if let Some(place) = self.places.find(hash, |it| line(it) == found) {
            self.are_there[*place] = true;
        }
    }

    /// Marks the lines that stand in any file of the ledger.
    fn look_for(&mut self, place: &Place, journal: Option<(&Path, &str)>) -> Result<()> {
        if self.spans.is_empty() {
            return Ok(());
        }
        let files = files::older(place)?.into_iter().chain([files::active(place)]);
        let files = files.map(|file| file.path).chain(beside(place)).map(|path| (path, ""));
        let journal = journal.map(|(path, prefix)| (path.to_owned(), prefix));
        for (path, prefix) in files.chain(journal) {
            match self.look_in(&path, prefix) {
                Err(error) if error.kind() != ErrorKind::NotFound => {
                    return Err(Error::io("read", &path, &error));
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn look_in(&mut self, path: &Path, prefix: &str) -> io::Result<()> {
        let mut file = gzip::open(path)?;
        let mut buffer = vec![0; LOOK_BYTES];
        // What stands at its start already: the begin of a line.
        let mut kept = 0;
        let mut is_cut = false;
        loop {
            let filled = kept + file.read(&mut buffer[kept..])?;
            let is_over = filled == kept;
            let text = &buffer[..filled];
            let mut start = 0;
            for end in memchr::memchr_iter(b'\n', text).chain(is_over.then_some(filled)) {
                // An editor may have taken the last line end, or made CRLF of it.
                let line = text[start..end].trim_ascii_end();
                if let Some(row) = line.strip_prefix(prefix.as_bytes())
                    && !is_cut
                {
                    self.mark(row);
                }
                is_cut = false;
                start = end + 1;
            }
            if is_over {
                return Ok(());
            }
            kept = filled - start;
            if kept == buffer.len() {
                // No line of ours; what comes of it is none either.
                is_cut = true;
                kept = 0;
            }
            buffer.copy_within(filled - kept..filled, 0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(text).unwrap()
    }

    #[test]
    fn a_row_of_the_clock_is_unlike_the_last_one() {
        let now = at("2026-02-23T22:19:12.483920+01:00");
        for (last, stamped) in [
            ("2026-02-23T21:19:11.999999Z", "2026-02-23T22:19:12+01:00"),
            ("2026-02-23T21:19:12Z", "2026-02-23T22:19:12.483920+01:00"),
            ("2026-02-23T21:19:12.483920Z", "2026-02-23T22:19:12.483921+01:00"),
            ("2026-02-23T21:19:12.9Z", "2026-02-23T22:19:12.900001+01:00"),
            ("2026-02-23T21:19:12.999999Z", "2026-02-23T22:19:13+01:00"),
            ("2027-01-01T00:00:00Z", "2026-02-23T22:19:12.483920+01:00"),
        ] {
            let row = Some(at(last).instant());
            let mut past = Past { row, changed: None, stamped: None };
            assert_eq!(past.stamp(now).to_string(), stamped, "{last}");
        }
        let mut past = Past { row: None, changed: None, stamped: None };
        assert_eq!(past.stamp(now).to_string(), "2026-02-23T22:19:12+01:00");
        assert_eq!(past.stamp(now).to_string(), "2026-02-23T22:19:12.483920+01:00");
        past.row = Some(at("2020-01-01T00:00:00Z").instant());
        assert_eq!(past.stamp(now).to_string(), "2026-02-23T22:19:12.483921+01:00");
        let changed = Some(at("2026-02-23T21:19:12Z").instant());
        let mut past = Past { changed, ..past };
        past.stamped = None;
        assert_eq!(past.stamp(now).to_string(), "2026-02-23T22:19:12.483920+01:00");
    }

    #[test]
    fn a_row_is_found_wherever_it_stands() {
        let line = "2026-02-23T21:19:12Z,m,1,2,true,plan,3,";
        let row = Row::parse(line).unwrap();
        let other = Row::parse("2026-02-23T21:19:13Z,m,1,2,true,plan,3,").unwrap();
        let file = tempfile::NamedTempFile::new().unwrap();
        let is_found = |text: &str| {
            fs::write(file.path(), text).unwrap();
            let entries = [&other, &row].map(|row| Entry { row: row.clone(), is_dated: true });
            let mut dated = Dated::of(&entries);
            dated.look_in(file.path(), "").unwrap();
            assert!(!dated.are_there[0]);
            dated.are_there[1]
        };
        for before in (0..200).chain(LOOK_BYTES - 100..LOOK_BYTES + 5).chain([3 * LOOK_BYTES]) {
            let filling = "x".repeat(before);
            for end in ["", "\n", "\r\n", "  \nmore\n"] {
                assert!(is_found(&format!("{filling}\n{line}{end}")), "{before} {end:?}");
            }
            assert!(before == 0 || !is_found(&format!("{filling}{line}\n")), "{before}");
        }
        assert!(is_found(line) && !is_found("") && !is_found(&line[1..]));
    }
}
