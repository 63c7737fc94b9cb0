//! Where branches meet: each way in which git brings two ledgers together ends with every row,
//! counted once. With the driver, with union alone, and where git knows nothing of the ledger.

use std::fs;
use std::process::Output;

use crate::branches::{Branches, Way};
use crate::sandbox::{HEADER, Sandbox, text};

const WAYS: [Way; 3] = [Way::Driver, Way::Union, Way::Plain];

/// What a history has to end with.
struct Expected {
    rows: u64,
    /// In all files together, however often each stands in one of them; with the driver only.
    lines: Option<usize>,
    /// Whether git stops where it knows nothing of the ledger.
    conflicts: bool,
}

impl Default for Expected {
    fn default() -> Expected {
        Expected { rows: 0, lines: None, conflicts: true }
    }
}

/// Plays a history in all ways.
fn each_way(rows: usize, expected: &Expected, play: &dyn Fn(&mut Branches)) {
    for way in WAYS {
        let mut branches = Branches::with_rows(way, rows);
        play(&mut branches);
        check(&branches, expected);
    }
}

fn check(branches: &Branches, expected: &Expected) {
    let way = branches.way;
    assert_eq!(branches.rows(), expected.rows, "{way:?}");
    let lines = branches.lines();
    assert_eq!(lines.len() as u64, expected.rows, "{way:?}: {lines:?}");
    if way == Way::Plain {
        assert_eq!(branches.conflicts > 0, expected.conflicts, "{way:?}");
    }
    if way == Way::Driver {
        assert!(lines.values().all(|times| *times == 1), "{lines:?}");
        if let Some(expected) = expected.lines {
            assert_eq!(branches.live(), expected);
            let (calls, doubts) = branches.calls();
            assert!(calls > 0 && doubts == 0, "{calls} calls, {doubts} doubts");
        }
    }
    // What is merged can be committed and written to.
    assert_eq!(branches.git(&["status", "--porcelain"]), "", "{way:?}");
    branches.log(3000, "after", &[]);
    assert_eq!(branches.rows(), expected.rows + 1, "{way:?}");
}

fn merge(branches: &mut Branches, branch: &str) {
    branches.tick();
    branches.join(&["merge", "--quiet", "--no-edit", branch]);
}

#[test]
fn both_sides_append() {
    let expected = Expected { rows: 7, lines: Some(7), ..Expected::default() };
    each_way(3, &expected, &|it| {
        it.branch("topic");
        it.add(20, "t1");
        it.add(21, "t2");
        it.switch("main");
        it.add(10, "m1");
        it.add(22, "m2");
        merge(it, "topic");
        if it.way == Way::Driver {
            let rows = it.sandbox.rows();
            assert!(rows.is_sorted(), "{rows:?}");
        }
    });
}

#[test]
fn a_branch_is_rebased() {
    let expected = Expected { rows: 6, lines: Some(6), ..Expected::default() };
    each_way(3, &expected, &|it| {
        it.branch("topic");
        it.add(20, "t1");
        it.add(21, "t2");
        it.switch("main");
        it.add(10, "m1");
        it.switch("topic");
        it.join(&["rebase", "--quiet", "main"]);
    });
}

#[test]
fn a_commit_is_picked_and_then_merged() {
    for picked in ["topic~1", "topic"] {
        let expected = Expected { rows: 6, lines: Some(6), ..Expected::default() };
        each_way(3, &expected, &|it| {
            it.branch("topic");
            it.add(20, "t1");
            it.add(21, "t2");
            it.switch("main");
            it.add(10, "m1");
            it.join(&["cherry-pick", picked]);
            merge(it, "topic");
        });
    }
}

#[test]
fn a_squashed_branch_continues_and_is_merged_back() {
    let expected = Expected { rows: 6, lines: Some(6), ..Expected::default() };
    each_way(3, &expected, &|it| {
        it.branch("topic");
        it.add(20, "t1");
        it.switch("main");
        it.add(10, "m1");
        it.join(&["merge", "--quiet", "--squash", "topic"]);
        it.commit("squashed");
        it.switch("topic");
        it.add(30, "t2");
        it.switch("main");
        merge(it, "topic");
    });
}

