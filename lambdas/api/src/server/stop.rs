//! The end of the plain HTTP server.
//!
//! Invariant: the server says that it is not ready before it refuses anything, and responses in progress are
//! finished.

use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio::time::sleep;

/// How far the end is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// None was asked for.
    Serving,
    /// Everything is served, but the server is not ready: load balancers send nothing new soon.
    Leaving,
    /// There are no new connections; open ones end with their request.
    Ending,
}

/// Waits for SIGTERM or Ctrl-C and passes the stages. Ctrl-C, or a second signal, ends the delay.
pub(super) async fn stages(stage: watch::Sender<Stage>, delay: Duration) {
    let (Ok(mut terminate), Ok(mut interrupt)) = (
        signal(SignalKind::terminate()),
        signal(SignalKind::interrupt()),
    ) else {
        tracing::warn!(
            "signals cannot be handled; the server will end without finishing its responses"
        );
        return std::future::pending().await;
    };
    let is_interactive = next(&mut terminate, &mut interrupt).await;
    tracing::info!("stopping");
    stage.send_replace(Stage::Leaving);
    if !is_interactive {
        tokio::select! {
            () = sleep(delay) => {}
            _ = next(&mut terminate, &mut interrupt) => {}
        }
    }
    stage.send_replace(Stage::Ending);
}

/// Whether the next signal is Ctrl-C.
async fn next(terminate: &mut Signal, interrupt: &mut Signal) -> bool {
    tokio::select! {
        _ = terminate.recv() => false,
        _ = interrupt.recv() => true,
    }
}
