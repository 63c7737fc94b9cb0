//! A glance → lines for a terminal, no more and no longer than it shows.

use crate::error::printable;
use crate::figures::{self, counted};
use crate::render::fitted::{Column, cut, table};
use crate::render::markdown::common_text;
use crate::render::tables::{Cell, WEEKDAYS, day_month};
use crate::report::alert::finding::{Finding, Kind};
use crate::report::glance::{Glance, Latest};
use crate::report::measures::Measures;

/// Eighths of a line.
const BLOCKS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// So many alerts are shown; what is wrong beyond that is a matter for `check`.
const FIRING_MAX: usize = 3;

/// The sums; those of cost are left out where nothing has a price.
const SUMS: [Column; 7] = [
    Column::text(9, 0),
    Column::figure("Tasks", 5, 0),
    Column::figure("Success", 7, 2),
    Column::figure("Prompt", 7, 3),
    Column::figure("Written", 7, 4),
    Column::figure(COST, 9, 1),
    Column::figure("Time", 7, 5),
];

const COST: &str = "Cost *";

/// The newest rows: day, time, model, task type, outcome, and their figures.
const ROWS: [Column; 8] = [
    Column::text(10, 2),
    Column::text(5, 0),
    Column::elastic(12),
    Column::text(7, 4),
    Column::text(6, 1),
    Column::figure("Prompt", 6, 3),
    Column::figure("Written", 7, 5),
    Column::figure("Time", 7, 6),
];

/// What stands before the names of these figures, where there is room.
const ROWS_TITLE: &str = " Newest rows ";

/// The glance in that many columns and lines.
pub fn lines(it: &Glance, (columns, height): (usize, usize)) -> Vec<String> {
    let (year, ..) = it.today.ymd();
    let weekday = WEEKDAYS[usize::from(it.today.weekday())];
    let mut lines = vec![format!(" Usage on {weekday} {} {year}", day_month(it.today))];
    lines.push(String::new());
    lines.extend(sums(it, columns));
    lines.extend([String::new(), spark(it, columns), String::new()]);
    let firing = firing(it, columns);
    let foot = foot(it, columns);
    let kept = firing.len() + foot.len();
    let below = [vec![String::new()], firing, foot].concat();
    let room = height.saturating_sub(lines.len() + 1 + below.len());
    let newest: Vec<Vec<String>> = it.newest.iter().take(room).map(latest).collect();
    let mut newest = table(&ROWS, &newest, columns).into_iter();
    let names = newest.next().unwrap_or_default();
    lines.push(match names.strip_prefix(&" ".repeat(ROWS_TITLE.len())) {
        Some(names) => format!("{ROWS_TITLE}{names}"),
        None => ROWS_TITLE.trim_end().to_owned(),
    });
    lines.extend(newest);
    if it.newest.is_empty() {
        lines.push("   none yet".to_owned());
    }
    lines.extend(below);
    // What a small screen has no room for is left out above what fires.
    if lines.len() > height {
        let kept = lines.split_off(lines.len() - kept.min(height));
        lines.truncate(height - kept.len());
        lines.extend(kept);
    }
    lines.into_iter().map(|line| cut(&line, columns)).collect()
}

fn sums(it: &Glance, columns: usize) -> Vec<String> {
    let is_shown = |column: &&Column| it.has_costs || column.name != COST;
    let shown: Vec<Column> = SUMS.iter().filter(is_shown).copied().collect();
    let row = |(name, sum): &(&str, Measures)| {
        let cells = SUMS.iter().zip(of(name, sum)).filter(|(column, _)| is_shown(column));
        cells.map(|(_, cell)| cell).collect()
    };
    let rows: Vec<Vec<String>> = it.periods.iter().map(row).collect();
    table(&shown, &rows, columns)
}

fn of(name: &str, it: &Measures) -> [String; SUMS.len()] {
    [
        name.to_owned(),
        figures::compact(it.tasks.into()),
        common_text(&Cell::Success(it.successes, it.tasks)),
        figures::compact(it.prompt_tokens),
        figures::compact(it.completion_tokens),
        it.cost().map_or("–".to_owned(), figures::dollars),
        figures::duration(it.duration_ms),
    ]
}

/// The last days as blocks, with what the largest is.
fn spark(it: &Glance, columns: usize) -> String {
    let largest = it.days.iter().copied().max().unwrap_or_default();
    let block = |size: &u128| match (*size, largest) {
        (0, _) => ' ',
        (size, _) => BLOCKS[(size.saturating_mul(8).div_ceil(largest) as usize).clamp(1, 8) - 1],
    };
    let blocks: String = it.days.iter().map(block).collect();
    let most = match it.has_costs {
        true => figures::dollars(largest),
        false => format!("{} tokens", figures::compact(largest)),
    };
    let blocks = format!(" {} days  |{blocks}|", it.days.len());
    let whole = format!("{blocks}  at most {most} a day");
    if whole.chars().count() > columns { blocks } else { whole }
}

