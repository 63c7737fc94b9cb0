//! Our entry in the settings of coding agents, and what they call: turns go into the ledger, nothing
//! is said, and no word of anybody is kept.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use crate::consent::at_terminal;
use crate::sandbox::{Sandbox, text};

fn home(sandbox: &Sandbox) -> PathBuf {
    sandbox.path("../home")
}

fn root(sandbox: &Sandbox) -> String {
    fs::canonicalize(sandbox.path("")).unwrap().to_string_lossy().into_owned()
}

/// What must never be found in anything that we write.
const SECRET: &str = "correct-horse-battery-staple";

const AGENTS: [(&str, &str, &str); 3] = [
    ("claude-code", ".claude/settings.json", ".claude/settings.json"),
    ("codex", ".codex/hooks.json", ".codex/config.toml"),
    ("gemini", ".gemini/settings.json", ".gemini/settings.json"),
];

#[test]
fn settings_come_back_byte_for_byte() {
    let texts = [
        "{\n    \"model\": \"x\",\n    \"hooks\": {\n        \"Stop\": [{\"hooks\": []}]\n    }\n}\n",
        "{\"a\":[1,2],\"z\":\"\\u00e9\"}",
        "{\r\n\t\"b\": 1.50\r\n}\r\n",
    ];
    for (agent, project, user) in AGENTS {
        for text in texts {
            let sandbox = Sandbox::repository();
            let toml = "# mine\r\nmodel = \"x\"\r\n[tools]\r\nweb = true\r\n";
            let text_of_user = if user.ends_with(".toml") { toml } else { text };
            sandbox.write(project, text);
            sandbox.write(&format!("../home/{user}"), text_of_user);
            for (level, path, before) in [
                (None, project.to_owned(), text),
                (Some("--user"), format!("../home/{user}"), text_of_user),
            ] {
                let with = |action: &str| {
                    let mut arguments = vec!["hooks", action, "--agent", agent];
                    arguments.extend(level);
                    sandbox.ok("log-usage", &arguments)
                };
                assert!(with("install").contains("calls log-usage"), "{agent}");
                let installed = sandbox.read(&path);
                assert_ne!(installed, before);
                assert!(installed.contains("log-usage"));
                let status = sandbox.ok("log-usage", &["hooks", "status"]);
                assert!(status.contains(&format!("ok    {agent} calls log-usage by ")), "{status}");
                assert!(with("install").contains("nothing was changed"));
                assert_eq!(sandbox.read(&path), installed);
                with("uninstall");
                assert_eq!(sandbox.read(&path), before, "{agent}");
                assert!(with("uninstall").contains("nothing was changed"));
            }
        }
    }
}

#[test]
fn settings_that_were_not_there_go_again() {
    for (agent, project, user) in AGENTS {
        let sandbox = Sandbox::repository();
        for (options, path) in [
            (vec!["--agent", agent], sandbox.path(project)),
            (vec!["--agent", agent, "--user"], home(&sandbox).join(user)),
        ] {
            let with = |action: &str| {
                sandbox.ok("log-usage", &[&["hooks", action], options.as_slice()].concat())
            };
            with("install");
            let text = fs::read_to_string(&path).unwrap();
            if path.extension().is_some_and(|it| it == "json") {
                let settings: serde_json::Value = serde_json::from_str(&text).unwrap();
                let event = if agent == "gemini" { "AfterAgent" } else { "Stop" };
                let command = &settings["hooks"][event][0]["hooks"][0]["command"];
                let command = command.as_str().unwrap();
                assert!(command.contains(&format!("log-usage hook {agent}")), "{command}");
            } else {
                assert_eq!(text, "notify = [\"log-usage\", \"hook\", \"codex\"]\n");
            }
            with("uninstall");
            assert!(!path.exists() && !path.parent().unwrap().exists(), "{agent}");
        }
    }
}

