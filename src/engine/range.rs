//! `--range A..B`: the rows that one commit has and another has not, from git's objects alone.

use hashbrown::HashSet;

use crate::engine::gathered::{Blob, Gathered, blobs, scan};
use crate::engine::inputs::Input;
use crate::error::{Error, Result, excerpt, shell_word};
use crate::git::branches::short;
use crate::git::objects::{Objects, Repository};
use crate::ledger::scan::Scanner;
use crate::report::Commits;
use crate::report::left_out::LeftOut;
use crate::workspace::Place;

/// What a range means in this repository.
#[derive(Clone, Debug)]
pub struct Range {
    /// The commit whose rows are meant.
    pub to: String,
    /// What it is called: a branch's name where it is one.
    pub name: String,
    /// The commit whose rows are not; None for all rows.
    from: Option<String>,
    /// How reports say it.
    pub words: Commits,
}

/// What the user typed, taken apart.
#[derive(Debug, PartialEq, Eq)]
struct Typed<'a> {
    from: Option<&'a str>,
    to: &'a str,
    /// Whether from where both parted.
    is_symmetric: bool,
}

fn typed(text: &str) -> Typed<'_> {
    let or_head = |revision| if str::is_empty(revision) { "HEAD" } else { revision };
    let (split, is_symmetric) = match text.split_once("...") {
        Some(both) => (Some(both), true),
        None => (text.split_once(".."), false),
    };
    match split {
        Some((from, to)) => Typed { from: Some(or_head(from)), to: or_head(to), is_symmetric },
        None => Typed { from: None, to: or_head(text), is_symmetric },
    }
}

/// Finds the commits of a range.
///
/// # Errors
/// A revision that does not exist.
pub fn resolve(repository: &Repository, text: &str) -> Result<Range> {
    if text.is_empty() {
        return Err(Error::Usage {
            problem: "--range: it is empty".to_owned(),
            fix: "--range main..HEAD".to_owned(),
        });
    }
    let typed = typed(text);
    let Typed { from, to, is_symmetric } = typed;
    let commit = |revision: &str| match repository.commit(revision)? {
        Some(hash) => Ok(hash),
        None => Err(unknown(repository, &typed, revision)?),
    };
    let mut lacking = Vec::new();
    let mut base = None;
    let end = commit(to)?;
    if let Some(from) = from {
        let start = commit(from)?;
        lacking.push(from.to_owned());
        base = Some(start.clone());
        if is_symmetric {
            base = repository.merge_base(&start, &end)?;
            lacking.push(to.to_owned());
            if base.is_none() {
                return Err(parted(repository, text, from, to)?);
            }
        }
    }
    let current = repository.current_branch()?;
    let local = to.strip_prefix("refs/heads/").unwrap_or(to);
    let is_here = matches!(to, "HEAD" | "@") || current.as_deref() == Some(local);
    let name = match (is_here, current) {
        (true, Some(current)) => current,
        (true, None) => "HEAD".to_owned(),
        (false, _) => short(to).strip_prefix("origin/").unwrap_or(short(to)).to_owned(),
    };
    let of = (!is_here || from.is_none()).then(|| text.to_owned());
    Ok(Range { to: end, name, from: base, words: Commits { of, lacking } })
}

/// That a revision does not exist, and what to do about it.
fn unknown(repository: &Repository, typed: &Typed<'_>, revision: &str) -> Result<Error> {
    let is_shallow = repository.is_shallow()?;
    let clone = if is_shallow { "this shallow clone" } else { "this repository" };
    let problem = format!("--range: {clone} has no commit \"{}\"", excerpt(revision));
    let is_name = |c: char| c.is_ascii_alphanumeric() || "-_./".contains(c);
    let may_be_branch = revision.chars().all(is_name)
        && !revision.starts_with(['-', '.', '/'])
        && !revision.starts_with("origin/");
    let remote = format!("origin/{revision}");
    let or_remote = |it: &str| if it == revision { remote.clone() } else { it.to_owned() };
    let dots = if typed.is_symmetric { "..." } else { ".." };
    let from = typed.from.map(|from| or_remote(from) + dots).unwrap_or_default();
    let instead = format!("--range {}", shell_word(&excerpt(&(from + &or_remote(typed.to)))));
    let fix = match (may_be_branch, is_shallow) {
        // Many clones have local branches only of what was worked on.
        (true, _) if repository.commit(&remote)?.is_some() => instead,
        // A clone of one branch keeps others only if it is told where.
        (true, true) => format!(
            "git fetch --unshallow; or git fetch origin {revision}:refs/remotes/{remote}, then \
             {instead}"
        ),
        (false, true) => "git fetch --unshallow".to_owned(),
        (_, false) => "git branch --all lists the branches, git tag the tags".to_owned(),
    };
    Ok(Error::Usage { problem, fix })
}

fn parted(repository: &Repository, text: &str, from: &str, to: &str) -> Result<Error> {
    let (from, to) = (excerpt(from), excerpt(to));
    let problem = format!("--range: no commit is in the past of both \"{from}\" and \"{to}\"");
    let fix = match repository.is_shallow()? {
        true => "git fetch --unshallow".to_owned(),
        false => format!("--range {}", shell_word(&excerpt(&text.replacen("...", "..", 1)))),
    };
    Ok(Error::Usage { problem, fix })
}

/// The rows of a range, as the files they stand in; and what of these cannot be read.
///
/// # Errors
/// git fails, or a file is no ledger.
pub fn inputs(
    repository: &Repository,
    place: &Place,
    range: &Range,
) -> Result<(Vec<Input>, LeftOut)> {
    let mut objects = Objects::of(repository)?;
    let mut scanner = Scanner::default();
    let (mut known, mut gathered) = (Vec::new(), Gathered::default());
    if let Some(from) = &range.from {
        known = blobs(repository, place, from)?;
    }
    let ids: HashSet<&str> = known.iter().map(|blob| blob.id.as_str()).collect();
    let files = blobs(repository, place, &range.to)?;
    // What is byte for byte the same has nothing new.
    let mut differing: Vec<&Blob> =
        files.iter().filter(|blob| !ids.contains(blob.id.as_str())).collect();
    differing.dedup_by_key(|blob| &blob.id);
    for blob in differing {
        gathered.add(&mut objects, &mut scanner, blob)?;
    }
    // The newest files hold most of what a branch shares with its base.
    for blob in known.iter().rev() {
        if gathered.is_empty() {
            break;
        }
        scan(&mut objects, &mut scanner, blob, |_, item| gathered.know(&item, true))?;
    }
    Ok(gathered.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_taken_apart_as_git_does() {
        for (text, from, to, is_symmetric) in [
            ("main..HEAD", Some("main"), "HEAD", false),
            ("main..", Some("main"), "HEAD", false),
            ("..topic", Some("HEAD"), "topic", false),
            ("main...topic", Some("main"), "topic", true),
            ("v1.2..v1.3", Some("v1.2"), "v1.3", false),
            ("v1.2", None, "v1.2", false),
            ("", None, "HEAD", false),
        ] {
            assert_eq!(typed(text), Typed { from, to, is_symmetric }, "{text}");
        }
    }
}