fn latest(it: &Latest) -> Vec<String> {
    let (day, time) = it.time.split_once(' ').unwrap_or((&it.time, ""));
    vec![
        day.to_owned(),
        time.chars().take(5).collect(),
        printable(&it.model),
        it.task_type.name().to_owned(),
        if it.success { "ok" } else { "failed" }.to_owned(),
        figures::compact(it.prompt_tokens.into()),
        figures::compact(it.completion_tokens.into()),
        figures::duration(it.duration_ms.into()),
    ]
}

/// What fires, the worst first: with its limit where that has room, and its value whole.
fn firing(it: &Glance, columns: usize) -> Vec<String> {
    let line = |alert: &Finding| {
        let series = alert.series.as_ref().map(|it| format!(" of {it}")).unwrap_or_default();
        let what = printable(&format!("{}{series}", alert.name));
        let head = format!(" {:<8}  ", alert.severity.name());
        let (value, since) = (alert.value.text(), day_month(alert.since));
        let short = format!(": {value}, since {since}");
        let tail = match alert.kind {
            Kind::Anomaly => format!(": {value}, {}, since {since}", alert.limit_words),
            _ => format!(": {} {value}, {}, since {since}", alert.metric, alert.limit_words),
        };
        let room = |tail: &str| columns.saturating_sub(head.chars().count() + tail.chars().count());
        let tail = if room(&tail) < what.chars().count() { short } else { tail };
        format!("{head}{}{tail}", cut(&what, room(&tail)))
    };
    let mut lines: Vec<String> = it.firing.iter().take(FIRING_MAX).map(line).collect();
    if let Some(more @ 1..) = it.firing.len().checked_sub(FIRING_MAX) {
        lines.push(format!(" and {more} more: usage-report check"));
    }
    lines
}

