//! Comparison → sentences: what is compared, where it is going, how far it can be trusted.

use crate::figures::{self, counted};
use crate::render::compare::page::Page;
use crate::render::compare::text;
use crate::render::sentences::{places, span, title_text, unseen_note};
use crate::render::tables::{WEEKDAYS, day_month, noun};
use crate::report::compare::Comparison;
use crate::report::compare::trend::Trend;
use crate::report::dimension::Dimension;

/// A slope below this says nothing to people, whether chance explains it or not: half a percent, or
/// half a point, a week.
const STEADY: f64 = 0.005;

/// What is compared with what, and the sums that matter most.
pub fn headline(it: &Comparison) -> String {
    let [one, two] = it.names.clone().map(|name| title_text(&name));
    let tasks = it.sides.each_ref().map(|side| figures::thousands(side.all.tasks.into()));
    let days = it.ends.days.map(|days| format!(", {} of each", counted(days, "day")));
    let days = days.unwrap_or_default();
    let mut line = format!("{one} against {two}{days} · {} and {} tasks", tasks[0], tasks[1]);
    if it.has_costs() {
        let cost = it.sides.each_ref().map(|side| match side.all.cost() {
            Some(micros) => figures::dollars(micros),
            None => "–".to_owned(),
        });
        line += &format!(" · {} and {} \\*", cost[0], cost[1]);
    }
    line
}

/// What is said instead of a table of changes; None where the question makes no sense.
pub fn unchanged(it: &Comparison, dimension: Dimension) -> Option<String> {
    let has_both = it.sides.iter().all(|side| side.all.tasks > 0);
    (has_both && !it.is_of(dimension))
        .then(|| format!("Nothing, as far as each {} has 20 tasks on both sides.", noun(dimension)))
}

/// `Trend over 11 whole weeks, 2026-W36 to 2026-W46`.
pub fn trend_heading(it: &Comparison) -> Option<String> {
    let (first, last) = it.trends.weeks.as_ref()?;
    let weeks = (last.from.0 - first.from.0) / 7 + 1;
    Some(format!("Trend over {weeks} whole weeks, {} to {}", first.name(), last.name()))
}

/// One sentence for each measure.
pub fn trends(it: &Comparison) -> Vec<String> {
    let sentence = |trend: &Trend| {
        let Trend { measure, per_week, may_be_chance } = trend;
        let name = measure.name.trim_end_matches(" *");
        let word = match () {
            () if *may_be_chance || per_week.abs() < STEADY => "steady",
            () if *per_week > 0.0 => "rising",
            () => "falling",
        };
        let mark = if *may_be_chance { " ~" } else { "" };
        let (slope, unit) = (text::signed(measure, *per_week), text::unit(measure));
        format!("- {name}: {word}, {slope} {unit} a week{mark}")
    };
    it.trends.trends.iter().map(sentence).collect()
}

/// What the figures stand on.
pub fn quality(page: &Page<'_>) -> Vec<String> {
    let (quality, left_out) = (&page.comparison.quality, page.left_out);
    let mut lines = Vec::new();
    if quality.empty_days > 0 {
        let mut line = format!(
            "{} of {} days from the first row to the last have none",
            figures::thousands(quality.empty_days.into()),
            figures::thousands(quality.days.into())
        );
        if let Some(gap) = &quality.longest_gap {
            let days = counted((gap.to.0 - gap.from.0 + 1) as u64, "day");
            line += &format!("; the longest gap is {days}, {}", span((gap.from, gap.to)));
        }
        lines.push(line + ".");
    }
    if quality.future_rows > 0 {
        let rows = counted(quality.future_rows, "row");
        let verb = if quality.future_rows == 1 { "is" } else { "are" };
        lines.push(format!("{rows} {verb} of days that have not come yet: a clock was wrong."));
    }
    let unpriced = quality.all.unpriced;
    if unpriced.rows > 0 {
        let share = figures::percent(unpriced.tokens, quality.all.total_tokens());
        let rows = counted(unpriced.rows, "row");
        lines.push(format!("{rows} without a price ({share} of the tokens)."));
    }
    if quality.all.without_tokens > 0 {
        lines.push(format!("{} without tokens.", counted(quality.all.without_tokens, "task")));
    }
    if left_out.unreadable > 0 {
        let rows = counted(left_out.unreadable, "row");
        lines.push(format!("{rows} cannot be read ({}).", places(left_out)));
    }
    if left_out.repeated > 0 {
        lines.push(format!("{} left out.", counted(left_out.repeated, "repeated row")));
    }
    if !left_out.markers.is_empty() {
        lines.push("A merge conflict was left in; the rows of both sides are counted.".to_owned());
    }
    if lines.is_empty() && page.unseen.segments > 0 {
        lines.push("No gap and no wrong clock in what is seen.".to_owned());
    }
    if lines.is_empty() {
        lines.push("No gap, no wrong clock, nothing left out.".to_owned());
    }
    lines.into_iter().map(|line| format!("- {line}")).collect()
}

