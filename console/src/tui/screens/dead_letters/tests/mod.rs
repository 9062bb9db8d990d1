//! The screen driven by messages, as the console drives it.

mod behaviour;
mod deleting;
pub(in crate::tui::screens) mod fixtures;
mod patch;
mod reading;
mod snapshots;

use chrono::{DateTime, Duration, Utc};
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::DeadLetters;
use crate::tui::message::{Answer, Effect, Fault, Msg, Reply, Request, RequestId, Steering};
use crate::tui::model::{Model, frame};
use crate::tui::patch::Found;
use crate::tui::redrives::{Draft, DryRun};
use crate::tui::theme::Theme;
use crate::tui::update::update;
use pipeline::environment::Environment;
use pipeline::model::{DeadLetter, ReceivedMessages};
use redrive::MessageOutcome;

/// The console on the screen Dead letters, with a hand on the keys and one on the answers.
pub(in crate::tui::screens) struct Harness {
    pub(in crate::tui::screens) model: Model,
    pub(in crate::tui::screens) now: DateTime<Utc>,
    pub(in crate::tui::screens) asked: Vec<(RequestId, Request)>,
    pub(in crate::tui::screens) copied: Vec<String>,
    pub(in crate::tui::screens) steered: Vec<(RequestId, Steering)>,
    pub(in crate::tui::screens) outside: Vec<String>,
}

impl Harness {
    pub(in crate::tui::screens) fn open(width: u16, height: u16, environment: Environment) -> Self {
        let theme = Theme { has_colour: true };
        let now = fixtures::now();
        let mut harness = Self {
            model: Model::new(environment, theme, Rect::new(0, 0, width, height), now),
            now,
            asked: Vec::new(),
            copied: Vec::new(),
            steered: Vec::new(),
            outside: Vec::new(),
        };
        harness.key('2');
        harness
    }

    /// The screen with these messages held.
    pub(in crate::tui::screens) fn holding(messages: Vec<DeadLetter>) -> Self {
        let mut harness = Self::open(80, 24, fixtures::environment());
        harness.answer_messages(messages);
        harness
    }

    pub(in crate::tui::screens) fn screen(&self) -> &DeadLetters {
        &self.model.dead_letters
    }

    pub(in crate::tui::screens) fn send(&mut self, msg: Msg) {
        for effect in update(&mut self.model, self.now, msg) {
            match effect {
                Effect::Ask { id, request } => self.asked.push((id, request)),
                Effect::Steer { id, steering } => self.steered.push((id, steering)),
                Effect::Copy(text) => self.copied.push(text),
                Effect::EditOutside(text) => self.outside.push(text),
                Effect::Quit => {}
            }
        }
    }

    pub(in crate::tui::screens) fn press(&mut self, code: KeyCode, modifiers: KeyModifiers) {
        self.send(Msg::Key(KeyEvent::new(code, modifiers)));
    }

    pub(in crate::tui::screens) fn key(&mut self, character: char) {
        self.press(KeyCode::Char(character), KeyModifiers::NONE);
    }

    pub(in crate::tui::screens) fn keys(&mut self, characters: &str) {
        for character in characters.chars() {
            self.key(character);
        }
    }

    pub(in crate::tui::screens) fn code(&mut self, code: KeyCode) {
        self.press(code, KeyModifiers::NONE);
    }

    pub(in crate::tui::screens) fn refresh(&mut self) {
        self.press(KeyCode::Char('r'), KeyModifiers::CONTROL);
    }

    pub(in crate::tui::screens) fn click(&mut self, column: u16, row: u16) {
        let kind = MouseEventKind::Down(MouseButton::Left);
        let modifiers = KeyModifiers::NONE;
        self.send(Msg::Mouse(MouseEvent {
            kind,
            column,
            row,
            modifiers,
        }));
    }

    pub(in crate::tui::screens) fn pass(&mut self, secs: i64) {
        self.now += Duration::seconds(secs);
        self.send(Msg::Tick);
    }

    /// The newest question of a kind, which is then no longer waiting.
    pub(in crate::tui::screens) fn take(
        &mut self,
        is_wanted: impl Fn(&Request) -> bool,
    ) -> (RequestId, Request) {
        let position = self
            .asked
            .iter()
            .rposition(|(_, request)| is_wanted(request))
            .unwrap();
        self.asked.remove(position)
    }

    pub(in crate::tui::screens) fn count(&self, is_wanted: impl Fn(&Request) -> bool) -> usize {
        self.asked
            .iter()
            .filter(|(_, request)| is_wanted(request))
            .count()
    }

