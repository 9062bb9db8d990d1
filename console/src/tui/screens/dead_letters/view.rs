//! Draws the screen. Invariant: a function of the model; only the rows of the window are made.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use unicode_width::UnicodeWidthStr as _;

use super::columns::{Columns, RowEvent, RowState, group_row};
use super::layout::Parts;
use super::lease::idle_minutes_left;
use super::state::{DeadLetters, Open, Pane};
use super::visibility::REDRIVE_RESUMED;
use crate::tui::context::ScreenContext;
use crate::tui::format::{age_secs, clock, count, span_secs, visible};
use crate::tui::layout::area_rows;
use crate::tui::lines::{draw_divider, failed_at, whole_words, wrapped};
use crate::tui::theme::{Tone, sign};

impl DeadLetters {
    pub(super) fn draw(&self, context: &ScreenContext<'_>, canvas: &mut Frame<'_>) {
        let area = context.body;
        let parts = self.parts(area);
        let theme = context.theme;
        canvas.render_widget(
            self.title(context, usize::from(parts.title.width)),
            parts.title,
        );
        for (row, remark) in area_rows(parts.remarks).zip(self.remark_rows(area.width)) {
            let lead = if remark.is_first {
                sign(remark.tone)
            } else {
                " "
            };
            let text = format!(" {lead} {}", remark.text);
            canvas.render_widget(Line::styled(text, theme.tone(remark.tone)), row);
        }
        if self.messages.is_empty() {
            self.draw_advice(context, canvas, parts.rest);
        } else {
            self.draw_groups(context, canvas, &parts);
            self.draw_messages(context, canvas, &parts);
            self.draw_detail(context, canvas, &parts);
        }
        match &self.open {
            Open::Nothing => {}
            Open::Line(line) => line.draw(context, canvas),
            Open::Preview(preview) => preview.draw(context, canvas),
            Open::Editor(editing) => editing.draw(context, canvas),
        }
    }

