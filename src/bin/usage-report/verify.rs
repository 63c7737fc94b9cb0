//! `usage-report verify`: is every line sound, and every bit of an archive? Exit code 1 if not.

use std::path::Path;
use std::process::ExitCode;

use usage_ledger::error::{Error, Result};
use usage_ledger::figures::counted;
use usage_ledger::ledger::archive::Archive;
use usage_ledger::ledger::files::Role;
use usage_ledger::ledger::verify::Verifier;

use crate::cli::{Cli, VerifyOptions};
use crate::source::Needs;
use crate::sums::progress;
use crate::voice;

/// Looks at every bit of an archive.
fn verify_archive(path: &Path) -> Result<ExitCode> {
    let verified = Archive::at(path).verify()?;
    let mut text: String = verified.findings.iter().map(|finding| format!("{finding}\n")).collect();
    let rows = verified.segments.iter().map(|it| it.rows).sum();
    let found = match verified.findings.len() as u64 {
        0 => "nothing found".to_owned(),
        n => counted(n, "finding"),
    };
    let segments = counted(verified.segments.len() as u64, "segment");
    text += &format!("{} in {segments}: {found}\n", counted(rows, "row"));
    let printed = voice::print(text.as_bytes());
    Ok(if verified.findings.is_empty() { printed } else { ExitCode::from(1) })
}

pub(crate) fn run(cli: &Cli, options: &VerifyOptions) -> Result<ExitCode> {
    let problem = "verify looks at every line, and takes only --archive, --file and --personal";
    cli.refuse_before(problem, "usage-report verify")?;
    if let Some(path) = &options.archive {
        return verify_archive(path);
    }
    let events = cli.source.events()?;
    let (mut inputs, waiting) = match cli.source.inputs(Needs { waiting: true, prices: false }) {
        // Who records events need not log rows.
        Err(Error::NoLedger { .. } | Error::NoSuchFile { .. }) if events.files > 0 => {
            (Vec::new(), 0)
        }
        found => found.map(|it| (it.inputs, it.waiting))?,
    };
    if waiting > 0
        && let Some(rows) = inputs.last_mut()
    {
        // As they stand beside the ledger's files, of whatever time.
        rows.role = Role::Fragment;
    }
    let mut verifier = Verifier::default();
    let bar = progress(&inputs);
    for input in &inputs {
        let (label, role) = (input.label.clone(), input.role);
        let read =
            verifier.read(&label, role, input.open((0, input.bytes()), &|bytes| bar.inc(bytes))?);
        read.map_err(|error| Error::io("read", label.as_ref(), &error))?;
    }
    bar.finish_and_clear();
    let note = verifier.note();
    let (mut findings, rows, files) = verifier.finish();
    findings.extend(events.findings);
    for (name, acts) in cli.source.acts()? {
        let named = acts.bad.iter();
        findings.extend(named.map(|(line, why)| format!("{name}:{line}: cannot be read: {why}")));
        let more = acts.unreadable - acts.bad.len() as u64;
        findings.extend(
            (more > 0).then(|| format!("{name}: and {} besides", counted(more, "such line"))),
        );
    }
    let of_events = (events.unreadable > 0)
        .then_some("log-usage repair moves aside what cannot be read of events");
    let files = files + events.files;
    let mut text: String = findings.iter().map(|finding| format!("{finding}\n")).collect();
    let found = match findings.len() as u64 {
        0 => "nothing found".to_owned(),
        n => counted(n, "finding"),
    };
    let events = match events.files {
        0 => String::new(),
        _ => format!(" and {}", counted(events.events, "event")),
    };
    let rows = counted(rows, "row");
    text += &format!("{rows}{events} in {}: {found}\n", counted(files as u64, "file"));
    if waiting > 0 {
        let verb = if waiting == 1 { "waits" } else { "wait" };
        text += &format!("note: {} of these {verb} for a commit\n", counted(waiting, "row"));
    }
    text.extend(note.map(|note| format!("note: {note}\n")));
    text.extend(of_events.map(|fix| format!("fix: {fix}\n")));
    let printed = voice::print(text.as_bytes());
    Ok(if findings.is_empty() { printed } else { ExitCode::from(1) })
}
