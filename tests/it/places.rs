//! Odd places and odd ledgers: a clear message, never a panic, never a hang, and no more memory than
//! a row needs.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use crate::sandbox::{HEADER, SEED, Sandbox, text};

const PROGRAMS: [(&str, &[&str]); 5] = [
    ("log-usage", &SEED),
    ("usage-report", &[]),
    ("usage-report", &["verify"]),
    ("log-usage", &["doctor"]),
    ("log-usage", &["repair"]),
];

/// Runs it with little memory, and fails the test if it panics or hangs.
fn run(sandbox: &Sandbox, program: &str, arguments: &[&str]) -> Output {
    let began = Instant::now();
    let mut command = sandbox.command("sh");
    command.args(["-c", "ulimit -v 150000; exec \"$@\"", "sh", program]).args(arguments);
    let output = command.timeout(Duration::from_secs(20)).output().unwrap();
    let error = text(&output.stderr);
    assert!(!error.contains("panicked"), "{program} {arguments:?}: {error}");
    assert!(began.elapsed() < Duration::from_secs(15), "{program} {arguments:?} hangs");
    output
}

#[test]
fn folders_of_any_name_hold_a_ledger() {
    for name in [&b"with spaces"[..], b"with\nline end", b"not utf-8 \xff", b"-dash", b"quote'\""] {
        let sandbox = Sandbox::repository();
        let folder = sandbox.path(Path::new(OsStr::from_bytes(name)));
        fs::create_dir_all(folder.join(".telemetry")).unwrap();
        for (program, arguments) in PROGRAMS {
            let mut command = sandbox.command(program);
            let output = command.current_dir(&folder).args(arguments).output().unwrap();
            let error = text(&output.stderr);
            let is_well = output.status.success() || arguments == ["doctor"];
            assert!(is_well && !error.contains("panicked"), "{name:?} {arguments:?}: {error}");
        }
        let rows = fs::read_to_string(folder.join(".telemetry/usage.csv")).unwrap();
        assert_eq!(rows.lines().count(), 2);
        let path = folder.join("own.csv");
        sandbox.command("log-usage").args(SEED).arg("--file").arg(&path).assert().success();
        sandbox.command("usage-report").arg("--file").arg(&path).assert().success();
    }
}

#[test]
fn links_are_followed_to_the_ledger_itself() {
    let sandbox = Sandbox::new();
    fs::create_dir_all(sandbox.path("elsewhere")).unwrap();
    fs::create_dir_all(sandbox.path(".telemetry")).unwrap();
    fs::write(sandbox.path("elsewhere/real.csv"), format!("{HEADER}\n")).unwrap();
    symlink("../elsewhere/real.csv", sandbox.path(".telemetry/usage.csv")).unwrap();
    for _ in 0..6 {
        sandbox.ok("log-usage", &[&SEED[..], &["--max-size", "300"]].concat());
    }
    let link = fs::symlink_metadata(sandbox.path(".telemetry/usage.csv")).unwrap();
    assert!(link.is_symlink());
    assert_eq!(sandbox.json(&["--strict"])["totals"]["rows"], 6);
    fs::remove_file(sandbox.path("elsewhere/real.csv")).unwrap();
    let output = run(&sandbox, "log-usage", &SEED);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("cannot follow the link"), "{}", text(&output.stderr));
    // The folder as a link.
    let sandbox = Sandbox::new();
    fs::create_dir(sandbox.path("elsewhere")).unwrap();
    symlink("elsewhere", sandbox.path(".telemetry")).unwrap();
    sandbox.ok("log-usage", &SEED);
    assert!(sandbox.path("elsewhere/usage.csv").exists());
}

