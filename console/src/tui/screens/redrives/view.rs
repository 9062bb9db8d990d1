//! Draws the screen. Invariant: a function of the model; only the rows of the window are made.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use unicode_width::UnicodeWidthStr as _;

use super::history::Row;
use super::outcomes;
use super::purpose::Purpose;
use super::review_view::draw_review;
use super::run_view::run_lines;
use super::state::Redrives;
use super::texts::{LEFT_OUT, canary_text, count_line, fitting, sent_text};
use crate::tui::context::ScreenContext;
use crate::tui::format::{age_secs, clock, count, counted, fit, span_secs, timestamp, visible};
use crate::tui::layout::area_rows;
use crate::tui::lines::{
    draw_divider, explained, failed_at, hanging, left, message_count, titled, whole_words,
};
use crate::tui::redrives::PastRedrive;
use crate::tui::theme::{Theme, Tone, sign};
use redrive::fact::Ending;
use redrive::{Counts, Kind, Pause, RunCommand};

/// `interrupted`
const LABEL: usize = 12;
/// Between the numbers of a row.
const SEPARATOR: &str = " · ";

impl Redrives {
    pub(super) fn draw(&self, context: &ScreenContext<'_>, canvas: &mut Frame<'_>) {
        let area = context.body;
        if let Some(review) = &self.review {
            draw_review(review, context, canvas);
            return;
        }
        let parts = self.parts(area);
        let theme = context.theme;
        self.draw_list(context, canvas, parts.list_title, parts.list);
        draw_divider(
            theme,
            context.environment.is_production,
            canvas,
            parts.separator,
        );
        if parts.detail.is_empty() {
            return;
        }
        let name = match self.selected_row() {
            None => "Redrive".to_owned(),
            Some(Row::Running(run)) => format!("Running {}", run.purpose().name()),
            Some(Row::Past(past)) => {
                let title = Purpose::of(past.kind, past.replaces).title();
                format!("{title} of {} UTC", timestamp(past.created_at))
            }
        };
        let width = parts.detail_title.width;
        canvas.render_widget(titled(&name, Vec::new(), theme, width), parts.detail_title);
        let (width, height) = (
            usize::from(parts.detail.width),
            usize::from(parts.detail.height),
        );
        let lines = self.detail_lines(context, (width, height));
        for (line, row) in lines.into_iter().zip(area_rows(parts.detail)) {
            canvas.render_widget(line, row);
        }
    }

    fn draw_list(
        &self,
        context: &ScreenContext<'_>,
        canvas: &mut Frame<'_>,
        head: Rect,
        area: Rect,
    ) {
        let theme = context.theme;
        let rows = self.rows();
        let mut pieces = Vec::new();
        if !rows.is_empty() {
            let position = format!(
                "{} / {}",
                count(self.list.selected as u64 + 1),
                count(rows.len() as u64)
            );
            pieces.push((position, Style::new()));
        }
        if let Some(since) = self.history.loading_since() {
            let waited = span_secs(age_secs(since, context.now));
            pieces.push((format!("reading the journals for {waited}"), theme.muted()));
        }
        if context.environment.read_only {
            pieces.push(("read-only".to_owned(), theme.muted()));
        }
        canvas.render_widget(titled("Redrives", pieces, theme, head.width), head);
        let width = usize::from(area.width);
        let mut lines: Vec<Line<'static>> = Vec::new();
        if rows.is_empty() {
            lines.extend(self.advice(context, width));
        }
        let mut list = self.list;
        let notes = self.list_notes(theme, width);
        list.reveal(rows.len(), usize::from(area.height));
        for (number, row) in rows.iter().enumerate().skip(list.offset) {
            let is_selected = number == list.selected;
            lines.push(list_row(*row, is_selected, context, width));
        }
        lines.extend(notes);
        for (line, row) in lines.into_iter().zip(area_rows(area)) {
            canvas.render_widget(line, row);
        }
    }

