//! What a command was told and what it answered: encrypted by the real `age` and read back by it, or not
//! kept at all.

use std::ffi::OsString;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

use serde_json::Value;
use tempfile::TempDir;
use usage_ledger::privacy::capture::{
    FIELDS, OUTPUT_BYTES_MAX, Output, PATIENCE, Settings, Site, captures,
};
use usage_ledger::redact::Redactor;
use usage_ledger::redact::hit::Hit;
use usage_ledger::timestamp::Timestamp;

use crate::sandbox::{Sandbox, text};

const SESSION: &str = "s_cipryyl4yd775235";

/// A folder with keys of age, and settings for their recipients.
struct Keys {
    folder: TempDir,
    settings: Settings,
}

impl Keys {
    /// As many keys; None, which is said, where there is no age.
    fn new(test: &str, count: usize) -> Option<Keys> {
        let folder = tempfile::tempdir().unwrap();
        let mut recipients = Vec::new();
        for n in 0..count {
            let mut keygen = Command::new("age-keygen");
            keygen.arg("-o").arg(folder.path().join(n.to_string())).stderr(Stdio::null());
            if keygen.status().is_err() {
                eprintln!("SKIPPED {test}: no age on this machine");
                return None;
            }
            let text = fs::read_to_string(folder.path().join(n.to_string())).unwrap();
            let recipient = text.lines().find_map(|line| line.strip_prefix("# public key: "));
            recipients.push(recipient.unwrap().to_owned());
        }
        Some(Keys { folder, settings: Settings { recipients, keep: None } })
    }

    /// What the holder of that key reads in a capture.
    fn read(&self, key: usize, capture: &Path) -> Vec<Value> {
        let mut age = Command::new("age");
        age.arg("-d").arg("-i").arg(self.folder.path().join(key.to_string())).arg(capture);
        let output = age.output().unwrap();
        assert!(output.status.success(), "{}", text(&output.stderr));
        text(&output.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

fn site<'a>(folder: &'a Path, settings: &'a Settings, age: &'a str) -> Site<'a> {
    Site {
        folder,
        settings,
        age: age.as_ref(),
        output_bytes_max: OUTPUT_BYTES_MAX,
        patience: PATIENCE,
    }
}

fn find(bytes: &[u8]) -> Vec<Hit> {
    Redactor::default().find(bytes)
}

fn now() -> Timestamp {
    chrono::Local::now().fixed_offset().into()
}

fn words(words: &[&str]) -> Vec<OsString> {
    words.iter().map(OsString::from).collect()
}

/// Captures one command that said this, in two writes.
fn capture(site: &Site<'_>, said: &[u8]) -> PathBuf {
    let command = words(&["curl", "-u", "bob:Tr0ub4dor3x", "https://example.org"]);
    let mut capture = site.start(SESSION, &command, now(), &find).unwrap();
    capture.write(Output::Out, &said[..said.len() / 2]);
    capture.write(Output::Err, b"warning: \x1b[31mred\x1b[0m\n");
    capture.write(Output::Out, &said[said.len() / 2..]);
    capture.finish(Some(3)).unwrap()
}

#[test]
fn each_recipient_reads_it_without_secrets_and_nobody_else_reads_it() {
    let Some(keys) = Keys::new("each_recipient_reads_it", 3) else { return };
    let settings = Settings { recipients: keys.settings.recipients[..2].to_vec(), keep: None };
    let sandbox = Sandbox::repository();
    let folder = sandbox.path(".telemetry/capture");
    let key = format!("sk-ant-{}", "Ab1Cd2Ef3".repeat(4));
    let said = format!("the key {key} and caf\u{e9} are said\n");
    let path = capture(&site(&folder, &settings, "age"), said.as_bytes());
    assert_eq!(path, folder.join(format!("{SESSION}-1.jsonl.age")));
    for reader in 0..2 {
        let lines = keys.read(reader, &path);
        assert_eq!(lines[0]["schema"], "usage-ledger-capture/1");
        assert_eq!(lines[0]["session"], SESSION);
        let command = "curl -u bob:[redacted:auth-header] https://example.org";
        assert_eq!(lines[0]["command"], command);
        let said = |name: &str| -> String {
            let lines = lines.iter().filter(|line| line["stream"] == name);
            lines.map(|line| line["text"].as_str().unwrap()).collect()
        };
        assert_eq!(said("stdout"), "the key [redacted:anthropic-key] and caf\u{e9} are said\n");
        assert_eq!(said("stderr"), "warning: \x1b[31mred\x1b[0m\n");
        assert_eq!(lines.last().unwrap(), &serde_json::json!({ "exit": 3 }));
    }
    let mut age = Command::new("age");
    age.arg("-d").arg("-i").arg(keys.folder.path().join("2")).arg(&path);
    assert!(!age.output().unwrap().status.success(), "no recipient of it reads it");
    let bytes = fs::read(&path).unwrap();
    for word in ["curl", "caf", "warning", SESSION] {
        assert!(!bytes.windows(word.len()).any(|it| it == word.as_bytes()), "{word}");
    }
}

#[cfg(unix)]
#[test]
fn captures_are_their_owners_alone_and_git_ignores_them() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let Some(keys) = Keys::new("captures_are_their_owners_alone", 1) else { return };
    let sandbox = Sandbox::repository();
    // A repository of old: its own rules know nothing of captures.
    sandbox.write(".telemetry/.gitignore", "");
    let folder = sandbox.path(".telemetry/capture");
    let site = site(&folder, &keys.settings, "age");
    let [first, second] = ["one", "two"].map(|said| capture(&site, said.as_bytes()));
    assert!(second.ends_with(format!("{SESSION}-2.jsonl.age")));
    assert_eq!(captures(&folder).unwrap(), [first.clone(), second]);
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&folder), mode(&first)), (0o700, 0o600));
    let unknown = sandbox.git(["status", "--porcelain", "--untracked-files=all"]);
    assert_eq!(unknown, "?? .telemetry/.gitignore\n");
    // Whoever commits a link there would choose where captures go.
    let elsewhere = sandbox.path("elsewhere");
    fs::rename(&folder, &elsewhere).unwrap();
    symlink(&elsewhere, &folder).unwrap();
    let refused = site.start(SESSION, &words(&["true"]), now(), &find).err().unwrap();
    assert!(refused.to_string().contains("it is a link"), "{refused}");
    assert_eq!(captures(&elsewhere).unwrap().len(), 2);
}

