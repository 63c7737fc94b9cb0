//! `--range`: the rows that one commit has and another has not, however git came to them.

use std::fs;

use crate::sandbox::{HEADER, Sandbox, text};

/// A row of that second and task type.
fn row(second: u8, task_type: &str) -> String {
    format!("2026-01-05T10:00:{second:02}Z,m,{second}00,10,true,{task_type},5000,")
}

fn add(sandbox: &Sandbox, seconds: &[u8]) {
    let rows: Vec<String> = seconds.iter().map(|second| row(*second, "execute")).collect();
    sandbox.add_rows(&rows.iter().map(String::as_str).collect::<Vec<_>>());
}

const DAY: &str = "2026-01-05";

/// A repository whose `main` has two rows, at a branch `topic` with two more; `main` has another by
/// now.
fn forked() -> Sandbox {
    let sandbox = Sandbox::repository();
    sandbox.write(".telemetry/.gitattributes", "*.csv merge=union\n");
    add(&sandbox, &[1, 2]);
    sandbox.commit(DAY, "first");
    sandbox.git(["checkout", "--quiet", "-b", "topic"]);
    add(&sandbox, &[3, 4]);
    sandbox.commit(DAY, "work");
    sandbox.git(["checkout", "--quiet", "main"]);
    add(&sandbox, &[5]);
    sandbox.commit(DAY, "meanwhile");
    sandbox.git(["checkout", "--quiet", "topic"]);
    sandbox
}

/// The prompt tokens of a range's rows, in hundreds: the sum of their seconds. And how many repeat.
fn seconds(sandbox: &Sandbox, range: &str) -> (u64, u64) {
    let report = sandbox.json(&["--range", range]);
    let sum = report["totals"]["prompt_tokens"].as_u64().unwrap() / 100;
    assert_eq!(report["duplicates"], 0);
    (report["totals"]["rows"].as_u64().unwrap(), sum)
}

#[test]
fn a_branchs_rows_are_the_same_however_it_is_joined() {
    let sandbox = forked();
    for range in ["main..topic", "main..HEAD", "main..", "main...topic"] {
        assert_eq!(seconds(&sandbox, range), (2, 7), "{range}");
    }
    assert_eq!(seconds(&sandbox, "topic..main"), (1, 5));
    assert_eq!(seconds(&sandbox, "..main"), (1, 5));
    sandbox.git(["rebase", "--quiet", "main"]);
    assert_eq!(seconds(&sandbox, "main.."), (2, 7), "after a rebase");
    add(&sandbox, &[6]);
    sandbox.commit(DAY, "more work");
    sandbox.git(["checkout", "--quiet", "main"]);
    add(&sandbox, &[7]);
    sandbox.commit(DAY, "meanwhile again");
    sandbox.git(["checkout", "--quiet", "topic"]);
    sandbox.git(["merge", "--quiet", "--no-edit", "main"]);
    assert_eq!(seconds(&sandbox, "main.."), (3, 13), "after main was merged back");
    sandbox.git(["checkout", "--quiet", "main"]);
    sandbox.git(["merge", "--quiet", "--squash", "topic"]);
    sandbox.commit(DAY, "squashed (#1)");
    sandbox.git(["checkout", "--quiet", "topic"]);
    assert_eq!(seconds(&sandbox, "main.."), (0, 0), "after it was squashed");
    add(&sandbox, &[8]);
    sandbox.commit(DAY, "it goes on");
    assert_eq!(seconds(&sandbox, "main.."), (1, 8), "after it went on");
    assert_eq!(seconds(&sandbox, "main"), (7, 28));
}

