//! `usage-report check`: is anything beyond a limit, or unlike the days before? Exit code 1 if it is.

use std::path::Path;
use std::process::ExitCode;

use usage_ledger::alert::act::Acts;
use usage_ledger::alert::amount::Unit;
use usage_ledger::alert::limit::Limit;
use usage_ledger::alert::metric::Metric;
use usage_ledger::alert::rule::Rule;
use usage_ledger::alert::severity::Severity;
use usage_ledger::engine::alerts;
use usage_ledger::engine::cache::Cache;
use usage_ledger::engine::origins::Sources;
use usage_ledger::engine::range;
use usage_ledger::error::{Error, Result};
use usage_ledger::git::objects::Repository;
use usage_ledger::ledger;
use usage_ledger::ledger::events::reading;
use usage_ledger::render::alert::page::Page;
use usage_ledger::render::alert::sentences;
use usage_ledger::render::alert::{FORMATS, Format, csv};
use usage_ledger::report::aggregate::Cell;
use usage_ledger::report::alert::finding::Finding;
use usage_ledger::report::alert::{Ask, check};
use usage_ledger::report::selection::Bound;
use usage_ledger::timestamp::{Day, Timestamp};
use usage_ledger::workspace::{Config, Place};

use crate::cli;
use crate::cli::{CheckOptions, Cli, not_for_spreadsheet};
use crate::gather::{Gathered, unseen};
use crate::notify::Notify;
use crate::output::{deliver, refuse_ledger, screen};
use crate::sums::{cache, gathered, progress};
use crate::voice;
use crate::world::{self, Target};

/// Whether anything is beyond a limit.
pub(crate) fn run(cli: &Cli, options: &CheckOptions) -> Result<ExitCode> {
    let asked = Asked::of(cli, options)?;
    asked.output.map(refuse_ledger).transpose()?;
    let gathered = match gathered(cli, &[]) {
        // Events alone are something to check, too.
        Err(Error::NoLedger { .. } | Error::NoSuchFile { .. }) if asked.has_events()? => {
            Gathered::default()
        }
        gathered => gathered?,
    };
    let shown = asked.show(&gathered, cache(cli, gathered.ledger.as_deref()).as_ref())?;
    shown.beside.iter().for_each(|line| voice::say(line));
    let printed = deliver(shown.text, asked.output, asked.is_raw())?;
    let mut code = if shown.code == ExitCode::SUCCESS { printed } else { shown.code };
    if let Some(notify) = &asked.notify {
        let ledger = asked.place.as_ref().map(Place::active).unwrap_or_default();
        if !notify.tell(&ledger, &shown.firing)? {
            code = ExitCode::from(1);
        }
    }
    if asked.is_strict && shown.unreadable > 0 && code == ExitCode::SUCCESS {
        return Err(Error::Skipped { rows: shown.unreadable });
    }
    Ok(code)
}

/// What was asked for.
struct Asked<'a> {
    ask: Ask,
    format: &'static Format,
    is_for_spreadsheet: bool,
    fail_on: Severity,
    /// Where to write to.
    output: Option<&'a Path>,
    /// Whom to tell.
    notify: Option<Notify<'a>>,
    /// Whether what cannot be read is a failure.
    is_strict: bool,
    /// The ledger, where it is one.
    place: Option<Place>,
    /// Where the events are.
    events: Option<Place>,
    /// What of the settings is not looked at, in words.
    unlooked: Option<&'static str>,
}

/// What it comes to.
struct Shown {
    text: String,
    /// What a table for programs has no place for.
    beside: Vec<String>,
    /// How many rows cannot be read.
    unreadable: u64,
    /// What fires.
    firing: Vec<Finding>,
    /// Whether it is bad enough to fail.
    code: ExitCode,
}

