//! Three versions of one file of a ledger → the one that git is to keep. Records are moved as they
//! are, never read and written anew: a field that this version does not know would be lost. Pure.

use crate::ledger::fields::{
    BOM, Columns, RECORD_BYTES_MAX, begins_header, begins_row, is_marker, parse,
};
use crate::record::{self, StrayQuote, Unquoter};
use crate::row::HEADER;
use crate::timestamp::{Instant, Reader};

/// Which version of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The one that both others come from.
    Base,
    /// The one of the branch that is merged into.
    Ours,
    /// The one of the branch that is merged.
    Theirs,
}

impl Side {
    /// As git calls it.
    pub fn name(self) -> &'static str {
        match self {
            Side::Base => "base",
            Side::Ours => "ours",
            Side::Theirs => "theirs",
        }
    }
}

/// Why nothing was merged: a guess could lose rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Doubt {
    /// The version that cannot be understood.
    pub side: Side,
    /// Its line, the first being 1.
    pub line: u64,
    /// What is wrong with the line, as a predicate.
    pub reason: &'static str,
}

/// A record and the moment by which it is placed.
type Placed<'a> = (Instant, &'a [u8]);

/// Merges by the larger change: each record stands as often as in the base, and the larger number
/// of those that one side added more, and the larger number of those that one side removed less.
/// The sum of both changes would count twice what was squashed, picked or rotated on both sides.
/// The result is the header and the records by instant and bytes, each line ended by LF; so it is
/// the same whichever side is ours.
///
/// # Errors
/// A version with something in it that is neither a row with a timestamp nor our header.
pub fn merge(base: &[u8], ours: &[u8], theirs: &[u8]) -> Result<Vec<u8>, Doubt> {
    let base = records(base, Side::Base)?;
    let ours = records(ours, Side::Ours)?;
    let theirs = records(theirs, Side::Theirs)?;
    let mut sides = [&base[..], &ours[..], &theirs[..]];
    let mut merged = Vec::new();
    merged.extend_from_slice(HEADER.as_bytes());
    merged.push(b'\n');
    while let Some(next) = sides.iter().filter_map(|side| side.first()).min().copied() {
        let [base, ours, theirs] = sides.each_mut().map(|side| take(side, next));
        for _ in 0..count(base, ours, theirs) {
            merged.extend_from_slice(next.1);
            merged.push(b'\n');
        }
    }
    Ok(merged)
}

/// How often a record is to stand that stands so often in each version.
fn count(base: usize, ours: usize, theirs: usize) -> usize {
    let added = ours.max(theirs).saturating_sub(base);
    let removed = base.saturating_sub(ours.min(theirs));
    base + added - removed
}

/// Takes all copies of a record from the beginning, and gives how many there were.
fn take(sorted: &mut &[Placed<'_>], record: Placed<'_>) -> usize {
    let copies = sorted.iter().take_while(|it| **it == record).count();
    *sorted = &sorted[copies..];
    copies
}

/// The records of a file, sorted; without their line ends, headers and blank lines.
fn records(bytes: &[u8], side: Side) -> Result<Vec<Placed<'_>>, Doubt> {
    let bytes = bytes.strip_prefix(BOM).unwrap_or(bytes);
    let mut records = Vec::with_capacity(bytes.len() / ROW_BYTES);
    let mut stamps = Reader::default();
    let mut unquoter = Unquoter::default();
    let (mut at, mut line) = (0, 1);
    while at < bytes.len() {
        let doubt = |reason| Doubt { side, line, reason };
        let rest = &bytes[at..];
        let end = record_end(rest, &mut unquoter).map_err(doubt)?;
        let record = trim_cr(&rest[..end]);
        at += end + 1;
        if is_marker(record) {
            return Err(doubt("is a marker of a merge conflict"));
        } else if begins_header(record) {
            if Columns::of(record) != Ok(Columns::OURS) {
                return Err(doubt("is another header than the ledger's"));
            }
        } else if !record.trim_ascii().is_empty() {
            let instant = instant(record, &mut stamps);
            records.push((instant.ok_or_else(|| doubt("has no timestamp in front"))?, record));
        }
        line += 1 + memchr::memchr_iter(b'\n', record).count() as u64;
    }
    // What a writer appends is in order but for what clocks do, so this is little work.
    records.sort();
    Ok(records)
}

