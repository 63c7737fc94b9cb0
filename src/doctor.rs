//! Is the set-up sound? Each thing that matters, whether it is well, and what to type where it is
//! not. Leaves everything as it was.

use std::fs::OpenOptions;
use std::path::Path;
use std::time::Duration;

use crate::error::{Error, excerpt, shell_word, shown};
use crate::figures;
use crate::git::branch;
use crate::git::branches::Branches;
use crate::git::carried::carried;
use crate::git::committed;
use crate::git::{self, WorkTree};
use crate::hooks::site::Site;
use crate::hooks::status;
use crate::ledger::archived;
use crate::ledger::files::{self, Role};
use crate::ledger::growth::Growth;
use crate::ledger::gzip;
use crate::ledger::lock::Lock;
use crate::ledger::lost;
use crate::ledger::moving::{self, Aim};
use crate::ledger::prune;
use crate::ledger::verify::Verifier;
use crate::ledger::verify_events;
use crate::ledger::waiting;
use crate::privacy::consent::Level;
use crate::row::Row;
use crate::timestamp::{Instant, Timestamp};
use crate::workspace::{Config, FOLDER, Layout, MAX_SIZE, Place};

/// Long enough for any writer that is alive to finish its row.
const LOCK_WAIT: Duration = Duration::from_secs(2);

/// git stores each version of a committed file; beyond this that begins to cost.
const COMMITTED_BYTES_MAX: u64 = 1 << 20;

/// Nobody waits longer to hear what git carries.
const CARRIED_WAIT: Duration = Duration::from_secs(5);

/// From about here on a clone is noticeably slower for the ledger's sake.
const CARRIED_BYTES_MANY: u64 = 100 << 20;

/// Fewer days tell nothing of git's pace.
const DAYS_OF_A_PACE: i64 = 30;

/// A row that has waited for so long may be forgotten.
const DAY_S: i64 = 24 * 60 * 60;

/// One thing that was looked at.
#[derive(Debug, PartialEq, Eq)]
pub struct Sign {
    /// What was found.
    pub what: String,
    /// What to type; None where all is well.
    pub fix: Option<String>,
}

impl Sign {
    fn well(what: impl Into<String>) -> Sign {
        Sign { what: what.into(), fix: None }
    }

    fn ill(what: impl Into<String>, fix: impl Into<String>) -> Sign {
        Sign { what: what.into(), fix: Some(fix.into()) }
    }
}

/// Looks at the ledger of a place, and at the repository around it.
pub fn examine(place: &Place, now: Instant) -> Vec<Sign> {
    let folder = place.folder();
    let mut signs = vec![settings(place)];
    if !folder.is_dir() {
        let waiting = waiting_rows(place, now);
        if waiting.is_empty() {
            signs.push(Sign::well(format!(
                "there is no {} yet: the first row makes it; log-usage init adds a README and settings",
                shown(folder)
            )));
        }
        signs.extend(waiting);
        signs.extend(installed(place));
        return signs;
    }
    signs.push(writing(place));
    signs.extend(ledger(place));
    signs.extend(sizes(place, now));
    signs.extend(due(place, now));
    signs.extend(leftovers(place));
    signs.extend(events(place));
    if git::git_dir(folder).is_some() {
        signs.extend(repository(place));
        signs.extend(installed(place));
        signs.extend(waiting_rows(place, now));
    }
    signs
}

