//! What may be recorded: who allows it, what is kept of that, and that nobody widens it by accident.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::PathBuf;
use std::process::Output;

use serde_json::Value;
use usage_ledger::privacy::consent::{EXAMPLE, EXPORT_STORES, IDENTITY_STORES, Level};

use crate::faults::has_strace;
use crate::sandbox::{SEED, Sandbox, text};

const RECORD: &str = "../home/.config/usage-ledger/consent.toml";
const STATE: &str = "../home/.local/state/usage-ledger";

fn with(sandbox: &Sandbox, variables: &[(&str, &str)], arguments: &[&str]) -> Output {
    let mut command = sandbox.command("log-usage");
    command.args(arguments).envs(variables.iter().copied()).output().unwrap()
}

/// What `consent status` says: the level, both switches, and who decided on the level.
fn status(sandbox: &Sandbox, variables: &[(&str, &str)]) -> (String, bool, bool, String) {
    let output = with(sandbox, variables, &["consent", "status", "--json"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let value: Value = serde_json::from_slice(&output.stdout).unwrap();
    let word = |name: &str| value[name].as_str().unwrap().to_owned();
    let is_on = |name: &str| value[name].as_bool().unwrap();
    (word("level"), is_on("identity"), is_on("export"), word("level_decided_by"))
}

fn says(level: &str, is_on: bool, source: &str) -> (String, bool, bool, String) {
    (level.to_owned(), is_on, is_on, source.to_owned())
}

fn grant(sandbox: &Sandbox, arguments: &[&str]) {
    sandbox.ok("log-usage", &[&["consent", "grant"], arguments].concat());
}

/// Runs it as a person would; None, which is said, where there is no terminal to be had.
pub(crate) fn at_terminal(
    sandbox: &Sandbox,
    variables: &[(&str, &str)],
    arguments: &[&str],
    answer: &str,
) -> Option<String> {
    if sandbox.command("script").arg("--version").ok().is_err() {
        eprintln!("SKIPPED what a person sees at a terminal: no script on this machine");
        return None;
    }
    let line = [&["log-usage"], arguments].concat().join(" ");
    let mut command = sandbox.command("script");
    command.args(["-qec", &line, "/dev/null"]).envs(variables.iter().copied());
    let output = command.write_stdin(answer).output().unwrap();
    Some(text(&output.stdout).replace('\r', ""))
}

#[test]
fn without_a_word_rows_and_nothing_else() {
    let sandbox = Sandbox::repository();
    assert_eq!(status(&sandbox, &[]), says("ledger", false, "default"));
    sandbox.ok("log-usage", &SEED);
    assert_eq!(sandbox.rows().len(), 1);
    assert!(!sandbox.path("../home/.config").exists(), "nothing is kept of what nobody said");
    let said = sandbox.ok("log-usage", &["consent", "status"]);
    let unwrapped = said.split_whitespace().collect::<Vec<_>>().join(" ");
    for level in Level::ALL {
        assert!(unwrapped.contains(level.stores()), "{said}");
    }
    assert!(said.contains("level     ledger   it is the default"), "{said}");
}

#[test]
fn a_choice_is_kept_as_it_was_made_and_holds_where_it_was_made() {
    let sandbox = Sandbox::repository();
    grant(&sandbox, &["events", "--identity", "--export"]);
    assert_eq!(status(&sandbox, &[]), says("events", true, "choice-here"));
    let path = sandbox.path(RECORD);
    let mode = |path: &PathBuf| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&path), 0o600);
    assert_eq!(mode(&path.parent().unwrap().to_owned()), 0o700);
    let record = sandbox.read(RECORD);
    for line in
        ["level = \"events\"", "identity = true", "export = true", "text = 1", "how = \"flag\""]
    {
        assert!(record.contains(line), "{record}");
    }
    let at = record.lines().find_map(|line| line.strip_prefix("at = \"")).unwrap();
    assert!(usage_ledger::timestamp::Timestamp::parse(at.trim_end_matches('"')).is_some());

    // Another repository of the same user, and another work tree of this one.
    sandbox.git(["init", "--quiet", "../other"]);
    sandbox.git(["commit", "--quiet", "--allow-empty", "--message", "x"]);
    sandbox.git(["worktree", "add", "--quiet", "../tree"]);
    let level_in = |folder: &str| {
        let mut command = sandbox.command("log-usage");
        let output = command.current_dir(sandbox.path(folder)).args(["consent", "status"]).output();
        text(&output.unwrap().stdout).lines().next().unwrap().to_owned()
    };
    assert!(level_in("../tree").starts_with("level     events"), "{}", level_in("../tree"));
    assert!(level_in("../other").starts_with("level     ledger"), "{}", level_in("../other"));
    grant(&sandbox, &["capture", "--everywhere"]);
    assert!(level_in("../other").starts_with("level     capture"));
    assert_eq!(status(&sandbox, &[]).0, "events", "what was allowed here alone stays narrower");
    sandbox.ok("log-usage", &["consent", "revoke"]);
    for folder in ["", "../tree", "../other"] {
        assert!(level_in(folder).starts_with("level     ledger"));
    }
    assert_eq!(status(&sandbox, &[]), says("ledger", false, "choice-everywhere"));
}

#[test]
fn one_repository_may_be_taken_back_alone() {
    let sandbox = Sandbox::repository();
    grant(&sandbox, &["events", "--everywhere"]);
    sandbox.ok("log-usage", &["consent", "revoke", "--here"]);
    assert_eq!(status(&sandbox, &[]), says("ledger", false, "choice-here"));
    let personal = sandbox.ok("log-usage", &["consent", "status", "--personal"]);
    assert!(personal.starts_with("level     events"), "{personal}");
}

