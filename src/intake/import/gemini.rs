//! Gemini CLI: a session is a file of JSON lines, or, of old, one JSON object. A message is written
//! again when there is more to tell of it; the last one counts.

use std::fs;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use hashbrown::HashMap;
use serde::Deserialize;

use crate::error::Result;
use crate::intake::import::command::Arguments;
use crate::intake::import::cost::UNKNOWN_MODEL;
use crate::intake::import::homes::Homes;
use crate::intake::import::lenient::{Count, Maybe, Text};
use crate::intake::import::reading::{Names, Reading, instant};
use crate::intake::import::turn::{End, Request, Turn, Work, millis_between};
use crate::intake::import::usage::Usage;
use crate::intake::import::walk::{self, File, Group};
use crate::timestamp::Instant;

/// What the row's `source` tag says.
pub const NAME: &str = "gemini";

const ENDINGS: [&str; 2] = [".json", ".jsonl"];

/// The sessions: those of one project together.
pub fn find(homes: &Homes) -> Vec<Group> {
    let folders = match homes.named.is_empty() {
        true => homes.in_home(".gemini/tmp").into_iter().collect(),
        false => homes.named.clone(),
    };
    let mut groups: Vec<(PathBuf, Group)> = Vec::new();
    for folder in folders {
        let is_named = folder.is_file();
        for file in walk::files(&folder, &ENDINGS) {
            // Beside the folder of the sessions there are logs and other things.
            let Some(project) =
                project(&file.path).or((is_named || file.is_closed).then(|| file.path.clone()))
            else {
                continue;
            };
            match groups.iter_mut().find(|(it, _)| *it == project) {
                Some((_, group)) => group.files.push(file),
                None => groups.push((project, Group { files: vec![file], ..Group::default() })),
            }
        }
    }
    for (_, group) in &mut groups {
        // What was rewritten as lines is newer than the object that it was.
        group.files.sort_by_cached_key(|file| {
            (file.path.with_extension(""), file.name().ends_with(".jsonl"))
        });
    }
    groups.into_iter().map(|(_, group)| group).collect()
}

/// The folder of the project that a session is of.
fn project(path: &Path) -> Option<PathBuf> {
    path.ancestors().find(|it| it.ends_with("chats")).and_then(Path::parent).map(Path::to_owned)
}

/// The folder where the project's work is done, as the program notes it.
fn root(project: &Path) -> Option<String> {
    if let Ok(text) = fs::read_to_string(project.join(".project_root")) {
        return Some(text.trim().to_owned());
    }
    #[derive(Deserialize)]
    struct Projects {
        projects: HashMap<String, String>,
    }
    let all = fs::read(project.parent()?.parent()?.join("projects.json")).ok()?;
    let all: Projects = serde_json::from_slice(&all).ok()?;
    let slug = project.file_name()?.to_str()?;
    all.projects.into_iter().find(|(_, it)| it == slug).map(|(path, _)| path)
}

/// A line, or the whole object.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Line<'a> {
    #[serde(borrow)]
    session_id: Text<'a>,
    #[serde(borrow)]
    project_hash: Text<'a>,
    #[serde(borrow)]
    kind: Text<'a>,
    #[serde(borrow, rename = "type")]
    of: Text<'a>,
    #[serde(borrow)]
    id: Text<'a>,
    #[serde(borrow)]
    timestamp: Text<'a>,
    #[serde(borrow)]
    model: Text<'a>,
    tokens: Maybe<Tokens>,
    #[serde(borrow)]
    tool_calls: Option<Vec<Maybe<Call<'a>>>>,
    #[serde(borrow)]
    messages: Option<Vec<Line<'a>>>,
    #[serde(borrow, rename = "$set")]
    set: Option<Box<Line<'a>>>,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default)]
struct Tokens {
    input: Count,
    output: Count,
    cached: Count,
    thoughts: Count,
    tool: Count,
    total: Count,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Call<'a> {
    #[serde(borrow)]
    name: Text<'a>,
    #[serde(borrow)]
    status: Text<'a>,
    args: Maybe<Arguments>,
}

