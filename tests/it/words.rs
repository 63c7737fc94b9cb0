//! What is said to people: help that fits a terminal, and errors that name the field, what is allowed
//! there, and a fix that belongs to it.

use crate::sandbox::{Sandbox, text};

const COMMANDS: [&str; 28] = [
    "alert",
    "alert list",
    "alert ack",
    "alert resolve",
    "alert reopen",
    "amend",
    "batch",
    "run",
    "event",
    "import",
    "init",
    "hooks",
    "consent",
    "redact",
    "doctor",
    "prune",
    "archive",
    "restore",
    "compact",
    "repair",
    "consent status",
    "consent grant",
    "consent revoke",
    "consent show",
    "consent purge",
    "consent export",
    "consent identity",
    "consent identity rotate",
];

fn assert_narrow(what: &str, said: &str) {
    for line in said.lines() {
        assert!(line.chars().count() <= 80, "{what}: {line}");
    }
}

#[test]
fn help_fits_eighty_columns() {
    let sandbox = Sandbox::new();
    for command in COMMANDS {
        let words: Vec<&str> = command.split(' ').chain(["--help"]).collect();
        let help = sandbox.ok("log-usage", &words);
        assert!(help.contains("Usage: "), "{help}");
        assert_narrow(command, &help);
    }
    let status = sandbox.ok("log-usage", &["consent", "status"]);
    let (_, stores) = status.split_once("What each level stores").unwrap();
    assert_narrow("consent status", stores.split("\nWhere:").next().unwrap());
    assert_narrow("consent status", stores.split("(nothing there)\n").last().unwrap());
}

