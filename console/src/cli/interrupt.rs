//! Signals that end a command.
//!
//! Invariant: after [`Interrupt::listen`] the signals no longer kill the process; the command cleans up and
//! ends.

use std::future::Future;
use std::io;
use std::pin::pin;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::Output;

/// SIGINT (Ctrl-C), SIGTERM and SIGHUP.
#[derive(Debug)]
pub(crate) struct Interrupt {
    signals: [Signal; 3],
    cancellation: CancellationToken,
}

impl Interrupt {
    /// Starts to handle the signals.
    pub(crate) fn listen() -> io::Result<Self> {
        Ok(Self {
            signals: [
                signal(SignalKind::interrupt())?,
                signal(SignalKind::terminate())?,
                signal(SignalKind::hangup())?,
            ],
            cancellation: CancellationToken::new(),
        })
    }

    /// What [`Self::cancels`] cancels.
    pub(crate) fn cancellation(&self) -> CancellationToken {
        self.cancellation.clone()
    }

    /// Runs work to its end. A signal cancels it and is answered with `note` at once.
    pub(crate) async fn cancels<T>(
        &mut self,
        output: Output,
        note: &str,
        work: impl Future<Output = T>,
    ) -> T {
        let mut work = pin!(work);
        tokio::select! {
            done = &mut work => return done,
            () = self.received() => {}
        }
        output.note(note);
        self.cancellation.cancel();
        work.await
    }

    /// Ends when one of the signals came.
    pub(crate) async fn received(&mut self) {
        let [interrupt, terminate, hangup] = &mut self.signals;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
    }
}
