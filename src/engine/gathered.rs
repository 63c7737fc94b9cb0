//! Rows of files that are no files of the work tree, each once, less those that are known from
//! elsewhere. Memory is held for these rows alone, however large the files beside them are.

use std::io::Read;

use hashbrown::hash_map::Entry;
use hashbrown::{HashMap, HashSet};

use crate::engine::inputs::Input;
use crate::error::{Error, Result};
use crate::git::objects::{Objects, Repository, TreeFile};
use crate::ledger::distinct::{Rank, fingerprint, rank};
use crate::ledger::files::{self, Role};
use crate::ledger::gzip;
use crate::ledger::scan::{Item, NotALedger, Part, Scanner};
use crate::report::left_out::{LeftOut, SkippedLine};
use crate::row::{HEADER, Row};
use crate::timestamp::Instant;
use crate::workspace::Place;

/// A file of the ledger at some commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blob {
    /// What it is called in reports: its path below the ledger's folder.
    pub label: String,
    /// The part that it plays.
    pub role: Role,
    /// The name of its bytes.
    pub id: String,
    /// The commit, as errors name it.
    pub commit: String,
}

/// The ledger's files at a commit, oldest first.
///
/// # Errors
/// git fails.
pub fn blobs(repository: &Repository, place: &Place, commit: &str) -> Result<Vec<Blob>> {
    let files = repository.files(commit)?;
    let blob = |TreeFile { path, id }| {
        let role = files::role(place, &path)?;
        Some(Blob { label: path, role, id, commit: commit.get(..12).unwrap_or(commit).to_owned() })
    };
    let mut blobs: Vec<Blob> = files.into_iter().filter_map(blob).collect();
    blobs.sort_by(|a, b| (a.role, &a.label).cmp(&(b.role, &b.label)));
    Ok(blobs)
}

/// Lets `see` look at everything in a file.
///
/// # Errors
/// It cannot be read, or is no ledger.
pub fn scan(
    objects: &mut Objects,
    scanner: &mut Scanner,
    blob: &Blob,
    mut see: impl FnMut(u64, Item<'_>),
) -> Result<()> {
    let name = || format!("{} at {}", blob.label, blob.commit);
    objects.read(&blob.id, |bytes| {
        let text = gzip::text(blob.label.as_ref(), bytes);
        match scanner.scan(text, Part::WHOLE, &mut see) {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(NotALedger { line, reason })) => {
                Err(Error::Unreadable { file: name(), line, reason })
            }
            Err(error) => Err(Error::io("read", name().as_ref(), &error)),
        }
    })
}

/// The rows.
#[derive(Default)]
pub struct Gathered {
    rows: HashMap<u128, Held>,
    /// When they are: only rows of these moments need to be looked at closer.
    instants: HashSet<Instant>,
    /// What the files are called.
    files: Vec<String>,
    /// What cannot be read.
    pub left_out: LeftOut,
}

struct Held {
    rank: Rank,
    at: Instant,
    file: usize,
}

impl Gathered {
    /// Adds the rows of a file.
    ///
    /// # Errors
    /// It cannot be read, or is no ledger.
    pub fn add(&mut self, objects: &mut Objects, scanner: &mut Scanner, blob: &Blob) -> Result<()> {
        let Gathered { rows, instants, files, left_out } = self;
        files.push(blob.label.clone());
        let file = files.len() - 1;
        let named = |line, reason| SkippedLine { file: blob.label.clone(), line, reason };
        scan(objects, scanner, blob, |line, item| match item {
            Item::Row(found) => {
                let (rank, at) = (rank(&found.row), found.row.at.instant());
                match rows.entry(fingerprint(&found.row)) {
                    Entry::Vacant(place) => {
                        instants.insert(at);
                        place.insert(Held { rank, at, file });
                    }
                    Entry::Occupied(mut held) if held.get().rank < rank => {
                        held.insert(Held { rank, at, file });
                    }
                    Entry::Occupied(_) => {}
                }
            }
            Item::Bad(refused) => left_out.lines.push(named(line, refused.short())),
            Item::Marker => left_out.markers.push(named(line, "conflict marker".to_owned())),
            Item::Header | Item::Blank => {}
        })
    }

    /// Takes one thing that is known from elsewhere: a row is dropped if it is known in this
    /// revision, or in any where `is_any` says so.
    pub fn know(&mut self, item: &Item<'_>, is_any: bool) {
        match item {
            Item::Row(found) => self.know_row(&found.row, is_any),
            Item::Bad(refused) if !self.left_out.lines.is_empty() => {
                let reason = refused.short();
                let lines = &mut self.left_out.lines;
                if let Some(at) = lines.iter().position(|line| line.reason == reason) {
                    lines.remove(at);
                }
            }
            _ => {}
        }
    }

    fn know_row(&mut self, row: &Row<'_>, is_any: bool) {
        if !self.instants.contains(&row.at.instant()) {
            return;
        }
        if let Entry::Occupied(held) = self.rows.entry(fingerprint(row))
            && (is_any || held.get().rank <= rank(row))
        {
            held.remove();
        }
    }

    /// Whether nothing is left that could be known from elsewhere.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty() && self.left_out.lines.is_empty()
    }

    /// The rows that are left, as the files they were in; and what could not be read.
    pub fn finish(self) -> (Vec<Input>, LeftOut) {
        let mut rows: Vec<Held> = self.rows.into_values().collect();
        let order = |it: &Held| (it.file, it.at);
        rows.sort_by(|a, b| order(a).cmp(&order(b)).then_with(|| a.rank.line.cmp(&b.rank.line)));
        let mut inputs = Vec::new();
        for rows in rows.chunk_by(|a, b| a.file == b.file) {
            let mut text = format!("{HEADER}\n");
            rows.iter().for_each(|row| {
                text += &row.rank.line;
                text.push('\n');
            });
            inputs.push(Input::in_memory(&self.files[rows[0].file], text.into_bytes()));
        }
        let left_out = LeftOut { unreadable: self.left_out.lines.len() as u64, ..self.left_out };
        (inputs, left_out)
    }

    /// Drops what an input holds.
    ///
    /// # Errors
    /// It cannot be read, or is no ledger.
    pub fn know_input(&mut self, scanner: &mut Scanner, input: &Input) -> Result<()> {
        let bytes: &mut dyn Read = &mut input.open((0, input.bytes()), &|_| ())?;
        let mut see = |_, item: Item<'_>| self.know(&item, false);
        match scanner.scan(bytes, Part::WHOLE, &mut see) {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(NotALedger { line, reason })) => {
                Err(Error::Unreadable { file: input.label.clone(), line, reason })
            }
            Err(error) => Err(input.fail(&error)),
        }
    }
}
