//! Handlers of `/v1/records` and `/v1/records/{record_id}`.

use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use event::{LIMIT_DEFAULT, LIMIT_MAX, RecordQuery};
use store::{PgPool, get_record, list_records};

use crate::answer::{REVALIDATE, json, limited};
use crate::caching;
use crate::parameters::{Parameters, cursor, record_id};
use crate::problem::{Problem, ProblemKind};

/// Parameters of the list.
pub(crate) const LIST_PARAMETERS: [&str; 9] = [
    "source", "id", "type", "subject", "from", "to", "order", "limit", "cursor",
];

pub(crate) async fn list(
    State(pool): State<PgPool>,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let query = record_query(query.as_deref())?;
    let page = limited(list_records(&pool, &query)).await?;
    Ok(json(&page, REVALIDATE))
}

pub(crate) async fn get(
    State(pool): State<PgPool>,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    Parameters::read(query.as_deref(), &[])?;
    let id = record_id(&id)?;
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

fn record_query(query: Option<&str>) -> Result<RecordQuery, Problem> {
    let parameters = Parameters::read(query, &LIST_PARAMETERS)?;
    let cursor = parameters
        .text("cursor")?
        .map(|text| cursor(&text))
        .transpose()?;
    let limit = parameters
        .text("limit")?
        .map(|text| text.parse::<u16>())
        .transpose()
        .map_err(|_| {
            Problem::parameter("limit", format!("not a number between 1 and {LIMIT_MAX}"))
        })?
        .unwrap_or(LIMIT_DEFAULT);
    let query = RecordQuery {
        source: parameters.text("source")?,
        id: parameters.text("id")?,
        event_type: parameters.text("type")?,
        subject: parameters.text("subject")?,
        from: parameters.time("from")?,
        to: parameters.time("to")?,
        // A cursor contains its order, so the parameter is optional.
        order: parameters
            .keyword("order")?
            .or(cursor.map(|cursor| cursor.order))
            .unwrap_or_default(),
        limit,
        cursor,
    };
    query.validate()?;
    Ok(query)
}
