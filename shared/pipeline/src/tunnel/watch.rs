//! Keeps the command of a tunnel running.
//!
//! Invariant: at most one command runs at a time, and it is started again a bounded number of times in a row. A
//! session that was open is opened again only when the database is needed: Session Manager ends one that is idle
//! (Systems Manager user guide, "Specify an idle session timeout value"), and the first connection through a new one
//! would wake a paused database.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};

use super::command::TunnelCommand;
use super::process::TunnelProcess;
use super::state::{Limits, State};

const OPEN_POLL_INTERVAL: Duration = Duration::from_millis(50);
/// Time limit of one attempt to reach the port, which is of this machine.
const CONNECT_LIMIT: Duration = Duration::from_secs(1);

/// Where the tunnel leads.
#[derive(Clone, Debug)]
pub(super) struct Destination {
    pub(super) host: String,
    pub(super) port: u16,
    /// The folder with the socket.
    pub(super) folder: PathBuf,
}

/// Runs the command until it ended too often. Each change of `needs` is a need of the database.
pub(super) async fn keep_open(
    command: TunnelCommand,
    destination: Destination,
    limits: Limits,
    state: watch::Sender<State>,
    mut needs: watch::Receiver<()>,
) {
    let mut waits = limits.waits();
    loop {
        state.send_replace(State::Opening);
        let begun = Instant::now();
        let why = run_once(&command, &destination, limits, &state).await;
        let was_open = matches!(*state.borrow(), State::Open(_));
        if was_open {
            // What was needed before had this session.
            needs.mark_unchanged();
        }
        if was_open && begun.elapsed() >= limits.steady {
            tracing::debug!(why, "the tunnel ended");
            waits = limits.waits();
        } else {
            let Some(wait) = waits.next() else {
                state.send_replace(State::GivenUp(why));
                return;
            };
            tracing::debug!(
                why,
                wait_ms = wait.as_millis(),
                "the tunnel is opened again"
            );
            state.send_replace(State::Broken(why));
            sleep(wait).await;
        }
        if was_open {
            state.send_replace(State::Ended);
            if needs.changed().await.is_err() {
                return;
            }
        }
    }
}

/// Runs the command to its end; returns why it ended.
async fn run_once(
    command: &TunnelCommand,
    destination: &Destination,
    limits: Limits,
    state: &watch::Sender<State>,
) -> String {
    let started = async {
        let port = free_port().await?;
        let words = command.words(&destination.host, destination.port, port);
        std::io::Result::Ok((port, TunnelProcess::start(&destination.folder, &words)?))
    };
    let (port, mut process) = match started.await {
        Ok(started) => started,
        Err(error) => return format!("{} cannot be started: {error}", command.program()),
    };
    let opened = tokio::select! {
        ended = process.ended() => Err(ended),
        opened = timeout(limits.open, until_it_answers(port)) => Ok(opened.is_ok()),
    };
    let ended = match opened {
        Err(ended) => ended,
        Ok(true) => {
            state.send_replace(State::Open(port));
            process.ended().await
        }
        Ok(false) => {
            let secs = limits.open.as_secs();
            // The next command must find none.
            process.end().await;
            return with_line(&process, format!("its port did not answer within {secs} s"));
        }
    };
    let why = match ended {
        Ok(status) => format!("{} ended with {status}", command.program()),
        Err(error) => format!("{} is lost: {error}", command.program()),
    };
    with_line(&process, why)
}

fn with_line(process: &TunnelProcess, why: String) -> String {
    let line = process.last_line.get();
    if line.is_empty() {
        why
    } else {
        format!("{why}: {line}")
    }
}

/// A port that nobody has. Another program can take it before the command does; then the tunnel does not open, or what
/// answers has not the database's certificate.
async fn free_port() -> std::io::Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    Ok(listener.local_addr()?.port())
}

/// The address of this machine at which the tunnel begins.
pub(super) fn entrance(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}

async fn until_it_answers(port: u16) {
    loop {
        let connecting = timeout(CONNECT_LIMIT, TcpStream::connect(entrance(port)));
        if matches!(connecting.await, Ok(Ok(_))) {
            return;
        }
        sleep(OPEN_POLL_INTERVAL).await;
    }
}
