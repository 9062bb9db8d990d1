//! Connections of a pool, lent to one statement or one read at a time.
//!
//! Invariant: a connection is lent again only if the server answered everything on it. One that died silently
//! costs its caller the time limit of the request and the pool nothing.

use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgArguments, PgRow};
use sqlx::query::QueryAs;
use sqlx::{FromRow, PgConnection, PgPool, Postgres};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep, timeout};

use crate::error::{Context as _, StoreError};

/// Time limit of a ping: of a connection that was idle, and of one that returns to the pool. A server that disappeared
/// without closing the connection (a function that was frozen for minutes, a failover) would otherwise use up
/// the caller's time limit.
pub(crate) const PING_TIMEOUT: Duration = Duration::from_secs(2);
/// A connection that was idle for longer goes back to the pool, which checks it before it is used.
const IDLE_MAX: Duration = Duration::from_secs(5);
/// So does one that was taken from the pool this long ago, so that the pool's limit of its age holds.
const KEPT_MAX: Duration = Duration::from_secs(60);

/// Where a read gets its connection.
#[derive(Clone, Copy)]
pub enum Source<'a> {
    /// From the pool, and back: after each read the pool asks the connection for a sign of life.
    Pool(&'a PgPool),
    /// From those that are ready.
    Reader(&'a Reader),
}

impl<'a> From<&'a PgPool> for Source<'a> {
    fn from(pool: &'a PgPool) -> Self {
        Self::Pool(pool)
    }
}

impl<'a> From<&'a Reader> for Source<'a> {
    fn from(reader: &'a Reader) -> Self {
        Self::Reader(reader)
    }
}

impl<'a> Source<'a> {
    pub(crate) fn pool(self) -> &'a PgPool {
        match self {
            Self::Pool(pool) => pool,
            Self::Reader(reader) => &reader.0.pool,
        }
    }
}

/// The connections of a pool for many small reads. A connection that the server has answered is lent again
/// without a round trip; the pool itself would ask it for a sign of life after each use.
///
/// Whoever reads through it leaves the pool to it, because it may keep all connections for some seconds.
#[derive(Clone)]
pub struct Reader(Arc<Kept>);

struct Kept {
    pool: PgPool,
    /// As many as the pool has connections. Without one nobody asks the pool, so that nobody waits there
    /// while connections are kept here.
    places: Arc<Semaphore>,
    ready: Mutex<Ready>,
}

#[derive(Default)]
struct Ready {
    connections: Vec<Idle>,
    /// Whether a task is running that gives idle ones back.
    is_watched: bool,
}

struct Idle {
    connection: PoolConnection<Postgres>,
    taken_at: Instant,
    since: Instant,
}

impl Reader {
    /// Reads through the connections of this pool.
    #[must_use]
    pub fn new(pool: PgPool) -> Self {
        let places = usize::try_from(pool.options().get_max_connections()).unwrap_or(1);
        Self(Arc::new(Kept {
            places: Arc::new(Semaphore::new(places)),
            ready: Mutex::default(),
            pool,
        }))
    }

    /// The pool.
    #[must_use]
    pub fn pool(&self) -> &PgPool {
        &self.0.pool
    }

    async fn connection(&self) -> Result<PooledConnection, sqlx::Error> {
        let kept = &self.0;
        let places = Arc::clone(&kept.places);
        let place = match Arc::clone(&places).try_acquire_owned() {
            Ok(place) => place,
            Err(_) => timeout(
                kept.pool.options().get_acquire_timeout(),
                places.acquire_owned(),
            )
            .await
            .map_err(|_| sqlx::Error::PoolTimedOut)?
            .map_err(|_| sqlx::Error::PoolClosed)?,
        };
        let (connection, taken_at) = match kept.take() {
            Some(ready) => (ready.connection, ready.taken_at),
            None => (acquire(&kept.pool).await?, Instant::now()),
        };
        Ok(PooledConnection {
            connection: Some(connection),
            is_answered: false,
            home: Some(Home {
                kept: Arc::clone(kept),
                _place: place,
                taken_at,
            }),
        })
    }
}

impl Kept {
    fn ready(&self) -> std::sync::MutexGuard<'_, Ready> {
        self.ready.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The one that was used last, so that those beyond the load become idle.
    fn take(&self) -> Option<Idle> {
        let last = self.ready().connections.pop()?;
        if last.since.elapsed() <= IDLE_MAX {
            return Some(last);
        }
        give_back(last.connection);
        None
    }

    fn keep(self: &Arc<Self>, connection: PoolConnection<Postgres>, taken_at: Instant) {
        if taken_at.elapsed() > KEPT_MAX {
            return give_back(connection);
        }
        let mut ready = self.ready();
        ready.connections.push(Idle {
            connection,
            taken_at,
            since: Instant::now(),
        });
        if !ready.is_watched {
            ready.is_watched = true;
            tokio::spawn(watch(Arc::downgrade(self)));
        }
    }

