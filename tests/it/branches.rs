//! A repository whose branches add rows to one ledger and meet again, in each of the ways in which
//! git merges it.

use std::collections::BTreeMap;
use std::fs;
use std::process::Output;

use crate::sandbox::{HEADER, Sandbox, text};

/// How git merges the ledger's files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// By our driver, as this clone is configured.
    Driver,
    /// By union, as the committed attributes say: every clone that is not configured.
    Union,
    /// By nothing: a host that reads no attributes. Both sides are kept, markers and all.
    Plain,
    /// By nothing, either, but each commit's rows are a file of their own.
    Fragments,
}

/// The files that the driver is for.
const ATTRIBUTES: &str = "/.telemetry/usage.csv merge=log-usage\n\
    /.telemetry/usage_backup_*.csv merge=log-usage\n\
    /.telemetry/archive/*.csv merge=log-usage\n\
    /.telemetry/usage.d/*.csv merge=log-usage\n";

/// The driver with its fallback, each call and each doubt written down.
const DRIVER: &str = "echo %P >> ../home/calls; log-usage merge-driver %O %A %B -- %P \
    || { echo %P >> ../home/doubts; git merge-file --union %A %O %B; }";

/// So many commits may a rebase stop at.
const STOPS_MAX: usize = 100;

pub(crate) struct Branches {
    pub(crate) sandbox: Sandbox,
    pub(crate) way: Way,
    /// How often git stopped with a conflict.
    pub(crate) conflicts: usize,
    /// Seconds; git's dates are those, so that a history is the same in each run.
    clock: u64,
}

impl Branches {
    /// A repository with a first commit, without a row.
    pub(crate) fn new(way: Way) -> Branches {
        let sandbox = Sandbox::repository();
        let branches = Branches { sandbox, way, conflicts: 0, clock: 1_770_000_000 };
        for (name, value) in
            [("gc.auto", "0"), ("maintenance.auto", "false"), ("core.fsync", "none")]
        {
            branches.git(&["config", name, value]);
        }
        match way {
            Way::Driver => branches.set_driver(DRIVER),
            Way::Union => {}
            Way::Plain => branches.sandbox.write(".telemetry/.gitattributes", "# none\n"),
            Way::Fragments => {
                branches.sandbox.write(".telemetry/.gitattributes", "# none\n");
                branches.sandbox.write(".telemetry/config.toml", "layout = \"fragments\"\n");
            }
        }
        branches.sandbox.write("code", "");
        branches.sandbox.ok("log-usage", &["init", "--quiet"]);
        branches.commit("first");
        branches
    }

    /// The same with rows base-0, base-1 and so on.
    pub(crate) fn with_rows(way: Way, rows: usize) -> Branches {
        let branches = Branches::new(way);
        for row in 0..rows {
            branches.log(row as u64, &format!("base-{row}"), &[]);
        }
        branches.commit("base");
        branches
    }

    pub(crate) fn set_driver(&self, driver: &str) {
        self.git(&["config", "merge.log-usage.name", "union of rows"]);
        self.git(&["config", "merge.log-usage.driver", driver]);
        self.sandbox.write(".git/info/attributes", ATTRIBUTES);
    }

    /// Logs one row, so many seconds after the first.
    pub(crate) fn log(&self, second: u64, notes: &str, options: &[&str]) {
        let stamp = format!("2026-02-23T22:{:02}:{:02}Z", second / 60 % 60, second % 60);
        let row = ["m", "1", "2", "true", "plan", "3", notes, "--timestamp", &stamp];
        self.sandbox.ok("log-usage", &[&row, options].concat());
    }

    /// Logs one row that seals all those before it.
    pub(crate) fn rotate(&self, second: u64, notes: &str) {
        let before = self.segments();
        self.log(second, notes, &["--max-size", "100"]);
        assert_eq!(self.segments(), before + 1);
    }

    fn segments(&self) -> usize {
        fs::read_dir(self.sandbox.path(".telemetry/archive")).map_or(0, Iterator::count)
    }

    /// Logs one row and commits it.
    pub(crate) fn add(&self, second: u64, notes: &str) {
        self.log(second, notes, &[]);
        self.commit(notes);
    }

    pub(crate) fn commit(&self, message: &str) {
        self.git(&["add", "-A"]);
        self.git(&["commit", "--quiet", "-m", message]);
    }

    pub(crate) fn switch(&self, branch: &str) {
        self.git(&["checkout", "--quiet", branch]);
    }

    pub(crate) fn branch(&self, branch: &str) {
        self.git(&["checkout", "--quiet", "-b", branch]);
    }

