//! The checks, by area, in the order of the pipeline.

mod alarms;
mod clocks;
mod cluster;
mod dead_letters;
mod function;
mod mapping;
mod queue;
mod schema;
mod topic;

use super::check::Check;

/// All checks.
pub(super) fn checks() -> impl Iterator<Item = &'static Check> {
    [
        topic::CHECKS,
        queue::CHECKS,
        dead_letters::CHECKS,
        mapping::CHECKS,
        function::CHECKS,
        schema::CHECKS,
        cluster::CHECKS,
        alarms::CHECKS,
        clocks::CHECKS,
    ]
    .into_iter()
    .flatten()
}