#[test]
fn help_is_a_word_too() {
    let sandbox = Sandbox::new();
    let of = |words: &[&str]| sandbox.ok("log-usage", words);
    assert_eq!(of(&["help"]), of(&["--help"]));
    assert_eq!(of(&["help", "consent"]), of(&["consent", "--help"]));
    let output = sandbox.run("log-usage", &["evnt", "agent.completed"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("did you mean event?"), "{}", text(&output.stderr));
}

#[test]
fn an_error_names_what_is_wrong_and_a_fix_that_belongs_to_it() {
    let sandbox = Sandbox::repository();
    sandbox.ok("log-usage", &["consent", "grant", "events"]);
    let long = format!("{}.done", "a".repeat(70));
    for (arguments, words) in [
        (&["consent", "identity"][..], &["error: one of ", "show", "is missing"][..]),
        (
            &["consent", "grant", "events", "--identity", "--identity"],
            &["--identity is given twice"],
        ),
        (&["event", "a.b", "--timestamp", "now"], &["fix: --timestamp 20"]),
        (&["event", "a.b", "--duration", "soon"], &["fix: --duration 45s"]),
        (&["event", "a.b", "--attr", "A B=1"], &["fix: --attr strategy=split"]),
        (&["event", "a.b", "--metric", "confidence=7"], &["fix: --metric confidence=0.8"]),
        (&["event", &long], &["is longer than 64 bytes"]),
        (&["run", "--", "/no/such"], &["look at how the path is spelled"]),
    ] {
        let output = sandbox.run("log-usage", arguments);
        assert!(!output.status.success(), "{arguments:?}");
        let said = text(&output.stderr);
        for words in words {
            assert!(said.contains(words), "{arguments:?}: {said}");
        }
        assert!(said.contains("fix: "), "{said}");
    }
    for command in ["show", "rotate"] {
        let file = ["consent", "identity", command, "--file", "x.csv"];
        let said = text(&sandbox.run("log-usage", &file).stderr);
        assert!(!said.contains("no option"), "{said}");
    }
}

/// What stands in the place of the events is no ledger.
#[test]
fn what_is_no_file_of_events_is_not_called_a_ledger() {
    let sandbox = Sandbox::repository();
    sandbox.ok("log-usage", &["consent", "grant", "events"]);
    std::fs::create_dir(sandbox.path(".telemetry")).unwrap();
    std::os::unix::fs::symlink("elsewhere", sandbox.path(".telemetry/events.jsonl")).unwrap();
    let output = sandbox.run("log-usage", &["event", "a.b"]);
    assert_eq!(output.status.code(), Some(1));
    let said = text(&output.stderr);
    assert!(said.contains("fix: move it away") && !said.contains("ledger is"), "{said}");
}

/// Settings, choices and events are written by hand, and not by programmers alone.
#[test]
fn a_value_of_the_wrong_kind_is_told_in_words_of_people() {
    let sandbox = Sandbox::repository();
    for (settings, problem) in [
        ("[events]\nsample = \"x\"\n", "config.toml:2: sample: \"x\" is not a number such as 0.5"),
        (
            "[consent]\nceiling = \"OFF\"\n",
            "config.toml:2: ceiling: \"OFF\" is not one of off, ledger, events, capture",
        ),
        ("[redact]\nallow = \"x\"\n", "config.toml:2: allow: \"x\" is not a list such as [\"x\"]"),
    ] {
        sandbox.write(".telemetry/config.toml", settings);
        let said = text(&sandbox.run("log-usage", &["consent", "status"]).stderr);
        assert!(said.contains(problem), "{said}");
    }
    sandbox.write(".telemetry/config.toml", "");
    sandbox.ok("log-usage", &["consent", "grant", "events"]);
    for (line, problem) in [
        ("nonsense", "is not an event: no JSON object: look at byte 2"),
        ("{\"name\":", "is not an event: no JSON object: it ends too early"),
        (
            "{\"name\":\"a.b\",\"role\":1}",
            "is not an event: role: 1 is not a text in quotes such as \"x\"",
        ),
        ("{\"role\":\"x\"}", "is not an event: name is missing"),
    ] {
        let mut command = sandbox.command("log-usage");
        let output =
            command.args(["event", "-"]).write_stdin(format!("{line}\n")).output().unwrap();
        let said = text(&output.stderr);
        assert!(said.contains(problem), "{said}");
    }
}

/// What would switch identity on leaves the level as it is.
#[test]
fn the_way_to_a_pseudonym_lowers_no_level() {
    let sandbox = Sandbox::repository();
    sandbox.ok("log-usage", &["consent", "grant", "events"]);
    let show = &["consent", "identity", "show"];
    let said = sandbox.ok("log-usage", show);
    assert!(said.contains("fix: log-usage consent grant events --identity\n"), "{said}");
    let row = &["m", "1", "2", "true", "plan", "3", "--tag", "user=u_x"];
    let said = text(&sandbox.run("log-usage", row).stderr);
    assert!(said.contains("; log-usage consent grant events --identity allows it\n"), "{said}");
    // Nor does the way to a level take back what stands beside it.
    sandbox.ok("log-usage", &["consent", "grant", "ledger", "--identity", "--export"]);
    let said = text(&sandbox.run("log-usage", &["event", "a.b"]).stderr);
    let command = "log-usage consent grant events --identity --export";
    assert!(said.contains(&format!("; {command} allows it\n")), "{said}");
    let said = text(&sandbox.run("log-usage", &["run", "--capture", "--", "true"]).stderr);
    assert!(
        said.contains("; log-usage consent grant capture --identity --export allows"),
        "{said}"
    );
    let mut disabled = sandbox.command("log-usage");
    let output = disabled.args(show).env("LOG_USAGE_DISABLED", "1").output().unwrap();
    assert!(text(&output.stdout).contains("fix: unset LOG_USAGE_DISABLED\n"));
}

/// A word that was no slip of the fingers is not taken for one, and what is said to be listed is.
#[test]
fn what_is_mistyped_is_told_from_what_is_unknown() {
    let sandbox = crate::sandbox::Sandbox::repository();
    for (program, line, fix) in [
        (
            "log-usage",
            "hooks install --agent cursor",
            "after --agent say one of claude-code, codex, gemini",
        ),
        ("log-usage", "consent purge", "log-usage consent purge --help lists what there is"),
        ("log-usage", "doctor --json", "log-usage doctor --help lists what there is"),
        ("log-usage", "doctor --personl", "did you mean --personal?"),
        (
            "log-usage",
            "amend zzz text",
            "log-usage amend zzz --notes text, if that is the new text",
        ),
        ("usage-report", "--by mnth", "did you mean month?"),
        ("usage-report", "--by nothing", "after --by say one of day, week, month, "),
    ] {
        let arguments: Vec<&str> = line.split(' ').collect();
        let output = sandbox.run(program, &arguments);
        assert_eq!(output.status.code(), Some(2), "{line}");
        let said = crate::sandbox::text(&output.stderr);
        assert!(said.contains(&format!("\n  fix: {fix}")), "{line}: {said}");
    }
    let said = crate::sandbox::text(&sandbox.run("log-usage", &["consent", "purge"]).stderr);
    assert!(said.contains("one of --events, --capture, --spool, --identity, --all is missing"));
}
