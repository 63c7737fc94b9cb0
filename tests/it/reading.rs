//! The reports beside the report: digests, comparisons and advice.

use std::fs;

use crate::sandbox::{Sandbox, text};

/// A task of that day, with so many prompt tokens.
fn row(day: &str, hour: u8, tokens: u32) -> String {
    format!("{day}T{hour:02}:00:00+01:00,claude-opus-5-5,{tokens},100,true,execute,60000,")
}

fn with_days(days: &[&str]) -> Sandbox {
    let rows: Vec<String> = (1..).zip(days).map(|(n, day)| row(day, 10, n)).collect();
    Sandbox::with_rows(&rows.iter().map(String::as_str).collect::<Vec<_>>())
}

/// The period of a digest, and the sum of its prompt tokens.
fn digest(sandbox: &Sandbox, options: &[&str]) -> (String, u64) {
    let arguments = [&["digest"], options, &["--format", "json"]].concat();
    let report: serde_json::Value =
        serde_json::from_str(&sandbox.ok("usage-report", &arguments)).unwrap();
    let name = report["period"]["name"].as_str().unwrap().to_owned();
    (name, report["totals"]["prompt_tokens"].as_u64().unwrap())
}

#[test]
fn a_digest_is_of_the_last_period_that_ended() {
    let days = ["2026-11-01", "2026-11-09", "2026-11-15", "2026-11-16", "2026-11-21"];
    let sandbox = with_days(&days);
    for (as_of, week, sum) in [
        ("2026-11-15", "2026-W45", 0),
        ("2026-11-16", "2026-W46", 2 + 3),
        ("2026-11-22", "2026-W46", 2 + 3),
        ("2026-11-23", "2026-W47", 4 + 5),
    ] {
        let found = digest(&sandbox, &["--weekly", "--as-of", as_of]);
        assert_eq!(found, (week.to_owned(), sum), "{as_of}");
    }
    for (as_of, month, sum) in [
        ("2026-11-30", "2026-10", 0),
        ("2026-12-01", "2026-11", 15),
        ("2026-12-31", "2026-11", 15),
        ("2027-01-01", "2026-12", 0),
    ] {
        let found = digest(&sandbox, &["--monthly", "--as-of", as_of]);
        assert_eq!(found, (month.to_owned(), sum), "{as_of}");
    }
    let said = sandbox.ok("usage-report", &["digest", "--monthly", "--as-of", "2026-10-31"]);
    assert!(
        said.contains("holds 5 rows from 2026-11-01 to 2026-11-21, none of 2026-09."),
        "{said}"
    );
    let of_none = ["--weekly", "--as-of", "2026-11-23", "--model", "gpt-*"];
    assert_eq!(digest(&sandbox, &of_none), ("2026-W47".to_owned(), 0));
}

#[test]
fn a_digest_says_its_period_and_is_the_same_every_time() {
    let sandbox = with_days(&["2026-11-09", "2026-11-12"]);
    for (hour, format) in (10..).zip(["markdown", "csv", "json", "table"]) {
        let options = ["digest", "--weekly", "--as-of", "2026-11-20", "--format", format];
        let first = sandbox.ok("usage-report", &options);
        // What is logged later is of another period.
        sandbox.add_rows(&[&row("2026-11-20", hour, 7)]);
        assert_eq!(sandbox.ok("usage-report", &options), first, "{format}");
        let written = [&options[..], &["--output", "digest.txt"]].concat();
        assert_eq!(sandbox.ok("usage-report", &written), "");
        assert_eq!(sandbox.read("digest.txt"), first, "{format}");
        fs::remove_file(sandbox.path("digest.txt")).unwrap();
    }
    let said = sandbox.ok("usage-report", &["digest", "--weekly", "--as-of", "2026-11-20"]);
    assert!(said.starts_with("# Usage report of 2026-W46\n\n**2 tasks · "), "{said}");
    assert!(said.contains(" · 9 Nov – 15 Nov 2026**\n"), "{said}");
    // Days without rows are shown to the ends of the week.
    assert!(said.contains("| 2026-11-15 | Sun |     0 |"), "{said}");
}

/// The clock decides only where no day is given; there is always a last week.
#[test]
fn without_a_day_the_clock_decides() {
    let sandbox = with_days(&["2026-11-09"]);
    let said = sandbox.ok("usage-report", &["digest", "--weekly"]);
    assert!(said.starts_with("# Usage report of 2"), "{said}");
}

