//! Sealed segments, and what else is not appended to, are summed once. A segment whose rows overlap
//! no other file's in time is added as the sums that are kept of it; where the question is that of a
//! report without options, all of them together as one.

use std::io;

use serde::{Deserialize, Serialize};

use crate::engine::cache::{Cache, Key, RANGE, SUMS};
use crate::engine::inputs::Input;
use crate::engine::pass::{LINES_NAMED_MAX, Range, Sums, both};
use crate::engine::query::Query;
use crate::engine::scanned;
use crate::engine::threads;
use crate::error::Result;
use crate::ledger::files::Role;
use crate::report::cells::Wanted;
use crate::report::left_out::LeftOut;
use crate::report::summary::{Extent, Summary, extent, is_made_of_cells};
use crate::timestamp::Day;

/// The sums of all sealed segments together.
const ALL: &str = "all";

/// What is known of one segment besides its sums.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Known {
    range: Range,
    /// Whether its sums are all there is to say; else lines of it must be named, too.
    is_whole: bool,
    /// The first and last day of its rows.
    days: Option<(Day, Day)>,
    /// Whether rows of it repeat another, or are an earlier revision of it.
    has_repeated: bool,
}

impl Known {
    /// Whether its sums tell of the rows from a day on, and how many are before it.
    fn tells_since(&self, border: Option<Day>) -> bool {
        let within = |(first, last): (Day, Day)| border > Some(first) && border <= Some(last);
        !(self.has_repeated && self.days.is_some_and(within))
    }
}

/// A sealed segment, and where it is kept.
struct Segment<'a> {
    input: &'a Input,
    key: [Key; 1],
    name: String,
}

/// As [`scanned::sum`], with what is kept of the sealed segments.
///
/// # Errors
/// As there.
pub fn sum(
    inputs: &[&Input],
    query: &Query,
    cache: &Cache,
    progress: &(dyn Fn(u64) + Sync),
) -> Result<Sums> {
    let (sealed, others): (Vec<&Input>, Vec<&Input>) =
        inputs.iter().partition(|input| input.role != Role::Active);
    // All files of one ledger have the same border and prices.
    let border = sealed.first().and_then(|input| input.border);
    let cache = &sealed.first().map_or(cache.clone(), |input| cache.priced_by(&input.prices));
    let can_be_used = !query.keep_duplicates
        && !query.is_repriced
        && query.seen.is_none()
        && query.limited.is_none()
        && is_made_of_cells(&query.by)
        && !sealed.is_empty();
    let keys = || sealed.iter().map(|input| Key::of(input)).collect::<Option<Vec<Key>>>();
    let Some(keys) = (can_be_used && cache.create().is_ok()).then(keys).flatten() else {
        return scanned::sum(inputs, query, progress);
    };
    let rest = scanned::sum(&others, query, progress)?;
    if query.is_default()
        && let Some((of, all)) = cache.load::<(Option<Day>, Sums)>(ALL, &keys)
        && of == border
        && is_after(rest.range, all.range)
    {
        sealed.iter().for_each(|input| progress(input.bytes()));
        return Ok(together(inputs, all, rest));
    }
    let segments: Vec<Segment<'_>> =
        sealed.iter().zip(keys.clone()).map(|(input, key)| Segment::new(input, key)).collect();
    let known = known(&segments, cache, progress)?;
    let ranges: Vec<Range> = known.iter().map(|it| it.range).collect();
    let (mut added, mut read) = (Vec::new(), Vec::new());
    for (at, (segment, it)) in segments.iter().zip(&known).enumerate() {
        let Known { range, is_whole, .. } = it;
        let extent = range.map_or(Extent::Nothing, |range| extent(&query.selection, range));
        let others = ranges.iter().enumerate().filter(|(other, _)| *other != at);
        let overlaps = others.map(|(_, it)| it).chain([&rest.range]).any(|it| meet(*range, *it));
        let is_told = *is_whole && it.tells_since(border) && extent != Extent::Unknown;
        match is_told && !overlaps {
            true => added.push((segment, extent)),
            false => read.push(segment.input),
        }
    }
    let added = add(&added, query, cache)?;
    if ranges.iter().all(|range| is_after(rest.range, *range)) {
        let mut all = together(&sealed, added, scanned::sum(&read, query, &|_| ())?);
        all.range = ranges.into_iter().fold(None, both);
        if query.is_default() {
            cache.keep(ALL, &keys, &(border, &all));
            cache.clear(&|name| segments.iter().any(|segment| name.starts_with(&segment.name)));
        }
        return Ok(together(inputs, all, rest));
    }
    let read: Vec<&Input> = inputs
        .iter()
        .copied()
        .filter(|input| {
            input.role == Role::Active || read.iter().any(|it| std::ptr::eq(*it, *input))
        })
        .collect();
    Ok(together(inputs, added, scanned::sum(&read, query, &|_| ())?))
}

