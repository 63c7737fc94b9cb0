//! What the doors read of the world around them: the clock, the environment, the folder they stand
//! in, and from these the ledger that is meant.

use std::env;
use std::path::{Path, PathBuf};

use usage_ledger::error::{Error, Result};
use usage_ledger::intake::import::homes::Homes;
use usage_ledger::ledger::events::reading;
use usage_ledger::privacy::consent::Environment;
use usage_ledger::timestamp::Timestamp;
use usage_ledger::workspace::{FOLDER, Place, find_root};

/// Our own folder in each of the user's.
pub(crate) const OURS: &str = "usage-ledger";

/// How a ledger was chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Choice {
    /// It is that of the repository around the current folder.
    Repository,
    /// `--personal`.
    Personal,
    /// `--file` or `LOG_USAGE_FILE`.
    Named,
}

/// The ledger that a command is about.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    /// Its paths.
    pub(crate) place: Place,
    /// How it was chosen.
    pub(crate) choice: Choice,
}

impl Target {
    /// The ledger named by `--file`, else `--personal`, else by `LOG_USAGE_FILE`, else that of the
    /// repository around the current folder.
    pub(crate) fn find(file: Option<&Path>, personal: bool) -> Result<Target> {
        if let (Some(_), true) = (file, personal) {
            return Err(Error::Usage {
                problem: "--file does not go with --personal".to_owned(),
                fix: "name one ledger".to_owned(),
            });
        }
        if personal {
            let place = Place::personal(&data_home()?);
            return Ok(Target { place: place.resolved()?, choice: Choice::Personal });
        }
        let named = file.map(Path::to_owned).or_else(|| non_empty("LOG_USAGE_FILE"));
        if let Some(file) = named {
            // From here on nothing depends on the folder that we stand in.
            let absolute = std::path::absolute(&file).unwrap_or_else(|_| file.clone());
            let is_file = file != Path::new("-") && file.file_name().is_some();
            let place = Place::of_file(&absolute).filter(|_| is_file);
            let place = place.ok_or_else(|| Error::OptionValue {
                option: "--file".to_owned(),
                given: file.to_string_lossy().into_owned(),
                allowed: "the path of a ledger".to_owned(),
                example: "notes/usage.csv".to_owned(),
            })?;
            return Ok(Target { place: place.resolved()?, choice: Choice::Named });
        }
        Target::of_repository()
    }

    /// The ledger of the repository around the current folder.
    pub(crate) fn of_repository() -> Result<Target> {
        let place = Place::in_repository(&root()?);
        Ok(Target { place: place.resolved()?, choice: Choice::Repository })
    }

    /// Whose folder holds what is never committed, events and captures: this ledger's own, but no
    /// folder that somebody named by hand, where git may not ignore them. Then it is that of the
    /// repository around the current folder.
    pub(crate) fn of_events(&self) -> Result<Target> {
        match self.choice {
            Choice::Named if !self.place.folder().ends_with(FOLDER) => Target::of_repository(),
            _ => Ok(self.clone()),
        }
    }

    /// Where the events are that tell of this ledger: those that somebody put beside it, else where
    /// they are written.
    pub(crate) fn events(&self) -> Result<Place> {
        let beside = self.place.events();
        match reading::files(&beside)?.is_empty() {
            true => Ok(self.of_events()?.place.events()),
            false => Ok(beside),
        }
    }
}

/// The root of the repository around the current folder; else that folder.
pub(crate) fn root() -> Result<PathBuf> {
    let here = env::current_dir()
        .map_err(|error| Error::io("find", "the current folder".as_ref(), &error))?;
    find_root(&here)
}

/// The clock on the wall, with its offset.
pub(crate) fn now() -> Timestamp {
    chrono::Local::now().fixed_offset().into()
}

/// The user's folder for what we remember between two runs; None where there is none.
pub(crate) fn state_home() -> Option<PathBuf> {
    Some(home_of("XDG_STATE_HOME", ".local/state")?.join(OURS))
}

/// The user's folder for what can be found out again; None where there is none.
pub(crate) fn cache_home() -> Option<PathBuf> {
    home_of("XDG_CACHE_HOME", ".cache")
}

fn data_home() -> Result<PathBuf> {
    home_of("XDG_DATA_HOME", ".local/share").ok_or_else(|| Error::Usage {
        problem: "--personal: neither XDG_DATA_HOME nor HOME is set".to_owned(),
        fix: "name the ledger with --file".to_owned(),
    })
}

/// A folder of the user's: as the variable says, else that one in the user's home. As the standard
/// has it, a relative path says nothing.
pub(crate) fn home_of(variable: &str, in_home: &str) -> Option<PathBuf> {
    let home = || non_empty("HOME").map(|home| home.join(in_home));
    non_empty(variable).filter(|path| path.is_absolute()).or_else(home)
}

/// A path in the environment.
pub(crate) fn non_empty(name: &str) -> Option<PathBuf> {
    env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from)
}

/// What the environment allows.
pub(crate) fn environment() -> Environment {
    let [disabled, do_not_track] = ["LOG_USAGE_DISABLED", "DO_NOT_TRACK"].map(is_set);
    Environment { disabled, do_not_track }
}

/// Whether a switch in the environment is on: any value but empty, 0, false and no.
pub(crate) fn is_set(name: &str) -> bool {
    env::var_os(name).is_some_and(|value| {
        let value = value.to_string_lossy().to_ascii_lowercase();
        !matches!(value.as_str(), "" | "0" | "false" | "no")
    })
}

/// What the environment says of where transcripts are.
pub(crate) fn homes(named: &[PathBuf]) -> Homes {
    // Several folders stand behind each other with commas.
    let list = |name: &str| {
        let text = env::var(name).unwrap_or_default();
        let folders = text.split(',').map(str::trim).filter(|folder| !folder.is_empty());
        folders.map(PathBuf::from).collect()
    };
    let home = non_empty("HOME").or_else(|| non_empty("USERPROFILE"));
    let below = |name: &str, usual: &str| {
        let home = home.as_ref().map(|home| home.join(usual));
        non_empty(name).filter(|path| path.is_absolute()).or(home)
    };
    Homes {
        config: below("XDG_CONFIG_HOME", ".config"),
        data: below("XDG_DATA_HOME", ".local/share"),
        claude: list("CLAUDE_CONFIG_DIR"),
        codex: list("CODEX_HOME"),
        opencode: non_empty("OPENCODE_DATA_DIR"),
        home,
        named: named.iter().map(|path| std::path::absolute(path).unwrap_or(path.clone())).collect(),
    }
}

/// The folder of a coding agent's own settings.
pub(crate) fn agent_home(agent: &str) -> Option<PathBuf> {
    let homes = homes(&[]);
    let (named, usual) = match agent {
        "claude-code" => (homes.claude.first(), ".claude"),
        "codex" => (homes.codex.first(), ".codex"),
        _ => (None, ".gemini"),
    };
    let named = named.map(|it| match it.ends_with("projects") {
        true => it.parent().unwrap_or(it).to_owned(),
        false => it.clone(),
    });
    named.or_else(|| homes.in_home(usual))
}
