//! A ledger of LLM usage that lives in the git repository it paid for: `log-usage` writes it,
//! `usage-report` reads it. The rooms are listed from the ground up: each names only those above
//! it in this list, and a test keeps it so.

pub mod error;
pub mod figures;
pub mod timestamp;
pub mod record;
pub mod row;
pub mod notes;
pub mod workspace;
pub mod git;
pub mod setup;
pub mod ledger;
pub mod doctor;
pub mod intake;
pub mod report;
pub mod engine;
pub mod render;
