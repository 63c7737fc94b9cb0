//! The row form's own small parser: arguments → what to log. A full parser with all commands would
//! cost more than the row itself.

use std::ffi::OsString;
use std::path::PathBuf;

use usage_ledger::error::{Error, Result, excerpt, shell_word};
use usage_ledger::redact;
use usage_ledger::row::{COUNT_MAX, Refused, TaskType};
use usage_ledger::wording::nearest;
use usage_ledger::workspace::{Durability, SIZES, parse_size};

/// The six fields that every row has, as the header names them; notes may follow.
const FIELDS: [&str; 6] =
    ["model", "prompt_tokens", "completion_tokens", "task_success", "task_type", "duration_ms"];

/// What stands for each field in the help.
const PLACEHOLDERS: [&str; 6] =
    ["MODEL", "PROMPT_TOKENS", "COMPLETION_TOKENS", "TASK_SUCCESS", "TASK_TYPE", "DURATION"];

/// A number as people write it ends in one of these.
const THOUSANDS: [(&str, u64); 3] = [("k", 1_000), ("K", 1_000), ("M", 1_000_000)];

/// So does a time; and in its milliseconds.
const TIMES: [(&str, u64); 3] = [("s", 1_000), ("min", 60_000), ("h", 3_600_000)];

/// Every option, and whether it takes a value.
const OPTIONS: [(&str, bool); 14] = [
    ("--file", true),
    ("--personal", false),
    ("--timestamp", true),
    ("--tag", true),
    ("--max-size", true),
    ("--durability", true),
    ("--strict", false),
    ("--dry-run", false),
    ("--quiet", false),
    ("-q", false),
    ("--help", false),
    ("-h", false),
    ("--version", false),
    ("-V", false),
];

/// Words that people use for `false`; any other is taken for a kind of `true`.
const FAILURES: [&str; 12] =
    ["0", "no", "n", "f", "fail", "failed", "failure", "false", "flase", "fals", "error", "ko"];

/// What was asked for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    /// The one-screen help.
    ShortHelp,
    /// The whole help.
    LongHelp,
    /// The version.
    Version,
    /// To log a row.
    Log(Box<RowForm>),
}

/// The row form, taken apart.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct RowForm {
    /// The six fields, as typed.
    pub(crate) fields: [String; 6],
    /// The notes, as typed.
    pub(crate) notes: String,
    /// `--file`.
    pub(crate) file: Option<PathBuf>,
    /// `--personal`.
    pub(crate) personal: bool,
    /// `--timestamp`.
    pub(crate) timestamp: Option<String>,
    /// `--tag`, each.
    pub(crate) tags: Vec<String>,
    /// `--max-size`, in bytes.
    pub(crate) max_size: Option<u64>,
    /// `--durability`.
    pub(crate) durability: Option<Durability>,
    /// `--strict`.
    pub(crate) strict: bool,
    /// `--dry-run`.
    pub(crate) dry_run: bool,
    /// `--quiet`.
    pub(crate) quiet: bool,
}

impl RowForm {
    /// What to type instead: the same command with the refused value as it should be.
    pub(crate) fn corrected(&self, refused: &Refused) -> String {
        let given = refused.given.to_lowercase();
        let at = FIELDS.iter().position(|field| *field == refused.field);
        let mut fields: Vec<&str> = self.fields.iter().map(String::as_str).collect();
        let mut notes = self.notes.as_str();
        let mut options = String::new();
        match (refused.field, at) {
            ("model", _) if refused.given.starts_with("--") => {
                return format!("no option is named {}; log-usage -h lists them", refused.given);
            }
            ("task_type", _) => {
                if let Some(word) = nearest(&given, TaskType::ALL.into_iter().map(TaskType::name)) {
                    return format!("did you mean {word}?");
                }
            }
            ("task_success", _) if FAILURES.contains(&given.as_str()) => fields[3] = "false",
            ("timestamp", _) => options = " --timestamp YYYY-MM-DDThh:mm:ss±hh:mm".to_owned(),
            ("tag", _) => options = format!(" --tag {}", tag_example(&refused.given)),
            ("notes", _) => notes = "a short remark",
            _ => {}
        }
        // It would be logged as it is pasted: no figure that nobody typed.
        let plainer;
        if let Some(at) = at.filter(|at| fields[*at] == self.fields[*at]) {
            plainer = match at {
                3 | 4 => refused.example().to_owned(),
                _ => plainly(refused.field, fields[at]),
            };
            fields[at] = &plainer;
        }
        // What is repeated here stands in logs.
        let word = |text: &str| shell_word(&redact::plain(text));
        let words: Vec<String> = fields.iter().map(|field| word(field)).collect();
        let notes = match notes {
            "" => String::new(),
            notes if notes.starts_with('-') => format!(" -- {}", word(notes)),
            notes => format!(" {}", word(notes)),
        };
        format!("log-usage{options} {}{notes}", words.join(" "))
    }
}

