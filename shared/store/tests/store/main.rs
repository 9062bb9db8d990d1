//! The store on a real PostgreSQL, one database per test.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test stops where it fails"
)]

mod arrivals;
mod connections;
#[expect(dead_code, reason = "the ingest's tests use the other faults")]
mod database_proxy;
mod erase;
mod events;
#[path = "../../../event/tests/hostile/mod.rs"]
mod hostile;
mod iam;
mod ledger_copy;
mod lists;
mod log;
mod online;
mod operator_question;
mod partitions;
mod refusals;
mod replacements;
mod roles;
mod rollup;
mod round_trips;
mod schema;
mod silence;
mod statistics;
mod verdicts;
mod writes;
