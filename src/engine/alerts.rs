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
use crate::ledger::files::Role;
use crate::report::aggregate::{Aggregate, Cell, Limited};
use crate::report::alert::figures::EventWatch;
use crate::report::alert::{Ask, Facts};
use crate::report::cells::Wanted;
use crate::report::left_out::LeftOut;
use crate::report::selection::{Bound, Selection};
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
    let wanted = if ask.is_of_newest() { Wanted::NewestCells } else { Wanted::Cells };
    // Days are told apart, moments within one are not.
    let since = ask.since.filter(|it| !ask.limits.is_empty() && matches!(it, Bound::Moment(_)));
    let limited = since.map(|_| {
        let until = ask.until.map(Bound::Day);
        Selection { since, until, ..Selection::default() }
    });
    // Nor by what is kept of sealed segments, which need not be read again for the rest.
    let has_sealed = cache.is_some() && inputs.iter().any(|input| input.role != Role::Active);
    let (beside_sealed, at_once) = if has_sealed { (limited, None) } else { (None, limited) };
    let query = Query { wanted, limited: at_once, ..Query::default() };
    let inputs: Vec<&Input> = inputs.iter().collect();
    let sum = |query: &Query| match cache {
        Some(cache) => sealed::sum(&inputs, query, cache, progress),
        None => scanned::sum(&inputs, query, progress),
    };
    let sums = sum(&query)?;
    let Aggregate { mut cells, cells_from, days, mut limited, .. } = sums.aggregate;
    if let Some(selection) = beside_sealed {
        let sums = sum(&Query { selection, ..Query::default() })?.aggregate;
        let days = || sums.days.iter().map(|(day, _)| day);
        let days = days().min().zip(days().max());
        limited = Some(Limited { measures: sums.totals(), days });
    }
    let days = days.iter().map(|(day, _)| day);
    let earlier = days.filter(|day| Some(*day) < cells_from).collect();
    cells.retain(|cell| Some(cell.day) >= cells_from);
    Ok((Facts { limited, earlier, ..beside(cells, events, ask)? }, sums.left_out))
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
    Ok(Facts { cells, events, ..Facts::default() })
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

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use super::*;
    use crate::report::alert::check;
    use crate::row::{HEADER, TaskType};
    use crate::timestamp::Day;

    /// Of a long ledger only the newest days are kept, which changes nothing of what is found.
    #[test]
    fn days_that_are_long_past_are_not_needed_for_anomalies() {
        let mut text = format!("{HEADER}\n");
        for day in 0..1_600 {
            for number in 0..50 {
                let task_type = TaskType::ALL[number % 5].name();
                let slow = if day >= 1_598 && number < 25 { 4 } else { 1 };
                let ms = (20_000 + (day * 7 + number * 13) % 900) * slow;
                for minute in 0..2 {
                    let at = Day(19_000 + day as i32);
                    let model = number / 5;
                    writeln!(
                        text,
                        "{at}T{:02}:{minute:02}:00Z,m{model},500,50,true,{task_type},{ms},",
                        number / 5
                    )
                    .unwrap();
                }
            }
        }
        let inputs = [Input::spooled("a ledger", text.as_bytes()).unwrap()];
        let newest = Ask { has_anomalies: true, ..Ask::default() };
        let whole = Ask { until: Some(Day(30_000)), ..newest.clone() };
        let checked = [newest, whole].map(|ask| {
            let (facts, _) = facts(&inputs, None, &ask, None, &|_| ()).unwrap();
            (facts.earlier.len(), check(&ask, facts))
        });
        let [(forgotten, newest), (none, whole)] = &checked;
        assert!(*forgotten > 100 && *none == 0, "{forgotten} {none}");
        assert!(!newest.findings.is_empty());
        assert_eq!(format!("{newest:?}"), format!("{whole:?}"));
    }
}
