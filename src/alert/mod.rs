//! What is to be watched, and what people said of it: rules as settings hold them, and the lines of
//! `alerts.csv`. Pure; knows no file.

pub mod severity;
pub mod amount;
pub mod metric;
pub mod limit;
pub mod rule;
pub mod act;
