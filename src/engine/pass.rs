//! One pass over all parts of all files, and what it shows: sums, what was left out, and the order
//! of the rows.

use std::sync::{Mutex, PoisonError};

use hashbrown::HashSet;
use serde::{Deserialize, Serialize};

use crate::engine::inputs::Input;
use crate::engine::parts::Stretch;
use crate::engine::query::Query;
use crate::engine::threads;
use crate::error::{Error, Result};
use crate::ledger::distinct::{Aside, Distinct, Late, Order};
use crate::ledger::plain::Found;
use crate::ledger::scan::{Item, NotALedger, Part, Scanned, Scanner, Visit};
use crate::notes::Tags;
use crate::record::Unquoter;
use crate::report::aggregate::Aggregate;
use crate::report::counter::Counter;
use crate::report::left_out::{LeftOut, SkippedLine};
use crate::row::Row;
use crate::timestamp::{Day, Instant};

/// How many skipped lines are named; beyond that they are only counted.
pub const LINES_NAMED_MAX: usize = 1_000;

/// What is known of files after all.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Sums {
    /// The sums.
    pub aggregate: Aggregate,
    /// What was left out of them.
    pub left_out: LeftOut,
    /// The earliest and the latest instant; those of rows that are not selected, too.
    pub range: Range,
}

/// The earliest and the latest instant of some rows; None if there are no rows.
pub type Range = Option<(Instant, Instant)>;

/// From the earliest to the latest of both.
pub fn both(one: Range, other: Range) -> Range {
    match (one, other) {
        (Some((a, b)), Some((c, d))) => Some((a.min(c), b.max(d))),
        (one, other) => one.or(other),
    }
}

impl Sums {
    /// Nothing summed yet.
    pub fn new(query: &Query) -> Sums {
        let aggregate = Aggregate::new(&query.by);
        Sums { aggregate, left_out: LeftOut::default(), range: None }
    }
}

/// What a pass has seen.
pub struct Pass {
    aggregate: Aggregate,
    /// What was seen of each stretch, in their order.
    seen: Vec<(Stretch, Result<Seen>)>,
    repeated: u64,
    corrected: u64,
}

/// What was seen of one stretch.
struct Seen {
    scanned: Scanned,
    order: Order,
    left_out: LeftOut,
}

/// What a thread works with.
struct Worker {
    scanner: Scanner,
    counter: Counter,
    distinct: Distinct,
    seen: Vec<(usize, Stretch, Result<Seen>)>,
}

impl Pass {
    /// Goes through the stretches. Rows of `late` instants are set aside, from wherever they are.
    pub fn run(
        inputs: &[&Input],
        query: &Query,
        threads: usize,
        stretches: &[Stretch],
        late: Option<&Late>,
        progress: &(dyn Fn(u64) + Sync),
    ) -> Pass {
        let aside = Mutex::new(Aside::default());
        let worker = || Worker {
            scanner: Scanner::default(),
            counter: Counter::new(query.selection.clone(), &query.by, query.wanted)
                .with(query.origins.clone())
                .seeing(query.seen.clone())
                .limited(query.limited.clone())
                .repriced(query.is_repriced),
            distinct: Distinct::default(),
            seen: Vec::new(),
        };
        let mut workers = threads::share(threads, stretches, worker, |worker, number, stretch| {
            let late = late.map(|late| (late, &aside));
            let seen = worker.read(inputs[stretch.input], query, stretch, late, progress);
            worker.seen.push((number, *stretch, seen));
        });
        let aside = aside.into_inner().unwrap_or_else(PoisonError::into_inner);
        let (mut repeated, corrected) = (aside.repeated, aside.corrected());
        if let Some(worker) = workers.first_mut() {
            worker.count_held(inputs, aside);
        }
        let mut aggregate: Option<Aggregate> = None;
        let mut seen = Vec::new();
        let finish = |worker: Worker| (worker.counter.finish(), worker.seen);
        for (counted, its) in threads::each(workers, finish) {
            match &mut aggregate {
                Some(aggregate) => aggregate.merge(counted),
                None => aggregate = Some(counted),
            }
            seen.extend(its);
        }
        let aggregate = aggregate.unwrap_or_else(|| Aggregate::new(&query.by));
        seen.sort_by_key(|(number, ..)| *number);
        let seen: Vec<_> = seen.into_iter().map(|(_, stretch, seen)| (stretch, seen)).collect();
        repeated += seen.iter().flat_map(|(_, it)| it).map(|it| it.left_out.repeated).sum::<u64>();
        Pass { aggregate, seen, repeated, corrected }
    }

