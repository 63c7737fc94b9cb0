//! The row form.

use crate::sandbox::{HEADER, SEED, Sandbox, text};

#[test]
fn the_seeds_line_logs_a_row_from_anywhere_in_a_repository() {
    let sandbox = Sandbox::repository();
    std::fs::create_dir_all(sandbox.path("a/b")).unwrap();
    let output =
        sandbox.command("log-usage").current_dir(sandbox.path("a/b")).args(SEED).output().unwrap();
    assert!(output.status.success());
    assert_eq!((text(&output.stdout), text(&output.stderr)), (String::new(), String::new()));
    let ledger = sandbox.read(".telemetry/usage.csv");
    let (header, row) = ledger.trim_end().split_once('\n').unwrap();
    assert_eq!(header, HEADER);
    assert!(row.ends_with("Z,claude-3-opus,1500,3200,true,execute,45000,notes"), "{row}");
    assert!(sandbox.read(".telemetry/.gitattributes").contains("merge=union"));
    assert!(sandbox.read(".telemetry/.gitignore").contains("lock"));
    assert_eq!(sandbox.git(["status", "--porcelain", "-uall"]).matches(".lock").count(), 0);
    assert!(sandbox.ok("usage-report", &["--weekly"]).contains("| claude-3-opus |"));
}

#[test]
fn outside_a_repository_the_ledger_is_here() {
    let sandbox = Sandbox::new();
    sandbox.ok("log-usage", &SEED);
    assert_eq!(sandbox.rows().len(), 1);
    std::fs::create_dir(sandbox.path("sub")).unwrap();
    sandbox.command("log-usage").current_dir(sandbox.path("sub")).args(SEED).assert().success();
    assert_eq!(sandbox.rows().len(), 2, "the folder above has a ledger");
}

#[test]
fn equal_rows_of_one_second_stay_apart() {
    let sandbox = Sandbox::new();
    for _ in 0..20 {
        sandbox.ok("log-usage", &SEED);
    }
    let mut rows = sandbox.rows();
    rows.sort();
    rows.dedup();
    assert_eq!(rows.len(), 20);
    assert_eq!(sandbox.json(&[])["totals"]["rows"], 20);
}

#[test]
fn each_field_is_refused_by_its_name_and_nothing_is_made() {
    let long = "m".repeat(129);
    let long_notes = "n".repeat(4097);
    let cases: [(&str, usize, &[&str]); 7] = [
        ("model", 0, &["", " x", "a b", "=cmd", "-m", "--m", "é", "a,b", "a\"b", "a\nb", &long]),
        (
            "prompt_tokens",
            1,
            &[
                "",
                "-5",
                "+5",
                "1.5",
                "1e3",
                "0x1F",
                "1_000",
                "1,000",
                " 1",
                "1 ",
                "٣",
                "１",
                "01",
                "00",
                "-0",
                "NaN",
                "inf",
                "true",
                "--5",
                "-",
                "9007199254740992",
                "18446744073709551616",
                "99999999999999999999999999",
            ],
        ),
        ("completion_tokens", 2, &["", "-1", "1.0", "many", "9007199254740992"]),
        (
            "task_success",
            3,
            &["", "yes", "no", "1", "0", "True", "TRUE", "false ", "-1", "-true", "t", "ok"],
        ),
        ("task_type", 4, &["", "Plan", "planning", "exec", "-plan", "plan,execute", "5"]),
        (
            "duration_ms",
            5,
            &[
                "",
                "-5",
                "-5s",
                "1.5",
                "5 bananas",
                "1500us",
                "045",
                "1e3",
                "s",
                "45,000",
                "soon",
                "9007199254740992",
                "300000000years",
            ],
        ),
        ("notes", 6, &[&long_notes]),
    ];
    let sandbox = Sandbox::repository();
    let before = sandbox.snapshot();
    for (field, at, values) in cases {
        for value in values {
            let mut arguments = SEED;
            arguments[at] = value;
            let output = sandbox.run("log-usage", &arguments);
            let error = text(&output.stderr);
            assert_eq!(output.status.code(), Some(2), "{field} {value:?}: {error}");
            assert!(error.starts_with(&format!("error: {field}: ")), "{value:?}: {error}");
            assert!(error.contains("\n  why: ") && error.contains("\n  fix: "), "{error}");
            assert!(error.contains("nothing was written"), "{error}");
        }
    }
    assert_eq!(sandbox.snapshot(), before);
}

