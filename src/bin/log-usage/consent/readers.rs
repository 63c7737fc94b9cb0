//! Who may read the ledger: without a network nobody can know, but some repositories look public.

use std::fs;

use usage_ledger::git::{self, WorkTree};
use usage_ledger::workspace::Place;

use crate::voice;

/// Hosts where many a repository is public; which, only the network would know.
const PUBLIC_HOSTS: [&str; 4] = ["github.com", "gitlab.com", "codeberg.org", "bitbucket.org"];

/// What begins the name of a file that allows everybody to use the code.
const LICENSES: [&str; 4] = ["license", "licence", "copying", "unlicense"];

/// Warns where the repository looks as if everybody could read it.
pub(super) fn warn(place: &Place) {
    let top = WorkTree::around(place.folder()).map(|tree| tree.top);
    let Some(top) = top else { return };
    let remotes = git::remotes(&top);
    let is_there = |host: &&&str| remotes.iter().any(|remote| remote.contains(**host));
    let Some(host) = const { &PUBLIC_HOSTS }.iter().find(is_there) else { return };
    let entries = fs::read_dir(&top).into_iter().flatten().flatten();
    let names = entries.map(|it| it.file_name().to_string_lossy().to_lowercase());
    let is_licensed = |name: String| LICENSES.iter().any(|it| name.starts_with(it));
    if names.into_iter().any(is_licensed) {
        voice::say(&format!(
            "warning: a remote is on {host} and there is a license: if the repository is public, everybody \
             reads the ledger\n  \
             why: models, tokens, times and notes are committed, and git blame says whose they are\n  \
             fix: notes = \"none\" in config.toml keeps notes out, log-usage --personal keeps rows out"
        ));
    }
}
