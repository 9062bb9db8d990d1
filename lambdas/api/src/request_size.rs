//! Limits of the request line and of the headers.
//!
//! Invariant: they are below those of the HTTP server (64 KiB of URI, 100 headers), which answers without a
//! problem document.

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};

use crate::problem::{Problem, ProblemKind};

/// Longest path and query, in bytes. API Gateway takes 10,240 for the request line and all headers.
pub const TARGET_BYTES_MAX: usize = 8 * 1024;
/// Most headers.
pub const HEADERS_MAX: usize = 64;
/// Most bytes of all names and values of headers.
pub const HEADER_BYTES_MAX: usize = 16 * 1024;

/// Refuses a request that exceeds a limit.
pub(crate) async fn limited_size(request: Request, next: Next) -> Response {
    match check(&request) {
        Ok(()) => next.run(request).await,
        Err(problem) => problem.into_response(),
    }
}

fn check(request: &Request) -> Result<(), Problem> {
    let target = request.uri().path_and_query();
    let bytes = target.map_or(0, |target| target.as_str().len());
    if bytes > TARGET_BYTES_MAX {
        return Err(Problem::new(
            ProblemKind::UriTooLong,
            format!("path and query have {bytes} bytes; at most {TARGET_BYTES_MAX} are allowed"),
        ));
    }
    let headers = request.headers();
    let bytes: usize = headers
        .iter()
        .map(|(name, value)| name.as_str().len() + value.len())
        .sum();
    if headers.len() > HEADERS_MAX || bytes > HEADER_BYTES_MAX {
        let count = headers.len();
        return Err(Problem::new(
            ProblemKind::HeadersTooLarge,
            format!(
                "{count} headers of {bytes} bytes; at most {HEADERS_MAX} of {HEADER_BYTES_MAX} bytes are \
                 allowed"
            ),
        ));
    }
    Ok(())
}