/// Rows that nobody commits are on this machine alone.
fn waiting_rows(place: &Place, now: Instant) -> Vec<Sign> {
    let outside = place.folder().parent().filter(|_| place.folder().ends_with(FOLDER));
    let Some(tree) = outside.and_then(WorkTree::around) else { return Vec::new() };
    let rows: Vec<_> = match waiting::all(&tree) {
        Ok(all) => all.into_iter().flat_map(|due| due.rows).collect(),
        Err(error) => return vec![Sign::ill(error.to_string(), "mend what the system says")],
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
fn installed(place: &Place) -> Vec<Sign> {
    let root = place.folder().parent().filter(|_| place.folder().ends_with(FOLDER));
    let Some(Ok(site)) = root.map(Site::around) else { return Vec::new() };
    let findings = status::findings(&site, &place.active()).into_iter();
    findings.map(|it| Sign { what: it.what, fix: it.fix }).collect()
}

/// What an error says is wrong, and what it says to do.
pub fn told(error: &Error) -> (String, String) {
    let text = error.to_string();
    let what = text.lines().next().unwrap_or_default().trim_start_matches("error: ");
    let fix = text.lines().find_map(|line| line.strip_prefix("  fix: "));
    (what.to_owned(), fix.unwrap_or("mend what the system says").to_owned())
}

/// That the repository's prices cannot be read, as whoever reads them says.
pub fn prices(error: &Error) -> Sign {
    Sign::ill(told(error).0, "correct it; docs/prices.md tells what each column holds")
}

/// What a command would refuse, as it says so itself.
pub fn refused(error: &Error) -> Sign {
    let (what, fix) = told(error);
    Sign::ill(what, fix)
}

/// That nothing is logged here, and why: somebody wants it so.
pub fn off(why: &str) -> Sign {
    Sign::well(format!("nothing is logged here: {why}"))
}

/// That identity is on, and rows carry no pseudonym all the same.
pub fn identity(why: &str, fix: String) -> Sign {
    Sign::ill(format!("identity is on, but rows carry no pseudonym: {why}"), fix)
}

fn settings(place: &Place) -> Sign {
    match Config::load(place) {
        Ok(_) => Sign::well("the settings can be read"),
        Err(error) => Sign::ill(told(&error).0, "correct the line, or put # before it"),
    }
}

/// Writers must be able to write here, and to keep each other out. The lock is taken only where it
/// is there: to look must not be to make.
fn writing(place: &Place) -> Sign {
    let fix = "make it writable, or end the process that holds the lock";
    let probe = tempfile::Builder::new().prefix(".doctor").tempfile_in(place.folder());
    if let Err(error) = probe {
        return Sign::ill(told(&Error::io("write in", place.folder(), &error)).0, fix);
    }
    let active = place.active();
    if active.is_file()
        && let Err(error) = OpenOptions::new().append(true).open(&active)
    {
        return Sign::ill(told(&Error::io("append to", &active, &error)).0, fix);
    }
    if !place.lock().exists() {
        return Sign::well("rows can be written here");
    }
    match Lock::take(&place.lock(), LOCK_WAIT) {
        Ok(lock) if lock.is_marked() => {
            Sign::well("a rotation was cut short; the next row finishes it")
        }
        Ok(_) => Sign::well("rows can be written here"),
        Err(error) => Sign::ill(told(&error).0, fix),
    }
}

fn ledger(place: &Place) -> Vec<Sign> {
    let active = place.active();
    if active.metadata().is_ok_and(|meta| !meta.is_file())
        || active.is_symlink() && !active.exists()
    {
        let what = format!("{} is not a regular file", shown(&active));
        return vec![Sign::ill(what, "put the ledger back in its place")];
    }
    let mut verifier = Verifier::default();
    let older = match files::older(place) {
        Ok(older) => older,
        Err(error) => return vec![Sign::ill(error.to_string(), "mend what the system says")],
    };
    for file in older.into_iter().chain([files::active(place)]) {
        // A rotation that was cut short has given the active segment a second name.
        if file.role == Role::Sealed && files::is_same(&file.path, &place.active()) {
            continue;
        }
        if !file.path.is_file() {
            continue;
        }
        // A file that cannot be read to its end is named by what it lacks.
        if let Ok(text) = gzip::open(&file.path) {
            let _ = verifier.read(&file.label, file.role, text);
        }
    }
    let shared = verifier.shared();
    let (findings, rows, _) = verifier.finish();
    let mut signs = vec![match findings.len() {
        0 => Sign::well(format!("{rows} {}, all sound", if rows == 1 { "row" } else { "rows" })),
        found => {
            let first = &findings[0];
            Sign::ill(
                format!("{found} findings in {rows} rows; the first: {first}"),
                "usage-report verify names them all; log-usage repair mends the active segment",
            )
        }
    }];
    if shared > 0 {
        signs.push(Sign::ill(
            format!("rows that stand in more than one file: {shared}; each is counted once"),
            "log-usage repair, and log-usage compact where there are fragments",
        ));
    }
    let bytes = place.active().metadata().map_or(0, |meta| meta.len());
    if bytes > COMMITTED_BYTES_MAX && git::tracks(&place.active()) {
        signs.push(Sign::ill(
            format!("the active segment has {} MiB, and each commit stores it anew", bytes >> 20),
            "set max_size = \"1M\" in config.toml",
        ));
    }
    signs
}

/// What the ledger takes, here and in git, and what it will.
fn sizes(place: &Place, now: Instant) -> Vec<Sign> {
    let Some(growth) = Growth::of(place, now).ok().filter(|growth| growth.rows > 0) else {
        return Vec::new();
    };
    let name = place.name().to_string_lossy();
    let files = if growth.files == 1 { "file" } else { "files" };
    let mut size = format!(
        "size: {} in {} {files}; {} has {}",
        figures::bytes(growth.bytes),
        growth.files,
        shown(name.as_ref().as_ref()),
        figures::bytes(growth.active_bytes)
    );
    if growth.sealed > 0 {
        size += &format!(
            ", sealed segments {} ({} of {} compressed)",
            figures::bytes(growth.sealed_bytes),
            growth.compressed,
            growth.sealed
        );
    }
    let mut signs = vec![Sign::well(size)];
    if let Some((rows, bytes, days)) = growth.of_a_month() {
        let mut text = format!(
            "growth: {} rows and {} a month, by the last {days} days",
            figures::thousands(rows.into()),
            figures::bytes(bytes)
        );
        let config = Config::load(place).unwrap_or_default();
        let max_size = config.max_size.unwrap_or(MAX_SIZE);
        if let Some(days) = growth.days_until(max_size).filter(|_| config.layout == Layout::Single)
        {
            text += &format!("; sealed at {}, {}", figures::bytes(max_size), when(days));
        }
        signs.push(Sign::well(text));
    }
    signs.extend(in_git(place, growth.days));
    let unseen = archived::unseen_in(place).unwrap_or_default();
    if !unseen.is_empty() {
        let rows: u64 = unseen.iter().map(|it| it.segment.rows).sum();
        let rows = figures::thousands(rows.into());
        let segments = if unseen.len() == 1 { "segment" } else { "segments" };
        let what = format!("in an archive: {rows} rows in {} {segments}", unseen.len());
        signs.push(Sign::well(what));
    }
    signs
}

/// What git carries of the ledger in all its versions.
fn in_git(place: &Place, days: i64) -> Option<Sign> {
    git::git_dir(place.folder())?;
    let is_meant = |path: &str| files::role(place, path).is_some();
    let Some(carried) = carried(place.folder(), &is_meant, CARRIED_WAIT) else {
        let wait = CARRIED_WAIT.as_secs();
        let what = format!("what git carries of the ledger was not found out within {wait} s");
        return Some(Sign::well(what));
    };
    let stored = carried.stored_bytes;
    let mut text = format!(
        "git carries {} of the ledger: {} versions of {} in all",
        figures::bytes(stored),
        figures::thousands(carried.versions.into()),
        figures::bytes(carried.bytes)
    );
    let left = CARRIED_BYTES_MANY.saturating_sub(stored);
    let until = left.saturating_mul(days.max(0) as u64).checked_div(stored);
    if let Some(until) = until.filter(|_| left > 0 && days >= DAYS_OF_A_PACE) {
        let many = figures::bytes(CARRIED_BYTES_MANY);
        text += &format!("; at this pace {many} {}", when(until));
    }
    (carried.versions > 0).then(|| Sign::well(text))
}

/// `in about 5 months`.
fn when(days: u64) -> String {
    match days {
        0 => "within a day".to_owned(),
        1..14 => format!("in about {days} days"),
        14..60 => format!("in about {} weeks", days / 7),
        60..730 => format!("in about {} months", days / 30),
        730..36_500 => format!("in about {} years", days / 365),
        _ => "in more than a hundred years".to_owned(),
    }
}

/// What the settings say of old rows, and was not done yet.
fn due(place: &Place, now: Instant) -> Vec<Sign> {
    let retention = Config::load(place).unwrap_or_default().retention;
    let border = |age: Duration| {
        let seconds = now.seconds - age.as_secs().min(i32::MAX as u64) as i64;
        Timestamp::utc(Instant { seconds, nanos: 0 }).day()
    };
    let mut signs = Vec::new();
    let aims = [
        (retention.compress_after, Aim::Compress, "compressed", "log-usage archive"),
        (retention.archive_after, Aim::Move, "moved to an archive", "log-usage archive --to PATH"),
    ];
    for (age, aim, done, fix) in aims {
        let Some(age) = age else { continue };
        match moving::survey(place, Some(border(age)), aim) {
            Ok(survey) if survey.due.is_empty() => {}
            Ok(survey) => {
                let age = humantime::format_duration(age);
                let segments = survey.due.len();
                let what = format!("segments to be {done}, older than {age}: {segments}");
                signs.push(Sign::ill(what, fix));
            }
            Err(error) => signs.push(Sign::ill(error.to_string(), "mend what the system says")),
        }
    }
    if let (Some(keep), Some(moved)) = (retention.keep, retention.archive_after)
        && keep <= moved
    {
        signs.push(Sign::ill(
            "rows are to be deleted before any goes to an archive: keep is up before archive_after",
            "make keep longer, or take archive_after away, below [retention] in config.toml",
        ));
    }
    if let Some(age) = retention.keep
        && let Ok(found) = prune::survey(place, None, border(age))
        && found.rows > 0
    {
        let age = humantime::format_duration(age).to_string().replace(' ', "");
        signs.push(Sign::ill(
            format!("rows older than {age}: {}", figures::thousands(found.rows.into())),
            format!("log-usage prune --older-than {age} deletes them for good"),
        ));
    }
    signs
}

/// Events that cannot be read are left out of reports.
fn events(place: &Place) -> Option<Sign> {
    let verified = match verify_events::verify(&place.events()) {
        Ok(verified) => verified,
        Err(error) => return Some(Sign::ill(error.to_string(), "mend what the system says")),
    };
    let first = verified.findings.first()?;
    let found = verified.findings.len();
    Some(Sign::ill(
        format!("findings in events: {found}; the first: {}", excerpt(first)),
        match verified.unreadable {
            0 => "usage-report verify names them all; reports read them as they are",
            _ => {
                "usage-report verify names them all; log-usage repair moves those aside that cannot be read"
            }
        },
    ))
}

fn leftovers(place: &Place) -> Vec<Sign> {
    let bytes = place.torn().metadata().map_or(0, |meta| meta.len());
    let what = format!("{} holds {bytes} bytes of writers that died", shown(&place.torn()));
    let fix = "look at it, then delete it: no row in it was ever acknowledged";
    if bytes > 0 { vec![Sign::ill(what, fix)] } else { Vec::new() }
}

fn repository(place: &Place) -> Vec<Sign> {
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
        Err(error) => signs.push(Sign::ill(error.to_string(), "mend what the system says")),
    }
    let pruned = place.pruned();
    if pruned.exists() && !git::tracks(&pruned) {
        signs.push(Sign::ill(
            format!("{} is not committed: other clones keep the pruned rows", shown(&pruned)),
            format!("git add {}", shell_word(&shown(&pruned))),
        ));
    }
    for (path, act, pattern) in
        [(place.pruned(), "prune", "*pruned"), (place.archived(), "archive", "*archived.csv")]
    {
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
