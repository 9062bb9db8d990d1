//! Answers that are JSON. Invariant: no answer without a word on how it may be cached.

use std::time::Duration;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde::Serialize;
use store::StoreError;
use tokio::time::timeout;

use crate::problem::{Problem, ProblemKind};

/// An answer that has not begun by then does not come: below API Gateway's 30 s.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(20);

/// The records change at any time.
pub(crate) const REVALIDATE: HeaderValue = HeaderValue::from_static("no-cache");

/// Waits for the database, within the limit of an answer.
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

/// A JSON answer.
pub(crate) fn json<T: Serialize>(value: &T, cache_control: HeaderValue) -> Response {
    match serde_json::to_vec(value) {
        Ok(body) => (
            StatusCode::OK,
            [
                (
                    header::CONTENT_TYPE,
                    HeaderValue::from_static("application/json"),
                ),
                (header::CACHE_CONTROL, cache_control),
            ],
            body,
        )
            .into_response(),
        Err(error) => {
            tracing::error!(%error, "answer not serialized");
            Problem::new(
                ProblemKind::Internal,
                "the request could not be answered; the log has the reason",
            )
            .into_response()
        }
    }
}
