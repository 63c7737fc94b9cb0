//! `usage-report compare`: two sides of a ledger beside each other.

use std::process::ExitCode;

use usage_ledger::engine::query::Query;
use usage_ledger::error::{Error, Result};
use usage_ledger::ledger::archived::Absent;
use usage_ledger::render::compare::page::Page;
use usage_ledger::render::compare::{self as drawing, FORMATS, csv};
use usage_ledger::render::sentences;
use usage_ledger::report::Unseen;
use usage_ledger::report::cells::Wanted;
use usage_ledger::report::compare::measure::MEASURES;
use usage_ledger::report::compare::quality::{self, Quality};
use usage_ledger::report::compare::side::{Of, Side};
use usage_ledger::report::compare::trend::Trends;
use usage_ledger::report::compare::{self, Comparison};
use usage_ledger::report::left_out::LeftOut;
use usage_ledger::report::selection::{Bound, Selection};
use usage_ledger::timestamp::Day;

use crate::cli::{Cli, CompareOptions, Only, Output, today};
use crate::gather::unseen;
use crate::output::{deliver, refuse_ledger, screen};
use crate::sums::{gathered, sums};
use crate::voice;

/// What was asked for.
pub(crate) struct Asked {
    /// The flags as those of a report.
    cli: Cli,
    /// The sides; None for the newest seven days and the seven before.
    sides: Option<[Side; 2]>,
    only: Only,
    today: Day,
}

/// What it comes to.
struct Compared {
    comparison: Comparison,
    /// What was left out of it.
    left_out: LeftOut,
    /// What was moved out of the ledger, of the days of one side or the other.
    unseen: Unseen,
}

/// What these flags mean.
pub(crate) fn asked(cli: Cli, options: CompareOptions) -> Result<Asked> {
    let problem = "compare takes its options behind its name";
    cli.refuse_before(problem, "usage-report compare this-week last-week --format json")?;
    let today = today(options.as_of.as_deref())?;
    let parse = |text: &String| Side::parse(text, today);
    let sides = match (options.a.as_ref().map(parse), options.b.as_ref().map(parse)) {
        (None, _) => None,
        (Some(one), Some(two)) => Some([one?, two?]),
        (Some(one), None) => {
            let one = one?;
            let two = one.counterpart().ok_or_else(|| Error::Usage {
                problem: format!("compare: against what {} is compared is missing", one.name),
                fix: format!("usage-report compare {} {}", one.name, example(&one)),
            })?;
            Some([one, two])
        }
    };
    let is_of_git = sides.iter().flatten().any(Side::is_of_git);
    if is_of_git && (options.all_branches || options.output.keep_duplicates) {
        return Err(Error::Usage {
            problem: "--all-branches and --keep-duplicates do not go with branches and ranges"
                .to_owned(),
            fix: "leave them out".to_owned(),
        });
    }
    let mut cli = Cli { output: options.output, ..cli };
    cli.revisions.all_branches = options.all_branches;
    Ok(Asked { cli, sides, only: options.only, today })
}

fn example(side: &Side) -> String {
    if let (Of::Range(range), Some((from, _))) = (&side.of, side.name.split_once("..")) {
        let dots = if range.contains("...") { "..." } else { ".." };
        return format!("{from}{dots}OTHER");
    }
    match side.name.split_once(':') {
        Some((kind @ ("model" | "branch" | "task-type"), _)) => format!("{kind}:OTHER"),
        _ => "last-week".to_owned(),
    }
}

/// What is wrong with a side, where it is read as `--range` would be: nobody typed that here.
fn of_side(error: Error) -> Error {
    match error {
        Error::Usage { problem, fix } if problem.starts_with("--range: ") => Error::Usage {
            problem: problem.replacen("--range", "compare", 1),
            fix: match fix.split_once("; or") {
                _ if fix.starts_with("--range") => {
                    "git branch --all lists the branches; one of a remote is branch:origin/NAME"
                        .to_owned()
                }
                Some((first, _)) => first.to_owned(),
                None => fix,
            },
        },
        error => error,
    }
}

