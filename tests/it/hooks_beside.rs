//! `log-usage hooks` where hooks are kept by others: the work tree, other repositories, husky,
//! lefthook, pre-commit.

use std::fs;
use std::path::Path;

use crate::hooks::{BOTH, Stage, mode, program};
use crate::sandbox::text;

#[test]
fn hooks_of_the_work_tree_name_no_machine() {
    let stage = Stage::new();
    program(&stage.sandbox.path(".githooks/pre-commit"), "#!/bin/sh\necho own >> \"$NOTED\"\n");
    stage.sandbox.git(["config", "core.hooksPath", ".githooks"]);
    let before = stage.snapshot();
    fs::create_dir(stage.sandbox.path("sub")).unwrap();
    let mut command = stage.sandbox.command("log-usage");
    let folder = stage.sandbox.path("sub");
    let output = command.current_dir(folder).args(["hooks", "install"]).output().unwrap();
    fs::remove_dir(stage.sandbox.path("sub")).unwrap();
    assert!(text(&output.stdout).contains("commit the changed hooks"), "{}", text(&output.stdout));
    assert_eq!(stage.commit(), ["pre-commit", "own", "post-commit"]);
    let hook = stage.sandbox.read(".githooks/pre-commit");
    assert!(!hook.contains(" -x "), "{hook}");
    assert!(!stage.sandbox.path(".git/hooks/pre-commit").exists());
    assert_eq!(stage.sandbox.git(["config", "core.hooksPath"]), ".githooks\n");
    stage.uninstall();
    assert!(stage.snapshot() == before);
}

#[test]
fn hooks_outside_the_repository_are_left_unless_forced() {
    let stage = Stage::new();
    let shared = stage.outside("hooks");
    program(&shared.join("pre-commit"), "#!/bin/sh\necho own >> \"$NOTED\"\n");
    let bytes = fs::read(shared.join("pre-commit")).unwrap();
    stage.sandbox.git(["config", "--global", "core.hooksPath", &shared.to_string_lossy()]);
    let before = stage.snapshot();
    let output = stage.sandbox.run("log-usage", &["hooks", "install"]);
    assert_eq!(output.status.code(), Some(1));
    let (out, error) = (text(&output.stdout), text(&output.stderr));
    assert!(error.contains("leads out of this repository") && error.contains("--force"), "{error}");
    assert!(out.contains("log-usage hook post-commit"), "{out}");
    assert!(stage.snapshot() == before && fs::read(shared.join("pre-commit")).unwrap() == bytes);
    assert!(!shared.join("post-commit").exists());

    stage.sandbox.ok("log-usage", &["hooks", "install", "--force"]);
    assert_eq!(stage.commit(), ["pre-commit", "own", "post-commit"]);
    assert!(stage.install().contains("nothing was changed"), "agreed once, it is there");
    let told = stage.uninstall();
    assert!(told.contains("left") && told.contains("--force"), "{told}");
    assert!(stage.snapshot() == before, "the repository itself is as it was");
    stage.sandbox.ok("log-usage", &["hooks", "uninstall", "--force"]);
    assert_eq!(fs::read(shared.join("pre-commit")).unwrap(), bytes);
    assert!(!shared.join("post-commit").exists());
}

/// husky's own files, as its ninth version lays them down.
fn husky(stage: &Stage) {
    for hook in BOTH {
        program(
            &stage.sandbox.path(format!(".husky/_/{hook}")),
            "#!/usr/bin/env sh\n. \"$(dirname \"$0\")/h\"",
        );
    }
    let dispatcher = "#!/usr/bin/env sh\nn=$(basename \"$0\")\ns=$(dirname \"$(dirname \"$0\")\")/$n\n\
                      [ ! -f \"$s\" ] && exit 0\nsh -e \"$s\" \"$@\"\nc=$?\nexit $c\n";
    program(&stage.sandbox.path(".husky/_/h"), dispatcher);
    stage.sandbox.write(".husky/_/.gitignore", "*");
    stage.sandbox.write(".husky/pre-commit", "echo own >> \"$NOTED\"\n");
    stage.sandbox.git(["config", "core.hooksPath", ".husky/_"]);
}

