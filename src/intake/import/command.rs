//! What an agent ran in a shell: whether it checked its work, and not a word of it.

use serde::Deserialize;

use crate::intake::import::lenient::{self, Take};

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

/// Words of commands that verify.
const CHECKING: [&str; 13] = [
    "test", "tests", "check", "clippy", "lint", "build", "pytest", "jest", "vitest", "tsc", "mypy",
    "ruff", "ctest",
];

/// Whether a command line tests, checks or builds.
pub(super) fn checks(command: &str) -> bool {
    let is_apart = |c: char| !(c.is_alphanumeric() || c == '_');
    let mut before = "";
    command.split(is_apart).any(|word| {
        let is_vet = before == "go" && word == "vet";
        before = word;
        is_vet || CHECKING.contains(&word)
    })
}
