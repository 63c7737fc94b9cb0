//! `log-usage import`: what coding agents noted of themselves, as rows.

use std::cell::RefCell;
use std::fs;
use std::io::{self, IsTerminal};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::SystemTime;

use chrono::{Local, TimeZone};
use clap::Parser;
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use indicatif::{ProgressBar, ProgressStyle};
use usage_ledger::error::{Error, Result, shown};
use usage_ledger::hooks::agents::{Agent, agent};
use usage_ledger::intake::import::cursor::Cursor;
use usage_ledger::intake::import::rows::{Grain, Making};
use usage_ledger::intake::import::scope::Scope;
use usage_ledger::intake::import::source::Source;
use usage_ledger::intake::import::tally::Imports;
use usage_ledger::intake::import::wanted::{Import, Progress, Since};
use usage_ledger::intake::import::{SOURCES, source};
use usage_ledger::ledger::border;
use usage_ledger::ledger::compose::Appended;
use usage_ledger::pricing::Prices;
use usage_ledger::row::TaskType;
use usage_ledger::timestamp::{Day, Instant, Timestamp};
use usage_ledger::workspace::{Config, Durability, Permission};

use crate::agents::is_free;
use crate::import_told::{elsewhere, explanation, hints, stored, summary, to_install};
use crate::redact;
use crate::voice;
use crate::world::{self, Choice, Target};
use crate::write::waiting_for;
use crate::write::{append, durability, permitted, policy, screen, tell, tell_withheld};

/// Log what coding agents noted of themselves: one row for each turn and model
///
/// Numbers alone are taken, never a word of a prompt, an answer, a path or a branch. What is in the
/// ledger already is not added again. Only turns of this repository and its work trees are taken, and
/// only finished ones. Without a SOURCE all are looked at that have a usual place.
#[derive(Parser)]
#[command(
    name = "log-usage import",
    bin_name = "log-usage import",
    after_help = "Examples:\n  log-usage import\n  log-usage import claude-code --since 7d --dry-run\n  log-usage import otlp --from traces.json\n  log-usage import --all-projects --personal"
)]
pub(crate) struct ImportOptions {
    /// Which transcripts
    #[arg(value_name = "SOURCE", value_parser = sources())]
    sources: Vec<&'static Source>,
    /// Read this file or folder, not the usual places; may be repeated
    #[arg(long, value_name = "PATH")]
    from: Vec<PathBuf>,
    /// Only rows since this date, time or age
    #[arg(long, value_name = "T", allow_hyphen_values = true)]
    since: Option<String>,
    /// What one row is
    #[arg(long, value_name = "GRAIN", default_value = "turn", value_parser = grains())]
    group: Grain,
    /// Make all rows plan, execute, verify, discuss or quick [default: by what was done]
    #[arg(long, value_name = "TYPE", hide_possible_values = true, value_parser = task_types())]
    task_type: Option<TaskType>,
    /// Bring rows up to date whose turn grew since they were imported
    #[arg(long)]
    refresh: bool,
    /// Take the turns of all folders; needs --personal or --file
    #[arg(long)]
    all_projects: bool,
    /// Read everything anew, and say where each number comes from
    #[arg(long)]
    explain: bool,
    /// Use another ledger
    #[arg(long, value_name = "PATH")]
    file: Option<PathBuf>,
    /// Use your own ledger, outside any repository
    #[arg(long)]
    personal: bool,
    /// Whether exit code 0 means that the rows are on the disk: none or data [default: data]
    #[arg(long, value_name = "LEVEL", value_parser = durability)]
    durability: Option<Durability>,
    /// Print the rows, write nothing
    #[arg(long)]
    dry_run: bool,
    /// Say nothing but errors
    #[arg(long, short)]
    quiet: bool,
}

/// So many rows go into the ledger at once: others can write between them, but each time the whole
/// ledger is looked through for these rows.
const BATCH_ROWS: usize = 25_000;

/// Less is read before anybody looks up.
const PROGRESS_BYTES_MIN: u64 = 20_000_000;

fn sources() -> impl TypedValueParser<Value = &'static Source> {
    let values = SOURCES.iter().map(|source| PossibleValue::new(source.name).help(source.about));
    PossibleValuesParser::new(values)
        .try_map(|name| source(&name).ok_or_else(|| "a source".to_owned()))
}

fn grains() -> impl TypedValueParser<Value = Grain> {
    let named = |name: String| Grain::ALL.into_iter().find(|it| it.name() == name);
    PossibleValuesParser::new(Grain::ALL.map(Grain::name))
        .try_map(move |name| named(name).ok_or_else(|| "a grain".to_owned()))
}

fn task_types() -> impl TypedValueParser<Value = TaskType> {
    PossibleValuesParser::new(TaskType::ALL.map(TaskType::name))
        .try_map(|name| TaskType::parse(name.as_bytes()).ok_or_else(|| "a task type".to_owned()))
}

