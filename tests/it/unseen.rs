//! What reports, hooks, `doctor` and `verify` say and do about segments that are compressed or in an
//! archive: nothing goes out of sight without a word.

use std::fs;
use std::thread;

use usage_ledger::engine;
use usage_ledger::engine::inputs::{self, Ledger};
use usage_ledger::engine::query::Query;
use usage_ledger::error::Error;
use usage_ledger::workspace::Place;

use crate::archive::{FEBRUARY, JANUARY, ROWS, clone, file, months, row};
use crate::sandbox::{Sandbox, text};

/// Moves everything from before March away.
fn moved(sandbox: &Sandbox, to: &str) {
    let to = format!("../{to}");
    let told =
        sandbox.ok("log-usage", &["archive", "--to", &to, "--before", "2026-03-01", "--yes"]);
    assert!(told.starts_with("moved 40 rows in 2 segments"), "{told}");
}

/// How many rows are seen, and how many it is said are not.
fn seen(sandbox: &Sandbox) -> (u64, u64) {
    let report = sandbox.json(&[]);
    let number = |pointer: &str| report.pointer(pointer).unwrap().as_u64().unwrap();
    (number("/totals/rows"), number("/archived/rows"))
}

/// Commits with the hooks, as somebody who thinks of the code alone.
fn commit_code(sandbox: &Sandbox, is_all: bool) {
    sandbox.write("code", sandbox.read("code") + "1\n");
    sandbox.git(["add", "code"]);
    let all = if is_all { "-qam" } else { "-qm" };
    sandbox.git(["commit", all, "code"]);
    assert_eq!(sandbox.git(["status", "--short"]), "");
}

/// Whoever takes segments out of a commit says in the same commit where they went.
#[test]
fn what_went_rides_with_the_segments() {
    for (mode, is_all, logs) in [
        (&["hooks", "install", "--direct"][..], false, false),
        (&["hooks", "install", "--direct"], false, true),
        (&["hooks", "install"], false, true),
        (&["hooks", "install"], true, false),
    ] {
        let sandbox = months();
        sandbox.write("code", "");
        sandbox.commit("2026-05-01", "code");
        sandbox.ok("log-usage", mode);
        let mut rows = ROWS;
        let mut commit = || {
            if logs {
                sandbox.ok("log-usage", &["m", "1", "2", "true", "plan", "3"]);
                rows += 1;
            }
            commit_code(&sandbox, is_all);
            rows
        };
        // Twice: the list is new at first, and then changed.
        for (day, gone) in [("2026-02-01", 20), ("2026-03-01", 40)] {
            sandbox.ok("log-usage", &["archive", "--to", "../vault", "--before", day, "--yes"]);
            let rows = commit();
            assert_eq!(seen(&clone(&sandbox)), (rows - gone, gone), "{mode:?} {is_all} {logs}");
        }
        sandbox.ok("log-usage", &["restore", "../vault"]);
        let rows = commit();
        assert_eq!(seen(&clone(&sandbox)), (rows, 0), "{mode:?} {is_all} {logs}");
        sandbox.ok("log-usage", &["archive"]);
        let rows = commit();
        assert_eq!(seen(&clone(&sandbox)), (rows, 0), "{mode:?} {is_all} {logs}");
        sandbox.ok("log-usage", &["prune", "--before", "2026-02-01", "--yes"]);
        commit();
        sandbox.ok("log-usage", &["prune", "--before", "2026-02-10", "--yes"]);
        commit();
    }
}

/// Two branches may seal segments of one name: what one moved away is not what the other has.
#[test]
fn a_segment_of_the_same_name_is_not_the_one_that_went() {
    let sandbox = months();
    moved(&sandbox, "vault");
    let own = fs::read(sandbox.path("../vault").join(JANUARY.rsplit('/').next().unwrap())).unwrap();
    // As many rows and as many bytes.
    let twin = file(&(0..20).map(|n| row(1, 1 + n, 500 + n)).collect::<Vec<_>>());
    assert_eq!(twin.len(), own.len());
    for (bytes, expected, word) in [
        (twin, (60, 40), "Not seen: up to 40 rows"),
        (String::from_utf8(own).unwrap(), (60, 20), "Not seen: 20 rows"),
    ] {
        sandbox.write(JANUARY, bytes);
        sandbox.commit("2026-05-02", "merged");
        let look = || {
            assert_eq!(seen(&sandbox), expected);
            let said = sandbox.ok("usage-report", &[]);
            assert!(said.contains(word), "{said}");
            assert_eq!(sandbox.ok("usage-report", &["--committed"]), said);
            let check = sandbox.run("usage-report", &["check", "--max-tokens", "1G"]);
            assert!(text(&check.stdout).contains(word), "{}", text(&check.stdout));
        };
        look();
        sandbox.ok("log-usage", &["archive"]);
        sandbox.commit("2026-05-02", "compressed");
        look();
        fs::remove_file(sandbox.path(format!("{JANUARY}.gz"))).unwrap();
    }
    // Of one that was pruned in its middle some rows are known to be gone.
    sandbox.write(".telemetry/pruned", "2026-01-11\n");
    let json = sandbox.json(&[]);
    assert_eq!(
        (&json["archived"]["rows"], &json["archived"]["at_most"]),
        (&40.into(), &true.into())
    );
}

