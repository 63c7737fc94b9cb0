//! The reader's flags, and the plain values that they mean.

use std::cell::LazyCell;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use clap::{Args, Parser, Subcommand};
use usage_ledger::alert::severity::Severity;
use usage_ledger::error::{Error, Result};
use usage_ledger::render::alert;
use usage_ledger::render::{FORMATS, Format};
use usage_ledger::report::dimension::Dimension;
use usage_ledger::report::selection::{Bound, Selection};
use usage_ledger::row::TaskType;
use usage_ledger::timestamp::{Day, Instant, Timestamp};
use wildmatch::WildMatch;

use crate::world;

/// Report on the ledger of LLM usage in this repository (.telemetry/usage.csv)
#[derive(Parser, Clone)]
#[command(
    name = "usage-report",
    version,
    disable_help_subcommand = true,
    max_term_width = 80,
    after_help = "Examples:\n  \
        usage-report --weekly                        week by week\n  \
        usage-report --since 7d --model 'claude-*'   seven days of some models\n  \
        usage-report --format json | jq .totals      for programs\n\n\
        Log a row: log-usage claude-3-opus 1500 3200 true execute 45000 \"notes\"",
    after_long_help = "Examples:\n  \
        usage-report --weekly                        week by week\n  \
        usage-report --since 7d --model 'claude-*'   seven days of some models\n  \
        usage-report --range main..HEAD              what this branch took\n  \
        usage-report --by pr --all-branches          what each pull request took\n  \
        usage-report --format json | jq .totals      for programs\n\n\
        A row's day is the calendar day of its own offset, so no report depends on the reader's zone.\n\
        Rows that repeat another (merges bring them) are counted once, and the report says how many.\n\n\
        What sealed segments sum up to is kept in ~/.cache/usage-ledger, which may be removed at any time.\n\n\
        Environment:\n  \
        LOG_USAGE_FILE   As --file\n  \
        XDG_CACHE_HOME   Where usage-ledger/ is kept (default: ~/.cache)\n  \
        NO_COLOR         No colours in --format table\n\n\
        Exit codes: 0 done; 1 a check failed, or it could not be done; 2 bad usage; 3 --strict and rows\n\
        were left out because they cannot be read"
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    #[command(flatten)]
    pub(crate) groupings: Groupings,
    #[command(flatten)]
    pub(crate) filters: Filters,
    #[command(flatten)]
    pub(crate) revisions: Revisions,
    #[command(flatten)]
    pub(crate) source: Source,
    /// Say what could be done better, and what that gains
    #[arg(long)]
    pub(crate) advice: bool,
    #[command(flatten)]
    pub(crate) output: Output,
}

/// What is to be checked instead of the ledger.
#[derive(Args, Default, Clone)]
pub(crate) struct VerifyOptions {
    /// Check an archive that log-usage archive --to has made: its manifest, every hash, every row
    #[arg(long, value_name = "PATH")]
    pub(crate) archive: Option<PathBuf>,
}

/// `--file` takes several paths, and a command may stand behind them: each gets the option to itself.
pub(crate) fn spread(arguments: impl Iterator<Item = OsString>) -> Vec<OsString> {
    let cli = LazyCell::new(<Cli as clap::CommandFactory>::command);
    let is_command = |text: &OsString| cli.get_subcommands().any(|it| *text == *it.get_name());
    let mut spread = Vec::new();
    let mut paths = None;
    for argument in arguments {
        let is_option = argument.as_encoded_bytes().starts_with(b"-") && argument != "-";
        paths = match paths {
            _ if is_option => (argument == "--file").then_some(0),
            Some(1..) if is_command(&argument) => None,
            Some(path) => {
                spread.extend((path > 0).then(|| OsString::from("--file")));
                Some(path + 1)
            }
            None => None,
        };
        spread.push(argument);
    }
    spread
}

