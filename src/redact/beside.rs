//! Values that stand beside a name: assignments in code, settings and JSON, headers, query
//! parameters, and the flags of commands.

use crate::redact::bytes::{Alphabet, Text, entropy, is_name};
use crate::redact::hit::Hit;
use crate::redact::keys::{Key, NAME_BYTES_MAX, key_of};
use crate::redact::values::{BITS_MIN, PASSWORD_BYTES_MIN, Value};
use crate::redact::values::{is_password, is_placeholder, is_secret, named, value};

/// The shortest token, and token in a query.
const SECRET_BYTES_MIN: usize = 12;
/// The same where a variable of the environment or an option names it: that is no prose.
const TOLD_SECRET_BYTES_MIN: usize = 8;
const PARAMETER_BYTES_MIN: usize = 8;

/// The pairs of one cookie header that are looked at.
const COOKIES_MAX: usize = 64;

/// The value behind `=`, `:`, `=>`, `:=` or `>`, if the name before it promises a secret.
pub(super) fn assigned(
    text: &mut Text<'_>,
    at: usize,
    floor: usize,
    hits: &mut Vec<Hit>,
) -> Option<Hit> {
    let (name_start, name_end) = name_before(text, at, floor)?;
    let name = &text.bytes[name_start..name_end];
    let is_bare = !name.iter().any(|b| matches!(b, b'_' | b'-' | b'.'));
    let qualifier = if is_bare { word_before(text, name_start, floor) } else { b"" };
    let key = key_of(name, qualifier)?;
    let mut after = at + 1;
    match text.byte(at) {
        b'>' if text.before(name_start, 1) != b'<' => return None,
        b':' if text.byte(after) == b':' => return None,
        _ => {}
    }
    while matches!(text.byte(after), b'=' | b'>') {
        after += 1;
    }
    let is_query = matches!(text.before(name_start, 1), b'?' | b'&' | b'#' | b';');
    match key {
        Key::Authorization => return credential(text, after),
        Key::Cookie => return cookies(text, after, hits),
        Key::Parameter if !is_query => return None,
        _ => {}
    }
    // "tests pass: 120 of 130" is no password.
    let is_prose = text.byte(at) == b':' && text.byte(after) == b' ';
    if is_prose && name.eq_ignore_ascii_case(b"pass") {
        return None;
    }
    let mut value = value(text, after)?;
    if is_query && let Some(cut) = value.of(text).iter().position(|b| *b == b'#') {
        value.end = value.start + cut;
    }
    // `"token": "Bearer …"`.
    if let Some(scheme) = scheme(text, value.start)
        && key == Key::Secret
    {
        return credential(text, scheme);
    }
    let bytes = value.of(text);
    let rule = match key {
        _ if is_query && is_parameter(key, bytes) => "url-parameter",
        Key::Password if is_chosen(name, bytes) || is_password(bytes, value.is_quoted) => {
            "password"
        }
        Key::Secret if is_secret(bytes, secret_bytes_min(text, at, name)) => "secret",
        _ => return None,
    };
    Some(named(text, value, rule))
}

/// How long a secret is at least that is assigned to this name: `GITHUB_TOKEN=…` is no prose.
fn secret_bytes_min(text: &Text<'_>, at: usize, name: &[u8]) -> usize {
    let is_variable = name.iter().all(|b| b.is_ascii_uppercase() || b"_0123456789".contains(b));
    match is_variable && text.byte(at) == b'=' {
        true => TOLD_SECRET_BYTES_MIN,
        false => SECRET_BYTES_MIN,
    }
}

/// Names that hold nothing but a password, whatever it looks like.
fn is_chosen(name: &[u8], value: &[u8]) -> bool {
    [&b"PGPASSWORD"[..], b"MYSQL_PWD", b"SSHPASS", b"RESTIC_PASSWORD", b"PGPASS"].contains(&name)
        && value.len() >= 3
        && !is_placeholder(value)
}

fn is_parameter(key: Key, value: &[u8]) -> bool {
    match key {
        Key::Password => value.len() >= 4 && !is_placeholder(value),
        _ => {
            is_secret(value, PARAMETER_BYTES_MIN)
                || (value.len() >= 20
                    && entropy(value) > BITS_MIN
                    && !is_placeholder(value)
                    && !is_name(value))
        }
    }
}

/// The name before an operator, which spaces, closing quotes and brackets may separate from it.
fn name_before(text: &Text<'_>, at: usize, floor: usize) -> Option<(usize, usize)> {
    let mut end = at;
    let separates =
        |b: u8| matches!(b, b' ' | b'"' | b'\'' | b'`' | b'\\' | b']' | b')' | b'*' | b'?' | b':');
    while end > floor && at - end < 4 && separates(text.before(end, 1)) {
        end -= 1;
    }
    let is_part = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.');
    let mut start = end;
    while start > floor && end - start <= NAME_BYTES_MAX && is_part(text.before(start, 1)) {
        start -= 1;
    }
    (start < end).then_some((start, end))
}

/// The word that stands before a place, behind one space.
fn word_before<'a>(text: &Text<'a>, at: usize, floor: usize) -> &'a [u8] {
    if at <= floor || !matches!(text.before(at, 1), b' ' | b'-') {
        return b"";
    }
    let end = at - 1;
    let mut start = end;
    while start > floor && end - start < 24 && text.before(start, 1).is_ascii_alphanumeric() {
        start -= 1;
    }
    &text.bytes[start..end]
}

