//! One rule: what the settings say of it → what is to be judged. A mistake is told with its place.

use std::fmt;
use std::time::Duration;

use serde::Deserialize;
use serde::de::{self, Deserializer, Visitor};
use toml::Spanned;
use wildmatch::WildMatch;

use crate::alert::amount::{Amount, ONE, Unit};
use crate::alert::metric::{By, Metric, Store};
use crate::alert::severity::Severity;

/// More rules nobody reads.
pub const RULES_MAX: usize = 200;

/// A rule's name stands in every line about it.
const NAME_BYTES_MAX: usize = 32;

/// A rate or a percentile of fewer tasks says more than is known.
pub const SAMPLES_MIN: u64 = 20;

/// A trailing window is at most a year.
const WINDOW_DAYS_MAX: u32 = 366;

/// Who is told of an alert is told again a day later.
pub const COOLDOWN: Duration = Duration::from_secs(86_400);

/// A table `[[alert]]` as it stands in the settings.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    name: Spanned<String>,
    source: Option<Spanned<String>>,
    metric: Spanned<String>,
    by: Option<Spanned<String>>,
    only: Option<String>,
    window: Option<Spanned<String>>,
    #[serde(default, deserialize_with = "given")]
    above: Option<Spanned<Given>>,
    #[serde(default, deserialize_with = "given")]
    below: Option<Spanned<Given>>,
    change: Option<Spanned<String>>,
    min_samples: Option<u64>,
    severity: Option<Spanned<String>>,
    cooldown: Option<Spanned<String>>,
}

/// A limit as written: a number, or a number with its unit in quotes.
#[derive(Clone, Debug, PartialEq)]
struct Given(String);

impl<'de> Deserialize<'de> for Given {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Given, D::Error> {
        struct Anything;
        impl Visitor<'_> for Anything {
            type Value = Given;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number such as 50, or one with its unit such as \"$50\"")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Given, E> {
                Ok(Given(text.to_owned()))
            }
            fn visit_i64<E: de::Error>(self, number: i64) -> Result<Given, E> {
                Ok(Given(number.to_string()))
            }
            fn visit_f64<E: de::Error>(self, number: f64) -> Result<Given, E> {
                Ok(Given(number.to_string()))
            }
        }
        deserializer.deserialize_any(Anything)
    }
}

fn given<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Spanned<Given>>, D::Error> {
    Spanned::<Given>::deserialize(deserializer).map(Some)
}

/// The days that are judged together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Window {
    /// A calendar day.
    Day,
    /// An ISO week.
    Week,
    /// A calendar month.
    Month,
    /// So many days that end with each day.
    Days(u32),
}

impl Window {
    /// Reads `day`, `week`, `month` or a number of days such as `7d`.
    pub fn parse(text: &str) -> Option<Window> {
        let days = || text.strip_suffix('d')?.parse::<u32>().ok();
        match text {
            "day" => Some(Window::Day),
            "week" => Some(Window::Week),
            "month" => Some(Window::Month),
            _ => days().filter(|it| (1..=WINDOW_DAYS_MAX).contains(it)).map(Window::Days),
        }
    }

    /// As the settings have it.
    pub fn name(self) -> String {
        match self {
            Window::Day => "day".to_owned(),
            Window::Week => "week".to_owned(),
            Window::Month => "month".to_owned(),
            Window::Days(days) => format!("{days}d"),
        }
    }
}

/// What is a breach; the limit itself is none. All in millionths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// More than that.
    Above(i128),
    /// Less than that.
    Below(i128),
    /// A change from the window before, beyond that to its side: a part of what it was.
    Change(i128),
    /// The same in points of a share.
    Points(i128),
}

impl Limit {
    /// In words, behind a value: `above $50.00`, `+30 %`.
    pub fn words(self, unit: Unit) -> String {
        let text = |millionths| Amount { unit, millionths }.text();
        match self {
            Limit::Above(limit) => format!("above {}", text(limit)),
            Limit::Below(limit) => format!("below {}", text(limit)),
            Limit::Change(_) | Limit::Points(_) => self.change_words(),
        }
    }

