//! The state of the time line, and what keys and answers do to it.

use chrono::{DateTime, Utc};
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use event::{EventKey, peek_identity};
use ratatui::style::Style;
use ratatui_textarea::TextArea;
use redrive::trace::{EventTrace, Place, TraceRequest};
use serde_json::json;

use super::layout::list_area;
use super::subject::{Held, Traceable, key_of};
use crate::tui::context::{ScreenContext, UpdateContext};
use crate::tui::handover::Handover;
use crate::tui::keymap::{Action, Binding, KeyContext, Label};
use crate::tui::list::ListState;
use crate::tui::remote::Remote;
use crate::tui::request::{Answer, Reply, Request};
use crate::tui::theme::Tone;

/// Characters of the line at most: a source and an id of the longest.
const TYPED_CHARS_MAX: usize = 4_096;

/// The open time line.
#[derive(Debug, Default)]
pub(crate) struct TimeLine {
    pub(super) subject: Option<EventKey>,
    pub(super) trace: Remote<EventTrace>,
    /// Whether the last question searches the dead letters.
    pub(super) is_searching: bool,
    pub(super) offset: usize,
    /// Events to choose from.
    pub(super) choices: Vec<EventKey>,
    pub(super) list: ListState,
    /// The event that is typed.
    pub(super) typing: Option<TextArea<'static>>,
    /// What is wrong with it.
    pub(super) fault: Option<&'static str>,
}

impl TimeLine {
    /// Opens it on what is selected, else on a line where an event is typed.
    pub(crate) fn open(
        traceable: Traceable,
        held: Held<'_>,
        context: &mut UpdateContext<'_>,
    ) -> Self {
        let mut time_line = Self::default();
        match traceable {
            Traceable::One(key) => time_line.begin(key, held, context),
            Traceable::Several(keys) => time_line.choose_of(keys, held, context),
            Traceable::Nothing => time_line.type_event(),
            Traceable::Unnamed => {
                context.notify(Tone::Warning, "what is selected has no source or no id");
                time_line.type_event();
            }
        }
        time_line
    }

    fn choose_of(
        &mut self,
        mut keys: Vec<EventKey>,
        held: Held<'_>,
        context: &mut UpdateContext<'_>,
    ) {
        match (keys.pop(), keys.is_empty()) {
            (Some(key), true) => self.begin(key, held, context),
            (Some(key), false) => {
                keys.push(key);
                self.choices = keys;
            }
            (None, _) => self.type_event(),
        }
    }

    fn begin(&mut self, key: EventKey, held: Held<'_>, context: &mut UpdateContext<'_>) {
        self.subject = Some(key);
        self.typing = None;
        self.offset = 0;
        self.trace.reset();
        self.ask(false, held, context);
    }

    /// What is held is looked up at each question: it may have been redriven, deleted or lost since the last.
    fn ask(&mut self, search_dead_letters: bool, held: Held<'_>, context: &mut UpdateContext<'_>) {
        let Some(key) = self.subject.clone().filter(|_| !self.trace.is_loading()) else {
            return;
        };
        self.is_searching = search_dead_letters;
        let (held, holding) = held.of(&key, context.now);
        let request = TraceRequest {
            key,
            search_dead_letters,
            held,
            holding,
        };
        context
            .outbox
            .fetch(&mut self.trace, Reply::TimeLine, |to| {
                Request::TimeLine(Box::new(request), to)
            });
    }

    fn type_event(&mut self) {
        let mut input = TextArea::default();
        input.set_cursor_line_style(Style::new());
        self.typing = Some(input);
        self.fault = None;
    }

    /// Whether events are listed to choose one.
    pub(super) fn is_choosing(&self) -> bool {
        self.subject.is_none() && !self.choices.is_empty()
    }

    pub(crate) fn key_context(&self) -> KeyContext {
        if self.typing.is_some() {
            KeyContext::Input
        } else {
            KeyContext::Trace
        }
    }

