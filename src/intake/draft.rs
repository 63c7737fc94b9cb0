//! A row as somebody typed it → a row of the ledger, cleaned and checked field by field.

use std::borrow::Cow;
use std::time::Duration;

use crate::error::Result;
use crate::ledger::compose::Entry;
use crate::notes::{self, Screen, Tags};
use crate::privacy::identity::CI;
use crate::redact::Redactor;
use crate::redact::withheld::{Part, Withheld};
use crate::row::{COUNT_MAX, NOTES_BYTES_MAX, Refused, Row};
use crate::row::{check_count, check_model, check_task_type, refuse_success, refuse_timestamp};
use crate::timestamp::{Instant, Timestamp};

/// A row not yet checked: every field as somebody typed it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Draft<'a> {
    /// RFC 3339, or absent for now.
    pub timestamp: Option<&'a str>,
    /// The model's name.
    pub model: &'a str,
    /// Tokens read.
    pub prompt_tokens: &'a str,
    /// Tokens written.
    pub completion_tokens: &'a str,
    /// `true` or `false`.
    pub task_success: &'a str,
    /// One of the five task types.
    pub task_type: &'a str,
    /// Milliseconds, or a time such as `45s`.
    pub duration: &'a str,
    /// Free text.
    pub notes: &'a str,
    /// `KEY=VALUE` each, for the tag block.
    pub tags: &'a [&'a str],
}

/// Checks a draft, field by field in the header's order. What must not be written is left out, and
/// counted in `withheld`.
pub fn check<'a>(
    draft: &Draft<'a>,
    screen: &Screen<'_>,
    withheld: &mut Withheld,
) -> Result<Entry<'a>, Refused> {
    let at =
        draft.timestamp.map(|text| Timestamp::parse(text).ok_or_else(|| refuse_timestamp(text)));
    let row = Row {
        at: at.transpose()?.unwrap_or(UNSTAMPED),
        stamp: draft.timestamp.unwrap_or_default().into(),
        model: screened_model(draft.model, withheld)?,
        prompt_tokens: check_count("prompt_tokens", draft.prompt_tokens)?,
        completion_tokens: check_count("completion_tokens", draft.completion_tokens)?,
        success: match draft.task_success {
            "true" => true,
            "false" => false,
            other => return Err(refuse_success(other)),
        },
        task_type: check_task_type(draft.task_type)?,
        duration_ms: check_duration(draft.duration)?,
        notes: notes::compose(draft.notes, draft.tags, screen, withheld)?,
    };
    if let Some(cached) = Tags::of(&row.notes).count("cache_read")
        && cached > row.prompt_tokens
    {
        let tag = format!("cache_read={cached}");
        return Err(Refused::new("tag", &tag, "is more than prompt_tokens, which include it"));
    }
    Ok(Entry { row, is_dated: draft.timestamp.is_some() })
}

/// Adds the user's pseudonym to a row that names no user. A revision stays whose the row was, and notes
/// without room for it stay as they are.
pub fn sign(entry: &mut Entry<'_>, user: &str) {
    let tags = Tags::of(&entry.row.notes);
    if tags.get("user").is_some() || tags.get("rev").is_some() {
        return;
    }
    if let Ok(signed) = notes::amended(&entry.row.notes, None, &[("user", Some(user))])
        && signed.len() <= NOTES_BYTES_MAX
    {
        entry.row.notes = signed.into();
    }
}

/// Takes away who a row says that it is of, for a user who has not allowed that; whether it said so. No
/// person is named by what stands there for jobs of CI.
pub fn disown(entry: &mut Entry<'_>) -> bool {
    if Tags::of(&entry.row.notes).get("user").is_none_or(|user| user == CI) {
        return false;
    }
    if let Ok(notes) = notes::amended(&entry.row.notes, None, &[("user", None)]) {
        entry.row.notes = notes.into();
    }
    true
}

/// No secret is shorter, and nearly every model's name is.
const SECRET_BYTES_MIN: usize = 16;

/// The name of a model without keys, addresses and account numbers. Words of the user are none of
/// its concern: somebody may have the login `opus`.
fn screened_model<'a>(model: &'a str, withheld: &mut Withheld) -> Result<Cow<'a, str>, Refused> {
    let model = check_model(model)?;
    if model.len() < SECRET_BYTES_MIN {
        return Ok(Cow::Borrowed(model));
    }
    let (model, hits) = Redactor::default().redact(model);
    withheld.add(Part::Model, &hits);
    check_model(&model)?;
    Ok(model)
}

/// Stands where the clock will stamp the row.
const UNSTAMPED: Timestamp = Timestamp::utc(Instant { seconds: 0, nanos: 0 });

/// Milliseconds in plain digits, or a time such as `45s` or `2m 5s` of whole milliseconds.
pub fn check_duration(text: &str) -> Result<u64, Refused> {
    if text.is_empty() || text.bytes().all(|b| b.is_ascii_digit()) {
        return check_count("duration_ms", text);
    }
    let refuse = |problem: &str| Refused::new("duration_ms", text, problem);
    let time: Duration = humantime::parse_duration(text)
        .map_err(|_| refuse("is not whole milliseconds or a time such as 45s or 2m 5s"))?;
    if !time.subsec_nanos().is_multiple_of(1_000_000) {
        return Err(refuse("is not whole milliseconds"));
    }
    let fits = u64::try_from(time.as_millis()).ok().filter(|ms| *ms <= COUNT_MAX);
    fits.ok_or_else(|| refuse("is more than 9007199254740991 ms"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_milliseconds_or_a_time() {
        for (text, ms) in [
            ("0", 0),
            ("45000", 45_000),
            ("45s", 45_000),
            ("2m 5s", 125_000),
            ("2m5s", 125_000),
            ("850ms", 850),
            ("1h", 3_600_000),
            ("9007199254740991", COUNT_MAX),
        ] {
            assert_eq!(check_duration(text), Ok(ms), "{text}");
        }
        for bad in ["", "-5", "5 bananas", "1500us", "045", "1e3", "s", "45,000", "300000years"] {
            assert!(check_duration(bad).is_err(), "{bad}");
        }
    }
}
