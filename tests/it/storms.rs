//! Many writers, readers, kills and git at once, and disks that are full. `STORM=20 cargo test storms`
//! makes each up to twenty times as long; `scripts/torture.sh` does.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::sandbox::{HEADER, Sandbox, text};

fn times() -> u64 {
    std::env::var("STORM").ok().and_then(|it| it.parse().ok()).unwrap_or(1)
}

/// Numbers that differ, and are the same in each run.
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }
}

/// How often each row stands in the ledger, by its notes; torn lines come back apart.
fn notes(folder: &Path) -> (BTreeMap<String, u64>, Vec<String>) {
    let mut files = vec![folder.join("usage.csv")];
    if let Ok(archive) = fs::read_dir(folder.join("archive")) {
        files.extend(archive.map(|entry| entry.unwrap().path()));
    }
    let (mut rows, mut torn) = (BTreeMap::new(), Vec::new());
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        assert!(text.starts_with(&format!("{HEADER}\n")), "{}", file.display());
        for line in text.split_inclusive('\n').skip(1) {
            match line.strip_suffix('\n').and_then(|line| line.rsplit_once(',')) {
                Some((_, notes)) => *rows.entry(notes.to_owned()).or_default() += 1,
                None => torn.push(line.to_owned()),
            }
        }
    }
    (rows, torn)
}

fn writer(sandbox: &Sandbox, arguments: &[&str]) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_log-usage"));
    command.current_dir(sandbox.path("")).env_remove("LOG_USAGE_FILE").args(arguments);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
}