pub(crate) fn run(options: ImportOptions) -> Result<ExitCode> {
    let target = Target::find(options.file.as_deref(), options.personal)?;
    let config = Config::load(&target.place)?;
    options.check(&target, &config)?;
    if !options.dry_run && permitted(&target, &config, options.quiet)?.is_none() {
        return Ok(ExitCode::SUCCESS);
    }
    let sources = options.sources()?;
    let mut scope = match options.all_projects {
        true => Scope::everywhere(),
        false => Scope::of(&world::root()?),
    };
    let border = border::load(&target.place)?;
    let of = depends_on(options.group, border, &scope);
    let path = world::state_home().map(|state| Cursor::path(&state, &target.place.active()));
    let path = path.filter(|_| options.from.is_empty());
    let cursor = path.as_ref().map(|path| Cursor::load(path, &of));
    let mut imports =
        options.read(&target, &config, &sources, &mut scope, border, cursor.as_ref())?;
    if options.explain {
        explanation(&imports).iter().for_each(|line| voice::say(line));
    }
    if options.dry_run {
        let mut lines = Vec::new();
        imports.entries.iter().for_each(|entry| entry.row.write_line(&mut lines));
        let printed = voice::print(&lines);
        if !options.quiet {
            let added = imports.entries.len();
            options.tell(&target, &imports, &Appended { added, ..Appended::default() });
        }
        return Ok(printed);
    }
    let mut appended = Appended::default();
    let policy = policy(&config, None, options.durability);
    for batch in imports.entries.chunks_mut(BATCH_ROWS) {
        let Some(done) = append(&target, &config, policy, batch, options.quiet)? else { break };
        appended.added += done.added;
        appended.already_there += done.already_there;
        appended.outcome.created |= done.outcome.created;
        appended.outcome.torn_bytes += done.outcome.torn_bytes;
    }
    if let (Some(path), Some(mut cursor)) = (path, cursor) {
        let names: Vec<&str> = sources.iter().map(|source| source.name).collect();
        cursor.replace(&names, std::mem::take(&mut imports.known));
        // It only saves work: the next import does it again.
        let _ = cursor.keep(&path);
    }
    if !options.quiet {
        options.tell(&target, &imports, &appended);
    }
    Ok(ExitCode::SUCCESS)
}

impl ImportOptions {
    fn check(&self, target: &Target, config: &Config) -> Result<()> {
        let refuse = |problem: &str, fix: &str| {
            Err(Error::Usage { problem: problem.to_owned(), fix: fix.to_owned() })
        };
        if self.all_projects && target.choice == Choice::Repository {
            return refuse(
                "--all-projects: the ledger of a repository is for its own turns",
                "log-usage import --all-projects --personal",
            );
        }
        if !self.from.is_empty() && self.sources.len() != 1 {
            return refuse(
                "--from: whose transcripts they are is not said",
                "name one source: log-usage import claude-code --from PATH",
            );
        }
        for path in &self.from {
            fs::metadata(path).map_err(|error| Error::io("read", path, &error))?;
        }
        if config.tags == Permission::None {
            return refuse(
                "config.toml says tags = \"none\", and a row without its id would be imported again \
                 and again",
                "let config.toml say tags = \"any\"",
            );
        }
        Ok(())
    }

