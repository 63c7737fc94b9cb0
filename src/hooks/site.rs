//! Where git looks for hooks here, and whose place that is. Asks git; changes nothing.

use std::fs;
use std::path::{Component, Path, PathBuf};

use crate::error::{Error, Result, shell_word, shown};
use crate::git;
use crate::ledger::journal;

/// The hooks that call us: one takes the waiting rows into the commit, the other forgets them.
pub const HOOKS: [&str; 2] = ["pre-commit", "post-commit"];

/// The setting that says how rows are written in this clone: `deferred` or `direct`.
pub const WRITE: &str = "log-usage.write";

/// Who has a say in the folder in which git looks for hooks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Keeper {
    /// Nobody else: it lies among git's own files, on this machine only.
    Git,
    /// The work tree: whoever works here gets the same hooks.
    WorkTree,
    /// husky, whose hooks are committed. `sourced`: it reads them with `sh`, whatever their mode.
    Husky {
        /// Whether git runs husky's own files, and these then ours.
        sourced: bool,
    },
    /// lefthook, which writes git's hooks anew from its settings.
    Lefthook,
    /// Other repositories too: it lies outside this one.
    Others,
}

/// The repository, as far as hooks and merging are concerned.
#[derive(Clone, Debug)]
pub struct Site {
    /// The top of the work tree.
    pub top: PathBuf,
    /// The way from there to the ledger's folder: empty, or ending in a slash.
    pub prefix: Vec<u8>,
    /// git's own folder, shared by all work trees.
    pub common: PathBuf,
    /// The folder in which git looks for hooks.
    pub git_hooks: PathBuf,
    /// The folder in which ours belong: another where a tool stands between.
    pub hooks: PathBuf,
    /// Who has a say there.
    pub keeper: Keeper,
    /// The attributes of this clone.
    pub attributes: PathBuf,
    /// Where git finds `log-usage`; None where it is not on the path.
    pub program: Option<PathBuf>,
}

impl Site {
    /// The repository around a folder.
    ///
    /// # Errors
    /// There is none, or git will not work in it.
    pub fn around(folder: &Path) -> Result<Site> {
        let ask = |folder: &Path, question: &[&str]| {
            git::rev_parse(folder, question).map_err(|words| Error::Hooks {
                problem: format!("no git repository to put hooks in: {words}"),
                fix: "stand in a work tree of one, or make one: git init".to_owned(),
            })
        };
        let top = ask(folder, &["--show-toplevel"])?;
        let prefix = ask(folder, &["--show-prefix"])?.into_os_string().into_encoded_bytes();
        // From the top: elsewhere git answers for another folder where core.hooksPath is relative.
        let path = |question: &[&str]| ask(&top, question).map(|path| plain(&top.join(path)));
        let git_hooks = path(&["--git-path", "hooks"])?;
        let common = path(&["--git-common-dir"])?;
        let attributes = path(&["--git-path", "info/attributes"])?;
        let keeper = keeper(&top, &common, &git_hooks);
        let hooks = match keeper {
            Keeper::Husky { sourced: true } => git_hooks.parent().unwrap_or(&top).to_owned(),
            _ => git_hooks.clone(),
        };
        let program = git::finds(&top, "log-usage");
        Ok(Site { top, prefix, common, git_hooks, hooks, keeper, attributes, program })
    }

    /// The folder whose existence makes rows wait for the next commit.
    pub fn pending(&self) -> PathBuf {
        self.common.join(journal::FOLDER)
    }

    /// A path as people here would write it.
    pub fn shown(&self, path: &Path) -> String {
        shown(path.strip_prefix(&self.top).unwrap_or(path))
    }

    /// The same for a shell that stands at the top.
    pub fn word(&self, path: &Path) -> String {
        shell_word(&self.shown(path))
    }

    /// Every folder in which hooks of ours may stand: that of today, and those of days before
    /// another was set.
    pub fn folders(&self) -> Vec<PathBuf> {
        let mut folders = vec![self.hooks.clone()];
        for folder in [self.git_hooks.clone(), self.common.join("hooks"), self.top.join(".husky")] {
            if !folders.iter().any(|other| real(other) == real(&folder)) {
                folders.push(folder);
            }
        }
        folders
    }

    /// lefthook's settings, those of this clone alone among them.
    pub fn lefthook_settings(&self) -> Vec<PathBuf> {
        settings(&self.top, |name| {
            let name = name.strip_prefix('.').unwrap_or(name);
            ["lefthook.", "lefthook-local."].iter().any(|stem| {
                let format = name.strip_prefix(stem);
                format.is_some_and(|it| ["yml", "yaml", "toml", "json", "jsonc"].contains(&it))
            })
        })
    }

    /// The settings of pre-commit or prek; empty where neither is used.
    pub fn framework_settings(&self) -> Vec<PathBuf> {
        let names = [".pre-commit-config.yaml", ".pre-commit-config.yml", "prek.toml"];
        settings(&self.top, |name| names.contains(&name))
    }
}

fn settings(top: &Path, is_one: impl Fn(&str) -> bool) -> Vec<PathBuf> {
    let folders = [top.to_owned(), top.join(".config")];
    let entries = folders.iter().filter_map(|folder| fs::read_dir(folder).ok()).flatten().flatten();
    let mut paths: Vec<PathBuf> = entries
        .filter(|entry| entry.file_name().to_str().is_some_and(&is_one))
        .map(|entry| entry.path())
        .collect();
    paths.sort();
    paths
}

fn keeper(top: &Path, common: &Path, hooks: &Path) -> Keeper {
    let (hooks, common, top) = (real(hooks), real(common), real(top));
    // The main work tree is this repository too, when we stand in one that is linked to it.
    let is_own_git = common.file_name().is_some_and(|name| name == ".git");
    let main = common.parent().filter(|_| is_own_git).unwrap_or(&top);
    if !hooks.starts_with(&common) && !hooks.starts_with(&top) && !hooks.starts_with(main) {
        return Keeper::Others;
    }
    if hooks.ends_with(".husky/_") {
        return Keeper::Husky { sourced: true };
    }
    if hooks.ends_with(".husky") {
        return Keeper::Husky { sourced: false };
    }
    let is_lefthooks = !settings(&top, |name| {
        let name = name.strip_prefix('.').unwrap_or(name);
        name.starts_with("lefthook.")
    })
    .is_empty();
    match hooks.starts_with(&common) {
        _ if is_lefthooks => Keeper::Lefthook,
        true => Keeper::Git,
        false => Keeper::WorkTree,
    }
}

/// The path without links, as far as it is there.
fn real(path: &Path) -> PathBuf {
    for folder in path.ancestors() {
        if let Ok(real) = fs::canonicalize(folder) {
            return real.join(path.strip_prefix(folder).unwrap_or(Path::new("")));
        }
    }
    path.to_owned()
}

/// The path without `.` and `..`, for people and for comparing; links are left as they are.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir if plain.file_name().is_some() => drop(plain.pop()),
            part => plain.push(part),
        }
    }
    plain
}
