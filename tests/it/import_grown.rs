//! What an import reads of sessions that grew: what is new, and nothing else; and that its rows are those
//! of imports that read everything.

use std::path::Path;

use crate::import_story::{Bench, How, Story, truth};
use crate::transcripts::Dice;

/// Wherever it is interrupted, what an import knows of earlier ones changes nothing but what it reads.
#[test]
fn what_is_known_saves_work_and_changes_nothing() {
    let (mut least, mut most) = (0, 0);
    for seed in 1..=25 {
        let story = Story::tell(seed, 90, false);
        let mut dice = Dice::new(seed + 1_000);
        let (mut known, mut anew) = (Bench::new(), Bench::new());
        let mut from = 0;
        while from < story.lines.len() {
            let to = (from + 1 + dice.below(9) as usize).min(story.lines.len());
            let line = &story.lines[to - 1].line;
            let cut = 1 + dice.below(line.len() as u64 - 2) as usize;
            let torn = (dice.below(3) == 0).then(|| &line[..cut]);
            for (bench, is_anew) in [(&mut known, false), (&mut anew, true)] {
                bench.write(&story.lines[from..to], torn);
                let tally = bench.import(How { is_anew, ..How::default() });
                *(if is_anew { &mut most } else { &mut least }) += tally.findings.bytes;
                if torn.is_some() {
                    bench.write(&story.lines[to - 1..to], Some(&line[cut..]));
                    bench.append(&story.lines[to - 1].file, b"\n");
                }
            }
            assert_eq!(known.rows(), anew.rows(), "seed {seed}, line {to}");
            from = to;
        }
        for bench in [&mut known, &mut anew] {
            bench.import(How { is_over: true, ..How::default() });
            bench.import(How { is_over: true, is_refresh: true, ..How::default() });
            assert_eq!(bench.sum(), truth(&story.lines), "seed {seed}");
        }
        let rows = known.rows();
        let is_same = |bench: &Bench| {
            let counts =
                |line: &String| line.split(',').skip(2).take(2).collect::<Vec<_>>().join(" ");
            let all = bench.rows();
            assert!(all.keys().eq(rows.keys()), "seed {seed}");
            all.values().map(counts).eq(rows.values().map(counts))
        };
        let mut once = Bench::new();
        once.write(&story.lines, None);
        once.import(How { is_over: true, ..How::default() });
        assert!(is_same(&once) && is_same(&anew), "seed {seed}");
    }
    assert!(least * 2 < most, "{least} of {most} bytes were read");
}

/// Forks in the middle of a turn and of a response, originals that come to the disk after their forks,
/// imports that read one session alone: never more than there is, and after a refresh all of it.
#[test]
fn forks_are_counted_once_whatever_is_known_of_them() {
    let mut forks = 0;
    for seed in 1..=40 {
        let story = Story::tell(seed, 60, true);
        let mut dice = Dice::new(seed + 5_000);
        let mut bench = Bench::new();
        let mut from = 0;
        while from < story.lines.len() {
            let to = (from + 1 + dice.below(30) as usize).min(story.lines.len());
            bench.write(&story.lines[from..to], None);
            let only = Some(&*story.lines[to - 1].file).filter(|_| dice.below(3) == 0);
            let (is_anew, is_refresh) = (dice.below(4) == 0, dice.below(10) == 0);
            bench.import(How { is_anew, is_refresh, only, is_over: dice.below(9) == 0 });
            let (had, is) = (bench.sum(), truth(&story.lines[..to]));
            assert!(had.0 <= is.0 && had.1 <= is.1, "seed {seed}, line {to}: {had:?} of {is:?}");
            from = to;
        }
        bench.import(How { is_over: true, ..How::default() });
        bench.import(How { is_over: true, is_refresh: true, ..How::default() });
        assert_eq!(bench.sum(), truth(&story.lines), "seed {seed}");
        let mut once = Bench::new();
        once.write(&story.lines, None);
        let tally = once.import(How { is_over: true, ..How::default() });
        assert_eq!(once.sum(), truth(&story.lines), "seed {seed}");
        forks += tally.findings.repeated;
        let rows = once.rows();
        once.import(How { is_over: true, is_anew: true, is_refresh: true, ..How::default() });
        assert_eq!(once.rows(), rows, "seed {seed}");
    }
    assert!(forks > 1_000, "the test has lost its eyes");
}

const DONE: &str = "\"end_turn\"";

/// A turn in lines; `number` is when, and what its response is called.
fn turn(number: usize, pad: usize, stop: &str) -> String {
    let (hour, minute) = (number / 60 % 24, number % 60);
    let day = number / 1440 + 1;
    let words = |second: u8| {
        format!(
            r#""sessionId":"s","cwd":"/w","timestamp":"2026-01-{day:02}T{hour:02}:{minute:02}:{second:02}Z""#
        )
    };
    let text = "x".repeat(pad);
    format!(
        "{{\"type\":\"user\",{},\"message\":{{\"content\":\"{text}\"}}}}\n\
         {{\"type\":\"assistant\",{},\"message\":{{\"id\":\"m{number}\",\"model\":\"claude-opus-5-5\",\
         \"stop_reason\":{stop},\"content\":[],\"usage\":{{\"input_tokens\":{number},\
         \"output_tokens\":5}}}}}}\n",
        words(0),
        words(5)
    )
}

