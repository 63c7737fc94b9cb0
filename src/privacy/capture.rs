//! What a command was told and what it answered: without secrets, encrypted by the program `age` before
//! it is kept, or not kept at all.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, SyncSender, TrySendError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::error::{Error, Result, excerpt, shell_word};
use crate::privacy::private;
use crate::redact::hit::Hit;
use crate::redact::stream::{Find, Stream};
use crate::redact::without;
use crate::timestamp::Timestamp;

/// What captures end in: each is lines of JSON, encrypted.
const SUFFIX: &str = ".jsonl.age";

/// What the lines' readers may rely on.
const SCHEMA: &str = "usage-ledger-capture/1";

/// Every field of a capture's lines, in order: its name, and what it says. The first line has the first
/// four, the last one the last three, and those between have the other two.
pub const FIELDS: [(&str, &str); 9] = [
    ("schema", "the version of the lines' form: usage-ledger-capture/1"),
    ("session", "the session that it happened in, by its pseudonym"),
    ("at", "when it began, RFC 3339 with offset"),
    ("command", "the command line, without its secrets"),
    ("stream", "stdout or stderr"),
    ("text", "what it said there, without its secrets"),
    ("exit", "its exit code"),
    ("stdout_bytes_left_out", "how much of stdout was too much"),
    ("stderr_bytes_left_out", "how much of stderr was"),
];

/// How long a capture stays unless the settings say otherwise.
pub const KEEP: Duration = Duration::from_secs(30 * 86_400);

/// As much of one output is kept: a command that never ends must not fill the disk.
pub const OUTPUT_BYTES_MAX: u64 = 64 << 20;

/// How long `age` may take nothing, or not end once all was said: whoever waits for a command must not
/// wait for ever for what is kept of it.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// Pieces that may wait for `age`; a piece is at most as long as what was read at once.
const PIECES_MAX: usize = 64;

/// The first nap of somebody who waits for `age`; each is twice the last.
const NAP_MIN: Duration = Duration::from_micros(250);

/// The longest.
const NAP_MAX: Duration = Duration::from_millis(10);

/// A session has so many captures at most; the name of the next one is searched for.
const PARTS_MAX: u32 = 1_000_000;

/// The shortest recipients are those of plugins; X25519 keys have 62 characters.
const RECIPIENT_BYTES_MIN: usize = 20;

/// The longest are keys that withstand quantum computers, of about 2,000.
const RECIPIENT_BYTES_MAX: usize = 4_096;

/// For whom a repository has captures encrypted, and how long they stay.
#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The public keys (`age1…`) of those who may read them.
    #[serde(default, deserialize_with = "recipients")]
    pub recipients: Vec<String>,
    /// How long they stay.
    #[serde(default, deserialize_with = "keep")]
    pub keep: Option<Duration>,
}

/// Whoever puts a secret key into settings that are committed must be told, and not by its value.
fn recipients<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    let all = Vec::<String>::deserialize(deserializer)?;
    let is_of_key = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    for recipient in &all {
        let fits = (RECIPIENT_BYTES_MIN..=RECIPIENT_BYTES_MAX).contains(&recipient.len());
        if recipient.starts_with("AGE-SECRET-KEY-") {
            let problem = "recipients: a secret key stands there, and must be changed now; \
                           age-keygen -y prints the recipient that belongs to a key";
            return Err(serde::de::Error::custom(problem));
        }
        if !(recipient.starts_with("age1") && fits && recipient.bytes().all(is_of_key)) {
            let recipient = excerpt(recipient);
            let problem = format!("recipients: \"{recipient}\" is no recipient of age (age1...)");
            return Err(serde::de::Error::custom(problem));
        }
    }
    Ok(all)
}

/// Reads how long something stays, such as `30d`.
pub fn keep<'de, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Duration>, D::Error> {
    age("keep", deserializer)
}

/// Reads the age that this setting is.
pub fn age<'de, D: serde::Deserializer<'de>>(
    name: &str,
    deserializer: D,
) -> Result<Option<Duration>, D::Error> {
    let text = String::deserialize(deserializer)?;
    let refuse = || format!("{name}: \"{}\" is no time such as 30d", excerpt(&text));
    let age = humantime::parse_duration(&text).map_err(|_| serde::de::Error::custom(refuse()))?;
    Ok(Some(age))
}

/// Which of a command's outputs something is from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    /// Standard output.
    Out,
    /// Standard error.
    Err,
}

impl Output {
    const ALL: [Output; 2] = [Output::Out, Output::Err];

