//! Events: nothing without consent, nothing lost with it, nothing in them that must not be written.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};
use usage_ledger::event::name::{ATTRS, KEY_BYTES_MAX, METRICS, NAME_BYTES_MAX, NAMES, Unit};
use usage_ledger::event::{
    ATTRS_MAX, Event, FIELDS, ID_BYTES_MAX, METRICS_MAX, TEXT_BYTES_MAX, VALUE_BYTES_MAX, VERSION,
    WORD_BYTES_MAX,
};
use usage_ledger::ledger::events::reading;
use usage_ledger::row::COUNT_MAX;
use usage_ledger::workspace::Place;

use crate::sandbox::{SEED, Sandbox, text};

const EVENTS: &str = ".telemetry/events.jsonl";

/// The user agrees to this level, for all repositories.
fn grant(sandbox: &Sandbox, level: &str) {
    let folder = sandbox.path("../home/.config/usage-ledger");
    fs::create_dir_all(&folder).unwrap();
    let record = format!(
        "[everywhere]\nlevel = \"{level}\"\nidentity = false\nexport = false\ntext = {}\n\
         at = \"2026-02-23T22:19:12Z\"\nhow = \"flag\"\n",
        usage_ledger::privacy::consent::TEXT_VERSION
    );
    fs::write(folder.join("consent.toml"), record).unwrap();
}

/// A repository whose user agrees to events.
fn agreed() -> Sandbox {
    let sandbox = Sandbox::repository();
    grant(&sandbox, "events");
    sandbox
}

fn place(sandbox: &Sandbox) -> Place {
    Place::in_repository(&sandbox.path("")).events()
}

fn all(sandbox: &Sandbox) -> reading::Events {
    reading::all(&place(sandbox)).unwrap()
}

/// What the program says of a batch; its exit code, and what stands on standard error.
fn pipe(sandbox: &Sandbox, input: impl Into<Vec<u8>>) -> (Option<i32>, String) {
    let mut command = sandbox.command("log-usage");
    let output = command.args(["event", "-"]).write_stdin(input).output().unwrap();
    (output.status.code(), text(&output.stderr))
}

fn lines(count: usize) -> String {
    (0..count).map(|it| format!("{{\"name\":\"agent.progress\",\"agent\":\"a{it}\"}}\n")).collect()
}

#[test]
fn without_consent_nothing_is_written_and_one_line_says_how_to_give_it() {
    let none: &[(&str, &str)] = &[];
    let refusals = [
        ("", "", none, "log-usage consent grant events"),
        ("ledger", "", none, "log-usage consent grant events"),
        ("events", "[consent]\nceiling = \"ledger\"\n", none, "config.toml"),
        ("events", "", &[("DO_NOT_TRACK", "1")], "DO_NOT_TRACK"),
        ("capture", "", &[("LOG_USAGE_DISABLED", "1")], "LOG_USAGE_DISABLED"),
    ];
    for (level, config, variables, says) in refusals {
        let sandbox = Sandbox::repository();
        if !level.is_empty() {
            grant(&sandbox, level);
        }
        if !config.is_empty() {
            sandbox.write(".telemetry/config.toml", config);
        }
        let before = sandbox.snapshot();
        let run = |arguments: &[&str]| {
            let mut command = sandbox.command("log-usage");
            command.args(arguments).envs(variables.iter().copied());
            // More than a pipe holds: whoever pipes must not be killed for it.
            let output = command.write_stdin(lines(20_000)).output().unwrap();
            assert_eq!(output.status.code(), Some(0), "{arguments:?}");
            text(&output.stderr)
        };
        for arguments in [&["event", "agent.started"][..], &["event", "-"], &["event", "--batch"]] {
            let said = run(arguments);
            assert!(said.contains(says) && said.lines().count() == 1, "{said}");
            assert_eq!(run(&[arguments, &["--quiet"]].concat()), "");
        }
        assert_eq!(sandbox.snapshot(), before, "{level} {config} {variables:?}");
    }
}

#[test]
fn an_event_is_one_line_that_git_ignores() {
    let sandbox = agreed();
    sandbox.ok(
        "log-usage",
        &[
            "event",
            "agent.completed",
            "--role=planner",
            "--agent=reviewer",
            "--command=cargo test --all",
            "--success=true",
            "--duration=2m 5s",
            "--attr=strategy=split",
            "--attr=colour=a=b",
            "--metric=confidence=0.8",
            "--metric=attempts=2",
            "--correlation=c-1",
            "--session=0123-abc",
            "--timestamp=2026-02-23T22:19:12.5+01:00",
        ],
    );
    let line = sandbox.read(EVENTS);
    let event = Event::parse(line.trim_end()).unwrap();
    assert_eq!(
        line.split_once(",\"timestamp\"").unwrap().1,
        ":\"2026-02-23T22:19:12.500000+01:00\",\"name\":\"agent.completed\",\"correlation\":\"c-1\",\
         \"session\":\"s_rl2z5jqqswt3ebnp\",\"role\":\"planner\",\"agent\":\"reviewer\",\
         \"command\":\"cargo test --all\",\"success\":true,\"duration_ms\":125000,\
         \"attrs\":{\"colour\":\"a=b\",\"strategy\":\"split\"},\
         \"metrics\":{\"attempts\":2,\"confidence\":0.8}}\n"
    );
    assert!(event.id.to_string().as_bytes()[14] == b'7', "{}", event.id);
    sandbox.git(["add", "--all"]);
    let staged = sandbox.git(["diff", "--cached", "--name-only"]);
    assert_eq!(staged, ".telemetry/.gitattributes\n.telemetry/.gitignore\n");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = sandbox.path(EVENTS).metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    // Those of a ledger that is named by hand are the repository's.
    let mut command = sandbox.command("log-usage");
    command.args(["event", "role.selected", "--role", "tester"]);
    command.env("LOG_USAGE_FILE", "other.csv").env("LOG_USAGE_SESSION", "0123-abc");
    assert!(command.output().unwrap().status.success());
    let all = all(&sandbox);
    assert_eq!(all.events.len(), 2);
    assert_eq!(all.events[0].session, all.events[1].session);
    assert_eq!(all.events[1].correlation, all.events[1].id.to_string());
    sandbox.ok("usage-report", &["verify"]);
}