#[derive(Subcommand, Clone)]
pub(crate) enum Command {
    /// Check every line of every file; exit code 1 if anything was found
    Verify(VerifyOptions),
    /// Who was active, in which sessions, and what was done
    ///
    /// Of the events in .telemetry/events.jsonl (recorded only with consent: log-usage consent) and
    /// of the tags of rows. Nothing is said of single people, nor of fewer than five in a role.
    Activity(ActivityOptions),
    /// The report of the last whole week or month
    ///
    /// Of the last period that ended before today: for cron, a CI job or a git hook.
    Digest(DigestOptions),
    /// Two periods, branches, models or task types side by side
    ///
    /// A and B are each a period (this-week, last-week, this-month, last-month, today, yesterday,
    /// 2026-W47, 2026-11, 2026-11-15, 2026-11-01..2026-11-15, before:2026-11-10, after:2026-11-10: that
    /// day included), branch:NAME, a range of commits (main..topic), model:GLOB or task-type:TYPE.
    /// Without B: against the period before. Without both: the seven days to the newest row against
    /// the seven before.
    Compare(CompareOptions),
    /// Follow the ledger in a terminal as it grows; q ends
    #[cfg(unix)]
    Watch,
    /// Is anything beyond a limit, or unlike the days before?
    ///
    /// Of the rules in .telemetry/config.toml ([[alert]]), of limits that are typed, and of days
    /// unlike those before; exit code 1 if anything from a warning on fires (--fail-on). Windows end
    /// with the newest row's day: the same ledger gives the same check. log-usage alert acknowledges what was found.
    Check(Box<CheckOptions>),
}

/// What `compare` takes.
#[derive(Args, Clone)]
pub(crate) struct CompareOptions {
    /// What is compared
    #[arg(value_name = "A")]
    pub(crate) a: Option<String>,
    /// What it is compared with
    #[arg(value_name = "B")]
    pub(crate) b: Option<String>,
    /// As if it were this day (2026-11-21)
    #[arg(long, value_name = "DATE", allow_hyphen_values = true)]
    pub(crate) as_of: Option<String>,
    #[command(flatten)]
    pub(crate) only: Only,
    /// Rows of all branches too, local ones and remote ones
    #[arg(long, conflicts_with = "keep_duplicates")]
    pub(crate) all_branches: bool,
    #[command(flatten)]
    pub(crate) output: Output,
}

/// What `digest` takes.
#[derive(Args, Clone)]
pub(crate) struct DigestOptions {
    /// Of the last whole week, day by day
    #[arg(long, required_unless_present = "monthly", conflicts_with = "monthly")]
    pub(crate) weekly: bool,
    /// Of the last whole month, week by week
    #[arg(long)]
    pub(crate) monthly: bool,
    /// As if it were this day (2026-11-21)
    #[arg(long, value_name = "DATE", allow_hyphen_values = true)]
    pub(crate) as_of: Option<String>,
    #[command(flatten)]
    pub(crate) only: Only,
    /// Rows of all branches too, local ones and remote ones
    #[arg(long, conflicts_with = "keep_duplicates")]
    pub(crate) all_branches: bool,
    #[command(flatten)]
    pub(crate) output: Output,
}

/// What `check` takes. What stands before the command is looked at too.
#[derive(Args, Default, Clone)]
#[command(after_help = "Examples:\n  \
    usage-report check\n  \
    usage-report check --max-cost 50 --min-success 80% --since 7d\n  \
    usage-report check --range main..HEAD --max-cost 5 --format github\n  \
    usage-report check --notify 'curl -fsS --json @- https://example.org/hook'")]
pub(crate) struct CheckOptions {
    /// At most so many dollars, all rows together
    #[arg(long, value_name = "USD", allow_hyphen_values = true)]
    pub(crate) max_cost: Option<String>,
    /// At most so many tokens (500k, 10M)
    #[arg(long, value_name = "TOKENS", allow_hyphen_values = true)]
    pub(crate) max_tokens: Option<String>,
    /// At most so many dollars for each success
    #[arg(long, value_name = "USD", allow_hyphen_values = true)]
    pub(crate) max_cost_per_success: Option<String>,
    /// 95 of 100 tasks take at most so long (5m)
    #[arg(long, value_name = "DURATION", allow_hyphen_values = true)]
    pub(crate) max_p95: Option<String>,
    /// At least this share of tasks succeeds (80%)
    #[arg(long, value_name = "SHARE", allow_hyphen_values = true)]
    pub(crate) min_success: Option<String>,
    /// Let rates and durations of fewer tasks say nothing [default: 1]
    #[arg(long, value_name = "TASKS", allow_negative_numbers = true, value_parser = whole)]
    pub(crate) min_samples: Option<u64>,
    /// Judge typed limits from this date, time or age (7d) on
    #[arg(long, value_name = "T", allow_hyphen_values = true)]
    pub(crate) since: Option<String>,
    /// Check as on the evening of this date, or of a time's or age's day in UTC
    #[arg(long, value_name = "T", allow_hyphen_values = true)]
    pub(crate) until: Option<String>,
    /// Judge typed limits of rows that commit B has and A has not, as A..B
    #[arg(long, value_name = "A..B", allow_hyphen_values = true)]
    pub(crate) range: Option<String>,
    /// Check what the last commit holds, by its rules, not the work tree
    #[arg(long)]
    pub(crate) committed: bool,
    /// Exit with 1 from info, warning, error or critical on [default: warning]
    #[arg(long, value_name = "SEVERITY", hide_possible_values = true, value_parser = severities())]
    pub(crate) fail_on: Option<Severity>,
    /// Look for no days unlike those before
    #[arg(long)]
    pub(crate) no_anomalies: bool,
    /// Show what is over, too, and how long it took
    #[arg(long)]
    pub(crate) history: bool,
    /// Hand each alert to this command, as JSON on its standard input
    ///
    /// sh -c runs it, once for each alert that fires and again after its cooldown (a day). What it
    /// fails on is said (exit code 1) and handed to it again the next time.
    #[arg(long, value_name = "CMD", allow_hyphen_values = true)]
    pub(crate) notify: Option<String>,
    /// As markdown, csv, json, table or github (annotations) [default: markdown]
    #[arg(long, hide_possible_values = true, value_name = "FORMAT", allow_negative_numbers = true, value_parser = PossibleValuesParser::new(alert::FORMATS.map(|it| it.name)))]
    pub(crate) format: Option<String>,
    /// As CSV in which no text is run as a formula
    #[arg(long)]
    pub(crate) for_spreadsheet: bool,
    /// Write the check to this file
    #[arg(long, value_name = "PATH", allow_negative_numbers = true)]
    pub(crate) output: Option<PathBuf>,
    /// Exit with 3 if rows cannot be read
    #[arg(long)]
    pub(crate) strict: bool,
}

