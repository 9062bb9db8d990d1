//! What several test binaries need: the pipeline or its queues, the real program, a terminal.

#![allow(
    dead_code,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "each binary uses a part of it; a test stops where it fails"
)]

pub(crate) mod configuration;
pub(crate) mod harness;
pub(crate) mod machine;
pub(crate) mod program;
pub(crate) mod proxy;
pub(crate) mod pty;
pub(crate) mod queues;
pub(crate) mod redrive_fixture;
pub(crate) mod signals;
pub(crate) mod source_queue;
pub(crate) mod stack;
pub(crate) mod topic;
