//! What coding agents hold of a repository that has no ledger: counted, never kept.

use std::fs;
use std::time::{Duration, SystemTime};

use chrono::{Local, TimeZone};
use serde_json::Value;
use usage_ledger::error::Held;
use usage_ledger::intake::import::SOURCES;
use usage_ledger::intake::import::rows::{Grain, Making};
use usage_ledger::intake::import::scope::Scope;
use usage_ledger::intake::import::source::Source;
use usage_ledger::intake::import::wanted::{Bound, Import};
use usage_ledger::notes::Screen;
use usage_ledger::pricing::Prices;
use usage_ledger::redact::Redactor;
use usage_ledger::timestamp::{Instant, Timestamp};

use crate::world::{self, Target};

/// So much is read of each agent: nobody waits for a count.
const BYTES_MAX: u64 = 48 << 20;

/// The one agent that deletes its transcripts,
const DELETES: &str = "claude-code";

/// and how many days after they were changed last, unless its user set another number.
const KEPT_DAYS: u64 = 30;

const DAY_S: u64 = 24 * 3600;

/// What they hold; None where that is nothing, or cannot be found out.
pub(crate) fn held() -> Option<Held> {
    // Whoever wants nothing logged wants no transcripts read.
    if world::environment().disabled {
        return None;
    }
    let target = Target::of_repository().ok()?;
    let mut scope = Scope::of(&world::root().ok()?);
    let system_now = SystemTime::now();
    let redactor = Redactor::default();
    let import = Import {
        place: &target.place,
        waiting: &[],
        homes: &world::homes(&[]),
        making: Making {
            grain: Grain::Turn,
            task_type: None,
            prices: &Prices::default(),
            local: &local,
        },
        since: None,
        border: None,
        is_refresh: false,
        now: world::now().instant(),
        system_now,
        screen: &Screen { redactor: &redactor, forbids_notes: false, forbids_tags: false },
        bound: Some(Bound { is_first: &|_| false, bytes_max: BYTES_MAX }),
        progress: &|_| {},
    };
    let sources: Vec<&Source> = SOURCES.iter().filter(|source| source.is_found).collect();
    let tallies = import.run(&sources, &mut scope, None).ok()?.tallies;
    let turns = tallies.iter().map(|it| it.turns).sum();
    let deleting = tallies.iter().find(|it| it.name == DELETES)?;
    // What was not looked at is older, and goes before it.
    let oldest = deleting.oldest.filter(|_| deleting.unread == 0);
    let kept = Duration::from_secs(kept_days().saturating_mul(DAY_S));
    let end = oldest.and_then(|oldest| oldest.checked_add(kept));
    let days_left =
        end.map(|end| end.duration_since(system_now).unwrap_or_default().as_secs() / DAY_S);
    let is_at_least = tallies.iter().any(|it| it.unread > 0);
    (turns > 0).then_some(Held { turns, is_at_least, days_left })
}

/// How long its user lets that agent keep them.
fn kept_days() -> u64 {
    let settings = world::agent_home(DELETES).map(|folder| folder.join("settings.json"));
    let settings = settings.and_then(|path| fs::read(path).ok());
    let settings: Option<Value> = settings.and_then(|text| serde_json::from_slice(&text).ok());
    settings.and_then(|it| it["cleanupPeriodDays"].as_u64()).unwrap_or(KEPT_DAYS)
}

fn local(at: Instant) -> Timestamp {
    match Local.timestamp_opt(at.seconds, at.nanos).earliest() {
        Some(time) => time.fixed_offset().into(),
        None => Timestamp::utc(at),
    }
}