#[test]
fn personal_events_stand_beside_the_personal_ledger() {
    let sandbox = Sandbox::new();
    grant(&sandbox, "capture");
    sandbox.ok("log-usage", &["event", "session.started", "--personal"]);
    let folder = sandbox.path("../home/.local/share/usage-ledger");
    assert!(folder.join("events.jsonl").exists());
    assert!(!sandbox.path(".telemetry").exists());
    let verified = sandbox.ok("usage-report", &["verify", "--personal"]);
    assert_eq!(verified, "0 rows and 1 event in 1 file: nothing found\n");
}

#[test]
fn texts_pass_the_gate_that_notes_pass() {
    let sandbox = agreed();
    let secret = format!("ghp_{}", "a1B2c3D4e5".repeat(4));
    let draft = json!({
        "name": "command.failed",
        "role": format!("ops bob@corp.example"),
        "agent": "agent\u{202e}x\u{1b}[31m",
        "command": format!("curl\n--token={secret} /home/mkrausz/x /Users/mkrausz"),
        "error": format!("{secret}\u{9b}31m {}", "e".repeat(2 * TEXT_BYTES_MAX)),
        "attrs": {
            "password": "hunter22x", "plain": "two\twords", "long": "日".repeat(VALUE_BYTES_MAX),
            "who": "mkrausz"
        },
    });
    let mut command = sandbox.command("log-usage");
    command.args(["event", "-"]).write_stdin(draft.to_string());
    let output = command.env("USER", "mkrausz").env("HOSTNAME", "mk-laptop").output().unwrap();
    let said = text(&output.stderr);
    assert!(said.contains("kept out of role and command and error and attrs"), "{said}");
    let line = sandbox.read(EVENTS);
    for word in ["mkrausz", "corp.example", "ghp_", "hunter22", "\u{202e}", "[31m", "mk-laptop"] {
        assert!(!line.contains(word) && !said.contains(word), "{word}: {line}");
    }
    let event = Event::parse(line.trim_end()).unwrap();
    assert_eq!(event.role.as_deref(), Some("ops [redacted:email]"));
    assert_eq!(event.agent.as_deref(), Some("agentx"));
    let command = "curl --token=[redacted:github-token] /home/[redacted:home]/x";
    assert!(event.command.unwrap().starts_with(command), "{line}");
    let error = event.error.unwrap();
    assert!(error.len() <= TEXT_BYTES_MAX && error.ends_with("ee…"), "{error}");
    assert!(error.starts_with("[redacted:github-token] ee"), "{error}");
    let attrs = event.attrs;
    assert_eq!(attrs["plain"], "two words");
    assert_eq!(attrs["password"], "[redacted:password]");
    assert!(attrs["long"].len() <= VALUE_BYTES_MAX && attrs["long"].ends_with("日…"));
    let verified = sandbox.ok("usage-report", &["verify"]);
    assert_eq!(verified, "0 rows and 1 event in 1 file: nothing found\n");
    // What tells sessions and pieces of work apart is refused rather than replaced.
    let correlation = format!("--correlation={secret}");
    let output = sandbox.run("log-usage", &["event", "a.b", &correlation]);
    assert_eq!(output.status.code(), Some(2));
    assert!(!text(&output.stderr).contains(&secret), "{}", text(&output.stderr));
}

#[test]
fn bad_input_is_named_and_nothing_is_made() {
    let sandbox = agreed();
    let before = sandbox.snapshot();
    for (arguments, says) in [
        (&["event"][..], "is missing"),
        (&["event", "agent"], "name: \"agent\" is not two words"),
        (&["event", "Agent.Done"], "is not two words"),
        (&["event", "a.b.c"], "is not two words"),
        (&["event", "a.b", "--success", "yes"], "--success"),
        (&["event", "a.b", "--duration", "soon"], "duration_ms: \"soon\""),
        (&["event", "a.b", "--timestamp", "today"], "timestamp: \"today\""),
        (&["event", "a.b", "--attr", "x"], "--attr: \"x\" is not KEY=VALUE"),
        (&["event", "a.b", "--attr", "X=1"], "attrs: \"X\" is not a key"),
        (&["event", "a.b", "--attr", "x=1", "--attr", "x=2"], "each key once"),
        (&["event", "a.b", "--metric", "x=lots"], "--metric: \"x=lots\" is not KEY=NUMBER"),
        (&["event", "a.b", "--metric", "confidence=7"], "is not from 0 to 1"),
        (&["event", "a.b", "--metric", "x=1e999"], "is not a number"),
        (&["event", "a.b", "--correlation", "two words"], "correlation: \"two words\""),
        (&["event", "a.b", "--session", ""], "session: \"\""),
        (&["event", "-", "--role", "x"], "--role is of one event"),
        (&["event", "a.b", "--batch"], "--batch"),
    ] {
        let output = sandbox.run("log-usage", arguments);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {said}");
        assert!(said.contains(says), "{arguments:?}: {said}");
    }
    let many: Vec<String> = (0..=ATTRS_MAX).map(|it| format!("--attr=k{it}=v")).collect();
    let mut command = sandbox.command("log-usage");
    let output = command.args(["event", "a.b"]).args(many).output().unwrap();
    assert!(text(&output.stderr).contains("33 attrs, more than 32"));
    // Quotes are two bytes each where they are written.
    let long: Vec<String> =
        (0..ATTRS_MAX).map(|it| format!("--attr=k{it}={}", "\"".repeat(VALUE_BYTES_MAX))).collect();
    let mut command = sandbox.command("log-usage");
    let output = command.args(["event", "a.b"]).args(long).output().unwrap();
    assert!(text(&output.stderr).contains("more than 16 KiB"), "{}", text(&output.stderr));
    let rehearsed = sandbox.ok("log-usage", &["event", "a.b", "--dry-run"]);
    Event::parse(rehearsed.trim_end()).unwrap();
    assert_eq!(sandbox.snapshot(), before);
}