#[test]
fn husky_is_asked_first() {
    let stage = Stage::new();
    husky(&stage);
    let before = stage.snapshot();
    assert_eq!(stage.commit(), ["own"]);
    let output = stage.sandbox.run("log-usage", &["hooks", "install"]);
    assert_eq!(output.status.code(), Some(1), "nobody is there to be asked");
    assert!(text(&output.stdout).contains("# .husky/pre-commit, after its first line:"));
    assert!(stage.snapshot() == before);

    stage.sandbox.ok("log-usage", &["hooks", "install", "--force"]);
    assert_eq!(stage.commit(), ["pre-commit", "own", "post-commit"]);
    assert_eq!(mode(&stage.sandbox.path(".husky/pre-commit")) & 0o111, 0);
    let committed =
        stage.sandbox.read(".husky/pre-commit") + &stage.sandbox.read(".husky/post-commit");
    assert!(!committed.contains(" -x "), "{committed}");
    assert_eq!(stage.status().0, 0, "{}", stage.status().1);
    // Whoever clones it finds our lines there, and need not be asked.
    stage.sandbox.git(["config", "--unset", "log-usage.write"]);
    fs::remove_dir(stage.sandbox.path(".git/log-usage/pending")).unwrap();
    let told = stage.install();
    assert!(told.contains("deferred") && !told.contains(".husky/pre-commit:"), "{told}");
    stage.uninstall();
    let after = stage.snapshot();
    assert!(after.iter().all(|it| before.contains(it)) && after.len() == before.len(), "{after:?}");
}

#[test]
fn lefthook_gets_its_lines_by_hand() {
    let stage = Stage::new();
    stage
        .sandbox
        .write("lefthook.yml", "pre-commit:\n  commands:\n    own:\n      run: \"true\"\n");
    let hook = "#!/bin/sh\n# lefthook\necho \"lefthook $1\" >> \"$NOTED\"\n";
    program(&stage.sandbox.path(".git/hooks/pre-commit"), hook);
    let before = stage.snapshot();
    let output = stage.sandbox.run("log-usage", &["hooks", "install"]);
    assert_eq!(output.status.code(), Some(1));
    let snippet = text(&output.stdout);
    assert!(snippet.contains("run: log-usage hook post-commit || true"), "{snippet}");
    let forced = stage.sandbox.run("log-usage", &["hooks", "install", "--force"]);
    assert_eq!(forced.status.code(), Some(1), "its files are not ours, even so");
    assert!(stage.snapshot() == before);

    stage.sandbox.write("lefthook-local.yml", snippet);
    let before = stage.snapshot();
    let output = stage.sandbox.run("log-usage", &["hooks", "install"]);
    assert_eq!(output.status.code(), Some(1), "lefthook has not made its post-commit yet");
    program(&stage.sandbox.path(".git/hooks/post-commit"), hook);
    let with_hook = stage.snapshot();
    stage.install();
    assert_eq!(stage.sandbox.read(".git/hooks/pre-commit"), hook);
    assert_eq!(stage.status().0, 0, "{}", stage.status().1);
    stage.uninstall();
    assert!(stage.snapshot() == with_hook && with_hook != before);

    // lefthook comes second: what it kept under another name, and would bring back, is cleaned too.
    let stage = Stage::new();
    stage.install();
    let path = stage.sandbox.path(".git/hooks/pre-commit");
    fs::rename(&path, stage.sandbox.path(".git/hooks/pre-commit.old")).unwrap();
    program(&path, hook);
    stage.sandbox.write("lefthook.yml", "pre-commit:\n");
    assert_eq!(stage.status().0, 1);
    stage.uninstall();
    assert!(!stage.sandbox.path(".git/hooks/pre-commit.old").exists());
    assert_eq!(stage.sandbox.read(".git/hooks/pre-commit"), hook);
}

