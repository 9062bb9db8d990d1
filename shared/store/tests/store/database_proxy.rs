//! A proxy to PostgreSQL that fails as the test says.
//!
//! It forwards one request (a simple query, or up to its `Sync`) and its answer (up to `ReadyForQuery`) at a time, so
//! that a fault strikes at a known point of a statement.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use devstack::Postgres;
use sqlx::postgres::PgConnectOptions;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::sync::watch;
use tokio::time::timeout;

/// Long enough for everything, so that a test that waits for it fails clearly.
const LIMIT: Duration = Duration::from_secs(60);

/// What happens to one statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The connection is cut before the server has it.
    CutBefore,
    /// The connection is cut when the server has it, whatever becomes of it.
    CutSent,
    /// The connection is cut after the commit, before any of the answer.
    CutCommitted,
    /// The connection is cut after the commit, within the answer.
    CutInAnswer,
    /// Nobody ever answers, and the connection stays.
    Silence,
}

/// What all connections do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flow {
    Free,
    /// Nothing moves until it is free again.
    Stalled,
}

pub(crate) struct DatabaseProxy {
    pub(crate) url: String,
    shared: Arc<Shared>,
}

struct Shared {
    socket: PathBuf,
    faults: Mutex<VecDeque<Fault>>,
    flow: watch::Sender<Flow>,
    /// How often a connection had to wait for the flow.
    stalled: watch::Sender<usize>,
    /// Connections that were made before this changed never move again.
    silenced: watch::Sender<usize>,
}

impl DatabaseProxy {
    pub(crate) async fn start(server: &Postgres, database: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let options: PgConnectOptions = server.url(database).parse().unwrap();
        let user = options.get_username();
        let shared = Arc::new(Shared {
            socket: server.folder().join(".s.PGSQL.5432"),
            faults: Mutex::default(),
            flow: watch::Sender::new(Flow::Free),
            stalled: watch::Sender::new(0),
            silenced: watch::Sender::new(0),
        });
        let accepting = Arc::clone(&shared);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(serve(client, Arc::clone(&accepting)));
            }
        });
        Self {
            url: format!("postgres://{user}@127.0.0.1:{port}/{database}?sslmode=disable"),
            shared,
        }
    }

    /// The next statements fail like this, one each.
    pub(crate) fn fail_next(&self, faults: impl IntoIterator<Item = Fault>) {
        self.shared.faults.lock().unwrap().extend(faults);
    }

    /// Faults that are still to come.
    pub(crate) fn faults_left(&self) -> usize {
        self.shared.faults.lock().unwrap().len()
    }

    pub(crate) fn stall(&self) {
        self.shared.flow.send_replace(Flow::Stalled);
    }

    /// Waits until connections had to wait so often.
    pub(crate) async fn wait_until_stalled(&self, times: usize) {
        let mut stalled = self.shared.stalled.subscribe();
        let stalled = stalled.wait_for(|stalled| *stalled >= times);
        timeout(LIMIT, stalled).await.unwrap().unwrap();
    }

    pub(crate) fn resume(&self) {
        self.shared.flow.send_replace(Flow::Free);
    }

    /// All open connections never get another byte; new ones work.
    pub(crate) fn silence(&self) {
        self.shared.silenced.send_modify(|number| *number += 1);
    }
}

impl Shared {
    async fn wait_until_free(&self) -> Option<()> {
        let mut flow = self.flow.subscribe();
        if *flow.borrow() == Flow::Stalled {
            self.stalled.send_modify(|times| *times += 1);
        }
        flow.wait_for(|flow| *flow == Flow::Free).await.ok()?;
        Some(())
    }
}

async fn serve(mut client: TcpStream, shared: Arc<Shared>) {
    let mut silenced = shared.silenced.subscribe();
    let forwarding = forward(&mut client, &shared);
    tokio::select! {
        _ = forwarding => {}
        _ = silenced.changed() => std::future::pending().await,
    }
}

/// Ends, and so closes the connection, when either side ends it or a fault says so.
async fn forward(client: &mut TcpStream, shared: &Shared) -> Option<()> {
    shared.wait_until_free().await?;
    let mut server = UnixStream::connect(&shared.socket).await.ok()?;
    client.set_nodelay(true).ok()?;
    let mut request = read_start_up(client).await?;
    loop {
        shared.wait_until_free().await?;
        let fault = if request.is_statement {
            shared.faults.lock().unwrap().pop_front()
        } else {
            None
        };
        match fault {
            Some(Fault::CutBefore) => return None,
            Some(Fault::Silence) => std::future::pending().await,
            Some(Fault::CutSent) => {
                server.write_all(&request.bytes).await.ok()?;
                return None;
            }
            Some(Fault::CutCommitted | Fault::CutInAnswer) | None => {
                server.write_all(&request.bytes).await.ok()?;
            }
        }
        let answer = read_until(&mut server, b"Z").await;
        shared.wait_until_free().await?;
        match fault {
            Some(Fault::CutCommitted) => return None,
            Some(Fault::CutInAnswer) => {
                let half = answer.bytes.len() / 2;
                client.write_all(&answer.bytes[..half]).await.ok()?;
                return None;
            }
            Some(_) | None => client.write_all(&answer.bytes).await.ok()?,
        }
        if answer.is_cut {
            return None;
        }
        // A server that ends says so, or just goes, while nobody asks it anything.
        request = tokio::select! {
            request = read_until(client, b"SXQ") => request,
            farewell = read_until(&mut server, b"E") => {
                client.write_all(&farewell.bytes).await.ok()?;
                return None;
            }
        };
        if request.is_cut {
            return None;
        }
    }
}

#[derive(Default)]
struct Frames {
    bytes: Vec<u8>,
    /// It binds parameters: every statement of ours does, and nothing else.
    is_statement: bool,
    is_cut: bool,
}

/// The first message has no type.
async fn read_start_up(client: &mut TcpStream) -> Option<Frames> {
    let length = client.read_u32().await.ok()?;
    let mut bytes = vec![0; length as usize];
    bytes[..4].copy_from_slice(&length.to_be_bytes());
    client.read_exact(&mut bytes[4..]).await.ok()?;
    Some(Frames {
        bytes,
        ..Frames::default()
    })
}

/// Reads messages up to one of these types, or as far as they come.
async fn read_until(stream: &mut (impl AsyncRead + Unpin), last: &[u8]) -> Frames {
    let mut frames = Frames::default();
    loop {
        let Ok(kind) = stream.read_u8().await else {
            frames.is_cut = true;
            return frames;
        };
        let Ok(length) = stream.read_u32().await else {
            frames.is_cut = true;
            return frames;
        };
        frames.bytes.push(kind);
        frames.bytes.extend_from_slice(&length.to_be_bytes());
        let mut body = vec![0; length as usize - 4];
        if stream.read_exact(&mut body).await.is_err() {
            frames.is_cut = true;
            return frames;
        }
        frames.bytes.extend_from_slice(&body);
        frames.is_statement |= kind == b'B';
        if last.contains(&kind) {
            return frames;
        }
    }
}
