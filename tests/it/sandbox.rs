//! A folder of its own for each test, with a home and a git that know nothing of the machine's.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use assert_cmd::Command;
use tempfile::TempDir;

pub(crate) const HEADER: &str =
    "timestamp,model,prompt_tokens,completion_tokens,task_success,task_type,duration_ms,notes";

/// The seed's line.
pub(crate) const SEED: [&str; 7] =
    ["claude-3-opus", "1500", "3200", "true", "execute", "45000", "notes"];

pub(crate) struct Sandbox {
    root: TempDir,
}

impl Sandbox {
    /// An empty folder outside any repository.
    pub(crate) fn new() -> Sandbox {
        let root = TempDir::with_prefix("usage-ledger-").unwrap();
        for folder in ["work", "home"] {
            fs::create_dir(root.path().join(folder)).unwrap();
        }
        Sandbox { root }
    }

    /// An empty git repository.
    pub(crate) fn repository() -> Sandbox {
        let sandbox = Sandbox::new();
        sandbox.git(["init", "--quiet", "--initial-branch=main"]);
        sandbox
    }

    /// A repository with these rows in its ledger.
    pub(crate) fn with_rows(rows: &[&str]) -> Sandbox {
        let sandbox = Sandbox::repository();
        let mut text = format!("{HEADER}\n");
        rows.iter().for_each(|row| text += &format!("{row}\n"));
        sandbox.write(".telemetry/usage.csv", &text);
        sandbox
    }

    pub(crate) fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.root.path().join("work").join(name)
    }

    pub(crate) fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    /// The ledger's rows, without the header.
    pub(crate) fn rows(&self) -> Vec<String> {
        self.read(".telemetry/usage.csv").lines().skip(1).map(str::to_owned).collect()
    }

    /// Every file below the folder, with its bytes: to see that nothing was changed.
    pub(crate) fn snapshot(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let mut files = Vec::new();
        let mut folders = vec![self.path("")];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    files.push((path.clone(), Vec::new()));
                    folders.push(path);
                } else {
                    files.push((path.clone(), fs::read(&path).unwrap_or_default()));
                }
            }
        }
        files.sort();
        files
    }

    /// A program of ours, or any other, in the sandbox.
    pub(crate) fn command(&self, program: &str) -> Command {
        let mut command = match program {
            "log-usage" => Command::new(env!("CARGO_BIN_EXE_log-usage")),
            "usage-report" => Command::new(env!("CARGO_BIN_EXE_usage-report")),
            other => Command::new(other),
        };
        let programs = Path::new(env!("CARGO_BIN_EXE_log-usage")).parent().unwrap();
        let path = std::env::var_os("PATH").unwrap_or_default();
        let paths = [programs.to_owned()].into_iter().chain(std::env::split_paths(&path));
        command
            .current_dir(self.path(""))
            .env_clear()
            .env("PATH", std::env::join_paths(paths).unwrap())
            .env("HOME", self.root.path().join("home"))
            .env("TZ", "UTC")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_AUTHOR_NAME", "A")
            .env("GIT_AUTHOR_EMAIL", "a@example.org")
            .env("GIT_COMMITTER_NAME", "A")
            .env("GIT_COMMITTER_EMAIL", "a@example.org");
        command
    }

    pub(crate) fn run(&self, program: &str, arguments: &[&str]) -> Output {
        self.command(program).args(arguments).output().unwrap()
    }

    /// Runs it, and fails the test unless it succeeds; gives what it printed.
    pub(crate) fn ok(&self, program: &str, arguments: &[&str]) -> String {
        let output = self.run(program, arguments);
        let error = text(&output.stderr);
        assert!(output.status.success(), "{program} {arguments:?}: {error}");
        text(&output.stdout)
    }

    pub(crate) fn git<I: IntoIterator<Item = S>, S: AsRef<OsStr>>(&self, arguments: I) -> String {
        let output = self.command("git").args(arguments).output().unwrap();
        assert!(output.status.success(), "git: {}", text(&output.stderr));
        text(&output.stdout)
    }

    /// Appends rows to the ledger.
    pub(crate) fn add_rows(&self, rows: &[&str]) {
        let name = ".telemetry/usage.csv";
        let before = match self.path(name).exists() {
            true => self.read(name),
            false => format!("{HEADER}\n"),
        };
        self.write(name, rows.iter().fold(before, |text, row| text + row + "\n"));
    }

    /// Commits everything on that day, and gives the hash.
    pub(crate) fn commit(&self, day: &str, message: &str) -> String {
        self.git(["add", "--all"]);
        self.git_on(day, &["commit", "--quiet", "--message", message]);
        self.git(["rev-parse", "HEAD"]).trim().to_owned()
    }

    /// git, as if it were that day.
    pub(crate) fn git_on(&self, day: &str, arguments: &[&str]) {
        let date = format!("{day}T12:00:00Z");
        let mut command = self.command("git");
        command.env("GIT_AUTHOR_DATE", &date).env("GIT_COMMITTER_DATE", &date);
        let output = command.args(arguments).output().unwrap();
        assert!(output.status.success(), "git: {}{}", text(&output.stdout), text(&output.stderr));
    }

    /// The report as JSON.
    pub(crate) fn json(&self, arguments: &[&str]) -> serde_json::Value {
        let printed = self.ok("usage-report", &[arguments, &["--format", "json"]].concat());
        serde_json::from_str(&printed).unwrap()
    }
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
