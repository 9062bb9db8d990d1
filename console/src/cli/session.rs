//! What a command works with: the environment that was selected, the authority for changes, the
//! signals.
//!
//! Invariant: nothing here touches the network; a connection is made at its first use.

use super::arguments::GlobalArguments;
use super::exit::CommandError;
use super::interrupt::Interrupt;
use super::output::Output;
use export::Target;
use pipeline::audit::AuditLog;
use pipeline::environment::{Environment, state_folder};
use pipeline::{Authority, Pipeline};

/// What every command needs.
#[derive(Clone, Debug)]
pub(crate) struct Session {
    pub(crate) pipeline: Pipeline,
    pub(crate) output: Output,
}

pub(crate) fn listen() -> Result<Interrupt, CommandError> {
    Interrupt::listen().map_err(|cause| CommandError::File {
        operation: "listen for signals".to_owned(),
        cause,
    })
}

pub(super) fn environment(global: &GlobalArguments) -> Result<Environment, CommandError> {
    let mut environment =
        Environment::load(global.environment.as_deref(), global.config.as_deref())?;
    environment.read_only |= global.read_only;
    Ok(environment)
}

pub(super) fn connect(global: &GlobalArguments) -> Result<Pipeline, CommandError> {
    let pipeline = Pipeline::connect(&environment(global)?)?;
    Ok(pipeline.with_authority(authority(global)?))
}

/// Remembers where copies of events are written outside of the state folder, so that `erase` finds them.
pub(super) fn remember(target: &Target) -> Result<(), CommandError> {
    Ok(export::remember_target(&state_folder()?, target)?)
}

/// The authority for changes, from the options of the command line.
pub(crate) fn authority(global: &GlobalArguments) -> Result<Authority, CommandError> {
    Ok(Authority {
        confirmation: global.confirm.clone(),
        reason: global.reason.clone(),
        log: Some(AuditLog::in_folder(&state_folder()?)),
    })
}
