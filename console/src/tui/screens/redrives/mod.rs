//! Redrives: the plan before one begins, the one that runs, and those of the past.
//!
//! Invariant: nothing is sent that the review did not count; numbers of a run come from its
//! journal, and one redrive runs at a time.

mod control;
mod history;
mod layout;
mod outcomes;
mod plan;
mod purpose;
mod review;
mod review_view;
mod run;
mod run_view;
mod state;
mod texts;
mod update;
mod view;

pub(crate) use self::state::Redrives;

#[cfg(test)]
mod tests;
