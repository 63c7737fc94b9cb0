//! The record of what a user chose: one file of theirs, for all repositories and for single ones.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;

use crate::error::{Error, Result};
use crate::privacy::consent::{Choice, How, Level, Scope};
use crate::privacy::private;
use crate::timestamp::Timestamp;
use crate::wording;

/// Its name in the user's folder of settings.
pub const FILE: &str = "consent.toml";

/// What the file begins with.
const HEAD: &str = "\
# What you allow usage-ledger to record. log-usage consent status explains it, log-usage consent
# revoke takes it back, and without this file only rows that you log yourself are recorded.
";

/// Everything that the user chose. A choice for one repository stands before the one for all.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// For all repositories.
    #[serde(default)]
    pub everywhere: Option<Choice>,
    /// For single ones, by the path of what makes each one.
    #[serde(default)]
    pub repositories: BTreeMap<String, Choice>,
}

impl Record {
    /// Reads the record; an empty one where there is no file.
    ///
    /// # Errors
    /// A file that cannot be understood: it could forbid what would be done.
    pub fn load(path: &Path) -> Result<Record> {
        let refuse = |line, problem| Error::Consent { path: path.to_owned(), line, problem };
        let bytes = match private::read(path) {
            Ok(None) => return Ok(Record::default()),
            Ok(Some(bytes)) => bytes,
            Err(error) => return Err(refuse(None, error.to_string())),
        };
        let text = String::from_utf8(bytes);
        let text = text.map_err(|_| refuse(None, "it is not UTF-8".to_owned()))?;
        toml::from_str(&text).map_err(|error| {
            let at = error.span().map(|span| span.start);
            let key = at.and_then(|at| wording::key_of_line(&text, at));
            let line = at.map(|at| text[..at].matches('\n').count() + 1);
            refuse(line, wording::plain(error.message(), key))
        })
    }

    /// Keeps the record.
    pub fn save(&self, path: &Path) -> Result<()> {
        let kept = private::write(path, self.to_text().as_bytes());
        kept.map_err(|error| Error::io("write", path, &error))
    }

    /// The choice that holds in the repository of these names, which are asked for only if need be.
    pub fn applied(&self, names: impl IntoIterator<Item = String>) -> Option<(Scope, Choice)> {
        let mut here = None;
        if !self.repositories.is_empty() {
            here = names.into_iter().find_map(|name| self.repositories.get(&name));
        }
        match here {
            // It was narrowed by the choice for all, and says the same.
            Some(here) if self.everywhere == Some(*here) => Some((Scope::Everywhere, *here)),
            Some(here) => Some((Scope::Here, *here)),
            None => self.everywhere.map(|it| (Scope::Everywhere, it)),
        }
    }

    /// Takes a choice for one repository.
    pub fn choose_here(&mut self, repository: String, choice: Choice) {
        self.repositories.insert(repository, choice);
    }

    /// Takes a choice for all repositories: none may record more afterwards, and none that was told
    /// to record less records more, now or by any later choice for all.
    pub fn choose_everywhere(&mut self, choice: Choice) {
        self.everywhere = Some(choice);
        for here in self.repositories.values_mut() {
            let narrowed = here.at_most(&choice);
            let is_all = allowed(&narrowed) == allowed(&choice);
            *here = if is_all { choice } else { narrowed };
        }
    }

    /// Takes back what goes beyond this choice in one repository; nothing is allowed that was not.
    pub fn revoke_here(&mut self, repository: String, choice: Choice) {
        let so_far = self.applied([repository.clone()]);
        let choice = so_far.map_or(choice, |(_, so_far)| choice.at_most(&so_far));
        self.choose_here(repository, choice);
    }

    /// The same in all repositories.
    pub fn revoke_everywhere(&mut self, choice: Choice) {
        let choice = self.everywhere.map_or(choice, |so_far| choice.at_most(&so_far));
        self.choose_everywhere(choice);
    }

    /// Takes a no to the question that was asked in a repository: it is not asked again anywhere, and
    /// whatever was allowed elsewhere stays.
    pub fn refuse(&mut self, repository: String, choice: Choice) {
        match self.everywhere {
            Some(all) if all.is_current() => {}
            Some(all) => self.everywhere = Some(choice.at_most(&all)),
            None => self.everywhere = Some(choice),
        }
        self.revoke_here(repository, choice);
    }

    /// As the file holds it.
    pub fn to_text(&self) -> String {
        let mut text = HEAD.to_owned();
        if let Some(choice) = &self.everywhere {
            text += "\n[everywhere]\n";
            write_choice(choice, &mut text);
        }
        for (repository, choice) in &self.repositories {
            text += &format!("\n[repositories.{}]\n", quoted(repository));
            write_choice(choice, &mut text);
        }
        text
    }
}

fn allowed(choice: &Choice) -> (Level, bool, bool) {
    (choice.level, choice.identity, choice.export)
}

fn write_choice(choice: &Choice, text: &mut String) {
    let Choice { level, identity, export, text: version, at, how } = choice;
    *text += &format!(
        "level = \"{}\"\nidentity = {identity}\nexport = {export}\ntext = {version}\nat = \"{at}\"\n\
         how = \"{}\"\n",
        level.name(),
        how.name()
    );
}

/// A basic string of TOML.
fn quoted(text: &str) -> String {
    let mut quoted = "\"".to_owned();
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if c.is_control() => quoted += &format!("\\u{:04X}", u32::from(c)),
            c => quoted.push(c),
        }
    }
    quoted + "\""
}

