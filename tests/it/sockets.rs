//! `log-usage` has nothing to do with the network: no command of it opens a socket, and no code that
//! could speak over one is in it.

use std::collections::HashMap;
use std::fs;
use std::net::TcpStream;
use std::path::Path;

use crate::faults::has_strace;
use crate::sandbox::{HEADER, SEED, Sandbox, text};

/// What is known of one run: which programs ran, and for each call that has to do with sockets whose it
/// was.
#[derive(Default)]
struct Seen {
    programs: Vec<String>,
    calls: Vec<(String, String)>,
}

impl Seen {
    fn of(trace: &str) -> Seen {
        let mut seen = Seen::default();
        let mut programs: HashMap<&str, String> = HashMap::new();
        let mut begun: HashMap<&str, String> = HashMap::new();
        let mut first = "";
        for line in trace.lines() {
            let (pid, call) = line.split_once(' ').unwrap();
            let call = call.trim_start();
            let result = call.rsplit_once("= ").map(|(_, result)| result);
            let exec = call.strip_prefix("execve(\"").and_then(|it| it.split('"').next());
            let name = exec.map(|path| path.rsplit('/').next().unwrap_or(path).to_owned());
            // A thread, or a child that has not begun another program, is what its parent is.
            let own =
                programs.get(pid).or_else(|| programs.get(first)).cloned().unwrap_or_default();
            let call_name = call.trim_start_matches("<... ").split(['(', ' ']).next().unwrap_or("");
            if ["clone", "clone3", "fork", "vfork"].contains(&call_name) {
                if let Some(child) = result {
                    programs.entry(child).or_insert(own);
                }
            } else if call_name == "execve" {
                if first.is_empty() {
                    first = pid;
                }
                begun.extend(name.map(|name| (pid, name)));
                // Its end may stand on a later line.
                if let Some(name) =
                    result.and_then(|_| begun.remove(pid)).filter(|_| result == Some("0"))
                {
                    seen.programs.push(name.clone());
                    programs.insert(pid, name);
                }
            } else if !call.starts_with(['+', '-', '<']) {
                seen.calls.push((own, call.to_owned()));
            }
        }
        seen
    }
}

/// Runs it under strace; gives what was seen, its exit code, and what it said.
fn traced(
    sandbox: &Sandbox,
    program: &str,
    arguments: &[&str],
    input: &str,
) -> (Seen, Option<i32>, String) {
    let trace = sandbox.path("../trace");
    let mut command = sandbox.command("strace");
    command.args(["-f", "-qq", "-e", "trace=network,execve,clone,clone3,fork,vfork", "-o"]);
    let command = command.arg(&trace).arg(program).args(arguments);
    let output = command.write_stdin(input.to_owned()).output().unwrap();
    let seen = Seen::of(&fs::read_to_string(&trace).unwrap());
    (seen, output.status.code(), text(&output.stderr))
}

/// The names of all commands, read from their table.
fn commands() -> Vec<String> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/bin/log-usage/commands.rs");
    let source = fs::read_to_string(source).unwrap();
    let table = source.split_once("const COMMANDS").unwrap().1.split_once("];").unwrap().0;
    let names = table.match_indices("name: \"").map(|(at, word)| &table[at + word.len()..]);
    names.map(|rest| rest.split('"').next().unwrap().to_owned()).collect()
}

/// One call of every command that does its work, in a row: arguments, standard input, exit code.
const SWEEP: [(&[&str], &str, i32); 33] = [
    (&["init"], "", 0),
    (&SEED, "", 0),
    (&["m", "1", "2", "maybe", "plan", "3"], "", 2),
    (
        &["batch"],
        "{\"model\":\"m\",\"prompt_tokens\":1,\"completion_tokens\":2,\"task_success\":true,\"task_type\":\"plan\",\"duration_ms\":3}\n",
        0,
    ),
    (&["run", "--model", "m", "--", "true"], "", 0),
    (&["consent", "grant", "events", "--identity"], "", 0),
    (&["consent", "status"], "", 0),
    (&["consent", "show"], "", 0),
    (&["consent", "export"], "", 0),
    (&["event", "role.selected", "--role", "planner"], "", 0),
    (&["event", "-"], "{\"name\":\"role.changed\",\"role\":\"reviewer\"}\n", 0),
    (&["run", "--", "true"], "", 0),
    (&["consent", "purge", "--all", "--yes"], "", 0),
    (&["import"], "", 0),
    (&["hook", "claude-code"], "{\"hook_event_name\":\"Stop\"}", 0),
    (&["amend", "--list"], "", 0),
    (&["amend", "--last", "--success", "false"], "", 0),
    (&["redact"], "mail bob@corp.example.com\n", 0),
    (&["redact", "--check", ".telemetry/usage.csv"], "", 0),
    (&["redact", "--list-rules", "--json"], "", 0),
    (&["repair"], "", 0),
    (&["doctor"], "", 1),
    (&["hooks", "install"], "", 0),
    (&["hooks", "status"], "", 0),
    (&SEED, "", 0),
    (&["hook", "pre-commit"], "", 0),
    (&["hook", "post-commit"], "", 0),
    (&["hooks", "uninstall"], "", 0),
    (&["compact"], "", 0),
    (&["prune", "--before", "2001-01-01", "--yes"], "", 0),
    (&["merge-driver", "base.csv", "ours.csv", "theirs.csv", "usage.csv"], "", 0),
    (&["--help"], "", 0),
    (&["--personal", "m", "1", "2", "true", "plan", "3"], "", 0),
];

