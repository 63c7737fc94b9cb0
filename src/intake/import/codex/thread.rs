//! A rollout → its turns and what it tells of tokens, not yet freed of what other threads counted.

use std::rc::Rc;

use memchr::memmem::Finder;

use crate::error::Result;
use crate::intake::import::codex::line::{Line, Payload, Tokens};
use crate::intake::import::cost::UNKNOWN_MODEL;
use crate::intake::import::lines::At;
use crate::intake::import::mark::{Mark, Sums};
use crate::intake::import::reading::{Names, Reading, hash, instant};
use crate::intake::import::turn::{End, Work};
use crate::intake::import::walk::File;
use crate::timestamp::Instant;

/// Lines of other kinds need not be looked at closely.
const KINDS: [&str; 7] = [
    "\"session_meta\"",
    "\"turn_context\"",
    "\"event_msg\"",
    "\"token_usage_record\"",
    "\"function_call\"",
    "\"custom_tool_call\"",
    "\"local_shell_call\"",
];

/// One thread, as one file tells of it.
#[derive(Default)]
pub(super) struct Thread {
    pub(super) id: String,
    pub(super) session: String,
    pub(super) parent: Option<String>,
    pub(super) is_sub: bool,
    pub(super) counts: Vec<Counted>,
    pub(super) records: Vec<Record>,
    pub(super) turns: Vec<Part>,
    /// Where the last turn began.
    pub(super) begun: Option<Begun>,
    /// What was counted before the line where reading began.
    pub(super) sums: Sums,
    /// The turns before it.
    pub(super) earlier: Vec<u64>,
    /// One of them used something more.
    pub(super) is_late: bool,
    /// Lines before this one are the parent's.
    pub(super) first_ordinal: u64,
    pub(super) has_meta: bool,
    /// When it began.
    pub(super) start: Option<Instant>,
    cwd: String,
    model: Option<Rc<str>>,
    is_planning: bool,
}

/// The line that opened a turn, and what held there.
pub(super) struct Begun {
    pub(super) line: At,
    pub(super) cwd: String,
    pub(super) model: Option<Rc<str>>,
    pub(super) is_planning: bool,
}

/// A line that tells how many tokens were used so far.
pub(super) struct Counted {
    pub(super) at: Instant,
    pub(super) total: Option<Tokens>,
    pub(super) last: Option<Tokens>,
    pub(super) turn: usize,
    pub(super) model: Rc<str>,
}

/// A line that tells what one response took.
pub(super) struct Record {
    pub(super) at: Instant,
    /// What tells it from others, if it has an id.
    pub(super) response: Option<u64>,
    pub(super) usage: Tokens,
    pub(super) turn: usize,
    pub(super) model: Rc<str>,
}

/// A turn.
pub(super) struct Part {
    pub(super) id: Option<String>,
    pub(super) start: Instant,
    pub(super) last: Instant,
    pub(super) end: End,
    pub(super) is_followed: bool,
    pub(super) duration_ms: Option<u64>,
    pub(super) work: Work,
    pub(super) model: Option<Rc<str>>,
    pub(super) is_here: bool,
    pub(super) tool_errors: u64,
    /// Something came after the prompt.
    pub(super) is_answered: bool,
    /// A task began it, which will say how it ended.
    is_task: bool,
}

/// Reads a rollout, from its mark on.
///
/// # Errors
/// A file that was named cannot be read.
pub(super) fn read(
    file: &File,
    mark: Option<&Mark>,
    names: &mut Names,
    reading: &mut Reading<'_>,
) -> Result<Thread> {
    let kinds: Vec<Finder<'_>> = KINDS.iter().map(Finder::new).collect();
    let mut thread = Thread { id: file.stem().to_owned(), ..Thread::default() };
    if let Some(mark) = mark {
        reading.at = At { lines: mark.lines, offset: mark.offset };
        thread.go_on(mark, names);
    }
    reading.lines(file, &mut |reading, number, line| {
        if !kinds.iter().any(|kind| kind.find(line).is_some()) {
            return;
        }
        if let Some(line) = reading.parse::<Line<'_>>(file, number, line)
            && let Some(payload) = &line.payload.0
            && let Some(at) = instant(&line.timestamp.0)
        {
            let ordinal = line.ordinal.map_or(u64::MAX, |it| it.0);
            if !thread.has_meta || ordinal >= thread.first_ordinal {
                thread.line(&line.kind.0, payload, at, names, reading);
            }
        }
    })?;
    Ok(thread)
}

impl Thread {
    fn go_on(&mut self, mark: &Mark, names: &mut Names) {
        self.has_meta = true;
        self.session.clone_from(&mark.session);
        self.cwd.clone_from(&mark.cwd);
        self.model = mark.model.as_ref().map(|model| names.get(model));
        self.is_planning = mark.is_planning;
        self.earlier.clone_from(&mark.earlier);
        self.sums = mark.sums.clone().unwrap_or_default();
        self.id.clone_from(&self.sums.thread);
    }