/// Rows are rarely shorter, so that room for this many is room enough.
const ROW_BYTES: usize = 64;

/// Where the line ends that closes the first record, or the bytes do. Readers take the same bytes
/// for one record.
fn record_end(bytes: &[u8], unquoter: &mut Unquoter) -> Result<usize, &'static str> {
    let line_end = memchr::memchr(b'\n', bytes).unwrap_or(bytes.len());
    if line_end > RECORD_BYTES_MAX + 1 {
        return Err("is longer than 64 KiB");
    }
    let line = &bytes[..line_end];
    if memchr::memchr(b'"', line).is_none() {
        return Ok(line_end);
    }
    let window = &bytes[..bytes.len().min(RECORD_BYTES_MAX + 2)];
    let end = match record::end(window) {
        // The last line end may be missing.
        None if window.len() == bytes.len() => {
            match record::end(&[window, b"\n".as_slice()].concat()) {
                Some(Ok(end)) if end == bytes.len() => Some(end),
                _ => None,
            }
        }
        Some(Ok(end)) => Some(end),
        Some(Err(StrayQuote)) | None => None,
    };
    match end {
        Some(end) if end == line_end => Ok(end),
        // A stray quote may find another one far below: several lines must be a row together.
        Some(end) if parse(&None, unquoter, trim_cr(&bytes[..end])).is_ok() => Ok(end),
        _ if !record::has_open_quote(line) => Ok(line_end),
        _ => Err("has a quote that is not closed"),
    }
}

fn trim_cr(record: &[u8]) -> &[u8] {
    record.strip_suffix(b"\r").unwrap_or(record)
}

