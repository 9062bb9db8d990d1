//! The clients of the handler.
//!
//! Invariant: they are made once, before the first batch, without IO. An unavailable database or
//! queue fails when it is used, not here.

use std::time::Duration;

use store::{ConnectSettings, IamLogIn, PgPool, StoreError, connect_lazy};

use crate::dead_letters::DeadLetterQueue;
use crate::settings::Settings;

/// One batch is one statement; the second connection replaces a broken first one.
const CONNECTIONS_MAX: u32 = 2;
/// One acquire. The pool backs off between its connects up to a fifth of this, so a short limit
/// notices soon that the database is back. A database that needs longer (30 s to resume from a
/// pause) is retried until the write deadline.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(10);
/// Longer than any batch takes; afterwards the server ends a statement that nobody waits for.
const STATEMENT_TIMEOUT: Duration = Duration::from_secs(60);

/// The clients of the handler.
#[derive(Clone, Debug)]
pub struct Deps {
    /// Connections to the database of the records.
    pub pool: PgPool,
    /// Renewed at the start of a batch when it is about to expire.
    pub log_in: Option<IamLogIn>,
    /// Queue for permanent failures. Without it they are reported for retry, and SQS dead-letters
    /// them without a reason.
    pub dead_letters: Option<DeadLetterQueue>,
    /// Whether messages may replace stored records.
    pub replacements_allowed: bool,
}

impl Deps {
    /// Makes the clients.
    ///
    /// # Errors
    /// When the database URL is invalid.
    pub fn connect(settings: &Settings) -> Result<Self, StoreError> {
        let pool = connect_lazy(&ConnectSettings {
            max_connections: CONNECTIONS_MAX,
            acquire_timeout: ACQUIRE_TIMEOUT,
            statement_timeout: Some(STATEMENT_TIMEOUT),
            ..ConnectSettings::new(settings.database_url.as_str(), "ingest")
        })?;
        let dead_letters = settings
            .dead_letter_queue_url
            .clone()
            .zip(settings.queue_access.clone())
            .map(|(url, access)| DeadLetterQueue::with_client_on_use(move || access.client(), url));
        Ok(Self {
            pool,
            log_in: settings.log_in.clone(),
            dead_letters,
            replacements_allowed: settings.replacements_allowed,
        })
    }
}
