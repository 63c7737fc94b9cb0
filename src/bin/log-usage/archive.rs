//! `log-usage archive` compresses sealed segments, or moves them out of the ledger's folder;
//! `log-usage restore` puts them back.

use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{ArgGroup, Parser};
use usage_ledger::error::{Error, Result, excerpt, shell_word, shown};
use usage_ledger::figures::{self, counted};
use usage_ledger::git::{self, WorkTree};
use usage_ledger::ledger::archive::Archive;
use usage_ledger::ledger::archived::Segment;
use usage_ledger::ledger::border;
use usage_ledger::ledger::gzip;
use usage_ledger::ledger::moving::{self, Aim, Done, Survey};
use usage_ledger::ledger::restoring;
use usage_ledger::timestamp::Day;
use usage_ledger::workspace::{Config, FOLDER, Place};

use crate::prune;
use crate::voice;
use crate::world::Target;
use crate::write::{around, policy, work_tree};

/// Compress sealed segments, or move them out of the ledger's folder
///
/// Without --to: segments in archive/ become .csv.gz, which reports read as
/// before. With --to they go to a folder, or to one file if its name ends in
/// .tar, with a manifest; each copy is read back before anything is removed.
/// Reports say then how many rows they do not see; restore puts them back.
#[derive(Parser)]
#[command(
    name = "log-usage archive",
    bin_name = "log-usage archive",
    group = ArgGroup::new("border"),
    after_help = "Examples:\n  log-usage archive\n  log-usage archive --to /backup/usage --older-than 180d"
)]
pub(crate) struct Options {
    /// Move them there: a folder, or a file that ends in .tar
    #[arg(long, value_name = "PATH")]
    to: Option<PathBuf>,
    /// Only those whose rows are all from before the day of so long ago (90d)
    #[arg(long, value_name = "AGE", group = "border", allow_negative_numbers = true)]
    older_than: Option<String>,
    /// Only those whose rows are all from before this day
    #[arg(long, value_name = "DATE", group = "border", allow_negative_numbers = true)]
    before: Option<String>,
    /// Do not ask
    #[arg(long, short)]
    yes: bool,
    /// Say what would be done, change nothing
    #[arg(long)]
    dry_run: bool,
    /// Those of another ledger
    #[arg(long, value_name = "PATH")]
    file: Option<PathBuf>,
    /// Those of your own ledger, outside any repository
    #[arg(long)]
    personal: bool,
}

pub(crate) fn run(options: Options) -> Result<ExitCode> {
    let target = Target::find(options.file.as_deref(), options.personal)?;
    let place = &target.place;
    let config = Config::load(place)?;
    let kept = match options.to {
        Some(_) => config.retention.archive_after,
        None => config.retention.compress_after,
    };
    let border = match prune::border(options.before.as_deref(), options.older_than.as_deref())? {
        None => kept.map(prune::day_before),
        given => given,
    };
    let policy = policy(&config, None, None);
    let is_tracked = || git::tracks(&place.active());
    let around = around(work_tree(&target), &is_tracked);
    let done = match &options.to {
        None => {
            let survey = moving::survey(place, border, Aim::Compress)?;
            if let Some(printed) = nothing("compress", &survey, border) {
                return Ok(printed);
            }
            if options.dry_run {
                return Ok(voice::print(said("would compress", &survey).as_bytes()));
            }
            refuse_conversion(place)?;
            let before: u64 = survey.due.iter().map(|it| it.segment.bytes).sum();
            let done = moving::compress(place, &policy, &around, &survey.due)?;
            if let Some(printed) = undone(&done) {
                return Ok(printed);
            }
            format!(
                "compressed {}: of {} {} are left\n",
                counted(done.segments.len() as u64, "segment"),
                figures::bytes(before),
                figures::bytes(done.bytes_now)
            )
        }
        Some(path) => {
            let border = border.ok_or_else(|| Error::Usage {
                problem: "archive --to: it is not said how old the rows must be".to_owned(),
                fix: "--older-than 180d; or archive_after in config.toml, below [retention]"
                    .to_owned(),
            })?;
            refuse_target(place, path)?;
            let survey = moving::survey(place, Some(border), Aim::Move)?;
            if let Some(printed) = nothing("move", &survey, Some(border)) {
                return Ok(printed);
            }
            if options.dry_run {
                return Ok(voice::print(said("would move", &survey).as_bytes()));
            }
            let rows = counted(rows(&survey), "row");
            let text = said("will move", &survey);
            let word = shell_word(&shown(path));
            if !options.yes && !confirmed(&text, &rows, &format!("--to {word} --before {border}"))?
            {
                voice::say("nothing was moved");
                return Ok(ExitCode::from(1));
            }
            let archive = Archive::at(path);
            let done = moving::move_out(place, &policy, &around, &survey.due, &archive)?;
            if let Some(printed) = undone(&done) {
                return Ok(printed);
            }
            let rows = done.segments.iter().map(|it| it.rows).sum();
            format!(
                "moved {} in {}; reports say that they do not see them\n\
                 to put them back: log-usage restore {word}\n",
                counted(rows, "row"),
                counted(done.segments.len() as u64, "segment"),
            )
        }
    };
    let commit = commit(place, &is_tracked);
    Ok(voice::print(format!("{done}{commit}").as_bytes()))
}