/// What went wrong, in two lines at most, and the last line; of its parts those that have room.
fn foot(it: &Glance, columns: usize) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(problem) = &it.problem {
        let mut rest = printable(problem);
        if let Some((at, _)) = rest.char_indices().nth(columns.saturating_sub(1)) {
            let at = rest[..at].rfind(' ').unwrap_or(at);
            lines.push(format!(" {}", &rest[..at]));
            rest = format!("  {}", rest[at..].trim_start());
        }
        lines.push(format!(" {rest}"));
    }
    let mut parts = vec![counted(it.rows, "row")];
    if it.has_costs {
        parts.push("* list price".to_owned());
    }
    if it.unreadable > 0 {
        let rows = figures::thousands(it.unreadable.into());
        parts.push(format!("{rows} unreadable: usage-report verify"));
    }
    let mut last = " q ends".to_owned();
    for part in parts {
        let longer = format!("{last} · {part}");
        if longer.chars().count() <= columns {
            last = longer;
        }
    }
    lines.push(last);
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::amount::Ratio;
    use crate::alert::limit::Limit;
    use crate::alert::metric::Metric;
    use crate::alert::rule::Rule;
    use crate::report::aggregate::Aggregate;
    use crate::report::alert::judge::Episode;
    use crate::report::glance::{self, DAYS};
    use crate::row::TaskType;
    use crate::timestamp::Day;

    fn glance(rows: usize) -> Glance {
        let mut aggregate = Aggregate::new(&[]);
        let today = Day::parse("2026-11-21").unwrap();
        for age in 0..20 {
            let measures = Measures {
                rows: 1,
                tasks: 1,
                successes: 1,
                cost_micros: 1_000_000 * u128::from(age as u64 % 4),
                ..Measures::default()
            };
            aggregate.days.add(Day(today.0 - age), &measures);
        }
        let latest = |n: usize| Latest {
            time: format!("2026-11-21 10:00:{n:02}"),
            model: "x".repeat(100),
            task_type: TaskType::Execute,
            success: n.is_multiple_of(2),
            prompt_tokens: 12_000,
            completion_tokens: 300,
            duration_ms: 45_000,
        };
        glance::build(&aggregate, (0..rows).map(latest).collect(), Vec::new(), today, 0)
    }

    /// So many alerts.
    fn firing(alerts: usize) -> Vec<Finding> {
        let day = Day::parse("2026-11-09").unwrap();
        let episode = Episode {
            first: (day, day),
            since: day,
            last: (day, day),
            value: Ratio { part: 25, whole: 2 },
            samples: 4,
            before: None,
            is_open: true,
            is_from_start: false,
        };
        let rule = Rule::typed("spent", Metric::Cost, Limit::Above(10_000_000), 0);
        vec![Finding::of_rule(&rule, Some("claude-opus-4"), &episode); alerts]
    }

    #[test]
    fn what_fires_stands_above_the_last_line() {
        let shown = |alerts, size| lines(&Glance { firing: firing(alerts), ..glance(50) }, size);
        let one = " error     spent of claude-opus-4: cost $12.50, above $10.00, since 9 Nov";
        let all = shown(1, (80, 24));
        assert_eq!(all[21..23], ["", one]);
        let all = shown(5, (80, 24));
        assert_eq!(all[19..23], [one, one, one, " and 2 more: usage-report check"]);
        assert!(shown(3, (80, 24)).iter().all(|line| !line.contains("more")));
        // A small screen has no room for much else.
        assert_eq!(shown(2, (80, 3))[..2], [one, one]);
        assert_eq!(
            shown(1, (60, 24))[22],
            " error     spent of claude-opus-4: $12.50, since 9 Nov"
        );
        assert_eq!(shown(1, (40, 24))[22], " error     spent o…: $12.50, since 9 Nov");
        for size in [(80, 24), (40, 10), (10, 3), (80, 1), (1, 1), (80, 0)] {
            let all = shown(5, size);
            assert!(all.len() <= size.1 && all.iter().all(|it| it.chars().count() <= size.0));
        }
    }

    #[test]
    fn it_fits_every_screen() {
        for (columns, height) in [(80, 24), (40, 10), (200, 60), (10, 3), (80, 1), (1, 1), (80, 0)]
        {
            for rows in [0, 3, 50] {
                let lines = lines(&glance(rows), (columns, height));
                assert!(lines.len() <= height, "{columns}x{height}");
                assert!(lines.iter().all(|line| line.chars().count() <= columns), "{lines:?}");
            }
        }
        let shown = lines(&glance(50), (80, 24));
        assert_eq!(shown.len(), 24);
        assert!(shown[23].starts_with(" q ends · 0 rows"), "{}", shown[23]);
    }

    /// Whatever the width: a figure that is seen is the whole figure.
    #[test]
    fn no_figure_is_cut_in_two() {
        let mut glance = Glance { firing: firing(2), ..glance(3) };
        for (at, latest) in glance.newest.iter_mut().enumerate() {
            latest.model = ["claude-sonnet-5-5", "m", "x"][at].to_owned();
            (latest.prompt_tokens, latest.completion_tokens) = (8_165, 280);
            latest.duration_ms = 222_402;
        }
        let wide = lines(&glance, (200, 40)).join(" ");
        let whole: Vec<&str> = wide.split_whitespace().collect();
        for columns in 0..200 {
            for line in lines(&glance, (columns, 40)) {
                let is_figure = |it: &&str| it.contains(|c: char| c.is_ascii_digit());
                let words = line.split_whitespace().filter(is_figure);
                let mut words = words.filter(|it| !it.contains('…'));
                assert!(words.all(|it| whole.contains(&it)), "{columns}: {line}");
            }
        }
        let rows = |columns| lines(&glance, (columns, 24))[9..11].to_vec();
        assert_eq!(
            rows(80),
            [
                " Newest rows                                            Prompt  Written     Time",
                " 2026-11-21  10:00  claude-sonnet-5-5  execute  ok       8,165      280   3m 42s",
            ]
        );
        assert_eq!(rows(40)[1], " 2026-11-21  10:00  claude-sonn…  ok    ");
    }

    #[test]
    fn what_went_wrong_stands_on_lines_of_its_own() {
        let problem =
            "error: config.toml:12: key with no value, expected `=` and what it is".to_owned();
        let glance = Glance { problem: Some(problem), ..glance(1) };
        let shown = lines(&glance, (50, 24));
        assert_eq!(
            shown[shown.len() - 3..],
            [
                " error: config.toml:12: key with no value,",
                "   expected `=` and what it is",
                " q ends · 0 rows · * list price",
            ]
        );
    }

    #[test]
    fn periods_are_those_of_the_viewers_day() {
        let shown = lines(&glance(1), (80, 24));
        assert_eq!(shown[0], " Usage on Sat 21 Nov 2026");
        let tasks = |at: usize| shown[at].split_whitespace().rev().nth(6).unwrap().to_owned();
        assert_eq!([tasks(3), tasks(4), tasks(5)], ["1", "6", "7"]);
        let spark = shown.iter().find(|line| line.contains("14 days")).unwrap();
        assert_eq!(spark, " 14 days  |▃ █▆▃ █▆▃ █▆▃ |  at most $3.00 a day");
        assert_eq!(spark.split('|').nth(1).unwrap().chars().count(), DAYS);
    }
}
