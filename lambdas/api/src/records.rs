//! Handlers of `/v1/records` and `/v1/records/{record_id}`.

use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use chrono::{DateTime, Utc};
use event::{
    Cursor, Field, Fields, LIMIT_DEFAULT, LIMIT_MAX, Order, Record, RecordPage, RecordQuery,
};
use serde::Deserialize;
use store::{Reader, get_row, list_rows};

use crate::answer::{REVALIDATE, json_bytes, limited};
use crate::caching;
use crate::lines::{self, lines};
use crate::parameters::{Query, RecordIdInPath, fields, time};
use crate::problem::{Problem, ProblemKind};
use crate::record_json::{columns, items, write};
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
    /// Most records of a page. Lines of JSON are, without it, as many as an answer takes: 10,000 records or
    /// 2.5 MB.
    #[param(minimum = 1, maximum = 500, default = 50, example = 2)]
    limit: Option<i64>,
    /// `next_cursor` of the previous page, unchanged, with the filters of that page.
    #[param(min_length = 40, max_length = 40)]
    cursor: Option<String>,
    /// Fields of a record that are wanted, separated by commas; by default all. Without `payload` the page is
    /// read from the rows alone, wherever the payloads are stored.
    #[serde(default, deserialize_with = "fields")]
    #[param(value_type = Option<Vec<Field>>, inline, style = Form, min_items = 1, example = json!(["record_id", "source"]))]
    fields: Option<Fields>,
}

/// Fields of a record.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct FieldsParameter {
    /// Fields of a record that are wanted, separated by commas; by default all. Without `payload` it is
    /// not read.
    #[serde(default, deserialize_with = "fields")]
    #[param(value_type = Option<Vec<Field>>, inline, style = Form, min_items = 1, example = json!(["record_id", "source"]))]
    fields: Option<Fields>,
}

/// List records.
///
/// Pass `next_cursor` as `cursor`, with the same filters, until it is `null`: pages neither skip nor repeat a
/// record. A page may end early when its records are large; only a `null` `next_cursor` is the end.
///
/// With `Accept: application/x-ndjson` each record is a line of JSON, and the last line is an object with
/// `next_cursor` alone. An answer without that line was cut.
#[utoipa::path(
    get,
    path = "/v1/records",
    operation_id = "listRecords",
    tag = "records",
    params(ListParameters),
    responses(
        (status = 200, description = "A page of records.",
         headers(("cache-control" = String, description = "`no-cache`: the list changes at any time.")),
         content((RecordPage = "application/json", example = json!({
            "items": [{
                "record_id": 1204554, "source": "/shop", "id": "b2c7", "type": "order.placed",
                "subject": "order/17", "occurred_at": "2026-11-24T12:00:00Z",
                "ingested_at": "2026-11-24T12:00:00.180411Z",
                "payload": {"specversion": "1.0", "id": "b2c7", "source": "/shop", "type": "order.placed",
                            "subject": "order/17", "time": "2026-11-24T12:00:00Z", "data": {"total": 12}},
            }],
            "next_cursor": "AgEABkRVZ8rQAAAAAAAAEmEK2X0Q0n3o9mQ3c1aB",
         })), (String = "application/x-ndjson", example = "{\"record_id\":1204554}\n{\"next_cursor\":null}\n"))),
        Always,
    ),
)]
pub(crate) async fn list(
    State(reader): State<Reader>,
    Query(parameters): Query<ListParameters>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let fields = parameters.fields.unwrap_or(Fields::ALL);
    let limit = parameters.limit;
    let query = record_query(parameters)?;
    let mut response = if lines::are_wanted(&headers) {
        lines(&reader, query, limit, fields).await?
    } else {
        json_page(&reader, &query, fields).await?
    };
    response
        .headers_mut()
        .insert(header::VARY, HeaderValue::from_static("accept"));
    Ok(response)
}

async fn json_page(
    reader: &Reader,
    query: &RecordQuery,
    fields: Fields,
) -> Result<Response, Problem> {
    let page = limited(list_rows(reader, query, columns(fields))).await?;
    let mut body = items(&page.items, fields)?;
    body.extend_from_slice(b",\"next_cursor\":");
    match page.next_cursor {
        // Its text needs no escape.
        Some(cursor) => {
            let text = format!("\"{}\"}}", cursor.encode(query));
            body.extend_from_slice(text.as_bytes());
        }
        None => body.extend_from_slice(b"null}"),
    }
    Ok(json_bytes(body, REVALIDATE))
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
        FieldsParameter,
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
    State(reader): State<Reader>,
    RecordIdInPath(id): RecordIdInPath,
    Query(parameters): Query<FieldsParameter>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let fields = parameters.fields.unwrap_or(Fields::ALL);
    let row = limited(get_row(&reader, id, columns(fields)))
        .await?
        .ok_or_else(|| Problem::new(ProblemKind::NotFound, format!("there is no record {id}")))?;
    let tag = caching::tag(&row.view()?);
    let mut response = if caching::is_known(&headers, &tag) {
        let cached = [(header::CACHE_CONTROL, caching::RECORD)];
        (StatusCode::NOT_MODIFIED, cached).into_response()
    } else {
        let mut body = Vec::new();
        write(&row, fields, &mut body)?;
        json_bytes(body, caching::RECORD)
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
