//! All environments, and one of them by its name.

use pipeline::environment::Environment;
use pipeline::fleet::{self, FleetRow};

use super::redrives::blocking;
use crate::tui::configuration::Configuration;
use crate::tui::fault::Fault;

/// Reads every configured environment and every running demo once.
pub(super) async fn fleet(configuration: Configuration) -> Result<Vec<FleetRow>, Fault> {
    let every = blocking(move || Environment::every(&[], configuration.file.as_deref())).await?;
    let every = every.map_err(|error| Fault::new(error.to_string()))?;
    Ok(fleet::read(every).await)
}

/// The environment of this name, as the command line would open it.
pub(super) async fn load(
    configuration: Configuration,
    name: String,
) -> Result<Box<Environment>, Fault> {
    let read = move || {
        let read = Environment::load(Some(&name), configuration.file.as_deref());
        read.map(|mut environment| {
            environment.read_only |= configuration.is_read_only;
            Box::new(environment)
        })
    };
    let read = blocking(read).await?;
    read.map_err(|error| Fault::new(error.to_string()))
}
