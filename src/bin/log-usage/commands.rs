//! The writer's commands, each a row of one table; their options are clap's.

use std::ffi::OsString;
use std::io::{self, IsTerminal, Read};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use usage_ledger::doctor;
use usage_ledger::doctor::sign::Sign;
use usage_ledger::error::{Error, Result, shown};
use usage_ledger::figures::counted;
use usage_ledger::git;
use usage_ledger::intake::batch::{self, BadLine};
use usage_ledger::intake::events;
use usage_ledger::ledger::border;
use usage_ledger::pricing::Prices;
use usage_ledger::privacy::consent::Level;
use usage_ledger::setup;
use usage_ledger::setup::Profile;
use usage_ledger::workspace::{Config, Durability, Layout, Place, SIZES, parse_size};

use crate::alert;
use crate::amend;
use crate::archive;
use crate::compact;
use crate::consent;
use crate::event;
use crate::hook;
use crate::hook_log;
use crate::hooks;
use crate::identity;
use crate::import;
use crate::merge_driver;
use crate::prune;
use crate::redact;
use crate::repair;
use crate::run;
use crate::user;
use crate::voice;
use crate::world::{self, Target};
use crate::write::{append, durability, policy, refused_by_environment, screen, sign, tell};
use crate::write::{tell_withheld, warn_of_ignore_rules, warn_of_size, work_tree};

/// One command: its name, and what it does with its arguments.
pub(crate) struct Command {
    name: &'static str,
    run: fn(Vec<OsString>) -> Result<Result<ExitCode>, ExitCode>,
}

/// Every command.
const COMMANDS: &[Command] = &[
    Command { name: "alert", run: |arguments| parsed(arguments, alert::run) },
    Command { name: "amend", run: |arguments| parsed(arguments, amend::run) },
    Command { name: "batch", run: |arguments| parsed(arguments, run_batch) },
    Command { name: "run", run: |arguments| parsed(arguments, run::run) },
    Command { name: "compact", run: |arguments| parsed(arguments, compact::run) },
    Command { name: "event", run: |arguments| parsed(arguments, event::run) },
    Command { name: "import", run: |arguments| parsed(arguments, import::run) },
    Command { name: "init", run: |arguments| parsed(arguments, run_init) },
    Command { name: "hooks", run: |arguments| parsed(arguments, hooks::run) },
    Command { name: "consent", run: |arguments| parsed(arguments, consent::run) },
    Command { name: "redact", run: |arguments| parsed(arguments, redact::run) },
    Command { name: "doctor", run: |arguments| parsed(arguments, run_doctor) },
    Command { name: "prune", run: |arguments| parsed(arguments, prune::run) },
    Command { name: "archive", run: |arguments| parsed(arguments, archive::run) },
    Command { name: "restore", run: |arguments| parsed(arguments, archive::restore) },
    Command { name: "repair", run: |arguments| parsed(arguments, repair::run) },
    Command { name: "hook", run: hook::start },
    // Hidden: git's to run, so the help does not name it.
    Command { name: "merge-driver", run: |arguments| parsed(arguments, merge_driver::run) },
];

/// Their names, to be suggested where one was mistyped.
pub(crate) const NAMES: [&str; COMMANDS.len()] = {
    let mut names = [""; COMMANDS.len()];
    let mut at = 0;
    while at < names.len() {
        names[at] = COMMANDS[at].name;
        at += 1;
    }
    names
};

/// The command of that name.
pub(crate) fn find(name: &str) -> Option<&'static Command> {
    COMMANDS.iter().find(|command| command.name == name)
}

/// Runs a command with all its arguments, its own name the first of them.
pub(crate) fn run(command: &Command, arguments: Vec<OsString>) -> ExitCode {
    match (command.run)(arguments) {
        Ok(outcome) => outcome.unwrap_or_else(|error| {
            if hook_log::is_hook() {
                hook_log::add(&error);
            }
            voice::fail(&error)
        }),
        Err(code) => code,
    }
}

fn parsed<P: Parser>(
    arguments: Vec<OsString>,
    run: fn(P) -> Result<ExitCode>,
) -> Result<Result<ExitCode>, ExitCode> {
    let program = format!("log-usage {}", arguments[0].to_string_lossy());
    voice::parse::<P>(&program, arguments).map(run)
}

/// Log many rows from standard input, all of them or none
///
/// The input is CSV with a header, or one JSON object a line; both name the ledger's columns:
/// timestamp (optional), model, prompt_tokens, completion_tokens, task_success, task_type,
/// duration_ms, notes (optional).
#[derive(Parser)]
#[command(
    name = "log-usage batch",
    bin_name = "log-usage batch",
    after_help = "Examples:\n  log-usage batch < rows.csv\n  log-usage batch --keep-going < rows.jsonl"
)]
struct Batch {
    /// Skip and name bad lines, store every other one (exit code 3)
    #[arg(long)]
    keep_going: bool,
    /// Use another ledger
    #[arg(long, value_name = "PATH")]
    file: Option<PathBuf>,
    /// Use your own ledger, outside any repository
    #[arg(long)]
    personal: bool,
    /// Seal the ledger into archive/ at this size [default: 10M, or config.toml]
    #[arg(long, value_name = "SIZE", value_parser = size, allow_negative_numbers = true)]
    max_size: Option<u64>,
    /// Whether exit code 0 means that the rows are on the disk: none or data [default: data]
    #[arg(long, value_name = "LEVEL", value_parser = durability)]
    durability: Option<Durability>,
    /// Refuse the whole batch if a secret would be kept out of a row (exit code 3)
    #[arg(long)]
    strict: bool,
    /// Print the rows, write nothing
    #[arg(long)]
    dry_run: bool,
    /// Say nothing but errors
    #[arg(long, short)]
    quiet: bool,
}

