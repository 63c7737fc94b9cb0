//! Which rows wait for which commit.

use std::collections::HashMap;

use crate::error::Result;
use crate::git::branch;
use crate::git::{self, WorkTree};
use crate::ledger::distinct;
use crate::ledger::journal::{Journal, Waiting};
use crate::ledger::segment::Policy;
use crate::row::Row;
use crate::workspace::Place;

/// Rows of one journal.
#[derive(Debug)]
pub struct Due {
    /// The journal.
    pub journal: Journal,
    /// At least one row.
    pub rows: Vec<Waiting>,
}

/// The rows that wait for a commit of the branch that is checked out; those whose branch or work
/// tree is gone are adopted by it.
///
/// # Errors
/// A journal that cannot be read.
pub fn due(tree: &WorkTree) -> Result<Vec<Due>> {
    let mut all = all(tree)?;
    if all.is_empty() {
        return Ok(all);
    }
    let (shared, current) = (tree.shared(), branch::current(&tree.own));
    let mine = Journal::of_work_tree(&shared, &tree.own).map(|journal| journal.worktree);
    let mut branches: HashMap<String, bool> = HashMap::new();
    for Due { journal, rows } in &mut all {
        let name = journal.worktree.as_deref();
        let is_gone = name.is_some_and(|name| !shared.join("worktrees").join(name).is_dir());
        let is_ours = is_gone || mine.as_ref() == Some(&journal.worktree);
        rows.retain(|row| match row.home.branch.as_str() {
            "" => is_ours,
            name if name == current => true,
            name => {
                let exists = branches.entry(name.to_owned());
                !*exists.or_insert_with(|| branch::exists(&shared, name))
            }
        });
    }
    all.retain(|due| !due.rows.is_empty());
    Ok(all)
}

/// The lines of the rows that are [`due`] in one ledger.
///
/// # Errors
/// A journal that cannot be read.
pub fn lines(tree: &WorkTree, place: &Place) -> Result<Vec<String>> {
    let rows = due(tree)?.into_iter().flat_map(|due| due.rows);
    let here = rows.filter(|row| tree.top.join(&row.home.ledger) == place.folder());
    Ok(here.map(|row| row.line).collect())
}

/// Puts a revision in the place of what it stands for among the rows that are [`due`] in one ledger:
/// what waits is nobody's yet. How many rows these were.
///
/// # Errors
/// A journal that cannot be read, or changed; it is as it was.
pub fn revise(
    tree: &WorkTree,
    place: &Place,
    policy: &Policy,
    revision: &Row<'_>,
) -> Result<usize> {
    let (print, line) = (distinct::fingerprint(revision), revision.to_line());
    let revised = |waiting: &Waiting| {
        let row = Row::parse(&waiting.line).ok()?;
        let is_here = tree.top.join(&waiting.home.ledger) == place.folder();
        (is_here && distinct::fingerprint(&row) == print).then(|| line.clone())
    };
    let mut count = 0;
    for Due { journal, rows } in due(tree)? {
        // Another one takes revisions where this one cannot be written.
        if rows.iter().any(|row| revised(row).is_some()) && journal.is_writable() {
            let is_due = |row: &Waiting| revised(row).filter(|_| rows.contains(row));
            count += journal.replace(policy, &is_due)?;
        }
    }
    Ok(count)
}

/// All rows that wait in this repository.
///
/// # Errors
/// A journal that cannot be read.
pub fn all(tree: &WorkTree) -> Result<Vec<Due>> {
    let mut journals = Journal::all(&tree.shared())?;
    let inside = Journal::in_work_tree(&tree.top, &tree.own);
    // One that was committed is somebody else's.
    let path = inside.place().active();
    journals.extend(
        Some(inside).filter(|it| !it.is_empty() && !path.is_symlink() && !git::tracks(&path)),
    );
    let mut all = Vec::new();
    for journal in journals.into_iter().filter(|journal| !journal.is_empty()) {
        let rows = journal.rows()?;
        all.extend((!rows.is_empty()).then_some(Due { journal, rows }));
    }
    Ok(all)
}
