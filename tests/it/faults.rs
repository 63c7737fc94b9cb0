//! A fault before or in every system call that touches the ledger's folder: the process is killed,
//! or the call fails. Whatever happens, no acknowledged row is missing, doubled or torn.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use crate::sandbox::{HEADER, Sandbox, text};

/// Calls that can fail, with the errors that are plausible from each.
const ERRORS: [(&str, &[&str]); 23] = [
    ("openat", &["EACCES", "EMFILE", "ENOSPC", "EIO", "EINTR"]),
    ("statx", &["EIO"]),
    ("newfstatat", &["EIO"]),
    ("fstat", &["EIO"]),
    ("lstat", &["EIO"]),
    ("stat", &["EIO"]),
    ("readlink", &["EIO"]),
    ("flock", &["EINTR", "ENOLCK", "EAGAIN"]),
    ("read", &["EIO", "EINTR"]),
    ("pread64", &["EIO", "EINTR"]),
    ("lseek", &["EIO"]),
    ("write", &["ENOSPC", "EIO", "EDQUOT", "EFBIG", "EINTR"]),
    ("fdatasync", &["EIO", "ENOSPC"]),
    ("fsync", &["EIO", "ENOSPC"]),
    ("ftruncate", &["EIO", "EFBIG"]),
    ("linkat", &["EPERM", "EMLINK", "ENOSPC", "EIO"]),
    ("rename", &["EIO", "ENOSPC", "EACCES"]),
    ("unlink", &["EACCES", "EIO"]),
    ("mkdir", &["EACCES", "ENOSPC"]),
    ("fchmod", &["EPERM", "EIO"]),
    ("getdents64", &["EIO"]),
    // Of a file; of a folder it has nothing to write, and cannot fail.
    ("close", &["EIO"]),
    ("rmdir", &["EIO"]),
];

const BASE: [&str; 2] = [
    "2026-02-23T22:19:28Z,base,1,2,true,plan,3,first",
    "2026-02-23T22:19:29Z,base,1,2,true,plan,3,\"second, quoted\"",
];

/// A ledger in the state in which the fault meets it, and what is then logged.
struct State {
    name: &'static str,
    arguments: &'static [&'static str],
    input: &'static str,
    rows: u64,
    prepare: fn(&Sandbox),
    /// Another fault that is always there.
    also: &'static [&'static str],
}

const LOG: &[&str] = &["new", "1", "2", "true", "plan", "3", "row"];
const ROTATE: &[&str] = &["new", "1", "2", "true", "plan", "3", "row", "--max-size", "180"];

fn base(sandbox: &Sandbox, tail: &str) {
    let rows = BASE.join("\n");
    sandbox.write(".telemetry/usage.csv", format!("{HEADER}\n{rows}\n{tail}"));
    sandbox.write(".telemetry/.usage.csv.lock", "");
}

const STATES: [State; 9] = [
    State {
        name: "plain",
        arguments: LOG,
        input: "",
        rows: 1,
        prepare: |it| base(it, ""),
        also: &[],
    },
    State { name: "first", arguments: LOG, input: "", rows: 1, prepare: |_| (), also: &[] },
    State {
        name: "rotating",
        arguments: ROTATE,
        input: "",
        rows: 1,
        prepare: |it| base(it, ""),
        also: &[],
    },
    State {
        name: "rotating, no links",
        arguments: ROTATE,
        input: "",
        rows: 1,
        prepare: |it| base(it, ""),
        also: &["-e", "inject=linkat:error=EPERM"],
    },
    State {
        name: "torn",
        arguments: LOG,
        input: "",
        rows: 1,
        prepare: |it| base(it, "2026-02-23T22:19:30Z,torn,1,2,tr"),
        also: &[],
    },
    State {
        name: "torn, rotating",
        arguments: ROTATE,
        input: "",
        rows: 1,
        prepare: |it| base(it, "2026-02-23T22:19:30Z,torn,1,2,tr"),
        also: &[],
    },
    State {
        name: "rotation cut short",
        arguments: LOG,
        input: "",
        rows: 1,
        prepare: |it| {
            base(it, "");
            it.ok("log-usage", &[ROTATE, &["--dry-run"]].concat());
            fs::create_dir(it.path(".telemetry/archive")).unwrap();
            // The segment's name is what a rotation gives it; strace stops one behind the link.
            let archive = it.path(".telemetry/archive/usage-20260223T221928Z-");
            let hash = sha256_8(BASE[0]);
            let segment = format!("{}{hash}.csv", archive.display());
            fs::hard_link(it.path(".telemetry/usage.csv"), segment).unwrap();
            it.write(".telemetry/.usage.csv.tmp.0", format!("{HEADER}\nnever acknowledged\n"));
            it.write(".telemetry/.usage.csv.lock", "\0");
        },
        also: &[],
    },
    State {
        name: "batch over three segments",
        arguments: &["batch", "--max-size", "230"],
        input: "model,prompt_tokens,completion_tokens,task_success,task_type,duration_ms,notes\n\
                new,1,2,true,plan,3,one\nnew,1,2,true,plan,3,two\nnew,1,2,true,plan,3,three\n\
                new,1,2,true,plan,3,four\nnew,1,2,true,plan,3,five\n",
        rows: 5,
        prepare: |it| base(it, ""),
        also: &[],
    },
    State {
        name: REPAIRING,
        arguments: &["repair"],
        input: "",
        rows: 0,
        prepare: |it| {
            let text = format!("{HEADER}\n{}\n<<<<<<< ours\n{}\n", BASE[0], BASE[1]);
            it.write(".telemetry/usage.csv", text);
            it.write(".telemetry/.usage.csv.lock", "");
        },
        also: &[],
    },
];