    fn change_words(self) -> String {
        let (millionths, unit) = match self {
            Limit::Points(by) => (by, "pt"),
            Limit::Change(by) | Limit::Above(by) | Limit::Below(by) => (by, "%"),
        };
        change_words(millionths, unit)
    }

    /// How far a value is from the one before, in the words of the limit.
    pub fn distance_words(self, millionths: i128) -> String {
        change_words(millionths, if matches!(self, Limit::Points(_)) { "pt" } else { "%" })
    }

    /// The side on which a breach lies: whether beyond a larger value.
    pub fn is_upwards(self) -> bool {
        match self {
            Limit::Above(_) => true,
            Limit::Below(_) => false,
            Limit::Change(by) | Limit::Points(by) => by >= 0,
        }
    }

    /// Whether it is of a change.
    pub fn is_change(self) -> bool {
        matches!(self, Limit::Change(_) | Limit::Points(_))
    }
}

/// Hundredths with a sign: `+30 %`, `-15 pt`, `+2.5 %`.
fn change_words(millionths: i128, unit: &str) -> String {
    let sign = if millionths < 0 { "-" } else { "+" };
    let size =
        Amount { unit: Unit::Plain, millionths: millionths.saturating_abs() / 1_000 * 100_000 };
    format!("{sign}{} {unit}", size.text())
}

/// One rule.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    /// What it is called; no two have the same name.
    pub name: String,
    /// Where its figures come from.
    pub store: Store,
    /// What it looks at.
    pub metric: Metric,
    /// By what its series are told apart.
    pub by: By,
    /// Only series whose name matches; all where there is none.
    pub only: Option<WildMatch>,
    /// Which days are judged together.
    pub window: Window,
    /// What is a breach.
    pub limit: Limit,
    /// Fewer tasks or events in a window say nothing.
    pub min_samples: u64,
    /// How bad a breach is.
    pub severity: Severity,
    /// Who is told of it is told again after that.
    pub cooldown: Duration,
}

/// A mistake: where in the text, and what.
pub type Mistake = (usize, String);

impl Rule {
    /// A limit that was typed, for all rows together.
    pub fn typed(option: &str, metric: Metric, limit: Limit, min_samples: u64) -> Rule {
        Rule {
            name: option.to_owned(),
            store: Store::Ledger,
            metric,
            by: By::None,
            only: None,
            window: Window::Day,
            limit,
            min_samples,
            severity: Severity::Error,
            cooldown: COOLDOWN,
        }
    }

    /// Reads the tables of the settings.
    ///
    /// # Errors
    /// The first mistake.
    pub fn all(entries: Vec<Entry>) -> Result<Vec<Rule>, Mistake> {
        if let Some(entry) = entries.get(RULES_MAX) {
            let problem = format!("more than {RULES_MAX} alerts");
            return Err((entry.name.span().start, problem));
        }
        let mut rules: Vec<Rule> = Vec::with_capacity(entries.len());
        for entry in entries {
            let at = entry.name.span().start;
            let rule = Rule::of(entry)?;
            if rules.iter().any(|it| it.name == rule.name) {
                let problem = format!("name: \"{}\" is the name of another alert, too", rule.name);
                return Err((at, problem));
            }
            rules.push(rule);
        }
        Ok(rules)
    }

