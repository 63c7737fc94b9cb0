//! The notes' cleaner: one line without control characters, and a second pass changes nothing.
#![no_main]

use libfuzzer_sys::fuzz_target;
use usage_ledger::notes::{self, Tags};

fuzz_target!(|text: &str| {
    let clean = notes::clean(text).into_owned();
    assert!(clean.len() <= text.len());
    assert!(!clean.chars().any(|c| c.is_control()));
    assert_eq!(notes::clean(&clean), clean.as_str());
    let tagged = Tags::of(&clean) != Tags::default();
    assert!(!tagged || clean.ends_with('}'));
});
