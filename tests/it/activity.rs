//! `usage-report activity`: its figures are those of an independent count, nothing in it tells of
//! few, and nothing that events hold acts in what it prints.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use serde_json::{Value, json};

use crate::sandbox::{HEADER, Sandbox, text};

/// Numbers that look random and are the same each time (xorshift).
struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % n
    }

    fn of<'a>(&mut self, words: &[&'a str]) -> &'a str {
        words[self.below(words.len() as u64) as usize]
    }
}

/// Days since 1970 of a date, by Hinnant's algorithm: not the calendar that the program uses.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// The day of a timestamp as it is written.
fn day_of(stamp: &str) -> i64 {
    let number = |from: usize, to: usize| stamp[from..to].parse::<i64>().unwrap();
    days(number(0, 4), number(5, 7), number(8, 10))
}

/// `2026-W09`: the week's year is that of its Thursday.
fn week_of(day: i64) -> String {
    let thursday = day - (day + 3).rem_euclid(7) + 3;
    let year = (1970..2100).find(|year| thursday < days(year + 1, 1, 1)).unwrap();
    format!("{year}-W{:02}", (thursday - days(year, 1, 1)) / 7 + 1)
}

/// Milliseconds since 1970 of a timestamp in whole seconds.
fn millis(stamp: &str) -> i64 {
    let number = |from: usize, to: usize| stamp[from..to].parse::<i64>().unwrap();
    let local =
        day_of(stamp) * 86_400 + number(11, 13) * 3_600 + number(14, 16) * 60 + number(17, 19);
    let offset = match &stamp[19..] {
        "Z" => 0,
        zone => {
            let minutes =
                zone[1..3].parse::<i64>().unwrap() * 60 + zone[4..6].parse::<i64>().unwrap();
            if zone.starts_with('-') { -minutes * 60 } else { minutes * 60 }
        }
    };
    (local - offset) * 1_000
}

/// A quarter of events and rows: every day some people in sessions, unattended runs, and what has no
/// user. Days near midnight are of clocks with other offsets.
fn quarter(seed: u64) -> (Vec<Value>, Vec<String>) {
    let mut random = Random(seed);
    let (mut events, mut rows) = (Vec::new(), Vec::new());
    let areas = [
        "role.selected",
        "command.completed",
        "command.failed",
        "agent.invoked",
        "agent.completed",
        "operation.completed",
        "operation.failed",
        "feedback.positive",
        "build.finished",
    ];
    for day in 0..92 {
        // 2026-09-30 and the days after.
        let (month, of_month) = match day {
            0 => (9, 30),
            1..=31 => (10, day),
            32..=61 => (11, day - 31),
            _ => (12, day - 61),
        };
        if of_month > 31 || random.below(9) == 0 {
            continue;
        }
        for _ in 0..random.below(24) {
            let zone = random.of(&["Z", "+01:00", "-08:00", "+05:30", "+14:00"]);
            let (hour, minute, second) = (random.below(24), random.below(60), random.below(60));
            let stamp =
                format!("2026-{month:02}-{of_month:02}T{hour:02}:{minute:02}:{second:02}{zone}");
            let user = match random.below(10) {
                0 => None,
                1 => Some("ci".to_owned()),
                // The later it is, the more of them there are.
                _ => Some(format!("u_{:012}", random.below(3 + day / 6))),
            };
            let number = events.len() + rows.len();
            let session = (random.below(5) > 0).then(|| random.below(60) + day);
            if random.below(6) == 0 {
                let mut tags = Vec::new();
                tags.extend(session.map(|it| format!("session={it:012x}")));
                tags.extend(user.map(|it| format!("user={it}")));
                let block =
                    if tags.is_empty() { String::new() } else { format!("{{{}}}", tags.join(" ")) };
                rows.push(format!("{stamp},m{number},1,2,true,plan,3,{block}"));
                continue;
            }
            let mut event = json!({
                "v": 1,
                "id": format!("019c8c52-a34f-7b33-8000-{number:012x}"),
                "timestamp": stamp,
                "name": random.of(&areas),
                "correlation": format!("c{number}"),
                "duration_ms": random.below(400_000),
                "role": random.of(&["dev", "review", "lead", "write"]),
                "command": random.of(&["/plan", "cargo test", "/ship"]),
                "attrs": { "strategy": random.of(&["split", "whole"]) },
            });
            // One session may be told of by events and by rows.
            if let Some(it) = session {
                event["session"] = json!(format!("{it:012x}"));
            }
            if let Some(user) = user {
                event["user"] = json!(user);
            }
            events.push(event);
        }
    }
    (events, rows)
}