#[test]
fn what_is_no_ledger_gets_a_clear_message() {
    type Make = fn(&Path);
    let kinds: [(&str, Make, &str); 9] = [
        ("a folder", |it| fs::create_dir(it).unwrap(), "is not a regular file"),
        (
            "a pipe",
            |it| assert!(Command::new("mkfifo").arg(it).status().unwrap().success()),
            "is not a regular file",
        ),
        ("a device", |it| symlink("/dev/null", it).unwrap(), "is not a regular file"),
        ("an endless device", |it| symlink("/dev/zero", it).unwrap(), "is not a regular file"),
        ("gzip", |it| fs::write(it, b"\x1f\x8b\x08\0\0\0\0\0\0\x03").unwrap(), ""),
        ("UTF-16", |it| fs::write(it, b"\xff\xfet\0i\0m\0e\0\n\0").unwrap(), ""),
        ("3 GB of zeros", |it| fs::File::create(it).unwrap().set_len(3 << 30).unwrap(), "not text"),
        (
            "3 GB behind a header",
            |it| {
                fs::write(it, format!("{HEADER}\n")).unwrap();
                fs::OpenOptions::new().write(true).open(it).unwrap().set_len(3 << 30).unwrap();
            },
            "",
        ),
        ("one long line", |it| fs::write(it, vec![b'x'; 50 << 20]).unwrap(), ""),
    ];
    for (kind, make, message) in kinds {
        let sandbox = Sandbox::new();
        fs::create_dir(sandbox.path(".telemetry")).unwrap();
        let ledger = sandbox.path(".telemetry/usage.csv");
        make(&ledger);
        for (program, arguments) in PROGRAMS {
            let output = run(&sandbox, program, arguments);
            let said = text(&output.stderr) + &text(&output.stdout);
            // A report may well find no more than a bad line; whoever would write must refuse.
            let may_go_on = program == "usage-report" || arguments == ["repair"];
            assert!(may_go_on || output.status.code() == Some(1), "{kind} {arguments:?}: {said}");
            assert!(
                said.contains(message) || arguments == ["doctor"],
                "{kind} {arguments:?}: {said}"
            );
        }
        if kind.contains("GB") {
            let _ = fs::remove_file(ledger);
        }
    }
}

/// Whoever comes to the ledger by another way takes the same lock.
#[test]
fn two_links_to_one_ledger_share_its_lock() {
    let sandbox = Sandbox::new();
    sandbox.write("real/usage.csv", format!("{HEADER}\n"));
    for folder in ["a/.telemetry", "b/.telemetry"] {
        fs::create_dir_all(sandbox.path(folder)).unwrap();
        symlink("../../real/usage.csv", sandbox.path(folder).join("usage.csv")).unwrap();
    }
    std::thread::scope(|scope| {
        for folder in ["a", "b"] {
            let sandbox = &sandbox;
            scope.spawn(move || {
                for number in 0..150 {
                    let notes = format!("{folder}{number}");
                    let mut command = sandbox.command("log-usage");
                    command.current_dir(sandbox.path(folder)).args(&SEED[..6]).arg(notes);
                    command.args(["--max-size", "2K", "--durability", "none"]).assert().success();
                }
            });
        }
    });
    let report = sandbox.json(&["--file", "a/.telemetry/usage.csv"]);
    assert_eq!((&report["totals"]["rows"], &report["duplicates"]), (&300.into(), &0.into()));
}

#[test]
fn a_pipe_in_the_place_of_lock_or_settings_delays_nobody() {
    for name in [".usage.csv.lock", "config.toml"] {
        let sandbox = Sandbox::new();
        fs::create_dir(sandbox.path(".telemetry")).unwrap();
        sandbox.ok("mkfifo", &[&format!(".telemetry/{name}")]);
        for (program, arguments) in [("log-usage", &SEED[..]), ("log-usage", &["doctor"])] {
            let output = run(&sandbox, program, arguments);
            assert_eq!(output.status.code(), Some(1), "{name}: {}", text(&output.stderr));
        }
    }
}

/// Only the ends of files are looked at, however large they are.
#[test]
fn large_files_need_no_more_memory() {
    let sandbox = Sandbox::new();
    sandbox.write(".telemetry/usage.csv", format!("{HEADER}\n"));
    let name = ".telemetry/archive/usage-20260223T221928Z-01234567.csv";
    sandbox.write(name, HEADER);
    let sealed = fs::OpenOptions::new().write(true).open(sandbox.path(name)).unwrap();
    sealed.set_len(1 << 30).unwrap();
    for arguments in [&SEED[..], &[&SEED[..], &["--timestamp", "2026-01-01T00:00:00Z"]].concat()] {
        let output = run(&sandbox, "log-usage", arguments);
        assert!(output.status.success(), "{}", text(&output.stderr));
    }
    sealed.set_len(0).unwrap();
}

