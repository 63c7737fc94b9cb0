//! `repair` and `doctor`.

use std::fs;

use crate::sandbox::{HEADER, SEED, Sandbox, text};

const ROW: &str = "2026-02-23T22:19:28Z,m,1,2,true,plan,3,";

#[test]
fn repair_keeps_every_readable_row_and_the_old_file() {
    let sandbox = Sandbox::new();
    let damaged = format!(
        "\u{feff}{HEADER}\r\n{ROW}b\r\n\n<<<<<<< ours\n{ROW}a\n=======\n{ROW}b\n>>>>>>> theirs\n{HEADER}\n\
         2026-02-23T22:19:27Z,m,1,2,TRUE,plan,3,\"two\nlines\"\nbroken\n{ROW}torn,and,torn"
    );
    sandbox.write(".telemetry/usage.csv", &damaged);
    let rehearsed = sandbox.ok("log-usage", &["repair", "--dry-run"]);
    assert!(
        rehearsed.starts_with("would keep 3 rows; left out 2 unreadable lines, 1 repeated row")
    );
    assert_eq!(sandbox.read(".telemetry/usage.csv"), damaged);
    let output = sandbox.run("log-usage", &["repair"]);
    assert!(output.status.success());
    assert!(text(&output.stderr).contains("usage.csv:12: "), "{}", text(&output.stderr));
    let mended = format!(
        "{HEADER}\n2026-02-23T22:19:27Z,m,1,2,true,plan,3,\"two\nlines\"\n{ROW}a\n{ROW}b\n"
    );
    assert_eq!(sandbox.read(".telemetry/usage.csv"), mended);
    assert_eq!(sandbox.read(".telemetry/usage.csv.before-repair"), damaged);
    // What would make it another row than other clones have is left as it is.
    let verified = text(&sandbox.run("usage-report", &["verify"]).stdout);
    assert!(
        verified.contains("usage.csv:2: notes: are of several lines")
            && verified.contains("1 finding")
    );
    let before = sandbox.snapshot();
    assert_eq!(sandbox.ok("log-usage", &["repair"]), "3 rows: nothing to repair\n");
    assert_eq!(sandbox.snapshot(), before);
}

#[test]
fn a_repair_and_a_merge_count_each_row_once() {
    let rows = [
        "2026-02-23T22:19:28z,m,1,2,true,plan,3,",
        "2026-02-23T22:19:29Z,m,1,2,TRUE,plan,3,\"a\nb\"",
    ];
    let sandbox = Sandbox::with_rows(&rows);
    let commit = |message: &str| {
        sandbox.git(["add", "."]);
        sandbox.git(["commit", "--quiet", "-m", message]);
    };
    sandbox.ok("log-usage", &["init"]);
    commit("base");
    sandbox.git(["checkout", "--quiet", "-b", "topic"]);
    sandbox.ok("log-usage", &SEED);
    commit("topic");
    sandbox.git(["checkout", "--quiet", "main"]);
    sandbox.ok("log-usage", &["repair"]);
    sandbox.ok("log-usage", &SEED);
    commit("repaired");
    sandbox.git(["merge", "--quiet", "--no-edit", "topic"]);
    assert_eq!(sandbox.json(&[])["totals"]["rows"], 4);
}

#[test]
fn repair_never_takes_the_name_of_an_older_copy() {
    let sandbox = Sandbox::new();
    for n in 1..4 {
        sandbox.write(".telemetry/usage.csv", format!("{HEADER}\n{ROW}{n}\n\n"));
        sandbox.ok("log-usage", &["repair"]);
    }
    for (name, n) in [("", 1), ("-2", 2), ("-3", 3)] {
        let copy = sandbox.read(&format!(".telemetry/usage.csv.before-repair{name}"));
        assert!(copy.contains(&format!(",{n}\n\n")), "{copy}");
    }
    assert_eq!(sandbox.run("log-usage", &["repair", "--file", "none.csv"]).status.code(), Some(1));
}

