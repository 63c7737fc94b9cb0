//! Activity → sentences: the headline, and the notes that say how to read the figures.

use crate::figures::{self, counted};
use crate::render::activity::page::Page;
use crate::render::activity::tables::{DAYS_SHOWN, MONTHS_SHOWN, NAMES_SHOWN, WEEKS_SHOWN};
use crate::render::sentences;
use crate::report::activity::periods::Counts;
use crate::report::left_out::LeftOut;

/// What to type where no events are recorded.
const GRANT: &str = "`log-usage consent grant events`";

/// `12 active identities · 84 sessions · 1,234 events · 28 Sep – 20 Nov 2026`.
pub fn headline(page: &Page<'_>) -> String {
    let activity = page.activity;
    let identities = match activity.identities {
        1 => "1 active identity".to_owned(),
        n => format!("{} active identities", figures::thousands(n.into())),
    };
    let about = if activity.is_estimated { "about " } else { "" };
    let span = activity.span.map(sentences::span).unwrap_or_default();
    format!(
        "{identities} · {} · {about}{} · {span}",
        counted(activity.sessions.count, "session"),
        counted(activity.selected.events, "event"),
    )
}

/// What is said where nothing is selected.
pub fn nothing(page: &Page<'_>) -> String {
    let activity = page.activity;
    let Some((from, to)) = activity.stored_span else {
        return match page.events.unreadable + page.rows.unreadable {
            0 => format!("No activity yet: nothing is recorded without consent: {GRANT}."),
            _ => "Nothing can be read.".to_owned(),
        };
    };
    let when = if from == to { format!("of {from}") } else { format!("from {from} to {to}") };
    let holds = both(Counts { events: activity.lines_stored, ..activity.stored });
    let selection = sentences::title_text(&page.selection.join(" "));
    format!("Nothing matches. What is kept is {holds} {when}; {selection} leaves none.")
}

/// `1,234 events and 3 rows`.
fn both(counts: Counts) -> String {
    let (events, rows) = (counted(counts.events, "event"), counted(counts.rows, "row"));
    match counts {
        Counts { rows: 0, .. } => events,
        Counts { events: 0, .. } => rows,
        _ => format!("{events} and {rows}"),
    }
}

/// What must be known to read the figures right; only what applies.
pub fn notes(page: &Page<'_>) -> Vec<String> {
    let activity = page.activity;
    let mut notes = vec![identities(page)];
    notes.extend(apart(page));
    if activity.sessions.count > 0 {
        notes.push(sessions(page));
    }
    if !activity.commands.is_empty() {
        notes.push(
            "A run of a command is one, whether its beginning, its end or both are told of with \
             the same correlation; success is of runs whose outcome is known."
                .to_owned(),
        );
    }
    notes.extend(folded(page));
    notes.extend(estimated(page));
    notes.extend(cut(page));
    notes.extend(left_out(page));
    notes
}

/// Only what changes a figure; the Markdown explains the rest.
pub fn changing(page: &Page<'_>) -> Vec<String> {
    let granted = page.activity.lines_stored > 0 || page.events.unreadable > 0;
    let none = (!granted).then(|| format!("No events are recorded without consent: {GRANT}."));
    let min = page.activity.identities_min;
    let folded = folded(page)
        .filter(|_| min > 0)
        .map(|_| format!("Figures of a role are folded where they are of fewer than {min}."));
    let notes = [none, apart(page), folded, estimated(page), left_out(page)];
    notes.into_iter().flatten().collect()
}

fn identities(page: &Page<'_>) -> String {
    let activity = page.activity;
    let mut note = "Active identities are the distinct users of events and of rows, by calendar \
                    day of the record's own offset, ISO week and month. They are pseudonyms, one \
                    for each machine unless the team shares a key: not people. New ones were in \
                    nothing that is kept of the days before."
        .to_owned();
    if activity.identities == 0 {
        note += " None is recorded without consent: `log-usage consent grant events --identity`.";
    }
    if activity.lines_stored == 0 && page.events.unreadable == 0 {
        note += &format!(" There are no events, which are recorded only with consent: {GRANT}.");
    }
    if activity.periods.has_gaps {
        note += " Empty days are left out: there are thousands of them.";
    }
    note
}

fn apart(page: &Page<'_>) -> Option<String> {
    let activity = page.activity;
    let none = Counts::default();
    let mut parts = Vec::new();
    if activity.of_ci != none {
        parts.push(format!("{} by `ci`", both(activity.of_ci)));
    }
    if activity.of_nobody != none {
        parts.push(format!("{} without a user", both(activity.of_nobody)));
    }
    (!parts.is_empty()).then(|| format!("Apart, in no count of identities: {}.", parts.join("; ")))
}

