//! `amend`: one row is corrected, and counts once, whoever corrected it where.

use std::thread;

use serde_json::Value;

use crate::sandbox::{HEADER, Sandbox, text};

const ROW: &str = "2026-03-01T09:00:00+01:00,m,100,50,true,plan,3000,";
const IMPORTED: &str =
    "2026-03-02T09:00:00Z,n,7,8,true,execute,10,done {source=s id=turn-1234567 rev=4}";

/// The ids that `--list` shows, oldest first.
fn ids(sandbox: &Sandbox) -> Vec<String> {
    let list = sandbox.ok("log-usage", &["amend", "--list"]);
    list.lines().skip(1).map(|line| line.split(' ').next().unwrap().to_owned()).collect()
}

fn amend(sandbox: &Sandbox, arguments: &[&str]) {
    sandbox.ok("log-usage", &[&["amend"], arguments].concat());
}

fn refused(sandbox: &Sandbox, arguments: &[&str]) -> String {
    let before = sandbox.snapshot();
    let output = sandbox.run("log-usage", &[&["amend"], arguments].concat());
    assert_eq!(output.status.code(), Some(2), "{arguments:?}");
    assert_eq!(sandbox.snapshot(), before, "{arguments:?}");
    text(&output.stderr)
}

/// Rows, successes, tokens and earlier revisions; no row repeats another.
fn counted(sandbox: &Sandbox) -> [u64; 4] {
    let report: Value = sandbox.json(&[]);
    let totals = &report["totals"];
    assert_eq!(report["duplicates"], 0);
    [&totals["rows"], &totals["successes"], &totals["total_tokens"], &report["corrected"]]
        .map(|value| value.as_u64().unwrap())
}

#[test]
fn a_corrected_row_stands_for_the_old_one() {
    let sandbox = Sandbox::with_rows(&[&format!("{ROW}\"broke, twice\""), IMPORTED]);
    let [plain, imported] = ids(&sandbox).try_into().unwrap();
    assert_eq!((plain.len(), &*imported), (12, "turn-1234567"));
    amend(&sandbox, &[&plain, "--success", "false"]);
    assert_eq!(
        sandbox.rows()[2],
        format!(
            "{},\"broke, twice {{id={plain} rev=1}}\"",
            ROW.trim_end_matches(',').replace("true", "false")
        )
    );
    assert_eq!(counted(&sandbox), [2, 1, 165, 1]);
    // Twice, by the beginning of the id; the old text is gone, the tags stay.
    amend(
        &sandbox,
        &[&plain[..6], "--notes", "fixed since", "--success", "true", "--tag", "agent=a"],
    );
    assert_eq!(sandbox.rows()[3], format!("{ROW}fixed since {{id={plain} rev=2 agent=a}}"));
    let fields = [
        "--task-type",
        "quick",
        "--duration",
        "2m 5s",
        "--prompt-tokens",
        "8",
        "--completion-tokens",
        "0",
    ];
    amend(&sandbox, &[&["turn-1234"], &fields[..]].concat());
    let row = "2026-03-02T09:00:00Z,n,8,0,true,quick,125000,done {source=s id=turn-1234567 rev=5}";
    assert_eq!(sandbox.rows()[4], row);
    assert_eq!(counted(&sandbox), [2, 2, 158, 3]);
    assert_eq!(ids(&sandbox), [plain, imported], "the same rows have the same ids");
    amend(&sandbox, &["--last", "--success", "false"]);
    assert_eq!(counted(&sandbox), [2, 1, 158, 4]);
    assert!(text(&sandbox.run("usage-report", &["verify"]).stdout).contains("6 rows"));
}

