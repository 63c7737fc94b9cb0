//! Secrets that are known by their build: private keys, JSON web tokens, and tokens of providers
//! without a prefix.

use crate::redact::bytes::{Alphabet, Text, is_random};
use crate::redact::hit::Hit;

/// Between `BEGIN` and `PRIVATE KEY`: no kind of key has a longer name.
const KIND_BYTES_MAX: usize = 40;

/// Shorter ones hold no claim.
const JWT_PART_BYTES_MIN: usize = 8;

/// As far as the parts of an encrypted one are counted.
const ENCRYPTED_BYTES_MAX: usize = 1_024;

/// A private key in armour: to the end of its last line, or of the text.
pub(super) fn pem(text: &Text<'_>, at: usize) -> Option<Hit> {
    if !text.has(at, b"-----BEGIN ") && !text.has(at, b"---- BEGIN ") {
        return None;
    }
    let head = &text.bytes[at + 11..text.bytes.len().min(at + 11 + KIND_BYTES_MAX)];
    position(head, b"PRIVATE KEY").or_else(|| position(head, b"PRIVATE "))?;
    let rest = &text.bytes[at + 11..];
    let end = position(rest, b"-----END ").or_else(|| position(rest, b"---- END "));
    let end = end.and_then(|end| {
        let last = &rest[end + 9..];
        position(&last[..last.len().min(2 * KIND_BYTES_MAX)], b"----").map(|it| end + 9 + it)
    });
    let end = end.map_or(text.bytes.len(), |end| {
        let tail = &rest[end..];
        at + 11 + end + tail.iter().take_while(|b| **b == b'-').count()
    });
    Some(Hit { rule: "private-key", start: at, end })
}

fn position(text: &[u8], word: &[u8]) -> Option<usize> {
    text.windows(word.len()).position(|it| it == word)
}

/// The private lines of a PuTTY key: what follows their number, as long as it is base64.
pub(super) fn putty(text: &Text<'_>, at: usize) -> Option<Hit> {
    let head = at + b"Private-Lines:".len();
    let is_head = |b: &&u8| **b == b' ' || b.is_ascii_digit();
    let digits = text.bytes[head..].iter().take_while(is_head).count();
    let start = head + digits;
    let fits = |b: &&u8| Alphabet::Base64.has(**b) || b.is_ascii_whitespace();
    let body = text.bytes[start..].iter().take_while(fits).count();
    let body = position(&text.bytes[start..start + body], b"Private").unwrap_or(body);
    let body = text.bytes[start..start + body].trim_ascii_end().len();
    (body > 16).then_some(Hit { rule: "private-key", start, end: start + body })
}

/// Two parts of base64 that begin as JSON does, joined by a dot; a third may follow.
pub(super) fn jwt(text: &mut Text<'_>, at: usize) -> Option<Hit> {
    if !text.has(at, b"eyJ") {
        return None;
    }
    let dot = text.run(at, Alphabet::Word);
    if text.byte(dot) != b'.' || dot - at < JWT_PART_BYTES_MIN {
        return None;
    }
    let mut end = text.run(at, Alphabet::Dotted);
    while text.before(end, 1) == b'.' {
        end -= 1;
    }
    let is_signed = text.has(dot + 1, b"eyJ") && end - dot > JWT_PART_BYTES_MIN;
    // An encrypted one has five parts, of which only the first is JSON.
    let is_encrypted = || {
        let dots = text.bytes[at..end].iter().take(ENCRYPTED_BYTES_MAX).filter(|b| **b == b'.');
        end - at > 100 && dots.count() == 4
    };
    (is_signed || is_encrypted()).then_some(Hit { rule: "jwt", start: at, end })
}

/// `24 characters . 6 . 27 or more`.
pub(super) fn discord(text: &Text<'_>, at: usize) -> Option<Hit> {
    let first = text.length(at, Alphabet::Word, 29);
    let dot = at + first;
    let second = text.length(dot + 1, Alphabet::Word, 8);
    let start = dot + 1 + second;
    let has_dots = text.byte(dot) == b'.' && text.byte(start) == b'.';
    if !has_dots || !(23..=28).contains(&first) || !(5..=7).contains(&second) {
        return None;
    }
    let last = text.length(start + 1, Alphabet::Word, 46);
    let end = start + 1 + last;
    let fits = (27..=45).contains(&last) && is_random(&text.bytes[at..end], 3.0);
    fits.then_some(Hit { rule: "discord-token", start: at, end })
}

/// `8 to 10 digits : AA and 33 characters`.
pub(super) fn telegram(text: &mut Text<'_>, at: usize, floor: usize) -> Option<Hit> {
    if text.byte(at + 1) != b'A' {
        return None;
    }
    let digits = (1..=11).take_while(|it| text.before(at, *it).is_ascii_digit()).count();
    let end = text.run(at + 1, Alphabet::Word);
    let start = at - digits;
    let fits = (8..=10).contains(&digits) && start >= floor && end - at > 33;
    fits.then_some(Hit { rule: "telegram-token", start, end })
}

/// `32 hex digits - us and a number`.
pub(super) fn mailchimp(text: &Text<'_>, at: usize, floor: usize) -> Option<Hit> {
    if !text.has(at, b"-us") || !text.byte(at + 3).is_ascii_digit() {
        return None;
    }
    let start = at.checked_sub(32).filter(|start| *start >= floor && text.is_border(*start))?;
    if !text.bytes[start..at].iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    let end = at + 4 + usize::from(text.byte(at + 4).is_ascii_digit());
    let is_whole = !text.byte(end).is_ascii_alphanumeric();
    is_whole.then_some(Hit { rule: "mailchimp-key", start, end })
}

/// `3 characters, a digit, Q~ and 31 to 34 characters`.
pub(super) fn azure(text: &Text<'_>, at: usize, floor: usize) -> Option<Hit> {
    if text.before(at, 1) != b'Q' || !text.before(at, 2).is_ascii_digit() {
        return None;
    }
    let start = at.checked_sub(5).filter(|start| *start >= floor)?;
    let fits = |b: &&u8| Alphabet::Dotted.has(**b) || **b == b'~';
    let length = text.bytes[at + 1..].iter().take(40).take_while(fits).count();
    let is_head = text.bytes[start..at].iter().all(|b| fits(&b));
    (is_head && length >= 31).then_some(Hit { rule: "azure-secret", start, end: at + 1 + length })
}