impl<'de> Deserialize<'de> for Choice {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Choice, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Fields {
            level: Level,
            identity: bool,
            export: bool,
            text: u32,
            at: String,
            how: How,
        }
        let Fields { level, identity, export, text, at, how } = Fields::deserialize(deserializer)?;
        let refuse = || serde::de::Error::custom(format!("at: \"{at}\" is no RFC 3339 time"));
        let at = Timestamp::parse(&at).ok_or_else(refuse)?;
        Ok(Choice { level, identity, export, text, at, how })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use proptest::prelude::*;

    fn choice(level: Level, is_on: bool) -> Choice {
        let at = Timestamp::parse("2026-02-23T22:19:12+01:00").unwrap();
        Choice { level, identity: is_on, export: is_on, text: 1, at, how: How::Prompt }
    }

    #[test]
    fn what_is_kept_is_read_back() {
        let mut record = Record::default();
        record.choose_everywhere(choice(Level::Off, false));
        for path in ["/home/x/project/.git", "C:\\a \"b\"", "/a\nb\u{7f}.c", "größer"] {
            record.choose_here(path.to_owned(), choice(Level::Events, true));
        }
        let read: Record = toml::from_str(&record.to_text()).unwrap();
        assert_eq!(read, record);
        assert_eq!(toml::from_str::<Record>(&Record::default().to_text()), Ok(Record::default()));
    }

    #[test]
    fn a_no_changes_nothing_elsewhere() {
        let mut record = Record::default();
        record.choose_here("here".to_owned(), choice(Level::Events, true));
        record.choose_here("there".to_owned(), choice(Level::Events, true));
        let at = |name: &str| [name.to_owned()];
        record.refuse("here".to_owned(), choice(Level::Ledger, false));
        let level = |record: &Record, name| record.applied(at(name)).map(|(_, it)| it.level);
        assert_eq!(level(&record, "here"), Some(Level::Ledger));
        assert_eq!(level(&record, "there"), Some(Level::Events));
        assert_eq!(level(&record, "elsewhere"), Some(Level::Ledger), "not asked again");
        let everywhere = Some(choice(Level::Events, true));
        let mut record = Record { everywhere, ..Record::default() };
        record.refuse("here".to_owned(), choice(Level::Ledger, false));
        assert_eq!(level(&record, "here"), Some(Level::Ledger));
        assert_eq!(level(&record, "elsewhere"), Some(Level::Events));
    }

    proptest! {
        /// However often it is chosen for all, and taken back, in whatever order.
        #[test]
        fn only_a_choice_for_a_repository_widens_it(
            own in 0usize..4,
            steps in proptest::collection::vec((0usize..4, any::<bool>(), 0u8..4), 0..6),
        ) {
            let mut record = Record::default();
            let here = || "here".to_owned();
            record.choose_here(here(), choice(Level::ALL[own], false));
            for (level, is_on, step) in steps {
                let before = record.clone();
                let none = choice(Level::Ledger, false);
                match step {
                    0 => record.revoke_everywhere(none),
                    1 => record.revoke_here(here(), none),
                    2 => record.refuse(here(), none),
                    _ => record.choose_everywhere(choice(Level::ALL[level], is_on)),
                }
                let of = |record: &Record, name: &str| record.applied([name.to_owned()]);
                let found = of(&record, "here").map(|(_, it)| allowed(&it)).unwrap();
                prop_assert!(found.0 <= Level::ALL[own] && !found.1 && !found.2);
                if step < 3 && let Some((_, all)) = of(&before, "elsewhere") {
                    let after = of(&record, "elsewhere").map(|(_, it)| allowed(&it)).unwrap();
                    prop_assert!(after.0 <= all.level, "taking back allows more");
                }
            }
        }
    }

    #[test]
    fn a_choice_for_all_never_widens_one_for_a_repository() {
        let mut record = Record::default();
        let all = [("off", Level::Off), ("ledger", Level::Ledger), ("capture", Level::Capture)];
        for (name, level) in all {
            record.choose_here(name.to_owned(), choice(level, level == Level::Capture));
        }
        record.choose_everywhere(choice(Level::Events, true));
        let at = |name: &str| [name.to_owned()];
        let level = |record: &Record, name| {
            let (scope, choice) = record.applied(at(name)).unwrap();
            (scope, allowed(&choice))
        };
        assert_eq!(level(&record, "off"), (Scope::Here, (Level::Off, false, false)));
        assert_eq!(level(&record, "ledger"), (Scope::Here, (Level::Ledger, false, false)));
        record.choose_here("alone".to_owned(), choice(Level::Capture, false));
        record.choose_everywhere(choice(Level::Events, true));
        assert_eq!(level(&record, "alone"), (Scope::Here, (Level::Events, false, false)));
        assert_eq!(level(&record, "capture"), (Scope::Everywhere, (Level::Events, true, true)));
        record.choose_everywhere(choice(Level::Ledger, false));
        assert_eq!(level(&record, "alone"), (Scope::Everywhere, (Level::Ledger, false, false)));
        for all in [Level::Off, Level::Ledger, Level::Capture] {
            record.choose_everywhere(choice(all, true));
            assert_eq!(level(&record, "off").1, (Level::Off, false, false));
            assert!(level(&record, "ledger").1.0 <= Level::Ledger);
        }
        record.choose_here("off".to_owned(), choice(Level::Events, false));
        assert_eq!(level(&record, "off"), (Scope::Here, (Level::Events, false, false)));
        assert_eq!(Record::default().applied(std::iter::from_fn(|| unreachable!())), None);
    }
}
