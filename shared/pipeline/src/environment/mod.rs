//! Environments: deployed pipelines and running demos, and where they are described.
//!
//! Invariant: every [`Environment`] was validated: its URLs are URLs, and the configuration file contains no
//! secret.

mod configured;
mod definition;
mod ended;
mod error;
mod every;
mod folders;
mod imported;
mod listed;
mod load;
mod names;
mod running;
#[cfg(test)]
mod tests;

pub use definition::{Authorization, Environment, origin};
pub use ended::{DemoWatch, EnvironmentEnd};
pub use error::EnvironmentError;
pub use every::NamedEnvironment;
pub use folders::{Folders, state_folder};
pub use imported::{ImportOutcome, Imported};
pub use listed::{EnvironmentList, EnvironmentSource, ListedEnvironment};
pub use names::environment_names;
pub(crate) use running::is_at;
pub use running::{EnvironmentClaim, RunningEnvironment, running_environments};
