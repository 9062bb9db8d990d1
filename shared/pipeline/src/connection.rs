//! The clients of one environment, created on first use.
//!
//! Invariant: creating a [`Pipeline`] does no IO, so the first frame never waits for the network.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use aws_config::profile::ProfileFileCredentialsProvider;
use aws_config::provider_config::ProviderConfig;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_http_client::tls;
use store::{ConnectSettings, PgPool};
use tokio::net::TcpStream;
use tokio::sync::{Mutex, OnceCell};
use tokio::time::Instant;

use super::authority::Authority;
use super::error::{Attempt, PipelineError};
use super::search_state::SearchState;
use crate::api_token::TokenCache;
use crate::credentials::OfProfile;
use crate::environment::{Environment, origin};
use crate::logs::Pace;
use crate::tunnel::{Limits, Tunnel, TunnelCommand};

/// Time limit of a TCP and TLS connect.
const CONNECT_LIMIT: Duration = Duration::from_secs(2);
/// Time limit of one AWS operation, including retries.
pub(super) const OPERATION_LIMIT: Duration = Duration::from_secs(5);
/// Time limit of one question about records, waiting for a connection included.
pub(super) const QUESTION_LIMIT: Duration = Duration::from_secs(10);
/// Attempts of an AWS operation: the first and two retries.
const ATTEMPTS_MAX: u32 = 3;
/// Wait before the first retry; it doubles.
const RETRY_BACKOFF_FIRST: Duration = Duration::from_millis(100);
/// Connections to the database: the console runs few queries at once.
const DATABASE_CONNECTIONS_MAX: u32 = 4;
/// Longest wait for a database connection.
const DATABASE_ACQUIRE_LIMIT: Duration = Duration::from_secs(3);
/// Longest wait for the tunnel where a question needs the database.
const TUNNEL_LIMIT: Duration = Duration::from_secs(20);
/// Default port of PostgreSQL.
const DATABASE_PORT: u16 = 5432;
/// Time limit of one statement, enforced by the database. With the wait for a connection it is shorter than
/// the limit of a question, so that the database ends a slow statement and the connection stays usable.
const STATEMENT_LIMIT: Duration = Duration::from_secs(6);

/// The connection to one environment. Cheap to clone.
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
    api_token: TokenCache,
    http: OnceLock<Result<reqwest::Client, String>>,
    tunnel: OnceLock<Option<Result<Tunnel, String>>>,
    pool: OnceLock<Result<PgPool, String>>,
    dead_letter_search: Mutex<SearchState>,
    database_away: std::sync::Mutex<Option<Away>>,
    log_pace: Pace,
}

/// A database instead of which the API is asked.
#[derive(Debug)]
pub(super) struct Away {
    /// When it is asked again.
    pub(super) until: Instant,
    pub(super) why: WhyAway,
}

