//! `log-usage import`: the conformance set, transcripts of which the truth is known, and what must
//! never happen.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::time::{Duration, SystemTime};

use crate::sandbox::{HEADER, Sandbox, text};
use crate::transcripts::{self, Truth};

fn home(sandbox: &Sandbox) -> PathBuf {
    sandbox.path("../home")
}

/// Where the repository is in the transcripts of the conformance set.
const DEMO: &str = "/w/demo";

/// When every file of the set was changed last: 2026-11-06T12:00:00Z.
const CHANGED: Duration = Duration::from_secs(1_793_966_400);

/// The cases of the conformance set: a source and a name each.
fn cases() -> Vec<PathBuf> {
    let set = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/transcripts");
    let folders = |path: &Path| {
        let entries = fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path());
        let mut folders: Vec<PathBuf> = entries.filter(|path| path.is_dir()).collect();
        folders.sort();
        folders
    };
    folders(&set).iter().flat_map(|source| folders(source)).collect()
}

/// Not all bytes of a broken transcript are UTF-8.
fn replaced(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let (mut out, mut at) = (Vec::new(), 0);
    while at < bytes.len() {
        if bytes[at..].starts_with(from) {
            out.extend_from_slice(to);
            at += from.len();
        } else {
            out.push(bytes[at]);
            at += 1;
        }
    }
    out
}

/// Copies files; the folder of the set becomes that of the sandbox.
fn copy(from: &Path, to: &Path, root: &str) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap();
        if path.is_dir() {
            copy(&path, &to.join(name), root);
        } else {
            let bytes = fs::read(&path).unwrap();
            let bytes = replaced(&bytes, DEMO.as_bytes(), root.as_bytes());
            fs::write(to.join(name), bytes).unwrap();
            let file = fs::File::options().append(true).open(to.join(name)).unwrap();
            file.set_modified(SystemTime::UNIX_EPOCH + CHANGED).unwrap();
        }
    }
}

#[test]
fn the_conformance_set_gives_exactly_these_rows() {
    let cases = cases();
    assert!(cases.len() >= 10, "the test has lost its eyes: {}", cases.len());
    let mut differences = String::new();
    for case in cases {
        let sandbox = Sandbox::repository();
        let root = fs::canonicalize(sandbox.path("")).unwrap();
        copy(&case.join("home"), &home(&sandbox), &root.to_string_lossy());
        let source = case.parent().unwrap().file_name().unwrap().to_str().unwrap().to_owned();
        let mut arguments = vec!["import", "--explain", &source];
        let home = fs::canonicalize(home(&sandbox)).unwrap();
        let named = home.join("named").to_string_lossy().into_owned();
        if Path::new(&named).exists() {
            arguments.extend(["--from", &named]);
        }
        let output = sandbox.run("log-usage", &arguments);
        assert!(output.status.success(), "{}: {}", case.display(), text(&output.stderr));
        assert_eq!(text(&output.stdout), "");
        let mut rows = match sandbox.path(".telemetry/usage.csv").exists() {
            true => sandbox.rows(),
            false => Vec::new(),
        };
        rows.sort();
        let said = text(&output.stderr)
            .replace(&home.to_string_lossy().into_owned(), "~")
            .replace(&root.to_string_lossy().into_owned(), DEMO);
        // A path that is longer here makes longer files.
        let said: Vec<&str> = said.lines().filter(|line| !line.starts_with("  read ")).collect();
        let rows =
            format!("{HEADER}\n{}", rows.iter().map(|row| format!("{row}\n")).collect::<String>());
        for (name, found) in [("expected.csv", rows), ("explained.txt", said.join("\n") + "\n")] {
            let path = case.join(name);
            if std::env::var_os("UPDATE_GOLDEN").is_some() {
                fs::write(&path, &found).unwrap();
            } else if fs::read_to_string(&path).unwrap_or_default() != found {
                differences += &format!("{}:\n{found}\n", path.display());
            }
        }
        // Whatever it is, it is there now.
        let before = sandbox.snapshot();
        sandbox.ok("log-usage", &arguments);
        assert_eq!(sandbox.snapshot(), before, "{}", case.display());
    }
    assert!(differences.is_empty(), "{differences}");
}

