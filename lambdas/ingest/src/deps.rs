//! What the handler works with. Invariant: made once, before the first batch, and never a reason to
//! stop: a database or a queue that is away shows when it is used.

use std::time::Duration;

use store::{ConnectSettings, IamLogIn, PgPool, StoreError, connect_lazy};

use crate::dead_letters::DeadLetterQueue;
use crate::settings::Settings;

/// One batch is one statement; the second connection replaces a first that died.
const CONNECTIONS_MAX: u32 = 2;
/// One attempt to connect. The pool waits longer and longer between its own, up to a fifth of this,
/// so that it must be short for a database that comes back to be noticed soon; a database that
/// needs longer (30 s to resume from a pause) is asked again until the invocation's time is over.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(10);
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
        })
    }
}
