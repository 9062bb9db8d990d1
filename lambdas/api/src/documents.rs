//! `/openapi.json` and `/docs`.
//!
//! Invariant: the document is generated from the handlers that the router calls, and the page needs nothing but
//! this API.

use std::io::Read as _;
use std::sync::Arc;

use axum::Extension;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse as _, Response};
use flate2::read::GzDecoder;
use utoipa::openapi::content::Content;
use utoipa::openapi::example::ExampleBuilder;
use utoipa::openapi::path::Operation;
use utoipa::openapi::tag::TagBuilder;
use utoipa::openapi::{Info, OpenApi, RefOr};
use utoipa::{PartialSchema as _, ToSchema as _};

use crate::answer::json;
use crate::parameters::{NoParameters, Query};
use crate::problem::{Document, Problem, ProblemKind};
use crate::request_id::REQUEST_ID;
use crate::responses::{Always, components, header_with_text};

/// The documents change only with a deployment.
const CACHE_CONTROL: HeaderValue = HeaderValue::from_static("public, max-age=300");

const PAGE: &str = include_str!("../docs/page.html");

/// RapiDoc 9.3.8; see `docs/README.md`.
const VIEWER: &[u8] = include_bytes!("../docs/rapidoc-9.3.8.min.js.gz");

/// The page loads the viewer and the document, both from here. The viewer writes its styles into the page.
const CONTENT_POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'unsafe-inline'; connect-src 'self'; \
     img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
);

const DESCRIPTION: &str = "\
The events of the pipeline, read-only.

- Every error is a problem document (RFC 9457). An unknown parameter is an error.
- Times are RFC 3339 (`2026-01-31T12:00:00Z`); `from` is inclusive, `to` is not. In a URL, `+` is written `%2B`.
- To read all records, pass `next_cursor` as `cursor`, with the same filters, until it is `null`. Pages neither
  skip nor repeat a record, and a page with fewer than `limit` records is not necessarily the last.
- Responses are compressed on request (`gzip`, `br`). `HEAD` is answered wherever `GET` is.
- API Gateway limits the rate of requests, and answers 429 itself: without a problem document, and without headers
  that say what is left or when to try again. Repeat such a request later, with growing pauses.
- A request may have an `x-request-id` of up to 64 letters, digits and `-_.:=+/`; the response has it as well, and
  otherwise one of its own.
";

/// Completes the document of the routes with what they have in common.
pub(crate) fn complete(mut document: OpenApi) -> OpenApi {
    let mut info = Info::new("Records", "1.0.0");
    info.description = Some(DESCRIPTION.to_owned());
    document.info = info;
    let tag = |name: &str, description: &str| {
        TagBuilder::new()
            .name(name)
            .description(Some(description))
            .build()
    };
    document.tags = Some(vec![
        tag("records", "Stored events."),
        tag("statistics", "Counts of records."),
        tag("service", "The API itself."),
    ]);
    let parts = document.components.get_or_insert_default();
    parts
        .schemas
        .insert("Problem".to_owned(), Document::schema());
    let mut schemas = Vec::new();
    Document::schemas(&mut schemas);
    parts.schemas.extend(schemas);
    parts.responses.extend(components());
    for response in parts.responses.values_mut() {
        complete_response(response);
    }
    for path in document.paths.paths.values_mut() {
        for operation in [&mut path.get, &mut path.post].into_iter().flatten() {
            complete_operation(operation);
        }
    }
    document
}

fn complete_operation(operation: &mut Operation) {
    for parameter in operation.parameters.iter_mut().flatten() {
        // Lists are separated by commas; the attribute of the field can only say the opposite.
        if let RefOr::T(parameter) = parameter
            && parameter.style.is_some()
        {
            parameter.explode = Some(false);
        }
    }
    for response in operation.responses.responses.values_mut() {
        complete_response(response);
    }
    if let Some(RefOr::T(body)) = &mut operation.request_body {
        body.content.values_mut().for_each(name_example);
    }
}

