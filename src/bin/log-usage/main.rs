//! The writer's door: argv[1] a command? else the row form. It reads time, environment and
//! terminal, and hands plain values to the library.

// What the library may not do is the doors' work.
#![allow(
    clippy::disallowed_methods,
    reason = "time and environment are read here and nowhere else"
)]

mod commands;
mod row_form;
#[path = "../shared/voice.rs"]
mod voice;
#[path = "../shared/world.rs"]
mod world;

use std::ffi::OsString;
use std::io::{self, IsTerminal};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use usage_ledger::error::Result;
use usage_ledger::figures;
use usage_ledger::git;
use usage_ledger::intake::{Draft, Gate, check};
use usage_ledger::ledger::segment::Policy;
use usage_ledger::ledger::{Appended, lock};
use usage_ledger::row::Row;
use usage_ledger::workspace::{Config, Durability, MAX_SIZE};

use crate::row_form::{Asked, RowForm};
use crate::world::{Choice, Target};

const SHORT_HELP: &str = include_str!("help.txt");
const MORE_HELP: &str = include_str!("help-more.txt");

/// Raised when a write would pass the limit of a file's size; its default is to kill.
const SIGXFSZ: i32 = 25;

fn main() -> ExitCode {
    // With a handler the write fails instead, and the failure is reported and undone.
    let _ = signal_hook::flag::register(SIGXFSZ, Arc::new(AtomicBool::new(false)));
    let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    let command = arguments.first().and_then(|word| word.to_str());
    if let Some(command) = command.and_then(commands::find) {
        return commands::run(command, arguments);
    }
    let outcome = match row_form::parse(arguments, &commands::NAMES) {
        Ok(Asked::ShortHelp) => return voice::print(SHORT_HELP.as_bytes()),
        Ok(Asked::LongHelp) => return voice::print([SHORT_HELP, MORE_HELP].concat().as_bytes()),
        Ok(Asked::Version) => {
            return voice::print(concat!("log-usage ", env!("CARGO_PKG_VERSION"), "\n").as_bytes());
        }
        Ok(Asked::Log(form)) => log(&form),
        Err(error) => Err(error),
    };
    outcome.unwrap_or_else(|error| voice::fail(&error))
}

fn log(form: &RowForm) -> Result<ExitCode> {
    let tags: Vec<&str> = form.tags.iter().map(String::as_str).collect();
    let [model, prompt, completion, success, task_type, duration] = &form.fields;
    let draft = Draft {
        timestamp: form.timestamp.as_deref(),
        model,
        prompt_tokens: prompt,
        completion_tokens: completion,
        task_success: success,
        task_type,
        duration,
        notes: &form.notes,
        tags: &tags,
    };
    let checked = check(&draft);
    let mut entry = checked.map_err(|refused| {
        let fix = form.corrected(&refused);
        refused.into_error(fix)
    })?;
    let target = Target::find(form.file.as_deref(), form.personal)?;
    let policy = policy(&Config::load(&target.place)?, form.max_size, form.durability);
    if form.dry_run {
        if !entry.is_dated {
            entry.row.stamp = world::now().at_second().to_string().into();
        }
        return Ok(voice::print(format!("{}\n", entry.row.to_line()).as_bytes()));
    }
    if refused_by_environment(form.quiet) {
        return Ok(ExitCode::SUCCESS);
    }
    let mut entries = [entry];
    let appended = append(&target, policy, &mut entries)?;
    if !form.quiet {
        tell(&target, &appended, &|verb| one_line(verb, &entries[0].row));
    }
    Ok(ExitCode::SUCCESS)
}

/// Appends rows to the target through the gate.
fn append(
    target: &Target,
    policy: Policy,
    entries: &mut [usage_ledger::ledger::Entry<'_>],
) -> Result<Appended> {
    let place = &target.place;
    let is_tracked = || git::tracks(place.folder(), place.name());
    Gate {
        place,
        may_create_folder: target.choice != Choice::Named,
        policy,
        clock: &world::now,
        is_tracked: &is_tracked,
    }
    .append(entries)
}

/// An option beats the repository's setting, and that the default.
fn policy(config: &Config, max_size: Option<u64>, durability: Option<Durability>) -> Policy {
    Policy {
        max_size: max_size.or(config.max_size).unwrap_or(MAX_SIZE),
        durability: durability.or(config.durability).unwrap_or_default(),
        wait: lock::WAIT,
    }
}

/// Whether `LOG_USAGE_DISABLED` forbids logging; says so.
fn refused_by_environment(quiet: bool) -> bool {
    let disabled = is_set("LOG_USAGE_DISABLED");
    if disabled && !quiet {
        voice::say("not logged: LOG_USAGE_DISABLED is set");
    }
    disabled
}

/// Whether a switch in the environment is on: any value but empty, 0, false and no.
fn is_set(name: &str) -> bool {
    std::env::var_os(name).is_some_and(|value| {
        let value = value.to_string_lossy().to_ascii_lowercase();
        !matches!(value.as_str(), "" | "0" | "false" | "no")
    })
}

/// Warnings always; what was stored only to a person.
fn tell(target: &Target, appended: &Appended, stored: &dyn Fn(&str) -> String) {
    let folder = target.place.folder().file_name().unwrap_or_default().to_string_lossy();
    let name = format!("{folder}/{}", target.place.name().to_string_lossy());
    let torn_bytes = appended.outcome.torn_bytes;
    if torn_bytes > 0 {
        voice::say(&format!(
            "warning: {torn_bytes} torn bytes at the end of {name} were moved to {name}.torn: \
             a writer died there, and its row was never acknowledged"
        ));
    }
    if !io::stderr().is_terminal() {
        return;
    }
    voice::say(&stored(if appended.added == 0 { "already there" } else { "logged" }));
    if appended.outcome.created && target.choice == Choice::Repository {
        voice::say(&format!(
            "  new ledger: {name} (commit it with your code; log-usage init adds a README and settings)"
        ));
    }
}

fn one_line(verb: &str, row: &Row<'_>) -> String {
    format!(
        "{verb}  {}  {} read + {} written  {}, {}, {}",
        row.model,
        figures::thousands(row.prompt_tokens.into()),
        figures::thousands(row.completion_tokens.into()),
        row.task_type.name(),
        if row.success { "success" } else { "failure" },
        figures::duration(row.duration_ms.into()),
    )
}
