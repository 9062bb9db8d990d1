//! Why there is no usable environment.

use std::path::PathBuf;

/// Why there is no usable environment.
#[derive(Debug, thiserror::Error)]
pub enum EnvironmentError {
    /// No environment is configured or running.
    #[error(
        "no environment: nothing is configured and no demo is running; add one with `opsconsole env import DIR`, \
         or start one with `cargo demo` in a checkout of the source code"
    )]
    None,
    /// Several exist and `--env` is missing.
    #[error("several environments exist; choose one with --env NAME: {}", .known.join(", "))]
    NotChosen {
        /// The known names.
        known: Vec<String>,
    },
    /// There is no environment of this name.
    #[error(
        "no environment {name:?}; known: {}; add one with `opsconsole env import DIR`",
        if .known.is_empty() { "none".to_owned() } else { .known.join(", ") }
    )]
    Unknown {
        /// The requested name.
        name: String,
        /// The known names.
        known: Vec<String>,
    },
    /// Another process is still starting it.
    #[error(
        "environment {name:?} is still starting{}; try again in a few seconds",
        .pid.map_or_else(String::new, |pid| format!(" (pid {pid})"))
    )]
    StillStarting {
        /// Name of the environment.
        name: String,
        /// The process that starts it; `None` before it wrote its pid.
        pid: Option<u32>,
    },
    /// Its owner has ended.
    #[error(
        "environment {name:?} has ended: its process left {} behind; start it again with \
         `cargo demo`",
        .path.display()
    )]
    Stale {
        /// The environment.
        name: String,
        /// The file that was left behind.
        path: PathBuf,
    },
    /// Another process runs the same environment.
    #[error(
        "a demo is already running{}; use it with `opsconsole --env {name}`, or stop it first",
        .pid.map_or_else(String::new, |pid| format!(" (pid {pid})"))
    )]
    AlreadyRunning {
        /// The environment.
        name: String,
        /// The process that runs it; `None` before it wrote its pid.
        pid: Option<u32>,
    },
    /// A file cannot be read or written.
    #[error("{operation} {}: {cause}", .path.display())]
    File {
        /// The operation, without the path.
        operation: &'static str,
        /// The file.
        path: PathBuf,
        /// Why it failed.
        cause: std::io::Error,
    },
    /// The content of a file is invalid.
    #[error("{}: {detail}", .path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// What is wrong, and where.
        detail: String,
    },
    /// The user has no home folder.
    #[error("no home folder: set HOME, or name the configuration with --config")]
    NoHome,
}