/// What must be known to read the figures right.
pub fn notes(page: &Page<'_>) -> Vec<String> {
    let it = page.comparison;
    let mut notes = vec![
        "Change is of the first side against the second. `~` marks one that chance alone explains: \
         its 95 % interval contains 0. Rates by Newcombe; means and shares by Welch's t, a day being \
         one sample; percentiles by the binomial ranks of their tasks. Sums have no interval: they \
         grow with the days."
            .to_owned(),
    ];
    if it.parts.iter().any(|(_, parts)| !parts.is_empty()) || it.trends.weeks.is_some() {
        notes.push(
            "Of twenty lines, those of the trend too, one may be chance all the same.".to_owned(),
        );
    }
    notes.extend(warnings(page));
    if it.trends.weeks.is_some() {
        notes.push(
            "Trend is the median slope between any two weeks (Theil and Sen), `~` by the test of \
             Mann and Kendall at 95 %."
                .to_owned(),
        );
    }
    if let Some(day) = it.prices_day.filter(|_| it.has_costs()) {
        notes.push(format!("\\* List price in USD (prices of {day}) of the rows that have one."));
    }
    notes
}

/// The same for a terminal.
pub fn short_notes(page: &Page<'_>) -> Vec<String> {
    let it = page.comparison;
    let mut notes = vec!["~ chance alone explains it (95 %)".to_owned()];
    notes.extend(warnings(page).into_iter().map(|note| note.replace('`', "")));
    let prices = it.prices_day.filter(|_| it.has_costs());
    notes.extend(prices.map(|day| format!("* list price, {day}")));
    notes
}

/// Which sides are not over, and how far they are compared.
pub fn ends(it: &Comparison) -> Vec<String> {
    let mut notes = Vec::new();
    for (name, newest) in &it.ends.unfinished {
        let weekday = WEEKDAYS[usize::from(newest.weekday())];
        let end = format!("{} ends with the newest row, {weekday}", title_text(name));
        let of_both = it
            .ends
            .days
            .map(|days| format!(": of both sides the first {} are compared", counted(days, "day")));
        let of_both = of_both.unwrap_or_default();
        notes.push(format!("{end} {}{of_both}.", day_month(*newest)));
    }
    if let Some(today) = &it.ends.today {
        notes.push(format!("{} is today, which is not over.", title_text(today)));
    }
    notes
}

/// What makes sides hard to compare.
fn warnings(page: &Page<'_>) -> Vec<String> {
    let it = page.comparison;
    let mut notes = ends(it);
    notes.extend(unseen_note(page.unseen));
    if it.is_of_branches {
        notes.push("Rows that both branches have are on neither side.".to_owned());
    }
    if it.shared_rows > 0 {
        let rows = counted(it.shared_rows, "row");
        let verb = if it.shared_rows == 1 { "is" } else { "are" };
        notes.push(format!("{rows} {verb} on both sides: the intervals do not hold."));
    }
    for (side, name) in it.sides.iter().zip(&it.names) {
        if side.all.rows == 0 {
            notes.push(format!("No row is of {}.", title_text(name)));
        }
    }
    notes
}
