//! `--by commit|author|branch|pr` and `--all-branches`: what only git knows of rows.

use serde_json::Value;

use crate::sandbox::{HEADER, Sandbox, text};

/// A row of that day in January; its prompt tokens tell it from others.
fn row(day: u8, tokens: u64) -> String {
    format!("2026-01-{day:02}T10:00:00Z,m,{tokens},10,true,execute,5000,")
}

fn add(sandbox: &Sandbox, rows: &[(u8, u64)]) {
    let rows: Vec<String> = rows.iter().map(|(day, tokens)| row(*day, *tokens)).collect();
    sandbox.add_rows(&rows.iter().map(String::as_str).collect::<Vec<_>>());
}

fn repository() -> Sandbox {
    let sandbox = Sandbox::repository();
    sandbox.write(".telemetry/.gitattributes", "*.csv merge=union\n");
    sandbox
}

/// Each group by one of its names, with its prompt tokens.
fn groups(report: &Value, by: &str, name: &str) -> Vec<(String, u64)> {
    let groups = report[format!("by_{by}")].as_array().unwrap();
    let group = |it: &Value| {
        (it[name].as_str().unwrap_or("-").to_owned(), it["prompt_tokens"].as_u64().unwrap())
    };
    groups.iter().map(group).collect()
}

fn told(groups: &[(String, u64)]) -> Vec<(&str, u64)> {
    groups.iter().map(|(name, tokens)| (name.as_str(), *tokens)).collect()
}

#[test]
fn a_row_belongs_to_the_commit_that_first_added_it() {
    let sandbox = repository();
    add(&sandbox, &[(1, 1)]);
    sandbox.commit("2026-01-01", "first");
    sandbox.git(["checkout", "--quiet", "-b", "topic"]);
    add(&sandbox, &[(2, 20)]);
    sandbox.commit("2026-01-02", "work one");
    add(&sandbox, &[(3, 300)]);
    sandbox.commit("2026-01-03", "work two");
    sandbox.git(["checkout", "--quiet", "main"]);
    add(&sandbox, &[(4, 4_000)]);
    sandbox.commit("2026-01-04", "meanwhile");
    sandbox.git(["checkout", "--quiet", "topic"]);
    sandbox.git_on("2026-01-05", &["rebase", "--quiet", "main"]);
    sandbox.git(["checkout", "--quiet", "main"]);
    sandbox.git_on("2026-01-06", &["merge", "--quiet", "--no-ff", "topic", "-m", "joined"]);
    // Moved into the archive, and one row that no commit has.
    let archive = ".telemetry/archive/usage-20260101T100000Z-0123abcd.csv";
    sandbox.write(archive, sandbox.read(".telemetry/usage.csv"));
    sandbox.write(".telemetry/usage.csv", format!("{HEADER}\n"));
    let last = sandbox.commit("2026-01-07", "rotated");
    add(&sandbox, &[(8, 50_000)]);
    let report = sandbox.json(&["--by", "commit"]);
    assert_eq!(
        told(&groups(&report, "commit", "subject")),
        [("work two", 300), ("work one", 20), ("meanwhile", 4_000), ("first", 1), ("-", 50_000)]
    );
    let hash = sandbox.git(["rev-parse", "HEAD~1^2"]);
    assert_eq!(report["by_commit"][0]["commit"], hash.trim());
    let markdown = sandbox.ok("usage-report", &["--by", "commit"]);
    assert!(markdown.contains(&format!("| {} | work two ", &hash[..7])), "{markdown}");
    assert!(markdown.contains("| –       | not committed |"), "{markdown}");
    assert!(!markdown.contains(&last[..7]), "{markdown}");
    let csv = sandbox.ok("usage-report", &["--by", "commit", "--format", "csv"]);
    assert!(csv.contains(&format!("\ncommit,{},1,1,1,", hash.trim())), "{csv}");
    // The same rows, asked of a commit.
    let report = sandbox.json(&["--range", "HEAD~2..", "--by", "commit"]);
    assert_eq!(told(&groups(&report, "commit", "subject")), [("work two", 300), ("work one", 20)]);
}

