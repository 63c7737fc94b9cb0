//! Which folders are this repository's: those of its work trees, but not of another repository that
//! lies in one of them.

use std::fs;
use std::path::{Path, PathBuf};

use hashbrown::HashMap;
use sha2::{Digest, Sha256};

use crate::git::WorkTree;
use crate::workspace::{FOLDER, find_root};

/// The folders whose turns are imported.
#[derive(Debug, Default)]
pub struct Scope {
    /// None takes every folder.
    roots: Option<Vec<PathBuf>>,
    known: HashMap<Box<str>, bool>,
}

impl Scope {
    /// Every folder.
    pub fn everywhere() -> Scope {
        Scope::default()
    }

    /// The folder of a ledger's repository, and the same folder in its other work trees.
    pub fn of(root: &Path) -> Scope {
        let root = canonical(root);
        let mut roots = vec![root.clone()];
        if let Some(tree) = WorkTree::around(&root)
            && let Ok(inside) = root.strip_prefix(canonical(&tree.top))
        {
            let tops = work_trees(&tree).into_iter().map(|top| canonical(&top));
            roots.extend(tops.map(|top| top.join(inside)).filter(|top| *top != root));
        }
        Scope { roots: Some(roots), known: HashMap::new() }
    }

    /// The same in words, to tell one from another.
    pub fn words(&self) -> String {
        match &self.roots {
            None => "everywhere".to_owned(),
            Some(roots) => {
                let mut names: Vec<_> = roots.iter().map(|root| root.to_string_lossy()).collect();
                names.sort();
                names.join("\n")
            }
        }
    }

    /// Whether a folder is taken.
    pub fn holds(&mut self, folder: &str) -> bool {
        let Some(roots) = &self.roots else { return true };
        if let Some(known) = self.known.get(folder) {
            return *known;
        }
        let holds = is_inside(Path::new(folder), roots);
        self.known.insert(folder.into(), holds);
        holds
    }

    /// Whether a source's hash of a folder is that of one that is taken.
    pub fn holds_hash(&self, hash: &str) -> bool {
        let Some(roots) = &self.roots else { return true };
        roots.iter().any(|root| {
            let digest = Sha256::digest(root.as_os_str().as_encoded_bytes());
            digest.iter().map(|byte| format!("{byte:02x}")).collect::<String>() == hash
        })
    }
}

fn is_inside(folder: &Path, roots: &[PathBuf]) -> bool {
    if !folder.is_absolute() {
        return false;
    }
    let Ok(real) = fs::canonicalize(folder) else {
        // It is gone: a work tree that was removed, or a session of long ago.
        return roots.iter().any(|root| folder.starts_with(root));
    };
    let is_below = roots.iter().any(|root| real.starts_with(root));
    let is_marked = |root: &Path| root.join(".git").exists() || root.join(FOLDER).is_dir();
    let is_ours =
        |root: &PathBuf| roots.contains(root) || is_above(root, roots) || !is_marked(root);
    is_below && find_root(&real).is_ok_and(|root| is_ours(&root))
}

/// A ledger may stand in a part of a repository that has no mark of its own.
fn is_above(root: &Path, roots: &[PathBuf]) -> bool {
    roots.iter().any(|it| it.starts_with(root))
}

fn canonical(path: &Path) -> PathBuf {
    fs::canonicalize(path).unwrap_or_else(|_| path.to_owned())
}

/// The top folders of a repository's work trees, as git notes them.
fn work_trees(tree: &WorkTree) -> Vec<PathBuf> {
    // That of a linked work tree is told by a way that goes up again.
    let shared = canonical(&tree.shared());
    let mut tops: Vec<PathBuf> = match shared.file_name() {
        Some(name) if name == ".git" => shared.parent().map(Path::to_owned).into_iter().collect(),
        _ => Vec::new(),
    };
    let linked = fs::read_dir(shared.join("worktrees")).into_iter().flatten().flatten();
    for entry in linked {
        let dot_git = fs::read_to_string(entry.path().join("gitdir")).unwrap_or_default();
        let dot_git = entry.path().join(dot_git.trim());
        tops.extend(dot_git.parent().map(Path::to_owned));
    }
    tops
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repository_within_another_is_another() {
        let folder = tempfile::tempdir().unwrap();
        let root = canonical(folder.path()).join("a");
        for name in ["a/.git", "a/src", "a/vendor/b/.git", "ab"] {
            fs::create_dir_all(folder.path().join(name)).unwrap();
        }
        let mut scope = Scope::of(&root);
        let mut holds = |name: &str| scope.holds(&format!("{}{name}", root.display()));
        assert!(holds("") && holds("/src") && holds("/gone/long/ago"));
        assert!(!holds("/vendor/b") && !holds("b") && !holds("/../ab"));
        assert!(!scope.holds("") && !scope.holds("src"));
        assert!(Scope::everywhere().holds(""));
        // Before the first row there is no mark at all.
        let bare = root.join("vendor");
        fs::create_dir_all(bare.join("x")).unwrap();
        assert!(Scope::of(&bare).holds(&bare.join("x").to_string_lossy()));
    }

    #[test]
    fn linked_work_trees_belong_to_it() {
        let folder = tempfile::tempdir().unwrap();
        let top = canonical(folder.path());
        let git = |arguments: &[&str]| {
            let settings = ["-c", "user.name=a", "-c", "user.email=a@example.org"];
            let done = crate::git::process::command(&top, &settings).args(arguments).output();
            assert!(done.unwrap().status.success(), "{arguments:?}");
        };
        git(&["init", "-q", "main"]);
        git(&["-C", "main", "commit", "-q", "--allow-empty", "-m", "x"]);
        git(&["-C", "main", "worktree", "add", "-q", "../linked"]);
        git(&["-C", "main", "worktree", "add", "-q", "inside"]);
        for root in ["main", "linked", "main/inside"] {
            let mut scope = Scope::of(&top.join(root));
            for name in ["main", "main/x", "linked", "linked/x", "main/inside"] {
                assert!(scope.holds(&top.join(name).to_string_lossy()), "{root} {name}");
            }
            assert!(!scope.holds(&top.to_string_lossy()));
        }
    }
}
