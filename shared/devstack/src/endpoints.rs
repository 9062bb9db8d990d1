//! Addresses and names of a running stack.
//!
//! Invariant: these values are enough for another process to use the whole stack.

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_smithy_http_client::tls::Provider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use serde::{Deserialize, Serialize};

/// The only region of the emulator.
pub(crate) const REGION: &str = "us-east-1";
/// Access key and secret key of the emulator's administrator.
pub(crate) const ACCESS_KEY: &str = "test";

/// Names of the functions.
pub(crate) const INGEST: &str = "events-ingest";
pub(crate) const API: &str = "events-api";
pub(crate) const MIGRATE: &str = "events-migrate";
/// The log stream of each function; `emulator.py` writes to it as well.
pub(crate) const LOG_STREAM: &str = "[$LATEST]local";
/// Time limit of the ingest and of the api function.
pub(crate) const FUNCTION_TIMEOUT_SECS: u32 = 10;
/// Batching window of the event source mapping. AWS requires at least one second for batches above ten.
pub(crate) const BATCH_WINDOW_SECS: u32 = 1;

/// Name of the log group of a function, as Lambda gives it.
pub(crate) fn log_group(function: &str) -> String {
    format!("/aws/lambda/{function}")
}

/// Addresses and names of a running stack.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoints {
    /// AWS region.
    pub region: String,
    /// Endpoint of every AWS service.
    pub endpoint_url: String,
    /// ARN of the topic for events.
    pub topic_arn: String,
    /// URL of the queue that the ingest reads.
    pub queue_url: String,
    /// ARN of that queue.
    pub queue_arn: String,
    /// URL of the dead-letter queue.
    pub dead_letter_queue_url: String,
    /// ARN of the dead-letter queue.
    pub dead_letter_queue_arn: String,
    /// URL of the HTTP API, without a slash at the end.
    pub api_url: String,
    /// URL of the database, for sqlx and psql.
    pub database_url: String,
    /// Name of the ingest function.
    pub ingest_function: String,
    /// Name of the api function.
    pub api_function: String,
    /// Name of the migrate function.
    pub migrate_function: String,
}

impl Endpoints {
    /// Configuration for the AWS clients of this stack.
    #[must_use]
    pub fn sdk_config(&self) -> SdkConfig {
        sdk_config(&self.endpoint_url)
    }
}

/// Configuration for AWS clients of an emulator: fixed credentials; nothing is read from the environment
/// or the user's files.
#[must_use]
pub fn sdk_config(endpoint_url: &str) -> SdkConfig {
    let http_client = aws_smithy_http_client::Builder::new()
        .tls_provider(Provider::Rustls(CryptoMode::Ring))
        .build_https();
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(REGION))
        .endpoint_url(endpoint_url)
        .credentials_provider(
            aws_credential_types::provider::SharedCredentialsProvider::new(Credentials::from_keys(
                ACCESS_KEY, ACCESS_KEY, None,
            )),
        )
        .http_client(http_client)
        .build()
}