#[test]
fn bad_lines_are_skipped_and_the_others_are_stored() {
    let sandbox = agreed();
    let long = "x".repeat(300 << 10);
    let input = format!(
        "{{\"name\":\"a.one\"}}\r\n\n{{\"name\":\"bad\"}}\n{{\"name\":\"a.b\",\"x\\u001b[2J\":1}}\n\
         nonsense\n{{\"name\":\"a.b\",\"error\":\"{long}\"}}\n\u{1}\n{{\"name\":\"a.two\"}}"
    );
    let (code, said) = pipe(&sandbox, input);
    assert_eq!(code, Some(3), "{said}");
    let skipped: Vec<&str> = said.lines().map(|it| it.split(": ").next().unwrap()).collect();
    let named = [3, 4, 5, 6, 7].map(|line| format!("skipped  standard input:{line}"));
    assert_eq!(skipped, named, "{said}");
    assert!(!said.contains('\u{1b}'), "{said:?}");
    let names: Vec<String> = all(&sandbox).events.iter().map(|it| it.name.to_string()).collect();
    assert_eq!(names, ["a.one", "a.two"]);
    let (_, said) = pipe(&sandbox, "bad\n".repeat(100));
    assert!(said.ends_with("skipped  80 more lines\n"), "{said}");
}

/// `{"name":…}` with a number that no other has.
fn numbered(writer: usize, count: usize) -> String {
    let line =
        |it| format!("{{\"name\":\"load.test\",\"metrics\":{{\"w\":{writer},\"n\":{it}}}}}\n");
    (0..count).map(line).collect()
}

#[test]
fn ten_thousand_events_of_many_processes_are_all_there() {
    let sandbox = agreed();
    sandbox.write(".telemetry/config.toml", "max_size = \"256K\"\n");
    thread::scope(|scope| {
        for writer in 0..4 {
            let sandbox = &sandbox;
            scope.spawn(move || assert_eq!(pipe(sandbox, numbered(writer, 2_490)).0, Some(0)));
            scope.spawn(move || {
                for n in 2_490..2_500 {
                    let (w, n) = (format!("--metric=w={writer}"), format!("--metric=n={n}"));
                    sandbox.ok("log-usage", &["event", "load.test", &w, &n]);
                }
            });
        }
    });
    let all = all(&sandbox);
    assert_eq!((all.events.len(), &all.unreadable), (10_000, &Vec::new()));
    let mut seen: Vec<(u64, u64)> =
        all.events.iter().map(|it| (it.metrics["w"] as u64, it.metrics["n"] as u64)).collect();
    assert!(all.events.is_sorted_by_key(|it| (it.at.instant(), it.id)));
    seen.sort_unstable();
    let expected: Vec<_> = (0..4).flat_map(|w| (0..2_500).map(move |n| (w, n))).collect();
    assert_eq!(seen, expected);
    let sealed = fs::read_dir(sandbox.path(".telemetry/events")).unwrap().count();
    assert!(sealed >= 4, "{sealed} sealed files");
    let verified = sandbox.ok("usage-report", &["verify"]);
    let files = sealed + 1;
    assert_eq!(verified, format!("0 rows and 10,000 events in {files} files: nothing found\n"));
}

#[test]
fn what_a_writer_left_behind_is_mended_and_what_is_damaged_is_named() {
    let sandbox = agreed();
    sandbox.write(".telemetry/config.toml", "max_size = \"1K\"\n");
    for _ in 0..19 {
        sandbox.ok("log-usage", &["event", "agent.started", "--agent", "a"]);
    }
    let torn = "{\"v\":1,\"id\":\"0";
    sandbox.write(EVENTS, sandbox.read(EVENTS) + torn);
    let said = sandbox.run("usage-report", &["verify"]);
    assert!(text(&said.stdout).contains("is torn: a writer died here"), "{}", text(&said.stdout));
    let output = sandbox.run("log-usage", &["event", "agent.completed", "--agent", "a"]);
    assert!(text(&output.stderr).contains("14 torn bytes"), "{}", text(&output.stderr));
    assert!(sandbox.read(".telemetry/events.jsonl.torn").contains(torn));
    sandbox.ok("usage-report", &["verify"]);
    assert_eq!(all(&sandbox).events.len(), 20);

    let files = reading::files(&place(&sandbox)).unwrap();
    assert!(files.len() >= 3, "{files:?}");
    let (sealed, label) = (&files[0].path, &files[0].label);
    let old = fs::read_to_string(sealed).unwrap();
    let first = old.lines().next().unwrap();
    let upside_down = first.replace("\"a\"}", "\"\\u202ea\"}");
    assert_ne!(upside_down, first);
    fs::write(sealed, format!("{old}{first}\nnot JSON\n\n{upside_down} \n{{\"v\":2}}\n")).unwrap();
    let said = sandbox.run("usage-report", &["verify"]);
    assert_eq!(said.status.code(), Some(1));
    let at = old.lines().count() + 1;
    let said = text(&said.stdout);
    for finding in [
        format!("{label}:{at}: repeats {label}:1\n"),
        format!(
            "{label}:{}: cannot be read: is not an event: no JSON object: look at byte 2\n",
            at + 1
        ),
        format!("{label}:{}: is blank\n", at + 2),
        format!("{label}:{}: holds characters that log-usage takes out\n", at + 3),
        format!("{label}:{}: cannot be read: is not an event: id is missing\n", at + 4),
    ] {
        assert!(said.contains(&finding), "{finding}{said}");
    }
    let repair = "fix: log-usage repair moves aside what cannot be read of events\n";
    assert!(said.ends_with(&format!(" files: 6 findings\n{repair}")), "{said}");
}