    fn line(
        &mut self,
        kind: &str,
        payload: &Payload<'_>,
        at: Instant,
        names: &mut Names,
        reading: &mut Reading<'_>,
    ) {
        match kind {
            "session_meta" if !self.has_meta => self.meta(payload, at),
            "turn_context" => self.context(payload, names, reading),
            "event_msg" => self.event(payload, at, names, reading),
            "response_item" => self.item(payload, at),
            "token_usage_record" => {
                let thread = payload.thread_id.get().unwrap_or(&self.id);
                if let Some(usage) = payload.usage.0.filter(|_| thread == self.id) {
                    let turn_id = payload.turn_id.get();
                    let response = match &*payload.response_id.0 {
                        "" => None,
                        id => Some(hash(&[&self.id, id])),
                    };
                    let is_counted = response.is_some_and(|it| reading.seen.contains(&it));
                    if is_counted && self.is_of_mark() {
                        reading.findings.repeated += 1;
                        return;
                    }
                    self.is_late |= self.is_of_earlier(turn_id);
                    let (turn, model) = (self.of_usage(turn_id, at, reading), self.model(names));
                    self.records.push(Record { at, response, usage, turn, model });
                }
            }
            _ => {}
        }
    }

    fn meta(&mut self, payload: &Payload<'_>, at: Instant) {
        self.has_meta = true;
        self.start = Some(at);
        if let Some(id) = payload.id.get() {
            self.id = id.to_owned();
        }
        self.session = payload.session_id.get().unwrap_or(&self.id).to_owned();
        self.cwd = payload.cwd.0.to_string();
        let subagent = payload.source.0.as_ref().and_then(|source| source.subagent.as_ref());
        self.is_sub = subagent.is_some();
        let spawn = subagent.and_then(|it| it.0.as_ref()).and_then(|it| it.thread_spawn.0.as_ref());
        let spawned = spawn.and_then(|spawn| spawn.parent_thread_id.get());
        let parent = payload.forked_from_id.get().or(payload.parent_thread_id.get()).or(spawned);
        self.parent = parent.filter(|parent| *parent != self.id).map(str::to_owned);
        self.first_ordinal = payload.subagent_history_start_ordinal.map_or(0, |it| it.0);
    }

    fn context(&mut self, payload: &Payload<'_>, names: &mut Names, reading: &mut Reading<'_>) {
        if let Some(mode) = &payload.collaboration_mode.0 {
            self.is_planning = mode.mode.0 == "plan";
        }
        self.settle(payload.model.get(), payload.cwd.get(), names, reading);
    }

    /// The model and the folder from here on.
    fn settle(
        &mut self,
        model: Option<&str>,
        cwd: Option<&str>,
        names: &mut Names,
        reading: &mut Reading<'_>,
    ) {
        if let Some(model) = model {
            self.model = Some(names.get(model));
        }
        if let Some(cwd) = cwd {
            self.cwd = cwd.to_owned();
        }
        let is_here = reading.scope.holds(&self.cwd);
        let (model, is_planning) = (self.model.clone(), self.is_planning);
        if let Some(turn) = self.turns.last_mut().filter(|turn| turn.end == End::Open) {
            turn.is_here = is_here;
            turn.model = model.or(turn.model.take());
            turn.work.plans |= is_planning;
        }
    }

