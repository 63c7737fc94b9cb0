//! `log-usage hooks … --agent`: our entry in the settings of coding agents.

use std::env;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use usage_ledger::error::{Error, Result, shown};
use usage_ledger::hooks::agents::change::Change;
use usage_ledger::hooks::agents::{AGENTS, Agent, Level, Wanted, agent};
use usage_ledger::hooks::plan;
use usage_ledger::hooks::status::Finding;
use usage_ledger::privacy::consent;
use usage_ledger::workspace::Config;

use crate::user;
use crate::voice;
use crate::world::{self, Target};

/// How we are called where we are on the PATH.
const NAME: &str = "log-usage";

/// Which agents' settings are meant.
#[derive(Args)]
pub(crate) struct AgentOptions {
    /// In the settings of this agent instead; may be repeated
    #[arg(long = "agent", value_name = "AGENT", value_parser = agents())]
    pub(crate) agents: Vec<&'static Agent>,
    /// In your own settings of the agent, for every project
    #[arg(long, requires = "agents")]
    pub(crate) user: bool,
}

fn agents() -> impl TypedValueParser<Value = &'static Agent> {
    PossibleValuesParser::new(AGENTS.iter().map(|agent| agent.name))
        .try_map(|name| agent(&name).ok_or_else(|| "an agent".to_owned()))
}

/// Settings of an agent.
struct Settings {
    agent: &'static Agent,
    level: Level,
    /// Where they are; a link is followed.
    path: PathBuf,
    /// The same as people write it.
    name: String,
}

impl Settings {
    fn of(agent: &'static Agent, level: Level, root: &Path) -> Option<Settings> {
        let (path, name) = match level {
            Level::Project => (root.join(agent.project), agent.project.to_owned()),
            Level::User => {
                let path = world::agent_home(agent.name)?.join(agent.user);
                (path.clone(), shown(&path))
            }
        };
        // Whoever keeps settings elsewhere has a link here, which is to stay one.
        let path = fs::canonicalize(&path).unwrap_or(path);
        Some(Settings { agent, level, path, name })
    }

    fn read(&self) -> Result<String> {
        match fs::read(&self.path) {
            Ok(bytes) => String::from_utf8(bytes).map_err(|error| Error::Hooks {
                problem: format!("{}: is no text in UTF-8", self.name),
                fix: format!("mend the file, then try again ({})", error.utf8_error()),
            }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
            Err(error) => Err(Error::io("read", &self.path, &error)),
        }
    }

    /// Makes the change; whether there was one.
    fn change(&self, change: &Change) -> Result<bool> {
        match change {
            Change::None => return Ok(false),
            Change::Write(text) => plan::write(&self.path, text.as_bytes(), plan::Mode::Kept)
                .map_err(|error| Error::io("write", &self.path, &error))?,
            Change::Remove => {
                fs::remove_file(&self.path)
                    .map_err(|error| Error::io("delete", &self.path, &error))?;
                // A folder that was made for it goes with it.
                let _ = self.path.parent().map(fs::remove_dir);
            }
        }
        Ok(true)
    }
}

/// What starts us: our name where it is found, else our path.
fn program() -> Result<String> {
    if is_on_path() {
        return Ok(NAME.to_owned());
    }
    let path =
        env::current_exe().map_err(|error| Error::io("find", "this program".as_ref(), &error))?;
    Ok(path.to_string_lossy().into_owned())
}

fn is_on_path() -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    let name = format!("log-usage{}", env::consts::EXE_SUFFIX);
    env::split_paths(&path).any(|folder| plan::is_executable(&folder.join(&name)))
}

pub(crate) fn install(options: &AgentOptions, root: &Path) -> Result<ExitCode> {
    let program = program()?;
    let level = options.level();
    let has_events = allows_events()?;
    let told = options.each(root, |settings, text| {
        let wanted = Wanted { level, program: &program, has_events };
        settings.agent.install(text, &wanted).map_err(|it| it.into_error(&settings.name))
    })?;
    let lines = told.iter().map(|settings| {
        let shared = match level {
            Level::Project if program == NAME => " (commit it to share it)",
            Level::Project => {
                ", whose path is this machine's: to share it, put log-usage on the PATH, uninstall \
                 and install"
            }
            Level::User => "",
        };
        format!("{:<12} calls log-usage by {}{shared}\n", settings.agent.name, settings.name)
    });
    let mut text: String = lines.collect();
    if told.iter().any(|it| it.agent.name == "codex" && level == Level::Project) {
        text += "codex asks once whether you trust the hook\n";
    }
    if !text.is_empty() {
        let user = if options.user { " --user" } else { "" };
        let names = told.iter().map(|it| format!(" --agent {}", it.agent.name));
        text +=
            &format!("undo         log-usage hooks uninstall{}{user}\n", names.collect::<String>());
    }
    let done = say(text, "everything is installed already");
    for agent in &options.agents {
        if let Some(twice) = Twice::of(agent, root).filter(|_| has_events) {
            voice::say(&format!("{}\n  fix: {}", twice.what(), twice.fix()));
        }
    }
    Ok(done)
}

pub(crate) fn uninstall(options: &AgentOptions, root: &Path) -> Result<ExitCode> {
    let told = options.each(root, |settings, text| {
        let done = settings.agent.uninstall(text, settings.level);
        done.map_err(|it| it.into_error(&settings.name))
    })?;
    let lines = told.iter().map(|settings| {
        format!(
            "{:<12} does not call log-usage by {} any more\n",
            settings.agent.name, settings.name
        )
    });
    Ok(say(lines.collect(), "nothing is installed there"))
}

