//! Which key does what, where. Invariant: help, hints and palette are made from this table, so a
//! key that works is always shown and a key that is shown always works.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::screens::ScreenId;

mod bindings;

pub use self::bindings::BINDINGS;

/// Everything that a key, a click or the palette can ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// Leave the console.
    Quit,
    /// Show or hide the keys.
    Help,
    /// Find an action by name.
    Palette,
    /// Go to a screen.
    Show(ScreenId),
    /// Go to the next screen.
    NextScreen,
    /// Go to the previous screen.
    PreviousScreen,
    /// Ask the pipeline again, now.
    Refresh,
    /// Close what is open, one level.
    Back,
    /// Selection up.
    Up,
    /// Selection down.
    Down,
    /// One page up.
    PageUp,
    /// One page down.
    PageDown,
    /// To the first row.
    First,
    /// To the last row.
    Last,
    /// Open the selected thing.
    Open,
    /// Move the focus to the next pane.
    SwitchPane,
    /// Scroll the detail up.
    DetailUp,
    /// Scroll the detail down.
    DetailDown,
    /// Copy the selected thing to the clipboard.
    CopyItem,
    /// Mark or unmark the selected message.
    Mark,
    /// Mark all messages that are listed.
    MarkAll,
    /// Take all marks away.
    ClearMarks,
    /// Redrive the marked messages, the group or the selected message.
    Redrive,
    /// Give the held messages back.
    Release,
    /// Edit the filter.
    Filter,
    /// Take the filter away.
    ClearFilter,
    /// Follow new records, or stop.
    Follow,
    /// Edit the event.
    Edit,
    /// Start over from the next template.
    NextTemplate,
    /// Send the event to the topic.
    Send,
    /// Agree to what is asked.
    Confirm,
    /// Take in what would be skipped, or leave it out again.
    IncludeSkipped,
    /// Send more messages per second.
    Faster,
    /// Send fewer messages per second.
    Slower,
    /// Take other canary steps.
    NextCanary,
    /// Write down why.
    Reason,
    /// Pause the redrive, or let it go on.
    Pause,
    /// End the redrive.
    CancelRun,
    /// Go on with a redrive that was interrupted.
    Resume,
    /// Search among the messages.
    Search,
    /// Take the search away.
    ClearSearch,
    /// Patch messages by a jq program.
    Patch,
    /// Edit the selected message.
    EditMessage,
    /// Edit the selected message in the operator's own editor.
    EditOutside,
    /// Delete messages for good, with a copy in a file.
    Delete,
    /// Take the edit of the selected message back.
    TakeBack,
    /// Take all edits back.
    TakeAllBack,
    /// Show the next one.
    NextItem,
    /// Show the one before.
    PreviousItem,
}

/// Where a binding works.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Context {
    /// On a screen, nothing open.
    Screen(ScreenId),
    /// In the editor of an event: other keys write.
    Editor,
    /// In a line of input: other keys write.
    Input,
    /// In front of a question with yes and no.
    Confirm,
    /// In front of the plan of a redrive.
    Plan,
    /// In front of what a patch would do.
    Patch,
    /// In the list of keys.
    Help,
    /// In the palette: other keys write.
    Palette,
}

/// One key with its modifiers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyPress {
    code: KeyCode,
    modifiers: KeyModifiers,
}

impl KeyPress {
    const fn plain(code: KeyCode) -> Self {
        Self {
            code,
            modifiers: KeyModifiers::NONE,
        }
    }

    const fn char(character: char) -> Self {
        Self::plain(KeyCode::Char(character))
    }

    const fn ctrl(character: char) -> Self {
        Self {
            code: KeyCode::Char(character),
            modifiers: KeyModifiers::CONTROL,
        }
    }

    fn matches(self, key: KeyEvent) -> bool {
        // Capitals and symbols arrive with SHIFT from some terminals and without it from others.
        let ignored = if matches!(self.code, KeyCode::Char(_) | KeyCode::BackTab) {
            KeyModifiers::SHIFT
        } else {
            KeyModifiers::NONE
        };
        key.code == self.code && key.modifiers.difference(ignored) == self.modifiers
    }

    /// The key as people write it.
    #[must_use]
    pub fn label(self) -> String {
        #[expect(clippy::wildcard_enum_match_arm, reason = "keys that no binding uses")]
        let name = match self.code {
            KeyCode::Char(' ') => "space".to_owned(),
            KeyCode::Char(character) => character.to_string(),
            KeyCode::Enter => "⏎".to_owned(),
            KeyCode::Esc => "esc".to_owned(),
            KeyCode::Tab => "tab".to_owned(),
            KeyCode::BackTab => "⇧tab".to_owned(),
            KeyCode::Up => "↑".to_owned(),
            KeyCode::Down => "↓".to_owned(),
            KeyCode::PageUp => "pgup".to_owned(),
            KeyCode::PageDown => "pgdn".to_owned(),
            KeyCode::Home => "home".to_owned(),
            KeyCode::End => "end".to_owned(),
            KeyCode::F(number) => format!("F{number}"),
            other => format!("{other:?}"),
        };
        if self.modifiers.contains(KeyModifiers::CONTROL) {
            format!("^{name}")
        } else {
            name
        }
    }
}

