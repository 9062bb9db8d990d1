//! Signals that end the console, and those of the keyboard that are for another program.
//!
//! Invariant: a signal ends the program also when the terminal accepts no more output.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crossterm::terminal::disable_raw_mode;
use futures::FutureExt as _;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::JoinSet;

use super::terminal::restore;

/// How long the loop has after a signal before the terminal counts as stalled.
const STALLED_AFTER: Duration = Duration::from_secs(1);
/// How long a stalled terminal has to accept the text that restores it.
const RESTORE_WITHIN: Duration = Duration::from_millis(200);
/// Exit code when a stalled terminal ended the program.
const EXIT_STALLED: i32 = 1;

/// Ends the program when a signal came and the loop did not end: a terminal that accepts no
/// more output blocks it in a write. Active until the returned set is dropped. While the flag is
/// set, signals from the keyboard are not meant for this program.
pub(super) fn watch() -> io::Result<(JoinSet<()>, Arc<AtomicBool>)> {
    let mut signals = Signals::listen()?;
    let mut watcher = JoinSet::new();
    let is_lent = Arc::new(AtomicBool::new(false));
    let is_editors = Arc::clone(&is_lent);
    watcher.spawn(async move {
        while signals.any().await == Origin::Keyboard && is_editors.load(Ordering::Relaxed) {}
        tokio::time::sleep(STALLED_AFTER).await;
        // It writes too, so it may hang like the loop; the thread ends with the process.
        std::thread::spawn(restore);
        tokio::time::sleep(RESTORE_WITHIN).await;
        let _ = disable_raw_mode();
        std::process::exit(EXIT_STALLED);
    });
    Ok((watcher, is_lent))
}

/// Where a signal comes from, as a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// `^C` and `^\` reach every program in the foreground of the terminal.
    Keyboard,
    System,
}

pub(super) struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
    quit: Signal,
}

impl Signals {
    pub(super) fn listen() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hang_up: signal(SignalKind::hangup())?,
            quit: signal(SignalKind::quit())?,
        })
    }

    /// Waits for a signal that ends the program.
    pub(super) async fn any(&mut self) -> Origin {
        tokio::select! {
            _ = self.terminate.recv() => Origin::System,
            _ = self.hang_up.recv() => Origin::System,
            _ = self.interrupt.recv() => Origin::Keyboard,
            _ = self.quit.recv() => Origin::Keyboard,
        }
    }

    /// Waits for a signal that does not come from the keyboard.
    pub(super) async fn but_from_keyboard(&mut self) {
        while self.any().await == Origin::Keyboard {}
    }

    /// Ignores what came from the keyboard until now.
    pub(super) fn forget_keyboard(&mut self) {
        let _ = self.interrupt.recv().now_or_never();
        let _ = self.quit.recv().now_or_never();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn signal_from_the_keyboard_is_not_ours_while_another_program_has_the_terminal() {
        let mut signals = Signals::listen().unwrap();
        let mut witness = Signals::listen().unwrap();
        let send = |name: &str| {
            let id = std::process::id().to_string();
            let mut kill = std::process::Command::new("kill");
            assert!(kill.args([name, &id]).status().unwrap().success());
        };
        send("-INT");
        assert_eq!(witness.any().await, Origin::Keyboard);
        let mut waiting = Box::pin(signals.but_from_keyboard());
        assert!(futures::poll!(&mut waiting).is_pending());
        send("-TERM");
        waiting.await;
        signals.forget_keyboard();
        assert!(futures::poll!(Box::pin(signals.any())).is_pending());
    }
}
