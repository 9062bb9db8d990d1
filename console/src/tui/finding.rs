//! What an operator should attend to.

use super::screen_id::ScreenId;
use super::theme::Tone;

/// Something that needs attention.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    /// How bad it is.
    pub(crate) tone: Tone,
    /// What it is, with its numbers.
    pub(crate) text: String,
    /// What to do about it.
    pub(crate) advice: String,
    /// The screen that helps.
    pub(crate) screen: Option<ScreenId>,
}
