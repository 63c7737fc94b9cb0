//! What rows cost: by which prices, and what a report says of it.

use serde_json::{Value, json};

use crate::sandbox::{HEADER, Sandbox, text};

const COLUMNS: &str = "model,input_per_mtok,output_per_mtok,source_date\n";

/// A row of that day with a million tokens read, by several requests.
fn row(day: &str, model: &str, success: bool, tags: &str) -> String {
    format!("{day}T10:00:00Z,{model},1000000,0,{success},execute,5000,{{requests=3{tags}}}")
}

fn ledger(rows: &[String]) -> Sandbox {
    Sandbox::with_rows(&rows.iter().map(String::as_str).collect::<Vec<_>>())
}

fn usd(report: &Value, what: &str) -> String {
    report["totals"][what].to_string()
}

#[test]
fn the_repositorys_own_prices_count_from_their_day_on() {
    let rows = ["2026-01-01", "2026-03-01", "2026-05-01"].map(|day| row(day, "acme-1", true, ""));
    let sandbox = ledger(&rows);
    let report = sandbox.json(&[]);
    assert_eq!(
        (usd(&report, "cost_usd"), usd(&report, "priced_tasks")),
        ("null".into(), "0".into())
    );
    assert_eq!(report["unpriced_models"], json!(["acme-1"]));
    let prices = format!("{COLUMNS}acme-1,1,1,2026-02-01\nacme-1,2,1,2026-03-01\n");
    sandbox.write(".telemetry/prices.csv", &prices);
    // The first price is that of the time before it, too.
    let report = sandbox.json(&[]);
    assert_eq!(usd(&report, "cost_usd"), "5.000000");
    assert_eq!((&report["prices"]["own"], &report["unpriced_models"]), (&json!(true), &json!([])));
    assert_eq!(usd(&sandbox.json(&["--reprice"]), "cost_usd"), "6.000000");
    let markdown = sandbox.ok("usage-report", &[]);
    assert!(markdown.contains("(prices of 2026-11-21 and the repository's own; "), "{markdown}");
    // Another ledger in the folder has its own.
    sandbox.write(".telemetry/team.csv", format!("{HEADER}\n{}\n", rows[0]));
    let named = ["--file", ".telemetry/team.csv"];
    assert_eq!(usd(&sandbox.json(&named), "cost_usd"), "null");
    sandbox.write(".telemetry/team.prices.csv", format!("{COLUMNS}acme-1,7,1,\n"));
    assert_eq!(usd(&sandbox.json(&named), "cost_usd"), "7.000000");
    // Each ledger's rows have the prices of that ledger.
    let both = ["--file", ".telemetry/team.csv", ".telemetry/usage.csv", "--keep-duplicates"];
    assert_eq!(usd(&sandbox.json(&both), "cost_usd"), "12.000000");
}

#[test]
fn a_cost_that_was_frozen_stands_until_rows_are_repriced() {
    let rows = [
        row("2026-01-01", "claude-sonnet-5-5", true, " cost_usd=0.123456"),
        row("2026-01-02", "claude-sonnet-5-5", true, ""),
        row("2026-01-03", "acme-1", true, " cost_usd=0.100000"),
        row("2026-01-04", "claude-sonnet-5-5", false, " reason=no-usage")
            .replace(",1000000,", ",0,"),
    ];
    let sandbox = ledger(&rows);
    let report = sandbox.json(&[]);
    assert_eq!(usd(&report, "cost_usd"), "2.223456");
    assert_eq!(usd(&report, "priced_tasks"), "3");
    assert_eq!(usd(&sandbox.json(&["--reprice"]), "cost_usd"), "4.000000");
    let markdown = sandbox.ok("usage-report", &[]);
    assert!(markdown.contains(" For 2 rows it is what they say themselves."), "{markdown}");
}