impl Tokens {
    fn usage(&self) -> Usage {
        let [input, output, cached, thoughts, tool, total] =
            [self.input, self.output, self.cached, self.thoughts, self.tool, self.total]
                .map(|it| it.0);
        // Some versions leave what was cached out of the input.
        let parts = input + output + thoughts + tool;
        let apart = if cached > 0 && total == parts + cached { cached } else { 0 };
        let prompt = input + tool + apart;
        Usage {
            prompt,
            completion: output + thoughts,
            cache_read: cached.min(prompt),
            ..Usage::default()
        }
    }
}

/// A message.
struct Message {
    id: String,
    at: Instant,
    is_prompt: bool,
    is_answer: bool,
    is_error: bool,
    model: Option<Rc<str>>,
    usage: Option<Usage>,
    calls: u64,
    errors: u64,
    work: Work,
}

/// A session, of one file or of two.
#[derive(Default)]
struct Session {
    id: String,
    hash: String,
    is_sub: bool,
    /// The session that called it.
    parent: Option<String>,
    messages: Vec<Message>,
    by_id: HashMap<String, usize>,
}

/// Reads groups of files.
///
/// # Errors
/// A file that was named cannot be read.
pub fn read(groups: &[Group], reading: &mut Reading<'_>) -> Result<Vec<Turn>> {
    let mut names = Names::default();
    let mut turns = Vec::new();
    for group in groups {
        let mut sessions: Vec<Session> = Vec::new();
        for file in &group.files {
            let session = session(file, &mut names, reading)?;
            match sessions.iter_mut().find(|it| it.id == session.id) {
                Some(known) => {
                    for message in session.messages {
                        known.put(message, reading);
                    }
                }
                None => sessions.push(session),
            }
        }
        let root = group.files.first().and_then(|file| root(&project(&file.path)?));
        // Sub-agents stand behind the sessions that called them.
        sessions.sort_by_key(|it| it.is_sub);
        let begin = turns.len();
        for session in sessions {
            let is_here = match &root {
                Some(root) => reading.scope.holds(root),
                None => reading.scope.holds_hash(&session.hash),
            };
            let own = session.turns(group.number, is_here, reading);
            match session.caller(&turns[begin..]) {
                Some(at) => {
                    let caller: &mut Turn = &mut turns[begin + at];
                    for turn in own {
                        caller.work.edits |= turn.work.edits;
                        caller.work.checks |= turn.work.checks;
                        caller.requests.extend(turn.requests);
                        caller.tool_errors.extend(turn.tool_errors);
                    }
                    caller.requests.sort_by_key(|request| request.at);
                }
                None => turns.extend(own),
            }
        }
    }
    Ok(turns)
}

fn session(file: &File, names: &mut Names, reading: &mut Reading<'_>) -> Result<Session> {
    let mut session = Session { id: file.stem().to_owned(), ..Session::default() };
    let folder = file.path.parent().unwrap_or(&file.path);
    if !folder.ends_with("chats") {
        session.parent = folder.file_name().map(|name| name.to_string_lossy().into_owned());
    }
    if file.name().ends_with(".jsonl") {
        reading.lines(file, &mut |reading, number, line| {
            if let Some(line) = reading.parse::<Line<'_>>(file, number, line) {
                session.take(&line, names, reading);
            }
        })?;
    } else if let Some(bytes) = reading.whole(file)?
        && let Some(whole) = reading.parse::<Line<'_>>(file, 0, &bytes)
    {
        session.take(&whole, names, reading);
    }
    Ok(session)
}

impl Session {
    fn take(&mut self, line: &Line<'_>, names: &mut Names, reading: &mut Reading<'_>) {
        if let Some(id) = line.session_id.get() {
            self.id = id.to_owned();
        }
        if let Some(hash) = line.project_hash.get() {
            self.hash = hash.to_owned();
        }
        self.is_sub |= line.kind.0 == "subagent";
        if let Some(set) = &line.set {
            self.take(set, names, reading);
        }
        for message in line.messages.iter().flatten() {
            self.take(message, names, reading);
        }
        let (Some(id), Some(at)) = (line.id.get(), instant(&line.timestamp.0)) else { return };
        let mut message = Message {
            id: id.to_owned(),
            at,
            is_prompt: line.of.0 == "user",
            is_answer: line.of.0 == "gemini",
            is_error: line.of.0 == "error",
            model: line.model.get().map(|model| names.get(model)),
            usage: line.tokens.0.map(|tokens| tokens.usage()),
            calls: 0,
            errors: 0,
            work: Work::default(),
        };
        for call in line.tool_calls.iter().flatten().filter_map(|call| call.0.as_ref()) {
            message.calls += 1;
            message.errors += u64::from(call.status.0 == "error");
            message.work.tools = true;
            let command = || call.args.0.as_ref().is_some_and(|args| args.command.0);
            match &*call.name.0 {
                "write_file" | "replace" | "edit" => message.work.edits = true,
                "run_shell_command" => message.work.checks |= command(),
                _ => {}
            }
        }
        self.put(message, reading);
    }

