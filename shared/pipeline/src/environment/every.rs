//! All environments, each with what is wrong with it.
//!
//! Invariant: a fault of one entry hides no other.

use std::path::Path;

use super::configured;
use super::definition::Environment;
use super::error::EnvironmentError;
use super::folders::Folders;
use super::running::{RunningEnvironment, running_environments};

/// An environment by its name.
#[derive(Debug)]
pub struct NamedEnvironment {
    /// The name for `--env`.
    pub name: String,
    /// The environment, or why it cannot be used.
    pub environment: Result<Environment, EnvironmentError>,
}

impl Environment {
    /// Every configured environment and every running demo, or those of these names; `config_path` as in
    /// [`Self::load`]. Sorted by name.
    ///
    /// # Errors
    /// When there is none, or none of a name, or the configuration or the state folder cannot be read.
    pub fn every(
        only: &[String],
        config_path: Option<&Path>,
    ) -> Result<Vec<NamedEnvironment>, EnvironmentError> {
        Self::every_from(only, config_path, &Folders::of_user()?)
    }

    pub(super) fn every_from(
        only: &[String],
        config_path: Option<&Path>,
        folders: &Folders,
    ) -> Result<Vec<NamedEnvironment>, EnvironmentError> {
        let mut running = running_environments(&folders.environments())?;
        // What a demo left behind is none.
        running.retain(|running| !matches!(running, RunningEnvironment::Stale { .. }));
        let mut every: Vec<NamedEnvironment> = running
            .into_iter()
            .map(|running| NamedEnvironment {
                name: running.name().to_owned(),
                environment: running.into_environment(),
            })
            .collect();
        for (name, environment) in configured::read_each(config_path, &folders.config_file())? {
            // With the same name, the running one has priority.
            if every.iter().all(|known| known.name != name) {
                every.push(NamedEnvironment { name, environment });
            }
        }
        every.sort_by(|one, other| one.name.cmp(&other.name));
        if every.is_empty() {
            return Err(EnvironmentError::None);
        }
        if only.is_empty() {
            return Ok(every);
        }
        let is_unknown = |name: &&String| every.iter().all(|known| known.name != **name);
        if let Some(name) = only.iter().find(is_unknown) {
            return Err(EnvironmentError::Unknown {
                name: name.clone(),
                known: every.into_iter().map(|known| known.name).collect(),
            });
        }
        every.retain(|known| only.contains(&known.name));
        Ok(every)
    }
}