fn sandbox(events: &[Value], rows: &[String]) -> Sandbox {
    let sandbox = Sandbox::repository();
    let lines = events.iter().fold(String::new(), |text, event| format!("{text}{event}\n"));
    sandbox.write(".telemetry/events.jsonl", lines);
    let rows: Vec<&str> = rows.iter().map(String::as_str).collect();
    sandbox.write(".telemetry/usage.csv", format!("{HEADER}\n"));
    sandbox.add_rows(&rows);
    sandbox
}

fn activity(sandbox: &Sandbox, options: &[&str]) -> Value {
    let options: Vec<&str> =
        ["activity", "--format", "json"].into_iter().chain(options.iter().copied()).collect();
    serde_json::from_str(&sandbox.ok("usage-report", &options)).unwrap()
}

/// What is known of one record, by the simplest means.
struct Sign {
    stamp: String,
    user: Option<String>,
    session: Option<String>,
    is_row: bool,
}

fn signs(events: &[Value], rows: &[String]) -> Vec<Sign> {
    let word = |value: &Value| value.as_str().map(str::to_owned);
    let of_events = events.iter().map(|it| Sign {
        stamp: word(&it["timestamp"]).unwrap(),
        user: word(&it["user"]),
        session: word(&it["session"]),
        is_row: false,
    });
    let tag = |row: &str, key: &str| {
        let value = row.split([' ', '{', '}']).find_map(|word| word.strip_prefix(key));
        value.map(str::to_owned)
    };
    let of_rows = rows.iter().map(|row| Sign {
        stamp: row.split(',').next().unwrap().to_owned(),
        user: tag(row, "user="),
        session: tag(row, "session="),
        is_row: true,
    });
    of_events.chain(of_rows).collect()
}

fn is_person(user: &Option<String>) -> bool {
    user.as_deref().is_some_and(|user| user != "ci")
}

/// One line per period that has anything: active, new, sessions, events, rows.
fn naive(
    signs: &[Sign],
    from: i64,
    to: i64,
    key: fn(&str) -> String,
) -> BTreeMap<String, [u64; 5]> {
    let within = |sign: &&Sign| (from..=to).contains(&day_of(&sign.stamp));
    let mut firsts = BTreeMap::<&str, i64>::new();
    for sign in signs.iter().filter(|it| is_person(&it.user)) {
        let (user, day) = (sign.user.as_deref().unwrap(), day_of(&sign.stamp));
        let first = firsts.entry(user).or_insert(day);
        *first = day.min(*first);
    }
    let keys: BTreeSet<String> = signs.iter().filter(within).map(|it| key(&it.stamp)).collect();
    let line = |period: &String| {
        let of_it: Vec<&Sign> =
            signs.iter().filter(within).filter(|it| key(&it.stamp) == *period).collect();
        let users: BTreeSet<&str> = of_it
            .iter()
            .filter(|it| is_person(&it.user))
            .map(|it| it.user.as_deref().unwrap())
            .collect();
        let days: BTreeSet<i64> = of_it.iter().map(|it| day_of(&it.stamp)).collect();
        let is_new = |user: &&&str| {
            (*days.first().unwrap()..=*days.last().unwrap()).contains(&firsts[**user])
        };
        let sessions: BTreeSet<&String> =
            of_it.iter().filter_map(|it| it.session.as_ref()).collect();
        let rows = of_it.iter().filter(|it| it.is_row).count() as u64;
        [
            users.len() as u64,
            users.iter().filter(is_new).count() as u64,
            sessions.len() as u64,
            of_it.len() as u64 - rows,
            rows,
        ]
    };
    keys.iter().map(|period| (period.clone(), line(period))).collect()
}

/// The same of the report; periods in which nothing is were put in between.
fn told(report: &Value, name: &str) -> BTreeMap<String, [u64; 5]> {
    let periods = report[format!("by_{name}")].as_array().unwrap().iter();
    let line = |it: &Value| {
        let figures = ["active", "new", "sessions", "events", "rows"];
        (it[name].as_str().unwrap().to_owned(), figures.map(|key| it[key].as_u64().unwrap()))
    };
    periods.map(line).filter(|(_, figures)| figures.iter().sum::<u64>() > 0).collect()
}

