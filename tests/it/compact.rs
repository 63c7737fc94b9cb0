//! `compact`: fragments become rows of the ledger, none is lost and none counted twice.

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use crate::faults::has_strace;
use crate::sandbox::{HEADER, Sandbox, text};

fn row(hour: u8, model: &str) -> String {
    format!("2026-03-01T{hour:02}:00:00Z,{model},{hour},1,true,plan,1000,")
}

fn file(rows: &[String]) -> String {
    rows.iter().fold(format!("{HEADER}\n"), |text, row| text + row + "\n")
}

/// Rows in the ledger, in a segment and in two fragments, some of them twice.
fn fragmented() -> Sandbox {
    let sandbox = Sandbox::repository();
    for (name, rows) in [
        ("archive/usage-20260301T010000Z-00000001.csv", vec![row(1, "a"), row(2, "a")]),
        ("usage.csv", vec![row(5, "b"), row(9, "b")]),
        ("usage.d/20260301-0000000000000001.csv", vec![row(8, "c"), row(2, "a"), row(9, "b")]),
        ("usage.d/20260301-0000000000000002.csv", vec![row(7, "d"), row(8, "c"), row(6, "d")]),
    ] {
        sandbox.write(&format!(".telemetry/{name}"), file(&rows));
    }
    sandbox
}

fn rows_counted(sandbox: &Sandbox) -> u64 {
    sandbox.json(&["--no-cache"])["totals"]["rows"].as_u64().unwrap()
}

#[test]
fn fragments_become_rows_of_the_ledger() {
    let sandbox = fragmented();
    let totals = sandbox.json(&[])["totals"].clone();
    let told = sandbox.ok("log-usage", &["compact"]);
    assert_eq!(told, "folded 2 fragments into usage.csv: 3 rows added, 3 already there\n");
    let rows = [row(5, "b"), row(9, "b"), row(6, "d"), row(7, "d"), row(8, "c")];
    assert_eq!(sandbox.rows(), rows);
    assert_eq!(fs::read_dir(sandbox.path(".telemetry/usage.d")).unwrap().count(), 0);
    assert_eq!(sandbox.json(&[])["totals"], totals);
    let before = sandbox.snapshot();
    let told = sandbox.ok("log-usage", &["compact"]);
    assert_eq!(told, "nothing to compact: there are no fragments\n");
    assert_eq!(sandbox.snapshot(), before);
}

#[test]
fn what_a_row_cannot_hold_stays_in_its_fragment() {
    let sandbox = fragmented();
    let fragment = |n: u8| format!(".telemetry/usage.d/20260301-000000000000000{n}.csv");
    sandbox.write(&fragment(3), file(&[row(10, "e"), "garbage".to_owned()]));
    sandbox.write(&fragment(4), file(&[row(11, "e"), "=======".to_owned()]));
    let other = format!("{HEADER},who\n{}me\n", row(12, "e,").replace(",,", ","));
    sandbox.write(&fragment(5), other.replace("1000,me", "1000,,me"));
    let counted = rows_counted(&sandbox);
    let output = sandbox.run("log-usage", &["compact"]);
    assert!(output.status.success());
    let said = text(&output.stderr);
    for (n, why) in [(3, "line 3 cannot be read"), (4, "line 3 is a marker"), (5, "other columns")]
    {
        assert!(said.contains(&format!("000{n}.csv: ")) && said.contains(why), "{said}");
        assert!(sandbox.path(fragment(n)).exists());
    }
    assert!(!sandbox.path(fragment(1)).exists());
    assert_eq!(rows_counted(&sandbox), counted);
    assert_eq!(sandbox.ok("log-usage", &["compact"]), "no fragment was removed\n");
    assert_eq!(rows_counted(&sandbox), counted);
}

#[test]
fn a_full_ledger_is_sealed_on_the_way() {
    let sandbox = fragmented();
    sandbox.write(".telemetry/config.toml", "max_size = \"200\"\n");
    let counted = rows_counted(&sandbox);
    sandbox.ok("log-usage", &["compact"]);
    assert!(fs::read_dir(sandbox.path(".telemetry/archive")).unwrap().count() > 2);
    assert_eq!(rows_counted(&sandbox), counted);
}

#[test]
fn every_ledger_has_its_own_fragments() {
    let sandbox = Sandbox::new();
    for (ledger, arguments) in [
        ("a/usage", &["--file", "a/usage.csv"][..]),
        ("a/other", &["--file", "a/other.csv"]),
        ("../home/.local/share/usage-ledger/usage", &["--personal"]),
    ] {
        sandbox.write(&format!("{ledger}.csv"), file(&[row(1, "a")]));
        sandbox.write(&format!("{ledger}.d/20260301-0000000000000001.csv"), file(&[row(2, "b")]));
        sandbox.ok("log-usage", &[&["compact"], arguments].concat());
        assert_eq!(sandbox.json(arguments)["totals"]["rows"], 2, "{ledger}");
        assert_eq!(fs::read_dir(sandbox.path(format!("{ledger}.d"))).unwrap().count(), 0);
    }
}

