//! `log-usage run`: any command, which notices nothing of it; its time and success go to the ledger.
//! The exit code is the command's, whatever becomes of the row.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::env;
use std::ffi::OsString;
use std::hash::{BuildHasher, RandomState};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use clap::Parser;
use usage_ledger::error::{Error, Result, excerpt, shell_word};
use usage_ledger::event::check_id;
use usage_ledger::event::id::Id;
use usage_ledger::figures;
use usage_ledger::intake::draft::{Draft, check};
use usage_ledger::intake::events;
use usage_ledger::intake::import::codex;
use usage_ledger::intake::import::cost::UNKNOWN_MODEL;
use usage_ledger::intake::import::printed;
use usage_ledger::intake::import::printed::heard::{Heard as Printed, is_asked_for};
use usage_ledger::intake::import::printed::outcome::Outcome;
use usage_ledger::intake::import::rows::{self, Grain, Making};
use usage_ledger::intake::import::turn::End;
use usage_ledger::ledger::compose::Entry;
use usage_ledger::ledger::lookup::Imported;
use usage_ledger::pricing::Prices;
use usage_ledger::privacy::capture::Output;
use usage_ledger::redact::withheld::Withheld;
use usage_ledger::row::{Refused, TaskType};
use usage_ledger::timestamp::Timestamp;
use usage_ledger::workspace::{Config, Durability, Permission};

use crate::captured;
use crate::child::{self, Ended, Heard, Tee};
use crate::hook_log;
use crate::import::local;
use crate::record::{record, tell_torn};
use crate::redact;
use crate::user::{CORRELATION_ID, SESSION};
use crate::voice;
use crate::world::{self, Target};
use crate::write::{append, durability, fail_where_a_file_is_full, policy};
use crate::write::{refused_by_environment, screen, tell, tell_withheld, waiting_for};

/// Run a command, and log how long it took and whether it succeeded
///
/// Where the command line asks claude, codex, gemini or cursor-agent for JSON, its
/// result's tokens, model and cost go to the ledger. With --model a row goes there
/// of any command: success is exit code 0, and where nobody counted tokens they are
/// 0, and the row is tagged reason=no-usage. Without, an event is recorded if you
/// consented to events: the command without its secrets, its time and its exit code.
/// Terminal, streams, signals and exit code are the command's own; what cannot be
/// logged is one line on standard error. With --capture the command sees pipes
/// instead of a terminal, and the program age keeps what it says. The command and
/// all that it runs find one and the same LOG_USAGE_CORRELATION_ID in their
/// environment.
#[derive(Parser)]
#[command(
    name = "log-usage run",
    bin_name = "log-usage run",
    after_help = "Examples:\n  log-usage run --model claude-3-opus --type verify -- cargo test\n  \
                  log-usage run -- make release\n\n\
                  Exit codes: the command's own; if a signal ended it, that signal; 126 it could\n\
                  not be run; 127 there is no such command; 2 bad usage, and it was not run"
)]
pub(crate) struct Run {
    /// Which model the work is done with
    #[arg(long, value_name = "MODEL", allow_negative_numbers = true)]
    model: Option<String>,
    /// plan, execute, verify, discuss or quick [default: execute]
    #[arg(long = "type", value_name = "TYPE", allow_negative_numbers = true)]
    task_type: Option<String>,
    /// What the row says besides
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    notes: Option<String>,
    /// Add a tag to the notes; may be repeated
    #[arg(long, value_name = "KEY=VALUE", allow_hyphen_values = true)]
    tag: Vec<String>,
    /// Keep its words and outputs, encrypted, if you allowed it (consent grant capture)
    #[arg(long)]
    capture: bool,
    /// Use another ledger
    #[arg(long, value_name = "PATH")]
    file: Option<PathBuf>,
    /// Use your own ledger, outside any repository
    #[arg(long)]
    personal: bool,
    /// Whether the row is on the disk when it ends: none or data [default: none, or config.toml]
    #[arg(long, value_name = "LEVEL", value_parser = durability)]
    durability: Option<Durability>,
    /// Say nothing but errors
    #[arg(long, short)]
    quiet: bool,
    /// The command and its arguments
    #[arg(required = true, trailing_var_arg = true, value_name = "COMMAND")]
    command: Vec<OsString>,
}