/// By value: rounded half up to three digits; the element at ⌊n·q/100⌋.
fn percentile(values: &[i64], q: usize) -> u64 {
    let rounded = |value: i64| {
        let mut unit = 1;
        while value / unit >= 1_000 {
            unit *= 10;
        }
        (value + unit / 2) / unit * unit
    };
    let mut sorted: Vec<i64> = values.iter().map(|it| rounded(*it)).collect();
    sorted.sort_unstable();
    let at = (sorted.len() * q / 100).min(sorted.len() - 1);
    sorted[at].min(*values.iter().max().unwrap()) as u64
}

#[test]
fn a_quarter_is_counted_as_an_independent_count_does() {
    let all = (i64::MIN, i64::MAX);
    for seed in [1, 20_261_121, 7_777_777_777] {
        let (events, rows) = quarter(seed);
        assert!(events.len() > 500 && rows.len() > 80, "{} {}", events.len(), rows.len());
        let sandbox = sandbox(&events, &rows);
        let signs = signs(&events, &rows);
        let november = (days(2026, 11, 5), days(2026, 11, 19));
        let options: [&[&str]; 2] = [&[], &["--since", "2026-11-05", "--until", "2026-11-19"]];
        for (options, (from, to)) in options.into_iter().zip([all, november]) {
            let report = activity(&sandbox, options);
            let by_day = naive(&signs, from, to, |stamp| stamp[..10].to_owned());
            let by_week = naive(&signs, from, to, |stamp| week_of(day_of(stamp)));
            let by_month = naive(&signs, from, to, |stamp| stamp[..7].to_owned());
            assert_eq!(told(&report, "day"), by_day, "seed {seed}");
            assert_eq!(told(&report, "week"), by_week, "seed {seed}");
            assert_eq!(told(&report, "month"), by_month, "seed {seed}");

            let selected: Vec<&Sign> =
                signs.iter().filter(|it| (from..=to).contains(&day_of(&it.stamp))).collect();
            let users: BTreeSet<&Option<String>> =
                selected.iter().map(|it| &it.user).filter(|it| is_person(it)).collect();
            assert_eq!(report["identities"], users.len());
            let apart = |user: Option<&str>, is_row: bool| {
                let is = |it: &&&Sign| it.user.as_deref() == user && it.is_row == is_row;
                selected.iter().filter(is).count()
            };
            assert_eq!(report["apart"]["ci"]["events"], apart(Some("ci"), false));
            assert_eq!(report["apart"]["ci"]["rows"], apart(Some("ci"), true));
            assert_eq!(report["apart"]["no_user"]["events"], apart(None, false));
            assert_eq!(report["apart"]["no_user"]["rows"], apart(None, true));

            let mut sessions = BTreeMap::<&str, Vec<i64>>::new();
            for sign in &selected {
                if let Some(session) = &sign.session {
                    sessions.entry(session).or_default().push(millis(&sign.stamp));
                }
            }
            let lengths: Vec<i64> = sessions
                .values()
                .map(|times| times.iter().max().unwrap() - times.iter().min().unwrap())
                .collect();
            let length = &report["sessions"]["length_ms"];
            assert_eq!(report["sessions"]["count"], sessions.len());
            assert_eq!(length["p50"], percentile(&lengths, 50));
            assert_eq!(length["p95"], percentile(&lengths, 95));
            assert_eq!(length["max"], *lengths.iter().max().unwrap());
            let (sum, n) = (lengths.iter().sum::<i64>(), lengths.len() as i64);
            assert_eq!(length["mean"], (sum * 2 + n) / (n * 2));
        }
    }
}