#[test]
fn every_case_of_the_conformance_set_is_explained() {
    let set = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/transcripts");
    let readme = fs::read_to_string(set.join("README.md")).unwrap();
    for case in cases() {
        let name = case.file_name().unwrap().to_str().unwrap();
        assert!(readme.contains(&format!("| `{name}` | ")), "{name}");
    }
    let listed = readme.lines().filter(|line| line.starts_with("| `")).count();
    assert_eq!(listed, cases().len());
}

/// What the ledger says in sum.
fn sums(rows: &[String]) -> Truth {
    let mut truth = Truth::default();
    for row in rows {
        let fields: Vec<&str> = row.split(',').collect();
        let count = |at: usize| fields[at].parse::<u64>().unwrap();
        let tag = |key: &str| {
            let words = fields[7].trim_matches(['{', '}']).split(' ');
            let values = words.filter_map(|word| word.split_once('='));
            values
                .filter(|(name, _)| *name == key)
                .map(|(_, it)| it.parse::<u64>().unwrap())
                .sum::<u64>()
        };
        truth.prompt += count(2);
        truth.completion += count(3);
        truth.cache_read += tag("cache_read");
        truth.cache_write += tag("cache_write");
        truth.cache_write_1h += tag("cache_write_1h");
        truth.responses += tag("requests");
        let of_model = truth.by_model.entry(fields[1].to_owned()).or_default();
        of_model.0 += count(2);
        of_model.1 += count(3);
    }
    truth
}

fn root(sandbox: &Sandbox) -> String {
    fs::canonicalize(sandbox.path("")).unwrap().to_string_lossy().into_owned()
}

#[test]
fn sums_are_the_truth_to_the_token() {
    for seed in 1..=5 {
        let sandbox = Sandbox::repository();
        let here = root(&sandbox);
        let [truth, other] =
            transcripts::claude_code(&home(&sandbox), [&here, "/w/elsewhere"], 150, 60, seed);
        let output = sandbox.run("log-usage", &["import", "--explain"]);
        assert!(output.status.success());
        let said = text(&output.stderr);
        let malformed = truth.malformed + other.malformed;
        assert_eq!(said.matches("left out").count() as u64, malformed, "{said}");
        assert_eq!(sums(&sandbox.rows()), Truth { malformed: 0, ..truth }, "seed {seed}");
        let before = sandbox.snapshot();
        sandbox.ok("log-usage", &["import"]);
        sandbox.ok("log-usage", &["import", "--refresh"]);
        assert_eq!(sandbox.snapshot(), before);
        // Every folder's turns go into a ledger of one's own.
        sandbox.ok("log-usage", &["import", "--all-projects", "--personal"]);
        let mine = home(&sandbox).join(".local/share/usage-ledger/usage.csv");
        let mine: Vec<String> =
            fs::read_to_string(mine).unwrap().lines().skip(1).map(str::to_owned).collect();
        let all = sums(&mine);
        assert_eq!(all.prompt, sums(&sandbox.rows()).prompt + other.prompt);
        assert_eq!(all.completion, sums(&sandbox.rows()).completion + other.completion);
    }
}

#[test]
fn one_row_for_a_session_or_a_request_sums_up_to_the_same() {
    for grain in ["session", "request"] {
        let sandbox = Sandbox::repository();
        let here = root(&sandbox);
        let [truth, _] =
            transcripts::claude_code(&home(&sandbox), [&here, "/w/elsewhere"], 80, 60, 7);
        sandbox.ok("log-usage", &["import", "--group", grain]);
        assert_eq!(sums(&sandbox.rows()), Truth { malformed: 0, ..truth }, "{grain}");
        // The same tokens in rows of another grain would be counted twice.
        let output = sandbox.run("log-usage", &["import"]);
        assert_eq!(output.status.code(), Some(2));
        assert!(text(&output.stderr).contains(grain), "{}", text(&output.stderr));
    }
}

