//! Codex CLI: one rollout for each thread, cumulative counts, and children that repeat what their
//! parents counted.

pub mod line;
pub mod thread;
pub mod grown;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use hashbrown::{HashMap, HashSet};

use crate::error::Result;
use crate::intake::import::codex::grown::can_go_on;
use crate::intake::import::codex::line::Tokens;
use crate::intake::import::codex::thread::{Part, Record, Thread};
use crate::intake::import::homes::Homes;
use crate::intake::import::mark::Mark;
use crate::intake::import::peek;
use crate::intake::import::reading::{Names, Reading};
use crate::intake::import::turn::{End, Request, Turn, millis_between};
use crate::intake::import::walk::{self, File, Group};
use crate::timestamp::Instant;

/// What the row's `source` tag says.
pub const NAME: &str = "codex";

const ENDINGS: [&str; 2] = [".jsonl", ".jsonl.zst"];

/// The rollouts: those of threads that descend from one another together.
pub fn find(homes: &Homes) -> Vec<Group> {
    // Of a file that was archived or compressed the one that is still in use counts.
    let mut files: BTreeMap<PathBuf, File> = BTreeMap::new();
    for folder in folders(homes) {
        let mut found = walk::files(&folder, &ENDINGS);
        found.sort_by_key(|file| file.name().ends_with(".zst"));
        for file in found {
            let relative = file.path.strip_prefix(&folder).unwrap_or(&file.path);
            let relative = match relative.to_str().and_then(|it| it.strip_suffix(".zst")) {
                Some(plain) => PathBuf::from(plain),
                None => relative.to_owned(),
            };
            // A file that was named has no folder of its own.
            let key = if relative.as_os_str().is_empty() { file.path.clone() } else { relative };
            files.entry(key).or_insert(file);
        }
    }
    let parents: HashMap<String, String> = files
        .values()
        .filter_map(|file| Some((peek::value(&file.path, "id")?, parent(&file.path)?)))
        .collect();
    let mut groups: BTreeMap<String, Group> = BTreeMap::new();
    for (_, file) in files {
        let mut root = peek::value(&file.path, "id").unwrap_or_else(|| file.stem().to_owned());
        // No thread descends from itself; a file that says so has an end, too.
        for _ in 0..parents.len() {
            match parents.get(&root) {
                Some(parent) => root.clone_from(parent),
                None => break,
            }
        }
        groups.entry(root).or_default().files.push(file);
    }
    groups.into_values().collect()
}

fn folders(homes: &Homes) -> Vec<PathBuf> {
    if !homes.named.is_empty() {
        return homes.named.clone();
    }
    let roots = match homes.codex.is_empty() {
        true => homes.in_home(".codex").into_iter().collect(),
        false => homes.codex.clone(),
    };
    let folders =
        roots.iter().flat_map(|root| ["sessions", "archived_sessions"].map(|it| root.join(it)));
    folders.filter(|folder| walk::may_be_folder(folder)).collect()
}

/// The model that a thread began with; its printed results do not name it.
pub fn model_of(homes: &Homes, thread: &str) -> Option<String> {
    let ending = format!("-{thread}.jsonl");
    let mut files = folders(homes).into_iter().flat_map(|it| walk::files(&it, &[&ending]));
    files.find_map(|file| peek::value(&file.path, "model"))
}

fn parent(path: &Path) -> Option<String> {
    let keys = ["forked_from_id", "parent_thread_id"];
    keys.iter().find_map(|key| peek::first_line_value(path, key))
}

/// Reads groups of files.
///
/// # Errors
/// A file that was named cannot be read.
pub fn read(groups: &[Group], reading: &mut Reading<'_>) -> Result<Vec<Turn>> {
    let mut names = Names::default();
    let mut turns = Vec::new();
    for group in groups {
        let mut mark = group.mark.as_ref();
        let found = mark.map(|_| reading.findings.clone());
        let mut threads = threads(group, mark, &mut names, reading)?;
        if let Some(found) = found.filter(|_| threads.iter().any(|it| it.is_late)) {
            reading.findings = found;
            reading.again.push(group.number);
            mark = None;
            threads = self::threads(group, mark, &mut names, reading)?;
        }
        let mut family = Family {
            threads: &threads,
            number: group.number,
            turns: Vec::new(),
            made: HashMap::new(),
        };
        family.resolve(reading);
        if let ([thread], true) = (threads.as_slice(), can_go_on(group)) {
            let mark = thread.mark(mark);
            reading.marks.extend(mark.map(|mark| (group.number, mark)));
        }
        turns.append(&mut family.turns);
    }
    Ok(turns)
}

fn threads(
    group: &Group,
    mark: Option<&Mark>,
    names: &mut Names,
    reading: &mut Reading<'_>,
) -> Result<Vec<Thread>> {
    group.files.iter().map(|file| thread::read(file, mark, names, reading)).collect()
}

/// Threads that descend from one another.
struct Family<'a> {
    threads: &'a [Thread],
    number: usize,
    turns: Vec<Turn>,
    /// Where in them a turn of a thread is. One that has no answer is not there, unless a sub-agent
    /// answered.
    made: HashMap<Place, usize>,
}

