//! What a view of a check is given.

use crate::report::Unseen;
use crate::report::alert::Check;
use crate::report::left_out::LeftOut;

/// Everything that is to be shown.
#[derive(Clone, Copy, Debug)]
pub struct Page<'a> {
    /// What was found.
    pub check: &'a Check,
    /// What was left out of the rows.
    pub rows: &'a LeftOut,
    /// What is in an archive outside the ledger.
    pub unseen: &'a Unseen,
    /// What of the settings was not looked at, in words.
    pub unlooked: Option<&'a str>,
}
