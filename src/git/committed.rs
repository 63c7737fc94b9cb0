//! What the last commit holds.

use std::path::Path;
use std::process::Stdio;

use sha1::Sha1;
use sha2::{Digest, Sha256};

use crate::git::process::command;

/// A file as a commit has it; None where it has none.
pub fn file_at(folder: &Path, commit: &str, path: &str) -> Option<Vec<u8>> {
    // A path that begins so is taken from the folder, not from the top of the work tree.
    let name = match path.starts_with("./") || path.starts_with("../") {
        true => format!("{commit}:{path}"),
        false => format!("{commit}:./{path}"),
    };
    let output =
        command(folder, &["cat-file", "blob", &name]).stderr(Stdio::null()).output().ok()?;
    output.status.success().then_some(output.stdout)
}

/// The files below a folder that differ from the last commit, by their paths from there.
pub fn changed(folder: &Path) -> Vec<String> {
    // Unlike `diff` this writes nothing, not even what it found out.
    let arguments =
        ["diff-index", "--name-only", "--no-renames", "--relative", "-z", "HEAD", "--", "."];
    let output = command(folder, &arguments).stderr(Stdio::null()).output();
    let names = output.map(|output| output.stdout).unwrap_or_default();
    let names = names.split(|byte| *byte == 0).filter(|name| !name.is_empty());
    names.map(|name| String::from_utf8_lossy(name).into_owned()).collect()
}

/// Whether the object of this name, in hexadecimal, is a file of these bytes: git names a file by a
/// digest of its size and its bytes (<https://git-scm.com/book/en/v2/Git-Internals-Git-Objects>).
pub fn is_blob(bytes: &[u8], name: &[u8]) -> bool {
    let head = format!("blob {}\0", bytes.len());
    match name.len() {
        40 => is_digest::<Sha1>(&[head.as_bytes(), bytes], name),
        64 => is_digest::<Sha256>(&[head.as_bytes(), bytes], name),
        _ => false,
    }
}

fn is_digest<D: Digest>(parts: &[&[u8]], name: &[u8]) -> bool {
    let digest = parts.iter().fold(D::new(), D::chain_update).finalize();
    digest.iter().map(|byte| format!("{byte:02x}")).collect::<String>().as_bytes() == name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_blob_is_known_by_its_name() {
        let bytes = b"hello\n";
        let sha1 = b"ce013625030ba8dba906f756967f9e9ca394464a";
        let sha256 = b"2cf8d83d9ee29543b34a87727421fdecb7e3f3a183d337639025de576db9ebb4";
        assert!(is_blob(bytes, sha1) && is_blob(bytes, sha256));
        assert!(!is_blob(b"hello", sha1) && !is_blob(bytes, b"") && !is_blob(bytes, &sha1[..39]));
    }
}