/// A number of tasks.
fn whole(text: &str) -> std::result::Result<u64, String> {
    text.parse().map_err(|_| "a whole number such as 20".to_owned())
}

fn severities() -> impl TypedValueParser<Value = Severity> {
    PossibleValuesParser::new(Severity::ALL.map(Severity::name))
        .map(|name| Severity::parse(&name).unwrap_or(Severity::Warning))
}

/// From when on and up to when.
pub(crate) fn bounds(
    since: Option<&String>,
    until: Option<&String>,
) -> Result<(Option<Bound>, Option<Bound>)> {
    let since = since.map(|text| bound("--since", text)).transpose()?;
    Ok((since, until.map(|text| bound("--until", text)).transpose()?))
}

/// What `activity` takes. What stands before the command is looked at too.
#[derive(Args, Clone, Default)]
pub(crate) struct ActivityOptions {
    /// From this date (2026-02-23), time or age (7d) on
    #[arg(long, value_name = "T", allow_hyphen_values = true)]
    pub(crate) since: Option<String>,
    /// Up to and with this date, time or age
    #[arg(long, value_name = "T", allow_hyphen_values = true)]
    pub(crate) until: Option<String>,
    /// As markdown, csv, json or table [default: markdown]
    #[arg(long, hide_possible_values = true, value_name = "FORMAT", allow_negative_numbers = true, value_parser = formats())]
    pub(crate) format: Option<&'static Format>,
    /// As CSV in which no text is run as a formula
    #[arg(long)]
    pub(crate) for_spreadsheet: bool,
    /// Write the report to this file
    #[arg(long, value_name = "PATH", allow_negative_numbers = true)]
    pub(crate) output: Option<PathBuf>,
    /// Exit with 3 if events or rows cannot be read
    #[arg(long)]
    pub(crate) strict: bool,
}

#[derive(Args, Clone)]
pub(crate) struct Groupings {
    /// Every day first
    #[arg(long)]
    pub(crate) daily: bool,
    /// Every week first
    #[arg(long)]
    pub(crate) weekly: bool,
    /// Every month first
    #[arg(long)]
    pub(crate) monthly: bool,
    /// By day, week, model, session, pr, … first (--help)
    ///
    /// By day, week, month, hour, weekday, model, task-type, source, session, user, file, commit,
    /// author, branch or pr first. May be repeated, or a list with commas; each is a table of its
    /// own. commit and author: who first added the row; branch and pr: what brought it to the default
    /// branch.
    #[arg(
        long,
        value_name = "DIM",
        value_delimiter = ',',
        value_parser = dimensions(),
        hide_possible_values = true
    )]
    pub(crate) by: Vec<Dimension>,
}