/// One of them is enough: of two every event would be recorded twice.
#[test]
fn entries_of_the_project_and_of_the_user_are_named_together() {
    let sandbox = Sandbox::repository();
    sandbox.ok("log-usage", &["init"]);
    for (agent, project, user) in AGENTS {
        let hooks = |action: &str, user: &[&str]| {
            let output = sandbox
                .run("log-usage", &[&["hooks", action, "--agent", agent][..], user].concat());
            assert!(output.status.success(), "{output:?}");
            text(&output.stderr)
        };
        let status = || {
            let output = sandbox.run("log-usage", &["hooks", "status"]);
            (output.status.code(), text(&output.stdout))
        };
        sandbox.ok("log-usage", &["consent", "revoke"]);
        assert_eq!(hooks("install", &[]), "");
        // Rows alone are logged once.
        assert_eq!(hooks("install", &["--user"]), "");
        assert_eq!(status().0, Some(0));
        sandbox.ok("log-usage", &["consent", "grant", "events"]);
        let (code, told) = status();
        let wrong = format!("WRONG {agent} calls log-usage by {project} and by ");
        assert!(code == Some(1) && told.contains(&wrong) && told.contains(user), "{told}");
        for level in [&[][..], &["--user"]] {
            let told = hooks("install", level);
            let fix =
                format!("  fix: log-usage hooks uninstall --agent {agent}, or the same with ");
            assert!(told.contains("is recorded twice\n") && told.contains(&fix), "{told}");
        }
        hooks("uninstall", &["--user"]);
        assert_eq!(status().0, Some(0));
        assert_eq!(hooks("install", &[]), "");
    }
}

#[test]
fn broken_settings_are_named_and_left_alone() {
    let sandbox = Sandbox::repository();
    sandbox.write(".claude/settings.json", "{\n  \"a\": 1\n  \"b\": 2\n}\n");
    sandbox.write("../home/.codex/config.toml", "model = \"x\"\nnotify = [\n");
    sandbox.write("../home/.gemini/settings.json", "// mine\n{ /* and this */ }\n");
    let before = sandbox.snapshot();
    for action in ["install", "uninstall"] {
        // One that is broken keeps the others from being changed, too.
        let output = sandbox
            .run("log-usage", &["hooks", action, "--agent", "gemini", "--agent", "claude-code"]);
        assert_eq!(output.status.code(), Some(1));
        assert!(
            text(&output.stderr).contains(".claude/settings.json:3: "),
            "{}",
            text(&output.stderr)
        );
        let output = sandbox.run("log-usage", &["hooks", action, "--agent", "codex", "--user"]);
        assert!(text(&output.stderr).contains("config.toml:"), "{}", text(&output.stderr));
        assert_eq!(sandbox.snapshot(), before);
    }
    let status = sandbox.run("log-usage", &["hooks", "status"]);
    assert_eq!(status.status.code(), Some(1));
    assert!(text(&status.stdout).contains("WRONG .claude/settings.json:3: "));
    // Gemini allows comments, and they stay.
    sandbox.ok("log-usage", &["hooks", "install", "--agent", "gemini", "--user"]);
    assert!(sandbox.read("../home/.gemini/settings.json").starts_with("// mine\n{"));
    // Codex notifies one program alone.
    sandbox.write("../home/.codex/config.toml", "notify = [\"say\"]\n");
    let output = sandbox.run("log-usage", &["hooks", "install", "--agent", "codex", "--user"]);
    assert!(text(&output.stderr).contains("notify"), "{}", text(&output.stderr));
    assert_eq!(sandbox.read("../home/.codex/config.toml"), "notify = [\"say\"]\n");
}

#[cfg(unix)]
#[test]
fn a_link_to_settings_stays_one() {
    let sandbox = Sandbox::repository();
    sandbox.write("../home/dotfiles/claude.json", "{\"a\": 1}\n");
    fs::create_dir(home(&sandbox).join(".claude")).unwrap();
    let link = home(&sandbox).join(".claude/settings.json");
    std::os::unix::fs::symlink("../dotfiles/claude.json", &link).unwrap();
    sandbox.ok("log-usage", &["hooks", "install", "--agent", "claude-code", "--user"]);
    assert!(link.is_symlink());
    assert!(sandbox.read("../home/dotfiles/claude.json").contains("log-usage"));
}

fn line(root: &str, at: &str, rest: &str) -> String {
    format!(
        "{{\"sessionId\":\"s1\",\"cwd\":\"{root}\",\"timestamp\":\"2026-11-02T{at}Z\",{rest}}}\n"
    )
}

