//! What the hooks of git and of coding agents run. Whatever happens, git goes on: the exit code is 0,
//! and at most one line is said; agents hear nothing.

use std::env;
use std::ffi::OsString;
use std::process::ExitCode;
use std::time::Instant;

use clap::{Parser, ValueEnum};
use usage_ledger::error::{Error, Result};
use usage_ledger::fold::{Commit, Folded};
use usage_ledger::git::WorkTree;
use usage_ledger::hooks::agents::agent;
use usage_ledger::ledger::journal::Journal;
use usage_ledger::ledger::lock::WAIT_IN_HOOKS;
use usage_ledger::ledger::segment::Policy;

use crate::agent_hook;
use crate::hook_log;
use crate::voice;
use crate::world;
use crate::write::policy;

/// Called by the hooks of git and of coding agents, which log-usage hooks install sets up
///
/// After the name of an agent (claude-code, codex or gemini) one JSON object is read
/// from standard input, or from the last argument; nothing is ever said.
#[derive(Parser)]
#[command(name = "log-usage hook", bin_name = "log-usage hook")]
pub(crate) struct Hook {
    /// Which hook it is
    #[arg(value_enum)]
    event: Event,
}

#[derive(Clone, Copy, ValueEnum)]
enum Event {
    /// A commit is about to be made
    PreCommit,
    /// A commit was made
    PostCommit,
}

/// A code of ours must not keep git from committing, and 2 would keep an agent from stopping: it is
/// always 0.
pub(crate) fn start(arguments: Vec<OsString>) -> Result<Result<ExitCode>, ExitCode> {
    let name = arguments.get(1).and_then(|word| word.to_str());
    if let Some(agent) = name.and_then(agent) {
        return Ok(Ok(agent_hook::run(agent, &arguments[2..])));
    }
    let parsed = voice::parse::<Hook>("log-usage hook", arguments);
    parsed.map(run).map_err(|_| ExitCode::SUCCESS)
}

fn run(options: Hook) -> Result<ExitCode> {
    if let Err(error) = react(options.event) {
        hook_log::add(&error);
        let text = error.to_string();
        let what = text.lines().next().unwrap_or_default().trim_start_matches("error: ");
        voice::say(&format!(
            "log-usage: rows do not ride in this commit: {what} (log-usage doctor)"
        ));
    }
    Ok(ExitCode::SUCCESS)
}

fn react(event: Event) -> Result<()> {
    // Rows wait until somebody commits who does not forbid it.
    if world::environment().disabled {
        return Ok(());
    }
    let here = env::current_dir()
        .map_err(|error| Error::io("find", "the current folder".as_ref(), &error))?;
    // git starts its hooks at the top of the work tree.
    let Some(tree) = WorkTree::around(&here) else { return Ok(()) };
    // However many ledgers there are, git waits this long at most.
    let began = Instant::now();
    let policy = |config: &_| Policy {
        wait: WAIT_IN_HOOKS.saturating_sub(began.elapsed()),
        ..policy(config, None, None)
    };
    let commit = Commit { tree: &tree, policy: &policy, clock: &world::now };
    let index = env::var_os("GIT_INDEX_FILE");
    let rows_wait = Journal::of_work_tree(&tree.shared(), &tree.own).is_some();
    match event {
        _ if env::var_os("LOG_USAGE_HOOKS").is_some_and(|it| it == "0") => {}
        Event::PreCommit if rows_wait => {
            let Folded { restored, forbidden } = commit.before(index.as_deref())?;
            if forbidden > 0 {
                hook_log::add_once("rows wait on, for config.toml forbids to log them now");
            }
            if restored > 0 {
                voice::say(&format!(
                    "log-usage: put back {restored} {} that the last commit has and the work tree lost \
                     (LOG_USAGE_HOOKS=0 git commit leaves them out)",
                    if restored == 1 { "row" } else { "rows" }
                ));
            }
        }
        // The framework has put unstaged changes aside, and could not put them back over ours.
        Event::PreCommit if env::var_os("PRE_COMMIT").is_some() => voice::say(
            "log-usage: under pre-commit rows cannot ride along unless they wait: log-usage hooks install",
        ),
        Event::PreCommit => commit.stage_ledger(index.as_deref())?,
        Event::PostCommit => {
            commit.after()?;
        }
    }
    Ok(())
}