#[test]
fn odd_command_lines_are_refused_and_nothing_is_made() {
    let sandbox = Sandbox::repository();
    let before = sandbox.snapshot();
    for (line, start) in [
        ("", "0 of 6 fields given"),
        ("m 1 2", "3 of 6 fields given; missing: task_success, task_type, duration_ms"),
        ("m 1 2 true plan 3 notes more", "one field too many: \"more\""),
        ("m 1 2 true plan 3 -x", "notes: \"-x\" begins with a hyphen"),
        ("m 1 2 true plan 3 --dryrun", "no option --dryrun"),
        ("m 1 2 true plan 3 --file", "--file lacks its value"),
        ("m 1 2 true plan 3 --quiet=yes", "--quiet takes no value"),
        ("m 1 2 true plan 3 --max-size ten", "--max-size: \"ten\" is not a size"),
        ("m 1 2 true plan 3 --max-size 0", "--max-size: \"0\" is not a size"),
        ("m 1 2 true plan 3 --durability full", "--durability: \"full\" is not none or data"),
        ("m 1 2 true plan 3 --tag color=red", "tag: \"color=red\" has a key"),
        ("m 1 2 true plan 3 --tag id", "tag: \"id\" is not KEY=VALUE"),
        ("m 1 2 true plan 3 --tag id=a --tag id=b", "tag: \"id=b\" is given twice"),
        ("m 1 2 true plan 3 --tag cost_usd=1.5", "tag: \"cost_usd=1.5\" is not dollars"),
        ("m 1 2 true plan 3 --file a --personal", "--file does not go with --personal"),
        ("m 1 2 true plan 3 --file --quiet", "--file lacks its value"),
        ("--notes x m 1 2 true plan 3", "no option --notes"),
        ("--file - m 1 2 true plan 3", "--file: \"-\" is not the path of a ledger"),
        ("--quiet init", "the command init must stand before its options"),
        (
            "m 1 2 true plan 3 --tag cache_read=2",
            "tag: \"cache_read=2\" is more than prompt_tokens",
        ),
        ("batch --max-size -5", "--max-size: \"-5\" is not a size"),
        ("inti", "no command inti"),
        ("batch --max-size ten", "--max-size: \"ten\" is not a size"),
        ("batch --nope", "no option --nope"),
    ] {
        let arguments: Vec<&str> = line.split_terminator(' ').collect();
        let output = sandbox.run("log-usage", &arguments);
        let error = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{line}: {error}");
        assert!(error.starts_with(&format!("error: {start}")), "{line}: {error}");
    }
    assert_eq!(sandbox.snapshot(), before);
}

/// What the error proposes is the user's own command, with one value changed, and it works.
#[test]
fn the_fix_can_be_pasted() {
    let sandbox = Sandbox::new();
    for (given, fix) in [
        ("gpt-5 10 20 no plan 7s 'two words'", "gpt-5 10 20 false plan 7s 'two words'"),
        ("gpt-5 10 20 passed plan '2m 5s'", "gpt-5 10 20 true plan '2m 5s'"),
        ("gpt-5 10,000 20 true plan 7s", "gpt-5 10000 20 true plan 7s"),
        ("gpt-5 10 20 true coding 7s", "gpt-5 10 20 true execute 7s"),
        ("'a b' 10 20 true plan 7s -- '- x'", "MODEL 10 20 true plan 7s -- '- x'"),
    ] {
        let run = |line: &str| {
            sandbox.command("sh").args(["-c", &format!("log-usage {line}")]).output().unwrap()
        };
        let error = text(&run(given).stderr);
        assert!(error.ends_with(&format!("  fix: log-usage {fix}\n")), "{error}");
        assert!(run(fix).status.success(), "{fix}");
    }
}

