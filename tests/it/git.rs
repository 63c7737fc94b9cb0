//! Called from a user's own hooks, and while git takes the ledger away.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use crate::hooks::program;
use crate::sandbox::{HEADER, SEED, Sandbox, text};

fn hook(sandbox: &Sandbox, name: &str) {
    let line = "log-usage claude-3-opus 1500 3200 true execute 45000 \"notes\"";
    program(&sandbox.path(format!(".git/hooks/{name}")), format!("#!/bin/sh\n{line}\n"));
}

#[test]
fn a_users_own_hooks_can_log() {
    for name in ["pre-commit", "post-commit"] {
        let sandbox = Sandbox::repository();
        sandbox.write("code", "1");
        sandbox.git(["add", "code"]);
        sandbox.git(["commit", "--quiet", "-m", "first"]);
        hook(&sandbox, name);
        sandbox.write("code", "2");
        sandbox.git(["commit", "--quiet", "-am", "all"]);
        sandbox.write("code", "3");
        sandbox.git(["add", "code"]);
        sandbox.git(["commit", "--quiet", "-m", "staged"]);
        sandbox.git(["commit", "--quiet", "--amend", "-m", "amended"]);
        assert_eq!(sandbox.rows().len(), 3, "{name}");
        sandbox.git(["add", ".telemetry"]);
        sandbox.git(["commit", "--quiet", "--no-verify", "-m", "ledger"]);
        sandbox.git(["worktree", "add", "--quiet", "tree", "-b", "topic"]);
        let tree = sandbox.path("tree");
        let before = fs::read_to_string(tree.join(".telemetry/usage.csv")).unwrap().lines().count();
        fs::write(tree.join("code"), "4").unwrap();
        sandbox.git(["-C", "tree", "commit", "--quiet", "-am", "in a worktree"]);
        let after = fs::read_to_string(tree.join(".telemetry/usage.csv")).unwrap().lines().count();
        assert_eq!(after, before + 1, "{name}");
        assert!(sandbox.ok("usage-report", &["--weekly"]).contains("| claude-3-opus |"), "{name}");
    }
}

#[test]
fn a_tracked_ledger_that_is_gone_is_never_begun_anew() {
    let sandbox = Sandbox::repository();
    sandbox.ok("log-usage", &SEED);
    sandbox.git(["add", "."]);
    sandbox.git(["commit", "--quiet", "-m", "ledger"]);
    fs::remove_file(sandbox.path(".telemetry/usage.csv")).unwrap();
    let output = sandbox.run("log-usage", &SEED);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("is missing, but git tracks it"));
    assert!(!sandbox.path(".telemetry/usage.csv").exists());
    fs::remove_dir_all(sandbox.path(".telemetry")).unwrap();
    assert_eq!(sandbox.run("log-usage", &SEED).status.code(), Some(1));
    assert!(!sandbox.path(".telemetry").exists(), "a refusal makes nothing");
    sandbox.git(["checkout", "--", ".telemetry/usage.csv"]);
    sandbox.ok("log-usage", &SEED);
    assert_eq!(sandbox.rows().len(), 2);
}

#[test]
fn a_writer_waits_while_git_replaces_the_ledger() {
    let sandbox = Sandbox::repository();
    sandbox.ok("log-usage", &SEED);
    sandbox.git(["add", "."]);
    sandbox.git(["commit", "--quiet", "-m", "ledger"]);
    fs::remove_file(sandbox.path(".telemetry/usage.csv")).unwrap();
    thread::scope(|scope| {
        let writer = scope.spawn(|| sandbox.ok("log-usage", &SEED));
        thread::sleep(Duration::from_millis(300));
        sandbox.git(["checkout", "--", ".telemetry/usage.csv"]);
        writer.join().unwrap();
    });
    let rows = sandbox.rows();
    assert_eq!(rows.len(), 2, "{rows:?}");
}

#[test]
fn branches_merge_with_every_row() {
    let sandbox = Sandbox::repository();
    let commit = |message: &str| {
        sandbox.ok("log-usage", &SEED);
        sandbox.git(["add", "."]);
        sandbox.git(["commit", "--quiet", "-m", message]);
    };
    commit("base");
    sandbox.git(["checkout", "--quiet", "-b", "topic"]);
    commit("topic");
    sandbox.git(["checkout", "--quiet", "main"]);
    commit("main");
    sandbox.git(["merge", "--quiet", "--no-edit", "topic"]);
    let report = sandbox.json(&[]);
    assert_eq!((&report["totals"]["rows"], &report["duplicates"]), (&3.into(), &0.into()));
}

