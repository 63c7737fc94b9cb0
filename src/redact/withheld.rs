//! What was kept out of rows, by rule and never by value, and the line that says so.

use crate::redact::hit::Hit;

/// A part of a row that may hold a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// The notes.
    Notes,
    /// The tags.
    Tags,
    /// The model's name.
    Model,
    /// The role of an event.
    Role,
    /// The agent of an event.
    Agent,
    /// The command of an event.
    Command,
    /// The error of an event.
    Error,
    /// The attributes of an event.
    Attrs,
}

impl Part {
    const fn name(self) -> &'static str {
        match self {
            Part::Notes => "notes",
            Part::Tags => "tags",
            Part::Model => "model",
            Part::Role => "role",
            Part::Agent => "agent",
            Part::Command => "command",
            Part::Error => "error",
            Part::Attrs => "attrs",
        }
    }
}

/// What was kept out of one row, or of all rows of a batch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Withheld {
    rules: Vec<(&'static str, u64)>,
    parts: Vec<Part>,
    forbidden: Vec<(Part, u64)>,
}

impl Withheld {
    /// Counts what was redacted.
    pub fn add(&mut self, part: Part, hits: &[Hit]) {
        for hit in hits {
            match self.rules.iter_mut().find(|(rule, _)| *rule == hit.rule) {
                Some((_, times)) => *times += 1,
                None => self.rules.push((hit.rule, 1)),
            }
        }
        if !hits.is_empty() && !self.parts.contains(&part) {
            self.parts.push(part);
            self.parts.sort_unstable();
        }
    }

    /// Counts a part that the repository forbids.
    pub fn forbid(&mut self, part: Part) {
        match self.forbidden.iter_mut().find(|(it, _)| *it == part) {
            Some((_, rows)) => *rows += 1,
            None => self.forbidden.push((part, 1)),
        }
    }

    /// Whether everything was kept.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty() && self.forbidden.is_empty()
    }

    /// `1 secret kept out of notes: anthropic-key`; and what the repository does not want.
    pub fn lines(&self) -> Vec<String> {
        self.told("kept out of", "not stored")
    }

    /// The same, where nothing was stored because of it: `1 secret in notes: anthropic-key`.
    pub fn reasons(&self) -> Vec<String> {
        self.told("in", "not wanted")
    }

    fn told(&self, found: &str, forbidden: &str) -> Vec<String> {
        let mut lines = Vec::new();
        if !self.rules.is_empty() {
            let number: u64 = self.rules.iter().map(|(_, times)| times).sum();
            let parts: Vec<&str> = self.parts.iter().map(|part| part.name()).collect();
            let rule = |(rule, times): &(&str, u64)| match times {
                1 => (*rule).to_owned(),
                _ => format!("{rule} ({times})"),
            };
            let rules: Vec<String> = self.rules.iter().map(rule).collect();
            let noun = if number == 1 { "secret" } else { "secrets" };
            let (parts, rules) = (parts.join(" and "), rules.join(", "));
            lines.push(format!("{number} {noun} {found} {parts}: {rules}"));
        }
        for (part, rows) in &self.forbidden {
            let noun = if *rows == 1 { "row" } else { "rows" };
            let part = part.name();
            lines.push(format!(
                "{part} of {rows} {noun} {forbidden}: config.toml says {part} = \"none\""
            ));
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_counted_and_parts_are_named() {
        let hit = |rule| Hit { rule, start: 0, end: 1 };
        let mut withheld = Withheld::default();
        assert!(withheld.is_empty());
        withheld.add(Part::Tags, &[hit("email")]);
        assert_eq!(withheld.lines(), ["1 secret kept out of tags: email"]);
        withheld.add(Part::Notes, &[hit("email"), hit("jwt")]);
        withheld.forbid(Part::Notes);
        assert_eq!(
            withheld.lines(),
            [
                "3 secrets kept out of notes and tags: email (2), jwt",
                "notes of 1 row not stored: config.toml says notes = \"none\""
            ]
        );
    }
}
