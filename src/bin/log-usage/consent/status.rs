//! `log-usage consent status`: what is in effect, who decided so, and what is where.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use serde_json::{Map, Value, json};
use usage_ledger::error::{Result, shown};
use usage_ledger::event;
use usage_ledger::notes;
use usage_ledger::privacy::capture;
use usage_ledger::privacy::consent::{
    Choice, Consent, EXPORT_STORES, IDENTITY_STORES, Level, Limit, Scope, Source, TEXT_VERSION,
};
use usage_ledger::privacy::record::Record;
use usage_ledger::row::COLUMNS;
use usage_ledger::workspace::Config;

use crate::consent::choices::Which;
use crate::consent::kept;
use crate::consent::told::{in_effect, switches};
use crate::user;
use crate::voice;

#[derive(Args)]
pub(super) struct Status {
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    which: Which,
}

/// What the JSON's readers may rely on.
const SCHEMA: &str = "log-usage-consent/1";

pub(super) fn run(options: &Status) -> Result<ExitCode> {
    let target = options.which.target()?;
    let config = Config::load(&target.place)?;
    let record = user::consent_record().map(|path| Record::load(&path)).transpose()?;
    let record = record.unwrap_or_default();
    let consent = user::consent_by(&target, &config, &record);
    let choice = record.applied(target.names());
    let paths = kept::paths(&target)?;
    // Of a ledger that is named they are kept elsewhere, by the settings there.
    let events = target.of_events()?;
    let other = (events.place.config() != target.place.config()).then_some(events);
    let events = match &other {
        None => None,
        Some(events) => {
            let consent = user::consent_by(events, &Config::load(&events.place)?, &record);
            Some((shown(&events.place.config()), consent))
        }
    };
    let text = match options.json {
        true => format!("{:#}\n", json(&consent, events.as_ref(), choice, &paths)),
        false => text(&consent, events.as_ref(), choice, &paths, &shown(&target.place.config())),
    };
    Ok(voice::print(text.as_bytes()))
}

fn text(
    consent: &Consent,
    events: Option<&(String, Consent)>,
    choice: Option<(Scope, Choice)>,
    paths: &[(&str, PathBuf)],
    config: &str,
) -> String {
    let mut text = in_effect(consent);
    if let Some((config, consent)) = events {
        text += "\nEvents and captures of this ledger are kept beside another one, where this counts:\n";
        text += &format!("{}  ([consent] in {config})\n", in_effect(consent));
    }
    text += "\nThe least of these counts:\n";
    let limit = |is_it: fn(Source) -> bool| {
        let limit = consent.limits.iter().find(|it| is_it(it.source));
        limit.map_or("no limit".to_owned(), |Limit { level, identity, export, .. }| {
            format!("{}, {}", level.name(), switches(*identity, *export))
        })
    };
    let environment = |it| matches!(it, Source::Disabled | Source::DoNotTrack);
    text += &format!("  environment  {}\n", limit(environment));
    let repository = limit(|it| it == Source::Repository);
    text += &format!("  repository   {repository}  ([consent] in {config})\n");
    let own = consent.limits.last().map_or(Source::Default, |it| it.source);
    let own_limit = match own {
        Source::Default => "no choice: ledger, identity off, export off".to_owned(),
        _ => limit(|it| matches!(it, Source::Choice(_) | Source::OldText(_))),
    };
    text += &format!("  you          {own_limit}\n");
    if let Some((scope, choice)) = choice {
        let place = match scope {
            Scope::Here => "for this repository",
            Scope::Everywhere => "for all repositories",
        };
        text += &format!("               chosen {place} by {} at {}", choice.how.name(), choice.at);
        text += match choice.is_current() {
            true => "\n",
            false => ", of a text that has changed since\n",
        };
    }
    text += "\nWhat each level stores, besides what the ones above it do:\n";
    for level in Level::ALL {
        let mark = if level == consent.level { '>' } else { ' ' };
        text += &wrapped(&format!("{mark} {:<9} ", level.name()), level.stores());
    }
    text += "What each switch allows:\n";
    for (name, is_on, stores) in switched(consent) {
        text += &wrapped(&format!("{} {name:<9} ", if is_on { '>' } else { ' ' }), stores);
    }
    text += "\nEvery field:\n";
    for (what, names) in fields() {
        text += &wrapped(&format!("  {what:<9} "), &names.join(" "));
    }
    text += "\nWhere:\n";
    for (what, path) in paths {
        let missing = if kept::is_there(path) { "" } else { "  (nothing there)" };
        text += &format!("  {what:<12} {}{missing}\n", shown(path));
    }
    text + "\nChange it: log-usage consent grant LEVEL, log-usage consent revoke\n\
            Delete it: log-usage consent purge\n"
}

