//! `usage-report activity`: who was active, from the events beside a ledger and the tags of its rows.

use std::path::Path;
use std::process::ExitCode;

use usage_ledger::engine::activity::{of_events, of_rows};
use usage_ledger::engine::inputs::Input;
use usage_ledger::error::{Error, Result};
use usage_ledger::ledger::events::reading;
use usage_ledger::render::activity::FORMATS;
use usage_ledger::render::activity::csv;
use usage_ledger::render::activity::page::Page;
use usage_ledger::render::activity::sentences;
use usage_ledger::report::activity;
use usage_ledger::report::selection::Selection;
use usage_ledger::workspace::{Config, IDENTITIES_MIN, Place};

use crate::cli::{ActivityOptions, Cli, Filters, Only, format_named, not_for_spreadsheet};
use crate::output::{deliver, refuse_ledger, screen};
use crate::source::Needs;
use crate::sums::progress;
use crate::voice;
use crate::world::Target;

/// Who was active.
pub(crate) fn run(cli: &Cli, options: &ActivityOptions) -> Result<ExitCode> {
    let asked = Asked::of(cli, options)?;
    asked.output.map(refuse_ledger).transpose()?;
    let inputs = match cli.source.inputs(Needs { waiting: true, prices: false }) {
        Ok(found) => found.inputs,
        // Events alone are something to report on, too.
        Err(Error::NoLedger { .. } | Error::NoSuchFile { .. }) if asked.has_events()? => Vec::new(),
        Err(error) => return Err(error),
    };
    let shown = asked.show(&inputs)?;
    shown.warning.iter().for_each(|note| voice::say(&format!("warning: {note}")));
    let code = deliver(shown.text, asked.output, asked.is_raw())?;
    match shown.unreadable {
        rows @ 1.. if asked.is_strict => Err(Error::Skipped { rows }),
        _ => Ok(code),
    }
}

/// What was asked for.
struct Asked<'a> {
    selection: Selection,
    /// The options that select, as typed.
    words: Vec<String>,
    format: &'static str,
    is_data: bool,
    is_for_spreadsheet: bool,
    /// Where to write to.
    output: Option<&'a Path>,
    /// Whether what cannot be read is a failure.
    is_strict: bool,
    /// The ledgers.
    places: Vec<Place>,
    /// Where the events are, each place once.
    events: Vec<Place>,
}

/// What it comes to.
struct Shown {
    text: String,
    /// What a table for programs has no place for.
    warning: Option<String>,
    /// How many events and rows cannot be read.
    unreadable: u64,
}

impl<'a> Asked<'a> {
    /// What these flags mean, wherever they stand.
    fn of(cli: &'a Cli, options: &'a ActivityOptions) -> Result<Asked<'a>> {
        let either = |behind: &Option<String>, before: &Option<String>| {
            behind.clone().or_else(|| before.clone())
        };
        let Filters { since, until, only } = &cli.filters;
        let is_of_reports = !cli.groupings.dimensions().is_empty()
            || cli.revisions.range.is_some()
            || cli.revisions.all_branches
            || !only.words().is_empty()
            || cli.output.keep_duplicates
            || cli.output.no_cache
            || cli.output.committed
            || cli.advice;
        if is_of_reports {
            return Err(Error::Usage {
                problem: "activity takes only --since, --until, --file, --personal, --format, \
                          --for-spreadsheet, --output and --strict"
                    .to_owned(),
                fix: "usage-report activity --since 2026-01-01".to_owned(),
            });
        }
        let filters = Filters {
            since: either(&options.since, since),
            until: either(&options.until, until),
            only: Only::default(),
        };
        let is_for_spreadsheet = options.for_spreadsheet || cli.output.for_spreadsheet;
        let usual = match options.for_spreadsheet {
            true => format_named("csv"),
            false => cli.output.format,
        };
        let format = options.format.unwrap_or(usual);
        if is_for_spreadsheet && format.name != "csv" {
            return Err(not_for_spreadsheet("usage-report activity", format.name));
        }
        let output = options.output.as_deref().or(cli.output.output.as_deref());
        let (places, events) = places(cli)?;
        Ok(Asked {
            selection: filters.selection()?,
            words: filters.words(),
            format: format.name,
            is_data: format.is_data,
            is_for_spreadsheet,
            output: output.filter(|path| *path != Path::new("-")),
            is_strict: options.strict || cli.output.strict,
            places,
            events,
        })
    }

    /// Whether it is raw, for programs.
    fn is_raw(&self) -> bool {
        self.is_data && !self.is_for_spreadsheet
    }

    /// Whether there is a file with events.
    fn has_events(&self) -> Result<bool> {
        for place in &self.events {
            if !reading::files(place)?.is_empty() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Reads the events and these rows, and shows what they tell.
    fn show(&self, inputs: &[Input]) -> Result<Shown> {
        let mut identities_min = 0;
        for place in self.places.iter().chain(&self.events) {
            identities_min = Config::load(place)?.activity.min_identities.max(identities_min);
        }
        if self.places.is_empty() {
            identities_min = IDENTITIES_MIN;
        }
        let (watch, of_events) = of_events(&self.events, &self.selection)?;
        let bar = progress(inputs);
        let (seen, of_rows) = of_rows(inputs, &self.selection, &|bytes| bar.inc(bytes))?;
        bar.finish_and_clear();
        let activity = activity::build(watch, &seen, identities_min);
        let page = Page {
            activity: &activity,
            rows: &of_rows,
            events: &of_events,
            selection: &self.words,
        };
        let format = FORMATS.iter().find(|it| it.name == self.format).unwrap_or(&FORMATS[0]);
        Ok(Shown {
            text: match self.is_for_spreadsheet {
                true => csv::render_for_spreadsheet(&activity),
                false => (format.render)(&page, screen()),
            },
            warning: sentences::left_out(&page).filter(|_| self.is_data),
            unreadable: of_events.unreadable + of_rows.unreadable,
        })
    }
}

/// The ledgers that are meant, and where their events are, each folder once: what is beside two ledgers
/// is the same.
fn places(cli: &Cli) -> Result<(Vec<Place>, Vec<Place>)> {
    let source = &cli.source;
    let (mut places, mut all_events): (Vec<Place>, Vec<Place>) = Default::default();
    let mut add = |target: Target| -> Result<()> {
        let events = target.events()?;
        if !all_events.contains(&events) {
            all_events.push(events);
        }
        places.push(target.place);
        Ok(())
    };
    if source.file.is_empty() {
        add(Target::find(None, source.personal)?)?;
    }
    for file in source.file.iter().filter(|file| *file != Path::new("-")) {
        add(Target::find(Some(file), source.personal)?)?;
    }
    Ok((places, all_events))
}