impl Cli {
    /// Refuses options of a report before a command that takes its own behind its name.
    pub(crate) fn refuse_before(&self, problem: &str, fix: &str) -> Result<()> {
        let output = &self.output;
        let is_of_reports = self.advice
            || !self.groupings.dimensions().is_empty()
            || self.revisions.range.is_some()
            || self.revisions.all_branches
            || !self.filters.words().is_empty()
            || output.format.name != FORMATS[0].name
            || output.output.is_some()
            || output.for_spreadsheet
            || output.keep_duplicates
            || output.no_cache
            || output.reprice
            || output.committed
            || output.strict;
        match is_of_reports {
            false => Ok(()),
            true => Err(Error::Usage { problem: problem.to_owned(), fix: fix.to_owned() }),
        }
    }
}

impl Groupings {
    pub(crate) fn dimensions(&self) -> Vec<Dimension> {
        let flags = [
            (self.daily, Dimension::Day),
            (self.weekly, Dimension::Week),
            (self.monthly, Dimension::Month),
        ];
        let flags = flags.into_iter().filter(|(is_set, _)| *is_set).map(|(_, dimension)| dimension);
        let mut all = Vec::new();
        for dimension in flags.chain(self.by.iter().copied()) {
            if !all.contains(&dimension) {
                all.push(dimension);
            }
        }
        all
    }
}

#[derive(Args, Clone)]
pub(crate) struct Filters {
    /// From this date (2026-02-23), time or age (7d) on
    #[arg(long, value_name = "T", allow_hyphen_values = true)]
    pub(crate) since: Option<String>,
    /// Up to and with this date, time or age
    #[arg(long, value_name = "T", allow_hyphen_values = true)]
    pub(crate) until: Option<String>,
    #[command(flatten)]
    pub(crate) only: Only,
}

/// Which rows, whatever day they are of.
#[derive(Args, Clone, Default)]
pub(crate) struct Only {
    /// Only this model; * and ? match any; may be repeated
    #[arg(long, value_name = "GLOB", allow_negative_numbers = true)]
    pub(crate) model: Vec<String>,
    /// Only plan, execute, verify, discuss or quick
    ///
    /// May be repeated.
    #[arg(long, hide_possible_values = true, value_name = "TYPE", allow_negative_numbers = true, value_parser = task_types())]
    pub(crate) task_type: Vec<TaskType>,
}

impl Filters {
    pub(crate) fn selection(&self) -> Result<Selection> {
        let bound = |option, text: &Option<String>| {
            text.as_deref().map(|text| bound(option, text)).transpose()
        };
        Ok(Selection {
            since: bound("--since", &self.since)?,
            until: bound("--until", &self.until)?,
            ..self.only.selection()
        })
    }

    /// The options as they would be typed.
    pub(crate) fn words(&self) -> Vec<String> {
        let mut words = Vec::new();
        words.extend(self.since.iter().map(|it| format!("--since {it}")));
        words.extend(self.until.iter().map(|it| format!("--until {it}")));
        words.extend(self.only.words());
        words
    }
}

impl Only {
    pub(crate) fn selection(&self) -> Selection {
        Selection {
            models: self.model.iter().map(|glob| WildMatch::new(glob)).collect(),
            task_types: self.task_type.clone(),
            ..Selection::default()
        }
    }

    /// The options as they would be typed.
    pub(crate) fn words(&self) -> Vec<String> {
        let models = self.model.iter().map(|it| format!("--model {it}"));
        let types = self.task_type.iter().map(|it| format!("--task-type {}", it.name()));
        models.chain(types).collect()
    }
}

#[derive(Args, Clone)]
pub(crate) struct Revisions {
    /// Only rows that commit B has and A has not
    ///
    /// HEAD may be left out. A...B: that B has and the last commit that both have in common has not. A single commit: all
    /// rows that it has. Read from git alone; what is not committed is not in it.
    #[arg(
        long,
        value_name = "A..B",
        allow_hyphen_values = true,
        conflicts_with_all = ["all_branches", "keep_duplicates"]
    )]
    pub(crate) range: Option<String>,
    /// Rows of all branches too, local ones and remote ones
    #[arg(long, conflicts_with = "keep_duplicates")]
    pub(crate) all_branches: bool,
}

#[derive(Args, Clone)]
pub(crate) struct Source {
    /// Read these ledgers, and their archives; - is stdin
    #[arg(long, value_name = "PATH", global = true, allow_negative_numbers = true)]
    pub(crate) file: Vec<PathBuf>,
    /// Read your own ledger, outside any repository
    #[arg(long, global = true)]
    pub(crate) personal: bool,
}