#[test]
fn what_looks_like_an_option_can_be_logged_behind_two_hyphens() {
    let sandbox = Sandbox::new();
    sandbox.ok("log-usage", &["m", "1", "2", "true", "plan", "3", "--", "- a list"]);
    sandbox.ok("log-usage", &["--", "batch", "1", "2", "true", "plan", "3"]);
    let rows = sandbox.rows();
    assert!(rows[0].ends_with(",- a list"), "{rows:?}");
    assert!(rows[1].contains(",batch,1,2,"), "{rows:?}");
}

#[test]
fn a_duration_may_be_a_time_and_tags_join_the_notes() {
    let sandbox = Sandbox::new();
    let tags = ["--tag", "id=a1", "--tag=source=codex"];
    sandbox
        .ok("log-usage", &[&["m", "1", "2", "true", "plan", "2m 5s", "done"], &tags[..]].concat());
    let row = &sandbox.rows()[0];
    assert!(row.ends_with(",125000,done {source=codex id=a1}"), "{row}");
}

#[test]
fn notes_become_one_clean_line() {
    let sandbox = Sandbox::new();
    let notes = "two\nlines, \x1b[31mred\x1b[0m \"and\"\u{202e} more\t";
    sandbox.ok("log-usage", &["m", "1", "2", "true", "plan", "3", notes]);
    assert!(sandbox.rows()[0].ends_with(",\"two lines, red \"\"and\"\" more\""));
}

/// Twenty times ten odd ones, and a hundred good ones.
#[test]
fn timestamps_are_strict_rfc_3339() {
    let sandbox = Sandbox::new();
    let is_taken = |stamp: &str| {
        let arguments = ["m", "1", "2", "true", "plan", "3", "--dry-run", "--timestamp", stamp];
        let output = sandbox.run("log-usage", &arguments);
        let printed = text(&output.stdout);
        match output.status.code() {
            Some(0) => assert!(printed.starts_with(&format!("{stamp},m,")), "{stamp}: {printed}"),
            Some(2) => assert!(text(&output.stderr).starts_with("error: timestamp: "), "{stamp}"),
            code => panic!("{stamp}: {code:?}"),
        }
        output.status.success()
    };
    let mut good = Vec::new();
    for date in ["2026-02-23", "2024-02-29", "2000-02-29", "1970-01-01", "9999-12-31"] {
        for time in ["00:00:00", "23:59:59", "12:30:15.5", "12:30:15.123456789"] {
            for zone in ["Z", "+00:00", "-05:00", "+05:30", "-23:59"] {
                good.push(format!("{date}T{time}{zone}"));
            }
        }
    }
    assert_eq!(good.len(), 100);
    good.iter().for_each(|stamp| assert!(is_taken(stamp), "{stamp}"));
    let mut bad: Vec<String> = Vec::new();
    let dates = [
        "2026-02-29",
        "2026-02-30",
        "2026-00-10",
        "2026-13-01",
        "2026-01-32",
        "2026-04-31",
        "1900-02-29",
        "2026-1-01",
        "2026-01-1",
        "26-01-01",
        "02026-01-01",
        "2026/01/01",
        "20260101",
        "-2026-01-01",
        "+2026-01-01",
        "2026-W09-1",
        "2026-054",
        "２026-01-01",
        "2026-01-00",
        "2026−01−01",
    ];
    bad.extend(dates.iter().map(|date| format!("{date}T12:00:00Z")));
    let times = [
        "24:00:00",
        "23:60:00",
        "23:59:60",
        "12:00",
        "12",
        "1:00:00",
        "12:0:00",
        "12:00:0",
        "120000",
        "12.00.00",
        "12:00:00.",
        "12:00:00.1234567890",
        "12:00:00,5",
        "12:00:00.-5",
        "12:00:-1",
        "-1:00:00",
        "12:00:00 ",
        " 12:00:00",
        "1２:00:00",
        "12:00:00.5.5",
    ];
    bad.extend(times.iter().map(|time| format!("2026-02-23T{time}Z")));
    let zones = [
        "",
        "z",
        "+0100",
        "+01",
        "+1:00",
        "+24:00",
        "+01:60",
        "+01:0",
        "\u{2212}01:00",
        "UTC",
        " Z",
        "Z ",
        "+01:00:00",
        "±01:00",
        "+-1:00",
        "[Europe/Oslo]",
        "Z[UTC]",
        "+01:00Z",
        "ZZ",
        "+99:99",
    ];
    bad.extend(zones.iter().map(|zone| format!("2026-02-23T12:00:00{zone}")));
    for joint in ["t", " ", "_", "", "TT", "T ", " T", "\u{a0}", "-", "\n"] {
        for date in ["2026-02-23", "2024-02-29"] {
            for zone in ["Z", "+01:00"] {
                bad.push(format!("{date}{joint}12:00:00{zone}"));
            }
        }
    }
    for words in [
        "",
        "now",
        "yesterday",
        "2026",
        "2026-02",
        "2026-02-23",
        "12:00:00Z",
        "1700000000",
        "1700000000000",
        "2026-02-23T",
        "T12:00:00Z",
        "Mon, 23 Feb 2026 12:00:00 GMT",
        "23/02/2026 12:00",
        "02/23/2026",
        "2026-02-23T12:00:00Z\n",
        "\t2026-02-23T12:00:00Z",
        "\"2026-02-23T12:00:00Z\"",
        "2026-02-23T12:00:00Z,",
        "'2026-02-23T12:00:00Z",
        "7d",
    ] {
        bad.push(words.to_owned());
    }
    for at in 0..20 {
        let good = "2026-02-23T12:00:00Z";
        bad.push(format!("{}x{}", &good[..at], &good[at + 1..]));
        bad.push(format!("{}{}", &good[..at], &good[at + 1..]));
        bad.push(format!("{} {}", &good[..at], &good[at..]));
        bad.push(format!("{}\u{661}{}", &good[..at], &good[at + 1..]));
    }
    assert_eq!(bad.len(), 200);
    bad.iter().for_each(|stamp| assert!(!is_taken(stamp), "{stamp:?}"));
    assert!(!sandbox.path(".telemetry").exists());
}

