//! Creates the functions, the event source mapping and the HTTP API, over the same protocols as on AWS.
//!
//! Invariant: names and settings are those of the Terraform modules; the mapping reports batch item
//! failures.

use std::path::Path;
use std::time::Duration;

use aws_config::SdkConfig;
use aws_sdk_apigatewayv2::types::{IntegrationType, ProtocolType};
use aws_sdk_lambda::error::{DisplayErrorContext, SdkError};
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::{
    Architecture, Environment, FunctionCode, FunctionResponseType, Runtime, ScalingConfig,
};
use tokio::time::Instant;

use crate::DevstackError;
use crate::access::http_client;
use crate::messaging::Queues;
use crate::packages;

pub(crate) const INGEST: &str = "events-ingest";
pub(crate) const API: &str = "events-api";
pub(crate) const MIGRATE: &str = "events-migrate";

pub(crate) const FUNCTION_TIMEOUT_SECS: i32 = 10;
const MIGRATE_TIMEOUT_SECS: i32 = 60;
const BATCH_SIZE: i32 = 100;
/// AWS requires at least one second for batches above ten.
const BATCH_WINDOW_SECS: i32 = 1;
/// The minimum that AWS accepts.
const INGEST_CONCURRENCY: i32 = 2;
const API_ANSWER_LIMIT: Duration = Duration::from_secs(20);
const API_POLL_INTERVAL: Duration = Duration::from_millis(50);
const MEMORY_MIB: i32 = 512;
const ROLE_ARN_PREFIX: &str = "arn:aws:iam::000000000000:role/";

/// A function to deploy.
pub(crate) struct Function<'a> {
    pub(crate) name: &'static str,
    pub(crate) binary: &'a Path,
    pub(crate) database_url: &'a str,
    /// The file to which it logs.
    pub(crate) log: &'a Path,
}

/// Creates a function.
pub(crate) async fn create_function(
    config: &SdkConfig,
    queues: &Queues,
    function: Function<'_>,
) -> Result<(), DevstackError> {
    let lambda = aws_sdk_lambda::Client::new(config);
    let name = function.name;
    let operation = format!("create the function {name:?}");
    let environment = Environment::builder()
        .variables("DATABASE_URL", function.database_url)
        .variables("DEAD_LETTER_QUEUE_URL", &queues.dead_letter_queue_url)
        .variables("RUST_LOG", "info")
        .build();
    let code = FunctionCode::builder()
        .zip_file(Blob::new(package(function.binary, function.log)?))
        .build();
    let timeout_secs = if name == MIGRATE {
        MIGRATE_TIMEOUT_SECS
    } else {
        FUNCTION_TIMEOUT_SECS
    };
    let outcome = lambda
        .create_function()
        .function_name(name)
        .runtime(Runtime::Providedal2023)
        .architectures(architecture())
        .memory_size(MEMORY_MIB)
        .handler("bootstrap")
        .role(format!("{ROLE_ARN_PREFIX}{name}"))
        .timeout(timeout_secs)
        .environment(environment)
        .code(code)
        .send()
        .await;
    aws(&operation, outcome)?;
    Ok(())
}

/// The architecture of this machine, for which the binaries were compiled.
const fn architecture() -> Architecture {
    if cfg!(target_arch = "aarch64") {
        Architecture::Arm64
    } else {
        Architecture::X8664
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
pub(crate) async fn migrate(config: &SdkConfig) -> Result<serde_json::Value, DevstackError> {
    let operation = "migrate the database";
    let failed = |detail: String| DevstackError::Failed {
        operation: operation.to_owned(),
        detail,
    };
    let outcome = aws_sdk_lambda::Client::new(config)
        .invoke()
        .function_name(MIGRATE)
        .payload(Blob::new("{}"))
        .send()
        .await;
    let answer = aws(operation, outcome)?;
    let payload = answer.payload.map(Blob::into_inner).unwrap_or_default();
    match answer.function_error {
        Some(kind) => Err(failed(format!(
            "{kind}: {}",
            String::from_utf8_lossy(&payload)
        ))),
        None => serde_json::from_slice(&payload).map_err(|error| failed(error.to_string())),
    }
}

/// Creates the event source mapping from the queue to the ingest function.
pub(crate) async fn connect_ingest(
    config: &SdkConfig,
    queues: &Queues,
) -> Result<(), DevstackError> {
    let outcome = aws_sdk_lambda::Client::new(config)
        .create_event_source_mapping()
        .event_source_arn(&queues.queue_arn)
        .function_name(INGEST)
        .batch_size(BATCH_SIZE)
        .maximum_batching_window_in_seconds(BATCH_WINDOW_SECS)
        .scaling_config(
            ScalingConfig::builder()
                .maximum_concurrency(INGEST_CONCURRENCY)
                .build(),
        )
        .function_response_types(FunctionResponseType::ReportBatchItemFailures)
        .send()
        .await;
    aws("connect the queue to the ingest function", outcome)?;
    Ok(())
}

/// Creates the HTTP API and returns its URL. Requests need no signature: it listens on loopback only.
pub(crate) async fn create_api(
    config: &SdkConfig,
    endpoint_url: &str,
) -> Result<String, DevstackError> {
    let operation = "create the HTTP API";
    let client = aws_sdk_apigatewayv2::Client::new(config);
    let outcome = client
        .create_api()
        .name(API)
        .protocol_type(ProtocolType::Http)
        .send()
        .await;
    let id = present(aws(operation, outcome)?.api_id, "API id")?;
    let function_arn = format!("arn:aws:lambda:us-east-1:000000000000:function:{API}");
    let outcome = client
        .create_integration()
        .api_id(&id)
        .integration_type(IntegrationType::AwsProxy)
        .integration_uri(&function_arn)
        .payload_format_version("2.0")
        .send()
        .await;
    let integration = present(aws(operation, outcome)?.integration_id, "integration id")?;
    let outcome = client
        .create_route()
        .api_id(&id)
        .route_key("$default")
        .target(format!("integrations/{integration}"))
        .send()
        .await;
    aws(operation, outcome)?;
    let outcome = client
        .create_stage()
        .api_id(&id)
        .stage_name("$default")
        .auto_deploy(true)
        .send()
        .await;
    aws(operation, outcome)?;
    let outcome = aws_sdk_lambda::Client::new(config)
        .add_permission()
        .function_name(API)
        .statement_id("http-api")
        .action("lambda:InvokeFunction")
        .principal("apigateway.amazonaws.com")
        .source_arn(format!("arn:aws:execute-api:us-east-1:000000000000:{id}/*"))
        .send()
        .await;
    aws("let the HTTP API call its function", outcome)?;
    // The emulator serves the default stage of an API below this path.
    Ok(format!("{endpoint_url}/_aws/execute-api/{id}"))
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

pub(crate) fn aws<T, E>(
    operation: &str,
    outcome: Result<T, SdkError<E>>,
) -> Result<T, DevstackError>
where
    E: std::error::Error + Send + Sync + 'static,
{
    outcome.map_err(|error| DevstackError::Aws {
        operation: operation.to_owned(),
        detail: DisplayErrorContext(error).to_string(),
    })
}

pub(crate) fn present<T>(value: Option<T>, what: &str) -> Result<T, DevstackError> {
    value.ok_or_else(|| DevstackError::Aws {
        operation: "read a response of the emulator".to_owned(),
        detail: format!("it contains no {what}"),
    })
}