#[test]
fn what_a_digest_does_not_take_is_refused() {
    let sandbox = with_days(&["2026-11-09"]);
    for (arguments, problem) in [
        (&["digest"][..], "--weekly"),
        (&["digest", "--weekly", "--monthly"], "does not go with"),
        (&["digest", "--weekly", "--as-of", "yesterday"], "--as-of: \"yesterday\" is not a date"),
        (&["--format", "json", "digest", "--weekly"], "behind its name"),
        (&["digest", "--weekly", "--since", "7d"], "no option --since"),
    ] {
        let output = sandbox.run("usage-report", arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(text(&output.stderr).contains(problem), "{arguments:?}: {}", text(&output.stderr));
    }
}

/// Two weeks of a hundred tasks each, five a day and model; the second week's succeed less often.
fn two_weeks() -> Sandbox {
    let mut rows = Vec::new();
    for (week, first) in [("a", 2), ("b", 9)] {
        for day in first..first + 5 {
            for hour in 0..20u32 {
                let is_success = week == "a" || hour % 3 != 0;
                let tokens = 1_000 + 100 * (hour * 7 % 5);
                rows.push(format!(
                    "2026-11-{day:02}T{hour:02}:00:00Z,claude-opus-5-5,{tokens},100,{is_success},\
                     execute,{},",
                    60_000 + 1_000 * hour
                ));
            }
        }
    }
    Sandbox::with_rows(&rows.iter().map(String::as_str).collect::<Vec<_>>())
}

fn compared(sandbox: &Sandbox, arguments: &[&str]) -> serde_json::Value {
    let all = [&["compare"], arguments, &["--format", "json"]].concat();
    serde_json::from_str(&sandbox.ok("usage-report", &all)).unwrap()
}

#[test]
fn a_change_is_told_from_chance() {
    let sandbox = two_weeks();
    let found = compared(&sandbox, &["2026-W46"]);
    assert_eq!(found["b"]["name"], "2026-W45");
    let change = |measure: &str| found["changes"][measure].clone();
    assert_eq!(change("success_rate")["a"], 0.65);
    assert_eq!(change("success_rate")["change"], -0.35);
    assert_eq!(change("success_rate")["may_be_chance"], false);
    assert_eq!(change("duration_p50")["may_be_chance"], true);
    assert_eq!(change("tokens_per_task")["change"], 0.0);
    let of_type = &found["by_task_type"][0];
    assert_eq!((&of_type["task_type"], &of_type["tasks"]["a"]), (&"execute".into(), &100.into()));
    assert_eq!(of_type["changes"]["success_rate"]["b"], 1.0);
    // The other way round it is the same with the other sign.
    let back = compared(&sandbox, &["2026-W45", "2026-W46"]);
    assert_eq!(back["changes"]["success_rate"]["change"], 0.35);
    // Without a word it is the seven days to the newest row: the clock has no say.
    let alone = compared(&sandbox, &[]);
    assert_eq!(alone["a"]["name"], "2026-11-07..2026-11-13");
    assert_eq!(alone["changes"], found["changes"]);
}

#[test]
fn sealed_segments_are_compared_as_rows_are() {
    let sandbox = two_weeks();
    let whole = sandbox.ok("usage-report", &["compare", "2026-W46", "--no-cache"]);
    let text = sandbox.read(".telemetry/usage.csv");
    let (head, tail) = text.split_at(text.find("2026-11-05").unwrap());
    let header = format!("{}\n", crate::sandbox::HEADER);
    sandbox.write(".telemetry/archive/usage-20261102T000000Z-0123abcd.csv", head);
    sandbox.write(".telemetry/usage.csv", header + tail);
    for _ in 0..2 {
        assert_eq!(sandbox.ok("usage-report", &["compare", "2026-W46"]), whole);
    }
}

#[test]
fn branches_are_compared_by_what_each_has_alone() {
    let sandbox = Sandbox::repository();
    sandbox.add_rows(&[&row("2026-11-02", 10, 1)]);
    sandbox.commit("2026-11-02", "both");
    sandbox.git(["checkout", "--quiet", "-b", "topic"]);
    sandbox.add_rows(&[&row("2026-11-03", 10, 2), &row("2026-11-03", 11, 3)]);
    sandbox.commit("2026-11-03", "topic");
    sandbox.git(["checkout", "--quiet", "main"]);
    sandbox.add_rows(&[&row("2026-11-04", 10, 10)]);
    sandbox.commit("2026-11-04", "main");
    let tokens = |a: &str, b: &str| {
        let found = compared(&sandbox, &[a, b]);
        ["a", "b"].map(|side| found[side]["totals"]["prompt_tokens"].as_u64().unwrap())
    };
    assert_eq!(tokens("branch:topic", "branch:main"), [5, 10]);
    assert_eq!(tokens("main..topic", "branch:main"), [5, 11]);
    assert_eq!(tokens("branch:topic", "2026-11"), [6, 11]);
    let unknown = sandbox.run("usage-report", &["compare", "branch:topik", "branch:main"]);
    let problem = "error: compare: this repository has no commit \"topik\"\n";
    assert!(text(&unknown.stderr).starts_with(problem), "{}", text(&unknown.stderr));
    let said = sandbox.ok("usage-report", &["compare", "branch:topic", "branch:main"]);
    assert!(said.contains("Rows that both branches have are on neither side."), "{said}");
    assert!(!said.contains("## Trend"), "{said}");
}

#[test]
fn the_quality_of_the_rows_is_told() {
    let sandbox = Sandbox::with_rows(&[
        &row("2026-11-02", 10, 1),
        &row("2026-11-02", 10, 1),
        &row("2026-11-09", 10, 1),
        "2026-11-10T10:00:00Z,unknown-model,5,5,true,plan,1,",
        "2026-11-11T10:00:00Z,claude-opus-5-5,0,0,true,plan,1,",
        "2026-11-22T10:00:00Z,claude-opus-5-5,1,1,true,plan,1,",
        "2026-11-23T10:00:00Z,claude-opus-5-5,1,1,true,plan,1,",
        "nonsense",
    ]);
    let quality = compared(&sandbox, &["2026-W46", "--as-of", "2026-11-21"])["quality"].clone();
    let expected = serde_json::json!({
        "days": 21,
        "days_without_rows": 16,
        "longest_gap": { "from": "2026-11-12", "to": "2026-11-21" },
        "future_rows": 1,
        "unpriced_rows": 1,
        "tasks_without_tokens": 1,
        "unreadable_rows": 1,
        "repeated_rows": 1,
        "conflict_markers": 0,
    });
    assert_eq!(quality, expected);
    let strict = sandbox.run("usage-report", &["compare", "2026-W46", "--strict"]);
    assert_eq!(strict.status.code(), Some(3));
    // What is on both sides is said.
    let said = sandbox.ok("usage-report", &["compare", "2026-11", "2026-W46"]);
    assert!(said.contains("3 rows are on both sides: the intervals do not hold."), "{said}");
}

#[test]
fn what_cannot_be_compared_is_refused_and_nothing_at_all_is_no_error() {
    let sandbox = with_days(&["2026-11-09"]);
    for (arguments, problem) in [
        (&["compare", "next-week"][..], "\"next-week\" is no period"),
        (&["compare", "model:gpt-*"], "against what model:gpt-* is compared is missing"),
        (&["compare", "main..topic"], "fix: usage-report compare main..topic main..OTHER"),
        (
            &["compare", "2026-11-15..2026-11-01"],
            "\"2026-11-15..2026-11-01\" ends before it begins",
        ),
        (&["--weekly", "compare"], "behind its name"),
        (&["compare", "branch:x", "branch:y", "--all-branches"], "--all-branches"),
    ] {
        let output = sandbox.run("usage-report", arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(text(&output.stderr).contains(problem), "{arguments:?}: {}", text(&output.stderr));
    }
    let said = sandbox.ok("usage-report", &["compare", "2020-01", "2019-12"]);
    assert!(said.contains("No row is of 2020-01.") && said.contains("No row is of 2019-12."));
    for format in ["csv", "json", "table"] {
        sandbox.ok("usage-report", &["compare", "2020-01", "2019-12", "--format", format]);
    }
}

/// A part of a week is not compared with a whole one.
#[test]
fn what_is_not_over_is_compared_with_as_many_days() {
    let days = ["2026-11-09", "2026-11-10", "2026-11-11", "2026-11-14", "2026-11-16", "2026-11-17"];
    let sandbox = with_days(&days);
    let found = compared(&sandbox, &["this-week", "last-week", "--as-of", "2026-11-17"]);
    assert_eq!(
        (&found["a"]["name"], &found["b"]["name"]),
        (&"2026-W47".into(), &"2026-W46".into())
    );
    assert_eq!((&found["days_of_each"], &found["b"]["to"]), (&2.into(), &"2026-11-10".into()));
    assert_eq!(found["changes"]["tasks"]["change"], 0.0);
    let said = |of: &str, as_of| sandbox.ok("usage-report", &["compare", of, "--as-of", as_of]);
    let week = said("this-week", "2026-11-17");
    assert!(week.contains("**2026-W47 against 2026-W46, 2 days of each · 2 and 2 tasks"), "{week}");
    let note = "- 2026-W47 ends with the newest row, Tue 17 Nov: of both sides the first 2 days are \
                compared.\n";
    assert!(week.contains(note), "{week}");
    // A table for programs has no place for it.
    let csv = ["compare", "2026-W47", "--as-of", "2026-11-17", "--format", "csv"];
    let beside = text(&sandbox.run("usage-report", &csv).stderr);
    assert!(beside.starts_with("warning: 2026-W47 ends with the newest row, "), "{beside}");
    assert!(said("today", "2026-11-17").contains("- 2026-11-17 is today, which is not over.\n"));
    // The same week once it is over, and one whose last days have no rows.
    for (of, as_of) in [("last-week", "2026-11-23"), ("last-week", "2026-11-16")] {
        assert!(!said(of, as_of).contains("ends with the newest row"), "{as_of}");
    }
}

/// Whole numbers are written as such, beyond what a float can hold, too.
#[test]
fn sums_in_machine_formats_are_exact() {
    let most = "9007199254740991";
    let row =
        |day: u8| format!("2026-11-{day:02}T10:00:00Z,claude-opus-5-5,{most},{most},true,plan,7,");
    let rows: Vec<String> = [9, 16, 17, 18].map(row).into();
    let sandbox = Sandbox::with_rows(&rows.iter().map(String::as_str).collect::<Vec<_>>());
    let said = |format| {
        let sides =
            ["compare", "2026-W47", "2026-W46", "--as-of", "2026-11-30", "--format", format];
        sandbox.ok("usage-report", &sides)
    };
    let json = said("json");
    for line in [
        "\"tokens\": {\n      \"a\": 54043195528445946,\n      \"b\": 18014398509481982,",
        "\"tasks\": {\n      \"a\": 3,\n      \"b\": 1,",
        "\"duration_p50\": {\n      \"a\": 7,\n      \"b\": 7,",
    ] {
        assert!(json.contains(line), "{line}: {json}");
    }
    assert!(said("csv").contains("\ntotal,all,tokens,54043195528445946,18014398509481982,2,,,\n"));
    assert!(said("markdown").contains("54,043,195,528,445,946"));
}

/// A single row of a day to come neither moves the weeks nor leaves a heading without lines.
#[test]
fn a_clock_that_was_wrong_moves_no_week() {
    let days = ["2026-11-09", "2026-11-10", "2026-11-17"];
    let sandbox = with_days(&days);
    let side = |sandbox: &Sandbox| {
        compared(sandbox, &["--as-of", "2026-11-18"])["a"]["name"].as_str().unwrap().to_owned()
    };
    let before = side(&sandbox);
    assert_eq!(before, "2026-11-11..2026-11-17");
    sandbox.add_rows(&[&row("2027-11-20", 10, 1)]);
    assert_eq!(side(&sandbox), before);
    let said = sandbox.ok("usage-report", &["compare", "--as-of", "2026-11-18"]);
    assert!(!said.contains("## Trend") && said.contains("1 row is of days that have not come yet"));
    let alone = with_days(&["2027-11-20"]);
    let said = alone.ok("usage-report", &["compare", "--as-of", "2026-11-18"]);
    assert!(!said.contains("## Trend"), "{said}");
}

/// A month in which one model does as well as the other for a fraction of the money.
#[test]
fn advice_names_what_there_is_to_gain() {
    let mut rows = Vec::new();
    for day in 1..=28 {
        for hour in 0..6 {
            for model in ["claude-opus-5-5", "claude-haiku-5-5"] {
                let is_success = (day + hour) % 9 != 0;
                rows.push(format!(
                    "2026-11-{day:02}T{hour:02}:00:00Z,{model},{},2000,{is_success},execute,60000,",
                    400_000 + 1_000 * day
                ));
            }
        }
    }
    let sandbox = Sandbox::with_rows(&rows.iter().map(String::as_str).collect::<Vec<_>>());
    let plain = sandbox.ok("usage-report", &[]);
    let said = sandbox.ok("usage-report", &["--advice"]);
    let (before, rest) = said.split_once("\n## Advice\n\n").unwrap();
    assert!(plain.starts_with(before) && plain.ends_with(rest.split_once("\n\n").unwrap().1));
    let line = "1. Let claude-haiku-5-5 do execute tasks that claude-opus-5-5 does now: ";
    assert!(rest.starts_with(line) && rest.contains("(expected gain: about $"), "{rest}");
    let table = sandbox.ok("usage-report", &["--advice", "--format", "table"]);
    assert!(table.contains("\n Advice\n\n 1. Let claude-haiku-5-5"), "{table}");
    let first = &sandbox.json(&["--advice"])["advice"][0];
    assert_eq!(first["rule"], "cheaper-model");
    assert!(first["gain"]["usd_per_month"].as_f64().unwrap() > 100.0, "{first}");
    // Where the rows bear nothing out, that is said.
    let said = sandbox.ok("usage-report", &["--advice", "--since", "2026-11-25"]);
    assert!(said.contains("\n## Advice\n\nNothing that these rows would bear out.\n"), "{said}");
    let output = sandbox.run("usage-report", &["--advice", "--format", "csv"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("fix: usage-report --advice --format json"));
}

/// Four weeks of six tasks a day, of which this makes rows: `(day, number of the task)`.
fn four_weeks(rows: impl Fn(u32, u32) -> Vec<String>) -> Sandbox {
    let rows: Vec<String> = (1..=28)
        .flat_map(|day| (0..6).map(move |n| (day, n)))
        .flat_map(|it| rows(it.0, it.1))
        .collect();
    Sandbox::with_rows(&rows.iter().map(String::as_str).collect::<Vec<_>>())
}

/// The rules that speak, with what they are about.
fn advised(sandbox: &Sandbox) -> Vec<(String, serde_json::Value)> {
    let report = sandbox.json(&["--advice"]);
    let all = report["advice"].as_array().unwrap().iter();
    all.map(|it| (it["rule"].as_str().unwrap().to_owned(), it["evidence"].clone())).collect()
}

/// One model, and each rule by what only that one finds.
#[test]
fn failures_retries_and_slow_task_types_are_told_of_one_model() {
    let row = |day: u32,
               n: u32,
               minute: u32,
               is_success: bool,
               task_type: &str,
               ms: u32,
               notes: &str| {
        format!(
            "2026-11-{day:02}T{:02}:{minute:02}:00Z,claude-opus-5-5,{},2000,{is_success},{task_type},\
             {ms},{notes}",
            8 + n,
            90_000 + 1_000 * day,
        )
    };
    let is_odd = |day: u32, n: u32| (day + n).is_multiple_of(10);
    // Ordinary figures bear nothing out: a tenth fails, and another task comes when it comes.
    let sandbox = four_weeks(|day, n| {
        let plan = row(day, n, 30, true, "plan", 300_000, "");
        vec![row(day, n, 0, !is_odd(day, n), "execute", 60_000 + 500 * day, ""), plan]
    });
    assert_eq!(advised(&sandbox), []);
    assert!(
        sandbox
            .ok("usage-report", &["--advice"])
            .contains("Nothing that these rows would bear out.")
    );

    let sandbox =
        four_weeks(|day, n| vec![row(day, n, 0, n.is_multiple_of(2), "execute", 60_000, "")]);
    let [(rule, evidence)] = &advised(&sandbox)[..] else { panic!("not one") };
    assert_eq!((rule.as_str(), &evidence["task_type"]), ("failures", &"execute".into()));
    assert_eq!(evidence["others_failure_rate"], serde_json::Value::Null);

    // Of three tasks one fails, and its session tries again three minutes later.
    let retried = |day: u32, n: u32| {
        let session = format!("{{session={:012x}}}", day * 100 + n);
        let mut rows =
            vec![row(day, n, 0, !n.is_multiple_of(3), "execute", 60_000, session.as_str())];
        if n.is_multiple_of(3) {
            rows.push(row(day, n, 3, true, "execute", 60_000, session.as_str()));
        }
        rows
    };
    let [(rule, evidence)] = &advised(&four_weeks(retried))[..] else { panic!("not one") };
    assert_eq!(rule, "retries");
    let count = |key: &str| evidence[key].as_u64().unwrap();
    assert_eq!([count("failures"), count("failures_followed"), count("longest")], [56, 56, 2]);
    assert_eq!([count("successes"), count("successes_followed")], [168, 0]);

    // The same tasks take twice as long from the middle of the month on.
    let slower = |day: u32, n: u32| {
        let ms = (1 + day / 15) * (600_000 + 1_000 * n);
        vec![row(day, n, 0, true, "verify", ms, "")]
    };
    let [(rule, evidence)] = &advised(&four_weeks(slower))[..] else { panic!("not one") };
    assert_eq!((rule.as_str(), &evidence["task_type"]), ("slow-task-types", &"verify".into()));
    assert!(evidence["newer_ms_per_task"].as_f64() > evidence["older_ms_per_task"].as_f64());
}

/// An active segment above a mebibyte is named only where git keeps it.
#[test]
fn a_large_ledger_is_named_where_git_keeps_it() {
    let sandbox = Sandbox::repository();
    let rows: Vec<String> = (0..9_000)
        .map(|n| {
            let (day, second) = (1 + n / 500, n % 60);
            let (hour, minute) = (n % 500 / 60, n % 60);
            format!(
                "2026-11-{day:02}T{hour:02}:{minute:02}:{second:02}.{n:06}Z,m,1,1,true,plan,1,{}",
                "a note that takes its place in the file as such notes do after some weeks of work"
            )
        })
        .collect();
    sandbox.add_rows(&rows.iter().map(String::as_str).collect::<Vec<_>>());
    assert!(!sandbox.ok("usage-report", &["--advice"]).contains("max_size"));
    sandbox.commit("2026-11-20", "rows");
    let said = sandbox.ok("usage-report", &["--advice"]);
    assert!(said.contains("`max_size = \"1M\"`") && said.contains("less with each commit"));
    // Who has set it already has done so.
    sandbox.write(".telemetry/config.toml", "max_size = \"1M\"\n");
    assert!(!sandbox.ok("usage-report", &["--advice"]).contains("max_size"));
}

/// An alert that fires for weeks is named until somebody acknowledges it.
#[test]
fn an_alert_that_nobody_looks_after_is_named() {
    let row = |day| format!("2026-11-{day:02}T09:00:00Z,m,1000,500,true,plan,1000,");
    let rows: Vec<String> = (1..=20).map(row).collect();
    let sandbox = Sandbox::with_rows(&rows.iter().map(String::as_str).collect::<Vec<_>>());
    let rule = "[[alert]]\nname = \"much-read\"\nmetric = \"tokens\"\nwindow = \"month\"\n\
                above = \"1000\"\n";
    sandbox.write(".telemetry/config.toml", rule);
    let first = &sandbox.json(&["--advice"])["advice"][0];
    assert_eq!(first["rule"], "unacknowledged-alerts");
    assert_eq!(first["evidence"]["since"], "2026-11-01");
    assert_eq!(
        (&first["evidence"]["alerts"], &first["evidence"]["name"]),
        (&1.into(), &"much-read".into())
    );
    let id = first["evidence"]["oldest"].as_str().unwrap();
    let said = sandbox.ok("usage-report", &["--advice"]);
    let line = format!(
        "1. Look after what fires, `log-usage alert ack {id}`, or change the rule: 1 alert fires for \
         more than 14 days without an acknowledgement, much-read the longest, since 2026-11-01. \
         (expected gain: 1 alert less in each check)"
    );
    assert!(said.contains(&line), "{said}");
    // Of some of the rows nothing is said of alerts, and of those that somebody looks after neither.
    let none = "Nothing that these rows would bear out.";
    assert!(sandbox.ok("usage-report", &["--advice", "--model", "m"]).contains(none));
    sandbox.ok("log-usage", &["alert", "ack", id]);
    assert!(sandbox.ok("usage-report", &["--advice"]).contains(none));
}
