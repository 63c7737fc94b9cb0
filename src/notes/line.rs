//! Any text → one clean line; and whether a spreadsheet would take it for a formula.

use std::borrow::Cow;

/// Whether a spreadsheet would run the text as a formula: its first character that is no blank begins
/// one, and it is no number. Such notes are stored as they are; what is drawn for a spreadsheet puts
/// an apostrophe before them.
pub fn is_formula(text: &str) -> bool {
    let is_blank =
        |c: &char| !matches!(c, '\t' | '\r' | '\n') && (c.is_whitespace() || c.is_control());
    let begins = match text.chars().find(|c| !is_blank(c)) {
        Some('=' | '+' | '-' | '@' | '|' | '\t' | '\r' | '\n') => true,
        Some(c) => matches!(c, '＝' | '＋' | '－' | '＠' | '｜'),
        None => false,
    };
    begins && !is_number(text)
}

/// Plain digits, with a sign, a point and an exponent where there are any.
fn is_number(text: &str) -> bool {
    let has_figures_only = text.bytes().all(|b| b.is_ascii_digit() || b"+-.eE".contains(&b));
    has_figures_only && text.parse::<f64>().is_ok()
}

/// Makes any text one line that moves no cursor and hides nothing: line breaks and tabs become one
/// space; escape sequences, control, bidi and zero-width characters go; the ends are trimmed.
/// Everything else stays byte for byte, and a second pass changes nothing.
pub fn clean(text: &str) -> Cow<'_, str> {
    if text.bytes().all(|b| matches!(b, b' '..=b'~')) {
        return Cow::Borrowed(text.trim());
    }
    let mut out = String::with_capacity(text.len());
    let mut broken = false;
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let after = &rest[c.len_utf8()..];
        rest = match c {
            '\x1b' => skip_escape(after),
            '\u{9b}' => skip_csi(after),
            '\u{90}' | '\u{98}' | '\u{9d}'..='\u{9f}' => skip_string(after),
            _ => after,
        };
        if is_break(c) {
            broken = true;
        } else if !is_dropped(c, if broken { "" } else { &out }, after) {
            if broken {
                out.push(' ');
            }
            broken = false;
            out.push(c);
        }
    }
    let trimmed = out.trim();
    if trimmed.len() < out.len() {
        out = trimmed.to_owned();
    }
    Cow::Owned(out)
}

fn is_break(c: char) -> bool {
    matches!(c, '\t'..='\r' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

fn is_dropped(c: char, before: &str, after: &str) -> bool {
    match c {
        // The joiner inside an emoji such as a family stays.
        '\u{200D}' => {
            let joins = |c: Option<char>| c.is_some_and(is_pictograph);
            !(joins(before.chars().next_back()) && joins(after.chars().next()))
        }
        '\u{61C}' | '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' => true,
        '\u{2060}'..='\u{206F}' | '\u{FEFF}' | '\u{E0000}'..='\u{E007F}' => true,
        c => c.is_control(),
    }
}

fn is_pictograph(c: char) -> bool {
    matches!(c, '\u{2190}'..='\u{2BFF}' | '\u{FE0F}' | '\u{1F000}'..='\u{1FAFF}')
}

/// What follows ESC, as in ECMA-48: a control sequence, a control string, or a short escape.
fn skip_escape(after: &str) -> &str {
    match after.as_bytes().first() {
        Some(b'[') => skip_csi(&after[1..]),
        Some(b']' | b'P' | b'X' | b'^' | b'_') => skip_string(&after[1..]),
        Some(b' '..=b'/') => {
            let tail = after.trim_start_matches(|c| matches!(c, ' '..='/'));
            tail.strip_prefix(|c| matches!(c, '0'..='~')).unwrap_or(tail)
        }
        Some(b'0'..=b'~') => &after[1..],
        _ => after,
    }
}

/// Parameters, intermediates and the final byte of a control sequence.
fn skip_csi(after: &str) -> &str {
    let tail = after.trim_start_matches(|c| matches!(c, ' '..='?'));
    tail.strip_prefix(|c| matches!(c, '@'..='~')).unwrap_or(tail)
}

/// A control string ends at BEL or ST; one that never ends loses only its first bytes, so that a
/// stray escape does not swallow the remark.
fn skip_string(after: &str) -> &str {
    let end = after.char_indices().find(|(_, c)| matches!(c, '\x07' | '\u{9c}' | '\x1b'));
    match end {
        Some((at, '\x1b')) if after[at..].starts_with("\x1b\\") => &after[at + 2..],
        Some((at, c)) if c != '\x1b' => &after[at + c.len_utf8()..],
        _ => after,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn formulas_are_told_from_text_and_numbers() {
        for text in
            ["=1+1", "-x", "- a list", "@x", " =1", "\u{a0}=1", "\0=1", "|x", "＝1", "\r=1", "+1+1"]
        {
            assert!(is_formula(text), "{text:?}");
        }
        for text in ["", " ", "gpt-5", "-5", "+5.25", "-1e9", "a=1", "(=1)", "{source=run}"] {
            assert!(!is_formula(text), "{text:?}");
        }
    }

    #[test]
    fn any_text_becomes_one_clean_line() {
        for (given, stored) in [
            ("plain, \"quoted\" text", "plain, \"quoted\" text"),
            ("  two\r\nlines\tand a tab  ", "two lines and a tab"),
            ("a\u{2028}b\u{85}c\u{b}d", "a b c d"),
            ("\x1b[1;31mred\x1b[0m", "red"),
            ("\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "link"),
            ("\x1b]52;c;Zm9v\x07copied", "copied"),
            ("\x1b]never ends", "never ends"),
            ("\u{9b}31mred", "red"),
            ("left\u{202e}right\u{200b}\u{feff}", "leftright"),
            ("👩\u{200d}💻 a\u{200d}b", "👩\u{200d}💻 ab"),
            ("=1+1 -5 @x", "=1+1 -5 @x"),
            ("größer ✅ 日本語", "größer ✅ 日本語"),
            ("nul\0bell\x07", "nulbell"),
            (" \u{200b} ", ""),
        ] {
            assert_eq!(clean(given), stored, "{given:?}");
        }
    }

    proptest! {
        #[test]
        fn a_second_pass_changes_nothing(text in "(\\PC|[\x00-\x20]|\x1b|\u{9b}|\u{200d}|👩|\u{202e}){0,40}") {
            let once = clean(&text).into_owned();
            prop_assert_eq!(clean(&once), once.as_str());
        }
    }
}