#[test]
fn two_clones_that_import_and_merge_count_once() {
    let sandbox = Sandbox::repository();
    let here = root(&sandbox);
    sandbox.write("a.txt", "a");
    sandbox.commit("2026-10-30", "begin");
    let [truth, _] = transcripts::claude_code(&home(&sandbox), [&here, "/w/elsewhere"], 60, 60, 3);
    sandbox.git(["clone", "--quiet", ".", "../clone"]);
    sandbox.ok("log-usage", &["import"]);
    sandbox.commit("2026-10-31", "rows of one");
    // The same person's transcripts, told to be of the clone, on a clock of another zone.
    let clone = sandbox.path("../clone");
    let mut command = sandbox.command("log-usage");
    command.current_dir(&clone).env("TZ", "Asia/Tokyo");
    let projects = home(&sandbox).join(".claude");
    let text_of = |path: &Path| fs::read_to_string(path).unwrap();
    let clone_root = fs::canonicalize(&clone).unwrap().to_string_lossy().into_owned();
    let mut folders = vec![projects];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => folders.push(path),
                false => {
                    let moved = text_of(&path).replace(
                        &format!("\"cwd\":\"{here}\""),
                        &format!("\"cwd\":\"{clone_root}\""),
                    );
                    fs::write(path, moved).unwrap();
                }
            }
        }
    }
    command.arg("import").assert().success();
    let git = |arguments: &[&str]| {
        let mut command = sandbox.command("git");
        command.current_dir(&clone).args(arguments).assert().success();
    };
    git(&["add", "--all"]);
    git(&["commit", "--quiet", "--message", "rows of the other"]);
    sandbox.git(["pull", "--quiet", "--no-rebase", "--no-edit", "../clone", "main"]);
    let json = sandbox.json(&[]);
    assert_eq!(json["totals"]["prompt_tokens"], truth.prompt);
    assert_eq!(json["totals"]["completion_tokens"], truth.completion);
}

fn session(name: &str, sandbox: &Sandbox, lines: &[String]) {
    let folder = home(sandbox).join(".claude/projects/p");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join(format!("{name}.jsonl")), lines.join("\n") + "\n").unwrap();
}

fn prompt(cwd: &str, at: &str, text: &str) -> String {
    format!(
        r#"{{"type":"user","sessionId":"s","cwd":"{cwd}","timestamp":"{at}","message":{{"content":"{text}"}}}}"#
    )
}

fn answer(cwd: &str, at: &str, id: &str, stop: &str) -> String {
    format!(
        r#"{{"type":"assistant","sessionId":"s","cwd":"{cwd}","timestamp":"{at}","message":{{"id":"{id}","model":"claude-opus-5-5","stop_reason":{stop},"content":[],"usage":{{"input_tokens":10,"output_tokens":5}}}}}}"#
    )
}

/// An end, a later prompt, or a day without a word; without an end it failed.
#[test]
fn only_finished_turns_are_taken() {
    let sandbox = Sandbox::repository();
    let here = root(&sandbox);
    // Nobody can have heard of it for a day.
    let first = [
        prompt(&here, "2199-01-01T10:00:00Z", "go"),
        answer(&here, "2199-01-01T10:00:05Z", "m1", "\"tool_use\""),
    ];
    session("s", &sandbox, &first);
    sandbox.ok("log-usage", &["import"]);
    assert!(!sandbox.path(".telemetry").exists());
    let second = [
        prompt(&here, "2199-01-01T11:00:00Z", "go on"),
        answer(&here, "2199-01-01T11:00:05Z", "m2", "\"end_turn\""),
    ];
    session("s", &sandbox, &[first.clone(), second.clone()].concat());
    sandbox.ok("log-usage", &["import"]);
    let rows = sandbox.rows();
    assert_eq!(rows.len(), 2);
    assert!(
        rows[0].contains(",false,quick,5000,") && rows[1].contains(",true,quick,5000,"),
        "{rows:?}"
    );
    let long_ago = first.map(|line| line.replace("2199", "2020"));
    session("t", &sandbox, &long_ago.map(|line| line.replace("m1", "m3")));
    sandbox.ok("log-usage", &["import"]);
    assert_eq!(sandbox.rows().len(), 3);
    assert!(sandbox.rows()[2].starts_with("2020-01-01T10:00:00Z,claude-opus-5-5,10,5,false,"));
}

