//! Notes: any text → one clean line, without what must not be written; and the tag block that may
//! stand at its end.

pub mod line;

use std::borrow::Cow;

use crate::notes::line::clean;
use crate::redact::Redactor;
use crate::redact::withheld::{Part, Withheld};
use crate::row::{NOTES_BYTES_MAX, Refused, check_count};

/// The longest value of a tag.
const TAG_VALUE_BYTES_MAX: usize = 128;

/// Most tag blocks are shorter.
const BLOCK_BYTES: usize = 224;

/// What a tag's value must look like beyond the characters that all tags share.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shape {
    /// Anything of the shared characters.
    Word,
    /// A whole number, as in the row's own columns.
    Count,
    /// Dollars with six decimals.
    Dollars,
    /// The word `sub`.
    Role,
    /// 12 hex digits.
    Session,
}

/// Every key that a tag block may hold, in the order in which we write them.
const TAGS: [(&str, Shape); 14] = [
    ("source", Shape::Word),
    ("id", Shape::Word),
    ("rev", Shape::Count),
    ("session", Shape::Session),
    ("role", Shape::Role),
    ("agent", Shape::Word),
    ("user", Shape::Word),
    ("requests", Shape::Count),
    ("tool_errors", Shape::Count),
    ("cache_read", Shape::Count),
    ("cache_write", Shape::Count),
    ("cache_write_1h", Shape::Count),
    ("cost_usd", Shape::Dollars),
    ("reason", Shape::Word),
];

/// Every key that a tag block may hold, in the order in which they are written.
pub fn tag_keys() -> impl Iterator<Item = &'static str> {
    TAGS.iter().map(|(key, _)| *key)
}

/// The tag block of one row: `{key=value key=value}` at the end of its notes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tags<'a> {
    values: [Option<&'a str>; TAGS.len()],
}

impl<'a> Tags<'a> {
    /// The tag block of these notes, empty where there is none. Whatever is not wholly a tag block
    /// is plain text.
    pub fn of(notes: &'a str) -> Tags<'a> {
        if !notes.ends_with('}') {
            return Tags::default();
        }
        split(notes).map_or_else(Tags::default, |(_, tags)| tags)
    }

    /// The value of a tag.
    pub fn get(&self, key: &str) -> Option<&'a str> {
        TAGS.iter().position(|(it, _)| *it == key).and_then(|at| self.values[at])
    }

    /// The value of a tag that is a whole number.
    pub fn count(&self, key: &str) -> Option<u64> {
        self.get(key).and_then(|value| value.parse().ok())
    }

    /// What the row says that it cost, in millionths of a dollar.
    pub fn cost_micros(&self) -> Option<u128> {
        let (dollars, millionths) = self.get("cost_usd")?.split_once('.')?;
        let (dollars, millionths) = (dollars.parse::<u64>().ok()?, millionths.parse::<u32>().ok()?);
        Some(u128::from(dollars) * 1_000_000 + u128::from(millionths))
    }

    /// Sets a tag that somebody gave as these words.
    fn add(&mut self, key: &str, value: &'a str, given: &str) -> Result<(), Refused> {
        let refuse = |problem: &str| Refused::new("tag", given, problem);
        self.set(key, value).map_err(|problem| match problem {
            "is not a known key" => {
                let keys: Vec<&str> = TAGS.iter().map(|(key, _)| *key).collect();
                refuse(&format!("has a key that is not one of {}", keys.join(", ")))
            }
            other => refuse(other),
        })
    }

    fn set(&mut self, key: &str, value: &'a str) -> Result<(), &'static str> {
        let at = TAGS.iter().position(|(it, _)| *it == key).ok_or("is not a known key")?;
        if !is_word(value) {
            return Err("has a value that is not 1 to 128 of A-Z a-z 0-9 . _ : / @ + -");
        }
        let (fits, problem) = match TAGS[at].1 {
            Shape::Word => (true, ""),
            Shape::Count => (check_count("tag", value).is_ok(), "is not a whole number"),
            Shape::Dollars => (is_dollars(value), "is not dollars with six decimals"),
            Shape::Role => (value == "sub", "is not sub, the only role"),
            Shape::Session => (is_session(value), "is not 12 hex digits"),
        };
        match (fits, self.values[at].replace(value)) {
            (false, _) => Err(problem),
            (true, Some(_)) => Err("is given twice"),
            (true, None) => Ok(()),
        }
    }
}

/// What may not be stored.
#[derive(Clone, Copy, Debug)]
pub struct Screen<'a> {
    /// Finds what must never be written.
    pub redactor: &'a Redactor,
    /// Whether the repository wants no notes.
    pub forbids_notes: bool,
    /// Whether the repository wants no tags.
    pub forbids_tags: bool,
}

