//! The one question of `init`, asked after its work is done and of nobody but a person at a terminal.

use std::io::{self, IsTerminal};

use usage_ledger::error::Result;
use usage_ledger::privacy::consent::{Ceiling, Consent, EXAMPLE, How, Level, QUESTION, Source};
use usage_ledger::privacy::record::Record;
use usage_ledger::workspace::Config;

use crate::consent::choices::{chosen, lock, record_path};
use crate::consent::purge;
use crate::hook_log;
use crate::user;
use crate::voice;
use crate::world::{self, Target};

/// Variables that agents set for the programs they run: an agent consents for nobody.
const AGENTS: [&str; 6] =
    ["CLAUDECODE", "CURSOR_AGENT", "GEMINI_CLI", "CODEX_SANDBOX", "OPENCODE", "AI_AGENT"];

/// Asks, where that makes sense, and keeps the answer.
pub(super) fn ask(target: &Target, config: &Config) -> Result<()> {
    let is_person = io::stdin().is_terminal()
        && io::stderr().is_terminal()
        && !user::is_ci()
        && !AGENTS.iter().any(|name| world::is_set(name))
        && !hook_log::is_hook();
    if !is_person {
        return Ok(());
    }
    let Ok(path) = record_path() else { return Ok(()) };
    let record = Record::load(&path)?;
    let consent = user::consent_by(target, config, &record);
    let own = consent.limits.last().map_or(Source::Default, |it| it.source);
    if !matches!(own, Source::Default | Source::OldText(_)) || !could_be_events(config.consent) {
        return Ok(());
    }
    if own != Source::Default {
        voice::say("\nWhat you agreed to says something else now, so you are asked again.");
    }
    voice::say(&format!("\n{}{EXAMPLE}{}", QUESTION[0], QUESTION[1]));
    voice::ask("Record events? [y/N/later] ");
    let (repository, answer) = (target.repository(), purge::answer()?);
    let _lock = lock(&path)?;
    // Whoever thinks it over may have chosen elsewhere meanwhile.
    let mut record = Record::load(&path)?;
    match answer.as_deref() {
        Some("y" | "yes") => {
            record.choose_here(repository, chosen(Level::Events, How::Prompt));
            voice::say("events are recorded in this repository from now on");
        }
        Some("" | "n" | "no") => {
            record.refuse(repository, chosen(Level::Ledger, How::Prompt));
            voice::say(
                "no events, and no other repository asks; log-usage consent grant events would \
                 allow them",
            );
        }
        _ => {
            voice::say("nothing was chosen; log-usage init asks again");
            return Ok(());
        }
    }
    record.save(&path)
}

/// Whether anything but the user's own word stands in the way.
fn could_be_events(ceiling: Ceiling) -> bool {
    let free = Consent::least(world::environment(), ceiling, None);
    let others = free.limits.iter().filter(|it| it.source != Source::Default);
    others.map(|it| it.level).all(|level| level >= Level::Events)
}
