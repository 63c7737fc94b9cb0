//! What may be recorded here: the least of what the environment, the repository and the user allow.

use serde::Deserialize;

use crate::timestamp::Timestamp;

/// How much is recorded, from the least to the most; each holds all below it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Nothing.
    Off,
    /// Rows that somebody asks for.
    Ledger,
    /// What ran and how it ended.
    Events,
    /// What was said to it and what it answered, encrypted.
    Capture,
}

impl Level {
    /// From the least to the most.
    pub const ALL: [Level; 4] = [Level::Off, Level::Ledger, Level::Events, Level::Capture];

    /// Reads a level by its name.
    pub fn parse(text: &str) -> Option<Level> {
        Level::ALL.into_iter().find(|level| level.name() == text)
    }

    /// The word for it in settings, records and commands.
    pub fn name(self) -> &'static str {
        match self {
            Level::Off => "off",
            Level::Ledger => "ledger",
            Level::Events => "events",
            Level::Capture => "capture",
        }
    }

    /// What is stored at this level beyond those below it, and where.
    pub fn stores(self) -> &'static str {
        match self {
            Level::Off => "nothing; a command that would log says so and succeeds",
            Level::Ledger => {
                "rows that you, your scripts and your imports log: time, model, tokens, success, \
                 task type, duration, and notes without secrets; committed with the code"
            }
            Level::Events => {
                "what ran: commands, agents, roles and sessions, when, for how long, how it ended and \
                 what went wrong, all text without secrets, and no output; in \
                 .telemetry/events.jsonl, which git ignores"
            }
            Level::Capture => {
                "all arguments and outputs of commands, without secrets and encrypted; in \
                 .telemetry/capture/, which git ignores"
            }
        }
    }
}

/// What a switch allows where it is on.
pub const IDENTITY_STORES: &str = "a pseudonym in rows and events, another one in each repository, \
                                   made with a random key that is kept outside all of them";
/// See [`IDENTITY_STORES`].
pub const EXPORT_STORES: &str =
    "records may be sent to systems that you configure, when you run an export";

/// One event, as it is stored.
pub const EXAMPLE: &str = r#"{"v":1,"id":"019c8c52-a34f-7b33-8000-00000000002a","timestamp":"2026-02-23T22:19:12.483700+01:00","name":"command.completed","correlation":"c1","session":"s_1","command":"cargo test","success":true,"duration_ms":45000}"#;

/// What `init` asks, around the example.
pub const QUESTION: [&str; 2] = [
    "May log-usage also record what runs in this repository (the level \"events\")?
  what     commands, agents, roles and sessions: when, for how long, how they ended and what went
           wrong; all text without the secrets that we know of; no output, no name of a person
  example  ",
    "
  where    .telemetry/events.jsonl on this machine; git ignores it, and nothing is sent anywhere
  else     the rows that you log yourself are kept either way
  undo     log-usage consent revoke, log-usage consent purge --events",
];

/// Raised with every change of what is stored or said above: who agreed to another text is asked anew.
pub const TEXT_VERSION: u32 = 1;

/// Where a choice holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// In one repository.
    Here,
    /// Wherever nothing else was chosen.
    Everywhere,
}

/// How a choice was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum How {
    /// As the answer to a question.
    Prompt,
    /// By a command or an option.
    Flag,
}

impl How {
    /// The word for it in the record.
    pub fn name(self) -> &'static str {
        match self {
            How::Prompt => "prompt",
            How::Flag => "flag",
        }
    }
}

/// What a user chose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Choice {
    /// How much may be recorded.
    pub level: Level,
    /// Whether the user may be told from others.
    pub identity: bool,
    /// Whether records may be sent to systems that the user configured.
    pub export: bool,
    /// The version of the text that the user agreed to.
    pub text: u32,
    /// When.
    pub at: Timestamp,
    /// How.
    pub how: How,
}

