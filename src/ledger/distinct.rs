//! Counts every row once, however often git or an import brought it. Only rows of one instant can
//! be equal, so a run of rows in time order needs memory for one instant; of the instants that come
//! again, rows are remembered as 128 bits, and whole where another may stand in their place.

use std::cmp::Ordering;
use std::mem;
use std::str;

use hashbrown::hash_map::Entry;
use hashbrown::{HashMap, HashSet};
use sha2::{Digest, Sha256};

use crate::ledger::plain::Found;
use crate::notes::Tags;
use crate::record::Unquoter;
use crate::row::{Row, line_hash};
use crate::timestamp::Instant;

/// The id of a row that has none: this many bytes of its line's SHA-256, in hex.
const ID_BYTES: usize = 6;

/// Tells which rows of a run are to be counted.
#[derive(Default)]
pub struct Distinct {
    order: Order,
    /// The line of the newest instant's first row, which is needed only if another follows.
    first: Line,
    /// All rows of the newest instant, where there are several: what each is, and its line.
    several: HashMap<u128, String>,
    unquoter: Unquoter,
    repeated: u64,
}

/// What order the rows of a run are in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Order {
    /// The earliest instant.
    pub oldest: Option<Instant>,
    /// The latest one.
    pub newest: Option<Instant>,
    /// Instants that came again after a later one, or with another revision of a row.
    pub late: HashSet<Instant>,
    /// What rows without an id another row may stand for: one that was amended has its line's hash
    /// as its id.
    pub claimed: HashSet<u128>,
}

impl Distinct {
    /// Takes one row, with the tag block of its notes where there is one; true if it is to be
    /// counted. If the order of the rows turns out to have late instants, the answers for these
    /// were not right: then all rows are to be gone through again with [`Late`].
    #[inline(always)]
    pub fn take(&mut self, found: &Found<'_>, tags: Option<&Tags<'_>>) -> bool {
        let at = found.row.at.instant();
        if tags.is_some_and(|tags| tags.get("source").is_none() && tags.get("id").is_some()) {
            self.order.claimed.insert(fingerprint(&found.row));
        }
        match self.order.newest {
            Some(newest) if at <= newest => self.again(found, at == newest),
            newest => {
                if newest.is_none() {
                    self.order.oldest = Some(at);
                }
                self.order.newest = Some(at);
                self.first.keep(found);
                // To clear one that was large once would cost as much each time.
                if !self.several.is_empty() {
                    self.several = HashMap::new();
                }
                true
            }
        }
    }

    /// Takes another row of the newest instant, or one of an earlier.
    #[cold]
    fn again(&mut self, found: &Found<'_>, is_newest: bool) -> bool {
        let row = &found.row;
        let at = row.at.instant();
        if !is_newest {
            self.order.late.insert(at);
            self.order.oldest = self.order.oldest.min(Some(at));
            return false;
        }
        if self.several.is_empty()
            && let Ok(first) = str::from_utf8(self.first.bytes())
            && let Ok(first) = Row::parse_with(first, &mut self.unquoter)
        {
            let line = first.to_line();
            self.several.insert(fingerprint_of(&first, &line), line);
        }
        let line = row.to_line();
        match self.several.entry(fingerprint_of(row, &line)) {
            Entry::Vacant(place) => {
                place.insert(line);
                true
            }
            Entry::Occupied(known) => {
                if *known.get() != line {
                    self.order.late.insert(at);
                }
                self.repeated += 1;
                false
            }
        }
    }

    /// The order of the rows, and how many repeated another; ready for another run.
    pub fn finish(&mut self) -> (Order, u64) {
        self.several = HashMap::new();
        (mem::take(&mut self.order), mem::take(&mut self.repeated))
    }
}

/// A copy of one row's line. Most fit into a window of fixed size, whose copying takes a few
/// instructions and no branch.
struct Line {
    window: [u8; Line::WINDOW],
    /// How many bytes of the window; 0 where the line is in `long`.
    length: usize,
    long: Vec<u8>,
}

impl Line {
    const WINDOW: usize = 128;

    #[inline(always)]
    fn keep(&mut self, found: &Found<'_>) {
        match found.ahead.first_chunk() {
            Some(window) if found.is_plain && found.length <= Line::WINDOW => {
                self.window = *window;
                self.length = found.length;
            }
            _ => self.keep_long(found),
        }
    }

