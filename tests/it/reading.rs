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
