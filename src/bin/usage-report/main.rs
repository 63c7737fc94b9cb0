//! The reader's door: flags → plain values → ledger → engine → report → render. It opens the ledger
//! read-only.

// What the library may not do is the doors' work.
#![allow(
    clippy::disallowed_methods,
    reason = "time and environment are read here and nowhere else"
)]

#[path = "../shared/voice.rs"]
mod voice;
#[path = "../shared/world.rs"]
mod world;
mod cli;
mod again;
mod source;
mod gather;
mod sums;
mod output;
mod notify;
mod check;
mod report;
mod digest;
mod compare;
mod activity;
#[cfg(unix)]
mod follow;
#[cfg(unix)]
mod watch;
mod verify;
mod held;

use std::path::Path;
use std::process::ExitCode;

use usage_ledger::error::{Error, Result};

use crate::again::again;
use crate::cli::{Cli, Command};

fn main() -> ExitCode {
    let mut cli = match voice::parse::<Cli>("usage-report", cli::spread(std::env::args_os())) {
        Ok(cli) => cli,
        Err(code) => return code,
    };
    if let Some(Command::Check(options)) = &cli.command {
        // What stands behind the command is as if it stood before it.
        cli.revisions.range = options.range.clone().or(cli.revisions.range.take());
        cli.output.committed |= options.committed;
    }
    // What was read of standard input is not there a second time.
    let outcome = match cli.source.file.iter().any(|file| file == Path::new("-")) {
        true => run(cli),
        false => again(|| run(cli.clone())),
    };
    outcome.unwrap_or_else(|error| match error {
        // What could be there is worth a look, and only where there is nothing else to tell.
        Error::NoLedger { looked_for, .. } => {
            voice::fail(&Error::NoLedger { looked_for, held: held::held() })
        }
        error => voice::fail(&error),
    })
}

fn run(mut cli: Cli) -> Result<ExitCode> {
    match cli.command.take() {
        Some(Command::Verify(options)) => verify::run(&cli, &options),
        Some(Command::Activity(options)) => activity::run(&cli, &options),
        Some(Command::Check(options)) => check::run(&cli, &options),
        Some(Command::Digest(options)) => {
            digest::asked(cli, options).and_then(|(cli, period)| report::run(&cli, Some(period)))
        }
        Some(Command::Compare(options)) => {
            compare::asked(cli, options).and_then(|asked| asked.run())
        }
        #[cfg(unix)]
        Some(Command::Watch) => watch::run(&cli),
        None => report::run(&cli, None),
    }
}