    fn of(entry: Entry) -> Result<Rule, Mistake> {
        let name_at = entry.name.span().start;
        let name = entry.name.into_inner();
        let is_name = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        if !(1..=NAME_BYTES_MAX).contains(&name.len()) || !name.chars().all(is_name) {
            let allowed = "1 to 32 of A-Z a-z 0-9 - _ .";
            return Err((name_at, format!("name: \"{name}\" is not {allowed}")));
        }
        let store = match &entry.source {
            None => Store::Ledger,
            Some(text) => one_of("source", text, &Store::ALL.map(|it| (it.name(), it)))?,
        };
        let metric = Metric::parse(entry.metric.get_ref(), store).map_err(|names| {
            let given = entry.metric.get_ref();
            let of = store.name();
            let problem = format!("metric: \"{given}\" is not one of those of {of}: {names}");
            (entry.metric.span().start, problem)
        })?;
        let by = match &entry.by {
            None => By::None,
            Some(text) => one_of("by", text, By::all(store))?,
        };
        if entry.only.is_some() && by == By::None {
            return Err((
                name_at,
                "only: names series, and there is no by to tell them apart".into(),
            ));
        }
        let window = match &entry.window {
            None => Window::Days(7),
            Some(text) => Window::parse(text.get_ref()).ok_or_else(|| {
                let allowed = "day, week, month or a number of days such as 7d";
                refuse("window", text, allowed)
            })?,
        };
        let severity = match &entry.severity {
            None => Severity::Warning,
            Some(text) => one_of("severity", text, &Severity::ALL.map(|it| (it.name(), it)))?,
        };
        let cooldown = match &entry.cooldown {
            None => COOLDOWN,
            Some(text) => humantime::parse_duration(text.get_ref())
                .map_err(|_| refuse("cooldown", text, "an age such as 1h or 7d"))?,
        };
        let limit = match (&entry.above, &entry.below, &entry.change) {
            (Some(text), None, None) => Limit::Above(amount("above", text, &metric)?),
            (None, Some(text), None) => Limit::Below(amount("below", text, &metric)?),
            (None, None, Some(text)) => change(text, metric.unit())
                .ok_or_else(|| refuse("change", text, changes(metric.unit())))?,
            _ => return Err((name_at, "an alert has one of above, below and change".to_owned())),
        };
        let usual = if metric.is_sum() { 0 } else { SAMPLES_MIN };
        let min_samples = entry.min_samples.unwrap_or(usual);
        let only = entry.only.as_deref().map(WildMatch::new);
        Ok(Rule { name, store, metric, by, only, window, limit, min_samples, severity, cooldown })
    }
}

fn refuse(field: &str, given: &Spanned<String>, allowed: &str) -> Mistake {
    (given.span().start, format!("{field}: \"{}\" is not {allowed}", given.get_ref()))
}

