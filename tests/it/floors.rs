//! Arrows fall: a file names only files that `lib.rs` and the `mod.rs` files list before it.

use std::fs;
use std::path::{Path, PathBuf};

/// Every file of a crate from the ground up, with the path by which others name it.
fn files(root: &Path, folder: &Path, path: &str, order: &mut Vec<(PathBuf, String)>) {
    let text = fs::read_to_string(root).unwrap();
    let mut explicit = None;
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("#[path = \"") {
            explicit = rest.split('"').next().map(|it| folder.join(it));
        }
        let name = line.trim_start_matches("pub ").strip_prefix("mod ");
        let Some(name) = name.and_then(|it| it.strip_suffix(';')) else { continue };
        let child = format!("{path}::{name}");
        let (file, inner) = (folder.join(format!("{name}.rs")), folder.join(name));
        match explicit.take() {
            Some(file) => order.push((file, child)),
            None if file.exists() => order.push((file, child)),
            None => files(&inner.join("mod.rs"), &inner, &child, order),
        }
    }
    order.push((root.to_owned(), path.to_owned()));
}

/// Every `crate::…` path in the text, as far as it is made of names of modules and items.
fn named(text: &str) -> impl Iterator<Item = String> {
    text.match_indices("crate::").map(|(at, _)| {
        let rest = &text[at..];
        let end = rest.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':'));
        rest[..end.unwrap_or(rest.len())].trim_end_matches(':').to_owned()
    })
}

#[test]
fn arrows_fall() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut arrows = 0;
    let mut wrong = Vec::new();
    for (root, folder) in [
        (source.join("lib.rs"), source.clone()),
        (source.join("bin/log-usage/main.rs"), source.join("bin/log-usage")),
        (source.join("bin/usage-report/main.rs"), source.join("bin/usage-report")),
    ] {
        let mut order = Vec::new();
        files(&root, &folder, "crate", &mut order);
        let floor = |path: &str| {
            // The longest module that the path begins with is the file that it names.
            let owns = |module: &str| path == module || path.starts_with(&format!("{module}::"));
            (0..order.len()).filter(|at| owns(&order[*at].1)).max_by_key(|at| order[*at].1.len())
        };
        for (at, (file, own)) in order.iter().enumerate() {
            let text = fs::read_to_string(file).unwrap();
            assert!(!text.contains("super::super"), "{}", file.display());
            for path in named(&text) {
                let named = floor(&path).unwrap();
                arrows += 1;
                if named > at {
                    wrong.push(format!("{own} names {path}, which stands above it"));
                }
            }
        }
    }
    assert!(arrows > 100, "the test has lost its eyes: {arrows} arrows seen");
    assert_eq!(wrong, [""; 0]);
}

#[test]
fn the_writer_holds_no_code_of_the_readers_kind() {
    let name = std::env::var_os("RELEASED_LOG_USAGE");
    let Some(name) =
        name.or_else(|| (!cfg!(debug_assertions)).then(|| env!("CARGO_BIN_EXE_log-usage").into()))
    else {
        eprintln!(
            "SKIPPED the_writer_holds_no_code_of_the_readers_kind: a build for debugging keeps what \
             is never called; cargo test --release looks"
        );
        return;
    };
    let binary = fs::read(name).unwrap();
    for word in ["comfy_table", "rustls", "ureq", "getaddrinfo"] {
        let found = binary.windows(word.len()).any(|window| window == word.as_bytes());
        assert!(!found, "log-usage holds {word}");
    }
}
