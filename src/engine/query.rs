//! What is asked of a ledger's rows.

use crate::report::dimension::Dimension;
use crate::report::selection::Selection;

/// What is to be summed.
#[derive(Clone, Debug, Default)]
pub struct Query {
    /// Which rows.
    pub selection: Selection,
    /// By what, besides models and task types.
    pub by: Vec<Dimension>,
    /// Whether rows that repeat another are counted too.
    pub keep_duplicates: bool,
}