/// The value of a field as it was meant, where that is plain; else what stands for it in the help.
pub(crate) fn plainly(field: &str, given: &str) -> String {
    let is_time = field == "duration_ms";
    let meant = match field {
        "model" => None,
        _ => {
            THOUSANDS.iter().chain(TIMES.iter().filter(|_| is_time)).chain(&[("", 1)]).find_map(
                |(unit, times)| product(given.trim().strip_suffix(unit)?.trim_end(), *times),
            )
        }
    };
    let placeholder = FIELDS.iter().position(|it| *it == field).map(|at| PLACEHOLDERS[at]);
    match meant.filter(|meant| *meant <= COUNT_MAX) {
        Some(meant) => meant.to_string(),
        None => placeholder.unwrap_or(field).to_owned(),
    }
}

/// `1,000` or `3.2` times a unit, if it is whole.
fn product(given: &str, times: u64) -> Option<u64> {
    let (whole, fraction) = given.split_once('.').unwrap_or((given, "0"));
    let groups: Vec<&str> = whole.split([',', '_', '\'']).collect();
    let (first, rest) = groups.split_first()?;
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let is_grouped = first.len() <= 3 && rest.iter().all(|group| group.len() == 3);
    if !groups.iter().all(|group| is_number(group)) || !(rest.is_empty() || is_grouped) {
        return None;
    }
    // 1.500 may be meant as one and a half, or as many thousands.
    if !is_number(fraction) || times == 1 && given.contains('.') {
        return None;
    }
    let parts = 10u64.checked_pow(fraction.len().try_into().ok()?)?;
    let fraction = fraction.parse::<u64>().ok()?.checked_mul(times)?;
    let whole = groups.concat().parse::<u64>().ok()?.checked_mul(times)?;
    (fraction % parts == 0).then(|| whole.checked_add(fraction / parts)).flatten()
}

fn tag_example(given: &str) -> String {
    let key = given.split('=').next().unwrap_or_default();
    match key {
        "session" => "session=SESSION".to_owned(),
        "role" => "role=sub".to_owned(),
        "cost_usd" => "cost_usd=D.DDDDDD".to_owned(),
        "rev" | "requests" | "tool_errors" | "cache_read" | "cache_write" | "cache_write_1h" => {
            format!("{key}=NUMBER")
        }
        "source" | "id" | "agent" | "user" | "reason" => format!("{key}=a-word"),
        _ => "id=a-word".to_owned(),
    }
}

/// Takes the arguments apart. `commands` are the words that would have been commands, to be
/// suggested where one was mistyped.
pub(crate) fn parse(arguments: Vec<OsString>, commands: &[&str]) -> Result<Asked> {
    let mut form = RowForm::default();
    let mut fields: Vec<String> = Vec::new();
    let mut arguments = arguments.into_iter();
    let mut only_fields = false;
    while let Some(argument) = arguments.next() {
        let text = argument.to_string_lossy().into_owned();
        let (name, inline) = match text.split_once('=') {
            Some((name, value)) if name.starts_with("--") => (name, Some(value)),
            _ => (text.as_str(), None),
        };
        let option = OPTIONS.iter().find(|(option, _)| *option == name && !only_fields);
        let Some((option, takes_value)) = option else {
            if text == "--" && !only_fields {
                only_fields = true;
                continue;
            }
            if !only_fields {
                refuse_stray_option(&text, fields.len())?;
            }
            fields.push(utf8(argument, fields.len())?);
            continue;
        };
        let value = match (takes_value, inline) {
            (false, None) => OsString::new(),
            (false, Some(_)) => return Err(usage(format!("{option} takes no value"), option)),
            (true, Some(value)) => OsString::from(value),
            (true, None) => {
                // What is itself an option was not meant as a value.
                let is_value = |value: &OsString| OPTIONS.iter().all(|(it, _)| value != *it);
                let value = arguments.next().filter(is_value);
                value.ok_or_else(|| usage(format!("{option} lacks its value"), &example(option)))?
            }
        };
        match *option {
            "-h" => return Ok(Asked::ShortHelp),
            "--help" => return Ok(Asked::LongHelp),
            "--version" | "-V" => return Ok(Asked::Version),
            _ => form.set(option, value, inline.is_some().then_some(&argument))?,
        }
    }
    form.fill(fields, commands, only_fields)?;
    Ok(Asked::Log(Box::new(form)))
}

