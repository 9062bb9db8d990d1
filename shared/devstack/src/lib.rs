//! A private PostgreSQL and an AWS emulator with the real functions deployed to it.
//!
//! Invariant: nothing that is started here outlives the process that started it, even when that is
//! killed. Everything listens on loopback or on a private socket.
//!
//! ```no_run
//! use devstack::{BuildProfile, ProgressSender, Stack, StackOptions, Traffic, TrafficOptions, functions};
//!
//! # async fn example() -> Result<(), devstack::DevstackError> {
//! let functions = functions::build(BuildProfile::Debug, &ProgressSender::default()).await?;
//! let stack = Stack::start(StackOptions::new(functions)).await?;
//! let options = TrafficOptions { total: Some(100), ..TrafficOptions::default() };
//! let report = Traffic::start(stack.endpoints(), options).finish().await?;
//! println!("{:?}, {:?}", report.counts, stack.ingest_counts()?);
//! stack.stop().await
//! # }
//! ```

mod access;
mod architecture;
pub mod bench;
mod databases;
mod deployment;
mod emulator;
mod endpoints;
mod evidence;
mod failure;
mod faults;
mod function_logs;
mod function_metrics;
pub mod functions;
mod guardian;
mod install;
mod log_file;
mod log_space;
mod messaging;
mod metric_calls;
pub mod packages;
mod postgres;
mod postgres_binaries;
mod progress;
mod queue_metrics;
pub mod scenario;
mod search_path;
pub mod services;
mod signed_request;
mod stack;
pub mod traffic;

pub use architecture::{Architecture, GLIBC_MAX, GlibcVersion};
pub use databases::TestDatabase;
pub use emulator::{Emulator, EmulatorOptions};
pub use endpoints::{Endpoints, sdk_config};
pub use evidence::{DeadLetters, IngestCounts, read_dead_letters};
pub use failure::DevstackError;
pub use faults::Fault;
pub use functions::{BuildProfile, Functions};
pub use install::python_packages;
pub use postgres::{Durability, Postgres, PostgresOptions};
pub use progress::{Progress, ProgressSender, Step};
pub use stack::{Stack, StackOptions};
pub use traffic::{Traffic, TrafficCounts, TrafficOptions, TrafficReport};
