//! Days that are unlike those before: found without settings, each with its evidence.

pub mod finding;
mod chance;
mod baseline;
mod leaf;
mod reading;
mod silence;
pub mod watch;

use crate::report::anomaly::finding::Anomaly;
use crate::report::anomaly::watch::Watch;
use crate::report::series::Series;

/// The anomalies of series that have no task in common, in the order in which they were to be
/// found.
pub fn find(series: &[Series]) -> Vec<Anomaly> {
    Watch::new(series).run()
}
