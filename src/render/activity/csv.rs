//! Activity → one CSV table, a line for everything that has a name: raw for programs, or so that a
//! spreadsheet takes text for text. What a line has no figure for is empty.

use crate::render::csv::guarded;
use crate::render::tables::key_text;
use crate::report::activity::periods::Period;
use crate::report::activity::split::{Choice, Command, Name};
use crate::report::activity::tally::Outcomes;
use crate::report::activity::weight::Lengths;
use crate::report::activity::{Activity, Agent, Flow, Strategy};
use crate::report::dimension::Dimension;

const COLUMNS: [&str; 22] = [
    "group",
    "key",
    "role",
    "identities",
    "new_identities",
    "sessions",
    "events",
    "rows",
    "count",
    "begun",
    "completed",
    "failed",
    "known",
    "successes",
    "success_rate",
    "duration_ms_mean",
    "duration_ms_p50",
    "duration_ms_p95",
    "duration_ms_max",
    "confidence_mean",
    "attempts_mean",
    "memory_bytes_max",
];

/// The columns whose texts are the events' own.
const TEXTS: [&str; 2] = ["key", "role"];

/// One line, figure by figure.
struct Line([String; COLUMNS.len()]);

impl Line {
    fn new(group: &str, key: String) -> Line {
        let mut line = Line(Default::default());
        line.put("group", group);
        line.put("key", key);
        line
    }

    fn put(&mut self, column: &str, figure: impl ToString) {
        if let Some(at) = COLUMNS.iter().position(|it| *it == column) {
            self.0[at] = figure.to_string();
        }
    }

    fn put_known(&mut self, column: &str, figure: Option<impl ToString>) {
        if let Some(figure) = figure {
            self.put(column, figure);
        }
    }

    fn lengths(&mut self, lengths: &Lengths) {
        self.put_known("duration_ms_mean", lengths.mean);
        self.put_known("duration_ms_p50", lengths.p50);
        self.put_known("duration_ms_p95", lengths.p95);
        self.put_known("duration_ms_max", lengths.max);
    }

    fn ends(&mut self, outcomes: &Outcomes) {
        self.put("known", outcomes.known);
        self.put("successes", outcomes.successes);
        let rate = outcomes.successes as f64 / outcomes.known as f64;
        self.put_known("success_rate", (outcomes.known > 0).then_some(rate));
        self.lengths(&outcomes.durations);
    }

    fn flow(mut self, flow: &Flow) -> Line {
        self.put("begun", flow.begun);
        self.put("completed", flow.completed);
        self.put("failed", flow.failed);
        self.ends(&flow.ends);
        self
    }
}

/// The activity as CSV for programs: every name just as it is.
pub fn render(activity: &Activity) -> String {
    table(&lines(activity), &COLUMNS.map(str::to_owned), csv::WriterBuilder::new())
}

/// The activity as CSV for a spreadsheet: text is in quotes, and what would be run as a formula has
/// an apostrophe before it. Numbers are never changed.
pub fn render_for_spreadsheet(activity: &Activity) -> String {
    let columns = COLUMNS.map(|name| match TEXTS.contains(&name) {
        true => format!("{name}_for_spreadsheet"),
        false => name.to_owned(),
    });
    let mut lines = lines(activity);
    for line in &mut lines {
        for (name, field) in COLUMNS.iter().zip(&mut line.0) {
            if TEXTS.contains(name) {
                *field = guarded(std::mem::take(field));
            }
        }
    }
    let mut builder = csv::WriterBuilder::new();
    builder.quote_style(csv::QuoteStyle::NonNumeric);
    table(&lines, &columns, builder)
}