#[test]
fn authors_are_those_of_the_mailmap() {
    let sandbox = repository();
    let commit = |name: &str, email: &str| {
        let author = format!("{name} <{email}>");
        sandbox.git(["add", "--all"]);
        sandbox.git(["commit", "--quiet", "-m", "x", "--author", &author]);
    };
    add(&sandbox, &[(1, 1)]);
    commit("Ann Lee", "ann@example.org");
    add(&sandbox, &[(2, 20)]);
    commit("ann", "ann@home.example.org");
    add(&sandbox, &[(3, 300)]);
    commit("Bob @x", "bob@example.org");
    sandbox.write(".mailmap", "Ann Lee <ann@example.org> <ann@home.example.org>\n");
    let report = sandbox.json(&["--by", "author"]);
    assert_eq!(told(&groups(&report, "author", "author")), [("Bob @x", 300), ("Ann Lee", 21)]);
    let markdown = sandbox.ok("usage-report", &["--by", "author"]);
    assert!(markdown.contains("\n| Ann Lee  |"), "{markdown}");
    assert!(markdown.contains("\n| `Bob @x` |"), "no mention comes of it: {markdown}");
}

/// A repository with every kind of row that `--by pr` knows.
fn with_pull_requests() -> Sandbox {
    let sandbox = repository();
    let branch = |name: &str| sandbox.git(["checkout", "--quiet", "-b", name, "main"]);
    let to_main = || sandbox.git(["checkout", "--quiet", "main"]);
    add(&sandbox, &[(1, 1)]);
    sandbox.commit("2026-01-01", "first");
    branch("retry");
    add(&sandbox, &[(2, 2_000)]);
    sandbox.commit("2026-01-02", "work");
    to_main();
    sandbox.git(["merge", "--quiet", "--squash", "retry"]);
    sandbox.commit("2026-01-02", "Retry with jitter in the sync worker (#412)");
    branch("export/2");
    add(&sandbox, &[(3, 3_000)]);
    sandbox.commit("2026-01-03", "work (#999)");
    to_main();
    let merge = "Merge pull request #415 from team/export/2\n\nTenant export, part 2";
    sandbox.git_on("2026-01-03", &["merge", "--quiet", "--no-ff", "export/2", "-m", merge]);
    branch("dark");
    add(&sandbox, &[(4, 4_000)]);
    sandbox.commit("2026-01-04", "work");
    to_main();
    let merge = "Merge branch 'dark' into 'main'\n\nDark | mode\n\nSee merge request a/b!421";
    sandbox.git_on("2026-01-04", &["merge", "--quiet", "--no-ff", "dark", "-m", merge]);
    branch("small");
    add(&sandbox, &[(5, 5)]);
    sandbox.commit("2026-01-05", "work");
    to_main();
    sandbox.git_on(
        "2026-01-05",
        &["merge", "--quiet", "--no-ff", "small", "-m", "Merge branch 'small'"],
    );
    add(&sandbox, &[(6, 60)]);
    sandbox.commit("2026-01-06", "direct");
    sandbox
}

#[test]
fn pull_requests_are_read_from_the_subjects() {
    let sandbox = with_pull_requests();
    let report = sandbox.ok("usage-report", &["--by", "pr"]);
    let expected = "\
# Usage report by pull request

**6 tasks · 6 of 6 succeeded · 9,126 tokens · 1 Jan – 6 Jan 2026**

| PR      | Title                                | Tasks | Success | Tokens |   Time |
|:--------|:-------------------------------------|------:|--------:|-------:|-------:|
| !421    | `Dark \\| mode`                       |     1 |     1/1 |  4,010 |  5.0 s |
| #415    | Tenant export, part 2                |     1 |     1/1 |  3,010 |  5.0 s |
| #412    | Retry with jitter in the sync worker |     1 |     1/1 |  2,010 |  5.0 s |
| –       | committed on main                    |     3 |     3/3 |     96 | 15.0 s |
| **all** |                                      |     6 |     6/6 |  9,126 | 30.0 s |

PR is read from the subject of the commit on the default branch that brought the row (`… (#415)`, \
`Merge pull request #415`).

## Summary
";
    assert!(report.starts_with(expected), "{report}");
    let report = sandbox.json(&["--by", "branch"]);
    assert_eq!(
        told(&groups(&report, "branch", "branch")),
        [("dark", 4_000), ("export/2", 3_000), ("small", 5), ("main", 2_061)]
    );
    assert_eq!(report["by_branch"][3]["state"], "committed");
}

