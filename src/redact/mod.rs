//! What must never be written: secrets and what points at a person are found in any text, and
//! `[redacted:RULE]` takes their place. Pure; what it knows of its user it is told.
//!
//! A text is read once, byte by byte: the beginning of a word is looked up in the table of tokens,
//! and few other bytes (`:` `=` `@` `/` `-` …) ask a scanner. Nothing is measured twice and every
//! look back is bounded, so that no text can make it slow.

pub mod hit;
mod bytes;
mod rules;
mod blocks;
mod keys;
mod values;
mod beside;
mod urls;
mod spoken;
mod people;
mod words;
mod own;
mod scan;
pub mod withheld;
pub mod stream;

use std::borrow::Cow;
use std::sync::OnceLock;

use crate::redact::hit::{Hit, mark};
use crate::redact::rules::{PATTERN, RULES};
use crate::redact::scan::scan;
use crate::redact::words::{Words, may_name_host, secret_values};

/// How often a text is read again after hits; each time there is less left to find.
const PASSES_MAX: usize = 4;

/// The rules of structures, beside the table of tokens: their names, what they find, and their
/// sources.
#[rustfmt::skip]
const STRUCTURES: &[(&str, &str, &str)] = &[
    ("private-key", "PEM, OpenSSH, PGP and PuTTY private keys, to their end or the text's", PATTERN),
    ("jwt", "JSON web tokens", "https://www.rfc-editor.org/rfc/rfc7519"),
    ("url-password", "the password in scheme://user:password@host", PATTERN),
    ("url-token", "a token in scheme://token@host", PATTERN),
    ("url-parameter", "query parameters named key, sig, code, token, password, …", PATTERN),
    ("auth-header", "Authorization headers, Bearer and Basic, curl -u", PATTERN),
    ("cookie", "the values of Cookie and Set-Cookie headers", PATTERN),
    ("password", "values assigned to a password, in code, settings, flags and prose", PATTERN),
    ("secret", "values assigned to a secret, token, key or credential", PATTERN),
    ("email", "e-mail addresses", PATTERN),
    ("home", "the user's name in the path of a home folder", PATTERN),
    ("login", "the login of whoever runs the program, in any case if it has 6 bytes or more", PATTERN),
    ("host", "the name of the machine that runs the program, of 6 bytes or more, in any case", PATTERN),
    ("env-value", "the value of a variable of the environment that is named as a secret is: any of 12 bytes or more, and of 8 or more with letters and digits", PATTERN),
    ("aws-account", "the account's number in an Amazon resource name", "https://docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html"),
    ("telegram-token", "Telegram bot tokens", "https://core.telegram.org/bots/api"),
    ("discord-token", "Discord bot tokens", "https://discord.com/developers/docs/reference"),
    ("mailchimp-key", "Mailchimp keys", "https://mailchimp.com/developer"),
    ("azure-secret", "client secrets of Microsoft Entra", "https://learn.microsoft.com/en-us/entra/identity-platform"),
];

/// Rules of which nothing can be allowed: what they find is never harmless.
const NEVER_ALLOWED: [&str; 3] = ["private-key", "url-password", "jwt"];

/// Rules that find persons. A repository may allow the others; it does not speak for whoever runs the
/// program.
const PERSONS: [&str; 3] = ["login", "home", "email"];

/// The name of every rule.
fn rule_names() -> impl Iterator<Item = &'static str> {
    let structures = STRUCTURES.iter().map(|(name, ..)| *name);
    structures.chain(RULES.iter().map(|rule| rule.name))
}

/// One rule, as lists and documents show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedRule {
    /// What stands in place of a hit.
    pub name: &'static str,
    /// What it finds.
    pub finds: String,
    /// Where the provider tells of its tokens, or `pattern` where a text's structure gives it away.
    pub source: String,
}

/// Every rule, each name once.
pub fn listed_rules() -> Vec<ListedRule> {
    let mut listed: Vec<ListedRule> = STRUCTURES
        .iter()
        .map(|(name, finds, source)| ListedRule {
            name,
            finds: (*finds).to_owned(),
            source: (*source).to_owned(),
        })
        .collect();
    for rule in RULES {
        let prefixes = rule.prefixes.join(" ");
        match listed.iter_mut().find(|it| it.name == rule.name) {
            Some(listed) => listed.finds += &format!(" {prefixes}"),
            None => listed.push(ListedRule {
                name: rule.name,
                finds: format!("what begins with {prefixes}"),
                source: match rule.source {
                    PATTERN => PATTERN.to_owned(),
                    page => format!("https://{page}"),
                },
            }),
        }
    }
    listed
}

/// A text that a rule would find, but that the repository allows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allowed {
    rule: &'static str,
    value: String,
}