#[test]
fn a_given_timestamp_is_kept_and_repeated_only_once() {
    let sandbox = Sandbox::new();
    let stamp = "2026-02-23T22:19:12.5+01:00";
    let arguments = [&SEED[..], &["--timestamp", stamp]].concat();
    sandbox.ok("log-usage", &arguments);
    sandbox.ok("log-usage", &arguments);
    assert_eq!(
        sandbox.rows(),
        [format!("{stamp},claude-3-opus,1500,3200,true,execute,45000,notes")]
    );
    let other = [&arguments[..], &["--tag", "id=1"]].concat();
    sandbox.ok("log-usage", &other);
    assert_eq!(sandbox.rows().len(), 2);
}

/// An older row, a damaged one or a batch in between must not make equal rows of the clock.
#[test]
fn rows_of_the_clock_stay_apart_whatever_stands_between() {
    let sandbox = Sandbox::new();
    let old = ["--timestamp", "2020-01-01T00:00:00Z", "old", "1", "2", "true", "plan", "3"];
    let json = |time: &str| {
        format!(
            "{{{time}\"model\":\"b\",\"prompt_tokens\":1,\"completion_tokens\":2,\
             \"task_success\":true,\"task_type\":\"plan\",\"duration_ms\":3}}\n"
        )
    };
    let dated = |n: u8| json(&format!("\"timestamp\":\"202{n}-01-01T00:00:00Z\","));
    let batch = (0..3).map(|n| json("") + &dated(n)).collect::<String>() + &dated(9) + &json("");
    for _ in 0..5 {
        sandbox.ok("log-usage", &SEED);
        sandbox.ok("log-usage", &old);
        sandbox.ok("log-usage", &SEED);
        sandbox.command("log-usage").arg("batch").write_stdin(batch.as_str()).assert().success();
    }
    let mut rows = sandbox.rows();
    let logged = rows.len();
    rows.sort();
    rows.dedup();
    assert_eq!((rows.len(), logged), (5 * 6 + 1 + 4, 5 * 6 + 1 + 4));
}