/// What is left to be done. `git commit -a` would leave new files out.
fn commit(place: &Place, is_tracked: &dyn Fn() -> bool) -> String {
    match is_tracked() {
        true => format!("commit it all: git add {}\n", shell_word(&shown(place.folder()))),
        false => String::new(),
    }
}

fn rows(survey: &Survey) -> u64 {
    survey.due.iter().map(|it| it.segment.rows).sum()
}

fn tell_left(left: &[(String, String)]) {
    left.iter().for_each(|(label, why)| voice::say(&format!("left  {}: {why}", excerpt(label))));
}

/// Says what must stay; and that nothing is left to be done, if so.
fn nothing(verb: &str, survey: &Survey, border: Option<Day>) -> Option<ExitCode> {
    tell_left(&survey.left);
    if !survey.due.is_empty() {
        return None;
    }
    let old = border.map(|border| format!(" whose rows are all from before {border}"));
    let old = old.unwrap_or_default();
    Some(match survey.left.is_empty() {
        true => voice::print(format!("nothing to {verb}: no sealed segment{old}\n").as_bytes()),
        false => {
            voice::print(b"nothing was done\n");
            ExitCode::from(1)
        }
    })
}

/// Says what stayed after all; and that it was everything, if so.
fn undone(done: &Done) -> Option<ExitCode> {
    tell_left(&done.left);
    done.segments.is_empty().then(|| {
        voice::print(b"nothing was done\n");
        ExitCode::from(1)
    })
}

/// How many rows, of which days, in which files.
fn said(verb: &str, survey: &Survey) -> String {
    let bytes = survey.due.iter().map(|it| it.segment.bytes).sum();
    let segments = counted(survey.due.len() as u64, "segment");
    let mut text = format!(
        "{verb} {} in {segments}, {}:\n",
        counted(rows(survey), "row"),
        figures::bytes(bytes)
    );
    survey.due.iter().for_each(|it| text += &line(&it.segment));
    text
}

fn line(it: &Segment) -> String {
    let (name, rows, bytes) =
        (excerpt(&it.name), counted(it.rows, "row"), figures::bytes(it.bytes));
    format!("  {name}: {rows}, {} to {}, {bytes}\n", it.first.day(), it.last.day())
}

fn confirmed(text: &str, rows: &str, options: &str) -> Result<bool> {
    if !(io::stdin().is_terminal() && io::stderr().is_terminal()) {
        return Err(Error::Usage {
            problem: format!("archive would move {rows}, and there is no terminal to ask on"),
            fix: format!("log-usage archive {options} --yes"),
        });
    }
    voice::say(text.trim_end());
    prune::answered(&format!("Move {rows} out of the ledger's folder? [y/N]"))
}

/// Where rows would be counted again, or lost: what is moved there has not left a ledger's folder, or
/// is nothing that anybody looks for.
fn refuse_target(place: &Place, path: &Path) -> Result<()> {
    let refuse = |problem: &str, fix: &str| {
        Err(Error::Usage {
            problem: format!("--to {} {problem}", shown(path)),
            fix: fix.to_owned(),
        })
    };
    let target = resolved(path);
    let is_in = |name: &str| target.iter().any(|part| part == name);
    let own = place.folder().canonicalize();
    if own.is_ok_and(|own| target.starts_with(own)) {
        let fix = "name a folder outside it; without --to segments are compressed in place";
        return refuse("is inside the ledger's folder", fix);
    }
    let beside = target.parent().map(|folder| folder.join(place.name()));
    let is_read = target.ends_with("archive") && beside.is_some_and(|ledger| ledger.is_file());
    if is_in(FOLDER) || is_read {
        let fix = "name a folder outside of any ledger's";
        return refuse("is another ledger's, which would count these rows as its own", fix);
    }
    if is_in(".git") {
        return refuse("is git's own: it may be cleared away", "name another folder");
    }
    const OTHERS: [&str; 8] = [".gz", ".tgz", ".zip", ".zst", ".xz", ".bz2", ".7z", ".csv"];
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    if OTHERS.iter().any(|ending| name.ends_with(ending)) && !path.is_dir() {
        return refuse("is no form that an archive has", "a folder, or a file that ends in .tar");
    }
    let tree = WorkTree::around(&target).filter(|_| git::ignoring_rule(&target).is_none());
    if tree.is_some_and(|tree| work_tree_of(place).is_some_and(|own| own.top == tree.top)) {
        let path = shown(path);
        voice::say(&format!(
            "note: {path} is in the work tree: do not commit it, or git carries it"
        ));
    }
    Ok(())
}