#[test]
fn a_comparison_says_what_it_does_not_see() {
    let sandbox = months();
    moved(&sandbox, "vault");
    let compare = |arguments: &[&str]| {
        let output = sandbox.run("usage-report", &[&["compare"], arguments].concat());
        (text(&output.stdout), text(&output.stderr))
    };
    let said = "Not seen: 20 rows from 2026-01-01 to 2026-01-20, in 1 segment";
    let (page, _) = compare(&["2026-01-01..2026-01-30", "2026-03"]);
    assert!(page.contains(said) && !page.contains("nothing left out"), "{page}");
    assert!(compare(&["2026-01-01..2026-01-30", "2026-03", "--format", "table"]).0.contains(said));
    let (json, said_beside) = compare(&["2026-01-01..2026-01-30", "2026-03", "--format", "json"]);
    assert!(json.contains("\"rows\": 20,\n    \"at_most\": false"), "{json}");
    assert_eq!(said_beside, "");
    let (_, beside) = compare(&["2026-01-01..2026-01-30", "2026-03", "--format", "csv"]);
    assert!(beside.starts_with(&format!("warning: {said}")), "{beside}");
    assert!(!compare(&["2026-03", "2026-04"]).0.contains("Not seen"));
    assert!(compare(&["model:m1", "model:m2"]).0.contains("Not seen: 40 rows"));
}

/// What git leaves in the lists where it knows no rule for them hides no row.
#[test]
fn markers_in_the_lists_do_no_harm() {
    let sandbox = months();
    moved(&sandbox, "vault");
    let list = sandbox.read(".telemetry/archived.csv");
    let (head, line) = list.trim_end().rsplit_once('\n').unwrap();
    let conflict = format!("{head}\n<<<<<<< HEAD\n{line}\n=======\n{line}\n>>>>>>> topic\n");
    sandbox.write(".telemetry/archived.csv", conflict);
    assert_eq!(seen(&sandbox), (40, 40));
    let borders = "<<<<<<< HEAD\n2026-01-01\n=======\n2026-03-11\n>>>>>>> topic\n";
    sandbox.write(".telemetry/pruned", borders);
    assert_eq!(seen(&sandbox), (30, 0));
}

#[test]
fn a_segment_that_goes_while_it_is_read_is_no_smaller_sum() {
    let sandbox = months();
    let place = Place::in_repository(&sandbox.path(""));
    let Ledger { inputs, unseen } = inputs::of_ledger(&place, "", false).unwrap();
    assert_eq!((inputs.len(), unseen.len()), (4, 0));
    fs::remove_file(sandbox.path(FEBRUARY)).unwrap();
    let sums = engine::sum(&inputs, &Query::default(), None, &|_| ());
    assert!(matches!(sums, Err(Error::Gone { .. })), "{sums:?}");
}

/// Reports are of one moment, whatever is moved meanwhile.
#[test]
fn no_report_is_wrong_while_segments_are_moved() {
    let sandbox = months();
    let is_whole = |arguments: &[&str]| {
        let report = sandbox.json(arguments);
        let [rows, unseen] =
            ["/totals/rows", "/archived/rows"].map(|it| report.pointer(it).unwrap());
        assert_eq!(rows.as_u64().unwrap() + unseen.as_u64().unwrap(), ROWS, "{rows} {unseen}");
    };
    thread::scope(|scope| {
        let mover = scope.spawn(|| {
            for _ in 0..8 {
                moved(&sandbox, "vault");
                sandbox.ok("log-usage", &["restore", "../vault"]);
            }
            sandbox.ok("log-usage", &["archive"]);
        });
        while !mover.is_finished() {
            is_whole(&[]);
            is_whole(&["--no-cache"]);
        }
    });
    is_whole(&[]);
}

#[test]
fn a_damaged_segment_is_no_fault_of_the_system() {
    let sandbox = months();
    sandbox.ok("log-usage", &["archive"]);
    sandbox.write(&format!("{JANUARY}.gz"), "no gzip");
    let output = sandbox.run("usage-report", &["--no-cache"]);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        said.contains("00000001.csv.gz: it is damaged: ") && said.contains("restore"),
        "{said}"
    );
}

/// What `doctor` and `verify` say, one after the other.
fn looked_after(sandbox: &Sandbox) -> String {
    ["log-usage doctor", "usage-report verify"]
        .map(|it| text(&sandbox.run("sh", &["-c", it]).stdout))
        .concat()
}

