//! Draws the review of a plan. Invariant: the keys that send and that back out are always visible.

use event::Verdict;
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use unicode_width::UnicodeWidthStr as _;

use super::review::{Review, disposition, refused};
use super::texts::{rate_text, steps_text};
use crate::tui::context::ScreenContext;
use crate::tui::document::size;
use crate::tui::format::{about_usd, age_secs, count, span_secs, visible};
use crate::tui::layout::{area_rows, take_rows};
use crate::tui::lines::{hanging, message_count, title, wrapped};
use crate::tui::theme::{Theme, Tone, sign};
use crate::tui::verdict::verdict_tone;
use pipeline::cost::redrive_usd;
use redrive::Kind;

/// Columns of the names of settings.
const NAME: usize = 9;

pub(super) fn draw_review(review: &Review, context: &ScreenContext<'_>, canvas: &mut Frame<'_>) {
    let (theme, area) = (context.theme, context.body);
    let is_production = context.environment.is_production;
    let width = usize::from(area.width);
    let mut rest = area;
    let place = take_rows(&mut rest, 1);
    let environment = visible(&context.environment.name);
    let production = if is_production { " PRODUCTION" } else { "" };
    let name = format!(
        "Plan · to {} in {environment}{production}",
        visible(context.source_queue_name())
    );
    let mut head = title(theme, &name, width);
    if is_production {
        head = head.style(theme.tone(Tone::Bad));
    }
    canvas.render_widget(head, place);
    let keys_rows = rest.height.min(1);
    let keys = Rect {
        y: rest.bottom() - keys_rows,
        height: keys_rows,
        ..rest
    };
    rest.height -= keys_rows;
    let lines = review_lines(review, context, width);
    for (line, row) in shortened(lines, usize::from(rest.height))
        .into_iter()
        .zip(area_rows(rest))
    {
        canvas.render_widget(line, row);
    }
    if let Some(input) = &review.typing {
        let label = " reason: ";
        let columns = u16::try_from(label.len()).unwrap_or(0).min(keys.width);
        canvas.render_widget(Span::styled(label, theme.key()), keys);
        let field = Rect {
            x: keys.x + columns,
            width: keys.width - columns,
            ..keys
        };
        canvas.render_widget(input, field);
    } else {
        canvas.render_widget(keys_line(review, theme, width), keys);
    }
}

/// Blank lines go first where there is no room.
fn shortened(mut lines: Vec<Line<'static>>, height: usize) -> Vec<Line<'static>> {
    if lines.len() > height {
        lines.retain(|line| line.width() > 0);
    }
    lines
}

fn review_lines(review: &Review, context: &ScreenContext<'_>, width: usize) -> Vec<Line<'static>> {
    let theme = context.theme;
    let total = review.total();
    let sent = review.sent();
    let mut lines = Vec::new();
    let summary = format!(
        "{} of {} will be sent to {}, and then deleted from the dead-letter queue.",
        count(sent as u64),
        message_count(total),
        visible(context.source_queue_name())
    );
    push(&mut lines, &summary, theme.strong(), width);
    let mut scope = format!("From {}.", visible(&review.scope));
    let edited = review.edited();
    if edited > 0 {
        scope.push_str(&format!(" {} of them edited.", count(edited as u64)));
    }
    push(&mut lines, &scope, Style::new(), width);
    lines.push(Line::default());
    let digits = count(total as u64).width();
    for verdict in Verdict::ALL {
        let number = review.with(verdict);
        if number > 0 {
            lines.push(verdict_line(review, verdict, digits, theme));
        }
    }
    let lost = review.lost();
    if lost > 0 {
        lines.push(lost_line(lost, digits, theme));
        if let Some(why) = review.loss() {
            lines.extend(hanging(Tone::Bad, &visible(why), theme, width));
        }
    }
    if !review.has_ledger {
        let text = "the ledger did not answer when these were judged: ready may be stored already. Each is \
                    looked up before it is sent, and nothing is sent until the ledger answers";
        lines.extend(hanging(Tone::Warning, text, theme, width));
    }
    lines.push(Line::default());
    lines.extend(dry_lines(review, context, width));
    lines.push(Line::default());
    lines.extend(setting(
        "rate",
        &rate_text(review.rate_per_sec, Kind::Redrive),
        "+ -",
        theme,
        width,
    ));
    let canary = steps_text(&review.canary_steps(), sent);
    lines.extend(setting("canary", &canary, "t", theme, width));
    let price = about_usd(redrive_usd(sent));
    lines.extend(setting("price", &price, "", theme, width));
    let reason = match review.reason_in_force() {
        Some(reason) => visible(reason),
        None if context.environment.is_production => "none yet: production requires one".to_owned(),
        None => "none".to_owned(),
    };
    lines.extend(setting("reason", &reason, "w", theme, width));
    lines
}

fn push(lines: &mut Vec<Line<'static>>, text: &str, style: Style, width: usize) {
    for row in wrapped(text, width.saturating_sub(2)) {
        lines.push(Line::styled(format!(" {row}"), style));
    }
}

fn setting(name: &str, value: &str, keys: &str, theme: Theme, width: usize) -> Vec<Line<'static>> {
    let indent = NAME + 5;
    let rows = wrapped(value, width.saturating_sub(indent + 1));
    let row = |(number, text): (usize, String)| {
        let (name, keys) = if number == 0 { (name, keys) } else { ("", "") };
        Line::from(vec![
            Span::styled(format!(" {name:<NAME$}"), theme.muted()),
            Span::styled(format!("{keys:<4}"), theme.key()),
            Span::raw(text),
        ])
    };
    rows.into_iter().enumerate().map(row).collect()
}

fn verdict_line(review: &Review, verdict: Verdict, digits: usize, theme: Theme) -> Line<'static> {
    let is_sent = review.sends(verdict);
    let tone = verdict_tone(verdict);
    let messages = review.with(verdict);
    let number = count(messages as u64);
    let style = if is_sent && verdict != Verdict::Ready {
        theme.tone(Tone::Warning)
    } else {
        Style::new()
    };
    Line::from(vec![
        Span::styled(
            format!(
                "  {} {number:>digits$} {:<15}",
                sign(tone),
                verdict.as_str()
            ),
            theme.tone(tone),
        ),
        Span::styled(
            format!(" {}", disposition(verdict, is_sent, messages)),
            style,
        ),
    ])
}

