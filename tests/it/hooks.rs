//! What `log-usage hooks` puts into a repository: it works there, beside whatever else is there, and
//! goes again without a trace.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Output;

use crate::sandbox::{SEED, Sandbox, text};

/// A repository with one commit, in which git finds a `log-usage` that only notes that it was
/// called, and by which hook.
pub(crate) struct Stage {
    pub(crate) sandbox: Sandbox,
}

impl Stage {
    pub(crate) fn new() -> Stage {
        let stage = Stage { sandbox: Sandbox::repository() };
        stage.sandbox.write("code", "0\n");
        stage.sandbox.git(["add", "code"]);
        stage.sandbox.git(["commit", "--quiet", "-m", "first"]);
        stage.stub("echo \"$2\" >> \"$NOTED\"");
        stage
    }

    /// Outside the work tree.
    pub(crate) fn outside(&self, name: &str) -> PathBuf {
        self.sandbox.path("").parent().unwrap().join("home").join(name)
    }

    /// What the stub does instead of us.
    fn stub(&self, line: &str) {
        program(&self.outside("bin/log-usage"), format!("#!/bin/sh\n{line}\n"));
    }

    /// git, with the stub or without any `log-usage` on its path.
    fn git_with(&self, has_stub: bool, folder: &str, arguments: &[&str]) -> Output {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let mut paths: Vec<PathBuf> = std::env::split_paths(&path).collect();
        paths.retain(|path| !path.join("log-usage").exists());
        if has_stub {
            paths.insert(0, self.outside("bin"));
        }
        let mut command = self.sandbox.command("git");
        command
            .env("PATH", std::env::join_paths(paths).unwrap())
            .env("NOTED", self.outside("noted"))
            .current_dir(self.sandbox.path(folder))
            .args(arguments);
        command.output().unwrap()
    }

    /// Commits; gives what the stub and the hooks of the test noted, in order.
    pub(crate) fn commit(&self) -> Vec<String> {
        self.commit_in("", &[])
    }

    fn commit_in(&self, folder: &str, options: &[&str]) -> Vec<String> {
        let _ = fs::remove_file(self.outside("noted"));
        let arguments = [options, &["commit", "--allow-empty", "-m", "next"]].concat();
        let output = self.git_with(true, folder, &arguments);
        assert!(output.status.success(), "{}", text(&output.stderr));
        self.noted()
    }

    fn noted(&self) -> Vec<String> {
        let noted = fs::read_to_string(self.outside("noted")).unwrap_or_default();
        noted.lines().map(str::to_owned).collect()
    }

    pub(crate) fn install(&self) -> String {
        self.sandbox.ok("log-usage", &["hooks", "install"])
    }

    pub(crate) fn uninstall(&self) -> String {
        self.sandbox.ok("log-usage", &["hooks", "uninstall"])
    }

    pub(crate) fn status(&self) -> (i32, String) {
        let output = self.sandbox.run("log-usage", &["hooks", "status"]);
        (output.status.code().unwrap(), text(&output.stdout))
    }

    /// Everything that an installation may touch: names, links, modes and bytes.
    pub(crate) fn snapshot(&self) -> Vec<(PathBuf, Option<PathBuf>, u32, Vec<u8>)> {
        let mut files = Vec::new();
        let mut folders = vec![self.sandbox.path("")];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                let git = self.sandbox.path(".git");
                let modules = [git.join("modules"), git.join("modules/module")];
                let is_ours = |path: &Path| {
                    let kept = ["hooks", "info", "config", "log-usage"];
                    let of = |git: &PathBuf| kept.iter().any(|it| path.starts_with(git.join(it)));
                    of(&git) || of(&modules[1]) || modules.iter().any(|it| it == path)
                };
                if path.starts_with(&git) && path != git && !is_ours(&path) {
                    continue;
                }
                let meta = path.symlink_metadata().unwrap();
                if meta.is_dir() {
                    folders.push(path.clone());
                }
                let bytes = if meta.is_file() { fs::read(&path).unwrap() } else { Vec::new() };
                files.push((
                    path.clone(),
                    fs::read_link(&path).ok(),
                    meta.permissions().mode(),
                    bytes,
                ));
            }
        }
        files.sort();
        files
    }
}