/// A batch is checked whole before a row of it is written, so it must fit into memory.
const INPUT_BYTES_MAX: u64 = 1 << 30;

fn size(text: &str) -> Result<u64, String> {
    parse_size(text).ok_or_else(|| SIZES.to_owned())
}

fn layout(text: &str) -> Result<Layout, String> {
    Layout::parse(text).ok_or_else(|| "single or fragments".to_owned())
}

fn profile(text: &str) -> Result<Profile, String> {
    let found = Profile::ALL.into_iter().find(|(name, _)| *name == text);
    found.map(|(_, profile)| profile).ok_or_else(|| "budget, quality or latency".to_owned())
}

fn run_batch(options: Batch) -> Result<ExitCode> {
    if !options.dry_run && refused_by_environment(options.quiet) {
        // Whoever sends the rows must not fail because nobody takes them.
        let _ = io::copy(&mut io::stdin().lock(), &mut io::sink());
        return Ok(ExitCode::SUCCESS);
    }
    let target = Target::find(options.file.as_deref(), options.personal)?;
    let config = Config::load(&target.place)?;
    let policy = policy(&config, options.max_size, options.durability);
    warn_of_size(&target, options.max_size, options.quiet);
    let mut input = Vec::new();
    let limited = io::stdin().lock().take(INPUT_BYTES_MAX + 1).read_to_end(&mut input);
    let whole = limited.and_then(|read| match read as u64 > INPUT_BYTES_MAX {
        true => Err(io::Error::other("it is more than 1 GiB: send it in parts")),
        false => Ok(()),
    });
    whole.map_err(|error| Error::io("read", "standard input".as_ref(), &error))?;
    let redactor = redact::redactor(&config);
    let mut batch = batch::read(&input, border::load(&target.place)?, &screen(&config, &redactor))?;
    if options.strict && !batch.withheld.is_empty() {
        return Err(Error::Withheld { reasons: batch.withheld.reasons() });
    }
    if let Some(bad) = batch.bad.first().filter(|_| !options.keep_going) {
        return Err(Error::BatchLine { line: bad.line, problem: bad.problem.clone() });
    }
    for bad in &batch.bad {
        voice::say(&format!("skipped  standard input:{}: {}", bad.line, bad.problem));
    }
    let stored = batch.entries.len() as u64;
    if options.dry_run {
        sign(&target, &config, &mut batch.entries, options.quiet)?;
        let mut lines = Vec::new();
        let now = world::now().at_second().to_string();
        for entry in &mut batch.entries {
            if !entry.is_dated {
                entry.row.stamp = now.clone().into();
            }
            entry.row.write_line(&mut lines);
        }
        if !options.quiet {
            tell_withheld(&batch.withheld);
        }
        let printed = voice::print(&lines);
        return skipped(&batch.bad, 0).map_or(Ok(printed), Err);
    }
    if stored > 0 {
        let appended = append(&target, &config, policy, &mut batch.entries, options.quiet)?;
        let Some(appended) = appended else { return Ok(ExitCode::SUCCESS) };
        if !options.quiet {
            tell(&target, &appended, &|verb| {
                let rows = |n: usize| counted(n as u64, "row");
                match (appended.added, appended.already_there) {
                    (0, there) => format!("{verb}  {}", rows(there)),
                    (added, 0) => format!("{verb}  {}", rows(added)),
                    (added, there) => {
                        format!("{verb}  {}, {} already there", rows(added), rows(there))
                    }
                }
            });
            tell_withheld(&batch.withheld);
        }
    }
    skipped(&batch.bad, stored).map_or(Ok(ExitCode::SUCCESS), Err)
}

fn skipped(bad: &[BadLine], stored: u64) -> Option<Error> {
    let skipped = bad.len() as u64;
    (skipped > 0).then_some(Error::BatchSkipped { skipped, stored })
}

/// Lay down README, settings and git rules in .telemetry/; what is there stays as it is
#[derive(Parser)]
#[command(name = "log-usage init", bin_name = "log-usage init")]
struct Init {
    /// Let rows go to usage.csv (single), or to a new file for each commit (fragments)
    #[arg(long, value_name = "LAYOUT", value_parser = layout)]
    layout: Option<Layout>,
    /// Add rules for usage-report check: budget, quality or latency; may be repeated
    #[arg(long, value_name = "PROFILE", value_parser = profile)]
    alerts: Vec<Profile>,
    /// Allow so much to be recorded here, as log-usage consent grant does, and ask nothing
    #[arg(long, value_name = "LEVEL", value_parser = consent::level)]
    consent: Option<Level>,
    /// Say nothing but errors and warnings, and ask nothing
    #[arg(long, short)]
    quiet: bool,
}

