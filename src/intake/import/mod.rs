//! Transcripts of coding agents → rows. Every source is one file and one row of [`SOURCES`]; what
//! they have in common is here: what is ours, what is finished, what stands in the ledger already.

pub mod lenient;
pub mod lines;
pub mod homes;
pub mod scope;
pub mod mark;
pub mod walk;
pub mod open;
pub mod peek;
pub mod usage;
pub mod cost;
pub mod turn;
mod command;
pub mod reading;
pub mod cursor;
pub mod claude_code;
pub mod codex;
pub mod gemini;
pub mod copilot;
pub mod opencode;
pub mod otlp;
pub mod printed;

use std::collections::BTreeMap;
use std::path::Path;
use std::rc::Rc;
use std::time::SystemTime;

use hashbrown::{HashMap, HashSet};

use crate::error::{Error, Result};
use crate::intake::import::cost::UNKNOWN_MODEL;
use crate::intake::import::cursor::{Cursor, Known, Part};
use crate::intake::import::homes::Homes;
use crate::intake::import::lines::At;
use crate::intake::import::mark::Mark;
use crate::intake::import::reading::{Findings, Reading};
use crate::intake::import::scope::Scope;
use crate::intake::import::turn::{Grain, Making, PATIENCE_S, Planned, SessionTags, Turn};
use crate::intake::import::walk::{File, Group};
use crate::ledger::compose::Entry;
use crate::ledger::lookup::{self, Imported, Standing};
use crate::notes::Screen;
use crate::redact::withheld::Withheld;
use crate::row::Refused;
use crate::timestamp::{Day, Instant, Timestamp};
use crate::workspace::Place;

/// A kind of transcripts.
pub struct Source {
    /// What it is called.
    pub name: &'static str,
    /// What it is.
    pub about: &'static str,
    /// Whether its files have a usual place; else they are named.
    pub is_found: bool,
    /// Finds its files.
    pub find: fn(&Homes) -> Vec<Group>,
    /// Reads them.
    pub read: fn(&[Group], &mut Reading<'_>) -> Result<Vec<Turn>>,
    /// What is left to be read of a group that grew; where there is no such way, all of it is read.
    pub go_on: Option<GoOn>,
}

/// Is told of the mark where reading may begin, and asks whether a file is as it was. None where the
/// whole group has to be read.
pub type GoOn = fn(&Group, &Mark, &dyn Fn(&File) -> bool) -> Option<Group>;

/// Every source.
pub const SOURCES: &[Source] = &[
    Source {
        name: "claude-code",
        about: "Claude Code's sessions (~/.claude/projects)",
        is_found: true,
        find: claude_code::find,
        read: claude_code::read,
        go_on: Some(claude_code::go_on),
    },
    Source {
        name: codex::NAME,
        about: "Codex CLI's rollouts (~/.codex/sessions)",
        is_found: true,
        find: codex::find,
        read: codex::read,
        go_on: None,
    },
    Source {
        name: gemini::NAME,
        about: "Gemini CLI's sessions (~/.gemini/tmp)",
        is_found: true,
        find: gemini::find,
        read: gemini::read,
        go_on: None,
    },
    Source {
        name: copilot::NAME,
        about: "GitHub Copilot CLI's sessions (~/.copilot/session-state)",
        is_found: true,
        find: copilot::find,
        read: copilot::read,
        go_on: None,
    },
    Source {
        name: opencode::NAME,
        about: "opencode's messages (~/.local/share/opencode)",
        is_found: true,
        find: opencode::find,
        read: opencode::read,
        go_on: None,
    },
    Source {
        name: otlp::NAME,
        about: "OTLP JSON with spans of generative AI",
        is_found: false,
        find: otlp::find,
        read: otlp::read,
        go_on: None,
    },
    Source {
        name: printed::NAME,
        about: "what claude -p, codex exec --json, gemini and cursor-agent print",
        is_found: false,
        find: printed::find,
        read: printed::read,
        go_on: None,
    },
];

/// From when on rows are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Since {
    /// The row's own calendar day.
    Day(Day),
    /// A moment.
    Moment(Instant),
}

