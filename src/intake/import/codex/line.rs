//! One line of a Codex rollout, as far as it is looked at. Usage counts only where it stands at the
//! top of a line: what is nested in others is history.

use serde::Deserialize;

use crate::intake::import::command::checks;
use crate::intake::import::lenient::{self, Count, Given, Maybe, Take, Text};
use crate::intake::import::usage::Usage;

/// A line.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Line<'a> {
    #[serde(borrow)]
    pub(super) timestamp: Text<'a>,
    pub(super) ordinal: Option<Count>,
    #[serde(borrow, rename = "type")]
    pub(super) kind: Text<'a>,
    #[serde(borrow)]
    pub(super) payload: Maybe<Payload<'a>>,
}

/// What it says: the fields of all kinds of lines together.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Payload<'a> {
    #[serde(borrow, rename = "type")]
    pub(super) kind: Text<'a>,
    #[serde(borrow)]
    pub(super) id: Text<'a>,
    #[serde(borrow)]
    pub(super) session_id: Text<'a>,
    #[serde(borrow)]
    pub(super) cwd: Text<'a>,
    #[serde(borrow)]
    pub(super) forked_from_id: Text<'a>,
    #[serde(borrow)]
    pub(super) parent_thread_id: Text<'a>,
    #[serde(borrow)]
    pub(super) source: Maybe<Origin<'a>>,
    pub(super) subagent_history_start_ordinal: Option<Count>,
    #[serde(borrow)]
    pub(super) turn_id: Text<'a>,
    #[serde(borrow)]
    pub(super) model: Text<'a>,
    #[serde(borrow)]
    pub(super) collaboration_mode: Maybe<Mode<'a>>,
    #[serde(borrow)]
    pub(super) thread_settings: Maybe<Settings<'a>>,
    pub(super) info: Maybe<Info>,
    pub(super) error: Given,
    pub(super) started_at: Count,
    pub(super) completed_at: Count,
    pub(super) duration_ms: Option<Count>,
    #[serde(borrow)]
    pub(super) reason: Text<'a>,
    pub(super) success: Option<lenient::Flag>,
    pub(super) result: Maybe<Outcome>,
    #[serde(borrow)]
    pub(super) item: Maybe<Item<'a>>,
    #[serde(borrow)]
    pub(super) name: Text<'a>,
    #[serde(deserialize_with = "lenient::take")]
    pub(super) arguments: Command,
    #[serde(borrow)]
    pub(super) thread_id: Text<'a>,
    #[serde(borrow)]
    pub(super) response_id: Text<'a>,
    pub(super) usage: Maybe<Tokens>,
    input_tokens: Count,
    cached_input_tokens: Count,
    output_tokens: Count,
    reasoning_output_tokens: Count,
    total_tokens: Count,
}

/// Where a thread comes from, unless it is a word.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Origin<'a> {
    #[serde(borrow)]
    pub(super) subagent: Option<Maybe<SubAgent<'a>>>,
}

/// How a sub-agent was made.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct SubAgent<'a> {
    #[serde(borrow)]
    pub(super) thread_spawn: Maybe<Spawn<'a>>,
}

/// By which thread.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Spawn<'a> {
    #[serde(borrow)]
    pub(super) parent_thread_id: Text<'a>,
}

/// How the agent works with its user.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Mode<'a> {
    #[serde(borrow)]
    pub(super) mode: Text<'a>,
}

/// Settings that may change in a turn.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Settings<'a> {
    #[serde(borrow)]
    pub(super) model: Text<'a>,
    #[serde(borrow)]
    pub(super) cwd: Text<'a>,
}

/// What was used so far, and by the last request.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Info {
    pub(super) total_token_usage: Maybe<Tokens>,
    pub(super) last_token_usage: Maybe<Tokens>,
}

/// How a tool of a server ended.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Outcome {
    #[serde(rename = "Err")]
    pub(super) error: Given,
}

/// Something that was made.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Item<'a> {
    #[serde(borrow, rename = "type")]
    pub(super) kind: Text<'a>,
}

/// What a command does.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Command {
    pub(super) checks: bool,
    pub(super) edits: bool,
}

impl Take<'_> for Command {
    fn text(text: &str) -> Command {
        Command { checks: checks(text), edits: text.contains("apply_patch") }
    }
}

/// Counts as Codex writes them: cached tokens are part of the input, reasoning is part of the output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Deserialize)]
#[serde(default)]
pub(super) struct Tokens {
    input_tokens: Count,
    cached_input_tokens: Count,
    cache_write_input_tokens: Count,
    output_tokens: Count,
    reasoning_output_tokens: Count,
    total_tokens: Count,
}

impl Tokens {
    /// The counts, in the order of the fields.
    pub(super) fn fields(&self) -> [u64; 6] {
        [
            self.input_tokens.0,
            self.cached_input_tokens.0,
            self.cache_write_input_tokens.0,
            self.output_tokens.0,
            self.reasoning_output_tokens.0,
            self.total_tokens.0,
        ]
    }

    /// Those counts.
    pub(super) fn of(fields: [u64; 6]) -> Tokens {
        let [input, cached, written, output, reasoning, total] = fields.map(Count);
        Tokens {
            input_tokens: input,
            cached_input_tokens: cached,
            cache_write_input_tokens: written,
            output_tokens: output,
            reasoning_output_tokens: reasoning,
            total_tokens: total,
        }
    }

    /// What was added since; None where something became less.
    pub(super) fn since(&self, before: &Tokens) -> Option<Tokens> {
        let (now, before) = (self.fields(), before.fields());
        let is_more = now.iter().zip(before).all(|(now, before)| *now >= before);
        is_more.then(|| Tokens::of(std::array::from_fn(|at| now[at] - before[at])))
    }

    /// What there was before this was added; nothing where that would be less than nothing.
    pub(super) fn before(&self, last: &Tokens) -> Tokens {
        let (now, last) = (self.fields(), last.fields());
        Tokens::of(std::array::from_fn(|at| now[at].saturating_sub(last[at])))
    }

    /// Whether nothing was read or written.
    pub(super) fn is_empty(&self) -> bool {
        self.input_tokens.0 == 0 && self.output_tokens.0 == 0
    }

    pub(super) fn usage(&self) -> Usage {
        let prompt = self.input_tokens.0;
        let cache_read = self.cached_input_tokens.0.min(prompt);
        Usage {
            prompt,
            completion: self.output_tokens.0,
            cache_read,
            cache_write: self.cache_write_input_tokens.0.min(prompt - cache_read),
            ..Usage::default()
        }
    }
}

impl Payload<'_> {
    /// The sum so far as old versions wrote it, directly in the line.
    pub(super) fn flat_total(&self) -> Option<Tokens> {
        let tokens = Tokens {
            input_tokens: self.input_tokens,
            cached_input_tokens: self.cached_input_tokens,
            cache_write_input_tokens: Count(0),
            output_tokens: self.output_tokens,
            reasoning_output_tokens: self.reasoning_output_tokens,
            total_tokens: self.total_tokens,
        };
        (!tokens.is_empty()).then_some(tokens)
    }
}
