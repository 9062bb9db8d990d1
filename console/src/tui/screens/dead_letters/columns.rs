//! Columns of the list of messages: what is least needed goes first when the width shrinks.

use chrono::{DateTime, Utc};
use event::{PartialIdentity, Verdict};
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use unicode_width::UnicodeWidthStr as _;

use super::detail::EXPIRY_URGENT_SECS;
use super::groups::Group;
use crate::tui::format::{UNKNOWN, age_secs, count, short_span_secs, visible};
use crate::tui::lines::{left, right};
use crate::tui::theme::{Theme, Tone, sign};
use crate::tui::verdict::{verdict_sign, verdict_tone};
use pipeline::model::DeadLetter;

/// Marker of the selection, mark, note and the spaces around them.
const PREFIX: usize = 5;
/// `✖ already-stored`
const VERDICT: usize = 16;
/// `59 min`
const AGE: usize = 7;
/// `expires`
const EXPIRES: usize = 7;
/// `recv`
const RECEIVES: usize = 4;
/// ` 59 min – 59 min ↑`
const SEEN: usize = 18;
/// A source that is worth its column.
const SOURCE_MIN: usize = 12;
/// A type that can be result from others.
const TYPE_MIN: usize = 10;

/// Widths; 0 is a column that is not shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Columns {
    verdict: usize,
    event_type: usize,
    source: usize,
    age: usize,
    expires: usize,
    receives: usize,
}

/// What a row shows besides the message.
#[derive(Clone, Copy, Debug)]
pub(super) struct RowState<'a> {
    pub(super) is_selected: bool,
    pub(super) has_focus: bool,
    pub(super) is_marked: bool,
    /// Verdict of what would be sent.
    pub(super) verdict: Verdict,
    /// Identity of what would be sent.
    pub(super) identity: &'a PartialIdentity,
    pub(super) event: RowEvent,
}

/// What happened to the message of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RowEvent {
    /// Nothing.
    None,
    /// It is being redriven.
    Moving,
    /// Another body is sent instead of its own.
    Edited,
    /// A redrive left it with a note.
    Noted,
}

impl Columns {
    pub(super) fn of_width(width: usize) -> Self {
        let mut room = width.saturating_sub(PREFIX);
        let has_words = room > VERDICT + TYPE_MIN + AGE;
        let verdict = if has_words { VERDICT } else { 1 };
        room = room.saturating_sub(verdict + 1);
        let mut take = |columns: usize, least_left: usize| {
            if room > columns + least_left {
                room -= columns + 1;
                columns
            } else {
                0
            }
        };
        let age = take(AGE, TYPE_MIN - 2);
        let expires = take(EXPIRES, TYPE_MIN + 4);
        let receives = take(RECEIVES, TYPE_MIN + 6);
        let has_source = room > TYPE_MIN + 6 + SOURCE_MIN;
        let source = if has_source { (room - 1) / 2 } else { 0 };
        let event_type = if has_source { room - 1 - source } else { room };
        Self {
            verdict,
            event_type,
            source,
            age,
            expires,
            receives,
        }
    }

