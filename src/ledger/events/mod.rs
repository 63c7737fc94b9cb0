//! Events on the disk: appended as rows are, and sealed as they are, day by day. They are the user's
//! alone, never committed, and deleted when they are old.

pub mod tally;
pub mod reading;
mod retention;
pub mod repair;

use std::str;

use crate::error::{Error, Result};
use crate::event::{Dropped, Event};
use crate::ledger::around::Around;
use crate::ledger::events::tally::Tally;
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
    /// How many files of old events were deleted.
    pub expired: usize,
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
    let is_limited = limits.sample.is_some() || limits.per_minute.is_some();
    let policy = &Policy { seal_unchanged_since: retention::midnight(now), ..*policy };
    // Where nothing was ever counted, nobody need wait for who counts.
    let counts = is_limited || place.tally().exists();
    let lock = counts.then(|| Lock::take(&place.tally_lock(), policy.wait)).transpose()?;
    let before = if counts { Tally::load(place)? } else { Tally::default() };
    let mut tally = before;
    let kept: Vec<&mut Event> =
        events.iter_mut().filter_map(|event| tally.admit(event, limits, now.instant())).collect();
    let mut written =
        Written { written: kept.len() as u64, dropped: tally.since(&before), ..Written::default() };
    let appended = append_kept(place, policy, kept, tally.told(failed));
    if counts {
        match &appended {
            Ok(Some(_)) | Err(Error::SyncFailed { .. }) => tally.dropped = Dropped::default(),
            Ok(None) => tally.dropped = tally.told(failed),
            // What was to be stored is not; the caller counts it.
            Err(_) => tally.count = before.count_at(tally.minute),
        }
        let saved = tally.save(place);
        let appended = appended?;
        // What is stored is stored, whatever becomes of a count of what is not.
        if appended.is_none() {
            saved?;
        }
        written.outcome = appended.unwrap_or_default();
    } else {
        written.outcome = appended?.unwrap_or_default();
    }
    drop(lock);
    if written.outcome.sealed > 0 {
        written.expired = retention::sweep(place, limits.keep, now);
    }
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

    use std::fs::{self, File};
    use std::time::{Duration, SystemTime};

    use crate::event::id::Id;
    use crate::event::name::Name;
    use crate::ledger::events::reading::{self, all, files};
    use crate::ledger::events::tally::{dropped, lot};
    use crate::privacy::private;
    use crate::timestamp::Instant;
    use crate::workspace::Durability;

    const POLICY: Policy = Policy {
        max_size: 1 << 20,
        durability: Durability::None,
        wait: Duration::from_secs(10),
        seal_unchanged_since: None,
    };

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
        let limits = EventLimits { per_minute: Some(3), ..EventLimits::default() };
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
        let limits = EventLimits { per_minute: Some(1), ..EventLimits::default() };
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
        let limits = EventLimits { sample: Some(0.25), ..EventLimits::default() };
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
        assert!(files[0].label.starts_with("events/events-20260223T"), "{files:?}");
        assert_eq!(files.last().unwrap().label, "events.jsonl");
        let all = all(&place).unwrap();
        let order: Vec<&str> = all.events.iter().map(|it| it.correlation.as_str()).collect();
        assert_eq!(order, ["c0", "c1", "c2", "c3", "c4", "c5", "c6", "c7", "c8", "c9"]);
        // The same file once more is no other event.
        fs::copy(&files[0].path, folder.path().join("events/events-zz.jsonl")).unwrap();
        assert_eq!(reading::all(&place).unwrap().events.len(), 10);
    }

    /// What is sealed between the listing and the reading is in the file that was open before both.
    #[test]
    fn what_is_sealed_while_it_is_read_is_read() {
        let (_folder, place) = place();
        let none = EventLimits::default();
        add(&place, &mut [event(1, "a.b")], &none, 0);
        let listed = files(&place).unwrap();
        let policy = Policy { max_size: 1, ..POLICY };
        append(&place, &policy, &mut [event(2, "a.b")], &none, at(0), 0).unwrap();
        let mut read = Vec::new();
        for file in &listed {
            reading::read(file, &mut |_, _, line, _| {
                if let reading::Line::Event(event) = line {
                    read.push(event.correlation);
                }
            })
            .unwrap();
        }
        assert_eq!(read, ["c1"]);
        assert_eq!(all(&place).unwrap().events.len(), 2);
    }

    #[test]
    fn each_day_has_its_file_and_old_ones_go() {
        let (_folder, place) = place();
        let limits = EventLimits::default();
        let today = Timestamp::utc(Instant { seconds: 1_771_885_140 / 86_400 * 86_400, nanos: 0 });
        let today = |seconds| today.at_microsecond(today.instant().seconds + seconds, 0);
        let changed_at = |path: &std::path::Path, now: Timestamp| {
            let seconds = Duration::from_secs(now.instant().seconds as u64);
            let file = File::options().write(true).open(path).unwrap();
            file.set_modified(SystemTime::UNIX_EPOCH + seconds).unwrap();
        };
        let add = |number, seconds| {
            let mut events = [event(number, "a.b"), event(number + 100, "a.b")];
            let done = append(&place, &POLICY, &mut events, &limits, today(seconds), 0).unwrap();
            changed_at(&place.active(), today(seconds));
            (done.outcome.sealed, done.expired)
        };
        const DAY: i64 = 86_400;
        assert_eq!([add(1, 0), add(2, 9), add(3, DAY - 1)], [(0, 0); 3]);
        assert_eq!([add(4, DAY), add(5, DAY + 9)], [(1, 0), (0, 0)]);
        // The first file was last changed in the last second of its day.
        fs::write(place.torn(), "torn").unwrap();
        changed_at(&place.torn(), today(DAY - 1));
        assert_eq!([add(6, 90 * DAY), add(7, 91 * DAY)], [(1, 0), (1, 2)]);
        assert!(!place.torn().exists());
        let all = all(&place).unwrap();
        assert_eq!(all.events.len(), 8);
        assert!(all.events.iter().all(|it| !["c1", "c2", "c3"].contains(&&*it.correlation)));
        let limits = EventLimits { keep: Some(Duration::from_secs(3_600)), ..limits };
        let mut last = [event(8, "a.b")];
        let done = append(&place, &POLICY, &mut last, &limits, today(92 * DAY), 0).unwrap();
        assert_eq!((done.outcome.sealed, done.expired), (1, 3));
    }

    #[cfg(unix)]
    #[test]
    fn files_are_their_owners_alone_and_no_link_is_followed() {
        use std::os::unix::fs::{PermissionsExt, symlink};
        let mode = |path: &std::path::Path| path.metadata().unwrap().permissions().mode() & 0o777;
        let (folder, place) = place();
        let limits = EventLimits { per_minute: Some(1_000), ..EventLimits::default() };
        let policy = Policy { max_size: 400, ..POLICY };
        for number in 0..8 {
            let mut events = [event(number, "agent.started")];
            append(&place, &policy, &mut events, &limits, at(0), 0).unwrap();
        }
        assert_eq!(mode(&place.archive()), 0o700);
        assert_eq!(mode(&place.tally()), 0o600);
        for file in files(&place).unwrap() {
            assert_eq!(mode(&file.path), 0o600, "{}", file.label);
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
