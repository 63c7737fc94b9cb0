//! Every sum and percentile, counted again by Python's csv module.

use crate::sandbox::{Sandbox, text};

#[test]
fn an_independent_count_agrees() {
    let sandbox = Sandbox::new();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/oracle.py");
    let python = |arguments: &[&str]| sandbox.command("python3").arg(script).args(arguments).ok();
    if sandbox.command("python3").arg("--version").ok().is_err() {
        eprintln!("SKIPPED an_independent_count_agrees: no python3 on this machine");
        return;
    }
    let rows = std::env::var("ORACLE_ROWS").unwrap_or_else(|_| "100000".to_owned());
    python(&["generate", &rows, "ledger.csv"]).unwrap();
    let report = env!("CARGO_BIN_EXE_usage-report");
    let output = python(&["check", report, "ledger.csv"]).unwrap();
    let printed = text(&output.stdout);
    eprint!("{rows} rows: {printed}");
    assert!(printed.ends_with(" groups compared, 0 differ\n"), "{printed}");
}
