//! Where the tools of this user keep their transcripts: what the environment says of it, as values.

use std::path::PathBuf;

/// The folders that decide where transcripts are.
#[derive(Clone, Debug, Default)]
pub struct Homes {
    /// The user's home.
    pub home: Option<PathBuf>,
    /// `XDG_CONFIG_HOME`, or `~/.config`.
    pub config: Option<PathBuf>,
    /// `XDG_DATA_HOME`, or `~/.local/share`.
    pub data: Option<PathBuf>,
    /// The folders in `CLAUDE_CONFIG_DIR`.
    pub claude: Vec<PathBuf>,
    /// The folders in `CODEX_HOME`.
    pub codex: Vec<PathBuf>,
    /// The folder in `OPENCODE_DATA_DIR`.
    pub opencode: Option<PathBuf>,
    /// Files and folders that the user named: where there are some, nothing else is looked at.
    pub named: Vec<PathBuf>,
}

impl Homes {
    /// A folder in the user's home.
    pub fn in_home(&self, name: &str) -> Option<PathBuf> {
        self.home.as_ref().map(|home| home.join(name))
    }
}
