//! `usage-report check`, `log-usage alert` and what is told of alerts: every kind of rule, what people
//! do about alerts, and what clones agree on.

use std::fs;

use serde_json::Value;

use crate::sandbox::{HEADER, Sandbox, text};

/// One task of that day.
pub(crate) fn row(day: &str, number: usize, model: &str, rest: &str) -> String {
    format!("{day}T09:{:02}:00+01:00,{model},{rest}", number % 60)
}

/// A ledger of these days, each with so many tasks, of which so many fail, and that cost.
pub(crate) fn ledger(days: &[(&str, usize, usize, &str)]) -> Vec<String> {
    let mut rows = Vec::new();
    for (day, tasks, failures, cost) in days {
        for number in 0..*tasks {
            let success = number >= *failures;
            let rest = format!("1000,500,{success},execute,45000,{{cost_usd={cost}}}");
            rows.push(row(day, number, "claude-opus-4", &rest));
        }
    }
    rows
}

pub(crate) fn sandbox(rules: &str, rows: &[String]) -> Sandbox {
    let sandbox = Sandbox::with_rows(&rows.iter().map(String::as_str).collect::<Vec<_>>());
    sandbox.write(".telemetry/config.toml", rules);
    sandbox
}

/// Runs it; gives its exit code, what it printed and what it said.
pub(crate) fn told(
    sandbox: &Sandbox,
    program: &str,
    arguments: &[&str],
) -> (Option<i32>, String, String) {
    let output = sandbox.run(program, arguments);
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

pub(crate) fn check(sandbox: &Sandbox, arguments: &[&str]) -> (Option<i32>, Value) {
    let all = [&["check", "--format", "json", "--no-anomalies"], arguments].concat();
    let (code, printed, said) = told(sandbox, "usage-report", &all);
    (code, serde_json::from_str(&printed).unwrap_or_else(|_| panic!("{printed}{said}")))
}

/// The names of the alerts, each with its state, since when, and its text.
pub(crate) fn lines(check: &Value) -> Vec<String> {
    let word = |it: &Value, key: &str| it[key].as_str().unwrap_or("-").to_owned();
    let line = |it: &Value| {
        let words = ["name", "series", "severity", "state", "since", "text"];
        words.map(|key| word(it, key)).join(" | ")
    };
    check["alerts"].as_array().unwrap().iter().map(line).collect()
}

pub(crate) fn ids(check: &Value) -> Vec<String> {
    let alerts = check["alerts"].as_array().unwrap().iter();
    alerts.map(|it| it["id"].as_str().unwrap_or_default().to_owned()).collect()
}

/// Nine Mondays and Tuesdays of three weeks; the last week is the dearest and the worst.
fn three_weeks() -> Vec<String> {
    ledger(&[
        ("2026-11-02", 12, 0, "0.500000"),
        ("2026-11-03", 12, 1, "0.500000"),
        ("2026-11-09", 12, 0, "0.500000"),
        ("2026-11-10", 12, 1, "0.500000"),
        ("2026-11-16", 12, 5, "1.000000"),
        ("2026-11-17", 12, 4, "1.000000"),
    ])
}

const RULES: &str = r#"
[[alert]]
name = "month"
metric = "cost"
window = "month"
above = "$45"
severity = "critical"

[[alert]]
name = "week"
metric = "cost"
window = "week"
change = "+50%"
severity = "error"

[[alert]]
name = "success"
metric = "success_rate"
by = "model"
window = "7d"
below = "80%"

[[alert]]
name = "drop"
metric = "success_rate"
by = "task-type"
window = "week"
change = "-15pt"

[[alert]]
name = "errors"
metric = "error_rate"
window = "day"
above = "30%"
min_samples = 10
severity = "info"

[[alert]]
name = "slow"
metric = "duration_p95"
window = "week"
above = "50s"

[[alert]]
name = "idle"
metric = "tasks"
window = "week"
below = 20

[[alert]]
name = "dear"
metric = "cost_per_success"
window = "week"
above = 1.5
"#;

#[test]
fn every_kind_of_rule_says_what_where_and_since_when() {
    let sandbox = sandbox(RULES, &three_weeks());
    let (code, found) = check(&sandbox, &[]);
    assert_eq!(
        lines(&found),
        [
            "month | - | critical | firing | 2026-11-17 | cost: $48.00, above $45.00 (2026-11; 72 tasks)",
            "week | - | error | firing | 2026-11-17 | cost: $24.00, $12.00 in the window before: +100 %, limit +50 % (2026-W47; 24 tasks)",
            "dear | - | warning | firing | 2026-11-17 | cost per success: $1.60, above $1.50 (2026-W47; 24 tasks)",
            "drop | execute | warning | firing | 2026-11-17 | success rate: 62.5 %, 95.8 % in the window before: -33.3 pt, limit -15 pt (2026-W47; 24 tasks)",
            "success | claude-opus-4 | warning | firing | 2026-11-16 | success rate: 62.5 %, below 80.0 % (7 days to 2026-11-17; 24 tasks)",
            "errors | - | info | firing | 2026-11-16 | error rate: 33.3 %, above 30.0 % (2026-11-17; 12 tasks)",
        ]
    );
    assert_eq!((code, found["health"].as_str()), (Some(1), Some("critical")));
    // Of the same ledger the same bytes, in every format, wherever its days are judged from.
    for format in ["markdown", "csv", "json", "table", "github"] {
        let arguments = ["check", "--format", format, "--history"];
        let first = told(&sandbox, "usage-report", &arguments);
        let mut elsewhere = sandbox.command("usage-report");
        elsewhere.args(arguments).env("TZ", "Pacific/Kiritimati").env("LC_ALL", "C");
        let output = elsewhere.output().unwrap();
        assert_eq!((first.0, first.1), (output.status.code(), text(&output.stdout)), "{format}");
    }
}

#[test]
fn it_fails_from_the_severity_that_was_asked_for() {
    let rule = |severity| {
        format!(
            "[[alert]]\nname = \"x\"\nmetric = \"tasks\"\nwindow = \"day\"\nabove = 1\nseverity = \"{severity}\"\n"
        )
    };
    let rows = ledger(&[("2026-11-16", 2, 0, "0.500000")]);
    for (severity, health, codes) in [
        ("info", "ok", [1, 0, 0, 0]),
        ("warning", "warning", [1, 1, 0, 0]),
        ("error", "critical", [1, 1, 1, 0]),
        ("critical", "critical", [1, 1, 1, 1]),
    ] {
        let sandbox = sandbox(&rule(severity), &rows);
        for (from, code) in ["info", "warning", "error", "critical"].into_iter().zip(codes) {
            let (given, found) = check(&sandbox, &["--fail-on", from]);
            assert_eq!(
                (given, found["health"].as_str()),
                (Some(code), Some(health)),
                "{severity} {from}"
            );
        }
        let usual = check(&sandbox, &[]).0;
        assert_eq!(usual, Some(codes[1]), "{severity}");
    }
}

#[test]
fn limits_are_typed_for_a_gate() {
    let sandbox = sandbox("", &three_weeks());
    for (arguments, code, told) in [
        (&["--max-cost", "48"][..], 0, &[][..]),
        (
            &["--max-cost", "$47.99"],
            1,
            &["cost: $48.00, above $47.99 (2026-11-02 to 2026-11-17; 72 tasks)"],
        ),
        (&["--max-cost", "24", "--since", "2026-11-16"], 0, &[]),
        (
            &["--max-cost", "23", "--since", "2026-11-16"],
            1,
            &["cost: $24.00, above $23.00 (2026-11-16 to 2026-11-17; 24 tasks)"],
        ),
        (&["--max-cost", "12", "--until", "2026-11-03"], 0, &[]),
        (&["--min-success", "80%"], 0, &[]),
        (
            &["--min-success", "80%", "--since", "2026-11-16"],
            1,
            &["success rate: 62.5 %, below 80.0 % (2026-11-16 to 2026-11-17; 24 tasks)"],
        ),
        (&["--min-success", "80%", "--since", "2026-11-16", "--min-samples", "25"], 0, &[]),
        (&["--max-tokens", "108k", "--max-p95", "45s"], 0, &[]),
        (
            &["--max-tokens", "107.9k", "--max-p95", "44s", "--max-cost-per-success", "0.5"],
            1,
            &[
                "tokens: 108,000, above 107,900",
                "cost per success: $0.7869, above $0.50",
                "p95 duration: 45.0 s, above 44.0 s",
            ],
        ),
    ] {
        let (given, found) = check(&sandbox, arguments);
        let texts = lines(&found);
        assert_eq!((given, texts.len()), (Some(code), told.len()), "{arguments:?} {texts:?}");
        for text in told {
            assert!(texts.iter().any(|it| it.contains(text)), "{arguments:?} {texts:?}");
        }
    }
    let (_, found) = check(&sandbox, &["--min-success", "80%", "--since", "2026-11-18"]);
    assert_eq!(found["not_judged"][0]["why"], "no rows since 2026-11-18");
    for (arguments, words) in [
        (&["check", "--max-cost", "much"][..], "--max-cost: \"much\" is not an amount in dollars"),
        (&["check", "--min-success", "80"], "--min-success: \"80\" is not a share such as 80%"),
        (&["check", "--since", "7d"], "--since is for limits that are typed"),
        (&["check", "--fail-on", "never"], "--fail-on: \"never\" is not one of info, warning"),
        (&["--by", "model", "check"], "check tells series apart by its rules"),
        (&["check", "--range", "HEAD"], "rules are of one ledger as a whole"),
    ] {
        let (code, _, said) = self::told(&sandbox, "usage-report", arguments);
        assert!(code == Some(2) && said.contains(words), "{arguments:?} {code:?} {said}");
    }
}

/// A recipe of docs/alerts.md, as it stands there.
#[test]
fn a_build_over_its_budget_fails() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let document = fs::read_to_string(root.join("docs/alerts.md")).unwrap();
    let (_, rest) = document.split_once("<!-- gate -->\n```sh\n").unwrap();
    let gate = rest.split("```").next().unwrap();
    assert!(gate.contains("usage-report check --range origin/main..HEAD"), "{gate}");
    let run = |sandbox: &Sandbox| {
        let output = sandbox.command("sh").args(["-ec", gate]).output().unwrap();
        (output.status.code(), text(&output.stdout) + &text(&output.stderr))
    };
    let sandbox = sandbox("", &ledger(&[("2026-11-16", 12, 0, "9.000000")]));
    sandbox.commit("2026-11-16", "main");
    sandbox.git(["update-ref", "refs/remotes/origin/main", "HEAD"]);
    sandbox.git(["switch", "--quiet", "--create", "work"]);
    let within = ledger(&[("2026-11-17", 4, 0, "1.000000")]);
    sandbox.add_rows(&within.iter().map(String::as_str).collect::<Vec<_>>());
    sandbox.commit("2026-11-17", "cheap");
    let (code, said) = run(&sandbox);
    assert_eq!(code, Some(0), "{said}");
    let beyond = ledger(&[("2026-11-18", 4, 0, "1.000000")]);
    sandbox.add_rows(&beyond.iter().map(String::as_str).collect::<Vec<_>>());
    sandbox.commit("2026-11-18", "dear");
    let (code, said) = run(&sandbox);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("::error title=--max-cost (error)::cost: $8.00, above $5.00"), "{said}");
}