/// Neither by a choice for all, nor by taking back, whatever was chosen before.
#[test]
fn what_was_recorded_stays_and_that_is_said() {
    let sandbox = Sandbox::repository();
    let taken = |arguments: &[&str]| {
        let said = sandbox.ok("log-usage", &[&["consent"], arguments].concat());
        let is_other =
            |line: &str| line.starts_with("git's history") || line.starts_with("rules in");
        let is_meant = |line: &&str| line.contains(" stay") && !is_other(line);
        let stays = said.lines().filter(is_meant);
        stays.map(str::to_owned).collect::<Vec<_>>()
    };
    assert!(taken(&["grant", "events"]).is_empty());
    sandbox.ok("log-usage", &["event", "a.b"]);
    assert!(taken(&["grant", "events"]).is_empty());
    let one = ["1 event stays: log-usage consent purge --events"];
    assert_eq!(taken(&["revoke"]), one);
    assert_eq!(taken(&["grant", "off"]), one);
    taken(&["grant", "events"]);
    sandbox.ok("log-usage", &["event", "a.b"]);
    sandbox.write(".telemetry/capture/.gitignore", "*\n");
    sandbox.write(".telemetry/capture/s_1-1.jsonl.age", "age");
    let both = [
        "2 events stay: log-usage consent purge --events",
        "1 capture stays: log-usage consent purge --capture",
    ];
    assert_eq!(taken(&["revoke", "--here"]), both);
    let purge = &["consent", "purge", "--capture", "--yes"];
    let said = sandbox.ok("log-usage", purge);
    assert!(said.contains("capture  (captures; 1 file, 3 bytes)"), "{said}");
    assert!(!sandbox.path(".telemetry/capture").exists());
    // The rule that hides captures from git is none.
    sandbox.write(".telemetry/capture/.gitignore", "*\n");
    assert!(sandbox.ok("log-usage", purge).starts_with("nothing to delete\n"));
    assert_eq!(taken(&["revoke"]), both[..1]);
    assert_eq!(taken(&["purge", "--events", "--yes"]), [""; 0]);
    assert!(taken(&["revoke"]).is_empty());
    // Rows that wait are in no file, and are told by themselves.
    fs::create_dir_all(sandbox.path(".git/log-usage/pending")).unwrap();
    sandbox.ok("log-usage", &SEED);
    assert_eq!(taken(&["purge", "--events", "--yes"]), ["1 row waits for a commit and stays"]);
}

#[test]
fn what_was_restricted_here_stays_so() {
    let revoke = &["revoke"][..];
    let revoke_here = &["revoke", "--here"][..];
    let ledger = &["grant", "ledger"][..];
    let off = &["grant", "off"][..];
    let all = |level| ["grant", level, "--everywhere"];
    let [off_all, ledger_all, events_all] = ["off", "ledger", "events"].map(all);
    for (steps, level) in [
        (&[off, &off_all, &events_all][..], "off"),
        (&[off, revoke, &events_all], "off"),
        (&[off, revoke], "off"),
        (&[off, revoke_here], "off"),
        (&[&off_all, revoke], "off"),
        (&[&off_all, revoke_here], "off"),
        (&[ledger, revoke, &events_all], "ledger"),
        (&[ledger, &ledger_all, &events_all], "ledger"),
        (&[ledger, &off_all, &events_all], "off"),
        (&[&events_all, &off_all, &events_all], "events"),
    ] {
        let sandbox = Sandbox::repository();
        for step in steps {
            sandbox.ok("log-usage", &[&["consent"], *step].concat());
        }
        assert_eq!(status(&sandbox, &[]).0, level, "{steps:?}");
    }
}

#[test]
fn a_dry_run_keeps_nothing() {
    let sandbox = Sandbox::repository();
    for arguments in [&["grant", "events", "--identity"][..], &["revoke"]] {
        let said = sandbox.ok("log-usage", &[&["consent"], arguments, &["--dry-run"]].concat());
        assert!(said.starts_with("you would allow"), "{said}");
        assert!(!sandbox.path(RECORD).exists());
    }
}

/// Events of a ledger that is named are kept beside the repository's own, and its ceiling holds.
#[test]
fn status_tells_the_ceiling_where_events_are_kept() {
    let sandbox = Sandbox::repository();
    grant(&sandbox, &["events", "--everywhere"]);
    sandbox.write(".telemetry/config.toml", "[consent]\nceiling = \"ledger\"\n");
    let named = ["consent", "status", "--file", "notes/usage.csv"];
    let said = sandbox.ok("log-usage", &named);
    let config = sandbox.path(".telemetry/config.toml");
    let config = fs::canonicalize(config).unwrap().display().to_string();
    assert!(said.starts_with("level     events   "), "{said}");
    let there = said.split("where this counts:\n").nth(1).unwrap_or_default();
    assert!(there.starts_with("level     ledger   "), "{said}");
    assert!(there.contains(&format!("[consent] in {config}")), "{said}");
    let json: Value =
        serde_json::from_str(&sandbox.ok("log-usage", &[&named[..], &["--json"]].concat()))
            .unwrap();
    assert_eq!((&json["level"], &json["events"]["level"]), (&"events".into(), &"ledger".into()));
    assert_eq!(json["events"]["level_decided_by"], "repository");
    // Where they are the same nothing more is said.
    assert!(!sandbox.ok("log-usage", &["consent", "status"]).contains("where this counts"));
}

