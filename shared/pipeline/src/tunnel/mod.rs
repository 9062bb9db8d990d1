//! A way to the database through a command of the operator: `aws ssm start-session`, `ssh -L` or another forwarder.
//!
//! Invariant: the driver keeps the database's own host, for the IAM token and for the certificate. It connects to a
//! socket in a folder that only this user can enter; what it writes there goes to the local port of the command. The
//! command is started at the first need, watched, started again a bounded number of times, and ends with this value
//! and with this process. The folder is there as long as this value.

mod command;
mod process;
mod state;
mod watch;

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use futures::stream::{Stream, StreamExt as _, poll_fn};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpStream, UnixListener, UnixStream};
use tokio::sync::watch as watched;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use state::State;
use watch::{Destination, entrance, keep_open};

pub(crate) use command::TunnelCommand;
pub(crate) use state::Limits;

/// Connections that are forwarded at once; the pool has fewer.
const CONNECTIONS_MAX: usize = 16;
const CONNECT_LIMIT: Duration = Duration::from_secs(2);
/// Wait after a connection that could not be accepted.
const ACCEPT_RETRY_WAIT: Duration = Duration::from_millis(100);

/// An open tunnel, or one that is being opened.
#[derive(Debug)]
pub(crate) struct Tunnel {
    folder: PathBuf,
    state: watched::Receiver<State>,
    needs: watched::Sender<()>,
    /// Their end ends the command.
    _tasks: JoinSet<()>,
}

impl Tunnel {
    /// Starts the command, without waiting for it. Needs a running tokio.
    pub(crate) fn start(
        command: TunnelCommand,
        host: &str,
        port: u16,
        limits: Limits,
    ) -> Result<Self, String> {
        let failed = |error: io::Error| format!("make a socket for the tunnel: {error}");
        // Only its owner can enter it.
        let folder = tempfile::Builder::new()
            .prefix("opsconsole-tunnel-")
            .tempdir();
        let folder = folder.map_err(failed)?;
        // The name that the driver expects in a folder (PostgreSQL manual, "unix_socket_directories").
        let socket = folder.path().join(format!(".s.PGSQL.{port}"));
        let listener = UnixListener::bind(socket).map_err(failed)?;
        let (sender, state) = watched::channel(State::Opening);
        let (needs, needed) = watched::channel(());
        let path = folder.path().to_owned();
        let destination = Destination {
            host: host.to_owned(),
            port,
            folder: path.clone(),
        };
        let mut tasks = JoinSet::new();
        tasks.spawn(keep_open(command, destination, limits, sender, needed));
        let accepted = poll_fn(move |context| {
            let accepted = listener.poll_accept(context);
            accepted.map_ok(|(connection, _)| connection).map(Some)
        });
        let forwarding = forward(accepted, state.clone());
        tasks.spawn(async move {
            // It goes with the socket, also where this value is never dropped and only its tasks end.
            let _folder = folder;
            forwarding.await;
        });
        Ok(Self {
            folder: path,
            state,
            needs,
            _tasks: tasks,
        })
    }

    /// The folder with the socket.
    pub(crate) fn socket_folder(&self) -> &Path {
        &self.folder
    }

    /// Says that the database is needed: a session that ended is opened again, without waiting for it.
    pub(crate) fn need(&self) {
        if !self.is_open() {
            self.needs.send_replace(());
        }
    }

    /// Whether the port of the command answers.
    pub(crate) fn is_open(&self) -> bool {
        matches!(*self.state.borrow(), State::Open(_))
    }

    /// Why it is not open; `None` while it is, while it is being opened, and after a session that was not needed.
    pub(crate) fn fault(&self) -> Option<String> {
        match &*self.state.borrow() {
            State::Opening | State::Open(_) | State::Ended => None,
            State::Broken(why) => Some(format!("the tunnel is broken: {why}")),
            State::GivenUp(why) => Some(format!("the tunnel was given up: {why}")),
        }
    }

    /// Opens it where its session has ended, and waits until it is open. An error says why it is not, with the last
    /// line of the command.
    pub(crate) async fn opened(&self, limit: Duration) -> Result<(), String> {
        self.need();
        let mut state = self.state.clone();
        let decided = state.wait_for(|state| !matches!(state, State::Opening | State::Ended));
        let is_decided = timeout(limit, decided)
            .await
            .is_ok_and(|state| state.is_ok());
        match self.fault() {
            None if is_decided => Ok(()),
            None => Err(format!(
                "the tunnel is not open after {} s",
                limit.as_secs()
            )),
            Some(why) => Err(why),
        }
    }
}

impl Drop for Tunnel {
    /// The tasks end a moment later, at the end of the program perhaps never.
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// Forwards each connection to the port that the command has at that time.
async fn forward(
    mut accepted: impl Stream<Item = io::Result<UnixStream>> + Unpin,
    state: watched::Receiver<State>,
) {
    let mut connections = JoinSet::new();
    loop {
        while connections.len() >= CONNECTIONS_MAX {
            connections.join_next().await;
        }
        while connections.try_join_next().is_some() {}
        let near = match accepted.next().await {
            Some(Ok(near)) => near,
            Some(Err(error)) => {
                // This process has no file left, or the other end is gone: neither ends the tunnel.
                tracing::debug!(%error, "a connection to the tunnel was not accepted");
                sleep(ACCEPT_RETRY_WAIT).await;
                continue;
            }
            None => return,
        };
        let port = match *state.borrow() {
            State::Open(port) => port,
            // Closed: the pool reports it, and the state says why.
            State::Opening | State::Broken(_) | State::Ended | State::GivenUp(_) => continue,
        };
        connections.spawn(forward_one(near, port));
    }
}

async fn forward_one(mut near: UnixStream, port: u16) {
    let connected = timeout(CONNECT_LIMIT, TcpStream::connect(entrance(port))).await;
    if let Ok(Ok(mut far)) = connected {
        // Small messages go back and forth.
        let _ = far.set_nodelay(true);
        let _ = copy_bidirectional(&mut near, &mut far).await;
    }
}

#[cfg(test)]
mod tests;
