//! A turn of a session while its lines are read.

use std::rc::Rc;

use crate::intake::import::claude_code::line::NAME;
use crate::intake::import::lines::At;
use crate::intake::import::reading::hash;
use crate::intake::import::turn::{End, Turn, Work, millis_between};
use crate::timestamp::Instant;

/// Where a turn begins, and what holds there.
#[derive(Clone)]
pub(super) struct Begun {
    pub(super) line: At,
    pub(super) start: Instant,
    pub(super) prompt: u64,
    pub(super) is_here: bool,
    pub(super) session: Rc<str>,
    pub(super) cwd: Rc<str>,
    pub(super) model: Option<Rc<str>>,
    pub(super) is_planning: bool,
}

/// A turn that may go on.
pub(super) struct Building {
    pub(super) turn: Turn,
    pub(super) prompt_id: u64,
    /// Something came after the prompt.
    pub(super) is_answered: bool,
    /// It holds responses that are counted elsewhere.
    pub(super) has_copies: bool,
    /// The same turn in another file, or once more in this one.
    pub(super) copy_of: Option<usize>,
    /// The first response of the agent itself.
    pub(super) first: Option<u64>,
    /// It is counted in a transcript that is not read again.
    pub(super) is_known: bool,
    /// What the program measured.
    pub(super) measured_ms: u64,
    /// Nothing of the agent followed what was measured.
    pub(super) is_measured: bool,
    /// The last response stands there without a reason to stop.
    pub(super) lacks_reason: bool,
    pub(super) is_planning: bool,
    /// When the agent or a tool was last heard of.
    pub(super) heard: Option<Instant>,
}

impl Building {
    /// One that begins here.
    pub(super) fn new(group: usize, begun: Begun) -> Building {
        let Begun { start, prompt, is_here, session, model, is_planning, .. } = begun;
        Building {
            turn: Turn {
                source: NAME,
                prefix: "",
                key: String::new(),
                session,
                start,
                last: start,
                duration_ms: 0,
                end: End::Open,
                is_followed: false,
                is_here,
                model,
                work: Work::default(),
                requests: Vec::new(),
                tool_errors: Vec::new(),
                lacks_usage: false,
                is_last: false,
                group,
            },
            prompt_id: prompt,
            is_answered: false,
            has_copies: false,
            copy_of: None,
            first: None,
            is_known: false,
            measured_ms: 0,
            is_measured: false,
            lacks_reason: false,
            is_planning,
            heard: None,
        }
    }

    /// What tells a turn that begins with this response from all others, in every copy of it.
    pub(super) fn beginning(&self, first: u64) -> u64 {
        let Instant { seconds, nanos } = self.turn.start;
        hash(&[&format!("{first} {seconds}.{nanos}")])
    }

    /// The agent or a tool, or somebody else, was heard of.
    pub(super) fn hear(&mut self, at: Instant, is_work: bool) {
        self.turn.last = self.turn.last.max(at);
        if is_work {
            self.heard = self.heard.max(Some(at));
        }
    }

    /// Tools failed that this model called.
    pub(super) fn count_errors(&mut self, errors: u64, model: Option<&Rc<str>>) {
        if let Some(model) = model.filter(|_| errors > 0) {
            match self.turn.tool_errors.iter_mut().find(|(it, _)| it == model) {
                Some((_, count)) => *count += errors,
                None => self.turn.tool_errors.push((model.clone(), errors)),
            }
        }
    }

    /// The turn as it is.
    pub(super) fn finish(self) -> Turn {
        let mut turn = self.turn;
        let heard = self.heard.unwrap_or(turn.last);
        turn.duration_ms = match self.is_measured {
            true => self.measured_ms,
            false => millis_between(turn.start, heard),
        };
        turn.work.plans |= self.is_planning;
        if turn.key.is_empty() {
            // Copies of it have the same time, and perhaps another id.
            turn.key = format!("@{}.{}", turn.start.seconds, turn.start.nanos);
        }
        turn
    }
}