#[test]
fn a_committed_ceiling_cannot_be_widened() {
    let sandbox = Sandbox::repository();
    grant(&sandbox, &["capture", "--identity", "--export"]);
    grant(&sandbox, &["capture", "--identity", "--export", "--everywhere"]);
    for level in Level::ALL {
        let name = level.name();
        sandbox.write(".telemetry/config.toml", format!("[consent]\nceiling = \"{name}\"\n"));
        // What the user chose is not the repository's doing.
        let found = status(&sandbox, &[]);
        let source = if level == Level::Capture { &found.3 } else { "repository" };
        assert!(source == "repository" || source.starts_with("choice-"), "{source}");
        assert_eq!(found, says(name, level > Level::Off, source));
    }
    sandbox.write(".telemetry/config.toml", "[consent]\nidentity = false\nexport = false\n");
    let (level, identity, export, _) = status(&sandbox, &[]);
    assert_eq!((&*level, identity, export), ("capture", false, false));
    // Nor does it allow what the user did not.
    sandbox.ok("log-usage", &["consent", "revoke"]);
    sandbox.write(".telemetry/config.toml", "[consent]\nceiling = \"capture\"\nidentity = true\n");
    assert_eq!(status(&sandbox, &[]), says("ledger", false, "choice-everywhere"));
    sandbox.write(".telemetry/config.toml", "[consent]\nceiling = \"everything\"\n");
    let output = with(&sandbox, &[], &SEED);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("config.toml:2: "), "{}", text(&output.stderr));
}

#[test]
fn off_logs_nothing_and_succeeds() {
    let batch = "model,prompt_tokens,completion_tokens,task_success,task_type,duration_ms\n\
                 m,1,2,true,plan,3\n";
    for (grants, config, reason) in [
        (&["off"][..], "", "you chose so for this repository"),
        (&["off", "--everywhere"], "", "you chose so for all repositories"),
        (
            &["capture"],
            "[consent]\nceiling = \"off\"\n",
            "the repository's config.toml allows no more",
        ),
    ] {
        let sandbox = Sandbox::repository();
        sandbox.ok("log-usage", &SEED);
        sandbox.write(".telemetry/config.toml", config);
        grant(&sandbox, grants);
        let before = sandbox.snapshot();
        let id = sandbox.ok("log-usage", &["amend", "--list"]);
        let id =
            id.lines().find_map(|line| line.split_whitespace().find(|it| it.len() == 12)).unwrap();
        for arguments in [&SEED[..], &["batch"], &["amend", id, "--success", "false"]] {
            let mut command = sandbox.command("log-usage");
            let output = command.args(arguments).write_stdin(batch).output().unwrap();
            assert!(output.status.success(), "{arguments:?}: {}", text(&output.stderr));
            let said = format!("not logged: {reason} (log-usage consent status)\n");
            assert_eq!(text(&output.stderr), said, "{arguments:?}");
            assert!(output.stdout.is_empty());
        }
        let output = with(&sandbox, &[], &[&SEED[..], &["--quiet"]].concat());
        assert!(output.status.success() && output.stderr.is_empty());
        assert!(sandbox.snapshot() == before, "{grants:?}");
        // What is wrong is wrong at any level, and what is only tried is shown.
        assert_eq!(
            with(&sandbox, &[], &["m", "x", "2", "true", "plan", "3"]).status.code(),
            Some(2)
        );
        assert!(sandbox.ok("log-usage", &[&SEED[..], &["--dry-run"]].concat()).contains("notes"));
    }
}

#[test]
fn doctor_says_that_nothing_is_logged_and_who_wants_it_so() {
    let told = |sandbox: &Sandbox, variables: &[(&str, &str)]| {
        let output = with(sandbox, variables, &["doctor"]);
        let told = text(&output.stdout);
        let line = told.lines().find_map(|line| line.split_once("nothing is logged here: "));
        line.map(|(sign, why)| (sign.trim().to_owned(), why.to_owned()))
    };
    let because = |why: &str| Some(("ok".to_owned(), why.to_owned()));
    let sandbox = Sandbox::repository();
    sandbox.ok("log-usage", &["init", "--quiet"]);
    assert_eq!(told(&sandbox, &[]), None);
    let disabled = told(&sandbox, &[("LOG_USAGE_DISABLED", "1")]);
    assert_eq!(disabled, because("LOG_USAGE_DISABLED is set"));
    grant(&sandbox, &["off"]);
    assert_eq!(told(&sandbox, &[]), because("you chose so for this repository"));
    grant(&sandbox, &["events"]);
    sandbox.write(".telemetry/config.toml", "[consent]\nceiling = \"off\"\n");
    assert_eq!(told(&sandbox, &[]), because("the repository's config.toml allows no more"));
}

#[test]
fn the_environment_restricts_and_never_widens() {
    let sandbox = Sandbox::repository();
    assert_eq!(status(&sandbox, &[("DO_NOT_TRACK", "1")]), says("ledger", false, "DO_NOT_TRACK"));
    grant(&sandbox, &["capture", "--identity", "--export"]);
    for (value, level, is_on, source) in [
        ("1", "ledger", false, "DO_NOT_TRACK"),
        ("yes", "ledger", false, "DO_NOT_TRACK"),
        ("0", "capture", true, "choice-here"),
        ("false", "capture", true, "choice-here"),
        ("No", "capture", true, "choice-here"),
        ("", "capture", true, "choice-here"),
    ] {
        assert_eq!(
            status(&sandbox, &[("DO_NOT_TRACK", value)]),
            says(level, is_on, source),
            "{value}"
        );
    }
    let disabled = ("LOG_USAGE_DISABLED", "1");
    assert_eq!(status(&sandbox, &[disabled]), says("off", false, "LOG_USAGE_DISABLED"));
    assert!(with(&sandbox, &[("DO_NOT_TRACK", "1")], &SEED).status.success());
    assert_eq!(sandbox.rows().len(), 1, "a row that was typed is written");
}

