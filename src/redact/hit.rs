//! A hit, and what takes its place.

/// What every replacement begins with; whatever stands in one is never looked at again.
const MARK: &str = "[redacted:";

/// The longest name of a rule.
const RULE_BYTES_MAX: usize = 32;

/// One thing that was found: by which rule, and where. It never holds the secret itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hit {
    /// The rule that found it.
    pub rule: &'static str,
    /// Its first byte in the text.
    pub start: usize,
    /// The byte behind its last.
    pub end: usize,
}

/// What takes a hit's place.
pub fn mark(rule: &str) -> String {
    format!("{MARK}{rule}]")
}

/// The end of the replacement that begins there.
pub(super) fn marked(bytes: &[u8], at: usize) -> Option<usize> {
    let name = bytes[at..].strip_prefix(MARK.as_bytes())?;
    let length = name.iter().take(RULE_BYTES_MAX).position(|b| *b == b']')?;
    let is_rule = |b: &u8| b.is_ascii_lowercase() || b.is_ascii_digit() || *b == b'-';
    name[..length].iter().all(is_rule).then_some(at + MARK.len() + length + 1)
}
