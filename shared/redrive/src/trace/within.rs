//! A part of a trace within its limit.

use std::time::Duration;

use pipeline::PipelineError;

/// What a call answers within a limit; else why there is no answer, for people.
pub(super) async fn within<T>(
    limit: Duration,
    call: impl Future<Output = Result<T, PipelineError>>,
) -> Result<T, String> {
    match tokio::time::timeout(limit, call).await {
        Ok(answer) => answer.map_err(|error| error.to_string()),
        Err(_) => Err(format!("no answer within {} s", limit.as_secs())),
    }
}