    fn put(&mut self, mut message: Message, reading: &mut Reading<'_>) {
        match self.by_id.get(&message.id) {
            Some(at) => {
                let known = &mut self.messages[*at];
                reading.findings.repeated += u64::from(known.usage.is_some());
                message.usage = message.usage.or(known.usage);
                message.model = message.model.or(known.model.take());
                message.at = known.at;
                *known = message;
            }
            None => {
                self.by_id.insert(message.id.clone(), self.messages.len());
                self.messages.push(message);
            }
        }
    }

    fn turns(&self, group: usize, is_here: bool, reading: &mut Reading<'_>) -> Vec<Turn> {
        let session: Rc<str> = self.id.as_str().into();
        let mut turns: Vec<Turn> = Vec::new();
        let mut model: Option<Rc<str>> = None;
        let mut answered: Vec<bool> = Vec::new();
        for message in &self.messages {
            if message.is_prompt || turns.is_empty() && message.is_answer {
                if let Some(before) = turns.last_mut() {
                    before.is_followed = true;
                }
                answered.push(false);
                turns.push(Turn {
                    source: NAME,
                    prefix: "",
                    key: format!("{}|{}", self.id, message.id),
                    session: session.clone(),
                    start: message.at,
                    last: message.at,
                    duration_ms: 0,
                    end: End::Open,
                    is_followed: false,
                    model: model.clone(),
                    work: Work::default(),
                    requests: Vec::new(),
                    tool_errors: Vec::new(),
                    lacks_usage: false,
                    is_last: false,
                    is_here,
                    group,
                });
            }
            let Some(turn) = turns.last_mut() else { continue };
            turn.last = turn.last.max(message.at);
            turn.duration_ms = millis_between(turn.start, turn.last);
            if message.is_prompt {
                continue;
            }
            if message.is_error {
                turn.end = End::Failed(Some("error"));
            }
            if let Some(last) = answered.last_mut() {
                *last |= message.is_error || message.is_answer;
            }
            if !message.is_answer {
                continue;
            }
            turn.end = if message.calls > 0 { End::Open } else { End::Done };
            turn.work.edits |= message.work.edits;
            turn.work.checks |= message.work.checks;
            turn.work.tools |= message.work.tools;
            let named = message.model.clone().unwrap_or_else(|| UNKNOWN_MODEL.into());
            model = Some(named.clone());
            turn.model = model.clone();
            if message.errors > 0 {
                turn.tool_errors.push((named.clone(), message.errors));
            }
            if let Some(usage) = message.usage {
                reading.findings.responses += 1;
                turn.requests.push(Request {
                    model: named,
                    at: message.at,
                    usage,
                    count: 1,
                    is_sub: self.is_sub,
                    cost: None,
                });
            }
        }
        let mut answered = answered.into_iter();
        turns.retain(|_| {
            let is_answered = answered.next().unwrap_or(false);
            reading.findings.unanswered += u64::from(!is_answered);
            is_answered
        });
        turns
    }

    /// The turn that called it, where it is a sub-agent's.
    fn caller(&self, turns: &[Turn]) -> Option<usize> {
        let parent = self.parent.as_ref().filter(|_| self.is_sub)?;
        let begun = self.messages.first()?.at;
        let of_parent = |turn: &&Turn| *turn.session == **parent;
        let in_time = |turn: &Turn| of_parent(&turn) && turn.start <= begun;
        turns.iter().rposition(in_time).or_else(|| turns.iter().position(|it| of_parent(&it)))
    }
}