/// The moment in a record's first field, which may be quoted; the other fields are not looked at.
fn instant(record: &[u8], stamps: &mut Reader) -> Option<Instant> {
    if !begins_row(record) {
        return None;
    }
    let field = record.split(|byte| *byte == b',').next()?;
    let bare = field.strip_prefix(b"\"").and_then(|field| field.strip_suffix(b"\""));
    Some(stamps.read(bare.unwrap_or(field))?.instant())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn row(second: u8, notes: &str) -> String {
        format!("2026-02-23T22:19:{second:02}Z,m,1,2,true,plan,3,{notes}")
    }

    fn file(rows: &[String]) -> String {
        rows.iter().fold(format!("{HEADER}\n"), |text, row| text + row + "\n")
    }

    fn merged(base: &str, ours: &str, theirs: &str) -> String {
        let merged = merge(base.as_bytes(), ours.as_bytes(), theirs.as_bytes()).unwrap();
        String::from_utf8(merged).unwrap()
    }

    /// How often each row of a merged file stands there.
    fn counts(text: &str) -> BTreeMap<&str, usize> {
        let mut counts = BTreeMap::new();
        text.lines().skip(1).for_each(|line| *counts.entry(line).or_default() += 1);
        counts
    }

    #[test]
    fn both_sides_rows_stand_in_order_of_time() {
        let base = file(&[row(5, "base")]);
        let ours = file(&[row(5, "base"), row(9, "ours")]);
        let theirs = file(&[row(5, "base"), row(7, "theirs"), row(1, "late")]);
        let expected = file(&[row(1, "late"), row(5, "base"), row(7, "theirs"), row(9, "ours")]);
        assert_eq!(merged(&base, &ours, &theirs), expected);
        // The instant counts, not the letters.
        let (east, west) = ("2026-02-23T23:00:00+02:00,e", "2026-02-23T20:30:00-01:00,w");
        let text = merged("", &format!("{west}\n"), &format!("{east}\n"));
        assert_eq!(text, file(&[east.to_owned(), west.to_owned()]));
    }

    #[test]
    fn the_larger_change_counts() {
        for (base, ours, theirs, expected) in [
            (0, 0, 0, 0),
            (0, 1, 1, 1),
            (0, 2, 1, 2),
            (1, 0, 0, 0),
            (1, 0, 1, 0),
            (1, 1, 1, 1),
            (1, 2, 3, 3),
            (3, 1, 2, 1),
            (2, 3, 0, 1),
        ] {
            assert_eq!(count(base, ours, theirs), expected, "{base} {ours} {theirs}");
            assert_eq!(count(base, theirs, ours), expected, "{base} {theirs} {ours}");
        }
    }

    #[test]
    fn what_editors_do_to_line_ends_is_undone() {
        let plain = file(&[row(1, "a"), row(2, "b")]);
        for text in [
            plain.replace('\n', "\r\n"),
            plain.trim_end().to_owned(),
            format!("\u{FEFF}{plain}"),
            format!("\n{plain}\r\n  \n"),
            format!("{HEADER}\n{plain}"),
            plain.replace(HEADER, &HEADER.replace("model", "\"model\"")),
            plain.replace(&format!("{HEADER}\n"), ""),
        ] {
            assert_eq!(merged(&text, &text, &text), plain, "{text:?}");
            assert_eq!(merged("", &text, &plain), plain, "{text:?}");
        }
        assert_eq!(merged("", "", ""), file(&[]));
    }

    #[test]
    fn records_stay_as_they_are() {
        for record in [
            row(1, "\"a, \"\"b\"\"\nc\r\n2026\""),
            row(1, "\"quoted though plain\""),
            row(1, "a \"stray\" quote"),
            row(1, "one,two,three"),
            "\"2026-02-23T22:19:12z\",m,01".to_owned(),
        ] {
            for end in ["\n", "\r\n", ""] {
                let text = format!("{HEADER}\n{record}{end}");
                assert_eq!(merged("", &text, ""), file(std::slice::from_ref(&record)));
            }
        }
        let bytes = b"2026-02-23T22:19:12Z,\xFF\n";
        assert!(merge(b"", bytes, b"").unwrap().ends_with(bytes));
    }

    #[test]
    fn what_is_not_understood_is_not_merged() {
        let good = row(1, "a");
        let open = row(2, "\"b");
        let long = row(2, &"x".repeat(RECORD_BYTES_MAX));
        for (bad, reason) in [
            ("<<<<<<< HEAD", "is a marker of a merge conflict"),
            ("=======", "is a marker of a merge conflict"),
            (open.as_str(), "has a quote that is not closed"),
            (&format!("{open}\n{good}\n{}", row(3, "\"c\"")), "has a quote that is not closed"),
            (&long, "is longer than 64 KiB"),
            ("timestamp,model,tokens", "is another header than the ledger's"),
            ("day,tokens", "has no timestamp in front"),
            ("2026-02-30T00:00:00Z,m,1,2,true,plan,3,", "has no timestamp in front"),
            ("2026-02-23T22:1", "has no timestamp in front"),
            ("\0\0\0", "has no timestamp in front"),
        ] {
            let text = format!("{HEADER}\n{}\n{bad}\n", row(0, "\"x\ny\""));
            for (side, [base, ours, theirs]) in [
                (Side::Base, [text.as_str(), "", ""]),
                (Side::Ours, ["", &text, ""]),
                (Side::Theirs, ["", "", &text]),
            ] {
                let merged = merge(base.as_bytes(), ours.as_bytes(), theirs.as_bytes());
                assert_eq!(merged, Err(Doubt { side, line: 4, reason }), "{bad}");
            }
        }
    }

    /// Few different rows, so that sides share some and repeat some.
    fn rows() -> impl Strategy<Value = Vec<String>> {
        let notes = prop::sample::select(vec!["", "a", "\"b\nc\"", "\"d, \"\"e\"\"\""]);
        let one = (0u8..4, notes).prop_map(|(second, notes)| row(second, notes));
        prop::collection::vec(one, 0..12)
    }

    fn counted(text: &str) -> BTreeMap<Placed<'_>, usize> {
        let mut counts = BTreeMap::new();
        let records = records(text.as_bytes(), Side::Base).unwrap();
        records.into_iter().for_each(|record| *counts.entry(record).or_default() += 1);
        counts
    }

    proptest! {
        /// It is the same whichever side is ours, and done twice; sorted, and with one header.
        #[test]
        fn sides_are_alike(base in rows(), ours in rows(), theirs in rows()) {
            let [base, ours, theirs] = [base, ours, theirs].map(|rows| file(&rows));
            let text = merged(&base, &ours, &theirs);
            prop_assert_eq!(&merged(&base, &theirs, &ours), &text);
            prop_assert_eq!(&merged(&base, &ours, &theirs), &text);
            // What both sides agree on stands, whatever was before.
            prop_assert_eq!(&merged(&base, &text, &text), &text);
            prop_assert_eq!(&merged(&text, &text, &text), &text);
            prop_assert_eq!(text.matches(HEADER).count(), 1);
            let body = &text.as_bytes()[HEADER.len() + 1..];
            let mut unquoter = Unquoter::default();
            let (mut at, mut all) = (0, Vec::new());
            while at < body.len() {
                let end = at + record_end(&body[at..], &mut unquoter).unwrap();
                let record = &body[at..end];
                all.push((instant(record, &mut Reader::default()).unwrap(), record));
                at = end + 1;
            }
            prop_assert!(all.is_sorted());
        }

        /// Every record that a side added is there; of the base's, only those are gone that a side
        /// removed; nothing stands more often than on any side.
        #[test]
        fn no_record_is_lost_or_made_up(base in rows(), ours in rows(), theirs in rows()) {
            let [base, ours, theirs] = [base, ours, theirs].map(|rows| file(&rows));
            let text = merged(&base, &ours, &theirs);
            let [base, ours, theirs, all] = [&base, &ours, &theirs, &text].map(|it| counted(it));
            let of = |side: &BTreeMap<Placed<'_>, usize>, record| {
                side.get(record).copied().unwrap_or(0)
            };
            for record in base.keys().chain(ours.keys()).chain(theirs.keys()) {
                let [b, o, t, n] = [&base, &ours, &theirs, &all].map(|it| of(it, record));
                prop_assert!(n > 0 || (o <= b && t <= b), "added, but not there: {record:?}");
                prop_assert!(n >= b || o < b || t < b, "removed by nobody: {record:?}");
                prop_assert!(n <= b.max(o).max(t), "more than anywhere: {record:?}");
            }
            prop_assert!(all.keys().all(|it| of(&base, it) + of(&ours, it) + of(&theirs, it) > 0));
        }

        /// Of rows that are unique, as a writer makes them: what was merged in once changes nothing
        /// when it is merged in again.
        #[test]
        fn a_second_merge_adds_nothing(base in rows(), ours in rows(), theirs in rows()) {
            let [base, ours, theirs] = [base, ours, theirs].map(|mut rows| {
                rows.sort();
                rows.dedup();
                file(&rows)
            });
            let text = merged(&base, &ours, &theirs);
            prop_assert_eq!(&merged(&base, &text, &theirs), &text);
            prop_assert_eq!(&merged(&base, &ours, &text), &text);
            prop_assert!(counted(&text).values().all(|copies| *copies == 1));
        }

        /// The rule is what it says, record by record, for files of one-line rows.
        #[test]
        fn it_agrees_with_counting(base in rows(), ours in rows(), theirs in rows()) {
            let sides = [base, ours, theirs].map(|mut rows| {
                rows.retain(|row| !row.contains('\n'));
                file(&rows)
            });
            let text = merged(&sides[0], &sides[1], &sides[2]);
            let [b, o, t] = [0, 1, 2].map(|at: usize| counts(&sides[at]));
            let mut expected = BTreeMap::new();
            for row in b.keys().chain(o.keys()).chain(t.keys()) {
                let of = |side: &BTreeMap<&str, usize>| side.get(row).copied().unwrap_or(0) as i64;
                let (b, o, t) = (of(&b), of(&o), of(&t));
                let n = b + (o - b).max(t - b).max(0) - (b - o).max(b - t).max(0);
                if n > 0 {
                    expected.insert(*row, n as usize);
                }
            }
            prop_assert_eq!(counts(&text), expected);
        }

        /// Whatever the bytes are, it answers.
        #[test]
        fn it_never_panics(sides in prop::array::uniform3("(2026-02-23T22:19:12Z,m|[\",\r\n<=>a-c])*")) {
            let [base, ours, theirs] = sides.each_ref().map(String::as_bytes);
            let text = merge(base, ours, theirs);
            prop_assert_eq!(text.is_ok(), merge(base, theirs, ours).is_ok());
        }
    }
}
