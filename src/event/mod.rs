//! One event ⇄ one JSON line. Pure; knows no file.

pub mod id;
pub mod name;
mod json;

use std::collections::BTreeMap;
use std::fmt::Write;

use serde::Deserialize;
use serde_json::Number;

use crate::error::excerpt;
use crate::event::id::Id;
use crate::event::json::{write_number, write_text};
use crate::event::name::{Name, check_key, check_metric};
use crate::row::{COUNT_MAX, LINE_BYTES_MAX, Refused, refuse_timestamp};
use crate::timestamp::{Instant, Timestamp};
use crate::wording;

/// The version of the lines; a field that is added does not change it.
pub const VERSION: u64 = 1;

/// A UUID, or a trace id behind the name of a system.
pub const ID_BYTES_MAX: usize = 128;

/// The name of a role or an agent.
pub const WORD_BYTES_MAX: usize = 128;

/// The first lines of a command or an error say what it is.
pub const TEXT_BYTES_MAX: usize = 1_024;

/// An attribute is a label, not a document.
pub const VALUE_BYTES_MAX: usize = 256;

/// As many as fit into a line.
pub const ATTRS_MAX: usize = 32;

/// As many figures as attributes.
pub const METRICS_MAX: usize = 32;

/// Every field of a line, in order: its name, its JSON type, whether every line has it, and what it
/// says.
pub const FIELDS: [(&str, &str, bool, &str); 17] = [
    ("v", "integer", true, "the version of the line's form: 1"),
    ("id", "string", true, "a UUIDv7, so that ids are in order of time"),
    ("timestamp", "string", true, "RFC 3339 with offset, to the microsecond"),
    ("name", "string", true, "what happened: two words with a dot between them"),
    (
        "correlation",
        "string",
        true,
        "what belongs together; the event's own id where none is given",
    ),
    ("session", "string", false, "the session that it happened in"),
    ("user", "string", false, "the pseudonym of the user; only with consent to identity"),
    ("role", "string", false, "the role that somebody, or an agent, acts in"),
    ("agent", "string", false, "the agent, by its name"),
    ("command", "string", false, "the command, without its secrets"),
    ("success", "boolean", false, "whether it succeeded"),
    ("duration_ms", "integer", false, "how long it took, in milliseconds"),
    ("error", "string", false, "what went wrong, without its secrets"),
    ("attrs", "object", false, "other labels, each a text"),
    ("metrics", "object", false, "other figures, each a number"),
    ("sample", "number", false, "the share of events that is kept; the line stands for 1/sample"),
    ("dropped", "object", false, "how many events before this one were counted but not written"),
];

/// Events that were counted but not written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Dropped {
    /// Left out by sampling.
    pub sampled: u64,
    /// Beyond the limit of a minute.
    pub limited: u64,
    /// Not written, as the disk refused.
    pub failed: u64,
}

impl Dropped {
    /// Both together.
    #[must_use]
    pub fn plus(self, other: Dropped) -> Dropped {
        Dropped {
            sampled: self.sampled.saturating_add(other.sampled),
            limited: self.limited.saturating_add(other.limited),
            failed: self.failed.saturating_add(other.failed),
        }
    }

    /// Whether nothing was dropped.
    pub fn is_none(self) -> bool {
        self == Dropped::default()
    }
}

/// One event.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// What tells it from all others.
    pub id: Id,
    /// When it happened, in whole microseconds.
    pub at: Timestamp,
    /// What happened.
    pub name: Name,
    /// What belongs together; its own id where none was given.
    pub correlation: String,
    /// The session that it happened in.
    pub session: Option<String>,
    /// The pseudonym of the user.
    pub user: Option<String>,
    /// The role that somebody acts in.
    pub role: Option<String>,
    /// The agent.
    pub agent: Option<String>,
    /// The command.
    pub command: Option<String>,
    /// Whether it succeeded.
    pub success: Option<bool>,
    /// How long it took, in milliseconds.
    pub duration_ms: Option<u64>,
    /// What went wrong.
    pub error: Option<String>,
    /// Other labels.
    pub attrs: BTreeMap<String, String>,
    /// Other figures.
    pub metrics: BTreeMap<String, f64>,
    /// The share of events that is kept, where not all are.
    pub sample: Option<f64>,
    /// What was dropped before this event.
    pub dropped: Dropped,
}