/// A row that is taken back is gone where the driver looks; union keeps it, which loses nothing.
#[test]
fn a_commit_with_a_row_is_reverted() {
    for (way, rows) in [(Way::Driver, 4), (Way::Union, 5), (Way::Plain, 5)] {
        let mut it = Branches::with_rows(way, 3);
        it.add(10, "r1");
        it.add(11, "r2");
        it.join(&["revert", "--no-edit", "HEAD~1"]);
        check(&it, &Expected { rows, lines: Some(4), ..Expected::default() });
    }
}

#[test]
fn a_stash_is_popped_on_a_newer_head() {
    let expected = Expected { rows: 5, lines: Some(5), ..Expected::default() };
    each_way(3, &expected, &|it| {
        it.log(10, "stashed", &[]);
        it.git(&["stash", "--quiet"]);
        it.add(11, "committed");
        it.join(&["stash", "pop", "--quiet"]);
        it.commit("popped");
    });
}

#[test]
fn one_side_rotates() {
    for is_ours in [true, false] {
        let expected = Expected { rows: 6, lines: Some(3), ..Expected::default() };
        each_way(3, &expected, &|it| {
            it.branch("rotated");
            it.rotate(20, "r1");
            it.commit("rotated");
            it.switch("main");
            it.branch("appended");
            it.add(10, "a1");
            it.add(11, "a2");
            let [ours, theirs] =
                if is_ours { ["rotated", "appended"] } else { ["appended", "rotated"] };
            it.switch(ours);
            merge(it, theirs);
        });
    }
}

#[test]
fn both_sides_rotate() {
    for is_same_segment in [true, false] {
        let expected = Expected { rows: 7, ..Expected::default() };
        each_way(3, &expected, &|it| {
            it.git(&["branch", "topic"]);
            for (branch, second) in [("topic", 20), ("main", 10)] {
                it.switch(branch);
                if is_same_segment {
                    it.rotate(second, branch);
                    it.log(second + 1, branch, &[]);
                } else {
                    it.log(second, branch, &[]);
                    it.rotate(second + 1, branch);
                }
                it.commit("rotated");
            }
            merge(it, "topic");
        });
    }
}

#[test]
fn both_sides_rotate_twice() {
    let expected = Expected { rows: 8, ..Expected::default() };
    each_way(3, &expected, &|it| {
        it.branch("topic");
        it.rotate(20, "t1");
        it.rotate(21, "t2");
        it.commit("rotated");
        it.switch("main");
        it.log(10, "m1", &[]);
        it.rotate(11, "m2");
        it.commit("rotated");
        it.rotate(12, "m3");
        it.commit("rotated again");
        merge(it, "topic");
    });
}

/// The segments of both sides begin with another row, so that they have other names: rows stand in
/// two files, and are counted once.
#[test]
fn an_older_row_comes_before_both_sides_rotate() {
    let expected = Expected { rows: 6, ..Expected::default() };
    each_way(3, &expected, &|it| {
        it.git(&["branch", "older"]);
        it.branch("topic");
        it.rotate(20, "t1");
        it.commit("rotated");
        it.switch("older");
        let first = format!("{HEADER}\n2026-02-23T21:00:00Z,m,1,2,true,plan,3,older\n");
        let rows = it.sandbox.read(".telemetry/usage.csv");
        it.sandbox.write(".telemetry/usage.csv", rows.replace(&format!("{HEADER}\n"), &first));
        it.commit("older");
        it.switch("main");
        merge(it, "older");
        it.rotate(11, "m1");
        it.commit("rotated");
        merge(it, "topic");
    });
}