#[test]
fn work_that_never_merged_has_its_own_lines() {
    let sandbox = with_pull_requests();
    let branch = |name: &str| sandbox.git(["checkout", "--quiet", "-b", name, "main"]);
    branch("spike/graph");
    add(&sandbox, &[(7, 700), (8, 800)]);
    sandbox.commit("2026-01-08", "spike");
    // A branch on top of another: what both have is the smaller one's.
    sandbox.git(["checkout", "--quiet", "-b", "spike/more"]);
    add(&sandbox, &[(9, 900)]);
    sandbox.commit("2026-01-09", "more of it");
    branch("search");
    add(&sandbox, &[(24, 2_400)]);
    sandbox.commit("2026-01-24", "index");
    // One that only origin has any more, and one that both have.
    sandbox.git(["update-ref", "refs/remotes/origin/spike/more", "spike/more"]);
    sandbox.git(["update-ref", "refs/remotes/origin/search", "search~1"]);
    sandbox.git(["branch", "--quiet", "-D", "spike/more"]);
    add(&sandbox, &[(24, 24)]);
    let alone = sandbox.json(&["--by", "pr"]);
    let open: Vec<(String, u64)> = groups(&alone, "pr", "title").split_off(3);
    assert_eq!(told(&open), [("search", 2_400), ("committed on main", 66), ("-", 24)]);
    let all = sandbox.json(&["--by", "pr", "--all-branches"]);
    let open: Vec<(String, u64)> = groups(&all, "pr", "title").split_off(3);
    assert_eq!(
        told(&open),
        [
            ("search", 2_400),
            ("spike/graph", 1_500),
            ("spike/more", 900),
            ("committed on main", 66),
            ("-", 24)
        ]
    );
    let states: Vec<&str> =
        all["by_pr"].as_array().unwrap().iter().map(|it| it["state"].as_str().unwrap()).collect();
    assert_eq!(
        states,
        [
            "merged",
            "merged",
            "merged",
            "open",
            "abandoned",
            "abandoned",
            "committed",
            "not_committed"
        ]
    );
    assert_eq!(all["duplicates"], 0, "what a branch shares is not read twice");
    let markdown = sandbox.ok("usage-report", &["--by", "pr", "--all-branches"]);
    for line in [
        "| –       | open: search ",
        "| –       | abandoned: spike/more ",
        "| –       | not committed ",
        "Open and abandoned: rows on branches that main does not have (abandoned: no commit for 14 \
         days before the newest row).\n",
    ] {
        assert!(markdown.contains(line), "{line}: {markdown}");
    }
    let csv = sandbox.ok("usage-report", &["--by", "pr", "--all-branches", "--format", "csv"]);
    assert!(csv.contains("\npr,#415,1,") && csv.contains("\npr,open: search,1,"), "{csv}");
    let table = sandbox.ok("usage-report", &["--by", "pr", "--all-branches", "--format", "table"]);
    assert!(table.contains("\n #415  Tenant export, part 2 "), "{table}");
    // Selections select; other reports count the rows of all branches, too.
    let since = sandbox.json(&["--by", "pr", "--all-branches", "--since", "2026-01-09"]);
    assert_eq!(groups(&since, "pr", "title").len(), 3, "{since}");
    let rows = |arguments: &[&str]| sandbox.json(arguments)["totals"]["rows"].as_u64().unwrap();
    assert_eq!((rows(&[]), rows(&["--all-branches"])), (8, 11));
    let commits = sandbox.json(&["--by", "commit", "--all-branches"]);
    let found = groups(&commits, "commit", "subject");
    assert!(found.contains(&("more of it".to_owned(), 900)), "{found:?}");
    assert!(found.contains(&("work (#999)".to_owned(), 3_000)), "{found:?}");
}

/// Another revision of a row on a branch stands, and an older work tree loses none of main's rows.
#[test]
fn all_branches_have_what_any_of_them_has() {
    let sandbox = repository();
    let turn = "2026-01-01T10:00:00Z,m,100,10,true,execute,5000,{source=a id=x";
    sandbox.add_rows(&[&format!("{turn}}}")]);
    sandbox.commit("2026-01-01", "first");
    sandbox.git(["branch", "old"]);
    sandbox.add_rows(&[&format!("{} rev=1}}", turn.replace(",100,", ",900,"))]);
    add(&sandbox, &[(2, 20)]);
    sandbox.commit("2026-01-02", "second (#2)");
    sandbox.git(["checkout", "--quiet", "old"]);
    assert_eq!(sandbox.json(&[])["totals"]["prompt_tokens"], 100);
    let all = sandbox.json(&["--all-branches", "--by", "pr"]);
    assert_eq!(all["totals"]["prompt_tokens"], 920);
    assert_eq!(told(&groups(&all, "pr", "title")), [("second", 20), ("committed on main", 900)]);
}

