//! Files → what rules judge: all rows by day, model and task type, in the pass that a report makes,
//! and the events that rules look at.

use hashbrown::HashSet;

use crate::engine::cache::Cache;
use crate::engine::inputs::Input;
use crate::engine::query::Query;
use crate::engine::scanned;
use crate::engine::sealed;
use crate::error::Result;
use crate::ledger::events::reading::{self, Line};
use crate::report::aggregate::Cell;
use crate::report::alert::figures::EventWatch;
use crate::report::alert::{Ask, Facts};
use crate::report::left_out::LeftOut;
use crate::workspace::Place;

/// What these files and the events of this place tell.
///
/// # Errors
/// The first file that cannot be read, or is no ledger.
pub fn facts(
    inputs: &[Input],
    events: Option<&Place>,
    ask: &Ask,
    cache: Option<&Cache>,
    progress: &(dyn Fn(u64) + Sync),
) -> Result<(Facts, LeftOut)> {
    let query = Query { has_cells: true, ..Query::default() };
    let inputs: Vec<&Input> = inputs.iter().collect();
    let sums = match cache {
        Some(cache) => sealed::sum(&inputs, &query, cache, progress)?,
        None => scanned::sum(&inputs, &query, progress)?,
    };
    Ok((beside(sums.aggregate.cells, events, ask)?, sums.left_out))
}

/// The same, of cells that a report has summed up already.
///
/// # Errors
/// The first file of events that cannot be read.
pub fn beside(cells: Vec<Cell>, events: Option<&Place>, ask: &Ask) -> Result<Facts> {
    let events = match events.filter(|_| ask.has_anomalies || !ask.of_events().is_empty()) {
        Some(place) => of_events(place, ask)?,
        None => EventWatch::default(),
    };
    Ok(Facts { cells, events })
}

fn of_events(place: &Place, ask: &Ask) -> Result<EventWatch> {
    let rules = ask.of_events();
    let mut watch = EventWatch::default();
    let mut known = HashSet::new();
    for file in reading::files(place)? {
        reading::read(&file, &mut |_, bytes, line, _| match line {
            Line::Event(event) if ask.until.is_some_and(|until| event.at.day() > until) => {}
            Line::Event(event) if known.insert(event.id) => watch.add(&rules, &event),
            Line::Event(_) => {}
            Line::Bad(_) if bytes.trim_ascii().is_empty() => {}
            Line::Bad(_) => watch.unreadable += 1,
        })?;
    }
    Ok(watch)
}