impl<'a> Asked<'a> {
    /// What these flags mean; those before the command are as those behind it.
    fn of(cli: &'a Cli, options: &'a CheckOptions) -> Result<Asked<'a>> {
        let filters = &cli.filters;
        let is_of_checks = cli.groupings.dimensions().is_empty()
            && filters.only.model.is_empty()
            && filters.only.task_type.is_empty()
            && !cli.output.keep_duplicates
            && !cli.output.reprice;
        if !is_of_checks {
            return Err(Error::Usage {
                problem: "check tells series apart by its rules, and takes no --by, --daily, \
                          --weekly, --monthly, --model, --task-type, --keep-duplicates and \
                          --reprice"
                    .to_owned(),
                fix: "usage-report check --max-cost 50 --since 7d".to_owned(),
            });
        }
        let name = options.format.as_deref().unwrap_or(match options.for_spreadsheet {
            true => "csv",
            false => cli.output.format.name,
        });
        let formats: &'static [Format] = const { &FORMATS };
        let format = formats.iter().find(|it| it.name == name).unwrap_or(&formats[0]);
        let is_for_spreadsheet = options.for_spreadsheet || cli.output.for_spreadsheet;
        if is_for_spreadsheet && format.name != "csv" {
            return Err(not_for_spreadsheet("usage-report check", format.name));
        }
        let limits = options.limits()?;
        let since = options.since.as_ref().or(filters.since.as_ref());
        let until = options.until.as_ref().or(filters.until.as_ref());
        let bounds = cli::bounds(since, until)?;
        let of_limits = [
            (bounds.0.is_some(), "--since", "windows", "--max-cost 50 --since 7d"),
            (
                options.min_samples.is_some(),
                "--min-samples",
                "min_samples",
                "--max-p95 5m --min-samples 20",
            ),
        ];
        let lone = of_limits.iter().find(|(is_given, ..)| *is_given && limits.is_empty());
        if let Some((_, option, own, example)) = lone {
            return Err(Error::Usage {
                problem: format!(
                    "{option} is for limits that are typed; rules have {own} of their own"
                ),
                fix: format!("usage-report check {example}"),
            });
        }
        // Rows of some commits or of several ledgers are no series of days.
        let is_part = cli.revisions.range.is_some() || options.range.is_some();
        let file = match cli.source.file.as_slice() {
            [] => Some(None),
            [file] if file != Path::new("-") => Some(Some(file.as_path())),
            _ => None,
        };
        let target = file.map(|file| Target::find(file, cli.source.personal)).transpose()?;
        let target = target.filter(|_| !is_part);
        if target.is_none() && limits.is_empty() {
            return Err(Error::Usage {
                problem: "rules are of one ledger as a whole; of commits, several files or \
                          standard input only limits that are typed can be checked"
                    .to_owned(),
                fix: "usage-report check --range main..HEAD --max-cost 5".to_owned(),
            });
        }
        let is_committed = cli.output.committed;
        let asked_of = if is_committed { committed_ask_of } else { ask_of };
        let ask = Ask {
            limits,
            since: bounds.0,
            until: bounds.1.map(day_of),
            today: target.is_some().then(|| world::now().day()),
            has_anomalies: target.is_some() && !options.no_anomalies,
            has_history: options.history,
            ..target.as_ref().map(asked_of).transpose()?.unwrap_or_default()
        };
        // Events are never committed.
        let own = target.as_ref().filter(|_| !is_committed);
        let events = own.map(Target::events).transpose()?;
        let output = options.output.as_deref().or(cli.output.output.as_deref());
        Ok(Asked {
            unlooked: target.is_none().then_some(
                "Only the limits that were typed are checked: rules and anomalies are of one \
                 ledger as a whole.",
            ),
            ask,
            format,
            is_for_spreadsheet,
            fail_on: options.fail_on.unwrap_or(Severity::Warning),
            output: output.filter(|path| *path != Path::new("-")),
            notify: options.notify.as_deref().map(Notify::of).transpose()?,
            is_strict: options.strict || cli.output.strict,
            place: target.map(|it| it.place),
            events,
        })
    }

    /// Whether it is raw, for programs.
    fn is_raw(&self) -> bool {
        self.format.name == "csv" && !self.is_for_spreadsheet
    }

    /// Whether there is a file with events.
    fn has_events(&self) -> Result<bool> {
        let files = self.events.as_ref().map(reading::files).transpose()?;
        Ok(files.is_some_and(|files| !files.is_empty()))
    }

    /// Judges these rows and the events, and shows what was found.
    fn show(&self, gathered: &Gathered, cache: Option<&Cache>) -> Result<Shown> {
        let Gathered { inputs, left_out: before, unseen: absent, .. } = gathered;
        let (events, bar) = (self.events.as_ref(), progress(inputs));
        let (facts, mut left_out) =
            alerts::facts(inputs, events, &self.ask, cache, &|bytes| bar.inc(bytes))?;
        bar.finish_and_clear();
        left_out.add(before.clone());
        let check = check(&self.ask, facts);
        let unseen = &unseen(absent, |_, _| true);
        let page = Page { check: &check, rows: &left_out, unseen, unlooked: self.unlooked };
        let is_data = self.format.name == "csv";
        let beside = || {
            let notes = sentences::changing(&page).into_iter().map(|it| format!("warning: {it}"));
            std::iter::once(sentences::health(&check)).chain(notes).collect()
        };
        Ok(Shown {
            text: match self.is_for_spreadsheet {
                true => csv::render_for_spreadsheet(&check),
                false => (self.format.render)(&page, screen()),
            },
            beside: if is_data { beside() } else { Vec::new() },
            unreadable: left_out.unreadable,
            firing: check.firing().cloned().collect(),
            code: ExitCode::from(u8::from(check.fails_on(self.fail_on))),
        })
    }
}

