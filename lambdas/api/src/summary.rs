//! Handler of `/v1/summary`.

use axum::extract::State;
use axum::response::Response;
use event::RecordSummary;
use store::{Reader, partition_sizes};

use crate::answer::{REVALIDATE, json, limited};
use crate::parameters::{NoParameters, Query};
use crate::problem::Problem;
use crate::responses::Always;

/// Read the totals of the records.
///
/// The total is exact; only while an upgrade counts the records of the past it is the planner's estimate, and
/// `total_is_estimate` is true. At most 1,000 partitions are listed.
#[utoipa::path(
    get,
    path = "/v1/summary",
    operation_id = "getSummary",
    tag = "statistics",
    responses(
        (status = 200, description = "The totals.", body = RecordSummary,
         headers(("cache-control" = String, description = "`no-cache`: totals change at any time.")),
         example = json!({
            "total": 5000000, "total_is_estimate": false,
            "last_ingested_at": "2026-11-24T12:00:00.180411Z",
            "database_now": "2026-11-24T12:00:07.5Z",
            "database_created_at": "2026-11-01T08:30:00.271828Z",
            "schema_version": 20261127210000_i64, "partitions_total": 1,
            "partitions": [{
                "name": "records_2026_11_24",
                "bounds": "FOR VALUES FROM ('2026-11-24 00:00:00+00') TO ('2026-11-25 00:00:00+00')",
                "records_estimate": 80645, "bytes": 61440000,
            }],
         })),
        Always,
    ),
)]
pub(crate) async fn summary(
    State(reader): State<Reader>,
    Query(NoParameters {}): Query<NoParameters>,
) -> Result<Response, Problem> {
    let totals = limited(store::summary(&reader)).await?;
    let database_created_at = limited(store::database_created_at(&reader)).await?;
    let (partitions, partitions_total) = limited(partition_sizes(&reader)).await?;
    let summary = RecordSummary {
        total: totals.total,
        total_is_estimate: totals.total_is_estimate,
        last_ingested_at: totals.last_ingested_at,
        database_now: totals.database_now,
        database_created_at: Some(database_created_at),
        schema_version: Some(totals.schema_version),
        partitions_total,
        partitions,
    };
    Ok(json(&summary, REVALIDATE))
}