#[test]
fn what_cannot_be_amended_is_refused() {
    let twin = "2026-03-03T09:00:00Z,n,1,1,true,plan,1,{source=s id=turn-1234999}";
    let other = "2026-03-04T09:00:00Z,n,2,2,true,plan,1,{source=t id=turn-1234999}";
    let sandbox = Sandbox::with_rows(&[ROW, IMPORTED, twin, other]);
    let plain = &ids(&sandbox)[0];
    for (arguments, said) in [
        (&["feedfacecafe", "--success", "false"][..], "no row has the id feedfacecafe"),
        (&["turn", "--success", "false"], "it is too short"),
        (&["turn-1234", "--success", "false"], "3 rows have the id turn-1234"),
        (
            &["turn-1234999", "--success", "false"],
            "fix: log-usage amend turn-1234999 --timestamp 2026-03-04T09:00:00Z",
        ),
        (&[plain], "nothing to change"),
        (&[plain, "--success", "true", "--duration", "3s"], "nothing to change"),
        (&[plain, "--success", "yes"], "--success true"),
        (&[plain, "--task-type", "fun"], "--task-type execute"),
        (&[plain, "--prompt-tokens", "-1"], "--prompt-tokens PROMPT_TOKENS"),
        (&[plain, "--tag", "id=x"], "cannot be amended"),
        (&[plain, "--tag", "colour=red"], "has a key that is not one of"),
        (&[plain, "--notes", &"x".repeat(4_100)], "more than 4096"),
        (&["--success", "true"], "missing"),
        (&[plain, "--last"], "does not go with"),
    ] {
        let error = refused(&sandbox, arguments);
        assert!(error.contains(said), "{arguments:?}: {error}");
    }
    let listed = refused(&sandbox, &["turn-1234", "--success", "false"]);
    assert!(listed.contains("turn-1234999  2026-03-04T09:00:00Z  n"), "{listed}");
    amend(&sandbox, &["turn-1234999", "--timestamp", "2026-03-03T09:00:00Z", "--success", "false"]);
    assert_eq!(counted(&sandbox), [4, 3, 171, 1]);
    let before = sandbox.snapshot();
    let shown =
        sandbox.ok("log-usage", &["amend", plain, "--notes", "a {id=b rev=9}", "--dry-run"]);
    assert_eq!(shown, format!("{ROW}a {{id={plain} rev=1}}\n"));
    sandbox.write(".telemetry/pruned", "2026-03-02\n");
    assert!(refused(&sandbox, &[plain, "--success", "false"]).contains("no row has the id"));
    std::fs::remove_file(sandbox.path(".telemetry/pruned")).unwrap();
    assert_eq!(sandbox.snapshot(), before);
}

#[test]
fn the_newest_rows_are_listed() {
    let rows: Vec<String> = (10..32)
        .map(|day| format!("2026-01-{day}T09:00:00Z,model-{day},{day},1,true,plan,1,"))
        .collect();
    let sandbox = Sandbox::new();
    let text = |rows: &[String]| format!("{HEADER}\n{}\n", rows.join("\n"));
    sandbox.write("usage.csv", text(&rows[15..]));
    sandbox.write("archive/usage-20260110T090000Z-00000001.csv", text(&rows[..15]));
    let list = sandbox.ok("log-usage", &["amend", "--list", "--file", "usage.csv"]);
    assert_eq!(list.lines().count(), 11);
    assert!(
        list.lines()
            .nth(1)
            .unwrap()
            .ends_with("2026-01-22T09:00:00Z  model-22      23  plan  true"),
        "{list}"
    );
    assert_eq!(
        sandbox.ok("log-usage", &["amend", "--list", "50", "--file", "usage.csv"]).lines().count(),
        23
    );
    assert_eq!(sandbox.ok("log-usage", &["amend", "--list", "--personal"]), "no rows yet\n");
    sandbox.ok("log-usage", &["--personal", "m", "1", "2", "true", "plan", "3"]);
    sandbox.ok("log-usage", &["amend", "--personal", "--last", "--notes", "x"]);
    assert_eq!(sandbox.json(&["--personal"])["totals"]["rows"], 1);
    sandbox.ok("log-usage", &["amend", "--file", "usage.csv", "--last", "--notes", "x"]);
    assert_eq!(sandbox.json(&["--file", "usage.csv"])["totals"]["rows"], 22);
}

