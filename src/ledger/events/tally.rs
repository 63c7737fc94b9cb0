//! Sampling and the limit of a minute: which events are let through, and how many were not.

use std::io::Write;

use sha2::{Digest, Sha256};

use crate::error::{Error, Result};
use crate::event::{Dropped, Event};
use crate::ledger::disk;
use crate::privacy::private;
use crate::timestamp::Instant;
use crate::workspace::{EventLimits, Place};

/// They tell of single things that went well or badly: a share of them tells nothing.
const NEVER_SAMPLED: [&str; 2] = ["alert", "feedback"];

/// How many events of the last minute there were, and how many were dropped since a line last said so.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    /// Minutes since 1970.
    pub(super) minute: i64,
    pub(super) count: u64,
    pub(super) dropped: Dropped,
}

impl Tally {
    /// Lets the event through, or counts it.
    pub(super) fn admit<'a>(
        &mut self,
        event: &'a mut Event,
        limits: &EventLimits,
        now: Instant,
    ) -> Option<&'a mut Event> {
        let is_sampled = !NEVER_SAMPLED.contains(&event.name.area());
        if let Some(share) = limits.sample.filter(|share| is_sampled && *share < 1.0) {
            if lot(event) >= share {
                self.dropped.sampled += 1;
                return None;
            }
            event.sample = Some(share);
        }
        let minute = now.seconds.div_euclid(60);
        self.count = self.count_at(minute);
        self.minute = minute;
        if limits.per_minute.is_some_and(|most| self.count >= most) {
            self.dropped.limited += 1;
            return None;
        }
        self.count += 1;
        Some(event)
    }

    pub(super) fn count_at(&self, minute: i64) -> u64 {
        if self.minute == minute { self.count } else { 0 }
    }

    pub(super) fn told(&self, failed: u64) -> Dropped {
        self.dropped.plus(Dropped { failed, ..Dropped::default() })
    }

    pub(super) fn since(&self, before: &Tally) -> Dropped {
        Dropped {
            sampled: self.dropped.sampled - before.dropped.sampled,
            limited: self.dropped.limited - before.dropped.limited,
            failed: 0,
        }
    }

    /// A tally that cannot be understood was torn by a crash: what it counted is lost, which no event
    /// need be.
    pub(super) fn load(place: &Place) -> Result<Tally> {
        let path = place.tally();
        let read = private::read(&path).map_err(|error| Error::io("read", &path, &error))?;
        let text = read.and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or_default();
        let mut numbers = text.split_whitespace().map(|number| number.parse::<u64>().ok());
        let mut next = || numbers.next().flatten();
        let read = || {
            let minute = i64::try_from(next()?).ok()?;
            let (count, sampled, limited, failed) = (next()?, next()?, next()?, next()?);
            Some(Tally { minute, count, dropped: Dropped { sampled, limited, failed } })
        };
        Ok({ read }().unwrap_or_default())
    }

    /// Overwrites it in place: always as many bytes, so that a full disk has room for them.
    pub(super) fn save(&self, place: &Place) -> Result<()> {
        let Tally { minute, count, dropped: Dropped { sampled, limited, failed } } = *self;
        let minute = minute.max(0);
        let text = format!("{minute:020} {count:020} {sampled:020} {limited:020} {failed:020}\n");
        let path = place.tally();
        let write = || {
            private::make_folder(&place.archive())?;
            let mut file =
                disk::options(true).write(true).create(true).truncate(false).open(&path)?;
            file.write_all(text.as_bytes())
        };
        write().map_err(|error| Error::io("write", &path, &error))
    }
}

/// How many events were dropped since a line last said so.
///
/// # Errors
/// A tally that cannot be read.
pub fn dropped(place: &Place) -> Result<Dropped> {
    Ok(Tally::load(place)?.dropped)
}

/// The lot that an event draws, from 0 up to 1: the same for all of a session, else for all that
/// belongs together, whichever process writes it.
pub(super) fn lot(event: &Event) -> f64 {
    let drawn = event.session.as_ref().unwrap_or(&event.correlation);
    let digest = Sha256::digest(drawn.as_bytes());
    let bits = digest.iter().take(6).fold(0u64, |bits, byte| bits << 8 | u64::from(*byte));
    bits as f64 / (1u64 << 48) as f64
}
