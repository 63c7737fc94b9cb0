//! What a row costs, in figures that no noise can change: system calls and instructions.

use crate::faults::has_strace;
use crate::sandbox::{HEADER, SEED, Sandbox, text};

const SYSTEM_CALLS_MAX: usize = 70;

/// What reading the user's record of consent adds, where there is one.
const OF_CONSENT_MAX: usize = 6;

const INSTRUCTIONS_MAX: u64 = 320_000;

/// Of one more row in a report: 960 with vectors of 32 bytes.
const INSTRUCTIONS_READ_MAX: u64 = 1_500;

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
    let assert_below = |what: &str, max: usize| {
        let arguments = [&["-o", "trace", &program], &SEED[..], &["--durability", "none"]].concat();
        // Whose environment names no login has it looked up.
        let traced = sandbox.command("strace").args(&arguments).env("USER", "mkrausz").output();
        assert!(traced.unwrap().status.success());
        let calls = sandbox.read("trace").lines().filter(|line| line.contains('(')).count();
        eprintln!("{what}: {calls} system calls");
        assert!(calls <= max, "{calls}:\n{}", sandbox.read("trace"));
    };
    assert_below("a row", SYSTEM_CALLS_MAX);
    sandbox.ok("log-usage", &["consent", "grant", "events"]);
    assert_below("a row of one who chose", SYSTEM_CALLS_MAX + OF_CONSENT_MAX);
}

#[test]
fn a_row_costs_few_instructions() {
    let Some(program) = released("a_row_costs_few_instructions") else { return };
    let sandbox = at_rest();
    if sandbox.command("valgrind").arg("--version").ok().is_err() {
        eprintln!("SKIPPED a_row_costs_few_instructions: no valgrind on this machine");
        return;
    }
    let row = [&[&*program], &SEED[..], &["--durability", "none"]].concat();
    let count = instructions(&sandbox, &row);
    eprintln!("a row: {count} instructions");
    assert!(count <= INSTRUCTIONS_MAX, "{count}");
}

/// What callgrind counts of this command.
fn instructions(sandbox: &Sandbox, command: &[&str]) -> u64 {
    let arguments = ["--tool=callgrind", "--callgrind-out-file=/dev/null"];
    let output = sandbox.run("valgrind", &[&arguments, command].concat());
    let said = text(&output.stderr);
    let count = said.lines().find_map(|line| line.split_once("Collected : "));
    count.unwrap_or_else(|| panic!("{said}")).1.trim().parse().unwrap()
}

/// The difference of two sizes is what a row costs, without the start and the tables.
#[test]
fn a_row_more_in_a_report_costs_few_instructions() {
    let name = "a_row_more_in_a_report_costs_few_instructions";
    let Some(program) = released(name) else { return };
    let sandbox = Sandbox::new();
    if sandbox.command("valgrind").arg("--version").ok().is_err() {
        eprintln!("SKIPPED {name}: no valgrind on this machine");
        return;
    }
    let reader = program.replace("log-usage", "usage-report");
    let notes = ["", "fix parser", "\"lint, bench\"", "größer"];
    let models = ["claude-opus-5-5", "gpt-5.6-sol", "o3", "claude-haiku-4-5", "model-4", "model-5"];
    let count = |rows: usize| {
        let mut file = format!("{HEADER}\n");
        for n in 0..rows {
            let (hour, minute, second, notes) = (n / 3600, n / 60 % 60, n % 60, notes[n % 4]);
            file += &format!(
                "2026-02-23T{hour:02}:{minute:02}:{second:02}+01:00,{},{n},7,true,plan,{n},{notes}\n",
                models[n % models.len()]
            );
        }
        sandbox.write("usage.csv", file);
        instructions(&sandbox, &[&reader, "--file", "usage.csv"])
    };
    let each = (count(30_000) - count(10_000)) / 20_000;
    eprintln!("a row more in a report: {each} instructions");
    assert!(each <= INSTRUCTIONS_READ_MAX, "{each}");
}
