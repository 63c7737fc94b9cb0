//! The gate for events: what somebody hands in → what may be written, if anything may: cleaned,
//! redacted, cut, checked, counted, appended.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs;
use std::hash::{BuildHasher, RandomState};
use std::io::ErrorKind;
use std::path::PathBuf;

use serde::Deserialize;
use serde_json::Number;

use crate::error::{Error, Result};
use crate::event::id::Id;
use crate::event::name::{ATTRS, METRICS, Name, check_key, check_metric};
use crate::event::{
    Event, ID_BYTES_MAX, TEXT_BYTES_MAX, VALUE_BYTES_MAX, WORD_BYTES_MAX, check_id, refuse_json,
};
use crate::git::{self, WorkTree};
use crate::ledger::events::{self, Written};
use crate::ledger::segment::Policy;
use crate::notes::line;
use crate::privacy::consent::Level;
use crate::privacy::identity::{self, Key};
use crate::privacy::private;
use crate::redact::Redactor;
use crate::redact::hit::mark;
use crate::redact::withheld::{Part, Withheld};
use crate::row::{LINE_BYTES_MAX, Refused, refuse_timestamp};
use crate::setup;
use crate::timestamp::Timestamp;
use crate::workspace::{EventLimits, FOLDER, Place};

/// What stands at the end of a text that was cut.
const CUT: &str = "…";

/// The lines of `.gitignore` that keep events out of commits.
const IGNORED: [&str; 3] = ["/events.jsonl", "/events/", "*.torn"];

/// A rule that takes one of them back holds one of these.
const OF_EVENTS: [&str; 7] = ["event", "torn", FOLDER, "*", "?", "[", "\\"];

/// An event not yet checked, as somebody typed it or a program piped it in.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Draft<'a> {
    /// What happened.
    #[serde(borrow)]
    pub name: Cow<'a, str>,
    /// RFC 3339, or absent for now.
    pub timestamp: Option<Cow<'a, str>>,
    /// What belongs together.
    pub correlation: Option<Cow<'a, str>>,
    /// The session that it happened in.
    pub session: Option<Cow<'a, str>>,
    /// The role that somebody acts in.
    pub role: Option<Cow<'a, str>>,
    /// The agent.
    pub agent: Option<Cow<'a, str>>,
    /// The command.
    pub command: Option<Cow<'a, str>>,
    /// Whether it succeeded.
    pub success: Option<bool>,
    /// How long it took, in milliseconds.
    pub duration_ms: Option<u64>,
    /// What went wrong.
    pub error: Option<Cow<'a, str>>,
    /// Other labels.
    #[serde(default)]
    pub attrs: BTreeMap<Cow<'a, str>, Cow<'a, str>>,
    /// Other figures.
    #[serde(default)]
    pub metrics: BTreeMap<Cow<'a, str>, Number>,
}

impl<'a> Draft<'a> {
    /// Reads one JSON object.
    pub fn parse(line: &'a [u8]) -> Result<Draft<'a>, Refused> {
        serde_json::from_slice(line).map_err(|error| refuse_json(&error, line))
    }
}

/// Makes events of drafts.
pub struct Checker<'a> {
    redactor: &'a Redactor,
    /// The pseudonym of the user, where there is consent to it.
    user: Option<String>,
    /// The key of the user, where there is consent to it.
    key: Option<&'a Key>,
    random: RandomState,
    made: u64,
    /// The last session as it was given, and as it is stored: a program has few.
    session: (String, String),
}

