//! What keys, clicks and time do to the screen.

use std::collections::HashSet;

use chrono::{DateTime, Duration, Utc};
use crossterm::event::KeyEvent;
use ratatui::Frame;
use ratatui::layout::Position;

use super::outcomes;
use super::review::{faster, slower};
use super::state::Redrives;
use super::texts::standing;
use crate::tui::context::{ScreenContext, UpdateContext};
use crate::tui::effect::{Effect, RunControl};
use crate::tui::keymap::{Action, Binding, KeyContext, Label};
use crate::tui::layout::is_wide;
use crate::tui::remote::Remote;
use crate::tui::request::{Reply, Request};
use crate::tui::screen_id::ScreenId;
use crate::tui::screens::screen::{Screen, ScreenEvent};
use crate::tui::theme::Tone;
use crate::tui::trace::subject::Traceable;
use redrive::RunCommand;

/// Lines that `J` and `K` scroll the detail.
const DETAIL_LINES: isize = 3;
/// How often the journals are read while they are shown.
const READ_EVERY: Duration = Duration::seconds(5);

impl Screen for Redrives {
    fn update(&mut self, event: ScreenEvent<'_>, context: &mut UpdateContext<'_>) {
        match event {
            ScreenEvent::Enter => self.enter(context),
            ScreenEvent::Leave => self.leave(context),
            ScreenEvent::Act(action) => self.act(action, context),
            ScreenEvent::Key(key) => self.key(key),
            ScreenEvent::Paste(text) => self.paste(text),
            ScreenEvent::Click(position) => self.click(position, context),
            ScreenEvent::Scroll(position, lines) => self.scroll(position, lines, context),
            ScreenEvent::Resize => self.resize(context),
            ScreenEvent::Tick => self.tick(context),
            ScreenEvent::Drag(_) => {}
        }
    }

    fn view(&self, context: &ScreenContext<'_>, canvas: &mut Frame<'_>) {
        self.draw(context, canvas);
    }

    fn key_context(&self) -> KeyContext {
        match &self.review {
            Some(review) if review.typing.is_some() => KeyContext::Input,
            Some(_) => KeyContext::Plan,
            None => KeyContext::Screen(ScreenId::Redrives),
        }
    }

    fn hint(&self, binding: &Binding, context: &ScreenContext<'_>) -> Option<Label> {
        if let Some(review) = &self.review {
            return review.hint(binding);
        }
        #[expect(
            clippy::wildcard_enum_match_arm,
            reason = "the other keys always do the same"
        )]
        match binding.action {
            Action::Pause => {
                let run = self.run.as_ref()?;
                Some(if run.is_paused() { "continue" } else { "pause" }.into())
            }
            Action::Faster | Action::Slower | Action::CancelRun => {
                self.run.as_ref().map(|_| binding.label.into())
            }
            Action::Resume => self.resumable(context).map(|_| binding.label.into()),
            // The messages are beside the list.
            Action::Open if is_wide(context.body) => None,
            _ => Some(binding.label.into()),
        }
    }

    /// The events of the messages that are shown, in their order.
    fn traceable(&self) -> Traceable {
        let Some(report) = self.report.value() else {
            return Traceable::Nothing;
        };
        let mut seen = HashSet::new();
        let messages = outcomes::in_order(report).into_iter();
        let keys = messages.filter_map(|message| message.event.clone());
        let keys: Vec<_> = keys.filter(|key| seen.insert(key.clone())).collect();
        match keys.is_empty() {
            true if report.messages.is_empty() => Traceable::Nothing,
            true => Traceable::Unnamed,
            false => Traceable::Several(keys),
        }
    }

    fn waiting_since(&self) -> Option<DateTime<Utc>> {
        let dry = self.review.as_ref().map(|review| &review.dry);
        dry.and_then(Remote::loading_since)
            .or_else(|| self.run.as_ref().map(|run| run.since))
            .or_else(|| self.history.loading_since())
    }
}

impl Redrives {
    fn enter(&mut self, context: &mut UpdateContext<'_>) {
        self.is_shown = true;
        self.refresh(context);
    }

