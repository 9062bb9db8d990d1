//! The order of the list of records.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Order of the list by `(occurred_at, record_id)`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Order {
    /// Oldest first.
    Asc,
    /// Newest first.
    #[default]
    Desc,
}
