//! `log-usage consent show`: the last records, as they are stored.

use std::io::Read;
use std::path::Path;
use std::process::ExitCode;

use clap::Args;
use usage_ledger::error::{Error, Result, is_unprintable, shown};
use usage_ledger::ledger::events::reading;
use usage_ledger::ledger::files;
use usage_ledger::ledger::gzip;
use usage_ledger::ledger::waiting;
use usage_ledger::privacy::capture;
use usage_ledger::row::HEADER;

use crate::consent::choices::Which;
use crate::voice;
use crate::world::{Choice, Target};
use crate::write::work_tree;

#[derive(Args)]
pub(super) struct Show {
    /// So many rows, and so many events
    #[arg(long, value_name = "N", default_value_t = 10)]
    last: usize,
    #[command(flatten)]
    which: Which,
}

pub(super) fn run(options: &Show) -> Result<ExitCode> {
    let target = options.which.target()?;
    let place = target.of_events()?.place;
    let (rows, last) = (rows(&target, options.last)?, options.last);
    let mut text = section("rows", &shown(&target.place.active()), &rows);
    let mut lines = Vec::new();
    let events = place.events();
    let oldest_first = reading::files(&events)?;
    take_last(oldest_first.iter().rev().map(|file| &file.path), last, &mut lines)?;
    text += &section("events", &shown(&events.active()), &lines);
    let captures = capture::captures(&place.capture())?;
    let names: Vec<String> = captures.iter().rev().take(last).rev().map(|it| shown(it)).collect();
    text += &section("captures, encrypted", &shown(&place.capture()), &names);
    Ok(voice::print(text.as_bytes()))
}

/// The last rows, those that wait for a commit the newest.
fn rows(target: &Target, last: usize) -> Result<Vec<String>> {
    let place = &target.place;
    let tree = work_tree(target).filter(|_| target.choice == Choice::Repository);
    let mut rows = tree.map_or(Ok(Vec::new()), |tree| waiting::lines(&tree, place))?;
    rows.drain(..rows.len().saturating_sub(last));
    let mut older: Vec<_> = files::older(place)?.into_iter().map(|file| file.path).collect();
    let active = place.without_fragment().active();
    older.extend(active.exists().then_some(active));
    take_last(older.into_iter().rev(), last, &mut rows)?;
    Ok(rows)
}

/// Puts lines before those that are there, until there are enough.
fn take_last(
    newest_first: impl Iterator<Item = impl AsRef<Path>>,
    last: usize,
    lines: &mut Vec<String>,
) -> Result<()> {
    for path in newest_first {
        if lines.len() >= last {
            break;
        }
        let path = path.as_ref();
        let mut bytes = Vec::new();
        match gzip::open(path).and_then(|mut text| text.read_to_end(&mut bytes)) {
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            Err(error) => return Err(Error::io("read", path, &error)),
        }
        let text = String::from_utf8_lossy(&bytes);
        let records = text.lines().rev().filter(|line| !line.is_empty() && *line != HEADER);
        let mut found: Vec<String> =
            records.take(last - lines.len()).map(|line| line.to_owned()).collect();
        found.reverse();
        lines.splice(..0, found);
    }
    Ok(())
}

fn section(what: &str, place: &str, lines: &[String]) -> String {
    let mut text = match lines.len() {
        0 => format!("{what}: none  ({place})\n"),
        count => format!("{what}: the last {count}  ({place})\n"),
    };
    for line in lines {
        // A row that somebody edited by hand may hold anything.
        text += &format!("  {}\n", line.replace(is_unprintable, "\u{FFFD}"));
    }
    text
}
