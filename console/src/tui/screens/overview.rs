//! The whole pipeline at a glance.

use ratatui::Frame;
use ratatui::layout::{Position, Rect};

use crate::environment::Environment;
use crate::tui::keymap::Action;
use crate::tui::model::Model;
use crate::tui::pipeline::Pipeline;
use crate::tui::turn::Turn;

/// State of the screen.
#[derive(Debug, Default)]
pub struct Overview {}

impl Overview {
    /// Carries out an action.
    pub fn act(&mut self, _action: Action, _pipeline: &Pipeline, _environment: &Environment, _turn: &mut Turn<'_>) {}
    /// A click inside the screen.
    pub fn click(&mut self, _position: Position, _pipeline: &Pipeline, _environment: &Environment, _turn: &mut Turn<'_>) {}
    /// Draws the screen.
    pub fn view(&self, _model: &Model, _canvas: &mut Frame<'_>, _area: Rect) {}
}
