//! What an agent ran in a shell: whether it checked its work, and not a word of it.

use serde::Deserialize;

use crate::intake::import::lenient::{self, Take};
use crate::intake::import::turn::checks;

/// The arguments of a call that runs a command.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Arguments {
    /// The command.
    #[serde(deserialize_with = "lenient::take")]
    pub(super) command: Checks,
}

/// Whether a command runs tests, a linter or a build.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Checks(pub(super) bool);

impl Take<'_> for Checks {
    fn text(text: &str) -> Checks {
        Checks(checks(text))
    }
}
