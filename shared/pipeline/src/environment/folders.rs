//! Where this program keeps its configuration and its state.

use std::path::{Path, PathBuf};

use directories::ProjectDirs;

use super::error::EnvironmentError;

/// The folder of this user's persistent state (journals, audit log).
///
/// # Errors
/// When the user has no home folder.
pub fn state_folder() -> Result<PathBuf, EnvironmentError> {
    Ok(Folders::of_user()?.state)
}

/// The folders of this user.
#[derive(Clone, Debug)]
pub struct Folders {
    pub(super) config: PathBuf,
    pub(super) state: PathBuf,
}

impl Folders {
    /// The folders of the user that runs this process.
    ///
    /// # Errors
    /// When the user has no home folder.
    pub fn of_user() -> Result<Self, EnvironmentError> {
        let folders = ProjectDirs::from("", "", "opsconsole").ok_or(EnvironmentError::NoHome)?;
        Ok(Self {
            config: folders.config_dir().to_owned(),
            state: folders
                .state_dir()
                .unwrap_or_else(|| folders.data_local_dir())
                .to_owned(),
        })
    }

    /// Folders at other places, for tests and tools.
    #[must_use]
    pub fn at(config: PathBuf, state: PathBuf) -> Self {
        Self { config, state }
    }

    pub(super) fn config_file(&self) -> PathBuf {
        self.config.join("config.toml")
    }

    /// The folder that the others are in, and the audit log.
    #[must_use]
    pub fn state(&self) -> &Path {
        &self.state
    }

    /// Descriptions of running demos.
    pub fn environments(&self) -> PathBuf {
        self.state.join("environments")
    }

    /// Where the journals of redrives, saved plans and records of move tasks are.
    pub fn redrives(&self) -> PathBuf {
        self.state.join("redrives")
    }

    /// The questions in SQL that were asked, a JSON object on each line.
    #[must_use]
    pub fn sql_history(&self) -> PathBuf {
        self.state.join("sql-history.jsonl")
    }

    /// The filters of records that were given a name, a JSON object on each line.
    #[must_use]
    pub fn record_filters(&self) -> PathBuf {
        self.state.join("record-filters.jsonl")
    }

    /// Where deleted messages are copied to.
    pub fn exports(&self) -> PathBuf {
        self.state.join("exports")
    }
}