impl Allowed {
    /// Reads `RULE:VALUE`.
    ///
    /// # Errors
    /// A rule that does not exist, or of which nothing can be allowed; in words.
    pub fn parse(text: &str) -> Result<Allowed, String> {
        let (rule, value) = text.split_once(':').unwrap_or((text, ""));
        let shown = plain(rule);
        let rule = rule_names().find(|name| *name == rule);
        match rule {
            None => {
                Err(format!("\"{shown}\" is no rule; log-usage redact --list-rules lists them"))
            }
            Some(rule) if NEVER_ALLOWED.contains(&rule) => {
                Err(format!("{rule}: what this rule finds cannot be allowed"))
            }
            Some(rule) if value.is_empty() => Err(format!("{rule}: lacks its value, RULE:VALUE")),
            Some(rule) => Ok(Allowed { rule, value: value.to_owned() }),
        }
    }

    /// Whether it is an e-mail address.
    pub fn is_address(&self) -> bool {
        self.rule == "email"
    }
}

/// What is to be found besides what all rules find, and what is not.
#[derive(Clone, Debug, Default)]
pub struct Redactor {
    words: Words,
    allowed: Vec<Allowed>,
    host: Option<fn() -> Option<String>>,
    /// The words with the machine's name, once it was asked for.
    with_host: OnceLock<Words>,
}

impl Redactor {
    /// A redactor that knows its user: the login, the home folder, and the variables of the
    /// environment, of which those count that are named as secrets are.
    pub fn of_user<'a>(
        login: Option<&str>,
        home: Option<&str>,
        variables: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Redactor {
        Redactor { words: Words::of_user(login, home, variables), ..Redactor::default() }
    }

    /// The same, with what the repository allows. Nobody else allows what names this user: the login,
    /// the home folder, and these addresses.
    #[must_use]
    pub fn allowing(self, allowed: &[Allowed], addresses: &[String]) -> Redactor {
        let is_address = |value: &str| addresses.iter().any(|it| it.eq_ignore_ascii_case(value));
        let is_own = |it: &Allowed| {
            PERSONS.contains(&it.rule)
                && (self.words.names_user(&it.value) || is_address(&it.value))
        };
        let allowed = allowed.iter().filter(|it| !is_own(it)).cloned().collect();
        Redactor { allowed, ..self }
    }

    /// The same, knowing the machine's name: as it is, and without its domain. It is asked for once, and
    /// only where a text could hold it.
    #[must_use]
    pub fn on_host(self, host: fn() -> Option<String>) -> Redactor {
        Redactor { host: Some(host), ..self }
    }

    /// The words that may stand in this text.
    fn words(&self, bytes: &[u8]) -> &Words {
        match self.host {
            Some(host) if may_name_host(bytes) => self.with_host.get_or_init(|| {
                let mut words = self.words.clone();
                words.learn_host(&host().unwrap_or_default());
                words
            }),
            _ => &self.words,
        }
    }

    /// The same, knowing a secret that stands in a file of the user's.
    #[must_use]
    pub fn knowing(mut self, secret: &str) -> Redactor {
        self.words.learn(secret);
        self
    }

    /// Everything that must not be written, in the text's order; no two overlap.
    pub fn find(&self, bytes: &[u8]) -> Vec<Hit> {
        let mut hits = self.pass(bytes);
        if hits.is_empty() {
            return hits;
        }
        // What stands beside a replacement may now be seen for what it is.
        for _ in 1..PASSES_MAX {
            let (text, places) = replaced(bytes, &hits);
            let more = self.pass(&text);
            if more.is_empty() {
                break;
            }
            hits.extend(more.iter().map(|hit| Hit {
                rule: hit.rule,
                start: original(&places, hit.start),
                end: original(&places, hit.end),
            }));
            hits = merged(hits);
        }
        hits
    }

    fn pass(&self, bytes: &[u8]) -> Vec<Hit> {
        let mut hits = scan(bytes, self.words(bytes));
        hits.retain(|hit| {
            let value = &bytes[hit.start..hit.end];
            let is_it = |it: &Allowed| it.rule == hit.rule && it.value.as_bytes() == value;
            NEVER_ALLOWED.contains(&hit.rule) || !self.allowed.iter().any(is_it)
        });
        hits
    }

    /// The text without what must not be written, and what that was. A second pass changes nothing.
    pub fn redact<'a>(&self, text: &'a str) -> (Cow<'a, str>, Vec<Hit>) {
        let hits = self.find(text.as_bytes());
        if hits.is_empty() {
            return (Cow::Borrowed(text), hits);
        }
        let mut out = String::with_capacity(text.len());
        let mut at = 0;
        for hit in &hits {
            // Rules cut at plain characters only; were one to fail in that, more is left out.
            let start = (at..=hit.start).rev().find(|it| text.is_char_boundary(*it)).unwrap_or(at);
            let end = (hit.end..=text.len()).find(|it| text.is_char_boundary(*it));
            out += &text[at..start];
            out += &mark(hit.rule);
            at = end.unwrap_or(text.len());
        }
        out += &text[at..];
        (Cow::Owned(out), hits)
    }
}

