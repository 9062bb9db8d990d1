//! What the handler works with. Invariant: made once, before the first batch, and never a reason to
//! stop: a database or a queue that is away shows when it is used.

use std::time::Duration;

use aws_config::BehaviorVersion;
use aws_config::timeout::TimeoutConfig;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use store::{ConnectSettings, IamLogIn, PgPool, StoreError, connect_lazy};

use crate::dead_letters::{ATTEMPT_TIMEOUT, DeadLetterQueue};
use crate::settings::Settings;

/// One batch is one statement; the second connection replaces a first that died.
const CONNECTIONS_MAX: u32 = 2;
/// A database that paused needs up to 30 s to resume; each invocation's deadline comes first.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(60);
/// Longer than any batch takes, shorter than the server holds a batch that nobody waits for.
const STATEMENT_TIMEOUT: Duration = Duration::from_secs(60);

/// What the handler works with, made once.
#[derive(Clone, Debug)]
pub struct Deps {
    /// The database.
    pub pool: PgPool,
    /// Renewed at the start of each batch, where it is needed.
    pub log_in: Option<IamLogIn>,
    /// Where permanent failures go. Without it they are reported for retry, and SQS dead-letters
    /// them without a reason.
    pub dead_letters: Option<DeadLetterQueue>,
}

impl Deps {
    /// Makes the clients; none of them does any IO yet.
    ///
    /// # Errors
    /// When the database URL is none.
    pub async fn connect(settings: &Settings) -> Result<Self, StoreError> {
        let pool = connect_lazy(&ConnectSettings {
            max_connections: CONNECTIONS_MAX,
            acquire_timeout: ACQUIRE_TIMEOUT,
            statement_timeout: Some(STATEMENT_TIMEOUT),
            ..ConnectSettings::new(settings.database_url.as_str(), "ingest")
        })?;
        let dead_letters = match &settings.dead_letter_queue_url {
            Some(url) => Some(DeadLetterQueue::new(sqs_client().await, url.clone())),
            None => None,
        };
        Ok(Self {
            pool,
            log_in: settings.log_in.clone(),
            dead_letters,
        })
    }
}

async fn sqs_client() -> aws_sdk_sqs::Client {
    let http_client = aws_smithy_http_client::Builder::new()
        .tls_provider(Provider::Rustls(CryptoMode::Ring))
        .build_https();
    let config = aws_config::defaults(BehaviorVersion::latest())
        .http_client(http_client)
        .timeout_config(
            TimeoutConfig::builder()
                .operation_attempt_timeout(ATTEMPT_TIMEOUT)
                .build(),
        )
        .load()
        .await;
    aws_sdk_sqs::Client::new(&config)
}
