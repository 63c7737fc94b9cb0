//! A ledger of LLM usage that lives in the git repository it paid for: `log-usage` writes it,
//! `usage-report` reads it. The rooms are listed from the ground up: each names only those above
//! it in this list, and a test keeps it so.
//!
//! ```
//! use usage_ledger::row::Row;
//!
//! let line = "2026-02-23T22:19:12+01:00,claude-3-opus,1500,3200,true,execute,45000,notes";
//! let row = Row::parse(line).expect("a whole row");
//! assert_eq!(row.total_tokens(), 4_700);
//! assert_eq!(row.to_line(), line);
//! ```

pub mod redact;
pub mod wording;
pub mod error;
pub mod figures;
pub mod timestamp;
pub mod record;
pub mod row;
pub mod notes;
pub mod privacy;
pub mod alert;
pub mod workspace;
pub mod event;
pub mod git;
pub mod setup;
pub mod ledger;
pub mod hooks;
pub mod doctor;
pub mod pricing;
pub mod intake;
pub mod fold;
pub mod report;
pub mod engine;
pub mod render;
