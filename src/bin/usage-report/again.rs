//! Segments may be compressed, moved away or put back while they are read: then all is looked at
//! again, for a sum of some of them would be wrong.

use std::thread;
use std::time::Duration;

use usage_ledger::error::{Error, Result};

/// How long to wait before each time: together longer than it takes to move a few segments.
const PAUSES_MS: [u64; 6] = [1, 4, 16, 64, 128, 256];

/// Reads, and reads again where a segment went away meanwhile.
pub(crate) fn again<T>(mut read: impl FnMut() -> Result<T>) -> Result<T> {
    for pause in PAUSES_MS {
        match read() {
            Err(Error::Gone { .. }) => thread::sleep(Duration::from_millis(pause)),
            read => return read,
        }
    }
    read()
}