/// A disk without room costs events, and nobody else anything.
#[test]
fn a_full_disk_drops_and_counts_and_the_program_that_pipes_goes_on() {
    let sandbox = agreed();
    sandbox.ok("log-usage", &["event", "session.started"]);
    let before = sandbox.read(EVENTS);
    // The limit of a file's size stands for the room on the disk: 32 blocks of 512 bytes, or of 1,024.
    let script = "{ cat lines; echo piped > done; } | { ulimit -f 32; log-usage event -; }";
    sandbox.write("lines", lines(5_000));
    let output = sandbox.command("sh").args(["-c", script]).output().unwrap();
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("events were not written") && said.contains("error: cannot"), "{said}");
    assert_eq!(sandbox.read("done"), "piped\n");
    let words = said.split_once("warning: ").unwrap().1;
    let failed: String = words.chars().take_while(|c| *c != ' ').filter(|c| *c != ',').collect();
    assert!(sandbox.read(EVENTS).starts_with(&before));
    let stored = all(&sandbox);
    assert_eq!(stored.events.len() as u64 - 1 + failed.parse::<u64>().unwrap(), 5_000);
    assert!(stored.unreadable.is_empty());
    sandbox.ok("log-usage", &["event", "session.ended"]);
    sandbox.ok("usage-report", &["verify"]);
}

#[test]
fn what_the_limits_leave_out_is_counted() {
    let sandbox = agreed();
    sandbox.write(".telemetry/config.toml", "[events]\nsample = 0.5\nper_minute = 30\n");
    let input: String =
        (0..400).map(|it| format!("{{\"name\":\"a.b\",\"session\":\"{}\"}}\n", it / 4)).collect();
    assert_eq!(pipe(&sandbox, input), (Some(0), String::new()));
    sandbox.ok("log-usage", &["event", "a.b", "--session", "1"]);
    let all = all(&sandbox);
    let written = all.events.len() as u64;
    // A minute may have ended meanwhile.
    assert!((30..=90).contains(&written), "{written} written");
    let dropped = all.events.iter().fold(all.dropped, |sum, it| sum.plus(it.dropped));
    assert!(dropped.sampled > 100 && dropped.limited > 50, "{dropped:?}");
    assert_eq!(written + dropped.sampled + dropped.limited, 401);
    assert!(all.events.iter().all(|it| it.sample == Some(0.5)));
    sandbox.ok("usage-report", &["verify"]);
    for (setting, says) in [
        ("sample = 0", "sample: 0 is not above 0"),
        ("sample = 1.5", "1.5"),
        ("per_minute = 0", "per_minute: 0 would keep no event"),
        ("rate = 1", "unknown"),
    ] {
        sandbox.write(".telemetry/config.toml", format!("[events]\n{setting}\n"));
        let output = sandbox.run("log-usage", &["event", "a.b"]);
        assert!(text(&output.stderr).contains(says), "{}", text(&output.stderr));
    }
}

/// A program that pipes into `log-usage event -`, and reads what that says.
struct Piping {
    child: Child,
    said: BufReader<std::process::ChildStderr>,
}

impl Piping {
    fn into(sandbox: &Sandbox) -> Piping {
        let mut command = Command::new(env!("CARGO_BIN_EXE_log-usage"));
        command.args(["event", "-"]).current_dir(sandbox.path("")).env_clear();
        command.env("HOME", sandbox.path("../home")).env("TZ", "UTC");
        let mut child = command.stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let said = BufReader::new(child.stderr.take().unwrap());
        Piping { child, said }
    }

    fn send(&mut self, lines: &str) {
        self.child.stdin.as_mut().unwrap().write_all(lines.as_bytes()).unwrap();
    }

    /// Sends a bad line and waits until it is said to be one: then all before it was read.
    fn wait_until_read(&mut self) {
        // What is read together is queued together, after the first bad line is named.
        for _ in 0..2 {
            self.send("bad\n");
            let mut line = String::new();
            self.said.read_line(&mut line).unwrap();
            assert!(line.starts_with("skipped"), "{line}");
        }
    }

    fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-s", name, &id]).status().unwrap().success());
    }
}

fn wait_for_events(sandbox: &Sandbox, count: usize) {
    let began = Instant::now();
    while !sandbox.path(EVENTS).exists() || all(sandbox).events.len() < count {
        assert!(began.elapsed() < Duration::from_secs(60), "{} events", all(sandbox).events.len());
        thread::sleep(Duration::from_millis(5));
    }
}

