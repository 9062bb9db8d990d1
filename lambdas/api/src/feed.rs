//! Handler of `/v1/feed`.

use axum::extract::State;
use axum::response::Response;
use event::{LIMIT_DEFAULT, LIMIT_MAX, RecordFeed, RecordId};
use serde::Deserialize;
use store::{PgPool, records_after};

use crate::answer::{REVALIDATE, json, limited};
use crate::parameters::Query;
use crate::problem::Problem;
use crate::responses::Always;

/// Position of the reader.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct FeedParameters {
    /// `next_after` of the previous page; by default 0, the begin.
    #[param(minimum = 0, default = 0, example = 0)]
    after: Option<i64>,
    /// Most records of a page.
    #[param(minimum = 1, maximum = 500, default = 50, example = 2)]
    limit: Option<i64>,
}

/// Read records in order of arrival.
///
/// Keep `next_after` and continue with it at any time: the feed misses no record, also none that is committed later
/// than one with a larger `record_id`. Records that have expired since are left out. A position that this database
/// never had, because it is of another one or from before a restore, is refused: begin again at 0.
#[utoipa::path(
    get,
    path = "/v1/feed",
    operation_id = "readFeed",
    tag = "records",
    params(FeedParameters),
    responses(
        (status = 200, description = "A page of records.", body = RecordFeed,
         headers(("cache-control" = String, description = "`no-cache`: the feed grows at any time.")),
         example = json!({"items": [], "next_after": 1204554, "has_more": false})),
        Always,
    ),
)]
pub(crate) async fn feed(
    State(pool): State<PgPool>,
    Query(parameters): Query<FeedParameters>,
) -> Result<Response, Problem> {
    let after = parameters.after.unwrap_or_default();
    if after < 0 {
        let detail = format!("{after} is less than 0");
        return Err(Problem::parameter("after", detail));
    }
    let limit = parameters.limit.unwrap_or(i64::from(LIMIT_DEFAULT));
    let limit = u16::try_from(limit)
        .ok()
        .filter(|limit| (1..=LIMIT_MAX).contains(limit))
        .ok_or_else(|| {
            let detail = format!("{limit} is not between 1 and {LIMIT_MAX}");
            Problem::parameter("limit", detail)
        })?;
    let arrivals = limited(records_after(&pool, RecordId(after), limit)).await?;
    let feed = RecordFeed {
        items: arrivals.items,
        next_after: arrivals.next_after,
        has_more: arrivals.has_more,
    };
    Ok(json(&feed, REVALIDATE))
}
