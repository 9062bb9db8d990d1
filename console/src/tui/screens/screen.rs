//! What every screen does.

use chrono::{DateTime, Utc};
use crossterm::event::KeyEvent;
use ratatui::Frame;
use ratatui::layout::Position;

use crate::tui::context::{ScreenContext, UpdateContext};
use crate::tui::keymap::{Action, Binding, KeyContext, Label};
use crate::tui::trace::subject::Traceable;

/// What can happen to a screen, answers to its requests apart.
#[derive(Debug)]
pub(crate) enum ScreenEvent<'a> {
    /// It is shown from now on.
    Enter,
    /// Another one is shown from now on.
    Leave,
    Act(Action),
    /// A key that no binding uses, where keys write.
    Key(KeyEvent),
    Paste(&'a str),
    Click(Position),
    /// The mouse moved with its left button pressed.
    Drag(Position),
    /// The wheel moved by so many lines.
    Scroll(Position, isize),
    Resize,
    /// Time passed, whether or not it is shown.
    Tick,
}

pub(crate) trait Screen {
    fn update(&mut self, event: ScreenEvent<'_>, context: &mut UpdateContext<'_>);

    fn view(&self, context: &ScreenContext<'_>, canvas: &mut Frame<'_>);

    /// Where keys go.
    fn key_context(&self) -> KeyContext;

    /// The label of a key; `None` where the key does nothing now.
    fn hint(&self, binding: &Binding, _: &ScreenContext<'_>) -> Option<Label> {
        Some(binding.label.into())
    }

    /// The event that is selected.
    fn traceable(&self) -> Traceable {
        Traceable::Nothing
    }

    /// Since when it waits for something that it shows as awaited.
    fn waiting_since(&self) -> Option<DateTime<Utc>> {
        None
    }
}
