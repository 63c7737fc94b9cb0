//! Rows that wait for the next commit of their branch, with real git: none is lost, whatever git is
//! told to do meanwhile.

use std::fs;
use std::thread;

use crate::faults::has_strace;
use crate::sandbox::{HEADER, SEED, Sandbox, text};

/// A repository with one commit and rows that wait.
fn repository() -> Sandbox {
    let sandbox = Sandbox::repository();
    sandbox.write("code", "1");
    sandbox.git(["add", "code"]);
    sandbox.git(["commit", "--quiet", "-m", "first"]);
    sandbox.ok("log-usage", &["hooks", "install"]);
    sandbox
}

fn log(sandbox: &Sandbox, model: &str) {
    sandbox.ok("log-usage", &[model, "1", "2", "true", "plan", "3"]);
}

/// Changes the code, so that there is something to commit.
fn change(sandbox: &Sandbox) {
    let code = sandbox.read("code");
    sandbox.write("code", format!("{code}\n1"));
}

fn commit(sandbox: &Sandbox, message: &str) {
    change(sandbox);
    sandbox.git(["commit", "--quiet", "-am", message]);
}

/// The rows that a commit's ledger holds.
fn committed(sandbox: &Sandbox, revision: &str) -> Vec<String> {
    let output = sandbox.run("git", &["show", &format!("{revision}:.telemetry/usage.csv")]);
    text(&output.stdout).lines().skip(1).map(str::to_owned).collect()
}

fn models(rows: &[String]) -> Vec<&str> {
    rows.iter().map(|row| row.split(',').nth(1).unwrap()).collect()
}

fn waiting(sandbox: &Sandbox) -> u64 {
    sandbox.json(&[])["waiting"].as_u64().unwrap()
}

#[test]
fn rows_ride_in_the_next_commit_of_their_branch() {
    let sandbox = repository();
    log(&sandbox, "one");
    log(&sandbox, "two");
    assert!(!sandbox.path(".telemetry").exists(), "nothing in the work tree until the commit");
    let report = sandbox.json(&[]);
    assert_eq!((&report["totals"]["rows"], &report["waiting"]), (&2.into(), &2.into()));
    assert!(sandbox.ok("usage-report", &[]).contains("2 rows wait for the next commit."));
    assert_eq!(sandbox.json(&["--committed"])["totals"]["rows"], 0);
    commit(&sandbox, "second");
    assert_eq!(models(&committed(&sandbox, "HEAD")), ["one", "two"]);
    assert_eq!(sandbox.git(["status", "--short"]), "");
    assert_eq!((waiting(&sandbox), sandbox.rows().len()), (0, 2));
    assert_eq!(sandbox.json(&["--committed"])["totals"]["rows"], 2);
    let whole = sandbox.read(".telemetry/usage.csv");
    sandbox.write(
        ".telemetry/usage.csv",
        format!("{whole}{}\n", whole.lines().last().unwrap().replace("two", "odd")),
    );
    let rows = |arguments: &[&str]| sandbox.json(arguments)["totals"]["rows"].clone();
    assert_eq!((rows(&["--committed"]), rows(&[])), (2.into(), 3.into()));
    sandbox.write(".telemetry/usage.csv", whole);
    // Staged only, not all.
    log(&sandbox, "three");
    change(&sandbox);
    sandbox.write("other", "not staged");
    sandbox.git(["add", "code"]);
    sandbox.git(["commit", "--quiet", "-m", "third"]);
    assert_eq!(committed(&sandbox, "HEAD").len(), 3);
    assert_eq!(sandbox.git(["status", "--short"]), "?? other\n");
    // An amended commit takes them along if it changes anything else.
    log(&sandbox, "four");
    sandbox.git(["commit", "--quiet", "--amend", "-m", "said better"]);
    assert_eq!(committed(&sandbox, "HEAD").len(), 3);
    change(&sandbox);
    sandbox.git(["commit", "--quiet", "--amend", "-am", "more"]);
    assert_eq!(committed(&sandbox, "HEAD").len(), 4);
    assert_eq!(waiting(&sandbox), 0);
}

#[test]
fn each_branch_gets_its_own_rows() {
    let sandbox = repository();
    log(&sandbox, "main");
    sandbox.git(["checkout", "--quiet", "-b", "topic"]);
    log(&sandbox, "topic");
    assert_eq!(waiting(&sandbox), 1, "only those of this branch");
    commit(&sandbox, "on topic");
    assert_eq!(models(&committed(&sandbox, "HEAD")), ["topic"]);
    sandbox.git(["checkout", "--quiet", "main"]);
    commit(&sandbox, "on main");
    assert_eq!(models(&committed(&sandbox, "HEAD")), ["main"]);
    // A branch that is gone leaves its rows to the next commit.
    sandbox.git(["checkout", "--quiet", "-b", "spike"]);
    log(&sandbox, "spike");
    sandbox.git(["checkout", "--quiet", "main"]);
    commit(&sandbox, "not yet");
    assert_eq!(committed(&sandbox, "HEAD").len(), 1);
    sandbox.git(["branch", "--quiet", "-D", "spike"]);
    assert_eq!(waiting(&sandbox), 1);
    commit(&sandbox, "adopts");
    assert_eq!(models(&committed(&sandbox, "HEAD")), ["main", "spike"]);
}