#[cfg(unix)]
#[test]
fn events_are_written_in_time_at_the_end_and_on_signals() {
    use std::os::unix::process::ExitStatusExt;
    let sandbox = agreed();
    let mut piping = Piping::into(&sandbox);
    piping.send(&lines(3));
    // Nobody ends it or its input: a second is enough.
    wait_for_events(&sandbox, 3);
    piping.send(&lines(1));
    piping.wait_until_read();
    for name in ["INT", "HUP"] {
        piping.signal(name);
    }
    wait_for_events(&sandbox, 4);
    piping.send(&lines(2));
    piping.wait_until_read();
    // To wait for a child is to close its input, which would end it too.
    let input = piping.child.stdin.take();
    piping.signal("TERM");
    let status = piping.child.wait().unwrap();
    assert_eq!(status.signal(), Some(15), "{status}");
    drop(input);
    assert_eq!(all(&sandbox).events.len(), 6);

    let mut piping = Piping::into(&sandbox);
    piping.send(&lines(2_500));
    drop(piping.child.stdin.take());
    assert!(piping.child.wait().unwrap().success());
    assert_eq!(all(&sandbox).events.len(), 2_506);
}

#[cfg(unix)]
#[test]
fn no_link_is_followed() {
    for name in ["events.jsonl", "events", ".events.jsonl.lock"] {
        let sandbox = agreed();
        sandbox.write("victim", "theirs");
        fs::create_dir(sandbox.path(".telemetry")).unwrap();
        let link = sandbox.path(".telemetry").join(name);
        std::os::unix::fs::symlink(sandbox.path("victim"), link).unwrap();
        let output = sandbox.run("log-usage", &["event", "a.b"]);
        assert_eq!(output.status.code(), Some(1), "{name}: {}", text(&output.stderr));
        assert_eq!(sandbox.read("victim"), "theirs");
    }
}

/// A file that came with a clone would take with it, at the next commit, what is done here.
#[test]
fn nothing_is_added_to_a_file_that_git_has() {
    let sandbox = agreed();
    sandbox.write(EVENTS, "");
    sandbox.git(["add", "--force", EVENTS]);
    let refused = |sandbox: &Sandbox| {
        let output = sandbox.run("log-usage", &["event", "a.b"]);
        assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
        assert!(text(&output.stderr).contains("git rm --cached"), "{}", text(&output.stderr));
        assert_eq!(fs::read(sandbox.path(EVENTS)).unwrap_or_default(), b"");
        let told = text(&sandbox.run("log-usage", &["doctor"]).stdout);
        let sign =
            "events.jsonl is in git, where events must never be\n        fix: git rm --cached";
        assert!(told.contains("WRONG ") && told.contains(sign), "{told}");
    };
    refused(&sandbox);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let closed = fs::Permissions::from_mode(0o600);
        fs::set_permissions(sandbox.path(EVENTS), closed).unwrap();
        refused(&sandbox);
    }
    fs::remove_file(sandbox.path(EVENTS)).unwrap();
    refused(&sandbox);
    sandbox.git(["rm", "--quiet", "--cached", EVENTS]);
    sandbox.ok("log-usage", &["event", "a.b"]);
    // One that was laid there by hand, and that git has not, is taken and closed.
    fs::write(sandbox.path(EVENTS), sandbox.read(EVENTS)).unwrap();
    sandbox.ok("log-usage", &["event", "a.b"]);
    assert_eq!(all(&sandbox).events.len(), 2);
}

#[test]
fn rules_that_are_taken_back_hide_nothing() {
    for rules in ["/events.jsonl\n/events/\n*.torn\n!/events.jsonl\n", "!*.torn\n"] {
        let sandbox = agreed();
        sandbox.write(".telemetry/.gitignore", rules);
        let output = sandbox.run("log-usage", &["event", "a.b"]);
        assert_eq!(output.status.code(), Some(1), "{rules}");
        assert!(!sandbox.path(EVENTS).exists(), "{rules}");
        assert!(is_wrong_to_doctor(&sandbox), "{rules}");
    }
}

/// Whether doctor says what an event would be refused for.
fn is_wrong_to_doctor(sandbox: &Sandbox) -> bool {
    let told = text(&sandbox.run("log-usage", &["doctor"]).stdout);
    told.contains(
        ".gitignore does not keep events and captures out of commits\n        fix: printf",
    )
}

#[test]
fn rules_that_are_taken_back_later_are_noticed() {
    let sandbox = agreed();
    sandbox.ok("log-usage", &["event", "a.b"]);
    let ours = sandbox.read(".telemetry/.gitignore");
    for (rules, is_hidden) in [
        ("!/README.md\n", true),
        ("!/events.jsonl\n", false),
        ("", true),
        ("!*.torn\n/events.jsonl.torn\n", true),
        ("!*\n", false),
    ] {
        sandbox.write(".telemetry/.gitignore", format!("{ours}{rules}"));
        let before = sandbox.read(EVENTS);
        let output = sandbox.run("log-usage", &["event", "a.b"]);
        assert_eq!(output.status.success(), is_hidden, "{rules}: {}", text(&output.stderr));
        assert_eq!(sandbox.read(EVENTS) != before, is_hidden, "{rules}");
        assert_eq!(is_wrong_to_doctor(&sandbox), !is_hidden, "{rules}");
    }
    // Where the folder has no rules the repository's own list holds, unless a folder above says
    // otherwise.
    for rules in ["", "# nothing\n"] {
        sandbox.write(".telemetry/.gitignore", rules);
        sandbox.ok("log-usage", &["event", "a.b"]);
    }
    fs::remove_file(sandbox.path(".telemetry/.gitignore")).unwrap();
    for (above, is_hidden) in [("!/src\n", true), ("!/.telemetry/**\n", false)] {
        sandbox.write(".gitignore", above);
        let output = sandbox.run("log-usage", &["event", "a.b"]);
        assert_eq!(output.status.success(), is_hidden, "{above}: {}", text(&output.stderr));
        assert_eq!(is_wrong_to_doctor(&sandbox), !is_hidden, "{above}");
    }
    assert!(!sandbox.path(".telemetry/.gitignore").exists());
}