    /// Whether every stretch ended where the next one of its file was taken to begin.
    pub fn is_handed_over(&self) -> bool {
        self.seen.iter().all(|(stretch, seen)| match seen {
            Ok(seen) => stretch.part.is_last || seen.scanned.is_handed_over,
            Err(_) => stretch.part == Part::WHOLE,
        })
    }

    /// The instants that came again after a later one, in whatever file; None if there are none.
    pub fn late(&self, inputs: &[&Input], threads: usize, stretches: &[Stretch]) -> Option<Late> {
        let mut late = Late::default();
        let mut newest: Option<Instant> = None;
        // Stretches that begin before those before them end, and where these end.
        let mut overlapping = Vec::new();
        for (stretch, (_, seen)) in stretches.iter().zip(&self.seen) {
            let Ok(Seen { order, .. }) = seen else { continue };
            late.instants.extend(&order.late);
            late.claimed.extend(&order.claimed);
            if let (Some(newest), Some(oldest)) = (newest, order.oldest)
                && oldest <= newest
            {
                overlapping.push((*stretch, newest));
            }
            newest = newest.max(order.newest);
        }
        let worker = || (Scanner::default(), HashSet::new());
        let found = threads::share(threads, &overlapping, worker, |(scanner, found), _, piece| {
            let (stretch, newest) = piece;
            let mut each = |_, item: Item<'_>| {
                if let Item::Row(Found { row, .. }) = item
                    && row.at.instant() <= *newest
                {
                    found.insert(row.at.instant());
                }
            };
            // What cannot be read now is told of by the next pass.
            if let Ok(range) = inputs[stretch.input].open(stretch.bytes, &|_| ()) {
                let _ = scanner.scan(range, stretch.part, &mut each);
            }
        });
        found.into_iter().for_each(|(_, found)| late.instants.extend(found));
        (!late.instants.is_empty()).then_some(late)
    }

    /// From when to when the rows are, those that were set aside excepted.
    pub fn range(&self) -> Range {
        let orders = self.seen.iter().filter_map(|(_, seen)| seen.as_ref().ok());
        let ranges = orders.filter_map(|seen| seen.order.oldest.zip(seen.order.newest));
        ranges.map(Some).fold(None, both)
    }

    /// The sums, and what was left out, of rows of this range.
    ///
    /// # Errors
    /// The first file that cannot be read, or is no ledger.
    pub fn finish(self, inputs: &[&Input], range: Range) -> Result<Sums> {
        let Pass { repeated, corrected, .. } = self;
        let mut left_out = LeftOut { repeated, corrected, ..LeftOut::default() };
        let mut lines_before = 0;
        for (stretch, seen) in self.seen {
            let Seen { scanned, left_out: more, .. } = seen?;
            if stretch.part.is_first {
                lines_before = 0;
            }
            let label = &inputs[stretch.input].label;
            left_out.unreadable += more.unreadable;
            left_out.pruned += more.pruned;
            for (all, more) in
                [(&mut left_out.lines, more.lines), (&mut left_out.markers, more.markers)]
            {
                let free = LINES_NAMED_MAX.saturating_sub(all.len());
                let placed = more.into_iter().take(free).map(|it| SkippedLine {
                    file: label.clone(),
                    line: lines_before + it.line,
                    ..it
                });
                all.extend(placed);
            }
            lines_before += scanned.lines;
        }
        Ok(Sums { aggregate: self.aggregate, left_out, range })
    }
}

