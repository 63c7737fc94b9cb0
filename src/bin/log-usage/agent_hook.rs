//! What coding agents run at their hooks: the turns that have ended go into the ledger. Whatever happens,
//! the agent goes on: the exit code is 0, nothing is said, and what failed is kept in the hooks' log.

use std::env;
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, IsTerminal, Read, Seek, SeekFrom};
use std::panic;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::SystemTime;

use serde_json::{Deserializer, Value};
use usage_ledger::error::{Error, Result};
use usage_ledger::event::check_id;
use usage_ledger::hooks::agents::Agent;
use usage_ledger::intake::called::{Call, ends_in_error};
use usage_ledger::intake::import::cursor::Cursor;
use usage_ledger::intake::import::homes::Homes;
use usage_ledger::intake::import::rows::{Grain, Making};
use usage_ledger::intake::import::scope::Scope;
use usage_ledger::intake::import::source;
use usage_ledger::intake::import::source::Source;
use usage_ledger::intake::import::tally::Imports;
use usage_ledger::intake::import::wanted::{Bound, Import};
use usage_ledger::ledger::border;
use usage_ledger::ledger::journal::Journal;
use usage_ledger::ledger::lock::WAIT_IN_HOOKS;
use usage_ledger::ledger::segment::Policy;
use usage_ledger::pricing::Prices;
use usage_ledger::workspace::{Config, Permission};

use crate::agents::is_wanted;
use crate::hook_log;
use crate::import::{depends_on, local};
use crate::record::record;
use crate::redact;
use crate::user::CORRELATION_ID;
use crate::world::{self, Target};
use crate::write::{append, permitted, policy, screen, waiting_for};

/// What an agent tells of a turn: its last answer, too.
const TOLD_BYTES_MAX: u64 = 64 << 20;

/// So much of other sessions' transcripts is read besides: an agent waits for us.
const OTHERS_BYTES_MAX: u64 = 32 << 20;

/// The last lines of a transcript fit into this.
const END_BYTES: u64 = 256 << 10;

/// Commands that every Claude Code has and hands on as prompts.
const COMMANDS: [&str; 6] =
    ["init", "review", "security-review", "pr-comments", "insights", "compact"];

pub(crate) fn run(agent: &'static Agent, arguments: &[OsString]) -> ExitCode {
    silence();
    if let Err(error) = react(agent, arguments) {
        hook_log::add(&error);
    }
    ExitCode::SUCCESS
}

/// An agent takes what we say for its own business.
fn silence() {
    panic::set_hook(Box::new(|_| {}));
    #[cfg(unix)]
    if let Ok(nothing) = File::options().write(true).open("/dev/null") {
        let _ = rustix::stdio::dup2_stdout(&nothing);
        let _ = rustix::stdio::dup2_stderr(&nothing);
    }
}

fn react(agent: &'static Agent, arguments: &[OsString]) -> Result<()> {
    let is_off = env::var_os("LOG_USAGE_HOOKS").is_some_and(|it| it == "0");
    if world::environment().disabled || is_off {
        return Ok(());
    }
    let told = told(arguments)?;
    let call = Call::of(agent.name, &told).ok_or_else(|| unreadable("is no JSON object"))?;
    drop(told);
    if let Some(folder) = &call.folder {
        // Where it is gone, ours is as good as any.
        let _ = env::set_current_dir(folder);
    }
    let target = Target::find(None, false)?;
    let root = world::root()?;
    if !is_begun(&target, agent, &root) {
        return Ok(());
    }
    let recorded = tell(&call, &target, &root);
    let imported = if call.is_end() { import(&call, &target, &root) } else { Ok(()) };
    match (recorded, imported) {
        (Err(error), Err(other)) => {
            hook_log::add(&error);
            Err(other)
        }
        (recorded, imported) => recorded.and(imported),
    }
}

fn unreadable(why: &'static str) -> Error {
    Error::io("read", "what the agent tells".as_ref(), &io::Error::other(why))
}

/// The JSON value in the last argument, else the first one on standard input, whose end nobody waits
/// for: some agents never close it.
fn told(arguments: &[OsString]) -> Result<Value> {
    let read = match arguments.last() {
        Some(argument) => serde_json::from_slice(argument.as_encoded_bytes()).ok(),
        None if io::stdin().is_terminal() => return Err(unreadable("comes from an agent alone")),
        None => {
            let input = io::stdin().lock().take(TOLD_BYTES_MAX);
            Deserializer::from_reader(input).into_iter().next().and_then(serde_json::Result::ok)
        }
    };
    read.ok_or_else(|| unreadable("is no JSON"))
}

/// Whether somebody wants turns to be logged here: there is a ledger, or rows wait for one, or the
/// project's own settings call us. An entry in the user's own settings alone begins no ledger.
fn is_begun(target: &Target, agent: &'static Agent, root: &Path) -> bool {
    let rows_wait = || {
        let tree = target.work_tree();
        tree.is_some_and(|tree| Journal::of_work_tree(&tree.shared(), &tree.own).is_some())
    };
    target.place.folder().is_dir() || rows_wait() || is_wanted(agent, root)
}