/// Nobody can agree to what the document says otherwise.
#[test]
fn the_document_says_what_the_program_says() {
    let document = include_str!("../../docs/privacy.md");
    for level in Level::ALL {
        let row = format!("| `{}` | {} |", level.name(), level.stores());
        assert!(document.contains(&row), "docs/privacy.md lacks {row}");
    }
    for (name, stores) in [("identity", IDENTITY_STORES), ("export", EXPORT_STORES)] {
        let row = format!("| `{name}` | {stores} |");
        assert!(document.contains(&row), "docs/privacy.md lacks {row}");
    }
    assert!(document.contains(EXAMPLE));
    let help = Sandbox::new().ok("log-usage", &["consent", "--help"]);
    let listed = help.split_once("Commands:\n").unwrap().1.split_once("\n\n").unwrap().0;
    let is_first = |line: &&str| !line.starts_with("   ");
    let commands: Vec<&str> =
        listed.lines().filter(is_first).filter_map(|it| it.split_whitespace().next()).collect();
    assert!(commands.len() >= 6, "{help}");
    for command in commands {
        assert!(document.contains(&format!("log-usage consent {command}")), "{command}");
    }
}

/// Neither a row, nor a folder, nor a lock, nor a line in the log of what failed in hooks.
#[test]
fn where_logging_is_disabled_nothing_at_all_is_written() {
    if !has_strace() {
        eprintln!(
            "SKIPPED where_logging_is_disabled_nothing_at_all_is_written: no strace on this machine"
        );
        return;
    }
    let sandbox = Sandbox::repository();
    // A record that would stop any other command, and settings that would, too.
    sandbox.write(RECORD, "nonsense");
    sandbox.write(".telemetry/config.toml", "nonsense");
    let trace = sandbox.path("../trace");
    let before = (sandbox.snapshot(), home(&sandbox));
    let is_hook = [("GIT_INDEX_FILE", "x")];
    for (variables, arguments) in [
        (&[][..], &SEED[..]),
        (&is_hook, &SEED),
        (&is_hook, &["m", "1"]),
        (&[], &["batch"]),
        (&[], &["amend", "0123456789ab", "--success", "false"]),
        (&is_hook, &["hook", "pre-commit"]),
        (&is_hook, &["hook", "post-commit"]),
    ] {
        let mut command = sandbox.command("strace");
        command.args(["-f", "-o"]).arg(&trace);
        command.args(["-e", "trace=%file,%desc", env!("CARGO_BIN_EXE_log-usage")]).args(arguments);
        command.env("LOG_USAGE_DISABLED", "1").envs(variables.iter().copied());
        let output = command.write_stdin("nonsense").output().unwrap();
        let is_usage = arguments.len() == 2 && arguments[0] == "m";
        assert_eq!(output.status.code(), Some(if is_usage { 2 } else { 0 }), "{arguments:?}");
        let trace = fs::read_to_string(&trace).unwrap();
        assert!(trace.contains("execve("), "the trace is blind: {trace}");
        for line in trace.lines() {
            let call = line.split_whitespace().nth(1).unwrap_or_default();
            let changes =
                ["mkdir", "unlink", "rename", "link", "symlink", "ftruncate", "chmod", "fchmod"];
            let is_change = changes.iter().any(|it| call.starts_with(it))
                || ["O_WRONLY", "O_RDWR", "O_CREAT"].iter().any(|it| line.contains(it))
                || call.starts_with("write(") && !call.starts_with("write(2");
            assert!(!is_change, "{arguments:?}: {line}");
        }
        assert_eq!((sandbox.snapshot(), home(&sandbox)), before, "{arguments:?}");
    }
}

/// Every file in the user's own folders.
fn home(sandbox: &Sandbox) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![sandbox.path("../home")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path.clone());
            }
            files.push(path);
        }
    }
    files.sort();
    files
}

/// Whoever agreed to another text agreed to something else.
#[test]
fn a_changed_text_lowers_to_the_ledger_until_asked_again() {
    let sandbox = Sandbox::repository();
    grant(&sandbox, &["capture", "--identity", "--export"]);
    sandbox.write(RECORD, sandbox.read(RECORD).replace("text = 1", "text = 99"));
    assert_eq!(status(&sandbox, &[]), says("ledger", false, "choice-to-an-old-text"));
    let Some(said) = at_terminal(&sandbox, &[], &["init"], "yes\n") else { return };
    assert!(said.contains("something else now"), "{said}");
    assert_eq!(status(&sandbox, &[]), says("events", false, "choice-here"));
    grant(&sandbox, &["off"]);
    sandbox.write(RECORD, sandbox.read(RECORD).replace("text = 1", "text = 99"));
    assert_eq!(status(&sandbox, &[]), says("off", false, "choice-here"), "a no stays one");
}

#[test]
fn a_record_that_cannot_be_followed_records_nothing() {
    let sandbox = Sandbox::repository();
    for damage in ["[everywhere]\nlevel = \"all\"\n", "\u{0}", "colour = 1\n", "[everywhere]\n"] {
        sandbox.write(RECORD, damage);
        for arguments in [&SEED[..], &["consent", "status"], &["consent", "grant", "events"]] {
            let output = with(&sandbox, &[], arguments);
            assert_eq!(output.status.code(), Some(1), "{damage:?} {arguments:?}");
            assert!(text(&output.stderr).contains("consent revoke"), "{}", text(&output.stderr));
        }
        assert!(!sandbox.path(".telemetry/usage.csv").exists());
        sandbox.ok("log-usage", &["consent", "revoke"]);
        assert_eq!(status(&sandbox, &[]).0, "off", "it may have said so");
    }
    // A link is not followed, neither to read nor to write.
    sandbox.write("theirs", "[everywhere]\nlevel = \"capture\"\n");
    fs::remove_file(sandbox.path(RECORD)).unwrap();
    symlink(sandbox.path("theirs"), sandbox.path(RECORD)).unwrap();
    assert_eq!(with(&sandbox, &[], &SEED).status.code(), Some(1));
    sandbox.ok("log-usage", &["consent", "revoke"]);
    assert_eq!(sandbox.read("theirs"), "[everywhere]\nlevel = \"capture\"\n");
    assert!(!sandbox.path(RECORD).is_symlink());
}

