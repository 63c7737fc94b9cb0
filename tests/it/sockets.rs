//! `log-usage` has nothing to do with the network: no command of it opens a socket, and no code that
//! could speak over one is in it.

use std::collections::HashMap;
use std::fs;
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;

use crate::faults::has_strace;
use crate::sandbox::{HEADER, SEED, Sandbox, text};

/// What is known of one run: which programs ran, and for each call that has to do with sockets whose it
/// was.
#[derive(Default)]
struct Seen {
    programs: Vec<String>,
    calls: Vec<(String, String)>,
}

/// A process or thread, from its beginning to its end: the system gives its number away again.
#[derive(Default)]
struct Life {
    /// Who began it, and what that one was then; none of a first one, and none as long as it is not
    /// told.
    parent: Option<Origin>,
    program: Option<String>,
    begins: Option<String>,
}

/// A program that is known, or the life that it must be asked of.
#[derive(Clone)]
enum Origin {
    Program(String),
    Life(usize),
}

/// The lives of a trace. Its lines stand in the order in which calls ended: a child may have spoken,
/// and even died, before its parent hears its number.
#[derive(Default)]
struct Lives<'a> {
    all: Vec<Life>,
    now: HashMap<&'a str, usize>,
    unclaimed: HashMap<&'a str, usize>,
}

impl<'a> Lives<'a> {
    fn of(&mut self, pid: &'a str) -> usize {
        *self.now.entry(pid).or_insert_with(|| {
            self.all.push(Life::default());
            self.all.len() - 1
        })
    }

    /// What it is now, itself or by its birth.
    fn origin(&self, life: usize) -> Origin {
        match &self.all[life].program {
            Some(program) => Origin::Program(program.clone()),
            None => Origin::Life(life),
        }
    }

    fn begin(&mut self, parent: usize, child: &'a str) {
        let origin = self.origin(parent);
        let life = self.unclaimed.remove(child).unwrap_or_else(|| self.of(child));
        self.all[life].parent = Some(origin);
    }

    fn end(&mut self, pid: &'a str) {
        let Some(life) = self.now.remove(pid) else { return };
        // The first one is nobody's child.
        if self.all[life].parent.is_none() && life > 0 {
            self.unclaimed.insert(pid, life);
        }
    }

    fn program(&self, origin: &Origin) -> String {
        let mut origin = origin;
        loop {
            match origin {
                Origin::Program(program) => return program.clone(),
                Origin::Life(life) => match &self.all[*life].parent {
                    Some(parent) => origin = parent,
                    None => return String::new(),
                },
            }
        }
    }
}

impl Seen {
    fn of(trace: &str) -> Seen {
        let mut programs = Vec::new();
        let mut lives = Lives::default();
        let mut calls = Vec::new();
        for line in trace.lines() {
            let (pid, call) = line.split_once(' ').unwrap();
            let call = call.trim_start();
            let life = lives.of(pid);
            // The words of a command may look like a result.
            let ended = Some(call).filter(|it| !it.ends_with("<unfinished ...>"));
            let result = ended.and_then(|it| it.rsplit_once("= ")).map(|(_, result)| result);
            let name = call.trim_start_matches("<... ").split(['(', ' ']).next().unwrap_or("");
            match name {
                _ if call.starts_with("+++ exited") || call.starts_with("+++ killed") => {
                    lives.end(pid);
                }
                "clone" | "clone3" | "fork" | "vfork" => {
                    let is_number = |it: &&str| it.bytes().all(|b| b.is_ascii_digit());
                    if let Some(child) = result.filter(is_number) {
                        lives.begin(life, child);
                    }
                }
                "execve" => {
                    let path = call.strip_prefix("execve(\"").and_then(|it| it.split('"').next());
                    let name = path.map(|it| it.rsplit('/').next().unwrap_or(it).to_owned());
                    let life = &mut lives.all[life];
                    life.begins = name.or(life.begins.take());
                    // Its end may stand on a later line.
                    let begun = result.and_then(|result| Some((result, life.begins.take()?)));
                    if let Some(("0", name)) = begun {
                        programs.push(name.clone());
                        life.program = Some(name);
                    }
                }
                _ if call.starts_with(['+', '-', '<']) => {}
                _ => calls.push((lives.origin(life), call.to_owned())),
            }
        }
        let calls = calls.into_iter().map(|(whose, call)| (lives.program(&whose), call)).collect();
        Seen { programs, calls }
    }