impl RowForm {
    fn set(&mut self, option: &str, value: OsString, inline: Option<&OsString>) -> Result<()> {
        let text = value.to_string_lossy().into_owned();
        let refuse = |allowed: &str, example: &str| Error::OptionValue {
            option: option.to_owned(),
            given: text.clone(),
            allowed: allowed.to_owned(),
            example: example.to_owned(),
        };
        match option {
            "--file" => self.file = Some(after_equals(inline).unwrap_or(value).into()),
            "--personal" => self.personal = true,
            "--timestamp" => self.timestamp = Some(text),
            "--tag" => self.tags.push(text),
            "--max-size" => {
                let size = parse_size(&text).ok_or_else(|| refuse(SIZES, "10M"))?;
                self.max_size = Some(size);
            }
            "--durability" => {
                let durability = Durability::parse(&text);
                self.durability = Some(durability.ok_or_else(|| refuse("none or data", "data"))?);
            }
            "--strict" => self.strict = true,
            "--dry-run" => self.dry_run = true,
            _ => self.quiet = true,
        }
        Ok(())
    }

    fn fill(&mut self, fields: Vec<String>, commands: &[&str], only_fields: bool) -> Result<()> {
        if let Some(word) = fields.first().filter(|word| commands.contains(&word.as_str()))
            && fields.len() < FIELDS.len()
            && !only_fields
        {
            let problem = format!("the command {word} must stand before its options");
            return Err(usage(problem, &format!("log-usage {word}")));
        }
        if let [word, rest @ ..] = &fields[..]
            && rest.len() < FIELDS.len() - 1
            && !only_fields
            && let Some(command) = nearest(word, commands.iter().copied())
        {
            return Err(usage(
                format!("no command {}", excerpt(word)),
                &format!("did you mean {command}?"),
            ));
        }
        let given = fields.len();
        let is_option = |field: &&String| {
            field.starts_with("--") && field[2..].starts_with(|c: char| c.is_ascii_alphabetic())
        };
        if let Some(option) = fields.iter().find(is_option)
            && !(FIELDS.len()..=FIELDS.len() + 1).contains(&given)
            && !only_fields
        {
            let name = excerpt(option.split('=').next().unwrap_or(option));
            return Err(usage(format!("no option {name}"), "log-usage -h lists what there is"));
        }
        if given < FIELDS.len() {
            return Err(Error::MissingFields { given, missing: FIELDS[given..].to_vec() });
        }
        let mut fields = fields.into_iter();
        for (slot, field) in self.fields.iter_mut().zip(&mut fields) {
            *slot = field;
        }
        self.notes = fields.next().unwrap_or_default();
        match fields.next() {
            Some(extra) => Err(Error::ExtraField { extra }),
            None => Ok(()),
        }
    }
}

/// A path after `--file=` may be anything; only its bytes are cut, never its text.
#[cfg(unix)]
fn after_equals(argument: Option<&OsString>) -> Option<OsString> {
    use std::os::unix::ffi::{OsStrExt, OsStringExt};
    let bytes = argument?.as_bytes();
    let at = bytes.iter().position(|b| *b == b'=')?;
    Some(OsString::from_vec(bytes[at + 1..].to_vec()))
}

#[cfg(not(unix))]
fn after_equals(_: Option<&OsString>) -> Option<OsString> {
    None
}

/// A negative or otherwise odd value belongs to its field, which refuses it by name; what looks
/// like one of our options mistyped, or like one where notes are due, is said to be so.
fn refuse_stray_option(text: &str, position: usize) -> Result<()> {
    if !text.starts_with('-') {
        return Ok(());
    }
    let name = text.split('=').next().unwrap_or(text);
    let options = OPTIONS.iter().map(|(option, _)| *option).filter(|option| option.len() > 2);
    if let Some(option) = nearest(name, options).filter(|_| name.len() > 3) {
        return Err(usage(
            format!("no option {}", excerpt(name)),
            &format!("did you mean {option}?"),
        ));
    }
    if position == FIELDS.len() {
        return Err(Error::HyphenNotes { given: text.to_owned() });
    }
    Ok(())
}