#[test]
fn no_setting_changes_what_is_read() {
    let sandbox = with_pull_requests();
    let asked = ["--by", "commit,author,branch,pr", "--all-branches", "--format", "json"];
    let before = sandbox.ok("usage-report", &asked);
    for (key, value) in [
        ("color.ui", "always"),
        ("diff.noprefix", "true"),
        ("diff.mnemonicPrefix", "true"),
        ("diff.external", "false"),
        ("diff.context", "7"),
        ("diff.interHunkContext", "9"),
        ("diff.renames", "copies"),
        ("diff.relative", "true"),
        ("log.showSignature", "true"),
        ("log.diffMerges", "off"),
        ("log.showRoot", "false"),
        ("log.follow", "true"),
        ("diff.orderFile", "/nowhere"),
        ("log.date", "relative"),
        ("format.pretty", "oneline"),
        ("core.quotePath", "true"),
        ("i18n.logOutputEncoding", "ISO-8859-1"),
    ] {
        sandbox.git(["config", key, value]);
    }
    sandbox.write(".git/info/attributes", "*.csv -diff\n");
    let mut command = sandbox.command("usage-report");
    command.env("GIT_DIFF_OPTS", "--unified=5").env("GIT_LITERAL_PATHSPECS", "1");
    let output = command.args(asked).output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert_eq!(text(&output.stdout), before);
}

/// Rows that people and spreadsheets wrote are found in the history all the same.
#[test]
fn odd_rows_are_found_in_the_history() {
    let sandbox = repository();
    let reordered =
        "model,timestamp,prompt_tokens,completion_tokens,task_success,task_type,duration_ms,notes";
    sandbox.write(
        ".telemetry/usage.csv",
        format!("{reordered}\r\nm,2026-01-01T10:00:00Z,1,10,true,plan,5,\r\n"),
    );
    sandbox.commit("2026-01-01", "by a spreadsheet");
    let text = sandbox.read(".telemetry/usage.csv");
    sandbox.write(
        ".telemetry/usage.csv",
        text + "m,2026-01-02T10:00:00Z,20,10,true,plan,5,\"two\r\nlines\"\r\nm,2026-01-03T10:00:00Z,300,10,TRUE,plan,5,",
    );
    sandbox.commit("2026-01-02", "more, without a last line end");
    let report = sandbox.json(&["--by", "commit"]);
    assert_eq!(
        told(&groups(&report, "commit", "subject")),
        [("more, without a last line end", 320), ("by a spreadsheet", 1)]
    );
}

#[test]
fn before_the_first_commit_nothing_is_committed() {
    let sandbox = repository();
    add(&sandbox, &[(1, 1)]);
    for by in ["commit", "author", "branch", "pr"] {
        let report = sandbox.ok("usage-report", &["--by", by, "--all-branches"]);
        assert!(report.contains("not committed"), "{report}");
    }
}

/// A build server checks out a commit without a branch.
#[test]
fn a_commit_without_a_branch_is_open_work() {
    let sandbox = with_pull_requests();
    sandbox.git(["checkout", "--quiet", "--detach", "main"]);
    let none_open = sandbox.json(&["--by", "branch"]);
    assert_eq!(groups(&none_open, "branch", "branch").len(), 4);
    add(&sandbox, &[(9, 9)]);
    sandbox.commit("2026-01-09", "alone");
    let report = sandbox.json(&["--by", "branch"]);
    assert!(groups(&report, "branch", "branch").contains(&("detached HEAD".to_owned(), 9)));
}

/// What was fetched is merged, whether or not one's own `main` has it yet; and what a merge itself
/// added is the merge's.
#[test]
fn main_and_that_of_origin_are_one() {
    let sandbox = repository();
    add(&sandbox, &[(1, 1)]);
    sandbox.commit("2026-01-01", "first");
    sandbox.git(["checkout", "--quiet", "-b", "topic"]);
    add(&sandbox, &[(2, 20)]);
    sandbox.commit("2026-01-02", "work");
    sandbox.git(["checkout", "--quiet", "-b", "theirs", "main"]);
    sandbox.git(["merge", "--quiet", "--no-ff", "--no-commit", "topic"]);
    add(&sandbox, &[(3, 300)]);
    sandbox.commit("2026-01-03", "Merge pull request #9 from x/topic");
    sandbox.git(["update-ref", "refs/remotes/origin/main", "theirs"]);
    sandbox.git(["checkout", "--quiet", "topic"]);
    sandbox.git(["branch", "--quiet", "-D", "theirs"]);
    let report = sandbox.json(&["--by", "pr,commit", "--all-branches"]);
    assert_eq!(told(&groups(&report, "pr", "pr")), [("#9", 320), ("-", 1)]);
    assert_eq!(report["by_pr"][0]["title"], "topic");
    let found = groups(&report, "commit", "subject");
    let merge = "Merge pull request #9 from x/topic";
    assert_eq!(told(&found), [(merge, 300), ("work", 20), ("first", 1)]);
}