fn say(text: String, nothing: &str) -> ExitCode {
    let text = if text.is_empty() { format!("{nothing}; nothing was changed\n") } else { text };
    voice::print(text.as_bytes())
}

/// Whether anything is to be recorded besides rows.
fn allows_events() -> Result<bool> {
    let target = Target::of_repository()?;
    let config = Config::load(&target.place)?;
    Ok(user::consent(&target, &config)?.allows(consent::Level::Events))
}

impl AgentOptions {
    fn level(&self) -> Level {
        if self.user { Level::User } else { Level::Project }
    }

    /// Changes the settings of all agents that are named, or none; gives those that changed.
    fn each(
        &self,
        root: &Path,
        change: impl Fn(&Settings, &str) -> Result<Change>,
    ) -> Result<Vec<Settings>> {
        let mut changes: Vec<(Settings, Change)> = Vec::new();
        for agent in &self.agents {
            let settings = Settings::of(agent, self.level(), root);
            let settings = settings.ok_or_else(|| Error::Usage {
                problem: "--user: HOME is not set, so your settings have no place".to_owned(),
                fix: "leave out --user for the project's settings".to_owned(),
            })?;
            if changes.iter().any(|(it, _)| it.path == settings.path) {
                continue;
            }
            let change = change(&settings, &settings.read()?)?;
            changes.push((settings, change));
        }
        let mut changed = Vec::new();
        for (settings, change) in changes {
            if settings.change(&change)? {
                changed.push(settings);
            }
        }
        Ok(changed)
    }
}

/// Whether the project's settings of this agent call us.
pub(crate) fn is_wanted(agent: &'static Agent, root: &Path) -> bool {
    calls(agent, Level::Project, root) == Some(true)
}

/// Whether neither the project's settings nor the user's call us; broken ones may.
pub(crate) fn is_free(agent: &'static Agent, root: &Path) -> bool {
    [Level::Project, Level::User].into_iter().all(|level| calls(agent, level, root) == Some(false))
}

/// Whether settings of this agent call us; None where nobody can tell.
fn calls(agent: &'static Agent, level: Level, root: &Path) -> Option<bool> {
    let settings = Settings::of(agent, level, root)?;
    let calls = agent.called(&settings.read().ok()?, level).ok()?;
    Some(!calls.is_empty())
}

/// Settings of the project and of the user that both call us: rows are told apart, events are not.
struct Twice([Settings; 2]);

impl Twice {
    fn of(agent: &'static Agent, root: &Path) -> Option<Twice> {
        let both = [Level::Project, Level::User];
        let [Some(project), Some(user)] = both.map(|level| {
            let calls = calls(agent, level, root) == Some(true);
            Settings::of(agent, level, root).filter(|_| calls)
        }) else {
            return None;
        };
        (project.path != user.path).then_some(Twice([project, user]))
    }

    fn what(&self) -> String {
        let Twice([project, user]) = self;
        let agent = project.agent.name;
        let (project, user) = (&project.name, &user.name);
        format!(
            "{agent} calls log-usage by {project} and by {user}: what both tell of is recorded twice"
        )
    }

    fn fix(&self) -> String {
        let agent = self.0[0].agent.name;
        format!("log-usage hooks uninstall --agent {agent}, or the same with --user")
    }
}

/// What is in effect of all this: one finding for each settings that call us, or that are broken.
pub(crate) fn findings(root: &Path) -> Vec<Finding> {
    let mut findings = Vec::new();
    let has_events = allows_events().unwrap_or(false);
    for agent in &AGENTS {
        for level in [Level::Project, Level::User] {
            let Some(it) = Settings::of(agent, level, root) else { continue };
            let user = if level == Level::User { " --user" } else { "" };
            let install = format!("log-usage hooks install --agent {}{user}", agent.name);
            let read = it.read();
            let wanted = Wanted { level, program: NAME, has_events };
            let lacks_events = |text: &String| {
                has_events && agent.install(text, &wanted).is_ok_and(|it| it != Change::None)
            };
            let lacks_events = read.as_ref().is_ok_and(lacks_events);
            let called = read.and_then(|text| {
                agent.called(&text, level).map_err(|trouble| trouble.into_error(&it.name))
            });
            let (what, fix) = match called {
                Ok(calls) if calls.is_empty() => continue,
                Ok(calls) => {
                    let mut events: Vec<&str> = calls.iter().map(|(it, _)| &**it).collect();
                    events.dedup();
                    let more = match lacks_events {
                        true => format!("; you allow events: {install} records those, too"),
                        false => String::new(),
                    };
                    let what = format!(
                        "{} calls log-usage by {} ({}){more}",
                        agent.name,
                        it.name,
                        events.join(", ")
                    );
                    let is_found = |(_, command): &(String, String)| {
                        command.contains(['/', '\\'])
                            && !command.starts_with("command -v log-usage ")
                            || is_on_path()
                    };
                    match calls.iter().all(is_found) {
                        true => (what, None),
                        false => (
                            format!("{what}, which is not found"),
                            Some("put log-usage on the PATH".to_owned()),
                        ),
                    }
                }
                Err(Error::Hooks { problem, .. }) => {
                    (problem, Some(format!("mend the file, then {install}")))
                }
                Err(error) => {
                    let text = error.to_string();
                    let what = text.lines().next().unwrap_or_default();
                    let fix = format!("make it a file that you can read, then {install}");
                    (what.trim_start_matches("error: ").to_owned(), Some(fix))
                }
            };
            findings.push(Finding { what, fix });
        }
        let twice = Twice::of(agent, root).filter(|_| has_events);
        findings.extend(twice.map(|it| Finding { what: it.what(), fix: Some(it.fix()) }));
    }
    findings
}