fn utf8(argument: OsString, position: usize) -> Result<String> {
    argument.into_string().map_err(|argument| {
        let field = FIELDS.get(position).copied().unwrap_or("notes");
        let refused = Refused::new(field, &argument.to_string_lossy(), "is not UTF-8");
        refused.into_error(format!("log-usage {}", PLACEHOLDERS.join(" ")))
    })
}

fn example(option: &str) -> String {
    let value = match option {
        "--file" => "notes/usage.csv",
        "--timestamp" => "2026-02-23T22:19:12+01:00",
        "--tag" => "session=0123456789ab",
        "--max-size" => "10M",
        _ => "data",
    };
    format!("{option} {value}")
}

fn usage(problem: String, fix: &str) -> Error {
    Error::Usage { problem, fix: fix.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(line: &str) -> Result<Asked> {
        parse(line.split(' ').map(OsString::from).collect(), &["batch", "init"])
    }

    fn form(line: &str) -> RowForm {
        match asked(line).unwrap() {
            Asked::Log(form) => *form,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn options_stand_anywhere_until_two_hyphens() {
        let form = form("--quiet m 1 --tag=id=a1 2 true plan --tag rev=2 3 -- --quiet");
        assert_eq!(form.fields, ["m", "1", "2", "true", "plan", "3"]);
        assert_eq!(form.tags, ["id=a1", "rev=2"]);
        assert_eq!(form.notes, "--quiet");
        assert!(form.quiet);
    }

    #[test]
    fn negative_values_belong_to_their_field() {
        for (line, at, value) in [
            ("m -5 2 true plan 3", 1, "-5"),
            ("m 1 -2.5 true plan 3", 2, "-2.5"),
            ("m 1 2 -true plan 3", 3, "-true"),
            ("m 1 2 true --x 3", 4, "--x"),
            ("m 1 2 true plan -", 5, "-"),
        ] {
            assert_eq!(form(line).fields[at], value, "{line}");
        }
    }

    #[test]
    fn a_number_is_read_where_it_is_plain() {
        for (given, tokens, duration) in [
            ("1,000", "1000", "1000"),
            ("1_000'000", "1000000", "1000000"),
            ("1k", "1000", "1000"),
            ("3.2K", "3200", "3200"),
            ("0045", "45", "45"),
            ("1.25M", "1250000", "1250000"),
            (" 7 ", "7", "7"),
            ("1.5s", "PROMPT_TOKENS", "1500"),
            ("2.5 min", "PROMPT_TOKENS", "150000"),
        ] {
            assert_eq!(plainly("prompt_tokens", given), tokens, "{given}");
            assert_eq!(plainly("duration_ms", given), duration, "{given}");
        }
        let odd = ["", "-5", "1.500", "1,00", "1000,000", "1.2345k", "k", "1e3", "soon", "1..5k"];
        for given in
            odd.iter().chain(&["9007199254740992", "99999999999999999999", "99999999999999k"])
        {
            assert_eq!(plainly("completion_tokens", given), "COMPLETION_TOKENS", "{given}");
            assert_eq!(plainly("duration_ms", given), "DURATION", "{given}");
        }
        assert_eq!(plainly("model", "1k"), "MODEL");
    }

    #[test]
    fn slips_are_told_from_values() {
        for (line, start) in [
            ("m 1 2 true plan 3 --quite", "error: no option --quite"),
            ("m 1 2 true plan 3 --dryrun", "error: no option --dryrun"),
            ("m 1 2 true plan 3 --file", "error: --file lacks its value"),
            ("m 1 2 true plan 3 -note", "error: notes: \"-note\" begins with a hyphen"),
            ("m 1 2 true plan 3 a b", "error: one field too many: \"b\""),
            ("bacth", "error: no command bacth"),
            ("m 1 2", "error: 3 of 6 fields given; missing: task_success"),
        ] {
            let text = asked(line).unwrap_err().to_string();
            assert!(text.starts_with(start), "{text}");
        }
    }
}
