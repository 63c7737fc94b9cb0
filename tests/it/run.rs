//! Any command, which notices nothing of being run by us.

use std::io::{Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::faults::has_strace;
use crate::sandbox::{Sandbox, text};

/// Longer than any of these commands takes on the slowest machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// `log-usage run`, to be started and sent signals.
fn runner(sandbox: &Sandbox, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_log-usage"));
    command.arg("run").args(arguments).current_dir(sandbox.path("")).env_clear();
    command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command.env("HOME", sandbox.path("../home")).env("TZ", "UTC");
    command
}

/// A repository whose user agreed to events.
fn agreed() -> Sandbox {
    let sandbox = Sandbox::repository();
    let record = format!(
        "[everywhere]\nlevel = \"events\"\nidentity = false\nexport = false\ntext = {}\n\
         at = \"2026-02-23T22:19:12Z\"\nhow = \"flag\"\n",
        usage_ledger::privacy::consent::TEXT_VERSION
    );
    sandbox.write("../home/.config/usage-ledger/consent.toml", record);
    sandbox
}

fn events(sandbox: &Sandbox) -> Vec<Value> {
    let text = sandbox.read(".telemetry/events.jsonl");
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn wait_for(path: &Path) {
    let began = Instant::now();
    while !path.exists() {
        assert!(began.elapsed() < PATIENCE, "{} did not appear", path.display());
        thread::sleep(Duration::from_millis(5));
    }
}

fn send(signal: &str, child: &Child) {
    let sent = Command::new("kill").args([&format!("-{signal}"), &child.id().to_string()]).status();
    assert!(sent.unwrap().success());
}

#[test]
fn no_command_waits_for_the_disk_unasked() {
    if !has_strace() {
        eprintln!("SKIPPED no_command_waits_for_the_disk_unasked: no strace on this machine");
        return;
    }
    let sandbox = Sandbox::repository();
    sandbox.ok("log-usage", &["run", "--model", "m", "--", "true"]);
    for (settings, options, is_synced) in [
        ("", &[][..], false),
        ("", &["--durability", "data"], true),
        ("durability = \"data\"\n", &[], true),
        ("durability = \"data\"\n", &["--durability", "none"], false),
        ("durability = \"none\"\n", &[], false),
    ] {
        sandbox.write(".telemetry/config.toml", settings);
        let trace = ["-f", "-o", "trace", "-e", "trace=fsync,fdatasync", "log-usage", "run"];
        let command = ["--model", "m", "--", "true"];
        sandbox.ok("strace", &[&trace, options, &command].concat());
        let trace = sandbox.read("trace");
        assert_eq!(trace.contains("sync("), is_synced, "{settings:?} {options:?}: {trace}");
    }
    assert_eq!(sandbox.rows().len(), 6);
}

#[test]
fn the_exit_code_is_the_commands_own() {
    let sandbox = Sandbox::repository();
    sandbox.write("not-executable", "#!/bin/sh\n");
    for (command, code, says) in [
        (&["true"][..], 0, ""),
        (&["false"], 1, ""),
        (&["sh", "-c", "exit 42"], 42, ""),
        (&["sh", "-c", "exit 255"], 255, ""),
        (&["no-such-program"], 127, "error: no command no-such-program\n"),
        (&["./nor-this"], 127, "error: no command ./nor-this\n"),
        (&["./not-executable"], 126, "error: cannot run ./not-executable: Permission denied"),
        (&["."], 126, "error: cannot run .: Permission denied"),
    ] {
        for model in [&["--"][..], &["--model", "m", "--"]] {
            let output = sandbox.run("log-usage", &[&["run"], model, command].concat());
            assert_eq!(output.status.code(), Some(code), "{command:?}");
            let error = text(&output.stderr);
            assert!(error.starts_with(says) && says.is_empty() == error.is_empty(), "{error}");
        }
    }
    // What never ran is no task.
    assert_eq!(sandbox.rows().len(), 4);
}

#[test]
fn who_dies_of_a_signal_takes_us_along() {
    let sandbox = Sandbox::repository();
    for (name, signal) in [("INT", 2), ("ABRT", 6), ("KILL", 9), ("SEGV", 11), ("TERM", 15)] {
        let script = format!("kill -{name} $$");
        let output = sandbox.run("log-usage", &["run", "--model", "m", "--", "sh", "-c", &script]);
        assert_eq!(output.status.signal(), Some(signal), "{name}: {output:?}");
    }
    let rows = sandbox.rows();
    assert!(rows.len() == 5 && rows.iter().all(|row| row.contains(",false,execute,")), "{rows:?}");
}

#[test]
fn a_signal_sent_to_us_goes_on_to_the_command() {
    for signal in ["TERM", "HUP", "INT", "QUIT", "USR1", "USR2", "WINCH"] {
        let sandbox = Sandbox::repository();
        let script = format!(
            "trap 'echo {signal} >> got' {signal}; touch ready; \
             while ! [ -f got ]; do sleep 0.02; done; sleep 0.1; exit 7"
        );
        let mut command = runner(&sandbox, &["--model", "m", "--", "sh", "-c", &script]);
        let mut child = command.spawn().unwrap();
        wait_for(&sandbox.path("ready"));
        send(signal, &child);
        assert_eq!(child.wait().unwrap().code(), Some(7), "{signal}");
        assert_eq!(sandbox.read("got"), format!("{signal}\n"));
        assert!(sandbox.rows()[0].contains(",false,execute,"));
    }
}

#[test]
fn a_signal_ends_a_command_that_says_nothing_to_it() {
    let sandbox = Sandbox::repository();
    let script = "touch ready; exec sleep 60";
    let mut command = runner(&sandbox, &["--model", "m", "--", "sh", "-c", script]);
    let mut child = command.spawn().unwrap();
    wait_for(&sandbox.path("ready"));
    send("TERM", &child);
    assert_eq!(child.wait().unwrap().signal(), Some(15));
    assert_eq!(sandbox.rows().len(), 1);
}

/// Of those that shells background jobs and nohup ignore a command must not be cured.
#[test]
fn a_signal_that_is_ignored_stays_so() {
    let sandbox = Sandbox::new();
    let script = "trap '' HUP INT USR1; exec log-usage run -- sh -c \
                  'kill -HUP $$; kill -INT $$; kill -USR1 $$; echo alive; kill -TERM $$'";
    let output = sandbox.run("sh", &["-c", script]);
    assert_eq!((text(&output.stdout).as_str(), output.status.signal()), ("alive\n", Some(15)));
}

#[test]
fn streams_pass_untouched() {
    let sandbox = Sandbox::new();
    let mut command = runner(&sandbox, &["--", "sh", "-c", "cat; echo oops >&2"]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let bytes: Vec<u8> =
        (0..1u32 << 20).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let (mut stdin, sent) = (child.stdin.take().unwrap(), bytes.clone());
    let writer = thread::spawn(move || stdin.write_all(&sent).unwrap());
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    assert!(output.stdout == bytes, "{} bytes", output.stdout.len());
    assert_eq!(text(&output.stderr), "oops\n");
}

/// Who reads from a command that closes its side must not wait for our end of the pipe; nor who
/// writes to it.
#[test]
fn no_end_of_a_pipe_is_held_beside_the_command() {
    let sandbox = Sandbox::new();
    let script = "exec >&- <&-; touch closed; \
                  for n in $(seq 3000); do [ -f go ] && exit 3; sleep 0.02; done; exit 9";
    let mut command = runner(&sandbox, &["--", "sh", "-c", script]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    wait_for(&sandbox.path("closed"));
    let (mut stdin, began) = (child.stdin.take().unwrap(), Instant::now());
    let refused = loop {
        match stdin.write(b"x") {
            Err(error) => break error.kind(),
            Ok(_) => assert!(began.elapsed() < PATIENCE, "somebody holds the pipe"),
        }
        thread::sleep(Duration::from_millis(5));
    };
    assert_eq!(refused, std::io::ErrorKind::BrokenPipe);
    assert_eq!(child.stdout.take().unwrap().read_to_end(&mut Vec::new()).unwrap(), 0);
    sandbox.write("go", "");
    assert_eq!(child.wait().unwrap().code(), Some(3));
}

#[test]
fn a_script_without_a_first_line_is_run_as_shells_do() {
    let sandbox = Sandbox::new();
    sandbox.write("folder/bare", "echo bare \"$@\"; exit 4\n");
    sandbox.ok("chmod", &["+x", "folder/bare"]);
    for command in ["folder/bare", "bare"] {
        let script = format!("PATH=$PWD/folder:$PATH; log-usage run {command} 'a b'");
        let output = sandbox.run("sh", &["-c", &script]);
        assert_eq!((text(&output.stdout).as_str(), output.status.code()), ("bare a b\n", Some(4)));
    }
}

#[test]
fn a_row_says_what_became_of_it() {
    let sandbox = Sandbox::repository();
    let run = |options: &[&str], command: &str| {
        let command = ["--", "sh", "-c", command];
        let output = sandbox.run("log-usage", &[&["run"], options, &command].concat());
        assert_eq!(text(&output.stderr), "");
        sandbox.rows().pop().unwrap()
    };
    let row = run(&["--model", "claude-3-opus"], "sleep 0.3");
    let fields: Vec<&str> = row.split(',').collect();
    assert_eq!(fields[1..6], ["claude-3-opus", "0", "0", "true", "execute"]);
    let duration: u64 = fields[6].parse().unwrap();
    assert!((300..60_000).contains(&duration), "{row}");
    assert_eq!(fields[7], "{reason=no-usage}");
    let options = ["--model", "m", "--type", "verify", "--notes", "the tests"];
    assert!(run(&options, "exit 1").contains(",false,verify,"));
    assert!(run(&options, "exit 1").ends_with(",the tests {reason=no-usage}"));
    let tags = ["--model", "m", "--tag", "agent=codex", "--tag", "reason=timeout"];
    assert!(run(&tags, "exit 1").ends_with(",{agent=codex reason=timeout}"));
    let report = sandbox.json(&[]);
    assert_eq!(report["totals"]["tasks"], 4);
    // Where the repository wants no tags, none is missed.
    sandbox.write(".telemetry/config.toml", "tags = \"none\"\n");
    assert!(run(&["--model", "m"], "exit 1").ends_with(','));
    std::fs::remove_file(sandbox.path(".telemetry/config.toml")).unwrap();
    // Options of the command are not ours.
    sandbox.ok("log-usage", &["run", "--model", "m", "sh", "-c", "exit $#", "sh"]);
    let named = sandbox.run("log-usage", &["run", "--file", "own.csv", "--model", "m", "true"]);
    assert!(named.status.success() && sandbox.read("own.csv").lines().count() == 2);
    sandbox.ok("log-usage", &["run", "--personal", "--model", "m", "true"]);
    assert_eq!(sandbox.json(&["--personal"])["totals"]["rows"], 1);
    assert_eq!(sandbox.rows().len(), 6);
}

#[test]
fn bad_usage_is_found_before_the_command_starts() {
    let sandbox = Sandbox::repository();
    let before = sandbox.snapshot();
    for (options, says) in [
        (&["--model", "m", "--type", "exec"][..], "error: task_type: \"exec\" is not one of"),
        (&["--model", "two words"], "error: model: \"two words\""),
        (&["--model", "m", "--tag", "colour=red"], "error: tag: \"colour=red\" has a key"),
        (&["--model", "m", "--notes", &"n".repeat(5_000)], "error: notes: "),
        (&["--type", "plan"], "error: --model is missing"),
        (&["--file", "a.csv", "--personal"], "error: --file does not go with --personal"),
        (&["--modle", "m"], "error: no option --modle"),
    ] {
        let output =
            sandbox.run("log-usage", &[&["run"], options, &["--", "touch", "it"]].concat());
        let error = text(&output.stderr);
        assert!(output.status.code() == Some(2) && error.starts_with(says), "{error}");
    }
    let output = sandbox.run("log-usage", &["run"]);
    assert!(text(&output.stderr).starts_with("error: COMMAND is missing\n"), "{output:?}");
    assert_eq!(output.status.code(), Some(2));
    assert!(sandbox.snapshot() == before);
}

#[test]
fn what_cannot_be_logged_changes_nothing_for_the_command() {
    for broken in [".telemetry", ".telemetry/config.toml", ".telemetry/usage.csv"] {
        let sandbox = Sandbox::repository();
        sandbox.write(broken, "not what it should be\n");
        let command = ["run", "--model", "m", "--", "sh", "-c", "echo out; exit 5"];
        let output = sandbox.run("log-usage", &command);
        assert_eq!((output.status.code(), text(&output.stdout).as_str()), (Some(5), "out\n"));
        let error = text(&output.stderr);
        assert!(error.starts_with("log-usage: not logged: "), "{error}");
        assert_eq!(error.lines().count(), 1, "{error}");
        assert_eq!(sandbox.read(broken), "not what it should be\n");
    }
    // The folder that it stands in is gone before it ends, and was never a repository.
    let sandbox = Sandbox::new();
    let script = "mkdir here; cd here; log-usage run --model m -- sh -c 'rm -r ../here; exit 6'";
    assert_eq!(sandbox.run("sh", &["-c", script]).status.code(), Some(6));
}

#[test]
fn switched_off_it_runs_the_command_and_writes_nothing() {
    let sandbox = Sandbox::repository();
    let before = sandbox.snapshot();
    for (options, says) in [
        (&["--model", "m"][..], "not logged: LOG_USAGE_DISABLED is set\n"),
        (&["--model", "m", "--quiet"], ""),
        (&[], ""),
    ] {
        let arguments = [&["run"], options, &["--", "sh", "-c", "exit 8"]].concat();
        let mut command = sandbox.command("log-usage");
        let output = command.env("LOG_USAGE_DISABLED", "1").args(arguments).output().unwrap();
        assert_eq!((output.status.code(), text(&output.stderr).as_str()), (Some(8), says));
    }
    assert!(sandbox.snapshot() == before);
}

/// Without a model and without consent nothing is opened to be written, by any process of ours.
#[test]
fn unasked_it_writes_nothing() {
    if !has_strace() {
        eprintln!("SKIPPED unasked_it_writes_nothing: no strace on this machine");
        return;
    }
    let sandbox = Sandbox::repository();
    let before = sandbox.snapshot();
    let calls = "trace=/open|creat|mkdir|rename|link|unlink|write|truncate|chmod|socket|connect";
    let log = sandbox.path("../trace");
    let log = log.to_str().unwrap();
    let program = env!("CARGO_BIN_EXE_log-usage");
    sandbox.ok("strace", &["-f", "-o", log, "-e", calls, program, "run", "--", "true"]);
    let trace = sandbox.read("../trace");
    assert!(trace.lines().count() > 5, "the test has lost its eyes: {trace}");
    let is_harmless = |line: &str| {
        line.contains("O_RDONLY")
            || line.contains("\"/dev/null\"")
            || line.contains("readlink")
            || line.contains("socketpair(")
            || line.contains(" --- ")
            || line.contains(" +++ ")
            // The end of a call whose arguments stand on an earlier line.
            || line.contains(" <... ")
    };
    // The only bytes that are written are those by which one of our threads wakes another.
    let is_wake_up = |line: &str| {
        line.contains("write(") && line.contains(", \"\\1\"") || line.contains("sendto(")
    };
    let writing = trace.lines().find(|line| !is_harmless(line) && !is_wake_up(line));
    assert_eq!(writing, None, "{trace}");
    assert!(sandbox.snapshot() == before);
}

#[test]
fn with_consent_a_command_is_an_event() {
    let sandbox = agreed();
    let secret = "ghp_0123456789abcdefghijABCDEFGHIJ456789";
    let script = format!("exit 3 # {secret}");
    let output = sandbox.run("log-usage", &["run", "--", "sh", "-c", &script, "two words"]);
    assert_eq!((output.status.code(), text(&output.stderr).as_str()), (Some(3), ""));
    sandbox.ok("log-usage", &["run", "sleep", "0.3"]);
    sandbox.run("log-usage", &["run", "--", "sh", "-c", "kill -KILL $$"]);
    let events = events(&sandbox);
    assert_eq!(events.len(), 3);
    assert_eq!(events[0]["name"], "command.failed");
    assert_eq!(events[0]["success"], false);
    let command = events[0]["command"].as_str().unwrap();
    assert!(command.starts_with("sh -c ") && command.contains("exit 3 # [redacted:"), "{command}");
    assert!(command.ends_with(" 'two words'"), "{command}");
    assert_eq!(events[0]["error"], "exit code 3");
    assert_eq!(events[0]["metrics"]["exit_code"], 3);
    assert_eq!(
        (&events[1]["name"], &events[1]["command"]),
        (&"command.completed".into(), &"sleep 0.3".into())
    );
    assert_eq!((&events[1]["success"], &events[1]["error"]), (&true.into(), &Value::Null));
    assert_eq!(events[1]["metrics"]["exit_code"], 0);
    assert!((300..60_000).contains(&events[1]["duration_ms"].as_u64().unwrap()));
    assert_eq!(
        (&events[2]["error"], &events[2]["metrics"]["exit_code"]),
        (&"SIGKILL".into(), &137.into())
    );
    assert!(!sandbox.path(".telemetry/usage.csv").exists());
    // A row says it all; and who wants to be left alone is.
    sandbox.ok("log-usage", &["run", "--model", "m", "--", "true"]);
    for switch in ["LOG_USAGE_DISABLED", "DO_NOT_TRACK"] {
        sandbox.command("log-usage").env(switch, "1").args(["run", "true"]).unwrap();
    }
    assert_eq!((sandbox.rows().len(), self::events(&sandbox).len()), (1, 3));
}

#[test]
fn a_command_as_long_as_the_system_takes_is_cut() {
    let sandbox = agreed();
    let words: Vec<String> = (0..20_000).map(|n| format!("größer-{n}")).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let began = Instant::now();
    let output = sandbox.run("log-usage", &[&["run", "--", "true"], &words[..]].concat());
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    assert!(began.elapsed() < Duration::from_secs(20));
    let command = events(&sandbox)[0]["command"].as_str().unwrap().to_owned();
    assert!(command.starts_with("true 'größer-0' ") && command.ends_with('…'), "{command}");
    assert!(command.len() <= 1_024);
}

#[test]
fn all_that_a_command_runs_is_of_one_correlation() {
    let sandbox = agreed();
    let script = "echo $LOG_USAGE_CORRELATION_ID; log-usage event agent.started --agent a; \
                  log-usage run -- sh -c 'echo $LOG_USAGE_CORRELATION_ID'";
    let printed = sandbox.ok("log-usage", &["run", "--", "sh", "-c", script]);
    let ids: Vec<&str> = printed.lines().collect();
    assert!(ids.len() == 2 && ids[0] == ids[1] && ids[0].len() == 36, "{printed}");
    let events = events(&sandbox);
    assert_eq!(events.len(), 3);
    assert!(events.iter().all(|event| event["correlation"] == ids[0]), "{events:?}");
    for (given, is_kept) in [("build-17", true), ("two words", false), ("", false)] {
        let mut command = sandbox.command("log-usage");
        command.env("LOG_USAGE_CORRELATION_ID", given).env("LOG_USAGE_SESSION", "s");
        command.args(["run", "sh", "-c", "echo $LOG_USAGE_CORRELATION_ID"]);
        let output = command.output().unwrap();
        let printed = text(&output.stdout);
        assert_eq!(printed.trim() == given, is_kept, "{printed}");
        assert!(is_kept || printed.trim().len() == 36, "{printed}");
        let event = self::events(&sandbox).pop().unwrap();
        assert_eq!(event["correlation"], printed.trim());
        assert!(event["session"].as_str().unwrap().starts_with("s_"), "{event}");
    }
}

#[test]
fn many_at_once_lose_nothing() {
    let sandbox = agreed();
    let (threads, each) = (8, 64);
    thread::scope(|scope| {
        for thread in 0..threads {
            let sandbox = &sandbox;
            scope.spawn(move || {
                for n in 0..each {
                    let model = format!("m-{thread}-{n}");
                    let options = if n % 2 == 0 { vec!["--model", &model] } else { Vec::new() };
                    let script = format!("exit {} # {model}", n % 3);
                    let command = ["--", "sh", "-c", &script];
                    let output =
                        sandbox.run("log-usage", &[&["run"], &options[..], &command].concat());
                    assert_eq!(output.status.code(), Some(n % 3), "{output:?}");
                }
            });
        }
    });
    let rows = sandbox.rows();
    let mut seen: Vec<&str> = rows.iter().map(|row| row.split(',').nth(1).unwrap()).collect();
    let events = events(&sandbox);
    assert_eq!((rows.len(), events.len()), (256, 256));
    seen.extend(events.iter().map(|event| {
        let command = event["command"].as_str().unwrap();
        command.split("# ").nth(1).unwrap().trim_end_matches('\'')
    }));
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen.len(), 512);
}

/// A person at a terminal: keys that interrupt and stop, jobs in the background, a line that breaks.
#[test]
fn at_a_terminal_the_command_stands_alone() {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/terminal.py");
    let sandbox = Sandbox::new();
    for program in ["python3", "bash"] {
        if sandbox.command(program).arg("--version").ok().is_err() {
            eprintln!("SKIPPED at_a_terminal_the_command_stands_alone: no {program} here");
            return;
        }
    }
    let scenarios = sandbox.ok("python3", &[script]);
    assert!(scenarios.lines().count() > 5, "{scenarios}");
    for scenario in scenarios.lines() {
        let output = Sandbox::repository().run("python3", &[script, scenario]);
        assert!(output.status.success(), "{scenario}: {}", text(&output.stderr));
    }
}

/// The files and commands of `docs/run.md`, each under its heading.
#[test]
fn the_recipes_of_the_document_work() {
    let sandbox = agreed();
    let document = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/run.md");
    let document = std::fs::read_to_string(document).unwrap();
    sandbox.write("Makefile", "test:\n\t@echo made\n");
    let scripts = "{\"name\":\"x\",\"version\":\"1.0.0\",\"scripts\":{\"test\":\"echo npm\"}}";
    sandbox.write("package.json", scripts);
    let logged = || {
        let files = [".telemetry/usage.csv", ".telemetry/events.jsonl"].map(|it| sandbox.path(it));
        let texts = files.map(|it| std::fs::read_to_string(it).unwrap_or_default());
        texts.iter().map(|it| it.lines().count()).sum::<usize>()
    };
    let mut tried = 0;
    for block in document.split("```").skip(1).step_by(2) {
        let (label, body) = block.split_once('\n').unwrap();
        if let Some((_, name)) = label.split_once(' ') {
            sandbox.write(name, body);
            continue;
        }
        assert_eq!(label, "console");
        for command in body.lines().map(|line| line.strip_prefix("$ ").unwrap()) {
            let program = command.split(' ').next().unwrap();
            if sandbox.command(program).arg("--version").ok().is_err() {
                eprintln!("SKIPPED the recipe {command}: no {program} on this machine");
                continue;
            }
            let (before, mut shell) = (logged(), sandbox.command("bash"));
            shell.env("npm_config_update_notifier", "false").args(["-c", command]).unwrap();
            let sets_up = ["chmod", "ln", "direnv allow"].iter().any(|it| command.starts_with(it));
            assert_eq!(logged() == before, sets_up, "{command}");
            tried += usize::from(!sets_up);
        }
    }
    assert!(tried >= 2, "the test has lost its eyes");
    // The functions of an interactive shell.
    for shell in ["bash", "zsh"] {
        if sandbox.command(shell).arg("--version").ok().is_err() {
            eprintln!("SKIPPED the recipe for {shell}: not on this machine");
            continue;
        }
        let before = events(&sandbox).len();
        sandbox.command(shell).args(["-c", ". ./.bashrc; make test"]).unwrap();
        let events = events(&sandbox);
        assert_eq!((events.len() - before, &events[before]["command"]), (1, &"make test".into()));
    }
}
