//! What tools print when they run for a script: `claude -p --output-format json`, `codex exec --json`,
//! `gemini --output-format json` and `cursor-agent -p --output-format stream-json`.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::{Duration, SystemTime};

use serde::Deserialize;

use crate::error::Result;
use crate::intake::import::cost::UNKNOWN_MODEL;
use crate::intake::import::homes::Homes;
use crate::intake::import::lenient::{Count, Flag, Float, Given, Maybe, Text};
use crate::intake::import::reading::Reading;
use crate::intake::import::turn::{End, Request, Turn, Work};
use crate::intake::import::usage::Usage;
use crate::intake::import::walk::{self, File, Group};
use crate::row::line_hash;
use crate::timestamp::Instant;

/// What this source is called; its rows bear the name of the tool that printed.
pub const NAME: &str = "result";

/// What ids of its rows begin with: the same work may stand in a transcript.
pub const PREFIX: &str = "result-";

const ENDINGS: [&str; 3] = [".json", ".jsonl", ".ndjson"];

/// What has no name is named by so many bytes of its SHA-256, in hex.
const KEY_BYTES: usize = 16;

/// Picodollars in a dollar.
const PICO: f64 = 1e12;

/// The files that were named, each by itself.
pub fn find(homes: &Homes) -> Vec<Group> {
    let files = homes.named.iter().flat_map(|path| walk::files(path, &ENDINGS));
    files.map(|file| Group { files: vec![file], ..Group::default() }).collect()
}

/// What one run of a tool came to.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// The tool.
    pub tool: &'static str,
    /// The session, where it is told.
    pub session: Option<String>,
    /// What tells it from others.
    pub key: String,
    /// What each model took: its name, the tokens, how many requests (0 if not told), and what they
    /// cost in 10⁻¹² dollars, if told.
    pub models: Vec<(String, Usage, u64, Option<u64>)>,
    /// Whether the tool says that it succeeded.
    pub success: bool,
    /// How long it took, if told.
    pub duration_ms: Option<u64>,
    /// Whether tools were called, if told.
    pub has_tools: bool,
}

/// Any of the objects that these tools print.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Printed<'a> {
    #[serde(borrow, rename = "type")]
    kind: Text<'a>,
    #[serde(borrow)]
    subtype: Text<'a>,
    is_error: Flag,
    duration_ms: Option<Count>,
    num_turns: Count,
    #[serde(borrow)]
    session_id: Text<'a>,
    #[serde(borrow)]
    uuid: Text<'a>,
    #[serde(borrow)]
    request_id: Text<'a>,
    #[serde(borrow)]
    thread_id: Text<'a>,
    #[serde(borrow)]
    model: Text<'a>,
    total_cost_usd: Option<Float>,
    usage: Maybe<Tokens>,
    #[serde(rename = "modelUsage")]
    model_usage: Maybe<BTreeMap<String, Maybe<Tokens>>>,
    stats: Maybe<Stats>,
    error: Given,
}

/// Tokens under all names that are in use.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default)]
struct Tokens {
    #[serde(alias = "inputTokens")]
    input_tokens: Count,
    #[serde(alias = "outputTokens")]
    output_tokens: Count,
    #[serde(alias = "cacheReadInputTokens", alias = "cacheReadTokens")]
    cache_read_input_tokens: Count,
    #[serde(alias = "cacheCreationInputTokens", alias = "cacheWriteTokens")]
    cache_creation_input_tokens: Count,
    cache_creation: Maybe<Written>,
    cached_input_tokens: Count,
    #[serde(rename = "costUSD")]
    cost_usd: Option<Float>,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default)]
