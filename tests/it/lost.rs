//! `doctor` and `repair` beside what commits and other files hold.

use std::fs;

use crate::sandbox::{HEADER, Sandbox, text};

fn row(day: u8, notes: &str) -> String {
    format!("2026-03-{day:02}T09:00:00Z,m,{day},1,true,plan,1000,{notes}")
}

fn file(rows: &[String]) -> String {
    rows.iter().fold(format!("{HEADER}\n"), |text, row| text + row + "\n")
}

const LEDGER: &str = ".telemetry/usage.csv";
const SEGMENT: &str = ".telemetry/archive/usage-20260301T090000Z-00000001.csv";

/// A committed ledger of two rows in a segment and three in the active one.
fn committed() -> Sandbox {
    let sandbox = Sandbox::repository();
    sandbox.ok("log-usage", &["init"]);
    sandbox.write(SEGMENT, file(&[row(1, ""), row(2, "")]));
    sandbox.write(LEDGER, file(&[row(3, ""), row(4, ""), row(5, "")]));
    commit(&sandbox, "ledger");
    sandbox
}

fn commit(sandbox: &Sandbox, message: &str) {
    sandbox.git(["add", "."]);
    sandbox.git(["commit", "--quiet", "-m", message]);
}

fn doctor(sandbox: &Sandbox) -> (Option<i32>, String) {
    let output = sandbox.run("log-usage", &["doctor"]);
    (output.status.code(), text(&output.stdout))
}

#[test]
fn rows_that_the_work_tree_lost_are_put_back() {
    let sandbox = committed();
    assert_eq!(doctor(&sandbox).0, Some(0), "{}", doctor(&sandbox).1);
    sandbox.write(LEDGER, file(&[row(4, ""), row(6, "")]));
    fs::remove_file(sandbox.path(SEGMENT)).unwrap();
    let before = sandbox.snapshot();
    let (code, said) = doctor(&sandbox);
    assert_eq!(code, Some(1));
    assert!(said.contains("rows of the last commit that no file holds: 4; the first: 2026-03-01"));
    assert_eq!(sandbox.snapshot(), before, "doctor leaves everything as it was");
    let told = sandbox.ok("log-usage", &["repair", "--dry-run"]);
    assert!(
        told.starts_with("would keep 6 rows, 4 of them put back from the last commit;"),
        "{told}"
    );
    assert_eq!(sandbox.rows(), [row(4, ""), row(6, "")]);
    sandbox.ok("log-usage", &["repair"]);
    assert_eq!(sandbox.rows(), [1, 2, 3, 4, 5, 6].map(|day| row(day, "")));
    assert!(!doctor(&sandbox).1.contains("no file holds"));
    assert_eq!(sandbox.ok("log-usage", &["repair"]), "6 rows: nothing to repair\n");
}

#[test]
fn what_was_moved_amended_or_pruned_is_not_lost() {
    let sandbox = committed();
    // Folded elsewhere, and another row by a revision that stands for it.
    sandbox.ok("log-usage", &["amend", "--last", "--success", "false"]);
    let rows = sandbox.rows();
    sandbox.write(".telemetry/usage.d/20260303-0000000000000001.csv", file(&rows[..2]));
    sandbox.write(LEDGER, file(&rows[3..]));
    assert!(!doctor(&sandbox).1.contains("no file holds"));
    sandbox.ok("log-usage", &["compact"]);
    sandbox.ok("log-usage", &["prune", "--before", "2026-03-04", "--yes"]);
    assert!(!doctor(&sandbox).1.contains("no file holds"), "{}", doctor(&sandbox).1);
    sandbox.ok("log-usage", &["repair"]);
    assert_eq!(sandbox.json(&[])["totals"]["rows"], 2);
    assert_eq!(sandbox.json(&[])["pruned"]["rows"], 0);
    // A sealed segment that is mended by itself gets nothing back.
    sandbox.git(["checkout", "--quiet", "--", SEGMENT]);
    sandbox.write(SEGMENT, file(&[row(2, "")]));
    sandbox.ok("log-usage", &["repair", "--file", SEGMENT]);
    assert_eq!(sandbox.read(SEGMENT), file(&[row(2, "")]));
}

#[test]
fn rows_of_sealed_segments_leave_the_active_one() {
    let sandbox = committed();
    let id = "0123456789ab";
    let revised = [row(2, &format!("{{id={id} rev=1}}")), row(2, &format!("{{id={id} rev=2}}"))];
    sandbox.write(SEGMENT, file(&[row(1, ""), row(2, ""), revised[0].clone()]));
    let live = [row(1, ""), row(2, ""), revised[1].clone(), row(3, ""), row(4, ""), row(5, "")];
    sandbox.write(LEDGER, file(&live));
    let totals = sandbox.json(&[])["totals"].clone();
    let said = doctor(&sandbox).1;
    assert!(
        said.contains("rows that stand in more than one file: 2; each is counted once"),
        "{said}"
    );
    let told = sandbox.ok("log-usage", &["repair"]);
    assert!(told.contains("0 repeated rows, 2 rows that sealed segments hold and"), "{told}");
    assert_eq!(sandbox.rows(), live[2..], "the later revision stays");
    assert_eq!(sandbox.json(&[])["totals"], totals);
    assert!(!doctor(&sandbox).1.contains("more than one file"));
}

#[test]
fn the_default_branch_must_know_how_rows_merge() {
    let sandbox = Sandbox::repository();
    sandbox.write("code", "1");
    commit(&sandbox, "code");
    sandbox.git(["checkout", "--quiet", "-b", "topic"]);
    sandbox.ok("log-usage", &["init"]);
    sandbox.ok("log-usage", &["m", "1", "2", "true", "plan", "3"]);
    commit(&sandbox, "ledger");
    let (code, said) = doctor(&sandbox);
    assert!(code == Some(1) && said.contains("on main git would stop with a conflict"), "{said}");
    sandbox.git(["branch", "--force", "main", "topic"]);
    assert_eq!(doctor(&sandbox).0, Some(0), "{}", doctor(&sandbox).1);
    // An older .gitattributes says nothing of what was pruned.
    let rules = sandbox.read(".telemetry/.gitattributes");
    let old: String =
        rules.lines().filter(|it| !it.contains("pruned")).map(|it| format!("{it}\n")).collect();
    sandbox.write(".telemetry/.gitattributes", old);
    sandbox.write(".telemetry/pruned", "2026-01-01\n");
    let (code, said) = doctor(&sandbox);
    assert!(code == Some(1) && said.contains("where two branches prune"), "{said}");
    let fix = said.split("fix: printf").nth(1).unwrap().lines().next().unwrap().to_owned();
    sandbox.ok("sh", &["-c", &format!("printf{fix}")]);
    assert!(!doctor(&sandbox).1.contains("where two branches prune"));
}

#[test]
fn outside_a_repository_nothing_is_lost() {
    let sandbox = Sandbox::new();
    sandbox.write("usage.csv", file(&[row(2, ""), row(1, "")]));
    sandbox.write("../home/.local/share/usage-ledger/usage.csv", file(&[row(2, ""), row(1, "")]));
    for arguments in [&["--file", "usage.csv"][..], &["--personal"]] {
        let told = sandbox.ok("log-usage", &[&["repair"], arguments].concat());
        assert!(told.starts_with("kept 2 rows; left out 0 unreadable lines, 0 repeated rows and"));
    }
}
