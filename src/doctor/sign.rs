//! What is said of one thing that was looked at.

use crate::error::Error;

/// One thing that was looked at.
#[derive(Debug, PartialEq, Eq)]
pub struct Sign {
    /// What was found.
    pub what: String,
    /// What to type; None where all is well.
    pub fix: Option<String>,
}

impl Sign {
    /// That all is well with it.
    pub(super) fn well(what: impl Into<String>) -> Sign {
        Sign { what: what.into(), fix: None }
    }

    /// What is wrong with it, and what to type.
    pub(super) fn ill(what: impl Into<String>, fix: impl Into<String>) -> Sign {
        Sign { what: what.into(), fix: Some(fix.into()) }
    }

    /// What a command would refuse, as it says so itself.
    pub fn refused(error: &Error) -> Sign {
        let (what, fix) = told(error);
        Sign::ill(what, fix)
    }
}

/// What an error says is wrong, and what it says to do.
pub fn told(error: &Error) -> (String, String) {
    let text = error.to_string();
    let what = text.lines().next().unwrap_or_default().trim_start_matches("error: ");
    let fix = text.lines().find_map(|line| line.strip_prefix("  fix: "));
    (what.to_owned(), fix.unwrap_or("mend what the system says").to_owned())
}