/// The bytes with a replacement for each hit.
pub fn without(bytes: &[u8], hits: &[Hit]) -> Vec<u8> {
    replaced(bytes, hits).0
}

/// The text as anybody may see it: redacted by the rules alone.
pub fn plain(text: &str) -> Cow<'_, str> {
    Redactor::default().redact(text).0
}

/// A message to the user without the values of secret variables: it may repeat what was typed. What
/// stands in it for the user's own eyes, such as paths, stays.
pub fn unsaid<'a>(text: &str, variables: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    // A message that was redacted by the rules may hold what these left of a value.
    let forms = |value: &str| own::forms(value).into_iter().chain(own::forms(&plain(value)));
    let mut values: Vec<String> = secret_values(variables).flat_map(forms).collect();
    own::without(text, &mut values)
}

/// A stretch that was replaced: where it was, and where its replacement is.
struct Replaced {
    was: (usize, usize),
    is: (usize, usize),
}

fn replaced(bytes: &[u8], hits: &[Hit]) -> (Vec<u8>, Vec<Replaced>) {
    let mut text = Vec::with_capacity(bytes.len());
    let mut places = Vec::with_capacity(hits.len());
    let mut at = 0;
    for hit in hits {
        text.extend_from_slice(&bytes[at..hit.start]);
        let start = text.len();
        text.extend_from_slice(mark(hit.rule).as_bytes());
        places.push(Replaced { was: (hit.start, hit.end), is: (start, text.len()) });
        at = hit.end;
    }
    text.extend_from_slice(&bytes[at..]);
    (text, places)
}

/// Where a place of the replaced text was in the original.
fn original(places: &[Replaced], at: usize) -> usize {
    let before = places.partition_point(|place| place.is.0 < at);
    match before.checked_sub(1).map(|last| &places[last]) {
        None => at,
        Some(place) if at < place.is.1 => place.was.1,
        Some(place) => place.was.1 + (at - place.is.1),
    }
}