/// The higher revision stands, then the larger token total, then the greater bytes.
#[test]
fn amended_on_two_branches_a_row_counts_once() {
    let sandbox = Sandbox::with_rows(&[ROW, IMPORTED]);
    sandbox.ok("log-usage", &["init"]);
    let commit = |message: &str| {
        sandbox.git(["add", "."]);
        sandbox.git(["commit", "--quiet", "-m", message]);
    };
    commit("base");
    let plain = &ids(&sandbox)[0];
    sandbox.git(["checkout", "--quiet", "-b", "topic"]);
    amend(&sandbox, &[plain, "--prompt-tokens", "200"]);
    amend(&sandbox, &["turn-1234567", "--success", "false"]);
    amend(&sandbox, &["turn-1234567", "--notes", "revision 6"]);
    commit("topic");
    sandbox.git(["checkout", "--quiet", "main"]);
    amend(&sandbox, &[plain, "--prompt-tokens", "300"]);
    amend(&sandbox, &["turn-1234567", "--prompt-tokens", "9000"]);
    commit("main");
    sandbox.git(["merge", "--quiet", "--no-edit", "topic"]);
    assert_eq!(counted(&sandbox), [2, 1, 350 + 15, 5]);
    amend(&sandbox, &[plain, "--success", "false"]);
    assert!(sandbox.rows().last().unwrap().contains("m,300,50,false,plan"));
    assert!(sandbox.rows().last().unwrap().contains("rev=2"));
    assert_eq!(counted(&sandbox), [2, 0, 350 + 15, 6]);
}

/// Only pruning deletes, and nobody is asked to mend what is no fault.
#[test]
fn a_correction_is_no_repeated_row() {
    let sandbox = Sandbox::with_rows(&[ROW, IMPORTED]);
    amend(&sandbox, &["turn-1234567", "--success", "false"]);
    amend(&sandbox, &["turn-1234567", "--notes", "better"]);
    amend(&sandbox, &[&ids(&sandbox)[0], "--success", "false"]);
    let before = sandbox.snapshot();
    assert_eq!(sandbox.ok("log-usage", &["repair"]), "5 rows: nothing to repair\n");
    assert_eq!(sandbox.snapshot(), before);
    assert_eq!(sandbox.ok("usage-report", &["verify"]), "5 rows in 1 file: nothing found\n");
    let note = "- Corrected rows count as they are now; 3 earlier revisions left out.\n";
    assert!(sandbox.ok("usage-report", &[]).contains(note));
    for format in ["table", "csv"] {
        let output = sandbox.run("usage-report", &["--format", format]);
        let said = text(&output.stdout) + &text(&output.stderr);
        for word in ["repeated", "verify:", "usage-report verify", "warning"] {
            assert!(!said.contains(word), "{format}: {said}");
        }
    }
    // What is there twice, byte for byte, still is one too many.
    let rows = sandbox.rows();
    sandbox.add_rows(&[&rows[1], &rows[3]]);
    let json = sandbox.json(&[]);
    assert_eq!((&json["duplicates"], &json["corrected"]), (&2.into(), &3.into()));
    assert_eq!(json["totals"]["rows"], 2);
    assert!(sandbox.ok("log-usage", &["repair"]).starts_with("kept 5 rows; "));
    assert_eq!(counted(&sandbox), [2, 0, 165, 3]);
    // As the sums that are kept of sealed segments have it.
    let sealed = ".telemetry/archive/usage-20260301T080000Z-00000001.csv";
    sandbox.write(sealed, sandbox.read(".telemetry/usage.csv"));
    sandbox.write(".telemetry/usage.csv", format!("{HEADER}\n"));
    for _ in 0..2 {
        assert_eq!(counted(&sandbox), [2, 0, 165, 3]);
    }
}

#[test]
fn a_row_that_waits_for_a_commit_can_be_amended() {
    let sandbox = Sandbox::with_rows(&[ROW]);
    std::fs::create_dir_all(sandbox.path(".git/log-usage/pending")).unwrap();
    sandbox.ok("log-usage", &["m", "1", "2", "true", "plan", "3"]);
    assert_eq!(ids(&sandbox).len(), 2);
    amend(&sandbox, &["--last", "--success", "false"]);
    assert_eq!(sandbox.rows().len(), 1, "it waits on");
    assert_eq!(counted(&sandbox), [2, 1, 153, 0], "there is no older revision of it");
    assert_eq!(ids(&sandbox).len(), 2);
}

/// What `amend --notes` says.
fn said(sandbox: &Sandbox, notes: &str) -> String {
    let output = sandbox.run("log-usage", &["amend", "--last", "--notes", notes]);
    assert_eq!(output.status.code(), Some(0));
    text(&output.stderr)
}

