//! The day before which a ledger's rows are pruned: no reader counts them, no writer adds any. It
//! stands in a file that git merges, so that what one branch pruned no other brings back.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use crate::error::{Error, Result, excerpt};
use crate::ledger::fields::is_marker;
use crate::row::Refused;
use crate::timestamp::Day;
use crate::workspace::Place;

/// The border of a ledger; None where nothing was ever pruned.
///
/// # Errors
/// A file that cannot be read, or a line of it that is no date.
pub fn load(place: &Place) -> Result<Option<Day>> {
    let path = place.pruned();
    let text = match fs::metadata(&path) {
        // A pipe would have no end.
        Ok(meta) if !meta.is_file() => return Err(Error::NotAFile { path }),
        Ok(_) => fs::read_to_string(&path),
        Err(error) => Err(error),
    };
    match text {
        Ok(text) => parse(&text, &path),
        // A part of the path may be a file: whoever uses the ledger's path says so better.
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            Ok(None)
        }
        Err(error) => Err(Error::io("read", &path, &error)),
    }
}

/// The newest of the dates, one on each line: a merge keeps those of both sides, and perhaps its
/// markers. `path` is what the error names.
///
/// # Errors
/// A line that is no date.
pub fn parse(text: &str, path: &Path) -> Result<Option<Day>> {
    let mut border = None;
    for (at, line) in text.trim_start_matches('\u{FEFF}').lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') || is_marker(line.as_bytes()) {
            continue;
        }
        let day = Day::parse(line).ok_or_else(|| Error::Config {
            path: path.to_owned(),
            line: Some(at + 1),
            problem: format!("\"{}\" is not a date such as 2026-02-23", excerpt(line)),
        })?;
        border = border.max(Some(day));
    }
    Ok(border)
}

/// That a row is from before the border: it would be stored and never counted.
pub fn refuse(stamp: &str, border: Day) -> Refused {
    let problem = format!("is from before {border}, and such rows were pruned");
    Refused::new("timestamp", stamp, problem)
}

/// The file with a newer border: remarks stay, older dates go, for only the newest counts.
pub(super) fn moved(place: &Place, border: Day) -> Result<String> {
    let old = match fs::read_to_string(place.pruned()) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => String::new(),
        Err(error) => return Err(Error::io("read", &place.pruned(), &error)),
    };
    let remarks = old.lines().filter(|line| line.trim_start().starts_with('#'));
    let mut text: String = remarks.map(|line| format!("{line}\n")).collect();
    text += &format!("{border}\n");
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_date_counts() {
        let path = Path::new("pruned");
        for (text, border) in [
            ("", None),
            ("2026-02-23\n", Some("2026-02-23")),
            ("2026-02-23\r\n2026-03-01\r\n2025-12-31", Some("2026-03-01")),
            ("# why\n\n 2026-02-23 \n", Some("2026-02-23")),
            ("<<<<<<< ours\n2026-02-23\n=======\n2026-02-24\n>>>>>>> x\n", Some("2026-02-24")),
        ] {
            assert_eq!(parse(text, path).unwrap(), border.and_then(Day::parse), "{text:?}");
        }
        for (text, line) in [("2026-02-30\n", 1), ("2026-02-23\nmore\n", 2)] {
            match parse(text, path) {
                Err(Error::Config { line: found, .. }) => assert_eq!(found, Some(line)),
                other => panic!("{other:?}"),
            }
        }
    }
}
