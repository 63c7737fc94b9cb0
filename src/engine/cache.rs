//! What is known of sealed segments, kept outside the repository in a folder of the user's. All of it
//! can be found out again: what is missing, damaged, or of another version or file counts as nothing.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::engine::inputs::Input;
use crate::pricing::Prices;
use crate::row::line_hash;

/// Raised whenever a figure would be worked out otherwise.
const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), "/4");

/// So much of both ends of a segment is looked at. The header and the first row differ from segment
/// to segment, and an append changes the last one.
const END_BYTES: u64 = 512;

/// File systems tell times by ticks of at most two seconds: what was noted sooner after a change may
/// be of the file before it.
const TICK: Duration = Duration::from_secs(2);

/// What the names of files end in: from when to when a segment's rows are, their sums, and what is
/// still being written.
pub const RANGE: &str = ".range";
/// See [`RANGE`].
pub const SUMS: &str = ".sums";
const HALF: &str = ".tmp";

/// A ledger's folder is named by so many bytes of its path's SHA-256, in hex.
const FOLDER_BYTES: usize = 8;

/// Behind what is kept: its SHA-256.
const CHECK_BYTES: usize = 32;

/// What tells one version of a segment from all others, short of reading it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Key {
    label: String,
    bytes: u64,
    modified: SystemTime,
    ends: [u8; 16],
}

impl Key {
    /// The key of a segment; None if it cannot be read.
    pub fn of(input: &Input) -> Option<Key> {
        let ends = input.ends(END_BYTES).ok()?;
        let ends = *Sha256::digest(ends).first_chunk()?;
        let (label, bytes) = (input.label.clone(), input.bytes());
        Some(Key { label, bytes, modified: input.modified()?, ends })
    }
}

/// The folder.
#[derive(Clone, Debug)]
pub struct Cache {
    folder: PathBuf,
    /// Of which prices what is kept knows.
    prices: String,
}

impl Cache {
    /// The cache of the ledger in this folder, below the user's folder for caches.
    pub fn of(home: &Path, ledger: &Path) -> Cache {
        let name = line_hash(ledger.as_os_str().as_encoded_bytes(), FOLDER_BYTES);
        Cache { folder: home.join("usage-ledger").join(name), prices: String::new() }
    }

    /// The same, as far as it knows costs by these prices.
    pub fn priced_by(&self, prices: &Prices) -> Cache {
        Cache { prices: prices.mark(), ..self.clone() }
    }

    /// What was kept under this name, if it was made of just these segments.
    pub fn load<T: DeserializeOwned>(&self, name: &str, keys: &[Key]) -> Option<T> {
        let path = self.folder.join(name);
        // A pipe in its place would block.
        let meta = path.metadata().ok().filter(fs::Metadata::is_file)?;
        let settled = meta.modified().ok()?.checked_sub(TICK)?;
        if keys.iter().any(|key| key.modified > settled) {
            return None;
        }
        let bytes = fs::read(path).ok()?;
        let (kept, check) = bytes.split_last_chunk::<CHECK_BYTES>()?;
        if Sha256::digest(kept).as_slice() != check {
            return None;
        }
        let ((version, prices, of), rest): ((String, String, Vec<Key>), &[u8]) =
            postcard::take_from_bytes(kept).ok()?;
        if version != VERSION || prices != self.prices || of != keys {
            return None;
        }
        postcard::from_bytes(rest).ok()
    }

    /// Keeps something under this name; false if that is not possible.
    pub fn keep<T: Serialize>(&self, name: &str, keys: &[Key], value: &T) -> bool {
        let keep = || -> io::Result<()> {
            let encode = |error: postcard::Error| io::Error::other(error.to_string());
            let bytes = postcard::to_stdvec(&(VERSION, &self.prices, keys)).map_err(encode)?;
            let mut bytes = postcard::to_extend(value, bytes).map_err(encode)?;
            let check = Sha256::digest(&bytes);
            bytes.extend_from_slice(&check);
            let mut file = tempfile::Builder::new().suffix(HALF).tempfile_in(&self.folder)?;
            io::Write::write_all(&mut file, &bytes)?;
            file.persist(self.folder.join(name))?;
            Ok(())
        };
        keep().is_ok()
    }

    /// Removes what is kept of segments that are no more.
    pub fn clear(&self, is_wanted: &dyn Fn(&str) -> bool) {
        for entry in fs::read_dir(&self.folder).into_iter().flatten().flatten() {
            let name = entry.file_name();
            let name = name.to_str().unwrap_or_default();
            let is_ours = [RANGE, SUMS, HALF].iter().any(|ending| name.ends_with(ending));
            if is_ours && !is_wanted(name) {
                let _ = fs::remove_file(entry.path());
            }
        }
    }

    /// Makes the folder, for the user alone: models and sums are nobody else's business.
    ///
    /// # Errors
    /// The file system's.
    pub fn create(&self) -> io::Result<()> {
        let mut builder = fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(&self.folder)
    }
}
