//! What keys and time do to the screen.

use chrono::{DateTime, Utc};
use crossterm::event::KeyEvent;
use ratatui::Frame;
use ratatui::layout::Rect;

use super::state::{DeadLetters, Open, Pane};
use crate::tui::context::{ScreenContext, UpdateContext};
use crate::tui::handover::Handover;
use crate::tui::keymap::{Action, Binding, KeyContext, Label};
use crate::tui::layout::is_wide;
use crate::tui::screen_id::ScreenId;
use crate::tui::screens::screen::{Screen, ScreenEvent};
use crate::tui::theme::Tone;
use crate::tui::trace::subject::{Traceable, key_of};

/// Lines that `J` and `K` scroll the detail.
const DETAIL_LINES: isize = 3;

impl Screen for DeadLetters {
    fn update(&mut self, event: ScreenEvent<'_>, context: &mut UpdateContext<'_>) {
        match event {
            ScreenEvent::Enter => self.enter(context),
            ScreenEvent::Leave => self.leave(context),
            ScreenEvent::Act(action) => self.act(action, context),
            ScreenEvent::Key(key) => self.key(key, context),
            ScreenEvent::Paste(text) => self.paste(text, context),
            ScreenEvent::Click(position) => self.click(position, context),
            ScreenEvent::Scroll(position, lines) => self.scroll(position, lines, context),
            ScreenEvent::Resize => self.resize(context.body),
            ScreenEvent::Tick => self.tick(context),
            ScreenEvent::Drag(_) => {}
        }
    }

    fn view(&self, context: &ScreenContext<'_>, canvas: &mut Frame<'_>) {
        self.draw(context, canvas);
    }

    fn key_context(&self) -> KeyContext {
        match self.open {
            Open::Nothing => KeyContext::Screen(ScreenId::DeadLetters),
            Open::Line(_) => KeyContext::Input,
            Open::Preview(_) => KeyContext::Patch,
            Open::Editor(_) => KeyContext::Editor,
        }
    }

    fn hint(&self, binding: &Binding, context: &ScreenContext<'_>) -> Option<Label> {
        match (&self.open, binding.action) {
            (Open::Editor(_), Action::Send) => Some("save".into()),
            (Open::Line(_), Action::Up) => None,
            (Open::Line(line), Action::Confirm) => Some(line.purpose.verb().into()),
            (Open::Nothing, Action::Open) if self.messages.is_empty() => {
                let is_possible = !self.received.is_loading() && !context.is_resuming;
                is_possible.then(|| "receive".into())
            }
            // The others are about messages.
            (Open::Nothing, action) if action != Action::Refresh && self.messages.is_empty() => {
                None
            }
            (Open::Nothing, Action::Redrive) => {
                let (scope, messages) = self.scope();
                Some(scope.label("redrive", messages).into())
            }
            (Open::Nothing, Action::Patch) => {
                let (scope, messages) = self.patch_scope();
                Some(scope.label("patch", messages).into())
            }
            // The detail is beside the list.
            (Open::Nothing, Action::Open)
                if self.focus == Pane::Messages && is_wide(context.body) =>
            {
                None
            }
            _ => Some(binding.label.into()),
        }
    }

    /// The event of the selected message as it is in the queue, not as it is edited here.
    fn traceable(&self) -> Traceable {
        let Some(selected) = self.selected_message() else {
            return Traceable::Nothing;
        };
        key_of(&selected.identity).map_or(Traceable::Unnamed, Traceable::One)
    }

    fn waiting_since(&self) -> Option<DateTime<Utc>> {
        self.received.loading_since()
    }
}

impl DeadLetters {
    fn enter(&mut self, context: &mut UpdateContext<'_>) {
        self.is_shown = true;
        // The screen shows why it receives nothing.
        if !context.is_resuming {
            self.receive(context);
        }
    }

    /// The log lines of the request that refused the selected message. It was sent by that request, so that was under
    /// way then.
    fn show_logs(&self, context: &mut UpdateContext<'_>) {
        let Some(message) = self.selected_message() else {
            context.notify(Tone::Muted, "no message is selected");
            return;
        };
        let reason = message.reason.as_ref();
        match reason.and_then(|reason| reason.request_id.clone()) {
            Some(id) => {
                let handover = Handover::LogsOf(id, message.sent_at);
                context.outbox.handovers.push(handover);
            }
            None => context.notify(
                Tone::Muted,
                "it names no request, and the ingest logs no ids of messages; 7 shows the logs",
            ),
        }
    }

    /// Releases the messages, but for those that are being redriven.
    fn leave(&mut self, context: &mut UpdateContext<'_>) {
        self.is_shown = false;
        self.deferred = None;
        self.last_result = None;
        self.open = Open::Nothing;
        self.is_detail_open = false;
        self.release_all(context);
    }

