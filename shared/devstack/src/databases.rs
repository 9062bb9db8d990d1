//! A new, empty database for each test.
//!
//! Invariant: a private server is started once per process and ends with it. Where `DATABASE_URL` is set,
//! that server is used instead, and old test databases are dropped from it.

use chrono::Utc;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{ConnectOptions, Connection, PgConnection, PgPool};
use tokio::sync::OnceCell;
use uuid::Uuid;

use crate::postgres::create_database;
use crate::{DevstackError, Durability, Postgres, PostgresOptions};

/// Test databases are named `test_<unix seconds>_<random>`.
const NAME_PREFIX: &str = "test_";
/// A test database on the server of `DATABASE_URL` that is older than this belongs to no running test.
const LEFTOVER_AGE_SECS: i64 = 3_600;
/// Most leftovers that one process drops.
const LEFTOVERS_MAX: usize = 50;
/// Connections of one test.
const CONNECTIONS_MAX: u32 = 10;

static SERVER: OnceCell<Server> = OnceCell::const_new();

enum Server {
    Private(Postgres),
    External(PgConnectOptions),
}

impl Server {
    async fn obtain() -> Result<Self, DevstackError> {
        match std::env::var("DATABASE_URL") {
            Ok(url) if !url.is_empty() => {
                let options = url
                    .parse()
                    .map_err(DevstackError::database("read DATABASE_URL"))?;
                remove_leftovers(&options).await;
                Ok(Self::External(options))
            }
            Ok(_) | Err(_) => {
                let options = PostgresOptions {
                    durability: Durability::None,
                    ..PostgresOptions::default()
                };
                Postgres::start(options).await.map(Self::Private)
            }
        }
    }

    fn url(&self, database: &str) -> String {
        match self {
            Self::Private(postgres) => postgres.url(database),
            Self::External(options) => options
                .clone()
                .database(database)
                .to_url_lossy()
                .to_string(),
        }
    }

    fn administrator_url(&self) -> String {
        match self {
            Self::Private(postgres) => postgres.url("postgres"),
            Self::External(options) => options.to_url_lossy().to_string(),
        }
    }
}

/// The database of one test.
pub struct TestDatabase {
    url: String,
    pool: PgPool,
}

impl TestDatabase {
    /// Creates an empty database.
    ///
    /// # Errors
    /// When no server can be started or reached.
    pub async fn create() -> Result<Self, DevstackError> {
        let server = SERVER.get_or_try_init(Server::obtain).await?;
        let random = Uuid::new_v4().simple();
        let name = format!("{NAME_PREFIX}{}_{random}", Utc::now().timestamp());
        create_database(&server.administrator_url(), &name).await?;
        let url = server.url(&name);
        let pool = PgPoolOptions::new()
            .max_connections(CONNECTIONS_MAX)
            .connect(&url)
            .await
            .map_err(DevstackError::database("connect to a test database"))?;
        Ok(Self { url, pool })
    }

    /// The connection URL, for sqlx and psql.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// A pool of connections to it.
    #[must_use]
    pub fn pool(&self) -> &PgPool {
        &self.pool
    }
}

/// Drops the databases of earlier tests; errors are ignored, because the next process tries again.
async fn remove_leftovers(options: &PgConnectOptions) {
    let Ok(mut connection) = options.connect().await else {
        return;
    };
    let names: Vec<String> =
        sqlx::query_scalar("select datname::text from pg_database where starts_with(datname, $1)")
            .bind(NAME_PREFIX)
            .fetch_all(&mut connection)
            .await
            .unwrap_or_default();
    let now = Utc::now().timestamp();
    for name in names
        .iter()
        .filter(|name| is_leftover(name, now))
        .take(LEFTOVERS_MAX)
    {
        drop_database(&mut connection, name).await.ok();
    }
    connection.close().await.ok();
}

async fn drop_database(connection: &mut PgConnection, name: &str) -> Result<(), sqlx::Error> {
    let statement = format!("drop database if exists \"{name}\"");
    sqlx::raw_sql(&statement)
        .execute(connection)
        .await
        .map(|_| ())
}

/// Whether the name is one of ours (so it needs only double quotes) and old.
fn is_leftover(name: &str, now_unix_secs: i64) -> bool {
    let parts = name
        .strip_prefix(NAME_PREFIX)
        .and_then(|rest| rest.split_once('_'));
    let Some((created_at, random)) = parts else {
        return false;
    };
    let is_ours = !random.is_empty() && random.bytes().all(|b| b.is_ascii_hexdigit());
    created_at
        .parse::<i64>()
        .is_ok_and(|created_at| is_ours && now_unix_secs - created_at > LEFTOVER_AGE_SECS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_old_databases_with_our_names_are_leftovers() {
        assert!(is_leftover(
            "test_1000_0123abcdef",
            1_000 + LEFTOVER_AGE_SECS + 1
        ));
        assert!(!is_leftover(
            "test_1000_0123abcdef",
            1_000 + LEFTOVER_AGE_SECS
        ));
        assert!(!is_leftover("test_1000_\"; drop", i64::MAX));
        assert!(!is_leftover("test_results", i64::MAX));
    }
}