/// What nobody counted is 0, and this tag says so.
const NO_USAGE: &str = "reason=no-usage";

/// More than an event keeps of a command, even if most of it is secrets.
const COMMAND_BYTES_MAX: usize = 64 << 10;

pub(crate) fn run(options: Run) -> Result<ExitCode> {
    let asks = is_asked_for(&options.line());
    let target = options.target_if_sound(asks)?;
    let correlation = correlation();
    let asks = asks && !world::environment().disabled;
    let printed = Mutex::new(Printed::default());
    let listen = |output, bytes: &[u8]| {
        if output == Output::Out && asks {
            printed.lock().unwrap_or_else(PoisonError::into_inner).add(bytes);
        }
    };
    let began = world::now();
    let run = |tee: Option<Tee<'_>>| {
        let start = |heard| child::run(&options.command, (CORRELATION_ID, &correlation), heard);
        match tee {
            None if asks => start(Heard::Out(&listen)),
            None => start(Heard::Nothing),
            Some(tee) => start(Heard::Both(&|output, bytes: &[u8]| {
                tee(output, bytes);
                listen(output, bytes);
            })),
        }
    };
    let ended = match (options.capture, &target) {
        (false, _) => run(None),
        (true, Ok(target)) => captured::around(target, &options.command, options.quiet, &run)?,
        (true, Err(_)) => return target.map(|_| ExitCode::FAILURE),
    };
    let ended = match ended {
        Ok(ended) => ended,
        Err(error) => return Ok(options.refuse(&error)),
    };
    let printed = printed.into_inner().unwrap_or_else(PoisonError::into_inner);
    let done = Done { ended: &ended, began, outcome: printed.outcome() };
    if let Err(error) = target.and_then(|it| options.record(&it, &done, correlation)) {
        if hook_log::is_hook() {
            hook_log::add(&error);
        }
        let text = error.to_string();
        let what = text.lines().next().unwrap_or_default().trim_start_matches("error: ");
        voice::say(&format!("log-usage: not logged: {what} (log-usage doctor)"));
    }
    Ok(child::end_as(ended.status))
}

/// A command that has ended, and what it printed of itself.
struct Done<'a> {
    ended: &'a Ended,
    began: Timestamp,
    outcome: Option<Outcome>,
}

impl Run {
    /// The ledger. What is wrong with the command line is found before the command is started; what
    /// is wrong with the ledger does not keep it from running.
    fn target_if_sound(&self, asks: bool) -> Result<Result<Target>> {
        let says_more = self.task_type.is_some() || self.notes.is_some() || !self.tag.is_empty();
        if says_more && self.model.is_none() && !asks {
            return Err(Error::Usage {
                problem: "--model is missing: of this command there is no row without it"
                    .to_owned(),
                fix: "log-usage run --model claude-3-opus … -- …".to_owned(),
            });
        }
        let is_usage = |error: &Error| error.exit_code() == 2;
        let target = match Target::find(self.file.as_deref(), self.personal) {
            Err(error) if is_usage(&error) => return Err(error),
            target => target,
        };
        if self.model.is_some() || says_more {
            let config = target.as_ref().ok().and_then(|it| Config::load(&it.place).ok());
            let model = self.model.as_deref().unwrap_or(UNKNOWN_MODEL);
            self.entry(model, &config.unwrap_or_default(), None, &mut Withheld::default())?;
        }
        Ok(target)
    }