/// A thread, and which of its turns.
type Place = (usize, usize);

/// What a thread itself used, by its turns.
#[derive(Default)]
struct Own {
    requests: Vec<(usize, Request)>,
    /// Turns that hold what others counted.
    replayed: HashSet<usize>,
}

impl Family<'_> {
    fn resolve(&mut self, reading: &mut Reading<'_>) {
        let by_id: HashMap<&str, usize> =
            self.threads.iter().enumerate().map(|(at, it)| (it.id.as_str(), at)).rev().collect();
        let mut responses = HashSet::new();
        // What the turns of a thread count as: themselves, what they repeat, or what called them.
        let mut places: Vec<Vec<Option<Place>>> = vec![Vec::new(); self.threads.len()];
        for at in self.parents_first(&by_id) {
            let thread = &self.threads[at];
            let parent = thread.parent.as_ref().and_then(|id| by_id.get(id.as_str())).copied();
            let own = self.own(at, &by_id, &mut responses, reading);
            let parent = parent.map(|parent| (parent, places[parent].as_slice()));
            let caller = parent.filter(|(parent, _)| thread.is_sub && *parent != at);
            let caller = caller.and_then(|(parent, its)| self.open_turn(parent, its, thread.start));
            places[at] = match caller {
                Some(place) => {
                    self.attach(place, at, own, reading);
                    vec![Some(place); thread.turns.len()]
                }
                None => self.add(at, parent, own, reading),
            };
        }
    }

    fn parents_first(&self, by_id: &HashMap<&str, usize>) -> Vec<usize> {
        let depth = |mut at: usize| {
            let mut depth = 0;
            while let Some(parent) = self.threads[at].parent.as_ref()
                && let Some(next) = by_id.get(parent.as_str())
                && depth < self.threads.len()
            {
                (at, depth) = (*next, depth + 1);
            }
            depth
        };
        let mut order: Vec<usize> = (0..self.threads.len()).collect();
        order.sort_by_key(|at| (depth(*at), *at));
        order
    }

    /// What a thread used that no other thread counted.
    fn own(
        &self,
        at: usize,
        by_id: &HashMap<&str, usize>,
        responses: &mut HashSet<u64>,
        reading: &mut Reading<'_>,
    ) -> Own {
        let thread = &self.threads[at];
        let request = |turn: usize, at, model: &std::rc::Rc<str>, tokens: &Tokens| {
            let usage = tokens.usage();
            let (is_sub, model) = (thread.is_sub, model.clone());
            (turn, Request { model, at, usage, count: 1, is_sub, cost: None })
        };
        let mut own = Own::default();
        if thread.has_records() {
            for record in &thread.records {
                if record.response.is_some_and(|it| !responses.insert(it)) {
                    reading.findings.repeated += 1;
                    continue;
                }
                let is_last = thread.is_last(record.turn);
                reading.owned.extend(record.response.map(|it| (self.number, it, is_last)));
                if !record.usage.is_empty() {
                    let Record { turn, at, model, usage, .. } = record;
                    own.requests.push(request(*turn, *at, model, usage));
                }
            }
            reading.findings.responses += own.requests.len() as u64;
            return own;
        }
        let of_parents = self.totals_of_parents(at, by_id);
        let shared = self.shared_with_siblings(at, by_id);
        let mut before = thread.sums.total.map(Tokens::of);
        let mut last_alone = thread.sums.alone;
        for (number, counted) in thread.counts.iter().enumerate() {
            let Some(total) = counted.total else {
                let alone = counted.alone();
                let is_repeated = last_alone == alone;
                last_alone = alone;
                match counted.last.filter(|last| !is_repeated && !last.is_empty()) {
                    Some(last) => {
                        own.requests.push(request(counted.turn, counted.at, &counted.model, &last));
                    }
                    None => reading.findings.repeated += 1,
                }
                continue;
            };
            let last = counted.last.unwrap_or_default();
            let first = counted.last.map(|last| total.before(&last)).unwrap_or_default();
            let previous = before.replace(total).unwrap_or(first);
            if number < shared || of_parents.contains(&total) {
                reading.findings.replayed += 1;
                own.replayed.insert(counted.turn);
                continue;
            }
            // Where a sum becomes less, it was begun anew.
            let used = total.since(&previous).unwrap_or(last);
            match used.is_empty() {
                true => reading.findings.repeated += 1,
                false => {
                    own.requests.push(request(counted.turn, counted.at, &counted.model, &used))
                }
            }
        }
        reading.findings.responses += own.requests.len() as u64;
        own
    }

    /// The sums that stand in the threads that this one descends from.
    fn totals_of_parents(&self, at: usize, by_id: &HashMap<&str, usize>) -> HashSet<Tokens> {
        let mut totals = HashSet::new();
        let mut thread = at;
        for _ in 0..self.threads.len() {
            let parent = self.threads[thread].parent.as_ref();
            let Some(parent) = parent.and_then(|id| by_id.get(id.as_str())) else { break };
            if *parent == at {
                break;
            }
            thread = *parent;
            totals.extend(self.threads[thread].counts.iter().filter_map(|it| it.total));
        }
        totals
    }

    /// With how many sums it begins that a sibling before it begins with: the history of a parent
    /// that is gone.
    fn shared_with_siblings(&self, at: usize, by_id: &HashMap<&str, usize>) -> usize {
        let thread = &self.threads[at];
        let Some(parent) = thread.parent.as_ref().filter(|id| !by_id.contains_key(id.as_str()))
        else {
            return 0;
        };
        let siblings = self.threads[..at].iter().filter(|it| it.parent.as_ref() == Some(parent));
        let shared = siblings.map(|sibling| {
            let both = sibling.counts.iter().zip(&thread.counts);
            both.take_while(|(one, other)| one.total.is_some() && one.total == other.total).count()
        });
        shared.max().unwrap_or(0)
    }

    /// The parent's turn in which a thread began, answered or not: the answer may come to the file after
    /// an import, and must not move what was counted.
    fn open_turn(
        &self,
        parent: usize,
        places: &[Option<Place>],
        start: Option<Instant>,
    ) -> Option<Place> {
        let turns = self.threads[parent].turns.iter().zip(places);
        let there = || turns.clone().filter_map(|(turn, place)| Some((turn, (*place)?)));
        let open = there().rfind(|(turn, _)| start.is_none_or(|start| turn.start <= start));
        open.or_else(|| there().next()).map(|(_, place)| place)
    }

    /// Adds a sub-agent's work to the turn that called it.
    fn attach(&mut self, place: Place, at: usize, own: Own, reading: &mut Reading<'_>) {
        if !own.requests.is_empty() && !self.made.contains_key(&place) {
            reading.findings.unanswered -= 1;
            self.make(place, Vec::new());
        }
        let Some(turn) = self.made.get(&place).map(|made| &mut self.turns[*made]) else { return };
        for part in &self.threads[at].turns {
            turn.work.edits |= part.work.edits;
            turn.work.checks |= part.work.checks;
            turn.work.tools |= part.work.tools;
        }
        turn.requests.extend(own.requests.into_iter().map(|(_, request)| request));
        turn.requests.sort_by_key(|request| request.at);
    }

    fn make(&mut self, place: Place, requests: Vec<Request>) {
        let thread = &self.threads[place.0];
        let turn = self.turn(thread, &thread.turns[place.1], requests);
        self.made.insert(place, self.turns.len());
        self.turns.push(turn);
    }

    /// Adds the turns of a thread.
    fn add(
        &mut self,
        at: usize,
        parent: Option<(usize, &[Option<Place>])>,
        own: Own,
        reading: &mut Reading<'_>,
    ) -> Vec<Option<Place>> {
        let thread = &self.threads[at];
        let of_parent = |part: &Part| {
            let (parent, places) = parent?;
            let is_same = |it: &Part| it.id.is_some() && it.id == part.id;
            let number = self.threads[parent].turns.iter().position(is_same)?;
            Some(places.get(number).copied().flatten())
        };
        let repeated: Vec<_> = thread.turns.iter().map(of_parent).collect();
        let mut requests: Vec<Vec<Request>> = vec![Vec::new(); thread.turns.len()];
        own.requests.into_iter().for_each(|(turn, request)| requests[turn].push(request));
        let last_replayed = own.replayed.iter().max().copied();
        let mut places = Vec::new();
        for (number, requests) in requests.into_iter().enumerate() {
            let is_replay =
                repeated[number].is_some() || last_replayed.is_some_and(|last| number <= last);
            if requests.is_empty() && is_replay {
                places.push(repeated[number].flatten());
                continue;
            }
            places.push(Some((at, number)));
            if requests.is_empty() && !thread.turns[number].is_answered {
                reading.findings.unanswered += 1;
            } else {
                self.make((at, number), requests);
            }
        }
        places
    }

    fn turn(&self, thread: &Thread, part: &Part, requests: Vec<Request>) -> Turn {
        let key = match &part.id {
            Some(id) => id.clone(),
            None => format!("{}@{}.{}", thread.id, part.start.seconds, part.start.nanos),
        };
        let model = requests.last().map(|it| it.model.clone()).or(part.model.clone());
        let errors = model.clone().filter(|_| part.tool_errors > 0);
        Turn {
            source: NAME,
            prefix: "",
            key,
            session: thread.session.as_str().into(),
            start: part.start,
            last: part.last,
            duration_ms: part.duration_ms.unwrap_or(millis_between(part.start, part.last)),
            end: part.end,
            is_followed: part.is_followed,
            model,
            work: part.work,
            lacks_usage: part.end == End::Done && requests.is_empty(),
            is_last: std::ptr::eq(part, thread.turns.last().unwrap_or(part)),
            requests,
            tool_errors: errors.map(|model| (model, part.tool_errors)).into_iter().collect(),
            is_here: part.is_here,
            group: self.number,
        }
    }
}
