//! Connections to the database. Invariant: the URL, which may hold a password, never leaves the
//! settings: not in an error, not in a log, not in `Debug` output.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{Connection as _, PgConnection, PgPool, Postgres};
use tokio::time::timeout;

use crate::error::{Context as _, StoreError};

/// Connections of a pool when nothing is said.
const CONNECTIONS_MAX_DEFAULT: u32 = 4;
/// Wait for a connection when nothing is said.
const ACQUIRE_TIMEOUT_DEFAULT: Duration = Duration::from_secs(10);
/// Limit of one statement when nothing is said.
const STATEMENT_TIMEOUT_DEFAULT: Duration = Duration::from_secs(30);
/// Rest of a connection that is trusted when nothing is said.
const TRUSTED_IDLE_MAX_DEFAULT: Duration = Duration::from_secs(5);
/// Wait for that sign of life at most. A peer that vanished without a word (a function that was
/// frozen for minutes, a failover) would otherwise take all the time that the caller has.
const SIGN_OF_LIFE_TIMEOUT: Duration = Duration::from_secs(2);

/// How to connect. Where the password is an IAM token, see [`crate::IamLogIn`].
#[derive(Clone)]
pub struct ConnectSettings {
    /// `postgres://user:password@host:port/database?sslmode=…`. What it leaves out, the driver
    /// takes from the usual `PG…` variables.
    pub url: String,
    /// Name of the program, shown in `pg_stat_activity`.
    pub application_name: String,
    /// Connections of the pool at most.
    pub max_connections: u32,
    /// Wait for a connection at most, connecting included.
    pub acquire_timeout: Duration,
    /// Limit of one statement, enforced by the server; `None` leaves the server's own, and so does RDS
    /// Proxy, which refuses start-up options: there the user's own setting is the limit.
    pub statement_timeout: Option<Duration>,
    /// A connection that rested longer is asked whether it still lives before it is used. A busy one
    /// is not, so that a batch costs one round trip.
    pub trusted_idle_max: Duration,
}

impl ConnectSettings {
    /// Settings with the default limits.
    pub fn new(url: impl Into<String>, application_name: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            application_name: application_name.into(),
            max_connections: CONNECTIONS_MAX_DEFAULT,
            acquire_timeout: ACQUIRE_TIMEOUT_DEFAULT,
            statement_timeout: Some(STATEMENT_TIMEOUT_DEFAULT),
            trusted_idle_max: TRUSTED_IDLE_MAX_DEFAULT,
        }
    }

    fn connect_options(&self) -> Result<PgConnectOptions, StoreError> {
        // The driver's reasons name a parameter or a rule of URLs, but may repeat a value.
        let options = PgConnectOptions::from_str(&self.url).map_err(|_| StoreError::Url {
            detail: "it is not of the form postgres://user@host:port/database".to_owned(),
        })?;
        let options = options.application_name(&self.application_name);
        Ok(match self.statement_timeout {
            Some(limit) if !is_rds_proxy(options.get_host()) => {
                let milliseconds = format!("{}ms", limit.as_millis());
                options.options([("statement_timeout", milliseconds)])
            }
            Some(_) | None => options,
        })
    }

    fn pool_options(&self) -> PgPoolOptions {
        let trusted_idle_max = self.trusted_idle_max;
        PgPoolOptions::new()
            .max_connections(self.max_connections)
            .acquire_timeout(self.acquire_timeout)
            .test_before_acquire(false)
            .before_acquire(move |connection, metadata| {
                Box::pin(async move {
                    if metadata.idle_for > trusted_idle_max {
                        // An error has the connection closed without a farewell.
                        timeout(SIGN_OF_LIFE_TIMEOUT, connection.ping())
                            .await
                            .map_err(|_| sqlx::Error::WorkerCrashed)??;
                    }
                    Ok(true)
                })
            })
    }
}