/// A cheap model that has no price must not look as if it made successes cheap.
#[test]
fn a_success_costs_what_rows_with_a_price_cost() {
    let mut rows = vec![
        row("2026-01-01", "claude-sonnet-5-5", true, ""),
        row("2026-01-02", "claude-sonnet-5-5", false, ""),
    ];
    rows.extend((3..=9).map(|day| row(&format!("2026-01-0{day}"), "acme-1", true, "")));
    let sandbox = ledger(&rows);
    let report = sandbox.json(&[]);
    assert_eq!(usd(&report, "successes"), "8");
    assert_eq!(usd(&report, "priced_successes"), "1");
    assert_eq!(usd(&report, "cost_per_success_usd"), "4.000000");
    let markdown = sandbox.ok("usage-report", &[]);
    let note =
        "No price: acme-1, 7 tasks, 7,000,000 tokens (77.8 %): left out of cost and $/success.";
    assert!(markdown.contains(note), "{markdown}");
    assert!(markdown.contains("| acme-1            |     7 |     7/7 |"), "{markdown}");
    // Where no row that is asked for has a price, nothing is said of cost.
    let report = sandbox.ok("usage-report", &["--model", "acme-1"]);
    assert!(!report.contains('$') && !report.contains("Cost"), "{report}");
    assert!(report.contains("- No cost: no price is known for acme-1.\n"), "{report}");
}

#[test]
fn a_bad_line_of_prices_stops_the_report_and_names_the_commit() {
    let sandbox = ledger(&[row("2026-01-01", "acme-1", true, "")]);
    let refused = |arguments: &[&str]| {
        let output = sandbox.run("usage-report", arguments);
        assert_eq!(output.status.code(), Some(1));
        text(&output.stderr)
    };
    sandbox.write(".telemetry/prices.csv", format!("{COLUMNS}acme-1,1,1,\n"));
    let first = sandbox.commit("2026-01-02", "prices");
    assert_eq!(usd(&sandbox.json(&["--committed"]), "cost_usd"), "1.000000");
    sandbox.write(".telemetry/prices.csv", format!("{COLUMNS}acme-1,2,1,\n"));
    // What is committed has its own prices; the work tree's are newer.
    assert_eq!(usd(&sandbox.json(&["--committed"]), "cost_usd"), "1.000000");
    assert_eq!(usd(&sandbox.json(&["--range", "HEAD"]), "cost_usd"), "1.000000");
    assert_eq!(usd(&sandbox.json(&[]), "cost_usd"), "2.000000");
    sandbox.write(".telemetry/prices.csv", format!("{COLUMNS}acme-1,free,1,\n"));
    assert!(
        refused(&[]).contains("prices.csv:2: input_per_mtok: \"free\" is not a price"),
        "{}",
        refused(&[])
    );
    let second = sandbox.commit("2026-01-03", "free");
    let named =
        format!("error: prices.csv at {}:2: input_per_mtok: \"free\" is not", &second[..12]);
    let said = refused(&["--committed"]);
    assert!(said.starts_with(&named), "{said}");
    assert_eq!(usd(&sandbox.json(&["--range", &first]), "cost_usd"), "1.000000");
}

/// A branch's report is short, and says its cost where it has one.
#[test]
fn a_range_says_its_cost_in_one_line() {
    let sandbox = ledger(&[row("2026-01-01", "acme-1", true, "")]);
    sandbox.commit("2026-01-01", "first");
    sandbox.git(["checkout", "--quiet", "-b", "topic"]);
    let more = [
        row("2026-01-02", "claude-opus-5-5", true, ""),
        row("2026-01-03", "claude-sonnet-5-5", true, ""),
        row("2026-01-04", "claude-haiku-5-5", true, ""),
        row("2026-01-05", "acme-1", true, " role=sub"),
    ];
    sandbox.add_rows(&more.iter().map(String::as_str).collect::<Vec<_>>());
    sandbox.commit("2026-01-06", "work");
    let report = sandbox.ok("usage-report", &["--range", "main..HEAD"]);
    let expected = "**AI usage of this branch: 3 tasks, 3 succeeded · 4.0 M tokens · 15.0 s · $6.10 list price**

<details><summary>By task type</summary>

| Task type | Tasks | Success |    Prompt | Completion |   Time |  Cost |
|:----------|------:|--------:|----------:|-----------:|-------:|------:|
| execute   |     3 |     3/3 | 4,000,000 |          0 | 15.0 s | $6.10 |

4 rows (1 of sub-agents) that `main` does not have. Dearest: claude-opus-5-5 (66 %), claude-sonnet-5-5 (33 %). No price: acme-1 (25.0 % of tokens).
</details>
";
    assert_eq!(report, expected);
    let by_branch = sandbox.ok("usage-report", &["--range", "main..HEAD", "--by", "author"]);
    assert!(by_branch.contains("Cost * | $/success |"), "{by_branch}");
}

