//! What points at a person: e-mail addresses, the folders of users, and accounts.

use crate::redact::bytes::{Alphabet, Text};
use crate::redact::hit::Hit;

/// The longest part of an address before its `@`.
const LOCAL_BYTES_MAX: usize = 64;

/// The longest name of a host.
const DOMAIN_BYTES_MAX: usize = 253;

/// The longest name of a user.
const USER_BYTES_MAX: usize = 64;

/// Users that are no persons.
const NOBODY: [&str; 40] = [
    "root",
    "runner",
    "runneradmin",
    "linuxbrew",
    "shared",
    "public",
    "default",
    "guest",
    "admin",
    "administrator",
    "user",
    "username",
    "you",
    "your",
    "name",
    "ubuntu",
    "debian",
    "fedora",
    "ec2-user",
    "centos",
    "node",
    "vscode",
    "codespace",
    "gitpod",
    "circleci",
    "vsts",
    "travis",
    "jenkins",
    "docker",
    "git",
    "www-data",
    "nobody",
    "test",
    "dev",
    "claude",
    "codex",
    "copilot",
    "gemini",
    "cursor",
    "agent",
];

/// Whether this is the name of no person.
pub(super) fn is_nobody(name: &[u8]) -> bool {
    NOBODY.iter().any(|it| name.eq_ignore_ascii_case(it.as_bytes()))
}

/// Endings of file names and units, which follow an `@` as hosts do.
const NO_DOMAINS: [&str; 34] = [
    "png", "jpg", "jpeg", "gif", "svg", "webp", "ico", "js", "mjs", "cjs", "ts", "tsx", "jsx",
    "css", "json", "yml", "yaml", "toml", "lock", "rs", "py", "go", "md", "html", "txt", "log",
    "service", "timer", "socket", "mount", "target", "slice", "path", "local",
];

/// An e-mail address; `at` is its `@`, or the `%` of `%40`.
pub(super) fn email(text: &Text<'_>, at: usize, floor: usize) -> Option<Hit> {
    let after = match text.byte(at) {
        b'@' => at + 1,
        _ if text.has(at, b"%40") => at + 3,
        _ => return None,
    };
    let is_local = |b: u8| Alphabet::Dotted.has(b) || matches!(b, b'+' | b'%' | b'\'');
    let mut start = at;
    while start > floor && at - start < LOCAL_BYTES_MAX && is_local(text.before(start, 1)) {
        start -= 1;
    }
    while start < at && !text.byte(start).is_ascii_alphanumeric() {
        start += 1;
    }
    let local = &text.bytes[start..at];
    let mut length = text.length(after, Alphabet::Dotted, DOMAIN_BYTES_MAX);
    while length > 0 && !text.byte(after + length - 1).is_ascii_alphanumeric() {
        length -= 1;
    }
    let domain = &text.bytes[after..after + length];
    let is_service = [&b"git"[..], b"hg", b"svn", b"noreply", b"no-reply", b"donotreply"]
        .iter()
        .any(|it| local.eq_ignore_ascii_case(it));
    if local.is_empty() || is_service || !is_domain(domain) {
        return None;
    }
    Some(Hit { rule: "email", start, end: after + length })
}

fn is_domain(domain: &[u8]) -> bool {
    let mut labels = domain.split(|b| *b == b'.');
    let (Some(first), Some(last)) = (labels.next(), domain.rsplit(|b| *b == b'.').next()) else {
        return false;
    };
    let is_version = first.iter().skip(1).all(u8::is_ascii_digit)
        && (first.first().is_some_and(u8::is_ascii_digit)
            || first.first() == Some(&b'v') && first.len() > 1);
    let is_density = matches!(first, [b'1'..=b'9', b'x']);
    domain.len() > first.len()
        && !first.is_empty()
        && labels.clone().all(|label| !label.is_empty())
        && (2..=24).contains(&last.len())
        && last.iter().all(u8::is_ascii_alphabetic)
        && !is_version
        && !is_density
        && !NO_DOMAINS.iter().any(|it| last.eq_ignore_ascii_case(it.as_bytes()))
}

