//! The terminal console, opened by a command line.

use std::future::{Future, pending};

use super::exit::{CommandError, Exit};
use crate::tui;
use pipeline::Authority;
use pipeline::environment::{DemoWatch, Environment, Folders};

/// Opens the terminal console on an environment.
pub(crate) async fn open_console(
    environment: Environment,
    authority: Authority,
    failure: impl Future<Output = String>,
) -> Result<Exit, CommandError> {
    check_terminal()?;
    tui::run(environment, authority, failure)
        .await
        .map(|ended| match ended {
            tui::Ended::Left => Exit::Done,
            tui::Ended::Signalled => Exit::Interrupted,
            tui::Ended::TerminalGone => Exit::Failed,
        })
        .map_err(|report| CommandError::Failed(format!("{report:#}")))
}

/// Refuses a terminal that the console cannot draw on.
pub(crate) fn check_terminal() -> Result<(), CommandError> {
    let term = std::env::var("TERM").ok();
    tui::cannot_draw_on(term.as_deref()).map_or(Ok(()), |why| Err(CommandError::Usage(why)))
}

/// Opens the console on an environment that this process did not start. Where it is a demo of
/// another terminal, the console shows when that has ended.
pub(super) async fn open_existing(
    environment: Environment,
    authority: Authority,
) -> Result<Exit, CommandError> {
    let watch = DemoWatch::of(&environment, &Folders::of_user()?.environments());
    let failure = async {
        match watch {
            Some(watch) => watch.end().await.to_string(),
            None => pending().await,
        }
    };
    open_console(environment, authority, failure).await
}
