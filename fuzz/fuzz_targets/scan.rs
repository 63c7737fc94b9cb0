//! The scanner: no bytes make it panic, lines are given in order, and it does not matter in which
//! pieces the bytes arrive.
#![no_main]

use std::io::{self, Read};

use libfuzzer_sys::fuzz_target;
use usage_ledger::ledger::scan::{self, Item};

/// A reader that gives a few bytes at a time.
struct Drops<'a>(&'a [u8]);

impl Read for Drops<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let bytes = self.0.len().min(buffer.len()).min(7);
        buffer[..bytes].copy_from_slice(&self.0[..bytes]);
        self.0 = &self.0[bytes..];
        Ok(bytes)
    }
}

fn read(input: impl Read) -> (Vec<(u64, String)>, bool) {
    let mut seen: Vec<(u64, String)> = Vec::new();
    let scanned = scan::scan(input, &mut |line, item| {
        assert!(seen.last().is_none_or(|(last, _)| *last < line));
        let text = match item {
            Item::Row(found) => found.row.to_line(),
            other => format!("{other:?}"),
        };
        seen.push((line, text));
    });
    (seen, scanned.unwrap().is_ok())
}

fuzz_target!(|bytes: &[u8]| {
    assert_eq!(read(bytes), read(Drops(bytes)));
});
