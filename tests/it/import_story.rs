//! Sessions of Claude Code as they are written, line by line: with responses in pieces, sub-agents that
//! outlive their turns, forks in the middle of a turn; and imports into a ledger while they grow.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use tempfile::TempDir;
use usage_ledger::intake::import::cursor::Cursor;
use usage_ledger::intake::import::homes::Homes;
use usage_ledger::intake::import::rows::{Grain, Making};
use usage_ledger::intake::import::scope::Scope;
use usage_ledger::intake::import::source;
use usage_ledger::intake::import::tally::Tally;
use usage_ledger::intake::import::wanted::{Bound, Import};
use usage_ledger::notes::Screen;
use usage_ledger::pricing::Prices;
use usage_ledger::redact::Redactor;
use usage_ledger::timestamp::{Instant, Timestamp};
use usage_ledger::workspace::Place;

use crate::sandbox::HEADER;
use crate::transcripts::Dice;

/// 2026-01-01T00:00:00Z.
pub(crate) const BEGIN: i64 = 1_767_225_600;

const DAY: i64 = 86_400;

/// What a response took: what the model read, and what it wrote.
pub(crate) type Tokens = (u64, u64);

/// A line that was written, of which file, and what it tells of which response.
#[derive(Clone, Debug)]
pub(crate) struct Written {
    pub(crate) file: PathBuf,
    pub(crate) line: String,
    pub(crate) told: Option<(u64, Tokens)>,
}

/// What all lines tell: each response once, as the line says that tells the most.
pub(crate) fn truth(lines: &[Written]) -> Tokens {
    let mut responses: BTreeMap<u64, Tokens> = BTreeMap::new();
    for (id, tokens) in lines.iter().filter_map(|it| it.told) {
        let most = responses.entry(id).or_default();
        *most = if tokens.0 + tokens.1 >= most.0 + most.1 { tokens } else { *most };
    }
    responses.values().fold((0, 0), |sum, it| (sum.0 + it.0, sum.1 + it.1))
}

struct Session {
    file: PathBuf,
    /// Its own lines and those that it was forked with.
    lines: Vec<Written>,
    is_open: bool,
    /// Files of sub-agents that may go on.
    agents: Vec<PathBuf>,
}

/// Writes sessions.
pub(crate) struct Story {
    dice: Dice,
    has_forks: bool,
    number: u64,
    sessions: Vec<Session>,
    pub(crate) lines: Vec<Written>,
}

impl Story {
    /// So many steps of a few sessions.
    pub(crate) fn tell(seed: u64, steps: usize, has_forks: bool) -> Story {
        let mut story = Story {
            dice: Dice::new(seed),
            has_forks,
            number: 0,
            sessions: Vec::new(),
            lines: Vec::new(),
        };
        story.begin();
        for _ in 0..steps {
            match story.dice.below(40) {
                0 => story.begin(),
                1..5 if story.has_forks => story.fork(),
                _ => story.go_on(),
            }
        }
        story
    }

    fn id(&mut self) -> u64 {
        self.number += 1;
        self.number
    }

    fn pick(&mut self) -> usize {
        self.dice.below(self.sessions.len() as u64) as usize
    }

    fn begin(&mut self) {
        let file = self.new_file();
        self.sessions.push(Session { file, lines: Vec::new(), is_open: false, agents: Vec::new() });
    }

    /// Names tell nothing of which session was first.
    fn new_file(&mut self) -> PathBuf {
        let (id, name) = (self.id(), self.dice.below(1 << 30));
        PathBuf::from(format!("{name:08x}-{id}.jsonl"))
    }

    fn write(&mut self, at: usize, line: String, told: Option<(u64, Tokens)>) {
        let file = self.sessions[at].file.clone();
        let written = Written { file, line, told };
        self.sessions[at].lines.push(written.clone());
        self.lines.push(written);
    }

