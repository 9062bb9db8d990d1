//! What keys, clicks, time and answers do to the screen.

use chrono::{DateTime, Utc};
use crossterm::event::KeyEvent;
use event::peek_identity;
use ratatui::Frame;
use ratatui::layout::{Position, Rect};

use super::layout::parts;
use super::sent::Sent;
use super::state::{Mode, Publish, SentBefore, name_of};
use super::view;
use crate::tui::context::{ScreenContext, UpdateContext};
use crate::tui::event_editor::check::Check;
use crate::tui::event_editor::editor::{MARGIN, TEXT_BYTES_MAX};
use crate::tui::format::count;
use crate::tui::keymap::{Action, KeyContext};
use crate::tui::remote::Remote;
use crate::tui::request::{Answer, Reply, Request};
use crate::tui::screen_id::ScreenId;
use crate::tui::screens::screen::{Screen, ScreenEvent};
use crate::tui::templates::NAMES;
use crate::tui::theme::Tone;
use crate::tui::trace::subject::{Traceable, key_of};
use pipeline::model::{Published, TraceState};

/// Identities that are remembered to show duplicates beforehand.
const SENT_KEPT: usize = 1_000;

impl Screen for Publish {
    fn update(&mut self, event: ScreenEvent<'_>, context: &mut UpdateContext<'_>) {
        match event {
            ScreenEvent::Enter => self.enter(context),
            ScreenEvent::Drag(_) | ScreenEvent::Leave => {}
            ScreenEvent::Act(action) => self.act(action, context),
            ScreenEvent::Key(key) => self.key(key, context),
            ScreenEvent::Paste(text) => match self.mode {
                Mode::Looking => self.paste_over(text, context),
                Mode::Editing => self.paste(text, context),
                Mode::Confirming => {}
            },
            ScreenEvent::Click(position) => self.click(position, context),
            ScreenEvent::Scroll(position, lines) => self.scroll(position, lines, context),
            ScreenEvent::Resize => self.resize(context.body),
            ScreenEvent::Tick => {
                if let Some(sent) = &mut self.sent {
                    sent.tick(context);
                }
            }
        }
    }

    fn view(&self, context: &ScreenContext<'_>, canvas: &mut Frame<'_>) {
        view::draw(self, context, canvas);
    }

    fn key_context(&self) -> KeyContext {
        match self.mode {
            Mode::Looking => KeyContext::Screen(ScreenId::Publish),
            Mode::Editing => KeyContext::Editor,
            Mode::Confirming => KeyContext::Confirm,
        }
    }

    /// The event that was sent last.
    fn traceable(&self) -> Traceable {
        let Some(sent) = &self.sent else {
            return Traceable::Nothing;
        };
        let key = sent
            .key
            .clone()
            .or_else(|| key_of(&peek_identity(&sent.body)));
        key.map_or(Traceable::Unnamed, Traceable::One)
    }

    fn waiting_since(&self) -> Option<DateTime<Utc>> {
        self.template_load
            .loading_since()
            .or_else(|| self.sent.as_ref().and_then(Sent::waiting_since))
    }
}

impl Publish {
    fn enter(&mut self, context: &mut UpdateContext<'_>) {
        if !self.editor.is_loaded() && matches!(self.template_load, Remote::Idle) {
            self.load_template(0, context);
        }
    }