#[test]
fn other_rules_that_hide_events_from_git_are_good_too() {
    let sandbox = agreed();
    sandbox.write(".gitignore", ".telemetry/\n");
    sandbox.write(".telemetry/.gitignore", "# nothing\n");
    sandbox.ok("log-usage", &["event", "a.b"]);
    assert_eq!(all(&sandbox).events.len(), 1);
}

#[test]
fn doctor_says_which_events_are_damaged() {
    let sandbox = agreed();
    sandbox.ok("log-usage", &["event", "a.b"]);
    let doctor = || text(&sandbox.run("log-usage", &["doctor"]).stdout);
    let said = doctor();
    assert!(!said.contains("findings in events"), "{said}");
    sandbox.write(EVENTS, format!("garbage\n{}", sandbox.read(EVENTS)));
    let said = doctor();
    assert!(said.contains("findings in events: 1; the first: events.jsonl:1:"), "{said}");
    assert!(said.contains("log-usage repair moves those aside"), "{said}");
}

#[test]
fn repair_moves_events_aside_that_cannot_be_read() {
    let sandbox = agreed();
    sandbox.ok("log-usage", &["event", "a.b"]);
    let event = sandbox.read(EVENTS);
    sandbox.write(EVENTS, format!("garbage\n{event}\n{{\"v\":1,"));
    let before = sandbox.snapshot();
    let told = sandbox.ok("log-usage", &["repair", "--dry-run"]);
    let torn = ".telemetry/events.jsonl.torn";
    assert!(told.starts_with("events: would leave out 2 unreadable lines; they would be in "));
    assert_eq!(sandbox.snapshot(), before);
    let output = sandbox.run("log-usage", &["repair"]);
    let (out, error) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{error}");
    assert!(out.starts_with("events: left out 2 unreadable lines; they are in "), "{out}");
    assert!(error.contains("events.jsonl:1: ") && error.contains("events.jsonl:4: "), "{error}");
    assert_eq!(sandbox.read(EVENTS), event);
    let torn = sandbox.read(torn);
    assert!(torn.contains("garbage\n") && torn.contains("{\"v\":1,\n"), "{torn}");
    let verified = sandbox.ok("usage-report", &["verify"]);
    assert_eq!(verified, "0 rows and 1 event in 1 file: nothing found\n");
    assert_eq!(sandbox.ok("log-usage", &["repair"]), "nothing to repair\n");
    // With rows as well, each is said.
    sandbox.ok("log-usage", &SEED);
    sandbox.write(EVENTS, format!("garbage\n{event}"));
    let told = sandbox.ok("log-usage", &["repair"]);
    assert!(told.starts_with("1 row: nothing to repair\nevents: left out 1 unreadable line; "));
}

#[test]
fn verify_says_once_what_differs_in_how_events_are_written() {
    let sandbox = agreed();
    for _ in 0..3 {
        sandbox.ok("log-usage", &["event", "a.b", "--metric", "confidence=0.5"]);
    }
    let ours = sandbox.read(EVENTS);
    let way = "is written otherwise than log-usage does";
    for (from, to, said) in [
        ("\"v\":1,", "\"v\": 1,", "the order of fields, spaces or escapes"),
        ("\n", "\r\n", "it ends in CR LF"),
        ("\"v\":1,", "\"v\":1,\"colour\":\"red\",", "it has a field \"colour\""),
        ("Z\",", "+00:00\",", "the form of \"timestamp\""),
    ] {
        let theirs = ours.replace(from, to);
        assert_ne!(theirs, ours);
        sandbox.write(EVENTS, theirs);
        let verified = text(&sandbox.run("usage-report", &["verify"]).stdout);
        let expected = format!(
            "events.jsonl:1: {way}: {said} (3 such lines)\n0 rows and 3 events in 1 file: 1 finding\n"
        );
        assert_eq!(verified, expected);
    }
    sandbox.write(EVENTS, format!("garbage\n{ours}"));
    let verified = text(&sandbox.run("usage-report", &["verify"]).stdout);
    assert!(
        verified.ends_with("fix: log-usage repair moves aside what cannot be read of events\n")
    );
}

