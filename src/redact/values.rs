//! What a value is: where it ends, and whether it is a password, a secret, or only stands in place
//! of one.

use crate::redact::bytes::{Alphabet, Text, is_filler, is_name, is_random};
use crate::redact::hit::Hit;
use crate::redact::rules;

/// As far as the closing quote is looked for.
const QUOTED_BYTES_MAX: usize = 512;

/// The shortest password.
pub(super) const PASSWORD_BYTES_MIN: usize = 6;

/// What a machine's secret tells per byte at least; a word of the language tells less.
pub(super) const BITS_MIN: f32 = 3.0;

/// As far as a value is looked at for what only stands in place of one.
const PLACEHOLDER_BYTES_MAX: usize = 64;

/// A value, and how it stands there.
#[derive(Clone, Copy, Debug)]
pub(super) struct Value {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) is_quoted: bool,
}

impl Value {
    pub(super) fn of<'a>(&self, text: &Text<'a>) -> &'a [u8] {
        &text.bytes[self.start..self.end]
    }

    pub(super) fn hit(&self, rule: &'static str) -> Hit {
        Hit { rule, start: self.start, end: self.end }
    }
}

/// The value that begins there, behind spaces and within quotes if there are any.
pub(super) fn value(text: &mut Text<'_>, mut at: usize) -> Option<Value> {
    let spaces = text.bytes.get(at..)?.iter().take(2).take_while(|b| **b == b' ').count();
    at += spaces;
    let escape = usize::from(text.byte(at) == b'\\');
    let quote = text.byte(at + escape);
    if matches!(quote, b'"' | b'\'' | b'`') {
        let start = at + escape + 1;
        let rest = text.bytes.get(start..)?;
        let close = rest.iter().take(QUOTED_BYTES_MAX).enumerate().find(|(at, b)| {
            let is_escaped = *at > 0 && rest[at - 1] == b'\\';
            **b == quote && (escape == 1 || !is_escaped)
        });
        if let Some((length, _)) = close {
            let length = length.saturating_sub(escape);
            return Some(Value { start, end: start + length, is_quoted: true });
        }
        let end = text.run(start, Alphabet::Value);
        return Some(Value { start, end, is_quoted: false });
    }
    let end = text.run(at, Alphabet::Value);
    // What is called or indexed is code, not a value.
    if matches!(text.byte(end), b'(' | b'[') && end > at {
        return None;
    }
    let trailing = text.bytes[at..end].iter().rev().take(3);
    let trailing = trailing.take_while(|b| matches!(b, b'.' | b':' | b'?')).count();
    Some(Value { start: at, end: end - trailing, is_quoted: false })
}

/// Whether the value only says where a secret would stand, or comes from.
pub(super) fn is_placeholder(value: &[u8]) -> bool {
    let value = &value[..value.len().min(PLACEHOLDER_BYTES_MAX)];
    let begins = |word: &str| {
        value.get(..word.len()).is_some_and(|it| it.eq_ignore_ascii_case(word.as_bytes()))
    };
    matches!(value.first(), None | Some(b'$' | b'<' | b'{' | b'[' | b'*'))
        || (value[0] == b'%' && value.last() == Some(&b'%'))
        || value.windows(3).any(|it| it == b"..." || it == b"***" || it == b"${{")
        || [
            "%s",
            "%v",
            "%d",
            "os.environ",
            "process.env",
            "env.",
            "getenv",
            "your",
            "vault:",
            "op://",
        ]
        .into_iter()
        .any(begins)
        || is_filler(value)
}

/// Words that stand in place of a password where rules for one are spoken of.
const NO_PASSWORDS: [&str; 22] = [
    "password",
    "passwd",
    "string",
    "required",
    "optional",
    "hidden",
    "incorrect",
    "invalid",
    "missing",
    "wrong",
    "changed",
    "expired",
    "redacted",
    "secret",
    "undefined",
    "unknown",
    "current",
    "disabled",
    "enabled",
    "prompt",
    "rejected",
    "masked",
];

/// Whether a value beside the name of a password is one.
pub(super) fn is_password(value: &[u8], is_quoted: bool) -> bool {
    if value.len() < PASSWORD_BYTES_MIN {
        return false;
    }
    let head = &value[..value.len().min(PLACEHOLDER_BYTES_MAX)];
    let is_symbol = |b: &u8| b.is_ascii_punctuation() && !b"_-./:@+~'".contains(b);
    let is_mixed = head.iter().any(|b| b.is_ascii_digit() || is_symbol(b) || *b >= 0x80);
    if (!is_mixed && !is_quoted) || is_placeholder(value) {
        return false;
    }
    if is_mixed {
        let is_code = is_name(value) && !is_quoted;
        let is_figure = head.iter().all(|b| b.is_ascii_digit() || b".,:%/-".contains(b));
        let is_number = head.iter().all(u8::is_ascii_digit);
        return !is_code && (!is_figure || (is_quoted && is_number));
    }
    let is_word = |it: &&str| value.eq_ignore_ascii_case(it.as_bytes());
    value.iter().all(u8::is_ascii_alphabetic) && !NO_PASSWORDS.iter().any(is_word)
}

/// Whether a value beside the name of a secret is one.
pub(super) fn is_secret(value: &[u8], length_min: usize) -> bool {
    value.len() >= length_min
        && !is_placeholder(value)
        && !value.contains(&b' ')
        && is_random(value, BITS_MIN.min(entropy_max(value.len()) * 0.8))
        && !is_name(value)
}

/// No value of that length tells more per byte.
fn entropy_max(length: usize) -> f32 {
    (length as f32).log2()
}

/// The hit under the name of the provider whose token it is.
pub(super) fn named(text: &mut Text<'_>, value: Value, rule: &'static str) -> Hit {
    match rules::token(text, value.start) {
        Some((rule, end)) => Hit { rule, start: value.start, end: end.max(value.end) },
        None => value.hit(rule),
    }
}
