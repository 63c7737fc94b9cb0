//! opencode: messages in a SQLite database, or, of old, a JSON file each.

pub mod database;

use std::path::PathBuf;
use std::rc::Rc;

use hashbrown::{HashMap, HashSet};
use serde::Deserialize;

use crate::error::Result;
use crate::intake::import::cost::UNKNOWN_MODEL;
use crate::intake::import::homes::Homes;
use crate::intake::import::lenient::{Count, Float, Maybe, Text};
use crate::intake::import::reading::{Names, Reading, hash, instant_of_millis};
use crate::intake::import::turn::{End, Request, Turn, Work, millis_between};
use crate::intake::import::usage::Usage;
use crate::intake::import::walk::{self, File, Group};
use crate::timestamp::Instant;

/// What the row's `source` tag says.
pub const NAME: &str = "opencode";

/// Picodollars in a dollar.
const PICO: f64 = 1e12;

/// The databases and the files of old, all together: a message may stand in both.
pub fn find(homes: &Homes) -> Vec<Group> {
    let usual = || homes.data.as_ref().map(|data| data.join("opencode"));
    let folders: Vec<PathBuf> = match homes.named.is_empty() {
        true => homes.opencode.clone().or_else(usual).into_iter().collect(),
        false => homes.named.clone(),
    };
    let mut files = Vec::new();
    for folder in folders {
        if folder.is_file() {
            files.extend(File::at(&folder));
            continue;
        }
        let is_database = |file: &File| file.is_closed || file.name().starts_with("opencode");
        // What was written last stands in the file beside it.
        files.extend(walk::files_in(&folder, &[".db", ".db-wal"]).into_iter().filter(is_database));
        files.extend(walk::files(&folder.join("storage/message"), &[".json"]));
    }
    // The database counts before the files that it was made of.
    files.sort_by_cached_key(|file| (!is_database(file), file.path.clone()));
    if files.is_empty() { Vec::new() } else { vec![Group { files, ..Group::default() }] }
}

fn is_database(file: &File) -> bool {
    file.name().ends_with(".db")
}

/// A message.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Message<'a> {
    #[serde(borrow)]
    id: Text<'a>,
    #[serde(borrow, rename = "sessionID")]
    session_id: Text<'a>,
    #[serde(borrow)]
    role: Text<'a>,
    #[serde(borrow, rename = "parentID")]
    parent_id: Text<'a>,
    #[serde(borrow, rename = "modelID")]
    model_id: Text<'a>,
    #[serde(borrow)]
    mode: Text<'a>,
    #[serde(borrow)]
    agent: Text<'a>,
    #[serde(borrow)]
    finish: Text<'a>,
    #[serde(borrow)]
    path: Maybe<Folder<'a>>,
    #[serde(borrow)]
    error: Maybe<Failure<'a>>,
    cost: Float,
    tokens: Maybe<Tokens>,
    time: Maybe<Times>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Folder<'a> {
    #[serde(borrow)]
    cwd: Text<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Failure<'a> {
    #[serde(borrow)]
    name: Text<'a>,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default)]
struct Times {
    created: Count,
    completed: Count,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default)]
struct Tokens {
    total: Count,
    input: Count,
    output: Count,
    reasoning: Count,
    cache: Maybe<Cache>,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default)]
struct Cache {
    read: Count,
    write: Count,
}

impl Tokens {
    /// The input leaves out the caches. Reasoning is part of the output, unless the total says that
    /// it is not.
    fn usage(&self) -> Usage {
        let cache = self.cache.0.unwrap_or_default();
        let (read, write) = (cache.read.0, cache.write.0);
        let prompt = self.input.0.saturating_add(read).saturating_add(write);
        let known = prompt.saturating_add(self.output.0);
        let is_apart = self.total.0 > 0 && self.total.0 == known.saturating_add(self.reasoning.0);
        Usage {
            prompt,
            completion: self.output.0 + if is_apart { self.reasoning.0 } else { 0 },
            cache_read: read,
            cache_write: write,
            ..Usage::default()
        }
    }
}

/// What is gathered of all messages.
#[derive(Default)]
struct Messages {
    seen: HashSet<u64>,
    names: Names,
    turns: Vec<Turn>,
    by_prompt: HashMap<String, usize>,
    /// When each prompt was written.
    prompts: HashMap<String, Instant>,
    group: usize,
}