#[test]
fn what_moved_into_the_archive_or_was_amended_is_not_new() {
    let sandbox = Sandbox::repository();
    let by_id = "2026-01-05T10:00:03Z,m,300,10,true,execute,5000,{source=a id=x}";
    add(&sandbox, &[1, 2]);
    sandbox.add_rows(&[by_id]);
    sandbox.write(
        ".telemetry/usage.d/20260105-0123456789abcdef.csv",
        format!("{HEADER}\n{}\n", row(4, "plan")),
    );
    sandbox.commit(DAY, "first");
    sandbox.git(["tag", "v1.0"]);
    let archive = ".telemetry/archive/usage-20260105T100001Z-0123abcd.csv";
    sandbox.write(archive, sandbox.read(".telemetry/usage.csv"));
    sandbox.write(".telemetry/usage.csv", format!("{HEADER}\n"));
    sandbox.add_rows(&[&by_id.replace("id=x", "id=x rev=1").replace("true", "false")]);
    // What is no file of the ledger has no rows.
    sandbox.write(".telemetry/archive/other.csv", format!("{HEADER}\n{}\n", row(40, "plan")));
    sandbox.commit(DAY, "rotated");
    assert_eq!(seconds(&sandbox, "v1.0.."), (0, 0));
    add(&sandbox, &[5]);
    sandbox.write(
        ".telemetry/usage.d/20260106-0123456789abcdef.csv",
        format!("{HEADER}\n{}\n", row(6, "plan")),
    );
    sandbox.commit(DAY, "more");
    assert_eq!(seconds(&sandbox, "v1.0..HEAD"), (2, 11));
    // A new row that was amended since counts once, as it is now.
    let new = "2026-01-05T10:00:07Z,m,700,10,true,execute,5000,{source=a id=y";
    sandbox.add_rows(&[&format!("{new}}}"), &format!("{} rev=1}}", new.replace("700", "900"))]);
    sandbox.commit(DAY, "amended");
    assert_eq!(seconds(&sandbox, "v1.0..HEAD"), (3, 20));
    let by_file = sandbox.json(&["--range", "v1.0..", "--by", "file"]);
    let files: Vec<&str> = by_file["by_file"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["file"].as_str().unwrap())
        .collect();
    assert_eq!(files, ["usage.csv", "usage.d/20260106-0123456789abcdef.csv"]);
}

#[test]
fn a_range_is_read_from_git_alone_wherever_one_stands() {
    let sandbox = forked();
    add(&sandbox, &[50]);
    sandbox.write("deep/er/code", "");
    assert_eq!(seconds(&sandbox, "main.."), (2, 7), "a row that is not committed is not in it");
    let before = sandbox.snapshot();
    fs::remove_file(sandbox.path(".telemetry/usage.csv")).unwrap();
    assert_eq!(seconds(&sandbox, "main.."), (2, 7), "without a work tree");
    add(&sandbox, &[9]);
    sandbox.git(["worktree", "add", "--quiet", "../tree", "main"]);
    let asked = |folder: &str| {
        let mut command = sandbox.command("usage-report");
        let output = command
            .current_dir(sandbox.path(folder))
            .env("GIT_DIR", "/nowhere")
            .args(["--range", "main..topic", "--format", "json"])
            .output()
            .unwrap();
        assert!(output.status.success(), "{folder}: {}", text(&output.stderr));
        let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        report["totals"]["rows"].as_u64().unwrap()
    };
    assert_eq!((asked("deep/er"), asked("../tree")), (2, 2));
    drop(before);
    // A ledger of another name in the same repository.
    sandbox.write("notes/[team].csv", format!("{HEADER}\n{}\n", row(1, "plan")));
    sandbox.commit(DAY, "team");
    let file = ["--file", "notes/[team].csv", "--range", "main.."];
    assert_eq!(sandbox.json(&file)["totals"]["prompt_tokens"], 100);
    let by = sandbox.json(&["--file", "notes/[team].csv", "--by", "commit"]);
    assert_eq!(by["by_commit"][0]["subject"], "team");
}

#[test]
fn a_range_changes_nothing() {
    let sandbox = forked();
    let before = sandbox.snapshot();
    for arguments in [&["--range", "main.."][..], &["--by", "pr,commit", "--all-branches"]] {
        sandbox.ok("usage-report", arguments);
    }
    assert_eq!(sandbox.snapshot(), before);
}

