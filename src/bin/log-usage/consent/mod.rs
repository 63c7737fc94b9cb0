//! `log-usage consent`: what may be recorded, who decided so, and what there is; said, chosen, shown,
//! deleted and handed over.

mod told;
mod choices;
mod kept;
mod status;
mod show;
mod purge;
mod export;
mod question;
mod readers;

use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use usage_ledger::error::{Error, Result};
use usage_ledger::privacy::consent::{Choice, How, Level, Scope};
use usage_ledger::privacy::record::Record;
use usage_ledger::workspace::{Config, Place};

use crate::consent::choices::{Which, chosen, lock, record_path};
use crate::consent::told::{in_effect, switches};
use crate::identity::{self, Identity};
use crate::user;
use crate::voice;
use crate::world::Target;

/// Say and choose what may be recorded; show, delete and export what was
///
/// What is recorded is the least of what the environment, the repository's
/// config.toml and you allow: off < ledger < events < capture. Without a word of
/// yours it is ledger: the rows that you log yourself.
#[derive(Parser)]
#[command(
    name = "log-usage consent",
    bin_name = "log-usage consent",
    disable_help_subcommand = true,
    arg_required_else_help = false
)]
pub(crate) struct Consent {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Say what is in effect, who decided so, and what each level stores
    Status(status::Status),
    /// Allow a level and no more, in this repository: off, ledger, events or capture
    Grant(Grant),
    /// Take back everything beyond the ledger, in all repositories; off stays off
    Revoke(Revoke),
    /// Print the last records as they are stored
    Show(show::Show),
    /// Delete what was recorded beyond the ledger
    Purge(purge::Purge),
    /// Print everything that is stored, here and in your own folders, as JSON
    Export(export::Export),
    /// Show, renew, delete or carry the key that your pseudonyms are made of
    Identity(Pseudonym),
}

#[derive(Args)]
struct Grant {
    /// The highest level that you allow
    #[arg(value_parser = level)]
    level: Level,
    /// Allow a pseudonym of yours in rows and events
    #[arg(long)]
    identity: bool,
    /// Allow records to be sent to systems that you configure
    #[arg(long)]
    export: bool,
    /// Choose for all repositories; one of which you said less keeps it
    #[arg(long)]
    everywhere: bool,
    /// Say what would be chosen, change nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    which: Which,
}

#[derive(Args)]
struct Revoke {
    /// Take it back for this repository alone
    #[arg(long)]
    here: bool,
    /// Say what would be chosen, change nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    which: Which,
}

#[derive(Args)]
#[command(disable_help_subcommand = true, arg_required_else_help = false)]
struct Pseudonym {
    #[command(subcommand)]
    action: Identity,
    #[command(flatten)]
    which: Which,
}

/// Reads a level on the command line.
pub(crate) fn level(text: &str) -> Result<Level, String> {
    Level::parse(text).ok_or_else(|| "off, ledger, events or capture".to_owned())
}

pub(crate) fn run(options: Consent) -> Result<ExitCode> {
    match options.action {
        Action::Status(options) => status::run(&options),
        Action::Grant(options) => grant(&options),
        Action::Revoke(options) => revoke(&options),
        Action::Show(options) => show::run(&options),
        Action::Purge(options) => purge::run(&options),
        Action::Export(options) => export::run(&options),
        Action::Identity(options) => identity::run(options.action, &options.which.target()?),
    }
}

/// Takes a choice for the target's repository alone.
pub(crate) fn grant_here(target: &Target, level: Level) -> Result<()> {
    let path = record_path()?;
    let _lock = lock(&path)?;
    let mut record = Record::load(&path)?;
    record.choose_here(target.repository(), chosen(level, How::Flag));
    record.save(&path)
}

/// Warns where the repository looks as if everybody could read it.
pub(crate) fn warn_of_readers(place: &Place) {
    readers::warn(place);
}

/// Asks whoever set up the ledger, if that is a person who was not asked before.
pub(crate) fn ask(target: &Target, config: &Config) -> Result<()> {
    question::ask(target, config)
}

fn grant(options: &Grant) -> Result<ExitCode> {
    let Grant { level, identity, export, .. } = *options;
    if level == Level::Off && (identity || export) {
        return Err(Error::Usage {
            problem: "off records nothing, so there is nothing more to allow".to_owned(),
            fix: "log-usage consent grant off".to_owned(),
        });
    }
    let scope = if options.everywhere { Scope::Everywhere } else { Scope::Here };
    let choice = Choice { identity, export, ..chosen(level, How::Flag) };
    choose(&options.which.target()?, scope, Step::Grant(choice), options.dry_run)
}

fn revoke(options: &Revoke) -> Result<ExitCode> {
    let scope = if options.here { Scope::Here } else { Scope::Everywhere };
    let step = Step::Revoke(chosen(Level::Ledger, How::Flag));
    choose(&options.which.target()?, scope, step, options.dry_run)
}

/// What is done to the record.
#[derive(Clone, Copy)]
enum Step {
    /// This much is allowed.
    Grant(Choice),
    /// What goes beyond this is taken back.
    Revoke(Choice),
}

/// Takes a choice, and says what is in effect then.
fn choose(target: &Target, scope: Scope, step: Step, dry_run: bool) -> Result<ExitCode> {
    let config = Config::load(&target.place)?;
    let path = record_path()?;
    let _lock = (!dry_run).then(|| lock(&path)).transpose()?;
    let allows_nothing =
        matches!(step, Step::Revoke(_) | Step::Grant(Choice { level: Level::Off, .. }));
    let mut record = match Record::load(&path) {
        // What cannot be read allows nothing, and is in nobody's way who takes everything back: then
        // it goes on allowing nothing, for it may have said so.
        Err(Error::Consent { .. }) if scope == Scope::Everywhere && allows_nothing => {
            Record { everywhere: Some(chosen(Level::Off, How::Flag)), ..Record::default() }
        }
        record => record?,
    };
    let repository = target.repository();
    let place = match scope {
        Scope::Here => format!("in {}", repository.trim_end_matches("/.git")),
        Scope::Everywhere => "in all repositories".to_owned(),
    };
    match (scope, step) {
        (Scope::Here, Step::Grant(choice)) => record.choose_here(repository.clone(), choice),
        (Scope::Here, Step::Revoke(choice)) => record.revoke_here(repository.clone(), choice),
        (Scope::Everywhere, Step::Grant(choice)) => record.choose_everywhere(choice),
        (Scope::Everywhere, Step::Revoke(choice)) => record.revoke_everywhere(choice),
    }
    let taken = match scope {
        Scope::Here => record.applied([repository]).map(|(_, choice)| choice),
        Scope::Everywhere => record.everywhere,
    };
    let (Step::Grant(asked) | Step::Revoke(asked)) = step;
    let choice = taken.unwrap_or(asked);
    if !dry_run {
        record.save(&path)?;
    }
    let consent = user::consent_by(target, &config, &record);
    if consent.identity && !dry_run {
        identity::switch_on(target, &config)?.iter().for_each(|line| voice::say(line));
    }
    let here = kept::places(target)?;
    let stays = here.first().map_or(Ok(Vec::new()), |it| kept::beyond(it, consent.level))?;
    let stays: String = stays.into_iter().map(|line| line + "\n").collect();
    let text = format!(
        "{} {place}: {}, {}\n{}{stays}",
        if dry_run { "you would allow" } else { "you allow" },
        choice.level.name(),
        switches(choice.identity, choice.export),
        in_effect(&consent)
    );
    Ok(voice::print(text.as_bytes()))
}
