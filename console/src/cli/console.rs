//! The terminal console, opened by a command line.

use std::future::{Future, pending};

use futures::FutureExt as _;

use super::arguments::GlobalArguments;
use super::exit::{CommandError, Exit};
use crate::tui::{self, Configuration, Ended};
use pipeline::Authority;
use pipeline::environment::{DemoWatch, Environment, Folders};

/// Opens the terminal console on an environment, then on each that the operator switches to. `failure` is of the
/// first.
pub(crate) async fn open_console(
    environment: Environment,
    authority: Authority,
    global: &GlobalArguments,
    failure: impl Future<Output = String>,
) -> Result<Exit, CommandError> {
    check_terminal()?;
    let configuration = Configuration {
        file: global.config.clone(),
        is_read_only: global.read_only,
    };
    let folder = Folders::of_user()?.environments();
    // It goes on while another environment is shown, and is told again when this one is.
    let failure = failure.shared();
    let mut shown = environment.clone();
    loop {
        let ended = if shown == environment {
            let authority = authority.clone();
            tui::run(shown, authority, configuration.clone(), failure.clone()).await
        } else {
            // What was confirmed on the command line is of the first environment.
            let authority = Authority {
                log: authority.log.clone(),
                ..Authority::default()
            };
            let failure = end_of_demo(DemoWatch::of(&shown, &folder));
            tui::run(shown, authority, configuration.clone(), failure).await
        };
        return match ended.map_err(|report| CommandError::Failed(format!("{report:#}")))? {
            Ended::Switched(next) => {
                shown = *next;
                continue;
            }
            Ended::Left => Ok(Exit::Done),
            Ended::Signalled => Ok(Exit::Interrupted),
            Ended::TerminalGone => Ok(Exit::Failed),
        };
    }
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
    global: &GlobalArguments,
) -> Result<Exit, CommandError> {
    let watch = DemoWatch::of(&environment, &Folders::of_user()?.environments());
    open_console(environment, authority, global, end_of_demo(watch)).await
}

/// How the demo of another terminal ended; an environment that no process here runs does not end.
async fn end_of_demo(watch: Option<DemoWatch>) -> String {
    match watch {
        Some(watch) => watch.end().await.to_string(),
        None => pending().await,
    }
}
