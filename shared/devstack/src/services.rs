//! Requests to services of the emulator that have no client here, for tests that change what is deployed.
//!
//! Invariant: an answer with an error status is an error with its text.

use reqwest::Method;
use serde_json::Value;

use crate::DevstackError;
use crate::signed_request::SignedRequest;

/// Sends a request to Lambda; the path begins with the version of its API.
///
/// # Errors
/// When the emulator refuses it or does not answer.
pub async fn lambda(
    endpoint_url: &str,
    method: &str,
    path: &str,
    body: &Value,
) -> Result<Value, DevstackError> {
    let operation = format!("{method} {path} of Lambda");
    let method = Method::from_bytes(method.as_bytes()).map_err(|error| DevstackError::Failed {
        operation: operation.clone(),
        detail: error.to_string(),
    })?;
    let url = format!("{endpoint_url}{path}");
    let request = SignedRequest::json(&operation, "lambda", url, body);
    text(SignedRequest { method, ..request }).await
}

/// Sends an operation to CloudWatch Logs.
///
/// # Errors
/// When the emulator refuses it or does not answer.
pub async fn logs(
    endpoint_url: &str,
    operation: &str,
    body: &Value,
) -> Result<Value, DevstackError> {
    let request = SignedRequest::json(operation, "logs", format!("{endpoint_url}/"), body);
    text(request.with_target("Logs_20140328")).await
}

/// Sends an operation to RDS: the first parameter is `Action`.
///
/// # Errors
/// When the emulator refuses it or does not answer.
pub async fn rds(endpoint_url: &str, parameters: &[(&str, &str)]) -> Result<(), DevstackError> {
    let operation = parameters.first().map_or("", |(_, action)| *action);
    let parameters = [&[("Version", "2014-10-31")], parameters].concat();
    let url = format!("{endpoint_url}/");
    SignedRequest::query(operation, "rds", url, &parameters)
        .send()
        .await?;
    Ok(())
}

/// The answer; null where it is empty.
async fn text(request: SignedRequest<'_>) -> Result<Value, DevstackError> {
    let operation = request.operation.to_owned();
    let failed = |detail: String| DevstackError::Aws {
        operation: operation.clone(),
        detail,
    };
    let answer = request.send().await?.text().await;
    let answer = answer.map_err(|error| failed(error.to_string()))?;
    if answer.is_empty() {
        return Ok(Value::Null);
    }
    serde_json::from_str(&answer).map_err(|error| failed(error.to_string()))
}
