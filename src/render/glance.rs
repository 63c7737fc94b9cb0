//! A glance → lines for a terminal, no more and no longer than it shows.

use crate::error::printable;
use crate::figures::{self, counted};
use crate::render::markdown::common_text;
use crate::render::tables::{Cell, WEEKDAYS, day_month};
use crate::report::alert::finding::Finding;
use crate::report::glance::{Glance, Latest};
use crate::report::measures::Measures;

/// Eighths of a line.
const BLOCKS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// So many alerts are shown; what is wrong beyond that is a matter for `check`.
const FIRING_MAX: usize = 3;

/// The width of the columns of figures.
const COLUMNS: [(&str, usize); 6] =
    [("Tasks", 7), ("Success", 9), ("Prompt", 9), ("Written", 9), ("Cost *", 11), ("Time", 9)];

/// The glance in that many columns and lines.
pub fn lines(it: &Glance, (columns, height): (usize, usize)) -> Vec<String> {
    let (year, ..) = it.today.ymd();
    let weekday = WEEKDAYS[usize::from(it.today.weekday())];
    let mut lines = vec![
        format!(" Usage on {weekday} {} {year}", day_month(it.today)),
        String::new(),
        format!(" {:<10}{}", "", figures_line(COLUMNS.map(|(name, _)| name.to_owned()), it)),
    ];
    for (name, measures) in &it.periods {
        lines.push(format!(" {name:<10}{}", figures_line(of(measures), it)));
    }
    lines.extend([String::new(), spark(it), String::new(), " Newest rows".to_owned()]);
    let firing = firing(it);
    let kept = firing.len() + 1;
    let below: Vec<String> = [vec![String::new()], firing, vec![foot(it)]].concat();
    let room = height.saturating_sub(lines.len() + below.len());
    lines.extend(it.newest.iter().take(room).map(latest));
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
    lines.into_iter().map(|line| line.chars().take(columns).collect()).collect()
}

fn figures_line(cells: [String; COLUMNS.len()], it: &Glance) -> String {
    let cells = cells.iter().zip(COLUMNS);
    let shown = cells.filter(|(_, (name, _))| it.has_costs || !name.starts_with("Cost"));
    shown.map(|(cell, (_, width))| format!("{cell:>width$}")).collect()
}

fn of(it: &Measures) -> [String; COLUMNS.len()] {
    [
        figures::compact(it.tasks.into()),
        common_text(&Cell::Success(it.successes, it.tasks)),
        figures::compact(it.prompt_tokens),
        figures::compact(it.completion_tokens),
        it.cost().map_or("–".to_owned(), figures::dollars),
        figures::duration(it.duration_ms),
    ]
}

/// The last days as blocks, with what the largest is.
fn spark(it: &Glance) -> String {
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
    format!(" {} days  |{blocks}|  at most {most} a day", it.days.len())
}

fn latest(it: &Latest) -> String {
    let outcome = if it.success { "ok" } else { "failed" };
    format!(
        "   {}  {:<24} {:<8} {outcome:<6} {:>7} + {:>6}  {:>7}",
        it.time,
        printable(&it.model),
        it.task_type.name(),
        figures::compact(it.prompt_tokens.into()),
        figures::compact(it.completion_tokens.into()),
        figures::duration(it.duration_ms.into()),
    )
}

/// What fires, the worst first.
fn firing(it: &Glance) -> Vec<String> {
    let line = |alert: &Finding| {
        let series = alert.series.as_ref().map(|it| format!(" of {it}")).unwrap_or_default();
        let what = printable(&format!("{}{series}", alert.name));
        let (severity, value) = (alert.severity.name(), alert.value.text());
        format!(" {severity:<8}  {what}: {value}, since {}", day_month(alert.since))
    };
    let mut lines: Vec<String> = it.firing.iter().take(FIRING_MAX).map(line).collect();
    if let Some(more @ 1..) = it.firing.len().checked_sub(FIRING_MAX) {
        lines.push(format!(" and {more} more: usage-report check"));
    }
    lines
}

fn foot(it: &Glance) -> String {
    if let Some(problem) = &it.problem {
        return format!(" q ends · {}", printable(problem));
    }
    let unreadable = match it.unreadable {
        0 => String::new(),
        rows => format!(" · {} unreadable: usage-report verify", figures::thousands(rows.into())),
    };
    let price = if it.has_costs { " · * list price" } else { "" };
    format!(" q ends · {}{price}{unreadable}", counted(it.rows, "row"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::amount::Ratio;
    use crate::alert::metric::Metric;
    use crate::alert::rule::{Limit, Rule};
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
        };
        let rule = Rule::typed("spent", Metric::Cost, Limit::Above(10_000_000), 0);
        vec![Finding::of_rule(&rule, Some("claude-opus-4"), &episode); alerts]
    }

    #[test]
    fn what_fires_stands_above_the_last_line() {
        let shown = |alerts, size| lines(&Glance { firing: firing(alerts), ..glance(50) }, size);
        let one = " error     spent of claude-opus-4: $12.50, since 9 Nov";
        let all = shown(1, (80, 24));
        assert_eq!(all[21..23], ["", one]);
        let all = shown(5, (80, 24));
        assert_eq!(all[19..23], [one, one, one, " and 2 more: usage-report check"]);
        assert!(shown(3, (80, 24)).iter().all(|line| !line.contains("more")));
        // A small screen has no room for much else.
        assert_eq!(shown(2, (80, 3))[..2], [one, one]);
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
