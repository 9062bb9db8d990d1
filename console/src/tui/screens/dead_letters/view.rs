//! Draws the screen. Invariant: a function of the model; only the rows of the window are made.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use unicode_width::UnicodeWidthStr as _;

use super::columns::{Columns, RowEvent, RowState, group_row};
use super::places::Places;
use super::{DeadLetters, Open, Pane};
use crate::tui::format::{age_secs, clock, count, fit, short_span_secs, span_secs, visible};
use crate::tui::message::Tone;
use crate::tui::model::Model;
use crate::tui::screens::lines::wrapped;
use crate::tui::screens::{area_rows, draw_divider};
use crate::tui::theme::{Theme, sign};

impl DeadLetters {
    /// Draws the screen.
    pub fn view(&self, model: &Model, canvas: &mut Frame<'_>, area: Rect) {
        let places = self.places(area);
        let theme = model.theme;
        canvas.render_widget(
            self.title(model, usize::from(places.title.width)),
            places.title,
        );
        for (row, remark) in area_rows(places.remarks).zip(self.remark_rows(area.width)) {
            let lead = if remark.is_first {
                sign(remark.tone)
            } else {
                " "
            };
            let text = format!(" {lead} {}", remark.text);
            canvas.render_widget(Line::styled(text, theme.tone(remark.tone)), row);
        }
        if self.messages.is_empty() {
            self.draw_advice(model, canvas, places.rest);
        } else {
            self.draw_groups(model, canvas, &places);
            self.draw_messages(model, canvas, &places);
            self.draw_detail(model, canvas, &places);
        }
        match &self.open {
            Open::Nothing => {}
            Open::Line(line) => self.draw_line(line, model, canvas, area),
            Open::Preview(preview) => self.draw_preview(preview, model, canvas, area),
            Open::Editor(editing) => self.draw_editor(editing, model, canvas, area),
        }
    }

