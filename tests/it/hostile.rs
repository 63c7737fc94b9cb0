//! Text that would act on whoever reads a report: in every field that a report shows, and in every
//! format, it stays text.

use std::fs;
use std::os::unix::ffi::OsStrExt;

use usage_ledger::error::is_unprintable;
use usage_ledger::notes::line::is_formula;

use crate::sandbox::{HEADER, Sandbox, text};

/// What spreadsheets run, hosts of Markdown turn into links, mentions, images and HTML, and terminals
/// obey.
const HOSTILE: [&str; 17] = [
    "=HYPERLINK(\"http://x\")",
    "-5",
    "@someone",
    "a|b",
    "a\\|b <b>x</b> @someone",
    "<img src=x onerror=1>",
    "[x](javascript:1)",
    "```",
    "``` @someone ` <i> ``",
    "\u{1b}]52;c;Zm9v\u{7}",
    "left\u{202e}right",
    "one\rtwo",
    "c1\u{9b}31m",
    "line\u{2028}line\u{2029}line",
    "\u{e0041}hidden\u{200b}\u{feff}",
    "＝1+1",
    // So long that it is cut, with what ends a code span at either end.
    "`|<img src=x>@someone`|a|b|c|<img src=x onerror=1> and a long way to go until the other end of it \\|`@someone` <img src=x onerror=1>`|",
];

/// Whether nothing of it moves a cursor, reorders or hides text.
fn is_calm(shown: &str) -> bool {
    shown.split('\n').all(|line| !line.contains(is_unprintable))
}

/// The line without its code spans, read as CommonMark does.
fn without_code(line: &str) -> String {
    let mut prose = String::new();
    let mut rest = line;
    while let Some(at) = rest.find('`') {
        prose += &rest[..at];
        let run = rest[at..].bytes().take_while(|b| *b == b'`').count();
        let after = &rest[at + run..];
        let mut from = 0;
        let closing = loop {
            let Some(next) = after[from..].find('`').map(|it| it + from) else { break None };
            let length = after[next..].bytes().take_while(|b| *b == b'`').count();
            if length == run {
                break Some(next + run);
            }
            from = next + length;
        };
        match closing {
            Some(end) => rest = &after[end..],
            None => {
                prose += &rest[at..at + run];
                rest = after;
            }
        }
    }
    prose + rest
}

/// The cells of a line of a table: a `|` ends one unless a backslash stands before it. Readers differ
/// in whether one backslash escapes another, so there are two answers.
fn cells(line: &str) -> [Vec<String>; 2] {
    [false, true].map(|has_pairs| {
        let mut cells = vec![String::new()];
        let mut is_escaped = false;
        for c in line.chars() {
            if c == '|' && !is_escaped {
                cells.push(String::new());
                continue;
            }
            is_escaped = c == '\\' && !(has_pairs && is_escaped);
            cells.last_mut().unwrap().push(c);
        }
        cells
    })
}

/// Fails unless the Markdown is tables of one width each, and nothing acts outside of code spans.
fn assert_markdown_is_calm(shown: &str) {
    assert!(is_calm(shown), "{shown:?}");
    let mut width = 0;
    for line in shown.lines() {
        let parts = match line.starts_with('|') {
            true => {
                let [one, other] = cells(line);
                assert_eq!(one, other, "read in two ways: {line}");
                assert!(
                    width == 0 || one.len() == width,
                    "{} cells, not {width}: {line}",
                    one.len()
                );
                width = one.len();
                one
            }
            false => {
                width = 0;
                vec![line.to_owned()]
            }
        };
        for part in parts {
            let prose = without_code(&part);
            let own = ["<details><summary>By task type</summary>", "</details>"];
            let prose = own.iter().fold(prose, |prose, own| prose.replace(own, ""));
            for acts in ["<", "@", "](", "![", "javascript", "http", "`"] {
                assert!(!prose.contains(acts), "{acts} in {prose:?} of {line}");
            }
        }
    }
}

/// What is in the JSON's strings, and that the bytes are calm.
fn json(sandbox: &Sandbox, arguments: &[&str]) -> serde_json::Value {
    let printed = sandbox.ok("usage-report", &[arguments, &["--format", "json"]].concat());
    assert!(is_calm(&printed), "{printed:?}");
    serde_json::from_str(&printed).unwrap()
}