fn complete_response(response: &mut RefOr<utoipa::openapi::Response>) {
    if let RefOr::T(response) = response {
        let id = header_with_text("The request's own id, or a new one.");
        response.headers.insert(REQUEST_ID.as_str().to_owned(), id);
        response.content.values_mut().for_each(name_example);
    }
}

/// The attribute of a handler gives an example without a name. The viewer takes the members of such an object for
/// examples with names: it shows none of it, and nothing of the response at all where one is null.
fn name_example(content: &mut RefOr<Content>) {
    if let RefOr::T(content) = content
        && let Some(value) = content.example.take()
    {
        let example = ExampleBuilder::new().value(Some(value)).build();
        content
            .examples
            .insert("example".to_owned(), RefOr::T(example));
    }
}

/// Read this document.
#[utoipa::path(
    get,
    path = "/openapi.json",
    operation_id = "getDocument",
    tag = "service",
    responses(
        (status = 200, description = "The OpenAPI document.", body = Object),
        Always,
    ),
)]
pub(crate) async fn openapi(
    Extension(document): Extension<Arc<OpenApi>>,
    Query(NoParameters {}): Query<NoParameters>,
) -> Response {
    json(&*document, CACHE_CONTROL)
}

/// Read the documentation as a page.
///
/// It works without a network beyond this API.
#[utoipa::path(
    get,
    path = "/docs",
    operation_id = "getPage",
    tag = "service",
    responses(
        (status = 200, description = "The page.", body = String, content_type = "text/html"),
        Always,
    ),
)]
pub(crate) async fn docs(Query(NoParameters {}): Query<NoParameters>) -> Response {
    let kinds: String = ProblemKind::ALL
        .into_iter()
        .map(|kind| {
            format!(
                "<h3 id=\"{}\">{} {}</h3>\n<p>{}</p>\n",
                kind.anchor(),
                kind.status().as_u16(),
                kind.title(),
                with_code(kind.meaning()),
            )
        })
        .collect();
    let page = PAGE.replace("<!-- problems -->", &kinds);
    let headers = [
        (
            header::CONTENT_TYPE,
            HeaderValue::from_static("text/html; charset=utf-8"),
        ),
        (header::CACHE_CONTROL, CACHE_CONTROL),
        (header::CONTENT_SECURITY_POLICY, CONTENT_POLICY),
        (
            header::REFERRER_POLICY,
            HeaderValue::from_static("no-referrer"),
        ),
    ];
    (headers, page).into_response()
}

/// Marks what is between backticks as code.
fn with_code(text: &str) -> String {
    let parts = text.split('`').enumerate();
    parts
        .map(|(number, part)| match number % 2 {
            0 => part.to_owned(),
            _ => format!("<code>{part}</code>"),
        })
        .collect()
}

/// Read the viewer of the page.
#[utoipa::path(
    get,
    path = "/docs/viewer.js",
    operation_id = "getViewer",
    tag = "service",
    responses(
        (status = 200, description = "A script.", body = String, content_type = "text/javascript"),
        Always,
    ),
)]
pub(crate) async fn viewer(
    Query(NoParameters {}): Query<NoParameters>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let common = [
        (
            header::CONTENT_TYPE,
            HeaderValue::from_static("text/javascript; charset=utf-8"),
        ),
        (header::CACHE_CONTROL, CACHE_CONTROL),
        (header::VARY, HeaderValue::from_static("accept-encoding")),
    ];
    if takes_gzip(&headers) {
        let encoding = (header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        return Ok((common, [encoding], VIEWER).into_response());
    }
    let mut script = Vec::new();
    match GzDecoder::new(VIEWER).read_to_end(&mut script) {
        Ok(_) => Ok((common, script).into_response()),
        Err(error) => {
            tracing::error!(%error, "viewer not unpacked");
            Err(Problem::new(
                ProblemKind::Internal,
                "the request failed; the reason is in the log",
            ))
        }
    }
}

fn takes_gzip(headers: &HeaderMap) -> bool {
    headers
        .get_all(header::ACCEPT_ENCODING)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .any(|coding| coding == "gzip")
}
