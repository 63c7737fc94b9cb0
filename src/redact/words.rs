//! Words that only the user's own machine knows: the login, its own name, and the values of secret
//! variables.

use std::cmp::Reverse;

use crate::redact::keys::is_secret_name;
use crate::redact::people::is_nobody;

/// Words shorter than this would stand for too much else.
const LOGIN_BYTES_MIN: usize = 3;

/// The same of the machine's name, which may be a word of the language.
const HOST_BYTES_MIN: usize = 6;

/// A login of so many bytes is found however it is written; a shorter one may be a word, which stands
/// with a capital at the beginning of a sentence.
const ANY_CASE_LOGIN_BYTES_MIN: usize = 6;

/// Names that systems and their makers give to machines, and that texts about software hold.
const COMMON_HOSTS: [&str; 24] = [
    "localhost",
    "hostname",
    "localdomain",
    "ubuntu",
    "debian",
    "fedora",
    "archlinux",
    "raspberrypi",
    "macbook",
    "macbook-pro",
    "macbook-air",
    "desktop",
    "laptop",
    "workstation",
    "server",
    "client",
    "master",
    "worker",
    "container",
    "docker",
    "builder",
    "buildkitsandbox",
    "development",
    "production",
];

/// Shorter values are found by the name beside them, or are no secret worth the name.
const VALUE_BYTES_MIN: usize = 12;

/// The same of values that have letters and digits, as words of the language have not.
const MIXED_VALUE_BYTES_MIN: usize = 8;

/// Where the shell stands and stood: `pwd` is a password elsewhere.
const FOLDERS: [&str; 2] = ["PWD", "OLDPWD"];

/// The values of those variables that are named as secrets are.
pub(super) fn secret_values<'a>(
    variables: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> impl Iterator<Item = &'a str> {
    let is_secret = |(name, value): &(&str, &str)| {
        is_long(value) && !FOLDERS.contains(name) && is_secret_name(name.as_bytes())
    };
    variables.into_iter().filter(is_secret).map(|(_, value)| value)
}

/// Whether the value of a secret is long enough to stand for nothing else.
fn is_long(value: &str) -> bool {
    let has = |fits: fn(&u8) -> bool| value.as_bytes().iter().any(fits);
    value.len() >= VALUE_BYTES_MIN
        || (value.len() >= MIXED_VALUE_BYTES_MIN
            && has(u8::is_ascii_digit)
            && has(u8::is_ascii_alphabetic))
}

/// Whether a text has a word that is long enough for the name of a machine.
pub(super) fn may_name_host(bytes: &[u8]) -> bool {
    let is_edge = |b: &u8| !(b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'));
    bytes.split(is_edge).any(|word| word.len() >= HOST_BYTES_MIN)
}

/// Whether a word is found however it is written. Names of machines are the same in any case; what is
/// secret is not.
fn in_any_case(rule: &str, word: &str) -> bool {
    rule == "host" || rule == "login" && word.len() >= ANY_CASE_LOGIN_BYTES_MIN
}

/// The words, each with the rule that it falls under.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Words {
    words: Vec<(&'static str, String)>,
    /// Which bytes begin a word.
    starts: [u64; 4],
}

impl Words {
    /// The words of this user.
    pub(super) fn of_user<'a>(
        login: Option<&str>,
        home: Option<&str>,
        variables: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Words {
        let mut words = Words::default();
        let home = home.map(|home| home.trim_end_matches(['/', '\\'])).unwrap_or_default();
        let mut folders = home.rsplit(['/', '\\']);
        let (own, above) = (folders.next(), folders.next());
        // What stands among the homes is a login; any other home is only known as a whole.
        let is_usual = above.is_some_and(|it| it == "home" || it.eq_ignore_ascii_case("users"));
        for login in [login, own.filter(|_| is_usual)].into_iter().flatten() {
            if login.len() >= LOGIN_BYTES_MIN && !is_nobody(login.as_bytes()) {
                words.add("login", login);
            }
        }
        let is_person = own.is_some_and(|own| !is_nobody(own.as_bytes()));
        if !is_usual && is_person && above.is_some_and(|it| !it.is_empty()) {
            words.add("home", home);
        }
        secret_values(variables).for_each(|value| words.add("env-value", value));
        words.sort();
        words
    }

    /// Learns a secret that stands in a file of the user's.
    pub(super) fn learn(&mut self, secret: &str) {
        if is_long(secret) {
            self.add("secret", secret);
            self.sort();
        }
    }

    /// Learns the machine's name.
    pub(super) fn learn_host(&mut self, host: &str) {
        let host = host.trim_end_matches('.');
        let own = host.split('.').next().unwrap_or_default();
        for name in [host, own] {
            let is_ours = name.len() >= HOST_BYTES_MIN
                && own.len() >= HOST_BYTES_MIN
                && !is_nobody(own.as_bytes())
                && !COMMON_HOSTS.iter().any(|it| it.eq_ignore_ascii_case(own));
            // An address in its place is found in none.
            let is_name = own.bytes().any(|b| b.is_ascii_alphabetic());
            if is_ours && is_name {
                self.add("host", name);
            }
        }
        self.sort();
    }

    /// Whether a text names this user: as the login, the home folder, or an address made of the login.
    pub(super) fn names_user(&self, text: &str) -> bool {
        let name = text.split_once('@').map_or(text, |(name, _)| name);
        let is_own = |(rule, word): &(&str, String)| {
            matches!(*rule, "login" | "home")
                && [text, name].iter().any(|it| it.eq_ignore_ascii_case(word))
        };
        self.words.iter().any(is_own)
    }

    /// Of two that begin alike the longer one is meant.
    fn sort(&mut self) {
        self.words.sort_by_key(|(_, word)| Reverse(word.len()));
    }

    fn add(&mut self, rule: &'static str, word: &str) {
        let first = word.as_bytes()[0];
        if self.words.iter().all(|(_, it)| it != word) {
            let any_case = [first.to_ascii_lowercase(), first.to_ascii_uppercase()];
            let starts = if in_any_case(rule, word) { any_case } else { [first; 2] };
            for first in starts {
                self.starts[usize::from(first >> 6)] |= 1 << (first & 63);
            }
            self.words.push((rule, word.to_owned()));
        }
    }

    /// The word that begins there, and its end: a login only as a whole word.
    pub(super) fn at(&self, bytes: &[u8], at: usize) -> Option<(&'static str, usize)> {
        let first = bytes[at];
        if self.starts[usize::from(first >> 6)] >> (first & 63) & 1 == 0 {
            return None;
        }
        let is_edge = |b: Option<&u8>| !b.is_some_and(u8::is_ascii_alphanumeric);
        let fits = |(rule, word): &&(&'static str, String)| {
            let is_whole = at == 0 || is_edge(bytes.get(at - 1));
            let found = bytes.get(at..at + word.len()).unwrap_or_default();
            let is_it = match in_any_case(rule, word) {
                true => found.eq_ignore_ascii_case(word.as_bytes()),
                false => found == word.as_bytes(),
            };
            is_it && (*rule == "env-value" || (is_whole && is_edge(bytes.get(at + word.len()))))
        };
        self.words.iter().find(fits).map(|(rule, word)| (*rule, at + word.len()))
    }
}
