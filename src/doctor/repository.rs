//! The repository around the ledger: what is committed, what waits, and what branches will do.

use std::path::Path;

use crate::doctor::sign::Sign;
use crate::error::{excerpt, shell_word, shown};
use crate::figures::counted;
use crate::git::branch;
use crate::git::branches::Branches;
use crate::git::committed;
use crate::git::{self, WorkTree};
use crate::hooks::hook::{self, State};
use crate::hooks::site::Site;
use crate::hooks::status;
use crate::ledger::files::{self, Role};
use crate::ledger::lost;
use crate::ledger::waiting;
use crate::privacy::consent::Level;
use crate::row::Row;
use crate::timestamp::Instant;
use crate::workspace::{Config, FOLDER, Place};

/// A row that has waited for so long may be forgotten.
const DAY_S: i64 = 24 * 60 * 60;

/// What git knows of the ledger, and does with it.
pub(super) fn repository(place: &Place) -> Vec<Sign> {
    let ledger = place.active();
    let mut signs = Vec::new();
    let is_tracked = git::tracks(&ledger);
    signs.push(match (git::ignoring_rule(&ledger), ledger.exists(), is_tracked) {
        (Some(rule), ..) => Sign::ill(
            format!("your own ignore rules hide the ledger from git ({rule})"),
            git::unignore(place.folder()),
        ),
        (None, false, true) => Sign::ill(
            "git tracks the ledger, but it is gone",
            format!("git checkout -- {}", shell_word(&shown(&ledger))),
        ),
        (None, true, false) => Sign::ill(
            "the ledger is not committed",
            format!("git add {}", shell_word(&shown(place.folder()))),
        ),
        (None, true, true) => Sign::well("git tracks the ledger"),
        (None, false, false) => Sign::well("there is no row in the ledger yet"),
    });
    signs.push(match git::attribute(&ledger, "merge").as_deref() {
        Some("union" | "log-usage") => Sign::well("branches merge with the rows of both sides"),
        _ => Sign::ill(
            "git would stop with a conflict where two branches add rows",
            format!(
                "log-usage init lays down {}; commit it on the default branch",
                shown(&place.folder().join(".gitattributes"))
            ),
        ),
    });
    signs.extend(history(place, is_tracked));
    if git::ignoring_rule(&place.lock()).is_none() || git::tracks(&place.lock()) {
        signs.push(Sign::ill(
            format!(
                "git would commit {}",
                shown(Path::new(place.lock().file_name().unwrap_or_default()))
            ),
            format!(
                "log-usage init lays down {}; then git rm --cached the file",
                shown(&place.folder().join(".gitignore"))
            ),
        ));
    }
    signs
}

/// What commits hold, beside what is here.
fn history(place: &Place, is_tracked: bool) -> Vec<Sign> {
    let mut signs = Vec::new();
    match lost::rows(place) {
        Ok(rows) if rows.is_empty() => {}
        Ok(rows) => signs.push(Sign::ill(
            format!(
                "rows of the last commit that no file holds: {}; the first: {}",
                rows.len(),
                excerpt(&rows[0])
            ),
            "log-usage repair puts them back",
        )),
        Err(error) => signs.push(Sign::refused(&error)),
    }
    signs.extend(uncommitted_segments(place).filter(|_| is_tracked));
    let lists = [
        (place.pruned(), "prune", "*pruned", "other clones keep the pruned rows"),
        (place.archived(), "archive", "*archived.csv", "other clones do not know what they lack"),
        (place.alerts(), "acknowledge alerts", "*alerts.csv", "nobody else knows what was done"),
    ];
    for (path, act, pattern, lack) in lists {
        if path.exists() && is_tracked && !git::tracks(&path) {
            signs.push(Sign::ill(
                format!("{} is not committed: {lack}", shown(&path)),
                format!("git add {}", shell_word(&shown(&path))),
            ));
        }
        if path.exists() && git::attribute(&path, "merge").is_none() {
            signs.push(Sign::ill(
                format!("git would stop with a conflict where two branches {act}"),
                format!(
                    "printf '{pattern} text eol=lf merge=union\\n' >> {}",
                    shell_word(&shown(&place.folder().join(".gitattributes")))
                ),
            ));
        }
    }
    // A merge is made by the rules of the branch that one is on.
    let folder = place.folder();
    let merges = |commit: &str| {
        let files = ["./.gitattributes", "../.gitattributes"];
        let texts = files.iter().filter_map(|path| committed::file_at(folder, commit, path));
        texts.into_iter().any(|text| String::from_utf8_lossy(&text).contains("merge="))
    };
    let default = Branches::default_around(folder);
    let default = default.filter(|it| is_tracked && !it.tips.iter().any(|tip| merges(tip)));
    if let Some(default) = default {
        signs.push(Sign::ill(
            format!(
                "on {} git would stop with a conflict where two branches add rows",
                excerpt(&default.name)
            ),
            format!(
                "commit {} on that branch before the others",
                shown(&folder.join(".gitattributes"))
            ),
        ));
    }
    signs
}

