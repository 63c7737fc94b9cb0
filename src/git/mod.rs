//! Questions to the git repository around us, answered by the `git` on the path.

pub mod process;
pub mod branch;
pub mod objects;
pub mod branches;
pub mod message;
pub mod history;
pub mod committed;
pub mod carried;
pub mod exclude;

use std::collections::HashSet;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::error::{shell_word, shown};
use crate::git::process::command;

/// Whether git tracks the file: it stands in the index. Without a git to ask, whether the index holds
/// its path; false outside a repository.
pub fn tracks(file: &Path) -> bool {
    let (folder, rest) = split(file);
    // Whose repository it is says nothing about what it tracks.
    let arguments = ["-c", "safe.directory=*", "ls-files", "--error-unmatch", "--"];
    let mut command = command(&folder, &arguments);
    command.arg(rest).stdout(Stdio::null()).stderr(Stdio::null());
    match command.status() {
        Ok(status) => status.success(),
        Err(_) => is_in_index(file),
    }
}

/// Whether the index holds the file's path, or that of each file in a folder, without asking git: true
/// is sure, false is not.
pub fn is_in_index(file: &Path) -> bool {
    let Some(tree) = file.parent().and_then(WorkTree::around) else { return false };
    let Ok(index) = fs::read(tree.own.join("index")) else { return false };
    let Ok(path) = file.strip_prefix(&tree.top) else { return false };
    let names: Vec<&[u8]> = path.iter().map(OsStr::as_encoded_bytes).collect();
    let path = names.join(&b'/');
    match fs::read_dir(file) {
        Err(_) => holds(&index, &path),
        Ok(entries) => {
            let known = names_below(&index, &path);
            entries.flatten().all(|it| known.contains(it.file_name().as_encoded_bytes()))
        }
    }
}

/// What follows a folder's path in an index: the names of its files.
fn names_below<'a>(index: &'a [u8], folder: &[u8]) -> HashSet<&'a [u8]> {
    let ends = ends(index, &[folder, b"/"].concat());
    ends.into_iter().filter_map(|end| index[end..].split(|byte| *byte == 0).next()).collect()
}

/// Whether an index has an entry of this path: its bytes up to a NUL.
fn holds(index: &[u8], path: &[u8]) -> bool {
    !path.is_empty() && ends(index, path).iter().any(|end| index.get(*end) == Some(&0))
}

/// Where entries of an index that begin so go on: before an entry stands a number that is taken for
/// no piece of a longer path. One of the fourth version leaves out what paths share.
/// See <https://git-scm.com/docs/index-format>.
fn ends(index: &[u8], path: &[u8]) -> Vec<usize> {
    const COMPRESSED: &[u8] = &[0, 0, 0, 4];
    if index.get(4..8).is_none_or(|version| version == COMPRESSED) {
        return Vec::new();
    }
    let found = memchr::memmem::find_iter(index, path);
    found.filter(|at| *at > 0 && index[at - 1] != b'/').map(|at| at + path.len()).collect()
}

/// The names of the files in a folder that git does not know, and was not told to ignore.
pub fn untracked(folder: &Path) -> Vec<String> {
    let mut command = command(folder, &["ls-files", "--others", "--exclude-standard", "-z"]);
    let names = command.stderr(Stdio::null()).output().map(|output| output.stdout);
    let names = names.unwrap_or_default();
    let names = names.split(|byte| *byte == 0).filter(|name| !name.is_empty());
    names.map(|name| String::from_utf8_lossy(name).into_owned()).collect()
}

/// The rule that hides the file from git, if one does: `source:line:pattern`.
pub fn ignoring_rule(file: &Path) -> Option<String> {
    last_rule(file).filter(|rule| !takes_back(rule))
}

/// Whether a rule says of the file that git shall not ignore it after all.
pub fn is_taken_back(file: &Path) -> bool {
    last_rule(file).is_some_and(|rule| takes_back(&rule))
}

/// The rule that decides whether git ignores the file, if there is one: `source:line:pattern`.
fn last_rule(file: &Path) -> Option<String> {
    let (folder, rest) = split(file);
    let arguments = ["check-ignore", "--verbose", "--no-index", "--"];
    let output = command(&folder, &arguments).arg(rest).stderr(Stdio::null()).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let rule = text.split('\t').next().unwrap_or_default().to_owned();
    (!rule.is_empty()).then_some(rule)
}

fn takes_back(rule: &str) -> bool {
    rule.splitn(3, ':').nth(2).is_none_or(|pattern| pattern.starts_with('!'))
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
    let mut command = command(&folder, &["check-attr", name, "--"]);
    let output = command.arg(rest).stderr(Stdio::null()).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let value = text.trim_end().rsplit(": ").next()?.to_owned();
    (!["", "unspecified", "unset"].contains(&value.as_str())).then_some(value)
}

/// A work tree of a repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkTree {
    /// Its top folder.
    pub top: PathBuf,
    /// The folder of git's own files for it.
    pub own: PathBuf,
}

impl WorkTree {
    /// The work tree around a folder; None outside one.
    pub fn around(folder: &Path) -> Option<WorkTree> {
        for top in folder.ancestors() {
            let dot_git = top.join(".git");
            let own = match fs::metadata(&dot_git) {
                Err(_) => continue,
                Ok(meta) if meta.is_dir() => dot_git,
                // In a linked work tree or a submodule it is a file that says where the folder is.
                Ok(_) => {
                    let text = fs::read_to_string(&dot_git).ok()?;
                    top.join(text.trim().strip_prefix("gitdir: ")?)
                }
            };
            return Some(WorkTree { top: top.to_owned(), own });
        }
        None
    }

