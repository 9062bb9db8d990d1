//! Lines that screens share: titles, wrapped texts, explained faults, offered keys.
//!
//! Invariant: every line fits the width that it was made for, and what is cut ends with `…`.

use chrono::{DateTime, Utc};
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use textwrap::{Options, WordSeparator, WordSplitter, WrapAlgorithm};
use unicode_width::UnicodeWidthStr as _;

use crate::tui::fault::Fault;
use crate::tui::format::{clock, counted, fit, visible};
use crate::tui::layout::area_rows;
use crate::tui::theme::{Theme, Tone, sign, toned};

/// Columns that the first piece of a title must have to be worth cutting.
const PIECE_COLUMNS_MIN: usize = 8;

/// A title inside a rule: `─ Title ───`. The one frame that panes have: rows are dear.
pub(crate) fn title(theme: Theme, text: &str, width: usize) -> Line<'static> {
    let text = whole_words(text, width.saturating_sub(2));
    let used = text.width() + 4;
    Line::from(vec![
        Span::styled("─ ", theme.muted()),
        Span::styled(text, theme.strong()),
        Span::styled(
            format!(" {}", "─".repeat(width.saturating_sub(used - 1))),
            theme.muted(),
        ),
    ])
}

/// `─ Title  one · two ─────`. Pieces are left out from the end when there is no room; the first
/// one is cut rather than left out.
pub(crate) fn titled(
    name: &str,
    pieces: Vec<(String, Style)>,
    theme: Theme,
    width: u16,
) -> Line<'static> {
    let width = usize::from(width);
    let rule = theme.frame(false, false);
    if width < 3 {
        return Line::styled("─".repeat(width), rule);
    }
    let name = whole_words(name, width - 3);
    let mut used = name.width() + 3;
    let mut spans = vec![
        Span::styled("─ ", rule),
        Span::styled(name, theme.strong()),
        Span::raw(" "),
    ];
    for (number, (text, style)) in pieces.into_iter().enumerate() {
        let separator = if number == 0 { " " } else { "· " };
        let room = width.saturating_sub(used + separator.width() + 1);
        if text.width() > room && (number > 0 || room < PIECE_COLUMNS_MIN) {
            break;
        }
        let text = whole_words(&text, room);
        used += separator.width() + text.width() + 1;
        spans.push(Span::styled(separator, theme.muted()));
        spans.push(Span::styled(text, style));
        spans.push(Span::raw(" "));
    }
    spans.push(Span::styled("─".repeat(width.saturating_sub(used)), rule));
    Line::from(spans)
}

/// What failed and when: it may be otherwise by now.
pub(crate) fn failed_at(fault: &Fault, at: Option<DateTime<Utc>>) -> String {
    let message = visible(&fault.message);
    match at.filter(|_| !fault.is_not_configured) {
        Some(at) => format!("{message} · at {} UTC", clock(at)),
        None => message,
    }
}

/// Why something failed, what to do, and the key that tries again, in lines of this width.
pub(crate) fn fault_lines(
    (fault, at): (&Fault, Option<DateTime<Utc>>),
    (key, what): (&str, &str),
    theme: Theme,
    width: usize,
) -> Vec<Line<'static>> {
    let tone = match fault.is_not_configured {
        true => Tone::Muted,
        false => Tone::Bad,
    };
    let mut lines = hanging(tone, &failed_at(fault, at), theme, width);
    if let Some(hint) = &fault.hint {
        lines.extend(hanging(Tone::Muted, &visible(hint), theme, width));
    }
    lines.push(key_line(theme, key, what));
    lines
}

/// What failed and when, what to do, and the key that tries again.
pub(crate) fn explained(
    (fault, at): (&Fault, Option<DateTime<Utc>>),
    retry: (&str, &str),
    theme: Theme,
) -> Vec<Line<'static>> {
    let tone = if fault.is_not_configured {
        Tone::Muted
    } else {
        Tone::Bad
    };
    let mut lines = vec![Line::from(toned(theme, tone, &failed_at(fault, at)))];
    if let Some(hint) = &fault.hint {
        lines.push(Line::raw(visible(hint)));
    }
    lines.push(key_line(theme, retry.0, retry.1));
    lines
}

/// A toned text with its sign and a hanging indent.
pub(crate) fn hanging(tone: Tone, text: &str, theme: Theme, width: usize) -> Vec<Line<'static>> {
    const INDENT: usize = 3;
    let mut mark = Span::styled(format!(" {} ", sign(tone)), theme.tone(tone));
    wrapped(text, width.saturating_sub(INDENT + 1).max(1))
        .into_iter()
        .map(|part| {
            let mark = std::mem::replace(&mut mark, Span::raw(" ".repeat(INDENT)));
            Line::from(vec![mark, Span::styled(part, theme.tone(tone))])
        })
        .collect()
}