#[test]
fn nothing_is_ever_captured_in_plain_text() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().join("capture");
    let refused = |settings: &Settings, age: &str| {
        let site = site(&folder, settings, age);
        let error = site.start(SESSION, &words(&["true"]), now(), &find).err().unwrap();
        assert!(!folder.exists());
        assert_eq!(error.exit_code(), 2);
        error.to_string()
    };
    let error = refused(&Settings::default(), "age");
    assert!(error.starts_with("error: nothing can be captured: no recipient is set"), "{error}");
    let recipient = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p".to_owned();
    let settings = Settings { recipients: vec![recipient.clone()], keep: None };
    let error = refused(&settings, "/nowhere/age");
    assert!(error.starts_with("error: nothing can be captured: there is no age"), "{error}");
    if Keys::new("nothing_is_ever_captured_in_plain_text (a key with a slip)", 1).is_some() {
        let slip = Settings { recipients: vec![recipient.replace("cac8p", "cac8q")], keep: None };
        let error = refused(&slip, "age");
        assert!(error.starts_with("error: nothing can be captured: age refuses: "), "{error}");
    }
}

/// An `age` that encrypts nothing, for what the real one does only when a disk is full.
#[cfg(unix)]
#[test]
fn a_capture_that_fails_leaves_nothing_and_stops_nobody() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("capture");
    let settings = Settings { recipients: vec!["age1".repeat(8)], keep: None };
    for fails in ["read -r line && exit 1; exit 0", "read -r line && cat >&2 && exit 7; exit 0"] {
        let age = fake_age(root.path(), fails);
        let site = site(&folder, &settings, &age);
        let mut capture = site.start(SESSION, &words(&["true"]), now(), &find).unwrap();
        for _ in 0..200 {
            capture.write(Output::Out, &[b'x'; 16 << 10]);
        }
        let error = capture.finish(Some(0)).unwrap_err().to_string();
        assert!(error.starts_with("error: cannot encrypt "), "{error}");
        assert_eq!(captures(&folder).unwrap(), [""; 0].map(PathBuf::from));
    }
}