    /// Gives back what is idle; `false` when nothing is left.
    fn tidy(&self) -> bool {
        let mut ready = self.ready();
        let idle: Vec<Idle> = ready
            .connections
            .extract_if(.., |one| one.since.elapsed() >= IDLE_MAX)
            .collect();
        ready.is_watched = !ready.connections.is_empty();
        let is_watched = ready.is_watched;
        drop(ready);
        idle.into_iter().for_each(|one| give_back(one.connection));
        is_watched
    }
}

/// Ends when no connection is kept, or when the reader is gone.
async fn watch(kept: Weak<Kept>) {
    loop {
        sleep(IDLE_MAX).await;
        match kept.upgrade() {
            Some(kept) if kept.tidy() => {}
            Some(_) | None => return,
        }
    }
}

/// The pool pings a connection that returns, without a limit. If the server disappears just then, the place
/// in the pool would be lost for ever.
fn give_back(mut connection: PoolConnection<Postgres>) {
    tokio::spawn(timeout(PING_TIMEOUT, connection.return_to_pool()));
}

async fn acquire(pool: &PgPool) -> Result<PoolConnection<Postgres>, sqlx::Error> {
    // Boxed, because the nested futures of the callers exceed the compiler's recursion limit.
    Box::pin(pool.acquire()).await
}

/// A connection that is closed on drop, unless [`Self::return_to_pool`] was called. Every statement of this
/// crate runs on one, reads as well as writes.
///
/// The pool itself would wait without a limit for the answer to an abandoned statement before it reuses
/// the connection. If the server disappeared without closing it, a few abandoned statements would block
/// every connection of the pool for ever.
pub(crate) struct PooledConnection {
    /// `None` only while it is dropped.
    connection: Option<PoolConnection<Postgres>>,
    is_answered: bool,
    /// Where it is kept; `None` for one that goes back to the pool at once.
    home: Option<Home>,
}

struct Home {
    kept: Arc<Kept>,
    /// Released after the connection is kept.
    _place: OwnedSemaphorePermit,
    taken_at: Instant,
}

impl PooledConnection {
    pub(crate) async fn acquire(source: impl Into<Source<'_>>) -> Result<Self, sqlx::Error> {
        match source.into() {
            Source::Reader(reader) => reader.connection().await,
            Source::Pool(pool) => Ok(Self {
                connection: Some(acquire(pool).await?),
                is_answered: false,
                home: None,
            }),
        }
    }

    /// A connection for a read.
    pub(crate) async fn read(
        source: Source<'_>,
        operation: &'static str,
    ) -> Result<Self, StoreError> {
        Self::acquire(source).await.read_context(operation)
    }

    #[expect(clippy::expect_used, reason = "it is there until the drop")]
    pub(crate) fn get(&mut self) -> &mut PgConnection {
        self.connection.as_mut().expect("no connection")
    }

    /// Call it once the server answered the statement, also with an error, and can serve the next one.
    pub(crate) fn return_to_pool(mut self) {
        self.is_answered = true;
    }

    /// Ends a read. After "unavailable" the connection may never work again, and after other errors the
    /// state of the protocol is unknown: then it is closed.
    pub(crate) fn end<T>(self, answer: Result<T, StoreError>) -> Result<T, StoreError> {
        if matches!(
            answer,
            Ok(_)
                | Err(StoreError::EventRefused { .. }
                    | StoreError::Conflict { .. }
                    | StoreError::TooSlow { .. }
                    | StoreError::TooBroad { .. }
                    | StoreError::BeyondLast { .. }
                    | StoreError::TooManyRows { .. })
        ) {
            self.return_to_pool();
        }
        answer
    }
}

impl Drop for PooledConnection {
    fn drop(&mut self) {
        let Some(mut connection) = self.connection.take() else {
            return;
        };
        match &self.home {
            _ if !self.is_answered => connection.close_on_drop(),
            Some(home) => home.kept.keep(connection, home.taken_at),
            None => give_back(connection),
        }
    }
}

/// The rows of a read that is one statement.
pub(crate) async fn rows<T>(
    source: Source<'_>,
    operation: &'static str,
    question: QueryAs<'_, Postgres, T, PgArguments>,
) -> Result<Vec<T>, StoreError>
where
    T: for<'r> FromRow<'r, PgRow> + Send + Unpin,
{
    let mut connection = PooledConnection::read(source, operation).await?;
    let answer = question
        .fetch_all(connection.get())
        .await
        .read_context(operation);
    connection.end(answer)
}

/// The row of a read that is one statement and always has one.
pub(crate) async fn one_row<T>(
    source: Source<'_>,
    operation: &'static str,
    question: QueryAs<'_, Postgres, T, PgArguments>,
) -> Result<T, StoreError>
where
    T: for<'r> FromRow<'r, PgRow> + Send + Unpin,
{
    let mut connection = PooledConnection::read(source, operation).await?;
    let answer = question
        .fetch_one(connection.get())
        .await
        .read_context(operation);
    connection.end(answer)
}
