//! Checks of how a pipeline is set up.
//!
//! Facts are read once, each within a limit (`collect`). Each check is a pure function over [`facts::Facts`] with an id, in
//! the file of its area (`areas`); a new one is an entry there, and a fault in `tests.rs` that triggers it.
//!
//! Invariant: a check that lacks a fact is listed as not checked, with the reason, and never as passed.

mod alarm_rule;
mod areas;
mod check;
mod collect;
mod fact;
mod facts;
mod fix;
mod policy;
mod report;

pub(crate) use collect::Reading;

pub use alarm_rule::alarms_in_rule;
pub use check::Severity;
pub use fact::NotChecked;
pub use fix::Fix;
pub use report::{Finding, LintReport, Unchecked, check_ids};

#[cfg(test)]
mod tests;