pub(crate) fn program(path: &Path, bytes: impl AsRef<[u8]>) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    // By another process: a file that is open for writing anywhere cannot be run, and what other
    // tests start at this moment would hold ours open.
    let write = "cat > \"$1\" && chmod 755 \"$1\"";
    let mut command = assert_cmd::Command::new("sh");
    command.args(["-c", write, "sh"]).arg(path).write_stdin(bytes.as_ref()).assert().success();
}

/// Whether the machine has what a hook is written for; if not, that is said.
fn has(interpreter: &str) -> bool {
    let found = std::process::Command::new(interpreter).args(["-c", ""]).output().is_ok();
    if !found {
        eprintln!("SKIPPED a hook: no {interpreter} on this machine");
    }
    found
}

pub(crate) fn mode(path: &Path) -> u32 {
    path.symlink_metadata().unwrap().permissions().mode() & 0o7777
}

pub(crate) const BOTH: [&str; 2] = ["pre-commit", "post-commit"];

/// The hook that was there notes `own`.
#[test]
fn every_kind_of_hook_runs_on_and_is_given_back() {
    let own = "echo own >> \"$NOTED\"";
    let cases: Vec<(&str, Vec<u8>, u32)> = vec![
        ("ends in exit 0", format!("#!/bin/sh\n{own}\nexit 0\n").into(), 0o755),
        ("begins with exec", format!("#!/bin/sh\nexec sh -c '{own}'\n").into(), 0o755),
        ("is strict", format!("#!/usr/bin/env bash\nset -euo pipefail\n{own}\n").into(), 0o750),
        ("is strict by its first line", format!("#!/bin/sh -eu\n{own}\n").into(), 0o700),
        ("has no last line end", format!("#!/bin/sh\n{own}").into(), 0o755),
        ("has CRLF", format!("#!/bin/sh\n{own} #\r\n#\r\n").into(), 0o755),
        (
            "is Python",
            "#!/usr/bin/env python3\nimport os\nopen(os.environ['NOTED'], 'a').write('own\\n')\n"
                .into(),
            0o755,
        ),
        ("has no first line", format!("{own}\n").into(), 0o755),
        ("is neither", [own.as_bytes(), b"\nexit 0\n\xff\xfe\n"].concat(), 0o755),
    ];
    for (what, bytes, mode_before) in cases {
        let needs = [("is Python", "python3"), ("is strict", "bash")];
        if needs.iter().any(|(case, program)| *case == what && !has(program)) {
            continue;
        }
        let stage = Stage::new();
        for hook in BOTH {
            let path = stage.sandbox.path(format!(".git/hooks/{hook}"));
            program(&path, &bytes);
            fs::set_permissions(&path, fs::Permissions::from_mode(mode_before)).unwrap();
        }
        let before = stage.snapshot();
        assert_eq!(stage.commit(), ["own", "own"], "{what}: the test's own hook");
        stage.install();
        let noted = stage.commit();
        assert_eq!(noted, ["pre-commit", "own", "post-commit", "own"], "{what}");
        assert_eq!(stage.status().0, 0, "{what}: {}", stage.status().1);
        let installed = stage.snapshot();
        assert!(stage.install().contains("nothing was changed"), "{what}");
        assert_eq!(stage.snapshot(), installed, "{what}: a second time");
        stage.uninstall();
        assert!(stage.snapshot() == before, "{what}: {:?}", stage.snapshot());
        assert_eq!(stage.commit(), ["own", "own"], "{what}");
    }
}