    fn name(self) -> &'static str {
        match self {
            Output::Out => "stdout",
            Output::Err => "stderr",
        }
    }
}

/// Where captures go, and how.
#[derive(Clone, Copy, Debug)]
pub struct Site<'a> {
    /// Their folder, which git ignores.
    pub folder: &'a Path,
    /// For whom, and how long they stay.
    pub settings: &'a Settings,
    /// The program `age`.
    pub age: &'a OsStr,
    /// As much of one output is kept.
    pub output_bytes_max: u64,
    /// How long `age` is waited for.
    pub patience: Duration,
}

impl Site<'_> {
    /// Refuses what could not be encrypted, before anything is run or written.
    ///
    /// # Errors
    /// No recipient, no `age`, or an `age` that refuses a recipient.
    pub fn check(&self) -> Result<()> {
        if self.settings.recipients.is_empty() {
            return Err(refused(
                "nothing can be captured: no recipient is set, and nothing is kept in plain text",
                "age-keygen -o FILE prints a public key (age1...); put it into \
                 .telemetry/config.toml: [capture] recipients = [\"age1...\"]",
            ));
        }
        // Nothing is encrypted for those keys, which tells whether it can be done.
        let mut age = self.command();
        age.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let output = age.spawn().and_then(|mut age| {
            ended(&mut age, self.patience)?;
            age.wait_with_output()
        });
        match output {
            Err(error) if error.kind() == ErrorKind::NotFound => Err(refused(
                "nothing can be captured: there is no age on the PATH, and nothing is kept in plain text",
                "install age (https://age-encryption.org), or run it without --capture",
            )),
            Err(error) => Err(Error::io("run", self.age.as_ref(), &error)),
            Ok(output) if !output.status.success() => {
                let said = String::from_utf8_lossy(&output.stderr).into_owned();
                let said = excerpt(said.lines().next().unwrap_or_default());
                let problem = format!("nothing can be captured: age refuses: {said}");
                let fix = "correct [capture] recipients in .telemetry/config.toml";
                Err(refused(&problem, fix))
            }
            Ok(_) => Ok(()),
        }
    }

    /// Deletes the captures that are older than the settings allow; how many.
    pub fn sweep(&self, now: Timestamp) -> Result<usize> {
        let keep = self.settings.keep.unwrap_or(KEEP);
        let failed = |error: io::Error| Error::io("look at", self.folder, &error);
        let mut deleted = 0;
        for path in captures(self.folder)? {
            let modified = match fs::symlink_metadata(&path) {
                Ok(meta) => meta.modified().map_err(failed)?,
                // Another command sweeps, too.
                Err(_) => continue,
            };
            let written = modified.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
            let now = Duration::from_secs(u64::try_from(now.instant().seconds).unwrap_or_default());
            if now.saturating_sub(written) > keep && fs::remove_file(&path).is_ok() {
                deleted += 1;
            }
        }
        Ok(deleted)
    }

    /// Begins the capture of one command, whose words these are, in a session.
    ///
    /// # Errors
    /// As [`Site::check`], and a folder that cannot be made; nothing was captured then.
    pub fn start<'a>(
        &self,
        session: &str,
        words: &[OsString],
        now: Timestamp,
        find: Find<'a>,
    ) -> Result<Capture<'a>> {
        self.check()?;
        let failed = |error: io::Error| Error::io("make", self.folder, &error);
        private::make_folder(self.folder).map_err(failed)?;
        // Whatever rules a repository has, nobody commits these by accident.
        match private::create(&self.folder.join(".gitignore")) {
            Ok(mut file) => file.write_all(b"*\n").map_err(failed)?,
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(failed(error)),
        }
        let (path, file) = self.next(session)?;
        let spawned =
            self.command().stdin(Stdio::piped()).stdout(file).stderr(Stdio::null()).spawn();
        let mut age = spawned.map_err(|error| {
            let _ = fs::remove_file(&path);
            Error::io("run", self.age.as_ref(), &error)
        })?;
        let (into, pieces) = mpsc::sync_channel::<Vec<u8>>(PIECES_MAX);
        let stdin = age.stdin.take();
        // A write waits for as long as `age` likes; the command must not.
        let writer = thread::spawn(move || match stdin {
            Some(mut stdin) => pieces.iter().try_for_each(|piece| stdin.write_all(&piece)),
            None => Ok(()),
        });
        let mut capture = Capture {
            age,
            into: Some(into),
            writer,
            patience: self.patience,
            path,
            outputs: Output::ALL.map(|_| Some(Stream::new(find))),
            seen: [0; 2],
            output_bytes_max: self.output_bytes_max,
            failure: None,
        };
        capture.say(&json!({
            "schema": SCHEMA,
            "session": session,
            "at": now.at_second().to_string(),
            "command": safe(&command_line(words), find),
        }));
        Ok(capture)
    }

    fn command(&self) -> Command {
        let mut command = Command::new(self.age);
        for recipient in &self.settings.recipients {
            command.args(["-r", recipient]);
        }
        // Ctrl-C is for the command that is captured; its capture must be ended all the same.
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        command
    }

    /// An age file cannot be appended to: each command of a session has one of its own.
    fn next(&self, session: &str) -> Result<(PathBuf, File)> {
        for part in 1..=PARTS_MAX {
            let path = self.folder.join(format!("{session}-{part}{SUFFIX}"));
            match private::create(&path) {
                Ok(file) => return Ok((path, file)),
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(error) => return Err(Error::io("make", &path, &error)),
            }
        }
        let full = io::Error::other("this session has a million captures");
        Err(Error::io("make a file in", self.folder, &full))
    }
}

