//! Screen Records.

use chrono::{DateTime, Utc};
use crossterm::event::KeyEvent;
use ratatui::Frame;
use ratatui::layout::{Position, Rect};

use super::ScreenId;
use crate::tui::keymap::{Action, Context};
use crate::tui::message::Reply;
use crate::tui::model::Model;
use crate::tui::turn::Turn;

/// State of the screen.
#[derive(Debug, Default)]
pub struct Records {}

impl Records {
    /// Where keys go.
    #[must_use]
    pub fn context(&self) -> Context {
        Context::Screen(ScreenId::Records)
    }
    /// Since when the screen waits for something.
    #[must_use]
    pub fn waiting_since(&self) -> Option<DateTime<Utc>> {
        None
    }
    /// The screen is shown.
    pub fn enter(&mut self, _turn: &mut Turn<'_>) {}
    /// Carries out an action.
    pub fn act(&mut self, _action: Action, _turn: &mut Turn<'_>) {}
    /// A key that writes.
    pub fn key(&mut self, _key: KeyEvent, _turn: &mut Turn<'_>) {}
    /// Pasted text.
    pub fn paste(&mut self, _text: &str) {}
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
    /// Draws the screen.
    pub fn view(&self, _model: &Model, _canvas: &mut Frame<'_>, _area: Rect) {}
}
