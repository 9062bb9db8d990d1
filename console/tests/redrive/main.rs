//! The redrive engine on real queues and a real ledger: no event is lost, and no message is deleted
//! without a confirmation of its copy.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test stops where it fails"
)]

mod crash;
mod engine;
mod faults;
mod identities;
mod operations;
mod pipeline;
mod replace;
mod replacing_letters;
mod replay;
#[path = "../support/mod.rs"]
mod support;
mod trace;
mod visibility;
