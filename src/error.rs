//! What went wrong, why, and how to mend it; and the exit code that says so. Knows std types only.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use crate::redact;

/// The longest piece of somebody's input that a message repeats, in characters.
const EXCERPT_CHARS_MAX: usize = 80;

/// Shorthand of the whole library.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What coding agents hold of a repository that has no ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held {
    /// So many turns.
    pub turns: u64,
    /// Whether there may be more: not everything was looked at.
    pub is_at_least: bool,
    /// In how many days the oldest is deleted, where that is known.
    pub days_left: Option<u64>,
}

impl Held {
    /// What could be done, and why soon: lines before what else could be.
    fn words(self) -> String {
        let at_least = if self.is_at_least { "at least " } else { "" };
        let noun = if self.turns == 1 { "turn" } else { "turns" };
        let mut text = format!(
            "log-usage import            # agents on this machine hold {at_least}{} {noun} of this repository",
            self.turns
        );
        if let Some(days) = self.days_left {
            let when = match days {
                0 => "within a day".to_owned(),
                1 => "in about a day".to_owned(),
                days => format!("in about {days} days"),
            };
            text +=
                &format!(";\n                                   # the oldest is deleted {when}");
        }
        text + "\n       "
    }
}

/// Everything that can make a command fail. Each variant has a case with its exact text in
/// `tests/golden/errors/`, from which `docs/errors.md` is made.
#[derive(Debug)]
pub enum Error {
    /// A field of a row was refused; nothing was written.
    Field {
        /// The column as the header names it, the value, and what is wrong with it.
        problem: String,
        /// Why the ledger is so strict about it.
        why: &'static str,
        /// Something to type instead.
        fix: String,
    },
    /// The row form was given fewer than its six fields.
    MissingFields {
        /// How many fields were given.
        given: usize,
        /// The columns that are missing, in order.
        missing: Vec<&'static str>,
    },
    /// The row form was given more than seven fields.
    ExtraField {
        /// The first field too many.
        extra: String,
    },
    /// The notes begin with a hyphen and look like an option.
    HyphenNotes {
        /// The notes as given.
        given: String,
    },
    /// An option or a command that does not exist, or that lacks something.
    Usage {
        /// What is wrong with the command line.
        problem: String,
        /// What to type instead.
        fix: String,
    },
    /// An option's value was refused.
    OptionValue {
        /// The option as typed, e.g. `--max-size`.
        option: String,
        /// The value as given.
        given: String,
        /// What is allowed.
        allowed: String,
        /// An example that works.
        example: String,
    },
    /// A line of a batch was refused; nothing was written.
    BatchLine {
        /// The line of standard input, the first being 1.
        line: u64,
        /// What is wrong with it.
        problem: String,
    },
    /// The first line of a batch is neither a header nor JSON.
    BatchHeader {
        /// The line of standard input, the first being 1.
        line: u64,
        /// What is wrong with it.
        problem: String,
        /// The header that was expected.
        expected: &'static str,
    },
    /// Some lines of a batch were skipped, on request; all others are stored.
    BatchSkipped {
        /// How many lines were skipped.
        skipped: u64,
        /// How many rows are stored.
        stored: u64,
    },
    /// A call to the operating system failed.
    Io {
        /// What was to be done, as a verb: `append to`, `read`.
        action: &'static str,
        /// The file it was to be done to.
        path: PathBuf,
        /// The system's own words.
        reason: String,
    },
    /// A segment went away between being listed and being read, again and again.
    Gone {
        /// The segment, or the folder that never rests.
        path: PathBuf,
    },
    /// A repository without a work tree has no place for a ledger.
    BareRepository {
        /// The repository.
        path: PathBuf,
    },
    /// Hooks cannot be put in place, or taken away, without touching what is not ours.
    Hooks {
        /// What stands in the way.
        problem: String,
        /// What to do instead.
        fix: String,
    },
    /// The folder of a ledger named by hand does not exist.
    NoFolder {
        /// The folder.
        path: PathBuf,
    },
    /// git would commit events, which nobody but their user is to read.
    NotIgnored {
        /// The rules that should name them, or the file that git has.
        path: PathBuf,
        /// Whether git has the file, so that no rule would help.
        is_tracked: bool,
    },
    /// Another process held the lock until the deadline.
    Locked {
        /// The lock file.
        path: PathBuf,
        /// How long was waited, in seconds.
        waited_s: u64,
    },
    /// The ledger begins with another header than ours.
    ForeignHeader {
        /// The ledger.
        path: PathBuf,
        /// Its first line.
        found: String,
        /// The header that was expected.
        expected: &'static str,
    },
    /// The path of the ledger holds something that is not a regular file.
    NotAFile {
        /// The path.
        path: PathBuf,
    },
    /// The end of the ledger does not look like a text file.
    NotALedger {
        /// The ledger.
        path: PathBuf,
        /// What was found.
        found: String,
    },
    /// git tracks the ledger, but it is not in the work tree.
    TrackedButMissing {
        /// The ledger.
        path: PathBuf,
    },
    /// A question that only git can answer has no answer.
    Git {
        /// What is wrong.
        problem: String,
        /// How to mend it.
        fix: String,
    },
    /// The row was written, but the disk did not confirm it.
    SyncFailed {
        /// The ledger.
        path: PathBuf,
        /// The system's own words.
        reason: String,
    },
    /// An archive, or a segment that stands in its way, is not as it must be.
    Archive {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
        /// How to mend it.
        fix: String,
    },
    /// Pruning began and could not be ended.
    Unfinished {
        /// The file at which it stopped.
        path: PathBuf,
        /// The system's own words.
        reason: String,
    },
    /// The file of a key that makes pseudonyms cannot be used.
    Key {
        /// The file.
        path: PathBuf,
        /// What is wrong with it, as a predicate.
        problem: &'static str,
        /// How to mend it.
        fix: String,
    },
    /// `config.toml` or `pruned` in `.telemetry/` is broken; no policy is lost by accident.
    Config {
        /// The file.
        path: PathBuf,
        /// The line of the fault, where the parser knows it.
        line: Option<usize>,
        /// What is wrong.
        problem: String,
    },
    /// The record of what the user allows cannot be followed.
    Consent {
        /// The record.
        path: PathBuf,
        /// The line, the first being 1; absent if the whole file is meant.
        line: Option<usize>,
        /// What is wrong with it.
        problem: String,
    },
    /// A line of the repository's own prices cannot be read.
    Prices {
        /// The file.
        path: PathBuf,
        /// The line, the first being 1; None if the trouble is the file itself.
        line: Option<usize>,
        /// What is wrong with it.
        problem: String,
    },
    /// There is nothing to report on.
    NoLedger {
        /// Where it was looked for.
        looked_for: PathBuf,
        /// What could be imported, as far as that is known.
        held: Option<Held>,
    },
    /// A file named by `--file` does not exist.
    NoSuchFile {
        /// The file as named.
        path: PathBuf,
    },
    /// A file cannot be read as a ledger.
    Unreadable {
        /// The file as the report names it.
        file: String,
        /// The line, or 0 where the whole file is meant.
        line: u64,
        /// What is wrong with it.
        reason: String,
    },
    /// A merge driver met something that it cannot place; git's fallback takes over, or a conflict
    /// is left to be resolved.
    Unmergeable {
        /// The file as the repository names it.
        path: PathBuf,
        /// Which version of it, as git calls it.
        side: &'static str,
        /// The line of that version, the first being 1.
        line: u64,
        /// What is wrong with the line, as a predicate.
        reason: &'static str,
    },
    /// `--strict`: something would have been kept out of the row, so nothing was stored.
    Withheld {
        /// What, by rule and never by value.
        reasons: Vec<String>,
    },
    /// `--strict`: the report was written, but rows were skipped.
    Skipped {
        /// How many rows were skipped.
        rows: u64,
    },
}

