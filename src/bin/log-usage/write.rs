//! What every command that writes has in common: the policy, the gate, and what is said afterwards.

use std::io::{self, IsTerminal};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use usage_ledger::error::{Result, excerpt};
use usage_ledger::figures;
use usage_ledger::git::{self, WorkTree};
use usage_ledger::intake::draft;
use usage_ledger::intake::{Deferral, Gate};
use usage_ledger::ledger::around::Around;
use usage_ledger::ledger::compose::{Appended, Entry};
use usage_ledger::ledger::lock;
use usage_ledger::ledger::segment::Policy;
use usage_ledger::ledger::waiting;
use usage_ledger::notes::Screen;
use usage_ledger::privacy::consent::{Consent, Level, Source};
use usage_ledger::redact::Redactor;
use usage_ledger::redact::withheld::Withheld;
use usage_ledger::workspace::{Config, Durability, Layout, MAX_SIZE, Permission, Place};

use crate::hook_log;
use crate::identity;
use crate::user;
use crate::voice;
use crate::world::{self, Choice, Target};

/// Raised when a write would pass the limit of a file's size; its default is to kill.
const SIGXFSZ: i32 = 25;

/// Lets such a write fail instead, so that the failure is reported and undone.
pub(crate) fn fail_where_a_file_is_full() {
    let _ = signal_hook::flag::register(SIGXFSZ, Arc::new(AtomicBool::new(false)));
}