fn one_of<T: Copy>(
    field: &str,
    given: &Spanned<String>,
    all: &[(&'static str, T)],
) -> Result<T, Mistake> {
    let found = all.iter().find(|(name, _)| name == given.get_ref()).map(|(_, it)| *it);
    let names = || all.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
    found.ok_or_else(|| refuse(field, given, &format!("one of {}", names())))
}

fn amount(field: &str, given: &Spanned<Given>, metric: &Metric) -> Result<i128, Mistake> {
    let Given(text) = given.get_ref();
    metric.unit().parse(text).map_err(|allowed| {
        let problem = format!("{field}: \"{text}\" is not {allowed}, as {} needs", metric.name());
        (given.span().start, problem)
    })
}

fn changes(unit: Unit) -> &'static str {
    match unit {
        Unit::Share => "a change such as \"-15pt\" or \"+30%\", with its sign",
        _ => "a change such as \"+30%\" or \"-20%\", with its sign",
    }
}

fn change(given: &Spanned<String>, unit: Unit) -> Option<Limit> {
    let text = given.get_ref().trim();
    let (sign, rest) = match text.strip_prefix('+') {
        Some(rest) => (1, rest),
        None => (-1, text.strip_prefix('-')?),
    };
    let number = |text: &str| {
        Unit::Plain.parse(text.trim_end()).ok().filter(|it| (0..=1_000_000 * ONE).contains(it))
    };
    match rest.strip_suffix('%') {
        Some(percent) => Some(Limit::Change(sign * number(percent)? / 100)),
        None => {
            let points = rest.strip_suffix("pt").filter(|_| unit == Unit::Share)?;
            Some(Limit::Points(sign * number(points)? / 100))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Deserialize)]
    struct Settings {
        alert: Vec<Entry>,
    }

    fn read(text: &str) -> Result<Vec<Rule>, Mistake> {
        let settings: Settings = toml::from_str(text).unwrap();
        Rule::all(settings.alert)
    }

    #[test]
    fn a_rule_is_what_its_table_says() {
        let rules = read(
            "[[alert]]\nname = \"budget\"\nmetric = \"cost\"\nwindow = \"month\"\nabove = 50\n\
             severity = \"critical\"\ncooldown = \"1h\"\n\
             [[alert]]\nname = \"drop\"\nsource = \"events\"\nmetric = \"success_rate\"\n\
             by = \"strategy\"\nonly = \"split*\"\nchange = \"-15pt\"\nmin_samples = 7\n",
        )
        .unwrap();
        let [budget, drop] = &rules[..] else { panic!("{rules:?}") };
        assert_eq!((budget.limit, budget.window), (Limit::Above(50 * ONE), Window::Month));
        assert_eq!((budget.severity, budget.min_samples), (Severity::Critical, 0));
        assert_eq!(budget.cooldown, Duration::from_secs(3_600));
        assert_eq!((drop.limit, drop.window), (Limit::Points(-150_000), Window::Days(7)));
        assert_eq!((drop.severity, drop.min_samples), (Severity::Warning, 7));
        assert!(drop.only.as_ref().is_some_and(|it| it.matches("split-2")));
        assert_eq!(drop.limit.words(Unit::Share), "-15 pt");
        assert_eq!(Limit::Change(300_000).words(Unit::Count), "+30 %");
        assert_eq!(budget.limit.words(Unit::Money), "above $50.00");
    }

    #[test]
    fn a_mistake_is_told_where_it_stands() {
        for (lines, problem) in [
            ("metric = \"toknes\"\nabove = 1", "metric: \"toknes\" is not one of those of ledger"),
            ("metric = \"cost\"", "an alert has one of above, below and change"),
            ("metric = \"cost\"\nabove = 1\nbelow = 2", "an alert has one of"),
            (
                "metric = \"cost\"\nabove = \"a lot\"",
                "above: \"a lot\" is not an amount in dollars",
            ),
            ("metric = \"success_rate\"\nbelow = 80", "below: \"80\" is not a share such as 80%"),
            ("metric = \"cost\"\nchange = \"30%\"", "change: \"30%\" is not a change such as"),
            ("metric = \"cost\"\nchange = \"-15pt\"", "change: \"-15pt\" is not a change such as"),
            ("metric = \"cost\"\nabove = 1\nwindow = \"400d\"", "window: \"400d\" is not day,"),
            (
                "metric = \"cost\"\nabove = 1\nby = \"strategy\"",
                "by: \"strategy\" is not one of none, model",
            ),
            ("metric = \"cost\"\nabove = 1\nonly = \"x\"", "only: names series"),
            (
                "metric = \"cost\"\nabove = 1\nseverity = \"bad\"",
                "severity: \"bad\" is not one of info",
            ),
            (
                "metric = \"cost\"\nabove = 1\ncooldown = \"soon\"",
                "cooldown: \"soon\" is not an age",
            ),
        ] {
            let (at, told) = read(&format!("[[alert]]\nname = \"x\"\n{lines}\n")).unwrap_err();
            assert!(told.starts_with(problem), "{told}");
            assert!(at > 0);
        }
        let twice = "[[alert]]\nname = \"x\"\nmetric = \"cost\"\nabove = 1\n".repeat(2);
        assert!(read(&twice).unwrap_err().1.contains("another alert, too"));
        assert!(read("[[alert]]\nname = \"a b\"\nmetric = \"cost\"\nabove = 1\n").is_err());
    }
}
