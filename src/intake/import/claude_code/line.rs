//! One line of a Claude Code transcript, as far as it is looked at: numbers, names of tools and the
//! kind of a text. No text is kept.

use std::fmt;

use memchr::memmem::Finder;
use serde::Deserialize;
use serde::de::{Deserializer, SeqAccess, Visitor};

use crate::intake::import::command::Checks;
use crate::intake::import::lenient::{self, Count, Flag, Maybe, Take, Text};
use crate::intake::import::usage::Usage;

/// What the row's `source` tag says.
pub const NAME: &str = "claude-code";

/// Lines of other kinds need not be looked at closely.
const KINDS: [&str; 5] = ["\"user\"", "\"assistant\"", "\"system\"", "ermission", "\"mode\""];

/// Tells lines that may matter from those that do not.
pub(super) struct Kinds([Finder<'static>; KINDS.len()]);

impl Default for Kinds {
    fn default() -> Kinds {
        Kinds(KINDS.map(Finder::new))
    }
}

impl Kinds {
    /// Whether a line may matter.
    pub(super) fn has(&self, line: &[u8]) -> bool {
        self.0.iter().any(|kind| kind.find(line).is_some())
    }
}

/// A line.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Line<'a> {
    #[serde(borrow, rename = "type")]
    pub(super) kind: Text<'a>,
    #[serde(borrow)]
    pub(super) subtype: Text<'a>,
    #[serde(borrow)]
    pub(super) uuid: Text<'a>,
    #[serde(borrow)]
    pub(super) prompt_id: Text<'a>,
    #[serde(borrow)]
    pub(super) request_id: Text<'a>,
    #[serde(borrow)]
    pub(super) session_id: Text<'a>,
    #[serde(borrow)]
    pub(super) cwd: Text<'a>,
    #[serde(borrow)]
    pub(super) timestamp: Text<'a>,
    #[serde(borrow)]
    pub(super) error: Text<'a>,
    #[serde(borrow)]
    pub(super) permission_mode: Text<'a>,
    #[serde(borrow)]
    pub(super) mode: Text<'a>,
    pub(super) is_sidechain: Flag,
    pub(super) is_meta: Flag,
    pub(super) is_compact_summary: Flag,
    pub(super) is_api_error_message: Flag,
    pub(super) duration_ms: Count,
    #[serde(borrow)]
    pub(super) origin: Maybe<Origin<'a>>,
    #[serde(borrow)]
    pub(super) message: Maybe<Message<'a>>,
    #[serde(borrow)]
    pub(super) data: Maybe<Progress<'a>>,
}

/// Who wrote a line of a user.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Origin<'a> {
    #[serde(borrow)]
    pub(super) kind: Text<'a>,
}

/// A message.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Message<'a> {
    #[serde(borrow)]
    pub(super) id: Text<'a>,
    #[serde(borrow)]
    pub(super) model: Text<'a>,
    #[serde(borrow)]
    pub(super) stop_reason: Text<'a>,
    pub(super) content: Content,
    #[serde(borrow)]
    pub(super) usage: Maybe<Tokens<'a>>,
}

/// What some versions tell of a sub-agent while it works.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Progress<'a> {
    #[serde(borrow)]
    pub(super) message: Maybe<Told<'a>>,
}

/// A line of the sub-agent.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Told<'a> {
    #[serde(borrow, rename = "type")]
    pub(super) kind: Text<'a>,
    #[serde(borrow)]
    pub(super) message: Maybe<Message<'a>>,
}

/// What a response took. `iterations` repeats it, and is not looked at.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Tokens<'a> {
    input_tokens: Count,
    output_tokens: Count,
    cache_creation_input_tokens: Count,
    cache_read_input_tokens: Count,
    cache_creation: Maybe<Written>,
    #[serde(borrow)]
    speed: Text<'a>,
    #[serde(borrow)]
    inference_geo: Text<'a>,
}

/// Cache writes by how long they live.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Written {
    ephemeral_5m_input_tokens: Count,
    ephemeral_1h_input_tokens: Count,
}

