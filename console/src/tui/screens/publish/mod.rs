//! An event is written, judged as the ingest would, sent, and followed to its end.
//!
//! Invariant: nothing is sent that the operator did not see judged; what is refused, and anything in
//! production, is sent only after a question.

mod answers;
pub(super) mod check;
pub(super) mod editor;
mod layout;
mod locate;
mod question;
mod sent;
mod timeline;
mod view;

use std::collections::VecDeque;

use chrono::{DateTime, Utc};
use crossterm::event::KeyEvent;
use event::{EventKey, peek_identity};
use ratatui::Frame;
use ratatui::layout::{Position, Rect};

use self::answers::{published, template, traced};
use self::check::Check;
use self::editor::{Editor, MARGIN, TEXT_BYTES_MAX};
use self::layout::parts;
use self::sent::Sent;
use super::ScreenId;
use crate::tui::format::{UNKNOWN, count, visible};
use crate::tui::keymap::{Action, Context};
use crate::tui::message::{Fault, Reply, Request, RequestId, Tone, Topic};
use crate::tui::model::Model;
use crate::tui::remote::Remote;
use crate::tui::templates::NAMES;
use crate::tui::update_context::UpdateContext;
use pipeline::environment::Environment;

/// Identities that are remembered to tell duplicates beforehand.
const SENT_KEPT: usize = 1_000;

/// State of the screen.
#[derive(Debug, Default)]
pub struct Publish {
    editor: Editor,
    check: Option<Check>,
    mode: Mode,
    /// The template that was asked for last.
    template: usize,
    template_asked: Remote<()>,
    sent: Option<Sent>,
    /// What was sent from here, and when, the last one at the end.
    sent_before: VecDeque<(EventKey, DateTime<Utc>)>,
}

/// What keys do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Mode {
    /// They act.
    #[default]
    Looking,
    /// They write.
    Editing,
    /// They answer whether the event is sent: it will be refused, or this is production.
    Asking,
}

impl Publish {
    /// Where keys go.
    #[must_use]
    pub const fn context(&self) -> Context {
        match self.mode {
            Mode::Looking => Context::Screen(ScreenId::Publish),
            Mode::Editing => Context::Editor,
            Mode::Asking => Context::Confirm,
        }
    }

    /// Since when the screen waits for something.
    #[must_use]
    pub fn waiting_since(&self) -> Option<DateTime<Utc>> {
        self.template_asked
            .loading_since()
            .or_else(|| self.sent.as_ref().and_then(Sent::waiting_since))
    }

    /// The screen is shown.
    pub fn enter(&mut self, turn: &mut UpdateContext<'_>) {
        if !self.editor.is_loaded() && matches!(self.template_asked, Remote::Idle) {
            self.ask_template(0, turn);
        }
    }

