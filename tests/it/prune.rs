//! `prune`, and the border that it leaves for readers and writers.

use std::fs::{self, File};
use std::path::Path;
use std::time::{Duration, SystemTime};

use proptest::prelude::*;
use serde_json::Value;

use crate::faults::has_strace;
use crate::sandbox::{HEADER, Sandbox, text};

/// A row of a day of 2026, told apart from the others of that day by its tokens.
fn row(month: u8, day: u8, tokens: u32) -> String {
    format!("2026-{month:02}-{day:02}T09:00:00Z,m,{tokens},1,true,plan,1000,")
}

fn file(rows: &[String]) -> String {
    rows.iter().fold(format!("{HEADER}\n"), |text, row| text + row + "\n")
}

/// A backup, two sealed segments, a fragment and the active one; half of it from before March.
fn years() -> Sandbox {
    let sandbox = Sandbox::repository();
    for (name, rows) in [
        ("usage_backup_20260101_000000.csv", vec![row(1, 1, 1)]),
        ("archive/usage-20260105T090000Z-00000001.csv", vec![row(1, 5, 2), row(1, 6, 3)]),
        ("archive/usage-20260220T090000Z-00000002.csv", vec![row(2, 20, 4), row(3, 2, 5)]),
        ("usage.d/20260301-0000000000000001.csv", vec![row(2, 28, 6), row(3, 1, 7)]),
        ("usage.csv", vec![row(2, 27, 8), row(3, 3, 9)]),
    ] {
        sandbox.write(&format!(".telemetry/{name}"), file(&rows));
    }
    sandbox
}

fn totals(report: &Value) -> (u64, u64, u64) {
    let number = |value: &Value| value.as_u64().unwrap();
    let totals = &report["totals"];
    (number(&totals["rows"]), number(&totals["total_tokens"]), number(&report["pruned"]["rows"]))
}

const PRUNE: [&str; 4] = ["prune", "--before", "2026-03-01", "--yes"];

#[test]
fn old_rows_go_from_every_file() {
    let sandbox = years();
    let wanted = sandbox.json(&["--since", "2026-03-01"])["totals"].clone();
    let before = sandbox.snapshot();
    let told = sandbox.ok("log-usage", &["prune", "--before", "2026-03-01", "--dry-run"]);
    assert!(told.starts_with(
        "would delete 6 rows from before 2026-03-01 (2026-01-01 to 2026-02-28), 30 tokens:\n  \
         usage_backup_20260101_000000.csv: 1 row, the whole file\n"
    ));
    let output = sandbox.run("log-usage", &PRUNE[..3]);
    assert_eq!(output.status.code(), Some(2), "nobody was asked");
    assert!(text(&output.stderr).contains("prune --before 2026-03-01 --yes"));
    assert_eq!(sandbox.snapshot(), before);
    let told = sandbox.ok("log-usage", &PRUNE);
    assert!(told.starts_with("deleted 6 rows from before 2026-03-01"), "{told}");
    assert_eq!(sandbox.json(&[])["totals"], wanted);
    assert_eq!(totals(&sandbox.json(&["--no-cache"])), (3, 24, 0));
    let folder = sandbox.path(".telemetry");
    assert!(told.contains(&format!("git add {}; ", folder.display())), "{told}");
    assert_eq!(sandbox.read(".telemetry/pruned"), "2026-03-01\n");
    assert_eq!(sandbox.rows(), [row(3, 3, 9)]);
    assert!(!sandbox.path(".telemetry/usage_backup_20260101_000000.csv").exists());
    assert_eq!(fs::read_dir(sandbox.path(".telemetry/archive")).unwrap().count(), 1);
    // Once more changes nothing.
    let before = sandbox.snapshot();
    assert!(sandbox.ok("log-usage", &PRUNE).starts_with("nothing to prune"));
    assert_eq!(sandbox.snapshot(), before);
}

