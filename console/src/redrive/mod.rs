//! Moving dead letters back to the source queue: a plan that is frozen, a journal that knows every
//! step, a run that can be steered, and proof of what became of the events.
//!
//! Invariant: a letter is deleted only after SQS confirmed that its copy was sent, or after the
//! ledger was seen to know its event; both stand in the journal before. Whatever goes wrong, an
//! event is at worst in both queues, and the ledger makes the second arrival a duplicate.

mod batch;
mod control;
mod error;
pub mod fact;
pub mod frame;
mod journal;
mod lease;
mod message;
mod move_note;
mod orders;
mod pace;
mod plan;
mod preview;
mod prove;
mod recorder;
mod report;
mod resume;
mod run;
mod state;
mod wire;

pub use control::{Control, Wish};
pub use error::RedriveError;
pub use journal::{Journal, Storage};
pub use message::{Attribute, Original, body_sha256};
pub use move_note::MoveNote;
pub use orders::{Order, Orders, PAUSED_BY_ORDER};
pub use plan::{
    Edit, PLAN_ENTRIES_MAX, PLAN_SCHEMA_VERSION, Plan, PlanEntry, PlanOptions, PlannedQueue,
    Skipped,
};
pub use preview::{PlannedSend, preview};
pub use report::{LetterOutcome, LetterReport, NO_ANSWER_ON_RECORD, Report};
pub use resume::resume;
pub use run::{RunOptions, run};
pub use state::{Counts, LetterState, Phase, State};