    /// Carries out an action.
    pub fn act(&mut self, action: Action, environment: &Environment, turn: &mut UpdateContext<'_>) {
        #[expect(
            clippy::wildcard_enum_match_arm,
            reason = "actions of other screens reach only their own"
        )]
        match action {
            Action::Edit => self.edit(turn),
            Action::NextTemplate => self.ask_template((self.template + 1) % NAMES.len(), turn),
            Action::Send => self.send(environment, turn),
            Action::Confirm if self.mode == Mode::Asking => self.send_now(turn),
            Action::Back => self.back(turn),
            Action::DetailUp => self.scroll_editor(-1, turn.body),
            Action::DetailDown => self.scroll_editor(1, turn.body),
            Action::CopyItem => turn.copy("the event", self.editor.text()),
            Action::Refresh => self.refresh(turn),
            _ => {}
        }
    }

    /// A key that writes.
    pub fn key(&mut self, key: KeyEvent, turn: &mut UpdateContext<'_>) {
        let (width, height) = room(turn.body);
        if self.editor.key(key, width, height) {
            self.judge();
        }
    }

    /// Pasted text.
    pub fn paste(&mut self, text: &str, turn: &mut UpdateContext<'_>) {
        let (width, height) = room(turn.body);
        if self.editor.paste(text, width, height) {
            self.judge();
        } else {
            refuse_paste(text, turn);
        }
    }

    /// Pasted text while keys do not write: it takes the place of an event that nobody changed.
    pub fn paste_unasked(&mut self, text: &str, turn: &mut UpdateContext<'_>) {
        if self.editor.is_edited() {
            let advice = "not pasted over your text: press e to edit, then paste";
            turn.say(Tone::Warning, advice);
            return;
        }
        if text.len() > TEXT_BYTES_MAX {
            refuse_paste(text, turn);
            return;
        }
        // A template that is still on its way must not take the place of what was pasted.
        self.template_asked.reset();
        self.editor.clear();
        self.mode = Mode::Editing;
        self.paste(text, turn);
    }

    /// A click inside the screen.
    pub fn click(&mut self, position: Position, turn: &mut UpdateContext<'_>) {
        let parts = parts(turn.body);
        if self.mode == Mode::Asking || !parts.editor.contains(position) {
            return;
        }
        self.edit(turn);
        if self.mode == Mode::Editing {
            let line = usize::from(position.y - parts.editor.y);
            let column = (position.x - parts.editor.x).saturating_sub(MARGIN);
            self.editor.click(line, usize::from(column));
        }
    }

    /// The wheel inside the screen.
    pub fn scroll(&mut self, position: Position, lines: isize, turn: &mut UpdateContext<'_>) {
        if parts(turn.body).editor.contains(position) {
            self.scroll_editor(lines, turn.body);
        }
    }

    /// The screen has a new size.
    pub fn resize(&mut self, body: Rect) {
        if self.mode == Mode::Editing {
            let (width, height) = room(body);
            self.editor.reveal(width, height);
        } else {
            self.scroll_editor(0, body);
        }
    }

    /// Time passed.
    pub fn tick(&mut self, turn: &mut UpdateContext<'_>) {
        if let Some(sent) = &mut self.sent {
            sent.tick(turn);
        }
    }

    /// An answer came.
    pub fn reply(&mut self, reply: Reply, turn: &mut UpdateContext<'_>) {
        let Reply { id, topic, result } = reply;
        #[expect(
            clippy::wildcard_enum_match_arm,
            reason = "other topics have other screens"
        )]
        match topic {
            Topic::Template if self.template_asked.awaits(id) => {
                self.take_template(id, result.and_then(template), turn);
            }
            Topic::Publish => self.acknowledge(id, result.and_then(published), turn),
            Topic::Trace => {
                if let Some(sent) = &mut self.sent {
                    sent.state.settle(id, result.and_then(traced), turn.now);
                }
            }
            _ => {}
        }
    }

    /// Draws the screen.
    pub fn view(&self, model: &Model, canvas: &mut Frame<'_>, area: Rect) {
        view::draw(self, model, canvas, area);
    }

    fn edit(&mut self, turn: &mut UpdateContext<'_>) {
        if self.template_asked.is_loading() && !self.editor.is_loaded() {
            turn.say(Tone::Muted, "the template is on its way");
            return;
        }
        self.mode = Mode::Editing;
        let (width, height) = room(turn.body);
        self.editor.reveal(width, height);
    }

    fn ask_template(&mut self, number: usize, turn: &mut UpdateContext<'_>) {
        self.template = number;
        turn.fetch(&mut self.template_asked, Request::Template(number));
    }

    fn take_template(
        &mut self,
        id: RequestId,
        result: Result<String, Fault>,
        turn: &mut UpdateContext<'_>,
    ) {
        if let Ok(text) = &result {
            if self.editor.is_edited() {
                turn.say(
                    Tone::Muted,
                    "your text is kept: e, then ^u twice brings it back",
                );
            }
            self.editor.load(text);
            self.judge();
        }
        self.template_asked.settle(id, result.map(|_| ()), turn.now);
    }

    fn refresh(&mut self, turn: &mut UpdateContext<'_>) {
        if let Some(sent) = &mut self.sent {
            sent.look_again(turn);
        }
        if !self.editor.is_loaded() && !self.template_asked.is_loading() {
            self.ask_template(self.template, turn);
        }
    }

    fn judge(&mut self) {
        self.check = Some(Check::of(&self.editor.text()));
    }

    fn back(&mut self, turn: &mut UpdateContext<'_>) {
        if self.mode == Mode::Asking {
            turn.say(Tone::Muted, "nothing was sent");
        }
        self.mode = Mode::Looking;
    }

    fn send(&mut self, environment: &Environment, turn: &mut UpdateContext<'_>) {
        if environment.read_only {
            let name = visible(&environment.name);
            let text = format!("{name} is read-only: nothing is sent");
            turn.say(Tone::Warning, text);
            return;
        }
        // What would be sent is not what will stand there in a moment.
        if self.template_asked.is_loading() {
            turn.say(Tone::Muted, "the template is on its way; s sends it then");
            return;
        }
        if self
            .sent
            .as_ref()
            .is_some_and(|sent| sent.published.is_loading())
        {
            turn.say(Tone::Muted, "the last one is still being sent");
            return;
        }
        match &self.check {
            None => turn.say(
                Tone::Muted,
                "there is nothing to send yet; t asks for a template",
            ),
            Some(check) if check.size_bytes == 0 => {
                turn.say(
                    Tone::Warning,
                    "SNS takes no empty message; t starts from a template",
                );
            }
            Some(check) if check.result.is_err() || environment.is_production => {
                self.mode = Mode::Asking;
            }
            Some(_) => self.send_now(turn),
        }
    }

    fn send_now(&mut self, turn: &mut UpdateContext<'_>) {
        self.mode = Mode::Looking;
        let body = self.editor.text();
        let key = self.check.as_ref().and_then(Check::key).cloned();
        let is_again = key.as_ref().is_some_and(|key| self.sent_at(key).is_some());
        let name = name_of(&body);
        self.sent = Some(Sent::send(body, key, name, is_again, turn));
    }

    fn acknowledge(
        &mut self,
        id: RequestId,
        result: Result<pipeline::model::Published, Fault>,
        turn: &mut UpdateContext<'_>,
    ) {
        let Some(sent) = &mut self.sent else { return };
        if !sent.published.awaits(id) {
            return;
        }
        if result.is_ok()
            && let Some(key) = &sent.key
        {
            if self.sent_before.len() >= SENT_KEPT {
                self.sent_before.pop_front();
            }
            self.sent_before.push_back((key.clone(), turn.now));
        }
        sent.acknowledge(result, turn);
    }

    /// When this identity was last sent from here.
    fn sent_at(&self, key: &EventKey) -> Option<DateTime<Utc>> {
        self.sent_before
            .iter()
            .rev()
            .find(|(other, _)| other == key)
            .map(|(_, at)| *at)
    }

    fn scroll_editor(&mut self, lines: isize, body: Rect) {
        let (_, height) = room(body);
        self.editor.scroll(lines, height);
    }
}

fn refuse_paste(text: &str, turn: &mut UpdateContext<'_>) {
    let size = count(text.len() as u64);
    let most = count(TEXT_BYTES_MAX as u64);
    let text = format!("not pasted: {size} bytes; the text may have {most} in all");
    turn.say(Tone::Warning, text);
}

/// Columns and lines of the text.
fn room(body: Rect) -> (usize, usize) {
    let editor = parts(body).editor;
    (
        usize::from(editor.width.saturating_sub(MARGIN)),
        usize::from(editor.height),
    )
}

/// What an event is called, valid or not.
fn name_of(body: &str) -> String {
    let identity = peek_identity(body);
    let part = |text: Option<String>| text.map_or_else(|| UNKNOWN.to_owned(), |t| visible(&t));
    if identity.event_type.is_none() && identity.source.is_none() && identity.id.is_none() {
        return "text that is no event".to_owned();
    }
    format!(
        "{}  {} / {}",
        part(identity.event_type),
        part(identity.source),
        part(identity.id)
    )
}
