//! The connection to one environment: clients that are made on first use.
//!
//! Invariant: making a [`Pipeline`] does no IO, so the first frame never waits for the network.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_http_client::tls;
use store::{ConnectSettings, PgPool};
use tokio::net::TcpStream;
use tokio::sync::{Mutex, OnceCell};

use super::dead_letter_search::DeadLetterSearch;
use super::{Authority, PipelineError, error::Attempt};
use crate::environment::{Environment, origin};

/// Limit of a TCP and TLS connect.
const CONNECT_LIMIT: Duration = Duration::from_secs(2);
/// Limit of one AWS operation, retries included.
pub(super) const OPERATION_LIMIT: Duration = Duration::from_secs(5);
/// Attempts of an AWS operation: the first one and two retries.
const ATTEMPTS_MAX: u32 = 3;
/// Wait before the first retry; doubles.
const RETRY_BACKOFF_FIRST: Duration = Duration::from_millis(100);
/// Connections to the database: a console asks a few things at once, no more.
const DATABASE_CONNECTIONS_MAX: u32 = 4;
/// Limit of waiting for a database connection.
const DATABASE_ACQUIRE_LIMIT: Duration = Duration::from_secs(3);
/// PostgreSQL's port when the URL names none.
const DATABASE_PORT: u16 = 5432;
/// Limit of one statement, kept by the database itself.
const STATEMENT_LIMIT: Duration = Duration::from_secs(10);

/// One environment, ready to be asked. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Pipeline {
    inner: Arc<Inner>,
    pub(super) authority: Arc<Authority>,
}

#[derive(Debug)]
struct Inner {
    environment: Environment,
    aws: OnceCell<Aws>,
    credentials: Mutex<Option<Credentials>>,
    http: OnceLock<Result<reqwest::Client, String>>,
    pool: OnceLock<Result<PgPool, String>>,
    dead_letter_search: Mutex<DeadLetterSearch>,
}

/// The AWS clients of one environment.
#[derive(Clone, Debug)]
pub struct Aws {
    pub sqs: aws_sdk_sqs::Client,
    pub sns: aws_sdk_sns::Client,
    pub sts: aws_sdk_sts::Client,
    pub cloudwatch: aws_sdk_cloudwatch::Client,
    pub(super) credentials: Option<SharedCredentialsProvider>,
}

impl Pipeline {
    /// Makes the connection to an environment without any IO.
    ///
    /// # Errors
    /// Nothing can fail today; what is wrong shows at the first question that needs it.
    pub fn connect(environment: &Environment) -> Result<Self, PipelineError> {
        // The HTTP client of the API looks up the process's TLS provider; a second installation
        // fails, and that is fine.
        let _ = rustls::crypto::ring::default_provider().install_default();
        Ok(Self {
            inner: Arc::new(Inner {
                environment: environment.clone(),
                aws: OnceCell::new(),
                credentials: Mutex::default(),
                http: OnceLock::new(),
                pool: OnceLock::new(),
                dead_letter_search: Mutex::default(),
            }),
            authority: Arc::default(),
        })
    }

    /// The environment that is asked.
    #[must_use]
    pub fn environment(&self) -> &Environment {
        &self.inner.environment
    }

    pub(super) fn dead_letter_search(&self) -> &Mutex<DeadLetterSearch> {
        &self.inner.dead_letter_search
    }

    pub(super) fn known_credentials(&self) -> &Mutex<Option<Credentials>> {
        &self.inner.credentials
    }

    /// The AWS clients, made at the first call; later calls share them.
    pub async fn aws(&self) -> &Aws {
        self.inner
            .aws
            .get_or_init(|| async {
                let config = sdk_config(&self.inner.environment).await;
                Aws {
                    sqs: aws_sdk_sqs::Client::new(&config),
                    sns: aws_sdk_sns::Client::new(&config),
                    sts: aws_sdk_sts::Client::new(&config),
                    cloudwatch: aws_sdk_cloudwatch::Client::new(&config),
                    credentials: config.credentials_provider(),
                }
            })
            .await
    }

    pub(super) fn http(&self, attempt: &Attempt) -> Result<&reqwest::Client, PipelineError> {
        self.inner
            .http
            .get_or_init(|| {
                reqwest::Client::builder()
                    .connect_timeout(CONNECT_LIMIT)
                    .timeout(OPERATION_LIMIT)
                    .redirect(reqwest::redirect::Policy::none())
                    .user_agent(concat!("opsconsole/", env!("CARGO_PKG_VERSION")))
                    .build()
                    .map_err(|error| error.to_string())
            })
            .as_ref()
            .map_err(|cause| attempt.refused(cause))
    }