/// A line as JSON has it. Fields that are not known are those of a later program.
#[derive(Deserialize)]
struct Raw {
    v: u64,
    id: String,
    timestamp: String,
    name: String,
    correlation: String,
    session: Option<String>,
    user: Option<String>,
    role: Option<String>,
    agent: Option<String>,
    command: Option<String>,
    success: Option<bool>,
    duration_ms: Option<u64>,
    error: Option<String>,
    #[serde(default)]
    attrs: BTreeMap<String, String>,
    #[serde(default)]
    metrics: BTreeMap<String, Number>,
    sample: Option<Number>,
    #[serde(default)]
    dropped: Dropped,
}

impl Event {
    /// An event of which nothing else is known.
    pub fn new(id: Id, at: Timestamp, name: Name) -> Event {
        Event {
            id,
            at: whole_micros(at),
            name,
            correlation: id.to_string(),
            session: None,
            user: None,
            role: None,
            agent: None,
            command: None,
            success: None,
            duration_ms: None,
            error: None,
            attrs: BTreeMap::new(),
            metrics: BTreeMap::new(),
            sample: None,
            dropped: Dropped::default(),
        }
    }

    /// Reads one line of the file, without its line end. Fields that it does not know are left out.
    pub fn parse(line: &str) -> Result<Event, Refused> {
        if line.len() >= LINE_BYTES_MAX {
            return Err(Refused::line("is longer than 16 KiB"));
        }
        let raw: Raw =
            serde_json::from_str(line).map_err(|error| refuse_json(&error, line.as_bytes()))?;
        if raw.v != VERSION {
            let problem = "is not 1, the version that this program reads";
            return Err(Refused::new("v", &raw.v.to_string(), problem));
        }
        let at = Timestamp::parse_liberally(&raw.timestamp)
            .ok_or_else(|| refuse_timestamp(&raw.timestamp))?;
        let number = |key: &str, number: Number| {
            let number_or = number.as_f64().filter(|number| number.is_finite());
            number_or.ok_or_else(|| Refused::new("metrics", key, "is too large a number"))
        };
        let metrics = raw.metrics.into_iter().map(|(key, value)| {
            let value = number(&key, value)?;
            Ok((key, value))
        });
        let event = Event {
            id: Id::parse(&raw.id)
                .ok_or_else(|| Refused::new("id", &raw.id, "is not a UUID in lower case"))?,
            at: whole_micros(at),
            name: Name::parse(&raw.name)?,
            correlation: raw.correlation,
            session: raw.session,
            user: raw.user,
            role: raw.role,
            agent: raw.agent,
            command: raw.command,
            success: raw.success,
            duration_ms: raw.duration_ms,
            error: raw.error,
            attrs: raw.attrs,
            metrics: metrics.collect::<Result<_, _>>()?,
            sample: raw.sample.map(|share| number("sample", share)).transpose()?,
            dropped: raw.dropped,
        };
        event.check()?;
        Ok(event)
    }

