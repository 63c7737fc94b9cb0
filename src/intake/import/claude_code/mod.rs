//! Claude Code: one file for each session, one line for each block of a response, and files of
//! sub-agents beside it.

pub mod line;
mod building;
mod responses;
pub mod session;

use std::path::{Path, PathBuf};

use hashbrown::HashMap;

use crate::error::Result;
use crate::intake::import::claude_code::session::Sessions;
use crate::intake::import::homes::Homes;
use crate::intake::import::mark::Mark;
use crate::intake::import::peek;
use crate::intake::import::reading::{Reading, hash, instant};
use crate::intake::import::turn::Turn;
use crate::intake::import::walk::{self, File, Group};
use crate::timestamp::Instant;

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
    projects.filter(|folder| walk::may_be_folder(folder)).collect()
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

/// The id of the call that began a sub-agent.
fn call(file: &File) -> Option<String> {
    peek::value(&file.path.with_extension("meta.json"), "toolUseId")
}

fn has_one_main(group: &Group) -> bool {
    group.files.iter().take_while(|file| !is_of_sub_agent(&file.path)).count() == 1
}

/// What is left of a group behind a mark: without the files of sub-agents of the turns before. None if
/// one of them changed, or if it cannot be told of which turn it is.
pub fn go_on(group: &Group, mark: &Mark, is_same: &dyn Fn(&File) -> bool) -> Option<Group> {
    if !has_one_main(group) {
        return None;
    }
    let start = Instant { seconds: mark.start.0, nanos: mark.start.1 };
    let mut rest = Group { mark: Some(mark.clone()), ..Group::default() };
    for file in &group.files {
        let is_before = is_of_sub_agent(&file.path) && {
            let time = peek::value(&file.path, "timestamp").and_then(|it| instant(&it));
            match (call(file), time) {
                (Some(call), _) if mark.earlier.contains(&hash(&[&call])) => true,
                (_, Some(time)) if time >= start => false,
                (None, Some(_)) => true,
                _ if file.bytes == 0 => true,
                _ => return None,
            }
        };
        match is_before {
            true if !is_same(file) => return None,
            true => {}
            false => rest.files.push(file.clone()),
        }
    }
    Some(rest)
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
            sessions.read(file, None, group.mark.as_ref(), reading)?;
        }
        let mut subs: Vec<(Option<String>, &File)> =
            subs.into_iter().map(|file| (peek::value(&file.path, "timestamp"), file)).collect();
        subs.sort_by(|a, b| (&a.0, &a.1.path).cmp(&(&b.0, &b.1.path)));
        for (_, file) in subs {
            let call = call(file);
            sessions.read(file, Some(call.as_deref().unwrap_or_default()), None, reading)?;
        }
        let mark = sessions.end(group.mark.as_ref()).filter(|_| has_one_main(group));
        reading.marks.extend(mark.map(|mark| (group.number, mark)));
    }
    Ok(sessions.finish(reading))
}
