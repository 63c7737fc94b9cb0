//! How consent is told to people.

use usage_ledger::privacy::consent::Consent;

/// Both switches.
pub(super) fn switches(identity: bool, export: bool) -> String {
    format!("identity {}, export {}", on(identity), on(export))
}

/// A switch.
pub(super) fn on(is_on: bool) -> &'static str {
    if is_on { "on" } else { "off" }
}

/// What may be recorded, and who decided so.
pub(super) fn in_effect(consent: &Consent) -> String {
    let line = |what: &str, value: &str, source: &str| format!("{what:<10}{value:<9}{source}\n");
    let identity = consent.identity_decided_by().words();
    let export = consent.export_decided_by().words();
    [
        line("level", consent.level.name(), consent.decided_by().words()),
        line("identity", on(consent.identity), identity),
        line("export", on(consent.export), export),
    ]
    .concat()
}
