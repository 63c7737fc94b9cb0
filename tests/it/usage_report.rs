//! The reader's flags and doors; what reports look like stands in the golden folders.

use std::fs;

use crate::sandbox::{SEED, Sandbox, text};

const ROWS: [&str; 3] = [
    "2026-02-23T22:19:28Z,claude-3-opus,2500,4800,true,execute,125000,a",
    "2026-02-24T22:19:28Z,gpt-5,800,1200,false,quick,15000,b",
    "2026-03-24T22:19:28Z,claude-3-opus,1,2,true,plan,5,c",
];

#[test]
fn reports_change_nothing() {
    let sandbox = Sandbox::with_rows(&ROWS);
    sandbox.write(".telemetry/usage_backup_20260101_000000.csv", "torn");
    let before = sandbox.snapshot();
    for arguments in [&["--weekly"][..], &["--format", "json"], &["verify"], &["--by", "file"]] {
        sandbox.run("usage-report", arguments);
    }
    assert_eq!(sandbox.snapshot(), before);
}

#[test]
fn an_age_is_counted_from_now() {
    let sandbox = Sandbox::with_rows(&ROWS);
    sandbox.ok("log-usage", &SEED);
    assert_eq!(sandbox.json(&["--since", "7d"])["totals"]["rows"], 1);
    assert_eq!(sandbox.json(&["--until", "1h"])["totals"]["rows"], 3);
    assert_eq!(sandbox.json(&["--since", "100years"])["totals"]["rows"], 4);
}

#[test]
fn a_report_goes_to_a_file_whole_or_not_at_all() {
    let sandbox = Sandbox::with_rows(&ROWS);
    let printed = sandbox.ok("usage-report", &["--weekly"]);
    assert_eq!(sandbox.ok("usage-report", &["--weekly", "--output", "report.md"]), "");
    assert_eq!(sandbox.read("report.md"), printed);
    let refused = sandbox.run("usage-report", &["--output", ".telemetry/usage.csv"]);
    assert_eq!(refused.status.code(), Some(2), "{}", text(&refused.stderr));
    let active = sandbox.path(".telemetry/usage.csv");
    fs::copy(&active, sandbox.path("copy.csv")).unwrap();
    let refused = sandbox.run("usage-report", &["--file", "copy.csv", "--output", "copy.csv"]);
    assert_eq!(refused.status.code(), Some(2), "{}", text(&refused.stderr));
    assert_eq!(fs::read(active).unwrap(), fs::read(sandbox.path("copy.csv")).unwrap());
    assert_eq!(sandbox.rows().len(), 3);
    let missing = sandbox.run("usage-report", &["--output", "no/such/report.md"]);
    assert_eq!(missing.status.code(), Some(1));
    let names: Vec<_> =
        fs::read_dir(sandbox.path("")).unwrap().map(|it| it.unwrap().file_name()).collect();
    assert_eq!(names.len(), 4, "{names:?}");
}

#[test]
fn strict_fails_after_the_report_is_printed() {
    let sandbox = Sandbox::with_rows(&[ROWS[0], "2026-02-23T22:19:29Z,m,1,2,yes,plan,3,"]);
    let output = sandbox.run("usage-report", &["--strict"]);
    assert_eq!(output.status.code(), Some(3));
    assert!(text(&output.stdout).starts_with("# Usage report\n"));
    assert_eq!(sandbox.run("usage-report", &[]).status.code(), Some(0));
}