#[test]
fn a_branch_is_told_in_a_few_lines() {
    let sandbox = forked();
    sandbox.add_rows(&[
        &row(7, "plan"),
        "2026-01-05T10:01:00Z,m,10000000,10,false,plan,4000000,",
        "2026-01-05T10:02:00Z,m,20,10,true,plan,1000,{role=sub}",
    ]);
    sandbox.commit(DAY, "more");
    let expected = "\
**AI usage of this branch: 4 tasks, 3 succeeded · 10.0 M tokens · 1h 07m**

<details><summary>By task type</summary>

| Task type | Tasks | Success |     Prompt | Completion |   Time |
|:----------|------:|--------:|-----------:|-----------:|-------:|
| plan      |     2 |     1/2 | 10,000,720 |         30 | 1h 07m |
| execute   |     2 |     2/2 |        700 |         20 | 10.0 s |
| **all**   |     4 |     3/4 | 10,001,420 |         50 | 1h 07m |

5 rows (1 of sub-agents) that `main` does not have.
</details>
";
    for range in ["main..", "main..HEAD", "main..topic", "main..refs/heads/topic", "main..@"] {
        assert_eq!(sandbox.ok("usage-report", &["--range", range]), expected, "{range}");
    }
    let first_and_last = |arguments: &[&str]| {
        let report = sandbox.ok("usage-report", arguments);
        let sentence = report.lines().rev().nth(1).unwrap_or_default().to_owned();
        (report.lines().next().unwrap().to_owned(), sentence)
    };
    sandbox.git(["branch", "odd`name"]);
    let (first, last) = first_and_last(&["--range", "main..odd`name"]);
    assert!(first.starts_with("**AI usage of ``main..odd`name``: 4 tasks"), "{first}");
    assert_eq!(last, "5 rows (1 of sub-agents) that `main` does not have.");
    let (first, last) = first_and_last(&["--range", "main...topic", "--task-type", "execute"]);
    assert!(first.starts_with("**AI usage of this branch: 2 tasks, 2 succeeded"), "{first}");
    assert_eq!(
        last,
        "2 rows that the last common commit of `main` and `topic` does not have, \
         only `--task-type execute`."
    );
    let (first, last) = first_and_last(&["--range", "main"]);
    assert!(first.starts_with("**AI usage at `main`: 3 tasks"), "{first}");
    assert_eq!(last, "3 rows that `main` has.");
    assert_eq!(
        sandbox.ok("usage-report", &["--range", "topic..topic"]),
        "**AI usage of this branch: none.** No rows that `topic` does not have.\n"
    );
    assert_eq!(
        sandbox.ok("usage-report", &["--range", "main..", "--model", "x"]),
        "**AI usage of this branch: none.** No rows match. The range holds 5 rows of 2026-01-05; \
         --model x leaves none.\n"
    );
}

/// What was pruned in a commit that is read is pruned there, whatever is checked out.
#[test]
fn the_border_of_what_is_read_counts() {
    let sandbox = forked();
    let early = "2026-01-04T10:00:09Z,m,900,10,true,plan,5000,";
    sandbox.git(["checkout", "--quiet", "main"]);
    sandbox.add_rows(&[early]);
    sandbox.write(".telemetry/pruned", "2026-01-05\n");
    sandbox.commit(DAY, "prune, and a row that a merge brought back");
    let counted = |arguments: &[&str]| {
        let report = sandbox.json(arguments);
        let pruned = report["pruned"].clone();
        (report["totals"]["rows"].clone(), pruned["rows"].clone(), pruned["before"].clone())
    };
    let wanted = (3.into(), 1.into(), "2026-01-05".into());
    assert_eq!(counted(&["--range", "main"]), wanted);
    sandbox.git(["checkout", "--quiet", "topic"]);
    assert!(!sandbox.path(".telemetry/pruned").exists());
    assert_eq!(counted(&["--range", "main"]), wanted);
    assert_eq!(counted(&["--range", "main..topic", "--by", "commit"]).0, 2);
    assert_eq!(counted(&["--all-branches"]), (5.into(), 1.into(), "2026-01-05".into()));
    // The newest counts, wherever it stands.
    sandbox.write(".telemetry/pruned", "2026-01-06\n");
    assert_eq!(counted(&["--range", "main"]), (0.into(), 4.into(), "2026-01-06".into()));
    sandbox.write(".telemetry/pruned", "2026-01-01\n");
    assert_eq!(counted(&["--range", "main"]), wanted);
    sandbox.git(["branch", "--quiet", "bad"]);
    sandbox.git(["checkout", "--quiet", "bad"]);
    sandbox.write(".telemetry/pruned", "soon\n");
    let bad = sandbox.commit(DAY, "no date");
    sandbox.git(["checkout", "--quiet", "main"]);
    for arguments in [&["--range", "bad"][..], &["--all-branches"]] {
        let output = sandbox.run("usage-report", arguments);
        assert_eq!(output.status.code(), Some(1));
        let said = text(&output.stderr);
        assert!(said.contains(&format!("pruned at {}:1: \"soon\"", &bad[..12])), "{said}");
    }
}

#[test]
fn other_reports_of_a_range_are_as_ever() {
    let sandbox = forked();
    let weekly = sandbox.ok("usage-report", &["--range", "main..", "--weekly"]);
    assert!(weekly.starts_with("# Usage report by week\n\n**2 tasks"), "{weekly}");
    assert!(weekly.contains("- Only the rows that `main` does not have.\n"), "{weekly}");
    let csv = sandbox.ok("usage-report", &["--range", "main..", "--format", "csv"]);
    assert!(csv.contains("\ntotal,all,2,2,2,"), "{csv}");
    let table = sandbox.ok("usage-report", &["--range", "main..", "--format", "table"]);
    assert!(table.contains(" Usage ") && table.contains("Succeeded"), "{table}");
    let none = sandbox.ok("usage-report", &["--range", "HEAD..HEAD", "--format", "table"]);
    assert!(none.contains(" No rows that `HEAD` does not have."), "{none}");
}

