//! What stands before the host of an address.

use crate::redact::bytes::{Text, is_filler, is_random};
use crate::redact::hit::{Hit, marked};
use crate::redact::values::is_placeholder;

/// No name and password together are longer.
const USERINFO_BYTES_MAX: usize = 512;

/// A name without a password is a token if it is at least so long.
const TOKEN_BYTES_MIN: usize = 20;

/// The password, or the token, before the host; `at` is the colon behind the scheme.
pub(super) fn userinfo(text: &Text<'_>, at: usize) -> Option<Hit> {
    if !text.before(at, 1).is_ascii_alphanumeric() {
        return None;
    }
    let start = at + 3;
    let rest = &text.bytes[start..text.bytes.len().min(start + USERINFO_BYTES_MAX)];
    let is_end = |b: &u8| *b <= b' ' || matches!(b, b'"' | b'\'' | b'<' | b'>' | b'`' | b'\\');
    let word = &rest[..rest.iter().position(is_end).unwrap_or(rest.len())];
    let authority = &word[..word.iter().position(|b| *b == b'/').unwrap_or(word.len())];
    let host = authority.iter().rposition(|b| *b == b'@').or_else(|| {
        // A password may hold a slash; a port may not be one.
        let name_end = authority.iter().position(|b| *b == b':')?;
        let is_port = authority[name_end + 1..].iter().all(u8::is_ascii_digit);
        let next = word.windows(3).position(|it| it == b"://").unwrap_or(word.len());
        word[..next].iter().position(|b| *b == b'@').filter(|_| !is_port)
    })?;
    let userinfo = &word[..host];
    // The colon of a mark is none of the address.
    let marks = marked(userinfo, 0).unwrap_or(0);
    if marks == userinfo.len() {
        return None;
    }
    let Some(colon) = userinfo[marks..].iter().position(|b| *b == b':').map(|at| marks + at) else {
        let is_token = userinfo.len() >= TOKEN_BYTES_MIN && is_random(userinfo, 3.0);
        return is_token.then_some(Hit { rule: "url-token", start, end: start + host });
    };
    let password = &userinfo[colon + 1..];
    let says_nothing = password.is_empty()
        || is_filler(password)
        || is_placeholder(password)
        || [&b"password"[..], b"pass", b"pwd", b"passwd", b"secret", b"token"]
            .iter()
            .any(|it| password.eq_ignore_ascii_case(it));
    let start = start + colon + 1;
    (!says_nothing).then_some(Hit { rule: "url-password", start, end: start + password.len() })
}