    fn act(&mut self, action: Action, context: &mut UpdateContext<'_>) {
        #[expect(
            clippy::wildcard_enum_match_arm,
            reason = "actions of other screens reach only their own"
        )]
        match action {
            Action::Edit => self.edit(context),
            Action::NextTemplate => self.load_template((self.template + 1) % NAMES.len(), context),
            Action::Send => self.send(context),
            Action::Confirm if self.mode == Mode::Confirming => self.send_now(context),
            Action::Back => self.back(context),
            Action::DetailUp => self.scroll_editor(-1, context.body),
            Action::DetailDown => self.scroll_editor(1, context.body),
            Action::CopyItem => context.outbox.copy("the event", self.editor.text()),
            Action::Refresh => self.refresh(context),
            _ => {}
        }
    }

    fn key(&mut self, key: KeyEvent, context: &mut UpdateContext<'_>) {
        let (width, height) = room(context.body);
        if self.editor.key(key, width, height) {
            self.judge();
        }
    }

    fn paste(&mut self, text: &str, context: &mut UpdateContext<'_>) {
        let (width, height) = room(context.body);
        if self.editor.paste(text, width, height) {
            self.judge();
        } else {
            refuse_paste(text, context);
        }
    }

    /// Pasted text while keys do not write: it replaces an event that nobody changed.
    fn paste_over(&mut self, text: &str, context: &mut UpdateContext<'_>) {
        if self.editor.is_edited() {
            let advice = "not pasted over your text: press e first, then paste";
            context.notify(Tone::Warning, advice);
            return;
        }
        if text.len() > TEXT_BYTES_MAX {
            refuse_paste(text, context);
            return;
        }
        // A template that is still loading must not replace what was pasted.
        self.template_load.reset();
        self.editor.clear();
        self.mode = Mode::Editing;
        self.paste(text, context);
    }

    fn click(&mut self, position: Position, context: &mut UpdateContext<'_>) {
        let parts = parts(context.body);
        if self.mode == Mode::Confirming || !parts.editor.contains(position) {
            return;
        }
        self.edit(context);
        if self.mode == Mode::Editing {
            let line = usize::from(position.y - parts.editor.y);
            let column = (position.x - parts.editor.x).saturating_sub(MARGIN);
            self.editor.click(line, usize::from(column));
        }
    }

    fn scroll(&mut self, position: Position, lines: isize, context: &mut UpdateContext<'_>) {
        if parts(context.body).editor.contains(position) {
            self.scroll_editor(lines, context.body);
        }
    }

    fn resize(&mut self, body: Rect) {
        if self.mode == Mode::Editing {
            let (width, height) = room(body);
            self.editor.reveal(width, height);
        } else {
            self.scroll_editor(0, body);
        }
    }

    pub(crate) fn traced(&mut self, answer: Answer<TraceState>, now: DateTime<Utc>) {
        if let Some(sent) = &mut self.sent {
            sent.traced(answer, now);
        }
    }

    fn edit(&mut self, context: &mut UpdateContext<'_>) {
        if self.template_load.is_loading() && !self.editor.is_loaded() {
            context.notify(Tone::Muted, "the template is still loading");
            return;
        }
        self.mode = Mode::Editing;
        let (width, height) = room(context.body);
        self.editor.reveal(width, height);
    }

    fn load_template(&mut self, number: usize, context: &mut UpdateContext<'_>) {
        self.template = number;
        context
            .outbox
            .fetch(&mut self.template_load, Reply::Template, |to| {
                Request::Template(number, to)
            });
    }

    pub(crate) fn template_came(
        &mut self,
        answer: Answer<String>,
        context: &mut UpdateContext<'_>,
    ) {
        if !self.template_load.awaits(&answer) {
            return;
        }
        let loaded = answer.map(|text| {
            if self.editor.is_edited() {
                let text = "template loaded: e, then ^u twice restores your text";
                context.notify(Tone::Muted, text);
            }
            self.editor.load(&text);
            self.judge();
        });
        self.template_load.settle(loaded, context.now);
    }

    fn refresh(&mut self, context: &mut UpdateContext<'_>) {
        if let Some(sent) = &mut self.sent {
            sent.look_again(context);
        }
        if !self.editor.is_loaded() && !self.template_load.is_loading() {
            self.load_template(self.template, context);
        }
    }

    fn judge(&mut self) {
        self.check = Some(Check::of(&self.editor.text()));
    }

    fn back(&mut self, context: &mut UpdateContext<'_>) {
        if self.mode == Mode::Confirming {
            context.notify(Tone::Muted, "nothing was sent");
        }
        self.mode = Mode::Looking;
    }

    fn send(&mut self, context: &mut UpdateContext<'_>) {
        if let Some(refusal) = context.change_refusal("no sends") {
            context.notify(Tone::Warning, refusal);
            return;
        }
        // The template would replace what is sent.
        if self.template_load.is_loading() {
            context.notify(Tone::Muted, "the template is still loading");
            return;
        }
        if self
            .sent
            .as_ref()
            .is_some_and(|sent| sent.published.is_loading())
        {
            context.notify(Tone::Muted, "the previous event is still being sent");
            return;
        }
        match &self.check {
            None => context.notify(Tone::Muted, "nothing to send yet; t loads a template"),
            Some(check) if check.size_bytes == 0 => {
                context.notify(
                    Tone::Warning,
                    "SNS accepts no empty message; t loads a template",
                );
            }
            Some(check)
                if check.result.is_err()
                    || context.environment.is_production
                    || self.is_duplicate(check) =>
            {
                self.mode = Mode::Confirming;
            }
            Some(_) => self.send_now(context),
        }
    }

    fn send_now(&mut self, context: &mut UpdateContext<'_>) {
        self.mode = Mode::Looking;
        let body = self.editor.text();
        let key = self.check.as_ref().and_then(Check::key).cloned();
        let is_again = key
            .as_ref()
            .is_some_and(|key| self.sent_before(key).is_some());
        let name = name_of(&body);
        self.sent = Some(Sent::send(body, key, name, is_again, context));
    }

    pub(crate) fn acknowledged(
        &mut self,
        answer: Answer<Published>,
        context: &mut UpdateContext<'_>,
    ) {
        let Some(sent) = &mut self.sent else { return };
        if !sent.published.settle(answer, context.now) {
            return;
        }
        let is_confirmed = match &sent.published {
            Remote::Ready(_) => Some(true),
            Remote::Failed { error, .. } => error.may_have_happened.then_some(false),
            Remote::Idle | Remote::Loading { .. } => None,
        };
        if let (Some(is_confirmed), Some(key)) = (is_confirmed, &sent.key) {
            if self.sent_before.len() >= SENT_KEPT {
                self.sent_before.pop_front();
            }
            self.sent_before.push_back(SentBefore {
                key: key.clone(),
                at: sent.sent_at,
                is_confirmed,
            });
        }
        sent.acknowledged(context);
    }

    fn scroll_editor(&mut self, lines: isize, body: Rect) {
        let (_, height) = room(body);
        self.editor.scroll(lines, height);
    }
}

fn refuse_paste(text: &str, context: &mut UpdateContext<'_>) {
    let size = count(text.len() as u64);
    let most = count(TEXT_BYTES_MAX as u64);
    let text = format!("not pasted: {size} bytes; the limit is {most} in total");
    context.notify(Tone::Warning, text);
}

/// Columns and lines of the text.
fn room(body: Rect) -> (usize, usize) {
    let editor = parts(body).editor;
    (
        usize::from(editor.width.saturating_sub(MARGIN)),
        usize::from(editor.height),
    )
}