    pub(super) fn act(&mut self, action: Action, context: &mut UpdateContext<'_>) {
        match self.open {
            Open::Nothing => {}
            Open::Line(_) => return self.act_on_line(action, context),
            Open::Preview(_) => return self.act_on_preview(action, context),
            Open::Editor(_) => return self.act_in_editor(action, context),
        }
        self.deferred = None;
        let body = context.body;
        match action {
            Action::Refresh => self.receive(context),
            Action::Release => self.release(context),
            Action::Open => self.open(context),
            Action::Back => self.back(body),
            Action::Up => self.move_by(-1, body),
            Action::Down => self.move_by(1, body),
            Action::PageUp => self.move_by(-self.page(body), body),
            Action::PageDown => self.move_by(self.page(body), body),
            Action::First => self.move_by(isize::MIN, body),
            Action::Last => self.move_by(isize::MAX, body),
            Action::SwitchPane => self.switch_pane(body),
            Action::DetailUp => self.scroll_detail(-DETAIL_LINES, body),
            Action::DetailDown => self.scroll_detail(DETAIL_LINES, body),
            Action::CopyItem => self.copy(context),
            Action::Mark => self.mark(body),
            Action::MarkAll => self.mark_all(),
            Action::ClearMarks => self.marks.clear(),
            Action::Delete => self.begin_delete(context),
            Action::Redrive => self.plan_redrive(context),
            Action::Search => self.begin_search(context),
            Action::ClearSearch => self.clear_search(body),
            Action::Patch => self.begin_patch(context),
            Action::EditMessage | Action::EditExternally => self.begin_editing(action, context),
            Action::UndoEdit => self.undo_edit(context),
            Action::UndoAllEdits => self.undo_all_edits(context),
            Action::ShowLogs => self.show_logs(context),
            Action::Quit
            | Action::Help
            | Action::Notices
            | Action::Palette
            | Action::Show(_)
            | Action::NextScreen
            | Action::PreviousScreen
            | Action::Filter
            | Action::ClearFilter
            | Action::Follow
            | Action::Edit
            | Action::NextTemplate
            | Action::Send
            | Action::Confirm
            | Action::IncludeSkipped
            | Action::Faster
            | Action::Slower
            | Action::NextCanary
            | Action::Reason
            | Action::Pause
            | Action::CancelRun
            | Action::Resume
            | Action::NextItem
            | Action::PreviousItem
            | Action::Trace
            | Action::ShowRequest
            | Action::NextLevel
            | Action::LookBack
            | Action::Repeat
            | Action::SendNextPage
            | Action::ShowHistory
            | Action::CopyCurl
            | Action::ToggleHeaders
            | Action::ToggleProbes
            | Action::ProbeOnce
            | Action::SearchDeadLetters
            | Action::NextPage
            | Action::PreviousPage
            | Action::ShowRange(_)
            | Action::Earlier
            | Action::Later
            | Action::Complete
            | Action::Columns
            | Action::SaveFilter
            | Action::Compare
            | Action::Export
            | Action::Sql
            | Action::Peek => {}
        }
    }

    pub(super) fn open(&mut self, context: &mut UpdateContext<'_>) {
        if self.messages.is_empty() {
            self.receive(context);
        } else if self.focus == Pane::Groups {
            self.focus = Pane::Messages;
        } else if !is_wide(context.body) && self.selected.is_some() {
            self.is_detail_open = true;
        }
        self.reveal(context.body);
    }

    /// Closes one level: the detail, then the filter, then the report.
    fn back(&mut self, body: Rect) {
        if self.is_detail_open {
            self.is_detail_open = false;
        } else if self.group_list.selected > 0 {
            self.select_group(0, body);
        } else {
            self.last_result = None;
        }
        self.reveal(body);
    }

    fn switch_pane(&mut self, body: Rect) {
        self.is_detail_open = false;
        self.focus = match self.focus {
            Pane::Groups => Pane::Messages,
            Pane::Messages => Pane::Groups,
        };
        self.reveal(body);
    }

    fn copy(&mut self, context: &mut UpdateContext<'_>) {
        let message = self.selected_message();
        match message.map(|message| self.body_at_hand(message)) {
            Some(Some(body)) => context.outbox.copy("the body", body.to_owned()),
            Some(None) => self.defer(Action::CopyItem, context),
            None => context.notify(Tone::Muted, "no message is selected"),
        }
    }

    fn key(&mut self, key: KeyEvent, context: &mut UpdateContext<'_>) {
        match &mut self.open {
            Open::Line(line) => line.key(key),
            Open::Editor(_) => self.write(key, context.body),
            Open::Nothing | Open::Preview(_) => {}
        }
    }

    fn paste(&mut self, text: &str, context: &mut UpdateContext<'_>) {
        match &mut self.open {
            Open::Line(line) => line.paste(text),
            Open::Editor(_) => self.paste_into_editor(text, context),
            Open::Nothing | Open::Preview(_) => {}
        }
    }

    fn resize(&mut self, body: Rect) {
        if is_wide(body) {
            self.is_detail_open = false;
        }
        self.reveal(body);
        self.scroll_detail(0, body);
    }

    fn tick(&mut self, context: &mut UpdateContext<'_>) {
        if self.is_shown {
            self.lease.expire(context.now);
            self.end_if_idle(context);
            self.extend_visibility(context);
            self.run_search(context);
        }
    }
}
