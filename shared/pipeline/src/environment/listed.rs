//! The list of all environments.
//!
//! Invariant: the marked environment is the one that a command with the same options uses. The list contains
//! no addresses of the pipeline and no secrets.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::configured;
use super::definition::Environment;
use super::error::EnvironmentError;
use super::folders::Folders;
use super::load::{named, only_one};
use super::running::{RunningEnvironment, running_environments};

/// All environments, sorted by name.
#[derive(Debug)]
pub struct EnvironmentList {
    /// The environments.
    pub environments: Vec<ListedEnvironment>,
    /// Why none of them is used; `None` if one is.
    pub unused: Option<EnvironmentError>,
}

/// One environment, without connecting to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ListedEnvironment {
    /// The name for `--env`.
    pub name: String,
    /// Where it is described.
    pub source: EnvironmentSource,
    /// The configuration file; `None` for a running demo.
    pub path: Option<PathBuf>,
    /// The process of a running demo, once it wrote its pid.
    pub pid: Option<u32>,
    /// Whether one can connect to it.
    pub is_ready: bool,
    /// Whether changes need a confirmation; `None` for a demo that is not ready.
    pub is_production: Option<bool>,
    /// Whether all changes are refused; `None` for a demo that is not ready.
    pub read_only: Option<bool>,
    /// Whether a command with the same options uses it.
    pub is_used: bool,
}

/// Where an environment is described.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum EnvironmentSource {
    /// An entry of the configuration file.
    ConfigFile,
    /// A demo that runs on this machine.
    RunningDemo,
}

impl Environment {
    /// Lists configured and running environments; `name` and `config_path` as in [`Self::load`].
    ///
    /// # Errors
    /// When the configuration or the state folder cannot be read.
    pub fn list(
        name: Option<&str>,
        config_path: Option<&Path>,
    ) -> Result<EnvironmentList, EnvironmentError> {
        Self::list_from(name, config_path, &Folders::of_user()?)
    }

    pub(super) fn list_from(
        name: Option<&str>,
        config_path: Option<&Path>,
        folders: &Folders,
    ) -> Result<EnvironmentList, EnvironmentError> {
        let usual = folders.config_file();
        let configured = configured::read(config_path, &usual)?;
        let running = running_environments(&folders.environments())?;
        let path = config_path.unwrap_or(&usual);
        // Running ones come first: with the same name, the running one has priority.
        let mut environments: Vec<ListedEnvironment> = running
            .iter()
            .filter_map(ListedEnvironment::running)
            .chain(configured.iter().map(|entry| ListedEnvironment {
                path: Some(path.to_owned()),
                ..ListedEnvironment::known(entry, EnvironmentSource::ConfigFile)
            }))
            .collect();
        let used = match name {
            Some(name) => named(name, configured, running),
            None => only_one(configured, running),
        };
        let unused = match used {
            Ok(used) => {
                let mut listed = environments.iter_mut();
                if let Some(listed) = listed.find(|listed| listed.name == used.name) {
                    listed.is_used = true;
                }
                None
            }
            Err(error) => Some(error),
        };
        environments.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(EnvironmentList {
            environments,
            unused,
        })
    }
}

impl ListedEnvironment {
    fn known(environment: &Environment, source: EnvironmentSource) -> Self {
        Self {
            name: environment.name.clone(),
            source,
            path: None,
            pid: None,
            is_ready: true,
            is_production: Some(environment.is_production),
            read_only: Some(environment.read_only),
            is_used: false,
        }
    }

    /// A running one; `None` if its owner has ended.
    fn running(running: &RunningEnvironment) -> Option<Self> {
        let source = EnvironmentSource::RunningDemo;
        let pid = match running {
            RunningEnvironment::Ready { environment, pid } => {
                return Some(Self {
                    pid: Some(*pid),
                    ..Self::known(environment, source)
                });
            }
            RunningEnvironment::Starting { pid, .. } => *pid,
            RunningEnvironment::Unreadable { .. } => None,
            RunningEnvironment::Stale { .. } => return None,
        };
        Some(Self {
            name: running.name().to_owned(),
            source,
            path: None,
            pid,
            is_ready: false,
            is_production: None,
            read_only: None,
            is_used: false,
        })
    }
}
