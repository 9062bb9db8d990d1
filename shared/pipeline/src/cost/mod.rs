//! What a month of an environment costs, by its own metrics.
//!
//! Invariant: a quantity that has no metric has no price: it is named, and never counted as zero. Prices are list
//! prices without free tiers; discounts and taxes are not known here.

mod estimate;
mod prices;
mod read;
mod usage;

pub use estimate::{CostEstimate, CostLine, redrive_usd};
pub use prices::PRICES_OF;
pub use read::COST_WINDOW;
