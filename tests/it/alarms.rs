//! Anomalies on made-up ledgers: a few of those that `cargo bench --bench alarms` measures on.

#[path = "../../benches/alarms/ledger.rs"]
mod ledger;
#[path = "../../benches/alarms/measure.rs"]
mod measure;

use ledger::{DAYS, make};
use measure::{FAULTS, false_alarms, is_found};

const SEEDS: std::ops::Range<u64> = 500..506;

#[test]
fn what_is_planted_is_found_within_two_days() {
    for (fault, name, metric, direction) in FAULTS {
        let found = |seed: &u64| is_found(&make(*seed, Some(fault)), metric, direction);
        let found = SEEDS.filter(found).count();
        assert!(found + 1 >= SEEDS.count(), "{name}: {found} of {}", SEEDS.count());
    }
}

#[test]
fn a_ledger_without_faults_raises_at_most_one_alarm_in_thirty_days() {
    let told: u64 = SEEDS.map(|seed| false_alarms(&make(seed, None))).sum();
    let thirties = SEEDS.count() as u64 * DAYS as u64 / 30;
    assert!(told <= thirties, "{told} in {thirties} times 30 days");
}