/// In order, and those that overlap made one under the rule of the first.
fn merged(mut hits: Vec<Hit>) -> Vec<Hit> {
    hits.sort_by_key(|hit| (hit.start, std::cmp::Reverse(hit.end)));
    let mut out: Vec<Hit> = Vec::with_capacity(hits.len());
    for hit in hits {
        match out.last_mut() {
            Some(last) if hit.start < last.end => last.end = last.end.max(hit.end),
            _ => out.push(hit),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_of_rules_are_short_and_plain() {
        assert!(RULES.iter().map(|rule| rule.prefixes.len()).sum::<usize>() >= 150);
        for name in rule_names() {
            let text = format!("a {} b", mark(name));
            assert_eq!(plain(&text), text);
            assert!(name.len() <= 24, "{name}: a text must not grow by more than 32 bytes a hit");
        }
    }

    #[test]
    fn what_is_allowed_is_one_value_of_one_rule() {
        let allowed = [Allowed::parse("email:team@example.org").unwrap()];
        let redactor = Redactor::default().allowing(&allowed, &[]);
        let (text, hits) = redactor.redact("team@example.org bob@example.org");
        assert_eq!((&*text, hits.len()), ("team@example.org [redacted:email]", 1));
        assert!(Allowed::parse("private-key:x").is_err());
    }

    #[test]
    fn a_mark_before_a_host_is_no_password() {
        let redactor = Redactor::default();
        let (text, hits) = redactor.redact("see https://aaaA0aAA0aAa12bckBCd@host/x");
        assert_eq!((&*text, hits.len()), ("see https://[redacted:url-token]@host/x", 1));
        let (text, _) = redactor.redact("https://[redacted:email]:hunter2-Xy9@host/");
        assert_eq!(text, "https://[redacted:email]:[redacted:url-password]@host/");
    }

    #[test]
    fn an_address_that_holds_the_login_is_seen_whole() {
        let redactor = Redactor::of_user(Some("mkrausz"), None, []);
        for text in ["mkrausz@corp.example", "m.mkrausz@corp.example", "mkrausz%40corp.example"] {
            assert_eq!(redactor.redact(text).0, "[redacted:email]", "{text}");
        }
        let (text, _) = redactor.redact("mkrausz, mkrausz@, ssh mkrausz@box and mkrausz@1.2");
        let login = "[redacted:login]";
        assert_eq!(text, format!("{login}, {login}@, ssh {login}@box and {login}@1.2"));
    }

    #[test]
    fn places_are_those_of_the_text_as_given() {
        let text = "mail bob@corp.example and eve@corp.example";
        let hits = Redactor::default().find(text.as_bytes());
        let found: Vec<&str> = hits.iter().map(|hit| &text[hit.start..hit.end]).collect();
        assert_eq!(found, ["bob@corp.example", "eve@corp.example"]);
    }

    /// Pieces that secrets, and what stands around them, are made of.
    const PIECES: &str = "(sk-ant-|sk-|ghp_|AKIA|eyJ|xoxb-|password|token|secret|key|api|Bearer |Basic |Cookie|\
        Authorization|--|-p|-u |=|:|://|@|/|\\\\|home/|Users/|C:|\"|'|`|,|;|&|\\?|<|>|\\[|\\]|\\[redacted:|jwt\\]|\
        -----BEGIN |PRIVATE KEY-----|-----END |a\\.example\\.com|%40| |\n|Q~|arn:aws:|[a-z]{1,8}|[A-Za-z0-9]{8,40}|\
        [0-9]{12}|é|日本|🚀)";

    proptest! {
        #[test]
        fn a_second_pass_changes_nothing(pieces in prop::collection::vec(PIECES, 0..24)) {
            let text = pieces.concat();
            let user = [("SOME_TOKEN", "aB3dE6gH9jK2mN5p")];
            let redactor = Redactor::of_user(Some("mkrausz"), Some("/home/mkrausz"), user);
            let (once, hits) = redactor.redact(&text);
            prop_assert_eq!(&redactor.redact(&once).0, &once, "{}", text);
            prop_assert!(once.len() <= text.len() + 36 * hits.len());
            prop_assert!(hits.windows(2).all(|it| it[0].end <= it[1].start));
            for hit in &hits {
                prop_assert!(text.is_char_boundary(hit.start) && text.is_char_boundary(hit.end));
            }
        }
    }

    #[test]
    fn a_login_is_found_in_any_case_unless_it_may_be_a_word() {
        for (login, text, safe) in [
            ("mkrausz", "MKRAUSZ, Mkrausz", "[redacted:login], [redacted:login]"),
            ("MKrausz", "mkrausz", "[redacted:login]"),
            ("mkrausz", "MKRAUSZY", "MKRAUSZY"),
            ("will", "Will it? Ask will", "Will it? Ask [redacted:login]"),
        ] {
            let redactor = Redactor::of_user(Some(login), None, []);
            assert_eq!(redactor.redact(text).0, safe);
        }
    }

    type Host = fn() -> Option<String>;

    #[test]
    fn the_machine_is_known_by_its_own_name_alone() {
        let cases: [(Host, _, _); 15] = [
            (|| Some("anns-box-7".to_owned()), "on anns-box-7: ok", "on [redacted:host]: ok"),
            (
                || Some("anns-box-7".to_owned()),
                "on anns-box-77 and manns-box-7",
                "on anns-box-77 and manns-box-7",
            ),
            (
                || Some("anns-box.corp.example".to_owned()),
                "anns-box.corp.example",
                "[redacted:host]",
            ),
            (
                || Some("anns-box.corp.example".to_owned()),
                "anns-box and corp.example",
                "[redacted:host] and corp.example",
            ),
            (
                || Some("thinkpad.".to_owned()),
                "a thinkpad, (thinkpad)",
                "a [redacted:host], ([redacted:host])",
            ),
            (
                || Some("corp-laptop-17".to_owned()),
                "CORP-LAPTOP-17, Corp-Laptop-17",
                "[redacted:host], [redacted:host]",
            ),
            (|| Some("ANNS-BOX".to_owned()), "anns-box ANNS-BOXES", "[redacted:host] ANNS-BOXES"),
            (|| Some("localhost".to_owned()), "localhost:80", "localhost:80"),
            (
                || Some("localhost.localdomain".to_owned()),
                "localhost.localdomain",
                "localhost.localdomain",
            ),
            (|| Some("Ubuntu".to_owned()), "Ubuntu", "Ubuntu"),
            (|| Some("vm".to_owned()), "vm", "vm"),
            (|| Some("vm.example.com".to_owned()), "vm.example.com", "vm.example.com"),
            (|| Some("runner".to_owned()), "runner", "runner"),
            (|| Some("".to_owned()), "text", "text"),
            (|| Some("10.1.2.3".to_owned()), "10.1.2.3", "10.1.2.3"),
        ];
        for (host, text, safe) in cases {
            let redactor = Redactor::default().on_host(host);
            assert_eq!(redactor.redact(text).0, safe);
        }
    }
}