    /// Whether every key, figure and id is as it must be, and the line not too long.
    ///
    /// # Errors
    /// The first field that is not.
    pub fn check(&self) -> Result<(), Refused> {
        let ids = [("correlation", Some(&self.correlation)), ("session", self.session.as_ref())];
        for (field, id) in ids {
            id.map_or(Ok(()), |id| check_id(field, id))?;
        }
        if self.duration_ms.is_some_and(|it| it > COUNT_MAX) {
            return Err(Refused::line("duration_ms is more than 9007199254740991"));
        }
        if self.attrs.len() > ATTRS_MAX {
            return Err(Refused::line(format!("{} attrs, more than 32", self.attrs.len())));
        }
        if self.metrics.len() > METRICS_MAX {
            return Err(Refused::line(format!("{} metrics, more than 32", self.metrics.len())));
        }
        self.attrs.keys().try_for_each(|key| check_key("attrs", key))?;
        self.metrics.iter().try_for_each(|(key, value)| check_metric(key, *value))?;
        if self.sample.is_some_and(|share| !(share > 0.0 && share <= 1.0)) {
            return Err(Refused::line("sample is not a share above 0, up to 1"));
        }
        Ok(())
    }

    /// How much text it holds, in bytes: nearly all that it needs of the memory.
    pub fn text_bytes(&self) -> usize {
        let texts =
            [&self.session, &self.user, &self.role, &self.agent, &self.command, &self.error];
        let texts = texts.into_iter().flatten().chain(self.attrs.values()).chain(self.attrs.keys());
        let bytes: usize = texts.chain(self.metrics.keys()).map(String::len).sum();
        bytes + self.name.as_str().len() + self.correlation.len()
    }

    /// The line of the file, without its line end. Equal events are equal bytes.
    pub fn to_line(&self) -> String {
        let mut line = String::with_capacity(256);
        self.write_line(&mut line);
        line
    }

    /// As [`Event::to_line`], for many in a row.
    pub fn write_line(&self, out: &mut String) {
        out.push_str("{\"v\":1,\"id\":\"");
        self.id.write_to(out);
        out.push_str("\",\"timestamp\":\"");
        self.at.write_to(out);
        out.push('"');
        let texts = [
            ("name", Some(self.name.as_str())),
            ("correlation", Some(&*self.correlation)),
            ("session", self.session.as_deref()),
            ("user", self.user.as_deref()),
            ("role", self.role.as_deref()),
            ("agent", self.agent.as_deref()),
            ("command", self.command.as_deref()),
        ];
        for (field, text) in texts {
            write_field(field, text, out);
        }
        if let Some(success) = self.success {
            out.push_str(if success { ",\"success\":true" } else { ",\"success\":false" });
        }
        if let Some(duration_ms) = self.duration_ms {
            let _ = write!(out, ",\"duration_ms\":{duration_ms}");
        }
        write_field("error", self.error.as_deref(), out);
        write_map("attrs", &self.attrs, out, |value, out| write_text(value, out));
        write_map("metrics", &self.metrics, out, |value, out| write_number(*value, out));
        if let Some(sample) = self.sample {
            out.push_str(",\"sample\":");
            write_number(sample, out);
        }
        if !self.dropped.is_none() {
            let Dropped { sampled, limited, failed } = self.dropped;
            let _ = write!(
                out,
                ",\"dropped\":{{\"sampled\":{sampled},\"limited\":{limited},\"failed\":{failed}}}"
            );
        }
        out.push('}');
    }
}

/// The refusal of a line whose JSON is not that of an event.
pub fn refuse_json(error: &serde_json::Error, line: &[u8]) -> Refused {
    let problem = wording::of_json(error, line);
    // The list of all fields is of no use in a list of lines.
    let problem = problem.split("; there are ").next().unwrap_or_default();
    Refused::line(format!("is not an event: {}", excerpt(problem)))
}

/// A line holds no finer part of a second.
fn whole_micros(at: Timestamp) -> Timestamp {
    let Instant { seconds, nanos } = at.instant();
    at.at_microsecond(seconds, nanos / 1_000)
}

