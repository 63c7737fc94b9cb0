//! `usage-report watch`, with a person at a terminal.

use crate::sandbox::{SEED, Sandbox, text};

#[test]
fn a_terminal_follows_the_ledger_and_is_left_as_it_was() {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/watching.py");
    if Sandbox::new().command("python3").arg("--version").ok().is_err() {
        eprintln!("SKIPPED: no python3 on this machine");
        return;
    }
    for end in ["q", "\x03", "TERM"] {
        let sandbox = Sandbox::repository();
        sandbox.ok("log-usage", &SEED);
        let output = sandbox.command("python3").args([script, end]).output().unwrap();
        assert!(output.status.success(), "{end:?}: {}", text(&output.stderr));
    }
}

/// Fires from the first row on.
const RULE: &str = r#"
[[alert]]
name = "much-read"
metric = "tokens"
window = "month"
above = "1000"
"#;

#[test]
fn what_fires_stands_at_the_foot_until_somebody_looks_after_it() {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/watching.py");
    if Sandbox::new().command("python3").arg("--version").ok().is_err() {
        eprintln!("SKIPPED: no python3 on this machine");
        return;
    }
    let sandbox = Sandbox::repository();
    sandbox.ok("log-usage", &SEED);
    sandbox.write(".telemetry/config.toml", RULE);
    let output = sandbox.command("python3").args([script, "q", "much-read"]).output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
}

#[test]
fn what_is_no_terminal_is_sent_to_the_report() {
    let sandbox = Sandbox::repository();
    sandbox.ok("log-usage", &SEED);
    let output = sandbox.run("usage-report", &["watch"]);
    assert_eq!(output.status.code(), Some(2));
    let said = text(&output.stderr);
    assert!(
        said.contains("watch needs a terminal") && said.contains("fix: usage-report"),
        "{said}"
    );
}
