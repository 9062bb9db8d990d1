//! The saved filters of records, in a file of this user.

use super::redrives::blocking;
use crate::saved_filters::{self, SavedFilter, SavedFiltersError};
use crate::tui::fault::Fault;
use pipeline::environment::Folders;

pub(super) async fn read() -> Result<Vec<SavedFilter>, Fault> {
    on_state(|folders| saved_filters::read(&folders)).await
}

pub(super) async fn save(filter: SavedFilter) -> Result<Vec<SavedFilter>, Fault> {
    on_state(|folders| saved_filters::save(&folders, filter)).await
}

async fn on_state(
    work: impl FnOnce(Folders) -> Result<Vec<SavedFilter>, SavedFiltersError> + Send + 'static,
) -> Result<Vec<SavedFilter>, Fault> {
    let folders = Folders::of_user().map_err(|error| Fault::new(error.to_string()))?;
    let filters = blocking(move || work(folders)).await?;
    filters.map_err(|error| Fault::new(error.to_string()))
}