/// A hook that refuses a commit refuses it still, and one that reads its arguments gets them.
#[test]
fn a_hook_keeps_its_say() {
    for first_line in ["#!/bin/sh", "#!/usr/bin/env python3"] {
        if !first_line.ends_with("sh") && !has("python3") {
            continue;
        }
        let stage = Stage::new();
        let exit = if first_line.ends_with("sh") { "exit 3" } else { "raise SystemExit(3)" };
        program(&stage.sandbox.path(".git/hooks/pre-commit"), format!("{first_line}\n{exit}\n"));
        stage.install();
        let output = stage.git_with(true, "", &["commit", "--allow-empty", "-m", "x"]);
        assert_eq!(output.status.code(), Some(1), "{first_line}");
        assert_eq!(stage.noted(), ["pre-commit"]);
    }
}

#[test]
fn a_hook_that_git_passes_over_stays_asleep() {
    for first_line in ["#!/bin/sh", "#!/usr/bin/env python3"] {
        let stage = Stage::new();
        let path = stage.sandbox.path(".git/hooks/pre-commit");
        stage.sandbox.write(".git/hooks/pre-commit", format!("{first_line}\nexit(1)\n"));
        let before = stage.snapshot();
        stage.install();
        assert_eq!(stage.commit(), BOTH);
        assert_eq!((mode(&path), stage.status().0), (0o755, 0));
        stage.uninstall();
        assert!(stage.snapshot() == before);
    }
}

/// The user puts a hook to sleep that holds our lines: it does not wake by them.
#[test]
fn a_hook_put_to_sleep_after_us_stays_asleep() {
    let stage = Stage::new();
    let path = stage.sandbox.path(".git/hooks/pre-commit");
    let own = "#!/bin/sh\necho own >> \"$NOTED\"\n";
    program(&path, own);
    stage.install();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    assert_eq!(stage.commit(), ["post-commit"]);
    assert!(stage.status().1.contains(".git/hooks/pre-commit is not executable"));
    stage.install();
    assert_eq!(stage.commit(), BOTH);
    stage.uninstall();
    assert_eq!((fs::read_to_string(&path).unwrap().as_str(), mode(&path)), (own, 0o644));
}

#[test]
fn a_link_is_kept_and_its_file_is_not_touched() {
    let stage = Stage::new();
    let file = stage.sandbox.path("scripts/check.sh");
    program(&file, "#!/bin/sh\necho own >> \"$NOTED\"\n");
    let bytes = fs::read(&file).unwrap();
    symlink("../../scripts/check.sh", stage.sandbox.path(".git/hooks/pre-commit")).unwrap();
    symlink("../../nowhere", stage.sandbox.path(".git/hooks/post-commit")).unwrap();
    let before = stage.snapshot();
    stage.install();
    assert_eq!(stage.commit(), ["pre-commit", "own", "post-commit"]);
    assert_eq!(fs::read(&file).unwrap(), bytes);
    assert!(stage.install().contains("nothing was changed"));
    stage.uninstall();
    assert!(stage.snapshot() == before);
}

#[test]
fn a_failing_a_missing_and_a_silenced_program_let_the_commit_be() {
    let stage = Stage::new();
    program(&stage.outside("own/log-usage"), fs::read(env!("CARGO_BIN_EXE_log-usage")).unwrap());
    let own = stage.outside("own/log-usage");
    // Not on the path: the hooks remember where it was.
    let mut command = stage.sandbox.command(&own.to_string_lossy());
    let path = std::env::var_os("PATH").unwrap_or_default();
    let out = command.env("PATH", path).args(["hooks", "install"]).output().unwrap();
    assert!(out.status.success(), "{}", text(&out.stderr));
    let hook = stage.sandbox.read(".git/hooks/pre-commit");
    assert!(hook.contains(&format!("[ -x {} ]", own.display())), "{hook}");
    for line in ["exit 3", "kill -9 $$", "echo out; echo err >&2; exit 1", "cat"] {
        stage.stub(line);
        let output = stage.git_with(true, "", &["commit", "--allow-empty", "-m", "x"]);
        assert!(output.status.success(), "{line}: {}", text(&output.stderr));
        assert!(!text(&output.stdout).contains("out\n"), "{line}");
        assert_eq!(text(&output.stderr).contains("err"), line.contains("err"), "{line}");
    }
    let noted = "echo \"$2\" >> \"$NOTED\"";
    stage.stub(noted);
    let silenced = ["-c", "alias.c=!LOG_USAGE_HOOKS=0 git commit --allow-empty -qm x", "c"];
    assert!(stage.git_with(true, "", &silenced).status.success());
    assert_eq!(stage.noted(), [""; 0]);
    // The stub gone, the one that installed is called.
    program(&own, format!("#!/bin/sh\n{noted}\n"));
    assert!(stage.git_with(false, "", &["commit", "--allow-empty", "-m", "x"]).status.success());
    assert_eq!(stage.noted(), BOTH);
    fs::remove_file(&own).unwrap();
    let output = stage.git_with(false, "", &["commit", "--allow-empty", "-m", "x"]);
    assert!(output.status.success() && !text(&output.stderr).contains("log-usage"));
    assert_eq!(stage.noted(), BOTH, "nobody was called");
}

