//! `/health`: whether the API can serve requests.
//!
//! Invariant: without `deep`, no database is asked, so that a check does not wake a paused one. With `deep`, it
//! answers within [`PING_TIMEOUT`], also when the database does not.

use std::time::{Duration, Instant};

use axum::extract::State;
use axum::http::HeaderValue;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use store::{Reader, ping};
use tokio::time::timeout;
use utoipa::ToSchema;

use crate::answer::json;
use crate::parameters::Query;
use crate::problem::{Problem, ProblemKind};
use crate::responses::Always;

/// A database that answers more slowly counts as unavailable.
const PING_TIMEOUT: Duration = Duration::from_secs(2);

/// How deep to look.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct HealthParameters {
    /// `true` asks the database as well, which wakes a paused one.
    deep: Option<bool>,
}

/// Health of the API.
#[derive(Serialize, ToSchema)]
pub(crate) struct Health {
    /// `ok`; otherwise the answer is a problem document.
    #[schema(pattern = "^ok$")]
    status: &'static str,
    /// `ok`; absent when the database was not asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, pattern = "^ok$")]
    database: Option<&'static str>,
    /// Time to the database's answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, value_type = Option<u64>)]
    database_latency_ms: Option<u128>,
}

/// Check whether the API can serve requests.
#[utoipa::path(
    get,
    path = "/health",
    operation_id = "getHealth",
    tag = "service",
    params(HealthParameters),
    responses(
        (status = 200, description = "It can.", body = Health,
         headers(("cache-control" = String, description = "`no-store`.")),
         example = json!({"status": "ok", "database": "ok", "database_latency_ms": 1})),
        Always,
    ),
)]
pub(crate) async fn health(
    State(reader): State<Reader>,
    Query(parameters): Query<HealthParameters>,
) -> Result<Response, Problem> {
    let mut health = Health {
        status: "ok",
        database: None,
        database_latency_ms: None,
    };
    if parameters.deep == Some(true) {
        let started = Instant::now();
        let unavailable = |reason: &str| Problem::new(ProblemKind::Unavailable, reason);
        match timeout(PING_TIMEOUT, ping(&reader)).await {
            Ok(Ok(())) => {
                health.database = Some("ok");
                health.database_latency_ms = Some(started.elapsed().as_millis());
            }
            Ok(Err(error)) => {
                tracing::warn!(%error, "unhealthy");
                return Err(unavailable("the database cannot be used"));
            }
            Err(_) => return Err(unavailable("the database does not answer")),
        }
    }
    Ok(json(&health, HeaderValue::from_static("no-store")))
}