impl Choice {
    /// Whether it was made knowing what is said today.
    pub fn is_current(&self) -> bool {
        self.text == TEXT_VERSION
    }

    /// The same as far as the other choice allows it, too.
    #[must_use]
    pub fn at_most(self, other: &Choice) -> Choice {
        Choice {
            level: self.level.min(other.level),
            identity: self.identity && other.identity,
            export: self.export && other.export,
            ..self
        }
    }

    /// What it allows. Agreement to another text is none, but a refusal stays one.
    fn limit(self, scope: Scope) -> Limit {
        let Choice { level, identity, export, .. } = self;
        if self.is_current() || level <= Level::Ledger && !identity && !export {
            return Limit { source: Source::Choice(scope), level, identity, export };
        }
        Limit { source: Source::OldText(scope), level: level.min(Level::Ledger), ..DEFAULT }
    }
}

/// What a repository's settings allow at most, each absent unless the file sets it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ceiling {
    /// The highest level.
    pub ceiling: Option<Level>,
    /// Whether people may be told apart.
    pub identity: Option<bool>,
    /// Whether anything may be sent anywhere.
    pub export: Option<bool>,
}

/// The switches of the environment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Environment {
    /// `LOG_USAGE_DISABLED`.
    pub disabled: bool,
    /// `DO_NOT_TRACK`.
    pub do_not_track: bool,
}

/// Who limits what may be recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// `LOG_USAGE_DISABLED`.
    Disabled,
    /// `DO_NOT_TRACK`.
    DoNotTrack,
    /// `[consent]` in the repository's settings.
    Repository,
    /// The user, for this repository or for all.
    Choice(Scope),
    /// The user, but to a text that has changed since.
    OldText(Scope),
    /// Nobody has asked the user yet.
    Default,
}

impl Source {
    /// The word for it in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Source::Disabled => "LOG_USAGE_DISABLED",
            Source::DoNotTrack => "DO_NOT_TRACK",
            Source::Repository => "repository",
            Source::Choice(Scope::Here) => "choice-here",
            Source::Choice(Scope::Everywhere) => "choice-everywhere",
            Source::OldText(_) => "choice-to-an-old-text",
            Source::Default => "default",
        }
    }

    /// The same in words, behind `because `.
    pub fn words(self) -> &'static str {
        match self {
            Source::Disabled => "LOG_USAGE_DISABLED is set",
            Source::DoNotTrack => "DO_NOT_TRACK is set",
            Source::Repository => "the repository's config.toml allows no more",
            Source::Choice(Scope::Here) => "you chose so for this repository",
            Source::Choice(Scope::Everywhere) => "you chose so for all repositories",
            Source::OldText(_) => "the text that you agreed to has changed since",
            Source::Default => "it is the default, and you have chosen nothing yet",
        }
    }
}

/// What one source allows at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// Who says so.
    pub source: Source,
    /// The highest level.
    pub level: Level,
    /// Whether the user may be told from others.
    pub identity: bool,
    /// Whether records may be sent to systems that the user configured.
    pub export: bool,
}

/// What may be recorded here and now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Consent {
    /// How much.
    pub level: Level,
    /// Whether the user may be told from others, by a pseudonym.
    pub identity: bool,
    /// Whether records may be sent to systems that the user configured.
    pub export: bool,
    /// Everybody who had a say, the environment first and the user last.
    pub limits: Vec<Limit>,
}

impl Consent {
    /// The least of what the environment, the repository and the user's choice allow.
    pub fn least(
        environment: Environment,
        ceiling: Ceiling,
        choice: Option<(Scope, Choice)>,
    ) -> Consent {
        let own = choice.map_or(DEFAULT, |(scope, choice)| choice.limit(scope));
        let limits: Vec<Limit> =
            [environment.limit(), ceiling.limit(), Some(own)].into_iter().flatten().collect();
        let level = limits.iter().map(|it| it.level).min().unwrap_or(Level::Off);
        let is_on = level > Level::Off;
        Consent {
            level,
            identity: is_on && limits.iter().all(|it| it.identity),
            export: is_on && limits.iter().all(|it| it.export),
            limits,
        }
    }