/// What was there without a last line end, and what was not there at all.
#[test]
fn settings_and_attributes_come_back_byte_for_byte() {
    for attributes in [None, Some("*.csv merge=binary\n"), Some("*.png binary"), Some("")] {
        let stage = Stage::new();
        stage.sandbox.ok("log-usage", &SEED);
        stage.sandbox.git(["config", "log-usage.layout", "single"]);
        let _ = fs::remove_file(stage.sandbox.path(".git/info/attributes"));
        if let Some(attributes) = attributes {
            stage.sandbox.write(".git/info/attributes", attributes);
        }
        let before = stage.snapshot();
        stage.install();
        let merge = |file: &str| stage.sandbox.git(["check-attr", "merge", "--", file]);
        for file in ["usage.csv", "archive/usage-x.csv", "usage.d/20260223-x.csv"] {
            assert!(merge(&format!(".telemetry/{file}")).ends_with("merge: log-usage\n"), "{file}");
        }
        for file in [".telemetry/prices.csv", "sub/.telemetry/usage.csv", "usage.csv"] {
            assert!(!merge(file).contains("log-usage"), "{file}");
        }
        let driver = stage.sandbox.git(["config", "merge.log-usage.driver"]);
        assert_eq!(
            driver,
            "log-usage merge-driver %O %A %B -- %P || git merge-file --union %A %O %B\n"
        );
        assert_eq!(stage.status().0, 0);
        stage.uninstall();
        assert!(stage.snapshot() == before, "{attributes:?}");
        assert!(stage.uninstall().contains("nothing was changed"));
    }
}

/// Each folder of one repository with a ledger of its own has its own lines, whatever its name.
#[test]
fn a_ledger_in_a_folder_of_its_own_is_merged_too() {
    let stage = Stage::new();
    let before = stage.snapshot();
    let folders = ["packages/a", "my \"b*\" [1]", "späte\\r"];
    for folder in folders {
        fs::create_dir_all(stage.sandbox.path(folder).join(".telemetry/deep")).unwrap();
        let mut command = stage.sandbox.command("log-usage");
        let folder = stage.sandbox.path(folder).join(".telemetry/deep");
        command.current_dir(folder).args(["hooks", "install"]).assert().success();
    }
    for folder in folders {
        let file = format!("{folder}/.telemetry/usage.csv");
        let merge = stage.sandbox.git(["check-attr", "-z", "merge", "--", &file]);
        assert!(merge.ends_with("\0merge\0log-usage\0"), "{merge}");
    }
    let other =
        stage.sandbox.git(["check-attr", "merge", "--", "my \"bc\" 1/.telemetry/usage.csv"]);
    assert!(!other.contains("log-usage"), "{other}");
    stage.uninstall();
    fs::remove_dir_all(stage.sandbox.path("packages")).unwrap();
    folders[1..].iter().for_each(|it| fs::remove_dir_all(stage.sandbox.path(it)).unwrap());
    assert!(stage.snapshot() == before);
}