#[test]
fn what_cannot_be_read_stays_byte_for_byte() {
    let sandbox = Sandbox::repository();
    let old = "2026-02-28T23:59:59Z,m,1,2,true,plan,3,";
    let (first, last) = (
        format!("\u{feff}{HEADER}\r\n{old}\r\ngarbage\r\n"),
        "2026-03-01T00:30:00+01:00,m,1,2,TRUE,plan,3,\"two\nlines\"\n=======\n\n2026-01-01T,x",
    );
    sandbox.write(".telemetry/usage.csv", format!("{first}{old}\"a\n{old}b\"\n{old}\n{last}"));
    sandbox.ok("log-usage", &PRUNE);
    let kept = first.replace(&format!("{old}\r\n"), "");
    assert_eq!(sandbox.read(".telemetry/usage.csv"), format!("{kept}{last}"));
}

#[test]
fn an_empty_ledger_keeps_its_header_and_takes_new_rows() {
    let sandbox = Sandbox::with_rows(&[&row(1, 1, 1)]);
    sandbox.ok("log-usage", &PRUNE);
    assert_eq!(sandbox.read(".telemetry/usage.csv"), format!("{HEADER}\n"));
    sandbox.ok("log-usage", &["m", "1", "2", "true", "plan", "3"]);
    assert_eq!(totals(&sandbox.json(&[])), (1, 3, 0));
}

#[test]
fn a_border_is_a_day_up_to_today() {
    let sandbox = Sandbox::with_rows(&[&row(1, 1, 1)]);
    let before = sandbox.snapshot();
    for arguments in [
        &["prune"][..],
        &["prune", "--before", "2026-02-30"],
        &["prune", "--before", "2999-01-01", "--yes"],
        &["prune", "--older-than", "soon"],
        &["prune", "--older-than", "9000years"],
        &["prune", "--older-than", "90d", "--before", "2026-01-01"],
    ] {
        assert_eq!(sandbox.run("log-usage", arguments).status.code(), Some(2), "{arguments:?}");
    }
    assert_eq!(sandbox.snapshot(), before);
    let told = sandbox.ok("log-usage", &["prune", "--older-than", "1day", "--dry-run"]);
    assert!(told.starts_with("would delete 1 row from before 20"), "{told}");
}

/// Of a row's two names for its day, its own offset's counts.
#[test]
fn a_row_is_of_the_day_of_its_own_offset() {
    let rows = [
        "2026-03-01T00:30:00+02:00,m,1,0,true,plan,3,",
        "2026-02-28T23:30:00-02:00,m,2,0,true,plan,3,",
    ];
    let sandbox = Sandbox::with_rows(&rows);
    sandbox.write(".telemetry/pruned", "2026-03-01");
    assert_eq!(totals(&sandbox.json(&[])), (1, 1, 1));
    sandbox.ok("log-usage", &PRUNE);
    assert_eq!(sandbox.rows(), rows[..1]);
}

#[test]
fn writers_refuse_what_no_reader_would_count() {
    let sandbox = years();
    sandbox.ok("log-usage", &PRUNE);
    let before = sandbox.snapshot();
    let old = ["m", "1", "2", "true", "plan", "3", "--timestamp", "2026-02-28T23:59:59+14:00"];
    let output = sandbox.run("log-usage", &old);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("is from before 2026-03-01"));
    let batch = format!("{HEADER}\n{}\n{}\n", row(2, 1, 1), row(3, 9, 2));
    let run = |arguments: &[&str]| {
        let mut command = sandbox.command("log-usage");
        command.args(arguments).write_stdin(batch.clone()).output().unwrap()
    };
    let output = run(&["batch"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("standard input:2: timestamp: \"2026-02-01T"));
    assert_eq!(sandbox.snapshot(), before);
    assert_eq!(run(&["batch", "--keep-going"]).status.code(), Some(3));
    assert_eq!(sandbox.rows(), [row(3, 3, 9), row(3, 9, 2)]);
}