fn turn(root: &str, hour: usize) -> String {
    let prompt = format!("\"type\":\"user\",\"message\":{{\"content\":\"{SECRET}\"}}");
    let answer = format!(
        "\"type\":\"assistant\",\"message\":{{\"id\":\"m{hour}\",\"model\":\"claude-opus-5-5\",\"stop_reason\":\
         \"end_turn\",\"content\":[{{\"type\":\"text\",\"text\":\"{SECRET}\"}}],\
         \"usage\":{{\"input_tokens\":100,\"output_tokens\":7}}}}"
    );
    line(root, &format!("{hour:02}:00:00"), &prompt)
        + &line(root, &format!("{hour:02}:00:09"), &answer)
}

fn transcript(sandbox: &Sandbox, text: &str) -> PathBuf {
    let folder = home(sandbox).join(".claude/projects/-w");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("s1.jsonl"), text).unwrap();
    folder.join("s1.jsonl")
}

/// Calls the hook as an agent does: in whatever folder, and without ever closing standard input.
fn call(sandbox: &Sandbox, agent: &str, told: &str) -> Output {
    let template = sandbox.command("log-usage");
    let mut command = Command::new(template.get_program());
    command.args(["hook", agent]).current_dir(home(sandbox)).env_clear();
    for (name, value) in template.get_envs() {
        command.env(name, value.unwrap());
    }
    let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = piped.spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    let _ = input.write_all(told.as_bytes());
    let began = Instant::now();
    while child.try_wait().unwrap().is_none() {
        if began.elapsed() > Duration::from_secs(60) {
            child.kill().unwrap();
            panic!("it waits for the end of its input");
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    drop(input);
    child.wait_with_output().unwrap()
}

/// The same; it must be silent and succeed whatever happens.
fn called(sandbox: &Sandbox, agent: &str, told: &str) {
    let output = call(sandbox, agent, told);
    assert_eq!(output.status.code(), Some(0), "{told}");
    assert_eq!((text(&output.stdout), text(&output.stderr)), (String::new(), String::new()));
}

fn stop(event: &str, root: &str, transcript: &Path) -> String {
    format!(
        "{{\"session_id\":\"s1\",\"transcript_path\":\"{}\",\"cwd\":\"{root}\",\"hook_event_name\":\"{event}\",\
         \"last_assistant_message\":\"{SECRET}\",\"agent_id\":\"ag1\",\"agent_type\":\"reviewer\",\
         \"prompt\":\"/review {SECRET}\",\"reason\":\"other\"}}",
        transcript.display()
    )
}

fn log(sandbox: &Sandbox) -> String {
    let log = home(sandbox).join(".local/state/usage-ledger/hooks.log");
    fs::read_to_string(log).unwrap_or_default()
}

/// Every file of ours, and none of the agents'.
fn assert_no_secret(sandbox: &Sandbox) {
    let mut folders = vec![sandbox.path(".telemetry"), home(sandbox).join(".local")];
    let mut files = 0;
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            files += 1;
            let bytes = fs::read(&path).unwrap();
            let found = String::from_utf8_lossy(&bytes).contains("horse");
            assert!(!found, "{}", path.display());
        }
    }
    assert!(files > 0);
}

#[test]
fn each_turn_is_logged_when_it_has_ended() {
    let sandbox = Sandbox::repository();
    let root = root(&sandbox);
    sandbox.ok("log-usage", &["hooks", "install", "--agent", "claude-code"]);
    let mut text = turn(&root, 9);
    text += &line(
        &root,
        "10:00:00",
        &format!("\"type\":\"user\",\"message\":{{\"content\":\"{SECRET}\"}}"),
    );
    let path = transcript(&sandbox, &text);
    called(&sandbox, "claude-code", &stop("Stop", &root, &path));
    // The second turn goes on.
    assert_eq!(sandbox.rows().len(), 1);
    let path = transcript(&sandbox, &(turn(&root, 9) + &turn(&root, 10)));
    for event in ["Stop", "Stop", "SessionEnd"] {
        called(&sandbox, "claude-code", &stop(event, &root, &path));
    }
    let rows = sandbox.rows();
    assert_eq!(rows.len(), 2);
    assert!(
        rows[0].starts_with("2026-11-02T09:00:00Z,claude-opus-5-5,100,7,true,quick,9000,"),
        "{rows:?}"
    );
    // An import adds nothing, and neither does a call after it.
    sandbox.ok("log-usage", &["import"]);
    called(&sandbox, "claude-code", &stop("Stop", &root, &path));
    assert_eq!(sandbox.rows(), rows);
    assert!(!sandbox.path(".telemetry/events.jsonl").exists(), "there is no consent");
    assert_no_secret(&sandbox);
    assert_eq!(log(&sandbox), "");
}