impl Tokens<'_> {
    pub(super) fn usage(&self) -> Usage {
        let all = self.cache_creation_input_tokens.0;
        // Some versions left the sum at 0; where nothing is told apart, five minutes are usual.
        let (five_minutes, hour) = match &self.cache_creation.0 {
            Some(split) => {
                match (split.ephemeral_5m_input_tokens.0, split.ephemeral_1h_input_tokens.0) {
                    (0, 0) => (all, 0),
                    split => split,
                }
            }
            None => (all, 0),
        };
        let parts = [self.input_tokens.0, self.cache_read_input_tokens.0, five_minutes, hour];
        Usage {
            prompt: parts.into_iter().fold(0, u64::saturating_add),
            completion: self.output_tokens.0,
            cache_read: self.cache_read_input_tokens.0,
            cache_write: five_minutes,
            cache_write_1h: hour,
            is_fast: self.speed.0 == "fast",
            is_us: self.inference_geo.0 == "us",
        }
    }
}

/// What kind of text it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Kind {
    /// There is none.
    #[default]
    None,
    /// What a person wrote to the model.
    Prompt,
    /// A command of the program, which may lead to a prompt.
    Command,
    /// That the person stopped it.
    Interruption,
    /// What the program wrote.
    Notice,
}

/// What texts of the program begin with.
const NOTICES: [&str; 5] =
    ["<task-notification>", "<local-command-", "<system-reminder>", "<bash-", "Caveat: "];

impl Take<'_> for Kind {
    fn text(text: &str) -> Kind {
        let text = text.trim_start();
        match text {
            "" => Kind::None,
            _ if text.starts_with("[Request interrupted by user") => Kind::Interruption,
            _ if text.starts_with("<command-") => Kind::Command,
            _ if NOTICES.iter().any(|it| text.starts_with(it)) => Kind::Notice,
            _ => Kind::Prompt,
        }
    }
}

/// A block of a message.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Block<'a> {
    #[serde(borrow, rename = "type")]
    kind: Text<'a>,
    #[serde(deserialize_with = "lenient::take")]
    text: Kind,
    #[serde(borrow)]
    name: Text<'a>,
    #[serde(borrow)]
    id: Text<'a>,
    is_error: Flag,
    input: Maybe<Input>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Input {
    #[serde(deserialize_with = "lenient::take")]
    command: Checks,
}

/// What a message holds.
#[derive(Debug, Default)]
pub(super) struct Content {
    /// Its text is of this kind.
    pub(super) text: Kind,
    /// It holds results of tools,
    pub(super) has_results: bool,
    /// so many of them errors.
    pub(super) errors: u64,
    /// It calls tools,
    pub(super) calls: bool,
    /// that change files,
    pub(super) edits: bool,
    /// or run tests,
    pub(super) checks: bool,
    /// or end planning;
    pub(super) plans: bool,
    /// or that are agents: the ids of these calls.
    pub(super) agents: Vec<String>,
}

impl Content {
    fn add(&mut self, block: &Block<'_>) {
        match &*block.kind.0 {
            "text" => match (self.text, block.text) {
                (Kind::None | Kind::Notice, kind) if kind != Kind::None => self.text = kind,
                _ => {}
            },
            "tool_result" => {
                self.has_results = true;
                self.errors += u64::from(block.is_error.0);
            }
            "tool_use" => {
                self.calls = true;
                let checks = || block.input.0.as_ref().is_some_and(|input| input.command.0);
                match &*block.name.0 {
                    "Edit" | "Write" | "MultiEdit" | "NotebookEdit" => self.edits = true,
                    "ExitPlanMode" => self.plans = true,
                    "Bash" => self.checks |= checks(),
                    "Agent" | "Task" | "Workflow" => self.agents.push(block.id.0.to_string()),
                    _ => {}
                }
            }
            _ => {}
        }
    }
}

impl<'de> Deserialize<'de> for Content {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Content, D::Error> {
        struct Blocks;
        impl<'de> Visitor<'de> for Blocks {
            type Value = Content;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text or blocks")
            }
            fn visit_str<E>(self, text: &str) -> Result<Content, E> {
                Ok(Content { text: Kind::text(text), ..Content::default() })
            }
            fn visit_unit<E>(self) -> Result<Content, E> {
                Ok(Content::default())
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Content, A::Error> {
                let mut content = Content::default();
                while let Some(block) = items.next_element::<Maybe<Block<'de>>>()? {
                    block.0.iter().for_each(|block| content.add(block));
                }
                Ok(content)
            }
        }
        from.deserialize_any(Blocks)
    }
}

/// Why a request failed, in one of the words that we know.
pub(super) fn error_reason(error: &str) -> &'static str {
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
