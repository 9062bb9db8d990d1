//! Connections to the database.
//!
//! Invariant: the URL, which may contain a password, appears in no error, no log and no `Debug` output.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{Connection as _, PgPool};
use tokio::time::timeout;

use crate::error::{Context as _, StoreError};
use crate::lease::{PING_TIMEOUT, Source, one_row};

const PING: &str = "ping the database";

/// Default for the connections of a pool.
const CONNECTIONS_MAX_DEFAULT: u32 = 4;
/// Default for the longest wait for a connection.
const ACQUIRE_TIMEOUT_DEFAULT: Duration = Duration::from_secs(10);
/// Limit of the end of all connections of a pool.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);
/// Default for the time limit of one statement.
const STATEMENT_TIMEOUT_DEFAULT: Duration = Duration::from_secs(30);
/// Default for the idle time after which a connection is pinged.
const UNCHECKED_IDLE_MAX_DEFAULT: Duration = Duration::from_secs(5);
/// Prepared statements of a connection. A statement that reads one partition is one for each partition; where
/// the least recently used one has to make room, a read of a single record needs two more round trips and a
/// new plan. The server keeps some 40 KB for each, and more than that for the partition itself.
const STATEMENTS_MAX: usize = 512;

/// How to connect. Where the password is an IAM token, see [`crate::IamLogIn`].
#[derive(Clone)]
pub struct ConnectSettings {
    /// `postgres://user:password@host:port/database?sslmode=…`. The driver reads what is missing
    /// from the `PG…` variables.
    pub url: String,
    /// Name of the program, shown in `pg_stat_activity`.
    pub application_name: String,
    /// Most connections of the pool.
    pub max_connections: u32,
    /// Longest wait for a connection, connecting included.
    pub acquire_timeout: Duration,
    /// Time limit of one statement, enforced by the server. `None` leaves the server's default. It has
    /// no effect behind RDS Proxy, which refuses start-up options: there the database user's own setting
    /// applies.
    pub statement_timeout: Option<Duration>,
    /// A folder with a socket `.s.PGSQL.PORT` that leads to the server of the URL: the connection is made there, while
    /// host and port of the URL stay those of the token and of the certificate. `None` connects to the host.
    pub socket_folder: Option<PathBuf>,
    /// A connection that was idle for longer is pinged before it is used. A busy one is not, so that a
    /// batch costs one round trip.
    pub unchecked_idle_max: Duration,
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
            socket_folder: None,
            unchecked_idle_max: UNCHECKED_IDLE_MAX_DEFAULT,
        }
    }

    fn connect_options(&self) -> Result<PgConnectOptions, StoreError> {
        // The driver's error is dropped because it may repeat a value of the URL.
        let options = PgConnectOptions::from_str(&self.url).map_err(|_| StoreError::Url {
            detail: "it does not have the form postgres://user@host:port/database".to_owned(),
        })?;
        let options = options
            .application_name(&self.application_name)
            .statement_cache_capacity(STATEMENTS_MAX);
        let options = match &self.socket_folder {
            Some(folder) => options.socket(folder),
            None => options,
        };
        Ok(match self.statement_timeout {
            Some(limit) if !is_rds_proxy(options.get_host()) => {
                let milliseconds = format!("{}ms", limit.as_millis());
                options.options([("statement_timeout", milliseconds)])
            }
            Some(_) | None => options,
        })
    }

    fn pool_options(&self) -> PgPoolOptions {
        let unchecked_idle_max = self.unchecked_idle_max;
        PgPoolOptions::new()
            .max_connections(self.max_connections)
            .acquire_timeout(self.acquire_timeout)
            .test_before_acquire(false)
            .before_acquire(move |connection, metadata| {
                Box::pin(async move {
                    if metadata.idle_for > unchecked_idle_max {
                        // On an error the pool closes the connection without waiting for the server.
                        timeout(PING_TIMEOUT, connection.ping())
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
            .field("socket_folder", &self.socket_folder)
            .field("unchecked_idle_max", &self.unchecked_idle_max)
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
/// When the URL is invalid or the database does not answer in time.
pub async fn connect(settings: &ConnectSettings) -> Result<PgPool, StoreError> {
    let options = settings.connect_options()?;
    settings
        .pool_options()
        .connect_with(options)
        .await
        .context("connect to the database")
}

/// Creates a pool that connects on first use. It needs a running tokio, but does no IO.
///
/// # Errors
/// When the URL is invalid.
pub fn connect_lazy(settings: &ConnectSettings) -> Result<PgPool, StoreError> {
    let options = settings.connect_options()?;
    Ok(settings.pool_options().connect_lazy_with(options))
}

/// Closes a pool, within a limit of time: a server that is gone or hangs needs no farewell.
pub async fn disconnect(pool: PgPool) {
    if timeout(CLOSE_TIMEOUT, pool.close()).await.is_err() {
        tracing::warn!("the database did not confirm the end of its connections in time");
    }
}

/// Sends `select 1`, one round trip.
///
/// # Errors
/// When the database does not answer.
pub async fn ping(source: impl Into<Source<'_>>) -> Result<(), StoreError> {
    let (_,): (i32,) = one_row(source.into(), PING, sqlx::query_as("select 1")).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statement_limit_is_a_start_up_option_except_for_a_proxy() {
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