#[test]
fn a_transcript_without_a_usual_place_is_read_too() {
    let sandbox = Sandbox::repository();
    let root = root(&sandbox);
    fs::create_dir(sandbox.path(".telemetry")).unwrap();
    sandbox.write("../home/elsewhere/s1.jsonl", turn(&root, 9));
    let path = fs::canonicalize(home(&sandbox).join("elsewhere/s1.jsonl")).unwrap();
    called(&sandbox, "claude-code", &stop("Stop", &root, &path));
    assert_eq!(sandbox.rows().len(), 1);
}

#[test]
fn the_users_own_hook_begins_no_ledger() {
    let sandbox = Sandbox::repository();
    let root = root(&sandbox);
    sandbox.ok("log-usage", &["hooks", "install", "--agent", "claude-code", "--user"]);
    let path = transcript(&sandbox, &turn(&root, 9));
    let before = sandbox.snapshot();
    called(&sandbox, "claude-code", &stop("Stop", &root, &path));
    assert_eq!(sandbox.snapshot(), before);
    // Where somebody began one it writes into it; where rows wait, they wait.
    sandbox.ok("log-usage", &["hooks", "install"]);
    called(&sandbox, "claude-code", &stop("Stop", &root, &path));
    assert!(!sandbox.path(".telemetry/usage.csv").exists());
    assert_eq!(sandbox.json(&[])["totals"]["prompt_tokens"], 100);
}

#[test]
fn codex_and_gemini_are_read_as_well() {
    for (agent, case, told) in [
        (
            "codex",
            "codex/worked-example",
            "{\"type\":\"agent-turn-complete\",\"thread-id\":\"th-1\",\"cwd\":\"ROOT\",\"input-messages\":[\"SECRET\"]}",
        ),
        (
            "codex",
            "codex/worked-example",
            "{\"hook_event_name\":\"Stop\",\"session_id\":\"th-1\",\"transcript_path\":null,\"cwd\":\"ROOT\"}",
        ),
        (
            "gemini",
            "gemini/worked-example",
            "{\"hook_event_name\":\"AfterAgent\",\"session_id\":\"g-1\",\"cwd\":\"ROOT\",\"prompt\":\"SECRET\"}",
        ),
    ] {
        let sandbox = Sandbox::repository();
        let root = root(&sandbox);
        fs::create_dir(sandbox.path(".telemetry")).unwrap();
        let set = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/transcripts").join(case);
        copy(&set.join("home"), &home(&sandbox), &root);
        let told = told.replace("ROOT", &root).replace("SECRET", SECRET);
        if agent == "codex" && told.contains("thread-id") {
            let output = sandbox.run("log-usage", &["hook", agent, &told]);
            assert!(output.status.success() && output.stderr.is_empty());
        } else {
            called(&sandbox, agent, &told);
        }
        let expected = fs::read_to_string(set.join("expected.csv")).unwrap();
        let mut rows = sandbox.rows();
        rows.sort();
        assert_eq!(
            rows,
            expected.lines().skip(1).collect::<Vec<_>>(),
            "{agent}: {}",
            log(&sandbox)
        );
        assert_no_secret(&sandbox);
    }
}

fn copy(from: &Path, to: &Path, root: &str) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap();
        match path.is_dir() {
            true => copy(&path, &to.join(name), root),
            false => {
                let text = fs::read_to_string(&path).unwrap().replace("/w/demo", root);
                fs::write(to.join(name), text).unwrap();
            }
        }
    }
}

