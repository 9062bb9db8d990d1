//! Draws the screen. Invariant: a function of the model; only the rows of the window are made.

use pipeline::queue_peek::{PEEK_VISIBILITY, Peek, PeekPrice};
use ratatui::Frame;
use ratatui::style::Style;
use ratatui::text::Line;

use super::question;
use super::rows;
use super::state::{Parts, Question, Queue};
use crate::tui::context::ScreenContext;
use crate::tui::format::{age_secs, clock, counted, span_secs, visible};
use crate::tui::layout::area_rows;
use crate::tui::lines::{draw_divider, fault_lines, hanging, key_line, message_count, titled};
use crate::tui::theme::{Theme, Tone};

impl Queue {
    pub(super) fn draw(&self, context: &ScreenContext<'_>, canvas: &mut Frame<'_>) {
        let theme = context.theme;
        let parts = self.parts(context.body);
        self.draw_list(context, canvas, parts);
        let is_danger = context.environment.is_production;
        draw_divider(theme, is_danger, canvas, parts.divider);
        if let Some(detail) = &self.detail {
            let width = parts.detail_title.width;
            canvas.render_widget(
                titled("Message", Vec::new(), theme, width),
                parts.detail_title,
            );
            let (height, width) = (parts.detail.height, parts.detail.width);
            let lines = detail.lines(theme, usize::from(height), usize::from(width));
            for (line, place) in lines.into_iter().zip(area_rows(parts.detail)) {
                canvas.render_widget(line, place);
            }
        }
        if let (Question::Open, Some(price)) = (self.question, self.price.value()) {
            question::draw(price, self.messages_max(), context, canvas);
        }
    }

    fn draw_list(&self, context: &ScreenContext<'_>, canvas: &mut Frame<'_>, parts: Parts) {
        let theme = context.theme;
        let title = titled("Queue", self.pieces(context), theme, parts.title.width);
        canvas.render_widget(title, parts.title);
        let width = usize::from(parts.list.width);
        let mut lines = self.notes(context, width);
        match self.peek.value() {
            Some(peek) if !peek.messages.is_empty() => {
                lines.push(rows::head(theme, width));
                let height = usize::from(parts.list.height).saturating_sub(lines.len());
                let mut list = self.list;
                list.reveal(peek.messages.len(), height);
                let shown = peek.messages.iter().enumerate();
                for (number, message) in shown.skip(list.offset).take(height) {
                    let is_selected = number == list.selected;
                    lines.push(rows::row(peek, message, is_selected, theme, width));
                }
            }
            Some(_) | None => lines.extend(self.advice(theme, width)),
        }
        for (line, place) in lines.into_iter().zip(area_rows(parts.list)) {
            canvas.render_widget(line, place);
        }
    }

    /// `3 messages · 1 at its limit · as of 12:03:07 UTC`
    fn pieces(&self, context: &ScreenContext<'_>) -> Vec<(String, Style)> {
        let theme = context.theme;
        let mut pieces = Vec::new();
        if let Some(since) = self.peek.loading_since() {
            let waited = span_secs(age_secs(since, context.now));
            pieces.push((format!("receiving for {waited}"), theme.muted()));
        }
        if let Some(peek) = self.peek.value() {
            pieces.push((message_count(peek.messages.len()), Style::new()));
            let at_limit = peek.at_limit();
            if at_limit > 0 {
                let text = format!("{at_limit} at the limit");
                pieces.push((text, theme.tone(Tone::Bad)));
            }
            let as_of = format!("as of {} UTC", clock(peek.ended_at));
            pieces.push((as_of, theme.muted()));
        }
        pieces.push((
            format!("next peek: up to {}", self.messages_max()),
            theme.muted(),
        ));
        pieces
    }

