//! Turns → rows: one for each turn, session or request, and model.

use std::cell::RefCell;
use std::rc::Rc;

use hashbrown::HashMap;

use crate::intake::import::cost::{Book, UNKNOWN_MODEL};
use crate::intake::import::planned::Planned;
use crate::intake::import::turn::{
    End, HASH_BYTES, Request, SessionTags, Turn, Work, millis_between,
};
use crate::intake::import::usage::Usage;
use crate::ledger::lookup;
use crate::pricing::Prices;
use crate::row::{COUNT_MAX, TaskType, line_hash};
use crate::timestamp::{Instant, Timestamp};

/// A turn without tools that is shorter than this is a quick one,
const QUICK_MS: u64 = 15_000;

/// if it also wrote less than this.
const QUICK_TOKENS: u64 = 300;

/// Picodollars in a microdollar.
const MICRO: u128 = 1_000_000;

/// What is one row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Grain {
    /// A turn and a model.
    #[default]
    Turn,
    /// A session and a model.
    Session,
    /// A request.
    Request,
}

impl Grain {
    /// Every one.
    pub const ALL: [Grain; 3] = [Grain::Turn, Grain::Session, Grain::Request];

    /// The word for it.
    pub const fn name(self) -> &'static str {
        match self {
            Grain::Turn => "turn",
            Grain::Session => "session",
            Grain::Request => "request",
        }
    }

    /// What ids of this grain begin with: rows of two grains count the same tokens twice.
    pub const fn prefix(self) -> &'static str {
        match self {
            Grain::Turn => "",
            Grain::Session => "session-",
            Grain::Request => "request-",
        }
    }
}

/// How rows are made.
#[derive(Clone, Copy)]
pub struct Making<'a> {
    /// What is one row.
    pub grain: Grain,
    /// What kind of task it was, where the user says so.
    pub task_type: Option<TaskType>,
    /// What models are called and cost.
    pub prices: &'a Prices,
    /// A moment on the clock of this machine.
    pub local: &'a dyn Fn(Instant) -> Timestamp,
}

/// The same, with what was looked up meanwhile.
struct Maker<'a> {
    grain: Grain,
    task_type: Option<TaskType>,
    book: Book<'a>,
    local: &'a dyn Fn(Instant) -> Timestamp,
    /// The `session` tags of this source.
    tags: RefCell<SessionTags>,
}

impl Maker<'_> {
    fn session_tag(&self, turn: &Turn) -> Rc<str> {
        self.tags.borrow_mut().of(turn)
    }
}

/// The rows of these turns, oldest first.
pub fn rows(turns: Vec<Turn>, making: &Making<'_>) -> Vec<Planned> {
    let Making { grain, task_type, prices, local } = *making;
    let making =
        &Maker { grain, task_type, book: Book::of(prices), local, tags: RefCell::default() };
    let mut rows: Vec<Planned> = match grain {
        Grain::Turn => turns.into_iter().flat_map(|turn| turn.rows(making)).collect(),
        Grain::Request => turns.into_iter().flat_map(|turn| turn.requests(making)).collect(),
        Grain::Session => sessions(&turns).iter().flat_map(|it| it.rows(making)).collect(),
    };
    rows.sort_by_key(|row| row.at.instant());
    rows
}

/// Each session as if it were one turn: as long as all its turns, ended as the last of them.
fn sessions(turns: &[Turn]) -> Vec<Turn> {
    let mut order: Vec<&Turn> = turns.iter().collect();
    order.sort_by_key(|turn| turn.start);
    let mut sessions: Vec<Turn> = Vec::new();
    let mut places = HashMap::new();
    for turn in order {
        let at = *places.entry(turn.session.clone()).or_insert_with(|| {
            sessions.push(Turn {
                key: turn.session.to_string(),
                duration_ms: 0,
                work: Work::default(),
                lacks_usage: true,
                ..turn.clone_without_requests()
            });
            sessions.len() - 1
        });
        let whole = &mut sessions[at];
        whole.last = whole.last.max(turn.last);
        whole.duration_ms = whole.duration_ms.saturating_add(turn.duration_ms);
        whole.end = turn.end;
        whole.model = turn.model.clone().or(whole.model.take());
        whole.work.add(turn.work);
        whole.lacks_usage &= turn.lacks_usage;
        whole.requests.extend(turn.requests.iter().cloned());
        whole.tool_errors.extend(turn.tool_errors.iter().cloned());
    }
    sessions
}

impl Turn {
    /// Of the model's own name: how we call it may change with the price list, and the row is the
    /// same.
    fn id(&self, grain: Grain, raw: &str) -> String {
        let hash = line_hash(format!("{}|{}|{raw}", self.source, self.key).as_bytes(), HASH_BYTES);
        format!("{}{}{hash}", self.prefix, grain.prefix())
    }

    fn task_type(&self, making: &Maker<'_>) -> TaskType {
        let Work { plans, edits, checks, tools } = self.work;
        let written: u64 = self.requests.iter().map(|it| it.usage.completion).sum();
        match making.task_type {
            Some(given) => given,
            None if plans => TaskType::Plan,
            None if edits => TaskType::Execute,
            None if checks => TaskType::Verify,
            None if !tools && self.duration_ms < QUICK_MS && written < QUICK_TOKENS => {
                TaskType::Quick
            }
            None => TaskType::Discuss,
        }
    }

