//! Which ledger a choice is about, what it says, and where it is kept.

use std::path::{Path, PathBuf};

use clap::Args;
use usage_ledger::error::{Error, Result};
use usage_ledger::ledger::lock::{self, Lock};
use usage_ledger::privacy::consent::{Choice, How, Level, TEXT_VERSION};
use usage_ledger::privacy::private;

use crate::user;
use crate::world::{self, Target};

/// Which ledger it is about.
#[derive(Args)]
pub(super) struct Which {
    /// Another ledger
    #[arg(long, value_name = "PATH", global = true)]
    file: Option<PathBuf>,
    /// Your own ledger, outside any repository
    #[arg(long, global = true)]
    personal: bool,
}

impl Which {
    /// It.
    pub(super) fn target(&self) -> Result<Target> {
        Target::find(self.file.as_deref(), self.personal)
    }
}

/// A choice of now that allows this much, and no switch.
pub(super) fn chosen(level: Level, how: How) -> Choice {
    let at = world::now().at_second();
    Choice { level, identity: false, export: false, text: TEXT_VERSION, at, how }
}

/// The lock of those who change the user's choices: of two who do at once, neither takes back what the
/// other chose.
pub(super) fn lock(path: &Path) -> Result<Lock> {
    let folder = path.parent().unwrap_or(Path::new("."));
    private::make_folder(folder).map_err(|error| Error::io("make", folder, &error))?;
    Lock::take(&folder.join(".consent.lock"), lock::WAIT)
}

/// Where the user's choices are kept.
pub(super) fn record_path() -> Result<PathBuf> {
    user::consent_record().ok_or_else(|| Error::Usage {
        problem: "neither XDG_CONFIG_HOME nor HOME is set: a choice has no place".to_owned(),
        fix: "set HOME".to_owned(),
    })
}