#[test]
fn a_commit_of_named_paths_leaves_rows_waiting() {
    let sandbox = repository();
    sandbox.write("other", "1");
    sandbox.git(["add", "other"]);
    commit(&sandbox, "second");
    log(&sandbox, "one");
    change(&sandbox);
    sandbox.write("other", "2");
    sandbox.git(["commit", "--quiet", "-m", "only code", "--", "code"]);
    assert_eq!(committed(&sandbox, "HEAD").len(), 0);
    assert_eq!(sandbox.git(["status", "--short"]), " M other\n");
    sandbox.git(["commit", "--quiet", "-am", "the rest"]);
    assert_eq!(committed(&sandbox, "HEAD").len(), 1);
    log(&sandbox, "two");
    change(&sandbox);
    sandbox.git(["commit", "--quiet", "--no-verify", "-am", "no hooks"]);
    assert_eq!(committed(&sandbox, "HEAD").len(), 1, "no row is taken back");
    commit(&sandbox, "hooks again");
    assert_eq!(committed(&sandbox, "HEAD").len(), 2);
}

#[test]
fn a_commit_that_git_would_refuse_is_still_refused() {
    let sandbox = repository();
    log(&sandbox, "one");
    let before = sandbox.git(["rev-parse", "HEAD"]);
    let output = sandbox.run("git", &["commit", "-m", "nothing staged"]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(sandbox.git(["rev-parse", "HEAD"]), before);
    assert_eq!(sandbox.git(["status", "--short"]), "");
    assert_eq!(waiting(&sandbox), 1);
    // Refused after our hook: the row is staged, and counted once.
    change(&sandbox);
    let output = sandbox.run("git", &["commit", "-am", ""]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(sandbox.json(&[])["totals"]["rows"], 1);
    commit(&sandbox, "said");
    assert_eq!(committed(&sandbox, "HEAD").len(), 1);
    assert_eq!(waiting(&sandbox), 0);
}

#[test]
fn nothing_that_git_does_to_the_work_tree_takes_rows() {
    let sandbox = repository();
    log(&sandbox, "zero");
    commit(&sandbox, "ledger");
    sandbox.git(["checkout", "--quiet", "-b", "topic"]);
    log(&sandbox, "topic");
    commit(&sandbox, "on topic");
    sandbox.git(["checkout", "--quiet", "main"]);
    log(&sandbox, "base");
    sandbox.write("other", "1");
    sandbox.git(["add", "other"]);
    sandbox.git(["commit", "--quiet", "-m", "main goes on"]);
    log(&sandbox, "waits");
    change(&sandbox);
    sandbox.git(["stash", "--quiet"]);
    sandbox.git(["stash", "drop", "--quiet"]);
    change(&sandbox);
    sandbox.git(["reset", "--quiet", "--hard"]);
    sandbox.git(["clean", "-fdxq"]);
    sandbox.git(["checkout", "--quiet", "-f", "topic"]);
    sandbox.git(["checkout", "--quiet", "main"]);
    sandbox.git(["merge", "--quiet", "--no-edit", "topic"]);
    sandbox.git(["reset", "--quiet", "--hard", "HEAD~1"]);
    sandbox.git(["rebase", "--quiet", "topic"]);
    assert_eq!(waiting(&sandbox), 1);
    commit(&sandbox, "after all");
    let rows = committed(&sandbox, "HEAD");
    let mut models = models(&rows);
    models.sort_unstable();
    assert_eq!(models, ["base", "topic", "waits", "zero"]);
}

/// A row that is logged while a branch is rebased belongs to that branch.
#[test]
fn a_row_of_a_rebase_is_its_branchs() {
    let sandbox = repository();
    sandbox.git(["checkout", "--quiet", "-b", "topic"]);
    commit(&sandbox, "one");
    commit(&sandbox, "two");
    let mut rebase = sandbox.command("git");
    rebase.args(["rebase", "-i", "HEAD~2"]).env("GIT_SEQUENCE_EDITOR", "sed -i 1s/pick/edit/");
    rebase.assert().success();
    log(&sandbox, "within");
    sandbox.git(["rebase", "--continue"]);
    commit(&sandbox, "three");
    assert_eq!(models(&committed(&sandbox, "topic")), ["within"]);
}

#[test]
fn rows_of_a_removed_work_tree_are_adopted() {
    let sandbox = repository();
    sandbox.git(["worktree", "add", "--quiet", "-b", "side", "tree"]);
    let in_tree = |program: &str, arguments: &[&str]| {
        let mut command = sandbox.command(program);
        command.current_dir(sandbox.path("tree")).args(arguments).assert().success();
    };
    in_tree("log-usage", &["side", "1", "2", "true", "plan", "3"]);
    fs::write(sandbox.path("tree/code"), "changed").unwrap();
    in_tree("git", &["commit", "--quiet", "-am", "in the tree"]);
    assert_eq!(models(&committed(&sandbox, "side")), ["side"]);
    in_tree("log-usage", &["late", "1", "2", "true", "plan", "3"]);
    in_tree("git", &["checkout", "--quiet", "--detach"]);
    in_tree("log-usage", &["detached", "1", "2", "true", "plan", "3"]);
    commit(&sandbox, "leaves them alone");
    assert_eq!(committed(&sandbox, "HEAD").len(), 0);
    sandbox.git(["worktree", "remove", "--force", "tree"]);
    commit(&sandbox, "adopts the one without a branch");
    assert_eq!(models(&committed(&sandbox, "HEAD")), ["detached"]);
    sandbox.git(["checkout", "--quiet", "side"]);
    commit(&sandbox, "takes its own");
    assert_eq!(models(&committed(&sandbox, "HEAD")), ["side", "late"]);
}

#[test]
fn uninstalling_puts_every_row_into_the_ledger() {
    let sandbox = repository();
    log(&sandbox, "main");
    sandbox.git(["checkout", "--quiet", "-b", "topic"]);
    log(&sandbox, "topic");
    let told = sandbox.ok("log-usage", &["hooks", "uninstall"]);
    assert!(told.contains("2 rows that waited are in the ledger now"), "{told}");
    assert_eq!(models(&sandbox.rows()), ["main", "topic"]);
    log(&sandbox, "direct");
    assert_eq!(sandbox.rows().len(), 3);
    assert_eq!(waiting(&sandbox), 0);
}

/// What the settings forbid now is not committed, whatever they allowed when it was logged.
#[test]
fn rows_are_folded_by_the_settings_that_hold_then() {
    for (settings, stored) in [
        ("notes = \"none\"\n", "{source=run agent=a user=ci}"),
        ("tags = \"none\"\n", "a customer"),
        ("notes = \"none\"\ntags = \"none\"\n", ""),
        ("[consent]\nidentity = false\n", "a customer {source=run agent=a user=ci}"),
        ("", "a customer {source=run agent=a user=ci}"),
    ] {
        let sandbox = repository();
        let tags = ["--tag", "source=run", "--tag", "agent=a", "--tag", "user=ci"];
        let row = ["m", "1", "2", "true", "plan", "3", "a customer"];
        sandbox.ok("log-usage", &[&row[..], &tags].concat());
        sandbox.git(["checkout", "--quiet", "-b", "topic"]);
        log(&sandbox, "other");
        sandbox.git(["checkout", "--quiet", "main"]);
        sandbox.write(".telemetry/config.toml", settings);
        commit(&sandbox, "second");
        let rows = committed(&sandbox, "HEAD");
        assert!(rows.len() == 1 && rows[0].ends_with(&format!(",3,{stored}")), "{rows:?}");
        assert_eq!(waiting(&sandbox), 0, "it is let go");
        let journal = sandbox.read(".git/log-usage/pending/~main.csv");
        assert!(journal.contains(",other,") && !journal.contains("customer"), "{journal}");
        // A second commit adds nothing.
        commit(&sandbox, "third");
        assert_eq!(committed(&sandbox, "HEAD").len(), 1);
    }
}

/// A pseudonym of the time when it was allowed is none now.
#[test]
fn a_pseudonym_that_waits_is_left_out_where_it_is_forbidden_now() {
    let sandbox = repository();
    sandbox.ok("log-usage", &["consent", "grant", "ledger", "--identity"]);
    sandbox.ok("log-usage", &["m", "1", "2", "true", "plan", "3", "note", "--tag", "agent=a"]);
    assert!(sandbox.read(".git/log-usage/pending/~main.csv").contains(" user=u_"));
    sandbox.write(".telemetry/config.toml", "[consent]\nidentity = false\n");
    commit(&sandbox, "second");
    let rows = committed(&sandbox, "HEAD");
    assert!(rows.len() == 1 && rows[0].ends_with(",3,note {agent=a}"), "{rows:?}");
    assert_eq!(waiting(&sandbox), 0);
}

#[test]
fn where_nothing_may_be_logged_rows_wait_on() {
    let sandbox = repository();
    log(&sandbox, "m");
    sandbox.write(".telemetry/config.toml", "[consent]\nceiling = \"off\"\n");
    for message in ["second", "third"] {
        change(&sandbox);
        let output = sandbox.run("git", &["commit", "--quiet", "-am", message]);
        assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    }
    assert!(committed(&sandbox, "HEAD").is_empty());
    assert_eq!(waiting(&sandbox), 1);
    let told = text(&sandbox.run("log-usage", &["doctor"]).stdout);
    assert!(told.contains("ok    rows that wait on: 1; config.toml forbids to log them"), "{told}");
    let said = "rows wait on, for config.toml forbids to log them now";
    assert_eq!(told.matches(said).count(), 1, "once, not with every commit: {told}");
    // What was logged is lost neither when that is allowed again, nor with the hooks.
    sandbox.write(".telemetry/config.toml", "");
    commit(&sandbox, "fourth");
    assert_eq!(models(&committed(&sandbox, "HEAD")), ["m"]);
    log(&sandbox, "n");
    sandbox.write(".telemetry/config.toml", "[consent]\nceiling = \"off\"\n");
    sandbox.ok("log-usage", &["hooks", "uninstall"]);
    assert_eq!(models(&sandbox.rows()), ["m", "n"]);
}

/// Without its tags a correction would be counted beside what it corrects.
#[test]
fn a_correction_waits_on_where_it_may_have_no_tags() {
    let sandbox = repository();
    log(&sandbox, "m");
    commit(&sandbox, "second");
    sandbox.ok("log-usage", &["amend", "--last", "--success", "false"]);
    log(&sandbox, "n");
    sandbox.write(".telemetry/config.toml", "tags = \"none\"\n");
    commit(&sandbox, "third");
    assert_eq!(models(&committed(&sandbox, "HEAD")), ["m", "n"]);
    assert_eq!(waiting(&sandbox), 1);
    let report = sandbox.json(&[]);
    assert_eq!((&report["totals"]["rows"], &report["totals"]["successes"]), (&2.into(), &1.into()));
}

#[test]
fn doctor_tells_of_rows_that_are_forgotten() {
    let sandbox = repository();
    log(&sandbox, "new");
    let doctor = || text(&sandbox.run("log-usage", &["doctor"]).stdout);
    assert!(doctor().contains("ok    rows that wait for a commit: 1\n"), "{}", doctor());
    let log_old = |model: &str| {
        let row = ["--timestamp", "2026-01-01T00:00:00Z", model, "1", "2", "true", "plan", "3"];
        sandbox.ok("log-usage", &row);
    };
    log_old("old");
    let told = doctor();
    assert!(
        told.contains("WRONG rows older than a day that wait for a commit: 1, of main\n"),
        "{told}"
    );
    assert!(told.contains("fix: commit there; or "), "{told}");
    // Nobody can commit where there is no branch any more.
    sandbox.git(["checkout", "--quiet", "-b", "spike"]);
    log_old("spike");
    sandbox.git(["checkout", "--quiet", "main"]);
    sandbox.git(["branch", "--quiet", "-D", "spike"]);
    let told = doctor();
    assert!(told.contains(": 2, of main, spike (deleted)\n"), "{told}");
    assert!(told.contains("; rows of a deleted branch ride in the next commit of "), "{told}");
    commit(&sandbox, "takes both");
    assert!(!doctor().contains("that wait"), "{}", doctor());
    sandbox.git(["checkout", "--quiet", "-b", "other"]);
    log_old("other");
    sandbox.git(["checkout", "--quiet", "main"]);
    sandbox.git(["branch", "--quiet", "-D", "other"]);
    let told = doctor();
    assert!(told.contains(": 1, of other (deleted)\n"), "{told}");
    assert!(told.contains("fix: commit a change on any branch, which takes "), "{told}");
}

/// What is kept out of git's own files lets rows wait in the work tree.
#[test]
fn rows_wait_in_the_work_tree_where_gits_files_cannot_be_written() {
    let sandbox = repository();
    let pending = sandbox.path(".git/log-usage/pending");
    fs::remove_dir_all(&pending).unwrap();
    fs::create_dir(&pending).unwrap();
    // Not even root can make a file of that name.
    fs::create_dir(pending.join(".~main.csv.lock")).unwrap();
    log(&sandbox, "inside");
    assert!(sandbox.path(".telemetry/.pending.csv").exists());
    assert_eq!(waiting(&sandbox), 1);
    assert_eq!(sandbox.git(["status", "--short"]), "?? .telemetry/\n");
    commit(&sandbox, "takes it");
    assert_eq!(models(&committed(&sandbox, "HEAD")), ["inside"]);
    assert_eq!(waiting(&sandbox), 0);
    assert_eq!(sandbox.git(["status", "--short"]), "");
}

/// Each ledger of a repository with several gets its own rows.
#[test]
fn rows_go_to_the_ledger_that_they_are_for() {
    let sandbox = repository();
    sandbox.write("packages/a/.telemetry/README.md", "");
    let mut command = sandbox.command("log-usage");
    command.current_dir(sandbox.path("packages/a")).args(SEED).assert().success();
    log(&sandbox, "top");
    assert_eq!(waiting(&sandbox), 1);
    commit(&sandbox, "both");
    assert_eq!(models(&committed(&sandbox, "HEAD")), ["top"]);
    let nested = sandbox.git(["show", "HEAD:packages/a/.telemetry/usage.csv"]);
    assert!(nested.lines().nth(1).unwrap().contains("claude-3-opus"), "{nested}");
}

/// With fragments each commit's rows are a file of their own, so that merges never meet in one.
#[test]
fn each_commit_has_its_fragment() {
    let sandbox = repository();
    sandbox.write(".telemetry/config.toml", "layout = \"fragments\"\n");
    for model in ["one", "two"] {
        log(&sandbox, model);
        commit(&sandbox, model);
    }
    let files = sandbox.git(["ls-tree", "-r", "--name-only", "HEAD", ".telemetry/usage.d"]);
    assert_eq!(files.lines().count(), 2, "{files}");
    assert!(!sandbox.path(".telemetry/usage.csv").exists());
    assert_eq!(sandbox.json(&[])["totals"]["rows"], 2);
    assert_eq!(sandbox.git(["status", "--short"]), "?? .telemetry/config.toml\n");
}

#[test]
fn without_hooks_rows_go_to_a_fragment_that_no_commit_holds() {
    let sandbox = Sandbox::repository();
    sandbox.write(".telemetry/config.toml", "layout = \"fragments\"\n");
    log(&sandbox, "one");
    log(&sandbox, "two");
    let fragments = || fs::read_dir(sandbox.path(".telemetry/usage.d")).unwrap().count();
    assert_eq!(fragments(), 1);
    sandbox.git(["add", "."]);
    sandbox.git(["commit", "--quiet", "-m", "both"]);
    log(&sandbox, "three");
    log(&sandbox, "four");
    assert_eq!(fragments(), 2);
    assert_eq!(sandbox.git(["status", "--short"]).lines().count(), 1);
    assert_eq!(sandbox.json(&[])["totals"]["rows"], 4);
    assert_eq!(
        text(&sandbox.run("usage-report", &["verify"]).stdout),
        "4 rows in 2 files: nothing found\n"
    );
    // Beside an active segment that git tracks, too.
    sandbox.write(".telemetry/config.toml", "");
    log(&sandbox, "single");
    sandbox.git(["add", "."]);
    sandbox.git(["commit", "--quiet", "-m", "all"]);
    sandbox.write(".telemetry/config.toml", "layout = \"fragments\"\n");
    log(&sandbox, "five");
    assert_eq!((fragments(), sandbox.rows().len()), (3, 1));
}

/// The append-only guard: what a tool wrote over the ledger does not take rows out of history.
#[test]
fn rows_that_the_work_tree_lost_are_put_back() {
    let sandbox = repository();
    log(&sandbox, "one");
    log(&sandbox, "two");
    commit(&sandbox, "both");
    let whole = sandbox.read(".telemetry/usage.csv");
    sandbox.write(".telemetry/usage.csv", format!("{HEADER}\n"));
    sandbox.write(".telemetry/README.md", "mine");
    log(&sandbox, "three");
    change(&sandbox);
    let output = sandbox.run("git", &["commit", "--quiet", "-am", "third"]);
    assert!(text(&output.stderr).contains("put back 2 rows"), "{}", text(&output.stderr));
    assert_eq!(models(&committed(&sandbox, "HEAD")), ["one", "two", "three"]);
    assert!(sandbox.read(".telemetry/usage.csv").starts_with(&whole));
    assert_eq!(sandbox.git(["status", "--short"]), "?? .telemetry/README.md\n");
    // Whoever wants a row out of the file can have it.
    sandbox.write(".telemetry/usage.csv", format!("{HEADER}\n"));
    change(&sandbox);
    let mut without = sandbox.command("git");
    without.args(["commit", "--quiet", "-am", "x"]).env("LOG_USAGE_HOOKS", "0").assert().success();
    log(&sandbox, "four");
    commit(&sandbox, "fourth");
    assert_eq!(models(&committed(&sandbox, "HEAD")), ["four"]);
}

/// Each copy of a row waits for its own branch and its own ledger.
#[test]
fn equal_rows_wait_each_for_its_own_commit() {
    let sandbox = repository();
    let dated = ["--timestamp", "2026-01-01T00:00:00Z", "m", "1", "2", "true", "plan", "3"];
    sandbox.write("sub/.telemetry/config.toml", "broken\n");
    sandbox.ok("log-usage", &dated);
    let in_sub = || {
        let mut command = sandbox.command("log-usage");
        command.current_dir(sandbox.path("sub")).args(dated).assert().success();
    };
    sandbox.write("sub/.telemetry/config.toml", "");
    in_sub();
    sandbox.git(["checkout", "--quiet", "-b", "topic"]);
    sandbox.ok("log-usage", &dated);
    sandbox.git(["checkout", "--quiet", "main"]);
    // One ledger cannot be written; the other is.
    sandbox.write("sub/.telemetry/config.toml", "broken\n");
    commit(&sandbox, "top");
    assert_eq!(committed(&sandbox, "HEAD").len(), 1);
    sandbox.write("sub/.telemetry/config.toml", "");
    commit(&sandbox, "sub");
    let nested = sandbox.git(["show", "HEAD:sub/.telemetry/usage.csv"]);
    assert_eq!(nested.lines().count(), 2, "{nested}");
    sandbox.git(["checkout", "--quiet", "-f", "topic"]);
    assert_eq!(waiting(&sandbox), 1);
    commit(&sandbox, "topic");
    assert_eq!(committed(&sandbox, "HEAD").len(), 1);
}

/// Work trees of one repository meet in a merge; their rows of one second must not be one.
#[test]
fn equal_rows_of_two_work_trees_are_two() {
    let sandbox = repository();
    sandbox.git(["worktree", "add", "--quiet", "-b", "side", "tree"]);
    for _ in 0..10 {
        log(&sandbox, "same");
        let mut command = sandbox.command("log-usage");
        command.current_dir(sandbox.path("tree")).args(["same", "1", "2", "true", "plan", "3"]);
        command.assert().success();
    }
    let lines =
        ["~main", "tree"].map(|name| sandbox.read(&format!(".git/log-usage/pending/{name}.csv")));
    let rows = lines.iter().flat_map(|text| text.lines().skip(1));
    let distinct: std::collections::HashSet<&str> =
        rows.map(|line| line.splitn(3, ',').nth(2).unwrap()).collect();
    assert_eq!(distinct.len(), 20);
}

/// What another version wrote, and what a writer has not finished, is neither folded nor dropped.
#[test]
fn what_is_no_row_stays_in_the_journal() {
    let sandbox = repository();
    log(&sandbox, "one");
    let journal = ".git/log-usage/pending/~main.csv";
    let odd = "main,.telemetry,2026-01-01T00:00:00Z,m,1,2,true,dream,3,\n";
    let half = "main,.telemetry,2026-01-01T00:00:00Z,m,1,2,true,plan,3,a lo";
    sandbox.write(journal, sandbox.read(journal) + odd + half);
    commit(&sandbox, "second");
    assert_eq!(models(&committed(&sandbox, "HEAD")), ["one"]);
    assert!(sandbox.read(journal).ends_with(&format!("{odd}{half}")), "{}", sandbox.read(journal));
    assert_eq!(waiting(&sandbox), 0);
}

/// A ledger that the work tree lost as a whole comes back before rows are added to it.
#[test]
fn a_deleted_ledger_comes_back_with_the_next_row() {
    let sandbox = repository();
    log(&sandbox, "one");
    commit(&sandbox, "second");
    fs::remove_dir_all(sandbox.path(".telemetry")).unwrap();
    log(&sandbox, "two");
    commit(&sandbox, "third");
    assert_eq!(models(&committed(&sandbox, "HEAD")), ["one", "two"]);
    // Where git leaves the folder out of the work tree, rows wait, and the hook says what to type.
    sandbox.write("kept/code", "");
    sandbox.git(["add", "kept"]);
    commit(&sandbox, "fourth");
    sandbox.git(["sparse-checkout", "set", "--no-cone", "/code", "/kept/"]);
    log(&sandbox, "three");
    change(&sandbox);
    let output = sandbox.run("git", &["commit", "--quiet", "-am", "sparse"]);
    let said = text(&output.stderr);
    assert!(said.contains("left out of a sparse checkout"), "{said}");
    sandbox.git(["sparse-checkout", "add", "/.telemetry/"]);
    commit(&sandbox, "whole again");
    assert_eq!(models(&committed(&sandbox, "HEAD")), ["one", "two", "three"]);
}

/// Whoever can commit a file cannot make us write to another.
#[test]
fn committed_links_and_journals_lead_nowhere() {
    let sandbox = Sandbox::repository();
    sandbox.write("victim", "mine");
    sandbox.write(".telemetry/usage.csv", format!("{HEADER}\n[alias] x = \"!y\""));
    std::os::unix::fs::symlink("../victim", sandbox.path(".telemetry/usage.csv.torn")).unwrap();
    assert_eq!(sandbox.run("log-usage", &SEED).status.code(), Some(1));
    fs::remove_file(sandbox.path(".telemetry/usage.csv.torn")).unwrap();
    let lock = sandbox.path(".telemetry/.usage.csv.lock");
    fs::remove_file(&lock).unwrap();
    std::os::unix::fs::symlink("../victim", &lock).unwrap();
    assert_eq!(sandbox.run("log-usage", &SEED).status.code(), Some(1));
    assert_eq!(sandbox.read("victim"), "mine");
    // A journal that came with a clone is not this work tree's.
    let sandbox = repository();
    let header = "branch,ledger,timestamp,model\n";
    let row = "gone,.telemetry,2026-01-01T00:00:00Z,fake,1,2,true,plan,3,\n";
    sandbox.write(".telemetry/.pending.csv", format!("{header}{row}"));
    sandbox.git(["add", "--force", ".telemetry/.pending.csv"]);
    commit(&sandbox, "a journal");
    log(&sandbox, "true");
    commit(&sandbox, "a row");
    assert_eq!(models(&committed(&sandbox, "HEAD")), ["true"]);
}

/// A filter may keep the ledger's bytes outside the commit, as git-lfs does.
#[test]
fn rows_behind_a_filter_are_let_go() {
    let sandbox = repository();
    sandbox.git(["config", "filter.away.clean", "tr a-z n-za-m"]);
    sandbox.git(["config", "filter.away.smudge", "tr a-z n-za-m"]);
    sandbox.write(".gitattributes", "*.csv filter=away\n");
    sandbox.git(["add", ".gitattributes"]);
    log(&sandbox, "one");
    commit(&sandbox, "second");
    assert!(sandbox.git(["show", "HEAD:.telemetry/usage.csv"]).starts_with("gvzrfgnzc,zbqry"));
    assert_eq!((waiting(&sandbox), sandbox.rows().len()), (0, 1));
}

/// With hooks but without a journal the ledger is staged as it stands.
#[test]
fn a_ledger_that_is_written_at_once_rides_too() {
    let sandbox = repository();
    sandbox.ok("log-usage", &["hooks", "install", "--direct"]);
    log(&sandbox, "one");
    sandbox.write(".telemetry/README.md", "mine");
    assert_eq!(sandbox.rows().len(), 1);
    assert_eq!(sandbox.run("git", &["commit", "-m", "nothing staged"]).status.code(), Some(1));
    commit(&sandbox, "second");
    assert_eq!(models(&committed(&sandbox, "HEAD")), ["one"]);
    assert_eq!(sandbox.git(["status", "--short"]), "?? .telemetry/README.md\n");
    log(&sandbox, "two");
    change(&sandbox);
    let mut framework = sandbox.command("git");
    let output = framework.args(["commit", "-qam", "x"]).env("PRE_COMMIT", "1").output().unwrap();
    assert!(text(&output.stderr).contains("log-usage hooks install"));
    sandbox.git(["reset", "--quiet", "--soft", "HEAD~1"]);
    let mut without = sandbox.command("git");
    without.args(["commit", "-qm", "x"]).env("LOG_USAGE_HOOKS", "0").assert().success();
    commit(&sandbox, "third");
    assert_eq!(models(&committed(&sandbox, "HEAD")), ["one", "two"]);
}

/// Rows that are written while git stashes, switches and pops are all there in the end.
#[test]
fn no_row_is_lost_to_a_busy_git() {
    let sandbox = repository();
    log(&sandbox, "first");
    commit(&sandbox, "ledger");
    sandbox.git(["branch", "other"]);
    let rows = 250;
    thread::scope(|scope| {
        let writers: Vec<_> = (0..3)
            .map(|writer| {
                let sandbox = &sandbox;
                scope.spawn(move || {
                    (0..rows).for_each(|row| log(sandbox, &format!("w{writer}-{row}")))
                })
            })
            .collect();
        let mut rounds = 0;
        while writers.iter().any(|writer| !writer.is_finished()) {
            change(&sandbox);
            sandbox.git(["stash", "--quiet"]);
            sandbox.git(["checkout", "--quiet", "-f", "other"]);
            sandbox.git(["checkout", "--quiet", "main"]);
            sandbox.git(["stash", "pop", "--quiet"]);
            if rounds % 3 == 0 {
                sandbox.git(["commit", "--quiet", "-am", "meanwhile"]);
            }
            rounds += 1;
        }
        assert!(rounds > 1, "git was not busy");
        writers.into_iter().for_each(|writer| writer.join().unwrap());
    });
    // No commit holds a ledger without its beginning.
    for commit in sandbox.git(["rev-list", "--all"]).lines() {
        let ledger =
            sandbox.run("git", &["show", &format!("{commit}:.telemetry/usage.csv")]).stdout;
        assert!(ledger.is_empty() || text(&ledger).starts_with(HEADER), "{commit}");
    }
    // What was logged while the other branch was checked out is that branch's.
    for branch in ["main", "other"] {
        sandbox.git(["checkout", "--quiet", "-f", branch]);
        commit(&sandbox, branch);
    }
    let mut all = [committed(&sandbox, "main"), committed(&sandbox, "other")].concat();
    all.sort_unstable();
    all.dedup();
    assert_eq!(all.len(), 3 * rows + 1);
    assert!(all.iter().all(|row| row.split(',').count() == HEADER.split(',').count()));
}

/// Whoever holds a lock makes no commit fail, and none wait until it is let go.
#[test]
fn a_lock_that_is_held_fails_no_commit() {
    let sandbox = repository();
    log(&sandbox, "one");
    commit(&sandbox, "second");
    log(&sandbox, "two");
    let lock = fs::File::open(sandbox.path(".telemetry/.usage.csv.lock")).unwrap();
    fs2::FileExt::lock_exclusive(&lock).unwrap();
    change(&sandbox);
    let output = sandbox.run("git", &["commit", "--quiet", "-am", "third"]);
    assert!(output.status.success());
    let said = text(&output.stderr);
    assert_eq!(said.lines().count(), 1, "{said}");
    assert!(
        said.contains("rows do not ride in this commit") && said.contains("is locked"),
        "{said}"
    );
    drop(lock);
    assert!(sandbox.run("log-usage", &["doctor"]).stdout.windows(9).any(|it| it == b"is locked"));
    commit(&sandbox, "fourth");
    assert_eq!(committed(&sandbox, "HEAD").len(), 2);
}

/// What is let go of where it waited must be on the disk where it stands: the first ledger, the next
/// row, a segment that is full.
#[test]
fn rows_are_on_the_disk_before_they_are_let_go() {
    if !has_strace() {
        eprintln!("SKIPPED rows_are_on_the_disk_before_they_are_let_go: no strace on this machine");
        return;
    }
    let sandbox = repository();
    for (model, config, synced) in [
        ("first", "", &["usage.csv", ".telemetry"][..]),
        ("next", "", &["usage.csv"]),
        ("full", "max_size = \"100B\"\n", &[".usage.csv.tmp.0", "archive"]),
        ("unsynced", "durability = \"none\"\n", &[]),
    ] {
        sandbox.write(".telemetry/config.toml", config);
        log(&sandbox, model);
        change(&sandbox);
        let trace = sandbox.path("../trace");
        let trace = trace.to_str().unwrap();
        let calls = "trace=fsync,fdatasync";
        let all = ["-f", "-y", "-o", trace, "-e", calls, "git", "commit", "--quiet", "-am", model];
        sandbox.ok("strace", &all);
        assert_eq!(models(&committed(&sandbox, "HEAD")).last(), Some(&model));
        assert_eq!(waiting(&sandbox), 0);
        let trace = sandbox.read("../trace");
        let ledger: Vec<&str> = trace.lines().filter(|it| it.contains("/.telemetry")).collect();
        assert_eq!(ledger.is_empty(), synced.is_empty(), "{model}: {trace}");
        for name in synced {
            let is_synced = ledger.iter().any(|it| it.contains(&format!("{name}>")));
            assert!(is_synced, "{model}: {name} in {trace}");
        }
    }
}

/// What a ledger in a folder of its own needs goes with its first rows, and nothing of git's is asked
/// for it afterwards.
#[test]
fn a_ledger_below_the_top_is_committed_whole() {
    let sandbox = repository();
    log(&sandbox, "top");
    commit(&sandbox, "the one at the top");
    fs::create_dir_all(sandbox.path("part/.telemetry")).unwrap();
    let log_below = |model: &str| {
        let mut command = sandbox.command("log-usage");
        command.current_dir(sandbox.path("part")).args([model, "1", "2", "true", "plan", "3"]);
        assert!(command.output().unwrap().status.success());
    };
    log_below("below");
    commit(&sandbox, "the one below");
    assert_eq!(
        sandbox.git(["ls-files", "part"]),
        "part/.telemetry/.gitattributes\npart/.telemetry/.gitignore\npart/.telemetry/usage.csv\n"
    );
    assert_eq!(sandbox.git(["status", "--short"]), "");
    log_below("again");
    change(&sandbox);
    let trace = sandbox.path(".git/trace");
    let mut third = sandbox.command("git");
    third.env("GIT_TRACE", &trace).args(["commit", "--quiet", "-am", "third"]);
    assert!(third.output().unwrap().status.success());
    let asked = fs::read_to_string(trace).unwrap();
    assert!(asked.contains("git add") && !asked.contains("ls-files"), "{asked}");
    sandbox.git(["rm", "--quiet", "--cached", "part/.telemetry/.gitattributes"]);
    let mut doctor = sandbox.command("log-usage");
    let said = doctor.current_dir(sandbox.path("part")).arg("doctor").output().unwrap();
    assert!(!text(&said.stdout).contains("commit .telemetry/"), "{}", text(&said.stdout));
}
