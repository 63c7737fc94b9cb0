//! Pruning: the one command that deletes rows. First the border is written down, then what is before
//! it goes, file by file: whoever dies on the way loses no row on or after it, and the same command
//! finishes the job.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, ErrorKind, Seek, Write};
use std::path::Path;

use crate::error::{Error, Result};
use crate::git::WorkTree;
use crate::ledger::archived;
use crate::ledger::around::Around;
use crate::ledger::border;
use crate::ledger::disk;
use crate::ledger::files::{self, LedgerFile, Role};
use crate::ledger::gzip;
use crate::ledger::lock::Lock;
use crate::ledger::rotate;
use crate::ledger::scan::{self, Item};
use crate::ledger::segment::Policy;
use crate::ledger::waiting::{self, Due};
use crate::row::{HEADER, Row};
use crate::timestamp::Day;
use crate::workspace::Place;

/// What pruning would delete, or has deleted.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Pruned {
    /// All rows.
    pub rows: u64,
    /// All their tokens.
    pub tokens: u128,
    /// Their first and last day.
    pub span: Option<(Day, Day)>,
    /// File by file.
    pub files: Vec<Cut>,
    /// How many rows of segments that went to an archive will not count any more, at most.
    pub archived: u64,
}

/// What goes from one file.
#[derive(Debug, PartialEq, Eq)]
pub struct Cut {
    /// The file, as reports name it.
    pub file: String,
    /// Rows that go.
    pub rows: u64,
    /// Rows that stay.
    pub kept: u64,
    /// Whether the file itself goes.
    pub is_whole: bool,
}

impl Pruned {
    fn add(&mut self, sum: Sum, cut: Cut) {
        self.rows += cut.rows;
        self.tokens += sum.tokens;
        self.span = match (self.span, sum.span) {
            (Some((a, b)), Some((c, d))) => Some((a.min(c), b.max(d))),
            (mine, more) => mine.or(more),
        };
        self.files.push(cut);
    }
}

/// What rows that go come to.
#[derive(Default)]
struct Sum {
    tokens: u128,
    span: Option<(Day, Day)>,
}

impl Sum {
    fn add(&mut self, row: &Row<'_>) {
        let day = row.at.day();
        self.tokens += u128::from(row.prompt_tokens) + u128::from(row.completion_tokens);
        self.span = Some(self.span.map_or((day, day), |(from, to)| (from.min(day), to.max(day))));
    }
}

/// What reports call the rows that are in no file of the ledger yet.
const WAITING: &str = "rows that wait for a commit";

/// What pruning would delete now; nothing is changed. `tree` is the work tree in which rows may wait
/// for a commit.
///
/// # Errors
/// A file that cannot be read, or is no ledger.
pub fn survey(place: &Place, tree: Option<&WorkTree>, border: Day) -> Result<Pruned> {
    let mut pruned = Pruned::default();
    for file in files::all(place)? {
        if let Some(piece) = look(&file, border)? {
            pruned.add(piece.sum, piece.cut);
        }
    }
    if let Some(waits) = Waits::of(place, tree, border)? {
        pruned.add(waits.sum, waits.cut);
    }
    pruned.archived = archived(place, border)?;
    Ok(pruned)
}

/// How many rows are in segments that went to an archive, and may be from before the border.
fn archived(place: &Place, border: Day) -> Result<u64> {
    if border::load(place)? >= Some(border) {
        return Ok(0);
    }
    let unseen = archived::unseen_in(place)?.into_iter().map(|it| it.segment);
    Ok(unseen.filter(|it| it.first.day() < border).map(|it| it.rows).sum())
}

/// Rows from before the border that wait for a commit.
struct Waits {
    due: Vec<Due>,
    sum: Sum,
    cut: Cut,
}

impl Waits {
    /// None where there are none.
    fn of(place: &Place, tree: Option<&WorkTree>, border: Day) -> Result<Option<Waits>> {
        // Without the folder there is no place for the border.
        let Some(tree) = tree.filter(|_| place.folder().is_dir()) else { return Ok(None) };
        let cut = Cut { file: WAITING.to_owned(), rows: 0, kept: 0, is_whole: false };
        let mut waits = Waits { due: waiting::due(tree)?, sum: Sum::default(), cut };
        for Due { rows, .. } in &mut waits.due {
            rows.retain(|waiting| match Row::parse(&waiting.line) {
                Ok(row) if tree.top.join(&waiting.home.ledger) == place.folder() => {
                    let is_old = row.at.day() < border;
                    match is_old {
                        true => waits.sum.add(&row),
                        false => waits.cut.kept += 1,
                    }
                    is_old
                }
                _ => false,
            });
            waits.cut.rows += rows.len() as u64;
        }
        Ok((waits.cut.rows > 0).then_some(waits))
    }

