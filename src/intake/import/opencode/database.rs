//! Messages in opencode's database; without the feature `sqlite` it is named and left out.

use crate::intake::import::reading::Reading;
use crate::intake::import::walk::File;

/// Gives each message with its id and its session. The database is opened to be read alone.
#[cfg(feature = "sqlite")]
pub(super) fn read<'r>(
    file: &File,
    reading: &mut Reading<'r>,
    visit: &mut dyn FnMut(&mut Reading<'r>, &str, &str, &str),
) {
    use rusqlite::{Connection, OpenFlags};

    reading.findings.files += 1;
    reading.findings.bytes += file.bytes;
    (reading.progress)(file.bytes);
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut go = || -> rusqlite::Result<()> {
        let database = Connection::open_with_flags(&file.path, flags)?;
        let mut question = database.prepare("SELECT id, session_id, data FROM message")?;
        let mut rows = question.query([])?;
        while let Some(row) = rows.next()? {
            let text = |at| row.get_ref(at).ok().and_then(|it| it.as_str().ok());
            let (Some(id), Some(session), Some(data)) = (text(0), text(1), text(2)) else {
                reading.findings.leave_out(&file.path, 0, "holds a broken message");
                continue;
            };
            reading.findings.lines += 1;
            visit(reading, id, session, data);
        }
        Ok(())
    };
    if go().is_err() {
        reading.findings.leave_out(&file.path, 0, "cannot be read as opencode's database");
    }
}

/// As above, without SQLite.
#[cfg(not(feature = "sqlite"))]
pub(super) fn read<'r>(
    file: &File,
    reading: &mut Reading<'r>,
    _: &mut dyn FnMut(&mut Reading<'r>, &str, &str, &str),
) {
    reading.findings.leave_out(
        &file.path,
        0,
        "is a database: a build with the feature sqlite reads it",
    );
}