#[test]
fn killed_writers_lose_no_acknowledged_row() {
    let sandbox = Sandbox::new();
    let target = 400 * times();
    let kills = AtomicU64::new(0);
    let acknowledged = Mutex::new(BTreeSet::new());
    thread::scope(|scope| {
        for thread in 0..4u64 {
            let (sandbox, kills, acknowledged) = (&sandbox, &kills, &acknowledged);
            scope.spawn(move || {
                let mut dice = Dice(thread);
                let mut number = 0;
                while kills.load(Ordering::Relaxed) < target {
                    number += 1;
                    let id = format!("w{thread}-{number}");
                    let arguments = ["m", "1", "2", "true", "plan", "3", &id, "--max-size", "4K"];
                    let mut child = writer(sandbox, &arguments);
                    if dice.below(4) > 0 {
                        thread::sleep(Duration::from_micros(300 + dice.below(6_000)));
                        let _ = child.kill();
                    }
                    let output = child.wait_with_output().unwrap();
                    assert!(!text(&output.stderr).contains("panicked"), "{}", text(&output.stderr));
                    if output.status.success() {
                        acknowledged.lock().unwrap().insert(id);
                    } else if output.status.signal() == Some(9) {
                        kills.fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    sandbox.ok("log-usage", &["m", "1", "2", "true", "plan", "3", "last"]);
    let folder = sandbox.path(".telemetry");
    let (rows, torn) = notes(&folder);
    let acknowledged = acknowledged.into_inner().unwrap();
    let lost = acknowledged.iter().filter(|id| !rows.contains_key(*id)).count();
    let doubled = rows.values().filter(|count| **count > 1).count();
    let left = fs::read_dir(&folder).unwrap();
    let left =
        left.filter(|it| it.as_ref().unwrap().file_name().to_string_lossy().contains(".tmp."));
    let pieces = fs::read_to_string(folder.join("usage.csv.torn")).unwrap_or_default();
    eprintln!(
        "kills: {}; rows acknowledged: {}; lost: {lost}; doubled: {doubled}; torn in the ledger: {}; \
         torn pieces kept aside: {}",
        kills.load(Ordering::Relaxed),
        acknowledged.len(),
        torn.len(),
        pieces.matches("# ").count()
    );
    assert_eq!((lost, doubled, torn.len(), left.count()), (0, 0, 0, 0));
    assert!(sandbox.ok("usage-report", &["verify"]).ends_with("nothing found\n"));
}

#[test]
fn reports_never_go_back_while_writers_rotate() {
    let sandbox = Sandbox::new();
    let acknowledged = AtomicU64::new(0);
    let is_over = AtomicBool::new(false);
    let reports = 100 * times().min(10);
    thread::scope(|scope| {
        for thread in 0..3 {
            let (sandbox, acknowledged, is_over) = (&sandbox, &acknowledged, &is_over);
            scope.spawn(move || {
                let mut number = 0;
                while !is_over.load(Ordering::Relaxed) {
                    number += 1;
                    let notes = format!("w{thread}-{number} {}", "x".repeat(number % 900));
                    let arguments =
                        ["m", "1", "2", "true", "plan", "3", &notes, "--max-size", "16K"];
                    sandbox.ok("log-usage", &[&arguments[..], &["--durability", "none"]].concat());
                    acknowledged.fetch_add(1, Ordering::SeqCst);
                    thread::sleep(Duration::from_millis(3));
                }
            });
        }
        while acknowledged.load(Ordering::SeqCst) == 0 {
            thread::sleep(Duration::from_millis(1));
        }
        let (mut last, mut slowest) = (0, Duration::ZERO);
        let mut wrong = Vec::new();
        for _ in 0..reports {
            let before = acknowledged.load(Ordering::SeqCst);
            let began = Instant::now();
            let totals = sandbox.json(&["--strict"])["totals"].clone();
            slowest = slowest.max(began.elapsed());
            let rows = totals["rows"].as_u64().unwrap();
            if rows < last || rows < before || totals["total_tokens"] != rows * 3 {
                wrong.push(format!("{rows} after {last}, {before} acknowledged"));
            }
            last = rows;
        }
        is_over.store(true, Ordering::Relaxed);
        eprintln!(
            "reports: {reports} over up to {last} rows; gone back: {}; slowest {} ms",
            wrong.len(),
            slowest.as_millis()
        );
        assert_eq!(wrong, [""; 0]);
    });
}

/// Rows are appended until the disk has no room left, and again when it has.
fn fill(sandbox: &Sandbox, folder: &Path, arguments: &[&str]) -> (u64, u64) {
    let ledger = folder.join("usage.csv");
    let file = ledger.to_str().unwrap();
    let log = |notes: &str| {
        let all =
            [&["m", "1", "2", "true", "plan", "3", notes, "--file", file], arguments].concat();
        sandbox.run("log-usage", &all)
    };
    let (mut stored, mut refused) = (0, 0);
    let filler = "x".repeat(200);
    while log(&filler).status.success() {
        stored += 1;
        assert!(stored < 10_000, "the disk never filled");
    }
    let (before, torn) = notes(folder);
    assert_eq!((before.values().sum::<u64>(), torn.len()), (stored, 0));
    let bytes = fs::read(&ledger).unwrap();
    for _ in 0..50 {
        let output = log(&filler);
        assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
        let error = text(&output.stderr);
        assert!(error.contains("space left") || error.contains("too large"), "{error}");
        assert!(fs::read(&ledger).unwrap() == bytes, "a refused row changed the ledger");
        refused += 1;
    }
    assert_eq!(notes(folder).0, before);
    (stored, refused)
}

#[test]
fn a_full_disk_changes_nothing() {
    let sandbox = Sandbox::new();
    for (size, arguments) in [("64k", &[][..]), ("96k", &["--max-size", "2K"]), ("40k", &[])] {
        let folder = sandbox.path(format!("disk-{size}"));
        fs::create_dir(&folder).unwrap();
        let options = format!("size={size},nr_inodes=1000");
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(&folder);
        if !mount.stderr(Stdio::null()).status().is_ok_and(|status| status.success()) {
            eprintln!("SKIPPED a_full_disk_changes_nothing: no right to mount a tmpfs");
            return;
        }
        let unmount = || Command::new("umount").arg(&folder).status();
        let outcome = std::panic::catch_unwind(|| {
            let ballast = folder.join("ballast");
            fs::write(&ballast, vec![0; 16 << 10]).unwrap();
            let (stored, refused) = fill(&sandbox, &folder, arguments);
            fs::remove_file(ballast).unwrap();
            let file = folder.join("usage.csv");
            let file = file.to_str().unwrap();
            let all = ["m", "1", "2", "true", "plan", "3", "after", "--file", file];
            let again = sandbox.run("log-usage", &[&all[..], arguments].concat());
            assert!(again.status.success(), "{}", text(&again.stderr));
            let (rows, torn) = notes(&folder);
            assert_eq!((rows.values().sum::<u64>(), torn.len()), (stored + 1, 0));
            eprintln!(
                "full disk of {size}{}: {stored} rows stored, {refused} refused, 0 bytes changed",
                arguments.join(" ")
            );
        });
        unmount().unwrap();
        outcome.unwrap();
    }
}

#[test]
fn a_limit_on_the_size_of_files_is_an_error_and_not_a_death() {
    let sandbox = Sandbox::new();
    let mut refused = 0;
    for blocks in 1..9 {
        let folder = format!("limit-{blocks}");
        fs::create_dir(sandbox.path(&folder)).unwrap();
        let log = format!(
            "ulimit -f {blocks}; log-usage m 1 2 true plan 3 {} --file {folder}/usage.csv",
            "x".repeat(90)
        );
        let run = || sandbox.command("sh").args(["-c", &log]).output().unwrap();
        let mut stored = 0;
        while run().status.success() {
            stored += 1;
        }
        let ledger = sandbox.path(&folder).join("usage.csv");
        let bytes = fs::read(&ledger).unwrap_or_default();
        for _ in 0..5 {
            let output = run();
            assert_eq!(
                output.status.code(),
                Some(1),
                "{:?} {}",
                output.status,
                text(&output.stderr)
            );
            assert!(fs::read(&ledger).unwrap_or_default() == bytes);
            refused += 1;
        }
        if stored > 0 {
            let (rows, torn) = notes(&sandbox.path(&folder));
            assert_eq!((rows.values().sum::<u64>(), torn.len()), (stored, 0));
        }
    }
    eprintln!("limit on file size: {refused} refused in 8 scenarios, 0 bytes changed");
}

/// git commits, switches and merges while rows are logged directly. It refuses to touch a ledger
/// with rows that are not committed, and a writer sees that its file was replaced.
#[test]
fn git_at_work_takes_no_row_away() {
    let sandbox = Sandbox::repository();
    sandbox.ok("log-usage", &["m", "1", "2", "true", "plan", "3", "base"]);
    sandbox.git(["add", "."]);
    sandbox.git(["commit", "--quiet", "-m", "base"]);
    sandbox.git(["branch", "topic"]);
    let acknowledged = Mutex::new(BTreeSet::from(["base".to_owned()]));
    let is_over = AtomicBool::new(false);
    let (mut commits, mut switches, mut merges) = (0, 0, 0);
    thread::scope(|scope| {
        for thread in 0..2u64 {
            let (sandbox, acknowledged, is_over) = (&sandbox, &acknowledged, &is_over);
            scope.spawn(move || {
                let mut dice = Dice(thread);
                for number in 0.. {
                    if is_over.load(Ordering::Relaxed) {
                        break;
                    }
                    let id = format!("w{thread}-{number}");
                    if sandbox
                        .run("log-usage", &["m", "1", "2", "true", "plan", "3", &id])
                        .status
                        .success()
                    {
                        acknowledged.lock().unwrap().insert(id);
                    }
                    thread::sleep(Duration::from_millis(dice.below(60)));
                }
            });
        }
        let git = |arguments: &[&str]| {
            let output = sandbox.command("git").args(arguments).output().unwrap();
            u64::from(output.status.success())
        };
        let mut dice = Dice(9);
        for round in 0..16 * times().min(10) {
            git(&["add", ".telemetry"]);
            commits += git(&["commit", "--quiet", "-m", "rows"]);
            switches +=
                git(&["checkout", "--quiet", if round % 2 == 0 { "topic" } else { "main" }]);
            thread::sleep(Duration::from_millis(dice.below(400)));
            if round % 3 == 2 {
                merges += git(&["merge", "--quiet", "--no-edit", "topic"]);
                thread::sleep(Duration::from_millis(dice.below(400)));
            }
        }
        is_over.store(true, Ordering::Relaxed);
    });
    sandbox.git(["add", ".telemetry"]);
    let _ = sandbox.run("git", &["commit", "--quiet", "-m", "last"]);
    sandbox.git(["checkout", "--quiet", "main"]);
    sandbox.git(["merge", "--quiet", "--no-edit", "topic"]);
    let ledger = sandbox.read(".telemetry/usage.csv");
    let rows: BTreeSet<&str> = ledger.lines().filter_map(|it| it.rsplit(',').next()).collect();
    let acknowledged = acknowledged.into_inner().unwrap();
    let lost: Vec<_> = acknowledged.iter().filter(|id| !rows.contains(id.as_str())).collect();
    eprintln!(
        "git: {commits} commits, {switches} switches, {merges} merges; rows acknowledged: {}; lost: {}",
        acknowledged.len(),
        lost.len()
    );
    assert!(commits > 2 && switches > 2, "{commits} commits, {switches} switches");
    assert_eq!(lost, Vec::<&String>::new());
}