#[test]
fn commands_agents_and_operations_are_counted_as_an_independent_count_does() {
    let (events, rows) = quarter(42);
    let report = activity(&sandbox(&events, &rows), &[]);
    let named = |name: &str| events.iter().filter(|it| it["name"] == name).count();
    for (name, count) in report["by_event"].as_object().unwrap() {
        assert_eq!(*count, named(name), "{name}");
    }
    for command in report["by_command"].as_array().unwrap() {
        let of_it: Vec<&Value> = events
            .iter()
            .filter(|it| it["name"].as_str().unwrap().starts_with("command."))
            .filter(|it| it["command"] == command["command"])
            .collect();
        let succeeded = of_it.iter().filter(|it| it["name"] == "command.completed").count();
        let durations: Vec<i64> =
            of_it.iter().map(|it| it["duration_ms"].as_i64().unwrap()).collect();
        assert_eq!(command["runs"], of_it.len());
        assert_eq!(command["successes"], succeeded);
        assert_eq!(command["duration_ms"]["p50"], percentile(&durations, 50));
    }
    for strategy in report["by_strategy"].as_array().unwrap() {
        let of_it = |name: &str| {
            let of_name = events.iter().filter(|it| it["name"] == name);
            of_name.filter(|it| it["attrs"]["strategy"] == strategy["strategy"]).count()
        };
        let (completed, failed) = (of_it("operation.completed"), of_it("operation.failed"));
        assert_eq!(strategy["operations"], completed + failed);
        assert_eq!(strategy["successes"], completed);
    }
    assert_eq!(report["by_agent"][0]["invoked"], named("agent.invoked"));
    assert_eq!(report["by_agent"][0]["completed"], named("agent.completed"));
}

#[test]
fn no_figure_of_a_role_is_of_fewer_than_allowed() {
    let (mut shown, mut folded) = (0, 0);
    let lower = "[activity]\nmin_identities = 3\n";
    for (seed, most, settings, min) in
        [(3, 200, lower, 3), (4, 300, "", 5), (5, 400, "", 5), (6, 500, lower, 3)]
    {
        let (events, rows) = quarter(seed);
        // Of more or fewer events, so that some cells are of few.
        let events: Vec<Value> = events.into_iter().skip(90).take(most).collect();
        let sandbox = sandbox(&events, &rows);
        sandbox.write(".telemetry/config.toml", settings);
        let report = activity(&sandbox, &[]);
        let users = |fits: &dyn Fn(&Value) -> bool| {
            let of_it = events.iter().filter(|it| fits(it));
            let users = of_it.filter_map(|it| it["user"].as_str()).filter(|user| *user != "ci");
            users.collect::<BTreeSet<&str>>()
        };
        let is_run = |it: &Value| it["name"].as_str().unwrap().starts_with("command.");
        let mut known = BTreeMap::<String, Vec<(Value, u64)>>::new();
        for line in report["by_role_and_command"].as_array().unwrap() {
            let (role, command) = (&line["role"], &line["command"]);
            if command.is_null() {
                assert!(line["runs"].is_null() && line["duration_ms"].is_null(), "{line}");
                folded += 1;
                continue;
            }
            let is_it = |it: &Value| is_run(it) && it["role"] == *role && it["command"] == *command;
            assert!(users(&is_it).len() >= min, "{line}");
            let runs = line["runs"].as_u64().unwrap();
            let command = command.as_str().unwrap().to_owned();
            known.entry(command).or_default().push((role.clone(), runs));
            shown += 1;
        }
        // What is left of the sum of a command is of enough, too.
        for line in report["by_command"].as_array().unwrap() {
            let empty = Vec::new();
            let roles = known.get(line["command"].as_str().unwrap()).unwrap_or(&empty);
            let is_rest = |it: &Value| {
                let is_shown = roles.iter().any(|(role, _)| *role == it["role"]);
                is_run(it) && it["command"] == line["command"] && !is_shown
            };
            let rest = line["runs"].as_u64().unwrap() - roles.iter().map(|(_, n)| n).sum::<u64>();
            assert!(rest == 0 || roles.is_empty() || users(&is_rest).len() >= min, "{line}");
        }
        for line in report["by_role"].as_array().unwrap() {
            assert!(
                line["identities"].is_null() || line["identities"].as_u64() >= Some(min as u64)
            );
        }
        // No pseudonym, nor any figure of one, is in any format.
        for format in ["markdown", "table", "csv", "json"] {
            let said = sandbox.ok("usage-report", &["activity", "--format", format]);
            assert!(!said.contains("u_0"), "{format}");
        }
    }
    assert!(shown > 8 && folded > 4, "too little was tested: {shown} shown, {folded} folded");
}

