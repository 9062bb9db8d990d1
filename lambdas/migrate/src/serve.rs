//! Runs a task for each invocation.
//!
//! Invariant: a failure is logged once and fails the invocation.

use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Runs the task for each invocation until the runtime ends.
///
/// # Errors
/// When the Lambda runtime API cannot be reached.
pub async fn serve<Q, A, E>(task: impl AsyncFn(Q) -> Result<A, E>) -> anyhow::Result<()>
where
    Q: DeserializeOwned,
    A: Serialize,
    E: std::error::Error + Send + Sync + 'static,
{
    let answer = async |request: LambdaEvent<Q>| {
        task(request.payload).await.map_err(|error| {
            tracing::error!(%error, "task failed");
            Error::from(error)
        })
    };
    run(service_fn(answer))
        .await
        .map_err(|error| anyhow::anyhow!(error))
}
