//! What the doors read of the world around them: the clock, the environment, the folder they stand
//! in, and from these the ledger that is meant.

use std::env;
use std::path::{Path, PathBuf};

use usage_ledger::error::{Error, Result};
use usage_ledger::git::WorkTree;
use usage_ledger::intake::import::homes::Homes;
use usage_ledger::privacy::consent::{Consent, Environment};
use usage_ledger::privacy::record::{self, Record};
use usage_ledger::row::line_hash;
use usage_ledger::timestamp::Timestamp;
use usage_ledger::workspace::{Config, Place, find_root};

/// The variable that names the work of which all in it is a part: `run` sets it for its command.
#[allow(dead_code, reason = "the reader records nothing")]
pub(crate) const CORRELATION_ID: &str = "LOG_USAGE_CORRELATION_ID";

/// The variable that names the session which all in it belongs to.
#[allow(dead_code, reason = "the reader records nothing")]
pub(crate) const SESSION: &str = "LOG_USAGE_SESSION";

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
#[derive(Debug)]
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

    /// The git work tree around the ledger.
    #[allow(dead_code, reason = "the reader asks for it otherwise")]
    pub(crate) fn work_tree(&self) -> Option<WorkTree> {
        let folder = self.place.folder();
        // It begins above the ledger's own folder.
        let outside = match self.choice {
            Choice::Named => folder,
            _ => folder.parent().unwrap_or(folder),
        };
        WorkTree::around(outside)
    }

    /// What the user's choices know this ledger's repository by: the folder that all its work trees
    /// share, else the ledger's own folder.
    #[allow(dead_code, reason = "the reader records nothing")]
    pub(crate) fn repository(&self) -> String {
        let path = self.shared();
        name(&std::fs::canonicalize(&path).unwrap_or(path))
    }

    /// The same, first as we came to it, which is cheap to find out, and almost always enough.
    #[allow(dead_code, reason = "the reader records nothing")]
    pub(crate) fn names(&self) -> impl Iterator<Item = String> {
        let ways: [fn(&Target) -> String; 2] = [|it| name(&it.shared()), Target::repository];
        ways.into_iter().map(|way| way(self))
    }

    #[allow(dead_code, reason = "the reader records nothing")]
    fn shared(&self) -> PathBuf {
        let tree = self.work_tree().filter(|_| self.choice != Choice::Personal);
        tree.map_or_else(|| self.place.folder().to_owned(), |tree| tree.shared())
    }
}

/// A path as the record can hold it.
#[allow(dead_code, reason = "the reader records nothing")]
fn name(path: &Path) -> String {
    match path.to_str() {
        Some(text) => text.to_owned(),
        None => format!("sha256:{}", line_hash(path.as_os_str().as_encoded_bytes(), 32)),
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

/// Random bytes of the system's own source.
#[allow(dead_code, reason = "the reader makes nothing up")]
pub(crate) fn random<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0; N];
    let filled = getrandom::fill(&mut bytes).map_err(std::io::Error::from);
    filled.map_err(|error| Error::io("read random bytes of", "the system".as_ref(), &error))?;
    Ok(bytes)
}

/// Whether a CI job runs us: then nobody can be asked, and what is logged is no person's.
#[allow(dead_code, reason = "the reader asks nobody")]
pub(crate) fn is_ci() -> bool {
    let flags = ["CI", "GITHUB_ACTIONS", "GITLAB_CI", "BUILDKITE", "CIRCLECI", "TF_BUILD"];
    let names = ["JENKINS_URL", "TEAMCITY_VERSION"];
    flags.into_iter().chain(names).any(is_set)
}

/// What may be recorded in this ledger: the least of what the environment, the repository's settings
/// and the user's own record allow.
///
/// # Errors
/// A record that cannot be understood.
#[allow(dead_code, reason = "the reader records nothing")]
pub(crate) fn consent(target: &Target, config: &Config) -> Result<Consent> {
    let record = match consent_record() {
        // Nobody's record allows what the environment forbids.
        Some(path) if !environment().disabled => Record::load(&path)?,
        _ => Record::default(),
    };
    Ok(consent_by(target, config, &record))
}

/// The same by a record that was read already.
#[allow(dead_code, reason = "the reader records nothing")]
pub(crate) fn consent_by(target: &Target, config: &Config, record: &Record) -> Consent {
    let choice = record.applied(target.names());
    Consent::least(environment(), config.consent, choice)
}

/// What the environment allows.
#[allow(dead_code, reason = "the reader records nothing")]
pub(crate) fn environment() -> Environment {
    let [disabled, do_not_track] = ["LOG_USAGE_DISABLED", "DO_NOT_TRACK"].map(is_set);
    Environment { disabled, do_not_track }
}

/// Whether a switch in the environment is on: any value but empty, 0, false and no.
#[allow(dead_code, reason = "the reader has no switches")]
pub(crate) fn is_set(name: &str) -> bool {
    env::var_os(name).is_some_and(|value| {
        let value = value.to_string_lossy().to_ascii_lowercase();
        !matches!(value.as_str(), "" | "0" | "false" | "no")
    })
}

/// The user's record of what they allow; None where the user has no folder.
#[allow(dead_code, reason = "the reader records nothing")]
pub(crate) fn consent_record() -> Option<PathBuf> {
    Some(config_home()?.join(record::FILE))
}

/// The user's folder for our settings; None where there is none.
#[allow(dead_code, reason = "the reader has none")]
pub(crate) fn config_home() -> Option<PathBuf> {
    Some(home_of("XDG_CONFIG_HOME", ".config")?.join(OURS))
}

/// The user's folder for what we remember between two runs; None where there is none.
#[allow(dead_code, reason = "the reader remembers nothing")]
pub(crate) fn state_home() -> Option<PathBuf> {
    Some(home_of("XDG_STATE_HOME", ".local/state")?.join(OURS))
}

/// The user's folder for what can be found out again; None where there is none.
#[allow(dead_code, reason = "the writer keeps nothing there")]
pub(crate) fn cache_home() -> Option<PathBuf> {
    home_of("XDG_CACHE_HOME", ".cache")
}

/// Our own folder in each of the user's.
#[allow(dead_code, reason = "the reader has none")]
const OURS: &str = "usage-ledger";

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
        copilot_otel: non_empty("COPILOT_OTEL_FILE_EXPORTER_PATH"),
        home,
        named: named.iter().map(|path| std::path::absolute(path).unwrap_or(path.clone())).collect(),
    }
}

fn data_home() -> Result<PathBuf> {
    home_of("XDG_DATA_HOME", ".local/share").ok_or_else(|| Error::Usage {
        problem: "--personal: neither XDG_DATA_HOME nor HOME is set".to_owned(),
        fix: "name the ledger with --file".to_owned(),
    })
}

/// A folder of the user's: as the variable says, else that one in the user's home. As the standard
/// has it, a relative path says nothing.
fn home_of(variable: &str, in_home: &str) -> Option<PathBuf> {
    let home = || non_empty("HOME").map(|home| home.join(in_home));
    non_empty(variable).filter(|path| path.is_absolute()).or_else(home)
}

fn non_empty(name: &str) -> Option<PathBuf> {
    env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from)
}
