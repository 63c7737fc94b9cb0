//! What of that which was installed is in effect. Changes nothing.

use std::fs;
use std::path::Path;

use crate::error::excerpt;
use crate::git;
use crate::hooks::block;
use crate::hooks::hook::{self, State};
use crate::hooks::merging::{self, DRIVER};
use crate::hooks::plan::is_executable;
use crate::hooks::site::{HOOKS, Site, WRITE};

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What was found.
    pub what: String,
    /// What to type; None where all is well.
    pub fix: Option<String>,
}

const INSTALL: &str = "log-usage hooks install";

/// Everything that was installed, and whether it does what it was installed for; empty where
/// nothing is. `ledger` is the active segment, whose merging counts.
pub fn findings(site: &Site, ledger: &Path) -> Vec<Finding> {
    let states = HOOKS.map(|hook| (hook, hook::state(site, hook)));
    let chosen = merging::local(site, WRITE);
    let is_waiting = site.pending().is_dir();
    let has_hooks = states.iter().any(|(_, state)| *state != State::Absent);
    let driver = git::setting(&site.top, DRIVER);
    let has_attributes = merging::has_attributes(site);
    let mut findings = Vec::new();
    let mut add = |what: String, fix: Option<String>| findings.push(Finding { what, fix });
    if has_hooks || chosen.is_some() || is_waiting {
        for (hook, state) in &states {
            let (what, fix) = of_hook(site, hook, state);
            add(what, fix);
        }
        let (what, fix) = of_mode(site, chosen.as_deref(), is_waiting);
        add(what, fix);
    }
    if chosen.is_some() || driver.is_some() || has_attributes {
        let (what, fix) = of_driver(site, driver.as_deref());
        add(what, fix);
        let merge = git::attribute(ledger, "merge");
        match merge.as_deref() {
            Some("log-usage") => {
                add(format!("{} merges row by row", site.shown(ledger)), None);
            }
            other => add(
                format!(
                    "{} merges by {}, not by log-usage",
                    site.shown(ledger),
                    other.unwrap_or("text")
                ),
                Some(format!(
                    "{INSTALL}; then let no later line of {} say otherwise",
                    site.shown(&site.attributes)
                )),
            ),
        }
    }
    findings
}

fn of_hook(site: &Site, hook: &str, state: &State) -> (String, Option<String>) {
    match state {
        State::Calls(path) => {
            let text = fs::read(path).unwrap_or_default();
            let is_there = site.program.is_some()
                || block::fallback(&text).is_some_and(|word| is_found(site, word));
            match is_there {
                true => (format!("{hook} calls log-usage from {}", site.shown(path)), None),
                false => (
                    format!("{hook} does not find log-usage on git's path"),
                    Some(format!("put log-usage on the PATH, or {INSTALL} again")),
                ),
            }
        }
        State::Asleep(path) => (
            format!("{hook} would call log-usage, but {} is not executable", site.shown(path)),
            Some(format!("chmod +x {}", site.word(path))),
        ),
        State::Bypassed(path) => (
            format!(
                "{hook} would call log-usage from {}, but git looks for hooks in {}",
                site.shown(path),
                site.shown(&site.git_hooks)
            ),
            Some(INSTALL.to_owned()),
        ),
        State::Absent => (
            format!("{hook} does not call log-usage: another tool wrote it anew, or it was edited"),
            Some(INSTALL.to_owned()),
        ),
    }
}

/// Whether this word, written as for a shell, is a program that git would find. The word comes from
/// a file or a setting, so it is never given to a shell.
fn is_found(site: &Site, word: &str) -> bool {
    match block::word(word) {
        Some(name) if name == "log-usage" => site.program.is_some(),
        Some(path) if path.contains(['/', '\\']) => is_executable(&site.top.join(path)),
        _ => false,
    }
}

fn of_mode(site: &Site, chosen: Option<&str>, is_waiting: bool) -> (String, Option<String>) {
    let pending = site.shown(&site.pending());
    match (chosen, is_waiting) {
        (Some("direct"), true) => (
            format!("rows were to be written at once, but wait, for there is {pending}"),
            Some(format!("{INSTALL} --direct")),
        ),
        (Some("deferred"), false) => (
            format!("rows were to wait for a commit, but do not, for {pending} is gone"),
            Some(INSTALL.to_owned()),
        ),
        (_, true) => (format!("deferred: a row waits in {pending} for the next commit"), None),
        (_, false) => ("direct: each row is written into the ledger at once".to_owned(), None),
    }
}

fn of_driver(site: &Site, driver: Option<&str>) -> (String, Option<String>) {
    let Some(driver) = driver else {
        let what = format!("the merge driver is not configured ({DRIVER})");
        return (what, Some(INSTALL.to_owned()));
    };
    // The program is the word before ours, written as for a shell.
    let word = driver.split(" merge-driver ").next().unwrap_or(driver).replace("%%", "%");
    match is_found(site, &word) {
        true => ("the merge driver is configured, and its program found".to_owned(), None),
        false => (
            format!("the merge driver's program is not found: {}", excerpt(&word)),
            Some(format!("put log-usage on the PATH, or {INSTALL} again")),
        ),
    }
}
