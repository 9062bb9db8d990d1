//! Faults of the world on the real stack: a PostgreSQL that is restarted, cut off, full or paused,
//! and a dead-letter queue that is throttled, partly failing or away.
//!
//! Every test goes through [`stage::Stage::deliver`], which checks the conservation law: each
//! message is exactly one of stored, duplicate, dead-lettered and reported, and the database and
//! the queue truly hold what was said; and through [`stage::Stage::redeliver`], after which every
//! good event is stored exactly once.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test stops where it fails"
)]

mod batches;
mod messages;
mod outages;
mod queue_wire;
mod queues;
mod random;
mod stage;
mod statements;
mod wire;