#[test]
fn reports_say_what_they_do_not_count() {
    let sandbox = years();
    sandbox.write(".telemetry/pruned", "2026-01-02\n# the newest counts\n2026-03-01\n2026-02-01\n");
    let wanted = |arguments: &[&str]| totals(&sandbox.json(arguments));
    for arguments in [&[][..], &["--no-cache"], &["--keep-duplicates"], &["--by", "file,hour"]] {
        assert_eq!(wanted(arguments), (3, 24, 6), "{arguments:?}");
        assert_eq!(wanted(arguments), (3, 24, 6), "again, {arguments:?}");
    }
    assert_eq!(wanted(&["--until", "2026-03-01"]), (1, 8, 6));
    let said = sandbox.ok("usage-report", &[]);
    assert!(said.contains("Left out: 6 rows from before 2026-03-01, pruned."), "{said}");
    // The lines are there, and sound.
    assert!(text(&sandbox.run("usage-report", &["verify"]).stdout).contains("9 rows in 5 files"));
    sandbox.write(".telemetry/pruned", "2026-13-01\n");
    for arguments in [&[][..], &["verify"]] {
        let output = sandbox.run("usage-report", arguments);
        assert_eq!(output.status.code(), Some(1));
        assert!(text(&output.stderr).contains("pruned:1: \"2026-13-01\" is not a date"));
    }
}

#[test]
fn each_ledger_has_its_own_border() {
    let sandbox = Sandbox::new();
    let two = file(&[row(2, 1, 1), row(3, 1, 2)]);
    for name in
        ["a/usage.csv", "a/other.csv", "b/usage.csv", "../home/.local/share/usage-ledger/usage.csv"]
    {
        sandbox.write(name, &two);
    }
    let prune = |arguments: &[&str]| sandbox.ok("log-usage", &[&PRUNE, arguments].concat());
    prune(&["--file", "a/other.csv"]);
    assert_eq!(sandbox.read("a/other.pruned"), "2026-03-01\n");
    assert_eq!(sandbox.read("a/usage.csv"), two);
    sandbox.write("a/pruned", "2026-02-15\n");
    let files = ["--keep-duplicates", "--file", "a/usage.csv", "a/other.csv", "b/usage.csv"];
    assert_eq!(totals(&sandbox.json(&files)), (4, 11, 1));
    assert!(sandbox.json(&files)["pruned"]["before"].is_null());
    prune(&["--personal"]);
    assert_eq!(totals(&sandbox.json(&["--personal"])), (1, 3, 0));
    assert_eq!(sandbox.read("b/usage.csv"), two);
}

fn commit(sandbox: &Sandbox, message: &str) {
    sandbox.git(["add", "."]);
    sandbox.git(["commit", "--quiet", "-m", message]);
}

/// A union merge may bring pruned rows back; they are not counted, and go again.
#[test]
fn what_one_branch_pruned_no_other_brings_back() {
    let sandbox = Sandbox::repository();
    sandbox.ok("log-usage", &["init"]);
    let base: Vec<String> = (1..=8).map(|n| row(if n < 3 { 2 } else { 3 }, n, n.into())).collect();
    sandbox.write(".telemetry/usage.csv", file(&base));
    commit(&sandbox, "base");
    sandbox.git(["checkout", "--quiet", "-b", "topic"]);
    sandbox.write(
        ".telemetry/usage.csv",
        file(&[&base[..], &[row(3, 9, 9), row(3, 10, 10)]].concat()),
    );
    commit(&sandbox, "append");
    sandbox.git(["checkout", "--quiet", "main"]);
    sandbox.ok("log-usage", &PRUNE);
    sandbox.write(
        ".telemetry/usage.csv",
        sandbox.read(".telemetry/usage.csv") + &row(3, 11, 11) + "\n",
    );
    commit(&sandbox, "prune");
    // The topic branch prunes less, and appends to a file that main shortened.
    sandbox.git(["checkout", "--quiet", "topic"]);
    sandbox.ok("log-usage", &["prune", "--before", "2026-02-02", "--yes"]);
    commit(&sandbox, "prune less");
    sandbox.git(["merge", "--quiet", "--no-edit", "main"]);
    let report = sandbox.json(&[]);
    assert_eq!(report["totals"]["rows"], 9);
    assert_eq!(report["totals"]["prompt_tokens"], (3..=11).sum::<u64>());
    let mut borders: Vec<String> =
        sandbox.read(".telemetry/pruned").lines().map(str::to_owned).collect();
    borders.sort();
    assert_eq!(borders, ["2026-02-02", "2026-03-01"]);
    // What a union resurrects by itself is not counted either.
    sandbox.write(".telemetry/usage.csv", sandbox.read(".telemetry/usage.csv") + &base[1] + "\n");
    let report = sandbox.json(&[]);
    assert_eq!(report["totals"]["rows"], 9);
    assert!(report["pruned"]["rows"].as_u64().unwrap() > 0);
    assert!(sandbox.ok("log-usage", &PRUNE).starts_with("deleted"));
    assert_eq!(totals(&sandbox.json(&[])).2, 0);
    assert!(sandbox.ok("log-usage", &PRUNE).starts_with("nothing to prune"));
}