/// Where a group of bindings works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// On every screen with nothing open.
    Screens,
    /// On some screens.
    Some(&'static [ScreenId]),
    /// In other contexts.
    In(&'static [Context]),
    /// Wherever messages do not write.
    Unwritten,
    /// Really everywhere.
    Everywhere,
}

/// One line of the keymap.
#[derive(Debug)]
pub struct Binding {
    /// What it does.
    pub action: Action,
    /// The keys that do it; the first is shown in hints.
    pub keys: &'static [KeyPress],
    /// What it does, in words.
    pub label: &'static str,
    /// Rank in the hint line, 1 first; 0 is only in the help.
    pub hint: u8,
    place: Place,
}

impl Binding {
    /// The one screen that it belongs to, if it belongs to one only.
    #[must_use]
    pub const fn home(&self) -> Option<ScreenId> {
        match self.place {
            Place::Some(&[screen]) => Some(screen),
            Place::Some(_)
            | Place::Screens
            | Place::In(_)
            | Place::Unwritten
            | Place::Everywhere => None,
        }
    }

    /// Whether it works there.
    #[must_use]
    pub fn works_in(&self, context: Context) -> bool {
        match (self.place, context) {
            (Place::Everywhere, _)
            | (Place::Screens, Context::Screen(_))
            | (
                Place::Unwritten,
                Context::Screen(_)
                | Context::Help
                | Context::Confirm
                | Context::Plan
                | Context::Patch,
            ) => true,
            (Place::Some(screens), Context::Screen(screen)) => screens.contains(&screen),
            (Place::In(contexts), context) => contexts.contains(&context),
            (
                Place::Screens | Place::Some(_) | Place::Unwritten,
                Context::Editor
                | Context::Input
                | Context::Confirm
                | Context::Plan
                | Context::Patch
                | Context::Help
                | Context::Palette,
            ) => false,
        }
    }
}

impl Action {
    /// Whether it acts on what is seen: it is not carried out by name from another screen.
    #[must_use]
    pub const fn needs_a_look(self) -> bool {
        matches!(
            self,
            Self::Redrive
                | Self::Mark
                | Self::MarkAll
                | Self::ClearMarks
                | Self::Release
                | Self::Send
                | Self::Pause
                | Self::CancelRun
                | Self::Resume
                | Self::Patch
                | Self::EditMessage
                | Self::Delete
                | Self::EditOutside
                | Self::TakeBack
                | Self::TakeAllBack
        )
    }
}

/// What a key does there.
#[must_use]
pub fn lookup(context: Context, key: KeyEvent) -> Option<Action> {
    BINDINGS
        .iter()
        .filter(|binding| binding.works_in(context))
        .find(|binding| binding.keys.iter().any(|press| press.matches(key)))
        .map(|binding| binding.action)
}

/// The bindings that work there, the important ones first.
pub fn hints(context: Context) -> Vec<&'static Binding> {
    let mut hints: Vec<_> = BINDINGS
        .iter()
        .filter(|binding| binding.hint > 0 && binding.works_in(context))
        .collect();
    hints.sort_by_key(|binding| binding.hint);
    hints
}

#[cfg(test)]
mod tests {
    use super::*;

    fn every_context() -> Vec<Context> {
        let mut contexts: Vec<_> = ScreenId::ALL.into_iter().map(Context::Screen).collect();
        contexts.extend([
            Context::Editor,
            Context::Input,
            Context::Confirm,
            Context::Plan,
            Context::Patch,
            Context::Help,
            Context::Palette,
        ]);
        contexts
    }

    #[test]
    fn no_key_means_two_things_in_one_place() {
        for context in every_context() {
            let mut seen: Vec<(KeyPress, Action)> = Vec::new();
            for binding in BINDINGS.iter().filter(|binding| binding.works_in(context)) {
                for key in binding.keys {
                    assert!(
                        !seen
                            .iter()
                            .any(|(other, action)| other == key && *action != binding.action),
                        "{} is bound twice in {context:?}",
                        key.label()
                    );
                    seen.push((*key, binding.action));
                }
            }
        }
    }

    #[test]
    fn quit_and_back_answer_everywhere() {
        let quit = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
        let back = KeyEvent::new(KeyCode::Esc, KeyModifiers::NONE);
        for context in every_context() {
            assert_eq!(lookup(context, quit), Some(Action::Quit), "{context:?}");
            assert_eq!(lookup(context, back), Some(Action::Back), "{context:?}");
        }
    }

    #[test]
    fn messages_write_where_text_is_written() {
        let q = KeyEvent::new(KeyCode::Char('q'), KeyModifiers::NONE);
        for context in [Context::Editor, Context::Input, Context::Palette] {
            assert_eq!(lookup(context, q), None, "{context:?}");
        }
        let capital = KeyEvent::new(KeyCode::Char('G'), KeyModifiers::SHIFT);
        assert_eq!(
            lookup(Context::Screen(ScreenId::Records), capital),
            Some(Action::Last)
        );
    }
}