#[test]
fn a_row_that_waits_is_replaced_and_its_old_text_gone() {
    let sandbox = Sandbox::repository();
    sandbox.write("code", "1");
    sandbox.git(["add", "code"]);
    sandbox.git(["commit", "--quiet", "-m", "first"]);
    sandbox.ok("log-usage", &["hooks", "install"]);
    sandbox.ok("log-usage", &["other", "1", "2", "true", "plan", "3", "of another row"]);
    sandbox.ok("log-usage", &["m", "1", "2", "true", "plan", "3", "oops, that customer"]);
    let id = ids(&sandbox).pop().unwrap();
    assert_eq!(said(&sandbox, "fixed"), "");
    assert_eq!(said(&sandbox, "fixed twice"), "");
    assert_eq!(ids(&sandbox).pop().unwrap(), id, "it has the same id");
    let journal = sandbox.read(".git/log-usage/pending/~main.csv");
    assert_eq!(journal.lines().count(), 3, "{journal}");
    assert!(journal.contains("of another row") && !journal.contains("oops"), "{journal}");
    sandbox.write("code", "2");
    sandbox.git(["commit", "--quiet", "-am", "second"]);
    let rows = sandbox.rows();
    assert!(rows.len() == 2 && rows[1].contains("fixed twice {id="), "{rows:?}");
    assert!(!sandbox.git(["log", "-p"]).contains("oops"));
    assert_eq!(counted(&sandbox), [2, 2, 6, 0]);
    // What a commit holds stays there, and that is said.
    let stays = "  the old notes stay in the ledger's file and in git's history";
    assert!(said(&sandbox, "a third time").starts_with(stays));
    assert_eq!(counted(&sandbox), [2, 2, 6, 1]);
    let output = sandbox.run("log-usage", &["amend", "--last", "--success", "false"]);
    assert_eq!(text(&output.stderr), "", "the text is as it was");
    // Each revision of it that waits gives way to the next.
    let journal = sandbox.read(".git/log-usage/pending/~main.csv");
    assert_eq!(journal.lines().count(), 2, "{journal}");
    assert!(said(&sandbox, "a fourth").starts_with(stays), "a file holds what came before");
    assert_eq!(counted(&sandbox), [2, 1, 6, 1]);
}

#[test]
fn without_hooks_the_old_text_stays_and_that_is_said() {
    let sandbox = Sandbox::with_rows(&[&format!("{ROW}oops")]);
    let said = said(&sandbox, "fixed");
    assert!(said.contains("change a key that was in them (docs/privacy.md"), "{said}");
    assert_eq!(sandbox.rows().len(), 2);
    let quiet = ["amend", "--last", "--notes", "again", "--quiet"];
    assert_eq!(text(&sandbox.run("log-usage", &quiet).stderr), "");
}

/// Each sees what the ones before it made of the row, whether rows wait or not.
#[test]
fn corrected_by_many_at_once_no_correction_is_lost() {
    let one_each = [
        &["--success", "false"][..],
        &["--notes", "slow"],
        &["--task-type", "verify"],
        &["--duration", "9s"],
        &["--prompt-tokens", "900"],
        &["--completion-tokens", "70"],
        &["--tag", "agent=a"],
        &["--tag", "role=sub"],
    ];
    for waits in [false, true] {
        let sandbox = Sandbox::with_rows(&[ROW]);
        let pending = ".git/log-usage/pending";
        if waits {
            std::fs::create_dir_all(sandbox.path(pending)).unwrap();
        }
        let plain = &ids(&sandbox)[0];
        thread::scope(|scope| {
            for correction in one_each {
                let sandbox = &sandbox;
                scope.spawn(move || amend(sandbox, &[&[plain.as_str()], correction].concat()));
            }
        });
        let rows = match waits {
            false => sandbox.read(".telemetry/usage.csv"),
            true => {
                let files = std::fs::read_dir(sandbox.path(pending)).unwrap();
                let paths = files.map(|file| file.unwrap().path());
                let journals = paths.filter(|path| path.extension().is_some_and(|it| it == "csv"));
                journals.map(|path| std::fs::read_to_string(path).unwrap()).collect()
            }
        };
        for rev in 1..=8 {
            // Of what waits the last alone is kept.
            let kept = usize::from(!waits || rev == 8);
            assert_eq!(rows.matches(&format!("rev={rev}")).count(), kept, "{waits}: {rows}");
        }
        let last = rows.lines().find(|row| row.contains("rev=8")).unwrap();
        assert!(last.contains("+01:00,m,900,70,false,verify,9000,slow {"), "{last}");
        assert!(last.contains("agent=a") && last.contains("role=sub"), "{last}");
        assert_eq!(counted(&sandbox), [1, 0, 970, if waits { 1 } else { 8 }]);
    }
}
