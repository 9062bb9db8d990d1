//! The dead-letter queue: why letters died, and back to the source queue with them.

use chrono::{DateTime, Utc};
use ratatui::Frame;
use ratatui::layout::{Position, Rect};

use super::ScreenId;
use crate::environment::Environment;
use crate::tui::keymap::{Action, Context};
use crate::tui::message::{Reply, RequestId};
use crate::tui::model::Model;
use crate::tui::turn::Turn;

/// State of the screen.
#[derive(Debug)]
pub struct DeadLetters {}

impl DeadLetters {
    /// Nothing held yet.
    #[must_use]
    pub fn new(_environment: &Environment) -> Self {
        Self {}
    }
    /// Where keys go.
    #[must_use]
    pub fn context(&self) -> Context {
        Context::Screen(ScreenId::DeadLetters)
    }
    /// Receipt handles that are held.
    #[must_use]
    pub fn held_handles(&self) -> Vec<String> {
        Vec::new()
    }
    /// Since when the screen waits for something.
    #[must_use]
    pub fn waiting_since(&self) -> Option<DateTime<Utc>> {
        None
    }
    /// The screen is shown.
    pub fn enter(&mut self, _turn: &mut Turn<'_>) {}
    /// The screen is left.
    pub fn leave(&mut self, _turn: &mut Turn<'_>) {}
    /// Carries out an action.
    pub fn act(&mut self, _action: Action, _turn: &mut Turn<'_>) {}
    /// A click inside the screen.
    pub fn click(&mut self, _position: Position, _turn: &mut Turn<'_>) {}
    /// The wheel inside the screen.
    pub fn scroll(&mut self, _position: Position, _lines: isize, _turn: &mut Turn<'_>) {}
    /// The screen has a new size.
    pub fn resize(&mut self, _body: Rect) {}
    /// Time passed.
    pub fn tick(&mut self, _is_visible: bool, _turn: &mut Turn<'_>) {}
    /// An answer came.
    pub fn reply(&mut self, _reply: Reply, _turn: &mut Turn<'_>) {}
    /// A redrive got further.
    pub fn progress(&mut self, _id: RequestId, _done: usize) {}
    /// Draws the screen.
    pub fn view(&self, _model: &Model, _canvas: &mut Frame<'_>, _area: Rect) {}
}
