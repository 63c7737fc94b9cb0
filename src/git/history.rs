//! What each commit added, read from one `git log -p` line by line, parents before children.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::Stdio;
use std::str;

use crate::error::Result;
use crate::git::objects::Repository;
use crate::git::process::{command, failed, not_started};

/// The rest of a longer line is no record of ours, and is not kept in memory.
const LINE_BYTES_MAX: u64 = 1 << 20;

/// A commit, as far as a report tells of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Commit {
    /// Its full hash.
    pub hash: String,
    /// Who wrote it, by the names of the mailmap.
    pub author: String,
    /// The first line of its message.
    pub subject: String,
    /// The rest of it.
    pub body: String,
}

/// A piece of the log.
#[derive(Debug, PartialEq, Eq)]
pub enum Piece<'a> {
    /// What follows is this commit's.
    Commit(Commit),
    /// The commit has a file with these bytes that its parent has not, named as git quotes it.
    Bytes {
        /// The name of the bytes.
        id: &'a str,
        /// The file.
        name: &'a str,
    },
    /// What follows was added to this file, named as git quotes it.
    File(&'a [u8]),
    /// What follows was added at one place.
    Place,
    /// A line that was added, with its line end.
    Added(&'a [u8]),
}

/// A NUL begins a commit and stands behind each of its four fields: no message holds one, and lines
/// of files begin with a sign.
const FORMAT: &str = "--format=%x00%H%x00%aN%x00%s%x00%b%x00";

const NULS: usize = 5;

/// Whatever the user has set, the log looks as it is read here.
const LOG: [&str; 23] = [
    "log",
    "--stdin",
    "--topo-order",
    "--reverse",
    "--full-history",
    "--raw",
    "--no-abbrev",
    "--patch",
    "--root",
    "-O/dev/null",
    "--unified=0",
    "--inter-hunk-context=0",
    "--diff-merges=first-parent",
    "--no-color",
    "--no-ext-diff",
    "--no-textconv",
    "--no-renames",
    "--no-relative",
    "--no-show-signature",
    "--no-notes",
    "--text",
    "--encoding=UTF-8",
    FORMAT,
];

/// Goes through what these commits and all before them added to the paths, and shows each piece.
/// `revisions` are hashes, each perhaps behind `^`; `paths` are pathspecs.
///
/// # Errors
/// git fails; or what `visit` says.
pub fn walk(
    repository: &Repository,
    revisions: &[String],
    is_first_parent: bool,
    paths: &[String],
    visit: &mut dyn FnMut(Piece<'_>) -> Result<()>,
) -> Result<()> {
    let mut command = command(&repository.at, &LOG);
    command.args(is_first_parent.then_some("--first-parent")).arg("--").args(paths);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut git = command.spawn().map_err(|error| not_started(&error))?;
    let fail = |error: std::io::Error| failed("log", &error.to_string());
    if let Some(mut asks) = git.stdin.take() {
        asks.write_all((revisions.join("\n") + "\n").as_bytes()).map_err(fail)?;
    }
    let outcome = match git.stdout.take() {
        Some(log) => read(BufReader::with_capacity(1 << 16, log), visit),
        None => Err(failed("log", "it has no pipe")),
    };
    // The pipe is closed by now, so that a log that was not read to its end stops.
    let status = git.wait().map_err(fail)?;
    outcome?;
    match status.success() {
        true => Ok(()),
        false => Err(failed("log", &status.to_string())),
    }
}

fn read(mut log: impl BufRead, visit: &mut dyn FnMut(Piece<'_>) -> Result<()>) -> Result<()> {
    let mut parser = Parser::default();
    let mut line = Vec::new();
    let fail = |error: std::io::Error| failed("log", &error.to_string());
    loop {
        line.clear();
        let read = (&mut log).take(LINE_BYTES_MAX).read_until(b'\n', &mut line).map_err(fail)?;
        if read == 0 {
            return Ok(());
        }
        if read as u64 == LINE_BYTES_MAX && !line.ends_with(b"\n") {
            log.skip_until(b'\n').map_err(fail)?;
        }
        if let Some(piece) = parser.take(&line) {
            visit(piece)?;
        }
    }
}

/// Reads the log line by line.
#[derive(Default)]
pub struct Parser {
    /// What was read of a commit that is not whole yet.
    commit: Vec<u8>,
    /// How many lines of the place are still to come: removed ones, and added ones.
    left: (u64, u64),
}

impl Parser {
    /// Takes the next line, with its line end; gives what it completes.
    pub fn take<'a>(&mut self, line: &'a [u8]) -> Option<Piece<'a>> {
        if !self.commit.is_empty() {
            return self.more(line);
        }
        match (line.first(), self.left) {
            (Some(b'\0'), _) => {
                self.left = (0, 0);
                self.more(line)
            }
            (Some(b'+'), (_, 1..)) => {
                self.left.1 -= 1;
                Some(Piece::Added(&line[1..]))
            }
            (Some(b'-'), (1.., _)) => {
                self.left.0 -= 1;
                None
            }
            // What is not changed is only shown if the environment asks for it.
            (Some(b' '), (1.., 1..)) => {
                self.left = (self.left.0 - 1, self.left.1 - 1);
                None
            }
            (Some(b'+'), _) => {
                line.strip_prefix(b"+++ ").map(|name| Piece::File(name.trim_ascii_end()))
            }
            (Some(b':'), (0, 0)) => bytes(line),
            (Some(b'@'), _) => {
                self.left = counts(line)?;
                Some(Piece::Place)
            }
            _ => None,
        }
    }

    fn more<'a>(&mut self, line: &[u8]) -> Option<Piece<'a>> {
        self.commit.extend_from_slice(line);
        if self.commit.iter().filter(|byte| **byte == 0).count() < NULS {
            return None;
        }
        let text = String::from_utf8_lossy(&self.commit).into_owned();
        self.commit.clear();
        let mut fields = text.split('\0').skip(1).map(str::to_owned);
        let mut field = || fields.next().unwrap_or_default();
        let (hash, author, subject, body) = (field(), field(), field(), field());
        Some(Piece::Commit(Commit { hash, author, subject, body }))
    }
}

/// What `:100644 100644 <old> <new> M<TAB>path` says; None where the file is gone.
fn bytes(line: &[u8]) -> Option<Piece<'_>> {
    let (about, name) = str::from_utf8(line).ok()?.trim_end().split_once('\t')?;
    let id = about.split(' ').nth(3)?;
    id.bytes().any(|byte| byte != b'0').then_some(Piece::Bytes { id, name })
}

