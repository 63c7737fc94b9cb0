//! Advice on the ledger itself: it grows too large for git, or its alerts are not looked after.

use crate::report::advice::facts::Facts;
use crate::report::advice::finding::{Finding, Gain};
use crate::report::alert::finding::Finding as Alert;

/// git stores each version of a committed file; beyond this that begins to cost.
pub const COMMITTED_BYTES_MAX: u64 = 1 << 20;

/// An alert that fires for longer, and that nobody acknowledged, is not looked after.
const UNACKNOWLEDGED_DAYS_MAX: i32 = 14;

/// An active segment that each commit stores anew, and that is large.
pub fn large_file(facts: &Facts<'_>) -> Vec<(Finding, Gain)> {
    let bytes = facts.committed_bytes.filter(|bytes| *bytes > COMMITTED_BYTES_MAX);
    let finding = |bytes| (Finding::LargeFile { bytes }, Gain::Bytes(bytes - COMMITTED_BYTES_MAX));
    bytes.map(finding).into_iter().collect()
}

/// Alerts that nobody looks after.
pub fn alerts(facts: &Facts<'_>) -> Vec<(Finding, Gain)> {
    let is_old = |it: &&Alert| facts.newest.0 - it.since.0 > UNACKNOWLEDGED_DAYS_MAX;
    let old = facts.firing.iter().filter(|it| it.acknowledged.is_none()).filter(is_old);
    let alerts = old.clone().count() as u64;
    let oldest = old.filter_map(|it| it.id.clone().map(|id| (it, id)));
    let finding = oldest.min_by_key(|(it, _)| it.since).map(|(it, id)| {
        let series = it.series.as_ref().map(|it| format!(" of {it}")).unwrap_or_default();
        Finding::Alerts { alerts, id, name: format!("{}{series}", it.name), since: it.since }
    });
    finding.map(|it| (it, Gain::Alerts(alerts))).into_iter().collect()
}