#[test]
fn linked_work_trees_and_submodules_have_the_same() {
    let stage = Stage::new();
    stage.sandbox.git(["worktree", "add", "--quiet", "tree", "-b", "topic"]);
    let mut command = stage.sandbox.command("log-usage");
    command.current_dir(stage.sandbox.path("tree")).args(["hooks", "install"]).assert().success();
    assert!(stage.sandbox.path(".git/log-usage/pending").is_dir());
    assert_eq!(stage.commit(), BOTH);
    assert_eq!(stage.commit_in("tree", &[]), BOTH);
    let merge = stage.sandbox.git(["-C", "tree", "check-attr", "merge", ".telemetry/usage.csv"]);
    assert!(merge.ends_with("merge: log-usage\n"), "{merge}");
    stage.uninstall();
    assert_eq!(stage.commit_in("tree", &[]), [""; 0]);

    let module = Sandbox::repository();
    module.write("code", "1");
    module.git(["add", "."]);
    module.git(["commit", "--quiet", "-m", "first"]);
    let url = module.path("").to_string_lossy().into_owned();
    let add = ["-c", "protocol.file.allow=always", "submodule", "--quiet", "add", &url, "module"];
    stage.sandbox.git(add);
    let before = stage.snapshot();
    let hooks = |action| {
        let mut command = stage.sandbox.command("log-usage");
        command
            .current_dir(stage.sandbox.path("module"))
            .args(["hooks", action])
            .assert()
            .success();
    };
    hooks("install");
    assert_eq!(stage.commit_in("module", &[]), BOTH);
    assert_eq!(stage.commit(), [""; 0], "the repository around it has none");
    hooks("uninstall");
    assert!(stage.snapshot() == before);
}

#[test]
fn status_says_what_is_not_in_effect() {
    let stage = Stage::new();
    let (code, told) = stage.status();
    assert!(code == 0 && told.contains("nothing is installed"), "{told}");
    stage.install();
    let healthy = stage.status();
    assert!(healthy.0 == 0 && !healthy.1.contains("WRONG"), "{}", healthy.1);
    let broken = |what: &str| {
        let (code, told) = stage.status();
        assert!(code == 1 && told.contains(what), "{what}: {told}");
        let doctor = stage.sandbox.ok("sh", &["-c", "log-usage doctor || true"]);
        let line = told.lines().find(|line| line.contains(what)).unwrap();
        assert!(doctor.contains(line.trim_start_matches("WRONG ")), "{doctor}");
        stage.install();
        assert_eq!(stage.status(), healthy, "install mends: {what}");
    };
    stage.sandbox.ok("log-usage", &["init"]);
    stage.sandbox.git(["config", "core.hooksPath", "elsewhere"]);
    let (_, told) = stage.status();
    assert!(told.contains("from .git/hooks/pre-commit, but git looks for hooks in elsewhere"));
    stage.sandbox.git(["config", "--unset", "core.hooksPath"]);
    assert_eq!(stage.status(), healthy);

    let hook = stage.sandbox.path(".git/hooks/post-commit");
    fs::set_permissions(&hook, fs::Permissions::from_mode(0o644)).unwrap();
    broken("WRONG post-commit would call log-usage, but .git/hooks/post-commit is not executable");
    fs::remove_file(&hook).unwrap();
    broken("WRONG post-commit does not call log-usage");
    fs::remove_dir_all(stage.sandbox.path(".git/log-usage/pending")).unwrap();
    broken("WRONG rows were to wait for a commit, but do not");
    stage.sandbox.git(["config", "merge.log-usage.driver", "/gone/log-usage merge-driver %O"]);
    broken("WRONG the merge driver's program is not found: /gone/log-usage");
    stage.sandbox.git(["config", "--remove-section", "merge.log-usage"]);
    broken("WRONG the merge driver is not configured");
    fs::remove_file(stage.sandbox.path(".git/info/attributes")).unwrap();
    broken("WRONG .telemetry/usage.csv merges by union, not by log-usage");
}

