//! What a run of a tool came to, from all that it printed.

use crate::intake::import::cost::UNKNOWN_MODEL;
use crate::intake::import::lenient::Text;
use crate::intake::import::printed::object::{Printed, pico};
use crate::intake::import::usage::Usage;
use crate::row::line_hash;

/// What has no name is named by so many bytes of its SHA-256, in hex.
const KEY_BYTES: usize = 16;

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
            models.push((model, whole, 0, None));
        }
        // What one model alone has no cost of is the rest of the sum; the rest of two is not told apart.
        let told: u64 = models.iter().filter_map(|(.., cost)| *cost).sum();
        let mut untold = models.iter_mut().map(|(.., cost)| cost).filter(|cost| cost.is_none());
        if let (Some(cost), None) = (untold.next(), untold.next()) {
            *cost = pico(it.total_cost_usd).and_then(|sum| sum.checked_sub(told));
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

#[cfg(test)]
mod tests {
    use super::*;

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
        // Where one model has no cost of its own the sum says it, where two have none nothing does.
        let costs = |text: &str| {
            let [it] = outcomes(text.as_bytes()).try_into().unwrap();
            it.models.into_iter().map(|(.., cost)| cost).collect::<Vec<_>>()
        };
        let untold = claude.replace(",\"costUSD\":0.25", "");
        assert_eq!(costs(&untold), [Some(250_000_000_000)]);
        let other = |cost: &str| {
            let other = format!(r#""modelUsage":{{"claude-haiku-5-5":{{"outputTokens":5{cost}}},"#);
            untold.replace("\"modelUsage\":{", &other)
        };
        assert_eq!(
            costs(&other(",\"costUSD\":0.05")),
            [Some(50_000_000_000), Some(200_000_000_000)]
        );
        assert_eq!(costs(&other("")), [None, None]);
        assert_eq!(costs(&other(",\"costUSD\":0.5")), [Some(500_000_000_000), None]);

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
