//! `/health`: whether the API can serve requests.
//!
//! Invariant: it answers within [`PING_TIMEOUT`], also when the database does not.

use std::time::{Duration, Instant};

use axum::extract::{RawQuery, State};
use axum::http::HeaderValue;
use axum::response::Response;
use serde::Serialize;
use store::{PgPool, ping};
use tokio::time::timeout;

use crate::answer::json;
use crate::parameters::Parameters;
use crate::problem::{Problem, ProblemKind};

/// A database that answers more slowly counts as unavailable.
const PING_TIMEOUT: Duration = Duration::from_secs(2);

#[derive(Serialize)]
struct Health {
    status: &'static str,
    database: &'static str,
    database_latency_ms: u128,
}

pub(crate) async fn health(
    State(pool): State<PgPool>,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    Parameters::read(query.as_deref(), &[])?;
    let started = Instant::now();
    let unavailable = |reason: &str| Problem::new(ProblemKind::Unavailable, reason);
    match timeout(PING_TIMEOUT, ping(&pool)).await {
        Ok(Ok(())) => Ok(json(
            &Health {
                status: "ok",
                database: "ok",
                database_latency_ms: started.elapsed().as_millis(),
            },
            HeaderValue::from_static("no-store"),
        )),
        Ok(Err(error)) => {
            tracing::warn!(%error, "unhealthy");
            Err(unavailable("the database cannot be used"))
        }
        Err(_) => Err(unavailable("the database does not answer")),
    }
}