#[test]
fn work_trees_and_submodules_have_their_own_ledgers() {
    let sandbox = Sandbox::repository();
    sandbox.write("code", "1");
    sandbox.git(["add", "."]);
    sandbox.git(["commit", "--quiet", "-m", "first"]);
    sandbox.git(["worktree", "add", "--quiet", "tree"]);
    sandbox.git(["-c", "protocol.file.allow=always", "submodule", "--quiet", "add", "./.", "sub"]);
    for folder in ["tree", "sub"] {
        let mut command = sandbox.command("log-usage");
        command.current_dir(sandbox.path(folder)).args(SEED).assert().success();
        assert!(sandbox.path(folder).join(".telemetry/usage.csv").exists(), "{folder}");
    }
    assert!(!sandbox.path(".telemetry").exists());
}

#[test]
fn a_bare_repository_has_no_place_for_a_ledger() {
    let sandbox = Sandbox::new();
    sandbox.git(["init", "--quiet", "--bare", "bare.git"]);
    for folder in ["bare.git", "bare.git/hooks"] {
        let mut command = sandbox.command("log-usage");
        let output = command.current_dir(sandbox.path(folder)).args(SEED).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{folder}");
        assert!(text(&output.stderr).starts_with("error: this is a bare git repository"));
    }
    assert!(!sandbox.path("bare.git/.telemetry").exists());
    // Git's own folder inside a work tree is part of the repository around it.
    let sandbox = Sandbox::repository();
    let mut command = sandbox.command("log-usage");
    command.current_dir(sandbox.path(".git/hooks")).args(SEED).assert().success();
    assert_eq!(sandbox.rows().len(), 1);
}

#[test]
fn no_home_is_needed() {
    let sandbox = Sandbox::repository();
    for (program, arguments) in PROGRAMS {
        let mut command = sandbox.command(program);
        let output = command.env_remove("HOME").args(arguments).output().unwrap();
        let error = text(&output.stderr);
        assert!(output.status.success() || arguments == ["doctor"], "{program}: {error}");
    }
    let mut command = sandbox.command("log-usage");
    let output = command.env_remove("HOME").args(SEED).arg("--personal").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("neither XDG_DATA_HOME nor HOME is set"));
}

#[test]
fn a_folder_that_cannot_be_written_is_said_to_be() {
    let sandbox = Sandbox::new();
    let folder = sandbox.path("disk");
    fs::create_dir(&folder).unwrap();
    let mount = |options: &str| {
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", options, "tmpfs"]).arg(&folder).stderr(Stdio::null());
        mount.status().is_ok_and(|status| status.success())
    };
    if !mount("size=1m") {
        eprintln!("SKIPPED a_folder_that_cannot_be_written_is_said_to_be: no right to mount");
        return;
    }
    let outcome = std::panic::catch_unwind(|| {
        let within = |program: &str, arguments: &[&str]| {
            sandbox.command(program).current_dir(&folder).args(arguments).output().unwrap()
        };
        assert!(within("log-usage", &SEED).status.success());
        assert!(mount("remount,ro"));
        let output = within("log-usage", &SEED);
        assert_eq!(output.status.code(), Some(1));
        assert!(text(&output.stderr).contains("Read-only file system"), "{}", text(&output.stderr));
        let report = within("usage-report", &["--format", "csv"]);
        assert!(report.status.success(), "{}", text(&report.stderr));
        assert_eq!(within("usage-report", &["verify"]).status.code(), Some(0));
        let doctor = within("log-usage", &["doctor"]);
        assert!(text(&doctor.stdout).contains("Read-only file system"), "{}", text(&doctor.stdout));
    });
    Command::new("umount").arg(&folder).status().unwrap();
    outcome.unwrap();
}

#[test]
fn a_stale_lock_file_delays_nobody() {
    let sandbox = Sandbox::with_rows(&[]);
    sandbox.write(".telemetry/.usage.csv.lock", "");
    let began = Instant::now();
    sandbox.ok("log-usage", &SEED);
    assert!(began.elapsed() < Duration::from_secs(5));
}