impl Error {
    /// Wraps an I/O error with what was being done to which file.
    pub fn io(action: &'static str, path: &Path, reason: &io::Error) -> Error {
        Error::Io { action, path: path.to_owned(), reason: reason.to_string() }
    }

    /// The exit code of a program that ends with this error: 1 it could not be done, 2 bad input
    /// and nothing changed, 3 something was skipped.
    pub fn exit_code(&self) -> u8 {
        match self {
            Error::Field { .. }
            | Error::MissingFields { .. }
            | Error::ExtraField { .. }
            | Error::HyphenNotes { .. }
            | Error::Usage { .. }
            | Error::OptionValue { .. }
            | Error::BatchLine { .. }
            | Error::BatchHeader { .. } => 2,
            Error::BatchSkipped { .. } | Error::Withheld { .. } | Error::Skipped { .. } => 3,
            _ => 1,
        }
    }

    fn what(&self) -> String {
        match self {
            Error::Field { problem, .. } => problem.clone(),
            Error::MissingFields { given, missing } => {
                format!("{given} of 6 fields given; missing: {}", missing.join(", "))
            }
            Error::ExtraField { extra } => {
                format!("one field too many: \"{}\" after the notes", excerpt(extra))
            }
            Error::HyphenNotes { given } => {
                format!("notes: \"{}\" begins with a hyphen", excerpt(given))
            }
            Error::Usage { problem, .. }
            | Error::Hooks { problem, .. }
            | Error::Git { problem, .. } => problem.clone(),
            Error::OptionValue { option, given, allowed, .. } => {
                format!("{option}: \"{}\" is not {allowed}", excerpt(given))
            }
            Error::BatchLine { line, problem } => format!("standard input:{line}: {problem}"),
            Error::BatchHeader { line, problem, .. } => format!("standard input:{line}: {problem}"),
            Error::BatchSkipped { skipped, stored } => {
                format!("{} skipped, {} logged", count(*skipped, "line"), count(*stored, "row"))
            }
            Error::Io { action, path, reason } => {
                format!("cannot {action} {}: {reason}", shown(path))
            }
            Error::Gone { path } => format!("{} went away while it was read", shown(path)),
            Error::BareRepository { path } => {
                format!("this is a bare git repository: {}", shown(path))
            }
            Error::NoFolder { path } => format!("no folder {}", shown(path)),
            Error::NotIgnored { path, is_tracked: true } => {
                format!("{} is in git, where events must never be", shown(path))
            }
            Error::NotIgnored { path, is_tracked: false } => {
                format!("{} does not keep events and captures out of commits", shown(path))
            }
            Error::Locked { path, waited_s } => {
                format!("{} is locked, gave up after {waited_s} s", shown(path))
            }
            Error::ForeignHeader { path, found, .. } => {
                format!("{}:1: this is not the usage header: \"{}\"", shown(path), excerpt(found))
            }
            Error::NotAFile { path } => format!("{} is not a regular file", shown(path)),
            Error::NotALedger { path, found } => format!("{}: {found}", shown(path)),
            Error::TrackedButMissing { path } => {
                format!("{} is missing, but git tracks it", shown(path))
            }
            Error::SyncFailed { path, reason } => {
                format!("the disk did not confirm the row in {}: {reason}", shown(path))
            }
            Error::Unfinished { path, reason } => {
                format!("pruning stopped at {}: {reason}", shown(path))
            }
            Error::Key { path, problem, .. } => format!("{} {problem}", shown(path)),
            Error::Archive { path, problem, .. } => format!("{}: {problem}", shown(path)),
            Error::Config { path, line, problem } | Error::Consent { path, line, problem } => {
                match line {
                    Some(line) => format!("{}:{line}: {}", shown(path), redact::plain(problem)),
                    None => format!("{}: {}", shown(path), redact::plain(problem)),
                }
            }
            Error::Prices { path, line: Some(line), problem } => {
                format!("{}:{line}: {problem}", shown(path))
            }
            Error::Prices { path, line: None, problem } => format!("{}: {problem}", shown(path)),
            Error::NoLedger { .. } => "no ledger here".to_owned(),
            Error::NoSuchFile { path } => format!("no such file: {}", shown(path)),
            Error::Unreadable { file, line: 0, reason } => format!("{file}: {reason}"),
            Error::Unreadable { file, line, reason } => format!("{file}:{line}: {reason}"),
            Error::Unmergeable { path, side, line, reason } => {
                format!("cannot merge {}: line {line} of {side} {reason}", shown(path))
            }
            Error::Withheld { reasons } => reasons.join("; "),
            Error::Skipped { rows } => format!("{} left out of the report", count(*rows, "line")),
        }
    }

