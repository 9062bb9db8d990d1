//! Faults of services on the real stack: a PostgreSQL that is restarted, cut off, full or paused,
//! and a dead-letter queue that is throttled, partly failing or away.
//!
//! Every test goes through [`fixture::Fixture::deliver`], which checks the conservation law: each
//! message is exactly one of stored, duplicate, dead-lettered and reported, and the database and
//! the queue contain what was reported; and through [`fixture::Fixture::redeliver`], after which every
//! good event is stored exactly once.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test stops where it fails"
)]

mod batches;
#[path = "../../../../shared/store/tests/store/database_proxy.rs"]
mod database_proxy;
mod fixture;
mod messages;
mod outages;
mod queue_proxy;
mod queues;
mod random;
mod replacements;
mod statements;
