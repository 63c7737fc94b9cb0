//! A place in a transcript where reading may begin the next time, and how what stands before it is
//! known to be the same.

use std::fs;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::row::line_hash;

/// So much is looked at of what stands before a mark, at both ends.
const LOOK_BYTES: u64 = 4 << 10;

/// Of its SHA-256 so many bytes are kept.
const HASH_BYTES: usize = 16;

/// Where reading of a file that grew may begin: at the line that opened its last turn. All before it
/// is finished. The words are those that held there.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// How many bytes stand before the line.
    pub offset: u64,
    /// How many lines.
    pub lines: u64,
    /// When the turn began: seconds and nanoseconds.
    pub start: (i64, u32),
    /// The session.
    pub session: String,
    /// The folder.
    pub cwd: String,
    /// The model that was heard last.
    pub model: Option<String>,
    /// Whether the agent was planning.
    pub is_planning: bool,
    /// What later lines may name of the turns before: calls of sub-agents, or the turns themselves.
    pub earlier: Vec<u64>,
    /// What was counted so far, where the source tells sums.
    pub sums: Option<Sums>,
}

/// What a thread told of its tokens in the turns before.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sums {
    /// The thread.
    pub thread: String,
    /// Whether it tells of its responses one by one, so that sums are not looked at.
    pub has_records: bool,
    /// The last sum.
    pub total: Option<[u64; 6]>,
    /// The last usage that stood without a sum, and when.
    pub alone: Option<((i64, u32), [u64; 6])>,
}

/// What stands before this place, told by the bytes nearest to it and the first ones: transcripts are
/// only added to, and to look at all of them would be to read them again.
///
/// # Errors
/// The file cannot be read, or is shorter.
pub fn look_before(path: &Path, offset: u64) -> io::Result<String> {
    let mut file = fs::File::open(path)?;
    let mut bytes = Vec::new();
    for start in [0, offset.saturating_sub(LOOK_BYTES)] {
        file.seek(SeekFrom::Start(start))?;
        let end = offset.min(start + LOOK_BYTES);
        if (&mut file).take(end - start).read_to_end(&mut bytes)? as u64 != end - start {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(line_hash(&bytes, HASH_BYTES))
}
