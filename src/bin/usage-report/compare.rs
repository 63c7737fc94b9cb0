//! `usage-report compare`: two sides of a ledger beside each other.

use usage_ledger::engine::query::Query;
use usage_ledger::error::{Error, Result};
use usage_ledger::render::compare::page::Page;
use usage_ledger::render::compare::{FORMATS, csv};
use usage_ledger::render::terminal::Screen;
use usage_ledger::report::aggregate::Aggregate;
use usage_ledger::report::compare::measure::MEASURES;
use usage_ledger::report::compare::quality::Quality;
use usage_ledger::report::compare::side::Side;
use usage_ledger::report::compare::trend::Trends;
use usage_ledger::report::compare::{self, Comparison};
use usage_ledger::report::left_out::LeftOut;
use usage_ledger::report::selection::{Bound, Selection};
use usage_ledger::timestamp::Day;

use crate::cli::{Cli, CompareOptions, Only, Output, today};
use crate::gather::Gathered;

/// What was asked for.
pub(crate) struct Asked {
    /// The flags as those of a report.
    pub(crate) cli: Cli,
    /// The sides; None for the newest seven days and the seven before.
    sides: Option<[Side; 2]>,
    only: Only,
    today: Day,
}

/// Sums what was found.
type Sum<'a> = dyn Fn(&Gathered, &Query) -> Result<(Aggregate, LeftOut)> + 'a;

/// How rows are found and summed: those of a range of commits, or of the work tree.
pub(crate) struct Sources<'a> {
    pub(crate) gather: &'a dyn Fn(Option<String>) -> Result<Gathered>,
    pub(crate) sum: &'a Sum<'a>,
}

/// What it comes to, and what was left out of it.
pub(crate) type Compared = (Comparison, LeftOut);

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
    match side.name.split_once(':') {
        Some((kind @ ("model" | "branch" | "task-type"), _)) => format!("{kind}:OTHER"),
        _ => "last-week".to_owned(),
    }
}

impl Asked {
    /// Reads both sides.
    pub(crate) fn compare(&self, sources: &Sources<'_>) -> Result<Compared> {
        match &self.sides {
            Some(sides) if sides.iter().any(Side::is_of_git) => self.of_git(sides, sources),
            sides => self.of_ledger(sides.as_ref(), sources),
        }
    }

    fn query(&self, has_cells: bool, (from, to): (Option<Day>, Option<Day>)) -> Query {
        let Output { keep_duplicates, reprice, .. } = self.cli.output;
        Query {
            selection: Selection {
                since: from.map(Bound::Day),
                until: to.map(Bound::Day),
                ..self.only.selection()
            },
            keep_duplicates,
            has_cells,
            is_repriced: reprice,
            ..Query::default()
        }
    }

    fn of_git(&self, sides: &[Side; 2], sources: &Sources<'_>) -> Result<Compared> {
        let sums = |one: &Side, two: &Side| {
            let gathered = (sources.gather)(one.range(two))?;
            let (aggregate, mut left_out) =
                (sources.sum)(&gathered, &self.query(true, one.days()))?;
            left_out.add(gathered.left_out);
            Ok::<_, Error>((aggregate, left_out))
        };
        let [one, two] = sides;
        let ((mut all, mut left_out), (other, more)) = (sums(one, two)?, sums(two, one)?);
        let cells = std::mem::take(&mut all.cells);
        all.merge(&other);
        left_out.add(more);
        let quality = Quality::of(&all, self.today);
        let cells = [&cells[..], &other.cells];
        Ok((compare::build(sides, cells, Trends::default(), quality), left_out))
    }

    fn of_ledger(&self, sides: Option<&[Side; 2]>, sources: &Sources<'_>) -> Result<Compared> {
        let gathered = (sources.gather)(None)?;
        let (all, mut left_out) = (sources.sum)(&gathered, &self.query(false, (None, None)))?;
        left_out.add(gathered.left_out.clone());
        let newest = all.days.iter().map(|(day, _)| day).max();
        let of_newest = Side::of_newest(newest.unwrap_or(self.today));
        let sides = sides.unwrap_or(&of_newest);
        let days = sides.each_ref().map(Side::days);
        let [(one_from, one_to), (two_from, two_to)] = days;
        let from = one_from.zip(two_from).map(|(one, two)| one.min(two));
        let to = one_to.zip(two_to).map(|(one, two)| one.max(two));
        let (some, _) = (sources.sum)(&gathered, &self.query(true, (from, to)))?;
        let trends = Trends::of(&all, const { &MEASURES });
        let quality = Quality::of(&all, self.today);
        Ok((compare::build(sides, [&some.cells, &some.cells], trends, quality), left_out))
    }

    /// The comparison in the format that was asked for.
    pub(crate) fn draw(&self, (comparison, left_out): &Compared, screen: Screen) -> String {
        if self.cli.output.for_spreadsheet {
            return csv::render_for_spreadsheet(comparison);
        }
        let name = self.cli.output.format.name;
        let format = FORMATS.iter().find(|it| it.name == name).unwrap_or(&FORMATS[0]);
        (format.render)(&Page { comparison, left_out }, screen)
    }
}
