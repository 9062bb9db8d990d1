//! A line that is typed over the messages: a search, the jq program of a patch, the name of the
//! queue before a deletion.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::Clear;
use ratatui_textarea::{CursorMove, TextArea};
use unicode_width::UnicodeWidthStr as _;

use crate::tui::context::ScreenContext;
use crate::tui::fault::Fault;
use crate::tui::format::{count, visible};
use crate::tui::layout::area_rows;
use crate::tui::lines::{hanging, message_count};
use crate::tui::patch::{PatchInputs, Patched};
use crate::tui::remote::Remote;
use crate::tui::theme::Tone;
use redrive::operations::Progress;

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

impl Purpose {
    /// What ⏎ does.
    pub(super) const fn verb(&self) -> &'static str {
        match self {
            Self::Search => "search",
            Self::Patch { .. } => "preview",
            Self::Delete { .. } => "delete",
        }
    }
}

/// The line while it is typed, and while its answer is awaited.
#[derive(Debug)]
pub(super) struct LineInput {
    pub(super) purpose: Purpose,
    input: TextArea<'static>,
    pub(super) outcome: Remote<Patched>,
    /// How far the program is, while its answer is awaited.
    pub(super) progress: Option<Progress>,
}

impl LineInput {
    pub(super) fn new(purpose: Purpose, text: &str) -> Self {
        let mut input = TextArea::new(vec![text.to_owned()]);
        input.set_cursor_line_style(Style::new());
        input.move_cursor(CursorMove::End);
        Self {
            purpose,
            input,
            outcome: Remote::Idle,
            progress: None,
        }
    }

    pub(super) fn refuse(&mut self, message: String, now: DateTime<Utc>) {
        self.outcome = Remote::Failed {
            error: Fault::new(message),
            failed_at: now,
            previous: None,
        };
    }

    pub(super) fn text(&self) -> String {
        let text = self.input.lines().join(" ");
        text.chars().take(CHARS_MAX).collect()
    }

    pub(super) fn key(&mut self, key: KeyEvent) {
        if matches!(key.code, KeyCode::Tab | KeyCode::BackTab) {
            return;
        }
        // The answer to a program that is changed meanwhile does not count.
        self.outcome.reset();
        if (key.code, key.modifiers) == (KeyCode::Char('u'), KeyModifiers::CONTROL) {
            // As in a shell; the widget would undo.
            self.input.delete_line_by_head();
        } else {
            self.input.input(key);
        }
    }

    pub(super) fn paste(&mut self, text: &str) {
        self.outcome.reset();
        let text: String = text.chars().take(CHARS_MAX).collect();
        self.input.insert_str(text.replace(['\r', '\n'], " "));
    }

    fn running_text(&self) -> String {
        match self.progress {
            Some(Progress { done, total }) => {
                let (done, total) = (count(done as u64), message_count(total));
                format!("running the program: {done} of {total} done")
            }
            None => "running the program".to_owned(),
        }
    }

    /// Draws the line at the lower end, with what is wrong with it above.
    pub(super) fn draw(&self, context: &ScreenContext<'_>, canvas: &mut Frame<'_>) {
        let (theme, area) = (context.theme, context.body);
        let width = usize::from(area.width);
        let (label, advice) = match &self.purpose {
            Purpose::Search => (
                " search: ",
                "text of body or failure, or a jq program (starts with . or jq:)".to_owned(),
            ),
            Purpose::Patch { messages, .. } => (
                " patch: ",
                format!(
                    "a jq program, e.g. .time = \"2026-01-31T12:00:00Z\"; runs on each of {}",
                    message_count(messages.len())
                ),
            ),
            Purpose::Delete { scope, message_ids } => (
                " name: ",
                format!(
                    "to delete {} ({scope}) for good, with a copy in a file, type {}",
                    message_count(message_ids.len()),
                    visible(context.dead_letter_queue_name())
                ),
            ),
        };
        let (tone, text) = match (self.outcome.error(), self.outcome.is_loading()) {
            (_, true) => (Tone::Muted, self.running_text()),
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
        for (row, text) in area_rows(place).zip(above) {
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
        canvas.render_widget(&self.input, field);
    }
}