/// Only a person is told; the price is not looked up for a script.
#[test]
fn a_person_who_logs_a_row_sees_its_price() {
    let sandbox = Sandbox::repository();
    if sandbox.command("script").args(["-qec", "true", "/dev/null"]).ok().is_err() {
        eprintln!("SKIPPED a_person_who_logs_a_row_sees_its_price: no script(1) on this machine");
        return;
    }
    let seen = |command: &str| sandbox.ok("script", &["-qec", command, "/dev/null"]);
    let row = "1500 3200 true execute 45000 notes";
    let priced = seen(&format!("log-usage claude-3-opus {row}"));
    let line = "logged  claude-3-opus  1,500 read + 3,200 written  execute, success, 45.0 s  $0.26";
    assert_eq!(priced.lines().next(), Some(line));
    let unknown = seen(&format!("log-usage acme-1 {row}"));
    assert!(unknown.trim_end().ends_with("execute, success, 45.0 s"), "{unknown}");
    sandbox.write(".telemetry/prices.csv", format!("{COLUMNS}acme-1,100,100,\n"));
    let own = seen(&format!("log-usage acme-1 {row}"));
    assert!(own.trim_end().ends_with("45.0 s  $0.47"), "{own}");
    let frozen = seen(&format!("log-usage --tag cost_usd=0.004000 acme-1 {row}"));
    assert!(frozen.trim_end().ends_with("45.0 s  <$0.01"), "{frozen}");
    // The row is stored all the same.
    sandbox.write(".telemetry/prices.csv", "nonsense\n");
    assert!(seen(&format!("log-usage claude-3-opus {row}")).contains("$0.26"));
    assert_eq!(sandbox.rows().len(), 5);
}

/// Who needs no price is not stopped by one, and whoever is hears of the column.
#[test]
fn broken_prices_stop_only_what_needs_them() {
    let sandbox = ledger(&[row("2026-01-01", "acme-1", true, "")]);
    let path = ".telemetry/prices.csv";
    for (prices, problem) in [
        (
            format!("{COLUMNS}acme-1,1.1234567,1,\n").into_bytes(),
            "prices.csv:2: input_per_mtok: \"1.1234567\" is not a price in dollars such as 0.25, \
             below 1000000, of at most 6 decimals",
        ),
        (
            format!("{COLUMNS}acme-1,1,1,soon\n").into_bytes(),
            "prices.csv:2: source_date: \"soon\" is not a date such as 2026-02-23",
        ),
        (b"model\n\xFF\n".to_vec(), "prices.csv:2: it is not text in UTF-8"),
        (Vec::new(), "prices.csv: it is not a regular file"),
    ] {
        if prices.is_empty() {
            std::fs::remove_file(sandbox.path(path)).unwrap();
            std::fs::create_dir(sandbox.path(path)).unwrap();
        } else {
            sandbox.write(path, prices);
        }
        let output = sandbox.run("usage-report", &[]);
        assert_eq!(output.status.code(), Some(1));
        let said = text(&output.stderr);
        assert!(said.contains(problem) && said.contains("docs/prices.md"), "{said}");
        assert!(!said.contains("the system refused") && !said.contains("--file"), "{said}");
        sandbox.ok("usage-report", &["verify"]);
        sandbox.ok("usage-report", &["activity"]);
        let output = sandbox.run("log-usage", &["doctor"]);
        assert_eq!(output.status.code(), Some(1));
        assert!(text(&output.stdout).contains(problem), "{}", text(&output.stdout));
    }
}