/// The captures in a folder.
pub fn captures(folder: &Path) -> Result<Vec<PathBuf>> {
    let failed = |error: io::Error| Error::io("look into", folder, &error);
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(failed(error)),
    };
    let mut captures = Vec::new();
    for entry in entries {
        let entry = entry.map_err(failed)?;
        let is_file = entry.file_type().is_ok_and(|kind| kind.is_file());
        if is_file && entry.file_name().to_string_lossy().ends_with(SUFFIX) {
            captures.push(entry.path());
        }
    }
    captures.sort();
    Ok(captures)
}

/// A command that is being captured. What goes wrong on the way stops the capture, not the command:
/// [`Capture::finish`] tells.
pub struct Capture<'a> {
    age: Child,
    into: Option<SyncSender<Vec<u8>>>,
    writer: JoinHandle<io::Result<()>>,
    patience: Duration,
    path: PathBuf,
    outputs: [Option<Stream<'a>>; 2],
    /// How many bytes each output had.
    seen: [u64; 2],
    output_bytes_max: u64,
    failure: Option<io::Error>,
}

impl Capture<'_> {
    /// Takes more of an output. It is held back until it is sure that no secret is cut in two.
    pub fn write(&mut self, output: Output, bytes: &[u8]) {
        let at = output as usize;
        let left = self.output_bytes_max.saturating_sub(self.seen[at]);
        self.seen[at] += bytes.len() as u64;
        let kept = &bytes[..bytes.len().min(usize::try_from(left).unwrap_or(usize::MAX))];
        let Some(mut stream) = self.outputs[at].take().filter(|_| self.failure.is_none()) else {
            return;
        };
        stream.push(kept, &mut |bytes, hits| self.part(output, bytes, hits));
        self.outputs[at] = Some(stream);
    }

    /// Ends the capture of a command that ended with this code; the file that holds it.
    ///
    /// # Errors
    /// It could not be encrypted or written; nothing of it is left.
    pub fn finish(mut self, exit_code: Option<i32>) -> Result<PathBuf> {
        for output in Output::ALL {
            if let Some(stream) = self.outputs[output as usize].take() {
                stream.finish(&mut |bytes, hits| self.part(output, bytes, hits));
            }
        }
        let mut end = Map::new();
        end.insert("exit".to_owned(), exit_code.map_or(Value::Null, Value::from));
        for output in Output::ALL {
            let left_out = self.seen[output as usize].saturating_sub(self.output_bytes_max);
            if left_out > 0 {
                end.insert(format!("{}_bytes_left_out", output.name()), left_out.into());
            }
        }
        self.say(&Value::Object(end));
        drop(self.into.take());
        let Capture { mut age, writer, patience, path, failure, .. } = self;
        let written = match failure {
            None => ended(&mut age, patience).and_then(|status| {
                let mut naps = Naps::until(patience);
                while !writer.is_finished() && naps.nap() {}
                match status.success() {
                    _ if !writer.is_finished() => Err(too_slow(patience)),
                    true => writer.join().unwrap_or(Ok(())),
                    false => Err(io::Error::other(format!("age failed ({status})"))),
                }
            }),
            Some(error) => {
                stop(&mut age);
                Err(error)
            }
        };
        match written {
            Ok(()) => Ok(path),
            Err(error) => {
                let _ = fs::remove_file(&path);
                Err(Error::io("encrypt", &path, &error))
            }
        }
    }

    /// Leaves nothing of it: there was nothing to capture.
    pub fn discard(mut self) {
        drop(self.into.take());
        stop(&mut self.age);
        let _ = fs::remove_file(&self.path);
    }

    fn part(&mut self, output: Output, bytes: &[u8], hits: &[Hit]) {
        if !bytes.is_empty() {
            let bytes = without(bytes, hits);
            self.say(&json!({ "stream": output.name(), "text": String::from_utf8_lossy(&bytes) }));
        }
    }

    fn say(&mut self, line: &Value) {
        let Some(into) = self.into.as_ref().filter(|_| self.failure.is_none()) else { return };
        let mut piece = format!("{line}\n").into_bytes();
        let mut naps = Naps::until(self.patience);
        loop {
            piece = match into.try_send(piece) {
                Ok(()) => return,
                Err(TrySendError::Full(piece)) if naps.nap() => piece,
                Err(TrySendError::Full(_)) => break self.failure = Some(too_slow(self.patience)),
                // `age` has ended; how, is told at the end.
                Err(TrySendError::Disconnected(_)) => return,
            };
        }
    }
}

