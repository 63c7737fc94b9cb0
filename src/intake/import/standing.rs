//! Which rows are new, which stand in the ledger, and which get a revision there.

use hashbrown::{HashMap, HashSet};

use crate::error::Result;
use crate::intake::import::cost::UNKNOWN_MODEL;
use crate::intake::import::planned::Planned;
use crate::intake::import::tally::{Imports, Tally};
use crate::intake::import::wanted::Import;
use crate::ledger::compose::Entry;
use crate::ledger::lookup::{self, Imported, Standing};
use crate::redact::withheld::Withheld;
use crate::row::Refused;

impl Import<'_> {
    /// Which rows are new, and which stand in the ledger.
    pub(super) fn sort_out(
        &self,
        rows: Vec<Planned>,
        imported: &Imported,
        imports: &mut Imports,
        tally: &mut Tally,
        revisions: &mut Vec<(Planned, usize)>,
    ) {
        let mut planned = HashSet::new();
        for row in rows {
            if self.border.is_some_and(|border| row.at.day() < border) {
                tally.pruned += 1;
                continue;
            }
            if !self.wants(row.at) {
                tally.too_old += 1;
                continue;
            }
            match imported.by_identity(row.identity) {
                Some(known) if row.usage.total() > known.tokens && self.is_refresh => {
                    revisions.push((row, imports.tallies.len()));
                }
                Some(known) => {
                    tally.there += 1;
                    tally.grown += u64::from(row.usage.total() > known.tokens);
                }
                None if !planned.insert(row.identity) => tally.there += 1,
                None => match self.entry(&row, None, &mut imports.withheld) {
                    Ok(entry) => {
                        tally.new += 1;
                        tally.cost = tally.cost.saturating_add(row.cost.unwrap_or(0));
                        if row.cost.is_none() && row.usage.total() > 0 {
                            // A name that may not be stored may not be said either.
                            let model = entry.row.model.to_string();
                            *imports.unpriced.entry(model).or_default() += row.usage.total();
                        }
                        imports.entries.push(entry);
                    }
                    Err(refused) => tally.refused.push(refused.to_string()),
                },
            }
        }
    }

    /// The row, checked; a model whose name may not be stored is an unknown one.
    fn entry(
        &self,
        row: &Planned,
        revision: Option<(u64, &str)>,
        withheld: &mut Withheld,
    ) -> Result<Entry<'static>, Refused> {
        match row.entry(revision, self.screen, withheld) {
            Err(refused) if refused.field == "model" => {
                let mut row = row.clone();
                row.model = UNKNOWN_MODEL.into();
                row.entry(revision, self.screen, withheld)
            }
            entry => entry,
        }
    }

    /// Rows of turns that grew, each as a revision of the row that stands there.
    pub(super) fn revise(
        &self,
        revisions: Vec<(Planned, usize)>,
        imported: &Imported,
        imports: &mut Imports,
    ) -> Result<()> {
        if revisions.is_empty() {
            return Ok(());
        }
        let wanted: HashSet<u64> = revisions.iter().map(|(row, _)| row.identity).collect();
        let standing: HashMap<u64, Standing> =
            lookup::by_identity(self.place, self.waiting, &wanted)?;
        for (mut row, source) in revisions {
            let Some(old) = standing.get(&row.identity) else { continue };
            let known = imported.by_identity(row.identity).unwrap_or_default();
            // It must be the same row: at the same moment, of the same model.
            row.at = old.row.at;
            row.model = old.row.model.as_ref().into();
            // What a person corrected stays so.
            if known.rev > 0 {
                (row.success, row.task_type) = (old.row.success, old.row.task_type);
            }
            let text = crate::notes::text(&old.row.notes);
            let entry = self.entry(&row, Some((known.rev + 1, text)), &mut imports.withheld);
            let tally = &mut imports.tallies[source];
            match entry {
                Ok(entry) => {
                    tally.revised += 1;
                    imports.entries.push(entry);
                }
                Err(refused) => tally.refused.push(refused.to_string()),
            }
        }
        Ok(())
    }
}
