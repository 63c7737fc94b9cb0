//! What the settings that hold now allow of rows that were logged under others: what may not be
//! committed is taken out of rows while they still wait, or keeps them waiting.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use crate::error::Result;
use crate::ledger::journal::Waiting;
use crate::ledger::lookup;
use crate::ledger::segment::Policy;
use crate::ledger::waiting::Due;
use crate::notes::{self, Tags};
use crate::privacy::consent::Level;
use crate::privacy::identity::CI;
use crate::row::Row;
use crate::workspace::{Config, Permission, Place};

/// Rows that are due, and the settings of the ledgers that they are for.
pub struct Settings<'a> {
    /// The ledger in a folder of the work tree.
    pub place: &'a dyn Fn(&Path) -> Place,
    /// How a journal is written.
    pub policy: &'a dyn Fn(&Config) -> Policy,
    /// Whether rows that may not be committed wait on; else they are due all the same.
    pub holds_back: bool,
}

/// The settings of each ledger; or why none of its rows can be put into it.
pub type Configs = HashMap<PathBuf, Result<Config>>;

impl Settings<'_> {
    /// Takes out of the rows that are due, and out of their journals, what may not be committed;
    /// takes those away that may not be at all, and says how many these are.
    pub fn enforce(&self, due: &mut Vec<Due>) -> (Configs, usize) {
        let rows = due.iter().flat_map(|due| &due.rows);
        let folders: HashSet<PathBuf> = rows.map(|row| row.home.ledger.clone()).collect();
        let (mut configs, mut held) = (Configs::new(), 0);
        for folder in folders {
            let config = Config::load(&(self.place)(&folder)).and_then(|config| {
                held += self.enforce_in(&folder, &config, due)?;
                Ok(config)
            });
            configs.insert(folder, config);
        }
        due.retain(|due| !due.rows.is_empty());
        (configs, held)
    }

    fn enforce_in(&self, folder: &Path, config: &Config, due: &mut [Due]) -> Result<usize> {
        if forbids_nothing(config) {
            return Ok(0);
        }
        let place = (self.place)(folder);
        let (mut forbidden, mut held) = (HashSet::new(), 0);
        for Due { journal, rows } in due {
            let mut revised: HashMap<Waiting, String> = HashMap::new();
            for row in rows.iter().filter(|row| row.home.ledger == folder) {
                let Ok(parsed) = Row::parse(&row.line) else { continue };
                let is_correction = config.tags == Permission::None && corrects(&place, &parsed)?;
                if self.holds_back && (is_off(config) || is_correction) {
                    forbidden.insert(row.clone());
                    continue;
                }
                let line = allowed(&parsed, config, is_correction).to_line();
                if line != row.line {
                    revised.insert(row.clone(), line);
                }
            }
            if !revised.is_empty() {
                let policy = (self.policy)(config);
                journal.replace(&policy, &|row| revised.get(row).cloned())?;
            }
            let before = rows.len();
            rows.retain(|row| !forbidden.contains(row));
            held += before - rows.len();
            for row in rows {
                if let Some(line) = revised.remove(row) {
                    row.line = line;
                }
            }
        }
        Ok(held)
    }
}

fn forbids_nothing(config: &Config) -> bool {
    let allows = |permission| permission != Permission::None;
    allows(config.notes)
        && allows(config.tags)
        && config.consent.identity != Some(false)
        && !is_off(config)
}

fn is_off(config: &Config) -> bool {
    config.consent.ceiling == Some(Level::Off)
}

/// Whether a file of the ledger holds what this row stands for: without its tags it would be counted
/// beside it.
fn corrects(place: &Place, row: &Row<'_>) -> Result<bool> {
    let tags = Tags::of(&row.notes);
    let (Some(_), Some(id)) = (tags.count("rev"), tags.get("id")) else { return Ok(false) };
    Ok(lookup::by_id(place, &[], id)?.iter().any(|standing| standing.is_revised_by(row)))
}

/// The row as it would have been logged today.
fn allowed(row: &Row<'_>, config: &Config, keeps_tags: bool) -> Row<'static> {
    let text = notes::text(&row.notes);
    let block = row.notes[text.len()..].trim_start();
    let text = if config.notes == Permission::None { "" } else { text };
    let block = if config.tags == Permission::None && !keeps_tags { "" } else { block };
    let mut kept = [text, block].join(if text.is_empty() || block.is_empty() { "" } else { " " });
    let names_user = Tags::of(&kept).get("user").is_some_and(|user| user != CI);
    if names_user && config.consent.identity == Some(false) {
        // To take a tag away is never refused.
        kept = notes::amended(&kept, None, &[("user", None)]).unwrap_or_default();
    }
    Row { notes: kept.into(), ..row.clone() }.into_owned()
}