/// As the sum of all, a rare command is shown; that a single person's role ran it must not be.
#[test]
fn a_role_of_few_is_not_named_beside_a_command_of_few() {
    let mut events = Vec::new();
    let mut event = |user: u32, role: &str, name: &str, command: &str| {
        let number = events.len();
        events.push(json!({
            "v": 1,
            "id": format!("019c8c52-a34f-7b33-8000-{number:012x}"),
            "timestamp": "2026-10-01T10:00:00Z",
            "name": name,
            "correlation": format!("c{number}"),
            "user": format!("u_{user:012}"),
            "role": role,
            "command": command,
        }));
    };
    for user in 0..6 {
        event(user, "reviewer", "command.completed", "make");
    }
    event(9, "ceo", "command.failed", "payroll");
    event(8, "cfo", "command.failed", "payroll");
    let sandbox = sandbox(&events, &[]);
    for format in ["markdown", "table", "csv", "json"] {
        let said = sandbox.ok("usage-report", &["activity", "--format", format]);
        assert!(said.contains("payroll") && said.contains("reviewer"), "{said}");
        assert!(!said.contains("ceo") && !said.contains("cfo"), "{said}");
    }
    let report = activity(&sandbox, &[]);
    let folded = &report["by_role_and_command"][1];
    assert_eq!((&folded["folded_roles"], &folded["folded"]), (&json!(2), &json!(1)), "{folded}");
}

#[test]
fn every_format_of_reports_is_one_of_activity() {
    let names = usage_ledger::render::activity::FORMATS.map(|it| it.name);
    assert_eq!(names, usage_ledger::render::FORMATS.map(|it| it.name));
}

/// How many bars of a line end a cell.
fn cells(line: &str) -> usize {
    let bars = line.match_indices('|').filter(|(at, _)| !line[..*at].ends_with('\\'));
    bars.count()
}

#[test]
fn nothing_in_an_event_acts_in_what_is_printed() {
    let hostile = [
        "a|b",
        "<img src=x onerror=1>",
        "[x](javascript:1)",
        "@someone",
        "#123",
        "```",
        "`|`",
        "=HYPERLINK(\"http://x\")",
        "-5",
        "\u{1b}]52;c;eA==\u{7}",
        "\u{9b}31m",
        "\u{202e}x",
        "x\r\n| y |",
        &"`|\u{200b}".repeat(60),
    ];
    let mut events = Vec::new();
    for name in hostile {
        for number in 0..5 {
            for (kind, more) in [
                ("role.selected", json!({ "role": name })),
                ("command.completed", json!({ "role": name, "command": name })),
                ("agent.completed", json!({ "agent": name })),
                ("operation.failed", json!({ "attrs": { "strategy": name, "error_kind": name } })),
            ] {
                let mut event = json!({
                    "v": 1,
                    "id": format!("019c8c52-a34f-7b33-8000-{:012x}", events.len()),
                    "timestamp": "2026-11-20T09:00:00Z",
                    "name": kind,
                    "correlation": format!("c{}", events.len()),
                    "user": format!("u_{number}"),
                });
                event.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
                events.push(event);
            }
        }
    }
    let sandbox = sandbox(&events, &[]);
    for format in ["markdown", "table", "csv", "json"] {
        let said = sandbox.ok("usage-report", &["activity", "--format", format]);
        let acts = |c: char| {
            (c.is_control() && c != '\n')
                || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}')
        };
        // CSV is raw for programs; a terminal and a spreadsheet get it otherwise.
        assert!(format == "csv" || !said.contains(acts), "{format}: {said:?}");
        assert!(said.contains("onerror"), "{format}: what is to be made harmless is not shown");
    }
    let markdown = sandbox.ok("usage-report", &["activity"]);
    let tables = markdown.split("\n\n").filter(|block| block.starts_with('|'));
    let mut lines = 0;
    for table in tables {
        let columns = cells(table.lines().next().unwrap());
        for line in table.lines() {
            assert_eq!(cells(line), columns, "{line}");
            // Whatever is markup stands in a code span.
            for mark in ["<img", "[x](", "@someone", "#123"] {
                let before = line.split(mark).next().unwrap();
                assert!(!line.contains(mark) || before.matches('`').count() % 2 == 1, "{line}");
            }
            lines += 1;
        }
    }
    assert!(lines > 50, "{lines}");
    let csv = sandbox.ok("usage-report", &["activity", "--for-spreadsheet"]);
    assert!(csv.starts_with("\"group\",\"key_for_spreadsheet\",\"role_for_spreadsheet\","));
    assert!(csv.lines().all(|line| line.starts_with('"')), "{csv}");
    let refused = sandbox.run("usage-report", &["activity", "--for-spreadsheet", "--format=json"]);
    assert_eq!(refused.status.code(), Some(2));
    let mut reader = csv::Reader::from_reader(csv.as_bytes());
    for record in reader.records() {
        let record = record.unwrap();
        // A number is one, whatever it begins with.
        let formula = record.iter().find(|it| it.starts_with(['=', '@']));
        assert_eq!(formula, None);
    }
}