/// How many lines `@@ -1,2 +3,4 @@` says were removed, and how many added.
fn counts(line: &[u8]) -> Option<(u64, u64)> {
    let text = String::from_utf8_lossy(line.strip_prefix(b"@@ ")?).into_owned();
    let mut ranges = text.split(' ');
    let mut count = |sign| {
        let range = ranges.next()?.strip_prefix(sign)?;
        range.split_once(',').map_or(Some(1), |(_, count)| count.parse().ok())
    };
    Some((count('-')?, count('+')?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pieces(log: &str) -> Vec<String> {
        let mut pieces = Vec::new();
        let mut visit = |piece: Piece<'_>| {
            pieces.push(match piece {
                Piece::Commit(it) => {
                    format!("{}|{}|{}|{}", it.hash, it.author, it.subject, it.body)
                }
                Piece::Bytes { id, name } => format!("bytes {id} {name}"),
                Piece::File(name) => format!("file {}", String::from_utf8_lossy(name)),
                Piece::Place => "place".to_owned(),
                Piece::Added(line) => format!("added {}", String::from_utf8_lossy(line).trim_end()),
            });
            Ok(())
        };
        read(log.as_bytes(), &mut visit).unwrap();
        pieces
    }

    #[test]
    fn added_lines_are_told_with_their_commit_and_file() {
        let log = "\0a1\0Ann\0First (#1)\0\0\n\n\
            diff --git a/x.csv b/x.csv\nnew file mode 100644\nindex 0..1\n--- /dev/null\n+++ b/x.csv\n\
            @@ -0,0 +1,2 @@\n+one\n+two\n\\ No newline at end of file\n\
            \0b2\0Bob\0Second\0Body\n\nmore\n\0\n\n\
            :100644 100644 0a 0b M\tx.csv\n:100644 000000 0a 00 D\ty.csv\n\n\
            diff --git a/x.csv b/x.csv\n--- a/x.csv\n+++ b/x.csv\n\
            @@ -2 +2 @@ two\n-two\n\\ No newline at end of file\n+two\n@@ -9,0 +10 @@\n+ten\n";
        assert_eq!(
            pieces(log),
            [
                "a1|Ann|First (#1)|",
                "file b/x.csv",
                "place",
                "added one",
                "added two",
                "b2|Bob|Second|Body\n\nmore\n",
                "bytes 0b x.csv",
                "file b/x.csv",
                "place",
                "added two",
                "place",
                "added ten",
            ]
        );
    }

    /// Lines of files may look like anything in a log.
    #[test]
    fn what_stands_in_a_file_is_not_taken_for_the_log() {
        let log = "\0a1\0Ann\0S\0\0\n\ndiff --git a/x b/x\n--- a/x\n+++ b/x\n\
            @@ -1,2 +1,3 @@\n--- a/y\n-@@ -1 +1 @@\n+++ b/y\n+@@ -1 +1 @@\n+\0h\0a\0s\0b\0\n+++ b/z\n";
        assert_eq!(
            pieces(log),
            [
                "a1|Ann|S|",
                "file b/x",
                "place",
                "added ++ b/y",
                "added @@ -1 +1 @@",
                "added \0h\0a\0s\0b\0",
                "file b/z"
            ]
        );
    }
}