/// An `age` that encrypts, and hangs before it reads or after; as a script it leaves a child behind that
/// holds its pipe.
#[cfg(unix)]
#[test]
fn an_age_that_hangs_is_not_waited_for() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("capture");
    let settings = Settings { recipients: vec!["age1".repeat(8)], keep: None };
    for hangs in ["read -r line || exit 0; sleep 60", "read -r line || exit 0; cat; exec sleep 60"]
    {
        let age = fake_age(root.path(), hangs);
        let site = Site { patience: Duration::from_millis(300), ..site(&folder, &settings, &age) };
        for said in [0, 200] {
            let mut capture = site.start(SESSION, &words(&["true"]), now(), &find).unwrap();
            for _ in 0..said {
                capture.write(Output::Out, &[b'x'; 16 << 10]);
            }
            let error = capture.finish(Some(0)).unwrap_err().to_string();
            assert!(error.contains("age hangs: "), "{error}");
            assert_eq!(captures(&folder).unwrap(), [""; 0].map(PathBuf::from));
        }
    }
    // One that hangs before anything is run keeps it from being run.
    let age = fake_age(root.path(), "exec sleep 60");
    let site = Site { patience: Duration::from_millis(300), ..site(&folder, &settings, &age) };
    let error = site.start(SESSION, &words(&["true"]), now(), &find).err().unwrap().to_string();
    assert!(error.contains("age hangs: "), "{error}");
}

/// It is made by another process: one of ours that forks meanwhile would hold it open.
#[cfg(unix)]
fn fake_age(folder: &Path, does: &str) -> String {
    use std::os::unix::fs::PermissionsExt;
    let age = folder.join("age");
    let script = format!("printf '#!/bin/sh\n{does}\n' > {}", age.display());
    assert!(Command::new("sh").args(["-c", &script]).status().unwrap().success());
    fs::set_permissions(&age, fs::Permissions::from_mode(0o755)).unwrap();
    age.to_str().unwrap().to_owned()
}

#[cfg(unix)]
#[test]
fn a_command_keeps_its_exit_code_where_age_hangs() {
    let sandbox = Sandbox::repository();
    let folder = sandbox.path("../programs");
    fs::create_dir(&folder).unwrap();
    fake_age(&folder, "read -r line || exit 0; exec sleep 60");
    let settings = format!("[capture]\nrecipients = [\"{}\"]\n", "age1".repeat(8));
    sandbox.write(".telemetry/config.toml", settings);
    sandbox.ok("log-usage", &["consent", "grant", "capture"]);
    let path = std::env::join_paths(
        [folder].into_iter().chain(std::env::split_paths(&std::env::var_os("PATH").unwrap())),
    );
    let mut command = sandbox.command("log-usage");
    let command = command.env("PATH", path.unwrap()).timeout(PATIENCE * 5);
    let output = command.args(["run", "--capture", "--", "sh", "-c", "exit 7"]).output().unwrap();
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(7), "{said}");
    assert!(said.contains("log-usage: not captured: cannot encrypt "), "{said}");
    assert!(said.contains("age hangs: 10 s were not enough"), "{said}");
    assert_eq!(captures(&sandbox.path(".telemetry/capture")).unwrap().len(), 0);
}

#[test]
fn an_output_without_end_is_cut_and_it_is_said() {
    let Some(keys) = Keys::new("an_output_without_end_is_cut", 1) else { return };
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("capture");
    let site = Site { output_bytes_max: 10, ..site(&folder, &keys.settings, "age") };
    let lines = keys.read(0, &capture(&site, b"0123456789abcdef"));
    assert_eq!(lines[1], serde_json::json!({ "stream": "stdout", "text": "0123456789" }));
    let end = serde_json::json!({
        "exit": 3, "stdout_bytes_left_out": 6, "stderr_bytes_left_out": 12,
    });
    assert_eq!(lines.last().unwrap(), &end);
}