    fn why(&self) -> String {
        match self {
            Error::Field { why, .. } => format!("{why}; nothing was written"),
            Error::MissingFields { .. } | Error::ExtraField { .. } => {
                "a row is MODEL PROMPT_TOKENS COMPLETION_TOKENS TASK_SUCCESS TASK_TYPE DURATION \
                 [NOTES]; nothing was written"
                    .to_owned()
            }
            Error::HyphenNotes { .. } => {
                "it could be a mistyped option; nothing was written".to_owned()
            }
            Error::Usage { .. } | Error::OptionValue { .. } => {
                "it cannot be done as it was typed; nothing was done".to_owned()
            }
            Error::BatchLine { .. } => {
                "a batch is stored whole or not at all; nothing was written".to_owned()
            }
            Error::BatchHeader { .. } => {
                "a batch is CSV with a header, or one JSON object a line; nothing was written"
                    .to_owned()
            }
            Error::BatchSkipped { .. } => {
                "each skipped line is named above; every other line is stored".to_owned()
            }
            Error::Io { .. } => "the system refused; the ledger is as it was".to_owned(),
            Error::Gone { .. } => {
                "segments are being moved, and no figure can be trusted that leaves one out"
                    .to_owned()
            }
            Error::BareRepository { .. } => {
                "it has no work tree, and the ledger lives in one; nothing was written".to_owned()
            }
            Error::Hooks { .. } => {
                "hooks and settings are not ours alone; nothing was changed".to_owned()
            }
            Error::NoFolder { .. } => {
                "--file names a ledger in a folder that exists; nothing was written".to_owned()
            }
            Error::NotIgnored { .. } => {
                "what you do is yours to show; git would show it to all; nothing was written"
                    .to_owned()
            }
            Error::Locked { .. } => {
                "another process is writing, or was stopped while it wrote; nothing was written"
                    .to_owned()
            }
            Error::ForeignHeader { expected, .. } => {
                format!("expected \"{expected}\"; nothing was written")
            }
            Error::NotAFile { path } if is_of_events(path) => {
                "events are kept in a file of their own, and no link is followed; nothing was written"
                    .to_owned()
            }
            Error::NotAFile { .. } => {
                "a ledger is a CSV file, or a link to one; nothing was written".to_owned()
            }
            Error::NotALedger { .. } => {
                "rows are appended to text lines only; nothing was written".to_owned()
            }
            Error::TrackedButMissing { .. } => {
                "a new file in its place would cut off its history; nothing was written".to_owned()
            }
            Error::Git { .. } => {
                "which commit has which rows is known to git alone; nothing was done".to_owned()
            }
            Error::SyncFailed { .. } => {
                "the row was written, and may or may not be stored".to_owned()
            }
            Error::Unfinished { .. } => {
                "rows from before the date may be left; every other row is as it was".to_owned()
            }
            Error::Archive { .. } => {
                "a copy counts only if it is as it was written; no row was removed".to_owned()
            }
            Error::Key { .. } => {
                "whoever has the key can tell whose rows are whose; nothing was done".to_owned()
            }
            Error::Config { path, .. } if is_of_absent_rows(path) => {
                "it says which rows are not there, and no figure can be trusted that guesses; nothing \
                 was done"
                    .to_owned()
            }
            Error::Config { .. } => {
                "a setting that cannot be read could be a limit that you rely on; nothing was done"
                    .to_owned()
            }
            Error::Consent { .. } => {
                "it could forbid what was to be recorded; nothing was written".to_owned()
            }
            Error::Prices { .. } => {
                "with a price that is not what you meant every cost would be wrong; nothing was done"
                    .to_owned()
            }
            Error::NoLedger { looked_for, .. } => {
                format!("no {} in this folder or above it", shown(looked_for))
            }
            Error::NoSuchFile { .. } => {
                "what --file, --personal or LOG_USAGE_FILE names must be there".to_owned()
            }
            Error::Unreadable { .. } => "no figure can be trusted that leaves it out".to_owned(),
            Error::Unmergeable { .. } => {
                "a merge that guesses could lose rows; nothing was written".to_owned()
            }
            Error::Withheld { .. } => {
                "--strict was given, and a ledger is committed with the code; nothing was written"
                    .to_owned()
            }
            Error::Skipped { .. } => "--strict was given, and they could not be read".to_owned(),
        }
    }

