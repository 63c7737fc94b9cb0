//! A rule and one of its series → when it was broken, from the newest window back.

use crate::alert::amount::Ratio;
use crate::alert::limit::Limit;
use crate::alert::rule::{Rule, Window};
use crate::report::alert::figures::Figure;
use crate::timestamp::Day;

/// A weekend or a holiday, of which too little is known, ends no breach.
pub const SILENT_DAYS_MAX: i32 = 7;

/// A stray row of another century must not make windows of a million days.
const WINDOWS_MAX: usize = 4_000;

/// Days from one to the other.
pub type Days = (Day, Day);

/// The figure of a series from one day to the other.
pub type Read<'a> = dyn Fn(Day, Day) -> Figure + 'a;

/// A breach, however long it goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Episode {
    /// The first window that broke the rule.
    pub first: Days,
    /// The first day on whose evening that was seen.
    pub since: Day,
    /// The last window that did.
    pub last: Days,
    /// Its figure.
    pub value: Ratio,
    /// How many tasks or events say so.
    pub samples: u64,
    /// The figure of the window before it, where the rule is of a change.
    pub before: Option<Ratio>,
    /// Whether it goes on, as far as is known.
    pub is_open: bool,
    /// Whether it goes back to where records begin: it may have begun before.
    pub is_from_start: bool,
}

/// What is known of one series.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Judged {
    /// Its breaches, the newest first.
    pub episodes: Vec<Episode>,
    /// Why no window could be judged; None where one could.
    pub unknown: Option<Unknown>,
}

/// Why a window cannot be judged: the further down, the less is lacking.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Unknown {
    /// It is not over, or begins before records do.
    NotWhole,
    /// Nothing was measured; of cost, nothing has a price.
    NoValue,
    /// So few tasks or events say nothing.
    TooFew(u64),
    /// Too little is known of the window before it.
    NoneBefore,
    /// The window before it came to nothing, so there is no part of it by which it changed.
    FromNothing,
}

enum Verdict {
    Unknown(Unknown),
    Fine { samples: u64 },
    Breach { value: Ratio, samples: u64, before: Option<Ratio> },
}

/// Judges the windows of a series in a store whose records are of these days: all of them, or only
/// as far back as the breach that goes on.
pub fn judge(rule: &Rule, span: Days, read: &Read<'_>, is_whole: bool) -> Judged {
    let mut judged = Judged::default();
    // A new month has a new budget: what is broken in two of them is broken twice.
    let is_anew = rule.metric.is_sum() && matches!(rule.window, Window::Week | Window::Month);
    let mut current: Option<Episode> = None;
    let mut may_be_open = true;
    let mut silent_days = 0;
    let (mut unknown, mut is_known) = (None, false);
    let mut window = Some(newest(rule.window, span.1));
    for _ in 0..WINDOWS_MAX {
        let Some(days) = window.filter(|(_, to)| *to >= span.0) else { break };
        let earlier = before(rule.window, days);
        // The next of those that move by a day ends a day before.
        let next = match rule.window {
            Window::Days(_) => (Day(days.0.0 - 1), Day(days.1.0 - 1)),
            _ => earlier,
        };
        window = Some(next);
        match verdict(rule, span, days, days.1, read) {
            Verdict::Unknown(why) => {
                unknown = unknown.max(Some(why));
                silent_days += days.1.0 - next.1.0;
                let is_bridged = silent_days <= SILENT_DAYS_MAX.max(days.1.0 - next.1.0);
                if !is_bridged {
                    let begin = if rule.limit.is_change() { earlier.0 } else { days.0 };
                    let is_from_start = begin < span.0 && !is_anew;
                    judged
                        .episodes
                        .extend(current.take().map(|it| Episode { is_from_start, ..it }));
                    may_be_open = false;
                }
            }
            Verdict::Fine { samples } => {
                // That nothing cost nothing tells nothing of what has no price.
                is_known |= samples > 0;
                judged.episodes.extend(current.take());
                (may_be_open, silent_days) = (false, 0);
            }
            Verdict::Breach { value, samples, before } => {
                is_known = true;
                silent_days = 0;
                let is_open = may_be_open;
                may_be_open = false;
                if is_anew {
                    judged.episodes.extend(current.take());
                }
                let episode = current.get_or_insert(Episode {
                    first: days,
                    since: days.1,
                    last: days,
                    value,
                    samples,
                    before,
                    is_open,
                    is_from_start: false,
                });
                episode.first = days;
            }
        }
        if !is_whole && !may_be_open && current.is_none() && is_known {
            break;
        }
    }
    let is_from_start = window.is_some_and(|(_, to)| to < span.0) && !is_anew;
    judged.episodes.extend(current.map(|it| Episode { is_from_start, ..it }));
    judged.unknown = unknown.filter(|_| !is_known);
    for episode in &mut judged.episodes {
        episode.since = seen(rule, span, episode.first, read);
    }
    judged
}

