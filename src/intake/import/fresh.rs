//! Which transcripts are to be read: what is known already is left out, and where somebody waits what is
//! too much.

use hashbrown::HashSet;

use crate::intake::import::cursor::{Cursor, Known, Part};
use crate::intake::import::rows::Grain;
use crate::intake::import::source::Source;
use crate::intake::import::tally::{Imports, Tally};
use crate::intake::import::walk::Group;
use crate::intake::import::wanted::Import;
use crate::ledger::lookup::Imported;

/// What is to be read, and what is known of it and of all else.
#[derive(Default)]
pub(super) struct Fresh {
    pub(super) groups: Vec<Group>,
    /// By the number of the group.
    pub(super) known: Vec<Known>,
    /// Responses that are counted already.
    pub(super) seen: HashSet<u64>,
}

impl Fresh {
    /// Counts what need not be read again.
    fn skip(&mut self, part: &Part, tally: &mut Tally) {
        self.seen.extend(part.responses.iter().copied());
        tally.count(part);
    }
}

impl Import<'_> {
    /// What is to be read of a source's files: those that changed, of those that grew what is new,
    /// and of both what nobody waits too long for.
    pub(super) fn fresh(
        &self,
        source: &Source,
        cursor: Option<&Cursor>,
        imported: &Imported,
        imports: &mut Imports,
        tally: &mut Tally,
    ) -> Fresh {
        let are_there =
            |part: &Part| part.rows.iter().all(|row| imported.by_identity(*row).is_some());
        let mut fresh = Fresh::default();
        let mut changed: Vec<(Group, Known, Option<&Known>)> = Vec::new();
        for mut group in (source.find)(self.homes) {
            if let Some(bound) = &self.bound {
                tally.has_first |= bound.holds_first(&group);
            }
            let old = cursor.and_then(|cursor| cursor.find(source.name, &group));
            let old = old.filter(|old| are_there(&old.settled));
            if let Some(old) = old.filter(|old| old.is_of(&group) && are_there(&old.last)) {
                fresh.skip(&old.settled, tally);
                fresh.skip(&old.last, tally);
                tally.unchanged += group.files.len() as u64;
                imports.known.push((source.name, old.clone()));
                continue;
            }
            let mut now = Known::of(&group, self.system_now);
            // The row of a session is of all its turns.
            if let Some(old) = old.filter(|_| self.making.grain != Grain::Session)
                && let Some(go_on) = source.go_on
                && let Some(mark) = old.mark_in(&group)
                && let Some(rest) = go_on(&group, mark, &|file| old.has_same(file))
            {
                now.settled = old.settled.clone();
                group = rest;
            }
            changed.push((group, now, old));
        }
        let chosen = match &self.bound {
            Some(bound) => bound.choose(changed.iter().map(|(group, ..)| group)),
            None => vec![true; changed.len()],
        };
        for ((group, now, old), is_chosen) in changed.into_iter().zip(chosen) {
            if is_chosen {
                fresh.seen.extend(now.settled.responses.iter().copied());
                fresh.groups.push(Group { number: fresh.groups.len(), ..group });
                fresh.known.push(now);
                continue;
            }
            tally.unread += 1;
            // What is known of it still holds.
            if let Some(old) = old {
                fresh.skip(&old.settled, tally);
                fresh.skip(&old.last, tally);
                imports.known.push((source.name, old.clone()));
            }
        }
        fresh
    }
}