/// Segments that were sealed, compressed or put back, and that a commit may leave out while it takes
/// away what they were made of; where our hook stages them all is well.
fn uncommitted_segments(place: &Place) -> Option<Sign> {
    let is_ours =
        |name: &String| files::role(place, &format!("archive/{name}")) == Some(Role::Sealed);
    let segments = git::untracked(&place.archive()).into_iter().filter(is_ours).count();
    let is_staged = || {
        let root = place.folder().parent().filter(|_| place.folder().ends_with(FOLDER));
        let site = root.and_then(|root| Site::around(root).ok());
        site.is_some_and(|site| matches!(hook::state(&site, "pre-commit"), State::Calls(_)))
    };
    // Between a rotation and the next commit there is more to be committed than they.
    let is_left_out = || committed::changed(place.folder()).is_empty();
    (segments > 0 && is_left_out() && !is_staged()).then(|| {
        let segments = counted(segments as u64, "sealed segment");
        Sign::ill(
            format!("not committed: {segments}, which git commit -a leaves out"),
            format!("git add {}", shell_word(&shown(place.folder()))),
        )
    })
}

/// Rows that nobody commits are on this machine alone.
pub(super) fn waiting_rows(place: &Place, now: Instant) -> Vec<Sign> {
    let outside = place.folder().parent().filter(|_| place.folder().ends_with(FOLDER));
    let Some(tree) = outside.and_then(WorkTree::around) else { return Vec::new() };
    let rows: Vec<_> = match waiting::all(&tree) {
        Ok(all) => all.into_iter().flat_map(|due| due.rows).collect(),
        Err(error) => return vec![Sign::refused(&error)],
    };
    let is_old = |line: &str| {
        let row = Row::parse(line).ok();
        row.is_some_and(|row| now.seconds - row.at.instant().seconds > DAY_S)
    };
    let old: Vec<_> = rows.iter().filter(|row| is_old(&row.line)).collect();
    let mut branches: Vec<&str> = old.iter().map(|row| row.home.branch.as_str()).collect();
    branches.sort_unstable();
    branches.dedup();
    let (current, shared) = (branch::current(&tree.own), tree.shared());
    let is_gone =
        |name: &&str| !name.is_empty() && *name != current && !branch::exists(&shared, name);
    let gone = branches.iter().filter(|name| is_gone(name)).count();
    let named = branches.iter().map(|name| match *name {
        "" => "no branch".to_owned(),
        name if is_gone(&name) => format!("{name} (deleted)"),
        name => name.to_owned(),
    });
    let is_off = Config::load(place).is_ok_and(|config| config.consent.ceiling == Some(Level::Off));
    match (rows.len(), old.len()) {
        (0, _) => Vec::new(),
        (rows, _) if is_off => vec![Sign::well(format!(
            "rows that wait on: {rows}; config.toml forbids to log them (log-usage hooks uninstall \
             puts them into the ledger all the same)"
        ))],
        (rows, 0) => vec![Sign::well(format!("rows that wait for a commit: {rows}"))],
        (_, old) => vec![Sign::ill(
            format!(
                "rows older than a day that wait for a commit: {old}, of {}",
                named.collect::<Vec<_>>().join(", ")
            ),
            format!(
                "{}; or log-usage hooks uninstall puts all rows into the ledger",
                match gone {
                    0 => "commit there",
                    _ if gone == branches.len() =>
                        "commit a change on any branch, which takes the rows of a deleted one",
                    _ =>
                        "commit there; rows of a deleted branch ride in the next commit of any other",
                }
            ),
        )],
    }
}

/// What `hooks install` brought: it is for the ledger in `.telemetry` alone.
pub(super) fn installed(place: &Place) -> Vec<Sign> {
    let root = place.folder().parent().filter(|_| place.folder().ends_with(FOLDER));
    let Some(Ok(site)) = root.map(Site::around) else { return Vec::new() };
    let findings = status::findings(&site, &place.active()).into_iter();
    findings.map(|it| Sign { what: it.what, fix: it.fix }).collect()
}
