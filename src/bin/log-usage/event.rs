//! `log-usage event`: one event from the command line, or many from standard input.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::env;
use std::io::{self, IsTerminal};
use std::process::ExitCode;

use clap::Parser;
use serde_json::Number;
use usage_ledger::error::{Error, Result, excerpt};
use usage_ledger::event::name::{NAMES, Name};
use usage_ledger::intake::draft::check_duration;
use usage_ledger::intake::events::{Checker, Draft};
use usage_ledger::redact::withheld::Withheld;

use crate::event_stream::{self, Every};
use crate::record::{Sink, record, refused, say_not_recorded, tell_torn, told};
use crate::redact;
use crate::user;
use crate::voice;
use crate::world::{self, Target};
use crate::write::tell_withheld;

/// Record what an agent, a role, a command or a workflow did; only with your consent
///
/// Events are kept on this machine, in .telemetry/events.jsonl, which git
/// ignores. Texts are stored without secrets. docs/events.md lists the names,
/// attributes and metrics that readers know; any other of the same form is
/// stored too. With - or --batch, standard input holds one JSON object a line,
/// with the fields of docs/events.md; a program may leave it open as long as
/// it runs.
#[derive(Parser)]
#[command(
    name = "log-usage event",
    bin_name = "log-usage event",
    after_help = "Examples:\n  \
        log-usage event agent.completed --agent reviewer --success true --duration 45s\n  \
        log-usage event command.failed --command \"cargo test\" --error \"2 tests failed\"\n  \
        printf '{\"name\":\"role.selected\",\"role\":\"planner\"}\\n' | log-usage event -\n\n\
        Exit codes: 0 also where there is no consent and nothing was recorded; 1 not\n\
        written; 2 bad input; 3 bad lines were skipped"
)]
pub(crate) struct EventOptions {
    /// What happened, as area.step; or - for standard input
    #[arg(required_unless_present = "batch")]
    name: Option<String>,
    /// Read one JSON object a line from standard input
    #[arg(long, conflicts_with = "name")]
    batch: bool,
    /// The role that somebody acts in
    #[arg(long, value_name = "NAME")]
    role: Option<String>,
    /// The agent
    #[arg(long, value_name = "NAME")]
    agent: Option<String>,
    /// The command, stored without its secrets
    #[arg(long, value_name = "TEXT")]
    command: Option<String>,
    /// Whether it succeeded
    #[arg(long, value_name = "true|false")]
    success: Option<bool>,
    /// How long it took: milliseconds, or a time such as 45s
    #[arg(long, value_name = "DURATION")]
    duration: Option<String>,
    /// What went wrong, stored without its secrets
    #[arg(long, value_name = "TEXT")]
    error: Option<String>,
    /// Another label; may be repeated
    #[arg(long, value_name = "KEY=VALUE")]
    attr: Vec<String>,
    /// Another figure; may be repeated
    #[arg(long, value_name = "KEY=NUMBER")]
    metric: Vec<String>,
    /// What belongs together, for all lines that say nothing else [default: the event's own id]
    #[arg(long, value_name = "ID")]
    correlation: Option<String>,
    /// The session, for all lines that say nothing else; stored as a pseudonym
    #[arg(long, value_name = "ID")]
    session: Option<String>,
    /// When it happened [default: now]
    #[arg(long, value_name = "RFC3339")]
    timestamp: Option<String>,
    /// Use your own events, outside any repository
    #[arg(long)]
    personal: bool,
    /// Print the line, write nothing
    #[arg(long)]
    dry_run: bool,
    /// Say nothing but errors
    #[arg(long, short)]
    quiet: bool,
}

pub(crate) fn run(options: EventOptions) -> Result<ExitCode> {
    let target = Target::find(None, options.personal)?;
    let correlation = options.correlation.clone().or_else(|| word(user::CORRELATION_ID));
    let session = options.session.clone().or_else(|| word(user::SESSION));
    if options.batch || options.name.as_deref() == Some("-") {
        refuse_fields_of_one(&options)?;
        let every = Every { correlation, session };
        return event_stream::run(&target, &every, options.dry_run, options.quiet);
    }
    let draft = draft(&options, correlation, session)?;
    if options.dry_run {
        return rehearse(&target, &draft, options.quiet);
    }
    let recorded = record(&target, &[draft])?;
    if let Some(why) = recorded.refused {
        say_not_recorded(&why, options.quiet);
        return Ok(ExitCode::SUCCESS);
    }
    if !options.quiet {
        tell_torn(&recorded.written, &target.place.events());
        if io::stderr().is_terminal() {
            voice::say(&told(&recorded.written));
            let name = options.name.as_deref().unwrap_or_default();
            if let Some(known) = meant(name) {
                voice::say(&format!(
                    "  {} is no name that readers know; {known} is",
                    excerpt(name)
                ));
            }
        }
        tell_withheld(&recorded.withheld);
    }
    Ok(ExitCode::SUCCESS)
}

