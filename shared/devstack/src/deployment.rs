//! Creates the functions, the event source mapping and the HTTP API, over the same protocols as on AWS.
//!
//! Invariant: names and settings are those of the Terraform modules; the mapping reports batch item
//! failures.

use std::path::Path;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::DevstackError;
use crate::architecture::Architecture;
use crate::endpoints::{
    API, BATCH_WINDOW_SECS, FUNCTION_TIMEOUT_SECS, INGEST, LOG_STREAM, MIGRATE, log_group,
};
use crate::messaging::Queues;
use crate::packages;
use crate::services;
use crate::signed_request::{SignedRequest, http_client};

/// As in Terraform; without it a log is kept for ever.
const LOG_RETENTION_DAYS: u32 = 30;

const MIGRATE_TIMEOUT_SECS: u32 = 60;
const BATCH_SIZE: u32 = 100;
/// The minimum that AWS accepts.
const INGEST_CONCURRENCY: u32 = 2;
const API_ANSWER_LIMIT: Duration = Duration::from_secs(20);
const API_POLL_INTERVAL: Duration = Duration::from_millis(50);
const MEMORY_MIB: u32 = 512;
const ROLE_ARN_PREFIX: &str = "arn:aws:iam::000000000000:role/";

/// A function to deploy.
pub(crate) struct Function<'a> {
    pub(crate) name: &'static str,
    pub(crate) binary: &'a Path,
    pub(crate) database_url: &'a str,
    /// The file to which it logs.
    pub(crate) log: &'a Path,
    /// See [`crate::StackOptions::replacements_allowed`].
    pub(crate) replacements_allowed: bool,
}

/// Creates a function.
pub(crate) async fn create_function(
    endpoint_url: &str,
    queues: &Queues,
    function: Function<'_>,
) -> Result<(), DevstackError> {
    let name = function.name;
    let timeout_secs = if name == MIGRATE {
        MIGRATE_TIMEOUT_SECS
    } else {
        FUNCTION_TIMEOUT_SECS
    };
    let package = package(function.binary, function.log)?;
    let settings = json!({
        "FunctionName": name,
        "Runtime": "provided.al2023",
        "Architectures": [architecture().to_string()],
        "MemorySize": MEMORY_MIB,
        "Handler": "bootstrap",
        "Role": format!("{ROLE_ARN_PREFIX}{name}"),
        "Timeout": timeout_secs,
        "Environment": {"Variables": {
            "DATABASE_URL": function.database_url,
            "DEAD_LETTER_QUEUE_URL": queues.dead_letter_queue_url,
            "REPLACEMENTS_ALLOWED": function.replacements_allowed.to_string(),
            "RUST_LOG": "info",
        }},
        "Code": {"ZipFile": BASE64_STANDARD.encode(package)},
    });
    create_log_group(endpoint_url, name).await?;
    let operation = format!("create the function {name:?}");
    lambda(&operation, endpoint_url, "functions", &settings)
        .send()
        .await?;
    Ok(())
}

/// Creates the log group of a function, with its stream.
async fn create_log_group(endpoint_url: &str, function: &str) -> Result<(), DevstackError> {
    let group = log_group(function);
    let create = json!({"logGroupName": group});
    let retention = json!({"logGroupName": group, "retentionInDays": LOG_RETENTION_DAYS});
    let stream = json!({"logGroupName": group, "logStreamName": LOG_STREAM});
    for (operation, body) in [
        ("CreateLogGroup", create),
        ("PutRetentionPolicy", retention),
        ("CreateLogStream", stream),
    ] {
        services::logs(endpoint_url, operation, &body).await?;
    }
    Ok(())
}

/// A request to the Lambda API; `path` follows the version of the API.
fn lambda<'a>(
    operation: &'a str,
    endpoint_url: &str,
    path: &str,
    body: &Value,
) -> SignedRequest<'a> {
    let url = format!("{endpoint_url}/2015-03-31/{path}");
    SignedRequest::json(operation, "lambda", url, body)
}

/// The architecture of this machine, for which the binaries were compiled.
const fn architecture() -> Architecture {
    if cfg!(target_arch = "aarch64") {
        Architecture::Arm64
    } else {
        Architecture::X86_64
    }
}

/// A package whose `bootstrap` runs the binary in place: the emulator runs functions as processes of this
/// machine, so tens of megabytes need not be packed, sent and unpacked. The function logs to a file, from
/// which its batches are counted, because the emulator keeps only a part of the lines.
fn package(binary: &Path, log: &Path) -> Result<Vec<u8>, DevstackError> {
    let quoted = |path: &Path| path.display().to_string().replace('\'', r"'\''");
    let script = format!("#!/bin/sh\nexec '{}' >>'{}'\n", quoted(binary), quoted(log));
    packages::pack(script.as_bytes())
}

