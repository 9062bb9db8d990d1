//! The router.
//!
//! Invariant: [`described`] lists all routes; the document is generated from the same list.

use std::sync::Arc;
use std::time::SystemTime;

use axum::extract::Request;
use axum::http::{HeaderName, HeaderValue, Method, Uri, header};
use axum::middleware::{from_fn, from_fn_with_state, map_request, map_response};
use axum::response::Response;
use axum::{Extension, Router};
use store::{IamLogIn, PgPool, Reader, StoreError, connect_lazy};
use tower_http::compression::CompressionLayer;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::problem::{Problem, ProblemKind};
use crate::request_id::identified;
use crate::request_size::limited_size;
use crate::settings::Settings;
use crate::share::{WideShare, admit};
use crate::{documents, feed, health, lookup, records, statistics, summary};

/// Every route with its description.
fn described() -> OpenApiRouter<Reader> {
    OpenApiRouter::new()
        .routes(routes!(records::list))
        .routes(routes!(records::get))
        .routes(routes!(feed::feed))
        .routes(routes!(lookup::look_up))
        .routes(routes!(statistics::stats))
        .routes(routes!(statistics::types))
        .routes(routes!(summary::summary))
        .routes(routes!(health::health))
        .routes(routes!(documents::openapi))
        .routes(routes!(documents::docs))
        .routes(routes!(documents::viewer))
}

/// The whole API on the database of the settings; it does no IO yet. With IAM log-in, the token is renewed
/// before each request.
///
/// # Errors
/// When the database URL is invalid.
pub fn connected(settings: &Settings) -> Result<Router, StoreError> {
    let pool = connect_lazy(&settings.connect_settings())?;
    let router = match settings.cors() {
        Some(cors) => router(pool.clone()).layer(cors),
        None => router(pool.clone()),
    };
    Ok(match settings.log_in.clone() {
        None => router,
        Some(log_in) => router.layer(map_request(move |request: Request| {
            renew(&log_in, &pool);
            std::future::ready(request)
        })),
    })
}

/// A failure is only logged: if the request needs a new connection, the log-in fails with an error.
fn renew(log_in: &IamLogIn, pool: &PgPool) {
    if let Err(error) = log_in.renew(pool, SystemTime::now()) {
        tracing::error!(%error, "log-in token not renewed");
    }
}

/// The whole API on an existing pool.
pub fn router(pool: PgPool) -> Router {
    let (router, document) = described().split_for_parts();
    let document = Arc::new(documents::complete(document));
    let paths = paths(&document);
    router
        .fallback(move |uri: Uri| std::future::ready(no_such_path(&uri, &paths)))
        .method_not_allowed_fallback(no_such_method)
        .layer(from_fn_with_state(WideShare::of(&pool), admit))
        .layer(Extension(document))
        .layer(CompressionLayer::new())
        .layer(from_fn(limited_size))
        .layer(map_response(hardened))
        .layer(from_fn(identified))
        .with_state(Reader::new(pool))
}

fn paths(document: &OpenApi) -> Arc<str> {
    let paths: Vec<&str> = document.paths.paths.keys().map(String::as_str).collect();
    paths.join(", ").into()
}

fn no_such_path(uri: &Uri, paths: &str) -> Problem {
    Problem::new(
        ProblemKind::NotFound,
        format!("there is no path {:?}; the paths are {paths}", uri.path()),
    )
}

async fn no_such_method(method: Method, uri: Uri) -> ([(HeaderName, HeaderValue); 1], Problem) {
    let allowed = if uri.path() == lookup::PATH {
        "POST"
    } else {
        "GET, HEAD"
    };
    let detail = format!("{method} is not supported; the path takes {allowed}");
    (
        [(header::ALLOW, HeaderValue::from_static(allowed))],
        Problem::new(ProblemKind::MethodNotAllowed, detail),
    )
}

/// Prevents that a browser guesses another content type.
async fn hardened(mut response: Response) -> Response {
    response.headers_mut().insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    response
}
