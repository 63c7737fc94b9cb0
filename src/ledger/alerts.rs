//! What people did about alerts, on the disk: lines are added as rows are, and never changed.

use std::fs;
use std::io::ErrorKind;

use crate::alert::act::{Act, Acts, HEADER, LINE_BYTES_MAX};
use crate::error::{Error, Result};
use crate::ledger::around::Around;
use crate::ledger::segment::{self, Newest, Policy};
use crate::ledger::tail::Format;
use crate::row::line_hash;
use crate::timestamp::{Instant, Timestamp};
use crate::workspace::Place;

/// What the bytes of the file mean.
const FORMAT: Format = Format {
    header: HEADER,
    is_private: false,
    is_row: |line| of_line(line).is_some(),
    // One line is one act, so a torn one began with its line.
    begins_row: |_| true,
    seal: |first| format!("00000000T000000Z-{}", line_hash(first, 4)),
};

fn of_line(line: &[u8]) -> Option<Act> {
    let line = std::str::from_utf8(line).ok().filter(|it| it.len() <= LINE_BYTES_MAX)?;
    Acts::read(line).acts.pop()
}

/// Everything that was done about the alerts of this ledger; nothing where there is no file.
///
/// # Errors
/// A file that cannot be read.
pub fn load(place: &Place) -> Result<Acts> {
    let path = place.alerts();
    let bytes = match fs::metadata(&path) {
        // A pipe would have no end.
        Ok(meta) if !meta.is_file() => return Err(Error::NotAFile { path }),
        Ok(_) => fs::read(&path),
        Err(error) => Err(error),
    };
    match bytes {
        Ok(bytes) => Ok(Acts::read(&String::from_utf8_lossy(&bytes))),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            Ok(Acts::default())
        }
        Err(error) => Err(Error::io("read", &path, &error)),
    }
}

/// Adds acts, each later than whatever was done about its alert before: of several the last stands,
/// and the clock of another clone may be ahead of ours.
///
/// # Errors
/// Any but [`Error::SyncFailed`] means that nothing was added.
pub fn append(place: &Place, policy: &Policy, around: &Around<'_>, acts: &mut [Act]) -> Result<()> {
    let own = place.alerts();
    let name = own.file_name().unwrap_or_default().to_string_lossy();
    let file = place.beside(&name);
    // It is never sealed: it grows by a line for each thing that a person does.
    let policy = Policy { max_size: u64::MAX, seal_unchanged_since: None, ..*policy };
    let mut compose = |_: &Newest| {
        let known = load(place)?;
        let mut lines = String::new();
        for act in acts.iter_mut() {
            let newest = known.of(&act.alert).map(|it| it.at).max_by_key(|it| it.instant());
            if let Some(newest) = newest.filter(|it| it.instant() >= act.at.instant()) {
                act.at = after(newest);
            }
            lines += &act.to_line();
            lines.push('\n');
        }
        Ok(lines.into_bytes())
    };
    segment::append(&file, &policy, &FORMAT, around, &mut compose).map(drop)
}

/// A microsecond later.
fn after(at: Timestamp) -> Timestamp {
    let Instant { seconds, nanos } = at.instant();
    match nanos / 1_000 + 1 {
        1_000_000 => at.at_microsecond(seconds + 1, 0),
        micros => at.at_microsecond(seconds, micros),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::act::Action;
    use crate::workspace::Durability;
    use std::time::Duration;

    const POLICY: Policy = Policy {
        max_size: 1,
        durability: Durability::None,
        wait: Duration::from_secs(10),
        seal_unchanged_since: None,
    };

    fn act(action: Action) -> Act {
        let at = Timestamp::parse("2026-11-20T10:00:00+01:00").unwrap();
        let (user, note) = (String::new(), "a, \"b\"".to_owned());
        Act { at, alert: "0123456789ab".to_owned(), action, user, note }
    }

    #[test]
    fn acts_of_one_moment_keep_their_order() {
        let folder = tempfile::tempdir().unwrap();
        let place = Place::named(folder.path(), "team.csv");
        assert_eq!(load(&place).unwrap(), Acts::default());
        for action in [Action::Resolve, Action::Ack, Action::Reopen] {
            append(&place, &POLICY, &Around::NOTHING, &mut [act(action)]).unwrap();
        }
        let text = fs::read_to_string(folder.path().join("team.alerts.csv")).unwrap();
        assert!(text.starts_with(HEADER) && text.lines().count() == 4, "{text}");
        let acts = load(&place).unwrap();
        let actions: Vec<Action> = acts.acts.iter().map(|it| it.action).collect();
        assert_eq!(actions, [Action::Resolve, Action::Ack, Action::Reopen]);
    }

    /// A writer that died leaves no half of a line in front of the next.
    #[test]
    fn a_torn_line_is_moved_aside() {
        let folder = tempfile::tempdir().unwrap();
        let place = Place::named(folder.path(), "usage.csv");
        fs::write(place.alerts(), format!("{HEADER}\n2026-11-20T10:00:00Z,0123")).unwrap();
        append(&place, &POLICY, &Around::NOTHING, &mut [act(Action::Ack)]).unwrap();
        let acts = load(&place).unwrap();
        assert_eq!((acts.acts.len(), acts.unreadable), (1, 0));
    }
}
