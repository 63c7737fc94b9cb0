//! What a view of a comparison is given.

use crate::report::Unseen;
use crate::report::compare::Comparison;
use crate::report::left_out::LeftOut;

/// Everything that is to be shown.
#[derive(Clone, Copy, Debug)]
pub struct Page<'a> {
    /// The figures.
    pub comparison: &'a Comparison,
    /// What was left out of them.
    pub left_out: &'a LeftOut,
    /// What was moved out of the ledger, of the days of one side or the other.
    pub unseen: &'a Unseen,
}