    /// A pair of ends within one process, by which it hears of its child, reaches nobody else.
    fn reaches(call: &str) -> bool {
        ["socket(", "connect(", "bind(", "listen("].iter().any(|it| call.starts_with(it))
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
const SWEEP: [(&[&str], &str, i32); 40] = [
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
    (&["alert"], "", 0),
    (&["alert", "ack", "0123456789ab", "--note", "known"], "", 0),
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
    (
        &["--personal", "--timestamp", "2020-01-01T00:00:00Z", "m", "1", "2", "true", "plan", "3"],
        "",
        0,
    ),
    (&["--personal", "--max-size", "1", "m", "1", "2", "true", "plan", "3"], "", 0),
    (&["archive", "--personal"], "", 0),
    (&["archive", "--personal", "--to", "vault", "--before", "2021-01-01", "--yes"], "", 0),
    (&["restore", "--personal", "vault"], "", 0),
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
        let reaches = program == "log-usage" && Seen::reaches(&call);
        assert!(!reaches, "{arguments:?}: {call}");
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

/// These do what others do, some thousand times over, or start no program at all; traced they would
/// take as long as all others.
const STORMS: [&str; 6] =
    ["histories::", "storms::", "concurrent::", "import_grown", "import_story::", "alarms::"];

/// So many processes of ours the tests start at least; a trace with fewer has lost its eyes.
const OURS_MIN: usize = 2_000;

/// Whatever any test has `log-usage` do. The tests that trace it themselves find no strace here, and
/// skip: they, and whether any test fails, are for the ordinary run.
#[test]
#[ignore = "runs nearly all other tests, for some minutes; scripts/torture.sh does"]
fn nothing_that_any_test_has_it_do_opens_a_socket() {
    if !has_strace() {
        eprintln!("SKIPPED nothing_that_any_test…: no strace on this machine");
        return;
    }
    let probe = ["-f", "--seccomp-bpf", "-o", "/dev/null", "true"];
    let can_filter = Command::new("strace").args(probe).output().unwrap().status.success();
    let programs = Path::new(env!("CARGO_BIN_EXE_log-usage")).parent().unwrap();
    let trace = programs.join("sockets.strace");
    let calls = "trace=socket,connect,bind,listen,execve,clone,clone3,fork,vfork";
    let mut command = Command::new("strace");
    command.args(["-f", "-e", calls, "-e", "signal=none", "-o"]).arg(&trace);
    // So that it stops them at these calls alone.
    if can_filter {
        command.arg("--seccomp-bpf");
    }
    command.arg(std::env::current_exe().unwrap());
    command.args(STORMS.iter().flat_map(|name| ["--skip", name]));
    // What they count in a release build they count in the ordinary run.
    command.env_remove("RELEASED_LOG_USAGE").env_remove("ORACLE_ROWS");
    let output = command.output().unwrap();
    let seen = Seen::of(&text(&fs::read(&trace).unwrap()));
    let is_ours = |name: &str| name == "log-usage";
    let ours = seen.programs.iter().filter(|it| is_ours(it)).count();
    let said = text(&output.stdout);
    let said = said.lines().rfind(|line| line.starts_with("test result")).unwrap_or_default();
    eprintln!("{ours} processes of log-usage among {}; {said}", seen.programs.len());
    assert!(ours > OURS_MIN, "only {ours} processes of log-usage; {}", text(&output.stderr));
    let reaches = |(whose, call): &&(String, String)| is_ours(whose) && Seen::reaches(call);
    let found: Vec<_> = seen.calls.iter().filter(reaches).collect();
    assert!(found.is_empty(), "{found:?}, in {}", trace.display());
    let unknown = seen.calls.iter().find(|(whose, _)| whose.is_empty());
    assert_eq!(unknown, None, "whose call is that? In {}", trace.display());
    fs::remove_file(trace).unwrap();
}

#[test]
fn a_trace_is_read_program_by_program() {
    let trace = "10 execve(\"/usr/bin/git\", [\"git\"], 0x1 /* 9 vars */) = 0\n\
                 10 clone(child_stack=NULL, flags=SIGCHLD) = 11\n\
                 11 execve(\"/no/log-usage\", [\"x\"], 0x1 /* 9 vars */) = -1 ENOENT (No such file)\n\
                 11 socket(AF_UNIX, SOCK_STREAM, 0) = 3\n\
                 11 execve(\"/x/log-usage\", [\"log-usage\", \"x= 1\"], 0x1 /* 9 vars */ <unfinished ...>\n\
                 10 connect(3, {sa_family=AF_INET}, 16) = 0\n\
                 11 <... execve resumed>)                  = 0\n\
                 11 clone3({flags=CLONE_THREAD}, 88 <unfinished ...>\n\
                 11 <... clone3 resumed> => {parent_tid=[12]}, 88) = 12\n\
                 12 bind(3, {sa_family=AF_INET6}, 28) = 0\n\
                 12 +++ exited with 0 +++\n\
                 10 clone(child_stack=NULL, flags=SIGCHLD) = 12\n\
                 12 listen(3, 1) = 0\n\
                 11 clone3({flags=CLONE_THREAD}, 88 <unfinished ...>\n\
                 13 bind(4, {sa_family=AF_INET6}, 28) = 0\n\
                 13 +++ exited with 0 +++\n\
                 11 <... clone3 resumed> => {parent_tid=[13]}, 88) = 13\n\
                 11 +++ exited with 0 +++\n\
                 10 clone(child_stack=NULL, flags=SIGCHLD) = 13\n\
                 13 socket(AF_INET, SOCK_STREAM, 0) = 3\n";
    let seen = Seen::of(trace);
    assert_eq!(seen.programs, ["git", "log-usage"]);
    let calls =
        seen.calls.iter().map(|(program, call)| (&**program, call.split('(').next().unwrap()));
    assert_eq!(
        calls.collect::<Vec<_>>(),
        [
            ("git", "socket"),
            ("git", "connect"),
            ("log-usage", "bind"),
            ("git", "listen"),
            ("log-usage", "bind"),
            ("git", "socket"),
        ]
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
