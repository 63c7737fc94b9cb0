//! Lines of sessions → turns: where one begins and ends, and which one a sub-agent works for.

use std::rc::Rc;

use hashbrown::HashMap;

use crate::error::Result;
use crate::intake::import::claude_code::building::{Begun, Building};
use crate::intake::import::claude_code::line::{Kind, Kinds, Line, Message, error_reason};
use crate::intake::import::claude_code::responses::{Responses, Said};
use crate::intake::import::cost::UNKNOWN_MODEL;
use crate::intake::import::lines::At;
use crate::intake::import::mark::Mark;
use crate::intake::import::reading::{Names, Reading, hash, instant};
use crate::intake::import::turn::{End, Turn};
use crate::intake::import::walk::File;
use crate::timestamp::Instant;

/// No model: the program itself wrote it.
const SYNTHETIC: &str = "<synthetic>";

/// All sessions that are read in one go: responses are told apart across all of them.
#[derive(Default)]
pub(super) struct Sessions {
    kinds: Kinds,
    turns: Vec<Building>,
    responses: Responses,
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
        let mut earlier = mark.map_or_else(Vec::new, |mark| mark.earlier.clone());
        earlier.extend(self.called.iter().filter(|(_, it)| *it < turn).map(|(call, _)| call));
        Some(Mark {
            offset: begun.line.offset,
            lines: begun.line.lines,
            start: (begun.start.seconds, begun.start.nanos),
            session: begun.session.to_string(),
            cwd: begun.cwd.to_string(),
            model: begun.model.map(|model| model.to_string()),
            is_planning: begun.is_planning,
            earlier,
            sums: None,
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
            if !self.kinds.has(line) {
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
        if let Some(before) = self.current(chain) {
            self.turns[before].turn.is_followed = true;
        }
        // A command may stand before lines that change what holds.
        let now = Begun {
            session: chain.session.clone(),
            model: chain.model.clone(),
            is_planning: chain.is_planning,
            ..begun.clone()
        };
        self.turns.push(Building::new(self.group, now));
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

    /// Counts a response, of the agent itself or not.
    fn respond(
        &mut self,
        line: &Line<'_>,
        message: &Message<'_>,
        turn: usize,
        at: Instant,
        (is_main, is_placeholder, is_here): (bool, bool, bool),
        reading: &mut Reading<'_>,
    ) {
        let group = self.group;
        let said = Said { line, message, turn, group, at, is_main, is_placeholder, is_here };
        self.responses.add(&said, &mut self.turns, &mut self.names, reading);
    }

    /// All turns with what they own.
    pub(super) fn finish(self, reading: &mut Reading<'_>) -> Vec<Turn> {
        self.responses.finish(self.turns, reading)
    }
}
