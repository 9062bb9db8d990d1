//! Shutdown of the plain HTTP server.
//!
//! Invariant: responses in progress are finished first.

use tokio::signal::unix::{SignalKind, signal};

/// Waits for SIGTERM or Ctrl-C.
pub async fn until_stopped() {
    let Ok(mut terminate) = signal(SignalKind::terminate()) else {
        tracing::warn!(
            "SIGTERM cannot be handled; the server will end without finishing its responses"
        );
        return std::future::pending().await;
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = tokio::signal::ctrl_c() => {}
    }
}