impl<'a> Checker<'a> {
    /// A checker that knows its user, as far as the user consents.
    pub fn new(redactor: &'a Redactor, user: Option<String>, key: Option<&'a Key>) -> Checker<'a> {
        let (random, session) = (RandomState::new(), Default::default());
        Checker { redactor, user, key, random, made: 0, session }
    }

    /// Checks a draft, field by field. What must not be written is left out, and counted in
    /// `withheld`; a text that is too long is cut.
    pub fn check(
        &mut self,
        draft: &Draft<'_>,
        now: Timestamp,
        withheld: &mut Withheld,
    ) -> Result<Event, Refused> {
        let at = draft.timestamp.as_deref();
        let at = at.map(|text| Timestamp::parse(text).ok_or_else(|| refuse_timestamp(text)));
        let at = at.transpose()?.unwrap_or(now);
        let name = self.name(&draft.name)?;
        self.made += 1;
        let mut event =
            Event::new(Id::new(at.instant(), self.random.hash_one(self.made)), at, name);
        if let Some(correlation) = &draft.correlation {
            event.correlation = self.correlation(correlation)?;
        }
        event.session = draft.session.as_deref().map(|it| self.session(it)).transpose()?;
        event.user = self.user.clone();
        let mut text = |text: &Option<Cow<'_, str>>, part, bytes_max| {
            let text = self.text(text.as_deref()?, part, bytes_max, withheld);
            (!text.is_empty()).then_some(text)
        };
        event.role = text(&draft.role, Part::Role, WORD_BYTES_MAX);
        event.agent = text(&draft.agent, Part::Agent, WORD_BYTES_MAX);
        event.command = text(&draft.command, Part::Command, TEXT_BYTES_MAX);
        event.error = text(&draft.error, Part::Error, TEXT_BYTES_MAX);
        (event.success, event.duration_ms) = (draft.success, draft.duration_ms);
        for (key, value) in &draft.attrs {
            check_key("attrs", key)?;
            let key = self.key(key, &ATTRS.map(|it| it.0), withheld);
            let value = self.attr(&key, value, withheld);
            event.attrs.insert(key, value);
        }
        for (key, number) in &draft.metrics {
            let value = number.as_f64().unwrap_or(f64::INFINITY);
            check_metric(key, value)?;
            event.metrics.insert(self.key(key, &METRICS.map(|it| it.0), withheld), value);
        }
        event.check()?;
        // Only many attributes come near it.
        if event.attrs.len() + event.metrics.len() > 8 {
            let bytes = event.to_line().len();
            if bytes + DROPPED_BYTES_MAX >= LINE_BYTES_MAX {
                return Err(Refused::line(format!("{bytes} bytes of JSON, more than 16 KiB")));
            }
        }
        Ok(event)
    }

    /// A key that readers do not know may name a person as any text may.
    fn key(&self, key: &str, known: &[&str], withheld: &mut Withheld) -> String {
        if known.contains(&key) {
            return key.to_owned();
        }
        let (safe, hits) = self.redactor.redact(key);
        withheld.add(Part::Attrs, &hits);
        match hits.is_empty() {
            true => key.to_owned(),
            false => safe.replace("[redacted:", "redacted_").replace(']', "").replace('-', "_"),
        }
    }

    fn name(&self, name: &str) -> Result<Name, Refused> {
        let parsed = Name::parse(name)?;
        match parsed.is_known() {
            true => Ok(parsed),
            // What takes a secret's place is no name.
            false => Name::parse(&self.redactor.redact(name).0),
        }
    }

    /// What belongs to different pieces of work would become one if what tells them apart were
    /// replaced.
    fn correlation(&self, id: &str) -> Result<String, Refused> {
        check_id("correlation", id)?;
        match self.redactor.find(id.as_bytes()).first() {
            None => Ok(id.to_owned()),
            Some(hit) => {
                let given = format!("redacted:{}", hit.rule);
                let problem = "would stand for every id with a secret there";
                Err(Refused::new("correlation", &given, problem))
            }
        }
    }

    /// The agent's own id leads to its transcripts, so it is not stored as it is.
    fn session(&mut self, id: &str) -> Result<String, Refused> {
        let stored = match self.key {
            _ if id == self.session.0 && !id.is_empty() => return Ok(self.session.1.clone()),
            _ if identity::is_session(id) => id.to_owned(),
            _ if id.is_empty() || id.len() > ID_BYTES_MAX => {
                return Err(Refused::new("session", id, "is not 1 to 128 bytes"));
            }
            Some(key) => key.session(id),
            None => identity::session_without_key(id),
        };
        self.session = (id.to_owned(), stored.clone());
        Ok(stored)
    }

    fn text(&self, text: &str, part: Part, bytes_max: usize, withheld: &mut Withheld) -> String {
        let clean = line::clean(text);
        let (safe, hits) = self.redactor.redact(&clean);
        withheld.add(part, &hits);
        cut(&safe, bytes_max).into_owned()
    }

    /// What a key is called may say that its value is a secret.
    fn attr(&self, key: &str, value: &str, withheld: &mut Withheld) -> String {
        let clean = line::clean(value);
        let named_hits = self.redactor.find(format!("{key}={clean}").as_bytes());
        let Some(named_hit) = named_hits.first() else {
            return cut(&clean, VALUE_BYTES_MAX).into_owned();
        };
        let (alone, hits) = self.redactor.redact(&clean);
        if hits.is_empty() {
            withheld.add(Part::Attrs, &named_hits);
            return mark(named_hit.rule);
        }
        withheld.add(Part::Attrs, &hits);
        cut(&alone, VALUE_BYTES_MAX).into_owned()
    }
}

