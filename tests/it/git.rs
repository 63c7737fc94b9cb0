//! Called from a user's own hooks, and while git takes the ledger away.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::sandbox::{SEED, Sandbox, text};

fn hook(sandbox: &Sandbox, name: &str) {
    let line = "log-usage claude-3-opus 1500 3200 true execute 45000 \"notes\"";
    let path = sandbox.path(format!(".git/hooks/{name}"));
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, format!("#!/bin/sh\n{line}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
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
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| sandbox.ok("log-usage", &SEED));
        std::thread::sleep(std::time::Duration::from_millis(300));
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
