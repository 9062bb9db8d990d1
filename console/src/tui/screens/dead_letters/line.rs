//! A line that is typed over the messages: a search, or the jq program of a patch.
//!
//! Invariant: what is listed is what the applied query found; an answer to an older one changes
//! nothing.

use std::collections::HashSet;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::Clear;
use ratatui_textarea::{CursorMove, TextArea};
use unicode_width::UnicodeWidthStr as _;

use super::preview::Preview;
use super::{DeadLetters, Open};
use crate::tui::format::{count, visible};
use crate::tui::keymap::Action;
use crate::tui::message::{Answer, Fault, Reply, Request, Tone};
use crate::tui::model::Model;
use crate::tui::patch::{Found, PatchInputs, Patched, Query};
use crate::tui::remote::Remote;
use crate::tui::screens::lines::hanging;
use crate::tui::update_context::UpdateContext;
use pipeline::model::DeadLetter;
use redrive::triage::Program;

/// Longest line, in characters.
const CHARS_MAX: usize = 4_000;

/// What the line is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    Search,
    /// Patch these messages, which come from there.
    Patch {
        scope: String,
        messages: PatchInputs,
    },
    /// The name of the queue, before these messages are deleted, which come from there.
    Delete {
        scope: String,
        message_ids: HashSet<String>,
    },
}

/// The line while it is typed, and while its answer is awaited.
#[derive(Debug)]
pub(super) struct LineInput {
    pub(super) purpose: Purpose,
    input: TextArea<'static>,
    asked: Remote<Patched>,
}

impl LineInput {
    pub(super) fn new(purpose: Purpose, text: &str) -> Self {
        let mut input = TextArea::new(vec![text.to_owned()]);
        input.set_cursor_line_style(Style::new());
        input.move_cursor(CursorMove::End);
        Self {
            purpose,
            input,
            asked: Remote::Idle,
        }
    }

    fn refuse(&mut self, message: String, now: DateTime<Utc>) {
        let hint = None;
        self.asked = Remote::Failed {
            error: Fault { message, hint },
            failed_at: now,
            previous: None,
        };
    }

    fn text(&self) -> String {
        let text = self.input.lines().join(" ");
        text.chars().take(CHARS_MAX).collect()
    }

    pub(super) fn key(&mut self, key: KeyEvent) {
        // The answer to a program that is changed meanwhile does not count.
        self.asked.reset();
        if (key.code, key.modifiers) == (KeyCode::Char('u'), KeyModifiers::CONTROL) {
            // As in a shell; the widget would undo.
            self.input.delete_line_by_head();
        } else {
            self.input.input(key);
        }
    }

    pub(super) fn paste(&mut self, text: &str) {
        self.asked.reset();
        let text: String = text.chars().take(CHARS_MAX).collect();
        self.input.insert_str(text.replace(['\r', '\n'], " "));
    }
}

/// A query that is applied.
#[derive(Debug)]
pub(super) struct Search {
    pub(super) text: String,
    query: Query,
    pub(super) found: Remote<Found>,
    /// Messages that it found and that are still held.
    pub(super) held: usize,
    is_stale: bool,
}

impl DeadLetters {
    pub(super) fn begin_search(&mut self) {
        let text = self
            .search
            .as_ref()
            .map_or("", |search| search.text.as_str());
        self.open = Open::Line(Box::new(LineInput::new(Purpose::Search, text)));
    }

    /// Patches the marked messages, else those that are listed.
    pub(super) fn begin_patch(&mut self, turn: &mut UpdateContext<'_>) {
        if self.is_read_only {
            let text = format!("{} is read-only: nothing is mended", self.environment);
            turn.say(Tone::Warning, text);
            return;
        }
        let (scope, messages): (String, Vec<&DeadLetter>) = if self.marks.is_empty() {
            let message_at = |position: &usize| self.messages.get(*position);
            let scope = self.listed_group().map_or_else(
                || "all messages that are listed".to_owned(),
                |group| format!("the group {}", group.key.title()),
            );
            (scope, self.listed.iter().filter_map(message_at).collect())
        } else {
            let is_marked = |message: &&DeadLetter| self.marks.contains(&message.message_id);
            let marked = self.messages.iter().filter(is_marked);
            ("the marked messages".to_owned(), marked.collect())
        };
        let is_at_rest = |message: &&&DeadLetter| !self.moving.contains(&message.message_id);
        let messages: Vec<_> = messages
            .iter()
            .filter(is_at_rest)
            .map(|message| self.mending(message))
            .collect();
        if messages.is_empty() {
            turn.say(Tone::Muted, "no message to patch");
            return;
        }
        let messages = Arc::new(messages);
        let purpose = Purpose::Patch { scope, messages };
        self.open = Open::Line(Box::new(LineInput::new(purpose, "")));
    }

