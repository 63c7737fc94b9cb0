//! One rule: what the settings say of it → what is to be judged. A mistake is told with its place.

use std::fmt;
use std::time::Duration;

use serde::Deserialize;
use serde::de::{self, Deserializer, MapAccess, SeqAccess, Visitor};
use toml::Spanned;
use wildmatch::WildMatch;

use crate::alert::limit::{Given, Limit, Mistake, given};
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
    only: Option<Spanned<String>>,
    window: Option<Spanned<String>>,
    #[serde(default, deserialize_with = "given")]
    above: Option<Spanned<Given>>,
    #[serde(default, deserialize_with = "given")]
    below: Option<Spanned<Given>>,
    #[serde(default, deserialize_with = "given")]
    change: Option<Spanned<Given>>,
    min_samples: Option<u64>,
    severity: Option<Spanned<String>>,
    cooldown: Option<Spanned<String>>,
}

/// The tables `[[alert]]` of the settings.
///
/// # Errors
/// What is none of them, by its name in the settings.
pub fn entries<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Entry>, D::Error> {
    struct Tables;
    impl<'de> Visitor<'de> for Tables {
        type Value = Vec<Entry>;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a table [[alert]]")
        }
        fn visit_seq<A: SeqAccess<'de>>(self, mut tables: A) -> Result<Vec<Entry>, A::Error> {
            let mut entries = Vec::new();
            while let Some(entry) = tables.next_element()? {
                entries.push(entry);
            }
            Ok(entries)
        }
        fn visit_map<A: MapAccess<'de>>(self, _: A) -> Result<Vec<Entry>, A::Error> {
            Err(de::Error::custom("alert: there may be several, so each is headed [[alert]]"))
        }
    }
    deserializer.deserialize_any(Tables)
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
            let problem = match Store::ALL.into_iter().find(|it| Metric::parse(given, *it).is_ok())
            {
                Some(other) => format!("is of source = \"{}\"", other.name()),
                None => format!("is not one of those of {}: {names}", store.name()),
            };
            (entry.metric.span().start, format!("metric: \"{given}\" {problem}"))
        })?;
        let by = match &entry.by {
            None => By::None,
            Some(text) => one_of("by", text, By::all(store))?,
        };
        if let Some(only) = entry.only.as_ref().filter(|_| by == By::None) {
            let problem = "only: names series, and there is no by to tell them apart";
            return Err((only.span().start, problem.to_owned()));
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
        let given = [
            entry.above.as_ref().map(|it| ("above", it)),
            entry.below.as_ref().map(|it| ("below", it)),
            entry.change.as_ref().map(|it| ("change", it)),
        ];
        let limit = match given.into_iter().flatten().collect::<Vec<_>>()[..] {
            [] => {
                let problem = format!("the alert \"{name}\" has no above, below or change");
                return Err((name_at, problem));
            }
            [(field, text)] => Limit::read(field, text, &metric)?,
            [(one, _), (other, text), ..] => {
                let problem = format!("{other}: an alert has one limit, and this one has {one}");
                return Err((text.span().start, problem));
            }
        };
        let usual = if metric.is_sum() { 0 } else { SAMPLES_MIN };
        let min_samples = entry.min_samples.unwrap_or(usual);
        let only = entry.only.map(|it| WildMatch::new(it.get_ref()));
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::amount::{ONE, Unit};

    #[derive(Debug, Deserialize)]
    struct Settings {
        #[serde(deserialize_with = "entries")]
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
            ("metric = \"cost\"", "the alert \"x\" has no above, below or change"),
            ("metric = \"cost\"\nabove = 1\nbelow = 2", "below: an alert has one limit"),
            ("metric = \"metric:x\"\nabove = 1", "metric: \"metric:x\" is of source = \"events\""),
            (
                "metric = \"success_rate\"\nabove = \"100%\"",
                "above: \"100%\" can never be exceeded",
            ),
            ("metric = \"tasks\"\nbelow = 0", "below: \"0\" can never be undercut"),
            ("metric = \"cost\"\nchange = \"-100%\"", "change: \"-100%\" can never be"),
            ("metric = \"error_rate\"\nchange = \"+100pt\"", "change: \"+100pt\" can never be"),
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
        let single = toml::from_str::<Settings>("[alert]\nname = \"x\"\n").unwrap_err();
        assert_eq!(single.message(), "alert: there may be several, so each is headed [[alert]]");
        let twice = "[[alert]]\nname = \"x\"\nmetric = \"cost\"\nabove = 1\n".repeat(2);
        assert!(read(&twice).unwrap_err().1.contains("another alert, too"));
        assert!(read("[[alert]]\nname = \"a b\"\nmetric = \"cost\"\nabove = 1\n").is_err());
    }
}
