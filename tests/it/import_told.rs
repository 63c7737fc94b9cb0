//! What an import says of itself: what was looked at, and what could not be read.

use crate::consent::at_terminal;
use crate::sandbox::{Sandbox, text};

#[test]
fn where_nothing_is_it_says_so_of_each_source() {
    let sandbox = Sandbox::repository();
    let output = sandbox.run("log-usage", &["import", "--explain"]);
    let expected: String = ["claude-code", "codex", "gemini", "copilot", "opencode"]
        .map(|source| format!("{source}\n  read        nothing: no transcripts found\n"))
        .concat();
    assert_eq!(text(&output.stderr), expected);
    let output = sandbox.run("log-usage", &["import", "gemini"]);
    assert_eq!(text(&output.stderr), "no transcripts of gemini found\n");
}

#[test]
fn what_cannot_be_read_is_named_or_it_is_said_how() {
    let sandbox = Sandbox::repository();
    sandbox.write("bad.json", "no json\n");
    let import = |arguments: &str| {
        let arguments: Vec<&str> = arguments.split(' ').collect();
        at_terminal(&sandbox, &[], &arguments, "")
    };
    let Some(said) = import("import otlp --from bad.json") else { return };
    assert!(said.ends_with("nothing new. 1 line unreadable (--explain).\n"), "{said}");
    let said = import("import otlp --from bad.json --dry-run").unwrap();
    assert!(said.ends_with("nothing new. 1 line unreadable (--explain).\n"), "{said}");
    let said = import("import otlp --from bad.json --explain").unwrap();
    assert!(said.contains("  left out    "), "{said}");
    assert!(said.ends_with("nothing new. 1 line unreadable.\n"), "{said}");
    let said = import("import result --from bad.json").unwrap();
    assert!(said.starts_with("left out  "), "{said}");
    assert!(said.ends_with("nothing new. 1 file unreadable.\n"), "{said}");
}

/// Whoever looks first sees the rows, and what they sum up to.
#[test]
fn a_dry_run_says_what_would_be() {
    let sandbox = Sandbox::repository();
    let result = r#"{"type":"result","subtype":"success","is_error":false,"duration_ms":5000,"session_id":"s",
        "modelUsage":{"claude-opus-5-5":{"inputTokens":10,"outputTokens":50,"costUSD":0.25}}}"#;
    sandbox.write("result.json", result.replace('\n', ""));
    let arguments = ["import", "result", "--from", "result.json", "--dry-run"];
    let rows = sandbox.ok("log-usage", &arguments);
    assert!(rows.contains(",claude-opus-5-5,10,50,true,") && rows.ends_with("}\n"), "{rows}");
    let Some(said) = at_terminal(&sandbox, &[], &arguments, "") else { return };
    let told = said.strip_prefix(&rows).unwrap_or_else(|| panic!("{said}"));
    let summary = "result   1 session   1 turn   1 new   $0.25\n1 row would be logged, ";
    assert!(told.starts_with(summary), "{told}");
    assert!(!told.contains("keep it filled") && !sandbox.path(".telemetry").exists(), "{told}");
    // What was not asked for is counted, so that the figures tie out.
    let none =
        at_terminal(&sandbox, &[], &[&arguments[..], &["--since", "2199-01-01"]].concat(), "");
    let end = "\nnothing new.\n  1 row from before --since left out\n";
    assert!(none.as_ref().is_some_and(|none| none.ends_with(end)), "{none:?}");
}

/// A folder that cannot be looked into may hold everything: whoever reads nothing has to know. Nobody can
/// go round in a loop of links, not even root.
#[cfg(unix)]
#[test]
fn a_folder_that_cannot_be_looked_into_is_named() {
    use std::os::unix::fs::symlink;
    for (folder, source) in [
        (".claude/projects", "claude-code"),
        (".claude/projects/p", "claude-code"),
        (".claude", "claude-code"),
        (".codex/sessions", "codex"),
        (".gemini/tmp", "gemini"),
        (".copilot/session-state", "copilot"),
        (".local/share/opencode", "opencode"),
    ] {
        let sandbox = Sandbox::repository();
        let path = sandbox.path(format!("../home/{folder}"));
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        symlink(&path, &path).unwrap();
        // A second import knows it no better.
        for _ in 0..2 {
            let output = sandbox.run("log-usage", &["import", source]);
            let told = text(&output.stderr);
            assert!(output.status.success(), "{folder}: {told}");
            let line = format!("left out  {}", path.display());
            let is_named = told.lines().any(|it| it.contains("left out  ") && it.contains(folder));
            assert!(is_named && told.contains(": cannot be read\n"), "{line}: {told}");
            assert!(!told.contains("no transcripts"), "{folder}: {told}");
        }
        let told = text(&sandbox.run("log-usage", &["import", source, "--explain"]).stderr);
        assert!(told.contains("  left out    ") && told.contains(": cannot be read\n"), "{told}");
        let from = path.to_string_lossy().into_owned();
        let output = sandbox.run("log-usage", &["import", source, "--from", &from]);
        assert_eq!(output.status.code(), Some(1), "{folder}");
    }
    // What is no folder holds none.
    let sandbox = Sandbox::repository();
    sandbox.write("../home/.claude", "");
    let output = sandbox.run("log-usage", &["import", "claude-code"]);
    assert_eq!(text(&output.stderr), "no transcripts of claude-code found\n");
}

/// Whoever waits sees how far it is; a log sees nothing of it.
#[test]
fn a_long_import_shows_a_bar_at_a_terminal_alone() {
    let sandbox = Sandbox::repository();
    let line = format!("{{\"type\":\"summary\",\"summary\":\"{}\"}}\n", "x".repeat(1 << 20));
    let text_of = |megabytes: usize| line.repeat(megabytes);
    let arguments = ["import", "claude-code"];
    sandbox.write("../home/.claude/projects/p/long.jsonl", text_of(24));
    let Some(said) = at_terminal(&sandbox, &[("TERM", "xterm")], &arguments, "") else { return };
    assert!(said.contains(" of 24.00 MiB "), "{said:?}");
    sandbox.write("../home/.claude/projects/p/long.jsonl", text_of(25));
    let output = sandbox.run("log-usage", &arguments);
    assert!(output.status.success() && output.stderr.is_empty(), "{}", text(&output.stderr));
    sandbox.write("../home/.claude/projects/p/long.jsonl", text_of(2));
    let said = at_terminal(&sandbox, &[("TERM", "xterm")], &arguments, "").unwrap();
    assert!(!said.contains("MiB"), "{said:?}");
}