    fn delete(&self, policy: &Policy) -> Result<()> {
        for Due { journal, rows } in &self.due {
            if !rows.is_empty() {
                journal.release(policy, &rows.iter().collect())?;
            }
        }
        Ok(())
    }
}

/// Deletes every row whose own calendar day is before the border. Lines that cannot be read stay,
/// and every other line stays byte for byte.
///
/// # Errors
/// What was deleted till then is before the border; the same command deletes the rest.
pub fn prune(
    place: &Place,
    tree: Option<&WorkTree>,
    policy: &Policy,
    around: &Around<'_>,
    border: Day,
) -> Result<Pruned> {
    if !place.folder().is_dir() {
        return Ok(Pruned::default());
    }
    let mut lock = Lock::take(&place.lock(), policy.wait)?;
    around.wait();
    if lock.is_marked() {
        rotate::clear(place)?;
    }
    let fail = |path: &Path, error: &io::Error| Error::io("prune", path, error);
    let mut pruned = Pruned::default();
    let archived = archived(place, border)?;
    for file in files::all(place)? {
        let Some(mut piece) = look(&file, border)? else { continue };
        if pruned.files.is_empty() {
            lock.mark(true).map_err(|error| fail(&place.lock(), &error))?;
            begin(place, policy, border)?;
        }
        let cut = match piece.cut.is_whole {
            true => remove(&piece.input, &file.path),
            false => rewrite(&mut piece, &file.path, &place.temp(0)),
        };
        let folder = file.path.parent().unwrap_or(place.folder());
        let synced = cut.map(|()| disk::sync_folder(folder, policy.durability));
        let reason = match synced {
            Ok(Ok(())) => None,
            Ok(Err(Error::SyncFailed { reason, .. })) => Some(reason),
            Ok(Err(error)) => return Err(error),
            Err(error) => Some(error.to_string()),
        };
        if let Some(reason) = reason {
            return Err(Error::Unfinished { path: file.path, reason });
        }
        pruned.add(piece.sum, piece.cut);
    }
    if let Some(waits) = Waits::of(place, tree, border)? {
        if pruned.files.is_empty() {
            begin(place, policy, border)?;
        }
        waits.delete(policy)?;
        pruned.add(waits.sum, waits.cut);
    }
    pruned.archived = archived;
    if pruned.files.is_empty() && archived > 0 {
        // Whoever puts them back brings back no row.
        begin(place, policy, border)?;
    }
    if lock.is_marked() {
        lock.mark(false).map_err(|error| fail(&place.lock(), &error))?;
    }
    Ok(pruned)
}

/// Copies of the ledger that a repair or a dead writer left, whose rows stay.
pub fn copies(place: &Place) -> Vec<String> {
    let name = place.name().to_string_lossy();
    let marks = [format!("{name}.before-repair"), format!("{name}.torn")];
    let entries = fs::read_dir(place.folder()).into_iter().flatten().flatten();
    let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    let mut copies: Vec<String> =
        names.filter(|name| marks.iter().any(|mark| name.starts_with(mark))).collect();
    copies.sort();
    copies
}

/// Writes the border down, and ends a rotation that was cut short: of two names of one file, one
/// would keep what the other has lost.
fn begin(place: &Place, policy: &Policy, border: Day) -> Result<()> {
    if border::load(place)? < Some(border) {
        let (path, text) = (place.pruned(), border::moved(place, border)?);
        let old = File::open(&path).ok();
        disk::replace(&path, &place.temp(0), old.as_ref(), &mut |new| {
            new.write_all(text.as_bytes())
        })
        .map_err(|error| Error::io("write", &path, &error))?;
        disk::sync_folder(place.folder(), policy.durability)?;
    }
    let active = files::active(place);
    if files::older(place)?.iter().any(|file| files::is_also(file, &active)) {
        let old = File::open(&active.path).ok();
        disk::replace(&active.path, &place.temp(0), old.as_ref(), &mut |new| {
            new.write_all(format!("{HEADER}\n").as_bytes())
        })
        .map_err(|error| Error::io("rotate", &active.path, &error))?;
        disk::sync_folder(place.folder(), policy.durability)?;
    }
    Ok(())
}

/// One file that has rows from before the border.
struct Piece {
    input: File,
    /// The lines that go: the first of each stretch, and the one behind its last.
    lines: Vec<(u64, u64)>,
    sum: Sum,
    cut: Cut,
}

