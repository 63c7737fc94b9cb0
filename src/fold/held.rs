//! Which of the rows that waited the commit that was just made holds: only these are let go of.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::{self, Read, Seek, Write};
use std::path::Path;
use std::process::Command;
use std::str;

use crate::error::{Error, Result};
use crate::git::committed;
use crate::ledger::gzip;
use crate::ledger::journal::Waiting;
use crate::workspace::LEDGER;

/// The work tree, as a commit's hook sees it.
pub struct Held<'a> {
    /// Its top.
    pub top: &'a Path,
    /// git in the hook's own environment.
    pub git: &'a dyn Fn(&[&str]) -> Command,
}

impl Held<'_> {
    /// Which of these rows, all for the ledger in this folder, the commit that was made holds.
    ///
    /// # Errors
    /// No git on the path.
    pub fn rows<'r>(&self, folder: &Path, rows: &[&'r Waiting]) -> Result<Vec<&'r Waiting>> {
        let mut missing: HashMap<&str, Vec<&Waiting>> = HashMap::new();
        for row in rows {
            missing.entry(&row.line).or_default().push(row);
        }
        let mut found = Vec::new();
        let active = folder.join(LEDGER);
        let mut object = OsString::from("HEAD:");
        object.push(&active);
        match self.unchanged(&active, &object)? {
            Some(bytes) => take_from(&bytes, &mut missing, &mut found),
            None => {
                let object = [object.as_encoded_bytes(), b"\n"].concat();
                self.look_in(&object, &[], &mut missing, &mut found)?;
            }
        }
        if !missing.is_empty() {
            let mut list = (self.git)(&["ls-tree", "-r", "-z", "HEAD", "--"]);
            let output = list.arg(folder).output().map_err(|error| failed(&error))?;
            let entries = output.stdout.split(|byte| *byte == 0).filter(|it| it.ends_with(b".csv"));
            // `mode type hash<TAB>path` becomes `hash path`.
            let object = |entry: &[u8]| {
                let tab = memchr::memchr(b'\t', entry)?;
                let space = memchr::memrchr(b' ', &entry[..tab])?;
                Some([&entry[space + 1..tab], b" ", &entry[tab + 1..], b"\n"].concat())
            };
            let objects: Vec<u8> = entries.filter_map(object).flatten().collect();
            // As the work tree would have them: a filter may keep their bytes elsewhere.
            self.look_in(&objects, &["--filters"], &mut missing, &mut found)?;
            let entries = output.stdout.split(|byte| *byte == 0).map(String::from_utf8_lossy);
            let paths = entries.filter_map(|entry| Some(entry.split_once('\t')?.1.to_owned()));
            for path in paths.filter(|path| gzip::is_compressed(path.as_ref())) {
                if missing.is_empty() {
                    break;
                }
                let bytes = committed::file_at(self.top, "HEAD", &path).unwrap_or_default();
                let mut text = Vec::new();
                // What cannot be read holds no row that could be let go of.
                let _ = gzip::decoded(&*bytes).read_to_end(&mut text);
                take_from(&text, &mut missing, &mut found);
            }
        }
        Ok(found)
    }

    /// Moves the rows that these objects hold from the one to the other.
    fn look_in<'r>(
        &self,
        objects: &[u8],
        options: &[&str],
        missing: &mut HashMap<&str, Vec<&'r Waiting>>,
        found: &mut Vec<&'r Waiting>,
    ) -> Result<()> {
        let mut input = tempfile::tempfile().map_err(|error| failed(&error))?;
        input.write_all(objects).map_err(|error| failed(&error))?;
        input.rewind().map_err(|error| failed(&error))?;
        let mut command = (self.git)(&["cat-file", "--batch"]);
        let output = command.args(options).stdin(input).output().map_err(|error| failed(&error))?;
        take_from(&output.stdout, missing, found);
        Ok(())
    }

    /// A file of the work tree, if this object is the same byte for byte: then git need not unpack it.
    fn unchanged(&self, path: &Path, object: &OsStr) -> Result<Option<Vec<u8>>> {
        let mut command = (self.git)(&["rev-parse", "--quiet", "--verify"]);
        let output = command.arg(object).output().map_err(|error| failed(&error))?;
        let bytes = fs::read(self.top.join(path)).unwrap_or_default();
        Ok(committed::is_blob(&bytes, output.stdout.trim_ascii_end()).then_some(bytes))
    }
}

/// Moves the rows that stand among these lines from the one to the other.
fn take_from<'r>(
    lines: &[u8],
    missing: &mut HashMap<&str, Vec<&'r Waiting>>,
    found: &mut Vec<&'r Waiting>,
) {
    // What waited is what was added last.
    for line in lines.rsplit(|byte| *byte == b'\n') {
        if missing.is_empty() {
            break;
        }
        let line = str::from_utf8(line.trim_ascii_end()).unwrap_or_default();
        found.extend(missing.remove(line).into_iter().flatten());
    }
}

fn failed(error: &io::Error) -> Error {
    Error::io("run", "git".as_ref(), error)
}