fn lines(activity: &Activity) -> Vec<Line> {
    let mut lines = vec![total(activity)];
    let periods = &activity.periods;
    for (group, dimension, periods) in [
        ("day", Dimension::Day, &periods.days),
        ("week", Dimension::Week, &periods.weeks),
        ("month", Dimension::Month, &periods.months),
    ] {
        lines.extend(periods.iter().map(|it| period(group, dimension, it)));
    }
    let mut sessions = Line::new("sessions", String::new());
    sessions.put("sessions", activity.sessions.count);
    sessions.lengths(&activity.sessions.lengths);
    lines.push(sessions);
    lines.extend(activity.names.iter().map(|(name, events)| {
        let mut line = Line::new("event", name.to_string());
        line.put("events", events);
        line
    }));
    let min = activity.identities_min;
    lines.extend(activity.commands.iter().map(|it| command("command", it, min)));
    let of_roles = activity.commands_by_role.iter();
    lines.extend(of_roles.map(|it| command("role_and_command", it, min)));
    lines.extend(activity.roles.iter().map(|it| role(it, min)));
    lines.extend(activity.agents.iter().map(agent));
    for (name, flow) in [("handoffs", &activity.handoffs), ("workflows", &activity.workflows)] {
        lines.extend((!flow.is_none()).then(|| Line::new(name, String::new()).flow(flow)));
    }
    lines.extend(activity.strategies.iter().flat_map(strategy));
    lines
}

fn table(lines: &[Line], columns: &[String], builder: csv::WriterBuilder) -> String {
    let mut writer = builder.from_writer(Vec::new());
    // Writing to memory cannot fail.
    let _ = writer.write_record(columns);
    lines.iter().for_each(|line| drop(writer.write_record(&line.0)));
    let bytes = writer.into_inner().unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}

fn total(activity: &Activity) -> Line {
    let mut line = Line::new("total", "all".to_owned());
    line.put("identities", activity.identities);
    line.put("sessions", activity.sessions.count);
    line.put("events", activity.selected.events);
    line.put("rows", activity.selected.rows);
    line
}

fn period(group: &str, dimension: Dimension, period: &Period) -> Line {
    let mut line = Line::new(group, key_text(dimension, period.number));
    line.put("identities", period.active);
    line.put("new_identities", period.new);
    line.put("sessions", period.sessions);
    line.put("events", period.counts.events);
    line.put("rows", period.counts.rows);
    line
}

fn key(name: &Name) -> String {
    match name {
        Name::Known(name) => name.to_string(),
        Name::None => "(none)".to_owned(),
        Name::Others(names) => format!("({names} folded)"),
    }
}

fn command(group: &str, command: &Command, identities_min: u64) -> Line {
    let mut line = Line::new(group, key(&command.name));
    line.put_known("role", command.role.as_ref().map(key));
    match &command.runs {
        Some(runs) => {
            line.put("count", runs.count);
            line.ends(runs);
        }
        None if command.is_of_few => line.put("identities", format!("<{identities_min}")),
        None => {}
    }
    line
}

fn role(choice: &Choice, identities_min: u64) -> Line {
    let mut line = Line::new("role", key(&choice.name));
    match &choice.chosen {
        Some(chosen) => {
            line.put("identities", chosen.identities);
            line.put("count", chosen.times);
        }
        None => line.put("identities", format!("<{identities_min}")),
    }
    line
}

fn agent(agent: &Agent) -> Line {
    let name = agent.name.as_deref().unwrap_or("(none)");
    let mut line = Line::new("agent", name.to_owned()).flow(&agent.flow);
    line.put("rows", agent.rows);
    line
}

fn strategy(strategy: &Strategy) -> Vec<Line> {
    let name = strategy.name.as_deref().unwrap_or("(none)");
    let mut line = Line::new("strategy", name.to_owned());
    line.put("count", strategy.outcomes.count);
    line.ends(&strategy.outcomes);
    line.put_known("confidence_mean", strategy.confidence.map(|it| it as f64 / 1e6));
    line.put_known("attempts_mean", strategy.attempts.map(|it| it as f64 / 1e3));
    line.put_known("memory_bytes_max", strategy.memory_max);
    let errors = strategy.errors.iter().map(|(kind, times)| {
        let mut line = Line::new("error", format!("{name}: {kind}"));
        line.put("count", times);
        line
    });
    std::iter::once(line).chain(errors).collect()
}
