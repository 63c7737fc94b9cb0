//! What every source makes of its transcripts: turns with their requests, numbers alone.

use std::rc::Rc;

use hashbrown::HashMap;

use crate::intake::import::usage::Usage;
use crate::row::{COUNT_MAX, line_hash};
use crate::timestamp::Instant;

/// A turn without an end is waited for so long after its last record: then it failed.
pub const PATIENCE_S: i64 = 24 * 3600;

/// Ids and sessions are named by so many bytes of a SHA-256, in hex.
pub(super) const HASH_BYTES: usize = 6;

/// One request to a model; or several of which the source tells only the sum.
#[derive(Clone, Debug)]
pub struct Request {
    /// The model, as the source names it.
    pub model: Rc<str>,
    /// When it was answered.
    pub at: Instant,
    /// What it took.
    pub usage: Usage,
    /// How many requests it was.
    pub count: u64,
    /// Whether a sub-agent made it.
    pub is_sub: bool,
    /// What it cost in picodollars, where the source knows better than a price list.
    pub cost: Option<u64>,
}

/// How a turn ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum End {
    /// It has not, as far as the transcript goes.
    #[default]
    Open,
    /// Normally: the agent finished.
    Done,
    /// Otherwise, and why, where that is known.
    Failed(Option<&'static str>),
}

/// What was done in a turn, as far as its task type depends on it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Work {
    /// It planned.
    pub plans: bool,
    /// It changed files.
    pub edits: bool,
    /// It ran tests, a linter or a build.
    pub checks: bool,
    /// It used tools.
    pub tools: bool,
}

impl Work {
    /// The same and more.
    pub fn add(&mut self, more: Work) {
        self.plans |= more.plans;
        self.edits |= more.edits;
        self.checks |= more.checks;
        self.tools |= more.tools;
    }
}

/// What followed a prompt until the next one.
#[derive(Clone, Debug)]
pub struct Turn {
    /// What the row's `source` tag says.
    pub source: &'static str,
    /// What the ids of its rows begin with, where it was found otherwise than usual.
    pub prefix: &'static str,
    /// What tells it from the other turns of its source, the same in every copy of a transcript.
    pub key: String,
    /// The session as the source names it.
    pub session: Rc<str>,
    /// When it began.
    pub start: Instant,
    /// When the last was heard of it.
    pub last: Instant,
    /// How long it took.
    pub duration_ms: u64,
    /// How it ended.
    pub end: End,
    /// Whether something came after it, so that it will not go on.
    pub is_followed: bool,
    /// The model of the final answer, or the last one seen before.
    pub model: Option<Rc<str>>,
    /// What was done.
    pub work: Work,
    /// Its requests.
    pub requests: Vec<Request>,
    /// Tools that failed, by the model that called them.
    pub tool_errors: Vec<(Rc<str>, u64)>,
    /// Whether its usage is unknown: the source recorded none.
    pub lacks_usage: bool,
    /// Whether it happened in a folder that is ours.
    pub is_here: bool,
    /// Whether nothing followed it in its file, so that it is read again with what is added there.
    pub is_last: bool,
    /// In which of the groups of files that were read it is.
    pub group: usize,
}

/// The `session` tags of one source, each worked out once: a session has many turns.
#[derive(Debug, Default)]
pub struct SessionTags(HashMap<(&'static str, Rc<str>), Rc<str>>);

impl SessionTags {
    /// That of a turn.
    pub fn of(&mut self, turn: &Turn) -> Rc<str> {
        let tag = || Rc::from(turn.session_tag());
        self.0.entry((turn.source, turn.session.clone())).or_insert_with(tag).clone()
    }
}

impl Turn {
    /// Whether it will not go on.
    pub fn is_finished(&self, now: Instant) -> bool {
        self.end != End::Open || self.is_followed || now.seconds - self.last.seconds > PATIENCE_S
    }

    /// The `session` tag: sessions are counted, not named.
    pub fn session_tag(&self) -> String {
        line_hash(format!("{}|{}", self.source, self.session).as_bytes(), HASH_BYTES)
    }
}

/// From one moment to a later one; 0 to an earlier one.
pub fn millis_between(from: Instant, to: Instant) -> u64 {
    let millis = |at: Instant| i128::from(at.seconds) * 1_000 + i128::from(at.nanos / 1_000_000);
    u64::try_from(millis(to) - millis(from)).unwrap_or(0).min(COUNT_MAX)
}