/// No line of prose is longer.
const COLUMNS_MAX: usize = 80;

/// A text behind its name, in lines below each other.
fn wrapped(name: &str, text: &str) -> String {
    let (mut lines, mut line) = (String::new(), name.to_owned());
    for word in text.split(' ') {
        let begins = line.len() == name.len();
        if !begins && line.len() + 1 + word.len() > COLUMNS_MAX {
            lines += &format!("{line}\n");
            line = " ".repeat(name.len()) + word;
        } else {
            line += if begins { "" } else { " " };
            line += word;
        }
    }
    lines + &line + "\n"
}

/// The fields of everything that may be stored.
fn fields() -> [(&'static str, Vec<&'static str>); 4] {
    [
        ("row", COLUMNS.to_vec()),
        ("tags", notes::tag_keys().collect()),
        ("event", event::FIELDS.map(|(name, ..)| name).to_vec()),
        ("capture", capture::FIELDS.map(|(name, _)| name).to_vec()),
    ]
}

fn switched(consent: &Consent) -> [(&'static str, bool, &'static str); 2] {
    [("identity", consent.identity, IDENTITY_STORES), ("export", consent.export, EXPORT_STORES)]
}

fn json(
    consent: &Consent,
    events: Option<&(String, Consent)>,
    choice: Option<(Scope, Choice)>,
    paths: &[(&str, PathBuf)],
) -> Value {
    let limit = |it: &Limit| {
        json!({
            "source": it.source.name(), "level": it.level.name(),
            "identity": it.identity, "export": it.export,
        })
    };
    let choice = choice.map(|(scope, it)| {
        json!({
            "scope": match scope { Scope::Here => "here", Scope::Everywhere => "everywhere" },
            "level": it.level.name(), "identity": it.identity, "export": it.export,
            "text": it.text, "at": it.at.to_string(), "how": it.how.name(),
        })
    });
    let stores = |all: &[(&str, &str)]| {
        all.iter().map(|(name, it)| ((*name).to_owned(), (*it).into())).collect::<Map<_, _>>()
    };
    let paths = paths.iter().map(|(what, path)| {
        let value = json!({ "path": shown(path), "is_there": kept::is_there(path) });
        ((*what).to_owned(), value)
    });
    let events = events.map(|(config, it)| {
        json!({
            "config": config,
            "level": it.level.name(), "level_decided_by": it.decided_by().name(),
            "identity": it.identity, "identity_decided_by": it.identity_decided_by().name(),
        })
    });
    json!({
        "schema": SCHEMA,
        "level": consent.level.name(),
        "level_decided_by": consent.decided_by().name(),
        "identity": consent.identity,
        "identity_decided_by": consent.identity_decided_by().name(),
        "export": consent.export,
        "export_decided_by": consent.export_decided_by().name(),
        "events": events,
        "limits": consent.limits.iter().map(limit).collect::<Vec<_>>(),
        "choice": choice,
        "text_version": TEXT_VERSION,
        "levels": stores(&Level::ALL.map(|level| (level.name(), level.stores()))),
        "switches": stores(&switched(consent).map(|(name, _, stores)| (name, stores))),
        "fields": fields().into_iter().map(|(what, names)| (what.to_owned(), json!(names))).collect::<Map<_, _>>(),
        "paths": paths.collect::<Map<_, _>>(),
    })
}
