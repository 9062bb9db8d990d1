//! Moving dead letters back to the source queue: a plan that is frozen, a journal that knows every
//! step, a run that can be steered, and proof of what became of the events.
//!
//! Invariant: a message is deleted only after SQS confirmed that its copy was sent, or after the
//! ledger was seen to know its event; both stand in the journal before. Whatever goes wrong, an
//! event is at worst in both queues, and the ledger makes the second arrival a duplicate.

mod batch;
mod control;
mod control_file;
mod dry_run;
mod error;
pub mod fact;
pub mod frame;
mod journal;
mod lease;
mod message;
mod move_task_record;
mod plan;
mod prove;
mod rate_limiter;
mod recorder;
mod report;
mod resume;
pub mod retention;
mod run;
mod sqs;
mod state;
pub mod triage;

pub use control::{Control, RunCommand};
pub use control_file::{ControlFile, ControlRequest, PAUSED_BY_REQUEST};
pub use dry_run::{PlannedSend, preview};
pub use error::RedriveError;
pub use journal::{Journal, Storage};
pub use message::{Attribute, Original, body_sha256};
pub use move_task_record::MoveTaskRecord;
pub use plan::{
    Edit, PLAN_ENTRIES_MAX, PLAN_SCHEMA_VERSION, Plan, PlanEntry, PlanOptions, PlannedQueue,
    Skipped,
};
pub use report::{MessageOutcome, MessageReport, NO_ANSWER_ON_RECORD, Report};
pub use resume::resume;
pub use run::{RunOptions, run};
pub use state::{Counts, MessageState, Phase, State};