    /// A redrive is not ended by that.
    fn leave(&mut self, context: &mut UpdateContext<'_>) {
        self.is_shown = false;
        if let Some(run) = &self.run {
            let (tone, standing) = standing(run);
            let next = match run.command() {
                RunCommand::Pause(_) => "3 shows why, and continues or ends it",
                RunCommand::Run | RunCommand::Cancel => "a notice shows its end",
            };
            context.notify(tone, format!("{standing}; {next}"));
        }
    }

    pub(super) fn refresh(&mut self, context: &mut UpdateContext<'_>) {
        if !self.history.is_loading() {
            context
                .outbox
                .fetch(&mut self.history, Reply::Redrives, Request::Redrives);
        }
    }

    fn act(&mut self, action: Action, context: &mut UpdateContext<'_>) {
        if self.review.is_some() {
            self.answer_review(action, context);
            return;
        }
        let body = context.body;
        #[expect(
            clippy::wildcard_enum_match_arm,
            reason = "actions of other screens reach only their own"
        )]
        match action {
            Action::Refresh => self.refresh(context),
            Action::Pause => self.pause_or_continue(context),
            Action::CancelRun => self.cancel(context),
            Action::Faster => self.change_rate(faster, context),
            Action::Slower => self.change_rate(slower, context),
            Action::Resume => self.resume(context),
            Action::Open => self.open(context),
            Action::Back => self.is_detail_open = false,
            Action::Up => self.move_by(-1, context),
            Action::Down => self.move_by(1, context),
            Action::PageUp => self.move_by(-self.page(body), context),
            Action::PageDown => self.move_by(self.page(body), context),
            Action::First => self.move_by(isize::MIN, context),
            Action::Last => self.move_by(isize::MAX, context),
            Action::DetailUp => self.scroll_detail(-DETAIL_LINES, context),
            Action::DetailDown => self.scroll_detail(DETAIL_LINES, context),
            Action::CopyItem => self.copy(context),
            _ => {}
        }
    }

    fn key(&mut self, key: KeyEvent) {
        if let Some(review) = &mut self.review {
            review.key(key);
        }
    }

    fn paste(&mut self, text: &str) {
        if let Some(review) = &mut self.review {
            review.paste(text);
        }
    }

    fn click(&mut self, position: Position, context: &mut UpdateContext<'_>) {
        if self.review.is_some() {
            return;
        }
        let parts = self.parts(context.body);
        if parts.list.contains(position) {
            let line = usize::from(position.y - parts.list.y);
            if let Some(row) = self.list.row_at(line, self.rows().len()) {
                let is_again = row == self.list.selected;
                self.select(row, context.body);
                if is_again {
                    self.open(context);
                }
            }
        }
    }

    fn scroll(&mut self, position: Position, lines: isize, context: &ScreenContext<'_>) {
        let body = context.body;
        let parts = self.parts(body);
        if parts.detail.contains(position) {
            self.scroll_detail(lines, context);
        } else if self.review.is_none() && parts.list.contains(position) {
            self.select(self.list.selected.saturating_add_signed(lines), body);
        }
    }

    fn resize(&mut self, context: &ScreenContext<'_>) {
        self.select(self.list.selected, context.body);
        self.scroll_detail(0, context);
    }

    fn tick(&mut self, context: &mut UpdateContext<'_>) {
        if let Some(run) = &mut self.run {
            run.measure(context.now);
        }
        if !self.is_shown || self.review.is_some() {
            return;
        }
        // Other processes redrive too.
        if self.history.is_due(READ_EVERY, context.now) {
            context
                .outbox
                .fetch(&mut self.history, Reply::Redrives, Request::Redrives);
        }
        if self.is_detail_shown(context.body) {
            self.look_at_messages(context);
        }
    }

    pub(super) fn send_control(&self, change: RunControl, context: &mut UpdateContext<'_>) {
        if let Some(run) = &self.run {
            let effect = Effect::Control(run.request, change);
            context.outbox.effects.push(effect);
        }
    }

    fn copy(&self, context: &mut UpdateContext<'_>) {
        match self.selected_journal() {
            Some(journal) => context
                .outbox
                .copy("the path of the journal", journal.display().to_string()),
            None => context.notify(Tone::Muted, "no redrive is selected"),
        }
    }
}
