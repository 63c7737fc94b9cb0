//! Any command, which notices nothing of being run by us.

use std::io::{Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

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
    let mut stdin = child.stdin.take().unwrap();
    assert_eq!(stdin.write(b"x").unwrap_err().kind(), std::io::ErrorKind::BrokenPipe);
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
    // Options of the command are not ours.
    sandbox.ok("log-usage", &["run", "--model", "m", "sh", "-c", "exit $#", "sh"]);
    let named = sandbox.run("log-usage", &["run", "--file", "own.csv", "--model", "m", "true"]);
    assert!(named.status.success() && sandbox.read("own.csv").lines().count() == 2);
    sandbox.ok("log-usage", &["run", "--personal", "--model", "m", "true"]);
    assert_eq!(sandbox.json(&["--personal"])["totals"]["rows"], 1);
    assert_eq!(sandbox.rows().len(), 5);
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
    };
    // The only bytes that are written are those by which one of our threads wakes another.
    let is_wake_up = |line: &str| {
        line.contains("write(") && line.contains(", \"\\1\"") || line.contains("sendto(")
    };
    for line in trace.lines().filter(|line| !is_harmless(line) && !is_wake_up(line)) {
        panic!("{line}\n{trace}");
    }
    assert!(sandbox.snapshot() == before);
}

#[test]
fn many_at_once_lose_no_row() {
    let sandbox = Sandbox::repository();
    thread::scope(|scope| {
        for n in 0..8 {
            let sandbox = &sandbox;
            scope.spawn(move || {
                for m in 0..63 {
                    let code = (m % 3).to_string();
                    let script = format!("exit {code}");
                    let model = format!("m-{n}-{m}");
                    let output = sandbox
                        .run("log-usage", &["run", "--model", &model, "--", "sh", "-c", &script]);
                    assert_eq!(output.status.code(), Some(m % 3), "{output:?}");
                }
            });
        }
    });
    let mut models: Vec<String> = Vec::new();
    for row in sandbox.rows() {
        models.push(row.split(',').nth(1).unwrap().to_owned());
    }
    models.sort();
    models.dedup();
    assert_eq!((models.len(), sandbox.rows().len()), (504, 504));
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