#[test]
fn what_fails_is_kept_in_the_log_and_says_nothing() {
    let sandbox = Sandbox::repository();
    let root = root(&sandbox);
    let broken = [
        String::new(),
        "[]".to_owned(),
        format!("{{\"cwd\": \"{SECRET}"),
        format!("no json {SECRET}"),
        "null".to_owned(),
    ];
    for told in &broken {
        // Nothing at all to read means that the agent has closed it.
        let mut command = sandbox.command("log-usage");
        let output =
            command.args(["hook", "claude-code"]).write_stdin(told.clone()).output().unwrap();
        assert_eq!(output.status.code(), Some(0));
        assert!(output.stdout.is_empty() && output.stderr.is_empty(), "{told}");
    }
    assert_eq!(log(&sandbox).lines().count(), broken.len(), "{}", log(&sandbox));
    assert!(!log(&sandbox).contains("horse"));
    // Whatever the command line is, an agent is never kept from stopping.
    for arguments in
        [&["hook", "claude-cod"] as &[&str], &["hook"], &["hook", "gemini", "--x", "1"]]
    {
        assert_eq!(sandbox.run("log-usage", arguments).status.code(), Some(0), "{arguments:?}");
    }
    // A ledger that cannot be written.
    let path = transcript(&sandbox, &turn(&root, 9));
    fs::create_dir_all(sandbox.path(".telemetry/usage.csv")).unwrap();
    let lines = log(&sandbox).lines().count();
    called(&sandbox, "claude-code", &stop("Stop", &root, &path));
    assert_eq!(log(&sandbox).lines().count(), lines + 1);
    let doctor = sandbox.run("log-usage", &["doctor"]);
    assert!(text(&doctor.stdout).contains("last failures in hooks"), "{}", text(&doctor.stdout));
}

#[test]
fn what_is_forbidden_is_not_done() {
    for (name, value) in [("LOG_USAGE_DISABLED", "1"), ("LOG_USAGE_HOOKS", "0")] {
        let sandbox = Sandbox::repository();
        let root = root(&sandbox);
        fs::create_dir(sandbox.path(".telemetry")).unwrap();
        let path = transcript(&sandbox, &turn(&root, 9));
        let before = sandbox.snapshot();
        let mut command = sandbox.command("log-usage");
        command.args(["hook", "claude-code"]).env(name, value);
        let output = command.write_stdin(stop("Stop", &root, &path)).output().unwrap();
        assert!(output.status.success() && output.stderr.is_empty());
        assert_eq!(sandbox.snapshot(), before);
        assert!(!home(&sandbox).join(".local").exists());
    }
}

#[test]
fn with_consent_events_say_what_happened_and_no_word_of_it() {
    let sandbox = Sandbox::repository();
    let root = root(&sandbox);
    // Whoever allows events later installs again.
    let install = ["hooks", "install", "--agent", "claude-code"];
    sandbox.ok("log-usage", &install);
    let status = || sandbox.ok("log-usage", &["hooks", "status"]);
    assert!(!status().contains("events"));
    sandbox.ok("log-usage", &["consent", "grant", "events"]);
    let more = "(Stop, SessionEnd); you allow events: log-usage hooks install --agent claude-code records \
                those, too\n";
    assert!(status().ends_with(more), "{}", status());
    sandbox.ok("log-usage", &install);
    assert!(!status().contains("events"));
    assert!(sandbox.read(".claude/settings.json").contains("SubagentStop"));
    let path = transcript(&sandbox, &turn(&root, 9));
    let failed =
        format!("{}{{\"type\":\"assistant\",\"isApiErrorMessage\":true}}\n", turn(&root, 9));
    sandbox.write("../home/agent.jsonl", failed);
    let agent = fs::canonicalize(home(&sandbox).join("agent.jsonl")).unwrap();
    for event in
        ["SessionStart", "UserPromptSubmit", "SubagentStart", "SubagentStop", "Stop", "SessionEnd"]
    {
        called(&sandbox, "claude-code", &stop(event, &root, &path));
    }
    let of_agent = format!("\"agent_transcript_path\":\"{}\",\"agent_id\"", agent.display());
    let told = stop("SubagentStop", &root, &path).replace("\"agent_id\"", &of_agent);
    called(&sandbox, "claude-code", &told);
    // What looks like a command and is none is a word of the prompt.
    let told = stop("UserPromptSubmit", &root, &path).replace("/review ", "/horse ");
    called(&sandbox, "claude-code", &told);
    // Who planned hands over to who does it; what the plan says is nobody's business.
    let told = format!(
        "\"tool_name\":\"ExitPlanMode\",\"permission_mode\":\"acceptEdits\",\
        \"tool_input\":{{\"plan\":\"{SECRET}\"}},\"tool_response\":\"{SECRET}\",\"agent_id\""
    );
    let told = stop("PostToolUse", &root, &path).replace("\"agent_id\"", &told);
    called(&sandbox, "claude-code", &told);
    let events = sandbox.read(".telemetry/events.jsonl");
    let events: Vec<serde_json::Value> =
        events.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let names: Vec<&str> = events.iter().map(|it| it["name"].as_str().unwrap()).collect();
    let expected = [
        "session.started",
        "command.executed",
        "agent.started",
        "agent.completed",
        "session.ended",
        "agent.failed",
        "handoff.completed",
    ];
    assert_eq!(names, expected, "{}", log(&sandbox));
    assert_eq!(events[1]["command"], "/review");
    assert_eq!(
        (&events[2]["agent"], &events[3]["agent"]),
        (&"reviewer".into(), &"reviewer".into())
    );
    assert_eq!(events[2]["correlation"], events[3]["correlation"]);
    assert_eq!(events[6]["attrs"], serde_json::json!({"from": "plan", "to": "acceptEdits"}));
    let settings: serde_json::Value =
        serde_json::from_str(&sandbox.read(".claude/settings.json")).unwrap();
    assert_eq!(settings["hooks"]["PostToolUse"][0]["matcher"], "ExitPlanMode");
    assert!(events.iter().all(|it| it["session"] == events[0]["session"]));
    assert_ne!(events[0]["session"], "s1");
    assert_eq!(sandbox.rows().len(), 1);
    assert_no_secret(&sandbox);
}

