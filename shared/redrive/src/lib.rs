//! Moving dead letters back to the source queue: a plan that is frozen, a journal that has every
//! step, a run that can be paused, changed and resumed, and proof of what became of the events.
//!
//! Invariant: a message is deleted only after SQS confirmed that its copy was sent, or after the
//! ledger was seen to know its event; both are in the journal before. Whatever goes wrong, an event
//! is at worst in both queues, and the ledger makes the second arrival a duplicate.
//!
//! Floors, each of which imports only those before it: limits and errors; the plan; the state; the
//! journal; the run with its leases, its ledger and its control; on top the [`operations`] that
//! commands and screens call. `console/tests/module_imports.rs` guards them.
//!
//! ```
//! use redrive::fact::{Fact, MessageCause};
//! use redrive::{Journal, plan_file};
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let plan = plan_file::read("tests/fixtures/plan-1.json".as_ref())?;
//! let folder = tempfile::tempdir()?;
//! let (mut journal, _) = Journal::create(folder.path(), plan)?;
//! let cause = "not among the dead letters".to_owned();
//! let message = MessageCause { index: 0, cause, is_final: true };
//! journal.append(&[Fact::NotTried { messages: vec![message] }])?;
//! let path = journal.path().to_owned();
//! drop(journal); // As if the process had ended here.
//! let (_journal, state) = Journal::open(&path)?;
//! assert_eq!((state.counts().not_sent, state.counts().waiting), (1, 8));
//! # Ok(())
//! # }
//! ```

mod control;
mod error;
mod identity;
mod journal;
mod lease;
mod ledger;
mod limits;
mod message;
pub mod operations;
mod plan;
mod reading;
pub mod retention;
mod run;
mod state;
pub mod trace;
pub mod triage;

pub use control::{Control, RunCommand, Wait};
pub use error::RedriveError;
pub use identity::SentEvent;
pub use journal::{ControlFile, ControlRequest, Journal, MoveTaskRecord, Storage, plan_file};
pub use limits::PLAN_ENTRIES_MAX;
pub use message::{Attribute, Original, body_sha256};
pub use plan::{
    Edit, Kind, PLAN_SCHEMA_VERSION, Plan, PlanEntry, PlanOptions, PlannedPlace, PlannedSend,
    REPLACE_SCHEMA_VERSION, REPLAY_SCHEMA_VERSION, Replacement, Replaces, Replay, Skipped, dry_run,
};
pub use run::{RunOptions, run};
pub use state::{
    Counts, MessageOutcome, MessageReport, MessageState, Pause, Phase, Report, State, Summary, fact,
};