/// Cuts a text to `columns` like [`fit`], but before a number rather than inside it: what is left of
/// `853` would be read as another number.
pub(crate) fn whole_words(text: &str, columns: usize) -> String {
    let cut = fit(text, columns);
    if cut == text {
        return cut;
    }
    let kept = cut.strip_suffix('…').unwrap_or(&cut);
    let (head, _) = kept.rsplit_once(' ').unwrap_or(("", kept));
    let rest = text.strip_prefix(head).unwrap_or_default().trim_start();
    let word = rest.split(' ').next().unwrap_or_default();
    let last = word.rsplit('/').next().unwrap_or_default();
    if !(is_number(word) || is_number(last)) || kept.ends_with(word) {
        return cut;
    }
    // A sign or a word before it says nothing without it, but shows that something is there.
    let head = head.trim_end();
    match head.is_empty() {
        true => fit("…", columns),
        false => fit(&format!("{head} …"), columns),
    }
}

/// `853`, `20.1/s`, `+12`, `12:03:07`, `1,204,553·`.
fn is_number(word: &str) -> bool {
    let word = word.trim_start_matches(['+', '-', '(']);
    word.starts_with(|first: char| first.is_ascii_digit())
        && word
            .trim_end_matches("/s")
            .chars()
            .all(|c| c.is_ascii_digit() || c.is_ascii_punctuation())
}

/// `1 message`, `100,000 messages`.
pub(crate) fn message_count(number: usize) -> String {
    counted(number as u64, "message")
}

/// A text in a column of `width`, at its left end; cut where it is longer.
pub(crate) fn left(text: &str, width: usize) -> String {
    let text = fit(text, width);
    let gap = width.saturating_sub(text.width());
    format!("{text}{}", " ".repeat(gap))
}

/// The same at its right end: digits below digits. A number that has no room is left out.
pub(crate) fn right(text: &str, width: usize) -> String {
    let text = whole_words(text, width);
    let gap = width.saturating_sub(text.width());
    format!("{}{text}", " ".repeat(gap))
}

/// A key and what it does.
pub(crate) fn key_line(theme: Theme, key: &str, what: &str) -> Line<'static> {
    Line::from(vec![
        Span::styled(format!("{key:>3} "), theme.key()),
        Span::raw(what.to_owned()),
    ])
}

/// Draws a line between two panes that stand side by side.
pub(crate) fn draw_divider(theme: Theme, is_danger: bool, canvas: &mut Frame<'_>, area: Rect) {
    for place in area_rows(area) {
        canvas.render_widget(Span::styled("│", theme.frame(false, is_danger)), place);
    }
}

/// Cuts a text into pieces of `columns`, one at least, between words where there are any.
pub(crate) fn wrapped(text: &str, columns: usize) -> Vec<String> {
    let options = Options::new(columns.max(1))
        .word_separator(WordSeparator::AsciiSpace)
        .word_splitter(WordSplitter::NoHyphenation)
        .wrap_algorithm(WrapAlgorithm::FirstFit);
    textwrap::wrap(text, options)
        .into_iter()
        .map(String::from)
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn texts_are_wrapped_between_words_and_long_words_anywhere() {
        assert_eq!(
            wrapped("read depth of the queue", 10),
            ["read depth", "of the", "queue"]
        );
        assert_eq!(wrapped("0123456789abc", 5), ["01234", "56789", "abc"]);
        assert_eq!(wrapped("", 5), [""]);
        assert_eq!(wrapped("日本語", 0), ["日", "本", "語"]);
    }

    #[test]
    fn titles_leave_pieces_out_from_the_end() {
        let theme = Theme { has_colour: false };
        let pieces = vec![
            ("3 / 37".to_owned(), Style::new()),
            ("paused".to_owned(), Style::new()),
        ];
        let at = |width| titled("Records", pieces.clone(), theme, width).to_string();
        assert_eq!(at(30), "─ Records  3 / 37 · paused ───");
        assert_eq!(at(22), "─ Records  3 / 37 ────");
        assert_eq!(at(12), "─ Records ──");
        assert_eq!(at(6), "─ Re… ");
        assert_eq!(at(2), "──");
    }

    #[test]
    fn texts_are_cut_before_a_number_and_inside_a_word() {
        for (columns, shown) in [
            (17, "depth 48,211 of …"),
            (12, "depth …"),
            (11, "depth …"),
            (5, "dept…"),
            (1, "…"),
            (0, ""),
        ] {
            assert_eq!(
                whole_words("depth 48,211 of 853", columns),
                shown,
                "{columns}"
            );
        }
        assert_eq!(whole_words("853", 2), "…");
        assert_eq!(whole_words("out 20.1/s now", 10), "out …");
        assert_eq!(whole_words("GET /v1/records/1204554", 20), "GET …");
        assert_eq!(whole_words("id 5b0cf6c2-61a5", 10), "id 5b0cf6…");
        assert_eq!(whole_words("  id 853", 6), "  id …");
        assert_eq!(right("1,204", 4), "   …");
    }

    proptest! {
        #[test]
        fn wrapping_keeps_every_character_but_blanks(text in "[a-c日 ]{0,80}", columns in 2usize..20) {
            let parts = wrapped(&text, columns);
            prop_assert!(parts.iter().all(|part| part.width() <= columns));
            let without_blanks = |text: &str| text.replace(' ', "");
            prop_assert_eq!(without_blanks(&parts.concat()), without_blanks(&text));
        }
    }
}
