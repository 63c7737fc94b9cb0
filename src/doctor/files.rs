//! The ledger's files: can they be written, and is every line of them sound?

use std::fs::OpenOptions;
use std::time::Duration;

use crate::doctor::sign::{Sign, told};
use crate::error::{Error, excerpt, shown};
use crate::figures::counted;
use crate::git;
use crate::ledger::alerts;
use crate::ledger::files::{self, Role};
use crate::ledger::gzip;
use crate::ledger::lock::Lock;
use crate::ledger::verify::Verifier;
use crate::ledger::verify_events;
use crate::workspace::Place;

/// Long enough for any writer that is alive to finish its row.
const LOCK_WAIT: Duration = Duration::from_secs(2);

/// git stores each version of a committed file; beyond this that begins to cost.
const COMMITTED_BYTES_MAX: u64 = 1 << 20;

/// Writers must be able to write here, and to keep each other out. The lock is taken only where it
/// is there: to look must not be to make.
pub(super) fn writing(place: &Place) -> Sign {
    let fix = "make it writable, or end the process that holds the lock";
    let probe = tempfile::Builder::new().prefix(".doctor").tempfile_in(place.folder());
    if let Err(error) = probe {
        return Sign::ill(told(&Error::io("write in", place.folder(), &error)).0, fix);
    }
    let active = place.active();
    if active.is_file()
        && let Err(error) = OpenOptions::new().append(true).open(&active)
    {
        return Sign::ill(told(&Error::io("append to", &active, &error)).0, fix);
    }
    if !place.lock().exists() {
        return Sign::well("rows can be written here");
    }
    match Lock::take(&place.lock(), LOCK_WAIT) {
        Ok(lock) if lock.is_marked() => {
            Sign::well("a rotation was cut short; the next row finishes it")
        }
        Ok(_) => Sign::well("rows can be written here"),
        Err(error) => Sign::ill(told(&error).0, fix),
    }
}

/// What its rows are like.
pub(super) fn ledger(place: &Place) -> Vec<Sign> {
    let active = place.active();
    if active.metadata().is_ok_and(|meta| !meta.is_file())
        || active.is_symlink() && !active.exists()
    {
        let what = format!("{} is not a regular file", shown(&active));
        return vec![Sign::ill(what, "put the ledger back in its place")];
    }
    let mut verifier = Verifier::default();
    let older = match files::older(place) {
        Ok(older) => older,
        Err(error) => return vec![Sign::refused(&error)],
    };
    for file in older.into_iter().chain([files::active(place)]) {
        // A rotation that was cut short has given the active segment a second name.
        if file.role == Role::Sealed && files::is_same(&file.path, &place.active()) {
            continue;
        }
        if !file.path.is_file() {
            continue;
        }
        // A file that cannot be read to its end is named by what it lacks.
        if let Ok(text) = gzip::open(&file.path) {
            let _ = verifier.read(&file.label, file.role, text);
        }
    }
    let shared = verifier.shared();
    let (findings, rows, _) = verifier.finish();
    let mut signs = vec![match findings.len() {
        0 => Sign::well(format!("{}, all sound", counted(rows, "row"))),
        found => {
            let first = &findings[0];
            Sign::ill(
                format!("{found} findings in {rows} rows; the first: {first}"),
                "usage-report verify names them all; log-usage repair mends the active segment",
            )
        }
    }];
    if shared > 0 {
        signs.push(Sign::ill(
            format!("rows that stand in more than one file: {shared}; each is counted once"),
            "log-usage repair, and log-usage compact where there are fragments",
        ));
    }
    let bytes = place.active().metadata().map_or(0, |meta| meta.len());
    if bytes > COMMITTED_BYTES_MAX && git::tracks(&place.active()) {
        signs.push(Sign::ill(
            format!("the active segment has {} MiB, and each commit stores it anew", bytes >> 20),
            "set max_size = \"1M\" in config.toml",
        ));
    }
    signs
}

/// Events that cannot be read are left out of reports.
pub(super) fn events(place: &Place) -> Option<Sign> {
    let verified = match verify_events::verify(&place.events()) {
        Ok(verified) => verified,
        Err(error) => return Some(Sign::refused(&error)),
    };
    let first = verified.findings.first()?;
    let found = verified.findings.len();
    Some(Sign::ill(
        format!("findings in events: {found}; the first: {}", excerpt(first)),
        match verified.unreadable {
            0 => "usage-report verify names them all; reports read them as they are",
            _ => {
                "usage-report verify names them all; log-usage repair moves those aside that cannot be read"
            }
        },
    ))
}

/// What people did about alerts, where it cannot be read.
pub(super) fn acts(place: &Place) -> Option<Sign> {
    let acts = match alerts::load(place) {
        Ok(acts) => acts,
        Err(error) => return Some(Sign::refused(&error)),
    };
    let (line, why) = acts.bad.first()?;
    let file = shown(&place.alerts());
    Some(Sign::ill(
        format!("{} cannot be read: {file}:{line}: {why}", counted(acts.unreadable, "line")),
        "usage-report verify names them all: correct them, or delete them",
    ))
}

/// What writers left that died.
pub(super) fn leftovers(place: &Place) -> Vec<Sign> {
    let bytes = place.torn().metadata().map_or(0, |meta| meta.len());
    let what = format!("{} holds {bytes} bytes of writers that died", shown(&place.torn()));
    let fix = "look at it, then delete it: no row in it was ever acknowledged";
    if bytes > 0 { vec![Sign::ill(what, fix)] } else { Vec::new() }
}