    /// What must be known of the list besides its rows.
    fn list_notes(&self, theme: Theme, width: usize) -> Vec<Line<'static>> {
        let mut lines = Vec::new();
        if let Some(fault) = self.history.error() {
            let failed = (fault, self.history.failed_at());
            lines.extend(explained(failed, ("^r", "reads them again"), theme));
        }
        if let Some(past) = self.history.value() {
            if let Some(error) = &past.unreadable {
                lines.extend(hanging(Tone::Warning, &visible(error), theme, width));
            }
            if past.is_truncated {
                let text = "older redrives are not shown";
                lines.extend(hanging(Tone::Muted, text, theme, width));
            }
        }
        lines
    }

    fn advice(&self, context: &ScreenContext<'_>, width: usize) -> Vec<Line<'static>> {
        let theme = context.theme;
        if self.history.is_loading() || self.history.error().is_some() {
            return Vec::new();
        }
        // Those of the same pipeline under another name of an environment are not among them.
        let name = visible(&context.environment.name);
        let text = format!("no redrives yet from this machine under the name {name}");
        let mut lines = hanging(Tone::Good, &text, theme, width);
        for text in [
            "2 shows the dead letters; r there plans a redrive.",
            "`opsconsole replay` publishes records; it is listed here.",
        ] {
            let text = fit(text, width.saturating_sub(3));
            lines.push(Line::raw(format!("   {text}")));
        }
        lines
    }

    /// Rows of the whole detail.
    pub(super) fn detail_length(&self, context: &ScreenContext<'_>, width: usize) -> usize {
        let head = self.head_lines(context, width).len();
        let messages = self
            .report
            .value()
            .map_or(1, |report| report.messages.len());
        head + messages
    }

    fn detail_lines(
        &self,
        context: &ScreenContext<'_>,
        (width, height): (usize, usize),
    ) -> Vec<Line<'static>> {
        let theme = context.theme;
        let head = self.head_lines(context, width);
        let below = self.detail_offset.saturating_sub(head.len());
        let mut lines: Vec<_> = head
            .into_iter()
            .skip(self.detail_offset)
            .take(height)
            .collect();
        let room = height - lines.len();
        if let Some(report) = self.report.value() {
            let is_running = match self.selected_row() {
                Some(Row::Running(_)) => true,
                Some(Row::Past(past)) => past.is_running,
                None => false,
            };
            let report = (report, is_running);
            lines.extend(outcomes::rows(report, theme, below, (width, room)));
        } else if let Some(fault) = self.report.error() {
            let text = failed_at(fault, self.report.failed_at());
            lines.extend(hanging(Tone::Bad, &text, theme, width));
        } else if self.report.is_loading() {
            lines.push(Line::styled(" reading the messages", theme.muted()));
        }
        lines
    }

    fn head_lines(&self, context: &ScreenContext<'_>, width: usize) -> Vec<Line<'static>> {
        let mut lines = match self.selected_row() {
            None => return Vec::new(),
            Some(Row::Running(run)) => run_lines(run, context.theme, context.now, width),
            Some(Row::Past(past)) => self.past_lines(past, context, width),
        };
        lines.push(self.age_line(context.theme));
        lines
    }

    /// Of when the messages below are, where the numbers above are newer.
    fn age_line(&self, theme: Theme) -> Line<'static> {
        let counts = match self.selected_row() {
            Some(Row::Running(run)) => run.counts(),
            Some(Row::Past(past)) => past.counts,
            None => return Line::default(),
        };
        match self.report.fetched() {
            Some(report) if report.value.counts != counts => {
                let text = format!(" messages as of {} UTC", clock(report.fetched_at));
                Line::styled(text, theme.muted())
            }
            Some(_) | None => Line::default(),
        }
    }

    fn past_lines(
        &self,
        past: &PastRedrive,
        context: &ScreenContext<'_>,
        width: usize,
    ) -> Vec<Line<'static>> {
        let theme = context.theme;
        let (tone, label) = ending_look(past);
        let what = match past.ended() {
            Some(Ending::Finished) if past.counts.left() > 0 && is_only_undeleted(&past.counts) => {
                format!(
                    ": {} not seen deleted, which a resume looks for",
                    message_count(past.counts.left())
                )
            }
            Some(Ending::Finished) if past.counts.left() > 0 => {
                let undeleted = past.counts.sent_not_deleted;
                let more = match undeleted {
                    0 => String::new(),
                    undeleted => format!(", {} not seen deleted", count(undeleted as u64)),
                };
                let left = message_count(past.counts.left() - undeleted);
                format!(": {left} left that a resume tries again{more}")
            }
            Some(Ending::Finished) if past.not_proved() > 0 => format!(
                ": {} not proved, which a resume looks up again",
                message_count(past.not_proved())
            ),
            Some(Ending::Finished) => String::new(),
            Some(Ending::Cancelled) => format!(": {}", cancelled_text(&past.counts, past.kind)),
            None if past.is_running => match past.pause.as_ref().and_then(Pause::own) {
                Some(why) => format!(": {}; another process runs it", visible(why)),
                None => ": another process runs it".to_owned(),
            },
            None => ": its process ended before it finished".to_owned(),
        };
        let mut lines = hanging(tone, &format!("{label}{what}"), theme, width);
        if self.resumable(context).is_some() {
            lines.push(Line::from(vec![
                Span::styled("   r ", theme.key()),
                Span::raw("resumes at the end of its journal; only unknown sends may go out twice"),
            ]));
        }
        lines.push(count_line(
            (&past.counts, past.is_running),
            Some(past.planned),
            theme,
            width,
        ));
        let mut facts = vec![canary_text(&past.canary_steps, past.planned)];
        if past.kind == Kind::Replay {
            facts.insert(0, "records through the topic".to_owned());
        }
        if past.replaces > 0 {
            let records = counted(past.replaces as u64, "record");
            facts.insert(0, format!("replaces {records}"));
        }
        if past.edited > 0 {
            facts.push(format!("{} edited", count(past.edited as u64)));
        }
        if past.skipped > 0 {
            facts.push(format!("{} left out", count(past.skipped as u64)));
        }
        let text = format!(" {}", facts.join(" · "));
        lines.push(Line::styled(whole_words(&text, width), theme.muted()));
        let journal = visible(&past.journal.display().to_string());
        let name = journal.rsplit('/').next().unwrap_or_default();
        let text = format!(" journal {name} (y copies its path)");
        lines.push(Line::styled(fit(&text, width), theme.muted()));
        lines
    }
}