fn sessions(page: &Page<'_>) -> String {
    let sessions = &page.activity.sessions;
    let mut note = "A session is as long as from its first to its last event or row that is \
                    selected; 0 where there is only one."
        .to_owned();
    let is_are = |n: u64| if n == 1 { "is" } else { "are" };
    if sessions.of_ci > 0 {
        let n = sessions.of_ci;
        note += &format!(" {} {} wholly of `ci`.", counted(n, "session"), is_are(n));
    }
    if (1..sessions.count).contains(&sessions.of_rows) {
        let n = sessions.of_rows;
        note += &format!(
            " {} {} known from rows alone; one that events call by another name counts twice.",
            counted(n, "session"),
            is_are(n),
        );
    }
    note
}

/// What was folded so that no figure is of too few.
fn folded(page: &Page<'_>) -> Option<String> {
    let activity = page.activity;
    let is_split = !activity.roles.is_empty() || !activity.commands_by_role.is_empty();
    let min = activity.identities_min;
    is_split.then(|| match min {
        0 => "Figures of a role are not folded, as all that is kept here is of one identity at most: \
              whoever passes this report on passes on what one person does."
            .to_owned(),
        _ => format!(
            "Figures of a role stand only where they are of at least {min} identities; others are \
             folded, and with them those from which they could be worked out (`[activity] \
             min_identities` in config.toml; at least 3)."
        ),
    })
}

/// What the figures do not hold, or hold only by guess.
fn estimated(page: &Page<'_>) -> Option<String> {
    let activity = page.activity;
    let dropped = activity.dropped;
    let mut parts = Vec::new();
    if activity.is_estimated {
        parts.push(format!(
            "Estimated: {} of sampled events stand for {}. Identities and sessions are those \
             that were seen: at least so many.",
            counted(activity.lines, "line"),
            figures::thousands(activity.selected.events.into()),
        ));
    }
    if dropped.sampled > 0 {
        parts.push(format!("{} left out by sampling.", counted(dropped.sampled, "event")));
    }
    let lost = [
        (dropped.limited, "beyond the limit of a minute"),
        (dropped.failed, "that the disk refused"),
    ];
    let lost = lost.into_iter().filter(|(events, _)| *events > 0);
    let lost: Vec<String> =
        lost.map(|(events, why)| format!("{} {why}", counted(events, "event"))).collect();
    if !lost.is_empty() {
        parts.push(format!("In no figure: {}.", lost.join(", ")));
    }
    (!parts.is_empty()).then(|| parts.join(" "))
}

/// That people see less than programs do.
fn cut(page: &Page<'_>) -> Option<String> {
    let activity = page.activity;
    let periods = &activity.periods;
    let is_cut = periods.days.len() > DAYS_SHOWN
        || periods.weeks.len() > WEEKS_SHOWN
        || periods.months.len() > MONTHS_SHOWN
        || [activity.commands.len(), activity.agents.len(), activity.strategies.len()]
            .iter()
            .any(|names| *names > NAMES_SHOWN);
    is_cut.then(|| {
        format!(
            "Shown are the newest {DAYS_SHOWN} days, {WEEKS_SHOWN} weeks and {MONTHS_SHOWN} \
             months, and the first {NAMES_SHOWN} names; `--format json` and `csv` have all."
        )
    })
}

/// What was not counted, where anything was.
pub fn left_out(page: &Page<'_>) -> Option<String> {
    let events = unreadable(page.events, "event");
    let rows = unreadable(page.rows, "row");
    let pruned = match page.rows.pruned {
        0 => None,
        rows => Some(format!("{}, pruned", counted(rows, "row"))),
    };
    let repeated = |left_out: &LeftOut, noun: &str| {
        let times = Some(left_out.repeated).filter(|times| *times > 0)?;
        Some(counted(times, &format!("repeated {noun}")))
    };
    let (events_again, rows_again) = (repeated(page.events, "event"), repeated(page.rows, "row"));
    let parts = [events, rows, events_again, rows_again, pruned];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    (!parts.is_empty()).then(|| format!("Left out: {}.", parts.join(", ")))
}

fn unreadable(left_out: &LeftOut, noun: &str) -> Option<String> {
    let lines = Some(left_out.unreadable).filter(|lines| *lines > 0)?;
    let named = sentences::places(left_out);
    Some(format!("{} ({named})", counted(lines, &format!("unreadable {noun}"))))
}
