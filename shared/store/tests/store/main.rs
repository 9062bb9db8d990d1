//! The store on a real PostgreSQL, one database per test.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test stops where it fails"
)]

mod arrivals;
mod connections;
mod events;
#[path = "../../../event/tests/hostile/mod.rs"]
mod hostile;
mod iam;
mod ledger_copy;
mod lists;
mod partitions;
mod refusals;
mod roles;
mod rollup;
mod round_trips;
mod schema;
mod statistics;
mod verdicts;
mod writes;
