//! Counts every row once, however often git or an import brought it. Only rows of one instant can
//! be equal, so a ledger in time order needs memory for one instant; where files overlap, only the
//! rows of the instants that come again are remembered.

use hashbrown::{HashMap, HashSet};
use sha2::{Digest, Sha256};

use crate::notes::Tags;
use crate::row::{Row, TaskType, line_hash};
use crate::timestamp::{Instant, Timestamp};

/// The id of a row that has none: this many bytes of its line's SHA-256, in hex.
const ID_BYTES: usize = 6;

/// Takes rows in the files' order and hands each distinct one on, once.
///
/// Rows out of time order are found on the way; then what was handed on is not right, and the rows
/// must be gone through again by [`Distinct::again`], which knows which instants to wait for.
#[derive(Default)]
pub struct Distinct {
    current: Option<Instant>,
    group: Group,
    /// Instants that came again after a later one.
    late: HashSet<Instant>,
    /// Rows of late instants, kept to the end; None on the first pass.
    aside: Option<HashMap<Instant, Group>>,
    repeated: u64,
}

impl Distinct {
    /// Takes one row; `number` is the file's, handed on with it.
    pub fn take(&mut self, row: &Row<'_>, number: usize, out: &mut dyn FnMut(&Row<'_>, usize)) {
        let at = row.at.instant();
        if let Some(aside) = &mut self.aside
            && self.late.contains(&at)
        {
            self.repeated += u64::from(!aside.entry(at).or_default().add(row, number));
            return;
        }
        match self.current {
            Some(current) if at == current => {
                self.repeated += u64::from(!self.group.add(row, number));
            }
            Some(current) if at < current => {
                self.late.insert(at);
            }
            _ => {
                self.group.hand_on(out);
                self.current = Some(at);
                self.group.add(row, number);
            }
        }
    }

    /// Hands on the last rows. Gives how many rows repeated another, or what to go through the same
    /// rows again with.
    pub fn finish(mut self, out: &mut dyn FnMut(&Row<'_>, usize)) -> Result<u64, Again> {
        if self.aside.is_none() && !self.late.is_empty() {
            return Err(Again { late: self.late });
        }
        self.group.hand_on(out);
        for group in self.aside.iter_mut().flat_map(HashMap::values_mut) {
            group.hand_on(out);
        }
        Ok(self.repeated)
    }

    /// A second pass over the same rows.
    pub fn again(again: Again) -> Distinct {
        Distinct { late: again.late, aside: Some(HashMap::new()), ..Distinct::default() }
    }
}

/// The instants that were met out of order.
pub struct Again {
    late: HashSet<Instant>,
}

/// The distinct rows of one instant.
#[derive(Default)]
struct Group {
    rows: Vec<Kept>,
    /// How many of `rows` are in use; the others are kept for their memory.
    used: usize,
    /// Which row has which identity; filled only when a second row comes.
    identities: HashMap<Vec<u8>, usize>,
}

impl Group {
    /// Adds a row; false if it repeats another, of which the one that stands is kept.
    fn add(&mut self, row: &Row<'_>, number: usize) -> bool {
        if self.used == 0 {
            self.push(row, number);
            return true;
        }
        if self.identities.is_empty() {
            self.identities.insert(identity(&self.rows[0].row()), 0);
        }
        let identity = identity(row);
        match self.identities.get(&identity) {
            None => {
                self.identities.insert(identity, self.used);
                self.push(row, number);
                true
            }
            Some(at) => {
                if rank(row) > rank(&self.rows[*at].row()) {
                    self.rows[*at].keep(row, number);
                }
                false
            }
        }
    }

    fn push(&mut self, row: &Row<'_>, number: usize) {
        if self.used == self.rows.len() {
            self.rows.push(Kept::of(row));
        }
        self.rows[self.used].keep(row, number);
        self.used += 1;
    }