/// Appends rows to the target through the gate, or lets them wait for the next commit; None, which
/// is said, where nothing may be recorded.
pub(crate) fn append(
    target: &Target,
    config: &Config,
    policy: Policy,
    entries: &mut [Entry<'_>],
    quiet: bool,
) -> Result<Option<Appended>> {
    let Some(consent) = permitted(target, config, quiet)? else { return Ok(None) };
    own(target, config, &consent, entries, quiet);
    let appended = write(target, config, policy, entries)?;
    if !quiet {
        warn_of_future(entries);
    }
    Ok(Some(appended))
}

/// A clock may be wrong by so much, or a zone forgotten.
const AHEAD_S: i64 = 24 * 60 * 60;

/// Says that given times lie in the future: nobody counts on the rows of a day that is to come.
fn warn_of_future(entries: &[Entry<'_>]) {
    if entries.iter().all(|entry| !entry.is_dated) {
        return;
    }
    let latest = world::now().instant().seconds + AHEAD_S;
    let is_ahead = |entry: &&Entry<'_>| entry.is_dated && entry.row.at.instant().seconds > latest;
    let mut ahead = entries.iter().filter(is_ahead).map(|entry| excerpt(&entry.row.stamp));
    if let Some(first) = ahead.next() {
        let rows = match ahead.count() {
            0 => format!("timestamp {first} is"),
            more => format!("{} timestamps, the first {first}, are", more + 1),
        };
        voice::say(&format!("warning: {rows} more than a day ahead of the clock; stored as given"));
    }
}

/// Says that a size asked for is none of the rows' that go nowhere yet.
pub(crate) fn warn_of_size(target: &Target, max_size: Option<u64>, quiet: bool) {
    let waits = |tree: &WorkTree| Deferral::of(tree, &target.place).is_some();
    if max_size.is_some()
        && !quiet
        && target.choice == Choice::Repository
        && target.work_tree().as_ref().is_some_and(waits)
    {
        voice::say(
            "warning: --max-size does nothing while rows wait for a commit; the hook keeps to \
             max_size in config.toml",
        );
    }
}

/// A correction, which stays whose the row was: it takes the place of a row that still waits for a
/// commit, else it is appended. Whether it took one's place; None, which is said, where nothing may
/// be recorded.
pub(crate) fn correct(
    target: &Target,
    config: &Config,
    policy: Policy,
    revision: Entry<'_>,
    quiet: bool,
) -> Result<Option<(Appended, bool)>> {
    if permitted(target, config, quiet)?.is_none() {
        return Ok(None);
    }
    let tree = work_tree(target).filter(|_| target.choice == Choice::Repository);
    let revise =
        |tree| waiting::revise(&tree, &target.place, &policy, &revision.row).map(|rows| rows > 0);
    if tree.map_or(Ok(false), revise)? {
        return Ok(Some((Appended { added: 1, ..Appended::default() }, true)));
    }
    write(target, config, policy, &mut [revision]).map(|appended| Some((appended, false)))
}

fn write(
    target: &Target,
    config: &Config,
    policy: Policy,
    entries: &mut [Entry<'_>],
) -> Result<Appended> {
    let place = &target.place;
    let is_tracked = || git::tracks(&place.active());
    let tree = target.work_tree();
    let is_of_repository = target.choice == Choice::Repository;
    let deferral = tree.as_ref().filter(|_| is_of_repository);
    let deferral = deferral.and_then(|tree| Deferral::of(tree, place));
    let gate = Gate {
        place,
        may_create_folder: target.choice != Choice::Named,
        layout: if is_of_repository { config.layout } else { Layout::Single },
        policy,
        clock: &world::now,
        around: around(tree, &is_tracked),
    };
    match deferral {
        Some(deferral) => gate.defer(&deferral, entries),
        None => gate.append(entries),
    }
}

/// Makes rows say whose they are as far as the user has allowed it: no row of somebody who has not
/// names anybody, whoever typed the name.
fn own(
    target: &Target,
    config: &Config,
    consent: &Consent,
    entries: &mut [Entry<'_>],
    quiet: bool,
) {
    if consent.identity {
        return identity::sign(target, config, entries, quiet);
    }
    let rows = entries.iter_mut().map(draft::disown).filter(|was_owned| *was_owned).count();
    if rows > 0 && !quiet {
        let noun = if rows == 1 { "row" } else { "rows" };
        let rows = figures::thousands(rows as u128);
        let why = consent.identity_decided_by();
        let granting = consent.granting(why, Level::Ledger, true);
        let grant = granting.map(|command| format!("; {command} allows it")).unwrap_or_default();
        let why = why.words();
        voice::say(&format!("  user of {rows} {noun} not stored: identity is off ({why}){grant}"));
    }
}

/// Makes rows look as [`append`] would store them, for those who only want to see them.
pub(crate) fn sign(
    target: &Target,
    config: &Config,
    entries: &mut [Entry<'_>],
    quiet: bool,
) -> Result<()> {
    own(target, config, &user::consent(target, config)?, entries, quiet);
    Ok(())
}

/// The work tree around the target.
pub(crate) fn work_tree(target: &Target) -> Option<WorkTree> {
    target.work_tree()
}

/// The lines of rows that wait for the next commit: they are rows of the ledger, too.
pub(crate) fn waiting_for(target: &Target) -> Result<Vec<String>> {
    match work_tree(target).filter(|_| target.choice == Choice::Repository) {
        Some(tree) => waiting::lines(&tree, &target.place),
        None => Ok(Vec::new()),
    }
}

/// That work tree while rows are written; in a hook git waits for us.
pub(crate) fn around(tree: Option<WorkTree>, is_tracked: &dyn Fn() -> bool) -> Around<'_> {
    let git_dir = tree.map(|tree| tree.own).filter(|_| !hook_log::is_hook());
    Around { is_tracked, git_dir }
}

/// Reads `--durability`.
pub(crate) fn durability(text: &str) -> Result<Durability, String> {
    Durability::parse(text).ok_or_else(|| "none or data".to_owned())
}

/// An option beats the repository's setting, and that the default.
pub(crate) fn policy(
    config: &Config,
    max_size: Option<u64>,
    durability: Option<Durability>,
) -> Policy {
    Policy {
        max_size: max_size.or(config.max_size).unwrap_or(MAX_SIZE),
        durability: durability.or(config.durability).unwrap_or_default(),
        wait: if hook_log::is_hook() { lock::WAIT_IN_HOOKS } else { lock::WAIT },
        seal_unchanged_since: None,
    }
}

/// What may not be stored in this repository.
pub(crate) fn screen<'a>(config: &Config, redactor: &'a Redactor) -> Screen<'a> {
    Screen {
        redactor,
        forbids_notes: config.notes == Permission::None,
        forbids_tags: config.tags == Permission::None,
    }
}

/// Says what was kept out of the rows, to whom it may concern.
pub(crate) fn tell_withheld(withheld: &Withheld) {
    withheld.lines().iter().for_each(|line| voice::say(&format!("  {line}")));
}

/// Whether the environment forbids logging, whatever else is set; says so.
pub(crate) fn refused_by_environment(quiet: bool) -> bool {
    let disabled = world::environment().disabled;
    if disabled {
        say_not_logged(Source::Disabled, quiet);
    }
    disabled
}

/// What may be recorded here besides rows; None, which is said, where not even they may.
pub(crate) fn permitted(target: &Target, config: &Config, quiet: bool) -> Result<Option<Consent>> {
    let consent = user::consent(target, config)?;
    if consent.allows(Level::Ledger) {
        return Ok(Some(consent));
    }
    say_not_logged(consent.decided_by(), quiet);
    Ok(None)
}

fn say_not_logged(source: Source, quiet: bool) {
    if !quiet {
        voice::say(&match source {
            Source::Disabled => format!("not logged: {}", source.words()),
            _ => format!("not logged: {} (log-usage consent status)", source.words()),
        });
    }
}

/// Warnings always; what was stored only to a person.
pub(crate) fn tell(target: &Target, appended: &Appended, stored: &dyn Fn(&str) -> String) {
    let folder = target.place.folder().file_name().unwrap_or_default().to_string_lossy();
    let name = format!("{folder}/{}", target.place.name().to_string_lossy());
    let torn_bytes = appended.outcome.torn_bytes;
    if torn_bytes > 0 {
        voice::say(&format!(
            "warning: {torn_bytes} torn bytes at the end of {name} were moved to {name}.torn: \
             a writer died there, and its row was never acknowledged"
        ));
    }
    let is_new = appended.outcome.created && target.choice == Choice::Repository;
    let is_hidden = is_new && warn_of_ignore_rules(&target.place);
    if !io::stderr().is_terminal() {
        return;
    }
    voice::say(&stored(if appended.added == 0 { "already there" } else { "logged" }));
    if is_new && !is_hidden {
        let has_readme = target.place.folder().join("README.md").exists();
        let init = if has_readme { "" } else { "; log-usage init adds a README and settings" };
        voice::say(&format!("  new ledger: {name} (commit it with your code{init})"));
    }
}

/// Says that the user's own ignore rules hide something of the ledger from git; whether they do.
pub(crate) fn warn_of_ignore_rules(place: &Place) -> bool {
    // One file of each kind that is committed.
    let sealed = "archive/usage-20260101T000000Z-00000000.csv";
    let mut files = vec![place.active()];
    files.extend([sealed, ".gitattributes", ".gitignore"].map(|name| place.folder().join(name)));
    let Some(rule) = files.iter().find_map(|file| git::ignoring_rule(file)) else { return false };
    voice::say(&format!(
        "warning: your own ignore rules hide the ledger from git ({})\n  \
         why: an ignored ledger is lost with this clone\n  \
         fix: {}",
        excerpt(&rule),
        git::unignore(place.folder())
    ));
    true
}
