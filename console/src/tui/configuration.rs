//! Where the other environments come from.

use std::path::PathBuf;

/// Where environments are described, and how they are opened.
#[derive(Clone, Debug, Default)]
pub(crate) struct Configuration {
    /// The file of the command line; `None` for the one of the configuration folder.
    pub(crate) file: Option<PathBuf>,
    /// Whether every change is refused, whatever the entry says.
    pub(crate) is_read_only: bool,
}