/// One side prunes a segment away, the other appends.
#[test]
fn a_segment_may_go_on_one_branch_only() {
    let sandbox = years();
    sandbox.ok("log-usage", &["init"]);
    commit(&sandbox, "base");
    sandbox.git(["checkout", "--quiet", "-b", "topic"]);
    sandbox.write(
        ".telemetry/usage.csv",
        sandbox.read(".telemetry/usage.csv") + &row(3, 20, 20) + "\n",
    );
    commit(&sandbox, "append");
    sandbox.git(["checkout", "--quiet", "main"]);
    sandbox.ok("log-usage", &PRUNE);
    commit(&sandbox, "prune");
    sandbox.git(["merge", "--quiet", "--no-edit", "topic"]);
    let (rows, tokens, _) = totals(&sandbox.json(&[]));
    assert_eq!((rows, tokens), (4, 24 + 21));
    assert!(!sandbox.path(".telemetry/archive/usage-20260105T090000Z-00000001.csv").exists());
}

/// A rotation that was cut short leaves one file with two names.
#[cfg(unix)]
#[test]
fn a_rotation_cut_short_is_ended_first() {
    let sandbox = Sandbox::with_rows(&[&row(2, 1, 1), &row(3, 1, 2)]);
    let segment = sandbox.path(".telemetry/archive/usage-20260201T090000Z-00000001.csv");
    fs::create_dir(segment.parent().unwrap()).unwrap();
    fs::hard_link(sandbox.path(".telemetry/usage.csv"), &segment).unwrap();
    sandbox.ok("log-usage", &PRUNE);
    assert_eq!(fs::read_to_string(segment).unwrap(), file(&[row(3, 1, 2)]));
    assert_eq!(sandbox.read(".telemetry/usage.csv"), format!("{HEADER}\n"));
    assert_eq!(totals(&sandbox.json(&[])), (1, 3, 0));
}

