//! What we put into a repository so that rows ride in its commits and its branches merge row by
//! row; and how all of it is taken away again. Each change is planned whole before the first is
//! made. `core.hooksPath` is never set nor unset.

pub mod block;
pub mod site;
pub mod waiting;
pub mod plan;
pub mod merging;
pub mod hook;
pub mod status;
pub mod agents;

use std::path::{Path, PathBuf};

use crate::error::{Error, Result, shell_word, shown};
use crate::git;
use crate::hooks::hook::State;
use crate::hooks::plan::{Plan, Step};
use crate::hooks::site::{HOOKS, Keeper, Site, WRITE};

/// The section of [`WRITE`]; what else is in it stays.
const SECTION: &str = "log-usage";

/// What to install.
#[derive(Clone, Debug)]
pub struct Options {
    /// Rows are written into the ledger at once, and do not wait outside the work tree.
    pub direct: bool,
    /// The user has agreed that files are changed which others share.
    pub force: bool,
    /// The program that installs.
    pub program: PathBuf,
}

/// Hooks that others keep, which we do not change unasked.
#[derive(Debug)]
pub struct ByHand {
    /// The refusal.
    pub error: Error,
    /// What to write, and where.
    pub snippet: String,
    /// The question to which yes is as good as `--force`; None where nothing is.
    pub question: Option<String>,
}

/// Whether somebody else keeps the hooks, so that they must be asked or must write our lines
/// themselves. None where there is nothing to ask, or our lines are there.
pub fn by_hand(site: &Site) -> Option<ByHand> {
    let lacks = |hook: &&str| !matches!(hook::state(site, hook), State::Calls(_));
    if !HOOKS.iter().any(lacks) {
        return None;
    }
    let files = HOOKS.map(|hook| site.shown(&site.hooks.join(hook))).join(" and ");
    let blocks = || {
        let block = |hook: &str| {
            let path = site.shown(&site.hooks.join(hook));
            format!("# {path}, after its first line:\n{}", block::for_hook(hook, None))
        };
        HOOKS.map(block).join("\n")
    };
    let (problem, fix, snippet, question) = match site.keeper {
        Keeper::Git | Keeper::WorkTree => return None,
        Keeper::Husky { .. } => (
            format!("husky keeps the hooks, and {files} are committed"),
            "log-usage hooks install --force adds the lines above; or add them yourself".to_owned(),
            blocks(),
            Some(format!("Add our lines to {files}, which are committed? [y/N] ")),
        ),
        Keeper::Others => (
            format!(
                "core.hooksPath leads out of this repository, to {}",
                site.shown(&site.git_hooks)
            ),
            format!(
                "log-usage hooks install --force writes there, for every repository that uses it; \
                 or git config core.hooksPath {}",
                shell_word(&shown(&site.common.join("hooks")))
            ),
            blocks(),
            None,
        ),
        Keeper::Lefthook => (
            "lefthook keeps the hooks, and writes them anew from its settings".to_owned(),
            "add the lines above to lefthook.yml or lefthook-local.yml, run lefthook install, then \
             this again"
                .to_owned(),
            LEFTHOOK.to_owned(),
            None,
        ),
    };
    Some(ByHand { error: Error::Hooks { problem, fix }, snippet, question })
}

/// What lefthook's settings need.
const LEFTHOOK: &str = "\
pre-commit:
  commands:
    log-usage:
      run: log-usage hook pre-commit || true
post-commit:
  commands:
    log-usage:
      run: log-usage hook post-commit || true
";

/// What the settings of pre-commit or prek may hold in place of our block.
pub const FRAMEWORK: &str = "\
  - repo: local
    hooks:
      - id: log-usage
        name: log-usage
        entry: log-usage hook pre-commit
        language: system
        always_run: true
        pass_filenames: false
        stages: [pre-commit]
";

/// Plans everything that is to be installed. `fold` brings rows that wait in that folder into the
/// ledger; it is called, at once, only where rows shall wait no longer.
///
/// # Errors
/// Something that is not ours stands in the way; nothing was changed. See [`by_hand`].
pub fn install(
    site: &Site,
    options: &Options,
    fold: &mut dyn FnMut(&Path) -> Result<usize>,
) -> Result<Plan> {
    if let Some(by_hand) = by_hand(site)
        && !(options.force && site.keeper != Keeper::Lefthook)
    {
        return Err(by_hand.error);
    }
    // The path that the user types outlives an update better than the file that it leads to.
    let is_whole = |path: &&Path| path.is_absolute() && path.to_str().is_some();
    let program = site.program.as_deref().filter(is_whole).unwrap_or(&options.program);
    let program = program.to_str();
    let mut plan = Plan::default();
    for hook in HOOKS.iter().filter(|_| site.keeper != Keeper::Lefthook) {
        append(&mut plan, hook::install(site, hook, program)?);
    }
    let driver = program.filter(|_| site.program.is_none()).unwrap_or("log-usage");
    append(&mut plan, merging::install(site, driver)?);
    let pending = site.pending();
    let mode = if options.direct { "direct" } else { "deferred" };
    let mut steps = Vec::new();
    if merging::local(site, WRITE).as_deref() != Some(mode) {
        steps.push(Step::Set(WRITE, mode.to_owned()));
    }
    if options.direct {
        steps.extend(end_waiting(&pending, fold)?);
    } else if !pending.is_dir() {
        steps.push(Step::Folder(pending.clone()));
    }
    if !steps.is_empty() {
        let what = match options.direct {
            true => "direct: each row is written into the ledger at once".to_owned(),
            false => format!(
                "deferred: a row waits in {} and rides in the next commit",
                site.shown(&pending)
            ),
        };
        plan.add(steps, format!("writing      {what}"));
    }
    Ok(plan)
}

/// Plans to take away everything that [`install`] brought, from wherever it was put. `fold` as
/// there.
///
/// # Errors
/// Something is not as we left it; nothing was changed.
pub fn uninstall(
    site: &Site,
    force: bool,
    fold: &mut dyn FnMut(&Path) -> Result<usize>,
) -> Result<Plan> {
    let mut plan = Plan::default();
    for hook in HOOKS {
        append(&mut plan, hook::uninstall(site, hook, force)?);
    }
    append(&mut plan, merging::uninstall(site)?);
    let mut steps = Vec::new();
    if merging::local(site, WRITE).is_some() {
        let others = git::local_settings(&site.top, SECTION);
        steps.push(match others.iter().all(|name| name == WRITE) {
            true => Step::Forget(SECTION),
            false => Step::Unset(WRITE),
        });
    }
    steps.extend(end_waiting(&site.pending(), fold)?);
    if !steps.is_empty() {
        plan.add(steps, "writing      each row is written into the ledger at once".to_owned());
    }
    Ok(plan)
}

fn append(plan: &mut Plan, more: Plan) {
    plan.steps.extend(more.steps);
    plan.lines.extend(more.lines);
}

/// Brings the waiting rows home and plans to take their folder away: rows wait while it is there.
fn end_waiting(
    pending: &Path,
    fold: &mut dyn FnMut(&Path) -> Result<usize>,
) -> Result<Option<Step>> {
    if !pending.is_dir() {
        return Ok(None);
    }
    fold(pending)?;
    match waiting::first(pending)? {
        Some(journal) => Err(waiting::still(&journal)),
        None => Ok(Some(Step::EndWaiting(pending.to_owned()))),
    }
}
