//! `log-usage consent purge`: says what it will delete, asks, and deletes it. Rows are never among it.

use std::fs;
use std::io::{self, ErrorKind, IsTerminal};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{ArgGroup, Args};
use usage_ledger::error::{Error, Result, shown};
use usage_ledger::figures::{self, counted};
use usage_ledger::ledger::lock::{self, Lock};
use usage_ledger::ledger::prune;
use usage_ledger::ledger::waiting;
use usage_ledger::privacy::record::Record;
use usage_ledger::setup;
use usage_ledger::workspace::Place;

use crate::consent::choices::Which;
use crate::consent::kept;
use crate::user;
use crate::voice;
use crate::world::{Choice, Target};
use crate::write::work_tree;

#[derive(Args)]
#[command(
    group = ArgGroup::new("what").required(true).multiple(true),
    override_usage = "log-usage consent purge [OPTIONS]\n       \
                      <--events|--capture|--spool|--identity|--all>"
)]
pub(super) struct Purge {
    /// The events of this ledger
    #[arg(long, group = "what")]
    events: bool,
    /// What was captured here
    #[arg(long, group = "what")]
    capture: bool,
    /// What waits to be exported, of all ledgers
    #[arg(long, group = "what")]
    spool: bool,
    /// The key of your pseudonyms: new ones cannot be joined with the old
    #[arg(long, group = "what")]
    identity: bool,
    /// All of that, and your choices, the hooks' log and the cache, of all repositories
    #[arg(long, group = "what")]
    all: bool,
    /// Do not ask
    #[arg(long, short)]
    yes: bool,
    /// Say what would be deleted, change nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    which: Which,
}

const CAPTURES: &str = "captures";

/// Something to be deleted, and all below it.
struct Doomed {
    what: &'static str,
    path: PathBuf,
    files: usize,
    bytes: u64,
}

pub(super) fn run(options: &Purge) -> Result<ExitCode> {
    let target = options.which.target()?;
    let found = options.found(&target)?;
    // Afterwards nobody knows any more where they are.
    let elsewhere = options.elsewhere(&target, &found)?;
    if found.is_empty() {
        let text = format!("nothing to delete\n{elsewhere}{}", left(&target)?);
        return Ok(voice::print(text.as_bytes()));
    }
    if options.dry_run {
        let text = said("would delete", &found) + &elsewhere + &left(&target)?;
        return Ok(voice::print(text.as_bytes()));
    }
    if !options.yes {
        if !(io::stdin().is_terminal() && io::stderr().is_terminal()) {
            return Err(Error::Usage {
                problem:
                    "purge would delete what cannot be brought back, and there is no terminal \
                          to ask on"
                        .to_owned(),
                fix: "look at it with --dry-run, then pass --yes".to_owned(),
            });
        }
        voice::say(said("will delete", &found).trim_end());
        voice::ask("Delete all of it? [y/N] ");
        if !matches!(answer()?.as_deref(), Some("y" | "yes")) {
            voice::say("nothing was deleted");
            return Ok(ExitCode::from(1));
        }
    }
    options.delete(&target, &found)?;
    let text = said("deleted", &found) + &elsewhere + &left(&target)?;
    Ok(voice::print(text.as_bytes()))
}

/// One line of standard input, in small letters; None where it has ended.
pub(super) fn answer() -> Result<Option<String>> {
    let mut answer = String::new();
    let read = io::stdin().read_line(&mut answer);
    let bytes = read.map_err(|error| Error::io("read", "standard input".as_ref(), &error))?;
    Ok((bytes > 0).then(|| answer.trim().to_ascii_lowercase()))
}