struct Written {
    ephemeral_1h_input_tokens: Count,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Stats {
    models: BTreeMap<String, Maybe<OfModel>>,
    tools: Maybe<OfTools>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct OfModel {
    api: Maybe<Api>,
    tokens: Maybe<GeminiTokens>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Api {
    total_requests: Count,
    total_latency_ms: Count,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct OfTools {
    total_calls: Count,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct GeminiTokens {
    prompt: Count,
    input: Count,
    candidates: Count,
    cached: Count,
    thoughts: Count,
    tool: Count,
}

impl Tokens {
    /// The caches are told apart from the input.
    fn split(&self) -> Usage {
        let (read, written) = (self.cache_read_input_tokens.0, self.cache_creation_input_tokens.0);
        let hour =
            self.cache_creation.0.map_or(0, |it| it.ephemeral_1h_input_tokens.0.min(written));
        Usage {
            prompt: self.input_tokens.0.saturating_add(read).saturating_add(written),
            completion: self.output_tokens.0,
            cache_read: read,
            cache_write: written - hour,
            cache_write_1h: hour,
            ..Usage::default()
        }
    }

    /// What was cached is part of the input.
    fn inclusive(&self) -> Usage {
        let prompt = self.input_tokens.0;
        Usage {
            prompt,
            completion: self.output_tokens.0,
            cache_read: self.cached_input_tokens.0.min(prompt),
            ..Usage::default()
        }
    }

    fn cost(&self) -> Option<u64> {
        pico(self.cost_usd)
    }
}

fn pico(dollars: Option<Float>) -> Option<u64> {
    dollars.filter(|it| it.0 > 0.0).map(|it| (it.0 * PICO).round() as u64)
}

/// What was printed, one object after the other; what is none of ours is passed over.
pub fn outcomes(bytes: &[u8]) -> Vec<Outcome> {
    let mut found = Vec::new();
    let mut context = Context::default();
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    // Some print one object of many lines, others many of one line each.
    match serde_json::from_slice::<Printed<'_>>(bytes) {
        Ok(whole) => context.take(&whole, bytes, &mut found),
        Err(_) => {
            for line in bytes.split(|byte| *byte == b'\n') {
                if let Ok(printed) = serde_json::from_slice::<Printed<'_>>(line) {
                    context.take(&printed, line, &mut found);
                }
            }
        }
    }
    found
}

/// What the lines before told.
#[derive(Default)]
struct Context {
    thread: Option<String>,
    model: Option<String>,
    turns: u64,
}

impl Context {
    fn take(&mut self, it: &Printed<'_>, bytes: &[u8], found: &mut Vec<Outcome>) {
        let own = |text: &Text<'_>| text.get().map(str::to_owned);
        let key = || line_hash(bytes, KEY_BYTES);
        match &*it.kind.0 {
            "system" => self.model = own(&it.model).or(self.model.take()),
            "thread.started" => (self.thread, self.turns) = (own(&it.thread_id), 0),
            "turn.completed" | "turn.failed" => {
                self.turns += 1;
                let thread = self.thread.clone();
                let model = self.model.clone().unwrap_or_else(|| UNKNOWN_MODEL.to_owned());
                let models = it.usage.0.map(|tokens| (model, tokens.inclusive(), 0, None));
                found.push(Outcome {
                    tool: "codex",
                    key: thread.as_ref().map_or_else(key, |id| format!("{id}|{}", self.turns)),
                    session: thread,
                    models: models.into_iter().collect(),
                    success: it.kind.0 == "turn.completed",
                    duration_ms: None,
                    has_tools: true,
                });
            }
            "result" => found.push(self.result(it, key())),
            "" if it.stats.0.is_some() => found.push(of_gemini(it, key())),
            _ => {}
        }
    }

    /// Claude Code and Cursor end alike.
    fn result(&self, it: &Printed<'_>, key: String) -> Outcome {
        let is_of_claude = it.model_usage.0.is_some() || it.total_cost_usd.is_some();
        let mut models: Vec<(String, Usage, u64, Option<u64>)> = Vec::new();
        for (name, tokens) in it.model_usage.0.iter().flatten() {
            if let Some(tokens) = tokens.0 {
                models.push((name.clone(), tokens.split(), 0, tokens.cost()));
            }
        }
        let whole = it.usage.0.map(|tokens| tokens.split()).unwrap_or_default();
        if let [(_, usage, ..)] = models.as_mut_slice()
            && usage.total() == whole.total()
        {
            // Of one model alone it is known for how long its caches live.
            *usage = whole;
        }
        if models.is_empty() && whole.total() > 0 {
            let model = self.model.clone().unwrap_or_else(|| UNKNOWN_MODEL.to_owned());
            models.push((model, whole, 0, pico(it.total_cost_usd)));
        }
        // The model that wrote the most stands for the task.
        models.sort_by_key(|(_, usage, ..)| usage.completion);
        let told = [&it.uuid, &it.request_id];
        Outcome {
            tool: if is_of_claude { "claude-code" } else { "cursor" },
            session: it.session_id.get().map(str::to_owned),
            key: told.iter().find_map(|id| id.get()).map_or(key, str::to_owned),
            models,
            success: it.subtype.0 == "success" && !it.is_error.0,
            duration_ms: it.duration_ms.map(|it| it.0),
            has_tools: it.num_turns.0 != 1,
        }
    }
}

fn of_gemini(it: &Printed<'_>, key: String) -> Outcome {
    let stats = it.stats.0.as_ref();
    let mut models = Vec::new();
    let mut latency = 0u64;
    for (name, of_model) in stats.iter().flat_map(|stats| &stats.models) {
        let Some(of_model) = &of_model.0 else { continue };
        let api = of_model.api.0.as_ref();
        latency = latency.saturating_add(api.map_or(0, |api| api.total_latency_ms.0));
        let Some(tokens) = &of_model.tokens.0 else { continue };
        let prompt = tokens.prompt.0.max(tokens.input.0) + tokens.tool.0;
        let usage = Usage {
            prompt,
            completion: tokens.candidates.0 + tokens.thoughts.0,
            cache_read: tokens.cached.0.min(prompt),
            ..Usage::default()
        };
        models.push((name.clone(), usage, api.map_or(0, |api| api.total_requests.0), None));
    }
    models.sort_by_key(|(_, usage, ..)| usage.completion);
    let calls = stats.and_then(|stats| stats.tools.0.as_ref()).map_or(0, |it| it.total_calls.0);
    Outcome {
        tool: "gemini",
        session: it.session_id.get().map(str::to_owned),
        key,
        models,
        success: !it.error.0,
        duration_ms: (latency > 0).then_some(latency),
        has_tools: calls > 0,
    }
}

/// Reads groups of files. None of these tools says when it ran: a file was changed when it ended.
///
/// # Errors
/// A file that was named cannot be read.
pub fn read(groups: &[Group], reading: &mut Reading<'_>) -> Result<Vec<Turn>> {
    let mut turns = Vec::new();
    for group in groups {
        for file in &group.files {
            let Some(bytes) = reading.whole(file)? else { continue };
            let outcomes = outcomes(&bytes);
            if outcomes.is_empty() {
                reading.findings.leave_out(&file.path, 0, "holds no result that we know");
            }
            for outcome in outcomes {
                reading.findings.responses += outcome.models.len() as u64;
                turns.push(of_file(outcome, file, group.number));
            }
        }
    }
    Ok(turns)
}

fn of_file(outcome: Outcome, file: &File, group: usize) -> Turn {
    let duration_ms = outcome.duration_ms.unwrap_or(0);
    let begun = file.modified.checked_sub(Duration::from_millis(duration_ms));
    let since = begun.and_then(|it| it.duration_since(SystemTime::UNIX_EPOCH).ok());
    let since = since.unwrap_or_default();
    let start = Instant { seconds: since.as_secs() as i64, nanos: since.subsec_nanos() };
    turn(outcome, start, duration_ms, group)
}

/// What a run of a tool came to, as a turn that began then and took so long.
pub fn turn(outcome: Outcome, start: Instant, duration_ms: u64, group: usize) -> Turn {
    let requests: Vec<Request> = outcome
        .models
        .into_iter()
        .map(|(model, usage, count, cost)| Request {
            model: model.into(),
            at: start,
            usage,
            count,
            is_sub: false,
            cost,
        })
        .collect();
    let session: Rc<str> = outcome.session.unwrap_or_else(|| outcome.key.clone()).into();
    Turn {
        source: outcome.tool,
        prefix: PREFIX,
        key: outcome.key,
        session,
        start,
        last: start,
        duration_ms,
        end: if outcome.success { End::Done } else { End::Failed(Some("error")) },
        is_followed: false,
        model: requests.last().map(|request| request.model.clone()),
        work: Work { tools: outcome.has_tools, ..Work::default() },
        lacks_usage: requests.is_empty(),
        is_last: false,
        requests,
        tool_errors: Vec::new(),
        is_here: true,
        group,
    }
}

/// The tools whose results are known, by the names of their programs.
const TOOLS: [&str; 4] = ["claude", "codex", "gemini", "cursor-agent"];

/// How they are asked for them.
const ASKED: [&str; 6] = [
    "--output-format json",
    "--output-format=json",
    "--output-format stream-json",
    "--output-format=stream-json",
    "-o json",
    "exec --json",
];

/// Whether a command line, its words parted by spaces, asks one of the tools for a result that is
/// known here.
pub fn is_asked_for(command: &str) -> bool {
    let is_of_codex = command.contains("exec") && command.contains(" --json");
    TOOLS.iter().any(|tool| command.contains(tool))
        && (is_of_codex || ASKED.iter().any(|words| command.contains(words)))
}

/// What a tool prints while it runs: as much of it as its result may stand in.
#[derive(Debug, Default)]
pub struct Heard {
    head: Vec<u8>,
    tail: Vec<u8>,
    is_cut: bool,
}

/// The first lines name the session and the model.
const HEAD_BYTES: usize = 256 << 10;

/// No result is longer than this.
const TAIL_BYTES: usize = 8 << 20;

impl Heard {
    /// Hears more.
    pub fn add(&mut self, bytes: &[u8]) {
        let of_head = bytes.len().min(HEAD_BYTES - self.head.len());
        self.head.extend_from_slice(&bytes[..of_head]);
        self.tail.extend_from_slice(&bytes[of_head..]);
        if self.tail.len() > 2 * TAIL_BYTES {
            self.tail.drain(..self.tail.len() - TAIL_BYTES);
            self.is_cut = true;
        }
    }

    /// The last result in it that tells of tokens.
    pub fn outcome(mut self) -> Option<Outcome> {
        if self.is_cut {
            // What stood between them is no line of either.
            self.head.push(b'\n');
        }
        self.head.append(&mut self.tail);
        outcomes(&self.head).into_iter().rfind(|outcome| !outcome.models.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_known_tool_is_asked() {
        for command in [
            "claude -p --output-format json x",
            "/bin/sh -c 'cursor-agent -p --output-format=stream-json'",
            "codex exec --skip-git-repo-check --json x",
            "npx gemini -o json",
        ] {
            assert!(is_asked_for(command), "{command}");
        }
        for command in ["claude -p x", "npm ls --json", "make", "codex --json"] {
            assert!(!is_asked_for(command), "{command}");
        }
    }

    #[test]
    fn a_result_behind_much_else_is_heard_in_bounded_memory() {
        let mut heard = Heard::default();
        heard.add(b"{\"type\":\"system\",\"model\":\"m\"}\n");
        let noise =
            [b"{\"type\":\"x\",\"y\":\"".to_vec(), vec![b'z'; 100_000], b"\"}\n".to_vec()].concat();
        for _ in 0..400 {
            heard.add(&noise);
            assert!(heard.head.len() + heard.tail.len() <= HEAD_BYTES + 2 * TAIL_BYTES);
        }
        heard.add(b"{\"type\":\"result\",\"subtype\":\"success\",\"usage\":{\"inputTokens\":5}}\n");
        let outcome = heard.outcome().unwrap();
        assert_eq!((outcome.models[0].0.as_str(), outcome.models[0].1.prompt), ("m", 5));
        assert_eq!(Heard::default().outcome(), None);
    }

    #[test]
    fn what_each_tool_prints_is_told_apart() {
        let claude = r#"{"type":"result","subtype":"success","is_error":false,"duration_ms":5000,
            "num_turns":3,"session_id":"s","uuid":"u","total_cost_usd":0.25,
            "usage":{"input_tokens":10,"cache_creation_input_tokens":300,"cache_read_input_tokens":1000,
            "output_tokens":50,"cache_creation":{"ephemeral_1h_input_tokens":300}},
            "modelUsage":{"claude-opus-5-5":{"inputTokens":10,"outputTokens":50,
            "cacheReadInputTokens":1000,"cacheCreationInputTokens":300,"costUSD":0.25}}}"#;
        let [it] = outcomes(claude.as_bytes()).try_into().unwrap();
        assert_eq!((it.tool, it.key.as_str(), it.success), ("claude-code", "u", true));
        let (model, usage, _, cost) = &it.models[0];
        assert_eq!((model.as_str(), usage.prompt, usage.completion), ("claude-opus-5-5", 1310, 50));
        assert_eq!(
            (usage.cache_write, usage.cache_write_1h, *cost),
            (0, 300, Some(250_000_000_000))
        );
        // It says that nothing went wrong where it was stopped.
        let stopped = claude.replace("\"success\"", "\"error_during_execution\"");
        assert!(!outcomes(stopped.as_bytes())[0].success);

        let codex = "{\"type\":\"thread.started\",\"thread_id\":\"t\"}\n{\"type\":\"turn.started\"}\n\
            {\"type\":\"turn.completed\",\"usage\":{\"input_tokens\":900,\"cached_input_tokens\":600,\
            \"output_tokens\":30}}\nnot json\n{\"type\":\"turn.failed\",\"error\":{\"message\":\"x\"}}\n";
        let found = outcomes(codex.as_bytes());
        assert_eq!(found.iter().map(|it| it.key.as_str()).collect::<Vec<_>>(), ["t|1", "t|2"]);
        assert_eq!(
            found[0].models[0].1,
            Usage { prompt: 900, completion: 30, cache_read: 600, ..Usage::default() }
        );
        assert!(found[0].success && !found[1].success);

        let gemini = r#"{"response":"x","stats":{"models":{"gemini-3.8-flash":{"api":{"totalRequests":2,
            "totalLatencyMs":900},"tokens":{"prompt":100,"candidates":20,"cached":50,"thoughts":5,
            "tool":1,"total":126}}},"tools":{"totalCalls":1}}}"#;
        let [it] = outcomes(gemini.as_bytes()).try_into().unwrap();
        assert_eq!((it.tool, it.duration_ms, it.success), ("gemini", Some(900), true));
        assert_eq!(
            (it.models[0].1.prompt, it.models[0].1.completion, it.models[0].2),
            (101, 25, 2)
        );

        let cursor = "{\"type\":\"system\",\"subtype\":\"init\",\"model\":\"gpt-5\"}\n{\"type\":\"result\",\
            \"subtype\":\"success\",\"is_error\":false,\"duration_ms\":7,\"session_id\":\"c\",\
            \"request_id\":\"r\",\"usage\":{\"inputTokens\":5,\"outputTokens\":6,\"cacheReadTokens\":7,\
            \"cacheWriteTokens\":8}}";
        let [it] = outcomes(cursor.as_bytes()).try_into().unwrap();
        assert_eq!((it.tool, it.key.as_str(), it.models[0].0.as_str()), ("cursor", "r", "gpt-5"));
        assert_eq!(it.models[0].1.prompt, 20);
        assert_eq!(outcomes(b"{\"type\":\"assistant\"}\n[1]\n\"x\""), []);
    }
}