/// A repair writes no row of its own; whatever stops it, no row of the ledger is lost.
const REPAIRING: &str = "repairing";

fn sha256_8(line: &str) -> String {
    usage_ledger::row::line_hash(line.as_bytes(), 4)
}

/// Every whole line of the ledger but the headers, each file counted once however many names it has.
fn rows(sandbox: &Sandbox) -> BTreeMap<String, u64> {
    let mut rows = BTreeMap::new();
    let mut seen = Vec::new();
    for path in files(sandbox) {
        let inode = fs::metadata(&path).unwrap().ino();
        if seen.contains(&inode) {
            continue;
        }
        seen.push(inode);
        let text = fs::read_to_string(path).unwrap();
        for line in text.split_inclusive('\n').filter(|line| line.ends_with('\n')) {
            if line.trim_end() != HEADER && !line.starts_with('<') {
                *rows.entry(line.trim_end().to_owned()).or_default() += 1;
            }
        }
    }
    rows
}

fn files(sandbox: &Sandbox) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let active = sandbox.path(".telemetry/usage.csv");
    files.extend(active.exists().then_some(active));
    if let Ok(archive) = fs::read_dir(sandbox.path(".telemetry/archive")) {
        files.extend(archive.map(|entry| entry.unwrap().path()));
    }
    files
}

fn strace(sandbox: &Sandbox, state: &State, options: &[&str]) -> (std::process::Output, Duration) {
    let mut command = sandbox.command("strace");
    let subfolder = sandbox.path("sub");
    fs::create_dir_all(&subfolder).unwrap();
    command.current_dir(subfolder).args(["-y", "-o"]).arg(sandbox.path("trace"));
    command.args(options).args(state.also).arg(env!("CARGO_BIN_EXE_log-usage"));
    command.args(state.arguments).write_stdin(state.input);
    let began = Instant::now();
    (command.output().unwrap(), began.elapsed())
}

fn fresh(state: &State) -> Sandbox {
    let sandbox = Sandbox::repository();
    (state.prepare)(&sandbox);
    sandbox
}

/// Every call that touches the ledger's folder: its name, and the how-manieth of that name it is.
fn calls(state: &State) -> Vec<(String, u64)> {
    let sandbox = fresh(state);
    let (output, _) = strace(&sandbox, state, &[]);
    assert!(output.status.success(), "{}: {}", state.name, text(&output.stderr));
    let mut counts: BTreeMap<String, u64> = BTreeMap::new();
    let mut calls = Vec::new();
    for line in sandbox.read("trace").lines() {
        let Some((name, arguments)) = line.split_once('(') else { continue };
        let count = counts.entry(name.to_owned()).or_default();
        *count += 1;
        let is_folder = name == "close" && !arguments.contains("usage.csv");
        if arguments.contains(".telemetry") && !is_folder && !["execve", "fcntl"].contains(&name) {
            calls.push((name.to_owned(), *count));
        }
    }
    assert!(calls.len() > 8, "{}: the test has lost its eyes: {calls:?}", state.name);
    calls
}

