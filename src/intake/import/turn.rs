//! What every source makes of its transcripts: turns with their requests, numbers alone. And how
//! turns become rows.

use std::cell::RefCell;
use std::fmt::Write as _;
use std::rc::Rc;

use hashbrown::HashMap;

use crate::error::Result;
use crate::intake::draft::{Draft, check};
use crate::intake::import::cost::{Book, UNKNOWN_MODEL};
use crate::intake::import::usage::Usage;
use crate::ledger::compose::Entry;
use crate::ledger::lookup;
use crate::notes::Screen;
use crate::pricing::Prices;
use crate::redact::withheld::Withheld;
use crate::row::{COUNT_MAX, Refused, TaskType, line_hash};
use crate::timestamp::{Instant, Timestamp};

/// A turn without an end is waited for so long after its last record: then it failed.
pub const PATIENCE_S: i64 = 24 * 3600;

/// Ids and sessions are named by so many bytes of a SHA-256, in hex.
const HASH_BYTES: usize = 6;

/// A turn without tools that is shorter than this is a quick one,
const QUICK_MS: u64 = 15_000;

/// if it also wrote less than this.
const QUICK_TOKENS: u64 = 300;

/// A row's timestamp, its three numbers and every tag that it may have.
const FIELDS_MAX: usize = 4 + 14;

/// Together they are seldom longer.
const TEXT_BYTES: usize = 320;

/// Picodollars in a microdollar.
const MICRO: u128 = 1_000_000;

/// One request to a model; or several of which the source tells only the sum.
#[derive(Clone, Debug)]
pub struct Request {
    /// The model, as the source names it.
    pub model: Rc<str>,
    /// When it was answered.
    pub at: Instant,
    /// What it took.
    pub usage: Usage,
    /// How many requests it was.
    pub count: u64,
    /// Whether a sub-agent made it.
    pub is_sub: bool,
    /// What it cost in picodollars, where the source knows better than a price list.
    pub cost: Option<u64>,
}

/// How a turn ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum End {
    /// It has not, as far as the transcript goes.
    #[default]
    Open,
    /// Normally: the agent finished.
    Done,
    /// Otherwise, and why, where that is known.
    Failed(Option<&'static str>),
}

/// What was done in a turn, as far as its task type depends on it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Work {
    /// It planned.
    pub plans: bool,
    /// It changed files.
    pub edits: bool,
    /// It ran tests, a linter or a build.
    pub checks: bool,
    /// It used tools.
    pub tools: bool,
}

impl Work {
    /// The same and more.
    pub fn add(&mut self, more: Work) {
        self.plans |= more.plans;
        self.edits |= more.edits;
        self.checks |= more.checks;
        self.tools |= more.tools;
    }
}

/// What followed a prompt until the next one.
#[derive(Clone, Debug)]
pub struct Turn {
    /// What the row's `source` tag says.
    pub source: &'static str,
    /// What the ids of its rows begin with, where it was found otherwise than usual.
    pub prefix: &'static str,
    /// What tells it from the other turns of its source, the same in every copy of a transcript.
    pub key: String,
    /// The session as the source names it.
    pub session: Rc<str>,
    /// When it began.
    pub start: Instant,
    /// When the last was heard of it.
    pub last: Instant,
    /// How long it took.
    pub duration_ms: u64,
    /// How it ended.
    pub end: End,
    /// Whether something came after it, so that it will not go on.
    pub is_followed: bool,
    /// The model of the final answer, or the last one seen before.
    pub model: Option<Rc<str>>,
    /// What was done.
    pub work: Work,
    /// Its requests.
    pub requests: Vec<Request>,
    /// Tools that failed, by the model that called them.
    pub tool_errors: Vec<(Rc<str>, u64)>,
    /// Whether its usage is unknown: the source recorded none.
    pub lacks_usage: bool,
    /// Whether it happened in a folder that is ours.
    pub is_here: bool,
    /// Whether nothing followed it in its file, so that it is read again with what is added there.
    pub is_last: bool,
    /// In which of the groups of files that were read it is.
    pub group: usize,
}

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

