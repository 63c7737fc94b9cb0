//! Strings and numbers as they stand in a line: safe to print, and the shortest that say the same.

use std::fmt::Write;

use crate::error::is_unprintable;

/// A JSON string that is safe to print and to paste into a script: what JSON lets stand but
/// terminals and JavaScript act on is escaped too.
pub(super) fn write_text(text: &str, out: &mut String) {
    out.push('"');
    if text.bytes().all(|byte| matches!(byte, b' '..=b'~' if byte != b'"' && byte != b'\\')) {
        out.push_str(text);
    } else {
        text.chars().for_each(|c| write_char(c, out));
    }
    out.push('"');
}

fn write_char(c: char, out: &mut String) {
    match c {
        '"' | '\\' => out.extend(['\\', c]),
        c if is_unprintable(c) => c.encode_utf16(&mut [0; 2]).iter().for_each(|unit| {
            let _ = write!(out, "\\u{unit:04x}");
        }),
        c => out.push(c),
    }
}

/// The shortest digits that are read back as the same number.
pub(super) fn write_number(number: f64, out: &mut String) {
    let size = number.abs();
    let _ = match size == 0.0 || (1e-5..1e16).contains(&size) {
        true => write!(out, "{number}"),
        false => write!(out, "{number:e}"),
    };
}