#[test]
fn an_alert_is_acknowledged_resolved_and_reopened() {
    let rule = "[[alert]]\nname = \"day\"\nmetric = \"cost\"\nwindow = \"day\"\nabove = 10\n";
    let days = [("2026-11-16", 12, 0, "1.000000"), ("2026-11-17", 12, 0, "1.000000")];
    let sandbox = sandbox(rule, &ledger(&days));
    let state = |arguments: &[&str]| {
        let (code, found) = check(&sandbox, arguments);
        let states: Vec<String> = lines(&found)
            .iter()
            .map(|line| line.split(" | ").skip(3).take(2).collect::<Vec<_>>().join(" "))
            .collect();
        (code, states)
    };
    let id = ids(&check(&sandbox, &[]).1).remove(0);
    assert_eq!(state(&[]), (Some(1), vec!["firing 2026-11-16".to_owned()]));
    let listed = sandbox.ok("log-usage", &["alert"]);
    assert!(
        listed.starts_with(&format!("{id}  firing        warning   2026-11-16  day\n")),
        "{listed}"
    );

    let note = "nightly batch, known to bob@corp.example.com";
    sandbox.ok("log-usage", &["alert", "ack", &id[..6], "--note", note]);
    assert_eq!(state(&[]), (Some(0), vec!["acknowledged 2026-11-16".to_owned()]));
    let file = sandbox.read(".telemetry/alerts.csv");
    let mut lines = file.lines();
    assert_eq!(lines.next(), Some("timestamp,alert,action,user,note"));
    let line = lines.next().unwrap();
    assert!(
        line.ends_with(&format!(",{id},ack,,\"nightly batch, known to [redacted:email]\"")),
        "{line}"
    );
    let found = check(&sandbox, &[]).1;
    assert_eq!(found["alerts"][0]["note"], "nightly batch, known to [redacted:email]");
    let (_, printed, _) = told(&sandbox, "usage-report", &["check", "--no-anomalies"]);
    assert!(printed.starts_with("health: ok · nothing fires, 1 acknowledged · "), "{printed}");

    sandbox.ok("log-usage", &["alert", "resolve", &id]);
    assert_eq!(state(&[]), (Some(0), vec![]));
    assert_eq!(state(&["--history"]), (Some(0), vec!["resolved 2026-11-16".to_owned()]));
    assert!(sandbox.ok("log-usage", &["alert", "list"]).starts_with("no alerts"));
    // It goes on, and stays resolved.
    let more = ledger(&[("2026-11-18", 12, 0, "1.000000")]);
    sandbox.add_rows(&more.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(state(&[]), (Some(0), vec![]));
    sandbox.ok("log-usage", &["alert", "reopen", &id]);
    assert_eq!(state(&[]), (Some(1), vec!["firing 2026-11-16".to_owned()]));
    sandbox.ok("log-usage", &["alert", "resolve", &id]);
    // It ends, and begins anew: that is another alert.
    let anew = ledger(&[("2026-11-19", 1, 0, "1.000000"), ("2026-11-20", 12, 0, "1.000000")]);
    sandbox.add_rows(&anew.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(state(&[]), (Some(1), vec!["firing 2026-11-20".to_owned()]));
    assert_ne!(ids(&check(&sandbox, &[]).1)[0], id);

    for (arguments, code, words) in [
        (&["alert", "ack", "fff"][..], 2, "fff is not 4 to 12 digits (0-9, a-f) of an alert's id"),
        (&["alert", "ack", "ffffffff"], 2, "no alert has the id ffffffff"),
        (&["alert", "ack", "ffffffffffff"], 0, "no rule here finds an alert ffffffffffff"),
        (&["alert", "ack", &id, "--note", &"x".repeat(1_025)], 2, "longer than 1024 bytes"),
    ] {
        let (given, _, said) = told(&sandbox, "log-usage", arguments);
        assert!(given == Some(code) && said.contains(words), "{arguments:?} {given:?} {said}");
    }
    // What is only printed, or switched off, changes nothing.
    let before = sandbox.read(".telemetry/alerts.csv");
    let printed = sandbox.ok("log-usage", &["alert", "ack", &id, "--dry-run"]);
    assert!(printed.contains(&format!(",{id},ack,,\n")), "{printed}");
    let mut disabled = sandbox.command("log-usage");
    let output =
        disabled.args(["alert", "ack", &id]).env("LOG_USAGE_DISABLED", "1").output().unwrap();
    assert!(text(&output.stderr).starts_with("not logged"), "{}", text(&output.stderr));
    assert_eq!(sandbox.read(".telemetry/alerts.csv"), before);
}

/// Times are days between the first evening and that of the act.
#[test]
fn the_history_says_how_long_people_took() {
    let rule = "[[alert]]\nname = \"day\"\nmetric = \"cost\"\nwindow = \"day\"\nabove = 10\n";
    let days = [
        ("2026-11-10", 12, 0, "1.000000"),
        ("2026-11-12", 1, 0, "1.000000"),
        ("2026-11-16", 12, 0, "1.000000"),
    ];
    let sandbox = sandbox(rule, &ledger(&days));
    let ids = ids(&check(&sandbox, &["--history"]).1);
    let [open, over] = &ids[..] else { panic!("{ids:?}") };
    sandbox.write(
        ".telemetry/alerts.csv",
        format!(
            "timestamp,alert,action,user,note\n2026-11-11T08:00:00Z,{over},ack,,\n\
             2026-11-19T08:00:00Z,{open},ack,,\n2026-11-20T08:00:00Z,{open},resolve,,done\n\
             nonsense\n"
        ),
    );
    let (code, printed, _) =
        told(&sandbox, "usage-report", &["check", "--history", "--no-anomalies"]);
    assert_eq!(code, Some(0));
    for line in [
        format!("| day   | all   | resolved | 2026-11-16 | 3 days |     4 days | {open} |"),
        format!("| day   | all   | resolved | 2026-11-10 |  1 day |   same day | {over} |"),
        "Of 2 alerts 2 were acknowledged, the median after 3 days. Of 2 alerts 2 were resolved, the \
         median after 4 days."
            .to_owned(),
        "Left out: 1 unreadable line of alerts.csv (the first is 5: timestamp is not RFC 3339)."
            .to_owned(),
    ] {
        assert!(printed.contains(&line), "{line}\n{printed}");
    }
}

/// Two people act on one alert in two clones; git brings both acts together without a conflict.
#[test]
fn acts_of_two_clones_come_together() {
    let rule = "[[alert]]\nname = \"day\"\nmetric = \"cost\"\nwindow = \"day\"\nabove = 10\n";
    let sandbox = sandbox(rule, &ledger(&[("2026-11-16", 12, 0, "1.000000")]));
    sandbox.ok("log-usage", &["init", "--quiet"]);
    let id = ids(&check(&sandbox, &[]).1).remove(0);
    sandbox.ok("log-usage", &["alert", "ack", "0123456789ab"]);
    sandbox.commit("2026-11-16", "main");
    sandbox.git(["switch", "--quiet", "--create", "other"]);
    sandbox.ok("log-usage", &["alert", "ack", &id, "--note", "mine"]);
    sandbox.commit("2026-11-17", "ack");
    sandbox.git(["switch", "--quiet", "main"]);
    sandbox.ok("log-usage", &["alert", "resolve", &id, "--note", "theirs"]);
    sandbox.commit("2026-11-17", "resolve");
    sandbox.git(["merge", "--quiet", "--no-edit", "other"]);
    let file = sandbox.read(".telemetry/alerts.csv");
    assert_eq!(file.lines().count(), 4, "{file}");
    // The later act stands, whatever their order in the file is, and however often it is there.
    assert_eq!(check(&sandbox, &[]), check(&sandbox, &[]));
    assert_eq!(ids(&check(&sandbox, &[]).1), [""; 0]);
    let mut shuffled: Vec<&str> = file.lines().rev().collect();
    shuffled.extend(file.lines());
    let history = check(&sandbox, &["--history"]);
    sandbox.write(".telemetry/alerts.csv", shuffled.join("\r\n"));
    assert_eq!(check(&sandbox, &["--history"]), history);
    assert!(sandbox.git(["check-attr", "merge", ".telemetry/alerts.csv"]).contains("merge: union"));
}

#[test]
fn somebody_is_told_once_until_the_cooldown_is_over() {
    let rule = |cooldown| {
        format!(
            "[[alert]]\nname = \"day\"\nmetric = \"cost\"\nwindow = \"day\"\nabove = 10\n\
             cooldown = \"{cooldown}\"\n"
        )
    };
    let sandbox = sandbox(&rule("7d"), &ledger(&[("2026-11-16", 12, 0, "1.000000")]));
    let notify = |command: &str| {
        let arguments = ["check", "--no-anomalies", "--notify", command];
        told(&sandbox, "usage-report", &arguments)
    };
    let told_times = || match sandbox.path("told").exists() {
        true => sandbox.read("told").lines().count(),
        false => 0,
    };
    // What fails is said, and tried again.
    let (code, _, said) = notify("cat > /dev/null; exit 7");
    assert_eq!(code, Some(1));
    assert!(
        said.contains("warning: --notify: the command ended with 7; ")
            && said.contains("will be told again"),
        "{said}"
    );
    let (code, printed, said) = notify("echo heard; cat >> told");
    assert!(code == Some(1) && said.contains("heard") && !printed.contains("heard"), "{said}");
    notify("echo heard; cat >> told");
    assert_eq!(told_times(), 1);
    let alert: Value = serde_json::from_str(&sandbox.read("told")).unwrap();
    let expected = [
        ("schema", "usage-alert/1"),
        ("kind", "rule"),
        ("name", "day"),
        ("severity", "warning"),
        ("state", "firing"),
        ("since", "2026-11-16"),
        ("text", "cost: $12.00, above $10.00 (2026-11-16; 12 tasks)"),
    ];
    for (key, value) in expected {
        assert_eq!(alert[key], value);
    }
    assert_eq!((alert["value"].as_u64(), alert["limit"].as_u64()), (Some(12), Some(10)));
    // A cooldown that is over.
    sandbox.write(".telemetry/config.toml", rule("0s"));
    notify("cat >> told");
    assert_eq!(told_times(), 2);
    // A command need not read.
    assert_eq!(notify("true").0, Some(1));
    // Nobody is told of what somebody looks after.
    let id = ids(&check(&sandbox, &[]).1).remove(0);
    sandbox.ok("log-usage", &["alert", "ack", &id]);
    assert_eq!(notify("cat >> told").0, Some(0));
    assert_eq!(told_times(), 2);
    // What was told is remembered for each command alone, in the user's own folder.
    let state = fs::read_dir(sandbox.path("../home/.local/state/usage-ledger/alerts")).unwrap();
    let told = state.filter(|it| it.as_ref().unwrap().path().extension().is_none());
    assert_eq!(told.count(), 3);
}

/// Names of models and strategies are other people's.
#[test]
fn no_name_acts_in_what_is_printed() {
    let rules = "[[alert]]\nname = \"model\"\nmetric = \"tasks\"\nby = \"model\"\nwindow = \"day\"\nabove = 1\n\
         [[alert]]\nname = \"strategy\"\nsource = \"events\"\nmetric = \"count\"\nby = \"strategy\"\nwindow = \"day\"\nabove = 1\n";
    let rows: Vec<String> =
        (0..2).map(|n| row("2026-11-16", n, "x::error::y/@org", "1,2,true,plan,3,")).collect();
    let sandbox = sandbox(rules, &rows);
    let event = |n: usize| {
        format!(
            "{{\"v\":1,\"id\":\"019c8c52-a34f-7b33-8000-00000000000{n}\",\"timestamp\":\"2026-11-16T10:00:0{n}Z\",\
             \"name\":\"operation.completed\",\"correlation\":\"c\",\
             \"attrs\":{{\"strategy\":\"a\\n::error::pwned%0A,|<b>\\u202e=1\"}}}}\n"
        )
    };
    sandbox.write(".telemetry/events.jsonl", event(1) + &event(2));
    let printed = |format: &str| {
        told(&sandbox, "usage-report", &["check", "--no-anomalies", "--format", format]).1
    };
    let github = printed("github");
    let commands: Vec<&str> = github.lines().filter(|line| line.starts_with("::")).collect();
    assert_eq!(
        commands,
        [
            "::warning title=model%2C x%3A%3Aerror%3A%3Ay/@org (warning)::tasks: 2, above 1 (2026-11-16; 2 tasks); \
             firing 0, since 2026-11-16"
                .replace(" 0,", &format!(" {},", ids(&check(&sandbox, &[]).1)[0])),
            format!(
                "::warning title=strategy%2C a%0A%3A%3Aerror%3A%3Apwned%250A%2C|<b>\u{FFFD}=1 (warning)::events: 2, \
                 above 1 (2026-11-16; 2 events); firing {}, since 2026-11-16",
                ids(&check(&sandbox, &[]).1)[1]
            ),
        ]
    );
    let json: Value = serde_json::from_str(&printed("json")).unwrap();
    assert_eq!(json["alerts"][1]["series"], "a\n::error::pwned%0A,|<b>\u{202e}=1");
    for format in ["json", "markdown", "table", "github"] {
        let printed = printed(format);
        assert!(!printed.contains('\u{202e}'), "{format}: {printed}");
        assert!(!printed.lines().any(|line| line.starts_with("::error")), "{format}: {printed}");
    }
    assert!(printed("markdown").contains("`x::error::y/@org`"));
}

/// Events are looked at where they are, by whatever tells them apart.
#[test]
fn rules_look_at_events() {
    let rules = r#"
[[alert]]
name = "unsure"
source = "events"
metric = "metric:confidence"
by = "strategy"
window = "day"
below = 0.6
min_samples = 2

[[alert]]
name = "failing"
source = "events"
metric = "error_rate"
by = "strategy"
only = "spl*"
window = "7d"
above = "50%"
min_samples = 2

[[alert]]
name = "tries"
source = "events"
metric = "metric:attempts"
window = "day"
above = 2
min_samples = 1

[[alert]]
name = "waits"
source = "events"
metric = "duration_p95"
by = "name"
window = "day"
above = "1s"
min_samples = 1

[[alert]]
name = "nowhere"
source = "events"
metric = "metric:patience"
above = 1

[[alert]]
name = "nobody"
metric = "tasks"
by = "model"
only = "gone-*"
above = 1
"#;
    let sandbox = sandbox(rules, &ledger(&[("2026-11-16", 1, 0, "0.500000")]));
    let mut events = String::new();
    for (number, (strategy, name, confidence)) in [
        ("split", "completed", 0.5),
        ("split", "failed", 0.7),
        ("split", "failed", 0.4),
        ("whole", "failed", 0.9),
        ("whole", "failed", 0.8),
    ]
    .into_iter()
    .enumerate()
    {
        events += &format!(
            "{{\"v\":1,\"id\":\"019c8c52-a34f-7b33-8000-00000000000{number}\",\
             \"timestamp\":\"2026-11-16T10:00:0{number}Z\",\"name\":\"operation.{name}\",\"correlation\":\"c\",\
             \"duration_ms\":{},\"attrs\":{{\"strategy\":\"{strategy}\"}},\
             \"metrics\":{{\"attempts\":{number},\"confidence\":{confidence}}}}}\n",
            number * 400
        );
    }
    // The same event twice counts once.
    let twice = events.lines().next().unwrap().to_owned();
    sandbox.write(".telemetry/events.jsonl", events + &twice + "\nnonsense\n");
    let (code, found) = check(&sandbox, &[]);
    assert_eq!(
        lines(&found),
        [
            "failing | split | warning | firing | 2026-11-16 | error rate: 66.7 %, above 50.0 % (7 days to 2026-11-16; 3 events)",
            "unsure | split | warning | firing | 2026-11-16 | mean confidence: 0.533, below 0.6 (2026-11-16; 3 events)",
            "waits | operation.failed | warning | firing | 2026-11-16 | p95 duration: 1.6 s, above 1.0 s (2026-11-16; 4 events)",
        ]
    );
    assert_eq!(code, Some(1));
    let unjudged = found["not_judged"].to_string();
    assert!(
        unjudged.contains("no such events") && unjudged.contains("no model is like gone-*"),
        "{unjudged}"
    );
    assert_eq!(found["skipped"]["events"], 1);
}

#[test]
fn there_may_be_nothing_to_check() {
    let empty = Sandbox::with_rows(&[]);
    let (code, printed, said) = told(&empty, "usage-report", &["check"]);
    assert_eq!((code, said.as_str()), (Some(0), ""));
    assert!(
        printed.starts_with(
            "health: ok · nothing fires · 0 rules on 0 series, anomalies in 0 · no rows\n"
        ),
        "{printed}"
    );
    assert!(printed.contains("`log-usage init --alerts budget`"), "{printed}");
    empty.write(".telemetry/config.toml", RULES);
    let (code, found) = check(&empty, &["--max-cost", "5"]);
    assert_eq!((code, found["not_judged"].as_array().unwrap().len()), (Some(0), 9));
    assert_eq!(empty.ok("log-usage", &["alert"]).lines().count(), 1);
    let none = Sandbox::repository();
    let (code, _, said) = told(&none, "usage-report", &["check"]);
    assert!(code == Some(1) && said.starts_with("error: no ledger here"), "{said}");
    // Standard input is a ledger without settings.
    let mut piped = none.command("usage-report");
    let rows = format!("{HEADER}\n{}\n", ledger(&[("2026-11-16", 3, 0, "2.000000")]).join("\n"));
    let piped = piped.args(["check", "--max-cost", "5", "--file", "-"]).write_stdin(rows);
    let output = piped.output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
    assert!(text(&output.stdout).contains("cost: $6.00, above $5.00"), "{}", text(&output.stdout));
}

/// A policy is never lost by accident.
#[test]
fn a_rule_that_cannot_be_read_is_named_with_its_line() {
    let rows = ledger(&[("2026-11-16", 1, 0, "2.000000")]);
    for (lines, problem) in [
        (
            "metric = \"cost\"\nabove = \"much\"",
            "config.toml:5: above: \"much\" is not an amount in dollars",
        ),
        (
            "metric = \"costs\"\nabove = 1",
            "config.toml:4: metric: \"costs\" is not one of those of ledger: tasks, tokens",
        ),
        (
            "metric = \"cost\"\nabove = true",
            "config.toml:5: above: true is not a number such as 50",
        ),
        (
            "metric = \"cost\"\nover = 1",
            "config.toml:5: unknown field over; there are name, source",
        ),
        ("above = 1", "config.toml:2: metric is missing"),
        ("metric = \"cost\"", "config.toml:3: the alert \"x\" has no above, below or change"),
        (
            "metric = \"cost\"\nabove = 1\nchange = \"+1%\"",
            "config.toml:6: change: an alert has one",
        ),
        ("metric = \"cost\"\nabove = 1\nonly = \"x\"", "config.toml:6: only: names series"),
        ("metric = \"tasks\"\nbelow = 0", "config.toml:5: below: \"0\" can never be undercut"),
        (
            "metric = \"cost\"\nabove = 1\nwindow = \"fortnight\"",
            "config.toml:6: window: \"fortnight\" is not day, week",
        ),
    ] {
        let sandbox = sandbox(&format!("\n[[alert]]\nname = \"x\"\n{lines}\n"), &rows);
        let (code, printed, said) = told(&sandbox, "usage-report", &["check"]);
        assert_eq!((code, printed.as_str()), (Some(1), ""), "{said}");
        assert!(said.starts_with("error: ") && said.contains(problem), "{said}");
        assert!(said.contains("\n  why: ") && said.contains("\n  fix: "), "{said}");
        assert_eq!(told(&sandbox, "log-usage", &["alert"]).0, Some(1));
    }
}

#[test]
fn profiles_are_added_and_nothing_is_overwritten() {
    let sandbox = Sandbox::repository();
    let init = |arguments: &[&str]| sandbox.ok("log-usage", &[&["init"], arguments].concat());
    init(&["--alerts", "budget"]);
    let first = sandbox.read(".telemetry/config.toml");
    assert!(first.starts_with("# Settings of this repository's usage ledger"), "{first}");
    init(&["--alerts", "budget", "--alerts", "quality", "--alerts", "latency"]);
    let all = sandbox.read(".telemetry/config.toml");
    assert!(all.starts_with(&first));
    assert_eq!(all.matches("\n[[alert]]\n").count(), 8, "{all}");
    init(&["--alerts", "budget", "--alerts", "quality", "--alerts", "latency"]);
    assert_eq!(sandbox.read(".telemetry/config.toml"), all);
    // What somebody changed stays as it is.
    let own =
        "max_size = \"2M\"\r\n[[alert]]\r\nname = \"budget-day\"\r\nmetric = \"cost\"\r\nabove = 1";
    sandbox.write(".telemetry/config.toml", own);
    init(&["--alerts", "budget"]);
    let text = sandbox.read(".telemetry/config.toml");
    assert!(text.starts_with(own) && text.matches("\n[[alert]]\r\n").count() == 3, "{text}");
    let rows = ledger(&[("2026-11-16", 12, 0, "20.000000")]);
    sandbox.add_rows(&rows.iter().map(String::as_str).collect::<Vec<_>>());
    let (code, found) = check(&sandbox, &[]);
    let names: Vec<&str> =
        found["alerts"].as_array().unwrap().iter().filter_map(|it| it["name"].as_str()).collect();
    assert_eq!((code, names), (Some(1), vec!["budget-month", "budget-day"]));
    let output = sandbox.run("log-usage", &["init", "--alerts", "all"]);
    assert!(
        self::text(&output.stderr).contains("--alerts: \"all\" is not budget, quality or latency")
    );
}

/// What is unlike the days before stands beside the rules, and is acknowledged as they are.
#[test]
fn anomalies_are_alerts_too() {
    let mut rows = Vec::new();
    for day in 1..=28 {
        let failures = if day == 28 { 18 } else { usize::from(day % 3 == 0) };
        rows.extend(ledger(&[(&format!("2026-09-{day:02}"), 40, failures, "0.500000")]));
    }
    let sandbox = sandbox("", &rows);
    let found = |arguments: &[&str]| {
        let all = [&["check", "--format", "json"], arguments].concat();
        let (code, printed, _) = told(&sandbox, "usage-report", &all);
        (code, serde_json::from_str::<Value>(&printed).unwrap())
    };
    let (code, check) = found(&[]);
    let lines = lines(&check);
    assert_eq!((code, lines.len()), (Some(1), 1), "{lines:?}");
    assert!(
        lines[0].contains("anomaly-success")
            && lines[0].contains("2026-09-28 | 55.0 % of the tasks succeeded"),
        "{lines:?}"
    );
    assert_eq!(found(&["--no-anomalies"]).0, Some(0));
    assert_eq!(found(&["--until", "2026-09-27"]).0, Some(0));
    sandbox.ok("log-usage", &["alert", "ack", &ids(&check)[0]]);
    let (code, check) = found(&[]);
    assert_eq!((code, check["alerts"][0]["state"].as_str()), (Some(0), Some("acknowledged")));
}