/// What is to be imported, and how.
pub struct Import<'a> {
    /// The ledger.
    pub place: &'a Place,
    /// Lines of rows that wait for it.
    pub waiting: &'a [String],
    /// Where transcripts are.
    pub homes: &'a Homes,
    /// How rows are made.
    pub making: Making<'a>,
    /// Nothing older is wanted.
    pub since: Option<Since>,
    /// Rows from before this day were pruned.
    pub border: Option<Day>,
    /// Whether turns that grew get a new revision.
    pub is_refresh: bool,
    /// The clock on the wall.
    pub now: Instant,
    /// The same, as files are stamped.
    pub system_now: SystemTime,
    /// What may not be stored.
    pub screen: &'a Screen<'a>,
    /// How much is read at most; None reads everything.
    pub bound: Option<Bound<'a>>,
    /// Is told of bytes: how many there are to be read, and every one that was.
    pub progress: &'a dyn Fn(Progress),
}

/// How much is read where somebody waits.
#[derive(Clone, Copy)]
pub struct Bound<'a> {
    /// Whose group is read whatever its size.
    pub is_first: &'a dyn Fn(&Path) -> bool,
    /// So much of the other groups is read, the newest first.
    pub bytes_max: u64,
}

/// How far reading is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// So many more bytes are to be read.
    Ahead(u64),
    /// So many were read.
    Read(u64),
}

/// What became of one source.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Its name.
    pub name: &'static str,
    /// Sessions of ours.
    pub sessions: u64,
    /// Finished turns of ours.
    pub turns: u64,
    /// Rows that are new.
    pub new: u64,
    /// Rows that stand in the ledger.
    pub there: u64,
    /// Rows that get a new revision.
    pub revised: u64,
    /// Rows of which there is more now, but that are left as they are.
    pub grown: u64,
    /// Turns that may go on.
    pub unfinished: u64,
    /// Turns of other folders.
    pub elsewhere: u64,
    /// Turns that stand in the ledger as what a tool printed.
    pub as_result: u64,
    /// Rows from before the day that was asked for.
    pub too_old: u64,
    /// Rows from before what was pruned.
    pub pruned: u64,
    /// Rows that may not be stored, and why.
    pub refused: Vec<String>,
    /// What the new rows cost, in microdollars.
    pub cost: u64,
    /// Files that did not change since they were imported.
    pub unchanged: u64,
    /// Groups of files that were not read, for there was too much of them.
    pub unread: u64,
    /// Whether the files that were to be read first are there.
    pub has_first: bool,
    /// When the oldest of the files was changed that hold turns of ours.
    pub oldest: Option<SystemTime>,
    /// What was found in the files.
    pub findings: Findings,
}

/// What is to be appended, and what is to be said.
#[derive(Default)]
pub struct Imports {
    /// The rows, oldest first.
    pub entries: Vec<Entry<'static>>,
    /// What became of each source.
    pub tallies: Vec<Tally>,
    /// Models without a price, with the tokens of their new rows.
    pub unpriced: BTreeMap<String, u64>,
    /// What was kept out of the rows.
    pub withheld: Withheld,
    /// What need not be read again once the rows are in the ledger.
    pub known: Vec<(&'static str, Known)>,
}

impl Import<'_> {
    /// Reads what is new. A `cursor` tells what is not; without one everything is read.
    ///
    /// # Errors
    /// A ledger, or a file that was named, that cannot be read.
    pub fn run(
        &self,
        sources: &[&Source],
        scope: &mut Scope,
        cursor: Option<&Cursor>,
    ) -> Result<Imports> {
        let imported = Imported::load(self.place, self.waiting)?;
        let mut imports = Imports::default();
        let mut revisions: Vec<(Planned, usize)> = Vec::new();
        for source in sources {
            let mut tally = Tally { name: source.name, ..Tally::default() };
            self.refuse_other_grains(source.name, &imported)?;
            let rows = self.rows(source, scope, cursor, &imported, &mut imports, &mut tally)?;
            self.sort_out(rows, &imported, &mut imports, &mut tally, &mut revisions);
            imports.tallies.push(tally);
        }
        self.revise(revisions, &imported, &mut imports)?;
        imports.entries.sort_by_key(|entry| entry.row.at.instant());
        Ok(imports)
    }