    /// How many are received, how long they are hidden, and what else fits.
    fn title(&self, context: &ScreenContext<'_>, width: usize) -> Line<'static> {
        let width = width.saturating_sub(1);
        let mut parts = Vec::new();
        if let Some(since) = self.received.loading_since() {
            let waited = span_secs(age_secs(since, context.now));
            parts.push(format!("receiving for {waited}"));
        }
        if !self.marks.is_empty() {
            parts.push(format!("{} marked", count(self.marks.len() as u64)));
        }
        if self.edited() > 0 {
            parts.push(format!("{} edited ~", count(self.edited() as u64)));
        }
        if context.environment.read_only {
            parts.push("read-only: no redrives".to_owned());
        }
        let rest: usize = parts.iter().map(|part| part.width() + 3).sum();
        let mut text = self
            .received_texts(context)
            .into_iter()
            .reduce(|best, shorter| {
                if best.width() + rest <= width {
                    best
                } else {
                    shorter
                }
            })
            .unwrap_or_default();
        for part in parts {
            if text.width() + part.width() + 3 > width {
                break;
            }
            text.push_str(&format!(" · {part}"));
        }
        Line::styled(
            format!(" {}", whole_words(&text, width)),
            context.theme.strong(),
        )
    }

    /// `37 received, hidden from other consumers · 10 min left; each key starts them again`, and
    /// shorter.
    fn received_texts(&self, context: &ScreenContext<'_>) -> Vec<String> {
        let received = count(self.messages.len() as u64);
        let queue = context.pipeline.dead_letter_queue.fetched();
        // What a redrive or a deletion has taken out since is still in an older number.
        let changed_at = self.last_result.as_ref().map(|result| result.at);
        let queue = queue.filter(|queue| changed_at.is_none_or(|at| at < queue.fetched_at));
        let total = queue.map(|queue| queue.value.depth.total());
        let is_more = |total: &u64| *total > self.messages.len() as u64;
        let of_all = match total.filter(is_more) {
            Some(total) if !self.messages.is_empty() => format!(" of about {}", count(total)),
            Some(_) | None => String::new(),
        };
        let Some(until) = self.lease.first_hidden_until else {
            return match self.lease.lost.is_empty() {
                true => vec![format!("{received} received")],
                false => vec![
                    format!("{received} received, gone or visible to other consumers"),
                    format!("{received} received, gone or visible"),
                ],
            };
        };
        if until <= context.now {
            let since = until.format("%H:%M");
            return vec![
                format!("{received} received, some visible to other consumers since {since} UTC"),
                format!("{received} received, some visible since {since}"),
            ];
        }
        if self.lease.is_extension_failing {
            // Without an extension they are visible again then, whatever the operator does.
            let ends = until.format("%H:%M:%S");
            return vec![
                format!(
                    "{received} received{of_all}, hidden from other consumers until {ends} UTC; R releases now"
                ),
                format!("{received} received{of_all}, hidden until {ends} UTC"),
                format!("{received} received, hidden until {ends}"),
            ];
        }
        let left = idle_minutes_left(context);
        if let Some(fewer) = self.fewer_in_queue(context) {
            let fewer = count(fewer);
            return vec![
                format!(
                    "{received} received, the queue has about {fewer}: the rest may have been deleted · {left} min left; R releases now"
                ),
                format!("{received} received, the queue has about {fewer} · {left} min left"),
                format!("{received} received, {fewer} in the queue"),
            ];
        }
        let idle = format!("{left} min left; each key starts them again");
        vec![
            format!(
                "{received} received{of_all}, hidden from other consumers · {idle}; R releases now"
            ),
            format!("{received} received{of_all}, hidden from others · {idle}"),
            format!("{received} received{of_all}, hidden · {idle}"),
            format!("{received} received, hidden · {left} min left"),
            format!("{received} received, hidden for {left} min"),
        ]
    }

    /// How many the queue has, where that is less than was received from it: SQS counts what is hidden too. While
    /// this console takes messages out, the list has them for longer than the queue.
    fn fewer_in_queue(&self, context: &ScreenContext<'_>) -> Option<u64> {
        let queue = context.pipeline.dead_letter_queue.fetched()?;
        let changed_at = self.last_result.as_ref().map(|result| result.at);
        let is_newer = queue.fetched_at > self.received_at
            && changed_at.is_none_or(|at| at < queue.fetched_at);
        let is_working = !self.moving.is_empty() || self.deletion.is_some();
        let total = queue.value.depth.total();
        let is_fewer = total < self.messages.len() as u64;
        (is_newer && !is_working && is_fewer).then_some(total)
    }

    fn draw_groups(&self, context: &ScreenContext<'_>, canvas: &mut Frame<'_>, parts: &Parts) {
        let theme = context.theme;
        let has_focus = self.focus == Pane::Groups;
        let mut list = self.group_list;
        list.reveal(self.grouping.rows(), usize::from(parts.groups.height));
        let position = format!(
            "{} / {}",
            count(list.selected as u64 + 1),
            count(self.grouping.rows() as u64)
        );
        draw_bar(
            "Groups by cause",
            &position,
            has_focus,
            context,
            canvas,
            parts.groups_title,
        );
        let digits = count(self.messages.len() as u64).width();
        for (row, place) in (list.offset..self.grouping.rows()).zip(area_rows(parts.groups)) {
            let group = row
                .checked_sub(1)
                .and_then(|row| self.grouping.groups.get(row));
            let numbers = group.map_or((self.grouping.messages, self.grouping.ready), |group| {
                (group.messages, group.ready)
            });
            let look = (row == list.selected, has_focus);
            let line = group_row(
                group,
                numbers,
                look,
                (theme, context.now),
                (usize::from(place.width), digits),
            );
            canvas.render_widget(line, place);
        }
    }

    fn draw_messages(&self, context: &ScreenContext<'_>, canvas: &mut Frame<'_>, parts: &Parts) {
        let theme = context.theme;
        let has_focus = self.focus == Pane::Messages;
        let mut list = self.message_list;
        list.reveal(self.listed.len(), usize::from(parts.messages.height));
        let name = self.listed_group().map_or_else(
            || "Messages".to_owned(),
            |group| visible(&group.key.title()),
        );
        let position = format!(
            "{} / {}",
            count((list.selected + 1).min(self.listed.len()) as u64),
            count(self.listed.len() as u64)
        );
        draw_bar(
            &name,
            &position,
            has_focus,
            context,
            canvas,
            parts.messages_title,
        );
        let columns = Columns::of_width(usize::from(parts.messages.width));
        canvas.render_widget(columns.head(theme), parts.messages_head);
        for (row, place) in (list.offset..self.listed.len()).zip(area_rows(parts.messages)) {
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
            canvas.render_widget(columns.row(message, state, theme, context.now), place);
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

    fn draw_detail(&self, context: &ScreenContext<'_>, canvas: &mut Frame<'_>, parts: &Parts) {
        let theme = context.theme;
        draw_divider(
            theme,
            context.environment.is_production,
            canvas,
            parts.separator,
        );
        if parts.detail.is_empty() {
            return;
        }
        let (Some(message), Some(detail)) = (self.selected_message(), &self.detail) else {
            return;
        };
        let width = usize::from(parts.detail.width);
        let note = self.notes.get(&message.message_id);
        let length = detail.length(message, note, width);
        let name = format!(
            "Message {} / {}",
            count(self.message_list.selected as u64 + 1),
            count(self.listed.len() as u64)
        );
        let position = if length > usize::from(parts.detail.height) || self.detail_offset > 0 {
            format!(
                "J K scroll  {} / {}",
                count(self.detail_offset as u64 + 1),
                count(length as u64)
            )
        } else {
            String::new()
        };
        let has_focus = self.is_detail_open;
        draw_bar(
            &name,
            &position,
            has_focus,
            context,
            canvas,
            parts.detail_title,
        );
        let window = (self.detail_offset, width, usize::from(parts.detail.height));
        let lines = detail.lines(message, note, theme, context.now, window);
        for (line, place) in lines.into_iter().zip(area_rows(parts.detail)) {
            canvas.render_widget(line, place);
        }
    }

    /// There is nothing to list: why, and which key fills it.
    fn draw_advice(&self, context: &ScreenContext<'_>, canvas: &mut Frame<'_>, area: Rect) {
        let theme = context.theme;
        let mut lines: Vec<(Option<Tone>, String)> = Vec::new();
        if context.is_resuming {
            lines.push((Some(Tone::Muted), REDRIVE_RESUMED.to_owned()));
        } else if let Some(since) = self.received.loading_since() {
            let waited = span_secs(age_secs(since, context.now));
            lines.push((
                Some(Tone::Muted),
                format!("receiving the dead letters for {waited}"),
            ));
            lines.push((
                None,
                "SQS returns them in no order, a few at a time.".to_owned(),
            ));
            lines.push((
                None,
                "Received messages are hidden from other consumers until you leave.".to_owned(),
            ));
        } else if let Some(released) = self.lease.released {
            lines.push((Some(released.tone()), released.text()));
            lines.push((None, released.advice().to_owned()));
        } else if self.received.error().is_none() && self.received.fetched().is_some() {
            let at = self
                .received
                .fetched()
                .map(|facts| clock(facts.fetched_at))
                .unwrap_or_default();
            let hidden = context.pipeline.dead_letter_queue.value();
            let hidden = hidden.map_or(0, |queue| queue.depth.in_flight);
            lines.push(match hidden {
                0 => (
                    Some(Tone::Good),
                    format!("no dead letters · checked at {at} UTC"),
                ),
                _ => (
                    Some(Tone::Warning),
                    format!("no dead letters received: others hide some · checked at {at} UTC"),
                ),
            });
            lines.push((None, self.elsewhere_text(context)));
        }
        if let Some(fault) = self.received.error() {
            let text = failed_at(fault, self.received.failed_at());
            lines.push((Some(Tone::Bad), text));
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

    /// What the queue itself reports, by its last count.
    fn elsewhere_text(&self, context: &ScreenContext<'_>) -> String {
        let Some(queue) = context.pipeline.dead_letter_queue.fetched() else {
            return "How many the queue has is not known yet. ^r checks again.".to_owned();
        };
        let at = clock(queue.fetched_at);
        match queue.value.depth.total() {
            0 => format!("The queue reported no dead letters at {at} UTC. ^r checks again."),
            number => format!(
                "The queue reported about {} at {at} UTC: another consumer may have received them, also a \
                 console that looks for an event that it sent, for 30 s at a time. ^r checks again.",
                count(number),
            ),
        }
    }
}

/// A line with the name of a pane; heavy where the keys work.
fn draw_bar(
    name: &str,
    position: &str,
    has_focus: bool,
    context: &ScreenContext<'_>,
    canvas: &mut Frame<'_>,
    place: Rect,
) {
    let theme = context.theme;
    let width = usize::from(place.width);
    let stroke = if has_focus { "━" } else { "─" };
    let position = if position.is_empty() {
        String::new()
    } else {
        format!(" {position} ")
    };
    let name = whole_words(
        &format!(" {name} "),
        width.saturating_sub(position.width() + 2),
    );
    let gap = width.saturating_sub(1 + name.width() + position.width() + 1);
    let frame = theme.frame(has_focus, context.environment.is_production);
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