    /// The row of a command; before its end one just like it.
    fn entry(
        &self,
        model: &str,
        config: &Config,
        ended: Option<&Ended>,
        withheld: &mut Withheld,
    ) -> Result<Entry<'static>> {
        let mut tags: Vec<&str> = self.tag.iter().map(String::as_str).collect();
        let allows_tags = config.tags == Permission::Any;
        if allows_tags && !tags.iter().any(|tag| tag.starts_with("reason=")) {
            tags.push(NO_USAGE);
        }
        let (succeeded, took) = match ended {
            Some(ended) => (ended.status.success(), ended.took),
            None => (true, Duration::ZERO),
        };
        let draft = Draft {
            timestamp: None,
            model,
            prompt_tokens: "0",
            completion_tokens: "0",
            task_success: if succeeded { "true" } else { "false" },
            task_type: self.task_type.as_deref().unwrap_or("execute"),
            duration: &milliseconds(took).to_string(),
            notes: self.notes.as_deref().unwrap_or_default(),
            tags: &tags,
        };
        let redactor = redact::redactor(config);
        let entry = check(&draft, &screen(config, &redactor), withheld);
        let entry = entry.map_err(|refused| {
            let fix = format!("log-usage run {} -- …", option(&refused));
            refused.into_error(fix)
        })?;
        Ok(entry.into_owned())
    }

    /// The rows of a command that printed what it took; none where its transcript was imported.
    fn counted(
        &self,
        target: &Target,
        config: &Config,
        done: &Done<'_>,
        withheld: &mut Withheld,
    ) -> Result<Option<Vec<Entry<'static>>>> {
        // Without tags the same work would be imported again.
        let outcome = done.outcome.clone().filter(|_| config.tags == Permission::Any);
        let Some(mut outcome) = outcome else { return Ok(None) };
        let unknown = |name: &str| name == UNKNOWN_MODEL;
        if let Some((name, ..)) = outcome.models.last_mut() {
            let thread = outcome.session.as_deref().filter(|_| outcome.tool == codex::NAME);
            let told = || codex::model_of(&world::homes(&[]), thread?);
            let found = if self.model.is_none() && unknown(name) { told() } else { None };
            if let Some(model) = self.model.clone().or(found) {
                *name = model;
            }
        }
        let took = milliseconds(done.ended.took);
        let mut turn = printed::turn(outcome, done.began.instant(), took, 0);
        if !done.ended.status.success() && turn.end == End::Done {
            turn.end = End::Failed(Some("error"));
        }
        let imported = Imported::load(&target.place, &waiting_for(target)?)?;
        if imported.has_session(turn.source, "", &turn.session_tag()) {
            return Ok(Some(Vec::new()));
        }
        let making = Making {
            grain: Grain::Turn,
            task_type: self.task_type.as_deref().and_then(|it| TaskType::parse(it.as_bytes())),
            prices: &Prices::load(&target.place)?,
            local: &local,
        };
        let redactor = redact::redactor(config);
        let screen = screen(config, &redactor);
        let rows = rows::rows(vec![turn], &making);
        let entries = rows.into_iter().map(|mut row| {
            if !row.is_sub() {
                row.given.clone_from(&self.tag);
            }
            let entry =
                row.entry(Some((0, self.notes.as_deref().unwrap_or_default())), &screen, withheld);
            entry.map_err(|refused| {
                let fix = format!("log-usage run {} -- …", option(&refused));
                refused.into_error(fix)
            })
        });
        entries.collect::<Result<_>>().map(Some)
    }

    /// Writes what became of the command.
    fn record(&self, target: &Target, done: &Done<'_>, correlation: String) -> Result<()> {
        fail_where_a_file_is_full();
        // Who logs every command so wants no word for each.
        if refused_by_environment(self.quiet || self.model.is_none()) {
            return Ok(());
        }
        if self.model.is_none() {
            let recorded = record(target, &[self.event(done.ended, correlation)])?;
            if !self.quiet {
                tell_torn(&recorded.written, &target.place.events());
            }
            if done.outcome.is_none() {
                return Ok(());
            }
        }
        let config = Config::load(&target.place)?;
        let mut withheld = Withheld::default();
        let counted = self.counted(target, &config, done, &mut withheld)?;
        let mut entries = match (counted, &self.model) {
            (Some(entries), _) => entries,
            (None, Some(model)) => {
                vec![self.entry(model, &config, Some(done.ended), &mut withheld)?]
            }
            (None, None) => Vec::new(),
        };
        if entries.is_empty() {
            return Ok(());
        }
        // The exit code is the command's and promises no row, so nobody waits for the disk unasked.
        let durability = self.durability.or(config.durability).unwrap_or(Durability::None);
        let policy = policy(&config, None, Some(durability));
        let appended = append(target, &config, policy, &mut entries, self.quiet)?;
        if let (Some(appended), [entry, ..], false) = (appended, &*entries, self.quiet) {
            let row = &entry.row;
            tell(target, &appended, &|verb| {
                let success = if row.success { "success" } else { "failure" };
                let took = figures::duration(row.duration_ms.into());
                let tokens = match row.total_tokens() {
                    0 => String::new(),
                    _ => format!(
                        "{} read + {} written  ",
                        figures::thousands(row.prompt_tokens.into()),
                        figures::thousands(row.completion_tokens.into())
                    ),
                };
                format!(
                    "{verb}  {}  {tokens}{}, {success}, {took}",
                    row.model,
                    row.task_type.name()
                )
            });
            tell_withheld(&withheld);
        }
        Ok(())
    }

    /// The event of a command that has ended.
    fn event(&self, ended: &Ended, correlation: String) -> events::Draft<'static> {
        let succeeded = ended.status.success();
        let code = ("exit_code".into(), child::code(ended.status).into());
        events::Draft {
            name: if succeeded { "command.completed" } else { "command.failed" }.into(),
            correlation: Some(correlation.into()),
            session: env::var(SESSION).ok().filter(|it| !it.is_empty()).map(Cow::Owned),
            command: Some(self.line().into()),
            success: Some(succeeded),
            duration_ms: Some(milliseconds(ended.took)),
            error: child::failure(ended.status).map(Cow::Owned),
            metrics: BTreeMap::from([code]),
            ..events::Draft::default()
        }
    }

    /// The command as somebody would type it.
    fn line(&self) -> String {
        let mut line = String::new();
        for word in &self.command {
            if !line.is_empty() {
                line.push(' ');
            }
            line += &shell_word(&word.to_string_lossy());
            if line.len() > COMMAND_BYTES_MAX {
                break;
            }
        }
        line.truncate(line.floor_char_boundary(COMMAND_BYTES_MAX));
        line
    }

    /// Says why the command could not be started, and ends as a shell would.
    fn refuse(&self, error: &std::io::Error) -> ExitCode {
        let code = child::refusal(error);
        let program = PathBuf::from(&self.command[0]);
        let said = match code {
            child::NOT_FOUND => Error::Usage {
                problem: format!("no command {}", excerpt(&program.to_string_lossy())),
                // A path was given already.
                fix: match self.command[0].as_encoded_bytes().contains(&b'/') {
                    true => "look at how the path is spelled".to_owned(),
                    false => "install it, or give its path".to_owned(),
                },
            },
            _ => Error::io("run", &program, error),
        };
        voice::say(&said.to_string());
        ExitCode::from(code)
    }
}

/// What this work is known by: the id that somebody gave it, else a new one.
fn correlation() -> String {
    let given = env::var(CORRELATION_ID).ok();
    given.filter(|id| check_id("correlation", id).is_ok()).unwrap_or_else(|| {
        Id::new(world::now().instant(), RandomState::new().hash_one(std::process::id())).to_string()
    })
}

/// No clock has run for longer.
fn milliseconds(took: Duration) -> u64 {
    u64::try_from(took.as_millis()).unwrap_or(u64::MAX)
}

/// The option whose value was refused, with a value that it takes.
fn option(refused: &Refused) -> String {
    match refused.field {
        "model" => format!("--model {}", refused.example()),
        "task_type" => format!("--type {}", refused.example()),
        "tag" => "--tag agent=claude-code".to_owned(),
        _ => format!("--notes {}", refused.example()),
    }
}
