//! The router.
//!
//! Invariant: [`ROUTES`] lists all routes with their parameters.

use std::time::SystemTime;

use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderName, HeaderValue, Method, Uri, header};
use axum::middleware::{map_request, map_response};
use axum::response::Response;
use axum::routing::get;
use store::{IamLogIn, PgPool, StoreError, connect_lazy};
use tower_http::compression::CompressionLayer;

use crate::problem::{Problem, ProblemKind};
use crate::settings::Settings;
use crate::{documents, health, records, statistics};

/// Every path with its query parameters.
pub const ROUTES: [(&str, &[&str]); 7] = [
    ("/v1/records", &records::LIST_PARAMETERS),
    ("/v1/records/{record_id}", &[]),
    ("/v1/stats", &statistics::STATS_PARAMETERS),
    ("/v1/types", &[]),
    ("/health", &[]),
    ("/openapi.json", &[]),
    ("/docs", &[]),
];

/// The whole API on the database of the settings; it does no IO yet. With IAM log-in, the token is renewed
/// before each request.
///
/// # Errors
/// When the database URL is invalid.
pub fn connected(settings: &Settings) -> Result<Router, StoreError> {
    let pool = connect_lazy(&settings.connect_settings())?;
    let router = router(pool.clone());
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
    Router::new()
        .route("/v1/records", get(records::list))
        .route("/v1/records/{record_id}", get(records::get))
        .route("/v1/stats", get(statistics::stats))
        .route("/v1/types", get(statistics::types))
        .route("/health", get(health::health))
        .route("/openapi.json", get(documents::openapi))
        .route("/docs", get(documents::docs))
        .fallback(no_such_path)
        .method_not_allowed_fallback(no_such_method)
        .layer(CompressionLayer::new())
        .layer(map_response(hardened))
        .with_state(pool)
}

async fn no_such_path(uri: Uri) -> Problem {
    let paths: Vec<&str> = ROUTES.iter().map(|(path, _)| *path).collect();
    Problem::new(
        ProblemKind::NotFound,
        format!(
            "there is no path {:?}; the paths are {}",
            uri.path(),
            paths.join(", ")
        ),
    )
}

async fn no_such_method(method: Method) -> ([(HeaderName, HeaderValue); 1], Problem) {
    let allowed = HeaderValue::from_static("GET, HEAD");
    let detail = format!("{method} is not supported; use GET");
    (
        [(header::ALLOW, allowed)],
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