/// Of one alone, nobody can be picked out; with the second, the first could be.
#[test]
fn roles_are_not_folded_where_all_is_of_one() {
    let event = |minute: u8, user: &str| {
        let line = format!(
            "{{\"v\":1,\"id\":\"019c8c52-a34f-7b33-8000-0000000000{minute:02}\",\"correlation\":\"c{minute}\",\
             \"timestamp\":\"2026-11-20T09:{minute:02}:00Z\",\"name\":\"command.completed\"{user},\
             \"role\":\"planner\",\"command\":\"make\"}}"
        );
        serde_json::from_str::<Value>(&line).unwrap()
    };
    let runs = |events: &[Value], rows: &[String], options: &[&str]| {
        let sandbox = sandbox(events, rows);
        let line = activity(&sandbox, options)["by_role_and_command"][0].clone();
        (line["role"].clone(), line["runs"].as_u64(), sandbox.ok("usage-report", &["activity"]))
    };
    let (nobody, mine) = ([event(1, ""), event(2, "")], event(3, ",\"user\":\"u_a\""));
    let all = [&nobody[..], &[mine]].concat();
    for (events, count) in [(&nobody[..], 2), (&all, 3)] {
        let (role, count_shown, said) = runs(events, &[], &[]);
        assert_eq!((role, count_shown), ("planner".into(), Some(count)));
        assert!(said.contains("whoever passes this report on"), "{said}");
    }
    // Whether selected or not, and of events or rows.
    let row = |user: &str| format!("2026-10-20T09:00:00Z,m,1,2,true,plan,3,{{user={user}}}");
    for options in [&[][..], &["--since", "2026-11-01"]] {
        assert_eq!(runs(&all, &[row("u_a")], options).1, Some(3));
        assert_eq!(runs(&all, &[row("ci")], options).1, Some(3));
        let (_, count_shown, said) = runs(&all, &[row("u_b")], options);
        assert_eq!(count_shown, None);
        assert!(said.contains("at least 5 identities"), "{said}");
    }
}

#[test]
fn an_identity_of_rows_alone_is_active() {
    let row = |minute: u8, tags: &str| {
        format!("2026-11-20T09:{minute:02}:00+01:00,m,1,2,true,plan,3,{tags}")
    };
    let rows = [
        row(0, "{session=0123456789ab user=u_a}"),
        row(30, "{session=0123456789ab agent=coder user=u_a}"),
        row(40, "{user=ci}"),
        row(41, ""),
        // The same once more, as a merge may leave it.
        row(41, ""),
    ];
    let sandbox = sandbox(&[], &rows);
    let report = activity(&sandbox, &[]);
    assert_eq!(report["identities"], 1);
    assert_eq!(report["rows"], 4);
    assert_eq!(report["duplicates"]["rows"], 1);
    assert_eq!(report["sessions"]["length_ms"]["max"], 1_800_000);
    assert_eq!(report["sessions"]["rows_only"], 1);
    assert_eq!(report["apart"]["ci"]["rows"], 1);
    assert_eq!(report["by_agent"][0]["agent"], "coder");
    assert_eq!(report["by_agent"][0]["rows"], 1);
    let said = sandbox.ok("usage-report", &["activity"]);
    assert!(said.contains("`log-usage consent grant events`"), "{said}");
}

#[test]
fn lines_that_are_sampled_stand_for_what_their_share_says() {
    let (mut events, _) = quarter(5);
    for event in &mut events {
        event["sample"] = json!(0.1);
    }
    events[0]["dropped"] = json!({ "sampled": 70, "limited": 3, "failed": 2 });
    let sandbox = sandbox(&events, &[]);
    let report = activity(&sandbox, &[]);
    assert_eq!(report["events"], events.len() * 10);
    assert_eq!(report["event_lines"], events.len());
    assert_eq!(report["estimated"], true);
    assert_eq!(report["dropped"]["limited"], 3);
    let said = sandbox.ok("usage-report", &["activity"]);
    for words in ["Estimated:", "70 events left out by sampling", "3 events beyond the limit"] {
        assert!(said.contains(words), "{words}: {said}");
    }
}