    fn keep_long(&mut self, found: &Found<'_>) {
        self.length = 0;
        self.long.clear();
        match found.is_plain {
            true => self.long.extend_from_slice(found.bytes()),
            false => found.row.write_line(&mut self.long),
        }
    }

    fn bytes(&self) -> &[u8] {
        match self.length {
            0 => self.long.strip_suffix(b"\n").unwrap_or(&self.long),
            length => &self.window[..length],
        }
    }
}

impl Default for Line {
    fn default() -> Line {
        Line { window: [0; Line::WINDOW], length: 0, long: Vec::new() }
    }
}

/// The rows of instants that came again, gathered from wherever they are.
#[derive(Default)]
pub struct Late {
    /// The instants.
    pub instants: HashSet<Instant>,
    /// As in [`Order`].
    pub claimed: HashSet<u128>,
}

impl Late {
    /// Whether rows of this instant are to be set aside.
    #[inline]
    pub fn holds(&self, at: Instant) -> bool {
        self.instants.contains(&at)
    }
}

/// Tells which rows of late instants are to be counted.
#[derive(Default)]
pub struct Aside {
    /// Rows that were counted and that no other can stand for.
    known: HashSet<u128>,
    /// Rows that another may stand for, with the number of their file.
    held: HashMap<u128, (Rank, usize)>,
    /// Lines that a greater revision of the same row stands for.
    corrected: HashSet<u128>,
    /// How many repeated another, byte for byte.
    pub repeated: u64,
}

impl Aside {
    /// Takes one row of the file with that number; true if it is to be counted at once.
    pub fn take(&mut self, row: &Row<'_>, late: &Late, file: usize) -> bool {
        let print = fingerprint(row);
        let may_be_replaced = Tags::of(&row.notes).get("id").is_some();
        if !may_be_replaced && !late.claimed.contains(&print) {
            let is_new = self.known.insert(print);
            self.repeated += u64::from(!is_new);
            return is_new;
        }
        let rank = rank(row);
        match self.held.get_mut(&print) {
            None => {
                self.held.insert(print, (rank, file));
            }
            Some(stands) => {
                let earlier = match rank.cmp(&stands.0) {
                    Ordering::Equal => None,
                    Ordering::Less => Some(rank.line),
                    Ordering::Greater => Some(mem::replace(stands, (rank, file)).0.line),
                };
                // What is seen again was said to be corrected already.
                let is_new = earlier.is_some_and(|line| self.corrected.insert(line_bits(&line)));
                self.repeated += u64::from(!is_new);
            }
        }
        false
    }

    /// How many earlier revisions of rows that were amended or refreshed were left out.
    pub fn corrected(&self) -> u64 {
        self.corrected.len() as u64
    }

    /// The lines that stand in the end, each with the number of its file.
    pub fn held(self) -> impl Iterator<Item = (String, usize)> {
        self.held.into_values().map(|(rank, file)| (rank.line, file))
    }
}

/// What makes two rows the same one: instant, source, id and model, as 128 bits. A row without an
/// id has one all the same, made of its line, with an empty source; so equal rows are the same.
pub fn fingerprint(row: &Row<'_>) -> u128 {
    fingerprint_of(row, &row.to_line())
}

/// The id of a row: that of its tags, else one made of its line.
pub fn id(row: &Row<'_>) -> String {
    match Tags::of(&row.notes).get("id") {
        Some(id) => id.to_owned(),
        None => line_hash(row.to_line().as_bytes(), ID_BYTES),
    }
}

/// The fingerprint of a row whose line is at hand.
fn fingerprint_of(row: &Row<'_>, line: &str) -> u128 {
    let tags = Tags::of(&row.notes);
    let line_id;
    let (source, id) = match tags.get("id") {
        Some(id) => (tags.get("source").unwrap_or_default(), id),
        None => {
            line_id = line_hash(line.as_bytes(), ID_BYTES);
            ("", line_id.as_str())
        }
    };
    let Instant { seconds, nanos } = row.at.instant();
    let mut hash = Sha256::new();
    hash.update(seconds.to_le_bytes());
    hash.update(nanos.to_le_bytes());
    for part in [source, "\0", id, "\0", &row.model] {
        hash.update(part);
    }
    bits_of(&hash.finalize())
}

/// 128 bits that two lines share only if they are the same.
pub fn line_bits(line: &str) -> u128 {
    bits_of(&Sha256::digest(line))
}

fn bits_of(digest: &[u8]) -> u128 {
    digest.iter().take(16).fold(0, |bits, byte| bits << 8 | u128::from(*byte))
}

