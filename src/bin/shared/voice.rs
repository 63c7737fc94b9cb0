//! How both programs speak to the terminal and take words from it: one form of error, clap's own
//! mapped into it; no secret of the environment is said; a closed pipe is a quiet end.

use std::env;
use std::io::{self, Write};
use std::process::ExitCode;

use clap::builder::{StyledStr, Styles};
use clap::error::{ContextKind, ContextValue, ErrorKind};
use usage_ledger::error::{Error, excerpt};
use usage_ledger::redact;

/// Says on standard error what went wrong. Nobody is left to tell if even that fails.
pub(crate) fn fail(error: &Error) -> ExitCode {
    say(&error.to_string());
    ExitCode::from(error.exit_code())
}

/// One message on standard error.
pub(crate) fn say(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{}", unsaid(text));
}

/// A question on standard error; the answer is to be written behind it.
#[allow(dead_code, reason = "the reader asks nothing")]
pub(crate) fn ask(question: &str) {
    let _ = write!(io::stderr().lock(), "{}", unsaid(question));
}

/// The text without the values of the environment's secret variables, which it may repeat.
pub(crate) fn unsaid(text: &str) -> String {
    let variables: Vec<(String, String)> = env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect();
    let variables = variables.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    redact::unsaid(text, variables)
}

/// Writes to standard output; a reader that has closed its end has seen enough.
pub(crate) fn print(bytes: &[u8]) -> ExitCode {
    let mut out = io::stdout().lock();
    match out.write_all(bytes).and_then(|()| out.flush()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => fail(&Error::io("write to", "standard output".as_ref(), &error)),
    }
}

/// No help is wider, however wide the terminal.
const COLUMNS_MAX: usize = 80;

/// Parses with clap. The error's inner result is what is left to do: help and version are printed
/// and done.
pub(crate) fn parse<P: clap::Parser>(
    program: &str,
    arguments: impl IntoIterator<Item = std::ffi::OsString>,
) -> Result<P, ExitCode> {
    let command = P::command().styles(Styles::plain()).max_term_width(COLUMNS_MAX);
    let names: Vec<String> = command.get_subcommands().map(|it| it.get_name().to_owned()).collect();
    let matches = command.try_get_matches_from(arguments);
    matches.and_then(|matches| P::from_arg_matches(&matches)).map_err(|error| match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            print(error.render().to_string().as_bytes())
        }
        _ => fail(&usage(program, &names, &error)),
    })
}

/// clap's error in our three lines.
fn usage(program: &str, names: &[String], error: &clap::Error) -> Error {
    let text = |kind| error.get(kind).map(words).unwrap_or_default();
    let given = excerpt(
        text(ContextKind::InvalidArg)
            .split(' ')
            .next()
            .unwrap_or_default()
            .trim_end_matches("...")
            .trim_matches(['<', '>', '[', ']']),
    );
    let value = excerpt(&text(ContextKind::InvalidValue));
    let problem = match error.kind() {
        ErrorKind::UnknownArgument if given.starts_with('-') => format!("no option {given}"),
        ErrorKind::UnknownArgument => format!("\"{given}\" is one argument too many"),
        ErrorKind::InvalidSubcommand => {
            format!("no command {}", excerpt(&text(ContextKind::InvalidSubcommand)))
        }
        ErrorKind::MissingSubcommand | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            format!("one of {} is missing", text(ContextKind::ValidSubcommand))
        }
        ErrorKind::InvalidValue if value.is_empty() => format!("{given} lacks its value"),
        ErrorKind::InvalidValue | ErrorKind::ValueValidation => {
            let allowed = text(ContextKind::ValidValue);
            let rule = match (allowed.is_empty(), std::error::Error::source(error)) {
                (false, _) => format!("one of {allowed}"),
                (true, Some(source)) => source.to_string(),
                (true, None) => "allowed".to_owned(),
            };
            format!("{given}: \"{value}\" is not {rule}")
        }
        ErrorKind::TooManyValues => format!("{given} takes no value"),
        ErrorKind::ArgumentConflict => match text(ContextKind::PriorArg) {
            prior if prior.split(' ').next() == Some(&*given) => format!("{given} is given twice"),
            prior => format!("{given} does not go with {prior}"),
        },
        // Of several the first.
        ErrorKind::MissingRequiredArgument if given.contains('|') => {
            format!("one of {} is missing", given.replace('|', ", "))
        }
        ErrorKind::MissingRequiredArgument => format!("{given} is missing"),
        _ => error.kind().to_string(),
    };
    let suggestion =
        [ContextKind::SuggestedArg, ContextKind::SuggestedSubcommand, ContextKind::SuggestedValue]
            .into_iter()
            .map(text)
            .find(|text| !text.is_empty());
    let typed = match error.kind() {
        ErrorKind::InvalidValue => value,
        ErrorKind::InvalidSubcommand => text(ContextKind::InvalidSubcommand),
        _ => given.clone(),
    };
    // clap knows no transposed letters.
    let name = || {
        names.iter().find(|it| error.kind() == ErrorKind::InvalidSubcommand && is_slip(&typed, it))
    };
    let suggestion = suggestion.filter(|it| is_slip(&typed, it)).or_else(|| name().cloned());
    let allowed = text(ContextKind::ValidValue);
    let fix = match suggestion {
        Some(suggestion) => format!("did you mean {suggestion}?"),
        None if !allowed.is_empty() => format!("after {given} say one of {allowed}"),
        None => {
            format!("{} --help lists what there is", asked(error).unwrap_or(program.to_owned()))
        }
    };
    Error::Usage { problem, fix }
}

/// How many letters of a word a slip of the fingers leaves as they were, at least: one in two.
const SLIP_PART: usize = 2;

/// Whether the one word is probably the other mistyped, and none of its own.
fn is_slip(typed: &str, word: &str) -> bool {
    let letters = |text: &str| text.trim_start_matches('-').to_lowercase();
    let (typed, word) = (letters(typed), letters(word.split(' ').next().unwrap_or_default()));
    word.starts_with(&typed) || strsim::damerau_levenshtein(&typed, &word) * SLIP_PART < word.len()
}

/// The command whose options were meant, as its usage begins; None where that is not known.
fn asked(error: &clap::Error) -> Option<String> {
    let usage = error.get(ContextKind::Usage).map(words)?;
    let usage = usage.trim_start().strip_prefix("Usage:")?;
    let is_name = |word: &&str| word.starts_with(|c: char| c.is_ascii_alphabetic());
    let names: Vec<&str> = usage.split_whitespace().take_while(is_name).collect();
    (!names.is_empty()).then(|| names.join(" "))
}

fn words(value: &ContextValue) -> String {
    match value {
        ContextValue::Strings(all) => all.join(", "),
        ContextValue::StyledStrs(all) => {
            all.iter().map(StyledStr::to_string).collect::<Vec<_>>().join(", ")
        }
        other => other.to_string(),
    }
}
