//! What tools print when they run for a script: `claude -p --output-format json`, `codex exec --json`,
//! `gemini --output-format json` and `cursor-agent -p --output-format stream-json`.

pub mod object;
pub mod outcome;
pub mod heard;

use std::rc::Rc;
use std::time::{Duration, SystemTime};

use crate::error::Result;
use crate::intake::import::homes::Homes;
use crate::intake::import::printed::outcome::{Outcome, outcomes};
use crate::intake::import::reading::Reading;
use crate::intake::import::turn::{End, Request, Turn, Work};
use crate::intake::import::walk::{self, File, Group};
use crate::timestamp::Instant;

/// What this source is called; its rows bear the name of the tool that printed.
pub const NAME: &str = "result";

/// What ids of its rows begin with: the same work may stand in a transcript.
pub const PREFIX: &str = "result-";

const ENDINGS: [&str; 3] = [".json", ".jsonl", ".ndjson"];

/// The files that were named, each by itself.
pub fn find(homes: &Homes) -> Vec<Group> {
    let files = homes.named.iter().flat_map(|path| walk::files(path, &ENDINGS));
    files.map(|file| Group { files: vec![file], ..Group::default() }).collect()
}

/// Reads groups of files. None of these tools says when it ran: a file was changed when it ended.
///
/// # Errors
/// A file that was named cannot be read.
pub fn read(groups: &[Group], reading: &mut Reading<'_>) -> Result<Vec<Turn>> {
    let mut turns = Vec::new();
    for group in groups {
        for file in &group.files {
            let Some(bytes) = reading.whole(file)? else { continue };
            let outcomes = outcomes(&bytes);
            if outcomes.is_empty() {
                reading.findings.leave_out(&file.path, 0, "holds no result that we know");
            }
            for outcome in outcomes {
                reading.findings.responses += outcome.models.len() as u64;
                turns.push(of_file(outcome, file, group.number));
            }
        }
    }
    Ok(turns)
}

fn of_file(outcome: Outcome, file: &File, group: usize) -> Turn {
    let duration_ms = outcome.duration_ms.unwrap_or(0);
    let begun = file.modified.checked_sub(Duration::from_millis(duration_ms));
    let since = begun.and_then(|it| it.duration_since(SystemTime::UNIX_EPOCH).ok());
    let since = since.unwrap_or_default();
    let start = Instant { seconds: since.as_secs() as i64, nanos: since.subsec_nanos() };
    turn(outcome, start, duration_ms, group)
}

/// What a run of a tool came to, as a turn that began then and took so long.
pub fn turn(outcome: Outcome, start: Instant, duration_ms: u64, group: usize) -> Turn {
    let requests: Vec<Request> = outcome
        .models
        .into_iter()
        .map(|(model, usage, count, cost)| Request {
            model: model.into(),
            at: start,
            usage,
            count,
            is_sub: false,
            cost,
        })
        .collect();
    let session: Rc<str> = outcome.session.unwrap_or_else(|| outcome.key.clone()).into();
    Turn {
        source: outcome.tool,
        prefix: PREFIX,
        key: outcome.key,
        session,
        start,
        last: start,
        duration_ms,
        end: if outcome.success { End::Done } else { End::Failed(Some("error")) },
        is_followed: false,
        model: requests.last().map(|request| request.model.clone()),
        work: Work { tools: outcome.has_tools, ..Work::default() },
        lacks_usage: requests.is_empty(),
        is_last: false,
        requests,
        tool_errors: Vec::new(),
        is_here: true,
        group,
    }
}
