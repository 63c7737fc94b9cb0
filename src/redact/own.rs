//! The user's own secret values in what is said back: whole ones, and those that a message cut short.

use std::cmp::Reverse;

use crate::redact::hit::mark;

/// What ends a text that was cut short.
const CUT: char = '…';

/// A shorter beginning of a value gives little of it away, and would stand for too much else.
const BEGINNING_BYTES_MIN: usize = 4;

/// The forms of a value in which a message may repeat it: as it is, on one line, and in a shell's
/// quotes.
pub(super) fn forms(value: &str) -> [String; 3] {
    let line = value.replace(char::is_control, "\u{FFFD}");
    let quoted = line.replace('\'', "'\\''");
    [value.to_owned(), line, quoted]
}

/// The text without these values, and without the beginnings of them that stand before a cut.
pub(super) fn without(text: &str, values: &mut [String]) -> String {
    // Of two that begin alike the longer one is meant.
    values.sort_by_key(|value| Reverse(value.len()));
    let mark = mark("env-value");
    let mut text = text.to_owned();
    for value in values.iter() {
        if text.contains(value) {
            text = text.replace(value, &mark);
        }
    }
    let mut from = 0;
    while let Some(cut) = text[from..].find(CUT).map(|at| from + at) {
        let beginning = values.iter().filter_map(|value| beginning_before(&text[..cut], value));
        from = match beginning.max() {
            None => cut + CUT.len_utf8(),
            Some(length) => {
                text.replace_range(cut - length..cut, &mark);
                cut - length + mark.len() + CUT.len_utf8()
            }
        };
    }
    text
}

/// How many bytes the text ends in with which the value begins.
fn beginning_before(text: &str, value: &str) -> Option<usize> {
    let lengths = BEGINNING_BYTES_MIN..value.len();
    let fits = |length: &usize| value.get(..*length).is_some_and(|it| text.ends_with(it));
    lengths.rev().find(fits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_found_whole_and_cut_short() {
        let mut values = vec!["Zq8-vT5rK2mN".to_owned(), "Zq8-vT5rK2mN-longer".to_owned()];
        for (text, safe) in [
            ("no value here…", "no value here…"),
            ("a Zq8-vT5rK2mN b", "a [redacted:env-value] b"),
            ("a Zq8-vT5rK2mN-longer b", "a [redacted:env-value] b"),
            ("a\"Zq8-vT5r…\" is not", "a\"[redacted:env-value]…\" is not"),
            ("Zq8-… and Zq8…", "[redacted:env-value]… and Zq8…"),
        ] {
            assert_eq!(without(text, &mut values), safe);
        }
    }
}