#[test]
fn final_line_ends_are_missing() {
    let cut = |it: &Branches| {
        let text = it.sandbox.read(".telemetry/usage.csv");
        it.sandbox.write(".telemetry/usage.csv", text.trim_end());
        it.commit("cut");
    };
    for (in_base, in_ours, in_theirs) in
        [(true, false, false), (false, true, false), (false, false, true), (true, true, true)]
    {
        for way in WAYS {
            let mut it = Branches::with_rows(way, 3);
            if in_base {
                cut(&it);
            }
            it.git(&["branch", "topic"]);
            for (branch, second, is_cut) in [("topic", 20, in_theirs), ("main", 10, in_ours)] {
                it.switch(branch);
                it.log(second, branch, &[]);
                it.commit(branch);
                if is_cut {
                    cut(&it);
                }
            }
            merge(&mut it, "topic");
            assert_eq!(it.rows(), 5, "{way:?}");
            let text = it.sandbox.read(".telemetry/usage.csv");
            let rows = text.lines().filter(|line| line.starts_with("2026-"));
            let are_whole = rows.clone().all(|row| row.matches("2026-").count() == 1);
            assert!(rows.count() == 5 && are_whole, "{way:?}: {text}");
        }
    }
}

#[test]
fn one_side_was_saved_with_crlf() {
    for way in WAYS {
        let mut it = Branches::with_rows(way, 1);
        it.branch("topic");
        it.log(20, "t1", &[]);
        let text = it.sandbox.read(".telemetry/usage.csv");
        it.sandbox.write(".telemetry/usage.csv", text.replace('\n', "\r\n"));
        it.commit("crlf");
        it.switch("main");
        it.add(10, "m1");
        merge(&mut it, "topic");
        assert_eq!(it.rows(), 3, "{way:?}");
        let text = it.sandbox.read(".telemetry/usage.csv");
        if way != Way::Plain {
            assert!(!text.contains('\r') && text.matches(HEADER).count() == 1, "{way:?}: {text}");
            assert_eq!(it.live(), 3, "{way:?}");
        }
    }
}

#[test]
fn notes_of_several_lines_are_one() {
    let expected = Expected { rows: 5, lines: Some(5), ..Expected::default() };
    each_way(3, &expected, &|it| {
        it.branch("topic");
        it.add(20, "same\ninner\nt");
        it.switch("main");
        it.add(10, "same\ninner\nm");
        merge(it, "topic");
    });
}

/// Other programs write them all the same: the driver keeps them whole, where union would not.
#[test]
fn quoted_line_ends_stay_in_their_rows() {
    let mut it = Branches::with_rows(Way::Driver, 3);
    let add = |it: &Branches, name: &str| {
        let row = format!("2026-02-23T22:00:10Z,m,1,2,true,plan,3,\"same\ninner\n{name}\"\n");
        let text = it.sandbox.read(".telemetry/usage.csv");
        it.sandbox.write(".telemetry/usage.csv", text + &row);
        it.commit(name);
    };
    it.branch("topic");
    add(&it, "t");
    it.switch("main");
    add(&it, "m");
    merge(&mut it, "topic");
    assert_eq!(it.rows(), 5);
    assert_eq!(it.calls(), (1, 0));
}

#[test]
fn branches_cross() {
    let expected = Expected { rows: 7, lines: Some(7), ..Expected::default() };
    each_way(3, &expected, &|it| {
        it.branch("topic");
        it.add(20, "t1");
        it.switch("main");
        it.add(10, "m1");
        it.git(&["tag", "before"]);
        merge(it, "topic");
        it.add(30, "m2");
        it.switch("topic");
        merge(it, "before");
        it.add(40, "t2");
        it.switch("main");
        merge(it, "topic");
    });
}

#[test]
fn both_sides_begin_the_ledger() {
    let expected = Expected { rows: 2, lines: Some(2), ..Expected::default() };
    for way in WAYS {
        let mut it = Branches::new(way);
        it.branch("topic");
        it.add(20, "t1");
        it.switch("main");
        it.add(10, "m1");
        merge(&mut it, "topic");
        check(&it, &expected);
    }
}

