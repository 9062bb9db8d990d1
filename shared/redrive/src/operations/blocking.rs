//! Work that waits for a disk.

use crate::error::RedriveError;

pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, RedriveError> + Send + 'static,
) -> Result<T, RedriveError> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| RedriveError::Task(error.to_string()))?
}
