//! Events on the disk: appended as rows are, sealed as they are, and read back in order of time. They
//! are the user's alone and never committed.

mod tally;

use std::fs::{self, File};
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::str;

use hashbrown::HashSet;

use crate::error::{Error, Result};
use crate::event::id::Id;
use crate::event::{Dropped, Event};
use crate::ledger::around::Around;
use crate::ledger::events::tally::Tally;
use crate::ledger::files;
use crate::ledger::lock::Lock;
use crate::ledger::segment::{self, Newest, Outcome, Policy};
use crate::ledger::tail::Format;
use crate::row::{LINE_BYTES_MAX, line_hash};
use crate::timestamp::Timestamp;
use crate::workspace::{EventLimits, Place};

/// What the bytes of our files mean: lines, and no header.
const FORMAT: Format = Format {
    header: "",
    is_private: true,
    is_row: |line| read_line(line).is_some(),
    // An event is one line, so a torn one began with its line.
    begins_row: |_| true,
    seal,
};

/// What became of events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// How many are stored.
    pub written: u64,
    /// How many are not, by the repository's limits.
    pub dropped: Dropped,
    /// What else was done.
    pub outcome: Outcome,
}

/// Appends events, as many as the limits let through: all of those, or none. What was dropped, and
/// `failed` before, is said by the first that is stored from then on.
///
/// # Errors
/// Any but [`Error::SyncFailed`] means that no event was added.
pub fn append(
    place: &Place,
    policy: &Policy,
    events: &mut [Event],
    limits: &EventLimits,
    now: Timestamp,
    failed: u64,
) -> Result<Written> {
    for path in [place.active(), place.archive()] {
        if path.is_symlink() {
            return Err(Error::NotAFile { path });
        }
    }
    let is_limited = *limits != EventLimits::default();
    // Where nothing was ever counted, nobody need wait for who counts.
    let counts = is_limited || place.tally().exists();
    let lock = counts.then(|| Lock::take(&place.tally_lock(), policy.wait)).transpose()?;
    let before = if counts { Tally::load(place)? } else { Tally::default() };
    let mut tally = before;
    let kept: Vec<&mut Event> =
        events.iter_mut().filter_map(|event| tally.admit(event, limits, now.instant())).collect();
    let mut written = Written {
        written: kept.len() as u64,
        dropped: tally.since(&before),
        outcome: Outcome::default(),
    };
    let appended = append_kept(place, policy, kept, tally.told(failed));
    if counts {
        match &appended {
            Ok(Some(_)) | Err(Error::SyncFailed { .. }) => tally.dropped = Dropped::default(),
            Ok(None) => tally.dropped = tally.told(failed),
            // What was to be stored is not; the caller counts it.
            Err(_) => tally.count = before.count_at(tally.minute),
        }
        let kept = tally.save(place);
        // What happened to the events is what the caller must hear of first.
        written.outcome = appended?.unwrap_or_default();
        kept?;
    } else {
        written.outcome = appended?.unwrap_or_default();
    }
    drop(lock);
    Ok(written)
}

/// None where there is nothing to be appended.
fn append_kept(
    place: &Place,
    policy: &Policy,
    mut kept: Vec<&mut Event>,
    dropped: Dropped,
) -> Result<Option<Outcome>> {
    let Some(first) = kept.first_mut() else { return Ok(None) };
    first.dropped = dropped;
    let mut lines = String::with_capacity(kept.len() * 256);
    for event in &kept {
        event.write_line(&mut lines);
        lines.push('\n');
    }
    let mut bytes = lines.into_bytes();
    // Asked for once.
    let mut compose = |_: &Newest| Ok(std::mem::take(&mut bytes));
    let appended = segment::append(place, policy, &FORMAT, &Around::NOTHING, &mut compose)?;
    Ok(Some(appended))
}

/// How many events were dropped since a line last said so.
///
/// # Errors
/// A tally that cannot be read.
pub fn dropped(place: &Place) -> Result<Dropped> {
    Ok(Tally::load(place)?.dropped)
}

