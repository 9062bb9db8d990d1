//! `/openapi.json` and `/docs`, compiled in.
//!
//! Invariant: both describe exactly the existing routes; a test compares them.

use axum::extract::RawQuery;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse as _, Response};

use crate::parameters::Parameters;
use crate::problem::Problem;

const OPENAPI: &str = include_str!("../openapi.json");
const DOCS: &str = include_str!("../docs.html");

/// The documents change only with a deployment.
const CACHE_CONTROL: HeaderValue = HeaderValue::from_static("public, max-age=300");

pub(crate) async fn openapi(RawQuery(query): RawQuery) -> Result<Response, Problem> {
    Parameters::read(query.as_deref(), &[])?;
    Ok(document(OPENAPI, "application/json"))
}

pub(crate) async fn docs(RawQuery(query): RawQuery) -> Result<Response, Problem> {
    Parameters::read(query.as_deref(), &[])?;
    let mut response = document(DOCS, "text/html; charset=utf-8");
    response.headers_mut().insert(
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static("default-src 'none'; style-src 'unsafe-inline'"),
    );
    Ok(response)
}

fn document(text: &'static str, content_type: &'static str) -> Response {
    (
        [
            (header::CONTENT_TYPE, HeaderValue::from_static(content_type)),
            (header::CACHE_CONTROL, CACHE_CONTROL),
        ],
        text,
    )
        .into_response()
}