/// Notes as they are stored: `text` made one clean line, with `tags` added to its tag block, and
/// without what must not be written, which `withheld` counts.
///
/// # Errors
/// A tag with an unknown key, a repeated one or an odd value; and more than 4,096 bytes in all.
pub fn compose<'a>(
    text: &'a str,
    tags: &[&str],
    screen: &Screen<'_>,
    withheld: &mut Withheld,
) -> Result<Cow<'a, str>, Refused> {
    if text.is_empty() && tags.is_empty() {
        return Ok(Cow::Borrowed(""));
    }
    let clean = clean(text);
    let has_block = clean.ends_with('}') && split(&clean).is_some();
    let notes = match has_block || !tags.is_empty() {
        true => Cow::Owned(with_tags(&clean, tags, screen, withheld)?),
        false => screened(clean, screen, withheld),
    };
    if notes.len() > NOTES_BYTES_MAX {
        let problem = format!("is {} bytes, more than 4096", notes.len());
        return Err(Refused::new("notes", &notes, problem));
    }
    Ok(notes)
}

/// The text without its secrets; nothing where notes are forbidden.
fn screened<'a>(text: Cow<'a, str>, screen: &Screen<'_>, withheld: &mut Withheld) -> Cow<'a, str> {
    if screen.forbids_notes && !text.is_empty() {
        withheld.forbid(Part::Notes);
        return Cow::Borrowed("");
    }
    let (redacted, hits) = screen.redactor.redact(&text);
    if hits.is_empty() {
        drop(redacted);
        return text;
    }
    withheld.add(Part::Notes, &hits);
    Cow::Owned(redacted.into_owned())
}

/// The block that stands there and the tags given besides, in one block at the end.
fn with_tags(
    clean: &str,
    given: &[&str],
    screen: &Screen<'_>,
    withheld: &mut Withheld,
) -> Result<String, Refused> {
    let (body, block) = split(clean).unwrap_or((clean, Tags::default()));
    let mut tags = block;
    for tag in given {
        let split = tag.split_once('=');
        let (key, value) = split.ok_or_else(|| Refused::new("tag", tag, "is not KEY=VALUE"))?;
        tags.add(key, value, tag)?;
    }
    let whole = body;
    let body = screened(Cow::Borrowed(whole), screen, withheld);
    let mut is_as_given = given.is_empty() && *body == *whole;
    if screen.forbids_tags {
        withheld.forbid(Part::Tags);
        return Ok(body.into_owned());
    }
    // Different rows would become one if what tells them apart were replaced.
    for key in ["source", "id"] {
        let hits = screen.redactor.find(tags.get(key).unwrap_or_default().as_bytes());
        if let Some(hit) = hits.first() {
            let given = format!("{key}=redacted:{}", hit.rule);
            return Err(Refused::new(
                "tag",
                &given,
                "would stand for every row with a secret there",
            ));
        }
    }
    // One text is made of it: imports come here with tens of thousands of rows.
    let mut words = String::with_capacity(clean.len() + BLOCK_BYTES);
    for ((key, shape), value) in TAGS.iter().zip(tags.values) {
        let Some(value) = value else { continue };
        let redacted = redacted_value(value, *shape, screen, withheld);
        is_as_given &= redacted.is_none();
        push_word(&mut words, key, redacted.as_deref().unwrap_or(value));
    }
    // The order of its tags is the writer's own.
    if is_as_given {
        return Ok(clean.to_owned());
    }
    Ok(joined(&body, words))
}

/// Adds a tag to those of a block that is not yet closed.
fn push_word(words: &mut String, key: &str, value: &str) {
    words.push(if words.is_empty() { '{' } else { ' ' });
    words.push_str(key);
    words.push('=');
    words.push_str(value);
}

/// A text and the words of a tag block as notes.
fn joined(body: &str, mut words: String) -> String {
    if words.is_empty() {
        return body.to_owned();
    }
    words.push('}');
    match body {
        "" => words,
        body => format!("{body} {words}"),
    }
}

/// The notes of a row that is amended: its text or another, and its tag block with these tags in the
/// place of those of the same keys; None takes a tag away. They are a draft: [`compose`] keeps out of
/// them what must not be written.
///
/// # Errors
/// As [`compose`], but for the length: that is judged of the row as a whole.
pub fn amended(
    old: &str,
    text: Option<&str>,
    given: &[(&str, Option<&str>)],
) -> Result<String, Refused> {
    let (old, text) = (clean(old), text.map(clean));
    let (mut body, mut tags) = split(&old).unwrap_or((&old, Tags::default()));
    if let Some(text) = &text {
        let (new_body, new_tags) = split(text).unwrap_or((text, Tags::default()));
        body = new_body;
        for (value, new) in tags.values.iter_mut().zip(new_tags.values) {
            *value = new.or(*value);
        }
    }
    for (key, value) in given {
        if let Some(at) = TAGS.iter().position(|(it, _)| it == key) {
            tags.values[at] = None;
        }
        if let Some(value) = value {
            tags.add(key, value, &format!("{key}={value}"))?;
        }
    }
    let mut words = String::new();
    for ((key, _), value) in TAGS.iter().zip(tags.values) {
        value.iter().for_each(|value| push_word(&mut words, key, value));
    }
    Ok(joined(body, words))
}

