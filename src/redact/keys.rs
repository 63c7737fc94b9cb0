//! What a name says of its value: whether `DB_PASSWORD`, `apiKey` or `X-Auth-Token` holds a secret.

/// Longer names are no names.
pub(super) const NAME_BYTES_MAX: usize = 64;

/// What a name promises.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Key {
    /// A password: short, and chosen by a person.
    Password,
    /// A token, key or secret: long, and made by a machine.
    Secret,
    /// What is a secret only in the query of an address.
    Parameter,
    /// The header that says who asks.
    Authorization,
    /// A header of named values.
    Cookie,
}

const PASSWORDS: [&str; 11] = [
    "password",
    "passwd",
    "passphrase",
    "passcode",
    "pwd",
    "pass",
    "passwort",
    "kennwort",
    "pw",
    "psk",
    "secretpassphrase",
];

const SECRETS: [&str; 11] = [
    "secret",
    "token",
    "credential",
    "credentials",
    "creds",
    "auth",
    "jwt",
    "bearer",
    "apikey",
    "accesskey",
    "pat",
];

/// Words written together: what they end in.
const ENDINGS: [&str; 11] = [
    "password",
    "passwd",
    "passphrase",
    "secret",
    "token",
    "apikey",
    "accesskey",
    "secretkey",
    "privatekey",
    "signingkey",
    "encryptionkey",
];

/// What makes a key a secret one.
const SECRET_KEYS: [&str; 43] = [
    "api",
    "access",
    "private",
    "secret",
    "signing",
    "encryption",
    "auth",
    "account",
    "master",
    "admin",
    "service",
    "deploy",
    "license",
    "storage",
    "shared",
    "webhook",
    "integration",
    "write",
    "ingest",
    "app",
    "application",
    "server",
    "subscription",
    "live",
    "ssh",
    "gpg",
    "rsa",
    "aes",
    "hmac",
    "jwt",
    "session",
    "cipher",
    "crypto",
    "preshared",
    "symmetric",
    "rest",
    "client",
    "functions",
    "insert",
    "project",
    "user",
    "personal",
    "restricted",
];

/// What makes a key, or a token, a harmless one.
const HARMLESS: [&str; 47] = [
    "cache",
    "primary",
    "foreign",
    "sort",
    "partition",
    "public",
    "pub",
    "group",
    "row",
    "object",
    "routing",
    "idempotency",
    "dedup",
    "index",
    "bucket",
    "item",
    "hash",
    "map",
    "message",
    "translation",
    "i18n",
    "unique",
    "natural",
    "max",
    "min",
    "eos",
    "bos",
    "pad",
    "unk",
    "mask",
    "sep",
    "cls",
    "next",
    "page",
    "continuation",
    "special",
    "stop",
    "design",
    "prompt",
    "completion",
    "input",
    "output",
    "cached",
    "cancellation",
    "position",
    "sync",
    "publishable",
];

/// Names that are secrets in a query alone.
const PARAMETERS: [&str; 10] =
    ["key", "sig", "signature", "code", "session", "sid", "st", "hash_key", "ticket", "assertion"];

/// The words of a name, the last ones first: cut at `_`, `-` and `.`, and where capitals begin.
fn words(name: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = name;
    std::iter::from_fn(move || {
        while let Some((b'_' | b'-' | b'.', before)) = rest.split_last() {
            rest = before;
        }
        let begins = |at: &usize| {
            let (before, first) = (rest[*at - 1], rest[*at]);
            matches!(before, b'_' | b'-' | b'.')
                || (first.is_ascii_uppercase() && before.is_ascii_lowercase())
        };
        let start = (1..rest.len()).rev().find(begins).unwrap_or(0);
        let (before, word) = rest.split_at(start);
        rest = before;
        (!word.is_empty()).then_some(word)
    })
}

fn is_one_of(word: &[u8], words: &[&str]) -> bool {
    words.iter().any(|it| word.eq_ignore_ascii_case(it.as_bytes()))
}

fn ends_in_one_of(word: &[u8], endings: &[&str]) -> bool {
    let ends = |ending: &&str| {
        let start = word.len().checked_sub(ending.len());
        start.is_some_and(|start| word[start..].eq_ignore_ascii_case(ending.as_bytes()))
    };
    endings.iter().any(ends)
}

/// What this name promises; `qualifier` is the word before it where it stands in prose.
pub(super) fn key_of(name: &[u8], qualifier: &[u8]) -> Option<Key> {
    if !name.last()?.is_ascii_alphabetic() || name.len() > NAME_BYTES_MAX {
        return None;
    }
    let mut words = words(name);
    let last = words.next()?;
    let before = words.next().unwrap_or(qualifier);
    if is_one_of(last, &PASSWORDS) {
        return Some(Key::Password);
    }
    if is_one_of(last, &["authorization"]) {
        return Some(Key::Authorization);
    }
    if is_one_of(last, &["cookie"]) {
        return Some(Key::Cookie);
    }
    if is_one_of(before, &HARMLESS) {
        return None;
    }
    if is_one_of(last, &SECRETS) {
        return Some(Key::Secret);
    }
    if is_one_of(last, &["key"]) {
        let is_header = name.len() > 2 && name[..2].eq_ignore_ascii_case(b"x-");
        let is_variable = name.iter().all(|b| b.is_ascii_uppercase() || b"_0123456789".contains(b));
        let is_secret =
            is_one_of(before, &SECRET_KEYS) || is_header || (is_variable && name.len() > 4);
        return Some(if is_secret { Key::Secret } else { Key::Parameter });
    }
    if ends_in_one_of(last, &ENDINGS) {
        let is_password = ends_in_one_of(last, &ENDINGS[..3]);
        return Some(if is_password { Key::Password } else { Key::Secret });
    }
    is_one_of(last, &PARAMETERS).then_some(Key::Parameter)
}

/// Whether a variable of that name holds a secret.
pub(super) fn is_secret_name(name: &[u8]) -> bool {
    matches!(key_of(name, b""), Some(Key::Password | Key::Secret))
}
