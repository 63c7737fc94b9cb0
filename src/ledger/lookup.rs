//! Rows by their id, and the newest rows: of the rows that are the same, the one that stands.

use std::collections::{BTreeMap, BTreeSet};

use hashbrown::{HashMap, HashSet};
use sha2::{Digest, Sha256};

use crate::error::Result;
use crate::ledger::border;
use crate::ledger::distinct::{self, Rank};
use crate::ledger::files;
use crate::ledger::plain::Found;
use crate::ledger::scan::{self, Item};
use crate::notes::Tags;
use crate::row::Row;
use crate::timestamp::Instant;
use crate::workspace::Place;

/// So many characters of an id are enough where only one row has them.
pub const ID_PREFIX_MIN: usize = 6;

/// A row that stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The row.
    pub row: Row<'static>,
    /// Its id: that of its tags, else one made of its line.
    pub id: String,
    /// Whether a file of the ledger holds it, or what it is a revision of; else it waits.
    pub is_filed: bool,
    rank: Rank,
}

impl Standing {
    fn of(row: &Row<'_>, id: String, is_filed: bool) -> Standing {
        Standing { row: row.clone().into_owned(), id, is_filed, rank: distinct::rank(row) }
    }

    /// Its revision, which is the highest of all that are the same.
    pub fn rev(&self) -> u64 {
        self.rank.rev
    }

    /// Whether this row stands for it: it is the same row, and a later revision.
    pub fn is_revised_by(&self, row: &Row<'_>) -> bool {
        let is_same = distinct::fingerprint(row) == distinct::fingerprint(&self.row);
        is_same && distinct::rank(row).rev > self.rank.rev
    }

    fn meet(&mut self, row: &Row<'_>, is_filed: bool) {
        self.is_filed |= is_filed;
        if distinct::rank(row) > self.rank {
            *self = Standing::of(row, std::mem::take(&mut self.id), self.is_filed);
        }
    }
}

/// The rows with this id, else those whose id begins so; oldest first. The lines of `waiting` are
/// rows of the ledger, too.
///
/// # Errors
/// A file that cannot be read, or is no ledger.
pub fn by_id(place: &Place, waiting: &[String], given: &str) -> Result<Vec<Standing>> {
    let mut found: HashMap<u128, Standing> = HashMap::new();
    each(place, waiting, &mut |row, is_filed| {
        let id = distinct::id(row);
        if id == given || given.len() >= ID_PREFIX_MIN && id.starts_with(given) {
            let print = distinct::fingerprint(row);
            found
                .entry(print)
                .or_insert_with(|| Standing::of(row, id, is_filed))
                .meet(row, is_filed);
        }
    })?;
    let mut found: Vec<Standing> = found.into_values().collect();
    if found.iter().any(|it| it.id == given) {
        found.retain(|it| it.id == given);
    }
    found.sort_by(|a, b| (a.row.at.instant(), &a.rank).cmp(&(b.row.at.instant(), &b.rank)));
    Ok(found)
}

/// So many of the newest rows, oldest first.
///
/// # Errors
/// As [`by_id`].
pub fn newest(place: &Place, waiting: &[String], count: usize) -> Result<Vec<Standing>> {
    let mut found: BTreeMap<(Instant, u128), Standing> = BTreeMap::new();
    each(place, waiting, &mut |row, is_filed| {
        let at = row.at.instant();
        let oldest = found.first_key_value().map(|((oldest, _), _)| *oldest);
        // Most rows need no look at what they are.
        if found.len() >= count && oldest.is_none_or(|oldest| at < oldest) {
            return;
        }
        let of = || Standing::of(row, distinct::id(row), is_filed);
        found.entry((at, distinct::fingerprint(row))).or_insert_with(of).meet(row, is_filed);
        if found.len() > count {
            found.pop_first();
        }
    })?;
    Ok(found.into_values().collect())
}

/// What an import must know of a row that came from a source.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Known {
    /// Its revision.
    pub rev: u64,
    /// All its tokens.
    pub tokens: u64,
}

/// The rows that came from sources.
#[derive(Debug, Default)]
pub struct Imported {
    rows: HashMap<u64, Known>,
    sessions: HashSet<u64>,
    /// For each source what ids of its rows begin with, up to the last hyphen.
    prefixes: BTreeSet<(String, String)>,
}

impl Imported {
    /// Looks through a ledger; the lines of `waiting` are rows of it, too.
    ///
    /// # Errors
    /// As [`by_id`].
    pub fn load(place: &Place, waiting: &[String]) -> Result<Imported> {
        let mut imported = Imported::default();
        each(place, waiting, &mut |row, _| {
            let tags = Tags::of(&row.notes);
            let (Some(source), Some(id)) = (tags.get("source"), tags.get("id")) else { return };
            let rev = tags.count("rev").unwrap_or(0);
            let tokens = row.total_tokens();
            let known = imported.rows.entry(identity(source, id)).or_default();
            if (rev, tokens) >= (known.rev, known.tokens) {
                *known = Known { rev, tokens };
            }
            let prefix = id.rfind('-').map_or("", |at| &id[..=at]);
            if let Some(session) = tags.get("session") {
                imported.sessions.insert(identity(&format!("{source}|{prefix}"), session));
            }
            let is_new = |(s, p): &(String, String)| s == source && p == prefix;
            if !imported.prefixes.iter().any(is_new) {
                imported.prefixes.insert((source.to_owned(), prefix.to_owned()));
            }
        })?;
        Ok(imported)
    }