impl fmt::Debug for ConnectSettings {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("ConnectSettings")
            .field("application_name", &self.application_name)
            .field("max_connections", &self.max_connections)
            .field("acquire_timeout", &self.acquire_timeout)
            .field("statement_timeout", &self.statement_timeout)
            .field("trusted_idle_max", &self.trusted_idle_max)
            .finish_non_exhaustive()
    }
}

/// `NAME.proxy-ID.REGION.rds.amazonaws.com` (Amazon Aurora guide, "Connecting to a database through
/// RDS Proxy").
fn is_rds_proxy(host: &str) -> bool {
    host.split('.')
        .nth(1)
        .is_some_and(|label| label.starts_with("proxy-"))
        && host.contains(".rds.amazonaws.com")
}

/// Opens a pool with its first connection.
///
/// # Errors
/// When the URL is none or the database does not answer in time.
pub async fn connect(settings: &ConnectSettings) -> Result<PgPool, StoreError> {
    let options = settings.connect_options()?;
    settings
        .pool_options()
        .connect_with(options)
        .await
        .context("connect to the database")
}

/// Makes a pool that connects when it is first used. Needs a running tokio, but does no IO.
///
/// # Errors
/// When the URL is none.
pub fn connect_lazy(settings: &ConnectSettings) -> Result<PgPool, StoreError> {
    let options = settings.connect_options()?;
    Ok(settings.pool_options().connect_lazy_with(options))
}

/// A connection that is closed unless it is given back: if its statement is abandoned, or the server
/// cannot serve it any more. The pool would wait, without a limit, for the answer before it takes the
/// connection back or replaces it: where the other end vanished without a word, as many abandoned
/// statements as there are connections would be its end.
pub(crate) struct Lease {
    connection: PoolConnection<Postgres>,
    is_answered: bool,
}

impl Lease {
    pub(crate) async fn take(pool: &PgPool) -> Result<Self, sqlx::Error> {
        Ok(Self {
            // Boxed, or the futures of callers nest deeper than the compiler looks.
            connection: Box::pin(pool.acquire()).await?,
            is_answered: false,
        })
    }

    pub(crate) fn connection(&mut self) -> &mut PgConnection {
        &mut self.connection
    }

    /// The statement was answered, if only with an error, and the next one can be too.
    pub(crate) fn give_back(mut self) {
        self.is_answered = true;
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if !self.is_answered {
            self.connection.close_on_drop();
        }
    }
}

/// Asks the database for a sign of life, one round trip.
///
/// # Errors
/// When it gives none.
pub async fn ping(pool: &PgPool) -> Result<(), StoreError> {
    sqlx::query_scalar::<_, i32>("select 1")
        .fetch_one(pool)
        .await
        .map(|_| ())
        .context("ping the database")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statement_limit_is_a_start_up_option_but_for_a_proxy() {
        for (host, expected) in [
            ("localhost", Some("-c statement_timeout=30000ms")),
            (
                "events.cluster-abc.us-east-1.rds.amazonaws.com",
                Some("-c statement_timeout=30000ms"),
            ),
            ("events.proxy-abc.us-east-1.rds.amazonaws.com", None),
        ] {
            let settings = ConnectSettings::new(format!("postgres://me@{host}/x"), "test");
            let options = settings.connect_options().unwrap();
            assert_eq!(options.get_options(), expected, "{host}");
        }
    }

    #[tokio::test]
    async fn password_is_in_no_error_and_in_no_debug_text() {
        for url in [
            "postgres://me:s3cret@host:notaport/db",
            "s3cret",
            "postgres://me:s3cret@host/db?sslmode=s3cret",
        ] {
            let settings = ConnectSettings::new(url, "test");
            let error = connect_lazy(&settings).unwrap_err();
            assert!(!error.to_string().contains("s3cret"), "{error}");
            assert!(!format!("{error:?} {settings:?}").contains("s3cret"));
        }
    }
}
