//! What keys, clicks and time do to the screen.

use chrono::{DateTime, Utc};
use crossterm::event::KeyEvent;
use pipeline::api_document::ApiDocument;
use ratatui::Frame;
use ratatui::layout::{Position, Rect};

use super::answer_view::offset_max;
use super::body::{BodyEditing, room};
use super::form::{BODY, Form, rows};
use super::layout::{Parts, parts};
use super::state::{Api, Over, Pane};
use super::typing::{Purpose, Typing};
use crate::tui::context::{ScreenContext, UpdateContext};
use crate::tui::effect::Effect;
use crate::tui::format::visible;
use crate::tui::keymap::{Action, Binding, KeyContext, Label};
use crate::tui::list::ListState;
use crate::tui::remote::Remote;
use crate::tui::screen_id::ScreenId;
use crate::tui::screens::screen::{Screen, ScreenEvent};
use crate::tui::theme::Tone;

/// Lines that `J` and `K` scroll the answer.
const DETAIL_LINES: isize = 3;

impl Screen for Api {
    fn update(&mut self, event: ScreenEvent<'_>, context: &mut UpdateContext<'_>) {
        match event {
            ScreenEvent::Enter => self.enter(context),
            ScreenEvent::Act(action) => self.act(action, context),
            ScreenEvent::Key(key) => self.key(key, context.body),
            ScreenEvent::Paste(text) => self.paste(text, context),
            ScreenEvent::Click(position) => self.click(position, context),
            ScreenEvent::Scroll(position, lines) => self.scroll(position, lines, context.body),
            ScreenEvent::Resize => {
                self.reveal(context.body);
                self.scroll_answer(0, context.body);
            }
            ScreenEvent::Leave | ScreenEvent::Drag(_) | ScreenEvent::Tick => {}
        }
    }

    fn view(&self, context: &ScreenContext<'_>, canvas: &mut Frame<'_>) {
        self.draw(context, canvas);
    }

    fn key_context(&self) -> KeyContext {
        if self.editing.is_some() {
            KeyContext::Editor
        } else if self.typing.is_some() {
            KeyContext::Input
        } else {
            KeyContext::Screen(ScreenId::Api)
        }
    }

    fn hint(&self, binding: &Binding, _: &ScreenContext<'_>) -> Option<Label> {
        if let Some(typing) = &self.typing {
            return match (binding.action, &typing.purpose) {
                (Action::Confirm, Purpose::Repeat) => Some("send so often".into()),
                (Action::Confirm, Purpose::Value(_)) => Some("set".into()),
                (Action::Up, _) => None,
                _ => Some(binding.label.into()),
            };
        }
        match (binding.action, &self.over) {
            (Action::Open, Some(Over::History(_))) => Some("fill it in again".into()),
            (Action::CopyItem, Some(Over::Curl(_))) => Some("copy again".into()),
            (_, Some(_)) => None,
            (Action::Open, None) => match self.focus {
                Pane::Operations => Some("fill in".into()),
                Pane::Form => Some("edit".into()),
                Pane::Answer => None,
            },
            (Action::SendNextPage, None) => {
                let next = self.shown()?.next_page.as_ref();
                next.map(|_| binding.label.into())
            }
            (Action::ToggleHeaders | Action::CopyItem, None) if self.shown().is_none() => None,
            (Action::ShowHistory, None) if self.history.is_empty() => None,
            (Action::EditExternally, None) => {
                let body = self.operation()?.body.as_ref();
                body.map(|_| binding.label.into())
            }
            _ => Some(binding.label.into()),
        }
    }

    fn waiting_since(&self) -> Option<DateTime<Utc>> {
        let calling = self.calling.as_ref().map(|calling| calling.since);
        calling.or_else(|| self.deployed.loading_since())
    }
}

impl Api {
    fn enter(&mut self, context: &mut UpdateContext<'_>) {
        if self.own.operations.is_empty() {
            self.own = ApiDocument::of_this_release();
            self.settle_selection(context.body);
        }
        if matches!(self.deployed, Remote::Idle) {
            self.read_document(context);
        }
    }

