//! `log-usage run --capture`: a command whose words and outputs are kept, encrypted, where its user allowed
//! it.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::sync::{Mutex, PoisonError};

use usage_ledger::error::{Error, Result};
use usage_ledger::figures;
use usage_ledger::git;
use usage_ledger::privacy::capture::{KEEP, OUTPUT_BYTES_MAX, PATIENCE, Site};
use usage_ledger::privacy::consent::{Consent, Level};
use usage_ledger::privacy::identity::{is_session, random_session, session_without_key};
use usage_ledger::workspace::Config;

use crate::child::{self, Ended, Tee};
use crate::identity;
use crate::record::why_not;
use crate::redact;
use crate::user::{self, SESSION};
use crate::voice;
use crate::world::{self, Target};

/// The program that encrypts.
const AGE: &str = "age";

/// Runs a command by `run`, which passes what the command says to the [`Tee`], if there is one: it is
/// captured where that is allowed, and runs without where it is not, which is said.
///
/// # Errors
/// What is allowed cannot be done; then the command was not run.
pub(crate) fn around(
    target: &Target,
    words: &[OsString],
    quiet: bool,
    run: &dyn Fn(Option<Tee<'_>>) -> io::Result<Ended>,
) -> Result<io::Result<Ended>> {
    let target = &target.of_events()?;
    let config = Config::load(&target.place)?;
    let consent = user::consent(target, &config)?;
    if !consent.allows(Level::Capture) {
        if !quiet {
            voice::say(&format!("not captured: {}", why_not(&consent, Level::Capture)));
        }
        return Ok(run(None));
    }
    let redactor = redact::redactor(&config);
    let find = |bytes: &[u8]| redactor.find(bytes);
    let folder = target.place.capture();
    let site = Site {
        folder: &folder,
        settings: &config.capture,
        age: AGE.as_ref(),
        output_bytes_max: OUTPUT_BYTES_MAX,
        patience: PATIENCE,
    };
    refuse_commit(target)?;
    let now = world::now();
    let capture = Mutex::new(site.start(&session(&consent)?, words, now, &find)?);
    if !quiet {
        warn(&site, site.sweep(now)?);
    }
    let ended = run(Some(&|output, bytes| {
        capture.lock().unwrap_or_else(PoisonError::into_inner).write(output, bytes);
    }));
    let capture = capture.into_inner().unwrap_or_else(PoisonError::into_inner);
    let code = match &ended {
        Ok(ended) => child::code(ended.status),
        // What never ran said nothing.
        Err(_) => {
            capture.discard();
            return Ok(ended);
        }
    };
    if let Err(error) = capture.finish(Some(code.into())) {
        let text = error.to_string();
        let what = text.lines().next().unwrap_or_default().trim_start_matches("error: ");
        voice::say(&format!("log-usage: not captured: {what}"));
    }
    Ok(ended)
}

/// Captures are never committed. The folder that we make hides all that is in it; whether one that was
/// there does, git knows.
fn refuse_commit(target: &Target) -> Result<()> {
    let folder = target.place.capture();
    let capture = folder.join("s_-1.jsonl.age");
    let is_hidden = fs::symlink_metadata(folder.join(".gitignore")).is_err()
        || target.work_tree().is_none()
        || git::ignoring_rule(&capture).is_some();
    match is_hidden {
        true => Ok(()),
        false => {
            let path = target.place.folder().join(".gitignore");
            Err(Error::NotIgnored { path, is_tracked: false })
        }
    }
}

fn warn(site: &Site<'_>, deleted: usize) {
    let recipients = &site.settings.recipients;
    // One that is named twice is one.
    if recipients.iter().all(|it| *it == recipients[0]) {
        voice::say(
            "warning: captures have one recipient: if that key is lost, so is what was captured\n  \
             fix: name a second one in [capture] recipients",
        );
    }
    if deleted > 0 {
        let days = site.settings.keep.unwrap_or(KEEP).as_secs() / 86_400;
        let noun = if deleted == 1 { "capture" } else { "captures" };
        let deleted = figures::thousands(deleted as u128);
        voice::say(&format!("deleted {deleted} {noun} older than {days} days"));
    }
}

/// The session that the environment names, else one of its own.
fn session(consent: &Consent) -> Result<String> {
    let agents_own = env::var(SESSION).ok().filter(|id| !id.is_empty());
    let key = || consent.identity.then(identity::session_key).flatten();
    Ok(match agents_own {
        None => random_session(&user::random()?),
        Some(id) if is_session(&id) => id,
        Some(id) => key().map_or_else(|| session_without_key(&id), |key| key.session(&id)),
    })
}