/// Looks for rows from before the border; None where the file has none, or is gone.
fn look(file: &LedgerFile, border: Day) -> Result<Option<Piece>> {
    let input = match File::open(&file.path) {
        Ok(input) => input,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Error::io("read", &file.path, &error)),
    };
    let cut = Cut { file: file.label.clone(), rows: 0, kept: 0, is_whole: false };
    let mut lines: Vec<(u64, u64)> = Vec::new();
    let mut piece = Piece { input, lines: Vec::new(), sum: Sum::default(), cut };
    let mut has_more = false;
    scan::opened(&piece.input, file, &mut |line, item| match item {
        Item::Row(found) => {
            let day = found.row.at.day();
            if day >= border {
                piece.cut.kept += 1;
                return;
            }
            let end = line + 1 + memchr::memchr_iter(b'\n', found.bytes()).count() as u64;
            match lines.last_mut() {
                Some(last) if last.1 == line => last.1 = end,
                _ => lines.push((line, end)),
            }
            piece.cut.rows += 1;
            piece.sum.add(&found.row);
        }
        Item::Bad(_) | Item::Marker => has_more = true,
        Item::Header | Item::Blank => {}
    })?;
    let is_needed = file.role == Role::Active || has_more || piece.cut.kept > 0;
    piece.cut.is_whole = !is_needed;
    piece.lines = lines;
    Ok((piece.cut.rows > 0).then_some(piece))
}

fn remove(input: &File, path: &Path) -> io::Result<()> {
    match disk::is_at(input, path) {
        true => disk::remove(path),
        false => Err(disk::replaced()),
    }
}

/// The file without the lines that go.
fn rewrite(piece: &mut Piece, path: &Path, temp: &Path) -> io::Result<()> {
    piece.input.rewind()?;
    let write = &mut |new: &mut dyn Write| {
        let mut old = BufReader::with_capacity(1 << 16, gzip::text(path, &piece.input));
        let mut stretches = piece.lines.iter().peekable();
        let mut bytes = Vec::new();
        for line in 1.. {
            bytes.clear();
            if old.read_until(b'\n', &mut bytes)? == 0 {
                break;
            }
            while stretches.next_if(|(_, end)| *end <= line).is_some() {}
            if stretches.peek().is_none_or(|(start, _)| line < *start) {
                new.write_all(&bytes)?;
            }
        }
        Ok(())
    };
    disk::replace(path, temp, Some(&piece.input), &mut |new| gzip::write(path, new, write))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Lines as a file, a merge or a careless hand may leave them.
    fn line() -> impl Strategy<Value = String> {
        let notes = prop::sample::select(vec!["", "\"a, b\"", "\"two\nlines\"", "\"never closed"]);
        let row = (1u8..29, notes).prop_map(|(day, notes)| {
            format!("2026-02-{day:02}T22:19:28Z,m,1,2,true,plan,3,{notes}")
        });
        let other = ["=======", "", "garbage", "2026-02-03T22:19:28Z,m,1,2,yes,plan,3,", HEADER];
        prop_oneof![4 => row, 1 => prop::sample::select(other.to_vec()).prop_map(str::to_owned)]
    }

    /// What a file holds: its rows, and everything else as it stands there.
    fn contents(path: &Path) -> (Vec<String>, u64) {
        let (mut rows, mut bad) = (Vec::new(), 0);
        let mut visit = |_, item: Item<'_>| match item {
            Item::Row(found) => rows.push(found.row.to_line()),
            Item::Bad(_) | Item::Marker => bad += 1,
            _ => {}
        };
        scan::scan(File::open(path).unwrap(), &mut visit).unwrap().unwrap();
        (rows, bad)
    }

    proptest! {
        #[test]
        fn only_rows_from_before_the_border_go(
            lines in prop::collection::vec(line(), 0..30),
            ending in prop::sample::select(vec!["\n", "\r\n"]),
            day in 1u8..30,
        ) {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("usage.csv");
            let text = format!("{HEADER}{ending}{}", lines.join(ending));
            fs::write(&path, &text).unwrap();
            let (rows, bad) = contents(&path);
            let border = Day::parse(&format!("2026-02-{:02}", day.min(28))).unwrap();
            let file = LedgerFile { path, label: "usage.csv".to_owned(), role: Role::Active };
            let is_kept = |line: &&String| Row::parse(line).unwrap().at.day() >= border;
            let kept: Vec<String> = rows.iter().filter(is_kept).cloned().collect();
            match look(&file, border).unwrap() {
                None => prop_assert_eq!(kept.len(), rows.len()),
                Some(mut piece) => {
                    let cut = &piece.cut;
                    prop_assert_eq!(cut.rows as usize, rows.len() - kept.len());
                    rewrite(&mut piece, &file.path, &folder.path().join("temp")).unwrap();
                    let after = fs::read_to_string(&file.path).unwrap();
                    let mut before = text.lines();
                    prop_assert!(after.lines().all(|line| before.any(|it| it == line)));
                    let (rows_after, bad_after) = contents(&file.path);
                    prop_assert_eq!(rows_after, kept);
                    // A line behind a quote that is never closed may now count as part of it.
                    prop_assert!(bad_after <= bad && (bad_after > 0 || bad == 0));
                }
            }
        }
    }
}