fn work_tree_of(place: &Place) -> Option<WorkTree> {
    WorkTree::around(&place.folder().canonicalize().ok()?)
}

/// The path without links and dots, as far as it is there.
fn resolved(path: &Path) -> PathBuf {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let known = path.ancestors().find_map(|it| Some((it, it.canonicalize().ok()?)));
    match known.map(|(known, real)| (path.strip_prefix(known), real)) {
        Some((Ok(rest), real)) if rest != Path::new("") => real.join(rest),
        Some((_, real)) => real,
        None => path,
    }
}

/// git must store compressed bytes as they are.
fn refuse_conversion(place: &Place) -> Result<()> {
    let name = "usage-20260101T000000Z-00000000.csv";
    let path = gzip::compressed(&place.archive().join(name));
    let is = |name: &str| git::attribute(&path, name);
    let is_text = match is("text").as_deref() {
        Some(text) => text != "auto",
        None => is("eol").is_some() && is("binary").is_none(),
    };
    match git::git_dir(place.folder()).is_some() && is_text {
        false => Ok(()),
        true => Err(Error::Git {
            problem: "git would change line ends in compressed segments: they are text to it"
                .to_owned(),
            fix: format!(
                "printf '/archive/*.csv.gz binary\\n' >> {}",
                shell_word(&shown(&place.folder().join(".gitattributes")))
            ),
        }),
    }
}

/// Put segments back that were moved to an archive
///
/// Their copies are checked first; the archive keeps them. Without names: those
/// that were moved out of this ledger. Reports are then as they were before.
#[derive(Parser)]
#[command(
    name = "log-usage restore",
    bin_name = "log-usage restore",
    after_help = "Example:\n  log-usage restore /backup/usage"
)]
pub(crate) struct Restore {
    /// The archive: a folder, or a file that ends in .tar
    #[arg(value_name = "FROM")]
    from: PathBuf,
    /// Only these, as the archive's manifest names them
    #[arg(value_name = "SEGMENT")]
    segments: Vec<String>,
    /// Say what would be put back, change nothing
    #[arg(long)]
    dry_run: bool,
    /// Into another ledger
    #[arg(long, value_name = "PATH")]
    file: Option<PathBuf>,
    /// Into your own ledger, outside any repository
    #[arg(long)]
    personal: bool,
}

pub(crate) fn restore(options: Restore) -> Result<ExitCode> {
    let target = Target::find(options.file.as_deref(), options.personal)?;
    let place = &target.place;
    if !place.folder().is_dir() {
        return Err(Error::NoFolder { path: place.folder().to_owned() });
    }
    let policy = policy(&Config::load(place)?, None, None);
    let archive = Archive::at(&options.from);
    let counted_of = |segments: &[Segment]| {
        let rows = counted(segments.iter().map(|it| it.rows).sum(), "row");
        format!("{rows} in {}", counted(segments.len() as u64, "segment"))
    };
    let found = restoring::restorable(place, &archive, &options.segments)?;
    let wanted = found.wanted;
    let elsewhere = match found.elsewhere.as_slice() {
        [] => String::new(),
        some => format!("moved out, and not in this archive: {}\n", counted_of(some)),
    };
    if wanted.is_empty() {
        let text = "nothing to restore: nothing in the archive was moved out of this ledger; \
                    a segment that is named is put back all the same\n";
        return Ok(voice::print(format!("{text}{elsewhere}").as_bytes()));
    }
    if options.dry_run {
        archive.check(&wanted)?;
        let mut text = format!("would put back {}:\n", counted_of(&wanted));
        wanted.iter().for_each(|it| text += &line(it));
        return Ok(voice::print((text + &elsewhere).as_bytes()));
    }
    let is_tracked = || git::tracks(&place.active());
    let around = around(work_tree(&target), &is_tracked);
    let restored = restoring::restore(place, &policy, &around, &archive, &wanted)?;
    let mut text = format!("put back {}", counted_of(&restored.put));
    if !restored.there.is_empty() {
        text += &format!("; {} were there already", counted_of(&restored.there));
    }
    text += "; the archive keeps its copies\n";
    text += &elsewhere;
    if let Some(border) = border::load(place)?
        && wanted.iter().any(|it| it.first.day() < border)
    {
        text += &format!("reports leave out what is from before {border}: it was pruned\n");
    }
    text += &commit(place, &is_tracked);
    Ok(voice::print(text.as_bytes()))
}