#[test]
fn old_captures_are_deleted_and_nothing_else() {
    let root = tempfile::tempdir().unwrap();
    let make = |name: &str, days: u64| {
        let file = File::create(root.path().join(name)).unwrap();
        file.set_modified(SystemTime::now() - Duration::from_secs(days * 86_400 - 60)).unwrap();
    };
    for (name, days) in
        [("old.jsonl.age", 31), ("new.jsonl.age", 30), ("last.jsonl.age", 3), ("other.age", 99)]
    {
        make(name, days);
    }
    let left = || {
        let entries = fs::read_dir(root.path()).unwrap();
        let names = entries.map(|it| it.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<String> = names.collect();
        names.sort();
        names
    };
    let settings = Settings::default();
    let by_default = site(root.path(), &settings, "age");
    assert_eq!(by_default.sweep(now()).unwrap(), 1);
    assert_eq!(left(), ["last.jsonl.age", "new.jsonl.age", "other.age"]);
    let week = Settings { keep: Some(Duration::from_secs(7 * 86_400)), ..Settings::default() };
    assert_eq!(site(root.path(), &week, "age").sweep(now()).unwrap(), 1);
    assert_eq!(left(), ["last.jsonl.age", "other.age"]);
    let nowhere = root.path().join("nowhere");
    assert_eq!(site(&nowhere, &week, "age").sweep(now()).unwrap(), 0);
}

/// A repository with these recipients, and a user who allows captures.
fn allowed(keys: &Keys) -> Sandbox {
    let sandbox = Sandbox::repository();
    let recipients = keys.settings.recipients.join("\", \"");
    let settings = format!("[capture]\nrecipients = [\"{recipients}\"]\n");
    sandbox.write(".telemetry/config.toml", settings);
    sandbox.ok("log-usage", &["consent", "grant", "capture"]);
    sandbox
}

/// `log-usage run --capture` with a shell's script.
#[cfg(unix)]
fn run(sandbox: &Sandbox, script: &str) -> std::process::Output {
    let arguments = ["run", "--capture", "--model", "m", "--", "sh", "-c", script];
    let mut command = sandbox.command("log-usage");
    command.env("LOG_USAGE_SESSION", SESSION).args(arguments).output().unwrap()
}

#[cfg(unix)]
#[test]
fn a_command_is_captured_and_notices_nothing() {
    let Some(keys) = Keys::new("a_command_is_captured_and_notices_nothing", 2) else { return };
    let sandbox = allowed(&keys);
    let script = "head -c 3000000 /dev/zero | tr '\\0' x; echo; echo late >&2; exit 7";
    let output = run(&sandbox, script);
    assert_eq!(output.status.code(), Some(7));
    assert_eq!(text(&output.stderr), "late\n");
    let said = text(&output.stdout);
    assert!(said.len() == 3_000_001 && said.trim_end().bytes().all(|b| b == b'x'));
    let folder = sandbox.path(".telemetry/capture");
    let lines = keys.read(1, &folder.join(format!("{SESSION}-1.jsonl.age")));
    let kept: String = lines.iter().filter_map(|line| line["text"].as_str()).collect();
    assert_eq!(kept.len(), 3_000_001 + 5);
    assert_eq!(lines.last().unwrap()["exit"], 7);
    let is_known = |name: &String| FIELDS.iter().any(|(known, _)| known == name);
    let fields = lines.iter().flat_map(|line| line.as_object().unwrap().keys());
    assert!(fields.clone().all(is_known), "{:?}", fields.collect::<Vec<_>>());
    // The row says what it always says, and no report tells of more.
    let row = sandbox.rows().pop().unwrap();
    assert!(row.contains(",m,0,0,false,execute,"), "{row}");
    let before = sandbox.ok("usage-report", &[]);
    fs::remove_dir_all(&folder).unwrap();
    assert_eq!(sandbox.ok("usage-report", &[]), before);
    // Who reads no more is not read for.
    let pipe = "log-usage run --capture -- yes | head -n 1";
    assert_eq!(sandbox.ok("sh", &["-c", pipe]), "y\n");
    assert_eq!(captures(&folder).unwrap().len(), 1);
    // Of a command that does not exist there is nothing to keep.
    assert_eq!(sandbox.run("log-usage", &["run", "--capture", "nowhere"]).status.code(), Some(127));
    assert_eq!(captures(&folder).unwrap().len(), 1);
}

/// A folder that came with a clone may hide nothing.
#[cfg(unix)]
#[test]
fn nothing_is_captured_where_git_would_take_it() {
    let Some(keys) = Keys::new("nothing_is_captured_where_git_would_take_it", 1) else { return };
    let sandbox = allowed(&keys);
    sandbox.write(".telemetry/.gitignore", "");
    sandbox.write(".telemetry/capture/.gitignore", "");
    let output = run(&sandbox, "touch ran");
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("out of commits"), "{}", text(&output.stderr));
    assert!(!sandbox.path("ran").exists());
    sandbox.write(".telemetry/.gitignore", "/capture/\n");
    assert!(run(&sandbox, "touch ran").status.success() && sandbox.path("ran").exists());
}