    fn words(&mut self, file: &Path) -> String {
        let seconds = BEGIN + self.id() as i64;
        let at = Timestamp::utc(Instant { seconds, nanos: 0 });
        let session = file.file_stem().unwrap().to_string_lossy();
        format!(r#""sessionId":"{session}","cwd":"/w","timestamp":"{at}""#)
    }

    fn go_on(&mut self) {
        let at = self.pick();
        let file = self.sessions[at].file.clone();
        if !self.sessions[at].is_open || self.dice.below(12) == 0 {
            let (words, id) = (self.words(&file), self.id());
            let prompt =
                if id % 2 == 0 { format!(r#""promptId":"p{id}","#) } else { String::new() };
            let line =
                format!(r#"{{"type":"user",{prompt}{words},"message":{{"content":"do it"}}}}"#);
            self.write(at, line, None);
            self.sessions[at].is_open = true;
            return;
        }
        match self.dice.below(12) {
            0 => {
                let line = r#"{"type":"assistant","message":"#.to_owned();
                self.write(at, line, None);
            }
            1 => self.call_agent(at),
            2..5 => self.agent_goes_on(at),
            5 => self.replay(at),
            6 | 7 => {
                self.respond(at, "end_turn", "");
                self.sessions[at].is_open = false;
                if self.dice.below(2) == 0 {
                    let words = self.words(&file);
                    let line = format!(
                        r#"{{"type":"system","subtype":"turn_duration","durationMs":777,{words}}}"#
                    );
                    self.write(at, line, None);
                }
            }
            _ => {
                self.respond(at, "tool_use", r#"{"type":"tool_use","name":"Edit","id":"e"}"#);
                let (words, error) = (self.words(&file), self.dice.below(2) == 0);
                let line = format!(
                    r#"{{"type":"user",{words},"message":{{"content":[{{"type":"tool_result","is_error":{error}}}]}}}}"#
                );
                self.write(at, line, None);
            }
        }
    }

    /// A response in one piece or more, which says more and more.
    fn response(&mut self, file: &Path, is_agent: bool, stop: &str, block: &str) -> Vec<Written> {
        let (id, input, output) = (self.id(), self.dice.below(900), 100 + self.dice.below(900));
        let pieces = 1 + self.dice.below(3);
        let mut lines = Vec::new();
        for piece in 1..=pieces {
            let is_last = piece == pieces;
            let output = if is_last { output } else { piece };
            let stop = if is_last { format!("\"{stop}\"") } else { "null".to_owned() };
            let block = if is_last { block } else { "" };
            let words = self.words(file);
            let line = format!(
                r#"{{"type":"assistant","isSidechain":{is_agent},{words},"message":{{"id":"m{id}","model":"claude-opus-5-5","stop_reason":{stop},"content":[{block}],"usage":{{"input_tokens":{input},"output_tokens":{output}}}}}}}"#
            );
            lines.push(Written { file: file.to_owned(), line, told: Some((id, (input, output))) });
        }
        lines
    }

    fn respond(&mut self, at: usize, stop: &str, block: &str) {
        let file = self.sessions[at].file.clone();
        for written in self.response(&file, false, stop, block) {
            self.write(at, written.line, written.told);
        }
    }

    fn call_agent(&mut self, at: usize) {
        let id = self.id();
        let block = format!(r#"{{"type":"tool_use","name":"Task","id":"call{id}"}}"#);
        self.respond(at, "tool_use", &block);
        let session = self.sessions[at].file.with_extension("");
        let agent = session.join(format!("subagents/agent-{id}.jsonl"));
        let line = format!(r#"{{"toolUseId":"call{id}"}}"#);
        self.lines.push(Written { file: agent.with_extension("meta.json"), line, told: None });
        self.sessions[at].agents.push(agent);
        self.agent_goes_on(at);
    }

    fn agent_goes_on(&mut self, at: usize) {
        if let Some(agent) = self.sessions[at].agents.last().cloned() {
            let lines = self.response(&agent, true, "end_turn", "");
            self.lines.extend(lines);
        }
    }

    /// A sub-agent repeats what its session said.
    fn replay(&mut self, at: usize) {
        let Some(agent) = self.sessions[at].agents.last().cloned() else { return };
        let main = self.sessions[at].lines.iter().rev();
        let Some(said) = main.clone().find(|it| it.told.is_some()).cloned() else { return };
        let line = said.line.replace("\"isSidechain\":false", "\"isSidechain\":true");
        self.lines.push(Written { file: agent, line, told: None });
    }

    /// A copy of a session up to some line, which may be in the middle of a response. What the session
    /// wrote last may come to the disk only later.
    fn fork(&mut self) {
        let at = self.pick();
        let length = self.sessions[at].lines.len() as u64;
        let length = length - self.dice.below(length.min(8) + 1);
        let mut lines = self.sessions[at].lines[..length as usize].to_vec();
        let is_of_it = |it: &&Written| it.file == self.sessions[at].file;
        let late = self.lines.iter().rev().take_while(is_of_it).count() as u64;
        let late = self.dice.below(late + 1) as usize;
        let late = self.lines.split_off(self.lines.len() - late);
        let file = self.new_file();
        let (old, new) = (self.sessions[at].file.clone(), file.clone());
        let name = |path: &Path| format!("\"{}\"", path.file_stem().unwrap().to_string_lossy());
        for written in &mut lines {
            written.line = written.line.replace(&name(&old), &name(&new));
            written.file = file.clone();
        }
        self.lines.extend(lines.clone());
        self.lines.extend(late);
        // Most forks go on with a prompt.
        let is_open = self.dice.below(8) == 0;
        self.sessions.push(Session { file, lines, is_open, agents: Vec::new() });
    }
}

/// How an import is done.
#[derive(Clone, Copy, Default)]
pub(crate) struct How<'a> {
    pub(crate) is_refresh: bool,
    /// It forgets what it knew.
    pub(crate) is_anew: bool,
    /// Nothing is read but the session that this file is of.
    pub(crate) only: Option<&'a Path>,
    /// Nobody will be heard of any more.
    pub(crate) is_over: bool,
}

/// A home with transcripts, and a ledger.
pub(crate) struct Bench {
    folder: TempDir,
    source: &'static str,
    cursor: Cursor,
    steps: u64,
    last: i64,
}

impl Bench {
    pub(crate) fn new() -> Bench {
        Bench::of("claude-code")
    }

    /// The same for transcripts of another source.
    pub(crate) fn of(source: &'static str) -> Bench {
        let folder = TempDir::with_prefix("usage-ledger-").unwrap();
        let bench = Bench { folder, source, cursor: Cursor::empty(""), steps: 0, last: BEGIN };
        bench.forget_rows();
        bench
    }

    fn place(&self) -> Place {
        Place::in_repository(self.folder.path())
    }

    /// An empty ledger.
    pub(crate) fn forget_rows(&self) {
        fs::create_dir_all(self.place().folder()).unwrap();
        fs::write(self.place().active(), format!("{HEADER}\n")).unwrap();
    }

    /// Where the transcripts of a project are.
    pub(crate) fn path(&self, file: impl AsRef<Path>) -> PathBuf {
        let folder = match self.source {
            "codex" => ".codex/sessions/2026/01",
            _ => ".claude/projects/p",
        };
        self.folder.path().join(folder).join(file)
    }

    /// Adds bytes to a transcript, or begins it.
    pub(crate) fn append(&mut self, file: &Path, bytes: &[u8]) {
        let path = self.path(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let mut file = fs::File::options().append(true).create(true).open(path).unwrap();
        file.write_all(bytes).unwrap();
        self.settle(&file);
    }

    /// Writes a transcript anew.
    pub(crate) fn replace(&mut self, file: &Path, bytes: &[u8]) {
        fs::write(self.path(file), bytes).unwrap();
        self.settle(&fs::File::options().append(true).open(self.path(file)).unwrap());
    }

    /// It was changed a minute after whatever was changed before.
    fn settle(&mut self, file: &fs::File) {
        self.steps += 1;
        file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(self.steps * 60)).unwrap();
    }

    /// The lines, the last one perhaps not to its end.
    pub(crate) fn write(&mut self, lines: &[Written], torn: Option<&str>) {
        for (at, written) in lines.iter().enumerate() {
            let is_last = at + 1 == lines.len();
            let text = torn.filter(|_| is_last).unwrap_or(&written.line);
            let end = if is_last && torn.is_some() { "" } else { "\n" };
            self.append(&written.file, format!("{text}{end}").as_bytes());
        }
    }

    /// Imports; what was said of it.
    pub(crate) fn import(&mut self, how: How<'_>) -> Tally {
        self.last += 60;
        let place = self.place();
        let homes = Homes { home: Some(self.folder.path().to_owned()), ..Homes::default() };
        let redactor = Redactor::default();
        let is_first = |path: &Path| {
            let only = how.only.map(|it| self.path(it));
            only.is_some_and(|only| path == only)
        };
        let import = Import {
            place: &place,
            waiting: &[],
            homes: &homes,
            making: Making {
                grain: Grain::Turn,
                task_type: None,
                prices: &Prices::load(&place).unwrap(),
                local: &Timestamp::utc,
            },
            since: None,
            border: None,
            is_refresh: how.is_refresh,
            now: Instant { seconds: self.last + if how.is_over { 9 * DAY } else { 0 }, nanos: 0 },
            system_now: SystemTime::UNIX_EPOCH + Duration::from_secs((self.steps + 1) * 60),
            screen: &Screen { redactor: &redactor, forbids_notes: false, forbids_tags: false },
            bound: how.only.map(|_| Bound { is_first: &is_first, bytes_max: 0 }),
            progress: &|_| {},
        };
        let cursor = (!how.is_anew && !how.is_refresh).then_some(&self.cursor);
        let source = source(self.source).unwrap();
        let mut imports = import.run(&[source], &mut Scope::everywhere(), cursor).unwrap();
        let mut lines = Vec::new();
        imports.entries.iter().for_each(|entry| entry.row.write_line(&mut lines));
        fs::File::options().append(true).open(place.active()).unwrap().write_all(&lines).unwrap();
        self.cursor.replace(&[self.source], imports.known);
        imports.tallies.remove(0)
    }

    /// The rows that stand, by their id and model.
    pub(crate) fn rows(&self) -> BTreeMap<(String, String), String> {
        let mut rows: BTreeMap<(String, String), (u64, String)> = BTreeMap::new();
        for line in fs::read_to_string(self.place().active()).unwrap().lines().skip(1) {
            let fields: Vec<&str> = line.split(',').collect();
            let tag = |key: &str| {
                let mut tags = fields[7].trim_matches(['{', '}']).split(' ');
                tags.find_map(|tag| tag.strip_prefix(key)?.strip_prefix('='))
            };
            let rev = tag("rev").map_or(0, |rev| rev.parse().unwrap());
            let key = (tag("id").unwrap().to_owned(), fields[1].to_owned());
            let row = rows.entry(key).or_default();
            if row.1.is_empty() || rev > row.0 {
                *row = (rev, line.to_owned());
            }
        }
        rows.into_iter().map(|(key, (_, line))| (key, line)).collect()
    }

    /// What the ledger says in sum.
    pub(crate) fn sum(&self) -> Tokens {
        let count = |field: Option<&str>| field.unwrap().parse::<u64>().unwrap();
        let sum = |sum: Tokens, row: &String| {
            let mut fields = row.split(',').skip(2);
            (sum.0 + count(fields.next()), sum.1 + count(fields.next()))
        };
        self.rows().values().fold((0, 0), sum)
    }
}
