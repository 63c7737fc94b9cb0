//! From the flags to the files of a ledger in the work tree.

use std::io;
use std::path::{Path, PathBuf};

use usage_ledger::alert::act::Acts;
use usage_ledger::engine::inputs::{self, Input, Ledger};
use usage_ledger::error::{Error, Result, printable};
use usage_ledger::git::{self, WorkTree};
use usage_ledger::ledger::alerts;
use usage_ledger::ledger::archived::Absent;
use usage_ledger::ledger::verify_events::{self, Verified};
use usage_ledger::ledger::waiting;
use usage_ledger::workspace::{FOLDER, LEDGER};

use crate::cli::Source;
use crate::world::{Choice, Target};

/// What is read besides the ledger.
#[derive(Clone, Copy)]
pub(crate) struct Needs {
    /// Rows that wait for a commit.
    pub(crate) waiting: bool,
    /// The repository's prices.
    pub(crate) prices: bool,
}

/// What a report is about.
pub(crate) struct Found {
    /// All files to be read, oldest first.
    pub(crate) inputs: Vec<Input>,
    /// The path of the ledger, where it is one.
    pub(crate) ledger: Option<PathBuf>,
    /// How many of the rows wait for a commit.
    pub(crate) waiting: u64,
    /// Segments that were moved out of the ledger.
    pub(crate) unseen: Vec<Absent>,
}

impl Source {
    /// What is known of the events beside the ledger; there are none beside one that is named.
    pub(crate) fn events(&self) -> Result<Verified> {
        if !self.file.is_empty() {
            return Ok(Verified::default());
        }
        let target = Target::find(None, self.personal)?;
        match target.choice {
            Choice::Named => Ok(Verified::default()),
            _ => verify_events::verify(&target.place.events()),
        }
    }

    /// What people did about the alerts of each ledger, behind what that file is called.
    pub(crate) fn acts(&self) -> Result<Vec<(String, Acts)>> {
        let named = self.file.iter().filter(|file| *file != Path::new("-")).map(Some);
        let targets = named.chain(self.file.is_empty().then_some(None));
        let acts = targets.map(|file| {
            let place = Target::find(file.map(PathBuf::as_path), self.personal)?.place;
            let path = place.alerts();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            Ok((printable(&name), alerts::load(&place)?))
        });
        acts.collect()
    }

    /// The files of the ledgers that were named, or of that of this repository.
    pub(crate) fn inputs(&self, needs: Needs) -> Result<Found> {
        if self.file.is_empty() {
            let target = Target::find(None, self.personal)?;
            let active = target.place.active();
            let rows = if needs.waiting { waiting_for(&target)? } else { Vec::new() };
            let missing = || match target.choice {
                _ if git::tracks(&active) => Error::TrackedButMissing { path: active.clone() },
                Choice::Repository => {
                    Error::NoLedger { looked_for: Path::new(FOLDER).join(LEDGER), held: None }
                }
                _ => Error::NoSuchFile { path: active.clone() },
            };
            let Ledger { mut inputs, unseen } = inputs::of_ledger(&target.place, "", needs.prices)?;
            if inputs.is_empty() && (rows.is_empty() || git::tracks(&active)) {
                return Err(missing());
            }
            if !rows.is_empty() {
                inputs.push(inputs::of_waiting(&target.place, &rows, needs.prices)?);
            }
            let waiting = rows.len() as u64;
            return Ok(Found { inputs, ledger: Some(active), waiting, unseen });
        }
        let (mut all, mut unseen) = (Vec::new(), Vec::new());
        let mut ledger = None;
        for file in &self.file {
            if file == Path::new("-") {
                all.push(Input::spooled("standard input", io::stdin().lock())?);
                continue;
            }
            // Files of one name are told apart by the folders as they were typed.
            let prefix = match (self.file.len(), file.parent()) {
                (1, _) | (_, None) => String::new(),
                (_, Some(folder)) if folder == Path::new("") => String::new(),
                (_, Some(folder)) => format!("{}/", folder.display()),
            };
            let target = Target::find(Some(file), self.personal)?;
            let found = inputs::of_ledger(&target.place, &prefix, needs.prices)?;
            if found.inputs.is_empty() {
                return Err(Error::NoSuchFile { path: file.clone() });
            }
            all.extend(found.inputs);
            unseen.extend(found.unseen);
            ledger = Some(target.place.active());
        }
        let ledger = ledger.filter(|_| self.file.len() == 1);
        Ok(Found { inputs: all, ledger, waiting: 0, unseen })
    }
}

/// The lines of rows that wait for a commit of this branch into the ledger that is read.
fn waiting_for(target: &Target) -> Result<Vec<String>> {
    let folder = target.place.folder();
    let tree = folder.parent().and_then(WorkTree::around);
    let Some(tree) = tree.filter(|_| target.choice == Choice::Repository) else {
        return Ok(Vec::new());
    };
    waiting::lines(&tree, &target.place)
}