    fn fix(&self) -> String {
        match self {
            Error::Field { fix, .. }
            | Error::Usage { fix, .. }
            | Error::Hooks { fix, .. }
            | Error::Git { fix, .. }
            | Error::Archive { fix, .. }
            | Error::Key { fix, .. } => fix.clone(),
            Error::MissingFields { .. } => {
                "log-usage claude-3-opus 1500 3200 true execute 45000".to_owned()
            }
            Error::ExtraField { .. } => {
                "put the notes in quotes: log-usage claude-3-opus 1500 3200 true execute 45000 \
                 \"two words\""
                    .to_owned()
            }
            Error::HyphenNotes { .. } => {
                "put -- before them: log-usage claude-3-opus 1500 3200 true execute 45000 -- \
                 \"- like this\""
                    .to_owned()
            }
            Error::OptionValue { option, example, .. } => format!("{option} {example}"),
            Error::BatchLine { .. } => {
                "correct the line, or pass --keep-going to skip bad lines".to_owned()
            }
            Error::BatchHeader { expected, .. } => format!("begin with the line {expected}"),
            Error::BatchSkipped { .. } => "correct the named lines and send only them".to_owned(),
            Error::Io { .. } => "mend what the system says, then run the command again".to_owned(),
            Error::Gone { .. } => "run the command again once they are moved".to_owned(),
            Error::BareRepository { .. } => {
                "stand in a clone of it, or name a ledger with --file or --personal".to_owned()
            }
            Error::NoFolder { path } => format!("mkdir -p {}", shell_word(&shown(path))),
            Error::NotIgnored { path, is_tracked: true } => {
                format!("git rm --cached {}, and commit that", shell_word(&shown(path)))
            }
            Error::NotIgnored { path, is_tracked: false } => format!(
                "printf '/events.jsonl*\\n/events/\\n/capture/\\n' >> {}",
                shell_word(&shown(path))
            ),
            Error::Locked { .. } => {
                "run the command again; if it stays so, end the process that holds the file"
                    .to_owned()
            }
            Error::ForeignHeader { .. } => {
                "restore line 1, or name another ledger with --file".to_owned()
            }
            Error::NotAFile { path } if is_of_events(path) => {
                "move it away; the next event makes a new file".to_owned()
            }
            Error::NotAFile { .. } => "name another ledger with --file".to_owned(),
            Error::NotALedger { .. } => {
                "look at the end of the file; usage-report verify names each line".to_owned()
            }
            Error::TrackedButMissing { path } => {
                format!("git checkout --ignore-skip-worktree-bits -- {}", shell_word(&shown(path)))
            }
            Error::SyncFailed { .. } => {
                "look at the last line of the ledger and at the disk before you log it again"
                    .to_owned()
            }
            Error::Unfinished { .. } => {
                "mend what the system says, then run the same command again".to_owned()
            }
            Error::Config { path, .. } if is_of_absent_rows(path) => {
                let word = shell_word(&shown(path));
                format!("put the line back as it was: git log -p -- {word} shows it")
            }
            Error::Config { .. } => {
                "correct the line; what is not set has its default".to_owned()
            }
            Error::Consent { .. } => {
                "correct the line; or log-usage consent revoke, which puts a new one in its place that \
                 allows nothing"
                    .to_owned()
            }
            Error::Prices { .. } => {
                "correct it; docs/prices.md tells what each column holds".to_owned()
            }
            Error::NoLedger { .. } => {
                "log-usage claude-3-opus 1500 3200 true execute 45s \"first row\"".to_owned()
            }
            Error::NoSuchFile { .. } => "check the name, or run log-usage first".to_owned(),
            Error::Unreadable { file, .. } if file.ends_with(".gz") => {
                "git checkout brings back what was committed, log-usage restore what is in an archive; \
                 usage-report verify names all that is wrong"
                    .to_owned()
            }
            Error::Unreadable { .. } => "usage-report verify names what is wrong".to_owned(),
            Error::Unmergeable { .. } => {
                "keep the lines of both sides, conflict markers too: readers count each row once, \
                 and log-usage repair tidies up"
                    .to_owned()
            }
            Error::Withheld { .. } => {
                "leave it out; log-usage redact \"the text\" shows what is found".to_owned()
            }
            Error::Skipped { .. } => "usage-report verify names each of them".to_owned(),
        }
    }
}

