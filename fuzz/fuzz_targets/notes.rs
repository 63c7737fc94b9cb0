//! The notes' cleaner: one line without control characters, and a second pass changes nothing.
#![no_main]

use libfuzzer_sys::fuzz_target;
use usage_ledger::notes::Tags;
use usage_ledger::notes::line::clean;

fuzz_target!(|text: &str| {
    let once = clean(text).into_owned();
    assert!(once.len() <= text.len());
    assert!(!once.chars().any(|c| c.is_control()));
    assert_eq!(clean(&once), once.as_str());
    let tagged = Tags::of(&once) != Tags::default();
    assert!(!tagged || once.ends_with('}'));
});