/// The user's name in a path; `at` is the separator before `home` or `Users`.
pub(super) fn home(text: &Text<'_>, at: usize) -> Option<Hit> {
    let separator = text.byte(at);
    let mut word = at + 1;
    // Doubled in strings of code.
    let is_doubled = separator == b'\\' && text.byte(word) == separator;
    word += usize::from(is_doubled);
    let is_users = text.has_word(word, b"users");
    let length = match (is_users, text.has(word, b"home")) {
        (true, _) => 5,
        (_, true) => 4,
        _ => return None,
    };
    let mut start = word + length;
    if !matches!(text.byte(start), b'/' | b'\\') {
        return None;
    }
    start += 1 + usize::from(text.byte(start) == b'\\' && text.byte(start + 1) == b'\\');
    let before = &text.bytes[at.saturating_sub(40)..at];
    let is_rooted = match separator {
        b'\\' => {
            before.last() == Some(&b':')
                || before.windows(3).any(|it| it.eq_ignore_ascii_case(b"wsl"))
        }
        _ => begins_path(text, at),
    };
    if !is_rooted
        || (separator == b'/' && is_users && !text.has(word, b"Users") && begins_plainly(text, at))
    {
        return None;
    }
    let end = start + user_length(text, start);
    let name = &text.bytes[start..end];
    (!name.is_empty() && !is_nobody(name)).then_some(Hit { rule: "home", start, end })
}

/// Whether a path begins with this slash, or behind a disk, a file address or a known mount.
fn begins_path(text: &Text<'_>, at: usize) -> bool {
    if begins_plainly(text, at) {
        return true;
    }
    let before = &text.bytes[at.saturating_sub(16)..at];
    let mounts: [&[u8]; 9] = [
        b"file://",
        b"/var",
        b"/export",
        b"/Data",
        b"/host_mnt",
        b"/usr",
        b"/data",
        b"/nfs",
        b"/net",
    ];
    let is_disk = matches!(before, [.., b'/', letter] if letter.is_ascii_alphabetic())
        || matches!(before, [.., letter, b':'] if letter.is_ascii_alphabetic());
    is_disk || mounts.iter().any(|it| before.ends_with(it))
}

fn begins_plainly(text: &Text<'_>, at: usize) -> bool {
    let last = text.before(at, 1);
    at == 0
        || !(last.is_ascii_alphanumeric()
            || matches!(last, b'.' | b'/' | b'_' | b'-' | b'}' | b'~' | b']' | b'\\' | b'>' | b'*'))
}

/// A user's name; in one before a backslash there may be spaces.
fn user_length(text: &Text<'_>, start: usize) -> usize {
    let is_name = |b: u8| Alphabet::Dotted.has(b) || b >= 0x80;
    let rest = &text.bytes[start.min(text.bytes.len())..];
    let mut plain = rest.iter().take(USER_BYTES_MAX).take_while(|b| is_name(**b)).count();
    if rest.get(plain) == Some(&b' ') {
        let spaced = rest.iter().take(40).take_while(|b| is_name(**b) || **b == b' ').count();
        if rest.get(spaced) == Some(&b'\\') {
            return spaced;
        }
    }
    while plain > 0 && rest[plain - 1] == b'.' {
        plain -= 1;
    }
    // Only whole characters.
    while rest.get(plain).is_some_and(|b| b & 0xC0 == 0x80) {
        plain += 1;
    }
    plain
}

/// The form in which agents name the folders of projects: `-Users-NAME-project`.
pub(super) fn encoded_home(text: &Text<'_>, at: usize) -> Option<Hit> {
    let length = match () {
        () if text.has(at, b"-Users-") => 7,
        () if text.has(at, b"-home-") => 6,
        () => return None,
    };
    let last = text.before(at, 1);
    if at > 0 && (last.is_ascii_alphanumeric() && text.before(at, 2) != b'-' || last == b'-') {
        return None;
    }
    let start = at + length;
    let rest = &text.bytes[start..];
    let is_name = |b: &&u8| b.is_ascii_alphanumeric() || **b == b'_' || **b == b'.';
    let end = start + rest.iter().take(USER_BYTES_MAX).take_while(is_name).count();
    let name = &text.bytes[start..end];
    let is_path = text.byte(end) == b'-' || matches!(last, b'/' | b'\\');
    (is_path && !name.is_empty() && !is_nobody(name)).then_some(Hit { rule: "home", start, end })
}

/// The account in `arn:aws:service:region:ACCOUNT:…`; `at` is the colon before it.
pub(super) fn account(text: &Text<'_>, at: usize, floor: usize) -> Option<Hit> {
    const DIGITS: usize = 12;
    let end = at + 1 + DIGITS;
    let digits = text.bytes.get(at + 1..end)?;
    if !digits.iter().all(u8::is_ascii_digit) || !matches!(text.byte(end), b':' | 0) {
        return None;
    }
    let before = &text.bytes[floor.max(at.saturating_sub(64))..at];
    let is_name = before.windows(8).any(|it| it.starts_with(b"arn:aws"));
    is_name.then_some(Hit { rule: "aws-account", start: at + 1, end })
}
