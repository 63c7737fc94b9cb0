//! A look at the beginning of a file: the first value of a key, without reading the rest.

use std::io::Read;
use std::path::Path;

use crate::intake::import::open::open;

/// So much of a file is looked at.
const PEEK_BYTES: u64 = 64 << 10;

/// The first string that stands behind this key; None where there is none.
pub fn value(path: &Path, key: &str) -> Option<String> {
    let mut bytes = Vec::new();
    open(path).ok()?.take(PEEK_BYTES).read_to_end(&mut bytes).ok()?;
    value_in(&bytes, key)
}

/// The same of the first line alone.
pub fn first_line_value(path: &Path, key: &str) -> Option<String> {
    let mut bytes = Vec::new();
    open(path).ok()?.take(PEEK_BYTES).read_to_end(&mut bytes).ok()?;
    value_in(bytes.split(|byte| *byte == b'\n').next()?, key)
}

/// The same of bytes that are at hand.
pub fn value_in(bytes: &[u8], key: &str) -> Option<String> {
    let name = format!("\"{key}\"");
    memchr::memmem::find_iter(bytes, name.as_bytes()).find_map(|at| {
        let rest = bytes[at + name.len()..].trim_ascii_start().strip_prefix(b":")?;
        let rest = rest.trim_ascii_start().strip_prefix(b"\"")?;
        let end = memchr::memchr2(b'"', b'\\', rest)?;
        // What needs escapes is no identifier.
        (rest[end] == b'"').then(|| String::from_utf8_lossy(&rest[..end]).into_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_string_behind_a_key() {
        let find = |json: &str| value_in(json.as_bytes(), "id");
        assert_eq!(find(r#"{"id" : "a","id":"b"}"#).as_deref(), Some("a"));
        assert_eq!(find(r#"{"id":null,"x":["id"],"id":"b"}"#).as_deref(), Some("b"));
        assert_eq!(find(r#"{"id":"a\"b"}"#), None);
        assert_eq!(find(r#"{"id":"a"#), None);
    }
}