/// Whether a row was written in another's stead: then it stands behind rows of a later time.
pub fn is_revision(row: &Row<'_>) -> bool {
    Tags::of(&row.notes).count("rev").is_some()
}

/// Of two rows that are the same the greater stands.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rank {
    /// Its revision, 0 where it has none.
    pub rev: u64,
    /// All its tokens.
    pub tokens: u64,
    /// Its line.
    pub line: String,
}

/// How much a row counts against another that is the same: by revision, then tokens, then bytes.
pub fn rank(row: &Row<'_>) -> Rank {
    let rev = Tags::of(&row.notes).count("rev").unwrap_or(0);
    Rank { rev, tokens: row.total_tokens(), line: row.to_line() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::scan::{Item, scan};
    use proptest::prelude::*;

    /// Goes through the rows as reports do, and gives what stands, how many repeat another, and how
    /// many were corrected.
    fn distinct(lines: &[String]) -> (Vec<String>, u64, u64) {
        let text = lines.join("\n");
        let rows = |take: &mut dyn FnMut(&Found<'_>) -> bool| {
            let mut seen = Vec::new();
            let mut visit = |_, item: Item<'_>| match item {
                Item::Row(found) if take(found) => seen.push(found.row.to_line()),
                _ => {}
            };
            scan(text.as_bytes(), &mut visit).unwrap().unwrap();
            seen
        };
        let mut pass = Distinct::default();
        let mut seen = rows(&mut |found| pass.take(found, Some(&Tags::of(&found.row.notes))));
        let (order, mut repeated) = pass.finish();
        let mut corrected = 0;
        if !order.late.is_empty() {
            let late = Late { instants: order.late, claimed: order.claimed };
            let mut aside = Aside::default();
            seen = rows(&mut |found| match late.holds(found.row.at.instant()) {
                true => aside.take(&found.row, &late, 0),
                false => pass.take(found, None),
            });
            repeated = pass.finish().1 + aside.repeated;
            corrected = aside.corrected();
            seen.extend(aside.held().map(|(line, _)| line));
        }
        seen.sort();
        (seen, repeated, corrected)
    }

    fn line(second: u8, tokens: u8, notes: &str) -> String {
        format!("2026-02-23T22:19:{second:02}Z,m,{tokens},2,true,plan,3,{notes}")
    }

    #[test]
    fn the_highest_revision_stands() {
        let id = line_hash(line(1, 5, "x").as_bytes(), ID_BYTES);
        for (lines, stands) in [
            (vec![line(1, 5, "{source=a id=b}"), line(1, 9, "{source=a id=b}")], 1),
            (vec![line(1, 9, "{source=a id=b}"), line(1, 5, "{source=a id=b rev=1}")], 1),
            (vec![line(1, 5, "{id=b}"), line(2, 5, ""), line(1, 5, "late {id=b}")], 0),
            (vec![line(1, 5, "x"), line(1, 5, &format!("amended {{id={id} rev=1}}"))], 1),
        ] {
            let (seen, repeated, corrected) = distinct(&lines);
            assert_eq!((repeated, corrected), (0, 1), "{lines:?}");
            assert!(seen.contains(&lines[stands]), "{lines:?}");
        }
        let apart = [line(1, 5, "{source=a id=b}"), line(1, 5, "{source=c id=b}"), line(1, 5, "")];
        assert_eq!((distinct(&apart).1, distinct(&apart).2), (0, 0));
    }

    proptest! {
        /// However the rows are ordered and repeated, the set is the same.
        #[test]
        fn order_and_repetition_do_not_matter(
            rows in prop::collection::vec((0u8..4, 0u8..3, 0usize..4), 0..30).prop_shuffle(),
        ) {
            let notes = ["", "x", "{id=a}", "{id=a rev=1}"];
            let lines: Vec<String> =
                rows.iter().map(|(second, tokens, at)| line(*second, *tokens, notes[*at])).collect();
            let (seen, repeated, corrected) = distinct(&lines);
            let mut sorted = lines.clone();
            sorted.sort();
            prop_assert_eq!(distinct(&sorted), (seen.clone(), repeated, corrected));
            let different: HashSet<&String> = lines.iter().collect();
            prop_assert_eq!(repeated as usize, lines.len() - different.len());
            prop_assert_eq!(corrected as usize, different.len() - seen.len());
            sorted.extend(lines.clone());
            prop_assert_eq!(&distinct(&sorted).0, &seen);
        }
    }
}
