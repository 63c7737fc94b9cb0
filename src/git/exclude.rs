//! The list of what git leaves alone on every branch: it is the repository's own, and no commit holds it.

use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

/// Where it is, below the folder that all work trees share.
pub fn path(shared: &Path) -> PathBuf {
    shared.join("info/exclude")
}

/// Whether the list has all these rules.
pub fn has_all(shared: &Path, rules: &[String]) -> bool {
    fs::read(path(shared)).is_ok_and(|list| rules.iter().all(|rule| has(&list, rule)))
}

/// Adds these rules to the list, each that is not in it.
///
/// # Errors
/// A list that cannot be read or written.
pub fn add(shared: &Path, why: &str, rules: &[String]) -> io::Result<()> {
    let path = path(shared);
    let old = match fs::read(&path) {
        Ok(old) => old,
        Err(error) if error.kind() == ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(error),
    };
    let missing: Vec<&str> =
        rules.iter().filter(|rule| !has(&old, rule)).map(String::as_str).collect();
    if missing.is_empty() {
        return Ok(());
    }
    fs::create_dir_all(shared.join("info"))?;
    let end = if old.is_empty() || old.ends_with(b"\n") { "" } else { "\n" };
    let text = format!("{end}# {why}\n{}\n", missing.join("\n"));
    // At once and at the end: what somebody else adds meanwhile stays.
    OpenOptions::new().create(true).append(true).open(&path)?.write_all(text.as_bytes())
}

fn has(list: &[u8], rule: &str) -> bool {
    let mut lines = list.split(|byte| *byte == b'\n');
    lines.any(|line| line.strip_suffix(b"\r").unwrap_or(line) == rule.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_added_once_and_others_stay() {
        let folder = tempfile::tempdir().unwrap();
        let own = folder.path().join(".git");
        let path = own.join("info/exclude");
        let read = || fs::read_to_string(&path).unwrap();
        let rules = ["/a", "/b/"].map(str::to_owned);
        assert!(!has_all(&own, &rules));
        add(&own, "why", &rules).unwrap();
        assert_eq!(read(), "# why\n/a\n/b/\n");
        assert!(has_all(&own, &rules));
        fs::write(&path, "mine\n/a\r\nlast").unwrap();
        assert!(!has_all(&own, &rules));
        add(&own, "why", &rules).unwrap();
        assert_eq!(read(), "mine\n/a\r\nlast\n# why\n/b/\n");
        add(&own, "why", &rules).unwrap();
        assert_eq!(read(), "mine\n/a\r\nlast\n# why\n/b/\n");
    }
}
