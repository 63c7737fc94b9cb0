//! What commits hold, read from git's objects: the work tree is never looked at.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};

use crate::error::{Error, Result, excerpt, shown};
use crate::git::process::{answer, ask, command, failed, not_started};

/// The repository around a folder, which need not be there any more.
#[derive(Clone, Debug)]
pub struct Repository {
    /// Where git is asked.
    pub at: PathBuf,
    /// The folder's path below the top of the work tree: empty, or with a slash at its end.
    pub prefix: String,
}

/// A file in a commit's tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TreeFile {
    /// Its path below the folder.
    pub path: String,
    /// The name of its bytes.
    pub id: String,
}

impl Repository {
    /// The repository around this folder.
    ///
    /// # Errors
    /// There is none, or no git.
    pub fn around(folder: &Path) -> Result<Repository> {
        let at = folder.ancestors().find(|it| it.is_dir()).unwrap_or(Path::new("."));
        let prefix = ask(at, &["rev-parse", "--show-prefix"])?.map_err(|said| Error::Git {
            problem: format!("no git repository around {}: {said}", shown(folder)),
            fix: "stand in the repository whose ledger is meant".to_owned(),
        })?;
        let mut prefix = text(prefix).trim_end_matches('\n').to_owned();
        for part in folder.strip_prefix(at).unwrap_or(Path::new("")) {
            prefix += &format!("{}/", part.to_string_lossy());
        }
        Ok(Repository { at: at.to_owned(), prefix })
    }

    /// The commit that a revision names, by its hash; None if there is none.
    pub fn commit(&self, revision: &str) -> Result<Option<String>> {
        // No name of git's begins so: the one would be an option, the other means "all but".
        if revision.starts_with(['-', '^']) {
            return Ok(None);
        }
        let peeled = format!("{revision}^{{commit}}");
        let hash = ask(&self.at, &["rev-parse", "--verify", "--quiet", &peeled])?.map(text);
        let is_hash = |it: &String| !it.is_empty() && it.bytes().all(|b| b.is_ascii_hexdigit());
        Ok(hash.ok().map(|it| it.trim_end().to_owned()).filter(is_hash))
    }

    /// The last commit that both have; None if there is none.
    pub fn merge_base(&self, one: &str, other: &str) -> Result<Option<String>> {
        let base = ask(&self.at, &["merge-base", one, other])?.map(text);
        Ok(base.ok().and_then(|it| it.lines().next().map(str::to_owned)))
    }

    /// Whether older commits were left out when the repository was cloned.
    pub fn is_shallow(&self) -> Result<bool> {
        Ok(answer(&self.at, &["rev-parse", "--is-shallow-repository"])?.starts_with(b"true"))
    }

    /// The branch that is checked out; None at a commit without one.
    pub fn current_branch(&self) -> Result<Option<String>> {
        let name = ask(&self.at, &["symbolic-ref", "--quiet", "HEAD"])?.map(text).ok();
        Ok(name.and_then(|it| it.trim_end().strip_prefix("refs/heads/").map(str::to_owned)))
    }