/// Records the event, if it is one, where there is consent.
fn tell(call: &Call, target: &Target, root: &Path) -> Result<()> {
    let correlation = env::var(CORRELATION_ID).ok();
    let correlation = correlation.filter(|id| check_id("correlation", id).is_ok());
    let has_failed = || {
        let path = call.sub_transcript.as_deref();
        path.and_then(|path| end_of(path).ok()).is_some_and(|end| ends_in_error(&end))
    };
    let is_command = |name: &str| is_command(call.agent, name, root);
    match call.draft(correlation.as_deref(), is_command, has_failed) {
        Some(draft) => record(target, &[draft]).map(|_| ()),
        None => Ok(()),
    }
}

fn end_of(path: &Path) -> io::Result<Vec<u8>> {
    let mut file = File::open(path)?;
    let bytes = file.metadata()?.len();
    file.seek(SeekFrom::Start(bytes.saturating_sub(END_BYTES)))?;
    let mut end = Vec::new();
    file.take(END_BYTES).read_to_end(&mut end)?;
    Ok(end)
}

/// Whether the agent knows this command; else it is a word that somebody's prompt begins with.
fn is_command(agent: &str, name: &str, root: &Path) -> bool {
    if agent != "claude-code" {
        return false;
    }
    let folders = [Some(root.join(".claude")), world::agent_home(agent)];
    let is_file = |folder: PathBuf| {
        folder.join("commands").join(name.replace(':', "/") + ".md").is_file()
            || folder.join("skills").join(name).join("SKILL.md").is_file()
    };
    COMMANDS.contains(&name) || folders.into_iter().flatten().any(is_file)
}

/// Logs the turns that have ended: those of the session first, and of other sessions as many as
/// nobody waits long for.
fn import(call: &Call, target: &Target, root: &Path) -> Result<()> {
    let Some(source) = source(call.agent) else { return Ok(()) };
    let config = Config::load(&target.place)?;
    if permitted(target, &config, true)?.is_none() {
        return Ok(());
    }
    if config.tags == Permission::None {
        return Err(Error::Usage {
            problem:
                "config.toml says tags = \"none\", and a row without its id would be imported \
                      again and again"
                    .to_owned(),
            fix: "let config.toml say tags = \"any\", or log-usage hooks uninstall --agent …"
                .to_owned(),
        });
    }
    let hook = Hook { call, target, config: &config, root, source };
    // A ledger keeps to the kind of rows that it has.
    let mut done = hook.import(Grain::Turn);
    for grain in [Grain::Session, Grain::Request] {
        if matches!(&done, Err(Error::Usage { .. })) {
            done = hook.import(grain);
        }
    }
    done
}

struct Hook<'a> {
    call: &'a Call,
    target: &'a Target,
    config: &'a Config,
    root: &'a Path,
    source: &'static Source,
}

impl Hook<'_> {
    fn import(&self, grain: Grain) -> Result<()> {
        let place = &self.target.place;
        let mut scope = Scope::of(self.root);
        let of = depends_on(grain, border::load(place)?, &scope);
        let path = world::state_home().map(|state| Cursor::path(&state, &place.active()));
        let cursor = path.as_ref().map(|path| Cursor::load(path, &of));
        let mut imports = self.read(grain, &mut scope, &world::homes(&[]), cursor.as_ref())?;
        let transcript = self.call.transcript.as_ref().filter(|path| path.is_file());
        if let Some(transcript) =
            transcript.filter(|_| !imports.tallies.iter().any(|it| it.has_first))
        {
            // It has no usual place; its sub-agents stand beside it.
            let named = [transcript.clone(), transcript.with_extension("")];
            let more = self.read(grain, &mut scope, &world::homes(&named), None)?;
            imports.entries.extend(more.entries);
        }
        let policy = Policy { wait: WAIT_IN_HOOKS, ..policy(self.config, None, None) };
        if !imports.entries.is_empty() {
            append(self.target, self.config, policy, &mut imports.entries, true)?;
        }
        if let (Some(path), Some(mut cursor)) = (path, cursor) {
            cursor.replace(&[self.source.name], imports.known);
            // It only saves work: the next import does it again.
            let _ = cursor.keep(&path);
        }
        Ok(())
    }

    fn read(
        &self,
        grain: Grain,
        scope: &mut Scope,
        homes: &Homes,
        cursor: Option<&Cursor>,
    ) -> Result<Imports> {
        let redactor = redact::redactor(self.config);
        let import = Import {
            place: &self.target.place,
            waiting: &waiting_for(self.target)?,
            homes,
            making: Making {
                grain,
                task_type: None,
                prices: &Prices::load(&self.target.place)?,
                local: &local,
            },
            since: None,
            border: border::load(&self.target.place)?,
            is_refresh: false,
            now: world::now().instant(),
            system_now: SystemTime::now(),
            screen: &screen(self.config, &redactor),
            bound: Some(Bound {
                is_first: &|path| self.call.is_transcript(path),
                bytes_max: OTHERS_BYTES_MAX,
            }),
            progress: &|_| {},
        };
        import.run(&[self.source], scope, cursor)
    }
}