#[test]
fn doctor_says_what_is_not_committed() {
    let sandbox = months();
    assert!(!looked_after(&sandbox).contains("WRONG"), "{}", looked_after(&sandbox));
    moved(&sandbox, "vault");
    sandbox.ok("log-usage", &["alert", "ack", "0123456789ab", "--note", "why"]);
    sandbox.git(["commit", "--quiet", "-am", "all but what is new"]);
    let said = looked_after(&sandbox);
    for words in ["/archived.csv is not committed: other", "/alerts.csv is not committed: nobody"] {
        assert!(said.contains(words), "{said}");
    }
    sandbox.commit("2026-05-02", "new");
    assert!(!looked_after(&sandbox).contains("WRONG"), "{}", looked_after(&sandbox));
    sandbox.ok("log-usage", &["archive"]);
    sandbox.git(["commit", "--quiet", "-am", "all but what is new"]);
    let said = looked_after(&sandbox);
    assert!(said.contains("WRONG not committed: 1 sealed segment, which git commit -a"), "{said}");
    sandbox.ok("log-usage", &["hooks", "install", "--direct"]);
    assert!(!looked_after(&sandbox).contains("sealed segment, which"));
    sandbox.write(".telemetry/.gitattributes", "/usage.csv merge=union\n");
    let said = looked_after(&sandbox);
    for act in ["archive", "acknowledge alerts"] {
        assert!(said.contains(&format!("a conflict where two branches {act}")), "{said}");
    }
}

#[test]
fn what_cannot_be_read_of_alerts_is_named() {
    let sandbox = months();
    let header = "timestamp,alert,action,user,note";
    sandbox.write(".telemetry/alerts.csv", format!("{header}\nsoon,0123456789ab,ack,,\n"));
    let said = looked_after(&sandbox);
    assert!(said.contains("WRONG 1 line cannot be read: "), "{said}");
    assert!(said.contains("\nalerts.csv:2: cannot be read: timestamp is not RFC 3339\n"), "{said}");
    assert_eq!(sandbox.run("usage-report", &["verify"]).status.code(), Some(1));
    let bad = "soon,0123456789ab,ack,,\n".repeat(150);
    sandbox.write(".telemetry/alerts.csv", format!("{header}\n{bad}"));
    assert!(looked_after(&sandbox).contains("alerts.csv: and 50 such lines besides\n"));
}

/// The end of every policy: first they are moved, then they count no more.
#[test]
fn rows_in_an_archive_are_pruned_too() {
    let sandbox = months();
    moved(&sandbox, "vault");
    sandbox.write(".telemetry/config.toml", "[retention]\nkeep = \"30d\"\n");
    let said = looked_after(&sandbox);
    assert!(said.contains("WRONG rows older than 30d: 40, and 40 in an archive"), "{said}");
    assert!(said.contains("log-usage prune --older-than 30d deletes"), "{said}");
    let prune = ["prune", "--before", "2026-02-11"];
    let output = sandbox.run("log-usage", &prune);
    assert!(text(&output.stderr).contains("prune would count no row from before 2026-02-11"));
    let files = sandbox.snapshot();
    let told = sandbox.ok("log-usage", &[&prune[..], &["--dry-run"]].concat());
    assert!(told.contains("in an archive: up to 40 rows, which count no more"), "{told}");
    assert_eq!(sandbox.snapshot(), files);
    sandbox.ok("log-usage", &[&prune[..], &["--yes"]].concat());
    assert_eq!(sandbox.read(".telemetry/pruned"), "2026-02-11\n");
    let json = sandbox.json(&[]);
    assert_eq!(
        (&json["archived"]["rows"], &json["archived"]["at_most"]),
        (&20.into(), &true.into())
    );
    let again = sandbox.ok("log-usage", &[&prune[..], &["--yes"]].concat());
    assert!(again.starts_with("nothing to prune"), "{again}");
    sandbox.ok("log-usage", &["restore", "../vault"]);
    assert_eq!(seen(&sandbox), (50, 0));
}

#[test]
fn commands_say_that_a_row_may_be_in_an_archive() {
    let sandbox = months();
    let amend = ["amend", "0123456789ab", "--success", "false"];
    let said = |arguments: &[&str]| text(&sandbox.run("log-usage", arguments).stderr);
    assert!(!said(&amend).contains("archive"));
    moved(&sandbox, "vault");
    assert!(said(&amend).contains("log-usage restore puts back 40 rows"), "{}", said(&amend));
    sandbox.ok("log-usage", &["archive"]);
    let packed = ".telemetry/archive/usage-20260301T092000Z-00000003.csv.gz";
    let repair = said(&["repair", "--file", packed]);
    assert!(repair.contains(&format!("{packed} is compressed\n")), "{repair}");
    assert!(repair.trim_end().ends_with(packed.trim_end_matches(".gz")), "{repair}");
}
