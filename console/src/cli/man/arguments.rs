//! Arguments of `man`.

use std::path::PathBuf;

use clap::Args;

/// Where to write the manual pages.
#[derive(Debug, Args)]
pub struct ManArguments {
    /// Folder for the pages; made where it is missing
    #[arg(long, value_name = "DIR")]
    pub into: PathBuf,
}