/// Why the API is asked instead of the database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum WhyAway {
    /// It did not answer.
    Unreachable(String),
    /// It answered that this user may not read the records, as one of analysts may not.
    Refused,
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
    /// Prepares the connection to an environment, without IO.
    ///
    /// # Errors
    /// None at present: a wrong setting is reported by the first call that needs it.
    pub fn connect(environment: &Environment) -> Result<Self, PipelineError> {
        // The HTTP client of the API needs the process's TLS provider; a second installation fails,
        // which is no problem.
        let _ = rustls::crypto::ring::default_provider().install_default();
        Ok(Self {
            inner: Arc::new(Inner {
                environment: environment.clone(),
                aws: OnceCell::new(),
                credentials: Mutex::default(),
                api_token: TokenCache::default(),
                http: OnceLock::new(),
                tunnel: OnceLock::new(),
                pool: OnceLock::new(),
                dead_letter_search: Mutex::default(),
                database_away: std::sync::Mutex::default(),
                log_pace: Pace::default(),
            }),
            authority: Arc::default(),
        })
    }

    /// The environment of this connection.
    #[must_use]
    pub fn environment(&self) -> &Environment {
        &self.inner.environment
    }

    pub(super) fn dead_letter_search(&self) -> &Mutex<SearchState> {
        &self.inner.dead_letter_search
    }

    pub(super) fn database_away(&self) -> &std::sync::Mutex<Option<Away>> {
        &self.inner.database_away
    }

    pub(super) fn log_pace(&self) -> &Pace {
        &self.inner.log_pace
    }

    pub(super) fn known_credentials(&self) -> &Mutex<Option<Credentials>> {
        &self.inner.credentials
    }

    pub(super) fn api_token(&self) -> &TokenCache {
        &self.inner.api_token
    }

    /// The AWS clients, created on the first call.
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

    /// Where the AWS clients get their credentials; `None` if there are none.
    pub async fn credentials_provider(&self) -> Option<SharedCredentialsProvider> {
        self.aws().await.credentials.clone()
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

    /// The database's pool; `operation` is for the error.
    pub(super) fn pool(&self, operation: &str) -> Result<&PgPool, PipelineError> {
        let environment = self.environment();
        let Some(url) = &environment.database_url else {
            return Err(PipelineError::not_configured(
                operation,
                format!("no database in environment {:?}", environment.name),
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
                if let Some(tunnel) = self.tunnel() {
                    let tunnel = tunnel.as_ref().map_err(Clone::clone)?;
                    settings.socket_folder = Some(tunnel.socket_folder().to_owned());
                }
                store::connect_lazy(&settings).map_err(|error| error.to_string())
            })
            .as_ref()
            .map_err(|cause| Attempt::start(operation, self.database_address()).refused(cause))
    }

    /// Opens the tunnel to the database, if the environment has one, and does not wait for it: from then on the
    /// database is read as soon as the tunnel is open.
    pub fn open_tunnel(&self) {
        let _ = self.tunnel();
        self.reopen_tunnel();
    }

    /// Opens the tunnel again, if it was opened before and its session has ended, and does not wait for it.
    pub(super) fn reopen_tunnel(&self) {
        if let Some(Some(Ok(tunnel))) = self.inner.tunnel.get() {
            tunnel.need();
        }
    }

    /// The tunnel, started on the first call; `None` if the environment has none.
    fn tunnel(&self) -> Option<&Result<Tunnel, String>> {
        let start = || {
            let environment = self.environment();
            let text = environment.tunnel.as_deref()?;
            let url = reqwest::Url::parse(environment.database_url.as_deref()?).ok()?;
            let host = url.host_str()?.trim_matches(['[', ']']);
            let port = url.port().unwrap_or(DATABASE_PORT);
            let command = TunnelCommand::parse(text);
            Some(command.and_then(|command| Tunnel::start(command, host, port, Limits::USUAL)))
        };
        self.inner.tunnel.get_or_init(start).as_ref()
    }

    /// Whether the environment has a tunnel that is not open.
    pub(super) fn is_tunnel_closed(&self) -> bool {
        let started = self.inner.tunnel.get().and_then(Option::as_ref);
        let is_open = started.is_some_and(|tunnel| tunnel.as_ref().is_ok_and(Tunnel::is_open));
        self.environment().tunnel.is_some() && !is_open
    }

    /// Why the tunnel that was started is not open, with the last line of its command; `None` while it is, or is being
    /// opened. See [`Self::unused_tunnel`] for one that is open and leads nowhere.
    pub(super) fn tunnel_fault(&self) -> Option<String> {
        match self.inner.tunnel.get()?.as_ref()? {
            Ok(tunnel) => tunnel.fault(),
            Err(why) => Some(why.clone()),
        }
    }

    /// Waits until the tunnel is open, if there is one.
    pub(super) async fn tunnel_opened(&self) -> Result<(), String> {
        match self.tunnel() {
            None => Ok(()),
            Some(Ok(tunnel)) => tunnel.opened(TUNNEL_LIMIT).await,
            Some(Err(why)) => Err(why.clone()),
        }
    }

    /// URL of an AWS service (SQS, SNS, CloudWatch).
    pub fn aws_address(&self, service: &str) -> String {
        let environment = self.environment();
        match &environment.endpoint_url {
            Some(endpoint_url) => origin(endpoint_url),
            None => format!("https://{service}.{}.amazonaws.com", environment.region),
        }
    }

    /// Tries to find out why there is no connection to the database.
    pub(super) async fn probe_database(&self) -> Option<String> {
        if self.environment().tunnel.is_some() {
            return self.tunnel_fault();
        }
        connect_error(self.environment().database_url.as_deref()?).await
    }

    /// URL of the database without user and password.
    pub(super) fn database_address(&self) -> String {
        self.environment()
            .database_url
            .as_deref()
            .map_or_else(String::new, database_address)
    }
}

/// Connects to the database's port to find out why there is no connection; the pool reports only a timeout.
/// `None` for a Unix socket, or when the port accepts the connection.
async fn connect_error(url: &str) -> Option<String> {
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

/// The URL without user, password and parameters. For a Unix socket its folder is kept, because then the host
/// is not used.
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

/// The folder of the Unix socket, if the URL has one.
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
        .http_client(http_client.clone())
        .timeout_config(timeouts)
        .retry_config(retries);
    if let Some(endpoint_url) = &environment.endpoint_url {
        loader = loader.endpoint_url(endpoint_url);
        if environment.is_loopback() && environment.profile.is_none() && !has_credentials() {
            loader = loader.credentials_provider(Credentials::new(
                "test",
                "test",
                None,
                None,
                "loopback endpoint",
            ));
        }
    }
    if let Some(profile) = &environment.profile {
        let config = ProviderConfig::without_region()
            .with_region(Some(Region::new(environment.region.clone())))
            .with_http_client(http_client);
        let provider = ProfileFileCredentialsProvider::builder().profile_name(profile);
        loader = loader.credentials_provider(OfProfile {
            profile: profile.clone(),
            provider: provider.configure(&config).build(),
        });
    }
    loader.load().await
}

/// Whether the operator configured credentials; emulators accept any.
fn has_credentials() -> bool {
    ["AWS_ACCESS_KEY_ID", "AWS_PROFILE"]
        .iter()
        .any(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn address_of_the_database_contains_no_secret() {
        assert_eq!(
            database_address("postgres://me:secret@db.example:5433/events?sslmode=require"),
            "postgres://db.example:5433/events"
        );
        assert_eq!(database_address("::"), "the database");
    }

    #[test]
    fn address_of_a_socket_is_its_folder_and_not_the_unused_host() {
        let url =
            "postgres://me:secret@localhost/events?password=secret&host=%2Ftmp%2Fpg-1&user=me";
        let address = "postgres:///events?host=/tmp/pg-1";
        assert_eq!(database_address(url), address);
        let environment = Environment {
            database_url: Some(url.to_owned()),
            ..Environment::example()
        };
        let pipeline = Pipeline::connect(&environment).unwrap();
        assert_eq!(pipeline.database_address(), address);
    }
}
