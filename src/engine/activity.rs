//! Files → who was active: the events beside a ledger, and the tags of its rows.

use hashbrown::HashSet;

use crate::engine::inputs::Input;
use crate::engine::pass::LINES_NAMED_MAX;
use crate::engine::query::Query;
use crate::engine::scanned;
use crate::error::Result;
use crate::ledger::events::reading::{self, Line};
use crate::ledger::events::tally;
use crate::report::activity::seen::Seen;
use crate::report::activity::watch::Watch;
use crate::report::left_out::{LeftOut, SkippedLine};
use crate::report::selection::Selection;
use crate::workspace::Place;

/// What the events of these places tell at times of the selection, each once; and what of them
/// cannot be read.
///
/// # Errors
/// A file that cannot be read.
pub fn of_events(places: &[Place], selection: &Selection) -> Result<(Watch, LeftOut)> {
    let (mut watch, mut left_out) = (Watch::new(selection.clone()), LeftOut::default());
    let mut known = HashSet::new();
    for place in places {
        watch.dropped = watch.dropped.plus(tally::dropped(place)?);
        for file in reading::files(place)? {
            let label = &file.label;
            reading::read(&file, &mut |number, bytes, line, _| match line {
                Line::Event(event) if known.insert(event.id) => watch.add(&event),
                Line::Event(_) => left_out.repeated += 1,
                Line::Bad(_) if bytes.trim_ascii().is_empty() => {}
                Line::Bad(why) => {
                    left_out.unreadable += 1;
                    if left_out.lines.len() < LINES_NAMED_MAX {
                        let (file, reason) = (label.clone(), why.to_owned());
                        left_out.lines.push(SkippedLine { file, line: number, reason });
                    }
                }
            })?;
        }
    }
    Ok((watch, left_out))
}

/// What the tags of rows tell at times of the selection; and what was left out of the rows.
///
/// # Errors
/// The first file that cannot be read, or is no ledger.
pub fn of_rows(
    inputs: &[Input],
    selection: &Selection,
    progress: &(dyn Fn(u64) + Sync),
) -> Result<(Seen, LeftOut)> {
    // Who is new is known only from all rows.
    let query = Query { seen: Some(selection.clone()), ..Query::default() };
    let inputs: Vec<&Input> = inputs.iter().collect();
    let sums = scanned::sum(&inputs, &query, progress)?;
    Ok((sums.aggregate.seen.unwrap_or_default(), sums.left_out))
}