#[test]
fn the_edges_of_the_calendar_are_read_back() {
    let sandbox = Sandbox::new();
    for stamp in ["0000-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "2026-01-01T00:00:00Z"]
    {
        sandbox.ok("log-usage", &[&SEED[..], &["--timestamp", stamp, "--max-size", "1"]].concat());
    }
    assert_eq!(sandbox.json(&[])["totals"]["rows"], 3);
}

#[test]
fn a_repeated_row_is_found_in_the_archive() {
    let sandbox = Sandbox::new();
    let at = |second: &str| format!("2026-02-23T22:19:{second}Z");
    for second in ["01", "02", "03", "01", "02", "03"] {
        let stamp = at(second);
        sandbox
            .ok("log-usage", &[&SEED[..], &["--timestamp", &stamp, "--max-size", "170"]].concat());
    }
    assert_eq!(std::fs::read_dir(sandbox.path(".telemetry/archive")).unwrap().count(), 2);
    let report = sandbox.json(&[]);
    assert_eq!((&report["totals"]["rows"], &report["duplicates"]), (&3.into(), &0.into()));
}

#[test]
fn a_dry_run_prints_and_writes_nothing() {
    let sandbox = Sandbox::repository();
    let before = sandbox.snapshot();
    let printed = sandbox.ok("log-usage", &[&SEED[..], &["--dry-run"]].concat());
    assert!(printed.ends_with(",claude-3-opus,1500,3200,true,execute,45000,notes\n"), "{printed}");
    assert_eq!(sandbox.snapshot(), before);
}

#[test]
fn the_environment_may_forbid_logging() {
    let sandbox = Sandbox::new();
    for (value, is_logged) in
        [("1", false), ("yes", false), ("0", true), ("false", true), ("", true)]
    {
        let mut command = sandbox.command("log-usage");
        let output = command.env("LOG_USAGE_DISABLED", value).args(SEED).output().unwrap();
        assert!(output.status.success());
        let said = if is_logged { "" } else { "not logged: LOG_USAGE_DISABLED is set\n" };
        assert_eq!(text(&output.stderr), said);
    }
    assert_eq!(sandbox.rows().len(), 3);
}

#[test]
fn a_ledger_of_another_name_keeps_to_itself() {
    let sandbox = Sandbox::new();
    for name in ["usage.csv", "usage-2.csv"] {
        for _ in 0..3 {
            sandbox.ok("log-usage", &[&SEED[..], &["--file", name, "--max-size", "200"]].concat());
        }
        assert_eq!(sandbox.json(&["--file", name])["totals"]["rows"], 3, "{name}");
    }
    assert!(sandbox.path(".usage-2.csv.lock").exists());
    assert!(!sandbox.path(".telemetry").exists());
    let output = sandbox.run("log-usage", &[&SEED[..], &["--file", "no/such/x.csv"]].concat());
    assert_eq!(output.status.code(), Some(1));
    assert!(
        text(&output.stderr).starts_with("error: no folder ")
            && text(&output.stderr).contains("/no/such\n")
    );
    let file = sandbox.path("named.csv");
    sandbox.command("log-usage").env("LOG_USAGE_FILE", &file).args(SEED).assert().success();
    assert!(file.exists());
}

#[test]
fn a_personal_ledger_lies_outside_any_repository() {
    let sandbox = Sandbox::repository();
    let home = sandbox.path("data");
    for program in ["log-usage", "usage-report"] {
        let mut command = sandbox.command(program);
        command.env("XDG_DATA_HOME", &home).arg("--personal");
        if program == "log-usage" {
            command.args(SEED);
        }
        command.assert().success();
    }
    assert!(home.join("usage-ledger/usage.csv").exists());
    assert!(!sandbox.path(".telemetry").exists());
}

#[test]
fn a_ledger_rotates_at_its_limit() {
    let sandbox = Sandbox::new();
    for _ in 0..60 {
        sandbox
            .ok("log-usage", &[&SEED[..], &["--max-size", "1K", "--durability", "none"]].concat());
    }
    let mut segments = 0;
    for entry in std::fs::read_dir(sandbox.path(".telemetry/archive")).unwrap() {
        let text = std::fs::read_to_string(entry.unwrap().path()).unwrap();
        assert!(text.starts_with(HEADER) && text.ends_with('\n') && text.len() <= 1024);
        segments += 1;
    }
    assert!(segments >= 3, "{segments}");
    assert_eq!(sandbox.json(&[])["totals"]["rows"], 60);
    assert!(sandbox.ok("usage-report", &["verify"]).ends_with("nothing found\n"));
}

#[test]
fn the_repositorys_settings_count() {
    let sandbox = Sandbox::new();
    sandbox.write(".telemetry/config.toml", "max_size = \"200\"\n");
    for _ in 0..4 {
        sandbox.ok("log-usage", &SEED);
    }
    assert!(sandbox.path(".telemetry/archive").exists());
    sandbox.write(".telemetry/config.toml", "max_size = \"200\"\nmax_sise = 1\n");
    let before = sandbox.snapshot();
    let output = sandbox.run("log-usage", &SEED);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains(
        "config.toml:2: unknown field max_sise (did you mean max_size?); there are max_size"
    ));
    assert_eq!(sandbox.snapshot(), before);
}

