//! What rules can look at, and by what they tell series apart.

use crate::alert::amount::Unit;

/// Where figures come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Store {
    /// Rows.
    Ledger,
    /// Events.
    Events,
}

impl Store {
    /// Both of them.
    pub const ALL: [Store; 2] = [Store::Ledger, Store::Events];

    /// The word for it in the settings.
    pub const fn name(self) -> &'static str {
        match self {
            Store::Ledger => "ledger",
            Store::Events => "events",
        }
    }
}

/// What is measured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Metric {
    /// Tasks.
    Tasks,
    /// Everything read and written.
    Tokens,
    /// Everything read.
    PromptTokens,
    /// Everything written.
    CompletionTokens,
    /// What rows cost.
    Cost,
    /// What a success cost.
    CostPerSuccess,
    /// Events.
    Count,
    /// The share that succeeded, of what is known.
    SuccessRate,
    /// The share that did not.
    ErrorRate,
    /// The mean duration.
    DurationMean,
    /// The middle one.
    DurationP50,
    /// 95 of 100 are no longer.
    DurationP95,
    /// The mean of a figure that events have.
    Figure(String),
}

/// What the names of figures of events begin with.
const FIGURE: &str = "metric:";

/// No figure of an event has a longer name.
const FIGURE_BYTES_MAX: usize = 64;

const OF_LEDGERS: [(&str, Metric); 11] = [
    ("tasks", Metric::Tasks),
    ("tokens", Metric::Tokens),
    ("prompt_tokens", Metric::PromptTokens),
    ("completion_tokens", Metric::CompletionTokens),
    ("cost", Metric::Cost),
    ("cost_per_success", Metric::CostPerSuccess),
    ("success_rate", Metric::SuccessRate),
    ("error_rate", Metric::ErrorRate),
    ("duration_mean", Metric::DurationMean),
    ("duration_p50", Metric::DurationP50),
    ("duration_p95", Metric::DurationP95),
];

const OF_EVENTS: [(&str, Metric); 6] = [
    ("count", Metric::Count),
    ("success_rate", Metric::SuccessRate),
    ("error_rate", Metric::ErrorRate),
    ("duration_mean", Metric::DurationMean),
    ("duration_p50", Metric::DurationP50),
    ("duration_p95", Metric::DurationP95),
];

impl Metric {
    /// The metric of that name.
    ///
    /// # Errors
    /// What is no metric of that store; gives the names that are.
    pub fn parse(text: &str, store: Store) -> Result<Metric, String> {
        let all: &[(&str, Metric)] = match store {
            Store::Ledger => &OF_LEDGERS,
            Store::Events => &OF_EVENTS,
        };
        if let Some((_, metric)) = all.iter().find(|(name, _)| *name == text) {
            return Ok(metric.clone());
        }
        let is_key = |b: u8| b.is_ascii_alphanumeric() || b"_-.".contains(&b);
        let figure = text.strip_prefix(FIGURE).filter(|it| it.bytes().all(is_key));
        let figure = figure.filter(|it| (1..=FIGURE_BYTES_MAX).contains(&it.len()));
        if let Some(figure) = figure.filter(|_| store == Store::Events) {
            return Ok(Metric::Figure(figure.to_owned()));
        }
        let mut names = all.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
        names += if store == Store::Events { ", metric:NAME" } else { "" };
        Err(names)
    }

    /// Its name in the settings.
    pub fn name(&self) -> String {
        if let Metric::Figure(name) = self {
            return format!("{FIGURE}{name}");
        }
        let mut all = OF_LEDGERS.iter().chain(&OF_EVENTS);
        all.find(|(_, it)| it == self).map_or_else(String::new, |(name, _)| (*name).to_owned())
    }

    /// How people call it.
    pub fn words(&self) -> String {
        let words = match self {
            Metric::Figure(name) => return format!("mean {name}"),
            Metric::Tasks => "tasks",
            Metric::Tokens => "tokens",
            Metric::PromptTokens => "prompt tokens",
            Metric::CompletionTokens => "completion tokens",
            Metric::Cost => "cost",
            Metric::CostPerSuccess => "cost per success",
            Metric::Count => "events",
            Metric::SuccessRate => "success rate",
            Metric::ErrorRate => "error rate",
            Metric::DurationMean => "mean duration",
            Metric::DurationP50 => "median duration",
            Metric::DurationP95 => "p95 duration",
        };
        words.to_owned()
    }

    /// What its limits are written in.
    pub fn unit(&self) -> Unit {
        use Metric::{Cost, CostPerSuccess, DurationMean, DurationP50, DurationP95};
        match self {
            Cost | CostPerSuccess => Unit::Money,
            Metric::SuccessRate | Metric::ErrorRate => Unit::Share,
            DurationMean | DurationP50 | DurationP95 => Unit::Duration,
            Metric::Figure(_) => Unit::Plain,
            _ => Unit::Count,
        }
    }

    /// Whether it grows with every task or event, so that a day that is not over has less of it.
    pub fn is_sum(&self) -> bool {
        matches!(
            self,
            Metric::Tasks
                | Metric::Tokens
                | Metric::PromptTokens
                | Metric::CompletionTokens
                | Metric::Cost
                | Metric::Count
        )
    }

    /// Whether it needs more of durations than their sum.
    pub fn is_percentile(&self) -> bool {
        matches!(self, Metric::DurationP50 | Metric::DurationP95)
    }
}

/// By what series are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// Nothing: one series.
    None,
    /// The model; of events, their attribute of that name.
    Model,
    /// The task type.
    TaskType,
    /// The name of events.
    Name,
    /// The agent.
    Agent,
    /// The attribute of events.
    Source,
    /// The attribute of events.
    Strategy,
}

impl By {
    /// What series of that store can be told apart by.
    pub const fn all(store: Store) -> &'static [(&'static str, By)] {
        match store {
            Store::Ledger => {
                &[("none", By::None), ("model", By::Model), ("task-type", By::TaskType)]
            }
            Store::Events => &[
                ("none", By::None),
                ("name", By::Name),
                ("model", By::Model),
                ("source", By::Source),
                ("strategy", By::Strategy),
                ("agent", By::Agent),
            ],
        }
    }

    /// Its name in the settings.
    pub fn name(self) -> &'static str {
        let mut all = Store::ALL.into_iter().flat_map(|store| By::all(store).iter());
        all.find(|(_, it)| *it == self).map_or("none", |(name, _)| name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back() {
        for (store, all) in [(Store::Ledger, &OF_LEDGERS[..]), (Store::Events, &OF_EVENTS[..])] {
            for (name, metric) in all {
                assert_eq!(Metric::parse(name, store).as_ref(), Ok(metric));
                assert_eq!(metric.name(), *name);
            }
        }
        let figure = Metric::parse("metric:confidence", Store::Events).unwrap();
        assert_eq!(
            (figure.name(), figure.words()),
            ("metric:confidence".into(), "mean confidence".into())
        );
        assert!(Metric::parse("metric:confidence", Store::Ledger).is_err());
        assert!(Metric::parse("metric:", Store::Events).is_err());
        assert!(Metric::parse("tokens", Store::Events).unwrap_err().ends_with("metric:NAME"));
        for store in Store::ALL {
            assert!(By::all(store).iter().all(|(name, by)| by.name() == *name));
        }
    }
}