/// What the gate may add to a line: a share and three counts.
const DROPPED_BYTES_MAX: usize = 160;

/// The beginning of a text that is too long, at the border of a character.
fn cut(text: &str, bytes_max: usize) -> Cow<'_, str> {
    if text.len() <= bytes_max {
        return Cow::Borrowed(text);
    }
    let end = (0..=bytes_max - CUT.len()).rev().find(|at| text.is_char_boundary(*at));
    let kept = text[..end.unwrap_or_default()].trim_end();
    Cow::Owned(format!("{kept}{CUT}"))
}

/// Where events go and how.
#[derive(Clone, Copy, Debug)]
pub struct Gate<'a> {
    /// The events' own files.
    pub place: &'a Place,
    /// Whether a missing folder is made.
    pub may_create_folder: bool,
    /// What may be recorded here.
    pub level: Level,
    /// How lines are written.
    pub policy: Policy,
    /// How many are kept.
    pub limits: EventLimits,
}

impl Gate<'_> {
    /// Appends events: all that the limits let through, or none; none at all where there is no
    /// consent. `failed` is how many events could not be written before.
    ///
    /// # Errors
    /// Any but [`Error::SyncFailed`] means that no event was added.
    pub fn append(&self, events: &mut [Event], now: Timestamp, failed: u64) -> Result<Written> {
        if self.level < Level::Events || events.is_empty() {
            return Ok(Written::default());
        }
        let active = self.place.active();
        match fs::symlink_metadata(&active) {
            Err(_) => {
                setup::prepare(self.place, self.may_create_folder)?;
                self.refuse_commit()?;
            }
            // We make no file that others may read: somebody else has, and it may be git. And since the
            // last event somebody may have changed the rules, or another branch has others.
            Ok(meta)
                if private::is_open(&meta, false)
                    || git::is_in_index(&active)
                    || !self.is_plainly_hidden() =>
            {
                self.refuse_commit()?;
            }
            Ok(_) => {}
        }
        events::append(self.place, &self.policy, events, &self.limits, now, failed)
    }

    /// Whether git leaves events alone, as far as that is clear without asking it.
    fn is_plainly_hidden(&self) -> bool {
        let folder = self.place.folder();
        match fs::read_to_string(folder.join(".gitignore")) {
            Ok(text) if !text.is_empty() => {
                let is_named = |rule: &str| text.lines().any(|line| line.trim_end() == rule);
                IGNORED.into_iter().all(is_named) && !takes_back(&text)
            }
            Err(error) if error.kind() != ErrorKind::NotFound => false,
            // The repository's own list holds, unless a folder above takes something back.
            _ => WorkTree::around(folder).is_none_or(|tree| {
                let above = folder.ancestors().skip(1).take_while(|it| it.starts_with(&tree.top));
                let texts = above.map(|it| fs::read_to_string(it.join(".gitignore")));
                setup::is_hidden(&tree) && !texts.flatten().any(|text| takes_back(&text))
            }),
        }
    }

    /// Events are never committed: it must be clear that git leaves the file alone, on branches too that
    /// have no `.gitignore` of ours.
    fn refuse_commit(&self) -> Result<()> {
        let folder = self.place.folder();
        let Some(tree) = WorkTree::around(folder) else { return Ok(()) };
        setup::hide(&tree)?;
        let active = self.place.active();
        if git::tracks(&active) {
            return Err(Error::NotIgnored { path: active, is_tracked: true });
        }
        if self.is_plainly_hidden() {
            return Ok(());
        }
        if files(self.place).iter().all(|file| git::ignoring_rule(file).is_some()) {
            return Ok(());
        }
        Err(Error::NotIgnored { path: folder.join(".gitignore"), is_tracked: false })
    }
}

