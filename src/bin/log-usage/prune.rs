//! `log-usage prune`: says what it will delete, asks, and deletes it.

use std::io::{self, IsTerminal};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{ArgGroup, Parser};
use usage_ledger::error::{Error, Result, excerpt, shell_word, shown};
use usage_ledger::figures::{self, counted};
use usage_ledger::git;
use usage_ledger::ledger::prune::{self, Pruned};
use usage_ledger::timestamp::Day;
use usage_ledger::workspace::Config;

use crate::voice;
use crate::world::{self, Choice, Target};
use crate::write::{around, policy, work_tree};

/// Delete old rows for good: those whose own calendar day is before a date
///
/// The date is kept in .telemetry/pruned: commit it, and rows that another branch
/// brings back are not counted. Lines that cannot be read stay. git's history
/// keeps what was committed.
#[derive(Parser)]
#[command(
    name = "log-usage prune",
    bin_name = "log-usage prune",
    group = ArgGroup::new("border").required(true),
    after_help = "Examples:\n  log-usage prune --older-than 90d --dry-run\n  log-usage prune --before 2026-01-01 --yes"
)]
pub(crate) struct Prune {
    /// Delete rows from before the day of so long ago (90d, 6months, 1year)
    #[arg(long, value_name = "AGE", group = "border", allow_negative_numbers = true)]
    older_than: Option<String>,
    /// Delete rows from before this day
    #[arg(long, value_name = "DATE", group = "border", allow_negative_numbers = true)]
    before: Option<String>,
    /// Do not ask
    #[arg(long, short)]
    yes: bool,
    /// Say what would be deleted, change nothing
    #[arg(long)]
    dry_run: bool,
    /// Prune another ledger
    #[arg(long, value_name = "PATH")]
    file: Option<PathBuf>,
    /// Prune your own ledger, outside any repository
    #[arg(long)]
    personal: bool,
}

/// No ledger is older; what is typed so is a slip of the fingers.
const AGE_S_MAX: u64 = 1_000 * 366 * 86_400;

const DAY_S: i64 = 86_400;

/// So far behind UTC is the last place on earth where a day begins.
const WEST_S: i64 = 12 * 3_600;

pub(crate) fn run(options: Prune) -> Result<ExitCode> {
    // clap sees to it that one of them is given.
    let border = border(options.before.as_deref(), options.older_than.as_deref())?;
    let border = border.unwrap_or(Day(i32::MIN));
    let target = Target::find(options.file.as_deref(), options.personal)?;
    let place = &target.place;
    let policy = policy(&Config::load(place)?, None, None);
    let tree = work_tree(&target);
    let deferring = tree.as_ref().filter(|_| target.choice == Choice::Repository);
    let found = prune::survey(place, deferring, border)?;
    if found.rows == 0 && found.archived == 0 {
        let text = format!("nothing to prune: no row is from before {border}\n");
        return Ok(voice::print(text.as_bytes()));
    }
    if options.dry_run {
        return Ok(voice::print(said("would delete", &found, border).as_bytes()));
    }
    if !options.yes {
        if !(io::stdin().is_terminal() && io::stderr().is_terminal()) {
            return Err(Error::Usage {
                problem: format!(
                    "prune would {}, and there is no terminal to ask on",
                    aim(&found, border)
                ),
                fix: format!("log-usage prune --before {border} --yes"),
            });
        }
        if !confirmed(&said("will delete", &found, border), &aim(&found, border))? {
            voice::say("nothing was deleted");
            return Ok(ExitCode::from(1));
        }
    }
    let is_tracked = || git::tracks(&place.active());
    let around = around(tree.clone(), &is_tracked);
    let pruned = prune::prune(place, deferring, &policy, &around, border)?;
    let mut text = said("deleted", &pruned, border);
    let is_for_git = target.choice == Choice::Repository && tree.is_some();
    if is_for_git || git::tracks(&place.active()) {
        text += &format!(
            "commit it all: git add {}; git's history keeps what was committed before\n",
            shell_word(&shown(place.folder()))
        );
    }
    let copies = prune::copies(place);
    if !copies.is_empty() {
        text += &format!("copies that may hold such rows stay: {}\n", excerpt(&copies.join(", ")));
    }
    Ok(voice::print(text.as_bytes()))
}