    pub(in crate::tui::screens) fn reply(
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

    pub(in crate::tui::screens) fn answer_messages(&mut self, messages: Vec<DeadLetter>) {
        self.answer_held(ReceivedMessages {
            messages,
            ledger_error: None,
            is_truncated: false,
        });
    }

    pub(in crate::tui::screens) fn answer_held(&mut self, held: ReceivedMessages) {
        let question = self.take(|request| matches!(request, Request::HoldMessages));
        self.reply(&question, Ok(Answer::Messages(held)));
    }

    /// Handles that were asked to be released, oldest request first.
    pub(in crate::tui::screens) fn released(&self) -> Vec<String> {
        let mut released = Vec::new();
        for (_, request) in &self.asked {
            if let Request::ReleaseMessages(handles) = request {
                released.extend(handles.iter().cloned());
            }
        }
        released
    }

    /// Answers the dry run of the review: everything would be sent and stored.
    pub(in crate::tui::screens) fn answer_dry_run(&mut self) {
        let question = self.take(|request| matches!(request, Request::DryRun(_)));
        let Request::DryRun(draft) = &question.1 else {
            panic!("not a dry run")
        };
        let sent = draft.messages.len();
        let dry = DryRun {
            sent,
            ready: sent,
            bytes: sent * 400,
            ..DryRun::default()
        };
        self.reply(&question, Ok(Answer::DryRun(dry)));
    }

    /// Agrees to the plan and gives what was asked for.
    pub(in crate::tui::screens) fn agree(&mut self) -> ((RequestId, Request), Draft) {
        self.answer_dry_run();
        self.key('y');
        let question = self.take(is_redrive);
        let Request::Redrive(draft) = question.1.clone() else {
            panic!("not a redrive")
        };
        (question, draft)
    }

    /// Searches, and answers that so many of the newest messages are found, or why not.
    pub(in crate::tui::screens) fn search(&mut self, line: &str, found: Result<usize, String>) {
        self.key('/');
        self.keys(line);
        self.code(KeyCode::Enter);
        let question = self.take(is_search);
        let Request::Search { messages, .. } = &question.1 else {
            panic!("not a search")
        };
        let result = found
            .map(|number| {
                let ids = messages.iter().rev().take(number);
                Answer::Found(Found {
                    message_ids: ids.map(|message| message.message_id.clone()).collect(),
                    failed: 2,
                })
            })
            .map_err(|message| Fault {
                message,
                hint: None,
            });
        self.reply(&question, result);
    }

    /// Patches the first group with a time; the preview is open then.
    pub(in crate::tui::screens) fn patch_group(&mut self) {
        self.code(KeyCode::Tab);
        self.keys("jp");
        self.keys("time = \"2026-11-24T11:42:00Z\"");
        self.code(KeyCode::Enter);
        let question = self.take(is_patch);
        let Request::Patch { messages, .. } = &question.1 else {
            panic!("not a patch")
        };
        let patched = fixtures::patched(messages);
        self.reply(&question, Ok(Answer::Patched(patched)));
    }

    /// The redrive of a draft ends with an outcome and a cause for each of its messages.
    pub(in crate::tui::screens) fn end_redrive(
        &mut self,
        question: &(RequestId, Request),
        outcomes: &[(&str, MessageOutcome, Option<&str>)],
    ) {
        let end = fixtures::run_end(outcomes);
        self.reply(question, Ok(Answer::Redriven(Box::new(end))));
    }

    /// The screen alone, inside the frame of the console.
    pub(in crate::tui::screens) fn draw(&self) -> Buffer {
        let area = self.model.area;
        let mut terminal = Terminal::new(TestBackend::new(area.width, area.height)).unwrap();
        terminal
            .draw(|canvas| self.screen().view(&self.model, canvas, frame(area).body))
            .unwrap();
        terminal.backend().buffer().clone()
    }

    pub(in crate::tui::screens) fn text(&self) -> String {
        text(&self.draw())
    }

    /// The whole console.
    pub(in crate::tui::screens) fn draw_whole(&self) -> Buffer {
        let area = self.model.area;
        let mut terminal = Terminal::new(TestBackend::new(area.width, area.height)).unwrap();
        terminal
            .draw(|canvas| crate::tui::view::view(&self.model, canvas))
            .unwrap();
        terminal.backend().buffer().clone()
    }

    pub(in crate::tui::screens) fn whole_text(&self) -> String {
        text(&self.draw_whole())
    }
}

fn text(buffer: &Buffer) -> String {
    let width = usize::from(buffer.area.width.max(1));
    let symbols: Vec<_> = buffer.content.iter().map(|cell| cell.symbol()).collect();
    symbols
        .chunks(width)
        .map(<[&str]>::concat)
        .collect::<Vec<_>>()
        .join("\n")
}

pub(in crate::tui::screens) fn is_hold(request: &Request) -> bool {
    matches!(request, Request::HoldMessages)
}

pub(in crate::tui::screens) fn is_extend(request: &Request) -> bool {
    matches!(request, Request::ExtendHold(_))
}

pub(in crate::tui::screens) fn is_redrive(request: &Request) -> bool {
    matches!(request, Request::Redrive(_))
}

pub(in crate::tui::screens) fn is_patch(request: &Request) -> bool {
    matches!(request, Request::Patch { .. })
}

pub(in crate::tui::screens) fn is_search(request: &Request) -> bool {
    matches!(request, Request::Search { .. })
}

pub(in crate::tui::screens) fn is_judge(request: &Request) -> bool {
    matches!(request, Request::Judge { .. })
}
