//! The plain HTTP server, outside of Lambda.
//!
//! Invariant: each phase of a connection has a time limit, the number of connections has one, and the server ends
//! within a limit once it is asked to.

mod connection;
mod deadline;
mod front;
mod limits;
mod stop;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::{sleep, timeout};

use connection::Connection;
use front::Front;
pub use limits::ServerLimits;
use stop::Stage;

/// Connections beyond the limit that get one answer each, so that a probe and a client learn that the server is
/// full. Further ones wait until one of all these ends.
const SPARE_CONNECTIONS: u32 = 16;
/// Wait after a connection could not be accepted, which is when the process has no file descriptor left.
const ACCEPT_PAUSE: Duration = Duration::from_secs(1);
/// What a connection needs to end, beyond the limit of its request.
const END_MARGIN: Duration = Duration::from_secs(5);

/// Serves until SIGTERM or Ctrl-C, then finishes the requests in progress.
///
/// # Errors
/// When the address of the listener cannot be read.
pub async fn serve(listener: TcpListener, router: Router, limits: ServerLimits) -> io::Result<()> {
    tracing::info!(address = %listener.local_addr()?, "listening");
    let (sender, stage) = watch::channel(Stage::Serving);
    let signals = tokio::spawn(stop::stages(sender, limits.stop_delay));
    let places = Places::new(limits.connections_max);
    let mut ending = stage.clone();
    loop {
        let (stream, place) = tokio::select! {
            biased;
            _ = ending.wait_for(|stage| *stage == Stage::Ending) => break,
            accepted = places.accept(&listener) => accepted,
        };
        let front = Front {
            router: router.clone(),
            stage: stage.clone(),
            is_spare: place.is_spare(),
        };
        let connection = Connection::new(stream, front, limits);
        tokio::spawn(async move {
            connection.run().await;
            drop(place);
        });
    }
    drop(listener);
    let limit = limits.request + END_MARGIN;
    if timeout(limit, places.all_ended()).await.is_err() {
        tracing::warn!(limit_secs = limit.as_secs(), "connections cut");
    }
    signals.abort();
    Ok(())
}

/// The connections that may be open.
struct Places {
    usual: Arc<Semaphore>,
    all: Arc<Semaphore>,
    all_count: u32,
}

/// The place of one connection, until it is dropped.
struct Place {
    usual: Option<OwnedSemaphorePermit>,
    _any: OwnedSemaphorePermit,
}

impl Place {
    fn is_spare(&self) -> bool {
        self.usual.is_none()
    }
}

impl Places {
    fn new(usual: u32) -> Self {
        let all_count = usual.saturating_add(SPARE_CONNECTIONS);
        let semaphore =
            |count| Arc::new(Semaphore::new(usize::try_from(count).unwrap_or(usize::MAX)));
        Self {
            usual: semaphore(usual),
            all: semaphore(all_count),
            all_count,
        }
    }

    /// The next connection. It is accepted only when there is a place for it; until then it waits in the queue of
    /// the operating system.
    async fn accept(&self, listener: &TcpListener) -> (TcpStream, Place) {
        loop {
            let Ok(any) = Arc::clone(&self.all).acquire_owned().await else {
                // Never closed.
                return std::future::pending().await;
            };
            match listener.accept().await {
                Ok((stream, _)) => {
                    let place = Place {
                        usual: Arc::clone(&self.usual).try_acquire_owned().ok(),
                        _any: any,
                    };
                    return (stream, place);
                }
                Err(error) if is_of_client(&error) => {}
                Err(error) => {
                    tracing::error!(%error, "connection not accepted");
                    sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    async fn all_ended(&self) {
        let _ = self.all.acquire_many(self.all_count).await;
    }
}

/// Whether the client went away before its connection was accepted.
fn is_of_client(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
    )
}
