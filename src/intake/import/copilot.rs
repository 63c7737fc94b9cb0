//! GitHub Copilot CLI: tokens are told once a process, when it shuts down. A session that was resumed
//! has several such lines, which add up.

use std::collections::BTreeMap;
use std::fs;
use std::rc::Rc;

use serde::Deserialize;

use crate::error::Result;
use crate::intake::import::command::Arguments;
use crate::intake::import::homes::Homes;
use crate::intake::import::lenient::{Count, Flag, Maybe, Text};
use crate::intake::import::reading::{Reading, instant};
use crate::intake::import::turn::{End, Request, Turn, Work, millis_between};
use crate::intake::import::usage::Usage;
use crate::intake::import::walk::{self, File, Group};

/// What the row's `source` tag says.
pub const NAME: &str = "copilot";

const ENDINGS: [&str; 1] = [".jsonl"];

/// The sessions, each by itself.
pub fn find(homes: &Homes) -> Vec<Group> {
    let folders = match homes.named.is_empty() {
        true => homes.in_home(".copilot/session-state").into_iter().collect(),
        false => homes.named.clone(),
    };
    let files = folders.iter().flat_map(|folder| walk::files(folder, &ENDINGS));
    files.map(|file| Group { files: vec![file], ..Group::default() }).collect()
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Line<'a> {
    #[serde(borrow, rename = "type")]
    kind: Text<'a>,
    #[serde(borrow)]
    timestamp: Text<'a>,
    #[serde(borrow)]
    data: Maybe<Data<'a>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Data<'a> {
    #[serde(borrow)]
    session_id: Text<'a>,
    #[serde(borrow)]
    cwd: Text<'a>,
    #[serde(borrow)]
    context: Maybe<Context<'a>>,
    #[serde(borrow)]
    new_model: Text<'a>,
    #[serde(borrow)]
    tool_name: Text<'a>,
    arguments: Maybe<Arguments>,
    success: Option<Flag>,
    #[serde(borrow)]
    shutdown_type: Text<'a>,
    model_metrics: Maybe<BTreeMap<String, Maybe<Metrics>>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Context<'a> {
    #[serde(borrow)]
    cwd: Text<'a>,
}

/// What one model took. The cost beside the count is in premium requests, not in money.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Metrics {
    requests: Maybe<Requests>,
    usage: Maybe<Tokens>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Requests {
    count: Count,
}

/// The input includes what was read from and written to caches.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Tokens {
    input_tokens: Count,
    output_tokens: Count,
    cache_read_tokens: Count,
    cache_write_tokens: Count,
}

impl Tokens {
    fn usage(&self) -> Usage {
        let prompt = self.input_tokens.0;
        let cache_read = self.cache_read_tokens.0.min(prompt);
        Usage {
            prompt,
            completion: self.output_tokens.0,
            cache_read,
            cache_write: self.cache_write_tokens.0.min(prompt - cache_read),
            ..Usage::default()
        }
    }
}

/// Reads groups of files.
///
/// # Errors
/// A file that was named cannot be read.
pub fn read(groups: &[Group], reading: &mut Reading<'_>) -> Result<Vec<Turn>> {
    let mut turns = Vec::new();
    for group in groups {
        for file in &group.files {
            session(file, group.number, &mut turns, reading)?;
        }
    }
    Ok(turns)
}

/// The folder that a session began in, where its events do not say.
fn noted_folder(file: &File) -> Option<String> {
    let text = fs::read_to_string(file.path.with_file_name("workspace.yaml")).ok()?;
    let value = text.lines().find_map(|line| line.strip_prefix("cwd:"))?;
    Some(value.trim().trim_matches(['"', '\'']).to_owned())
}

fn session(
    file: &File,
    group: usize,
    turns: &mut Vec<Turn>,
    reading: &mut Reading<'_>,
) -> Result<()> {
    let folder = file.path.parent().and_then(|folder| folder.file_name());
    let mut id = match file.name() {
        "events.jsonl" => folder.map(|it| it.to_string_lossy().into_owned()).unwrap_or_default(),
        _ => file.stem().to_owned(),
    };
    let mut cwd = noted_folder(file).unwrap_or_default();
    let mut model: Option<Rc<str>> = None;
    let mut process: Option<Turn> = None;
    reading.lines(file, &mut |reading, number, line| {
        let Some(line) = reading.parse::<Line<'_>>(file, number, line) else { return };
        let (Some(at), Some(data)) = (instant(&line.timestamp.0), &line.data.0) else { return };
        if let Some(session) = data.session_id.get() {
            id = session.to_owned();
        }
        let context = data.context.0.as_ref().and_then(|context| context.cwd.get());
        if let Some(folder) = data.cwd.get().or(context) {
            cwd = folder.to_owned();
        }
        let turn = process.get_or_insert_with(|| Turn {
            source: NAME,
            prefix: "",
            key: format!("{id}@{}.{}", at.seconds, at.nanos),
            session: id.as_str().into(),
            start: at,
            last: at,
            duration_ms: 0,
            end: End::Open,
            is_followed: false,
            model: model.clone(),
            work: Work::default(),
            requests: Vec::new(),
            tool_errors: Vec::new(),
            lacks_usage: true,
            is_last: false,
            is_here: false,
            group,
        });
        turn.last = turn.last.max(at);
        turn.is_here = reading.scope.holds(&cwd);
        match &*line.kind.0 {
            "session.model_change" => {
                model = data.new_model.get().map(Into::into).or(model.take());
                turn.model.clone_from(&model);
            }
            "tool.execution_start" => {
                turn.work.tools = true;
                let command = data.arguments.0.as_ref().is_some_and(|it| it.command.0);
                match &*data.tool_name.0 {
                    "edit" | "create" | "apply_patch" => turn.work.edits = true,
                    "bash" | "shell" | "powershell" => turn.work.checks |= command,
                    _ => {}
                }
            }
            "tool.execution_complete" if data.success.is_some_and(|it| !it.0) => {
                if let Some(model) = model.clone() {
                    turn.tool_errors.push((model, 1));
                }
            }
            "session.shutdown" => {
                for (name, metrics) in data.model_metrics.0.iter().flatten() {
                    let Some(metrics) = &metrics.0 else { continue };
                    let usage = metrics.usage.0.as_ref().map(Tokens::usage).unwrap_or_default();
                    if usage.total() == 0 {
                        continue;
                    }
                    reading.findings.responses += 1;
                    let count = metrics.requests.0.as_ref().map_or(0, |it| it.count.0);
                    turn.requests.push(Request {
                        model: name.as_str().into(),
                        at,
                        usage,
                        count,
                        is_sub: false,
                        cost: None,
                    });
                }
                turn.lacks_usage = turn.requests.is_empty();
                turn.duration_ms = millis_between(turn.start, at);
                turn.end = match &*data.shutdown_type.0 {
                    "error" => End::Failed(Some("error")),
                    _ => End::Done,
                };
                // Of several models the one that wrote the most is taken for the last.
                let most = turn.requests.iter().max_by_key(|it| it.usage.completion);
                turn.model = most.map(|it| it.model.clone()).or(turn.model.take());
                turns.extend(process.take());
            }
            _ => {}
        }
    })?;
    // A process that did not shut down is running, or was killed and will not tell.
    turns.extend(
        process.map(|turn| Turn { duration_ms: millis_between(turn.start, turn.last), ..turn }),
    );
    Ok(())
}
