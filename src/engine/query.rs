//! What is asked of a ledger's rows.

use std::sync::Arc;

use crate::report::cells::Wanted;
use crate::report::dimension::Dimension;
use crate::report::origins::Origins;
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
    /// Groups, or cells, or both.
    pub wanted: Wanted,
    /// Of which moments rows are summed up besides.
    pub limited: Option<Selection>,
    /// Whether all rows are priced at the newest prices, whatever they say themselves.
    pub is_repriced: bool,
    /// What git knows of rows, where they are grouped by that.
    pub origins: Option<Arc<Origins>>,
    /// Whether rows from before the border of their ledger are counted too: what is kept of a sealed
    /// segment must be right for any border.
    pub keeps_pruned: bool,
    /// Whether it is looked for who was active, and at which times; `selection` takes all rows then.
    pub seen: Option<Selection>,
}

impl Query {
    /// Whether it is the question of a report without options.
    pub fn is_default(&self) -> bool {
        let Selection { since, until, models, task_types } = &self.selection;
        let is_everything =
            since.is_none() && until.is_none() && models.is_empty() && task_types.is_empty();
        let is_usual = |it: &Dimension| matches!(it, Dimension::Model | Dimension::TaskType);
        is_everything
            && self.by.iter().all(is_usual)
            && !self.keep_duplicates
            && self.wanted == Wanted::Groups
            && !self.is_repriced
            && !self.keeps_pruned
            && self.limited.is_none()
            && self.seen.is_none()
    }
}
