//! The commands of the real program: on nothing, on real queues, and on the whole pipeline.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test stops where it fails"
)]

mod access;
mod account;
mod alarms;
mod api_token;
mod bad_input;
mod by_api;
mod completions;
mod cost;
mod delete;
#[cfg(feature = "demo")]
mod demo;
mod denying_service;
mod env;
mod erase;
mod export;
mod exports;
mod fleet;
mod hostile;
mod lint;
mod logs;
mod manual;
mod messages;
mod metrics_of_the_past;
mod move_service;
mod native;
mod peek;
mod pipeline;
mod probe;
mod programs;
mod publish;
mod redrives;
mod replace;
mod replay;
mod slo;
mod sql;
#[path = "../support/mod.rs"]
mod support;
mod tidy;
mod tls;
mod trace;
mod tunnel;
mod usage;
