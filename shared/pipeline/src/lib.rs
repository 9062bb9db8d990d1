//! Everything that is asked of a deployed pipeline: plain async functions on [`Pipeline`].
//!
//! Invariant: every call has a limit, and a failure is a [`PipelineError`] that names what was asked
//! of whom. Every change needs a [`WritePermit`], so it is allowed and in the audit log before it
//! begins; every received message is in a [`LeaseSet`] until it is deleted or released. Nothing here
//! draws, prints or keeps a copy of what it saw.
//!
//! ```
//! use pipeline::environment::Environment;
//! use pipeline::{Pipeline, PipelineErrorKind};
//!
//! let environment = Environment { read_only: true, ..Environment::example() };
//! // The network is asked at the first question, not before.
//! let pipeline = Pipeline::connect(&environment)?;
//! assert_eq!(pipeline.topic_name(), "events");
//! let refused = pipeline.check_write("publish").unwrap_err();
//! assert_eq!(refused.kind, PipelineErrorKind::NotPermitted);
//! # Ok::<(), pipeline::PipelineError>(())
//! ```

mod access;
pub mod account;
pub mod alarm_states;
mod alarms;
mod api;
pub mod api_call;
pub mod api_document;
mod api_reads;
mod api_token;
pub mod audit;
mod authority;
mod aws_call;
mod body;
mod connection;
pub mod cost;
mod credentials;
mod dead_letter_search;
mod delete;
mod denial;
mod deployment;
pub mod environment;
mod erase;
mod error;
pub mod fleet;
mod guarded;
mod ingest;
mod last_line;
mod lease;
pub mod lint;
pub mod logs;
pub mod long_history;
mod metric_line;
mod metrics;
pub mod model;
mod move_task;
pub mod oldest_age;
mod partition;
mod partition_bounds;
mod point;
mod printable;
pub mod probe;
mod publish;
pub mod queue_peek;
mod queue_role;
mod queues;
mod read_path;
mod receive;
mod record_names;
mod records;
mod replacing;
pub mod rules;
mod search_state;
mod sigv4;
pub mod slo;
mod sql;
pub mod storage;
mod sync_names;
pub mod text;
mod trace;
mod tunnel;
mod visibility;
mod writes;

pub use access::{Access, AccessCheck, AccessName, AccessOutcome};
pub use alarms::{ALARM_KEYS, RaisedAlarm};
pub use api::API_BODY_BYTES_MAX;
pub use authority::{Authority, ChangeRefusal};
pub use body::{Body, BodyError, BodySpool};
pub use connection::Pipeline;
pub use delete::{DELETE_MESSAGES_MAX, NotDeleted};
pub use error::{PipelineError, PipelineErrorKind};
pub use ingest::{INGEST_WINDOW, IngestHistory, IngestRates, PeriodLag};
pub use lease::{Hidden, LEASES_MAX, LeaseSet, Poll};
pub use move_task::{MOVE_TASK_RATE_MAX, MoveRoute, MoveTask, MoveTaskStatus};
pub use printable::{printable, printable_json, printable_lines};
pub use publish::{PUBLISH_BATCH_BYTES_MAX, Publication, PublicationEnd};
pub use record_names::RecordNames;
pub use records::{LedgerAnswer, StoredText, TextAnswer};
pub use replacing::{Replacing, named_record};
pub use store::{
    Cut, ERASED_MAX, ErasedPartition, ErasureRights, QuestionLimits, SqlAnswer, Vacuumed,
    ledger_identity,
};
pub use sync_names::sync_names;
pub use visibility::VISIBILITY_TIMEOUT_MAX;
pub use writes::{PlannedChange, WritePermit};

pub use error::{Attempt, is_server_failure, never_left};
pub use publish::batches;
pub use queues::{BATCH_ENTRIES_MAX, Entry, EntryFailure};
