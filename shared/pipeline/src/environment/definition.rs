//! What an environment is.
//!
//! Invariant: plain data; its URLs were validated by whoever made it.

use std::fmt;

use reqwest::Url;
use serde::{Deserialize, Serialize};

/// How a service authenticates requests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Authorization {
    /// Not at all, or by the URL and the usual variables (`PG…`).
    #[default]
    None,
    /// By the operator's AWS credentials: a signature for each request, a token for each log-in.
    Iam,
}

/// One deployed pipeline.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Environment {
    /// The name for `--env`.
    pub name: String,
    /// AWS region.
    pub region: String,
    /// Profile of the AWS configuration that has the credentials; `None` for the usual chain.
    #[serde(default)]
    pub profile: Option<String>,
    /// Endpoint of an emulator; `None` for AWS.
    pub endpoint_url: Option<String>,
    /// ARN of the SNS topic for events.
    pub topic_arn: String,
    /// URL of the queue that the ingest reads.
    pub queue_url: String,
    /// URL of the dead-letter queue.
    pub dead_letter_queue_url: String,
    /// Base URL of the HTTP API; paths like `/v1/records` are appended.
    pub api_url: Option<String>,
    /// Authentication of requests to the API.
    #[serde(default)]
    pub api_auth: Authorization,
    /// The command that prints a bearer token for the API, where it wants one (JWT).
    #[serde(default)]
    pub api_token_command: Option<String>,
    /// Authentication of log-ins to the database.
    #[serde(default)]
    pub database_auth: Authorization,
    /// URL of the database, the faster way to the records; without it they are read by the API. Without both
    /// there are no records and no verdict `already-stored`.
    pub database_url: Option<String>,
    /// Whether the database pauses while nobody is connected. Then the console does not read it by itself.
    #[serde(default)]
    pub database_pauses: bool,
    /// Identifier of the Aurora cluster, for the metric of its capacity.
    #[serde(default)]
    pub database_cluster: Option<String>,
    /// Instances of that cluster: its metric is the mean of them.
    #[serde(default)]
    pub database_instances: Option<u32>,
    /// The command that leads to the database, where this machine cannot reach its host: words with `{host}`,
    /// `{port}` and `{local_port}`.
    #[serde(default)]
    pub tunnel: Option<String>,
    /// Name of the ingest function.
    pub ingest_function: Option<String>,
    /// Timeout of the ingest function in seconds, for the rule about the queue's visibility timeout.
    pub function_timeout_secs: Option<u64>,
    /// Memory of the ingest function in MiB, for its price.
    #[serde(default)]
    pub ingest_memory_mib: Option<u32>,
    /// Whether changes need the environment's name and a reason.
    pub is_production: bool,
    /// Whether all changes are refused.
    pub read_only: bool,
}

impl fmt::Debug for Environment {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Environment")
            .field("name", &self.name)
            .field("region", &self.region)
            .field("profile", &self.profile)
            .field("endpoint_url", &self.endpoint_url)
            .field("topic_arn", &self.topic_arn)
            .field("queue_url", &self.queue_url)
            .field("dead_letter_queue_url", &self.dead_letter_queue_url)
            .field("api_url", &self.api_url)
            .field("api_auth", &self.api_auth)
            .field("api_token_command", &self.api_token_command)
            .field("database_auth", &self.database_auth)
            .field("database_url", &self.database_url.as_deref().map(redacted))
            .field("database_pauses", &self.database_pauses)
            .field("database_cluster", &self.database_cluster)
            .field("database_instances", &self.database_instances)
            .field("tunnel", &self.tunnel)
            .field("ingest_function", &self.ingest_function)
            .field("function_timeout_secs", &self.function_timeout_secs)
            .field("ingest_memory_mib", &self.ingest_memory_mib)
            .field("is_production", &self.is_production)
            .field("read_only", &self.read_only)
            .finish()
    }
}

impl Environment {
    /// Whether the endpoint is on this machine.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        self.endpoint_url.as_deref().is_some_and(is_loopback_url)
    }

    /// The AWS account: that of the topic.
    #[must_use]
    pub fn account(&self) -> Option<&str> {
        self.topic_arn.split(':').nth(4)
    }

    /// Identifier of the HTTP API: the first label of the host that API Gateway gives it. A domain of one's own does
    /// not name it.
    pub(crate) fn api_id(&self) -> Option<&str> {
        let (_, host) = self.api_url.as_deref()?.split_once("://")?;
        Some(host.split_once(".execute-api.")?.0)
    }

    /// An environment for documentation and tests; nothing listens at its addresses.
    #[must_use]
    pub fn example() -> Self {
        Self {
            name: "example".to_owned(),
            region: "us-east-1".to_owned(),
            profile: None,
            endpoint_url: Some("http://127.0.0.1:1".to_owned()),
            topic_arn: "arn:aws:sns:us-east-1:000000000000:events".to_owned(),
            queue_url: "http://127.0.0.1:1/000000000000/events-queue".to_owned(),
            dead_letter_queue_url: "http://127.0.0.1:1/000000000000/events-dead-letters".to_owned(),
            api_url: Some("http://127.0.0.1:1".to_owned()),
            api_auth: Authorization::None,
            api_token_command: None,
            database_auth: Authorization::None,
            database_url: None,
            database_pauses: false,
            database_cluster: None,
            database_instances: None,
            tunnel: None,
            ingest_function: None,
            function_timeout_secs: None,
            ingest_memory_mib: None,
            is_production: false,
            read_only: false,
        }
    }
}

/// Scheme, host and port of a URL; the text itself if it is not a URL.
#[must_use]
pub fn origin(url: &str) -> String {
    Url::parse(url).map_or_else(|_| url.to_owned(), |url| url.origin().ascii_serialization())
}

pub(super) fn is_loopback_url(url: &str) -> bool {
    let Ok(url) = Url::parse(url) else {
        return false;
    };
    url.host_str().is_some_and(is_loopback_host)
}

pub(super) fn is_loopback_host(host: &str) -> bool {
    host == "localhost"
        || host.ends_with(".localhost")
        || host
            .trim_matches(['[', ']'])
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

fn redacted(url: &str) -> String {
    match Url::parse(url) {
        Ok(mut url) if url.password().is_some() => match url.set_password(Some("redacted")) {
            Ok(()) => url.to_string(),
            Err(()) => "redacted".to_owned(),
        },
        Ok(url) => url.to_string(),
        Err(_) => "not a URL".to_owned(),
    }
}
