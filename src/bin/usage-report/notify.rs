//! Hands alerts to a command of the user's, each once until its cooldown is over.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

#[cfg(unix)]
use rustix::process::{Pid, Signal, kill_process_group};
use usage_ledger::alert::act::id_of;
use usage_ledger::error::{Error, Result, excerpt};
use usage_ledger::ledger::lock::{self, Lock};
use usage_ledger::privacy::private;
use usage_ledger::render::alert::json;
use usage_ledger::report::alert::finding::Finding;
use usage_ledger::row::line_hash;

use crate::voice;
use crate::world;

/// The folder of what was told, in the user's folder of state.
const FOLDER: &str = "alerts";

/// What is older than that is forgotten, in seconds: no cooldown is as long as a year.
const FORGOTTEN_S: i64 = 366 * 86_400;

/// A command that takes longer hangs, and the next alert waits for it.
const TIME: Duration = Duration::from_secs(60);

/// So long at most it is over before that is seen.
const NAP_MAX: Duration = Duration::from_millis(50);

/// When somebody was last told of each alert, in seconds since 1970.
struct Told {
    path: PathBuf,
    at: BTreeMap<String, i64>,
}

impl Told {
    /// A line that cannot be understood says nothing.
    fn load(path: PathBuf) -> Result<Told> {
        let bytes = private::read(&path).map_err(|error| Error::io("read", &path, &error))?;
        let text = String::from_utf8(bytes.unwrap_or_default()).unwrap_or_default();
        let line = |line: &str| {
            let (key, at) = line.split_once(' ')?;
            Some((key.to_owned(), at.parse().ok()?))
        };
        Ok(Told { path, at: text.lines().filter_map(line).collect() })
    }

    fn save(&self) -> Result<()> {
        let lines: String = self.at.iter().map(|(key, at)| format!("{key} {at}\n")).collect();
        let written = private::write(&self.path, lines.as_bytes());
        written.map_err(|error| Error::io("write", &self.path, &error))
    }
}

/// Whom to tell; nobody else than this command is told by what it was told.
pub(crate) struct Notify<'a> {
    command: &'a str,
}

impl<'a> Notify<'a> {
    /// The command that was typed.
    ///
    /// # Errors
    /// There is nothing in it: nobody would be told, and that would be remembered.
    pub(crate) fn of(command: &'a str) -> Result<Notify<'a>> {
        match command.trim().is_empty() {
            false => Ok(Notify { command }),
            true => Err(Error::Usage {
                problem: "--notify: the command is empty".to_owned(),
                fix: "usage-report check --notify 'jq -r .text'".to_owned(),
            }),
        }
    }

    /// Tells of what fires; whether every command that was run succeeded. `ledger` is whose alerts they
    /// are.
    ///
    /// # Errors
    /// What was told cannot be remembered: then nobody is told, or they would be told again and again.
    pub(crate) fn tell(&self, ledger: &Path, firing: &[Finding]) -> Result<bool> {
        let folder = world::state_home().ok_or_else(|| Error::Usage {
            problem:
                "--notify: neither XDG_STATE_HOME nor HOME is set, so what was told has no place"
                    .to_owned(),
            fix: "HOME=/var/lib/usage usage-report check --notify CMD".to_owned(),
        })?;
        let folder = folder.join(FOLDER);
        private::make_folder(&folder)
            .map_err(|error| Error::io("make the folder", &folder, &error))?;
        let ledger = ledger.as_os_str().as_encoded_bytes();
        let name = line_hash(&[ledger, b"\0", self.command.as_bytes()].concat(), 6);
        // Two that look at once would tell twice.
        let lock = match Lock::take(&folder.join(format!("{name}.lock")), lock::WAIT) {
            Err(Error::Locked { .. }) => {
                let command = excerpt(self.command);
                voice::say(&format!("warning: --notify: another check is telling now ({command})"));
                return Ok(false);
            }
            lock => lock?,
        };
        let mut told = Told::load(folder.join(&name))?;
        let now = world::now().instant().seconds;
        told.at.retain(|_, at| now.saturating_sub(*at) < FORGOTTEN_S);
        let mut is_well = true;
        for it in firing {
            let key = key(it);
            let cooldown = i64::try_from(it.cooldown.as_secs()).unwrap_or(i64::MAX);
            // A clock that was put back must not silence an alert for ever.
            let is_told = told.at.get(&key).is_some_and(|at| (0..cooldown).contains(&(now - at)));
            if is_told {
                continue;
            }
            match hand_over(self.command, json::alert(it), TIME) {
                Ok(()) => {
                    told.at.insert(key, now);
                    // What was told is remembered, whatever becomes of the next.
                    told.save()?;
                }
                Err(why) => {
                    is_well = false;
                    let name = it.id.as_deref().unwrap_or(&it.name);
                    voice::say(&format!(
                        "warning: --notify: {why}; {} will be told again ({})",
                        excerpt(name),
                        excerpt(self.command)
                    ));
                }
            }
        }
        drop(lock);
        Ok(is_well)
    }
}

/// What tells alerts apart: an alert that comes and goes is one until the cooldown is over.
fn key(it: &Finding) -> String {
    id_of(&[it.kind.name(), &it.name, it.store.name(), it.series.as_deref().unwrap_or_default()])
}

/// Runs the command for at most that long, whatever it prints going to standard error.
fn hand_over(command: &str, alert: String, time: Duration) -> std::result::Result<(), String> {
    let run = || -> io::Result<Option<ExitStatus>> {
        let mut shell = Command::new("sh");
        // In a group of its own, so that what it started ends with it.
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut shell, 0);
        let mut child = shell
            .args(["-c", command])
            .stdin(Stdio::piped())
            .stdout(Stdio::from(io::stderr()))
            .spawn()?;
        // It need not read all, or anything; then it is not waited for here.
        if let Some(mut stdin) = child.stdin.take() {
            thread::spawn(move || drop(stdin.write_all(alert.as_bytes())));
        }
        let end = Instant::now() + time;
        let mut nap = Duration::from_millis(1);
        loop {
            if let Some(status) = child.try_wait()? {
                return Ok(Some(status));
            }
            if Instant::now() >= end {
                #[cfg(unix)]
                kill_process_group(Pid::from_child(&child), Signal::KILL)?;
                #[cfg(not(unix))]
                child.kill()?;
                child.wait()?;
                return Ok(None);
            }
            thread::sleep(nap);
            nap = (nap * 2).min(NAP_MAX);
        }
    };
    match run() {
        Ok(Some(status)) if status.success() => Ok(()),
        Ok(Some(status)) => Err(match status.code() {
            Some(code) => format!("the command ended with {code}"),
            None => "the command was killed".to_owned(),
        }),
        Ok(None) => Err(format!("the command was ended after {} s", time.as_secs())),
        Err(error) => Err(format!("the command cannot be run ({error})")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_that_hangs_is_ended() {
        let told = |command, time| hand_over(command, "{}\n".to_owned(), time);
        assert_eq!(told("grep -q {}", TIME), Ok(()));
        let hung = told("sleep 1000; true", Duration::ZERO);
        assert_eq!(hung, Err("the command was ended after 0 s".to_owned()));
    }
}