/// A turn that grew is left as it is, unless somebody asks; what a person corrected stays so.
#[test]
fn a_turn_that_grew_is_revised_on_request() {
    let sandbox = Sandbox::repository();
    let here = root(&sandbox);
    let first = [
        prompt(&here, "2026-01-01T10:00:00Z", "go"),
        answer(&here, "2026-01-01T10:00:05Z", "m1", "\"end_turn\""),
    ];
    session("s", &sandbox, &first);
    sandbox.ok("log-usage", &["import"]);
    sandbox
        .ok("log-usage", &["amend", "--last", "--success", "false", "--notes", "broke the build"]);
    let more = [answer(&here, "2026-01-01T10:00:09Z", "m2", "\"end_turn\"")];
    session("s", &sandbox, &[&first[..], &more[..]].concat());
    sandbox.ok("log-usage", &["import"]);
    assert_eq!(sandbox.rows().len(), 2);
    sandbox.ok("log-usage", &["import", "--refresh"]);
    let rows = sandbox.rows();
    assert_eq!(rows.len(), 3);
    assert!(rows[2].contains(",20,10,false,quick,9000,broke the build {"), "{rows:?}");
    assert!(rows[2].contains(" rev=2 ") && rows[2].contains(" requests=2"), "{rows:?}");
    sandbox.ok("log-usage", &["import", "--refresh"]);
    assert_eq!(sandbox.rows(), rows);
    assert_eq!(sandbox.json(&[])["totals"]["prompt_tokens"], 20);
}

/// Numbers and the names of models: nothing that anybody wrote.
#[test]
fn secrets_of_a_transcript_stay_there() {
    let sandbox = Sandbox::repository();
    let here = root(&sandbox);
    let secrets = [
        "sk-ant-REDACTED",
        "ghp_abcdefghijklmnopqrstuvwxyz0123456789",
        "jane.doe@example.org",
        "hunter2hunter2",
        "topsecretbranch",
    ];
    let all = secrets.join(" ");
    let lines = [
        prompt(&here, "2026-01-01T10:00:00Z", &format!("password={all}")),
        answer(&here, "2026-01-01T10:00:05Z", "m1", "\"tool_use\"")
            .replace("\"content\":[]", &format!(
                "\"content\":[{{\"type\":\"tool_use\",\"id\":\"{all}\",\"name\":\"Bash {all}\",\"input\":{{\"command\":\"test {all}\"}}}}]"
            ))
            .replace("\"sessionId\":\"s\"", &format!("\"sessionId\":\"{all}\",\"gitBranch\":\"{all}\"")),
        answer(&here, "2026-01-01T10:00:06Z", secrets[1], &format!("\"{all}\"")),
        answer(&here, "2026-01-01T10:00:07Z", "m3", "null")
            .replace("claude-opus-5-5", secrets[1]),
        answer(&here, "2026-01-01T10:00:08Z", "m4", "null").replace("claude-opus-5-5", &all),
        answer(&here, "2026-01-01T10:00:09Z", "m5", "\"end_turn\"")
            .replace("\"type\":\"assistant\"", &format!("\"type\":\"assistant\",\"isApiErrorMessage\":true,\"error\":\"{all}\"")),
        format!("{{\"type\":\"user\",\"{all}"),
    ];
    session("s", &sandbox, &lines);
    let output = sandbox.run("log-usage", &["import", "--explain"]);
    assert!(output.status.success());
    assert_eq!(sums(&sandbox.rows()).responses, 4, "{:?}", sandbox.rows());
    let state = home(&sandbox).join(".local/state/usage-ledger/import");
    let kept: Vec<u8> = fs::read_dir(state)
        .unwrap()
        .flat_map(|entry| fs::read(entry.unwrap().path()).unwrap())
        .collect();
    let written = [sandbox.read(".telemetry/usage.csv").into_bytes(), output.stderr, kept].concat();
    for secret in secrets {
        let found = written.windows(secret.len()).any(|it| it == secret.as_bytes());
        assert!(!found, "{secret}: {}", text(&written));
    }
}

