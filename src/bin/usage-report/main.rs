//! The reader's door: flags → plain values → ledger → engine → report → render. It opens the ledger
//! read-only.

// What the library may not do is the doors' work.
#![allow(
    clippy::disallowed_methods,
    reason = "time and environment are read here and nowhere else"
)]

#[path = "../shared/voice.rs"]
mod voice;
#[path = "../shared/world.rs"]
mod world;
mod cli;
mod gather;
mod activity;
mod digest;
mod compare;
#[cfg(unix)]
mod watch;
mod notify;
mod check;
mod held;

use std::fs;
use std::io::{self, IsTerminal, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use indicatif::{ProgressBar, ProgressStyle};
use terminal_size::{Width, terminal_size};
use usage_ledger::engine;
use usage_ledger::engine::cache::Cache;
use usage_ledger::engine::inputs::{self, Input};
use usage_ledger::engine::latest;
use usage_ledger::engine::query::Query;
use usage_ledger::error::{Error, Result, printable, shown};
use usage_ledger::figures;
use usage_ledger::git::{self, WorkTree};
use usage_ledger::ledger::archive::Archive;
use usage_ledger::ledger::archived::{self, Segment};
use usage_ledger::ledger::files::Role;
use usage_ledger::ledger::gzip;
use usage_ledger::ledger::journal;
use usage_ledger::ledger::verify::Verifier;
use usage_ledger::ledger::verify_events::{self, Verified};
use usage_ledger::ledger::waiting;
use usage_ledger::render::csv;
use usage_ledger::render::sentences;
use usage_ledger::render::terminal::Screen;
use usage_ledger::report::advice::facts::Means;
use usage_ledger::report::aggregate::Aggregate;
use usage_ledger::report::dimension::Dimension;
use usage_ledger::report::glance;
use usage_ledger::report::left_out::LeftOut;
use usage_ledger::report::period::Period;
use usage_ledger::report::{self, Ask, Report, Unseen};
use usage_ledger::workspace::{FOLDER, LEDGER, Place};

use crate::activity::Asked;
use crate::cli::{ActivityOptions, CheckOptions, Cli, Command, Output, Source, VerifyOptions};
use crate::gather::Gathered;
use crate::world::{Choice, Target};

/// A terminal's width where none is known.
const WIDTH: usize = 80;

/// Below this a report is there before a progress bar could be read.
const PROGRESS_BYTES_MIN: u64 = 256 << 20;

fn main() -> ExitCode {
    let mut cli = match voice::parse::<Cli>("usage-report", cli::spread(std::env::args_os())) {
        Ok(cli) => cli,
        Err(code) => return code,
    };
    if let Some(Command::Check(options)) = &cli.command {
        // What stands behind the command is as if it stood before it.
        cli.revisions.range = options.range.clone().or(cli.revisions.range.take());
        cli.output.committed |= options.committed;
    }
    let outcome = match cli.command.take() {
        Some(Command::Verify(options)) => verify(&cli, &options),
        Some(Command::Activity(options)) => activity(&cli, &options),
        Some(Command::Check(options)) => check(&cli, &options),
        Some(Command::Digest(options)) => {
            digest::asked(cli, options).and_then(|(cli, period)| report(&cli, Some(period)))
        }
        Some(Command::Compare(options)) => {
            compare::asked(cli, options).and_then(|asked| comparison(&asked))
        }
        Some(Command::Watch) => watch(&cli),
        None => report(&cli, None),
    };
    outcome.unwrap_or_else(|error| match error {
        // What could be there is worth a look, and only where there is nothing else to tell.
        Error::NoLedger { looked_for, .. } => {
            voice::fail(&Error::NoLedger { looked_for, held: held::held() })
        }
        error => voice::fail(&error),
    })
}

/// The report, or that of a period.
fn report(cli: &Cli, period: Option<Period>) -> Result<ExitCode> {
    cli.output.check()?;
    if cli.advice && cli.output.format.is_data {
        return Err(Error::Usage {
            problem: "--advice has no place in a table for programs".to_owned(),
            fix: "usage-report --advice --format json".to_owned(),
        });
    }
    let by = cli.groupings.dimensions();
    let selection = cli.filters.selection()?;
    let gathered = gathered(cli, &by)?;
    let before = gathered.left_out.clone();
    let mut unseen = Unseen::default();
    gathered
        .unseen
        .iter()
        .filter(|it| selection.may_take_between(it.first, it.last))
        .for_each(|it| unseen.add(it.rows, (it.first.day(), it.last.day())));
    let query = Query {
        selection,
        by: by.clone(),
        keep_duplicates: cli.output.keep_duplicates,
        is_repriced: cli.output.reprice,
        has_cells: cli.advice,
        origins: gathered.origins.clone(),
        ..Query::default()
    };
    let output = cli.output.output.as_deref().filter(|path| *path != Path::new("-"));
    if let Some(path) = output {
        refuse_ledger(path)?;
    }
    let (aggregate, mut left_out) = sums(cli, &gathered, &query)?;
    let Gathered { inputs, ledger, waiting, commits, origins, .. } = gathered;
    left_out.unreadable += before.unreadable;
    left_out.lines.extend(before.lines);
    left_out.markers.extend(before.markers);
    let unreadable = left_out.unreadable;
    let borders = || inputs.iter().map(|input| input.border);
    let border = borders().next().flatten().filter(|it| borders().all(|other| other == Some(*it)));
    let mut ask = Ask {
        by,
        selection: cli.filters.words(),
        waiting,
        commits,
        origins,
        border,
        has_own_prices: inputs.iter().any(|input| input.prices.has_own()),
        unseen,
        period,
        advice: cli.advice.then(|| means(&inputs, ledger.as_deref())),
    };
    // Alerts are of a whole ledger, not of the rows that were asked for.
    let is_whole = ask.selection.is_empty()
        && ask.commits.is_none()
        && !(cli.revisions.all_branches || cli.output.committed)
        && !(cli.output.keep_duplicates || cli.output.reprice);
    if let Some(means) = ask.advice.as_mut().filter(|_| is_whole && ledger.is_some()) {
        let file = cli.source.file.first().map(PathBuf::as_path);
        let target = Target::find(file, cli.source.personal)?;
        means.firing = check::firing(&target, aggregate.cells.clone())?;
    }
    let report = report::build(&aggregate, left_out, &ask);
    let text = drawn(&cli.output, &report, output.is_none());
    if cli.output.format.is_data {
        warn(&report);
    }
    let code = match output {
        Some(path) => write_file(path, &text)?,
        None => voice::print(text.as_bytes()),
    };
    if cli.output.strict && unreadable > 0 {
        return Err(Error::Skipped { rows: unreadable });
    }
    Ok(code)
}

/// What advice may be drawn from, besides the rows.
fn means(inputs: &[Input], ledger: Option<&Path>) -> Means {
    let active = inputs.iter().filter(|input| input.role == Role::Active).map(Input::bytes).max();
    Means {
        prices: inputs.first().map(|input| input.prices.clone()).unwrap_or_default(),
        committed_bytes: active.filter(|_| ledger.is_some_and(git::tracks)),
        firing: Vec::new(),
    }
}

/// What is to be read for a report by these dimensions.
fn gathered(cli: &Cli, by: &[Dimension]) -> Result<Gathered> {
    Gathered::of(cli, by, || {
        let Found { inputs, ledger, waiting, unseen } =
            cli.source.inputs(Needs { waiting: true, prices: true })?;
        Ok(Gathered { inputs, ledger, waiting, unseen, ..Gathered::default() })
    })
}

/// What it sums up to.
fn sums(cli: &Cli, gathered: &Gathered, query: &Query) -> Result<(Aggregate, LeftOut)> {
    sums_beside(progress(&gathered.inputs), cli, gathered, query)
}

/// The same, with a bar of its own.
fn sums_beside(
    bar: ProgressBar,
    cli: &Cli,
    gathered: &Gathered,
    query: &Query,
) -> Result<(Aggregate, LeftOut)> {
    let home = world::cache_home().filter(|_| !cli.output.no_cache);
    let ledger = gathered.ledger.as_ref();
    let cache = home.zip(ledger).map(|(home, ledger)| Cache::of(&home, ledger));
    let sums = engine::sum(&gathered.inputs, query, cache.as_ref(), &|bytes| bar.inc(bytes))?;
    bar.finish_and_clear();
    Ok(sums)
}

fn comparison(asked: &compare::Asked) -> Result<ExitCode> {
    let output = &asked.cli.output;
    output.check()?;
    let path = output.output.as_deref().filter(|path| *path != Path::new("-"));
    path.map(refuse_ledger).transpose()?;
    let compared = asked.compare(&compare::Sources {
        gather: &|range| {
            let mut cli = asked.cli.clone();
            cli.revisions.range = range;
            gathered(&cli, &[])
        },
        sum: &|gathered, query| sums(&asked.cli, gathered, query),
    })?;
    let text = asked.draw(&compared, screen());
    let is_raw = output.format.is_data && !output.for_spreadsheet;
    let code = match path {
        Some(path) => write_file(path, &text)?,
        None if is_raw => voice::print(for_terminal(text).as_bytes()),
        None => voice::print(text.as_bytes()),
    };
    match compared.1.unreadable {
        0 => Ok(code),
        rows if output.strict => Err(Error::Skipped { rows }),
        rows if output.format.is_data => {
            voice::say(&format!("warning: rows that cannot be read: {rows} (usage-report verify)"));
            Ok(code)
        }
        _ => Ok(code),
    }
}

/// Follows the ledger; the clock of who looks decides what is today.
#[cfg(unix)]
fn watch(cli: &Cli) -> Result<ExitCode> {
    let problem = "watch takes only --file and --personal";
    cli.refuse_before(problem, "usage-report watch")?;
    let target = match cli.source.file.as_slice() {
        [] => Target::find(None, cli.source.personal)?,
        [file] => Target::find(Some(file), cli.source.personal)?,
        _ => {
            let problem = "watch follows one ledger".to_owned();
            return Err(Error::Usage { problem, fix: "usage-report watch --file PATH".to_owned() });
        }
    };
    let folder = target.place.folder().to_owned();
    let mut folders = vec![target.place.archive(), target.place.fragments(), folder.clone()];
    let tree = folder.parent().and_then(WorkTree::around);
    folders.extend(tree.map(|tree| tree.shared().join(journal::FOLDER)));
    let look = || {
        let gathered = gathered(cli, &[])?;
        let no_bar = ProgressBar::hidden();
        let query = Query { has_cells: true, ..Query::default() };
        let (mut aggregate, left_out) = sums_beside(no_bar, cli, &gathered, &query)?;
        let firing = check::firing(&target, std::mem::take(&mut aggregate.cells))?;
        let newest = latest::rows(&gathered.inputs, glance::NEWEST)?;
        let today = world::now().day();
        Ok(glance::build(&aggregate, newest, firing, today, left_out.unreadable))
    };
    watch::watch(&watch::Followed { look: &look, folders })
}

#[cfg(not(unix))]
fn watch(_: &Cli) -> Result<ExitCode> {
    Err(Error::Usage {
        problem: "watch needs a Unix terminal".to_owned(),
        fix: "usage-report".to_owned(),
    })
}

/// Where the sums of sealed segments are kept.
fn cache(cli: &Cli, ledger: Option<&Path>) -> Option<Cache> {
    let home = world::cache_home().filter(|_| !cli.output.no_cache);
    home.zip(ledger).map(|(home, ledger)| Cache::of(&home, ledger))
}

/// The report in the format that was asked for.
fn drawn(output: &Output, report: &Report, is_printed: bool) -> String {
    if output.for_spreadsheet {
        return csv::render_for_spreadsheet(report);
    }
    let text = (output.format.render)(report, screen());
    if output.format.is_data && is_printed { for_terminal(text) } else { text }
}

/// What is raw for programs would act on a terminal.
fn for_terminal(text: String) -> String {
    match io::stdout().is_terminal() {
        true => text.split_inclusive('\n').map(line_for_terminal).collect(),
        false => text,
    }
}

fn line_for_terminal(line: &str) -> String {
    match line.strip_suffix('\n') {
        Some(line) => printable(line) + "\n",
        None => printable(line),
    }
}

fn activity(cli: &Cli, options: &ActivityOptions) -> Result<ExitCode> {
    let asked = Asked::of(cli, options)?;
    if let Some(path) = asked.output {
        refuse_ledger(path)?;
    }
    let inputs = match cli.source.inputs(Needs { waiting: true, prices: false }) {
        Ok(found) => found.inputs,
        // Events alone are something to report on, too.
        Err(Error::NoLedger { .. } | Error::NoSuchFile { .. }) if asked.has_events()? => Vec::new(),
        Err(error) => return Err(error),
    };
    let bar = progress(&inputs);
    let shown = asked.show(&inputs, screen(), &|bytes| bar.inc(bytes))?;
    bar.finish_and_clear();
    shown.warning.iter().for_each(|note| voice::say(&format!("warning: {note}")));
    let code = match asked.output {
        Some(path) => write_file(path, &shown.text)?,
        None if asked.is_raw() => voice::print(for_terminal(shown.text).as_bytes()),
        None => voice::print(shown.text.as_bytes()),
    };
    if asked.is_strict && shown.unreadable > 0 {
        return Err(Error::Skipped { rows: shown.unreadable });
    }
    Ok(code)
}

fn check(cli: &Cli, options: &CheckOptions) -> Result<ExitCode> {
    let asked = check::Asked::of(cli, options)?;
    if let Some(path) = asked.output {
        refuse_ledger(path)?;
    }
    let gathered = match gathered(cli, &[]) {
        // Events alone are something to check, too.
        Err(Error::NoLedger { .. } | Error::NoSuchFile { .. }) if asked.has_events()? => {
            Gathered::default()
        }
        gathered => gathered?,
    };
    let bar = progress(&gathered.inputs);
    let cache = cache(cli, gathered.ledger.as_deref());
    let shown = asked.show(&gathered, cache.as_ref(), screen(), &|bytes| bar.inc(bytes))?;
    bar.finish_and_clear();
    shown.beside.iter().for_each(|line| voice::say(line));
    let printed = match asked.output {
        Some(path) => write_file(path, &shown.text)?,
        None if asked.is_raw() => voice::print(for_terminal(shown.text).as_bytes()),
        None => voice::print(shown.text.as_bytes()),
    };
    let mut code = if shown.code == ExitCode::SUCCESS { printed } else { shown.code };
    if let Some(command) = asked.notify {
        let ledger = asked.place.as_ref().map(Place::active).unwrap_or_default();
        if !notify::notify(command, &ledger, &shown.firing)? {
            code = ExitCode::from(1);
        }
    }
    if asked.is_strict && shown.unreadable > 0 && code == ExitCode::SUCCESS {
        return Err(Error::Skipped { rows: shown.unreadable });
    }
    Ok(code)
}

/// Looks at every bit of an archive.
fn verify_archive(path: &Path) -> Result<ExitCode> {
    let verified = Archive::at(path).verify()?;
    let mut text: String = verified.findings.iter().map(|finding| format!("{finding}\n")).collect();
    let counted = |n: u64, noun: &str| {
        format!("{} {noun}{}", figures::thousands(n.into()), if n == 1 { "" } else { "s" })
    };
    let rows = verified.segments.iter().map(|it| it.rows).sum();
    let found = match verified.findings.len() as u64 {
        0 => "nothing found".to_owned(),
        n => counted(n, "finding"),
    };
    let segments = counted(verified.segments.len() as u64, "segment");
    text += &format!("{} in {segments}: {found}\n", counted(rows, "row"));
    let printed = voice::print(text.as_bytes());
    Ok(if verified.findings.is_empty() { printed } else { ExitCode::from(1) })
}

fn verify(cli: &Cli, options: &VerifyOptions) -> Result<ExitCode> {
    let problem = "verify looks at every line, and takes only --archive, --file and --personal";
    cli.refuse_before(problem, "usage-report verify")?;
    if let Some(path) = &options.archive {
        return verify_archive(path);
    }
    let events = cli.source.events()?;
    let (mut inputs, waiting) = match cli.source.inputs(Needs { waiting: true, prices: false }) {
        // Who records events need not log rows.
        Err(Error::NoLedger { .. } | Error::NoSuchFile { .. }) if events.files > 0 => {
            (Vec::new(), 0)
        }
        found => found.map(|it| (it.inputs, it.waiting))?,
    };
    if waiting > 0
        && let Some(rows) = inputs.last_mut()
    {
        // As they stand beside the ledger's files, of whatever time.
        rows.role = Role::Fragment;
    }
    let mut verifier = Verifier::default();
    let bar = progress(&inputs);
    for input in &inputs {
        let (label, role) = (input.label.clone(), input.role);
        let read =
            verifier.read(&label, role, input.open((0, input.bytes()), &|bytes| bar.inc(bytes))?);
        read.map_err(|error| Error::io("read", label.as_ref(), &error))?;
    }
    bar.finish_and_clear();
    let note = verifier.note();
    let (mut findings, rows, files) = verifier.finish();
    findings.extend(events.findings);
    let of_events = (events.unreadable > 0)
        .then_some("log-usage repair moves aside what cannot be read of events");
    let files = files + events.files;
    let counted = |n: u64, noun: &str| format!("{n} {noun}{}", if n == 1 { "" } else { "s" });
    let mut text: String = findings.iter().map(|finding| format!("{finding}\n")).collect();
    let found = match findings.len() as u64 {
        0 => "nothing found".to_owned(),
        n => counted(n, "finding"),
    };
    let events = match events.files {
        0 => String::new(),
        _ => format!(" and {}", counted(events.events, "event")),
    };
    let rows = counted(rows, "row");
    text += &format!("{rows}{events} in {}: {found}\n", counted(files as u64, "file"));
    if waiting > 0 {
        let verb = if waiting == 1 { "waits" } else { "wait" };
        text += &format!("note: {} of these {verb} for a commit\n", counted(waiting, "row"));
    }
    text.extend(note.map(|note| format!("note: {note}\n")));
    text.extend(of_events.map(|fix| format!("fix: {fix}\n")));
    let printed = voice::print(text.as_bytes());
    Ok(if findings.is_empty() { printed } else { ExitCode::from(1) })
}

/// What is read besides the ledger.
#[derive(Clone, Copy)]
struct Needs {
    /// Rows that wait for a commit.
    waiting: bool,
    /// The repository's prices.
    prices: bool,
}

/// What a report is about.
struct Found {
    /// All files to be read, oldest first.
    inputs: Vec<Input>,
    /// The path of the ledger, where it is one.
    ledger: Option<PathBuf>,
    /// How many of the rows wait for a commit.
    waiting: u64,
    /// Segments that were moved out of the ledger.
    unseen: Vec<Segment>,
}

impl Source {
    /// What is known of the events beside the ledger; there are none beside one that is named.
    fn events(&self) -> Result<Verified> {
        if !self.file.is_empty() {
            return Ok(Verified::default());
        }
        let target = Target::find(None, self.personal)?;
        match target.choice {
            Choice::Named => Ok(Verified::default()),
            _ => verify_events::verify(&target.place.events()),
        }
    }

    fn inputs(&self, needs: Needs) -> Result<Found> {
        if self.file.is_empty() {
            let target = Target::find(None, self.personal)?;
            let active = target.place.active();
            let rows = if needs.waiting { waiting_for(&target)? } else { Vec::new() };
            let missing = || match target.choice {
                _ if git::tracks(&active) => Error::TrackedButMissing { path: active.clone() },
                Choice::Repository => {
                    Error::NoLedger { looked_for: Path::new(FOLDER).join(LEDGER), held: None }
                }
                _ => Error::NoSuchFile { path: active.clone() },
            };
            let mut inputs = match inputs::of_ledger(&target.place, "", needs.prices)? {
                None if rows.is_empty() || git::tracks(&active) => return Err(missing()),
                inputs => inputs.unwrap_or_default(),
            };
            if !rows.is_empty() {
                inputs.push(inputs::of_waiting(&target.place, &rows, needs.prices)?);
            }
            let unseen = archived::unseen_in(&target.place)?;
            let waiting = rows.len() as u64;
            return Ok(Found { inputs, ledger: Some(active), waiting, unseen });
        }
        let (mut all, mut unseen) = (Vec::new(), Vec::new());
        let mut ledger = None;
        for file in &self.file {
            if file == Path::new("-") {
                all.push(Input::spooled("standard input", io::stdin().lock())?);
                continue;
            }
            // Files of one name are told apart by the folders as they were typed.
            let prefix = match (self.file.len(), file.parent()) {
                (1, _) | (_, None) => String::new(),
                (_, Some(folder)) if folder == Path::new("") => String::new(),
                (_, Some(folder)) => format!("{}/", folder.display()),
            };
            let target = Target::find(Some(file), self.personal)?;
            let found = inputs::of_ledger(&target.place, &prefix, needs.prices)?;
            all.extend(found.ok_or_else(|| Error::NoSuchFile { path: file.clone() })?);
            unseen.extend(archived::unseen_in(&target.place)?);
            ledger = Some(target.place.active());
        }
        let ledger = ledger.filter(|_| self.file.len() == 1);
        Ok(Found { inputs: all, ledger, waiting: 0, unseen })
    }
}

/// The lines of rows that wait for a commit of this branch into the ledger that is read.
fn waiting_for(target: &Target) -> Result<Vec<String>> {
    let folder = target.place.folder();
    let tree = folder.parent().and_then(WorkTree::around);
    let Some(tree) = tree.filter(|_| target.choice == Choice::Repository) else {
        return Ok(Vec::new());
    };
    waiting::lines(&tree, &target.place)
}

/// The reader changes no ledger, not even by a slip of the fingers.
fn refuse_ledger(path: &Path) -> Result<()> {
    let folder = path.parent().filter(|it| *it != Path::new("")).unwrap_or(Path::new("."));
    let is_inside = folder.canonicalize().is_ok_and(|folder| {
        folder.ancestors().any(|it| it.file_name().is_some_and(|name| name == FOLDER))
    });
    let mut head = [0; 256];
    let read = gzip::open(path).and_then(|mut text| text.read(&mut head)).unwrap_or(0);
    let is_ledger = String::from_utf8_lossy(&head[..read])
        .contains("prompt_tokens,completion_tokens,task_success");
    match is_inside || is_ledger {
        false => Ok(()),
        true => Err(Error::Usage {
            problem: match is_ledger {
                true => format!("--output: {} is a ledger", shown(path)),
                false => format!("--output: {} is inside {FOLDER}", shown(path)),
            },
            fix: "name another file; the reader changes no ledger".to_owned(),
        }),
    }
}

/// A table for programs has no place for notes; what changes its figures is said beside it.
fn warn(report: &Report) {
    let left_out = sentences::left_out_note(report);
    let notes = [left_out, sentences::unseen_note(report), sentences::marker_note(report)];
    notes.into_iter().flatten().for_each(|note| voice::say(&format!("warning: {note}")));
}

/// The whole report or the old file, never half of one. A link is written through.
fn write_file(path: &Path, text: &str) -> Result<ExitCode> {
    let target = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let folder = target.parent().filter(|it| *it != Path::new("")).unwrap_or(Path::new("."));
    let write = || -> io::Result<()> {
        let old = target.metadata().ok();
        if old.as_ref().is_some_and(|meta| !meta.is_file()) {
            return fs::write(&target, text);
        }
        let make = |path: &Path| fs::OpenOptions::new().write(true).create_new(true).open(path);
        let mut file = tempfile::Builder::new().prefix(".usage-report").make_in(folder, make)?;
        file.write_all(text.as_bytes())?;
        file.flush()?;
        if let Some(old) = old {
            file.as_file().set_permissions(old.permissions())?;
        }
        file.persist(&target).map_err(|error| error.error)?;
        Ok(())
    };
    write().map_err(|error| Error::io("write", path, &error))?;
    Ok(ExitCode::SUCCESS)
}

fn screen() -> Screen {
    let is_terminal = io::stdout().is_terminal();
    let width = terminal_size().filter(|_| is_terminal).map(|(Width(width), _)| width.into());
    let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
        || std::env::var_os("TERM").is_some_and(|term| term == "dumb");
    Screen { width: width.unwrap_or(WIDTH), has_colour: is_terminal && !plain }
}

fn progress(inputs: &[Input]) -> ProgressBar {
    let bytes = inputs.iter().map(Input::bytes).sum();
    if bytes < PROGRESS_BYTES_MIN || !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{bytes} of {total_bytes} {bar:40} {eta}");
    ProgressBar::new(bytes).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}