/// What became of the messages of a redrive that was cancelled.
fn cancelled_text(counts: &Counts, kind: Kind) -> String {
    let sent = match kind {
        Kind::Redrive => "sent",
        Kind::Replay => "published",
    };
    if counts.is_all_moved() {
        return format!("everything was {sent} before");
    }
    let mut texts = Vec::new();
    if counts.unsent() > 0 {
        texts.push(format!("the rest was not {sent}"));
    }
    if counts.in_doubt() > 0 {
        texts.push(format!(
            "{} without an answer may have been {sent}, which a resume looks up",
            message_count(counts.in_doubt())
        ));
    }
    if counts.sent_not_deleted > 0 {
        texts.push(format!(
            "{} {sent} and not seen deleted, which a resume deletes",
            message_count(counts.sent_not_deleted)
        ));
    }
    texts.join("; ")
}

fn ending_look(past: &PastRedrive) -> (Tone, &'static str) {
    let is_left = past.counts.left() > 0;
    match past.ended() {
        Some(Ending::Finished) if past.counts.dead_again > 0 => (Tone::Bad, "finished"),
        Some(Ending::Finished) if past.counts.stored == past.planned => (Tone::Good, "finished"),
        Some(Ending::Finished) if is_left => (Tone::Warning, "incomplete"),
        Some(Ending::Finished) if past.counts.moved == past.planned => (Tone::Muted, "finished"),
        Some(Ending::Finished) => (Tone::Warning, "finished"),
        Some(Ending::Cancelled) => (Tone::Warning, "cancelled"),
        None if past.is_running => match &past.pause {
            None => (Tone::Good, "running"),
            Some(why) if why.own().is_some() => (Tone::Bad, "stopped"),
            Some(_) => (Tone::Warning, "paused"),
        },
        None => (Tone::Warning, "interrupted"),
    }
}