    /// Whether this much may be recorded.
    pub fn allows(&self, level: Level) -> bool {
        level <= self.level
    }

    /// Who decided on the level: the first that allows no more; but what the user chose is no doing
    /// of a repository that would allow as much.
    pub fn decided_by(&self) -> Source {
        let first = self.first(|it| it.level == self.level);
        match self.limits.last() {
            Some(Limit { source: own @ Source::Choice(_), level, .. })
                if first == Source::Repository && *level == self.level =>
            {
                *own
            }
            _ => first,
        }
    }

    /// Who decided on the switch `identity`.
    pub fn identity_decided_by(&self) -> Source {
        self.switched_by(self.identity, |it| it.identity)
    }

    /// Who decided on the switch `export`.
    pub fn export_decided_by(&self) -> Source {
        self.switched_by(self.export, |it| it.export)
    }

    /// What the user types to allow this as well, without taking back what they allow already; None
    /// where whoever decided is somebody else.
    pub fn granting(&self, decided_by: Source, level: Level, identity: bool) -> Option<String> {
        if let Source::Disabled | Source::DoNotTrack | Source::Repository = decided_by {
            return None;
        }
        let own = self.limits.last().unwrap_or(&DEFAULT);
        let mut command = format!("log-usage consent grant {}", own.level.max(level).name());
        for (switch, is_on) in
            [(" --identity", own.identity || identity), (" --export", own.export)]
        {
            command += if is_on { switch } else { "" };
        }
        Some(command)
    }

    fn switched_by(&self, is_on: bool, switch: fn(&Limit) -> bool) -> Source {
        match self.limits.last() {
            // Only the user turns it on.
            Some(own) if is_on => own.source,
            _ if self.level == Level::Off => self.decided_by(),
            _ => self.first(|it| !switch(it)),
        }
    }

    fn first(&self, is_it: impl Fn(&Limit) -> bool) -> Source {
        self.limits.iter().find(|it| is_it(it)).map_or(Source::Default, |it| it.source)
    }
}

/// Where nobody was asked.
const DEFAULT: Limit =
    Limit { source: Source::Default, level: Level::Ledger, identity: false, export: false };

impl Environment {
    fn limit(self) -> Option<Limit> {
        let limit = |source, level| Limit { source, level, identity: false, export: false };
        match self {
            Environment { disabled: true, .. } => Some(limit(Source::Disabled, Level::Off)),
            Environment { do_not_track: true, .. } => {
                Some(limit(Source::DoNotTrack, Level::Ledger))
            }
            _ => None,
        }
    }
}

