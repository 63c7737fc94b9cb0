//! Rows that the last commit has and the work tree lost: somebody's hand, or a tool that wrote an old
//! file over a new one. What was pruned is not lost.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use hashbrown::HashMap;

use crate::error::{Error, Result};
use crate::git::committed;
use crate::ledger::archived;
use crate::ledger::border;
use crate::ledger::distinct::{self, Rank};
use crate::ledger::files;
use crate::ledger::gzip;
use crate::ledger::plain::Found;
use crate::ledger::scan::{self, Item};
use crate::timestamp::Instant;
use crate::workspace::Place;

/// The lines of these rows, oldest first; none outside a repository.
///
/// # Errors
/// A file of the work tree that cannot be read.
pub fn rows(place: &Place) -> Result<Vec<String>> {
    // One sealed segment by itself is not the ledger: its rows may stand elsewhere.
    if place.folder().ends_with("archive") {
        return Ok(Vec::new());
    }
    let border = border::load(place)?;
    let archived = archived::load(place)?;
    let mut lost: HashMap<u128, (Instant, Rank)> = HashMap::new();
    for label in committed::changed(place.folder()) {
        if files::role(place, &label).is_none() {
            continue;
        }
        let Some(bytes) = committed::file_at(place.folder(), "HEAD", &label) else { continue };
        // Most files have only grown.
        if begins_with(&place.folder().join(&label), &bytes) {
            continue;
        }
        // What was moved out is where it was moved to.
        let is_listed = |it: &archived::Segment| label == format!("archive/{}", it.name);
        let mut listed = archived.iter().filter(|it| is_listed(it)).peekable();
        if listed.peek().is_some() {
            let sha256 = archived::sha256(&bytes);
            if listed.any(|it| it.sha256 == sha256) {
                continue;
            }
        }
        // A file that is no ledger in the commit has no row to lose.
        let _ = scan::scan(gzip::text(label.as_ref(), &*bytes), &mut |_, item| {
            if let Item::Row(Found { row, .. }) = item
                && border.is_none_or(|border| row.at.day() >= border)
            {
                let rank = distinct::rank(row);
                let of = (row.at.instant(), rank.clone());
                let stands = lost.entry(distinct::fingerprint(row)).or_insert(of);
                stands.1 = stands.1.clone().max(rank);
            }
        });
    }
    if lost.is_empty() {
        return Ok(Vec::new());
    }
    for file in files::all(place)? {
        let scanned = scan::file(&file, &mut |_, item| {
            if let Item::Row(Found { row, .. }) = item {
                let print = distinct::fingerprint(row);
                // A later revision stands for what is gone.
                if lost.get(&print).is_some_and(|(_, rank)| *rank <= distinct::rank(row)) {
                    lost.remove(&print);
                }
            }
        });
        // One that is no ledger holds no row of ours.
        if !matches!(scanned, Err(Error::Unreadable { .. })) {
            scanned?;
        }
    }
    let mut lost: Vec<(Instant, Rank)> = lost.into_values().collect();
    lost.sort();
    Ok(lost.into_iter().map(|(_, rank)| rank.line).collect())
}

fn begins_with(path: &Path, bytes: &[u8]) -> bool {
    let mut head = Vec::with_capacity(bytes.len());
    let file =
        File::open(path).and_then(|file| file.take(bytes.len() as u64).read_to_end(&mut head));
    file.is_ok() && head == bytes
}
