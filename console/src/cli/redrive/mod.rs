//! `redrive`: moving dead letters back to the source queue.
//!
//! Invariant: arguments and rendering only; the work is in [`redrive::operations`].

pub(crate) mod arguments;
pub(crate) mod control;
pub(crate) mod draft;
pub(crate) mod dry_run;
pub(crate) mod execute;
pub(crate) mod history;
pub(crate) mod native;
pub(crate) mod outcome;
pub(crate) mod plan;
pub(crate) mod run;

use std::path::Path;

use crate::cli::redrive::arguments::RedriveCommand;
use crate::cli::{CommandError, Exit, Interrupt, Output, Session};
use redrive::ControlRequest;

/// Commands on the files of this machine. They need no environment.
pub(crate) async fn look(
    command: RedriveCommand,
    (environment, config): (Option<&str>, Option<&Path>),
    output: Output,
) -> Result<Exit, CommandError> {
    match command {
        RedriveCommand::Show { plan, messages } => plan::show(&plan, messages, output),
        RedriveCommand::List { limit } => {
            history::list((environment, config), limit as usize, output)
        }
        RedriveCommand::Report { id } => history::report(id, output),
        RedriveCommand::Pause { id } => control::request(id, ControlRequest::Pause, output).await,
        RedriveCommand::Cancel { id } => control::request(id, ControlRequest::Cancel, output).await,
        RedriveCommand::Plan(_)
        | RedriveCommand::Run(_)
        | RedriveCommand::Resume { .. }
        | RedriveCommand::Native(_) => Ok(Exit::Usage),
    }
}

/// Commands on the messages of an environment.
pub(crate) async fn run(
    session: &Session,
    command: RedriveCommand,
    interrupt: &mut Interrupt,
) -> Result<Exit, CommandError> {
    match command {
        RedriveCommand::Plan(arguments) => plan::plan(session, arguments, interrupt).await,
        RedriveCommand::Run(arguments) => run::run(session, arguments, interrupt).await,
        RedriveCommand::Resume { id, options } => {
            control::resume(session, id, options, interrupt).await
        }
        RedriveCommand::Native(command) => native::run(session, command, interrupt).await,
        RedriveCommand::Show { .. }
        | RedriveCommand::List { .. }
        | RedriveCommand::Report { .. }
        | RedriveCommand::Pause { .. }
        | RedriveCommand::Cancel { .. } => Ok(Exit::Usage),
    }
}