/// A compressed rollout is read, or it is said that it was not.
#[test]
fn compressed_rollouts_are_not_passed_over_in_silence() {
    let sandbox = Sandbox::repository();
    let here = root(&sandbox);
    let set = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/transcripts/codex/worked-example/home/.codex/sessions/2026/11/03");
    let rollout = fs::read_dir(set).unwrap().next().unwrap().unwrap().path();
    let plain = replaced(&fs::read(rollout).unwrap(), DEMO.as_bytes(), here.as_bytes());
    // One frame with one block that is stored as it is.
    let size = plain.len() as u32;
    let mut frame = vec![0x28, 0xB5, 0x2F, 0xFD, 0xA0];
    frame.extend(size.to_le_bytes());
    frame.extend(&(size << 3 | 1).to_le_bytes()[..3]);
    frame.extend(&plain);
    let folder = home(&sandbox).join(".codex/sessions");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("rollout-a.jsonl.zst"), frame).unwrap();
    for _ in 0..2 {
        let output = sandbox.run("log-usage", &["import"]);
        assert!(output.status.success());
        match cfg!(feature = "zstd") {
            true => assert_eq!(sandbox.rows().len(), 2),
            false => {
                let said = text(&output.stderr);
                assert!(said.contains("rollout-a.jsonl.zst: is compressed"), "{said}");
            }
        }
    }
    // Beside the plain one it is the same.
    fs::write(folder.join("rollout-a.jsonl"), &plain).unwrap();
    let output = sandbox.run("log-usage", &["import"]);
    assert_eq!(text(&output.stderr), "");
    assert_eq!(sandbox.rows().len(), 2);
}

/// The database of opencode is read, or it is said that it was not.
#[test]
fn a_database_is_not_passed_over_in_silence() {
    let sandbox = Sandbox::repository();
    let folder = home(&sandbox).join(".local/share/opencode");
    fs::create_dir_all(&folder).unwrap();
    make_database(&folder.join("opencode.db"), &root(&sandbox));
    for _ in 0..2 {
        let output = sandbox.run("log-usage", &["import"]);
        assert!(output.status.success());
        match cfg!(feature = "sqlite") {
            true => {
                let row = "2026-11-04T08:00:00Z,gpt-5.6-sol,1300,50,true,discuss,20000,";
                assert!(sandbox.rows().len() == 1 && sandbox.rows()[0].starts_with(row));
            }
            false => {
                let said = text(&output.stderr);
                assert!(said.contains("opencode.db: is a database"), "{said}");
            }
        }
    }
}

#[cfg(feature = "sqlite")]
fn make_database(path: &Path, cwd: &str) {
    let database = rusqlite::Connection::open(path).unwrap();
    database.execute_batch("CREATE TABLE message (id TEXT, session_id TEXT, data TEXT)").unwrap();
    let begun = 1_793_779_200_000_u64;
    let messages = [
        ("m1", format!("{{\"role\":\"user\",\"time\":{{\"created\":{begun}}}}}")),
        (
            "m2",
            format!(
                "{{\"role\":\"assistant\",\"parentID\":\"m1\",\"modelID\":\"gpt-5.6-sol\",\"finish\":\"stop\",\
             \"path\":{{\"cwd\":\"{cwd}\"}},\"time\":{{\"created\":{},\"completed\":{}}},\"tokens\":{{\
             \"input\":100,\"output\":50,\"reasoning\":9,\"cache\":{{\"read\":1000,\"write\":200}}}}}}",
                begun + 1_000,
                begun + 20_000
            ),
        ),
    ];
    for (id, data) in messages {
        let row = rusqlite::params![id, "s", data];
        database.execute("INSERT INTO message VALUES (?1, ?2, ?3)", row).unwrap();
    }
}

#[cfg(not(feature = "sqlite"))]
fn make_database(path: &Path, _: &str) {
    fs::write(path, "SQLite format 3").unwrap();
}

