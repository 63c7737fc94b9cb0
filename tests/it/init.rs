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
    let printed = sandbox.ok("log-usage", &["init"]);
    assert!(printed.contains("nothing was changed"), "{printed}");
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
        .filter(|line| line.contains(" = "))
        .map(|line| format!("{line}\n"))
        .collect();
    assert_eq!(set.lines().count(), 2);
    sandbox.write(".telemetry/config.toml", set);
    sandbox.ok("log-usage", &SEED);
}

#[test]
fn init_says_that_the_ledger_is_ignored() {
    let rules = [
        ("*.csv\n", true),
        (".telemetry/\n", true),
        ("*.csv\n!/.telemetry/**/*.csv\n", false),
        ("x\n", false),
    ];
    for (rule, is_warned) in rules {
        let sandbox = Sandbox::repository();
        sandbox.write(".gitignore", rule);
        let output = sandbox.run("log-usage", &["init"]);
        let error = text(&output.stderr);
        assert!(output.status.success());
        assert_eq!(error.contains("ignore rules hide the ledger"), is_warned, "{rule}: {error}");
        assert!(!is_warned || error.contains(".gitignore:1:"), "{error}");
    }
}
