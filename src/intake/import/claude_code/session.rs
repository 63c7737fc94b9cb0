//! Lines of sessions → turns. A response may stand on many lines and in many files: in pieces while
//! it was streamed, in copies where a session was resumed or forked, in replays of sub-agents.

use std::rc::Rc;

use hashbrown::HashMap;
use memchr::memmem::Finder;

use crate::error::Result;
use crate::intake::import::claude_code::line::{Kind, Line, Message, NAME};
use crate::intake::import::cost::UNKNOWN_MODEL;
use crate::intake::import::lines::At;
use crate::intake::import::mark::Mark;
use crate::intake::import::reading::{Names, Reading, hash, instant};
use crate::intake::import::turn::{End, Request, Turn, Work, millis_between};
use crate::intake::import::usage::Usage;
use crate::intake::import::walk::File;
use crate::timestamp::Instant;

/// Lines of other kinds need not be looked at closely.
const KINDS: [&str; 5] = ["\"user\"", "\"assistant\"", "\"system\"", "ermission", "\"mode\""];

/// No model: the program itself wrote it.
const SYNTHETIC: &str = "<synthetic>";

/// All sessions that are read in one go: responses are told apart across all of them.
pub(super) struct Sessions {
    kinds: Vec<Finder<'static>>,
    turns: Vec<Building>,
    responses: Vec<Response>,
    by_key: HashMap<u64, usize>,
    /// Which turn called an agent, by the id of the call.
    calls: HashMap<u64, usize>,
    /// The same of the session that is being read.
    called: Vec<(u64, usize)>,
    names: Names,
    group: usize,
    /// The first turn of the session that is being read.
    first: usize,
    /// Where its last turn in the main file began.
    last: Option<(usize, Begun)>,
}

/// Where a turn begins, and what holds there.
#[derive(Clone)]
struct Begun {
    line: At,
    start: Instant,
    prompt: u64,
    is_here: bool,
    session: Rc<str>,
    cwd: Rc<str>,
    model: Option<Rc<str>>,
    is_planning: bool,
}

/// A response of a model, of all lines that tell of it.
struct Response {
    key: u64,
    id: String,
    turn: usize,
    group: usize,
    model: Rc<str>,
    at: Instant,
    usage: Usage,
    is_main: bool,
    is_placeholder: bool,
    is_here: bool,
    /// It is counted in a transcript that is not read again.
    is_seen: bool,
}

/// A turn that may go on.
struct Building {
    turn: Turn,
    prompt_id: u64,
    /// Something came after the prompt.
    is_answered: bool,
    /// It holds responses that are counted elsewhere.
    has_copies: bool,
    /// The same turn in another file, or once more in this one.
    copy_of: Option<usize>,
    /// The first response of the agent itself.
    first: Option<u64>,
    /// It is counted in a transcript that is not read again.
    is_known: bool,
    /// What the program measured.
    measured_ms: u64,
    /// Nothing of the agent followed what was measured.
    is_measured: bool,
    /// The last response stands there without a reason to stop.
    lacks_reason: bool,
    is_planning: bool,
    /// When the agent or a tool was last heard of.
    heard: Option<Instant>,
}

/// Where a file is read.
struct Chain {
    /// The call that began it, where it is a sub-agent's.
    call: Option<String>,
    /// The turn that everything in it belongs to, where it is a sub-agent's.
    turn: Option<usize>,
    session: Rc<str>,
    cwd: Rc<str>,
    model: Option<Rc<str>>,
    is_planning: bool,
    /// A command that is a prompt if something follows it.
    command: Option<Begun>,
}

impl Chain {
    /// A turn that begins at the line that is being read.
    fn begun(&self, start: Instant, prompt: u64, reading: &mut Reading<'_>) -> Begun {
        Begun {
            line: reading.at,
            start,
            prompt,
            is_here: reading.scope.holds(&self.cwd),
            session: self.session.clone(),
            cwd: self.cwd.clone(),
            model: self.model.clone(),
            is_planning: self.is_planning,
        }
    }
}