#[test]
fn doctor_says_what_to_type_and_that_it_helped() {
    let sandbox = Sandbox::repository();
    let doctor = || {
        let output = sandbox.run("log-usage", &["doctor"]);
        (output.status.code(), text(&output.stdout))
    };
    let (code, said) = doctor();
    // The first row makes it: nothing is wrong.
    assert_eq!(code, Some(0));
    assert!(said.contains("ok    there is no ") && said.contains("log-usage init"), "{said}");
    sandbox.ok("log-usage", &["init"]);
    sandbox.ok("log-usage", &SEED);
    assert!(doctor().1.contains("WRONG the ledger is not committed"));
    sandbox.git(["add", "."]);
    let (code, said) = doctor();
    assert_eq!(code, Some(0), "{said}");
    assert!(!said.contains("WRONG"));
    // The repository's own list keeps the lock out of commits without any .gitignore.
    sandbox.write(".git/info/exclude", "");
    for (damage, sign) in [
        ("config.toml", "max_sise"),
        (".gitattributes", "git would stop with a conflict"),
        (".gitignore", "git would commit .usage.csv.lock"),
        ("usage.csv", "1 findings"),
        ("usage.csv.torn", "holds 9 bytes of writers that died"),
    ] {
        let name = format!(".telemetry/{damage}");
        let kept = fs::read(sandbox.path(&name)).unwrap_or_default();
        let text = match damage {
            "usage.csv" => [&kept[..], b"\n"].concat(),
            "config.toml" => b"max_sise = 1\n".to_vec(),
            _ => b"#nothing\n".to_vec(),
        };
        sandbox.write(&name, text);
        let (code, said) = doctor();
        assert!(code == Some(1) && said.contains(sign), "{damage}: {said}");
        sandbox.write(&name, kept);
    }
    let before = sandbox.snapshot();
    doctor();
    assert_eq!(sandbox.snapshot(), before, "doctor leaves everything as it was");
}

#[test]
fn doctor_shows_what_failed_in_a_hook() {
    let sandbox = Sandbox::repository();
    sandbox.write(".git/hooks/pre-commit", "#!/bin/sh\nlog-usage m 1 2 yes plan 3\nexit 0\n");
    sandbox.ok("chmod", &["+x", ".git/hooks/pre-commit"]);
    sandbox.git(["commit", "--quiet", "--allow-empty", "-m", "first"]);
    let said = text(&sandbox.run("log-usage", &["doctor"]).stdout);
    assert!(said.contains("last failures in hooks:\n"), "{said}");
    assert!(said.contains("error: task_success: \"yes\" is not true or false"), "{said}");
}

/// What waits is of the ledger, too, and the end of a conflict is git's to be told.
#[test]
fn rows_that_wait_are_verified_and_a_repaired_conflict_is_to_be_added() {
    let sandbox = Sandbox::repository();
    sandbox.ok("log-usage", &["hooks", "install"]);
    sandbox.ok("log-usage", &["m", "1", "2", "true", "plan", "3"]);
    assert_eq!(
        sandbox.ok("usage-report", &["verify"]),
        "1 row in 1 file: nothing found\nnote: 1 row of these waits for a commit\n"
    );
    let said = text(&sandbox.run("log-usage", &["doctor"]).stdout);
    assert!(said.contains("rows that wait for a commit: 1") && !said.contains("no row"), "{said}");
    let sandbox = Sandbox::with_rows(&[&format!("{ROW}0")]);
    let merge = |marks: &str| {
        sandbox.commit("2026-03-01", "rows");
        sandbox.write(".git/info/attributes", marks);
    };
    merge("*.csv merge=text\n");
    sandbox.git(["checkout", "--quiet", "-b", "topic"]);
    sandbox.add_rows(&[&format!("{ROW}1")]);
    sandbox.commit("2026-03-02", "theirs");
    sandbox.git(["checkout", "--quiet", "main"]);
    sandbox.add_rows(&[&format!("{ROW}2")]);
    sandbox.commit("2026-03-02", "ours");
    assert!(!sandbox.run("git", &["merge", "topic"]).status.success());
    let said = sandbox.ok("log-usage", &["repair"]);
    let (_, next) = said.split_once("\nnext: ").unwrap();
    sandbox.ok("sh", &["-c", next.split_once(" tells git").unwrap().0]);
    sandbox.git(["commit", "--quiet", "--no-edit"]);
    assert_eq!(sandbox.rows().len(), 3);
    sandbox.add_rows(&["", ""]);
    assert!(!sandbox.ok("log-usage", &["repair"]).contains("next:"));
}