fn lost_line(lost: usize, digits: usize, theme: Theme) -> Line<'static> {
    let number = count(lost as u64);
    let head = format!(
        "  {} {number:>digits$} {:<15}",
        sign(Tone::Bad),
        "would be lost"
    );
    let text = " stay: the ingest would drop their events";
    Line::from(vec![
        Span::styled(head, theme.tone(Tone::Bad)),
        Span::raw(text),
    ])
}

fn dry_lines(review: &Review, context: &ScreenContext<'_>, width: usize) -> Vec<Line<'static>> {
    let theme = context.theme;
    if let Some(since) = review.dry.loading_since() {
        let waited = span_secs(age_secs(since, context.now));
        let text = format!("dry run running for {waited}");
        return hanging(Tone::Muted, &text, theme, width);
    }
    if let Some(fault) = review.dry.error() {
        let text = format!("dry run failed: {} · ^r tries again", refused(fault));
        return hanging(Tone::Bad, &text, theme, width);
    }
    let Some(dry) = review.dry.value() else {
        return Vec::new();
    };
    let mut lines = Vec::new();
    let copies = match dry.copies {
        0 => String::new(),
        copies => format!(
            ", {} of them as duplicates of others here",
            count(copies as u64)
        ),
    };
    let text = format!(
        "dry run done: {} would be sent, {}, {} {}{copies}",
        count(dry.sent as u64),
        size(dry.bytes),
        if dry.ready == dry.sent && dry.sent > 0 {
            "all".to_owned()
        } else {
            count(dry.ready as u64)
        },
        if review.has_ledger {
            "stored by the ingest"
        } else {
            "valid for the ingest"
        }
    );
    let tone = if dry.unsendable > 0 || dry.ready < dry.sent {
        Tone::Warning
    } else {
        Tone::Good
    };
    lines.extend(hanging(tone, &text, theme, width));
    if let Some(problem) = &dry.problem {
        let text = format!(
            "{} would not be sent: {}",
            count(dry.unsendable as u64),
            visible(problem)
        );
        lines.extend(hanging(Tone::Warning, &text, theme, width));
    }
    if let Some(fault) = &dry.refusal {
        lines.extend(hanging(Tone::Bad, &refused(fault), theme, width));
    }
    lines
}

/// The keys, those that end the review first; the others where there is room.
fn keys_line(review: &Review, theme: Theme, width: usize) -> Line<'static> {
    let sent = review.sent();
    let others = count(review.skipped() as u64);
    let mut keys = Vec::new();
    if sent > 0 {
        keys.push(("y", format!("send {}", count(sent as u64))));
    }
    keys.push(("esc", "send nothing".to_owned()));
    match (review.skipped() > 0, review.includes_all) {
        (false, _) => {}
        (true, true) => keys.push(("f", format!("leave out the {others} that are not ready"))),
        (true, false) => keys.push(("f", format!("send the other {others} too"))),
    }
    let mut spans = Vec::new();
    let mut used = 0;
    for (key, text) in keys {
        let columns = key.width() + text.width() + 4;
        if used + columns > width && used > 0 {
            break;
        }
        used += columns;
        spans.push(Span::styled(format!(" {key} "), theme.key()));
        spans.push(Span::raw(format!("{text}  ")));
    }
    Line::from(spans)
}
