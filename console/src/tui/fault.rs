//! Why a request failed, in words for the screen.

/// What failed and what helps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    /// Operation, address, cause, time.
    pub(crate) message: String,
    pub(crate) hint: Option<String>,
}

impl Fault {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            hint: None,
        }
    }
}
