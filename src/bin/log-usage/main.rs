//! The writer's door: the first argument a command? else the row form. It reads time, environment and
//! terminal, and hands plain values to the library.

// What the library may not do is the doors' work.
#![allow(
    clippy::disallowed_methods,
    reason = "time and environment are read here and nowhere else"
)]

#[path = "../shared/voice.rs"]
mod voice;
#[path = "../shared/world.rs"]
mod world;
mod user;
mod hook_log;
#[cfg(unix)]
mod signals;
mod child;
mod row_form;
mod identity;
mod write;
mod merge_driver;
mod agents;
mod hooks;
mod redact;
mod repair;
mod alert;
mod amend;
mod prune;
mod archive;
mod compact;
mod consent;
mod record;
mod event_stream;
mod event;
mod captured;
mod import_told;
mod import;
mod run;
mod agent_hook;
mod hook;
mod commands;

use std::ffi::OsString;
use std::process::ExitCode;

use usage_ledger::error::{Error, Result};
use usage_ledger::figures;
use usage_ledger::intake::draft::{Draft, check};
use usage_ledger::ledger::compose::Entry;
use usage_ledger::notes::Tags;
use usage_ledger::pricing::Prices;
use usage_ledger::redact::Redactor;
use usage_ledger::redact::withheld::Withheld;
use usage_ledger::workspace::{Config, Place};

use crate::row_form::{Asked, RowForm};
use crate::world::Target;
use crate::write::{append, fail_where_a_file_is_full, policy, refused_by_environment};
use crate::write::{screen, sign, tell, tell_withheld, warn_of_size};

const SHORT_HELP: &str = include_str!("help.txt");
const MORE_HELP: &str = include_str!("help-more.txt");

fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    let command = arguments.first().and_then(|word| word.to_str());
    // What `run` starts must take the signal as we were told to.
    if command != Some("run") {
        fail_where_a_file_is_full();
    }
    if let Some(command) = command.and_then(commands::find) {
        return commands::run(command, arguments);
    }
    if let Some(arguments) = asked_for_help(&arguments) {
        return match arguments.first().and_then(|word| word.to_str()).and_then(commands::find) {
            Some(command) => commands::run(command, arguments),
            None => voice::print([SHORT_HELP, MORE_HELP].concat().as_bytes()),
        };
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
    outcome.unwrap_or_else(|error| {
        if hook_log::is_hook() {
            hook_log::add(&error);
        }
        voice::fail(&error)
    })
}

/// `help`, and `help COMMAND` as `COMMAND --help`: no row has so few fields.
fn asked_for_help(arguments: &[OsString]) -> Option<Vec<OsString>> {
    match arguments {
        [help] if help == "help" => Some(Vec::new()),
        [help, command]
            if help == "help" && command.to_str().and_then(commands::find).is_some() =>
        {
            Some(vec![command.clone(), "--help".into()])
        }
        _ => None,
    }
}

fn log(form: &RowForm) -> Result<ExitCode> {
    if !form.dry_run && refused_by_environment(form.quiet) {
        return Ok(ExitCode::SUCCESS);
    }
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
    let target = Target::find(form.file.as_deref(), form.personal)?;
    let config = Config::load(&target.place)?;
    // Most rows say nothing that the user's own words could stand in.
    let says_nothing = form.notes.is_empty() && form.tags.is_empty();
    let redactor = if says_nothing { Redactor::default() } else { redact::redactor(&config) };
    let mut withheld = Withheld::default();
    let checked = check(&draft, &screen(&config, &redactor), &mut withheld);
    let mut entry = checked.map_err(|refused| {
        let fix = form.corrected(&refused);
        refused.into_error(fix)
    })?;
    if form.strict && !withheld.is_empty() {
        return Err(Error::Withheld { reasons: withheld.reasons() });
    }
    let policy = policy(&config, form.max_size, form.durability);
    warn_of_size(&target, form.max_size, form.quiet);
    if form.dry_run {
        if !entry.is_dated {
            entry.row.stamp = world::now().at_second().to_string().into();
        }
        sign(&target, &config, std::slice::from_mut(&mut entry), form.quiet)?;
        if !form.quiet {
            tell_withheld(&withheld);
        }
        return Ok(voice::print(format!("{}\n", entry.row.to_line()).as_bytes()));
    }
    let mut entries = [entry];
    let appended = append(&target, &config, policy, &mut entries, form.quiet)?;
    if let Some(appended) = appended.filter(|_| !form.quiet) {
        tell(&target, &appended, &|verb| one_line(verb, &entries[0], &target.place));
        tell_withheld(&withheld);
    }
    Ok(ExitCode::SUCCESS)
}

/// What was stored, in the reader's words: only people see it, so only they wait for its price.
fn one_line(verb: &str, entry: &Entry<'_>, place: &Place) -> String {
    let row = &entry.row;
    let day = if entry.is_dated { row.at.day() } else { world::now().day() };
    // The row is stored, whatever is wrong with the prices; reports say it.
    let prices = Prices::load(place).unwrap_or_default();
    let tags = Tags::of(&row.notes);
    let cost = prices.quote(&row.model, day).cost(row, Some(&tags)).micros;
    format!(
        "{verb}  {}  {} read + {} written  {}, {}, {}{}",
        row.model,
        figures::thousands(row.prompt_tokens.into()),
        figures::thousands(row.completion_tokens.into()),
        row.task_type.name(),
        if row.success { "success" } else { "failure" },
        figures::duration(row.duration_ms.into()),
        cost.map(|micros| format!("  {}", figures::dollars(micros))).unwrap_or_default(),
    )
}
