//! `log-usage hooks`: what lets rows ride in commits and branches merge row by row, put into the
//! repository, taken out of it, looked at; and what lets coding agents call us.

use std::env;
use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use usage_ledger::error::{Error, Result};
use usage_ledger::fold::Commit;
use usage_ledger::git::WorkTree;
use usage_ledger::hooks::plan::Plan;
use usage_ledger::hooks::site::{Keeper, Site};
use usage_ledger::hooks::{self, FRAMEWORK, status};
use usage_ledger::workspace::{Place, find_root};

use crate::agents::{self, AgentOptions};
use crate::voice;
use crate::world;
use crate::write::policy;

/// Let rows ride in the commits they belong to, and branches merge row by row
///
/// The hooks pre-commit and post-commit get a few lines that call log-usage; a
/// commit never fails by them. This clone's own attributes and settings get a merge
/// driver. Nothing of it is committed, unless core.hooksPath leads into the work
/// tree. LOG_USAGE_HOOKS=0 makes the hooks do nothing. With --agent nothing of git
/// changes: that agent's own settings get an entry, so that it calls log-usage at
/// the end of each turn, and its turns go into the ledger. What else is in its
/// settings stays byte for byte.
#[derive(Parser)]
#[command(
    name = "log-usage hooks",
    bin_name = "log-usage hooks",
    disable_help_subcommand = true,
    arg_required_else_help = false
)]
pub(crate) struct Hooks {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Install the hooks and the merge driver, or renew them
    Install {
        /// Write each row into the ledger at once, instead of at the next commit
        #[arg(long, conflicts_with = "agents")]
        direct: bool,
        /// Change hooks that others share too (husky, a folder outside)
        #[arg(long, conflicts_with = "agents")]
        force: bool,
        #[command(flatten)]
        agents: AgentOptions,
    },
    /// Take everything out again, byte for byte
    Uninstall {
        /// Change hooks that other repositories share too
        #[arg(long, conflicts_with = "agents")]
        force: bool,
        #[command(flatten)]
        agents: AgentOptions,
    },
    /// Say what is in effect; exit code 1 if anything is broken
    Status,
}

pub(crate) fn run(options: Hooks) -> Result<ExitCode> {
    let here = env::current_dir()
        .map_err(|error| Error::io("find", "the current folder".as_ref(), &error))?;
    // Hooks are the repository's, whichever ledger LOG_USAGE_FILE names.
    let root = find_root(&here)?;
    match &options.action {
        Action::Install { agents, .. } if !agents.agents.is_empty() => {
            return agents::install(agents, &root);
        }
        Action::Uninstall { agents, .. } if !agents.agents.is_empty() => {
            return agents::uninstall(agents, &root);
        }
        _ => {}
    }
    let site = Site::around(&root)?;
    match options.action {
        Action::Install { direct, force, .. } => install(&site, direct, force),
        Action::Uninstall { force, .. } => {
            let mut folded = 0;
            let plan = hooks::uninstall(&site, force, &mut |_| fold(&site, &mut folded))?;
            plan.carry_out(&site)?;
            Ok(tell(&plan, "nothing is installed here", &of_rows(folded)))
        }
        Action::Status => Ok(look(&site, &root)),
    }
}

/// Rows that wait are put into the ledger of this work tree, for no hook will do it later.
fn fold(site: &Site, folded: &mut usize) -> Result<usize> {
    let Some(tree) = WorkTree::around(&site.top) else { return Ok(0) };
    let policy = |config: &_| policy(config, None, None);
    *folded = Commit { tree: &tree, policy: &policy, clock: &world::now }.everything()?;
    Ok(*folded)
}

fn of_rows(folded: usize) -> String {
    match folded {
        0 => String::new(),
        1 => "1 row that waited is in the ledger now, not committed yet\n".to_owned(),
        rows => format!("{rows} rows that waited are in the ledger now, not committed yet\n"),
    }
}

fn install(site: &Site, direct: bool, force: bool) -> Result<ExitCode> {
    let mut options = hooks::Options { direct, force, program: program()? };
    if let Some(by_hand) = hooks::by_hand(site).filter(|it| !force || it.question.is_none()) {
        let is_forced = force && site.keeper == Keeper::Others;
        let question = by_hand.question.as_deref();
        options.force = is_forced || question.is_some_and(agreed);
        if !options.force {
            voice::print(by_hand.snippet.as_bytes());
            return Err(by_hand.error);
        }
    }
    let mut folded = 0;
    let plan = hooks::install(site, &options, &mut |_| fold(site, &mut folded))?;
    plan.carry_out(site)?;
    let mut notes = of_rows(folded) + "undo         log-usage hooks uninstall\n";
    if matches!(site.keeper, Keeper::WorkTree | Keeper::Husky { .. }) {
        notes += "commit the changed hooks: where log-usage is missing they do nothing\n";
    }
    if direct {
        notes += "git rebases and merges only with a clean ledger, or with:\n  \
                  git config rebase.autoStash true; git config merge.autoStash true\n";
    }
    if !site.framework_settings().is_empty() {
        notes += "pre-commit install takes our lines away; log-usage hooks status will say so. Or \
                  add\nthis hook to its settings, which works with deferred writing alone:\n";
        notes += FRAMEWORK;
    }
    Ok(tell(&plan, "everything is installed already", &notes))
}

/// Where this program lies.
fn program() -> Result<PathBuf> {
    env::current_exe().map_err(|error| Error::io("find", "this program".as_ref(), &error))
}

/// Asks, where there is somebody to answer.
fn agreed(question: &str) -> bool {
    if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        return false;
    }
    voice::ask(question);
    let mut answer = String::new();
    let read = io::stdin().read_line(&mut answer);
    read.is_ok() && ["y", "yes"].contains(&answer.trim().to_lowercase().as_str())
}

fn tell(plan: &Plan, nothing: &str, notes: &str) -> ExitCode {
    let text = match plan.lines.is_empty() {
        true => format!("{nothing}; nothing was changed\n"),
        false => plan.lines.iter().map(|line| format!("{line}\n")).collect::<String>() + notes,
    };
    voice::print(text.as_bytes())
}

fn look(site: &Site, root: &Path) -> ExitCode {
    let mut findings = status::findings(site, &Place::in_repository(root).active());
    findings.extend(agents::findings(root));
    let mut text = String::new();
    for finding in &findings {
        match &finding.fix {
            None => text += &format!("ok    {}\n", finding.what),
            Some(fix) => text += &format!("WRONG {}\n      fix: {fix}\n", finding.what),
        }
    }
    if findings.is_empty() {
        text += "nothing is installed; log-usage hooks install does it\n";
    }
    let printed = voice::print(text.as_bytes());
    let is_well = findings.iter().all(|finding| finding.fix.is_none());
    if is_well { printed } else { ExitCode::from(1) }
}