/// An id that somebody gave: 1 to 128 of `[A-Za-z0-9._:/@+-]`.
pub fn check_id(field: &'static str, id: &str) -> Result<(), Refused> {
    let allowed = |byte: &u8| byte.is_ascii_alphanumeric() || b"._:/@+-".contains(byte);
    match (1..=ID_BYTES_MAX).contains(&id.len()) && id.as_bytes().iter().all(allowed) {
        true => Ok(()),
        false => {
            Err(Refused::new(field, id, "is not an id: 1 to 128 of A-Z a-z 0-9 . _ : / @ + -"))
        }
    }
}

fn write_field(field: &str, text: Option<&str>, out: &mut String) {
    if let Some(text) = text {
        out.push_str(",\"");
        out.push_str(field);
        out.push_str("\":");
        write_text(text, out);
    }
}

fn write_map<T>(
    field: &str,
    map: &BTreeMap<String, T>,
    out: &mut String,
    write: impl Fn(&T, &mut String),
) {
    if map.is_empty() {
        return;
    }
    out.push_str(",\"");
    out.push_str(field);
    out.push_str("\":{");
    for (at, (key, value)) in map.iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        write_text(key, out);
        out.push(':');
        write(value, out);
    }
    out.push('}');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::is_unprintable;
    use crate::privacy::consent::EXAMPLE;
    use proptest::prelude::*;

    const LINE: &str = "{\"v\":1,\"id\":\"019c8c52-a34f-7b33-8000-00000000002a\",\
        \"timestamp\":\"2026-02-23T22:19:12.4837+01:00\",\"name\":\"agent.completed\",\
        \"correlation\":\"c1\",\"session\":\"s_1\",\"agent\":\"reviewer\",\"success\":true,\
        \"duration_ms\":1250,\"attrs\":{\"strategy\":\"split\"},\
        \"metrics\":{\"attempts\":2,\"confidence\":0.75}}";

    #[test]
    fn a_line_is_read() {
        let event = Event::parse(LINE).unwrap();
        assert_eq!((event.name.area(), event.name.step()), ("agent", "completed"));
        assert!(event.name.is_known());
        assert_eq!(event.metrics["confidence"], 0.75);
        assert_eq!(event.to_line(), LINE.replace(".4837+", ".483700+"));
        let later = LINE.replace("\"v\":1", "\"v\":1,\"weather\":{\"sun\":true}");
        assert_eq!(Event::parse(&later).unwrap(), event);
    }

    #[test]
    fn what_is_no_event_is_refused_by_its_field() {
        for (from, to, says) in [
            ("\"v\":1", "\"v\":2", "v: \"2\" is not 1"),
            ("\"v\":1", "\"v\":1,\"v\":1", "v stands there twice"),
            ("agent.completed", "agent", "name: \"agent\" is not two words"),
            ("agent.completed", "agent.a.b", "name: \"agent.a.b\" is not two words"),
            ("agent.completed", "Agent.done", "is not two words"),
            ("019c8c52-a34f", "019c8c52a34f-", "id: "),
            ("2026-02-23T22", "2026-02-30T22", "a date that does not exist"),
            ("\"c1\"", "\"\"", "correlation: \"\" is not an id"),
            ("\"c1\"", "\"a b\"", "correlation: \"a b\" is not an id"),
            ("1250", "-1", "is not an event"),
            ("1250", "9007199254740992", "duration_ms is more than"),
            ("\"strategy\"", "\"Strategy\"", "attrs: \"Strategy\" is not a key"),
            ("0.75", "1.5", "metrics: \"confidence=1.5\" is not from 0 to 1"),
            ("\"attempts\":2", "\"attempts\":2.5", "\"attempts=2.5\" is not a whole number"),
            ("\"attempts\":2", "\"duration_ms\":2", "is a field of its own"),
            ("\"attempts\":2", "\"x\":1e999", "is too large a number"),
            ("}}", "}", "is not an event"),
        ] {
            let line = LINE.replacen(from, to, 1);
            assert_ne!(line, LINE, "{from}");
            let refused = Event::parse(&line).expect_err(&line).to_string();
            assert!(refused.contains(says), "{refused}");
        }
    }

    /// Nobody agrees to an example that is no event, or that no event looks like.
    #[test]
    fn the_example_that_users_agree_to_is_an_event() {
        let event = Event::parse(EXAMPLE).unwrap();
        assert!(event.name.is_known());
        assert_eq!(event.to_line(), EXAMPLE);
    }

    #[test]
    fn the_list_of_fields_is_the_lines_own() {
        let mut event = Event::parse(LINE).unwrap();
        for text in [&mut event.user, &mut event.role, &mut event.command, &mut event.error] {
            *text = Some("x".to_owned());
        }
        event.sample = Some(0.5);
        event.dropped.failed = 1;
        let line: serde_json::Value = serde_json::from_str(&event.to_line()).unwrap();
        let names: Vec<&str> = line.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(names, FIELDS.map(|(name, ..)| name));
        for (field, _, is_required, _) in FIELDS {
            let mut line = line.clone();
            line.as_object_mut().unwrap().remove(field);
            assert_eq!(Event::parse(&line.to_string()).is_err(), is_required, "{field}");
        }
    }

    #[test]
    fn nothing_that_acts_stands_bare_in_a_line() {
        let mut event = Event::parse(LINE).unwrap();
        let text = "a\"b\\c\nd\u{1b}[31m\u{7f}\u{9b}\u{85}\u{2028}\u{2029}\u{202e}\u{2066}\u{feff}\u{61c}\u{200b}\u{e0041}é日🚀\0";
        event.error = Some(text.to_owned());
        let line = event.to_line();
        assert!(!line.contains(is_unprintable), "{line:?}");
        assert!(line.contains("é日🚀"));
        assert_eq!(Event::parse(&line).unwrap().error.as_deref(), Some(text));
    }

    fn event() -> impl Strategy<Value = Event> {
        let text =
            || prop::option::of("(\\PC|[\x00-\x20\"\\\\]|\u{9b}|\u{2028}|\u{202e}|🚀){0,20}");
        let key = "[a-z][a-z0-9_]{0,8}";
        let number = prop_oneof![
            any::<f64>().prop_filter("finite", |number| number.is_finite()),
            (-1_000_000i32..1_000_000).prop_map(f64::from),
            0.0..1.0,
        ];
        let texts = (text(), text(), text(), text(), text());
        let maps = (
            prop::collection::btree_map(key, "\\PC{0,9}", 0..4),
            prop::collection::btree_map(key, number, 0..4),
        );
        let rest = (
            prop::option::of(any::<bool>()),
            prop::option::of(0..=COUNT_MAX),
            prop::option::of(0.001..1.0),
            any::<(u64, u64, u64)>(),
        );
        let when = (-62_000_000_000i64..253_000_000_000, 0u32..1_000_000);
        (when, any::<u64>(), "[a-z][a-z0-9_]{0,9}\\.[a-z]{1,9}", texts, maps, rest).prop_filter_map(
            "a metric that readers know has a unit",
            |((seconds, micros), random, name, texts, (attrs, metrics), rest)| {
                let at = Timestamp::utc(Instant { seconds, nanos: micros * 1_000 });
                let id = Id::new(at.instant(), random);
                let mut event = Event::new(id, at, Name::parse(&name).ok()?);
                (event.user, event.role, event.agent, event.command, event.error) = texts;
                (event.attrs, event.metrics) = (attrs, metrics);
                (event.success, event.duration_ms, event.sample) = (rest.0, rest.1, rest.2);
                let (sampled, limited, failed) = rest.3;
                event.dropped = Dropped { sampled, limited, failed };
                event.check().ok().map(|()| event)
            },
        )
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(event in event()) {
            let line = event.to_line();
            let read = Event::parse(&line).unwrap();
            prop_assert_eq!(&read, &event);
            prop_assert_eq!(read.to_line(), line);
        }
    }
}