fn list_row(
    row: Row<'_>,
    is_selected: bool,
    context: &ScreenContext<'_>,
    width: usize,
) -> Line<'static> {
    let theme = context.theme;
    let (tone, label, at, counts, planned, purpose) = match row {
        Row::Running(run) => {
            let (tone, label) = match run.command() {
                RunCommand::Run => (Tone::Good, "running"),
                RunCommand::Pause(_) if run.is_ending_by_itself() => (Tone::Warning, "ending"),
                RunCommand::Pause(_) if run.own_pause().is_some() => (Tone::Bad, "stopped"),
                RunCommand::Pause(_) => (Tone::Warning, "paused"),
                RunCommand::Cancel => (Tone::Warning, "ending"),
            };
            (
                tone,
                label,
                run.created_at(),
                run.counts(),
                run.planned,
                run.purpose(),
            )
        }
        Row::Past(past) => {
            let (tone, label) = ending_look(past);
            (
                tone,
                label,
                past.created_at,
                past.counts,
                past.planned,
                Purpose::of(past.kind, past.replaces),
            )
        }
    };
    let at = if at.date_naive() == context.now.date_naive() {
        clock(at)
    } else {
        at.format("%m-%d %H:%M").to_string()
    };
    let marker = if is_selected { "▸ " } else { "  " };
    let room = width.saturating_sub(2 + 2 + LABEL + 12);
    let is_running = match row {
        Row::Running(_) => true,
        Row::Past(past) => past.is_running,
    };
    let rest = numbers(purpose, (&counts, is_running), planned, room);
    let line = Line::from(vec![
        Span::raw(marker),
        Span::styled(
            format!("{} {}", sign(tone), left(label, LABEL)),
            theme.tone(tone),
        ),
        Span::raw(left(&at, 12)),
        Span::raw(left(&whole_words(&rest, room), room)),
    ]);
    if is_selected {
        theme.selected_row(line, true)
    } else {
        line
    }
}

/// The numbers of a row, in the fullest form that has room.
fn numbers(
    purpose: Purpose,
    (counts, is_running): (&Counts, bool),
    planned: usize,
    room: usize,
) -> String {
    let before = match purpose {
        Purpose::Redrive => String::new(),
        Purpose::Replay | Purpose::Replacement => format!("{}: ", purpose.name()),
    };
    let after = |sent: &str| {
        let mut text = format!("{before}{sent}");
        let left_over = room.saturating_sub(text.width());
        let (parts, is_cut) = fitting((counts, is_running), SEPARATOR.width(), left_over);
        for (_, part) in parts {
            text.push_str(&format!("{SEPARATOR}{part}"));
        }
        if is_cut {
            text.push_str(LEFT_OUT);
        }
        (text, is_cut)
    };
    let (text, is_cut) = after(&sent_text(counts, planned));
    if !is_cut {
        return text;
    }
    let (sent, planned) = (counts.sent() as u64, planned as u64);
    after(&format!("{}/{} sent", count(sent), count(planned))).0
}

/// Whether all that is left was sent, and may be deleted.
fn is_only_undeleted(counts: &Counts) -> bool {
    counts.left() == counts.sent_not_deleted
}