    pub(super) fn act_on_line(&mut self, action: Action, turn: &mut UpdateContext<'_>) {
        let Open::Line(line) = &mut self.open else {
            return;
        };
        #[expect(clippy::wildcard_enum_match_arm, reason = "the other keys write")]
        match action {
            Action::Back => self.open = Open::Nothing,
            Action::Confirm => {
                let text = line.text();
                match line.purpose.clone() {
                    Purpose::Search => {
                        // The line stays open where it cannot be meant: what is typed next would
                        // be taken for keys.
                        if let Some(Query::Program(program)) = Query::parse(&text)
                            && let Err(error) = Program::compile(&program)
                        {
                            line.refuse(format!("not a jq program: {error}"), turn.now);
                            return;
                        }
                        self.open = Open::Nothing;
                        self.begin_query(&text, turn);
                    }
                    Purpose::Patch { messages, .. } => {
                        let program = text;
                        turn.fetch(&mut line.asked, Request::Patch { program, messages });
                    }
                    Purpose::Delete { message_ids, .. } => self.delete(&text, &message_ids, turn),
                }
            }
            _ => {}
        }
    }

    fn begin_query(&mut self, text: &str, turn: &mut UpdateContext<'_>) {
        let Some(query) = Query::parse(text) else {
            self.clear_search(turn.body);
            return;
        };
        self.search = Some(Search {
            text: text.trim().to_owned(),
            query,
            found: Remote::Idle,
            held: 0,
            is_stale: true,
        });
        self.run_search(turn);
    }

    pub(super) fn clear_search(&mut self, body: Rect) {
        self.search = None;
        self.regroup(body);
    }

    /// The messages or their bodies changed: what is found is found anew.
    pub(super) fn search_again(&mut self) {
        if let Some(search) = &mut self.search {
            search.is_stale = true;
        }
    }

    /// Asks where what was found is out of date.
    pub(super) fn run_search(&mut self, turn: &mut UpdateContext<'_>) {
        let is_due = |search: &&Search| search.is_stale && !search.found.is_loading();
        let Some(query) = self.search.as_ref().filter(is_due).map(|s| s.query.clone()) else {
            return;
        };
        let messages = self.messages.iter().map(|message| self.mending(message));
        let messages = Arc::new(messages.collect::<Vec<_>>());
        if let Some(search) = &mut self.search {
            search.is_stale = false;
            turn.fetch(&mut search.found, Request::Search { query, messages });
        }
    }

    pub(super) fn found(&mut self, reply: Reply, turn: &mut UpdateContext<'_>) {
        let result = match reply.result {
            Ok(Answer::Found(found)) => Ok(found),
            Ok(_) => Err(super::holding::unexpected()),
            Err(fault) => Err(fault),
        };
        if let Some(search) = &mut self.search
            && search.found.settle(reply.id, result, turn.now)
        {
            self.regroup(turn.body);
        }
    }

    /// Whether the applied query lists a message; before its first answer all are listed.
    pub(super) fn is_found(&self, message: &DeadLetter) -> bool {
        self.search
            .as_ref()
            .and_then(|search| search.found.value())
            .is_none_or(|found| found.message_ids.contains(&message.message_id))
    }

