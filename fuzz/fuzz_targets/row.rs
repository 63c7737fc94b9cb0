//! The row parser: what it takes it writes, and reads again as the same row.
#![no_main]

use libfuzzer_sys::fuzz_target;
use usage_ledger::row::Row;

fuzz_target!(|line: &str| {
    if let Ok(row) = Row::parse(line) {
        let again = row.to_line();
        // Notes of several lines are read, but never written.
        if !row.notes.contains(['\n', '\r']) {
            assert_eq!(Row::parse(&again).as_ref(), Ok(&row));
        }
    }
});