    /// What stands above the rows: what is hidden, what was released, what failed, why there are no more.
    pub(super) fn notes(&self, context: &ScreenContext<'_>, width: usize) -> Vec<Line<'static>> {
        let theme = context.theme;
        let mut lines = Vec::new();
        let mut note = |tone, text: &str| lines.extend(hanging(tone, text, theme, width));
        if self.peek.is_loading() {
            let longest = span_secs(PEEK_VISIBILITY.as_secs());
            let text = format!(
                "receiving: what comes is hidden from the ingest until the last receive, for {longest} at most"
            );
            note(Tone::Muted, &text);
        } else if let Some(text) = self.hidden_text(context) {
            note(Tone::Warning, &text);
        } else if let Some(released) = self.peek.value().and_then(released_text) {
            note(Tone::Good, &released);
        }
        if let Some(peek) = self.peek.value().filter(|_| !self.peek.is_loading()) {
            if peek.messages.is_empty() {
                note(Tone::Muted, "no message came");
            }
            if let Some(reason) = peek.end.reason() {
                let tone = if peek.at_limit() > 0 {
                    Tone::Bad
                } else {
                    Tone::Muted
                };
                note(tone, &visible(&reason));
            }
            if let Some(error) = &peek.audit_error {
                note(Tone::Warning, &visible(error));
            }
        }
        if let Some(refusal) = self.price.value().and_then(PeekPrice::refusal) {
            note(Tone::Bad, &visible(&format!("no peek: {}", refusal.cause)));
            note(Tone::Muted, &visible(&refusal.hint()));
        }
        if let Some(fault) = self.peek.error() {
            let failed = (fault, self.peek.failed_at());
            lines.extend(fault_lines(failed, ("p", "asks again"), theme, width));
        }
        if let Some(fault) = self.price.error() {
            let failed = (fault, self.price.failed_at());
            lines.extend(fault_lines(failed, ("^r", "reads it again"), theme, width));
        }
        lines
    }

    /// `up to 3 messages received until 14:05:33 UTC, hidden from the ingest for 28 s: R releases them`
    fn hidden_text(&self, context: &ScreenContext<'_>) -> Option<String> {
        let (hidden, _) = self.hidden?;
        let until = hidden.until?;
        let left = span_secs(age_secs(context.now, until));
        let what = match (self.release.is_loading(), self.has_handles()) {
            (true, _) => "being released",
            (false, true) => "R releases them",
            (false, false) => "SQS did not answer, so only the time releases them",
        };
        Some(format!(
            "up to {} received until {} UTC, hidden from the ingest for {left}: {what}",
            message_count(hidden.messages_max),
            clock(until)
        ))
    }

    /// Before anything was received: what it would cost.
    fn advice(&self, theme: Theme, width: usize) -> Vec<Line<'static>> {
        let mut lines = Vec::new();
        let Some(price) = self.price.value() else {
            if self.price.is_loading() {
                let text = "reading the settings of the queue; nothing is received";
                lines.extend(hanging(Tone::Muted, text, theme, width));
            }
            return lines;
        };
        let as_of = self
            .price
            .fetched()
            .map(|fetched| clock(fetched.fetched_at));
        let as_of = as_of.unwrap_or_default();
        let text = format!(
            "SQS shows a message only to whoever receives it. What a peek costs, as of {as_of} UTC:"
        );
        lines.extend(hanging(Tone::Muted, &text, theme, width));
        for sentence in price.sentences(self.messages_max()) {
            lines.extend(hanging(Tone::Muted, &visible(&sentence), theme, width));
        }
        lines.push(Line::default());
        let messages = counted(self.messages_max() as u64, "message");
        let what = format!("asks whether to receive up to {messages}; + and - choose how many");
        lines.push(key_line(theme, "p", &what));
        lines
    }
}

/// `3 messages released at 14:05:03 UTC`
fn released_text(peek: &Peek) -> Option<String> {
    let at = peek.released_at.filter(|_| !peek.messages.is_empty())?;
    let messages = message_count(peek.messages.len());
    Some(format!("{messages} released at {} UTC", clock(at)))
}