#[test]
fn no_command_opens_a_socket() {
    if !has_strace() {
        eprintln!("SKIPPED no_command_opens_a_socket: no strace on this machine");
        return;
    }
    // The test sees a socket where there is one.
    let sandbox = Sandbox::repository();
    let own = std::env::current_exe().unwrap();
    let opens = ["--exact", "sockets::opens_a_socket", "--ignored"];
    let (seen, _, said) = traced(&sandbox, own.to_str().unwrap(), &opens, "");
    let is_seen = seen.calls.iter().any(|(_, call)| call.starts_with("socket(AF_INET"));
    assert!(is_seen, "{said}");
    for name in commands() {
        let is_swept = SWEEP.iter().any(|(arguments, ..)| arguments[0] == name);
        assert!(is_swept, "give {name} a call in SWEEP that does its work");
    }
    sandbox.git(["commit", "--quiet", "--allow-empty", "--message", "first"]);
    for name in ["base.csv", "ours.csv", "theirs.csv"] {
        sandbox.write(name, format!("{HEADER}\n"));
    }
    let mut all = Vec::new();
    for (arguments, input, code) in SWEEP {
        let (seen, ended, said) = traced(&sandbox, "log-usage", arguments, input);
        assert_eq!(ended, Some(code), "{arguments:?}: {said}");
        assert_eq!(seen.programs[0], "log-usage");
        all.extend(seen.calls.into_iter().map(|call| (arguments, call)));
    }
    // And where git runs it.
    sandbox.ok("log-usage", &["hooks", "install"]);
    sandbox.ok("log-usage", &SEED);
    let commit = ["commit", "--quiet", "--allow-empty", "--message", "second"];
    let (seen, ended, said) = traced(&sandbox, "git", &commit, "");
    assert_eq!(ended, Some(0), "{said}");
    assert!(seen.programs.iter().any(|it| it == "log-usage"), "{:?}", seen.programs);
    all.extend(seen.calls.into_iter().map(|call| (&["commit"][..], call)));
    for (arguments, (program, call)) in all {
        // A pair of ends within one process, by which it hears of its child, reaches nobody else.
        let reaches =
            ["socket(", "connect(", "bind(", "listen("].iter().any(|it| call.starts_with(it));
        assert!(program != "log-usage" || !reaches, "{arguments:?}: {call}");
        assert!(!call.contains("AF_INET"), "{arguments:?}: {program}: {call}");
    }
}

/// What the test above must see.
#[test]
#[ignore = "run by no_command_opens_a_socket"]
fn opens_a_socket() {
    // Nobody need listen there.
    let _ = TcpStream::connect("127.0.0.1:9");
}

#[test]
fn a_trace_is_read_program_by_program() {
    let trace = "10 execve(\"/usr/bin/git\", [\"git\"], 0x1 /* 9 vars */) = 0\n\
                 10 clone(child_stack=NULL, flags=SIGCHLD) = 11\n\
                 11 execve(\"/no/log-usage\", [\"x\"], 0x1 /* 9 vars */) = -1 ENOENT (No such file)\n\
                 11 socket(AF_UNIX, SOCK_STREAM, 0) = 3\n\
                 11 execve(\"/x/log-usage\", [\"log-usage\"], 0x1 /* 9 vars */ <unfinished ...>\n\
                 10 connect(3, {sa_family=AF_INET}, 16) = 0\n\
                 11 <... execve resumed>)                  = 0\n\
                 11 clone3({flags=CLONE_THREAD}, 88 <unfinished ...>\n\
                 11 <... clone3 resumed> => {parent_tid=[12]}, 88) = 12\n\
                 12 bind(3, {sa_family=AF_INET6}, 28) = 0\n\
                 11 +++ exited with 0 +++\n";
    let seen = Seen::of(trace);
    assert_eq!(seen.programs, ["git", "log-usage"]);
    let calls =
        seen.calls.iter().map(|(program, call)| (&**program, call.split('(').next().unwrap()));
    assert_eq!(
        calls.collect::<Vec<_>>(),
        [("git", "socket"), ("git", "connect"), ("log-usage", "bind")]
    );
}

