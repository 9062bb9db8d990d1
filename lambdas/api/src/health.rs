//! `/health`: whether requests can be answered. Invariant: it answers in time, whatever the
//! database does.

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

/// Longer than a database takes that can be used.
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
    let away = |reason: &str| Problem::new(ProblemKind::Unavailable, reason);
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
            Err(away("the database cannot be used"))
        }
        Err(_) => Err(away("the database does not answer")),
    }
}
