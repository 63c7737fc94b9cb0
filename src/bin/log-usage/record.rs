//! How every command of ours records what it did: as events beside the ledger, where there is consent.

use usage_ledger::error::{Error, Result, shown};
use usage_ledger::event::{Dropped, Event};
use usage_ledger::figures;
use usage_ledger::intake::events::{Checker, Draft, Gate};
use usage_ledger::ledger::events::Written;
use usage_ledger::privacy::consent::{Consent, Level};
use usage_ledger::privacy::identity::Key;
use usage_ledger::redact::withheld::Withheld;
use usage_ledger::row::Refused;
use usage_ledger::workspace::{Config, Durability, Place};

use crate::identity;
use crate::redact;
use crate::user;
use crate::voice;
use crate::world::{self, Choice, Target};
use crate::write::policy;

/// What became of events, and why.
#[derive(Debug, Default)]
pub(crate) struct Recorded {
    /// What was written, and what the limits left out.
    pub(crate) written: Written,
    /// What was kept out of the texts.
    pub(crate) withheld: Withheld,
    /// Why events may not be recorded; then there are none.
    pub(crate) refused: Option<String>,
}

/// Where events go, and what may be recorded there.
pub(crate) struct Sink {
    pub(crate) place: Place,
    pub(crate) config: Config,
    pub(crate) consent: Consent,
    /// The pseudonym of the user, where there is consent to it.
    pub(crate) user: Option<String>,
    /// The key that names the user's sessions, where there is consent to it.
    pub(crate) key: Option<Key>,
    may_create_folder: bool,
}

impl Sink {
    /// The events that go with a ledger.
    pub(crate) fn beside(target: &Target) -> Result<Sink> {
        let target = &target.of_events()?;
        let config = Config::load(&target.place)?;
        let consent = user::consent(target, &config)?;
        let is_known = consent.identity;
        Ok(Sink {
            place: target.place.events(),
            // What is wrong with a key is told with a row: whoever records events does so in passing.
            user: is_known.then(|| identity::user_or_warn(target, &config, true)).flatten(),
            key: is_known.then(identity::session_key).flatten(),
            config,
            consent,
            may_create_folder: target.choice != Choice::Named,
        })
    }

    pub(crate) fn gate(&self) -> Gate<'_> {
        Gate {
            place: &self.place,
            may_create_folder: self.may_create_folder,
            level: self.consent.level,
            // An event need not survive a power cut, and nobody is to wait for a disk.
            policy: policy(&self.config, None, Some(Durability::None)),
            limits: self.config.events,
        }
    }

    pub(crate) fn refused(&self) -> Option<String> {
        let is_allowed = self.consent.allows(Level::Events);
        (!is_allowed).then(|| why_not(&self.consent, Level::Events))
    }
}

/// Records what one of our commands did, where there is consent: all events, or none. Says nothing.
///
/// # Errors
/// A draft that is no event, and whatever kept the events from being written.
pub(crate) fn record(target: &Target, drafts: &[Draft<'_>]) -> Result<Recorded> {
    let sink = Sink::beside(target)?;
    if let Some(why) = sink.refused() {
        return Ok(Recorded { refused: Some(why), ..Recorded::default() });
    }
    let mut recorded = Recorded::default();
    let redactor = redact::redactor(&sink.config);
    let mut checker = Checker::new(&redactor, sink.user.clone(), sink.key.as_ref());
    let now = world::now();
    let events = drafts.iter().map(|draft| checker.check(draft, now, &mut recorded.withheld));
    let mut events: Vec<Event> = events.collect::<Result<_, _>>().map_err(refused)?;
    recorded.written = sink.gate().append(&mut events, now, 0)?;
    Ok(recorded)
}

/// The error for a draft that is no event.
pub(crate) fn refused(refused: Refused) -> Error {
    let fix = match refused.field {
        "timestamp" => "--timestamp 2026-02-23T22:19:12+01:00",
        "duration_ms" => "--duration 45s",
        "correlation" => "--correlation c1",
        "session" => "--session 7f0e2c14",
        "attrs" => "--attr strategy=split",
        "metrics" => "--metric confidence=0.8",
        _ => "log-usage event agent.completed --agent reviewer --success true --duration 45s",
    };
    Error::Usage { problem: refused.to_string(), fix: fix.to_owned() }
}

/// One line: what was recorded, and what was left out.
pub(crate) fn told(written: &Written) -> String {
    let count = |n: u64| figures::thousands(n.into());
    let Dropped { sampled, limited, .. } = written.dropped;
    let noun = if written.written == 1 { "event" } else { "events" };
    let mut line = format!("recorded  {} {noun}", count(written.written));
    if sampled > 0 {
        line += &format!(", {} left out by sampling", count(sampled));
    }
    if limited > 0 {
        line += &format!(", {} beyond the limit of a minute", count(limited));
    }
    if written.expired > 0 {
        let noun = if written.expired == 1 { "file" } else { "files" };
        line += &format!(", {} {noun} of old events deleted", count(written.expired as u64));
    }
    line
}

/// Says that there is no consent, and who could give it.
pub(crate) fn say_not_recorded(why: &str, quiet: bool) {
    if !quiet {
        voice::say(&format!("not recorded: {why}"));
    }
}

/// Who decided that this level is not allowed, and what the user types who may.
pub(crate) fn why_not(consent: &Consent, level: Level) -> String {
    let source = consent.decided_by();
    let granting = consent.granting(source, level, false);
    let allows = granting.map(|command| format!("; {command} allows it")).unwrap_or_default();
    format!("{}{allows}", source.words())
}

pub(crate) fn tell_torn(written: &Written, place: &Place) {
    let torn_bytes = written.outcome.torn_bytes;
    if torn_bytes > 0 {
        voice::say(&format!(
            "warning: {torn_bytes} torn bytes at the end of {} were moved aside: a writer died there",
            shown(&place.active())
        ));
    }
}
