//! A row to be, and how its fields and tags are written.

use std::fmt::Write as _;
use std::rc::Rc;

use crate::error::Result;
use crate::intake::draft::{Draft, check};
use crate::intake::import::usage::Usage;
use crate::ledger::compose::Entry;
use crate::notes::Screen;
use crate::redact::withheld::Withheld;
use crate::row::{Refused, TaskType};
use crate::timestamp::Timestamp;

/// A row's timestamp, its three numbers and every tag that it may have.
const FIELDS_MAX: usize = 4 + 14;

/// Together they are seldom longer.
const TEXT_BYTES: usize = 320;

/// A row to be.
#[derive(Clone, Debug)]
pub struct Planned {
    /// When it began.
    pub at: Timestamp,
    /// Its id.
    pub id: String,
    /// What tells it from the rows of all sources.
    pub identity: u64,
    /// Its source.
    pub source: &'static str,
    /// The model.
    pub model: Rc<str>,
    /// All tokens.
    pub usage: Usage,
    /// Whether it succeeded.
    pub success: bool,
    /// What kind of task it was.
    pub task_type: TaskType,
    /// How long it took.
    pub duration_ms: u64,
    /// What it cost in microdollars, if everything in it has a price.
    pub cost: Option<u64>,
    /// In which group of files its turn is.
    pub group: usize,
    /// The `session` tag.
    pub session: Rc<str>,
    /// Whether its turn is the last of its session's file.
    pub is_last: bool,
    /// Tags that somebody gave by hand; they beat ours.
    pub given: Vec<String>,
    pub(super) is_sub: bool,
    pub(super) requests: u64,
    pub(super) tool_errors: u64,
    pub(super) reason: Option<&'static str>,
}

impl Planned {
    /// Whether it is a sub-agent's, or another model's than that of the final answer.
    pub fn is_sub(&self) -> bool {
        self.is_sub
    }

    /// The row, checked as any other; `rev` and the free text are those of a later revision.
    ///
    /// # Errors
    /// A field or a tag that may not be stored.
    pub fn entry(
        &self,
        revision: Option<(u64, &str)>,
        screen: &Screen<'_>,
        withheld: &mut Withheld,
    ) -> Result<Entry<'static>, Refused> {
        let (rev, text) = revision.unwrap_or_default();
        // All that is written of it in one text, which is then told apart: rows are many.
        let mut all = String::with_capacity(TEXT_BYTES);
        let mut ends = [0; FIELDS_MAX];
        let mut count = 0;
        let mut put = |field: std::fmt::Arguments<'_>| {
            // Writing to a text does not fail.
            let _ = all.write_fmt(field);
            ends[count] = all.len();
            count += 1;
        };
        put(format_args!("{}", self.at));
        put(format_args!("{}", self.usage.prompt));
        put(format_args!("{}", self.usage.completion));
        put(format_args!("{}", self.duration_ms));
        put(format_args!("source={}", self.source));
        put(format_args!("id={}", self.id));
        put(format_args!("session={}", self.session));
        if self.is_sub {
            put(format_args!("role=sub"));
        }
        for (key, count) in [
            ("requests", self.requests),
            ("rev", rev),
            ("tool_errors", self.tool_errors),
            ("cache_read", self.usage.cache_read),
            ("cache_write", self.usage.cache_write),
            ("cache_write_1h", self.usage.cache_write_1h),
        ] {
            if count > 0 {
                put(format_args!("{key}={count}"));
            }
        }
        if let Some(cost) = self.cost {
            put(format_args!("cost_usd={}.{:06}", cost / 1_000_000, cost % 1_000_000));
        }
        if let Some(reason) = self.reason {
            put(format_args!("reason={reason}"));
        }
        let mut fields = [""; FIELDS_MAX];
        let mut start = 0;
        for (field, end) in fields.iter_mut().zip(ends).take(count) {
            *field = &all[start..end];
            start = end;
        }
        let ([stamp, prompt, completion, duration], tags) = fields[..count]
            .split_at_checked(4)
            .and_then(|(head, tags)| Some((<[&str; 4]>::try_from(head).ok()?, tags)))
            .unwrap_or_default();
        let key = |tag: &str| tag.split('=').next().map(str::to_owned);
        let is_ours = |tag: &&&str| !self.given.iter().any(|given| key(given) == key(tag));
        let given: Vec<&str>;
        let tags = match self.given.is_empty() {
            true => tags,
            false => {
                let ours = tags.iter().filter(is_ours).copied();
                given = ours.chain(self.given.iter().map(String::as_str)).collect();
                &given
            }
        };
        let draft = Draft {
            timestamp: Some(stamp),
            model: &self.model,
            prompt_tokens: prompt,
            completion_tokens: completion,
            task_success: if self.success { "true" } else { "false" },
            task_type: self.task_type.name(),
            duration,
            notes: text,
            tags,
        };
        check(&draft, screen, withheld).map(Entry::into_owned)
    }
}
