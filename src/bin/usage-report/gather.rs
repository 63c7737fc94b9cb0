//! From the flags to what is to be read: files of the work tree, rows of commits, and what git knows
//! of them.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use usage_ledger::engine::inputs::Input;
use usage_ledger::engine::origins::Sources;
use usage_ledger::engine::range;
use usage_ledger::error::{Error, Result};
use usage_ledger::git::objects::Repository;
use usage_ledger::ledger::archived::Absent;
use usage_ledger::report::dimension::Dimension;
use usage_ledger::report::left_out::LeftOut;
use usage_ledger::report::origins::Origins;
use usage_ledger::report::{Commits, Unseen};
use usage_ledger::timestamp::Timestamp;

use crate::cli::Cli;
use crate::world::Target;

/// What is to be read.
#[derive(Default)]
pub(crate) struct Gathered {
    /// The files, oldest first.
    pub(crate) inputs: Vec<Input>,
    /// The path of the ledger, where it is one and stands in the work tree.
    pub(crate) ledger: Option<PathBuf>,
    /// How many of the rows wait for a commit.
    pub(crate) waiting: u64,
    /// What was left out before the inputs are read.
    pub(crate) left_out: LeftOut,
    /// Which commits' rows they are.
    pub(crate) commits: Option<Commits>,
    /// What git knows of the rows, where that is asked for.
    pub(crate) origins: Option<Arc<Origins>>,
    /// Segments that were moved out of the ledger, whose rows are not seen.
    pub(crate) unseen: Vec<Absent>,
}

/// What is not seen, of segments between whose first and last moment something may be asked for.
pub(crate) fn unseen(absent: &[Absent], may_take: impl Fn(Timestamp, Timestamp) -> bool) -> Unseen {
    let mut unseen = Unseen::default();
    for Absent { segment: it, is_at_most } in absent {
        if may_take(it.first, it.last) {
            unseen.add(it.rows, (it.first.day(), it.last.day()), *is_at_most);
        }
    }
    unseen
}

impl Gathered {
    /// What these flags mean. `in_work_tree` finds what stands in the work tree.
    pub(crate) fn of(
        cli: &Cli,
        by: &[Dimension],
        in_work_tree: impl FnOnce() -> Result<Gathered>,
    ) -> Result<Gathered> {
        let revisions = &cli.revisions;
        let is_by_git = by.iter().find(|it| it.is_of_git());
        let committed = cli.output.committed;
        let needs_git = match (&revisions.range, revisions.all_branches, is_by_git) {
            (Some(_), ..) => "--range".to_owned(),
            _ if committed => "--committed".to_owned(),
            (_, true, _) => "--all-branches".to_owned(),
            (_, _, Some(dimension)) => format!("--by {}", dimension.name()),
            _ => return in_work_tree(),
        };
        let target = match cli.source.file.as_slice() {
            [] => Target::find(None, cli.source.personal)?,
            [file] if file != Path::new("-") => Target::find(Some(file), cli.source.personal)?,
            _ => {
                return Err(Error::Usage {
                    problem: format!("{needs_git} is of one ledger in a git repository"),
                    fix: format!("usage-report {needs_git}, without --file"),
                });
            }
        };
        let repository = Repository::around(target.place.folder())?;
        let mut sources = Sources {
            repository: &repository,
            place: &target.place,
            commit: None,
            has_all_branches: revisions.all_branches,
        };
        let range = revisions.range.as_deref().or(committed.then_some("HEAD"));
        let range = range.map(|text| range::resolve(&repository, text)).transpose()?;
        let mut gathered = match &range {
            None => in_work_tree()?,
            Some(range) => {
                sources.commit = Some((&range.to, &range.name));
                let (inputs, left_out) = range::inputs(&repository, &target.place, range)?;
                let commits = revisions.range.is_some().then(|| range.words.clone());
                Gathered { inputs, left_out, commits, ..Gathered::default() }
            }
        };
        if revisions.all_branches {
            let others = sources.of_other_branches(&gathered.inputs)?;
            gathered.inputs.extend(others);
        }
        let border = sources.border()?;
        // What was moved away between two commits was not added there.
        gathered.unseen = match &gathered.commits {
            Some(commits) if !commits.lacking.is_empty() => Vec::new(),
            _ => sources.unseen(gathered.unseen, border)?,
        };
        let prices = Arc::new(sources.prices()?);
        for input in &mut gathered.inputs {
            input.border = border;
            input.prices = prices.clone();
        }
        if is_by_git.is_some() {
            gathered.origins = Some(Arc::new(sources.origins(by)?));
        }
        Ok(gathered)
    }
}