/// A program of that name that prints this.
fn tool(sandbox: &Sandbox, name: &str, printed: &str, code: u8) -> String {
    sandbox.write(&format!("../home/{name}.txt"), printed);
    let path = fs::canonicalize(home(sandbox)).unwrap().join(name);
    let text = path.with_extension("txt");
    fs::write(&path, format!("#!/bin/sh\ncat '{}'\nexit {code}\n", text.display())).unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs::set_permissions(&path, mode).unwrap();
    path.to_string_lossy().into_owned()
}

const CLAUDE: &str = "{\"type\":\"result\",\"subtype\":\"success\",\"is_error\":false,\"duration_ms\":5000,\
    \"num_turns\":3,\"result\":\"correct-horse-battery-staple\",\"session_id\":\"s1\",\"uuid\":\"u1\",\
    \"total_cost_usd\":0.25,\"usage\":{\"input_tokens\":10,\"cache_creation_input_tokens\":300,\
    \"cache_read_input_tokens\":1000,\"output_tokens\":50},\"modelUsage\":{\"claude-opus-5-5\":\
    {\"inputTokens\":10,\"outputTokens\":50,\"cacheReadInputTokens\":1000,\
    \"cacheCreationInputTokens\":300,\"costUSD\":0.25}}}";

#[test]
fn a_run_takes_what_its_command_tells_of_itself() {
    let codex = "{\"type\":\"thread.started\",\"thread_id\":\"t1\"}\nno json\n{\"type\":\"turn.completed\",\
        \"usage\":{\"input_tokens\":900,\"cached_input_tokens\":600,\"output_tokens\":30}}\n";
    let cursor = "{\"type\":\"system\",\"subtype\":\"init\",\"model\":\"gpt-5\"}\n{\"type\":\"result\",\"subtype\":\
        \"success\",\"is_error\":false,\"duration_ms\":7,\"session_id\":\"c\",\"request_id\":\"r\",\"usage\":\
        {\"inputTokens\":5,\"outputTokens\":6,\"cacheReadTokens\":7,\"cacheWriteTokens\":8}}";
    let gemini = "{\n \"response\": \"x\",\n \"stats\": {\"models\": {\"gemini-3.8-flash\": {\"api\": \
        {\"totalRequests\": 2}, \"tokens\": {\"prompt\": 100, \"candidates\": 20, \"cached\": 50, \
        \"thoughts\": 5, \"tool\": 1}}}}\n}\n";
    for (name, printed, words, row) in [
        ("claude", CLAUDE, vec!["-p", "--output-format", "json"], "claude-opus-5-5,1310,50,true,"),
        ("codex", codex, vec!["exec", "--json"], "unknown,900,30,true,"),
        ("cursor-agent", cursor, vec!["-p", "--output-format=stream-json"], "gpt-5,20,6,true,"),
        ("gemini", gemini, vec!["--output-format", "json"], "gemini-3.8-flash,101,25,true,"),
    ] {
        let sandbox = Sandbox::repository();
        let program = tool(&sandbox, name, printed, 0);
        let arguments = [&["run", "--", &program], words.as_slice()].concat();
        // Byte for byte, to the last line without an end.
        assert_eq!(sandbox.ok("log-usage", &arguments), printed);
        let rows = sandbox.rows();
        assert_eq!(rows.len(), 1);
        assert!(rows[0].contains(row), "{rows:?}");
        assert!(!rows[0].contains("no-usage") && !rows[0].contains("horse"));
        // Who names the model knows it.
        let with_model = [
            &[
                "run",
                "--model",
                "claude-haiku-5-5",
                "--type",
                "plan",
                "--notes",
                "n",
                "--",
                &program,
            ],
            words.as_slice(),
        ]
        .concat();
        let sandbox = Sandbox::repository();
        sandbox.ok("log-usage", &with_model);
        let rows = sandbox.rows();
        assert!(rows[0].contains("claude-haiku-5-5,") && rows[0].contains(",plan,"), "{rows:?}");
        assert!(rows[0].contains(",n {source="), "{rows:?}");
        // What kind of work it was, the result does not say.
        let sandbox = Sandbox::repository();
        let of_kind = ["run", "--type", "plan", "--notes", "n", "--tag", "agent=a", "--", &program];
        sandbox.ok("log-usage", &[&of_kind, words.as_slice()].concat());
        let rows = sandbox.rows();
        assert!(rows[0].contains(row) && rows[0].contains(",plan,"), "{rows:?}");
        assert!(rows[0].contains(",n {") && rows[0].contains(" agent=a"), "{rows:?}");
        // Nobody is listened to who was not asked.
        let sandbox = Sandbox::repository();
        assert_eq!(sandbox.ok("log-usage", &["run", "--", &program]), printed);
        assert!(!sandbox.path(".telemetry").exists());
    }
}

