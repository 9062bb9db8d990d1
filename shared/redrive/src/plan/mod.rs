//! First floor: what a redrive is going to do, frozen before it begins.
//!
//! Invariant: pure. A plan is never changed after it was made; a dry run of it writes nothing.

mod dry_run;
mod frozen;
mod kind;
mod replacement;

pub(crate) use dry_run::{DryRun, too_large};
pub use dry_run::{PlannedSend, dry_run};
#[cfg(test)]
pub(crate) use frozen::tests::{plan as example, replay as example_replay};
pub use frozen::{
    Edit, PLAN_SCHEMA_VERSION, Plan, PlanEntry, PlanOptions, PlannedPlace, REPLACE_SCHEMA_VERSION,
    REPLAY_SCHEMA_VERSION, Skipped,
};
pub use kind::{Kind, Replay};
pub(crate) use replacement::ATTRIBUTE_TYPE;
pub use replacement::{Replacement, Replaces};