fn refused(output: &Output, words: &str) {
    assert_eq!(output.status.code(), Some(2), "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains(words), "{}", text(&output.stderr));
}

#[test]
fn what_cannot_be_is_refused_and_nothing_is_made() {
    let sandbox = Sandbox::repository();
    refused(&sandbox.run("log-usage", &["import", "--all-projects"]), "--personal");
    refused(&sandbox.run("log-usage", &["import", "--from", "."]), "name one source");
    refused(&sandbox.run("log-usage", &["import", "--since", "soon"]), "--since");
    refused(&sandbox.run("log-usage", &["import", "claude"]), "claude-code");
    let output = sandbox.run("log-usage", &["import", "claude-code", "--from", "nowhere"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(!sandbox.path(".telemetry").exists());
    sandbox.write(".telemetry/config.toml", "tags = \"none\"\n");
    refused(&sandbox.run("log-usage", &["import"]), "again");
}

#[test]
fn switched_off_it_says_so_and_writes_nothing() {
    let sandbox = Sandbox::repository();
    let here = root(&sandbox);
    session(
        "s",
        &sandbox,
        &[
            prompt(&here, "2026-01-01T10:00:00Z", "go"),
            answer(&here, "2026-01-01T10:00:05Z", "m1", "\"end_turn\""),
        ],
    );
    let output =
        sandbox.command("log-usage").arg("import").env("LOG_USAGE_DISABLED", "1").output().unwrap();
    assert!(output.status.success());
    assert!(text(&output.stderr).contains("not logged: LOG_USAGE_DISABLED"));
    assert!(!sandbox.path(".telemetry").exists());
    let rows = sandbox.ok("log-usage", &["import", "--dry-run"]);
    assert!(rows.starts_with("2026-01-01T10:00:00Z,claude-opus-5-5,10,5,true,quick,5000,{source="));
    assert!(!sandbox.path(".telemetry").exists());
}

/// What was pruned does not come back, and rows that wait are there already.
#[test]
fn borders_and_rows_that_wait_are_respected() {
    let sandbox = Sandbox::repository();
    let here = root(&sandbox);
    let day = |day: &str| {
        [
            prompt(&here, &format!("{day}T10:00:00Z"), "go"),
            answer(&here, &format!("{day}T10:00:05Z"), &format!("m{day}"), "\"end_turn\""),
        ]
    };
    session("s", &sandbox, &[day("2026-01-01"), day("2026-03-01"), day("2026-05-01")].concat());
    sandbox.write(".telemetry/pruned", "2026-02-01\n");
    sandbox.ok("log-usage", &["import", "--since", "2026-04-01"]);
    assert_eq!(sandbox.rows().len(), 1);
    sandbox.ok("log-usage", &["import"]);
    assert_eq!(sandbox.rows().len(), 2);
    let output = sandbox.run("log-usage", &["import", "--explain"]);
    let said = text(&output.stderr);
    assert!(said.contains("1 row from before what was pruned"), "{said}");
    assert!(said.contains("2 already there"), "{said}");
}

#[test]
fn rows_that_wait_for_a_commit_are_not_imported_again() {
    let sandbox = Sandbox::repository();
    let here = root(&sandbox);
    sandbox.ok("log-usage", &["hooks", "install"]);
    session(
        "s",
        &sandbox,
        &[
            prompt(&here, "2026-01-01T10:00:00Z", "go"),
            answer(&here, "2026-01-01T10:00:05Z", "m1", "\"end_turn\""),
        ],
    );
    for _ in 0..2 {
        sandbox.ok("log-usage", &["import", "--explain"]);
        let json = sandbox.json(&["--keep-duplicates"]);
        assert_eq!(json["totals"]["prompt_tokens"], 10);
    }
}

/// The ledger says what is there; the cursor only saves work.
#[test]
fn what_did_not_change_is_not_read_again() {
    let sandbox = Sandbox::repository();
    let here = root(&sandbox);
    let lines = |id: &str| {
        vec![
            prompt(&here, "2026-01-01T10:00:00Z", "go"),
            answer(&here, "2026-01-01T10:00:05Z", id, "\"end_turn\""),
        ]
    };
    session("s", &sandbox, &lines("m1"));
    let path = home(&sandbox).join(".claude/projects/p/s.jsonl");
    // What was changed a moment ago may be changing still.
    let old = SystemTime::now() - Duration::from_secs(60);
    let age = || fs::File::options().append(true).open(&path).unwrap().set_modified(old).unwrap();
    age();
    sandbox.ok("log-usage", &["import"]);
    let row = sandbox.read(".telemetry/usage.csv");
    // Of the same length and time, it is taken for the same: so nobody read it.
    let other = lines("m2").join("\n") + "\n";
    fs::write(&path, other).unwrap();
    age();
    sandbox.ok("log-usage", &["import"]);
    assert_eq!(sandbox.read(".telemetry/usage.csv"), row);
    // On a branch without the row it is read after all.
    fs::remove_file(sandbox.path(".telemetry/usage.csv")).unwrap();
    sandbox.ok("log-usage", &["import"]);
    assert_ne!(sandbox.read(".telemetry/usage.csv"), row);
    assert_eq!(sandbox.rows().len(), 1);
}
