//! Handlers of `/v1/records` and `/v1/records/{record_id}`.

use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use chrono::{DateTime, Utc};
use event::{Cursor, LIMIT_DEFAULT, LIMIT_MAX, Order, Record, RecordPage, RecordQuery};
use serde::Deserialize;
use store::{PgPool, get_record, list_records};

use crate::answer::{REVALIDATE, json, limited};
use crate::caching;
use crate::parameters::{NoParameters, Query, RecordIdInPath, time};
use crate::problem::{Problem, ProblemKind};
use crate::responses::{Always, OrNotFound};

/// Filters and position of a list.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListParameters {
    /// Exact CloudEvents `source`.
    #[param(min_length = 1, pattern = "^[^\\u0000]*$", example = "/shop")]
    source: Option<String>,
    /// Exact CloudEvents `id`.
    #[param(min_length = 1, pattern = "^[^\\u0000]*$")]
    id: Option<String>,
    /// Exact CloudEvents `type`.
    #[serde(rename = "type")]
    #[param(min_length = 1, pattern = "^[^\\u0000]*$", example = "order.placed")]
    event_type: Option<String>,
    /// Exact CloudEvents `subject`.
    #[param(min_length = 1, pattern = "^[^\\u0000]*$")]
    subject: Option<String>,
    /// Earliest `occurred_at`, inclusive (RFC 3339). In a URL, `+` is written `%2B`.
    #[serde(default, deserialize_with = "time")]
    from: Option<DateTime<Utc>>,
    /// Latest `occurred_at`, exclusive (RFC 3339).
    #[serde(default, deserialize_with = "time")]
    to: Option<DateTime<Utc>>,
    /// Order by `occurred_at` and `record_id`: newest first (`desc`, the default) or oldest first. A cursor
    /// keeps its own.
    #[param(inline)]
    order: Option<Order>,
    /// Most records of a page.
    #[param(minimum = 1, maximum = 500, default = 50, example = 2)]
    limit: Option<i64>,
    /// `next_cursor` of the previous page, unchanged, with the filters of that page.
    #[param(min_length = 40, max_length = 40)]
    cursor: Option<String>,
}

/// List records.
///
/// Pass `next_cursor` as `cursor`, with the same filters, until it is `null`: pages neither skip nor repeat a
/// record. A page may end early when its records are large; only a `null` `next_cursor` is the end.
#[utoipa::path(
    get,
    path = "/v1/records",
    operation_id = "listRecords",
    tag = "records",
    params(ListParameters),
    responses(
        (status = 200, description = "A page of records.", body = RecordPage,
         headers(("cache-control" = String, description = "`no-cache`: the list changes at any time.")),
         example = json!({
            "items": [{
                "record_id": 1204554, "source": "/shop", "id": "b2c7", "type": "order.placed",
                "subject": "order/17", "occurred_at": "2026-11-24T12:00:00Z",
                "ingested_at": "2026-11-24T12:00:00.180411Z",
                "payload": {"specversion": "1.0", "id": "b2c7", "source": "/shop", "type": "order.placed",
                            "subject": "order/17", "time": "2026-11-24T12:00:00Z", "data": {"total": 12}},
            }],
            "next_cursor": "AgEABkRVZ8rQAAAAAAAAEmEK2X0Q0n3o9mQ3c1aB",
         })),
        Always,
    ),
)]
pub(crate) async fn list(
    State(pool): State<PgPool>,
    Query(parameters): Query<ListParameters>,
) -> Result<Response, Problem> {
    let query = record_query(parameters)?;
    let page = limited(list_records(&pool, &query)).await?;
    Ok(json(&RecordPage::new(page, &query), REVALIDATE))
}

/// Read one record.
///
/// A record never changes, so its `ETag` can be sent as `If-None-Match`.
#[utoipa::path(
    get,
    path = "/v1/records/{record_id}",
    operation_id = "getRecord",
    tag = "records",
    params(
        ("record_id" = i64, Path, description = "Identity of the record.", example = 1),
        ("If-None-Match" = Option<String>, Header, description = "`ETag` of the client's copy."),
    ),
    responses(
        (status = 200, description = "The record.", body = Record,
         headers(
            ("etag" = String, description = "Identity of the content."),
            ("cache-control" = String, description = "An hour, by the client alone."),
         )),
        (status = 304, description = "The client's copy is current.",
         headers(("etag" = String, description = "Identity of the content."))),
        OrNotFound,
        Always,
    ),
)]
pub(crate) async fn get(
    State(pool): State<PgPool>,
    RecordIdInPath(id): RecordIdInPath,
    Query(NoParameters {}): Query<NoParameters>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let record = limited(get_record(&pool, id))
        .await?
        .ok_or_else(|| Problem::new(ProblemKind::NotFound, format!("there is no record {id}")))?;
    let tag = caching::tag(&record);
    let mut response = if caching::is_known(&headers, &tag) {
        let cached = [(header::CACHE_CONTROL, caching::RECORD)];
        (StatusCode::NOT_MODIFIED, cached).into_response()
    } else {
        json(&record, caching::RECORD)
    };
    if let Ok(tag) = HeaderValue::try_from(tag) {
        response.headers_mut().insert(header::ETAG, tag);
    }
    Ok(response)
}

fn record_query(parameters: ListParameters) -> Result<RecordQuery, Problem> {
    let limit = parameters.limit.unwrap_or(i64::from(LIMIT_DEFAULT));
    let mut query = RecordQuery {
        source: parameters.source,
        id: parameters.id,
        event_type: parameters.event_type,
        subject: parameters.subject,
        from: parameters.from,
        to: parameters.to,
        order: parameters.order.unwrap_or_default(),
        limit: u16::try_from(limit).map_err(|_| {
            Problem::parameter("limit", format!("{limit} is not between 1 and {LIMIT_MAX}"))
        })?,
        cursor: None,
    };
    if let Some(text) = parameters.cursor {
        let cursor = Cursor::decode(&text, &query)
            .map_err(|error| Problem::parameter("cursor", error.to_string()))?;
        query.cursor = Some(cursor);
        // A cursor contains its order, so the parameter is optional.
        query.order = parameters.order.unwrap_or(cursor.order);
    }
    query.validate()?;
    Ok(query)
}