    fn hand_on(&mut self, out: &mut dyn FnMut(&Row<'_>, usize)) {
        for kept in &self.rows[..self.used] {
            out(&kept.row(), kept.number);
        }
        self.used = 0;
        self.identities.clear();
    }
}

/// What makes two rows of one instant the same one: source, id and model; a row without an id has
/// one all the same, made of its line, with an empty source. Equal rows have equal lines.
fn identity(row: &Row<'_>) -> Vec<u8> {
    let tags = Tags::of(&row.notes);
    let line_id;
    let (source, id) = match tags.get("id") {
        Some(id) => (tags.get("source").unwrap_or_default(), id),
        None => {
            line_id = line_hash(row.to_line().as_bytes(), ID_BYTES);
            ("", line_id.as_str())
        }
    };
    [source, id, &row.model].join("\0").into_bytes()
}

/// 128 bits that two rows of one instant share only if they are the same row.
pub fn fingerprint(row: &Row<'_>) -> u128 {
    let digest = Sha256::digest(identity(row));
    digest.iter().take(16).fold(0, |bits, byte| bits << 8 | u128::from(*byte))
}

/// Of two rows with one identity the greater stands: by revision, then tokens, then bytes.
pub fn rank(row: &Row<'_>) -> (u64, u64, String) {
    let rev = Tags::of(&row.notes).count("rev").unwrap_or(0);
    (rev, row.total_tokens(), row.to_line())
}

/// A row that outlives the buffer it was read from, in memory that is used again.
struct Kept {
    text: String,
    model_start: usize,
    notes_start: usize,
    at: Timestamp,
    prompt_tokens: u64,
    completion_tokens: u64,
    success: bool,
    task_type: TaskType,
    duration_ms: u64,
    number: usize,
}

impl Kept {
    fn of(row: &Row<'_>) -> Kept {
        Kept {
            text: String::new(),
            model_start: 0,
            notes_start: 0,
            at: row.at,
            prompt_tokens: 0,
            completion_tokens: 0,
            success: false,
            task_type: row.task_type,
            duration_ms: 0,
            number: 0,
        }
    }

    fn keep(&mut self, row: &Row<'_>, number: usize) {
        self.text.clear();
        self.text.push_str(&row.stamp);
        self.model_start = self.text.len();
        self.text.push_str(&row.model);
        self.notes_start = self.text.len();
        self.text.push_str(&row.notes);
        self.at = row.at;
        self.prompt_tokens = row.prompt_tokens;
        self.completion_tokens = row.completion_tokens;
        self.success = row.success;
        self.task_type = row.task_type;
        self.duration_ms = row.duration_ms;
        self.number = number;
    }

    fn row(&self) -> Row<'_> {
        Row {
            at: self.at,
            stamp: self.text[..self.model_start].into(),
            model: self.text[self.model_start..self.notes_start].into(),
            prompt_tokens: self.prompt_tokens,
            completion_tokens: self.completion_tokens,
            success: self.success,
            task_type: self.task_type,
            duration_ms: self.duration_ms,
            notes: self.text[self.notes_start..].into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn distinct(lines: &[String]) -> (Vec<String>, u64) {
        let rows: Vec<Row<'_>> = lines.iter().map(|line| Row::parse(line).unwrap()).collect();
        let mut seen = Vec::new();
        let mut pass = Distinct::default();
        for row in &rows {
            pass.take(row, 0, &mut |row, _| seen.push(row.to_line()));
        }
        let repeated = match pass.finish(&mut |row, _| seen.push(row.to_line())) {
            Ok(repeated) => repeated,
            Err(again) => {
                seen.clear();
                let mut pass = Distinct::again(again);
                for row in &rows {
                    pass.take(row, 0, &mut |row, _| seen.push(row.to_line()));
                }
                pass.finish(&mut |row, _| seen.push(row.to_line())).ok().unwrap()
            }
        };
        seen.sort();
        (seen, repeated)
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
            let (seen, repeated) = distinct(&lines);
            assert_eq!(repeated, 1, "{lines:?}");
            assert!(seen.contains(&lines[stands]), "{lines:?}");
        }
        let apart = [line(1, 5, "{source=a id=b}"), line(1, 5, "{source=c id=b}"), line(1, 5, "")];
        assert_eq!(distinct(&apart).1, 0);
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
            let (seen, repeated) = distinct(&lines);
            prop_assert_eq!(seen.len() + repeated as usize, lines.len());
            let mut sorted = lines.clone();
            sorted.sort();
            prop_assert_eq!(&distinct(&sorted).0, &seen);
            sorted.extend(lines);
            prop_assert_eq!(&distinct(&sorted).0, &seen);
        }
    }
}
