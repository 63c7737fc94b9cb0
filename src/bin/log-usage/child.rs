//! A command as our child that takes no notice of us: it is started, waited for, and ended like.

use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use usage_ledger::privacy::capture::Output;

#[cfg(unix)]
use crate::signals::Watch;

/// How a shell says that there is no such program.
pub(crate) const NOT_FOUND: u8 = 127;
/// How it says that there is one, which cannot be run.
const NOT_RUNNABLE: u8 = 126;

/// A file that is meant to be run, but in no form that the system knows: a script without `#!`.
const ENOEXEC: i32 = 8;

/// A command that has ended.
pub(crate) struct Ended {
    /// How.
    pub(crate) status: ExitStatus,
    /// How long it ran, by a clock that nobody sets.
    pub(crate) took: Duration,
}

/// Is told what a command says, as it goes on to where it was meant to go.
pub(crate) type Tee<'a> = &'a (dyn Fn(Output, &[u8]) + Sync);

/// Which outputs of a command pass through us.
#[derive(Clone, Copy)]
pub(crate) enum Heard<'a> {
    /// None: they are our own.
    Nothing,
    /// Standard output.
    Out(Tee<'a>),
    /// Standard output and standard error.
    Both(Tee<'a>),
}

/// How much of an output is passed on in one go.
const PASS_BYTES: usize = 64 << 10;

/// Runs a command to its end, with an addition to its environment. What it has of us besides is all
/// that we have: streams, terminal, process group, open files. What is heard of it goes through pipes, and
/// their end is waited for, whoever else holds them.
pub(crate) fn run(
    words: &[OsString],
    variable: (&str, &str),
    heard: Heard<'_>,
) -> io::Result<Ended> {
    #[cfg(unix)]
    let watch = Watch::begin()?;
    let began = Instant::now();
    let mut child = start(words, variable, heard)?;
    thread::scope(|scope| {
        if let Heard::Out(tee) | Heard::Both(tee) = heard {
            let (out, err) = (child.stdout.take(), child.stderr.take());
            scope.spawn(move || out.map(|out| pass_on(out, Output::Out, tee)));
            scope.spawn(move || err.map(|err| pass_on(err, Output::Err, tee)));
        }
        #[cfg(unix)]
        let status = {
            let_go_of_streams(!matches!(heard, Heard::Nothing));
            // It runs, whatever becomes of us.
            watch.wait(&mut child).or_else(|_| child.wait())?
        };
        #[cfg(not(unix))]
        let status = child.wait()?;
        Ok(Ended { status, took: began.elapsed() })
    })
}

/// Passes an output on as it comes. Where nobody reads it any more our end is closed, too, so that the
/// command learns of it as it would without us.
fn pass_on(mut from: impl Read, output: Output, tee: Tee<'_>) {
    let mut buffer = vec![0; PASS_BYTES];
    loop {
        let bytes = match from.read(&mut buffer) {
            Ok(0) => return,
            Ok(read) => &buffer[..read],
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(_) => return,
        };
        let mut to: Box<dyn Write> = match output {
            Output::Out => Box::new(io::stdout().lock()),
            Output::Err => Box::new(io::stderr().lock()),
        };
        let passed = to.write_all(bytes).and_then(|()| to.flush());
        drop(to);
        tee(output, bytes);
        if passed.is_err() {
            return;
        }
    }
}

/// The exit code for a command that could not be started.
pub(crate) fn refusal(error: &io::Error) -> u8 {
    if error.kind() == io::ErrorKind::NotFound { NOT_FOUND } else { NOT_RUNNABLE }
}

fn start(words: &[OsString], (name, value): (&str, &str), heard: Heard<'_>) -> io::Result<Child> {
    let (program, arguments) = words.split_first().ok_or(io::ErrorKind::InvalidInput)?;
    let spawn = |command: &mut Command| {
        if !matches!(heard, Heard::Nothing) {
            command.stdout(Stdio::piped());
        }
        if let Heard::Both(_) = heard {
            command.stderr(Stdio::piped());
        }
        command.args(arguments).env(name, value).spawn()
    };
    match spawn(&mut Command::new(program)) {
        // As every shell does.
        Err(error) if error.raw_os_error() == Some(ENOEXEC) => {
            spawn(Command::new("/bin/sh").arg(found(Path::new(program))))
        }
        started => started,
    }
}

/// The file that a program's name stands for.
fn found(program: &Path) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let is_name = program.components().count() == 1 && program.file_name().is_some();
    let mut folders = std::env::split_paths(&path).filter(|_| is_name);
    let found = folders.find_map(|it| Some(it.join(program)).filter(|it| it.is_file()));
    found.unwrap_or_else(|| program.to_owned())
}

/// Whoever reads what the child writes must see the end when the child closes its side, and not
/// when we do; likewise whoever writes to it. What passes through us we still need.
#[cfg(unix)]
fn let_go_of_streams(is_piped: bool) {
    let Ok(nothing) = std::fs::OpenOptions::new().read(true).write(true).open("/dev/null") else {
        return;
    };
    let _ = rustix::stdio::dup2_stdin(&nothing);
    if !is_piped {
        let _ = rustix::stdio::dup2_stdout(&nothing);
    }
}

/// Ends as the child did: with its exit code, or by the signal that it died of, which tells a shell
/// to end its loop.
pub(crate) fn end_as(status: ExitStatus) -> ExitCode {
    #[cfg(unix)]
    if let Some(signal) = std::os::unix::process::ExitStatusExt::signal(&status) {
        leave_no_core();
        let _ = signal_hook::low_level::emulate_default_handler(signal);
    }
    ExitCode::from(code(status))
}

/// The exit code as a shell would give it.
pub(crate) fn code(status: ExitStatus) -> u8 {
    #[cfg(unix)]
    if let Some(signal) = std::os::unix::process::ExitStatusExt::signal(&status) {
        return u8::try_from(128 + signal).unwrap_or(u8::MAX);
    }
    status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(u8::MAX)
}

/// What went wrong, in few words; None where nothing did.
pub(crate) fn failure(status: ExitStatus) -> Option<String> {
    #[cfg(unix)]
    if let Some(signal) = std::os::unix::process::ExitStatusExt::signal(&status) {
        let name = signal_hook::low_level::signal_name(signal);
        return Some(name.map_or_else(|| format!("signal {signal}"), str::to_owned));
    }
    (!status.success()).then(|| format!("exit code {}", code(status)))
}

/// The child has left its own where somebody will look for it.
#[cfg(unix)]
fn leave_no_core() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Core);
    let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), ..limit });
    // The limit says nothing to a program that the kernel pipes cores to.
    #[cfg(target_os = "linux")]
    let _ = rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable);
}
