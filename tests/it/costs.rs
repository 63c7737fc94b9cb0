//! What a row costs, in figures that no noise can change: system calls and instructions.

use crate::faults::has_strace;
use crate::sandbox::{SEED, Sandbox, text};

const SYSTEM_CALLS_MAX: usize = 70;

const INSTRUCTIONS_MAX: u64 = 320_000;

/// The program as it is installed; a build for debugging checks itself at every step.
fn released(test: &str) -> Option<String> {
    let released = std::env::var("RELEASED_LOG_USAGE")
        .ok()
        .or_else(|| (!cfg!(debug_assertions)).then(|| env!("CARGO_BIN_EXE_log-usage").to_owned()));
    if released.is_none() {
        eprintln!("SKIPPED {test}: only a release build is measured (cargo test --release)");
    }
    released
}

/// A repository whose git has come to rest, with a ledger that has rows.
fn at_rest() -> Sandbox {
    let sandbox = Sandbox::repository();
    sandbox.ok("log-usage", &SEED);
    std::thread::sleep(std::time::Duration::from_millis(300));
    sandbox
}

#[test]
fn a_row_costs_few_system_calls() {
    let Some(program) = released("a_row_costs_few_system_calls") else { return };
    if !has_strace() {
        eprintln!("SKIPPED a_row_costs_few_system_calls: no strace on this machine");
        return;
    }
    let sandbox = at_rest();
    let arguments = [&["-o", "trace", &program], &SEED[..], &["--durability", "none"]].concat();
    sandbox.ok("strace", &arguments);
    let calls = sandbox.read("trace").lines().filter(|line| line.contains('(')).count();
    eprintln!("a row: {calls} system calls");
    assert!(calls <= SYSTEM_CALLS_MAX, "{calls}:\n{}", sandbox.read("trace"));
}

#[test]
fn a_row_costs_few_instructions() {
    let Some(program) = released("a_row_costs_few_instructions") else { return };
    let sandbox = at_rest();
    if sandbox.command("valgrind").arg("--version").ok().is_err() {
        eprintln!("SKIPPED a_row_costs_few_instructions: no valgrind on this machine");
        return;
    }
    let arguments = ["--tool=callgrind", "--callgrind-out-file=/dev/null", &program];
    let output =
        sandbox.run("valgrind", &[&arguments, &SEED[..], &["--durability", "none"]].concat());
    let said = text(&output.stderr);
    let count = said.lines().find_map(|line| line.split_once("Collected : "));
    let count: u64 = count.unwrap_or_else(|| panic!("{said}")).1.trim().parse().unwrap();
    eprintln!("a row: {count} instructions");
    assert!(count <= INSTRUCTIONS_MAX, "{count}");
}
