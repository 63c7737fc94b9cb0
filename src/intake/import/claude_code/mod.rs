//! Claude Code: one file for each session, one line for each block of a response, and files of
//! sub-agents beside it.

pub mod line;
pub mod session;

use std::path::{Path, PathBuf};

use hashbrown::HashMap;

use crate::error::Result;
use crate::intake::import::claude_code::session::Sessions;
use crate::intake::import::homes::Homes;
use crate::intake::import::peek;
use crate::intake::import::reading::Reading;
use crate::intake::import::turn::Turn;
use crate::intake::import::walk::{self, File, Group};

const ENDINGS: [&str; 1] = [".jsonl"];

/// The transcripts: each session with its sub-agents.
pub fn find(homes: &Homes) -> Vec<Group> {
    let mut files = Vec::new();
    for folder in folders(homes) {
        files.extend(walk::files(&folder, &ENDINGS));
    }
    let mut groups: Vec<Group> = Vec::new();
    let mut places: HashMap<(PathBuf, String), usize> = HashMap::new();
    // The files of sub-agents stand behind those of their sessions.
    files.sort_by_cached_key(|file| (is_of_sub_agent(&file.path), file.path.clone()));
    for file in files {
        let at = *places.entry(session(&file)).or_insert_with(|| {
            groups.push(Group::default());
            groups.len() - 1
        });
        if !groups[at].files.contains(&file) {
            groups[at].files.push(file);
        }
    }
    groups
}

fn folders(homes: &Homes) -> Vec<PathBuf> {
    if !homes.named.is_empty() {
        return homes.named.clone();
    }
    let usual = || {
        let config = homes.config.as_ref().map(|config| config.join("claude"));
        [config, homes.in_home(".claude")].into_iter().flatten().collect()
    };
    let roots: Vec<PathBuf> = if homes.claude.is_empty() { usual() } else { homes.claude.clone() };
    let projects = roots.into_iter().map(|root| match root.ends_with("projects") {
        true => root,
        false => root.join("projects"),
    });
    projects.filter(|folder| folder.is_dir()).collect()
}

fn is_of_sub_agent(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.starts_with("agent-") || path.iter().any(|part| part == "subagents")
}

/// The folder of the project and the session that a file is of.
fn session(file: &File) -> (PathBuf, String) {
    let mut above = file.path.ancestors();
    if let Some(folder) = above.find(|path| path.ends_with("subagents")).and_then(Path::parent) {
        let session = folder.file_name().unwrap_or_default().to_string_lossy();
        return (folder.parent().unwrap_or(folder).to_owned(), session.into_owned());
    }
    let folder = file.path.parent().unwrap_or(Path::new("")).to_owned();
    let session = match is_of_sub_agent(&file.path) {
        // The old layout: only the lines say of which session it is.
        true => peek::value(&file.path, "sessionId"),
        false => Some(file.stem().to_owned()),
    };
    (folder, session.unwrap_or_else(|| file.stem().to_owned()))
}

/// Reads groups of files, oldest first; what turns they hold.
///
/// # Errors
/// A file that was named cannot be read.
pub fn read(groups: &[Group], reading: &mut Reading<'_>) -> Result<Vec<Turn>> {
    let first = |group: &Group| {
        let path = group.files.first().map(|file| file.path.clone());
        (path.as_deref().and_then(|path| peek::value(path, "timestamp")), path)
    };
    let mut order: Vec<&Group> = groups.iter().collect();
    order.sort_by_cached_key(|group| first(group));
    let mut sessions = Sessions::default();
    for group in order {
        sessions.begin(group.number);
        let (subs, mains): (Vec<&File>, Vec<&File>) =
            group.files.iter().partition(|file| is_of_sub_agent(&file.path));
        for file in mains {
            sessions.read(file, None, reading)?;
        }
        let mut subs: Vec<(Option<String>, &File)> =
            subs.into_iter().map(|file| (peek::value(&file.path, "timestamp"), file)).collect();
        subs.sort_by(|a, b| (&a.0, &a.1.path).cmp(&(&b.0, &b.1.path)));
        for (_, file) in subs {
            let sidecar = file.path.with_extension("meta.json");
            let call = peek::value(&sidecar, "toolUseId");
            sessions.read(file, Some(call.as_deref().unwrap_or_default()), reading)?;
        }
    }
    Ok(sessions.finish(reading))
}
