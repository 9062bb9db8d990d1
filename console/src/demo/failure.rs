//! A failure of the stack as the failure of the command.

use crate::cli::CommandError;

pub(super) fn failed(error: devstack::DevstackError) -> CommandError {
    CommandError::Failed(error.to_string())
}
