//! JSON responses.
//!
//! Invariant: every response has a `Cache-Control` header.

use std::time::Duration;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde::Serialize;
use store::StoreError;
use tokio::time::timeout;

use crate::problem::{Problem, ProblemKind};

/// Time limit of the database work of a request; API Gateway gives up after 30 s. It is longer than the wait
/// for a connection and a statement together, so that the server ends a slow statement and the connection
/// serves the next one.
pub(crate) const ANSWER_TIMEOUT: Duration = Duration::from_secs(20);

/// For lists and counts, which change at any time.
pub(crate) const REVALIDATE: HeaderValue = HeaderValue::from_static("no-cache");

/// Runs database work within the time limit of a request.
pub(crate) async fn limited<T>(
    work: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, Problem> {
    match timeout(ANSWER_TIMEOUT, work).await {
        Ok(result) => result.map_err(Problem::from),
        Err(_) => Err(Problem::new(
            ProblemKind::Unavailable,
            "the database did not answer in time; try again",
        )),
    }
}

/// A JSON response.
pub(crate) fn json<T: Serialize>(value: &T, cache_control: HeaderValue) -> Response {
    match serde_json::to_vec(value) {
        Ok(body) => json_bytes(body, cache_control),
        Err(error) => not_serialized(&error).into_response(),
    }
}

/// A response of JSON that is already written.
pub(crate) fn json_bytes(body: Vec<u8>, cache_control: HeaderValue) -> Response {
    let headers = [
        (
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/json"),
        ),
        (header::CACHE_CONTROL, cache_control),
    ];
    (StatusCode::OK, headers, body).into_response()
}

pub(crate) fn not_serialized(error: &serde_json::Error) -> Problem {
    tracing::error!(%error, "response not serialized");
    Problem::new(
        ProblemKind::Internal,
        "the request failed; the reason is in the log",
    )
}
