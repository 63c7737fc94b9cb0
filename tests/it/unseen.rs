//! What reports, hooks, `doctor` and `verify` say and do about segments that are compressed or in an
//! archive: nothing goes out of sight without a word.

use crate::archive::{ROWS, clone, months};
use crate::sandbox::Sandbox;

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