#[test]
fn the_way_of_writing_is_switched_and_no_waiting_row_is_dropped() {
    let stage = Stage::new();
    let before = stage.snapshot();
    let told = stage.sandbox.ok("log-usage", &["hooks", "install", "--direct"]);
    assert!(told.contains("rebase.autoStash") && told.contains("merge.autoStash"), "{told}");
    let pending = stage.sandbox.path(".git/log-usage/pending");
    assert!(!pending.exists() && stage.status().1.contains("direct:"));
    assert!(stage.install().contains("deferred:"));
    assert!(pending.is_dir() && stage.status().1.contains("deferred:"));
    fs::write(pending.join("main.csv"), "main,2026-02-23T22:19:28Z,m,1,2,true,plan,3,\n").unwrap();
    let waiting = stage.snapshot();
    for arguments in [&["hooks", "install", "--direct"][..], &["hooks", "uninstall"]] {
        let output = stage.sandbox.run("log-usage", arguments);
        assert_eq!(output.status.code(), Some(1));
        assert!(text(&output.stderr).contains("rows wait in "), "{}", text(&output.stderr));
        assert!(stage.snapshot() == waiting, "{arguments:?}");
    }
    fs::write(pending.join("main.csv"), "").unwrap();
    let told = stage.sandbox.ok("log-usage", &["hooks", "install", "--direct"]);
    assert!(told.contains("direct:") && !pending.exists() && !pending.parent().unwrap().exists());
    stage.uninstall();
    assert!(stage.snapshot() == before);
}

#[test]
fn what_stands_in_the_way_is_named_and_nothing_is_changed() {
    let refused = |stage: &Stage, what: &str| {
        let before = stage.snapshot();
        let output = stage.sandbox.run("log-usage", &["hooks", "install"]);
        assert_eq!(output.status.code(), Some(1), "{what}");
        assert!(text(&output.stderr).contains(what), "{}", text(&output.stderr));
        assert!(stage.snapshot() == before, "{what}");
    };
    let stage = Stage::new();
    fs::create_dir(stage.sandbox.path(".git/hooks/post-commit")).unwrap();
    refused(&stage, "post-commit is not a file");
    let stage = Stage::new();
    program(&stage.sandbox.path(".git/hooks/post-commit"), "#!/usr/bin/env python3\n");
    stage.sandbox.write(".git/hooks/post-commit.log-usage-orig", "somebody's");
    refused(&stage, ".git/hooks/post-commit.log-usage-orig is there already");
    let stage = Stage::new();
    stage.sandbox.write(".git/info/attributes", "# >>> log-usage >>>\n*.csv merge=x\n");
    refused(&stage, ".git/info/attributes: one end of the lines of log-usage is missing");
    let sandbox = Sandbox::new();
    for action in ["install", "uninstall", "status"] {
        let output = sandbox.run("log-usage", &["hooks", action]);
        assert_eq!(output.status.code(), Some(1));
        assert!(text(&output.stderr).contains("no git repository to put hooks in"));
    }
    let output = sandbox.run("log-usage", &["hooks"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(
        text(&output.stderr).contains("install, uninstall, status"),
        "{}",
        text(&output.stderr)
    );
}

/// A crash between the two steps that put a hook aside: the next installation finishes them.
#[test]
fn a_hook_put_aside_is_called_again_by_the_next_installation() {
    let stage = Stage::new();
    let own = "echo own >> \"$NOTED\"\n";
    program(&stage.sandbox.path(".git/hooks/pre-commit"), own);
    let before = stage.snapshot();
    let hooks = stage.sandbox.path(".git/hooks");
    fs::rename(hooks.join("pre-commit"), hooks.join("pre-commit.log-usage-orig")).unwrap();
    stage.install();
    assert_eq!(stage.commit(), ["pre-commit", "own", "post-commit"]);
    stage.uninstall();
    assert!(stage.snapshot() == before);
}
