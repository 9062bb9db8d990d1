//! `redrive`: which command is whose.

use std::path::Path;

use super::redrive_arguments::RedriveCommand;
use super::{CommandError, Exit, Interrupt, Output, Session};
use super::{redrive_history, redrive_native, redrive_plan, redrive_run, redrive_steer};
use crate::redrive::Order;

/// Commands on the files of this machine. They need no environment.
pub(super) async fn look(
    command: RedriveCommand,
    (environment, config): (Option<&str>, Option<&Path>),
    output: Output,
) -> Result<Exit, CommandError> {
    match command {
        RedriveCommand::Show { plan, letters } => redrive_plan::show(&plan, letters, output),
        RedriveCommand::List { limit } => {
            redrive_history::list((environment, config), limit as usize, output)
        }
        RedriveCommand::Report { id } => redrive_history::report(id, output),
        RedriveCommand::Pause { id } => redrive_steer::order(id, Order::Pause, output).await,
        RedriveCommand::Cancel { id } => redrive_steer::order(id, Order::Cancel, output).await,
        RedriveCommand::Plan(_)
        | RedriveCommand::Run(_)
        | RedriveCommand::Resume { .. }
        | RedriveCommand::Native(_) => Ok(Exit::Usage),
    }
}

/// Commands on the letters of an environment.
pub(super) async fn run(
    session: &Session,
    command: RedriveCommand,
    interrupt: &mut Interrupt,
) -> Result<Exit, CommandError> {
    match command {
        RedriveCommand::Plan(arguments) => redrive_plan::plan(session, arguments, interrupt).await,
        RedriveCommand::Run(arguments) => redrive_run::run(session, arguments, interrupt).await,
        RedriveCommand::Resume { id, options } => {
            redrive_steer::resume(session, id, options, interrupt).await
        }
        RedriveCommand::Native(command) => redrive_native::run(session, command, interrupt).await,
        RedriveCommand::Show { .. }
        | RedriveCommand::List { .. }
        | RedriveCommand::Report { .. }
        | RedriveCommand::Pause { .. }
        | RedriveCommand::Cancel { .. } => Ok(Exit::Usage),
    }
}