/// The first evening on which a window was seen to break the rule.
fn seen(rule: &Rule, span: Days, window: Days, read: &Read<'_>) -> Day {
    let (from, to) = (window.0, window.1.min(span.1));
    if matches!(rule.window, Window::Days(_)) {
        return to;
    }
    let is_seen = |evening: &i32| {
        matches!(verdict(rule, span, window, Day(*evening), read), Verdict::Breach { .. })
    };
    (from.0..=to.0).find(is_seen).map_or(to, Day)
}

/// What is known of a window on an evening.
fn verdict(rule: &Rule, span: Days, window: Days, evening: Day, read: &Read<'_>) -> Verdict {
    let is_sum = rule.metric.is_sum();
    let is_trailing = matches!(rule.window, Window::Days(_));
    // A sum that is not whole yet is too small: that says nothing against a limit from below, nor one
    // that begins before there were records.
    let is_against_less = !rule.limit.is_upwards();
    let is_over = is_trailing || evening >= window.1 && span.1 > window.1;
    if is_sum && is_against_less && !is_over {
        return Verdict::Unknown(Unknown::NotWhole);
    }
    let is_before_all = |days: Days| is_sum && days.0 < span.0;
    if is_against_less && is_before_all(window) {
        return Verdict::Unknown(Unknown::NotWhole);
    }
    let now = read(window.0, window.1.min(evening));
    let Some(value) = now.value else { return Verdict::Unknown(Unknown::NoValue) };
    if now.samples < rule.min_samples {
        return Verdict::Unknown(Unknown::TooFew(now.samples));
    }
    let mut then = None;
    let is_breach = match rule.limit {
        Limit::Above(limit) => value.is_above(limit),
        Limit::Below(limit) => value.is_below(limit),
        Limit::Change(by) | Limit::Points(by) => {
            let days = before(rule.window, window);
            let earlier = read(days.0, days.1);
            let known = earlier
                .value
                .filter(|_| earlier.samples >= rule.min_samples && !is_before_all(days));
            then = known;
            let Some(known) = known else { return Verdict::Unknown(Unknown::NoneBefore) };
            let change = match rule.limit {
                Limit::Points(_) => Some(value.distance_from(known)),
                _ => value.change_from(known),
            };
            let Some(change) = change else { return Verdict::Unknown(Unknown::FromNothing) };
            if by < 0 { change.is_below(by) } else { change.is_above(by) }
        }
    };
    match is_breach {
        true => Verdict::Breach { value, samples: now.samples, before: then },
        false => Verdict::Fine { samples: now.samples },
    }
}

/// The window that holds the newest day.
fn newest(window: Window, day: Day) -> Days {
    match window {
        Window::Day => (day, day),
        Window::Week => (day.monday(), Day(day.monday().0 + 6)),
        Window::Month => month(day),
        Window::Days(days) => (Day(day.0 - days as i32 + 1), day),
    }
}

/// The window before, of the same kind, that has no day in common with this one.
pub fn before(window: Window, (from, _): Days) -> Days {
    newest(window, Day(from.0 - 1))
}