/// `error: WHAT`, `  why: …`, `  fix: …`: the one voice of both programs.
impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // All three may repeat what somebody typed.
        let [what, why, fix] = [self.what(), self.why(), self.fix()].map(|it| printable(&it));
        write!(f, "error: {what}\n  why: {why}\n  fix: ")?;
        if let Error::NoLedger { held: Some(held), .. } = self {
            f.write_str(&held.words())?;
        }
        f.write_str(&fix)
    }
}

impl std::error::Error for Error {}

/// As far as a text is read for an excerpt.
const EXCERPT_READ_CHARS_MAX: usize = 4_096;

/// Somebody's text, fit for a message: at most 80 characters, no secret, nothing that could move a
/// cursor. Logs keep what terminals forget.
pub fn excerpt(text: &str) -> String {
    let clean = |c: char| if is_unprintable(c) { '\u{FFFD}' } else { c };
    let read: String = text.chars().take(EXCERPT_READ_CHARS_MAX).map(clean).collect();
    let safe = redact::plain(&read);
    let mut shown: String = safe.chars().take(EXCERPT_CHARS_MAX).collect();
    if safe.chars().nth(EXCERPT_CHARS_MAX).is_some() {
        shown.push('…');
    }
    shown
}

/// Control characters, and those that reorder or hide text on a terminal.
pub fn is_unprintable(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61C}' | '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}'
            | '\u{2060}'..='\u{206F}' | '\u{FEFF}' | '\u{E0000}'..='\u{E007F}')
}

/// The text on one line, with nothing in it that moves a cursor or hides anything.
pub fn printable(text: &str) -> String {
    text.replace(is_unprintable, "\u{FFFD}")
}

/// A word as a shell takes it: in quotes where it needs them.
pub fn shell_word(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "._:/@+-=,%".contains(c);
    match !word.is_empty() && word.chars().all(is_plain) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', "'\\''")),
    }
}

/// A path in full, so that it can be pasted, but with nothing that could move a cursor.
pub fn shown(path: &Path) -> String {
    printable(&path.to_string_lossy())
}

fn count(n: u64, noun: &str) -> String {
    format!("{n} {noun}{}", if n == 1 { "" } else { "s" })
}

/// Whether a path is that of a list of what is not there, which is no setting.
fn is_of_absent_rows(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().as_encoded_bytes();
    name.ends_with(b"archived.csv") || name.ends_with(b"pruned")
}

/// Whether a path is that of events, which are kept beside a ledger.
fn is_of_events(path: &Path) -> bool {
    path.extension().is_some_and(|it| it == "jsonl")
}
