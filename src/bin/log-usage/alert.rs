//! `log-usage alert`: which alerts there are, and what people do about them.

use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use usage_ledger::alert::act::{Act, Action, ID_CHARS, NOTE_BYTES_MAX, is_id};
use usage_ledger::engine::alerts;
use usage_ledger::engine::cache::Cache;
use usage_ledger::engine::inputs;
use usage_ledger::error::{Error, Result, excerpt};
use usage_ledger::git;
use usage_ledger::ledger;
use usage_ledger::ledger::events::reading;
use usage_ledger::notes;
use usage_ledger::redact::withheld::Withheld;
use usage_ledger::report::alert::finding::Finding;
use usage_ledger::report::alert::{Ask, check};
use usage_ledger::setup;
use usage_ledger::workspace::{Config, FOLDER, LEDGER, Permission};

use crate::identity;
use crate::redact;
use crate::voice;
use crate::world::{self, Choice, Target};
use crate::write::{around, permitted, policy, refused_by_environment, screen, tell_withheld};
use crate::write::{waiting_for, work_tree};

/// Fewer digits of an id are as likely a slip of the fingers.
const PREFIX_MIN: usize = 4;

/// Say that somebody looks after an alert, or that it is over
///
/// Alerts are what usage-report check finds; each has the same id in every clone. What is said of
/// one is added to .telemetry/alerts.csv: commit it, and everybody knows. An alert that was
/// resolved stays so until its series breaks the rule anew.
#[derive(Parser)]
#[command(
    name = "log-usage alert",
    bin_name = "log-usage alert",
    args_conflicts_with_subcommands = true,
    disable_help_subcommand = true,
    after_help = "Examples:\n  log-usage alert\n  log-usage alert ack 4f2a90 --note \"the nightly batch, known\"\n  log-usage alert resolve 4f2a90c1d2e3"
)]
pub(crate) struct Alert {
    #[command(subcommand)]
    action: Option<What>,
    #[command(flatten)]
    list: List,
}

#[derive(Subcommand)]
enum What {
    /// Show the alerts that fire or are looked after, with their ids
    List(List),
    /// Somebody looks after it: it fails no build, and nobody is told again
    Ack(Which),
    /// It is over, whatever the figures say, until they break the rule anew
    Resolve(Which),
    /// It is neither looked after nor over
    Reopen(Which),
}

#[derive(Args)]
struct List {
    /// Show those that are over, too
    #[arg(long)]
    all: bool,
    /// Use another ledger
    #[arg(long, value_name = "PATH")]
    file: Option<PathBuf>,
    /// Use your own ledger, outside any repository
    #[arg(long)]
    personal: bool,
}

#[derive(Args)]
struct Which {
    /// The alert's id, or the beginning of it
    #[arg(required = true)]
    id: Vec<String>,
    /// Why; stored without its secrets
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    note: Option<String>,
    /// Use another ledger
    #[arg(long, value_name = "PATH")]
    file: Option<PathBuf>,
    /// Use your own ledger, outside any repository
    #[arg(long)]
    personal: bool,
    /// Print the lines, write nothing
    #[arg(long)]
    dry_run: bool,
    /// Say nothing but errors
    #[arg(long, short)]
    quiet: bool,
}

pub(crate) fn run(options: Alert) -> Result<ExitCode> {
    match options.action {
        None => list(&options.list),
        Some(What::List(options)) => list(&options),
        Some(What::Ack(which)) => act(Action::Ack, &which),
        Some(What::Resolve(which)) => act(Action::Resolve, &which),
        Some(What::Reopen(which)) => act(Action::Reopen, &which),
    }
}

fn list(options: &List) -> Result<ExitCode> {
    let target = Target::find(options.file.as_deref(), options.personal)?;
    let config = Config::load(&target.place)?;
    let alerts = alerts(&target, config, options.all)?;
    if alerts.is_empty() {
        let text = "no alerts: nothing fires (usage-report check says what is watched)\n";
        return Ok(voice::print(text.as_bytes()));
    }
    let mut text = String::new();
    for it in &alerts {
        let series = it.series.as_deref().map(|it| format!(", {}", excerpt(it)));
        let id = it.id.as_deref().unwrap_or_default();
        text += &format!(
            "{id}  {:<12}  {:<8}  {}  {}{}\n              {}\n",
            it.state.name(),
            it.severity.name(),
            it.since,
            it.name,
            series.unwrap_or_default(),
            excerpt(&it.evidence)
        );
        if let Some(note) = &it.note {
            text += &format!("              note: {}\n", excerpt(note));
        }
    }
    Ok(voice::print(voice::unsaid(&text).as_bytes()))
}

/// The alerts of this ledger, as `usage-report check` finds them.
fn alerts(target: &Target, config: Config, has_history: bool) -> Result<Vec<Finding>> {
    let place = &target.place;
    let acts = ledger::alerts::load(place)?;
    let rules = config.alerts;
    let ask = Ask { rules, acts, has_history, has_anomalies: true, ..Ask::default() };
    let mut inputs = inputs::of_ledger(place, "", true)?.inputs;
    let waiting = waiting_for(target)?;
    let events = target.events()?;
    if inputs.is_empty() && waiting.is_empty() && reading::files(&events)?.is_empty() {
        return Err(match target.choice {
            Choice::Repository => {
                Error::NoLedger { looked_for: Path::new(FOLDER).join(LEDGER), held: None }
            }
            _ => Error::NoSuchFile { path: place.active() },
        });
    }
    if !waiting.is_empty() {
        inputs.push(inputs::of_waiting(place, &waiting, true)?);
    }
    let cache = world::cache_home().map(|home| Cache::of(&home, &place.active()));
    let (facts, _) = alerts::facts(&inputs, Some(&events), &ask, cache.as_ref(), &|_| ())?;
    Ok(check(&ask, facts).findings)
}