const SCHEMES: [&str; 12] = [
    "bearer",
    "basic",
    "token",
    "apikey",
    "api-key",
    "key",
    "bot",
    "splunk",
    "genie-key",
    "sso-key",
    "negotiate",
    "oauth",
];

/// Behind a scheme of authorization and its space.
fn scheme(text: &Text<'_>, at: usize) -> Option<usize> {
    let scheme = SCHEMES.iter().find(|it| text.has_word(at, it.as_bytes()))?;
    let end = at + scheme.len();
    (text.byte(end) == b' ').then_some(end + 1)
}

/// What follows `Authorization:`.
fn credential(text: &mut Text<'_>, at: usize) -> Option<Hit> {
    let mut at = at;
    let skips = |b: u8| matches!(b, b' ' | b'"' | b'\'' | b'\\');
    while skips(text.byte(at)) {
        at += 1;
    }
    let known = scheme(text, at);
    let start = known.unwrap_or(at);
    let value = Value { is_quoted: false, ..value(text, start)? };
    let bytes = value.of(text);
    let fits = match known {
        Some(_) => bytes.len() >= PASSWORD_BYTES_MIN && !is_placeholder(bytes) && looks_made(bytes),
        None => is_secret(bytes, SECRET_BYTES_MIN),
    };
    fits.then(|| named(text, value, "auth-header"))
}

/// Whether it is no plain word: "token expired" and "basic authentication" are none.
fn looks_made(value: &[u8]) -> bool {
    value.iter().take(128).any(u8::is_ascii_digit)
        || value.len() >= 20
        || value.last() == Some(&b'=')
}

/// What a server says of a cookie, not what is in it.
const ATTRIBUTES: [&str; 8] =
    ["path", "domain", "expires", "max-age", "samesite", "httponly", "secure", "priority"];

/// The values behind `Cookie:`: all but the last go on the list.
fn cookies(text: &mut Text<'_>, at: usize, hits: &mut Vec<Hit>) -> Option<Hit> {
    let mut at = at;
    let mut last = None;
    for _ in 0..COOKIES_MAX {
        while matches!(text.byte(at), b' ' | b';' | b'"' | b'\'') {
            at += 1;
        }
        let name = text.length(at, Alphabet::Dotted, NAME_BYTES_MAX);
        if name == 0 || text.byte(at + name) != b'=' {
            break;
        }
        let start = at + name + 1;
        let end = text.run(start, Alphabet::Value);
        let bytes = &text.bytes[start..end];
        let is_attribute = ATTRIBUTES
            .iter()
            .any(|it| text.bytes[at..at + name].eq_ignore_ascii_case(it.as_bytes()));
        if !is_attribute && bytes.len() >= PASSWORD_BYTES_MIN && !is_placeholder(bytes) {
            hits.extend(last.replace(Hit { rule: "cookie", start, end }));
        }
        if text.byte(end) != b';' {
            break;
        }
        at = end;
    }
    last
}

/// `--password X`, `--token X`, `-u user:X`, and `-pX` of the commands that take a password so.
pub(super) fn flag(text: &mut Text<'_>, at: usize) -> Option<Hit> {
    if at > 0 && text.before(at, 1).is_ascii_alphanumeric() {
        return None;
    }
    match text.byte(at + 1) {
        b'-' => {
            let length = text.length(at + 2, Alphabet::Word, NAME_BYTES_MAX);
            let end = at + 2 + length;
            if length < 2 || text.byte(end) != b' ' {
                return None;
            }
            let key = key_of(&text.bytes[at + 2..end], b"")?;
            let value = value(text, end + 1)?;
            let bytes = value.of(text);
            let rule = match key {
                Key::Password if is_password(bytes, false) => "password",
                Key::Secret if is_secret(bytes, TOLD_SECRET_BYTES_MIN) => "secret",
                _ => return None,
            };
            (bytes[0] != b'-').then(|| named(text, value, rule))
        }
        b'u' if text.byte(at + 2) == b' ' => {
            let value = value(text, at + 3)?;
            let colon = value.of(text).iter().take(64).position(|b| *b == b':')?;
            let password = Value { start: value.start + colon + 1, ..value };
            let fits = colon > 0 && is_password(password.of(text), value.is_quoted);
            fits.then(|| named(text, password, "auth-header"))
        }
        b'p' | b'a' => {
            let is_told = takes_password(text, at);
            let start = at + 2;
            let value = value(text, start)?;
            let bytes = value.of(text);
            let is_glued = value.start == start;
            let fits = is_told
                && bytes.len() >= 4
                && bytes[0] != b'-'
                && !is_placeholder(bytes)
                && (is_glued || text.byte(start) == b' ' || value.is_quoted)
                && !bytes.iter().all(u8::is_ascii_digit)
                && !(is_glued && bytes.starts_with(b"ass"));
            fits.then(|| named(text, value, "password"))
        }
        _ => None,
    }
}

/// As far back as the command is looked for.
const COMMAND_BYTES_MAX: usize = 96;

/// Whether the command before a flag takes a password by `-p` or `-a`.
fn takes_password(text: &Text<'_>, at: usize) -> bool {
    let before = &text.bytes[at.saturating_sub(COMMAND_BYTES_MAX)..at];
    let own = before.rsplit(|b| matches!(b, b';' | b'|' | b'&')).next().unwrap_or(before);
    let commands: &[&[u8]] = match text.byte(at + 1) {
        b'a' => &[b"redis-cli"],
        _ => &[b"mysql", b"mariadb", b"sshpass", b" login ", b"mongo", b"sqlcmd"],
    };
    commands.iter().any(|it| own.windows(it.len()).any(|word| word == *it))
}