fn turns(numbers: std::ops::Range<usize>, pad: usize) -> String {
    numbers.map(|it| turn(it, pad, DONE)).collect()
}

const FILE: &str = "s.jsonl";

/// Counts what is read: the last turn and what follows it.
#[test]
fn of_a_session_that_grew_only_what_is_new_is_read() {
    let file = Path::new(FILE);
    let mut bench = Bench::new();
    let read = |bench: &mut Bench, text: &str| {
        bench.append(file, text.as_bytes());
        bench.import(How::default()).findings.bytes as usize
    };
    // The last one goes on.
    let open = turn(200, 1_000, "\"tool_use\"");
    let old = turns(0..200, 10_000) + &open;
    assert_eq!(read(&mut bench, &old), old.len());
    assert_eq!(bench.rows().len(), 200);
    let answer = turn(201, 0, DONE).lines().nth(1).unwrap().replace("m201", "m200b") + "\n";
    let new = answer + &turns(202..210, 1_000);
    assert_eq!(read(&mut bench, &new), open.len() + new.len());
    assert_eq!(bench.rows().len(), 209);
    // Nothing changed: nothing is read.
    assert_eq!(bench.import(How::default()).findings.bytes, 0);
    let (last, next) = (turn(209, 1_000, DONE), turn(210, 1_000, DONE));
    assert_eq!(read(&mut bench, &next), last.len() + next.len());
    let (rows, whole) = (bench.rows(), old.len() + new.len() + next.len());
    bench.forget_rows();
    assert_eq!(read(&mut bench, ""), whole, "the ledger lost its rows");
    assert_eq!(bench.rows(), rows);
}

/// Whatever is in doubt is read as a whole.
#[test]
fn a_file_that_is_not_what_it_was_is_read_again() {
    let file = Path::new(FILE);
    let old = turns(0..40, 500);
    let new = turn(40, 500, DONE);
    let end = old.len() - 3_000;
    let with = |at: usize| {
        let mut changed = old.clone() + &new;
        changed.replace_range(at..=at, if &changed[at..=at] == "x" { "y" } else { "x" });
        changed
    };
    let all = old.clone() + &new;
    for (what, text, is_whole) in [
        ("it grew", all.clone(), false),
        ("its beginning changed", with(300), true),
        ("its end changed", with(end), true),
        ("it shrank", old[..old.len() / 2].to_owned(), true),
        ("it shrank to its last turn", old[..old.len() - 20].to_owned() + "\n", true),
        ("it is another", turns(50..99, 500), true),
    ] {
        let mut bench = Bench::new();
        bench.append(file, old.as_bytes());
        bench.import(How::default());
        bench.replace(file, text.as_bytes());
        let read = bench.import(How::default()).findings.bytes as usize;
        assert_eq!(read == text.len(), is_whole, "{what}: {read}");
        let mut once = Bench::new();
        once.append(file, text.as_bytes());
        once.import(How::default());
        let (had, rows) = (bench.rows(), once.rows());
        assert!(rows.keys().all(|row| had.contains_key(row)), "{what}");
    }
}

/// A sub-agent that is heard of after the next prompt belongs to the turn that called it.
#[test]
fn a_sub_agent_of_an_earlier_turn_is_no_part_of_the_last_one() {
    let (file, agent) = (Path::new(FILE), Path::new("s/subagents/agent-a.jsonl"));
    let mut bench = Bench::new();
    let call = r#""content":[{"type":"tool_use","name":"Task","id":"call"}]"#;
    let old = turn(0, 10, DONE).replace("\"content\":[]", call) + &turns(1..3, 10);
    bench.append(file, old.as_bytes());
    bench.import(How::default());
    assert_eq!(bench.rows().len(), 3);
    bench.append(&agent.with_extension("meta.json"), b"{\"toolUseId\":\"call\"}");
    bench.append(agent, turn(7, 10, DONE).replace("opus", "haiku").as_bytes());
    bench.append(file, turn(8, 10, DONE).as_bytes());
    bench.import(How::default());
    let rows = bench.rows();
    assert_eq!(rows.len(), 5, "{rows:?}");
    let of_agent = rows.values().find(|row| row.contains("haiku")).unwrap();
    assert!(of_agent.starts_with("2026-01-01T00:00:00Z,") && of_agent.contains("role=sub"));
    // It did not change: it is left alone while the session goes on.
    let next = turn(9, 10, DONE);
    bench.append(file, next.as_bytes());
    let read = bench.import(How::default()).findings.bytes as usize;
    assert_eq!(read, turn(8, 10, DONE).len() + next.len());
    assert_eq!(bench.rows().len(), 6);
    // It goes on: the turn that called it grew, which is read and said.
    bench.append(agent, turn(10, 10, DONE).replace("opus", "haiku").as_bytes());
    let tally = bench.import(How::default());
    assert_eq!((tally.grown, tally.new), (1, 0));
}