    /// The regular files in the folder that this commit has.
    pub fn files(&self, commit: &str) -> Result<Vec<TreeFile>> {
        let mut arguments = vec!["ls-tree", "-r", "-z", "--full-tree", commit];
        if !self.prefix.is_empty() {
            arguments.extend(["--", &self.prefix]);
        }
        let listed = answer(&self.at, &arguments)?;
        let entries = listed.split(|byte| *byte == 0).map(String::from_utf8_lossy);
        let file = |entry: std::borrow::Cow<'_, str>| {
            let (about, path) = entry.split_once('\t')?;
            // Neither links nor other repositories.
            let rest = about.strip_prefix("100")?;
            let id = rest.rsplit(' ').next()?.to_owned();
            Some(TreeFile { path: path.strip_prefix(&self.prefix)?.to_owned(), id })
        };
        Ok(entries.filter_map(file).collect())
    }

    /// The name of the bytes of one file in the folder, where this commit has it.
    pub fn file(&self, commit: &str, path: &str) -> Result<Option<String>> {
        let name = format!("{commit}:{}{path}", self.prefix);
        let id = ask(&self.at, &["rev-parse", "--verify", "--quiet", &name])?.map(text);
        Ok(id.ok().map(|id| id.trim_end().to_owned()))
    }

    /// The files in the folder whose bytes the work tree has just as git keeps them.
    pub fn unchanged(&self) -> Result<Vec<TreeFile>> {
        // The folder may be gone from the work tree.
        let folder =
            format!(":(top,literal){}", if self.prefix.is_empty() { "." } else { &self.prefix });
        let list = |arguments: &[&str]| -> Result<Vec<u8>> {
            let mut command = command(&self.at, arguments);
            let output = command.arg("--").arg(&folder).output();
            Ok(output.map_err(|error| not_started(&error))?.stdout)
        };
        let changed = list(&["diff-files", "--name-only", "--no-relative", "-z"])?;
        let changed: Vec<&[u8]> = changed.split(|byte| *byte == 0).collect();
        let kept = list(&["ls-files", "--stage", "--full-name", "-z"])?;
        let file = |entry: &[u8]| {
            let tab = entry.iter().position(|byte| *byte == b'\t')?;
            let (about, path) = (String::from_utf8_lossy(&entry[..tab]), &entry[tab + 1..]);
            let mut about = about.split(' ');
            let is_file = about.next()?.starts_with("100");
            let id = about.next()?.to_owned();
            let is_merged = about.next()? == "0";
            let is_unchanged = is_file && is_merged && !changed.contains(&path);
            let path = String::from_utf8_lossy(path).strip_prefix(&self.prefix)?.to_owned();
            is_unchanged.then_some(TreeFile { path, id })
        };
        Ok(kept.split(|byte| *byte == 0).filter_map(file).collect())
    }
}

/// A git that hands out the bytes of objects, one after the other.
pub struct Objects {
    git: Child,
    /// None when it is to end.
    asks: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Objects {
    /// Starts it.
    ///
    /// # Errors
    /// No git on the path.
    pub fn of(repository: &Repository) -> Result<Objects> {
        let mut command = command(&repository.at, &["cat-file", "--batch"]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut git = command.spawn().map_err(|error| not_started(&error))?;
        match (git.stdin.take(), git.stdout.take()) {
            (Some(asks), Some(answers)) => {
                Ok(Objects { git, asks: Some(asks), answers: BufReader::new(answers) })
            }
            _ => Err(failed("cat-file", "it has no pipes")),
        }
    }

    /// Lets `take` read the bytes of an object, whether to the end or not.
    ///
    /// # Errors
    /// The object is not there; or what `take` says.
    pub fn read<T>(
        &mut self,
        id: &str,
        take: impl FnOnce(&mut dyn Read) -> Result<T>,
    ) -> Result<T> {
        let fail = |error: std::io::Error| failed("cat-file", &error.to_string());
        if let Some(asks) = &mut self.asks {
            writeln!(asks, "{id}").and_then(|()| asks.flush()).map_err(fail)?;
        }
        let mut about = String::new();
        self.answers.read_line(&mut about).map_err(fail)?;
        let bytes = about.trim_end().rsplit(' ').next().and_then(|it| it.parse::<u64>().ok());
        let bytes = bytes.ok_or_else(|| failed("cat-file", &excerpt(about.trim_end())))?;
        let mut object = (&mut self.answers).take(bytes);
        let taken = take(&mut object);
        let rest = object.limit();
        let line_end = 1;
        let left = std::io::copy(&mut object, &mut std::io::sink()).map_err(fail)?;
        if left < rest {
            return Err(failed("cat-file", "an object ends too soon"));
        }
        std::io::copy(&mut (&mut self.answers).take(line_end), &mut std::io::sink())
            .map_err(fail)?;
        taken
    }
}

impl Drop for Objects {
    fn drop(&mut self) {
        self.asks = None;
        // It ends when nothing more can be asked; how does not matter any more.
        let _ = self.git.wait();
    }
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8_lossy(&bytes).into_owned()
}