#[test]
fn torn_bytes_are_kept_aside_and_the_next_row_is_whole() {
    let row = "2026-02-23T22:19:28Z,m,1,2,true,plan,3,whole";
    for (tail, torn, rows) in [
        ("2026-02-23T22:19:29Z,m,1,2,tr", "2026-02-23T22:19:29Z,m,1,2,tr", 2),
        ("2026-02-23T22:19:29Z,m,1,2,true,plan,3,unfinished", "", 3),
        ("\0\0\0\0", "", 2),
        ("2026-02-23T22:19:29Z,m,1,2,true,plan,3,\"two\nlines", "\"two\nlines", 2),
        ("2026-02-2", "2026-02-2", 2),
        ("2026-02-23T22:19:29Z,m,1,2,true,plan,3,\"he said", "\"he said", 2),
    ] {
        let sandbox = Sandbox::new();
        sandbox.write(".telemetry/usage.csv", format!("{HEADER}\n{row}\n{tail}"));
        let output = sandbox.run("log-usage", &SEED);
        assert!(output.status.success(), "{}", text(&output.stderr));
        let ledger = sandbox.read(".telemetry/usage.csv");
        assert!(ledger.starts_with(&format!("{HEADER}\n{row}\n")) && ledger.ends_with(",notes\n"));
        assert_eq!(sandbox.json(&["--strict"])["totals"]["rows"], rows, "{tail:?}: {ledger}");
        let is_warned = text(&output.stderr).starts_with("warning: ");
        assert_eq!(is_warned, !torn.is_empty(), "{tail:?}");
        if is_warned {
            assert!(sandbox.read(".telemetry/usage.csv.torn").contains(torn));
        }
    }
}

#[test]
fn what_is_not_our_ledger_is_not_appended_to() {
    for (ledger, problem) in [
        (&b"date,model\n1,2\n"[..], "usage.csv:1: this is not the usage header: \"date,model\""),
        (&[0; 100_000][..], "it is not text in UTF-8"),
        (b"\xff\xfet\0i\0m\0e\0\n\0", "it is not text in UTF-8"),
    ] {
        let sandbox = Sandbox::new();
        sandbox.write(".telemetry/usage.csv", ledger);
        let output = sandbox.run("log-usage", &SEED);
        assert_eq!(output.status.code(), Some(1));
        assert!(text(&output.stderr).contains(problem), "{}", text(&output.stderr));
        assert_eq!(std::fs::read(sandbox.path(".telemetry/usage.csv")).unwrap(), ledger);
    }
}

#[test]
fn both_programs_explain_themselves_on_one_screen() {
    let sandbox = Sandbox::new();
    for (program, lines) in [("log-usage", 24), ("usage-report", 45)] {
        let help = sandbox.ok(program, &["-h"]);
        assert!(help.lines().count() <= lines, "{program}: {}", help.lines().count());
        assert!(help.lines().all(|line| line.chars().count() <= 100), "{program}");
        assert!(sandbox.ok(program, &["--help"]).contains("Exit codes:"));
        assert!(sandbox.ok(program, &["--version"]).starts_with(program));
    }
    let help = sandbox.ok("log-usage", &["-h"]);
    assert!(help.lines().all(|line| line.chars().count() <= 96));
    assert!(help.contains("log-usage claude-3-opus 1500 3200 true execute 45000 \"notes\""));
}

