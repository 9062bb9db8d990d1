//! A way to the database through a command of the operator: `aws ssm start-session`, `ssh -L` or another forwarder.
//!
//! Invariant: the driver keeps the database's own host, for the IAM token and for the certificate. It connects to a
//! socket in a folder that only this user can enter; what it writes there goes to the local port of the command. The
//! command is started at the first need, watched, started again a bounded number of times, and ends with this value
//! and with this process.

mod command;
mod process;
mod state;
mod watch;

use std::path::Path;
use std::time::Duration;

use tempfile::TempDir;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpStream, UnixListener, UnixStream};
use tokio::sync::watch as watched;
use tokio::task::JoinSet;
use tokio::time::timeout;

use state::State;
use watch::{Destination, entrance, keep_open};

pub(crate) use command::TunnelCommand;
pub(crate) use state::Limits;

/// Connections that are forwarded at once; the pool has fewer.
const CONNECTIONS_MAX: usize = 16;
const CONNECT_LIMIT: Duration = Duration::from_secs(2);

/// An open tunnel, or one that is being opened.
#[derive(Debug)]
pub(crate) struct Tunnel {
    folder: TempDir,
    state: watched::Receiver<State>,
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
        let failed = |error: std::io::Error| format!("make a socket for the tunnel: {error}");
        // Only its owner can enter it.
        let folder = tempfile::Builder::new()
            .prefix("opsconsole-tunnel-")
            .tempdir();
        let folder = folder.map_err(failed)?;
        // The name that the driver expects in a folder (PostgreSQL manual, "unix_socket_directories").
        let socket = folder.path().join(format!(".s.PGSQL.{port}"));
        let listener = UnixListener::bind(socket).map_err(failed)?;
        let (sender, state) = watched::channel(State::Opening);
        let destination = Destination {
            host: host.to_owned(),
            port,
            folder: folder.path().to_owned(),
        };
        let mut tasks = JoinSet::new();
        tasks.spawn(keep_open(command, destination, limits, sender));
        tasks.spawn(forward(listener, state.clone()));
        Ok(Self {
            folder,
            state,
            _tasks: tasks,
        })
    }

    /// The folder with the socket.
    pub(crate) fn socket_folder(&self) -> &Path {
        self.folder.path()
    }

    /// Whether the port of the command answers.
    pub(crate) fn is_open(&self) -> bool {
        matches!(*self.state.borrow(), State::Open(_))
    }

    /// Why it is not open; `None` while it is, and while it is being opened.
    pub(crate) fn fault(&self) -> Option<String> {
        match &*self.state.borrow() {
            State::Opening | State::Open(_) => None,
            State::Broken(why) => Some(format!("the tunnel is broken: {why}")),
            State::GivenUp(why) => Some(format!("the tunnel was given up: {why}")),
        }
    }

    /// Waits until it is open. An error says why it is not, with the last line of the command.
    pub(crate) async fn opened(&self, limit: Duration) -> Result<(), String> {
        let mut state = self.state.clone();
        let decided = state.wait_for(|state| !matches!(state, State::Opening));
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

/// Forwards each connection to the port that the command has at that time.
async fn forward(listener: UnixListener, state: watched::Receiver<State>) {
    let mut connections = JoinSet::new();
    loop {
        while connections.len() >= CONNECTIONS_MAX {
            connections.join_next().await;
        }
        while connections.try_join_next().is_some() {}
        // A connection that cannot be accepted is that of nobody else.
        let Ok((near, _)) = listener.accept().await else {
            return;
        };
        let port = match *state.borrow() {
            State::Open(port) => port,
            // Closed: the pool reports it, and the state says why.
            State::Opening | State::Broken(_) | State::GivenUp(_) => continue,
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
mod tests {
    use super::*;

    const QUICK: Limits = Limits {
        open: Duration::from_secs(30),
        first_wait: Duration::from_millis(1),
        longest_wait: Duration::from_millis(2),
        restarts_max: 3,
        steady: Duration::from_secs(3_600),
    };
    /// Long enough for everything, so that a test that waits for it fails clearly.
    const LIMIT: Duration = Duration::from_secs(30);

    fn start(script: &str) -> Tunnel {
        let text = format!("sh -c {} sh {{local_port}}", shell_words::quote(script));
        let command = TunnelCommand::parse(&text).unwrap();
        Tunnel::start(command, "db.example", 5432, QUICK).unwrap()
    }

    async fn until(tunnel: &Tunnel, is_it: impl Fn(&State) -> bool) -> State {
        let mut state = tunnel.state.clone();
        let found = timeout(LIMIT, state.wait_for(is_it)).await;
        found.unwrap().unwrap().clone()
    }

    #[tokio::test]
    async fn command_that_ends_is_started_again_a_bounded_number_of_times() {
        let folder = tempfile::tempdir().unwrap();
        let starts = folder.path().join("starts");
        let tunnel = start(&format!(
            "echo one >>{}; echo 'An error occurred (TargetNotConnected)' >&2; exit 254",
            starts.display()
        ));
        let state = until(&tunnel, |state| matches!(state, State::GivenUp(_))).await;
        let starts = std::fs::read_to_string(starts).unwrap();
        assert_eq!(starts.lines().count(), 1 + QUICK.restarts_max);
        let State::GivenUp(why) = state else {
            unreachable!("it was waited for");
        };
        assert_eq!(
            why,
            "sh ended with exit status: 254: An error occurred (TargetNotConnected)"
        );
        let error = tunnel.opened(LIMIT).await.unwrap_err();
        assert!(error.contains("TargetNotConnected"), "{error}");
        assert!(!tunnel.is_open());
    }

    #[tokio::test]
    async fn program_that_does_not_exist_is_named() {
        let command = TunnelCommand::parse("no-such-program {local_port}").unwrap();
        let tunnel = Tunnel::start(command, "db.example", 5432, QUICK).unwrap();
        let error = tunnel.opened(LIMIT).await.unwrap_err();
        assert!(error.contains("no-such-program"), "{error}");
    }

    #[tokio::test]
    async fn wait_for_a_command_that_opens_nothing_has_a_limit() {
        let tunnel = start("exec sleep 600");
        let error = tunnel.opened(Duration::from_millis(50)).await.unwrap_err();
        assert!(error.contains("not open"), "{error}");
    }
}
