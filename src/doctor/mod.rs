//! Is the set-up sound? Each thing that matters, whether it is well, and what to type where it is
//! not. Leaves everything as it was.

pub mod sign;
mod files;
mod sizes;
mod repository;

use crate::doctor::repository::{installed, repository, waiting_rows};
use crate::doctor::sign::{Sign, told};
use crate::error::{Error, shown};
use crate::git;
use crate::timestamp::Instant;
use crate::workspace::{Config, Place};

/// Looks at the ledger of a place, and at the repository around it.
pub fn examine(place: &Place, now: Instant) -> Vec<Sign> {
    let folder = place.folder();
    let mut signs = vec![settings(place)];
    if !folder.is_dir() {
        let waiting = waiting_rows(place, now);
        if waiting.is_empty() {
            signs.push(Sign::well(format!(
                "there is no {} yet: the first row makes it; log-usage init adds a README and settings",
                shown(folder)
            )));
        }
        signs.extend(waiting);
        signs.extend(installed(place));
        return signs;
    }
    signs.push(files::writing(place));
    signs.extend(files::ledger(place));
    signs.extend(sizes::sizes(place, now));
    signs.extend(sizes::due(place, now));
    signs.extend(files::leftovers(place));
    signs.extend(files::events(place));
    signs.extend(files::acts(place));
    if git::git_dir(folder).is_some() {
        signs.extend(repository(place));
        signs.extend(installed(place));
        signs.extend(waiting_rows(place, now));
    }
    signs
}

/// That the repository's prices cannot be read, as whoever reads them says.
pub fn prices(error: &Error) -> Sign {
    Sign::ill(told(error).0, "correct it; docs/prices.md tells what each column holds")
}

/// That nothing is logged here, and why: somebody wants it so.
pub fn off(why: &str) -> Sign {
    Sign::well(format!("nothing is logged here: {why}"))
}

/// That identity is on, and rows carry no pseudonym all the same.
pub fn identity(why: &str, fix: String) -> Sign {
    Sign::ill(format!("identity is on, but rows carry no pseudonym: {why}"), fix)
}

fn settings(place: &Place) -> Sign {
    match Config::load(place) {
        Ok(_) => Sign::well("the settings can be read"),
        Err(error) => Sign::ill(told(&error).0, "correct the line, or put # before it"),
    }
}
