//! Ledgers with flipped bits and cut tails: nothing panics, little is lost, and it is named.

use std::collections::BTreeSet;

use usage_ledger::ledger::scan::{self, Item};

use crate::sandbox::{HEADER, SEED, Sandbox, text};

const NOTES: [&str; 8] = [
    "",
    "plain",
    "\"one, two\"",
    "\"said \"\"x\"\"\"",
    "größer ✅",
    "\", first\"",
    "{id=a1}",
    "\"\"\"\"",
];

fn ledger(rows: usize) -> String {
    let mut text = format!("{HEADER}\n");
    for n in 0..rows {
        let notes = NOTES[n % NOTES.len()];
        text +=
            &format!("2026-02-23T22:{:02}:{:02}Z,m{n},{n},2,true,plan,3,{notes}\n", n / 60, n % 60);
    }
    text
}

struct Seen {
    rows: BTreeSet<String>,
    skipped: Vec<u64>,
    is_refused: bool,
}

fn read(bytes: &[u8]) -> Seen {
    let mut seen = Seen { rows: BTreeSet::new(), skipped: Vec::new(), is_refused: false };
    let scanned = scan::scan(bytes, &mut |line, item| match item {
        Item::Row(found) => drop(seen.rows.insert(found.row.to_line())),
        Item::Bad(_) => seen.skipped.push(line),
        _ => {}
    });
    seen.is_refused = scanned.unwrap().is_err();
    seen
}

struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % limit
    }
}

#[test]
fn a_flipped_bit_costs_two_rows_at_most_and_they_are_named() {
    let whole = ledger(60).into_bytes();
    let rows = read(&whole).rows.len();
    let mut dice = Dice(1);
    let mut most = 0;
    for _ in 0..10_000 {
        let mut bytes = whole.clone();
        let at = dice.below(bytes.len());
        bytes[at] ^= 1 << dice.below(8);
        let seen = read(&bytes);
        assert!(!seen.is_refused, "byte {at}");
        // A flipped digit makes another row, which nobody can know; a skipped one is missing.
        let skipped = rows.saturating_sub(seen.rows.len());
        most = most.max(skipped);
        assert!(skipped <= 2, "byte {at} cost {skipped} rows");
        let line = bytes[..at].iter().filter(|b| **b == b'\n').count() as u64 + 1;
        if skipped > 0 {
            let near = seen.skipped.iter().any(|it| it.abs_diff(line) <= 1);
            assert!(near, "byte {at}, line {line}: named are {:?}", seen.skipped);
        }
    }
    eprintln!("10,000 flipped bits: 0 panics, at most {most} rows skipped by one");
}

#[test]
fn a_cut_costs_what_was_cut_off() {
    let whole = ledger(60).into_bytes();
    let mut dice = Dice(2);
    for _ in 0..1_000 {
        let at = HEADER.len() + 1 + dice.below(whole.len() - HEADER.len());
        let bytes = &whole[..at.min(whole.len())];
        let lines = bytes.iter().filter(|b| **b == b'\n').count() - 1;
        let seen = read(bytes);
        assert!(!seen.is_refused);
        assert!((lines..=lines + 1).contains(&seen.rows.len()), "cut at {at}");
    }
}

/// The writer's side of the same: whatever the end looks like, the next row is whole, and no whole
/// line before it is lost.
#[test]
fn the_next_row_is_whole_whatever_the_cut() {
    let whole = ledger(3).into_bytes();
    for at in 0..=whole.len() {
        let sandbox = Sandbox::new();
        sandbox.write(".telemetry/usage.csv", &whole[..at]);
        let output = sandbox.run("log-usage", &[&SEED[..], &["--durability", "none"]].concat());
        assert!(output.status.success(), "cut at {at}: {}", text(&output.stderr));
        let after = sandbox.read(".telemetry/usage.csv");
        let lines = whole[..at].iter().filter(|b| **b == b'\n').count().saturating_sub(1);
        let seen = read(after.as_bytes());
        assert!(after.ends_with(",notes\n") && after.starts_with(HEADER), "cut at {at}: {after}");
        assert_eq!(seen.skipped, [0; 0], "cut at {at}: {after}");
        assert!((lines + 1..=lines + 2).contains(&seen.rows.len()), "cut at {at}: {after}");
    }
}
