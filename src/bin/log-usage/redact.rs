//! `log-usage redact`: any text without its secrets, and files checked for them; and what the door
//! tells the library of its user.

use std::env;
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;
use std::process::ExitCode;

use clap::Parser;
use serde_json::{Value, json};
use usage_ledger::error::{Error, Result, shown};
use usage_ledger::git;
use usage_ledger::redact::hit::Hit;
use usage_ledger::redact::stream::Stream;
use usage_ledger::redact::{Allowed, ListedRule, Redactor, listed_rules, without};
use usage_ledger::workspace::Config;

use crate::identity;
use crate::voice;
use crate::world::{self, Target};

/// Print a text without its secrets, or look for them in files
///
/// What is found becomes [redacted:RULE]: keys and tokens, passwords, private keys, e-mail
/// addresses, the names of home folders, your login, and the values of variables of your
/// environment that are named as secrets are. It is best effort: a key that was published must be
/// changed at its provider, since history keeps it.
#[allow(
    rustdoc::broken_intra_doc_links,
    reason = "brackets of the help, which is printed as it is"
)]
#[derive(Parser)]
#[command(
    name = "log-usage redact",
    bin_name = "log-usage redact",
    after_help = "Examples:\n  log-usage redact < session.log\n  \
                  log-usage redact --check .telemetry/usage.csv\n\n\
                  Exit codes: 1 --check found something"
)]
pub(crate) struct Redact {
    /// The text [default: standard input]; with --check the files, of which - is standard input
    words: Vec<OsString>,
    /// Name each finding by file and line, never by value
    #[arg(long)]
    check: bool,
    /// Print the name of every rule; with --json what it finds and its source, too
    #[arg(long, conflicts_with_all = ["words", "check"])]
    list_rules: bool,
    /// Print JSON: the findings, and the text if it is not --check
    #[arg(long)]
    json: bool,
}

/// What the JSON's readers may rely on.
const SCHEMA: &str = "log-usage-redact/1";

/// How much of a file is read in one go.
const READ_BYTES: usize = 256 << 10;

/// A redactor that knows who runs the program and what the repository allows.
pub(crate) fn redactor(config: &Config) -> Redactor {
    let login = first(&["USER", "LOGNAME", "USERNAME"]).or_else(login_of_system);
    let home = first(&["HOME", "USERPROFILE", "HOMEPATH"]);
    let variables: Vec<(String, String)> = env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect();
    let variables = variables.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let mut redactor =
        Redactor::of_user(login.as_deref(), home.as_deref(), variables).on_host(host);
    if let Some(secret) = identity::team_key_text() {
        redactor = redactor.knowing(&secret);
    }
    let allowed = &config.redact.allow;
    let has_address = allowed.iter().any(Allowed::is_address);
    redactor.allowing(allowed, &if has_address { addresses() } else { Vec::new() })
}

/// How much of the system's list is read in one go.
#[cfg(unix)]
const PASSWD_BYTES: usize = 16 << 10;

/// The login that belongs to our number in the system's list, where the environment tells none.
#[cfg(unix)]
fn login_of_system() -> Option<String> {
    let mut file = File::open("/etc/passwd").ok()?;
    // In one go, almost always: most of what a row costs is asking the system.
    let mut list = vec![0; PASSWD_BYTES];
    let read = file.read(&mut list).ok()?;
    list.truncate(read);
    if read == PASSWD_BYTES {
        file.read_to_end(&mut list).ok()?;
    }
    let list = String::from_utf8_lossy(&list);
    let number = rustix::process::getuid().as_raw().to_string();
    let of_line = |line: &str| {
        let mut fields = line.split(':');
        let (login, own) = (fields.next()?, fields.nth(1)?);
        (own == number).then(|| login.to_owned())
    };
    list.lines().find_map(of_line)
}

/// There the environment always tells.
#[cfg(not(unix))]
fn login_of_system() -> Option<String> {
    None
}

/// What the first of these variables says that says anything.
fn first(names: &[&str]) -> Option<String> {
    let mut values = names.iter().filter_map(|name| env::var(name).ok());
    values.find(|value| !value.is_empty())
}

/// The machine's name.
fn host() -> Option<String> {
    first(&["HOSTNAME", "COMPUTERNAME"]).or_else(host_of_system)
}

/// The machine's name, where the environment tells none.
#[cfg(unix)]
fn host_of_system() -> Option<String> {
    let host = rustix::system::uname().nodename().to_str().ok()?.to_owned();
    (!host.is_empty()).then_some(host)
}

/// There the environment always tells.
#[cfg(not(unix))]
fn host_of_system() -> Option<String> {
    None
}

/// The user's own e-mail addresses, as git and others know them.
fn addresses() -> Vec<String> {
    let names = ["GIT_AUTHOR_EMAIL", "GIT_COMMITTER_EMAIL", "EMAIL"];
    let of_environment = names.into_iter().filter_map(|name| env::var(name).ok());
    of_environment.chain(world::root().ok().and_then(|root| git::email(&root))).collect()
}

