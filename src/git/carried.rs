//! What git carries of some files: the bytes of every version that any commit has, within a time.

use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::path::Path;
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use crate::git::objects::Repository;
use crate::git::process::command;

/// It looks so often whether git has ended.
const NAP: Duration = Duration::from_millis(5);

/// The versions of files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Carried {
    /// How many.
    pub versions: u64,
    /// Their bytes as they are checked out.
    pub bytes: u64,
    /// Their bytes in git's own folder.
    pub stored_bytes: u64,
}

/// What the repository around a folder carries of the files in it; `is_meant` tells which by their
/// paths from there. None where git does not say so within the time. What a partial clone has not
/// fetched is not fetched for this.
pub fn carried(folder: &Path, is_meant: &dyn Fn(&str) -> bool, time: Duration) -> Option<Carried> {
    let end = Instant::now() + time;
    let repository = Repository::around(folder).ok()?;
    let prefix = repository.prefix.as_str();
    let revisions = ["rev-list", "--objects", "--missing=allow-any", "--all", "--", "."];
    let listed = run(folder, &revisions, None, end)?;
    let meant = String::from_utf8_lossy(&listed)
        .lines()
        .filter_map(|line| line.split_once(' '))
        .filter(|(_, path)| path.strip_prefix(prefix).is_some_and(is_meant))
        .map(|(id, _)| format!("{id}\n"))
        .collect::<String>();
    let format = "--batch-check=%(objecttype) %(objectsize) %(objectsize:disk)";
    let sizes = run(folder, &["cat-file", format], Some(&meant), end)?;
    let mut carried = Carried::default();
    for line in String::from_utf8_lossy(&sizes).lines() {
        let mut words = line.split(' ');
        let is_blob = words.next() == Some("blob");
        let mut number = || words.next().and_then(|word| word.parse::<u64>().ok());
        if let (true, Some(bytes), Some(stored)) = (is_blob, number(), number()) {
            carried.versions += 1;
            carried.bytes += bytes;
            carried.stored_bytes += stored;
        }
    }
    Some(carried)
}

/// What git prints, if it ends in time.
fn run(folder: &Path, arguments: &[&str], input: Option<&str>, end: Instant) -> Option<Vec<u8>> {
    let mut output = tempfile::tempfile().ok()?;
    let mut command = command(folder, arguments);
    command.env("GIT_NO_LAZY_FETCH", "1").stderr(Stdio::null()).stdout(output.try_clone().ok()?);
    if let Some(input) = input {
        command.stdin(spooled(input).ok()?);
    }
    let mut git = command.spawn().ok()?;
    let status = loop {
        match git.try_wait().ok()? {
            Some(status) => break Some(status),
            None if Instant::now() < end => thread::sleep(NAP),
            None => {
                let _ = git.kill();
                let _ = git.wait();
                break None;
            }
        }
    };
    status.filter(|status| status.success())?;
    output.rewind().ok()?;
    let mut printed = Vec::new();
    output.read_to_end(&mut printed).ok()?;
    Some(printed)
}

fn spooled(text: &str) -> io::Result<File> {
    let mut file = tempfile::tempfile()?;
    file.write_all(text.as_bytes())?;
    file.rewind()?;
    Ok(file)
}
