//! The judge of a ledger's end: what is kept ends in a line end, and nothing is cut from a whole one.
#![no_main]

use libfuzzer_sys::fuzz_target;
use usage_ledger::ledger::fields;
use usage_ledger::ledger::tail::{self, Format, Tail};
use usage_ledger::row::{HEADER, Row};

const FORMAT: Format = Format {
    header: HEADER,
    is_private: false,
    is_row: |line| std::str::from_utf8(line).is_ok_and(|line| Row::parse(line).is_ok()),
    begins_row: fields::begins_row,
    seal: |_| String::new(),
};

fuzz_target!(|window: &[u8]| {
    match tail::judge(window, &FORMAT, false) {
        Some(Tail::Whole) => assert_eq!(window.last(), Some(&b'\n')),
        Some(Tail::Unfinished) => assert_ne!(window.last(), Some(&b'\n')),
        Some(Tail::Void(at) | Tail::Torn(at)) => {
            assert!(at < window.len() && (at == 0 || window[at - 1] == b'\n'));
        }
        None => assert!(!window.contains(&b'\n')),
    }
    if let Some(line) = tail::last_line(window, true) {
        assert!(!line.is_empty() && !line.contains(&b'\n'));
    }
});