#[derive(Args, Clone)]
pub(crate) struct Output {
    /// As markdown, csv, json or table [default: markdown]
    #[arg(long, hide_possible_values = true, hide_default_value = true, value_name = "FORMAT", allow_negative_numbers = true, default_value = FORMATS[0].name, default_value_if("for_spreadsheet", "true", "csv"), value_parser = formats())]
    pub(crate) format: &'static Format,
    /// As CSV in which no text is run as a formula
    ///
    /// Text that begins as one gets an apostrophe; numbers stay as they are.
    #[arg(long)]
    pub(crate) for_spreadsheet: bool,
    /// Write the report to this file
    #[arg(long, value_name = "PATH", allow_negative_numbers = true)]
    pub(crate) output: Option<PathBuf>,
    /// Count repeated rows too
    #[arg(long)]
    pub(crate) keep_duplicates: bool,
    /// Count what the last commit holds, not the work tree
    #[arg(long)]
    pub(crate) committed: bool,
    /// Price all rows at the newest list prices
    ///
    /// Whatever rows say themselves of their cost, and whatever day they are of.
    #[arg(long)]
    pub(crate) reprice: bool,
    /// Neither use nor keep the sums of sealed segments
    #[arg(long)]
    pub(crate) no_cache: bool,
    /// Exit with 3 if rows cannot be read
    #[arg(long)]
    pub(crate) strict: bool,
}

impl Output {
    /// Whether the format is one for a spreadsheet, if that was asked for.
    pub(crate) fn check(&self) -> Result<()> {
        match self.for_spreadsheet && self.format.name != "csv" {
            false => Ok(()),
            true => Err(not_for_spreadsheet("usage-report", self.format.name)),
        }
    }

    /// The file to write to; `-` is none.
    pub(crate) fn path(&self) -> Option<&Path> {
        self.output.as_deref().filter(|path| *path != Path::new("-"))
    }

    /// Whether it is raw, for programs.
    pub(crate) fn is_raw(&self) -> bool {
        self.format.is_data && !self.for_spreadsheet
    }
}

/// That only CSV is for a spreadsheet.
pub(crate) fn not_for_spreadsheet(command: &str, format: &str) -> Error {
    Error::Usage {
        problem: format!("--for-spreadsheet is CSV, not {format}"),
        fix: format!("{command} --for-spreadsheet --output usage-report.csv"),
    }
}

pub(crate) fn dimensions() -> impl TypedValueParser<Value = Dimension> {
    PossibleValuesParser::new(Dimension::ALL.map(|(_, name)| name))
        .map(|name| Dimension::parse(&name).unwrap_or(Dimension::Day))
}

pub(crate) fn task_types() -> impl TypedValueParser<Value = TaskType> {
    PossibleValuesParser::new(TaskType::ALL.map(TaskType::name))
        .map(|name| TaskType::parse(name.as_bytes()).unwrap_or(TaskType::Plan))
}

pub(crate) fn formats() -> impl TypedValueParser<Value = &'static Format> {
    const { &FORMATS };
    let values = FORMATS.iter().map(|format| PossibleValue::new(format.name).help(format.about));
    PossibleValuesParser::new(values).map(|name| format_named(&name))
}

/// The format of that name.
pub(crate) fn format_named(name: &str) -> &'static Format {
    let formats: &'static [Format] = const { &FORMATS };
    formats.iter().find(|format| format.name == name).unwrap_or(&formats[0])
}

/// The day that is given, else today.
pub(crate) fn today(as_of: Option<&str>) -> Result<Day> {
    let Some(text) = as_of else { return Ok(world::now().day()) };
    Day::parse(text).ok_or_else(|| Error::OptionValue {
        option: "--as-of".to_owned(),
        given: text.to_owned(),
        allowed: "a date".to_owned(),
        example: "2026-11-21".to_owned(),
    })
}

/// A date, a moment, or an age, which is a moment too.
fn bound(option: &str, text: &str) -> Result<Bound> {
    if let Some(day) = Day::parse(text) {
        return Ok(Bound::Day(day));
    }
    if let Some(timestamp) = Timestamp::parse_liberally(text) {
        return Ok(Bound::Moment(timestamp.instant()));
    }
    let refuse = || Error::OptionValue {
        option: option.to_owned(),
        given: text.to_owned(),
        allowed: "a date (2026-02-23), a time (RFC 3339) or an age (7d)".to_owned(),
        example: "2026-02-23".to_owned(),
    };
    let age = humantime::parse_duration(text).map_err(|_| refuse())?;
    let now = world::now().instant();
    let seconds = i64::try_from(age.as_secs()).map_err(|_| refuse())?;
    Ok(Bound::Moment(Instant { seconds: now.seconds.saturating_sub(seconds), ..now }))
}