    fn sources(&self) -> Result<Vec<&'static Source>> {
        let named = &self.sources;
        if let Some(source) = named.iter().find(|it| !it.is_found && self.from.is_empty()) {
            return Err(Error::Usage {
                problem: format!("{} has no usual place to be found at", source.name),
                fix: format!("log-usage import {} --from PATH", source.name),
            });
        }
        let is_asked = |it: &&Source| match named.is_empty() {
            true => it.is_found,
            false => named.iter().any(|name| name.name == it.name),
        };
        Ok(SOURCES.iter().filter(is_asked).collect())
    }

    fn read(
        &self,
        target: &Target,
        config: &Config,
        sources: &[&Source],
        scope: &mut Scope,
        border: Option<Day>,
        cursor: Option<&Cursor>,
    ) -> Result<Imports> {
        let redactor = redact::redactor(config);
        let waiting = waiting_for(target)?;
        let bar = Bar::default();
        let move_on = |progress| bar.move_on(progress);
        let (homes, screen) = (world::homes(&self.from), screen(config, &redactor));
        let prices = Prices::load(&target.place)?;
        let import = Import {
            place: &target.place,
            waiting: &waiting,
            homes: &homes,
            making: Making {
                grain: self.group,
                task_type: self.task_type,
                prices: &prices,
                local: &local,
            },
            since: self.since.as_deref().map(since).transpose()?,
            border,
            is_refresh: self.refresh,
            now: world::now().instant(),
            system_now: SystemTime::now(),
            screen: &screen,
            bound: None,
            progress: &move_on,
        };
        // Whoever asks for an explanation or for what grew wants all files to be read.
        let imports = import.run(sources, scope, cursor.filter(|_| !self.explain && !self.refresh));
        bar.end();
        imports
    }

    fn tell(&self, target: &Target, imports: &Imports, appended: &Appended) {
        tell_withheld(&imports.withheld);
        let left_out = imports.tallies.iter().flat_map(|it| &it.findings.left_out);
        for file in left_out.filter(|it| it.line == 0 && !self.explain) {
            voice::say(&format!("left out  {}: {}", shown(&file.path), file.why));
        }
        let is_empty = imports.tallies.iter().all(|it| it.findings.files + it.unchanged == 0);
        if is_empty && !self.sources.is_empty() {
            let names: Vec<&str> = self.sources.iter().map(|source| source.name).collect();
            voice::say(&format!("no transcripts of {} found", names.join(", ")));
        }
        if imports.entries.is_empty() || self.dry_run {
            if io::stderr().is_terminal() {
                self.lines(target, imports, appended).iter().for_each(|line| voice::say(line));
            } else if imports.tallies.iter().all(|it| it.turns == 0) {
                // Else nobody knows why there is nothing.
                elsewhere(imports, self.all_projects).iter().for_each(|line| voice::say(line));
            }
            return;
        }
        tell(target, appended, &|_| self.lines(target, imports, appended).join("\n"));
    }

    fn lines(&self, target: &Target, imports: &Imports, appended: &Appended) -> Vec<String> {
        let mut lines = summary(imports);
        lines.push(match lines.is_empty() && self.sources.is_empty() {
            true => "no transcripts found".to_owned(),
            false => {
                let verb = if self.dry_run { "would be logged" } else { "logged" };
                stored(imports, appended.added, verb, self.explain)
            }
        });
        lines.extend(hints(imports, self.all_projects));
        if appended.added > 0 && !self.dry_run {
            lines.extend(to_install(&self.silent(target, imports)));
        }
        lines
    }

    /// Agents that could call us at each turn's end, and do not. Only a repository's ledger is filled
    /// so, and only from their usual places.
    fn silent(&self, target: &Target, imports: &Imports) -> Vec<&'static Agent> {
        let Ok(root) = world::root() else { return Vec::new() };
        if target.choice != Choice::Repository || !self.from.is_empty() {
            return Vec::new();
        }
        let new = imports.tallies.iter().filter(|it| it.new > 0);
        new.filter_map(|it| agent(it.name)).filter(|agent| is_free(agent, &root)).collect()
    }
}

/// A bar that is drawn once there is much to be read.
#[derive(Default)]
struct Bar {
    drawn: RefCell<Option<ProgressBar>>,
}

impl Bar {
    fn move_on(&self, progress: Progress) {
        let mut drawn = self.drawn.borrow_mut();
        match progress {
            Progress::Ahead(bytes) => {
                if let Some(bar) = &*drawn {
                    bar.inc_length(bytes);
                } else if bytes >= PROGRESS_BYTES_MIN && io::stderr().is_terminal() {
                    let style =
                        ProgressStyle::with_template("{bytes} of {total_bytes} {bar:40} {eta}");
                    let style = style.unwrap_or_else(|_| ProgressStyle::default_bar());
                    *drawn = Some(ProgressBar::new(bytes).with_style(style));
                }
            }
            Progress::Read(bytes) => drawn.iter().for_each(|bar| bar.inc(bytes)),
        }
    }

    fn end(&self) {
        self.drawn.borrow().iter().for_each(ProgressBar::finish_and_clear);
    }
}

/// What the rows depend on besides the transcripts: what a cursor knows is of one such set alone.
pub(crate) fn depends_on(grain: Grain, border: Option<Day>, scope: &Scope) -> String {
    format!("{} {border:?} {}", grain.name(), scope.words())
}

/// A moment on the clock of this machine, as it was then.
pub(crate) fn local(at: Instant) -> Timestamp {
    match Local.timestamp_opt(at.seconds, at.nanos).earliest() {
        Some(time) => time.fixed_offset().into(),
        None => Timestamp::utc(at),
    }
}

fn since(text: &str) -> Result<Since> {
    if let Some(day) = Day::parse(text) {
        return Ok(Since::Day(day));
    }
    if let Some(timestamp) = Timestamp::parse_liberally(text) {
        return Ok(Since::Moment(timestamp.instant()));
    }
    let refuse = || Error::OptionValue {
        option: "--since".to_owned(),
        given: text.to_owned(),
        allowed: "a date (2026-02-23), a time (RFC 3339) or an age (7d)".to_owned(),
        example: "2026-02-23".to_owned(),
    };
    let age = humantime::parse_duration(text).map_err(|_| refuse())?;
    let seconds = i64::try_from(age.as_secs()).map_err(|_| refuse())?;
    let now = world::now().instant();
    Ok(Since::Moment(Instant { seconds: now.seconds.saturating_sub(seconds), ..now }))
}
