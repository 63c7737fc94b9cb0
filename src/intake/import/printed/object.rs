//! The objects that tools print, as far as they are looked at.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::intake::import::lenient::{Count, Flag, Float, Given, Maybe, Text};
use crate::intake::import::usage::Usage;

/// Picodollars in a dollar.
const PICO: f64 = 1e12;

/// Any of the objects that these tools print.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Printed<'a> {
    #[serde(borrow, rename = "type")]
    pub(super) kind: Text<'a>,
    #[serde(borrow)]
    pub(super) subtype: Text<'a>,
    pub(super) is_error: Flag,
    pub(super) duration_ms: Option<Count>,
    pub(super) num_turns: Count,
    #[serde(borrow)]
    pub(super) session_id: Text<'a>,
    #[serde(borrow)]
    pub(super) uuid: Text<'a>,
    #[serde(borrow)]
    pub(super) request_id: Text<'a>,
    #[serde(borrow)]
    pub(super) thread_id: Text<'a>,
    #[serde(borrow)]
    pub(super) model: Text<'a>,
    pub(super) total_cost_usd: Option<Float>,
    pub(super) usage: Maybe<Tokens>,
    #[serde(rename = "modelUsage")]
    pub(super) model_usage: Maybe<BTreeMap<String, Maybe<Tokens>>>,
    pub(super) stats: Maybe<Stats>,
    pub(super) error: Given,
}

/// Tokens under all names that are in use.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Tokens {
    #[serde(alias = "inputTokens")]
    pub(super) input_tokens: Count,
    #[serde(alias = "outputTokens")]
    pub(super) output_tokens: Count,
    #[serde(alias = "cacheReadInputTokens", alias = "cacheReadTokens")]
    pub(super) cache_read_input_tokens: Count,
    #[serde(alias = "cacheCreationInputTokens", alias = "cacheWriteTokens")]
    pub(super) cache_creation_input_tokens: Count,
    pub(super) cache_creation: Maybe<Written>,
    pub(super) cached_input_tokens: Count,
    #[serde(rename = "costUSD")]
    pub(super) cost_usd: Option<Float>,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Written {
    pub(super) ephemeral_1h_input_tokens: Count,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Stats {
    pub(super) models: BTreeMap<String, Maybe<OfModel>>,
    pub(super) tools: Maybe<OfTools>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct OfModel {
    pub(super) api: Maybe<Api>,
    pub(super) tokens: Maybe<GeminiTokens>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Api {
    pub(super) total_requests: Count,
    pub(super) total_latency_ms: Count,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct OfTools {
    pub(super) total_calls: Count,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct GeminiTokens {
    pub(super) prompt: Count,
    pub(super) input: Count,
    pub(super) candidates: Count,
    pub(super) cached: Count,
    pub(super) thoughts: Count,
    pub(super) tool: Count,
}

impl Tokens {
    /// The caches are told apart from the input.
    pub(super) fn split(&self) -> Usage {
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
    pub(super) fn inclusive(&self) -> Usage {
        let prompt = self.input_tokens.0;
        Usage {
            prompt,
            completion: self.output_tokens.0,
            cache_read: self.cached_input_tokens.0.min(prompt),
            ..Usage::default()
        }
    }

    /// What it cost in 10⁻¹² dollars, if told.
    pub(super) fn cost(&self) -> Option<u64> {
        pico(self.cost_usd)
    }
}

/// Dollars in 10⁻¹² dollars.
pub(super) fn pico(dollars: Option<Float>) -> Option<u64> {
    dollars.filter(|it| it.0 > 0.0).map(|it| (it.0 * PICO).round() as u64)
}