impl Worker {
    fn read(
        &mut self,
        input: &Input,
        query: &Query,
        stretch: &Stretch,
        late: Option<(&Late, &Mutex<Aside>)>,
        progress: &(dyn Fn(u64) + Sync),
    ) -> Result<Seen> {
        let Worker { scanner, counter, distinct, .. } = self;
        counter.use_prices(&input.prices);
        let range = input.open(stretch.bytes, progress)?;
        let mut reading = Reading {
            counter,
            distinct,
            late,
            keeps_duplicates: query.keep_duplicates,
            input: stretch.input,
            label: &input.label,
            left_out: LeftOut::default(),
        };
        let scanned = match input.border.filter(|_| !query.keeps_pruned) {
            None => scanner.scan(range, stretch.part, &mut reading),
            Some(border) => {
                scanner.scan(range, stretch.part, &mut Since { border, reading: &mut reading })
            }
        };
        let mut left_out = reading.left_out;
        let (order, repeated) = distinct.finish();
        left_out.repeated = repeated;
        match scanned {
            Ok(Ok(scanned)) => Ok(Seen { scanned, order, left_out }),
            Ok(Err(NotALedger { line, reason })) => {
                Err(Error::Unreadable { file: input.label.clone(), line, reason })
            }
            Err(error) => Err(input.fail(&error)),
        }
    }

    /// Counts the rows that stand in the end.
    fn count_held(&mut self, inputs: &[&Input], aside: Aside) {
        let Worker { scanner, counter, .. } = self;
        let mut unquoter = Unquoter::default();
        for (line, file) in aside.held() {
            // It was a row before, and its model has a number.
            if let Ok(row) = Row::parse_with(&line, &mut unquoter)
                && let Some(model) = scanner.model(&row.model)
            {
                let tags = Tags::of(&row.notes);
                counter.use_prices(&inputs[file].prices);
                counter.add(&row, Some(&tags), model, &inputs[file].label);
            }
        }
    }
}

/// One stretch on its way into the sums.
struct Reading<'a> {
    counter: &'a mut Counter,
    distinct: &'a mut Distinct,
    late: Option<(&'a Late, &'a Mutex<Aside>)>,
    keeps_duplicates: bool,
    input: usize,
    label: &'a str,
    left_out: LeftOut,
}

impl Reading<'_> {
    /// Whether a row is to be counted.
    #[inline(always)]
    fn takes(&mut self, found: &Found<'_>, tags: Option<&Tags<'_>>) -> bool {
        match self.late {
            _ if self.keeps_duplicates => true,
            Some((late, aside)) if late.holds(found.row.at.instant()) => {
                let mut aside = aside.lock().unwrap_or_else(PoisonError::into_inner);
                aside.take(&found.row, late, self.input)
            }
            _ => self.distinct.take(found, tags),
        }
    }
}

impl Visit for Reading<'_> {
    #[inline(always)]
    fn see(&mut self, line: u64, item: Item<'_>) {
        match item {
            Item::Row(found) => {
                let tags = found.tags();
                if self.takes(found, tags.as_ref()) {
                    self.counter.add(&found.row, tags.as_ref(), found.model, self.label);
                }
            }
            Item::Bad(refused) => {
                self.left_out.unreadable += 1;
                name(&mut self.left_out.lines, line, || refused.short());
            }
            Item::Marker => {
                name(&mut self.left_out.markers, line, || "conflict marker".to_owned());
            }
            Item::Header | Item::Blank => {}
        }
    }
}

/// The same without the rows from before a day; a reader of its own, so that ledgers that were never
/// pruned pay nothing for it.
struct Since<'r, 'a> {
    border: Day,
    reading: &'r mut Reading<'a>,
}

impl Visit for Since<'_, '_> {
    #[inline(always)]
    fn see(&mut self, line: u64, item: Item<'_>) {
        match item {
            Item::Row(found) if found.row.at.day() < self.border => {
                self.reading.left_out.pruned += 1;
            }
            item => self.reading.see(line, item),
        }
    }
}

/// Notes a line, as long as there are not too many; its file is named later.
fn name(lines: &mut Vec<SkippedLine>, line: u64, reason: impl FnOnce() -> String) {
    if lines.len() < LINES_NAMED_MAX {
        lines.push(SkippedLine { file: String::new(), line, reason: reason() });
    }
}