    /// What is known of a row, by its [`identity`].
    pub fn by_identity(&self, identity: u64) -> Option<Known> {
        self.rows.get(&identity).copied()
    }

    /// Whether a session has rows whose ids begin so.
    pub fn has_session(&self, source: &str, prefix: &str, session: &str) -> bool {
        self.sessions.contains(&identity(&format!("{source}|{prefix}"), session))
    }

    /// What ids of a source's rows begin with, up to the last hyphen.
    pub fn prefixes<'a>(&'a self, source: &'a str) -> impl Iterator<Item = &'a str> {
        self.prefixes.iter().filter(move |(it, _)| it == source).map(|(_, prefix)| prefix.as_str())
    }
}

/// What tells a row of a source from all others, as 64 bits.
pub fn identity(source: &str, id: &str) -> u64 {
    let digest = Sha256::digest(format!("{source}\0{id}"));
    digest.iter().take(8).fold(0, |bits, byte| bits << 8 | u64::from(*byte))
}

/// Of the rows with these identities those that stand.
///
/// # Errors
/// As [`by_id`].
pub fn by_identity(
    place: &Place,
    waiting: &[String],
    wanted: &HashSet<u64>,
) -> Result<HashMap<u64, Standing>> {
    let mut found: HashMap<u64, Standing> = HashMap::new();
    each(place, waiting, &mut |row, is_filed| {
        let tags = Tags::of(&row.notes);
        let (Some(source), Some(id)) = (tags.get("source"), tags.get("id")) else { return };
        let identity = identity(source, id);
        if wanted.contains(&identity) {
            let of = || Standing::of(row, id.to_owned(), is_filed);
            found.entry(identity).or_insert_with(of).meet(row, is_filed);
        }
    })?;
    Ok(found)
}

/// Every row of the ledger that was not pruned, and whether a file holds it.
fn each(place: &Place, waiting: &[String], visit: &mut dyn FnMut(&Row<'_>, bool)) -> Result<()> {
    let border = border::load(place)?;
    let mut visit = |row: &Row<'_>, is_filed| {
        if border.is_none_or(|border| row.at.day() >= border) {
            visit(row, is_filed);
        }
    };
    for file in files::all(place)? {
        scan::file(&file, &mut |_, item| {
            if let Item::Row(Found { row, .. }) = item {
                visit(row, true);
            }
        })?;
    }
    waiting.iter().flat_map(|line| Row::parse(line)).for_each(|row| visit(&row, false));
    Ok(())
}

/// The tags that a revision of this row must have, so that it stands for it: None takes one away.
pub fn tags_of_revision(standing: &Standing) -> Vec<(&'static str, Option<String>)> {
    let rev = ("rev", Some((standing.rev() + 1).to_string()));
    match Tags::of(&standing.row.notes).get("id") {
        Some(_) => vec![rev],
        // An id that is made of a row's line has no source.
        None => vec![("source", None), ("id", Some(standing.id.clone())), rev],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::row::HEADER;

    fn ledger(rows: &[&str]) -> (tempfile::TempDir, Place) {
        let folder = tempfile::tempdir().unwrap();
        let place = Place::of_file(&folder.path().join("usage.csv")).unwrap();
        std::fs::write(place.active(), format!("{HEADER}\n{}\n", rows.join("\n"))).unwrap();
        (folder, place)
    }

    #[test]
    fn the_greatest_revision_stands() {
        let row = "2026-02-23T22:19:28Z,m,1,2,true,plan,3,";
        let id = distinct::id(&Row::parse(row).unwrap());
        let (first, second) =
            (format!("{row}{{id={id} rev=2}}"), format!("{row}a {{id={id} rev=1}}"));
        let later = "2026-02-23T22:19:29Z,m,1,2,true,plan,3,{source=s id=abcdefgh}";
        let (_folder, place) = ledger(&[later, row, &first, &second]);
        let found = by_id(&place, &[], &id[..ID_PREFIX_MIN]).unwrap();
        assert_eq!(found.iter().map(|it| it.row.to_line()).collect::<Vec<_>>(), [first.as_str()]);
        assert_eq!(found[0].rev(), 2);
        assert_eq!(by_id(&place, &[], &id[..ID_PREFIX_MIN - 1]).unwrap(), []);
        let lines = |count| {
            let newest = newest(&place, &[], count).unwrap();
            newest.iter().map(|it| it.row.to_line()).collect::<Vec<_>>()
        };
        assert_eq!(lines(1), [later]);
        assert_eq!(lines(2), [first.as_str(), later]);
        assert_eq!(lines(9), [first.as_str(), later]);
        assert_eq!(lines(0), [""; 0]);
    }
}