impl Default for Sessions {
    fn default() -> Sessions {
        Sessions {
            kinds: KINDS.iter().map(Finder::new).collect(),
            turns: Vec::new(),
            responses: Vec::new(),
            by_key: HashMap::new(),
            calls: HashMap::new(),
            called: Vec::new(),
            names: Names::default(),
            group: 0,
            first: 0,
            last: None,
        }
    }
}

impl Sessions {
    /// Begins a session with its sub-agents.
    pub(super) fn begin(&mut self, group: usize) {
        self.group = group;
        self.first = self.turns.len();
        self.last = None;
        self.called.clear();
    }

    /// Ends it; gives where reading may begin the next time, if it began at `mark` now.
    pub(super) fn end(&mut self, mark: Option<&Mark>) -> Option<Mark> {
        let Some((turn, begun)) = self.last.take() else { return mark.cloned() };
        self.turns[turn..].iter_mut().for_each(|it| it.turn.is_last = true);
        if mark.is_none() && turn == self.first {
            return None;
        }
        let mut calls = mark.map_or_else(Vec::new, |mark| mark.calls.clone());
        calls.extend(self.called.iter().filter(|(_, it)| *it < turn).map(|(call, _)| call));
        Some(Mark {
            offset: begun.line.offset,
            lines: begun.line.lines,
            start: (begun.start.seconds, begun.start.nanos),
            session: begun.session.to_string(),
            cwd: begun.cwd.to_string(),
            model: begun.model.map(|model| model.to_string()),
            is_planning: begun.is_planning,
            calls,
        })
    }

