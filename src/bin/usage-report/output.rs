//! Where a report goes: to a terminal, a pipe or a file, and never over a ledger.

use std::fs;
use std::io::{self, IsTerminal, Read, Write};
use std::path::Path;
use std::process::ExitCode;

use terminal_size::{Width, terminal_size};
use usage_ledger::error::{Error, Result, printable, shown};
use usage_ledger::ledger::gzip;
use usage_ledger::render::terminal::Screen;
use usage_ledger::workspace::FOLDER;

use crate::voice;

/// A terminal's width where none is known.
const WIDTH: usize = 80;

/// Writes a report to a file or prints it. What is `raw`, for programs, would act on a terminal.
pub(crate) fn deliver(text: String, path: Option<&Path>, is_raw: bool) -> Result<ExitCode> {
    match path {
        Some(path) => write_file(path, &text),
        None if is_raw => Ok(voice::print(for_terminal(text).as_bytes())),
        None => Ok(voice::print(text.as_bytes())),
    }
}

/// What is drawn on.
pub(crate) fn screen() -> Screen {
    let is_terminal = io::stdout().is_terminal();
    let width = terminal_size().filter(|_| is_terminal).map(|(Width(width), _)| width.into());
    let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
        || std::env::var_os("TERM").is_some_and(|term| term == "dumb");
    Screen { width: width.unwrap_or(WIDTH), has_colour: is_terminal && !plain }
}

/// What is raw for programs would act on a terminal.
fn for_terminal(text: String) -> String {
    match io::stdout().is_terminal() {
        true => text.split_inclusive('\n').map(line_for_terminal).collect(),
        false => text,
    }
}

fn line_for_terminal(line: &str) -> String {
    match line.strip_suffix('\n') {
        Some(line) => printable(line) + "\n",
        None => printable(line),
    }
}

/// The reader changes no ledger, not even by a slip of the fingers.
pub(crate) fn refuse_ledger(path: &Path) -> Result<()> {
    let folder = path.parent().filter(|it| *it != Path::new("")).unwrap_or(Path::new("."));
    let is_inside = folder.canonicalize().is_ok_and(|folder| {
        folder.ancestors().any(|it| it.file_name().is_some_and(|name| name == FOLDER))
    });
    let mut head = [0; 256];
    let read = gzip::open(path).and_then(|mut text| text.read(&mut head)).unwrap_or(0);
    let is_ledger = String::from_utf8_lossy(&head[..read])
        .contains("prompt_tokens,completion_tokens,task_success");
    match is_inside || is_ledger {
        false => Ok(()),
        true => Err(Error::Usage {
            problem: match is_ledger {
                true => format!("--output: {} is a ledger", shown(path)),
                false => format!("--output: {} is inside {FOLDER}", shown(path)),
            },
            fix: "name another file; the reader changes no ledger".to_owned(),
        }),
    }
}

/// The whole report or the old file, never half of one. A link is written through.
fn write_file(path: &Path, text: &str) -> Result<ExitCode> {
    let target = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let folder = target.parent().filter(|it| *it != Path::new("")).unwrap_or(Path::new("."));
    let write = || -> io::Result<()> {
        let old = target.metadata().ok();
        if old.as_ref().is_some_and(|meta| !meta.is_file()) {
            return fs::write(&target, text);
        }
        let make = |path: &Path| fs::OpenOptions::new().write(true).create_new(true).open(path);
        let mut file = tempfile::Builder::new().prefix(".usage-report").make_in(folder, make)?;
        file.write_all(text.as_bytes())?;
        file.flush()?;
        if let Some(old) = old {
            file.as_file().set_permissions(old.permissions())?;
        }
        file.persist(&target).map_err(|error| error.error)?;
        Ok(())
    };
    write().map_err(|error| Error::io("write", path, &error))?;
    Ok(ExitCode::SUCCESS)
}