#[test]
fn init_asks_once_and_takes_each_answer() {
    for (answer, level, source, is_asked_again) in [
        ("yes\n", "events", "choice-here", false),
        ("Y\n", "events", "choice-here", false),
        ("no\n", "ledger", "choice-everywhere", false),
        ("\n", "ledger", "choice-everywhere", false),
        ("later\n", "ledger", "default", true),
        ("what?\n", "ledger", "default", true),
        ("", "ledger", "default", true),
    ] {
        let sandbox = Sandbox::repository();
        let Some(said) = at_terminal(&sandbox, &[], &["init"], answer) else { return };
        let (work, question) = said.split_once("May log-usage also record").unwrap();
        assert!(work.contains("wrote README.md"), "the question comes after the work: {said}");
        assert!(
            question.contains("\"command\":\"cargo test\"") && question.contains("[y/N/later]")
        );
        assert_eq!(status(&sandbox, &[]), says(level, false, source), "{answer:?}");
        assert_eq!(sandbox.path(RECORD).exists(), !is_asked_again, "{answer:?}");
        if !is_asked_again {
            assert!(sandbox.read(RECORD).contains("how = \"prompt\""));
        }
        let again = at_terminal(&sandbox, &[], &["init"], "later\n").unwrap();
        assert_eq!(again.contains("May log-usage"), is_asked_again, "{answer:?}: {again}");
    }
}

#[test]
fn nobody_but_a_person_is_asked() {
    let machines = [
        "CI",
        "GITHUB_ACTIONS",
        "GITLAB_CI",
        "BUILDKITE",
        "CIRCLECI",
        "TF_BUILD",
        "JENKINS_URL",
        "TEAMCITY_VERSION",
        "CLAUDECODE",
        "GIT_INDEX_FILE",
        "LOG_USAGE_DISABLED",
        "DO_NOT_TRACK",
    ];
    for name in machines {
        let sandbox = Sandbox::repository();
        let said = at_terminal(&sandbox, &[(name, "1")], &["init"], "yes\n");
        let Some(said) = said else { return };
        assert!(!said.contains("May log-usage"), "{name}: {said}");
        assert!(!sandbox.path(RECORD).exists());
    }
    let sandbox = Sandbox::repository();
    for arguments in [&["init", "--quiet"][..], &["init", "--consent", "ledger"]] {
        let said = at_terminal(&sandbox, &[], arguments, "yes\n").unwrap();
        assert!(!said.contains("May log-usage"), "{said}");
    }
    // Without a terminal, whatever stands on standard input.
    let sandbox = Sandbox::repository();
    let output = sandbox.command("log-usage").arg("init").write_stdin("yes\n").output().unwrap();
    assert!(!text(&output.stderr).contains("May log-usage"));
    assert!(!sandbox.path(RECORD).exists());
    // Nor where the answer could change nothing.
    sandbox.write(".telemetry/config.toml", "[consent]\nceiling = \"ledger\"\n");
    let said = at_terminal(&sandbox, &[], &["init"], "yes\n").unwrap();
    assert!(!said.contains("May log-usage"), "{said}");
}

