//! Finding an environment by its name, or the only one there is.
//!
//! Invariant: nothing is chosen silently where there are several.

use std::path::Path;

use super::definition::Environment;
use super::error::EnvironmentError;
use super::folders::Folders;
use super::imported::Imported;
use super::running::{RunningEnvironment, running_environments};
use super::{configured, imported};

impl Environment {
    /// Finds an environment: the named one, else the only one that is configured or running.
    /// `config_path` overrides the path of the configuration file.
    ///
    /// # Errors
    /// When there is no such environment, or its description is invalid. The error names the file, the key
    /// and the fix.
    pub fn load(name: Option<&str>, config_path: Option<&Path>) -> Result<Self, EnvironmentError> {
        let folders = Folders::of_user()?;
        Self::load_from(name, config_path, &folders)
    }

    pub(super) fn load_from(
        name: Option<&str>,
        config_path: Option<&Path>,
        folders: &Folders,
    ) -> Result<Self, EnvironmentError> {
        let configured = configured::read(config_path, &folders.config_file())?;
        let running = running_environments(&folders.environments())?;
        match name {
            Some(name) => named(name, configured, running),
            None => only_one(configured, running),
        }
    }

    /// Writes the entry of an environment to the configuration file, with the keys and values of Terraform's
    /// output `console`. A different entry of the same name is overwritten only with `replace`.
    ///
    /// # Errors
    /// When the values are no valid entry, when there is a different one, or when the file cannot be read or
    /// written.
    pub fn import(
        name: &str,
        values: &serde_json::Map<String, serde_json::Value>,
        config_path: Option<&Path>,
        replace: bool,
    ) -> Result<Imported, EnvironmentError> {
        let path = match config_path {
            Some(path) => path.to_owned(),
            None => Folders::of_user()?.config_file(),
        };
        imported::write(name, values, &path, replace)
    }
}

pub(super) fn named(
    name: &str,
    configured: Vec<Environment>,
    running: Vec<RunningEnvironment>,
) -> Result<Environment, EnvironmentError> {
    let known = known_names(&configured, &running);
    for candidate in running {
        let is_stale = matches!(candidate, RunningEnvironment::Stale { .. });
        if candidate.name() == name
            && !(is_stale && configured.iter().any(|known| known.name == name))
        {
            return candidate.into_environment();
        }
    }
    configured
        .into_iter()
        .find(|environment| environment.name == name)
        .ok_or_else(|| EnvironmentError::Unknown {
            name: name.to_owned(),
            known,
        })
}

/// The only environment, for commands without `--env`. A running demo has no priority over an entry of the
/// configuration: a command for the one must never reach the other.
pub(super) fn only_one(
    mut configured: Vec<Environment>,
    mut running: Vec<RunningEnvironment>,
) -> Result<Environment, EnvironmentError> {
    running.retain(|candidate| !matches!(candidate, RunningEnvironment::Stale { .. }));
    // With the same name, the running one has priority.
    configured.retain(|entry| running.iter().all(|other| other.name() != entry.name));
    if configured.len() + running.len() > 1 {
        return Err(EnvironmentError::NotChosen {
            known: known_names(&configured, &running),
        });
    }
    match (configured.pop(), running.pop()) {
        (Some(environment), _) => Ok(environment),
        (None, Some(candidate)) => candidate.into_environment(),
        (None, None) => Err(EnvironmentError::None),
    }
}

fn known_names(configured: &[Environment], running: &[RunningEnvironment]) -> Vec<String> {
    let mut names: Vec<String> = configured
        .iter()
        .map(|environment| environment.name.clone())
        .chain(running.iter().map(RunningEnvironment::to_string))
        .collect();
    names.sort();
    names
}
