//! Handler of `/v1/feed`.

use axum::extract::State;
use axum::response::Response;
use event::{Field, Fields, LIMIT_DEFAULT, LIMIT_MAX, RecordFeed, RecordId};
use serde::Deserialize;
use store::{Reader, rows_after};

use crate::answer::{REVALIDATE, json_bytes, limited};
use crate::parameters::{Query, fields};
use crate::problem::Problem;
use crate::record_json::{columns, items};
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
    /// Fields of a record that are wanted, separated by commas; by default all. Without `payload` the page is
    /// read from the rows alone, wherever the payloads are stored.
    #[serde(default, deserialize_with = "fields")]
    #[param(value_type = Option<Vec<Field>>, inline, style = Form, min_items = 1, example = json!(["record_id", "source"]))]
    fields: Option<Fields>,
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
    State(reader): State<Reader>,
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
    let fields = parameters.fields.unwrap_or(Fields::ALL);
    let columns = columns(fields);
    let page = limited(rows_after(&reader, RecordId(after), limit, columns)).await?;
    let mut body = items(&page.items, fields)?;
    let rest = format!(
        ",\"next_after\":{},\"has_more\":{}}}",
        page.next_after, page.has_more
    );
    body.extend_from_slice(rest.as_bytes());
    Ok(json_bytes(body, REVALIDATE))
}