    fn event(
        &mut self,
        payload: &Payload<'_>,
        at: Instant,
        names: &mut Names,
        reading: &mut Reading<'_>,
    ) {
        let begins = matches!(&*payload.kind.0, "task_started" | "turn_started" | "user_message");
        if let Some(turn) = self.turns.last_mut().filter(|it| it.end == End::Open && !begins) {
            turn.last = turn.last.max(at);
        }
        match &*payload.kind.0 {
            "task_started" | "turn_started" => {
                let id = payload.turn_id.get().map(str::to_owned);
                match self.turns.last_mut() {
                    // The prompt stood before its task.
                    Some(turn) if !turn.is_task && !turn.is_answered && turn.end == End::Open => {
                        (turn.id, turn.is_task) = (id, true);
                    }
                    _ => self.open(id, at, true, reading),
                }
            }
            "user_message" => {
                let goes_on = |turn: &Part| turn.is_task && turn.end == End::Open;
                if !self.turns.last().is_some_and(goes_on) {
                    self.open(None, at, false, reading);
                }
            }
            "task_complete" | "turn_complete" => {
                let end = match payload.error.0 {
                    true => End::Failed(Some("error")),
                    false => End::Done,
                };
                self.end(payload, at, end);
            }
            "turn_aborted" => {
                let reason = match &*payload.reason.0 {
                    "interrupted" => "interrupted",
                    "replaced" => "replaced",
                    "review_ended" => "review_ended",
                    "budget_limited" => "budget_limited",
                    _ => "aborted",
                };
                self.end(payload, at, End::Failed(Some(reason)));
            }
            "thread_settings_applied" => {
                let settings = payload.thread_settings.0.as_ref();
                let model = settings.and_then(|it| it.model.get());
                self.settle(model, settings.and_then(|it| it.cwd.get()), names, reading);
            }
            "token_count" => {
                let (total, last) = match &payload.info.0 {
                    Some(info) => (info.total_token_usage.0, info.last_token_usage.0),
                    None => (payload.flat_total(), None),
                };
                if total.is_some() || last.is_some() {
                    let turn = self.of_usage(None, at, reading);
                    let model = self.model(names);
                    self.counts.push(Counted { at, total, last, turn, model });
                }
            }
            "patch_apply_end" => {
                let failed = payload.success.is_some_and(|success| !success.0);
                self.work(at, failed, |work| work.edits = true);
            }
            "mcp_tool_call_end" => {
                let failed = payload.result.0.as_ref().is_some_and(|result| result.error.0);
                self.work(at, failed, |_| {});
            }
            "entered_review_mode" => self.work(at, false, |work| work.checks = true),
            "item_completed"
                if payload.item.0.as_ref().is_some_and(|item| item.kind.0 == "Plan") =>
            {
                self.work(at, false, |work| work.plans = true);
            }
            _ => {}
        }
    }

    fn item(&mut self, payload: &Payload<'_>, at: Instant) {
        if !matches!(&*payload.kind.0, "function_call" | "custom_tool_call" | "local_shell_call") {
            return;
        }
        let command = payload.arguments;
        let edits = payload.name.0 == "apply_patch" || command.edits;
        self.work(at, false, |work| {
            work.edits |= edits;
            work.checks |= command.checks;
        });
    }

    fn work(&mut self, at: Instant, failed: bool, note: impl FnOnce(&mut Work)) {
        if let Some(turn) = self.turns.last_mut() {
            turn.last = turn.last.max(at);
            turn.is_answered = true;
            turn.work.tools = true;
            turn.tool_errors += u64::from(failed);
            note(&mut turn.work);
        }
    }

    fn open(&mut self, id: Option<String>, at: Instant, is_task: bool, reading: &mut Reading<'_>) {
        if let Some(before) = self.turns.last_mut() {
            before.is_followed = true;
        }
        self.begun = Some(Begun {
            line: reading.at,
            cwd: self.cwd.clone(),
            model: self.model.clone(),
            is_planning: self.is_planning,
        });
        self.turns.push(Part {
            id,
            start: at,
            last: at,
            end: End::Open,
            is_followed: false,
            duration_ms: None,
            work: Work { plans: self.is_planning, ..Work::default() },
            model: self.model.clone(),
            is_here: reading.scope.holds(&self.cwd),
            tool_errors: 0,
            is_answered: false,
            is_task,
        });
    }

    fn end(&mut self, payload: &Payload<'_>, at: Instant, end: End) {
        let named = payload.turn_id.get();
        let is_it = |turn: &&mut Part| named.is_none() || turn.id.as_deref() == named;
        let Some(turn) = self.turns.iter_mut().rev().find(is_it) else { return };
        turn.last = turn.last.max(at);
        turn.end = end;
        turn.is_answered = true;
        let (started, completed) = (payload.started_at.0, payload.completed_at.0);
        let told = || (started > 0 && completed >= started).then(|| (completed - started) * 1_000);
        turn.duration_ms = payload.duration_ms.map(|it| it.0).or_else(told);
    }

    /// Whether reading began at a mark.
    fn is_of_mark(&self) -> bool {
        !self.sums.thread.is_empty()
    }

    /// Whether a turn has this id that stands before the line where reading began.
    fn is_of_earlier(&self, id: Option<&str>) -> bool {
        let is_here = |turn: &Part| turn.id.as_deref() == id;
        id.is_some_and(|id| self.earlier.contains(&hash(&[id]))) && !self.turns.iter().any(is_here)
    }

    /// The turn that used something.
    fn of_usage(&mut self, id: Option<&str>, at: Instant, reading: &mut Reading<'_>) -> usize {
        if self.turns.is_empty() {
            self.open(None, at, false, reading);
        }
        let of_id = |turn: &Part| id.is_some() && turn.id.as_deref() == id;
        let at_id = self.turns.iter().rposition(of_id).unwrap_or(self.turns.len() - 1);
        self.turns[at_id].is_answered = true;
        at_id
    }

    fn model(&self, names: &mut Names) -> Rc<str> {
        self.model.clone().unwrap_or_else(|| names.get(UNKNOWN_MODEL))
    }
}
