//! The catalogue of errors: every variant has a case with its exact text, and `docs/errors.md` is
//! made of them.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::thread;

use crate::golden;

/// The variants of `Error` with their descriptions, read from its source.
fn variants() -> Vec<(String, String)> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/error.rs");
    let source = fs::read_to_string(source).unwrap();
    let body = source.split_once("pub enum Error {").unwrap().1.split_once("\n}").unwrap().0;
    let mut about = String::new();
    let mut variants = Vec::new();
    for line in body.lines() {
        let Some(line) = line.strip_prefix("    ") else { continue };
        if let Some(words) = line.strip_prefix("/// ") {
            about = format!("{about} {words}");
        } else if line.starts_with(|c: char| c.is_ascii_uppercase()) {
            let name: String = line.chars().take_while(|c| c.is_alphanumeric()).collect();
            variants.push((name, about.trim().to_owned()));
            about.clear();
        }
    }
    variants
}

/// `Field-success` is a case of the variant `Field`.
fn variant(case: &Path) -> String {
    let name = case.file_name().unwrap().to_string_lossy().into_owned();
    name.split('-').next().unwrap().to_owned()
}

#[test]
fn every_error_says_exactly_this() {
    let has_strace =
        std::process::Command::new("strace").args(["-o", "/dev/null", "true"]).output();
    let has_strace = has_strace.is_ok_and(|output| output.status.success());
    let mut cases = golden::cases("errors");
    cases.retain(|case| {
        let needs_strace = fs::read_to_string(case.join("cmd")).unwrap().contains("strace");
        if needs_strace && !has_strace {
            eprintln!("SKIPPED {}: no strace on this machine", case.display());
        }
        has_strace || !needs_strace
    });
    // Some wait for a lock, so all run at once.
    let differences: Vec<String> = thread::scope(|scope| {
        let running: Vec<_> =
            cases.iter().map(|case| scope.spawn(|| golden::run(case).err())).collect();
        running.into_iter().filter_map(|it| it.join().unwrap()).collect()
    });
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

#[test]
fn the_catalogue_is_whole_and_the_document_is_made_of_it() {
    let mut by_variant: BTreeMap<String, Vec<PathBuf>> = BTreeMap::new();
    for case in golden::cases("errors") {
        by_variant.entry(variant(&case)).or_default().push(case);
    }
    let variants = variants();
    assert!(variants.len() > 15, "the test has lost its eyes: {variants:?}");
    let mut document =
        "# Errors\n\nMade of `tests/golden/errors/` by a test; do not edit. Every error \
        says what, why and how to mend it. Exit codes: 1 it could not be done, 2 bad input and \
        nothing was changed, 3 something was skipped.\n"
            .to_owned();
    for (name, about) in &variants {
        let cases = by_variant.remove(name);
        let cases = cases.unwrap_or_else(|| panic!("no case in tests/golden/errors for {name}"));
        document += &format!("\n## {name}\n\n{about}\n");
        for case in cases {
            let read = |name: &str| fs::read_to_string(case.join(name)).unwrap_or_default();
            let shown = |line: &str| match line.strip_prefix("strace ") {
                // Only a fault that strace makes brings this error about.
                Some(line) => {
                    let program = line.find(" log-usage ").or(line.find(" usage-report "));
                    line[program.unwrap() + 1..].to_owned()
                }
                None => line.to_owned(),
            };
            let lines = read("cmd");
            let command = lines.lines().map(shown).collect::<Vec<_>>().join("\n$ ");
            let (error, code) = (read("expected.err"), read("expected.code"));
            document +=
                &format!("\n```text\n$ {command}\n{error}[exit code {}]\n```\n", code.trim());
        }
    }
    assert_eq!(by_variant.keys().collect::<Vec<_>>(), Vec::<&String>::new(), "no such variants");
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/errors.md");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&path, &document).unwrap();
    }
    let is_same = fs::read_to_string(&path).unwrap_or_default() == document;
    assert!(is_same, "docs/errors.md is not what the cases say: UPDATE_GOLDEN=1 cargo test errors");
}
