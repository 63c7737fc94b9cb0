//! Everything at the level at which a user meets it: real processes, real files, real git.

#![allow(clippy::disallowed_methods, reason = "tests stand outside the doors")]
#![allow(clippy::print_stderr, reason = "what is skipped is said")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod sandbox;

mod activity;
mod agents;
mod alarms;
mod alerts;
mod alerts_known;
mod amend;
mod archive;
mod batch;
mod branches;
mod cache;
mod capture;
mod compact;
mod concurrent;
mod consent;
mod costs;
mod damage;
mod deferred;
mod docs;
mod errors;
mod events;
mod faults;
mod fields;
mod floors;
mod git;
mod golden;
mod histories;
mod hooks;
mod hooks_beside;
mod hostile;
mod identity;
mod import;
mod import_told;
mod import_grown;
mod import_grown_codex;
mod import_story;
mod init;
mod invariants;
mod log_usage;
mod lost;
mod merges;
mod oracle;
mod origins;
mod places;
mod prices;
mod prune;
mod range;
mod reading;
mod redact;
mod rules;
mod run;
mod sockets;
mod storms;
mod transcripts;
mod upkeep;
mod unseen;
mod usage_report;
mod watching;
mod words;