    fn act(&mut self, action: Action, context: &mut UpdateContext<'_>) {
        if self.editing.is_some() {
            self.act_in_editor(action, context);
        } else if self.typing.is_some() {
            self.act_in_line(action, context);
        } else if self.over.is_some() {
            self.act_over(action, context);
        } else {
            self.act_on_panes(action, context);
        }
    }

    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "actions of other screens reach only their own"
    )]
    fn act_on_panes(&mut self, action: Action, context: &mut UpdateContext<'_>) {
        let body = context.body;
        match action {
            Action::SwitchPane => self.focus = self.focus.next(),
            Action::Open if self.focus == Pane::Operations => self.focus = Pane::Form,
            Action::Open | Action::Edit if self.focus != Pane::Answer => self.edit(context),
            Action::Edit => {
                self.focus = Pane::Form;
                self.edit(context);
            }
            Action::EditExternally => self.edit_externally(context),
            Action::ClearFilter => self.clear(context),
            Action::Send => self.send(1, context),
            Action::Repeat => self.typing = Some(Typing::repeat()),
            Action::SendNextPage => self.send_next_page(context),
            Action::ShowHistory if self.history.is_empty() => {
                context.notify(Tone::Muted, "nothing was sent yet");
            }
            Action::ShowHistory => self.over = Some(Over::History(ListState::default())),
            Action::CopyCurl => self.copy_curl(context),
            Action::CopyItem => {
                let body = self.shown().map(|shown| shown.answer.body.clone());
                if let Some(body) = body {
                    context.outbox.copy("the body of the answer", body);
                }
            }
            Action::ToggleHeaders => {
                self.shows_headers = !self.shows_headers;
                self.answer_offset = 0;
            }
            Action::Refresh => self.read_document(context),
            Action::Back if self.cancel(context) => {}
            Action::Back => self.focus = Pane::Operations,
            Action::DetailUp => self.scroll_answer(-DETAIL_LINES, body),
            Action::DetailDown => self.scroll_answer(DETAIL_LINES, body),
            Action::Up => self.move_by(-1, body),
            Action::Down => self.move_by(1, body),
            Action::PageUp => self.move_by(-self.page(body), body),
            Action::PageDown => self.move_by(self.page(body), body),
            Action::First => self.move_by(isize::MIN, body),
            Action::Last => self.move_by(isize::MAX, body),
            _ => {}
        }
    }

    fn act_over(&mut self, action: Action, context: &mut UpdateContext<'_>) {
        let length = self.history.len();
        let height = usize::from(context.body.height.saturating_sub(1));
        match (action, &mut self.over) {
            (Action::Back, _) => self.over = None,
            (Action::Up, Some(Over::History(list))) => list.move_by(-1, length, height),
            (Action::Down, Some(Over::History(list))) => list.move_by(1, length, height),
            (Action::First, Some(Over::History(list))) => list.select(0, length, height),
            (Action::Last, Some(Over::History(list))) => list.select(usize::MAX, length, height),
            (Action::Open, Some(Over::History(list))) => {
                let past = self.history.get(list.selected).cloned();
                self.over = None;
                if let Some(past) = past
                    && self.fill(past.sent, context)
                {
                    self.focus = Pane::Form;
                    if past.has_lost_body {
                        let text = "its body was too long to keep: the form has another one";
                        context.notify(Tone::Warning, text);
                    }
                }
            }
            (Action::CopyItem | Action::CopyCurl, Some(Over::Curl(command))) => {
                let text = command.text.clone();
                context.outbox.copy("the curl command", text);
            }
            _ => {}
        }
    }

    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "a line knows no other action"
    )]
    fn act_in_line(&mut self, action: Action, context: &mut UpdateContext<'_>) {
        match action {
            Action::Back => self.typing = None,
            Action::Confirm => {
                let Some(typing) = self.typing.take() else {
                    return;
                };
                match &typing.purpose {
                    // It is kept with what is wrong with it, and is not sent.
                    Purpose::Value(parameter) => {
                        if let Some((_, form)) = self.form_mut() {
                            form.values.insert(parameter.name.clone(), typing.text());
                        }
                    }
                    Purpose::Repeat => match typing.calls() {
                        Some(calls) => self.send(calls, context),
                        None => self.typing = Some(typing),
                    },
                }
            }
            _ => {}
        }
    }

    fn act_in_editor(&mut self, action: Action, context: &mut UpdateContext<'_>) {
        if !matches!(action, Action::Back | Action::Send) {
            return;
        }
        let Some(editing) = self.editing.take() else {
            return;
        };
        if let Some((_, form)) = self.form_mut() {
            form.body = editing.editor.text();
        }
        if action == Action::Send {
            self.send(1, context);
        }
    }

    /// Types the selected row.
    fn edit(&mut self, context: &mut UpdateContext<'_>) {
        let (Some(operation), Some(form)) = (self.operation(), self.form()) else {
            return;
        };
        match rows(operation).get(form.list.selected) {
            Some(name) if *name == BODY && operation.parameter(BODY).is_none() => {
                let body = operation.body.as_ref();
                self.editing = body.map(|body| BodyEditing::new(body, &form.body));
            }
            Some(name) => {
                let parameter = operation.parameter(name);
                self.typing = parameter.map(|one| Typing::value(one, form.value(name)));
            }
            None => context.notify(Tone::Muted, "it takes no parameters; s sends it"),
        }
    }

    fn edit_externally(&mut self, context: &mut UpdateContext<'_>) {
        let Some((operation, form)) = self.form_mut() else {
            return;
        };
        if operation.body.is_none() {
            context.notify(Tone::Muted, "this operation has no body");
            return;
        }
        let effect = Effect::OpenEditor(form.body.clone());
        context.outbox.effects.push(effect);
        self.is_edited_elsewhere = true;
    }

    /// Whether the text of the operator's own editor is for this screen.
    pub(crate) const fn awaits_editor(&self) -> bool {
        self.is_edited_elsewhere
    }

    pub(crate) fn editor_ended(
        &mut self,
        result: Result<String, String>,
        context: &mut UpdateContext<'_>,
    ) {
        self.is_edited_elsewhere = false;
        match result {
            Err(why) => context.notify(Tone::Warning, visible(&why)),
            Ok(text) => {
                if let Some((_, form)) = self.form_mut() {
                    form.body = text;
                }
            }
        }
    }

    fn clear(&mut self, context: &mut UpdateContext<'_>) {
        if let Some((operation, form)) = self.form_mut() {
            *form = Form::of(&operation);
            context.notify(Tone::Muted, "the form is as at first");
        }
    }

    fn key(&mut self, key: KeyEvent, body: Rect) {
        let (width, height) = room(body);
        if let Some(editing) = &mut self.editing {
            if editing.editor.key(key, width, height) {
                editing.judge();
            }
        } else if let Some(typing) = &mut self.typing {
            typing.key(key);
        }
    }

    fn paste(&mut self, text: &str, context: &mut UpdateContext<'_>) {
        let (width, height) = room(context.body);
        if let Some(editing) = &mut self.editing {
            match editing.editor.paste(text, width, height) {
                true => editing.judge(),
                false => context.notify(Tone::Warning, "not pasted: too large for one body"),
            }
        } else if let Some(typing) = &mut self.typing {
            typing.paste(text);
        }
    }

    fn click(&mut self, position: Position, context: &mut UpdateContext<'_>) {
        if self.editing.is_some() || self.typing.is_some() || self.over.is_some() {
            return;
        }
        let parts = self.parts(context.body);
        if parts.list.contains(position) {
            let line = usize::from(position.y - parts.list.y);
            let line = line.checked_sub(self.notes_rows(context));
            let length = self.document().operations.len();
            if let Some(row) = line.and_then(|line| self.operations.row_at(line, length)) {
                let is_selected = row == self.operations.selected;
                self.select(row, context.body);
                self.focus = if is_selected {
                    Pane::Form
                } else {
                    Pane::Operations
                };
            }
        } else if parts.form.contains(position) {
            let line = usize::from(position.y - parts.form.y);
            self.focus = Pane::Form;
            let Some((operation, form)) = self.form_mut() else {
                return;
            };
            let Some(row) = form.list.row_at(line, rows(&operation).len()) else {
                return;
            };
            let was_selected = form.list.selected == row;
            form.list.selected = row;
            if was_selected {
                self.edit(context);
            }
        } else if parts.answer.contains(position) {
            self.focus = Pane::Answer;
        }
    }

    fn scroll(&mut self, position: Position, lines: isize, body: Rect) {
        let (_, height) = room(body);
        if let Some(editing) = &mut self.editing {
            editing.editor.scroll(lines, height);
            return;
        }
        let length = self.history.len();
        if let Some(Over::History(list)) = &mut self.over {
            list.move_by(lines, length, usize::from(body.height.saturating_sub(1)));
            return;
        }
        let parts = self.parts(body);
        if parts.answer.contains(position) {
            self.scroll_answer(lines, body);
        } else if parts.form.contains(position) {
            self.move_row(lines, body);
        } else {
            self.move_operation(lines, body);
        }
    }

    fn page(&self, body: Rect) -> isize {
        let parts = self.parts(body);
        let height = match self.focus {
            Pane::Operations => parts.list.height,
            Pane::Form => parts.form.height,
            Pane::Answer => parts.answer.height,
        };
        isize::try_from(height.max(1)).unwrap_or(1)
    }

    fn move_by(&mut self, lines: isize, body: Rect) {
        match self.focus {
            Pane::Operations => self.move_operation(lines, body),
            Pane::Form => self.move_row(lines, body),
            Pane::Answer => self.scroll_answer(lines, body),
        }
    }

    fn move_operation(&mut self, lines: isize, body: Rect) {
        let row = self.operations.selected.saturating_add_signed(lines);
        self.select(row, body);
    }

    fn select(&mut self, row: usize, body: Rect) {
        let length = self.document().operations.len();
        self.operations.selected = row.min(length.saturating_sub(1));
        self.settle_selection(body);
    }

    /// Remembers which operation is selected, and gives it a form.
    fn settle_selection(&mut self, body: Rect) {
        let key = self.form_mut().map(|(operation, _)| operation.key());
        self.selected = key;
        self.reveal(body);
    }

    /// Selects the operation that was selected, wherever it is now.
    pub(super) fn find_selected(&mut self, body: Rect) {
        let wanted = self.selected.as_deref();
        let mut operations = self.document().operations.iter();
        let place = wanted.and_then(|key| operations.position(|one| one.key() == key));
        self.select(place.unwrap_or(0), body);
    }

    fn move_row(&mut self, lines: isize, body: Rect) {
        let height = usize::from(self.parts(body).form.height);
        if let Some((operation, form)) = self.form_mut() {
            form.list.move_by(lines, rows(&operation).len(), height);
        }
    }

    /// Brings what is selected into its window.
    pub(super) fn reveal(&mut self, body: Rect) {
        let parts = self.parts(body);
        let length = self.document().operations.len();
        self.operations
            .reveal(length, usize::from(parts.list.height));
        if let Some((operation, form)) = self.form_mut() {
            let height = usize::from(parts.form.height);
            form.list.reveal(rows(&operation).len(), height);
        }
    }

    pub(super) fn scroll_answer(&mut self, lines: isize, body: Rect) {
        let area = self.parts(body).answer;
        let most = offset_max(self, area);
        self.answer_offset = self.answer_offset.saturating_add_signed(lines).min(most);
    }

    pub(super) fn parts(&self, body: Rect) -> Parts {
        let rows = self.operation().map_or(0, |one| rows(one).len());
        parts(body, self.focus, rows)
    }
}