fn run_init(options: Init) -> Result<ExitCode> {
    let target = Target::find(None, false)?;
    let place = &target.place;
    Config::load(place)?;
    let made = setup::init(place)?;
    let chosen = match options.layout {
        Some(layout) if setup::choose(place, layout)? => Some(layout),
        _ => None,
    };
    let mut rules = Vec::new();
    for profile in options.alerts {
        rules.extend(setup::watch(place, profile)?);
    }
    warn_of_ignore_rules(place);
    consent::warn_of_readers(place);
    if let Some(level) = options.consent {
        consent::grant_here(&target, level)?;
    }
    let config = Config::load(place)?;
    let mut done = Vec::new();
    if user::consent(&target, &config)?.identity {
        done = identity::switch_on(&target, &config)?;
    }
    if options.quiet {
        return Ok(ExitCode::SUCCESS);
    }
    done.iter().for_each(|line| voice::say(line));
    let folder = shown(place.folder());
    match made.is_empty() {
        false => voice::say(&format!("{folder}: wrote {}", made.join(", "))),
        true if chosen.is_none() && rules.is_empty() => {
            voice::say(&format!("{folder} is complete; nothing was changed"));
        }
        true => {}
    }
    if let Some(layout) = chosen {
        voice::say(&format!("{folder}/config.toml: layout = \"{}\"", layout.name()));
    }
    if !rules.is_empty() {
        voice::say(&format!(
            "{folder}/config.toml: alerts for usage-report check: {}",
            rules.join(", ")
        ));
    }
    if let Some(host) = host_without_attributes(place).filter(|_| options.layout.is_none()) {
        voice::say(&format!(
            "  a remote is on {host}, where two pull requests that add rows to one file conflict: \n  \
             log-usage init --layout fragments gives each commit a file of its own"
        ));
    }
    if !place.active().exists() && io::stderr().is_terminal() {
        voice::say("next: log-usage claude-3-opus 1500 3200 true execute 45s \"first row\"");
    }
    if options.consent.is_none() {
        consent::ask(&target, &Config::load(place)?)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Hosts whose merge buttons know no attributes.
const HOSTS: [&str; 3] = ["github.com", "dev.azure.com", "visualstudio.com"];

/// Where the layout should be another than it is.
fn host_without_attributes(place: &Place) -> Option<&'static str> {
    if Config::load(place).is_ok_and(|config| config.layout == Layout::Fragments) {
        return None;
    }
    let remotes = git::remotes(place.folder());
    const { &HOSTS }.iter().find(|host| remotes.iter().any(|it| it.contains(**host))).copied()
}

/// Say what is wrong with the set-up and what to type; exit code 1 if anything is
#[derive(Parser)]
#[command(name = "log-usage doctor", bin_name = "log-usage doctor")]
struct Doctor {
    /// Look at another ledger
    #[arg(long, value_name = "PATH")]
    file: Option<PathBuf>,
    /// Look at your own ledger, outside any repository
    #[arg(long)]
    personal: bool,
}

/// How many failures of hooks are shown.
const FAILURES_SHOWN: usize = 5;

fn run_doctor(options: Doctor) -> Result<ExitCode> {
    let target = Target::find(options.file.as_deref(), options.personal)?;
    let mut text = format!("ledger: {}\n", shown(&target.place.active()));
    let mut signs = doctor::examine(&target.place, world::now().instant());
    if let Err(error) = Prices::load(&target.place) {
        signs.push(doctor::prices(&error));
    }
    if let Ok(config) = Config::load(&target.place) {
        match user::consent(&target, &config) {
            Ok(consent) if !consent.allows(Level::Ledger) => {
                signs.push(doctor::off(consent.decided_by().words()));
            }
            Ok(consent) if consent.identity => {
                let lack = identity::lack(&target, &config);
                signs.extend(lack.map(|(why, fix)| doctor::identity(&why, fix)));
            }
            Ok(_) => {}
            Err(error) => signs.push(Sign::refused(&error)),
        }
    }
    let of_events = events::refusal(&target.of_events()?.place.events());
    signs.extend(of_events.as_ref().map(Sign::refused));
    for sign in &signs {
        match &sign.fix {
            None => text += &format!("  ok    {}\n", sign.what),
            Some(fix) => text += &format!("  WRONG {}\n        fix: {fix}\n", sign.what),
        }
    }
    let top = work_tree(&target).map_or(target.place.folder().to_owned(), |tree| tree.top);
    let failures = hook_log::last(FAILURES_SHOWN, &top);
    if !failures.is_empty() {
        text += "last failures in hooks:\n";
        failures.iter().for_each(|line| text += &format!("  {line}\n"));
    }
    let printed = voice::print(voice::unsaid(&text).as_bytes());
    let is_well = signs.iter().all(|sign| sign.fix.is_none());
    Ok(if is_well { printed } else { ExitCode::from(1) })
}
