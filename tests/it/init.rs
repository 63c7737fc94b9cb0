//! The folder and what stands in it.

use crate::sandbox::{SEED, Sandbox, text};

#[test]
fn init_lays_down_the_folder_and_twice_changes_nothing() {
    let sandbox = Sandbox::repository();
    sandbox.ok("log-usage", &["init"]);
    for name in ["README.md", "config.toml", ".gitattributes", ".gitignore"] {
        assert!(!sandbox.read(&format!(".telemetry/{name}")).is_empty());
    }
    sandbox.write(".telemetry/README.md", "our own words\n");
    let before = sandbox.snapshot();
    let output = sandbox.run("log-usage", &["init"]);
    assert!(text(&output.stderr).contains("nothing was changed"));
    assert!(output.stdout.is_empty());
    assert_eq!(sandbox.snapshot(), before);
    sandbox.ok("log-usage", &SEED);
    assert_eq!(sandbox.git(["status", "--porcelain", "-uall"]).lines().count(), 5);
}

#[test]
fn every_setting_is_there_with_a_comment_and_can_be_set() {
    let sandbox = Sandbox::repository();
    sandbox.ok("log-usage", &["init"]);
    let config = sandbox.read(".telemetry/config.toml");
    assert!(config.lines().all(|line| line.is_empty() || line.starts_with("# ")));
    let set: String = config
        .lines()
        .filter_map(|line| line.strip_prefix("# "))
        .filter(|line| line.contains(" = ") || line.starts_with('['))
        .map(|line| format!("{line}\n"))
        .collect();
    // Twenty-eight settings, and the names of seven tables.
    assert_eq!(set.lines().count(), 35);
    sandbox.write(".telemetry/config.toml", set);
    sandbox.ok("log-usage", &SEED);
}

#[test]
fn an_ignored_ledger_is_said_to_be_and_the_fix_mends_it() {
    for (rule, is_warned) in [
        ("*.csv", true),
        (".telemetry/", true),
        (".telemetry/*", true),
        ("/.telemetry/usage.csv", true),
        ("*.csv\n!.telemetry/*.csv", true),
        (".*", true),
        ("*", true),
        ("*.csv\n!/.telemetry/**/*.csv", false),
        ("x", false),
    ] {
        let sandbox = Sandbox::repository();
        sandbox.write(".gitignore", format!("{rule}\n"));
        let error = text(&sandbox.run("log-usage", &SEED).stderr);
        assert_eq!(error.contains("ignore rules hide the ledger"), is_warned, "{rule}: {error}");
        let error = text(&sandbox.run("log-usage", &["init"]).stderr);
        assert_eq!(error.contains("ignore rules hide the ledger"), is_warned, "{rule}: {error}");
        let Some((_, fix)) = error.split_once("  fix: ").filter(|_| is_warned) else { continue };
        let fix = fix.lines().next().unwrap();
        sandbox.ok("sh", &["-c", fix]);
        let error = text(&sandbox.run("log-usage", &["init"]).stderr);
        assert!(!error.contains("warning"), "{rule}: {error}");
        sandbox.write(".telemetry/archive/usage-20260101T000000Z-01234567.csv", "");
        let status = sandbox.git(["status", "--porcelain", "-uall", ".telemetry"]);
        assert_eq!(status.lines().count(), 6, "{rule}: {status}");
    }
}

/// Where merges know no attributes, rows are better kept in a file for each commit.
#[test]
fn the_layout_is_proposed_and_chosen() {
    let sandbox = Sandbox::repository();
    let init = |arguments: &[&str]| {
        let output = sandbox.run("log-usage", &[&["init"], arguments].concat());
        assert!(output.status.success(), "{}", text(&output.stderr));
        text(&output.stderr)
    };
    assert!(!init(&[]).contains("fragments"));
    sandbox.git(["remote", "add", "origin", "git@github.com:a/b.git"]);
    assert!(init(&[]).contains("log-usage init --layout fragments"));
    let settings = sandbox.read(".telemetry/config.toml");
    let said = init(&["--layout", "fragments"]);
    assert!(said.contains("config.toml: layout = \"fragments\"\n"), "{said}");
    assert!(!said.contains("nothing was changed"), "{said}");
    assert!(init(&["--layout", "fragments"]).contains("nothing was changed"));
    let chosen = sandbox.read(".telemetry/config.toml");
    assert_eq!(chosen, settings.replace("# layout = \"fragments\"", "layout = \"fragments\""));
    assert!(!init(&[]).contains("fragments"), "it is so already");
    init(&["--layout", "single"]);
    assert!(sandbox.read(".telemetry/config.toml").contains("\nlayout = \"single\"\n"));
    sandbox.write(".telemetry/config.toml", "max_size = \"2M\"\n");
    init(&["--layout", "fragments"]);
    assert_eq!(
        sandbox.read(".telemetry/config.toml"),
        "layout = \"fragments\"\nmax_size = \"2M\"\n"
    );
}
