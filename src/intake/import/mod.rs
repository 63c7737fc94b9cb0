//! Transcripts of coding agents → rows. Every source is one file and one row of [`SOURCES`]; what
//! they have in common is here: what is ours, what is finished, what stands in the ledger already.

pub mod lenient;
pub mod lines;
pub mod homes;
pub mod scope;
pub mod mark;
pub mod walk;
pub mod open;
pub mod peek;
pub mod usage;
pub mod cost;
pub mod turn;
pub mod planned;
pub mod rows;
mod command;
pub mod reading;
pub mod cursor;
pub mod source;
pub mod wanted;
pub mod tally;
mod fresh;
pub mod claude_code;
pub mod codex;
pub mod gemini;
pub mod copilot;
pub mod opencode;
pub mod otlp;
pub mod printed;
mod finished;
mod standing;

use crate::error::{Error, Result};
use crate::intake::import::cursor::Cursor;
use crate::intake::import::planned::Planned;
use crate::intake::import::rows::Grain;
use crate::intake::import::scope::Scope;
use crate::intake::import::source::Source;
use crate::intake::import::tally::{Imports, Tally};
use crate::intake::import::wanted::Import;
use crate::ledger::lookup::Imported;

/// Every source.
pub const SOURCES: &[Source] = &[
    Source {
        name: "claude-code",
        about: "Claude Code's sessions (~/.claude/projects)",
        is_found: true,
        find: claude_code::find,
        read: claude_code::read,
        go_on: Some(claude_code::go_on),
    },
    Source {
        name: codex::NAME,
        about: "Codex CLI's rollouts (~/.codex/sessions)",
        is_found: true,
        find: codex::find,
        read: codex::read,
        go_on: Some(codex::grown::go_on),
    },
    Source {
        name: gemini::NAME,
        about: "Gemini CLI's sessions (~/.gemini/tmp)",
        is_found: true,
        find: gemini::find,
        read: gemini::read,
        go_on: None,
    },
    Source {
        name: copilot::NAME,
        about: "GitHub Copilot CLI's sessions (~/.copilot/session-state)",
        is_found: true,
        find: copilot::find,
        read: copilot::read,
        go_on: None,
    },
    Source {
        name: opencode::NAME,
        about: "opencode's messages (~/.local/share/opencode)",
        is_found: true,
        find: opencode::find,
        read: opencode::read,
        go_on: None,
    },
    Source {
        name: otlp::NAME,
        about: "OTLP JSON with spans of generative AI",
        is_found: false,
        find: otlp::find,
        read: otlp::read,
        go_on: None,
    },
    Source {
        name: printed::NAME,
        about: "what claude -p, codex exec --json, gemini and cursor-agent print",
        is_found: false,
        find: printed::find,
        read: printed::read,
        go_on: None,
    },
];

impl Import<'_> {
    /// Reads what is new. A `cursor` tells what is not; without one everything is read.
    ///
    /// # Errors
    /// A ledger, or a file that was named, that cannot be read.
    pub fn run(
        &self,
        sources: &[&Source],
        scope: &mut Scope,
        cursor: Option<&Cursor>,
    ) -> Result<Imports> {
        let imported = Imported::load(self.place, self.waiting)?;
        let mut imports = Imports::default();
        let mut revisions: Vec<(Planned, usize)> = Vec::new();
        for source in sources {
            let mut tally = Tally { name: source.name, ..Tally::default() };
            self.refuse_other_grains(source.name, &imported)?;
            let rows = self.rows(source, scope, cursor, &imported, &mut imports, &mut tally)?;
            self.sort_out(rows, &imported, &mut imports, &mut tally, &mut revisions);
            imports.tallies.push(tally);
        }
        self.revise(revisions, &imported, &mut imports)?;
        imports.entries.sort_by_key(|entry| entry.row.at.instant());
        Ok(imports)
    }

    /// Rows of another grain count the same tokens.
    fn refuse_other_grains(&self, source: &str, imported: &Imported) -> Result<()> {
        let is_other = |it: &&Grain| {
            **it != self.making.grain && imported.prefixes(source).any(|had| had == it.prefix())
        };
        match const { &Grain::ALL }.iter().find(is_other) {
            None => Ok(()),
            Some(had) => Err(Error::Usage {
                problem: format!(
                    "the ledger has rows of {source} for each {}: the same turns would be counted twice",
                    had.name()
                ),
                fix: format!("log-usage import {source} --group {}", had.name()),
            }),
        }
    }
}

/// The source of that name.
pub fn source(name: &str) -> Option<&'static Source> {
    SOURCES.iter().find(|source| source.name == name)
}
