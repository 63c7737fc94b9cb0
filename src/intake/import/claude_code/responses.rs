//! Responses, each counted once. One may stand on many lines and in many files: in pieces while it was
//! streamed, in copies where a session was resumed or forked, in replays of sub-agents.

use std::rc::Rc;

use hashbrown::HashMap;

use crate::intake::import::claude_code::building::Building;
use crate::intake::import::claude_code::line::{Line, Message};
use crate::intake::import::cost::UNKNOWN_MODEL;
use crate::intake::import::reading::{Names, Reading, hash};
use crate::intake::import::turn::{End, Request, Turn};
use crate::intake::import::usage::Usage;
use crate::timestamp::Instant;

/// What a line tells of a response, and where.
pub(super) struct Said<'a> {
    pub(super) line: &'a Line<'a>,
    pub(super) message: &'a Message<'a>,
    pub(super) turn: usize,
    pub(super) group: usize,
    pub(super) at: Instant,
    pub(super) is_main: bool,
    pub(super) is_placeholder: bool,
    pub(super) is_here: bool,
}

/// The responses of all sessions that are read in one go.
#[derive(Default)]
pub(super) struct Responses {
    all: Vec<Response>,
    by_key: HashMap<u64, usize>,
}

/// A response of a model, of all lines that tell of it.
struct Response {
    key: u64,
    id: String,
    turn: usize,
    group: usize,
    model: Rc<str>,
    at: Instant,
    usage: Usage,
    is_main: bool,
    is_placeholder: bool,
    is_here: bool,
    /// It is counted in a transcript that is not read again.
    is_seen: bool,
}

impl Responses {
    /// Counts a response: once, wherever it stands, by the line that tells the most.
    pub(super) fn add(
        &mut self,
        said: &Said<'_>,
        turns: &mut [Building],
        names: &mut Names,
        reading: &mut Reading<'_>,
    ) {
        let Said { line, message, turn, group, at, is_main, is_placeholder, is_here } = *said;
        let Some(tokens) = &message.usage.0 else { return };
        let usage = tokens.usage();
        let ids = [("m", &message.id), ("r", &line.request_id), ("u", &line.uuid)];
        let Some((kind, id)) = ids.iter().find_map(|(kind, id)| Some((*kind, id.get()?))) else {
            return;
        };
        let key = hash(&[kind, id]);
        let is_seen = reading.seen.contains(&key);
        let building = &mut turns[turn];
        if is_main && building.first.is_none() {
            building.first = Some(key);
            building.is_known = is_seen && reading.seen.contains(&building.beginning(key));
        }
        if is_seen {
            reading.findings.repeated += 1;
            building.has_copies = true;
            // What follows in a turn that is known is more of it, not a turn by itself.
            if !building.is_known {
                return;
            }
        }
        let model = names.get(message.model.get().unwrap_or(UNKNOWN_MODEL));
        let Some(&known) = self.by_key.get(&key) else {
            self.by_key.insert(key, self.all.len());
            self.all.push(Response {
                key,
                id: id.to_owned(),
                turn,
                group,
                model,
                at,
                usage,
                is_main,
                is_placeholder,
                is_here,
                is_seen,
            });
            return;
        };
        reading.findings.repeated += 1;
        let known = &mut self.all[known];
        let (old, new) = (root(turns, known.turn), root(turns, turn));
        if old != new {
            let (old_start, new_start) = (turns[old].turn.start, turns[new].turn.start);
            if is_main && known.is_main && old_start == new_start {
                turns[new].copy_of = Some(old);
            } else {
                // Of two that hold it, the turn whose prompt stands nearest before it.
                let is_nearer =
                    new_start <= known.at && (old_start > known.at || new_start > old_start);
                let moves = is_main && (!known.is_main || is_nearer);
                turns[if moves { old } else { new }].has_copies = true;
                if moves {
                    (known.turn, known.group, known.is_here) = (turn, group, is_here);
                }
            }
        }
        if is_main && !known.is_main {
            (known.usage, known.model, known.at) = (usage, model, at);
            (known.is_main, known.is_placeholder) = (true, false);
        } else if is_main == known.is_main && usage.total() >= known.usage.total() {
            (known.usage, known.model) = (usage, model);
            known.is_placeholder &= is_placeholder;
        }
    }

