//! Handlers of `/v1/stats` and `/v1/types`.

use axum::extract::State;
use axum::response::Response;
use chrono::{DateTime, TimeDelta, Utc};
use event::{Bucket, GroupBy, StatsBucket, StatsQuery, TypeCount};
use serde::{Deserialize, Serialize};
use store::{Reader, STATS_ROWS_MAX};
use utoipa::ToSchema;

use crate::answer::{REVALIDATE, json, limited};
use crate::parameters::{NoParameters, Query, time};
use crate::problem::Problem;
use crate::responses::Always;

/// Length of the range when `from` is absent.
const RANGE_DEFAULT: TimeDelta = TimeDelta::hours(24);

/// Range and groups of the statistics.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct StatsParameters {
    /// Earliest `occurred_at`, inclusive (RFC 3339); by default 24 hours before `to`.
    #[serde(default, deserialize_with = "time")]
    #[param(example = "2026-11-24T00:00:00Z")]
    from: Option<DateTime<Utc>>,
    /// Latest `occurred_at`, exclusive (RFC 3339); by default now.
    #[serde(default, deserialize_with = "time")]
    #[param(example = "2026-11-25T00:00:00Z")]
    to: Option<DateTime<Utc>>,
    /// Width of a bucket, by default `hour`; a range has at most 10,000.
    #[param(inline)]
    bucket: Option<Bucket>,
    /// What is counted separately, by default `type`.
    #[param(inline)]
    group_by: Option<GroupBy>,
    /// Whether buckets without records are given too, with the count 0, for each group that has any.
    fill_gaps: Option<bool>,
}

/// Records per time bucket and group.
#[derive(Serialize, ToSchema)]
pub(crate) struct Stats {
    /// Earliest `occurred_at`, inclusive.
    from: DateTime<Utc>,
    /// Latest `occurred_at`, exclusive.
    to: DateTime<Utc>,
    /// Width of a bucket.
    bucket: Bucket,
    /// What is counted separately.
    group_by: GroupBy,
    /// In the order of bucket and group. Without `fill_gaps` a bucket without records is left out.
    items: Vec<StatsBucket>,
}

/// Records per type.
#[derive(Serialize, ToSchema)]
pub(crate) struct Types {
    /// The most frequent first.
    items: Vec<TypeCount>,
}

/// Count records per time bucket.
///
/// Buckets start at UTC midnight, the full hour or the full minute.
#[utoipa::path(
    get,
    path = "/v1/stats",
    operation_id = "getStats",
    tag = "statistics",
    params(StatsParameters),
    responses(
        (status = 200, description = "The counts.", body = Stats,
         headers(("cache-control" = String, description = "`no-cache`: counts change at any time.")),
         example = json!({
            "from": "2026-11-24T00:00:00Z", "to": "2026-11-25T00:00:00Z", "bucket": "hour",
            "group_by": "type",
            "items": [{"bucket_start": "2026-11-24T12:00:00Z", "group": "order.placed", "count": 20}],
         })),
        Always,
    ),
)]
pub(crate) async fn stats(
    State(reader): State<Reader>,
    Query(parameters): Query<StatsParameters>,
) -> Result<Response, Problem> {
    let query = stats_query(&parameters, Utc::now())?;
    let mut items = limited(store::stats(&reader, &query)).await?;
    if parameters.fill_gaps == Some(true) {
        items = query
            .fill_gaps(items, STATS_ROWS_MAX)
            .map_err(|rows| Problem::parameter("fill_gaps", gaps_refused(rows)))?;
    }
    let answer = Stats {
        from: query.from,
        to: query.to,
        bucket: query.bucket,
        group_by: query.group_by,
        items,
    };
    Ok(json(&answer, REVALIDATE))
}

/// Count records per type.
///
/// At most 1,000 types, the most frequent. The counts are exact.
#[utoipa::path(
    get,
    path = "/v1/types",
    operation_id = "getTypes",
    tag = "statistics",
    responses(
        (status = 200, description = "The counts.", body = Types,
         headers(("cache-control" = String, description = "`no-cache`: counts change at any time.")),
         example = json!({"items": [{
            "type": "order.placed", "count": 20, "count_is_minimum": false,
            "last_occurred_at": "2026-11-24T12:00:00Z",
         }]})),
        Always,
    ),
)]
pub(crate) async fn types(
    State(reader): State<Reader>,
    Query(NoParameters {}): Query<NoParameters>,
) -> Result<Response, Problem> {
    let items = limited(store::types(&reader)).await?;
    Ok(json(&Types { items }, REVALIDATE))
}

fn gaps_refused(rows: usize) -> String {
    format!(
        "the response would have {rows} rows, more than {STATS_ROWS_MAX}; choose a wider bucket or a shorter \
         range"
    )
}

fn stats_query(parameters: &StatsParameters, now: DateTime<Utc>) -> Result<StatsQuery, Problem> {
    let to = parameters.to.unwrap_or(now);
    let query = StatsQuery {
        from: parameters
            .from
            .unwrap_or_else(|| to.checked_sub_signed(RANGE_DEFAULT).unwrap_or(to)),
        to,
        bucket: parameters.bucket.unwrap_or_default(),
        group_by: parameters.group_by.unwrap_or_default(),
    };
    query.validate()?;
    Ok(query)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parameters::read;

    #[test]
    fn range_defaults_to_the_last_day() {
        let now: DateTime<Utc> = "2026-11-24T12:00:00Z".parse().unwrap();
        let query = stats_query(&StatsParameters::default(), now).unwrap();
        assert_eq!(query.from, now - TimeDelta::hours(24));
        assert_eq!(query.to, now);
        let query = stats_query(&read("to=2026-01-02T00:00:00Z&bucket=day").unwrap(), now).unwrap();
        assert_eq!(query.from.to_rfc3339(), "2026-01-01T00:00:00+00:00");
    }

    #[test]
    fn word_and_range_that_cannot_be_used_are_named() {
        let now: DateTime<Utc> = "2026-11-24T12:00:00Z".parse().unwrap();
        let fault = |query: &str| {
            let read = read(query).and_then(|parameters| stats_query(&parameters, now));
            read.unwrap_err().parameter
        };
        assert_eq!(fault("bucket=week").as_deref(), Some("bucket"));
        assert_eq!(fault("group_by=id").as_deref(), Some("group_by"));
        assert_eq!(fault("from=2027-01-01T00:00:00Z").as_deref(), Some("to"));
        assert_eq!(
            fault("bucket=minute&from=2020-01-01T00:00:00Z").as_deref(),
            Some("bucket")
        );
    }
}
