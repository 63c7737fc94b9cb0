//! The rules of redaction: each has a source, and the document is made of them.

use std::fs;
use std::path::Path;

use crate::sandbox::Sandbox;

const INTRODUCTION: &str = "\
# What redaction finds

Made of the rules by a test; do not edit. `log-usage` looks for all of this in notes, tags and models before it writes a
row, and in what it says; `log-usage redact` looks in any text, `redact --check FILE…` in files that people edit. What is
found becomes `[redacted:RULE]`: never a hash, for a hash of a weak password can be searched.

It is best effort. A key that was published must be changed at its provider, since history keeps it. What a rule
finds and your repository knows to be harmless is allowed in `.telemetry/config.toml`: `[redact]`,
`allow = [\"RULE:VALUE\"]`; not so `private-key`, `url-password` and `jwt`,
nor the login, home folder and address of whoever runs the program.

A rule's source is where its provider tells of its tokens (not each gives their exact form there; nothing is asked over
the network), or `pattern` where the structure of a text gives a secret away. `log-usage redact --list-rules --json`
prints this list.

| Rule | Finds | Source |
|:-----|:------|:-------|
";

#[test]
fn every_rule_has_a_source_and_the_document_is_made_of_them() {
    let printed = Sandbox::new().ok("log-usage", &["redact", "--list-rules", "--json"]);
    let json: serde_json::Value = serde_json::from_str(&printed).unwrap();
    let mut document = INTRODUCTION.to_owned();
    let rules = json["rules"].as_array().unwrap();
    for rule in rules {
        let word = |key: &str| rule[key].as_str().unwrap();
        let (name, finds, source) = (word("name"), word("finds"), word("source"));
        let is_address = source.strip_prefix("https://").is_some_and(|rest| {
            let host = rest.split('/').next().unwrap();
            let is_plain = |c: char| c.is_ascii_alphanumeric() || "-._/".contains(c);
            host.contains('.') && rest.chars().all(is_plain) && !rest.ends_with('/')
        });
        assert!(is_address || source == "pattern", "{name}: {source}");
        // What a token begins with is shown as it is.
        let finds = match finds.strip_prefix("what begins with ") {
            Some(prefixes) => format!("`{}`", prefixes.replace(' ', "` `")),
            None => finds.to_owned(),
        };
        assert!(!finds.contains(['|', '<']), "{finds}");
        let source = if is_address { format!("<{source}>") } else { source.to_owned() };
        document += &format!("| `{name}` | {finds} | {source} |\n");
    }
    let of_providers = rules.iter().filter(|rule| rule["source"] != "pattern").count();
    assert!(of_providers >= 170, "{of_providers}");
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/redaction.md");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&path, &document).unwrap();
    }
    let is_same = fs::read_to_string(&path).unwrap_or_default() == document;
    assert!(
        is_same,
        "docs/redaction.md is not what the rules say: UPDATE_GOLDEN=1 cargo test rules"
    );
}