    fn reason(&self) -> Option<&'static str> {
        match self.end {
            _ if self.lacks_usage && self.requests.is_empty() => Some("no-usage"),
            End::Failed(reason) => reason,
            _ => None,
        }
    }

    fn model(&self, making: &Maker<'_>) -> Rc<str> {
        match &self.model {
            Some(raw) => named(raw, making),
            None => UNKNOWN_MODEL.into(),
        }
    }

    /// The rows of this turn alone.
    fn rows(&self, making: &Maker<'_>) -> Vec<Planned> {
        let mut rows: Vec<(Planned, Sum)> = Vec::new();
        let primary = self.primary(making);
        for request in &self.requests {
            let model = named(&request.model, making);
            let at = match rows.iter().position(|(row, _)| row.model == model) {
                Some(at) => at,
                None => {
                    let is_sub = primary.as_ref() != Some(&model);
                    rows.push((self.row(making, &request.model, model, is_sub), Sum::default()));
                    rows.len() - 1
                }
            };
            let (row, sum) = &mut rows[at];
            sum.take(row, request, making);
        }
        if rows.is_empty() {
            let raw = self.model.as_deref().unwrap_or(UNKNOWN_MODEL);
            rows.push((self.row(making, raw, self.model(making), false), Sum::default()));
        }
        for (model, errors) in &self.tool_errors {
            let model = named(model, making);
            let at = rows.iter().position(|(row, _)| row.model == model).unwrap_or(0);
            rows[at].0.tool_errors += errors;
        }
        rows.into_iter().map(|(row, sum)| sum.finish(row)).collect()
    }

    /// The model whose row stands for the task: that of the final answer, if it took anything.
    fn primary(&self, making: &Maker<'_>) -> Option<Rc<str>> {
        let of_main = |request: &&Request| !request.is_sub;
        let mains = || self.requests.iter().filter(of_main).map(|it| named(&it.model, making));
        let last = self.model(making);
        if mains().any(|model| model == last) { Some(last) } else { mains().next_back() }
    }

    fn row(&self, making: &Maker<'_>, raw: &str, model: Rc<str>, is_sub: bool) -> Planned {
        let id = self.id(making.grain, raw);
        Planned {
            at: (making.local)(self.start).at_second(),
            identity: lookup::identity(self.source, &id),
            id,
            source: self.source,
            model,
            usage: Usage::default(),
            success: self.end == End::Done,
            task_type: self.task_type(making),
            duration_ms: if is_sub { 0 } else { self.duration_ms.min(COUNT_MAX) },
            cost: None,
            group: self.group,
            session: making.session_tag(self),
            is_last: self.is_last,
            given: Vec::new(),
            is_sub,
            requests: 0,
            tool_errors: 0,
            reason: self.reason(),
        }
    }

    /// A row for each request; the last one of the agent itself stands for the task.
    fn requests(&self, making: &Maker<'_>) -> Vec<Planned> {
        if self.requests.is_empty() {
            return self.rows(making);
        }
        let last = self.requests.iter().rposition(|request| !request.is_sub);
        let mut rows = Vec::new();
        let mut same_moment = 0;
        for (number, request) in self.requests.iter().enumerate() {
            let Instant { seconds, nanos } = request.at;
            let is_same = number > 0 && self.requests[number - 1].at == request.at;
            same_moment = if is_same { same_moment + 1 } else { 0 };
            let part = Turn {
                key: format!("{}|{seconds}.{nanos}|{same_moment}", self.key),
                start: request.at,
                tool_errors: Vec::new(),
                ..self.clone_without_requests()
            };
            let model = named(&request.model, making);
            let mut row = part.row(making, &request.model, model, last != Some(number));
            row.task_type = self.task_type(making);
            let mut sum = Sum::default();
            sum.take(&mut row, request, making);
            if !row.is_sub {
                row.tool_errors = self.tool_errors.iter().map(|(_, errors)| errors).sum();
            }
            // One request has no span.
            sum.span = None;
            rows.push(sum.finish(row));
        }
        rows
    }

    fn clone_without_requests(&self) -> Turn {
        Turn {
            key: String::new(),
            session: self.session.clone(),
            model: self.model.clone(),
            requests: Vec::new(),
            tool_errors: Vec::new(),
            ..*self
        }
    }
}

/// What is gathered of a row's requests.
#[derive(Default)]
struct Sum {
    has_requests: bool,
    cost: u128,
    lacks_price: bool,
    span: Option<(Instant, Instant)>,
}

impl Sum {
    fn take(&mut self, row: &mut Planned, request: &Request, making: &Maker<'_>) {
        row.usage.add(&request.usage);
        row.requests += request.count;
        self.has_requests = true;
        let (first, last) = self.span.unwrap_or((request.at, request.at));
        self.span = Some((first.min(request.at), last.max(request.at)));
        let Request { at, usage, count, .. } = request;
        let listed = || making.book.model(&request.model).pico(*at, usage, *count);
        match request.cost.map(u128::from).or_else(listed) {
            Some(cost) => self.cost = self.cost.saturating_add(cost),
            None => self.lacks_price = true,
        }
    }

    fn finish(self, mut row: Planned) -> Planned {
        if row.is_sub
            && let Some((first, last)) = self.span
        {
            row.duration_ms = millis_between(first, last);
        }
        if self.has_requests && !self.lacks_price {
            row.cost = u64::try_from((self.cost + MICRO / 2) / MICRO).ok();
        }
        row
    }
}

/// The name under which a model's rows are stored.
fn named(raw: &Rc<str>, making: &Maker<'_>) -> Rc<str> {
    making.book.model(raw).name.clone()
}
