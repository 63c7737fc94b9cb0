//! What the writer reads of its user: what they allow, where their own files are, and which work and
//! session this is a part of.

use std::path::{Path, PathBuf};

use usage_ledger::error::{Error, Result};
use usage_ledger::git::WorkTree;
use usage_ledger::privacy::consent::Consent;
use usage_ledger::privacy::record::{self, Record};
use usage_ledger::row::line_hash;
use usage_ledger::workspace::Config;

use crate::world::{Choice, OURS, Target, environment, home_of, is_set};

/// The variable that names the work of which all in it is a part: `run` sets it for its command.
pub(crate) const CORRELATION_ID: &str = "LOG_USAGE_CORRELATION_ID";

/// The variable that names the session which all in it belongs to.
pub(crate) const SESSION: &str = "LOG_USAGE_SESSION";

impl Target {
    /// The git work tree around the ledger.
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
    pub(crate) fn repository(&self) -> String {
        let path = self.shared();
        name(&std::fs::canonicalize(&path).unwrap_or(path))
    }

    /// The same, first as we came to it, which is cheap to find out, and almost always enough.
    pub(crate) fn names(&self) -> impl Iterator<Item = String> {
        let ways: [fn(&Target) -> String; 2] = [|it| name(&it.shared()), Target::repository];
        ways.into_iter().map(|way| way(self))
    }

    fn shared(&self) -> PathBuf {
        let tree = self.work_tree().filter(|_| self.choice != Choice::Personal);
        tree.map_or_else(|| self.place.folder().to_owned(), |tree| tree.shared())
    }
}

/// A path as the record can hold it.
fn name(path: &Path) -> String {
    match path.to_str() {
        Some(text) => text.to_owned(),
        None => format!("sha256:{}", line_hash(path.as_os_str().as_encoded_bytes(), 32)),
    }
}

/// Random bytes of the system's own source.
pub(crate) fn random<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0; N];
    let filled = getrandom::fill(&mut bytes).map_err(std::io::Error::from);
    filled.map_err(|error| Error::io("read random bytes of", "the system".as_ref(), &error))?;
    Ok(bytes)
}

/// Whether a CI job runs us: then nobody can be asked, and what is logged is no person's.
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
pub(crate) fn consent(target: &Target, config: &Config) -> Result<Consent> {
    let record = match consent_record() {
        // Nobody's record allows what the environment forbids.
        Some(path) if !environment().disabled => Record::load(&path)?,
        _ => Record::default(),
    };
    Ok(consent_by(target, config, &record))
}

/// The same by a record that was read already.
pub(crate) fn consent_by(target: &Target, config: &Config, record: &Record) -> Consent {
    let choice = record.applied(target.names());
    Consent::least(environment(), config.consent, choice)
}

/// The user's record of what they allow; None where the user has no folder.
pub(crate) fn consent_record() -> Option<PathBuf> {
    Some(config_home()?.join(record::FILE))
}

/// The user's folder for our settings; None where there is none.
pub(crate) fn config_home() -> Option<PathBuf> {
    Some(home_of("XDG_CONFIG_HOME", ".config")?.join(OURS))
}