/// The script of pre-commit, as its fourth version writes it, and what becomes of our block when it
/// is written anew.
#[test]
fn pre_commit_and_our_block_bear_each_other() {
    let stage = Stage::new();
    let script = "#!/bin/sh\n# File generated by pre-commit: https://pre-commit.com\n\
                  echo framework >> \"$NOTED\"\nlegacy=\"$0.legacy\"\n\
                  if [ -x \"$legacy\" ]; then \"$legacy\" \"$@\"; fi\n";
    let hook = stage.sandbox.path(".git/hooks/pre-commit");
    stage.sandbox.write(".pre-commit-config.yaml", "repos: []\n");
    program(&hook, script);
    let before = stage.snapshot();
    let told = stage.install();
    assert!(told.contains("entry: log-usage hook pre-commit"), "{told}");
    assert_eq!(stage.commit(), ["pre-commit", "framework", "post-commit"]);
    program(&hook, script);
    let (code, told) = stage.status();
    assert!(code == 1 && told.contains("WRONG pre-commit does not call log-usage"), "{told}");
    let doctor = stage.sandbox.run("log-usage", &["doctor"]);
    assert_eq!(doctor.status.code(), Some(1));
    stage.install();
    assert_eq!(stage.status().0, 0);
    stage.uninstall();
    assert!(stage.snapshot() == before);

    // The framework comes second: it keeps the hook that it finds, and calls it.
    for own in ["#!/bin/sh\necho own >> \"$NOTED\"\n", "echo own >> \"$NOTED\"\n", ""] {
        let legacy = stage.sandbox.path(".git/hooks/pre-commit.legacy");
        fs::remove_file(&hook).unwrap();
        if !own.is_empty() {
            program(&hook, own);
        }
        stage.install();
        fs::rename(&hook, &legacy).unwrap();
        program(&hook, script);
        let expected = ["framework", "pre-commit", "own", "post-commit"];
        let expected: Vec<&str> =
            expected.into_iter().filter(|it| *it != "own" || !own.is_empty()).collect();
        assert_eq!(stage.commit(), expected, "{own:?}");
        assert_eq!(stage.status().0, 0, "{}", stage.status().1);
        assert!(stage.install().contains("nothing was changed"));
        stage.uninstall();
        assert_eq!(fs::read_to_string(&legacy).unwrap_or_default(), own);
        let _ = fs::remove_file(legacy);
        assert!(stage.snapshot() == before);
    }
}

/// The file by which pre-commit knows us names the same call as our own lines.
#[test]
fn the_frameworks_entry_is_ours() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = fs::read_to_string(root.join(".pre-commit-hooks.yaml")).unwrap();
    for line in usage_ledger::hooks::FRAMEWORK.lines().skip(2) {
        let line = line.trim().trim_start_matches("- ");
        assert!(text.contains(line), "{line}");
    }
}

/// Whoever commits a hook is not thereby whoever may run programs here.
#[test]
fn what_stands_in_a_hook_is_not_run_by_looking_at_it() {
    let stage = Stage::new();
    husky(&stage);
    stage.sandbox.ok("log-usage", &["hooks", "install", "--force"]);
    let hook = ".husky/pre-commit";
    let evil = |word: &str| {
        format!(
            "if false; then :\nelif [ \"${{LOG_USAGE_HOOKS:-1}}\" != 0 ] && [ -x {word} ]; then\n  \
             log-usage hook pre-commit\nfi\n"
        )
    };
    let ran = stage.sandbox.path("ran");
    for word in [
        "$(touch ran)",
        "`touch ran`",
        "a; touch ran; :",
        "'a'$(touch ran)",
        "log-usage;touch$IFS'ran'",
    ] {
        stage
            .sandbox
            .write(hook, format!("# >>> log-usage >>>\n{}# <<< log-usage <<<\n", evil(word)));
        stage.sandbox.git(["config", "merge.log-usage.driver", &format!("{word} merge-driver %O")]);
        // Where git finds log-usage by itself nobody needs to look further.
        for path in [None, Some(programs_without_ours())] {
            for arguments in [&["hooks", "status"][..], &["doctor"]] {
                let mut command = stage.sandbox.command(env!("CARGO_BIN_EXE_log-usage"));
                if let Some(path) = &path {
                    command.env("PATH", path);
                }
                let output = command.args(arguments).output().unwrap();
                assert!(!ran.exists(), "{word} {arguments:?}");
                let said = text(&output.stdout);
                assert!(said.contains("the merge driver's program is not found: "), "{said}");
                let is_lost = said.contains("pre-commit does not find log-usage on git's path");
                assert_eq!(is_lost, path.is_some(), "{said}");
            }
        }
    }
}

/// The path without the folder of our own programs.
fn programs_without_ours() -> std::ffi::OsString {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let ours = Path::new(env!("CARGO_BIN_EXE_log-usage")).parent().unwrap();
    std::env::join_paths(std::env::split_paths(&path).filter(|it| it != ours)).unwrap()
}