/// The `session` tags of one source, each worked out once: a session has many turns.
#[derive(Debug, Default)]
pub struct SessionTags(HashMap<(&'static str, Rc<str>), Rc<str>>);

impl SessionTags {
    /// That of a turn.
    pub fn of(&mut self, turn: &Turn) -> Rc<str> {
        let tag = || Rc::from(turn.session_tag());
        self.0.entry((turn.source, turn.session.clone())).or_insert_with(tag).clone()
    }
}

/// A row to be.
#[derive(Clone, Debug)]
pub struct Planned {
    /// When it began.
    pub at: Timestamp,
    /// Its id.
    pub id: String,
    /// What tells it from the rows of all sources.
    pub identity: u64,
    /// Its source.
    pub source: &'static str,
    /// The model.
    pub model: Rc<str>,
    /// All tokens.
    pub usage: Usage,
    /// Whether it succeeded.
    pub success: bool,
    /// What kind of task it was.
    pub task_type: TaskType,
    /// How long it took.
    pub duration_ms: u64,
    /// What it cost in microdollars, if everything in it has a price.
    pub cost: Option<u64>,
    /// In which group of files its turn is.
    pub group: usize,
    /// The `session` tag.
    pub session: Rc<str>,
    /// Whether its turn is the last of its session's file.
    pub is_last: bool,
    /// Tags that somebody gave by hand; they beat ours.
    pub given: Vec<String>,
    is_sub: bool,
    requests: u64,
    tool_errors: u64,
    reason: Option<&'static str>,
}

impl Turn {
    /// Whether it will not go on.
    pub fn is_finished(&self, now: Instant) -> bool {
        self.end != End::Open || self.is_followed || now.seconds - self.last.seconds > PATIENCE_S
    }

    /// The `session` tag: sessions are counted, not named.
    pub fn session_tag(&self) -> String {
        line_hash(format!("{}|{}", self.source, self.session).as_bytes(), HASH_BYTES)
    }

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

/// Words of commands that verify.
const CHECKING: [&str; 13] = [
    "test", "tests", "check", "clippy", "lint", "build", "pytest", "jest", "vitest", "tsc", "mypy",
    "ruff", "ctest",
];

/// Whether a command line tests, checks or builds.
pub fn checks(command: &str) -> bool {
    let is_apart = |c: char| !(c.is_alphanumeric() || c == '_');
    let mut before = "";
    command.split(is_apart).any(|word| {
        let is_vet = before == "go" && word == "vet";
        before = word;
        is_vet || CHECKING.contains(&word)
    })
}

/// The name under which a model's rows are stored.
fn named(raw: &Rc<str>, making: &Maker<'_>) -> Rc<str> {
    making.book.model(raw).name.clone()
}

/// From one moment to a later one; 0 to an earlier one.
pub fn millis_between(from: Instant, to: Instant) -> u64 {
    let millis = |at: Instant| i128::from(at.seconds) * 1_000 + i128::from(at.nanos / 1_000_000);
    u64::try_from(millis(to) - millis(from)).unwrap_or(0).min(COUNT_MAX)
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

impl Planned {
    /// Whether it is a sub-agent's, or another model's than that of the final answer.
    pub fn is_sub(&self) -> bool {
        self.is_sub
    }

    /// The row, checked as any other; `rev` and the free text are those of a later revision.
    ///
    /// # Errors
    /// A field or a tag that may not be stored.
    pub fn entry(
        &self,
        revision: Option<(u64, &str)>,
        screen: &Screen<'_>,
        withheld: &mut Withheld,
    ) -> Result<Entry<'static>, Refused> {
        let (rev, text) = revision.unwrap_or_default();
        // All that is written of it in one text, which is then told apart: rows are many.
        let mut all = String::with_capacity(TEXT_BYTES);
        let mut ends = [0; FIELDS_MAX];
        let mut count = 0;
        let mut put = |field: std::fmt::Arguments<'_>| {
            // Writing to a text does not fail.
            let _ = all.write_fmt(field);
            ends[count] = all.len();
            count += 1;
        };
        put(format_args!("{}", self.at));
        put(format_args!("{}", self.usage.prompt));
        put(format_args!("{}", self.usage.completion));
        put(format_args!("{}", self.duration_ms));
        put(format_args!("source={}", self.source));
        put(format_args!("id={}", self.id));
        put(format_args!("session={}", self.session));
        if self.is_sub {
            put(format_args!("role=sub"));
        }
        for (key, count) in [
            ("requests", self.requests),
            ("rev", rev),
            ("tool_errors", self.tool_errors),
            ("cache_read", self.usage.cache_read),
            ("cache_write", self.usage.cache_write),
            ("cache_write_1h", self.usage.cache_write_1h),
        ] {
            if count > 0 {
                put(format_args!("{key}={count}"));
            }
        }
        if let Some(cost) = self.cost {
            put(format_args!("cost_usd={}.{:06}", cost / 1_000_000, cost % 1_000_000));
        }
        if let Some(reason) = self.reason {
            put(format_args!("reason={reason}"));
        }
        let mut fields = [""; FIELDS_MAX];
        let mut start = 0;
        for (field, end) in fields.iter_mut().zip(ends).take(count) {
            *field = &all[start..end];
            start = end;
        }
        let ([stamp, prompt, completion, duration], tags) = fields[..count]
            .split_at_checked(4)
            .and_then(|(head, tags)| Some((<[&str; 4]>::try_from(head).ok()?, tags)))
            .unwrap_or_default();
        let key = |tag: &str| tag.split('=').next().map(str::to_owned);
        let is_ours = |tag: &&&str| !self.given.iter().any(|given| key(given) == key(tag));
        let given: Vec<&str>;
        let tags = match self.given.is_empty() {
            true => tags,
            false => {
                let ours = tags.iter().filter(is_ours).copied();
                given = ours.chain(self.given.iter().map(String::as_str)).collect();
                &given
            }
        };
        let draft = Draft {
            timestamp: Some(stamp),
            model: &self.model,
            prompt_tokens: prompt,
            completion_tokens: completion,
            task_success: if self.success { "true" } else { "false" },
            task_type: self.task_type.name(),
            duration,
            notes: text,
            tags,
        };
        check(&draft, screen, withheld).map(Entry::into_owned)
    }
}