pub(crate) fn run(options: Redact) -> Result<ExitCode> {
    if options.list_rules {
        let rules = listed_rules();
        let object =
            |it: &ListedRule| json!({ "name": it.name, "finds": it.finds, "source": it.source });
        let text = match options.json {
            true => {
                let rules: Vec<Value> = rules.iter().map(object).collect();
                format!("{}\n", json!({ "schema": SCHEMA, "rules": rules }))
            }
            false => rules.iter().map(|it| format!("{}\n", it.name)).collect(),
        };
        return Ok(voice::print(text.as_bytes()));
    }
    let config = Config::load(&Target::find(None, false)?.place)?;
    let redactor = redactor(&config);
    if options.check {
        let files: Vec<&Path> = options.words.iter().map(Path::new).collect();
        return check(&files, &redactor, options.json);
    }
    let text = match &options.words[..] {
        [] => None,
        [text] => Some(text.to_string_lossy().into_owned()),
        _ => {
            return Err(Error::Usage {
                problem: "more than one text".to_owned(),
                fix: "put it in quotes, or pass --check to look at files".to_owned(),
            });
        }
    };
    match &text {
        Some(text) => {
            let hits = redactor.find(text.as_bytes());
            let mut safe = without(text.as_bytes(), &hits);
            if options.json {
                let mut findings = Vec::new();
                let mut place = Place::default();
                place
                    .note(text.as_bytes(), &hits, &mut |finding| findings.push(finding.json(None)));
                let text = String::from_utf8_lossy(&safe);
                safe = json!({ "schema": SCHEMA, "findings": findings, "text": text })
                    .to_string()
                    .into();
            }
            safe.push(b'\n');
            Ok(voice::print(&safe))
        }
        None if options.json => {
            let mut findings = Vec::new();
            let mut safe = Vec::new();
            let mut place = Place::default();
            read(Path::new("-"), &redactor, &mut |bytes, hits| {
                place.note(bytes, hits, &mut |finding| findings.push(finding.json(None)));
                safe.extend(without(bytes, hits));
                Ok(())
            })?;
            let text = String::from_utf8_lossy(&safe);
            let text = json!({ "schema": SCHEMA, "findings": findings, "text": text });
            Ok(voice::print(format!("{text}\n").as_bytes()))
        }
        None => {
            let mut out = io::stdout().lock();
            let written = read(Path::new("-"), &redactor, &mut |bytes, hits| {
                out.write_all(&without(bytes, hits))
            });
            match written {
                Err(Error::Io { action: PRINT, reason, .. }) if reason.is_empty() => {}
                other => other?,
            }
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// What could not be done where standard output is the trouble.
const PRINT: &str = "write to";

/// Takes a part of a file that is settled, with its hits.
type Settled<'a> = dyn FnMut(&[u8], &[Hit]) -> io::Result<()> + 'a;

/// Reads a file part by part.
fn read(path: &Path, redactor: &Redactor, settled: &mut Settled<'_>) -> Result<()> {
    let name = if path == Path::new("-") { Path::new("standard input") } else { path };
    let refuse = |error: io::Error| Error::io("read", name, &error);
    let mut file: Box<dyn Read> = match path == Path::new("-") {
        true => Box::new(io::stdin().lock()),
        false => Box::new(File::open(path).map_err(refuse)?),
    };
    let find = |bytes: &[u8]| redactor.find(bytes);
    let mut stream = Stream::new(&find);
    let mut outcome = Ok(());
    let mut pass_on = |bytes: &[u8], hits: &[Hit]| {
        if outcome.is_ok() {
            outcome = settled(bytes, hits);
        }
    };
    let mut buffer = vec![0; READ_BYTES];
    loop {
        match file.read(&mut buffer) {
            Ok(0) => break,
            Ok(length) => stream.push(&buffer[..length], &mut pass_on),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(refuse(error)),
        }
    }
    stream.finish(&mut pass_on);
    outcome.map_err(|error| match error.kind() {
        // A reader that has closed its end has seen enough.
        io::ErrorKind::BrokenPipe => {
            Error::Io { action: PRINT, path: "standard output".into(), reason: String::new() }
        }
        _ => Error::io(PRINT, "standard output".as_ref(), &error),
    })
}

/// One thing that was found in a file.
struct Finding {
    rule: &'static str,
    line: u64,
    start: u64,
    end: u64,
}

impl Finding {
    fn json(&self, file: Option<&str>) -> Value {
        let mut value = json!({
            "rule": self.rule, "line": self.line, "start": self.start, "end": self.end
        });
        if let Some(file) = file {
            value["file"] = file.into();
        }
        value
    }
}

/// How far a file was read.
#[derive(Default)]
struct Place {
    lines: u64,
    bytes: u64,
}

impl Place {
    /// Names the hits of the next part by their place in the whole.
    fn note(&mut self, bytes: &[u8], hits: &[Hit], found: &mut dyn FnMut(Finding)) {
        let newlines = |bytes: &[u8]| bytes.iter().filter(|b| **b == b'\n').count() as u64;
        let mut at = 0;
        for hit in hits {
            self.lines += newlines(&bytes[at..hit.start]);
            at = hit.start;
            found(Finding {
                rule: hit.rule,
                line: self.lines + 1,
                start: self.bytes + hit.start as u64,
                end: self.bytes + hit.end as u64,
            });
        }
        self.lines += newlines(&bytes[at..]);
        self.bytes += bytes.len() as u64;
    }
}

fn check(files: &[&Path], redactor: &Redactor, is_json: bool) -> Result<ExitCode> {
    if files.is_empty() {
        return Err(Error::Usage {
            problem: "--check lacks its files".to_owned(),
            fix: "log-usage redact --check .telemetry/usage.csv".to_owned(),
        });
    }
    let mut findings = Vec::new();
    let mut lines = String::new();
    let mut count = 0u64;
    for file in files {
        let name = shown(file);
        let mut place = Place::default();
        read(file, redactor, &mut |bytes, hits| {
            place.note(bytes, hits, &mut |finding| {
                count += 1;
                match is_json {
                    true => findings.push(finding.json(Some(&name))),
                    false => lines += &format!("{name}:{}: {}\n", finding.line, finding.rule),
                }
            });
            Ok(())
        })?;
    }
    if is_json {
        lines = format!("{}\n", json!({ "schema": SCHEMA, "findings": findings }));
    }
    let printed = voice::print(lines.as_bytes());
    Ok(if count == 0 { printed } else { ExitCode::from(1) })
}