    pub(crate) fn git(&self, arguments: &[&str]) -> String {
        let output = self.try_git(arguments);
        let said = text(&output.stdout) + &text(&output.stderr);
        assert!(output.status.success(), "{:?}: git {arguments:?}: {said}", self.way);
        text(&output.stdout)
    }

    pub(crate) fn try_git(&self, arguments: &[&str]) -> Output {
        let date = format!("{} +0000", self.clock);
        let mut git = self.sandbox.command("git");
        git.env("GIT_AUTHOR_DATE", &date).env("GIT_COMMITTER_DATE", &date);
        git.env("GIT_EDITOR", "true").args(arguments).output().unwrap()
    }

    /// The next commits are later.
    pub(crate) fn tick(&mut self) {
        self.clock += 60;
    }

    /// Runs a git command that merges, and resolves what it leaves: both sides are kept, with the
    /// markers between them. With a driver or union no file's content may be in conflict.
    pub(crate) fn join(&mut self, arguments: &[&str]) {
        let mut output = self.try_git(arguments);
        for _ in 0..STOPS_MAX {
            if output.status.success() {
                return;
            }
            let said = text(&output.stdout) + &text(&output.stderr);
            let unmerged = self.git(&["ls-files", "--unmerged"]);
            if !unmerged.is_empty() {
                self.conflicts += 1;
                // Else git only does not know whether a file shall be there, or under which name.
                let is_of_content = ["(content)", "(add/add)"]
                    .iter()
                    .any(|kind| said.contains(&format!("CONFLICT {kind}")));
                let is_right = self.way == Way::Plain || !is_of_content;
                assert!(is_right, "{:?}: git {arguments:?}: {said}", self.way);
                self.git(&["add", "-A"]);
            }
            let command = arguments[0];
            output = match command {
                // The caller commits it.
                "merge" if arguments.contains(&"--squash") => return,
                "merge" => self.try_git(&["commit", "--quiet", "--no-edit"]),
                "stash" => self.try_git(&["stash", "drop", "--quiet"]),
                // What would change nothing is skipped; a single commit may be given up already.
                _ if self.is_clean() => match self.try_git(&[command, "--skip"]) {
                    skipped if text(&skipped.stderr).contains("in progress") => return,
                    skipped => skipped,
                },
                _ => self.try_git(&[command, "--continue"]),
            };
        }
        panic!("{:?}: git {arguments:?} comes to no end: {}", self.way, text(&output.stderr));
    }

    fn is_clean(&self) -> bool {
        self.git(&["status", "--porcelain", "--untracked-files=no"]).is_empty()
    }

    /// What the reader counts.
    pub(crate) fn rows(&self) -> u64 {
        let report = self.sandbox.json(&[]);
        assert_eq!(report["skipped"]["rows"], 0, "{:?}: {}", self.way, report["skipped"]);
        report["totals"]["rows"].as_u64().unwrap()
    }

    /// Every line of the ledger's files that is neither a header nor a marker, with how often it
    /// stands in one file at most.
    pub(crate) fn lines(&self) -> BTreeMap<String, usize> {
        let mut all = BTreeMap::new();
        for file in self.files() {
            let mut here = BTreeMap::new();
            let text = self.sandbox.read(&format!(".telemetry/{file}"));
            let is_row = |line: &&str| line.starts_with(|c: char| c.is_ascii_digit());
            for line in text.lines().filter(is_row) {
                *here.entry(line.to_owned()).or_insert(0) += 1;
            }
            if self.way != Way::Plain {
                assert_eq!(text.matches(HEADER).count(), 1, "{:?}: {file}: {text}", self.way);
                assert!(text.ends_with('\n'), "{:?}: {file}", self.way);
            }
            for (line, times) in here {
                let most = all.entry(line).or_insert(0);
                *most = times.max(*most);
            }
        }
        all
    }

    /// How many rows stand in the active segment, repeated ones each time.
    pub(crate) fn live(&self) -> usize {
        self.sandbox.rows().len()
    }

    fn files(&self) -> Vec<String> {
        let listed = |folder: &str| {
            let entries = fs::read_dir(self.sandbox.path(format!(".telemetry/{folder}")));
            let names = entries.into_iter().flatten().flatten().map(|it| it.file_name());
            names.map(|name| format!("{folder}{}", name.to_string_lossy())).collect::<Vec<_>>()
        };
        let mut files = [listed("archive/"), listed("usage.d/")].concat();
        files.extend(Some("usage.csv".to_owned()).filter(|_| self.way != Way::Fragments));
        files
    }

    /// How often the driver was called, and how often it had a doubt.
    pub(crate) fn calls(&self) -> (usize, usize) {
        let count = |name: &str| {
            let text = fs::read_to_string(self.sandbox.path(format!("../home/{name}")));
            text.unwrap_or_default().lines().count()
        };
        (count("calls"), count("doubts"))
    }
}