/// What is pasted is logged: a fix holds no figure that nobody typed.
#[test]
fn a_fix_changes_no_number() {
    let sandbox = Sandbox::repository();
    for (arguments, fix) in [
        ("m 1,000 2 true plan 3", "log-usage m 1000 2 true plan 3"),
        ("m 1 2k true plan 3", "log-usage m 1 2000 true plan 3"),
        ("m -5 2 true plan 3", "log-usage m PROMPT_TOKENS 2 true plan 3"),
        ("m 1 2 true plan soon", "log-usage m 1 2 true plan DURATION"),
        ("m 1 2 true plan 1,500", "log-usage m 1 2 true plan 1500"),
        ("$m 1 2 true plan 3", "log-usage MODEL 1 2 true plan 3"),
        (
            "m 1 2 true plan 3 --timestamp now",
            "log-usage --timestamp YYYY-MM-DDThh:mm:ss±hh:mm m 1 2 true plan 3",
        ),
        ("m 1 2 true plan 3 --tag rev=x", "log-usage --tag rev=NUMBER m 1 2 true plan 3"),
    ] {
        let words: Vec<&str> = arguments.split(' ').collect();
        let output = sandbox.run("log-usage", &words);
        assert_eq!(output.status.code(), Some(2), "{arguments}");
        let said = text(&output.stderr);
        assert!(said.ends_with(&format!("\n  fix: {fix}\n")), "{arguments}: {said}");
    }
    sandbox.ok("log-usage", &["m", "1", "2", "true", "plan", "3"]);
    let output = sandbox.run("log-usage", &["amend", "--last", "--prompt-tokens", "2,500"]);
    assert!(text(&output.stderr).contains("--prompt-tokens 2500"), "{}", text(&output.stderr));
}

#[test]
fn a_time_to_come_is_stored_and_said_to_be_one() {
    let sandbox = Sandbox::repository();
    let said = |arguments: &[&str]| {
        let output = sandbox.run("log-usage", arguments);
        assert!(output.status.success(), "{}", text(&output.stderr));
        text(&output.stderr)
    };
    let dated = |stamp| ["m", "1", "2", "true", "plan", "3", "--timestamp", stamp];
    let future = "9999-01-01T00:00:00Z";
    let warning = "is more than a day ahead of the clock; stored as given\n";
    assert_eq!(said(&dated(future)), format!("warning: timestamp {future} {warning}"));
    assert_eq!(said(&dated("2026-01-01T00:00:00Z")), "");
    assert_eq!(said(&[&dated("9999-01-02T00:00:00Z")[..], &["--quiet"]].concat()), "");
    let soon = chrono::Utc::now() + chrono::TimeDelta::hours(23);
    assert_eq!(said(&dated(&soon.format("%Y-%m-%dT%H:%M:%SZ").to_string())), "");
    assert_eq!(sandbox.rows().len(), 4);
    let rows = format!("{HEADER}\n{future},n,1,2,true,plan,3,\n{future},n,1,2,true,plan,4,\n");
    let mut batch = sandbox.command("log-usage");
    let output = batch.arg("batch").write_stdin(rows).output().unwrap();
    assert_eq!(
        text(&output.stderr),
        format!("warning: 2 timestamps, the first {future}, {}", warning.replacen("is", "are", 1))
    );
    assert_eq!(sandbox.rows().len(), 6);
}

#[test]
fn a_size_is_said_to_do_nothing_where_rows_wait() {
    let sandbox = Sandbox::repository();
    let log = ["m", "1", "2", "true", "plan", "3", "--max-size", "1M"];
    let said = |arguments: &[&str]| text(&sandbox.run("log-usage", arguments).stderr);
    assert_eq!(said(&log), "");
    sandbox.ok("log-usage", &["hooks", "install"]);
    assert!(said(&log).starts_with("warning: --max-size does nothing while rows wait"));
    assert_eq!(said(&[&log[..], &["--quiet"]].concat()), "");
    assert_eq!(said(&[&log[..], &["--file", "usage.csv"]].concat()), "");
}