/// The day before which rows are meant: a date, or that of so long ago. None where neither is given.
pub(crate) fn border(before: Option<&str>, older_than: Option<&str>) -> Result<Option<Day>> {
    let refuse = |option: &str, given: &str, allowed: &str, example: &str| Error::OptionValue {
        option: option.to_owned(),
        given: given.to_owned(),
        allowed: allowed.to_owned(),
        example: example.to_owned(),
    };
    if let Some(given) = older_than {
        let age = humantime::parse_duration(given).ok().filter(|age| age.as_secs() <= AGE_S_MAX);
        let age = age.ok_or_else(|| refuse("--older-than", given, "an age such as 90d", "90d"))?;
        return Ok(Some(day_before(age)));
    }
    let Some(given) = before else { return Ok(None) };
    let day = Day::parse(given);
    let day = day.ok_or_else(|| refuse("--before", given, "a date", "2026-02-23"))?;
    match day > latest() {
        true => {
            let latest = latest().to_string();
            let allowed = format!("a day up to {latest}: later ones have not begun everywhere");
            Err(refuse("--before", given, &allowed, &latest))
        }
        false => Ok(Some(day)),
    }
}

/// The day of so long ago.
pub(crate) fn day_before(age: Duration) -> Day {
    let (now, age_s) = (world::now(), age.as_secs().min(AGE_S_MAX) as i64);
    now.at_microsecond(now.instant().seconds - age_s, 0).day().min(latest())
}

/// Beyond it somebody's rows of today would be refused, and not be counted.
fn latest() -> Day {
    Day((world::now().instant().seconds - WEST_S).div_euclid(DAY_S) as i32)
}

/// What is to be done, in a few words.
fn aim(found: &Pruned, border: Day) -> String {
    match found.rows {
        0 => format!("count no row from before {border} any more"),
        rows => format!("delete {}", counted(rows, "row")),
    }
}

fn confirmed(text: &str, aim: &str) -> Result<bool> {
    voice::say(text.trim_end());
    let (first, rest) = aim.split_at(1);
    answered(&format!("{}{rest}? [y/N]", first.to_ascii_uppercase()))
}

/// Whether somebody says yes.
pub(crate) fn answered(question: &str) -> Result<bool> {
    voice::say(question);
    let mut answer = String::new();
    io::stdin()
        .read_line(&mut answer)
        .map_err(|error| Error::io("read", "standard input".as_ref(), &error))?;
    Ok(matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
}

/// How many rows, of which days, with how many tokens; and file by file.
fn said(verb: &str, pruned: &Pruned, border: Day) -> String {
    let span = match pruned.span {
        Some((from, to)) if from == to => format!(" ({from})"),
        Some((from, to)) => format!(" ({from} to {to})"),
        None => String::new(),
    };
    let mut text = match pruned.rows {
        0 => format!("no row here is from before {border}\n"),
        rows => format!(
            "{verb} {} from before {border}{span}, {} tokens:\n",
            counted(rows, "row"),
            figures::thousands(pruned.tokens)
        ),
    };
    for cut in &pruned.files {
        let rest = match (cut.is_whole, cut.kept) {
            (true, _) => "the whole file".to_owned(),
            (false, kept) => format!("{} stay", figures::thousands(kept.into())),
        };
        text += &format!("  {}: {}, {rest}\n", excerpt(&cut.file), counted(cut.rows, "row"));
    }
    if pruned.archived > 0 {
        text += &format!(
            "  in an archive: up to {}, which count no more, even if they are put back\n",
            counted(pruned.archived, "row")
        );
    }
    text
}