/// Naps, each twice as long as the last, until somebody's patience ends.
struct Naps {
    deadline: Instant,
    next: Duration,
}

impl Naps {
    fn until(patience: Duration) -> Naps {
        Naps { deadline: Instant::now() + patience, next: NAP_MIN }
    }

    /// Takes a nap; false, without one, where patience has ended.
    fn nap(&mut self) -> bool {
        let is_time = Instant::now() < self.deadline;
        if is_time {
            thread::sleep(self.next);
            self.next = (self.next * 2).min(NAP_MAX);
        }
        is_time
    }
}

/// How it ended; one that does not in time is ended.
fn ended(age: &mut Child, patience: Duration) -> io::Result<ExitStatus> {
    let mut naps = Naps::until(patience);
    loop {
        if let Some(status) = age.try_wait()? {
            return Ok(status);
        }
        if !naps.nap() {
            stop(age);
            return Err(too_slow(patience));
        }
    }
}

fn stop(age: &mut Child) {
    let _ = age.kill();
    let _ = age.wait();
}

fn too_slow(patience: Duration) -> io::Error {
    io::Error::new(
        ErrorKind::TimedOut,
        format!("age hangs: {} s were not enough", patience.as_secs()),
    )
}

/// The words as one would type them: a secret is known by what stands before it.
fn command_line(words: &[OsString]) -> String {
    words.iter().map(|word| shell_word(&word.to_string_lossy())).collect::<Vec<_>>().join(" ")
}

fn safe(text: &str, find: Find<'_>) -> String {
    String::from_utf8_lossy(&without(text.as_bytes(), &find(text.as_bytes()))).into_owned()
}

fn refused(problem: &str, fix: &str) -> Error {
    Error::Usage { problem: problem.to_owned(), fix: fix.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(text: &str) -> Result<Settings, toml::de::Error> {
        toml::from_str(text)
    }

    #[test]
    fn what_is_captured_is_for_those_who_are_named() {
        let key = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p";
        let read = settings(&format!("recipients = [\"{key}\"]\nkeep = \"2weeks\"\n")).unwrap();
        assert_eq!(read.recipients, [key]);
        assert_eq!(read.keep, Some(Duration::from_secs(14 * 86_400)));
        for bad in
            ["", "-o/etc/passwd", "age1", "ssh-ed25519 AAAA", "age1QL3Z7HJY54PW3HYWW5AYYFG7ZQ"]
        {
            assert!(settings(&format!("recipients = [\"{bad}\"]\n")).is_err(), "{bad}");
        }
        assert!(settings("keep = \"soon\"\n").is_err());
        let secret = format!("AGE-SECRET-KEY-1{}", "QPZRY9X8GF".repeat(6));
        let error = settings(&format!("recipients = [\"{secret}\"]\n")).unwrap_err();
        assert!(error.message().contains("a secret key stands there"), "{error}");
        assert!(!error.message().contains(&secret[15..]), "{error}");
    }

    #[test]
    fn a_command_is_read_as_one_text() {
        let words = ["mysql", "--password", "Tr0ub4dor3x", "-e", "select 1"].map(OsString::from);
        let find: Find<'_> = &|bytes| crate::redact::Redactor::default().find(bytes);
        let line = safe(&command_line(&words), find);
        assert_eq!(line, "mysql --password [redacted:password] -e 'select 1'");
    }
}