/// Whichever call fails or is the last one, no row on or after the border goes, what the reports
/// say is what they said or what they are to say, and the same command ends it.
#[test]
fn whoever_dies_on_the_way_loses_nothing() {
    if !has_strace() {
        eprintln!("SKIPPED whoever_dies_on_the_way_loses_nothing: no strace on this machine");
        return;
    }
    let calls = ["rename", "unlink,unlinkat", "write", "openat", "fdatasync", "fsync", "ftruncate"];
    let program = env!("CARGO_BIN_EXE_log-usage");
    let mut met = 0;
    for (call, fault) in calls.iter().flat_map(|call| [(call, "error=EIO"), (call, "signal=KILL")])
    {
        for when in 1..60 {
            let sandbox = years();
            let folder = sandbox.path(".telemetry");
            let inject = format!("inject={call}:{fault}:when={when}");
            let options = ["-o", "trace", "-P", folder.to_str().unwrap(), "-e", &inject];
            let mut paths = Vec::new();
            for (path, _) in sandbox.snapshot() {
                paths.extend(["-P".to_owned(), path.to_string_lossy().into_owned()]);
            }
            for name in ["pruned", ".usage.csv.tmp.0", ".usage.csv.lock"] {
                paths.extend(["-P".to_owned(), folder.join(name).to_string_lossy().into_owned()]);
            }
            let mut command = sandbox.command("strace");
            let output =
                command.args(options).args(paths).arg(program).args(PRUNE).output().unwrap();
            if !sandbox.read("trace").contains("INJECTED") && output.status.success() {
                break;
            }
            met += 1;
            let report = sandbox.json(&["--no-cache", "--since", "2026-03-01"]);
            assert_eq!(totals(&report).0, 3, "{inject}");
            let (rows, _, left) = totals(&sandbox.json(&["--no-cache"]));
            let has_border = sandbox.path(".telemetry/pruned").exists();
            assert_eq!(rows, if has_border { 3 } else { 9 }, "{inject}, {left} left");
            sandbox.ok("log-usage", &PRUNE);
            assert_eq!(totals(&sandbox.json(&["--no-cache"])), (3, 24, 0), "{inject}");
            assert!(!sandbox.path(".telemetry/.usage.csv.tmp.0").exists(), "{inject}");
        }
    }
    assert!(met > 40, "the test has lost its eyes: {met}");
}

fn age(path: &Path) {
    let past = SystemTime::now() - Duration::from_secs(3_600);
    File::options().write(true).open(path).unwrap().set_modified(past).unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// What a report says after pruning is what it said before of the days from the border on; and
    /// the border alone says so, too, whatever is known of sealed segments.
    #[test]
    fn pruning_is_a_selection_for_ever(
        rows in prop::collection::vec((0usize..4, 0u32..40, 0u8..4), 0..40),
        border in 0u32..12,
    ) {
        let notes = ["", "{id=a}", "{id=a rev=1}", "{role=sub}"];
        let moment = |n: u32| format!("2026-02-{:02}T{:02}:00:00Z", 1 + n / 4, n % 4 * 6);
        let line = |(_, n, kind): &(usize, u32, u8)| {
            format!("{},m,{n},2,true,plan,{n},{}", moment(*n), notes[usize::from(*kind)])
        };
        let sandbox = Sandbox::new();
        for number in 0..4 {
            let mut lines: Vec<String> = rows.iter().filter(|row| row.0 == number).map(line).collect();
            if number != 2 {
                lines.sort();
            }
            let name = match number {
                3 => ".telemetry/usage.csv".to_owned(),
                n => format!(".telemetry/archive/usage-2026020{n}T000000Z-0000000{n}.csv"),
            };
            sandbox.write(&name, file(&lines));
            age(&sandbox.path(&name));
        }
        let border = &moment(border * 4)[..10];
        let wanted = sandbox.json(&["--since", border, "--no-cache"])["totals"].clone();
        sandbox.json(&[]);
        sandbox.write(".telemetry/pruned", border);
        let by = ["--by", "file,week"];
        for _ in 0..2 {
            let report = sandbox.json(&[]);
            prop_assert_eq!(&report["totals"], &wanted);
            prop_assert_eq!(report, sandbox.json(&["--no-cache"]));
            prop_assert_eq!(sandbox.json(&by), sandbox.json(&[&by[..], &["--no-cache"]].concat()));
        }
        sandbox.ok("log-usage", &["prune", "--before", border, "--yes"]);
        let report = sandbox.json(&[]);
        prop_assert_eq!(&report["totals"], &wanted);
        prop_assert_eq!(&report["pruned"]["rows"], 0);
    }
}

