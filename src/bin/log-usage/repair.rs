//! `log-usage repair`: damage in the middle of files, mended where somebody asks for it.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use usage_ledger::error::{Error, Result, shell_word, shown};
use usage_ledger::figures::{self, counted};
use usage_ledger::git;
use usage_ledger::ledger::events::repair as events;
use usage_ledger::ledger::gzip;
use usage_ledger::ledger::repair;
use usage_ledger::ledger::segment::Policy;
use usage_ledger::workspace::Config;

use crate::voice;
use crate::world::{Choice, Target};
use crate::write::{around, policy, waiting_for, work_tree};

/// Mend damage in the middle of the ledger; the old file is kept beside the new one
///
/// Every row that can be read is written anew, in order of time and once; conflict markers, repeated
/// headers, blank lines and CRLF go, and rows that sealed segments hold. Rows that the last commit has
/// and no file holds any more are put back, unless they were pruned. Lines that cannot be read stay in
/// the old file alone, and are named. Sealed segments are mended by naming them with --file, those
/// that are compressed once gunzip was run on them. Lines of events that cannot be read are named and moved to events.jsonl.torn.
#[derive(Parser)]
#[command(name = "log-usage repair", bin_name = "log-usage repair")]
pub(crate) struct Repair {
    /// Mend another ledger
    #[arg(long, value_name = "PATH")]
    file: Option<PathBuf>,
    /// Mend your own ledger, outside any repository
    #[arg(long)]
    personal: bool,
    /// Say what would be done, change nothing
    #[arg(long)]
    dry_run: bool,
}

pub(crate) fn run(options: Repair) -> Result<ExitCode> {
    let target = Target::find(options.file.as_deref(), options.personal)?;
    let policy = policy(&Config::load(&target.place)?, None, None);
    let place = target.place.events();
    let events = match target.choice {
        Choice::Named => events::Repair::default(),
        _ => events::repair(&place, policy.wait, options.dry_run)?,
    };
    for line in &events.unreadable {
        voice::say(&format!("left out  {}", shown(&place.folder().join(line))));
    }
    let mut text = match rows(&target, &policy, options.dry_run) {
        // Who records events need not log rows.
        Err(Error::NoSuchFile { .. }) if events.files > 0 => String::new(),
        said => said?,
    };
    if text.is_empty() && events.unreadable.is_empty() {
        text = "nothing to repair\n".to_owned();
    }
    let waiting = waiting_for(&target)?.len();
    if waiting > 0 {
        text += &format!("not looked at: {} of the next commit\n", counted(waiting as u64, "row"));
    }
    if !events.unreadable.is_empty() {
        text += &format!(
            "events: {} {}; {} in {}\n",
            if options.dry_run { "would leave out" } else { "left out" },
            counted(events.unreadable.len() as u64, "unreadable line"),
            if options.dry_run { "they would be" } else { "they are" },
            shown(&place.torn())
        );
    }
    Ok(voice::print(text.as_bytes()))
}

/// Mends the ledger; what is said of it.
fn rows(target: &Target, policy: &Policy, is_rehearsal: bool) -> Result<String> {
    let active = target.place.active();
    if gzip::is_compressed(&active) && active.is_file() {
        let (packed, plain) = (shown(&active), shown(&active.with_extension("")));
        let [packed_word, plain_word] = [&packed, &plain].map(|it| shell_word(it));
        return Err(Error::Usage {
            problem: format!("{packed} is compressed"),
            fix: format!("gunzip {packed_word}; log-usage repair --file {plain_word}"),
        });
    }
    let is_tracked = || git::tracks(&target.place.active());
    let around = around(work_tree(target), &is_tracked);
    if target.choice != Choice::Named
        && !target.place.active().exists()
        && target.place.fragments().is_dir()
        && !is_tracked()
    {
        let text = "nothing to repair: rows are in fragments alone; --file names one of them\n";
        return Ok(text.to_owned());
    }
    let repaired = repair::repair(&target.place, policy, &around, is_rehearsal)?;
    if repaired.has_other_columns {
        voice::say("warning: columns beyond the ledger's eight stay in the old file alone");
    }
    for (line, reason) in &repaired.unreadable {
        voice::say(&format!("left out  {}:{line}: {reason}", shown(&target.place.active())));
    }
    let Some(kept) = &repaired.kept else {
        return Ok(format!("{}: nothing to repair\n", counted(repaired.rows as u64, "row")));
    };
    let is_merging = work_tree(target).is_some_and(|tree| tree.own.join("MERGE_HEAD").exists());
    let next = match is_merging && !is_rehearsal && is_tracked() {
        true => format!(
            "next: git add {} tells git that the conflict is resolved\n",
            shell_word(&shown(&target.place.active()))
        ),
        false => String::new(),
    };
    Ok(format!(
        "{} {}{}; left out {}, {}{} and {}; the old file {} {}\n{next}",
        if is_rehearsal { "would keep" } else { "kept" },
        counted(repaired.rows as u64, "row"),
        match repaired.restored {
            0 => String::new(),
            rows => format!(
                ", {} of them put back from the last commit",
                figures::thousands(rows as u128)
            ),
        },
        counted(repaired.unreadable.len() as u64, "unreadable line"),
        counted(repaired.repeated as u64, "repeated row"),
        match repaired.sealed {
            0 => String::new(),
            rows => format!(", {} that sealed segments hold", counted(rows as u64, "row")),
        },
        counted(repaired.markers as u64, "conflict marker"),
        if is_rehearsal { "would be" } else { "is" },
        shown(kept)
    ))
}
