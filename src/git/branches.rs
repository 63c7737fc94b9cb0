//! The branches of a repository, and which of them is the one that others are merged into.

use std::path::Path;

use crate::error::Result;
use crate::git::objects::Repository;
use crate::git::process::answer;

/// A branch: the local one and that of `origin` together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Branch {
    /// Its name, without `origin/`.
    pub name: String,
    /// Its last commits: the local one's, the remote one's, or both.
    pub tips: Vec<String>,
    /// When the last of them was committed, in seconds since 1970.
    pub changed: i64,
}

/// All branches.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Branches {
    /// Each once, by name.
    pub all: Vec<Branch>,
    /// The name of the one that others are merged into, where there is one.
    pub default: Option<String>,
}

/// Between the fields of a branch; no name holds it.
const FIELDS: &str = "--format=%(refname)%00%(objectname)%00%(symref)%00%(committerdate:unix)";

impl Branches {
    /// The branches of this repository.
    ///
    /// # Errors
    /// git fails.
    pub fn of(repository: &Repository) -> Result<Branches> {
        let listed =
            answer(&repository.at, &["for-each-ref", FIELDS, "refs/heads", "refs/remotes"])?;
        let current = repository.current_branch()?;
        Ok(parse(&String::from_utf8_lossy(&listed), current.as_deref()))
    }

    /// The branch that others are merged into, of the repository around a folder; None where that
    /// cannot be told.
    pub fn default_around(folder: &Path) -> Option<Branch> {
        let branches = Branches::of(&Repository::around(folder).ok()?).ok()?;
        branches.default.as_deref().and_then(|name| branches.get(name)).cloned()
    }

    /// The branch of this name.
    pub fn get(&self, name: &str) -> Option<&Branch> {
        self.all.iter().find(|branch| branch.name == name)
    }
}

fn parse(listed: &str, current: Option<&str>) -> Branches {
    let mut branches = Branches::default();
    for line in listed.lines() {
        let mut fields = line.split('\0');
        let mut field = || fields.next().unwrap_or_default();
        let (reference, tip, target, changed) = (field(), field(), field(), field());
        if !target.is_empty() {
            // `origin/HEAD` is no branch; it says which one is meant where none is named.
            if reference == "refs/remotes/origin/HEAD" {
                branches.default = Some(short(target).to_owned());
            }
            continue;
        }
        let Ok(changed) = changed.parse::<i64>() else { continue };
        let name = short(reference);
        match branches.all.iter_mut().find(|branch| branch.name == name) {
            Some(branch) => {
                branch.tips.push(tip.to_owned());
                branch.changed = branch.changed.max(changed);
            }
            None => {
                let (name, tips) = (name.to_owned(), vec![tip.to_owned()]);
                branches.all.push(Branch { name, tips, changed });
            }
        }
    }
    branches.all.sort_by(|a, b| a.name.cmp(&b.name));
    let is_there = |name: &str| branches.all.iter().any(|branch| branch.name == name);
    branches.default = branches.default.take().filter(|name| is_there(name)).or_else(|| {
        let usual = ["main", "master"].into_iter().chain(current);
        usual.filter(|name| is_there(name)).map(str::to_owned).next()
    });
    branches
}

/// The name as people say it: only other remotes than `origin` are named.
pub fn short(reference: &str) -> &str {
    let local = reference.strip_prefix("refs/heads/");
    let remote = || reference.strip_prefix("refs/remotes/");
    let name = local.or_else(remote).unwrap_or(reference);
    match local {
        Some(name) => name,
        None => name.strip_prefix("origin/").unwrap_or(name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(reference: &str, tip: &str, target: &str, changed: i64) -> String {
        format!("{reference}\0{tip}\0{target}\0{changed}\n")
    }

    #[test]
    fn a_local_branch_and_that_of_origin_are_one() {
        let listed = line("refs/heads/topic", "b", "", 2)
            + &line("refs/heads/main", "a", "", 1)
            + &line("refs/remotes/fork/main", "d", "", 4)
            + &line("refs/remotes/origin/HEAD", "c", "refs/remotes/origin/main", 3)
            + &line("refs/remotes/origin/main", "c", "", 3);
        let branches = parse(&listed, Some("topic"));
        let names: Vec<&str> = branches.all.iter().map(|it| it.name.as_str()).collect();
        assert_eq!(names, ["fork/main", "main", "topic"]);
        let main = branches.get("main").unwrap();
        assert_eq!((main.tips.concat().as_str(), main.changed), ("ac", 3));
        assert_eq!(branches.default.as_deref(), Some("main"));
    }

    #[test]
    fn the_default_is_what_origin_says_or_main_or_master_or_the_current_one() {
        let of = |names: &[&str], head: Option<&str>| {
            let mut listed: String = names.iter().map(|name| line(name, "a", "", 1)).collect();
            listed +=
                &head.map(|it| line("refs/remotes/origin/HEAD", "a", it, 1)).unwrap_or_default();
            parse(&listed, Some("topic")).default
        };
        let (main, master) = ("refs/heads/main", "refs/heads/master");
        let (topic, trunk) = ("refs/heads/topic", "refs/remotes/origin/trunk");
        assert_eq!(of(&[main, trunk], Some(trunk)).as_deref(), Some("trunk"));
        assert_eq!(of(&[main, master], Some("refs/remotes/origin/gone")).as_deref(), Some("main"));
        assert_eq!(of(&[master, topic], None).as_deref(), Some("master"));
        assert_eq!(of(&["refs/remotes/origin/main", topic], None).as_deref(), Some("main"));
        assert_eq!(of(&[topic, trunk], None).as_deref(), Some("topic"));
        assert_eq!(of(&[], None), None);
    }
}