/// What stands in place of a value with a secret in it: brackets are not of a value's characters,
/// and a part of a value is none.
fn redacted_value(
    value: &str,
    shape: Shape,
    screen: &Screen<'_>,
    withheld: &mut Withheld,
) -> Option<String> {
    // What has any other shape is a number, or was refused.
    if shape != Shape::Word {
        return None;
    }
    let hits = screen.redactor.find(value.as_bytes());
    withheld.add(Part::Tags, &hits);
    hits.first().map(|hit| format!("redacted:{}", hit.rule))
}

/// The text before the tag block, and the tags. None where the notes do not end in one.
fn split(notes: &str) -> Option<(&str, Tags<'_>)> {
    let inner = notes.strip_suffix('}')?;
    let open = inner.rfind('{')?;
    let body = match &notes[..open] {
        "" => "",
        before => before.strip_suffix(' ')?,
    };
    let mut tags = Tags::default();
    for word in inner[open + 1..].split(' ') {
        let (key, value) = word.split_once('=')?;
        tags.set(key, value).ok()?;
    }
    Some((body, tags))
}

/// The text of stored notes, without the tag block.
pub fn text(notes: &str) -> &str {
    split(notes).map_or(notes, |(text, _)| text)
}

fn is_word(value: &str) -> bool {
    let allowed = |b: &u8| b.is_ascii_alphanumeric() || b"._:/@+-".contains(b);
    (1..=TAG_VALUE_BYTES_MAX).contains(&value.len()) && value.as_bytes().iter().all(allowed)
}

fn is_dollars(value: &str) -> bool {
    let Some((whole, decimals)) = value.split_once('.') else { return false };
    check_count("tag", whole).is_ok()
        && decimals.len() == 6
        && decimals.bytes().all(|b| b.is_ascii_digit())
}

fn is_session(value: &str) -> bool {
    value.len() == 12 && value.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_block_is_the_last_braces_of_the_notes() {
        assert_eq!(Tags::of("done {source=codex id=a1}").get("id"), Some("a1"));
        assert_eq!(Tags::of("{cache_read=17}").count("cache_read"), Some(17));
        for plain in [
            "done{id=a1}",
            "{id=a1} done",
            "{id=a1 id=a2}",
            "{color=red}",
            "{id=}",
            "{id=a b}",
            "{cost_usd=1.5}",
            "{role=main}",
            "{}",
        ] {
            assert_eq!(Tags::of(plain), Tags::default(), "{plain}");
        }
    }

    /// As where the repository forbids nothing.
    fn compose(text: &str, tags: &[&str]) -> Result<String, Refused> {
        let screen =
            Screen { redactor: &Redactor::default(), forbids_notes: false, forbids_tags: false };
        super::compose(text, tags, &screen, &mut Withheld::default()).map(Cow::into_owned)
    }

    #[test]
    fn what_must_not_be_written_is_kept_out_of_text_and_tags() {
        let key = format!("sk-ant-{}", "Ab1Cd2Ef3".repeat(4));
        let mut withheld = Withheld::default();
        let redactor = Redactor::default();
        let screen = Screen { redactor: &redactor, forbids_notes: false, forbids_tags: false };
        let text = format!("try {key} {{source=run agent=bob@corp.example}}");
        let notes = super::compose(&text, &["id=a1"], &screen, &mut withheld).unwrap();
        assert_eq!(notes, "try [redacted:anthropic-key] {source=run id=a1 agent=redacted:email}");
        assert_eq!(
            withheld.lines(),
            ["2 secrets kept out of notes and tags: anthropic-key, email"]
        );
        // A secret split by what is not seen is one all the same.
        let hidden = format!("{}\u{200b}{}", &key[..12], &key[12..]);
        assert_eq!(compose(&hidden, &[]).unwrap(), "[redacted:anthropic-key]");
        // The limit counts what is stored.
        let long = "x".repeat(NOTES_BYTES_MAX - 30);
        assert!(compose(&format!("{long} {key}"), &[]).is_ok());
    }

    #[test]
    fn a_repository_may_want_no_notes_or_no_tags() {
        let redactor = Redactor::default();
        for (forbids_notes, forbids_tags, stored) in
            [(true, false, "{id=a1}"), (false, true, "done"), (true, true, "")]
        {
            let mut withheld = Withheld::default();
            let screen = Screen { redactor: &redactor, forbids_notes, forbids_tags };
            let notes = super::compose("done {id=a1}", &[], &screen, &mut withheld).unwrap();
            assert_eq!(notes, stored);
            assert_eq!(
                withheld.lines().len(),
                usize::from(forbids_notes) + usize::from(forbids_tags)
            );
        }
    }

    #[test]
    fn tags_are_added_to_the_block_that_is_there() {
        assert_eq!(compose("done", &["id=a1"]).unwrap(), "done {id=a1}");
        assert_eq!(compose("", &["id=a1", "source=run"]).unwrap(), "{source=run id=a1}");
        assert_eq!(compose("x {id=a1}", &["rev=2"]).unwrap(), "x {id=a1 rev=2}");
        assert!(compose("x {id=a1}", &["id=a2"]).unwrap_err().problem.contains("twice"));
        assert!(compose("x", &["color=red"]).unwrap_err().problem.contains("not one of source"));
        assert!(compose(&"x".repeat(4097), &[]).is_err());
    }
}