/// The first and last day of the month.
fn month(day: Day) -> Days {
    let first = |day: Day| Day(day.0 - day.ymd().2 as i32 + 1);
    // Four days behind the 28th it is another month everywhere.
    let next = first(Day(first(day).0 + 31));
    (first(day), Day(next.0 - 1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::amount::ONE;
    use crate::alert::metric::Metric;
    use std::collections::BTreeMap;

    fn rule(metric: Metric, window: Window, limit: Limit) -> Rule {
        Rule { window, ..Rule::typed("x", metric, limit, 1) }
    }

    /// Days of figures: of a sum by adding them, of a rate by their mean; 1 is a Friday.
    fn told(rule: &Rule, figures: &[(i32, i128)]) -> Vec<(i32, i32, i32, bool)> {
        let days: BTreeMap<i32, i128> = figures.iter().copied().collect();
        let read = |from: Day, to: Day| {
            let within: Vec<i128> = days.range(from.0..=to.0).map(|(_, it)| *it).collect();
            let samples = within.len() as u64;
            let whole = if rule.metric.is_sum() { 1 } else { i128::from(samples.max(1)) };
            let part = within.iter().sum::<i128>();
            Figure { value: Some(Ratio { part, whole }), samples }
        };
        let span = (Day(figures[0].0), Day(figures[figures.len() - 1].0));
        let whole = judge(rule, span, &read, true);
        let open = judge(rule, span, &read, false);
        let is_open = |it: &&Episode| it.is_open;
        assert_eq!(whole.episodes.iter().find(is_open), open.episodes.iter().find(is_open));
        let of = |it: &Episode| (it.first.0.0, it.since.0, it.last.1.0, it.is_open);
        whole.episodes.iter().map(of).collect()
    }

    #[test]
    fn a_breach_lasts_from_its_first_window_to_its_last() {
        let above = rule(Metric::Cost, Window::Day, Limit::Above(10 * ONE));
        assert_eq!(told(&above, &[(1, 5), (2, 11), (3, 12), (4, 10)]), [(2, 2, 3, false)]);
        assert_eq!(told(&above, &[(1, 5), (2, 11), (3, 12)]), [(2, 2, 3, true)]);
        assert_eq!(
            told(&above, &[(1, 11), (2, 5), (3, 12), (4, 13)]),
            [(3, 3, 4, true), (1, 1, 1, false)]
        );
    }

    /// Of three days nothing is known; of a fortnight, it is over.
    #[test]
    fn silence_of_a_weekend_ends_nothing() {
        let rate = rule(Metric::DurationMean, Window::Day, Limit::Above(10 * ONE));
        assert_eq!(told(&rate, &[(1, 11), (5, 12)]), [(1, 1, 5, true)]);
        assert_eq!(told(&rate, &[(1, 11), (15, 12)]), [(15, 15, 15, true), (1, 1, 1, false)]);
    }

    #[test]
    fn a_week_is_broken_from_the_evening_on_which_it_was_seen() {
        // Day 4 is a Monday.
        assert_eq!(Day(4).weekday(), 0);
        let week = rule(Metric::Cost, Window::Week, Limit::Above(10 * ONE));
        assert_eq!(told(&week, &[(4, 6), (5, 4), (6, 1), (8, 1)]), [(4, 6, 10, true)]);
        let month = rule(Metric::Cost, Window::Month, Limit::Above(10 * ONE));
        assert_eq!(told(&month, &[(0, 6), (30, 5), (31, 1)]), [(0, 30, 30, false)]);
        let anew = [(31, 32, 58, true), (0, 0, 30, false)];
        assert_eq!(told(&month, &[(0, 11), (31, 6), (32, 5)]), anew);
    }

    /// On Monday every week has few tasks, and the first week of a ledger may be half a one.
    #[test]
    fn a_sum_that_is_not_whole_is_not_too_small() {
        let week = rule(Metric::Tasks, Window::Week, Limit::Below(10 * ONE));
        assert_eq!(told(&week, &[(6, 1), (11, 12), (18, 1)]), []);
        assert_eq!(told(&week, &[(4, 12), (11, 1), (18, 1)]), [(11, 17, 17, true)]);
        let days = rule(Metric::Tasks, Window::Days(3), Limit::Below(10 * ONE));
        assert_eq!(told(&days, &[(1, 1), (2, 12), (5, 1), (6, 1)]), [(3, 5, 6, true)]);
    }

    #[test]
    fn a_change_is_from_the_window_before() {
        let more = rule(Metric::Cost, Window::Week, Limit::Change(300_000));
        assert_eq!(told(&more, &[(4, 10), (11, 13), (18, 17)]), [(18, 18, 24, true)]);
        let less = rule(Metric::DurationMean, Window::Days(2), Limit::Change(-300_000));
        assert_eq!(told(&less, &[(1, 10), (2, 10), (3, 6), (4, 6)]), [(3, 4, 4, true)]);
    }

    #[test]
    fn months_have_their_own_days() {
        let days = |text: &str| {
            let (from, to) = month(Day::parse(text).unwrap());
            (from.to_string(), to.to_string())
        };
        assert_eq!(days("2028-02-29"), ("2028-02-01".into(), "2028-02-29".into()));
        assert_eq!(days("2026-12-31"), ("2026-12-01".into(), "2026-12-31".into()));
        let first = Day::parse("2026-03-01").unwrap();
        let (from, to) = before(Window::Month, month(first));
        assert_eq!((from.to_string(), to.to_string()), ("2026-02-01".into(), "2026-02-28".into()));
    }
}