    /// Reads a file, the main one from its mark on; `call` is what began it, where it is a sub-agent's.
    pub(super) fn read(
        &mut self,
        file: &File,
        call: Option<&str>,
        mark: Option<&Mark>,
        reading: &mut Reading<'_>,
    ) -> Result<()> {
        let mut chain = Chain {
            call: call.map(str::to_owned),
            turn: None,
            session: self.names.get(file.stem()),
            cwd: self.names.get(""),
            model: None,
            is_planning: false,
            command: None,
        };
        if let Some(mark) = mark {
            reading.at = At { lines: mark.lines, offset: mark.offset };
            chain.session = self.names.get(&mark.session);
            chain.cwd = self.names.get(&mark.cwd);
            chain.model = mark.model.as_ref().map(|model| self.names.get(model));
            chain.is_planning = mark.is_planning;
        }
        reading.lines(file, &mut |reading, number, line| {
            if !self.kinds.iter().any(|kind| kind.find(line).is_some()) {
                return;
            }
            if let Some(line) = reading.parse::<Line<'_>>(file, number, line) {
                self.line(&line, &mut chain, reading);
            }
        })
    }

    fn line(&mut self, line: &Line<'_>, chain: &mut Chain, reading: &mut Reading<'_>) {
        if let Some(session) = line.session_id.get() {
            chain.session = self.names.get(session);
        }
        if let Some(cwd) = line.cwd.get().filter(|cwd| *cwd != &*chain.cwd) {
            chain.cwd = self.names.get(cwd);
        }
        let is_main = chain.call.is_none() && !line.is_sidechain.0;
        let mode = line.permission_mode.get();
        let mode = mode.or(line.mode.get().filter(|_| line.kind.0 == "mode")).filter(|_| is_main);
        chain.is_planning = mode.map_or(chain.is_planning, |mode| mode == "plan");
        match &*line.kind.0 {
            "user" if is_main => self.user(line, chain, reading),
            "assistant" if is_main => self.assistant(line, chain, reading),
            "user" | "assistant" => self.sidechain(line, chain, reading),
            "progress" => self.progress(line, chain, reading),
            "system" if is_main => self.system(line, chain),
            _ => {}
        }
        // A prompt's mode is that of the turn that it begins.
        if mode.is_some()
            && let Some(at) = self.current(chain)
        {
            self.turns[at].is_planning = chain.is_planning;
        }
    }

    /// The turn that goes on in the main file.
    fn current(&self, chain: &Chain) -> Option<usize> {
        match chain.call {
            None => self.turns.len().checked_sub(1).filter(|at| *at >= self.first),
            Some(_) => None,
        }
    }

    fn user(&mut self, line: &Line<'_>, chain: &mut Chain, reading: &mut Reading<'_>) {
        let (Some(message), Some(at)) = (&line.message.0, instant(&line.timestamp.0)) else {
            return;
        };
        let content = &message.content;
        let is_of_person =
            line.origin.0.as_ref().is_none_or(|it| matches!(&*it.kind.0, "" | "human"));
        let prompt = line.prompt_id.get().map_or(0, |id| hash(&[id]));
        let is_prompt =
            is_of_person && !line.is_meta.0 && !line.is_compact_summary.0 && !content.has_results;
        match content.text {
            Kind::Prompt if is_prompt => {
                chain.command = None;
                let current = self.current(chain);
                let goes_on =
                    current.is_some_and(|it| prompt != 0 && self.turns[it].prompt_id == prompt);
                if !goes_on {
                    self.open(chain, chain.begun(at, prompt, reading));
                }
            }
            Kind::Command if is_prompt => {
                chain.command = Some(chain.begun(at, prompt, reading));
            }
            Kind::Interruption => {
                if let Some(turn) = self.current(chain).map(|it| &mut self.turns[it]) {
                    turn.turn.end = End::Failed(Some("interrupted"));
                    turn.is_answered = true;
                    turn.hear(at, false);
                }
            }
            _ => {}
        }
        if content.has_results
            && let Some(it) = self.current(chain)
        {
            self.turns[it].hear(at, true);
            self.turns[it].count_errors(content.errors, chain.model.as_ref());
        }
    }

    fn assistant(&mut self, line: &Line<'_>, chain: &mut Chain, reading: &mut Reading<'_>) {
        let (Some(message), Some(at)) = (&line.message.0, instant(&line.timestamp.0)) else {
            return;
        };
        let is_error = line.is_api_error_message.0;
        let is_real = message.model.0 != SYNTHETIC;
        if !is_real && !is_error {
            return;
        }
        let is_here = reading.scope.holds(&chain.cwd);
        let it = match (chain.command.take(), self.current(chain)) {
            (Some(begun), _) => self.open(chain, begun),
            (None, Some(it)) => it,
            (None, None) => self.open(chain, chain.begun(at, 0, reading)),
        };
        if is_real && !is_error {
            let model = self.names.get(message.model.get().unwrap_or(UNKNOWN_MODEL));
            chain.model = Some(model.clone());
            self.turns[it].turn.model = Some(model);
            self.respond(line, message, it, at, (true, false, is_here), reading);
        }
        let turn = &mut self.turns[it];
        turn.is_answered = true;
        turn.hear(at, true);
        turn.is_measured = false;
        turn.lacks_reason = false;
        turn.turn.end = match message.stop_reason.get() {
            _ if is_error => End::Failed(Some(error_reason(&line.error.0))),
            None => {
                turn.lacks_reason = !message.content.calls;
                End::Open
            }
            Some("end_turn" | "stop_sequence") => End::Done,
            Some("tool_use" | "pause_turn") => End::Open,
            Some("max_tokens") => End::Failed(Some("max_tokens")),
            Some("refusal") => End::Failed(Some("refusal")),
            Some(_) => End::Failed(None),
        };
        self.work(it, message);
    }

    /// A line of a sub-agent, in the main file or in one of its own.
    fn sidechain(&mut self, line: &Line<'_>, chain: &mut Chain, reading: &mut Reading<'_>) {
        let (Some(message), Some(at)) = (&line.message.0, instant(&line.timestamp.0)) else {
            return;
        };
        let it = self.turn_of_sub_agent(chain, at, reading);
        // One that works in the background is heard of long after the turn.
        self.turns[it].turn.last = self.turns[it].turn.last.max(at);
        if line.kind.0 == "assistant" && message.model.0 != SYNTHETIC {
            let is_here = reading.scope.holds(&chain.cwd);
            chain.model = Some(self.names.get(message.model.get().unwrap_or(UNKNOWN_MODEL)));
            self.respond(line, message, it, at, (false, false, is_here), reading);
            self.work(it, message);
        } else {
            self.turns[it].count_errors(message.content.errors, chain.model.as_ref());
        }
    }

    /// Versions 2.1.12 to 2.1.50 tell of a sub-agent's responses in the main file.
    fn progress(&mut self, line: &Line<'_>, chain: &mut Chain, reading: &mut Reading<'_>) {
        let told = line.data.0.as_ref().and_then(|data| data.message.0.as_ref());
        let Some(told) = told.filter(|told| told.kind.0 == "assistant") else { return };
        let (Some(message), Some(at)) = (&told.message.0, instant(&line.timestamp.0)) else {
            return;
        };
        if message.model.0 == SYNTHETIC || message.id.get().is_none() {
            return;
        }
        let it = self.turn_of_sub_agent(chain, at, reading);
        let is_here = reading.scope.holds(&chain.cwd);
        self.respond(line, message, it, at, (false, true, is_here), reading);
    }

    fn system(&mut self, line: &Line<'_>, chain: &Chain) {
        let Some(turn) = self.current(chain).map(|it| &mut self.turns[it]) else { return };
        match &*line.subtype.0 {
            "turn_duration" => {
                turn.measured_ms = turn.measured_ms.saturating_add(line.duration_ms.0);
                turn.is_measured = true;
            }
            "stop_hook_summary" => {}
            _ => return,
        }
        // Both stand only where a turn came to its end.
        if turn.lacks_reason && turn.turn.end == End::Open {
            turn.turn.end = End::Done;
        }
    }

    /// Opens a turn, and with it ends the one before.
    fn open(&mut self, chain: &Chain, begun: Begun) -> usize {
        let Begun { start: at, prompt: prompt_id, is_here, .. } = begun;
        if let Some(before) = self.current(chain) {
            self.turns[before].turn.is_followed = true;
        }
        self.turns.push(Building {
            turn: Turn {
                source: NAME,
                prefix: "",
                key: String::new(),
                session: chain.session.clone(),
                start: at,
                last: at,
                duration_ms: 0,
                end: End::Open,
                is_followed: false,
                is_here,
                model: chain.model.clone(),
                work: Work::default(),
                requests: Vec::new(),
                tool_errors: Vec::new(),
                lacks_usage: false,
                is_last: false,
                group: self.group,
            },
            prompt_id,
            is_answered: false,
            has_copies: false,
            copy_of: None,
            first: None,
            is_known: false,
            measured_ms: 0,
            is_measured: false,
            lacks_reason: false,
            is_planning: chain.is_planning,
            heard: None,
        });
        let it = self.turns.len() - 1;
        if chain.call.is_none() {
            self.last = Some((it, begun));
        }
        it
    }

    /// The turn that called it, else the one in whose time it began.
    fn turn_of_sub_agent(
        &mut self,
        chain: &mut Chain,
        at: Instant,
        reading: &mut Reading<'_>,
    ) -> usize {
        let Some(call) = &chain.call else {
            // In the main file lines stand in the order of time.
            return match self.current(chain) {
                Some(it) => it,
                None => self.open(chain, chain.begun(at, 0, reading)),
            };
        };
        if let Some(it) = chain.turn {
            return it;
        }
        let called = self.calls.get(&hash(&[call])).copied().filter(|it| *it >= self.first);
        let of_session = self.first..self.turns.len();
        let in_time = || of_session.clone().rfind(|it| self.turns[*it].turn.start <= at);
        let found = called.or_else(in_time).or_else(|| of_session.clone().next());
        let it = match found {
            Some(it) => it,
            None => {
                let it = self.open(chain, chain.begun(at, 0, reading));
                // Whatever file it belonged to is gone, and will not say how it ended.
                self.turns[it].is_answered = true;
                it
            }
        };
        chain.turn = Some(it);
        it
    }

    fn work(&mut self, it: usize, message: &Message<'_>) {
        let content = &message.content;
        let work = &mut self.turns[it].turn.work;
        work.tools |= content.calls;
        work.edits |= content.edits;
        work.checks |= content.checks;
        work.plans |= content.plans;
        for call in &content.agents {
            self.calls.insert(hash(&[call]), it);
            self.called.push((hash(&[call]), it));
        }
    }

    /// Counts a response: once, wherever it stands, by the line that tells the most.
    fn respond(
        &mut self,
        line: &Line<'_>,
        message: &Message<'_>,
        turn: usize,
        at: Instant,
        (is_main, is_placeholder, is_here): (bool, bool, bool),
        reading: &mut Reading<'_>,
    ) {
        let Some(tokens) = &message.usage.0 else { return };
        let usage = tokens.usage();
        let names = [("m", &message.id), ("r", &line.request_id), ("u", &line.uuid)];
        let Some((kind, id)) = names.iter().find_map(|(kind, id)| Some((*kind, id.get()?))) else {
            return;
        };
        let key = hash(&[kind, id]);
        let is_seen = reading.seen.contains(&key);
        let building = &mut self.turns[turn];
        if is_main && building.first.is_none() {
            building.first = Some(key);
            building.is_known = is_seen && reading.seen.contains(&building.beginning(key));
        }
        if is_seen {
            reading.findings.repeated += 1;
            building.has_copies = true;
            // What follows in a turn that is known is more of it, not a turn by itself.
            if !building.is_known {
                return;
            }
        }
        let model = self.names.get(message.model.get().unwrap_or(UNKNOWN_MODEL));
        let Some(&known) = self.by_key.get(&key) else {
            self.by_key.insert(key, self.responses.len());
            self.responses.push(Response {
                key,
                id: id.to_owned(),
                turn,
                group: self.group,
                model,
                at,
                usage,
                is_main,
                is_placeholder,
                is_here,
                is_seen,
            });
            return;
        };
        reading.findings.repeated += 1;
        let known = &mut self.responses[known];
        let (old, new) = (root(&self.turns, known.turn), root(&self.turns, turn));
        if old != new {
            let (old_start, new_start) = (self.turns[old].turn.start, self.turns[new].turn.start);
            if is_main && known.is_main && old_start == new_start {
                self.turns[new].copy_of = Some(old);
            } else {
                // Of two that hold it, the turn whose prompt stands nearest before it.
                let is_nearer =
                    new_start <= known.at && (old_start > known.at || new_start > old_start);
                let moves = is_main && (!known.is_main || is_nearer);
                self.turns[if moves { old } else { new }].has_copies = true;
                if moves {
                    (known.turn, known.group, known.is_here) = (turn, self.group, is_here);
                }
            }
        }
        if is_main && !known.is_main {
            (known.usage, known.model, known.at) = (usage, model, at);
            (known.is_main, known.is_placeholder) = (true, false);
        } else if is_main == known.is_main && usage.total() >= known.usage.total() {
            (known.usage, known.model) = (usage, model);
            known.is_placeholder &= is_placeholder;
        }
    }

    /// Makes one turn of all copies of it: that which goes on longest tells how it ended. Where the
    /// others stand, by the place of that one.
    fn join_copies(&mut self) -> HashMap<usize, Vec<(usize, bool)>> {
        let mut copies: HashMap<usize, Vec<(usize, bool)>> = HashMap::new();
        for it in 0..self.turns.len() {
            if self.turns[it].copy_of.is_none() {
                continue;
            }
            let root = root(&self.turns, it);
            if self.turns[it].heard > self.turns[root].heard {
                self.turns.swap(it, root);
                let copy_of = self.turns[root].copy_of.take();
                self.turns[it].copy_of = copy_of;
            }
            let copy = &mut self.turns[it];
            copy.has_copies = true;
            let (heard, turn) = (copy.heard, copy.turn.clone());
            let joined = &mut self.turns[root];
            joined.turn.is_followed |= turn.is_followed && heard == joined.heard;
            joined.turn.last = joined.turn.last.max(turn.last);
            joined.turn.work.add(turn.work);
            copies.entry(root).or_default().push((turn.group, turn.is_last));
        }
        copies
    }

    /// All turns with what they own.
    pub(super) fn finish(mut self, reading: &mut Reading<'_>) -> Vec<Turn> {
        for response in &mut self.responses {
            let is_last = self.turns[response.turn].turn.is_last;
            reading.owned.push((response.group, response.key, is_last));
            response.turn = root(&self.turns, response.turn);
        }
        for building in &self.turns {
            let Turn { group, is_last, .. } = building.turn;
            let beginning = building.first.map(|first| building.beginning(first));
            reading.owned.extend(beginning.map(|beginning| (group, beginning, is_last)));
        }
        let mut copies = self.join_copies();
        self.responses.sort_by_key(|it| (it.turn, it.at));
        for all in self.responses.chunk_by(|one, other| one.turn == other.turn) {
            let building = &mut self.turns[all[0].turn];
            building.is_known = all.iter().all(|it| it.is_seen);
            building.turn.is_here = all.iter().any(|it| it.is_here);
            // Most turns have one or two: what a vector takes by itself is more.
            building.turn.requests.reserve_exact(all.len());
        }
        for response in self.responses {
            let Building { turn, is_known, .. } = &mut self.turns[response.turn];
            if *is_known {
                continue;
            }
            reading.findings.responses += 1;
            reading.findings.placeholders += u64::from(response.is_placeholder);
            // The agent may go to a folder that is not ours, and come back.
            if turn.is_here && !response.is_here {
                continue;
            }
            if turn.key.is_empty() || response.is_main && turn.requests.iter().all(|it| it.is_sub) {
                turn.key = response.id;
            }
            turn.requests.push(Request {
                model: response.model,
                at: response.at,
                usage: response.usage,
                count: 1,
                is_sub: !response.is_main,
                cost: None,
            });
        }
        let mut turns = Vec::new();
        for (it, building) in self.turns.into_iter().enumerate() {
            if !building.is_answered && building.turn.requests.is_empty() {
                reading.findings.unanswered += u64::from(!building.has_copies);
                continue;
            }
            // Its responses are those of another turn, and so is what else happened.
            if building.turn.requests.is_empty() && building.has_copies {
                continue;
            }
            let turn = building.finish();
            if let Some(copies) = copies.remove(&it).filter(|_| turn.end == End::Open) {
                reading.copies.insert(turn.key.clone(), copies);
            }
            turns.push(turn);
        }
        turns
    }
}