/// Every file with events once, oldest first, each with what it is called in messages: its path below
/// the ledger's folder.
///
/// # Errors
/// A folder that cannot be read.
pub fn files(place: &Place) -> Result<Vec<(PathBuf, String)>> {
    let folder = place.archive();
    let name = |path: &PathBuf| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let mut files = Vec::new();
    match fs::read_dir(&folder) {
        Ok(entries) => {
            let begin = format!("{}-", place.stem().to_string_lossy());
            for entry in entries {
                let path = entry.map_err(|error| Error::io("list", &folder, &error))?.path();
                let name = name(&path);
                let is_ours = name.starts_with(&begin) && name.ends_with(place.extension());
                // What a link leads to was not written here.
                if is_ours && path.symlink_metadata().is_ok_and(|meta| meta.is_file()) {
                    files.push((path, format!("{}/{name}", place.stem().to_string_lossy())));
                }
            }
        }
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {}
        Err(error) => return Err(Error::io("list", &folder, &error)),
    }
    // The names begin with the time of the first event.
    files.sort_by(|a, b| a.1.cmp(&b.1));
    let active = place.active();
    let is_there = active.symlink_metadata().is_ok_and(|meta| meta.is_file());
    // A rotation that was cut short leaves one file under two names.
    if is_there && !files.iter().any(|(path, _)| files::is_same(path, &active)) {
        let label = name(&active);
        files.push((active, label));
    }
    Ok(files)
}

/// What stands in a line of a file.
#[allow(
    clippy::large_enum_variant,
    reason = "there is one at a time, and it is nearly always an event"
)]
pub enum Line<'a> {
    /// An event.
    Event(Event),
    /// Something else, and why.
    Bad(&'a str),
}

/// Takes a line: its number, the first being 1; its bytes without the line end; what stands in it; and
/// whether it has a line end, which the last may lack.
pub type Found<'a> = dyn FnMut(u64, &[u8], Line<'_>, bool) + 'a;

/// Reads one file of [`files()`], line by line.
///
/// # Errors
/// A file that cannot be read.
pub fn read(path: &Path, found: &mut Found<'_>) -> Result<()> {
    let mut bytes = Vec::new();
    match File::open(path).and_then(|mut file| file.read_to_end(&mut bytes)) {
        Ok(_) => {}
        // It was sealed or purged since it was listed.
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(Error::io("read", path, &error)),
    }
    for (number, line) in (1..).zip(bytes.split_inclusive(|byte| *byte == b'\n')) {
        let (line, is_whole) = match line.strip_suffix(b"\n") {
            Some(line) => (line, true),
            None => (line, false),
        };
        let parsed = match str::from_utf8(line) {
            Ok(text) => Event::parse(text).map_err(|refused| refused.to_string()),
            Err(_) => Err("is not UTF-8".to_owned()),
        };
        match parsed {
            Ok(event) => found(number, line, Line::Event(event), is_whole),
            Err(why) => found(number, line, Line::Bad(&why), is_whole),
        }
    }
    Ok(())
}

/// All events of a place.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Events {
    /// In order of time, each once.
    pub events: Vec<Event>,
    /// Lines that cannot be read, as `file:line: what`.
    pub unreadable: Vec<String>,
    /// How many events were dropped and by no line are said to be.
    pub dropped: Dropped,
}

/// Reads all events, in order of time.
///
/// # Errors
/// A file or folder that cannot be read.
pub fn all(place: &Place) -> Result<Events> {
    let mut all = Events { dropped: dropped(place)?, ..Events::default() };
    for (path, label) in files(place)? {
        read(&path, &mut |number, bytes, line, _| match line {
            Line::Event(event) => all.events.push(event),
            Line::Bad(_) if bytes.trim_ascii().is_empty() => {}
            Line::Bad(why) => all.unreadable.push(format!("{label}:{number}: {why}")),
        })?;
    }
    // Who writes it down later may have read the clock before.
    all.events.sort_by_key(|event| (event.at.instant(), event.id));
    let mut seen: HashSet<Id> = HashSet::with_capacity(all.events.len());
    all.events.retain(|event| seen.insert(event.id));
    Ok(all)
}