    /// What is said of the applied query.
    pub(super) fn search_remark(&self) -> Option<(Tone, String)> {
        let search = self.search.as_ref()?;
        let query = visible(&search.text);
        if let Some(fault) = search.found.error() {
            let text = format!("search {query}: {} · x clears it", visible(&fault.message));
            return Some((Tone::Bad, text));
        }
        let found = search.found.value()?;
        let number = count(search.held as u64);
        let mut text = format!("search {query}: {number} found");
        if found.failed > 0 {
            let failed = count(found.failed as u64);
            text.push_str(&format!(" · the program fails on {failed}"));
        }
        text.push_str(" · x clears it");
        Some((Tone::Muted, text))
    }

    /// A program was run over the messages of a patch.
    pub(super) fn patched(&mut self, reply: Reply, turn: &mut UpdateContext<'_>) {
        let Open::Line(line) = &mut self.open else {
            return;
        };
        let result = match reply.result {
            Ok(Answer::Patched(patched)) => Ok(patched),
            Ok(_) => Err(super::holding::unexpected()),
            Err(fault) => Err(fault),
        };
        if !line.asked.settle(reply.id, result, turn.now) {
            return;
        }
        let Some(patched) = line
            .asked
            .value()
            .cloned()
            .filter(|_| line.asked.error().is_none())
        else {
            return;
        };
        if patched.mended.is_empty() {
            line.asked = Remote::Failed {
                error: changes_nothing(&patched),
                failed_at: turn.now,
                previous: None,
            };
            return;
        }
        let program = line.text();
        if let Purpose::Patch { scope, messages } = line.purpose.clone() {
            let preview = Preview::new(program, (scope, messages), patched);
            self.open = Open::Preview(Box::new(preview));
        }
    }

    /// Draws the line at the lower end, with what is wrong with it above.
    pub(super) fn draw_line(
        &self,
        line: &LineInput,
        model: &Model,
        canvas: &mut Frame<'_>,
        area: Rect,
    ) {
        let theme = model.theme;
        let width = usize::from(area.width);
        let (label, advice) = match &line.purpose {
            Purpose::Search => (
                " search: ",
                "a text, or a jq program after jq: or with a leading dot".to_owned(),
            ),
            Purpose::Patch { messages, .. } => (
                " patch: ",
                format!(
                    "a jq program that makes one event of each of {}; ⏎ shows what it does",
                    Self::messages_in_words(messages.len())
                ),
            ),
            Purpose::Delete { scope, message_ids } => (
                " name: ",
                format!(
                    "to delete {} of {scope} for good, with a copy in a file, type {}",
                    Self::messages_in_words(message_ids.len()),
                    visible(&self.queue)
                ),
            ),
        };
        let (tone, text) = match (&line.asked.error(), line.asked.is_loading()) {
            (_, true) => (Tone::Muted, "the program runs".to_owned()),
            (Some(fault), false) => (Tone::Bad, visible(&fault.message)),
            (None, false) => (Tone::Muted, advice),
        };
        let above = hanging(tone, &text, theme, width);
        let rows = u16::try_from(above.len() + 1).unwrap_or(u16::MAX);
        let rows = rows.min(area.height);
        let place = Rect {
            y: area.bottom() - rows,
            height: rows,
            ..area
        };
        canvas.render_widget(Clear, place);
        for (row, text) in super::area_rows(place).zip(above) {
            canvas.render_widget(text, row);
        }
        if rows == 0 {
            return;
        }
        let last = Rect {
            y: place.bottom() - 1,
            height: 1,
            ..place
        };
        canvas.render_widget(Clear, last);
        canvas.render_widget(Line::from(Span::styled(label, theme.key())), last);
        let columns = u16::try_from(label.width()).unwrap_or(0).min(last.width);
        let field = Rect {
            x: last.x + columns,
            width: last.width - columns,
            ..last
        };
        canvas.render_widget(&line.input, field);
    }
}

fn changes_nothing(patched: &Patched) -> Fault {
    let mut message = format!(
        "the program changes no message: {} stay as they are",
        count(patched.unchanged as u64)
    );
    if let Some(why) = &patched.failure {
        let failed = count(patched.failed as u64);
        message.push_str(&format!(", it fails on {failed}: {}", visible(why)));
    }
    Fault {
        message,
        hint: None,
    }
}