/// Why no event would be recorded here, for git would take it: what [`Gate::append`] would say. Nothing
/// is changed.
pub fn refusal(place: &Place) -> Option<Error> {
    let active = place.active();
    if git::tracks(&active) {
        return Some(Error::NotIgnored { path: active, is_tracked: true });
    }
    // Where there is no rule, one is made with the first event.
    let path = place.folder().join(".gitignore");
    let is_taken = files(place).iter().any(|file| git::is_taken_back(file));
    is_taken.then_some(Error::NotIgnored { path, is_tracked: false })
}

/// One file of each kind that holds events.
fn files(place: &Place) -> [PathBuf; 3] {
    [place.active(), place.archive().join("x.jsonl"), place.torn()]
}

fn takes_back(rules: &str) -> bool {
    let is_of_events = |rule: &str| OF_EVENTS.iter().any(|part| rule.contains(part));
    rules.lines().any(|line| line.starts_with('!') && is_of_events(line))
}

#[cfg(test)]
mod tests {
    use super::*;

    use proptest::prelude::*;

    #[test]
    fn a_text_is_cut_at_the_border_of_a_character() {
        assert_eq!(cut("short", 5), "short");
        assert_eq!(cut("longer", 5), "lo…");
        assert_eq!(cut("a日本語", 7), "a日…");
        assert_eq!(cut("one two", 6), "one…");
        assert_eq!(cut("日日", 5), "…");
    }

    #[test]
    fn the_key_of_an_attribute_says_that_its_value_is_a_secret() {
        let redactor = Redactor::default();
        let checker = Checker::new(&redactor, None, None);
        let mut withheld = Withheld::default();
        for (key, value, stored) in [
            ("password", "hunter22x", "[redacted:password]"),
            ("note", "hunter22x", "hunter22x"),
            ("tokens", "1500", "1500"),
            ("mail", "to bob@corp.example", "to [redacted:email]"),
            ("strategy", "split", "split"),
        ] {
            assert_eq!(checker.attr(key, value, &mut withheld), stored);
        }
        assert_eq!(withheld.lines(), ["2 secrets kept out of attrs: password, email"]);
    }

    /// Pieces that secrets, and what stands around them, are made of.
    const PIECES: &str = "(sk-ant-|ghp_|AKIA|eyJ|xoxb-|password|token|secret|key|Bearer |Basic |Cookie|--|-p|-u |\
        =|:|://|@|/|home/|Users/|C:|\"|'|,|;|&|\\?|a\\.example\\.com|%40| |[a-z]{1,8}|[A-Za-z0-9]{8,40}|[0-9]{12}|é)";

    proptest! {
        /// So a value that is clean behind its key need not be looked at again.
        #[test]
        fn what_is_found_in_a_value_alone_is_found_behind_its_key(
            key in "[a-z][a-z0-9_]{0,6}",
            pieces in prop::collection::vec(PIECES, 0..9),
        ) {
            let user = [("SOME_TOKEN", "aB3dE6gH9jK2mN5p")];
            let redactor = Redactor::of_user(Some("mkrausz"), Some("/home/mkrausz"), user);
            let value = pieces.concat();
            let named = redactor.find(format!("{key}={value}").as_bytes());
            prop_assert!(!named.is_empty() || redactor.find(value.as_bytes()).is_empty(), "{}", value);
        }
    }
}
