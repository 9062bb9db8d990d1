//! Request ids.
//!
//! Invariant: every response has an `x-request-id`, which every line of the log about its request has as well.

use axum::extract::Request;
use axum::http::{HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::Response;
use tracing::{Instrument as _, info_span};
use uuid::Uuid;

/// The header.
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Longest id that is taken from a client.
const BYTES_MAX: usize = 64;

/// Takes the client's id, if it can stand in a log, and otherwise makes one.
pub(crate) async fn identified(request: Request, next: Next) -> Response {
    let id = request
        .headers()
        .get(REQUEST_ID)
        .filter(|id| is_plain(id))
        .cloned()
        .unwrap_or_else(new);
    let span = info_span!("request", request_id = id.to_str().unwrap_or_default());
    let mut response = next.run(request).instrument(span).await;
    response.headers_mut().insert(REQUEST_ID, id);
    response
}

fn is_plain(id: &HeaderValue) -> bool {
    let bytes = id.as_bytes();
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.:=+/".contains(byte);
    !bytes.is_empty() && bytes.len() <= BYTES_MAX && bytes.iter().all(is_plain)
}

fn new() -> HeaderValue {
    HeaderValue::try_from(Uuid::new_v4().to_string())
        .unwrap_or_else(|_| HeaderValue::from_static("none"))
}