#[test]
fn only_new_lines_that_cannot_be_read_are_told() {
    let sandbox = forked();
    sandbox.add_rows(&["2026-01-05T10:00:20Z,m,1,2,yes,plan,3,"]);
    sandbox.commit(DAY, "bad");
    sandbox.git(["branch", "base"]);
    sandbox.add_rows(&["2026-01-05T10:00:21Z,m,1,2,oui,plan,3,", &row(22, "plan")]);
    sandbox.commit(DAY, "worse");
    let report = sandbox.json(&["--range", "base.."]);
    assert_eq!(report["skipped"]["rows"], 1, "{report}");
    assert_eq!(report["skipped"]["lines"][0]["line"], 7);
    assert_eq!(report["totals"]["rows"], 1);
    let output = sandbox.run("usage-report", &["--range", "base..", "--strict"]);
    assert_eq!(output.status.code(), Some(3));
    assert!(text(&output.stdout).contains("Left out: 1 unreadable row (`usage.csv:7 "));
}

#[test]
fn a_shallow_clone_says_what_to_fetch() {
    let sandbox = forked();
    let origin = format!("file://{}", sandbox.path("").display());
    sandbox.git(["clone", "--quiet", "--depth", "1", &origin, "../clone"]);
    let ask = |arguments: &[&str]| {
        let mut command = sandbox.command("usage-report");
        command.current_dir(sandbox.path("../clone")).args(arguments).output().unwrap()
    };
    let output = ask(&["--range", "main..HEAD"]);
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(
        text(&output.stderr),
        "error: --range: this shallow clone has no commit \"main\"\n  \
         why: it cannot be done as it was typed; nothing was done\n  \
         fix: git fetch --unshallow; or git fetch origin main:refs/remotes/origin/main, then \
         --range origin/main..HEAD\n"
    );
    let output = ask(&["--range", "HEAD~1.."]);
    assert!(text(&output.stderr).ends_with("fix: git fetch --unshallow\n"), "{output:?}");
    let output = ask(&["--by", "commit"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).ends_with("fix: git fetch --unshallow\n"), "{output:?}");
    // What is there can be compared, however shallow.
    assert!(ask(&["--range", "HEAD"]).status.success());
    let fetch = ["-C", "../clone", "fetch", "--quiet", "origin", "main:refs/remotes/origin/main"];
    sandbox.git(fetch);
    let output = ask(&["--range", "origin/main..HEAD"]);
    assert!(text(&output.stdout).contains("\n2 rows that `origin/main` does not have.\n"));
    let output = ask(&["--range", "HEAD...main"]);
    assert!(text(&output.stderr).ends_with("fix: --range HEAD...origin/main\n"), "{output:?}");
}

#[test]
fn what_is_no_range_is_refused() {
    let sandbox = forked();
    let says = |arguments: &[&str], code: i32, what: &str| {
        let output = sandbox.run("usage-report", arguments);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}");
        let said = text(&output.stderr);
        assert!(said.starts_with(&format!("error: {what}")), "{arguments:?}: {said}");
        assert_eq!(text(&output.stdout), "");
    };
    for range in ["--output=x..HEAD", "^main", "-h", "gone..HEAD", "main..gone", "main:.telemetry"]
    {
        says(&["--range", range], 2, "--range: this repository has no commit");
    }
    assert!(!sandbox.path("x").exists());
    says(&["--file", "-", "--range", "main.."], 2, "--range is of one ledger");
    says(&["--file", "a.csv", "b.csv", "--by", "commit"], 2, "--by commit is of one ledger");
    says(&["--personal", "--range", "main.."], 1, "no git repository around");
    says(&["--range", "main..", "--all-branches"], 2, "--range does not go with --all-branches");
    says(
        &["--range", "main..", "--keep-duplicates"],
        2,
        "--range does not go with --keep-duplicates",
    );
    says(&["--range", "main..", "verify"], 2, "verify looks at every line");
    sandbox.git(["checkout", "--quiet", "--orphan", "alone"]);
    sandbox.commit(DAY, "another beginning");
    says(&["--range", "main...alone"], 2, "--range: no commit is in the past of both");
    let outside = Sandbox::new();
    outside.write("usage.csv", format!("{HEADER}\n"));
    let output = outside.run("usage-report", &["--file", "usage.csv", "--range", "main.."]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("no git repository around"));
}