impl Asked {
    /// Reads both sides and shows them.
    pub(crate) fn run(&self) -> Result<ExitCode> {
        let output = &self.cli.output;
        output.check()?;
        let path = output.path();
        path.map(refuse_ledger).transpose()?;
        let compared = match &self.sides {
            Some(sides) if sides.iter().any(Side::is_of_git) => self.of_git(sides)?,
            sides => self.of_ledger(sides.as_ref())?,
        };
        if output.format.is_data {
            let ends = drawing::sentences::ends(&compared.comparison);
            ends.iter().for_each(|note| voice::say(&format!("warning: {note}")));
        }
        let code = deliver(self.draw(&compared), path, output.is_raw())?;
        if output.format.is_data
            && let Some(note) = sentences::unseen_note(&compared.unseen)
        {
            voice::say(&format!("warning: {note}"));
        }
        match compared.left_out.unreadable {
            0 => Ok(code),
            rows if output.strict => Err(Error::Skipped { rows }),
            rows if output.format.is_data => {
                voice::say(&format!(
                    "warning: rows that cannot be read: {rows} (usage-report verify)"
                ));
                Ok(code)
            }
            _ => Ok(code),
        }
    }

    fn query(&self, wanted: Wanted, (from, to): (Option<Day>, Option<Day>)) -> Query {
        let Output { keep_duplicates, reprice, .. } = self.cli.output;
        Query {
            selection: Selection {
                since: from.map(Bound::Day),
                until: to.map(Bound::Day),
                ..self.only.selection()
            },
            keep_duplicates,
            wanted,
            is_repriced: reprice,
            ..Query::default()
        }
    }

    fn of_git(&self, sides: &[Side; 2]) -> Result<Compared> {
        let sums = |one: &Side, two: &Side| {
            let mut cli = self.cli.clone();
            cli.revisions.range = one.range(two);
            let gathered = gathered(&cli, &[]).map_err(of_side)?;
            let query = self.query(Wanted::Both, one.days());
            let (aggregate, mut left_out) = sums(&cli, &gathered, &query)?;
            left_out.add(gathered.left_out);
            let may_take =
                |it: &Absent| query.selection.may_take_between(it.segment.first, it.segment.last);
            let absent: Vec<Absent> = gathered.unseen.into_iter().filter(may_take).collect();
            Ok::<_, Error>((aggregate, left_out, absent))
        };
        let [one, two] = sides;
        let (mut all, mut left_out, mut absent) = sums(one, two)?;
        let (mut other, more, also_absent) = sums(two, one)?;
        absent.extend(also_absent);
        absent.sort_by(|a, b| a.segment.name.cmp(&b.segment.name));
        absent.dedup();
        let cells = [&mut all, &mut other].map(|it| std::mem::take(&mut it.cells));
        all.merge(other);
        left_out.add(more);
        let quality = Quality::of(&all, self.today);
        let cells = cells.each_ref().map(Vec::as_slice);
        let comparison = compare::build(sides, cells, Trends::default(), quality);
        Ok(Compared { comparison, left_out, unseen: unseen(&absent, |_, _| true) })
    }

    fn of_ledger(&self, sides: Option<&[Side; 2]>) -> Result<Compared> {
        let gathered = gathered(&self.cli, &[])?;
        let (all, mut left_out) =
            sums(&self.cli, &gathered, &self.query(Wanted::Groups, (None, None)))?;
        left_out.add(gathered.left_out.clone());
        let newest = quality::newest(&all, self.today).unwrap_or(self.today);
        let mut sides = sides.cloned().unwrap_or_else(|| Side::of_newest(newest));
        let ends = Side::evened(&mut sides, newest, self.today);
        let days = sides.each_ref().map(Side::days);
        let [(one_from, one_to), (two_from, two_to)] = days;
        let from = one_from.zip(two_from).map(|(one, two)| one.min(two));
        let to = one_to.zip(two_to).map(|(one, two)| one.max(two));
        let (some, _) = sums(&self.cli, &gathered, &self.query(Wanted::Cells, (from, to)))?;
        let trends = Trends::of(&all, newest, const { &MEASURES });
        let quality = Quality::of(&all, self.today);
        let mut comparison = compare::build(&sides, [&some.cells, &some.cells], trends, quality);
        comparison.ends = ends;
        let selections = days.map(|days| self.query(Wanted::Groups, days).selection);
        let unseen = unseen(&gathered.unseen, |first, last| {
            selections.iter().any(|it| it.may_take_between(first, last))
        });
        Ok(Compared { comparison, left_out, unseen })
    }

    /// The comparison in the format that was asked for.
    fn draw(&self, Compared { comparison, left_out, unseen }: &Compared) -> String {
        if self.cli.output.for_spreadsheet {
            return csv::render_for_spreadsheet(comparison);
        }
        let name = self.cli.output.format.name;
        let format = FORMATS.iter().find(|it| it.name == name).unwrap_or(&FORMATS[0]);
        (format.render)(&Page { comparison, left_out, unseen }, screen())
    }
}
