//! What a view of activity is given.

use crate::report::activity::Activity;
use crate::report::left_out::LeftOut;

/// Everything that is to be shown.
#[derive(Clone, Copy, Debug)]
pub struct Page<'a> {
    /// The figures.
    pub activity: &'a Activity,
    /// What was left out of the rows.
    pub rows: &'a LeftOut,
    /// What was left out of the events.
    pub events: &'a LeftOut,
    /// The options that select, as typed.
    pub selection: &'a [String],
}