/// One fault, and what it does to the ledger; an error says what is wrong.
fn meet(state: &State, fault: &str) -> Result<(), String> {
    let sandbox = fresh(state);
    let before = rows(&sandbox);
    let (output, took) = strace(&sandbox, state, &["-e", &format!("inject={fault}")]);
    let error = text(&output.stderr);
    let is_killed = output.status.signal() == Some(9) || output.status.code() == Some(137);
    let is_acknowledged = output.status.success();
    let fail = |what: &str| {
        let ledger = rows(&sandbox);
        Err(format!("{} {fault}: {what}: {:?} {error} {ledger:?}", state.name, output.status))
    };
    if error.contains("panicked") {
        return fail("a panic");
    }
    if took > Duration::from_secs(11) {
        return fail("waited past the deadline");
    }
    let check = |when: &str, must_be_whole: bool| {
        let after = rows(&sandbox);
        if before.iter().any(|(row, count)| after.get(row) != Some(count)) {
            return Err(format!("another row was changed {when}"));
        }
        let new: Vec<_> = after.iter().filter(|(row, _)| row.contains(",new,")).collect();
        if new.iter().any(|(_, count)| **count != 1) {
            return Err(format!("a row is doubled {when}"));
        }
        let stored = new.len() as u64;
        if must_be_whole && stored != state.rows {
            return Err(format!("{stored} of {} acknowledged rows {when}", state.rows));
        }
        Ok(stored)
    };
    let stored = check("at once", is_acknowledged).or_else(|what| fail(&what).map(|()| 0))?;
    let may_be_stored = is_killed || is_acknowledged || error.contains("the disk did not confirm");
    if stored > 0 && !may_be_stored {
        return fail("refused, but stored");
    }
    if state.name == REPAIRING && !sandbox.run("log-usage", &["repair"]).status.success() {
        return fail("the next repair failed");
    }
    // The next append mends whatever was left, and everything is sound again.
    let next = sandbox.run("log-usage", &["after", "1", "2", "true", "plan", "3"]);
    if !next.status.success() {
        return fail(&format!("the next append failed: {}", text(&next.stderr)));
    }
    let later =
        check("after the next append", is_acknowledged).or_else(|it| fail(&it).map(|()| 0))?;
    if later != stored {
        return fail("rows came or went with the next append");
    }
    let left: Vec<_> = fs::read_dir(sandbox.path(".telemetry"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.contains(".tmp."))
        .collect();
    if !left.is_empty() {
        return fail(&format!("left behind: {left:?}"));
    }
    if fs::metadata(sandbox.path(".telemetry/.usage.csv.lock")).unwrap().len() > 0 {
        return fail("the lock is still marked");
    }
    for path in files(&sandbox) {
        let text = fs::read_to_string(&path).unwrap();
        if !(text.starts_with(&format!("{HEADER}\n")) && text.ends_with('\n')) {
            return fail(&format!("{} is headerless or torn", path.display()));
        }
    }
    let verified = sandbox.run("usage-report", &["verify"]);
    if !verified.status.success() {
        return fail(&format!("verify: {}", text(&verified.stdout)));
    }
    Ok(())
}

pub(crate) fn has_strace() -> bool {
    let probe = std::process::Command::new("strace").args(["-o", "/dev/null", "true"]).output();
    probe.is_ok_and(|output| output.status.success())
}

#[test]
fn no_fault_in_any_call_loses_doubles_or_tears_a_row() {
    if !has_strace() {
        eprintln!("SKIPPED no_fault_in_any_call…: no strace on this machine");
        return;
    }
    let mut faults = Vec::new();
    let mut kills = 0;
    for state in &STATES {
        for (name, count) in calls(state) {
            faults.push((state, format!("{name}:signal=KILL:when={count}")));
            kills += 1;
            let errors = ERRORS.iter().find(|(it, _)| *it == name);
            let (_, errors) = errors.unwrap_or_else(|| panic!("no errors are known of {name}"));
            for error in *errors {
                faults.push((state, format!("{name}:error={error}:when={count}")));
            }
        }
    }
    let total = faults.len();
    let queue = Mutex::new(faults);
    let wrong = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                loop {
                    let Some((state, fault)) = queue.lock().unwrap().pop() else { break };
                    if let Err(what) = meet(state, &fault) {
                        wrong.lock().unwrap().push(what);
                    }
                }
            });
        }
    });
    let wrong = wrong.into_inner().unwrap();
    eprintln!(
        "every call: {total} injections ({kills} kills, {} errors) in {} states: {} faults",
        total - kills,
        STATES.len(),
        wrong.len()
    );
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What a plain row costs is what was promised: one write, one sync.
#[test]
fn a_plain_row_is_one_write_and_one_sync() {
    if !has_strace() {
        eprintln!("SKIPPED a_plain_row_is_one_write_and_one_sync: no strace on this machine");
        return;
    }
    let sandbox = fresh(&STATES[0]);
    strace(&sandbox, &STATES[0], &[]);
    let trace = sandbox.read("trace");
    let count = |name: &str| {
        trace.lines().filter(|it| it.starts_with(name) && it.contains(".telemetry")).count()
    };
    assert_eq!((count("write("), count("fdatasync("), count("fsync(")), (1, 1, 0), "{trace}");
    assert_eq!(count("ftruncate("), 0);
}
