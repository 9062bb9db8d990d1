//! Finds what a key does, and which keys a hint line shows.

use crossterm::event::KeyEvent;

use super::action::{Action, KeyContext};
use super::binding::Binding;
use super::bindings::BINDINGS;

/// What a key does there.
pub(crate) fn lookup(context: KeyContext, key: KeyEvent) -> Option<Action> {
    BINDINGS
        .iter()
        .filter(|binding| binding.works_in(context))
        .find(|binding| binding.keys.iter().any(|press| press.matches(key)))
        .map(|binding| binding.action)
}

/// The bindings that work there, the important ones first.
pub(crate) fn hints(context: KeyContext) -> Vec<&'static Binding> {
    let mut hints: Vec<_> = BINDINGS
        .iter()
        .filter(|binding| binding.hint > 0 && binding.works_in(context))
        .collect();
    hints.sort_by_key(|binding| binding.hint);
    hints
}

#[cfg(test)]
mod tests {
    use crossterm::event::{KeyCode, KeyModifiers};

    use super::super::key::KeyPress;
    use super::*;
    use crate::tui::screen_id::ScreenId;

    fn every_context() -> Vec<KeyContext> {
        let mut contexts: Vec<_> = ScreenId::ALL
            .iter()
            .copied()
            .map(KeyContext::Screen)
            .collect();
        contexts.extend([
            KeyContext::Editor,
            KeyContext::Input,
            KeyContext::Query,
            KeyContext::Confirm,
            KeyContext::Plan,
            KeyContext::Patch,
            KeyContext::Quit,
            KeyContext::Trace,
            KeyContext::Help,
            KeyContext::Palette,
        ]);
        contexts
    }

    #[test]
    fn number_of_every_screen_shows_it() {
        for &screen in ScreenId::ALL {
            let key = KeyEvent::new(KeyCode::Char(screen.number()), KeyModifiers::NONE);
            let action = lookup(KeyContext::Screen(ScreenId::default()), key);
            assert_eq!(action, Some(Action::Show(screen)), "{screen:?}");
        }
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
        for context in [
            KeyContext::Editor,
            KeyContext::Input,
            KeyContext::Query,
            KeyContext::Palette,
        ] {
            assert_eq!(lookup(context, q), None, "{context:?}");
        }
        let capital = KeyEvent::new(KeyCode::Char('G'), KeyModifiers::SHIFT);
        assert_eq!(
            lookup(KeyContext::Screen(ScreenId::Records), capital),
            Some(Action::Last)
        );
    }
}