#[test]
fn a_run_that_failed_is_a_failure_whatever_it_says() {
    let sandbox = Sandbox::repository();
    let program = tool(&sandbox, "claude", CLAUDE, 7);
    let arguments = ["run", "--", &program, "-p", "--output-format", "json"];
    assert_eq!(sandbox.run("log-usage", &arguments).status.code(), Some(7));
    let rows = sandbox.rows();
    assert!(rows[0].contains(",1310,50,false,") && rows[0].contains("reason=error"), "{rows:?}");
    assert!(rows[0].contains("cost_usd=0.250000"), "{rows:?}");
    // Where the session's transcript was imported, its turn is there already.
    let sandbox = Sandbox::repository();
    let root = root(&sandbox);
    transcript(&sandbox, &turn(&root, 9));
    sandbox.ok("log-usage", &["import"]);
    sandbox.run("log-usage", &arguments);
    assert_eq!(sandbox.rows().len(), 1);
}

/// How much is held, when the oldest goes: as far as that can be known.
#[test]
fn without_a_ledger_the_turns_that_could_be_there_are_counted() {
    let sandbox = Sandbox::repository();
    let root = root(&sandbox);
    let day = Duration::from_secs(24 * 3600);
    let said = |hours: &[usize], age: Duration| {
        let turns: String = hours.iter().map(|hour| turn(&root, *hour)).collect();
        let path = transcript(&sandbox, &turns);
        let changed = std::time::SystemTime::now() - age;
        fs::File::options().append(true).open(path).unwrap().set_modified(changed).unwrap();
        let before = sandbox.snapshot();
        let output = sandbox.run("usage-report", &[]);
        assert_eq!(output.status.code(), Some(1));
        assert_eq!(sandbox.snapshot(), before);
        text(&output.stderr)
    };
    let message = |held: &str| {
        format!(
            "error: no ledger here\n  why: no .telemetry/usage.csv in this folder or above it\n  \
             fix: {held}log-usage claude-3-opus 1500 3200 true execute 45s \"first row\"\n"
        )
    };
    let held = |turns: &str, goes: &str| {
        message(&format!(
            "log-usage import            # agents on this machine hold {turns} of this repository;\n\
             {:35}# the oldest is deleted {goes}\n       ",
            ""
        ))
    };
    assert_eq!(said(&[], day), message(""));
    assert_eq!(said(&[9], day * 28 + day / 2), held("1 turn", "in about a day"));
    assert_eq!(said(&[9, 10], day * 26 + day / 2), held("2 turns", "in about 3 days"));
    // Today, or at the next start of the agent.
    for age in [day * 29 + day / 2, day * 40] {
        assert_eq!(said(&[9, 10, 11], age), held("3 turns", "within a day"));
    }
    // Whoever keeps them longer has longer.
    sandbox.write("../home/.claude/settings.json", "{\"cleanupPeriodDays\": 99}");
    assert_eq!(said(&[9], day * 26 + day / 2), held("1 turn", "in about 72 days"));
    // What is too much to be read while somebody waits is older, and goes before it.
    let folder = home(&sandbox).join(".claude/projects/-w");
    fs::File::create(folder.join("s2.jsonl")).unwrap().set_len(49 << 20).unwrap();
    let expected = "log-usage import            # agents on this machine hold at least 1 turn of \
                    this repository\n       ";
    assert_eq!(said(&[9], day), message(expected));
    assert!(!home(&sandbox).join(".local").exists() && !home(&sandbox).join(".cache").exists());
}