    /// The database's pool, for the operation that is named.
    pub(super) fn pool(&self, operation: &str) -> Result<&PgPool, PipelineError> {
        let environment = self.environment();
        let Some(url) = &environment.database_url else {
            return Err(PipelineError::not_configured(
                operation,
                format!(
                    "no database in environment {:?}: records need database_url",
                    environment.name
                ),
                "add database_url to the environment's entry",
            ));
        };
        self.inner
            .pool
            .get_or_init(|| {
                let mut settings = ConnectSettings::new(url, "opsconsole");
                settings.max_connections = DATABASE_CONNECTIONS_MAX;
                settings.acquire_timeout = DATABASE_ACQUIRE_LIMIT;
                settings.statement_timeout = Some(STATEMENT_LIMIT);
                store::connect_lazy(&settings).map_err(|error| error.to_string())
            })
            .as_ref()
            .map_err(|cause| Attempt::start(operation, self.database_address()).refused(cause))
    }

    /// Where SQS, SNS and CloudWatch are asked.
    pub fn aws_address(&self, service: &str) -> String {
        let environment = self.environment();
        match &environment.endpoint_url {
            Some(endpoint_url) => origin(endpoint_url),
            None => format!("https://{service}.{}.amazonaws.com", environment.region),
        }
    }

    /// Why the database gave no connection, if it can be told.
    pub(super) async fn probe_database(&self) -> Option<String> {
        silence(self.environment().database_url.as_deref()?).await
    }

    /// Where the database is asked, without user and password.
    pub(super) fn database_address(&self) -> String {
        self.environment()
            .database_url
            .as_deref()
            .map_or_else(String::new, database_address)
    }
}

/// Asks the database's port why no connection came about; the pool only knows that it waited.
/// `None` where a socket in a folder is used, or where the port answers after all.
async fn silence(url: &str) -> Option<String> {
    let url = reqwest::Url::parse(url).ok()?;
    let is_socket = url.query_pairs().any(|(key, _)| key == "host");
    let host = url.host_str().filter(|_| !is_socket)?;
    let address = (
        host.trim_matches(['[', ']']),
        url.port().unwrap_or(DATABASE_PORT),
    );
    match tokio::time::timeout(CONNECT_LIMIT, TcpStream::connect(address)).await {
        Ok(Ok(_)) => None,
        Ok(Err(error)) => Some(super::error::plain_cause(&error)),
        Err(_) => Some("no answer in time".to_owned()),
    }
}

/// The URL without user, password and parameters, but for the folder of a socket: with one the host
/// is never asked.
fn database_address(url: &str) -> String {
    let hidden = || "the database".to_owned();
    let Ok(mut url) = reqwest::Url::parse(url) else {
        return hidden();
    };
    if let Some(folder) = socket_folder(&url) {
        return format!("{}://{}?host={folder}", url.scheme(), url.path());
    }
    let is_stripped = url.set_username("").is_ok() && url.set_password(None).is_ok();
    url.set_query(None);
    if is_stripped {
        url.to_string()
    } else {
        hidden()
    }
}

/// The folder whose socket is used, where the URL names one.
fn socket_folder(url: &reqwest::Url) -> Option<String> {
    url.query_pairs()
        .filter(|(key, value)| key == "host" && value.starts_with('/'))
        .last()
        .map(|(_, folder)| folder.into_owned())
}

async fn sdk_config(environment: &Environment) -> SdkConfig {
    let http_client = aws_smithy_http_client::Builder::new()
        .tls_provider(tls::Provider::Rustls(
            tls::rustls_provider::CryptoMode::Ring,
        ))
        .build_https();
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(CONNECT_LIMIT)
        .operation_timeout(OPERATION_LIMIT)
        .build();
    let retries = RetryConfig::standard()
        .with_max_attempts(ATTEMPTS_MAX)
        .with_initial_backoff(RETRY_BACKOFF_FIRST);
    let mut loader = aws_config::defaults(BehaviorVersion::latest())
        .region(Region::new(environment.region.clone()))
        .http_client(http_client)
        .timeout_config(timeouts)
        .retry_config(retries);
    if let Some(endpoint_url) = &environment.endpoint_url {
        loader = loader.endpoint_url(endpoint_url);
        if environment.is_loopback() && !has_credentials() {
            loader = loader.credentials_provider(Credentials::new(
                "test",
                "test",
                None,
                None,
                "loopback endpoint",
            ));
        }
    }
    loader.load().await
}

/// Whether the operator chose credentials; emulators take any.
fn has_credentials() -> bool {
    ["AWS_ACCESS_KEY_ID", "AWS_PROFILE"]
        .iter()
        .any(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn address_of_the_database_tells_no_secret() {
        assert_eq!(
            database_address("postgres://me:secret@db.example:5433/events?sslmode=require"),
            "postgres://db.example:5433/events"
        );
        assert_eq!(database_address("::"), "the database");
    }

    #[test]
    fn socket_is_told_by_its_folder_and_not_by_a_host_that_is_never_asked() {
        let url =
            "postgres://me:secret@localhost/events?password=secret&host=%2Ftmp%2Fpg-1&user=me";
        let told = "postgres:///events?host=/tmp/pg-1";
        assert_eq!(database_address(url), told);
        let environment = Environment {
            database_url: Some(url.to_owned()),
            ..Environment::example()
        };
        let pipeline = Pipeline::connect(&environment).unwrap();
        assert_eq!(pipeline.database_address(), told);
    }
}