/// From the terminal it goes to the whole group, of which `age` is none.
#[cfg(unix)]
#[test]
fn a_command_that_is_interrupted_is_captured_whole() {
    use std::os::unix::process::CommandExt;
    let Some(keys) = Keys::new("a_command_that_is_interrupted", 1) else { return };
    let sandbox = allowed(&keys);
    let mut command = Command::new(env!("CARGO_BIN_EXE_log-usage"));
    command.current_dir(sandbox.path("")).env("HOME", sandbox.path("../home"));
    command.env("LOG_USAGE_SESSION", SESSION).env_remove("CI").process_group(0);
    command.args(["run", "--capture", "--", "sh", "-c", "echo before; kill -INT 0; sleep 9"]);
    let output = command.stdin(Stdio::null()).output().unwrap();
    let interrupted = std::os::unix::process::ExitStatusExt::signal(&output.status);
    assert_eq!(interrupted, Some(2), "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("captures have one recipient"));
    let capture = sandbox.path(format!(".telemetry/capture/{SESSION}-1.jsonl.age"));
    // One that is named twice is one.
    let recipient = &keys.settings.recipients[0];
    let settings = format!("[capture]\nrecipients = [\"{recipient}\", \"{recipient}\"]\n");
    sandbox.write(".telemetry/config.toml", settings);
    let output = run(&sandbox, "true");
    assert!(text(&output.stderr).contains("captures have one recipient"));
    let lines = keys.read(0, &capture);
    assert_eq!(lines[1], serde_json::json!({ "stream": "stdout", "text": "before\n" }));
    assert_eq!(lines.last().unwrap(), &serde_json::json!({ "exit": 130 }));
}

#[cfg(unix)]
#[test]
fn without_consent_it_runs_and_without_age_it_does_not() {
    let sandbox = Sandbox::repository();
    let output = run(&sandbox, "echo ran");
    assert_eq!((text(&output.stdout), output.status.code()), ("ran\n".to_owned(), Some(0)));
    let said = text(&output.stderr);
    assert!(said.starts_with("not captured: ") && said.contains("grant capture"), "{said}");
    sandbox.ok("log-usage", &["consent", "grant", "capture"]);
    for (name, value, expected) in [
        ("DO_NOT_TRACK", "1", "DO_NOT_TRACK is set"),
        ("LOG_USAGE_DISABLED", "1", "LOG_USAGE_DISABLED is set"),
    ] {
        let mut command = sandbox.command("log-usage");
        command.env(name, value).args(["run", "--capture", "--", "echo", "ran"]);
        let output = command.output().unwrap();
        assert_eq!(text(&output.stdout), "ran\n");
        assert!(text(&output.stderr).contains(expected), "{}", text(&output.stderr));
    }
    // It was asked for and allowed, so nothing less is done.
    let output = run(&sandbox, "touch ran");
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("no recipient is set"), "{}", text(&output.stderr));
    let recipient = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p";
    let settings = format!("[capture]\nrecipients = [\"{recipient}\"]\n");
    sandbox.write(".telemetry/config.toml", settings);
    let mut command = sandbox.command("log-usage");
    command.env("PATH", "/nowhere").args(["run", "--capture", "--", "/bin/sh", "-c", ": > ran"]);
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("there is no age"), "{}", text(&output.stderr));
    assert!(!sandbox.path("ran").exists() && !sandbox.path(".telemetry/capture").exists());
}

#[cfg(unix)]
#[test]
fn who_captures_is_told_what_went() {
    let Some(keys) = Keys::new("who_captures_is_told_what_went", 2) else { return };
    let sandbox = allowed(&keys);
    assert!(run(&sandbox, "true").stderr.is_empty());
    let old = sandbox.path(format!(".telemetry/capture/{SESSION}-1.jsonl.age"));
    let file = File::options().append(true).open(&old).unwrap();
    file.set_modified(SystemTime::now() - Duration::from_secs(31 * 86_400)).unwrap();
    let output = run(&sandbox, "true");
    assert_eq!(text(&output.stderr), "deleted 1 capture older than 30 days\n");
    assert!(!old.exists());
}
