//! One hop of the pipeline.

use crate::tui::theme::Tone;

pub(super) struct Hop {
    pub(super) title: &'static str,
    pub(super) tone: Tone,
    /// The number that matters.
    pub(super) main: String,
    /// The rest, most important first.
    pub(super) rest: Vec<String>,
}
