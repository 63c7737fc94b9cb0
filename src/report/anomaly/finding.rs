//! What is found: one value for each anomaly, whole enough to be told in a sentence.

use crate::figures;
use crate::report::series::SeriesKey;
use crate::timestamp::Day;

/// What is looked at. The order is that of preference where two say the same of one series.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Metric {
    /// Prompt and completion tokens of a task.
    Tokens,
    /// What a task cost, of those that have a price.
    Cost,
    /// How long a task took.
    Duration,
    /// The share of tasks that succeeded.
    Success,
    /// Whether there were tasks at all.
    Silence,
}

impl Metric {
    /// All of them.
    pub const ALL: [Metric; 5] =
        [Metric::Tokens, Metric::Cost, Metric::Duration, Metric::Success, Metric::Silence];

    /// Those whose value lies on a scale without an upper end, so that ratios are compared.
    pub const RATIOS: [Metric; 3] = [Metric::Tokens, Metric::Cost, Metric::Duration];

    /// How programs call it.
    pub const fn name(self) -> &'static str {
        match self {
            Metric::Tokens => "tokens",
            Metric::Cost => "cost",
            Metric::Duration => "duration",
            Metric::Success => "success",
            Metric::Silence => "silence",
        }
    }

    /// Whether both move for one reason: cost is tokens times their price.
    pub fn is_kin(self, other: Metric) -> bool {
        let is_usage = |metric| matches!(metric, Metric::Tokens | Metric::Cost);
        self == other || is_usage(self) && is_usage(other)
    }
}

/// Where the value lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Direction {
    /// Above what is expected.
    Above,
    /// Below.
    Below,
}

/// One anomaly: it has a first day, and however long it goes on it is one.
#[derive(Clone, Debug, PartialEq)]
pub struct Anomaly {
    /// Where.
    pub series: SeriesKey,
    /// Of what.
    pub metric: Metric,
    /// To which side.
    pub direction: Direction,
    /// Its first day.
    pub start: Day,
    /// The last day on which it was seen; the baseline takes it for usual after
    /// [`LASTING_DAYS`](super::watch::LASTING_DAYS).
    pub last: Day,
    /// The newest day of the ledger when it was first to be told.
    pub found: Day,
    /// Whether it goes on, as far as the ledger reaches.
    pub is_open: bool,
    /// What was measured from its first day to the day it was found: tokens, millionths of a dollar
    /// or milliseconds of a task (the median), a share from 0 to 1, or tasks.
    pub value: f64,
    /// What was to be expected there, of the same tasks by model and task type.
    pub expected: f64,
    /// Down to here nothing would have been said.
    pub low: f64,
    /// Up to here nothing would have been said; infinite where there is no such border.
    pub high: f64,
    /// How many tasks were measured; of a silence, how many were expected.
    pub samples: u64,
    /// How unlikely it is by chance, in standard deviations of a normal distribution.
    pub score: f64,
}

impl Anomaly {
    /// The anomaly in words, without its series and its day: `median duration: 4.1 s, expected 2.0 s
    /// (1.6 s to 2.6 s by chance; 143 tasks, score 6.9)`.
    pub fn evidence(&self) -> String {
        let Anomaly { metric, value, expected, low, high, samples, score, .. } = self;
        let show = |value: &f64| show(*metric, *value);
        let tasks = figures::thousands((*samples).into());
        let what = match metric {
            Metric::Tokens => "tokens of a task:",
            Metric::Cost => "cost of a task:",
            Metric::Duration => "median duration:",
            Metric::Success => "of the tasks succeeded",
            Metric::Silence => {
                return format!("no tasks, where {tasks} were expected (score {score:.1})");
            }
        };
        let value = match metric {
            Metric::Success => format!("{} {what}", show(value)),
            _ => format!("{what} {}", show(value)),
        };
        let usual = match metric {
            Metric::Success => format!("not below {} by chance", show(low)),
            _ => format!("{} to {} by chance", show(low), show(high)),
        };
        let count = if *samples == 1 { "1 task".to_owned() } else { format!("{tasks} tasks") };
        format!("{value}, expected {} ({usual}; {count}, score {score:.1})", show(expected))
    }
}

/// A value in the unit of its metric.
fn show(metric: Metric, value: f64) -> String {
    // Casts saturate, and what is not a number becomes 0.
    let whole = value.round() as u128;
    match metric {
        Metric::Tokens => figures::rough(whole),
        // Cents are too coarse for a task.
        Metric::Cost if whole < 999_950 => format!("$0.{:04}", figures::divided(whole, 100)),
        Metric::Cost => figures::dollars(whole),
        Metric::Duration => figures::duration(whole),
        Metric::Success => figures::percent_tenths((value * 1e6).round() as u128, 1_000_000),
        Metric::Silence => figures::thousands(whole),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::series::Source;

    fn evidence(metric: Metric, [value, expected, low, high]: [f64; 4]) -> String {
        let (start, direction) = (Day(20_500), Direction::Above);
        let series = SeriesKey::all(Source::Ledger);
        let (last, found, is_open, samples, score) = (start, start, true, 1_143, 6.94);
        Anomaly {
            series,
            metric,
            direction,
            start,
            last,
            found,
            is_open,
            value,
            expected,
            low,
            high,
            samples,
            score,
        }
        .evidence()
    }

    #[test]
    fn the_evidence_is_told_in_the_unit_of_the_metric() {
        assert_eq!(
            evidence(Metric::Duration, [4_100.0, 2_000.0, 1_560.0, 2_610.0]),
            "median duration: 4.1 s, expected 2.0 s (1.6 s to 2.6 s by chance; 1,143 tasks, score 6.9)"
        );
        assert_eq!(
            evidence(Metric::Cost, [1_240_000.0, 77_016.0, 45_150.0, 999_949.0]),
            "cost of a task: $1.24, expected $0.0770 ($0.0452 to $0.9999 by chance; 1,143 tasks, score 6.9)"
        );
        assert_eq!(
            evidence(Metric::Tokens, [8_709.0, 5_637.4, 3_664.0, 8_671.0]),
            "tokens of a task: 8,709, expected 5,637 (3,664 to 8,671 by chance; 1,143 tasks, score 6.9)"
        );
        assert_eq!(
            evidence(Metric::Success, [0.784, 0.912, 0.866, 1.0]),
            "78.4 % of the tasks succeeded, expected 91.2 % (not below 86.6 % by chance; 1,143 tasks, score 6.9)"
        );
        assert_eq!(
            evidence(Metric::Silence, [0.0, 1_143.2, 1.0, f64::INFINITY]),
            "no tasks, where 1,143 were expected (score 6.9)"
        );
    }
}