/// Three at once are too many for git; it says so, and nothing is lost.
#[test]
fn an_octopus_is_refused() {
    for way in WAYS {
        let it = Branches::with_rows(way, 3);
        for branch in ["one", "two"] {
            it.switch("main");
            it.branch(branch);
            it.log(10, branch, &[]);
            it.commit(branch);
        }
        it.switch("main");
        it.log(12, "main", &[]);
        it.commit("main");
        let (head, before) = (it.git(&["rev-parse", "HEAD"]), it.sandbox.rows());
        let merged = it.try_git(&["merge", "--quiet", "--no-edit", "one", "two"]);
        assert!(!merged.status.success(), "{way:?}");
        assert_eq!((it.git(&["rev-parse", "HEAD"]), it.sandbox.rows()), (head, before), "{way:?}");
        assert_eq!(it.git(&["status", "--porcelain"]), "", "{way:?}");
        assert_eq!(it.rows(), 4, "{way:?}");
    }
}

#[test]
fn one_side_takes_rows_out() {
    let expected = Expected { rows: 8, lines: Some(8), conflicts: false };
    each_way(8, &expected, &|it| {
        it.branch("topic");
        it.add(20, "t1");
        it.add(21, "t2");
        it.switch("main");
        let text = it.sandbox.read(".telemetry/usage.csv");
        let rest = text.lines().skip(3).fold(format!("{HEADER}\n"), |text, row| text + row + "\n");
        it.sandbox.write(".telemetry/usage.csv", rest);
        it.commit("pruned");
        merge(it, "topic");
    });
}

#[test]
fn one_side_deletes_a_segment() {
    let expected = Expected { rows: 3, lines: None, conflicts: false };
    each_way(3, &expected, &|it| {
        it.rotate(5, "live");
        it.commit("rotated");
        it.branch("topic");
        it.add(20, "t1");
        it.switch("main");
        fs::remove_dir_all(it.sandbox.path(".telemetry/archive")).unwrap();
        it.commit("deleted");
        merge(it, "topic");
        it.add(30, "m1");
    });
}

/// A folder's name may begin as an option does.
#[test]
fn a_path_is_no_option() {
    let sandbox = Sandbox::repository();
    let ledger = "-h/.telemetry/usage.csv";
    let line = |second: u8| format!("2026-03-01T09:00:{second:02}Z,m,1,2,true,plan,3,\n");
    let commit = |text: &str, message: &str| {
        sandbox.write(ledger, format!("{HEADER}\n{text}"));
        sandbox.git(["add", "."]);
        sandbox.git(["commit", "--quiet", "--message", message]);
    };
    sandbox.git(["config", "merge.log-usage.driver", "log-usage merge-driver %O %A %B -- %P"]);
    sandbox.write(".git/info/attributes", "*.csv merge=log-usage\n");
    commit(&line(1), "base");
    sandbox.git(["checkout", "--quiet", "-b", "topic"]);
    commit(&(line(1) + &line(2)), "topic");
    sandbox.git(["checkout", "--quiet", "main"]);
    commit(&(line(1) + &line(3)), "main");
    sandbox.git(["merge", "--quiet", "--no-edit", "topic"]);
    // A union would have put ours first.
    assert_eq!(sandbox.read(ledger), format!("{HEADER}\n{}{}{}", line(1), line(2), line(3)));
}

/// The configuration outlives the program: then git's own union does the work.
#[test]
fn a_driver_that_is_gone_is_no_conflict() {
    let mut it = Branches::with_rows(Way::Driver, 1);
    it.set_driver(
        "log-usage-is-gone merge-driver %O %A %B -- %P || git merge-file --union %A %O %B",
    );
    it.branch("topic");
    it.add(20, "t1");
    it.switch("main");
    it.add(10, "m1");
    merge(&mut it, "topic");
    assert_eq!((it.rows(), it.live(), it.conflicts), (3, 3, 0));
}

/// So does it where the driver has a doubt: markers that somebody committed.
#[test]
fn a_doubt_is_left_to_union() {
    let mut it = Branches::with_rows(Way::Driver, 1);
    it.branch("topic");
    it.log(20, "t1", &[]);
    let text = it.sandbox.read(".telemetry/usage.csv");
    it.sandbox.write(".telemetry/usage.csv", text + "<<<<<<< HEAD\n");
    it.commit("marker");
    it.switch("main");
    it.add(10, "m1");
    merge(&mut it, "topic");
    assert_eq!((it.rows(), it.calls()), (3, (1, 1)));
}

