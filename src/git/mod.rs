//! Questions to the git repository around us, answered by the `git` on the path.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::error::{shell_word, shown};

/// Whether git tracks the file: it stands in the index. Without a git to ask, whether the index holds
/// its path; false outside a repository.
pub fn tracks(file: &Path) -> bool {
    let (folder, rest) = split(file);
    // Whose repository it is says nothing about what it tracks.
    let arguments = ["-c", "safe.directory=*", "ls-files", "--error-unmatch", "--"];
    let mut command = git(&folder, &arguments);
    command.arg(rest).stdout(Stdio::null()).stderr(Stdio::null());
    match command.status() {
        Ok(status) => status.success(),
        Err(_) => is_in_index(file),
    }
}

fn is_in_index(file: &Path) -> bool {
    let index = file.parent().and_then(git_dir).and_then(|dir| fs::read(dir.join("index")).ok());
    let names: Vec<_> = file.iter().rev().take(2).collect();
    match (index, names.as_slice()) {
        (Some(index), [name, folder]) => {
            let path = [folder.as_encoded_bytes(), b"/", name.as_encoded_bytes()].concat();
            memchr::memmem::find(&index, &path).is_some()
        }
        _ => false,
    }
}

/// The rule that hides the file from git, if one does: `source:line:pattern`.
pub fn ignoring_rule(file: &Path) -> Option<String> {
    let (folder, rest) = split(file);
    let arguments = ["check-ignore", "--verbose", "--no-index", "--"];
    let output = git(&folder, &arguments).arg(rest).stderr(Stdio::null()).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let rule = text.split('\t').next().unwrap_or_default().to_owned();
    // A rule that begins with ! says that the file is not ignored after all.
    let is_ignored = !rule.is_empty() && !rule.splitn(3, ':').nth(2)?.starts_with('!');
    is_ignored.then_some(rule)
}

/// What to type so that no rule of the repository hides the ledger's folder any more.
pub fn unignore(folder: &Path) -> String {
    let top = folder.parent().unwrap_or(folder);
    let rules = shown(&top.join(".gitignore"));
    format!("printf '!/.telemetry/\\n!/.telemetry/**\\n' >> {}", shell_word(&rules))
}

/// The value of an attribute for the file; None where it is not set.
pub fn attribute(file: &Path, name: &str) -> Option<String> {
    let (folder, rest) = split(file);
    let mut command = git(&folder, &["check-attr", name, "--"]);
    let output = command.arg(rest).stderr(Stdio::null()).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let value = text.trim_end().rsplit(": ").next()?.to_owned();
    (!["", "unspecified", "unset"].contains(&value.as_str())).then_some(value)
}

/// The folder of git's own files for the work tree around this folder; None outside one.
pub fn git_dir(folder: &Path) -> Option<PathBuf> {
    for top in folder.ancestors() {
        let dot_git = top.join(".git");
        match fs::metadata(&dot_git) {
            Err(_) => {}
            Ok(meta) if meta.is_dir() => return Some(dot_git),
            // In a linked work tree or a submodule it is a file that says where the folder is.
            Ok(_) => {
                let text = fs::read_to_string(&dot_git).ok()?;
                return Some(top.join(text.trim().strip_prefix("gitdir: ")?));
            }
        }
    }
    None
}

/// The folder that all work trees of the repository share, by the folder of one's own files.
pub fn common_dir(git_dir: &Path) -> PathBuf {
    match fs::read_to_string(git_dir.join("commondir")) {
        Ok(path) => git_dir.join(path.trim()),
        Err(_) => git_dir.to_owned(),
    }
}

/// The nearest folder above the file that is there, for git to stand in, and the way from it.
fn split(file: &Path) -> (PathBuf, PathBuf) {
    let folder = file.ancestors().skip(1).find(|folder| folder.is_dir());
    let folder = folder.unwrap_or(Path::new("."));
    let rest = file.strip_prefix(folder).unwrap_or(file).to_owned();
    (folder.to_owned(), rest)
}

/// git in that folder and nowhere else: inside a hook the environment may point to another index
/// or another repository, and these questions are about the folder's own.
pub fn git(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new("git");
    for name in ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX", "GIT_COMMON_DIR"] {
        command.env_remove(name);
    }
    command.arg("-C").arg(folder).args(arguments).stdin(Stdio::null());
    command
}
