//! What an import reads of Codex rollouts that grew: the last turn and what follows it; and that its rows
//! are those of imports that read everything.

use std::path::{Path, PathBuf};

use usage_ledger::timestamp::{Instant, Timestamp};

use crate::import_story::{BEGIN, Bench, How, Tokens, Written};
use crate::transcripts::Dice;

/// How a thread tells of its tokens.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Tells {
    Sums,
    Records,
    /// The usage of each response, without a sum.
    Alone,
}

struct Thread {
    file: PathBuf,
    id: String,
    tells: Tells,
    /// The turns have ids, and an end.
    has_tasks: bool,
    is_open: bool,
    turns: Vec<String>,
    sum: Tokens,
}

/// Writes rollouts.
struct Story {
    dice: Dice,
    number: u64,
    threads: Vec<Thread>,
    lines: Vec<Written>,
    truth: Tokens,
}

impl Story {
    fn tell(seed: u64, steps: usize, has_children: bool) -> Story {
        let (dice, lines, threads) = (Dice::new(seed), Vec::new(), Vec::new());
        let mut story = Story { dice, number: 0, threads, lines, truth: (0, 0) };
        story.begin(None);
        for _ in 0..steps {
            let at = story.dice.below(story.threads.len() as u64) as usize;
            match story.dice.below(60) {
                0 | 1 => story.begin(None),
                2..6 if has_children && story.threads[at].is_open => story.spawn(at),
                _ => story.go_on(at),
            }
        }
        story
    }

    fn id(&mut self) -> u64 {
        self.number += 1;
        self.number
    }