    /// All turns with what they own.
    pub(super) fn finish(
        mut self,
        mut turns: Vec<Building>,
        reading: &mut Reading<'_>,
    ) -> Vec<Turn> {
        for response in &mut self.all {
            let is_last = turns[response.turn].turn.is_last;
            reading.owned.push((response.group, response.key, is_last));
            response.turn = root(&turns, response.turn);
        }
        for building in &turns {
            let Turn { group, is_last, .. } = building.turn;
            let beginning = building.first.map(|first| building.beginning(first));
            reading.owned.extend(beginning.map(|beginning| (group, beginning, is_last)));
        }
        let mut copies = join_copies(&mut turns);
        self.all.sort_by_key(|it| (it.turn, it.at));
        for all in self.all.chunk_by(|one, other| one.turn == other.turn) {
            let building = &mut turns[all[0].turn];
            building.is_known = all.iter().all(|it| it.is_seen);
            building.turn.is_here = all.iter().any(|it| it.is_here);
            // Most turns have one or two: what a vector takes by itself is more.
            building.turn.requests.reserve_exact(all.len());
        }
        for response in self.all {
            let Building { turn, is_known, .. } = &mut turns[response.turn];
            if *is_known {
                continue;
            }
            reading.findings.responses += 1;
            reading.findings.placeholders += u64::from(response.is_placeholder);
            // The agent may go to a folder that is not ours, and come back.
            if turn.is_here && !response.is_here {
                continue;
            }
            if turn.key.is_empty() || response.is_main && turn.requests.iter().all(|it| it.is_sub) {
                turn.key = response.id;
            }
            turn.requests.push(Request {
                model: response.model,
                at: response.at,
                usage: response.usage,
                count: 1,
                is_sub: !response.is_main,
                cost: None,
            });
        }
        let mut finished = Vec::new();
        for (it, building) in turns.into_iter().enumerate() {
            if !building.is_answered && building.turn.requests.is_empty() {
                reading.findings.unanswered += u64::from(!building.has_copies);
                continue;
            }
            // Its responses are those of another turn, and so is what else happened.
            if building.turn.requests.is_empty() && building.has_copies {
                continue;
            }
            let turn = building.finish();
            if let Some(copies) = copies.remove(&it).filter(|_| turn.end == End::Open) {
                reading.copies.insert(turn.key.clone(), copies);
            }
            finished.push(turn);
        }
        finished
    }
}

/// Makes one turn of all copies of it: that which goes on longest tells how it ended. Where the
/// others stand, by the place of that one.
fn join_copies(turns: &mut [Building]) -> HashMap<usize, Vec<(usize, bool)>> {
    let mut copies: HashMap<usize, Vec<(usize, bool)>> = HashMap::new();
    for it in 0..turns.len() {
        if turns[it].copy_of.is_none() {
            continue;
        }
        let root = root(turns, it);
        if turns[it].heard > turns[root].heard {
            turns.swap(it, root);
            let copy_of = turns[root].copy_of.take();
            turns[it].copy_of = copy_of;
        }
        let copy = &mut turns[it];
        copy.has_copies = true;
        let (heard, turn) = (copy.heard, copy.turn.clone());
        let joined = &mut turns[root];
        joined.turn.is_followed |= turn.is_followed && heard == joined.heard;
        joined.turn.last = joined.turn.last.max(turn.last);
        joined.turn.work.add(turn.work);
        copies.entry(root).or_default().push((turn.group, turn.is_last));
    }
    copies
}

/// The first of the copies of a turn.
fn root(turns: &[Building], mut it: usize) -> usize {
    while let Some(first) = turns[it].copy_of {
        it = first;
    }
    it
}