impl Ceiling {
    fn limit(self) -> Option<Limit> {
        (self != Ceiling::default()).then(|| Limit {
            source: Source::Repository,
            level: self.ceiling.unwrap_or(Level::Capture),
            identity: self.identity.unwrap_or(true),
            export: self.export.unwrap_or(true),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use proptest::prelude::*;

    fn choice(level: Level, is_on: bool, text: u32) -> Choice {
        let at = Timestamp::parse("2026-02-23T22:19:12+01:00").unwrap();
        Choice { level, identity: is_on, export: is_on, text, at, how: How::Flag }
    }

    fn ceiling(level: Level) -> Ceiling {
        Ceiling { ceiling: Some(level), ..Ceiling::default() }
    }

    const FREE: Environment = Environment { disabled: false, do_not_track: false };

    #[test]
    fn who_decided_is_told() {
        use Level::{Capture, Events, Ledger, Off};
        let disabled = Environment { disabled: true, do_not_track: true };
        let do_not_track = Environment { do_not_track: true, ..FREE };
        let all = Some((Scope::Here, choice(Capture, true, TEXT_VERSION)));
        let old = Some((Scope::Everywhere, choice(Capture, true, TEXT_VERSION + 1)));
        let off = Some((Scope::Everywhere, choice(Off, true, TEXT_VERSION + 1)));
        let none = Ceiling::default();
        for (environment, ceiling, choice, level, is_on, source) in [
            (FREE, none, None, Ledger, false, Source::Default),
            (FREE, none, all, Capture, true, Source::Choice(Scope::Here)),
            (FREE, ceiling(Events), all, Events, true, Source::Repository),
            (FREE, ceiling(Off), all, Off, false, Source::Repository),
            (FREE, ceiling(Capture), all, Capture, true, Source::Choice(Scope::Here)),
            (FREE, ceiling(Capture), None, Ledger, false, Source::Default),
            (FREE, none, old, Ledger, false, Source::OldText(Scope::Everywhere)),
            (FREE, none, off, Off, false, Source::OldText(Scope::Everywhere)),
            (do_not_track, none, all, Ledger, false, Source::DoNotTrack),
            (do_not_track, ceiling(Off), all, Off, false, Source::Repository),
            (disabled, ceiling(Off), all, Off, false, Source::Disabled),
        ] {
            let consent = Consent::least(environment, ceiling, choice);
            let found = (consent.level, consent.identity, consent.export, consent.decided_by());
            assert_eq!(found, (level, is_on, is_on, source), "{consent:?}");
        }
        let off = Ceiling { identity: Some(false), ..Ceiling::default() };
        let consent = Consent::least(FREE, off, all);
        assert_eq!((consent.level, consent.identity, consent.export), (Capture, false, true));
        assert_eq!(consent.identity_decided_by(), Source::Repository);
        assert_eq!(consent.export_decided_by(), Source::Choice(Scope::Here));
    }

    #[test]
    fn what_was_agreed_to_is_known_by_its_version() {
        let mut text: String = Level::ALL.map(Level::stores).join("\n");
        text += &["", IDENTITY_STORES, EXPORT_STORES, EXAMPLE, QUESTION[0], QUESTION[1]].join("\n");
        let hash = crate::row::line_hash(text.as_bytes(), 8);
        assert_eq!(
            (TEXT_VERSION, &*hash),
            (1, "70a2e24928d88baf"),
            "another text is another version"
        );
    }

    proptest! {
        /// Whatever the others allow, nobody's limit is ever passed.
        #[test]
        fn nobody_widens_what_another_restricts(
            (disabled, do_not_track) in any::<(bool, bool)>(),
            (level, is_capped, identity, export) in (0usize..4, any::<bool>(), any::<Option<bool>>(), any::<Option<bool>>()),
            (chosen, is_on, is_old, is_chosen) in (0usize..4, any::<bool>(), any::<bool>(), any::<bool>()),
        ) {
            let environment = Environment { disabled, do_not_track };
            let ceiling = Ceiling { ceiling: is_capped.then(|| Level::ALL[level]), identity, export };
            let choice = choice(Level::ALL[chosen], is_on, TEXT_VERSION + u32::from(is_old));
            let choice = is_chosen.then_some((Scope::Here, choice));
            let consent = Consent::least(environment, ceiling, choice);
            let Consent { level: least, identity: tells, export: sends, .. } = consent;
            prop_assert!(!disabled || least == Level::Off);
            prop_assert!(!do_not_track || least <= Level::Ledger && !tells && !sends);
            prop_assert!(least <= ceiling.ceiling.unwrap_or(Level::Capture));
            prop_assert!(!tells || identity != Some(false));
            prop_assert!(!sends || export != Some(false));
            let widest = choice.filter(|(_, it)| it.is_current()).map_or(Level::Ledger, |(_, it)| it.level);
            prop_assert!(least <= widest.max(Level::Ledger));
            prop_assert!(is_chosen && is_on && !is_old || !tells && !sends);
            prop_assert!(!is_chosen || least <= Level::ALL[chosen]);
            prop_assert!(least > Level::Off || !tells && !sends);
        }
    }
}