#[test]
fn a_script_says_so_itself() {
    let sandbox = Sandbox::repository();
    sandbox.ok("log-usage", &["init", "--consent", "events"]);
    assert_eq!(status(&sandbox, &[]), says("events", false, "choice-here"));
    assert!(sandbox.read(RECORD).contains("how = \"flag\""));
    let output = with(&sandbox, &[], &["init", "--consent", "much"]);
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn a_repository_that_looks_public_is_said_to_be() {
    for (remote, file, is_warned) in [
        ("git@github.com:a/b.git", "LICENSE-MIT", true),
        ("https://codeberg.org/a/b", "COPYING", true),
        ("git@github.com:a/b.git", "main.rs", false),
        ("git@git.example.org:a/b.git", "LICENSE", false),
    ] {
        let sandbox = Sandbox::repository();
        sandbox.git(["remote", "add", "origin", remote]);
        sandbox.write(file, "");
        let said = text(&with(&sandbox, &[], &["init", "--quiet"]).stderr);
        assert_eq!(
            said.contains("if the repository is public"),
            is_warned,
            "{remote} {file}: {said}"
        );
    }
}

const OLD_EVENTS: &str = ".telemetry/events/events-20260101T000000Z-00000000.jsonl";

/// The cache of a ledger.
const CACHED: &str = "../home/.cache/usage-ledger/fedcba9876543210";

/// A repository with something of everything.
fn full() -> Sandbox {
    let sandbox = Sandbox::repository();
    sandbox.ok("log-usage", &SEED);
    grant(&sandbox, &["capture"]);
    sandbox.write(".telemetry/events.jsonl", "{\"v\":1,\"name\":\"the newest\"}\n");
    sandbox.write(OLD_EVENTS, "{\"v\":1,\"name\":\"an older\"}\n");
    sandbox.write(".telemetry/capture/s_1.jsonl.age", b"age-encryption.org\xff\n");
    sandbox.write(&format!("{STATE}/identity.key"), b"0123456789abcdef0123456789abcde\xff");
    sandbox.write(&format!("{STATE}/hooks.log"), "2026-02-23T22:19:12Z  /x  error: locked\n");
    sandbox.write(&format!("{STATE}/spool/1.jsonl"), "{}\n");
    sandbox.write(&format!("{STATE}/import/0123"), "7\n");
    sandbox.write(&format!("{CACHED}/x.sums"), b"\x01");
    sandbox
}

#[test]
fn what_is_shown_is_what_is_stored() {
    let sandbox = full();
    sandbox.add_rows(&["2026-02-23T22:19:28Z,m,1,2,true,plan,3,\u{1b}]52;c;AAAA\u{7}bell"]);
    let said = sandbox.ok("log-usage", &["consent", "show"]);
    for row in sandbox.rows().iter().filter(|row| !row.contains("bell")) {
        assert!(said.contains(&**row), "{said}");
    }
    let (older, newest) = (said.find("an older").unwrap(), said.find("the newest").unwrap());
    assert!(older < newest && said.contains("s_1.jsonl.age"), "{said}");
    assert!(!said.contains('\u{1b}') && said.contains("bell"), "{said:?}");
    let said = sandbox.ok("log-usage", &["consent", "show", "--last", "1"]);
    assert!(!said.contains("an older") && !said.contains("claude"), "{said}");
}

#[test]
fn everything_that_is_stored_is_exported_but_the_key() {
    let sandbox = full();
    let personal = [&SEED[..], &["--personal"]].concat();
    sandbox.ok("log-usage", &personal);
    let printed = sandbox.ok("log-usage", &["consent", "export"]);
    let export: Value = serde_json::from_str(&printed).unwrap();
    let files = export["files"].as_array().unwrap();
    let of = |end: &str| {
        let is_it = |file: &&Value| file["path"].as_str().unwrap().ends_with(end);
        files.iter().find(is_it).unwrap_or_else(|| panic!("{end}: {printed}"))
    };
    assert_eq!(of("work/.telemetry/usage.csv")["text"], sandbox.read(".telemetry/usage.csv"));
    assert_eq!(of("events.jsonl")["text"], sandbox.read(".telemetry/events.jsonl"));
    assert!(of("-00000000.jsonl")["text"].as_str().unwrap().contains("an older"));
    assert_eq!(of("s_1.jsonl.age")["base64"], "YWdlLWVuY3J5cHRpb24ub3Jn/wo=");
    assert!(of("consent.toml")["text"].as_str().unwrap().contains("capture"));
    assert!(of("hooks.log")["text"].as_str().unwrap().contains("locked"));
    assert!(of("share/usage-ledger/usage.csv")["text"].as_str().unwrap().contains("claude"));
    assert!(of("x.sums")["withheld"].is_string());
    assert!(of("identity.key")["withheld"].is_string());
    assert!(!printed.contains("0123456789abcdef"));
}

#[test]
fn purge_deletes_what_is_named_and_no_row() {
    for (option, gone) in [
        ("--events", &[".telemetry/events.jsonl", ".telemetry/events"][..]),
        ("--capture", &[".telemetry/capture"]),
        ("--spool", &["../home/.local/state/usage-ledger/spool"]),
        ("--identity", &["../home/.local/state/usage-ledger/identity.key"]),
    ] {
        let sandbox = full();
        let before = (sandbox.snapshot(), home(&sandbox));
        let dry = sandbox.ok("log-usage", &["consent", "purge", option, "--dry-run"]);
        assert_eq!((sandbox.snapshot(), home(&sandbox)), before);
        assert!(dry.starts_with("would delete:"), "{dry}");
        let refused = with(&sandbox, &[], &["consent", "purge", option]);
        assert_eq!(refused.status.code(), Some(2), "{}", text(&refused.stderr));
        assert_eq!((sandbox.snapshot(), home(&sandbox)), before);
        let said = sandbox.ok("log-usage", &["consent", "purge", option, "--yes"]);
        assert!(said.starts_with("deleted:") && said.contains("git filter-repo"), "{said}");
        let all = [
            ".telemetry/usage.csv",
            ".telemetry/events.jsonl",
            ".telemetry/events",
            ".telemetry/capture",
            "../home/.local/state/usage-ledger/spool",
            "../home/.local/state/usage-ledger/identity.key",
            RECORD,
        ];
        for path in all {
            assert_eq!(sandbox.path(path).exists(), !gone.contains(&path), "{option} {path}");
        }
        assert!(!sandbox.path(".telemetry/.events.jsonl.lock").exists());
        let again = sandbox.ok("log-usage", &["consent", "purge", option, "--yes"]);
        assert!(again.starts_with("nothing to delete"), "{again}");
    }
    assert_eq!(with(&full(), &[], &["consent", "purge", "--yes"]).status.code(), Some(2));
}

#[test]
fn after_all_is_purged_no_trace_is_left_and_the_question_is_asked_again() {
    let sandbox = full();
    sandbox.ok("log-usage", &[&SEED[..], &["--personal"]].concat());
    let rows = sandbox.read(".telemetry/usage.csv");
    sandbox.git(["init", "--quiet", "../other"]);
    let mut there = sandbox.command("log-usage");
    there.current_dir(sandbox.path("../other")).args(["consent", "grant", "events"]);
    assert!(there.output().unwrap().status.success());
    let said = sandbox.ok("log-usage", &["consent", "purge", "--all", "--yes"]);
    for words in
        ["your own ledger stays: ", "/other stays: run this command there, too", "rows stay: "]
    {
        assert!(said.contains(words), "{said}");
    }
    let left: Vec<PathBuf> = home(&sandbox).into_iter().filter(|path| path.is_file()).collect();
    let is_personal = |path: &PathBuf| path.to_string_lossy().contains("share/usage-ledger/");
    assert!(left.iter().all(is_personal) && !left.is_empty(), "{left:?}");
    assert!(!sandbox.path(STATE).exists() && !sandbox.path(RECORD).parent().unwrap().exists());
    let mut here: Vec<String> = fs::read_dir(sandbox.path(".telemetry"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    here.sort();
    assert_eq!(here, [".gitattributes", ".gitignore", ".usage.csv.lock", "usage.csv"]);
    assert_eq!(sandbox.read(".telemetry/usage.csv"), rows);
    let Some(said) = at_terminal(&sandbox, &[], &["init"], "later\n") else { return };
    assert!(said.contains("May log-usage"), "{said}");
}

#[test]
fn purge_asks_and_takes_no_for_an_answer() {
    let sandbox = full();
    let before = (sandbox.snapshot(), home(&sandbox));
    for answer in ["no\n", "\n", ""] {
        let said = at_terminal(&sandbox, &[], &["consent", "purge", "--all"], answer);
        let Some(said) = said else { return };
        assert!(said.contains("[y/N]") && said.contains("nothing was deleted"), "{said}");
        assert_eq!((sandbox.snapshot(), home(&sandbox)), before);
    }
    let said = at_terminal(&sandbox, &[], &["consent", "purge", "--events"], "y\n").unwrap();
    assert!(said.contains("deleted:"), "{said}");
    assert!(!sandbox.path(".telemetry/events.jsonl").exists());
}

/// Whoever writes an event at that moment is waited for, and what is behind a link stays.
#[test]
fn purge_obeys_the_lock_and_follows_no_link() {
    let sandbox = full();
    let lock = sandbox.path(".telemetry/.events.jsonl.lock");
    let file = fs::File::create(&lock).unwrap();
    fs2::FileExt::lock_exclusive(&file).unwrap();
    let purge = std::thread::scope(|scope| {
        let purge =
            scope.spawn(|| sandbox.run("log-usage", &["consent", "purge", "--events", "--yes"]));
        std::thread::sleep(std::time::Duration::from_millis(500));
        assert!(sandbox.path(".telemetry/events.jsonl").exists(), "it did not wait");
        fs2::FileExt::unlock(&file).unwrap();
        purge.join().unwrap()
    });
    assert!(purge.status.success(), "{}", text(&purge.stderr));
    assert!(!sandbox.path(".telemetry/events.jsonl").exists() && !lock.exists());

    sandbox.write("theirs/precious", "x");
    for name in ["events", "events.jsonl", "capture"] {
        let _ = fs::remove_dir_all(sandbox.path(".telemetry").join(name));
        symlink(sandbox.path("theirs"), sandbox.path(".telemetry").join(name)).unwrap();
    }
    sandbox.ok("log-usage", &["consent", "purge", "--events", "--capture", "--yes"]);
    assert_eq!(sandbox.read("theirs/precious"), "x");
    assert!(!sandbox.path(".telemetry/capture").is_symlink());
}

/// Whatever a writer leaves besides its events: what was torn, what a rotation had begun, its counts and
/// locks; and what is kept beside the user's own ledger.
#[test]
fn no_event_is_left_where_nobody_looks() {
    let sandbox = full();
    let (torn, temp) = (".telemetry/events.jsonl.torn", ".telemetry/.events.jsonl.tmp.0");
    sandbox.write(torn, "{\"v\":1,\"command\":\"a torn one\"");
    sandbox.write(temp, "{\"v\":1,\"command\":\"a new file\"}\n");
    sandbox.write(".telemetry/events/tally", "1 2 3 4 5\n");
    sandbox.write(".telemetry/.events.jsonl.tally.lock", "");
    sandbox.write(".telemetry/capture/.gitignore", "*\n");
    let own = "../home/.local/share/usage-ledger";
    sandbox.write(&format!("{own}/events.jsonl"), "{\"v\":1,\"command\":\"my own\"}\n");
    sandbox.write(&format!("{own}/capture/s_2.jsonl.age"), "age-encryption.org\n");
    sandbox.write(&format!("{own}/usage.csv"), "mine\n");
    let said = sandbox.ok("log-usage", &["consent", "show"]);
    assert!(!said.contains("1 2 3 4 5") && !said.contains(".gitignore"), "{said}");
    let printed = sandbox.ok("log-usage", &["consent", "export"]);
    for words in ["a torn one", "a new file", "my own", "s_2.jsonl.age", "mine"] {
        assert!(printed.contains(words), "{words}: {printed}");
    }
    sandbox.ok("log-usage", &["consent", "purge", "--events", "--yes"]);
    let left = |folder: &str| {
        let entries = fs::read_dir(sandbox.path(folder)).unwrap();
        let mut names: Vec<String> =
            entries.map(|it| it.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    };
    let rows = [".gitattributes", ".gitignore", ".usage.csv.lock", "usage.csv"];
    assert_eq!(left(".telemetry"), [&rows[..2], &rows[2..3], &["capture"], &rows[3..]].concat());
    assert_eq!(left(own), ["capture", "events.jsonl", "usage.csv"]);
    sandbox.ok("log-usage", &["consent", "purge", "--all", "--yes"]);
    assert_eq!(
        (left(".telemetry"), left(own)),
        (rows.map(str::to_owned).to_vec(), vec!["usage.csv".to_owned()])
    );
}

#[test]
fn no_key_is_exported_whoever_it_is_of() {
    let sandbox = full();
    let folder = "../home/.config/usage-ledger";
    sandbox.write(&format!("{folder}/config.toml"), "team_key_file = \"team.key\"\n");
    sandbox.write(&format!("{folder}/team.key"), "the team's secret, of forty characters or so");
    sandbox.write(&format!("{STATE}/.key1a2b.tmp."), "half a secret");
    sandbox.write(&format!("{STATE}/.identity.key.tmp.7"), "half a secret");
    let printed = sandbox.ok("log-usage", &["consent", "export"]);
    assert!(printed.contains("team.key") && !printed.contains("secret, of"), "{printed}");
    assert!(!printed.contains("half a secret"), "{printed}");
    assert!(printed.contains("team_key_file") && printed.contains("capture"), "{printed}");
    let elsewhere = sandbox.path(folder).join("team.key");
    sandbox.write(&format!("{folder}/config.toml"), "");
    let variables = [("LOG_USAGE_TEAM_KEY_FILE", elsewhere.to_str().unwrap())];
    let printed = text(&with(&sandbox, &variables, &["consent", "export"]).stdout);
    assert!(printed.contains("team.key") && !printed.contains("secret, of"), "{printed}");
}

#[test]
fn many_who_choose_at_once_take_nothing_back() {
    let sandbox = Sandbox::repository();
    let folders: Vec<String> = (0..12).map(|it| format!("../other-{it}")).collect();
    folders.iter().for_each(|it| drop(sandbox.git(["init", "--quiet", it])));
    std::thread::scope(|scope| {
        for folder in &folders {
            let mut command = sandbox.command("log-usage");
            command.current_dir(sandbox.path(folder)).args(["consent", "grant", "events"]);
            scope.spawn(move || assert!(command.output().unwrap().status.success()));
        }
    });
    let record = sandbox.read(RECORD);
    assert_eq!(record.matches("level = \"events\"").count(), folders.len(), "{record}");
}

/// What a link of a hostile clone leads to is neither shown nor taken for ours.
#[test]
fn what_is_behind_a_link_is_not_shown() {
    let sandbox = full();
    sandbox.write("theirs", "precious\n");
    fs::remove_file(sandbox.path(".telemetry/events.jsonl")).unwrap();
    symlink(sandbox.path("theirs"), sandbox.path(".telemetry/events.jsonl")).unwrap();
    let said = sandbox.ok("log-usage", &["consent", "show"]);
    assert!(!said.contains("precious") && said.contains("an older"), "{said}");
}

/// In the user's own folders only what we made is deleted, by its name; nor does one folder for
/// everything take the user's own ledger with it.
#[test]
fn purge_spares_what_is_not_of_our_making() {
    let sandbox = full();
    let settings = RECORD.replace("consent.toml", "config.toml");
    let key = RECORD.replace("consent.toml", "team.key");
    let hidden = RECORD.replace("consent.toml", ".keys");
    let notes = format!("{STATE}/notes.txt");
    let theirs = [&*settings, &key, &hidden, &notes, "../home/.cache/usage-ledger/cafe/mine"];
    theirs.iter().for_each(|path| sandbox.write(path, ""));
    let half = format!("{STATE}/.identity.key.tmp.7");
    sandbox.write(&half, "half a secret");
    for arguments in [&["--dry-run"][..], &["--yes"]] {
        let said = [&["consent", "purge", "--all"], arguments].concat();
        let said = sandbox.ok("log-usage", &said);
        for path in theirs {
            assert!(sandbox.path(path).exists(), "{path}");
            let end = format!("{}  (yours)", path.trim_start_matches("../"));
            let is_it = |line: &str| line.starts_with("not deleted: ") && line.ends_with(&end);
            assert!(said.lines().any(is_it), "{end}: {said}");
        }
        for name in ["consent.toml", "identity.key", "hooks.log", "spool", "import"] {
            assert!(said.contains(&format!("/{name}  (")), "{name}: {said}");
        }
        assert_eq!(said.matches("(yours)").count(), theirs.len(), "{said}");
    }
    for gone in [RECORD, &half, CACHED] {
        assert!(!sandbox.path(gone).exists(), "{gone}");
    }

    let sandbox = Sandbox::repository();
    let folder = sandbox.path("../one").to_string_lossy().into_owned();
    let variables = ["DATA", "STATE", "CONFIG", "CACHE"].map(|it| format!("XDG_{it}_HOME"));
    let variables: Vec<_> = variables.iter().map(|it| (&**it, &*folder)).collect();
    assert!(with(&sandbox, &variables, &[&SEED[..], &["--personal"]].concat()).status.success());
    assert!(with(&sandbox, &variables, &["consent", "grant", "events"]).status.success());
    let output = with(&sandbox, &variables, &["consent", "purge", "--all", "--yes"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(sandbox.path("../one/usage-ledger/usage.csv").exists());
    assert!(!sandbox.path("../one/usage-ledger/consent.toml").exists());
}

#[test]
fn purge_names_the_other_work_trees() {
    let sandbox = Sandbox::repository();
    sandbox.write("code", "1");
    sandbox.commit("2026-02-20", "code");
    grant(&sandbox, &["events"]);
    sandbox.git(["worktree", "add", "--quiet", "--detach", "../linked"]);
    sandbox.git(["worktree", "add", "--quiet", "--detach", "../without"]);
    let there = |arguments: &[&str]| {
        let mut command = sandbox.command("log-usage");
        let output = command.args(arguments).current_dir(sandbox.path("../linked")).output();
        let output = output.unwrap();
        assert!(output.status.success(), "{}", text(&output.stderr));
        text(&output.stdout)
    };
    there(&["event", "a.b"]);
    for option in ["--events", "--all"] {
        let said = sandbox.ok("log-usage", &["consent", "purge", option, "--dry-run"]);
        assert!(said.contains("/linked stays: run this command there, too"), "{said}");
        assert!(!said.contains("/without") && !said.contains("/work stays"), "{said}");
    }
    let said = there(&["consent", "purge", "--events", "--dry-run"]);
    assert!(!said.contains("stays: run"), "{said}");
    sandbox.ok("log-usage", &["event", "a.b"]);
    let said = there(&["consent", "purge", "--events", "--dry-run"]);
    assert!(said.contains("/work stays: run this command there, too"), "{said}");
    assert!(!said.contains("/linked stays"), "{said}");
}