/// A host's own merge reads no attributes of a bare repository: one file conflicts, fragments of
/// their own names do not.
#[test]
fn a_bare_repository_merges_fragments_only() {
    for (layout, code) in [("single", 1), ("fragments", 0)] {
        let it = Branches::with_rows(Way::Union, 3);
        let log = |name: &str| {
            match layout {
                "single" => it.log(10, name, &[]),
                _ => it.sandbox.write(
                    &format!(".telemetry/usage.d/20260223-{name}.csv"),
                    format!("{HEADER}\n2026-02-23T22:00:10Z,m,1,2,true,plan,3,{name}\n"),
                ),
            }
            it.commit(name);
        };
        it.branch("topic");
        log("0123456789abcdef");
        it.switch("main");
        log("fedcba9876543210");
        it.git(&["clone", "--quiet", "--bare", ".", "../bare"]);
        let merge = ["-C", "../bare", "merge-tree", "--write-tree", "main", "topic"];
        assert_eq!(it.try_git(&merge).status.code(), Some(code), "{layout}");
        let told = [&["--attr-source=main"][..], &merge].concat();
        assert_eq!(it.try_git(&told).status.code(), Some(0), "{layout}");
        it.git(&["merge", "--quiet", "--no-edit", "topic"]);
        assert_eq!(it.rows(), 5, "{layout}");
    }
}

/// Whichever branch is merged into the other, the file is the same: by the very line that a clone
/// is configured with.
#[test]
fn the_order_of_merging_leaves_no_trace() {
    let mut it = Branches::with_rows(Way::Driver, 3);
    it.set_driver("log-usage merge-driver %O %A %B -- %P || git merge-file --union %A %O %B");
    it.branch("topic");
    it.add(21, "t1");
    it.rotate(20, "t2");
    it.commit("rotated");
    it.add(9, "t3");
    it.switch("main");
    it.add(10, "m1");
    it.add(30, "m2");
    it.branch("other");
    merge(&mut it, "topic");
    let snapshot = |it: &Branches| it.git(&["ls-tree", "-r", "HEAD", ".telemetry"]);
    let one = snapshot(&it);
    it.switch("topic");
    merge(&mut it, "main");
    assert_eq!(snapshot(&it), one);
    assert_eq!((it.rows(), it.conflicts), (8, 0));
}

/// Only the ledger's own files are merged line by line.
/// Two clones import one turn of an agent, in their own offsets and at their own prices; another turn
/// is refreshed in one of them.
#[test]
fn the_same_turn_of_two_clones_counts_once() {
    for way in [Way::Driver, Way::Union, Way::Plain] {
        let mut branches = Branches::with_rows(way, 3);
        let import = |branches: &Branches, stamp: &str, tokens: &str, tags: &[&str]| {
            let mut arguments =
                vec!["--timestamp", stamp, "m", tokens, "1", "true", "execute", "5"];
            tags.iter().for_each(|tag| arguments.extend(["--tag", tag]));
            branches.sandbox.ok("log-usage", &arguments);
        };
        branches.git(&["branch", "topic"]);
        let of = ["source=claude-code", "id=turn-1", "cost_usd=0.120000"];
        import(&branches, "2026-03-01T12:00:00+01:00", "7", &of);
        import(&branches, "2026-03-01T13:00:00Z", "10", &["source=codex", "id=turn-2"]);
        branches.commit("here");
        branches.git(&["checkout", "--quiet", "topic"]);
        let of = ["source=claude-code", "id=turn-1", "cost_usd=0.150000"];
        import(&branches, "2026-03-01T06:00:00-05:00", "7", &of);
        let refreshed = ["source=codex", "id=turn-2", "rev=1"];
        import(&branches, "2026-03-01T13:00:00Z", "30", &refreshed);
        branches.commit("there");
        branches.git(&["checkout", "--quiet", "main"]);
        merge(&mut branches, "topic");
        let totals = &branches.sandbox.json(&["--by", "source"])["totals"];
        assert_eq!(totals["rows"], 5, "{way:?}");
        let base =
            branches.sandbox.json(&["--until", "2026-02-28"])["totals"]["prompt_tokens"].clone();
        let of_turns = totals["prompt_tokens"].as_u64().unwrap() - base.as_u64().unwrap();
        assert_eq!(of_turns, 7 + 30, "{way:?}: the refreshed turn stands");
    }
}