    pub(crate) fn hint(&self, binding: &Binding) -> Option<Label> {
        #[expect(
            clippy::wildcard_enum_match_arm,
            reason = "the other keys always do the same"
        )]
        match binding.action {
            Action::Confirm => Some("trace".into()),
            Action::Up if self.typing.is_some() => None,
            Action::Open => self.is_choosing().then(|| "trace".into()),
            Action::ShowLogs => self.logged().map(|_| binding.label.into()),
            Action::Refresh | Action::SearchDeadLetters | Action::CopyItem
                if self.subject.is_none() =>
            {
                None
            }
            _ => Some(binding.label.into()),
        }
    }

    pub(crate) fn waiting_since(&self) -> Option<DateTime<Utc>> {
        self.trace.loading_since()
    }

    pub(crate) fn came(&mut self, answer: Answer<EventTrace>, context: &ScreenContext<'_>) {
        if self.trace.settle(answer, context.now) {
            self.scroll(0, context);
        }
    }

    /// What a key asks for; whether the time line stays open.
    pub(crate) fn act(
        &mut self,
        action: Action,
        held: Held<'_>,
        context: &mut UpdateContext<'_>,
    ) -> bool {
        let page = isize::try_from(context.body.height.saturating_sub(2).max(1)).unwrap_or(1);
        #[expect(
            clippy::wildcard_enum_match_arm,
            reason = "actions of screens reach only those"
        )]
        match action {
            Action::Back => return self.back(),
            Action::Confirm => self.confirm(held, context),
            Action::Filter => self.type_event(),
            Action::Refresh => self.ask(false, held, context),
            Action::SearchDeadLetters => self.search_dead_letters(held, context),
            Action::CopyItem => self.copy(context),
            Action::ShowLogs => self.show_logs(context),
            Action::Open => self.pick(held, context),
            Action::Up => self.move_by(-1, context),
            Action::Down => self.move_by(1, context),
            Action::PageUp => self.move_by(-page, context),
            Action::PageDown => self.move_by(page, context),
            Action::First => self.move_by(isize::MIN, context),
            Action::Last => self.move_by(isize::MAX, context),
            _ => {}
        }
        true
    }

    /// Closes one level: what is typed, the time line of a choice, all.
    fn back(&mut self) -> bool {
        if self.typing.take().is_some() {
            return self.subject.is_some() || self.is_choosing();
        }
        if self.subject.is_some() && !self.choices.is_empty() {
            self.subject = None;
            self.trace.reset();
            return true;
        }
        false
    }

    fn search_dead_letters(&mut self, held: Held<'_>, context: &mut UpdateContext<'_>) {
        if context.is_resuming {
            // It would wait for what this receives.
            context.notify(Tone::Warning, "not while a redrive is being resumed");
        } else if self.trace.is_loading() {
            context.notify(Tone::Muted, "it is being traced; d searches after that");
        } else {
            self.ask(true, held, context);
        }
    }

    fn pick(&mut self, held: Held<'_>, context: &mut UpdateContext<'_>) {
        if self.is_choosing()
            && let Some(key) = self.choices.get(self.list.selected).cloned()
        {
            self.begin(key, held, context);
        }
    }

    /// The newest request of which the log was read, and when it was under way.
    fn logged(&self) -> Option<(String, DateTime<Utc>)> {
        let mut facts = self.trace.value()?.facts.iter().rev();
        facts.find_map(|fact| {
            let request_id = fact
                .reference
                .clone()
                .filter(|_| fact.read_from == Place::Logs)?;
            Some((request_id, fact.at?))
        })
    }

    fn show_logs(&self, context: &mut UpdateContext<'_>) {
        match self.logged() {
            Some((id, at)) => context.outbox.handovers.push(Handover::LogsOf(id, at)),
            None => context.notify(Tone::Muted, "no log line of it is known"),
        }
    }

    fn copy(&self, context: &mut UpdateContext<'_>) {
        let traced = self.trace.value();
        match traced.and_then(|traced| serde_json::to_string_pretty(traced).ok()) {
            Some(json) => context.outbox.copy("the trace, as JSON", json),
            None => context.notify(Tone::Muted, "it is not traced yet"),
        }
    }

    fn move_by(&mut self, rows: isize, context: &ScreenContext<'_>) {
        if self.is_choosing() {
            let height = usize::from(list_area(context.body).height);
            self.list.move_by(rows, self.choices.len(), height);
        } else {
            self.scroll(rows, context);
        }
    }

    /// Scrolls no further than the last line.
    fn scroll(&mut self, lines: isize, context: &ScreenContext<'_>) {
        let area = list_area(context.body);
        let length = self.lines(context, usize::from(area.width)).len();
        let most = length.saturating_sub(usize::from(area.height));
        self.offset = self.offset.saturating_add_signed(lines).min(most);
    }

    pub(crate) fn resized(&mut self, context: &ScreenContext<'_>) {
        self.move_by(0, context);
    }

    pub(crate) fn key(&mut self, key: KeyEvent) {
        if let Some(input) = &mut self.typing
            && !matches!(key.code, KeyCode::Tab | KeyCode::BackTab | KeyCode::Enter)
        {
            if (key.code, key.modifiers) == (KeyCode::Char('u'), KeyModifiers::CONTROL) {
                // As in a shell; the widget would undo.
                input.delete_line_by_head();
            } else {
                input.input(key);
            }
            self.fault = None;
        }
    }

    /// Of an event only what names it comes into the line, which has no room for the event.
    pub(crate) fn paste(&mut self, text: &str) {
        if let Some(input) = &mut self.typing {
            let typed = input.lines().iter().map(|line| line.chars().count());
            let room = TYPED_CHARS_MAX.saturating_sub(typed.sum());
            let name = key_of(&peek_identity(text))
                .map(|EventKey { source, id }| json!({ "source": source, "id": id }).to_string());
            let text = name.as_deref().unwrap_or(text);
            let text: String = text.chars().take(room).collect();
            input.insert_str(text.replace(['\r', '\n'], " "));
            self.fault = None;
        }
    }

    fn confirm(&mut self, held: Held<'_>, context: &mut UpdateContext<'_>) {
        let Some(input) = &self.typing else {
            return;
        };
        let text = input.lines().join(" ");
        let text: String = text.chars().take(TYPED_CHARS_MAX).collect();
        match typed_key(&text) {
            Ok(key) => self.begin(key, held, context),
            Err(fault) => self.fault = Some(fault),
        }
    }

    /// Selects the event in a row of the terminal, and traces it when it is selected already.
    pub(crate) fn click(&mut self, row: u16, held: Held<'_>, context: &mut UpdateContext<'_>) {
        let area = list_area(context.body);
        let line = row.checked_sub(area.y).filter(|_| self.is_choosing());
        let line = line.filter(|line| *line < area.height);
        let Some(chosen) =
            line.and_then(|line| self.list.row_at(usize::from(line), self.choices.len()))
        else {
            return;
        };
        if chosen == self.list.selected {
            self.pick(held, context);
        } else {
            self.list.selected = chosen;
        }
    }
}

/// An event as it is typed: source and id with a blank between, or the event itself as JSON.
fn typed_key(text: &str) -> Result<EventKey, &'static str> {
    let text = text.trim();
    if text.starts_with('{') {
        return key_of(&peek_identity(text)).ok_or("this JSON has no source or no id");
    }
    let (source, id) = text
        .rsplit_once(char::is_whitespace)
        .ok_or("a source and an id, with a blank between them")?;
    Ok(EventKey {
        source: source.trim_end().to_owned(),
        id: id.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn event_is_typed_as_source_and_id_or_as_json() {
        let key = |source: &str, id: &str| {
            Ok(EventKey {
                source: source.to_owned(),
                id: id.to_owned(),
            })
        };
        assert_eq!(typed_key(" /apps/crew  5b0c "), key("/apps/crew", "5b0c"));
        assert_eq!(typed_key("/a b c"), key("/a b", "c"));
        let json = r#"{"id": "a b", "source": "/s", "type": "t"}"#;
        assert_eq!(typed_key(json), key("/s", "a b"));
        assert!(typed_key("/apps/crew").is_err());
        assert!(typed_key(r#"{"id": "1"}"#).is_err());
        assert!(typed_key("").is_err());
    }
}