    /// The folder that all work trees of the repository share.
    pub fn shared(&self) -> PathBuf {
        // That of a linked work tree has another name.
        if self.own.ends_with(".git") {
            return self.own.clone();
        }
        match fs::read_to_string(self.own.join("commondir")) {
            Ok(path) => self.own.join(path.trim()),
            Err(_) => self.own.clone(),
        }
    }
}

/// The e-mail address that git is set to sign commits with in that folder.
pub fn email(folder: &Path) -> Option<String> {
    let mut command = command(folder, &["config", "--get", "user.email"]);
    let output = command.stderr(Stdio::null()).output().ok()?;
    let email = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    (!email.is_empty()).then_some(email)
}

/// The addresses of the repository's remotes.
pub fn remotes(folder: &Path) -> Vec<String> {
    let mut command = command(folder, &["config", "--get-regexp", "^remote\\..*\\.url$"]);
    let output = command.stderr(Stdio::null()).output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    let address = |line: &str| line.split_once(' ').map(|(_, address)| address.to_owned());
    text.unwrap_or_default().lines().filter_map(address).collect()
}

/// The folder of git's own files for the work tree around this folder; None outside one.
pub fn git_dir(folder: &Path) -> Option<PathBuf> {
    WorkTree::around(folder).map(|tree| tree.own)
}

/// The nearest folder above the file that is there, for git to stand in, and the way from it.
fn split(file: &Path) -> (PathBuf, PathBuf) {
    let folder = file.ancestors().skip(1).find(|folder| folder.is_dir());
    let folder = folder.unwrap_or(Path::new("."));
    let rest = file.strip_prefix(folder).unwrap_or(file).to_owned();
    (folder.to_owned(), rest)
}

/// Where git's own shell finds this program; None where it does not. Asked of git, for its path is
/// the one that counts when it calls. The name goes to that shell: it is never one from a file.
pub fn finds(folder: &Path, program: &'static str) -> Option<PathBuf> {
    let alias = format!("alias.where-it-is=!command -v {program} #");
    answer(command(folder, &["-c", &alias, "where-it-is"]))
        .ok()
        .filter(|it| !it.as_os_str().is_empty())
}

/// One answer of `git rev-parse`; a name may hold anything, so it is asked for one at a time.
///
/// # Errors
/// What git says where it does not answer.
pub fn rev_parse(folder: &Path, question: &[&str]) -> Result<PathBuf, String> {
    let mut command = command(folder, &["rev-parse"]);
    command.args(question);
    answer(command)
}

/// What is set under a name, wherever it is set; None where it is not.
pub fn setting(folder: &Path, name: &str) -> Option<String> {
    text(answer(command(folder, &["config", "--get", name])))
}

/// What the repository's own settings set under a name.
pub fn local_setting(folder: &Path, name: &str) -> Option<String> {
    text(answer(command(folder, &["config", "--local", "--get", name])))
}

/// The names of everything that the repository's own settings set in a section.
pub fn local_settings(folder: &Path, section: &str) -> Vec<String> {
    let pattern = format!("^{section}\\.");
    let arguments = ["config", "--local", "--name-only", "--get-regexp", &pattern];
    let names = text(answer(command(folder, &arguments))).unwrap_or_default();
    names.lines().map(str::to_owned).collect()
}

fn text(answer: Result<PathBuf, String>) -> Option<String> {
    answer.ok().map(|it| it.to_string_lossy().into_owned())
}

/// What a command of git prints, without the end of its last line; else the first line of what it
/// complains.
fn answer(mut command: Command) -> Result<PathBuf, String> {
    let output = command.output().map_err(|error| error.to_string())?;
    if !output.status.success() {
        let words = String::from_utf8_lossy(&output.stderr).into_owned();
        let words = words.lines().next().unwrap_or_default();
        return Err(words.trim_start_matches("fatal: ").to_owned());
    }
    Ok(path(output.stdout.strip_suffix(b"\n").unwrap_or(&output.stdout)))
}

#[cfg(unix)]
fn path(bytes: &[u8]) -> PathBuf {
    use std::os::unix::ffi::OsStrExt;
    std::ffi::OsStr::from_bytes(bytes).into()
}

#[cfg(not(unix))]
fn path(bytes: &[u8]) -> PathBuf {
    String::from_utf8_lossy(bytes).into_owned().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_of_an_index_is_told_from_a_longer_one() {
        let index = |version: u8, path: &str| {
            let head = [b"DIRC\0\0\0", &[version][..], &[7; 62], &[0, path.len() as u8]].concat();
            [&head, path.as_bytes(), b"\0\0"].concat()
        };
        let path = b".telemetry/.gitignore";
        for (version, entry, is_held) in [
            (2, ".telemetry/.gitignore", true),
            (3, ".telemetry/.gitignore", true),
            (4, ".telemetry/.gitignore", false),
            (2, "a/.telemetry/.gitignore", false),
            (2, ".telemetry/.gitignore.old", false),
        ] {
            assert_eq!(holds(&index(version, entry), path), is_held, "{version} {entry}");
        }
        assert!(names_below(&index(2, "a/.telemetry/b"), b".telemetry").is_empty());
        let (two, name) = (index(2, ".telemetry/archive/b.csv"), &b"b.csv"[..]);
        assert_eq!(names_below(&two, b".telemetry/archive"), HashSet::from([name]));
        assert!(!holds(b"", path) && !holds(&index(2, "a"), b""));
    }
}
