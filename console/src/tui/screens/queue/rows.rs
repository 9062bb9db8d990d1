//! Rows of the list. Pure.

use pipeline::queue_peek::{Peek, PeekedMessage};
use ratatui::text::{Line, Span};

use crate::tui::document::size;
use crate::tui::format::{UNKNOWN, age_secs, short_span_secs, visible};
use crate::tui::lines::{left, right, whole_words};
use crate::tui::theme::{Theme, Tone, sign};

/// `unsupported-specversion`
const VERDICT: usize = 23;
/// `12 of 1000`
const RECEIVES: usize = 9;
/// `13 min`
const AGE: usize = 7;
/// `1,024 KiB`
const SIZE: usize = 10;

/// What stands above the rows.
pub(super) fn head(theme: Theme, width: usize) -> Line<'static> {
    let text = format!(
        "    {} {} {} {} type, source, id",
        left("verdict", VERDICT),
        left("receives", RECEIVES),
        right("age", AGE),
        right("size", SIZE)
    );
    Line::styled(whole_words(&text, width), theme.muted())
}

/// `▸ ● valid    1 of 3    4 s  312 bytes flight.delayed /ops/flights 5b0cf6c2`
pub(super) fn row(
    peek: &Peek,
    message: &PeekedMessage,
    is_selected: bool,
    theme: Theme,
    width: usize,
) -> Line<'static> {
    let tone = tone(peek, message);
    let head = format!(
        "{} {} {} ",
        left(&receives(peek, message), RECEIVES),
        right(
            &short_span_secs(age_secs(message.sent_at, peek.ended_at)),
            AGE
        ),
        right(&size(message.body.bytes()), SIZE)
    );
    let used = 4 + VERDICT + 1 + RECEIVES + AGE + SIZE + 3;
    let room = width.saturating_sub(used);
    let line = Line::from(vec![
        Span::raw(if is_selected { "▸ " } else { "  " }),
        Span::styled(
            format!("{} {} ", sign(tone), left(message.verdict(), VERDICT)),
            theme.tone(tone),
        ),
        Span::raw(head),
        Span::styled(
            left(&whole_words(&name(message), room), room),
            theme.muted(),
        ),
    ]);
    if is_selected {
        theme.selected_row(line, true)
    } else {
        line
    }
}

/// A message at its limit matters more than what the ingest would say of it.
pub(super) fn tone(peek: &Peek, message: &PeekedMessage) -> Tone {
    match (peek.is_at_limit(message), &message.failure) {
        (true, _) => Tone::Bad,
        (false, Some(_)) => Tone::Warning,
        (false, None) => Tone::Good,
    }
}

/// `1 of 3`, or the count alone where no limit is set.
pub(super) fn receives(peek: &Peek, message: &PeekedMessage) -> String {
    match peek.max_receive_count {
        Some(max) => format!("{} of {max}", message.receive_count),
        None => message.receive_count.to_string(),
    }
}

/// Type, source and id, as far as they can be read.
fn name(message: &PeekedMessage) -> String {
    let identity = &message.identity;
    let parts = [&identity.event_type, &identity.source, &identity.id];
    let parts = parts.map(|part| part.as_deref().map_or_else(|| UNKNOWN.to_owned(), visible));
    parts.join(" ")
}