/// Reads groups of files.
///
/// # Errors
/// A file that was named cannot be read.
pub fn read(groups: &[Group], reading: &mut Reading<'_>) -> Result<Vec<Turn>> {
    let mut turns = Vec::new();
    for group in groups {
        let mut messages = Messages { group: group.number, ..Messages::default() };
        for file in &group.files {
            if is_database(file) {
                database::read(file, reading, &mut |reading, id, session, data| {
                    match serde_json::from_str(data) {
                        Ok(message) => messages.take(&message, Some((id, session)), reading),
                        Err(_) => {
                            reading.findings.leave_out(&file.path, 0, "holds a broken message")
                        }
                    }
                });
            } else if (file.is_closed || file.name().ends_with(".json"))
                && let Some(bytes) = reading.whole(file)?
                && let Some(message) = reading.parse::<Message<'_>>(file, 0, &bytes)
            {
                messages.take(&message, None, reading);
            }
        }
        turns.append(&mut messages.finish());
    }
    Ok(turns)
}

impl Messages {
    /// Takes a message; `named` is its id and its session where these do not stand in it.
    fn take(
        &mut self,
        message: &Message<'_>,
        named: Option<(&str, &str)>,
        reading: &mut Reading<'_>,
    ) {
        let (id, session) = named.unwrap_or((&*message.id.0, &*message.session_id.0));
        let times = message.time.0.unwrap_or_default();
        if id.is_empty() || times.created.0 == 0 {
            return;
        }
        if !self.seen.insert(hash(&[id])) {
            reading.findings.repeated += 1;
            return;
        }
        let created = instant_of_millis(times.created.0);
        if message.role.0 != "assistant" {
            self.prompts.insert(id.to_owned(), created);
            return;
        }
        let at = instant_of_millis(times.completed.0.max(times.created.0));
        let prompt = message.parent_id.get().unwrap_or(id).to_owned();
        let group = self.group;
        let place = *self.by_prompt.entry(prompt.clone()).or_insert_with(|| {
            self.turns.push(Turn {
                source: NAME,
                prefix: "",
                key: prompt,
                session: session.into(),
                start: created,
                last: created,
                duration_ms: 0,
                end: End::Open,
                is_followed: false,
                model: None,
                work: Work::default(),
                requests: Vec::new(),
                tool_errors: Vec::new(),
                lacks_usage: false,
                is_last: false,
                is_here: false,
                group,
            });
            self.turns.len() - 1
        });
        let model = self.names.get(message.model_id.get().unwrap_or(UNKNOWN_MODEL));
        let turn = &mut self.turns[place];
        turn.start = turn.start.min(created);
        let cwd = message.path.0.as_ref().map_or("", |path| &*path.cwd.0);
        turn.is_here |= reading.scope.holds(cwd);
        turn.work.tools |= message.finish.0 == "tool-calls";
        turn.work.plans |= message.mode.0 == "plan" || message.agent.0 == "plan";
        if at >= turn.last {
            turn.last = at;
            turn.model = Some(model.clone());
            turn.end = match (&message.error.0, &*message.finish.0) {
                (Some(error), _) if error.name.0.contains("Abort") => {
                    End::Failed(Some("interrupted"))
                }
                (Some(_), _) => End::Failed(Some("error")),
                (None, "" | "tool-calls") => End::Open,
                (None, _) => End::Done,
            };
        }
        let usage = message.tokens.0.map(|tokens| tokens.usage()).unwrap_or_default();
        if usage.total() > 0 {
            reading.findings.responses += 1;
            let cost = message.cost.0;
            let cost = (cost > 0.0).then(|| (cost * PICO).round() as u64);
            turn.requests.push(Request { model, at, usage, count: 1, is_sub: false, cost });
        }
    }

    fn finish(mut self) -> Vec<Turn> {
        for turn in &mut self.turns {
            if let Some(prompt) = self.prompts.get(&turn.key) {
                turn.start = *prompt;
            }
            turn.duration_ms = millis_between(turn.start, turn.last);
            turn.requests.sort_by_key(|request| request.at);
        }
        let mut last: HashMap<Rc<str>, Instant> = HashMap::new();
        for turn in &self.turns {
            let start = last.entry(turn.session.clone()).or_insert(turn.start);
            *start = turn.start.max(*start);
        }
        for turn in &mut self.turns {
            turn.is_followed = last.get(&turn.session).is_some_and(|last| turn.start < *last);
        }
        self.turns
    }
}