impl Purge {
    /// What there is of what was named.
    fn found(&self, target: &Target) -> Result<Vec<Doomed>> {
        let mut paths: Vec<(&'static str, PathBuf)> = Vec::new();
        for place in self.places(target)? {
            if self.events || self.all {
                paths.extend(kept::events(&place).into_iter().map(|path| ("events", path)));
                let locks = locks(&place).map(|path| ("a lock of the events", path));
                paths.extend(locks);
            }
            let has_any = || !kept::captures(&place).is_empty();
            if self.all || self.capture && has_any() {
                paths.push((CAPTURES, place.capture()));
            }
        }
        if self.all {
            paths.extend(kept::own());
        } else {
            paths.extend(kept::spool().filter(|_| self.spool).map(|path| ("spool", path)));
            let key = kept::identity().filter(|_| self.identity);
            paths.extend(key.map(|path| ("the key of your pseudonyms, everywhere", path)));
        }
        paths.retain(|(_, path)| kept::is_there(path));
        Ok(paths.into_iter().map(|(what, path)| Doomed::at(what, path)).collect())
    }

    /// What is kept beside the user's own ledger belongs to no repository.
    fn places(&self, target: &Target) -> Result<Vec<Place>> {
        let mut places = kept::places(target)?;
        places.truncate(if self.all { places.len() } else { 1 });
        Ok(places)
    }

    fn delete(&self, target: &Target, found: &[Doomed]) -> Result<()> {
        let mut places = self.places(target)?;
        places.retain(|place| (self.events || self.all) && place.folder().is_dir());
        let locks: Vec<PathBuf> = places.iter().flat_map(locks).collect();
        // Whoever appends an event meanwhile waits, and then begins anew.
        let held = locks.iter().map(|path| Lock::take(path, lock::WAIT));
        let held = held.collect::<Result<Vec<Lock>>>()?;
        for path in found.iter().map(|doomed| &doomed.path).chain(&locks) {
            delete(path)?;
        }
        drop(held);
        if self.all {
            // Only one that is empty goes.
            kept::own_folders().iter().for_each(|folder| drop(fs::remove_dir(folder)));
        }
        Ok(())
    }

    /// What is left of this user outside this work tree.
    fn elsewhere(&self, target: &Target, found: &[Doomed]) -> Result<String> {
        let mut text = String::new();
        let mut folders = Vec::new();
        if self.events || self.capture || self.all {
            folders.extend(kept::other_trees(&target.of_events()?));
        }
        if self.all {
            text += &not_ours(found);
            text += &own_ledger(target);
            let record = user::consent_record().and_then(|path| Record::load(&path).ok());
            let here = target.repository();
            let others = record.unwrap_or_default().repositories.into_keys();
            let others = others.filter(|other| *other != here);
            folders.extend(others.map(|other| other.trim_end_matches("/.git").into()));
        }
        for folder in folders {
            let folder = shown(&folder);
            text += &format!("what was recorded in {folder} stays: run this command there, too\n");
        }
        Ok(text)
    }
}

/// The locks of those who write events, in the order in which they take them.
fn locks(place: &Place) -> [PathBuf; 2] {
    let events = place.events();
    [events.tally_lock(), events.lock()]
}

/// What is in our folders, but the user's: it stays.
fn not_ours(found: &[Doomed]) -> String {
    let mut all: Vec<PathBuf> = kept::own_folders().iter().flat_map(|it| kept::files(it)).collect();
    all.sort();
    all.dedup();
    all.retain(|path| !found.iter().any(|doomed| path.starts_with(&doomed.path)));
    all.iter().map(|path| format!("not deleted: {}  (yours)\n", shown(path))).collect()
}

/// Deletes a file, a folder with all in it, or a link itself.
fn delete(path: &Path) -> Result<()> {
    let is_folder = fs::symlink_metadata(path).is_ok_and(|meta| meta.is_dir());
    let deleted = if is_folder { fs::remove_dir_all(path) } else { fs::remove_file(path) };
    match deleted {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(Error::io("delete", path, &error)),
        _ => Ok(()),
    }
}

impl Doomed {
    fn at(what: &'static str, path: PathBuf) -> Doomed {
        let mut files = kept::files(&path);
        // What hides them from git goes with them, and is none.
        files.retain(|file| what != CAPTURES || !file.ends_with(".gitignore"));
        let bytes = |path: &PathBuf| fs::symlink_metadata(path).map_or(0, |meta| meta.len());
        let bytes = files.iter().map(bytes).sum();
        Doomed { what, files: files.len(), bytes, path }
    }
}

fn said(verb: &str, found: &[Doomed]) -> String {
    let mut text = format!("{verb}:\n");
    for Doomed { what, path, files, bytes } in found {
        text += &format!(
            "  {}  ({what}; {}, {} bytes)\n",
            shown(path),
            counted(*files as u64, "file"),
            figures::thousands((*bytes).into())
        );
    }
    text
}

/// The ledger of the user's own, which stays.
fn own_ledger(target: &Target) -> String {
    let own = Target::find(None, true).ok().map(|own| own.place.active());
    match own.filter(|own| kept::is_there(own) && *own != target.place.active()) {
        Some(own) => {
            format!("your own ledger stays: {}  (log-usage prune --personal)\n", shown(&own))
        }
        None => String::new(),
    }
}

/// What stays, and how it could go.
fn left(target: &Target) -> Result<String> {
    let place = &target.place;
    let mut text = String::new();
    let mut stays = vec![place.without_fragment().active(), place.archive(), place.fragments()];
    stays.extend(prune::copies(place).iter().map(|name| place.folder().join(name)));
    stays.retain(|path| kept::is_there(path));
    if !stays.is_empty() {
        let names: Vec<String> = stays.iter().map(|path| shown(path)).collect();
        text += &format!("rows stay: {}  (log-usage prune)\n", names.join(", "));
    }
    let Some(tree) = work_tree(target).filter(|_| target.choice != Choice::Personal) else {
        return Ok(text);
    };
    let waiting = waiting::lines(&tree, place)?.len();
    if waiting > 0 {
        let waits = if waiting == 1 {
            "waits for a commit and stays"
        } else {
            "wait for a commit and stay"
        };
        text += &format!("{} {waits}\n", counted(waiting as u64, "row"));
    }
    if setup::is_hidden(&tree) {
        text += "rules in .git/info/exclude stay: they keep locks, events and captures out of commits\n";
    }
    let folder = place.folder().strip_prefix(&tree.top).unwrap_or(place.folder());
    text += &format!(
        "git's history is not changed: what was committed stays in it, in every clone. To rewrite it:\n  \
         git filter-repo --invert-paths --path {}\n  \
         then push it with --force, and have every clone made anew\n",
        shown(folder)
    );
    Ok(text)
}