#[test]
fn settings_and_prices_conflict_as_code_does() {
    let sandbox = Sandbox::repository();
    sandbox.ok("log-usage", &["init"]);
    for (file, merge, eol) in [
        ("usage.csv", "union", "lf"),
        ("usage_backup_20260101_000000.csv", "union", "lf"),
        ("archive/usage-20260101T000000Z-01234567.csv", "union", "lf"),
        ("usage.d/20260101-0123456789abcdef.csv", "union", "lf"),
        ("prices.csv", "unspecified", "unspecified"),
        ("alerts.csv", "union", "lf"),
        ("archive/prices.md", "unspecified", "unspecified"),
        ("sub/usage.csv", "unspecified", "unspecified"),
    ] {
        let path = format!(".telemetry/{file}");
        let said = sandbox.git(["check-attr", "merge", "eol", "--", &path]);
        assert_eq!(said, format!("{path}: merge: {merge}\n{path}: eol: {eol}\n"));
    }
}

fn drive(sandbox: &Sandbox, versions: [&str; 3]) -> Output {
    for (name, version) in ["O", "A", "B"].into_iter().zip(versions) {
        sandbox.write(name, version);
    }
    sandbox.run("log-usage", &["merge-driver", "O", "A", "B", ".telemetry/usage.csv"])
}

#[test]
fn the_driver_replaces_our_version_in_one_step() {
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    let sandbox = Sandbox::new();
    let row = |notes: &str| format!("2026-02-23T22:19:28Z,m,1,2,true,plan,3,{notes}\n");
    let [base, ours, theirs] = ["b", "o", "t"].map(|notes| format!("{HEADER}\n{}", row(notes)));
    sandbox.write("A", "");
    fs::set_permissions(sandbox.path("A"), fs::Permissions::from_mode(0o640)).unwrap();
    let before = fs::metadata(sandbox.path("A")).unwrap();
    let output = drive(&sandbox, [&base, &ours, &theirs]);
    assert!(output.status.success() && output.stdout.is_empty() && output.stderr.is_empty());
    assert_eq!(sandbox.read("A"), format!("{HEADER}\n{}{}", row("o"), row("t")));
    let after = fs::metadata(sandbox.path("A")).unwrap();
    assert_eq!(after.mode(), before.mode());
    assert_ne!(after.ino(), before.ino(), "a driver that is killed must leave the old version");
    assert_eq!((sandbox.read("O"), sandbox.read("B")), (base.clone(), theirs));
    // On doubt all is as it was, and nothing lies about.
    let open = format!("{HEADER}\n{}", row("\"open"));
    sandbox.write("A", &ours);
    drop(drive(&sandbox, [&base, &ours, &open]));
    let before = sandbox.snapshot();
    let output = drive(&sandbox, [&base, &ours, &open]);
    assert_eq!(output.status.code(), Some(1));
    let said = text(&output.stderr);
    assert!(
        said.starts_with("error: cannot merge .telemetry/usage.csv: line 2 of theirs"),
        "{said}"
    );
    assert_eq!(sandbox.snapshot(), before);
    assert_eq!(before.len(), 3);
}

#[test]
fn the_driver_is_hidden_and_explains_itself() {
    let sandbox = Sandbox::new();
    let help = sandbox.ok("log-usage", &["merge-driver", "--help"]);
    assert!(help.contains("Usage: log-usage merge-driver <BASE> <OURS> <THEIRS> <PATH>"), "{help}");
    assert!(help.lines().all(|line| line.len() <= 100), "{help}");
    assert!(!sandbox.ok("log-usage", &["--help"]).contains("merge-driver"));
    let output = sandbox.run("log-usage", &["merge-driver", "O"]);
    assert_eq!(output.status.code(), Some(2));
}