    /// How many are held, until when, and what else fits.
    fn title(&self, model: &Model, width: usize) -> Line<'static> {
        let mut text = self
            .hold_texts(model)
            .into_iter()
            .reduce(|best, shorter| if best.width() < width { best } else { shorter })
            .unwrap_or_default();
        let mut parts = Vec::new();
        if let Some(since) = self.hold.loading_since() {
            let waited = span_secs(age_secs(since, model.now));
            parts.push(format!("taking messages for {waited}"));
        }
        if !self.marks.is_empty() {
            parts.push(format!("{} marked", count(self.marks.len() as u64)));
        }
        if self.edited() > 0 {
            parts.push(format!("{} edited ~", count(self.edited() as u64)));
        }
        if self.is_read_only {
            parts.push("read-only: no redrive".to_owned());
        }
        if !self.messages.is_empty() {
            parts.push("others cannot see them".to_owned());
        }
        for part in parts {
            if text.width() + part.width() + 4 > width {
                break;
            }
            text.push_str(" · ");
            text.push_str(&part);
        }
        Line::styled(
            format!(" {}", fit(&text, width.saturating_sub(1))),
            model.theme.strong(),
        )
    }

    /// `37 held of about 40 · released in 4 min or on leaving`, and shorter.
    fn hold_texts(&self, model: &Model) -> Vec<String> {
        let held = count(self.messages.len() as u64);
        let total = model
            .pipeline
            .dead_letter_queue
            .value()
            .map(|queue| queue.depth.visible + queue.depth.in_flight + queue.depth.delayed);
        let of_all = match total {
            Some(total) if total > self.messages.len() as u64 && !self.messages.is_empty() => {
                format!(" of about {}", count(total))
            }
            Some(_) | None => String::new(),
        };
        let Some(until) = self.held_until else {
            return vec![format!("{held} held")];
        };
        let (long, short) = match age_secs(model.now, until) {
            0 => ("the hold has ended".to_owned(), "hold ended".to_owned()),
            left => {
                let left = short_span_secs(left);
                (
                    format!("released in {left} or on leaving"),
                    format!("released in {left}"),
                )
            }
        };
        vec![
            format!("{held} held{of_all} · {long}"),
            format!("{held} held{of_all} · {short}"),
            format!("{held} held · {short}"),
        ]
    }

    fn draw_groups(&self, model: &Model, canvas: &mut Frame<'_>, places: &Places) {
        let theme = model.theme;
        let has_focus = self.focus == Pane::Groups;
        let mut list = self.group_list;
        list.reveal(self.grouping.rows(), usize::from(places.groups.height));
        let position = format!(
            "{} / {}",
            count(list.selected as u64 + 1),
            count(self.grouping.rows() as u64)
        );
        self.draw_bar(
            "Groups by cause",
            &position,
            has_focus,
            theme,
            canvas,
            places.groups_title,
        );
        let digits = count(self.messages.len() as u64).width();
        for (row, place) in (list.offset..self.grouping.rows()).zip(area_rows(places.groups)) {
            let group = row
                .checked_sub(1)
                .and_then(|row| self.grouping.groups.get(row));
            let numbers = group.map_or((self.messages.len(), self.grouping.ready), |group| {
                (group.messages, group.ready)
            });
            let look = (row == list.selected, has_focus);
            let line = group_row(
                group,
                numbers,
                look,
                (theme, model.now),
                (usize::from(place.width), digits),
            );
            canvas.render_widget(line, place);
        }
    }

    fn draw_messages(&self, model: &Model, canvas: &mut Frame<'_>, places: &Places) {
        let theme = model.theme;
        let has_focus = self.focus == Pane::Messages;
        let mut list = self.message_list;
        list.reveal(self.listed.len(), usize::from(places.messages.height));
        let name = self.listed_group().map_or_else(
            || "Messages".to_owned(),
            |group| visible(&group.key.title()),
        );
        let position = format!(
            "{} / {}",
            count(list.selected as u64 + 1),
            count(self.listed.len() as u64)
        );
        self.draw_bar(
            &name,
            &position,
            has_focus,
            theme,
            canvas,
            places.messages_title,
        );
        let columns = Columns::of_width(usize::from(places.messages.width));
        canvas.render_widget(columns.head(theme), places.messages_head);
        for (row, place) in (list.offset..self.listed.len()).zip(area_rows(places.messages)) {
            let Some(message) = self.message_at(row) else {
                break;
            };
            let state = RowState {
                is_selected: row == list.selected,
                has_focus,
                is_marked: self.marks.contains(&message.message_id),
                verdict: self.verdict_of(message),
                identity: self.identity_of(message),
                event: self.row_event(&message.message_id),
            };
            canvas.render_widget(columns.row(message, state, theme, model.now), place);
        }
    }

    fn row_event(&self, message_id: &str) -> RowEvent {
        if self.moving.contains(message_id) {
            RowEvent::Moving
        } else if self.notes.contains_key(message_id) {
            RowEvent::Noted
        } else if self.edits.contains_key(message_id) {
            RowEvent::Edited
        } else {
            RowEvent::None
        }
    }

    fn draw_detail(&self, model: &Model, canvas: &mut Frame<'_>, places: &Places) {
        let theme = model.theme;
        draw_divider(theme, self.is_production, canvas, places.separator);
        if places.detail.is_empty() {
            return;
        }
        let (Some(message), Some(detail)) = (self.selected_message(), &self.detail) else {
            return;
        };
        let width = usize::from(places.detail.width);
        let note = self.notes.get(&message.message_id);
        let length = detail.length(message, note, width);
        let name = format!(
            "Message {} / {}",
            count(self.message_list.selected as u64 + 1),
            count(self.listed.len() as u64)
        );
        let position = if length > usize::from(places.detail.height) || self.detail_offset > 0 {
            format!(
                "J K scroll  {} / {}",
                count(self.detail_offset as u64 + 1),
                count(length as u64)
            )
        } else {
            String::new()
        };
        let has_focus = self.is_detail_open;
        self.draw_bar(
            &name,
            &position,
            has_focus,
            theme,
            canvas,
            places.detail_title,
        );
        let window = (self.detail_offset, width, usize::from(places.detail.height));
        let lines = detail.lines(message, note, theme, model.now, window);
        for (line, place) in lines.into_iter().zip(area_rows(places.detail)) {
            canvas.render_widget(line, place);
        }
    }

    /// A line with the name of a pane; heavy where the keys work.
    fn draw_bar(
        &self,
        name: &str,
        position: &str,
        has_focus: bool,
        theme: Theme,
        canvas: &mut Frame<'_>,
        place: Rect,
    ) {
        let width = usize::from(place.width);
        let stroke = if has_focus { "━" } else { "─" };
        let position = if position.is_empty() {
            String::new()
        } else {
            format!(" {position} ")
        };
        let name = fit(
            &format!(" {name} "),
            width.saturating_sub(position.width() + 2),
        );
        let gap = width.saturating_sub(1 + name.width() + position.width() + 1);
        let frame = theme.frame(has_focus, self.is_production);
        let text = if has_focus {
            theme.strong()
        } else {
            Style::new()
        };
        let line = Line::from(vec![
            Span::styled(stroke, frame),
            Span::styled(name, text),
            Span::styled(stroke.repeat(gap), frame),
            Span::styled(position, text),
            Span::styled(stroke, frame),
        ]);
        canvas.render_widget(line, place);
    }

    /// There is nothing to list: why, and which key fills it.
    fn draw_advice(&self, model: &Model, canvas: &mut Frame<'_>, area: Rect) {
        let theme = model.theme;
        let mut lines: Vec<(Option<Tone>, String)> = Vec::new();
        if let Some(since) = self.hold.loading_since() {
            let waited = span_secs(age_secs(since, model.now));
            lines.push((
                Some(Tone::Muted),
                format!("taking the dead letters, for {waited}"),
            ));
            lines.push((
                None,
                "SQS gives them in no order and a few at a time.".to_owned(),
            ));
            lines.push((
                None,
                "What is taken others cannot see until you leave.".to_owned(),
            ));
        } else if let Some(released) = self.released {
            let number = Self::messages_in_words(released.messages);
            let at = clock(released.at);
            lines.push((Some(Tone::Good), format!("{number} released at {at} UTC")));
            lines.push((
                None,
                "Others can see them again. ⏎ or ^r holds them again.".to_owned(),
            ));
        } else if self.hold.error().is_none() && self.hold.fetched().is_some() {
            let at = self
                .hold
                .fetched()
                .map(|facts| clock(facts.fetched_at))
                .unwrap_or_default();
            lines.push((
                Some(Tone::Good),
                format!("no dead letters · looked at {at} UTC"),
            ));
            lines.push((None, self.elsewhere_text(model)));
        }
        if let Some(fault) = self.hold.error() {
            lines.push((Some(Tone::Bad), visible(&fault.message)));
            if let Some(hint) = &fault.hint {
                lines.push((None, visible(hint)));
            }
            lines.push((None, "^r tries again.".to_owned()));
        }
        let width = usize::from(area.width).saturating_sub(4).max(1);
        let advice: Vec<Line<'_>> = lines
            .into_iter()
            .flat_map(|(tone, text)| {
                let style = tone.map_or(Style::new(), |tone| theme.tone(tone));
                let text = tone.map_or(text.clone(), |tone| format!("{} {text}", sign(tone)));
                wrapped(&text, width)
                    .into_iter()
                    .map(move |row| Line::from(vec![Span::raw("  "), Span::styled(row, style)]))
            })
            .collect();
        let blank = area.height.saturating_sub(1).min(1);
        let below = Rect {
            y: area.y + blank,
            height: area.height - blank,
            ..area
        };
        for (line, place) in advice.into_iter().zip(area_rows(below)) {
            canvas.render_widget(line, place);
        }
    }

    fn elsewhere_text(&self, model: &Model) -> String {
        let elsewhere = model
            .pipeline
            .dead_letter_queue
            .value()
            .map(|queue| queue.depth.visible + queue.depth.in_flight)
            .filter(|number| *number > 0);
        match elsewhere {
            Some(number) => format!(
                "The queue counts about {}: somebody else may hold them. ^r looks again.",
                count(number)
            ),
            None => "The dead-letter queue is empty. ^r looks again.".to_owned(),
        }
    }
}