/// The lock that git holds while it works is waited for, and no longer than a git that died leaves it.
#[test]
fn a_writer_waits_while_git_holds_its_lock() {
    let sandbox = Sandbox::with_rows(&[]);
    sandbox.git(["add", "."]);
    fs::create_dir(sandbox.path("sub")).unwrap();
    for arguments in [&[][..], &["--file", "../.telemetry/usage.csv"]] {
        let before = sandbox.rows().len();
        sandbox.write(".git/index.lock", "");
        thread::scope(|scope| {
            let writer = scope.spawn(|| {
                let mut command = sandbox.command("log-usage");
                command
                    .current_dir(sandbox.path("sub"))
                    .args(SEED)
                    .args(arguments)
                    .assert()
                    .success();
            });
            thread::sleep(Duration::from_millis(500));
            assert_eq!(sandbox.rows().len(), before, "{arguments:?}: it did not wait");
            fs::remove_file(sandbox.path(".git/index.lock")).unwrap();
            writer.join().unwrap();
        });
        assert_eq!(sandbox.rows().len(), before + 1);
    }
    // Neither a lock that is left behind nor a clock that runs ahead is waited for.
    sandbox.write(".git/index.lock", "");
    sandbox.ok("touch", &["-d", "2020-01-01", ".git/index.lock"]);
    sandbox.ok("touch", &["-d", "2040-01-01", ".git"]);
    let began = Instant::now();
    sandbox.ok("log-usage", &SEED);
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
}

/// Where git is just bringing the ledger of another branch, none is begun in its place.
#[test]
fn a_first_row_waits_for_the_ledger_that_git_brings() {
    let sandbox = Sandbox::repository();
    sandbox.write(".git/index.lock", "");
    thread::scope(|scope| {
        let writer = scope.spawn(|| sandbox.ok("log-usage", &SEED));
        thread::sleep(Duration::from_millis(400));
        assert!(!sandbox.path(".telemetry").exists());
        sandbox.write(
            ".telemetry/usage.csv",
            format!("{HEADER}\n2026-02-23T22:19:28Z,m,1,2,true,plan,3,\n"),
        );
        fs::remove_file(sandbox.path(".git/index.lock")).unwrap();
        writer.join().unwrap();
    });
    assert_eq!(sandbox.rows().len(), 2);
}

/// git replaces a file by another of the same name while a writer has it open: strace holds the
/// writer back in the very call.
#[test]
fn a_ledger_replaced_under_a_writer_gets_the_row() {
    if !crate::faults::has_strace() {
        eprintln!(
            "SKIPPED a_ledger_replaced_under_a_writer_gets_the_row: no strace on this machine"
        );
        return;
    }
    for arguments in [&[][..], &["--max-size", "150"]] {
        let sandbox = Sandbox::with_rows(&["2026-02-23T22:19:28Z,base,1,2,true,plan,3,"]);
        let call = if arguments.is_empty() { "fdatasync" } else { "linkat" };
        let inject = format!("inject={call}:delay_enter=1s:when=1");
        let program = env!("CARGO_BIN_EXE_log-usage");
        let all = [&["-o", "/dev/null", "-e", &inject, program], &SEED[..], arguments].concat();
        thread::scope(|scope| {
            let writer = scope.spawn(|| sandbox.ok("strace", &all));
            thread::sleep(Duration::from_millis(400));
            let text = sandbox.read(".telemetry/usage.csv").replace(",base,", ",branch,");
            sandbox.write(
                "new.csv",
                text.lines().take(2).map(|it| format!("{it}\n")).collect::<String>(),
            );
            fs::rename(sandbox.path("new.csv"), sandbox.path(".telemetry/usage.csv")).unwrap();
            writer.join().unwrap();
        });
        let report = sandbox.json(&["--model", "claude-3-opus"]);
        assert_eq!(report["totals"]["rows"], 1, "{arguments:?}");
        assert_eq!(sandbox.json(&["--model", "branch"])["totals"]["rows"], 1, "{arguments:?}");
    }
}

#[test]
fn a_hook_waits_two_seconds_for_the_lock_at_most() {
    let sandbox = Sandbox::with_rows(&[]);
    hook(&sandbox, "pre-commit");
    sandbox.write(".telemetry/.usage.csv.lock", "");
    let lock = fs::File::open(sandbox.path(".telemetry/.usage.csv.lock")).unwrap();
    fs2::FileExt::lock_exclusive(&lock).unwrap();
    let began = Instant::now();
    let output = sandbox.run("git", &["commit", "--allow-empty", "-m", "x"]);
    assert!(text(&output.stderr).contains("gave up after 2 s"), "{}", text(&output.stderr));
    assert!(began.elapsed() < Duration::from_secs(6));
}

#[test]
fn a_mark_in_the_lock_alone_makes_no_second_history() {
    let sandbox = Sandbox::with_rows(&[]);
    sandbox.git(["add", "."]);
    sandbox.write(".telemetry/.usage.csv.lock", "x");
    fs::remove_file(sandbox.path(".telemetry/usage.csv")).unwrap();
    assert_eq!(sandbox.run("log-usage", &SEED).status.code(), Some(1));
    assert!(!sandbox.path(".telemetry/usage.csv").exists());
    // Without a git to ask, the index itself tells.
    let mut command = sandbox.command("log-usage");
    let output = command.env("PATH", "/nowhere").args(SEED).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
}