/// One place, whichever ledger is named: what was written can be shown, reported on and deleted.
#[test]
fn events_of_a_named_ledger_are_where_everybody_looks_for_them() {
    let sandbox = agreed();
    fs::create_dir(sandbox.path("data")).unwrap();
    let with = |program: &str, arguments: &[&str]| {
        let mut command = sandbox.command(program);
        let output = command.args(arguments).env("LOG_USAGE_FILE", "data/usage.csv").output();
        let output = output.unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", text(&output.stderr));
        text(&output.stdout)
    };
    with("log-usage", &["event", "agent.started", "--agent=reviewer"]);
    with("log-usage", &["run", "--quiet", "true"]);
    assert!(with("log-usage", &["consent", "show"]).contains("\"agent.started\""));
    let status = with("log-usage", &["consent", "status"]);
    assert!(status.contains("work/.telemetry/events.jsonl\n"), "{status}");
    let report = with("usage-report", &["activity", "--format", "json"]);
    let report: Value = serde_json::from_str(&report).unwrap();
    assert_eq!(report["event_lines"], all(&sandbox).events.len());
    let said = with("log-usage", &["consent", "purge", "--events", "--yes"]);
    assert!(said.starts_with("deleted:"), "{said}");
    assert!(!sandbox.path(EVENTS).exists());
    // A ledger in the folder of another repository has its events beside it.
    sandbox.git(["init", "--quiet", "other"]);
    fs::create_dir(sandbox.path("other/.telemetry")).unwrap();
    let mut command = sandbox.command("log-usage");
    command.args(["event", "a.b"]).env("LOG_USAGE_FILE", "other/.telemetry/usage.csv");
    assert!(command.output().unwrap().status.success());
    assert!(sandbox.path("other/.telemetry/events.jsonl").exists());
}

fn document() -> (std::path::PathBuf, String) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/events.md");
    let text = fs::read_to_string(&path).unwrap();
    (path, text)
}

/// The JSON Schema of a line, from the program's own constants.
fn schema() -> Value {
    let limits = |name: &str| match name {
        "v" => json!({ "const": VERSION }),
        "id" => json!({ "pattern": "^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$" }),
        "timestamp" => json!({ "format": "date-time" }),
        "name" => json!({
            "pattern": "^[a-z][a-z0-9_]*\\.[a-z][a-z0-9_]*$", "maxLength": NAME_BYTES_MAX
        }),
        "correlation" | "session" => {
            json!({ "pattern": "^[A-Za-z0-9._:/@+-]+$", "maxLength": ID_BYTES_MAX })
        }
        "role" | "agent" => json!({ "maxLength": WORD_BYTES_MAX }),
        "command" | "error" => json!({ "maxLength": TEXT_BYTES_MAX }),
        "duration_ms" => json!({ "minimum": 0, "maximum": COUNT_MAX }),
        "attrs" => json!({
            "maxProperties": ATTRS_MAX,
            "propertyNames": { "pattern": "^[a-z][a-z0-9_]*$", "maxLength": KEY_BYTES_MAX },
            "additionalProperties": { "type": "string", "maxLength": VALUE_BYTES_MAX }
        }),
        "metrics" => json!({
            "maxProperties": METRICS_MAX,
            "propertyNames": { "pattern": "^[a-z][a-z0-9_]*$", "maxLength": KEY_BYTES_MAX },
            "properties": metrics(),
            "additionalProperties": { "type": "number" }
        }),
        "sample" => json!({ "exclusiveMinimum": 0, "maximum": 1 }),
        "dropped" => json!({
            "properties": {
                "sampled": { "type": "integer" },
                "limited": { "type": "integer" },
                "failed": { "type": "integer" }
            }
        }),
        "user" | "success" => json!({}),
        other => panic!("the schema says nothing of {other}"),
    };
    let mut properties = Map::new();
    for (name, kind, _, says) in FIELDS {
        let mut property = Map::new();
        property.insert("type".to_owned(), kind.into());
        property.insert("description".to_owned(), says.into());
        property.extend(limits(name).as_object().unwrap().clone());
        properties.insert(name.to_owned(), property.into());
    }
    let required: Vec<&str> = FIELDS.iter().filter(|it| it.2).map(|it| it.0).collect();
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A line of .telemetry/events.jsonl",
        "type": "object",
        "required": required,
        "properties": properties
    })
}

fn metrics() -> Value {
    let mut metrics = Map::new();
    for (key, unit, says) in METRICS {
        let mut metric = match unit {
            Unit::Share => json!({ "type": "number", "minimum": 0, "maximum": 1 }),
            Unit::Count | Unit::Bytes => json!({ "type": "integer", "minimum": 0 }),
        };
        metric["description"] = says.into();
        metrics.insert(key.to_owned(), metric);
    }
    metrics.into()
}

fn with_section(document: &str, name: &str, body: &str) -> String {
    let (open, close) = (format!("<!-- {name} -->\n"), format!("<!-- /{name} -->"));
    let (before, rest) = document.split_once(&open).unwrap();
    let (_, after) = rest.split_once(&close).unwrap();
    format!("{before}{open}{body}{close}{after}")
}

#[test]
fn the_document_is_made_of_the_programs_own_constants() {
    let (path, written) = document();
    let mut fields =
        "| field | type | always | says |\n|:------|:-----|:------:|:-----|\n".to_owned();
    for (name, kind, is_required, says) in FIELDS {
        let always = if is_required { "yes" } else { "" };
        fields += &format!("| `{name}` | {kind} | {always} | {says} |\n");
    }
    let mut names = "| name | written when |\n|:-----|:-------------|\n".to_owned();
    for (name, says) in NAMES {
        names += &format!("| `{name}` | {says} |\n");
    }
    let mut keys = "| key | in | says |\n|:----|:---|:-----|\n".to_owned();
    for (key, says) in ATTRS {
        keys += &format!("| `{key}` | `attrs` | {says} |\n");
    }
    for (key, _, says) in METRICS {
        keys += &format!("| `{key}` | `metrics` | {says} |\n");
    }
    let schema = format!("```json\n{}\n```\n", serde_json::to_string_pretty(&schema()).unwrap());
    let mut expected = written.clone();
    for (name, body) in [("fields", fields), ("names", names), ("keys", keys), ("schema", schema)] {
        expected = with_section(&expected, name, &body);
    }
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&path, &expected).unwrap();
    } else {
        assert!(written == expected, "docs/events.md: UPDATE_GOLDEN=1 cargo test events");
    }
}

