//! What `usage-report check` makes of what it cannot know: clocks that were wrong, days that are gone,
//! series of too few tasks, moments within a day, events that are not here.

use std::fs;

use serde_json::Value;

use crate::alerts::{check, ids, ledger, lines, row, sandbox, told};
use crate::sandbox::{HEADER, Sandbox, text};

const DAY: &str = "[[alert]]\nname = \"x\"\nmetric = \"tasks\"\nwindow = \"day\"\nabove = ";

/// Three tasks a day in the first weeks of October.
fn october(days: std::ops::RangeInclusive<u32>) -> Vec<String> {
    days.flat_map(|day| ledger(&[(&format!("2020-10-{day:02}"), 3, 0, "1.000000")])).collect()
}

/// State and first day of each.
fn states(check: &Value) -> Vec<String> {
    let of = |line: &String| line.split(" | ").skip(3).take(2).collect::<Vec<_>>().join(" ");
    lines(check).iter().map(of).collect()
}

/// One row of a clock that was wrong ends no alert of all others.
#[test]
fn a_row_from_the_future_silences_nothing() {
    let rule = "[[alert]]\nname = \"month\"\nmetric = \"cost\"\nwindow = \"month\"\nabove = ";
    let mut rows = october(1..=20);
    rows.extend(ledger(&[("2099-01-20", 1, 0, "1.000000")]));
    let sandbox = sandbox(&format!("{rule}50"), &rows);
    let (code, found) = check(&sandbox, &[]);
    assert_eq!((code, states(&found)), (Some(1), vec!["firing 2020-10-17".to_owned()]));
    let newest = serde_json::json!({ "rows": 1, "from": "2099-01-20", "to": "2099-01-20" });
    assert_eq!((&found["alone"], &found["not_come_yet"]), (&newest, &newest));
    // Where nothing fires it is not well either.
    sandbox.write(".telemetry/config.toml", format!("{rule}500"));
    let (code, found) = check(&sandbox, &[]);
    assert_eq!((code, states(&found), &found["health"]), (Some(1), vec![], &"warning".into()));
    assert_eq!(check(&sandbox, &["--fail-on", "error"]).0, Some(0));
    let (_, printed, _) = told(&sandbox, "usage-report", &["check", "--no-anomalies"]);
    assert!(printed.starts_with("health: warning · nothing fires · 1 row of days to come · "));
    // More of them are not told from work, and nothing before them is judged.
    let ledger_of_one = sandbox.read(".telemetry/usage.csv");
    let more = ledger(&[("2099-01-21", 1, 0, "1.000000"), ("2099-01-22", 1, 0, "1.000000")]);
    sandbox.write(".telemetry/usage.csv", format!("{ledger_of_one}{}\n", more.join("\n")));
    assert_eq!(check(&sandbox, &["--fail-on", "critical"]).0, Some(1));
    sandbox.write(".telemetry/usage.csv", ledger_of_one);
    assert!(printed.contains("Not come yet: 1 row of 2099-01-20: a clock was wrong"), "{printed}");
    // As it was before, all was well.
    let (code, found) = check(&sandbox, &["--until", "2020-10-31"]);
    assert_eq!(
        (code, &found["alone"], &found["not_come_yet"]),
        (Some(0), &Value::Null, &Value::Null)
    );
}

/// Whoever takes up work again is told of what fired before, until there is enough of the new.
#[test]
fn a_pause_is_no_clock_that_was_wrong() {
    let mut rows = october(1..=10);
    let sandbox = sandbox(&format!("{DAY}2"), &rows);
    let told = |rows: &[String]| {
        sandbox.write(".telemetry/usage.csv", format!("{HEADER}\n{}\n", rows.join("\n")));
        let (code, found) = check(&sandbox, &[]);
        (code, states(&found), found["alone"]["rows"].as_u64(), found["not_come_yet"].is_null())
    };
    let firing = || vec!["firing 2020-10-01".to_owned()];
    assert_eq!(told(&rows), (Some(1), firing(), None, true));
    rows.extend(ledger(&[("2020-10-29", 2, 0, "1.000000")]));
    assert_eq!(told(&rows), (Some(1), firing(), Some(2), true));
    for day in ["2020-10-30", "2020-10-31"] {
        rows.extend(ledger(&[(day, 2, 0, "1.000000")]));
    }
    assert_eq!(told(&rows), (Some(0), vec![], None, true));
}