    fn begin(&mut self, parent: Option<usize>) {
        let (number, name) = (self.id(), self.dice.below(1 << 30));
        let tells = [Tells::Sums, Tells::Records, Tells::Alone][self.dice.below(3) as usize];
        let thread = Thread {
            file: PathBuf::from(format!("rollout-{name:08x}-{number}.jsonl")),
            id: format!("th{number}"),
            tells,
            has_tasks: self.dice.below(4) > 0,
            is_open: false,
            turns: Vec::new(),
            sum: (0, 0),
        };
        let source = match parent.map(|at| &self.threads[at].id) {
            None => r#""cli""#.to_owned(),
            Some(id) => format!(
                r#"{{"subagent":{{"thread_spawn":{{"parent_thread_id":"{id}"}}}}}},"parent_thread_id":"{id}""#
            ),
        };
        let meta = format!(r#""id":"{}","cwd":"/w","source":{source}"#, thread.id);
        self.threads.push(thread);
        self.write(self.threads.len() - 1, "session_meta", &meta);
    }

    /// A thread calls a sub-agent; its own answer may come to its file later, or never.
    fn spawn(&mut self, at: usize) {
        match self.dice.below(2) {
            0 => self.write(at, "response_item", r#""type":"function_call","name":"spawn""#),
            _ => self.open(at),
        }
        self.begin(Some(at));
        if self.dice.below(2) == 0 {
            let child = self.threads.len() - 1;
            self.open(child);
            let turn = self.threads[child].turns.last().cloned().unwrap_or_default();
            self.respond(child, turn);
        }
    }

    fn write(&mut self, at: usize, kind: &str, payload: &str) {
        let seconds = BEGIN + self.id() as i64;
        let time = Timestamp::utc(Instant { seconds, nanos: 0 });
        let line = format!(r#"{{"timestamp":"{time}","type":"{kind}","payload":{{{payload}}}}}"#);
        let file = self.threads[at].file.clone();
        self.lines.push(Written { file, line, told: None });
    }

    fn event(&mut self, at: usize, kind: &str, rest: &str) {
        self.write(at, "event_msg", &format!(r#""type":"{kind}"{rest}"#));
    }

    fn open(&mut self, at: usize) {
        let id = format!("t{}", self.id());
        let model = ["gpt-5.6-sol", "gpt-5.6-nova", "gpt-5.5"][self.dice.below(3) as usize];
        let context = format!(r#""turn_id":"{id}","cwd":"/w","model":"{model}""#);
        let (has_tasks, is_prompt_first) = (self.threads[at].has_tasks, self.dice.below(3) == 0);
        if !has_tasks || is_prompt_first {
            self.event(at, "user_message", r#","message":"x""#);
        }
        if has_tasks {
            self.event(at, "task_started", &format!(r#","turn_id":"{id}""#));
            self.write(at, "turn_context", &context);
            if !is_prompt_first {
                self.event(at, "user_message", r#","message":"x""#);
            }
            self.threads[at].turns.push(id);
        }
        self.threads[at].is_open = true;
    }

    fn go_on(&mut self, at: usize) {
        let thread = &self.threads[at];
        let (has_tasks, is_open) = (thread.has_tasks, thread.is_open);
        let turn = thread.turns.last().cloned().unwrap_or_default();
        if !is_open || self.dice.below(14) == 0 {
            return self.open(at);
        }
        match self.dice.below(14) {
            0 => {
                let file = self.threads[at].file.clone();
                let line = r#"{"type":"event_msg","payload":"#.to_owned();
                self.lines.push(Written { file, line, told: None });
            }
            1 => self.event(at, "patch_apply_end", r#","success":false"#),
            2 => self.event(
                at,
                "thread_settings_applied",
                r#","thread_settings":{"model":"gpt-5.6-sol"}"#,
            ),
            3 => {
                let id = self.threads[at].id.clone();
                self.write(at, "session_meta", &format!(r#""id":"{id}","cwd":"/w""#));
            }
            4 | 5 if has_tasks => {
                let id = format!(r#","turn_id":"{turn}","duration_ms":777"#);
                let how = if self.dice.below(3) == 0 { "turn_aborted" } else { "task_complete" };
                self.event(at, how, &id);
                self.threads[at].is_open = false;
            }
            6 if self.dice.below(8) == 0 => {
                // A request of an earlier turn comes to its end.
                let turns = &self.threads[at].turns;
                let late = turns.len().checked_sub(2).map(|at| turns[at].clone());
                self.respond(at, late.unwrap_or(turn));
            }
            _ => self.respond(at, turn),
        }
    }

    fn respond(&mut self, at: usize, turn: String) {
        let (input, output) = (1 + self.dice.below(90_000), 1 + self.dice.below(9_000));
        self.truth = (self.truth.0 + input, self.truth.1 + output);
        let usage = |(input, output): Tokens| {
            format!(r#"{{"input_tokens":{input},"output_tokens":{output}}}"#)
        };
        let last = usage((input, output));
        let sum = &mut self.threads[at].sum;
        // Now and then sums are begun anew.
        *sum = match self.dice.below(12) {
            0 if sum.0 > input && sum.1 > output => (input, output),
            _ => (sum.0 + input, sum.1 + output),
        };
        let info = match self.threads[at].tells {
            Tells::Alone => format!(r#","info":{{"last_token_usage":{last}}}"#),
            _ => {
                let sum = usage(self.threads[at].sum);
                format!(r#","info":{{"total_token_usage":{sum},"last_token_usage":{last}}}"#)
            }
        };
        if self.threads[at].tells == Tells::Records {
            let id = format!("r{}", self.id());
            let record = format!(r#""turn_id":"{turn}","response_id":"{id}","usage":{last}"#);
            for _ in 0..=self.dice.below(2) {
                self.write(at, "token_usage_record", &record);
            }
        }
        self.event(at, "token_count", &info);
        if self.dice.below(3) == 0 {
            // The same again: the limits were refreshed.
            let again = self.lines.last().unwrap().clone();
            self.lines.push(again);
        }
    }
}

/// Wherever it is interrupted, what an import knows of earlier ones changes nothing but what it reads.
#[test]
fn what_is_known_of_rollouts_saves_work_and_changes_nothing() {
    let (mut least, mut most) = (0, 0);
    for seed in 1..=24 {
        let has_children = seed % 3 == 0;
        let story = Story::tell(seed, 120, has_children);
        let mut dice = Dice::new(seed + 1_000);
        let (mut known, mut anew) = (Bench::of("codex"), Bench::of("codex"));
        let mut from = 0;
        while from < story.lines.len() {
            let to = (from + 1 + dice.below(9) as usize).min(story.lines.len());
            let line = &story.lines[to - 1].line;
            let cut = 1 + dice.below(line.len() as u64 - 2) as usize;
            let torn = (dice.below(3) == 0).then(|| &line[..cut]);
            for (bench, is_anew) in [(&mut known, false), (&mut anew, true)] {
                bench.write(&story.lines[from..to], torn);
                let tally = bench.import(How { is_anew, ..How::default() });
                if !has_children {
                    *(if is_anew { &mut most } else { &mut least }) += tally.findings.bytes;
                }
                if torn.is_some() {
                    bench.write(&story.lines[to - 1..to], Some(&line[cut..]));
                    bench.append(&story.lines[to - 1].file, b"\n");
                }
            }
            let (had, all) = (known.rows(), anew.rows());
            let is_other = |row: &&String| !had.values().any(|it| it == *row);
            assert_eq!(all.values().find(is_other), None, "seed {seed}, line {to}");
            assert_eq!(had.len(), all.len(), "seed {seed}, line {to}");
            from = to;
        }
        for bench in [&mut known, &mut anew] {
            bench.import(How { is_over: true, ..How::default() });
            bench.import(How { is_over: true, is_refresh: true, ..How::default() });
            assert_eq!(bench.sum(), story.truth, "seed {seed}");
        }
        let mut once = Bench::of("codex");
        once.write(&story.lines, None);
        once.import(How { is_over: true, ..How::default() });
        assert_eq!(once.sum(), story.truth, "seed {seed}");
        let (had, all) = (known.rows(), once.rows());
        assert!(all.keys().all(|row| had.contains_key(row)), "seed {seed}");
    }
    assert!(least * 2 < most, "{least} of {most} bytes were read");
}

const FILE: &str = "rollout-a.jsonl";

fn meta(rest: &str) -> String {
    format!(
        "{{\"timestamp\":\"2026-01-01T00:00:00Z\",\"type\":\"session_meta\",\"payload\":{{\"id\":\"a\",\
         \"cwd\":\"/w\"{rest}}}}}\n"
    )
}

/// A turn in lines, which used 100 tokens more than the one before.
fn turn(number: usize, pad: usize) -> String {
    let (hour, minute) = (number / 60 % 24, number % 60);
    let event = |second: u8, rest: &str| {
        format!(
            "{{\"timestamp\":\"2026-01-01T{hour:02}:{minute:02}:{second:02}Z\",\"type\":\"event_msg\",\
             \"payload\":{{{rest}}}}}\n"
        )
    };
    let (text, sum) = ("x".repeat(pad), 100 * (number + 1));
    event(0, &format!(r#""type":"task_started","turn_id":"t{number}""#))
        + &event(1, &format!(r#""type":"user_message","message":"{text}""#))
        + &event(
            2,
            &format!(
                r#""type":"token_count","info":{{"total_token_usage":{{"input_tokens":{sum}}},"last_token_usage":{{"input_tokens":100}}}}"#
            ),
        )
        + &event(3, &format!(r#""type":"task_complete","turn_id":"t{number}","duration_ms":5"#))
}

fn turns(numbers: std::ops::Range<usize>, pad: usize) -> String {
    numbers.map(|it| turn(it, pad)).collect()
}

/// Counts what is read: the last turn and what follows it.
#[test]
fn of_a_rollout_that_grew_only_what_is_new_is_read() {
    let file = Path::new(FILE);
    let mut bench = Bench::of("codex");
    let read = |bench: &mut Bench, text: &str| {
        bench.append(file, text.as_bytes());
        let tally = bench.import(How::default());
        assert_eq!(tally.turns, bench.rows().len() as u64);
        tally.findings.bytes as usize
    };
    let old = meta("") + &turns(0..200, 5_000);
    assert_eq!(read(&mut bench, &old), old.len());
    let new = turns(200..205, 3_000);
    assert_eq!(read(&mut bench, &new), turn(199, 5_000).len() + new.len());
    assert_eq!((bench.rows().len(), bench.sum()), (205, (20_500, 0)));
    assert_eq!(bench.import(How::default()).findings.bytes, 0);
    let (last, next) = (turn(204, 3_000), turn(205, 3_000));
    assert_eq!(read(&mut bench, &next), last.len() + next.len());
    // A response of an earlier turn comes late: what it was counted with is read, too.
    let late = concat!(
        r#"{"timestamp":"2026-01-01T09:00:00Z","type":"token_usage_record","payload":{"thread_id":"a","#,
        r#""turn_id":"t7","response_id":"r","usage":{"input_tokens":5}}}"#,
        "\n"
    );
    let whole = old.len() + new.len() + next.len() + late.len();
    assert_eq!(read(&mut bench, late), whole);
    // The ledger lost its rows.
    bench.forget_rows();
    assert_eq!(read(&mut bench, ""), whole);
}

/// Whatever is in doubt is read as a whole, and so is what has relatives.
#[test]
fn a_rollout_that_is_not_what_it_was_is_read_again() {
    let (file, old, new) = (Path::new(FILE), meta("") + &turns(0..40, 500), turn(40, 500));
    let all = old.clone() + &new;
    let child = meta(r#","parent_thread_id":"a""#).replace("\"id\":\"a\"", "\"id\":\"b\"");
    let parent = r#","forked_from_id":"gone""#;
    for (what, before, after, child, is_whole) in [
        ("it grew", &old, &all, None, false),
        ("its beginning changed", &old, &all.replacen("xx", "yy", 1), None, true),
        ("it shrank", &old, &old[..old.len() / 2].to_owned(), None, true),
        ("it got a child", &old, &all, Some(&child), true),
        (
            "it has a parent",
            &old.replacen("\"cwd\":\"/w\"", &format!("\"cwd\":\"/w\"{parent}"), 1),
            &all.replacen("\"cwd\":\"/w\"", &format!("\"cwd\":\"/w\"{parent}"), 1),
            None,
            true,
        ),
    ] {
        let mut bench = Bench::of("codex");
        bench.append(file, before.as_bytes());
        bench.import(How::default());
        bench.replace(file, after.as_bytes());
        child.iter().for_each(|it| bench.append(Path::new("rollout-b.jsonl"), it.as_bytes()));
        let read = bench.import(How::default()).findings.bytes as usize;
        assert_eq!(read == after.len() + child.map_or(0, String::len), is_whole, "{what}: {read}");
        let mut once = Bench::of("codex");
        once.append(file, after.as_bytes());
        once.import(How::default());
        let (had, rows) = (bench.rows(), once.rows());
        assert!(rows.keys().all(|row| had.contains_key(row)), "{what}");
    }
}
