//! What the documents say is what the programs do.

use std::fs;
use std::path::Path;

use crate::sandbox::Sandbox;
use crate::transcripts;

fn document(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap()
}

/// The commands of every block of that language.
fn commands(text: &str, fence: &str) -> Vec<String> {
    let mut commands = Vec::new();
    let mut inside = false;
    for line in text.lines() {
        match line {
            "```" => inside = false,
            line if line.starts_with("```") => inside = &line[3..] == fence,
            line if inside => commands.extend(line.strip_prefix("$ ").map(str::to_owned)),
            _ => {}
        }
    }
    commands
}

#[test]
fn every_command_of_the_readme_works() {
    let sandbox = Sandbox::repository();
    sandbox.write("examples/team/usage.csv", document("examples/team/usage.csv"));
    // A coding agent has worked here.
    let here = sandbox.path("").canonicalize().unwrap();
    let folders = [here.to_str().unwrap(), "/w/elsewhere"];
    transcripts::claude_code(&sandbox.path("../home"), folders, 20, 60, 1);
    let commands = commands(&document("README.md"), "console");
    assert!(commands.len() >= 12, "{commands:?}");
    for command in commands {
        // The two that set everything up are what runs this test.
        let command = command.replace("cargo install --path . && ", "");
        if command.starts_with("cargo test") || command.contains("MODEL PROMPT_TOKENS") {
            continue;
        }
        let output = sandbox.command("sh").args(["-c", &command]).output().unwrap();
        assert!(output.status.success(), "{command}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

/// The report in the README is the one that the example ledger gives.
#[test]
fn the_readme_shows_a_real_report() {
    let sandbox = Sandbox::new();
    sandbox.write("usage.csv", document("examples/team/usage.csv"));
    let report = sandbox.ok("usage-report", &["--file", "usage.csv"]);
    let shown = report.split("\n## By model").next().unwrap();
    let readme = document("README.md");
    let (before, rest) = readme.split_once("<!-- report -->\n").unwrap();
    let (_, after) = rest.split_once("<!-- /report -->").unwrap();
    let block = format!("````markdown\n{}\n````\n", shown.trim_end());
    let expected = format!("{before}<!-- report -->\n{block}<!-- /report -->{after}");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md"), &expected).unwrap();
    } else {
        assert!(readme == expected, "README.md: UPDATE_GOLDEN=1 cargo test readme");
    }
}

#[test]
fn the_version_stands_in_the_changelog() {
    let heading = format!("## {}", env!("CARGO_PKG_VERSION"));
    assert!(document("CHANGELOG.md").contains(&heading));
}

/// What the help says of options and commands is all there is, and all there is is said.
#[test]
fn the_help_names_every_option_of_the_row_form() {
    let sandbox = Sandbox::new();
    let help = sandbox.ok("log-usage", &["--help"]);
    let source = document("src/bin/log-usage/row_form.rs");
    let table = source.split_once("const OPTIONS").unwrap().1.split_once("];").unwrap().0;
    let options: Vec<&str> = table.split('"').filter(|word| word.starts_with('-')).collect();
    assert!(options.len() > 8, "{options:?}");
    for option in options.iter().filter(|option| !["-h", "--help"].contains(option)) {
        assert!(help.contains(option), "{option} is not in the help");
    }
    for command in ["batch", "init"] {
        assert!(help.contains(command));
        assert!(sandbox.ok("log-usage", &[command, "--help"]).contains("Usage: log-usage"));
    }
}

#[test]
fn the_ledgers_own_readme_names_every_column() {
    let text = document("src/setup/readme.md");
    for column in crate::sandbox::HEADER.split(',') {
        assert!(text.contains(&format!("| `{column}` |")), "{column}");
    }
}

#[test]
fn this_repository_keeps_a_sound_ledger() {
    let root = env!("CARGO_MANIFEST_DIR");
    let sandbox = Sandbox::new();
    for name in ["usage.csv", "README.md", "config.toml", ".gitattributes", ".gitignore"] {
        let name = format!(".telemetry/{name}");
        sandbox.write(&name, document(&name));
    }
    assert!(sandbox.ok("usage-report", &["verify"]).contains("nothing found"));
    assert!(sandbox.rows().len() >= 5);
    assert!(
        fs::read_to_string(format!("{root}/.gitignore"))
            .unwrap()
            .contains(".telemetry/ is not ignored")
    );
}