/// What was acknowledged stays so when its first days are pruned or archived.
#[test]
fn an_acknowledgement_outlives_the_days_it_is_of() {
    let sandbox = sandbox(&format!("{DAY}2"), &october(1..=20));
    let id = ids(&check(&sandbox, &[]).1).remove(0);
    let act = |day: &str| {
        let act = format!("timestamp,alert,action,user,note\n{day}T10:00:00Z,{id},ack,,\n");
        sandbox.write(".telemetry/alerts.csv", act);
    };
    let kept = format!("{HEADER}\n{}\n", october(11..=20).join("\n"));
    sandbox.write(".telemetry/usage.csv", kept);
    let (code, found) = check(&sandbox, &[]);
    assert_eq!((code, states(&found)), (Some(1), vec!["firing 2020-10-11".to_owned()]));
    act("2020-10-15");
    let (code, found) = check(&sandbox, &[]);
    assert_eq!((code, states(&found)), (Some(0), vec!["acknowledged 2020-10-01".to_owned()]));
    assert_eq!(ids(&found), [id.as_str()]);
    // What was said before the first day that is known may be of another alert.
    act("2020-10-05");
    assert_eq!(check(&sandbox, &[]).0, Some(1));
}

/// Of each rule the series that could not be judged, and why.
#[test]
fn a_series_that_cannot_be_judged_is_named() {
    let rules = "[[alert]]\nname = \"rate\"\nmetric = \"success_rate\"\nby = \"model\"\nbelow = \"10%\"\n\
                 [[alert]]\nname = \"cost\"\nmetric = \"cost\"\nby = \"model\"\nabove = 900\n\
                 [[alert]]\nname = \"leap\"\nmetric = \"cost\"\nby = \"model\"\nwindow = \"day\"\nchange = \"+50%\"\n";
    let mut rows = ledger(&[("2026-11-16", 25, 0, "1.000000"), ("2026-11-17", 25, 0, "1.000000")]);
    for model in ["rare-a", "rare-b", "rare-c", "rare-d", "rare-e"] {
        rows.extend((0..5).map(|n| row("2026-11-17", n, model, "1,2,false,plan,3,")));
    }
    let sandbox = sandbox(rules, &rows);
    let (code, found) = check(&sandbox, &[]);
    let unjudged = found["not_judged"].as_array().unwrap();
    assert_eq!((code, unjudged.len()), (Some(0), 15));
    assert_eq!(unjudged[0]["series"], "rare-a");
    let (_, printed, _) = told(&sandbox, "usage-report", &["check", "--no-anomalies"]);
    let note = "Not judged: rate of rare-a (5 tasks are too few), rare-b (5 tasks are too few), \
                rare-c (5 tasks are too few), and 2 more series; cost of rare-a (no price), ";
    assert!(printed.contains(note), "{printed}");
}

/// What is committed is judged by the rules and acts that are committed with it.
#[test]
fn a_commit_has_its_own_rules() {
    let sandbox = sandbox(&format!("{DAY}2"), &ledger(&[("2026-11-16", 3, 0, "1.000000")]));
    sandbox.commit("2026-11-16", "strict");
    let id = ids(&check(&sandbox, &[]).1).remove(0);
    sandbox.ok("log-usage", &["alert", "ack", &id.to_uppercase()]);
    sandbox.write(".telemetry/config.toml", format!("{DAY}9\n"));
    assert_eq!(check(&sandbox, &[]).0, Some(0));
    let (code, found) = check(&sandbox, &["--committed"]);
    assert_eq!((code, found["alerts"][0]["limit"].as_u64()), (Some(1), Some(2)));
    sandbox.write(".telemetry/config.toml", "bro ken");
    assert_eq!(check(&sandbox, &["--committed"]).0, Some(1));
    sandbox.commit("2026-11-17", "broken");
    let (code, _, said) = told(&sandbox, "usage-report", &["check", "--committed"]);
    assert!(code == Some(1) && said.contains("config.toml at "), "{said}");
}

/// A moment within a day is that moment, wherever the reader is.
#[test]
fn a_limit_begins_at_a_moment() {
    let rows: Vec<String> =
        (0..60).map(|n| row("2026-11-16", n, "m", "1,2,true,plan,3,")).collect();
    let sandbox = sandbox("", &rows);
    let arguments =
        "check --no-anomalies --format json --max-tokens 5 --since 2026-11-16T08:50:00Z";
    for zone in ["UTC", "Pacific/Kiritimati", "Pacific/Pago_Pago"] {
        let mut command = sandbox.command("usage-report");
        let output = command.args(arguments.split(' ')).env("TZ", zone).output().unwrap();
        let found: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(found["alerts"][0]["value"].as_u64(), Some(30), "{zone}");
    }
    // The sums of a sealed segment are kept, and it holds the moment.
    let (sealed, active) = rows.split_at(55);
    let name = ".telemetry/archive/usage-20261116T080000Z-01234567.csv";
    sandbox.write(name, format!("{HEADER}\n{}\n", sealed.join("\n")));
    sandbox.write(".telemetry/usage.csv", format!("{HEADER}\n{}\n", active.join("\n")));
    for also in ["", " --no-cache", ""] {
        let arguments = format!("{also} {arguments}");
        let arguments: Vec<&str> = arguments.split_whitespace().collect();
        let (_, printed, _) = told(&sandbox, "usage-report", &arguments);
        let found: Value = serde_json::from_str(&printed).unwrap();
        assert_eq!(found["alerts"][0]["value"].as_u64(), Some(30), "{also}");
    }
    let (_, found) = check(&sandbox, &["--max-cost", "1", "--since", "2026-11-16T09:50:00Z"]);
    assert_eq!(found["not_judged"][0]["why"], "no rows since then");
}

