//! A range of records as lines of JSON (NDJSON).
//!
//! Invariant: an answer has a limit of bytes, of records and of time, whatever the range. Its last line, and no
//! other, has `next_cursor`; so a client sees where to go on, and whether an answer was cut on its way.

use std::time::{Duration, Instant};

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use event::{Cursor, Fields, LIMIT_MAX, RecordQuery};
use store::{PAGE_BYTES_MAX, Reader, list_rows};

use crate::answer::{REVALIDATE, limited};
use crate::problem::Problem;
use crate::record_json::{columns, write};

const CONTENT_TYPE: &str = "application/x-ndjson";
/// Most records of an answer.
const RECORDS_MAX: usize = 10_000;
/// Most bytes of an answer. A function behind an HTTP API of API Gateway answers as a whole, in at most 6 MB of
/// JSON, in which each quote of these bytes is escaped once more.
const BYTES_MAX: usize = PAGE_BYTES_MAX;
/// No page is begun after this time; API Gateway gives up after 30 s, and a page takes at most 20.
const TIME_MAX: Duration = Duration::from_secs(5);

/// Whether the client asks for lines.
pub(crate) fn are_wanted(headers: &HeaderMap) -> bool {
    headers
        .get_all(header::ACCEPT)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|range| range.split(';').next())
        .any(|range| range.trim().eq_ignore_ascii_case(CONTENT_TYPE))
}

/// The records from the query's cursor on; without `limit` as many as an answer takes.
pub(crate) async fn lines(
    reader: &Reader,
    mut query: RecordQuery,
    limit: Option<i64>,
    fields: Fields,
) -> Result<Response, Problem> {
    let begun = Instant::now();
    let records_max = match limit {
        Some(_) => usize::from(query.limit),
        None => RECORDS_MAX,
    };
    if limit.is_none() {
        query.limit = LIMIT_MAX;
    }
    let (mut out, mut count) = (Vec::new(), 0);
    loop {
        let page = limited(list_rows(reader, &query, columns(fields))).await?;
        for row in &page.items {
            let before = out.len();
            write(row, fields, &mut out)?;
            out.push(b'\n');
            if out.len() > BYTES_MAX && count > 0 {
                out.truncate(before);
                return Ok(ended(out, query.cursor, &query));
            }
            count += 1;
            let view = row.view()?;
            query.cursor = Some(Cursor {
                order: query.order,
                occurred_at: view.occurred_at,
                record_id: view.record_id,
            });
        }
        query.cursor = page.next_cursor;
        let is_over = count >= records_max || begun.elapsed() > TIME_MAX;
        if is_over || query.cursor.is_none() {
            return Ok(ended(out, query.cursor, &query));
        }
    }
}

/// The answer with its last line.
fn ended(mut out: Vec<u8>, cursor: Option<Cursor>, query: &RecordQuery) -> Response {
    let last = match cursor {
        // Its text needs no escape.
        Some(cursor) => format!("{{\"next_cursor\":\"{}\"}}\n", cursor.encode(query)),
        None => "{\"next_cursor\":null}\n".to_owned(),
    };
    out.extend_from_slice(last.as_bytes());
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(CONTENT_TYPE)),
        (header::CACHE_CONTROL, REVALIDATE),
    ];
    (StatusCode::OK, headers, out).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_wanted_where_the_header_has_their_type() {
        for (accept, expected) in [
            ("application/x-ndjson", true),
            ("text/html, Application/X-NDJSON;q=0.5", true),
            ("application/json", false),
            ("*/*", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT, accept.parse().unwrap());
            assert_eq!(are_wanted(&headers), expected, "{accept}");
        }
    }
}
