//! The screen driven by messages, as the console drives it.

mod behaviour;
mod fixtures;
mod snapshots;

use chrono::{DateTime, Duration, Utc};
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::DeadLetters;
use crate::environment::Environment;
use crate::tui::message::{Answer, Effect, Fault, Msg, Reply, Request, RequestId};
use crate::tui::model::{Model, frame};
use crate::tui::theme::Theme;
use crate::tui::update::update;
use crate::world::observed::{DeadLetter, HeldLetters};

/// The console on the screen Dead letters, with a hand on the keys and one on the answers.
pub(super) struct Desk {
    pub(super) model: Model,
    pub(super) now: DateTime<Utc>,
    pub(super) asked: Vec<(RequestId, Request)>,
    pub(super) copied: Vec<String>,
}

impl Desk {
    pub(super) fn open(width: u16, height: u16, environment: Environment) -> Self {
        let theme = Theme { has_colour: true };
        let now = fixtures::now();
        let mut desk = Self {
            model: Model::new(environment, theme, Rect::new(0, 0, width, height), now),
            now,
            asked: Vec::new(),
            copied: Vec::new(),
        };
        desk.key('2');
        desk
    }

    /// The screen with these letters held.
    pub(super) fn holding(letters: Vec<DeadLetter>) -> Self {
        let mut desk = Self::open(80, 24, fixtures::environment());
        desk.answer_letters(letters);
        desk
    }

    pub(super) fn screen(&self) -> &DeadLetters {
        &self.model.dead_letters
    }

    pub(super) fn send(&mut self, msg: Msg) {
        for effect in update(&mut self.model, self.now, msg) {
            match effect {
                Effect::Ask { id, request } => self.asked.push((id, request)),
                Effect::Copy(text) => self.copied.push(text),
                Effect::Quit => {}
            }
        }
    }

    pub(super) fn press(&mut self, code: KeyCode, modifiers: KeyModifiers) {
        self.send(Msg::Key(KeyEvent::new(code, modifiers)));
    }

    pub(super) fn key(&mut self, character: char) {
        self.press(KeyCode::Char(character), KeyModifiers::NONE);
    }

    pub(super) fn keys(&mut self, characters: &str) {
        for character in characters.chars() {
            self.key(character);
        }
    }

    pub(super) fn code(&mut self, code: KeyCode) {
        self.press(code, KeyModifiers::NONE);
    }

    pub(super) fn refresh(&mut self) {
        self.press(KeyCode::Char('r'), KeyModifiers::CONTROL);
    }

    pub(super) fn click(&mut self, column: u16, row: u16) {
        let kind = MouseEventKind::Down(MouseButton::Left);
        let modifiers = KeyModifiers::NONE;
        self.send(Msg::Mouse(MouseEvent {
            kind,
            column,
            row,
            modifiers,
        }));
    }

    pub(super) fn pass(&mut self, secs: i64) {
        self.now += Duration::seconds(secs);
        self.send(Msg::Tick);
    }

    /// The newest question of a kind, which is then no longer waiting.
    pub(super) fn take(&mut self, is_wanted: impl Fn(&Request) -> bool) -> (RequestId, Request) {
        let position = self
            .asked
            .iter()
            .rposition(|(_, request)| is_wanted(request))
            .unwrap();
        self.asked.remove(position)
    }

    pub(super) fn count(&self, is_wanted: impl Fn(&Request) -> bool) -> usize {
        self.asked
            .iter()
            .filter(|(_, request)| is_wanted(request))
            .count()
    }

    pub(super) fn reply(
        &mut self,
        (id, request): &(RequestId, Request),
        result: Result<Answer, Fault>,
    ) {
        self.send(Msg::Reply(Reply {
            id: *id,
            topic: request.topic(),
            result,
        }));
    }

    pub(super) fn answer_letters(&mut self, letters: Vec<DeadLetter>) {
        self.answer_held(HeldLetters {
            letters,
            ledger_error: None,
            is_truncated: false,
        });
    }

    pub(super) fn answer_held(&mut self, held: HeldLetters) {
        let question = self.take(|request| matches!(request, Request::HoldLetters));
        self.reply(&question, Ok(Answer::Letters(held)));
    }

    /// Handles that were asked to be released, oldest request first.
    pub(super) fn released(&self) -> Vec<String> {
        let mut released = Vec::new();
        for (_, request) in &self.asked {
            if let Request::ReleaseLetters(handles) = request {
                released.extend(handles.iter().cloned());
            }
        }
        released
    }

    /// The screen alone, inside the frame of the console.
    pub(super) fn draw(&self) -> Buffer {
        let area = self.model.area;
        let mut terminal = Terminal::new(TestBackend::new(area.width, area.height)).unwrap();
        terminal
            .draw(|canvas| self.screen().view(&self.model, canvas, frame(area).body))
            .unwrap();
        terminal.backend().buffer().clone()
    }

    pub(super) fn text(&self) -> String {
        let buffer = self.draw();
        let width = usize::from(buffer.area.width.max(1));
        let symbols: Vec<_> = buffer.content.iter().map(|cell| cell.symbol()).collect();
        symbols
            .chunks(width)
            .map(<[&str]>::concat)
            .collect::<Vec<_>>()
            .join("\n")
    }
}

pub(super) fn is_hold(request: &Request) -> bool {
    matches!(request, Request::HoldLetters)
}

pub(super) fn is_extend(request: &Request) -> bool {
    matches!(request, Request::ExtendHold(_))
}

pub(super) fn is_redrive(request: &Request) -> bool {
    matches!(request, Request::Redrive(_))
}
