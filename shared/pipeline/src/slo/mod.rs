//! The objectives of the pipeline and what is left of their error budgets, by the metrics.
//!
//! Invariant: an objective of fewer than [`EVENTS_MIN`] events is unknown, neither kept nor broken; the ratios are those
//! of the alarms in `terraform/modules/observability/slo_rules.tf`.

mod budget;
mod objective;
mod read;

pub use budget::ErrorBudget;
pub use objective::{EVENTS_MIN, Objective, SLO_WINDOW_DAYS};