/// The names of an ELF file's own functions; None where it was stripped of them, or is no such file.
fn functions(binary: &[u8]) -> Option<Vec<String>> {
    const SYMBOLS: u64 = 2;
    const FUNCTION: u64 = 2;
    let number = |at: u64, bytes: usize| {
        let at = usize::try_from(at).ok()?;
        let bytes = binary.get(at..at + bytes)?;
        Some(bytes.iter().rev().fold(0u64, |number, byte| number << 8 | u64::from(*byte)))
    };
    if !binary.starts_with(b"\x7fELF\x02\x01") {
        return None;
    }
    let (sections, size, count) = (number(0x28, 8)?, number(0x3a, 2)?, number(0x3c, 2)?);
    let section = |at: u64| sections + at * size;
    let table = (0..count).map(section).find(|at| number(at + 4, 4) == Some(SYMBOLS))?;
    let (start, bytes) = (number(table + 0x18, 8)?, number(table + 0x20, 8)?);
    let names = number(section(number(table + 0x28, 4)?) + 0x18, 8)?;
    let mut functions = Vec::new();
    for symbol in (start..start + bytes).step_by(24) {
        let (name, kind, place) =
            (number(symbol, 4)?, number(symbol + 4, 1)?, number(symbol + 6, 2)?);
        if kind & 15 == FUNCTION && place != 0 {
            let name = &binary[usize::try_from(names + name).ok()?..];
            let end = name.iter().position(|byte| *byte == 0)?;
            functions.push(String::from_utf8_lossy(&name[..end]).into_owned());
        }
    }
    Some(functions)
}

/// Crates that speak HTTP or TLS, or open sockets.
const CRATES: [&str; 17] = [
    "rustls",
    "ureq",
    "ureq_proto",
    "ring",
    "aws_lc_rs",
    "webpki",
    "hyper",
    "http",
    "httparse",
    "h2",
    "reqwest",
    "native_tls",
    "openssl",
    "curl",
    "socket2",
    "mio",
    "tokio",
];

#[test]
fn the_writer_holds_no_code_that_speaks_over_a_network() {
    let released = std::env::var_os("RELEASED_LOG_USAGE");
    let binary = released.unwrap_or_else(|| env!("CARGO_BIN_EXE_log-usage").into());
    let binary = fs::read(binary).unwrap();
    let functions = match functions(&binary) {
        Some(functions) => functions,
        // The paths of the crates stand in the messages of their panics.
        None => {
            let holds = |word: &str| binary.windows(word.len()).any(|it| it == word.as_bytes());
            assert!(holds("/clap_builder-"), "the test has lost its eyes");
            for name in CRATES {
                for word in [format!("/{name}-"), format!("/{}-", name.replace('_', "-"))] {
                    assert!(!holds(&word), "log-usage holds {name}");
                }
            }
            assert!(!holds("HTTP/1."), "log-usage speaks HTTP");
            return;
        }
    };
    let is_of = |function: &str, name: &str| {
        let word = format!("{}{name}", name.len());
        function.match_indices(&word).any(|(at, _)| {
            // As Rust mangles the path of an item: behind the crate's own number, or at the beginning.
            let before = &function[..at];
            before.ends_with('_') || before.ends_with("ZN")
        })
    };
    assert!(functions.iter().any(|it| is_of(it, "usage_ledger")), "the test has lost its eyes");
    for name in CRATES {
        let found = functions.iter().find(|it| is_of(it, name));
        assert_eq!(found, None, "log-usage holds {name}");
    }
    for name in ["TcpStream", "TcpListener", "UdpSocket", "ToSocketAddrs", "LookupHost"] {
        let word = format!("{}{name}", name.len());
        let found = functions.iter().find(|it| it.contains(&word));
        assert_eq!(found, None, "log-usage holds {name}");
    }
}