    /// What is to be read of a source's files: those that changed, of those that grew what is new,
    /// and of both what nobody waits too long for.
    fn fresh(
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
                fresh.skip(&now.settled, tally);
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

    /// The rows of the finished turns of ours in the files that changed.
    fn rows(
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
        let of_group = |(number, known): (usize, &Known)| {
            let tags = known.settled.sessions.iter();
            tags.map(|tag| (number, Rc::from(tag.as_str()))).collect::<Vec<_>>()
        };
        let mut sessions: HashSet<(usize, Rc<str>)> =
            known.iter().enumerate().flat_map(of_group).collect();
        let mut reading = Reading {
            scope,
            findings: Findings::default(),
            seen,
            owned: Vec::new(),
            marks: Vec::new(),
            copies: HashMap::new(),
            at: At::default(),
            progress: &|bytes| (self.progress)(Progress::Read(bytes)),
            is_named: !self.homes.named.is_empty(),
        };
        let mut turns = (source.read)(&groups, &mut reading)?;
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
        let rows = turn::rows(turns, &self.making);
        for row in &rows {
            if self.border.is_none_or(|border| row.at.day() >= border) {
                known[row.group].part(row.is_last).rows.push(row.identity);
            }
        }
        known.retain(|it| it.is_done || it.mark.is_some());
        imports.known.extend(known.into_iter().map(|it| (source.name, it)));
        Ok(rows)
    }

    /// Which rows are new, and which stand in the ledger.
    fn sort_out(
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

    /// Rows of another grain count the same tokens.
    fn refuse_other_grains(&self, source: &str, imported: &Imported) -> Result<()> {
        let is_other = |it: &&Grain| {
            **it != self.making.grain && imported.prefixes(source).any(|had| had == it.prefix())
        };
        match const { &Grain::ALL }.iter().find(is_other) {
            None => Ok(()),
            Some(had) => Err(Error::Usage {
                problem: format!(
                    "the ledger has rows of {source} for each {}: the same turns would be counted twice",
                    had.name()
                ),
                fix: format!("log-usage import {source} --group {}", had.name()),
            }),
        }
    }

    fn wants(&self, at: Timestamp) -> bool {
        match self.since {
            None => true,
            Some(Since::Day(day)) => at.day() >= day,
            Some(Since::Moment(moment)) => at.instant() >= moment,
        }
    }

    /// Rows of turns that grew, each as a revision of the row that stands there.
    fn revise(
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

impl Bound<'_> {
    fn holds_first(&self, group: &Group) -> bool {
        group.files.iter().any(|file| (self.is_first)(&file.path))
    }

    /// Which of these groups are to be read.
    fn choose<'g>(&self, groups: impl Iterator<Item = &'g Group>) -> Vec<bool> {
        let newest = |group: &Group| group.files.iter().map(|file| file.modified).max();
        let mut order: Vec<(bool, Option<SystemTime>, usize, u64)> = groups
            .enumerate()
            .map(|(at, group)| (self.holds_first(group), newest(group), at, group.bytes()))
            .collect();
        order.sort_by(|a, b| b.cmp(a));
        let mut left = self.bytes_max;
        let mut chosen = vec![true; order.len()];
        for (is_first, _, at, bytes) in order {
            if !is_first {
                match left.checked_sub(bytes) {
                    Some(rest) => left = rest,
                    None => chosen[at] = false,
                }
            }
        }
        chosen
    }
}

/// What is to be read, and what is known of it and of all else.
#[derive(Default)]
struct Fresh {
    groups: Vec<Group>,
    /// By the number of the group.
    known: Vec<Known>,
    seen: HashSet<u64>,
}

impl Fresh {
    /// Counts what need not be read again.
    fn skip(&mut self, part: &Part, tally: &mut Tally) {
        self.seen.extend(part.responses.iter().copied());
        tally.sessions += part.sessions.len() as u64;
        tally.turns += part.turns;
        tally.elsewhere += part.elsewhere;
        tally.there += part.rows.len() as u64;
    }
}

/// When the last was heard of each session.
fn last_of_sessions(turns: &[Turn]) -> HashMap<(usize, std::rc::Rc<str>), Instant> {
    let mut last = HashMap::new();
    for turn in turns {
        let at = last.entry((turn.group, turn.session.clone())).or_insert(turn.last);
        *at = turn.last.max(*at);
    }
    last
}

/// The source of that name.
pub fn source(name: &str) -> Option<&'static Source> {
    SOURCES.iter().find(|source| source.name == name)
}