fn read_line(line: &[u8]) -> Option<Event> {
    if line.len() > LINE_BYTES_MAX {
        return None;
    }
    Event::parse(str::from_utf8(line).ok()?.trim_end()).ok()
}

fn seal(first: &[u8]) -> String {
    let time =
        read_line(first).map_or_else(|| "00000000T000000Z".to_owned(), |it| it.at.compact_utc());
    format!("{time}-{}", line_hash(first, 4))
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::time::Duration;

    use crate::event::name::Name;
    use crate::ledger::events::tally::lot;
    use crate::privacy::private;
    use crate::timestamp::Instant;
    use crate::workspace::Durability;

    const POLICY: Policy =
        Policy { max_size: 1 << 20, durability: Durability::None, wait: Duration::from_secs(10) };

    fn at(seconds: i64) -> Timestamp {
        Timestamp::utc(Instant { seconds: 1_771_885_140 + seconds, nanos: 0 })
    }

    fn event(number: u64, name: &str) -> Event {
        let at = at(number as i64);
        let mut event =
            Event::new(Id::new(at.instant(), number << 2), at, Name::parse(name).unwrap());
        event.correlation = format!("c{number}");
        event
    }

    fn place() -> (tempfile::TempDir, Place) {
        let folder = tempfile::tempdir().unwrap();
        let place = Place::named(folder.path(), "usage.csv").events();
        (folder, place)
    }

    fn add(place: &Place, events: &mut [Event], limits: &EventLimits, seconds: i64) -> Written {
        append(place, &POLICY, events, limits, at(seconds), 0).unwrap()
    }

    #[test]
    fn what_is_beyond_the_limit_of_a_minute_is_counted() {
        let (_folder, place) = place();
        let limits = EventLimits { sample: None, per_minute: Some(3) };
        for number in 0..5 {
            let written = add(&place, &mut [event(number, "agent.started")], &limits, 0);
            assert_eq!(written.written, u64::from(number < 3));
        }
        assert_eq!(dropped(&place).unwrap().limited, 2);
        // The next minute.
        let mut next: Vec<Event> = (5..10).map(|it| event(it, "agent.started")).collect();
        assert_eq!(add(&place, &mut next, &limits, 60).written, 3);
        let all = all(&place).unwrap();
        let told: Vec<u64> = all.events.iter().map(|it| it.dropped.limited).collect();
        // Five started and two were left out, then five and two.
        assert_eq!(told, [0, 0, 0, 4, 0, 0]);
        assert!(all.dropped.is_none() && all.unreadable.is_empty());
    }

    #[test]
    fn a_limit_counts_what_another_process_wrote_and_survives_a_torn_tally() {
        let (_folder, place) = place();
        let limits = EventLimits { sample: None, per_minute: Some(1) };
        assert_eq!(add(&place, &mut [event(1, "a.b")], &limits, 0).written, 1);
        assert_eq!(add(&place, &mut [event(2, "a.b")], &limits, 0).written, 0);
        // Without limits, what was counted before is said.
        assert_eq!(add(&place, &mut [event(3, "a.b")], &EventLimits::default(), 0).written, 1);
        assert_eq!(all(&place).unwrap().events[1].dropped.limited, 1);
        fs::write(place.tally(), "garbage").unwrap();
        assert_eq!(add(&place, &mut [event(4, "a.b")], &limits, 0).written, 1);
    }

    #[test]
    fn a_sample_keeps_whole_sessions_and_says_its_share() {
        let (_folder, place) = place();
        let limits = EventLimits { sample: Some(0.25), per_minute: None };
        let mut events: Vec<Event> = (0..400).map(|it| event(it, "agent.started")).collect();
        for (number, event) in events.iter_mut().enumerate() {
            event.session = Some(format!("s_{}", number / 4));
        }
        let written = add(&place, &mut events, &limits, 0);
        assert_eq!(written.written + written.dropped.sampled, 400);
        let all = all(&place).unwrap();
        assert_eq!(all.events.len() as u64, written.written);
        // The lots are drawn by the names of sessions, which never change: so it is always as many.
        assert_eq!(all.events.len(), 72);
        let mut sessions: Vec<_> = all.events.iter().map(|it| it.session.clone()).collect();
        assert!(all.events.iter().all(|it| it.sample == Some(0.25)));
        sessions.dedup();
        assert_eq!(sessions.len(), 18, "a session is kept whole or not at all");
        assert_eq!(all.events[0].dropped.sampled, 328);
        let drawn = (0..10_000).filter(|number| lot(&event(*number, "a.b")) < 0.25).count();
        assert!((2_400..2_600).contains(&drawn), "{drawn} of 10,000 drew a lot below a quarter");
        let alert = add(&place, &mut [event(1_000, "alert.raised")], &limits, 0);
        assert_eq!((alert.written, alert.dropped), (1, Dropped::default()));
    }

    #[test]
    fn files_are_sealed_into_their_own_folder_and_read_in_order() {
        let (folder, place) = place();
        let policy = Policy { max_size: 400, ..POLICY };
        for number in [5, 1, 4, 2, 3, 9, 8, 7, 6, 0] {
            let mut events = [event(number, "agent.started")];
            append(&place, &policy, &mut events, &EventLimits::default(), at(0), 0).unwrap();
        }
        let files = files(&place).unwrap();
        assert!(files.len() > 2, "{files:?}");
        assert!(files[0].1.starts_with("events/events-20260223T"), "{files:?}");
        assert_eq!(files.last().unwrap().1, "events.jsonl");
        let all = all(&place).unwrap();
        let order: Vec<&str> = all.events.iter().map(|it| it.correlation.as_str()).collect();
        assert_eq!(order, ["c0", "c1", "c2", "c3", "c4", "c5", "c6", "c7", "c8", "c9"]);
        // The same file once more is no other event.
        fs::copy(&files[0].0, folder.path().join("events/events-zz.jsonl")).unwrap();
        assert_eq!(super::all(&place).unwrap().events.len(), 10);
    }

    #[cfg(unix)]
    #[test]
    fn files_are_their_owners_alone_and_no_link_is_followed() {
        use std::os::unix::fs::{PermissionsExt, symlink};
        let mode = |path: &std::path::Path| path.metadata().unwrap().permissions().mode() & 0o777;
        let (folder, place) = place();
        let limits = EventLimits { sample: None, per_minute: Some(1_000) };
        let policy = Policy { max_size: 400, ..POLICY };
        for number in 0..8 {
            let mut events = [event(number, "agent.started")];
            append(&place, &policy, &mut events, &limits, at(0), 0).unwrap();
        }
        assert_eq!(mode(&place.archive()), 0o700);
        assert_eq!(mode(&place.tally()), 0o600);
        for (path, _) in files(&place).unwrap() {
            assert_eq!(mode(&path), 0o600, "{}", path.display());
        }
        // A torn line is kept as private as the rest.
        fs::write(place.active(), "{\"v\":1,\"id\":").unwrap();
        fs::set_permissions(place.active(), fs::Permissions::from_mode(0o644)).unwrap();
        let none = EventLimits::default();
        let written = append(&place, &POLICY, &mut [event(9, "a.b")], &none, at(0), 0).unwrap();
        assert_eq!(written.outcome.torn_bytes, 12);
        assert_eq!((mode(&place.active()), mode(&place.torn())), (0o600, 0o600));
        for linked in [place.active(), place.archive(), place.torn(), place.tally()] {
            let (_folder, place) = self::place();
            let path = place.folder().join(linked.strip_prefix(folder.path()).unwrap());
            let victim = place.folder().join("victim");
            fs::write(&victim, "theirs").unwrap();
            if path == place.torn() {
                fs::write(place.active(), "torn").unwrap();
            }
            if path == place.tally() {
                private::make_folder(&place.archive()).unwrap();
            }
            symlink(&victim, &path).unwrap();
            append(&place, &POLICY, &mut [event(1, "a.b")], &limits, at(0), 0).unwrap_err();
            assert_eq!(fs::read(&victim).unwrap(), b"theirs", "{}", path.display());
        }
    }
}