/// Invokes the migrate function and returns its report.
pub(crate) async fn migrate(endpoint_url: &str) -> Result<Value, DevstackError> {
    let operation = "migrate the database";
    let failed = |detail: String| DevstackError::Failed {
        operation: operation.to_owned(),
        detail,
    };
    let path = format!("functions/{MIGRATE}/invocations");
    let request = SignedRequest {
        limit: Duration::from_secs(MIGRATE_TIMEOUT_SECS.into()),
        ..lambda(operation, endpoint_url, &path, &json!({}))
    };
    let answer = request.send().await?;
    let kind = answer
        .headers()
        .get("x-amz-function-error")
        .map(|kind| String::from_utf8_lossy(kind.as_bytes()).into_owned());
    let payload = answer
        .bytes()
        .await
        .map_err(|error| failed(error.to_string()))?;
    match kind {
        Some(kind) => Err(failed(format!(
            "{kind}: {}",
            String::from_utf8_lossy(&payload)
        ))),
        None => serde_json::from_slice(&payload).map_err(|error| failed(error.to_string())),
    }
}

/// Creates the event source mapping from the queue to the ingest function.
pub(crate) async fn connect_ingest(
    endpoint_url: &str,
    queues: &Queues,
) -> Result<(), DevstackError> {
    let mapping = json!({
        "EventSourceArn": queues.queue_arn,
        "FunctionName": INGEST,
        "BatchSize": BATCH_SIZE,
        "MaximumBatchingWindowInSeconds": BATCH_WINDOW_SECS,
        "ScalingConfig": {"MaximumConcurrency": INGEST_CONCURRENCY},
        "FunctionResponseTypes": ["ReportBatchItemFailures"],
    });
    let operation = "connect the queue to the ingest function";
    lambda(operation, endpoint_url, "event-source-mappings", &mapping)
        .send()
        .await?;
    Ok(())
}

/// Creates the HTTP API and returns its URL. Requests need no signature: it listens on loopback only.
pub(crate) async fn create_api(endpoint_url: &str) -> Result<String, DevstackError> {
    let gateway = async |path: &str, body: Value| {
        let url = format!("{endpoint_url}/v2/apis{path}");
        SignedRequest::json("create the HTTP API", "apigateway", url, &body)
            .send_for_json()
            .await
    };
    let api = gateway("", json!({"name": API, "protocolType": "HTTP"})).await?;
    let id = text(&api, "apiId")?;
    let integration = json!({
        "integrationType": "AWS_PROXY",
        "integrationUri": format!("arn:aws:lambda:us-east-1:000000000000:function:{API}"),
        "payloadFormatVersion": "2.0",
    });
    let integration = gateway(&format!("/{id}/integrations"), integration).await?;
    let target = format!("integrations/{}", text(&integration, "integrationId")?);
    let route = json!({"routeKey": "$default", "target": target});
    gateway(&format!("/{id}/routes"), route).await?;
    let stage = json!({"stageName": "$default", "autoDeploy": true});
    gateway(&format!("/{id}/stages"), stage).await?;
    let permission = json!({
        "StatementId": "http-api",
        "Action": "lambda:InvokeFunction",
        "Principal": "apigateway.amazonaws.com",
        "SourceArn": format!("arn:aws:execute-api:us-east-1:000000000000:{id}/*"),
    });
    let operation = "let the HTTP API call its function";
    let path = format!("functions/{API}/policy");
    lambda(operation, endpoint_url, &path, &permission)
        .send()
        .await?;
    // The emulator serves the default stage of an API below this path.
    Ok(format!("{endpoint_url}/_aws/execute-api/{id}"))
}

fn text<'a>(answer: &'a Value, name: &'static str) -> Result<&'a str, DevstackError> {
    DevstackError::present(answer.get(name).and_then(Value::as_str), name)
}

/// Waits until the API answers; this also starts its function.
pub(crate) async fn wait_for_api(api_url: &str) -> Result<(), DevstackError> {
    let client = http_client()?;
    let url = format!("{api_url}/health");
    let deadline = Instant::now() + API_ANSWER_LIMIT;
    loop {
        let detail = match client.get(&url).send().await {
            Ok(response) if response.status().is_success() => return Ok(()),
            Ok(response) => {
                let status = response.status();
                format!("{status}: {}", response.text().await.unwrap_or_default())
            }
            Err(error) => error.to_string(),
        };
        if Instant::now() >= deadline {
            return Err(DevstackError::Timeout {
                operation: format!("get {url}"),
                limit: API_ANSWER_LIMIT,
                detail,
            });
        }
        tokio::time::sleep(API_POLL_INTERVAL).await;
    }
}
