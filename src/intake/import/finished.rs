//! Reads what is new of a source, and makes rows of the turns that are finished and ours.

use std::rc::Rc;

use hashbrown::{HashMap, HashSet};

use crate::error::Result;
use crate::intake::import::cursor::{Cursor, Known, Part};
use crate::intake::import::fresh::Fresh;
use crate::intake::import::lines::At;
use crate::intake::import::planned::Planned;
use crate::intake::import::printed;
use crate::intake::import::reading::{Findings, Reading};
use crate::intake::import::rows::{Grain, rows};
use crate::intake::import::scope::Scope;
use crate::intake::import::source::Source;
use crate::intake::import::tally::{Imports, Tally};
use crate::intake::import::turn::{PATIENCE_S, SessionTags, Turn};
use crate::intake::import::walk::Group;
use crate::intake::import::wanted::{Import, Progress};
use crate::ledger::lookup::Imported;
use crate::timestamp::Instant;

impl Import<'_> {
    /// The rows of the finished turns of ours in the files that changed.
    pub(super) fn rows(
        &self,
        source: &Source,
        scope: &mut Scope,
        cursor: Option<&Cursor>,
        imported: &Imported,
        imports: &mut Imports,
        tally: &mut Tally,
    ) -> Result<Vec<Planned>> {
        let Fresh { groups, mut known, seen } =
            self.fresh(source, cursor, imported, imports, tally);
        let bytes = groups.iter().map(Group::bytes).sum();
        (self.progress)(Progress::Ahead(bytes));
        let mut tags = SessionTags::default();
        let mut reading = Reading {
            scope,
            findings: Findings::default(),
            seen,
            owned: Vec::new(),
            marks: Vec::new(),
            again: Vec::new(),
            copies: HashMap::new(),
            at: At::default(),
            progress: &|bytes| (self.progress)(Progress::Read(bytes)),
            is_named: !self.homes.named.is_empty(),
        };
        let mut turns = (source.read)(&groups, &mut reading)?;
        reading.again.iter().for_each(|group| known[*group].settled = Part::default());
        known.iter().for_each(|known| tally.count(&known.settled));
        let of_group = |(number, known): (usize, &Known)| {
            let tags = known.settled.sessions.iter();
            tags.map(|tag| (number, Rc::from(tag.as_str()))).collect::<Vec<_>>()
        };
        let mut sessions: HashSet<(usize, Rc<str>)> =
            known.iter().enumerate().flat_map(of_group).collect();
        for (group, response, is_last) in &reading.owned {
            known[*group].part(*is_last).responses.push(*response);
        }
        for (group, mark) in reading.marks {
            known[group].set_mark(mark, &groups[group].files[0].path);
        }
        let copies = reading.copies;
        tally.findings = reading.findings;
        let last = last_of_sessions(&turns);
        turns.retain(|turn| {
            if !turn.is_here {
                tally.elsewhere += 1;
                known[turn.group].part(turn.is_last).elsewhere += 1;
                return false;
            }
            let is_over = || {
                let last = last.get(&(turn.group, turn.session.clone()));
                last.is_none_or(|last| self.now.seconds - last.seconds > PATIENCE_S)
            };
            let is_finished = turn.is_finished(self.now);
            if !is_finished || self.making.grain == Grain::Session && !is_over() {
                tally.unfinished += 1;
                let copies = copies.get(&turn.key).into_iter().flatten().copied();
                for (group, is_last) in copies.chain([(turn.group, turn.is_last)]) {
                    known[group].wait(is_last);
                }
                return false;
            }
            let session = tags.of(turn);
            if turn.prefix != printed::PREFIX
                && imported.has_session(turn.source, printed::PREFIX, &session)
                || turn.prefix == printed::PREFIX && imported.has_session(turn.source, "", &session)
            {
                tally.as_result += 1;
                return false;
            }
            tally.turns += 1;
            let changed = groups[turn.group].files.iter().map(|it| it.modified).max();
            tally.oldest = [tally.oldest, changed].into_iter().flatten().min();
            let part = known[turn.group].part(turn.is_last);
            part.turns += 1;
            if sessions.insert((turn.group, session.clone())) {
                tally.sessions += 1;
                part.sessions.push(session.to_string());
            }
            true
        });
        // A group is known once its rows are in the ledger: which these are is said here.
        let rows = rows(turns, &self.making);
        for row in &rows {
            if self.border.is_none_or(|border| row.at.day() >= border) {
                known[row.group].part(row.is_last).rows.push(row.identity);
            }
        }
        known.retain(|it| it.is_done || it.mark.is_some());
        imports.known.extend(known.into_iter().map(|it| (source.name, it)));
        Ok(rows)
    }
}

/// When the last was heard of each session.
fn last_of_sessions(turns: &[Turn]) -> HashMap<(usize, Rc<str>), Instant> {
    let mut last = HashMap::new();
    for turn in turns {
        let at = last.entry((turn.group, turn.session.clone())).or_insert(turn.last);
        *at = turn.last.max(*at);
    }
    last
}