/// The records of the CSV.
fn csv(printed: &str) -> Vec<Vec<String>> {
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(printed.as_bytes());
    reader.records().map(|it| it.unwrap().iter().map(str::to_owned).collect()).collect()
}

/// Runs the report in every format; gives the keys of its first grouping as JSON has them.
fn assert_report_is_calm(sandbox: &Sandbox, arguments: &[&str]) -> serde_json::Value {
    let with = |more: &[&'static str]| [arguments, more].concat();
    assert_markdown_is_calm(&sandbox.ok("usage-report", arguments));
    let shown = sandbox.ok("usage-report", &with(&["--format", "table"]));
    assert!(is_calm(&shown), "{shown:?}");
    let raw = csv(&sandbox.ok("usage-report", &with(&["--format", "csv"])));
    let guarded = sandbox.ok("usage-report", &with(&["--for-spreadsheet"]));
    assert!(is_calm(&guarded), "{guarded:?}");
    let guarded = csv(&guarded);
    assert_eq!((raw[0][1].as_str(), guarded[0][1].as_str()), ("key", "key_for_spreadsheet"));
    assert_eq!(raw.len(), guarded.len());
    for (raw, guarded) in raw.iter().zip(&guarded).skip(1) {
        for (raw, guarded) in raw.iter().zip(guarded) {
            assert!(!is_formula(guarded), "{guarded:?}");
            let is_text = raw.parse::<f64>().is_err();
            assert!(is_text || raw == guarded, "the number {raw} became {guarded}");
        }
    }
    json(sandbox, arguments)
}

/// The strings that a report of that grouping names.
fn named(report: &serde_json::Value, by: &str, key: &str) -> Vec<String> {
    let groups = report[format!("by_{by}")].as_array().unwrap();
    groups.iter().filter_map(|it| it[key].as_str().map(str::to_owned)).collect()
}

#[test]
fn what_git_says_of_rows_stays_text() {
    let sandbox = Sandbox::repository();
    for (at, hostile) in HOSTILE.iter().enumerate() {
        let row = format!("2026-01-{:02}T10:00:00Z,m,{at},10,true,execute,5000,", at + 1);
        sandbox.add_rows(&[&row]);
        sandbox.git(["add", "--all"]);
        let message = format!("Merge pull request #{at} from me/{hostile}\n\n{hostile}\n");
        let mut command = sandbox.command("git");
        command.args(["commit", "--quiet", "--cleanup=verbatim", "--file=-"]);
        command.env("GIT_AUTHOR_NAME", format!("A {hostile}")).write_stdin(message);
        assert!(command.output().unwrap().status.success());
    }
    let report = assert_report_is_calm(&sandbox, &["--by", "pr,branch,author,commit"]);
    // A program gets the words as git has them.
    for words in HOSTILE {
        let title = words.trim();
        assert!(named(&report, "pr", "title").iter().any(|it| it == title), "{words:?}");
        let subject = format!("/{words}");
        assert!(named(&report, "commit", "subject").iter().any(|it| it.ends_with(&subject)));
        assert!(named(&report, "branch", "branch").contains(&words.to_owned()), "{words:?}");
    }
    let printed = sandbox.ok("usage-report", &["--by", "branch", "--for-spreadsheet"]);
    for guarded in
        ["\"'=HYPERLINK(\"\"http://x\"\")\",", "\n\"branch\",-5,", "\"'@someone\",", "\"'＝1+1\","]
    {
        assert!(printed.contains(guarded), "{guarded}: {printed}");
    }
}

#[test]
fn what_stands_in_rows_stays_text() {
    let rows = HOSTILE.iter().enumerate().map(|(at, hostile)| {
        let quoted = format!("\"{}\"", hostile.replace('"', "\"\""));
        let time = format!("2026-01-{:02}T10:00:00Z", at + 1);
        // A row that is read, with the words in its notes; and one that is not, with them as its model.
        format!("{time},m,1,2,true,plan,3,{quoted}\n{time},{quoted},1,2,true,plan,3,\n")
    });
    let sandbox = Sandbox::repository();
    sandbox.write(".telemetry/usage.csv", format!("{HEADER}\n{}", rows.collect::<String>()));
    let report = assert_report_is_calm(&sandbox, &[]);
    // None of them may be a model's name.
    assert_eq!(report["skipped"]["rows"], HOSTILE.len());
    let output = sandbox.run("usage-report", &["verify"]);
    let shown = text(&output.stdout);
    assert_eq!(output.status.code(), Some(1));
    assert!(is_calm(&shown), "{shown:?}");
    let listed = sandbox.ok("log-usage", &["amend", "--list", "100"]);
    assert!(is_calm(&listed) && listed.contains("=HYPERLINK"), "{listed:?}");
    for hostile in HOSTILE {
        // Messages repeat arguments.
        for arguments in [
            &[hostile, "1", "2", "true", "plan", "3"][..],
            &["m", hostile, "2", "true", "plan", "3"],
            &["m", "1", "2", hostile, "plan", "3"],
            &["m", "1", "2", "maybe", "plan", "3", hostile],
            &["m", "1", "2", "true", "plan", "3", "notes", hostile],
            &["m", "1", "2", "true", "plan", "3", "--tag", hostile],
            &["amend", hostile],
            &["amend", "--last", "--tag", hostile],
            &["redact", "--check", hostile],
            &["prune", "--before", hostile],
        ] {
            let output = sandbox.run("log-usage", arguments);
            assert_ne!(output.status.code(), Some(0), "{arguments:?}");
            assert!(is_calm(&text(&output.stderr)), "{:?}", text(&output.stderr));
        }
        for arguments in [["--model", hostile], ["--since", hostile], ["--range", hostile]] {
            let output = sandbox.run("usage-report", &arguments);
            assert_markdown_is_calm(&text(&output.stdout));
            assert!(is_calm(&text(&output.stderr)), "{:?}", text(&output.stderr));
        }
    }
}

/// Words of tags take no brackets, but some of what mentions and formulas begin with.
#[test]
fn tags_stay_text() {
    let sandbox = Sandbox::with_rows(&[
        "2026-01-01T10:00:00Z,m,1,2,true,plan,3,{source=@someone user=@someone}",
        "2026-01-02T10:00:00Z,m,1,2,true,plan,3,{source=-5 user=-5}",
        "2026-01-03T10:00:00Z,x/@someone,1,2,true,plan,3,{source=+1+1 user=__x__}",
        "2026-01-04T10:00:00Z,claude[1m],1,2,true,plan,3,{source=https://x.example user=www.x.example}",
    ]);
    let report = assert_report_is_calm(&sandbox, &["--by", "source,user,model"]);
    assert!(named(&report, "source", "source").contains(&"@someone".to_owned()));
    let printed = sandbox.ok("usage-report", &["--by", "source", "--for-spreadsheet"]);
    for guarded in ["\"'@someone\",", "\"'+1+1\",", "\"source\",-5,", "\"https://x.example\","] {
        assert!(printed.contains(guarded), "{guarded}: {printed}");
    }
}

#[test]
fn names_of_files_stay_text() {
    let sandbox = Sandbox::new();
    let row = |at: usize| {
        format!("{HEADER}\n2026-01-01T10:00:00Z,m,{at},2,true,plan,3,\n<<<<<<< HEAD\nbroken\n")
    };
    let mut paths = vec!["plain.csv".to_owned()];
    for hostile in HOSTILE {
        // No name holds a slash; and what begins with - would be an option.
        let name = format!("./{}.csv", hostile.replace('/', "_"));
        let folder = format!("./{}", hostile.replace('/', "_"));
        paths.extend([name, format!("{folder}/u.csv")]);
    }
    for (at, path) in paths.iter().enumerate() {
        sandbox.write(path, row(at));
    }
    let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
    let all = [&["--file"], &paths[..]].concat();
    let report = assert_report_is_calm(&sandbox, &[&["--by", "file"], &all[..]].concat());
    assert_eq!(named(&report, "file", "file").len(), paths.len());
    for path in &paths {
        let one = ["--file", path];
        assert_report_is_calm(&sandbox, &one);
        let output = sandbox.run("usage-report", &[&["verify"], &one[..]].concat());
        assert!(is_calm(&text(&output.stdout)), "{:?}", text(&output.stdout));
        let missing = format!("{path}.missing");
        let output = sandbox.run("usage-report", &["--file", &missing]);
        assert!(is_calm(&text(&output.stderr)), "{:?}", text(&output.stderr));
    }
    let output = sandbox.run("usage-report", &[&["verify"], &all[..]].concat());
    assert!(is_calm(&text(&output.stdout)), "{:?}", text(&output.stdout));
    // A name that is no UTF-8 is one all the same.
    let odd = std::ffi::OsStr::from_bytes(b"odd\xff\x9b.csv");
    fs::write(sandbox.path(odd), row(0)).unwrap();
    let output = sandbox.command("usage-report").arg("--file").arg(odd).output().unwrap();
    assert_markdown_is_calm(&text(&output.stdout));
}

/// git lets branches have such names.
#[test]
fn names_of_branches_stay_text() {
    let sandbox = Sandbox::repository();
    sandbox.add_rows(&["2026-01-01T10:00:00Z,m,1,2,true,plan,3,"]);
    sandbox.commit("2026-01-01", "first");
    for name in ["a|b", "<img>", "@someone", "=1+1", "```", "x`@someone`|<i>"] {
        sandbox.git(["checkout", "--quiet", "-b", name, "main"]);
        sandbox.add_rows(&["2026-01-02T10:00:00Z,m,1,2,true,plan,3,"]);
        sandbox.commit("2026-01-02", "second");
        let range = format!("main..{name}");
        assert_report_is_calm(&sandbox, &["--range", &range]);
        assert_report_is_calm(&sandbox, &["--range", &range, "--by", "branch,pr"]);
        assert_report_is_calm(&sandbox, &["--range", &range, "--model", "<b>"]);
        sandbox.git(["checkout", "--quiet", "main"]);
    }
    assert_report_is_calm(&sandbox, &["--all-branches", "--by", "branch"]);
}

#[test]
fn a_spreadsheet_is_csv_alone() {
    let sandbox = Sandbox::with_rows(&["2026-01-01T10:00:00Z,m,1,2,true,plan,3,"]);
    let output = sandbox.run("usage-report", &["--for-spreadsheet", "--format", "json"]);
    assert_eq!(output.status.code(), Some(2));
    let said = text(&output.stderr);
    assert!(said.starts_with("error: --for-spreadsheet is CSV, not json"), "{said}");
    let both = ["--for-spreadsheet", "--format", "csv"];
    let one = ["--for-spreadsheet"];
    assert_eq!(sandbox.ok("usage-report", &both), sandbox.ok("usage-report", &one));
}

/// CSV for programs is raw, but a terminal is none.
#[test]
fn raw_csv_is_calm_on_a_terminal() {
    let sandbox = Sandbox::new();
    if sandbox.command("script").arg("--version").ok().is_err() {
        eprintln!("SKIPPED raw_csv_is_calm_on_a_terminal: no script on this machine");
        return;
    }
    let row = "2026-01-01T10:00:00Z,m,1,2,true,plan,3,";
    sandbox.write("\u{1b}]52;c;Zm9v\u{7}.csv", format!("{HEADER}\n{row}\n"));
    let line = "usage-report --by file --format csv --file *.csv";
    assert!(sandbox.ok("sh", &["-c", line]).contains("\nfile,\u{1b}]52;"));
    let shown = sandbox.ok("script", &["-qec", line, "/dev/null"]);
    assert!(shown.contains("file,\u{fffd}]52;c;Zm9v\u{fffd}.csv,1,"), "{shown:?}");
    assert!(is_calm(&shown.replace('\r', "")), "{shown:?}");
}

#[test]
fn notes_that_begin_as_formulas_are_told_of() {
    let sandbox = Sandbox::with_rows(&[
        "2026-01-01T10:00:00Z,m,1,2,true,plan,3,plain",
        "2026-01-02T10:00:00Z,m,1,2,true,plan,3,=1+1",
        "2026-01-03T10:00:00Z,m,1,2,true,plan,3,-5",
        "2026-01-04T10:00:00Z,m,1,2,true,plan,3,@someone",
    ]);
    let shown = sandbox.ok("usage-report", &["verify"]);
    let expected = "4 rows in 1 file: nothing found\nnote: 2 rows have notes that begin as formulas do \
                    (the first: usage.csv:3): import that column of a spreadsheet as text\n";
    assert_eq!(shown, expected);
}