fn is_after(later: Range, earlier: Range) -> bool {
    later.zip(earlier).is_none_or(|((oldest, _), (_, newest))| newest < oldest)
}

fn meet(one: Range, other: Range) -> bool {
    !is_after(one, other) && !is_after(other, one)
}

/// What is known of each segment; what is not known yet is found out and kept.
fn known(
    segments: &[Segment<'_>],
    cache: &Cache,
    progress: &(dyn Fn(u64) + Sync),
) -> Result<Vec<Known>> {
    let worker = Vec::new;
    let found = threads::share(threads::count(), segments, worker, |found, number, segment| {
        let known = match cache.load(&segment.file(RANGE), &segment.key) {
            Some(known) => Ok(known),
            None => segment.summarise().map(|(range, summary)| {
                let keep = |it: &Summary| cache.keep(&segment.file(SUMS), &segment.key, it);
                let is_kept = summary.as_ref().is_none_or(keep);
                let known = Known {
                    range,
                    is_whole: summary.is_some() && is_kept,
                    days: summary.as_ref().and_then(|it| it.span),
                    has_repeated: summary
                        .as_ref()
                        .is_some_and(|it| it.repeated > 0 || it.corrected > 0),
                };
                // What could not be kept this time is tried again the next.
                if is_kept {
                    cache.keep(&segment.file(RANGE), &segment.key, &known);
                }
                known
            }),
        };
        progress(segment.input.bytes());
        found.push((number, known));
    });
    let mut found: Vec<(usize, Result<Known>)> = found.into_iter().flatten().collect();
    found.sort_by_key(|(number, _)| *number);
    found.into_iter().map(|(_, known)| known).collect()
}

/// The sums of these segments.
fn add(segments: &[(&Segment<'_>, Extent)], query: &Query, cache: &Cache) -> Result<Sums> {
    let worker = || Ok(Sums::new(query));
    let sums = threads::share(threads::count(), segments, worker, |sums, _, (segment, extent)| {
        let Ok(Sums { aggregate, left_out, .. }) = sums else { return };
        let summary = match cache.load(&segment.file(SUMS), &segment.key) {
            Some(summary) => Ok(Some(summary)),
            None => segment.summarise().map(|(_, summary)| summary),
        };
        match summary {
            Ok(Some(summary)) => {
                let summary: Summary = summary;
                let (summary, pruned) = match segment.input.border {
                    Some(border) => summary.since(border),
                    None => (summary, 0),
                };
                left_out.pruned += pruned;
                left_out.repeated += summary.repeated;
                left_out.corrected += summary.corrected;
                let asked = (&query.selection, query.wanted);
                summary.add_to(aggregate, asked, *extent, &segment.input.label);
            }
            // It was whole a moment ago: somebody changes what is sealed.
            Ok(None) => *sums = Err(segment.input.fail(&io::Error::other("it is being changed"))),
            Err(error) => *sums = Err(error),
        }
    });
    let mut all = Sums::new(query);
    for sums in sums {
        all = together(&[], all, sums?);
    }
    Ok(all)
}

impl<'a> Segment<'a> {
    fn new(input: &'a Input, key: Key) -> Segment<'a> {
        let name = input.label.replace('/', "-");
        Segment { input, key: [key], name }
    }

    fn file(&self, ending: &str) -> String {
        format!("{}{ending}", self.name)
    }

    /// From when to when its rows are, and their sums, where these are all there is to say of it.
    fn summarise(&self) -> Result<(Range, Option<Summary>)> {
        let query = Query { wanted: Wanted::Cells, keeps_pruned: true, ..Query::default() };
        let sums = scanned::sum_in_parts(&[self.input], &query, 1, u64::MAX, &|_| ())?;
        let Sums { aggregate, left_out, range } = sums;
        let LeftOut { repeated, corrected, .. } = left_out;
        let is_whole = left_out == LeftOut { repeated, corrected, ..LeftOut::default() };
        let summary = is_whole.then_some(Summary {
            rows: aggregate.rows,
            span: aggregate.span,
            repeated,
            corrected,
            cells: aggregate.cells,
        });
        Ok((range, summary))
    }
}

/// The sums of different files as one; lines that were left out in the order of the files.
fn together(inputs: &[&Input], mut one: Sums, other: Sums) -> Sums {
    one.aggregate.merge(other.aggregate);
    one.left_out.add(other.left_out);
    for lines in [&mut one.left_out.lines, &mut one.left_out.markers] {
        lines.sort_by_key(|line| inputs.iter().position(|input| input.label == line.file));
        lines.truncate(LINES_NAMED_MAX);
    }
    one.range = both(one.range, other.range);
    one
}
