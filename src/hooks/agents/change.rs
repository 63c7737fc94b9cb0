//! What becomes of an agent's settings, or why they stay as they are.

use crate::error::Error;
use crate::hooks::agents::json::Broken;

/// Why settings stay as they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// The line, where it is known.
    pub line: Option<usize>,
    /// What is wrong.
    pub problem: String,
    /// What to do.
    pub fix: &'static str,
}

/// What to do about a file that cannot be read.
pub const MEND: &str = "mend the file, then try again";

impl From<Broken> for Trouble {
    fn from(it: Broken) -> Trouble {
        Trouble { line: Some(it.line), problem: it.problem.to_owned(), fix: MEND }
    }
}

impl Trouble {
    /// The error for the file of this name.
    pub fn into_error(self, file: &str) -> Error {
        let line = self.line.map(|line| format!(":{line}")).unwrap_or_default();
        let problem = format!("{file}{line}: {}", self.problem);
        Error::Hooks { problem, fix: self.fix.to_owned() }
    }
}

/// What becomes of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// It stays as it is.
    None,
    /// This is to stand in it.
    Write(String),
    /// Nothing but ours was in it.
    Remove,
}
