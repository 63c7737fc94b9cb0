//! The vocabulary of events: what they, their attributes and their metrics are called, and the units
//! of those that readers know.

use std::fmt;

use crate::row::{COUNT_MAX, Refused};

/// Two words of everyday length.
pub const NAME_BYTES_MAX: usize = 64;

/// Longer than any metric's or attribute's name in use.
pub const KEY_BYTES_MAX: usize = 64;

/// The names that readers know, and when each is to be written. Any other of two words is stored too.
pub const NAMES: [(&str, &str); 26] = [
    ("role.selected", "a role was chosen"),
    ("role.changed", "another role took its place"),
    ("agent.invoked", "an agent was asked for"),
    ("agent.started", "it began its work"),
    ("agent.progress", "it said how far it is"),
    ("agent.completed", "it ended its work"),
    ("agent.failed", "it gave up"),
    ("handoff.clicked", "a hand-over to another role or agent was chosen"),
    ("handoff.completed", "the other took over"),
    ("command.executed", "a command was run"),
    ("command.completed", "it ended well"),
    ("command.failed", "it did not"),
    ("workflow.started", "a sequence of steps began"),
    ("workflow.completed", "its last step was done"),
    ("workflow.failed", "it stopped before"),
    ("session.started", "somebody began to work"),
    ("session.ended", "and left off"),
    ("operation.completed", "any other piece of work was done"),
    ("operation.failed", "or was not"),
    ("alert.raised", "a threshold was crossed"),
    ("alert.acknowledged", "somebody has seen it"),
    ("alert.resolved", "it is crossed no more"),
    ("feedback.positive", "somebody found a result good"),
    ("feedback.negative", "or bad"),
    ("feedback.corrected", "somebody mended it by hand"),
    ("feedback.ignored", "nobody used it"),
];

/// What a metric that readers know counts in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// From 0 to 1.
    Share,
    /// Whole and not negative.
    Count,
    /// Whole and not negative.
    Bytes,
}

/// The metrics that readers know, their units, and what they say. A duration is a field of its own.
pub const METRICS: [(&str, Unit, &str); 3] = [
    ("confidence", Unit::Share, "how sure the agent was, from 0 to 1"),
    ("attempts", Unit::Count, "how often it was tried, the last time included"),
    ("memory_bytes", Unit::Bytes, "the most memory that it held, in bytes"),
];

/// The attributes that readers know, and what they say.
pub const ATTRS: [(&str, &str); 2] = [
    ("strategy", "how it was gone about"),
    ("error_kind", "the kind of error, one word such as timeout"),
];

/// What an event is called: two words of `[a-z][a-z0-9_]*` with a dot between them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(String);

impl Name {
    /// Reads a name.
    pub fn parse(text: &str) -> Result<Name, Refused> {
        let fits = text.split_once('.').is_some_and(|(area, step)| is_key(area) && is_key(step));
        match fits {
            true if text.len() <= NAME_BYTES_MAX => Ok(Name(text.to_owned())),
            true => Err(Refused::new("name", text, "is longer than 64 bytes")),
            false => Err(Refused::new(
                "name",
                text,
                "is not two words of a-z, 0-9 and _ with a dot between them",
            )),
        }
    }

    /// The whole name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What it is about: the word before the dot.
    pub fn area(&self) -> &str {
        self.0.split('.').next().unwrap_or_default()
    }

    /// What became of it: the word behind the dot.
    pub fn step(&self) -> &str {
        self.0.split('.').next_back().unwrap_or_default()
    }

    /// Whether it is one of [`NAMES`].
    pub fn is_known(&self) -> bool {
        NAMES.iter().any(|(name, _)| *name == self.0)
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A word of `[a-z][a-z0-9_]*`.
fn is_key(text: &str) -> bool {
    let is_inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    text.starts_with(|c: char| c.is_ascii_lowercase()) && text.bytes().all(is_inner)
}

/// The key of an attribute or a metric.
pub fn check_key(field: &'static str, key: &str) -> Result<(), Refused> {
    match is_key(key) && key.len() <= KEY_BYTES_MAX {
        true => Ok(()),
        false => Err(Refused::new(
            field,
            key,
            "is not a key: at most 64 of a-z, 0-9 and _, the first a letter",
        )),
    }
}

/// A metric: its key, and its figure where readers know its unit.
pub fn check_metric(key: &str, value: f64) -> Result<(), Refused> {
    check_key("metrics", key)?;
    let refuse = |problem| Err(Refused::new("metrics", &format!("{key}={value}"), problem));
    if key == "duration_ms" {
        return refuse("is a field of its own, not a metric");
    }
    let is_count = value >= 0.0 && value <= COUNT_MAX as f64 && value.fract() == 0.0;
    match METRICS.iter().find(|(name, ..)| *name == key).map(|(_, unit, _)| unit) {
        _ if !value.is_finite() => refuse("is not a number"),
        Some(Unit::Share) if !(0.0..=1.0).contains(&value) => refuse("is not from 0 to 1"),
        Some(Unit::Count | Unit::Bytes) if !is_count => refuse("is not a whole number"),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_that_is_known_is_a_name() {
        for (name, _) in NAMES {
            assert!(Name::parse(name).unwrap().is_known());
        }
        assert!(!Name::parse("build.finished").unwrap().is_known());
        for (key, ..) in METRICS {
            assert_eq!(check_metric(key, 1.0), Ok(()));
        }
    }
}