#[test]
fn a_closed_pipe_is_a_quiet_end() {
    let sandbox = Sandbox::with_rows(&ROWS);
    let script = "usage-report --format json | head -c 1; usage-report --format json > /dev/full";
    let output = sandbox.command("sh").args(["-c", script]).output().unwrap();
    let error = text(&output.stderr);
    assert!(error.starts_with("error: cannot write to standard output"), "{error}");
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn a_ledger_that_is_no_file_is_said_to_be_none() {
    let sandbox = Sandbox::new();
    fs::create_dir_all(sandbox.path(".telemetry/usage.csv")).unwrap();
    let output = sandbox.run("usage-report", &[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("is not a regular file"), "{}", text(&output.stderr));
}

#[test]
fn odd_flags_are_refused() {
    let sandbox = Sandbox::with_rows(&ROWS);
    for (line, start) in [
        ("--weakly", "no option --weakly"),
        ("--format xml", "--format: \"xml\" is not one of markdown, csv, json, table"),
        ("--by colour", "--by: \"colour\" is not one of day, week"),
        ("--since 2026-02-30", "--since: \"2026-02-30\" is not a date"),
        ("--since -5d", "--since: \"-5d\" is not a date"),
        ("--until", "--until lacks its value"),
        ("verfy", "no command verfy"),
        ("--weekly verify", "verify looks at every line"),
        ("--weekly=1", "--weekly takes no value"),
        ("--format -1", "--format: \"-1\" is not one of"),
        ("--task-type quik", "--task-type: \"quik\" is not one of plan"),
    ] {
        let arguments: Vec<&str> = line.split(' ').collect();
        let output = sandbox.run("usage-report", &arguments);
        let error = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{line}: {error}");
        assert!(error.starts_with(&format!("error: {start}")), "{line}: {error}");
        assert!(error.contains("\n  why: ") && error.contains("\n  fix: "), "{error}");
    }
}

#[test]
fn every_grouping_has_a_place_in_every_format() {
    let sandbox = Sandbox::with_rows(&ROWS);
    let all = "day,week,month,hour,weekday,model,task-type,source,session,user,file";
    let json = sandbox.json(&["--by", all]);
    for name in all.split(',') {
        let key = format!("by_{}", name.replace('-', "_"));
        assert!(!json[&key].as_array().unwrap().is_empty(), "{key}");
    }
    for format in ["markdown", "csv", "table"] {
        let printed = sandbox.ok("usage-report", &["--by", all, "--format", format]);
        let width = if format == "table" { 80 } else { 120 };
        assert!(
            printed.lines().filter(|it| it.contains('|')).all(|it| it.chars().count() <= width)
        );
        assert!(printed.contains("2026-W09"), "{format}: {printed}");
    }
}

#[test]
fn csv_says_beside_the_table_what_it_leaves_out() {
    let sandbox = Sandbox::with_rows(&[ROWS[0], ROWS[0], "2026-02-23T22:19:29Z,m,1,2,yes,plan,3,"]);
    let output = sandbox.run("usage-report", &["--format", "csv"]);
    let error = text(&output.stderr);
    assert!(error.starts_with("warning: Left out: 1 unreadable row"), "{error}");
    assert!(error.contains("1 repeated row"), "{error}");
}

#[test]
fn a_ledger_that_git_tracks_but_is_gone_is_said_to_be() {
    let sandbox = Sandbox::with_rows(&ROWS);
    sandbox.git(["add", "."]);
    fs::remove_file(sandbox.path(".telemetry/usage.csv")).unwrap();
    let output = sandbox.run("usage-report", &[]);
    assert!(text(&output.stderr).contains("is missing, but git tracks it"));
}

#[test]
fn a_command_may_stand_behind_the_files() {
    let sandbox = Sandbox::with_rows(&ROWS);
    sandbox.write("other.csv", sandbox.read(".telemetry/usage.csv"));
    for arguments in [&["verify", "--file", "other.csv"][..], &["--file", "other.csv", "verify"]] {
        assert_eq!(sandbox.ok("usage-report", arguments), "3 rows in 1 file: nothing found\n");
    }
    let compared = sandbox.ok("usage-report", &["--file", "other.csv", "compare"]);
    assert!(compared.starts_with("# Usage compared"), "{compared}");
    let both = ["--file", "other.csv", ".telemetry/usage.csv", "check", "--max-tokens", "9M"];
    assert!(sandbox.ok("usage-report", &both).starts_with("health: ok"));
    let files = ["--file", "other.csv", ".telemetry/usage.csv", "--keep-duplicates"];
    assert_eq!(sandbox.json(&files)["totals"]["rows"], 6);
    assert_eq!(sandbox.json(&["--task-type", "verify"])["totals"]["rows"], 0);
}

/// More than 64 bits hold.
#[test]
fn the_largest_sums_are_exact_in_every_format() {
    let row = "2026-02-23T22:19:12Z,m,9007199254740991,0,true,plan,9007199254740991,";
    let rows: Vec<String> = (0..3_000).map(|n| format!("{row}{n}")).collect();
    let rows: Vec<&str> = rows.iter().map(String::as_str).collect();
    let sandbox = Sandbox::with_rows(&rows);
    let exact = (9_007_199_254_740_991u128 * 3_000).to_string();
    for format in ["json", "csv"] {
        let printed = sandbox.ok("usage-report", &["--format", format]);
        assert!(printed.contains(&exact), "{format}: {printed}");
    }
}
