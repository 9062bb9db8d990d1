//! What failed in a run.
//!
//! Invariant: every failure of a step is logged by the name of the step, and the result of the run names all of them.

use store::StoreError;

/// Why a run is not done.
#[derive(Debug, thiserror::Error)]
pub enum HandleError {
    /// The schema is not that of this version; nothing that needs it was tried.
    #[error(transparent)]
    Migration(#[from] StoreError),
    /// Steps that failed, in the order of the run; the others were done.
    #[error("{}", in_words(.0))]
    Steps(Vec<(&'static str, StoreError)>),
}

fn in_words(failed: &[(&'static str, StoreError)]) -> String {
    let steps = failed
        .iter()
        .map(|(step, error)| format!("{step}: {error}"));
    steps.collect::<Vec<_>>().join("; ")
}

/// The failures of the steps until now.
#[derive(Debug, Default)]
pub(crate) struct Failures(Vec<(&'static str, StoreError)>);

impl Failures {
    /// The value of a step, where it did not fail.
    pub(crate) fn of<T>(&mut self, step: &'static str, result: Result<T, StoreError>) -> Option<T> {
        result
            .inspect_err(|error| tracing::error!(step, %error, "a step failed"))
            .map_err(|error| self.0.push((step, error)))
            .ok()
    }

    pub(crate) fn end(self) -> Result<(), HandleError> {
        if self.0.is_empty() {
            Ok(())
        } else {
            Err(HandleError::Steps(self.0))
        }
    }
}
