//! Golden folders: input files, a command, and exactly what it prints. `UPDATE_GOLDEN=1` writes the
//! expectations anew.

use std::fs;
use std::path::{Path, PathBuf};

use crate::sandbox::{Sandbox, text};

pub(crate) fn cases(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(folder);
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut cases: Vec<PathBuf> = entries.filter(|path| path.join("cmd").exists()).collect();
    cases.sort();
    cases
}

/// Runs one case; gives what differs from the expectation.
pub(crate) fn run(case: &Path) -> Result<(), String> {
    let sandbox = Sandbox::new();
    copy(case, &sandbox.path(""));
    // Held by this process, as by a writer that was stopped.
    let lock = fs::read_to_string(case.join("locked")).ok().map(|name| {
        let file = fs::File::create(sandbox.path(name.trim())).unwrap();
        fs2::FileExt::lock_exclusive(&file).unwrap();
        file
    });
    let mut command = sandbox.command("sh");
    let output = command.arg(case.join("cmd")).output().unwrap();
    drop(lock);
    let root = fs::canonicalize(sandbox.path("")).unwrap();
    let neutral = |bytes: &[u8]| text(bytes).replace(&root.to_string_lossy().into_owned(), "/repo");
    let code = output.status.code().unwrap_or(-1);
    let printed = [
        ("expected.out", neutral(&output.stdout)),
        ("expected.err", neutral(&output.stderr)),
        ("expected.code", if code == 0 { String::new() } else { format!("{code}\n") }),
    ];
    let mut differences = String::new();
    for (name, printed) in printed {
        let path = case.join(name);
        let expected = fs::read_to_string(&path).unwrap_or_default();
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            match printed.is_empty() {
                true => drop(fs::remove_file(&path)),
                false => fs::write(&path, &printed).unwrap(),
            }
        } else if printed != expected {
            differences += &format!("{}:\n{printed}\n--- expected:\n{expected}\n", path.display());
        }
    }
    if differences.is_empty() { Ok(()) } else { Err(differences) }
}

fn copy(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() {
            fs::create_dir_all(to.join(&name)).unwrap();
            copy(&path, &to.join(&name));
        } else if !(name == "cmd" || name == "locked" || name.starts_with("expected.")) {
            fs::copy(&path, to.join(&name)).unwrap();
        }
    }
}

#[test]
fn reports_look_as_they_did() {
    let cases = cases("");
    assert!(cases.len() >= 10, "only {} golden cases", cases.len());
    let differences: Vec<String> = cases.iter().filter_map(|case| run(case).err()).collect();
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}