/// What waits for a commit while its day is pruned goes into no commit.
#[test]
fn rows_that_wait_are_pruned_too() {
    let sandbox = Sandbox::repository();
    sandbox.write(".telemetry/usage.csv", file(&[row(2, 1, 1)]));
    fs::create_dir_all(sandbox.path(".git/log-usage/pending")).unwrap();
    let log = |stamp: &str| {
        let row = ["m", "1", "2", "true", "plan", "3", "--timestamp", stamp];
        sandbox.ok("log-usage", &row);
    };
    log("2026-02-02T09:00:00Z");
    log("2026-03-02T09:00:00Z");
    assert_eq!(totals(&sandbox.json(&[])), (3, 8, 0));
    let told = sandbox.ok("log-usage", &["prune", "--before", "2026-03-01", "--dry-run"]);
    assert_eq!(
        told,
        "would delete 2 rows from before 2026-03-01 (2026-02-01 to 2026-02-02), 5 tokens:\n  \
         usage.csv: 1 row, 0 stay\n  rows that wait for a commit: 1 row, 1 stay\n"
    );
    let done = sandbox.ok("log-usage", &PRUNE);
    assert!(done.starts_with(&told.replace("would delete", "deleted")), "{done}");
    assert!(sandbox.ok("log-usage", &PRUNE).starts_with("nothing to prune"));
    assert_eq!(totals(&sandbox.json(&[])), (1, 3, 0));
    sandbox.git(["add", "."]);
    sandbox.ok("log-usage", &["hook", "pre-commit"]);
    sandbox.git(["commit", "--quiet", "-m", "all"]);
    sandbox.ok("log-usage", &["hook", "post-commit"]);
    assert_eq!(sandbox.rows(), ["2026-03-02T09:00:00Z,m,1,2,true,plan,3,"]);
    assert_eq!(totals(&sandbox.json(&[])), (1, 3, 0));
}

/// A row may wait alone: the ledger itself has nothing to prune.
#[test]
fn rows_that_wait_alone_are_pruned_for_ever() {
    let sandbox = Sandbox::with_rows(&[&row(3, 1, 2)]);
    fs::create_dir_all(sandbox.path(".git/log-usage/pending")).unwrap();
    let old = ["m", "1", "2", "true", "plan", "3", "--timestamp", "2026-02-02T09:00:00Z"];
    sandbox.ok("log-usage", &old);
    let told = sandbox.ok("log-usage", &PRUNE);
    assert!(told.contains("3 tokens:\n  rows that wait for a commit: 1 row, 0 stay\n"), "{told}");
    assert_eq!(sandbox.read(".telemetry/pruned"), "2026-03-01\n");
    assert_eq!(totals(&sandbox.json(&[])), (1, 3, 0));
    assert_eq!(sandbox.run("log-usage", &old).status.code(), Some(2));
}

/// Where it is tomorrow already, the farthest west still logs rows of yesterday.
#[test]
fn a_border_refuses_no_row_of_today_anywhere() {
    let sandbox = Sandbox::with_rows(&[&row(1, 1, 1)]);
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs() as i64;
    let date = |seconds: i64| {
        let at = chrono::DateTime::from_timestamp(seconds, 0).unwrap();
        at.format("%Y-%m-%d").to_string()
    };
    let run = |zone: &str, arguments: &[&str]| {
        let mut command = sandbox.command("log-usage");
        command.env("TZ", zone).args(arguments).output().unwrap()
    };
    for zone in ["UTC", "EAST-14", "WEST12"] {
        let (latest, next) = (date(now - 12 * 3_600), date(now + 12 * 3_600));
        let output = run(zone, &["prune", "--before", &next, "--dry-run"]);
        let said = text(&output.stderr);
        // A day may have begun since.
        if date(
            SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs() as i64
                - 12 * 3_600,
        ) != latest
        {
            return;
        }
        assert_eq!(output.status.code(), Some(2), "{zone}");
        assert!(said.contains(&format!("is not a day up to {latest}: ")), "{said}");
        for border in [&["--before", &*latest][..], &["--older-than", "0s"]] {
            let told = text(&run(zone, &[&["prune", "--dry-run"], border].concat()).stdout);
            assert!(told.starts_with("would delete 1 row from before 20"), "{zone}: {told}");
            assert!(&told["would delete 1 row from before ".len()..][..10] <= latest.as_str());
        }
    }
}

