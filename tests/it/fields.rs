//! Every field that may be stored stands in `docs/privacy.md`, and `consent status` names them all.

use std::fs;
use std::time::{Duration, SystemTime};

use serde_json::Value;
use usage_ledger::event;
use usage_ledger::notes::tag_keys;
use usage_ledger::privacy::capture;
use usage_ledger::privacy::consent::{Choice, How, Level};
use usage_ledger::privacy::record::Record;
use usage_ledger::row::COLUMNS;
use usage_ledger::timestamp::Timestamp;

use crate::sandbox::Sandbox;
use crate::transcripts;

/// The rows of the table between two marks: the name in code, and what is said of it.
fn table(mark: &str) -> Vec<(String, String)> {
    let document = include_str!("../../docs/privacy.md");
    let after = document.split_once(&format!("<!-- {mark} -->\n")).unwrap().1;
    let table = after.split_once(&format!("<!-- /{mark} -->")).unwrap().0;
    let row = |line: &str| {
        let (name, says) = line.strip_prefix("| `")?.strip_suffix(" |")?.split_once("` | ")?;
        Some((name.to_owned(), says.to_owned()))
    };
    table.lines().skip(2).map(|line| row(line).unwrap_or_else(|| panic!("{line}"))).collect()
}

fn names(mark: &str) -> Vec<String> {
    table(mark).into_iter().map(|(name, _)| name).collect()
}

#[test]
fn the_document_names_every_field_and_no_other() {
    assert_eq!(names("row"), COLUMNS);
    assert_eq!(names("tags"), tag_keys().collect::<Vec<_>>());
    let owned = |(name, says): (&str, &str)| (name.to_owned(), says.to_owned());
    let of_events = event::FIELDS.map(|(name, _, _, says)| owned((name, says)));
    assert_eq!(table("event"), of_events);
    assert_eq!(table("capture"), capture::FIELDS.map(owned));
    let at = Timestamp::parse("2026-02-23T22:19:12+01:00").unwrap();
    let (level, how) = (Level::Events, How::Flag);
    let choice = Choice { level, identity: true, export: true, text: 1, at, how };
    let everywhere = Some(choice);
    let text = Record { everywhere, ..Record::default() }.to_text();
    let fields = text.lines().filter_map(|line| line.split_once(" = "));
    let fields: Vec<&str> = fields.map(|(name, _)| name).collect();
    assert_eq!(names("choice"), fields);
}

/// The names of every field in it, in whatever depth.
fn keys(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => fields.iter().for_each(|(name, value)| {
            found.push(name.clone());
            keys(value, found);
        }),
        Value::Array(values) => values.iter().for_each(|value| keys(value, found)),
        _ => {}
    }
}

#[test]
fn what_an_import_remembers_is_exported_in_words_and_documented() {
    let sandbox = Sandbox::repository();
    let here = sandbox.path("").canonicalize().unwrap();
    let folders = [here.to_str().unwrap(), "/w/elsewhere"];
    transcripts::claude_code(&sandbox.path("../home"), folders, 40, 60, 1);
    // They are finished: nobody has added to them for long.
    let mut paths = vec![sandbox.path("../home/.claude")];
    while let Some(path) = paths.pop() {
        match fs::read_dir(&path) {
            Ok(entries) => paths.extend(entries.map(|entry| entry.unwrap().path())),
            Err(_) => {
                let file = fs::File::options().append(true).open(&path).unwrap();
                file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(1)).unwrap();
            }
        }
    }
    sandbox.ok("log-usage", &["import"]);
    let printed = sandbox.ok("log-usage", &["consent", "export"]);
    let export: Value = serde_json::from_str(&printed).unwrap();
    let files = export["files"].as_array().unwrap();
    let cursors: Vec<&Value> = files.iter().map(|it| &it["cursor"]).collect();
    let mut found = Vec::new();
    cursors.iter().for_each(|cursor| keys(cursor, &mut found));
    let mut documented = names("cursor");
    for list in [&mut found, &mut documented] {
        list.sort();
        list.dedup();
    }
    assert_eq!(documented, found);
    assert!(files.iter().all(|it| it["base64"].is_null()), "{printed}");
}

#[test]
fn the_status_names_every_field() {
    let sandbox = Sandbox::repository();
    let said = sandbox.ok("log-usage", &["consent", "status"]);
    let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
    let printed = sandbox.ok("log-usage", &["consent", "status", "--json"]);
    let json: Value = serde_json::from_str(&printed).unwrap();
    for what in ["row", "tags", "event", "capture"] {
        let names = names(what);
        assert_eq!(json["fields"][what], serde_json::json!(names));
        assert!(said.contains(&format!(" {what} {} ", names.join(" "))), "{said}");
    }
}
