//! Draws the line that is typed, what is wrong with it, and what fits at the cursor.
//!
//! Invariant: nothing is moved: candidates lie over the rows, and go with the line.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::Clear;
use unicode_width::UnicodeWidthStr as _;

use super::typing::{Purpose, Typing};
use crate::pointer::POINTERS_MAX;
use crate::tui::filter::{Candidate, WORDS};
use crate::tui::format::{fit, visible};
use crate::tui::layout::area_rows;
use crate::tui::lines::left;
use crate::tui::theme::{Theme, Tone, sign, toned};

/// Candidates that are visible at once.
const ROWS: usize = 8;
/// Columns of the prompt, below which the texts begin as well.
const PROMPT: u16 = 3;
/// Columns of a candidate at most.
const TEXT_MAX: usize = 40;
/// Blanks between a candidate and what is said of it.
const GAP: usize = 2;

/// The line, and below it what is wrong.
pub(super) fn draw_line(typing: &Typing, theme: Theme, canvas: &mut Frame<'_>, area: Rect) {
    let [line, below] =
        Layout::vertical([Constraint::Length(1), Constraint::Length(1)]).areas(area);
    let [prompt, input] =
        Layout::horizontal([Constraint::Length(PROMPT), Constraint::Fill(1)]).areas(line);
    let sign_of_line = match typing.purpose {
        Purpose::Filter => " / ",
        Purpose::Columns => " c ",
        Purpose::Name => " s ",
        Purpose::Sql => " S ",
    };
    canvas.render_widget(Span::styled(sign_of_line, theme.key()), prompt);
    canvas.render_widget(&typing.input, input);
    let width = usize::from(below.width).saturating_sub(usize::from(PROMPT) + 2);
    let (indent, text) = match (typing.wrong(), typing.example()) {
        (Some(wrong), Some(example)) if wrong.is_begun => {
            (0, Span::styled(fit(example, width), theme.muted()))
        }
        (Some(wrong), _) => {
            let text = match &wrong.example {
                Some(example) => format!("{} · {example}", wrong.text),
                None => wrong.text.clone(),
            };
            let text = fit(&text, width);
            // Below the term at fault, where there is room and the line is not scrolled.
            let most = width.saturating_sub(text.width());
            let is_whole = typing.text().width() < usize::from(input.width);
            let indent = wrong.at.start.min(if is_whole { most } else { 0 });
            (indent, toned(theme, Tone::Bad, &text))
        }
        (None, Some(example)) => (0, Span::styled(fit(example, width), theme.muted())),
        (None, None) => {
            let advice = match typing.purpose {
                Purpose::Filter => format!("{WORDS} · a word alone: type, -2h, today"),
                Purpose::Columns => format!(
                    "JSON pointers into the event, up to {POINTERS_MAX}: /data/flight /data/price · empty: none"
                ),
                Purpose::Sql => {
                    "one question, read-only: select … from records where occurred_at >= …; 1,000 rows, 30 s"
                        .to_owned()
                }
                Purpose::Name => {
                    "a name for this filter and its columns; one of that name is replaced"
                        .to_owned()
                }
            };
            (0, Span::styled(fit(&advice, width), theme.muted()))
        }
    };
    let margin = " ".repeat(usize::from(PROMPT) + indent);
    canvas.render_widget(Line::from(vec![Span::raw(margin), text]), below);
}

/// The candidates, below the line; `unknown` is why some are missing.
pub(super) fn draw_candidates(
    typing: &Typing,
    unknown: Option<&str>,
    theme: Theme,
    canvas: &mut Frame<'_>,
    area: Rect,
) {
    let completion = typing.completion();
    let candidates = &completion.candidates;
    if candidates.is_empty() {
        return;
    }
    let visible_rows = candidates.len().min(ROWS);
    let first = typing
        .chosen()
        .map_or(0, |chosen| (chosen + 1).saturating_sub(visible_rows));
    let shown: Vec<_> = candidates.iter().skip(first).take(visible_rows).collect();
    let texts: Vec<String> = shown.iter().map(|it| visible(&it.text)).collect();
    let text_width = texts.iter().map(|text| text.width()).max();
    let text_width = text_width.unwrap_or_default().min(TEXT_MAX);
    let about_width = shown.iter().map(|it| it.about.width()).max();
    let wanted = text_width + GAP + about_width.unwrap_or_default() + 5;
    let width = wanted.min(usize::from(area.width));
    let most = usize::from(area.width) - width;
    let indent = completion.replaced.start.min(most);
    let last = last_line(candidates.len(), typing.chosen(), unknown);
    let rows = (visible_rows + usize::from(last.is_some())).min(usize::from(area.height));
    let place = Rect {
        x: area.x + u16::try_from(indent).unwrap_or(0),
        width: u16::try_from(width).unwrap_or(area.width),
        height: u16::try_from(rows).unwrap_or(area.height),
        ..area
    };
    canvas.render_widget(Clear, place);
    let lines = shown.iter().zip(&texts).enumerate();
    let mut places = area_rows(place);
    for ((number, (candidate, text)), row) in lines.zip(places.by_ref()) {
        let is_chosen = typing.chosen() == Some(first + number);
        canvas.render_widget(
            candidate_line(candidate, text, (text_width, width), is_chosen, theme),
            row,
        );
    }
    if let (Some(last), Some(row)) = (last, places.next()) {
        let text = fit(&format!("│ {last}"), width);
        canvas.render_widget(Line::styled(text, theme.muted()), row);
    }
}

/// How many there are, and what is missing.
fn last_line(length: usize, chosen: Option<usize>, unknown: Option<&str>) -> Option<String> {
    let place = (length > ROWS).then(|| match chosen {
        Some(chosen) => format!("{} / {length}", chosen + 1),
        None => format!("{length} fit"),
    });
    let unknown = unknown.map(|why| format!("{} not all: {}", sign(Tone::Warning), visible(why)));
    let parts: Vec<String> = place.into_iter().chain(unknown).collect();
    (!parts.is_empty()).then(|| parts.join(" · "))
}

fn candidate_line(
    candidate: &Candidate,
    text: &str,
    (text_width, width): (usize, usize),
    is_chosen: bool,
    theme: Theme,
) -> Line<'static> {
    let mark = if is_chosen { "▸ " } else { "  " };
    let head = format!("{mark}{}", left(text, text_width));
    let room = width.saturating_sub(head.width() + GAP + 1);
    let about = left(&visible(&candidate.about), room);
    let line = Line::from(vec![
        Span::styled("│", theme.key()),
        Span::raw(head),
        Span::styled(format!("{}{about}", " ".repeat(GAP)), theme.muted()),
    ]);
    if is_chosen {
        theme.selected_row(line, true)
    } else {
        line
    }
}
