//! A question on the terminal before something is changed.
//!
//! Invariant: only a clear yes is a yes; meanwhile the received messages stay hidden, and without a
//! yes they are released.

use std::io::{self, BufRead as _, IsTerminal as _, Write as _};
use std::time::Duration;

use super::{CommandError, Interrupt, Session, walk};
use pipeline::{LeaseSet, printable};

/// Limit of waiting for an answer: messages are hidden from others until then.
const ANSWER_LIMIT: Duration = Duration::from_secs(600);
/// Between two extensions while somebody thinks.
const THINKING_ROUND: Duration = Duration::from_secs(20);
/// Timeouts that end within this are extended.
const EXTENDED_BELOW: Duration = Duration::from_secs(60);

/// Whether there is a terminal to ask on.
pub(super) fn can_ask() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// Asks, and extends the messages meanwhile. Without a yes everything is released; a no is
/// answered with `on_no`.
pub(super) async fn confirmed(
    session: &Session,
    question: &str,
    on_no: &str,
    leases: Option<&LeaseSet>,
    interrupt: &mut Interrupt,
) -> Result<bool, CommandError> {
    let is_yes = |answer: &str| matches!(answer, "y" | "Y" | "yes");
    answered(session, question, is_yes, on_no, leases, interrupt).await
}

/// The same, where only this text is a yes.
pub(super) async fn typed(
    session: &Session,
    question: &str,
    expected: &str,
    on_no: &str,
    leases: Option<&LeaseSet>,
    interrupt: &mut Interrupt,
) -> Result<bool, CommandError> {
    let is_yes = |answer: &str| answer == expected;
    answered(session, question, is_yes, on_no, leases, interrupt).await
}

async fn answered(
    session: &Session,
    question: &str,
    is_yes: impl Fn(&str) -> bool,
    on_no: &str,
    leases: Option<&LeaseSet>,
    interrupt: &mut Interrupt,
) -> Result<bool, CommandError> {
    if interrupt.cancellation().is_cancelled() {
        if let Some(leases) = leases {
            walk::release_all(session, leases, interrupt).await;
        }
        return Err(CommandError::Interrupted);
    }
    let mut stderr = io::stderr();
    let _ = stderr
        .write_all(printable(question).as_bytes())
        .and_then(|()| stderr.flush());
    let answer = tokio::task::spawn_blocking(|| {
        let mut line = String::new();
        io::stdin().lock().read_line(&mut line).map(|_| line)
    });
    let extending = async {
        match leases {
            Some(leases) => leases.keep(THINKING_ROUND, EXTENDED_BELOW).await,
            None => std::future::pending().await,
        }
    };
    let answer = tokio::select! {
        answer = answer => Ok(answer),
        never = extending => match never {},
        () = tokio::time::sleep(ANSWER_LIMIT) => {
            let minutes = ANSWER_LIMIT.as_secs() / 60;
            let why = format!("no answer within {minutes} min: {on_no}");
            Err(CommandError::Failed(why))
        }
        () = interrupt.received() => {
            session.output.note("");
            Err(CommandError::Interrupted)
        }
    };
    let is_yes = matches!(&answer, Ok(Ok(Ok(line))) if is_yes(line.trim()));
    if !is_yes && let Some(leases) = leases {
        walk::release_all(session, leases, interrupt).await;
    }
    if answer.is_ok() && !is_yes {
        session.output.note(on_no);
    }
    answer.map(|_| is_yes)
}
