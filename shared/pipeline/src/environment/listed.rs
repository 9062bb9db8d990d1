//! The environments there are, as one list.
//!
//! Invariant: the one that is marked is the one that a command with the same options would use;
//! nothing that is listed is an address of the pipeline or a secret.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::{Environment, EnvironmentError, Folders, RunningEnvironment};
use super::{configured, named, only_one, running_environments};

/// All environments, by name.
#[derive(Debug)]
pub struct EnvironmentList {
    /// The environments.
    pub environments: Vec<ListedEnvironment>,
    /// Why none of them is used, where none is.
    pub unused: Option<EnvironmentError>,
}

/// What is known of one environment without asking it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ListedEnvironment {
    /// Its name, as `--env` takes it.
    pub name: String,
    /// Where it comes from.
    pub source: EnvironmentSource,
    /// The configuration file; `None` for a running demo.
    pub path: Option<PathBuf>,
    /// The process that runs it, where it is a running demo that has said so.
    pub pid: Option<u32>,
    /// Whether one can connect to it.
    pub is_ready: bool,
    /// Whether changes need a confirmation; `None` for a demo that has not said so.
    pub is_production: Option<bool>,
    /// Whether nothing may be changed; `None` for a demo that has not said so.
    pub read_only: Option<bool>,
    /// Whether it is the one that is used.
    pub is_used: bool,
}

/// Where an environment comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum EnvironmentSource {
    /// An entry of the configuration file.
    ConfigFile,
    /// A demo that runs on this machine.
    RunningDemo,
}

impl Environment {
    /// Lists what is configured and what runs; `name` and `config_path` as in [`Self::load`].
    ///
    /// # Errors
    /// When the configuration or the state folder cannot be used.
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
        // The running ones come first: by a name that both have, the running one is meant.
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

    /// A running one; nothing where its owner is gone.
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
