//! How large the ledger is and will be, and what the settings say is due.

use std::time::Duration;

use crate::doctor::sign::Sign;
use crate::error::shown;
use crate::figures::{self, counted};
use crate::git;
use crate::git::carried::carried;
use crate::ledger::archived;
use crate::ledger::files;
use crate::ledger::growth::Growth;
use crate::ledger::moving::{self, Aim};
use crate::ledger::prune;
use crate::timestamp::{Instant, Timestamp};
use crate::workspace::{Config, Layout, MAX_SIZE, Place};

/// Nobody waits longer to hear what git carries.
const CARRIED_WAIT: Duration = Duration::from_secs(5);

/// From about here on a clone is noticeably slower for the ledger's sake.
const CARRIED_BYTES_MANY: u64 = 100 << 20;

/// Fewer days tell nothing of git's pace.
const DAYS_OF_A_PACE: i64 = 30;

const DAY_S: u64 = 24 * 60 * 60;

/// What the ledger takes, here and in git, and what it will.
pub(super) fn sizes(place: &Place, now: Instant) -> Vec<Sign> {
    let Some(growth) = Growth::of(place, now).ok().filter(|growth| growth.rows > 0) else {
        return Vec::new();
    };
    let name = place.name().to_string_lossy();
    let mut size = format!(
        "size: {} in {}; {} has {}",
        figures::bytes(growth.bytes),
        counted(growth.files, "file"),
        shown(name.as_ref().as_ref()),
        figures::bytes(growth.active_bytes)
    );
    if growth.sealed > 0 {
        size += &format!(
            ", sealed segments {} ({} of {} compressed)",
            figures::bytes(growth.sealed_bytes),
            growth.compressed,
            growth.sealed
        );
    }
    let mut signs = vec![Sign::well(size)];
    if let Some((rows, bytes, days)) = growth.of_a_month() {
        let mut text = format!(
            "growth: {} rows and {} a month, by the last {days} days",
            figures::thousands(rows.into()),
            figures::bytes(bytes)
        );
        let config = Config::load(place).unwrap_or_default();
        let max_size = config.max_size.unwrap_or(MAX_SIZE);
        if let Some(days) = growth.days_until(max_size).filter(|_| config.layout == Layout::Single)
        {
            text += &format!("; sealed at {}, {}", figures::bytes(max_size), when(days));
        }
        signs.push(Sign::well(text));
    }
    signs.extend(in_git(place, growth.days));
    let unseen = archived::unseen_in(place).unwrap_or_default();
    if !unseen.is_empty() {
        let rows = counted(unseen.iter().map(|it| it.segment.rows).sum(), "row");
        let segments = counted(unseen.len() as u64, "segment");
        let what = format!("in an archive: {rows} in {segments}");
        signs.push(Sign::well(what));
    }
    signs
}

/// What git carries of the ledger in all its versions.
fn in_git(place: &Place, days: i64) -> Option<Sign> {
    git::git_dir(place.folder())?;
    let is_meant = |path: &str| files::role(place, path).is_some();
    let Some(carried) = carried(place.folder(), &is_meant, CARRIED_WAIT) else {
        let wait = CARRIED_WAIT.as_secs();
        let what = format!("what git carries of the ledger was not found out within {wait} s");
        return Some(Sign::well(what));
    };
    let stored = carried.stored_bytes;
    let mut text = format!(
        "git carries {} of the ledger: {} versions of {} in all",
        figures::bytes(stored),
        figures::thousands(carried.versions.into()),
        figures::bytes(carried.bytes)
    );
    let left = CARRIED_BYTES_MANY.saturating_sub(stored);
    let until = left.saturating_mul(days.max(0) as u64).checked_div(stored);
    if let Some(until) = until.filter(|_| left > 0 && days >= DAYS_OF_A_PACE) {
        let many = figures::bytes(CARRIED_BYTES_MANY);
        text += &format!("; at this pace {many} {}", when(until));
    }
    (carried.versions > 0).then(|| Sign::well(text))
}

/// `in about 5 months`.
fn when(days: u64) -> String {
    match days {
        0 => "within a day".to_owned(),
        1..14 => format!("in about {days} days"),
        14..60 => format!("in about {} weeks", days / 7),
        60..730 => format!("in about {} months", days / 30),
        730..36_500 => format!("in about {} years", days / 365),
        _ => "in more than a hundred years".to_owned(),
    }
}

/// An age as people write it in the settings: humantime would make months of days.
fn age(it: Duration) -> String {
    let seconds = it.as_secs();
    match seconds > 0 && seconds.is_multiple_of(DAY_S) {
        true => format!("{}d", seconds / DAY_S),
        false => humantime::format_duration(it).to_string().replace(' ', ""),
    }
}

/// What the settings say of old rows, and was not done yet.
pub(super) fn due(place: &Place, now: Instant) -> Vec<Sign> {
    let retention = Config::load(place).unwrap_or_default().retention;
    let border = |age: Duration| {
        let seconds = now.seconds - age.as_secs().min(i32::MAX as u64) as i64;
        Timestamp::utc(Instant { seconds, nanos: 0 }).day()
    };
    let mut signs = Vec::new();
    let aims = [
        (retention.compress_after, Aim::Compress, "compressed", "log-usage archive"),
        (retention.archive_after, Aim::Move, "moved to an archive", "log-usage archive --to PATH"),
    ];
    for (limit, aim, done, fix) in aims {
        let Some(limit) = limit else { continue };
        match moving::survey(place, Some(border(limit)), aim) {
            Ok(survey) if survey.due.is_empty() => {}
            Ok(survey) => {
                let age = age(limit);
                let segments = survey.due.len();
                let what = format!("segments to be {done}, older than {age}: {segments}");
                signs.push(Sign::ill(what, fix));
            }
            Err(error) => signs.push(Sign::refused(&error)),
        }
    }
    if let (Some(keep), Some(moved)) = (retention.keep, retention.archive_after)
        && keep <= moved
    {
        signs.push(Sign::ill(
            "rows are to be deleted before any goes to an archive: keep is up before archive_after",
            "make keep longer, or take archive_after away, below [retention] in config.toml",
        ));
    }
    if let Some(limit) = retention.keep
        && let Ok(found) = prune::survey(place, None, border(limit))
        && found.rows + found.archived > 0
    {
        let age = age(limit);
        let mut what = format!("rows older than {age}: {}", figures::thousands(found.rows.into()));
        if found.archived > 0 {
            what += &format!(", and {} in an archive", figures::thousands(found.archived.into()));
        }
        let fix = format!("log-usage prune --older-than {age} deletes them for good");
        signs.push(Sign::ill(what, fix));
    }
    signs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_is_what_was_set() {
        for (text, shown) in [
            ("300d", "300d"),
            ("30d", "30d"),
            ("2weeks", "14d"),
            ("1year", "1year"),
            ("6months", "6months"),
            ("36h", "1day12h"),
            ("0s", "0s"),
        ] {
            assert_eq!(age(humantime::parse_duration(text).unwrap()), shown, "{text}");
        }
    }
}
