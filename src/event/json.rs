//! Strings and numbers as they stand in a line: safe to print, and the shortest that say the same.

use std::fmt::Write;

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
        // Control characters, line separators, marks that turn the direction of text.
        '\u{200E}'
        | '\u{200F}'
        | '\u{2028}'..='\u{202E}'
        | '\u{2066}'..='\u{2069}'
        | '\u{FEFF}' => {
            escape(c, out);
        }
        c if c.is_control() => escape(c, out),
        c => out.push(c),
    }
}

fn escape(c: char, out: &mut String) {
    let _ = write!(out, "\\u{:04x}", u32::from(c));
}

/// The shortest digits that are read back as the same number.
pub(super) fn write_number(number: f64, out: &mut String) {
    let size = number.abs();
    let _ = match size == 0.0 || (1e-5..1e16).contains(&size) {
        true => write!(out, "{number}"),
        false => write!(out, "{number:e}"),
    };
}
