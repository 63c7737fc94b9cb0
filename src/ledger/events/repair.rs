//! Damaged lines of events, moved aside on request. Every line that can be read stays as it is.

use std::fs::File;
use std::io;
use std::time::Duration;

use crate::error::{Error, Result};
use crate::ledger::disk;
use crate::ledger::events::reading::{self, EventsFile, Line};
use crate::ledger::lock::Lock;
use crate::ledger::rotate;
use crate::privacy::private;
use crate::workspace::Place;

/// What a repair found.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Repair {
    /// In how many files events are.
    pub files: usize,
    /// Lines that cannot be read, as `file:line: what`.
    pub unreadable: Vec<String>,
}

/// Moves the lines that cannot be read to the file of torn bytes. With `is_rehearsal` nothing is
/// changed.
///
/// # Errors
/// Any means that each file is as it was, or mended.
pub fn repair(place: &Place, wait: Duration, is_rehearsal: bool) -> Result<Repair> {
    if reading::files(place)?.is_empty() {
        return Ok(Repair::default());
    }
    let lock = Lock::take(&place.lock(), wait)?;
    if lock.is_marked() && !is_rehearsal {
        rotate::clear(place)?;
    }
    let files = reading::files(place)?;
    let mut repair = Repair { files: files.len(), ..Repair::default() };
    for file in &files {
        mend(place, file, &mut repair, is_rehearsal)?;
    }
    Ok(repair)
}

fn mend(place: &Place, file: &EventsFile, repair: &mut Repair, is_rehearsal: bool) -> Result<()> {
    let fail = |error: io::Error| Error::io("repair", &file.path, &error);
    let meta = file.path.symlink_metadata().map_err(fail)?;
    // Two names are a rotation that was cut short; the next event ends it.
    if disk::link_count(&meta) > 1 {
        return Ok(());
    }
    let (mut good, mut bad, mut lines) = (Vec::new(), Vec::new(), 0u64);
    let mut old_bytes = 0;
    reading::read(file, &mut |number, bytes, line, is_whole| {
        old_bytes += bytes.len() + usize::from(is_whole);
        let kept = match line {
            Line::Event(_) => &mut good,
            Line::Bad(_) if bytes.trim_ascii().is_empty() => return,
            Line::Bad(why) => {
                repair.unreadable.push(format!("{}:{number}: {why}", file.label));
                lines += 1;
                &mut bad
            }
        };
        kept.extend_from_slice(bytes);
        kept.push(b'\n');
    })?;
    if is_rehearsal || good.len() == old_bytes {
        return Ok(());
    }
    if !bad.is_empty() {
        let mut piece = format!("# {lines} unreadable of {}\n", file.label).into_bytes();
        piece.append(&mut bad);
        disk::keep_aside(&place.torn(), true, &piece)?;
    }
    let write = || -> io::Result<()> {
        private::write(&file.path, &good)?;
        // By this it is known how old its events are.
        File::options().write(true).open(&file.path)?.set_modified(meta.modified()?)
    };
    write().map_err(fail)
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::fs;
    use std::time::SystemTime;

    const EVENT: &str = "{\"v\":1,\"id\":\"019c8c5c-5c00-7000-8000-000000000000\",\
        \"timestamp\":\"2026-02-23T22:19:00.000000Z\",\"name\":\"a.b\",\"correlation\":\"c\"}";

    #[test]
    fn what_cannot_be_read_is_moved_and_the_rest_stays() {
        let folder = tempfile::tempdir().unwrap();
        let place = Place::named(folder.path(), "usage.csv").events();
        private::make_folder(&place.archive()).unwrap();
        let sealed = place.archive().join("events-20260223T221900Z-00000000.jsonl");
        let spaced = EVENT.replace("\"v\":1", "\"v\": 1");
        fs::write(&sealed, format!("{EVENT}\ngarbage\n\n{spaced}\n\u{0}\u{0}\n")).unwrap();
        fs::write(place.active(), format!("{EVENT}\n{{\"v\":1,\"id")).unwrap();
        let old = SystemTime::UNIX_EPOCH + Duration::from_secs(1_771_885_140);
        File::options().write(true).open(&sealed).unwrap().set_modified(old).unwrap();
        let wait = Duration::from_secs(1);
        let before = fs::read(&sealed).unwrap();
        let rehearsed = repair(&place, wait, true).unwrap();
        assert_eq!((fs::read(&sealed).unwrap(), place.torn().exists()), (before, false));
        let repaired = repair(&place, wait, false).unwrap();
        assert_eq!(rehearsed, repaired);
        let named: Vec<_> =
            repaired.unreadable.iter().map(|it| it.rsplitn(3, ':').last()).collect();
        assert_eq!(repaired.unreadable.len(), 3, "{named:?}");
        assert_eq!(fs::read_to_string(&sealed).unwrap(), format!("{EVENT}\n{spaced}\n"));
        assert_eq!(fs::read_to_string(place.active()).unwrap(), format!("{EVENT}\n"));
        assert_eq!(sealed.metadata().unwrap().modified().unwrap(), old);
        let torn = fs::read_to_string(place.torn()).unwrap();
        assert_eq!(
            torn,
            "# 2 unreadable of events/events-20260223T221900Z-00000000.jsonl\ngarbage\n\u{0}\u{0}\n\n\
             # 1 unreadable of events.jsonl\n{\"v\":1,\"id\n\n"
        );
        assert_eq!(repair(&place, wait, false).unwrap().unreadable, [""; 0]);
        assert_eq!(fs::read_to_string(place.torn()).unwrap(), torn);
    }
}
