//! A question on the terminal before something is changed.
//!
//! Invariant: only a clear yes is a yes; meanwhile the messages stay held, and without a yes they
//! are given back.

use std::io::{self, BufRead as _, IsTerminal as _, Write as _};
use std::time::Duration;

use super::holding::LeaseSet;
use super::{CommandError, Interrupt, Session};
use pipeline::printable;

/// Between two looks at the holds while somebody thinks.
const THINKING_ROUND: Duration = Duration::from_secs(20);

/// An answer does not wait longer for the holds.
const PROLONG_LIMIT: Duration = Duration::from_secs(10);

/// Whether there is a terminal to ask on.
pub(super) fn can_ask() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// Asks, and prolongs the holds meanwhile. A no gives everything back and is told.
pub(super) async fn confirmed(
    session: &Session,
    question: &str,
    told_on_no: &str,
    sweep: &mut LeaseSet<'_>,
    interrupt: &mut Interrupt,
) -> Result<bool, CommandError> {
    let mut stderr = io::stderr();
    let _ = stderr
        .write_all(printable(question).as_bytes())
        .and_then(|()| stderr.flush());
    let mut answer = tokio::task::spawn_blocking(|| {
        let mut line = String::new();
        io::stdin().lock().read_line(&mut line).map(|_| line)
    });
    let mut rounds = tokio::time::interval(THINKING_ROUND);
    loop {
        tokio::select! {
            answer = &mut answer => {
                let is_yes =
                    matches!(answer, Ok(Ok(line)) if matches!(line.trim(), "y" | "Y" | "yes"));
                if !is_yes {
                    sweep.leave(interrupt).await;
                    session.output.note(told_on_no);
                }
                return Ok(is_yes);
            }
            _ = rounds.tick() => tokio::select! {
                _ = tokio::time::timeout(PROLONG_LIMIT, sweep.prolong()) => {}
                () = interrupt.received() => {
                    session.output.note("");
                    sweep.leave(interrupt).await;
                    return Err(CommandError::Interrupted);
                }
            },
            () = interrupt.received() => {
                session.output.note("");
                sweep.leave(interrupt).await;
                return Err(CommandError::Interrupted);
            }
        }
    }
}
