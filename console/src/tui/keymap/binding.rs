//! One line of the keymap.

use super::action::{Action, KeyContext};
use super::key::KeyPress;
use crate::tui::screen_id::ScreenId;

/// Where a group of bindings works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// On every screen with nothing open.
    Screens,
    Some(&'static [ScreenId]),
    /// In other contexts.
    In(&'static [KeyContext]),
    /// Wherever messages do not write.
    NotTyping,
    /// Really everywhere.
    Everywhere,
}

/// One line of the keymap.
#[derive(Debug)]
pub(crate) struct Binding {
    /// What it does.
    pub(crate) action: Action,
    /// The keys that do it; the first is shown in hints.
    pub(crate) keys: &'static [KeyPress],
    /// What it does, as the help shows it.
    pub(crate) label: &'static str,
    /// Rank in the hint line, 1 first; 0 is only in the help.
    pub(crate) hint: u8,
    pub(super) place: Place,
}

impl Binding {
    /// The one screen that it belongs to, if it belongs to one only.
    pub(crate) const fn home(&self) -> Option<ScreenId> {
        match self.place {
            Place::Some(&[screen]) => Some(screen),
            Place::Some(_)
            | Place::Screens
            | Place::In(_)
            | Place::NotTyping
            | Place::Everywhere => None,
        }
    }

    /// Whether it works there.
    pub(crate) fn works_in(&self, context: KeyContext) -> bool {
        match (self.place, context) {
            (Place::Everywhere, _)
            | (Place::Screens, KeyContext::Screen(_))
            | (
                Place::NotTyping,
                KeyContext::Screen(_)
                | KeyContext::Help
                | KeyContext::Confirm
                | KeyContext::Plan
                | KeyContext::Patch
                | KeyContext::Quit
                | KeyContext::Trace,
            ) => true,
            (Place::Some(screens), KeyContext::Screen(screen)) => screens.contains(&screen),
            (Place::In(contexts), context) => contexts.contains(&context),
            (
                Place::Screens | Place::Some(_) | Place::NotTyping,
                KeyContext::Editor
                | KeyContext::Input
                | KeyContext::Query
                | KeyContext::Confirm
                | KeyContext::Plan
                | KeyContext::Patch
                | KeyContext::Quit
                | KeyContext::Trace
                | KeyContext::Help
                | KeyContext::Palette,
            ) => false,
        }
    }
}