fn act(action: Action, which: &Which) -> Result<ExitCode> {
    let target = Target::find(which.file.as_deref(), which.personal)?;
    if !which.dry_run && refused_by_environment(which.quiet) {
        return Ok(ExitCode::SUCCESS);
    }
    let config = Config::load(&target.place)?;
    let mut withheld = Withheld::default();
    let note = which.note(&config, &mut withheld)?;
    let policy = policy(&config, None, None);
    let consent = match which.dry_run {
        true => None,
        false => match permitted(&target, &config, which.quiet)? {
            None => return Ok(ExitCode::SUCCESS),
            consent => consent,
        },
    };
    let may_name = consent.is_some_and(|it| it.identity) && config.tags == Permission::Any;
    let user = may_name.then(|| identity::user_or_warn(&target, &config, which.quiet)).flatten();
    let known = alerts(&target, config, true)?;
    let mut acts = Vec::new();
    let mut said = Vec::new();
    for given in &which.id {
        let (alert, name) = find(&known, given)?;
        if name.is_none() && !which.quiet {
            voice::say(&format!(
                "warning: no rule here finds an alert {alert}: stored all the same, for another \
                 branch may, or a machine that has the events"
            ));
        }
        said.push(format!("{alert}  {}", name.unwrap_or_default()));
        let (at, user, note) = (world::now(), user.clone().unwrap_or_default(), note.clone());
        acts.push(Act { at, alert, action, user, note });
    }
    if which.dry_run {
        let lines: String = acts.iter().map(|act| act.to_line() + "\n").collect();
        return Ok(voice::print(lines.as_bytes()));
    }
    let place = &target.place;
    setup::prepare(place, target.choice != Choice::Named)?;
    let is_tracked = || git::tracks(&place.alerts());
    ledger::alerts::append(place, &policy, &around(work_tree(&target), &is_tracked), &mut acts)?;
    if !which.quiet {
        tell_withheld(&withheld);
        if io::stderr().is_terminal() {
            let verb = match action {
                Action::Ack => "acknowledged",
                Action::Resolve => "resolved",
                Action::Reopen => "reopened",
            };
            said.iter().for_each(|it| voice::say(&format!("{verb}  {}", it.trim_end())));
        }
    }
    Ok(ExitCode::SUCCESS)
}

impl Which {
    /// The note as it is stored.
    fn note(&self, config: &Config, withheld: &mut Withheld) -> Result<String> {
        let Some(text) = &self.note else { return Ok(String::new()) };
        let refuse = || Error::Usage {
            problem: format!("--note: it is longer than {NOTE_BYTES_MAX} bytes"),
            fix: "say it in fewer words; the commit's message has room for more".to_owned(),
        };
        let redactor = redact::redactor(config);
        let note = notes::compose(text, &[], &screen(config, &redactor), withheld);
        let note = note.map_err(|_| refuse())?.into_owned();
        if note.len() > NOTE_BYTES_MAX { Err(refuse()) } else { Ok(note) }
    }
}

/// The id that was meant, and what the alert is called where it is known.
fn find(known: &[Finding], given: &str) -> Result<(String, Option<String>)> {
    let given = &*given.to_ascii_lowercase();
    let is_meant = |it: &&Finding| it.id.as_deref().is_some_and(|id| id.starts_with(given));
    let fix = || "log-usage alert list --all shows them with their ids".to_owned();
    let is_id_like = given.bytes().all(|b| b.is_ascii_hexdigit());
    if given.len() < PREFIX_MIN || !is_id_like {
        let problem = format!(
            "{} is not {PREFIX_MIN} to {ID_CHARS} digits (0-9, a-f) of an alert's id",
            excerpt(given)
        );
        return Err(Error::Usage { problem, fix: fix() });
    }
    let name = |it: &Finding| {
        let series = it.series.as_deref().map(|it| format!(", {}", excerpt(it)));
        format!("{}{}", it.name, series.unwrap_or_default())
    };
    let which = |it: &&Finding| {
        let id = it.id.as_deref().unwrap_or_default();
        format!("{id} ({}, since {})", name(it), it.since)
    };
    let meant: Vec<&Finding> = known.iter().filter(is_meant).collect();
    match meant[..] {
        [it] => Ok((it.id.clone().unwrap_or_default(), Some(name(it)))),
        [] if is_id(given) => Ok((given.to_owned(), None)),
        [] => Err(Error::Usage {
            problem: format!("no alert has the id {}", excerpt(given)),
            fix: fix(),
        }),
        _ => Err(Error::Usage {
            problem: format!("{} alerts have ids that begin with {given}", meant.len()),
            fix: format!("say which: {}", meant.iter().map(which).collect::<Vec<_>>().join(", ")),
        }),
    }
}