/// On a terminal it asks, and only a yes deletes.
#[test]
fn on_a_terminal_it_asks() {
    let sandbox = Sandbox::with_rows(&[&row(1, 1, 1), &row(3, 1, 2)]);
    if sandbox.command("script").arg("--version").ok().is_err() {
        eprintln!("SKIPPED on_a_terminal_it_asks: no script on this machine");
        return;
    }
    let ask = |answer: &str| {
        let mut command = sandbox.command("script");
        let line = "log-usage prune --before 2026-03-01";
        command.args(["-qec", line, "/dev/null"]).write_stdin(answer.to_owned());
        let output = command.output().unwrap();
        (output.status.code(), text(&output.stdout))
    };
    for answer in ["n\n", "\n", "maybe\n"] {
        let (code, said) = ask(answer);
        assert_eq!(code, Some(1), "{said}");
        assert!(
            said.contains("will delete 1 row") && said.contains("Delete 1 row? [y/N]"),
            "{said}"
        );
        assert_eq!(sandbox.rows().len(), 2);
    }
    let (code, said) = ask("y\n");
    assert!(code == Some(0) && said.contains("deleted 1 row"), "{said}");
    assert_eq!(sandbox.rows(), [row(3, 1, 2)]);
}

/// Whatever makes the first commit after it: `git commit -a` takes no new file by itself.
#[test]
fn the_border_rides_in_the_next_commit() {
    for waits in [false, true] {
        let sandbox = Sandbox::with_rows(&[&row(1, 1, 1), &row(3, 3, 9)]);
        sandbox.write("code", "1");
        sandbox.ok("log-usage", &["init"]);
        sandbox.commit("2026-03-04", "first");
        let doctor = || text(&sandbox.run("log-usage", &["doctor"]).stdout);
        sandbox.ok("log-usage", &PRUNE);
        assert!(doctor().contains("pruned is not committed"), "{}", doctor());
        sandbox.ok("log-usage", &["hooks", "install"]);
        if waits {
            sandbox.ok("log-usage", &["m", "1", "2", "true", "plan", "3"]);
        }
        // An empty commit stays refused.
        sandbox.git(["stash", "--quiet"]);
        assert!(!sandbox.run("git", &["commit", "-m", "nothing"]).status.success());
        assert_eq!(sandbox.git(["status", "--short"]), "?? .telemetry/pruned\n");
        sandbox.git(["stash", "pop", "--quiet"]);
        sandbox.write("code", "2");
        sandbox.git(["commit", "--quiet", "-am", "second"]);
        assert_eq!(sandbox.git(["status", "--short"]), "", "waits: {waits}");
        assert_eq!(sandbox.git(["show", "HEAD:.telemetry/pruned"]), "2026-03-01\n");
        assert!(!doctor().contains("pruned is not committed"), "{}", doctor());
        // Later commits ask git nothing more than before.
        let trace = sandbox.path(".git/trace");
        sandbox.write("code", "3");
        if waits {
            sandbox.ok("log-usage", &["m", "1", "2", "true", "plan", "4"]);
        }
        let mut commit = sandbox.command("git");
        commit.env("GIT_TRACE", &trace).args(["commit", "--quiet", "-am", "third"]);
        assert!(commit.output().unwrap().status.success());
        let asked = fs::read_to_string(trace).unwrap();
        assert!(asked.contains("log-usage hook pre-commit") || asked.contains("pre-commit"));
        assert!(!asked.contains("ls-files"), "{asked}");
    }
}

#[test]
fn a_border_that_git_is_to_ignore_stays_out() {
    let sandbox = Sandbox::with_rows(&[&row(1, 1, 1), &row(3, 3, 9)]);
    sandbox.write("code", "1");
    sandbox.ok("log-usage", &["init"]);
    sandbox.commit("2026-03-04", "first");
    sandbox.write(".git/info/exclude", "pruned\n");
    sandbox.ok("log-usage", &PRUNE);
    sandbox.ok("log-usage", &["hooks", "install"]);
    sandbox.write("code", "2");
    sandbox.git(["commit", "--quiet", "-am", "second"]);
    assert!(!sandbox.git(["ls-files"]).contains("pruned"));
}
