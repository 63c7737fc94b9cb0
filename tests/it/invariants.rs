//! Invariants of ARCHITECTURE.md that are the absence of something in the source.

use std::fs;
use std::path::{Path, PathBuf};

/// Every file of the library with its text, its unit tests left out.
fn library() -> Vec<(PathBuf, String)> {
    let mut files = Vec::new();
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() && !path.ends_with("bin") {
                folders.push(path);
            } else if path.extension().is_some_and(|it| it == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                files
                    .push((path, text.split("#[cfg(test)]\nmod tests").next().unwrap().to_owned()));
            }
        }
    }
    assert!(files.len() > 25, "the test has lost its eyes");
    files
}

fn naming(words: &[&str]) -> Vec<PathBuf> {
    let found = library().into_iter().filter(|(_, text)| words.iter().any(|it| text.contains(it)));
    let mut paths: Vec<PathBuf> = found.map(|(path, _)| path).collect();
    paths.sort();
    paths
}

#[test]
fn one_gate() {
    let callers = naming(&["ledger::append("]);
    assert!(callers.iter().all(|path| path.ends_with("src/intake/mod.rs")), "{callers:?}");
    let callers = naming(&["segment::append("]);
    let keepers = ["mod.rs", "journal.rs", "alerts.rs"];
    let is_keeper = |path: &PathBuf| keepers.iter().any(|it| path.ends_with(it));
    assert!(callers.iter().all(is_keeper), "{callers:?}");
    let callers = naming(&["events::append("]);
    assert!(callers.iter().all(|path| path.ends_with("src/intake/events.rs")), "{callers:?}");
    let callers = naming(&["journal.append("]);
    assert!(callers.iter().all(|path| path.ends_with("src/intake/mod.rs")), "{callers:?}");
}

#[test]
fn pure_rooms_do_no_io() {
    let doors = naming(&["std::fs", "std::io", "std::process", "std::net"]);
    for room in ["report", "render", "row.rs", "notes.rs", "timestamp.rs", "figures.rs", "tail.rs"]
    {
        let found: Vec<_> = doors.iter().filter(|path| path.iter().any(|it| it == room)).collect();
        assert!(found.is_empty(), "{found:?}");
    }
}

#[test]
fn clap_is_unknown_to_the_library() {
    assert_eq!(naming(&["clap::", "use clap"]), Vec::<PathBuf>::new());
}

#[test]
fn every_file_says_what_it_is_for() {
    for (path, text) in library() {
        assert!(text.starts_with("//! "), "{}", path.display());
    }
}

#[test]
fn nothing_unfinished_is_left() {
    for word in ["todo!", "unimplemented!", "dbg!", "TODO", "FIXME", "XXX"] {
        assert_eq!(naming(&[word]), Vec::<PathBuf>::new(), "{word}");
    }
}