fn rehearse(target: &Target, draft: &Draft<'_>, quiet: bool) -> Result<ExitCode> {
    let sink = Sink::beside(target)?;
    let redactor = redact::redactor(&sink.config);
    let mut withheld = Withheld::default();
    let mut checker = Checker::new(&redactor, sink.user.clone(), sink.key.as_ref());
    let event = checker.check(draft, world::now(), &mut withheld).map_err(refused)?;
    if !quiet {
        tell_withheld(&withheld);
    }
    Ok(voice::print(format!("{}\n", event.to_line()).as_bytes()))
}

/// What a script sets once for all events that it records.
fn word(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}

fn draft(
    options: &EventOptions,
    correlation: Option<String>,
    session: Option<String>,
) -> Result<Draft<'_>> {
    let text = |text: &'_ Option<String>| text.clone().map(Cow::Owned);
    let mut draft = Draft {
        name: options.name.as_deref().unwrap_or_default().into(),
        timestamp: text(&options.timestamp),
        correlation: correlation.map(Cow::Owned),
        session: session.map(Cow::Owned),
        role: text(&options.role),
        agent: text(&options.agent),
        command: text(&options.command),
        success: options.success,
        error: text(&options.error),
        ..Draft::default()
    };
    let duration = options.duration.as_deref().map(check_duration);
    draft.duration_ms = duration.transpose().map_err(refused)?;
    draft.attrs = pairs("--attr", &options.attr, |value| Some(Cow::Borrowed(value)))?;
    draft.metrics = pairs("--metric", &options.metric, |value| value.parse::<Number>().ok())?;
    Ok(draft)
}

/// `KEY=VALUE` each, every key once.
fn pairs<'a, T>(
    option: &str,
    given: &'a [String],
    read: impl Fn(&'a str) -> Option<T>,
) -> Result<BTreeMap<Cow<'a, str>, T>> {
    let mut pairs = BTreeMap::new();
    for text in given {
        let is_metric = option == "--metric";
        let refuse = || Error::OptionValue {
            option: option.to_owned(),
            given: text.clone(),
            allowed: if is_metric {
                "KEY=NUMBER, each key once"
            } else {
                "KEY=VALUE, each key once"
            }
            .to_owned(),
            example: if is_metric { "confidence=0.8" } else { "strategy=split" }.to_owned(),
        };
        let (key, value) = text.split_once('=').ok_or_else(refuse)?;
        let value = read(value).ok_or_else(refuse)?;
        if pairs.insert(Cow::Borrowed(key), value).is_some() {
            return Err(refuse());
        }
    }
    Ok(pairs)
}

fn refuse_fields_of_one(options: &EventOptions) -> Result<()> {
    let given = [
        ("--role", options.role.is_some()),
        ("--agent", options.agent.is_some()),
        ("--command", options.command.is_some()),
        ("--success", options.success.is_some()),
        ("--duration", options.duration.is_some()),
        ("--error", options.error.is_some()),
        ("--attr", !options.attr.is_empty()),
        ("--metric", !options.metric.is_empty()),
        ("--timestamp", options.timestamp.is_some()),
    ];
    match given.iter().find(|(_, is_given)| *is_given) {
        None => Ok(()),
        Some((option, _)) => Err(Error::Usage {
            problem: format!("{option} is of one event, and standard input holds many"),
            fix: "put it into each line, as docs/events.md says".to_owned(),
        }),
    }
}

/// The name that was probably meant.
fn meant(name: &str) -> Option<&'static str> {
    if Name::parse(name).is_ok_and(|name| name.is_known()) {
        return None;
    }
    let near = NAMES.iter().map(|(known, _)| (strsim::damerau_levenshtein(name, known), *known));
    near.filter(|(distance, _)| *distance <= 2).min().map(|(_, known)| known)
}