#[test]
fn branches_that_fold_and_add_merge_to_the_same_rows() {
    let sandbox = fragmented();
    sandbox.ok("log-usage", &["init"]);
    let commit = |message: &str| {
        sandbox.git(["add", "."]);
        sandbox.git(["commit", "--quiet", "-m", message]);
    };
    commit("base");
    sandbox.git(["checkout", "--quiet", "-b", "topic"]);
    sandbox.write(".telemetry/usage.d/20260302-0000000000000003.csv", file(&[row(20, "t")]));
    sandbox
        .write(".telemetry/usage.csv", sandbox.read(".telemetry/usage.csv") + &row(21, "t") + "\n");
    commit("topic");
    let output = sandbox.run("log-usage", &["compact"]);
    assert!(text(&output.stderr).contains("warning: this is not the branch main"));
    commit("folded on topic");
    sandbox.git(["checkout", "--quiet", "main"]);
    let output = sandbox.run("log-usage", &["compact"]);
    assert_eq!(text(&output.stderr), "");
    commit("folded on main");
    sandbox.git(["merge", "--quiet", "--no-edit", "topic"]);
    assert_eq!(rows_counted(&sandbox), 9);
}

/// What one branch pruned a fragment of another may bring back.
#[test]
fn pruned_rows_do_not_come_back() {
    let sandbox = fragmented();
    sandbox.write(".telemetry/pruned", "2026-03-01\n");
    let old = "2026-02-28T09:00:00Z,m,1,1,true,plan,1000,";
    sandbox.write(
        ".telemetry/usage.d/20260228-0000000000000003.csv",
        file(&[old.to_owned(), row(10, "e")]),
    );
    let totals = sandbox.json(&[])["totals"].clone();
    let told = sandbox.ok("log-usage", &["compact"]);
    assert_eq!(
        told,
        "folded 3 fragments into usage.csv: 4 rows added, 3 already there, 1 pruned\n"
    );
    assert!(!sandbox.read(".telemetry/usage.csv").contains(old));
    assert_eq!(fs::read_dir(sandbox.path(".telemetry/usage.d")).unwrap().count(), 0);
    let report = sandbox.json(&[]);
    assert_eq!((&report["totals"], &report["pruned"]["rows"]), (&totals, &0.into()));
}

/// A writer chooses its fragment before it has the lock; whoever takes the file or the folder away
/// meanwhile costs it neither the row nor seconds.
#[test]
fn writers_go_on_while_fragments_are_folded() {
    let sandbox = Sandbox::repository();
    sandbox.write(".telemetry/config.toml", "layout = \"fragments\"\n");
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        let writers: Vec<_> = (0..3)
            .map(|_| {
                scope.spawn(|| {
                    let row = ["m", "1", "2", "true", "plan", "3", "--durability", "none"];
                    (0..40).for_each(|_| drop(sandbox.ok("log-usage", &row)));
                })
            })
            .collect();
        scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                sandbox.ok("log-usage", &["compact"]);
                // As git does with a folder that holds nothing any more.
                let _ = fs::remove_dir(sandbox.path(".telemetry/usage.d"));
            }
        });
        let ended: Vec<_> = writers.into_iter().map(|writer| writer.join()).collect();
        is_over.store(true, Ordering::Relaxed);
        assert!(ended.iter().all(Result::is_ok));
    });
    sandbox.ok("log-usage", &["compact"]);
    assert_eq!(sandbox.rows().len(), 120);
    assert_eq!(rows_counted(&sandbox), 120);
}

/// That git tracks `usage.csv` says nothing about a fragment that is not there yet.
#[test]
fn a_row_after_a_committed_compaction_begins_a_fragment() {
    let sandbox = fragmented();
    sandbox.write(".telemetry/config.toml", "layout = \"fragments\"\n");
    sandbox.ok("log-usage", &["compact"]);
    sandbox.git(["add", "."]);
    sandbox.git(["commit", "--quiet", "-m", "folded"]);
    sandbox.ok("log-usage", &["m", "1", "2", "true", "plan", "3"]);
    assert_eq!(fs::read_dir(sandbox.path(".telemetry/usage.d")).unwrap().count(), 1);
    assert_eq!(rows_counted(&sandbox), 8);
}

/// Whichever call fails or is the last one, every row counts once, and the same command ends it.
#[test]
fn whoever_dies_on_the_way_loses_no_row() {
    if !has_strace() {
        eprintln!("SKIPPED whoever_dies_on_the_way_loses_no_row: no strace on this machine");
        return;
    }
    let mut met = 0;
    for call in ["write", "unlink,unlinkat", "openat", "fdatasync", "fsync"] {
        for fault in ["error=EIO", "signal=KILL"] {
            for when in 1..40 {
                let sandbox = fragmented();
                let inject = format!("inject={call}:{fault}:when={when}");
                let mut options =
                    vec!["-o".to_owned(), "trace".to_owned(), "-e".to_owned(), inject];
                for (path, _) in sandbox.snapshot() {
                    if !path.starts_with(sandbox.path(".git")) {
                        options.extend(["-P".to_owned(), path.to_string_lossy().into_owned()]);
                    }
                }
                let mut command = sandbox.command("strace");
                let program = env!("CARGO_BIN_EXE_log-usage");
                let output = command.args(&options).args([program, "compact"]).output().unwrap();
                if output.status.success() && !sandbox.read("trace").contains("INJECTED") {
                    break;
                }
                met += 1;
                assert_eq!(rows_counted(&sandbox), 7, "{options:?}");
                sandbox.ok("log-usage", &["compact"]);
                assert_eq!(rows_counted(&sandbox), 7, "{options:?}");
                assert_eq!(fs::read_dir(sandbox.path(".telemetry/usage.d")).unwrap().count(), 0);
            }
        }
    }
    assert!(met > 20, "the test has lost its eyes: {met}");
}