/// What fires in a ledger of these cells, the worst first: what `check` would say.
pub(crate) fn firing(target: &Target, cells: Vec<Cell>) -> Result<Vec<Finding>> {
    let ask = Ask { has_anomalies: true, ..ask_of(target)? };
    let facts = alerts::beside(cells, Some(&target.events()?), &ask)?;
    Ok(check(&ask, facts).firing().cloned().collect())
}

/// The rules of a ledger, and what people did about them.
fn ask_of(target: &Target) -> Result<Ask> {
    let (rules, acts) = (Config::load(&target.place)?.alerts, ledger::alerts::load(&target.place)?);
    Ok(Ask { rules, acts, ..Ask::default() })
}

/// The same, as the last commit holds them.
fn committed_ask_of(target: &Target) -> Result<Ask> {
    let place = &target.place;
    let repository = Repository::around(place.folder())?;
    let head = range::resolve(&repository, "HEAD")?;
    let commit = Some((&*head.to, &*head.name));
    let sources = Sources { repository: &repository, place, commit, has_all_branches: false };
    let (config, named) = sources.beside(&place.config())?.unwrap_or_default();
    let rules = Config::parse(&config, named.as_ref())?.alerts;
    let acts = sources.beside(&place.alerts())?.map(|(text, _)| Acts::read(&text));
    Ok(Ask { rules, acts: acts.unwrap_or_default(), ..Ask::default() })
}

/// The day that a bound falls on; of a moment it is that in UTC, the same for every reader.
fn day_of(bound: Bound) -> Day {
    match bound {
        Bound::Day(day) => day,
        Bound::Moment(moment) => Timestamp::utc(moment).day(),
    }
}

impl CheckOptions {
    /// The limits that were typed.
    fn limits(&self) -> Result<Vec<Rule>> {
        let min_samples = self.min_samples.unwrap_or(1);
        type Typed<'a> =
            (&'static str, &'a Option<String>, Metric, fn(i128) -> Limit, &'static str);
        let typed: [Typed<'_>; 5] = [
            ("--max-cost", &self.max_cost, Metric::Cost, Limit::Above, "50"),
            ("--max-tokens", &self.max_tokens, Metric::Tokens, Limit::Above, "10M"),
            (
                "--max-cost-per-success",
                &self.max_cost_per_success,
                Metric::CostPerSuccess,
                Limit::Above,
                "0.50",
            ),
            ("--max-p95", &self.max_p95, Metric::DurationP95, Limit::Above, "5m"),
            ("--min-success", &self.min_success, Metric::SuccessRate, Limit::Below, "80%"),
        ];
        let mut limits = Vec::new();
        for (option, given, metric, limit, example) in typed {
            let Some(given) = given else { continue };
            let unit: Unit = metric.unit();
            let amount = unit.parse(given).map_err(|allowed| Error::OptionValue {
                option: option.to_owned(),
                given: given.clone(),
                allowed: allowed.to_owned(),
                example: example.to_owned(),
            })?;
            let min_samples = if metric.is_sum() { 0 } else { min_samples };
            limits.push(Rule::typed(option, metric, limit(amount), min_samples));
        }
        Ok(limits)
    }
}