#[test]
fn figures_are_exact_for_programs() {
    let most = "9007199254740991,9007199254740991,true,plan,3,";
    let rows: Vec<String> = (0..3).map(|n| row("2026-11-16", n, "m", most)).collect();
    let sandbox = sandbox("", &rows);
    let arguments = ["check", "--no-anomalies", "--format", "json", "--max-tokens", "5"];
    let (_, printed, _) = told(&sandbox, "usage-report", &arguments);
    assert!(printed.contains("\"value\": 54043195528445946,\n"), "{printed}");
    assert!(printed.contains("\"limit\": 5,\n"), "{printed}");
}

/// Of two commands each has its own memory; and whatever becomes of them, the check is printed.
#[test]
fn every_command_is_told() {
    let sandbox = sandbox(&format!("{DAY}2"), &ledger(&[("2026-11-16", 3, 0, "1.000000")]));
    for command in ["cat >> one", "cat >> two", "cat >> one"] {
        let arguments = ["check", "--no-anomalies", "--notify", command];
        assert_eq!(told(&sandbox, "usage-report", &arguments).0, Some(1));
    }
    assert_eq!([sandbox.read("one"), sandbox.read("two")].map(|it| it.lines().count()), [1, 1]);
    let (code, _, said) = told(&sandbox, "usage-report", &["check", "--notify", " "]);
    assert!(code == Some(2) && said.contains("--notify: the command is empty"), "{said}");
    let mut command = sandbox.command("usage-report");
    let file = sandbox.path(".telemetry/usage.csv");
    let output = command.args(["check", "--notify", "true"]).env("XDG_STATE_HOME", file).output();
    let output = output.unwrap();
    assert!(text(&output.stdout).starts_with("health: warning"), "{}", text(&output.stdout));
    assert_eq!(output.status.code(), Some(1));
}

/// What fired when the last event was recorded is over when work goes on without events.
#[test]
fn an_alert_on_events_ends_without_them() {
    let rule = format!("{}0", DAY.replace("tasks\"", "count\"\nsource = \"events\""));
    let sandbox = sandbox(&rule, &ledger(&[("2020-11-16", 1, 0, "1.000000")]));
    let (_, found) = check(&sandbox, &[]);
    let why = found["not_judged"][0]["why"].as_str().unwrap();
    assert!(why.starts_with("no events here: log-usage consent grant events"), "{why}");
    let event = "{\"v\":1,\"id\":\"019c8c52-a34f-7b33-8000-000000000001\",\
                 \"timestamp\":\"2020-11-17T10:00:00Z\",\"name\":\"operation.completed\",\
                 \"correlation\":\"c\"}\n";
    sandbox.write(".telemetry/events.jsonl", event);
    assert_eq!(check(&sandbox, &[]).0, Some(1));
    let (_, printed, _) = told(&sandbox, "usage-report", &["check", "--no-anomalies"]);
    assert!(
        printed.contains("newest row, 2020-11-16 (of rules on events, 2020-11-17)"),
        "{printed}"
    );
    for day in ["2020-11-20", "2020-11-24", "2020-11-28"] {
        let row = row(day, 0, "m", "1,2,true,plan,3,");
        sandbox.add_rows(&[&row]);
    }
    assert_eq!(check(&sandbox, &[]).0, Some(0));
    fs::remove_file(sandbox.path(".telemetry/events.jsonl")).unwrap();
}

#[test]
fn what_was_typed_wrong_is_named() {
    let sandbox = sandbox("", &ledger(&[("2026-11-16", 1, 0, "1.000000")]));
    for (program, arguments, words) in [
        ("usage-report", "check --min-samples -1", "\"-1\" is not a whole number such as 20"),
        ("usage-report", "check --min-samples 5", "--min-samples is for limits that are typed"),
        ("log-usage", "alert akc", "did you mean ack?"),
        ("log-usage", "alert ack zzzzz", "zzzzz is not 4 to 12 digits (0-9, a-f) of an alert's id"),
    ] {
        let arguments: Vec<&str> = arguments.split(' ').collect();
        let (code, _, said) = told(&sandbox, program, &arguments);
        assert!(code == Some(2) && said.contains(words), "{said}");
    }
    let none = Sandbox::repository();
    let (code, printed, said) = told(&none, "log-usage", &["alert"]);
    assert!(code == Some(1) && printed.is_empty() && said.starts_with("error: no ledger here"));
    let (code, _, said) = told(&none, "usage-report", &["check", "--personal"]);
    assert!(code == Some(1) && said.contains("what --file, --personal or LOG_USAGE_FILE names"));
}