/// Whether the value is as the schema has it, as far as our schema goes.
fn check(value: &Value, schema: &Value, at: &str) {
    let is_kind = match schema["type"].as_str().unwrap() {
        "integer" => value.is_u64(),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "object" => value.is_object(),
        other => panic!("{other}"),
    };
    assert!(is_kind, "{at}: {value}");
    let most = |key: &str| schema[key].as_u64().unwrap_or(u64::MAX) as usize;
    assert!(value.as_str().is_none_or(|it| it.len() <= most("maxLength")), "{at}: {value}");
    if let Some(number) = value.as_f64() {
        let bound = |key: &str, none: f64| schema[key].as_f64().unwrap_or(none);
        assert!(
            number >= bound("minimum", f64::MIN) && number <= bound("maximum", f64::MAX),
            "{at}"
        );
    }
    let Some(object) = value.as_object() else { return };
    assert!(object.len() <= most("maxProperties"), "{at}");
    for (key, value) in object {
        let own = &schema["properties"][key];
        let own = if own.is_null() { &schema["additionalProperties"] } else { own };
        assert!(own.is_object(), "{at}: {key} is not in the schema");
        check(value, own, key);
    }
}

#[test]
fn what_is_written_is_as_the_schema_in_the_document_has_it() {
    let (_, document) = document();
    let schema = document.split_once("```json\n").unwrap().1.split_once("\n```").unwrap().0;
    let schema: Value = serde_json::from_str(schema).unwrap();
    let sandbox = agreed();
    sandbox.write(".telemetry/config.toml", "[events]\nsample = 0.99999\nper_minute = 2\n");
    let full = json!({
        "name": "operation.failed", "timestamp": "2026-02-23T22:19:12+01:00", "correlation": "c",
        "session": "s", "role": "r", "agent": "a", "command": "c", "success": false,
        "duration_ms": COUNT_MAX, "error": "e", "attrs": { "strategy": "x", "error_kind": "y" },
        "metrics": { "confidence": 1, "attempts": 3, "memory_bytes": 5, "other": -1.5e-9 },
    });
    pipe(
        &sandbox,
        format!("{full}\n{{\"name\":\"alert.raised\"}}\n{{\"name\":\"alert.raised\"}}\n"),
    );
    let lines = sandbox.read(EVENTS);
    assert_eq!(lines.lines().count(), 2, "{lines}");
    let mut seen: Vec<String> = Vec::new();
    for line in lines.lines() {
        let value: Value = serde_json::from_str(line).unwrap();
        check(&value, &schema, "line");
        let object = value.as_object().unwrap();
        seen.extend(object.keys().cloned());
        for required in schema["required"].as_array().unwrap() {
            assert!(object.contains_key(required.as_str().unwrap()), "{required}");
        }
        assert_eq!(Event::parse(line).unwrap().to_line(), line);
    }
    // Everything but the pseudonym, to which nobody agreed.
    let missing: Vec<&str> = FIELDS
        .map(|it| it.0)
        .into_iter()
        .filter(|it| !seen.iter().any(|seen| seen == it))
        .collect();
    assert_eq!(missing, ["user"]);
}

#[test]
fn no_branch_shows_to_git_what_stays_here() {
    let sandbox = Sandbox::repository();
    grant(&sandbox, "events");
    sandbox.write("code", "1");
    sandbox.commit("2026-02-20", "before the ledger");
    sandbox.git(["branch", "old"]);
    sandbox.ok("log-usage", &["event", "a.b"]);
    sandbox.ok("log-usage", &SEED);
    for name in [
        "events.jsonl.torn",
        "events/events-1.jsonl",
        "capture/s_-1.jsonl.age",
        "usage.csv.torn",
        "usage.csv.before-repair-2",
        ".usage.csv.tmp.0",
        ".pending.csv",
        "usage.d/.x.csv.lock",
    ] {
        sandbox.write(&format!(".telemetry/{name}"), "");
    }
    sandbox.commit("2026-02-21", "the ledger");
    sandbox.git(["checkout", "--quiet", "old"]);
    assert!(!sandbox.path(".telemetry/.gitignore").exists());
    assert_eq!(sandbox.git(["status", "--porcelain", "--untracked-files=all"]), "");
    // Nor do events that are recorded there.
    sandbox.ok("log-usage", &["event", "a.c"]);
    let list = sandbox.read(".git/info/exclude");
    assert_eq!(list.matches("/events.jsonl").count(), 1, "added once: {list}");
}

#[test]
fn a_row_in_a_clone_keeps_its_lock_out_of_commits_on_every_branch() {
    let origin = Sandbox::repository();
    origin.write("code", "1");
    origin.commit("2026-02-20", "before the ledger");
    origin.git(["branch", "old"]);
    origin.ok("log-usage", &SEED);
    origin.commit("2026-02-21", "the ledger");
    origin.git(["clone", "--quiet", ".", "clone"]);
    let in_clone = |program: &str, arguments: &[&str]| {
        let mut command = origin.command(program);
        let output = command.current_dir(origin.path("clone")).args(arguments).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", text(&output.stderr));
        text(&output.stdout)
    };
    in_clone("log-usage", &SEED);
    in_clone("git", &["commit", "--quiet", "--all", "--message", "a row"]);
    in_clone("git", &["checkout", "--quiet", "old"]);
    assert!(origin.path("clone/.telemetry/.usage.csv.lock").exists());
    assert_eq!(in_clone("git", &["status", "--porcelain", "--untracked-files=all"]), "");
}