#[test]
fn damaged_lines_are_named_and_strict_tells() {
    let (events, _) = quarter(6);
    let sandbox = sandbox(&events[..20], &[]);
    let whole = sandbox.read(".telemetry/events.jsonl");
    sandbox.write(".telemetry/events.jsonl", format!("not json\n{whole}{{\"v\":1,"));
    let report = activity(&sandbox, &[]);
    assert_eq!(report["event_lines"], 20);
    assert_eq!(report["skipped"]["events"]["count"], 2);
    assert_eq!(report["skipped"]["events"]["lines"][0]["file"], "events.jsonl");
    assert_eq!(report["skipped"]["events"]["lines"][1]["line"], 22);
    let output = sandbox.run("usage-report", &["activity", "--strict"]);
    assert_eq!(output.status.code(), Some(3));
    assert!(text(&output.stdout).contains("2 unreadable events (`events.jsonl:1"));
}

#[test]
fn sealed_events_count_and_the_order_of_files_makes_no_difference() {
    let (events, rows) = quarter(8);
    let together = sandbox(&events, &rows);
    let lines: Vec<String> = events.iter().map(Value::to_string).collect();
    let (late, early) = lines.split_at(300);
    let apart = sandbox(&[], &rows);
    apart.write(".telemetry/events.jsonl", early.join("\n") + "\n");
    let sealed = late.iter().rev().fold(String::new(), |mut text, line| {
        let _ = writeln!(text, "{line}");
        text
    });
    apart.write(".telemetry/events/events-20260930T000000Z-00000000.jsonl", sealed);
    for format in ["markdown", "csv", "json", "table"] {
        let said = |it: &Sandbox| it.ok("usage-report", &["activity", "--format", format]);
        assert_eq!(said(&together), said(&apart), "{format}");
    }
}

#[test]
fn the_reader_changes_nothing_and_says_the_same_in_every_zone() {
    let (events, rows) = quarter(9);
    let sandbox = sandbox(&events, &rows);
    let before = sandbox.snapshot();
    let said = sandbox.ok("usage-report", &["activity"]);
    let output = sandbox
        .command("usage-report")
        .args(["activity"])
        .env("TZ", "Asia/Tokyo")
        .output()
        .unwrap();
    assert_eq!(text(&output.stdout), said);
    sandbox.ok("usage-report", &["activity", "--output", "../activity.md"]);
    assert_eq!(sandbox.snapshot(), before);
    assert_eq!(sandbox.read("../activity.md"), said);
    // The options may stand on either side, and behind a list of files.
    let file = ["--file", ".telemetry/usage.csv", "activity", "--since", "2026-11-01"];
    let behind = sandbox.ok("usage-report", &["activity", "--since", "2026-11-01"]);
    assert_eq!(sandbox.ok("usage-report", &file), behind);
    assert_eq!(sandbox.ok("usage-report", &["--since", "2026-11-01", "activity"]), behind);
}

#[test]
fn what_is_there_decides_what_is_said() {
    let (events, _) = quarter(10);
    let lines: String = events[..30].iter().map(|it| format!("{it}\n")).collect();
    // Events without a ledger.
    let sandbox = Sandbox::repository();
    sandbox.write(".telemetry/events.jsonl", &lines);
    assert_eq!(activity(&sandbox, &[])["event_lines"], 30);
    // Neither.
    let sandbox = Sandbox::repository();
    let output = sandbox.run("usage-report", &["activity"]);
    assert!(text(&output.stderr).starts_with("error: no ledger here"));
    assert_eq!(output.status.code(), Some(1));
    // Two ledgers in one folder have the same events, and these count once.
    sandbox.write("a.csv", format!("{HEADER}\n"));
    sandbox.write("b.csv", format!("{HEADER}\n"));
    sandbox.write("events.jsonl", &lines);
    let report = activity(&sandbox, &["--file", "a.csv", "b.csv"]);
    assert_eq!((&report["event_lines"], &report["duplicates"]["events"]), (&json!(30), &json!(0)));
    // What only reports take is refused.
    for option in ["--weekly", "--committed", "--no-cache", "--model=x"] {
        let output = sandbox.run("usage-report", &[option, "activity"]);
        assert_eq!(output.status.code(), Some(2), "{option}");
        assert!(text(&output.stderr).contains("activity takes only --since"), "{option}");
    }
}