/// The first of the copies of a turn.
fn root(turns: &[Building], mut it: usize) -> usize {
    while let Some(first) = turns[it].copy_of {
        it = first;
    }
    it
}

impl Building {
    /// What tells a turn that begins with this response from all others, in every copy of it.
    fn beginning(&self, first: u64) -> u64 {
        let Instant { seconds, nanos } = self.turn.start;
        hash(&[&format!("{first} {seconds}.{nanos}")])
    }

    fn hear(&mut self, at: Instant, is_work: bool) {
        self.turn.last = self.turn.last.max(at);
        if is_work {
            self.heard = self.heard.max(Some(at));
        }
    }

    fn count_errors(&mut self, errors: u64, model: Option<&Rc<str>>) {
        if let Some(model) = model.filter(|_| errors > 0) {
            match self.turn.tool_errors.iter_mut().find(|(it, _)| it == model) {
                Some((_, count)) => *count += errors,
                None => self.turn.tool_errors.push((model.clone(), errors)),
            }
        }
    }

    fn finish(self) -> Turn {
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

/// Why a request failed, in one of the words that we know.
fn error_reason(error: &str) -> &'static str {
    match error {
        "rate_limit" => "rate_limit",
        "authentication_failed" => "authentication_failed",
        "billing_error" => "billing_error",
        "invalid_request" => "invalid_request",
        "server_error" => "server_error",
        "max_output_tokens" => "max_output_tokens",
        _ => "api_error",
    }
}