    pub(super) fn head(&self, theme: Theme) -> Line<'static> {
        let mut text = " ".repeat(PREFIX);
        let verdict = if self.verdict == VERDICT {
            "verdict"
        } else {
            ""
        };
        text.push_str(&left(verdict, self.verdict));
        for (name, width) in [("type", self.event_type), ("source", self.source)] {
            if width > 0 {
                text.push(' ');
                text.push_str(&left(name, width));
            }
        }
        for (name, width) in [
            ("age", self.age),
            ("expires", self.expires),
            ("recv", self.receives),
        ] {
            if width > 0 {
                text.push(' ');
                text.push_str(&right(name, width));
            }
        }
        Line::styled(text, theme.muted())
    }

    pub(super) fn row(
        &self,
        message: &DeadLetter,
        state: RowState<'_>,
        theme: Theme,
        now: DateTime<Utc>,
    ) -> Line<'static> {
        let tone = verdict_tone(state.verdict);
        let mut verdict = verdict_sign(state.verdict).to_owned();
        if self.verdict == VERDICT {
            verdict.push(' ');
            verdict.push_str(state.verdict.as_str());
        }
        let text = |text: &Option<String>| text.as_deref().map_or(UNKNOWN.to_owned(), visible);
        let mut spans = vec![
            Span::raw(if state.is_selected { "▸ " } else { "  " }),
            Span::styled(if state.is_marked { "◆" } else { " " }, theme.key()),
            match state.event {
                RowEvent::None => Span::raw(" "),
                RowEvent::Moving => Span::styled("»", theme.key()),
                RowEvent::Edited => Span::styled("~", theme.key()),
                RowEvent::Noted => Span::styled(sign(Tone::Warning), theme.tone(Tone::Warning)),
            },
            Span::raw(" "),
            Span::styled(left(&verdict, self.verdict), theme.tone(tone)),
        ];
        let mut push = |text: String, width: usize, style: Style| {
            if width > 0 {
                spans.push(Span::raw(" "));
                spans.push(Span::styled(text, style));
            }
        };
        let plain = Style::new();
        let identity = state.identity;
        push(
            left(&text(&identity.event_type), self.event_type),
            self.event_type,
            plain,
        );
        push(
            left(&text(&identity.source), self.source),
            self.source,
            plain,
        );
        let age = short_span_secs(age_secs(message.sent_at, now));
        push(right(&age, self.age), self.age, plain);
        let left_secs = age_secs(now, message.expires_at);
        let is_urgent = left_secs < EXPIRY_URGENT_SECS;
        let style = if is_urgent {
            theme.tone(Tone::Warning)
        } else {
            plain
        };
        let mut expires = if left_secs == 0 {
            "now".to_owned()
        } else {
            short_span_secs(left_secs)
        };
        if is_urgent {
            expires.push('!');
        }
        push(right(&expires, self.expires), self.expires, style);
        push(
            right(&count(message.receive_count.into()), self.receives),
            self.receives,
            plain,
        );
        let line = Line::from(spans);
        if state.is_selected {
            theme.selected_row(line, state.has_focus)
        } else {
            line
        }
    }
}

/// A row of the groups; `None` is the row for all messages.
pub(super) fn group_row(
    group: Option<&Group>,
    (messages, ready): (usize, usize),
    (is_selected, has_focus): (bool, bool),
    (theme, now): (Theme, DateTime<Utc>),
    (width, digits): (usize, usize),
) -> Line<'static> {
    let marker = if is_selected { "▸ " } else { "  " };
    let number = right(&count(messages as u64), digits + 2);
    let seen = group.map_or(String::new(), |group| seen(group, now));
    let ready = match ready {
        0 => String::new(),
        ready => format!("{} {} ready", sign(Tone::Good), count(ready as u64)),
    };
    let title = group.map_or_else(|| "all".to_owned(), |group| visible(&group.key.title()));
    let room = width.saturating_sub(marker.width() + number.width());
    let ready = if ready.width() + TYPE_MIN + 10 < room {
        ready
    } else {
        String::new()
    };
    let seen = if ready.width() + SEEN + TYPE_MIN * 3 < room {
        right(&seen, SEEN)
    } else {
        String::new()
    };
    let columns = room.saturating_sub(ready.width() + 1 + seen.width());
    let line = Line::from(vec![
        Span::raw(marker),
        Span::raw(left(&title, columns)),
        Span::styled(format!(" {ready}"), theme.tone(Tone::Good)),
        Span::styled(seen, theme.muted()),
        Span::raw(number),
    ]);
    if is_selected {
        theme.selected_row(line, has_focus)
    } else {
        line
    }
}

/// `2 h – 3 min ↑`: how long ago the first and the last one were sent, and the trend; nothing of none.
fn seen(group: &Group, now: DateTime<Utc>) -> String {
    if group.messages == 0 {
        return String::new();
    }
    let (first, last) = group.sent_at;
    let ago = |at| short_span_secs(age_secs(at, now));
    let span = match (ago(first), ago(last)) {
        (first, last) if first == last => last,
        (first, last) => format!("{first} – {last}"),
    };
    format!("{span} {}", group.trend.sign())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_go_one_by_one_as_the_width_shrinks() {
        let shown = |width| {
            let columns = Columns::of_width(width);
            let widths = [
                columns.source,
                columns.receives,
                columns.expires,
                columns.age,
                usize::from(columns.verdict == VERDICT),
            ];
            widths.into_iter().filter(|width| *width > 0).count()
        };
        assert_eq!(shown(80), 5);
        let counts: Vec<_> = (0..=80).rev().map(shown).collect();
        assert!(
            counts.windows(2).all(|pair| pair.first() >= pair.last()),
            "{counts:?}"
        );
        assert_eq!(shown(0), 0);
    }

    #[test]
    fn columns_fill_the_width() {
        for width in 20..200 {
            let line = Columns::of_width(width).head(Theme { has_colour: true });
            assert!(line.width() <= width.max(PREFIX + 2), "{width}");
        }
    }
}