/// What is said to a person after rows were logged; only where it would change something.
#[test]
fn an_import_says_how_the_ledger_is_kept_filled() {
    let sandbox = Sandbox::repository();
    let here = root(&sandbox);
    let with = |hours: &[usize]| {
        let ours: String = hours.iter().map(|hour| turn(&here, *hour)).collect();
        transcript(&sandbox, &(ours + &turn("/w/elsewhere", 23)))
    };
    with(&[9, 10]);
    let Some(said) = at_terminal(&sandbox, &[], &["import"], "") else { return };
    assert_eq!(
        said,
        "claude-code   1 session   2 turns   2 new   <$0.01\n\
         2 rows logged, 2 Nov 2026.\n  \
         of this repository only; 1 turn of other folders was left alone (--all-projects --personal)\n  \
         keep it filled: log-usage hooks install --agent claude-code\n  \
         new ledger: .telemetry/usage.csv (commit it with your code; log-usage init adds a README and settings)\n"
    );
    let says_how = |arguments: &[&str]| {
        let said = at_terminal(&sandbox, &[], &[&["import"], arguments].concat(), "").unwrap();
        assert!(said.contains("logged") || said.contains("nothing new"), "{said}");
        said.contains("keep it filled")
    };
    assert!(!says_how(&[]), "nothing was logged");
    // Hooks fill the ledger of a repository alone, and read what is in its usual place.
    with(&[9, 10, 11]);
    assert!(!says_how(&["--personal"]));
    let named = with(&[9, 10, 11, 12]).to_string_lossy().into_owned();
    assert!(!says_how(&["claude-code", "--from", &named]));
    // Where the agent calls us already, or may.
    for (number, level) in [&[] as &[&str], &["--user"]].into_iter().enumerate() {
        let options = [&["--agent", "claude-code"], level].concat();
        sandbox.ok("log-usage", &[&["hooks", "install"], options.as_slice()].concat());
        with(&(9..=13 + number).collect::<Vec<_>>());
        assert!(!says_how(&[]));
        sandbox.ok("log-usage", &[&["hooks", "uninstall"], options.as_slice()].concat());
    }
    with(&(9..=15).collect::<Vec<_>>());
    assert!(says_how(&[]));
    sandbox.write(".claude/settings.json", "{ broken");
    with(&(9..=16).collect::<Vec<_>>());
    assert!(!says_how(&[]));
}

/// Without a terminal an import says nothing of what it stored, but why there is nothing at all.
#[test]
fn turns_of_other_folders_alone_are_not_passed_over_in_silence() {
    let sandbox = Sandbox::repository();
    transcript(&sandbox, &turn("/w/elsewhere", 23));
    let said = |arguments: &[&str]| text(&sandbox.run("log-usage", arguments).stderr);
    assert_eq!(
        said(&["import"]),
        "of this repository only; 1 turn of other folders was left alone (--all-projects --personal)\n"
    );
    assert_eq!(said(&["import", "--quiet"]), "");
    transcript(&sandbox, &(turn("/w/elsewhere", 23) + &turn(&root(&sandbox), 9)));
    assert!(!said(&["import"]).contains("left alone"));
    assert_eq!(said(&["import"]), "");
}
