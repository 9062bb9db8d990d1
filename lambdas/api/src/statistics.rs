//! Handlers of `/v1/stats` and `/v1/types`.

use axum::extract::{RawQuery, State};
use axum::response::Response;
use chrono::{DateTime, TimeDelta, Utc};
use event::{Bucket, GroupBy, StatsBucket, StatsQuery, TypeCount};
use serde::Serialize;
use store::PgPool;

use crate::answer::{REVALIDATE, json, limited};
use crate::parameters::Parameters;
use crate::problem::Problem;

/// Parameters of the statistics.
pub(crate) const STATS_PARAMETERS: [&str; 4] = ["from", "to", "bucket", "group_by"];

/// Length of the range when `from` is absent.
const RANGE_DEFAULT: TimeDelta = TimeDelta::hours(24);

#[derive(Serialize)]
struct Stats {
    from: DateTime<Utc>,
    to: DateTime<Utc>,
    bucket: Bucket,
    group_by: GroupBy,
    items: Vec<StatsBucket>,
}

#[derive(Serialize)]
struct Types {
    items: Vec<TypeCount>,
}

pub(crate) async fn stats(
    State(pool): State<PgPool>,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let query = stats_query(query.as_deref(), Utc::now())?;
    let items = limited(store::stats(&pool, &query)).await?;
    let answer = Stats {
        from: query.from,
        to: query.to,
        bucket: query.bucket,
        group_by: query.group_by,
        items,
    };
    Ok(json(&answer, REVALIDATE))
}

pub(crate) async fn types(
    State(pool): State<PgPool>,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    Parameters::read(query.as_deref(), &[])?;
    let items = limited(store::types(&pool)).await?;
    Ok(json(&Types { items }, REVALIDATE))
}

fn stats_query(query: Option<&str>, now: DateTime<Utc>) -> Result<StatsQuery, Problem> {
    let parameters = Parameters::read(query, &STATS_PARAMETERS)?;
    let (from, to) = match (parameters.time("from")?, parameters.time("to")?) {
        (Some(from), Some(to)) => (from, to),
        (Some(from), None) => (from, now),
        (None, to) => {
            let to = to.unwrap_or(now);
            (to.checked_sub_signed(RANGE_DEFAULT).unwrap_or(to), to)
        }
    };
    let query = StatsQuery {
        from,
        to,
        bucket: parameters.keyword("bucket")?.unwrap_or_default(),
        group_by: parameters.keyword("group_by")?.unwrap_or_default(),
    };
    query.validate()?;
    Ok(query)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn range_defaults_to_the_last_day() {
        let now: DateTime<Utc> = "2026-11-24T12:00:00Z".parse().unwrap();
        let query = stats_query(None, now).unwrap();
        assert_eq!(query.from, now - TimeDelta::hours(24));
        assert_eq!(query.to, now);
        let query = stats_query(Some("to=2026-01-02T00:00:00Z&bucket=day"), now).unwrap();
        assert_eq!(query.from.to_rfc3339(), "2026-01-01T00:00:00+00:00");
    }

    #[test]
    fn word_and_range_that_cannot_be_used_are_named() {
        let now: DateTime<Utc> = "2026-11-24T12:00:00Z".parse().unwrap();
        let fault = |query: &str| stats_query(Some(query), now).unwrap_err().parameter;
        assert_eq!(fault("bucket=week").as_deref(), Some("bucket"));
        assert_eq!(fault("group_by=id").as_deref(), Some("group_by"));
        assert_eq!(fault("from=2027-01-01T00:00:00Z").as_deref(), Some("to"));
        assert_eq!(
            fault("bucket=minute&from=2020-01-01T00:00:00Z").as_deref(),
            Some("bucket")
        );
    }
}
